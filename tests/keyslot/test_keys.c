/* SPDX-License-Identifier: MIT */
/* docs/spec/keys.md: VM keys, their blobs, subkeys and budgets; hostile blobs; a back end that
   fails at every call. What is expected is put together here from the document. */
#include <svmcore/keys.h>

#include "../fakehost/cipher.h"
#include "../fakehost/crypto.h"
#include "../harness.h"

#define KEYS  3u
#define BYTES SVMC_KEYARENA_BYTES(KEYS)
#define WORK  (SVMC_KEYARENA_BYTES(1) - 64u) /* the cells begin behind it */

static struct fake_crypto fake;
static struct svmc_keyarena arena;
static _Alignas(SVMC_CIPHER_ROOM_ALIGN) uint8_t memory[BYTES];
static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key room;

static const uint8_t vm_a[16] = "virtual machine", vm_b[16] = "another machine";
static const uint8_t provider_bytes[32] = { 0x70, 0x71, 0x72 };
static const struct svmc_provider_key provider = { "the provider 17", provider_bytes };
static const uint8_t aeads[] = { 0x31, 0x32, 0x33 }, derives[] = { 0x51, 0x52 };

static void begin(void)
{
    fake_crypto_init(&fake);
    memset(memory, 0xa5, sizeof memory);
    REQUIRE(svmc_keyarena_init(&arena, &fake.ops, memory, sizeof memory) == SVMC_OK);
}

static bool is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

/* ---- the document, once more -----------------------------------------------------------------*/

static void blake2b_of(const uint8_t key[32], const char label[17], const void *rest, size_t n,
                       uint8_t out[64])
{
    uint8_t message[256];

    memcpy(message, label, 16);
    memcpy(message + 16, rest, n);
    fake_blake2b(out, 64, key, 32, message, 16 + n);
}

/* A blob by hand; what of it is wrong the caller says by editing the header before it is sealed. */
static void seal_by_hand(uint8_t blob[160], const uint8_t vm_key[32], bool check)
{
    struct fake_cipher c = { .alg = blob[5], .lanes = 1 };
    const struct svmc_bytes ad = { blob, 112 };
    struct svmc_cipher_unit u = {
        .pieces = 1, .ad = &ad, .nonce = blob + 40, .in = vm_key, .out = blob + 112, .n = 32
    };
    uint8_t derived[64];

    if (check) {
        blake2b_of(vm_key, "svmcore check  1", blob + 24, 16, derived);
        memcpy(blob + 64, derived, 16);
    }
    blake2b_of(provider_bytes, "svmcore wrap   1", blob, 80, derived);
    memcpy(c.key, derived, 32);
    memcpy(blob + 80, derived + 32, 32);
    fake_aead(&c, &u, true, blob + 144);
}

static void header_by_hand(uint8_t blob[160], uint8_t aead)
{
    memset(blob, 0, 160);
    memcpy(blob, "SVMK\x01", 5);
    blob[5] = aead;
    blob[6] = 0x51;
    blob[7] = 0x10;
    memcpy(blob + 8, provider.id, 16);
    memcpy(blob + 24, vm_a, 16);
    memset(blob + 40, 0x99, 24);
}

static enum svmc_status unwrap(struct svmc_vmkey *key, const uint8_t *blob)
{
    return svmc_vmkey_unwrap(key, &arena, vm_a, &provider, blob, 160);
}

/* ---- the arena -------------------------------------------------------------------------------*/

TEST(keys, an_arena_is_laid_out_and_wiped) /* KH-10 CR-1 */
{
    struct svmc_crypto_ops ops;

    begin();
    CHECK(is_zero(memory, sizeof memory));
    CHECK_EQ(svmc_keyarena_init(NULL, &fake.ops, memory, BYTES), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyarena_init(&arena, NULL, memory, BYTES), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, NULL, BYTES), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, memory + 32, BYTES - 64), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, memory, SVMC_KEYARENA_BYTES(1) - 1),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, memory, SVMC_KEYARENA_BYTES(1)), SVMC_OK);
