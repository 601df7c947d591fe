/* SPDX-License-Identifier: MIT */
/* svmc_walk_by_rv32, svmc_walk_by_rv64: The RISC-V Instruction Set Manual, volume II, "Supervisor",
 * Sv32 to Sv57. Rules WK-n: docs/spec/walk.md. */
#include "walk_private.h"
#include "../core/bytes.h"
#include "../core/clamp.h"

#define BIT(n) ((uint64_t)1 << (n))

#define STATUS_SUM BIT(18)
#define STATUS_MXR BIT(19)

#define ENTRY_V    BIT(0)
#define ENTRY_R    BIT(1)
#define ENTRY_W    BIT(2)
#define ENTRY_X    BIT(3)
#define ENTRY_U    BIT(4)
#define ENTRY_G    BIT(5)
#define ENTRY_A    BIT(6)
#define ENTRY_D    BIT(7)
#define ENTRY_PBMT (BIT(61) | BIT(62))
#define ENTRY_N    BIT(63)
#define RESERVED   (BIT(61) - BIT(54))
#define NAPOT_BITS 16u /* the one size that is defined: 64 KiB */
#define PAGE_BITS  12u

enum cause {
    FETCH_ACCESS = 1,
    LOAD_ACCESS = 5,
    STORE_ACCESS = 7,
    FETCH_PAGE = 12,
    LOAD_PAGE = 13,
    STORE_PAGE = 15
};

/* One row a mode of satp. */
struct mode {
    uint8_t xlen, number, levels, index_bits, entry_bytes;
};
static const struct mode modes[] = {
    { 32, 1, 2, 10, 4 },
    { 64, 8, 3, 9, 8 },
    { 64, 9, 4, 9, 8 },
    { 64, 10, 5, 9, 8 },
};
#define MODES (sizeof modes / sizeof modes[0])

struct rv {
    const struct svmc_walk_rv *regs;
    struct walk *w;
    struct mode mode;
    uint64_t at;
    bool user, global;
};

static bool has(uint64_t value, uint64_t bit)
{
    return (value & bit) != 0;
}

/* WK-34 */
static enum svmc_status page_fault(const struct rv *v)
{
    uint32_t how = v->w->access;

    return svmc_walk_raise(v->w,
                           how & SVMC_WALK_FETCH   ? FETCH_PAGE
                           : how & SVMC_WALK_WRITE ? STORE_PAGE
                                                   : LOAD_PAGE,
                           v->at);
}

static enum svmc_status access_fault(const struct rv *v)
{
    uint32_t how = v->w->access;

    return svmc_walk_raise(v->w,
                           how & SVMC_WALK_FETCH   ? FETCH_ACCESS
                           : how & SVMC_WALK_WRITE ? STORE_ACCESS
                                                   : LOAD_ACCESS,
                           v->at);
}

/* WK-29: encodings that no extension of this processor defines. */
static bool is_reserved(const struct rv *v, uint64_t entry, bool leaf)
{
    uint64_t reserved = v->mode.entry_bytes == 8 ? RESERVED : 0;

    if (has(entry, ENTRY_W) && !has(entry, ENTRY_R))
        return true;
    if (v->mode.entry_bytes == 4) /* bits 63:54 are the physical address's or not there */
        return !leaf && (entry & (ENTRY_A | ENTRY_D | ENTRY_U)) != 0;
    if (!leaf)
        reserved |= ENTRY_A | ENTRY_D | ENTRY_U | ENTRY_PBMT | ENTRY_N;
    if (!(v->regs->features & SVMC_WALK_RV_SVPBMT))
        reserved |= ENTRY_PBMT;
    if (!(v->regs->features & SVMC_WALK_RV_SVNAPOT))
        reserved |= ENTRY_N;
    return (entry & reserved) != 0 || (entry & ENTRY_PBMT) == ENTRY_PBMT;
}

/* WK-31 */
static uint32_t rights_of(const struct rv *v, uint64_t entry)
{
    bool user_page = has(entry, ENTRY_U);
    uint32_t data = 0, fetch = has(entry, ENTRY_X) ? SVMC_WALK_FETCH : 0u;

    if (has(entry, ENTRY_R) || (has(entry, ENTRY_X) && has(v->regs->sstatus, STATUS_MXR)))
        data |= SVMC_WALK_READ;
    if (has(entry, ENTRY_W))
        data |= SVMC_WALK_WRITE;
    if (v->user)
        return user_page ? data | fetch : 0;
    if (!user_page)
        return data | fetch;
    return has(v->regs->sstatus, STATUS_SUM) ? data : 0;
}

/* WK-30: how many bits of the address stay as they are; 0: the entry is none. */
static unsigned leaf_bits(uint64_t entry, unsigned low)
{
    uint64_t frame = (entry & (BIT(54) - 1)) >> 10;

    if (has(entry, ENTRY_N)) {
        if (low != PAGE_BITS || (frame & 15) != 8)
            return 0;
        return NAPOT_BITS;
    }
    return (frame & (BIT(low - PAGE_BITS) - 1)) == 0 ? low : 0;
}

static enum svmc_status finish(const struct rv *v, unsigned low, uint64_t at, uint64_t entry)
{
    struct svmc_walk_result *out = v->w->out;
    uint32_t how = v->w->access & WALK_RIGHTS, may = rights_of(v, entry);
    uint64_t inside, now = entry | ENTRY_A | (how & SVMC_WALK_WRITE ? ENTRY_D : 0);
    bool long_entry = v->mode.entry_bytes == 8;

