/* SPDX-License-Identifier: MIT */
/*
 * A slot: X30 comes from TPIDR_EL0, where the two words leave no register free; then they; then X30
 * goes back there, for the way out. Either order of bytes of data: code is little-endian.
 */
#include "a64_slot.h"
#include <stddef.h>

#define SLOT_WORDS 16u

uint64_t stub_host[3];

_Static_assert(offsetof(struct stub_machine, entry) == 256 &&
                   offsetof(struct stub_machine, vector) == 272,
               "the assembly has them there");

__asm__(".text\n"
        ".global stub_enter\n"
        "stub_enter:\n"
        "stp x29, x30, [sp, #-160]!\n"
        "stp x19, x20, [sp, #16]\n"
        "stp x21, x22, [sp, #32]\n"
        "stp x23, x24, [sp, #48]\n"
        "stp x25, x26, [sp, #64]\n"
        "stp x27, x28, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "ldr x1, =stub_host\n"
        "mov x2, sp\n"
        "mrs x3, tpidr_el0\n"
        "stp x2, x3, [x1]\n"
        "str x0, [x1, #16]\n"
        "add x1, x0, #272\n"
        "ld1 {v0.16b-v3.16b}, [x1], #64\n"
        "ld1 {v4.16b-v7.16b}, [x1], #64\n"
        "ld1 {v8.16b-v11.16b}, [x1], #64\n"
        "ld1 {v12.16b-v15.16b}, [x1], #64\n"
        "ld1 {v16.16b-v19.16b}, [x1], #64\n"
        "ld1 {v20.16b-v23.16b}, [x1], #64\n"
        "ld1 {v24.16b-v27.16b}, [x1], #64\n"
        "ld1 {v28.16b-v31.16b}, [x1], #64\n"
        "ldp x1, x2, [x0, #240]\n" /* X30, SP */
        "msr tpidr_el0, x1\n"
        "mov sp, x2\n"
        "ldr x30, [x0, #256]\n"
        "ldp x2, x3, [x0, #16]\n"
        "ldp x4, x5, [x0, #32]\n"
        "ldp x6, x7, [x0, #48]\n"
        "ldp x8, x9, [x0, #64]\n"
        "ldp x10, x11, [x0, #80]\n"
        "ldp x12, x13, [x0, #96]\n"
        "ldp x14, x15, [x0, #112]\n"
        "ldp x16, x17, [x0, #128]\n"
        "ldp x18, x19, [x0, #144]\n"
        "ldp x20, x21, [x0, #160]\n"
        "ldp x22, x23, [x0, #176]\n"
        "ldp x24, x25, [x0, #192]\n"
        "ldp x26, x27, [x0, #208]\n"
        "ldp x28, x29, [x0, #224]\n"
        "ldp x0, x1, [x0]\n"
        "br x30\n"
        ".global stub_exit\n"
        "stub_exit:\n"
        "ldr x30, =stub_host\n"
        "ldr x30, [x30, #16]\n"
        "stp x0, x1, [x30]\n"
        "mov x0, x30\n"
        "stp x2, x3, [x0, #16]\n"
        "stp x4, x5, [x0, #32]\n"
        "stp x6, x7, [x0, #48]\n"
        "stp x8, x9, [x0, #64]\n"
        "stp x10, x11, [x0, #80]\n"
        "stp x12, x13, [x0, #96]\n"
        "stp x14, x15, [x0, #112]\n"
        "stp x16, x17, [x0, #128]\n"
        "stp x18, x19, [x0, #144]\n"
        "stp x20, x21, [x0, #160]\n"
        "stp x22, x23, [x0, #176]\n"
        "stp x24, x25, [x0, #192]\n"
        "stp x26, x27, [x0, #208]\n"
        "stp x28, x29, [x0, #224]\n"
        "mrs x1, tpidr_el0\n"
        "mov x2, sp\n"
        "stp x1, x2, [x0, #240]\n"
        "add x0, x0, #272\n"
        "st1 {v0.16b-v3.16b}, [x0], #64\n"
        "st1 {v4.16b-v7.16b}, [x0], #64\n"
        "st1 {v8.16b-v11.16b}, [x0], #64\n"
        "st1 {v12.16b-v15.16b}, [x0], #64\n"
        "st1 {v16.16b-v19.16b}, [x0], #64\n"
        "st1 {v20.16b-v23.16b}, [x0], #64\n"
        "st1 {v24.16b-v27.16b}, [x0], #64\n"
        "st1 {v28.16b-v31.16b}, [x0], #64\n"
        ".global stub_leave\n"
        "stub_leave:\n"
        "ldr x1, =stub_host\n"
        "ldp x2, x3, [x1]\n"
        "mov sp, x2\n"
        "msr tpidr_el0, x3\n"
        "mov w0, #0\n"
        "ldp x19, x20, [sp, #16]\n"
        "ldp x21, x22, [sp, #32]\n"
        "ldp x23, x24, [sp, #48]\n"
        "ldp x25, x26, [sp, #64]\n"
        "ldp x27, x28, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "ldp x29, x30, [sp], #160\n"
        "ret\n"
        ".ltorg\n");

static volatile uint32_t *slot_at(unsigned slot)
{
    return (volatile uint32_t *)(uintptr_t)STUB_BASE + slot * SLOT_WORDS;
}

static bool put(volatile uint32_t *at, uint32_t word)
{
#ifdef __AARCH64EB__
    word = __builtin_bswap32(word);
#endif
    if (*at == word)
        return false;
    *at = word;
    return true;
}

bool slot_put(unsigned slot, uint32_t first, uint32_t second)
{
    bool changed = put(slot_at(slot) + 1, first);

    return put(slot_at(slot) + 2, second) || changed;
}

uint64_t slot_entry(unsigned slot)
{
    return (uint64_t)(uintptr_t)slot_at(slot);
}

/* By lines of the smallest size that there is; libgcc has this in one order of bytes alone. */
void slot_flush(void)
{
    for (uint64_t at = slot_entry(0); at < slot_entry(STUB_SLOTS); at += 16)
        __asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb ish" : : : "memory");
    for (uint64_t at = slot_entry(0); at < slot_entry(STUB_SLOTS); at += 16)
        __asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb ish\n\tisb" : : : "memory");
}

void slot_lay(void)
{
    for (unsigned i = 0; i < STUB_SLOTS; i++) {
        put(slot_at(i), 0xd53bd05e);     /* mrs x30, tpidr_el0 */
        put(slot_at(i) + 3, 0xd51bd05e); /* msr tpidr_el0, x30 */
        put(slot_at(i) + 4, 0x5800009e); /* ldr x30, [pc + 16] */
        put(slot_at(i) + 5, 0xd61f03c0); /* br x30 */
        *(volatile uint64_t *)(uintptr_t)(slot_entry(i) + 32) = (uint64_t)(uintptr_t)stub_exit;
    }
}
