/* SPDX-License-Identifier: MIT */
/* The vector registers of exec_native.c: what they hold, callbacks, the difference. */
#ifndef CHECKS_EXEC_STATE_H
#define CHECKS_EXEC_STATE_H
#include <svmcore/svmcore.h>

#include "exec_stub.h"

/* Of the library's side; touched: a callback was asked for one of them. */
struct exec_state {
    struct stub_state now;
    bool touched;
};
extern struct exec_state exec_state;

enum svmc_status exec_state_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n);
enum svmc_status exec_state_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                  size_t n);

/* Whether the instruction has something to do with them. */
bool exec_state_matters(const struct svmc_insn *insn);
/* All of them anew, and the words of them that regs has. all: else the operands of insn alone. */
void exec_state_draw(uint64_t *seed, const struct svmc_insn *insn, struct svmc_exec_x86 *regs,
                     bool all);
/* NULL, or what differs from the processor's; the words of regs, too. fault: it faulted: then MMX
   leaves TOP alone here, and Intel's processors do not. */
const char *exec_state_differs(const struct stub_state *theirs, const struct svmc_exec_x86 *regs,
                               bool fault);
void exec_state_show(const struct stub_state *before, const struct stub_state *theirs,
                     const struct svmc_exec_x86 *regs);

#endif
