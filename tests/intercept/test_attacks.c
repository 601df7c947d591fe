/* SPDX-License-Identifier: MIT */
/*
 * docs/spec/attacks.md: each attack, played against the engine; AT-1 in checks/read_once.c. Of each
 * tests/checks/mutants.py takes the check out that it lives of, and runs its test alone.
 */
#include <svmcore/exit_a64.h>
#include <svmcore/exit_rv.h>
#include <svmcore/exit_svm.h>
#include <svmcore/exit_vmx.h>
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
    static const struct {
        const char *name;
        uint32_t reg;
        uint64_t given, keep, value;
    } rows[] = {
        { "in al own", SVMC_REG_RAX, 0x5a, ~(uint64_t)0xff, 0x5a },
        { "in ax own", SVMC_REG_RAX, 0x5aa5, ~(uint64_t)0xffff, 0x5aa5 },
        { "in eax own", SVMC_REG_RAX, 0x8000005a, 0, 0x8000005a },
        { "mov ah, m8 own", SVMC_REG_RAX, 0x5a, ~(uint64_t)0xff00, 0x5a00 },
        { "mov r11w, m16 own", SVMC_REG_R11, 0x8001, ~(uint64_t)0xffff, 0x8001 },
        { "movzx cx, m8 own", SVMC_REG_RCX, 0x85, ~(uint64_t)0xffff, 0x85 },
        { "movsx esi, m8 own", SVMC_REG_RSI, 0x85, 0, 0xffffff85 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t was;

        start(rows[i].name);
        was = lab.world.reg[rows[i].reg];
        honest.reply.out[0] = rows[i].given;
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
        CHECK_EQ(lab.world.reg[rows[i].reg], (was & rows[i].keep) | rows[i].value, "%s",
                 rows[i].name);
    }
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
    static const char *const names[] = { "mmio read 8 kvm", "mov r15, m64 own" }; /* both ways */
    struct fakehost_answer old;

    for (unsigned i = 0; i < 2; i++) {
        start(names[i]);
        old = honest;
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
        before = lab;
        CHECK(fakehost_send(lab.world.page, &old));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "nothing was asked");
        CHECK(lab_same(&lab, &before));
        CHECK_EQ(lab_exit(&lab, scenario_named(names[i])), SVMC_OK);
        before = lab;
        honest = old;
        refused(2);
        start(names[i]);
        honest.reply.seq ^= (uint64_t)1 << 48;
        refused(18);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &scenarios[scenario_named(names[i])].exit, &lab.out),
                 SVMC_ERR_STATE, "a question before the answer");
        CHECK(lab_same(&lab, &before));
    }
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

/* AT-7: CVE-2024-25742, CVE-2024-25743, CVE-2024-25744 */
TEST(attacks, at7_vectors_are_not_the_hosts)
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

/* AT-8: of a register that is stored, what the access carries. */
TEST(attacks, at8_a_store_shows_what_it_stores)
{
    static const char *const names[] = { "mov m8, bh own", "a64 strh w30",     "out dx, ax own",
                                         "out ax own",     "mmio write 4 kvm", "wrmsr own" };

    for (unsigned way = 0; way < 2 * sizeof names / sizeof names[0]; way++) {
        unsigned i = way / 2;
        struct svmc_exit e = scenarios[scenario_named(names[i])].exit;
        uint64_t rng = 77, mask = e.size ? UINT64_MAX >> (64 - 8 * e.size) : UINT64_MAX;

        lab_init(&lab, &rng);
        lab.vc.priv.recording = way % 2; /* what is recorded goes the whole way */
        if (e.from & SVMC_FROM_ADDRESS_REG)
            lab.world.reg[e.address_reg] = e.address;
        if (e.from & SVMC_FROM_VALUE_REG)
            lab.world.reg[e.value_reg] = UINT64_MAX;
        e.value = UINT64_MAX;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%s", names[i]);
        REQUIRE(fakehost_prepare(lab.world.page, &honest), "%s", names[i]);
        CHECK_EQ(honest.request.in[0], mask, "%s", names[i]);
    }
}

/* AT-8: of an abort that nobody emulates no register, no width, no sign: RMM 4de93bb0. */
TEST(attacks, at8_an_aborts_syndrome_stays_inside)
{
    unsigned hidden = 0;

    for (unsigned bit = 0; bit < 25; bit++) {
        struct svmc_a64_exit raw = { .esr = 0x92000007 | 1u << bit,
                                     .hpfar = 0x8000fe000000u >> 8,
                                     .spsr = 5 };
        bool shown = bit < 6 || bit == 9 || bit == 11 || bit == 12; /* DFSC, EA, SET: DEN0137 */
        struct svmc_exit exit;
        uint64_t rng = 3;

        if (svmc_exit_from_a64_abort(&raw, 48, &exit) != SVMC_OK)
            continue; /* no abort of device memory */
        hidden += !shown;
        lab_init(&lab, &rng);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK, "bit %u", bit);
        REQUIRE(fakehost_prepare(lab.world.page, &honest), "bit %u", bit);
        CHECK_EQ(honest.request.in[0] & 0x1ffffff, shown ? 0x7 | 1u << bit : 0x7, "bit %u", bit);
    }
    CHECK(hidden >= 10, "only %u: SRT, SSE, SAS, SF", hidden);
}

