/* SPDX-License-Identifier: MIT */
/*
 * EX-31 to EX-34. Syndromes: those that a processor (QEMU 7.2, cortex "max", EL2) gave for these
 * instructions, and by hand from the Arm ARM; instruction words by binutils.
 */
#include <svmcore/exit_a64.h>

#include "scenarios.h"

#define IPA 0x20000000u
#define ABORT(esr_)                                                              \
    {                                                                            \
        .esr = esr_, .far = 0xffff000012345010, .hpfar = IPA >> 8, .spsr = 0x3c5 \
    }

static struct svmc_exit e;

static enum svmc_status take(const struct svmc_a64_exit *raw, uint32_t word)
{
    uint8_t bytes[4];

    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (8 * i));
    memset(&e, 0xee, sizeof e);
    return svmc_exit_from_a64(raw, word ? bytes : NULL, word ? 4 : 0, &e);
}

static const struct row {
    const char *name;
    uint32_t esr, no_isv, word; /* no_isv: the same access with ISV 0 */
    bool write;
    uint8_t size, reg, bytes, extend;
} rows[] = {
    { "str w2, [x1]", 0x93820045, 0x92000045, 0xb9000022, true, 4, SVMC_REG_X0 + 2, 0, 0 },
    { "ldr x3, [x1]", 0x93c38005, 0x92000005, 0xf9400023, false, 8, SVMC_REG_X0 + 3, 8, 0 },
    { "ldrb w7, [x1]", 0x93070005, 0x92000005, 0x39400027, false, 1, SVMC_REG_X0 + 7, 4, 1 },
    { "ldrsb w5, [x1]", 0x93250005, 0x92000005, 0x39c00025, false, 1, SVMC_REG_X0 + 5, 4, 2 },
    { "ldrsw x6, [x1]", 0x93a68005, 0x92000005, 0xb9800026, false, 4, SVMC_REG_X0 + 6, 8, 2 },
    { "strh wzr, [x1]", 0x935f0045, 0x92000045, 0x7900003f, true, 2, SVMC_REG_XZR, 0, 0 },
    { "ldtr w4, [x1]", 0x93840007, 0x92000007, 0xb8400824, false, 4, SVMC_REG_X0 + 4, 4, 0 },
};

static void check_access(const struct row *r, const char *how)
{
    CHECK_EQ(e.kind, r->write ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_MMIO_READ, "%s %s", r->name, how);
    CHECK_EQ(e.isa, SVMC_ISA_A64);
    CHECK_EQ(e.size, r->size, "%s %s", r->name, how);
    CHECK_EQ(e.address, IPA + 0x10, "%s %s", r->name, how);
    CHECK_EQ(e.insn_bytes, 4);
    CHECK_EQ(e.finish, SVMC_FINISH_REGS | SVMC_FINISH_RIP);
    CHECK_EQ(e.from, r->write ? SVMC_FROM_VALUE_REG : 0, "%s %s", r->name, how);
    CHECK_EQ(r->write ? e.value_reg : e.dest_reg, r->reg, "%s %s", r->name, how);
    CHECK_EQ(e.dest_bytes, r->bytes, "%s %s", r->name, how);
    if (r->extend)
        CHECK_EQ(e.dest_extend, r->extend, "%s %s", r->name, how);
}

