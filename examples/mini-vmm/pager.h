/* SPDX-License-Identifier: MIT */
/**
 * A budget for the guest's memory (--memory-budget): so many pages lie open, the rest is sealed and
 * comes back when it is touched. pager.c says which pages, pager_fault.c has the two ways to hear
 * of a touch. By userfaultfd a page that is put away is taken from all vCPUs at once, and then
 * sealed; by slots there is one vCPU, which waits meanwhile.
 */
#ifndef PAGER_H
#define PAGER_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/port/kvm.h>
#include <svmcore/seal_page.h>

#include "sealing.h"
#include "vm.h"
#include "wire.h"

#define PAGER_PAGE     SVMC_SEAL_PAGE_BYTES
#define PAGER_KEPT_MAX 32u /* pages that the processor itself reads: tables of several kinds */
#define PAGER_OPEN_MIN (PAGER_KEPT_MAX + 16u)

enum pager_way {
    PAGER_ANY,
    PAGER_FAULTS, /* userfaultfd: a missing page of this process waits for us */
    PAGER_SLOTS   /* no KVM slot: an access exits as MMIO, and is completed with the page's bytes */
};

/** What is known of a page of the guest; versions are svmcore's. */
struct pager_page {
    uint64_t opened; /* the turn when it was; the oldest go first */
    uint64_t closed; /* the turn when it was put away */
    bool open;
    bool second;  /* which of its two places in the store has its copy */
    bool hot;     /* it came back soon after it had been put away */
    uint8_t kept; /* by so many vCPUs */
};

/** What the lines at the end say. */
struct pager_counts {
    uint64_t opened, sealed, unchanged; /* unchanged: put away, and its old sealed copy holds */
    uint64_t completed;                 /* accesses that exited and were completed by hand */
    uint64_t ns;                        /* on the wall, for all of it */
    uint32_t most;                      /* pages open at once */
};

struct pager {
    struct vm *vm;
    struct sealing *sealing;
    struct svmc_pages sealed;
    enum pager_way way;
    char why_way[80]; /* PAGER_SLOTS: what userfaultfd said */
    uint32_t pages, budget, open;
    uint64_t turn;
    uint32_t retries, cpus, kept_count[WIRE_VCPUS_MAX];
    uint16_t kept[WIRE_VCPUS_MAX][PAGER_KEPT_MAX];
    struct pager_page page[VM_PAGES];
    uint64_t written[VM_PAGES / 64], scratch[VM_PAGES / 64];
    uint32_t manual;      /* log: cleared by hand */
    pthread_mutex_t lock; /* for all of it */
    pthread_t thread, vcpu[WIRE_VCPUS_MAX];
    bool running;
    int faults, end; /* descriptors: userfaultfd; an eventfd that ends the thread */
    int store_fd;
    uint8_t *store; /* untrusted: for each page two tags and two copies, one of them good */
    uint8_t *plain; /* one page, locked where the system lets, as is what `sealed` lies in */
    uint8_t *aside; /* where a page lies that was taken from the guest, until it is sealed */
    void *trusted;
    size_t trusted_bytes;
    atomic_bool failed;
    char why[120]; /* failed */
    struct pager_counts counts;
};

/** Seal all of the guest's memory but what it needs at once. Before the first vCPU runs. */
bool pager_open(struct pager *p, struct vm *vm, uint32_t cpus, struct sealing *sealing,
                uint32_t percent, enum pager_way way, char *why, size_t cap);

/** Before KVM_RUN: pages that the processor reads by itself come back and stay. false: failed. */
bool pager_before(struct pager *p, struct vm_vcpu *c);

/** Is this exit a touch of a sealed page? It is dealt with, and the vCPU runs on. */
bool pager_exit(struct pager *p, struct vm_vcpu *c);

/** Bytes that the keeper itself reads. false: failed. */
bool pager_touch(struct pager *p, uint64_t at, size_t bytes);

/** The same for bytes that it copies out of memory, or into it. */
bool pager_copy(struct pager *p, uint64_t at, void *bytes, size_t n, bool write);

/** All pages come back. */
void pager_close(struct pager *p);

/** pager_fault.c: begin, end; a page, from plain, into the guest's memory; and out of it: from take
 *  on nobody writes it, and at the end of hide it is wiped. take: where it lies, or NULL. */
bool pager_begin_faults(struct pager *p, char *why, size_t cap);
bool pager_begin_slots(struct pager *p, char *why, size_t cap);
void pager_end(struct pager *p);
bool pager_show(struct pager *p, uint64_t page);
const uint8_t *pager_take(struct pager *p, uint64_t page);
bool pager_hide(struct pager *p, uint64_t page);

/** What KVM's log says, to svmcore; the log of the page begins anew. */
bool pager_log(struct pager *p, uint64_t page);

#endif
