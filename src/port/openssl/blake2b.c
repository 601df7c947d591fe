/* SPDX-License-Identifier: MIT */
#include "blake2b.h"

#include <string.h>

#define BLOCK 128u
#define WORDS 16u

/* RFC 7693, 2.6 */
static const uint64_t iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* RFC 7693, 2.7; rounds 10 and 11 are 0 and 1 again. */
static const uint8_t sigma[10][WORDS] = {
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

/* RFC 7693, 3.1: the words that the i-th mixing of a round takes: four columns, four diagonals. */
static const uint8_t lanes[8][4] = {
    { 0, 4, 8, 12 },  { 1, 5, 9, 13 },  { 2, 6, 10, 14 }, { 3, 7, 11, 15 },
    { 0, 5, 10, 15 }, { 1, 6, 11, 12 }, { 2, 7, 8, 13 },  { 3, 4, 9, 14 },
};

static uint64_t turn(uint64_t x, unsigned right)
{
    return x >> right | x << (64 - right);
}

/* RFC 7693, 3.2 */
static void compress(struct openssl_blake2b *s, uint64_t last)
{
    uint64_t v[WORDS], m[WORDS] = { 0 };

    for (size_t i = 0; i < BLOCK; i++)
        m[i / 8] |= (uint64_t)s->block[i] << 8 * (i % 8);
    memcpy(v, s->chain, sizeof s->chain);
    memcpy(v + 8, iv, sizeof iv);
    v[12] ^= s->bytes;
    v[14] ^= last;
    for (size_t i = 0; i < (size_t)12 * 8; i++) {
        /* clamp: i counts up to a constant */
        const uint8_t *lane = lanes[i % 8], *pick = &sigma[i / 8 % 10][i % 8 * 2];
        uint64_t *a = &v[lane[0]], *b = &v[lane[1]], *c = &v[lane[2]], *d = &v[lane[3]];

        *a += *b + m[pick[0]];
        *d = turn(*d ^ *a, 32);
        *c += *d;
        *b = turn(*b ^ *c, 24);
        *a += *b + m[pick[1]];
        *d = turn(*d ^ *a, 16);
        *c += *d;
        *b = turn(*b ^ *c, 63);
    }
    for (size_t i = 0; i < 8; i++)
        s->chain[i] ^= v[i] ^ v[8 + i];
}

void svmc_openssl_blake2b_begin(struct openssl_blake2b *s, const uint8_t *key, size_t key_bytes,
                                size_t out_bytes)
{
    memset(s, 0, sizeof *s);
    memcpy(s->chain, iv, sizeof iv);
    s->chain[0] ^= 0x01010000 ^ (uint64_t)key_bytes << 8 ^ out_bytes; /* RFC 7693, 2.5 */
    s->out_bytes = (uint32_t)out_bytes;
    if (key_bytes != 0) { /* a block of its own */
        memcpy(s->block, key, key_bytes);
        s->fill = BLOCK;
    }
}

/* A full block waits: it may be the last. */
void svmc_openssl_blake2b_add(struct openssl_blake2b *s, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        size_t part;

        if (s->fill == BLOCK) {
            s->bytes += BLOCK;
            compress(s, 0);
            s->fill = 0;
        }
        part = n < BLOCK - s->fill ? n : BLOCK - s->fill;
        memcpy(s->block + s->fill, from, part);
        s->fill += (uint32_t)part;
        from += part;
        n -= part;
    }
}

void svmc_openssl_blake2b_end(struct openssl_blake2b *s, uint8_t *out)
{
    s->bytes += s->fill;
    memset(s->block + s->fill, 0, BLOCK - s->fill);
    compress(s, ~(uint64_t)0);
    for (size_t i = 0; i < s->out_bytes; i++)
        out[i] = (uint8_t)(s->chain[i / 8] >> 8 * (i % 8));
}
