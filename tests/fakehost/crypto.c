/* SPDX-License-Identifier: MIT */
#include "crypto.h"

#include <string.h>

#include "../../src/core/bytes.h"
#include "cipher.h"

/* ---- BLAKE2b: RFC 7693, 2.6, 2.7 and 3 -------------------------------------------------------*/

static const uint64_t blake2b_iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
static const uint8_t blake2b_sigma[10][16] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
    { 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
    { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
    { 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
    { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
    { 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
    { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
    { 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
    { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

struct blake2b {
    uint64_t h[8], bytes; /* compressed so far */
    uint32_t fill, out_bytes;
    uint8_t block[128];
};

static uint64_t right64(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

static void mix(uint64_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = right64(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = right64(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = right64(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = right64(v[b] ^ v[c], 63);
}

static void blake2b_block(struct blake2b *s, int last)
{
    uint64_t v[16], m[16];

    for (unsigned i = 0; i < 16; i++)
        m[i] = core_load_le64(s->block + 8 * i);
    memcpy(v, s->h, sizeof s->h);
    memcpy(v + 8, blake2b_iv, sizeof blake2b_iv);
    v[12] ^= s->bytes;
    v[14] ^= last ? ~(uint64_t)0 : 0;
    for (unsigned round = 0; round < 12; round++) {
        const uint8_t *p = blake2b_sigma[round % 10];

        for (unsigned i = 0; i < 4; i++)
            mix(v, i, 4 + i, 8 + i, 12 + i, m[p[2 * i]], m[p[2 * i + 1]]);
        for (unsigned i = 0; i < 4; i++)
            mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[p[8 + 2 * i]],
                m[p[9 + 2 * i]]);
    }
    for (unsigned i = 0; i < 8; i++)
        s->h[i] ^= v[i] ^ v[8 + i];
}

static void blake2b_add(struct blake2b *s, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s->fill == sizeof s->block) {
            s->bytes += s->fill;
            blake2b_block(s, 0);
            s->fill = 0;
        }
        s->block[s->fill++] = in[i];
    }
}

static void blake2b_begin(struct blake2b *s, size_t out_bytes, const uint8_t *key, size_t key_bytes)
{
    uint8_t block[128] = { 0 };

    memset(s, 0, sizeof *s);
    memcpy(s->h, blake2b_iv, sizeof s->h);
    s->h[0] ^= 0x01010000 ^ key_bytes << 8 ^ out_bytes;
    s->out_bytes = (uint32_t)out_bytes;
    if (key_bytes > 0) {
        memcpy(block, key, key_bytes);
        blake2b_add(s, block, sizeof block);
    }
}

static void blake2b_end(struct blake2b *s, uint8_t *out)
{
    uint8_t le[64];

    s->bytes += s->fill;
    memset(s->block + s->fill, 0, sizeof s->block - s->fill);
    blake2b_block(s, 1);
    for (unsigned i = 0; i < 8; i++)
        core_store_le64(le + 8 * i, s->h[i]);
    memcpy(out, le, s->out_bytes);
}

void fake_blake2b(uint8_t *out, size_t out_bytes, const uint8_t *key, size_t key_bytes,
                  const uint8_t *in, size_t n)
{
    struct blake2b s;

    blake2b_begin(&s, out_bytes, key, key_bytes);
    blake2b_add(&s, in, n);
    blake2b_end(&s, out);
}

/* ---- SHA-256: FIPS 180-4, 4.1.2, 4.2.2, 5.3.3 and 6.2 ----------------------------------------*/

static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t sha256_h[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

struct sha256 {
    uint32_t h[8], fill;
    uint64_t bytes;
    uint8_t block[64];
};

static uint32_t right32(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha256_block(struct sha256 *s)
{
    uint32_t w[64], v[8];

    for (unsigned t = 0; t < 16; t++)
        w[t] = load_be32(s->block + 4 * t);
    for (unsigned t = 16; t < 64; t++)
        w[t] = (right32(w[t - 2], 17) ^ right32(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7] +
               (right32(w[t - 15], 7) ^ right32(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
    memcpy(v, s->h, sizeof v);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t a = v[0], e = v[4];
        uint32_t t1 = v[7] + (right32(e, 6) ^ right32(e, 11) ^ right32(e, 25)) +
                      ((e & v[5]) ^ (~e & v[6])) + sha256_k[t] + w[t];
        uint32_t t2 = (right32(a, 2) ^ right32(a, 13) ^ right32(a, 22)) +
                      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++)
        s->h[i] += v[i];
}

static void sha256_begin(struct sha256 *s)
{
    memset(s, 0, sizeof *s);
    memcpy(s->h, sha256_h, sizeof s->h);
}

static void sha256_add(struct sha256 *s, const uint8_t *in, size_t n)
{
    s->bytes += n;
    for (size_t i = 0; i < n; i++) {
        s->block[s->fill++] = in[i];
        if (s->fill == sizeof s->block) {
            sha256_block(s);
            s->fill = 0;
        }
    }
}

static void sha256_end(struct sha256 *s, uint8_t *out)
{
    uint64_t bits = s->bytes * 8;
    uint8_t pad[72] = { 0x80 }, length[8];
    size_t n = (s->fill < 56 ? 56 : 120) - s->fill;

    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(s, pad, n);
    sha256_add(s, length, sizeof length);
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- the table -------------------------------------------------------------------------------*/

struct state {
    uint32_t alg;
    union {
        struct blake2b blake2b;
        struct sha256 sha256;
    } of;
};

_Static_assert(sizeof(struct state) <= sizeof(struct svmc_hash_state), "room");

static int fails(struct fake_crypto *fake)
{
    return ++fake->calls == fake->fail_at;
}

static int lies(struct fake_crypto *fake)
{
    int now = fake->calls == fake->lie_at;

    fake->lied += (unsigned)now;
    return now;
}

static enum svmc_status hash_begin(void *ctx, struct svmc_hash_state *state, uint32_t alg)
{
    struct fake_crypto *fake = ctx;
    struct state s = { .alg = alg };

    if (fails(fake))
        return fake->failure;
    if (alg == SVMC_ALG_BLAKE2B_256)
        blake2b_begin(&s.of.blake2b, SVMC_HASH_BYTES, NULL, 0);
    else if (alg == SVMC_ALG_SHA_256)
        sha256_begin(&s.of.sha256);
    else
        return SVMC_ERR_UNSUPPORTED;
    fake->open++;
    memcpy(state->priv, &s, sizeof s);
    return SVMC_OK;
}

static enum svmc_status hash_add(void *ctx, struct svmc_hash_state *state, const void *bytes,
                                 size_t n)
{
    struct fake_crypto *fake = ctx;
    struct state s;

    if (fails(fake) || n == 0) /* CR-3: never with nothing */
        return fake->failure;
    memcpy(&s, state->priv, sizeof s);
    if (s.alg == SVMC_ALG_BLAKE2B_256)
        blake2b_add(&s.of.blake2b, bytes, n);
    else
        sha256_add(&s.of.sha256, bytes, n);
    memcpy(state->priv, &s, sizeof s);
    return SVMC_OK;
}

static enum svmc_status hash_end(void *ctx, struct svmc_hash_state *state, uint8_t *out)
{
    struct fake_crypto *fake = ctx;
    struct state s;

    memcpy(&s, state->priv, sizeof s);
    memset(state, 0, sizeof *state);
    fake->open--;
    fake->given_up += !out;
    if (fails(fake)) {
        if (out)
            memset(out, 0xee, SVMC_HASH_BYTES); /* CR-2: nobody may use it */
        return fake->failure;
    }
    if (out && s.alg == SVMC_ALG_BLAKE2B_256)
        blake2b_end(&s.of.blake2b, out);
    else if (out)
        sha256_end(&s.of.sha256, out);
    if (out && lies(fake))
        out[31] ^= 1;
    return SVMC_OK;
}

static void hmac(const uint8_t *key, const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    uint8_t block[64];
    struct sha256 s;

    for (unsigned outer = 0; outer < 2; outer++) { /* RFC 2104, 2 */
        for (unsigned i = 0; i < sizeof block; i++)
            block[i] = (uint8_t)((i < SVMC_MAC_KEY_BYTES ? key[i] : 0) ^ (outer ? 0x5c : 0x36));
        sha256_begin(&s);
        sha256_add(&s, block, sizeof block);
        for (size_t i = 0; i < pieces && !outer; i++)
            sha256_add(&s, piece[i].at, piece[i].bytes);
        if (outer)
            sha256_add(&s, out, SVMC_HASH_BYTES);
        sha256_end(&s, out);
    }
}

static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    struct fake_crypto *fake = ctx;
    struct blake2b s;

    if (fails(fake))
        return fake->failure;
    if (alg == SVMC_ALG_HMAC_SHA_256) {
        hmac(key, piece, pieces, out);
    } else if (alg == SVMC_ALG_MAC_BLAKE2B_256) {
        blake2b_begin(&s, SVMC_HASH_BYTES, key, SVMC_MAC_KEY_BYTES);
        for (size_t i = 0; i < pieces; i++)
            blake2b_add(&s, piece[i].at, piece[i].bytes);
        blake2b_end(&s, out);
    } else {
        return SVMC_ERR_UNSUPPORTED;
    }
    if (lies(fake))
        out[0] ^= 0x80;
    return SVMC_OK;
}

static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    struct fake_crypto *fake = ctx;

    if (fails(fake))
        return fake->failure;
    fake->counter += !lies(fake);
    memset(dst, fake->counter, n);
    return SVMC_OK;
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    struct fake_crypto *fake = ctx;
    int same = memcmp(a, b, n) == 0;

    if (fails(fake))
        return fake->failure;
    return same != lies(fake) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static void wipe(void *ctx, void *dst, size_t n)
{
    struct fake_crypto *fake = ctx;

    fake->calls++;
    if (!lies(fake))
        memset(dst, 0, n);
}

/* ---- ciphers ---------------------------------------------------------------------------------*/

_Static_assert(sizeof(struct fake_cipher) <= sizeof(struct svmc_cipher_key), "room");

static struct fake_cipher *cipher_of(struct svmc_cipher_key *key)
{
    return (struct fake_cipher *)(void *)key;
}

static enum svmc_status cipher_load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                                    const uint8_t *bytes, uint32_t lanes)
{
    size_t key_bytes = alg == SVMC_ALG_AES_256_XTS ? 64 : 32;
    struct fake_crypto *fake = ctx;

    if (fails(fake))
        return fake->failure;
    if ((uintptr_t)key % SVMC_CIPHER_ROOM_ALIGN != 0 || lanes - 1 >= SVMC_CIPHER_LANES_MAX)
        return SVMC_ERR_ARG;
    if (alg == fake->lacks || (alg != SVMC_ALG_AES_256_XTS && (alg < 0x31 || alg > 0x33)))
        return SVMC_ERR_UNSUPPORTED;
    if (alg == SVMC_ALG_AES_256_XTS && memcmp(bytes, bytes + 32, 32) == 0 && !lies(fake))
        return SVMC_ERR_ARG; /* CR-14 */
    memset(key, 0, sizeof *key);
    *cipher_of(key) = (struct fake_cipher){ .alg = alg, .lanes = lanes };
    memcpy(cipher_of(key)->key, bytes, key_bytes);
    fake->loaded++;
    return SVMC_OK;
}

static void cipher_drop(void *ctx, struct svmc_cipher_key *key)
{
    struct fake_crypto *fake = ctx;

    memset(key, 0, sizeof *key);
    fake->loaded--;
}

static bool is_sound(const struct fake_cipher *c, const struct svmc_cipher_unit *u)
{
    size_t ad = 0;

    for (uint32_t i = 0; i < u->pieces && c->alg != SVMC_ALG_AES_256_XTS; i++)
        ad += u->ad[i].bytes;
    return u->lane < c->lanes && u->n <= SVMC_CIPHER_BYTES_MAX && ad <= SVMC_AD_BYTES_MAX;
}

/* A failure and a lie leave bytes that nobody may use. */
static enum svmc_status spoiled(struct fake_crypto *fake, const struct svmc_cipher_unit *u)
{
    if (u->n != 0)
        memset(u->out, 0xee, u->n);
    return fake->failure;
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *key,
                             const struct svmc_cipher_unit *u)
{
    struct fake_crypto *fake = ctx;

    if (fails(fake) || !is_sound(cipher_of(key), u))
        return spoiled(fake, u);
    fake_aead(cipher_of(key), u, true, u->tag);
    if (lies(fake))
        u->tag[7] ^= 4;
    return SVMC_OK;
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *key,
                                  const struct svmc_cipher_unit *u)
{
    struct fake_crypto *fake = ctx;
    uint8_t tag[SVMC_TAG_BYTES];
    bool same;

    if (fails(fake) || !is_sound(cipher_of(key), u))
        return spoiled(fake, u);
    fake_aead(cipher_of(key), u, false, tag);
    same = memcmp(tag, u->tag, sizeof tag) == 0;
    if (lies(fake))
        same = !same;
    if (!same && u->n != 0 && !fake->leaks)
        memset(u->out, 0, u->n);
    return same ? SVMC_OK : SVMC_ERR_AUTH;
}

static enum svmc_status crypt(void *ctx, struct svmc_cipher_key *key,
                              const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    struct fake_crypto *fake = ctx;

    if (fails(fake) || !is_sound(cipher_of(key), u) || u->n < 16 || encrypt > 1)
        return spoiled(fake, u);
    fake_xts(cipher_of(key), u, encrypt != 0);
    if (lies(fake))
        ((uint8_t *)u->out)[u->n - 1] ^= 1;
    return SVMC_OK;
}

static void expand(const uint8_t *key, const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    const uint8_t numbers[] = { 1, 2 };
    struct svmc_bytes all[10] = { { out, 0 } };

    for (size_t i = 0; i < pieces; i++)
        all[1 + i] = piece[i];
    for (unsigned block = 0; block < 2; block++) { /* RFC 5869, 2.3 */
        uint8_t now[SVMC_HASH_BYTES];

        all[1 + pieces] = (struct svmc_bytes){ &numbers[block], 1 };
        hmac(key, all, pieces + 2, now);
        memcpy(out + block * sizeof now, now, sizeof now);
        all[0].bytes = sizeof now;
    }
}

static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *key,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    struct fake_crypto *fake = ctx;
    struct blake2b s;

    if (fails(fake)) {
        memset(out, 0xee, SVMC_DERIVE_BYTES);
        return fake->failure;
    }
    if (alg == fake->lacks || pieces > 8 || (alg != 0x51 && alg != 0x52))
        return SVMC_ERR_UNSUPPORTED;
    if (alg == SVMC_ALG_HKDF_SHA_256) {
        expand(key, piece, pieces, out);
    } else {
        blake2b_begin(&s, SVMC_DERIVE_BYTES, key, SVMC_DERIVE_KEY_BYTES);
        for (size_t i = 0; i < pieces; i++)
            blake2b_add(&s, piece[i].at, piece[i].bytes);
        blake2b_end(&s, out);
    }
    if (lies(fake))
        out[0] ^= 1;
    return SVMC_OK;
}

void fake_crypto_init(struct fake_crypto *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->failure = SVMC_ERR_CALLBACK;
    fake->ops = (struct svmc_crypto_ops){
        .size = sizeof fake->ops,
        .ctx = fake,
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
        .crypt = crypt,
        .derive = derive,
    };
}
