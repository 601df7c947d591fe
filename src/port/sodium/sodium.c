/* SPDX-License-Identifier: MIT */
/** libsodium behind the crypto table. Keeps nothing between two calls but the caller's state. */
#include <svmcore/port/sodium.h>

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

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
                       uint8_t *out, size_t out_bytes)
{
    crypto_generichash_state state;
    int result = crypto_generichash_init(&state, key, SVMC_MAC_KEY_BYTES, out_bytes);

    for (size_t i = 0; i < pieces && result == 0; i++)
        if (piece[i].bytes != 0)
            result = crypto_generichash_update(&state, piece[i].at, piece[i].bytes);
    if (result == 0)
        result = crypto_generichash_final(&state, out, out_bytes);
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
        return from(mac_blake2b(key, piece, pieces, out, SVMC_HASH_BYTES));
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

/* ---- ciphers ---------------------------------------------------------------------------------*/

/* What lies in a struct svmc_cipher_key. The lanes share it: nothing writes it after the load. */
struct cipher {
    uint32_t alg, lanes;
    uint8_t pad[8];
    union {
        crypto_aead_aes256gcm_state gcm;
        uint8_t bytes[32];
    } key;
};

_Static_assert(_Alignof(struct cipher) <= SVMC_CIPHER_ROOM_ALIGN, "the caller aligns it");
_Static_assert(sizeof(struct cipher) <= SVMC_CIPHER_ROOM_BYTES, "the caller's room holds it");
_Static_assert(crypto_aead_aes256gcm_ABYTES == SVMC_TAG_BYTES, "one size for all");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == SVMC_TAG_BYTES, "one size for all");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == SVMC_TAG_BYTES, "one size for all");

static struct cipher *cipher_of(struct svmc_cipher_key *key)
{
    return (struct cipher *)(void *)key;
}

/* CR-9. AES only where the processor has it: libsodium has no other AES, for tables leak. */
static enum svmc_status cipher_load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                                    const uint8_t *bytes, uint32_t lanes)
{
    struct cipher *c = cipher_of(key);
    bool gcm = alg == SVMC_ALG_AES_256_GCM && crypto_aead_aes256gcm_is_available();

    (void)ctx;
    if ((uintptr_t)key % SVMC_CIPHER_ROOM_ALIGN != 0 || lanes - 1 >= SVMC_CIPHER_LANES_MAX)
        return SVMC_ERR_ARG;
    if (!gcm && alg != SVMC_ALG_CHACHA20_POLY1305 && alg != SVMC_ALG_XCHACHA20_POLY1305)
        return SVMC_ERR_UNSUPPORTED;
    memset(key, 0, sizeof *key);
    c->alg = alg;
    c->lanes = lanes;
    if (gcm)
        return from(crypto_aead_aes256gcm_beforenm(&c->key.gcm, bytes));
    memcpy(c->key.bytes, bytes, sizeof c->key.bytes);
    return SVMC_OK;
}

static void cipher_drop(void *ctx, struct svmc_cipher_key *key)
{
    (void)ctx;
    sodium_memzero(key, sizeof *key);
}

/* CR-13: libsodium takes the additional data in one piece. */
struct data {
    const uint8_t *at;
    size_t bytes;
    uint8_t room[SVMC_AD_BYTES_MAX];
};

static bool gather(const struct svmc_cipher_unit *u, struct data *ad)
{
    ad->at = ad->room;
    ad->bytes = 0;
    for (uint32_t i = 0; i < u->pieces; i++) {
        const struct svmc_bytes *piece = &u->ad[i];

        if (piece->bytes > sizeof ad->room - ad->bytes)
            return false;
        if (u->pieces == 1)
            ad->at = piece->at;
        else if (piece->bytes != 0)
            memcpy(ad->room + ad->bytes, piece->at, piece->bytes);
        ad->bytes += piece->bytes;
    }
    return true;
}

