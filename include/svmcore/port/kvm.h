/* SPDX-License-Identifier: MIT */
/**
 * Linux KVM on x86: the context of a vCPU as bytes, for svmcore/seal_context.h and images, and the
 * log of pages that a guest has written, for svmcore/seal_page.h. Hosted; an archive of its own. It
 * needs no library, allocates nothing and keeps no file open: descriptors are the caller's.
 * Source: docs/spec/kvm.md, rules KV-1 to KV-13; the kernel's Documentation/virt/kvm/api.rst.
 */
#ifndef SVMCORE_PORT_KVM_H
#define SVMCORE_PORT_KVM_H
#include <stddef.h>
#include <stdint.h>
#include "../config.h"
#include "../status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KVM_MSRS_MAX 512u /* that a context can have */

/** What a load does besides. */
#define SVMC_KVM_LOAD_TSC 0x1u /* put the guest's clock back: after a restore, not a schedule */

/** A vCPU, and what a context of it has. */
struct svmc_kvm_vcpu {
    struct {
        int fd;
        uint32_t sections; /* bits, 1 << enum of kvm_private.h */
        void *run;         /* struct kvm_run */
        size_t run_bytes;
        uint64_t features; /* XCR0 as this vCPU's guest may have it at most */
        uint32_t reserved, xsave_bytes;
        uint32_t msrs, msr[SVMC_KVM_MSRS_MAX]; /* as struct kvm_msr_list; in rising order */
        uint64_t kept[SVMC_KVM_MSRS_MAX / 64]; /* bits: a wipe could not write it */
    } priv;
};

/** What an open is given: descriptors, and the vCPU's mapping. */
struct svmc_kvm_files {
    int kvm, vm, vcpu; /* /dev/kvm, KVM_CREATE_VM, KVM_CREATE_VCPU */
    void *run;
    size_t run_bytes; /* KVM_GET_VCPU_MMAP_SIZE */
};

/**
 * Find out what a context of this vCPU has. Its CPUID is set, its irqchip, if any, is there.
 *
 * Owns:    the caller keeps descriptors and mapping open as long as it uses v.
 * State:   the vCPU is as it was: each MSR is read and written back. *v is {0} on any error.
 * Threads: the vCPU's. No other ioctl of it runs; the same for all below.
 * Source:  KV-7.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (more than SVMC_KVM_MSRS_MAX MSRs);
 *         SVMC_ERR_UNSUPPORTED (this KVM lacks what a context needs); SVMC_ERR_CALLBACK (KVM).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_vcpu_open(struct svmc_kvm_vcpu *v,
                                                            const struct svmc_kvm_files *files);

/** @return the bytes that a context of v takes, a multiple of 8; 0 for NULL. */
SVMC_API size_t svmc_kvm_vcpu_bytes(const struct svmc_kvm_vcpu *v);

