/* SPDX-License-Identifier: MIT */
/**
 * The four functions that the embedder supplies, declared here because <string.h> belongs to a
 * hosted C library, and a kernel has none; and a wipe.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* -ffreestanding makes them calls even for eight bytes; the builtins are the same functions. */
#if defined(__GNUC__) || defined(__clang__)
#define memcpy  __builtin_memcpy
#define memmove __builtin_memmove
#define memset  __builtin_memset
#define memcmp  __builtin_memcmp
#endif

/* A short loop with a constant count costs less written out; -O2 of gcc would keep it. */
#if defined(__GNUC__) || defined(__clang__)
#define CORE_UNROLL _Pragma("GCC unroll 16")
/* Kept out of its caller, which then saves no registers for it; COLD: and seldom run, so small.
   SMALL: seldom run, and in its caller where it has one alone. WARM: apart, and not made small
   though cold functions alone call it: short string instructions are slow. */
#define CORE_APART __attribute__((noinline))
#define CORE_COLD  __attribute__((noinline, cold))
#define CORE_SMALL __attribute__((cold))
#define CORE_WARM  __attribute__((noinline, hot))
/* So that it is in the cache when it is read. */
#define CORE_FETCH(at) __builtin_prefetch(at)
typedef uint64_t __attribute__((may_alias)) core_any_word;
#else
#define CORE_UNROLL
#define CORE_APART
#define CORE_COLD
#define CORE_SMALL
#define CORE_WARM
#define CORE_FETCH(at) ((void)0)
typedef unsigned char core_any_word;
#endif

/** Keep what was computed once in a register, where gcc would rather compute it again. */
#if defined(__GNUC__) || defined(__clang__)
#define CORE_KEEP(x) __asm__("" : "+r"(x))
#else
#define CORE_KEEP(x) ((void)0)
#endif

/** 0, in a register: a store of it is half as long as one of a constant. */
static inline uint64_t core_zero(void)
{
    uint64_t zero = 0;

    CORE_KEEP(zero);
    return zero;
}

/**
 * Zero n bytes, a multiple of 8 at an address that is one, whether or not they are read again. Eva
 * takes each step by itself up to 64 bytes (tests/checks/eva.py).
 */
static inline void core_wipe(void *at, size_t n)
{
    volatile core_any_word *word = at;
    uint64_t zero = core_zero();

    CORE_UNROLL
    //@ loop unroll 64 / n * 64;
    for (size_t i = 0; i < n / sizeof *word; i++)
        word[i] = (core_any_word)zero;
}

#endif
