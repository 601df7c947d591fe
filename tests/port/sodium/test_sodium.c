/* SPDX-License-Identifier: MIT */
/* The libsodium back end against published vectors and the tests' own hashes. */
#include <dlfcn.h>
#include <svmcore/policy.h>
#include <svmcore/port/sodium.h>

#include "../../fakehost/crypto.h"
#include "../../harness.h"
#include "../back_end.h"

/* This processor has AES, or else the tests of AES-256-GCM fail: that is to be noticed. */
const unsigned back_end_ciphers = 1u << 0 | 1u << 1 | 1u << 2;

const struct svmc_crypto_ops *back_end(void)
{
    return svmc_sodium_ops();
}

static struct fake_crypto fake;
static struct svmc_policy policy;

TEST(sodium, the_table_is_whole_and_passes_the_self_test) /* CR-1 CR-8 */
{
    const struct svmc_crypto_ops *ops = svmc_sodium_ops();

    REQUIRE(ops != NULL);
    CHECK_EQ(ops->size, sizeof *ops);
    CHECK_EQ(svmc_crypto_self_test(ops), SVMC_OK);
    CHECK(svmc_sodium_ops() == ops, "the same table again");
}

/* In front of libsodium's own: the processor as it is, or one without AES. */
static bool without_aes;
int crypto_aead_aes256gcm_is_available(void)
{
    int (*real)(void);

    *(void **)&real = dlsym(RTLD_NEXT, "crypto_aead_aes256gcm_is_available");
    return !without_aes && real();
}

TEST(sodium, without_aes_there_is_no_gcm_and_all_else) /* CR-16 */
{
    static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room;
    const struct svmc_crypto_ops *ops;

    without_aes = true;
    ops = svmc_sodium_ops();
    CHECK(ops != NULL, "a table all the same");
    if (ops) {
        CHECK_EQ(svmc_crypto_try(ops, SVMC_ALG_AES_256_GCM, &room), SVMC_ERR_UNSUPPORTED);
        CHECK_EQ(svmc_crypto_try(ops, SVMC_ALG_CHACHA20_POLY1305, &room), SVMC_OK);
        CHECK_EQ(svmc_crypto_try(ops, SVMC_ALG_XCHACHA20_POLY1305, &room), SVMC_OK);
    }
    without_aes = false;
    CHECK_EQ(svmc_crypto_try(svmc_sodium_ops(), SVMC_ALG_AES_256_GCM, &room), SVMC_OK);
}

TEST(sodium, a_million_letters) /* FIPS 180-4, the long example */
{
    static const uint8_t want[32] = {
        0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
        0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
        0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0,
    };
    static uint8_t letters[1000000];
    uint8_t out[SVMC_HASH_BYTES];

    memset(letters, 'a', sizeof letters);
    CHECK_EQ(svmc_crypto_hash(svmc_sodium_ops(), SVMC_ALG_SHA_256, letters, sizeof letters, out),
             SVMC_OK);
    CHECK_MEM(out, want, sizeof want);
}

/* Hash bytes[n] in random pieces, the state somewhere odd. */
static enum svmc_status in_pieces(const struct svmc_crypto_ops *ops, uint32_t alg,
                                  const uint8_t *bytes, size_t n, uint64_t *rng, uint8_t *out)
{
    static struct {
        uint64_t before[8];
        struct svmc_hash_state state;
        uint64_t after;
    } room;
    /* 8-byte aligned is all that is promised (CR-4) */
    struct svmc_hash_state *state =
        (struct svmc_hash_state *)(void *)&room.before[harness_random(rng) % 9];
    enum svmc_status st;

    memset(&room, 0xa5, sizeof room);
    st = ops->hash_begin(ops->ctx, state, alg);
    for (size_t at = 0; at < n && st == SVMC_OK;) {
        size_t step = 1 + (size_t)(harness_random(rng) % 200);

        step = step < n - at ? step : n - at;
        st = ops->hash_add(ops->ctx, state, bytes + at, step);
        at += step;
    }
    if (st == SVMC_OK)
        st = ops->hash_end(ops->ctx, state, out);
    CHECK_EQ(room.after, 0xa5a5a5a5a5a5a5a5, "beyond the state");
    for (size_t i = 0; i < sizeof *state / 8; i++)
        CHECK_EQ(state->priv[i], 0, "no trace is left");
    return st;
}

