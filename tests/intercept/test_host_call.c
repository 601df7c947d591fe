/* SPDX-License-Identifier: MIT */
/*
 * EX-89: RSI_HOST_CALL. The structure by hand: Arm DEN0137, RsiHostCall; Linux asm/rsi_smc.h: 16
 * bits of immediate, 31 registers from byte 8 on, 256 bytes.
 */
#include "scenarios.h"

#define AT 0x4300u /* in the realm's own memory */

static struct lab lab, before;
static struct fakehost_answer honest;
static struct svmc_host_ops ops;

static void fresh(void)
{
    uint64_t rng = 19;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < WORLD_MEMORY; i++)
        lab.world.memory[i] = (uint8_t)(i * 7 + 1);
    before = lab;
}

static enum svmc_status take(uint64_t at)
{
    struct svmc_exit e = scenarios[scenario_named("a64 host call")].exit;

    e.buffer.v = at;
    return svmc_vcpu_exit(&lab.vc, &e, &lab.out);
}

static void ask(uint64_t at)
{
    fresh();
    REQUIRE(take(at) == SVMC_OK && lab.out.action == SVMC_ACT_DELEGATED);
    REQUIRE(fakehost_prepare(lab.world.page, &honest));
}

static enum svmc_status answer(void)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

TEST(host_call, golden_page) /* EX-89 PG-1 */
{
    static const uint8_t head[] = { 0x08, 0x50, 2, 3 }, size[] = { 0, 1, 0, 0, 1, 0, 0, 0 };
    static const uint8_t zero[SVMC_PAGE_DATA_BYTES];
    const uint8_t *page = lab.world.page;

    ask(AT);
    CHECK_MEM(page + 0x008, head, sizeof head, "kind, completion, direction");
    CHECK_MEM(page + 0x018, zero, 8, "no slot");
    CHECK_MEM(page + 0x020, zero, 24, "no text; the address stays inside");
    CHECK_MEM(page + 0x038, size, sizeof size);
    CHECK_MEM(page + 0x040, zero, 0x1c0);
    CHECK_MEM(page + 0x200, before.world.memory + AT, 2);
    CHECK_MEM(page + 0x202, zero, 6, "what lies behind the immediate is no parameter");
    CHECK_MEM(page + 0x208, before.world.memory + AT + 8, 248);
    CHECK_MEM(page + 0x300, zero, SVMC_PAGE_DATA_BYTES - 256);
}

TEST(host_call, what_comes_back_is_31_registers) /* EX-89 R9 */
{
    for (unsigned at = AT; at < 0x5000; at += 0x500) {
        ask(at);
        CHECK_EQ(answer(), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        memcpy(before.world.memory + at + 8, honest.data + 8, 248); /* and no immediate */
        CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "at %x", at);
        before.world.reg[SVMC_REG_PC] += 4;
        CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "at %x", at);
    }
}

TEST(host_call, it_lies_in_one_page_and_is_aligned) /* EX-89 EX-1 */
{
    static const uint8_t zero[SVMC_PAGE_BYTES];

    for (unsigned off = 1; off < 256; off++) {
        fresh();
        CHECK_EQ(take(AT + off), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%u", off);
        CHECK_EQ(lab.out.verdict, SVMC_VERDICT_FAULT);
        CHECK_MEM(lab.world.page, zero, sizeof zero, "the host hears nothing");
    }
    for (unsigned size = 0; size < 600; size++) {
        struct svmc_exit e = scenarios[scenario_named("a64 host call")].exit;

        fresh();
        e.size = (uint16_t)size;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), size == 256 ? SVMC_OK : SVMC_ERR_ARG);
    }
    for (unsigned isa = 0; isa < 12; isa++) {
        struct svmc_exit e = scenarios[scenario_named("a64 host call")].exit;

        fresh();
        e.isa = (uint8_t)isa;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out),
                 isa == SVMC_ISA_A64 ? SVMC_OK : SVMC_ERR_ARG, "isa %u", isa);
        e.isa = SVMC_ISA_A64;
        e.finish = SVMC_FINISH_BACKEND;
        fresh();
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
    }
}

TEST(host_call, it_is_walked_again) /* EX-89 R12 */
{
    static const uint8_t zero[SVMC_PAGE_BYTES];

    fresh();
    lab.world.hole[AT / 4096] = true;
    CHECK_EQ(take(AT), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_MEM(lab.world.page, zero, sizeof zero);
    ask(AT);
    lab.world.hole[AT / 4096] = true; /* meanwhile */
    CHECK_EQ(answer(), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY);
    CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg);
}

TEST(host_call, lies_are_refused) /* R11 R6 R8 R4 R5 R2 R18 */
{
    unsigned told = 0;

    ask(AT);
    for (unsigned lie = 0; lie < fakehost_lie_count; lie++) {
        REQUIRE(fakehost_prepare(lab.world.page, &honest));
        if (!fakehost_lie_applies(lie, &honest.request))
            continue;
        told++;
        CHECK(fakehost_lie(lab.world.page, &honest, lie));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "%s",
                 fakehost_lies[lie].name);
        CHECK_EQ(lab.out.rule, fakehost_lies[lie].rule, "%s", fakehost_lies[lie].name);
        CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY);
    }
    CHECK(told >= 10, "%u", told);
    for (uint32_t bytes = 0; bytes <= 600; bytes++) {
        ask(AT);
        honest.reply.data_bytes = bytes;
        CHECK_EQ(answer(), bytes == 256 ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%u bytes", bytes);
        CHECK_EQ(lab.out.rule, bytes == 256 ? 0 : 11);
    }
}

TEST(host_call, a_callback_that_fails_changes_nothing) /* the k-th callback */
{
    unsigned calls;

    ask(AT);
    calls = lab.world.calls;
    CHECK_EQ(answer(), SVMC_OK);
    for (unsigned k = 1; k <= lab.world.calls - 0; k++) {
        unsigned all = lab.world.calls;

        fresh();
        lab.world.fail_at = k;
        if (k <= calls) {
            CHECK_EQ(take(AT), SVMC_ERR_CALLBACK, "call %u", k);
            CHECK_EQ(lab.vc.priv.pending.active, 0);
        } else {
            CHECK_EQ(take(AT), SVMC_OK, "call %u", k);
            REQUIRE(fakehost_prepare(lab.world.page, &honest));
            CHECK_EQ(answer(), SVMC_ERR_CALLBACK, "call %u", k);
        }
        CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "call %u", k);
        CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "call %u", k);
        lab.world.calls = all;
    }
    CHECK(calls >= 2, "%u", calls);
}

/* A translation that always faults, with this class. */
static uint8_t code;

static enum svmc_status faulting(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                 struct svmc_fault *fault)
{
    (void)ctx;
    CHECK(access & SVMC_ACCESS_REAL, "the address is the guest's physical one");
    out->v = at.v;
    fault->raised = 1;
    fault->vector = code;
    return SVMC_OK;
}

TEST(host_call, a_walk_has_the_processors_own_classes) /* EX-89; Arm ARM D17.2.37 */
{
    fresh();
    ops = world_ops;
    ops.translate = faulting;
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7), SVMC_OK);
    for (unsigned c = 0; c < 256; c++) {
        code = (uint8_t)c;
        CHECK_EQ(take(AT), c < 64 ? SVMC_OK : SVMC_ERR_CALLBACK, "class %x", c);
        CHECK_EQ(lab.out.fault.vector, c < 64 ? c : 0);
    }
}
