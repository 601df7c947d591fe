/* SPDX-License-Identifier: MIT */
/*
 * x86: MXCSR, and the areas of FXSAVE and XSAVE (SDM vol. 1 chapter 13, 10.5). An area is read
 * whole before a register is written. Rules XE-n: docs/spec/exec.md.
 */
#include "x86_fpu.h"

#define AREA_X87   0x1u /* state components: SDM vol. 1 13.1 */
#define AREA_SSE   0x2u
#define AREA_AVX   0x4u
#define AREA_MASKS 0x20u
#define AREA_UPPER 0x40u /* bits 511:256 of the first 16 registers */
#define AREA_HIGH  0x80u /* the other 16 */
#define AREA_PKRU  0x200u
#define AREA_KNOWN \
    (AREA_X87 | AREA_SSE | AREA_AVX | AREA_MASKS | AREA_UPPER | AREA_HIGH | AREA_PKRU)
#define AREA_COMPACT ((uint64_t)1 << 63)

#define AREA_AT_MXCSR    24u
#define AREA_AT_ST       32u
#define AREA_AT_XMM      160u
#define AREA_AT_HEADER   512u
#define AREA_AT_EXTENDED 576u
#define AREA_MAX         EXEC_PAGE /* so two pages at most */
#define AREA_COMPONENTS  10u

#define AREA_MXCSR_INIT 0x1f80u

/* What one of them is about, and where in the record's data its pieces are. */
struct area {
    struct x86_run *e;
    struct exec_span span; /* of the bytes from `from` on */
    uint64_t compact;      /* XCOMP_BV, or 0 */
    uint32_t wanted;       /* components that are saved or restored */
    uint32_t there;        /* of these, those that are not in their initial state */
    const uint8_t *st, *vectors, *high, *masks;
    uint8_t registers; /* vector registers that the mode has */
    uint8_t width;     /* bytes of them that are read or written */
    uint16_t from;
    bool xsave;
};

static const uint16_t area_sizes[AREA_COMPONENTS] = { 0, 0, 256, 64, 64, 64, 512, 1024, 128, 8 };

/* XE-58: CPUID.(EAX=0DH,ECX=n):EBX as all processors of the vendor have it. */
static const uint16_t area_usual[2][AREA_COMPONENTS] = {
    { 0, 0, 576, 960, 1024, 1088, 1152, 1664, 0, 2688 },
    { 0, 0, 576, 0, 0, 832, 896, 1408, 0, 2432 }
};

/* Where component n begins; n: below AREA_COMPONENTS. */
static unsigned area_place_of(const struct area *a, unsigned n)
{
    const struct svmc_exec_x86 *regs = a->e->regs;
    unsigned at = AREA_AT_EXTENDED;

    n = core_clamp(n, AREA_COMPONENTS);
    if (a->compact == 0) {
        if (regs->component[n] != 0)
            return regs->component[n];
        return area_usual[regs->vendor == SVMC_VENDOR_AMD ? 1 : 0][n]; /* clamp: 0 or 1 */
    }
    for (unsigned i = 2; i < n; i++)
        if (a->compact >> i & 1)
            at += area_sizes[i]; /* clamp: below n */
    return at;
}

static unsigned area_end_of(const struct area *a, uint32_t components)
{
    unsigned end = AREA_AT_EXTENDED, at;

    for (unsigned n = 2; n < AREA_COMPONENTS; n++) {
        if (a->compact != 0)
            components &= (uint32_t)a->compact;
        at = components >> n & 1 ? area_place_of(a, n) + area_sizes[n] : 0;
        end = at > end ? at : end;
    }
    return end;
}

/* XE-81: a call's accesses are 64 at most, and it may go on at once in the next. */
static bool area_may_access(struct x86_run *e)
{
    if (e->r.out->accesses + 2 <= SVMC_EXEC_ACCESSES_MAX)
        return true;
    e->r.x->wait = (struct svmc_exec_wait){ .kind = SVMC_EXEC_PAUSE };
    return exec_stop(&e->r, SVMC_EXEC_PENDING, SVMC_EXEC_REASON_NONE);
}

