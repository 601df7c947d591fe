/* SPDX-License-Identifier: MIT */
/**
 * Ciphers by EVP. All that allocates, locks or looks anything up is done by the load: it makes two
 * contexts a lane, one for each direction, with the key's schedule. A call then sets the nonce, and
 * nothing else, in the context of its lane (CR-10; tests/port/openssl/test_quiet.c holds it).
 */
#include "openssl_private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

enum direction { OPEN = 0, SEAL = 1 };

/* What lies in a struct svmc_cipher_key. */
struct cipher {
    uint32_t alg, lanes;
    EVP_CIPHER_CTX **contexts; /* [2 * lane + direction] */
};

_Static_assert(sizeof(struct cipher) <= SVMC_CIPHER_ROOM_BYTES, "the caller's room holds it");
_Static_assert(_Alignof(struct cipher) <= SVMC_CIPHER_ROOM_ALIGN, "the caller aligns it");

static struct cipher *cipher_of(struct svmc_cipher_key *key)
{
    return (struct cipher *)(void *)key;
}

/* CR-5: what OpenSSL calls an algorithm; NULL: nothing. */
static const char *name_of(uint32_t alg)
{
    return alg == SVMC_ALG_AES_256_GCM         ? "AES-256-GCM"
           : alg == SVMC_ALG_CHACHA20_POLY1305 ? "ChaCha20-Poly1305"
           : alg == SVMC_ALG_AES_256_XTS       ? "AES-256-XTS"
                                               : NULL;
}

void svmc_openssl_drop(void *ctx, struct svmc_cipher_key *key)
{
    struct cipher *c = cipher_of(key);

    (void)ctx;
    for (size_t i = 0; c->contexts && i < (size_t)2 * c->lanes; i++)
        EVP_CIPHER_CTX_free(c->contexts[i]); /* cleanses */
    OPENSSL_free(c->contexts);
    OPENSSL_cleanse(key, sizeof *key);
}

/* CR-9 */
enum svmc_status svmc_openssl_load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                                   const uint8_t *bytes, uint32_t lanes)
{
    const char *name = name_of(alg);
    struct cipher *c = cipher_of(key);
    EVP_CIPHER *cipher;
    bool ok;

    if ((uintptr_t)key % SVMC_CIPHER_ROOM_ALIGN != 0 || lanes - 1 >= SVMC_CIPHER_LANES_MAX)
        return SVMC_ERR_ARG;
    if (!name)
        return SVMC_ERR_UNSUPPORTED;
    if (alg == SVMC_ALG_AES_256_XTS && CRYPTO_memcmp(bytes, bytes + 32, 32) == 0)
        return SVMC_ERR_ARG; /* CR-14 */
    cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    if (!cipher)
        return SVMC_ERR_UNSUPPORTED;
    memset(key, 0, sizeof *key);
    c->alg = alg;
    c->lanes = lanes;
    c->contexts = OPENSSL_zalloc((size_t)2 * lanes * sizeof *c->contexts);
    ok = c->contexts != NULL;
    for (size_t i = 0; ok && i < (size_t)2 * lanes; i++) {
        c->contexts[i] = EVP_CIPHER_CTX_new();
        ok = c->contexts[i] &&
             EVP_CipherInit_ex2(c->contexts[i], cipher, bytes, NULL, (int)(i & SEAL), NULL) == 1;
    }
    EVP_CIPHER_free(cipher); /* the contexts hold it */
    if (!ok)
        svmc_openssl_drop(ctx, key);
    return ok ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static bool is_sound(const struct cipher *c, const struct svmc_cipher_unit *u)
{
    return u->lane < c->lanes && u->n <= SVMC_CIPHER_BYTES_MAX;
}

/* The nonce, the additional data, the text; not the end. */
static bool pass(EVP_CIPHER_CTX *evp, const struct svmc_cipher_unit *u, int direction)
{
    size_t left = SVMC_AD_BYTES_MAX;
    int len;

    if (EVP_CipherInit_ex(evp, NULL, NULL, NULL, u->nonce, direction) != 1)
        return false;
    if (direction == OPEN &&
        EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_SET_TAG, SVMC_TAG_BYTES, u->tag) != 1)
        return false;
    for (uint32_t i = 0; i < u->pieces; i++) {
        if (u->ad[i].bytes > left)
            return false;
        left -= u->ad[i].bytes;
        if (u->ad[i].bytes != 0 &&
            EVP_CipherUpdate(evp, NULL, &len, u->ad[i].at, (int)u->ad[i].bytes) != 1)
            return false;
    }
    return u->n == 0 || EVP_CipherUpdate(evp, u->out, &len, u->in, (int)u->n) == 1;
}

enum svmc_status svmc_openssl_seal(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u)
{
    const struct cipher *c = cipher_of(key);
    EVP_CIPHER_CTX *evp;
    uint8_t none[16];
    int len;

    (void)ctx;
    if (!is_sound(c, u))
        return SVMC_ERR_ARG;
    evp = c->contexts[2 * u->lane + SEAL];
    if (!pass(evp, u, SEAL) || EVP_EncryptFinal_ex(evp, none, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_GET_TAG, SVMC_TAG_BYTES, u->tag) != 1)
        return SVMC_ERR_CALLBACK;
    return SVMC_OK;
}

/* CR-12: EVP has decrypted before it says that the tag is wrong. */
enum svmc_status svmc_openssl_open(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u)
{
    const struct cipher *c = cipher_of(key);
    enum svmc_status st = SVMC_ERR_CALLBACK;
    EVP_CIPHER_CTX *evp;
    uint8_t none[16];
    int len;

    (void)ctx;
    if (!is_sound(c, u))
        return SVMC_ERR_ARG;
    evp = c->contexts[2 * u->lane + OPEN];
    if (pass(evp, u, OPEN))
        st = EVP_DecryptFinal_ex(evp, none, &len) == 1 ? SVMC_OK : SVMC_ERR_AUTH;
    if (st != SVMC_OK && u->n != 0)
        OPENSSL_cleanse(u->out, u->n);
    return st;
}

enum svmc_status svmc_openssl_crypt(void *ctx, struct svmc_cipher_key *key,
                                    const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    const struct cipher *c = cipher_of(key);
    EVP_CIPHER_CTX *evp;
    int len;

    (void)ctx;
    if (!is_sound(c, u) || u->n < 16 || encrypt > 1)
        return SVMC_ERR_ARG;
    evp = c->contexts[2 * u->lane + encrypt];
    if (EVP_CipherInit_ex(evp, NULL, NULL, NULL, u->nonce, (int)encrypt) != 1 ||
        EVP_CipherUpdate(evp, u->out, &len, u->in, (int)u->n) != 1)
        return SVMC_ERR_CALLBACK;
    return SVMC_OK;
}
