/* SPDX-License-Identifier: MIT */
/* docs/spec/seal.md: the gate with each of its refusals, subkeys that nobody shares, units put
   together by hand from the document, a back end that fails or lies at every call. */
#include "../../src/core/bytes.h"
#include "../../src/keyslot/sealing.h"
#include "../fakehost/cipher.h"
#include "seal_lab.h"

#define WORK (SVMC_KEYARENA_BYTES(1) - 64u) /* the cells begin behind it */

static struct seal_lab lab;
static struct svmc_seal_use use;
static uint8_t plain[96], sealed[96], back[96], tag[SVMC_TAG_BYTES];
static const uint8_t ad[] = "bound to it";

static const uint32_t algs[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305,
                                 SVMC_ALG_XCHACHA20_POLY1305 };
static const uint32_t purposes[] = { SVMC_KEY_PAGE, SVMC_KEY_DISK, SVMC_KEY_CONTEXT, SVMC_KEY_IMAGE,
                                     SVMC_KEY_TREE };
enum { ALGS = sizeof algs / sizeof algs[0], PURPOSES = sizeof purposes / sizeof purposes[0] };

static struct svmc_sealed_unit unit_of(const void *in, void *out, size_t bytes)
{
    return (struct svmc_sealed_unit){ .number = 0x123456789a,
                                      .version = 0xfedcba98765432,
                                      .ad = ad,
                                      .ad_bytes = sizeof ad,
                                      .in = in,
                                      .out = out,
                                      .bytes = bytes,
                                      .tag = tag };
}

static void begin(uint32_t alg, bool quick)
{
    seal_lab_init(&lab, alg, quick);
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7 + 1);
    memset(&use, 0, sizeof use);
}

static void begin_use(uint32_t purpose)
{
    begin(SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_seal_begin(&lab.sealer, purpose, 8, 64, &use) == SVMC_SEAL_NONE);
}

static enum svmc_seal_reason seal(size_t bytes)
{
    struct svmc_sealed_unit u = unit_of(plain, sealed, bytes);

    return svmc_seal_unit(&lab.sealer, 1, &use, &u);
}

/* ---- setting up ------------------------------------------------------------------------------*/

