/* SPDX-License-Identifier: MIT */
/* Floating point of exec_native.c: which instructions, what they are given, who computes. */
#ifndef CHECKS_EXEC_FLOAT_H
#define CHECKS_EXEC_FLOAT_H
#include <stdbool.h>
#include <svmcore/svmcore.h>

bool exec_float_is(const struct svmc_insn *insn);
/* Numbers of all kinds, of 16, 32 or 64 bits: n bytes, a multiple of 8. */
void exec_float_draw(uint64_t *seed, uint8_t *at, unsigned n);
uint32_t exec_float_draw_mxcsr(uint64_t *seed);
enum svmc_status exec_float_op(void *ctx, struct svmc_exec_vec_op *op);

#endif
