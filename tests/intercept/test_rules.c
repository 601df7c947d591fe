/* SPDX-License-Identifier: MIT */
/* Rules of docs/spec/ that are about what does not happen: no field, no register, no way back. */
#include "scenarios.h"

#include <svmcore/guest/hypercall.h>

static struct lab lab, before;
static struct fakehost_answer honest;
static struct svmc_policy policy;

static void start(const char *name)
{
    uint64_t rng = 21;

    lab_init(&lab, &rng);
    CHECK_EQ(lab_exit(&lab, scenario_named(name)), SVMC_OK, "%s", name);
    CHECK(fakehost_prepare(lab.world.page, &honest), "%s", name);
}

/* A lab whose policy knows nothing but one hypercall, with a doorbell or without. */
static void one_hypercall(bool doorbell, uint8_t args, uint8_t results)
{
    uint64_t rng = 22;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_policy_init(&policy, 4, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_hcall(&policy, LAB_HCALL, args, results), SVMC_OK);
    if (doorbell)
        CHECK_EQ(svmc_policy_set_doorbell(&policy, SVMC_HCALL_PORT), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
}

TEST(rules, a_hypercall_writes_what_it_declares_and_nothing_else) /* HC-5 */
{
    static const unsigned result[] = { SVMC_REG_RDI, SVMC_REG_RSI, SVMC_REG_R8 };
    static const char *const ways[] = { "hypercall by doorbell", "hypercall own" };

    for (unsigned way = 0; way < 2; way++)
        for (uint8_t results = 0; results <= SVMC_HCALL_RESULTS; results++) {
            one_hypercall(true, SVMC_HCALL_ARGS, results);
            CHECK_EQ(lab_exit(&lab, scenario_named(ways[way])), SVMC_OK, "%s", ways[way]);
            before = lab;
            CHECK(fakehost_prepare(lab.world.page, &honest));
            honest.reply.out_valid = ((uint64_t)2 << results) - 1;
            for (unsigned i = 1u + results; i < SVMC_PAGE_SLOTS; i++)
                honest.reply.out[i] = 0;
            CHECK(fakehost_send(lab.world.page, &honest));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%u results", results);
            before.world.reg[SVMC_REG_RAX] = SVMC_HCALL_OK;
            for (unsigned i = 0; i < results; i++)
                before.world.reg[result[i]] = FAKEHOST_PATTERN + 1 + i;
            if (way == 1)
                before.world.reg[SVMC_REG_RIP] += 3;
            for (unsigned r = 0; r < WORLD_REGS; r++)
                CHECK_EQ(lab.world.reg[r], before.world.reg[r], "%s, %u results: register %u",
                         ways[way], results, r);
            CHECK_MEM(lab.world.memory, before.world.memory, sizeof before.world.memory);
        }
}

/* The world's registers, and a note of each that the core asks for. */
static uint32_t asked;

static enum svmc_status noting_reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    asked |= (uint32_t)1 << (reg & 31u);
    return world_ops.reg_read(ctx, reg, value);
}