TEST(sealer, a_sealer_is_set_up_of_what_fits_together) /* SE-1 KS-19 */
{
    const struct svmc_keyslots_config pool = { .crypto = &lab.crypto.ops, .slots = 1, .lanes = 1 };
    struct svmc_sealer_config good, c;
    struct svmc_crypto_ops ops;
    struct svmc_sealer s;

    begin(SVMC_ALG_AES_256_GCM, false);
    good = seal_lab_config(&lab, SVMC_ALG_AES_256_GCM);
    CHECK_EQ(svmc_sealer_init(NULL, &good), SVMC_ERR_ARG);
    CHECK_EQ(svmc_sealer_init(&s, NULL), SVMC_ERR_ARG);
#define REFUSED(member, value, status)                                           \
    do {                                                                         \
        c = good;                                                                \
        c.member = value;                                                        \
        memset(&s, 0xa5, sizeof s);                                              \
        CHECK_EQ(svmc_sealer_init(&s, &c), status, #member);                     \
        CHECK(seal_lab_is_zero(&s, sizeof s), #member);                          \
        CHECK_EQ(svmc_seal_may(&s, 1, 1, 0, 0), SVMC_SEAL_UNPROTECTED, #member); \
    } while (0)
    REFUSED(crypto, NULL, SVMC_ERR_ARG);
    REFUSED(slots, NULL, SVMC_ERR_ARG);
    REFUSED(key, NULL, SVMC_ERR_ARG);
    REFUSED(protect, SVMC_PROTECT(SVMC_KEY_LINE), SVMC_ERR_ARG);
    REFUSED(protect, 1, SVMC_ERR_ARG);
    REFUSED(alg, SVMC_ALG_AES_256_XTS, SVMC_ERR_UNSUPPORTED);
    REFUSED(alg, 0x34, SVMC_ERR_UNSUPPORTED);
    ops = lab.crypto.ops;
    REFUSED(crypto, &ops, SVMC_ERR_ARG); /* not the pool's */
    lab.ks.priv.kind = SVMC_KEYSLOT_HARDWARE;
    REFUSED(domain, 7, SVMC_ERR_ARG);
    lab.ks.priv.kind = SVMC_KEYSLOT_SOFTWARE;
    lab.crypto.fake.lacks = SVMC_ALG_AES_256_GCM;
    REFUSED(domain, 7, SVMC_ERR_UNSUPPORTED);
    lab.crypto.fake.lacks = 0;
    REQUIRE(svmc_keyslots_init(&lab.ks, &pool, lab.pool, sizeof lab.pool) == SVMC_OK);
    REQUIRE(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 1, 1, &use) == SVMC_SEAL_NONE);
    REFUSED(domain, 7, SVMC_ERR_FULL); /* the only slot has a key */
#undef REFUSED
    CHECK_EQ(svmc_seal_end(&lab.sealer, &use), SVMC_OK);
    CHECK_EQ(svmc_sealer_init(&s, &good), SVMC_OK);
    CHECK_EQ(svmc_keyslot_state(&lab.ks, use.slot), SVMC_KEYSLOT_FREE);
}

TEST(sealer, one_derivation_is_enough) /* SE-2 */
{
    struct svmc_sealer_config c;
    struct svmc_sealer s;

    begin(SVMC_ALG_AES_256_GCM, false);
    c = seal_lab_config(&lab, SVMC_ALG_AES_256_GCM);
    lab.crypto.fake.lacks = SVMC_ALG_DERIVE_BLAKE2B;
    CHECK_EQ(svmc_sealer_init(&s, &c), SVMC_OK);
    lab.crypto.fake.lacks = SVMC_ALG_HKDF_SHA_256;
    CHECK_EQ(svmc_sealer_init(&s, &c), SVMC_OK);
    lab.crypto.ops.derive = NULL;
    CHECK_EQ(svmc_sealer_init(&s, &c), SVMC_ERR_UNSUPPORTED);
}

TEST(sealer, a_wrong_answer_ends_it) /* SE-2 */
{
    struct svmc_sealer_config c;
    struct svmc_sealer s;
    unsigned calls, told = 0;

    begin(SVMC_ALG_AES_256_GCM, false);
    c = seal_lab_config(&lab, SVMC_ALG_AES_256_GCM);
    lab.crypto.fake.calls = 0;
    CHECK_EQ(svmc_sealer_init(&s, &c), SVMC_OK);
    calls = lab.crypto.fake.calls;
    for (unsigned k = 1; k <= calls; k++)
        for (unsigned lie = 0; lie < 2; lie++) {
            lab.crypto.fake.calls = lab.crypto.fake.lied = 0;
            lab.crypto.fake.fail_at = lie ? 0 : k;
            lab.crypto.fake.lie_at = lie ? k : 0;
            memset(&s, 0xa5, sizeof s);
            if (svmc_sealer_init(&s, &c) == SVMC_OK) { /* not every call can lie */
                CHECK(lie && lab.crypto.fake.lied == 0, "%u", k);
                continue;
            }
            told++;
            for (unsigned p = 0; p < PURPOSES; p++) {
                CHECK_EQ(svmc_seal_may(&s, purposes[p], 1, 0, 0), SVMC_SEAL_SELF_TEST, "%u", k);
                CHECK_EQ(svmc_seal_may(&s, purposes[p], 0, 0, 0), SVMC_SEAL_SELF_TEST, "%u", k);
            }
            CHECK(seal_lab_is_empty(&lab), "%u", k);
        }
    CHECK(told > calls);
}

/* ---- the gate --------------------------------------------------------------------------------*/

enum { DESIGNATED, TESTED, KEY, STATE, USAGE, RANGE, EPOCH, CONDITIONS };

static const enum svmc_seal_reason refusal[CONDITIONS] = {
    SVMC_SEAL_UNPROTECTED, SVMC_SEAL_SELF_TEST, SVMC_SEAL_NO_KEY, SVMC_SEAL_KEY_STATE,
    SVMC_SEAL_USAGE,       SVMC_SEAL_RANGE,     SVMC_SEAL_EPOCH,
};

TEST(sealer, each_refusal_has_its_reason_and_its_place) /* SE-4 KH-12 */
{
    for (uint32_t wrong = 0; wrong < 1u << CONDITIONS; wrong++)
        for (uint32_t sealing = 0; sealing < 2; sealing++) {
            uint32_t usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN;
            enum svmc_seal_reason want = SVMC_SEAL_NONE;
            uint64_t first = 5;

            begin(SVMC_ALG_AES_256_GCM, false);
            if (wrong & 1u << DESIGNATED)
                lab.sealer.priv.protect &= ~SVMC_PROTECT(SVMC_KEY_PAGE);
            if (wrong & 1u << TESTED)
                lab.sealer.priv.tested = 0;
            if (wrong & 1u << EPOCH) {
                lab.crypto.fake.fail_at = lab.crypto.fake.calls + 1;
                CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_ERR_CALLBACK);
            }
            if (wrong & 1u << KEY)
                svmc_vmkey_drop(&lab.key);
            if (wrong & 1u << USAGE)
                usage = sealing ? SVMC_KEY_MAY_OPEN : SVMC_KEY_MAY_SEAL;
            if (wrong & 1u << RANGE)
                first = SVMC_SEAL_NUMBER_MAX + 1;
            svmc_sealer_key(&lab.sealer,
                            wrong & 1u << STATE ? SVMC_KEY_PRE_ACTIVE : SVMC_KEY_ACTIVE, usage);
            for (uint32_t c = 0; c < CONDITIONS && want == SVMC_SEAL_NONE; c++)
                if (wrong & 1u << c)
                    want = refusal[c];
            CHECK_EQ(svmc_seal_may(&lab.sealer, SVMC_KEY_PAGE, sealing, first, 1), want, "%x %u",
                     wrong, sealing);
        }
}

TEST(sealer, the_gate_at_its_edges) /* SE-4 */
{
    static const struct {
        uint64_t first, count;
        enum svmc_seal_reason want;
    } rows[] = {
        { 0, 0, SVMC_SEAL_NONE },
        { 0, SVMC_SEAL_NUMBER_MAX + 1, SVMC_SEAL_NONE },
        { 1, SVMC_SEAL_NUMBER_MAX, SVMC_SEAL_NONE },
        { 1, SVMC_SEAL_NUMBER_MAX + 1, SVMC_SEAL_RANGE },
        { SVMC_SEAL_NUMBER_MAX, 1, SVMC_SEAL_NONE },
        { SVMC_SEAL_NUMBER_MAX, 2, SVMC_SEAL_RANGE },
        { SVMC_SEAL_NUMBER_MAX + 1, 0, SVMC_SEAL_RANGE },
        { 1, UINT64_MAX, SVMC_SEAL_RANGE },
        { UINT64_MAX, UINT64_MAX, SVMC_SEAL_RANGE },
    };
    static const uint32_t none[] = { 0, SVMC_KEY_LINE, 7, 31, 32, 33, UINT32_MAX };

    begin(SVMC_ALG_AES_256_GCM, false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_EQ(svmc_seal_may(&lab.sealer, SVMC_KEY_DISK, 1, rows[i].first, rows[i].count),
                 rows[i].want, "%zu", i);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CHECK_EQ(svmc_seal_may(&lab.sealer, none[i], 1, 0, 0), SVMC_SEAL_UNPROTECTED, "%zu", i);
    CHECK_EQ(svmc_seal_may(NULL, SVMC_KEY_DISK, 1, 0, 0), SVMC_SEAL_UNPROTECTED);
    lab.crypto.fake.fail_at =
        lab.crypto.fake.calls + 1; /* without a fresh epoch what is of any still opens */
    CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_ERR_CALLBACK);
    for (unsigned p = 0; p < PURPOSES; p++) {
        bool fleeting = purposes[p] == SVMC_KEY_PAGE || purposes[p] == SVMC_KEY_CONTEXT;

        CHECK_EQ(svmc_seal_may(&lab.sealer, purposes[p], 1, 0, 0), SVMC_SEAL_EPOCH, "%u", p);
        CHECK_EQ(svmc_seal_may(&lab.sealer, purposes[p], 0, 0, 0),
                 fleeting ? SVMC_SEAL_EPOCH : SVMC_SEAL_NONE, "%u", p);
    }
}

TEST(sealer, a_keys_state_says_what_it_may) /* SE-3 */
{
    begin(SVMC_ALG_AES_256_GCM, false);
    for (uint32_t state = 0; state < 9; state++)
        for (uint32_t usage = 0; usage < 32; usage++) {
            bool open = state == SVMC_KEY_ACTIVE || state == SVMC_KEY_DEACTIVATED;

            svmc_sealer_key(&lab.sealer, state == 8 ? 0x10002 : state, usage);
            CHECK_EQ(svmc_seal_may(&lab.sealer, SVMC_KEY_PAGE, 1, 0, 0),
                     state != SVMC_KEY_ACTIVE ? SVMC_SEAL_KEY_STATE
                     : usage & 4              ? SVMC_SEAL_NONE
                                              : SVMC_SEAL_USAGE,
                     "%u %u", state, usage);
            CHECK_EQ(svmc_seal_may(&lab.sealer, SVMC_KEY_PAGE, 0, 0, 0),
                     !open       ? SVMC_SEAL_KEY_STATE
                     : usage & 8 ? SVMC_SEAL_NONE
                                 : SVMC_SEAL_USAGE,
                     "%u %u", state, usage);
        }
    svmc_sealer_key(NULL, SVMC_KEY_ACTIVE, 0);
}

TEST(sealer, a_reason_has_one_status) /* SE-4 */
{
    static const enum svmc_status want[] = {
        SVMC_OK,
        SVMC_ERR_REFUSED,
        SVMC_ERR_REFUSED,
        SVMC_ERR_REFUSED,
        SVMC_ERR_REFUSED,
        SVMC_ERR_ARG,
        SVMC_ERR_STALE,
        SVMC_ERR_FULL,
        SVMC_ERR_ABSENT,
        SVMC_ERR_FULL,
        SVMC_ERR_AUTH,
        SVMC_ERR_CALLBACK,
        SVMC_ERR_UNSUPPORTED,
        SVMC_ERR_STATE,
        SVMC_ERR_BUSY,
        SVMC_ERR_FORMAT,
        SVMC_ERR_OWNER,
        SVMC_ERR_PURPOSE,
        SVMC_ERR_STALE,
        SVMC_ERR_ARG,
    };

    for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++)
        CHECK_EQ(svmc_seal_status((enum svmc_seal_reason)i), want[i], "%u", i);
}

