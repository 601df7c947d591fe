/* SPDX-License-Identifier: MIT */
/* EX-35 to EX-40. By hand from the privileged architecture, chapter 8; words by binutils. */
#include <svmcore/exit_rv.h>

#include "scenarios.h"

#define GPA 0x10000008u
#define LOAD(isa_, htinst_)                                                                   \
    {                                                                                         \
        .cause = 21, .stval = 0x3f80000008, .htval = GPA >> 2, .htinst = htinst_, .isa = isa_ \
    }

static struct svmc_exit e;

static enum svmc_status take(const struct svmc_rv_exit *raw, uint32_t word)
{
    uint8_t bytes[4];
    size_t count = word == 0 ? 0 : (word & 3) == 3 ? 4 : 2;

    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (8 * i));
    memset(&e, 0xee, sizeof e);
    return svmc_exit_from_rv(raw, count ? bytes : NULL, count, &e);
}

static const struct row {
    const char *name;
    uint32_t word, htinst; /* htinst: chapter 8.6.3, the 32-bit form without rs1 */
    bool write;
    uint8_t size, reg, extend, length;
} rows[] = {
    { "lb a3, 0(a1)", 0x00058683, 0x00000683, false, 1, 13, 2, 4 },
    { "lhu a4, 0(a1)", 0x0005d703, 0x00005703, false, 2, 14, 1, 4 },
    { "lw x0, 0(a1)", 0x0005a003, 0x00002003, false, 4, 0, 2, 4 },
    { "c.lw a0, 0(a1)", 0x4188, 0x00002501, false, 4, 10, 2, 2 },
    { "c.ld a2, 0(a1)", 0x6190, 0x00003601, false, 8, 12, 0, 2 },
    { "sb a5, 0(a1)", 0x00f58023, 0x00f00023, true, 1, 15, 0, 4 },
    { "c.sw a0, 0(a1)", 0xc188, 0x00a02021, true, 4, 10, 0, 2 },
    { "sd x0, 0(a1)", 0x0005b023, 0x00003023, true, 8, 0, 0, 4 },
};

static void check_access(const struct row *r, const char *how)
{
    CHECK_EQ(e.kind, r->write ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_MMIO_READ, "%s %s", r->name, how);
    CHECK_EQ(e.isa, SVMC_ISA_RV64);
    CHECK_EQ(e.size, r->size, "%s %s", r->name, how);
    CHECK_EQ(e.address, GPA, "%s %s", r->name, how);
    CHECK_EQ(e.insn_bytes, r->length, "%s %s", r->name, how);
    CHECK_EQ(r->write ? e.value_reg : e.dest_reg, SVMC_REG_RV_X0 + r->reg, "%s %s", r->name, how);
    CHECK_EQ(e.dest_bytes, r->write ? 0 : 8, "%s %s", r->name, how);
    if (r->extend)
        CHECK_EQ(e.dest_extend, r->extend, "%s %s", r->name, how);
}

TEST(exit_rv, loads_and_stores) /* EX-35 EX-37 */
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct svmc_rv_exit said = LOAD(SVMC_ISA_RV64, r->htinst), silent = said;

        said.cause = silent.cause = r->write ? 23 : 21;
        silent.htinst = 0;
        CHECK_EQ(take(&said, 0), SVMC_OK, "%s", r->name);
        check_access(r, "by htinst");
        CHECK_EQ(take(&said, r->word), SVMC_OK, "%s", r->name);
        check_access(r, "by both");
        CHECK_EQ(take(&silent, r->word), SVMC_OK, "%s", r->name);
        check_access(r, "by its bytes");
        CHECK_EQ(take(&silent, 0), SVMC_ERR_TRUNCATED, "%s", r->name);
        for (unsigned other = 0; other < sizeof rows / sizeof rows[0]; other++)
            if (other != i)
                CHECK_EQ(take(&said, rows[other].word), SVMC_ERR_MISMATCH, "%s, %s", r->name,
                         rows[other].name);
        silent.cause ^= 2;
        CHECK_EQ(take(&silent, r->word), SVMC_ERR_MISMATCH, "%s the other way", r->name);
        said.htinst |= 1u << 15;
        CHECK_EQ(take(&said, 0), SVMC_ERR_UNSUPPORTED, "%s, a part of it", r->name);
    }
}

