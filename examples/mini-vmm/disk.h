/* SPDX-License-Identifier: MIT */
/**
 * The guest's disk, sealed (--protect disk): DEV_BLOCK is the keeper's own device then. What the
 * guest writes goes to a file through svmcore/disk.h, and what it reads was verified before. The
 * file is anybody's; an anchor of eight bytes, in another one, is trusted.
 */
#ifndef DISK_H
#define DISK_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/disk.h>
#include <svmcore/exit.h>

#include "options.h"
#include "sealing.h"
#include "vault.h"
#include "vm.h"
#include "wire.h"

struct vcpu;

/** What a saved guest knows of its disk, which is not in its image. */
struct disk_mark {
    uint32_t mode; /* enum svmc_disk_mode; 0: it has none */
    uint32_t result[WIRE_VCPUS_MAX];
    uint32_t reserved;
    uint64_t anchor, number;
};

struct disk {
    struct vm *vm;           /* NULL: it is not open */
    struct sealing *sealing; /* NULL: there is none */
    const char *path; /* NULL: a file without a name, gone with its key at the end of the run */
    int fd, anchor_fd;
    struct svmc_disk_store store;
    struct svmc_disk_config config;
    struct svmc_disk sealed;
    bool saved;      /* it belongs to a guest that was saved */
    uint8_t *memory; /* of it; locked where the system lets, as is `plain` */
    size_t memory_bytes;
    uint8_t *plain;       /* the sector that moves */
    uint64_t anchor;      /* given last */
    pthread_mutex_t lock; /* for all of it */
    int error;            /* errno of the store; 0: it is cut */
    uint32_t result[WIRE_VCPUS_MAX];
    uint64_t read, written, flushes; /* sectors; flushes */
    char why[192];                   /* DISK_REFUSED */
};

enum disk_end { DISK_NOT_OURS, DISK_DONE, DISK_REFUSED };

/** Is this disk there already? head: its VM and key, for sealing_take_head. */
bool disk_find(const struct options *o, uint8_t head[SEALING_HEAD_BYTES], bool *there, char *why,
               size_t cap);

/** Open the disk of these options, or make it; `mark`: of a guest that was saved, else NULL. The
 *  sealer is open. false: `why`. */
bool disk_open(struct disk *d, const struct options *o, struct vm *vm, struct sealing *sealing,
               struct vault *vault, const struct disk_mark *mark, char *why, size_t cap);

/** Answer the exit in v->run, if it is an access to the disk. */
enum disk_end disk_serve(struct disk *d, struct vcpu *v, const struct svmc_exit *exit);

/** The guest has stopped: all that it wrote stays, and the file is free. *mark: for its image. */
bool disk_leave(struct disk *d, struct disk_mark *mark, char *why, size_t cap);

/** What it did, as a line. */
void disk_describe(const struct disk *d, char *text, size_t cap);

/** What was not flushed is lost, as by a power cut. */
void disk_close(struct disk *d);

#endif
