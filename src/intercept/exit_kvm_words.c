/* SPDX-License-Identifier: MIT */
/**
 * Front ends for KVM on arm64, RISC-V and Power: struct kvm_run at the offsets of its ABI (Linux
 * include/uapi/linux/kvm.h), little-endian. Pure; rules EX-61 and EX-93.
 */
#include <svmcore/exit_a64.h>
#include <svmcore/exit_kvm.h>
#include <svmcore/exit_ppc.h>
#include <svmcore/exit_rv.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"

/* struct kvm_run; a test compares every one with <linux/kvm.h> */
#define RUN_EXIT_REASON 8u
#define RUN_EVENT_TYPE  32u
#define RUN_CSR_NUMBER  32u
#define RUN_CSR_VALUE   40u
#define RUN_CSR_MASK    48u
#define RUN_NISV_ISS    32u
#define RUN_NISV_IPA    40u
#define RUN_CALL_FLAGS  96u
#define RUN_LEAST       112u /* bytes that hold every field */
#define RUN_LEAST_PPC   120u /* with R12 of a hypercall */

#define KVM_HYPERCALL    3u
#define KVM_MMIO         6u
#define KVM_SHUTDOWN     8u
#define KVM_PAPR_HCALL   19u
#define KVM_SYSTEM_EVENT 24u
#define KVM_ARM_NISV     28u
#define KVM_RISCV_SBI    35u
#define KVM_RISCV_CSR    36u

#define EVENT_SHUTDOWN 1u
#define EVENT_CRASH    3u /* and RESET between them */

/* ESR_EL2 of a data abort from a lower exception level, four bytes long (Arm ARM D17.2.37) */
#define ESR_DATA_ABORT UINT64_C(0x92000000)
#define ESR_HVC        UINT64_C(0x5a000000)
#define ESR_SMC        UINT64_C(0x5e000000)
#define ISS_BITS       25u
#define ISS_ISV        (UINT64_C(1) << 24)

/* What all have: device memory, which KVM finishes, and the end of the guest. */
static enum svmc_status from_reason(const uint8_t *run, uint32_t reason, struct svmc_exit *out)
{
    uint32_t type = core_load_le32(run + RUN_EVENT_TYPE);

    if (reason == KVM_MMIO)
        return svmc_intercept_kvm_mmio(run, out);
    if (reason != KVM_SHUTDOWN &&
        (reason != KVM_SYSTEM_EVENT || type < EVENT_SHUTDOWN || type > EVENT_CRASH))
        return SVMC_ERR_UNSUPPORTED;
    out->kind = SVMC_KIND_SHUTDOWN;
    return SVMC_OK;
}

/* KVM hands on WnR, CM and the fault status of the syndrome; the instruction says the rest. */
static enum svmc_status from_nisv(const uint8_t *run, const uint8_t *bytes, size_t count,
                                  struct svmc_exit *out)
{
    uint64_t iss = core_load_le64(run + RUN_NISV_ISS), ipa = core_load_le64(run + RUN_NISV_IPA);
    const struct svmc_a64_exit raw = {
        .esr = ESR_DATA_ABORT | iss,
        .far = ipa & 0xfff,
        .hpfar = ipa >> 12 << 4,
        .spsr = 4, /* EL1: KVM does not say it (EX-16) */
    };

    if (iss >> ISS_BITS != 0 || (iss & ISS_ISV) || ipa >> 56 != 0)
        return SVMC_ERR_MISMATCH;
    return svmc_exit_from_a64(&raw, bytes, count, out);
}

/*
 * A call that KVM's SMCCC filter forwards, and the exit of the exception that it was. PC has moved.
 * Flags: KVM_HYPERCALL_EXIT_SMC, KVM_HYPERCALL_EXIT_16BIT (AArch32): arm64's asm/kvm.h.
 */
static enum svmc_status from_call(const uint8_t *run, struct svmc_exit *out)
{
    uint64_t flags = core_load_le64(run + RUN_CALL_FLAGS);
    const struct svmc_a64_exit raw = { .esr = flags & 1 ? ESR_SMC : ESR_HVC, .spsr = 4 };
    enum svmc_status st;

    if (flags > 3)
        return SVMC_ERR_MISMATCH;
    if (flags & 2)
        return SVMC_ERR_UNSUPPORTED;
    st = svmc_exit_from_a64(&raw, NULL, 0, out);
    out->finish = SVMC_FINISH_REGS;
    out->insn_bytes = 0;
    return st;
}

/* The exit of an ECALL; KVM writes a0 and a1 and moves the program counter. */
static enum svmc_status from_sbi(struct svmc_exit *out)
{
    const struct svmc_rv_exit raw = { .cause = 10, .isa = SVMC_ISA_RV64 }; /* from VS-mode */
    enum svmc_status st = svmc_exit_from_rv(&raw, NULL, 0, out);

