/* SPDX-License-Identifier: MIT */
/** What the hypervisor that embeds the library lends it: the callback table. */
#ifndef SVMCORE_HOST_H
#define SVMCORE_HOST_H
#include <stddef.h>
#include <stdint.h>
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

/** An exception for the guest, in the terms of its processor. */
struct svmc_fault {
    uint8_t raised;    /* 1: there is one */
    uint8_t vector;    /* x86: vector below 32. A64: exception class, to EL1. RISC-V: scause. s390x:
                          program-interruption code */
    uint8_t has_error; /* 1: error counts: x86: error code, where the mode has them; A64: ISS */
    uint8_t reserved;
    uint32_t error;
    uint64_t address; /* x86: CR2 for a page fault. A64: FAR, with FnV clear. RISC-V: stval */
};

/**
 * What the hypervisor that embeds the library lends it ("host" as in host of the library, not the
 * untrusted device model). Every function gets ctx first; none may call back into the
 * same vCPU, block, or keep a pointer it was given. The table must outlive the vCPU. "Required" is
 * meant of svmc_vcpu_init; trap.h and answer.h use the registers alone.
 */
struct svmc_host_ops {
    uint32_t size; /* sizeof(struct svmc_host_ops) as the host compiled it */

    /* required: fill dst with n unpredictable bytes, all or nothing */
    SVMC_NODISCARD enum svmc_status (*random)(void *ctx, void *dst, size_t n);
    /* required: the guest's register, 64 bits: RAX..R15, RIP, RFLAGS, FS_BASE, GS_BASE; with
       offer.h its masks */
    SVMC_NODISCARD enum svmc_status (*reg_read)(void *ctx, uint32_t reg, uint64_t *value);
    /* required: set it: a general register, RIP or s390x's condition code, which there always is,
       so this cannot fail */
    void (*reg_write)(void *ctx, uint32_t reg, uint64_t value);
    /* optional (NULL: own strings are UNSUPPORTED): where does this byte lie, with the guest's
       rights? `at` may be any number, canonical or not. A guest fault is SVMC_OK with *fault, which
       comes zeroed, filled in. What it gives is checked: same byte of the page, a real vector.
       access: READ or WRITE, of a real address with SVMC_ACCESS_REAL: s390x's prefixing alone; of
       SERVC the prefix area is a specification exception; of a realm's HOST_CALL an address of its
       own memory, or a fault */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, svmc_gva at, uint32_t access,
                                                 svmc_gpa *out, struct svmc_fault *fault);
    /* optional (with translate): n bytes of guest memory within one 4096-byte page, usable until
       the library's call returns */
    SVMC_NODISCARD enum svmc_status (*guest_span)(void *ctx, svmc_gpa at, size_t n, uint32_t access,
                                                  void **span);
    /* optional (NULL: no times in the ledger, and a host's time is held to go forwards and no
       more): a counter of the embedder's own that never goes back and is not slower than the
       guest's (R13), e.g. the TSC. Called where a vCPU has a ledger (audit.h), and for exits that
       ask for time */
    uint64_t (*ticks)(void *ctx);
    /* optional (NULL: what the policy has INTERPRET for is a fault): do it, all or nothing. kind:
       enum svmc_kind; number: of the MSR or register; value: what is written, else what is read,
       as wide as the register; of CSR_SWAP, _SET and _CLEAR first the one, then the other.
       *fault, which comes 0: enum svmc_fault_code, GP or UD: the guest gets it instead. General
       registers and the program counter are the library's. */
    SVMC_NODISCARD enum svmc_status (*interpret)(void *ctx, uint32_t kind, uint64_t number,
                                                 uint64_t *value, uint32_t *fault);
};

#ifdef __cplusplus
}
#endif
#endif
