/* SPDX-License-Identifier: MIT */
/**
 * Numbers of IEEE 754 with 16, 32 and 64 bits, by integers: what SSE, AVX and F16C do with them but
 * for arithmetic. A number stands in the low bits of a word, `bytes` is 2, 4 or 8.
 * Source: SDM vol. 1 4.8, 4.9, 11.5; rules XE-n: docs/spec/exec.md.
 */
#ifndef EXEC_X86_NUMBER_H
#define EXEC_X86_NUMBER_H
#include <stdbool.h>
#include <stdint.h>
#include "x86_private.h"

/* MXCSR: flags, and the mask of each of them MXCSR_MASKS above (SDM vol. 1 10.2.3). */
#define MXCSR_IE       0x1u
#define MXCSR_DE       0x2u
#define MXCSR_ZE       0x4u
#define MXCSR_OE       0x8u
#define MXCSR_UE       0x10u
#define MXCSR_PE       0x20u
#define MXCSR_FLAGS    0x3fu
#define MXCSR_BEFORE   0x7u /* found before anything is computed */
#define MXCSR_DAZ      0x40u
#define MXCSR_MASKS    7u
#define MXCSR_ALL      (MXCSR_FLAGS << MXCSR_MASKS)
#define MXCSR_ROUNDING 13u
#define MXCSR_FTZ      0x8000u

enum x86_rounding {
    ROUND_NEAREST = 0, /* to even */
    ROUND_DOWN = 1,
    ROUND_UP = 2,
    ROUND_TO_ZERO = 3
};

/* How two numbers stand to each other: a bit each, so that a predicate is a set of them. */
enum x86_order { ORDER_LESS = 1, ORDER_EQUAL = 2, ORDER_GREATER = 4, ORDER_NONE = 8 };

/** What is given to each of them, and what it raised. */
struct x86_float {
    uint32_t mxcsr; /* the guest's */
    uint32_t raised;
    uint8_t rounding; /* enum x86_rounding */
};

/** Whether the guest wants to hear of a flag. */
static inline bool x86_is_unmasked(uint32_t mxcsr, uint32_t flags)
{
    return (~(mxcsr >> MXCSR_MASKS) & flags & MXCSR_FLAGS) != 0;
}

#define NUMBER_TOP ((uint64_t)1 << 63)

/** Move the highest bit to the top; value is not 0. */
static inline uint64_t x86_normalize(uint64_t value, int32_t *exponent)
{
    unsigned by = 0;

    for (unsigned step = 32; step != 0; step /= 2)
        if (value << by >> (64 - step) == 0)
            by += step;
    *exponent -= (int32_t)by;
    return value << by;
}

/** *significand without its `drop` low bits. @return These, at the top of a word. */
static inline uint64_t x86_cut_off(uint64_t *significand, unsigned drop)
{
    uint64_t value = *significand;

    if (drop == 0)
        return 0;
    *significand = drop < 64 ? value >> drop : 0;
    if (drop > 64)
        return value != 0; /* something that is less than a half */
    return drop < 64 ? value << (64 - drop) : value;
}

/** Whether what was cut off makes the magnitude greater (SDM vol. 1 4.8.4). */
static inline bool x86_rounds_up(unsigned rounding, bool negative, uint64_t rest, bool odd)
{
    switch (rounding) {
    case ROUND_NEAREST:
        return rest > NUMBER_TOP || (rest == NUMBER_TOP && odd);
    case ROUND_DOWN:
        return negative && rest != 0;
    case ROUND_UP:
        return !negative && rest != 0;
    default:
        return false;
    }
}

/** To another format. Between 2 and 4 bytes (F16C) numbers of 2 know neither DAZ, FTZ nor DE. */
uint64_t svmc_exec_x86_resize(struct x86_float *f, uint64_t value, unsigned from, unsigned to);
/** An integer, of 64 bits: a number of 4 or 8 bytes. */
uint64_t svmc_exec_x86_from_integer(struct x86_float *f, uint64_t value, bool is_signed,
                                    unsigned bytes);
/** A number of 4 or 8 bytes: an integer of `bits`, 32 or 64. */
uint64_t svmc_exec_x86_to_integer(struct x86_float *f, uint64_t value, unsigned bytes,
                                  unsigned bits, bool is_signed);
/** To a multiple of 2 to the power -scale. quiet: inexact is no news. */
uint64_t svmc_exec_x86_round(struct x86_float *f, uint64_t value, unsigned bytes, unsigned scale,
                             bool quiet);
/** signaling: any NaN is invalid, else one that is signaling. */
enum x86_order svmc_exec_x86_order(struct x86_float *f, uint64_t a, uint64_t b, unsigned bytes,
                                   bool signaling);
/** MIN, MAX: b if either is a NaN, or both are zero. */
uint64_t svmc_exec_x86_pick(struct x86_float *f, uint64_t a, uint64_t b, unsigned bytes,
                            bool greater);
/** A predicate of CMPPS and its like, five bits of it (SDM vol. 2 CMPPD, table 3-1). */
bool svmc_exec_x86_predicate(struct x86_float *f, uint64_t a, uint64_t b, unsigned bytes,
                             unsigned predicate);
/** A number times a power of two: which one it has, and with another one; zero has and stays 0. */
int32_t svmc_exec_x86_exponent(const struct x86_float *f, uint64_t value, unsigned bytes);
uint64_t svmc_exec_x86_scale(const struct x86_float *f, uint64_t value, unsigned bytes,
                             int32_t exponent);

#endif
