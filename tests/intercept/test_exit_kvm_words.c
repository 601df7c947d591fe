/* SPDX-License-Identifier: MIT */
/* EX-61: struct kvm_run of arm64 and RISC-V. Bytes by hand from the KVM ABI. */
#include "scenarios.h"

#include <svmcore/exit_a64.h>
#include <svmcore/exit_kvm.h>
#include <svmcore/exit_rv.h>

#if defined(__linux__) && !defined(__s390x__)
#include <linux/kvm.h>
_Static_assert(offsetof(struct kvm_run, exit_reason) == 8, "the ABI we read by offset");
_Static_assert(offsetof(struct kvm_run, mmio.phys_addr) == 32, "mmio.phys_addr");
_Static_assert(offsetof(struct kvm_run, mmio.data) == 40, "mmio.data");
_Static_assert(offsetof(struct kvm_run, mmio.len) == 48, "mmio.len");
_Static_assert(offsetof(struct kvm_run, mmio.is_write) == 52, "mmio.is_write");
_Static_assert(offsetof(struct kvm_run, system_event.type) == 32, "system_event.type");
_Static_assert(offsetof(struct kvm_run, arm_nisv.esr_iss) == 32, "arm_nisv.esr_iss");
_Static_assert(offsetof(struct kvm_run, arm_nisv.fault_ipa) == 40, "arm_nisv.fault_ipa");
_Static_assert(offsetof(struct kvm_run, hypercall.longmode) == 96, "hypercall.flags, since 6.4");
_Static_assert(offsetof(struct kvm_run, riscv_sbi.ret) == 96, "riscv_sbi.ret");
_Static_assert(offsetof(struct kvm_run, riscv_csr.csr_num) == 32, "riscv_csr.csr_num");
_Static_assert(offsetof(struct kvm_run, riscv_csr.new_value) == 40, "riscv_csr.new_value");
_Static_assert(offsetof(struct kvm_run, riscv_csr.write_mask) == 48, "riscv_csr.write_mask");
_Static_assert(offsetof(struct kvm_run, riscv_csr.ret_value) == 56, "riscv_csr.ret_value");
_Static_assert(KVM_EXIT_RISCV_CSR == 36, "reasons");
_Static_assert(KVM_EXIT_HYPERCALL == 3 && KVM_EXIT_RISCV_SBI == 35, "reasons");
_Static_assert(KVM_EXIT_MMIO == 6 && KVM_EXIT_SHUTDOWN == 8, "reasons");
_Static_assert(KVM_EXIT_SYSTEM_EVENT == 24 && KVM_EXIT_ARM_NISV == 28, "reasons");
_Static_assert(KVM_SYSTEM_EVENT_SHUTDOWN == 1 && KVM_SYSTEM_EVENT_RESET == 2, "events");
_Static_assert(KVM_SYSTEM_EVENT_CRASH == 3, "events");
#endif

#define STR_X3  0xf9000c23u /* str x3, [x1, #24] */
#define LDP_X34 0xa9401023u /* ldp x3, x4, [x1] */
#define LDRSB   0x39c00062u /* ldrsb w2, [x3] */

static uint8_t run[4096];
static struct svmc_exit exit_;
static const struct svmc_exit zero;
static uint32_t word; /* the instruction; 0: none */

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        run[at + i] = (uint8_t)(value >> (8 * i));
}

static void mmio(uint64_t gpa, unsigned len, unsigned write)
{
    memset(run, 0, sizeof run);
    put(8, 4, 6);
    put(32, 8, gpa);
    put(40, 8, 0x8877665544332211);
    put(48, 4, len);
    put(52, 1, write);
}

static void nisv(uint64_t iss, uint64_t ipa, uint32_t insn)
{
    memset(run, 0, sizeof run);
    put(8, 4, 28);
    put(32, 8, iss);
    put(40, 8, ipa);
    word = insn;
}

static void csr(uint64_t number, uint64_t new_value, uint64_t mask)
{
    memset(run, 0, sizeof run);
    put(8, 4, 36);
    put(32, 8, number);
    put(40, 8, new_value);
    put(48, 8, mask);
    put(56, 8, 0x7777);
}

