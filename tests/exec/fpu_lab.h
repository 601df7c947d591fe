/* SPDX-License-Identifier: MIT */
/** The guest of exec_lab.h with an x87 that does as it is told. */
#ifndef TESTS_EXEC_FPU_LAB_H
#define TESTS_EXEC_FPU_LAB_H
#include "exec_lab.h"

struct fpu_lab {
    struct exec_lab lab;           /* first: the callbacks' ctx is both */
    struct svmc_exec_vec_op asked; /* of the last vec_op */
    unsigned ops;                  /* how many */
    uint16_t status;               /* what it answers: status word, ST(0) */
    uint8_t answer[10];
};

/* RBX is the operand at LAB_LINEAR + 0x100; x87 after FNINIT, all components in XCR0. */
void fpu_lab_open(struct fpu_lab *f, unsigned isa);
/* ST(0) and what is above: sign and exponent, significand. */
void fpu_lab_push(struct fpu_lab *f, uint16_t top, uint64_t mantissa);
uint64_t fpu_lab_mantissa(const struct fpu_lab *f, unsigned i);
unsigned fpu_lab_top(const struct fpu_lab *f, unsigned i);

#endif
