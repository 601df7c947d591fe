/* SPDX-License-Identifier: MIT */
/**
 * Linux KVM on arm64: an access of a device whose syndrome says nothing (KVM_EXIT_ARM_NISV) is
 * finished here, and the guest goes on. An archive of its own, svmcore-kvm-a64; it allocates
 * nothing and keeps no file open.
 * Source: docs/spec/kvm.md, rules KV-30 to KV-36; the kernel's Documentation/virt/kvm/api.rst.
 */
#ifndef SVMCORE_PORT_KVM_FINISH_A64_H
#define SVMCORE_PORT_KVM_FINISH_A64_H
#include "../exec_a64.h"
#include "../walk.h"
#include "kvm_finish.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KVM_FINISH_A64_REGS 34u /* X0 to X30, SP_EL0, PC, PSTATE */

/** The instructions of one vCPU, one after the other. The caller's memory; all of it is private. */
struct svmc_kvm_finish_a64 {
    struct {
        int vcpu;
        uint8_t state, kernel;
        uint64_t old[SVMC_KVM_FINISH_A64_REGS + 5]; /* and SP_EL1, ELR, SPSR, ESR, FAR of EL1 */
        uint64_t vbar;
        struct svmc_exec exec;
        struct svmc_exec_a64 regs;
        struct svmc_walk_a64 walk;
        struct svmc_kvm_finish_lent lent;
        uint32_t wrote; /* bit n: V register n */
        uint8_t vector[32][16];
        uint8_t old_vector[32][16];
    } priv;
};

/**
 * Get ready for a vCPU, of a VM for which KVM_CAP_ARM_NISV_TO_USER is enabled.
 *
 * Shape:   run: its struct kvm_run. ops: as on x86, without ports. A device that says
 *          SVMC_ERR_REFUSED is not there: the guest gets a synchronous external abort.
 *          dczid: DCZID_EL0 as the guest sees it, so the machine's.
 * Owns:    the caller keeps descriptor, mapping, ops and ctx.
 * State:   *f is written whole; the vCPU is not changed.
 * Threads: the vCPU's. No other ioctl of it runs; the same for all below.
 * Source:  KV-30.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK (KVM).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_finish_a64_open(
    struct svmc_kvm_finish_a64 *f, int vcpu, void *run, const struct svmc_kvm_finish_ops *ops,
    void *ctx, uint64_t dczid);

/**
 * The exit in struct kvm_run -> a finished instruction; after PENDING the answer to the
 * KVM_EXIT_MMIO there -> the rest of it.
 *
 * State:   as svmc_kvm_finish_exit: DONE, AGAIN, FAULT: KVM_RUN goes on; PENDING: answer, again;
 *          NEEDS_ATOMIC, NEEDS_VECTOR, UNFINISHED: nothing was done.
 *          On an error the vCPU is as it was; CALLBACK may be tried again, or drop said.
 * Source:  KV-30 to KV-36.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_UNSUPPORTED (no such exit; AArch32; EL2);
 *         SVMC_ERR_CALLBACK (KVM, or one of ops, failed; out->exec as on x86).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_finish_a64_exit(struct svmc_kvm_finish_a64 *f,
                                                                  struct svmc_kvm_finished *out);

/** @return 1: an access waits: answer it and call svmc_kvm_finish_a64_exit, not KVM_RUN. */
SVMC_API uint32_t svmc_kvm_finish_a64_waits(const struct svmc_kvm_finish_a64 *f);

/** Forget what waits, and the guest's exclusive monitor; what was written stays. */
SVMC_API void svmc_kvm_finish_a64_drop(struct svmc_kvm_finish_a64 *f);

#ifdef __cplusplus
}
#endif
#endif
