/* SPDX-License-Identifier: MIT */
/** A key in a file under a passphrase, and the provider that gives it. */
#include <svmcore/crypto.h>
#include <svmcore/port/keyfile.h>

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "../../core/bytes.h"

#define VERSION  1u
#define ARGON2ID 1u /* version 1.3 of it */
#define TICKETS  16u

/* KF-1: where things are in a file; its header ends where the commitment begins. */
enum {
    AT_VERSION = 4,
    AT_PASSPHRASE = 5,
    AT_AEAD = 6,
    AT_PASSES = 8,
    AT_MEMORY = 12,
    AT_SALT = 16,
    AT_NONCE = 32,
    AT_ID_BYTES = 56,
    AT_ID = 64,
    AT_COMMITMENT = 128,
    AT_KEY = 160,
    AT_TAG = 192
};

static const uint8_t magic[AT_VERSION] = { 'S', 'V', 'M', 'F' };

_Static_assert(AT_TAG + crypto_aead_xchacha20poly1305_ietf_ABYTES == SVMC_KEYFILE_BYTES,
               "a file ends with its tag");
_Static_assert(AT_NONCE - AT_SALT == crypto_pwhash_SALTBYTES, "a salt");
_Static_assert(AT_ID_BYTES - AT_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "a nonce");
_Static_assert(AT_COMMITMENT - AT_ID == SVMC_KEY_NAME_BYTES_MAX, "a name");

struct svmc_keyfile {
    struct svmc_provider_ops ops;
    struct {
        uint64_t ticket; /* 0: none */
        bool known;
    } request[TICKETS];
    uint32_t id_bytes;
    uint8_t id[SVMC_KEY_NAME_BYTES_MAX], key[AT_TAG - AT_KEY];
};

static bool is_passphrase(const struct svmc_keyfile_passphrase *p)
{
    return p && p->at && p->bytes - 1 < SVMC_KEYFILE_PASSPHRASE_MAX;
}

static bool is_cost(uint32_t passes, uint32_t memory_kib)
{
    return passes - 1 < SVMC_KEYFILE_PASSES_MAX && memory_kib >= 8 &&
           memory_kib <= SVMC_KEYFILE_MEMORY_KIB_MAX;
}

/* KF-2: what wraps the key, and behind it the commitment, from the passphrase and the header. */
static enum svmc_status derive(const uint8_t *file, const struct svmc_keyfile_passphrase *p,
                               uint8_t out[64])
{
    uint8_t hash[crypto_generichash_KEYBYTES];
    int result = crypto_pwhash(
        hash, sizeof hash, p->at, p->bytes, file + AT_SALT, core_load_le32(file + AT_PASSES),
        (size_t)core_load_le32(file + AT_MEMORY) * 1024, crypto_pwhash_ALG_ARGON2ID13);

    if (result == 0)
        result = crypto_generichash(out, 64, file, AT_COMMITMENT, hash, sizeof hash);
    sodium_memzero(hash, sizeof hash);
    return result == 0 ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* KF-2: the header is there but for salt and nonce. */
static enum svmc_status seal(uint8_t *file, const struct svmc_keyfile_passphrase *p,
                             const uint8_t *key)
{
    uint8_t derived[64];
    enum svmc_status st;

    randombytes_buf(file + AT_SALT, AT_ID_BYTES - AT_SALT);
    st = derive(file, p, derived);
    if (st == SVMC_OK) {
        memcpy(file + AT_COMMITMENT, derived + 32, AT_KEY - AT_COMMITMENT);
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
            file + AT_KEY, file + AT_TAG, NULL, key, AT_TAG - AT_KEY, file, AT_KEY, NULL,
            file + AT_NONCE, derived);
    }
    sodium_memzero(derived, sizeof derived);
    return st;
}

/* KF-3: what the header says, before anything is computed of it. */
static enum svmc_status judge(const uint8_t *file, uint32_t memory_kib_max)
{
    uint32_t passes = core_load_le32(file + AT_PASSES), memory = core_load_le32(file + AT_MEMORY);
    uint32_t id_bytes = file[AT_ID_BYTES];

