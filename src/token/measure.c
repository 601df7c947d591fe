/* SPDX-License-Identifier: MIT */
/** Measured ranges: the object, what is known of a page, adding and letting go. */
#include "../core/bytes.h"
#include "../core/callbacks.h"
#include "../core/crypto_ops.h"
#include "../core/shared.h"
#include "measure_private.h"

#define MAC_KIND       2u /* of enum svmc_alg, bits 7:4 */
#define GENERATION_MAX 0xffffu

/* ME-16: what no row lists would hide more than the processor's own bits. */
static bool is_ignorable(uint64_t bits)
{
    return bits == 0 || bits == SVMC_MEASURE_IGNORE_X86 || bits == SVMC_MEASURE_IGNORE_A64 ||
           bits == SVMC_MEASURE_IGNORE_RV;
}

static bool is_sound(const struct svmc_measure_config *c)
{
    return c && c->crypto && c->ops && c->pages && c->ranges && c->room && c->page_count != 0 &&
           c->page_count <= 1u << 30 && c->range_count != 0 &&
           c->range_count <= SVMC_MEASURE_RANGES && c->reserved == 0 && is_ignorable(c->ignore) &&
           c->mac_alg >> 4 == MAC_KIND && CORE_HAS_OP(c->crypto, mac) &&
           CORE_HAS_OP(c->crypto, random) && CORE_HAS_OP(c->crypto, wipe) &&
           CORE_HAS_OP(c->ops, guest_span);
}

/* ME-1 */
enum svmc_status svmc_measure_init(struct svmc_measure *m, const struct svmc_measure_config *config)
{
    const struct svmc_crypto_ops *ops;

    if (!m)
        return SVMC_ERR_ARG;
    memset(m, 0, sizeof *m);
    if (!is_sound(config))
        return SVMC_ERR_ARG;
    ops = config->crypto;
    if (ops->random(ops->ctx, m->priv.key, sizeof m->priv.key) != SVMC_OK ||
        ops->random(ops->ctx, &m->priv.mix, sizeof m->priv.mix) != SVMC_OK) {
        ops->wipe(ops->ctx, m, sizeof *m);
        return SVMC_ERR_CALLBACK;
    }
    m->priv.mix |= 1;
    m->priv.config = *config;
    memset(config->ranges, 0, config->range_count * sizeof *config->ranges);
    memset(config->pages, 0, config->page_count * sizeof *config->pages);
    for (uint32_t i = 0; i < config->page_count; i++)
        measure_page(m, i)->priv.order = measure_page(m, i)->priv.place = i;
    return SVMC_OK;
}

void svmc_measure_drop(struct svmc_measure *m)
{
    const struct svmc_measure_config *c;
    const struct svmc_crypto_ops *ops;

    if (!measure_ready(m))
        return;
    c = &m->priv.config;
    ops = c->crypto;
    ops->wipe(ops->ctx, c->pages, c->page_count * sizeof *c->pages);
    ops->wipe(ops->ctx, c->ranges, c->range_count * sizeof *c->ranges);
    ops->wipe(ops->ctx, c->room, sizeof *c->room);
    ops->wipe(ops->ctx, m, sizeof *m);
}

/* ---- frame -> page: chains, by a hash that the guest cannot foresee --------------------------*/

static uint32_t *bucket_of(const struct svmc_measure *m, uint64_t frame)
{
    uint64_t hash = frame / PAGE * m->priv.mix >> 32;

    return &measure_page(m, (uint32_t)(hash * m->priv.config.page_count >> 32))->priv.head;
}

uint32_t svmc_measure_find(const struct svmc_measure *m, uint64_t at)
{
    uint64_t frame = at - at % PAGE;

    for (uint32_t n = *bucket_of(m, frame); n != 0; n = measure_page(m, n - 1)->priv.next)
        if (measure_page(m, n - 1)->priv.frame == frame)
            return n - 1;
    return NO_SLOT;
}

static void link_page(struct svmc_measure *m, uint32_t slot)
{
    uint32_t *head = bucket_of(m, measure_page(m, slot)->priv.frame);

    measure_page(m, slot)->priv.next = *head;
    *head = slot + 1;
}

