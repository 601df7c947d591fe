/* SPDX-License-Identifier: MIT */
/* svmc_insn_operands: x86 from its table; elsewhere the fields say it all. */
#include "isa.h"
#include "x86/x86.h"

static const struct svmc_operand unused = {
    .reg = SVMC_REG_NONE, .segment = SVMC_SEG_NONE, .base = SVMC_REG_NONE, .index = SVMC_REG_NONE
};

enum svmc_status svmc_insn_operands(const struct svmc_insn *insn, struct svmc_operand *out,
                                    uint32_t *count)
{
    if (out == NULL || count == NULL)
        return SVMC_ERR_ARG;
    *count = 0;
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        out[i] = unused;
    if (insn == NULL || insn->length == 0 || insn->length > SVMC_INSN_MAX)
        return SVMC_ERR_ARG;
    if (decode_isa_is_x86(insn->isa))
        return svmc_x86_operands(insn, out, count);
    return SVMC_ERR_UNSUPPORTED;
}
