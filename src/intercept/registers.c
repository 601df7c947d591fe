/* SPDX-License-Identifier: MIT */
/** What the general registers of each instruction set are. */
#include "intercept_private.h"

#define X86                                                     \
    {                                                           \
        SVMC_REG_RAX, SVMC_REG_R15, SVMC_REG_NONE, SVMC_REG_RIP \
    }
#define RV                                                              \
    {                                                                   \
        SVMC_REG_RV_X0, SVMC_REG_RV_X31, SVMC_REG_RV_X0, SVMC_REG_RV_PC \
    }

const struct reg_file svmc_intercept_reg_files[ISAS] = {
    [SVMC_ISA_NONE] = X86,
    [SVMC_ISA_X86_16] = X86,
    [SVMC_ISA_X86_32] = X86,
    [SVMC_ISA_X86_64] = X86,
    [SVMC_ISA_A64] = { SVMC_REG_X0, SVMC_REG_X30, SVMC_REG_XZR, SVMC_REG_PC },
    [SVMC_ISA_A32] = { 1, 0, SVMC_REG_NONE, SVMC_REG_NONE }, /* none */
    [SVMC_ISA_T32] = { 1, 0, SVMC_REG_NONE, SVMC_REG_NONE },
    [SVMC_ISA_RV32] = RV,
    [SVMC_ISA_RV64] = RV,
    [SVMC_ISA_PPC64] = { SVMC_REG_PPC_R0, SVMC_REG_PPC_R31, SVMC_REG_NONE, SVMC_REG_PPC_NIA },
    [SVMC_ISA_S390X] = { SVMC_REG_S390_R0, SVMC_REG_S390_R15, SVMC_REG_NONE, SVMC_REG_S390_IA },
};
