/* SPDX-License-Identifier: MIT */
/** Front end for AArch64 at EL2: ESR, FAR, HPFAR, SPSR -> exit. Pure; EX-31 to EX-34, EX-85. */
#include <svmcore/exit_a64.h>

#include "../core/clamp.h"
#include "../core/memory.h"
#include "intercept_private.h"

/* ESR_EL2 (Arm ARM D17.2.37) */
#define ESR_EC(esr)   ((uint32_t)((esr) >> 26) & 0x3fu)
#define ESR_IL        (1u << 25)
#define ISS_ISV       (1u << 24)
#define ISS_SAS(iss)  ((iss) >> 22 & 3u)
#define ISS_SSE       (1u << 21)
#define ISS_SRT(iss)  ((iss) >> 16 & 31u)
#define ISS_SF        (1u << 15)
#define ISS_VNCR      (1u << 13)
#define ISS_FNV       (1u << 10)
#define ISS_CM        (1u << 8)
#define ISS_S1PTW     (1u << 7)
#define ISS_WNR       (1u << 6)
#define ISS_DFSC(iss) ((iss)&0x3fu)
#define EC_WFX        0x01u
#define EC_HVC        0x16u
#define EC_SMC        0x17u
#define EC_SYSREG     0x18u
#define EC_INSN_ABORT 0x20u
#define EC_DATA_ABORT 0x24u
#define ABORT_SHOWN   0xfc001e3fu /* EC, SET 12:11, FnV, EA 9, FSC: what a host may know */
#define IPA_BITS_MIN  32u
#define IPA_BITS_MAX  52u
#define SPSR_AARCH32  (1u << 4)
#define SPSR_EL       0x0fu /* EL and SP of where it came from; 0: EL0 */
#define SPSR_SS       (1u << 21)

/* What an exception class says of the guest. */
enum meaning {
    NOT_OURS, /* no instruction of AArch64 that could be answered; what has no row */
    INSN      /* an instruction that trapped, of one of these classes */
};

struct row {
    uint8_t meaning;
    uint8_t classes[4]; /* enum svmc_insn_class, ended by OTHER */
};

/* By exception class; sections of the Arm ARM beside each. Never delegated: EX-88. */
static const struct row rows[64] = {
    [0x01] = { INSN, { SVMC_CLASS_IDLE } },                         /* D17.2.37: WFI, WFE */
    [0x07] = { INSN, { SVMC_CLASS_A64_SIMD, SVMC_CLASS_A64_SVE } }, /* CPTR_EL2: SIMD, FP, SVE */
    [0x09] = { INSN, { SVMC_CLASS_A64_DATA_REG, SVMC_CLASS_NOP, SVMC_CLASS_BRANCH } }, /* PAuth */
    [0x0a] = { INSN, { SVMC_CLASS_MEMORY } },     /* LD64B, ST64B */
    [0x14] = { INSN, { SVMC_CLASS_SYSTEM_REG } }, /* MRRS, MSRR, SYSP */
    [0x15] = { INSN, { SVMC_CLASS_SYSCALL } },    /* SVC, by HCR_EL2.TGE, FGT */
    [0x16] = { INSN, { SVMC_CLASS_HYPERCALL } },  /* HVC */
    [0x17] = { INSN, { SVMC_CLASS_HYPERCALL } },  /* SMC, HCR_EL2.TSC */
    [0x18] = { INSN,
               { SVMC_CLASS_SYSTEM_REG, SVMC_CLASS_TLB, SVMC_CLASS_CACHE,
                 SVMC_CLASS_TRANSLATE } },         /* MSR, MRS, SYS */
    [0x19] = { INSN, { SVMC_CLASS_A64_SVE } },     /* CPTR_EL2.ZEN */
    [0x1a] = { INSN, { SVMC_CLASS_RETURN } },      /* ERET, HCR_EL2.NV */
    [0x1b] = { INSN, { SVMC_CLASS_TRANSACTION } }, /* TSTART */
    [0x1d] = { INSN, { SVMC_CLASS_A64_SME } },     /* CPTR_EL2.SMEN */
    [0x24] = { INSN, { SVMC_CLASS_MEMORY } },      /* data abort, lower EL */
};

/* EX-33: the class that the bytes must be of, if there are any. */
static enum svmc_status decode(const struct row *row, const uint8_t *bytes, size_t count,
                               struct svmc_insn *insn)
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    enum svmc_status st = svmc_insn_decode(&cpu, bytes, count, insn);

    if (st != SVMC_OK)
        return st;
    for (unsigned i = 0; i < 4 && row->classes[i] != SVMC_CLASS_OTHER; i++)
        if (insn->insn_class == row->classes[i])
            return SVMC_OK;
    return SVMC_ERR_MISMATCH;
}

