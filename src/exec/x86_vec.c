/* SPDX-License-Identifier: MIT */
/* x86: the way of a vector instruction. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

static bool has_file(const struct vec_run *v, unsigned kind)
{
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        if (v->operand[i].reg_kind == kind)
            return true;
    return false;
}

/*
 * XE-25: SDM vol. 2 tables 2-17 and on, vol. 3 tables 23-1 to 23-3, in their order: #UD, #NM, #MF.
 */
static bool may_run(const struct vec_run *v)
{
    const struct svmc_exec_x86 *regs = v->e->regs;
    bool mmx = has_file(v, SVMC_REG_KIND_MMX), refused;
    uint64_t wanted =
        v->encoding == X86_EVEX || has_file(v, SVMC_REG_KIND_MASK) ? XCR0_AVX512 : XCR0_AVX;

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

/* Each bit stands for a lane of the result. */
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
    v->applies = !v->merging || v->e->shape != SHAPE_VEC_BLEND;
    v->mask = core_load_le64(mask);
    return true;
}

/* What a comparison writes to a mask has the width of what it compares. */
static unsigned width_of_result(const struct vec_run *v)
{
    unsigned bytes = v->operand[0].bytes;

    if (v->operand[0].reg_kind == SVMC_REG_KIND_MASK)
        for (unsigned i = 1; i < SVMC_OPERANDS_MAX; i++)
            if (v->operand[i].reg_kind == SVMC_REG_KIND_VECTOR)
                bytes = v->operand[i].bytes;
    return bytes <= SVMC_EXEC_VEC_BYTES ? bytes : 0;
}

bool svmc_exec_x86_vec_open(struct vec_run *v, struct x86_run *e)
{
    struct svmc_exec *x = e->r.x;
    uint32_t count = 0;

    memset(v, 0, sizeof *v);
    v->e = e;
    v->op = &x->priv.vec;
    v->operand = x->priv.operand;
    v->encoding = (uint8_t)VECTOR_ENCODING(e->insn->priv_raw[2]);
    v->memory = VEC_NO_MEMORY;
    if (v->encoding == X86_3DNOW || v->encoding == X86_XOP ||
        svmc_insn_operands(e->insn, v->operand, &count) != SVMC_OK) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++) {
        if (v->operand[i].kind == SVMC_OPERAND_MEM)
            v->memory = (uint8_t)i;
        v->has_imm = v->has_imm || v->operand[i].kind == SVMC_OPERAND_IMM;
    }
    v->bytes = (uint8_t)width_of_result(v);
    if (v->memory == VEC_NO_MEMORY || v->bytes == 0)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    v->lanes =
        (uint8_t)(e->op == VEC_SCALAR && e->shape == SHAPE_VEC_MOVE ? 1 : v->bytes >> e->element);
    v->keeps = e->shape >= SHAPE_VEC_MOVE && e->shape <= SHAPE_VEC_GATHER && e->op >= VEC_KEEPS;
    return may_run(v) && svmc_exec_has_vectors(&e->r) && read_mask(v);
}

bool svmc_exec_x86_vec_get(struct vec_run *v, const struct svmc_operand *o, uint8_t *to)
{
    unsigned bytes = o->bytes <= 16 ? 16 : o->bytes <= 32 ? 32 : 64;
    const uint8_t *data;

    if (o->reg_kind != SVMC_REG_KIND_VECTOR)
        bytes = 8;
    data = svmc_exec_vector_read(&v->e->r, o->reg_kind, o->reg, bytes);
    if (data == NULL)
        return false;
    memset(to, 0, SVMC_EXEC_VEC_BYTES);
    memcpy(to, data, bytes);
    return true;
}

/* XE-26: without VEX and EVEX what is above stays; else it is zero, as far as there is any. */
bool svmc_exec_x86_vec_put(struct vec_run *v, const struct svmc_operand *o, const uint8_t *from)
{
    unsigned bytes = 8;

    if (o->reg_kind == SVMC_REG_KIND_VECTOR)
        bytes = v->encoding < X86_VEX                             ? 16
                : (v->e->regs->xcr0 & XCR0_AVX512) == XCR0_AVX512 ? 64
                                                                  : 32;
    memcpy(v->e->r.x->priv.store, from, bytes);
    return svmc_exec_vector_write(&v->e->r, o->reg_kind, o->reg, bytes);
}

