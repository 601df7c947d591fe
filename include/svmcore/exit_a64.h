/* SPDX-License-Identifier: MIT */
/** Exits of AArch64 hypervisors at EL2 -> struct svmc_exit: docs/spec/exit.md, EX-31 to EX-34. */
#ifndef SVMCORE_EXIT_A64_H
#define SVMCORE_EXIT_A64_H
#include <stddef.h>
#include <stdint.h>
#include "exit.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What the processor left in EL2's registers; Arm ARM D17.2, D17.2.37 for ESR_EL2. */
struct svmc_a64_exit {
    uint64_t esr;
    uint64_t far;
    uint64_t hpfar;
    uint64_t spsr;
};

/**
 * A synchronous exception from EL1 or EL0 to EL2, AArch64 state, little-endian data -> an exit that
 * the library finishes alone. Pure: it names the registers, svmc_vcpu_exit reads them.
 *
 * Shape:   bytes[0..count): the instruction at ELR_EL2, or NULL and 0. A data abort whose syndrome
 *          is not valid (ISV 0) needs them; where they are there, syndrome and instruction must
 *          agree. A data abort is taken for an access to a device: ask your stage-2 tables first.
 * Owns:    nothing. Threads: any.
 * Source:  EX-31 to EX-34.
 *
 * @return SVMC_OK: a load, a store, WFI, WFE; or SVMC_KIND_UNKNOWN, for which the policy's answer
 *         is an exception: HVC, SMC, system registers and every other instruction that traps;
 *         SVMC_ERR_TRUNCATED: bytes are needed; SVMC_ERR_MISMATCH: the instruction is not what
 *         trapped, or the syndrome contradicts itself; SVMC_ERR_UNSUPPORTED: yours to handle:
 *         instruction aborts, faults on a stage-1 walk, access-flag faults, cache maintenance,
 *         SError, AArch32, pairs, write-back, atomics, vector registers;
 *         SVMC_ERR_UNDEFINED: bytes that are no instruction; SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_a64(const struct svmc_a64_exit *raw,
                                                            const uint8_t *bytes, size_t count,
                                                            struct svmc_exit *out);

/**
 * An instruction or data abort that nobody emulates -> an exit for svmc_vcpu_exit: the page is not
 * there, or not yet. For a realm's own memory its host can do no more than put a page there; an
 * address of the upper half it may also refuse.
 *
 * Shape:   ipa_bits: width of the guest's physical addresses, 32 to 52; the upper half of them is
 *          unprotected, as in CCA. Whether the library finishes it instead is yours to decide:
 *          svmc_exit_from_a64.
 * Owns:    nothing. Threads: any.
 * Source:  EX-85; Arm DEN0137, Realm Management Monitor, REC exit due to Data or Instruction Abort.
 *
 * @return SVMC_OK; SVMC_ERR_MISMATCH (an address beyond ipa_bits, a syndrome that contradicts
 *         itself); SVMC_ERR_UNSUPPORTED: yours to handle: any other exception or fault, external
 *         aborts, AArch32, an instruction fetch from an unprotected address (an external abort for
 *         the guest); SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_a64_abort(const struct svmc_a64_exit *raw,
                                                                  uint32_t ipa_bits,
                                                                  struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
