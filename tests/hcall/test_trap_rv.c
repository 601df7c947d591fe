/* SPDX-License-Identifier: MIT */
/*
 * docs/spec/trap.md: csrr x0, hgeip and ECALL. Causes and stval are those that a guest in VS-mode
 * and VU-mode gave under QEMU 7.2, -M virt -cpu rv64,h=true: 22 with the instruction in stval, 10.
 */
#include "trap_lab.h"

#define CSRR_HGEIP 0xe1202073u /* csrrs x0, 0xe12, x0 */
#define EID        0x0a53564du
#define A7         (SVMC_REG_RV_X0 + 17)
#define T0         (SVMC_REG_RV_X0 + 5)

static struct svmc_trap_rv raw;
static uint8_t text[4];
static size_t text_bytes;

static enum svmc_status run(void)
{
    return svmc_trap_from_rv(&config, &raw, text_bytes ? text : NULL, text_bytes, &ops, &lab, &got);
}

static enum svmc_status match(void)
{
    lab.calls = 0;
    memset(&got, 0xee, sizeof got);
    return run();
}

static void start(uint32_t isa, bool user, uint64_t word)
{
    lab_reset();
    memset(&raw, 0, sizeof raw);
    text_bytes = 0;
    config.kernel = config.user = WAY(CSR) | WAY(ECALL);
    config.eid = EID;
    raw.cause = 22;
    raw.stval = CSRR_HGEIP;
    raw.isa = isa;
    raw.user = user;
    lab.reg[SVMC_REG_RV_X0 + 10] = 0x1234567800000000u | MAGIC;
    lab.reg[SVMC_REG_RV_X0 + 13] = 0x5555666677775658u + ((word & 0x10) ? 1 : 0);
    lab.reg[A7] = word;
}

TEST(trap_rv, csrr_calls) /* TM-3 TM-4 TM-17 */
{
    for (unsigned user = 0; user < 2; user++) {
        start(SVMC_ISA_RV64, user, LOW_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, false, 4, "low");
        check_args(SVMC_ISA_RV64);
        CHECK(got.user == user && got.isa == SVMC_ISA_RV64 && got.way == SVMC_TRAP_WAY_CSR);
        fail_each(run, "low");
        start(SVMC_ISA_RV64, user, OUT_WORD);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(true, true, 4, "high");
        start(SVMC_ISA_RV64, user, EID);
        CHECK_EQ(match(), SVMC_OK);
        check_native(4, "native");
        CHECK_EQ(lab.calls, 1);
        start(SVMC_ISA_RV64, user, 0x8600000008);
        CHECK_EQ(match(), SVMC_OK);
        CHECK(got.verdict == SVMC_TRAP_CALL && got.abi == SVMC_TRAP_IO);
        start(SVMC_ISA_RV32, user, 0xffffffff0000000e);
        lab.reg[T0] = 0xffffffff00000086;
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, false, 4, "RV32");
        check_args(SVMC_ISA_RV64);
        CHECK_EQ(svmc_trap_reg(&got, 6), SVMC_REG_RV_X0 + 16);
        fail_each(run, "RV32");
    }
}

TEST(trap_rv, csrr_of_others_is_illegal) /* TM-1 TM-2 TM-16 TM-17 */
{
    static const uint64_t words[] = { 0x850000000e, 0x860000004e,     NATIVE_WORD, 0,
                                      EID + 1,      0x100000000 | EID };

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        start(SVMC_ISA_RV64, true, words[i]);
        CHECK_EQ(match(), SVMC_OK, "word %u", i);
        check_forward(2, 0, 0, CSRR_HGEIP, "no call");
        CHECK(got.back == 0 && got.insn_bytes == 0);
    }
    start(SVMC_ISA_RV64, true, LOW_WORD);
    config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, CSRR_HGEIP, "open to the kernel alone");
    CHECK_EQ(lab.calls, 0);
    config.kernel = ~WAY(CSR);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed");
    start(SVMC_ISA_RV64, true, LOW_WORD);
    config.abis = ABI(NATIVE);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, CSRR_HGEIP, "not spoken");
    start(SVMC_ISA_RV64, true, 0);
    config.eid = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, CSRR_HGEIP, "no EID is not EID 0");
    start(SVMC_ISA_RV32, true, EID);
    lab.reg[T0] = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, CSRR_HGEIP, "RV32 has no native calls");
    start(SVMC_ISA_RV32, true, 0x08); /* OUT of one byte */
    lab.reg[T0] = 0x86;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(got.verdict == SVMC_TRAP_CALL && got.abi == SVMC_TRAP_IO, "but ports");
    CHECK(got.isa == SVMC_ISA_RV32 && got.io.bytes == 1 && !got.io.in);
}

