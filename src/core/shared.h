/* SPDX-License-Identifier: MIT */
/**
 * The only way to memory that somebody else may write at the same time: whole aligned words, each
 * loaded or stored once, relaxed. The caller's doorbell orders them against the other side.
 */
#ifndef CORE_SHARED_H
#define CORE_SHARED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bytes.h"
#include "memory.h"

#define CORE_WORD sizeof(uint64_t)

/** There, and where words can be loaded and stored whole. */
static inline bool core_shared_usable(const volatile void *base)
{
    return base && ((uintptr_t)base & (CORE_WORD - 1)) == 0;
}

#ifdef CORE_SHARED_HOOK /* only in the counting build of tests/checks/read_once.c */
void core_shared_hook(const volatile void *base, size_t at);
#else
#define core_shared_hook(base, at) ((void)0)
#endif

static inline uint64_t core_shared_load(const volatile void *base, size_t at)
{
    const volatile uint64_t *place = (const volatile uint64_t *)base + at / CORE_WORD;
#if defined(__GNUC__) || defined(__clang__)
    uint64_t word = __atomic_load_n(place, __ATOMIC_RELAXED);
#else
    uint64_t word = *place;
#endif

    core_shared_hook(base, at);
    return word;
}

static inline void core_shared_store(volatile void *base, size_t at, uint64_t word)
{
    volatile uint64_t *place = (volatile uint64_t *)base + at / CORE_WORD;

#if defined(__GNUC__) || defined(__clang__)
    __atomic_store_n(place, word, __ATOMIC_RELAXED);
#else
    *place = word;
#endif
}

/** A word of shared memory as the little-endian number that it is on the wire. */
static inline uint64_t core_shared_get(const volatile void *base, size_t at)
{
    return core_le64(core_shared_load(base, at));
}

static inline void core_shared_put(volatile void *base, size_t at, uint64_t value)
{
    core_shared_store(base, at, core_le64(value));
}

/*
 * x86 has instructions that move many words at a time, each byte of them once. What watches single
 * accesses gets loops: a sanitizer, the counting build, and a prover, which is no GNU C.
 */
#if defined(__has_feature)
#define CORE_WATCHED                                                        \
    (__has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
     __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CORE_WATCHED 1
#else
#define CORE_WATCHED 0
#endif

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && \
    !defined(CORE_SHARED_HOOK) && !CORE_WATCHED
#define CORE_STRING 256u /* bytes from which on they are faster */
static inline void core_string_copy(volatile void *to, const volatile void *from, size_t n)
{
    n /= CORE_WORD;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline void core_string_zero(volatile void *to, size_t n)
{
    n /= CORE_WORD;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"((uint64_t)0) : "memory");
}
/* One load, which the compiler would not make an operand of the OR. */
static inline void core_or_word(uint64_t *any, const volatile void *base, size_t at)
{
    __asm__ volatile("orq %1, %0"
                     : "+r"(*any)
                     : "m"(*((const volatile uint64_t *)base + at / CORE_WORD)));
}
#else
static inline void core_or_word(uint64_t *any, const volatile void *base, size_t at)
{
    *any |= core_shared_load(base, at);
#if defined(__GNUC__) || defined(__clang__)
    __asm__("" : "+r"(*any)); /* keeps gcc from loading all of them before it combines two */
#endif
}
#define CORE_STRING                   SIZE_MAX
#define core_string_copy(to, from, n) ((void)0)
#define core_string_zero(to, n)       ((void)0)
#endif

/* How many of n bytes one of those moves: whole words. */
static inline size_t core_string_bytes(size_t n)
{
    return n >= CORE_STRING ? n - n % CORE_WORD : 0;
}

/** Add the bits set in any of n words from base + at, for a constant n. */
static inline uint64_t core_shared_more(uint64_t any, const volatile void *base, size_t at,
                                        uint32_t n)
{
    CORE_UNROLL
    for (uint32_t i = 0; i < n; i++)
        core_or_word(&any, base, at + i * CORE_WORD);
    return any;
}

static inline uint64_t core_shared_any(const volatile void *base, size_t at, uint32_t n)
{
    return core_shared_more(0, base, at, n);
}

/** Zero n words from base + at, for a constant n. */
static inline void core_shared_clear(volatile void *base, size_t at, uint32_t n)
{
    uint64_t zero = core_zero();

    CORE_UNROLL
    for (uint32_t i = 0; i < n; i++)
        core_shared_store(base, at + i * CORE_WORD, zero);
}

/**
 * Copy n bytes from base + at, a multiple of 8, to room + from; the last word is loaded whole.
 * n and from are the caller's to check; the loops write nothing at room + cap and behind it.
 */
static inline void core_shared_read_part(const volatile void *base, size_t at, void *room,
                                         size_t cap, size_t from, size_t n)
{
    size_t done = core_string_bytes(n);
    uint8_t *to = room;
    uint64_t word;

    if (done > 0)
        core_string_copy(to + from, (const volatile uint8_t *)base + at, done);
    for (from += done; done + CORE_WORD <= n && from + CORE_WORD <= cap;
         done += CORE_WORD, from += CORE_WORD) {
        word = core_shared_load(base, at + done);
        memcpy(to + from, &word, CORE_WORD);
    }
    if (done < n) {
        const uint8_t *last = (const uint8_t *)&word;

        word = core_shared_load(base, at + done);
        for (size_t i = 0; i < CORE_WORD && done + i < n && from + i < cap; i++)
            to[from + i] = last[i];
    }
}

static inline void core_shared_read(const volatile void *base, size_t at, void *dst, size_t n)
{
    core_shared_read_part(base, at, dst, n, 0, n);
}

/**
 * Copy n bytes from room + from to base + at, a multiple of 8; the last word is filled up with
 * zeros. Likewise, nothing is read at room + cap and behind it.
 */
static inline void core_shared_write_part(volatile void *base, size_t at, const void *room,
                                          size_t cap, size_t from, size_t n)
{
    size_t done = core_string_bytes(n);
    const uint8_t *of = room;
    uint64_t word;

    if (done > 0)
        core_string_copy((volatile uint8_t *)base + at, of + from, done);
    for (from += done; done + CORE_WORD <= n && from + CORE_WORD <= cap;
         done += CORE_WORD, from += CORE_WORD) {
        memcpy(&word, of + from, CORE_WORD);
        core_shared_store(base, at + done, word);
    }
    if (done < n) {
        uint8_t last[CORE_WORD] = { 0 };

        for (size_t i = 0; i < CORE_WORD && done + i < n && from + i < cap; i++)
            last[i] = of[from + i];
        memcpy(&word, last, CORE_WORD);
        core_shared_store(base, at + done, word);
    }
}

static inline void core_shared_write(volatile void *base, size_t at, const void *src, size_t n)
{
    core_shared_write_part(base, at, src, n, 0, n);
}

/** Zero from base + at up to base + end, both rounded outwards to words. */
static inline void core_shared_zero(volatile void *base, size_t at, size_t end)
{
    size_t string;

    at -= at % CORE_WORD;
    string = at < end ? core_string_bytes(end - at) : 0;
    if (string > 0)
        core_string_zero((volatile uint8_t *)base + at, string);
    for (at += string; at < end; at += CORE_WORD)
        core_shared_store(base, at, 0);
}

#endif
