/* SPDX-License-Identifier: MIT */
/* docs/spec/walk.md: RISC-V. Indices by hand from the figures of The RISC-V Instruction Set
 * Manual, volume II, Sv32 to Sv57. */
#include "../harness.h"
#include "walk_lab.h"

#define BIT(n) (UINT64_C(1) << (n))
#define R      SVMC_WALK_READ
#define W      SVMC_WALK_WRITE
#define X      SVMC_WALK_FETCH
#define SUM    BIT(18)
#define MXR    BIT(19)
#define SVADU  SVMC_WALK_RV_SVADU
#define NAPOT  SVMC_WALK_RV_SVNAPOT
#define PBMT   SVMC_WALK_RV_SVPBMT

/* Sv48: 24, d1, b3, 189, byte abc; an entry's frame is its address / 4 */
#define AT    0x123456789abcu
#define L3    0x1120u
#define L2    0x2688u
#define L1    0x3598u
#define L0    0x4c48u
#define FRAME (0xabcde000u >> 2)

static struct svmc_walk_rv sv48(void)
{
    return (struct svmc_walk_rv){ .satp = UINT64_C(9) << 60 | UINT64_C(0xffff) << 44 | 1 };
}

/* cf: D, A, X, W, R, V */
static void tables(struct walk_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    lab_put(lab, L3, 0x2000 >> 2 | 1);
    lab_put(lab, L2, 0x3000 >> 2 | 1);
    lab_put(lab, L1, 0x4000 >> 2 | 1);
    lab_put(lab, L0, FRAME | 0xcf);
}

static void walk(struct walk_lab *lab, const struct svmc_walk_rv *regs, uint64_t at,
                 uint32_t access, struct svmc_walk_result *r, const char *name)
{
    memset(r, 0xee, sizeof *r);
    CHECK_EQ(svmc_walk_by_rv64(regs, &lab_ops, lab, (svmc_gva){ at }, access, r), SVMC_OK, "%s",
             name);
}

static void expect_cause(const struct svmc_walk_result *r, uint8_t cause, uint64_t stval,
                         const char *name)
{
    CHECK(lab_is_fault(r), "%s", name);
    CHECK_EQ(r->fault.vector, cause, "%s", name);
    CHECK_EQ(r->fault.has_error, 0, "%s", name);
    CHECK_EQ(r->fault.address, stval, "%s", name);
}

TEST(walk_rv, modes) /* WK-27 WK-30 */
{
    struct svmc_walk_rv regs = sv48();
    struct svmc_walk_result r;
    struct walk_lab lab;

    tables(&lab);
    walk(&lab, &regs, AT, R, &r, "Sv48");
    lab_expect(&r, 0xabcdeabc, 4096, "Sv48");
    CHECK_EQ(r.rights, R | W | X);
    CHECK_EQ(lab.reads, 4);
    lab_put(&lab, L1, 0x80000000 >> 2 | 0xcf);
    walk(&lab, &regs, AT, R, &r, "2 MiB");
    lab_expect(&r, 0x80189abc, 0x200000, "2 MiB");
    lab_put(&lab, L2, 0xc0000000 >> 2 | 0xcf);
    walk(&lab, &regs, AT, R, &r, "1 GiB");
    lab_expect(&r, 0xc0000000 + 0x16789abc, 0x40000000, "1 GiB");
    lab_put(&lab, L3, 0x8000000000 >> 2 | 0xcf);
    walk(&lab, &regs, AT, R, &r, "512 GiB");
    lab_expect(&r, 0x8000000000 + 0x3456789abc, 0x8000000000, "512 GiB");
    regs.satp = UINT64_C(10) << 60 | 7; /* Sv57: 54 comes first */
    lab_put(&lab, 0x72a0, 0x1000 >> 2 | 1);
    walk(&lab, &regs, AT | UINT64_C(0x54) << 48, R, &r, "Sv57");
    lab_expect(&r, 0x8000000000 + 0x3456789abc, 0x8000000000, "Sv57");
    tables(&lab);
    regs.satp = UINT64_C(8) << 60 | 2; /* Sv39: d1 comes first */
    walk(&lab, &regs, 0x3456789abc, R, &r, "Sv39");
    lab_expect(&r, 0xabcdeabc, 4096, "Sv39");
    regs.satp = 1;
    walk(&lab, &regs, 0xfedcba9876543210, X, &r, "bare");
    lab_expect(&r, 0xfedcba9876543210, 4096, "bare");
    for (unsigned mode = 1; mode < 16; mode++)
        if (mode < 8 || mode > 10) {
            regs.satp = (uint64_t)mode << 60;
            CHECK_EQ(svmc_walk_by_rv64(&regs, &lab_ops, &lab, (svmc_gva){ AT }, R, &r),
                     SVMC_ERR_ARG, "%u", mode);
            CHECK(lab_is_zero(&r));
        }
    lab_put(&lab, L0, FRAME | 1); /* a table below the last level */
    regs = sv48();
    walk(&lab, &regs, AT, R, &r, "no leaf");
    expect_cause(&r, 13, AT, "no leaf");
    CHECK_EQ(lab.entry[3].reads, 2);
}

