/* SPDX-License-Identifier: MIT */
/** Exits of RISC-V hypervisors in HS-mode -> svmc_exit: docs/spec/exit.md, EX-35 to EX-40. */
#ifndef SVMCORE_EXIT_RV_H
#define SVMCORE_EXIT_RV_H
#include <stddef.h>
#include <stdint.h>
#include "exit.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What a trap to HS-mode left in its registers; RISC-V privileged architecture, chapter 8. */
struct svmc_rv_exit {
    uint64_t cause; /* scause; bit 63 (RV32: 31, put it there): an interrupt */
    uint64_t stval;
    uint64_t htval;  /* guest-physical address >> 2, or 0 */
    uint64_t htinst; /* transformed instruction, or 0 */
    uint8_t isa;     /* SVMC_ISA_RV32 or SVMC_ISA_RV64: VS-mode's, or VU-mode's that trapped */
    uint8_t user;    /* 1: from VU-mode (sstatus.SPP 0) */
    uint8_t reserved[2];
    uint32_t scounteren; /* the guest's: the counters that it lends to VU-mode */
};

/**
 * A trap from VS-mode or VU-mode -> an exit that the library finishes alone. Pure: it names the
 * registers, svmc_vcpu_exit reads them.
 *
 * Shape:   bytes[0..count): the instruction at sepc, or NULL and 0. They are needed where htinst is
 *          0, as many processors leave it; where both are there, they must agree. A load or store
 *          guest-page fault is taken for an access to a device: ask your G-stage tables first.
 * Owns:    nothing. Threads: any.
 * Source:  EX-35 to EX-40.
 *
 * @return SVMC_OK: a load, a store, WFI, ECALL of VS-mode, a CSR that is known; or
 *         SVMC_KIND_UNKNOWN, for which the policy's answer is an exception: all other virtual
 *         instructions; SVMC_ERR_TRUNCATED: bytes are
 *         needed; SVMC_ERR_MISMATCH: the instruction is not what trapped; SVMC_ERR_UNSUPPORTED:
 *         yours to handle: interrupts, instruction faults, implicit accesses of a table walk,
 *         atomics, floating-point registers; SVMC_ERR_UNDEFINED: bytes that are no instruction;
 *         SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_rv(const struct svmc_rv_exit *raw,
                                                           const uint8_t *bytes, size_t count,
                                                           struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
