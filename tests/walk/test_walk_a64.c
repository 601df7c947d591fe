/* SPDX-License-Identifier: MIT */
/* docs/spec/walk.md: AArch64. Indices and status codes by hand from the Arm ARM (DDI 0487), D8 and
 * ESR_EL1; tests/checks/walk_a64.c compares with a processor. */
#include "../harness.h"
#include "walk_lab.h"

#define BIT(n) (UINT64_C(1) << (n))
#define R      SVMC_WALK_READ
#define W      SVMC_WALK_WRITE
#define X      SVMC_WALK_FETCH
#define USER   SVMC_WALK_USER
#define EL0    0u
#define EL1    5u
#define EL2    9u
#define PAN    BIT(22)
#define UAO    BIT(23)
#define E2H    BIT(34)
#define TGE    BIT(27)
#define WXN    BIT(19)
#define EPAN   BIT(57)
#define NONE   0xffffu

/* The address of all tests; of 4 KiB pages entries 24, d1, b3, 189 (hex), byte abc. */
#define AT   0x123456789abcu
#define L0   0x1120u
#define L1   0x2688u
#define L2   0x3598u
#define L3   0x4c48u
#define PAGE 0xabcde000u

/* 48 bits of both halves, 4 KiB, 48 bits out; every feature. */
static struct svmc_walk_a64 el1(void)
{
    return (struct svmc_walk_a64){
        .sctlr = 1,
        .tcr = 16 | 16 << 16 | BIT(31) | UINT64_C(5) << 32,
        .ttbr0 = 0x1000,
        .ttbr1 = 0x1000,
        .mair = 0x7766554433221100,
        .pstate = EL1,
        .mmfr0 = 6 | 2 << 20 | 1 << 28,
        .mmfr1 = 2 | 1 << 12 | 3 << 20,
        .mmfr2 = 1 << 4 | 1 << 16 | 1 << 28 | UINT64_C(1) << 60,
    };
}

/* A page that EL0 may read and write: 743, of which AF is 400, SH 300, AP[1] 40. */
static void tables(struct walk_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    lab_put(lab, L0, 0x2003);
    lab_put(lab, L1, 0x3003);
    lab_put(lab, L2, 0x4003);
    lab_put(lab, L3, PAGE | 0x743);
}

static void walk(struct walk_lab *lab, const struct svmc_walk_a64 *regs, uint64_t at,
                 uint32_t access, struct svmc_walk_result *r, const char *name)
{
    memset(r, 0xee, sizeof *r);
    CHECK_EQ(svmc_walk_by_a64(regs, &lab_ops, lab, (svmc_gva){ at }, access, r), SVMC_OK, "%s",
             name);
}

static void expect_abort(const struct svmc_walk_result *r, uint8_t ec, uint32_t iss, uint64_t far,
                         const char *name)
{
    CHECK(lab_is_fault(r), "%s", name);
    CHECK_EQ(r->fault.vector, ec, "%s", name);
    CHECK_EQ(r->fault.has_error, 1, "%s", name);
    CHECK_EQ(r->fault.error, iss, "%s", name);
    CHECK_EQ(r->fault.address, far, "%s", name);
}

