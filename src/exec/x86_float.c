/* SPDX-License-Identifier: MIT */
/* x86: the way of an instruction of x86_float.def. Rules XE-n: docs/spec/exec.md. */
#include "x86_float_private.h"

#define IMM_ROUNDING 4u /* MXCSR's rounding, not that of the two bits below */
#define IMM_QUIET    8u

bool svmc_exec_x86_float_settle(struct float_run *r)
{
    struct svmc_exec_x86 *regs = r->v.e->regs;
    uint32_t raised = r->f.raised;

    if (!x86_is_unmasked(regs->mxcsr, raised)) {
        r->kept |= raised;
        r->f.raised = 0;
        return true;
    }
    if (x86_is_unmasked(regs->mxcsr, raised & MXCSR_BEFORE))
        raised &= MXCSR_BEFORE; /* nothing was computed */
    regs->mxcsr |= raised | r->kept;
    if (r->v.operand[0].reg_kind == SVMC_REG_KIND_MMX) { /* as Intel's processors do */
        regs->fsw &= (uint16_t)~FSW_TOP;
        regs->ftw = 0xff;
    }
    return svmc_exec_fault(&r->v.e->r, regs->cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD, false,
                           0);
}

static bool float_is_fused(unsigned op)
{
    return (op >= FLOAT_MADD && op <= FLOAT_NMSUB) || op == FLOAT_MADDSUB || op == FLOAT_MSUBADD;
}

/* What an element of a conversion's source has. */
static unsigned float_source_bytes(const struct x86_run *e)
{
    switch (e->op) {
    case FLOAT_RESIZE_H:
        return 2;
    case FLOAT_RESIZE_D:
    case FLOAT_INTEGER_Q:
    case FLOAT_UINTEGER_Q:
    case FLOAT_TO_D:
    case FLOAT_TO_UD:
    case FLOAT_TRUNC_D:
    case FLOAT_TRUNC_UD:
        return 8;
    case FLOAT_INTEGER:
    case FLOAT_UINTEGER:
        return e->shape == SHAPE_FLOAT_CONVERT_ONE && e->insn->mem_bytes == 8 ? 8 : 4;
    default:
        return 4;
    }
}

static uint64_t float_convert(struct float_run *r, uint64_t value, unsigned from, unsigned to)
{
    const unsigned op = r->v.e->op;
    const bool is_signed = op == FLOAT_INTEGER || op == FLOAT_INTEGER_Q || op == FLOAT_TO_S ||
                           op == FLOAT_TO_D || op == FLOAT_TRUNC_S || op == FLOAT_TRUNC_D;

    if (op <= FLOAT_RESIZE_D)
        return svmc_exec_x86_resize(&r->f, value, from, to);
    if (op > FLOAT_UINTEGER_Q)
        return svmc_exec_x86_to_integer(&r->f, value, from, 8 * to, is_signed);
    if (is_signed)
        value = (uint64_t)core_sign_extend(value, 8 * from);
    return svmc_exec_x86_from_integer(&r->f, value, is_signed, to);
}

/* How many there are to convert. */
static unsigned float_count_of(const struct float_run *r)
{
    const struct svmc_operand *from = &r->v.operand[r->v.memory & 7]; /* clamp: below 6 */

    if (r->v.memory == 0) /* VCVTPS2PH */
        return from->bytes / r->bytes;
    return from->broadcast != 0 ? from->broadcast : from->bytes / float_source_bytes(r->v.e);
}

static unsigned float_widest(const struct float_run *r)
{
    const unsigned from = float_source_bytes(r->v.e);

    return r->v.e->op >= FLOAT_RESIZE_H && from > r->bytes ? from : r->bytes;
}

