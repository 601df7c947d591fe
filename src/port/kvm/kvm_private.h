/* SPDX-License-Identifier: MIT */
/** A context in bytes: a header, then sections in the order of their numbers. docs/spec/kvm.md */
#ifndef PORT_KVM_PRIVATE_H
#define PORT_KVM_PRIVATE_H
#include <svmcore/port/kvm.h>

#include <linux/kvm.h>

#include "finish_lent.h"

#define KVM_MAGIC         0x564b5653u /* "SVKV" */
#define KVM_VERSION       1u
#define KVM_HEADER_BYTES  16u
#define KVM_SECTION_BYTES 8u /* before each payload: its number, its bytes */

/** KV-4: their numbers are the order in which they are put back. */
enum kvm_section {
    KVM_PART_MP_STATE,
    KVM_PART_REGS,
    KVM_PART_SREGS,
    KVM_PART_SREGS2, /* one of the two */
    KVM_PART_XSAVE,
    KVM_PART_XCRS,
    KVM_PART_DEBUGREGS,
    KVM_PART_LAPIC, /* before MSRs: the deadline of the clock belongs to it */
    KVM_PART_TSC,
    KVM_PART_MSRS,
    KVM_PART_EVENTS, /* the last: KVM_SET_REGS forgets what is pending */
    KVM_PARTS
};

struct kvm_part_tsc {
    uint64_t tsc;
    uint32_t khz, reserved;
};

_Static_assert(sizeof(struct kvm_mp_state) == 4, "as in the format");
_Static_assert(sizeof(struct kvm_regs) == 144, "as in the format");
_Static_assert(sizeof(struct kvm_sregs) == 312, "as in the format");
_Static_assert(sizeof(struct kvm_sregs2) == 320, "as in the format");
_Static_assert(sizeof(struct kvm_xcrs) == 392, "as in the format");
_Static_assert(sizeof(struct kvm_debugregs) == 128, "as in the format");
_Static_assert(sizeof(struct kvm_lapic_state) == 1024, "as in the format");
_Static_assert(sizeof(struct kvm_part_tsc) == 16, "as in the format");
_Static_assert(sizeof(struct kvm_msrs) == 8, "as in the format");
_Static_assert(sizeof(struct kvm_msr_entry) == 16, "as in the format");
_Static_assert(sizeof(struct kvm_vcpu_events) == 64, "as in the format");

#endif
