/* SPDX-License-Identifier: MIT */
/** Where the references may differ from us, and why. */
#ifndef A64_REASONS_H
#define A64_REASONS_H
#include <stdint.h>

#include "reference.h"

/** How a reference differs from us: bits. */
enum difference {
    DIFF_ACCEPTS = 1 << 0,    /* it accepts what we refuse */
    DIFF_REFUSES = 1 << 1,    /* it refuses what we accept */
    DIFF_GROUP = 1 << 2,      /* the instruction is in another group */
    DIFF_UNREADABLE = 1 << 3, /* its text is not understood */
    DIFF_ID = 1 << 4,
    DIFF_CLASS = 1 << 5,
    DIFF_ACCESS = 1 << 6,
    DIFF_SIZE = 1 << 7,    /* mem_bytes, mem_count, reg_bytes, reg_kind */
    DIFF_REGS = 1 << 8,    /* reg, reg2, reg3 */
    DIFF_ADDRESS = 1 << 9, /* base, index, index_extend, scale */
    DIFF_DISP = 1 << 10,
    DIFF_IMM = 1 << 11,
    DIFF_FLAGS = 1 << 12,
    DIFF_NAME = 1 << 13 /* two names for one number */
};

#define REASONS_MAX 64

extern const unsigned reason_count;

/** Number of the reason that explains `diff` of a reference in a word, or -1. */
int reason_find(enum reference which, uint32_t word, unsigned diff, bool other_agrees);

/** What it is, in words, with its source. */
const char *reason_text(unsigned number);

#endif
