/* SPDX-License-Identifier: MIT */
/**
 * CPUID, VMCALL and VMMCALL in the code of a program, rewritten to UD2 in its memory: the first
 * does not trap on most processors, the others belong to the hypervisor below this system.
 */
#ifndef BACKDOOR_RUN_SITES_H
#define BACKDOOR_RUN_SITES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maps.h"

struct site {
    uint64_t at;
    uint16_t id;    /* enum svmc_x86_id: what stood there */
    uint8_t length; /* of that */
};

/** A file that was looked through where it is mapped. */
struct module {
    uint64_t start, end, inode;
    bool mapped; /* still */
};

/** Of one address space. */
struct sites {
    struct site *list;
    size_t count, cap;
    struct module *modules;
    size_t module_count, module_cap;
};

/** Which files are looked through beside the main program: shell patterns of a file's name. */
struct sites_wanted {
    const char *const *patterns;
    size_t count;
};

/** Look at what is mapped now: new files are rewritten, sites of those that are gone forgotten. */
bool sites_update(struct sites *s, pid_t pid, const struct sites_wanted *wanted);
const struct site *sites_find(const struct sites *s, uint64_t at);
/** A forked child has the same memory and goes its own way. */
bool sites_copy(struct sites *to, const struct sites *from);
void sites_drop(struct sites *s);

#endif
