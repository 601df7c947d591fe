/* SPDX-License-Identifier: MIT */
/* docs/spec/walk.md: x86. Indices by hand from the figures of Intel SDM vol. 3, 4.3 to 4.5;
 * tests/checks/walk_kvm.c compares with a processor. */
#include "../harness.h"
#include "walk_lab.h"

#define PG   0x80000001u /* CR0: PG and PE */
#define WP   0x00010000u
#define PSE  0x10u /* CR4 */
#define PAE  0x20u
#define PGE  0x80u
#define LA57 0x1000u
#define SMEP 0x100000u
#define SMAP 0x200000u
#define PKE  0x400000u
#define PKS  0x1000000u
#define LAM  0x10000000u
#define LMA  0x500u /* EFER: LMA and LME */
#define NXE  0x800u
#define AC   0x40000u
#define NX   0x8000000000000000u

/* The address of all tests in long mode: entries 0, 24, d1, b3 and 189 (hex), byte abc. */
#define AT     0x123456789abcu
#define PML5E  0x7000u
#define PML4E  0x1120u
#define PDPTE  0x2688u
#define PDE    0x3598u
#define PTE    0x4c48u
#define FRAMED 0xabcde000u /* the page */
#define R      SVMC_WALK_READ
#define W      SVMC_WALK_WRITE
#define X      SVMC_WALK_FETCH
#define S      SVMC_WALK_SYSTEM

static struct svmc_walk_x86 long_mode(void)
{
    return (struct svmc_walk_x86){ .cr0 = PG | WP,
                                   .cr3 = 0x1000,
                                   .cr4 = PAE,
                                   .efer = LMA | NXE,
                                   .rflags = 2,
                                   .pat = 0x0007040600070406,
                                   .address_bits = 40,
                                   .features = SVMC_WALK_X86_PAGE1G };
}

/* Writable user pages, A and D set: 67. */
static void long_tables(struct walk_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    lab_put(lab, PML4E, 0x2067);
    lab_put(lab, PDPTE, 0x3067);
    lab_put(lab, PDE, 0x4067);
    lab_put(lab, PTE, FRAMED | 0x67);
}

static void walk(struct walk_lab *lab, const struct svmc_walk_x86 *regs, uint64_t at,
                 uint32_t access, struct svmc_walk_result *r, const char *name)
{
    memset(r, 0xee, sizeof *r);
    CHECK_EQ(svmc_walk_by_x86(regs, &lab_ops, lab, (svmc_gva){ at }, access, r), SVMC_OK, "%s",
             name);
}

static void expect_pf(const struct svmc_walk_result *r, uint32_t error, uint64_t cr2,
                      const char *name)
{
    CHECK(lab_is_fault(r), "%s", name);
    CHECK_EQ(r->fault.vector, 14, "%s", name);
    CHECK_EQ(r->fault.has_error, 1, "%s", name);
    CHECK_EQ(r->fault.error, error, "%s", name);
    CHECK_EQ(r->fault.address, cr2, "%s", name);
}

TEST(walk_x86, four_levels) /* WK-9 WK-15 */
{
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab;

    long_tables(&lab);
    walk(&lab, &regs, AT, R, &r, "4 KiB");
    lab_expect(&r, 0xabcdeabc, 4096, "4 KiB");
    CHECK_EQ(r.rights, R | W | X);
    CHECK_EQ(r.page, SVMC_WALK_PAGE_USER);
    CHECK_EQ(r.memory, 6);
    CHECK_EQ(lab.reads, 4);
    CHECK_EQ(lab.exchanges, 0);
    lab_put(&lab, PDE, 0xabc000e7); /* 2 MiB: abc00000 is a multiple */
    walk(&lab, &regs, AT, R, &r, "2 MiB");
    lab_expect(&r, 0xabd89abc, 0x200000, "2 MiB"); /* abc00000 + 189abc */
    lab_put(&lab, PDPTE, 0x15c00000e7);            /* 1 GiB */
    walk(&lab, &regs, AT, R, &r, "1 GiB");
    lab_expect(&r, 0x15d6789abc, 0x40000000, "1 GiB"); /* + 16789abc */
    regs.cr3 |= 0xfff;                                 /* a PCID */
    regs.cr4 |= 0x20000;
    walk(&lab, &regs, AT, R, &r, "PCID");
    lab_expect(&r, 0x15d6789abc, 0x40000000, "PCID");
}