TEST(exit_a64, loads_and_stores) /* EX-32 EX-33 */
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct svmc_a64_exit said = ABORT(r->esr), silent = ABORT(r->no_isv);

        CHECK_EQ(take(&said, 0), SVMC_OK, "%s", r->name);
        check_access(r, "by its syndrome");
        CHECK_EQ(take(&said, r->word), SVMC_OK, "%s", r->name);
        check_access(r, "by both");
        CHECK_EQ(take(&silent, r->word), SVMC_OK, "%s", r->name);
        check_access(r, "by its word");
        CHECK_EQ(take(&silent, 0), SVMC_ERR_TRUNCATED, "%s", r->name);
        /* EX-33: another vCPU wrote another instruction there */
        for (unsigned other = 0; other < sizeof rows / sizeof rows[0]; other++)
            if (other != i)
                CHECK_EQ(take(&said, rows[other].word), SVMC_ERR_MISMATCH, "%s, %s", r->name,
                         rows[other].name);
        silent.esr ^= 0x40;
        CHECK_EQ(take(&silent, r->word), SVMC_ERR_MISMATCH, "%s the other way", r->name);
        said.spsr = 0;
        CHECK_EQ(take(&said, 0), SVMC_OK);
        CHECK_EQ(e.user, 1, "EL0");
        CHECK_EQ(e.state, SVMC_STATE_NONE);
        said.spsr = 0x2003c5;
        CHECK_EQ(take(&said, 0), SVMC_OK);
        CHECK_EQ(e.user, 0, "EL1");
        CHECK_EQ(e.state, SVMC_STATE_SINGLE_STEP);
    }
}

TEST(exit_a64, what_is_more_than_one_load_is_not_finished) /* EX-33 */
{
    static const uint32_t words[] = { 0xa9400c22, 0xf8408422, 0x3d800020, 0x885f7c22, 0xb8220023 };
    struct svmc_a64_exit read = ABORT(0x92000005);

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        CHECK_EQ(take(&read, words[i]), SVMC_ERR_UNSUPPORTED, "%08x", words[i]);
    CHECK_EQ(take(&read, 0xd50b7421), SVMC_ERR_MISMATCH, "dc zva is of class CACHE");
    CHECK_EQ(take(&read, 0x00000000 + 1), SVMC_ERR_UNDEFINED, "udf #1");
    CHECK_EQ(take(&read, 0xd503207f), SVMC_ERR_MISMATCH, "wfi");
}

TEST(exit_a64, which_aborts_are_devices) /* EX-32 */
{
    for (uint32_t dfsc = 0; dfsc < 64; dfsc++) {
        struct svmc_a64_exit raw = ABORT(0x93820040 | dfsc);
        bool device = (dfsc >= 4 && dfsc <= 7) || (dfsc >= 12 && dfsc <= 15) || dfsc == 0x2b;

        CHECK_EQ(take(&raw, 0), device ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "DFSC 0x%02x", dfsc);
    }
    for (unsigned bit = 0; bit < 3; bit++) {
        static const uint32_t bits[] = { 1u << 7, 1u << 8, 1u << 13 }; /* S1PTW, CM, VNCR */
        struct svmc_a64_exit raw = ABORT(0x93820045 | bits[bit]);

        CHECK_EQ(take(&raw, 0), SVMC_ERR_UNSUPPORTED, "bit %u", bit);
    }
    e.kind = 1;
    CHECK_EQ(take(&(struct svmc_a64_exit)ABORT(0x93820445), 0), SVMC_ERR_MISMATCH, "FnV");
    CHECK_EQ(e.kind, 0);
    CHECK_EQ(take(&(struct svmc_a64_exit)ABORT(0x91820045), 0), SVMC_ERR_MISMATCH, "IL clear");
}

