/* SPDX-License-Identifier: MIT */
/** Front end for s390x: interception code, instruction, PSW -> exit. Pure; EX-64 to 68, EX-71. */
#include <svmcore/exit_s390.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"
#include "intercept_private.h"

_Static_assert(sizeof(struct svmc_s390_exit) == 152, "no padding");

/* The state description; a test has the offsets from Linux. */
#define SD_CODE    0x50u
#define SD_STATUS  0x51u
#define SD_IPA     0x56u
#define SD_IPB     0x58u
#define SD_PSW     0x90u
#define SD_GG14    0xa0u
#define SD_PROGRAM 0xceu
#define GPRS_HOST  14u /* registers that are not in it */

/* Interception status: Linux arch/s390/kvm/intercept.c, kvm_s390_get_ilen */
#define STATUS_EXECUTE 0x01u /* the target of EXECUTE, whose length is in bits 5 and 6 */
#define STATUS_PER     0x02u /* a PER event of the instruction's fetch is pending */
#define STATUS_LENGTH  0x06u /* after >> 4; 0: 4 */

#define PROGRAM_PER 0x80u /* PoP 4, program-event recording */

/* PoP 4, program-status word */
#define PSW_PROBLEM (UINT64_C(1) << (63 - 15))
#define PSW_EA      (UINT64_C(1) << (63 - 31))
#define PSW_BA      (UINT64_C(1) << (63 - 32))
#define PSW_WAIT    (UINT64_C(1) << (63 - 14))
#define PSW_ENABLED (UINT64_C(1) << (63 - 6) | UINT64_C(1) << (63 - 7) | UINT64_C(1) << (63 - 13))

/* QEMU hw/s390x/s390-pci-inst.c: how many bytes */
#define PCI_LENGTH    0xfu
#define PCISTB_LENGTH 0x1fffu

#define ADDRESSES_24 UINT64_C(0xffffff)
#define ADDRESSES_31 UINT64_C(0x7fffffff)

enum s390_what { NO_ROW, EVENT, INSTRUCTION, INSTRUCTION_PER, OPERATION, WAIT_STATE };

#define CODES 32u /* codes are multiples of 4 */

static const uint8_t codes[CODES] = {
#define CODE(code, what, source) [(code) / 4] = what,
#include "s390.def"
#undef CODE
};

struct insn_row {
    uint16_t id;   /* enum svmc_s390_id */
    uint16_t kind; /* enum svmc_kind */
};

static const struct insn_row insns[] = {
#define INSN(id, kind, source) { SVMC_S390_##id, SVMC_KIND_##kind },
#include "s390.def"
#undef INSN
};

#define INSNS (sizeof insns / sizeof insns[0])

/* EX-65: what has no privilege and only computes, or touches memory, is never intercepted. */
static bool may_be_intercepted(const struct svmc_insn *insn)
{
    static const uint8_t never[] = { SVMC_CLASS_OTHER,     SVMC_CLASS_MEMORY,
                                     SVMC_CLASS_BRANCH,    SVMC_CLASS_NOP,
                                     SVMC_CLASS_PREFETCH,  SVMC_CLASS_TRANSACTION,
                                     SVMC_CLASS_INTERRUPT, SVMC_CLASS_RANDOM };

    if (insn->privilege != SVMC_PRIVILEGE_NONE)
        return true;
    for (size_t i = 0; i < sizeof never; i++)
        if (insn->insn_class == never[i])
            return false;
    return true;
}

/* A general register's value; of what is none: 0. */
static uint64_t gpr_of(const struct svmc_s390_exit *raw, uint32_t reg)
{
    uint32_t n = reg - (uint32_t)SVMC_REG_S390_R0;

    return n < SVMC_S390_GPRS ? raw->gpr[core_clamp(n, SVMC_S390_GPRS)] : 0;
}

/* The low bits of a second-operand address, which no addressing mode cuts. */
static uint64_t operand_address(const struct svmc_s390_exit *raw, const struct svmc_insn *insn)
{
    return (uint64_t)insn->disp + gpr_of(raw, insn->base) + gpr_of(raw, insn->index);
}

/* EX-68: where a block is: a register of CHSC and STHYI, and of SERVC a real address. */
static uint64_t block_address(const struct svmc_s390_exit *raw, const struct svmc_insn *insn)
{
    switch (insn->id) {
    case SVMC_S390_CHSC:
        return gpr_of(raw, insn->reg);
    case SVMC_S390_STHYI:
    case SVMC_S390_SERVC:
        return gpr_of(raw, insn->reg2);
    default:
        return operand_address(raw, insn);
    }
}

