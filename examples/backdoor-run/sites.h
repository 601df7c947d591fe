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
#include "names.h"

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

/** Look at what is mapped now: of the main program and of files whose names match `wanted`, shell
    patterns, those that are new are rewritten; sites of those that are gone are forgotten. */
bool sites_update(struct sites *s, pid_t pid, const struct names *wanted);
const struct site *sites_find(const struct sites *s, uint64_t at);
/** A forked child has the same memory and goes its own way. */
bool sites_copy(struct sites *to, const struct sites *from);
void sites_drop(struct sites *s);

#endif