TEST(sealer, a_reason_has_a_name_of_its_own) /* SE-4 */
{
    static const struct {
        enum svmc_seal_reason reason;
        char name[24];
    } rows[] = {
        { SVMC_SEAL_NONE, "SVMC_SEAL_NONE" },
        { SVMC_SEAL_NO_KEY, "SVMC_SEAL_NO_KEY" },
        { SVMC_SEAL_TAG, "SVMC_SEAL_TAG" },
        { SVMC_SEAL_OLD, "SVMC_SEAL_OLD" },
        { (enum svmc_seal_reason)(SVMC_SEAL_OLD + 1), "SVMC_SEAL_?" },
        { (enum svmc_seal_reason)127, "SVMC_SEAL_?" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK(strcmp(svmc_seal_name(rows[i].reason), rows[i].name) == 0, "%s", rows[i].name);
    for (unsigned i = 0; i <= SVMC_SEAL_OLD; i++)
        for (unsigned k = 0; k < i; k++)
            CHECK(strcmp(svmc_seal_name((enum svmc_seal_reason)i),
                         svmc_seal_name((enum svmc_seal_reason)k)) != 0,
                  "%u %u", i, k);
}

/* ---- uses ------------------------------------------------------------------------------------*/

TEST(sealer, a_use_has_a_subkey_that_nobody_shares) /* SE-5 KH-13 */
{
    struct svmc_seal_use a, b;
    struct svmc_key_grant grant;

    begin(SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_vmkey_grant(&lab.key, SVMC_KEY_PAGE, 1, 1, &grant) == SVMC_OK);
    CHECK_EQ(grant.id.index, 0);
    CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 8, 64, &a), SVMC_SEAL_NONE);
    CHECK_EQ(a.id.index, 1);
    CHECK_EQ(a.calls, 8);
    CHECK_EQ(a.blocks, 72);
    CHECK_EQ(a.purpose, SVMC_KEY_PAGE);
    CHECK_EQ(a.alg, SVMC_ALG_AES_256_GCM);
    CHECK_EQ(svmc_vmkey_grant(&lab.key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, 2);
    CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 0, 0, &b), SVMC_SEAL_NONE);
    CHECK_EQ(b.id.index, 3);
    CHECK_EQ(b.calls, SVMC_SUBKEY_CALLS);
    CHECK_EQ(b.blocks, SVMC_SUBKEY_BLOCKS);
    CHECK_EQ(svmc_seal_end(&lab.sealer, &b), SVMC_OK);
    /* a limit that is raised again gives none of it away */
    CHECK_EQ(svmc_vmkey_limit(&lab.key, 10, 100), SVMC_OK);
    CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 0, 0, &b), SVMC_SEAL_NONE);
    CHECK_EQ(b.calls, 10);
    CHECK_EQ(b.blocks, 100);
    CHECK_EQ(svmc_vmkey_limit(&lab.key, SVMC_SUBKEY_CALLS, SVMC_SUBKEY_BLOCKS), SVMC_OK);
    CHECK_EQ(svmc_vmkey_grant(&lab.key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, b.id.index + 1);
}

