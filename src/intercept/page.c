/* SPDX-License-Identifier: MIT */
/** What the host is told: PG-1 to PG-8. */
#include <svmcore/page.h>

#include "stages.h"

#define REQUEST_BYTES 0x100u

/* core_shared_zero, once and made fast, for cold code too. */
static CORE_WARM void zero(volatile void *page, size_t at, size_t end)
{
    core_shared_zero(page, at, end);
}

/*
 * PG-1: the request's data, and zeros over what the data area held of the last request or reply;
 * under full_wipe over all of it. Neither staged nor elsewhere: they are there (RETRY, all in one
 * chunk).
 */
CORE_APART void svmc_intercept_put_data(struct svmc_vcpu *vc, uint32_t at, uint32_t bytes)
{
    struct svmc_pending *p = &vc->priv.pending;
    const uint8_t *room = p->exit.data;
    uint32_t used = vc->priv.page_used;
    volatile void *page = vc->priv.page;
    size_t cap = bytes;

    if (vc->priv.policy->priv.full_wipe) { /* the reply area too */
        core_shared_zero(page, REQUEST_BYTES, SVMC_PAGE_BYTES);
        used = 0;
    }
    if (p->staged) {
        room = vc->priv.staging;
        cap = sizeof vc->priv.staging;
    }
    if (room)
        core_shared_write_part(page, SVMC_PAGE_DATA, room, cap, at, bytes);
    if (bytes < used)
        zero(page, SVMC_PAGE_DATA + (bytes + CORE_WORD - 1) / CORE_WORD * CORE_WORD,
             SVMC_PAGE_DATA + used);
    vc->priv.page_used = bytes;
    p->exit.data = NULL;
}

CORE_APART void svmc_intercept_get_data(struct svmc_vcpu *vc, uint32_t at, uint32_t bytes)
{
    core_shared_read_part(vc->priv.page, SVMC_PAGE_DATA, vc->priv.staging, sizeof vc->priv.staging,
                          at, bytes);
}

/* What neither a row's register nor the value is. */
CORE_COLD enum svmc_status svmc_intercept_gather_special(struct svmc_vcpu *vc, const struct slot *s,
                                                         uint64_t *in)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (s->place == PLACE_ARG)
        return vc->priv.ops->reg_read(vc->priv.ctx, exit->arg[core_clamp(s->reg, SVMC_EXIT_ARGS)],
                                      in);
    *in = s->place == PLACE_SECOND ? exit->buffer.v : exit->count;
    return SVMC_OK;
}

/* PG-6: a declared input, cut to its width (R9's mirror image on the way out). */
static enum svmc_status gather(struct svmc_vcpu *vc, const struct slot *s, uint64_t *in,
                               uint32_t *shown)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (s->place == PLACE_VALUE)
        *in = exit->value;
    else if ((s->place >= PLACE_ARG ? svmc_intercept_gather_special(vc, s, in)
                                    : vc->priv.ops->reg_read(vc->priv.ctx, s->reg, in)) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    *in &= s->bytes != 0 ? s->mask : core_mask(exit->size);
    *shown += slot_bytes(s, exit);
    return SVMC_OK;
}

/* The declared inputs, and how many bytes they are, for the ledger. */
static enum svmc_status collect(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                uint64_t in[SLOTS_IN], uint32_t *shown)
{
    enum svmc_status st = SVMC_OK;

    for (uint32_t i = 0; i < SLOTS_IN; i++)
        in[i] = 0;
    for (uint32_t i = 0; i < vc->priv.pending.in_count && i < SLOTS_IN && st == SVMC_OK; i++)
        st = gather(vc, &rule->in[i], &in[i], shown);
    return st;
}

/* The word of a request that says its kind: PG-2. */
static uint32_t kind_word(const struct exit_rule *rule, uint32_t completion, uint32_t direction)
{
    return rule->kind | completion << 16 | direction << 24;
}

/* Apart, for what fills a page is much code: everything that can fail stands before it. */
static CORE_WARM void send(struct svmc_vcpu *vc, const struct exit_rule *rule, struct ask *ask,
                           const uint64_t in[SLOTS_IN], uint32_t at, uint32_t bytes)
{
    struct svmc_pending *p = &vc->priv.pending;

    ask->in_valid = ((uint64_t)1 << p->in_count) - 1;
    ask->insn = svmc_intercept_insn_text(rule, &p->exit);
    fill(vc, *ask, in, SLOTS_IN, at, bytes);
}

CORE_WARM enum svmc_status svmc_intercept_request(struct svmc_vcpu *vc,
                                                  const struct exit_rule *rule,
                                                  struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    struct ask ask = { .size = p->exit.size,
                       .count = p->issued,
                       .address = rule->address != 0 ? p->exit.address : 0 };
    uint32_t completion = SVMC_COMPLETION_SINGLE, direction = rule->direction;
    uint32_t shown = rule->address, at = 0, bytes = 0;
    uint64_t in[SLOTS_IN];

    if (collect(vc, rule, in, &shown) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (rule->string) {
        completion = p->completion;
        direction = p->direction;
        ask.address |= is_block(rule) ? (uint64_t)p->at << 32 : 0; /* PG-10 */
        at = is_block(rule) ? p->at : p->at * p->exit.size;
        bytes = p->direction & SVMC_DIRECTION_OUT ? chunk_bytes(p) : 0;
    }
    ask.kind = kind_word(rule, completion, direction);
    vc->priv.stats.bytes_shown += shown + bytes;
    send(vc, rule, &ask, in, at, bytes);
    p->active = 1;
    //@ split vc->priv.pending.active;
    out->action = SVMC_ACT_DELEGATED;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_notify(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                                 struct svmc_outcome *out)
{
    static const uint64_t nothing[SLOTS_OUT];
    struct ask ask = { .kind = kind_word(rule, SVMC_COMPLETION_NONE, SVMC_DIRECTION_NONE) };
    uint32_t shown = 0, done = 0;
    uint64_t in[SLOTS_IN];
    enum svmc_status st = collect(vc, rule, in, &shown);

    if (st == SVMC_OK)
        st = svmc_intercept_commit(vc, rule, nothing, &done, out);
    if (out->fault.raised) /* of a block, whose place has gone meanwhile */
        out->action = SVMC_ACT_INJECT;
    if (st != SVMC_OK || out->fault.raised)
        return st;
    vc->priv.stats.bytes_shown += shown;
    send(vc, rule, &ask, in, 0, 0);
    out->action = SVMC_ACT_NOTIFIED;
    return SVMC_OK;
}

/* R17, PG-9: request, reply and the data area's first `data` bytes, which a reply may have brought:
   in one go, the reserved words between them too. */
CORE_COLD void svmc_intercept_page_wipe(struct svmc_vcpu *vc, uint32_t data)
{
    if (data < vc->priv.page_used)
        data = vc->priv.page_used;
    zero(vc->priv.page, 0, SVMC_PAGE_DATA + data);
    vc->priv.page_used = 0;
}

/* The reply area as it is handed over: what a refused reply left there is not the next one's. */
CORE_COLD void svmc_intercept_page_clear_reply(struct svmc_vcpu *vc)
{
    zero(vc->priv.page, SVMC_PAGE_REP_SEQ, SVMC_PAGE_DATA);
}

/* The page as it is handed over. */
CORE_COLD void svmc_intercept_page_clear(struct svmc_vcpu *vc)
{
    zero(vc->priv.page, 0, SVMC_PAGE_BYTES);
    vc->priv.page_used = 0;
}
