/* SPDX-License-Identifier: MIT */
/**
 * Linux KVM on x86, a second chance: an instruction that KVM could not emulate is finished here,
 * and the guest goes on. Part of the archive svmcore-kvm; it allocates nothing, keeps no file open.
 * Source: docs/spec/kvm.md, rules KV-14 to KV-29; the kernel's Documentation/virt/kvm/api.rst.
 */
#ifndef SVMCORE_PORT_KVM_FINISH_H
#define SVMCORE_PORT_KVM_FINISH_H
#include "../exec_x86.h"
#include "../walk.h"
#include "../x86_cpu.h"
#include "kvm.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KVM_FINISH_TEXT_MAX   256u /* bytes that hold every text of svmc_kvm_finish_format */
#define SVMC_KVM_FINISH_COMPONENTS 10u  /* of the extended state: up to PKRU */

/** Bits of `flags` of struct svmc_kvm_finish_how. */
#define SVMC_KVM_FINISH_TRANSLATE 0x1u /* KVM_TRANSLATE finds addresses, without rights: KV-19 */
#define SVMC_KVM_FINISH_MEND      0x2u /* loads that KVM executes wrongly are taken over: KV-28 */

/**
 * What the VMM lends. ctx first. Of the devices each function answers
 *   SVMC_OK                done;
 *   SVMC_ERR_BUSY          not here: the access becomes an exit of struct kvm_run, as if the
 *                          function were absent (KV-17);
 *   anything else          the guest's instruction ends undone: SVMC_ERR_CALLBACK.
 */
struct svmc_kvm_finish_ops {
    uint32_t size; /* sizeof(struct svmc_kvm_finish_ops) as the VMM compiled it */

    /* required: where this process has bytes [at, at + n) of the guest's memory, one behind the
       other, as long as the call lasts; NULL: a device has them, or no one. access: READ and WRITE
       of enum svmc_access: what is read-only is a device to who writes. n: 1 to 64, or two pages */
    void *(*memory)(void *ctx, svmc_gpa at, size_t n, uint32_t access);
    /* optional (NULL: an exit, KV-17): n: 1 to 8 bytes of a device */
    SVMC_NODISCARD enum svmc_status (*device_read)(void *ctx, svmc_gpa at, void *dst, size_t n);
    SVMC_NODISCARD enum svmc_status (*device_write)(void *ctx, svmc_gpa at, const void *src,
                                                    size_t n);
    /* optional (NULL: an exit, KV-17): n: 1, 2 or 4 */
    SVMC_NODISCARD enum svmc_status (*port_read)(void *ctx, uint32_t port, void *dst, size_t n);
    SVMC_NODISCARD enum svmc_status (*port_write)(void *ctx, uint32_t port, const void *src,
                                                  size_t n);
    /* optional (NULL: NEEDS_VECTOR for floating point): as in exec.h; port/x86vec.h has it */
    SVMC_NODISCARD enum svmc_status (*vec_op)(void *ctx, struct svmc_exec_vec_op *op);
};

/** How instructions of one vCPU are finished. */
struct svmc_kvm_finish_how {
    const struct svmc_kvm_finish_ops *ops; /* as ctx and xsave, it outlives the object */
    void *ctx;
    const struct svmc_cpuid_leaf
        *leaves; /* what the guest's processor has; NULL: as KVM was told */
    size_t leaf_count;
    void *xsave;        /* at a multiple of 8: room for the extended state */
    size_t xsave_bytes; /* KVM_CAP_XSAVE2, at least 4096 */
    uint32_t flags;
    uint32_t reserved; /* 0 */
};

/** What became of an exit. */
struct svmc_kvm_finished {
    uint8_t action; /* enum svmc_exec_action; DONE, AGAIN, FAULT: KVM_RUN goes on; PENDING: KV-17 */
    uint8_t count;  /* bytes[count]: what is known of the instruction */
    uint8_t bytes[SVMC_INSN_MAX];
    uint8_t refusal;       /* enum svmc_refusal, where the guest gets #UD for it; else 0 */
    uint8_t reserved[6];   /* 0 */
    struct svmc_insn insn; /* length 0: there is none */
    struct svmc_exec_result exec;
};

/** What a vCPU of either architecture has: mapping, memory, devices, and what is on its way. */
struct svmc_kvm_finish_lent {
    void *run; /* struct kvm_run */
    const struct svmc_kvm_finish_ops *ops;
    void *ctx;
    struct svmc_kvm_finished out; /* of the instruction that waits, or is to be put back */
    uint8_t fetching, refused, by_exits;
    uint8_t piece, pieces; /* of the access that waits: 8 bytes each */
    uint8_t data[SVMC_EXEC_WIDTH_MAX];
};

