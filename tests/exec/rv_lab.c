/* SPDX-License-Identifier: MIT */
#include "rv_lab.h"

/* vol. II table 8.6: page faults of fetch, load, store. */
static struct svmc_fault page_fault(uint64_t linear, uint32_t access, bool there)
{
    unsigned cause = access & SVMC_ACCESS_WRITE ? 15 : 13;

    (void)there;
    if (access & SVMC_EXEC_EXECUTE)
        cause = 12;
    return (struct svmc_fault){ .raised = 1, .vector = (uint8_t)cause, .address = linear };
}

void rv_lab_open(struct exec_lab *lab, unsigned isa)
{
    exec_lab_clear(lab, isa);
    lab->fault_of = page_fault;
    lab->rv.pc = LAB_LINEAR + 0x3000;
    lab->rv.mode = 1;
    lab->rv.float_state = 1;
    lab->rv.float_bytes = 16;
    lab->rv.settings = SVMC_EXEC_RV_MISALIGNED;
    lab->rv.block_bytes = 64;
}
