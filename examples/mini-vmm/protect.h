/* SPDX-License-Identifier: MIT */
/** What --protect and --memory-budget ask for: the VM's keys, its pager, its contexts. */
#ifndef PROTECT_H
#define PROTECT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "context.h"
#include "disk.h"
#include "options.h"
#include "pager.h"
#include "report.h"
#include "sealing.h"

struct protect {
    bool paged;
    struct sealing sealing;
    struct disk disk;
    struct pager pager;
    struct context context[WIRE_VCPUS_MAX];
    uint32_t contexts;
};

/** The disk, before all else; `mark`: of a guest that was saved, else NULL. false: `why`. */
bool protect_disk(struct protect *p, const struct options *o, struct vm *vm, struct vault *vault,
                  const struct disk_mark *mark, char *why, size_t cap);

/** Before the first vCPU runs, its registers and memory filled in. false: `why`. */
bool protect_open(struct protect *p, const struct options *o, struct vm *vm,
                  struct vm_vcpu *processors, struct report *r, char *why, size_t cap);

/** All memory comes back, and stays. */
void protect_stop(struct protect *p);

/** All memory comes back; what was done, as lines. A sealed page that does not: false, `why`. */
bool protect_close(struct protect *p, struct report *r, char *why, size_t cap);

#endif
