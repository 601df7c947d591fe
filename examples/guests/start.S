/* SPDX-License-Identifier: MIT */
/*
 * Entry, exception stubs and the way out. Long mode, ring 0, interrupts off; the keeper has set up
 * page tables, GDT and stack. r14 and r15 hold the secret from here to the end.
 */
#include "bootinfo.h"

    .section .start, "ax"
    .globl _start
_start:
    mov $BOOT_STACK_TOP, %esp
    xor %ebp, %ebp
    mov $BOOT_INFO, %edi
    mov 16(%rdi), %r14
    mov 24(%rdi), %r15
    call build_idt
    lidt idt_pointer(%rip)
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

    .balign 16
stubs:
    .set vector, 0
    .rept 32
    .balign 16
    mov $(VERDICT_FAULT + vector), %edi
    jmp fault
    .set vector, vector + 1
    .endr
    .balign 16
fault:
    mov %rdi, %rbx
    lea fault_text(%rip), %rsi
    mov $DEV_CONSOLE, %edx
    mov $(fault_text_end - fault_text), %ecx
    cld
    rep outsb
    mov %rbx, %rdi
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
