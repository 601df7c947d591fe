/* SPDX-License-Identifier: MIT */
#include "user.h"

#include <svmcore/guest/hypercall.h>

#define STACK_KERNEL 0x4000u /* at the top of a processor's stack; below it is the user's */
#define VMWARE_BLOCK 8u      /* ports from SVMC_VMWARE_PORT on, 0x565c among them */
#define GATES        32u     /* as many as start.S builds */

void *memset(void *to, int byte, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);

/* AMD APM vol. 2, 12.2.5: RSP0 at 4; the bitmap where 0x66 says, and a byte of ones behind it */
struct tss {
    uint8_t head[4];
    uint8_t rsp0[8];
    uint8_t middle[0x5a];
    uint16_t bitmap_at;
    uint8_t bitmap[0x10000 / 8 + 1];
} __attribute__((packed));

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct {
    uint64_t gdt[8];
    struct tss tss __attribute__((aligned(16)));
    uint64_t rsp0;
    uint8_t idt[GATES][16];
} own[BOOT_CPUS_MAX];

/* AMD APM vol. 2, 12.2.4: a clear bit is a port that ring 3 may use. */
static void allow(struct tss *tss, unsigned first, unsigned count)
{
    for (unsigned port = first; port < first + count; port++)
        tss->bitmap[port / 8] &= (uint8_t) ~(1u << port % 8);
}

void user_prepare(uint64_t id, unsigned native_port)
{
    struct tss *tss = &own[id].tss;
    uint64_t at = (uint64_t)tss, *gdt = own[id].gdt;
    struct table_pointer to = { sizeof own[id].gdt - 1, (uint64_t)gdt }, idt;
    uint8_t *gate;

    memset(tss, 0, sizeof *tss);
    memset(tss->bitmap, 0xff, sizeof tss->bitmap);
    allow(tss, SVMC_VMWARE_PORT, VMWARE_BLOCK);
    allow(tss, native_port, 4);
    tss->bitmap_at = 0x68;
    gdt[0] = 0;
    gdt[1] = 0x00af9b000000ffff; /* as the keeper had them */
    gdt[2] = 0x00cf93000000ffff;
    gdt[3] = 0x00cff3000000ffff; /* data, ring 3 */
    gdt[4] = 0x00affb000000ffff; /* code, ring 3 */
    gdt[5] = (sizeof *tss - 1) | (at & 0xffffff) << 16 | (uint64_t)0x89 << 40 | (at >> 24) << 56;
    gdt[6] = at >> 32;
    gdt[7] = 0;
    for (unsigned level = 1; level <= 3; level++) /* the lowest 2 MiB, and nothing else */
        __atomic_fetch_or((uint64_t *)(uint64_t)(BOOT_TABLES + level * 0x1000), 4,
                          __ATOMIC_RELAXED);
    __asm__ volatile("lgdt %0; ltr %w1" : : "m"(to), "r"(0x28));
    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=&r"(at) : : "memory");
    __asm__ volatile("sidt %0" : "=m"(idt));
    memcpy(own[id].idt, (void *)idt.base, sizeof own[id].idt); /* others still write to that one */
    gate = own[id].idt[3];
    at = (uint64_t)user_done;
    gate[0] = (uint8_t)at; /* the whole image lies below 2 MiB */
    gate[1] = (uint8_t)(at >> 8);
    gate[5] = 0xee;
    gate[6] = (uint8_t)(at >> 16);
    idt.base = (uint64_t)own[id].idt;
    __asm__ volatile("lidt %0" : : "m"(idt));
}

uint64_t user_in_ring(unsigned ring, uint64_t (*f)(void *), void *of)
{
    struct cpu *cpu = this_cpu();
    uint64_t stack = ((uint64_t)cpu + BOOT_STACK_BYTES - STACK_KERNEL - 8) & ~15ull;

    if (ring == 0)
        return f(of);
    return run_user(f, of, stack, (uint64_t *)(void *)own[cpu->id].tss.rsp0);
}