/* Without VEX some instructions keep half of their destination, and the decoder says it is not
 * read; with EVEX it says that merging reads it. */
static bool is_source(const struct vec_run *v, unsigned i)
{
    const struct svmc_operand *o = &v->operand[i];

    if (o->kind == SVMC_OPERAND_NONE || o->kind == SVMC_OPERAND_IMM)
        return false;
    if (o->reg_kind == SVMC_REG_KIND_MASK && v->encoding == X86_EVEX)
        return false;
    if (i == 0 && v->encoding == X86_EVEX)
        return v->keeps;
    if (i == 0 && v->encoding < X86_VEX && v->e->shape == SHAPE_VEC_HALF)
        return v->memory != 0;
    return (o->access & SVMC_ACCESS_READ) != 0;
}

bool svmc_exec_x86_vec_read(struct vec_run *v)
{
    static const struct svmc_operand xmm0 = { .kind = SVMC_OPERAND_REG,
                                              .bytes = 16,
                                              .reg_kind = SVMC_REG_KIND_VECTOR };
    struct svmc_exec_vec_op *op = v->op;
    unsigned n = 0;

    memset(op->a, 0, sizeof op->a);
    memset(op->b, 0, sizeof op->b);
    memset(op->c, 0, sizeof op->c);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX && n < 3; i++) {
        const struct svmc_operand *o = &v->operand[i];
        uint8_t *to = n == 0 ? op->a : n == 1 ? op->b : op->c;

        if (!is_source(v, i))
            continue;
        if (o->kind == SVMC_OPERAND_MEM ? !svmc_exec_x86_vec_load(v, to)
                                        : !svmc_exec_x86_vec_get(v, o, to))
            return false;
        if (n++ == 0)
            v->source_bytes = (uint8_t)o->bytes;
    }
    if (v->encoding == X86_LEGACY &&
        ((v->e->op == VEC_SHA256RNDS2 && v->e->shape == SHAPE_VEC_CIPHER) ||
         (v->e->op == VEC_BLENDV && v->e->shape == SHAPE_VEC_BLEND)))
        return svmc_exec_x86_vec_get(v, &xmm0, op->c);
    return true;
}

/* MMX, and no other vector instruction, makes all of the x87 registers valid (SDM vol. 1 9.5.1). */
static void leave_mmx(const struct vec_run *v)
{
    if (!has_file(v, SVMC_REG_KIND_MMX))
        return;
    v->e->regs->fsw &= (uint16_t)~FSW_TOP;
    v->e->regs->ftw = 0xff;
}

/* The first bit of each lane, where the mask has one. */
static void become_mask(const struct vec_run *v)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < v->lanes; i++)
        if (vec_get_signed(v->op->out, i, v->e->element) < 0)
            bits |= (uint64_t)1 << i;
    memset(v->op->out, 0, sizeof v->op->out);
    core_store_le64(v->op->out, bits & v->mask);
}

/* XE-27: what the mask leaves out is as it was, or zero. op->c is free by now. */
static bool apply_mask(struct vec_run *v)
{
    struct svmc_exec_vec_op *op = v->op;

    memset(op->c, 0, sizeof op->c);
    if (v->merging && !svmc_exec_x86_vec_get(v, &v->operand[0], op->c))
        return false;
    for (unsigned i = 0; i < v->lanes; i++)
        if (!(v->mask >> i & 1))
            vec_set(op->out, i, v->e->element, vec_get(op->c, i, v->e->element));
    return true;
}

bool svmc_exec_x86_vec_store(struct vec_run *v)
{
    uint8_t *store = v->e->r.x->priv.store;
    unsigned from = 0, to;

    memset(store, 0, SVMC_EXEC_WIDTH_MAX);
    memcpy(store, v->op->out + v->skipped, SVMC_EXEC_VEC_BYTES - v->skipped);
    while (from < SVMC_EXEC_VEC_BYTES) {
        if (!(v->active >> from & 1)) {
            from++;
            continue;
        }
        for (to = from; to < SVMC_EXEC_VEC_BYTES && (v->active >> to & 1); to++)
            ;
        if (!svmc_exec_write_some(&v->e->r, &v->span, from - v->skipped, to - from))
            return false;
        from = to;
    }
    leave_mmx(v);
    return true;
}

