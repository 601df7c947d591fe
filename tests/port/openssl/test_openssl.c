/* SPDX-License-Identifier: MIT */
/* The OpenSSL back end: what every back end passes is in ../back_end.c. */
#include <svmcore/port/openssl.h>

#include "../../fakehost/crypto.h"
#include "../../harness.h"
#include "../back_end.h"

const unsigned back_end_ciphers = 1u << 0 | 1u << 1 | 1u << 3;

const struct svmc_crypto_ops *back_end(void)
{
    return svmc_openssl_ops();
}

static struct fake_crypto fake;

TEST(openssl, hashes_and_macs_are_those_of_the_second_implementation) /* CR-3 CR-4 CR-6 CR-7 */
{
    const struct svmc_crypto_ops *ops = svmc_openssl_ops();
    uint8_t key[SVMC_MAC_KEY_BYTES], bytes[600], a[SVMC_HASH_BYTES], b[SVMC_HASH_BYTES];
    uint64_t rng = harness_seed();

    fake_crypto_init(&fake);
    REQUIRE(ops != NULL);
    for (unsigned round = 0; round < 1000; round++) {
        uint32_t hash = round & 1 ? SVMC_ALG_SHA_256 : SVMC_ALG_BLAKE2B_256;
        uint32_t mac = round & 1 ? SVMC_ALG_HMAC_SHA_256 : SVMC_ALG_MAC_BLAKE2B_256;
        size_t n = (size_t)(harness_random(&rng) % (sizeof bytes + 1));
        size_t cut = (size_t)(harness_random(&rng) % (n + 1));
        const struct svmc_bytes whole = { bytes, n };
        const struct svmc_bytes pieces[] = { { bytes, cut },
                                             { NULL, 0 },
                                             { bytes + cut, n - cut } };
        struct svmc_hash_state state;

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)harness_random(&rng);
        memcpy(key, bytes + 100, sizeof key);
        CHECK_EQ(ops->hash_begin(ops->ctx, &state, hash), SVMC_OK);
        if (cut != 0)
            CHECK_EQ(ops->hash_add(ops->ctx, &state, bytes, cut), SVMC_OK);
        if (n != cut)
            CHECK_EQ(ops->hash_add(ops->ctx, &state, bytes + cut, n - cut), SVMC_OK);
        CHECK_EQ(ops->hash_end(ops->ctx, &state, a), SVMC_OK);
        for (size_t i = 0; i < sizeof state / 8; i++)
            CHECK_EQ(state.priv[i], 0, "no trace is left");
        CHECK_EQ(svmc_crypto_hash(&fake.ops, (enum svmc_alg)hash, bytes, n, b), SVMC_OK);
        CHECK_MEM(a, b, sizeof a, "hash %x of %zu", (unsigned)hash, n);
        CHECK_EQ(ops->mac(ops->ctx, mac, key, pieces, 3, a), SVMC_OK);
        CHECK_EQ(fake.ops.mac(&fake, mac, key, &whole, 1, b), SVMC_OK);
        CHECK_MEM(a, b, sizeof a, "mac %x of %zu", (unsigned)mac, n);
    }
    for (uint32_t alg = 0; alg < 256; alg++) { /* begun and given up; what is not known */
        struct svmc_hash_state state;
        const struct svmc_bytes none = { NULL, 0 };
        bool hash = alg == 0x11 || alg == 0x12, mac = alg == 0x21 || alg == 0x22;
        enum svmc_status st = ops->hash_begin(ops->ctx, &state, alg);

        CHECK_EQ(st, hash ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", (unsigned)alg);
        if (st == SVMC_OK)
            CHECK(ops->hash_end(ops->ctx, &state, NULL) != SVMC_OK);
        CHECK_EQ(ops->mac(ops->ctx, alg, key, &none, 1, a), mac ? SVMC_OK : SVMC_ERR_UNSUPPORTED,
                 "%x", (unsigned)alg);
    }
    CHECK_EQ(ops->equal(ops->ctx, "abc", "abd", 2), SVMC_OK);
    CHECK(ops->equal(ops->ctx, "abc", "abd", 3) != SVMC_OK);
    CHECK_EQ(ops->equal(ops->ctx, "abc", "abd", 0), SVMC_OK);
}
