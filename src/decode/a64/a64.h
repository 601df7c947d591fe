/* SPDX-License-Identifier: MIT */
/** AArch64 instructions. */
#ifndef DECODE_A64_H
#define DECODE_A64_H
#include <svmcore/insn.h>

/**
 * svmc_insn_decode for SVMC_ISA_A64.
 *
 * State:  *out is written whole; after an error all of it but `refusal` is 0.
 * Source: docs/spec/a64.md.
 *
 * @return SVMC_OK, SVMC_ERR_TRUNCATED (count < 4), SVMC_ERR_UNDEFINED.
 */
enum svmc_status svmc_a64_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 struct svmc_insn *out);

#endif