TEST(walk_a64, four_kilobytes) /* WK-21 WK-22 WK-33 */
{
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab;

    tables(&lab);
    regs.ttbr0 |= BIT(48) | 1; /* an ASID, CnP */
    walk(&lab, &regs, AT, R, &r, "page");
    lab_expect(&r, 0xabcdeabc, 4096, "page");
    CHECK_EQ(r.page, SVMC_WALK_PAGE_USER | SVMC_WALK_PAGE_GLOBAL);
    CHECK_EQ(r.share, 3);
    CHECK_EQ(r.rights, R | W, "EL0 writes, so EL1 does not fetch");
    lab_put(&lab, L3, PAGE | BIT(52) | 0xf4f); /* contiguous, nG, AttrIndx 3 */
    walk(&lab, &regs, AT, R, &r, "contiguous");
    lab_expect(&r, 0xabcdeabc, 4096, "contiguous");
    CHECK_EQ(r.page, SVMC_WALK_PAGE_USER);
    CHECK_EQ(r.memory, 0x33);
    lab_put(&lab, L2, 0xabc00741);
    walk(&lab, &regs, AT, R, &r, "2 MiB");
    lab_expect(&r, 0xabd89abc, 0x200000, "2 MiB");
    lab_put(&lab, L1, 0x15c0000741);
    walk(&lab, &regs, AT, R, &r, "1 GiB");
    lab_expect(&r, 0x15d6789abc, 0x40000000, "1 GiB");
    lab_put(&lab, L0, 0x741);
    walk(&lab, &regs, AT, R, &r, "no blocks in level 0");
    expect_abort(&r, 0x25, 4, AT, "no blocks in level 0");
    tables(&lab);
    lab_put(&lab, L3, PAGE | 0x741);
    walk(&lab, &regs, AT, W, &r, "no block in level 3");
    expect_abort(&r, 0x25, 0x47, AT, "no block in level 3");
}

/* Invalid entries of every level, and addresses that are too large. */
TEST(walk_a64, codes_of_every_level) /* WK-22 WK-26 */
{
    static const uint64_t at[4] = { L0, L1, L2, L3 };
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab;

    regs.tcr = (regs.tcr & ~(UINT64_C(7) << 32)) | UINT64_C(2) << 32; /* 40 bits out */
    for (unsigned level = 0; level < 4; level++) {
        tables(&lab);
        lab_put(&lab, at[level], 0xfffffffffffffffe);
        walk(&lab, &regs, AT, R, &r, "invalid");
        expect_abort(&r, 0x25, 4 + level, AT, "translation");
        regs.pstate = EL0;
        walk(&lab, &regs, AT, X, &r, "invalid");
        expect_abort(&r, 0x20, 4 + level, AT, "translation, fetch by EL0");
        regs.pstate = EL1;
        walk(&lab, &regs, AT, X, &r, "invalid");
        expect_abort(&r, 0x21, 4 + level, AT, "translation, fetch by EL1");
        tables(&lab);
        lab_put(&lab, at[level], lab_get(&lab, at[level]) | BIT(40));
        walk(&lab, &regs, AT, W, &r, "too large");
        expect_abort(&r, 0x25, 0x40 | level, AT, "address size");
        if (level == 0)
            continue;
        tables(&lab);
        lab_put(&lab, at[level], level == 3 ? PAGE | 0x343 : 0x80000341); /* AF is 0 */
        walk(&lab, &regs, AT, R | W, &r, "access flag");
        expect_abort(&r, 0x25, 8 + level, AT, "access flag: a read would have faulted");
        lab_put(&lab, at[level], level == 3 ? PAGE | 0x7c3 : 0x800007c1); /* read-only */
        walk(&lab, &regs, AT, R | W, &r, "permission");
        expect_abort(&r, 0x25, 0x4c + level, AT, "permission: a read would not have");
        regs.pstate = EL0;
        lab_put(&lab, at[level], level == 3 ? PAGE | 0x703 : 0x80000701); /* EL1 alone */
        walk(&lab, &regs, AT, R | W, &r, "permission");
        expect_abort(&r, 0x24, 0xc + level, AT, "permission, EL0");
        regs.pstate = EL1;
    }
    regs.ttbr0 = BIT(40) | 0x1000;
    walk(&lab, &regs, AT, R, &r, "TTBR too large");
    expect_abort(&r, 0x25, 0, AT, "TTBR too large");
}

