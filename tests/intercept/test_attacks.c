/* SPDX-License-Identifier: MIT */
/* docs/spec/attacks.md: each attack, played against the engine. AT-1 is in checks/read_once.c. */
#include <svmcore/exit_a64.h>
#include <svmcore/guest/hypercall.h>

#include "scenarios.h"

static struct lab lab, before;
static struct fakehost_answer honest;

static void start(const char *name)
{
    uint64_t rng = 77;

    lab_init(&lab, &rng);
    CHECK_EQ(lab_exit(&lab, scenario_named(name)), SVMC_OK, "%s", name);
    REQUIRE(fakehost_prepare(lab.world.page, &honest), "%s", name);
    before = lab;
}

/* Send what `honest` has become; it must break `rule` and change nothing. */
static void refused(unsigned rule)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, rule);
    CHECK(lab_same(&lab, &before));
}

TEST(attacks, at2_a_length_of_the_hosts_own) /* AT-2 */
{
    for (uint32_t more = 1; more < 3000; more += 7) {
        start("ins 1 kvm");
        honest.reply.done += more;
        honest.reply.data_bytes += more;
        refused(11);
        start("ins 1 kvm");
        honest.reply.data_bytes += more;
        refused(11);
    }
}

TEST(attacks, at3_a_result_wider_than_its_register) /* AT-3 */
{
    for (unsigned bit = 32; bit < 64; bit++) {
        start("in eax own");
        honest.reply.out[0] |= (uint64_t)1 << bit;
        refused(8);
        start("cpuid own");
        honest.reply.out[bit & 3] |= (uint64_t)1 << bit;
        refused(8);
    }
}

TEST(attacks, at4_a_narrow_result_keeps_the_rest) /* AT-4 */
{
    uint64_t rax;

    start("in al own");
    rax = lab.world.reg[SVMC_REG_RAX];
    honest.reply.out[0] = 0x5a;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], (rax & ~(uint64_t)0xff) | 0x5a);
}

TEST(attacks, at5_a_result_that_is_owed) /* AT-5 */
{
    for (unsigned missing = 0; missing < 3; missing++) {
        start("rdmsr own");
        honest.reply.out_valid = missing;
        honest.reply.out[0] = honest.reply.out[1] = 0;
        refused(6);
    }
}

TEST(attacks, at6_an_answer_to_nothing_or_to_another) /* AT-6 */
{
    struct fakehost_answer old;

    start("mmio read 8 kvm");
    old = honest;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK(fakehost_send(lab.world.page, &old));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "nothing was asked");
    CHECK_EQ(lab_exit(&lab, scenario_named("mmio read 8 kvm")), SVMC_OK);
    before = lab;
    honest = old;
    refused(2);
    start("mmio read 8 kvm");
    honest.reply.seq ^= (uint64_t)1 << 48;
    refused(18);
}

/* The one fault that a kind's host may ask for: docs/spec/reply.md, R4. */
static unsigned legal_fault(uint16_t kind)
{
    switch (kind) {
    case SVMC_KIND_RDMSR:
    case SVMC_KIND_WRMSR:
    case SVMC_KIND_RDPMC:
    case SVMC_KIND_MAP_GPA:
    case SVMC_KIND_DATA_ABORT:
        return SVMC_FAULT_GP;
    case SVMC_KIND_SYSREG_READ:
    case SVMC_KIND_SYSREG_WRITE:
    case SVMC_KIND_RDCOUNTER:
        return SVMC_FAULT_UD;
    default:
        return SVMC_FAULT_NONE;
    }
}

TEST(attacks, at7_vectors_are_not_the_hosts) /* AT-7 */
{
    for (unsigned n = 0; n < scenario_count; n++) {
        unsigned legal = legal_fault(scenarios[n].exit.kind);

        if (scenarios[n].exit.isa == SVMC_ISA_S390X ||
            scenarios[n].exit.kind == SVMC_KIND_DATA_ABORT)
            continue; /* legal_exceptions_are_the_operations_own, test_s390.c; test_request.c */

        for (unsigned code = 0; code < 256; code++) {
            start(scenarios[n].name);
            honest.reply =
                (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_FAULT };
            honest.reply.fault = code;
            CHECK(fakehost_send(lab.world.page, &honest));
            if (code == legal && legal != SVMC_FAULT_NONE) {
                CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
                CHECK_EQ(lab.out.fault.vector,
                         legal == SVMC_FAULT_GP                          ? 13
                         : scenarios[n].exit.kind == SVMC_KIND_RDCOUNTER ? 2
                                                                         : 0,
                         "#GP; illegal instruction; EC 0");
                CHECK_EQ(lab.out.fault.error, 0);
                continue;
            }
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "%s %u",
                     scenarios[n].name, code);
            CHECK(lab_same(&lab, &before), "%s %u", scenarios[n].name, code);
        }
    }
}

/* AT-8: the registers that A64 names are the same X0 for whoever looks. */
TEST(attacks, at8_the_syndromes_register_stays_inside)
{
    uint8_t first[SVMC_PAGE_BYTES];

    for (uint32_t srt = 0; srt < 32; srt++) {
        struct svmc_a64_exit raw = {
            .esr = 0x93800007 | srt << 16, .far = 0x10, .hpfar = 0xfe000000u >> 8, .spsr = 5
        };
        struct svmc_exit exit;
        uint64_t rng = 3;

        lab_init(&lab, &rng);
        CHECK_EQ(svmc_exit_from_a64(&raw, NULL, 0, &exit), SVMC_OK);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
        if (srt == 0)
            memcpy(first, lab.world.page, sizeof first);
        CHECK_MEM(lab.world.page, first, sizeof first, "register %u", srt);
    }
}

