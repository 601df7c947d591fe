/* SPDX-License-Identifier: MIT */
/**
 * The hierarchy of keys: a provider's key wraps a VM's key, of which a subkey comes for each
 * purpose and epoch, with a budget. VM keys lie in one arena of the caller's, which it locks.
 * Source: docs/spec/keys.md, rules KH-1 to KH-11.
 */
#ifndef SVMCORE_KEYS_H
#define SVMCORE_KEYS_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_VM_ID_BYTES       16u
#define SVMC_PROVIDER_ID_BYTES 16u
#define SVMC_EPOCH_BYTES       16u
#define SVMC_VMKEY_BYTES       32u
#define SVMC_VMKEY_BLOB_BYTES  160u /* a wrapped VM key: docs/spec/keys.md has its bytes */

/** What an arena for so many VM keys takes. */
#define SVMC_KEYARENA_BYTES(keys) (SVMC_CIPHER_ROOM_BYTES + SVMC_DERIVE_BYTES + 64u * (keys))

/** The budget of a subkey, KH-7: whichever of the two ends first. A block is 16 bytes. */
#define SVMC_SUBKEY_CALLS  ((uint64_t)1 << 32)
#define SVMC_SUBKEY_BLOCKS ((uint64_t)1 << 36)

/** What a subkey is for. The values go into the derivation and are pinned. */
enum svmc_key_purpose {
    SVMC_KEY_PAGE = 1,    /* a page of memory, with tag and version */
    SVMC_KEY_DISK = 2,    /* sectors */
    SVMC_KEY_CONTEXT = 3, /* a vCPU that is not scheduled */
    SVMC_KEY_IMAGE = 4,   /* chunks of a whole image */
    SVMC_KEY_TREE = 5,    /* nodes of a tree of versions */
    SVMC_KEY_LINE = 6     /* lines and pages of memory, same length, confidentiality only */
};

/**
 * Memory for keys, lent and locked by the caller (mlock, pinned pages): the library only lays it
 * out, and wipes it. The struct itself holds no secret.
 */
struct svmc_keyarena {
    struct {
        const struct svmc_crypto_ops *ops;
        uint8_t *memory; /* NULL: dropped */
        uint64_t serial; /* of the last key that got a cell; from a random number on */
        uint32_t cells, reserved;
    } priv;
};

/** A VM's key and where its subkeys are. Holds no secret: the key lies in the arena. {0}: empty. */
struct svmc_vmkey {
    struct {
        struct svmc_keyarena *arena;
        uint64_t serial; /* 0: no key */
        uint32_t cell, derive, has_epoch, reserved;
        uint8_t vm[SVMC_VM_ID_BYTES], epoch[SVMC_EPOCH_BYTES];
        uint64_t calls_max, blocks_max;
        struct {
            uint64_t index, calls, blocks; /* given out of the subkey `index` */
        } purpose[SVMC_KEY_LINE];
    } priv;
};

/** Where a subkey is: formats carry it beside what they seal. */
struct svmc_subkey_id {
    uint8_t epoch[SVMC_EPOCH_BYTES];
    uint64_t index;
};

/** A part of a subkey's budget. */
struct svmc_key_grant {
    struct svmc_subkey_id id;
    uint64_t calls, blocks; /* as asked for */
};

/**
 * Lay out and wipe an arena.
 *
 * Shape:   memory[bytes] at a multiple of SVMC_CIPHER_ROOM_ALIGN, SVMC_KEYARENA_BYTES(1) at least.
 * Owns:    the caller keeps the memory, and locks it before; ops and memory outlive the arena.
 * Source:  KH-10; needs random, equal, wipe, derive and an AEAD's four functions.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an op missing, too small, not aligned); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyarena_init(struct svmc_keyarena *arena,
                                                            const struct svmc_crypto_ops *ops,
                                                            void *memory, size_t bytes);

/** Wipe all of it. The VM keys in it are gone: what they are asked for is SVMC_ERR_STALE, also when
 *  the arena is laid out again. KH-11 */
SVMC_API void svmc_keyarena_drop(struct svmc_keyarena *arena);

/**
 * Make a new VM key from random bytes, with a fresh epoch.
 *
 * Shape:   vm[SVMC_VM_ID_BYTES]; derive: how subkeys are derived, SVMC_ALG_DERIVE_BLAKE2B or
 *          SVMC_ALG_HKDF_SHA_256.
 * State:   key is empty on any error. What was in it is forgotten, not dropped, as by unwrap.
 * Threads: one caller at a time for all keys of an arena.
 * Source:  KH-1, KH-5.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_UNSUPPORTED (derive); SVMC_ERR_FULL (no cell);
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_create(struct svmc_vmkey *key,
                                                           struct svmc_keyarena *arena,
                                                           const uint8_t *vm, uint32_t derive);

/** The provider's key, whole for the call only, and its name. */
struct svmc_provider_key {
    uint8_t id[SVMC_PROVIDER_ID_BYTES];
    const uint8_t *bytes; /* [SVMC_DERIVE_KEY_BYTES] */
};