/* AT-9: wesee, with the cause that was the hardware's. */
TEST(attacks, at9_an_exchanged_instruction)
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

/* AT-9: each front end, given bytes that are not what the processor says it has stopped at. */
TEST(attacks, at9_bytes_of_another_instruction) /* EX-12 EX-23 EX-33 EX-37 */
{
    static const struct svmc_cpu amd = { .vendor = SVMC_VENDOR_AMD },
                                 intel = { .vendor = SVMC_VENDOR_INTEL };
    static const uint8_t cpuid[] = { 0x0f, 0xa2 }, rdmsr[] = { 0x0f, 0x32 },
                         wrmsr[] = { 0x0f, 0x30 }, wfe[] = { 0x5f, 0x20, 0x03, 0xd5 },
                         ldr[] = { 0x23, 0x00, 0x40, 0xf9 }, lw[] = { 0x03, 0xa5, 0x05, 0x00 },
                         lb[] = { 0x03, 0x85, 0x05, 0x00 };
    const struct svmc_vmx_exit vmx = {
        .exit_reason = 10, .insn_length = 2, .cs_ar = 0xa09b, .efer = 0x400, .rflags = 2
    };
    const struct svmc_a64_exit a64 = { .esr = 0x07e00001, .spsr = 0x3c5 }; /* WFE */
    const struct svmc_rv_exit rv = { .cause = 21,                          /* a load: lw a0 */
                                     .stval = 0x3f80000008,
                                     .htval = 0xfe000008 >> 2,
                                     .htinst = 0x2503,
                                     .isa = SVMC_ISA_RV64 };
    uint8_t vmcb[4096] = { 0 };
    struct svmc_exit e;

    vmcb[0x070] = 0x7c; /* MSR, EXITINFO1 0: RDMSR */
    vmcb[0x0c8] = 0x02; /* next RIP: 1002 */
    vmcb[0x0c9] = 0x10;
    vmcb[0x412] = 0x9b; /* 64-bit code */
    vmcb[0x413] = 0x02;
    vmcb[0x4d1] = 0x15; /* EFER */
    vmcb[0x570] = 0x02;
    vmcb[0x579] = 0x10; /* RIP 1000 */
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &amd, rdmsr, 2, &e), SVMC_OK);
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &amd, wrmsr, 2, &e), SVMC_ERR_MISMATCH);
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &amd, cpuid, 2, &e), SVMC_ERR_MISMATCH);
    CHECK_EQ(svmc_exit_from_vmx(&vmx, &intel, cpuid, 2, &e), SVMC_OK);
    CHECK_EQ(svmc_exit_from_vmx(&vmx, &intel, rdmsr, 2, &e), SVMC_ERR_MISMATCH);
    CHECK_EQ(svmc_exit_from_a64(&a64, wfe, 4, &e), SVMC_OK);
    CHECK_EQ(svmc_exit_from_a64(&a64, ldr, 4, &e), SVMC_ERR_MISMATCH);
    CHECK_EQ(svmc_exit_from_rv(&rv, lw, 4, &e), SVMC_OK);
    CHECK_EQ(svmc_exit_from_rv(&rv, lb, 4, &e), SVMC_ERR_MISMATCH);
}

/* AT-9: whoever made the exit, a program reaches no device, and nobody hears of it. */
TEST(attacks, at9_the_users_mode_as_a_deputy) /* EX-17; CVE-2023-46813 */
{
    unsigned tried = 0;

    for (unsigned n = 0; n < scenario_count; n++) {
        struct svmc_exit e = scenarios[n].exit;
        uint64_t rng = 7;

        if (e.kind != SVMC_KIND_MMIO_READ && e.kind != SVMC_KIND_MMIO_WRITE)
            continue;
        tried++;
        e.user = 1;
        lab_init(&lab, &rng);
        before = lab;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%s", scenarios[n].name);
        CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%s", scenarios[n].name);
        CHECK(lab_same(&lab, &before), "%s", scenarios[n].name);
        CHECK_MEM(lab.world.page, before.world.page, SVMC_PAGE_BYTES, "%s", scenarios[n].name);
    }
    CHECK(tried >= 10, "only %u", tried);
}

/* One question about the time, at a clock, and what the host says to it. */
static void tell(uint64_t clock, uint64_t time, bool taken)
{
    lab.world.clock = clock;
    CHECK_EQ(lab_exit(&lab, scenario_named("rdtsc own")), SVMC_OK);
    REQUIRE(fakehost_prepare(lab.world.page, &honest));
    honest.reply.out[0] = time & UINT32_MAX;
    honest.reply.out[1] = time >> 32;
    lab.world.clock = clock;
    before = lab;
    if (!taken) {
        refused(13);
        svmc_vcpu_cancel(&lab.vc);
        return;
    }
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], time);
}

