/* SPDX-License-Identifier: MIT */
/**
 * Calls of firmware and hypervisors: SMCCC by HVC and SMC, the SBI by ECALL, PAPR by sc 1. Which of
 * them a host hears of, what the others get, and what a host may answer: EX-53 to EX-57, EX-69.
 */
#include <svmcore/guest/hypercall.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "intercept_private.h"

/* Arm DEN0028 (SMCCC): function identifiers, Arm architecture calls */
#define SMCCC_64            ((uint64_t)1 << 30)
#define SMCCC_OWNER         0x3f000000u
#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_VERSION_1_1   0x00010001u
#define SMCCC_NOT_SUPPORTED ((uint64_t)0 - 1)
/* Arm DEN0022 (PSCI), 5 */
#define PSCI_FIRST       0x84000000u
#define PSCI_LAST        0x8400001fu
#define PSCI_CALLS       (PSCI_LAST - PSCI_FIRST + 1u)
#define PSCI_VERSION     0x84000000u
#define PSCI_FEATURES    0x8400000au
#define PSCI_VERSION_1_1 0x00010001u
#define PSCI_FAILED      ((uint64_t)0 - 6) /* INTERNAL_FAILURE */

/* RISC-V SBI 2.0: chapter 3, binary encoding; 4, base extension; 5, legacy extensions */
#define SBI_FUNCTION(eid, fid) ((uint64_t)(eid) << 32 | (fid))
#define SBI_BASE               0x10u
#define SBI_LEGACY_LAST        (SBI_FUNCTION(SBI_BASE, 0) - 1)
#define SBI_SPEC_VERSION       SBI_FUNCTION(SBI_BASE, 0)
#define SBI_PROBE_EXTENSION    SBI_FUNCTION(SBI_BASE, 3)
#define SBI_VENDOR_ID          SBI_FUNCTION(SBI_BASE, 4) /* and architecture, implementation */
#define SBI_MACHINE_ID         SBI_FUNCTION(SBI_BASE, 6)
#define SBI_VERSION_2_0        0x02000000u
#define SBI_FAILED             ((uint64_t)0 - 1) /* and H_HARDWARE */
#define SBI_NOT_SUPPORTED      ((uint64_t)0 - 2)
#define SBI_CODES              9 /* -1 to -9 */

/* PAPR 1.1, 14.2.2: numbers are multiples of 4; return codes: Linux asm/hvcall.h */
#define HCALL_STEP     4u
#define HCALL_LAST     0x3d0u
#define HCALLS         (HCALL_LAST / HCALL_STEP + 1u)
#define H_FUNCTION     ((uint64_t)0 - 2)
#define H_FLAG_LAST    (-511)   /* the least of those that say which flag is not supported */
#define H_CODES        0x7c03fu /* bit n: n is one: 0 to 5, 14 to 18 */
#define H_CODE_LAST    18
#define H_LONG_BUSY    9900
#define H_BUSY_LONGEST 9905

#define PAGE_MASK 0xfffu

/* GHCB 2.0, 4.1.7, SW_EXITINFO2; Linux uapi/linux/sev-guest.h, psp-sev.h (sev_ret_code) */
#define FIRMWARE_CODES UINT64_C(0x1ffbfffffff) /* bit n: n is one: 0 to 28, without 1e */
#define FIRMWARE_END   64u
#define MESSAGE_ROOM   ((uint64_t)1 << 32) /* the certificates need more pages */
#define MESSAGE_BUSY   ((uint64_t)2 << 32)
#define MESSAGE_FAILED ((uint64_t)1 << 63)

static bool is_psci(uint64_t number)
{
    number &= ~SMCCC_64;
    return number >= PSCI_FIRST && number <= PSCI_LAST;
}

/* ---- R10 --------------------------------------------------------------------------------------*/

