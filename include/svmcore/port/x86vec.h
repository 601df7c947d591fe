/* SPDX-License-Identifier: MIT */
/**
 * The floating-point operations that the executor asks for (vec_op of svmcore/exec.h), done by the
 * x86 processor that the host runs on. Hosted; an archive of its own. It needs no library,
 * allocates nothing, and has no memory but the caller's. Not for code that may not touch vector
 * registers: there vec_op is absent, and the answer NEEDS_VECTOR.
 * Source: docs/spec/exec.md, XE-60.
 */
#ifndef SVMCORE_PORT_X86VEC_H
#define SVMCORE_PORT_X86VEC_H
#include "../config.h"
#include "../exec_vec.h"
#include "../status.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What the processor can do. */
struct svmc_x86vec {
    struct {
        uint32_t open;
        uint32_t has; /* bits */
    } priv;
};

/**
 * Ask the processor what it can do, and its XCR0 what the system lets it.
 *
 * State:   *v is written whole.
 * Threads: any; CPUID of all processors that will run it is the same.
 * Source:  SDM vol. 1 14.3, 15.2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_UNSUPPORTED (not even SSE2).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_x86vec_open(struct svmc_x86vec *v);

/**
 * Do one operation: the body of a vec_op callback.
 *
 * Owns:    nothing; op->out and the flags of op->mxcsr are written.
 * State:   MXCSR of the host is as before; all exceptions are masked meanwhile, so none is raised.
 *          Upper halves of vector registers are zero (VZEROUPPER).
 *          On an error *op is as before.
 * Threads: any number at a time, with records of their own.
 * Source:  XE-60.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL; v is not open); SVMC_ERR_UNSUPPORTED (no such operation,
 *         or this processor has it not).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_x86vec_execute(const struct svmc_x86vec *v,
                                                             struct svmc_exec_vec_op *op);

#ifdef __cplusplus
}
#endif
#endif
