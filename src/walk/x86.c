/* SPDX-License-Identifier: MIT */
/* svmc_walk_by_x86: Intel SDM vol. 3, chapter 4; AMD APM vol. 2, chapter 5. Rules WK-n:
 * docs/spec/walk.md. */
#include "walk_private.h"
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"

#define BIT(n) ((uint64_t)1 << (n))

#define CR0_PE   BIT(0)
#define CR0_WP   BIT(16)
#define CR0_PG   BIT(31)
#define CR3_U57  BIT(61)
#define CR3_U48  BIT(62)
#define CR4_PSE  BIT(4)
#define CR4_PAE  BIT(5)
#define CR4_PGE  BIT(7)
#define CR4_LA57 BIT(12)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE  BIT(22)
#define CR4_PKS  BIT(24)
#define CR4_LAM  BIT(28) /* LAM_SUP */
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define FLAGS_AC BIT(18)

#define ENTRY_P  BIT(0)
#define ENTRY_W  BIT(1)
#define ENTRY_U  BIT(2)
#define ENTRY_A  BIT(5)
#define ENTRY_D  BIT(6)
#define ENTRY_PS BIT(7) /* PAT in an entry for 4 KiB */
#define ENTRY_G  BIT(8)
#define ENTRY_NX BIT(63)
#define FRAME    UINT64_C(0x000ffffffffff000)

#define PF_P    1u
#define PF_W    2u
#define PF_U    4u
#define PF_RSVD 8u
#define PF_I    16u
#define PF_PK   32u
#define GP      13u
#define PF      14u
#define WB      6u /* flat: what the MTRRs say, which a walk does not see */

/* What an entry can be besides a table's. */
enum leaf { NEVER, BY_PSE, BY_PS, BY_PS_1G, ALWAYS };

/* One row a level: where its index stands in the address, and its entries. */
struct level {
    uint8_t shift, index_bits, entry_bytes, leaf;
    uint16_t reserved; /* low bits that are 0 in every entry that is not a leaf */
    uint16_t amd;      /* the same, of AMD's alone */
};

static const struct level levels[] = {
    /* 32-bit: SDM vol. 3 4.3 */
    { 22, 10, 4, BY_PSE, 0, 0 },
    { 12, 10, 4, ALWAYS, 0, 0 },
    /* PAE: 4.4 */
    { 30, 2, 8, NEVER, 0x1e6, 0 },
    { 21, 9, 8, BY_PS, 0, 0 },
    { 12, 9, 8, ALWAYS, 0, 0 },
    /* five levels, and from the second on four: 4.5; bit 8: APM vol. 2 5.3.3 */
    { 48, 9, 8, NEVER, 0x80, 0x100 },
    { 39, 9, 8, NEVER, 0x80, 0x100 },
    { 30, 9, 8, BY_PS_1G, 0, 0x100 },
    { 21, 9, 8, BY_PS, 0, 0 },
    { 12, 9, 8, ALWAYS, 0, 0 },
};
#define LEVELS (sizeof levels / sizeof levels[0])
enum first { IN_32 = 0, IN_PAE = 2, IN_57 = 5, IN_48 = 6 };

struct x86 {
    const struct svmc_walk_x86 *regs;
    struct walk *w;
    uint64_t at;   /* the linear address, without a tag */
    uint64_t both; /* U and W where all entries have them */
    uint64_t no_execute;
    bool user; /* the access is a user's */
    bool wide; /* long mode */
    bool nx;   /* bit 63 is no reserved one */
    uint8_t key;
};

static bool has(uint64_t value, uint64_t bit)
{
    return (value & bit) != 0;
}

/* WK-12: the error code says the access, and why. */
static enum svmc_status page_fault(const struct x86 *x, uint32_t why)
{
    uint32_t access = x->w->access;

    if (access & SVMC_WALK_WRITE)
        why |= PF_W;
    if (x->user)
        why |= PF_U;
    if ((access & SVMC_WALK_FETCH) && (has(x->regs->cr4, CR4_SMEP) || x->nx))
        why |= PF_I;
    return svmc_walk_raise_error(x->w, PF, why, x->at);
}

/* WK-11: keys of user pages and of supervisor pages; fetches have none. */
static bool key_denies(const struct x86 *x, uint32_t how)
{
    bool user_page = has(x->both, ENTRY_U);
    uint32_t rights = (user_page ? x->regs->pkru : x->regs->pkrs) >> 2 * x->key;

    if (!x->wide || (how & SVMC_WALK_FETCH) || !has(x->regs->cr4, user_page ? CR4_PKE : CR4_PKS))
        return false;
    if (x->user && !user_page)
        return false; /* refused by U/S alone */
    return (rights & 1) ||
           ((rights & 2) && (how & SVMC_WALK_WRITE) && (x->user || has(x->regs->cr0, CR0_WP)));
}