TEST(sealer, more_than_a_subkey_may_is_refused) /* SE-5 */
{
    static const struct {
        uint64_t units, blocks;
        enum svmc_seal_reason want;
    } rows[] = {
        { 10, 90, SVMC_SEAL_NONE },         { 11, 11, SVMC_SEAL_RANGE },
        { 10, 91, SVMC_SEAL_RANGE },        { 0, 1, SVMC_SEAL_RANGE },
        { 1, 0, SVMC_SEAL_RANGE },          { 1, UINT64_MAX, SVMC_SEAL_RANGE },
        { UINT64_MAX, 1, SVMC_SEAL_RANGE },
    };

    begin(SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_vmkey_limit(&lab.key, 10, 100) == SVMC_OK);
    CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 1, 1, NULL), SVMC_SEAL_RANGE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&use, 0xa5, sizeof use);
        CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, rows[i].units, rows[i].blocks, &use),
                 rows[i].want, "%zu", i);
        CHECK_EQ(use.id.index, 0, "%zu", i); /* of the first: none is wasted */
        CHECK(rows[i].want == SVMC_SEAL_NONE || seal_lab_is_zero(&use, sizeof use), "%zu", i);
    }
}

TEST(sealer, slots_end) /* SE-5 SE-7 */
{
    struct svmc_seal_use uses[SEAL_LAB_SLOTS];

    begin(SVMC_ALG_AES_256_GCM, false);
    for (unsigned i = 0; i < SEAL_LAB_SLOTS; i++)
        CHECK_EQ(svmc_seal_begin(&lab.sealer, purposes[i % PURPOSES], 1, 1, &uses[i]),
                 SVMC_SEAL_NONE, "%u", i);
    CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 1, 1, &use), SVMC_SEAL_SLOTS);
    CHECK(seal_lab_is_zero(&use, sizeof use));
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_PAGE, algs[0], &uses[0].id, &use),
             SVMC_SEAL_SLOTS);
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_PAGE, algs[1], &uses[0].id, &use),
             SVMC_SEAL_SLOTS); /* the self-test has no room */
    for (unsigned i = 0; i < SEAL_LAB_SLOTS; i++) {
        CHECK_EQ(svmc_seal_end(&lab.sealer, &uses[i]), SVMC_OK, "%u", i);
        CHECK(seal_lab_is_zero(&uses[i], sizeof use), "%u", i);
    }
    CHECK(seal_lab_is_empty(&lab));
    CHECK_EQ(svmc_seal_end(&lab.sealer, &uses[0]), SVMC_OK); /* {0} */
    CHECK_EQ(svmc_seal_end(&lab.sealer, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_seal_end(NULL, &use), SVMC_ERR_ARG);
}