/* EX-68: PoP 3, address wraparound: EA and BA of the PSW say how much of an address counts. */
static enum svmc_status from_block(const struct svmc_s390_exit *raw, const struct svmc_insn *insn,
                                   uint32_t bytes, struct svmc_exit *out)
{
    uint64_t ea = raw->psw_mask & PSW_EA, ba = raw->psw_mask & PSW_BA;
    uint64_t mask = ea ? UINT64_MAX : ba ? ADDRESSES_31 : ADDRESSES_24;

    if (ea && !ba) /* PoP 4: no such mode */
        return SVMC_ERR_MISMATCH;
    if (insn->id == SVMC_S390_SERVC)
        mask = UINT64_MAX;
    out->size = (uint16_t)bytes;
    out->buffer.v = block_address(raw, insn) & mask;
    return bytes - 1 > mask - out->buffer.v ? SVMC_ERR_UNSUPPORTED : SVMC_OK;
}

/* EX-71: the registers that an instruction names, and what it says with their values. */
static void from_registers(const struct svmc_s390_exit *raw, const struct svmc_insn *insn,
                           struct svmc_exit *out)
{
    uint32_t r2 = insn->reg2 - (uint32_t)SVMC_REG_S390_R0;
    uint64_t bytes;

    switch (out->kind) {
    case SVMC_KIND_SIGP:
        out->arg[0] = insn->reg2;
        out->value = operand_address(raw, insn) & 0xff;
        break;
    case SVMC_KIND_SERVC:
        out->value = gpr_of(raw, insn->reg) & UINT32_MAX;
        break;
    case SVMC_KIND_PCISTB:
        out->arg[0] = insn->reg;
        out->arg[1] = insn->reg2;
        out->value = gpr_of(raw, insn->reg) & PCISTB_LENGTH;
        break;
    case SVMC_KIND_PCILG:
    case SVMC_KIND_PCISTG:
        bytes = gpr_of(raw, insn->reg2) & PCI_LENGTH;
        out->size = (uint16_t)(bytes <= 8 ? bytes : 0); /* EX-75 */
        /* fall through */
    case SVMC_KIND_RPCIT:
    case SVMC_KIND_STHYI:
        out->arg[1] = insn->reg2;
        out->arg[2] = (uint8_t)(SVMC_REG_S390_R0 + ((r2 + 1) & 15));
        /* fall through */
    case SVMC_KIND_MPCIFC:
    case SVMC_KIND_STPCIFC:
        out->arg[0] = insn->reg;
        break;
    default:
        break;
    }
}

/* EX-67: DIAGNOSE, by the low 16 bits of its second-operand address. */
static void from_diagnose(const struct svmc_s390_exit *raw, const struct svmc_insn *insn,
                          struct svmc_exit *out)
{
    uint32_t r1 = insn->reg - (uint32_t)SVMC_REG_S390_R0;
    uint32_t r3 = insn->reg2 - (uint32_t)SVMC_REG_S390_R0;

    out->arg[0] = insn->reg;
    switch (operand_address(raw, insn) & 0xffff) {
    case 0x44:
        out->kind = SVMC_KIND_DIAG_44;
        break;
    case 0x9c:
        out->kind = SVMC_KIND_DIAG_9C;
        break;
    case 0x288:
        out->kind = SVMC_KIND_DIAG_288;
        out->arg[1] = (uint8_t)(SVMC_REG_S390_R0 + ((r1 + 1) & 15));
        out->arg[2] = insn->reg2;
        break;
    case 0x308:
        out->kind = SVMC_KIND_DIAG_308;
        out->value = raw->gpr[core_clamp(r3, SVMC_S390_GPRS)] & 0xffff;
        break;
    case 0x500:
        out->kind = SVMC_KIND_DIAG_500;
        break;
    default: /* UNKNOWN */
        break;
    }
}

/* The bytes that stand in the state description, of the instruction or the target of EXECUTE. */
static void text_of(const struct svmc_s390_exit *raw, uint8_t text[6])
{
    for (unsigned i = 0; i < 2; i++)
        text[i] = (uint8_t)(raw->ipa >> (8 - 8 * i));
    for (unsigned i = 0; i < 4; i++)
        text[2 + i] = (uint8_t)(raw->ipb >> (24 - 8 * i));
}

