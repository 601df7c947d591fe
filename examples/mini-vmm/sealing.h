/* SPDX-License-Identifier: MIT */
/** The VM's key and its sealer: what --protect and --memory-budget seal with. */
#ifndef SEALING_H
#define SEALING_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/keys.h>
#include <svmcore/keyslot.h>
#include <svmcore/seal.h>

#define SEALING_ROOM_BYTES   65536u
#define SEALING_SLOTS        12u /* two subkeys for pages, two a vCPU, and a free one */
#define SEALING_LANE_PAGES   0u  /* whoever opens and seals pages, under the pager's lock */
#define SEALING_LANE_CONTEXT 1u  /* and one a vCPU */
#define SEALING_LANES        (SEALING_LANE_CONTEXT + 4u)

/** All keys of a VM: they lie in `room`, which is locked where the system lets. */
struct sealing {
    bool on;
    uint32_t protect; /* SVMC_PROTECT() */
    uint32_t alg;
    struct svmc_keyarena arena;
    struct svmc_vmkey key;
    struct svmc_keyslots slots;
    struct svmc_sealer sealer;
    pthread_mutex_t lock; /* for control: begin, find, end */
    size_t room_used;
    _Alignas(SVMC_CIPHER_ROOM_ALIGN) uint8_t room[SEALING_ROOM_BYTES];
};

/** A fresh key for the VM, and the sealer; false: `why`. */
bool sealing_open(struct sealing *s, uint32_t protect, char *why, size_t cap);

/** The name of the cipher. */
const char *sealing_alg_name(uint32_t alg);

/** Wipe all keys. */
void sealing_close(struct sealing *s);

#endif
