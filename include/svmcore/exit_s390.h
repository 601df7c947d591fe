/* SPDX-License-Identifier: MIT */
/**
 * Interceptions of s390x hypervisors (interpretive execution, SIE) -> struct svmc_exit:
 * docs/spec/exit.md, EX-64 to EX-67.
 */
#ifndef SVMCORE_EXIT_S390_H
#define SVMCORE_EXIT_S390_H
#include <stddef.h>
#include <stdint.h>
#include "exit.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_S390_SD_BYTES 512u /* the state description */
#define SVMC_S390_GPRS     16u

/**
 * What SIE left in the state description; offsets in hexadecimal, as in Linux
 * arch/s390/include/asm/kvm_host_types.h, struct kvm_s390_sie_block.
 */
struct svmc_s390_exit {
    uint64_t psw_mask;            /* 090: the guest's PSW, its first half */
    uint64_t gpr[SVMC_S390_GPRS]; /* general registers at the interception; 14, 15: 0a0, 0a8 */
    uint32_t ipb;                 /* 058: the instruction's bytes 2 to 5 */
    uint16_t ipa;                 /* 056: its bytes 0 and 1 */
    uint16_t program;             /* 0ce: program-interruption code, of interception code 0c */
    uint8_t code;                 /* 050: interception code */
    uint8_t status;               /* 051: interception status */
    uint8_t reserved[6];          /* 0 */
};

/**
 * The fields of a state description, which is big-endian on every machine.
 *
 * Shape:   sd[SVMC_S390_SD_BYTES]; gpr[14]: general registers 0 to 13, which SIE leaves in the
 *          host's own.
 * Owns:    nothing. Threads: pure.
 * Source:  EX-64.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_s390_exit_read(const uint8_t *sd, const uint64_t *gpr,
                                                             struct svmc_s390_exit *out);

/**
 * An interception -> an exit that the library finishes alone. The PSW of an intercepted instruction
 * stands behind it already: out->insn_bytes is how far it has moved, for the length code of an
 * exception. Pure: registers of operands are named, svmc_vcpu_exit reads them.
 *
 * Shape:   of raw->gpr the base of DIAGNOSE and SIGP, and the subcode of DIAGNOSE 308, are read.
 * Owns:    nothing. Threads: any.
 * Source:  EX-64 to EX-67.
 *
 * @return SVMC_OK: an instruction with a kind, a wait, or SVMC_KIND_UNKNOWN, for which the policy's
 *         answer is an operation exception; of SPX put the new prefix into out->value;
 *         SVMC_ERR_UNSUPPORTED (yours to handle: events, requests, validity, stop, partial
 *         execution, storage keys, all interceptions of a protected guest, what has no row);
 *         SVMC_ERR_MISMATCH (the instruction is none that is intercepted, or not in this state);
 *         SVMC_ERR_ARG (NULL, a reserved byte).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_s390(const struct svmc_s390_exit *raw,
                                                             struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