TEST(walk_rv, sv32) /* WK-27 WK-29 WK-30 */
{
    struct svmc_walk_rv regs = { .satp = 0xffc00001 }; /* an ASID */
    struct svmc_walk_result r;
    struct walk_lab lab = { .count = 0 };
    svmc_gva at = { 0xffffffff56789abc }; /* 159, 389 */

    lab_put(&lab, 0x1564, 0x2000 >> 2 | 1);
    lab_put(&lab, 0x2e24, 0xabcdef00000000 | 0xfffffccf); /* 34 bits: 3fffff000 */
    CHECK_EQ(svmc_walk_by_rv32(&regs, &lab_ops, &lab, at, R, &r), SVMC_OK);
    lab_expect(&r, 0x3fffffabc, 4096, "4 KiB");
    CHECK_EQ(lab.bytes, 4);
    lab_put(&lab, 0x1564, 0x80000000 >> 2 | 0xcf);
    CHECK_EQ(svmc_walk_by_rv32(&regs, &lab_ops, &lab, at, R, &r), SVMC_OK);
    lab_expect(&r, 0x80389abc, 0x400000, "4 MiB");
    lab_put(&lab, 0x1564, 0x80001000 >> 2 | 0xcf);
    CHECK_EQ(svmc_walk_by_rv32(&regs, &lab_ops, &lab, at, R, &r), SVMC_OK);
    expect_cause(&r, 13, 0x56789abc, "misaligned");
    regs.satp &= 0x7fffffff;
    CHECK_EQ(svmc_walk_by_rv32(&regs, &lab_ops, &lab, at, R, &r), SVMC_OK);
    lab_expect(&r, 0x56789abc, 4096, "bare");
}

TEST(walk_rv, canonical) /* WK-28 WK-34 */
{
    static const struct {
        uint8_t mode, ok;
        uint64_t at;
    } rows[] = {
        { 8, 1, 0x0000003fffffffff },  { 8, 0, 0x0000004000000000 },  { 8, 1, 0xffffffc000000000 },
        { 8, 0, 0xffffffbfffffffff },  { 9, 1, 0x00007fffffffffff },  { 9, 0, 0x0000800000000000 },
        { 9, 1, 0xffff800000000000 },  { 9, 0, 0x7fff800000000000 },  { 10, 1, 0x00ffffffffffffff },
        { 10, 0, 0x0100000000000000 }, { 10, 1, 0xff00000000000000 },
    };
    struct svmc_walk_rv regs;
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        regs = (struct svmc_walk_rv){ .satp = (uint64_t)rows[i].mode << 60 | 1 };
        memset(&lab, 0, sizeof lab);
        for (uint64_t index = 0; index < 512; index += 255 + (index == 255)) /* 0, ff, 1ff.. */
            lab_put(&lab, 0x1000 + 8 * index, 0);
        lab_put(&lab, 0x1000 + 8 * 256, 0);
        lab_put(&lab, 0x1000 + 8 * 511, 0);
        walk(&lab, &regs, rows[i].at, W, &r, "canonical");
        expect_cause(&r, 15, rows[i].at, "canonical");
        CHECK_EQ(lab.reads, rows[i].ok, "%u", i);
    }
}

