/* SPDX-License-Identifier: MIT */
/* svmc_walk_by_a64: Arm ARM (DDI 0487) D8, and AArch64.S1Translate of J1. Rules WK-n:
 * docs/spec/walk.md. */
#include "walk_private.h"
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"

#define BIT(n)      ((uint64_t)1 << (n))
#define FIELD(v, n) ((unsigned)((v) >> (n)&15)) /* of an ID register */

#define SCTLR_M    BIT(0)
#define SCTLR_WXN  BIT(19)
#define SCTLR_EE   BIT(25)
#define SCTLR_EPAN BIT(57)
#define PSTATE_PAN BIT(22)
#define PSTATE_UAO BIT(23)
#define HCR_TGE    BIT(27)
#define HCR_E2H    BIT(34)

#define ENTRY_TABLE 3u
#define ENTRY_BLOCK 1u
#define LEAF_AP1    BIT(6) /* EL0 may */
#define LEAF_AP2    BIT(7) /* read only */
#define LEAF_AF     BIT(10)
#define LEAF_NG     BIT(11)
#define LEAF_DBM    BIT(51)
#define LEAF_PXN    BIT(53)
#define LEAF_XN     BIT(54) /* UXN where there is EL0 */
#define TABLE_PXN   BIT(59)
#define TABLE_XN    BIT(60)
#define TABLE_AP0   BIT(61) /* EL0 may not */
#define TABLE_AP1   BIT(62) /* read only */

#define EC_FETCH   0x20u /* from a lower EL; one more: from the same */
#define EC_DATA    0x24u
#define ISS_WNR    BIT(6)
#define DEVICE     0x00u /* Device-nGnRnE, what MMU off makes of data */
#define NON_CACHED 0x44u /* and of fetches without SCTLR.I */
#define SCTLR_I    BIT(12)
#define WRITE_BACK 0xaau /* write-through, with it: DDI 0487 D8.2.10 */

/* Fault status codes without the level; at level -1: DDI 0487, ESR_EL1, DFSC. */
enum why {
    ADDRESS_SIZE = 0x00,
    TRANSLATION = 0x04,
    ACCESS_FLAG = 0x08,
    PERMISSION = 0x0c,
    EXTERNAL = 0x14
};

/* One row a granule: what its levels can hold. */
struct granule {
    uint8_t bits;      /* of the page */
    int8_t block;      /* the first level that has blocks */
    int8_t block_wide; /* the same with 52 bits of physical address */
    uint8_t max_size;  /* of TxSZ with FEAT_TTST */
};
enum { IN_4K, IN_16K, IN_64K, GRANULES };
static const struct granule granules[GRANULES] = {
    { 12, 1, 0, 48 },
    { 14, 2, 1, 48 },
    { 16, 2, 1, 47 },
};
/* TCR.IPS and ID_AA64MMFR0.PARange */
static const uint8_t address_sizes[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };
/* TCR.TG0, TCR.TG1; GRANULES: none has this number */
static const uint8_t granules_of_tg0[4] = { IN_4K, IN_64K, IN_16K, GRANULES };
static const uint8_t granules_of_tg1[4] = { GRANULES, IN_16K, IN_4K, IN_64K };

struct a64 {
    const struct svmc_walk_a64 *regs;
    struct walk *w;
    struct granule granule;
    uint64_t ttbr;
    uint64_t tables; /* what the upper levels say for all below: WK-23 */
    unsigned size;   /* bits of the virtual address that are translated */
    unsigned output; /* bits of the physical one */
    unsigned share;  /* TCR.SH of this half, where DS took the entries' bits */
    bool ds;         /* FEAT_LPA2's form of the entries */
    bool wide;       /* bits 51:48 are in the entries of 64 KiB pages */
    bool two;        /* two halves and EL0; else EL2 alone */
    bool hpd, ha, hd;
    bool user, upper;
};

static bool has(uint64_t value, uint64_t bit)
{
    return (value & bit) != 0;
}

/* WK-26: the exception class and the syndrome of an abort to EL1 or EL2. */
static enum svmc_status abort_with(const struct a64 *a, enum why why, int level, bool write)
{
    bool lower = (a->regs->pstate & 12) == 0, fetch = (a->w->access & SVMC_WALK_FETCH) != 0;
    uint32_t code = (uint32_t)why | (uint32_t)(level & 3);

    if (level < 0)
        code = why == ADDRESS_SIZE ? 0x29 : why == TRANSLATION ? 0x2b : 0x13;
    if (write)
        code |= (uint32_t)ISS_WNR;
    return svmc_walk_raise_error(a->w, (uint8_t)((fetch ? EC_FETCH : EC_DATA) + !lower), code,
                                 a->w->at);
}