#define WITHOUT(op)                                                                   \
    do {                                                                              \
        ops = fake.ops;                                                               \
        ops.op = NULL;                                                                \
        CHECK_EQ(svmc_keyarena_init(&arena, &ops, memory, BYTES), SVMC_ERR_ARG, #op); \
        ops = fake.ops;                                                               \
        ops.size = offsetof(struct svmc_crypto_ops, op);                              \
        CHECK_EQ(svmc_keyarena_init(&arena, &ops, memory, BYTES), SVMC_ERR_ARG, #op); \
    } while (0)
    WITHOUT(random);
    WITHOUT(equal);
    WITHOUT(wipe);
    WITHOUT(cipher_load);
    WITHOUT(cipher_drop);
    WITHOUT(seal);
    WITHOUT(open);
    WITHOUT(derive);
#undef WITHOUT
}

TEST(keys, an_old_name_is_stale_in_an_arena_that_is_laid_out_again) /* KH-11 */
{
    struct svmc_key_grant grant;
    struct svmc_vmkey a, b;
    uint8_t blob[160];

    for (unsigned drop = 0; drop < 2; drop++) {
        begin();
        CHECK_EQ(svmc_vmkey_create(&a, &arena, vm_a, 0x51), SVMC_OK);
        if (drop)
            svmc_keyarena_drop(&arena);
        CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, memory, BYTES), SVMC_OK);
        CHECK_EQ(svmc_vmkey_create(&b, &arena, vm_b, 0x51), SVMC_OK);
        CHECK_EQ(a.priv.cell, b.priv.cell);
        CHECK_EQ(svmc_vmkey_grant(&a, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_ERR_STALE);
        CHECK_EQ(svmc_vmkey_wrap(&a, &provider, 0x31, blob), SVMC_ERR_STALE);
        svmc_vmkey_drop(&a);
        CHECK_EQ(svmc_vmkey_grant(&b, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    }
    fake.counter = 0xfe; /* the numbers go on from 2^64 - 1: 0 is none */
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, memory, BYTES), SVMC_OK);
    CHECK_EQ(svmc_vmkey_create(&a, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_grant(&a, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    fake.fail_at = fake.calls + 2; /* the first one wipes */
    fake.failure = SVMC_ERR_AUTH;
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, memory, BYTES), SVMC_ERR_CALLBACK);
    CHECK_EQ(svmc_vmkey_create(&b, &arena, vm_b, 0x51), SVMC_ERR_ARG);
}

TEST(keys, refused_blobs_use_nothing_up) /* KH-4 KH-11 */
{
    struct svmc_vmkey key;
    uint8_t blob[160];

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_wrap(&key, &provider, 0x31, blob), SVMC_OK);
    svmc_vmkey_drop(&key);
    blob[150] ^= 1;
    arena.priv.serial = UINT32_MAX; /* as after many of them */
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(unwrap(&key, blob), SVMC_ERR_AUTH);
    blob[150] ^= 1;
    CHECK_EQ(unwrap(&key, blob), SVMC_OK);
}