TEST(walk_a64, granules_of_16_and_64) /* WK-19 WK-21 WK-22 */
{
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab = { .count = 0 };

    /* 16 KiB, 48 bits: bit 47, then 11 bits each: 0, 123, 22b, 1e2; byte 1abc */
    regs.tcr |= 2 << 14;
    regs.ttbr0 = 0x1008; /* two entries: 16 bytes, so that 8 does not count */
    lab_put(&lab, 0x1000, 0x8003);
    lab_put(&lab, 0x8000 + 8 * 0x123, 0xc003);
    lab_put(&lab, 0xc000 + 8 * 0x22b, 0x10003);
    lab_put(&lab, 0x10000 + 8 * 0x1e2, 0xabcdc743);
    walk(&lab, &regs, AT, R, &r, "16 KiB");
    lab_expect(&r, 0xabcddabc, 16384, "16 KiB");
    lab_put(&lab, 0xc000 + 8 * 0x22b, 0xaa000741); /* 32 MiB */
    walk(&lab, &regs, AT, R, &r, "32 MiB");
    lab_expect(&r, 0xaa789abc, 0x2000000, "32 MiB"); /* aa000000 + 789abc */
    lab_put(&lab, 0x8000 + 8 * 0x123, 0x741);
    walk(&lab, &regs, AT, R, &r, "no blocks in level 1");
    expect_abort(&r, 0x25, 5, AT, "no blocks in level 1");
    /* 64 KiB, 48 bits: 6 bits, then 13 each: 4, 11a2, 1678; byte 9abc */
    regs.tcr = (regs.tcr & ~UINT64_C(0xc000)) | 1 << 14;
    regs.ttbr0 = 0x20000;
    lab.count = 0;
    lab_put(&lab, 0x20000 + 8 * 0x4, 0x30003);
    lab_put(&lab, 0x30000 + 8 * 0x11a2, 0x40003);
    lab_put(&lab, 0x40000 + 8 * 0x1678, 0xabcd0743);
    walk(&lab, &regs, AT, R, &r, "64 KiB");
    lab_expect(&r, 0xabcd9abc, 65536, "64 KiB");
    lab_put(&lab, 0x30000 + 8 * 0x11a2, 0x80000741 | 1 << 12); /* 52 bits: 1 is bit 48; 512 MiB */
    regs.tcr = (regs.tcr & ~(UINT64_C(7) << 32)) | UINT64_C(6) << 32;
    regs.ttbr0 |= 1 << 2; /* and the tables start at bit 48 as well */
    lab.entry[0].at |= BIT(48);
    walk(&lab, &regs, AT, R, &r, "512 MiB");
    lab_expect(&r, BIT(48) + 0x80000000 + 0x16789abc, 0x20000000, "512 MiB");
    regs.mmfr0 = (regs.mmfr0 & ~UINT64_C(15)) | 5; /* a processor of 48 bits */
    lab.entry[0].at &= ~BIT(48);
    walk(&lab, &regs, AT, R, &r, "48 bits");
    lab_expect(&r, 0x80000000 + 0x16789abc, 0x20000000, "48 bits");
    regs.mmfr0 |= UINT64_C(15) << 24; /* no 64 KiB: as 4 KiB */
    tables(&lab);
    regs.ttbr0 = 0x1000;
    walk(&lab, &regs, AT, R, &r, "a granule that is not there");
    lab_expect(&r, 0xabcdeabc, 4096, "a granule that is not there");
    regs.tcr |= 3 << 14;
    walk(&lab, &regs, AT, R, &r, "TG0 3");
    lab_expect(&r, 0xabcdeabc, 4096, "TG0 3");
}