/* WnR: what reads and writes is a read where that would have faulted, too. */
static enum svmc_status raise(const struct a64 *a, enum why why, int level)
{
    uint32_t both = SVMC_WALK_READ | SVMC_WALK_WRITE;

    return abort_with(a, why, level, (a->w->access & both) == SVMC_WALK_WRITE);
}

static uint64_t field(uint64_t value, unsigned low, unsigned count)
{
    return value >> low & (BIT(count) - 1);
}

/* WK-19: a granule that the processor lacks counts as the first that it has. */
static uint32_t pick_granule(const struct svmc_walk_a64 *regs, uint32_t asked)
{
    bool there[GRANULES] = { FIELD(regs->mmfr0, 28) < 8, FIELD(regs->mmfr0, 20) != 0,
                             FIELD(regs->mmfr0, 24) < 8 };

    if (asked < GRANULES && there[core_clamp(asked, GRANULES)])
        return asked;
    return there[IN_4K] ? IN_4K : there[IN_64K] ? IN_64K : IN_16K;
}

static unsigned size_of(uint64_t number)
{
    return address_sizes[core_clamp((uint32_t)(number < 7 ? number : 7), 8)];
}

/* WK-19, WK-21: what TCR says of the half that the address is in. */
static void read_tcr(struct a64 *a, uint64_t *ips, bool *off, bool *tagged)
{
    const struct svmc_walk_a64 *regs = a->regs;
    uint64_t tcr = regs->tcr;
    bool upper = a->upper, fetch = (a->w->access & SVMC_WALK_FETCH) != 0, tbid;
    uint32_t asked;

    if (a->two) {
        asked = upper ? granules_of_tg1[core_clamp((uint32_t)field(tcr, 30, 2), 4)]
                      : granules_of_tg0[core_clamp((uint32_t)field(tcr, 14, 2), 4)];
        *ips = field(tcr, 32, 3);
        *off = has(tcr, BIT(upper ? 23 : 7)) || /* EPD; E0PD */
               (a->user && FIELD(regs->mmfr2, 60) != 0 && has(tcr, BIT(upper ? 56 : 55)));
        *tagged = has(tcr, BIT(upper ? 38 : 37));
        tbid = has(tcr, BIT(upper ? 52 : 51));
        a->hpd = has(tcr, BIT(upper ? 42 : 41));
        a->ha = has(tcr, BIT(39));
        a->hd = has(tcr, BIT(40));
        a->ds = has(tcr, BIT(59));
        a->share = (unsigned)field(tcr, upper ? 28 : 12, 2);
        a->size = 64 - (unsigned)field(tcr, upper ? 16 : 0, 6);
    } else {
        asked = granules_of_tg0[core_clamp((uint32_t)field(tcr, 14, 2), 4)];
        *ips = field(tcr, 16, 3);
        *off = false;
        *tagged = has(tcr, BIT(20));
        tbid = has(tcr, BIT(29));
        a->hpd = has(tcr, BIT(24));
        a->ha = has(tcr, BIT(21));
        a->hd = has(tcr, BIT(22));
        a->ds = has(tcr, BIT(32));
        a->share = (unsigned)field(tcr, 12, 2);
        a->size = 64 - (unsigned)field(tcr, 0, 6);
    }
    *tagged = *tagged && !(fetch && tbid);
    a->granule = granules[core_clamp(pick_granule(regs, asked), GRANULES)];
    a->ttbr = upper ? regs->ttbr1 : regs->ttbr0;
}

/* WK-18, WK-20: what the processor has, of what TCR asks for. */
static void read_features(struct a64 *a, uint64_t ips)
{
    uint64_t mmfr0 = a->regs->mmfr0;
    unsigned most = size_of(FIELD(mmfr0, 0)), haf = FIELD(a->regs->mmfr1, 0);
    bool large = a->granule.bits == 16;

    a->hpd = a->hpd && FIELD(a->regs->mmfr1, 12) != 0;
    a->ha = a->ha && haf != 0;
    a->hd = a->hd && a->ha && haf >= 2;
    a->ds = a->ds && ((a->granule.bits == 12 && FIELD(mmfr0, 28) == 1) ||
                      (a->granule.bits == 14 && FIELD(mmfr0, 20) == 2));
    a->wide = large && most == 52;
    a->output = size_of(ips) < most ? size_of(ips) : most;
    if (a->output == 52 && !a->wide && !a->ds)
        a->output = 48;
}