static enum svmc_status parse(bool a64)
{
    const uint8_t bytes[4] = { (uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                               (uint8_t)(word >> 24) };

    memset(&exit_, 0xee, sizeof exit_);
    if (!a64)
        return svmc_exit_from_kvm_rv(run, sizeof run, &exit_);
    return svmc_exit_from_kvm_a64(run, sizeof run, word ? bytes : NULL, word ? 4 : 0, &exit_);
}

TEST(exit_kvm_words, device_memory_is_finished_by_kvm) /* EX-61 */
{
    for (unsigned a64 = 0; a64 < 2; a64++) {
        struct svmc_outcome o = { .action = SVMC_ACT_RESUME };

        word = 0;
        mmio(0x9000018, 4, 1);
        CHECK_EQ(parse(a64), SVMC_OK);
        CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
        CHECK_EQ(exit_.address, 0x9000018);
        CHECK_EQ(exit_.size, 4);
        CHECK_EQ(exit_.count, 1);
        CHECK_EQ(exit_.value, 0x44332211);
        CHECK_EQ(exit_.finish, SVMC_FINISH_BACKEND);
        CHECK_EQ(exit_.isa, a64 ? SVMC_ISA_A64 : SVMC_ISA_RV64);
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK, "a write wants nothing");
        mmio(0x9000018, 2, 0);
        CHECK_EQ(parse(a64), SVMC_OK);
        CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
        CHECK_EQ(exit_.value, 0);
        o.data = (const uint8_t *)"\xaa\xbb";
        o.data_bytes = 2;
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
        CHECK_MEM(run + 40, "\xaa\xbb\x33", 3, "2 bytes and not more");
    }
}

