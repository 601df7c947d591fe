/* SPDX-License-Identifier: MIT */
/**
 * Live migration (--migrate-to, --migrate-from): rounds of memory while the guest runs, then a last
 * image with all else, over a socket that nobody trusts. Both ends unwrap the same VM key.
 */
#ifndef MIGRATE_H
#define MIGRATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"
#include "save.h"

#define MIGRATE_ROUNDS 8u  /* at most, before the guest is stopped */
#define MIGRATE_FEW    24u /* pages: as few as that, and it is stopped */

/** The sender's side. */
struct migrate {
    int fd;
    struct save *save;
    struct sealing *sealing;
    struct vcpu *cpu[WIRE_VCPUS_MAX];
    uint32_t cpus;
    struct vm *vm;
    struct report *report;
    struct svmc_image_name name; /* of the last image that was sent */
    uint32_t sent;
    uint8_t session[SVMC_IMAGE_ID_BYTES];
    uint64_t dirty[VM_PAGES / 64], scratch[VM_PAGES / 64];
    uint32_t manual;
    pthread_t thread;
    bool running;
    atomic_bool over; /* the guest has stopped, or ended */
    bool failed;
    char why[160];
};

/** Connect, and send rounds from a thread of its own; then save_now stops each vCPU. */
bool migrate_begin(struct migrate *m, const char *path, char *why, size_t cap);

/** The guest has stopped: the last image, and the receiver's word that it runs. `from`: NULL:
 *  the guest has ended instead. false: m->why. */
bool migrate_end(struct migrate *m, const struct save_from *from);

/** The receiver's side, all of it: afterwards s is as behind save_read. */
bool migrate_receive(struct save *s, const char *path, struct sealing *sealing, uint32_t protect,
                     char *why, size_t cap);

#endif