TEST(keys, cells_come_and_go_and_old_names_are_stale) /* KH-10 KH-11 */
{
    struct svmc_vmkey key[KEYS + 1], copy;
    struct svmc_key_grant grant;
    uint8_t blob[160], out[64];

    begin();
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_EQ(svmc_vmkey_create(&key[i], &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_create(&key[KEYS], &arena, vm_a, 0x51), SVMC_ERR_FULL);
    CHECK(is_zero(&key[KEYS], sizeof key[KEYS]));
    copy = key[1];
    svmc_vmkey_drop(&key[1]);
    CHECK(is_zero(&key[1], sizeof key[1]) && is_zero(memory + WORK + 64, 64), "wiped");
    CHECK(!is_zero(memory + WORK, 64) && !is_zero(memory + WORK + 128, 64), "the others are not");
    CHECK_EQ(svmc_vmkey_grant(&copy, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_ERR_STALE);
    CHECK_EQ(svmc_vmkey_create(&key[KEYS], &arena, vm_b, 0x51), SVMC_OK, "its cell is free");
    CHECK_EQ(svmc_vmkey_grant(&key[KEYS], SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    for (unsigned round = 0; round < 3;
         round++) { /* the copy, the empty one, all of a dropped arena */
        struct svmc_vmkey *k = round == 0 ? &copy : round == 1 ? &key[1] : &key[0];

        if (round == 2) {
            svmc_keyarena_drop(&arena);
            CHECK(is_zero(memory, sizeof memory));
        }
        CHECK_EQ(svmc_vmkey_grant(k, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_ERR_STALE, "%u", round);
        CHECK_EQ(svmc_vmkey_subkey(k, SVMC_KEY_PAGE, 0x31, &grant.id, out), SVMC_ERR_STALE);
        CHECK_EQ(svmc_vmkey_cipher(k, SVMC_KEY_PAGE, 0x31, &grant.id, 1, &room), SVMC_ERR_STALE);
        CHECK_EQ(svmc_vmkey_wrap(k, &provider, 0x31, blob), SVMC_ERR_STALE);
        CHECK_EQ(svmc_vmkey_renew(k), SVMC_ERR_STALE);
        CHECK(is_zero(&grant, sizeof grant) && is_zero(out, sizeof out) && is_zero(blob, 160));
    }
    svmc_vmkey_drop(&copy);
    svmc_vmkey_drop(&key[0]);
    svmc_vmkey_drop(NULL);
    svmc_keyarena_drop(&arena);
    svmc_keyarena_drop(NULL);
    CHECK_EQ(svmc_vmkey_create(&key[0], &arena, vm_a, 0x51), SVMC_ERR_ARG, "no arena any more");
    CHECK_EQ(svmc_vmkey_unwrap(&key[0], &arena, vm_a, &provider, blob, 160), SVMC_ERR_ARG);
}

/* ---- blobs -----------------------------------------------------------------------------------*/

TEST(keys, what_was_wrapped_is_unwrapped) /* KH-1 KH-2 KH-3 KH-5 */
{
    for (unsigned i = 0; i < 6; i++) {
        struct svmc_vmkey key, again;
        struct svmc_key_grant one, two;
        uint8_t blob[160], second[160], a[64], b[64];

        begin();
        CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, derives[i / 3]), SVMC_OK);
        CHECK_EQ(svmc_vmkey_wrap(&key, &provider, aeads[i % 3], blob), SVMC_OK);
        CHECK_EQ(svmc_vmkey_wrap(&key, &provider, aeads[i % 3], second), SVMC_OK);
        CHECK(memcmp(blob + 40, second + 40, 24) && memcmp(blob + 80, second + 80, 80), "fresh");
        for (size_t at = 0; at + 32 <= sizeof blob; at++)
            CHECK(memcmp(blob + at, memory + WORK, 32) != 0, "the key itself");
        CHECK_EQ(unwrap(&again, blob), SVMC_OK);
        CHECK_MEM(memory + WORK, memory + WORK + 64, 32, "the same key");
        CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_DISK, 1, 1, &one), SVMC_OK);
        CHECK_EQ(svmc_vmkey_grant(&again, SVMC_KEY_DISK, 1, 1, &two), SVMC_OK);
        CHECK(memcmp(one.id.epoch, two.id.epoch, 16) != 0, "another epoch");
        CHECK_EQ(svmc_vmkey_subkey(&key, SVMC_KEY_DISK, 0x41, &one.id, a), SVMC_OK);
        CHECK_EQ(svmc_vmkey_subkey(&again, SVMC_KEY_DISK, 0x41, &one.id, b), SVMC_OK);
        CHECK_MEM(a, b, 64, "what was written before can be read");
        CHECK_EQ(svmc_vmkey_subkey(&again, SVMC_KEY_DISK, 0x41, &two.id, b), SVMC_OK);
        CHECK(memcmp(a, b, 64) != 0);
        CHECK_EQ(fake.loaded, 0);
        CHECK(is_zero(memory, WORK), "no trace of the wrapping key");
    }
}

TEST(keys, a_blob_is_what_the_document_says) /* KH-2 KH-3 KH-4 */
{
    static const uint8_t vm_key[32] = { 1, 2, 3, 4, 5 };
    struct svmc_vmkey key;
    uint8_t blob[160], made[160];

    for (unsigned i = 0; i < 3; i++) {
        begin();
        header_by_hand(blob, aeads[i]);
        seal_by_hand(blob, vm_key, true);
        CHECK_EQ(unwrap(&key, blob), SVMC_OK, "%x", aeads[i]);
        CHECK_MEM(memory + WORK, vm_key, 32);
        CHECK_EQ(svmc_vmkey_wrap(&key, &provider, aeads[i], made), SVMC_OK);
        memcpy(blob + 40, made + 40, 24); /* the nonce is random */
        seal_by_hand(blob, vm_key, true);
        CHECK_MEM(made, blob, 160, "%x", aeads[i]);
        blob[64] ^= 1; /* sealed by the provider's key, and yet it names another key */
        seal_by_hand(blob, vm_key, false);
        CHECK_EQ(unwrap(&key, blob), SVMC_ERR_KEY);
    }
}

/* Which status the bytes of a blob are refused with. */
static enum svmc_status status_at(size_t at)
{
    return at < 4     ? SVMC_ERR_FORMAT
           : at < 5   ? SVMC_ERR_UNSUPPORTED
           : at < 7   ? SVMC_ERR_KEY /* or UNSUPPORTED, where no such algorithm is */
           : at < 8   ? SVMC_ERR_PURPOSE
           : at < 24  ? SVMC_ERR_KEY
           : at < 40  ? SVMC_ERR_OWNER
           : at < 112 ? SVMC_ERR_KEY
                      : SVMC_ERR_AUTH;
}

TEST(keys, each_flipped_bit_is_refused_for_its_reason) /* KH-4 KH-3 */
{
    struct svmc_vmkey key;
    uint8_t blob[160];

    for (unsigned i = 0; i < 6; i++) {
        begin();
        CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, derives[i / 3]), SVMC_OK);
        CHECK_EQ(svmc_vmkey_wrap(&key, &provider, aeads[i % 3], blob), SVMC_OK);
        svmc_vmkey_drop(&key);
        for (size_t bit = 0; bit < 160 * 8; bit++) {
            enum svmc_status st, want = status_at(bit / 8);

            blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (bit / 8 == 5 && (blob[5] < 0x31 || blob[5] > 0x33))
                want = SVMC_ERR_UNSUPPORTED;
            if (bit / 8 == 6 && (blob[6] < 0x51 || blob[6] > 0x52))
                want = SVMC_ERR_UNSUPPORTED;
            memset(&key, 0x55, sizeof key);
            st = unwrap(&key, blob);
            CHECK_EQ(st, want, "bit %zu of byte %zu", bit % 8, bit / 8);
            CHECK(is_zero(&key, sizeof key) && is_zero(memory, sizeof memory), "byte %zu", bit / 8);
            blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        CHECK_EQ(fake.loaded, 0);
        CHECK_EQ(unwrap(&key, blob), SVMC_OK);
    }
}

