/* SPDX-License-Identifier: MIT */
/*
 * docs/spec/trap.md: MRS, MRC, HVC, BRK, the shadow of MDSCR_EL1.TDCC. Syndromes with "probe" are
 * those that a bare-metal guest at EL1 and EL0 gave under QEMU 7.2, -M virt,virtualization=on -cpu
 * max, with MDCR_EL2.TDA, TDOSA and TDRA; the others are put together after the Arm ARM.
 */
#include "trap_lab.h"

#define MRS_XZR  0x6220c3e3u /* probe: mrs xzr, mdccsr_el0 */
#define HVC_86   0x5a000086u /* probe: hvc #0x86 */
#define HVC_123  0x5a000123u /* probe: hvc #0x123 */
#define BRK_86   0xf2000086u /* probe: brk #0x86, with MDCR_EL2.TDE */
#define MRC_NZCV 0x17e003e3u /* mrc p14, 0, apsr_nzcv, c0, c1, 0: CV, condition AL, Rt 31 */

#define SPSR_EL0 0x3c0u
#define SPSR_EL1 0x3c5u
#define SPSR_D   0x200u /* PSTATE.D */
#define SPSR_A32 0x10u
#define SPSR_T32 0x30u
#define TDCC     0x1000u
#define KDE      0x2000u     /* MDSCR_EL1 */
#define STATUS   0x60000000u /* MDCCSR_EL0: RXfull, TXfull */

static struct svmc_trap_a64 raw;

static enum svmc_status run(void)
{
    return svmc_trap_from_a64(&config, &raw, &ops, &lab, &got);
}

static enum svmc_status match(void)
{
    lab.calls = 0;
    memset(&got, 0xee, sizeof got);
    return run();
}

static void start(unsigned way, uint64_t esr, uint64_t spsr, uint64_t word)
{
    lab_reset();
    memset(&raw, 0, sizeof raw);
    config.kernel = config.user = 1u << way;
    raw.esr = esr;
    raw.spsr = spsr;
    raw.far = 0xffff000012345678u;
    raw.mdccsr = 0xffffffffu; /* more than there is */
    raw.mdscr = 0x8000u;
    lab.reg[SVMC_REG_X0] = 0xabcdef0100000000u | MAGIC;
    lab.reg[SVMC_REG_X0 + 3] = 0x5555666677775658u + ((word & 0x10) ? 1 : 0);
    lab.reg[SVMC_REG_X0 + 7] = word;
}

static void check_read(uint32_t dest, uint64_t value, const char *what)
{
    CHECK_EQ(got.verdict, SVMC_TRAP_EMULATE_READ, "%s", what);
    CHECK_EQ(got.dest, dest, "%s", what);
    CHECK_EQ(got.value, value, "%s", what);
    CHECK_EQ(got.insn_bytes, 4, "%s", what);
    CHECK(got.abi == 0 && got.fault.raised == 0 && got.arg[0] == 0 && got.io.bytes == 0, "%s",
          what);
}

