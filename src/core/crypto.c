/* SPDX-License-Identifier: MIT */
/** The crypto table seen from the core: one hash, and the vectors that a back end must meet. */
#include "crypto_ops.h"

#include "memory.h"

#define TEXT_BYTES 64u

/* Keys shorter than SVMC_MAC_KEY_BYTES are filled up with zeros, as HMAC does itself. */
enum key { KEY_NONE, KEY_COUNT /* 00 01 .. 1f */, KEY_0B /* 20 bytes of 0b */, KEY_JEFE };

/* A message is the text, or where `bytes` is longer than it, its one letter repeated. */
struct vector {
    uint8_t alg;
    uint8_t key;
    uint32_t bytes;
    char text[TEXT_BYTES];
    uint8_t want[SVMC_HASH_BYTES];
};

static const struct vector vectors[] = {
    /* BLAKE2b reference code, b2sum -l 256 */
    { SVMC_ALG_BLAKE2B_256, KEY_NONE, 0, "", { 0x0e, 0x57, 0x51, 0xc0, 0x26, 0xe5, 0x43, 0xb2,
                                               0xe8, 0xab, 0x2e, 0xb0, 0x60, 0x99, 0xda, 0xa1,
                                               0xd1, 0xe5, 0xdf, 0x47, 0x77, 0x8f, 0x77, 0x87,
                                               0xfa, 0xab, 0x45, 0xcd, 0xf1, 0x2f, 0xe3, 0xa8 } },
    /* as above */
    { SVMC_ALG_BLAKE2B_256,
      KEY_NONE,
      3,
      "abc",
      { 0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef,
        0x3f, 0xee, 0x98, 0x57, 0x9b, 0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb,
        0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19 } },
    /* as above, two blocks */
    { SVMC_ALG_BLAKE2B_256,
      KEY_NONE,
      200,
      "a",
      { 0x6b, 0x6e, 0x59, 0xaa, 0xf0, 0x0e, 0xb7, 0x30, 0xcf, 0x93, 0xde,
        0x53, 0x56, 0x08, 0x46, 0x72, 0x21, 0x84, 0xbb, 0xd9, 0x2f, 0x83,
        0x68, 0xc2, 0x1f, 0xfa, 0x95, 0x38, 0x0c, 0x2f, 0x9f, 0xe6 } },
    /* FIPS 180-4, SHA256.pdf of the examples */
    { SVMC_ALG_SHA_256, KEY_NONE, 3, "abc", { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                              0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                              0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                              0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad } },
    /* as above, the padding is a block of its own */
    { SVMC_ALG_SHA_256,
      KEY_NONE,
      56,
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      { 0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
        0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
        0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1 } },
    /* NIST CAVP, SHA256ShortMsg.rsp */
    { SVMC_ALG_SHA_256, KEY_NONE, 0, "", { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                           0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                           0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                                           0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55 } },
    /* BLAKE2b reference code, keyed */
    {
        SVMC_ALG_MAC_BLAKE2B_256, KEY_COUNT, 0, "", { 0x4e, 0x51, 0xe7, 0xa9, 0x13, 0xfc, 0x80,
                                                      0x13, 0x7d, 0xa5, 0x28, 0x80, 0xfe, 0xcc,
                                                      0xa1, 0x75, 0xbf, 0x81, 0xe1, 0x17, 0xd5,
                                                      0xc6, 0x81, 0x26, 0xdc, 0x27, 0x74, 0x03,
                                                      0x35, 0x17, 0xea, 0x0d } },
    /* as above, two blocks */
    { SVMC_ALG_MAC_BLAKE2B_256, KEY_COUNT, 200, "a", { 0x35, 0xce, 0x8d, 0x42, 0x27, 0xf3, 0xbc,
                                                       0xc8, 0xb2, 0xdf, 0x8e, 0x27, 0x73, 0xe4,
                                                       0x95, 0xb4, 0x10, 0xd8, 0x48, 0x4e, 0x2e,
                                                       0xe1, 0x19, 0xd7, 0xca, 0x34, 0xe1, 0xda,
                                                       0x45, 0x2e, 0xbb, 0x57 } },
    /* RFC 4231, test case 1 */
    { SVMC_ALG_HMAC_SHA_256, KEY_0B, 8, "Hi There", { 0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38,
                                                      0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b,
                                                      0xf1, 0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9,
                                                      0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c,
                                                      0x2e, 0x32, 0xcf, 0xf7 } },
    /* RFC 4231, test case 2 */
    { SVMC_ALG_HMAC_SHA_256,
      KEY_JEFE,
      28,
      "what do ya want for nothing?",
      { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 } },
};

