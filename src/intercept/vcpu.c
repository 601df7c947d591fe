/* SPDX-License-Identifier: MIT */
/** The life of a vCPU, and what its two calls have in common. */
#include "../core/bytes.h"
#include "../core/memory.h"
#include "../core/shared.h"
#include "intercept_private.h"

#define VCPU_IDS 65536u

CORE_COLD bool svmc_intercept_has_memory(const struct svmc_vcpu *vc)
{
    return CORE_HAS_OP(vc->priv.ops, translate) && CORE_HAS_OP(vc->priv.ops, guest_span);
}

CORE_COLD enum svmc_status svmc_vcpu_init(struct svmc_vcpu *vc, const struct svmc_host_ops *ops,
                                          void *ctx, const struct svmc_policy *policy,
                                          volatile void *page, uint32_t id)
{
    uint8_t secret[8];

    if (!vc)
        return SVMC_ERR_ARG;
    memset(vc, 0, sizeof *vc);
    if (!ops || !CORE_HAS_OP(ops, random) || !CORE_HAS_OP(ops, reg_read) ||
        !CORE_HAS_OP(ops, reg_write) || !core_shared_usable(page) || id >= VCPU_IDS ||
        !svmc_intercept_policy_ready(policy))
        return SVMC_ERR_ARG;
    if (ops->random(ctx, secret, sizeof secret) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    vc->priv.ops = ops;
    vc->priv.ctx = ctx;
    vc->priv.policy = policy;
    vc->priv.page = page;
    vc->priv.id = id;
    vc->priv.seq_secret = sequence(id, 0, core_load_le64(secret));
    vc->priv.magic = VCPU_MAGIC;
    svmc_intercept_page_clear(vc);
    return SVMC_OK;
}

CORE_COLD void svmc_vcpu_drop(struct svmc_vcpu *vc)
{
    if (!is_vcpu(vc))
        return;
    svmc_intercept_page_clear(vc);
    memset(vc, 0, sizeof *vc);
}

CORE_COLD void svmc_vcpu_cancel(struct svmc_vcpu *vc)
{
    if (!is_vcpu(vc))
        return;
    svmc_intercept_page_clear(vc);
    memset(vc->priv.staging, 0, sizeof vc->priv.staging);
    forget(vc);
}

CORE_COLD enum svmc_status svmc_vcpu_stats(const struct svmc_vcpu *vc, struct svmc_stats *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!is_vcpu(vc))
        return SVMC_ERR_ARG;
    *out = vc->priv.stats;
    out->requests = vc->priv.seq_count;
    return SVMC_OK;
}

enum svmc_status svmc_intercept_stop(struct svmc_vcpu *vc, enum svmc_stop why,
                                     struct svmc_outcome *out)
{
    svmc_vcpu_cancel(vc);
    vc->priv.stopped = (uint16_t)why;
    out->action = SVMC_ACT_STOP;
    out->stop = (uint8_t)why;
    //@ split out->action;
    return SVMC_OK;
}