static bool is_sound(const struct cipher *c, const struct svmc_cipher_unit *u)
{
    return u->lane < c->lanes && u->n <= SVMC_CIPHER_BYTES_MAX;
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *key,
                             const struct svmc_cipher_unit *u)
{
    const struct cipher *c = cipher_of(key);
    uint8_t none = 0, *out = u->n != 0 ? u->out : &none; /* libsodium wants addresses */
    const uint8_t *in = u->n != 0 ? u->in : &none;
    struct data ad;

    (void)ctx;
    if (!is_sound(c, u) || !gather(u, &ad))
        return SVMC_ERR_ARG;
    if (c->alg == SVMC_ALG_AES_256_GCM)
        return from(crypto_aead_aes256gcm_encrypt_detached_afternm(
            out, u->tag, NULL, in, u->n, ad.at, ad.bytes, NULL, u->nonce, &c->key.gcm));
    if (c->alg == SVMC_ALG_CHACHA20_POLY1305)
        return from(crypto_aead_chacha20poly1305_ietf_encrypt_detached(
            out, u->tag, NULL, in, u->n, ad.at, ad.bytes, NULL, u->nonce, c->key.bytes));
    return from(crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
        out, u->tag, NULL, in, u->n, ad.at, ad.bytes, NULL, u->nonce, c->key.bytes));
}

/* CR-12. What a newer libsodium leaves after a wrong tag are not zeros. */
static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *key,
                                  const struct svmc_cipher_unit *u)
{
    const struct cipher *c = cipher_of(key);
    uint8_t none = 0, *out = u->n != 0 ? u->out : &none;
    const uint8_t *in = u->n != 0 ? u->in : &none;
    struct data ad;
    int result;

    (void)ctx;
    if (!is_sound(c, u) || !gather(u, &ad))
        return SVMC_ERR_ARG;
    if (c->alg == SVMC_ALG_AES_256_GCM)
        result = crypto_aead_aes256gcm_decrypt_detached_afternm(out, NULL, in, u->n, u->tag, ad.at,
                                                                ad.bytes, u->nonce, &c->key.gcm);
    else if (c->alg == SVMC_ALG_CHACHA20_POLY1305)
        result = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
            out, NULL, in, u->n, u->tag, ad.at, ad.bytes, u->nonce, c->key.bytes);
    else
        result = crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
            out, NULL, in, u->n, u->tag, ad.at, ad.bytes, u->nonce, c->key.bytes);
    if (result == 0)
        return SVMC_OK;
    memset(out, 0, u->n);
    return SVMC_ERR_AUTH;
}

/* CR-15: RFC 5869, 2.3, two blocks. */
static int expand(const uint8_t *key, const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    crypto_auth_hmacsha256_state state;
    int result = 0;

    for (uint8_t block = 1; block <= 2 && result == 0; block++) {
        result = crypto_auth_hmacsha256_init(&state, key, SVMC_DERIVE_KEY_BYTES);
        if (result == 0 && block == 2)
            result = crypto_auth_hmacsha256_update(&state, out, SVMC_HASH_BYTES);
        for (size_t i = 0; i < pieces && result == 0; i++)
            if (piece[i].bytes != 0)
                result = crypto_auth_hmacsha256_update(&state, piece[i].at, piece[i].bytes);
        if (result == 0)
            result = crypto_auth_hmacsha256_update(&state, &block, 1);
        if (result == 0)
            result =
                crypto_auth_hmacsha256_final(&state, out + (block - 1u) * (size_t)SVMC_HASH_BYTES);
    }
    sodium_memzero(&state, sizeof state);
    return result;
}

static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *key,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    (void)ctx;
    if (alg == SVMC_ALG_DERIVE_BLAKE2B)
        return from(mac_blake2b(key, piece, pieces, out, SVMC_DERIVE_BYTES));
    if (alg == SVMC_ALG_HKDF_SHA_256)
        return from(expand(key, piece, pieces, out));
    return SVMC_ERR_UNSUPPORTED;
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
    .cipher_load = cipher_load,
    .cipher_drop = cipher_drop,
    .seal = seal,
    .open = open_unit,
    .derive = derive,
};

/* CR-16: what there is must be right; AES-256-GCM is not there without AES-NI. */
static bool is_right(void)
{
    static const uint8_t algs[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305,
                                    SVMC_ALG_XCHACHA20_POLY1305, SVMC_ALG_DERIVE_BLAKE2B,
                                    SVMC_ALG_HKDF_SHA_256 };
    _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room;
    enum svmc_status st = svmc_crypto_self_test(&ops);

    for (size_t i = 0; i < sizeof algs && st == SVMC_OK; i++) {
        st = svmc_crypto_try(&ops, (enum svmc_alg)algs[i], &room);
        if (i == 0 && st == SVMC_ERR_UNSUPPORTED)
            st = SVMC_OK;
    }
    return st == SVMC_OK;
}

const struct svmc_crypto_ops *svmc_sodium_ops(void)
{
    return sodium_init() >= 0 && is_right() ? &ops : NULL;
}
