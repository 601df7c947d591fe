/* SPDX-License-Identifier: MIT */
/** The guest of exec_lab.h with the registers of RISC-V. */
#ifndef TESTS_RV_LAB_H
#define TESTS_RV_LAB_H
#include "exec_lab.h"

/* Registers that a supervisor has; isa: enum svmc_isa, of RISC-V. */
void rv_lab_open(struct exec_lab *lab, unsigned isa);

#endif
