/* SPDX-License-Identifier: MIT */
/** A vCPU that answers ioctls without KVM; its k-th call fails. */
#ifndef TESTS_FAKE_VCPU_H
#define TESTS_FAKE_VCPU_H
#include <svmcore/port/kvm_finish.h>

#include <linux/kvm.h>
#include <stdbool.h>

#define FAKE_VM   1000 /* descriptors that nobody has */
#define FAKE_VCPU 1001

#define FAKE_PAGE   0x1000u
#define FAKE_MEMORY 0x10000u /* bytes of the guest, from 0 on */
#define FAKE_TABLES 0x1000u  /* four levels, a page each */
#define FAKE_CODE   0x5000u
#define FAKE_DEVICE 0x10000000u
#define FAKE_XSAVE  4096u

/* Linear pages, from LINEAR on. */
#define LINEAR         0x400000u
#define LINEAR_CODE    LINEAR
#define LINEAR_DATA    (LINEAR + 0x1000u) /* gpa 6000, and the next one 7000 */
#define LINEAR_DEVICE  (LINEAR + 0x3000u) /* two pages of FAKE_DEVICE */
#define LINEAR_ABSENT  (LINEAR + 0x5000u)
#define LINEAR_KERNEL  (LINEAR + 0x6000u)   /* gpa 8000 */
#define LINEAR_CONST   (LINEAR + 0x7000u)   /* gpa 9000: the guest may read it */
#define LINEAR_ROM     (LINEAR + 0x8000u)   /* gpa a000: the VMM lets nobody write */
#define LINEAR_NOTABLE (LINEAR + 0x200000u) /* its table lies in no memory */

struct fake_vcpu {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debug;
    struct kvm_xcrs xcrs;
    _Alignas(64) uint8_t xsave[FAKE_XSAVE];
};

/* Of arm64: a register by its number. */
#define FAKE_ONE_REGS 128u
struct fake_one_reg {
    uint64_t id;
    uint8_t bytes[16];
};

struct fake_lab {
    struct fake_one_reg one[FAKE_ONE_REGS];
    struct fake_vcpu v;
    struct svmc_kvm_finish f;
    struct svmc_kvm_finished out;
    union {
        struct kvm_run run;
        uint8_t bytes[2 * FAKE_PAGE];
    } run;
    _Alignas(64) uint8_t memory[FAKE_MEMORY];
    _Alignas(64) uint8_t xsave[FAKE_XSAVE];
    unsigned calls, fail_at, sets; /* ioctls counted from 1 */
    unsigned reads, writes;        /* of the device, by callbacks */
    unsigned runs;                 /* of KVM */
    enum svmc_status device;       /* what they say */
    unsigned fail_write;           /* but to this one */
    uint8_t wrote[16];             /* what the last of them had */
    uint64_t xss, msr_reads;       /* IA32_XSS; ~0: there is none */
    bool counts;                   /* KVM_GET_CPUID2 says how many leaves there are */
    uint64_t translated;           /* what KVM_TRANSLATE gives; 0: nothing */
};

/** Open it in 64-bit code of ring 3 with code[n] at RIP, after an exit that says so. */
bool fake_open(struct fake_lab *l, const uint8_t *code, size_t n, bool callbacks, uint32_t flags);
/** What the VMM lends; the same of an empty one, for arm64. */
const struct svmc_kvm_finish_ops *fake_ops(bool callbacks);
const struct svmc_kvm_finish_ops *fake_bare(struct fake_lab *l, bool callbacks);
struct fake_one_reg *fake_one_reg(struct fake_lab *l, uint64_t id);
/** The exit of KVM: emulation failed, with or without the bytes. */
void fake_fail_emulation(struct fake_lab *l, bool with_bytes);
/** A register of the extended state, in use. */
void fake_put_xmm(struct fake_lab *l, unsigned number, const uint8_t bytes[16]);
/** Finish, and answer exits from device[0..64) until nothing waits; how many exits there were. */
unsigned fake_go_on(struct fake_lab *l, uint8_t *device, enum svmc_status *st);

#endif
