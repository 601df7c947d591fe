/* SPDX-License-Identifier: MIT */
/* Where the cases come from: an enumerated skeleton, and random strings. */
#ifndef X86_CASES_H
#define X86_CASES_H
#include <stdint.h>
#include "verdict.h"

/** How many cases the skeleton of a mode has. */
uint64_t skeleton_count(unsigned mode);

/** Case number index < skeleton_count(mode). */
void skeleton_case(unsigned mode, uint64_t index, uint8_t bytes[CASE_BYTES]);

/** Random case number index of a seed: uniform bytes, or prefixes and a map with random rest. */
void random_case(unsigned mode, uint64_t seed, uint64_t index, uint8_t bytes[CASE_BYTES]);

#endif