TEST(attacks,
     at9_an_exchanged_instruction) /* AT-9: wesee, with the cause that was the hardware's */
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                         .vendor = SVMC_VENDOR_AMD,
                                         .features = { UINT64_MAX, UINT64_MAX } };
    static const struct {
        const char *bytes;
        size_t count;
        enum svmc_insn_class is;
    } insns[] = {
        { "\x0f\xa2", 2, SVMC_CLASS_CPUID },   { "\x0f\x32", 2, SVMC_CLASS_MSR },
        { "\xf4", 1, SVMC_CLASS_IDLE },        { "\xec", 1, SVMC_CLASS_PORT },
        { "\x6c", 1, SVMC_CLASS_STRING_PORT }, { "\x0f\x01\xd9", 3, SVMC_CLASS_HYPERCALL },
        { "\x8b\x03", 2, SVMC_CLASS_MEMORY },
    };
    const unsigned count = sizeof insns / sizeof insns[0];

    for (unsigned at_rip = 0; at_rip < count; at_rip++)
        for (unsigned cause = 0; cause < count; cause++) {
            struct svmc_insn insn;
            struct svmc_exit exit;

            CHECK_EQ(svmc_insn_decode(&cpu, (const uint8_t *)insns[at_rip].bytes,
                                      insns[at_rip].count, &insn),
                     SVMC_OK);
            CHECK_EQ(svmc_exit_from_insn(&insn, insns[cause].is, (svmc_gpa){ LAB_GPA }, &exit),
                     at_rip == cause ? SVMC_OK : SVMC_ERR_MISMATCH, "%u %u", at_rip, cause);
        }
}

TEST(attacks, at11_every_number_has_an_answer) /* AT-11 */
{
    uint64_t rng = 5;

    lab_init(&lab, &rng);
    for (unsigned number = 0; number < 70000; number += number < 300 ? 1 : 397) {
        struct svmc_exit call = { .kind = SVMC_KIND_HYPERCALL,
                                  .count = 1,
                                  .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                  .insn_bytes = 3 };

        lab.world.reg[SVMC_REG_RAX] = (uint64_t)SVMC_HCALL_ABI << 56 | number;
        REQUIRE(svmc_vcpu_exit(&lab.vc, &call, &lab.out) == SVMC_OK, "%u", number);
        CHECK_EQ(lab.out.action, number == LAB_HCALL ? SVMC_ACT_DELEGATED : SVMC_ACT_RESUME, "%u",
                 number);
        if (number != LAB_HCALL)
            CHECK_EQ(lab.world.reg[SVMC_REG_RAX], SVMC_HCALL_NOT_DEFINED, "%u", number);
        svmc_vcpu_cancel(&lab.vc);
    }
}

TEST(attacks, at12_a_guest_is_not_held_for_ever) /* AT-12 */
{
    unsigned turns = 0;

    start("ins 1 kvm");
    do { /* a host that never gets done: retries, then one element, then nothing */
        REQUIRE(fakehost_prepare(lab.world.page, &honest));
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
        CHECK(fakehost_send(lab.world.page, &honest));
        REQUIRE(svmc_vcpu_enter(&lab.vc, &lab.out) == SVMC_OK);
    } while (lab.out.action == SVMC_ACT_DELEGATED && ++turns < 1000);
    CHECK_EQ(lab.out.stop, SVMC_STOP_RETRIES);
    CHECK_EQ(turns, LAB_RETRIES);
}

TEST(attacks, at13_what_is_not_declared_is_zero) /* AT-13 */
{
    static const uint8_t zero[SVMC_PAGE_DATA_BYTES];

    for (unsigned n = 0; n < scenario_count; n++) {
        const uint8_t *page = lab.world.page;
        size_t data;

        start(scenarios[n].name);
        data = page[0x0a] == 2 && page[0x0b] & 2 ? (page[0x38] | page[0x39] << 8u) * page[0x3c] : 0;
        CHECK_MEM(lab.world.page + 0x80, zero, 0x180, "%s", scenarios[n].name);
        CHECK_MEM(lab.world.page + 0x200 + data, zero, SVMC_PAGE_DATA_BYTES - data, "%s",
                  scenarios[n].name);
    }
}

TEST(attacks, at14_the_page_says_nothing_about_an_exit) /* AT-14 */
{
    uint8_t first[SVMC_PAGE_BYTES];

    for (unsigned n = 0; n < scenario_count; n++)
        for (unsigned fill = 0; fill < 2; fill++) {
            uint64_t rng = 9;

            lab.full_wipe = true;
            lab_init(&lab, &rng);
            memset(lab.world.page, fill ? 0xff : 0, SVMC_PAGE_BYTES);
            CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
            if (fill == 0)
                memcpy(first, lab.world.page, sizeof first);
            CHECK_MEM(lab.world.page, first, sizeof first, "%s", scenarios[n].name);
        }
    lab.full_wipe = false;
}
