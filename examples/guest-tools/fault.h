/* SPDX-License-Identifier: MIT */
/**
 * The fault hook of svmc_probe for a Linux program: an instruction that nobody answers ends in
 * SIGILL or SIGSEGV, and the attempt is over. One thread at a time: handlers are the process's.
 */
#ifndef GUEST_TOOLS_FAULT_H
#define GUEST_TOOLS_FAULT_H

/** Run call(of); 0: it came to its end, else the number of the signal that ended it. */
int fault_attempt(void *ctx, void (*call)(void *), void *of);

#endif
