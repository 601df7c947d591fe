/* SPDX-License-Identifier: MIT */
/** What inline.h and inline_a64.h share: the functions of exec.h. */
#ifndef EXEC_INLINE_CORE_H
#define EXEC_INLINE_CORE_H
#ifndef SVMC_EXEC_OPS
#error "SVMC_EXEC_OPS names the table of callbacks"
#endif
#include <svmcore/exec.h>
#define svmc_exec_init   svmc_exec_inline_init
#define svmc_exec_answer svmc_exec_inline_answer
#define svmc_exec_drop   svmc_exec_inline_drop
#define EXEC_OPS(x)      ((void)(x), &SVMC_EXEC_OPS)
#define EXEC_FN          static __attribute__((unused))
#include "exec.c"
#include "exec_call.c"
#endif
