/* SPDX-License-Identifier: MIT */
/* What every back end has to pass: published vectors, the tests' own ciphers and hashes on random
   messages, every flipped bit, lanes at once, and no trace of a key. */
#include "back_end.h"

#include <pthread.h>

#include "../../src/core/crypto_ops.h"
#include "../fakehost/crypto.h"
#include "../harness.h"

#define TEXT 700u

static struct fake_crypto fake;
static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room, fake_room;
static const uint8_t ciphers[] = { 0x31, 0x32, 0x33, 0x41 };

static void fill(void *at, size_t n, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)at)[i] = (uint8_t)harness_random(rng);
}

TEST(back_end, offers_what_it_says_and_says_what_it_lacks) /* CR-1 CR-5 CR-8 CR-16 */
{
    const struct svmc_crypto_ops *ops = back_end();
    static const uint8_t others[] = { 0x11, 0x12, 0x21, 0x22, 0x51, 0x52 };

    REQUIRE(ops != NULL);
    CHECK_EQ(ops->size, sizeof *ops);
    CHECK_EQ(svmc_crypto_self_test(ops), SVMC_OK);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(svmc_crypto_try(ops, (enum svmc_alg)ciphers[i], &room),
                 back_end_ciphers >> i & 1 ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", ciphers[i]);
    for (unsigned i = 0; i < sizeof others; i++)
        CHECK_EQ(svmc_crypto_try(ops, (enum svmc_alg)others[i], &room), SVMC_OK, "%x", others[i]);
    for (uint32_t alg = 0; alg < 0x200; alg++) {
        uint8_t key[64] = { 1 }, out[64];
        const struct svmc_bytes none = { NULL, 0 };
        bool known = alg < 256 && (memchr(ciphers, (int)alg, 4) || memchr(others, (int)alg, 6));

        if (known)
            continue;
        CHECK_EQ(ops->cipher_load(ops->ctx, &room, alg, key, 1), SVMC_ERR_UNSUPPORTED, "%x",
                 (unsigned)alg);
        CHECK_EQ(ops->derive(ops->ctx, alg, key, &none, 1, out), SVMC_ERR_UNSUPPORTED, "%x",
                 (unsigned)alg);
    }
}

TEST(back_end, a_load_is_checked) /* CR-9 CR-14 */
{
    const struct svmc_crypto_ops *ops = back_end();
    uint8_t key[64] = { 1 };

    for (unsigned i = 0; i < 4; i++) {
        if (!(back_end_ciphers >> i & 1))
            continue;
        CHECK_EQ(ops->cipher_load(ops->ctx, &room, ciphers[i], key, 0), SVMC_ERR_ARG);
        CHECK_EQ(ops->cipher_load(ops->ctx, &room, ciphers[i], key, 257), SVMC_ERR_ARG);
        CHECK_EQ(ops->cipher_load(ops->ctx, (struct svmc_cipher_key *)(void *)&room.priv[1],
                                  ciphers[i], key, 1),
                 SVMC_ERR_ARG);
        CHECK_EQ(ops->cipher_load(ops->ctx, &room, ciphers[i], key, 256), SVMC_OK);
        ops->cipher_drop(ops->ctx, &room);
        for (size_t w = 0; w < sizeof room / 8; w++)
            CHECK_EQ(room.priv[w], 0, "no trace is left");
    }
    memset(key, 3, sizeof key);
    if (back_end_ciphers >> 3 & 1)
        CHECK_EQ(ops->cipher_load(ops->ctx, &room, SVMC_ALG_AES_256_XTS, key, 1), SVMC_ERR_ARG,
                 "halves that are the same");
}

/* A message of the tests' own cipher; here it is sealed, there it is opened, in place and not. */
static void beside_the_fake(const struct svmc_crypto_ops *ops, uint8_t alg, uint64_t *rng)
{
    static uint8_t plain[TEXT], here[TEXT], there[TEXT], ad[SVMC_AD_BYTES_MAX], nonce[24];
    uint8_t tag[16], fake_tag[16];
    size_t n = (size_t)(harness_random(rng) % (TEXT + 1));
    size_t ad_bytes = (size_t)(harness_random(rng) % (sizeof ad + 1));
    size_t cut = (size_t)(harness_random(rng) % (ad_bytes + 1));
    const struct svmc_bytes pieces[] = { { ad, cut }, { NULL, 0 }, { ad + cut, ad_bytes - cut } };
    const struct svmc_bytes whole = { ad, ad_bytes };
    struct svmc_cipher_unit u = { (uint32_t)(n % 3), 3, pieces, nonce, plain, here, n, tag };
    struct svmc_cipher_unit f = { 0, 1, &whole, nonce, plain, there, n, fake_tag };

    fill(plain, n, rng);
    fill(ad, sizeof ad, rng);
    fill(nonce, sizeof nonce, rng);
    if (alg == SVMC_ALG_AES_256_XTS) {
        u.n = f.n = n = n < 16 ? n + 16 : n;
        CHECK_EQ(core_cipher_crypt(ops, &room, &u, true), SVMC_OK);
        CHECK_EQ(core_cipher_crypt(&fake.ops, &fake_room, &f, true), SVMC_OK);
        CHECK_MEM(here, there, n, "%zu bytes", n);
        u.in = u.out = here;
        CHECK_EQ(core_cipher_crypt(ops, &room, &u, false), SVMC_OK);
        CHECK_MEM(here, plain, n, "%zu bytes", n);
        return;
    }
    CHECK_EQ(core_cipher_seal(ops, &room, &u), SVMC_OK);
    CHECK_EQ(core_cipher_seal(&fake.ops, &fake_room, &f), SVMC_OK);
    CHECK_MEM(here, there, n, "%x, %zu bytes", alg, n);
    CHECK_MEM(tag, fake_tag, 16, "%x, %zu bytes, %zu of ad", alg, n, ad_bytes);
    if (harness_random(rng) & 1)
        u.in = here; /* in place */
    else
        u.in = there;
    CHECK_EQ(core_cipher_open(ops, &room, &u), SVMC_OK, "%x", alg);
    CHECK_MEM(here, plain, n, "%x", alg);
    u.in = here; /* sealed in place */
    CHECK_EQ(core_cipher_seal(ops, &room, &u), SVMC_OK);
    CHECK_MEM(here, there, n, "%x", alg);
}

TEST(back_end, agrees_with_the_tests_own_ciphers) /* CR-12 CR-13 CR-14 */
{
    const struct svmc_crypto_ops *ops = back_end();
    uint64_t rng = harness_seed();
    uint8_t key[64];

    fake_crypto_init(&fake);
    for (unsigned round = 0; round < 400; round++) {
        uint8_t alg = ciphers[round % 4];

        if (!(back_end_ciphers >> round % 4 & 1))
            continue;
        fill(key, sizeof key, &rng);
        REQUIRE(core_cipher_load(ops, &room, alg, key, 3) == SVMC_OK);
        REQUIRE(core_cipher_load(&fake.ops, &fake_room, alg, key, 1) == SVMC_OK);
        for (unsigned i = 0; i < 4; i++)
            beside_the_fake(ops, alg, &rng);
        ops->cipher_drop(ops->ctx, &room);
    }
}

TEST(back_end, derives_as_the_tests_own) /* CR-15 */
{
    const struct svmc_crypto_ops *ops = back_end();
    uint8_t key[32], message[300], a[64], b[64];
    uint64_t rng = harness_seed();

    fake_crypto_init(&fake);
    for (unsigned round = 0; round < 600; round++) {
        uint32_t alg = round & 1 ? SVMC_ALG_DERIVE_BLAKE2B : SVMC_ALG_HKDF_SHA_256;
        size_t n = (size_t)(harness_random(&rng) % (sizeof message + 1));
        size_t cut = (size_t)(harness_random(&rng) % (n + 1));
        const struct svmc_bytes whole = { message, n };
        const struct svmc_bytes pieces[] = { { message, cut },
                                             { NULL, 0 },
                                             { message + cut, n - cut } };

        fill(key, sizeof key, &rng);
        fill(message, sizeof message, &rng);
        CHECK_EQ(ops->derive(ops->ctx, alg, key, pieces, 3, a), SVMC_OK);
        CHECK_EQ(fake.ops.derive(&fake, alg, key, &whole, 1, b), SVMC_OK);
        CHECK_MEM(a, b, 64, "%x of %zu", (unsigned)alg, n);
    }
}

/* One bit of something is another; the unit is refused, and shows nothing. */
static void refused(const struct svmc_crypto_ops *ops, struct svmc_cipher_unit *u, uint8_t *at,
                    size_t n, const char *what)
{
    static const uint8_t nothing[TEXT];

    for (size_t bit = 0; bit < 8 * n; bit++) {
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(u->out, 0x77, u->n);
        CHECK_EQ(ops->open(ops->ctx, &room, u), SVMC_ERR_AUTH, "%s, bit %zu", what, bit);
        CHECK_MEM(u->out, nothing, u->n, "%s, bit %zu shows something", what, bit);
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

TEST(back_end, each_flipped_bit_is_refused) /* CR-12 */
{
    const struct svmc_crypto_ops *ops = back_end();
    uint8_t key[64], nonce[24], ad[40], tag[16];
    static uint8_t plain[576], sealed[576], out[576];
    uint64_t rng = harness_seed();

    for (unsigned i = 0; i < 3; i++) {
        const struct svmc_bytes piece = { ad, sizeof ad };
        struct svmc_cipher_unit u = { 0, 1, &piece, nonce, plain, sealed, sizeof plain, tag };

        if (!(back_end_ciphers >> i & 1))
            continue;
        fill(key, sizeof key, &rng);
        fill(nonce, sizeof nonce, &rng);
        fill(ad, sizeof ad, &rng);
        fill(plain, sizeof plain, &rng);
        REQUIRE(ops->cipher_load(ops->ctx, &room, ciphers[i], key, 1) == SVMC_OK);
        CHECK_EQ(ops->seal(ops->ctx, &room, &u), SVMC_OK);
        u.in = sealed;
        u.out = out;
        refused(ops, &u, sealed, sizeof sealed, "text");
        refused(ops, &u, tag, sizeof tag, "tag");
        refused(ops, &u, ad, sizeof ad, "additional data");
        refused(ops, &u, nonce, svmc_cipher_shape_of(ciphers[i]).nonce_bytes, "nonce");
        u.out = sealed; /* in place it costs the text */
        tag[0] ^= 1;
        CHECK_EQ(ops->open(ops->ctx, &room, &u), SVMC_ERR_AUTH);
        for (size_t at = 0; at < sizeof sealed; at++)
            CHECK_EQ(sealed[at], 0, "%zu", at);
        ops->cipher_drop(ops->ctx, &room);
    }
}

TEST(back_end, limits_are_held) /* CR-13 CR-10 */
{
    const struct svmc_crypto_ops *ops = back_end();
    static uint8_t ad[SVMC_AD_BYTES_MAX + 1], text[64];
    uint8_t key[64] = { 1 }, nonce[24] = { 0 }, tag[16];

    for (unsigned i = 0; i < 4; i++) {
        const struct svmc_bytes over[] = { { ad, 200 }, { ad, 57 } }, one = { ad, sizeof ad };
        struct svmc_cipher_unit u = { 2, 0, NULL, nonce, text, text, sizeof text, tag };

        if (!(back_end_ciphers >> i & 1))
            continue;
        REQUIRE(ops->cipher_load(ops->ctx, &room, ciphers[i], key, 2) == SVMC_OK);
        if (i == 3) {
            CHECK(ops->crypt(ops->ctx, &room, &u, 1) != SVMC_OK, "a lane too many");
            u.lane = 0;
            for (u.n = 0; u.n < 16; u.n++)
                CHECK(ops->crypt(ops->ctx, &room, &u, 1) != SVMC_OK, "less than a block");
            u.n = SVMC_CIPHER_BYTES_MAX + 1;
            CHECK(ops->crypt(ops->ctx, &room, &u, 1) != SVMC_OK, "more than a data unit");
        } else {
            CHECK(ops->seal(ops->ctx, &room, &u) != SVMC_OK, "a lane too many");
            CHECK(ops->open(ops->ctx, &room, &u) != SVMC_OK, "a lane too many");
            u.lane = 1;
            u.pieces = 2;
            u.ad = over;
            CHECK(ops->seal(ops->ctx, &room, &u) != SVMC_OK, "too much additional data");
            CHECK(ops->open(ops->ctx, &room, &u) != SVMC_OK, "too much additional data");
            u.pieces = 1;
            u.ad = &one;
            CHECK(ops->seal(ops->ctx, &room, &u) != SVMC_OK, "too much in one piece");
            u.pieces = 0;
            u.n = SVMC_CIPHER_BYTES_MAX + 1;
            CHECK(ops->seal(ops->ctx, &room, &u) != SVMC_OK, "too much text");
            u.n = 0;
            u.in = u.out = NULL;
            CHECK_EQ(ops->seal(ops->ctx, &room, &u), SVMC_OK, "nothing at all");
            CHECK_EQ(ops->open(ops->ctx, &room, &u), SVMC_OK, "nothing at all");
        }
        ops->cipher_drop(ops->ctx, &room);
    }
}

/* Two threads, two lanes of one key: each gets what it gets alone. */
static pthread_barrier_t start;

struct lane {
    pthread_t thread;
    uint32_t lane;
    uint8_t alg;
    unsigned wrong;
};

static void *use_lane(void *arg)
{
    const struct svmc_crypto_ops *ops = back_end();
    uint8_t text[2000], want[2000], nonce[24] = { 0 }, tag[16];
    struct lane *l = arg;

    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < 10000; i++) {
        struct svmc_cipher_unit u = { l->lane, 0, NULL, nonce, text, text, sizeof text, tag };

        memcpy(nonce + 1, &i, sizeof i);
        nonce[0] = (uint8_t)l->lane;
        memset(text, (int)(i + l->lane), sizeof text);
        memcpy(want, text, sizeof want);
        if (l->alg == SVMC_ALG_AES_256_XTS)
            l->wrong += core_cipher_crypt(ops, &room, &u, true) != SVMC_OK ||
                        core_cipher_crypt(ops, &room, &u, false) != SVMC_OK;
        else
            l->wrong += core_cipher_seal(ops, &room, &u) != SVMC_OK ||
                        core_cipher_open(ops, &room, &u) != SVMC_OK;
        l->wrong += memcmp(text, want, sizeof text) != 0;
    }
    return NULL;
}

TEST(back_end, lanes_do_not_meet) /* CR-10 */
{
    const struct svmc_crypto_ops *ops = back_end();
    const uint8_t key[64] = { 9 };

    for (unsigned i = 0; i < 4; i++) {
        struct lane lanes[2] = { { .lane = 0, .alg = ciphers[i] },
                                 { .lane = 1, .alg = ciphers[i] } };

        if (!(back_end_ciphers >> i & 1))
            continue;
        REQUIRE(ops->cipher_load(ops->ctx, &room, ciphers[i], key, 2) == SVMC_OK);
        pthread_barrier_init(&start, NULL, 2);
        for (unsigned t = 0; t < 2; t++)
            REQUIRE(pthread_create(&lanes[t].thread, NULL, use_lane, &lanes[t]) == 0);
        for (unsigned t = 0; t < 2; t++)
            pthread_join(lanes[t].thread, NULL);
        CHECK_EQ(lanes[0].wrong + lanes[1].wrong, 0, "%x", ciphers[i]);
        ops->cipher_drop(ops->ctx, &room);
    }
}
