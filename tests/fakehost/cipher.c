/* SPDX-License-Identifier: MIT */
#include "cipher.h"

#include <string.h>

#include "../../src/core/bytes.h"

#define ROUNDS 14u /* of AES-256 */

/* ---- AES-256: FIPS 197 -----------------------------------------------------------------------*/

struct aes {
    uint8_t round[ROUNDS + 1][16], sbox[256], back[256];
};

static uint8_t xtime(uint8_t x) /* 4.2.1 */
{
    return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
}

static uint8_t times(uint8_t x, uint8_t y)
{
    uint8_t sum = 0;

    for (; y != 0; y >>= 1, x = xtime(x))
        sum ^= y & 1 ? x : 0;
    return sum;
}

static void aes_init(struct aes *aes, const uint8_t key[32])
{
    uint8_t power = 1, x = 1, y = 1;

    do { /* 5.1.1: x goes through all powers of 3, y through those of 1/3, which is f6 */
        uint8_t s;

        x = (uint8_t)(x ^ xtime(x));
        y = times(y, 0xf6);
        s = (uint8_t)(0x63 ^ y ^ (y << 1 | y >> 7) ^ (y << 2 | y >> 6) ^ (y << 3 | y >> 5) ^
                      (y << 4 | y >> 4));
        aes->sbox[x] = s;
        aes->back[s] = x;
    } while (x != 1);
    aes->sbox[0] = 0x63;
    aes->back[0x63] = 0;
    memcpy(aes->round, key, 32);
    for (unsigned i = 8; i < 4 * (ROUNDS + 1); i++) { /* 5.2 */
        const uint8_t *last = aes->round[(i - 1) / 4] + 4 * ((i - 1) % 4);
        const uint8_t *old = aes->round[(i - 8) / 4] + 4 * ((i - 8) % 4);
        uint8_t *word = aes->round[i / 4] + 4 * (i % 4);

        for (unsigned b = 0; b < 4; b++) {
            uint8_t byte = last[i % 8 == 0 ? (b + 1) % 4 : b];

            word[b] = old[b] ^ (i % 4 == 0 ? aes->sbox[byte] : byte);
        }
        if (i % 8 == 0) {
            word[0] ^= power;
            power = xtime(power);
        }
    }
}

static void add_round(uint8_t *s, const uint8_t *key)
{
    for (unsigned i = 0; i < 16; i++)
        s[i] ^= key[i];
}

static void aes_encrypt(const struct aes *aes, const uint8_t in[16], uint8_t out[16])
{
    uint8_t s[16], t[16];

    memcpy(s, in, 16);
    add_round(s, aes->round[0]);
    for (unsigned r = 1; r <= ROUNDS; r++) { /* 5.1 */
        for (unsigned i = 0; i < 16; i++)    /* SubBytes, ShiftRows */
            t[i] = aes->sbox[s[(i + 4 * (i % 4)) % 16]];
        for (unsigned i = 0; i < 16; i++) { /* MixColumns */
            const uint8_t *c = t + i / 4 * 4;

            s[i] = r == ROUNDS ? t[i]
                               : (uint8_t)(times(c[i % 4], 2) ^ times(c[(i + 1) % 4], 3) ^
                                           c[(i + 2) % 4] ^ c[(i + 3) % 4]);
        }
        add_round(s, aes->round[r]);
    }
    memcpy(out, s, 16);
}

static void aes_decrypt(const struct aes *aes, const uint8_t in[16], uint8_t out[16])
{
    uint8_t s[16], t[16];

    memcpy(s, in, 16);
    for (unsigned r = ROUNDS; r >= 1; r--) { /* 5.3 */
        add_round(s, aes->round[r]);
        for (unsigned i = 0; i < 16; i++) {
            const uint8_t *c = s + i / 4 * 4;

            t[i] = r == ROUNDS ? s[i]
                               : (uint8_t)(times(c[i % 4], 14) ^ times(c[(i + 1) % 4], 11) ^
                                           times(c[(i + 2) % 4], 13) ^ times(c[(i + 3) % 4], 9));
        }
        for (unsigned i = 0; i < 16; i++)
            s[(i + 4 * (i % 4)) % 16] = aes->back[t[i]];
    }
    add_round(s, aes->round[0]);
    memcpy(out, s, 16);
}

