/* SPDX-License-Identifier: MIT */
/* x87, MXCSR and the areas of FXSAVE and XSAVE of exec_native.c: which, and what they are given. */
#ifndef CHECKS_EXEC_FPU_H
#define CHECKS_EXEC_FPU_H
#include <stdbool.h>
#include <svmcore/svmcore.h>

#include "exec_stub.h"

bool exec_fpu_is(const struct svmc_insn *insn);
/* What an area has to be a multiple of; 0: it is none. */
unsigned exec_fpu_area(const struct svmc_insn *insn);
/* What CPUID says of x87 and XSAVE. */
void exec_fpu_describe(struct svmc_exec_x86 *regs);
/* Registers and words. EDX:EAX too, of XSAVE and its like. */
void exec_fpu_draw(uint64_t *seed, const struct svmc_insn *insn, struct stub_state *s,
                   struct svmc_exec_x86 *regs);
/* Whether the processor would save what struct stub_state has not; or the area ends behind the
   limit of its segment. */
bool exec_fpu_is_too_much(const struct svmc_insn *insn, const struct svmc_exec_x86 *regs,
                          uint64_t linear);
/* Memory's operand: n bytes, as many as are there. */
void exec_fpu_fill(uint64_t *seed, const struct svmc_insn *insn, uint8_t *at, unsigned n);

#endif
