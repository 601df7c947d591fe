/* SPDX-License-Identifier: MIT */
/**
 * Front end for KVM on s390x: struct kvm_run at the offsets of its ABI (Linux
 * include/uapi/linux/kvm.h with __KVM_S390, arch/s390/include/uapi/asm/kvm.h), big-endian. Pure;
 * rule EX-62.
 */
#include <svmcore/exit_kvm.h>
#include <svmcore/exit_s390.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"

/* struct kvm_run; a test compares every one with <linux/kvm.h> */
#define RUN_EXIT_REASON 8u
#define RUN_PSW_MASK    32u
#define RUN_SIEIC_CODE  48u
#define RUN_SIEIC_IPA   50u
#define RUN_SIEIC_IPB   52u
#define RUN_RESET_FLAGS 48u
#define RUN_VALID_REGS  304u
#define RUN_GPRS        328u
#define RUN_LEAST       456u /* bytes that hold every field */

#define KVM_S390_SIEIC 13u
#define KVM_S390_RESET 14u
#define SYNC_GPRS      2u /* KVM_SYNC_GPRS */

/* KVM_S390_RESET_CLEAR, and what goes with every IPL: SUBSYSTEM, CPU_INIT, IPL */
#define RESET_CLEAR   2u
#define RESET_ALWAYS  28u
#define SUBCODE_CLEAR 3u /* DIAGNOSE 308: load clear; 4: load normal */

static enum svmc_status from_sieic(const uint8_t *run, struct svmc_exit *out)
{
    struct svmc_s390_exit raw = {
        .psw_mask = core_load_be64(run + RUN_PSW_MASK),
        .code = run[RUN_SIEIC_CODE],
        .ipa = core_load_be16(run + RUN_SIEIC_IPA),
        .ipb = core_load_be32(run + RUN_SIEIC_IPB),
    };

    if (!(core_load_be64(run + RUN_VALID_REGS) & SYNC_GPRS))
        return SVMC_ERR_MISMATCH;
    for (unsigned i = 0; i < SVMC_S390_GPRS; i++)
        raw.gpr[i] = core_load_be64(run + RUN_GPRS + 8 * i);
    return svmc_exit_from_s390(&raw, out);
}

static enum svmc_status from_reset(const uint8_t *run, struct svmc_exit *out)
{
    uint64_t flags = core_load_be64(run + RUN_RESET_FLAGS);

    if ((flags & ~(uint64_t)RESET_CLEAR) != RESET_ALWAYS)
        return SVMC_ERR_MISMATCH;
    out->kind = SVMC_KIND_DIAG_308;
    out->isa = SVMC_ISA_S390X;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS;
    out->value = flags & RESET_CLEAR ? SUBCODE_CLEAR : SUBCODE_CLEAR + 1;
    return SVMC_OK;
}

enum svmc_status svmc_exit_from_kvm_s390(const uint8_t *run, size_t run_bytes,
                                         struct svmc_exit *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!run || run_bytes < RUN_LEAST)
        return SVMC_ERR_ARG;
    switch (core_load_be32(run + RUN_EXIT_REASON)) {
    case KVM_S390_SIEIC:
        return from_sieic(run, out);
    case KVM_S390_RESET:
        return from_reset(run, out);
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
}