static void unlink_page(struct svmc_measure *m, uint32_t slot)
{
    uint32_t *at = bucket_of(m, measure_page(m, slot)->priv.frame);

    while (*at != 0 && *at != slot + 1)
        at = &measure_page(m, *at - 1)->priv.next;
    *at = measure_page(m, slot)->priv.next;
}

/* ---- one page --------------------------------------------------------------------------------*/

enum svmc_status svmc_measure_span(const struct svmc_measure *m, uint64_t frame, void **span)
{
    const struct svmc_measure_ops *ops = m->priv.config.ops;
    svmc_gpa at = { frame };

    *span = NULL;
    if (ops->guest_span(m->priv.config.ctx, at, PAGE, SVMC_ACCESS_READ, span) != SVMC_OK ||
        (*span && !core_shared_usable(*span)))
        return SVMC_ERR_CALLBACK;
    return SVMC_OK;
}

enum svmc_status svmc_measure_mac(const struct svmc_measure *m, uint64_t frame, uint64_t version,
                                  uint32_t id, const void *page, uint8_t out[SVMC_HASH_BYTES])
{
    const struct svmc_crypto_ops *ops = m->priv.config.crypto;
    const uint64_t head[] = { core_le64(m->priv.config.vm), core_le64(frame), core_le64(version),
                              core_le64(id) };
    const struct svmc_bytes piece[] = { { head, sizeof head }, { page, PAGE } };
    enum svmc_status st =
        ops->mac(ops->ctx, m->priv.config.mac_alg, m->priv.key, piece, 2, out); /* ME-2 */

    return core_crypto_verdict(st);
}

/* ---- who -------------------------------------------------------------------------------------*/

bool svmc_measure_is_who(const struct svmc_measure *m, const struct svmc_measure_range *range,
                         const struct svmc_token_caller *caller)
{
    return caller->vm == m->priv.config.vm && caller->root == range->priv.root &&
           caller->vm_generation == range->priv.vm_generation && caller->isa == range->priv.isa &&
           caller->user == range->priv.user;
}

bool svmc_measure_is_code(const struct svmc_measure *m, uint32_t token,
                          const struct svmc_token_caller *caller)
{
    uint32_t slot = svmc_measure_find(m, caller->frame);
    const struct svmc_measure_range *range;
    uint64_t state;

    if (slot == NO_SLOT)
        return false;
    state = measure_state(measure_page(m, slot));
    range = measure_range_of(m, state);
    return (state & FLAGS) == 0 && token != 0 && range->priv.code && range->priv.token == token;
}

struct svmc_measure_range *svmc_measure_live(const struct svmc_measure *m, uint32_t id)
{
    uint32_t index = id & 0xffff;
    struct svmc_measure_range *range;

    if (index >= m->priv.config.range_count)
        return NULL;
    range = measure_range(m, index);
    return range->priv.pages != 0 && range->priv.generation == id >> 16 ? range : NULL;
}

/* ---- adding ----------------------------------------------------------------------------------*/

/* The n-th slot that is not in use. */
static uint32_t free_slot(const struct svmc_measure *m, uint32_t n)
{
    return measure_order(m, m->priv.used + n);
}

static bool is_askable(const struct svmc_measure *m, const struct svmc_measure_spec *s)
{
    if (!measure_ready(m) || !s || !s->frames || s->count == 0 || !s->caller ||
        s->code > SVMC_MEASURE_FILLED || (s->reserved[0] | s->reserved[1] | s->reserved[2]) != 0)
        return false;
    if (s->code == SVMC_MEASURE_FILLED && s->token == 0) /* ME-6: it measures no program */
        return false;
    if (!s->digest)
        return s->digest_alg == 0 && s->code != SVMC_MEASURE_PROGRAM; /* ME-6 */
    return s->digest_alg >> 4 == 1 && core_crypto_can_hash(m->priv.config.crypto);
}