static const uint8_t *area_read_range(struct area *a, unsigned from, unsigned bytes)
{
    const uint8_t *first = NULL, *data;

    for (unsigned at = 0; at < bytes; at += SVMC_EXEC_WIDTH_MAX) {
        unsigned n = bytes - at < SVMC_EXEC_WIDTH_MAX ? bytes - at : SVMC_EXEC_WIDTH_MAX;
        struct exec_span part = fpu_part(&a->span, from + at - a->from, n);

        data = area_may_access(a->e) ? svmc_exec_read(&a->e->r, &part) : NULL;
        if (data == NULL)
            return NULL;
        first = first == NULL ? data : first;
    }
    return first;
}

/* A piece that lies in `store`. */
static bool area_write_piece(struct area *a, unsigned from, unsigned bytes)
{
    struct exec_span part = fpu_part(&a->span, from - a->from, bytes);

    return area_may_access(a->e) && svmc_exec_write(&a->e->r, &part);
}

/* `bytes` of each register, of which `skip` come before, `stride` bytes from one to the next. */
static bool area_write_registers(struct area *a, unsigned from, const uint8_t *data,
                                 unsigned stride, unsigned bytes)
{
    uint8_t *store = a->e->r.x->priv.store;
    unsigned total = a->registers * bytes, done = 0;

    while (done < total) {
        for (unsigned n = 0; n < SVMC_EXEC_WIDTH_MAX; n += bytes)
            memcpy(store + n, data + (done + n) / bytes * stride, bytes);
        if (!area_write_piece(a, from + done, SVMC_EXEC_WIDTH_MAX))
            return false;
        done += SVMC_EXEC_WIDTH_MAX;
    }
    return true;
}

static const uint8_t *area_read_vectors(struct area *a, unsigned kind, unsigned first,
                                        unsigned count, unsigned bytes)
{
    const uint8_t *all = NULL, *data;

    for (unsigned i = 0; i < count; i++) {
        unsigned n = kind == SVMC_REG_KIND_X87 ? fpu_physical(a->e->regs, i) : first + i;

        data = area_may_access(a->e) ? svmc_exec_vector_read(&a->e->r, kind, n, bytes) : NULL;
        if (data == NULL)
            return NULL;
        all = all == NULL ? data : all;
    }
    return all;
}

static bool area_is_zero(const uint8_t *data, unsigned count, unsigned stride, unsigned bytes)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < count; i++)
        for (unsigned n = 0; n < bytes; n += 8)
            any |= core_load_le64(data + i * stride + n);
    return any == 0;
}

static bool area_is_initial_x87(const struct area *a)
{
    const struct svmc_exec_x86 *regs = a->e->regs;

    return regs->fcw == FPU_CONTROL_INIT && regs->fsw == 0 && regs->ftw == 0 && regs->fop == 0 &&
           regs->fip == 0 && regs->fdp == 0 && regs->fcs == 0 && regs->fds == 0 &&
           area_is_zero(a->st, 8, 16, 16);
}

/* XE-59: in use is what is not in its initial state. */
static void area_find_used(struct area *a)
{
    uint32_t wanted = a->wanted, unused = 0;
    const unsigned n = a->registers, w = a->width;

    if ((wanted & AREA_X87) && area_is_initial_x87(a))
        unused |= AREA_X87;
    if ((wanted & AREA_SSE) && area_is_zero(a->vectors, n, w, 16))
        unused |= AREA_SSE;
    if ((wanted & AREA_AVX) && area_is_zero(a->vectors + 16, n, w, 16))
        unused |= AREA_AVX;
    if ((wanted & AREA_UPPER) && area_is_zero(a->vectors + 32, n, w, 32))
        unused |= AREA_UPPER;
    if ((wanted & AREA_HIGH) && (a->high == NULL || area_is_zero(a->high, 16, 64, 64)))
        unused |= AREA_HIGH;
    if ((wanted & AREA_MASKS) && area_is_zero(a->masks, 8, 8, 8))
        unused |= AREA_MASKS;
    if ((wanted & AREA_PKRU) && a->e->regs->pkru == 0)
        unused |= AREA_PKRU;
    if ((a->e->op == FPU_OP_XSAVEC || a->e->op == FPU_OP_XSAVES) &&
        a->e->regs->mxcsr != AREA_MXCSR_INIT)
        unused &= ~AREA_SSE;
    a->there = wanted & ~unused;
}