TEST(attacks, at10_a_time_that_goes_back_or_too_fast) /* AT-10; more of it in test_time.c */
{
    struct svmc_host_ops ops = world_ops;
    uint64_t rng = 77;

    lab_init(&lab, &rng);
    tell(50, 1000, true);
    tell(60, 999, false);
    tell(60, 1000, true);
    tell(70, 1011, false);
    tell(70, 1010, true);
    tell(80, UINT64_MAX, false);
    ops.size = offsetof(struct svmc_host_ops, ticks); /* without a clock to compare with */
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7), SVMC_OK);
    tell(0, 1000, true);
    tell(0, 999, false);
    tell(0, 1000, true);
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

TEST(attacks, at11_every_kind_has_a_verdict) /* AT-11 */
{
    uint64_t rng = 5;

    lab_init(&lab, &rng);
    for (unsigned kind = 0; kind < 65536; kind++) {
        struct svmc_exit e = { .kind = (uint16_t)kind, .count = 1 };

        if ((kind & 0xf80) == 0) /* of those some are */
            continue;
        REQUIRE(svmc_vcpu_exit(&lab.vc, &e, &lab.out) == SVMC_OK, "kind %x", kind);
        REQUIRE(lab.out.action == SVMC_ACT_INJECT && lab.out.fault.vector == 6, "kind %x", kind);
    }
}

TEST(attacks, at12_a_guest_is_not_held_for_ever) /* AT-12 */
{
    unsigned turns = 0;

    start("ins 1 kvm");
    do { /* a host that never gets done */
        REQUIRE(fakehost_prepare(lab.world.page, &honest));
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
        CHECK(fakehost_send(lab.world.page, &honest));
        REQUIRE(svmc_vcpu_enter(&lab.vc, &lab.out) == SVMC_OK);
    } while (lab.out.action == SVMC_ACT_DELEGATED && ++turns < 1000);
    CHECK_EQ(lab.out.stop, SVMC_STOP_RETRIES);
    CHECK_EQ(turns, LAB_RETRIES);
    start("ins 1 kvm"); /* one that does a part, of no element */
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = honest.reply.data_bytes = 0;
    refused(11);
    start("ins 1 kvm"); /* and one that always lies */
    for (turns = 1; turns < LAB_REFUSALS; turns++) {
        honest.reply.status = SVMC_REPLY_FAULT;
        refused(4);
    }
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.stop, SVMC_STOP_REFUSALS);
}

/* AT-13: whatever the host has written all over the page, too, where the policy wipes it all. */
TEST(attacks, at13_what_is_not_declared_is_zero)
{
    static const uint8_t zero[SVMC_PAGE_DATA_BYTES];
    const uint8_t *page = lab.world.page;

    for (unsigned n = 0; n < 2 * scenario_count; n++) {
        const char *name = scenarios[n / 2].name;
        uint64_t rng = 77;
        size_t data;

        lab.full_wipe = n % 2 != 0;
        lab_init(&lab, &rng);
        if (lab.full_wipe)
            memset(lab.world.page, 0xa5, SVMC_PAGE_BYTES);
        CHECK_EQ(lab_exit(&lab, n / 2), SVMC_OK, "%s", name);
        data = page[0x0a] == 2 && page[0x0b] & 2 ? (page[0x38] | page[0x39] << 8u) * page[0x3c] : 0;
        CHECK_MEM(page + 0x19, zero, 7, "%s: which slots", name);
        CHECK_MEM(page + 0x28, zero, 8, "%s: instruction", name);
        for (unsigned slot = 0; slot < 8; slot++)
            if (!(page[0x18] >> slot & 1))
                CHECK_MEM(page + 0x40 + 8 * slot, zero, 8, "%s: slot %u", name, slot);
        CHECK_MEM(page + 0x80, zero, 0x80, "%s: reserved", name);
        CHECK_MEM(page + 0x100, zero, 0x100, "%s: reply", name);
        CHECK_MEM(page + 0x200 + data, zero, SVMC_PAGE_DATA_BYTES - data, "%s: data", name);
    }
    lab.full_wipe = false;
    for (unsigned n = 0; n < scenario_count; n++) { /* what one exit leaves, the next has not */
        uint64_t rng = 77;

        lab_init(&lab, &rng);
        for (unsigned turn = 0; turn < 2; turn++) {
            CHECK_EQ(lab_exit(&lab, turn ? scenario_named("in 1 kvm") : n), SVMC_OK);
            REQUIRE(fakehost_prepare(lab.world.page, &honest), "%s", scenarios[n].name);
            CHECK(fakehost_send(lab.world.page, &honest));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", scenarios[n].name);
            CHECK_MEM(page, zero, 0x200, "%s, %u", scenarios[n].name, turn);
            CHECK_MEM(page + 0x200, zero, SVMC_PAGE_DATA_BYTES, "%s", scenarios[n].name);
        }
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