    low = leaf_bits(entry, low);
    if (low == 0 || (how & may) != how)
        return page_fault(v);
    if (now != entry && !(v->regs->features & SVMC_WALK_RV_SVADU)) /* WK-32 */
        return page_fault(v);
    svmc_walk_mark(v->w, at, entry, now);
    inside = BIT(low) - 1;
    out->at.v = ((entry & (BIT(54) - 1)) >> 10 << PAGE_BITS & ~inside) | (v->at & inside);
    out->page_bytes = inside + 1;
    out->rights = may;
    if (has(entry, ENTRY_U))
        out->page |= SVMC_WALK_PAGE_USER;
    if (v->global || has(entry, ENTRY_G))
        out->page |= SVMC_WALK_PAGE_GLOBAL;
    /* WK-33 */
    out->memory = long_entry ? (uint8_t)(entry >> 61 & 3) : 0;
    return SVMC_OK;
}

static enum svmc_status walk_levels(struct rv *v, uint64_t table)
{
    unsigned low = PAGE_BITS + v->mode.levels * v->mode.index_bits;

    for (unsigned i = 0; i < SVMC_WALK_LEVELS && low > PAGE_BITS; i++) {
        uint64_t at, entry;
        enum svmc_status st;
        bool leaf;

        low -= v->mode.index_bits;
        at = table + (v->at >> low & (BIT(v->mode.index_bits) - 1)) * v->mode.entry_bytes;
        st = svmc_walk_read(v->w, at, &entry);
        if (st == SVMC_ERR_REFUSED) /* WK-4 */
            return access_fault(v);
        if (st != SVMC_OK)
            return st;
        leaf = (entry & (ENTRY_R | ENTRY_W | ENTRY_X)) != 0;
        if (!has(entry, ENTRY_V) || is_reserved(v, entry, leaf))
            return page_fault(v);
        if (leaf)
            return finish(v, low, at, entry);
        v->global = v->global || has(entry, ENTRY_G);
        table = (entry & (BIT(54) - 1)) >> 10 << PAGE_BITS;
    }
    return page_fault(v); /* a table below the last level */
}

/* WK-28: 64-bit addresses are sign extensions of what is translated. */
static bool is_canonical(const struct rv *v)
{
    unsigned bits = PAGE_BITS + v->mode.levels * v->mode.index_bits;

    return v->mode.xlen == 32 || (uint64_t)core_sign_extend(v->at, bits) == v->at;
}

static enum svmc_status walk_once(const struct svmc_walk_rv *regs, unsigned xlen, struct walk *w)
{
    struct rv v = { .regs = regs, .w = w, .at = w->at };
    unsigned number = (unsigned)(xlen == 32 ? regs->satp >> 31 & 1 : regs->satp >> 60);
    uint64_t frame = xlen == 32 ? regs->satp & 0x3fffff : regs->satp & (BIT(44) - 1);

    if (xlen == 32)
        v.at &= 0xffffffff;
    v.user = regs->user == 1 || (w->access & SVMC_WALK_USER);
    if (number == 0) /* WK-27 */
        return svmc_walk_flat(w, v.at, 0);
    for (uint32_t i = 0; i < MODES; i++)
        if (modes[i].xlen == xlen && modes[i].number == number)
            v.mode = modes[i];
    if (v.mode.levels == 0)
        return SVMC_ERR_ARG;
    w->bytes = v.mode.entry_bytes;
    if (!is_canonical(&v))
        return page_fault(&v);
    return walk_levels(&v, frame << PAGE_BITS);
}

static enum svmc_status walk_rv(const struct svmc_walk_rv *regs, unsigned xlen, struct walk *w)
{
    uint8_t reserved = 0;
    enum svmc_status st;

    if (regs == NULL || regs->user > 1 || regs->features >= 2 * SVMC_WALK_RV_SVPBMT ||
        (w->access & SVMC_WALK_SYSTEM))
        return SVMC_ERR_ARG;
    for (unsigned i = 0; i < sizeof regs->reserved; i++)
        reserved |= regs->reserved[i];
    if (reserved != 0)
        return SVMC_ERR_ARG;
    do
        st = walk_once(regs, xlen, w);
    while (svmc_walk_again(w, &st));
    return st;
}

enum svmc_status svmc_walk_by_rv32(const struct svmc_walk_rv *regs, const struct svmc_walk_ops *ops,
                                   void *ctx, svmc_gva at, uint32_t access,
                                   struct svmc_walk_result *out)
{
    struct walk w;
    enum svmc_status st = svmc_walk_begin(&w, ops, ctx, at, access, out);

    return st != SVMC_OK ? st : walk_rv(regs, 32, &w);
}

enum svmc_status svmc_walk_by_rv64(const struct svmc_walk_rv *regs, const struct svmc_walk_ops *ops,
                                   void *ctx, svmc_gva at, uint32_t access,
                                   struct svmc_walk_result *out)
{
    struct walk w;
    enum svmc_status st = svmc_walk_begin(&w, ops, ctx, at, access, out);

    return st != SVMC_OK ? st : walk_rv(regs, 64, &w);
}
