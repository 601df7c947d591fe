/* SPDX-License-Identifier: MIT */
/**
 * Operands that are one block of guest memory: its bytes go to the host, or come from it, or both,
 * through the data area, in as few parts as that takes. How many there are at most is the row's;
 * where the guest says how many, svmc_intercept_s390_header reads it. EX-68, EX-70, R12.
 */
#include "../core/memory.h"
#include "intercept_private.h"

/* R3: the part that the reply brings, where it belongs in the staging area. */
static CORE_COLD void take(struct svmc_vcpu *vc)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t from = p->direction == SVMC_DIRECTION_INOUT ? 0 : p->at;

    svmc_intercept_get_data(vc, from, p->exit.size);
}

/* A span of the block, at staging[*at], which gets what stands behind it. */
static void copy(uint8_t *guest, size_t bytes, uint8_t staging[SVMC_EXIT_DATA_MAX], size_t *at,
                 enum block_move what)
{
    for (size_t i = 0; i < bytes && *at < SVMC_EXIT_DATA_MAX; i++, ++*at)
        if (what == BLOCK_FETCH)
            staging[*at] = guest[i];
        else
            guest[i] = staging[*at];
}

/* Bytes [from, to) of the block, between the guest and the staging area; or its fault. */
CORE_COLD enum svmc_status svmc_intercept_block_move(struct svmc_vcpu *vc, enum block_move what,
                                                     uint32_t from, uint32_t to,
                                                     struct svmc_fault *fault)
{
    struct svmc_exit *exit = &vc->priv.pending.exit;
    uint32_t access = what == BLOCK_FETCH ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE, one = 1;
    uint16_t part = exit->size;
    struct span span[2];
    size_t at = from;
    enum svmc_status st;

    if (to <= from)
        return SVMC_OK;
    if (svmc_intercept_s390_is_real(exit))
        access |= SVMC_ACCESS_REAL;
    exit->buffer.v += from; /* as if this were all of it, for the time of the search */
    exit->size = (uint16_t)(to - from);
    st = svmc_intercept_spans(vc, exit, access, &one, span, fault);
    exit->size = part;
    exit->buffer.v -= from;
    if (st != SVMC_OK || fault->raised || what == BLOCK_PROBE)
        return st;
    if (what == BLOCK_STORE && vc->priv.pending.active) { /* nothing can fail from here on */
        take(vc);
        svmc_intercept_s390_came(vc);
    }
    for (uint32_t i = 0; i < 2; i++)
        if (span[i].at)
            copy(span[i].at, span[i].bytes, vc->priv.staging, &at, what);
    return SVMC_OK;
}

/*
 * The part at p->at, and whether it is the last. A block in both directions goes out in parts; the
 * request with the last of them has the host bring as many bytes from the beginning on, and further
 * ones the rest.
 */
static CORE_COLD void cut(struct svmc_pending *p, const struct exit_rule *rule)
{
    uint32_t left = (uint32_t)p->block - p->at;
    bool last = left <= SVMC_PAGE_DATA_BYTES;

    if (last && rule->direction == SVMC_DIRECTION_INOUT && p->direction == SVMC_DIRECTION_OUT)
        p->direction = SVMC_DIRECTION_INOUT;
    if (p->direction == SVMC_DIRECTION_INOUT && p->at != 0)
        last = false;
    p->issued = 1;
    p->exit.size = (uint16_t)(left < SVMC_PAGE_DATA_BYTES ? left : SVMC_PAGE_DATA_BYTES);
    p->completion = last ? SVMC_COMPLETION_CHUNK : SVMC_COMPLETION_PART;
    p->out_count = last ? rule->out_count : 0;
}

/* ST-7: what stage() and next() leave: cut() changes nothing of it. */
CORE_COLD bool svmc_intercept_block_again(struct svmc_pending *p, const struct exit_rule *rule)
{
    uint8_t direction = p->direction;
    bool both = rule->direction == SVMC_DIRECTION_INOUT;

    if (p->block == 0 || p->block > rule->string || p->kept > p->block || p->at >= p->block ||
        (both ? direction - 1u >= SVMC_DIRECTION_INOUT : direction != rule->direction))
        return false;
    if (both && ((direction == SVMC_DIRECTION_IN && p->at == 0) ||
                 (direction == SVMC_DIRECTION_INOUT && p->block - p->at > SVMC_PAGE_DATA_BYTES)))
        return false;
    cut(p, rule);
    return p->direction == direction;
}

CORE_COLD enum svmc_status svmc_intercept_block_stage(struct svmc_vcpu *vc,
                                                      const struct exit_rule *rule,
                                                      struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    bool goes = (rule->direction & SVMC_DIRECTION_OUT) != 0;
    uint32_t first = rule->string, all;
    enum svmc_status st;

    p->block = rule->string;
    p->at = 0;
    st = svmc_intercept_s390_open(vc, rule, &first, out);
    if (st != SVMC_OK || out->fault.raised || p->block == 0)
        return st;
    memset(vc->priv.staging, 0, rule->string);
    p->staged = 1;
    if (goes)
        st = svmc_intercept_block_move(vc, BLOCK_FETCH, 0, first, &out->fault);
    if (st != SVMC_OK || out->fault.raised)
        return st;
    all = svmc_intercept_s390_header(vc, rule, first, out);
    if (goes && !out->fault.raised) /* no byte is read twice */
        st = svmc_intercept_block_move(vc, BLOCK_FETCH, first, all, &out->fault);
    if (st != SVMC_OK || out->fault.raised)
        return st;
    p->direction = rule->direction;
    if (rule->direction == SVMC_DIRECTION_INOUT)
        p->direction = SVMC_DIRECTION_OUT;
    cut(p, rule);
    if (rule->direction & SVMC_DIRECTION_IN) /* the host hears of no block that has no place */
        st = svmc_intercept_block_move(vc, BLOCK_PROBE, p->kept, svmc_intercept_block_end(p),
                                       &out->fault);
    return st;
}

CORE_COLD enum svmc_status svmc_intercept_block_next(struct svmc_vcpu *vc,
                                                     const struct exit_rule *rule,
                                                     struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    uint8_t direction = p->direction;
    uint32_t at = p->at, bytes = p->exit.size;
    enum svmc_status st;

    if (direction & SVMC_DIRECTION_IN)
        take(vc);
    p->at = direction == SVMC_DIRECTION_INOUT ? bytes : at + bytes;
    if (direction == SVMC_DIRECTION_INOUT)
        p->direction = SVMC_DIRECTION_IN;
    cut(p, rule);
    vc->priv.page_used = bytes; /* PG-1: the next request zeroes this reply's */
    st = svmc_intercept_request(vc, rule, out);
    if (st == SVMC_OK) {
        svmc_intercept_page_clear_reply(vc); /* PG-9 */
        vc->priv.stats.bytes_accepted += direction & SVMC_DIRECTION_IN ? bytes : 0;
        return SVMC_OK;
    }
    p->at = at; /* as it was: the same reply can be taken again */
    p->direction = direction;
    cut(p, rule);
    return st;
}