TEST(walk_x86, five_levels) /* WK-9 WK-14 */
{
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab;
    uint64_t at = AT | 0x54000000000000; /* entry 54 of the first table */

    long_tables(&lab);
    lab_put(&lab, 0x72a0, 0x1067);
    regs.cr3 = PML5E;
    regs.cr4 |= LA57;
    walk(&lab, &regs, at, R, &r, "five");
    lab_expect(&r, 0xabcdeabc, 4096, "five");
    CHECK_EQ(lab.reads, 5);
    lab_put(&lab, 0x72a0, 0x10e7); /* PS */
    walk(&lab, &regs, at, R, &r, "PS in a PML5E");
    expect_pf(&r, 9, at, "PS in a PML5E");
    regs.cr4 &= ~(uint64_t)LA57;
    walk(&lab, &regs, at, R, &r, "not canonical with 48 bits");
    CHECK(lab_is_fault(&r) && r.fault.vector == 13 && r.fault.error == 0 && r.fault.address == 0);
}

TEST(walk_x86, legacy_and_pse36) /* WK-8 WK-9 */
{
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab = { .count = 0 };

    regs.efer = 0;
    regs.cr4 = PSE;
    regs.cr3 = 0x1fff; /* bits 11:0 do not count */
    regs.features = SVMC_WALK_X86_PSE36;
    lab_put(&lab, 0x1000 + 4 * 0x159, 0x2067);       /* 56789abc: 159, 389 */
    lab_put(&lab, 0x2000 + 4 * 0x389, 0xffffffff67); /* of which four bytes are the entry */
    walk(&lab, &regs, 0xffffffff56789abc, R, &r, "4 KiB");
    lab_expect(&r, 0xffffff000 - 0xf00000000 + 0xabc, 4096, "4 KiB");
    CHECK_EQ(lab.bytes, 4);
    lab_put(&lab, 0x1000 + 4 * 0x159, 0xabc000e7 | 0x7f << 13); /* address bits 38:32 are 7f */
    walk(&lab, &regs, 0x56789abc, R, &r, "4 MiB");
    lab_expect(&r, 0x7fabf89abc, 0x400000, "4 MiB"); /* abc00000 + 389abc */
    lab_put(&lab, 0x1000 + 4 * 0x159, 0xabc000e7 | 0x100 << 13);
    walk(&lab, &regs, 0x56789abc, R, &r, "bit 21");
    expect_pf(&r, 9, 0x56789abc, "bit 21");
    lab_put(&lab, 0x1000 + 4 * 0x159, 0xabc000e7 | 0x10 << 13);
    regs.address_bits = 37;
    walk(&lab, &regs, 0x56789abc, R, &r, "bit 36 of 37");
    lab_expect(&r, 0x10abf89abc, 0x400000, "bit 36 of 37");
    regs.address_bits = 36;
    walk(&lab, &regs, 0x56789abc, R, &r, "bit 36 of 36");
    expect_pf(&r, 9, 0x56789abc, "bit 36 of 36");
    lab_put(&lab, 0x1000 + 4 * 0x159, 0xabc000e7 | 1 << 13);
    regs.features = 0;
    walk(&lab, &regs, 0x56789abc, R, &r, "without PSE-36");
    expect_pf(&r, 9, 0x56789abc, "without PSE-36");
    regs.cr4 = 0; /* PS says nothing: a table at abc02000 */
    lab_put(&lab, 0xabc02000 + 4 * 0x389, 0x5067);
    walk(&lab, &regs, 0x56789abc, R, &r, "without PSE");
    lab_expect(&r, 0x5abc, 4096, "without PSE");
}