/* ME-4: into slots that nobody uses yet, so whatever fails, nothing has changed. */
static enum svmc_status measure_one(struct svmc_measure *m, const struct svmc_measure_spec *spec,
                                    uint32_t n, uint32_t id, enum svmc_measure_why *why)
{
    const struct svmc_crypto_ops *ops = m->priv.config.crypto;
    struct svmc_measure_room *room = m->priv.config.room;
    struct svmc_measure_page *page = measure_page(m, free_slot(m, n));
    uint64_t frame = spec->frames[n].v; /* clamp: a loop */
    enum svmc_status st = SVMC_OK;
    void *span = NULL;

    if (frame % PAGE == 0)
        st = svmc_measure_span(m, frame, &span);
    if (st != SVMC_OK)
        return st;
    if (!span)
        return measure_refuse(why, SVMC_MEASURE_FRAME);
    core_shared_read(span, 0, room->page, PAGE); /* ME-3: the digest's bytes are the MAC's */
    if (spec->digest && ops->hash_add(ops->ctx, &room->hash, room->page, PAGE) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    page->priv.frame = frame;
    return svmc_measure_mac(m, frame, m->priv.version + 1 + n, id, room->page, page->priv.mac);
}

/* ME-6: the digest is of the very bytes that the MACs are of. */
static enum svmc_status measure_all(struct svmc_measure *m, const struct svmc_measure_spec *spec,
                                    uint32_t id, enum svmc_measure_why *why)
{
    const struct svmc_crypto_ops *ops = m->priv.config.crypto;
    struct svmc_hash_state *hash = &m->priv.config.room->hash;
    uint8_t got[SVMC_HASH_BYTES] = { 0 };
    enum svmc_status st = SVMC_OK, end;

    if (spec->digest) {
        st = ops->hash_begin(ops->ctx, hash, spec->digest_alg);
        if (st != SVMC_OK)
            return core_crypto_verdict(st);
    }
    for (uint32_t n = 0; n < spec->count && st == SVMC_OK; n++)
        st = measure_one(m, spec, n, id, why);
    if (spec->digest) {
        end = core_crypto_hash_end(ops, hash, st, got);
        if (st == SVMC_OK)
            st = end;
        if (st == SVMC_OK && memcmp(got, spec->digest, sizeof got) != 0)
            st = measure_refuse(why, SVMC_MEASURE_DIGEST);
    }
    return st;
}

/* ME-4: a page is in one range, once. */
static bool link_all(struct svmc_measure *m, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        uint32_t slot = free_slot(m, n);

        if (svmc_measure_find(m, measure_page(m, slot)->priv.frame) != NO_SLOT) {
            while (n-- > 0)
                unlink_page(m, free_slot(m, n));
            return false;
        }
        link_page(m, slot);
    }
    return true;
}

/* ME-5: all ranges of a token are of one address space. *index: a free one, or range_count. */
static bool is_one_holder(const struct svmc_measure *m, const struct svmc_measure_spec *spec,
                          uint32_t *index)
{
    const struct svmc_measure_range *range;

    *index = m->priv.config.range_count;
    if (spec->caller->vm != m->priv.config.vm)
        return false;
    for (uint32_t i = m->priv.config.range_count; i-- > 0;) {
        range = measure_range(m, i);
        if (range->priv.pages == 0 && range->priv.generation < GENERATION_MAX) /* ME-17 */
            *index = i;
        else if (spec->token != 0 && range->priv.token == spec->token &&
                 !svmc_measure_is_who(m, range, spec->caller))
            return false;
    }
    return true;
}

static void publish(struct svmc_measure *m, const struct svmc_measure_spec *spec, uint32_t id)
{
    struct svmc_measure_range *range = measure_range(m, id & 0xffff);

    range->priv.root = spec->caller->root;
    range->priv.vm_generation = spec->caller->vm_generation;
    range->priv.generation = id >> 16;
    range->priv.token = spec->token;
    range->priv.pages = spec->count;
    range->priv.isa = spec->caller->isa;
    range->priv.user = spec->caller->user;
    range->priv.code = spec->code;
    for (uint32_t n = 0; n < spec->count; n++)
        measure_set_state(measure_page(m, free_slot(m, n)),
                          ++m->priv.version << VERSION_SHIFT | (id & 0xffff) << RANGE_SHIFT);
    m->priv.used += spec->count;
}

