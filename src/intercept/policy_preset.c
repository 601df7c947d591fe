/* SPDX-License-Identifier: MIT */
/** Ready-made policies: the rows of presets.def, PO-8 and PO-9 of docs/spec/policy.md. */
#include "../core/memory.h"
#include "intercept_private.h"

enum { ONLY_SECURE, ONLY_DELEGATED };

struct preset_row {
    uint8_t only;
    uint8_t space;
    uint8_t access;
    uint8_t verdict;
    uint64_t first;
    uint64_t count;
};

#define ROW(which, sp, f, n, a, v, reason) \
    { .only = ONLY_##which,                \
      .space = SPACE_##sp,                 \
      .access = SVMC_ACCESS_##a,           \
      .verdict = SVMC_VERDICT_##v,         \
      .first = (f),                        \
      .count = (n) },
static const struct preset_row rows[] = {
#include "presets.def"
};
#undef ROW

static enum svmc_status apply(struct svmc_policy *policy, const struct preset_row *row)
{
    enum svmc_access access = (enum svmc_access)row->access;
    enum svmc_verdict verdict = (enum svmc_verdict)row->verdict;

    if (row->space == SPACE_PORT)
        return svmc_policy_set_ports(policy, (uint32_t)row->first, (uint32_t)row->count, access,
                                     verdict);
    if (row->space == SPACE_MSR)
        return svmc_policy_set_msrs(policy, (uint32_t)row->first, (uint32_t)row->count, access,
                                    verdict);
    if (row->space == SPACE_SYSREG)
        return svmc_policy_set_sysregs(policy, (uint32_t)row->first, (uint32_t)row->count, access,
                                       verdict);
    return svmc_policy_add_window(policy, (svmc_gpa){ row->first }, row->count, access, verdict);
}

enum svmc_status svmc_policy_preset(struct svmc_policy *policy, enum svmc_preset preset,
                                    uint32_t refusal_limit, uint32_t retry_limit)
{
    uint32_t only = preset == SVMC_PRESET_SECURE ? ONLY_SECURE : ONLY_DELEGATED;
    enum svmc_mode mode = preset == SVMC_PRESET_SECURE    ? SVMC_MODE_STRICT
                          : preset == SVMC_PRESET_OBSERVE ? SVMC_MODE_OBSERVE
                                                          : SVMC_MODE_LENIENT;
    enum svmc_status st = svmc_policy_init(policy, refusal_limit, retry_limit);

    if (st == SVMC_OK && (uint32_t)preset > SVMC_PRESET_OPEN)
        st = SVMC_ERR_ARG;
    if (st == SVMC_OK)
        st = svmc_policy_set_mode(policy, mode);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0] && st == SVMC_OK; i++)
        if (rows[i].only == only)
            st = apply(policy, &rows[i]);
    if (st != SVMC_OK && policy)
        memset(policy, 0, sizeof *policy);
    return st;
}