TEST(exit_a64, other_instructions) /* EX-31 EX-34 EX-53 */
{
    static const struct {
        const char *name;
        uint32_t esr, word;
        uint16_t kind;
        uint8_t finish;
    } other[] = {
        { "wfi", 0x07e00000, 0xd503207f, SVMC_KIND_WFI, 3 },
        { "wfe", 0x07e00001, 0xd503205f, SVMC_KIND_WFE, 3 },
        { "dc cisw, x1", 0x62141c3c, 0xd5087e41, SVMC_KIND_UNKNOWN, 3 },
        { "hvc #0x123", 0x5a000123, 0xd4002462, SVMC_KIND_UNKNOWN, 1 },
        { "hvc #0", 0x5a000000, 0xd4000002, SVMC_KIND_HVC, 1 },
        { "smc #0", 0x5e000000, 0xd4000003, SVMC_KIND_SMC, 3 },
        { "smc #1", 0x5e000001, 0xd4000023, SVMC_KIND_UNKNOWN, 3 },
    };

    for (unsigned i = 0; i < sizeof other / sizeof other[0]; i++) {
        struct svmc_a64_exit raw = { .esr = other[i].esr, .spsr = 0x3c5 };

        CHECK_EQ(take(&raw, 0), SVMC_OK, "%s", other[i].name);
        CHECK_EQ(e.kind, other[i].kind, "%s", other[i].name);
        CHECK_EQ(e.finish, other[i].finish, "%s", other[i].name);
        CHECK_EQ(take(&raw, other[i].word), SVMC_OK, "%s", other[i].name);
        CHECK_EQ(take(&raw, 0xf9400023), SVMC_ERR_MISMATCH, "%s, but ldr", other[i].name);
        raw.spsr |= 1u << 4;
        CHECK_EQ(take(&raw, 0), SVMC_ERR_UNSUPPORTED, "AArch32");
        raw.spsr &= ~(uint64_t)(1u << 4);
        if (raw.esr >> 26 == 0x16 || raw.esr >> 26 == 0x17)
            for (unsigned j = 0; j < sizeof other / sizeof other[0]; j++)
                CHECK_EQ(take(&raw, other[j].word), i == j ? SVMC_OK : SVMC_ERR_MISMATCH,
                         "%s, but %s", other[i].name, other[j].name);
    }
}

/* EX-51; words by binutils, the second syndrome from QEMU, the others by hand: D17.2.37 */
TEST(exit_a64, system_registers)
{
    static const struct {
        const char *name;
        uint32_t esr, word;
        uint16_t number;
        uint8_t read, reg;
    } regs[] = {
        { "mrs x0, icc_ctlr_el1", 0x62383019, 0xd538cc80, 0xc664, 1, SVMC_REG_X0 },
        { "mrs xzr, mdccsr_el0", 0x6220c3e3, 0xd533011f, 0x9808, 1, SVMC_REG_XZR },
        { "msr icc_sgi1r_el1, x30", 0x623a33d6, 0xd518cbbe, 0xc65d, 0, SVMC_REG_X30 },
        { "mrs x7, id_aa64pfr0_el1", 0x623000e9, 0xd5380407, 0xc020, 1, SVMC_REG_X0 + 7 },
    };

    for (unsigned i = 0; i < sizeof regs / sizeof regs[0]; i++) {
        struct svmc_a64_exit raw = { .esr = regs[i].esr, .spsr = 0x3c5 };
        struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
        struct svmc_insn insn;
        uint8_t le[4];

        for (unsigned way = 0; way < 3; way++) {
            for (unsigned b = 0; b < 4; b++)
                le[b] = (uint8_t)(regs[i].word >> 8 * b);
            CHECK_EQ(svmc_insn_decode(&cpu, le, 4, &insn), SVMC_OK, "%s", regs[i].name);
            CHECK_EQ(way < 2
                         ? take(&raw, way ? regs[i].word : 0)
                         : svmc_exit_from_insn(&insn, SVMC_CLASS_SYSTEM_REG, (svmc_gpa){ 0 }, &e),
                     SVMC_OK, "%s, %u", regs[i].name, way);
            CHECK_EQ(e.kind, regs[i].read ? SVMC_KIND_SYSREG_READ : SVMC_KIND_SYSREG_WRITE, "%s",
                     regs[i].name);
            CHECK_EQ(e.address, regs[i].number, "%s, %u", regs[i].name, way);
            CHECK_EQ(e.size, 8);
            CHECK_EQ(e.from, regs[i].read ? SVMC_FROM_EXIT : SVMC_FROM_VALUE_REG);
            CHECK_EQ(regs[i].read ? e.dest_reg : e.value_reg, regs[i].reg, "%s", regs[i].name);
            CHECK_EQ(e.dest_bytes, regs[i].read ? 8 : 0);
        }
        for (unsigned bit = 0; bit < 20; bit++) { /* all but op0, which may name no register */
            struct svmc_a64_exit other = raw;

            other.esr ^= 1u << bit;
            CHECK_EQ(take(&other, regs[i].word), SVMC_ERR_MISMATCH, "%s, bit %u", regs[i].name,
                     bit);
        }
    }
}