TEST(exit_kvm_words, other_reasons_and_events) /* EX-61 */
{
    for (unsigned a64 = 0; a64 < 2; a64++)
        for (unsigned reason = 0; reason < 64; reason++)
            for (unsigned type = 0; type < 8; type++) {
                bool ends = reason == 8 || (reason == 24 && type >= 1 && type <= 3);

                memset(run, 0, sizeof run);
                word = 0;
                put(8, 4, reason);
                put(32, 4, type);
                if (reason == 6 || (a64 ? reason == 28 || reason == 3 : reason == 35))
                    continue;
                CHECK_EQ(parse(a64), ends ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%u.%u", reason, type);
                CHECK_EQ(exit_.kind, ends ? SVMC_KIND_SHUTDOWN : 0, "%u.%u", reason, type);
            }
    put(8, 4, 24);
    put(32, 4, 0x80000001);
    CHECK_EQ(parse(true), SVMC_ERR_UNSUPPORTED, "a type is 32 bits");
}

TEST(exit_kvm_words, a_syndrome_that_is_not_valid_needs_the_instruction) /* EX-61 EX-33 */
{
    nisv(0x46, 0x9000018, STR_X3); /* WnR, translation fault level 2 */
    CHECK_EQ(parse(true), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    CHECK_EQ(exit_.address, 0x9000018, "the page and the offset in it");
    CHECK_EQ(exit_.size, 8);
    CHECK_EQ(exit_.from, SVMC_FROM_VALUE_REG);
    CHECK_EQ(exit_.value_reg, SVMC_REG_X0 + 3);
    CHECK_EQ(exit_.finish, SVMC_FINISH_REGS | SVMC_FINISH_RIP, "KVM does not skip it");
    CHECK_EQ(exit_.insn_bytes, 4);
    CHECK_EQ(exit_.user, 0);
    nisv(0x07, 0xffffffffff123, LDRSB); /* 52 bits of address */
    CHECK_EQ(parse(true), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(exit_.address, 0xffffffffff123);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_X0 + 2);
    CHECK_EQ(exit_.dest_extend, SVMC_EXTEND_SIGN);
    CHECK_EQ(exit_.dest_bytes, 4);
    CHECK_EQ(parse(false), SVMC_ERR_UNSUPPORTED, "not a reason of RISC-V");
}

/* The exit is the one that the exception itself would have been, but for who ends it. */
static void check_same(const struct svmc_exit *said, unsigned finish)
{
    struct svmc_exit want = *said;

    want.finish = (uint8_t)finish;
    want.insn_bytes = 0;
    CHECK_MEM(&exit_, &want, sizeof want);
}

TEST(exit_kvm_words, calls) /* EX-61 */
{
    struct svmc_a64_exit a64 = { .esr = 0x5a000000, .spsr = 5 }; /* HVC #0 from EL1h */
    const struct svmc_rv_exit rv = { .cause = 10, .isa = SVMC_ISA_RV64 };
    struct svmc_outcome o = { .action = SVMC_ACT_RESUME };
    struct svmc_exit said;
    uint8_t before[sizeof run];

    for (uint64_t flags = 0; flags < 8; flags++) {
        memset(run, 0, sizeof run);
        word = 0;
        put(8, 4, 3);
        put(32, 8, 0x84000000); /* PSCI_VERSION */
        put(96, 8, flags);
        CHECK_EQ(parse(true), flags < 2   ? SVMC_OK
                              : flags < 4 ? SVMC_ERR_UNSUPPORTED
                                          : SVMC_ERR_MISMATCH);
        if (flags >= 2) {
            CHECK_MEM(&exit_, &zero, sizeof zero);
            continue;
        }
        a64.esr = flags ? 0x5e000000 : 0x5a000000;
        CHECK_EQ(svmc_exit_from_a64(&a64, NULL, 0, &said), SVMC_OK);
        check_same(&said, SVMC_FINISH_REGS);
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK, "nothing to do");
    }
    memset(run, 0x11, sizeof run);
    put(8, 4, 35);
    CHECK_EQ(parse(false), SVMC_OK);
    CHECK_EQ(svmc_exit_from_rv(&rv, NULL, 0, &said), SVMC_OK);
    check_same(&said, SVMC_FINISH_BACKEND);
    memcpy(before, run, sizeof run);
    o.data = (const uint8_t *)"0123456789abcdef";
    for (unsigned bytes = 1; bytes < 20; bytes++) {
        o.data_bytes = bytes;
        if (bytes != 8 && bytes != 16)
            CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_MISMATCH, "%u", bytes);
    }
    CHECK_MEM(run, before, sizeof run);
    o.data_bytes = 16;
    CHECK_EQ(svmc_kvm_complete(run, 111, &o), SVMC_ERR_MISMATCH, "no room");
    CHECK_MEM(run, before, sizeof run);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    memcpy(before + 96, o.data, 16);
    CHECK_MEM(run, before, sizeof run);
    put(48, 8, 0xa0a0);
    put(56, 8, 0xa1a1);
    memcpy(before, run, sizeof run);
    o.data_bytes = 8; /* EX-56: a legacy extension keeps a1, which KVM writes all the same */
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    memcpy(before + 96, o.data, 8);
    memcpy(before + 104, before + 56, 8);
    CHECK_MEM(run, before, sizeof run);
    o.data_bytes = 0;
    o.data = NULL;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    memcpy(before + 96, before + 48, 16);
    CHECK_MEM(run, before, sizeof run);
}

/* EX-61: from the structure to the guest's registers: a call that a host answers, and one inside */
TEST(exit_kvm_words, calls_reach_the_host) /* EX-61 EX-53 EX-54 */
{
    static struct lab lab;
    struct fakehost_answer honest;
    uint64_t rng = 7;

    for (unsigned kind = SVMC_KIND_HVC; kind <= SVMC_KIND_SBI; kind++) {
        bool sbi = kind == SVMC_KIND_SBI;

        memset(run, 0, sizeof run);
        word = 0;
        put(8, 4, sbi ? 35 : 3);
        put(96, 8, kind == SVMC_KIND_SMC);
        CHECK_EQ(parse(!sbi), SVMC_OK);
        CHECK_EQ(exit_.kind, kind);
        CHECK_EQ(exit_.finish, sbi ? SVMC_FINISH_BACKEND : SVMC_FINISH_REGS);
        lab_init(&lab, &rng);
        lab.world.reg[SVMC_REG_X0] = kind == SVMC_KIND_HVC ? LAB_HVC : LAB_SMC;
        lab.world.reg[SVMC_REG_RV_X0 + 17] = (uint64_t)LAB_SBI >> 32;
        lab.world.reg[SVMC_REG_RV_X0 + 16] = (uint32_t)LAB_SBI;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
        CHECK(fakehost_prepare(lab.world.page, &honest));
        CHECK_EQ(honest.request.kind, kind);
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(lab.out.data_bytes, sbi ? 16 : 0);
        if (!sbi)
            CHECK_EQ(lab.world.reg[SVMC_REG_X0], honest.reply.out[0]);
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK);
        for (unsigned i = 0; sbi && i < 16; i++)
            CHECK_EQ(run[96 + i], (uint8_t)(honest.reply.out[i / 8] >> 8 * (i % 8)));

        /* nobody has this one: -1 of SMCCC, -2 and 0 of the SBI */
        lab.world.reg[SVMC_REG_X0] = 0xc6000099;
        lab.world.reg[SVMC_REG_RV_X0 + 17] = 0x0a000099;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK);
        if (sbi)
            CHECK_MEM(run + 96, "\xfe\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0", 16);
        else
            CHECK_EQ(lab.world.reg[SVMC_REG_X0], UINT64_MAX);
    }
}

