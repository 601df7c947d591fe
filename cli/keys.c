/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>
#include <sys/mman.h>

#include "file.h"
#include "wait.h"

#define SLOTS 8u

/* Where a blob says what it was made with (docs/spec/keys.md, KH-2). */
enum { BLOB_AEAD = 5, BLOB_DERIVE = 6 };

/* ---- memory ----------------------------------------------------------------------------------*/

enum cli_status key_room_open(struct key_room *room, size_t bytes)
{
    static bool said;

    room->used = 0;
    room->bytes = (bytes + 4095) / 4096 * 4096;
    room->at = mmap(NULL, room->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room->at == MAP_FAILED) {
        room->at = NULL;
        return cli_fail(CLI_SYSTEM, NULL, "no memory for keys: %s", strerror(errno));
    }
    if (mlock(room->at, room->bytes) != 0 && !said) {
        said = true;
        cli_warn(NULL, "memory for keys cannot be locked and may be swapped out: %s; see ulimit -l",
                 strerror(errno));
    }
    (void)madvise(room->at, room->bytes, MADV_DONTDUMP);
    return CLI_GOOD;
}

void *key_room_take(struct key_room *room, size_t bytes)
{
    void *at = room->at + room->used;

    bytes = (bytes + SVMC_CIPHER_ROOM_ALIGN - 1) / SVMC_CIPHER_ROOM_ALIGN * SVMC_CIPHER_ROOM_ALIGN;
    if (!room->at || bytes > room->bytes - room->used)
        return NULL;
    room->used += bytes;
    return at;
}

void key_room_close(struct key_room *room)
{
    if (!room->at)
        return;
    explicit_bzero(room->at, room->bytes);
    (void)munmap(room->at, room->bytes);
    room->at = NULL;
}

/* ---- the sealer ------------------------------------------------------------------------------*/

static bool can(const struct svmc_crypto_ops *ops, uint32_t alg, struct svmc_cipher_key *room)
{
    return alg == 0 || svmc_crypto_try(ops, (enum svmc_alg)alg, room) == SVMC_OK;
}

/* libsodium keeps keys in the room alone, so it comes first. */
static const struct svmc_crypto_ops *choose(const struct vault_needs *n,
                                            struct svmc_cipher_key *room)
{
    const struct svmc_crypto_ops *all[] = { svmc_sodium_ops(), svmc_openssl_ops() };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] && can(all[i], n->alg, room) && can(all[i], n->cipher, room) &&
            can(all[i], n->blob, room) && can(all[i], n->derive, room))
            return all[i];
    return NULL;
}

static enum cli_status vault_open(struct vault *v, const struct vault_needs *needs)
{
    enum cli_status status;
    size_t n = SVMC_KEYARENA_BYTES(1);
    void *memory;

    memset(v, 0, sizeof *v);
    status = key_room_open(&v->room, 65536);
    if (status != CLI_GOOD)
        return status;
    memory = key_room_take(&v->room, sizeof(struct svmc_cipher_key));
    v->ops = choose(needs, memory);
    if (!v->ops) {
        vault_close(v);
        return cli_fail(CLI_REFUSED, NULL,
                        "neither libsodium nor OpenSSL has all of %s, %s and %s on this processor",
                        cli_alg_name(needs->cipher ? needs->cipher : needs->alg),
                        cli_alg_name(needs->blob), cli_alg_name(needs->derive));
    }
    memory = key_room_take(&v->room, n);
    if (svmc_keyarena_init(&v->arena, v->ops, memory, n) != SVMC_OK) {
        vault_close(v);
        return cli_fail(CLI_SYSTEM, NULL, "cryptography does not work here");
    }
    return CLI_GOOD;
}

/* The key is there. */
static enum cli_status begin(struct vault *v, uint32_t alg)
{
    const struct svmc_keyslots_config slots = {
        .crypto = v->ops, .slots = SLOTS, .places = SLOTS, .lanes = 1
    };
    const struct svmc_sealer_config config = { .crypto = v->ops,
                                               .slots = &v->slots,
                                               .key = &v->key,
                                               .domain = 1,
                                               .protect = SVMC_PROTECT_ALL,
                                               .alg = alg };
    size_t n = svmc_keyslots_bytes(&slots);
    enum svmc_status st = svmc_keyslots_init(&v->slots, &slots, key_room_take(&v->room, n), n);

    if (st == SVMC_OK)
        st = svmc_sealer_init(&v->sealer, &config);
    if (st == SVMC_OK)
        return CLI_GOOD;
    vault_close(v);
    return cli_fail(CLI_SYSTEM, NULL, "no sealer: %s", svmc_status_name(st));
}

enum cli_status vault_create(struct vault *v, const struct vault_needs *needs, const uint8_t *vm)
{
    enum cli_status status = vault_open(v, needs);
    enum svmc_status st;

