/* SPDX-License-Identifier: MIT */
/*
 * What the programs without anything below them share, that hold the walkers beside the processor
 * they run on: text and the end by semihosting, the functions that the core wants. SEED and COUNT
 * are given by walk_machine.py.
 */
#ifndef WALK_MACHINE_H
#define WALK_MACHINE_H
#include <stdbool.h>
#include <svmcore/walk.h>

#include "../random.h"

#define BIT(n) (UINT64_C(1) << (n))

#ifndef SEED
#define SEED 1
#endif
#ifndef COUNT
#define COUNT 200000
#endif

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memset(void *dst, int byte, size_t n);
void run(void);
uint64_t semihost(uint64_t operation, const void *argument);

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)dst)[i] = ((const uint8_t *)src)[i];
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)dst)[i] = (uint8_t)byte;
    return dst;
}

static uint64_t rng = SEED;

static inline uint64_t random(void)
{
    return harness_random(&rng);
}

static inline bool one_in(unsigned n)
{
    return (uint32_t)random() % n == 0; /* no library divides 64 bits */
}

static inline void say(const char *text)
{
    (void)semihost(4, text);
}

static inline void say_number(const char *name, uint64_t value)
{
    char text[20], *p = text + 19;

    *p = 0;
    do
        *--p = "0123456789abcdef"[value & 15];
    while ((value >>= 4) != 0);
    say(name);
    say(p);
}

static inline void finish(bool good)
{
    uint64_t end[2] = { 0x20026, !good };

    (void)semihost(0x18, end);
}

#endif