TEST(walk_x86, pae) /* WK-7 WK-8 */
{
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab = { .count = 0 };

    regs.efer = NXE;
    regs.cr3 = 0x1fe0 + 0x1f;      /* bits 31:5 count */
    lab_put(&lab, 0x1fe8, 0x3001); /* 56789abc: 1, b3, 189 */
    lab_put(&lab, PDE, 0x4067);
    lab_put(&lab, PTE, FRAMED | 0x67);
    walk(&lab, &regs, 0x56789abc, W, &r, "4 KiB");
    lab_expect(&r, 0xabcdeabc, 4096, "4 KiB");
    CHECK_EQ(r.rights, R | W | X, "the first entry has no rights");
    CHECK_EQ(lab.exchanges, 0, "nor an accessed bit");
    for (unsigned bit = 0; bit < 64; bit++) {
        bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 40;

        if (bit >= 12 && bit < 40)
            continue; /* another table */
        lab_put(&lab, 0x1fe8, 0x3001 ^ UINT64_C(1) << bit);
        walk(&lab, &regs, 0x56789abc, R, &r, "a bit of the PDPTE");
        if (bit == 0)
            expect_pf(&r, 0, 0x56789abc, "P");
        else if (reserved)
            expect_pf(&r, 9, 0x56789abc, "reserved");
        else
            lab_expect(&r, 0xabcdeabc, 4096, "ignored");
    }
    regs.features |= SVMC_WALK_X86_PDPTES;
    regs.pdpte[1] = 0x3001;
    walk(&lab, &regs, 0x56789abc, R, &r, "the processor's copy");
    lab_expect(&r, 0xabcdeabc, 4096, "the processor's copy");
    lab_put(&lab, PTE, NX | FRAMED | 0x67);
    walk(&lab, &regs, 0x56789abc, X, &r, "NX");
    expect_pf(&r, 0x11, 0x56789abc, "NX");
    lab_put(&lab, PTE, UINT64_C(1) << 62 | FRAMED | 0x67); /* ignored in long mode */
    walk(&lab, &regs, 0x56789abc, R, &r, "bit 62");
    expect_pf(&r, 9, 0x56789abc, "bit 62");
}

TEST(walk_x86, every_bit_of_every_entry) /* WK-8 WK-9 */
{
    static const struct {
        const char name[16];
        uint64_t at, value;
        uint64_t reserved; /* of 64, with 40 address bits */
        uint64_t amd;
    } rows[] = {
        { "PML4E", PML4E, 0x2067, 0x000fff0000000080, 0x100 },
        { "PDPTE", PDPTE, 0x3067, 0x000fff0000000000, 0x100 },
        { "PDE", PDE, 0x4067, 0x000fff0000000000, 0 },
        { "PTE", PTE, FRAMED | 0x67, 0x000fff0000000000, 0 },
        { "PDPTE 1 GiB", PDPTE, 0x15c00000e7, 0x000fff003fffe000, 0 },
        { "PDE 2 MiB", PDE, 0xabc000e7, 0x000fff00001fe000, 0 },
    };
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned bit = 1; bit < 64; bit++)
            for (unsigned amd = 0; amd < 2; amd++) {
                uint64_t mask = UINT64_C(1) << bit;
                uint64_t reserved = rows[i].reserved | (amd ? rows[i].amd : 0);

                regs.features = (uint8_t)(SVMC_WALK_X86_PAGE1G | (amd ? SVMC_WALK_X86_AMD : 0));
                long_tables(&lab);
                lab_put(&lab, rows[i].at, rows[i].value | mask);
                if ((rows[i].value & mask) != 0 || ((bit >= 12 || bit == 7) && !(reserved & mask)))
                    continue; /* another frame or another kind of entry */
                walk(&lab, &regs, AT, R, &r, rows[i].name);
                if (reserved & mask)
                    expect_pf(&r, 9, AT, rows[i].name);
                else
                    CHECK_EQ(r.fault.raised, 0, "%s bit %u", rows[i].name, bit);
            }
    long_tables(&lab);
    lab_put(&lab, PDPTE, 0x15c00000e7);
    regs.features = 0;
    walk(&lab, &regs, AT, R, &r, "no pages of 1 GiB");
    expect_pf(&r, 9, AT, "no pages of 1 GiB");
    long_tables(&lab);
    lab_put(&lab, PML4E, NX | 0x2067);
    regs.efer = LMA;
    walk(&lab, &regs, AT, R, &r, "NX without NXE");
    expect_pf(&r, 9, AT, "NX without NXE");
    lab_put(&lab, PML4E, 0xfffffffffffffffe);
    walk(&lab, &regs, AT, R, &r, "not present");
    expect_pf(&r, 0, AT, "not present");
}

