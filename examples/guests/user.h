/* SPDX-License-Identifier: MIT */
/** Ring 3 for guests: user.c, calls.S. */
#ifndef GUESTS_USER_H
#define GUESTS_USER_H
#include "guest.h"

/**
 * GDT with ring 3 and a TSS with an I/O bitmap; the lowest 2 MiB, and nothing else, for ring 3;
 * INT3 for its way back.
 */
void user_prepare(uint64_t id, unsigned native_port);

/** f(of) in ring 0 or 3. */
uint64_t user_in_ring(unsigned ring, uint64_t (*f)(void *), void *of);

/** calls.S */
uint64_t run_user(uint64_t (*f)(void *), void *of, uint64_t stack, uint64_t *rsp0);
void user_done(void);
int attempt(void *ctx, void (*call)(void *), void *of);

#endif