TEST(trap_a64, mrs_calls) /* TM-3 TM-4 TM-12 */
{
    for (unsigned user = 0; user < 2; user++) {
        uint64_t spsr = user ? SPSR_EL0 : SPSR_EL1;

        start(SVMC_TRAP_WAY_MRS, MRS_XZR, spsr, LOW_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, false, 4, "low");
        check_args(SVMC_ISA_A64);
        CHECK(got.user == user && got.isa == SVMC_ISA_A64 && got.way == SVMC_TRAP_WAY_MRS);
        for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
            CHECK_EQ(svmc_trap_reg(&got, n), SVMC_REG_X0 + n);
        fail_each(run, "low");
        start(SVMC_TRAP_WAY_MRS, MRS_XZR, spsr, OUT_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(true, true, 4, "high out");
        start(SVMC_TRAP_WAY_MRS, MRS_XZR, spsr, IN_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(true, false, 4, "high in");
        start(SVMC_TRAP_WAY_MRS, MRS_XZR, spsr, 0x860000000a);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, true, 4, "OUT");
        raw.tdcc = 1; /* what the shadow is for */
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, true, 4, "with the guest's TDCC");
        start(SVMC_TRAP_WAY_MRS, MRS_XZR, spsr, NATIVE_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_native(4, "native");
        CHECK_EQ(lab.calls, 1);
        fail_each(run, "native");
    }
}

TEST(trap_a64, words_for_other_ports) /* TM-3 */
{
    static const uint64_t words[] = { 0x860000000c, 0x8600000008, 0x8600000e04,
                                      0x8600000010, 0x8600000038, LOW_WORD };

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        start(SVMC_TRAP_WAY_MRS, MRS_XZR, SPSR_EL0, words[i]);
        lab.reg[SVMC_REG_X0] = 1;
        CHECK_EQ(match(), SVMC_OK, "word %u", i);
        CHECK(got.verdict == SVMC_TRAP_CALL && got.abi == SVMC_TRAP_IO, "word %u", i);
        CHECK(got.insn_bytes == 4 && got.high == 0 && got.write == 0, "word %u", i);
        check_args(SVMC_ISA_A64);
        CHECK(got.io.bytes != 0);
        config.abis = ABI(VMWARE) | ABI(NATIVE);
        CHECK_EQ(match(), SVMC_OK, "word %u", i);
        check_read(SVMC_REG_XZR, STATUS, "IO is not spoken");
    }
}

TEST(trap_a64, mrs_of_others_reads) /* TM-1 TM-2 TM-10 */
{
    static const struct {
        const char *name;
        uint64_t word;
        uint32_t esr, dest;
        bool asks;
    } rows[] = {
        { "another magic", 0x850000000e, MRS_XZR, SVMC_REG_XZR, true },
        { "a word with reserved bits", 0x860000004e, MRS_XZR, SVMC_REG_XZR, true },
        { "size 3", 0x860000000f, MRS_XZR, SVMC_REG_XZR, true },
        { "native, but not 0 below", NATIVE_WORD | 0xe, MRS_XZR, SVMC_REG_XZR, true },
        { "0", 0, MRS_XZR, SVMC_REG_XZR, true },
        { "into x7", LOW_WORD, 0x6220c0e3, SVMC_REG_X0 + 7, false },
        { "into x30", LOW_WORD, 0x6220c3c3, SVMC_REG_X30, false },
        { "into x0", LOW_WORD, 0x6220c003, SVMC_REG_X0, false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned user = 0; user < 2; user++) {
            start(SVMC_TRAP_WAY_MRS, rows[i].esr, user ? SPSR_EL0 : SPSR_EL1, rows[i].word);
            CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
            check_read(rows[i].dest, STATUS, rows[i].name);
            CHECK_EQ(lab.calls > 0, rows[i].asks, "%s", rows[i].name);
        }
    start(SVMC_TRAP_WAY_MRS, MRS_XZR, SPSR_EL0, LOW_WORD);
    config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_XZR, STATUS, "open to the kernel alone");
    CHECK_EQ(lab.calls, 0);
    raw.mdccsr = 0x20000000;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_XZR, 0x20000000, "TXfull");
    config.kernel = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed");
    start(SVMC_TRAP_WAY_MRS, MRS_XZR, SPSR_EL0, NATIVE_WORD);
    config.abis = ABI(VMWARE) | ABI(IO);
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_XZR, STATUS, "native is not spoken");
}