TEST(keys, hostile_blobs_are_refused_each_with_its_status) /* KH-4 */
{
    static const uint8_t vm_key[32] = { 9, 8, 7 };
    static const uint8_t other_bytes[32] = { 0x70, 0x71, 0x73 };
    const struct svmc_provider_key other_key = { "the provider 17", other_bytes };
    const struct svmc_provider_key other_name = { "the provider 18", provider_bytes };
    const struct svmc_provider_key none = { "the provider 17", NULL };
    struct svmc_vmkey key;
    uint8_t blob[161] = { 0 };

    begin();
    header_by_hand(blob, 0x33);
    seal_by_hand(blob, vm_key, true);
    for (size_t n = 0; n < 160; n++)
        CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, &provider, blob, n), SVMC_ERR_FORMAT, "%zu",
                 n);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, &provider, blob, 161), SVMC_ERR_FORMAT);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_b, &provider, blob, 160), SVMC_ERR_OWNER);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, &other_key, blob, 160), SVMC_ERR_KEY);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, &other_name, blob, 160), SVMC_ERR_KEY);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, &none, blob, 160), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_unwrap(NULL, &arena, vm_a, &provider, blob, 160), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_unwrap(&key, NULL, vm_a, &provider, blob, 160), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, NULL, &provider, blob, 160), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, NULL, blob, 160), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_unwrap(&key, &arena, vm_a, &provider, NULL, 160), SVMC_ERR_ARG);
    for (unsigned purpose = 0; purpose < 256; purpose++) { /* sealed so by who has the key */
        header_by_hand(blob, 0x33);
        blob[7] = (uint8_t)purpose;
        seal_by_hand(blob, vm_key, true);
        CHECK_EQ(unwrap(&key, blob), purpose == 0x10 ? SVMC_OK : SVMC_ERR_PURPOSE, "%x", purpose);
        svmc_vmkey_drop(&key);
    }
    fake.lacks = 0x33; /* known, but not to this back end */
    header_by_hand(blob, 0x33);
    seal_by_hand(blob, vm_key, true);
    CHECK_EQ(unwrap(&key, blob), SVMC_ERR_UNSUPPORTED);
    fake.lacks = 0x51;
    CHECK_EQ(unwrap(&key, blob), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x53), SVMC_ERR_UNSUPPORTED);
    CHECK(is_zero(memory, sizeof memory), "nothing is left");
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x52), SVMC_OK);
    CHECK_EQ(unwrap(&key, blob), SVMC_ERR_FULL);
    CHECK_EQ(svmc_vmkey_create(NULL, &arena, vm_a, 0x51), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_create(&key, NULL, vm_a, 0x51), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_create(&key, &arena, NULL, 0x51), SVMC_ERR_ARG);
}