/* WK-20: false: TxSZ, or the bits that are not translated, leave the address without a table. */
static bool is_in_range(const struct a64 *a, bool tagged)
{
    bool large = a->granule.bits == 16;
    unsigned most = a->ds || (large && FIELD(a->regs->mmfr2, 16) != 0) ? 52 : 48;
    unsigned least = 64 - (FIELD(a->regs->mmfr2, 28) != 0 ? a->granule.max_size : 39u);
    uint64_t above;

    if (a->size > most || a->size < least)
        return false;
    above = field(a->upper ? ~a->w->at : a->w->at, a->size, (tagged ? 56 : 64) - a->size);
    return above == 0;
}

/* Bits 51:48 and lower ones that entries hold elsewhere: DDI 0487 D8.3. */
static uint64_t address_in(const struct a64 *a, uint64_t entry, unsigned low)
{
    uint64_t at = field(entry, low, 48 - low) << low;

    if (a->ds)
        return at | (entry & (BIT(48) | BIT(49))) | field(entry, 8, 2) << 50;
    return a->wide ? at | field(entry, 12, 4) << 48 : at;
}

static bool is_outside(const struct a64 *a, uint64_t at)
{
    return at >> a->output != 0;
}

/* What EL0 and the privileged level may do in a page. */
struct rights {
    bool user_read, user_write, user_fetch;
    bool read, write, fetch;
};

/* WK-24: what there is beside EL2's own rights where EL0 has some. */
static void el0_rights(const struct a64 *a, uint64_t leaf, struct rights *r)
{
    bool wxn = has(a->regs->sctlr, SCTLR_WXN);
    bool pan3 = FIELD(a->regs->mmfr1, 20) >= 3 && has(a->regs->sctlr, SCTLR_EPAN);

    r->user_read = has(leaf, LEAF_AP1) && !has(a->tables, TABLE_AP0);
    r->user_write = r->user_read && r->write;
    r->user_fetch = !has(leaf, LEAF_XN) && !has(a->tables, TABLE_XN);
    r->fetch = !has(leaf, LEAF_PXN) && !has(a->tables, TABLE_PXN) && !r->user_write;
    if (wxn && r->user_write)
        r->user_fetch = false;
    if (wxn && r->write)
        r->fetch = false;
    if (has(a->regs->pstate, PSTATE_PAN) && FIELD(a->regs->mmfr1, 20) != 0 &&
        (r->user_read || (pan3 && r->user_fetch)))
        r->read = r->write = false;
}

/* WK-23 */
static uint32_t rights_of(const struct a64 *a, uint64_t leaf, bool *user_page)
{
    struct rights r = { .read = true };
    bool fixed = has(leaf, LEAF_AP2) && !(a->hd && has(leaf, LEAF_DBM));

    r.write = !fixed && !has(a->tables, TABLE_AP1);
    if (a->two) {
        el0_rights(a, leaf, &r);
    } else {
        r.fetch = !has(leaf, LEAF_XN) && !has(a->tables, TABLE_XN) &&
                  !(has(a->regs->sctlr, SCTLR_WXN) && r.write);
    }
    *user_page = r.user_read;
    if (a->user)
        return (r.user_read ? SVMC_WALK_READ : 0u) | (r.user_write ? SVMC_WALK_WRITE : 0u) |
               (r.user_fetch ? SVMC_WALK_FETCH : 0u);
    return (r.read ? SVMC_WALK_READ : 0u) | (r.write ? SVMC_WALK_WRITE : 0u) |
           (r.fetch ? SVMC_WALK_FETCH : 0u);
}

/* A page or block: WK-22, WK-25. */
static enum svmc_status finish(const struct a64 *a, int level, unsigned low, uint64_t at,
                               uint64_t entry)
{
    struct svmc_walk_result *out = a->w->out;
    uint32_t how = a->w->access & WALK_RIGHTS, may;
    uint64_t inside = BIT(low) - 1, leaf = address_in(a, entry, a->granule.bits) & ~inside;
    uint64_t now = entry;
    bool user_page;

    if (is_outside(a, leaf))
        return raise(a, ADDRESS_SIZE, level);
    if (!has(entry, LEAF_AF) && !a->ha)
        return raise(a, ACCESS_FLAG, level);
    may = rights_of(a, entry, &user_page);
    if ((how & may) != how)
        return abort_with(a, PERMISSION, level,
                          (how & SVMC_WALK_WRITE) && (how & may) == (how & SVMC_WALK_READ));
    now |= LEAF_AF; /* here, or it was set */
    if ((how & SVMC_WALK_WRITE) && a->hd && has(entry, LEAF_DBM))
        now &= ~LEAF_AP2;
    svmc_walk_mark(a->w, at, entry, now);
    out->at.v = leaf | (a->w->at & inside);
    out->page_bytes = inside + 1;
    out->rights = may;
    out->page = user_page ? SVMC_WALK_PAGE_USER : 0;
    if (!a->two || !has(entry, LEAF_NG))
        out->page |= SVMC_WALK_PAGE_GLOBAL;
    out->memory = (uint8_t)(a->regs->mair >> 8 * field(entry, 2, 3) & 0xff);
    out->share = (uint8_t)(a->ds ? a->share : field(entry, 8, 2));
    return SVMC_OK;
}

