/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores to one place of the MMIO device, T, in many addressing forms and widths. As in
 * io.S, registers that a form does not name hold noise.
 *
 * WRITE name, bytes: uint64_t name(uint64_t value): the value's bytes stand in rax, noise above.
 * READ name:         uint64_t name(void): rax is noise before (word 8 of it) and what the form
 *                    left after.
 */
#include "noise.h"

#define T       (DEV_MMIO + MMIO_SCRATCH + 0x20)

    .text

.macro NOISE name
    .globl \name
    .balign 16
\name:
    ENTER
    NOISE_COMMON
    mov 0x38(%r11), %rdx
    mov 0x40(%r11), %rax
    mov 0x48(%r11), %rcx
    mov 0x50(%r11), %rsi
.endm

.macro WRITE name, bytes
    NOISE \name
.if \bytes == 1
    mov %dil, %al
.elseif \bytes == 2
    mov %di, %ax
.elseif \bytes == 4
    shr $32, %rax
    shl $32, %rax
    or %rdi, %rax
.else
    mov %rdi, %rax
.endif
    mov 0x58(%r11), %rdi
    mov 0x60(%r11), %r11
.endm

.macro READ name
    NOISE \name
    mov 0x58(%r11), %rdi
    mov 0x60(%r11), %r11
.endm

.macro LEAVE
    RESTORE
    ret
.endm

/* stores */
WRITE w8_base, 1
    mov $T, %ebx
    mov %al, (%rbx)
    LEAVE
WRITE w16_base_index, 2
    mov $(T - 0x20), %ebx
    mov $0x10, %ecx
    mov %ax, (%rbx,%rcx,2)
    LEAVE
WRITE w32_base_index_disp, 4
    mov $(T - 0x100), %edi
    mov $0x30, %r9d
    mov %eax, 0x40(%rdi,%r9,4)
    LEAVE
WRITE w64_index, 8
    mov $(T / 8 - 0x100), %ecx
    mov %rax, 0x800(,%rcx,8)
    LEAVE
WRITE w64_negative, 8
    mov $(T + 0x1000), %r10d
    mov $-0x1000 / 8, %r8
    mov %rax, (%r10,%r8,8)
    LEAVE
WRITE w8_high, 1
    mov %al, %ah
    mov %r12b, %al
    mov $T, %edi
    mov %ah, (%rdi)
    LEAVE
WRITE w8_bh, 1
    mov %al, %bh
    mov $T, %esi
    mov %bh, (%rsi)
    LEAVE
WRITE w8_rex, 1
    mov %al, %sil
    mov $T, %ebp
    mov %sil, 0(%rbp)
    LEAVE
WRITE w32_r13, 4
    mov $T, %r13d
    mov %eax, 0(%r13)
    LEAVE
WRITE w64_r12, 8
    mov $T, %r12d
    mov %rax, %r9
    mov %r9, (%r12)
    LEAVE
WRITE w32_rip, 4
    mov %eax, mmio_alias + MMIO_SCRATCH + 0x20(%rip)
    LEAVE
WRITE w64_rip, 8
    mov %rax, mmio_alias + MMIO_SCRATCH + 0x20(%rip)
    LEAVE
WRITE w8_moffs, 1
    movabs %al, T
    LEAVE
WRITE w32_moffs, 4
    movabs %eax, T
    LEAVE
WRITE w64_moffs, 8
    movabs %rax, T
    LEAVE
WRITE w32_addr32, 4
    mov $T, %r11d
    shr $32, %rbx
    shl $32, %rbx
    or %r11, %rbx
    mov %eax, (%ebx)
    LEAVE
WRITE w16_fs, 2
    mov $(T - DEV_MMIO), %ecx
    mov %ax, %fs:(%rcx)
    LEAVE
WRITE w64_gs, 8
    mov $(T - DEV_MMIO), %edx
    mov %rax, %gs:0x1000(%rdx)
    LEAVE
WRITE w8_imm, 1
    mov $T, %ebx
    movb $0x5a, (%rbx)
    LEAVE
WRITE w16_imm, 2
    mov $T, %ebx
    movw $0xa55a, (%rbx)
    LEAVE