TEST(keys, wrapping_is_whole_or_zero) /* KH-2 */
{
    const struct svmc_provider_key none = { "the provider 17", NULL };
    struct svmc_vmkey key;
    uint8_t blob[160];

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    for (uint32_t aead = 0; aead < 0x200; aead++) {
        bool known = aead >= 0x31 && aead <= 0x33;

        memset(blob, 0x55, sizeof blob);
        CHECK_EQ(svmc_vmkey_wrap(&key, &provider, aead, blob),
                 known ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", (unsigned)aead);
        CHECK_EQ(is_zero(blob, sizeof blob), !known, "%x", (unsigned)aead);
    }
    CHECK_EQ(svmc_vmkey_wrap(&key, &provider, 0x31, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_wrap(NULL, &provider, 0x31, blob), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_wrap(&key, NULL, 0x31, blob), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_wrap(&key, &none, 0x31, blob), SVMC_ERR_ARG);
    CHECK(is_zero(blob, sizeof blob));
}

/* ---- subkeys ---------------------------------------------------------------------------------*/

TEST(keys, a_subkey_is_what_the_document_says) /* KH-6 */
{
    static const uint8_t vm_key[32] = { 42 };
    struct svmc_subkey_id id = { "an epoch of 16 b", 0x0102030405060708 };
    uint8_t blob[160], out[64], want[64], about[48];
    struct svmc_vmkey key;

    begin();
    header_by_hand(blob, 0x32);
    seal_by_hand(blob, vm_key, true);
    REQUIRE(unwrap(&key, blob) == SVMC_OK);
    for (uint32_t purpose = 0; purpose < 9; purpose++)
        for (uint32_t alg = 0; alg < 0x180; alg++) {
            bool mac = alg == 0x21 || alg == 0x22, aead = alg >= 0x31 && alg <= 0x33;
            size_t n = alg == 0x41 ? 64 : mac || aead ? 32 : 0;

            memset(about, 0, sizeof about);
            about[0] = (uint8_t)purpose;
            about[1] = (uint8_t)alg;
            memcpy(about + 8, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
            memcpy(about + 16, vm_a, 16);
            memcpy(about + 32, id.epoch, 16);
            blake2b_of(vm_key, "svmcore subkey 1", about, sizeof about, want);
            memset(out, 0x55, sizeof out);
            CHECK_EQ(svmc_vmkey_subkey(&key, (enum svmc_key_purpose)purpose, alg, &id, out),
                     purpose < 1 || purpose > 6 ? SVMC_ERR_ARG
                     : n == 0                   ? SVMC_ERR_UNSUPPORTED
                                                : SVMC_OK,
                     "%u %x", (unsigned)purpose, (unsigned)alg);
            n = purpose < 1 || purpose > 6 ? 0 : n;
            CHECK_MEM(out, want, n, "%u %x", (unsigned)purpose, (unsigned)alg);
            CHECK(is_zero(out + n, sizeof out - n));
        }
    CHECK_EQ(svmc_vmkey_subkey(&key, SVMC_KEY_PAGE, 0x31, &id, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_subkey(&key, SVMC_KEY_PAGE, 0x31, NULL, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_subkey(NULL, SVMC_KEY_PAGE, 0x31, &id, out), SVMC_ERR_ARG);
}

/* One way to name a subkey; the matrix below takes every pair of these. */
struct name {
    enum svmc_key_purpose purpose;
    uint8_t alg, vm, epoch, index;
};

static void open_name(const struct name *n, struct svmc_vmkey *keys, struct svmc_subkey_id *id)
{
    memset(id, 0, sizeof *id);
    id->epoch[15] = n->epoch;
    id->index = n->index;
    CHECK_EQ(svmc_vmkey_cipher(&keys[n->vm], n->purpose, n->alg, id, 1, &room), SVMC_OK);
}

TEST(keys, what_one_subkey_sealed_no_other_opens) /* KH-6 KH-9 */
{
    static const struct name names[] = {
        { SVMC_KEY_PAGE, 0x32, 0, 0, 0 },    { SVMC_KEY_DISK, 0x32, 0, 0, 0 },
        { SVMC_KEY_CONTEXT, 0x32, 0, 0, 0 }, { SVMC_KEY_IMAGE, 0x32, 0, 0, 0 },
        { SVMC_KEY_TREE, 0x32, 0, 0, 0 },    { SVMC_KEY_LINE, 0x32, 0, 0, 0 },
        { SVMC_KEY_PAGE, 0x31, 0, 0, 0 },    { SVMC_KEY_PAGE, 0x33, 0, 0, 0 },
        { SVMC_KEY_PAGE, 0x32, 1, 0, 0 },    { SVMC_KEY_PAGE, 0x32, 2, 0, 0 },
        { SVMC_KEY_PAGE, 0x32, 0, 1, 0 },    { SVMC_KEY_PAGE, 0x32, 0, 128, 0 },
        { SVMC_KEY_PAGE, 0x32, 0, 0, 1 },    { SVMC_KEY_PAGE, 0x32, 0, 0, 255 },
    };
    enum { NAMES = sizeof names / sizeof names[0] };
    static const uint8_t plain[64] = "sixty-four bytes of one guest", nonce[24] = { 7 };
    static uint8_t sealed[NAMES][64], tags[NAMES][16];
    uint8_t blob[160], shown[64];
    struct svmc_vmkey keys[3];
    struct svmc_subkey_id id;

    begin();
    for (unsigned i = 0; i < 3; i++) /* the second has the first one's key and another name */
        CHECK_EQ(svmc_vmkey_create(&keys[i], &arena, i == 1 ? vm_b : vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_wrap(&keys[0], &provider, 0x33, blob), SVMC_OK);
    memcpy(memory + WORK + 64, memory + WORK, 32);
    for (unsigned i = 0; i < NAMES; i++) {
        struct svmc_cipher_unit u = {
            .nonce = nonce, .in = plain, .out = sealed[i], .n = 64, .tag = tags[i]
        };

        open_name(&names[i], keys, &id);
        CHECK_EQ(fake.ops.seal(&fake, &room, &u), SVMC_OK);
        fake.ops.cipher_drop(&fake, &room);
    }
    for (unsigned i = 0; i < NAMES; i++)
        for (unsigned j = 0; j < NAMES; j++) {
            struct svmc_cipher_unit u = {
                .nonce = nonce, .in = sealed[j], .out = shown, .n = 64, .tag = tags[j]
            };

            open_name(&names[i], keys, &id);
            CHECK_EQ(fake.ops.open(&fake, &room, &u), i == j ? SVMC_OK : SVMC_ERR_AUTH, "%u %u", i,
                     j);
            CHECK(i == j ? memcmp(shown, plain, 64) == 0 : is_zero(shown, 64), "%u %u", i, j);
            fake.ops.cipher_drop(&fake, &room);
        }
    CHECK_EQ(fake.loaded, 0);
}

TEST(keys, a_cipher_is_loaded_or_there_is_none) /* KH-9 */
{
    const struct svmc_subkey_id id = { { 0 }, 0 };
    struct svmc_vmkey key;

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 4, &room), SVMC_OK);
    fake.ops.cipher_drop(&fake, &room);
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 0, &room), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 257, &room), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 1, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 1,
                               (struct svmc_cipher_key *)(void *)&room.priv[2]),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_cipher(NULL, SVMC_KEY_LINE, 0x41, &id, 1, &room), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_TREE, 0x21, &id, 1, &room), SVMC_ERR_UNSUPPORTED,
             "a MAC has no schedule");
    fake.lacks = 0x41;
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 1, &room), SVMC_ERR_UNSUPPORTED);
    fake.lacks = 0;
    fake.ops.crypt = NULL;
    CHECK_EQ(svmc_vmkey_cipher(&key, SVMC_KEY_LINE, 0x41, &id, 1, &room), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(fake.loaded, 0);
}