TEST(exit_rv, what_is_more_than_one_load_is_not_finished) /* EX-35 EX-37 */
{
    struct svmc_rv_exit raw = LOAD(SVMC_ISA_RV64, 0);

    raw.cause = 23;
    CHECK_EQ(take(&raw, 0x00a5a52f), SVMC_ERR_UNSUPPORTED, "amoadd.w a0, a0, (a1)");
    raw.cause = 21;
    CHECK_EQ(take(&raw, 0x0005a507), SVMC_ERR_UNSUPPORTED, "flw fa0, 0(a1)");
    CHECK_EQ(take(&raw, 0x10500073), SVMC_ERR_MISMATCH, "wfi");
    CHECK_EQ(take(&raw, 0xffffffff), SVMC_ERR_UNSUPPORTED, "longer than 32 bits");
    raw.htinst = 0x3000; /* an implicit load of a table walk on RV64 */
    CHECK_EQ(take(&raw, 0), SVMC_ERR_UNSUPPORTED);
    raw.htinst = (uint64_t)1 << 32 | 0x2503;
    CHECK_EQ(take(&raw, 0), SVMC_ERR_UNSUPPORTED);
    raw = (struct svmc_rv_exit)LOAD(SVMC_ISA_RV64, 0x2503);
    raw.htval = 0;
    CHECK_EQ(take(&raw, 0), SVMC_ERR_UNSUPPORTED, "no address");
    raw = (struct svmc_rv_exit)LOAD(SVMC_ISA_RV32, 0x2503);
    CHECK_EQ(take(&raw, 0), SVMC_OK, "lw a0 of RV32");
    CHECK_EQ(e.dest_bytes, 4);
    raw.htinst = 0x3603;
    CHECK(take(&raw, 0) != SVMC_OK, "RV32 has no ld");
}

TEST(exit_rv, virtual_instructions_and_calls) /* EX-36 EX-38 */
{
    struct svmc_rv_exit raw = { .cause = 22, .stval = 0x10500073, .isa = SVMC_ISA_RV64 };

    CHECK_EQ(take(&raw, 0), SVMC_OK);
    CHECK_EQ(e.kind, SVMC_KIND_WFI);
    CHECK_EQ(e.insn_bytes, 4);
    CHECK_EQ(take(&raw, 0x10500073), SVMC_OK);
    CHECK_EQ(take(&raw, 0x10002573), SVMC_ERR_MISMATCH, "stval says wfi");
    raw.stval = 0;
    CHECK_EQ(take(&raw, 0), SVMC_ERR_TRUNCATED);
    raw.user = 1;
    CHECK_EQ(take(&raw, 0x10002573), SVMC_OK, "csrr a0, sstatus");
    CHECK_EQ(e.kind, SVMC_KIND_UNKNOWN);
    CHECK_EQ(e.user, 1);
    raw = (struct svmc_rv_exit){ .cause = 10, .isa = SVMC_ISA_RV64 };
    CHECK_EQ(take(&raw, 0), SVMC_OK, "ecall");
    CHECK_EQ(e.kind, SVMC_KIND_SBI);
    CHECK_EQ(e.insn_bytes, 4);
}

TEST(exit_rv, a_read_of_time) /* EX-39; words by binutils */
{
    static const struct {
        uint32_t word;
        uint8_t reg; /* 0xff: UNKNOWN */
    } reads[] = {
        { 0xc01022f3, 5 },    /* rdtime t0 */
        { 0xc0102ff3, 31 },   /* rdtime t6 */
        { 0xc0102073, 0 },    /* rdtime zero */
        { 0xc0103573, 10 },   /* csrrc a0, time, zero */
        { 0xc010a573, 0xff }, /* csrrs a0, time, ra: writes */
        { 0xc0101573, 0xff }, /* csrrw a0, time, zero: writes */
        { 0xc0106573, 10 },   /* csrrsi a0, time, 0 */
        { 0xc8102573, 0xff }, /* rdtimeh a0 */
        { 0xdef02573, 0xff }, /* csrr a0, 0xdef */
    };

    for (unsigned i = 0; i < sizeof reads / sizeof reads[0]; i++)
        for (unsigned way = 0; way < 2; way++) {
            struct svmc_rv_exit raw = { .cause = 22,
                                        .stval = way ? reads[i].word : 0,
                                        .isa = SVMC_ISA_RV64 };

            CHECK_EQ(take(&raw, way ? 0 : reads[i].word), SVMC_OK, "row %u", i);
            CHECK_EQ(e.insn_bytes, 4);
            CHECK_EQ(e.kind, reads[i].reg == 0xff ? SVMC_KIND_UNKNOWN : SVMC_KIND_RDTIME, "row %u",
                     i);
            CHECK_EQ(e.address, reads[i].reg == 0xff ? 0 : 0xc01, "row %u", i);
            if (reads[i].reg != 0xff)
                CHECK_EQ(e.dest_reg, SVMC_REG_RV_X0 + reads[i].reg, "row %u", i);
            CHECK_EQ(e.dest_bytes, reads[i].reg == 0xff ? 0 : 8);
            raw.isa = SVMC_ISA_RV32;
            CHECK_EQ(take(&raw, way ? 0 : reads[i].word), SVMC_OK, "row %u", i);
            CHECK_EQ(e.kind, SVMC_KIND_UNKNOWN, "RV32 has halves");
        }
}

