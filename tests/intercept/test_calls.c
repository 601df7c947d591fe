/* SPDX-License-Identifier: MIT */
/*
 * EX-53 to EX-57, R10: calls of firmware and hypervisors. Numbers and codes: <linux/psci.h>, Arm
 * DEN0028 and DEN0022, RISC-V SBI 2.0.
 */
#include <linux/psci.h>

#include "scenarios.h"

#define VERSION  0x80000000u /* SMCCC_VERSION, SMCCC_ARCH_FEATURES */
#define FEATURES 0x80000001u
#define A0       (SVMC_REG_RV_X0 + 10)
#define MINUS(n) ((uint64_t)0 - (n))

static struct lab lab, before;
static struct svmc_policy policy;
static struct fakehost_answer honest;

static void start(void)
{
    uint64_t rng = 31;

    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
}

static void fresh(void)
{
    CHECK_EQ(svmc_policy_init(&policy, 100, 4), SVMC_OK);
}

static void allow(enum svmc_kind kind, uint64_t number, uint8_t args, uint8_t results)
{
    CHECK_EQ(svmc_policy_set_call(&policy, kind, number, args, results), SVMC_OK, "%x",
             (unsigned)number);
}

static enum svmc_action call(enum svmc_kind kind, enum svmc_isa isa)
{
    const struct svmc_exit e = { .kind = (uint16_t)kind,
                                 .isa = (uint8_t)isa,
                                 .count = 1,
                                 .insn_bytes = kind == SVMC_KIND_HVC ? 0 : 4,
                                 .finish = kind == SVMC_KIND_HVC
                                               ? SVMC_FINISH_REGS
                                               : SVMC_FINISH_REGS | SVMC_FINISH_RIP };

    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    return (enum svmc_action)lab.out.action;
}

/* Only `written` and the program counter are other than before. */
static void unchanged_but(unsigned first, unsigned written, unsigned pc, unsigned step)
{
    for (unsigned r = 0; r < WORLD_REGS; r++)
        if (r < first || r >= first + written)
            CHECK_EQ(lab.world.reg[r], before.world.reg[r] + (r == pc ? step : 0), "register %u",
                     r);
    CHECK_EQ(lab.vc.priv.seq_count, before.vc.priv.seq_count, "no host heard of it");
}

/* What X0 is after a call that is answered inside. */
static uint64_t smccc(enum svmc_kind kind, uint64_t number, uint64_t arg)
{
    lab.world.reg[SVMC_REG_X0] = 0xdeadbeef00000000u | number;
    lab.world.reg[SVMC_REG_X0 + 1] = 0xdeadbeef00000000u | arg;
    before = lab;
    CHECK_EQ(call(kind, SVMC_ISA_A64), SVMC_ACT_RESUME, "%x", (unsigned)number);
    CHECK_EQ(lab.out.verdict, SVMC_VERDICT_CONST);
    unchanged_but(SVMC_REG_X0, 1, SVMC_REG_PC, kind == SVMC_KIND_HVC ? 0 : 4);
    return lab.world.reg[SVMC_REG_X0];
}

TEST(calls, discovery_says_what_is_delegated) /* EX-55 */
{
    static const struct {
        uint32_t number, arg;
        uint64_t without, with;
    } rows[] = {
        { VERSION, 0, 0x10001, 0x10001 },
        { FEATURES, VERSION, 0, 0 },
        { FEATURES, FEATURES, 0, 0 },
        { FEATURES, 0x80008000, MINUS(1), 0 },        /* ARCH_WORKAROUND_1, delegated */
        { FEATURES, 0x80007fff, MINUS(1), MINUS(1) }, /* another workaround */
        { FEATURES, PSCI_0_2_FN_CPU_OFF, MINUS(1), MINUS(1) },
        { FEATURES, PSCI_0_2_FN64_CPU_ON, MINUS(1), MINUS(1) }, /* delegated, but PSCI's */
        { PSCI_0_2_FN_PSCI_VERSION, 0, MINUS(1), 0x10001 },
        { PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN_PSCI_VERSION, MINUS(1), 0 },
        { PSCI_1_0_FN_PSCI_FEATURES, PSCI_1_0_FN_PSCI_FEATURES, MINUS(1), 0 },
        { PSCI_1_0_FN_PSCI_FEATURES, VERSION, MINUS(1), 0 },
        { PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN64_CPU_ON, MINUS(1), 0 },
        { PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN_CPU_ON, MINUS(1), MINUS(1) },
        { PSCI_1_0_FN_PSCI_FEATURES, 0x80008000, MINUS(1), MINUS(1) },
        { PSCI_0_2_FN_CPU_ON, 0, MINUS(1), MINUS(1) },
        { 0, 0, MINUS(1), MINUS(1) },
        { 0xffffffff, 0, MINUS(1), MINUS(1) },
    };

    for (unsigned with = 0; with < 2; with++)
        for (enum svmc_kind kind = SVMC_KIND_HVC; kind <= SVMC_KIND_SMC; kind++) {
            enum svmc_kind other = kind == SVMC_KIND_HVC ? SVMC_KIND_SMC : SVMC_KIND_HVC;

            fresh();
            allow(kind, 0x80008000 - !with, 0, 1);
            allow(with ? kind : other, PSCI_0_2_FN64_CPU_ON, 1, 1);
            start();
            for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (with || rows[i].arg != 0x80007fff)
                    CHECK_EQ(smccc(kind, rows[i].number, rows[i].arg),
                             with ? rows[i].with : rows[i].without, "kind %x, row %u", kind, i);
        }
}

