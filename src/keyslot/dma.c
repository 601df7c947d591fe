/* SPDX-License-Identifier: MIT */
/** DMA: a request is checked and translated, its units are claimed, then it moves. */
#include "../core/callbacks.h"
#include "dma_private.h"

#define COLD          __attribute__((noinline, cold))
#define ADDRESS_UNITS ((uint64_t)1 << 40) /* DM-16: what the nonce has room for */
#define NAME_BYTES    24

/* DM-11: who is at the units of a stripe. */
#define CLAIM_COUNT  0xffffffffu
#define CLAIM_SHARED ((uint64_t)0xffffffffu << 32) /* else the lane + 1 */

/* Text beside the value, no pointer in the row: the table needs no relocation. */
static const struct {
    uint8_t status;
    char name[NAME_BYTES];
} reasons[] = {
#define REASON(reason, status) [reason] = { status, #reason }
    REASON(SVMC_DMA_NONE, SVMC_OK),
    REASON(SVMC_DMA_BDF_RANGE, SVMC_ERR_REFUSED),
    REASON(SVMC_DMA_BDF_UNBOUND, SVMC_ERR_REFUSED),
    REASON(SVMC_DMA_LENGTH, SVMC_ERR_REFUSED),
    REASON(SVMC_DMA_UNMAPPED, SVMC_ERR_REFUSED),
    REASON(SVMC_DMA_ACCESS, SVMC_ERR_REFUSED),
    REASON(SVMC_DMA_SLOT, SVMC_ERR_REFUSED),
    REASON(SVMC_DMA_SLOT_STALE, SVMC_ERR_STALE),
    REASON(SVMC_DMA_CUT, SVMC_ERR_STALE),
    REASON(SVMC_DMA_KEY, SVMC_ERR_ABSENT),
    REASON(SVMC_DMA_CLAIMED, SVMC_ERR_BUSY),
    REASON(SVMC_DMA_PAGES, SVMC_ERR_FULL),
    REASON(SVMC_DMA_VERSIONS, SVMC_ERR_FULL),
    REASON(SVMC_DMA_TAG, SVMC_ERR_AUTH),
    REASON(SVMC_DMA_TRANSLATE, SVMC_ERR_CALLBACK),
    REASON(SVMC_DMA_CRYPTO, SVMC_ERR_CALLBACK),
    REASON(SVMC_DMA_BUDGET, SVMC_ERR_FULL),
#undef REASON
};
#define REASONS (uint32_t)(sizeof reasons / sizeof reasons[0])

const char *svmc_dma_name(uint32_t reason)
{
    return reason < REASONS ? reasons[core_clamp(reason, REASONS)].name : "SVMC_DMA_?";
}

static COLD enum svmc_status fail(struct svmc_dma_result *result, enum svmc_dma_reason why,
                                  uint64_t iova)
{
    result->reason = why;
    result->iova = iova;
    return (enum svmc_status)reasons[core_clamp(why, REASONS)].status;
}

/* ---- the engine ------------------------------------------------------------------------------*/

static size_t lines(size_t bytes)
{
    return (bytes + SVMC_DMA_ALIGN - 1) / SVMC_DMA_ALIGN * SVMC_DMA_ALIGN;
}

static bool is_power(uint32_t n, uint32_t max)
{
    return n != 0 && n <= max && (n & (n - 1)) == 0;
}

static bool is_possible(const struct svmc_dma_config *c)
{
    return c && c->slots && c->slots->priv.lanes != 0 && c->pages - 1 < 65536 &&
           (c->cache == 0 || is_power(c->cache, 65536)) && is_power(c->stripes, 65536) &&
           (c->shares == 0 || is_power(c->shares, c->stripes));
}

static size_t lane_bytes(const struct svmc_dma_config *c)
{
    return SVMC_DMA_PAGE + lines(c->cache * sizeof(struct cached)) +
           lines(c->pages * sizeof(struct span));
}

/* DM-1 */
size_t svmc_dma_bytes(const struct svmc_dma_config *config)
{
    if (!is_possible(config))
        return 0;
    return config->slots->priv.lanes * lane_bytes(config) +
           lines(config->stripes * sizeof(uint64_t));
}

