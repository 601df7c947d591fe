/* SPDX-License-Identifier: MIT */
/** The host's cage. */
#ifndef CONFINE_H
#define CONFINE_H

/**
 * Leave this process, all its threads, nothing but read and write on descriptors below `fds`, poll
 * of `polled` of them, the clock, memory it already has, and the end. -1: the kernel would not.
 */
int confine(int fds, unsigned polled);

#endif