/* One row a rule: what is changed, who asks, and the error code; OK: none. */
#define OK 0xffffu
static const struct right {
    char name[40];
    uint64_t cr0, cr4, flags; /* set beside long_mode's; cr0 WP: cleared */
    uint8_t cpl;
    uint32_t access;
    uint64_t off; /* bits cleared in the PDE */
    uint64_t on;  /* bits set in the PTE */
    uint64_t no_efer;
    uint32_t want;
} right_rows[] = {
    { "user reads", 0, 0, 0, 3, R, 0, 0, 0, OK },
    { "user reads supervisor's", 0, 0, 0, 3, R, 4, 0, 0, 5 },
    { "user writes", 0, 0, 0, 3, W, 0, 0, 0, OK },
    { "user writes read-only", 0, 0, 0, 3, W, 2, 0, 0, 7 },
    { "user writes read-only, WP off", WP, 0, 0, 3, W, 2, 0, 0, 7 },
    { "user reads and writes read-only", 0, 0, 0, 3, R | W, 2, 0, 0, 7 },
    { "user fetches", 0, 0, 0, 3, X, 0, 0, 0, OK },
    { "user fetches NX", 0, 0, 0, 3, X, 0, NX, 0, 0x15 },
    { "user reads NX", 0, 0, 0, 3, R, 0, NX, 0, OK },
    { "user fetches supervisor's, no NXE", 0, 0, 0, 3, X, 4, 0, NXE, 5 },
    { "the same with SMEP", 0, SMEP, 0, 3, X, 4, 0, NXE, 0x15 },
    { "ring 2 writes supervisor's", 0, 0, 0, 2, W, 4, 0, 0, OK },
    { "supervisor writes read-only", 0, 0, 0, 0, W, 2, 0, 0, 3 },
    { "supervisor writes read-only, WP off", WP, 0, 0, 0, W, 2, 0, 0, OK },
    { "SMEP, user's page", 0, SMEP, 0, 0, X, 0, 0, 0, 0x11 },
    { "SMEP, supervisor's page", 0, SMEP, 0, 0, X, 4, 0, 0, OK },
    { "SMEP, data", 0, SMEP, 0, 0, R, 0, 0, 0, OK },
    { "SMEP, user fetches", 0, SMEP, 0, 3, X, 0, 0, 0, OK },
    { "SMAP, user's page", 0, SMAP, 0, 0, R, 0, 0, 0, 1 },
    { "SMAP, written", 0, SMAP, 0, 0, W, 0, 0, 0, 3 },
    { "SMAP, WP off, written", WP, SMAP, 0, 0, W, 0, 0, 0, 3 },
    { "SMAP, AC", 0, SMAP, AC, 0, R, 0, 0, 0, OK },
    { "SMAP, AC, written read-only", 0, SMAP, AC, 0, W, 2, 0, 0, 3 },
    { "SMAP, supervisor's page", 0, SMAP, 0, 0, R, 4, 0, 0, OK },
    { "SMAP, fetch", 0, SMAP, 0, 0, X, 0, 0, 0, OK },
    { "SMAP, user reads", 0, SMAP, 0, 3, R, 0, 0, 0, OK },
    { "the processor itself, CPL 3", 0, 0, 0, 3, R | S, 4, 0, 0, OK },
    { "the processor itself, SMAP and AC", 0, SMAP, AC, 3, R | S, 0, 0, 0, 1 },
    { "the processor itself writes", 0, 0, 0, 3, W | S, 6, 0, 0, 3 },
    { "as a user at CPL 0", 0, 0, 0, 0, W | SVMC_WALK_USER, 4, 0, 0, 7 },
};

