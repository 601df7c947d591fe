/* SPDX-License-Identifier: MIT */
/** What each processor of the guest has for itself: at the bottom of its stack. */
#ifndef GUESTS_CPU_H
#define GUESTS_CPU_H
#include "bootinfo.h"

#define CPU_NOISE  0x00 /* offsets, for the assembly */
#define CPU_RESUME 0x08
#define CPU_VECTOR 0x10
#define CPU_MARK   0x38

#define CPU_NO_VECTOR 0x100u

#ifndef __ASSEMBLER__
struct cpu {
    uint64_t noise;  /* where the last 128 bytes of noise were taken */
    uint64_t resume; /* where an exception goes on; 0: it ends the guest */
    uint64_t vector; /* of the exception that went on */
    uint64_t id;
    uint64_t secret[2]; /* in memory; r14 and r15 hold it as well */
    unsigned checks;
    unsigned undeclared;
    uint64_t mark; /* RSP to go back to when an attempt faults */
    uint8_t buffer[3 * 4096] __attribute__((aligned(4096)));
};

_Static_assert(__builtin_offsetof(struct cpu, noise) == CPU_NOISE, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct cpu, resume) == CPU_RESUME, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct cpu, vector) == CPU_VECTOR, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct cpu, mark) == CPU_MARK, "offset in the assembly");
_Static_assert(sizeof(struct cpu) <= BOOT_STACK_BYTES / 2, "the stack needs the rest");

static inline struct cpu *this_cpu(void)
{
    uint64_t at;

    __asm__("mov %%rsp, %0" : "=r"(at));
    return (struct cpu *)(at & ~(uint64_t)(BOOT_STACK_BYTES - 1));
}
#endif

#endif