/** Control of the floating-point units. */
struct svmc_kvm_finish_fpu {
    uint32_t mxcsr;
    uint16_t fcw, fsw, ftw, fop;
    uint64_t fip, fdp;
    uint32_t pkru;
};

/** The instructions of one vCPU, one after the other. The caller's memory; all of it is private. */
struct svmc_kvm_finish {
    struct {
        int vcpu;
        uint32_t xsave_bytes, flags, quirks;
        size_t run_bytes;
        uint8_t *xsave;
        uint16_t component_at[SVMC_KVM_FINISH_COMPONENTS];
        uint16_t component_bytes[SVMC_KVM_FINISH_COMPONENTS];
        struct svmc_cpu cpu[3]; /* in 16, 32 and 64-bit code */
        uint64_t old_regs[18];  /* struct kvm_regs as KVM has them */
        uint64_t old_sregs[39]; /* struct kvm_sregs */
        uint64_t old_events[8]; /* struct kvm_vcpu_events */
        struct svmc_kvm_finish_fpu old_fpu;
        struct svmc_exec exec;
        struct svmc_exec_x86 regs;
        struct svmc_walk_x86 walk;
        struct svmc_kvm_finish_lent lent;
        uint8_t state; /* enum of finish_private.h */
        uint8_t mends;
        uint8_t wrote, drained; /* registers in xsave; it is as KVM wants it */
    } priv;
};

/**
 * Have KVM exit for what it cannot emulate in ring 3, too, where the guest gets #UD else: once for
 * a VM, KVM_CAP_EXIT_ON_EMULATION_FAILURE.
 *
 * @return 1: so it is; 0: this KVM cannot.
 */
SVMC_API uint32_t svmc_kvm_finish_enable(int vm);

/**
 * Get ready for a vCPU, whose CPUID is set.
 *
 * Owns:    the caller keeps descriptors, mapping and what `how` points to.
 * State:   *f is written whole; the vCPU is not changed.
 * Threads: the vCPU's. No other ioctl of it runs; the same for all below.
 * Source:  KV-14.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_UNSUPPORTED (this KVM lacks what is needed, or CPUID is
 *         of no vendor that svmc_cpu_from_cpuid knows); SVMC_ERR_CALLBACK (KVM).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_finish_open(
    struct svmc_kvm_finish *f, const struct svmc_kvm_files *files,
    const struct svmc_kvm_finish_how *how);

/**
 * The exit in struct kvm_run -> a finished instruction. After PENDING, in the same way, the answer
 * there -> the rest of it.
 *
 * State:   DONE, AGAIN, FAULT: the vCPU has the registers behind it, or the fault on its way: next
 *          comes KVM_RUN. PENDING: struct kvm_run has an exit, MMIO or IO, of this instruction:
 *          answer it as any, and call again instead of KVM_RUN. NEEDS_ATOMIC, NEEDS_VECTOR,
 *          UNFINISHED: nothing was done, *out says to what.
 *          On an error the vCPU is as it was. CALLBACK may be tried again, before anything else: an
 *          instruction that is over is not done twice; of one that is not, parts that were written
 *          before are written again (KV-27). Or say drop.
 *          A VMM that single-steps says KVM_SET_GUEST_DEBUG again behind DONE: that is its step.
 *          With MEND it is called for KVM_EXIT_MMIO as well, before that is answered: PENDING:
 *          as above, UNSUPPORTED: KVM does it right.
 * Source:  KV-15 to KV-28.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_UNSUPPORTED (no such exit: it is the VMM's);
 *         SVMC_ERR_STATE (struct kvm_run has registers that KVM has not taken yet; an event is
 *         on its way); SVMC_ERR_REFUSED (code or page tables of the guest lie in no memory);
 *         SVMC_ERR_CALLBACK (KVM, or one of `ops`, failed: where the executor was told so,
 *         out->exec has its callback and callback_status).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_finish_exit(struct svmc_kvm_finish *f,
                                                              struct svmc_kvm_finished *out);

/** @return 1: an access waits: answer struct kvm_run and call svmc_kvm_finish_exit, not KVM_RUN. */
SVMC_API uint32_t svmc_kvm_finish_waits(const struct svmc_kvm_finish *f);

/** Forget what waits: the vCPU is before the instruction, what was written stays. */
SVMC_API void svmc_kvm_finish_drop(struct svmc_kvm_finish *f);

/**
 * Say what became of it in one line, e.g. "fld qword ptr [rbx] (dd 03): no row of this build
 * finishes it".
 *
 * Shape: text[cap] gets a NUL-terminated string; SVMC_KVM_FINISH_TEXT_MAX always suffices.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (cap too small: it is cut).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_finish_format(const struct svmc_kvm_finished *out,
                                                                char *text, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