    if (memcmp(file, magic, sizeof magic) != 0)
        return SVMC_ERR_FORMAT;
    if (file[AT_VERSION] != VERSION || file[AT_PASSPHRASE] != ARGON2ID ||
        file[AT_AEAD] != SVMC_ALG_XCHACHA20_POLY1305)
        return SVMC_ERR_UNSUPPORTED;
    if (file[AT_AEAD + 1] != 0 || id_bytes - 1 >= SVMC_KEY_NAME_BYTES_MAX ||
        !sodium_is_zero(file + AT_ID_BYTES + 1, AT_ID - AT_ID_BYTES - 1) ||
        !sodium_is_zero(file + AT_ID + id_bytes, SVMC_KEY_NAME_BYTES_MAX - id_bytes))
        return SVMC_ERR_FORMAT;
    return is_cost(passes, memory) && memory <= memory_kib_max ? SVMC_OK : SVMC_ERR_FULL;
}

/* KF-3, KF-4 */
static enum svmc_status open_key(const uint8_t *file, const struct svmc_keyfile_passphrase *p,
                                 uint32_t memory_kib_max, uint8_t *key)
{
    uint8_t derived[64];
    enum svmc_status st = judge(file, memory_kib_max);

    if (st != SVMC_OK)
        return st;
    st = derive(file, p, derived);
    if (st == SVMC_OK &&
        sodium_memcmp(derived + 32, file + AT_COMMITMENT, AT_KEY - AT_COMMITMENT) != 0)
        st = SVMC_ERR_KEY;
    if (st == SVMC_OK && crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
                             key, NULL, file + AT_KEY, AT_TAG - AT_KEY, file + AT_TAG, file, AT_KEY,
                             file + AT_NONCE, derived) != 0)
        st = SVMC_ERR_AUTH;
    sodium_memzero(derived, sizeof derived);
    return st;
}

static bool put_cost(uint8_t *file, const struct svmc_keyfile_cost *cost)
{
    const struct svmc_keyfile_cost usual = { 3, 256 * 1024 };

    if (!cost)
        cost = &usual;
    core_store_le32(file + AT_PASSES, cost->passes);
    core_store_le32(file + AT_MEMORY, cost->memory_kib);
    return is_cost(cost->passes, cost->memory_kib);
}

/* KF-1 */
enum svmc_status svmc_keyfile_create(uint8_t *file,
                                     const struct svmc_keyfile_passphrase *passphrase,
                                     const uint8_t *id, size_t id_bytes,
                                     const struct svmc_keyfile_cost *cost)
{
    uint8_t key[AT_TAG - AT_KEY];
    enum svmc_status st = SVMC_ERR_ARG;

    if (!file)
        return SVMC_ERR_ARG;
    memset(file, 0, SVMC_KEYFILE_BYTES);
    if (!is_passphrase(passphrase) || !id || id_bytes - 1 >= SVMC_KEY_NAME_BYTES_MAX)
        return SVMC_ERR_ARG;
    if (sodium_init() < 0)
        return SVMC_ERR_CALLBACK;
    memcpy(file, magic, sizeof magic);
    file[AT_VERSION] = VERSION;
    file[AT_PASSPHRASE] = ARGON2ID;
    file[AT_AEAD] = SVMC_ALG_XCHACHA20_POLY1305;
    file[AT_ID_BYTES] = (uint8_t)id_bytes;
    memcpy(file + AT_ID, id, id_bytes);
    randombytes_buf(key, sizeof key);
    if (put_cost(file, cost))
        st = seal(file, passphrase, key);
    sodium_memzero(key, sizeof key);
    if (st != SVMC_OK)
        memset(file, 0, SVMC_KEYFILE_BYTES);
    return st;
}

/* KF-5 */
enum svmc_status svmc_keyfile_change(uint8_t *file,
                                     const struct svmc_keyfile_passphrase *passphrase,
                                     const struct svmc_keyfile_passphrase *next,
                                     const struct svmc_keyfile_cost *cost, uint32_t memory_kib_max)
{
    uint8_t key[AT_TAG - AT_KEY], changed[SVMC_KEYFILE_BYTES];
    enum svmc_status st;

    if (!file || !is_passphrase(passphrase) || !is_passphrase(next))
        return SVMC_ERR_ARG;
    if (sodium_init() < 0)
        return SVMC_ERR_CALLBACK;
    memcpy(changed, file, sizeof changed);
    st = open_key(changed, passphrase, memory_kib_max, key);
    if (st == SVMC_OK)
        st = put_cost(changed, cost) ? seal(changed, next, key) : SVMC_ERR_ARG;
    sodium_memzero(key, sizeof key);
    if (st == SVMC_OK)
        memcpy(file, changed, sizeof changed);
    return st;
}

