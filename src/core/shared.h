/* SPDX-License-Identifier: MIT */
/**
 * The only way to memory that somebody else may write at the same time: whole aligned words, each
 * loaded or stored once, relaxed. The caller's doorbell orders them against the other side.
 */
#ifndef CORE_SHARED_H
#define CORE_SHARED_H
#include <stddef.h>
#include <stdint.h>
#include "memory.h"

#define CORE_WORD sizeof(uint64_t)

static inline uint64_t core_shared_load(const volatile void *base, size_t at)
{
    return __atomic_load_n((const volatile uint64_t *)base + at / CORE_WORD, __ATOMIC_RELAXED);
}

static inline void core_shared_store(volatile void *base, size_t at, uint64_t word)
{
    __atomic_store_n((volatile uint64_t *)base + at / CORE_WORD, word, __ATOMIC_RELAXED);
}

/** Copy n bytes from base + at, a multiple of 8; the last word is loaded whole. */
static inline void core_shared_read(const volatile void *base, size_t at, void *dst, size_t n)
{
    uint8_t *to = dst;

    while (n > 0) {
        uint64_t word = core_shared_load(base, at);
        size_t step = n < CORE_WORD ? n : CORE_WORD;

        memcpy(to, &word, step);
        to += step;
        at += step;
        n -= step;
    }
}

/** Copy n bytes to base + at, a multiple of 8; the last word is filled up with zeros. */
static inline void core_shared_write(volatile void *base, size_t at, const void *src, size_t n)
{
    const uint8_t *from = src;

    while (n > 0) {
        uint64_t word = 0;
        size_t step = n < CORE_WORD ? n : CORE_WORD;

        memcpy(&word, from, step);
        core_shared_store(base, at, word);
        from += step;
        at += step;
        n -= step;
    }
}

/** Zero from base + at up to base + end, both rounded outwards to words. */
static inline void core_shared_zero(volatile void *base, size_t at, size_t end)
{
    for (at -= at % CORE_WORD; at < end; at += CORE_WORD)
        core_shared_store(base, at, 0);
}

#endif
