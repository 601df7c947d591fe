/* SPDX-License-Identifier: MIT */
/** The guest of hypercalls: calls.c the proper ones, abuse.c all others. */
#ifndef GUESTS_CALLS_H
#define GUESTS_CALLS_H
#include <svmcore/guest/hypercall.h>

#include "user.h"

/* the lowest 2 MiB once more: only to be read, and the kernel's alone */
#define ALIAS_READ   0x400000u
#define ALIAS_KERNEL 0x600000u

/** What a processor works on, in one ring. */
struct work {
    struct cpu *cpu;
    struct svmc_guest guest;
    unsigned ring;
    unsigned failed; /* number of the first check that failed; 0: none */
    char reply[600];
};

/** A check: no HLT in ring 3, so what fails is kept, and said. */
void check(struct work *w, int good, const char *name);

/** A line in the keeper's output: four pieces, any of which may be 0. */
void say(struct work *w, const char *a, const char *b, const char *c, const char *d);

svmc_hcall_word native(struct work *w, unsigned number, svmc_hcall_word arg[6]);
unsigned long length(const char *text);

/** All that is wrong with a call; of a struct work. Returns w->failed. */
uint64_t abuse(void *of);

#endif