TEST(rules, a_caller_is_never_asked_for_its_privilege) /* HC-6 */
{
    static const uint32_t arguments = 1u << SVMC_REG_RDI | 1u << SVMC_REG_RSI | 0xfu << 8;
    struct svmc_host_ops ops = world_ops;

    ops.reg_read = noting_reg_read;
    one_hypercall(true, SVMC_HCALL_ARGS, 0);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
    asked = 0;
    CHECK_EQ(lab_exit(&lab, scenario_named("hypercall by doorbell")), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(asked, arguments | 1u << SVMC_REG_RAX, "neither RFLAGS nor anything else");
    one_hypercall(false, SVMC_HCALL_ARGS, 0);
    CHECK_EQ(lab_exit(&lab, scenario_named("hypercall by doorbell")), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "a port as any other where it is no doorbell");
}

TEST(rules, every_reserved_bit_of_a_reply_is_refused) /* PG-3 R5 */
{
    static const struct {
        unsigned first, end;
    } reserved[] = { { 0x10c, 0x110 }, { 0x119, 0x120 }, { 0x128, 0x140 }, { 0x180, 0x200 } };

    start("in 4 kvm");
    before = lab;
    for (unsigned i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        for (unsigned bit = 8 * reserved[i].first; bit < 8 * reserved[i].end; bit++) {
            lab.vc.priv.refusals = 0;
            CHECK(fakehost_send(lab.world.page, &honest));
            lab.world.page[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "bit %u", bit);
            CHECK_EQ(lab.out.rule, 5, "bit %u", bit);
            CHECK(lab_same(&lab, &before), "bit %u", bit);
        }
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "and the rest of it was right");
}

TEST(rules, a_kind_is_class_and_operation) /* PG-4; values by hand, they are the host's ABI */
{
    static const struct {
        char name[24];
        unsigned class, operation;
    } rows[] = {
        { "cpuid own", 0, 1 },        { "rdmsr own", 1, 1 },     { "wrmsr kvm", 1, 2 },
        { "in 4 kvm", 2, 1 },         { "out 1 kvm", 2, 2 },     { "ins 1 kvm", 3, 1 },
        { "outs 1 kvm", 3, 2 },       { "hypercall own", 5, 1 }, { "mmio read 8 kvm", 4, 1 },
        { "mmio write 4 kvm", 4, 2 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned kind;

        start(rows[i].name);
        kind = lab.world.page[8] | (unsigned)lab.world.page[9] << 8;
        CHECK_EQ(kind >> 12, rows[i].class, "%s", rows[i].name);
        CHECK_EQ(kind & 0xfff, rows[i].operation, "%s", rows[i].name);
    }
    CHECK_EQ(SVMC_KIND_HLT, 0x6001);
    CHECK_EQ(SVMC_KIND_SHUTDOWN, 0xc001);
    CHECK_EQ(SVMC_KIND_UNKNOWN, 0xf000);
}

TEST(rules, a_notice_shows_nothing_and_takes_nothing) /* PG-8 R15 */
{
    static const uint8_t zero[SVMC_PAGE_BYTES];
    struct svmc_exit hlt = { .kind = SVMC_KIND_HLT,
                             .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                             .insn_bytes = 1,
                             .count = 1,
                             .address = 0xdeadbeef,
                             .value = 0xdeadbeef };
    struct svmc_reply reply = { .out_valid = 1, .done = 1, .out = { 0x77 } };
    uint64_t rng = 23;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &hlt, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_NOTIFIED);
    CHECK_EQ(lab.world.page[0x0a], SVMC_COMPLETION_NONE);
    CHECK_MEM(lab.world.page + 0x18, zero, 8, "no slot is valid");
    CHECK_MEM(lab.world.page + 0x30, zero, SVMC_PAGE_BYTES - 0x30, "no address, slot or data");
    for (unsigned i = 0; i < 8; i++)
        reply.seq |= (uint64_t)lab.world.page[0x10 + i] << 8 * i;
    CHECK_EQ(svmc_reply_write(lab.world.page, &reply, NULL), SVMC_OK);
    before = lab;
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE);
    CHECK(lab_same(&lab, &before), "the reply was not read");
}

TEST(rules, a_reply_leaves_the_request_as_it_is) /* PG-9 */
{
    for (unsigned n = 0; n < scenario_count; n++) {
        start(scenarios[n].name);
        before = lab;
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_MEM(lab.world.page, before.world.page, 0x100, "%s", scenarios[n].name);
        if (honest.reply.data_bytes == 0)
            CHECK_MEM(lab.world.page + 0x200, before.world.page + 0x200, SVMC_PAGE_DATA_BYTES,
                      "%s: the data area is still the request's", scenarios[n].name);
    }
}

/* Nothing brings a stopped vCPU back: the right answer, another exit, giving the exit up. */
static void stays_stopped(enum svmc_stop why)
{
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP, "stop %u", why);
    CHECK_EQ(lab.out.stop, why);
    before = lab;
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned n = 0; n < scenario_count; n++) {
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &scenarios[n].exit, &lab.out), SVMC_ERR_STATE);
            CHECK_EQ(lab.out.action, SVMC_ACT_STOP, "%s", scenarios[n].name);
            CHECK_EQ(lab.out.stop, why, "%s", scenarios[n].name);
        }
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "stop %u", why);
        CHECK_EQ(lab.out.stop, why);
        svmc_vcpu_cancel(&lab.vc);
    }
    CHECK(lab_same(&lab, &before), "stop %u", why);
}

TEST(rules, a_stop_is_for_good) /* EX-9 */
{
    struct svmc_exit shutdown = { .kind = SVMC_KIND_SHUTDOWN, .count = 1 };

    start("in 1 kvm");
    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &shutdown, &lab.out), SVMC_OK);
    stays_stopped(SVMC_STOP_POLICY);

    start("in 1 kvm");
    for (unsigned i = 0; i < LAB_REFUSALS; i++) {
        CHECK(fakehost_lie(lab.world.page, &honest, 0));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    }
    stays_stopped(SVMC_STOP_REFUSALS);

    start("in 1 kvm");
    for (unsigned i = 0; i <= LAB_RETRIES; i++) {
        CHECK(fakehost_prepare(lab.world.page, &honest));
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    }
    stays_stopped(SVMC_STOP_RETRIES);
}