    if (status != CLI_GOOD)
        return status;
    st = svmc_vmkey_create(&v->key, &v->arena, vm, needs->derive);
    if (st == SVMC_OK)
        return begin(v, needs->alg);
    vault_close(v);
    return cli_fail(CLI_SYSTEM, NULL, "no key can be made: %s", svmc_status_name(st));
}

static enum cli_status unwrap_verdict(enum svmc_status st, const char *path)
{
    switch (st) {
    case SVMC_OK:
        return CLI_GOOD;
    case SVMC_ERR_FORMAT:
        return cli_fail(CLI_KEY, path, "is no wrapped VM key, or is cut; take its backup");
    case SVMC_ERR_UNSUPPORTED:
        return cli_fail(CLI_KEY, path, "is of a version or algorithm that this program has not");
    case SVMC_ERR_PURPOSE:
        return cli_fail(CLI_KEY, path, "is something else than a VM key");
    case SVMC_ERR_OWNER:
        return cli_fail(CLI_KEY, path, "is the key of another VM than the sealed file's");
    case SVMC_ERR_KEY:
        return cli_fail(CLI_KEY, path,
                        "is wrapped with another key than the one that the provider "
                        "gave, or was changed; check --key-provider");
    case SVMC_ERR_AUTH:
        return cli_fail(CLI_KEY, path, "was changed; take its backup");
    default:
        return cli_fail(CLI_SYSTEM, path, "cannot be unwrapped: %s", svmc_status_name(st));
    }
}

enum cli_status vault_unwrap(struct vault *v, const struct vault_needs *needs, const uint8_t *vm,
                             struct provider *p, const uint8_t *blob, const char *path)
{
    struct svmc_key_blob what = { .vm = vm, .from = blob, .bytes = SVMC_VMKEY_BLOB_BYTES };
    enum cli_status status = vault_open(v, needs);
    enum svmc_status st;

    if (status != CLI_GOOD)
        return status;
    what.key = &v->key;
    what.arena = &v->arena;
    status = provider_wait(p, false, &what, &st);
    if (status == CLI_GOOD)
        status = unwrap_verdict(st, path);
    if (status == CLI_GOOD)
        return begin(v, needs->alg);
    vault_close(v);
    return status;
}

enum cli_status vault_wrap(struct vault *v, struct provider *p, uint8_t *blob)
{
    struct svmc_key_blob what = { .key = &v->key, .to = blob, .aead = VAULT_BLOB_ALG };
    enum svmc_status st;
    enum cli_status status = provider_wait(p, true, &what, &st);

    if (status == CLI_GOOD && st != SVMC_OK)
        status =
            cli_fail(CLI_SYSTEM, NULL, "the VM key cannot be wrapped: %s", svmc_status_name(st));
    return status;
}

void vault_close(struct vault *v)
{
    if (v->slots.priv.slot)
        svmc_keyslots_drop(&v->slots);
    if (v->arena.priv.memory)
        svmc_keyarena_drop(&v->arena);
    key_room_close(&v->room);
    memset(v, 0, sizeof *v);
}

/* ---- FILE.vmkey ------------------------------------------------------------------------------*/

enum cli_status vmkey_path(char *out, const char *file)
{
    int n = snprintf(out, PATH_MAX, "%s" VMKEY_SUFFIX, file);

    return n > 0 && n < PATH_MAX ? CLI_GOOD : cli_fail(CLI_USAGE, file, "the name is too long");
}

enum cli_status vmkey_read(struct vmkey_file *keys, const char *path)
{
    size_t n;
    enum cli_status status = file_slurp(path, keys->blob, sizeof keys->blob, &n);

    keys->blobs = (uint32_t)(n / SVMC_VMKEY_BLOB_BYTES);
    if (status == CLI_GOOD && (n == 0 || n % SVMC_VMKEY_BLOB_BYTES != 0))
        status = cli_fail(CLI_KEY, path, "is no wrapped VM key, or is cut; take its backup");
    return status == CLI_REFUSED ? CLI_KEY : status;
}

/* What is no algorithm is for svmc_vmkey_unwrap to refuse. */
void vmkey_needs(struct vault_needs *needs, const uint8_t *blob)
{
    bool known = strcmp(cli_alg_name(blob[BLOB_AEAD]), "unknown") != 0 &&
                 svmc_cipher_shape_of(blob[BLOB_AEAD]).tag_bytes != 0;

    needs->blob = known ? blob[BLOB_AEAD] : 0;
    known =
        blob[BLOB_DERIVE] == SVMC_ALG_DERIVE_BLAKE2B || blob[BLOB_DERIVE] == SVMC_ALG_HKDF_SHA_256;
    needs->derive = known ? blob[BLOB_DERIVE] : 0;
}
