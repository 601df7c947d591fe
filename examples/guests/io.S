/* SPDX-License-Identifier: MIT */
/*
 * The exiting instructions. Right before each, every register (part) that is not its parameter
 * gets noise: a page that depends on more than the parameters differs between two runs with
 * different noise. r14 and r15 keep the secret, rsp and rip cannot be noise.
 */
#include "noise.h"

    .text

.macro LEAVE
    cld
    RESTORE
    ret
.endm

/* Noise in all but rax, rdx, rsi, rdi, rcx and r11, the pointer; and in the arithmetic flags. */
.macro NOISE_REST
    NOISE_COMMON
    add %r12, %rbx
.endm

.macro NOISE_ARGS
    mov 0x48(%r11), %rcx
    NOISE_POINTERS
.endm

.macro NOISE_POINTERS
    mov 0x50(%r11), %rsi
    mov 0x58(%r11), %rdi
    mov 0x60(%r11), %r11
.endm

.macro FUNC name
    .globl \name
    .balign 16
\name:
    ENTER
    NOISE_REST
.endm

/* rdx = noise with the port in dx; rax = noise with the value's bytes merged in. */
.macro PORT
    mov 0x38(%r11), %rdx
    mov %di, %dx
    mov 0x40(%r11), %rax
.endm

/* void out8(port, value) ... */
FUNC out8
    PORT
    mov %sil, %al
    NOISE_ARGS
    out %al, %dx
    LEAVE
FUNC out16
    PORT
    mov %si, %ax
    NOISE_ARGS
    out %ax, %dx
    LEAVE
FUNC out32
    PORT
    shr $32, %rax
    shl $32, %rax
    mov %esi, %esi
    or %rsi, %rax
    NOISE_ARGS
    out %eax, %dx
    LEAVE

/* uint64_t in8(port) ...: all of RAX; it held word 8 of the noise before */
FUNC in8
    PORT
    NOISE_ARGS
    in %dx, %al
    LEAVE
FUNC in16
    PORT
    NOISE_ARGS
    in %dx, %ax
    LEAVE
FUNC in32
    PORT
    NOISE_ARGS
    in %dx, %eax
    LEAVE
/* the forms with the port in the instruction: rdx is all noise */
FUNC out8_imm
    PORT
    mov 0x68(%r11), %rdx
    mov %sil, %al
    NOISE_ARGS
    out %al, $0xe0
    LEAVE
FUNC in8_imm
    PORT
    mov 0x68(%r11), %rdx
    NOISE_ARGS
    in $0xe0, %al
    LEAVE

/* uint64_t rep_ins8(port, buffer, count): what is left in RCX; likewise the others */
.macro STRING insn, pointer, direction=cld
    mov %rdx, %rcx
    PORT
.ifc \pointer, rsi
    mov 0x58(%r11), %rdi
.else
    mov %rsi, %rdi
    mov 0x50(%r11), %rsi
.endif
    mov 0x60(%r11), %r11
    \direction
    rep \insn
    mov %rcx, %rax
    LEAVE
.endm
FUNC rep_ins8
    STRING insb, rdi
FUNC rep_ins16
    STRING insw, rdi
FUNC rep_ins16_down
    STRING insw, rdi, std
FUNC rep_ins32
    STRING insl, rdi
FUNC rep_outs8
    STRING outsb, rsi
FUNC rep_outs16
    STRING outsw, rsi
FUNC rep_outs32
    STRING outsl, rsi

/* An exception goes on behind the instruction, and its vector stands in struct cpu. */
.macro RESUME_BEHIND
    THIS_CPU %rax
    movq $CPU_NO_VECTOR, CPU_VECTOR(%rax)
    movq $9f, CPU_RESUME(%rax)
.endm

.macro RESUMED
9:  THIS_CPU %rcx
    movq $0, CPU_RESUME(%rcx)
.endm

.macro MSR
    mov 0x38(%r11), %rdx
    mov 0x40(%r11), %rax
    mov 0x48(%r11), %rcx
    shr $32, %rcx
    shl $32, %rcx
    or %rdi, %rcx
.endm

/*
 * uint64_t read_msr(index): RDX << 32 | RAX, which held words 7 and 8 of the noise before.
 * void write_msr(index, value)
 */
FUNC read_msr
    RESUME_BEHIND
    MSR
    NOISE_POINTERS
    rdmsr
    RESUMED
    shl $32, %rdx
    or %rdx, %rax
    LEAVE
FUNC write_msr
    RESUME_BEHIND
    MSR
    shr $32, %rdx
    shl $32, %rdx
    shr $32, %rax
    shl $32, %rax
    mov %esi, %edi
    or %rdi, %rax
    shr $32, %rsi
    or %rsi, %rdx
    NOISE_POINTERS
    wrmsr
    RESUMED
    LEAVE

/* uint64_t idle(void): rest once; RAX behind it, the verdict that says so */
FUNC idle
    mov 0x38(%r11), %rdx
    mov $VERDICT_IDLE, %eax
    NOISE_ARGS
    hlt
    LEAVE

/* uint64_t hypercall(control, args): svmc_hcall with noise in rbx, rcx, rdx, rbp, r12, r13 */
FUNC hypercall
    mov 0x38(%r11), %rdx
    mov $0x565c, %dx
    mov 0x48(%r11), %rcx
    mov %rdi, %rax
    push %rsi
    mov 16(%rsi), %r8
    mov 24(%rsi), %r9
    mov 32(%rsi), %r10
    mov 40(%rsi), %r11
    mov 0(%rsi), %rdi
    mov 8(%rsi), %rsi
    out %eax, %dx
    pop %r11
    mov %rdi, 0(%r11)
    mov %rsi, 8(%r11)
    mov %r8, 16(%r11)
    LEAVE