TEST(walk_x86, rights) /* WK-10 WK-12 */
{
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof right_rows / sizeof right_rows[0]; i++) {
        const struct right *row = &right_rows[i];
        struct svmc_walk_x86 regs = long_mode();

        regs.cr0 &= ~row->cr0;
        regs.cr4 |= row->cr4;
        regs.rflags |= row->flags;
        regs.efer &= ~row->no_efer;
        regs.cpl = row->cpl;
        long_tables(&lab);
        lab_put(&lab, PDE, 0x4067 & ~row->off);
        lab_put(&lab, PTE, FRAMED | 0x67 | row->on);
        walk(&lab, &regs, AT, row->access, &r, row->name);
        if (row->want == OK) {
            lab_expect(&r, 0xabcdeabc, 4096, row->name);
            CHECK((r.rights & row->access) == (row->access & 0x103), "%s", row->name);
        } else {
            expect_pf(&r, row->want, AT, row->name);
        }
    }
}

/* Key 5: bits 11:10 of the registers: 400 AD, 800 WD. */
TEST(walk_x86, protection_keys) /* WK-11 WK-12 */
{
    static const struct {
        char name[32];
        uint32_t cr4, pkru, pkrs;
        uint8_t cpl, supervisor_page, no_wp;
        uint32_t access, want;
    } rows[] = {
        { "AD", PKE, 0x400, 0, 3, 0, 0, R, 0x25 },
        { "AD, off", 0, 0x400, 0, 3, 0, 0, R, OK },
        { "AD of another key", PKE, 0xfffff3ff, 0, 3, 0, 0, W, OK },
        { "AD, fetch", PKE, 0x400, 0, 3, 0, 0, X, OK },
        { "AD, supervisor", PKE, 0x400, 0, 0, 0, 0, R, 0x21 },
        { "AD, supervisor's page", PKE, 0x400, 0, 0, 1, 0, R, OK },
        { "WD, read", PKE, 0x800, 0, 3, 0, 0, R, OK },
        { "WD, write", PKE, 0x800, 0, 3, 0, 0, W, 0x27 },
        { "WD, user, WP off", PKE, 0x800, 0, 3, 0, 1, W, 0x27 },
        { "WD, supervisor", PKE, 0x800, 0, 0, 0, 0, W, 0x23 },
        { "WD, supervisor, WP off", PKE, 0x800, 0, 0, 0, 1, W, OK },
        { "PKS AD", PKS, 0, 0x400, 0, 1, 0, R, 0x21 },
        { "PKS AD, user's page", PKS, 0, 0x400, 0, 0, 0, R, OK },
        { "PKS WD", PKS, 0, 0x800, 0, 1, 0, W, 0x23 },
        { "PKS WD, WP off", PKS, 0, 0x800, 0, 1, 1, W, OK },
        { "PKS AD, a user asks", PKS, 0, 0x400, 3, 1, 0, R, 5 },
        { "PKS off", PKE, 0, 0xc00, 0, 1, 0, W, OK },
    };
    struct svmc_walk_result r;
    struct walk_lab lab;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_x86 regs = long_mode();

        regs.cr4 |= rows[i].cr4;
        regs.pkru = rows[i].pkru;
        regs.pkrs = rows[i].pkrs;
        regs.cpl = rows[i].cpl;
        if (rows[i].no_wp)
            regs.cr0 &= ~(uint64_t)WP;
        long_tables(&lab);
        lab_put(&lab, PTE, UINT64_C(5) << 59 | FRAMED | (rows[i].supervisor_page ? 0x63 : 0x67));
        walk(&lab, &regs, AT, rows[i].access, &r, rows[i].name);
        if (rows[i].want == OK) {
            lab_expect(&r, 0xabcdeabc, 4096, rows[i].name);
            CHECK_EQ(r.key, 5, "%s", rows[i].name);
        } else {
            expect_pf(&r, rows[i].want, AT, rows[i].name);
        }
    }
}

