/* SPDX-License-Identifier: MIT */
/* docs/spec/crypto.md: the core with a back end that works, fails, lies or is not whole. */
#include "../../src/core/crypto_ops.h"
#include "../fakehost/crypto.h"
#include "../harness.h"

static struct fake_crypto fake;
static const uint8_t zero[SVMC_HASH_BYTES];

TEST(crypto, the_fake_is_blake2b) /* RFC 7693, appendices A and E: the tests' own second opinion */
{
    static const uint8_t abc[64] = {
        0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d, 0x6a, 0x27, 0x97, 0xb6, 0x9f,
        0x12, 0xf6, 0xe9, 0x4c, 0x21, 0x2f, 0x14, 0x68, 0x5a, 0xc4, 0xb7, 0x4b, 0x12,
        0xbb, 0x6f, 0xdb, 0xff, 0xa2, 0xd1, 0x7d, 0x87, 0xc5, 0x39, 0x2a, 0xab, 0x79,
        0x2d, 0xc2, 0x52, 0xd5, 0xde, 0x45, 0x33, 0xcc, 0x95, 0x18, 0xd3, 0x8a, 0xa8,
        0xdb, 0xf1, 0x92, 0x5a, 0xb9, 0x23, 0x86, 0xed, 0xd4, 0x00, 0x99, 0x23,
    };
    static const uint8_t grand[32] = {
        0xc2, 0x3a, 0x78, 0x00, 0xd9, 0x81, 0x23, 0xbd, 0x10, 0xf5, 0x06,
        0xc6, 0x1e, 0x29, 0xda, 0x56, 0x03, 0xd7, 0x63, 0xb8, 0xbb, 0xad,
        0x2e, 0x73, 0x7f, 0x5e, 0x76, 0x5a, 0x7b, 0xcc, 0xd4, 0x75,
    };
    static const uint32_t outs[] = { 20, 32, 48, 64 }, ins[] = { 0, 3, 128, 129, 255, 1024 };
    uint8_t all[2 * 164 * 6], in[1024], key[64], out[64];
    size_t at = 0;

    fake_blake2b(out, 64, NULL, 0, (const uint8_t *)"abc", 3);
    CHECK_MEM(out, abc, sizeof abc);
    for (unsigned o = 0; o < 4; o++)
        for (unsigned i = 0; i < 6; i++)
            for (unsigned keyed = 0; keyed < 2; keyed++, at += outs[o]) {
                for (unsigned which = 0; which < 2; which++) { /* the RFC's selftest_seq */
                    uint32_t n = which ? outs[o] : ins[i], a = 0xdead4bad * n, b = 1;

                    for (uint32_t j = 0; j < n; j++) {
                        uint32_t t = a + b;

                        a = b;
                        b = t;
                        (which ? key : in)[j] = (uint8_t)(t >> 24);
                    }
                }
                fake_blake2b(all + at, outs[o], key, keyed ? outs[o] : 0, in, ins[i]);
            }
    REQUIRE(at == sizeof all);
    fake_blake2b(out, 32, NULL, 0, all, sizeof all);
    CHECK_MEM(out, grand, sizeof grand);
}

TEST(crypto, published_vectors_hold) /* CR-8 */
{
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_crypto_self_test(&fake.ops), SVMC_OK);
    CHECK_EQ(fake.open, 0);
    CHECK_EQ(fake.given_up, 0);
}

TEST(crypto, a_back_end_that_fails_or_lies_anywhere_is_not_taken) /* CR-2 CR-3 CR-6 CR-8 */
{
    unsigned calls, told = 0;

    fake_crypto_init(&fake);
    CHECK_EQ(svmc_crypto_self_test(&fake.ops), SVMC_OK);
    calls = fake.calls;
    CHECK(calls > 129 + 20, "only %u calls", calls);
    for (unsigned k = 1; k <= calls; k++) {
        /* the last: equal on bytes that differ, where a failure says so too; and wipe */
        bool harmless = k > calls - 129;
        enum svmc_status st;

        fake_crypto_init(&fake);
        fake.fail_at = k;
        fake.failure = SVMC_ERR_STALE;
        CHECK_EQ(svmc_crypto_self_test(&fake.ops), harmless ? SVMC_OK : SVMC_ERR_CALLBACK, "%u", k);
        CHECK_EQ(fake.open, 0, "call %u", k);
        fake_crypto_init(&fake);
        fake.lie_at = k;
        st = svmc_crypto_self_test(&fake.ops);
        CHECK_EQ(st, fake.lied ? SVMC_ERR_CALLBACK : SVMC_OK, "call %u", k);
        told += fake.lied;
    }
    CHECK(told > 129 + 10, "only %u lies", told);
}