TEST(sealer, a_use_ends_when_nobody_is_at_it) /* SE-7 */
{
    struct svmc_keyslot_use held;
    struct svmc_seal_use copy;

    begin_use(SVMC_KEY_PAGE);
    copy = use;
    CHECK_EQ(svmc_keyslot_hold(&lab.ks, 2, use.slot, &held), SVMC_OK);
    CHECK_EQ(svmc_seal_end(&lab.sealer, &use), SVMC_ERR_BUSY);
    CHECK(memcmp(&use, &copy, sizeof use) == 0);
    CHECK_EQ(seal(16), SVMC_SEAL_STATE); /* nobody new */
    svmc_keyslot_release(&lab.ks, 2);
    CHECK_EQ(svmc_seal_end(&lab.sealer, &use), SVMC_OK);
    CHECK(seal_lab_is_zero(&use, sizeof use));
    CHECK(seal_lab_is_empty(&lab));
    use = copy;
    CHECK_EQ(seal(16), SVMC_SEAL_STATE);
    CHECK_EQ(use.calls, 8);
    CHECK_EQ(svmc_seal_end(&lab.sealer, &use), SVMC_OK); /* long gone */
}

/* ---- units -----------------------------------------------------------------------------------*/

/* docs/spec/keys.md, KH-6, and docs/spec/seal.md, SE-8, once more. */
static void by_hand(const struct svmc_sealed_unit *u, uint8_t *out, uint8_t want_tag[16])
{
    uint8_t message[16 + 48] = "svmcore subkey 1", derived[64], nonce[24] = { 0 },
                         fixed[16] = { 0 };
    struct fake_cipher c = { .alg = use.alg, .lanes = 1 };
    const struct svmc_bytes pieces[] = { { fixed, 16 }, { u->ad, u->ad_bytes } };
    struct svmc_cipher_unit cu = {
        .pieces = 2, .ad = pieces, .nonce = nonce, .in = u->in, .out = out, .n = u->bytes
    };

    message[16] = (uint8_t)use.purpose;
    message[17] = (uint8_t)use.alg;
    core_store_le64(message + 24, use.id.index);
    memcpy(message + 32, seal_lab_vm, 16);
    memcpy(message + 48, use.id.epoch, 16);
    fake_blake2b(derived, 64, lab.keys + WORK, 32, message, sizeof message);
    memcpy(c.key, derived, 32);
    for (unsigned i = 0; i < 5; i++)
        nonce[i] = (uint8_t)(u->number >> 8 * i);
    for (unsigned i = 0; i < 7; i++)
        nonce[5 + i] = (uint8_t)(u->version >> 8 * i);
    fixed[0] = (uint8_t)use.purpose;
    fixed[4] = (uint8_t)use.alg;
    core_store_le64(fixed + 8, u->bytes);
    fake_aead(&c, &cu, true, want_tag);
}