TEST(walk_x86, accessed_and_dirty) /* WK-3 WK-13 */
{
    static const uint64_t at[] = { PML4E, PDPTE, PDE, PTE };
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab;

    long_tables(&lab);
    for (unsigned i = 0; i < 4; i++)
        lab_put(&lab, at[i], lab_get(&lab, at[i]) & ~(uint64_t)0x60);
    CHECK_EQ(svmc_walk_by_x86(&regs, &lab_ops_read, &lab, (svmc_gva){ AT }, W, &r), SVMC_OK);
    lab_expect(&r, 0xabcdeabc, 4096, "without exchange");
    REQUIRE(r.mark_count == 4 && r.entry_bytes == 8);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(r.mark[i].at.v, at[i]);
        CHECK_EQ(r.mark[i].was, lab_get(&lab, at[i]));
        CHECK_EQ(r.mark[i].now, lab_get(&lab, at[i]) | (i == 3 ? 0x60 : 0x20));
    }
    walk(&lab, &regs, AT, R | SVMC_WALK_LOOK, &r, "a look");
    CHECK(r.mark_count == 4 && lab.exchanges == 0 && r.mark[3].now == (FRAMED | 0x27));
    walk(&lab, &regs, AT, R, &r, "read");
    CHECK(r.mark_count == 0 && lab.exchanges == 4 && lab_get(&lab, PTE) == (FRAMED | 0x27));
    walk(&lab, &regs, AT, W, &r, "write");
    CHECK(r.mark_count == 0 && lab.exchanges == 5 && lab_get(&lab, PTE) == (FRAMED | 0x67));
    CHECK(r.mark[0].at.v == 0 && r.entry_bytes == 0);
    lab_put(&lab, PDE, 0x4005); /* read-only, not accessed: the fault marks nothing */
    walk(&lab, &regs, AT, W, &r, "refused");
    expect_pf(&r, 3, AT, "refused");
    CHECK(lab.exchanges == 5 && lab_get(&lab, PDE) == 0x4005);
}

TEST(walk_x86, canonical_and_tags) /* WK-14 */
{
    static const struct {
        char name[32];
        uint64_t at, cr3;
        uint32_t cr4, access;
        uint64_t seen; /* the address that is translated; 0: #GP */
    } rows[] = {
        { "highest of 48", 0x00007fffffffffff, 0, 0, R, 0x00007fffffffffff },
        { "one more", 0x0000800000000000, 0, 0, R, 0 },
        { "lowest of the upper half", 0xffff800000000000, 0, 0, R, 0xffff800000000000 },
        { "one less", 0xffff7fffffffffff, 0, 0, R, 0 },
        { "57", 0x00ffffffffffffff, 0, LA57, R, 0x00ffffffffffffff },
        { "one more than 57", 0x0100000000000000, 0, LA57, R, 0 },
        { "tag, no LAM", 0x7fff123456789abc, 0, 0, R, 0 },
        { "LAM_U48", 0x7fff123456789abc, UINT64_C(1) << 62, 0, R, AT },
        { "LAM_U48, bit 47", 0x7fff923456789abc, UINT64_C(1) << 62, 0, R, 0 },
        { "LAM_U48, fetch", 0x7fff123456789abc, UINT64_C(1) << 62, 0, X, 0 },
        { "LAM_U48, by the processor", 0x7fff123456789abc, UINT64_C(1) << 62, 0, R | S, 0 },
        { "LAM_U57", 0x7e00123456789abc, UINT64_C(1) << 61, 0, R, AT },
        { "LAM_U57, bit 56", 0x7f00123456789abc, UINT64_C(1) << 61, 0, R, 0 },
        { "LAM_U57 before _U48", 0x7fff123456789abc, UINT64_C(3) << 61, 0, R, 0 },
        { "LAM_U57, supervisor", 0xfe00923456789abc, UINT64_C(1) << 61, 0, R, 0 },
        { "LAM_SUP", 0x8000923456789abc, 0, LAM, R, 0xffff923456789abc },
        { "LAM_SUP, user", 0x7fff123456789abc, 0, LAM, R, 0 },
        { "LAM_SUP, 57", 0x8123456789abcdef, 0, LAM | LA57, R, 0xff23456789abcdef },
    };
    struct svmc_walk_result r;
    struct walk_lab lab = { .count = 0 };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_walk_x86 regs = long_mode();

        regs.cr3 = 0x1000 | rows[i].cr3;
        regs.cr4 |= rows[i].cr4;
        lab_put(&lab, 0x1000 + 8 * ((rows[i].seen >> (rows[i].cr4 & LA57 ? 48 : 39)) & 511), 0);
        walk(&lab, &regs, rows[i].at, rows[i].access, &r, rows[i].name);
        if (rows[i].seen != 0) /* which entry was read says which address it was */
            expect_pf(&r, rows[i].access & X ? 0x10 : 0, rows[i].seen, rows[i].name);
        else
            CHECK(lab_is_fault(&r) && r.fault.vector == 13 && r.fault.has_error == 1 &&
                      r.fault.error == 0,
                  "%s", rows[i].name);
    }
}

