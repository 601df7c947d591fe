/* SPDX-License-Identifier: MIT */
/** x86: floating point of vectors: what the files of x86_float.def share. */
#ifndef EXEC_X86_FLOAT_PRIVATE_H
#define EXEC_X86_FLOAT_PRIVATE_H
#include "x86_number.h"
#include "x86_vec_private.h"

/* The column `operation` of x86_float.def; none of x86_vec.def's. */
enum float_operation {
    FLOAT_NONE = 128,
    FLOAT_ADD, /* one of enum svmc_exec_vec_operation each, in its order ... */
    FLOAT_SUB,
    FLOAT_MUL,
    FLOAT_DIV,
    FLOAT_SQRT,
    FLOAT_MADD,
    FLOAT_MSUB,
    FLOAT_NMADD,
    FLOAT_NMSUB,
    FLOAT_RCP,
    FLOAT_RSQRT,  /* ... to here */
    FLOAT_ADDSUB, /* made of these */
    FLOAT_MADDSUB,
    FLOAT_MSUBADD,
    FLOAT_HADD,
    FLOAT_HSUB,
    FLOAT_DP,
    FLOAT_MIN, /* done here */
    FLOAT_MAX,
    FLOAT_CMP,
    FLOAT_ROUND,
    FLOAT_COMI,
    FLOAT_UCOMI,
    FLOAT_RESIZE_H, /* conversions */
    FLOAT_RESIZE_S,
    FLOAT_RESIZE_D,
    FLOAT_INTEGER, /* from 32 bits, or what memory has; _Q: from 64; U: without sign */
    FLOAT_INTEGER_Q,
    FLOAT_UINTEGER,
    FLOAT_UINTEGER_Q,
    FLOAT_TO_S,
    FLOAT_TO_D,
    FLOAT_TO_US,
    FLOAT_TO_UD,
    FLOAT_TRUNC_S, /* from here on towards zero */
    FLOAT_TRUNC_D,
    FLOAT_TRUNC_US,
    FLOAT_TRUNC_UD
};

/* What wide[] of the record has. */
enum float_wide { WIDE_X = 0, WIDE_Y = 1, WIDE_Z = 2, WIDE_RESULT = 3 };

struct float_run {
    struct vec_run v;
    struct x86_float f;
    uint32_t kept;  /* flags of operations that are over */
    uint64_t lanes; /* a bit each: those that are computed */
    uint8_t bytes;  /* of an element of the result */
    uint8_t count;  /* of elements */
    bool one;       /* the lowest alone */
};

/** wide[i] of the record. */
static inline uint8_t *float_wide(const struct float_run *r, enum float_wide i)
{
    return r->v.e->r.x->priv.wide[i & 3]; /* clamp: two bits */
}

/** XE-61: what f.raised means for the guest: it is kept; false: #XM, or #UD. */
bool svmc_exec_x86_float_settle(struct float_run *r);

/** XE-60: whether the host can, asked before anything is read. */
bool svmc_exec_x86_float_can(struct float_run *r);

/** ADD to DP: the lanes of WIDE_RESULT from the other three; its flags are f.raised. */
bool svmc_exec_x86_float_ask(struct float_run *r);

#endif
