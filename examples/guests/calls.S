/* SPDX-License-Identifier: MIT */
/* For calls.c: into ring 3 and back, and calls that may fault. */
#include "noise.h"

    .text

/*
 * uint64_t run_user(uint64_t (*f)(void *), void *of, uint64_t stack, uint64_t *rsp0): f(of) in
 * ring 3, with IOPL 3. It comes back through INT3, whose gate is user_done, on the stack it left.
 */
    .globl run_user
    .balign 16
run_user:
    push %rbx
    push %rbp
    push %r12
    push %r13
    mov %rsp, %r8
    and $-16, %rsp /* as an interrupt does */
    push %r8
    push %r8
    mov %rsp, (%rcx)
    mov %rdi, %rax
    mov %rsi, %rdi
    push $0x1b
    push %rdx
    pushf
    orq $0x3000, (%rsp)
    push $0x23
    lea 1f(%rip), %rdx
    push %rdx
    iretq
1:  call *%rax
    int3

/* The gate's: RSP is rsp0 less the five words of the frame. RAX is f's result. */
    .globl user_done
    .balign 16
user_done:
    add $40, %rsp
    pop %rsp
    RESTORE
    ret

/* int attempt(void *ctx, void (*call)(void *), void *of): 0, or 1 if call(of) faulted */
    .globl attempt
    .balign 16
attempt:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %rax
    THIS_CPU %rax
    mov %rsp, CPU_MARK(%rax)
    lea 2f(%rip), %rcx
    mov %rcx, CPU_RESUME(%rax)
    mov %rdx, %rdi
    call *%rsi
    xor %eax, %eax
    jmp 3f
2:  THIS_CPU %rax
    mov CPU_MARK(%rax), %rsp
    mov $1, %eax
3:  THIS_CPU %rcx
    movq $0, CPU_RESUME(%rcx)
    pop %rcx
    RESTORE
    ret