/* DM-2 */
enum svmc_status svmc_dma_init(struct svmc_dma *dma, const struct svmc_dma_config *config,
                               void *memory, size_t bytes)
{
    size_t need = svmc_dma_bytes(config);
    uint32_t stripes;

    if (!dma)
        return SVMC_ERR_ARG;
    memset(dma, 0, sizeof *dma);
    if (need == 0 || !memory || (uintptr_t)memory % SVMC_DMA_ALIGN != 0 || !config->devices ||
        !config->ops || !CORE_HAS_OP(config->ops, translate))
        return SVMC_ERR_ARG;
    if (bytes < need)
        return SVMC_ERR_FULL;
    memset(memory, 0, need);
    dma->priv.slots = config->slots;
    dma->priv.devices = config->devices;
    dma->priv.ops = config->ops;
    dma->priv.lanes = config->slots->priv.lanes;
    dma->priv.lane = memory;
    dma->priv.lane_bytes = lane_bytes(config);
    dma->priv.stripe =
        (uint64_t *)(void *)(dma->priv.lane + dma->priv.lanes * dma->priv.lane_bytes);
    dma->priv.pages = config->pages;
    dma->priv.cache = config->cache;
    if (config->shares != 0)
        dma->priv.share_mask = config->shares - 1;
    stripes = config->stripes / (dma->priv.share_mask + 1);
    for (dma->priv.stripe_shift = 64; stripes >> (64 - dma->priv.stripe_shift) > 1;)
        dma->priv.stripe_shift--;
    return SVMC_OK;
}

/* ---- whose slot ------------------------------------------------------------------------------*/

struct held {
    struct slot *slot;
    svmc_key_handle handle; /* of the slot */
    svmc_key_handle bound;  /* the function's slot: the same, or after DT-9 one of a flight */
};

/*
 * DM-3 DM-4 DM-5 DM-21: the slot of a flight, or the function's, held; the binding is looked at
 * again once the lane is marked, so that who unbinds sees the lane, or the lane the unbinding.
 */
static inline enum svmc_status hold(struct svmc_dma *dma, uint32_t lane, uint32_t bdf,
                                    struct svmc_dma_flight flight, struct held *held,
                                    struct svmc_dma_result *result)
{
    const bool has_ref = flight.slot.raw != 0;
    const struct svmc_devices *devices = dma->priv.devices;
    enum svmc_status st;

    if (bdf >= devices->priv.functions)
        return fail(result, SVMC_DMA_BDF_RANGE, 0);
    held->handle.raw = has_ref ? flight.slot.raw : device_handle(devices, bdf);
    if (has_ref && flight.bdf != bdf)
        held->handle.raw = 0;
    for (unsigned tries = 0; held->handle.raw != 0; tries++) {
        st = slot_hold(dma->priv.slots, lane, held->handle, has_ref, &held->slot);
        if (st == SVMC_ERR_STATE)
            return st;
        if (st == SVMC_ERR_ABSENT)
            result->slot = held->handle;
        if (st != SVMC_OK)
            return fail(result, st == SVMC_ERR_ABSENT ? SVMC_DMA_KEY : SVMC_DMA_SLOT_STALE, 0);
        held->bound.raw = device_handle(devices, bdf);
        if (held->bound.raw == held->handle.raw || has_ref)
            return SVMC_OK;
        slot_release(dma->priv.slots, lane);
        /* DT-9: bound to another one meanwhile */
        held->handle.raw = tries == 0 && !has_ref ? held->bound.raw : 0;
    }
    return fail(result, SVMC_DMA_BDF_UNBOUND, 0);
}

/* ---- checked and translated ------------------------------------------------------------------*/

/* DM-7: what no page can be is not a device's fault. */
static bool is_page(const struct svmc_dma_page *page)
{
    return page->at && page->address % SVMC_DMA_PAGE == 0 && page->address < SVMC_DMA_ADDRESS_MAX &&
           (page->access & ~(uint32_t)SVMC_ACCESS_RW) == 0;
}

