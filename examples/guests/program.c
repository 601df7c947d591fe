/* SPDX-License-Identifier: MIT */
/**
 * The trusted program: one page of code, which the keeper measures, and no data. It enrols by a
 * call of its own; all others go through its gate, which has the tag.
 */
#include "tokens.h"

#define TRUSTED __attribute__((section(".trusted"), noinline))

/* The gate's stub wants rax, arguments, dx, r12; it loses rcx, r13, r14 (token_page.md, TP-10). */
TRUSTED static svmc_hcall_word through_gate(const struct program *p, svmc_hcall_word control,
                                            svmc_hcall_word arg[2])
{
    register svmc_hcall_word handle __asm__("r12") = p->handle;
    svmc_hcall_word status = control | SVMC_HCALL_TOKEN, a = arg[0], b = arg[1];

    __asm__ volatile("push %%r14\n\tcall *%[gate]\n\tpop %%r14"
                     : "+a"(status), "+D"(a), "+S"(b)
                     : [gate] "b"(p->gate), "d"((svmc_hcall_word)p->guest->port), "r"(handle)
                     : "rcx", "r8", "r9", "r10", "r11", "r13", "cc", "memory");
    arg[0] = a;
    arg[1] = b;
    return status;
}

TRUSTED svmc_hcall_word program_enrol(struct program *p)
{
    svmc_hcall_word arg[6], status;

    arg[0] = arg[1] = arg[2] = arg[3] = arg[4] = arg[5] = 0;
    status = svmc_call(p->guest, TOKENS_CONTROL(TOKENS_ENROL), arg);
    if (status == SVMC_HCALL_OK) {
        p->handle = arg[0];
        p->gate = arg[1];
    }
    return status;
}

TRUSTED svmc_hcall_word program_put(const struct program *p, svmc_hcall_word at,
                                    svmc_hcall_word word)
{
    svmc_hcall_word arg[2];

    arg[0] = at;
    arg[1] = word;
    return through_gate(p, TOKENS_CONTROL(TOKENS_PUT), arg);
}

TRUSTED svmc_hcall_word program_rotate(struct program *p)
{
    svmc_hcall_word arg[2], status;

    arg[0] = arg[1] = 0;
    status = through_gate(p, TOKENS_CONTROL(TOKENS_ROTATE), arg);
    if (status == SVMC_HCALL_OK)
        p->gate = arg[0];
    return status;
}
