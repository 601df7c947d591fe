/* SPDX-License-Identifier: MIT */
/** What the rows of justified.c speak of. */
#ifndef A64_JUSTIFIED_H
#define A64_JUSTIFIED_H
#include <stdint.h>

#include "reference.h"

struct word {
    uint32_t raw;
};

/** Who is compared with our decoder, or must say what we say. */
#define BY(reference) (1u << (reference))
#define BY_LLVM       BY(REFERENCE_LLVM)
#define BY_BINUTILS   BY(REFERENCE_BINUTILS)

/** In what they differ. */
enum aspect {
    A_ACCEPT = 1 << 0,     /* they accept, we refuse */
    A_REFUSE = 1 << 1,     /* they refuse, we accept */
    A_GROUP = 1 << 2,      /* the instruction is in another group */
    A_UNREADABLE = 1 << 3, /* their text is not understood */
    A_ID = 1 << 4,
    A_CLASS = 1 << 5,
    A_ACCESS = 1 << 6,
    A_SIZE = 1 << 7,    /* mem_bytes, mem_count, reg_bytes, reg_kind */
    A_REGS = 1 << 8,    /* reg, reg2, reg3 */
    A_ADDRESS = 1 << 9, /* base, index, index_extend, scale */
    A_DISP = 1 << 10,
    A_IMM = 1 << 11,
    A_FLAGS = 1 << 12,
    A_NAME = 1 << 13,  /* two names for one number */
    A_BEYOND = 1 << 14 /* ours is no class at all */
};

#define ASPECTS 15u

#define JUSTIFIED_CASE struct word
#include "../differential.h"

#endif