TEST(trap_a64, a_guest_that_closes_the_channel_to_el0) /* TM-2 TM-11 */
{
    /* mrs xzr and x0, mdccsr_el0; mrs x0, dbgdtr_el0; msr dbgdtrtx_el0, x0; mrs x0, dbgdtrrx_el0 */
    static const uint32_t esr[] = { MRS_XZR, 0x6220c003, 0x6220c009, 0x6220c00a, 0x6220c00b };

    for (unsigned i = 0; i < sizeof esr / sizeof *esr; i++) {
        start(SVMC_TRAP_WAY_MRS, esr[i], SPSR_EL0, 0);
        raw.tdcc = 1;
        CHECK_EQ(match(), SVMC_OK, "%08x", esr[i]);
        check_forward(0x18, 1, esr[i] & 0x1ffffff, 0, "EL0");
        CHECK(got.back == 0 && got.insn_bytes == 0);
        raw.spsr = SPSR_EL1;
        CHECK_EQ(match(), SVMC_OK, "%08x", esr[i]);
        CHECK(got.verdict != SVMC_TRAP_FORWARD, "EL1 may");
        raw.spsr = SPSR_EL0;
        raw.tdcc = 0;
        CHECK_EQ(match(), SVMC_OK, "%08x", esr[i]);
        CHECK_EQ(got.verdict, i < 2 ? SVMC_TRAP_EMULATE_READ : SVMC_TRAP_NOT_OURS, "EL0 may");
    }
    start(SVMC_TRAP_WAY_MRS, 0x62300000u | 3u << 14 | 1, SPSR_EL0,
          0); /* op0 3: no debug register */
    raw.tdcc = 1;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "another register");
}

TEST(trap_a64, shadow_of_tdcc) /* TM-11 */
{
    /* mrs x2, mdscr_el1: op0 2 op1 0 CRn 0 CRm 2 op2 2 */
    const uint32_t read = 0x62000000u | 2u << 20 | 2u << 17 | 2u << 5 | 2u << 1 | 1u;
    const uint32_t xzr = 31u << 5;

    start(SVMC_TRAP_WAY_MRS, read, SPSR_EL1, 0);
    raw.mdscr = 0x6000e001;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_X0 + 2, 0x6000e001, "the guest's TDCC is 0");
    raw.tdcc = 1;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_X0 + 2, 0x6000f001, "it is 1");
    raw.mdscr |= TDCC;
    raw.tdcc = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_X0 + 2, 0x6000e001, "the real one does not show");
    CHECK_EQ(lab.calls, 0);
    for (unsigned bit = 0; bit < 2; bit++) {
        raw.esr = read & ~1u;
        raw.tdcc = 1 - bit;
        lab.reg[SVMC_REG_X0 + 2] = 0x8001 | (bit ? TDCC : 0);
        CHECK_EQ(match(), SVMC_OK);
        CHECK_EQ(got.verdict, SVMC_TRAP_EMULATE_WRITE);
        CHECK(got.value == 0x8001 && got.tdcc == bit && got.insn_bytes == 4 && got.dest == 0);
        fail_each(run, "MSR");
    }
    raw.esr = (read & ~1u) | xzr;
    raw.tdcc = 1;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(got.verdict == SVMC_TRAP_EMULATE_WRITE && got.value == 0 && got.tdcc == 0);
    CHECK_EQ(lab.calls, 0);
    raw.esr = read | xzr;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_XZR, 0x6000f001, "into XZR");
    raw.spsr = SPSR_EL0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "EL0 has no such register");
    config.kernel = config.user = ~(WAY(MRS) | WAY(MRC) | WAY(BRK));
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed");
    raw.tdcc = 2;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    CHECK(all_zero(&got));
}

