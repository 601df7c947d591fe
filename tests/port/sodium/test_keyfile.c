/* SPDX-License-Identifier: MIT */
/* docs/spec/keyfile.md: keys under a passphrase; files that are cut, changed, greedy. What a file
   is made of is put together here once more with libsodium's own calls. */
#include <sodium.h>
#include <svmcore/key_cache.h>
#include <svmcore/port/keyfile.h>
#include <svmcore/port/sodium.h>

#include "../../harness.h"

#define MEMORY 64u /* KiB: as little as is quick */

static const struct svmc_keyfile_passphrase right = { "correct horse", 13 };
static const struct svmc_keyfile_passphrase wrong = { "correct hors", 12 };
static const struct svmc_keyfile_cost cheap = { 1, MEMORY };
static const uint8_t name[] = { 'k', 'e', 'k', '-', '1' };

static uint8_t file[SVMC_KEYFILE_BYTES];

static void begin(void)
{
    REQUIRE(svmc_keyfile_create(file, &right, name, sizeof name, &cheap) == SVMC_OK);
}

static enum svmc_status try_open(const void *bytes, size_t n,
                                 const struct svmc_keyfile_passphrase *p)
{
    struct svmc_keyfile *opened;
    enum svmc_status st = svmc_keyfile_open(&opened, bytes, n, p, MEMORY);

    CHECK((opened != NULL) == (st == SVMC_OK));
    svmc_keyfile_close(opened);
    return st;
}

/* The key that the provider of a file gives. */
static bool key_of(const uint8_t *bytes, const struct svmc_keyfile_passphrase *p, uint8_t key[32])
{
    struct svmc_provider_answer answer = { 0 };
    const struct svmc_provider_ops *ops;
    struct svmc_keyfile *opened;
    bool ok;

    if (svmc_keyfile_open(&opened, bytes, SVMC_KEYFILE_BYTES, p, MEMORY) != SVMC_OK)
        return false;
    ops = svmc_keyfile_ops(opened);
    ok = ops->request(ops->ctx, 5, name, sizeof name, 0) == SVMC_OK &&
         ops->poll(ops->ctx, 5, 0, &answer) == SVMC_OK && answer.key_bytes == 32;
    memcpy(key, answer.key, 32);
    svmc_keyfile_close(opened);
    return ok;
}

TEST(keyfile, a_file_is_what_the_document_says) /* KF-1 KF-2 */
{
    uint8_t hash[32], derived[64], key[32], given[32];

    begin();
    CHECK_MEM(file, "SVMF\1\1\x33\0\1\0\0\0\x40\0\0\0", 16);
    CHECK(file[56] == 5 && memcmp(file + 64, name, 5) == 0 && file[69] == 0);
    CHECK_EQ(crypto_pwhash(hash, 32, right.at, right.bytes, file + 16, 1, MEMORY * 1024,
                           crypto_pwhash_ALG_ARGON2ID13),
             0);
    CHECK_EQ(crypto_generichash(derived, 64, file, 128, hash, 32), 0);
    CHECK_MEM(file + 128, derived + 32, 32);
    CHECK_EQ(crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
                 key, NULL, file + 160, 32, file + 192, file, 160, file + 32, derived),
             0);
    CHECK(key_of(file, &right, given));
    CHECK_MEM(key, given, 32);
}

TEST(keyfile, no_two_files_are_the_same) /* KF-1 */
{
    uint8_t first[SVMC_KEYFILE_BYTES], a[32], b[32];

    begin();
    memcpy(first, file, sizeof first);
    begin();
    CHECK(memcmp(first + 16, file + 16, 40) != 0);
    CHECK(key_of(first, &right, a) && key_of(file, &right, b) && memcmp(a, b, 32) != 0);
}

