/* SPDX-License-Identifier: MIT */
/**
 * Front end for hypervisors that have nothing but the bytes at RIP: a decoded instruction becomes
 * an exit that the library finishes alone. Rule EX-3.
 */

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"

static void set_dest(struct svmc_exit *out, const struct svmc_insn *insn)
{
    out->dest_reg = insn->reg;
    out->dest_bytes = insn->reg_bytes;
    out->dest_high = (insn->flags & SVMC_INSN_HIGH_REG) != 0;
    out->dest_extend = insn->flags & SVMC_INSN_SIGN   ? SVMC_EXTEND_SIGN
                       : insn->flags & SVMC_INSN_ZERO ? SVMC_EXTEND_ZERO
                                                      : SVMC_EXTEND_NONE;
}

/* What is stored: the register operand, else the immediate. */
static void set_source(struct svmc_exit *out, const struct svmc_insn *insn)
{
    out->value = insn->imm & core_mask(out->size);
    if (insn->reg_kind == SVMC_REG_KIND_GPR) {
        out->from |= SVMC_FROM_VALUE_REG;
        out->value = 0;
        out->value_reg = insn->reg;
        out->value_high = (insn->flags & SVMC_INSN_HIGH_REG) != 0;
    }
}

/* IN al/ax/eax, imm8/dx and OUT imm8/dx, al/ax/eax: data first or last, the port is the other. */
static enum svmc_status from_port(const struct svmc_insn *insn, struct svmc_exit *out)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    bool in = insn->id == SVMC_X86_IN;
    const struct svmc_operand *data = &list[in ? 0 : 1], *port = &list[in ? 1 : 0];
    uint32_t count;

    if (!in && insn->id != SVMC_X86_OUT)
        return SVMC_ERR_UNSUPPORTED;
    if (svmc_insn_operands(insn, list, &count) != SVMC_OK || count != 2 ||
        data->kind != SVMC_OPERAND_REG)
        return SVMC_ERR_MISMATCH;
    out->kind = in ? SVMC_KIND_IN : SVMC_KIND_OUT;
    out->size = (uint8_t)data->bytes;
    out->address = port->imm & 0xffff;
    if (port->kind != SVMC_OPERAND_IMM) {
        out->from |= SVMC_FROM_ADDRESS_REG;
        out->address_reg = port->reg;
    }
    if (in) {
        out->dest_reg = data->reg;
        out->dest_bytes = (uint8_t)data->bytes;
    } else {
        out->from |= SVMC_FROM_VALUE_REG;
        out->value_reg = data->reg;
    }
    return SVMC_OK;
}

static enum svmc_status from_string(const struct svmc_insn *insn, struct svmc_exit *out)
{
    bool is_64 = insn->isa == SVMC_ISA_X86_64;

    if (insn->id != SVMC_X86_INS && insn->id != SVMC_X86_OUTS)
        return SVMC_ERR_UNSUPPORTED;
    if (insn->mem_bytes == 0 || insn->mem_bytes > 4)
        return SVMC_ERR_MISMATCH;
    out->kind = insn->id == SVMC_X86_INS ? SVMC_KIND_INS : SVMC_KIND_OUTS;
    out->size = (uint8_t)insn->mem_bytes;
    out->from = SVMC_FROM_ADDRESS_REG | SVMC_FROM_STRING_REGS;
    out->address_reg = SVMC_REG_RDX;
    out->address_bytes = insn->address_bytes;
    out->repeat = (insn->flags & SVMC_INSN_REP) != 0;
    out->segment = insn->segment;
    if (is_64 && insn->segment != SVMC_SEG_FS && insn->segment != SVMC_SEG_GS)
        out->segment = (uint8_t)SVMC_SEG_NONE; /* AMD APM vol. 2, 4.5.3 */
    return SVMC_OK;
}

/*
 * MOV, MOVZX, MOVSX, MOVSXD between device memory and a general register or immediate. Whatever
 * else touches memory is not finished here.
 */
static enum svmc_status from_memory(const struct svmc_insn *insn, svmc_gpa gpa,
                                    struct svmc_exit *out)
{
    bool load = insn->access == SVMC_ACCESS_READ;

