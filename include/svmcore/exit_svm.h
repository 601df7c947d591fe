/* SPDX-License-Identifier: MIT */
/** AMD SVM: a VMCB after #VMEXIT -> an exit, and its words for events: docs/spec/exit.md. */
#ifndef SVMCORE_EXIT_SVM_H
#define SVMCORE_EXIT_SVM_H
#include <stddef.h>
#include <stdint.h>
#include "event.h"
#include "exit.h"
#include "insn.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_VMCB_BYTES 4096u

/**
 * AMD SVM: a VMCB as #VMEXIT left it -> an exit that the library finishes alone.
 *
 * Ports need nothing but the VMCB; CPUID, MSRs, HLT and VMMCALL need the next RIP, which processors
 * with NRIPS save, or bytes; device memory needs bytes. Bytes that are there are decoded, and must
 * be the instruction that the VMCB tells of.
 *
 * Yours, before you call: nested page faults at addresses of memory (repair the mapping), and
 * instructions that you intercept for ends of your own (PAUSE, CR and DR writes, ...): what the
 * library has no kind for is SVMC_KIND_UNKNOWN, which svmc_vcpu_exit answers with #UD. VMMCALL
 * exits at every CPL, which is the byte 4CBh. An operand that begins in the page before the
 * device's exits with the second page's address: svmc_insn_address tells where it begins.
 *
 * Shape:   vmcb[SVMC_VMCB_BYTES], any alignment, memory that no guest can write, read at the
 *          offsets of APM vol. 2 appendix B, little-endian on every machine. cpu: vendor AMD; isa
 *          is not looked at, the mode comes from the VMCB. bytes[count]: your own copy of what lies
 *          at RIP, or NULL with 0. A nested page fault may bring bytes of its own (decode assists);
 *          where both are there they must be the same, and the longer ones count.
 *          out->interrupted with a type: the exit came in the middle of a delivery (EV-5), there is
 *          no instruction, the kind is UNKNOWN. A SHUTDOWN exit has nothing but its kind: the rest
 *          of its VMCB is undefined. out->state: SHADOW_STI for both shadows, which SVM does not
 *          tell apart; NMI_BLOCKED where virtual NMIs are on.
 * Owns:    nothing; *out points nowhere.
 * State:   *out is all zero after an error.
 * Threads: pure; no host call; nothing past vmcb[4095] and bytes[count - 1] is read.
 * Source:  EX-11 to EX-15; AMD APM vol. 2, 15.6 to 15.14, 15.20, 15.25.6, appendices B and C.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, vendor, reserved); SVMC_ERR_TRUNCATED (fetch bytes at RIP,
 *         or more of them, and call again); SVMC_ERR_UNSUPPORTED (yours: no instruction of the
 *         guest exited, or one whose access to device memory is not finished here; an SEV-ES guest;
 *         or the decoder claims nothing); SVMC_ERR_MISMATCH (the VMCB
 *         contradicts itself, or the bytes contradict it); SVMC_ERR_UNDEFINED, SVMC_ERR_TOO_LONG
 *         (as svmc_insn_decode).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_vmcb(const uint8_t *vmcb,
                                                             const struct svmc_cpu *cpu,
                                                             const uint8_t *bytes, size_t count,
                                                             struct svmc_exit *out);

/**
 * A word of EXITINTINFO (088h) or EVENTINJ (0A8h) -> an event; NONE where its V bit is 0.
 *
 * Shape:   exceptions 3 and 4 are SOFT_EXCEPTION: only INT3 and INTO raise them. insn_bytes and
 *          address are 0: the word does not say them.
 * State:   *out is all zero after an error.
 * Threads: pure.
 * Source:  EX-15; AMD APM vol. 2, 15.7.2, 15.20.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_MISMATCH (a reserved type or bit, a vector that is
 *         no exception's, an error code on what has none).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_event_from_svm(uint64_t word, struct svmc_event *out);

/**
 * An event -> the word for EVENTINJ (0A8h); 0, which injects nothing, for NONE.
 *
 * Shape:   the processor pushes the RIP behind INT n, INT3 and INTO: with NRIPS put RIP +
 *          insn_bytes into the VMCB's nRIP (0C8h) first. CR2 of a page fault is yours to write.
 * State:   *out is 0 after an error.
 * Threads: pure.
 * Source:  EX-15; AMD APM vol. 2, 15.20.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL; a type, vector or has_error that is none);
 *         SVMC_ERR_UNSUPPORTED (SHUTDOWN: nothing injects it).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_event_to_svm(const struct svmc_event *event,
                                                           uint64_t *out);

#ifdef __cplusplus
}
#endif
#endif
