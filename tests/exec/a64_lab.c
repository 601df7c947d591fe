/* SPDX-License-Identifier: MIT */
#include "a64_lab.h"

/* A level 3 fault, as svmc_walk says it, but always of EL1. */
static struct svmc_fault page_fault(uint64_t linear, uint32_t access, bool there)
{
    bool fetch = (access & SVMC_EXEC_EXECUTE) != 0;
    bool writes = (access & SVMC_ACCESS_RW) == SVMC_ACCESS_WRITE;

    return (struct svmc_fault){ .raised = 1,
                                .vector = fetch ? 0x21 : 0x25,
                                .has_error = 1,
                                .error = (there ? 0x0fu : 0x07u) | (writes ? 0x40u : 0),
                                .address = linear };
}

void a64_lab_open(struct exec_lab *lab)
{
    exec_lab_clear(lab, SVMC_ISA_A64);
    lab->fault_of = page_fault;
    lab->a64.pc = LAB_LINEAR + 0x1000;
    lab->a64.pstate = 5; /* EL1h */
    lab->a64.cpacr = 3u << 20;
    lab->a64.dczid = 4;
    lab->a64.general[2] = A64_DATA;
    lab->a64.general[31] = LAB_LINEAR + 0x800;
}

void a64_lab_count_up(struct exec_lab *lab, uint64_t linear)
{
    for (unsigned i = 0; i < 64; i++)
        *exec_lab_at(lab, linear + i) = (uint8_t)(0x10 + i);
}