/* ---- budgets ---------------------------------------------------------------------------------*/

TEST(keys, no_subkey_does_more_than_its_budget_and_none_is_refused) /* KH-7 KH-8 */
{
    enum { CALLS = 1000, BLOCKS = 64000 };
    uint64_t rng = harness_seed(), calls[7] = { 0 }, blocks[7] = { 0 }, index[7] = { 0 };
    struct svmc_key_grant grant;
    struct svmc_vmkey key;

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_limit(&key, CALLS, BLOCKS), SVMC_OK);
    for (unsigned round = 0; round < 100000; round++) {
        uint32_t p = 1 + (uint32_t)(harness_random(&rng) % 6);
        uint64_t c = 1 + harness_random(&rng) % (round & 1 ? CALLS : 50);
        uint64_t b = 1 + harness_random(&rng) % (round & 2 ? BLOCKS : 500);

        REQUIRE(svmc_vmkey_grant(&key, (enum svmc_key_purpose)p, c, b, &grant) == SVMC_OK);
        if (calls[p] + c > CALLS || blocks[p] + b > BLOCKS) { /* the next, at once */
            index[p]++;
            calls[p] = blocks[p] = 0;
        }
        calls[p] += c;
        blocks[p] += b;
        REQUIRE(grant.id.index == index[p] && grant.calls == c && grant.blocks == b);
        CHECK_MEM(grant.id.epoch, key.priv.epoch, 16);
    }
    for (unsigned p = 1; p <= 6; p++)
        CHECK(index[p] > 100);
    CHECK_EQ(svmc_vmkey_limit(&key, 10, 10), SVMC_OK, "below what is given out");
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 10, 10, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, index[1] + 1);
    CHECK_EQ(svmc_vmkey_renew(&key), SVMC_OK);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 10, 1, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, 0, "a new epoch begins anew");
}

