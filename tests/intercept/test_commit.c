/* SPDX-License-Identifier: MIT */
/*
 * What a taken reply does to the guest. Expected values by hand: AMD APM vol. 1, 3.1.2 (partial
 * register writes), vol. 3 (MOVSX, MOVZX, IN, INS, OUTS, CPUID, RDMSR).
 */
#include "scenarios.h"

#include <svmcore/guest/hypercall.h>

#define OLD     0x1111222233334444u
#define PATTERN FAKEHOST_PATTERN /* 0x8877665544332211 */

static struct lab lab;
static struct fakehost_answer honest;

static void start(const char *name)
{
    uint64_t rng = 5;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < WORLD_REGS; i++)
        lab.world.reg[i] = OLD;
    CHECK_EQ(lab_exit(&lab, scenario_named(name)), SVMC_OK, "%s", name);
    CHECK(fakehost_prepare(lab.world.page, &honest));
}

static void finish(void)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
}

TEST(commit, registers_merge_as_the_manual_says) /* R9 */
{
    static const struct {
        char name[24];
        unsigned reg;
        uint64_t want;
    } rows[] = {
        { "in al own", SVMC_REG_RAX, 0x1111222233334411 },
        { "in ax own", SVMC_REG_RAX, 0x1111222233332211 },
        { "in eax own", SVMC_REG_RAX, 0x0000000044332211 },
        { "mov ah, m8 own", SVMC_REG_RAX, 0x1111222233331144 },
        { "mov r11w, m16 own", SVMC_REG_R11, 0x1111222233332211 },
        { "mov ebx, m32 own", SVMC_REG_RBX, 0x0000000044332211 },
        { "mov r15, m64 own", SVMC_REG_R15, 0x8877665544332211 },
        { "movzx cx, m8 own", SVMC_REG_RCX, 0x1111222233330011 },
        { "movsx rdx, m16 own", SVMC_REG_RDX, 0x0000000000002211 },
        { "movsx esi, m8 own", SVMC_REG_RSI, 0x0000000000000011 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(rows[i].name);
        finish();
        for (unsigned r = 0; r < WORLD_REGS; r++)
            CHECK_EQ(lab.world.reg[r],
                     r == rows[i].reg    ? rows[i].want
                     : r == SVMC_REG_RIP ? OLD + 3
                                         : OLD,
                     "%s: register %u", rows[i].name, r);
    }
}

TEST(commit, sign_is_extended)
{
    start("movsx rdx, m16 own");
    honest.reply.out[0] = 0x8001;
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], 0xffffffffffff8001u);
    start("movsx esi, m8 own");
    honest.reply.out[0] = 0x80;
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RSI], 0x00000000ffffff80u, "32-bit results zero the rest");
}

TEST(commit, cpuid_and_msr_zero_the_upper_halves)
{
    start("cpuid own");
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], 0x44332211);
    CHECK_EQ(lab.world.reg[SVMC_REG_RBX], 0x44332212);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 0x44332213);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], 0x44332214);
    start("rdmsr own");
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], 0x44332211);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], 0x44332212);
    CHECK_EQ(lab.world.reg[SVMC_REG_RBX], OLD);
    start("rdmsr kvm");
    finish();
    REQUIRE(lab.out.data_bytes == 8);
    CHECK_MEM(lab.out.data, "\x11\x22\x33\x44\x12\x22\x33\x44", 8, "EAX then EDX");
}

TEST(commit, ins_moves_memory_then_registers)
{
    start("ins 4 own");
    finish();
    CHECK_MEM(lab.world.memory + 0x100, honest.data, 20);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDI], WORLD_LINEAR + 0x100 + 20);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 0);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], OLD + 3);

    start("ins 2 own, crosses a page");
    finish();
    CHECK_MEM(lab.world.memory + 0xffb, honest.data, 10, "over the edge");
}

TEST(commit, a_part_leaves_rip_on_the_instruction) /* EX-7 */
{
    uint8_t old[32];

    start("ins 4 own");
    memcpy(old, lab.world.memory + 0x100, sizeof old);
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = 2;
    honest.reply.data_bytes = 8;
    finish();
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    CHECK_MEM(lab.world.memory + 0x100, honest.data, 8);
    CHECK_MEM(lab.world.memory + 0x108, old + 8, 16, "and not more");
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 3);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDI], WORLD_LINEAR + 0x108);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], OLD, "the guest executes it again");
}

TEST(commit, outs_shows_guest_memory_and_steps_rsi)
{
    struct svmc_request r;
    uint8_t data[64];

    start("outs 4 own, crosses a page");
    CHECK_EQ(svmc_request_read(lab.world.page, &r, data, sizeof data), SVMC_OK);
    CHECK_MEM(data, lab.world.memory + 0x1ff6, 20);
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RSI], WORLD_LINEAR + 0x1ff6 + 20);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 0);
}

static struct svmc_exit own_ins(uint64_t at, uint32_t count)
{
    return (struct svmc_exit){ .kind = SVMC_KIND_INS,
                               .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                               .insn_bytes = 2,
                               .size = 4,
                               .count = count,
                               .address = LAB_PORT,
                               .address_bytes = 8,
                               .repeat = 1,
                               .buffer = { WORLD_LINEAR + at } };
}

static void take(const struct svmc_exit *exit)
{
    uint64_t rng = 6;

    lab_init(&lab, &rng);
    lab.world.hole[2] = true;
    lab.world.reg[SVMC_REG_RCX] = exit->count;
    lab.world.reg[SVMC_REG_RDI] = exit->buffer.v;
    lab.world.reg[SVMC_REG_RIP] = OLD;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, exit, &lab.out), SVMC_OK);
}