/* FEAT_LPA2: TCR.DS. Five levels of 4 KiB; bits 9:8 of entries are 51:50 of the address. */
TEST(walk_a64, fifty_two_bits) /* WK-18 WK-20 WK-22 */
{
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab;

    tables(&lab);
    regs.tcr = (regs.tcr & ~(UINT64_C(7) << 32 | 63)) | BIT(59) | UINT64_C(6) << 32 | 12 |
               2 << 12; /* SH0 outer */
    regs.ttbr0 = 0x7000;
    lab_put(&lab, 0x7000 + 8 * 0xa, 0x1003);   /* level -1: address bits 51:48 */
    lab_put(&lab, L3, PAGE | BIT(49) | 0x643); /* SH here: 51:50 is 2 */
    walk(&lab, &regs, AT | UINT64_C(0xa) << 48, R, &r, "LPA2");
    lab_expect(&r, BIT(51) | BIT(49) | 0xabcdeabc, 4096, "LPA2");
    CHECK_EQ(r.share, 2);
    CHECK_EQ(lab.reads, 5);
    lab_put(&lab, L0, 0x8000000441); /* 512 GiB: 8000000000 */
    walk(&lab, &regs, AT | UINT64_C(0xa) << 48, R, &r, "512 GiB");
    lab_expect(&r, 0x8000000000 + 0x3456789abc, 0x8000000000, "512 GiB");
    lab_put(&lab, 0x7000 + 8 * 0xa, 0);
    walk(&lab, &regs, AT | UINT64_C(0xa) << 48, R, &r, "level -1");
    expect_abort(&r, 0x25, 0x2b, AT | UINT64_C(0xa) << 48, "level -1");
    regs.tcr = (regs.tcr & ~(UINT64_C(7) << 32)) | UINT64_C(2) << 32;
    lab_put(&lab, 0x7000 + 8 * 0xa, BIT(40) | 0x1003);
    walk(&lab, &regs, AT | UINT64_C(0xa) << 48, R, &r, "address size at level -1");
    expect_abort(&r, 0x25, 0x29, AT | UINT64_C(0xa) << 48, "address size at level -1");
    lab.entry[4].at = 1;
    walk(&lab, &regs, AT | UINT64_C(0xa) << 48, R, &r, "external at level -1");
    expect_abort(&r, 0x25, 0x13, AT | UINT64_C(0xa) << 48, "external at level -1");
    regs.mmfr0 &= ~(UINT64_C(15) << 28); /* no LPA2: DS is nothing, and 12 too small */
    walk(&lab, &regs, AT, R, &r, "no LPA2");
    expect_abort(&r, 0x25, 4, AT, "no LPA2");
}

TEST(walk_a64, halves_and_tags) /* WK-20 WK-21 */
{
    static const struct {
        char name[32];
        uint64_t at, tcr; /* set beside el1's */
        uint32_t access;
        uint8_t user, ok;
    } rows[] = {
        { "lower", AT, 0, R, 0, 1 },
        { "upper", 0xffff123456789abc, 0, R, 0, 1 },
        { "between", 0x0001123456789abc, 0, R, 0, 0 },
        { "between, above", 0xfffe123456789abc, 0, R, 0, 0 },
        { "tag, no TBI", 0xab00123456789abc, 0, R, 0, 0 },
        { "tag, TBI0", 0xab00123456789abc, BIT(37), R, 0, 1 },
        { "tag, TBI1 only", 0xab00123456789abc, BIT(38), R, 0, 0 },
        { "tag, TBI1", 0x12ff123456789abc, BIT(38), R, 0, 1 },
        { "tag, bit 54", 0xab40123456789abc, BIT(37), R, 0, 0 },
        { "tag, fetch", 0xab00123456789abc, BIT(37), X, 0, 1 },
        { "tag, fetch, TBID0", 0xab00123456789abc, BIT(37) | BIT(51), X, 0, 0 },
        { "tag, read, TBID0", 0xab00123456789abc, BIT(37) | BIT(51), R, 0, 1 },
        { "tag, fetch, TBID1", 0x12ff123456789abc, BIT(38) | BIT(52), X, 0, 0 },
        { "EPD0", AT, BIT(7), R, 0, 0 },
        { "EPD0, upper", 0xffff123456789abc, BIT(7), R, 0, 1 },
        { "EPD1", 0xffff123456789abc, BIT(23), R, 0, 0 },
        { "E0PD1, EL0", 0xffff123456789abc, BIT(56), R, 1, 0 },
        { "E0PD1, EL1", 0xffff123456789abc, BIT(56), R, 0, 1 },
        { "E0PD0, EL0", AT, BIT(55), R, 1, 0 },
        { "E0PD1, EL0, lower", AT, BIT(56), R, 1, 1 },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_a64 regs = el1();

        regs.tcr |= rows[i].tcr;
        regs.pstate = rows[i].user ? EL0 : EL1;
        tables(&lab);
        lab_put(&lab, L3, PAGE | (rows[i].access == X ? 0x7c3 : 0x743));
        walk(&lab, &regs, rows[i].at, rows[i].access, &r, rows[i].name);
        if (rows[i].ok)
            lab_expect(&r, 0xabcdeabc, 4096, rows[i].name);
        else
            expect_abort(&r, (uint8_t)((rows[i].access == X ? 0x21 : 0x25) - rows[i].user), 4,
                         rows[i].at, rows[i].name);
    }
}

