/* SPDX-License-Identifier: MIT */
/** What the general registers of each instruction set are. */
#include "../core/clamp.h"
#include "intercept_private.h"

struct file {
    uint8_t first, last, zero, pc; /* enum svmc_reg */
};

#define X86                                                     \
    {                                                           \
        SVMC_REG_RAX, SVMC_REG_R15, SVMC_REG_NONE, SVMC_REG_RIP \
    }
#define RV                                                              \
    {                                                                   \
        SVMC_REG_RV_X0, SVMC_REG_RV_X31, SVMC_REG_RV_X0, SVMC_REG_RV_PC \
    }

static const struct file files[] = {
    [SVMC_ISA_NONE] = X86,
    [SVMC_ISA_X86_16] = X86,
    [SVMC_ISA_X86_32] = X86,
    [SVMC_ISA_X86_64] = X86,
    [SVMC_ISA_A64] = { SVMC_REG_X0, SVMC_REG_X30, SVMC_REG_XZR, SVMC_REG_PC },
    [SVMC_ISA_A32] = { 1, 0, SVMC_REG_NONE, SVMC_REG_NONE }, /* none */
    [SVMC_ISA_T32] = { 1, 0, SVMC_REG_NONE, SVMC_REG_NONE },
    [SVMC_ISA_RV32] = RV,
    [SVMC_ISA_RV64] = RV,
    [SVMC_ISA_S390X] = { SVMC_REG_S390_R0, SVMC_REG_S390_R15, SVMC_REG_NONE, SVMC_REG_S390_IA },
};

#define ISAS (uint32_t)(sizeof files / sizeof files[0])

bool svmc_intercept_is_register(uint32_t isa, uint32_t reg)
{
    const struct file *f = &files[core_clamp(isa, ISAS)];

    return isa < ISAS &&
           ((reg >= f->first && reg <= f->last) || (reg == f->zero && reg != SVMC_REG_NONE));
}

uint32_t svmc_intercept_zero_register(uint32_t isa)
{
    return files[core_clamp(isa, ISAS)].zero;
}

uint32_t svmc_intercept_pc(uint32_t isa)
{
    return files[core_clamp(isa, ISAS)].pc;
}
