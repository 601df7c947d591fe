/* SPDX-License-Identifier: MIT */
/**
 * Runs a program of AArch64 in QEMU's user-mode emulation, as its debugger. There a read of
 * MDCCSR_EL0 by MRS does not trap, so each such instruction gets a breakpoint.
 */
#ifndef BACKDOOR_RUN_EMULATOR_H
#define BACKDOOR_RUN_EMULATOR_H
#include "machine.h"
#include "names.h"

/** command: the emulator and its options, in words. As tracer_run. */
int emulator_run(struct machine *machine, const struct names *wanted, const char *command,
                 char *const *argv);

#endif
