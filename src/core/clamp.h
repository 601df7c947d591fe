/* SPDX-License-Identifier: MIT */
/** The one helper against Spectre v1: what a bounds check let through is clamped, branch-free. */
#ifndef CORE_CLAMP_H
#define CORE_CLAMP_H
#include <stdint.h>

/**
 * index if index < bound, else 0, computed without a branch. Stands between a bounds check and the
 * table access, so that a mispredicted check cannot read past the table.
 *
 * Shape: bound in 1..2^31. The empty asm keeps the compiler from using what the check has shown.
 */
static inline uint32_t core_clamp(uint32_t index, uint32_t bound)
{
    //@ split index < bound;
    uint64_t left = (uint64_t)index - bound; /* bit 63 set exactly if index < bound */

#if defined(__GNUC__) || defined(__clang__)
    __asm__("" : "+r"(left));
#endif
    index &= (uint32_t)(0 - (left >> 63));
    //@ merge index < bound;
    return index;
}

#endif
