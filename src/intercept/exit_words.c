/* SPDX-License-Identifier: MIT */
/** svmc_exit_from_insn for processors with general loads and stores: A64 and RISC-V. EX-3. */
#include "intercept_private.h"

/* What makes more of an access than one load or store of one register. */
#define MORE (SVMC_INSN_PRE_INDEX | SVMC_INSN_POST_INDEX | SVMC_INSN_EXCLUSIVE | SVMC_INSN_ATOMIC)

static enum svmc_status from_memory(const struct svmc_insn *insn, svmc_gpa gpa,
                                    struct svmc_exit *out)
{
    bool load = insn->access == SVMC_ACCESS_READ;

    if ((!load && insn->access != SVMC_ACCESS_WRITE) || insn->reg_kind != SVMC_REG_KIND_GPR ||
        insn->mem_count != 1 || insn->mem_bytes == 0 || insn->mem_bytes > 8 ||
        (insn->flags & MORE) || insn->privilege == SVMC_PRIVILEGE_HYP ||
        (load && insn->reg_bytes != 4 && insn->reg_bytes != 8))
        return SVMC_ERR_UNSUPPORTED;
    if ((gpa.v & 0xfff) + insn->mem_bytes > 4096)
        return SVMC_ERR_UNSUPPORTED; /* two pages may be two devices */
    out->kind = load ? SVMC_KIND_MMIO_READ : SVMC_KIND_MMIO_WRITE;
    out->address = gpa.v;
    out->size = (uint8_t)insn->mem_bytes;
    if (load) {
        out->dest_reg = insn->reg;
        out->dest_bytes = insn->reg_bytes;
        out->dest_extend = insn->flags & SVMC_INSN_SIGN ? SVMC_EXTEND_SIGN : SVMC_EXTEND_ZERO;
    } else {
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = insn->reg;
    }
    return SVMC_OK;
}

static enum svmc_status from_idle(const struct svmc_insn *insn, struct svmc_exit *out)
{
    bool a64 = insn->isa == SVMC_ISA_A64;

    if (a64 ? insn->id == SVMC_A64_WFE || insn->id == SVMC_A64_WFET : false)
        out->kind = SVMC_KIND_WFE;
    else if (a64 ? insn->id == SVMC_A64_WFI || insn->id == SVMC_A64_WFIT : insn->id == SVMC_RV_WFI)
        out->kind = SVMC_KIND_WFI;
    else
        return SVMC_ERR_UNSUPPORTED;
    return SVMC_OK;
}

void svmc_intercept_set_transfer(enum svmc_kind kind, uint64_t number, uint8_t reg,
                                 struct svmc_exit *out)
{
    out->kind = (uint16_t)kind;
    out->address = number;
    if (svmc_intercept_rule(out->kind)->direction == SVMC_DIRECTION_IN) {
        out->dest_reg = reg;
        out->dest_bytes = (uint8_t)out->size;
    } else {
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = reg;
    }
}

static enum svmc_status from_sysreg(const struct svmc_insn *insn, struct svmc_exit *out)
{
    if (insn->isa != SVMC_ISA_A64 || (insn->id != SVMC_A64_MRS && insn->id != SVMC_A64_MSR))
        return SVMC_ERR_UNSUPPORTED;
    out->size = 8;
    svmc_intercept_set_transfer(insn->id == SVMC_A64_MRS ? SVMC_KIND_SYSREG_READ
                                                         : SVMC_KIND_SYSREG_WRITE,
                                insn->imm, insn->reg, out);
    return SVMC_OK;
}

enum svmc_status svmc_intercept_from_word(const struct svmc_insn *insn, svmc_gpa gpa,
                                          struct svmc_exit *out)
{
    switch ((enum svmc_insn_class)insn->insn_class) {
    case SVMC_CLASS_MEMORY:
        return from_memory(insn, gpa, out);
    case SVMC_CLASS_IDLE:
        return from_idle(insn, out);
    case SVMC_CLASS_SYSTEM_REG:
        return from_sysreg(insn, out);
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
}
