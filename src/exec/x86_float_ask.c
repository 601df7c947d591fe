/* SPDX-License-Identifier: MIT */
/* x86: arithmetic that the host does. Rules XE-n: docs/spec/exec.md. */
#include "x86_float_private.h"

#define FLOAT_EVEN  0x5555555555555555u
#define FLOAT_TAKEN (MXCSR_DAZ | MXCSR_FTZ | 3u << MXCSR_ROUNDING)

_Static_assert(2 * (FLOAT_RSQRT - FLOAT_ADD) + SVMC_EXEC_VEC_ADD_S == SVMC_EXEC_VEC_RSQRT_S,
               "both have the same order");

static inline uint64_t float_get(const struct float_run *r, enum float_wide from, unsigned i)
{
    return vec_get(float_wide(r, from), i, r->v.e->element);
}

static inline void float_set(const struct float_run *r, enum float_wide to, unsigned i,
                             uint64_t value)
{
    vec_set(float_wide(r, to), i, r->v.e->element, value);
}

/* An element of the three operands. Where nothing is asked, 0, 1 and 0: no flag comes of them. */
static void float_put(const struct float_run *r, unsigned to, unsigned from, bool live)
{
    struct svmc_exec_vec_op *op = r->v.op;
    const unsigned element = r->v.e->element;
    const uint64_t one = r->bytes == 8 ? (uint64_t)1023 << 52 : (uint64_t)127 << 23;

    vec_set(op->a, to, element, live ? float_get(r, WIDE_X, from) : 0);
    vec_set(op->b, to, element, live ? float_get(r, WIDE_Y, from) : one);
    vec_set(op->c, to, element, live ? float_get(r, WIDE_Z, from) : 0);
}

/* XE-60: no exception is ever raised in the host. */
static bool float_ask(struct float_run *r, unsigned op, unsigned bytes, uint32_t mxcsr,
                      uint32_t *raised)
{
    struct svmc_exec_vec_op *vec = r->v.op;

    vec->operation =
        (uint16_t)(SVMC_EXEC_VEC_ADD_S + 2 * (op - FLOAT_ADD) + (r->bytes == 8 ? 1 : 0));
    vec->bytes = (uint16_t)bytes;
    vec->mxcsr = (mxcsr & FLOAT_TAKEN) | MXCSR_ALL;
    if (!svmc_exec_vec_op(&r->v.e->r))
        return false;
    *raised = vec->mxcsr & MXCSR_FLAGS;
    return true;
}

static void float_clear(const struct float_run *r)
{
    struct svmc_exec_vec_op *vec = r->v.op;

    memset(vec->a, 0, sizeof vec->a);
    memset(vec->b, 0, sizeof vec->b);
    memset(vec->c, 0, sizeof vec->c);
}

/*
 * XE-62: inexact, if exponents had no limit: with operands whose result is near 1. A summand that
 * is far from the product stays far enough to be rounded off, or to have it rounded off.
 */
static bool float_is_inexact(struct float_run *r, unsigned op, bool *inexact)
{
    struct svmc_exec_vec_op *vec = r->v.op;
    const unsigned element = r->v.e->element;
    const int32_t far = r->bytes == 8 ? 1000 : 100;
    uint64_t x = vec_get(vec->a, 0, element), y = vec_get(vec->b, 0, element);
    uint64_t z = vec_get(vec->c, 0, element);
    int32_t ex = svmc_exec_x86_exponent(&r->f, x, r->bytes);
    int32_t ey = svmc_exec_x86_exponent(&r->f, y, r->bytes);
    int32_t ez = svmc_exec_x86_exponent(&r->f, z, r->bytes) - ex - ey;
    uint32_t raised = 0;

    ey = op <= FLOAT_SUB ? ey - ex : 0;
    ey = ey > far ? far : ey < -far ? -far : ey;
    ez = ez > far ? far : ez < -far ? -far : ez;
    vec_set(vec->a, 0, element, svmc_exec_x86_scale(&r->f, x, r->bytes, 0));
    vec_set(vec->b, 0, element, svmc_exec_x86_scale(&r->f, y, r->bytes, ey));
    vec_set(vec->c, 0, element, svmc_exec_x86_scale(&r->f, z, r->bytes, ez));
    if (!float_ask(r, op, r->bytes, r->f.mxcsr & ~MXCSR_FTZ, &raised))
        return false;
    *inexact = (raised & MXCSR_PE) != 0;
    return true;
}

