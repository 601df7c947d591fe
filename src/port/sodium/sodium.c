/* SPDX-License-Identifier: MIT */
/** libsodium behind the crypto table. Keeps nothing between two calls but the caller's state. */
#include <svmcore/port/sodium.h>

#include <sodium.h>

#define ALIGNMENT 64u /* of libsodium's states; a struct svmc_hash_state has 8, on some 4 */

/* CR-4: what lies in a struct svmc_hash_state: the algorithm, then, aligned by hand, the hash. */
union hash {
    crypto_generichash_state blake2b;
    crypto_hash_sha256_state sha256;
};

_Static_assert(_Alignof(union hash) <= ALIGNMENT, "aligned by hand");
_Static_assert(sizeof(uint64_t) + ALIGNMENT - 4 + sizeof(union hash) <= SVMC_HASH_STATE_BYTES,
               "the caller's room holds it wherever it begins");
_Static_assert(crypto_hash_sha256_BYTES == SVMC_HASH_BYTES, "one size for all");
_Static_assert(crypto_auth_hmacsha256_BYTES == SVMC_HASH_BYTES, "one size for all");

static union hash *hash_of(struct svmc_hash_state *state)
{
    uintptr_t at = (uintptr_t)&state->priv[1];

    return (union hash *)((at + (ALIGNMENT - 1)) & ~(uintptr_t)(ALIGNMENT - 1));
}

static enum svmc_status from(int result)
{
    return result == 0 ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status hash_begin(void *ctx, struct svmc_hash_state *state, uint32_t alg)
{
    union hash *hash = hash_of(state);

    (void)ctx;
    state->priv[0] = alg;
    if (alg == SVMC_ALG_BLAKE2B_256)
        return from(crypto_generichash_init(&hash->blake2b, NULL, 0, SVMC_HASH_BYTES));
    if (alg == SVMC_ALG_SHA_256)
        return from(crypto_hash_sha256_init(&hash->sha256));
    return SVMC_ERR_UNSUPPORTED;
}

static enum svmc_status hash_add(void *ctx, struct svmc_hash_state *state, const void *bytes,
                                 size_t n)
{
    union hash *hash = hash_of(state);

    (void)ctx;
    if (state->priv[0] == SVMC_ALG_BLAKE2B_256)
        return from(crypto_generichash_update(&hash->blake2b, bytes, n));
    return from(crypto_hash_sha256_update(&hash->sha256, bytes, n));
}

static enum svmc_status hash_end(void *ctx, struct svmc_hash_state *state, uint8_t *out)
{
    union hash *hash = hash_of(state);
    int result = -1;

    (void)ctx;
    if (out && state->priv[0] == SVMC_ALG_BLAKE2B_256)
        result = crypto_generichash_final(&hash->blake2b, out, SVMC_HASH_BYTES);
    else if (out)
        result = crypto_hash_sha256_final(&hash->sha256, out);
    sodium_memzero(state, sizeof *state);
    return from(result);
}

static int mac_blake2b(const uint8_t *key, const struct svmc_bytes *piece, size_t pieces,
                       uint8_t *out)
{
    crypto_generichash_state state;
    int result = crypto_generichash_init(&state, key, SVMC_MAC_KEY_BYTES, SVMC_HASH_BYTES);

    for (size_t i = 0; i < pieces && result == 0; i++)
        if (piece[i].bytes != 0)
            result = crypto_generichash_update(&state, piece[i].at, piece[i].bytes);
    if (result == 0)
        result = crypto_generichash_final(&state, out, SVMC_HASH_BYTES);
    sodium_memzero(&state, sizeof state);
    return result;
}

static int mac_sha256(const uint8_t *key, const struct svmc_bytes *piece, size_t pieces,
                      uint8_t *out)
{
    crypto_auth_hmacsha256_state state;
    int result = crypto_auth_hmacsha256_init(&state, key, SVMC_MAC_KEY_BYTES);

    for (size_t i = 0; i < pieces && result == 0; i++)
        if (piece[i].bytes != 0)
            result = crypto_auth_hmacsha256_update(&state, piece[i].at, piece[i].bytes);
    if (result == 0)
        result = crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
    return result;
}

/* CR-5: what this build does not know it says. */
static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    (void)ctx;
    if (alg == SVMC_ALG_MAC_BLAKE2B_256)
        return from(mac_blake2b(key, piece, pieces, out));
    if (alg == SVMC_ALG_HMAC_SHA_256)
        return from(mac_sha256(key, piece, pieces, out));
    return SVMC_ERR_UNSUPPORTED;
}

/* libsodium ends the program where the system has no randomness: there is nothing to return. */
static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    randombytes_buf(dst, n);
    return SVMC_OK;
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    (void)ctx;
    return from(sodium_memcmp(a, b, n));
}

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    sodium_memzero(dst, n);
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
};

const struct svmc_crypto_ops *svmc_sodium_ops(void)
{
    if (sodium_init() < 0 || svmc_crypto_self_test(&ops) != SVMC_OK)
        return NULL;
    return &ops;
}
