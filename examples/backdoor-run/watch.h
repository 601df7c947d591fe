/* SPDX-License-Identifier: MIT */
/** --trace: a line for each call. */
#ifndef BACKDOOR_RUN_WATCH_H
#define BACKDOOR_RUN_WATCH_H
#include "machine.h"

/** What a call is to its message channel. */
enum step { STEP_NONE, STEP_OPEN, STEP_SEND, STEP_RECEIVE, STEP_RECEIVED, STEP_CLOSE };

enum step watch_step(const struct svmc_vmware_call *call);
/** call: as it came; trap->call: as it went. */
void watch_call(const struct machine *m, const struct trap *trap,
                const struct svmc_vmware_call *call, enum svmc_status st,
                const struct svmc_vmware_result *result);
void watch_cpuid(const struct machine *m, pid_t tid, uint32_t leaf, const uint32_t regs[4]);
/** Bytes of the program behind a word: quoted, and cut where they are many. */
void watch_bytes(const struct machine *m, const char *what, const uint8_t *bytes, size_t n);

#endif
