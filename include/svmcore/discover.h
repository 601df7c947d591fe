/* SPDX-License-Identifier: MIT */
/**
 * Hypercall interfaces that stand side by side (ours, Hyper-V's, KVM's, Xen's, VMware's...): what a
 * guest is told of them by CPUID, SMCCC and SBI, from one declaration. docs/spec/hcall.md, HN-21.
 */
#ifndef SVMCORE_DISCOVER_H
#define SVMCORE_DISCOVER_H
#include <stdint.h>
#include "status.h"
#include "trap.h"
#ifdef __cplusplus
extern "C" {
#endif

/** By what the guest asks. */
enum svmc_discover_kind {
    SVMC_DISCOVER_CPUID = 1, /* x86: leaves from 0x40000000 on */
    SVMC_DISCOVER_SMCCC = 2, /* AArch64: an owner of function ids */
    SVMC_DISCOVER_SBI = 3    /* RISC-V: extension ids */
};

/** One interface, as one kind of guest sees it; can lie in ROM. What its kind has no use for is 0.
 */
struct svmc_discover_face {
    uint8_t kind;        /* enum svmc_discover_kind */
    uint8_t owner;       /* SMCCC: 0 to 63: bits 29:24 of its ids */
    uint8_t reserved[2]; /* 0 */
    uint32_t first;  /* CPUID: its first leaf, 0x40000000 to 0x4000ff00 in steps of 0x100; SMCCC:
                            the lowest number, 15:0 of its ids; SBI: the lowest id */
    uint32_t last;   /* the last of them; CPUID: at most first + 0xff; SMCCC: below 0xff00 */
    uint32_t major;  /* SMCCC: revision; SBI: what a probe answers, not 0 */
    uint32_t minor;  /* SMCCC */
    uint8_t uid[16]; /* CPUID: 12 characters, then 0; SMCCC: the UUID in its written order */
    const uint32_t *words; /* CPUID: EAX, EBX, ECX, EDX of each leaf behind the first one */
};

/**
 * The face by which guests find native calls (docs/spec/hypercall.md, Announcements).
 *
 * Shape:   trap: how the VM may call; kind: of *face; first: CPUID: where its block of leaves is to
 *          begin, 0x40000100 beside another; SMCCC: 0; SBI: any; words[4]: CPUID: what face->words
 *          is to be, else NULL.
 * Owns:    words outlives the face.
 * State:   *face is zero after an error.
 * Threads: pure.
 * Source:  HN-22, HN-23.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, kind, no such leaf, the trap configuration opens no way that
 *         this kind of guest has, or no `port`, `eid` for it).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_discover_native(const struct svmc_trap_config *trap,
                                                              enum svmc_discover_kind kind,
                                                              uint32_t first, uint32_t words[4],
                                                              struct svmc_discover_face *face);

/**
 * Can they all be there at once? No two may answer to the same leaf or id, or own the same ids.
 *
 * Shape:  bad[0], bad[1]: the two that conflict, or twice the one that is not in order.
 * Source: HN-21.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, or what bad[] says; UINT32_MAX: neither).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_discover_check(const struct svmc_discover_face *faces,
                                                             uint32_t count, uint32_t bad[2]);

/** A leaf of CPUID: 1 and out[] EAX, EBX, ECX, EDX; 0: nobody's, and out[] is 0 (HN-22). */
SVMC_API int svmc_discover_cpuid(const struct svmc_discover_face *faces, uint32_t count,
                                 uint32_t leaf, uint32_t out[4]);

/**
 * An SMCCC call that asks what there is: SMCCC_VERSION (1.2), SMCCC_ARCH_FEATURES of the function
 * in `arg`, and of each owner the call UID and the revision (HN-23).
 *
 * @return 1 with out[], X0 to X3; 0: another call, or a question for another function of the
 *         architecture's (ARCH_WORKAROUND_1...): yours to answer, and out[] is 0.
 */
SVMC_API int svmc_discover_smccc(const struct svmc_discover_face *faces, uint32_t count,
                                 uint32_t id, uint64_t arg, uint64_t out[4]);

/** sbi_probe_extension: what it answers for an id; 0: there is none such (HN-23). */
SVMC_API uint32_t svmc_discover_sbi(const struct svmc_discover_face *faces, uint32_t count,
                                    uint64_t id);

#ifdef __cplusplus
}
#endif
#endif