TEST(trap_a64, hvc) /* TM-1 TM-2 TM-12 */
{
    start(SVMC_TRAP_WAY_HVC, HVC_86, SPSR_EL1, (uint32_t)LOW_WORD | 0xfeedface00000000u);
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 0, "the upper half of X7 does not count");
    check_args(SVMC_ISA_A64);
    CHECK(got.user == 0 && got.way == SVMC_TRAP_WAY_HVC);
    fail_each(run, "HVC");
    lab.reg[SVMC_REG_X0 + 7] = 0x4e;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0, 1, 0, 0, "no word");
    CHECK(got.back == 4 && got.insn_bytes == 0);
    start(SVMC_TRAP_WAY_HVC, HVC_86, SPSR_EL1, LOW_WORD);
    lab.reg[SVMC_REG_X0] = 0;
    config.abis = ABI(VMWARE);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0, 1, 0, 0, "another port");
    raw.esr = HVC_86 + 1;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0, 1, 0, 0, "native is not spoken");
    CHECK_EQ(got.back, 4);
    config.abis = ABI(NATIVE);
    CHECK_EQ(match(), SVMC_OK);
    check_native(0, "HVC #0x87");
    CHECK_EQ(lab.calls, 0);
    raw.esr = HVC_123;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "somebody else's");
    raw.esr = HVC_86 & ~0xffffu;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "SMCCC's");
    raw.esr = HVC_86 + 1;
    config.kernel = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed");
    config.kernel = config.user;
    raw.spsr = SPSR_EL0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "there is none at EL0");
}

TEST(trap_a64, brk) /* TM-1 TM-2 TM-14 */
{
    start(SVMC_TRAP_WAY_BRK, BRK_86, SPSR_EL0, LOW_WORD);
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 4, "BRK");
    CHECK_EQ(got.user, 1);
    fail_each(run, "BRK");
    lab.reg[SVMC_REG_X0 + 7] = 0x4e;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0x3c, 1, 0x86, 0, "no word");
    CHECK_EQ(got.back, 0);
    start(SVMC_TRAP_WAY_BRK, BRK_86, SPSR_EL0, LOW_WORD);
    config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0x3c, 1, 0x86, 0, "open to the kernel alone");
    CHECK_EQ(lab.calls, 0);
    config.kernel = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed");
    start(SVMC_TRAP_WAY_BRK, BRK_86 + 1, SPSR_EL0, LOW_WORD);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0x3c, 1, 0x87, 0, "only 86h is a call");
    start(SVMC_TRAP_WAY_BRK, BRK_86 & ~0xffffu, SPSR_EL1, LOW_WORD);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0x3c, 1, 0, 0, "the guest's debugger");
    CHECK_EQ(lab.calls, 0);
}

TEST(trap_a64, what_tde_brings_along) /* TM-14 */
{
    static const struct {
        uint32_t class, iss;
        uint64_t far;
    } rows[] = {
        { 0x30, 0x22, 0 },                  /* breakpoint */
        { 0x32, 0x1000062, 0 },             /* software step: ISV, EX */
        { 0x34, 0x62, 0xffff000012345678u } /* watchpoint, of a write */
    };

    for (unsigned i = 0; i < 3; i++)
        for (unsigned el = 0; el < 2; el++) {
            start(SVMC_TRAP_WAY_BRK, rows[i].class << 26 | 0x2000000 | rows[i].iss,
                  el ? SPSR_EL1 & ~(uint64_t)SPSR_D : SPSR_EL0, 0);
            raw.mdscr = el ? KDE : 0; /* of EL0's they come without */
            CHECK_EQ(match(), SVMC_OK);
            check_forward(rows[i].class + el, 1, rows[i].iss, rows[i].far, "debug exception");
            config.kernel = config.user = ~WAY(BRK);
            CHECK_EQ(match(), SVMC_OK);
            CHECK(all_zero(&got));
        }
}

/* MDCR_EL2.TDE makes them come from an EL1 that has masked them: Arm ARM, MDCR_EL2.TDE and
   "Enabling debug exceptions" */
