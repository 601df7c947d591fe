/* SPDX-License-Identifier: MIT */
/**
 * What tests of sealing share: a VM's key in an arena, a pool of slots, a sealer, over one crypto
 * table: the real ciphers of fakehost, or, for runs of thousands, keyslot_lab's quick ones, which
 * no self-test takes for real: they come after it.
 */
#ifndef SEAL_LAB_H
#define SEAL_LAB_H
#include <svmcore/seal.h>

#include "crypto_lab.h"

enum { SEAL_LAB_SLOTS = 8, SEAL_LAB_LANES = 4, SEAL_LAB_KEYS = 3 };

struct seal_lab {
    struct crypto_lab crypto; /* first: its ctx is this struct, too */
    struct svmc_keyarena arena;
    struct svmc_vmkey key, other; /* of two VMs */
    struct svmc_keyslots ks;
    struct svmc_sealer sealer;
    _Alignas(64) uint8_t keys[SVMC_KEYARENA_BYTES(SEAL_LAB_KEYS)];
    _Alignas(64) uint8_t pool[16384];
};

extern const uint8_t seal_lab_vm[SVMC_VM_ID_BYTES], seal_lab_other_vm[SVMC_VM_ID_BYTES];

/* All of it, with SVMC_PROTECT_ALL and alg. */
void seal_lab_init(struct seal_lab *lab, uint32_t alg, bool quick);
/* What the sealer was set up with. */
struct svmc_sealer_config seal_lab_config(struct seal_lab *lab, uint32_t alg);
/* Whether n bytes are all zero. */
bool seal_lab_is_zero(const void *at, size_t n);
/* Whether nothing of the pool is left but what is public: no slot has a key. */
bool seal_lab_is_empty(const struct seal_lab *lab);

#endif
