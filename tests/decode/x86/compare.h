/* SPDX-License-Identifier: MIT */
/* Two verdicts about one case side by side, and the justified classes of difference. */
#ifndef X86_COMPARE_H
#define X86_COMPARE_H
#include "verdict.h"

/** Who is compared with our decoder. */
enum reference { BY_ZYDIS = 1, BY_LLVM = 2, BY_NATIVE = 4 };

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

/** A justified class of difference. */
struct justified {
    const char *name;
    uint8_t reference; /* enum reference: who is wrong, or is not asked here */
    uint8_t witness;   /* W_ bits: one of them must say what we say; 0: the manual alone */
    uint32_t aspects;  /* enum aspect bits it covers */
    bool (*holds)(const struct shape *s);
    const char *source; /* the manual's place */
};
enum { W_ZYDIS = 1, W_LLVM = 2, W_BINUTILS = 4 };

extern const struct justified classes[];
extern const unsigned class_count;
#define CLASSES_MAX 200u

#define ASPECTS 17u

/** In what two verdicts differ, and the field of each aspect that does. */
struct difference {
    unsigned aspects; /* enum aspect bits */
    const char *why[ASPECTS];
};

/** What of `them` differs from `us`, as far as they know. */
struct difference verdicts_differ(const struct verdict *us, const struct verdict *them);

/** Index of the class that explains a difference; -1: none does. */
int class_of(enum reference by, enum aspect aspect, const struct shape *s,
             bool (*witness)(unsigned bits));

#endif
