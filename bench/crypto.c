/* SPDX-License-Identifier: MIT */
/*
 * crypto.BACKEND.ALGORITHM-BYTES: one unit sealed, or encrypted, through the table of the back end,
 * the key loaded before; beside a copy of as many bytes. crypto.keys.grant and .cipher: a part of
 * a budget, and a subkey derived and loaded, which an eviction costs.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/keys.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>

#include "figure.h"

static _Alignas(64) uint8_t in[65536], out[65536], arena_memory[SVMC_KEYARENA_BYTES(1)];
static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room;
static const struct svmc_crypto_ops *ops;
static uint64_t nonce[4]; /* the first word counts */
static uint8_t tag[SVMC_TAG_BYTES];
static struct svmc_cipher_unit unit;
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_key_grant grant;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static void seal(void)
{
    nonce[0]++;
    must(ops->seal(ops->ctx, &room, &unit));
}

static void crypt(void)
{
    nonce[0]++;
    must(ops->crypt(ops->ctx, &room, &unit, 1));
}

static void copy(void)
{
    memcpy(out, in, unit.n);
    __asm__ volatile("" : : : "memory");
}

static void cipher(const char *back_end, const struct svmc_crypto_ops *table, const char *name,
                   uint32_t alg)
{
    static const size_t sizes[] = { 64, 512, 4096, 65536 };
    uint8_t bytes[SVMC_KEY_BYTES_MAX];

    ops = table;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(5 * i);
    must(ops->cipher_load(ops->ctx, &room, alg, bytes, 1));
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char line[64], peer[32];

        unit = (struct svmc_cipher_unit){
            .nonce = (const uint8_t *)nonce, .in = in, .out = out, .n = sizes[i], .tag = tag
        };
        snprintf(line, sizeof line, "crypto.%s.%s-%zu", back_end, name, sizes[i]);
        snprintf(peer, sizeof peer, "memcpy-%zu", sizes[i]);
        figure(line, alg == SVMC_ALG_AES_256_XTS ? crypt : seal, peer, copy,
               (unsigned)(262144 / (sizes[i] + 512)), 1);
    }
    ops->cipher_drop(ops->ctx, &room);
}

static void take_grant(void)
{
    must(svmc_vmkey_grant(&key, SVMC_KEY_LINE, 4096, 262144, &grant));
}

static void load_subkey(void)
{
    must(svmc_vmkey_cipher(&key, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, &grant.id, 1, &room));
    ops->cipher_drop(ops->ctx, &room);
}

/* What the cipher's schedule alone costs. */
static void load_raw(void)
{
    must(ops->cipher_load(ops->ctx, &room, SVMC_ALG_AES_256_GCM, in, 1));
    ops->cipher_drop(ops->ctx, &room);
}

static void nothing(void)
{
    __asm__ volatile("" : : : "memory");
}

int main(void)
{
    const struct svmc_crypto_ops *sodium = svmc_sodium_ops(), *openssl = svmc_openssl_ops();
    static const uint8_t vm[SVMC_VM_ID_BYTES] = { 1 };

    if (!sodium || !openssl)
        return 1;
    if (svmc_crypto_try(sodium, SVMC_ALG_AES_256_GCM, &room) == SVMC_OK)
        cipher("sodium", sodium, "gcm", SVMC_ALG_AES_256_GCM);
    cipher("sodium", sodium, "chacha", SVMC_ALG_CHACHA20_POLY1305);
    cipher("sodium", sodium, "xchacha", SVMC_ALG_XCHACHA20_POLY1305);
    cipher("openssl", openssl, "xts", SVMC_ALG_AES_256_XTS);
    cipher("openssl", openssl, "gcm", SVMC_ALG_AES_256_GCM);
    cipher("openssl", openssl, "chacha", SVMC_ALG_CHACHA20_POLY1305);

    ops = openssl;
    if (svmc_crypto_try(sodium, SVMC_ALG_AES_256_GCM, &room) == SVMC_OK)
        ops = sodium;
    must(svmc_keyarena_init(&arena, ops, arena_memory, sizeof arena_memory));
    must(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B));
    figure("crypto.keys.grant", take_grant, "empty-call", nothing, 1000, 1);
    figure("crypto.keys.cipher", load_subkey, "raw-schedule", load_raw, 300, 1);
    return 0;
}
