/* SPDX-License-Identifier: MIT */
/* For the guest's assembly: saving what C wants back, and filling registers with noise. */
#ifndef GUESTS_NOISE_H
#define GUESTS_NOISE_H
#include "cpu.h"

/* clang-format off */
/* to = this processor's struct cpu */
.macro THIS_CPU to
    mov %rsp, \to
    and $-BOOT_STACK_BYTES, \to
.endm

/* Save what C wants back; take the next 128 bytes of noise at r11. */
.macro ENTER
    push %rbx
    push %rbp
    push %r12
    push %r13
    THIS_CPU %r10
    mov CPU_NOISE(%r10), %r11
    add $128, %r11
    and $(BOOT_NOISE_BYTES - 1), %r11
    or $BOOT_NOISE, %r11
    mov %r11, CPU_NOISE(%r10)
.endm

.macro RESTORE
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
.endm

/* Noise in all but rax, rdx, rsi, rdi, rcx and r11, the pointer. */
.macro NOISE_COMMON
    mov 0x00(%r11), %rbx
    mov 0x08(%r11), %rbp
    mov 0x10(%r11), %r8
    mov 0x18(%r11), %r9
    mov 0x20(%r11), %r10
    mov 0x28(%r11), %r12
    mov 0x30(%r11), %r13
.endm
/* clang-format on */

#endif