/* WK-10: SDM vol. 3 4.6.1. */
static bool rights_deny(const struct x86 *x, uint32_t how)
{
    const struct svmc_walk_x86 *regs = x->regs;
    bool user_page = has(x->both, ENTRY_U), writable = has(x->both, ENTRY_W);
    bool fetch = (how & SVMC_WALK_FETCH) != 0, write = (how & SVMC_WALK_WRITE) != 0;

    if (fetch && x->no_execute)
        return true;
    if (x->user)
        return !user_page || (write && !writable);
    if (user_page && fetch && has(regs->cr4, CR4_SMEP))
        return true;
    if (user_page && !fetch && has(regs->cr4, CR4_SMAP) &&
        ((x->w->access & SVMC_WALK_SYSTEM) || !has(regs->rflags, FLAGS_AC)))
        return true;
    return write && !writable && has(regs->cr0, CR0_WP);
}

/* WK-9 */
static bool is_leaf(const struct x86 *x, const struct level *row, uint64_t entry)
{
    switch (row->leaf) {
    case ALWAYS:
        return true;
    case BY_PSE:
        return has(entry, ENTRY_PS) && has(x->regs->cr4, CR4_PSE);
    case BY_PS:
    case BY_PS_1G:
        return has(entry, ENTRY_PS);
    default:
        return false;
    }
}

/* WK-8: the bits that are 0 in a present entry. */
static uint64_t reserved_bits(const struct x86 *x, const struct level *row, bool leaf)
{
    unsigned bits = x->regs->address_bits;
    uint64_t reserved = leaf ? 0 : row->reserved;

    if (row->entry_bytes == 4) { /* SDM vol. 3 4.3, table 4-4: bits 39:32 are in 20:13 */
        if (!leaf || row->leaf == ALWAYS)
            return 0;
        bits = !(x->regs->features & SVMC_WALK_X86_PSE36) ? 32 : bits < 40 ? bits : 40;
        return (BIT(22) - 1) & ~(BIT(bits - 32 + 13) - 1);
    }
    if (!leaf && (x->regs->features & SVMC_WALK_X86_AMD))
        reserved |= row->amd;
    if (leaf && row->leaf != ALWAYS)
        reserved |= (BIT(row->shift) - 1) & ~(BIT(13) - 1);
    if (leaf && row->leaf == BY_PS_1G && !(x->regs->features & SVMC_WALK_X86_PAGE1G))
        reserved |= ENTRY_PS;
    reserved |= (x->wide ? BIT(52) : BIT(63)) - BIT(bits);
    if (!x->nx || (row->leaf == NEVER && !x->wide))
        reserved |= ENTRY_NX;
    return reserved;
}

/* WK-15: which of the eight types of PAT, and what that register says of it. */
static uint8_t memory_type(const struct x86 *x, const struct level *row, uint64_t entry)
{
    unsigned type =
        (unsigned)(entry >> 3 & 3) | (unsigned)(entry >> (row->leaf == ALWAYS ? 7 : 12) & 1) << 2;

    return (uint8_t)(x->regs->pat >> 8 * type & 0xff);
}

static void describe(const struct x86 *x, const struct level *row, uint64_t entry)
{
    static const uint16_t each[] = { SVMC_WALK_READ, SVMC_WALK_WRITE, SVMC_WALK_FETCH };
    struct svmc_walk_result *out = x->w->out;
    uint64_t inside = BIT(row->shift) - 1;

    out->at.v = (entry & FRAME & ~inside) | (x->at & inside);
    if (row->leaf == BY_PSE)
        out->at.v = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (x->at & inside);
    out->page_bytes = inside + 1;
    for (unsigned i = 0; i < sizeof each / sizeof each[0]; i++)
        if (!key_denies(x, each[i]) && !rights_deny(x, each[i]))
            out->rights |= each[i];
    if (has(x->both, ENTRY_U))
        out->page |= SVMC_WALK_PAGE_USER;
    if (has(entry, ENTRY_G) && has(x->regs->cr4, CR4_PGE))
        out->page |= SVMC_WALK_PAGE_GLOBAL;
    out->memory = memory_type(x, row, entry);
    out->key = x->key;
}

/* The leaf is there, and no bit of it is reserved: what is left is rights, and WK-13. */
static enum svmc_status finish(struct x86 *x, const struct level *row, uint64_t at, uint64_t entry)
{
    uint32_t how = x->w->access & WALK_RIGHTS;
    bool key_denied;

    x->key = x->wide ? (uint8_t)(entry >> 59 & 15) : 0;
    key_denied = key_denies(x, how);
    if (key_denied || rights_deny(x, how))
        return page_fault(x, PF_P | (key_denied ? PF_PK : 0));
    svmc_walk_mark(x->w, at, entry, entry | ENTRY_A | (how & SVMC_WALK_WRITE ? ENTRY_D : 0));
    describe(x, row, entry);
    return SVMC_OK;
}

/* WK-7: of PAE's four upper entries the processor has its own copy, or reads them. */
static enum svmc_status read_entry(const struct x86 *x, const struct level *row, uint64_t at,
                                   uint64_t *entry)
{
    if (x->wide || row->leaf != NEVER || !(x->regs->features & SVMC_WALK_X86_PDPTES))
        return svmc_walk_read(x->w, at, entry);
    *entry = x->regs->pdpte[core_clamp((uint32_t)(x->at >> row->shift & 3), 4)];
    return SVMC_OK;
}