/* ---- the provider ----------------------------------------------------------------------------*/

static uint32_t find(const struct svmc_keyfile *file, uint64_t ticket)
{
    uint32_t i = 0;

    while (i < TICKETS && file->request[i].ticket != ticket)
        i++;
    return i;
}

static enum svmc_status request(void *ctx, uint64_t ticket, const uint8_t *id, size_t id_bytes,
                                uint64_t deadline)
{
    struct svmc_keyfile *file = ctx;
    uint32_t i = find(file, 0);

    (void)deadline;
    if (i == TICKETS)
        return SVMC_ERR_FULL;
    file->request[i].ticket = ticket;
    file->request[i].known = id_bytes == file->id_bytes && memcmp(id, file->id, id_bytes) == 0;
    return SVMC_OK;
}

static void cancel(void *ctx, uint64_t ticket)
{
    struct svmc_keyfile *file = ctx;
    uint32_t i = find(file, ticket);

    if (i < TICKETS)
        file->request[i].ticket = 0;
}

/* KF-6 */
static enum svmc_status poll(void *ctx, uint64_t ticket, uint64_t now,
                             struct svmc_provider_answer *answer)
{
    const struct svmc_keyfile *file = ctx;
    uint32_t i = find(file, ticket);
    bool known = i < TICKETS && file->request[i].known;

    (void)now;
    cancel(ctx, ticket);
    answer->ticket = ticket;
    if (!known) {
        answer->reason = SVMC_FETCH_NOT_FOUND;
        return SVMC_ERR_CALLBACK;
    }
    answer->state = SVMC_KEY_ACTIVE;
    answer->usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN;
    answer->alg = SVMC_KEY_FOR_AES;
    answer->bits = 8 * sizeof file->key;
    answer->id_bytes = file->id_bytes;
    answer->key_bytes = sizeof file->key;
    memcpy(answer->id, file->id, sizeof file->id);
    memcpy(answer->key, file->key, sizeof file->key);
    return SVMC_OK;
}

/* KF-4: what the file says is copied before it is looked at. */
enum svmc_status svmc_keyfile_open(struct svmc_keyfile **out, const void *file, size_t bytes,
                                   const struct svmc_keyfile_passphrase *passphrase,
                                   uint32_t memory_kib_max)
{
    uint8_t copy[SVMC_KEYFILE_BYTES];
    struct svmc_keyfile *opened;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    *out = NULL;
    if (!file || !is_passphrase(passphrase))
        return SVMC_ERR_ARG;
    if (bytes != sizeof copy)
        return SVMC_ERR_FORMAT;
    if (sodium_init() < 0)
        return SVMC_ERR_CALLBACK;
    opened = sodium_malloc((sizeof *opened + 63) / 64 * 64); /* a multiple keeps it aligned */
    if (!opened)
        return SVMC_ERR_CALLBACK;
    memset(opened, 0, sizeof *opened);
    memcpy(copy, file, sizeof copy);
    st = open_key(copy, passphrase, memory_kib_max, opened->key);
    if (st != SVMC_OK) {
        sodium_free(opened);
        return st;
    }
    opened->id_bytes = copy[AT_ID_BYTES];
    memcpy(opened->id, copy + AT_ID, sizeof opened->id);
    opened->ops = (struct svmc_provider_ops){
        .size = sizeof opened->ops,
        .ctx = opened,
        .request = request,
        .poll = poll,
        .cancel = cancel,
    };
    *out = opened;
    return SVMC_OK;
}

const struct svmc_provider_ops *svmc_keyfile_ops(const struct svmc_keyfile *file)
{
    return file ? &file->ops : NULL;
}

void svmc_keyfile_close(struct svmc_keyfile *file)
{
    sodium_free(file); /* wipes */
}