static bool area_read_state(struct area *a)
{
    const uint32_t wanted = a->wanted;

    if ((wanted & AREA_X87) &&
        (a->st = area_read_vectors(a, SVMC_REG_KIND_X87, 0, 8, FPU_REAL_BYTES)) == NULL)
        return false;
    if ((wanted & (AREA_SSE | AREA_AVX | AREA_UPPER)) &&
        (a->vectors = area_read_vectors(a, SVMC_REG_KIND_VECTOR, 0, a->registers, a->width)) ==
            NULL)
        return false;
    if ((wanted & AREA_HIGH) && a->e->wide &&
        (a->high = area_read_vectors(a, SVMC_REG_KIND_VECTOR, 16, 16, 64)) == NULL)
        return false;
    if ((wanted & AREA_MASKS) &&
        (a->masks = area_read_vectors(a, SVMC_REG_KIND_MASK, 0, 8, 8)) == NULL)
        return false;
    return true;
}

static bool area_is_long(const struct area *a)
{
    return a->e->wide && (a->e->insn->priv_raw[1] & PREFIX_W);
}

/* Bytes 0 to 23. */
static void area_put_words(const struct area *a, uint8_t *out)
{
    const struct svmc_exec_x86 *regs = a->e->regs;

    core_store_le16(out, regs->fcw);
    core_store_le16(out + 2, regs->fsw);
    core_store_le16(out + 4, regs->ftw);
    core_store_le16(out + 6, regs->fop);
    core_store_le64(out + 8, regs->fip);
    core_store_le64(out + 16, regs->fdp);
    if (!area_is_long(a)) {
        core_store_le32(out + 12, regs->fcs);
        core_store_le32(out + 20, regs->fds);
    }
}

static bool area_write_x87(struct area *a)
{
    uint8_t *store = a->e->r.x->priv.store;

    area_put_words(a, store);
    if (!area_write_piece(a, 0, AREA_AT_MXCSR))
        return false;
    memcpy(store, a->st, SVMC_EXEC_WIDTH_MAX);
    if (!area_write_piece(a, AREA_AT_ST, SVMC_EXEC_WIDTH_MAX))
        return false;
    memcpy(store, a->st + SVMC_EXEC_WIDTH_MAX, SVMC_EXEC_WIDTH_MAX);
    return area_write_piece(a, AREA_AT_ST + SVMC_EXEC_WIDTH_MAX, SVMC_EXEC_WIDTH_MAX);
}

static bool area_write_mxcsr(struct area *a)
{
    uint8_t *store = a->e->r.x->priv.store;

    core_store_le32(store, a->e->regs->mxcsr);
    core_store_le32(store + 4, fpu_mxcsr_mask(a->e->regs));
    return area_write_piece(a, AREA_AT_MXCSR, 8);
}

static bool area_write_extended(struct area *a, uint32_t what)
{
    uint8_t *store = a->e->r.x->priv.store;

    if ((what & AREA_AVX) &&
        !area_write_registers(a, area_place_of(a, 2), a->vectors + 16, a->width, 16))
        return false;
    if (what & AREA_MASKS) {
        memcpy(store, a->masks, SVMC_EXEC_WIDTH_MAX);
        if (!area_write_piece(a, area_place_of(a, 5), SVMC_EXEC_WIDTH_MAX))
            return false;
    }
    if ((what & AREA_UPPER) &&
        !area_write_registers(a, area_place_of(a, 6), a->vectors + 32, a->width, 32))
        return false;
    if ((what & AREA_HIGH) && a->high != NULL &&
        !area_write_registers(a, area_place_of(a, 7), a->high, 64, 64))
        return false;
    if (what & AREA_PKRU) {
        core_store_le64(store, a->e->regs->pkru);
        return area_write_piece(a, area_place_of(a, 9), 8);
    }
    return true;
}

/* XE-59: XSTATE_BV of what was asked for; XSAVEC, XSAVES: and the format. */
static bool area_write_header(struct area *a, uint64_t old)
{
    uint8_t *store = a->e->r.x->priv.store;

    core_store_le64(store, (old & ~(uint64_t)a->wanted) | a->there);
    core_store_le64(store + 8, a->compact);
    return area_write_piece(a, AREA_AT_HEADER, a->compact != 0 ? 16 : 8);
}

static bool area_save(struct area *a)
{
    uint32_t what = a->wanted;
    const uint8_t *old = NULL;
    bool mxcsr = !a->xsave || (a->wanted & (AREA_SSE | AREA_AVX));

    if (a->xsave && a->compact == 0 && (old = area_read_range(a, AREA_AT_HEADER, 8)) == NULL)
        return false;
    if (!area_read_state(a))
        return false;
    area_find_used(a);
    if (a->xsave && a->e->op != FPU_OP_XSAVE)
        what = a->there;
    if (a->compact != 0)
        mxcsr = what & AREA_SSE;
    if ((what & AREA_X87) && !area_write_x87(a))
        return false;
    if (mxcsr && !area_write_mxcsr(a))
        return false;
    if ((what & AREA_SSE) && !area_write_registers(a, AREA_AT_XMM, a->vectors, a->width, 16))
        return false;
    if (!a->xsave)
        return true;
    return area_write_extended(a, what) &&
           area_write_header(a, old != NULL ? core_load_le64(old) : 0);
}