    if (insn->id != SVMC_X86_MOV && insn->id != SVMC_X86_MOVZX && insn->id != SVMC_X86_MOVSX &&
        insn->id != SVMC_X86_MOVSXD)
        return SVMC_ERR_UNSUPPORTED;
    if ((!load && insn->access != SVMC_ACCESS_WRITE) || insn->mem_bytes == 0 || insn->mem_bytes > 8)
        return SVMC_ERR_MISMATCH;
    if (insn->reg_kind != SVMC_REG_KIND_GPR && (load || insn->reg_kind != SVMC_REG_KIND_NONE))
        return SVMC_ERR_UNSUPPORTED; /* a segment register */
    if ((gpa.v & 0xfff) + insn->mem_bytes > 4096)
        return SVMC_ERR_UNSUPPORTED; /* two pages may be two devices */
    out->kind = load ? SVMC_KIND_MMIO_READ : SVMC_KIND_MMIO_WRITE;
    out->address = gpa.v;
    out->size = (uint8_t)insn->mem_bytes;
    if (load)
        set_dest(out, insn);
    else
        set_source(out, insn);
    return SVMC_OK;
}

void svmc_intercept_set_from(struct svmc_exit *out)
{
    bool pair = out->kind == SVMC_KIND_WRMSR || out->kind == SVMC_KIND_XSETBV;

    if (!pair && out->kind != SVMC_KIND_RDMSR && out->kind != SVMC_KIND_RDPMC)
        return;
    out->from = (uint8_t)(SVMC_FROM_ADDRESS_REG | (pair ? SVMC_FROM_VALUE_PAIR : 0));
    out->address_reg = SVMC_REG_RCX;
}

/* The instructions that are a kind by their name alone. */
static enum svmc_status from_id(const struct svmc_insn *insn, struct svmc_exit *out)
{
    static const struct {
        uint16_t id, kind;
    } names[] = {
        { SVMC_X86_CPUID, SVMC_KIND_CPUID },      { SVMC_X86_RDMSR, SVMC_KIND_RDMSR },
        { SVMC_X86_WRMSR, SVMC_KIND_WRMSR },      { SVMC_X86_HLT, SVMC_KIND_HLT },
        { SVMC_X86_VMCALL, SVMC_KIND_HYPERCALL }, { SVMC_X86_VMMCALL, SVMC_KIND_HYPERCALL },
        { SVMC_X86_RDTSC, SVMC_KIND_RDTSC },      { SVMC_X86_RDTSCP, SVMC_KIND_RDTSCP },
        { SVMC_X86_RDPMC, SVMC_KIND_RDPMC },      { SVMC_X86_WBINVD, SVMC_KIND_WBINVD },
        { SVMC_X86_WBNOINVD, SVMC_KIND_WBINVD },  { SVMC_X86_INVD, SVMC_KIND_INVD },
        { SVMC_X86_MONITOR, SVMC_KIND_MONITOR },  { SVMC_X86_MWAIT, SVMC_KIND_MWAIT },
        { SVMC_X86_MONITORX, SVMC_KIND_MONITOR }, { SVMC_X86_MWAITX, SVMC_KIND_MWAIT },
        { SVMC_X86_PAUSE, SVMC_KIND_PAUSE },      { SVMC_X86_XSETBV, SVMC_KIND_XSETBV },
        { SVMC_X86_CLTS, SVMC_KIND_CLTS },
    };

    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].id == insn->id) {
            out->kind = names[i].kind;
            svmc_intercept_set_from(out);
            return SVMC_OK;
        }
    return SVMC_ERR_UNSUPPORTED;
}

static enum svmc_status set_sys(bool load, enum svmc_sys number, struct svmc_exit *out)
{
    out->kind = load ? SVMC_KIND_SYS_LOAD : SVMC_KIND_SYS_STORE;
    out->address = number;
    return SVMC_OK;
}

/* EX-87: the operand, which may be memory, is the embedder's to find. */
static enum svmc_status from_descriptor(const struct svmc_insn *insn, struct svmc_exit *out)
{
    static const struct {
        uint16_t id;
        uint8_t load, number;
    } names[] = {
        { SVMC_X86_SGDT, 0, SVMC_SYS_GDTR }, { SVMC_X86_SIDT, 0, SVMC_SYS_IDTR },
        { SVMC_X86_SLDT, 0, SVMC_SYS_LDTR }, { SVMC_X86_STR, 0, SVMC_SYS_TR },
        { SVMC_X86_LGDT, 1, SVMC_SYS_GDTR }, { SVMC_X86_LIDT, 1, SVMC_SYS_IDTR },
        { SVMC_X86_LLDT, 1, SVMC_SYS_LDTR }, { SVMC_X86_LTR, 1, SVMC_SYS_TR },
    };

    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].id == insn->id)
            return set_sys(names[i].load, (enum svmc_sys)names[i].number, out);
    return SVMC_ERR_UNSUPPORTED;
}