TEST(sodium, agrees_with_the_second_implementation) /* CR-3 CR-4 CR-7 */
{
    const struct svmc_crypto_ops *ops = svmc_sodium_ops();
    uint8_t key[SVMC_MAC_KEY_BYTES], bytes[600], a[SVMC_HASH_BYTES], b[SVMC_HASH_BYTES];
    uint64_t rng = harness_seed();

    fake_crypto_init(&fake);
    REQUIRE(ops != NULL);
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t hash = round & 1 ? SVMC_ALG_SHA_256 : SVMC_ALG_BLAKE2B_256;
        uint32_t mac = round & 1 ? SVMC_ALG_HMAC_SHA_256 : SVMC_ALG_MAC_BLAKE2B_256;
        size_t n = (size_t)(harness_random(&rng) % (sizeof bytes + 1));
        size_t cut = (size_t)(harness_random(&rng) % (n + 1));
        const struct svmc_bytes whole = { bytes, n };
        const struct svmc_bytes pieces[] = { { bytes, cut },
                                             { NULL, 0 },
                                             { bytes + cut, n - cut } };

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)harness_random(&rng);
        for (size_t i = 0; i < sizeof key; i++)
            key[i] = (uint8_t)harness_random(&rng);
        CHECK_EQ(in_pieces(ops, hash, bytes, n, &rng, a), SVMC_OK);
        CHECK_EQ(svmc_crypto_hash(&fake.ops, (enum svmc_alg)hash, bytes, n, b), SVMC_OK);
        CHECK_MEM(a, b, sizeof a, "hash %x of %zu", (unsigned)hash, n);
        CHECK_EQ(ops->mac(ops->ctx, mac, key, pieces, 3, a), SVMC_OK);
        CHECK_EQ(fake.ops.mac(&fake, mac, key, &whole, 1, b), SVMC_OK);
        CHECK_MEM(a, b, sizeof a, "mac %x of %zu", (unsigned)mac, n);
    }
}

TEST(sodium, what_it_does_not_know_it_says) /* CR-2 CR-3 CR-5 CR-6 */
{
    const struct svmc_crypto_ops *ops = svmc_sodium_ops();
    const struct svmc_bytes none = { NULL, 0 };
    uint8_t key[SVMC_MAC_KEY_BYTES] = { 0 }, out[SVMC_HASH_BYTES], a[4] = "abc", b[4] = "abd";
    struct svmc_hash_state state;

    REQUIRE(ops != NULL);
    for (uint32_t alg = 0; alg < 256; alg++) {
        bool hash = alg == SVMC_ALG_BLAKE2B_256 || alg == SVMC_ALG_SHA_256;
        bool mac = alg == SVMC_ALG_MAC_BLAKE2B_256 || alg == SVMC_ALG_HMAC_SHA_256;
        enum svmc_status st = ops->hash_begin(ops->ctx, &state, alg);

        CHECK_EQ(st, hash ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", (unsigned)alg);
        if (st == SVMC_OK) /* given up */
            CHECK(ops->hash_end(ops->ctx, &state, NULL) != SVMC_OK);
        CHECK_EQ(ops->mac(ops->ctx, alg, key, &none, 1, out), mac ? SVMC_OK : SVMC_ERR_UNSUPPORTED,
                 "%x", (unsigned)alg);
    }
    CHECK_EQ(ops->equal(ops->ctx, a, a, 3), SVMC_OK);
    CHECK_EQ(ops->equal(ops->ctx, a, b, 2), SVMC_OK);
    CHECK(ops->equal(ops->ctx, a, b, 3) != SVMC_OK);
    CHECK_EQ(ops->equal(ops->ctx, a, b, 0), SVMC_OK, "nothing is the same as nothing");
}

TEST(sodium, a_policy_has_the_digest_of_its_bytes) /* PO-7 */
{
    static uint8_t bytes[4096];
    uint8_t digest[32], again[32];
    size_t len;

    CHECK_EQ(svmc_policy_preset(&policy, SVMC_PRESET_SECURE, 8, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(svmc_policy_save(&policy, bytes, sizeof bytes, &len), SVMC_OK);
    CHECK_EQ(svmc_policy_digest(&policy, svmc_sodium_ops(), digest), SVMC_OK);
    CHECK_EQ(svmc_crypto_hash(svmc_sodium_ops(), SVMC_ALG_SHA_256, bytes, len, again), SVMC_OK);
    CHECK_MEM(digest, again, sizeof digest);
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_policy_digest(&policy, &fake.ops, again), SVMC_OK);
    CHECK_MEM(digest, again, sizeof digest, "the second implementation");
}
