/* SPDX-License-Identifier: MIT */
/** What the rows of justified.c speak of. */
#ifndef X86_JUSTIFIED_H
#define X86_JUSTIFIED_H
#include "verdict.h"

/** Who is compared with our decoder. */
enum reference { BY_ZYDIS = 1, BY_LLVM = 2, BY_NATIVE = 4 };

/** Who must say what we say. */
enum witness { W_ZYDIS = 1, W_LLVM = 2, W_BINUTILS = 4 };

/** In what they differ. */
enum aspect {
    A_NONE = 0,
    A_ACCEPT = 1 << 0, /* they accept, we refuse */
    A_REFUSE = 1 << 1, /* they refuse, we accept */
    A_LENGTH = 1 << 2,
    A_MEMORY = 1 << 3, /* whether there is a memory operand; base, index, scale, displacement */
    A_SIZE = 1 << 4,   /* its bytes */
    A_ACCESS = 1 << 5, /* how it is accessed */
    A_SEGMENT = 1 << 6,
    A_IDENTITY = 1 << 7,
    A_OPERANDS = 1 << 8, /* the list: kinds, registers, immediates */
    A_COUNT = 1 << 9,    /* how many there are */
    A_OPERAND_ACCESS = 1 << 10,
    A_REGISTER_SIZE = 1 << 11,
    A_WIDTH = 1 << 12, /* operand size */
    A_ADDRESS_SIZE = 1 << 13,
    A_FLAGS = 1 << 14,    /* LOCK, REP */
    A_TOO_LONG = 1 << 15, /* the processor: #GP, not #UD, or the other way round */
    A_NARROWER = 1 << 16  /* of a vector register we say less than their 16 bytes */
};

#define ASPECTS 17u

#define JUSTIFIED_CASE struct shape
#include "../differential.h"

#endif
