/* SPDX-License-Identifier: MIT */
/*
 * Which status flags an instruction leaves undefined, by the pages of SDM vol. 2: written for the
 * tests, by hand, and not from what the library does.
 */
#ifndef CHECKS_EXEC_FLAGS_H
#define CHECKS_EXEC_FLAGS_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/insn.h>

#define T_CF  0x1u
#define T_PF  0x4u
#define T_AF  0x10u
#define T_ZF  0x40u
#define T_SF  0x80u
#define T_OF  0x800u
#define T_ALL (T_CF | T_PF | T_AF | T_ZF | T_SF | T_OF)

/* count: of a shift or rotation, as it stands in the immediate or CL; value: what memory holds */
static inline uint64_t exec_undefined_flags(const struct svmc_insn *insn, unsigned count,
                                            uint64_t value)
{
    unsigned bits = insn->mem_bytes * 8u, masked = count & (bits == 64 ? 63 : 31);

    switch (insn->id) {
    case SVMC_X86_AND:
    case SVMC_X86_OR:
    case SVMC_X86_XOR:
    case SVMC_X86_TEST:
        return T_AF;
    case SVMC_X86_ROL:
    case SVMC_X86_ROR:
    case SVMC_X86_RCL:
    case SVMC_X86_RCR:
        return masked > 1 ? T_OF : 0;
    case SVMC_X86_SHL:
    case SVMC_X86_SHR:
    case SVMC_X86_SAR:
        if (masked == 0)
            return 0;
        return T_AF | (masked > 1 ? T_OF : 0) |
               (insn->id != SVMC_X86_SAR && masked >= bits ? T_CF : 0);
    case SVMC_X86_SHLD:
    case SVMC_X86_SHRD:
        if (masked == 0)
            return 0;
        return masked > bits ? T_ALL : T_AF | (masked > 1 ? T_OF : 0);
    case SVMC_X86_BT:
    case SVMC_X86_BTS:
    case SVMC_X86_BTR:
    case SVMC_X86_BTC:
        return T_OF | T_SF | T_AF | T_PF;
    case SVMC_X86_MUL:
    case SVMC_X86_IMUL:
        return T_SF | T_ZF | T_AF | T_PF;
    case SVMC_X86_DIV:
    case SVMC_X86_IDIV:
        return T_ALL;
    case SVMC_X86_BSF:
    case SVMC_X86_BSR:
        return T_ALL & ~T_ZF;
    case SVMC_X86_TZCNT:
    case SVMC_X86_LZCNT:
        return T_OF | T_SF | T_PF | T_AF;
    case SVMC_X86_BEXTR:
        return T_AF | T_SF | T_PF;
    case SVMC_X86_ANDN:
    case SVMC_X86_BLSI:
    case SVMC_X86_BLSMSK:
    case SVMC_X86_BLSR:
    case SVMC_X86_BZHI:
        return T_AF | T_PF;
    default:
        (void)value;
        return 0;
    }
}

/* Whether what is written is undefined as well. */
static inline bool exec_undefined_value(const struct svmc_insn *insn, unsigned count)
{
    unsigned bits = insn->mem_bytes * 8u;

    return (insn->id == SVMC_X86_SHLD || insn->id == SVMC_X86_SHRD) && (count & 31) > bits;
}

#endif
