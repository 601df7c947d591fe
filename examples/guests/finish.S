/* SPDX-License-Identifier: MIT */
/* void form_NAME(struct form *): the instruction of finish.def with the registers of the form. */
#include "finish.h"
#include "noise.h"

    .text
    .set form_x87, FORM_X87
    .set form_ymm, FORM_YMM

.macro ONE name, insn, behind
    .globl \name
    .balign 16
\name:
    push %rbx
    push %rbp
    push %r12
    push %r13
    mov %rdi, %r12
    mov 0(%r12), %rax
    mov 8(%r12), %rbx
    mov 16(%r12), %rcx
    mov 24(%r12), %rdx
    mov FORM_AT(%r12), %rsi
    movups FORM_XMM_0(%r12), %xmm0
    movups FORM_XMM_1(%r12), %xmm1
    fninit
    push FORM_FLAGS(%r12)
    popf
    \insn
    pushf
    \behind
    pop FORM_FLAGS(%r12)
    mov %rax, 0(%r12)
    mov %rbx, 8(%r12)
    mov %rcx, 16(%r12)
    mov %rdx, 24(%r12)
    movups %xmm0, FORM_XMM_0(%r12)
    movups %xmm1, FORM_XMM_1(%r12)
    RESTORE
    ret
.endm

#define FORM(name, bytes, flags, scans, insn, behind) ONE form_##name, insn, behind ;
#include "finish.def"
#undef FORM
