/* SPDX-License-Identifier: MIT */
/** The threads and processes that are traced, and their address spaces. */
#ifndef BACKDOOR_RUN_TASKS_H
#define BACKDOOR_RUN_TASKS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "maps.h"
#include "sites.h"

/** How far a program has come since its exec. */
enum phase {
    PHASE_LOADING, /* a breakpoint waits at the entry */
    PHASE_ASKING,  /* arch_prctl runs there */
    PHASE_RUNNING
};

struct space {
    unsigned users;
    enum phase phase;
    bool cpuid_faults; /* the processor refuses CPUID to it */
    struct start start;
    uint64_t brk;           /* breakpoint on the return of r_brk; 0: none */
    uint8_t entry_bytes[3]; /* what stands at the entry */
    struct user_regs_struct entry_regs;
    struct sites sites;
};

struct task {
    pid_t tid;
    struct space *space; /* NULL: no memory for it */
    bool waits;          /* stopped until its parent tells of it */
    struct task *next;
};

struct task *tasks_find(struct task *list, pid_t tid);
/** NULL: no memory. */
struct task *tasks_add(struct task **list, pid_t tid);
void tasks_remove(struct task **list, pid_t tid);

/** A fresh one, or a copy for a forked child. */
struct space *space_new(const struct space *like);
struct space *space_share(struct space *space);
void space_drop(struct space *space);

#endif