enum svmc_status svmc_measure_add(struct svmc_measure *m, const struct svmc_measure_spec *spec,
                                  uint32_t *range, enum svmc_measure_why *why)
{
    uint32_t index, generation;
    enum svmc_status st;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!range)
        return SVMC_ERR_ARG;
    *range = 0;
    if (!is_askable(m, spec))
        return SVMC_ERR_ARG;
    if (!is_one_holder(m, spec, &index))
        return measure_refuse(why, SVMC_MEASURE_WHO);
    if (index == m->priv.config.range_count ||
        spec->count > m->priv.config.page_count - m->priv.used ||
        spec->count > VERSION_MAX - m->priv.version)
        return SVMC_ERR_FULL;
    generation = measure_range(m, index)->priv.generation + 1; /* ME-17: never 0 */
    st = measure_all(m, spec, generation << 16 | index, why);
    if (st != SVMC_OK)
        return st;
    if (!link_all(m, spec->count))
        return measure_refuse(why, SVMC_MEASURE_FRAME);
    publish(m, spec, generation << 16 | index);
    *range = generation << 16 | index;
    return SVMC_OK;
}

/* ME-5: once. */
enum svmc_status svmc_measure_hold(struct svmc_measure *m, uint32_t range, uint32_t token,
                                   enum svmc_measure_why *why)
{
    struct svmc_token_caller caller = { 0 };
    struct svmc_measure_spec spec = { .token = token, .caller = &caller };
    struct svmc_measure_range *r;
    uint32_t index;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!measure_ready(m) || token == 0)
        return SVMC_ERR_ARG;
    r = svmc_measure_live(m, range);
    if (!r)
        return measure_refuse(why, SVMC_MEASURE_RANGE);
    if (r->priv.token != 0)
        return measure_refuse(why, SVMC_MEASURE_TOKEN);
    caller.vm = m->priv.config.vm;
    caller.vm_generation = r->priv.vm_generation;
    caller.root = r->priv.root;
    caller.isa = r->priv.isa;
    caller.user = r->priv.user;
    if (!is_one_holder(m, &spec, &index))
        return measure_refuse(why, SVMC_MEASURE_WHO);
    r->priv.token = token;
    return SVMC_OK;
}

/* ---- letting go ------------------------------------------------------------------------------*/

/* ME-17: what was looked at in this round stays looked at, what was not is still to come. */
static void forget(struct svmc_measure *m, uint32_t slot)
{
    struct svmc_measure_page *page = measure_page(m, slot);

    measure_set_state(page, 0);
    unlink_page(m, slot);
    if (page->priv.place < m->priv.at)
        svmc_measure_swap(m, page->priv.place, --m->priv.at);
    svmc_measure_swap(m, page->priv.place, --m->priv.used);
    page->priv.frame = 0;
    core_wipe(page->priv.mac, sizeof page->priv.mac);
}

/* ME-17: the ranges that are marked, and their pages. */
static void let_go(struct svmc_measure *m)
{
    uint8_t code = 0;

    for (uint32_t i = m->priv.used; i-- > 0;) {
        uint32_t slot = measure_order(m, i);

        if (measure_range_of(m, measure_state(measure_page(m, slot)))->priv.going)
            forget(m, slot);
    }
    svmc_measure_end_round(m);
    for (uint32_t i = 0; i < m->priv.config.range_count; i++) {
        struct svmc_measure_range *r = measure_range(m, i);

        if (r->priv.going) {
            code |= r->priv.code;
            *r = (struct svmc_measure_range){ .priv.generation = r->priv.generation };
        }
    }
    if (code)
        measure_next_generation(m);
}

enum svmc_status svmc_measure_unload(struct svmc_measure *m, uint32_t range, uint32_t token,
                                     uint32_t *holder, enum svmc_measure_why *why)
{
    struct svmc_measure_range *r;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!holder)
        return SVMC_ERR_ARG;
    *holder = 0;
    if (!measure_ready(m))
        return SVMC_ERR_ARG;
    r = svmc_measure_live(m, range);
    if (!r)
        return measure_refuse(why, SVMC_MEASURE_RANGE);
    if (token != 0 && token != r->priv.token)
        return measure_refuse(why, SVMC_MEASURE_TOKEN);
    *holder = r->priv.token;
    r->priv.going = 1;
    let_go(m);
    return SVMC_OK;
}

void svmc_measure_forget(struct svmc_measure *m, uint32_t token)
{
    if (!measure_ready(m))
        return;
    for (uint32_t i = 0; i < m->priv.config.range_count; i++) {
        struct svmc_measure_range *r = measure_range(m, i);

        r->priv.going = r->priv.pages != 0 && (token == 0 || r->priv.token == token);
    }
    let_go(m);
}
