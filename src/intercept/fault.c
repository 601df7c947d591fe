/* SPDX-License-Identifier: MIT */
/** A fault code becomes an exception here and nowhere else: all of its syndrome is ours (R7). */
#include "intercept_private.h"

#define VECTOR_UD 6u  /* AMD APM vol. 2, 8.2.7 */
#define VECTOR_GP 13u /* AMD APM vol. 2, 8.2.14 */

/* Arm ARM D17.2.37: exception classes and syndromes of ESR_EL1 */
#define EC_UNKNOWN      0x00u
#define EC_ABORT_USER   0x24u  /* data abort from EL0 */
#define EC_ABORT_KERNEL 0x25u  /* from EL1 */
#define EC_FETCH_USER   0x20u  /* instruction abort from EL0 */
#define EC_FETCH_KERNEL 0x21u  /* from EL1 */
#define ISS_FNV         0x400u /* FAR is not valid */
#define ISS_WRITE       0x40u
#define ISS_EXTERNAL    0x10u /* synchronous external abort, not on a table walk */

#define CAUSE_ILLEGAL 2u /* RISC-V privileged, table 4.2 */
#define CAUSE_LOAD    5u
#define CAUSE_STORE   7u

/* z/Architecture Principles of Operation, figure 6-3: program-interruption codes */
#define CODE_OPERATION     0x01u
#define CODE_ADDRESSING    0x05u
#define CODE_SPECIFICATION 0x06u
#define CODE_OPERAND       0x15u

#define DATA_STORAGE 0x03u /* Power ISA book III, 7.5, figure: vectors, by 100 */
#define PROGRAM      0x07u

static struct svmc_fault fault_x86(bool gp)
{
    struct svmc_fault fault = { .raised = 1, .vector = gp ? VECTOR_GP : VECTOR_UD };

    fault.has_error = gp;
    return fault;
}

static struct svmc_fault fault_a64(bool gp, const struct svmc_exit *exit)
{
    bool write = exit->kind == SVMC_KIND_MMIO_WRITE;
    struct svmc_fault fault = { .raised = 1, .vector = EC_UNKNOWN, .has_error = 1 };

    if (gp) {
        fault.vector = exit->user ? EC_ABORT_USER : EC_ABORT_KERNEL;
        fault.error = ISS_FNV | ISS_EXTERNAL | (write ? ISS_WRITE : 0);
        if (exit->kind == SVMC_KIND_INSN_ABORT)
            fault.vector = exit->user ? EC_FETCH_USER : EC_FETCH_KERNEL;
    }
    return fault;
}

static struct svmc_fault fault_s390(enum svmc_fault_code code)
{
    struct svmc_fault fault = { .raised = 1, .vector = CODE_OPERATION };

    if (code == SVMC_FAULT_GP)
        fault.vector = CODE_ADDRESSING;
    else if (code == SVMC_FAULT_SPECIFICATION)
        fault.vector = CODE_SPECIFICATION;
    else if (code == SVMC_FAULT_OPERAND)
        fault.vector = CODE_OPERAND;
    return fault;
}

CORE_COLD struct svmc_fault svmc_intercept_fault(enum svmc_fault_code code,
                                                 const struct svmc_exit *exit)
{
    bool gp = code == SVMC_FAULT_GP, write = exit->kind == SVMC_KIND_MMIO_WRITE;

    if (code == SVMC_FAULT_NONE)
        return (struct svmc_fault){ .raised = 0 };
    switch ((enum svmc_isa)exit->isa) {
    case SVMC_ISA_A64:
        return fault_a64(gp, exit);
    case SVMC_ISA_RV32:
    case SVMC_ISA_RV64:
        return (struct svmc_fault){ .raised = 1,
                                    .vector = (uint8_t)(!gp     ? CAUSE_ILLEGAL
                                                        : write ? CAUSE_STORE
                                                                : CAUSE_LOAD) };
    case SVMC_ISA_S390X:
        return fault_s390(code);
    case SVMC_ISA_PPC64:
        return (struct svmc_fault){ .raised = 1, .vector = gp ? DATA_STORAGE : PROGRAM };
    default:
        return fault_x86(gp);
    }
}
