/* SPDX-License-Identifier: MIT */
/** A signal of a traced thread: is it a call? Then it is answered. */
#ifndef BACKDOOR_RUN_TRAPS_H
#define BACKDOOR_RUN_TRAPS_H
#include <signal.h>

#include "machine.h"
#include "tasks.h"

/** The signal to go on with: 0 where a call was answered, else the one that came, or a fault's. */
int traps_signal(struct machine *m, struct task *task, const siginfo_t *info);

#endif