static bool area_refuse(struct x86_run *e)
{
    return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
}

/* XE-80. What is read: the header, before anything that depends on it. */
static bool area_check_header(struct area *a, const uint8_t *header)
{
    const struct svmc_exec_x86 *regs = a->e->regs;
    uint64_t state = core_load_le64(header), format = core_load_le64(header + 8), can = regs->xcr0;

    if (a->e->op == FPU_OP_XRSTORS) {
        can |= regs->xss;
        if (!(format & AREA_COMPACT))
            return area_refuse(a->e);
    }
    if (format & AREA_COMPACT) {
        if ((format & ~AREA_COMPACT & ~can) || (state & ~(format & ~AREA_COMPACT)) ||
            !area_is_zero(header + 16, 1, 0, 48) || (regs->quirks & SVMC_FPU_NO_XSAVEC))
            return area_refuse(a->e);
        if (format & ~AREA_COMPACT & ~(uint64_t)AREA_KNOWN)
            return exec_stop(&a->e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_COMPONENT);
    } else if ((state & ~can) || !area_is_zero(header + 8, 1, 0, 16)) {
        return area_refuse(a->e);
    }
    a->there = (uint32_t)state & a->wanted;
    return true;
}

/*
 * What is touched of the area, up to `end`: on one page or two. But for XRSTOR it is probed from its
 * last byte on, as Intel's processors do.
 */
static bool area_reach(struct area *a, unsigned from, unsigned end, uint32_t access)
{
    struct x86_run *e = a->e;
    const unsigned segment = e->insn->segment;
    const uint64_t at = (x86_offset(e) & core_mask(e->insn->address_bytes)) + from;

    if (end > AREA_MAX)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_COMPONENT);
    a->from = (uint16_t)from;
    if ((access == SVMC_ACCESS_WRITE || !a->xsave) &&
        !x86_reach(e, segment, at + (end - from) - 1, 1, access, &a->span))
        return false;
    return x86_reach(e, segment, at, end - from, access, &a->span);
}

/* Without x87, SSE and MXCSR the first 512 bytes are left alone. components: that are touched. */
static unsigned area_start_of(const struct area *a, uint32_t components)
{
    if (a->xsave && a->compact == 0)
        components |= a->wanted & (AREA_SSE | AREA_AVX) ? AREA_SSE : 0; /* MXCSR */
    return a->xsave && !(components & (AREA_X87 | AREA_SSE)) ? AREA_AT_HEADER : 0;
}

/* Pieces of an area that is restored; NULL: its initial state. */
struct area_image {
    const uint8_t *words, *st, *xmm, *avx, *masks, *upper, *high, *kept;
    uint32_t mxcsr, pkru;
};

static bool area_read_if(struct area *a, uint32_t component, unsigned at, unsigned bytes,
                         const uint8_t **out)
{
    *out = NULL;
    if (!(a->there & component))
        return true;
    *out = area_read_range(a, at, bytes);
    return *out != NULL;
}

static bool area_read_image(struct area *a, struct area_image *m)
{
    bool mxcsr =
        !a->xsave || (a->compact != 0 ? a->there & AREA_SSE : a->wanted & (AREA_SSE | AREA_AVX));
    const uint8_t *data;

    m->mxcsr = a->wanted & AREA_SSE && a->compact != 0 ? AREA_MXCSR_INIT : a->e->regs->mxcsr;
    m->pkru = a->wanted & AREA_PKRU ? 0 : a->e->regs->pkru;
    if (!area_read_if(a, AREA_X87, 0, AREA_AT_MXCSR, &m->words) ||
        !area_read_if(a, AREA_X87, AREA_AT_ST, 128, &m->st))
        return false;
    if (mxcsr) {
        data = area_read_range(a, AREA_AT_MXCSR, 8);
        if (data == NULL)
            return false;
        m->mxcsr = core_load_le32(data);
        if (m->mxcsr & ~fpu_mxcsr_mask(a->e->regs))
            return area_refuse(a->e);
    }
    if (!area_read_if(a, AREA_SSE, AREA_AT_XMM, a->registers * 16u, &m->xmm) ||
        !area_read_if(a, AREA_AVX, area_place_of(a, 2), a->registers * 16u, &m->avx) ||
        !area_read_if(a, AREA_MASKS, area_place_of(a, 5), 64, &m->masks) ||
        !area_read_if(a, AREA_UPPER, area_place_of(a, 6), a->registers * 32u, &m->upper) ||
        !area_read_if(a, AREA_PKRU, area_place_of(a, 9), 8, &data))
        return false;
    if (data != NULL)
        m->pkru = core_load_le32(data);
    m->high = NULL;
    return !a->e->wide || area_read_if(a, AREA_HIGH, area_place_of(a, 7), 1024, &m->high);
}