TEST(keys, continuations_of_one_snapshot_share_no_subkey) /* KH-5 KH-7: clone, restore, crash */
{
    enum { LIVES = 60, GRANTS = 40 };
    static struct svmc_subkey_id seen[LIVES];
    uint64_t rng = harness_seed();
    struct svmc_key_grant grant;
    struct svmc_vmkey key;
    uint8_t blob[160];

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_wrap(&key, &provider, 0x32, blob), SVMC_OK);
    for (unsigned life = 0; life < LIVES; life++) {
        uint64_t last = 0;

        if (harness_random(&rng) & 1) { /* from the blob, which is always the same */
            svmc_vmkey_drop(&key);
            REQUIRE(unwrap(&key, blob) == SVMC_OK);
        } else { /* in place */
            REQUIRE(svmc_vmkey_renew(&key) == SVMC_OK);
        }
        CHECK_EQ(svmc_vmkey_limit(&key, 5, 5), SVMC_OK);
        for (unsigned i = 0; i < GRANTS; i++, last = grant.id.index) {
            REQUIRE(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1 + i % 5, 1, &grant) == SVMC_OK);
            CHECK(grant.id.index >= last, "an index never comes back");
        }
        seen[life] = grant.id;
        for (unsigned old = 0; old < life; old++)
            CHECK(memcmp(seen[old].epoch, grant.id.epoch, sizeof grant.id.epoch) != 0,
                  "the epoch of life %u again", old);
    }
}

TEST(keys, a_grant_calls_nothing) /* KH-8 CR-11: a data path asks for one without more ado */
{
    struct svmc_key_grant grant;
    struct svmc_vmkey key;
    unsigned calls;

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_limit(&key, 3, 3), SVMC_OK);
    calls = fake.calls;
    for (unsigned i = 0; i < 10; i++) {
        CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_TREE, 2, 2, &grant), SVMC_OK);
        CHECK_EQ(grant.id.index, i, "a next one each time");
    }
    CHECK_EQ(fake.calls, calls);
}

TEST(keys, the_budget_is_that_of_the_ciphers) /* KH-7: SP 800-38D, 8.3, and 2^36 blocks */
{
    struct svmc_key_grant grant;
    struct svmc_vmkey key;

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1ull << 32, 1ull << 36, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, 0);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, 1);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, (1ull << 32) + 1, 1, &grant), SVMC_ERR_ARG);
    CHECK(is_zero(&grant, sizeof grant));
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, (1ull << 36) + 1, &grant), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 0, 1, &grant), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 0, &grant), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(&key, (enum svmc_key_purpose)0, 1, 1, &grant), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(&key, (enum svmc_key_purpose)7, 1, 1, &grant), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(NULL, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 1, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_limit(&key, 0, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_limit(&key, 1, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_limit(&key, (1ull << 32) + 1, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_limit(&key, 1, (1ull << 36) + 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_limit(NULL, 1, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, 1, "nothing changed");
}

/* ---- failures --------------------------------------------------------------------------------*/

static uint64_t spun; /* what a stuck generator gives */
static enum svmc_status stuck(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, (int)spun, n);
    return SVMC_OK;
}

TEST(keys, without_a_fresh_epoch_nothing_is_granted) /* KH-5 */
{
    struct svmc_subkey_id id = { { 0 }, 0 };
    struct svmc_key_grant grant;
    struct svmc_vmkey key;
    uint8_t out[64];

    begin();
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_OK);
    fake.fail_at = fake.calls + 1;
    CHECK_EQ(svmc_vmkey_renew(&key), SVMC_ERR_CALLBACK);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_ERR_STALE);
    CHECK_EQ(svmc_vmkey_subkey(&key, SVMC_KEY_PAGE, 0x31, &id, out), SVMC_OK, "to open");
    CHECK_EQ(svmc_vmkey_renew(&key), SVMC_OK);
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    spun = 0x5a;
    fake.ops.random = stuck;
    CHECK_EQ(svmc_vmkey_renew(&key), SVMC_OK);
    CHECK_EQ(svmc_vmkey_renew(&key), SVMC_ERR_CALLBACK, "the same again");
    CHECK_EQ(svmc_vmkey_grant(&key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_ERR_STALE);
    CHECK_EQ(svmc_vmkey_renew(NULL), SVMC_ERR_ARG);
    spun = 0;
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm_a, 0x51), SVMC_ERR_CALLBACK, "an epoch of zeros");
    CHECK(is_zero(&key, sizeof key));
}

