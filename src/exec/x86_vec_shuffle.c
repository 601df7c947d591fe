/* SPDX-License-Identifier: MIT */
/* x86: elements of vectors change their places. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

/* Elements in 16 bytes; of MMX: in 8. */
static unsigned in_block(const struct vec_run *v, unsigned element)
{
    return (v->bytes < 16u ? v->bytes : 16u) >> element;
}

void svmc_exec_x86_vec_unpack(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, n = in_block(v, element), at;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        at = i / n * n + i % n / 2 + (v->e->op == VEC_HIGH ? n / 2 : 0);
        vec_set(o->out, i, element, vec_get(i & 1 ? o->b : o->a, at, element));
    }
}

/* Where each element of the result comes from, within its 16 bytes. */
static unsigned choice(const struct vec_run *v, unsigned i, unsigned n)
{
    unsigned imm = vec_imm(v), at = i % n, element = v->e->element;

    switch (v->e->op) {
    case VEC_PSHUFLW:
        return at < 4 ? imm >> 2 * at & 3 : at;
    case VEC_PSHUFHW:
        return at >= 4 ? 4 + (imm >> 2 * (at - 4) & 3) : at;
    case VEC_DUP_LOW:
        return at & ~1u;
    case VEC_DUP_HIGH:
        return at | 1;
    case VEC_PERMIL:
        if (!v->has_imm)
            return element == ELEMENT_Q ? (unsigned)v->op->b[8 * i] >> 1 & 1
                                        : (unsigned)v->op->b[4 * i] & 3;
        return element == ELEMENT_Q ? imm >> i & 1 : imm >> 2 * at & 3;
    case VEC_SHUFP:
        return element == ELEMENT_Q ? imm >> i & 1 : imm >> 2 * at & 3;
    default: /* PSHUFD */
        return imm >> 2 * at & 3;
    }
}

static void within_blocks(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, n = in_block(v, element);

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        const uint8_t *from = v->e->op == VEC_SHUFP && i % n >= n / 2 ? o->b : o->a;

        vec_set(o->out, i, element, vec_get(from, i / n * n + choice(v, i, n), element));
    }
}

static void shuffle_bytes(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned n = in_block(v, ELEMENT_B);

    for (unsigned i = 0; i < v->bytes; i++) /* PSHUFB */
        o->out[i] = o->b[i] & 0x80 ? 0 : o->a[i / n * n + (o->b[i] & (n - 1))];
}

/* PALIGNR: of two blocks behind one another. VALIGND: of two vectors. */
static void align(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    bool whole = v->e->op == VEC_VALIGN;
    unsigned n = whole ? v->bytes : in_block(v, ELEMENT_B), by = vec_imm(v), at;

    if (whole)
        by = (by & ((n >> v->e->element) - 1)) << v->e->element;
    for (unsigned i = 0; i < v->bytes; i++) {
        at = i % n + by;
        if (at < n)
            o->out[i] = o->b[i / n * n + at];
        else if (at < 2 * n)
            o->out[i] = o->a[i / n * n + at - n];
    }
}

/* By indices in a vector, from one table or two. */
static void permute(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, n = (unsigned)v->bytes >> element, op = v->e->op, at;
    const uint8_t *index = op == VEC_PERMT2 ? o->b : o->a, *from;

    for (unsigned i = 0; i < n; i++) {
        at = (unsigned)vec_get(index, i, element) & (2 * n - 1);
        if (op == VEC_PERMI2 || op == VEC_PERMT2)
            from = at & n ? o->c : op == VEC_PERMT2 ? o->a : o->b;
        else
            from = o->b;
        vec_set(o->out, i, element, vec_get(from, at & (n - 1), element));
    }
}

/* Blocks of 16 bytes, or of VPERMQ 8 in each 32. */
static void move_blocks(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned imm = vec_imm(v), op = v->e->op, block = op == VEC_PERMQ ? 8 : 16, at;
    const uint8_t *from = o->a;

    for (unsigned i = 0; i < v->bytes / block; i++) {
        if (op == VEC_PERMQ) {
            at = (i & ~3u) + (imm >> 2 * (i & 3) & 3);
        } else if (op == VEC_PERM2X128) {
            at = imm >> 4 * i & 1;
            from = imm >> 4 * i & 2 ? o->b : o->a;
            if (imm >> 4 * i & 8)
                continue;
        } else { /* VSHUFF32X4 */
            at = v->bytes == 64 ? imm >> 2 * i & 3 : imm >> i & 1;
            from = i >= v->bytes / block / 2 ? o->b : o->a;
        }
        memcpy(o->out + block * i, from + block * at, block);
    }
}

void svmc_exec_x86_vec_shuffle(const struct vec_run *v)
{
    if (v->e->op == VEC_PERMQ && !v->has_imm) {
        permute(v);
        return;
    }
    switch (v->e->op) {
    case VEC_PSHUFB:
        shuffle_bytes(v);
        return;
    case VEC_ALIGNR:
    case VEC_VALIGN:
        align(v);
        return;
    case VEC_PERM:
    case VEC_PERMI2:
    case VEC_PERMT2:
        permute(v);
        return;
    case VEC_PERMQ:
    case VEC_PERM2X128:
    case VEC_SHUF128:
        move_blocks(v);
        return;
    default:
        within_blocks(v);
        return;
    }
}

/* By the immediate, of which words use the eight bits once more; by sign bits; by the mask. */
void svmc_exec_x86_vec_blend(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, op = v->e->op;
    bool second;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        if (op == VEC_BLENDV)
            second = vec_get_signed(o->c, i, element) < 0;
        else if (op == VEC_BLENDM)
            second = v->mask >> i & 1;
        else
            second = vec_imm(v) >> (i & 7) & 1;
        vec_set(o->out, i, element, vec_get(second ? o->b : o->a, i, element));
    }
}

/* What memory holds takes the place of as much of a vector. */
void svmc_exec_x86_vec_insert(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned imm = vec_imm(v), size = v->e->insn->mem_bytes, n;

    memcpy(o->out, o->a, sizeof o->out);
    if (v->e->op != VEC_INSERTPS) {
        if (size == 0 || size > v->bytes) /* no decode made it */
            return;
        n = v->bytes / size;
        for (unsigned i = 0; i < size; i++)
            o->out[((imm & (n - 1)) * size + i) & 63] = o->b[i & 63];
        return;
    }
    memcpy(o->out + (imm >> 4 & 3) * 4, o->b, 4);
    for (unsigned i = 0; i < 4; i++)
        if (imm >> i & 1)
            vec_set(o->out, i, ELEMENT_D, 0);
}

/* Elements that lie side by side go where the mask is set, or the other way. */
void svmc_exec_x86_vec_expand(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, next = 0;

    for (unsigned i = 0; i < v->lanes; i++)
        if (!(v->mask >> i & 1))
            continue;
        else if (v->memory == 0)
            vec_set(o->out, next++, element, vec_get(o->a, i, element));
        else
            vec_set(o->out, i, element, vec_get(o->a, next++, element));
}