TEST(crypto, a_table_without_a_function_is_refused) /* CR-1 */
{
    struct svmc_crypto_ops ops;
    uint8_t out[SVMC_HASH_BYTES];

    CHECK_EQ(svmc_crypto_self_test(NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_crypto_hash(NULL, SVMC_ALG_SHA_256, "a", 1, out), SVMC_ERR_ARG);
    fake_crypto_init(&fake);
#define WITHOUT(op, hashes)                                                          \
    do {                                                                             \
        ops = fake.ops;                                                              \
        ops.op = NULL;                                                               \
        CHECK_EQ(svmc_crypto_self_test(&ops), SVMC_ERR_ARG, #op);                    \
        CHECK_EQ(svmc_crypto_hash(&ops, SVMC_ALG_SHA_256, "a", 1, out),              \
                 (hashes) ? SVMC_OK : SVMC_ERR_ARG, #op);                            \
        ops = fake.ops;                                                              \
        ops.size = offsetof(struct svmc_crypto_ops, op);                             \
        CHECK_EQ(svmc_crypto_self_test(&ops), SVMC_ERR_ARG, "an older table: " #op); \
    } while (0)
    WITHOUT(hash_begin, false);
    WITHOUT(hash_add, false);
    WITHOUT(hash_end, false);
    WITHOUT(mac, true);
    WITHOUT(random, true);
    WITHOUT(equal, true);
    WITHOUT(wipe, true);
#undef WITHOUT
    CHECK_EQ(offsetof(struct svmc_crypto_ops, size), 0);
}

TEST(crypto, a_hash_is_whole_or_zero) /* CR-2 CR-3 CR-5 */
{
    static const uint8_t want[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
    uint8_t out[SVMC_HASH_BYTES];

    fake_crypto_init(&fake);
    CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_SHA_256, "abc", 3, out), SVMC_OK);
    CHECK_MEM(out, want, sizeof want, "FIPS 180-4");
    CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_SHA_256, NULL, 0, out), SVMC_OK);
    CHECK_EQ(out[0], 0xe3);
    for (unsigned k = 1; k <= 3; k++) {
        fake_crypto_init(&fake);
        fake.fail_at = k;
        memset(out, 0x55, sizeof out);
        CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_SHA_256, "abc", 3, out), SVMC_ERR_CALLBACK);
        CHECK_MEM(out, zero, sizeof out, "call %u", k);
        CHECK_EQ(fake.open, 0, "call %u", k);
        CHECK_EQ(fake.given_up, k == 2, "call %u", k);
    }
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_crypto_hash(&fake.ops, (enum svmc_alg)0x1f, "a", 1, out), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_HMAC_SHA_256, "a", 1, out), SVMC_ERR_ARG,
             "no hash");
    CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_NONE, "a", 1, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_SHA_256, NULL, 1, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_crypto_hash(&fake.ops, SVMC_ALG_SHA_256, "a", 1, NULL), SVMC_ERR_ARG);
    CHECK_MEM(out, zero, sizeof out);
}

TEST(crypto, algorithm_ids_are_pinned) /* CR-5: they are written into formats */
{
    CHECK_EQ(SVMC_ALG_NONE, 0x00);
    CHECK_EQ(SVMC_ALG_BLAKE2B_256, 0x11);
    CHECK_EQ(SVMC_ALG_SHA_256, 0x12);
    CHECK_EQ(SVMC_ALG_MAC_BLAKE2B_256, 0x21);
    CHECK_EQ(SVMC_ALG_HMAC_SHA_256, 0x22);
    CHECK_EQ(SVMC_ALG_AES_256_GCM, 0x31);
    CHECK_EQ(SVMC_ALG_CHACHA20_POLY1305, 0x32);
    CHECK_EQ(SVMC_ALG_XCHACHA20_POLY1305, 0x33);
    CHECK_EQ(SVMC_ALG_AES_256_XTS, 0x41);
    CHECK_EQ(SVMC_ALG_DERIVE_BLAKE2B, 0x51);
    CHECK_EQ(SVMC_ALG_HKDF_SHA_256, 0x52);
}

static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room;
static const uint8_t algs[] = { 0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x33, 0x41, 0x51, 0x52 };

