/* SPDX-License-Identifier: MIT */
/** What src/seal/ needs of slots and VM keys, and no embedder: hidden in the archive. */
#ifndef KEYSLOT_SEALING_H
#define KEYSLOT_SEALING_H
#include <svmcore/keys.h>
#include <svmcore/keyslot.h>

/**
 * Hold a cipher against its vectors in the room of a slot that is free: it has bytes that a stack
 * has not. Control of the pool.
 *
 * Source: KS-19.
 *
 * @return as svmc_crypto_try; SVMC_ERR_FULL (no slot is free); SVMC_ERR_ARG (slots in hardware, or
 *         of another table).
 */
enum svmc_status svmc_keyslot_try(struct svmc_keyslots *ks, const struct svmc_crypto_ops *ops,
                                  uint32_t alg);

/**
 * Another key in a slot, under the handle that it has. The caller says that nobody has a copy of
 * the handle: so no generation is taken, and it may be done without end. Control of the pool.
 *
 * State:  on ARG, UNSUPPORTED and BUSY the slot has the key that it had, on STALE there is none;
 *         where the cipher cannot be loaded the slot is free.
 * Source: KS-21.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (slots in hardware, a slot before it); SVMC_ERR_STALE;
 *         SVMC_ERR_UNSUPPORTED; SVMC_ERR_BUSY (a lane or a reference has it); SVMC_ERR_CALLBACK.
 */
enum svmc_status svmc_keyslot_exchange(struct svmc_keyslots *ks, svmc_key_handle handle,
                                       const struct svmc_keyslot_key *key);

/** A subkey, by its name. */
struct keyslot_subkey {
    const struct svmc_vmkey *key;
    uint32_t purpose; /* enum svmc_key_purpose */
    const struct svmc_subkey_id *id;
};

/**
 * Derive a subkey and load it: into the slot that *slot names (KS-21), or, where that is {0} or is
 * none any more, into a free one. Its bytes are wiped. Control of the pool.
 *
 * Shape:  key: all but `bytes`, which is NULL before and behind; it is no copy, for the stack is
 *         short here. Slots in hardware make their own key.
 * State:  on any error *slot is what it was.
 * Source: KS-4, KS-21, KH-6.
 *
 * @return as svmc_vmkey_subkey, svmc_keyslot_exchange and svmc_keyslot_load.
 */
enum svmc_status svmc_keyslot_subkey(struct svmc_keyslots *ks, const struct keyslot_subkey *from,
                                     struct svmc_keyslot_key *key, svmc_key_handle *slot);

/** svmc_vmkey_cipher, by the table that uses the cipher; NULL: the key's. */
enum svmc_status svmc_vmkey_cipher_by(const struct svmc_crypto_ops *ops,
                                      const struct keyslot_subkey *from, uint32_t alg,
                                      uint32_t lanes, struct svmc_cipher_key *room);

/**
 * Whether subkeys can be had now. id NULL: of any epoch.
 *
 * Threads: any, while nobody changes the key or drops it; calls nothing.
 * Source:  KH-12.
 *
 * @return SVMC_OK; SVMC_ERR_ABSENT (no key); SVMC_ERR_STALE (no fresh epoch, or id is of another
 *         one).
 */
enum svmc_status svmc_vmkey_check(const struct svmc_vmkey *key, const struct svmc_subkey_id *id);

/**
 * The whole budget of a subkey of which no other grant is, or will be: who has it alone makes its
 * nonces. calls, blocks: what has to be in it.
 *
 * Source: KH-13.
 *
 * @return as svmc_vmkey_grant.
 */
enum svmc_status svmc_vmkey_grant_whole(struct svmc_vmkey *key, enum svmc_key_purpose purpose,
                                        uint64_t calls, uint64_t blocks,
                                        struct svmc_key_grant *grant);

#endif