TEST(exit_a64, every_exception_class_has_an_answer) /* EX-31 */
{
    /* those of instructions of AArch64 that trap to EL2, Arm ARM D17.2.37 */
    static const char trap[] = { 0x01, 0x07, 0x09, 0x0a, 0x14, 0x15, 0x16,
                                 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1d };

    for (uint32_t ec = 0; ec < 64; ec++) {
        struct svmc_a64_exit raw = { .esr = (uint64_t)ec << 26 | 1u << 25, .spsr = 0x3c5 };
        bool insn = memchr(trap, (int)ec, sizeof trap) != NULL;

        CHECK_EQ(take(&raw, 0), insn ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "EC 0x%02x", ec);
    }
    CHECK_EQ(svmc_exit_from_a64(NULL, NULL, 0, &e), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_a64(&(struct svmc_a64_exit){ .esr = 0 }, NULL, 1, &e), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_a64(&(struct svmc_a64_exit){ .esr = 0 }, NULL, 0, NULL), SVMC_ERR_ARG);
}

static enum svmc_status refuse(const struct svmc_a64_exit *raw, uint32_t bits)
{
    memset(&e, 0xee, sizeof e);
    return svmc_exit_from_a64_abort(raw, bits, &e);
}

TEST(exit_a64,
     an_abort_that_nobody_emulates) /* EX-85; DEN0137, TF-RMM ESR_NONEMULATED_ABORT_MASK */
{
    static const struct {
        const char *name;
        uint64_t esr, hpfar, spsr;
        uint16_t kind;
        uint64_t address, value;
    } good[] = {
        { "own memory, str w2", 0x93820045, 0x200000, 0x3c5, SVMC_KIND_PROTECTED_ABORT, 0x20000000,
          0x90000005 },
        { "the last page of it", 0x93820045, 0x7ffffff0, 0x3c5, SVMC_KIND_PROTECTED_ABORT,
          0x7ffffff000, 0x90000005 },
        { "the first that is open", 0x92000007, 0x80000000, 0x3c5, SVMC_KIND_DATA_ABORT,
          0x8000000000, 0x90000007 },
        { "from EL0, LDP", 0x92000047, 0x80000010, 0x3c0, SVMC_KIND_DATA_ABORT, 0x8000001000,
          0x90000007 },
        { "on a stage-1 walk", 0x92000085, 0x10, 0x3c5, SVMC_KIND_PROTECTED_ABORT, 0x1000,
          0x90000005 },
        { "cache maintenance", 0x92000147, 0x10, 0x3c5, SVMC_KIND_PROTECTED_ABORT, 0x1000,
          0x90000007 },
        { "a permission fault", 0x9200000f, 0x10, 0x3c5, SVMC_KIND_PROTECTED_ABORT, 0x1000,
          0x9000000f },
        { "a fetch", 0x82000006, 0x10, 0x3c5, SVMC_KIND_INSN_ABORT, 0x1000, 0x80000006 },
        { "a fetch by EL0 on a walk", 0x82000087, 0x10, 0x3c0, SVMC_KIND_INSN_ABORT, 0x1000,
          0x80000007 },
    };
    static const struct {
        const char *name;
        uint64_t esr, hpfar, spsr;
        enum svmc_status st;
    } bad[] = {
        { "beyond 40 bits", 0x92000007, 0x100000000, 0x3c5, SVMC_ERR_MISMATCH },
        { "FAR not valid", 0x92000407, 0x10, 0x3c5, SVMC_ERR_MISMATCH },
        { "a fetch of an open page", 0x82000007, 0x80000000, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "an external abort", 0x92000010, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "an external abort on a walk", 0x82000017, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "an access flag", 0x9200000b, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "a granule protection fault", 0x92000028, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "of this level", 0x96000007, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "WFI", 0x06000000, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "SError", 0xbe000011, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
        { "AArch32", 0x92000007, 0x10, 0x1d3, SVMC_ERR_UNSUPPORTED },
        { "VNCR_EL2", 0x92002007, 0x10, 0x3c5, SVMC_ERR_UNSUPPORTED },
    };
    static const struct svmc_exit nothing;
    static struct lab lab;
    uint64_t rng = 3;

    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct svmc_a64_exit raw = {
            .esr = good[i].esr, .far = ~(uint64_t)0, .hpfar = good[i].hpfar, .spsr = good[i].spsr
        };
        struct svmc_exit want = { .kind = good[i].kind,
                                  .count = 1,
                                  .address = good[i].address,
                                  .value = good[i].value,
                                  .isa = SVMC_ISA_A64,
                                  .user = good[i].spsr == 0x3c0 };

        CHECK_EQ(refuse(&raw, 40), SVMC_OK, "%s", good[i].name);
        CHECK_MEM(&e, &want, sizeof want, "%s", good[i].name);
        lab_init(&lab, &rng);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%s", good[i].name);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s", good[i].name);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct svmc_a64_exit raw = { .esr = bad[i].esr,
                                     .hpfar = bad[i].hpfar,
                                     .spsr = bad[i].spsr };

        CHECK_EQ(refuse(&raw, 40), bad[i].st, "%s", bad[i].name);
        CHECK_MEM(&e, &nothing, sizeof nothing, "%s", bad[i].name);
    }
    for (uint32_t bits = 0; bits < 66; bits++) {
        struct svmc_a64_exit raw = { .esr = 0x92000007, .hpfar = 0x10, .spsr = 0x3c5 };

        CHECK_EQ(refuse(&raw, bits), bits >= 32 && bits <= 52 ? SVMC_OK : SVMC_ERR_ARG, "%u", bits);
    }
    CHECK_EQ(refuse(NULL, 40), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_a64_abort(NULL, 40, NULL), SVMC_ERR_ARG);
}