/* What was derived and not wiped yet; the wrapped functions. */
static const uint8_t *secret;
static enum svmc_status (*real_derive)(void *, uint32_t, const uint8_t *, const struct svmc_bytes *,
                                       size_t, uint8_t *);
static void (*real_wipe)(void *, void *, size_t);

static enum svmc_status noting_derive(void *ctx, uint32_t alg, const uint8_t *key,
                                      const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    secret = out;
    return real_derive(ctx, alg, key, piece, pieces, out);
}

static void noting_wipe(void *ctx, void *dst, size_t n)
{
    if ((uintptr_t)secret - (uintptr_t)dst <= n - 64 && n >= 64)
        secret = NULL;
    real_wipe(ctx, dst, n);
}

static enum svmc_status one_of_all(unsigned which, struct svmc_vmkey *key, uint8_t blob[160],
                                   struct svmc_key_grant *grant)
{
    uint8_t out[64];

    switch (which) {
    case 0:
        return svmc_vmkey_create(key, &arena, vm_a, 0x51);
    case 1:
        return svmc_vmkey_wrap(key, &provider, 0x33, blob);
    case 2:
        svmc_vmkey_drop(key);
        return unwrap(key, blob);
    case 3:
        return svmc_vmkey_grant(key, SVMC_KEY_LINE, 5, 5, grant);
    case 4:
        return svmc_vmkey_subkey(key, SVMC_KEY_LINE, 0x41, &grant->id, out);
    default:
        return svmc_vmkey_cipher(key, SVMC_KEY_LINE, 0x41, &grant->id, 2, &room);
    }
}

TEST(keys, each_callback_may_fail) /* KH-9 KH-11 CR-2 CR-9 */
{
    for (unsigned k = 1;; k++) {
        struct svmc_key_grant grant = { .calls = 0 };
        uint8_t blob[160] = { 0 };
        struct svmc_vmkey key;
        unsigned which = 0;
        enum svmc_status st = SVMC_OK;

        begin();
        real_derive = fake.ops.derive;
        real_wipe = fake.ops.wipe;
        fake.ops.derive = noting_derive;
        fake.ops.wipe = noting_wipe;
        fake.fail_at = fake.calls + k;
        fake.failure = SVMC_ERR_AUTH;
        for (secret = NULL; which < 6 && st == SVMC_OK; which++) {
            st = one_of_all(which, &key, blob, &grant);
            CHECK(!secret || which == 4, "step %u leaves what it derived", which);
            secret = which == 4 ? NULL : secret;
        }
        if (st == SVMC_OK) { /* more than there are calls, or a wipe, which cannot fail */
            fake.ops.cipher_drop(&fake, &room);
        } else {
            /* one exception: an open may say that the tag is wrong */
            CHECK(st == SVMC_ERR_CALLBACK ||
                      (which == 3 && (st == SVMC_ERR_AUTH || st == SVMC_ERR_KEY)),
                  "call %u of step %u: %x", k, which - 1, (unsigned)st);
            if (which == 2)
                CHECK(is_zero(blob, sizeof blob), "call %u", k);
            if (which == 1 || which == 3)
                CHECK(is_zero(&key, sizeof key) && is_zero(memory, sizeof memory), "call %u", k);
        }
        CHECK_EQ(fake.loaded, 0, "call %u", k);
        CHECK(is_zero(memory, WORK), "call %u leaves something to work with", k);
        svmc_vmkey_drop(&key);
        CHECK(is_zero(memory, sizeof memory), "call %u leaves something", k);
        if (fake.calls < fake.fail_at) {
            CHECK(k > 20, "only %u calls", k);
            break;
        }
    }
}