/* Bytes of a register below its width that this does not restore, and that stay so. */
static unsigned area_kept_bytes(const struct area *a)
{
    if (a->width == 64)
        return (a->wanted & (AREA_SSE | AREA_AVX)) == (AREA_SSE | AREA_AVX) ? 0 : 32;
    return a->width == 32 && !(a->wanted & AREA_SSE) ? 16 : 0;
}

static bool area_put_register(struct area *a, unsigned kind, unsigned number, unsigned bytes)
{
    return area_may_access(a->e) && svmc_exec_vector_write(&a->e->r, kind, number, bytes);
}

static void area_put_piece(uint8_t *to, const uint8_t *from, unsigned i, unsigned bytes,
                           bool wanted)
{
    if (!wanted)
        return;
    if (from != NULL)
        memcpy(to, from + i * bytes, bytes);
    else
        memset(to, 0, bytes);
}

static bool area_restore_vectors(struct area *a, const struct area_image *m)
{
    uint8_t *store = a->e->r.x->priv.store;
    const unsigned kept = area_kept_bytes(a);

    for (unsigned i = 0; i < a->registers && a->width != 0; i++) {
        if (kept != 0)
            memcpy(store, m->kept + i * kept, kept);
        area_put_piece(store, m->xmm, i, 16, a->wanted & AREA_SSE);
        area_put_piece(store + 16, m->avx, i, 16, a->wanted & AREA_AVX);
        area_put_piece(store + 32, m->upper, i, 32, a->wanted & AREA_UPPER);
        if (!area_put_register(a, SVMC_REG_KIND_VECTOR, i, a->width))
            return false;
    }
    for (unsigned i = 0; i < 16 && (a->wanted & AREA_HIGH) && a->e->wide; i++) {
        area_put_piece(store, m->high, i, 64, true);
        if (!area_put_register(a, SVMC_REG_KIND_VECTOR, 16 + i, 64))
            return false;
    }
    for (unsigned i = 0; i < 8 && (a->wanted & AREA_MASKS); i++) {
        area_put_piece(store, m->masks, i, 8, true);
        if (!area_put_register(a, SVMC_REG_KIND_MASK, i, 8))
            return false;
    }
    return true;
}

static void area_take_words(struct area *a, const uint8_t *words)
{
    struct svmc_exec_x86 *regs = a->e->regs;
    const bool selectors = !area_is_long(a) && (regs->quirks & SVMC_FPU_SELECTORS);

    fpu_init(regs);
    if (words == NULL)
        return;
    fpu_set_control(regs, core_load_le16(words));
    regs->fsw = core_load_le16(words + 2);
    fpu_settle(regs);
    regs->ftw = words[4];
    regs->fop = core_load_le16(words + 6) & FPU_OPCODE_BITS;
    regs->fip = core_load_le32(words + 8);
    regs->fdp = core_load_le32(words + 16);
    if (area_is_long(a)) { /* what is above a linear address's bits is lost of the first alone */
        regs->fip = (uint64_t)core_sign_extend(core_load_le64(words + 8), 57);
        regs->fdp = core_load_le64(words + 16);
    }
    regs->fcs = selectors ? core_load_le16(words + 12) : 0;
    regs->fds = selectors ? core_load_le16(words + 20) : 0;
}

static bool area_restore_x87(struct area *a, const struct area_image *m)
{
    unsigned top = m->words != NULL ? core_load_le16(m->words + 2) >> 11 : 0;

    for (unsigned i = 0; i < 8; i++) {
        area_put_piece(a->e->r.x->priv.store, m->st, i, 16, true);
        if (!area_put_register(a, SVMC_REG_KIND_X87, (top + i) & 7, FPU_REAL_BYTES))
            return false;
    }
    return true;
}

