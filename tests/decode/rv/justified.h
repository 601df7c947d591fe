/* SPDX-License-Identifier: MIT */
/** What the rows of justified.c speak of. */
#ifndef RV_JUSTIFIED_H
#define RV_JUSTIFIED_H
#include <stdint.h>

enum reference { LLVM, BINUTILS, REFERENCES };

struct word {
    uint32_t raw;
    unsigned length, xlen;
};

/** Who is compared with our decoder, or must say what we say. */
#define BY(reference) (1u << (reference))
#define BY_LLVM       BY(LLVM)
#define BY_BINUTILS   BY(BINUTILS)

/** In what they differ. */
enum aspect {
    A_ACCEPT = 1 << 0, /* they accept, we refuse */
    A_REFUSE = 1 << 1, /* they refuse, we accept */
    A_ID = 1 << 2,
    A_OTHER = 1 << 3 /* operands, and all that hangs on the id; a group that is none */
};

#define JUSTIFIED_CASE struct word
#include "../differential.h"

#endif