TEST(sealer, a_unit_is_what_the_document_says) /* SE-8 */
{
    static const size_t sizes[] = { 0, 1, 16, 17, 96 };

    for (unsigned a = 0; a < ALGS; a++)
        for (unsigned p = 0; p < PURPOSES; p++)
            for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
                struct svmc_sealed_unit u = unit_of(plain, sealed, sizes[n]);
                uint8_t want[96], want_tag[16];

                begin(algs[a], false);
                CHECK_EQ(svmc_seal_begin(&lab.sealer, purposes[p], 2, 12, &use), SVMC_SEAL_NONE);
                if (n % 2)
                    u.ad = NULL, u.ad_bytes = 0;
                if (sizes[n] == 0)
                    u.in = u.out = NULL;
                CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_NONE);
                by_hand(&u, want, want_tag);
                CHECK_MEM(sealed, want, sizes[n], "%u %u %u", a, p, n);
                CHECK_MEM(tag, want_tag, 16, "%u %u %u", a, p, n);
                u.in = u.out = sizes[n] == 0 ? NULL : sealed; /* in place */
                CHECK_EQ(svmc_open_unit(&lab.sealer, 3, &use, &u), SVMC_SEAL_NONE);
                CHECK_MEM(sealed, plain, sizes[n], "%u %u %u", a, p, n);
            }
}

TEST(sealer, all_of_a_unit_is_bound) /* SE-8 SE-12 */
{
    struct svmc_seal_use found, twin;
    uint8_t other[sizeof ad];
    struct svmc_sealed_unit u;

    begin_use(SVMC_KEY_DISK);
    REQUIRE(seal(96) == SVMC_SEAL_NONE);
    CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_DISK, 1, 1, &twin), SVMC_SEAL_NONE);
#define CHANGED(change, with)                                                       \
    do {                                                                            \
        u = unit_of(sealed, back, 96);                                              \
        memset(back, 0xa5, sizeof back);                                            \
        change;                                                                     \
        CHECK_EQ(svmc_open_unit(&lab.sealer, 0, with, &u), SVMC_SEAL_TAG, #change); \
        CHECK(seal_lab_is_zero(back, u.bytes), #change);                            \
    } while (0)
    CHANGED(u.number ^= 1, &use);
    CHANGED(u.number ^= (uint64_t)1 << 39, &use);
    CHANGED(u.version ^= 1, &use);
    CHANGED(u.version ^= (uint64_t)1 << 55, &use);
    CHANGED(u.ad_bytes--, &use);
    CHANGED(u.ad_bytes = 0, &use);
    CHANGED(u.bytes--, &use);
    CHANGED(u.bytes = 0, &use);
    memcpy(other, ad, sizeof ad);
    other[3] ^= 0x20;
    CHANGED(u.ad = other, &use);
    CHANGED((void)0, &twin); /* another index */
    for (unsigned bit = 0; bit < 96 * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHANGED((void)0, &use);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (unsigned bit = 0; bit < 16 * 8; bit++) {
        tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHANGED((void)0, &use);
        tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_IMAGE, use.alg, &use.id, &found), SVMC_SEAL_NONE);
    CHANGED((void)0, &found); /* another purpose */
    CHECK_EQ(svmc_seal_end(&lab.sealer, &found), SVMC_OK);
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[1], &use.id, &found), SVMC_SEAL_NONE);
    CHANGED((void)0, &found); /* another algorithm */
    CHECK_EQ(svmc_seal_end(&lab.sealer, &found), SVMC_OK);
    found = use;
    found.id.epoch[7] ^= 1;
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, use.alg, &found.id, &twin), SVMC_SEAL_NONE);
    CHANGED((void)0, &twin); /* another epoch */
    lab.sealer.priv.key = &lab.other;
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, use.alg, &use.id, &found), SVMC_SEAL_NONE);
    CHANGED((void)0, &found); /* another VM */
    lab.sealer.priv.key = &lab.key;
#undef CHANGED
    u = unit_of(sealed, back, 96);
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain, 96);
}