TEST(calls, a_call_of_psci_in_32_bits_is_psci) /* EX-55 */
{
    fresh();
    allow(SVMC_KIND_SMC, PSCI_0_2_FN_CPU_ON, 3, 1);
    start();
    CHECK_EQ(smccc(SVMC_KIND_SMC, PSCI_0_2_FN_PSCI_VERSION, 0), 0x10001);
    CHECK_EQ(smccc(SVMC_KIND_SMC, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN_CPU_ON), 0);
    CHECK_EQ(smccc(SVMC_KIND_SMC, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN64_CPU_ON), MINUS(1));
}

TEST(calls, without_a_call_by_hvc_there_is_no_hvc) /* EX-54 */
{
    fresh();
    allow(SVMC_KIND_SMC, PSCI_0_2_FN_CPU_OFF, 0, 1);
    start();
    lab.world.reg[SVMC_REG_X0] = VERSION;
    before = lab;
    CHECK_EQ(call(SVMC_KIND_HVC, SVMC_ISA_A64), SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 0, "UNDEF: EC 0");
    unchanged_but(0, 0, 0, 0);
    CHECK_EQ(smccc(SVMC_KIND_SMC, 0xc6000001, 0), MINUS(1), "an SMC is always answered");
}

/* A call to the SBI that is answered inside: the error; the value is in a1. */
static uint64_t sbi(enum svmc_isa isa, uint64_t eid, uint64_t fid, uint64_t arg, unsigned written)
{
    lab.world.reg[A0] = arg;
    lab.world.reg[A0 + 6] = fid;
    lab.world.reg[A0 + 7] = eid;
    before = lab;
    CHECK_EQ(call(SVMC_KIND_SBI, isa), SVMC_ACT_RESUME, "%x %x", (unsigned)eid, (unsigned)fid);
    unchanged_but(A0, written, SVMC_REG_RV_PC, 4);
    return lab.world.reg[A0];
}