/* ---- GCM: SP 800-38D, 6.3 to 7.2 -------------------------------------------------------------*/

static void ghash_block(uint8_t y[16], const uint8_t h[16], const uint8_t *in, size_t n)
{
    uint8_t z[16] = { 0 }, v[16];

    for (size_t i = 0; i < n; i++)
        y[i] ^= in[i];
    memcpy(v, h, 16);
    for (unsigned i = 0; i < 128; i++) {
        uint8_t carry = v[15] & 1;

        for (unsigned b = 0; b < 16 && (y[i / 8] >> (7 - i % 8) & 1); b++)
            z[b] ^= v[b];
        for (unsigned b = 15; b > 0; b--)
            v[b] = (uint8_t)(v[b] >> 1 | v[b - 1] << 7);
        v[0] = (uint8_t)(v[0] >> 1 ^ (carry ? 0xe1 : 0));
    }
    memcpy(y, z, 16);
}

static void ghash(uint8_t y[16], const uint8_t h[16], const uint8_t *in, size_t n)
{
    for (size_t at = 0; at < n; at += 16)
        ghash_block(y, h, in + at, n - at < 16 ? n - at : 16);
}

static void store_be64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static void gcm(const struct fake_cipher *c, const struct svmc_cipher_unit *u, const uint8_t *ad,
                size_t ad_bytes, bool seal, uint8_t tag[16])
{
    uint8_t h[16] = { 0 }, counter[16] = { 0 }, first[16], pad[16], y[16] = { 0 }, sizes[16];
    const uint8_t *in = u->in;
    uint8_t *out = u->out;
    struct aes aes;

    aes_init(&aes, c->key);
    aes_encrypt(&aes, h, h);
    memcpy(counter, u->nonce, 12);
    counter[15] = 1;
    aes_encrypt(&aes, counter, first);
    ghash(y, h, ad, ad_bytes);
    if (!seal)
        ghash(y, h, in, u->n);
    for (size_t i = 0; i < u->n; i++) {
        if (i % 16 == 0) {
            for (unsigned b = 15; b >= 12 && ++counter[b] == 0; b--)
                ;
            aes_encrypt(&aes, counter, pad);
        }
        out[i] = in[i] ^ pad[i % 16];
    }
    if (seal)
        ghash(y, h, out, u->n);
    store_be64(sizes, (uint64_t)ad_bytes * 8);
    store_be64(sizes + 8, (uint64_t)u->n * 8);
    ghash_block(y, h, sizes, 16);
    for (unsigned i = 0; i < 16; i++)
        tag[i] = y[i] ^ first[i];
}

/* ---- XTS: IEEE 1619, 5.3 and 5.4 -------------------------------------------------------------*/

static void next_tweak(uint8_t t[16])
{
    uint8_t carry = t[15] >> 7;

    for (unsigned i = 15; i > 0; i--)
        t[i] = (uint8_t)(t[i] << 1 | t[i - 1] >> 7);
    t[0] = (uint8_t)(t[0] << 1 ^ (carry ? 0x87 : 0));
}

static void xts_block(const struct aes *aes, const uint8_t t[16], const uint8_t *in, uint8_t *out,
                      bool encrypt)
{
    uint8_t x[16];

    for (unsigned i = 0; i < 16; i++)
        x[i] = in[i] ^ t[i];
    if (encrypt)
        aes_encrypt(aes, x, x);
    else
        aes_decrypt(aes, x, x);
    for (unsigned i = 0; i < 16; i++)
        out[i] = x[i] ^ t[i];
}