/* Sizes of the address: where the first table is, and what TxSZ may be. */
TEST(walk_a64, sizes) /* WK-20 WK-21 */
{
    static const struct {
        uint8_t size, st;   /* TxSZ, FEAT_TTST */
        uint64_t at, first; /* the entry that is read first; 0: none */
    } rows[] = {
        { 16, 0, AT, 0x1120 },
        { 15, 0, AT, 0 },
        { 25, 0, 0x3456789abc, 0x1688 }, /* level 1: d1 */
        { 34, 0, 0x16789abc, 0x1598 },   /* level 2: b3 */
        { 30, 0, 0x316789abc, 0x1060 },  /* level 1, four bits: c */
        { 39, 0, 0x1789abc, 0x1058 },    /* level 2: 25 bits: b */
        { 40, 0, 0x789abc, 0 },
        { 48, 1, 0x9abc, 0x1048 }, /* level 3: 16 bits: 9 */
        { 49, 1, 0x1abc, 0 },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_a64 regs = el1();

        regs.tcr = (regs.tcr & ~UINT64_C(63)) | rows[i].size;
        if (!rows[i].st)
            regs.mmfr2 &= ~(UINT64_C(15) << 28);
        memset(&lab, 0, sizeof lab);
        lab_put(&lab, rows[i].first, 0);
        walk(&lab, &regs, rows[i].at, R, &r, "sizes");
        CHECK(lab_is_fault(&r));
        CHECK_EQ(lab.reads, rows[i].first != 0, "%u", rows[i].size);
        if (rows[i].first != 0)
            CHECK_EQ(lab.entry[0].reads, 1, "%u", rows[i].size);
        else
            CHECK_EQ(r.fault.error, 4, "%u", rows[i].size);
    }
}

