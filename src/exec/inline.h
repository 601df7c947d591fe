/* SPDX-License-Identifier: MIT */
/**
 * The executor as part of your own source, for hosts that cannot afford calls through pointers:
 * define SVMC_EXEC_OPS as the name of a `static const struct svmc_exec_ops` whose functions stand
 * above this include, and they are inlined. The functions of exec.h, exec_rv.h and exec_x86.h are
 * static then, and not those of the archive, which is linked for the decoder. The table that
 * svmc_exec_init is given has to be the same one. Vector and x87 instructions are the archive's.
 * AArch64 has inline_a64.h; a file may include both, and best has little else: the static functions
 * of all these sources are its own then, and their names are short.
 */
#ifndef EXEC_INLINE_H
#define EXEC_INLINE_H
#include "inline_core.h"
#include <svmcore/exec_rv.h>
#include <svmcore/exec_x86.h>
#define svmc_exec_rv_fetch   svmc_exec_inline_rv_fetch
#define svmc_exec_rv_start   svmc_exec_inline_rv_start
#define svmc_exec_rv_resume  svmc_exec_inline_rv_resume
#define svmc_exec_x86_fetch  svmc_exec_inline_x86_fetch
#define svmc_exec_x86_start  svmc_exec_inline_x86_start
#define svmc_exec_x86_resume svmc_exec_inline_x86_resume
#include "rv.c"
#include "rv_fetch.c"
#include "x86.c"
#include "x86_alu.c"
#include "x86_far.c"
#include "x86_fetch.c"
#include "x86_ops.c"
#include "x86_place.c"
#include "x86_segment.c"
#include "x86_stack.c"
#include "x86_string.c"
#include "x86_system.c"
#endif
