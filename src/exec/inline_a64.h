/* SPDX-License-Identifier: MIT */
/** What inline.h is, for AArch64: the functions of exec.h and exec_a64.h. */
#ifndef EXEC_INLINE_A64_H
#define EXEC_INLINE_A64_H
#include "inline_core.h"
#include <svmcore/exec_a64.h>
#define svmc_exec_a64_fetch  svmc_exec_inline_a64_fetch
#define svmc_exec_a64_start  svmc_exec_inline_a64_start
#define svmc_exec_a64_resume svmc_exec_inline_a64_resume
#include "a64.c"
#include "a64_atomic.c"
#include "a64_fetch.c"
#include "a64_move.c"
#include "a64_place.c"
#include "a64_simd.c"
#endif