TEST(trap_a64, what_el1_has_masked_is_not_forwarded) /* TM-22 */
{
    static const uint64_t none[] = { 0x30, 0x32, 0x34 };

    for (unsigned i = 0; i < 3; i++)
        for (unsigned how = 0; how < 8; how++) {
            bool t = how & 4, comes = (how & 1) && !(how & 2);

            start(SVMC_TRAP_WAY_BRK, none[i] << 26 | 0x2000022,
                  (how & 2 ? 0x3c5 : 0x1c5) - (t ? 1 : 0), 0); /* EL1h, EL1t */
            raw.mdscr = 0x8001u | (how & 1 ? KDE : 0);         /* MDE, SS */
            CHECK_EQ(match(), SVMC_OK);
            if (comes) {
                CHECK(got.verdict == SVMC_TRAP_FORWARD && got.fault.vector == none[i] + 1);
                continue;
            }
            CHECK_EQ(got.verdict, SVMC_TRAP_MASKED, "class %u, %u", (unsigned)none[i], how);
            CHECK(got.fault.raised == 0 && got.fault.vector == 0 && got.fault.error == 0);
            CHECK(got.insn_bytes == 0 && got.back == 0 && got.abi == 0 && lab.calls == 0);
        }
    start(SVMC_TRAP_WAY_BRK, BRK_86 + 1, SPSR_EL1, 0); /* BRK cannot be masked */
    raw.mdscr = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0x3c, 1, 0x87, 0, "BRK");
}

/* TDE counts as TDRA, TDOSA and TDA: Arm ARM, MDCR_EL2.TDE */
TEST(trap_a64, brk_alone_brings_the_debug_registers) /* TM-15 TM-10 TM-11 */
{
    for (unsigned el = 0; el < 2; el++) {
        start(SVMC_TRAP_WAY_BRK, MRS_XZR & ~(31u << 5), el ? SPSR_EL1 : SPSR_EL0, LOW_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_read(SVMC_REG_X0, STATUS, "MDCCSR_EL0");
        raw.esr = MRS_XZR;
        CHECK_EQ(match(), SVMC_OK);
        check_read(SVMC_REG_XZR, STATUS, "MRS is no way");
        CHECK_EQ(lab.calls, 0);
    }
    raw.esr = 0x62240004; /* msr mdscr_el1, x0 */
    lab.reg[SVMC_REG_X0] = 0xa000u | TDCC;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(got.verdict == SVMC_TRAP_EMULATE_WRITE && got.value == 0xa000 && got.tdcc == 1);
    raw.esr = 0x62280400; /* msr oslar_el1, x0 */
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "the others are not ours");
}

TEST(trap_a64, bkpt_of_aarch32) /* TM-4 TM-14 */
{
    start(SVMC_TRAP_WAY_BRK, 0xe2000086, SPSR_A32, (uint32_t)OUT_WORD);
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(true, true, 4, "A32");
    CHECK(got.isa == SVMC_ISA_A32 && got.user == 1);
    raw.esr = 0xe0000086; /* IL 0: two bytes */
    raw.spsr = SPSR_T32;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(true, true, 2, "T32");
    CHECK_EQ(got.isa, SVMC_ISA_T32);
    raw.esr = 0xe0000001;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(0x38, 1, 1, 0, "the guest's debugger");
    raw.esr = BRK_86;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "BRK of AArch32");
    raw.esr = 0xe2000086;
    raw.spsr = SPSR_EL0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "BKPT of AArch64");
}

static void start_mrc(uint32_t esr, uint64_t spsr)
{
    start(SVMC_TRAP_WAY_MRC, esr, spsr, 0xffffffff00000000u | (uint32_t)LOW_WORD);
    lab.reg[SVMC_REG_X0 + 8] = 0x7777777700000086u;
}