/* A stage-2 fault that a device access can be: translation and permission, of any level. */
static bool is_device_fault(uint32_t dfsc)
{
    return (dfsc >= 0x04 && dfsc <= 0x07) || (dfsc >= 0x0c && dfsc <= 0x0f) || dfsc == 0x2b;
}

/* EX-32: the syndrome says it all. */
static void from_syndrome(uint32_t iss, struct svmc_exit *out)
{
    uint32_t srt = ISS_SRT(iss);
    uint8_t reg = (uint8_t)(srt == 31 ? (uint32_t)SVMC_REG_XZR : SVMC_REG_X0 + srt);

    out->size = (uint8_t)(1u << ISS_SAS(iss));
    out->kind = iss & ISS_WNR ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_MMIO_READ;
    if (iss & ISS_WNR) {
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = reg;
        return;
    }
    out->dest_reg = reg;
    out->dest_bytes = iss & ISS_SF ? 8 : 4;
    out->dest_extend = iss & ISS_SSE ? SVMC_EXTEND_SIGN : SVMC_EXTEND_ZERO;
}

/* Whether the instruction does what the syndrome says (EX-33). */
static bool agrees(const struct svmc_exit *said, const struct svmc_exit *decoded)
{
    return said->kind == decoded->kind && said->size == decoded->size &&
           said->from == decoded->from && said->value_reg == decoded->value_reg &&
           said->dest_reg == decoded->dest_reg && said->dest_bytes == decoded->dest_bytes &&
           (said->dest_extend == decoded->dest_extend || said->size == said->dest_bytes);
}

static enum svmc_status from_abort(const struct svmc_a64_exit *raw, const struct svmc_insn *insn,
                                   struct svmc_exit *out)
{
    uint32_t iss = (uint32_t)raw->esr & 0x1ffffffu;
    svmc_gpa gpa = { (raw->hpfar >> 4 & 0xfffffffffffu) << 12 | (raw->far & 0xfff) };
    struct svmc_exit decoded;
    enum svmc_status st;

    if (iss & (ISS_S1PTW | ISS_CM | ISS_VNCR) || !is_device_fault(ISS_DFSC(iss)))
        return SVMC_ERR_UNSUPPORTED;
    if (iss & ISS_FNV)
        return SVMC_ERR_MISMATCH; /* of an external abort only */
    if (!(iss & ISS_ISV) && !insn)
        return SVMC_ERR_TRUNCATED;
    if (insn) {
        st = svmc_exit_from_insn(insn, SVMC_CLASS_MEMORY, gpa, &decoded);
        if (st != SVMC_OK)
            return st;
        if ((decoded.kind == SVMC_KIND_MMIO_WRITE) != ((iss & ISS_WNR) != 0))
            return SVMC_ERR_MISMATCH;
    }
    if (iss & ISS_ISV) {
        from_syndrome(iss, out);
        out->address = gpa.v;
        return !insn || agrees(out, &decoded) ? SVMC_OK : SVMC_ERR_MISMATCH;
    }
    *out = decoded;
    return SVMC_OK;
}

/* EX-51: ISS of EC 0x18: Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, read 0. */
static enum svmc_status from_sysreg(uint32_t iss, const struct svmc_insn *insn,
                                    struct svmc_exit *out)
{
    uint32_t number =
        SVMC_SYSREG(iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15, iss >> 17 & 7);
    uint32_t rt = iss >> 5 & 31;
    bool read = iss & 1;

    if (number < SYSREG_FIRST) /* SYS, SYSL: instructions, not registers */
        return SVMC_OK;
    out->size = 8;
    svmc_intercept_set_transfer(read ? SVMC_KIND_SYSREG_READ : SVMC_KIND_SYSREG_WRITE, number,
                                (uint8_t)(rt == 31 ? (uint32_t)SVMC_REG_XZR : SVMC_REG_X0 + rt),
                                out);
    if (insn && (insn->id != (read ? SVMC_A64_MRS : SVMC_A64_MSR) || insn->imm != number ||
                 insn->reg != (read ? out->dest_reg : out->value_reg)))
        return SVMC_ERR_MISMATCH;
    return SVMC_OK;
}

/* EX-53: the immediate is bits 15:0; SMCCC 2.9 has no other than 0. */
static enum svmc_status from_call(uint32_t iss, bool hvc, const struct svmc_insn *insn,
                                  struct svmc_exit *out)
{
    if (insn && (insn->id != (hvc ? SVMC_A64_HVC : SVMC_A64_SMC) || insn->imm != (iss & 0xffff)))
        return SVMC_ERR_MISMATCH;
    if ((iss & 0xffff) == 0)
        out->kind = hvc ? SVMC_KIND_HVC : SVMC_KIND_SMC;
    return SVMC_OK;
}