TEST(crypto, each_algorithm_is_tried_by_itself) /* CR-16 CR-12 CR-14 CR-15 */
{
    fake_crypto_init(&fake);
    for (uint32_t alg = 0; alg < 0x400; alg++) {
        bool known = alg < 256 && memchr(algs, (int)alg, sizeof algs) != NULL;

        CHECK_EQ(svmc_crypto_try(&fake.ops, (enum svmc_alg)alg, &room),
                 known ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", (unsigned)alg);
        CHECK_EQ(fake.loaded, 0, "%x", (unsigned)alg);
    }
    for (size_t i = 4; i < sizeof algs; i++) {
        fake_crypto_init(&fake);
        fake.lacks = algs[i];
        CHECK_EQ(svmc_crypto_try(&fake.ops, (enum svmc_alg)algs[i], &room), SVMC_ERR_UNSUPPORTED);
        CHECK_EQ(svmc_crypto_self_test(&fake.ops), SVMC_OK, "ciphers may be missing");
    }
}

TEST(crypto, a_cipher_that_fails_or_lies_anywhere_is_not_taken) /* CR-2 CR-9 CR-12 CR-14 CR-16 */
{
    for (size_t i = 0; i < sizeof algs; i++) {
        enum svmc_alg alg = (enum svmc_alg)algs[i];
        unsigned calls, told = 0;

        fake_crypto_init(&fake);
        CHECK_EQ(svmc_crypto_try(&fake.ops, alg, &room), SVMC_OK);
        calls = fake.calls;
        for (unsigned k = 1; k <= calls; k++) {
            /* a load that must fail, and does */
            bool harmless = alg == SVMC_ALG_AES_256_XTS && k == calls;
            enum svmc_status st;

            fake_crypto_init(&fake);
            fake.fail_at = k;
            fake.failure = SVMC_ERR_STALE;
            CHECK_EQ(svmc_crypto_try(&fake.ops, alg, &room), harmless ? SVMC_OK : SVMC_ERR_CALLBACK,
                     "%x, call %u", algs[i], k);
            CHECK_EQ(fake.loaded, 0, "%x, call %u", algs[i], k);
            fake_crypto_init(&fake);
            fake.lie_at = k;
            st = svmc_crypto_try(&fake.ops, alg, &room);
            CHECK_EQ(st, fake.lied ? SVMC_ERR_CALLBACK : SVMC_OK, "%x, call %u", algs[i], k);
            CHECK_EQ(fake.loaded, 0, "%x, call %u", algs[i], k);
            told += fake.lied;
        }
        CHECK(told >= 1, "%x", algs[i]);
        CHECK(alg >> 4 != 3 || told >= 3, "%x: seal, open, and open of a wrong tag", algs[i]);
    }
}

TEST(crypto, a_cipher_that_shows_what_it_refuses_is_not_taken) /* CR-12 CR-16 */
{
    for (size_t i = 4; i < 7; i++) {
        fake_crypto_init(&fake);
        fake.leaks = true;
        CHECK_EQ(svmc_crypto_try(&fake.ops, (enum svmc_alg)algs[i], &room), SVMC_ERR_CALLBACK);
    }
}

TEST(crypto, an_older_table_still_works) /* CR-1 CR-16 */
{
    struct svmc_crypto_ops ops;
    uint8_t out[SVMC_HASH_BYTES];

    fake_crypto_init(&fake);
    ops = fake.ops;
    ops.size = offsetof(struct svmc_crypto_ops, cipher_load); /* before there were ciphers */
    CHECK_EQ(svmc_crypto_self_test(&ops), SVMC_OK);
    CHECK_EQ(svmc_crypto_hash(&ops, SVMC_ALG_SHA_256, "abc", 3, out), SVMC_OK);
    for (size_t i = 0; i < sizeof algs; i++)
        CHECK_EQ(svmc_crypto_try(&ops, (enum svmc_alg)algs[i], &room),
                 algs[i] >> 4 <= 2 ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", algs[i]);
#define WITHOUT(op, kinds)                                                                      \
    do {                                                                                        \
        ops = fake.ops;                                                                         \
        ops.op = NULL;                                                                          \
        for (size_t i = 4; i < sizeof algs; i++)                                                \
            CHECK_EQ(svmc_crypto_try(&ops, (enum svmc_alg)algs[i], &room),                      \
                     (kinds) >> (algs[i] >> 4) & 1 ? SVMC_ERR_UNSUPPORTED : SVMC_OK, #op " %x", \
                     algs[i]);                                                                  \
    } while (0)
    WITHOUT(cipher_load, 1u << 3 | 1u << 4);
    WITHOUT(cipher_drop, 1u << 3 | 1u << 4);
    WITHOUT(seal, 1u << 3);
    WITHOUT(open, 1u << 3);
    WITHOUT(crypt, 1u << 4);
    WITHOUT(derive, 1u << 5);
#undef WITHOUT
    CHECK_EQ(svmc_crypto_try(NULL, SVMC_ALG_SHA_256, &room), SVMC_ERR_ARG);
    CHECK_EQ(svmc_crypto_try(&fake.ops, SVMC_ALG_AES_256_GCM, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_crypto_try(&fake.ops, SVMC_ALG_AES_256_GCM,
                             (struct svmc_cipher_key *)(void *)&room.priv[1]),
             SVMC_ERR_ARG, "not aligned");
    CHECK_EQ(svmc_crypto_try(&fake.ops, SVMC_ALG_SHA_256, NULL), SVMC_OK, "needs no room");
}

TEST(crypto, ciphers_have_their_shapes) /* CR-5: the documents of each */
{
    static const struct {
        uint8_t alg, key, nonce, tag;
    } rows[] = {
        { 0x31, 32, 12, 16 }, { 0x32, 32, 12, 16 }, { 0x33, 32, 24, 16 }, { 0x41, 64, 16, 0 }
    };

    for (uint32_t alg = 0; alg < 0x300; alg++) {
        struct svmc_cipher_shape shape = svmc_cipher_shape_of(alg), want = { 0 };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (rows[i].alg == alg)
                want = (struct svmc_cipher_shape){ rows[i].key, rows[i].nonce, rows[i].tag, 0 };
        CHECK_MEM(&shape, &want, sizeof want, "%x", (unsigned)alg);
    }
}

TEST(crypto, a_failed_cipher_leaves_zeros) /* CR-2 CR-9 CR-12 */
{
    static const uint8_t key[64] = { 1 }, nonce[SVMC_NONCE_BYTES_MAX] = { 2 }, in[48] = { 3 };
    uint8_t out[48], tag[SVMC_TAG_BYTES] = { 0 }, good[SVMC_TAG_BYTES], sealed[48];
    struct svmc_cipher_unit u = { .nonce = nonce, .in = in, .out = out, .n = 48, .tag = tag };

    fake_crypto_init(&fake);
    CHECK_EQ(core_cipher_load(&fake.ops, &room, 0x77, key, 1), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(core_cipher_load(&fake.ops, &room, SVMC_ALG_AES_256_GCM, key, 0), SVMC_ERR_ARG);
    REQUIRE(core_cipher_load(&fake.ops, &room, SVMC_ALG_AES_256_GCM, key, 1) == SVMC_OK);
    CHECK_EQ(core_cipher_seal(&fake.ops, &room, &u), SVMC_OK);
    memcpy(good, tag, sizeof good);
    memcpy(sealed, out, sizeof sealed);
    fake.fail_at = fake.calls + 1;
    CHECK_EQ(core_cipher_seal(&fake.ops, &room, &u), SVMC_ERR_CALLBACK);
    CHECK_MEM(out, zero, 32);
    CHECK_MEM(tag, zero, sizeof tag);
    memcpy(tag, good, sizeof tag);
    u.in = sealed;
    fake.fail_at = fake.calls + 1;
    memset(out, 0x55, sizeof out);
    CHECK_EQ(core_cipher_open(&fake.ops, &room, &u), SVMC_ERR_CALLBACK);
    CHECK_MEM(out, zero, 32);
    tag[3] ^= 1;
    memset(out, 0x55, sizeof out);
    CHECK_EQ(core_cipher_open(&fake.ops, &room, &u), SVMC_ERR_AUTH);
    CHECK_MEM(out, zero, 32);
    u.in = u.out = NULL; /* nothing at all */
    u.n = 0;
    CHECK_EQ(core_cipher_open(&fake.ops, &room, &u), SVMC_ERR_AUTH);
    CHECK_EQ(core_cipher_seal(&fake.ops, &room, &u), SVMC_OK);
    CHECK_EQ(core_cipher_open(&fake.ops, &room, &u), SVMC_OK);
    fake.ops.cipher_drop(&fake, &room);
    REQUIRE(core_cipher_load(&fake.ops, &room, SVMC_ALG_AES_256_XTS, key, 1) == SVMC_OK);
    u = (struct svmc_cipher_unit){ .nonce = nonce, .in = in, .out = out, .n = 48 };
    CHECK_EQ(core_cipher_crypt(&fake.ops, &room, &u, true), SVMC_OK);
    CHECK(memcmp(out, in, sizeof in) != 0);
    fake.fail_at = fake.calls + 1;
    CHECK_EQ(core_cipher_crypt(&fake.ops, &room, &u, true), SVMC_ERR_CALLBACK);
    CHECK_MEM(out, zero, 32);
    fake.ops.cipher_drop(&fake, &room);
    CHECK_EQ(fake.loaded, 0);
}
