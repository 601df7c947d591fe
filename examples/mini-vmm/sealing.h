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
#define SEALING_HEAD_BYTES   512u /* of a file: whose it is, and its key, which is wrapped */
#define SEALING_SLOTS        16u /* two subkeys for pages, two a vCPU, four of a disk, a free one */
#define SEALING_LANE_PAGES   0u  /* whoever opens and seals pages, under the pager's lock */
#define SEALING_LANE_DISK    1u
#define SEALING_LANE_CONTEXT 2u /* and one a vCPU */
#define SEALING_LANES        (SEALING_LANE_CONTEXT + 4u)

struct vault;

/** All keys of a VM: they lie in `room`, which is locked where the system lets. */
struct sealing {
    bool on;
    uint32_t alg;
    struct svmc_keyarena arena;
    struct svmc_vmkey key;
    struct svmc_keyslots slots;
    struct svmc_sealer sealer;
    uint8_t vm[SVMC_VM_ID_BYTES]; /* drawn when its key is made */
    pthread_mutex_t lock;         /* for control: begin, find, end */
    size_t room_used;
    _Alignas(SVMC_CIPHER_ROOM_ALIGN) uint8_t room[SEALING_ROOM_BYTES];
};

/** A fresh key for the VM, and the sealer; false: `why`. */
bool sealing_open(struct sealing *s, uint32_t protect, char *why, size_t cap);

/** A file's head: `magic`, of eight bytes, the VM, the name of the provider's key, the VM's key
 *  wrapped by it. And the key from such a head: `what` is the file, for `why`. */
bool sealing_head(struct sealing *s, struct vault *vault, const char *magic,
                  uint8_t head[SEALING_HEAD_BYTES], char *why, size_t cap);
bool sealing_take_head(struct sealing *s, uint32_t protect, struct vault *vault, const char *what,
                       const uint8_t head[SEALING_HEAD_BYTES], char *why, size_t cap);

/** The name of the cipher. */
const char *sealing_alg_name(uint32_t alg);

/** Wipe all keys. */
void sealing_close(struct sealing *s);

#endif
