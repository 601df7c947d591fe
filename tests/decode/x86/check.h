/* SPDX-License-Identifier: MIT */
/* One case against all references, and what it adds to the totals. */
#ifndef X86_CHECK_H
#define X86_CHECK_H
#include "compare.h"

#define CAPSTONE_OF 2u /* asked of one case in so many: of all, it adds a quarter to the run */

/** What Capstone said. */
struct capstone_totals {
    uint64_t asked, agree, with_another; /* with_another: as a reference does that is not right */
    uint64_t accepts, refuses, length;   /* alone against everybody */
    uint64_t known;                      /* of those, the quirks in capstone.c */
    uint64_t locked, lock_agree;         /* of those asked, with LOCK */
};

/** Hear it on one case; it fails none. */
void capstone_count(const struct shape *s, const struct verdict *us, const struct verdict *zydis,
                    const struct verdict *llvm, struct capstone_totals *t);
void capstone_print(const struct capstone_totals *t);

/** Sums of one worker; plain numbers, so that the parent can add them up. */
struct totals {
    uint64_t cases, accepted, refused, failed, by_zydis, by_llvm, by_binutils;
    uint64_t modes[3], encodings[5];
    struct capstone_totals capstone;
    struct justified_totals justified; /* the vote that is heard is binutils' */
};

/** Compare one case; unexplained differences are printed until `shown` of them were. */
void check_case(const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendors, struct totals *t,
                uint64_t shown);

/** What everybody says of a case. */
void check_show(const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendor);

/**
 * The harness itself: make our verdict of an accepted case wrong in each of FALSIFIED ways, and
 * count how often that is seen and not taken for a justified difference.
 */
#define FALSIFIED 10u
extern const char *const falsified[FALSIFIED];
void check_sensitivity(const uint8_t bytes[CASE_BYTES], unsigned mode, uint64_t made[FALSIFIED],
                       uint64_t seen[FALSIFIED]);

#endif
