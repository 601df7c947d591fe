/* SPDX-License-Identifier: MIT */
/** R14, EX-18: what CPUID says is the policy's pinned table, and no host's. */
#include "../core/clamp.h"
#include "intercept_private.h"

#define CR4_OSXSAVE 18u /* CPUID repeats these bits: AMD APM vol. 3, E.3.2, E.3.6 */
#define CR4_PKE     22u
#define LEAF_1      1u
#define LEAF_7      7u
#define ECX_XSAVE   26u
#define ECX_OSXSAVE 27u
#define ECX_PKU     3u
#define ECX_OSPKE   4u

static bool is_before(const struct svmc_cpuid_leaf *a, uint32_t leaf, uint32_t subleaf)
{
    return a->leaf < leaf || (a->leaf == leaf && a->subleaf < subleaf);
}

CORE_COLD bool svmc_intercept_cpuid_sorted(const struct svmc_policy *policy)
{
    const struct svmc_cpuid_leaf *table = policy->priv.cpuid;

    for (uint32_t i = 1; i < policy->priv.cpuid_count; i++)
        if (!is_before(&table[i - 1], table[i].leaf, table[i].subleaf)) /* clamp: own count */
            return false;
    return true;
}

CORE_COLD enum svmc_status svmc_policy_set_cpuid(struct svmc_policy *policy,
                                                 const struct svmc_cpuid_leaf *leaves, size_t count,
                                                 enum svmc_verdict rest)
{
    if (!svmc_intercept_policy_usable(policy) || (!leaves && count > 0) ||
        count > SVMC_POLICY_CPUIDS || (rest != SVMC_VERDICT_DELEGATE && rest != SVMC_VERDICT_CONST))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (leaves[i].leaf == leaves[j].leaf && leaves[i].subleaf == leaves[j].subleaf)
                return SVMC_ERR_ARG;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;

        /* clamp: below the count of leaves; the embedder's, here and below */
        while (at > 0 &&
               !is_before(&policy->priv.cpuid[at - 1], leaves[i].leaf, leaves[i].subleaf)) {
            struct svmc_cpuid_leaf row = policy->priv.cpuid[at - 1]; /* clamp: as above */

            policy->priv.cpuid[at--] = row; /* clamp: as above */
        }
        policy->priv.cpuid[at] = leaves[i]; /* clamp: as above */
    }
    policy->priv.cpuid_count = (uint32_t)count;
    policy->priv.cpuid_rest = (uint32_t)rest;
    return SVMC_OK;
}

/* The row of exactly this leaf and subleaf, or NULL. */
static const struct svmc_cpuid_leaf *find(const struct svmc_policy *policy, uint32_t leaf,
                                          uint32_t subleaf)
{
    uint32_t low = 0, high = policy->priv.cpuid_count;
    const struct svmc_cpuid_leaf *row;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        row = &policy->priv.cpuid[core_clamp(middle, SVMC_POLICY_CPUIDS)];
        if (is_before(row, leaf, subleaf))
            low = middle + 1;
        else
            high = middle;
    }
    if (low >= policy->priv.cpuid_count)
        return NULL;
    row = &policy->priv.cpuid[core_clamp(low, SVMC_POLICY_CPUIDS)];
    return row->leaf == leaf && row->subleaf == subleaf ? row : NULL;
}

/* A bit of ECX that says what CR4 has switched on. */
static uint32_t repeat(uint32_t ecx, unsigned has, unsigned says, uint64_t cr4, unsigned on)
{
    uint32_t bit = (uint32_t)(cr4 >> on & 1) << says;

    return ecx >> has & 1 ? (ecx & ~((uint32_t)1 << says)) | bit : ecx;
}

static enum svmc_status answer(struct svmc_vcpu *vc, const struct svmc_cpuid_leaf *row,
                               uint64_t out[SLOTS_OUT])
{
    bool asks = (row->leaf == LEAF_1 && (row->ecx >> ECX_XSAVE & 1)) ||
                (row->leaf == LEAF_7 && row->subleaf == 0 && (row->ecx >> ECX_PKU & 1));
    uint32_t ecx = row->ecx;
    uint64_t cr4 = 0;

    if (asks && vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_CR4, &cr4) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (asks)
        ecx = row->leaf == LEAF_1 ? repeat(ecx, ECX_XSAVE, ECX_OSXSAVE, cr4, CR4_OSXSAVE)
                                  : repeat(ecx, ECX_PKU, ECX_OSPKE, cr4, CR4_PKE);
    out[0] = row->eax;
    out[1] = row->ebx;
    out[2] = ecx;
    out[3] = row->edx;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_identity(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT],
                                                   bool *inside)
{
    static const struct svmc_cpuid_leaf nothing;
    const struct svmc_policy *policy = vc->priv.policy;
    const struct svmc_cpuid_leaf *row;
    uint64_t leaf = 0, subleaf = 0;

    *inside = policy->priv.cpuid_rest != SVMC_VERDICT_DELEGATE;
    if (vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_RAX, &leaf) != SVMC_OK ||
        vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_RCX, &subleaf) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    row = find(policy, (uint32_t)leaf, (uint32_t)subleaf);
    if (!row)
        row = find(policy, (uint32_t)leaf, SVMC_CPUID_ANY);
    *inside = *inside || row;
    //@ split *inside;
    return *inside ? answer(vc, row ? row : &nothing, out) : SVMC_OK;
}
