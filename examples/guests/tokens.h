/* SPDX-License-Identifier: MIT */
/** The guest of tokens: program.c is trusted, tokens.c is everybody else. */
#ifndef GUESTS_TOKENS_H
#define GUESTS_TOKENS_H
#include <svmcore/guest/hypercall.h>

#include "guest.h"

#define TOKENS_CONTROL(number) (SVMC_HCALL_CONTROL(number) | SVMC_HCALL_OWNER(TOKENS_OWNER))

/** What the program has: no tag. */
struct program {
    const struct svmc_guest *guest;
    svmc_hcall_word handle, gate;
};

/** The trusted program, on one page. Each returns the status word. */
svmc_hcall_word program_enrol(struct program *p);
svmc_hcall_word program_put(const struct program *p, svmc_hcall_word at, svmc_hcall_word word);
svmc_hcall_word program_rotate(struct program *p);

#endif
