/* SPDX-License-Identifier: MIT */
/* x86: the way of a vector instruction. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

#define BIT(n) ((uint64_t)1 << (n))

/* All of the low n bits. */
static inline uint64_t low_bits(unsigned n)
{
    return n >= 64 ? ~(uint64_t)0 : BIT(n) - 1;
}

static bool has_file(const struct vec_run *v, unsigned kind)
{
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        if (v->operand[i].reg_kind == kind)
            return true;
    return false;
}

/*
 * XE-27: SDM vol. 2 tables 2-17 and on, vol. 3 tables 23-1 to 23-3, in their order: #UD, #NM, #MF.
 */
static bool may_run(const struct vec_run *v)
{
    const struct svmc_exec_x86 *regs = v->e->regs;
    bool mmx = has_file(v, SVMC_REG_KIND_MMX);
    uint64_t wanted =
        v->encoding == X86_EVEX || has_file(v, SVMC_REG_KIND_MASK) ? XCR0_AVX512 : XCR0_AVX;
    bool refused;

    if (v->encoding >= X86_VEX)
        refused = !(regs->cr0 & CR0_PE) || (regs->rflags & FLAG_VM) || !(regs->cr4 & CR4_OSXSAVE) ||
                  (regs->xcr0 & wanted) != wanted;
    else
        refused = (regs->cr0 & CR0_EM) || (!mmx && !(regs->cr4 & CR4_OSFXSR));
    if (refused)
        return svmc_exec_fault(&v->e->r, VECTOR_UD, false, 0);
    if (regs->cr0 & CR0_TS)
        return svmc_exec_fault(&v->e->r, VECTOR_NM, false, 0);
    if (mmx && (regs->fsw & FSW_ES))
        return svmc_exec_fault(&v->e->r, VECTOR_MF, false, 0);
    return true;
}

/* Where the result goes has as many elements as the mask counts. */
static bool read_mask(struct vec_run *v)
{
    unsigned number = VECTOR_MASK(v->e->insn->priv_raw[2]);
    const uint8_t *mask;

    v->mask = ~(uint64_t)0;
    if (v->encoding != X86_EVEX || number == 0)
        return true;
    mask = svmc_exec_vector_read(&v->e->r, SVMC_REG_KIND_MASK, number, 8);
    if (mask == NULL)
        return false;
    v->masked = true;
    v->merging = !VECTOR_ZEROING(v->e->insn->priv_raw[2]);
    v->mask = core_load_le64(mask);
    return true;
}

EXEC_FN bool svmc_exec_x86_vec_open(struct vec_run *v, struct x86_run *e)
{
    struct svmc_exec *x = e->r.x;
    uint32_t count = 0;

    memset(v, 0, sizeof *v);
    v->e = e;
    v->op = &x->priv.vec;
    v->operand = x->priv.operand;
    v->encoding = (uint8_t)VECTOR_ENCODING(e->insn->priv_raw[2]);
    if (svmc_insn_operands(e->insn, v->operand, &count) != SVMC_OK) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    v->count = (uint8_t)count;
    v->memory = VEC_NO_MEMORY;
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        if (v->operand[i].kind == SVMC_OPERAND_MEM)
            v->memory = (uint8_t)i;
    v->bytes = (uint8_t)v->operand[0].bytes;
    return may_run(v) && svmc_exec_has_vectors(&e->r) && read_mask(v);
}

/* XE-28 */
static bool must_be_aligned(const struct vec_run *v)
{
    const struct x86_run *e = v->e;

    if (v->e->insn->mem_bytes < 16 || e->op == VEC_ANY_PLACE)
        return false;
    return v->encoding == X86_LEGACY || e->op == VEC_ALIGNED;
}

