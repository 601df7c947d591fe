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

/** The same with a key that was wrapped: of this VM, by the provider's key of this vault. */
struct vault;
bool sealing_restore(struct sealing *s, uint32_t protect, struct vault *vault,
                     const uint8_t vm[SVMC_VM_ID_BYTES], const uint8_t blob[SVMC_VMKEY_BLOB_BYTES],
                     char *why, size_t cap);

/** The name of the cipher. */
const char *sealing_alg_name(uint32_t alg);

/** Wipe all keys. */
void sealing_close(struct sealing *s);

#endif