/**
 * Wrap a VM key: bytes that are safe to store beside the VM.
 *
 * Shape:   aead: SVMC_ALG_XCHACHA20_POLY1305, _CHACHA20_POLY1305 or _AES_256_GCM;
 *          blob[SVMC_VMKEY_BLOB_BYTES], zeroed on any error.
 * Threads: as svmc_vmkey_create.
 * Source:  KH-2, KH-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE (no key); SVMC_ERR_UNSUPPORTED;
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_wrap(const struct svmc_vmkey *key,
                                                         const struct svmc_provider_key *provider,
                                                         uint32_t aead,
                                                         uint8_t blob[SVMC_VMKEY_BLOB_BYTES]);

/**
 * Take a VM key out of its blob, after all of it is checked, with a fresh epoch.
 *
 * State:   key is empty on any error, and nothing of the blob's key is left anywhere.
 * Threads: as svmc_vmkey_create.
 * Source:  KH-3 to KH-5.
 *
 * @return SVMC_OK; of the blob: SVMC_ERR_FORMAT (cut, too long, no blob), SVMC_ERR_UNSUPPORTED (a
 *         version or algorithm that is not known or not offered), SVMC_ERR_PURPOSE (no VM key),
 *         SVMC_ERR_OWNER (another VM's), SVMC_ERR_KEY (another provider key's, or not the key whose
 *         check value it has), SVMC_ERR_AUTH (changed); SVMC_ERR_ARG (NULL); SVMC_ERR_FULL;
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_unwrap(struct svmc_vmkey *key,
                                                           struct svmc_keyarena *arena,
                                                           const uint8_t *vm,
                                                           const struct svmc_provider_key *provider,
                                                           const void *blob, size_t bytes);

/**
 * A fresh epoch: after a restore, a clone, a crash, before anything is sealed. create and unwrap
 * draw one themselves.
 *
 * State:   after an error there are no grants before it succeeds: SVMC_ERR_STALE.
 * Threads: as svmc_vmkey_create.
 * Source:  KH-5.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STALE; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_renew(struct svmc_vmkey *key);

/** Lower what a subkey may do: 1 to SVMC_SUBKEY_CALLS and SVMC_SUBKEY_BLOCKS. KH-7
 *  @return SVMC_OK; SVMC_ERR_ARG. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_limit(struct svmc_vmkey *key, uint64_t calls,
                                                          uint64_t blocks);

/**
 * Take a part of the budget of a purpose's subkey, for so many calls and blocks of sealing. Where
 * the subkey has less left, the grant is of the next one: nothing is ever refused for want of
 * budget. Ask before the last grant is used up, and what you hold stays good in the meantime.
 *
 * Shape:   calls, blocks: 1 to the limits.
 * State:   nothing changes and *grant is zero on any error.
 * Threads: one caller at a time for a key; calls nothing (CR-11).
 * Source:  KH-7, KH-8.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STALE (no key, or no fresh epoch).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_grant(struct svmc_vmkey *key,
                                                          enum svmc_key_purpose purpose,
                                                          uint64_t calls, uint64_t blocks,
                                                          struct svmc_key_grant *grant);

/**
 * A subkey's bytes: for hardware that takes keys. alg says for what: a cipher, or a MAC.
 *
 * Owns:    the caller wipes out[SVMC_DERIVE_BYTES] as soon as it can; zeros on any error, and
 *          behind the key's length.
 * Threads: any, while nobody changes the key or drops it.
 * Source:  KH-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STALE; SVMC_ERR_UNSUPPORTED (alg); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_subkey(const struct svmc_vmkey *key,
                                                           enum svmc_key_purpose purpose,
                                                           uint32_t alg,
                                                           const struct svmc_subkey_id *id,
                                                           uint8_t out[SVMC_DERIVE_BYTES]);

/**
 * A subkey as a cipher, ready for `lanes` callers; its bytes are wiped at once. For opening, id is
 * what the sealed bytes carry; for sealing it is a grant's.
 *
 * State:   after SVMC_OK the caller has the room's cipher_drop called, once.
 * Threads: as svmc_vmkey_subkey.
 * Source:  KH-6, KH-9.
 *
 * @return as svmc_vmkey_subkey.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmkey_cipher(
    const struct svmc_vmkey *key, enum svmc_key_purpose purpose, uint32_t alg,
    const struct svmc_subkey_id *id, uint32_t lanes, struct svmc_cipher_key *room);

/** Wipe the key and give its cell back. Nothing happens to an empty one. KH-11 */
SVMC_API void svmc_vmkey_drop(struct svmc_vmkey *key);

#ifdef __cplusplus
}
#endif
#endif
