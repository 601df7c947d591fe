/* SPDX-License-Identifier: MIT */
/**
 * Operands that are one block of guest memory: its bytes go to the host, or come from it, through
 * the data area; their number is the row's. EX-68, R12.
 */
#include "../core/memory.h"
#include "intercept_private.h"

/* PoP 15, operation-request block: 12 bytes, and 20 more with the bit X, 31 of word 1 */
#define ORB_SHORT 12u
#define ORB_X_AT  7u

enum move { FETCH, PROBE, STORE };

/* `bytes` of the block from `from` on, between the guest and the staging area; or its fault. */
static CORE_COLD enum svmc_status move(struct svmc_vcpu *vc, enum move what, uint32_t from,
                                       uint32_t bytes, struct svmc_fault *fault)
{
    struct svmc_exit *exit = &vc->priv.pending.exit;
    uint8_t *at = vc->priv.staging + from, whole = exit->size;
    struct span span[2];
    uint32_t one = 1;
    enum svmc_status st;

    exit->buffer.v += from; /* as if this were all of it, for the time of the search */
    exit->size = (uint8_t)bytes;
    st = svmc_intercept_spans(vc, exit, what == FETCH ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE, &one,
                              span, fault);
    exit->size = whole;
    exit->buffer.v -= from;
    if (st != SVMC_OK || fault->raised)
        return st;
    for (uint32_t i = 0; i < 2 && what != PROBE; at += span[i].bytes, i++)
        if (what == FETCH && span[i].at)
            memcpy(at, span[i].at, span[i].bytes);
        else if (span[i].at)
            memcpy(span[i].at, at, span[i].bytes);
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_block_stage(struct svmc_vcpu *vc,
                                                      const struct exit_rule *rule,
                                                      struct svmc_fault *fault)
{
    bool orb = rule->kind == SVMC_KIND_SSCH;
    uint32_t bytes = rule->string, first = orb ? ORB_SHORT : bytes;
    enum svmc_status st;

    if (rule->direction == SVMC_DIRECTION_IN) /* the host hears of no block that has no place */
        return move(vc, PROBE, 0, bytes, fault);
    memset(vc->priv.staging, 0, bytes);
    vc->priv.pending.staged = 1;
    st = move(vc, FETCH, 0, first, fault);
    if (st == SVMC_OK && !fault->raised && orb && (vc->priv.staging[ORB_X_AT] & 1))
        st = move(vc, FETCH, first, bytes - first, fault);
    return st;
}

CORE_COLD enum svmc_status svmc_intercept_block_store(struct svmc_vcpu *vc,
                                                      const struct exit_rule *rule,
                                                      const uint64_t out[SLOTS_OUT],
                                                      struct svmc_fault *fault)
{
    if (rule->direction != SVMC_DIRECTION_IN || out[0] == CC_MOST) /* not operational: no block */
        return SVMC_OK;
    return move(vc, STORE, 0, rule->string, fault); /* R12: as it is mapped now */
}
