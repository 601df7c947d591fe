/* SPDX-License-Identifier: MIT */
/** Keys: the provider that the user names, the VM's key, and the sealer. All of it lies in one room
 *  that is locked, kept out of core files, and wiped. */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/key_cache.h>
#include <svmcore/keys.h>
#include <svmcore/keyslot.h>
#include <svmcore/seal.h>

#include "say.h"

/** Beside FILE lies its VM key, wrapped: FILE.vmkey is one blob of SVMC_VMKEY_BLOB_BYTES, and more
 *  while FILE is being replaced: the old keys, and then the new one. Whoever opens FILE takes the
 *  one that fits. */
#define VMKEY_SUFFIX    ".vmkey"
#define VMKEY_BLOBS_MAX 3u

struct vmkey_file {
    uint8_t blob[VMKEY_BLOBS_MAX][SVMC_VMKEY_BLOB_BYTES];
    uint32_t blobs;
};

/** Memory for keys. */
struct key_room {
    uint8_t *at;
    size_t bytes, used;
};

enum cli_status key_room_open(struct key_room *room, size_t bytes);
/** NULL: it is full. */
void *key_room_take(struct key_room *room, size_t bytes);
void key_room_close(struct key_room *room);

/** What of the options names a provider. */
struct provider_options {
    const char *uri; /* file:PATH or kmip://HOST:PORT/KEYID?cert=F&key=F&ca=F[&name=N] */
    const char *passphrase_file; /* NULL: a terminal is asked */
    const char *flag;            /* which option it is, for messages */
    uint32_t timeout_ms;
    uint32_t passes, memory_kib; /* of a key file that is made */
    bool make;                   /* the key file is made if it is not there */
};

struct svmc_keyfile;
struct svmc_kmip;

struct provider {
    struct key_room room;
    struct svmc_keyfile *keyfile;
    struct svmc_kmip *kmip;
    struct svmc_key_cache cache;
    const char *uri;
    uint64_t timeout_ns;
    size_t id_bytes;
    uint8_t id[SVMC_KEY_NAME_BYTES_MAX];
    uint8_t name[SVMC_PROVIDER_ID_BYTES]; /* what blobs call it: a hash of id */
    bool made;
};

/** Find the provider, and the passphrase where one is needed. It is closed on any error. */
enum cli_status provider_open(struct provider *p, const struct provider_options *options);
void provider_close(struct provider *p);

/** A key file under another passphrase; next: it, and its cost. In place in one step. */
enum cli_status keyfile_change(const char *path, const struct provider_options *options,
                               const struct provider_options *next);

/** The sealer of one VM with one back end. */
struct vault {
    struct key_room room;
    const struct svmc_crypto_ops *ops;
    struct svmc_keyarena arena;
    struct svmc_vmkey key;
    struct svmc_keyslots slots;
    struct svmc_sealer sealer;
};

/** What a vault has to be able to do: algorithms, 0 for none. */
struct vault_needs {
    uint32_t alg;    /* an AEAD, that new things are sealed with */
    uint32_t cipher; /* AES-256-XTS, or 0 */
    uint32_t blob;   /* that the blob is wrapped with */
    uint32_t derive; /* of subkeys */
};

/** A vault with a new key. On any error it is closed. */
enum cli_status vault_create(struct vault *v, const struct vault_needs *needs, const uint8_t *vm);

/** A vault with the key of a blob of the file `path`, with a fresh epoch; `say` what is wrong. */
enum cli_status vault_unwrap(struct vault *v, const struct vault_needs *needs, const uint8_t *vm,
                             struct provider *p, const uint8_t *blob, const char *path);

/** Its key, wrapped. */
enum cli_status vault_wrap(struct vault *v, struct provider *p, uint8_t *blob);

void vault_close(struct vault *v);

#define VAULT_BLOB_ALG SVMC_ALG_CHACHA20_POLY1305 /* every back end has it */
#define VAULT_DERIVE   SVMC_ALG_DERIVE_BLAKE2B

/** FILE.vmkey: out[PATH_MAX]. */
enum cli_status vmkey_path(char *out, const char *file);
enum cli_status vmkey_read(struct vmkey_file *keys, const char *path);

/** What a blob was made with; nothing of it is verified. */
void vmkey_needs(struct vault_needs *needs, const uint8_t *blob);

#endif