/* Bit n: -n is a result of this call; bit 16 + n: n is. DEN0022 5.2.2 */
enum {
    SUCCESS = 1,
    NOT_SUPPORTED = 1 << 1,
    INVALID_PARAMETERS = 1 << 2,
    DENIED = 1 << 3,
    ALREADY_ON = 1 << 4,
    ON_PENDING = 1 << 5,
    INTERNAL_FAILURE = 1 << 6,
    NOT_PRESENT = 1 << 7,
    DISABLED = 1 << 8,
    INVALID_ADDRESS = 1 << 9,
    GENERAL = (1 << 10) - 1,
    VALUE_0 = SUCCESS,
    VALUE_1 = 1 << 17,
    VALUE_2 = 1 << 18,
    NOTHING = 1 << 30, /* no result at all, and yet a row */
    ANY = -1
};

static const int32_t psci[PSCI_CALLS] = {
#define PSCI(name, number, results, what) [number] = (results),
#include "psci.def"
#undef PSCI
};

static bool is_psci_result(uint64_t number, int64_t value)
{
    int32_t row = psci[core_clamp((uint32_t)(number & 0x1f), PSCI_CALLS)];
    uint32_t legal = row != 0 ? (uint32_t)row : GENERAL;

    if (!is_psci(number) || row == ANY)
        return true;
    if (value <= 0)
        return value > -16 && (legal >> (0 - value) & 1u);
    return value < 14 && (legal >> (16 + value) & 1u);
}

static bool is_papr_result(int64_t value)
{
    if (value >= 0 && value <= H_CODE_LAST)
        return H_CODES >> value & 1u;
    return (value >= H_FLAG_LAST && value < 0) || (value >= H_LONG_BUSY && value <= H_BUSY_LONGEST);
}

/* EX-83: firmware's codes in the low half, the host's, which then has none of these, above */
static bool is_message_status(uint64_t value, bool extended)
{
    if (value >> 32 == 0)
        return value < FIRMWARE_END && (FIRMWARE_CODES >> value & 1u);
    return value == MESSAGE_BUSY || value == MESSAGE_FAILED || (extended && value == MESSAGE_ROOM);
}

#define CC_SET(check)   ((check)&0xfu)
#define PCI_STATUS_LAST 44u /* Linux arch/s390/include/asm/pci_insn.h: 4 to 44, in fours */

/* EX-75: with condition code 1 there is one, with others none. */
static bool is_pci_status(uint64_t cc, uint64_t status)
{
    if (cc != 1)
        return status == 0;
    return status != 0 && status <= PCI_STATUS_LAST && status % 4 == 0;
}

CORE_COLD bool svmc_intercept_is_legal(uint32_t check, const struct svmc_exit *exit,
                                       const uint64_t out[SVMC_PAGE_SLOTS])
{
    uint64_t value = out[0];
    int64_t number = core_sign_extend(value, exit->size == 4 ? 32 : 64);

    if (check & CHECK_CC)
        return value <= CC_MOST && (CC_SET(check) >> value & 1u) &&
               (!(check & CHECK_PCI) || is_pci_status(value, out[1]));
    switch ((enum check)check) {
    case CHECK_HCALL_STATUS:
        return value < SVMC_HCALL_CODES;
    case CHECK_PSCI:
        return is_psci_result(exit->address, number);
    case CHECK_SBI:
        return exit->address <= SBI_LEGACY_LAST || (number <= 0 && number >= -SBI_CODES);
    case CHECK_PAPR:
        return is_papr_result(number);
    case CHECK_REACHED: /* EX-82 */
        return value - exit->address <= exit->value - exit->address && (value & PAGE_MASK) == 0;
    case CHECK_MESSAGE:
        return is_message_status(value, exit->kind == SVMC_KIND_GUEST_REQUEST_EXT);
    case CHECK_TIME: /* R13 is time.c's */
    case CHECK_ANY:
    case CHECK_CC:
    case CHECK_PCI:
        break;
    }
    return true;
}

