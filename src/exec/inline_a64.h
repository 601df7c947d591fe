/* SPDX-License-Identifier: MIT */
/** What inline.h is, for AArch64: the functions of exec.h and exec_a64.h. One of the two a file. */
#ifndef EXEC_INLINE_A64_H
#define EXEC_INLINE_A64_H
#ifndef SVMC_EXEC_OPS
#error "SVMC_EXEC_OPS names the table of callbacks"
#endif
#include <svmcore/exec_a64.h>
#define svmc_exec_init       svmc_exec_inline_init
#define svmc_exec_answer     svmc_exec_inline_answer
#define svmc_exec_drop       svmc_exec_inline_drop
#define svmc_exec_a64_fetch  svmc_exec_inline_a64_fetch
#define svmc_exec_a64_start  svmc_exec_inline_a64_start
#define svmc_exec_a64_resume svmc_exec_inline_a64_resume
#define EXEC_OPS(x)          ((void)(x), &SVMC_EXEC_OPS)
#define EXEC_FN              static __attribute__((unused))
#include "exec.c" /* first: the others call it */

#include "a64.c"
#include "a64_atomic.c"
#include "a64_fetch.c"
#include "a64_move.c"
#include "a64_place.c"
#include "a64_simd.c"
#include "exec_call.c"
#endif
