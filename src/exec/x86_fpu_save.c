/* SPDX-License-Identifier: MIT */
/* x86: what FXSAVE, XSAVE and their like write. Rules XE-n: docs/spec/exec.md. */
#include "x86_fpu_area.h"

/* A piece that lies in `store`. */
static bool area_write_piece(struct area *a, unsigned from, unsigned bytes)
{
    struct exec_span part = fpu_part(&a->span, from - a->from, bytes);

    return svmc_exec_x86_area_may_access(a->e) && svmc_exec_write(&a->e->r, &part);
}

/* `bytes` of each register, from `data` on; `stride` bytes from one register to the next. */
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
        (a->st = svmc_exec_x86_area_registers(a, SVMC_REG_KIND_X87, 0, 8, FPU_REAL_BYTES)) == NULL)
        return false;
    if ((wanted & (AREA_SSE | AREA_AVX | AREA_UPPER)) &&
        (a->vectors = svmc_exec_x86_area_registers(a, SVMC_REG_KIND_VECTOR, 0, a->registers,
                                                   a->width)) == NULL)
        return false;
    if ((wanted & AREA_HIGH) && a->e->wide &&
        (a->high = svmc_exec_x86_area_registers(a, SVMC_REG_KIND_VECTOR, 16, 16, 64)) == NULL)
        return false;
    if ((wanted & AREA_MASKS) &&
        (a->masks = svmc_exec_x86_area_registers(a, SVMC_REG_KIND_MASK, 0, 8, 8)) == NULL)
        return false;
    return true;
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
        !area_write_registers(a, svmc_exec_x86_area_place(a, 2), a->vectors + 16, a->width, 16))
        return false;
    if (what & AREA_MASKS) {
        memcpy(store, a->masks, SVMC_EXEC_WIDTH_MAX);
        if (!area_write_piece(a, svmc_exec_x86_area_place(a, 5), SVMC_EXEC_WIDTH_MAX))
            return false;
    }
    if ((what & AREA_UPPER) &&
        !area_write_registers(a, svmc_exec_x86_area_place(a, 6), a->vectors + 32, a->width, 32))
        return false;
    if ((what & AREA_HIGH) && a->high != NULL &&
        !area_write_registers(a, svmc_exec_x86_area_place(a, 7), a->high, 64, 64))
        return false;
    if (what & AREA_PKRU) {
        core_store_le64(store, a->e->regs->pkru);
        return area_write_piece(a, svmc_exec_x86_area_place(a, 9), 8);
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

bool svmc_exec_x86_area_save(struct area *a)
{
    uint32_t what = a->wanted;
    const uint8_t *old = NULL;
    bool mxcsr = !a->xsave || (a->wanted & (AREA_SSE | AREA_AVX));

    if (a->xsave && a->compact == 0 &&
        (old = svmc_exec_x86_area_read(a, AREA_AT_HEADER, 8)) == NULL)
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