/* Rights: DDI 0487 D8.4. leaf: bits beside AF; table: bits of the level 1 entry. */
TEST(walk_a64, rights) /* WK-16 WK-18 WK-23 WK-24 */
{
    static const struct {
        char name[40];
        uint64_t leaf, table, tcr, sctlr, pstate, hcr;
        uint32_t access, want; /* ISS, or NONE */
    } rows[] = {
        { "EL1 writes", 0, 0, 0, 0, EL1, 0, W, NONE },
        { "EL1 fetches", 0, 0, 0, 0, EL1, 0, X, NONE },
        { "EL0 reads EL1's", 0, 0, 0, 0, EL0, 0, R, 0xf },
        { "EL0 writes", 0x40, 0, 0, 0, EL0, 0, W, NONE },
        { "EL0 fetches its writable", 0x40, 0, 0, 0, EL0, 0, X, NONE },
        { "EL1 fetches EL0's writable", 0x40, 0, 0, 0, EL1, 0, X, 0xf },
        { "EL1 fetches EL0's read-only", 0xc0, 0, 0, 0, EL1, 0, X, NONE },
        { "EL0 fetches what it cannot read", 0, 0, 0, 0, EL0, 0, X, NONE },
        { "EL0 writes read-only", 0xc0, 0, 0, 0, EL0, 0, W, 0x4f },
        { "EL1 writes read-only", 0x80, 0, 0, 0, EL1, 0, W, 0x4f },
        { "UXN, EL0", BIT(54) | 0xc0, 0, 0, 0, EL0, 0, X, 0xf },
        { "UXN, EL1", BIT(54) | 0xc0, 0, 0, 0, EL1, 0, X, NONE },
        { "PXN, EL1", BIT(53), 0, 0, 0, EL1, 0, X, 0xf },
        { "PXN, EL0", BIT(53), 0, 0, 0, EL0, 0, X, NONE },
        { "APTable 1, EL0", 0x40, BIT(61), 0, 0, EL0, 0, R, 0xf },
        { "APTable 1, EL1", 0x40, BIT(61), 0, 0, EL1, 0, W, NONE },
        { "APTable 1, EL1 fetches", 0x40, BIT(61), 0, 0, EL1, 0, X, NONE },
        { "APTable 2", 0x40, BIT(62), 0, 0, EL1, 0, W, 0x4f },
        { "APTable 2, EL0 reads", 0x40, BIT(62), 0, 0, EL0, 0, R, NONE },
        { "UXNTable", 0, BIT(60), 0, 0, EL0, 0, X, 0xf },
        { "PXNTable", 0, BIT(59), 0, 0, EL1, 0, X, 0xf },
        { "all of them, HPD0", 0x40, BIT(59) | BIT(60) | BIT(61) | BIT(62), BIT(41), 0, EL0, 0, W,
          NONE },
        { "all of them, HPD1", 0x40, BIT(59) | BIT(60) | BIT(61) | BIT(62), BIT(42), 0, EL0, 0, W,
          0x4f },
        { "WXN, EL1", 0, 0, 0, WXN, EL1, 0, X, 0xf },
        { "WXN, EL1, read-only", 0x80, 0, 0, WXN, EL1, 0, X, NONE },
        { "WXN, EL0", 0x40, 0, 0, WXN, EL0, 0, X, 0xf },
        { "WXN, EL0, EL1's", 0, 0, 0, WXN, EL0, 0, X, NONE },
        { "PAN, EL0's page", 0x40, 0, 0, 0, EL1 | PAN, 0, R, 0xf },
        { "PAN, EL0's page, written", 0x40, 0, 0, 0, EL1 | PAN, 0, W, 0x4f },
        { "PAN, EL1's page", 0, 0, 0, 0, EL1 | PAN, 0, W, NONE },
        { "PAN, fetch", 0xc0, 0, 0, 0, EL1 | PAN, 0, X, NONE },
        { "PAN, LDTR", 0x40, 0, 0, 0, EL1 | PAN, 0, R | USER, NONE },
        { "PAN, EL0", 0x40, 0, 0, 0, EL0 | PAN, 0, R, NONE },
        { "PAN, EL0 may fetch alone", 0, 0, 0, 0, EL1 | PAN, 0, R, NONE },
        { "PAN with EPAN", 0, 0, 0, EPAN, EL1 | PAN, 0, R, 0xf },
        { "EPAN, UXN", BIT(54), 0, 0, EPAN, EL1 | PAN, 0, R, NONE },
        { "LDTR, EL1's", 0, 0, 0, 0, EL1, 0, R | USER, 0xf },
        { "LDTR, UAO", 0, 0, 0, 0, EL1 | UAO, 0, R | USER, NONE },
        { "EL2 with E2H, EL0's page", 0x40, 0, 0, 0, EL2, E2H, X, 0xf },
        { "EL2 with E2H, LDTR", 0, 0, 0, 0, EL2, E2H, R | USER, NONE },
        { "EL2 with E2H and TGE, LDTR", 0, 0, 0, 0, EL2, E2H | TGE, R | USER, 0xf },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_a64 regs = el1();
        bool fetch = rows[i].access == X, lower = (rows[i].pstate & 12) == 0;

        regs.tcr |= rows[i].tcr;
        regs.sctlr |= rows[i].sctlr;
        regs.pstate = rows[i].pstate;
        regs.hcr = rows[i].hcr;
        tables(&lab);
        lab_put(&lab, L1, 0x3003 | rows[i].table);
        lab_put(&lab, L3, PAGE | 0x403 | rows[i].leaf);
        walk(&lab, &regs, AT, rows[i].access, &r, rows[i].name);
        if (rows[i].want == NONE)
            lab_expect(&r, 0xabcdeabc, 4096, rows[i].name);
        else
            expect_abort(&r, (uint8_t)((fetch ? 0x21 : 0x25) - lower), rows[i].want, AT,
                         rows[i].name);
    }
}