TEST(calls, the_sbi_has_a_base) /* EX-56 */
{
    fresh();
    allow(SVMC_KIND_SBI, LAB_SBI | 2, 1, 2);
    allow(SVMC_KIND_SBI, (uint64_t)8 << 32, 0, 0); /* the legacy shutdown */
    start();
    for (enum svmc_isa isa = SVMC_ISA_RV32; isa <= SVMC_ISA_RV64; isa++) {
        uint64_t wide = isa == SVMC_ISA_RV64 ? UINT64_MAX : UINT32_MAX;
        uint64_t odd = isa == SVMC_ISA_RV64 ? 0 : (uint64_t)0xabcd << 32; /* is no part of it */

        CHECK_EQ(sbi(isa, odd | 0x10, odd, 0, 2), 0);
        CHECK_EQ(lab.world.reg[A0 + 1], 2 << 24, "2.0");
        CHECK_EQ(sbi(isa, 0x10, 3, odd | 0x48534d, 2), 0);
        CHECK_EQ(lab.world.reg[A0 + 1], 1, "delegated in part");
        CHECK_EQ(sbi(isa, 0x10, 3, 0x10, 2), 0);
        CHECK_EQ(lab.world.reg[A0 + 1], 1);
        CHECK_EQ(sbi(isa, 0x10, 3, 8, 2), 0);
        CHECK_EQ(lab.world.reg[A0 + 1], 1);
        CHECK_EQ(sbi(isa, 0x10, 3, 0x48534c, 2), 0);
        CHECK_EQ(lab.world.reg[A0 + 1], 0);
        CHECK_EQ(sbi(isa, 0x10, 3, 0x48534e, 2), 0);
        CHECK_EQ(lab.world.reg[A0 + 1], 0);
        for (unsigned fid = 1; fid < 9; fid++) {
            if (fid == 3)
                continue;
            CHECK_EQ(sbi(isa, 0x10, fid, 0, 2), fid >= 4 && fid <= 6 ? 0 : MINUS(2) & wide, "%u",
                     fid);
            CHECK_EQ(lab.world.reg[A0 + 1], 0, "%u", fid);
        }
        CHECK_EQ(sbi(isa, 0x48534d, 1, 0, 2), MINUS(2) & wide);
        CHECK_EQ(sbi(isa, 0, 0, 0, 1), MINUS(2) & wide, "legacy: a1 is kept");
        CHECK_EQ(sbi(isa, 15, 0x1234, 0, 1), MINUS(2) & wide);
        CHECK_EQ(sbi(isa, MINUS(1), MINUS(1), 0, 2), MINUS(2) & wide);
        CHECK_EQ(sbi(isa, 0x80000000, 2, 0, 2), MINUS(2) & wide);
    }
    CHECK_EQ(sbi(SVMC_ISA_RV64, (uint64_t)1 << 32 | 0x48534d, 2, 0, 2), MINUS(2), "all of a7");
    CHECK_EQ(sbi(SVMC_ISA_RV64, 0x48534d, (uint64_t)1 << 32 | 2, 0, 2), MINUS(2), "all of a6");
    lab.world.reg[A0 + 6] = 2;
    CHECK_EQ(call(SVMC_KIND_SBI, SVMC_ISA_RV64), SVMC_ACT_DELEGATED);
}