/* EX-60: MOV to or from CRn and DRn, SMSW and LMSW with a register. */
static enum svmc_status from_control(const struct svmc_insn *insn, struct svmc_exit *out)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    const struct svmc_operand *to = &list[0], *from = &list[1];
    bool debug = insn->insn_class == SVMC_CLASS_DEBUG_REG;
    bool word = insn->id == SVMC_X86_SMSW || insn->id == SVMC_X86_LMSW;
    uint32_t count;

    if (insn->id != SVMC_X86_MOV && !word)
        return from_id(insn, out);
    if (svmc_insn_operands(insn, list, &count) != SVMC_OK || count != (word ? 1u : 2u))
        return SVMC_ERR_UNSUPPORTED;
    if (word && to->kind != SVMC_OPERAND_REG) /* EX-87 */
        return set_sys(insn->id == SVMC_X86_LMSW, SVMC_SYS_MSW, out);
    out->size = (uint8_t)to->bytes;
    if (insn->id == SVMC_X86_LMSW)
        svmc_intercept_set_transfer(SVMC_KIND_LMSW, 0, to->reg, out);
    else if (insn->id == SVMC_X86_SMSW)
        svmc_intercept_set_transfer(SVMC_KIND_CR_READ, 0, to->reg, out);
    else if (to->reg_kind == SVMC_REG_KIND_GPR)
        svmc_intercept_set_transfer(debug ? SVMC_KIND_DR_READ : SVMC_KIND_CR_READ, from->reg,
                                    to->reg, out);
    else
        svmc_intercept_set_transfer(debug ? SVMC_KIND_DR_WRITE : SVMC_KIND_CR_WRITE, to->reg,
                                    from->reg, out);
    return SVMC_OK;
}

static enum svmc_status from_class(const struct svmc_insn *insn, svmc_gpa gpa,
                                   struct svmc_exit *out)
{
    switch ((enum svmc_insn_class)insn->insn_class) {
    case SVMC_CLASS_PORT:
        return from_port(insn, out);
    case SVMC_CLASS_STRING_PORT:
        return from_string(insn, out);
    case SVMC_CLASS_MEMORY:
        return from_memory(insn, gpa, out);
    case SVMC_CLASS_CONTROL_REG:
    case SVMC_CLASS_DEBUG_REG:
        return from_control(insn, out);
    case SVMC_CLASS_CPUID:
    case SVMC_CLASS_MSR:
    case SVMC_CLASS_IDLE:
    case SVMC_CLASS_HYPERCALL:
    case SVMC_CLASS_TIME:
    case SVMC_CLASS_COUNTER:
    case SVMC_CLASS_CACHE:
    case SVMC_CLASS_MONITOR:
    case SVMC_CLASS_PAUSE:
        return from_id(insn, out);
    case SVMC_CLASS_DESCRIPTOR:
        return from_descriptor(insn, out);
    case SVMC_CLASS_OTHER: /* nothing of it can exit */
        return SVMC_ERR_MISMATCH;
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
}

enum svmc_status svmc_exit_from_insn(const struct svmc_insn *insn, enum svmc_insn_class cause,
                                     svmc_gpa gpa, struct svmc_exit *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!insn || insn->length == 0 || insn->length > SVMC_INSN_MAX)
        return SVMC_ERR_ARG;
    if (insn->isa > SVMC_ISA_RV64)
        return SVMC_ERR_UNSUPPORTED;
    if (insn->insn_class != (uint32_t)cause)
        return SVMC_ERR_MISMATCH;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    out->insn_bytes = insn->length;
    out->isa = insn->isa;
    if (insn->isa <= SVMC_ISA_X86_64)
        st = from_class(insn, gpa, out);
    else
        st = svmc_intercept_from_word(insn, gpa, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
