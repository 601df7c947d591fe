/* SPDX-License-Identifier: MIT */
/** Families of instruction sets. */
#ifndef DECODE_ISA_H
#define DECODE_ISA_H
#include <stdbool.h>
#include <svmcore/insn.h>

/** Whether isa, of enum svmc_isa, is x86 in one of its modes. */
static inline bool decode_isa_is_x86(uint32_t isa)
{
    return isa - SVMC_ISA_X86_16 <= SVMC_ISA_X86_64 - SVMC_ISA_X86_16;
}

#endif