static enum svmc_status walk_levels(struct x86 *x, uint32_t first, uint64_t table)
{
    for (uint32_t i = first; i < LEVELS; i++) {
        const struct level *row = &levels[core_clamp(i, LEVELS)];
        uint64_t index = x->at >> row->shift & (BIT(row->index_bits) - 1);
        uint64_t at = table + index * row->entry_bytes, entry;
        enum svmc_status st = read_entry(x, row, at, &entry);
        bool leaf;

        if (st != SVMC_OK)
            return st;
        if (!has(entry, ENTRY_P))
            return page_fault(x, 0);
        leaf = is_leaf(x, row, entry);
        if (entry & reserved_bits(x, row, leaf))
            return page_fault(x, PF_P | PF_RSVD);
        if (x->wide || row->leaf != NEVER) { /* PAE's upper entries have no rights: WK-7 */
            x->both &= entry;
            x->no_execute |= x->nx ? entry & ENTRY_NX : 0;
        }
        if (leaf)
            return finish(x, row, at, entry);
        if (x->wide || row->leaf != NEVER)
            svmc_walk_mark(x->w, at, entry, entry | ENTRY_A);
        table = entry & FRAME;
    }
    return SVMC_ERR_ARG; /* the last level has leaves only */
}

/* WK-14: the tag of a pointer, and then: does the address exist? */
static bool make_canonical(struct x86 *x)
{
    const struct svmc_walk_x86 *regs = x->regs;
    unsigned bits = has(regs->cr4, CR4_LA57) ? 57 : 48, kept = 0;
    uint64_t sign = x->at & BIT(63);

    if (!(x->w->access & (SVMC_WALK_FETCH | SVMC_WALK_SYSTEM))) {
        if (sign)
            kept = has(regs->cr4, CR4_LAM) ? bits : 0;
        else
            kept = has(regs->cr3, CR3_U57) ? 57 : has(regs->cr3, CR3_U48) ? 48 : 0;
    }
    if (kept != 0)
        x->at = ((uint64_t)core_sign_extend(x->at, kept) & ~BIT(63)) | sign;
    return (uint64_t)core_sign_extend(x->at, bits) == x->at;
}

static enum svmc_status walk_once(const struct svmc_walk_x86 *regs, struct walk *w)
{
    struct x86 x = { .regs = regs, .w = w, .at = w->at, .both = ENTRY_U | ENTRY_W };
    uint64_t cr3 = regs->cr3 & (BIT(regs->address_bits) - 1);

    w->bytes = 8;
    x.wide = has(regs->efer, EFER_LMA);
    x.user = (regs->cpl == 3 || (w->access & SVMC_WALK_USER)) && !(w->access & SVMC_WALK_SYSTEM);
    x.nx = has(regs->efer, EFER_NXE) && has(regs->cr4, CR4_PAE);
    if (!x.wide)
        x.at &= 0xffffffff;
    if (!has(regs->cr0, CR0_PG)) /* WK-6 */
        return svmc_walk_flat(w, x.at, WB);
    if (x.wide) {
        if (!make_canonical(&x))
            return svmc_walk_raise_error(w, GP, 0, 0);
        return walk_levels(&x, has(regs->cr4, CR4_LA57) ? IN_57 : IN_48, cr3 & FRAME);
    }
    if (has(regs->cr4, CR4_PAE))
        return walk_levels(&x, IN_PAE, cr3 & 0xffffffe0);
    w->bytes = 4;
    return walk_levels(&x, IN_32, cr3 & 0xfffff000);
}

/* WK-6: what MOV to CR and WRMSR refuse is no register's value. */
static bool is_possible(const struct svmc_walk_x86 *regs)
{
    uint8_t reserved = 0;

    for (unsigned i = 0; i < sizeof regs->reserved; i++)
        reserved |= regs->reserved[i];
    if (reserved != 0 || regs->cpl > 3 || regs->address_bits < 32 || regs->address_bits > 52 ||
        regs->features >= 2 * SVMC_WALK_X86_PDPTES)
        return false;
    if (has(regs->cr0, CR0_PG) && !has(regs->cr0, CR0_PE))
        return false;
    return !has(regs->efer, EFER_LMA) || (has(regs->cr0, CR0_PG) && has(regs->cr4, CR4_PAE));
}

enum svmc_status svmc_walk_by_x86(const struct svmc_walk_x86 *regs, const struct svmc_walk_ops *ops,
                                  void *ctx, svmc_gva at, uint32_t access,
                                  struct svmc_walk_result *out)
{
    struct walk w;
    enum svmc_status st = svmc_walk_begin(&w, ops, ctx, at, access, out);

    if (st != SVMC_OK)
        return st;
    if (regs == NULL || !is_possible(regs))
        return SVMC_ERR_ARG;
    do
        st = walk_once(regs, &w);
    while (svmc_walk_again(&w, &st));
    return st;
}
