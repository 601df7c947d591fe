/* SPDX-License-Identifier: MIT */
/**
 * From a matched trap to a call, and from its answer back into the guest's registers: what stands
 * between trap.h and the front ends. docs/spec/answer.md.
 *
 *     svmc_trap_from_x86(&config, &raw, NULL, 0, &ops, ctx, &trap);
 *     if (trap.verdict == SVMC_TRAP_CALL && trap.abi == SVMC_TRAP_NATIVE) {
 *         st = svmc_answer_native_call(&trap, &ops, ctx, &call);
 *         if (st == SVMC_OK)
 *             st = svmc_hcall_dispatch(&native, &call, &result);
 *         next = svmc_answer_native(&trap, &ops, ctx, st, &call, &result, &fault);
 *     }
 *
 * All of them use reg_read and reg_write of struct svmc_host_ops, nothing else of it.
 */
#ifndef SVMCORE_ANSWER_H
#define SVMCORE_ANSWER_H
#include "hcall.h"
#include "host.h"
#include "status.h"
#include "trap.h"
#include "vmware.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What to do next. */
enum svmc_answer {
    SVMC_ANSWER_STOP = 0,   /* a function of yours failed: the guest must not run */
    SVMC_ANSWER_RESUME = 1, /* registers and program counter are written: enter the guest */
    SVMC_ANSWER_INJECT = 2, /* likewise; the program counter is at the instruction: *fault is due */
    SVMC_ANSWER_AGAIN = 3,  /* the call is not over and nobody can take the instruction back
                               (KVM_EXIT_IO, TDX): yield, or if fault->raised bring in the page it
                               tells; then hand in the same call, as it now is */
    SVMC_ANSWER_OTHERS = 4  /* nothing was done: yours, as the trap's verdict tells */
};

/**
 * A call of VMWARE. `iopl`, `base`, `data` and `data_bytes` are 0: set what applies.
 *
 * State:   *call is zero after an error.
 * Threads: pure.
 * Source:  AN-1.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, the trap is no such call).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_answer_vmware_call(const struct svmc_trap *trap,
                                                                 uint32_t vcpu,
                                                                 struct svmc_vmware_call *call);

/**
 * What svmc_vmware_handle answered, into the guest.
 *
 * Shape:   status: what it returned; fault: of the guest, with INJECT and AGAIN, else zero.
 * State:   STOP: nothing was written, but of a high-bandwidth call whose callback failed the
 *          registers of the part that is done: the guest may run once the cause is gone.
 * Threads: that of the vCPU; calls ops.
 * Source:  AN-2 to AN-5.
 */
SVMC_API SVMC_NODISCARD enum svmc_answer svmc_answer_vmware(const struct svmc_trap *trap,
                                                            const struct svmc_host_ops *ops,
                                                            void *ctx, enum svmc_status status,
                                                            const struct svmc_vmware_call *call,
                                                            const struct svmc_vmware_result *result,
                                                            struct svmc_fault *fault);

/**
 * A call of NATIVE: its control word, arguments, token if it says that there is one, and place.
 *
 * State:   *call is zero after an error.
 * Threads: that of the vCPU; calls ops.
 * Source:  AN-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, ops, the trap is no such call); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_answer_native_call(const struct svmc_trap *trap,
                                                                 const struct svmc_host_ops *ops,
                                                                 void *ctx,
                                                                 struct svmc_hcall_call *call);

/**
 * What svmc_hcall_dispatch answered, into the guest.
 *
 * Shape:   status: what it returned, or svmc_answer_native_call; fault: with INJECT, else zero.
 * State:   STOP: nothing was written.
 * Threads: that of the vCPU; calls ops.
 * Source:  AN-3, AN-4, AN-7.
 */
SVMC_API SVMC_NODISCARD enum svmc_answer svmc_answer_native(const struct svmc_trap *trap,
                                                            const struct svmc_host_ops *ops,
                                                            void *ctx, enum svmc_status status,
                                                            const struct svmc_hcall_call *call,
                                                            const struct svmc_hcall_result *result,
                                                            struct svmc_fault *fault);

/**
 * A trap that is the guest's own: EMULATE_READ and FORWARD. Every other verdict is OTHERS.
 *
 * Shape:   fault: with INJECT, else zero.
 * State:   STOP: nothing was written.
 * Threads: that of the vCPU; calls ops.
 * Source:  AN-3, AN-8.
 */
SVMC_API SVMC_NODISCARD enum svmc_answer svmc_answer_guest(const struct svmc_trap *trap,
                                                           const struct svmc_host_ops *ops,
                                                           void *ctx, struct svmc_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