static bool area_restore(struct area *a)
{
    const uint8_t *header;
    struct area_image m = { 0 };
    unsigned start;

    if (a->xsave) {
        header = area_read_range(a, AREA_AT_HEADER, 64);
        if (header == NULL)
            return false;
        if (core_load_le64(header + 8) & AREA_COMPACT)
            a->compact = core_load_le64(header + 8);
        start = area_start_of(a, a->wanted);
        if (!area_reach(a, start, AREA_AT_EXTENDED, SVMC_ACCESS_READ) ||
            !area_check_header(a, header) ||
            !area_reach(a, start, area_end_of(a, a->wanted), SVMC_ACCESS_READ))
            return false;
    }
    if (!area_read_image(a, &m))
        return false;
    if (area_kept_bytes(a) != 0 &&
        (m.kept = area_read_vectors(a, SVMC_REG_KIND_VECTOR, 0, a->registers,
                                    area_kept_bytes(a))) == NULL)
        return false;
    if (((a->wanted & AREA_X87) && !area_restore_x87(a, &m)) || !area_restore_vectors(a, &m))
        return false;
    if (a->wanted & AREA_X87)
        area_take_words(a, m.words);
    a->e->regs->mxcsr = m.mxcsr;
    a->e->regs->pkru = m.pkru;
    return true;
}

/* XE-58: the segment first, then the alignment. */
static bool area_may_start(struct x86_run *e, bool xsave, uint32_t access)
{
    const unsigned alignment = xsave ? 64 : 16;
    uint64_t linear = x86_offset(e) & core_mask(e->insn->address_bytes);

    if (xsave && !(e->regs->cr4 & CR4_OSXSAVE))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (e->regs->cr0 & (xsave ? CR0_TS : CR0_TS | CR0_EM))
        return svmc_exec_fault(&e->r, VECTOR_NM, false, 0);
    if (!svmc_exec_x86_linear_slow(e, e->insn->segment, linear, 1, access, &linear))
        return false;
    if (linear % alignment == 0)
        return true;
    if (linear % 4 != 0 && (e->regs->rflags & FLAG_AC) && !svmc_exec_x86_misaligned(e))
        return false; /* Intel's processors look at two bits alone */
    return area_refuse(e);
}

bool svmc_exec_x86_area(struct x86_run *e)
{
    const struct svmc_exec_x86 *regs = e->regs;
    const unsigned op = e->op;
    const bool xsave = op >= FPU_OP_XSAVE;
    const bool restores = op == FPU_OP_FXRSTOR || op >= FPU_OP_XRSTOR;
    const bool compact = op == FPU_OP_XSAVEC || op == FPU_OP_XSAVES;
    uint64_t can = regs->xcr0 | (op == FPU_OP_XSAVES || op == FPU_OP_XRSTORS ? regs->xss : 0);
    uint64_t wanted = can & (x86_get(e, SVMC_REG_RDX, 4) << 32 | x86_get(e, SVMC_REG_RAX, 4));
    struct area a = { .e = e, .registers = e->wide ? 16 : 8, .xsave = xsave };

    if (!area_may_start(e, xsave, restores ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE) ||
        !svmc_exec_has_vectors(&e->r))
        return false;
    if (!xsave)
        wanted = (regs->quirks & SVMC_FPU_FAST_FXSAVE) && e->wide && regs->cpl == 0
                     ? AREA_X87
                     : AREA_X87 | AREA_SSE;
    if (wanted & ~(uint64_t)AREA_KNOWN)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_COMPONENT);
    a.wanted = a.there = (uint32_t)wanted;
    a.width = wanted & AREA_UPPER ? 64 : wanted & AREA_AVX ? 32 : wanted & AREA_SSE ? 16 : 0;
    if (compact)
        a.compact = wanted | AREA_COMPACT;
    if (restores
            ? !area_reach(&a, xsave ? AREA_AT_HEADER : 0, xsave ? AREA_AT_EXTENDED : AREA_AT_HEADER,
                          SVMC_ACCESS_READ)
            : !area_reach(&a, area_start_of(&a, a.wanted),
                          xsave ? area_end_of(&a, a.wanted) : AREA_AT_HEADER, SVMC_ACCESS_WRITE))
        return false;
    return restores ? area_restore(&a) : area_save(&a);
}