/* Which of the 64 bits make an entry none. */
TEST(walk_rv, reserved_bits) /* WK-29 WK-33 */
{
    static const struct {
        char name[24];
        uint8_t features, leaf;
        uint64_t refused; /* bits that must not be set beside the entry's own */
    } rows[] = {
        { "leaf", 0, 1, UINT64_C(0xffc0000000000000) },
        { "leaf, Svpbmt", PBMT, 1, UINT64_C(0x9fc0000000000000) },
        { "leaf, Svnapot", NAPOT, 1, UINT64_C(0xffc0000000000000) }, /* N: the frame is none */
        { "table", 0, 0, UINT64_C(0xffc00000000000d0) },
        { "table, both", PBMT | NAPOT, 0, UINT64_C(0xffc00000000000d0) },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned bit = 5; bit < 64; bit++) {
            struct svmc_walk_rv regs = sv48();

            if ((bit >= 10 && bit < 54) || (rows[i].leaf && bit < 8))
                continue; /* another frame */
            if (!rows[i].leaf && bit == 4)
                continue;
            regs.features = rows[i].features;
            tables(&lab);
            if (rows[i].leaf)
                lab_put(&lab, L0, FRAME | 0xcf | BIT(bit));
            else
                lab_put(&lab, L1, 0x4000 >> 2 | 1 | BIT(bit));
            walk(&lab, &regs, AT, R, &r, rows[i].name);
            if (rows[i].refused >> bit & 1)
                expect_cause(&r, 13, AT, rows[i].name);
            else
                lab_expect(&r, 0xabcdeabc, 4096, rows[i].name);
            if (!r.fault.raised && bit == 5)
                CHECK_EQ(r.page, SVMC_WALK_PAGE_GLOBAL);
            if (!r.fault.raised && bit >= 61)
                CHECK_EQ(r.memory, bit - 60);
        }
    {
        struct svmc_walk_rv regs = sv48();

        regs.features = PBMT;
        tables(&lab);
        lab_put(&lab, L0, FRAME | 0xcf | BIT(61) | BIT(62));
        walk(&lab, &regs, AT, R, &r, "PBMT 3");
        expect_cause(&r, 13, AT, "PBMT 3");
        lab_put(&lab, L0, FRAME | 0xce);
        walk(&lab, &regs, AT, R, &r, "V");
        expect_cause(&r, 13, AT, "V");
        lab_put(&lab, L0, FRAME | 0xcd); /* W without R */
        walk(&lab, &regs, AT, W, &r, "W without R");
        expect_cause(&r, 15, AT, "W without R");
    }
}

TEST(walk_rv, superpages_and_napot) /* WK-30 */
{
    static const struct {
        char name[16];
        uint64_t at, wrong, right;
    } rows[] = {
        { "2 MiB", L1, 0x80001000, 0x80200000 },     { "2 MiB, top", L1, 0x80100000, 0x80000000 },
        { "1 GiB", L2, 0x80200000, 0xc0000000 },     { "1 GiB, top", L2, 0xa0000000, 0x80000000 },
        { "512 GiB", L3, 0x40000000, 0x8000000000 },
    };
    struct svmc_walk_rv regs = sv48();
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tables(&lab);
        lab_put(&lab, rows[i].at, rows[i].wrong >> 2 | 0xcf);
        walk(&lab, &regs, AT, X, &r, rows[i].name);
        expect_cause(&r, 12, AT, rows[i].name);
        lab_put(&lab, rows[i].at, rows[i].right >> 2 | 0xcf);
        walk(&lab, &regs, AT, X, &r, rows[i].name);
        CHECK_EQ(r.fault.raised, 0, "%s", rows[i].name);
    }
    regs.features = NAPOT;
    for (unsigned low = 0; low < 16; low++) {
        tables(&lab);
        lab_put(&lab, L0, BIT(63) | (0xabcd0000u | low << 12) >> 2 | 0xcf);
        walk(&lab, &regs, AT, R, &r, "NAPOT");
        if (low == 8) /* 1000: 64 KiB; 9abc stays */
            lab_expect(&r, 0xabcd9abc, 65536, "NAPOT");
        else
            expect_cause(&r, 13, AT, "NAPOT");
    }
    tables(&lab);
    lab_put(&lab, L1, BIT(63) | 0x80008000 >> 2 | 0xcf);
    walk(&lab, &regs, AT, R, &r, "NAPOT above");
    expect_cause(&r, 13, AT, "NAPOT above");
}