EXEC_FN bool svmc_exec_x86_vec_reach(struct vec_run *v)
{
    struct x86_run *e = v->e;
    const struct svmc_insn *insn = e->insn;
    const struct svmc_operand *m = &v->operand[v->memory & 7]; /* clamp: below 6 */
    uint64_t offset = x86_offset(e) & core_mask(insn->address_bytes);
    uint64_t base = 0;

    if (!e->wide || insn->segment >= SVMC_SEG_FS)
        base = e->regs->segment[core_clamp(insn->segment, 6)].base;
    if (must_be_aligned(v) && (base + offset) % insn->mem_bytes != 0)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    return x86_reach(e, insn->segment, offset, insn->mem_bytes, m->access & SVMC_ACCESS_RW,
                     &v->span);
}

static const uint8_t *read_operand(struct vec_run *v, const struct svmc_operand *o)
{
    if (o->kind == SVMC_OPERAND_MEM)
        return svmc_exec_read(&v->e->r, &v->span);
    return svmc_exec_vector_read(&v->e->r, o->reg_kind, o->reg,
                                 o->bytes <= 8 && o->reg_kind != SVMC_REG_KIND_VECTOR ? 8u
                                 : o->bytes <= 16                                     ? 16u
                                                                                      : o->bytes);
}

EXEC_FN bool svmc_exec_x86_vec_read(struct vec_run *v)
{
    uint8_t *const places[3] = { v->op->a, v->op->b, v->op->c };
    unsigned n = 0, bytes;
    const uint8_t *data;

    memset(v->op->a, 0, sizeof v->op->a);
    memset(v->op->b, 0, sizeof v->op->b);
    memset(v->op->c, 0, sizeof v->op->c);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX && n < 3; i++) {
        const struct svmc_operand *o = &v->operand[i];

        if (!(o->access & SVMC_ACCESS_READ) || o->kind == SVMC_OPERAND_IMM)
            continue;
        data = read_operand(v, o);
        if (data == NULL)
            return false;
        bytes = o->bytes <= SVMC_EXEC_VEC_BYTES ? o->bytes : SVMC_EXEC_VEC_BYTES;
        memcpy(places[n++], data, bytes); /* clamp: below 3 */
    }
    return true;
}

/* XE-29: without VEX and EVEX what is above stays; else it is zero, as far as there is any. */
static unsigned width_of(const struct vec_run *v, unsigned kind)
{
    if (kind != SVMC_REG_KIND_VECTOR)
        return 8;
    if (v->encoding < X86_VEX)
        return 16;
    return (v->e->regs->xcr0 & XCR0_AVX512) == XCR0_AVX512 ? 64 : 32;
}

/* MMX, and no other vector instruction, makes all of the x87 registers valid (SDM vol. 1 9.5.1). */
static void leave_mmx(const struct vec_run *v)
{
    if (!has_file(v, SVMC_REG_KIND_MMX))
        return;
    v->e->regs->fsw &= (uint16_t)~FSW_TOP;
    v->e->regs->ftw = 0xff;
}

EXEC_FN bool svmc_exec_x86_vec_finish(struct vec_run *v)
{
    struct x86_run *e = v->e;
    uint8_t *store = e->r.x->priv.store;
    const struct svmc_operand *to = &v->operand[0];
    bool done;

    memset(store, 0, SVMC_EXEC_WIDTH_MAX);
    memcpy(store, v->op->out, SVMC_EXEC_VEC_BYTES);
    done = to->kind == SVMC_OPERAND_MEM
               ? svmc_exec_write(&e->r, &v->span)
               : svmc_exec_vector_write(&e->r, to->reg_kind, to->reg, width_of(v, to->reg_kind));
    if (done)
        leave_mmx(v);
    return done;
}

static void compute(const struct vec_run *v)
{
    memset(v->op->out, 0, sizeof v->op->out);
    switch (v->e->shape) {
    case SHAPE_VEC_MOVE:
        memcpy(v->op->out, v->op->a, sizeof v->op->a);
        return;
    default:
        svmc_exec_x86_vec_lanes(v);
        return;
    }
}

EXEC_FN bool svmc_exec_x86_vec(struct x86_run *e)
{
    struct vec_run v;

    if (!svmc_exec_x86_vec_open(&v, e) || !svmc_exec_x86_vec_reach(&v) ||
        !svmc_exec_x86_vec_read(&v))
        return false;
    compute(&v);
    return svmc_exec_x86_vec_finish(&v);
}