/* DM-23: the page's slot is linked with the function's; of such a lane holds one at a time. */
static COLD enum svmc_dma_reason hold_other(struct job *job, svmc_key_handle slot)
{
    enum svmc_status st = SVMC_ERR_REFUSED;

    if (slot.raw == job->beside.raw && slot.raw != 0)
        return SVMC_DMA_NONE;
    if (job->beside.raw == 0)
        st = svmc_keyslot_hold_also(job->dma->priv.slots, job->lane, job->slot, slot, &job->other);
    if (st == SVMC_OK)
        job->beside = slot;
    return st == SVMC_OK ? SVMC_DMA_NONE : st == SVMC_ERR_ABSENT ? SVMC_DMA_KEY : SVMC_DMA_SLOT;
}

/* DM-8: the page is of the function's own slot, and may be used so. */
static enum svmc_dma_reason judge(struct job *job, const struct svmc_dma_page *page)
{
    if (page->slot.raw != job->handle.raw) {
        enum svmc_dma_reason why = hold_other(job, page->slot);

        if (why != SVMC_DMA_NONE)
            return why;
    }
    if ((page->access & (job->write ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ)) == 0)
        return SVMC_DMA_ACCESS;
    return job->authentic && (!page->seals || page->address >> job->unit_shift >= ADDRESS_UNITS)
               ? SVMC_DMA_TRANSLATE
               : SVMC_DMA_NONE;
}

/* DM-9: out of the lane's cache, or asked for. *page is in the cache, or *room. */
static enum svmc_dma_reason translate(struct job *job, uint64_t iova, struct svmc_dma_page *room,
                                      const struct svmc_dma_page **page)
{
    const struct svmc_dma_ops *ops = job->dma->priv.ops;
    uint32_t bdf = job->bdf, cache = job->dma->priv.cache;
    struct cached *c = NULL;

    if (cache != 0) {
        c = job->cached + (((uint32_t)(iova / SVMC_DMA_PAGE) ^ bdf * 0x9e3779b1u) & (cache - 1));
        *page = &c->page;
        if (c->epoch == job->epoch && c->iova == iova && c->bdf == bdf &&
            judge(job, &c->page) == SVMC_DMA_NONE)
            return SVMC_DMA_NONE;
    }
    *page = room;
    memset(room, 0, sizeof *room);
    if (ops->translate(ops->ctx, bdf, job->handle, iova, room) != SVMC_OK)
        return SVMC_DMA_UNMAPPED;
    if (!is_page(room))
        return SVMC_DMA_TRANSLATE;
    if (c) {
        c->epoch = job->epoch;
        c->iova = iova;
        c->bdf = bdf;
        c->page = *room;
    }
    return judge(job, room);
}

/* DM-6: the pages of a piece. */
static enum svmc_status resolve_piece(struct job *job, const struct svmc_dma_piece *piece)
{
    uint64_t iova = piece->iova;
    uint8_t *buffer = piece->buffer;
    size_t left = piece->bytes;
    struct svmc_dma_page room;
    const struct svmc_dma_page *page = &room;
    struct span *span;

    if (left == 0)
        return SVMC_OK;
    if (!buffer)
        return SVMC_ERR_ARG;
    if (left - 1 > UINT64_MAX - iova)
        return fail(job->result, SVMC_DMA_LENGTH, iova);
    while (left != 0) {
        uint32_t from = (uint32_t)(iova % SVMC_DMA_PAGE);
        uint32_t bytes = left < SVMC_DMA_PAGE - from ? (uint32_t)left : SVMC_DMA_PAGE - from;
        enum svmc_dma_reason why = SVMC_DMA_PAGES;

        if (job->spans < job->dma->priv.pages)
            why = translate(job, iova - from, &room, &page);
        if (why != SVMC_DMA_NONE) {
            if (why == SVMC_DMA_KEY)
                job->result->slot = page->slot;
            return fail(job->result, why, iova);
        }
        span = job->span + job->spans++;
        span->memory = (uint8_t *)page->at + from;
        span->buffer = buffer;
        span->address = page->address + from;
        span->iova = iova;
        span->seals = page->seals;
        span->bytes = bytes;
        span->other = page->slot.raw != job->handle.raw;
        job->edges |= from | bytes;
        from &= job->unit_bytes - 1;
        job->units[span->other] += (from + bytes + job->unit_bytes - 1) >> job->unit_shift;
        iova += bytes;
        buffer += bytes;
        left -= bytes;
    }
    return SVMC_OK;
}