TEST(walk_x86, memory_type_and_global) /* WK-15 */
{
    struct svmc_walk_x86 regs = long_mode();
    struct svmc_walk_result r;
    struct walk_lab lab;

    regs.pat = 0x0706050403020100; /* each type says which it is */
    for (unsigned type = 0; type < 8; type++) {
        uint64_t low = (type & 3) << 3;

        long_tables(&lab);
        lab_put(&lab, PTE, FRAMED | 0x67 | low | (uint64_t)(type >> 2) << 7);
        walk(&lab, &regs, AT, R, &r, "4 KiB");
        CHECK_EQ(r.memory, type);
        lab_put(&lab, PDE, 0xabc000e7 | low | (uint64_t)(type >> 2) << 12);
        walk(&lab, &regs, AT, R, &r, "2 MiB");
        CHECK_EQ(r.memory, type);
    }
    long_tables(&lab);
    lab_put(&lab, PTE, FRAMED | 0x167);
    walk(&lab, &regs, AT, R, &r, "G without PGE");
    CHECK_EQ(r.page, SVMC_WALK_PAGE_USER);
    regs.cr4 |= PGE;
    walk(&lab, &regs, AT, R, &r, "G");
    CHECK_EQ(r.page, SVMC_WALK_PAGE_USER | SVMC_WALK_PAGE_GLOBAL);
}

TEST(walk_x86, registers) /* WK-6 */
{
    struct svmc_walk_x86 regs = long_mode(), wrong[9];
    struct svmc_walk_result r;
    struct walk_lab lab;

    long_tables(&lab);
    for (unsigned i = 0; i < 9; i++)
        wrong[i] = regs;
    wrong[0].cr0 &= ~(uint64_t)1; /* PG without PE */
    wrong[1].cr4 = 0;             /* LMA without PAE */
    wrong[2].cr0 = 1;             /* LMA without PG */
    wrong[3].cpl = 4;
    wrong[4].address_bits = 31;
    wrong[5].address_bits = 53;
    wrong[6].reserved[4] = 1;
    wrong[7].features = 16;
    wrong[8].features = 0x80;
    for (unsigned i = 0; i < 9; i++) {
        memset(&r, 0xee, sizeof r);
        CHECK_EQ(svmc_walk_by_x86(&wrong[i], &lab_ops, &lab, (svmc_gva){ AT }, R, &r), SVMC_ERR_ARG,
                 "%u", i);
        CHECK(lab_is_zero(&r), "%u", i);
    }
    CHECK_EQ(lab.calls, 0);
    regs.cr0 = 0;
    regs.efer = 0;
    walk(&lab, &regs, 0xffffffff12345678, X, &r, "real mode");
    lab_expect(&r, 0x12345678, 4096, "real mode");
    CHECK_EQ(r.page, SVMC_WALK_PAGE_FLAT | SVMC_WALK_PAGE_USER);
    CHECK_EQ(r.rights, R | W | X);
}