/*
 * One element where the guest wants to hear of overflow or underflow. Then another result is tiny,
 * also an exact one, which shows where tiny results are flushed; and another one is inexact.
 */
static bool float_ask_exactly(struct float_run *r, unsigned op, unsigned i)
{
    const bool hears = x86_is_unmasked(r->f.mxcsr, MXCSR_UE);
    uint32_t raised = 0, flushed = 0;
    bool inexact = false;

    float_clear(r);
    float_put(r, 0, i, true);
    if (!float_ask(r, op, r->bytes, hears ? r->f.mxcsr & ~MXCSR_FTZ : r->f.mxcsr, &raised))
        return false;
    float_set(r, WIDE_RESULT, i, vec_get(r->v.op->out, 0, r->v.e->element));
    if (hears && !float_ask(r, op, r->bytes, r->f.mxcsr | MXCSR_FTZ, &flushed))
        return false;
    raised |= flushed & MXCSR_UE;
    if (x86_is_unmasked(r->f.mxcsr, raised & (MXCSR_OE | MXCSR_UE))) {
        if (!float_is_inexact(r, op, &inexact))
            return false;
        raised = (raised & ~MXCSR_PE) | (inexact ? MXCSR_PE : 0);
    }
    r->f.raised |= raised;
    return true;
}

/* One operation, to some of the lanes. */
static bool float_stage(struct float_run *r, unsigned op, uint64_t lanes)
{
    const unsigned count = r->count;
    uint32_t raised = 0;

    lanes &= r->lanes;
    if (x86_is_unmasked(r->f.mxcsr, MXCSR_OE | MXCSR_UE) && op < FLOAT_RCP) {
        for (unsigned i = 0; i < count; i++)
            if ((lanes >> i & 1) && !float_ask_exactly(r, op, i))
                return false;
        return true;
    }
    float_clear(r);
    for (unsigned i = 0; i < count; i++)
        float_put(r, i, i, lanes >> i & 1);
    if (!float_ask(r, op, count * r->bytes, r->f.mxcsr, &raised))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (lanes >> i & 1)
            float_set(r, WIDE_RESULT, i, vec_get(r->v.op->out, i, r->v.e->element));
    r->f.raised |= raised;
    return true;
}

/* HADD, HSUB: neighbours of x, then of y, in each 16 bytes. */
static void float_pair_up(const struct float_run *r)
{
    const unsigned per = 16u / r->bytes, half = per / 2;
    uint64_t x[4], y[4];

    for (unsigned base = 0; base < r->count; base += per) {
        for (unsigned i = 0; i < per; i++) {
            const enum float_wide from = i < half ? WIDE_X : WIDE_Y;
            const unsigned at = base + 2 * (i & (half - 1));

            x[i & 3] = float_get(r, from, at);     /* clamp: two bits */
            y[i & 3] = float_get(r, from, at + 1); /* clamp: two bits */
        }
        for (unsigned i = 0; i < per; i++) {
            float_set(r, WIDE_X, base + i, x[i & 3]); /* clamp: two bits */
            float_set(r, WIDE_Y, base + i, y[i & 3]); /* clamp: two bits */
        }
    }
}

/*
 * To each element of the result that one of its 16 bytes which lies `apart`. Which one comes first
 * decides which NaN comes out: as Intel's processors do it.
 */
