/* SPDX-License-Identifier: MIT */
/**
 * A provider of keys: a file with one key under a passphrase, by libsodium. Part of the archive of
 * port/sodium.h. Reading and writing the file is the host's.
 * Source: docs/spec/keyfile.md, rules KF-1 to KF-6.
 */
#ifndef SVMCORE_PORT_KEYFILE_H
#define SVMCORE_PORT_KEYFILE_H
#include "../config.h"
#include "../provider.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KEYFILE_BYTES          208u
#define SVMC_KEYFILE_PASSPHRASE_MAX 1024u

/** What a try of a passphrase costs: passes of Argon2id, over so much memory. */
struct svmc_keyfile_cost {
    uint32_t passes;     /* 1 to 64 */
    uint32_t memory_kib; /* 8 to 4 GiB */
};
#define SVMC_KEYFILE_PASSES_MAX     64u
#define SVMC_KEYFILE_MEMORY_KIB_MAX 4194304u

struct svmc_keyfile_passphrase {
    const void *at;
    size_t bytes; /* 1 to SVMC_KEYFILE_PASSPHRASE_MAX */
};

/**
 * Make a file: a random key with a name.
 *
 * Shape:   file[SVMC_KEYFILE_BYTES], zero on any error; id[id_bytes], 1 to
 *          SVMC_KEY_NAME_BYTES_MAX; cost NULL: 3 passes over 256 MiB, about a second.
 * Threads: any. Takes the time and the memory that the cost says.
 * Source:  KF-1, KF-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK (no memory, or no libsodium).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyfile_create(
    uint8_t *file, const struct svmc_keyfile_passphrase *passphrase, const uint8_t *id,
    size_t id_bytes, const struct svmc_keyfile_cost *cost);

struct svmc_keyfile;

/**
 * Open a file that is not trusted: it asks for no more memory than memory_kib_max.
 *
 * Owns:    the key, in locked memory of libsodium's, till svmc_keyfile_close.
 * State:   *out is NULL on any error.
 * Source:  KF-3, KF-4.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FORMAT (no such file, or cut); SVMC_ERR_UNSUPPORTED (a
 *         version or algorithm that is not known); SVMC_ERR_FULL (it wants more than is allowed);
 *         SVMC_ERR_KEY (another passphrase, or its header was changed); SVMC_ERR_AUTH (changed);
 *         SVMC_ERR_CALLBACK (no memory, or no libsodium).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyfile_open(
    struct svmc_keyfile **out, const void *file, size_t bytes,
    const struct svmc_keyfile_passphrase *passphrase, uint32_t memory_kib_max);

/**
 * The same key under another passphrase, with fresh salt and nonce.
 *
 * Shape:   file[SVMC_KEYFILE_BYTES], changed on SVMC_OK alone. The host writes it beside the old
 *          one, and then in its place.
 * Source:  KF-5.
 *
 * @return as svmc_keyfile_open and svmc_keyfile_create.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyfile_change(
    uint8_t *file, const struct svmc_keyfile_passphrase *passphrase,
    const struct svmc_keyfile_passphrase *next, const struct svmc_keyfile_cost *cost,
    uint32_t memory_kib_max);

/** The table for a cache: it answers at once. It lives as long as the open file. KF-6 */
SVMC_API SVMC_NODISCARD const struct svmc_provider_ops *svmc_keyfile_ops(
    const struct svmc_keyfile *file);

/** Wipe and free. The cache that uses it is dropped before. NULL is fine. */
SVMC_API void svmc_keyfile_close(struct svmc_keyfile *file);

#ifdef __cplusplus
}
#endif
#endif
