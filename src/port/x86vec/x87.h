/* SPDX-License-Identifier: MIT */
/** Operations of the x87 by this processor. */
#ifndef PORT_X86VEC_X87_H
#define PORT_X86VEC_X87_H
#include <svmcore/exec_vec.h>
#include <svmcore/status.h>

/** As svmc_x86vec_execute, of SVMC_EXEC_VEC_X87_ADD and its like. */
enum svmc_status svmc_x86vec_x87(struct svmc_exec_vec_op *op);

#endif