TEST(keyfile, another_passphrase_opens_nothing) /* KF-4 */
{
    const struct svmc_keyfile_passphrase none = { "", 0 }, null = { NULL, 5 };

    begin();
    CHECK_EQ(try_open(file, sizeof file, &right), SVMC_OK);
    CHECK_EQ(try_open(file, sizeof file, &wrong), SVMC_ERR_KEY);
    CHECK_EQ(try_open(file, sizeof file, &none), SVMC_ERR_ARG);
    CHECK_EQ(try_open(file, sizeof file, &null), SVMC_ERR_ARG);
    CHECK_EQ(try_open(file, sizeof file, NULL), SVMC_ERR_ARG);
    CHECK_EQ(try_open(NULL, sizeof file, &right), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyfile_open(NULL, file, sizeof file, &right, MEMORY), SVMC_ERR_ARG);
}

TEST(keyfile, each_changed_bit_is_refused) /* KF-3 KF-4 */
{
    begin();
    for (size_t bit = 0; bit < sizeof file * 8; bit++) {
        const size_t at = bit / 8;
        enum svmc_status st, want = at < 4     ? SVMC_ERR_FORMAT
                                    : at < 7   ? SVMC_ERR_UNSUPPORTED
                                    : at == 7  ? SVMC_ERR_FORMAT
                                    : at < 16  ? SVMC_ERR_FULL
                                    : at < 56  ? SVMC_ERR_KEY
                                    : at < 64  ? SVMC_ERR_FORMAT
                                    : at < 69  ? SVMC_ERR_KEY
                                    : at < 128 ? SVMC_ERR_FORMAT
                                    : at < 160 ? SVMC_ERR_KEY
                                               : SVMC_ERR_AUTH;

        file[at] ^= (uint8_t)(1u << bit % 8);
        st = try_open(file, sizeof file, &right);
        /* another cost that is allowed, or a longer name, is another key */
        CHECK(st == want || (((at >= 8 && at < 16) || at == 56) && st == SVMC_ERR_KEY),
              "byte %zu: %x", at, st);
        file[at] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(try_open(file, sizeof file, &right), SVMC_OK);
    for (size_t n = 0; n < sizeof file; n++)
        CHECK_EQ(try_open(file, n, &right), SVMC_ERR_FORMAT);
}

TEST(keyfile, a_greedy_file_gets_nothing) /* KF-3 */
{
    struct svmc_keyfile *opened;

    begin();
    CHECK_EQ(svmc_keyfile_open(&opened, file, sizeof file, &right, MEMORY - 1), SVMC_ERR_FULL);
    CHECK(opened == NULL);
    memset(file + 8, 0xff, 4);
    CHECK_EQ(svmc_keyfile_open(&opened, file, sizeof file, &right, UINT32_MAX), SVMC_ERR_FULL);
    memset(file + 8, 0, 4);
    CHECK_EQ(svmc_keyfile_open(&opened, file, sizeof file, &right, UINT32_MAX), SVMC_ERR_FULL);
    file[8] = 1;
    memset(file + 12, 0xff, 4);
    CHECK_EQ(svmc_keyfile_open(&opened, file, sizeof file, &right, UINT32_MAX), SVMC_ERR_FULL);
}

TEST(keyfile, what_cannot_be_created_is_zero) /* KF-1 */
{
    static const struct svmc_keyfile_cost bad[] = {
        { 0, 64 }, { 65, 64 }, { 1, 7 }, { 1, 4194305 }
    };
    static const uint8_t nothing[SVMC_KEYFILE_BYTES];

    for (size_t i = 0; i < 8; i++) {
        memset(file, 0x55, sizeof file);
        CHECK_EQ(svmc_keyfile_create(file, i == 4 ? NULL : &right, i == 5 ? NULL : name,
                                     i == 6   ? 0
                                     : i == 7 ? 65
                                              : sizeof name,
                                     i < 4 ? &bad[i] : &cheap),
                 SVMC_ERR_ARG, "%zu", i);
        CHECK_MEM(file, nothing, sizeof nothing);
    }
    CHECK_EQ(svmc_keyfile_create(NULL, &right, name, 5, &cheap), SVMC_ERR_ARG);
}

TEST(keyfile, a_passphrase_is_changed_and_the_key_is_not) /* KF-5 */
{
    const struct svmc_keyfile_cost dear = { 2, MEMORY / 2 }, bad = { 0, 0 };
    uint8_t before[SVMC_KEYFILE_BYTES], a[32], b[32];

    begin();
    memcpy(before, file, sizeof before);
    CHECK(key_of(file, &right, a));
    CHECK_EQ(svmc_keyfile_change(file, &wrong, &right, &cheap, MEMORY), SVMC_ERR_KEY);
    CHECK_EQ(svmc_keyfile_change(file, &right, &wrong, &bad, MEMORY), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyfile_change(file, &right, &wrong, &cheap, 8), SVMC_ERR_FULL);
    CHECK_EQ(svmc_keyfile_change(file, &right, NULL, &cheap, MEMORY), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyfile_change(NULL, &right, &wrong, &cheap, MEMORY), SVMC_ERR_ARG);
    CHECK_MEM(file, before, sizeof before);
    CHECK_EQ(svmc_keyfile_change(file, &right, &wrong, &dear, MEMORY), SVMC_OK);
    CHECK_EQ(file[8], 2);
    CHECK(memcmp(file + 16, before + 16, 40) != 0, "salt and nonce are fresh");
    CHECK_EQ(try_open(file, sizeof file, &right), SVMC_ERR_KEY);
    CHECK(key_of(file, &wrong, b));
    CHECK_MEM(a, b, 32);
}

TEST(keyfile, a_cache_gets_its_key_from_it) /* KF-6 PR-12 */
{
    static _Alignas(64) uint8_t memory[SVMC_KEY_CACHE_BYTES(2)];
    struct svmc_key_cache_config config = { .crypto = svmc_sodium_ops(),
                                            .providers = 1,
                                            .derive = SVMC_ALG_DERIVE_BLAKE2B,
                                            .timeout_ns = 1000,
                                            .lease_ns = 1000 };
    struct svmc_key_wanted wanted = { .id = name,
                                      .id_bytes = sizeof name,
                                      .alg = SVMC_KEY_FOR_AES,
                                      .usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN };
    struct svmc_key_cache cache;
    struct svmc_key_news news;
    struct svmc_keyfile *opened;

    begin();
    REQUIRE(svmc_keyfile_open(&opened, file, sizeof file, &right, MEMORY) == SVMC_OK);
    config.provider[0] = svmc_keyfile_ops(opened);
    CHECK_EQ(svmc_key_cache_init(&cache, &config, memory, sizeof memory), SVMC_OK);
    CHECK_EQ(svmc_key_cache_get(&cache, 0, &wanted, &news), SVMC_ERR_ABSENT);
    (void)svmc_key_cache_step(&cache, 0, NULL);
    CHECK_EQ(svmc_key_cache_step(&cache, 1, NULL), 1);
    CHECK_EQ(svmc_key_cache_get(&cache, 1, &wanted, &news), SVMC_OK);
    wanted.id_bytes--;
    CHECK_EQ(svmc_key_cache_get(&cache, 1, &wanted, &news), SVMC_ERR_ABSENT);
    (void)svmc_key_cache_step(&cache, 1, NULL);
    (void)svmc_key_cache_step(&cache, 2, NULL);
    CHECK_EQ(svmc_key_cache_get(&cache, 2, &wanted, &news), SVMC_ERR_ABSENT, "no pause was set");
    CHECK_EQ(svmc_key_cache_count(&cache, SVMC_KEY_COUNT_FAILED), 1);
    svmc_key_cache_drop(&cache);
    svmc_keyfile_close(opened);
    svmc_keyfile_close(NULL);
    CHECK(svmc_keyfile_ops(NULL) == NULL);
}