/*
 * What Linux arch/riscv/kvm/vcpu_insn.c makes of the six instructions: CSRRW is a mask of ones with
 * rs1, CSRRS new ones and CSRRC new zeros with rs1 as the mask.
 */
TEST(exit_kvm_words, csrs) /* EX-61 EX-40 */
{
    static const struct {
        uint64_t number, new_value, mask;
        uint32_t kind;
        uint64_t value;
    } rows[] = {
        { 0x015, 0x1234, UINT64_MAX, SVMC_KIND_CSR_SWAP, 0x1234 }, /* csrrw seed */
        { 0x015, 0, UINT64_MAX, SVMC_KIND_CSR_SWAP, 0 },
        { 0x015, UINT64_MAX, UINT64_MAX, SVMC_KIND_CSR_SWAP, UINT64_MAX },
        { 0x150, UINT64_MAX, 0x20, SVMC_KIND_CSR_SET, 0x20 },
        { 0x150, 0, UINT64_C(1) << 63, SVMC_KIND_CSR_CLEAR, UINT64_C(1) << 63 },
        { 0x150, UINT64_MAX, 0, SVMC_KIND_CSR_READ, 0 },
        { 0x150, 0, 0, SVMC_KIND_CSR_READ, 0 },
        { 0xc00, UINT64_MAX, 0, SVMC_KIND_RDCOUNTER, 0 },
        { 0xc01, 0, 0, SVMC_KIND_RDTIME, 0 },
    };
    struct svmc_outcome o = { .action = SVMC_ACT_RESUME, .data_bytes = 8 };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        csr(rows[i].number, rows[i].new_value, rows[i].mask);
        CHECK_EQ(parse(false), SVMC_OK, "%u", i);
        CHECK_EQ(exit_.kind, rows[i].kind, "%u", i);
        CHECK_EQ(exit_.address, rows[i].number, "%u", i);
        CHECK_EQ(exit_.value, rows[i].value, "%u", i);
        CHECK_EQ(exit_.size, 8);
        CHECK_EQ(exit_.count, 1);
        CHECK_EQ(exit_.from, SVMC_FROM_EXIT);
        CHECK_EQ(exit_.dest_bytes | exit_.dest_reg | exit_.value_reg | exit_.insn_bytes, 0);
        CHECK_EQ(exit_.finish, SVMC_FINISH_BACKEND);
        o.data = (const uint8_t *)"\x11\x22\x33\x44\x55\x66\x77\x88";
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
        CHECK_MEM(run + 56, "\x11\x22\x33\x44\x55\x66\x77\x88", 8, "ret_value");
        CHECK_EQ(run[64], 0);
    }
    o.data_bytes = 4;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_MISMATCH);
}