TEST(sealer, what_cannot_be_is_refused_before_the_cipher) /* SE-12 SE-8 */
{
    struct svmc_sealed_unit u;
    struct svmc_seal_use stranger;
    unsigned calls;

    begin_use(SVMC_KEY_PAGE);
    REQUIRE(seal(96) == SVMC_SEAL_NONE);
    calls = lab.crypto.fake.calls;
#define REFUSED(change, lane, want)                                           \
    do {                                                                      \
        u = unit_of(plain, back, 96);                                         \
        memset(back, 0xa5, sizeof back);                                      \
        change;                                                               \
        CHECK_EQ(svmc_seal_unit(&lab.sealer, lane, &use, &u), want, #change); \
        CHECK_EQ(back[0], 0xa5, #change);                                     \
        CHECK_EQ(svmc_open_unit(&lab.sealer, lane, &use, &u), want, #change); \
        CHECK(u.out == NULL || u.bytes > sizeof back || u.out == u.in ||      \
                  seal_lab_is_zero(back, u.bytes),                            \
              #change);                                                       \
        CHECK_EQ(use.calls, 7, #change);                                      \
    } while (0)
    REFUSED(u.number = SVMC_SEAL_NUMBER_MAX + 1, 0, SVMC_SEAL_RANGE);
    REFUSED(u.number = UINT64_MAX, 0, SVMC_SEAL_RANGE);
    REFUSED(u.version = 0, 0, SVMC_SEAL_RANGE);
    REFUSED(u.version = SVMC_SEAL_VERSION_MAX + 1, 0, SVMC_SEAL_RANGE);
    REFUSED(u.bytes = (size_t)SVMC_CIPHER_BYTES_MAX + 1, 0, SVMC_SEAL_RANGE);
    REFUSED(u.ad_bytes = SVMC_AD_BYTES_MAX - 31, 0, SVMC_SEAL_RANGE);
    REFUSED(u.ad = NULL, 0, SVMC_SEAL_RANGE);
    REFUSED(u.in = NULL, 0, SVMC_SEAL_RANGE);
    REFUSED(u.out = NULL, 0, SVMC_SEAL_RANGE);
    REFUSED(u.tag = NULL, 0, SVMC_SEAL_RANGE);
    REFUSED((void)0, SEAL_LAB_LANES, SVMC_SEAL_RANGE);
    REFUSED((void)0, UINT32_MAX, SVMC_SEAL_RANGE);
    svmc_sealer_key(&lab.sealer, SVMC_KEY_COMPROMISED, SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN);
    REFUSED((void)0, 0, SVMC_SEAL_KEY_STATE);
    memcpy(back, sealed, sizeof back); /* in place the sealed bytes stay */
    u = unit_of(back, back, 96);
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_KEY_STATE);
    CHECK_MEM(back, sealed, 96);
    svmc_sealer_key(&lab.sealer, SVMC_KEY_ACTIVE, SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN);
    u = unit_of(plain, back, 96);
    CHECK_EQ(svmc_seal_unit(NULL, 0, &use, &u), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, NULL, &u), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &use, NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &use, NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(lab.crypto.fake.calls, calls);
    stranger = use;
    lab.sealer.priv.domain++; /* another VM's sealer, which got hold of a use */
    CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &stranger, &u), SVMC_SEAL_STATE);
    lab.sealer.priv.domain--;
    u.ad_bytes = SVMC_AD_BYTES_MAX - 32;
    u.ad = lab.keys;
    CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_NONE); /* the longest */
}

TEST(sealer, a_budget_is_used_before_the_cipher_is) /* SE-10 */
{
    struct svmc_sealed_unit u;

    begin(SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 4, 7, &use) == SVMC_SEAL_NONE);
    CHECK_EQ(use.blocks, 11);
    CHECK_EQ(seal(17), SVMC_SEAL_NONE); /* two blocks and one */
    CHECK_EQ(use.calls, 3);
    CHECK_EQ(use.blocks, 8);
    CHECK_EQ(seal(0), SVMC_SEAL_NONE);
    CHECK_EQ(use.blocks, 7);
    lab.crypto.fake.fail_at = lab.crypto.fake.calls + 1;
    memset(sealed, 0xa5, sizeof sealed);
    memset(tag, 0xa5, sizeof tag);
    CHECK_EQ(seal(48), SVMC_SEAL_CRYPTO);
    CHECK(seal_lab_is_zero(sealed, 48) && seal_lab_is_zero(tag, sizeof tag));
    CHECK_EQ(use.calls, 1);
    CHECK_EQ(use.blocks, 3);
    CHECK_EQ(seal(33), SVMC_SEAL_BUDGET); /* a block too much */
    CHECK_EQ(use.calls, 1);
    CHECK_EQ(seal(32), SVMC_SEAL_NONE);
    CHECK_EQ(seal(0), SVMC_SEAL_BUDGET);
    CHECK(seal_lab_is_zero(&use.calls, 16));
    u = unit_of(sealed, back, 32);
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_NONE); /* costs nothing */
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
}

