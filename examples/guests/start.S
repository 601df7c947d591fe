/* SPDX-License-Identifier: MIT */
/*
 * Entry, exception stubs and the way out. Long mode, ring 0, interrupts off; the keeper has set up
 * page tables, GDT and a stack for each processor; RDI is its number. r14 and r15 hold the secret
 * from here to the end. The IDT is one for all: each processor writes the same into it.
 */
#include "noise.h"

    .section .start, "ax"
    .globl _start
_start:
    xor %ebp, %ebp
    mov $BOOT_INFO, %esi
    mov 16(%rsi), %r14
    mov 24(%rsi), %r15
    THIS_CPU %rax
    movq $0, CPU_RESUME(%rax)
    call build_idt
    lidt idt_pointer(%rip)
    mov %rdi, %rsi
    mov $BOOT_INFO, %edi
    call guest_main
    mov %rax, %rdi

/* void guest_halt(uint64_t verdict): RAX is the verdict, HLT the end. */
    .globl guest_halt
guest_halt:
    mov %rdi, %rax
1:  hlt
    jmp 1b

/* 32 gates of 16 bytes: offset 15:0, selector 8, 64-bit interrupt gate, offset 31:16. */
build_idt:
    lea stubs(%rip), %rax
    lea idt(%rip), %rdx
    mov $32, %ecx
1:  mov %ax, (%rdx)
    movw $8, 2(%rdx)
    movw $0x8e00, 4(%rdx)
    mov %rax, %r8
    shr $16, %r8
    mov %r8w, 6(%rdx)
    movq $0, 8(%rdx)
    add $16, %rdx
    add $16, %rax
    dec %ecx
    jnz 1b
    ret

/* Vector and error code on the stack; 8, 10 to 14 and 17 bring their own code. */
    .balign 16
stubs:
    .set vector, 0
    .rept 32
    .balign 16
.if !((vector == 8) | ((vector >= 10) & (vector <= 14)) | (vector == 17))
    push $0
.endif
    push $vector
    jmp fault
    .set vector, vector + 1
    .endr

/* Go on where struct cpu says, with all registers as they were; or say so and halt. */
    .balign 16
fault:
    push %rax
    push %rbx
    THIS_CPU %rax
    mov 16(%rsp), %rbx
    cmpq $0, CPU_RESUME(%rax)
    je 1f
    mov %rbx, CPU_VECTOR(%rax)
    mov CPU_RESUME(%rax), %rbx
    mov %rbx, 32(%rsp)
    movq $0, CPU_RESUME(%rax)
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq
1:  lea fault_text(%rip), %rsi
    mov $DEV_CONSOLE, %edx
    mov $(fault_text_end - fault_text), %ecx
    cld
    rep outsb
    mov $(VERDICT_FAULT), %edi
    add %rbx, %rdi
    jmp guest_halt

    .section .rodata
fault_text:
    .ascii "FAIL exception\n"
fault_text_end:
    .balign 8
idt_pointer:
    .word 32 * 16 - 1
    .quad idt

    .section .data
    .balign 16
idt:
    .fill 32 * 16, 1, 0
