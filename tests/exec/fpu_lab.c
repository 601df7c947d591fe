/* SPDX-License-Identifier: MIT */
#include "fpu_lab.h"

static uint8_t *find(struct fpu_lab *f, uint32_t kind, uint32_t number, size_t n)
{
    if (kind == SVMC_REG_KIND_X87 && number < 8 && n == 10)
        return f->x87[number];
    if (kind == SVMC_REG_KIND_VECTOR && number < 32 && (n == 16 || n == 32 || n == 64))
        return f->vector[number];
    if (kind == SVMC_REG_KIND_MASK && number < 8 && n == 8)
        return f->mask[number];
    CHECK(false, "register %u of file %u, %zu bytes", number, kind, n);
    return NULL;
}

static bool strikes(struct exec_lab *lab)
{
    lab->calls++;
    return (lab->mode == LAB_FAIL || lab->mode == LAB_BUSY) &&
           (lab->every ? lab->calls >= lab->fail_at : lab->calls == lab->fail_at);
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    struct fpu_lab *f = ctx;
    const uint8_t *from = find(f, kind, number, n);

    f->lab.dst = dst;
    if (from == NULL)
        return SVMC_ERR_ARG;
    if (strikes(&f->lab))
        return f->lab.mode == LAB_BUSY ? SVMC_ERR_BUSY : SVMC_ERR_STATE;
    memcpy(dst, from, n);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    struct fpu_lab *f = ctx;
    uint8_t *to = find(f, kind, number, n);

    f->lab.src = src;
    if (to == NULL)
        return SVMC_ERR_ARG;
    if (strikes(&f->lab))
        return f->lab.mode == LAB_BUSY ? SVMC_ERR_BUSY : SVMC_ERR_STATE;
    memcpy(to, src, n);
    return SVMC_OK;
}

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
    ops.vector_read = vector_read;
    ops.vector_write = vector_write;
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
        f->x87[to][i] = (uint8_t)(mantissa >> 8 * i);
    f->x87[to][8] = (uint8_t)top;
    f->x87[to][9] = (uint8_t)(top >> 8);
    regs->ftw |= (uint16_t)(1u << to);
    regs->fsw = (uint16_t)((regs->fsw & ~0x3800u) | to << 11);
}

static const uint8_t *st(const struct fpu_lab *f, unsigned i)
{
    return f->x87[((f->lab.regs.fsw >> 11) + i) & 7];
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

enum svmc_status fpu_lab_run(struct fpu_lab *f, const void *bytes, size_t count)
{
    return exec_lab_run(&f->lab, bytes, count);
}

/* The access that waits, as the host does it in its own time. */
static void perform(struct fpu_lab *f)
{
    const struct svmc_exec_wait wait = f->lab.x.wait;
    struct exec_lab *lab = &f->lab;

    if (wait.kind == SVMC_EXEC_READ)
        memcpy(lab->dst, lab->ram + wait.at, wait.bytes);
    else if (wait.kind == SVMC_EXEC_WRITE)
        memcpy(lab->ram + wait.at, lab->src, wait.bytes);
    else if (wait.kind == SVMC_EXEC_VECTOR_READ)
        memcpy(lab->dst, find(f, wait.file, wait.number, wait.bytes), wait.bytes);
    else if (wait.kind == SVMC_EXEC_VECTOR_WRITE)
        memcpy(find(f, wait.file, wait.number, wait.bytes), lab->src, wait.bytes);
    CHECK_EQ(svmc_exec_answer(&lab->x, NULL, 0), SVMC_OK);
}

enum svmc_status fpu_lab_go_on(struct fpu_lab *f)
{
    struct exec_lab *lab = &f->lab;
    enum svmc_status st = SVMC_OK;

    for (unsigned i = 0; i < 400 && st == SVMC_OK && lab->out.action == SVMC_EXEC_PENDING; i++) {
        if (lab->x.wait.kind != SVMC_EXEC_TRANSLATE && lab->x.wait.kind != SVMC_EXEC_PAUSE)
            perform(f);
        st = svmc_exec_x86_resume(&lab->x, &lab->regs, &lab->out);
    }
    return st;
}
