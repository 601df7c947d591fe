/* SPDX-License-Identifier: MIT */
/** A decoded instruction and the registers -> the address that it accesses. */
#ifndef SVMCORE_ADDRESS_H
#define SVMCORE_ADDRESS_H
#include "insn.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_ADDRESS_LANES 16u /* lanes of the widest index vector, rows of a tile */

/** What the instruction meets when it starts. What it does not name is not read. */
struct svmc_address_regs {
    uint64_t general[32]; /* x86: RAX to R15 by enum svmc_reg; A64: X0 to X30, then SP; RISC-V: x0
                             to x31; s390x: r0 to r15 */
    uint64_t pc;          /* of the first byte of the instruction; x86: RIP, not linear */
    uint64_t segment_base[6]; /* x86, by enum svmc_segment; 64-bit mode reads FS and GS only */
    uint64_t index[SVMC_ADDRESS_LANES]; /* lanes of the index vector, each in the low bits */
    uint8_t address_bits; /* x86 in 64-bit mode: linear addresses have 48 or 57 bits; s390x: 24, 31
                             or 64 of the PSW; elsewhere 0 */
    uint8_t reserved[7];  /* 0 */
};

/** What the processor makes of the address before it is translated. */
enum svmc_address_fault {
    SVMC_ADDRESS_FAULT_NONE = 0,
    SVMC_ADDRESS_FAULT_GP = 1, /* x86: not canonical: #GP with error code 0 */
    SVMC_ADDRESS_FAULT_SS = 2  /* x86: not canonical, in the stack segment: #SS, error code 0 */
};

struct svmc_address {
    uint64_t linear;   /* of the first byte; x86: with the segment's base */
    uint64_t new_base; /* A64 with PRE_INDEX or POST_INDEX: for the base register; else 0 */
    uint8_t fault;     /* enum svmc_address_fault */
    uint8_t reserved[7];
};

/**
 * The address of a memory operand: base, index, displacement, cut and moved as the processor does.
 *
 * Shape:   op: one of svmc_insn_operands for insn, of kind MEM; NULL: the memory fields of insn, so
 *          its first memory operand. lane: of a vector index, 0 to op->lanes - 1, of which a mask
 *          may leave some out; row of a tile, as many as the tile configuration says; s390x with a
 *          vector index: imm, the element that is accessed; 0 elsewhere.
 * State:   *out is written whole, and zero after an error. Segment limits, alignment, protection
 *          are not looked at, nor whether a mask or a count suppresses the access.
 * Threads: pure; no host call.
 * Source:  docs/spec/address.md.
 *
 * @return SVMC_OK, with out->fault; SVMC_ERR_ARG (NULL, no memory operand, a register that insn's
 *         processor lacks, address_bits, lane, reserved bytes).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_insn_address(const struct svmc_insn *insn,
                                                           const struct svmc_operand *op,
                                                           const struct svmc_address_regs *regs,
                                                           unsigned lane, struct svmc_address *out);

#ifdef __cplusplus
}
#endif
#endif
