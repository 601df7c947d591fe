/* SPDX-License-Identifier: MIT */
/*
 * x86: what FXRSTOR, XRSTOR and XRSTORS read. The area is read whole before a register is written.
 * Rules XE-n: docs/spec/exec.md.
 */
#include "x86_fpu_area.h"

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
    *out = svmc_exec_x86_area_read(a, at, bytes);
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
        data = svmc_exec_x86_area_read(a, AREA_AT_MXCSR, 8);
        if (data == NULL)
            return false;
        m->mxcsr = core_load_le32(data);
        if (m->mxcsr & ~fpu_mxcsr_mask(a->e->regs))
            return area_refuse(a->e);
    }
    if (!area_read_if(a, AREA_SSE, AREA_AT_XMM, a->registers * 16u, &m->xmm) ||
        !area_read_if(a, AREA_AVX, svmc_exec_x86_area_place(a, 2), a->registers * 16u, &m->avx) ||
        !area_read_if(a, AREA_MASKS, svmc_exec_x86_area_place(a, 5), 64, &m->masks) ||
        !area_read_if(a, AREA_UPPER, svmc_exec_x86_area_place(a, 6), a->registers * 32u,
                      &m->upper) ||
        !area_read_if(a, AREA_PKRU, svmc_exec_x86_area_place(a, 9), 8, &data))
        return false;
    if (data != NULL)
        m->pkru = core_load_le32(data);
    m->high = NULL;
    return !a->e->wide ||
           area_read_if(a, AREA_HIGH, svmc_exec_x86_area_place(a, 7), 1024, &m->high);
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
    return svmc_exec_x86_area_may_access(a->e) &&
           svmc_exec_vector_write(&a->e->r, kind, number, bytes);
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

bool svmc_exec_x86_area_restore(struct area *a)
{
    const uint8_t *header;
    struct area_image m = { 0 };
    unsigned start;

    if (a->xsave) {
        header = svmc_exec_x86_area_read(a, AREA_AT_HEADER, 64);
        if (header == NULL)
            return false;
        if (core_load_le64(header + 8) & AREA_COMPACT)
            a->compact = core_load_le64(header + 8);
        start = svmc_exec_x86_area_start(a, a->wanted);
        if (!svmc_exec_x86_area_reach(a, start, AREA_AT_EXTENDED, SVMC_ACCESS_READ) ||
            !area_check_header(a, header) ||
            !svmc_exec_x86_area_reach(a, start, svmc_exec_x86_area_end(a, a->wanted),
                                      SVMC_ACCESS_READ))
            return false;
    }
    if (!area_read_image(a, &m))
        return false;
    if (area_kept_bytes(a) != 0 &&
        (m.kept = svmc_exec_x86_area_registers(a, SVMC_REG_KIND_VECTOR, 0, a->registers,
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