enum svmc_status svmc_crypto_hash(const struct svmc_crypto_ops *ops, enum svmc_alg alg,
                                  const void *bytes, size_t n, uint8_t out[SVMC_HASH_BYTES])
{
    struct svmc_hash_state state;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, SVMC_HASH_BYTES);
    if (!core_crypto_can_hash(ops) || (!bytes && n != 0) || (uint32_t)alg >> 4 != 1)
        return SVMC_ERR_ARG;
    st = ops->hash_begin(ops->ctx, &state, alg);
    st = core_crypto_verdict(st);
    if (st != SVMC_OK)
        return st;
    if (n != 0)
        st = ops->hash_add(ops->ctx, &state, bytes, n);
    st = core_crypto_hash_end(ops, &state, st, out);
    if (st != SVMC_OK)
        memset(out, 0, SVMC_HASH_BYTES);
    return st;
}

static void make_key(enum key which, uint8_t key[SVMC_MAC_KEY_BYTES])
{
    memset(key, 0, SVMC_MAC_KEY_BYTES);
    if (which == KEY_0B)
        memset(key, 0x0b, 20);
    else if (which == KEY_JEFE)
        memcpy(key, "Jefe", 4);
    for (uint32_t i = 0; which == KEY_COUNT && i < SVMC_MAC_KEY_BYTES; i++)
        key[i] = (uint8_t)i;
}

/* A vector's message goes in two pieces, so that a back end's buffering is met as well. */
struct message {
    uint8_t first[3];
    uint8_t rest[200];
    uint32_t first_bytes, rest_bytes;
};

static void make_message(const struct vector *v, struct message *m)
{
    bool repeat = v->bytes > TEXT_BYTES;
    uint32_t n = v->bytes < sizeof m->rest ? v->bytes : (uint32_t)sizeof m->rest;

    m->first_bytes = n < sizeof m->first ? n : (uint32_t)sizeof m->first;
    m->rest_bytes = n - m->first_bytes;
    for (uint32_t i = 0; i < n; i++) {
        char letter = v->text[repeat ? 0 : i];

        if (i < sizeof m->first)
            m->first[i] = (uint8_t)letter;
        else
            m->rest[i - sizeof m->first] = (uint8_t)letter;
    }
}

static enum svmc_status answer_hash(const struct svmc_crypto_ops *ops, const struct vector *v,
                                    const struct message *m, uint8_t got[SVMC_HASH_BYTES])
{
    struct svmc_hash_state state;
    enum svmc_status st = ops->hash_begin(ops->ctx, &state, v->alg);

    st = core_crypto_verdict(st);
    if (st != SVMC_OK)
        return st;
    if (m->first_bytes != 0)
        st = ops->hash_add(ops->ctx, &state, m->first, m->first_bytes);
    if (st == SVMC_OK && m->rest_bytes != 0)
        st = ops->hash_add(ops->ctx, &state, m->rest, m->rest_bytes);
    return core_crypto_hash_end(ops, &state, st, got);
}