static void check_csr(uint32_t word, unsigned kind, uint32_t csr, unsigned dest, unsigned source,
                      bool rv32, const char *name)
{
    struct svmc_rv_exit raw = { .cause = 22,
                                .stval = word,
                                .isa = rv32 ? SVMC_ISA_RV32 : SVMC_ISA_RV64 };
    unsigned size = kind == SVMC_KIND_UNKNOWN ? 0 : rv32 ? 4 : 8;

    CHECK_EQ(take(&raw, 0), SVMC_OK, "%s", name);
    CHECK_EQ(e.kind, kind, "%s", name);
    CHECK_EQ(e.address, csr, "%s", name);
    CHECK_EQ(e.size, size, "%s", name);
    CHECK_EQ(e.insn_bytes, 4);
    CHECK_EQ(e.dest_reg, dest == 0xff ? 0 : SVMC_REG_RV_X0 + dest, "%s", name);
    CHECK_EQ(e.dest_bytes, dest == 0xff ? 0 : size, "%s", name);
    CHECK_EQ(e.from, source < 32 ? SVMC_FROM_VALUE_REG : 0, "%s", name);
    CHECK_EQ(e.value_reg, source < 32 ? SVMC_REG_RV_X0 + source : 0, "%s", name);
    CHECK_EQ(e.value, source >= 0x100 ? source - 0x100 : 0, "%s", name);
}

TEST(exit_rv, csrs) /* EX-40; words by binutils */
{
    enum { NO = 0xff, IMM = 0x100, U = SVMC_KIND_UNKNOWN };
    static const struct {
        const char *name;
        uint32_t word;
        uint16_t kind, csr;
        uint16_t dest, source;
    } all[] = {
        { "csrr a0, seed", 0x01502573, SVMC_KIND_CSR_READ, 0x015, 10, NO },
        { "csrrw a0, seed, zero", 0x01501573, SVMC_KIND_CSR_SWAP, 0x015, 10, 0 },
        { "csrw stimecmp, t1", 0x14d31073, SVMC_KIND_CSR_WRITE, 0x14d, NO, 6 },
        { "csrs sstateen0, t2", 0x10c3a073, SVMC_KIND_CSR_SET, 0x10c, 0, 7 },
        { "csrrc t3, sstateen3, t4", 0x10febe73, SVMC_KIND_CSR_CLEAR, 0x10f, 28, 29 },
        { "csrwi senvcfg, 9", 0x10a4d073, SVMC_KIND_CSR_WRITE, 0x10a, NO, IMM + 9 },
        { "csrrwi s1, satp, 31", 0x180fd4f3, SVMC_KIND_CSR_SWAP, 0x180, 9, IMM + 31 },
        { "csrrsi a5, sip, 2", 0x144167f3, SVMC_KIND_CSR_SET, 0x144, 15, IMM + 2 },
        { "csrci sie, 0", 0x10407073, SVMC_KIND_CSR_READ, 0x104, 0, NO },
        { "csrrci a1, stopei, 8", 0x15c475f3, SVMC_KIND_CSR_CLEAR, 0x15c, 11, IMM + 8 },
        { "csrrw t0, stimecmp, t0", 0x14d292f3, SVMC_KIND_CSR_SWAP, 0x14d, 5, 5 },
        { "csrr a0, scontext", 0x5a802573, SVMC_KIND_CSR_READ, 0x5a8, 10, NO },
        { "csrr a0, stopi", 0xdb002573, SVMC_KIND_CSR_READ, 0xdb0, 10, NO },
        { "rdcycle t0", 0xc00022f3, SVMC_KIND_RDCOUNTER, 0xc00, 5, NO },
        { "rdinstret zero", 0xc0202073, SVMC_KIND_RDCOUNTER, 0xc02, 0, NO },
        { "csrrci t6, hpmcounter31, 0", 0xc1f07ff3, SVMC_KIND_RDCOUNTER, 0xc1f, 31, NO },
        { "csrrs a0, cycle, a1", 0xc005a573, U, 0, NO, NO },
        { "csrw cycle, zero", 0xc0001073, U, 0, NO, NO },
        { "csrrsi a0, cycle, 1", 0xc000e573, U, 0, NO, NO },
        { "csrr a0, timeh", 0xc8102573, U, 0, NO, NO },
        { "csrr a0, mstatus", 0x30002573, U, 0, NO, NO },
        { "csrr a0, vsatp", 0x28002573, U, 0, NO, NO },
        { "csrr a0, sstatus", 0x10002573, U, 0, NO, NO },
    };

    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
        for (unsigned rv32 = 0; rv32 < 2; rv32++)
            check_csr(all[i].word, all[i].kind, all[i].csr, all[i].dest, all[i].source, rv32,
                      all[i].name);
    /* halves, which RV32 alone has */
    for (unsigned rv32 = 0; rv32 < 2; rv32++) {
        unsigned counter = rv32 ? SVMC_KIND_RDCOUNTER : U, csr = rv32 ? SVMC_KIND_CSR_READ : U;

        check_csr(0xc8002573, counter, rv32 ? 0xc80 : 0, rv32 ? 10 : NO, NO, rv32, "cycleh");
        check_csr(0xc9f02573, counter, rv32 ? 0xc9f : 0, rv32 ? 10 : NO, NO, rv32, "31h");
        check_csr(0x15d02573, csr, rv32 ? 0x15d : 0, rv32 ? 10 : NO, NO, rv32, "stimecmph");
    }
}