/* The embedder does it, KVM takes what was there before. */
TEST(exit_kvm_words, a_csr_is_done_inside) /* EX-61 EX-58 EX-59 */
{
    static const uint64_t masks[] = { UINT64_MAX, 0x20, 0 };
    static struct svmc_policy policy;
    static struct lab lab;
    uint64_t rng = 11;

    CHECK_EQ(svmc_policy_init(&policy, 4, 4), SVMC_OK);
    for (unsigned kind = SVMC_KIND_CSR_READ; kind <= SVMC_KIND_CSR_CLEAR; kind++)
        CHECK_EQ(svmc_policy_set_kind(&policy, (enum svmc_kind)kind, SVMC_VERDICT_INTERPRET),
                 SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    for (unsigned i = 0; i < 3; i++) {
        static struct world before;

        lab_init(&lab, &rng);
        CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 7),
                 SVMC_OK);
        lab.world.inside_value = 0x1122334455667788;
        before = lab.world;
        csr(0x015, i == 1 ? UINT64_MAX : 0x55, masks[i]);
        CHECK_EQ(parse(false), SVMC_OK);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(lab.world.inside_number, 0x015);
        CHECK_EQ(lab.world.inside_given, i == 0 ? 0x55 : i == 1 ? 0x20 : 0);
        CHECK_MEM(lab.world.reg, before.reg, sizeof before.reg, "KVM writes them");
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK);
        CHECK_MEM(run + 56, "\x88\x77\x66\x55\x44\x33\x22\x11", 8, "%u", i);
    }
}

TEST(exit_kvm_words, what_kvm_cannot_mean_is_refused) /* EX-61 */
{
#define REFUSED(a64, st, ...)                                \
    do {                                                     \
        word = 0;                                            \
        __VA_ARGS__;                                         \
        CHECK_EQ(parse(a64), st, #__VA_ARGS__);              \
        CHECK_MEM(&exit_, &zero, sizeof zero, #__VA_ARGS__); \
    } while (0)
    for (unsigned a64 = 0; a64 < 2; a64++) {
        REFUSED(a64, SVMC_ERR_MISMATCH, mmio(0, 0, 0));
        REFUSED(a64, SVMC_ERR_MISMATCH, mmio(0, 9, 0));
        REFUSED(a64, SVMC_ERR_MISMATCH, mmio(0, 0x80000001, 0));
        REFUSED(a64, SVMC_ERR_MISMATCH, mmio(0, 4, 2));
    }
    REFUSED(false, SVMC_ERR_MISMATCH, csr(0x015, 0x5555, 0xff)); /* some of the bits */
    REFUSED(false, SVMC_ERR_MISMATCH, csr(0x1000, 0, 0));
    REFUSED(false, SVMC_ERR_UNSUPPORTED, csr(0x300, 0, 0));          /* mstatus */
    REFUSED(false, SVMC_ERR_UNSUPPORTED, csr(0xc00, 0, UINT64_MAX)); /* a counter is not written */
    REFUSED(true, SVMC_ERR_UNSUPPORTED, csr(0x015, 0, 0));
    REFUSED(true, SVMC_ERR_TRUNCATED, nisv(0x46, 0x9000018, 0));
    REFUSED(true, SVMC_ERR_MISMATCH, nisv(0x06, 0x9000018, STR_X3));      /* a read, it says */
    REFUSED(true, SVMC_ERR_MISMATCH, nisv(0x1000046, 0x9000018, STR_X3)); /* ISV */
    REFUSED(true, SVMC_ERR_MISMATCH, nisv(0x2000046, 0x9000018, STR_X3)); /* beyond the ISS */
    REFUSED(true, SVMC_ERR_MISMATCH, nisv(0x46, UINT64_C(1) << 56, STR_X3));
    REFUSED(true, SVMC_ERR_UNSUPPORTED, nisv(0x146, 0x9000018, STR_X3)); /* CM */
    REFUSED(true, SVMC_ERR_UNSUPPORTED, nisv(0x06, 0x9000018, LDP_X34));
    REFUSED(true, SVMC_ERR_MISMATCH, nisv(0x06, 0x9000018, 0xd503201f)); /* nop */
#undef REFUSED
    CHECK_EQ(svmc_exit_from_kvm_a64(NULL, sizeof run, NULL, 0, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_a64(run, 111, NULL, 0, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_a64(run, sizeof run, NULL, 4, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_a64(run, sizeof run, NULL, 0, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_rv(NULL, sizeof run, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_rv(run, 111, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_rv(run, sizeof run, NULL), SVMC_ERR_ARG);
}