TEST(exit_a64, what_is_never_delegated) /* EX-88 R1: vector units, and what no table has */
{
    static const uint32_t classes[] = { 0x07, 0x09, 0x0a, 0x14, 0x15, 0x19, 0x1a, 0x1b, 0x1d };
    struct svmc_reply reply = { .out_valid = 1, .done = 1, .out = { 0x77 } };
    static struct lab lab, before;
    uint64_t rng = 3;

    for (unsigned i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        struct svmc_a64_exit raw = { .esr = classes[i] << 26 | 1u << 25, .spsr = 0x3c5 };

        lab_init(&lab, &rng);
        CHECK_EQ(take(&raw, 0), SVMC_OK, "EC %x", classes[i]);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "EC %x", classes[i]);
        CHECK_EQ(lab.out.fault.vector, 0, "EC %x: UNDEF", classes[i]);
        for (uint64_t t = 0; t < 12; t++) {
            reply.seq = (uint64_t)7 << 48 | t;
            reply.status = (uint32_t)t & 3;
            CHECK_EQ(svmc_reply_write(lab.world.page, &reply, NULL), SVMC_OK);
            before = lab;
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "EC %x", classes[i]);
            CHECK(lab_same(&lab, &before), "EC %x", classes[i]);
        }
    }
    for (uint32_t id = 0xc6001000; id < 0xc600100a; id++) { /* EX-54: not supported, inside */
        struct svmc_a64_exit raw = { .esr = 0x5e000000, .spsr = 0x3c5 };

        lab_init(&lab, &rng);
        lab.world.reg[SVMC_REG_X0] = id;
        CHECK_EQ(take(&raw, 0), SVMC_OK);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(lab.world.reg[SVMC_REG_X0], ~(uint64_t)0, "NOT_SUPPORTED");
        before = lab;
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE);
        CHECK(lab_same(&lab, &before));
    }
}