WRITE w32_imm, 4
    mov $(T - 8), %esi
    movl $0x12345678, 8(%rsi)
    LEAVE
WRITE w64_imm, 8
    mov $T, %ebx
    movq $-0x12345678, (%rbx)
    LEAVE

/* a read, then a write */
WRITE m8_or, 1
    mov $T, %ebx
    or %al, (%rbx)
    LEAVE
WRITE m16_sub, 2
    mov $T, %esi
    sub %ax, (%rsi)
    LEAVE
WRITE m32_add, 4
    mov $T, %r9d
    add %eax, (%r9)
    LEAVE
WRITE m64_xor, 8
    mov $T, %ecx
    xor %rax, (%rcx)
    LEAVE

/* loads */
READ r8_base
    mov $T, %ebx
    mov (%rbx), %al
    LEAVE
READ r8_high
    mov $T, %ebx
    mov (%rbx), %ah
    LEAVE
READ r8_bh
    mov %rax, %rbx
    mov $T, %ecx
    mov (%rcx), %bh
    mov %rbx, %rax
    LEAVE
READ r16_base_index
    mov $(T - 0x40), %r8d
    mov $0x10, %r13d
    mov (%r8,%r13,4), %ax
    LEAVE
READ r32_disp
    mov $(T - 0x7f), %edx
    mov 0x7f(%rdx), %eax
    LEAVE
READ r64_disp
    mov $(T - 0x1000), %esi
    mov 0x1000(%rsi), %rax
    LEAVE
READ r64_other
    mov $T, %ecx
    mov (%rcx), %r10
    mov %r10, %rax
    LEAVE
READ r32_rip
    mov mmio_alias + MMIO_SCRATCH + 0x20(%rip), %eax
    LEAVE
READ r8_moffs
    movabs T, %al
    LEAVE
READ r32_moffs
    movabs T, %eax
    LEAVE
READ r32_addr32
    mov $T, %ebx
    mov (%ebx), %eax
    LEAVE
READ r32_fs
    mov $(T - DEV_MMIO), %ecx
    mov %fs:(%rcx), %eax
    LEAVE
READ r16_gs
    mov $(T - DEV_MMIO), %r9d
    mov %gs:0x1000(%r9), %ax
    LEAVE
READ z8_16
    mov $T, %ebx
    movzbw (%rbx), %ax
    LEAVE
READ z8_32
    mov $T, %ebx
    movzbl (%rbx), %eax
    LEAVE
READ z8_64
    mov $T, %ebx
    movzbq (%rbx), %rax
    LEAVE
READ z16_32
    mov $T, %ebx
    movzwl (%rbx), %eax
    LEAVE
READ z16_64
    mov $T, %ebx
    movzwq (%rbx), %rax
    LEAVE
READ s8_16
    mov $T, %ebx
    movsbw (%rbx), %ax
    LEAVE
READ s8_32
    mov $T, %ebx
    movsbl (%rbx), %eax
    LEAVE
READ s8_64
    mov $T, %ebx
    movsbq (%rbx), %rax
    LEAVE
READ s16_32
    mov $T, %ebx
    movswl (%rbx), %eax
    LEAVE
READ s16_64
    mov $T, %ebx
    movswq (%rbx), %rax
    LEAVE
READ s32_64
    mov $T, %ebx
    movslq (%rbx), %rax
    LEAVE

/* strings: void f(uint64_t device_address, void *memory_or_value, uint64_t count) */
.macro STRING name
    .globl \name
    .balign 16
\name:
    mov %rdx, %rcx
    cld
.endm
STRING stos8
    mov %rsi, %rax
    rep stosb
    ret
STRING stos64
    mov %rsi, %rax
    rep stosq
    ret
STRING movs32_out
    rep movsl
    ret
STRING movs8_in
    xchg %rdi, %rsi
    rep movsb
    ret
STRING lods32
    mov %rdi, %rsi
    THIS_CPU %rax
    mov CPU_NOISE(%rax), %rax
    mov 0x40(%rax), %rax
    lodsl
    ret

/* void copy16(to, from): 16 bytes in one instruction each way, which KVM cuts into two exits */
    .globl copy16
    .balign 16
copy16:
    movups (%rsi), %xmm0
    movups %xmm0, (%rdi)
    ret
