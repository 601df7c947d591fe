/* SPDX-License-Identifier: MIT */
/**
 * What tests of disks share: a host that can be switched off at any store call, with a store that
 * loses, tears and reorders what was not flushed, an anchor, and a crypto table that notes every
 * key and nonce: it is the fake host's while a sealer tests itself, and then a quick one.
 */
#ifndef DISK_LAB_H
#define DISK_LAB_H
#include <svmcore/disk.h>

#include "crypto_lab.h"

enum { DISK_LAB_BYTES = 1 << 20, DISK_LAB_PENDING = 2048, DISK_LAB_PAIRS = 1 << 16 };

/* What happens to what was not flushed when power fails. */
enum disk_lab_cut { DISK_LAB_LOSES, DISK_LAB_KEEPS, DISK_LAB_TEARS };

struct disk_lab_store {
    struct svmc_disk_store ops; /* its ctx is this struct */
    uint8_t now[DISK_LAB_BYTES], stable[DISK_LAB_BYTES];
    struct {
        uint64_t block;
        uint8_t bytes[SVMC_DISK_BLOCK];
    } pending[DISK_LAB_PENDING];
    uint32_t pendings;
    uint64_t anchor;
    unsigned calls, fail_at; /* of all its functions; the k-th fails and writes nothing; 0: none */
    unsigned cut_at;         /* the k-th is cut off, and all that follow fail; 0: none */
    unsigned lie_at;         /* the k-th does half of it, wrongly, and says OK; 0: none */
    bool is_off, keeps_anchor; /* the anchor that was cut off: kept or not */
    bool loses_flushes;
    unsigned anchors;
};

struct disk_lab {
    struct crypto_lab crypto;
    struct disk_lab_store store;
    struct svmc_keyslots slots;
    struct svmc_keyarena arena;
    struct svmc_vmkey key;
    struct svmc_sealer sealer;
    struct svmc_disk disk;
    struct svmc_disk_config config;
    struct svmc_disk_result result;
    uint8_t vm[SVMC_VM_ID_BYTES], blob[SVMC_VMKEY_BLOB_BYTES];
    _Alignas(64) uint8_t pool[32768], keys[SVMC_KEYARENA_BYTES(2)], memory[1 << 16];
};

/* A host and its VM `name`, with a new key; config is of an authentic disk of `sectors`, anchored.
   Key and nonce pairs are noted from now on, and CHECKed to be different. */
void disk_lab_init(struct disk_lab *lab, uint8_t name, uint64_t sectors);
/* Another start of the host: nothing in memory is left, the key comes from its blob. */
void disk_lab_boot(struct disk_lab *lab);
/* Power fails, or comes back: what was not flushed. */
void disk_lab_cut(struct disk_lab *lab, enum disk_lab_cut how, uint64_t *seed);

enum svmc_status disk_lab_format(struct disk_lab *lab);
enum svmc_status disk_lab_open(struct disk_lab *lab); /* with the anchor that the store keeps */
/* A sector full of what `value` stands for; 0: zeros. */
enum svmc_status disk_lab_write(struct disk_lab *lab, uint64_t sector, uint64_t value);
/* Whether a sector reads as this value. */
bool disk_lab_is(struct disk_lab *lab, uint64_t sector, uint64_t value);
void disk_lab_fill(uint8_t *bytes, size_t n, uint64_t sector, uint64_t value);
/* Of the pairs that were noted. */
unsigned disk_lab_pairs(void);

#endif