CORE_COLD uint64_t svmc_intercept_failure(uint32_t check, const struct svmc_exit *exit)
{
    if (check == CHECK_HCALL_STATUS)
        return SVMC_HCALL_FAILED;
    if (check == CHECK_REACHED)
        return exit->address;
    if (check == CHECK_MESSAGE)
        return MESSAGE_FAILED;
    if (check & CHECK_CC) /* not operational, or nothing is there */
        return CC_SET(check) >> CC_MOST & 1u ? CC_MOST : 0;
    return (check == CHECK_PSCI ? PSCI_FAILED : SBI_FAILED) & core_mask(exit->size);
}

/* ---- the policy's table -----------------------------------------------------------------------*/

/* The first call that is not before this one: at most seven steps. */
static uint32_t lower_bound(const struct svmc_policy *policy, uint32_t kind, uint64_t number)
{
    uint32_t low = 0, high = policy->priv.call_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct svmc_call_rule *call =
            &policy->priv.calls[core_clamp(middle, SVMC_POLICY_CALLS)];

        if (call->kind < kind || (call->kind == kind && call->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first delegated call from `first` on, if it is not behind `last`, else NULL. */
static const struct svmc_call_rule *find(const struct svmc_policy *policy, uint32_t kind,
                                         uint64_t first, uint64_t last)
{
    uint32_t at = lower_bound(policy, kind, first);
    const struct svmc_call_rule *call;

    if (at >= policy->priv.call_count || at >= SVMC_POLICY_CALLS)
        return NULL;
    call = &policy->priv.calls[core_clamp(at, SVMC_POLICY_CALLS)];
    return call->kind == kind && call->number <= last ? call : NULL;
}

CORE_COLD bool svmc_intercept_has_call(const struct svmc_policy *policy, uint32_t kind,
                                       uint64_t first, uint64_t last)
{
    return find(policy, kind, first, last) != NULL;
}

/* EX-69: bits 6:4 arguments, 2:0 results, at most; 0: not to be delegated */
static const uint8_t hcalls[HCALLS] = {
#define DELEGATE(args, results) ((args) << 4 | (results))
#define INSIDE(args, results)   0
#define HCALL(name, number, verdict, args, results, source) \
    [(number) / HCALL_STEP] = verdict(args, results),
#include "power.def"
#undef HCALL
#undef INSIDE
#undef DELEGATE
};

/* 0: none */
static uint32_t hcall_row(uint64_t number)
{
    if (number > HCALL_LAST || number % HCALL_STEP != 0)
        return 0;
    return hcalls[core_clamp((uint32_t)number / HCALL_STEP, HCALLS)];
}

uint32_t svmc_intercept_hcall_results(uint64_t number)
{
    return hcall_row(number) & 7u;
}

static bool is_hcall(uint64_t number, uint32_t args, uint32_t results)
{
    uint32_t row = hcall_row(number);

    return args <= row >> 4 && results >= 1 && results <= (row & 7u);
}

/* EX-53: what can be delegated: not the discovery, and as many results as the call has. */
static bool is_callable(uint32_t kind, uint64_t number, uint32_t args, uint32_t results)
{
    if (kind == SVMC_KIND_HCALL)
        return is_hcall(number, args, results);
    if (kind == SVMC_KIND_SBI) /* neither number is negative */
        return !(number & SBI_FUNCTION(1u << 31, 1u << 31)) && number != SBI_SPEC_VERSION &&
               number != SBI_PROBE_EXTENSION &&
               (number <= SBI_LEGACY_LAST ? results <= 1 : results >= 1 && results <= 2);
    if ((kind != SVMC_KIND_HVC && kind != SVMC_KIND_SMC) || number > UINT32_MAX ||
        number == SMCCC_VERSION || number == SMCCC_ARCH_FEATURES)
        return false;
    return is_psci(number) ? results == 1 && number != PSCI_VERSION && number != PSCI_FEATURES
                           : results <= SVMC_CALL_RESULTS;
}

CORE_COLD enum svmc_status svmc_policy_set_call(struct svmc_policy *policy, enum svmc_kind kind,
                                                uint64_t number, uint8_t args, uint8_t results)
{
    uint32_t at, count;

    if (!svmc_intercept_policy_usable(policy) || args > SVMC_CALL_ARGS ||
        !is_callable((uint32_t)kind, number, args, results))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    at = lower_bound(policy, (uint32_t)kind, number);
    count = policy->priv.call_count;
    if (!svmc_intercept_has_call(policy, (uint32_t)kind, number, number)) {
        if (count >= SVMC_POLICY_CALLS)
            return SVMC_ERR_FULL;
        for (uint32_t i = count; i > at; i--) {
            /* clamp: below the count; the embedder's, here and below */
            struct svmc_call_rule call = policy->priv.calls[i - 1];

            policy->priv.calls[i] = call; /* clamp: as above */
        }
        policy->priv.call_count = count + 1;
    }
    policy->priv.calls[core_clamp(at, SVMC_POLICY_CALLS)] =
        (struct svmc_call_rule){ number, (uint16_t)kind, args, results, { 0 } };
    return SVMC_OK;
}

/* ---- inside -----------------------------------------------------------------------------------*/

static bool has_psci(const struct svmc_policy *policy, uint32_t kind)
{
    return svmc_intercept_has_call(policy, kind, PSCI_FIRST, PSCI_LAST) ||
           svmc_intercept_has_call(policy, kind, PSCI_FIRST | SMCCC_64, PSCI_LAST | SMCCC_64);
}

/* EX-55: discovery, by what is delegated; `function` is what two of the calls ask about. */
static CORE_COLD uint64_t answer_smccc(const struct svmc_policy *policy, uint32_t kind,
                                       uint64_t number, uint64_t function)
{
    bool listed = svmc_intercept_has_call(policy, kind, function, function);

    switch (number) {
    case SMCCC_VERSION:
        return SMCCC_VERSION_1_1;
    case SMCCC_ARCH_FEATURES:
        listed = (listed && (function & SMCCC_OWNER) == 0) || function == SMCCC_VERSION ||
                 function == SMCCC_ARCH_FEATURES;
        return listed ? 0 : SMCCC_NOT_SUPPORTED;
    case PSCI_VERSION:
        return has_psci(policy, kind) ? PSCI_VERSION_1_1 : SMCCC_NOT_SUPPORTED;
    case PSCI_FEATURES:
        listed = (listed && is_psci(function)) || function == SMCCC_VERSION ||
                 function == PSCI_VERSION || function == PSCI_FEATURES;
        return listed && has_psci(policy, kind) ? 0 : SMCCC_NOT_SUPPORTED;
    default:
        return SMCCC_NOT_SUPPORTED;
    }
}

/* EX-56: out[0] is the error, out[1] the value. */
static CORE_COLD void answer_sbi(const struct svmc_policy *policy, uint64_t number,
                                 uint64_t extension, uint64_t out[SLOTS_OUT])
{
    uint64_t first = SBI_FUNCTION(extension & UINT32_MAX, 0);

    out[0] = 0;
    out[1] = 0;
    if (number == SBI_SPEC_VERSION)
        out[1] = SBI_VERSION_2_0;
    else if (number == SBI_PROBE_EXTENSION)
        out[1] = extension == SBI_BASE ||
                 svmc_intercept_has_call(policy, SVMC_KIND_SBI, first, first | UINT32_MAX);
    else if (number < SBI_VENDOR_ID || number > SBI_MACHINE_ID) /* 0 of these: not implemented */
        out[0] = SBI_NOT_SUPPORTED;
}

static enum svmc_status read_reg(struct svmc_vcpu *vc, uint32_t reg, uint64_t *value)
{
    *value = 0;
    return vc->priv.ops->reg_read(vc->priv.ctx, reg, value) == SVMC_OK ? SVMC_OK
                                                                       : SVMC_ERR_CALLBACK;
}

/* Its row and what the record says of it; NULL: it is answered inside, with so many results. */
static const struct svmc_call_rule *open(struct svmc_vcpu *vc, uint64_t number, uint8_t results)
{
    struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_call_rule *call = find(vc->priv.policy, p->exit.kind, number, number);

    p->exit.address = number;
    p->exit.size = 8;
    p->in_count = call ? (uint8_t)core_clamp(call->args, SVMC_CALL_ARGS + 1) : 0;
    p->out_count = call ? (uint8_t)core_clamp(call->results, SLOTS_OUT + 1) : results;
    return call;
}

static enum svmc_status call_smccc(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT], bool *inside)
{
    struct svmc_exit *exit = &vc->priv.pending.exit;
    uint64_t number, function;

    if (read_reg(vc, SVMC_REG_X0, &number) != SVMC_OK ||
        read_reg(vc, SVMC_REG_X0 + 1, &function) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    number &= UINT32_MAX; /* W0 */
    *inside = !open(vc, number, 1);
    //@ split *inside;
    if (*inside)
        out[0] = answer_smccc(vc->priv.policy, exit->kind, number, function & UINT32_MAX);
    else if (!(number & SMCCC_64)) /* EX-57 */
        exit->size = 4;
    return SVMC_OK;
}

static enum svmc_status call_sbi(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT], bool *inside)
{
    struct svmc_exit *exit = &vc->priv.pending.exit;
    uint32_t bytes = exit->isa == SVMC_ISA_RV32 ? 4 : 8, a0 = SVMC_REG_RV_X0 + 10;
    uint64_t eid, fid, extension, number;

    if (read_reg(vc, a0 + 7, &eid) != SVMC_OK || read_reg(vc, a0 + 6, &fid) != SVMC_OK ||
        read_reg(vc, a0, &extension) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    eid &= core_mask(bytes);
    fid &= core_mask(bytes);
    number = SBI_FUNCTION(eid, fid);
    if (eid > UINT32_MAX || fid > UINT32_MAX)
        number = UINT64_MAX; /* negative numbers: nobody has them */
    *inside = !open(vc, number, number <= SBI_LEGACY_LAST ? 1 : 2);
    //@ split *inside;
    exit->size = (uint8_t)bytes;
    if (*inside)
        answer_sbi(vc->priv.policy, number, extension & core_mask(bytes), out);
    return SVMC_OK;
}

static enum svmc_status call_papr(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT], bool *inside)
{
    uint64_t number;

    if (read_reg(vc, SVMC_REG_PPC_R0 + 3, &number) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    *inside = !open(vc, number, 1);
    //@ split *inside;
    out[0] = H_FUNCTION;
    return SVMC_OK;
}

CORE_COLD bool svmc_intercept_call_again(struct svmc_vcpu *vc)
{
    struct svmc_exit *exit = &vc->priv.pending.exit;

    if (!open(vc, exit->address, 0))
        return false;
    if (exit->kind == SVMC_KIND_SBI)
        exit->size = exit->isa == SVMC_ISA_RV32 ? 4 : 8;
    else if (exit->kind != SVMC_KIND_HCALL && !(exit->address & SMCCC_64)) /* EX-57 */
        exit->size = 4;
    return true;
}

CORE_COLD enum svmc_status svmc_intercept_call(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT],
                                               bool *inside)
{
    switch (vc->priv.pending.exit.kind) {
    case SVMC_KIND_SBI:
        return call_sbi(vc, out, inside);
    case SVMC_KIND_HCALL:
        return call_papr(vc, out, inside);
    default:
        return call_smccc(vc, out, inside);
    }
}
