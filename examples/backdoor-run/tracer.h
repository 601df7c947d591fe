/* SPDX-License-Identifier: MIT */
/** Runs a program under ptrace, and all that it starts. */
#ifndef BACKDOOR_RUN_TRACER_H
#define BACKDOOR_RUN_TRACER_H
#include "machine.h"
#include "sites.h"

#define TRACER_FAILED    125 /* statuses of our own, as env(1) and timeout(1) have them */
#define TRACER_NOT_RUN   126
#define TRACER_NOT_FOUND 127

struct tracer {
    struct machine *machine;
    struct names wanted;
    struct task *tasks;
    pid_t program; /* the first process */
    int status;    /* of waitpid, once it has ended */
};

/** Until the last process has ended; the status of the first, of waitpid, or of our own failure,
    which has been reported: -TRACER_... */
int tracer_run(struct tracer *t, char *const *argv);

#endif