static bool float_add_others(struct float_run *r, unsigned apart)
{
    const unsigned per = 16u / r->bytes;
    const bool other_first = per == 4 && apart == 1;

    if (!svmc_exec_x86_float_settle(r))
        return false;
    for (unsigned i = 0; i < r->count; i++) {
        const unsigned other = (i & ~(per - 1)) | ((i ^ apart) & (per - 1));

        float_set(r, other_first ? WIDE_Y : WIDE_X, i, float_get(r, WIDE_RESULT, i));
        float_set(r, other_first ? WIDE_X : WIDE_Y, i, float_get(r, WIDE_RESULT, other));
    }
    return float_stage(r, FLOAT_ADD, ~(uint64_t)0);
}

/* XE-64: DPPS, DPPD: products, sums of two, of these two; each ends before the next begins. */
static bool float_dot_product(struct float_run *r)
{
    const unsigned per = 16u / r->bytes, imm = (unsigned)r->v.e->insn->imm;
    uint64_t factors = imm >> 4 & (per == 4 ? 15 : 3);

    memset(float_wide(r, WIDE_RESULT), 0, SVMC_EXEC_VEC_BYTES);
    factors |= factors << per;
    if (!float_stage(r, FLOAT_MUL, factors) || !float_add_others(r, 1) ||
        (per == 4 && !float_add_others(r, 2)))
        return false;
    for (unsigned i = 0; i < r->count; i++)
        if (!(imm >> (i & (per - 1)) & 1))
            float_set(r, WIDE_RESULT, i, 0);
    return true;
}

/* XE-60: each operation that it will come to. */
bool svmc_exec_x86_float_can(struct float_run *r)
{
    static const uint8_t made_of[6][2] = { { FLOAT_SUB, FLOAT_ADD },   { FLOAT_MADD, FLOAT_MSUB },
                                           { FLOAT_MADD, FLOAT_MSUB }, { FLOAT_ADD, FLOAT_ADD },
                                           { FLOAT_SUB, FLOAT_SUB },   { FLOAT_MUL, FLOAT_ADD } };
    const unsigned bytes = (unsigned)r->count * r->bytes;
    unsigned first = r->v.e->op, second = first;
    uint32_t raised;

    if (first >= FLOAT_ADDSUB) {
        const unsigned row = core_clamp(first - FLOAT_ADDSUB, 6);

        first = made_of[row][0];
        second = made_of[row][1];
    }
    float_clear(r);
    for (unsigned i = 0; i < r->count; i++)
        float_put(r, i, 0, false);
    if (!float_ask(r, first, bytes, 0, &raised) ||
        (second != first && !float_ask(r, second, bytes, 0, &raised)))
        return false;
    r->v.e->r.x->priv.able = 1;
    return true;
}

bool svmc_exec_x86_float_ask(struct float_run *r)
{
    switch (r->v.e->op) {
    case FLOAT_ADDSUB:
        return float_stage(r, FLOAT_SUB, FLOAT_EVEN) && float_stage(r, FLOAT_ADD, ~FLOAT_EVEN);
    case FLOAT_MADDSUB:
        return float_stage(r, FLOAT_MSUB, FLOAT_EVEN) && float_stage(r, FLOAT_MADD, ~FLOAT_EVEN);
    case FLOAT_MSUBADD:
        return float_stage(r, FLOAT_MADD, FLOAT_EVEN) && float_stage(r, FLOAT_MSUB, ~FLOAT_EVEN);
    case FLOAT_HADD:
        float_pair_up(r);
        return float_stage(r, FLOAT_ADD, ~(uint64_t)0);
    case FLOAT_HSUB:
        float_pair_up(r);
        return float_stage(r, FLOAT_SUB, ~(uint64_t)0);
    case FLOAT_DP:
        return float_dot_product(r);
    default:
        return float_stage(r, r->v.e->op, ~(uint64_t)0);
    }
}
