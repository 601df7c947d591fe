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

/* `bytes` of the block from `from` on: two spans, or the guest's fault. */
static enum svmc_status find(struct svmc_vcpu *vc, uint32_t from, uint32_t bytes, uint32_t access,
                             struct span span[2], struct svmc_fault *fault)
{
    struct svmc_exit part = vc->priv.pending.exit;
    uint32_t one = 1;

    part.buffer.v += from;
    part.size = (uint8_t)bytes;
    return svmc_intercept_spans(vc, &part, access, &one, span, fault);
}

static enum svmc_status fetch(struct svmc_vcpu *vc, uint32_t from, uint32_t bytes,
                              struct svmc_fault *fault)
{
    struct span span[2];
    enum svmc_status st = find(vc, from, bytes, SVMC_ACCESS_READ, span, fault);

    if (st != SVMC_OK || fault->raised)
        return st;
    for (size_t i = 0, at = from; i < 2; at += span[i].bytes, i++)
        if (span[i].at)
            memcpy(vc->priv.staging + at, span[i].at, span[i].bytes);
    return SVMC_OK;
}

enum svmc_status svmc_intercept_block_stage(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                            struct svmc_fault *fault)
{
    uint32_t bytes = rule->string, first = rule->kind == SVMC_KIND_SSCH ? ORB_SHORT : bytes;
    struct span span[2];
    enum svmc_status st;

    if (rule->direction == SVMC_DIRECTION_IN) /* the host hears of no block that has no place */
        return find(vc, 0, bytes, SVMC_ACCESS_WRITE, span, fault);
    memset(vc->priv.staging, 0, bytes);
    st = fetch(vc, 0, first, fault);
    if (st != SVMC_OK || fault->raised || first == bytes || !(vc->priv.staging[ORB_X_AT] & 1))
        return st;
    return fetch(vc, first, bytes - first, fault);
}

enum svmc_status svmc_intercept_block_store(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                            const uint64_t out[SLOTS_OUT], struct svmc_fault *fault)
{
    struct span span[2];
    enum svmc_status st;

    if (rule->direction != SVMC_DIRECTION_IN || out[0] == CC_MOST) /* not operational: no block */
        return SVMC_OK;
    st = find(vc, 0, rule->string, SVMC_ACCESS_WRITE, span, fault); /* R12: as it is mapped now */
    if (st != SVMC_OK || fault->raised)
        return st;
    for (size_t i = 0, at = 0; i < 2; at += span[i].bytes, i++)
        if (span[i].at)
            memcpy(span[i].at, vc->priv.staging + at, span[i].bytes);
    return SVMC_OK;
}