static enum svmc_status from_row(const struct svmc_a64_exit *raw, uint32_t ec,
                                 const struct svmc_insn *insn, struct svmc_exit *out)
{
    if (ec == EC_DATA_ABORT)
        return from_abort(raw, insn, out);
    out->kind = SVMC_KIND_UNKNOWN;
    if (ec == EC_HVC || ec == EC_SMC)
        return from_call((uint32_t)raw->esr, ec == EC_HVC, insn, out);
    if (ec == EC_SYSREG)
        return from_sysreg((uint32_t)raw->esr & 0x1ffffffu, insn, out);
    if (ec == EC_WFX) /* TI, bit 0: WFE and WFET */
        out->kind = raw->esr & 1 ? SVMC_KIND_WFE : SVMC_KIND_WFI;
    return SVMC_OK;
}

/* EX-31 */
static enum svmc_status from_exception(const struct svmc_a64_exit *raw, const uint8_t *bytes,
                                       size_t count, struct svmc_exit *out)
{
    uint32_t ec = ESR_EC(raw->esr);
    const struct row *row = &rows[core_clamp(ec, 64)];
    struct svmc_insn insn;
    enum svmc_status st;

    if ((raw->spsr & SPSR_AARCH32) || row->meaning == NOT_OURS)
        return SVMC_ERR_UNSUPPORTED;
    if (!(raw->esr & ESR_IL))
        return SVMC_ERR_MISMATCH; /* all of A64 is four bytes long */
    if (count > 0) {
        st = decode(row, bytes, count, &insn);
        if (st != SVMC_OK)
            return st;
    }
    st = from_row(raw, ec, count > 0 ? &insn : NULL, out);
    if (st != SVMC_OK)
        return st;
    out->isa = SVMC_ISA_A64;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS | (ec == EC_HVC ? 0 : SVMC_FINISH_RIP); /* EX-34 */
    out->insn_bytes = ec == EC_HVC ? 0 : 4;
    out->user = (raw->spsr & SPSR_EL) == 0;
    out->state = raw->spsr & SPSR_SS ? SVMC_STATE_SINGLE_STEP : SVMC_STATE_NONE;
    return SVMC_OK;
}

enum svmc_status svmc_exit_from_a64(const struct svmc_a64_exit *raw, const uint8_t *bytes,
                                    size_t count, struct svmc_exit *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!raw || (!bytes && count > 0))
        return SVMC_ERR_ARG;
    st = from_exception(raw, bytes, count, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}

/* EX-85 */
static enum svmc_status from_refusal(const struct svmc_a64_exit *raw, uint32_t ipa_bits,
                                     struct svmc_exit *out)
{
    uint32_t iss = (uint32_t)raw->esr & 0x1ffffffu, ec = ESR_EC(raw->esr);
    uint64_t ipa = (raw->hpfar >> 4 & 0xfffffffffffu) << 12;
    bool fetch = ec == EC_INSN_ABORT, open = ipa >> (ipa_bits - 1) != 0;

    if ((raw->spsr & SPSR_AARCH32) || (!fetch && ec != EC_DATA_ABORT) ||
        !is_device_fault(ISS_DFSC(iss)) || (!fetch && (iss & ISS_VNCR)) || (fetch && open))
        return SVMC_ERR_UNSUPPORTED;
    if ((iss & ISS_FNV) || ipa >> ipa_bits != 0)
        return SVMC_ERR_MISMATCH;
    out->kind = fetch  ? SVMC_KIND_INSN_ABORT
                : open ? SVMC_KIND_DATA_ABORT
                       : SVMC_KIND_PROTECTED_ABORT;
    out->count = 1;
    out->address = ipa;
    out->value = raw->esr & ABORT_SHOWN;
    out->isa = SVMC_ISA_A64;
    out->user = (raw->spsr & SPSR_EL) == 0;
    out->state = raw->spsr & SPSR_SS ? SVMC_STATE_SINGLE_STEP : SVMC_STATE_NONE;
    return SVMC_OK;
}

enum svmc_status svmc_exit_from_a64_abort(const struct svmc_a64_exit *raw, uint32_t ipa_bits,
                                          struct svmc_exit *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!raw || ipa_bits < IPA_BITS_MIN || ipa_bits > IPA_BITS_MAX)
        return SVMC_ERR_ARG;
    return from_refusal(raw, ipa_bits, out);
}