static enum svmc_status answer_mac(const struct svmc_crypto_ops *ops, const struct vector *v,
                                   const struct message *m, uint8_t got[SVMC_HASH_BYTES])
{
    const struct svmc_bytes piece[] = { { m->first, m->first_bytes },
                                        { NULL, 0 },
                                        { m->rest, m->rest_bytes } };
    uint8_t key[SVMC_MAC_KEY_BYTES];
    enum svmc_status st;

    make_key((enum key)v->key, key); /* CR-7: in three pieces, one of them empty */
    st = ops->mac(ops->ctx, v->alg, key, piece, sizeof piece / sizeof piece[0], got);
    return core_crypto_verdict(st);
}

static enum svmc_status test_vector(const struct svmc_crypto_ops *ops, const struct vector *v)
{
    uint8_t got[SVMC_HASH_BYTES] = { 0 };
    enum svmc_status st;
    struct message m;

    make_message(v, &m);
    st = v->key == KEY_NONE ? answer_hash(ops, v, &m, got) : answer_mac(ops, v, &m, got);
    if (st != SVMC_OK)
        return st;
    return memcmp(got, v->want, sizeof got) == 0 ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* random gives two different answers, equal knows a copy and tells each bit apart, wipe wipes. */
static enum svmc_status test_rest(const struct svmc_crypto_ops *ops)
{
    static const uint8_t nothing[16];
    uint8_t a[16] = { 0 }, b[16] = { 0 };

    if (ops->random(ops->ctx, a, sizeof a) != SVMC_OK ||
        ops->random(ops->ctx, b, sizeof b) != SVMC_OK || memcmp(a, b, sizeof a) == 0 ||
        memcmp(a, nothing, sizeof a) == 0 || memcmp(b, nothing, sizeof b) == 0)
        return SVMC_ERR_CALLBACK;
    memcpy(b, a, sizeof b);
    if (ops->equal(ops->ctx, a, b, sizeof a) != SVMC_OK) /* CR-6: what is not OK differs */
        return SVMC_ERR_CALLBACK;
    for (uint32_t i = 0; i < 8 * sizeof b; i++) {
        b[i / 8] ^= (uint8_t)(1u << i % 8);
        if (ops->equal(ops->ctx, a, b, sizeof a) == SVMC_OK)
            return SVMC_ERR_CALLBACK;
        b[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    ops->wipe(ops->ctx, a, sizeof a);
    return memcmp(a, nothing, sizeof a) == 0 ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status try_hash(const struct svmc_crypto_ops *ops, uint32_t alg)
{
    enum svmc_status st = SVMC_ERR_UNSUPPORTED;

    if (alg >> 4 == 1 ? !core_crypto_can_hash(ops) : !CORE_HAS_OP(ops, mac))
        return st;
    for (uint32_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        if (vectors[i].alg != alg)
            continue;
        st = test_vector(ops, &vectors[i]);
        if (st != SVMC_OK)
            break;
    }
    return st;
}

/* CR-16 */
enum svmc_status svmc_crypto_try(const struct svmc_crypto_ops *ops, enum svmc_alg alg,
                                 struct svmc_cipher_key *room)
{
    uint32_t kind = (uint32_t)alg >> 4;

    if (!ops)
        return SVMC_ERR_ARG;
    return kind <= 2   ? try_hash(ops, alg)
           : kind <= 4 ? svmc_core_try_cipher(ops, alg, room)
                       : svmc_core_try_derive(ops, alg);
}

/* CR-8 */
enum svmc_status svmc_crypto_self_test(const struct svmc_crypto_ops *ops)
{
    enum svmc_status st = SVMC_OK;

    if (!core_crypto_can_hash(ops) || !CORE_HAS_OP(ops, mac) || !CORE_HAS_OP(ops, random) ||
        !CORE_HAS_OP(ops, equal) || !CORE_HAS_OP(ops, wipe))
        return SVMC_ERR_ARG;
    for (uint32_t i = 0; i < sizeof vectors / sizeof vectors[0] && st == SVMC_OK; i++)
        st = test_vector(ops, &vectors[i]);
    return st == SVMC_OK ? test_rest(ops) : st;
}
