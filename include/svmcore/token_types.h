/* SPDX-License-Identifier: MIT */
/** What tokens are made of. docs/spec/measure.md. */
#ifndef SVMCORE_TOKEN_TYPES_H
#define SVMCORE_TOKEN_TYPES_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/** What the hypervisor knows of a call, from the hardware and never from the guest's memory. */
struct svmc_token_caller {
    uint64_t vm;
    uint64_t vm_generation;     /* as in svmc_token_vm_open and _restore */
    uint64_t stage2_generation; /* another one when a mapping, or a guarded page table, may have
                                   changed; 0: nothing is guarded, each call is walked */
    uint64_t root;              /* of the address space: CR3, TTBR, satp, ASCE without ids */
    uint64_t page;              /* of the calling instruction: virtual, a multiple of 4096 */
    uint64_t frame;   /* guest-physical, by a walk; looked at by svmc_token_check_walk alone */
    uint64_t thread;  /* what tells threads apart, e.g. FS_BASE, TPIDR; 0 if nothing does */
    uint64_t returns; /* the address behind the call, as far as it is known; else 0 */
    uint64_t ticks;   /* now; never goes back */
    uint32_t vcpu;
    uint32_t offset;     /* of the calling instruction in its page */
    uint8_t isa;         /* enum svmc_isa */
    uint8_t user;        /* 1: user privilege */
    uint8_t reserved[6]; /* 0 */
};

#ifdef __cplusplus
}
#endif
#endif