static bool float_open(struct float_run *r, struct x86_run *e)
{
    struct svmc_operand *to;

    if (!svmc_exec_x86_vec_open(&r->v, e))
        return false;
    to = &r->v.operand[0];
    r->kept = 0;
    r->f = (struct x86_float){ .mxcsr = e->regs->mxcsr,
                               .rounding = e->op >= FLOAT_TRUNC_S
                                               ? ROUND_TO_ZERO
                                               : e->regs->mxcsr >> MXCSR_ROUNDING & 3 };
    r->bytes = (uint8_t)(1u << e->element);
    r->one = e->shape == SHAPE_FLOAT_ONE;
    if (r->v.encoding < X86_VEX &&
        (r->one || e->shape == SHAPE_FLOAT_CONVERT_ONE || e->shape == SHAPE_FLOAT_CONVERT_PAIR)) {
        to->bytes = 16; /* what is above the result stays: XE-26 */
        to->access |= SVMC_ACCESS_READ;
    }
    if (e->shape == SHAPE_FLOAT_CONVERT || e->shape == SHAPE_FLOAT_CONVERT_PAIR)
        r->v.lanes = (uint8_t)float_count_of(r);
    else if (e->shape != SHAPE_FLOAT_PACKED)
        r->v.lanes = 1;
    r->v.keeps = float_is_fused(e->op) || e->shape == SHAPE_FLOAT_FLAGS;
    r->lanes = r->v.mask;
    r->count = r->v.lanes;
    if (r->count == 0 || r->count * float_widest(r) > SVMC_EXEC_VEC_BYTES) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    return e->op > FLOAT_DP || svmc_exec_x86_float_can(r);
}

/* XE-64: what is read lies in the order of the operands; where it counts: x, y and z. */
static void float_arrange(const struct float_run *r)
{
    const struct svmc_exec_vec_op *op = r->v.op;
    const struct x86_run *e = r->v.e;
    const uint8_t *x = op->a, *y = op->b, *z = op->c;

    if (r->one && (e->op == FLOAT_SQRT || e->op == FLOAT_RCP || e->op == FLOAT_RSQRT ||
                   e->op == FLOAT_ROUND)) {
        x = op->b;
    } else if (float_is_fused(e->op) && e->opcode >> 4 == 9) { /* 132 */
        y = op->c;
        z = op->b;
    } else if (float_is_fused(e->op)) {
        x = op->b;
        y = e->opcode >> 4 == 10 ? op->a : op->c; /* 213, 231 */
        z = e->opcode >> 4 == 10 ? op->c : op->a;
    }
    memcpy(float_wide(r, WIDE_X), x, SVMC_EXEC_VEC_BYTES);
    memcpy(float_wide(r, WIDE_Y), y, SVMC_EXEC_VEC_BYTES);
    memcpy(float_wide(r, WIDE_Z), z, SVMC_EXEC_VEC_BYTES);
}

/* MIN, MAX, CMP, ROUND: an element. */
static uint64_t float_element(struct float_run *r, uint64_t x, uint64_t y)
{
    const struct x86_run *e = r->v.e;
    const unsigned imm = (unsigned)e->insn->imm;

    switch (e->op) {
    case FLOAT_MIN:
    case FLOAT_MAX:
        return svmc_exec_x86_pick(&r->f, x, y, r->bytes, e->op == FLOAT_MAX);
    case FLOAT_CMP:
        return 0 - (uint64_t)svmc_exec_x86_predicate(&r->f, x, y, r->bytes,
                                                     imm & (r->v.encoding < X86_VEX ? 7 : 31));
    default:
        if (!(imm & IMM_ROUNDING))
            r->f.rounding = imm & 3;
        return svmc_exec_x86_round(&r->f, x, r->bytes,
                                   r->v.encoding == X86_EVEX ? imm >> 4 & 15 : 0,
                                   (imm & IMM_QUIET) != 0);
    }
}

static bool float_compute(struct float_run *r)
{
    const struct x86_run *e = r->v.e;
    uint8_t *result = float_wide(r, WIDE_RESULT);
    uint8_t base[16];

    memcpy(base, r->v.op->a, sizeof base);
    float_arrange(r);
    if (e->op <= FLOAT_DP) {
        if (!svmc_exec_x86_float_ask(r))
            return false;
    } else {
        for (unsigned i = 0; i < r->count; i++)
            if (r->lanes >> i & 1)
                vec_set(result, i, e->element,
                        float_element(r, vec_get(float_wide(r, WIDE_X), i, e->element),
                                      vec_get(float_wide(r, WIDE_Y), i, e->element)));
    }
    memset(r->v.op->out, 0, sizeof r->v.op->out);
    if (r->one)
        memcpy(r->v.op->out, base, sizeof base);
    memcpy(r->v.op->out, result, (size_t)r->count * r->bytes);
    return true;
}

