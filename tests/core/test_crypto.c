/* SPDX-License-Identifier: MIT */
/* docs/spec/crypto.md: the core with a back end that works, fails, lies or is not whole. */
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
}
