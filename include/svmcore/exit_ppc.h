/* SPDX-License-Identifier: MIT */
/** Exits of Power hypervisors -> svmc_exit: docs/spec/exit.md, EX-90 to EX-92. */
#ifndef SVMCORE_EXIT_PPC_H
#define SVMCORE_EXIT_PPC_H
#include <stddef.h>
#include <stdint.h>
#include "exit.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What an interrupt to hypervisor state left in its registers; Power ISA book III, chapter 7. */
struct svmc_ppc_exit {
    uint32_t vector; /* of the interrupt, without AIL's offset: 0xc00, 0xe00, ... */
    uint32_t hdsisr; /* 0xe00, here and below */
    uint64_t hdar;
    uint64_t asdr; /* guest-real page, as of a radix guest; of an HPT guest put it there yourself */
    uint64_t srr1; /* HSRR1, or SRR1 where the interrupt sets that: the guest's MSR is in it */
};

/**
 * An interrupt that the guest took to the hypervisor -> an exit that the library finishes. Pure: it
 * names the registers, svmc_vcpu_exit reads them.
 *
 * Shape:   bytes[0..count): the instruction at HSRR0 as it lies in memory, for 0xe00, else ignored.
 *          A data storage interrupt is taken for an access to a device: ask your partition-scoped
 *          tables first.
 * State:   of a hypercall NIA stands behind it already (SRR0), of an access on it (HSRR0).
 * Owns:    nothing. Threads: any.
 * Source:  EX-90 to EX-92.
 *
 * @return SVMC_OK: a hypercall, a load, a store; or SVMC_KIND_UNKNOWN, for which the policy's
 *         answer is a program interrupt: sc 1 of the problem state, an instruction that needs
 *         assistance or a facility that is not there; SVMC_ERR_TRUNCATED: bytes are needed;
 *         SVMC_ERR_MISMATCH: the instruction is not what was interrupted; SVMC_ERR_UNSUPPORTED:
 *         yours to handle: every other vector, faults of a table walk, and instructions beyond one
 *         load or store of one register: with update, prefixed, multiple, atomic, vectors;
 *         SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_ppc(const struct svmc_ppc_exit *raw,
                                                            const uint8_t *bytes, size_t count,
                                                            struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
