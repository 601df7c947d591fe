/* SPDX-License-Identifier: MIT */
/**
 * Exits of Linux KVM on processors other than x86, whose front end is in exit.h: the mapped struct
 * kvm_run after KVM_RUN returned 0 -> struct svmc_exit: docs/spec/exit.md, EX-61, EX-62, EX-93.
 */
#ifndef SVMCORE_EXIT_KVM_H
#define SVMCORE_EXIT_KVM_H
#include <stddef.h>
#include <stdint.h>
#include "exit.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * KVM on a little-endian arm64 host -> an exit. Device memory is finished by KVM
 * (svmc_kvm_complete gives it the result); ARM_NISV and HYPERCALL, which KVM leaves alone, by the
 * library: call svmc_kvm_complete all the same, it has nothing to do.
 *
 * Shape:  run[run_bytes], the whole mapping. bytes[0..count): the guest's instruction at PC, for
 *         ARM_NISV alone; NULL and 0 else. out->user is 0, for KVM does not say it: set it where
 *         you know that EL0 was running.
 * Owns:   nothing. Threads: pure.
 * Source: EX-61; Linux Documentation/virt/kvm/api.rst, section 5.
 *
 * @return SVMC_OK: MMIO, ARM_NISV, HYPERCALL (as svmc_exit_from_a64 has HVC and SMC), SHUTDOWN,
 *         SYSTEM_EVENT of type SHUTDOWN, RESET or CRASH;
 *         SVMC_ERR_UNSUPPORTED (every other reason and event: yours to handle);
 *         SVMC_ERR_MISMATCH (a size or syndrome that KVM cannot have meant, or an instruction that
 *         is not what trapped); of ARM_NISV also what svmc_exit_from_a64 returns;
 *         SVMC_ERR_ARG (NULL, run_bytes too small).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_kvm_a64(const uint8_t *run,
                                                                size_t run_bytes,
                                                                const uint8_t *bytes, size_t count,
                                                                struct svmc_exit *out);

/**
 * KVM on a 64-bit RISC-V host -> an exit that KVM finishes.
 *
 * Shape:  run[run_bytes], the whole mapping.
 * Owns:   nothing. Threads: pure.
 * Source: EX-61; Linux Documentation/virt/kvm/api.rst, section 5.
 *
 * @return SVMC_OK: MMIO, RISCV_SBI and RISCV_CSR (as svmc_exit_from_rv has ECALL and Zicsr),
 *         SHUTDOWN, SYSTEM_EVENT of type SHUTDOWN, RESET or CRASH;
 *         SVMC_ERR_UNSUPPORTED (every other reason, event and CSR: yours to handle);
 *         SVMC_ERR_MISMATCH (a size or mask that KVM cannot have meant); SVMC_ERR_ARG (NULL,
 *         run_bytes too small).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_kvm_rv(const uint8_t *run, size_t run_bytes,
                                                               struct svmc_exit *out);

/**
 * KVM on a little-endian Power host, for guests of either byte order -> an exit that KVM finishes:
 * it swaps and extends what a load gets, and writes R3 to R12 after a hypercall.
 *
 * Shape:  run[run_bytes], the whole mapping.
 * Owns:   nothing. Threads: pure.
 * Source: EX-93; Linux Documentation/virt/kvm/api.rst, section 5.
 *
 * @return SVMC_OK: MMIO, PAPR_HCALL (as svmc_exit_from_ppc has a hypercall), SHUTDOWN, SYSTEM_EVENT
 *         of type SHUTDOWN, RESET or CRASH;
 *         SVMC_ERR_UNSUPPORTED (every other reason and event: yours to handle);
 *         SVMC_ERR_MISMATCH (a size that KVM cannot have meant); SVMC_ERR_ARG (NULL, run_bytes too
 *         small).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_kvm_ppc(const uint8_t *run,
                                                                size_t run_bytes,
                                                                struct svmc_exit *out);

/**
 * KVM on s390x -> an exit that the library finishes: registers through the callbacks; the PSW has
 * moved already. svmc_kvm_complete is not for it.
 *
 * Shape:  run[run_bytes], the whole mapping, big-endian on every machine. General registers are
 *         those that KVM leaves in it. out->insn_bytes does not know of EXECUTE; KVM does.
 * Owns:   nothing. Threads: pure.
 * Source: EX-62; Linux Documentation/virt/kvm/api.rst, section 5.
 *
 * @return SVMC_OK: S390_SIEIC, as svmc_exit_from_s390 says; S390_RESET, which is DIAGNOSE 308;
 *         SVMC_ERR_UNSUPPORTED (every other reason: yours to handle); SVMC_ERR_MISMATCH (what KVM
 *         cannot have meant, or no instruction that is intercepted); SVMC_ERR_ARG (NULL, run_bytes
 *         too small).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_kvm_s390(const uint8_t *run,
                                                                 size_t run_bytes,
                                                                 struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