TEST(trap_a64, mrc) /* TM-2 TM-11 TM-13 */
{
    for (unsigned thumb = 0; thumb < 2; thumb++) {
        start_mrc(MRC_NZCV, thumb ? SPSR_T32 : SPSR_A32);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, false, 4, "MRC");
        check_args(SVMC_ISA_A32);
        CHECK(got.isa == (thumb ? SVMC_ISA_T32 : SVMC_ISA_A32) && got.user == 1);
        fail_each(run, "MRC");
    }
    start_mrc(MRC_NZCV, 0x90000010);
    lab.reg[SVMC_REG_X0 + 8] = 0x87;
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_PSTATE, 0x60000010, "flags are RXfull and TXfull");
    raw.tdcc = 1;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(5, 1, MRC_NZCV & 0x1ffffff, 0, "the guest's TDCC");
    lab.reg[SVMC_REG_X0 + 8] = 0x86;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 4, "a call all the same");
    config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(5, 1, MRC_NZCV & 0x1ffffff, 0, "closed to user programs");
    start_mrc((MRC_NZCV & ~(31u << 5)) | 4u << 5, SPSR_A32);
    CHECK_EQ(match(), SVMC_OK);
    check_read(SVMC_REG_X0 + 4, STATUS, "into r4");
    CHECK_EQ(lab.calls, 0);
    raw.spsr = 0x13; /* Supervisor mode: EL1 is AArch32 */
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got));
    raw.spsr = SPSR_EL0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "class 5 of AArch64");
    raw.esr = MRS_XZR;
    raw.spsr = SPSR_A32;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "class 18h of AArch32");
}