static enum svmc_status resolve(struct job *job)
{
    enum svmc_status st = SVMC_OK;

    for (size_t i = 0; i < job->pieces && st == SVMC_OK; i++)
        st = resolve_piece(job, &job->piece[i]); /* clamp: below the count */
    return st;
}

/* ---- counted ---------------------------------------------------------------------------------*/

static void unspend(const struct job *job)
{
    svmc_keyslot_unspend(job->dma->priv.slots, job->lane, job->handle, job->units[0]);
    if (job->units[1] != 0)
        svmc_keyslot_unspend(job->dma->priv.slots, job->lane, job->beside, job->units[1]);
}

/* DM-22: where one unit is missing none is used. */
static enum svmc_status spend(const struct job *job)
{
    struct svmc_keyslots *ks = job->dma->priv.slots;

    if (!slot_spend(ks, job->lane, job->handle, job->units[0]))
        return fail(job->result, SVMC_DMA_BUDGET, 0);
    if (job->units[1] == 0 || slot_spend(ks, job->lane, job->beside, job->units[1]))
        return SVMC_OK;
    svmc_keyslot_unspend(ks, job->lane, job->handle, job->units[0]);
    return fail(job->result, SVMC_DMA_BUDGET, 0);
}

/* ---- claimed ---------------------------------------------------------------------------------*/

/* DM-11: the stripes of the slots that a page's slot shares them with. */
static uint64_t *share_of(const struct svmc_dma *dma, svmc_key_handle slot)
{
    uint64_t share = (slot.raw - 1) & dma->priv.share_mask;

    return dma->priv.stripe + (share << (64 - dma->priv.stripe_shift));
}

static uint64_t *stripe_of(const struct job *job, uint64_t *share, uint64_t address)
{
    uint32_t shift = job->dma->priv.stripe_shift;
    uint64_t hash = (address >> job->unit_shift) * 0x9e3779b97f4a7c15u;

    return share + (shift < 64 ? hash >> shift : 0);
}