static unsigned float_log2_of(unsigned bytes)
{
    return bytes == 8 ? ELEMENT_Q : bytes == 4 ? ELEMENT_D : ELEMENT_W;
}

static void float_convert_all(struct float_run *r)
{
    const struct x86_run *e = r->v.e;
    struct svmc_exec_vec_op *op = r->v.op;
    const unsigned from = float_source_bytes(e), imm = (unsigned)e->insn->imm;
    const uint8_t *source = op->a;

    if (e->element == ELEMENT_W && !(imm & IMM_ROUNDING)) /* VCVTPS2PH */
        r->f.rounding = imm & 3;
    memset(op->out, 0, sizeof op->out);
    if (e->shape != SHAPE_FLOAT_CONVERT) {
        memcpy(op->out, op->a, 16);
        source = op->b;
    }
    for (unsigned i = 0; i < r->count; i++)
        if (r->lanes >> i & 1)
            vec_set(op->out, i, e->element,
                    float_convert(r, vec_get(source, i, float_log2_of(from)), from, r->bytes));
}

/* COMISS and its like: OF, AF and SF are cleared (SDM vol. 2 COMISD). */
static uint64_t float_order_flags(struct float_run *r)
{
    const struct x86_run *e = r->v.e;
    enum x86_order order =
        svmc_exec_x86_order(&r->f, vec_get(r->v.op->a, 0, e->element),
                            vec_get(r->v.op->b, 0, e->element), r->bytes, e->op == FLOAT_COMI);

    return order == ORDER_NONE    ? FLAG_ZF | FLAG_PF | FLAG_CF
           : order == ORDER_LESS  ? FLAG_CF
           : order == ORDER_EQUAL ? FLAG_ZF
                                  : 0;
}

static uint64_t float_general(struct float_run *r)
{
    const struct x86_run *e = r->v.e;

    return float_convert(r, vec_get(r->v.op->a, 0, e->element), r->bytes,
                         r->v.operand[0].bytes == 8 ? 8 : 4);
}

/* XE-65: what is stored was computed before its address counts, and a fault there shows it. */
static bool float_store(struct float_run *r)
{
    struct x86_run *e = r->v.e;

    if (!svmc_exec_x86_vec_read(&r->v))
        return false;
    float_convert_all(r);
    if (!svmc_exec_x86_float_settle(r))
        return false;
    if (!svmc_exec_x86_vec_reach(&r->v)) {
        if (e->r.out->action == SVMC_EXEC_FAULT)
            e->regs->mxcsr |= r->kept;
        return false;
    }
    return svmc_exec_x86_vec_finish(&r->v);
}

static bool float_load(struct float_run *r)
{
    struct x86_run *e = r->v.e;
    uint64_t value = 0;

    if (!svmc_exec_x86_vec_reach(&r->v) || !svmc_exec_x86_vec_read(&r->v))
        return false;
    if (e->shape == SHAPE_FLOAT_FLAGS)
        value = float_order_flags(r);
    else if (e->shape == SHAPE_FLOAT_GENERAL)
        value = float_general(r);
    else if (e->shape >= SHAPE_FLOAT_CONVERT)
        float_convert_all(r);
    else if (!float_compute(r))
        return false;
    if (!svmc_exec_x86_float_settle(r))
        return false;
    if (e->shape == SHAPE_FLOAT_FLAGS)
        x86_set_status(e, value);
    else if (e->shape == SHAPE_FLOAT_GENERAL)
        x86_set(e, r->v.operand[0].reg, r->v.operand[0].bytes, value);
    else
        return svmc_exec_x86_vec_finish(&r->v);
    return true;
}

bool svmc_exec_x86_float(struct x86_run *e)
{
    struct float_run r;

    if (!float_open(&r, e) || !(r.v.memory == 0 ? float_store(&r) : float_load(&r)))
        return false;
    e->regs->mxcsr |= r.kept;
    return true;
}
