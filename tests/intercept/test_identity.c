/* SPDX-License-Identifier: MIT */
/* R14, EX-18: CPUID from a pinned table. Bits by AMD APM vol. 3 appendix E. */
#include "scenarios.h"

static struct lab lab;
static struct svmc_policy policy;

static const struct svmc_cpuid_leaf leaves[] = {
    { 7, 0, 1, 0x20, 1u << 3, 0x40 }, /* PKU; OSPKE is CR4's */
    { 0, SVMC_CPUID_ANY, 13, 0x68747541, 0x444d4163, 0x69746e65 },
    { 4, 0, 0x121, 4, 5, 6 },
    { 4, 1, 0x122, 7, 8, 9 },
    { 1, SVMC_CPUID_ANY, 0x00a20f10, 0x800, 1u << 26 | 1u << 27 | 1, 0x178bfbff },
    { 0x80000000, SVMC_CPUID_ANY, 0x80000021, 0, 0, 0 },
};

static void start(enum svmc_verdict rest)
{
    uint64_t rng = 11;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_policy_init(&policy, 4, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, leaves, sizeof leaves / sizeof leaves[0], rest),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    lab.vc.priv.policy = &policy;
}

static enum svmc_status ask(uint64_t leaf, uint64_t subleaf)
{
    lab.world.reg[SVMC_REG_RAX] = leaf;
    lab.world.reg[SVMC_REG_RCX] = subleaf;
    return lab_exit(&lab, scenario_named("cpuid own"));
}

static void says(uint64_t leaf, uint64_t subleaf, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    static const uint8_t zero[SVMC_PAGE_BYTES];

    CHECK_EQ(ask(leaf, subleaf), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "leaf %x", (unsigned)leaf);
    CHECK_EQ(lab.out.verdict, SVMC_VERDICT_CONST);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], a, "leaf %x", (unsigned)leaf);
    CHECK_EQ(lab.world.reg[SVMC_REG_RBX], b, "leaf %x", (unsigned)leaf);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], c, "leaf %x", (unsigned)leaf);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], d, "leaf %x", (unsigned)leaf);
    CHECK_MEM(lab.world.page, zero, sizeof zero, "the host hears nothing");
}

TEST(identity, what_is_pinned_is_answered_inside) /* R14 EX-18 */
{
    for (unsigned rest = 0; rest < 2; rest++) {
        start(rest ? SVMC_VERDICT_CONST : SVMC_VERDICT_DELEGATE);
        says(0, 0, 13, 0x68747541, 0x444d4163, 0x69746e65);
        says(0, 99, 13, 0x68747541, 0x444d4163, 0x69746e65); /* any subleaf */
        says(0xffffffff00000000, 0xabcd000000000000, 13, 0x68747541, 0x444d4163, 0x69746e65);
        says(4, 0, 0x121, 4, 5, 6);
        says(4, 1, 0x122, 7, 8, 9);
        says(0x80000000, 0, 0x80000021, 0, 0, 0);
    }
}

TEST(identity, what_is_not_pinned) /* EX-18 */
{
    static const uint64_t other[][2] = { { 2, 0 },          { 4, 2 },
                                         { 7, 1 },          { 0x40000000, 0 },
                                         { 0x80000001, 0 }, { 0xffffffff, 0xffffffff } };

    for (unsigned i = 0; i < sizeof other / sizeof other[0]; i++) {
        start(SVMC_VERDICT_CONST);
        says(other[i][0], other[i][1], 0, 0, 0, 0);
        start(SVMC_VERDICT_DELEGATE);
        CHECK_EQ(ask(other[i][0], other[i][1]), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%u", i);
    }
}

TEST(identity, what_cr4_has_switched_on_is_said) /* EX-18; APM vol. 3 E.3.2, E.3.6 */
{
    start(SVMC_VERDICT_CONST);
    lab.world.reg[SVMC_REG_CR4] = 0;
    says(1, 0, 0x00a20f10, 0x800, 1u << 26 | 1, 0x178bfbff);
    says(7, 0, 1, 0x20, 1u << 3, 0x40);
    lab.world.reg[SVMC_REG_CR4] = 1u << 18;
    says(1, 0, 0x00a20f10, 0x800, 1u << 26 | 1u << 27 | 1, 0x178bfbff);
    says(7, 0, 1, 0x20, 1u << 3, 0x40);
    lab.world.reg[SVMC_REG_CR4] = 1u << 22;
    says(1, 0, 0x00a20f10, 0x800, 1u << 26 | 1, 0x178bfbff);
    says(7, 0, 1, 0x20, 1u << 3 | 1u << 4, 0x40);
}

TEST(identity, a_register_that_cannot_be_read_changes_nothing)
{
    for (unsigned k = 1; k <= 4; k++) {
        struct lab before;

        start(SVMC_VERDICT_CONST);
        lab.world.reg[SVMC_REG_RAX] = 1;
        before = lab;
        lab.world.fail_at = lab.world.calls + k;
        CHECK_EQ(ask(1, 0), SVMC_ERR_CALLBACK, "call %u: RAX, RCX, CR4, RIP", k);
        CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
        before.world.reg[SVMC_REG_RCX] = 0;
        CHECK(lab_same(&lab, &before), "call %u", k);
    }
}

TEST(identity, tables_that_are_none_are_refused) /* EX-18 */
{
    struct svmc_cpuid_leaf many[SVMC_POLICY_CPUIDS + 1] = { { 0 } },
                                                     twice[] = { { .leaf = 1 }, { .leaf = 1 } };
    struct svmc_policy before;

    for (uint32_t i = 0; i <= SVMC_POLICY_CPUIDS; i++)
        many[i].subleaf = i;
    CHECK_EQ(svmc_policy_init(&policy, 4, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, leaves, 2, SVMC_VERDICT_CONST), SVMC_OK);
    before = policy;
    CHECK_EQ(svmc_policy_set_cpuid(NULL, leaves, 1, SVMC_VERDICT_CONST), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, NULL, 1, SVMC_VERDICT_CONST), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, many, SVMC_POLICY_CPUIDS + 1, SVMC_VERDICT_CONST),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, twice, 2, SVMC_VERDICT_CONST), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, leaves, 1, SVMC_VERDICT_FAULT), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, leaves, 1, SVMC_VERDICT_TERMINATE), SVMC_ERR_ARG);
    CHECK_MEM(&policy, &before, sizeof policy, "nothing changed");
    CHECK_EQ(svmc_policy_set_cpuid(&policy, NULL, 0, SVMC_VERDICT_DELEGATE), SVMC_OK, "none");
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(svmc_policy_set_cpuid(&policy, leaves, 1, SVMC_VERDICT_CONST), SVMC_ERR_STATE);
}