/* DM-11: one compare-exchange, or none where the stripe is this lane's already. */
static bool claim_unit(const struct job *job, uint64_t *share, uint64_t address)
{
    uint64_t *stripe = stripe_of(job, share, address), me = (uint64_t)(job->lane + 1) << 32;
    uint64_t word = __atomic_load_n(stripe, __ATOMIC_RELAXED),
             owner = word & ~(uint64_t)CLAIM_COUNT;
    uint64_t want = job->write ? me : CLAIM_SHARED;

    if ((word & CLAIM_COUNT) == 0)
        return __atomic_compare_exchange_n(stripe, &word, want | 1, false, __ATOMIC_ACQUIRE,
                                           __ATOMIC_RELAXED);
    if (owner != want)
        return false;
    if (job->write) {
        __atomic_store_n(stripe, word + 1, __ATOMIC_RELAXED);
        return true;
    }
    return __atomic_compare_exchange_n(stripe, &word, word + 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void release_unit(const struct job *job, uint64_t *share, uint64_t address)
{
    uint64_t *stripe = stripe_of(job, share, address);

    if (job->write)
        __atomic_store_n(stripe, __atomic_load_n(stripe, __ATOMIC_RELAXED) - 1, __ATOMIC_RELEASE);
    else
        __atomic_sub_fetch(stripe, 1, __ATOMIC_RELEASE);
}

/* DM-10: opaque reads claim nothing. */
static bool claims(const struct job *job)
{
    return job->write || job->authentic;
}

/* Give back what was claimed, in the same order, up to where that ended. */
static void release(const struct job *job, uint32_t spans, uint64_t end)
{
    uint64_t mask = ~(uint64_t)(job->unit_bytes - 1);

    for (uint32_t i = 0; i <= spans && i < job->spans; i++) {
        const struct span *s = job->span + i;
        uint64_t stop = i < spans ? s->address + s->bytes : end, *share = job->share[s->other];

        for (uint64_t at = s->address & mask; at < stop; at += job->unit_bytes)
            release_unit(job, share, at);
    }
}

static enum svmc_status claim(const struct job *job)
{
    uint64_t mask = ~(uint64_t)(job->unit_bytes - 1);

    for (uint32_t i = 0; i < job->spans; i++) {
        const struct span *s = job->span + i;
        uint64_t *share = job->share[s->other];

        for (uint64_t at = s->address & mask; at < s->address + s->bytes; at += job->unit_bytes)
            if (!claim_unit(job, share, at)) {
                release(job, i, at);
                return fail(job->result, SVMC_DMA_CLAIMED, s->iova);
            }
    }
    return SVMC_OK;
}

/* ---- moved -----------------------------------------------------------------------------------*/

/* What is at `at` of a span, as far as its unit goes. */
static enum svmc_dma_reason move_part(const struct job *job, const struct span *s,
                                      const struct slot *slot, uint32_t at, uint32_t bytes)
{
    uint64_t address = s->address + at;
    uint32_t from = (uint32_t)(address & (job->unit_bytes - 1));
    uint32_t number = (uint32_t)(address % SVMC_DMA_PAGE) >> job->unit_shift;
    const struct unit unit = {
        .memory = s->memory + at - from,
        .buffer = s->buffer + at,
        .address = address - from,
        .seal = job->authentic ? s->seals + number : NULL,
        .slot = slot,
        .from = from,
        .bytes = bytes,
    };

    return svmc_dma_unit_move(job, &unit);
}

/* DM-13 DM-14 DM-15 DM-20: in order; between two units it is asked whether the slot was cut. */
static enum svmc_status move_span(const struct job *job, const struct span *s)
{
    const struct slot *slot = s->other ? job->other : job->slot;
    uint32_t unit = job->unit_bytes, bytes;

    for (uint32_t at = 0; at < s->bytes; at += bytes) {
        uint8_t *memory = s->memory + at, *buffer = s->buffer + at;
        enum svmc_dma_reason why;

        bytes = unit - (uint32_t)((s->address + at) & (unit - 1));
        bytes = bytes < s->bytes - at ? bytes : s->bytes - at;
        if (slot_is_cut(job->slot) || (s->other && slot_is_cut(slot)))
            return fail(job->result, SVMC_DMA_CUT, s->iova + at);
        if (job->authentic || bytes != unit)
            why = move_part(job, s, slot, at, bytes);
        else if (job->write)
            why = svmc_dma_crypt(job, slot, s->address + at, buffer, memory, true);
        else
            why = svmc_dma_crypt(job, slot, s->address + at, memory, buffer, false);
        if (why != SVMC_DMA_NONE)
            return fail(job->result, why, s->iova + at);
        job->result->moved += bytes;
    }
    return SVMC_OK;
}

static COLD void show_nothing(const struct job *job)
{
    for (uint32_t i = 0; i < job->spans; i++)
        memset(job->span[i].buffer, 0, job->span[i].bytes); /* clamp: own */
    job->result->moved = 0;
}

/* Plaintext stood in the scratch, unless only whole units were decrypted, or encrypted, there. */
static bool is_marked(const struct job *job)
{
    return (job->authentic && !job->write) || (job->edges & (job->unit_bytes - 1)) != 0;
}

static enum svmc_status run(struct job *job)
{
    const struct svmc_crypto_ops *ops = job->dma->priv.slots->priv.crypto;
    enum svmc_status st = resolve(job);

    if (st == SVMC_OK && job->write)
        st = spend(job);
    if (st == SVMC_OK && claims(job)) {
        job->share[0] = share_of(job->dma, job->handle);
        if (job->beside.raw != 0)
            job->share[1] = share_of(job->dma, job->beside);
        st = claim(job);
        if (st != SVMC_OK && job->write)
            unspend(job);
    }
    if (st != SVMC_OK)
        return st;
    for (uint32_t i = 0; i < job->spans && st == SVMC_OK; i++)
        st = move_span(job, job->span + i);
    if (claims(job))
        release(job, job->spans, 0);
    if (st != SVMC_OK && !job->write)
        show_nothing(job);
    if (is_marked(job))
        ops->wipe(ops->ctx, job->scratch, job->unit_bytes);
    return st;
}

/* DM-21: a flight goes on where its function is bound to a slot that is linked with its. */
static COLD enum svmc_status follow(const struct job *job, svmc_key_handle bound)
{
    struct svmc_keyslots *ks = job->dma->priv.slots;
    struct slot *other;

    return svmc_keyslot_hold_also(ks, job->lane, job->slot, bound, &other) != SVMC_ERR_REFUSED
               ? SVMC_OK
               : fail(job->result, SVMC_DMA_BDF_UNBOUND, 0);
}

enum svmc_status svmc_dma_move(struct svmc_dma *dma, uint32_t lane,
                               const struct svmc_dma_request *request,
                               struct svmc_dma_result *result)
{
    struct svmc_dma_flight flight;
    enum svmc_status st;
    uint32_t direction;
    struct held held;
    struct job job;

    if (!result)
        return SVMC_ERR_ARG;
    memset(result, 0, sizeof *result);
    if (!dma || lane >= dma->priv.lanes || !request)
        return SVMC_ERR_ARG;
    job.bdf = request->bdf; /* DM-5: from here on it is not looked at */
    job.piece = request->piece;
    job.pieces = request->pieces;
    direction = request->direction;
    flight = request->flight;
    if (direction > SVMC_DMA_WRITE || (!job.piece && job.pieces != 0))
        return SVMC_ERR_ARG;
    lane = core_clamp(lane, dma->priv.lanes);
    st = hold(dma, lane, job.bdf, flight, &held, result);
    if (st != SVMC_OK)
        return st;
    job.dma = dma;
    job.result = result;
    job.slot = held.slot;
    job.handle = held.handle;
    job.beside.raw = 0;
    job.scratch = dma->priv.lane + lane * dma->priv.lane_bytes;
    job.epoch = slot_epoch(dma->priv.slots);
    job.lane = lane;
    job.spans = 0;
    job.edges = 0;
    job.units[0] = job.units[1] = 0;
    job.unit_bytes = held.slot->unit_bytes;
    job.unit_shift = held.slot->unit_shift;
    job.write = direction == SVMC_DMA_WRITE;
    job.authentic = held.slot->authentic;
    job.cached = (struct cached *)(void *)(job.scratch + SVMC_DMA_PAGE);
    job.span = (struct span *)(void *)(job.scratch + SVMC_DMA_PAGE +
                                       lines(dma->priv.cache * sizeof(struct cached)));
    if (held.bound.raw != held.handle.raw)
        st = follow(&job, held.bound);
    if (st == SVMC_OK)
        st = run(&job);
    slot_release(dma->priv.slots, lane);
    return st;
}

/* DM-21: the reference is taken while the binding is known to be good. */
enum svmc_status svmc_dma_begin(struct svmc_dma *dma, uint32_t lane, uint32_t bdf,
                                struct svmc_dma_flight *flight, struct svmc_dma_result *result)
{
    const struct svmc_dma_flight none = { { 0 }, 0 };
    enum svmc_status st;
    struct held held;

    if (!flight || !result)
        return SVMC_ERR_ARG;
    *flight = none;
    memset(result, 0, sizeof *result);
    if (!dma || lane >= dma->priv.lanes)
        return SVMC_ERR_ARG;
    lane = core_clamp(lane, dma->priv.lanes);
    st = hold(dma, lane, bdf, none, &held, result);
    if (st != SVMC_OK)
        return st;
    st = svmc_keyslot_count(dma->priv.slots, held.slot);
    slot_release(dma->priv.slots, lane);
    if (st == SVMC_OK) {
        flight->slot = held.handle;
        flight->bdf = bdf;
    }
    return st;
}