/* The regime of EL2 alone: TCR_EL2's form, one half, XN, no EL0. */
TEST(walk_a64, el2) /* WK-16 WK-19 WK-23 */
{
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab;

    tables(&lab);
    regs.pstate = EL2;
    regs.tcr = 16 | 5 << 16;
    lab_put(&lab, L3, PAGE | 0xf03); /* nG is nothing */
    walk(&lab, &regs, AT, X, &r, "EL2");
    lab_expect(&r, 0xabcdeabc, 4096, "EL2");
    CHECK_EQ(r.page, SVMC_WALK_PAGE_GLOBAL);
    CHECK_EQ(r.rights, R | W | X);
    walk(&lab, &regs, 0xffff123456789abc, R, &r, "no upper half");
    expect_abort(&r, 0x25, 4, 0xffff123456789abc, "no upper half");
    regs.tcr |= 1 << 20;
    walk(&lab, &regs, 0xff00123456789abc, R, &r, "TBI");
    lab_expect(&r, 0xabcdeabc, 4096, "TBI");
    regs.tcr |= 1 << 29;
    walk(&lab, &regs, 0xff00123456789abc, X, &r, "TBID");
    expect_abort(&r, 0x21, 4, 0xff00123456789abc, "TBID");
    lab_put(&lab, L3, PAGE | BIT(54) | 0x783);
    walk(&lab, &regs, AT, X, &r, "XN");
    expect_abort(&r, 0x21, 0xf, AT, "XN");
    walk(&lab, &regs, AT, W, &r, "AP[2]");
    expect_abort(&r, 0x25, 0x4f, AT, "AP[2]");
    lab_put(&lab, L3, PAGE | BIT(51) | 0x383);
    regs.tcr |= 1 << 21 | 1 << 22;
    walk(&lab, &regs, AT, W, &r, "HA, HD");
    lab_expect(&r, 0xabcdeabc, 4096, "HA, HD");
    CHECK_EQ(lab_get(&lab, L3), PAGE | BIT(51) | 0x703);
    lab_put(&lab, L1, 0x3003 | BIT(62) | BIT(60));
    walk(&lab, &regs, AT, W, &r, "APTable");
    expect_abort(&r, 0x25, 0x4f, AT, "APTable");
    regs.tcr |= 1 << 24;
    walk(&lab, &regs, AT, X, &r, "HPD");
    lab_expect(&r, 0xabcdeabc, 4096, "HPD");
    regs.pstate = 13; /* EL3 */
    CHECK_EQ(svmc_walk_by_a64(&regs, &lab_ops, &lab, (svmc_gva){ AT }, R, &r), SVMC_ERR_ARG);
    CHECK(lab_is_zero(&r));
}

