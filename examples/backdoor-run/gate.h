/* SPDX-License-Identifier: MIT */
/**
 * How CPUID, VMCALL and VMMCALL come to the tracer. When ld.so has finished (a breakpoint at the
 * entry of the program), the processor is asked to refuse CPUID, which not many can; and what
 * stands in the program and its VMware libraries is rewritten (sites.h), then and after each
 * dlopen.
 */
#ifndef BACKDOOR_RUN_GATE_H
#define BACKDOOR_RUN_GATE_H
#include <stdbool.h>

#include "sites.h"
#include "tasks.h"

/** After an exec. */
void gate_exec(struct task *task);
/** A breakpoint was hit: true if it is one of ours; go on then. */
bool gate_breakpoint(struct task *task, const struct names *wanted);

#endif