/**
 * Complete the access that the vCPU has exited with, whose answer lies in its struct kvm_run. What
 * is pending in KVM itself is in no register, so a save begins with this.
 *
 * State:   no instruction of the guest is executed.
 * Source:  KV-2; api.rst, immediate_exit.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_BUSY: the access goes on with an exit of its own, which
 *         lies in struct kvm_run: answer it, then again; SVMC_ERR_CALLBACK (KVM).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_vcpu_settle(struct svmc_kvm_vcpu *v);

/**
 * Collect the context: registers, system registers, extended state of whatever size, debug
 * registers, MSRs, the local APIC if KVM has it, pending events, the clock.
 *
 * Shape:   to[room] at a multiple of 8, svmc_kvm_vcpu_bytes() at least.
 * State:   settles first. The vCPU is not changed. On any error *bytes is 0, to[room] is zero.
 * Source:  KV-1, KV-2, KV-10.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, not aligned); SVMC_ERR_FULL (room); SVMC_ERR_BUSY (settle);
 *         SVMC_ERR_UNSUPPORTED (the guest runs guests of its own); SVMC_ERR_CALLBACK (KVM).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_vcpu_save(struct svmc_kvm_vcpu *v, void *to,
                                                            size_t room, size_t *bytes);

/**
 * The same without settling, for an image of a vCPU whose exit waits for its answer. It is loaded
 * into another vCPU. Where KVM completes such an access by executing its instruction, that vCPU
 * exits in the same way again; else RIP is behind it already.
 *
 * Shape:   as svmc_kvm_vcpu_save.
 * State:   as svmc_kvm_vcpu_save; what is pending stays so.
 * Source:  KV-1, KV-10, KV-13.
 *
 * @return as svmc_kvm_vcpu_save, but BUSY.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_vcpu_copy(struct svmc_kvm_vcpu *v, void *to,
                                                            size_t room, size_t *bytes);

/**
 * Overwrite the vCPU's own copy, in KVM and in struct kvm_run, and the plaintext in scratch, as far
 * as KVM lets: what stays is in KV-6.
 *
 * Shape:   scratch[bytes] at a multiple of 8, svmc_kvm_vcpu_bytes() at least: of the save.
 * State:   scratch is zero. The vCPU must not run before a load.
 * Source:  KV-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (bytes); SVMC_ERR_CALLBACK: KVM refused; what could
 *         be overwritten has been.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_vcpu_wipe(struct svmc_kvm_vcpu *v, void *scratch,
                                                            size_t bytes);

/**
 * Put a context into a vCPU: the one it is of, or one that was made alike (CPUID, irqchip).
 *
 * Shape:   from[bytes] at a multiple of 8, in memory that nobody else writes; flags: _LOAD_ bits.
 * State:   all of it is checked before KVM is asked for anything: the vCPU is as it was then. Where
 *          KVM refuses a part, it has some of the context, and must not run: wipe it.
 * Source:  KV-1, KV-3 to KV-5, KV-8, KV-9.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FORMAT (cut, longer, or not such bytes);
 *         SVMC_ERR_UNSUPPORTED (another version, or of a vCPU that has other parts, another size of
 *         extended state, MSRs that this one has not); SVMC_ERR_CALLBACK (KVM refuses a value).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_vcpu_load(struct svmc_kvm_vcpu *v,
                                                            const void *from, size_t bytes,
                                                            uint32_t flags);

/** A memory slot whose writes KVM logs: made with KVM_MEM_LOG_DIRTY_PAGES. */
struct svmc_kvm_log {
    int vm; /* its descriptor */
    uint32_t slot;
    uint64_t first, pages; /* of the guest, in pages; first is a multiple of 64 */
    uint32_t manual;       /* svmc_kvm_log_manual() said so: a fetch clears nothing */
    uint32_t reserved;     /* 0 */
};

/**
 * Have KVM clear logs by svmc_kvm_log_clear alone, for all slots of a VM, before the first of them
 * is logged: a fetch is cheap then, and what is not sealed yet stays in the log.
 *
 * @return 1: so it is; 0: this KVM cannot: each fetch clears.
 */
SVMC_API uint32_t svmc_kvm_log_manual(int vm);

/**
 * Which pages of the slot were written since they were cleared last: bits set in dirty[], a bit a
 * page of the guest (svmcore/seal_page.h), none taken away.
 *
 * Shape:   scratch[(pages + 63) / 64], dirty[(first + pages + 63) / 64].
 * State:   dirty is as it was on any error.
 * Threads: any; dirty is the caller's to lock.
 * Source:  KV-11: what the host writes itself is in no log: mark it.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK (KVM: no such slot, or it is not logged).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_log_fetch(const struct svmc_kvm_log *log,
                                                            uint64_t *scratch, uint64_t *dirty);

/**
 * Begin anew for some pages, whose bits are set in dirty[]: after the fetch, before they are read
 * to be sealed, so that a write from now on is seen. Nothing to do where a fetch clears.
 *
 * Shape:   first: of the guest, a multiple of 64; count: likewise, or up to the slot's end.
 * Source:  KV-11.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_log_clear(const struct svmc_kvm_log *log,
                                                            uint64_t first, uint64_t count,
                                                            const uint64_t *dirty);

#ifdef __cplusplus
}
#endif
#endif
