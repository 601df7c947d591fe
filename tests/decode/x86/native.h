/* SPDX-License-Identifier: MIT */
/* Length and #UD of the processor that runs the test, in 64-bit mode. */
#ifndef X86_NATIVE_H
#define X86_NATIVE_H
#include "check.h"

#define DEATHS_MAX 1000u /* children that may die before the run gives up */

/** What a run found; plain numbers. */
struct native_totals {
    uint64_t cases, accepted, refused, too_long, failed, deaths;
    struct justified_totals justified;
};

/**
 * Execute `count` cases, print unexplained ones. Returns false, with a line that says so, where the
 * processor is not x86-64 or cannot be asked.
 */
bool native_run(uint64_t count, uint64_t seed, uint64_t shown, struct native_totals *t);

#endif