/* R10: the host gives `value`; what becomes of it. */
static enum svmc_status give(uint64_t value)
{
    CHECK(fakehost_prepare(lab.world.page, &honest));
    honest.reply.out_valid = 1;
    memset(honest.reply.out, 0, sizeof honest.reply.out);
    honest.reply.out[0] = value;
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

/* Legal results by Arm DEN0022, the section of each call's name. */
static const struct psci {
    uint32_t number;
    int8_t legal[11];
    uint8_t count;
} psci[] = {
    { PSCI_0_2_FN_CPU_SUSPEND, { 0, -2, -3, -9 }, 4 },
    { PSCI_0_2_FN_CPU_OFF, { PSCI_RET_DENIED }, 1 },
    { PSCI_0_2_FN_CPU_ON, { 0, -2, -3, -4, -5, -6, -9 }, 7 },
    { PSCI_0_2_FN_AFFINITY_INFO, { 0, 1, 2, -2, -7, -8 }, 6 },
    { PSCI_0_2_FN_MIGRATE, { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9 }, 10 },
    { PSCI_0_2_FN_MIGRATE_INFO_TYPE, { 0, 1, 2, -1 }, 4 },
    { PSCI_0_2_FN_SYSTEM_OFF, { 0 }, 0 },
    { PSCI_0_2_FN_SYSTEM_RESET, { 0 }, 0 },
    { PSCI_1_0_FN_SYSTEM_SUSPEND, { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9 }, 10 },
    { PSCI_1_1_FN_SYSTEM_RESET2, { -1, -2 }, 2 },
    { PSCI_1_1_FN_MEM_PROTECT, { 0, 1, -1 }, 3 },
};

TEST(calls, psci_gives_what_it_can_give) /* R10 */
{
    for (unsigned i = 0; i < sizeof psci / sizeof psci[0]; i++)
        for (unsigned wide = 0; wide < 2; wide++) {
            uint32_t number = psci[i].number | (wide ? PSCI_0_2_64BIT : 0);
            uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;

            fresh();
            allow(SVMC_KIND_SMC, number, 1, 1);
            start();
            for (int value = -20; value <= 20; value++) {
                bool legal = psci[i].count > 0 && memchr(psci[i].legal, value, psci[i].count);

                lab.vc.priv.refusals = 0;
                lab.world.reg[SVMC_REG_X0] = number;
                CHECK_EQ(call(SVMC_KIND_SMC, SVMC_ISA_A64), SVMC_ACT_DELEGATED);
                CHECK_EQ(give((uint64_t)(int64_t)value & mask),
                         legal ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%x: %d", number, value);
                CHECK_EQ(lab.out.rule, legal ? 0 : 10, "%x: %d", number, value);
                if (legal)
                    CHECK_EQ(lab.world.reg[SVMC_REG_X0], (uint64_t)(int64_t)value & mask);
                svmc_vcpu_cancel(&lab.vc);
            }
        }
}

TEST(calls, numbers_of_psci_are_not_statuses) /* R10 */
{
    fresh();
    allow(SVMC_KIND_SMC, PSCI_0_2_FN64_MIGRATE_INFO_UP_CPU, 0, 1);
    allow(SVMC_KIND_SMC, PSCI_1_0_FN64_STAT_COUNT, 2, 1);
    start();
    lab.world.reg[SVMC_REG_X0] = PSCI_0_2_FN64_MIGRATE_INFO_UP_CPU;
    CHECK_EQ(call(SVMC_KIND_SMC, SVMC_ISA_A64), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(0x80000100), SVMC_OK, "an MPIDR");
    lab.world.reg[SVMC_REG_X0] = PSCI_1_0_FN64_STAT_COUNT;
    CHECK_EQ(call(SVMC_KIND_SMC, SVMC_ISA_A64), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(UINT64_MAX), SVMC_OK, "a count");
}

TEST(calls, the_sbi_has_ten_codes) /* R10 */
{
    fresh();
    allow(SVMC_KIND_SBI, LAB_SBI, 3, 1);
    allow(SVMC_KIND_SBI, (uint64_t)2 << 32, 0, 1); /* the legacy getchar */
    start();
    for (enum svmc_isa isa = SVMC_ISA_RV32; isa <= SVMC_ISA_RV64; isa++)
        for (int value = -20; value <= 20; value++)
            for (unsigned legacy = 0; legacy < 2; legacy++) {
                uint64_t mask = isa == SVMC_ISA_RV64 ? UINT64_MAX : UINT32_MAX;
                bool legal = legacy || (value <= 0 && value >= -9);

                lab.vc.priv.refusals = 0;
                lab.world.reg[A0 + 7] = legacy ? 2 : 0x48534d;
                lab.world.reg[A0 + 6] = 0;
                CHECK_EQ(call(SVMC_KIND_SBI, isa), SVMC_ACT_DELEGATED);
                CHECK_EQ(give((uint64_t)(int64_t)value & mask),
                         legal ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%d", value);
                svmc_vcpu_cancel(&lab.vc);
            }
}

TEST(calls, what_observe_makes_of_a_status) /* R10 MO-3 MO-4 */
{
    static const struct {
        uint32_t number;
        enum svmc_status want;
        uint64_t x0;
    } rows[] = {
        { PSCI_0_2_FN_CPU_ON, SVMC_OK, UINT32_MAX & MINUS(6) },
        { PSCI_0_2_FN64_CPU_ON, SVMC_OK, MINUS(6) },
        { PSCI_0_2_FN_SYSTEM_OFF, SVMC_ERR_HOST_REPLY, PSCI_0_2_FN_SYSTEM_OFF },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fresh();
        CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE), SVMC_OK);
        allow(SVMC_KIND_SMC, rows[i].number, 0, 1);
        start();
        lab.world.reg[SVMC_REG_X0] = rows[i].number;
        CHECK_EQ(call(SVMC_KIND_SMC, SVMC_ISA_A64), SVMC_ACT_DELEGATED);
        CHECK_EQ(give(77), rows[i].want, "row %u", i);
        CHECK_EQ(lab.out.rule, 10, "row %u", i);
        CHECK_EQ(lab.world.reg[SVMC_REG_X0], rows[i].x0, "row %u", i);
    }
    fresh();
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE), SVMC_OK);
    allow(SVMC_KIND_SBI, LAB_SBI, 0, 1);
    start();
    lab.world.reg[A0 + 7] = 0x48534d;
    lab.world.reg[A0 + 6] = 0;
    CHECK_EQ(call(SVMC_KIND_SBI, SVMC_ISA_RV64), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(77), SVMC_OK);
    CHECK_EQ(lab.world.reg[A0], MINUS(1), "SBI_ERR_FAILED");
}

