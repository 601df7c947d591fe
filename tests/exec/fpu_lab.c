/* SPDX-License-Identifier: MIT */
#include "fpu_lab.h"

static enum svmc_status vec_op(void *ctx, struct svmc_exec_vec_op *op)
{
    struct fpu_lab *f = ctx;

    f->asked = *op;
    f->ops++;
    memcpy(op->out, f->answer, sizeof f->answer);
    op->mxcsr = (op->mxcsr & 0xffff) | (uint32_t)f->status << 16;
    return SVMC_OK;
}

void fpu_lab_open(struct fpu_lab *f, unsigned isa)
{
    static struct svmc_exec_ops ops;

    memset(f, 0, sizeof *f);
    exec_lab_open(&f->lab, isa);
    ops = exec_lab_ops;
    ops.vec_op = vec_op;
    CHECK_EQ(svmc_exec_init(&f->lab.x, &ops, f), SVMC_OK);
    f->lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + 0x100;
    f->lab.regs.cr0 |= 0x20;   /* NE */
    f->lab.regs.cr4 = 0x40600; /* OSXSAVE, OSXMMEXCPT, OSFXSR */
    f->lab.regs.xcr0 = 0x2e7;
    f->lab.regs.fcw = 0x37f;
    f->lab.regs.mxcsr = 0x1f80;
}

void fpu_lab_push(struct fpu_lab *f, uint16_t top, uint64_t mantissa)
{
    struct svmc_exec_x86 *regs = &f->lab.regs;
    unsigned to = ((regs->fsw >> 11) - 1) & 7;

    for (unsigned i = 0; i < 8; i++)
        f->lab.x87[to][i] = (uint8_t)(mantissa >> 8 * i);
    f->lab.x87[to][8] = (uint8_t)top;
    f->lab.x87[to][9] = (uint8_t)(top >> 8);
    regs->ftw |= (uint16_t)(1u << to);
    regs->fsw = (uint16_t)((regs->fsw & ~0x3800u) | to << 11);
}

static const uint8_t *st(const struct fpu_lab *f, unsigned i)
{
    return f->lab.x87[((f->lab.regs.fsw >> 11) + i) & 7];
}

uint64_t fpu_lab_mantissa(const struct fpu_lab *f, unsigned i)
{
    uint64_t v = 0;

    for (unsigned n = 8; n > 0; n--)
        v = v << 8 | st(f, i)[n - 1];
    return v;
}

unsigned fpu_lab_top(const struct fpu_lab *f, unsigned i)
{
    return st(f, i)[8] | (unsigned)st(f, i)[9] << 8;
}