TEST(sealer, what_is_found_opens_and_seals_not) /* SE-6 */
{
    struct svmc_seal_use found;
    struct svmc_sealed_unit u;

    for (unsigned p = 0; p < PURPOSES; p++) {
        bool fleeting = purposes[p] == SVMC_KEY_PAGE || purposes[p] == SVMC_KEY_CONTEXT;
        enum svmc_seal_reason want = fleeting ? SVMC_SEAL_EPOCH : SVMC_SEAL_NONE;

        begin_use(purposes[p]);
        REQUIRE(seal(96) == SVMC_SEAL_NONE);
        u = unit_of(sealed, back, 96);
        CHECK_EQ(svmc_seal_find(&lab.sealer, purposes[p], use.alg, &use.id, &found), SVMC_SEAL_NONE,
                 "%u", p);
        CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &found, &u), SVMC_SEAL_NONE, "%u", p);
        CHECK_MEM(back, plain, 96, "%u", p);
        CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &found, &u), SVMC_SEAL_BUDGET, "%u", p);
        CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_OK); /* SE-11 */
        CHECK_EQ(seal(96), SVMC_SEAL_EPOCH, "%u", p);
        CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &use, &u), want, "%u", p);
        CHECK(fleeting ? seal_lab_is_zero(back, 96) : memcmp(back, plain, 96) == 0, "%u", p);
        CHECK_EQ(svmc_seal_end(&lab.sealer, &found), SVMC_OK);
        CHECK_EQ(svmc_seal_find(&lab.sealer, purposes[p], use.alg, &use.id, &found), want, "%u", p);
        CHECK_EQ(seal_lab_is_zero(&found, sizeof found), fleeting, "%u", p);
    }
    CHECK_EQ(svmc_sealer_renew(NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[0], NULL, &found), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[0], &use.id, NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, 0x41, &use.id, &found), SVMC_SEAL_ALG);
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, 0x21, &use.id, &found), SVMC_SEAL_ALG);
    lab.crypto.fake.lacks = algs[1];
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[1], &use.id, &found), SVMC_SEAL_ALG);
    CHECK(seal_lab_is_zero(&found, sizeof found));
    lab.crypto.fake.lie_at = lab.crypto.fake.calls + 2; /* a vector of another algorithm's fails */
    CHECK_EQ(svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[2], &use.id, &found),
             SVMC_SEAL_SELF_TEST);
    CHECK_EQ(svmc_seal_may(&lab.sealer, SVMC_KEY_DISK, 0, 0, 0), SVMC_SEAL_SELF_TEST);
}

/* ---- a change meanwhile ----------------------------------------------------------------------*/

static uint64_t ticket;

static void stop_meanwhile(void)
{
    lab.crypto.toy.between = NULL;
    svmc_sealer_key(&lab.sealer, SVMC_KEY_DESTROYED, 0);
    ticket = svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, ticket), SVMC_ERR_BUSY); /* a unit has begun */
}

TEST(sealer, who_stops_it_can_wait_for_what_has_begun) /* SE-9 SE-3 */
{
    begin(SVMC_ALG_AES_256_GCM, true);
    REQUIRE(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 8, 64, &use) == SVMC_SEAL_NONE);
    lab.crypto.toy.between = stop_meanwhile;
    CHECK_EQ(seal(96), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, ticket), SVMC_OK);
    CHECK_EQ(seal(96), SVMC_SEAL_KEY_STATE);
    svmc_vmkey_drop(&lab.key);
    CHECK_EQ(seal(96), SVMC_SEAL_NO_KEY);
}

/* ---- faults ----------------------------------------------------------------------------------*/

TEST(sealer, a_call_that_fails_leaves_nothing) /* SE-12 SE-5 SE-6 */
{
    for (unsigned k = 1, done = 0; !done; k++) {
        struct svmc_seal_use found = { 0 };
        struct svmc_sealed_unit u;
        enum svmc_seal_reason why;

        begin(SVMC_ALG_AES_256_GCM, false);
        lab.crypto.fake.fail_at = lab.crypto.fake.calls + k;
        why = svmc_seal_begin(&lab.sealer, SVMC_KEY_DISK, 8, 64, &use);
        CHECK(why == SVMC_SEAL_NONE || seal_lab_is_zero(&use, sizeof use), "%u", k);
        if (why == SVMC_SEAL_NONE) {
            memset(sealed, 0xa5, sizeof sealed);
            why = seal(96);
            CHECK(why == SVMC_SEAL_NONE || seal_lab_is_zero(sealed, 96), "%u", k);
        }
        if (why == SVMC_SEAL_NONE)
            why = svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[1], &use.id, &found);
        if (why == SVMC_SEAL_NONE) {
            CHECK_EQ(svmc_seal_end(&lab.sealer, &found), SVMC_OK);
            why = svmc_seal_find(&lab.sealer, SVMC_KEY_DISK, algs[0], &use.id, &found);
        }
        if (why == SVMC_SEAL_NONE) {
            u = unit_of(sealed, back, 96);
            memset(back, 0xa5, sizeof back);
            why = svmc_open_unit(&lab.sealer, 0, &found, &u);
            CHECK(why == SVMC_SEAL_NONE ? memcmp(back, plain, 96) == 0 : seal_lab_is_zero(back, 96),
                  "%u", k);
        }
        done = why == SVMC_SEAL_NONE;
        CHECK(done || why == SVMC_SEAL_CRYPTO || why == SVMC_SEAL_SELF_TEST, "%u: %u", k, why);
        CHECK_EQ(svmc_seal_end(&lab.sealer, &found), SVMC_OK);
        CHECK_EQ(svmc_seal_end(&lab.sealer, &use), SVMC_OK);
        CHECK(seal_lab_is_empty(&lab), "%u", k);
        CHECK(k < 200);
    }
}