/* Of the 4096 numbers those that RISC-V's manuals let a virtual instruction be about, no more. */
TEST(exit_rv, a_csr_that_is_unknown_is_the_guests_fault) /* EX-40 EX-4 */
{
    static const uint16_t known[] = { 0x015, 0x104, 0x10a, 0x10c, 0x10d, 0x10e, 0x10f,
                                      0x120, 0x144, 0x14d, 0x150, 0x151, 0x152, 0x153,
                                      0x155, 0x156, 0x157, 0x15c, 0x180, 0x5a8, 0xdb0 };

    for (uint32_t csr = 0; csr < 4096; csr++) {
        struct svmc_rv_exit raw = { .cause = 22, .isa = SVMC_ISA_RV64 };
        unsigned kind = csr == 0xc01                   ? SVMC_KIND_RDTIME
                        : csr >= 0xc00 && csr <= 0xc1f ? SVMC_KIND_RDCOUNTER
                                                       : SVMC_KIND_UNKNOWN;

        for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
            kind = known[i] == csr ? SVMC_KIND_CSR_READ : kind;
        raw.stval = csr << 20 | 0x2573; /* csrr a0, csr */
        if (take(&raw, 0) == SVMC_OK)
            CHECK_EQ(e.kind, kind, "%x", (unsigned)csr);
        else /* not one of RV64, or above HS-mode: the decoder says so */
            CHECK_EQ(kind, SVMC_KIND_UNKNOWN, "%x", (unsigned)csr);
        raw.user = 1; /* VU-mode: what the guest lends it, and nothing else */
        raw.scounteren = ~((uint32_t)1 << (csr & 31));
        if (take(&raw, 0) == SVMC_OK)
            CHECK_EQ(e.kind, SVMC_KIND_UNKNOWN, "%x of VU-mode", (unsigned)csr);
        raw.scounteren = (uint32_t)1 << (csr & 31);
        if (take(&raw, 0) == SVMC_OK)
            CHECK_EQ(e.kind, csr >= 0xc00 && csr <= 0xc1f ? kind : (unsigned)SVMC_KIND_UNKNOWN,
                     "%x that is lent", (unsigned)csr);
    }
}

TEST(exit_rv, every_cause_has_an_answer) /* EX-36 */
{
    for (uint64_t cause = 0; cause < 64; cause++) {
        struct svmc_rv_exit raw = LOAD(SVMC_ISA_RV64, 0);
        bool needs = cause == 21 || cause == 23;

        raw.cause = cause;
        raw.stval = cause == 22 ? 0x10500073 : raw.stval;
        CHECK_EQ(take(&raw, 0),
                 needs                        ? SVMC_ERR_TRUNCATED
                 : cause == 22 || cause == 10 ? SVMC_OK
                                              : SVMC_ERR_UNSUPPORTED,
                 "cause %u", (unsigned)cause);
        raw.cause |= (uint64_t)1 << 63;
        CHECK_EQ(take(&raw, 0), SVMC_ERR_UNSUPPORTED, "interrupt %u", (unsigned)cause);
    }
    e.kind = 1;
    CHECK_EQ(take(&(struct svmc_rv_exit){ .isa = SVMC_ISA_A64 }, 0), SVMC_ERR_ARG);
    CHECK_EQ(e.kind, 0);
    CHECK_EQ(take(&(struct svmc_rv_exit){ .isa = SVMC_ISA_RV64, .user = 2 }, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_rv(NULL, NULL, 0, &e), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_rv(&(struct svmc_rv_exit){ .isa = SVMC_ISA_RV64 }, NULL, 0, NULL),
             SVMC_ERR_ARG);
}
