/* SPDX-License-Identifier: MIT */
/** OpenSSL behind the crypto table: hashes, MACs, derivations and the table; ciphers: cipher.c. */
#include "openssl_private.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>

#include "blake2b.h"

/* CR-4: what lies in a struct svmc_hash_state. */
struct hash {
    uint64_t alg;
    union {
        struct openssl_blake2b blake2b;
        EVP_MD_CTX *sha256; /* freed by the end, which is called exactly once */
    } of;
};

_Static_assert(sizeof(struct hash) <= sizeof(struct svmc_hash_state), "room");
_Static_assert(_Alignof(struct hash) <= _Alignof(struct svmc_hash_state), "as aligned");

static struct hash *hash_of(struct svmc_hash_state *state)
{
    return (struct hash *)(void *)state;
}

static enum svmc_status from(bool ok)
{
    return ok ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status hash_begin(void *ctx, struct svmc_hash_state *state, uint32_t alg)
{
    struct hash *hash = hash_of(state);

    (void)ctx;
    hash->alg = alg;
    if (alg == SVMC_ALG_BLAKE2B_256) {
        svmc_openssl_blake2b_begin(&hash->of.blake2b, NULL, 0, SVMC_HASH_BYTES);
        return SVMC_OK;
    }
    if (alg != SVMC_ALG_SHA_256)
        return SVMC_ERR_UNSUPPORTED;
    hash->of.sha256 = EVP_MD_CTX_new();
    if (hash->of.sha256 && EVP_DigestInit_ex(hash->of.sha256, EVP_sha256(), NULL) == 1)
        return SVMC_OK;
    EVP_MD_CTX_free(hash->of.sha256);
    return SVMC_ERR_CALLBACK;
}

static enum svmc_status hash_add(void *ctx, struct svmc_hash_state *state, const void *bytes,
                                 size_t n)
{
    struct hash *hash = hash_of(state);

    (void)ctx;
    if (hash->alg == SVMC_ALG_SHA_256)
        return from(EVP_DigestUpdate(hash->of.sha256, bytes, n) == 1);
    svmc_openssl_blake2b_add(&hash->of.blake2b, bytes, n);
    return SVMC_OK;
}

static enum svmc_status hash_end(void *ctx, struct svmc_hash_state *state, uint8_t *out)
{
    struct hash *hash = hash_of(state);
    bool ok = out != NULL;

    (void)ctx;
    if (hash->alg == SVMC_ALG_SHA_256) {
        ok = out && EVP_DigestFinal_ex(hash->of.sha256, out, NULL) == 1;
        EVP_MD_CTX_free(hash->of.sha256);
    } else if (out) {
        svmc_openssl_blake2b_end(&hash->of.blake2b, out);
    }
    OPENSSL_cleanse(state, sizeof *state);
    return from(ok);
}

static bool add(EVP_MAC_CTX *state, struct svmc_bytes piece)
{
    return piece.bytes == 0 || EVP_MAC_update(state, piece.at, piece.bytes) == 1;
}

/* `first`, the pieces and `last`, one behind the other. */
static bool hmac(const uint8_t *key, struct svmc_bytes first, const struct svmc_bytes *piece,
                 size_t pieces, struct svmc_bytes last, uint8_t *out)
{
    char name[] = "SHA256"; /* OSSL_PARAM wants what it could change */
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *way = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *state = way ? EVP_MAC_CTX_new(way) : NULL;
    bool ok =
        state && EVP_MAC_init(state, key, SVMC_MAC_KEY_BYTES, params) == 1 && add(state, first);

    for (size_t i = 0; i < pieces && ok; i++)
        ok = add(state, piece[i]);
    ok = ok && add(state, last) && EVP_MAC_final(state, out, NULL, SVMC_HASH_BYTES) == 1;
    EVP_MAC_CTX_free(state);
    EVP_MAC_free(way);
    return ok;
}

static void mac_blake2b(const uint8_t *key, const struct svmc_bytes *piece, size_t pieces,
                        uint8_t *out, size_t out_bytes)
{
    struct openssl_blake2b state;

    svmc_openssl_blake2b_begin(&state, key, SVMC_MAC_KEY_BYTES, out_bytes);
    for (size_t i = 0; i < pieces; i++)
        svmc_openssl_blake2b_add(&state, piece[i].at, piece[i].bytes);
    svmc_openssl_blake2b_end(&state, out);
    OPENSSL_cleanse(&state, sizeof state);
}

static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    const struct svmc_bytes none = { NULL, 0 };

    (void)ctx;
    if (alg == SVMC_ALG_HMAC_SHA_256)
        return from(hmac(key, none, piece, pieces, none, out));
    if (alg != SVMC_ALG_MAC_BLAKE2B_256)
        return SVMC_ERR_UNSUPPORTED;
    mac_blake2b(key, piece, pieces, out, SVMC_HASH_BYTES);
    return SVMC_OK;
}

/* CR-15: HKDF is RFC 5869, 2.3, of which two blocks are wanted. */
static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *key,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    const uint8_t number[] = { 1, 2 };
    const struct svmc_bytes none = { NULL, 0 }, before = { out, SVMC_HASH_BYTES },
                            first = { &number[0], 1 }, second = { &number[1], 1 };

    (void)ctx;
    if (alg == SVMC_ALG_HKDF_SHA_256)
        return from(hmac(key, none, piece, pieces, first, out) &&
                    hmac(key, before, piece, pieces, second, out + SVMC_HASH_BYTES));
    if (alg != SVMC_ALG_DERIVE_BLAKE2B)
        return SVMC_ERR_UNSUPPORTED;
    mac_blake2b(key, piece, pieces, out, SVMC_DERIVE_BYTES);
    return SVMC_OK;
}

static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    return from(n <= INT_MAX && RAND_bytes(dst, (int)n) == 1);
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    (void)ctx;
    return from(CRYPTO_memcmp(a, b, n) == 0);
}

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    OPENSSL_cleanse(dst, n);
}

static const struct svmc_crypto_ops ops = {
    .size = sizeof ops,
    .hash_begin = hash_begin,
    .hash_add = hash_add,
    .hash_end = hash_end,
    .mac = mac,
    .random = give_random,
    .equal = equal,
    .wipe = wipe,
    .cipher_load = svmc_openssl_load,
    .cipher_drop = svmc_openssl_drop,
    .seal = svmc_openssl_seal,
    .open = svmc_openssl_open,
    .crypt = svmc_openssl_crypt,
    .derive = derive,
};

/* CR-8, CR-16 */
const struct svmc_crypto_ops *svmc_openssl_ops(void)
{
    static const uint8_t algs[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305,
                                    SVMC_ALG_AES_256_XTS, SVMC_ALG_DERIVE_BLAKE2B,
                                    SVMC_ALG_HKDF_SHA_256 };
    _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room;
    enum svmc_status st = svmc_crypto_self_test(&ops);

    for (size_t i = 0; i < sizeof algs && st == SVMC_OK; i++)
        st = svmc_crypto_try(&ops, (enum svmc_alg)algs[i], &room);
    return st == SVMC_OK ? &ops : NULL;
}
