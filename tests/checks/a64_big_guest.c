/* SPDX-License-Identifier: MIT */
/*
 * A big-endian AArch64 program without a C library: each byte that it reads is a word to execute,
 * with the registers that stand in the shared page; when it is done it writes the byte back.
 * File 3 is the shared page, then the memory that the words access.
 */
#include <stddef.h>
#include "a64_slot.h"

#define READ  63
#define WRITE 64
#define EXIT  93
#define MMAP  222

void _start(void);
void *memset(void *dst, int byte, size_t n);
void *memcpy(void *dst, const void *src, size_t n);

void *memset(void *dst, int byte, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)dst)[i] = (uint8_t)byte;
    return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)dst)[i] = ((const volatile uint8_t *)src)[i];
    return dst;
}

static long call(long number, const uint64_t a[6])
{
    register uint64_t x0 __asm__("x0") = a[0];
    register uint64_t x1 __asm__("x1") = a[1];
    register uint64_t x2 __asm__("x2") = a[2];
    register uint64_t x3 __asm__("x3") = a[3];
    register uint64_t x4 __asm__("x4") = a[4];
    register uint64_t x5 __asm__("x5") = a[5];
    register long x8 __asm__("x8") = number;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8)
                     : "memory");
    return (long)x0;
}

static void leave(unsigned code)
{
    for (;;)
        call(EXIT, (const uint64_t[6]){ code });
}

/* file: -1: memory of its own. */
static void map(uint64_t at, uint64_t bytes, unsigned rights, int file, uint64_t offset)
{
    const uint64_t flags = 0x10 | (file < 0 ? 0x22 : 1); /* FIXED; PRIVATE, ANONYMOUS; SHARED */

    if (call(MMAP, (const uint64_t[6]){ at, bytes, rights, flags, (uint64_t)(int64_t)file,
                                        offset }) != (long)at)
        leave(2);
}

static void run(struct stub_shared *shared)
{
    static struct stub_machine m;

    if (slot_put(shared->slot, shared->words[0], shared->words[1]))
        slot_flush();
    memcpy(m.general, shared->general, sizeof m.general);
    memcpy(m.vector, shared->vector, sizeof m.vector);
    m.entry = slot_entry(shared->slot);
    stub_enter(&m);
    memcpy(shared->general, m.general, sizeof m.general);
    memcpy(shared->vector, m.vector, sizeof m.vector);
}

void _start(void)
{
    struct stub_shared *shared = (struct stub_shared *)(uintptr_t)STUB_SHARED;
    uint8_t byte = 0;

    map(STUB_BASE, 4096, 7, -1, 0);
    map(STUB_SHARED, 4096, 3, 3, 0);
    map(ARENA_THERE, 4 * 4096, 3, 3, 4096);
    slot_lay();
    __asm__ volatile("mrs %0, dczid_el0" : "=r"(shared->dczid));
    for (;;) {
        if (call(WRITE, (const uint64_t[6]){ 1, (uint64_t)(uintptr_t)&byte, 1 }) != 1 ||
            call(READ, (const uint64_t[6]){ 0, (uint64_t)(uintptr_t)&byte, 1 }) != 1)
            leave(0);
        run(shared);
    }
}