TEST(trap_rv, other_virtual_instructions) /* TM-2 TM-16 */
{
    static const struct {
        const char *name;
        uint32_t insn;
        bool illegal;
    } rows[] = {
        { "csrr a0, hgeip", 0xe1202573, true },
        { "csrrs x0, hgeip, a0", 0xe1252073, true },
        { "csrr t4, hstatus", 0x60002ef3, true },
        { "csrw vsatp, a0", 0x28051073, true },
        { "csrr a0, vsscratch", 0x24002573, true },
        { "csrwi hvip, 1", 0x6450d073, true },
        { "csrr a0, cycle", 0xc0002573, false },
        { "csrr a0, sstatus, of VU", 0x10002573, false },
        { "wfi", 0x10500073, false },
        { "sret", 0x10200073, false },
        { "hlv.w a0, (a1)", 0x6805c573, false },
        { "hfence.gvma", 0x62000073, false },
        { "no SYSTEM", 0xe1202013, false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(SVMC_ISA_RV64, false, LOW_WORD);
        raw.stval = rows[i].insn;
        CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
        if (rows[i].illegal)
            check_forward(2, 0, 0, rows[i].insn, rows[i].name);
        else
            CHECK(all_zero(&got), "%s", rows[i].name);
        CHECK_EQ(lab.calls, 0, "%s", rows[i].name);
    }
}

TEST(trap_rv, stval_may_be_0) /* TM-16 */
{
    static const uint8_t csrr[] = { 0x73, 0x20, 0x20, 0xe1 };

    start(SVMC_ISA_RV64, true, LOW_WORD);
    raw.stval = 0;
    memcpy(text, csrr, sizeof csrr);
    for (text_bytes = 0; text_bytes < 4; text_bytes++) {
        CHECK_EQ(match(), SVMC_ERR_TRUNCATED, "%zu bytes", text_bytes);
        CHECK(all_zero(&got));
    }
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 4, "from the bytes");
    lab.reg[A7] = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, CSRR_HGEIP, "from the bytes");
    raw.stval = 0x60002ef3;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, 0x60002ef3, "stval counts where it is there");
    raw.stval = 0;
    text[0] = 0x02; /* c.ebreak's like: two bytes are enough, and nothing of ours */
    text_bytes = 2;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got));
    config.kernel = config.user = 0;
    text_bytes = 0;
    CHECK_EQ(match(), SVMC_OK, "nobody has to fetch what nobody asks for");
    CHECK(all_zero(&got));
}

TEST(trap_rv, ecall) /* TM-1 TM-18 */
{
    start(SVMC_ISA_RV64, false, EID);
    raw.cause = 10;
    raw.stval = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_native(4, "ECALL");
    CHECK(got.way == SVMC_TRAP_WAY_ECALL && got.user == 0);
    fail_each(run, "ECALL");
    for (unsigned i = 0; i < 6; i++) {
        start(SVMC_ISA_RV64, false, EID);
        raw.cause = 10;
        if (i == 0)
            lab.reg[A7] = 0x54494d45; /* SBI TIME */
        else if (i == 1)
            config.kernel = ~WAY(ECALL);
        else if (i == 2)
            raw.isa = SVMC_ISA_RV32;
        else if (i == 3)
            lab.reg[A7] |= 1ull << 32;
        else if (i == 4)
            config.eid = lab.reg[A7] = 0; /* SBI v0.1, set_timer */
        else
            config.abis = ABI(VMWARE);
        CHECK_EQ(match(), SVMC_OK, "case %u", i);
        CHECK(all_zero(&got), "case %u", i);
    }
    start(SVMC_ISA_RV64, true, EID);
    for (unsigned cause = 0; cause < 64; cause++) {
        raw.cause = cause == 22 ? 1ull << 63 | 22 : cause;
        config.user = WAY(CSR);
        CHECK_EQ(match(), SVMC_OK);
        CHECK(all_zero(&got), "cause %u", cause);
    }
}

TEST(trap_rv, arguments) /* TM-1 */
{
    start(SVMC_ISA_RV64, true, LOW_WORD);
    raw.isa = SVMC_ISA_A64;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    CHECK(all_zero(&got));
    raw.isa = SVMC_ISA_RV64;
    raw.user = 2;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    raw.user = 1;
    CHECK_EQ(svmc_trap_from_rv(&config, &raw, NULL, 4, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_rv(NULL, &raw, NULL, 0, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_rv(&config, NULL, NULL, 0, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_rv(&config, &raw, NULL, 0, NULL, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_rv(&config, &raw, NULL, 0, &ops, &lab, NULL), SVMC_ERR_ARG);
}