/* WK-21: the first table is aligned to its own size. */
static uint64_t first_table(const struct a64 *a, unsigned low)
{
    unsigned align = a->size - low + 3;
    uint64_t at = a->ttbr & (BIT(48) - 1);

    if (a->ds || (a->wide && a->output == 52)) {
        align = align > 6 ? align : 6;
        at |= field(a->ttbr, 2, 4) << 48;
    }
    return at & ~(BIT(align) - 1);
}

static enum svmc_status walk_levels(struct a64 *a)
{
    const struct granule *g = &a->granule;
    unsigned stride = g->bits - 3u, levels = (a->size - g->bits + stride - 1) / stride;
    unsigned low = g->bits + (levels - 1) * stride, top = a->size;
    int level = 4 - (int)levels, block = a->ds || a->wide ? g->block_wide : g->block;
    uint64_t table = first_table(a, low);

    if (is_outside(a, table))
        return raise(a, ADDRESS_SIZE, 0);
    for (unsigned i = 0; i < SVMC_WALK_LEVELS && level <= 3; i++, level++) {
        uint64_t at = table + (field(a->w->at, low, top - low) << 3), entry;
        enum svmc_status st = svmc_walk_read(a->w, at, &entry);

        if (st == SVMC_ERR_REFUSED) /* WK-4 */
            return raise(a, EXTERNAL, level);
        if (st != SVMC_OK)
            return st;
        if (level == 3 ? (entry & 3) == ENTRY_TABLE : (entry & 3) == ENTRY_BLOCK && level >= block)
            return finish(a, level, low, at, entry);
        if (level == 3 || (entry & 3) != ENTRY_TABLE)
            return raise(a, TRANSLATION, level);
        table = address_in(a, entry, g->bits);
        if (is_outside(a, table))
            return raise(a, ADDRESS_SIZE, level);
        if (!a->hpd)
            a->tables |= entry;
        top = low;
        low -= stride;
    }
    return SVMC_ERR_ARG; /* level 3 has no table below it */
}

/* WK-17: M is 0. */
static enum svmc_status walk_flat(const struct a64 *a, bool tagged)
{
    uint64_t at = tagged ? a->w->at & (BIT(56) - 1) : a->w->at;
    bool fetch = (a->w->access & SVMC_WALK_FETCH) != 0;

    if (at >> size_of(FIELD(a->regs->mmfr0, 0)) != 0)
        return raise(a, ADDRESS_SIZE, 0);
    if (!fetch)
        return svmc_walk_flat(a->w, at, DEVICE);
    return svmc_walk_flat(a->w, at, has(a->regs->sctlr, SCTLR_I) ? WRITE_BACK : NON_CACHED);
}

static enum svmc_status walk_once(const struct svmc_walk_a64 *regs, struct walk *w)
{
    struct a64 a = { .regs = regs, .w = w };
    unsigned el = (unsigned)(regs->pstate >> 2 & 3);
    bool host = has(regs->hcr, HCR_E2H), as_user, off, tagged;
    uint64_t ips;

    if (el > 2) /* WK-16 */
        return SVMC_ERR_ARG;
    a.two = el < 2 || host;
    as_user = (w->access & SVMC_WALK_USER) && (el < 2 || (host && has(regs->hcr, HCR_TGE))) &&
              !(FIELD(regs->mmfr2, 4) != 0 && has(regs->pstate, PSTATE_UAO));
    a.user = el == 0 || as_user;
    a.upper = a.two && has(w->at, BIT(55));
    w->swapped = has(regs->sctlr, SCTLR_EE);
    read_tcr(&a, &ips, &off, &tagged);
    read_features(&a, ips);
    if (!has(regs->sctlr, SCTLR_M))
        return walk_flat(&a, tagged);
    if (!is_in_range(&a, tagged) || off)
        return raise(&a, TRANSLATION, 0);
    return walk_levels(&a);
}

enum svmc_status svmc_walk_by_a64(const struct svmc_walk_a64 *regs, const struct svmc_walk_ops *ops,
                                  void *ctx, svmc_gva at, uint32_t access,
                                  struct svmc_walk_result *out)
{
    struct walk w;
    enum svmc_status st = svmc_walk_begin(&w, ops, ctx, at, access, out);

    if (st != SVMC_OK)
        return st;
    if (regs == NULL || (access & SVMC_WALK_SYSTEM))
        return SVMC_ERR_ARG;
    do
        st = walk_once(regs, &w);
    while (svmc_walk_again(&w, &st));
    return st;
}