/* How far the PSW has moved. */
static uint8_t length_of(const struct svmc_s390_exit *raw, uint8_t length)
{
    uint8_t execute = (uint8_t)(raw->status >> 4 & STATUS_LENGTH);

    if (!(raw->status & STATUS_EXECUTE))
        return length;
    return execute != 0 ? execute : 4;
}

/* EX-65, EX-66 */
static enum svmc_status from_instruction(const struct svmc_s390_exit *raw, struct svmc_exit *out)
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_S390X };
    const struct exit_rule *rule;
    struct svmc_insn insn;
    bool listed = false;
    uint8_t text[6];

    text_of(raw, text);
    if (svmc_insn_decode(&cpu, text, sizeof text, &insn) != SVMC_OK)
        return SVMC_ERR_MISMATCH; /* an operation exception, which has a code of its own */
    for (size_t i = 0; i < INSNS; i++)
        if (insns[i].id == insn.id) {
            out->kind = insns[i].kind;
            listed = true;
        }
    if ((!listed && !may_be_intercepted(&insn)) ||
        (out->user && insn.privilege == SVMC_PRIVILEGE_KERNEL))
        return SVMC_ERR_MISMATCH;
    if (insn.id == SVMC_S390_DIAG)
        from_diagnose(raw, &insn, out);
    from_registers(raw, &insn, out);
    out->insn_bytes = length_of(raw, insn.length);
    rule = svmc_intercept_rule(out->kind);
    return is_block(rule) ? from_block(raw, &insn, rule->string, out) : SVMC_OK;
}

static enum svmc_status from_code(const struct svmc_s390_exit *raw, struct svmc_exit *out)
{
    uint32_t at = raw->code / 4u;
    enum s390_what what = NO_ROW;

    if (raw->code % 4 == 0 && at < CODES)
        what = (enum s390_what)codes[core_clamp(at, CODES)];
    out->kind = SVMC_KIND_UNKNOWN;
    out->isa = SVMC_ISA_S390X;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS;
    out->user = (raw->psw_mask & PSW_PROBLEM) != 0;
    if (what == INSTRUCTION_PER || (raw->status & STATUS_PER))
        out->state = SVMC_STATE_SINGLE_STEP;
    switch (what) {
    case INSTRUCTION_PER:
        if (raw->program != PROGRAM_PER)
            return SVMC_ERR_UNSUPPORTED;
        return from_instruction(raw, out);
    case INSTRUCTION:
        return from_instruction(raw, out);
    case OPERATION:
        out->insn_bytes = length_of(raw, raw->ipa < 0x4000 ? 2 : raw->ipa < 0xc000 ? 4 : 6);
        return SVMC_OK;
    case WAIT_STATE: /* EX-64: nothing but a reset ends a wait in which nothing is enabled */
        out->kind = raw->psw_mask & PSW_ENABLED ? SVMC_KIND_WAIT : SVMC_KIND_SHUTDOWN;
        out->state = SVMC_STATE_NONE;
        return raw->psw_mask & PSW_WAIT ? SVMC_OK : SVMC_ERR_MISMATCH;
    case EVENT:
    case NO_ROW:
        break;
    }
    return SVMC_ERR_UNSUPPORTED;
}

enum svmc_status svmc_s390_exit_read(const uint8_t *sd, const uint64_t *gpr,
                                     struct svmc_s390_exit *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!sd || !gpr)
        return SVMC_ERR_ARG;
    out->code = sd[SD_CODE];
    out->status = sd[SD_STATUS];
    out->ipa = core_load_be16(sd + SD_IPA);
    out->ipb = core_load_be32(sd + SD_IPB);
    out->psw_mask = core_load_be64(sd + SD_PSW);
    out->program = core_load_be16(sd + SD_PROGRAM);
    memcpy(out->gpr, gpr, GPRS_HOST * sizeof *gpr);
    for (unsigned i = 0; i < SVMC_S390_GPRS - GPRS_HOST; i++)
        out->gpr[GPRS_HOST + i] = core_load_be64(sd + SD_GG14 + 8 * i);
    return SVMC_OK;
}

enum svmc_status svmc_exit_from_s390(const struct svmc_s390_exit *raw, struct svmc_exit *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!raw)
        return SVMC_ERR_ARG;
    for (unsigned i = 0; i < sizeof raw->reserved; i++)
        if (raw->reserved[i] != 0)
            return SVMC_ERR_ARG;
    st = from_code(raw, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
