/* SPDX-License-Identifier: MIT */
/*
 * EX-69, R10: hypercalls of PAPR. Numbers and return codes: Linux arch/powerpc/include/asm/hvcall.h
 * and QEMU include/hw/ppc/spapr.h; registers: PAPR 1.1, 14, each call's section.
 */
#include "scenarios.h"

#define R(n)       (SVMC_REG_PPC_R0 + (n))
#define H_FUNCTION ((uint64_t)0 - 2)
#define H_HARDWARE ((uint64_t)0 - 1)
#define PUT_TERM   0x58u
#define GET_TERM   0x54u
#define CEDE       0xe0u
#define RANDOM     0x300u

static struct lab lab, before;
static struct svmc_policy policy;
static struct fakehost_answer honest;

static void start(enum svmc_mode mode)
{
    uint64_t rng = 71;

    CHECK_EQ(svmc_policy_init(&policy, 100, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_mode(&policy, mode), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(&policy, SVMC_KIND_HCALL, PUT_TERM, 4, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(&policy, SVMC_KIND_HCALL, GET_TERM, 1, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(&policy, SVMC_KIND_HCALL, CEDE, 0, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
}

static enum svmc_action call(uint64_t number)
{
    const struct svmc_exit e = {
        .kind = SVMC_KIND_HCALL, .isa = SVMC_ISA_PPC64, .count = 1, .finish = SVMC_FINISH_REGS
    };

    lab.world.reg[R(3)] = number;
    before = lab;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%x", (unsigned)number);
    return (enum svmc_action)lab.out.action;
}

static uint64_t at(unsigned offset, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)lab.world.page[offset + i] << 8 * i;
    return value;
}

TEST(power, a_hypercall_shows_its_arguments) /* EX-69 PG-5 PG-6 */
{
    start(SVMC_MODE_STRICT);
    for (unsigned n = 4; n <= 12; n++)
        lab.world.reg[R(n)] = 0x1111111111111111u * n;
    CHECK_EQ(call(PUT_TERM), SVMC_ACT_DELEGATED);
    CHECK_EQ(at(0x008, 2), 0x5005);
    CHECK_EQ(at(0x018, 8), 0xf, "four slots");
    CHECK_EQ(at(0x020, 8), 0x44000022, "sc 1");
    CHECK_EQ(at(0x030, 8), 0x58);
    CHECK_EQ(at(0x038, 8), (uint64_t)1 << 32 | 8);
    for (unsigned n = 0; n < 8; n++)
        CHECK_EQ(at(0x040 + 8 * n, 8), n < 4 ? 0x1111111111111111u * (n + 4) : 0, "slot %u", n);
}

/* The host gives these results; what becomes of them. */
static enum svmc_status give(unsigned count, uint64_t code)
{
    CHECK(fakehost_prepare(lab.world.page, &honest));
    honest.reply.out_valid = ((uint64_t)1 << count) - 1;
    memset(honest.reply.out, 0, sizeof honest.reply.out);
    honest.reply.out[0] = code;
    for (unsigned i = 1; i < count; i++)
        honest.reply.out[i] = 0xf0f0f0f000000000u + i;
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

TEST(power, a_hypercall_brings_its_results) /* EX-69 R9 */
{
    start(SVMC_MODE_STRICT);
    CHECK_EQ(call(GET_TERM), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(4, 0), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    for (unsigned r = 0; r < WORLD_REGS; r++)
        CHECK_EQ(lab.world.reg[r],
                 r == R(3)                ? 0
                 : r >= R(4) && r <= R(6) ? 0xf0f0f0f000000000u + r - R(3)
                                          : before.world.reg[r],
                 "register %u", r);
    CHECK_EQ(call(CEDE), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(4, 0), SVMC_ERR_HOST_REPLY, "it has one result");
    CHECK_EQ(lab.out.rule, 6);
    CHECK_EQ(give(1, 0), SVMC_OK);
    CHECK_EQ(lab.world.reg[R(4)], before.world.reg[R(4)]);
}

TEST(power, what_is_not_delegated_is_no_function) /* EX-69 EX-54 */
{
    static const uint64_t numbers[] = {
        0, RANDOM, 0x3c, 0x57, 0x59, 0x3d4, 0xf000, 0xef00, (uint64_t)1 << 32 | PUT_TERM, UINT64_MAX
    };

    start(SVMC_MODE_STRICT);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK_EQ(call(numbers[i]), SVMC_ACT_RESUME, "row %u", i);
        CHECK_EQ(lab.out.verdict, SVMC_VERDICT_CONST);
        CHECK_EQ(lab.vc.priv.seq_count, 0, "row %u: no host heard of it", i);
        for (unsigned r = 0; r < WORLD_REGS; r++)
            CHECK_EQ(lab.world.reg[r], r == R(3) ? H_FUNCTION : before.world.reg[r],
                     "row %u, register %u", i, r);
    }
}

TEST(power, return_codes_are_those_of_papr) /* R10 */
{
    static const struct {
        int32_t first, last;
    } legal[] = { { -511, 5 }, { 14, 18 }, { 9900, 9905 } };

    start(SVMC_MODE_STRICT);
    for (int32_t code = -600; code < 10000; code = code == 100 ? 9800 : code + 1) {
        bool is = false;

        for (unsigned i = 0; i < 3; i++)
            is = is || (code >= legal[i].first && code <= legal[i].last);
        lab.vc.priv.refusals = 0;
        CHECK_EQ(call(CEDE), SVMC_ACT_DELEGATED);
        CHECK_EQ(give(1, (uint64_t)(int64_t)code), is ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%d", code);
        CHECK_EQ(lab.out.rule, is ? 0 : 10, "%d", code);
        CHECK_EQ(lab.world.reg[R(3)], is ? (uint64_t)(int64_t)code : CEDE, "%d", code);
        svmc_vcpu_cancel(&lab.vc);
    }
    CHECK_EQ(call(CEDE), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(1, UINT32_MAX), SVMC_ERR_HOST_REPLY, "64 bits");
}

TEST(power, observe_makes_a_hardware_error_of_no_code) /* R10 MO-3 */
{
    start(SVMC_MODE_OBSERVE);
    CHECK_EQ(call(GET_TERM), SVMC_ACT_DELEGATED);
    CHECK_EQ(give(4, 19), SVMC_OK);
    CHECK_EQ(lab.out.rule, 10);
    CHECK_EQ(lab.world.reg[R(3)], H_HARDWARE);
    CHECK_EQ(lab.world.reg[R(4)], 0xf0f0f0f000000001u, "the others are no codes");
}

TEST(power, a_policy_delegates_what_a_call_has) /* EX-69 */
{
    static const struct {
        uint16_t number;
        uint8_t args, results; /* 0: not to be delegated */
    } calls[] = {
        { 0x01c, 2, 2 }, { 0x020, 3, 1 }, { 0x03c, 2, 2 }, { 0x040, 3, 1 },  { 0x054, 1, 4 },
        { 0x058, 4, 1 }, { 0x060, 1, 0 }, { 0x064, 1, 1 }, { 0x068, 1, 1 },  { 0x06c, 2, 1 },
        { 0x074, 0, 2 }, { 0x0e0, 0, 1 }, { 0x0fc, 3, 1 }, { 0x108, 3, 1 },  { 0x13c, 4, 0 },
        { 0x1d8, 0, 1 }, { 0x2e4, 6, 1 }, { 0x300, 0, 0 }, { 0x304, 0, 0 },  { 0x3a8, 2, 0 },
        { 0x3d0, 1, 1 }, { 0x3d4, 0, 0 }, { 0x055, 1, 0 }, { 0xf000, 1, 0 },
    };

    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (uint8_t args = 0; args < 8; args++)
            for (uint8_t results = 0; results < 6; results++) {
                bool may = args <= calls[i].args && results >= 1 && results <= calls[i].results;

                CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
                CHECK_EQ(
                    svmc_policy_set_call(&policy, SVMC_KIND_HCALL, calls[i].number, args, results),
                    may ? SVMC_OK : SVMC_ERR_ARG, "%x: %u, %u", calls[i].number, args, results);
            }
    CHECK_EQ(svmc_policy_set_call(&policy, SVMC_KIND_HCALL, (uint64_t)1 << 32 | PUT_TERM, 1, 1),
             SVMC_ERR_ARG);
}

TEST(power, a_hypercall_is_powers) /* EX-1 EX-69 */
{
    struct svmc_exit e = { .kind = SVMC_KIND_HCALL, .count = 1, .finish = SVMC_FINISH_REGS };
    uint8_t bytes[4] = { 0x22, 0, 0, 0x44 };
    struct svmc_cpu cpu = { .isa = SVMC_ISA_PPC64 };
    struct svmc_insn insn;

    start(SVMC_MODE_STRICT);
    for (unsigned isa = 0; isa < 16; isa++) {
        e.isa = (uint8_t)isa;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out),
                 isa == SVMC_ISA_PPC64 ? SVMC_OK : SVMC_ERR_ARG, "isa %u", isa);
    }
    CHECK_EQ(svmc_insn_decode(&cpu, bytes, sizeof bytes, &insn), SVMC_ERR_UNSUPPORTED);
}

TEST(power, a_saved_policy_has_its_hypercalls) /* EX-69 PO-1 */
{
    static uint8_t bytes[65536];
    static struct svmc_policy loaded;
    size_t n = 0;

    start(SVMC_MODE_STRICT);
    CHECK_EQ(svmc_policy_save(&policy, bytes, sizeof bytes, &n), SVMC_OK);
    CHECK_EQ(svmc_policy_load(&loaded, bytes, n), SVMC_OK);
    CHECK_EQ(loaded.priv.call_count, 3);
    CHECK_MEM(loaded.priv.calls, policy.priv.calls, sizeof policy.priv.calls);
}