bool svmc_exec_x86_vec_finish(struct vec_run *v)
{
    const struct svmc_operand *to = &v->operand[0];

    if (to->kind == SVMC_OPERAND_MEM)
        return svmc_exec_x86_vec_store(v);
    if (to->reg_kind == SVMC_REG_KIND_MASK && v->encoding == X86_EVEX)
        become_mask(v);
    else if (v->applies && !apply_mask(v))
        return false;
    if (!svmc_exec_x86_vec_put(v, to, v->op->out))
        return false;
    leave_mmx(v);
    return true;
}

/* What is moved, and where it stands in the register. */
static void move_vector(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned half = v->e->op == VEC_HIGH ? 8 : 0, n = v->source_bytes;

    switch (v->e->shape) {
    case SHAPE_VEC_HALF:
        if (v->memory == 0) {
            memcpy(o->out, o->a + half, 8);
            return;
        }
        memcpy(o->out, o->a, 16);
        memcpy(o->out + half, o->b, 8);
        return;
    case SHAPE_VEC_FILL:
        for (unsigned i = 0; i < v->bytes; i++)
            o->out[i] = o->a[i & (n - 1) & 63];
        return;
    case SHAPE_VEC_EXTRACT:
        for (unsigned i = 0; i < v->bytes; i++)
            o->out[i] = o->a[((vec_imm(v) & (n / v->bytes - 1)) * v->bytes + i) & 63];
        return;
    default:
        memcpy(o->out, o->a, sizeof o->out);
        return;
    }
}

static void compute_vector(const struct vec_run *v)
{
    memset(v->op->out, 0, sizeof v->op->out);
    switch (v->e->shape) {
    case SHAPE_VEC_LANES:
        svmc_exec_x86_vec_lanes(v);
        return;
    case SHAPE_VEC_SHIFT:
        svmc_exec_x86_vec_shift(v);
        return;
    case SHAPE_VEC_PAIRS:
        svmc_exec_x86_vec_pairs(v);
        return;
    case SHAPE_VEC_PACK:
        svmc_exec_x86_vec_pack(v);
        return;
    case SHAPE_VEC_WIDEN:
        svmc_exec_x86_vec_widen(v);
        return;
    case SHAPE_VEC_NARROW:
        svmc_exec_x86_vec_narrow(v);
        return;
    case SHAPE_VEC_UNPACK:
        svmc_exec_x86_vec_unpack(v);
        return;
    case SHAPE_VEC_SHUFFLE:
        svmc_exec_x86_vec_shuffle(v);
        return;
    case SHAPE_VEC_BLEND:
        svmc_exec_x86_vec_blend(v);
        return;
    case SHAPE_VEC_INSERT:
        svmc_exec_x86_vec_insert(v);
        return;
    case SHAPE_VEC_EXPAND:
        svmc_exec_x86_vec_expand(v);
        return;
    case SHAPE_VEC_CIPHER:
        svmc_exec_x86_vec_cipher(v);
        return;
    default:
        move_vector(v);
        return;
    }
}

bool svmc_exec_x86_vec(struct x86_run *e)
{
    struct vec_run v;

    if (!svmc_exec_x86_vec_open(&v, e))
        return false;
    if (e->shape == SHAPE_VEC_GATHER)
        return svmc_exec_x86_vec_gather(&v);
    if (e->shape == SHAPE_VEC_MASKED)
        return svmc_exec_x86_vec_masked(&v);
    if (!svmc_exec_x86_vec_reach(&v) || !svmc_exec_x86_vec_read(&v))
        return false;
    if (e->shape == SHAPE_VEC_TEST)
        return svmc_exec_x86_vec_test(&v);
    if (e->shape == SHAPE_VEC_STRING)
        return svmc_exec_x86_vec_string(&v);
    compute_vector(&v);
    return svmc_exec_x86_vec_finish(&v);
}