TEST(trap_a64, other_debug_registers_of_aarch32) /* TM-11 TM-13 */
{
    static const struct {
        const char *name;
        uint32_t esr;
        bool debug;
    } rows[] = {
        { "stc p14, c5 (DBGDTRRXint)", 0x1be05000, true },
        { "mrrc p14, 0 (DBGDRAR)", 0x33e00001, true },
        { "mrc p14, 0, r0, c0, c5, 0 (DBGDTRRXint)", 0x17e0000b, true },
        { "mcr p14, 0, r0, c0, c5, 0 (DBGDTRTXint)", 0x17e0000a, true },
        { "mrc p14, 7 (Jazelle)", 0x17e1c001, false },
        { "mrrc p14, 1 (trace)", 0x33e10001, false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned tdcc = 0; tdcc < 2; tdcc++) {
            start_mrc(rows[i].esr, SPSR_A32);
            raw.tdcc = tdcc;
            CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
            if (rows[i].debug && tdcc)
                check_forward(rows[i].esr >> 26, 1, rows[i].esr & 0x1ffffff, 0, rows[i].name);
            else
                CHECK(all_zero(&got), "%s", rows[i].name);
        }
}

/* Arm ARM F2.3.1, ConditionHolds, as it is written there. */
static bool holds(unsigned cond, unsigned nzcv)
{
    bool n = nzcv >> 3 & 1, z = nzcv >> 2 & 1, c = nzcv >> 1 & 1, v = nzcv & 1, result = true;

    switch (cond >> 1) {
    case 0:
        result = z;
        break;
    case 1:
        result = c;
        break;
    case 2:
        result = n;
        break;
    case 3:
        result = v;
        break;
    case 4:
        result = c && !z;
        break;
    case 5:
        result = n == v;
        break;
    case 6:
        result = n == v && !z;
        break;
    default:
        break;
    }
    return (cond & 1) && cond != 15 ? !result : result;
}

TEST(trap_a64, conditions_of_aarch32) /* TM-13 */
{
    for (unsigned cond = 0; cond < 16; cond++)
        for (unsigned nzcv = 0; nzcv < 16; nzcv++)
            for (unsigned how = 0; how < 3; how++) {
                uint32_t esr = (MRC_NZCV & ~0xf00000u) | cond << 20;
                uint64_t spsr = (uint64_t)nzcv << 28 | (how ? SPSR_T32 : SPSR_A32);
                bool does = holds(cond, nzcv);

                if (how > 0) /* T32: CV 0; IT state: condition and the length of the block */
                    esr &= ~0x1000000u;
                if (how == 1) {
                    spsr |= cond << 12 | 1u << 26; /* 1: cond:1000, split as 15:10 and 26:25 */
                    does = does || cond == 15;
                } else if (how == 2) {
                    does = true; /* no IT block */
                }
                start_mrc(esr, spsr);
                CHECK_EQ(match(), SVMC_OK);
                if (does)
                    check_vmware(false, false, 4, "it holds");
                else
                    check_read(SVMC_REG_NONE, 0, "it does not");
            }
}

TEST(trap_a64, classes_of_others) /* TM-1 */
{
    static const uint64_t spsr[] = { SPSR_EL0, SPSR_EL1, SPSR_A32, SPSR_T32, 0x1f, 0x3c9, 0x3c8 };

    for (uint32_t class = 0; class < 64; class ++)
        for (unsigned i = 0; i < sizeof spsr / sizeof *spsr; i++) {
            bool known = class == 0x16 || class == 0x18 || class == 0x3c || class == 0x38 ||
                         class == 5 || class == 6 || class == 12 ||
                         (class >= 0x30 && class <= 0x34 && class % 2 == 0);

            start(SVMC_TRAP_WAY_MRS, (uint64_t) class << 26 | 0x2000086, spsr[i], LOW_WORD);
            config.kernel = config.user = ~0u;
            raw.tdcc = 1;
            CHECK_EQ(match(), SVMC_OK, "class %u", class);
            if (!known || i >= 4)
                CHECK(all_zero(&got) && lab.calls == 0, "class %u, SPSR %u", class, i);
        }
}

TEST(trap_a64, setup) /* TM-15 */
{
    static const struct {
        uint32_t ways, fgt;
        uint64_t mdcr, hdfg;
    } rows[] = {
        { 0, 1, 0, 0 },
        { WAY(HVC), 0, 0, 0 },
        { WAY(MRS), 0, 1u << 9, 0 },
        { WAY(MRS), 1, 1u << 27, 1u << 4 },
        { WAY(MRC), 1, 1u << 9 | 1u << 11, 0 },
        { WAY(MRS) | WAY(MRC), 0, 1u << 9 | 1u << 11, 0 },
        { WAY(BRK), 0, 1u << 8, 0 },
        { WAY(MRS) | WAY(BRK) | WAY(HVC), 1, 1u << 27 | 1u << 8, 1u << 4 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned user = 0; user < 2; user++) {
            struct svmc_trap_el2 regs = { 0x8000000000000026, 0x4000000000000001, 2 };

            memset(&config, 0, sizeof config);
            *(user ? &config.user : &config.kernel) = rows[i].ways;
            CHECK_EQ(svmc_trap_setup_a64(&config, rows[i].fgt, &regs), SVMC_OK);
            CHECK_EQ(regs.mdcr, 0x8000000000000026 | rows[i].mdcr, "row %u", i);
            CHECK_EQ(regs.hdfgrtr, 0x4000000000000001 | rows[i].hdfg, "row %u", i);
            CHECK_EQ(regs.hdfgwtr, 2 | rows[i].hdfg, "row %u", i);
        }
    CHECK_EQ(svmc_trap_setup_a64(NULL, 0, &(struct svmc_trap_el2){ 0 }), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_setup_a64(&config, 0, NULL), SVMC_ERR_ARG);
}

TEST(trap_a64, arguments) /* TM-1 */
{
    start(SVMC_TRAP_WAY_MRS, MRS_XZR, SPSR_EL0, LOW_WORD);
    CHECK_EQ(svmc_trap_from_a64(NULL, &raw, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_a64(&config, NULL, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_a64(&config, &raw, NULL, &lab, &got), SVMC_ERR_ARG);
    CHECK(all_zero(&got));
    CHECK_EQ(svmc_trap_from_a64(&config, &raw, &ops, &lab, NULL), SVMC_ERR_ARG);
    config.kernel = config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got) && lab.calls == 0, "off costs nothing");
}