    out->finish = SVMC_FINISH_BACKEND;
    out->insn_bytes = 0;
    return st;
}

/*
 * A CSR gets new & mask in the bits of mask and is read before. KVM does not say which instruction
 * it was: with all of them it is CSRRW, with new bits 1 or 0 throughout CSRRS or CSRRC. KVM writes
 * rd and moves the program counter.
 */
static enum svmc_status from_csr(const uint8_t *run, struct svmc_exit *out)
{
    enum { CSRRW_A0_A0 = 0x51573u, SETS = 1u << 12, CLEARS = 2u << 12, RS1 = 31u << 15 };
    uint64_t number = core_load_le64(run + RUN_CSR_NUMBER),
             new = core_load_le64(run + RUN_CSR_VALUE);
    uint64_t mask = core_load_le64(run + RUN_CSR_MASK), value = mask == UINT64_MAX ? new : mask;
    uint32_t word = CSRRW_A0_A0;
    struct svmc_rv_exit raw = { .cause = 22, .isa = SVMC_ISA_RV64 };
    enum svmc_status st;

    if (number > 0xfff || ((new &mask) != mask && (new &mask) != 0 && mask != UINT64_MAX))
        return SVMC_ERR_MISMATCH;
    if (mask == 0) /* csrrs a0, csr, x0 */
        word = (word & ~(uint32_t)RS1) + SETS;
    else if (mask != UINT64_MAX)
        word += (new &mask) != 0 ? SETS : CLEARS;
    raw.stval = word | (uint32_t)number << 20;
    st = svmc_exit_from_rv(&raw, NULL, 0, out);
    if (st != SVMC_OK || out->kind == SVMC_KIND_UNKNOWN)
        return st != SVMC_OK ? st : SVMC_ERR_UNSUPPORTED;
    out->value = mask != 0 ? value : 0;
    out->from = SVMC_FROM_EXIT;
    out->value_reg = 0;
    out->dest_reg = 0;
    out->dest_bytes = 0;
    out->finish = SVMC_FINISH_BACKEND;
    out->insn_bytes = 0;
    return SVMC_OK;
}

/* The exit of sc 1; KVM writes R3 to R12, and NIA has moved. */
static enum svmc_status from_papr(struct svmc_exit *out)
{
    const struct svmc_ppc_exit raw = { .vector = 0xc00 };
    enum svmc_status st = svmc_exit_from_ppc(&raw, NULL, 0, out);

    out->finish = SVMC_FINISH_BACKEND;
    return st;
}

enum svmc_status svmc_exit_from_kvm_a64(const uint8_t *run, size_t run_bytes, const uint8_t *bytes,
                                        size_t count, struct svmc_exit *out)
{
    enum svmc_status st;
    uint32_t reason;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!run || run_bytes < RUN_LEAST || (!bytes && count > 0))
        return SVMC_ERR_ARG;
    out->count = 1;
    out->isa = SVMC_ISA_A64;
    reason = core_load_le32(run + RUN_EXIT_REASON);
    if (reason == KVM_ARM_NISV)
        st = from_nisv(run, bytes, count, out);
    else if (reason == KVM_HYPERCALL)
        st = from_call(run, out);
    else
        st = from_reason(run, reason, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}

/* RISC-V and Power: their own reasons beside those that all have. */
static enum svmc_status from_run(const uint8_t *run, size_t run_bytes, size_t least, uint8_t isa,
                                 struct svmc_exit *out)
{
    bool power = isa == SVMC_ISA_PPC64;
    enum svmc_status st;
    uint32_t reason;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!run || run_bytes < least)
        return SVMC_ERR_ARG;
    out->count = 1;
    out->isa = isa;
    reason = core_load_le32(run + RUN_EXIT_REASON);
    if (reason == (power ? KVM_PAPR_HCALL : KVM_RISCV_SBI))
        st = power ? from_papr(out) : from_sbi(out);
    else if (reason == KVM_RISCV_CSR && !power)
        st = from_csr(run, out);
    else
        st = from_reason(run, reason, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}

enum svmc_status svmc_exit_from_kvm_rv(const uint8_t *run, size_t run_bytes, struct svmc_exit *out)
{
    return from_run(run, run_bytes, RUN_LEAST, SVMC_ISA_RV64, out);
}

enum svmc_status svmc_exit_from_kvm_ppc(const uint8_t *run, size_t run_bytes, struct svmc_exit *out)
{
    return from_run(run, run_bytes, RUN_LEAST_PPC, SVMC_ISA_PPC64, out);
}