TEST(commit, faults_are_found_before_the_host_hears_of_it) /* EX-7 */
{
    static const uint8_t empty[SVMC_PAGE_BYTES];
    struct svmc_exit exit = own_ins(0x2000, 4);

    take(&exit); /* the first element has no page */
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 14);
    CHECK_EQ(lab.out.fault.address, WORLD_LINEAR + 0x2000);
    CHECK_MEM(lab.world.page, empty, sizeof empty, "the host learned nothing");

    exit = own_ins(0x1ff0, 8); /* four elements before the hole */
    take(&exit);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.count, 4);
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 4);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], OLD);

    exit = own_ins(0x1ffe, 1); /* the element itself lies half in the hole */
    take(&exit);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.address, WORLD_LINEAR + 0x2000);
}

TEST(commit, backwards_one_at_a_time)
{
    struct svmc_exit exit = own_ins(0x100, 3);

    exit.backward = 1;
    take(&exit);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.count, 1);
    finish();
    CHECK_MEM(lab.world.memory + 0x100, honest.data, 4);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDI], WORLD_LINEAR + 0x100 - 4);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 2);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], OLD);
}

TEST(commit, a_count_of_zero_only_moves_rip)
{
    struct svmc_exit exit = own_ins(0x2000, 0); /* the hole is never touched */

    take(&exit);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], OLD + 2);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDI], WORLD_LINEAR + 0x2000);
}

TEST(commit, hypercalls_return_status_and_results) /* HC-3 HC-4 */
{
    start("hypercall by doorbell");
    CHECK_EQ(honest.request.kind, SVMC_KIND_HYPERCALL);
    CHECK_EQ(honest.request.address, LAB_HCALL);
    CHECK_EQ(honest.request.in_valid, 0x3f);
    CHECK_EQ(honest.request.in[5], OLD);
    finish();
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], SVMC_HCALL_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDI], PATTERN + 1);
    CHECK_EQ(lab.world.reg[SVMC_REG_RSI], PATTERN + 2);
    CHECK_EQ(lab.world.reg[SVMC_REG_R8], PATTERN + 3);
    CHECK_EQ(lab.world.reg[SVMC_REG_R9], OLD);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], OLD, "KVM ends the OUT itself");
}

TEST(commit, undefined_hypercalls_stay_inside) /* HC-2 HC-3 */
{
    static const uint8_t empty[SVMC_PAGE_BYTES];
    static const struct {
        uint64_t control;
        uint64_t want;
    } rows[] = {
        { (uint64_t)1 << 56 | 4, SVMC_HCALL_NOT_DEFINED },
        { (uint64_t)1 << 56 | 64, SVMC_HCALL_NOT_DEFINED },
        { (uint64_t)1 << 56 | 0xffff, SVMC_HCALL_NOT_DEFINED },
        { (uint64_t)1 << 56 | 1 << 16 | LAB_HCALL, SVMC_HCALL_NOT_DEFINED },
        { (uint64_t)2 << 56 | LAB_HCALL, SVMC_HCALL_VERSION },
        { LAB_HCALL, SVMC_HCALL_VERSION },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exit exit = {
            .kind = SVMC_KIND_OUT, .size = 4, .count = 1, .address = SVMC_HCALL_PORT
        };
        uint64_t rng = 3, rdi;

        lab_init(&lab, &rng);
        rdi = lab.world.reg[SVMC_REG_RDI];
        lab.world.reg[SVMC_REG_RAX] = rows[i].control;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK, "row %u", i);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "row %u", i);
        CHECK_EQ(lab.world.reg[SVMC_REG_RAX], rows[i].want, "row %u", i);
        CHECK_EQ(lab.world.reg[SVMC_REG_RDI], rdi, "row %u", i);
        CHECK_MEM(lab.world.page, empty, sizeof empty, "row %u: the host learned nothing", i);
    }
}

TEST(commit, the_ledger_counts_what_went_in)
{
    struct svmc_exit exit = own_ins(0x100, 4);
    struct svmc_stats stats;

    take(&exit);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    lab.world.hole[0] = true; /* unmapped meanwhile: nothing goes in */
    finish();
    CHECK_EQ(svmc_vcpu_stats(&lab.vc, &stats), SVMC_OK);
    CHECK_EQ(stats.bytes_accepted, 0);
    start("ins 1 kvm");
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = honest.reply.data_bytes = 2;
    finish();
    CHECK(fakehost_prepare(lab.world.page, &honest));
    finish();
    CHECK_EQ(svmc_vcpu_stats(&lab.vc, &stats), SVMC_OK);
    CHECK_EQ(stats.bytes_accepted, 5, "both chunks");
    start("cpuid own");
    finish();
    CHECK_EQ(svmc_vcpu_stats(&lab.vc, &stats), SVMC_OK);
    CHECK_EQ(stats.bytes_accepted, 16);
    CHECK_EQ(stats.bytes_shown, 8);
}

TEST(commit, an_ignored_outs_still_reads_its_source) /* EX-6 */
{
    struct svmc_exit exit = own_ins(0x2000, 2);

    exit.kind = SVMC_KIND_OUTS;
    exit.address = 0x90;
    take(&exit); /* a port that is not listed: the fault of the port */
    CHECK_EQ(lab.out.fault.vector, 13);
    CHECK_EQ(svmc_policy_init(&lab.policy, 1, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_CONST),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&lab.policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 14);
    exit.buffer.v = WORLD_LINEAR + 0x100;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], 0);
}