TEST(walk_rv, rights) /* WK-31 WK-34 */
{
    static const struct {
        char name[32];
        uint64_t status;
        uint8_t user, entry; /* beside V, A, D */
        uint32_t access;
        uint8_t want; /* a cause, or 0 */
    } rows[] = {
        { "S reads", 0, 0, 2, R, 0 },
        { "S reads X", 0, 0, 8, R, 13 },
        { "S reads X, MXR", MXR, 0, 8, R, 0 },
        { "S writes R", 0, 0, 2, W, 15 },
        { "S writes W", 0, 0, 6, W, 0 },
        { "S AMO", 0, 0, 6, R | W, 0 },
        { "S AMO R", 0, 0, 2, R | W, 15 },
        { "S writes X, MXR", MXR, 0, 8, W, 15 },
        { "S fetches R", 0, 0, 6, X, 12 },
        { "S fetches X", 0, 0, 8, X, 0 },
        { "U reads S's", 0, 1, 2, R, 13 },
        { "U reads S's, SUM", SUM, 1, 2, R, 13 },
        { "U reads", 0, 1, 0x12, R, 0 },
        { "U fetches", 0, 1, 0x18, X, 0 },
        { "U fetches S's", 0, 1, 8, X, 12 },
        { "U writes", 0, 1, 0x16, W, 0 },
        { "S reads U's", 0, 0, 0x12, R, 13 },
        { "S reads U's, SUM", SUM, 0, 0x12, R, 0 },
        { "S writes U's, SUM", SUM, 0, 0x16, W, 0 },
        { "S fetches U's, SUM", SUM, 0, 0x18, X, 12 },
        { "S reads U's X, SUM and MXR", SUM | MXR, 0, 0x18, R, 0 },
        { "S as U", 0, 0, 0x12, R | SVMC_WALK_USER, 0 },
        { "S as U, S's", SUM, 0, 2, W | SVMC_WALK_USER, 15 },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_rv regs = sv48();

        regs.sstatus = rows[i].status;
        regs.user = rows[i].user;
        tables(&lab);
        lab_put(&lab, L0, FRAME | 0xc1 | rows[i].entry);
        walk(&lab, &regs, AT, rows[i].access, &r, rows[i].name);
        if (rows[i].want == 0)
            lab_expect(&r, 0xabcdeabc, 4096, rows[i].name);
        else
            expect_cause(&r, rows[i].want, AT, rows[i].name);
        if (rows[i].want == 0)
            CHECK_EQ(r.page, rows[i].entry & 0x10 ? SVMC_WALK_PAGE_USER : 0);
    }
}

TEST(walk_rv, accessed_and_dirty) /* WK-3 WK-32 */
{
    static const struct {
        uint64_t entry; /* A 40, D 80 */
        uint32_t access;
        uint8_t cause;  /* Svade */
        uint64_t after; /* Svadu */
    } rows[] = {
        { 0x0f, R, 13, 0x4f }, { 0x0f, W, 15, 0xcf }, { 0x0f, X, 12, 0x4f },
        { 0x4f, R, 0, 0x4f },  { 0x4f, W, 15, 0xcf }, { 0x4f, R | W, 15, 0xcf },
        { 0x8f, R, 13, 0xcf }, { 0xcf, W, 0, 0xcf },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_rv regs = sv48();

        tables(&lab);
        lab_put(&lab, L0, FRAME | rows[i].entry);
        walk(&lab, &regs, AT, rows[i].access, &r, "Svade");
        if (rows[i].cause == 0)
            lab_expect(&r, 0xabcdeabc, 4096, "Svade");
        else
            expect_cause(&r, rows[i].cause, AT, "Svade");
        CHECK_EQ(lab.exchanges, 0);
        regs.features = SVADU;
        walk(&lab, &regs, AT, rows[i].access, &r, "Svadu");
        lab_expect(&r, 0xabcdeabc, 4096, "Svadu");
        CHECK_EQ(lab_get(&lab, L0), FRAME | rows[i].after, "%u", i);
        CHECK_EQ(lab.exchanges, rows[i].entry != rows[i].after);
    }
}
