/* SPDX-License-Identifier: MIT */
/* One case against all references, and what it adds to the totals. */
#ifndef X86_CHECK_H
#define X86_CHECK_H
#include "compare.h"

/** Sums of one worker; plain numbers, so that the parent can add them up. */
struct totals {
    uint64_t cases, accepted, refused, failed, by_zydis, by_llvm, by_binutils;
    uint64_t modes[3], encodings[5];
    uint64_t absorbed[CLASSES_MAX];  /* per class */
    uint64_t asked[CLASSES_MAX];     /* of those, where binutils was asked */
    uint64_t supported[CLASSES_MAX]; /* of those, where it says what we say */
};

/** Compare one case; unexplained differences are printed until `shown` of them were. */
void check_case(const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendors, struct totals *t,
                uint64_t shown);

/**
 * The harness itself: make our verdict of an accepted case wrong in each of FALSIFIED ways, and
 * count how often that is seen and not taken for a justified difference.
 */
#define FALSIFIED 10u
extern const char *const falsified[FALSIFIED];
void check_sensitivity(const uint8_t bytes[CASE_BYTES], unsigned mode, uint64_t made[FALSIFIED],
                       uint64_t seen[FALSIFIED]);

#endif