void fake_xts(const struct fake_cipher *c, const struct svmc_cipher_unit *u, bool encrypt)
{
    size_t whole = u->n / 16, rest = u->n % 16, at = 0;
    uint8_t t[16], after[16], last[16], stolen[16];
    const uint8_t *in = u->in;
    uint8_t *out = u->out;
    struct aes aes;

    aes_init(&aes, c->key + 32);
    aes_encrypt(&aes, u->nonce, t);
    aes_init(&aes, c->key);
    for (size_t i = 0; i + (rest != 0) < whole; i++, at += 16, next_tweak(t))
        xts_block(&aes, t, in + at, out + at, encrypt);
    if (rest == 0)
        return;
    memcpy(after, t, 16); /* the last whole block and the rest change places */
    next_tweak(after);
    xts_block(&aes, encrypt ? t : after, in + at, last, encrypt);
    memcpy(stolen, in + at + 16, rest);
    memcpy(stolen + rest, last + rest, 16 - rest);
    xts_block(&aes, encrypt ? after : t, stolen, out + at, encrypt);
    memcpy(out + at + 16, last, rest);
}

/* ---- ChaCha20 and Poly1305: RFC 8439 ---------------------------------------------------------*/

static uint32_t left32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d) /* 2.1 */
{
    s[a] += s[b];
    s[d] = left32(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = left32(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = left32(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = left32(s[b] ^ s[c], 7);
}

static void chacha_rounds(uint32_t s[16], const uint8_t key[32], const uint8_t last[16])
{
    static const uint8_t head[17] = "expand 32-byte k";

    for (unsigned i = 0; i < 4; i++) {
        s[i] = core_load_le32(head + 4 * i);
        s[4 + i] = core_load_le32(key + 4 * i);
        s[8 + i] = core_load_le32(key + 16 + 4 * i);
        s[12 + i] = core_load_le32(last + 4 * i);
    }
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            quarter(s, i, 4 + i, 8 + i, 12 + i);
        for (unsigned i = 0; i < 4; i++)
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
}

static void chacha_block(const uint8_t key[32], uint32_t count, const uint8_t nonce[12],
                         uint8_t out[64])
{
    uint32_t s[16], start[16];
    uint8_t last[16];

    core_store_le32(last, count);
    memcpy(last + 4, nonce, 12);
    chacha_rounds(s, key, last);
    for (unsigned i = 0; i < 4; i++) {
        start[i] = core_load_le32((const uint8_t *)"expand 32-byte k" + 4 * i);
        start[4 + i] = core_load_le32(key + 4 * i);
        start[8 + i] = core_load_le32(key + 16 + 4 * i);
        start[12 + i] = core_load_le32(last + 4 * i);
    }
    for (unsigned i = 0; i < 16; i++)
        core_store_le32(out + 4 * i, s[i] + start[i]);
}

/* 2.5, with digits of 8 bits: sum = (sum + block) * r mod 2^130 - 5. */
struct poly {
    uint32_t sum[17], r[17];
};

static void poly_block(struct poly *p, const uint8_t *in, size_t n, uint8_t above)
{
    uint32_t product[17], carry = 0;

    for (size_t i = 0; i < 17; i++) {
        carry += p->sum[i] + (i < n ? in[i] : i == n ? above : 0);
        p->sum[i] = carry & 0xff;
        carry >>= 8;
    }
    for (unsigned i = 0; i < 17; i++) { /* 2^136 is 320 */
        product[i] = 0;
        for (unsigned j = 0; j < 17; j++)
            product[i] += p->sum[j] * (j <= i ? p->r[i - j] : 320 * p->r[17 + i - j]);
    }
    carry = 0;
    for (unsigned i = 0; i < 16; i++) {
        carry += product[i];
        p->sum[i] = carry & 0xff;
        carry >>= 8;
    }
    carry += product[16];
    p->sum[16] = carry & 3;
    carry = 5 * (carry >> 2); /* 2^130 is 5 */
    for (unsigned i = 0; i < 17; i++) {
        carry += p->sum[i];
        p->sum[i] = carry & 0xff;
        carry >>= 8;
    }
}

static void poly_padded(struct poly *p, const uint8_t *in, size_t n) /* 2.8: filled up with 0 */
{
    for (size_t at = 0; at < n; at += 16) {
        uint8_t block[16] = { 0 };

        memcpy(block, in + at, n - at < 16 ? n - at : 16);
        poly_block(p, block, 16, 1);
    }
}

static void poly_end(struct poly *p, const uint8_t s[16], uint8_t tag[16])
{
    uint32_t reduced[17], carry = 5;
    bool over;

    for (unsigned i = 0; i < 17; i++) {
        carry += p->sum[i];
        reduced[i] = carry & 0xff;
        carry >>= 8;
    }
    over = reduced[16] >= 4; /* sum + 5 >= 2^130 */
    carry = 0;
    for (unsigned i = 0; i < 16; i++) {
        carry += (over ? reduced[i] : p->sum[i]) + s[i];
        tag[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void chacha(const uint8_t key[32], const uint8_t nonce[12], const struct svmc_cipher_unit *u,
                   const uint8_t *ad, size_t ad_bytes, bool seal, uint8_t tag[16])
{
    uint8_t block[64], once[64], sizes[16];
    const uint8_t *in = u->in;
    uint8_t *out = u->out;
    struct poly p = { { 0 }, { 0 } };

    chacha_block(key, 0, nonce, once);
    for (unsigned i = 0; i < 16; i++) /* clamped: 2.5 */
        p.r[i] = once[i] & (i % 4 == 3 ? 0x0f : i % 4 == 0 && i != 0 ? 0xfc : 0xff);
    poly_padded(&p, ad, ad_bytes);
    if (!seal)
        poly_padded(&p, in, u->n);
    for (size_t i = 0; i < u->n; i++) {
        if (i % 64 == 0)
            chacha_block(key, (uint32_t)(1 + i / 64), nonce, block);
        out[i] = in[i] ^ block[i % 64];
    }
    if (seal)
        poly_padded(&p, out, u->n);
    core_store_le64(sizes, ad_bytes);
    core_store_le64(sizes + 8, u->n);
    poly_block(&p, sizes, 16, 1);
    poly_end(&p, once + 16, tag);
}

/* XChaCha: the draft, 2.2 and 2.3. */
static void xchacha(const struct fake_cipher *c, const struct svmc_cipher_unit *u,
                    const uint8_t *ad, size_t ad_bytes, bool seal, uint8_t tag[16])
{
    uint8_t key[32], nonce[12] = { 0 };
    uint32_t s[16];

    chacha_rounds(s, c->key, u->nonce);
    for (unsigned i = 0; i < 4; i++) {
        core_store_le32(key + 4 * i, s[i]);
        core_store_le32(key + 16 + 4 * i, s[12 + i]);
    }
    memcpy(nonce + 4, u->nonce + 16, 8);
    chacha(key, nonce, u, ad, ad_bytes, seal, tag);
}

void fake_aead(const struct fake_cipher *c, const struct svmc_cipher_unit *u, bool seal,
               uint8_t tag[16])
{
    uint8_t ad[SVMC_AD_BYTES_MAX];
    size_t n = 0;

    for (uint32_t i = 0; i < u->pieces; i++) {
        if (u->ad[i].bytes == 0)
            continue;
        memcpy(ad + n, u->ad[i].at, u->ad[i].bytes);
        n += u->ad[i].bytes;
    }
    if (c->alg == SVMC_ALG_AES_256_GCM)
        gcm(c, u, ad, n, seal, tag);
    else if (c->alg == SVMC_ALG_CHACHA20_POLY1305)
        chacha(c->key, u->nonce, u, ad, n, seal, tag);
    else
        xchacha(c, u, ad, n, seal, tag);
}
