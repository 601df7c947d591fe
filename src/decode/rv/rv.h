/* SPDX-License-Identifier: MIT */
/** The RISC-V part of svmc_insn_decode. */
#ifndef DECODE_RV_H
#define DECODE_RV_H
#include <svmcore/insn.h>

/**
 * Decode one RISC-V instruction; docs/spec/riscv.md.
 *
 * Shape: cpu->isa is SVMC_ISA_RV32 or SVMC_ISA_RV64.
 * State: *out is written whole on SVMC_OK; after UNDEFINED and UNSUPPORTED only out->refusal is
 *        set, after TRUNCATED nothing is.
 *
 * @return SVMC_OK, SVMC_ERR_TRUNCATED, SVMC_ERR_UNDEFINED, SVMC_ERR_UNSUPPORTED.
 */
SVMC_NODISCARD enum svmc_status svmc_rv_decode(const struct svmc_cpu *cpu, const uint8_t *bytes,
                                               size_t count, struct svmc_insn *out);

#endif