TEST(walk_a64, hardware_sets_the_flags) /* WK-3 WK-18 WK-25 */
{
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab;

    tables(&lab);
    lab_put(&lab, L3, PAGE | BIT(51) | 0x383); /* read-only with DBM, not accessed */
    walk(&lab, &regs, AT, R, &r, "without HA");
    expect_abort(&r, 0x25, 0xb, AT, "without HA");
    regs.tcr |= BIT(40); /* HD without HA is nothing */
    walk(&lab, &regs, AT, R, &r, "HD alone");
    expect_abort(&r, 0x25, 0xb, AT, "HD alone");
    regs.tcr = (regs.tcr | BIT(39)) & ~BIT(40);
    walk(&lab, &regs, AT, W, &r, "HA, written");
    expect_abort(&r, 0x25, 0x4f, AT, "HA, written");
    CHECK_EQ(lab.exchanges, 0);
    walk(&lab, &regs, AT, R, &r, "HA");
    CHECK_EQ(lab_get(&lab, L3), PAGE | BIT(51) | 0x783);
    regs.tcr |= BIT(40);
    walk(&lab, &regs, AT, R, &r, "HD, read");
    CHECK(lab.exchanges == 1 && (r.rights & W));
    walk(&lab, &regs, AT, W | SVMC_WALK_LOOK, &r, "HD, look");
    CHECK(r.mark_count == 1 && r.mark[0].now == (PAGE | BIT(51) | 0x703));
    walk(&lab, &regs, AT, W, &r, "HD, written");
    CHECK_EQ(lab_get(&lab, L3), PAGE | BIT(51) | 0x703);
    CHECK_EQ(lab.exchanges, 2);
    lab_put(&lab, L3, PAGE | BIT(51) | 0x783);
    regs.mmfr1 = 1; /* a processor without DBM, PAN and HPD */
    walk(&lab, &regs, AT, W, &r, "no DBM");
    expect_abort(&r, 0x25, 0x4f, AT, "no DBM");
    regs.mmfr1 = 0;
    lab_put(&lab, L3, PAGE | 0x343);
    regs.pstate |= PAN;
    walk(&lab, &regs, AT, R, &r, "no HA");
    expect_abort(&r, 0x25, 0xb, AT, "no HA");
    lab_put(&lab, L3, PAGE | 0x743);
    walk(&lab, &regs, AT, R, &r, "no PAN");
    lab_expect(&r, 0xabcdeabc, 4096, "no PAN");
}

/* SCTLR.EE: entries by hand, first byte highest. */
TEST(walk_a64, big_endian_tables) /* WK-17 WK-18 */
{
    struct svmc_walk_a64 regs = el1();
    struct svmc_walk_result r;
    struct walk_lab lab = { .count = 0 };

    lab_put(&lab, L0, 0x0320000000000000);
    lab_put(&lab, L1, 0x0330000000000000);
    lab_put(&lab, L2, 0x0340000000000000);
    lab_put(&lab, L3, 0x43e3cdab00000000); /* 00000000abcde343 */
    regs.sctlr |= BIT(25);
    regs.tcr |= BIT(39);
    walk(&lab, &regs, AT, R, &r, "EE");
    lab_expect(&r, 0xabcdeabc, 4096, "EE");
    CHECK_EQ(lab_get(&lab, L3), 0x43e7cdab00000000);
    regs.sctlr = 0; /* off: flat, with the tag cut off */
    regs.tcr |= BIT(37);
    walk(&lab, &regs, 0xab0f123456789abc, R, &r, "off");
    lab_expect(&r, 0x0f123456789abc, 4096, "off");
    CHECK(r.memory == 0 && r.page == (SVMC_WALK_PAGE_FLAT | SVMC_WALK_PAGE_USER));
    regs.sctlr = BIT(12);
    walk(&lab, &regs, AT, X, &r, "off, fetch");
    CHECK_EQ(r.memory, 0xaa);
    walk(&lab, &regs, 0x10000000000000, R, &r, "above 52 bits");
    expect_abort(&r, 0x25, 0, 0x10000000000000, "above 52 bits");
}
