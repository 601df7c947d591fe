/* SPDX-License-Identifier: MIT */
/** Floating-point operations on vectors that the executor asks its host for. */
#ifndef SVMCORE_EXEC_VEC_H
#define SVMCORE_EXEC_VEC_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_EXEC_VEC_BYTES 64u /* of the widest vector register */

/**
 * What is to be done, to numbers of 32 (S) or 64 (D) bits. Numbers are pinned: append, never
 * renumber. NaNs and exceptions as the manual says of ADDPS and its like; of a times b and c as of
 * VFMADD213PS b, a, c.
 */
enum svmc_exec_vec_operation {
    SVMC_EXEC_VEC_NONE = 0,
    SVMC_EXEC_VEC_ADD_S = 1, /* a + b */
    SVMC_EXEC_VEC_ADD_D = 2,
    SVMC_EXEC_VEC_SUB_S = 3, /* a - b */
    SVMC_EXEC_VEC_SUB_D = 4,
    SVMC_EXEC_VEC_MUL_S = 5, /* a * b */
    SVMC_EXEC_VEC_MUL_D = 6,
    SVMC_EXEC_VEC_DIV_S = 7, /* a / b */
    SVMC_EXEC_VEC_DIV_D = 8,
    SVMC_EXEC_VEC_SQRT_S = 9, /* the square root of a */
    SVMC_EXEC_VEC_SQRT_D = 10,
    SVMC_EXEC_VEC_MADD_S = 11, /* a * b + c, rounded once */
    SVMC_EXEC_VEC_MADD_D = 12,
    SVMC_EXEC_VEC_MSUB_S = 13, /* a * b - c */
    SVMC_EXEC_VEC_MSUB_D = 14,
    SVMC_EXEC_VEC_NMADD_S = 15, /* -(a * b) + c */
    SVMC_EXEC_VEC_NMADD_D = 16,
    SVMC_EXEC_VEC_NMSUB_S = 17, /* -(a * b) - c */
    SVMC_EXEC_VEC_NMSUB_D = 18,
    SVMC_EXEC_VEC_RCP_S = 19,   /* about 1 / a, as this processor's RCPPS */
    SVMC_EXEC_VEC_RSQRT_S = 21, /* about 1 / the square root of a, as RSQRTPS */
    /*
     * x87, not vectors: ST(0) by the operand of FADD and its like, or with INT of FIADD and its
     * like. a: ST(0), 10 bytes; b: the operand as memory has it, `bytes` of it: 4 or 8, INT 2 or 4.
     * mxcsr: in: the control word, with the guest's masks; out: in bits 31:16 the status word that
     * it leaves of one of 0. out: ST(0), 10 bytes, with exceptions that are not masked as the
     * processor leaves it.
     */
    SVMC_EXEC_VEC_X87_ADD = 768,
    SVMC_EXEC_VEC_X87_MUL = 769,
    SVMC_EXEC_VEC_X87_COM = 770, /* C0, C2 and C3 alone */
    SVMC_EXEC_VEC_X87_SUB = 772,
    SVMC_EXEC_VEC_X87_SUBR = 773,
    SVMC_EXEC_VEC_X87_DIV = 774,
    SVMC_EXEC_VEC_X87_DIVR = 775,
    SVMC_EXEC_VEC_X87_INT_ADD = 776,
    SVMC_EXEC_VEC_X87_INT_MUL = 777,
    SVMC_EXEC_VEC_X87_INT_COM = 778,
    SVMC_EXEC_VEC_X87_INT_SUB = 780,
    SVMC_EXEC_VEC_X87_INT_SUBR = 781,
    SVMC_EXEC_VEC_X87_INT_DIV = 782,
    SVMC_EXEC_VEC_X87_INT_DIVR = 783
};

/**
 * One operation and its operands, in the record. Bytes are in the order in which memory has them;
 * those of an operand that it does not use, and those above `bytes`, are 0. Nobody looks at what
 * the answer has there.
 */
struct svmc_exec_vec_op {
    uint16_t operation; /* enum svmc_exec_vec_operation */
    uint16_t bytes;     /* of the vectors: 4 or 8 (one number), 16, 32, 64 */
    uint32_t mxcsr; /* in: DAZ, FTZ, rounding; all exceptions masked, no flag; out: and the flags
                           that it raised. What the guest's masks make of them is not the host's */
    uint8_t a[SVMC_EXEC_VEC_BYTES];
    uint8_t b[SVMC_EXEC_VEC_BYTES];
    uint8_t c[SVMC_EXEC_VEC_BYTES];
    uint8_t out[SVMC_EXEC_VEC_BYTES];
};

#ifdef __cplusplus
}
#endif
#endif