TEST(calls, a_convention_of_32_bits_has_half_registers) /* EX-57 R8 */
{
    fresh();
    allow(SVMC_KIND_SMC, 0x86000001, 1, 2);
    start();
    lab.world.reg[SVMC_REG_X0] = 0x86000001;
    lab.world.reg[SVMC_REG_X0 + 1] = 0x1111111122222222;
    before = lab;
    CHECK_EQ(call(SVMC_KIND_SMC, SVMC_ISA_A64), SVMC_ACT_DELEGATED);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.size, 4);
    CHECK_EQ(honest.request.in[0], 0x22222222);
    honest.reply.out_valid = 3;
    memset(honest.reply.out, 0, sizeof honest.reply.out);
    honest.reply.out[0] = 0xffffffff;
    honest.reply.out[1] = (uint64_t)1 << 32;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 8);
    honest.reply.out[1] = 0x80000000;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_X0], 0xffffffff);
    CHECK_EQ(lab.world.reg[SVMC_REG_X0 + 1], 0x80000000, "the rest of it is 0");
    CHECK_EQ(lab.world.reg[SVMC_REG_X0 + 2], before.world.reg[SVMC_REG_X0 + 2]);
}

TEST(calls, what_can_be_delegated) /* EX-53 EX-1 */
{
    struct svmc_policy saved;
    struct svmc_exit e = { .kind = SVMC_KIND_SMC, .count = 1, .isa = SVMC_ISA_RV64 };

    fresh();
    saved = policy;
#define REFUSED(kind, number, args, results) \
    CHECK_EQ(svmc_policy_set_call(&policy, kind, number, args, results), SVMC_ERR_ARG)
    REFUSED(SVMC_KIND_HYPERCALL, 1, 0, 1);
    REFUSED(SVMC_KIND_UNKNOWN, 1, 0, 1);
    REFUSED(SVMC_KIND_SMC, VERSION, 0, 1);
    REFUSED(SVMC_KIND_HVC, FEATURES, 0, 1);
    REFUSED(SVMC_KIND_SMC, PSCI_0_2_FN_PSCI_VERSION, 0, 1);
    REFUSED(SVMC_KIND_SMC, PSCI_1_0_FN_PSCI_FEATURES, 0, 1);
    REFUSED(SVMC_KIND_SMC, PSCI_0_2_FN_CPU_ON, 3, 0);
    REFUSED(SVMC_KIND_SMC, PSCI_0_2_FN64_CPU_ON, 3, 2);
    REFUSED(SVMC_KIND_SMC, 1, SVMC_CALL_ARGS + 1, 1);
    REFUSED(SVMC_KIND_HVC, 1, 0, SVMC_CALL_RESULTS + 1);
    REFUSED(SVMC_KIND_SMC, (uint64_t)1 << 32, 0, 1);
    REFUSED(SVMC_KIND_SBI, (uint64_t)0x10 << 32, 0, 2);
    REFUSED(SVMC_KIND_SBI, (uint64_t)0x10 << 32 | 3, 1, 2);
    REFUSED(SVMC_KIND_SBI, LAB_SBI, 1, 0);
    REFUSED(SVMC_KIND_SBI, LAB_SBI, 1, 3);
    REFUSED(SVMC_KIND_SBI, (uint64_t)1 << 32, 1, 2);
    REFUSED(SVMC_KIND_SBI, LAB_SBI | 0x80000000, 1, 1);
    REFUSED(SVMC_KIND_SBI, UINT64_MAX, 1, 1);
#undef REFUSED
    CHECK_EQ(svmc_policy_set_call(NULL, SVMC_KIND_SMC, 1, 0, 1), SVMC_ERR_ARG);
    CHECK_MEM(&policy, &saved, sizeof saved);
    for (unsigned i = 0; i < SVMC_POLICY_CALLS; i++)
        allow(SVMC_KIND_HVC + i % 3, 0x30000000 + i * 7919 % 64, 6, 1);
    CHECK_EQ(svmc_policy_set_call(&policy, SVMC_KIND_SMC, 1, 0, 1), SVMC_ERR_FULL);
    allow(SVMC_KIND_HVC, 0x30000000, 5, 1); /* once more: not one more */
    for (unsigned i = 1; i < SVMC_POLICY_CALLS; i++) {
        const struct svmc_call_rule *a = &policy.priv.calls[i - 1], *b = &policy.priv.calls[i];

        CHECK(a->kind < b->kind || (a->kind == b->kind && a->number < b->number), "%u", i);
    }
    start();
    CHECK_EQ(svmc_policy_set_call(&policy, SVMC_KIND_HVC, 0x30000000, 5, 1), SVMC_ERR_STATE);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "no SMC on RISC-V");
    e = (struct svmc_exit){ .kind = SVMC_KIND_SBI, .count = 1, .isa = SVMC_ISA_A64 };
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "no ECALL on A64");
    e = (struct svmc_exit){ .kind = SVMC_KIND_SMC, .count = 1, .size = 8, .isa = SVMC_ISA_A64 };
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "the size is the call's");
}
