/* SPDX-License-Identifier: MIT */
/** Floating-point operations on vectors that the executor asks its host for. */
#ifndef SVMCORE_EXEC_VEC_H
#define SVMCORE_EXEC_VEC_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_EXEC_VEC_BYTES 64u /* of the widest vector register */

/** What is to be done. Numbers are pinned: append, never renumber. */
enum svmc_exec_vec_operation { SVMC_EXEC_VEC_NONE = 0 };

/**
 * One operation and its operands. It lies in the record and stays there until it is done. Bytes
 * are in the order in which memory has them; those of an operand that it does not use are 0.
 */
struct svmc_exec_vec_op {
    uint16_t operation; /* enum svmc_exec_vec_operation */
    uint16_t bytes;     /* of the vectors: 4, 8 (one element), 16, 32, 64 */
    uint8_t imm;        /* the instruction's immediate, or 0 */
    uint8_t reserved[3];
    uint32_t mxcsr; /* in: the guest's; out: with the exception flags that it raised */
    uint32_t reserved2;
    uint8_t a[SVMC_EXEC_VEC_BYTES]; /* in the order of the manual's operands */
    uint8_t b[SVMC_EXEC_VEC_BYTES];
    uint8_t c[SVMC_EXEC_VEC_BYTES];
    uint8_t out[SVMC_EXEC_VEC_BYTES];
};

#ifdef __cplusplus
}
#endif
#endif
