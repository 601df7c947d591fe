/* SPDX-License-Identifier: MIT */
/* docs/spec/seal.md, contexts: blobs put together by hand, all that a host may give instead of the
   last one, each with its reason, and what is left of the plaintext: nothing. */
#include "../../src/core/bytes.h"
#include "../fakehost/cipher.h"
#include "seal_lab.h"

#include <stdlib.h>
#include <svmcore/seal_context.h>

#define WORK (SVMC_KEYARENA_BYTES(1) - 64u) /* the cells begin behind it */

enum { VCPUS = 5, TEXT = 203, HEADER = 80, BLOB = HEADER + TEXT };

static struct seal_lab lab;
static struct svmc_contexts contexts;
static _Alignas(64) uint8_t memory[SEAL_LAB_LANES * 256 + 64 * 128 + 512];
static uint8_t regs[VCPUS][100], sysregs[VCPUS][3], state[VCPUS][100], want[TEXT];
static uint8_t blob[VCPUS][BLOB], other[BLOB];

/* A vCPU's pieces; one of them is empty. */
static struct svmc_context_piece *pieces_of(uint32_t v)
{
    static struct svmc_context_piece piece[4];

    piece[0] = (struct svmc_context_piece){ regs[v], sizeof regs[v] };
    piece[1] = (struct svmc_context_piece){ NULL, 0 };
    piece[2] = (struct svmc_context_piece){ sysregs[v], sizeof sysregs[v] };
    piece[3] = (struct svmc_context_piece){ state[v], sizeof state[v] };
    return piece;
}

static void load(uint32_t v, uint64_t seed)
{
    for (unsigned i = 0; i < sizeof regs[v]; i++)
        regs[v][i] = (uint8_t)(harness_random(&seed) | 1);
    for (unsigned i = 0; i < sizeof sysregs[v]; i++)
        sysregs[v][i] = (uint8_t)(harness_random(&seed) | 1);
    for (unsigned i = 0; i < sizeof state[v]; i++)
        state[v][i] = (uint8_t)(harness_random(&seed) | 1);
}

static void text_of(uint32_t v, uint8_t text[TEXT])
{
    memcpy(text, regs[v], 100);
    memcpy(text + 100, sysregs[v], 3);
    memcpy(text + 103, state[v], 100);
}

static enum svmc_seal_reason out(uint32_t v)
{
    return svmc_context_out(&contexts, 1, v, pieces_of(v), 4, blob[v], BLOB);
}

static enum svmc_seal_reason in(uint32_t v, const uint8_t *from, size_t bytes)
{
    return svmc_context_in(&contexts, 2, v, from, bytes, pieces_of(v), 4);
}

static bool is_wiped(uint32_t v)
{
    uint8_t text[TEXT];

    text_of(v, text);
    return seal_lab_is_zero(text, TEXT);
}

/* No call leaves text in the lanes' rooms: they are first in the memory. */
static bool has_room(const uint8_t *text)
{
    for (size_t at = 0; at + 16 <= SEAL_LAB_LANES * 256; at++)
        if (memcmp(memory + at, text, 16) == 0)
            return false;
    return true;
}

static struct svmc_contexts_config config_of(void)
{
    return (struct svmc_contexts_config){
        .sealer = &lab.sealer, .vcpus = VCPUS, .bytes = TEXT, .lanes = SEAL_LAB_LANES, .subkeys = 2
    };
}

static void begin_limited(bool quick, uint64_t calls)
{
    struct svmc_contexts_config config = config_of();

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, quick);
    if (calls != 0)
        CHECK_EQ(svmc_vmkey_limit(&lab.key, calls, calls * (TEXT / 16 + 2)), SVMC_OK);
    REQUIRE(svmc_contexts_init(&contexts, &config, memory, sizeof memory) == SVMC_OK);
    for (uint32_t v = 0; v < VCPUS; v++)
        load(v, v);
}

static void begin(bool quick)
{
    begin_limited(quick, 0);
}

/* The vCPU is out, and this is not what it comes back with. */
static void is_refused(uint32_t v, const uint8_t *from, size_t bytes, enum svmc_seal_reason reason,
                       const char *what)
{
    memset(regs[v], 0xa5, sizeof regs[v]);
    CHECK_EQ(in(v, from, bytes), reason, "%s", what);
    CHECK_EQ(regs[v][0], 0xa5, "%s", what);
    CHECK(svmc_context_is_out(&contexts, v), "%s", what);
    memset(regs[v], 0, sizeof regs[v]);
    CHECK(is_wiped(v), "%s", what);
}

/* ---- setting up ------------------------------------------------------------------------------*/

TEST(contexts, they_are_laid_out_all_scheduled) /* SE-23 */
{
    struct svmc_contexts_config good, c;
    struct svmc_sealer unset = { .priv = { 0 } };
    struct svmc_contexts none;

    begin(true);
    CHECK_EQ(svmc_contexts_drop(&contexts), SVMC_OK);
    CHECK(seal_lab_is_empty(&lab));
    good = config_of();
    CHECK_EQ(svmc_contexts_bytes(&good), SEAL_LAB_LANES * 256 + 2 * 128 + 64);
    CHECK_EQ(svmc_contexts_bytes(NULL), 0);
#define REFUSED(member, value, need)                                                           \
    do {                                                                                       \
        c = good;                                                                              \
        c.member = value;                                                                      \
        CHECK_EQ(svmc_contexts_bytes(&c) == 0, (need) == 0, #member);                          \
        memset(&none, 0xa5, sizeof none);                                                      \
        CHECK_EQ(svmc_contexts_init(&none, &c, memory, sizeof memory), SVMC_ERR_ARG, #member); \
        CHECK(seal_lab_is_zero(&none, sizeof none), #member);                                  \
    } while (0)
    REFUSED(sealer, NULL, 1);
    REFUSED(vcpus, 0, 0);
    REFUSED(vcpus, SVMC_CONTEXTS_MAX + 1, 0);
    REFUSED(bytes, 0, 0);
    REFUSED(bytes, SVMC_CONTEXT_BYTES_MAX + 1, 0);
    REFUSED(lanes, 0, 0);
    REFUSED(lanes, SEAL_LAB_LANES + 1, 1);
    REFUSED(subkeys, 1, 0);
    REFUSED(subkeys, SVMC_SEAL_TURN_MAX + 1, 0);
    REFUSED(sealer, &unset, 1);
    REFUSED(lanes, SVMC_KEYSLOT_LANES_MAX + 1, 0);
#undef REFUSED
    CHECK_EQ(svmc_contexts_init(NULL, &good, memory, sizeof memory), SVMC_ERR_ARG);
    CHECK_EQ(svmc_contexts_init(&none, &good, NULL, sizeof memory), SVMC_ERR_ARG);
    CHECK_EQ(svmc_contexts_init(&none, &good, memory + 8, sizeof memory - 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_contexts_init(&none, &good, memory, svmc_contexts_bytes(&good) - 1),
             SVMC_ERR_FULL);
    for (unsigned k = 1; k <= 2; k++) {
        lab.crypto.fake.fail_at = lab.crypto.fake.calls + k;
        CHECK_EQ(svmc_contexts_init(&none, &good, memory, sizeof memory), SVMC_ERR_CALLBACK);
        CHECK(seal_lab_is_empty(&lab));
    }
    CHECK_EQ(svmc_contexts_init(&contexts, &good, memory, sizeof memory), SVMC_OK);
    for (uint32_t v = 0; v < VCPUS + 1; v++)
        CHECK_EQ(svmc_context_is_out(&contexts, v), 0);
    CHECK_EQ(svmc_context_blob_bytes(&contexts, TEXT), BLOB);
    CHECK_EQ(svmc_context_blob_bytes(&contexts, 1), HEADER + 1);
    CHECK_EQ(svmc_context_blob_bytes(&contexts, 0), 0);
    CHECK_EQ(svmc_context_blob_bytes(&contexts, TEXT + 1), 0);
    CHECK_EQ(svmc_context_blob_bytes(NULL, 1), 0);
    CHECK_EQ(svmc_contexts_drop(NULL), SVMC_ERR_ARG);
}

/* ---- out and in ------------------------------------------------------------------------------*/

TEST(contexts, a_blob_is_what_the_document_says) /* SE-24 SE-8 */
{
    static const uint8_t start[] = { 'S', 'V', 'M', 'V', 1, 3, 0x31, 0, 3, 0, 0, 0, TEXT, 0, 0, 0 };
    uint8_t message[16 + 48] = "svmcore subkey 1", derived[64], nonce[24] = { 3 },
                         fixed[16] = { 3 };
    struct fake_cipher c = { .alg = 0x31, .lanes = 1 };
    uint8_t sealed[TEXT], tag[16];
    const struct svmc_bytes ad[] = { { fixed, 16 }, { blob[3], 64 } };
    struct svmc_cipher_unit u = {
        .pieces = 2, .ad = ad, .nonce = nonce, .in = want, .out = sealed, .n = TEXT
    };

    begin(false);
    CHECK_EQ(out(0), SVMC_SEAL_NONE);
    text_of(3, want);
    CHECK_EQ(out(3), SVMC_SEAL_NONE);
    CHECK_MEM(blob[3], start, sizeof start);
    CHECK_EQ(core_load_le64(blob[3] + 16), 2); /* the second one */
    CHECK_MEM(blob[3] + 24, seal_lab_vm, 16);
    CHECK_MEM(blob[3] + 40, lab.key.priv.epoch, 16);
    CHECK_EQ(core_load_le64(blob[3] + 56), 0);
    message[16] = 3;
    message[17] = 0x31;
    memcpy(message + 32, blob[3] + 24, 32); /* VM, epoch */
    fake_blake2b(derived, 64, lab.keys + WORK, 32, message, sizeof message);
    memcpy(c.key, derived, 32);
    nonce[5] = 2;
    fixed[4] = 0x31;
    fixed[8] = TEXT;
    fake_aead(&c, &u, true, tag);
    CHECK_MEM(blob[3] + 64, tag, 16);
    CHECK_MEM(blob[3] + 80, sealed, TEXT);
}

TEST(contexts, a_context_leaves_and_comes_back) /* SE-25 SE-27 SE-28 */
{
    uint8_t got[TEXT];

    begin(true);
    text_of(2, want);
    CHECK_EQ(in(2, blob[2], BLOB), SVMC_SEAL_STATE);
    CHECK_EQ(out(2), SVMC_SEAL_NONE);
    CHECK(is_wiped(2));
    CHECK(has_room(want));
    CHECK_EQ(svmc_context_is_out(&contexts, 2), 1);
    CHECK_EQ(out(2), SVMC_SEAL_STATE);
    memcpy(other, blob[2], BLOB);
    CHECK_EQ(in(2, blob[2], BLOB), SVMC_SEAL_NONE);
    text_of(2, got);
    CHECK_MEM(got, want, TEXT);
    CHECK(has_room(want));
    CHECK_EQ(svmc_context_is_out(&contexts, 2), 0);
    CHECK_EQ(in(2, blob[2], BLOB), SVMC_SEAL_STATE); /* once */
    CHECK_EQ(out(2), SVMC_SEAL_NONE);                /* the same text */
    CHECK(memcmp(other + HEADER, blob[2] + HEADER, TEXT) != 0);
    is_refused(2, other, BLOB, SVMC_SEAL_OLD, "older");
    CHECK_EQ(svmc_context_forget(&contexts, 2), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_context_forget(&contexts, 2), SVMC_SEAL_STATE);
    CHECK_EQ(in(2, blob[2], BLOB), SVMC_SEAL_STATE);
    load(2, 99);
    CHECK_EQ(out(2), SVMC_SEAL_NONE);
    is_refused(2, other, BLOB, SVMC_SEAL_OLD, "the forgotten one");
}

/* ---- what a host may give --------------------------------------------------------------------*/

static enum svmc_seal_reason reason_of(unsigned byte)
{
    return byte < 4    ? SVMC_SEAL_FORMAT
           : byte < 5  ? SVMC_SEAL_ALG
           : byte < 6  ? SVMC_SEAL_PURPOSE
           : byte < 7  ? SVMC_SEAL_ALG
           : byte < 8  ? SVMC_SEAL_FORMAT
           : byte < 12 ? SVMC_SEAL_PURPOSE
           : byte < 16 ? SVMC_SEAL_FORMAT
           : byte < 24 ? SVMC_SEAL_OLD
           : byte < 40 ? SVMC_SEAL_OWNER
           : byte < 56 ? SVMC_SEAL_EPOCH
           : byte < 64 ? SVMC_SEAL_OLD
                       : SVMC_SEAL_TAG;
}

TEST(contexts, each_bit_is_missed) /* SE-26 SE-27 */
{
    begin(true);
    CHECK_EQ(out(1), SVMC_SEAL_NONE);
    for (unsigned bit = 0; bit < BLOB * 8; bit++) {
        blob[1][bit / 8] ^= (uint8_t)(1u << bit % 8);
        is_refused(1, blob[1], BLOB, reason_of(bit / 8), "bit");
        blob[1][bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bytes = 0; bytes < BLOB; bytes++)
        is_refused(1, blob[1], bytes, SVMC_SEAL_FORMAT, "cut");
    is_refused(1, blob[1], BLOB + 1, SVMC_SEAL_FORMAT, "too long");
    CHECK_EQ(svmc_context_in(&contexts, 0, 1, blob[1], BLOB, pieces_of(1), 3), SVMC_SEAL_FORMAT);
    CHECK_EQ(in(1, blob[1], BLOB), SVMC_SEAL_NONE);
}

TEST(contexts, only_this_vcpus_last_one_comes_back) /* SE-26 */
{
    struct svmc_sealer_config config;
    struct svmc_contexts_config second;
    static _Alignas(64) uint8_t room[sizeof memory];
    struct svmc_contexts theirs;
    struct svmc_sealer sealer;

    begin(true);
    CHECK_EQ(out(0), SVMC_SEAL_NONE);
    CHECK_EQ(out(1), SVMC_SEAL_NONE);
    is_refused(0, blob[1], BLOB, SVMC_SEAL_PURPOSE, "another vCPU's");
    memcpy(other, blob[1], BLOB); /* that says it is this one's */
    memcpy(other, blob[0], 64);
    is_refused(0, other, BLOB, SVMC_SEAL_TAG, "another vCPU's text");
    memcpy(other, blob[0], BLOB);
    memcpy(other + 64, blob[1] + 64, 16);
    is_refused(0, other, BLOB, SVMC_SEAL_TAG, "another vCPU's tag");
    lab.crypto.is_quick = false; /* another VM, with the same numbers of all */
    config = seal_lab_config(&lab, SVMC_ALG_AES_256_GCM);
    config.key = &lab.other;
    CHECK_EQ(svmc_sealer_init(&sealer, &config), SVMC_OK);
    lab.crypto.is_quick = true;
    second = config_of();
    second.sealer = &sealer;
    REQUIRE(svmc_contexts_init(&theirs, &second, room, sizeof room) == SVMC_OK);
    load(3, 17);
    CHECK_EQ(svmc_context_out(&theirs, 0, 0, pieces_of(3), 4, other, BLOB), SVMC_SEAL_NONE);
    is_refused(0, other, BLOB, SVMC_SEAL_OWNER, "another VM's");
    memcpy(other, blob[0], 64);
    is_refused(0, other, BLOB, SVMC_SEAL_TAG, "another VM's text");
    CHECK_EQ(svmc_contexts_drop(&theirs), SVMC_OK);
    svmc_sealer_key(&lab.sealer, SVMC_KEY_DESTROYED, 15);
    is_refused(0, blob[0], BLOB, SVMC_SEAL_KEY_STATE, "state");
    svmc_sealer_key(&lab.sealer, SVMC_KEY_ACTIVE, 15);
    CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_OK);
    is_refused(0, blob[0], BLOB, SVMC_SEAL_EPOCH, "an older epoch's");
    CHECK_EQ(svmc_contexts_drop(&contexts), SVMC_OK);
    second.sealer = &lab.sealer;
    REQUIRE(svmc_contexts_init(&contexts, &second, memory, sizeof memory) == SVMC_OK);
    memcpy(other, blob[0], BLOB);
    load(0, 3);
    CHECK_EQ(out(0), SVMC_SEAL_NONE);
    is_refused(0, other, BLOB, SVMC_SEAL_EPOCH, "an older epoch's, with its counter");
    svmc_vmkey_drop(&lab.key);
    is_refused(0, blob[0], BLOB, SVMC_SEAL_NO_KEY, "no key");
}

static void change_meanwhile(void)
{
    lab.crypto.toy.between = NULL;
    memset(blob[1], 0x66, BLOB);
}

TEST(contexts, a_blob_that_changes_meanwhile_is_read_once) /* SE-25 SE-27 */
{
    uint8_t got[TEXT];

    begin(true);
    text_of(1, want);
    lab.crypto.toy.between = change_meanwhile; /* before it is written */
    CHECK_EQ(out(1), SVMC_SEAL_NONE);
    lab.crypto.toy.between = change_meanwhile; /* after it was copied */
    CHECK_EQ(in(1, blob[1], BLOB), SVMC_SEAL_NONE);
    text_of(1, got);
    CHECK_MEM(got, want, TEXT);
}

TEST(contexts, what_cannot_be_is_refused) /* SE-25 */
{
    struct svmc_context_piece many[SVMC_CONTEXT_PIECES_MAX + 1] = { { regs[0], 1 } };
    struct svmc_context_piece bad[2] = { { regs[0], 100 }, { state[0], 104 } };

    begin(true);
    memset(blob, 0xa5, sizeof blob);
#define OUT(c, lane, v, piece, n, b, bytes) \
    CHECK_EQ(svmc_context_out(c, lane, v, piece, n, b, bytes), SVMC_SEAL_RANGE)
    OUT(NULL, 0, 0, pieces_of(0), 4, blob[0], BLOB);
    OUT(&contexts, SEAL_LAB_LANES, 0, pieces_of(0), 4, blob[0], BLOB);
    OUT(&contexts, 0, VCPUS, pieces_of(0), 4, blob[0], BLOB);
    OUT(&contexts, 0, UINT32_MAX, pieces_of(0), 4, blob[0], BLOB);
    OUT(&contexts, 0, 0, NULL, 4, blob[0], BLOB);
    OUT(&contexts, 0, 0, pieces_of(0), 0, blob[0], BLOB);
    OUT(&contexts, 0, 0, pieces_of(0), 4, NULL, BLOB);
    OUT(&contexts, 0, 0, pieces_of(0), 4, blob[0], BLOB - 1);
    OUT(&contexts, 0, 0, many, SVMC_CONTEXT_PIECES_MAX + 1, blob[0], BLOB);
    OUT(&contexts, 0, 0, bad, 2, blob[0], BLOB + 1);
    bad[1].bytes = SIZE_MAX;
    OUT(&contexts, 0, 0, bad, 2, blob[0], BLOB);
    bad[1] = (struct svmc_context_piece){ NULL, 1 };
    OUT(&contexts, 0, 0, bad, 2, blob[0], BLOB);
#undef OUT
    CHECK_EQ(blob[0][0], 0xa5);
    CHECK_EQ(regs[0][0] != 0, 1);
    CHECK_EQ(svmc_context_out(&contexts, 0, 0, many, SVMC_CONTEXT_PIECES_MAX, blob[0], BLOB),
             SVMC_SEAL_NONE);
#define IN(c, lane, v, b, piece, n) \
    CHECK_EQ(svmc_context_in(c, lane, v, b, HEADER + 1, piece, n), SVMC_SEAL_RANGE)
    IN(NULL, 0, 0, blob[0], many, 1);
    IN(&contexts, SEAL_LAB_LANES, 0, blob[0], many, 1);
    IN(&contexts, 0, VCPUS, blob[0], many, 1);
    IN(&contexts, 0, 0, NULL, many, 1);
    IN(&contexts, 0, 0, blob[0], NULL, 1);
    IN(&contexts, 0, 0, blob[0], many, 0);
#undef IN
    CHECK_EQ(svmc_context_in(&contexts, 0, 0, blob[0], HEADER + 1, many, 1), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_context_forget(&contexts, VCPUS), SVMC_SEAL_RANGE);
}

/* ---- faults, subkeys, any order --------------------------------------------------------------*/

TEST(contexts, a_call_that_fails_changes_nothing) /* SE-25 SE-27 SE-18 */
{
    uint8_t got[TEXT];

    begin(true);
    text_of(1, want);
    memset(blob[1], 0xa5, BLOB);
    lab.crypto.toy.fail_at = lab.crypto.toy.calls + 1;
    CHECK_EQ(out(1), SVMC_SEAL_CRYPTO);
    text_of(1, got);
    CHECK_MEM(got, want, TEXT);
    CHECK(has_room(want));
    CHECK_EQ(blob[1][0], 0xa5);
    CHECK_EQ(svmc_context_is_out(&contexts, 1), 0);
    svmc_sealer_key(&lab.sealer, SVMC_KEY_DEACTIVATED, 15);
    CHECK_EQ(out(1), SVMC_SEAL_KEY_STATE);
    CHECK(has_room(want)); /* it was gathered before */
    svmc_sealer_key(&lab.sealer, SVMC_KEY_ACTIVE, 15);
    CHECK_EQ(out(1), SVMC_SEAL_NONE);
    CHECK_EQ(core_load_le64(blob[1] + 16), 3); /* two are burned */
    lab.crypto.toy.fail_at = lab.crypto.toy.calls + 1;
    is_refused(1, blob[1], BLOB, SVMC_SEAL_CRYPTO, "crypto");
    CHECK_EQ(in(1, blob[1], BLOB), SVMC_SEAL_NONE);
}

TEST(contexts, subkeys_take_turns) /* SE-22 SE-23 */
{
    begin_limited(true, 3);
    CHECK_EQ(svmc_contexts_left(&contexts), 6);
    CHECK_EQ(out(0), SVMC_SEAL_NONE);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(out(1), SVMC_SEAL_NONE);
        CHECK_EQ(in(1, blob[1], BLOB), SVMC_SEAL_NONE);
    }
    CHECK_EQ(svmc_contexts_left(&contexts), 0);
    CHECK_EQ(out(1), SVMC_SEAL_BUDGET);
    CHECK_EQ(svmc_contexts_tend(&contexts), SVMC_SEAL_BUDGET); /* vCPU 0 is out under it */
    CHECK_EQ(in(0, blob[0], BLOB), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_contexts_tend(&contexts), SVMC_SEAL_NONE);
    CHECK_EQ(lab.crypto.toy.loaded, 2);
    CHECK_EQ(out(1), SVMC_SEAL_NONE);
    CHECK_EQ(core_load_le64(blob[1] + 56), 2); /* the third index */
    CHECK_EQ(in(1, blob[1], BLOB), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_contexts_tend(NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_contexts_left(NULL), 0);
}

enum { SEEN = 1 << 16, KEPT = 6 };
static uint64_t seen[SEEN];
static unsigned twice;

static void record(const uint8_t *key, const uint8_t *nonce)
{
    uint64_t sum = core_load_le64(key), at;

    sum ^= harness_random(&(uint64_t){ core_load_le64(nonce) });
    sum += harness_random(&(uint64_t){ core_load_le32(nonce + 8) });
    sum = harness_random(&sum) | 1;
    for (at = sum % SEEN; seen[at] != 0 && seen[at] != sum; at = (at + 1) % SEEN)
        ;
    twice += seen[at] == sum;
    seen[at] = sum;
}

/* A host keeps blobs and gives whatever it likes. SVMC_COUNT: how many steps. SE-26 SE-27 */
TEST(contexts, histories_are_what_the_model_says)
{
    static uint8_t kept[KEPT][BLOB], truth[VCPUS][TEXT];
    const char *count_text = getenv("SVMC_COUNT");
    unsigned count = count_text ? (unsigned)strtoul(count_text, NULL, 10) : 6000;
    uint64_t random = harness_seed();
    bool is_out[VCPUS] = { false };

    count = count < SEEN / 2 ? count : SEEN / 2; /* what `seen` has room for */
    begin_limited(true, 50);
    lab.crypto.toy.sealed = record;
    memset(seen, 0, sizeof seen);
    memset(kept, 0, sizeof kept);
    twice = 0;
    for (unsigned step = 0; step < count; step++) {
        uint32_t v = (uint32_t)(harness_random(&random) % VCPUS);
        const uint8_t *from = kept[harness_random(&random) % KEPT];
        enum svmc_seal_reason why;
        uint8_t got[TEXT];

        lab.crypto.toy.fail_at = harness_random(&random) % 9 == 0 ? lab.crypto.toy.calls + 1 : 0;
        if (!is_out[v]) {
            load(v, harness_random(&random));
            text_of(v, truth[v]);
            why = out(v);
            if (why == SVMC_SEAL_NONE) {
                memcpy(kept[harness_random(&random) % KEPT], blob[v], BLOB);
                is_out[v] = true;
            } else if (why == SVMC_SEAL_BUDGET) {
                for (uint32_t o = 0; o < VCPUS; o++)
                    if (svmc_context_forget(&contexts, o) == SVMC_SEAL_NONE)
                        is_out[o] = false;
                CHECK_EQ(svmc_contexts_tend(&contexts), SVMC_SEAL_NONE);
            } else {
                CHECK_EQ(why, SVMC_SEAL_CRYPTO);
            }
        } else {
            if (harness_random(&random) % 3 == 0)
                from = blob[v];
            why = in(v, from, BLOB);
            text_of(v, got);
            if (memcmp(from, blob[v], BLOB) == 0 && lab.crypto.toy.fail_at == 0) {
                CHECK_EQ(why, SVMC_SEAL_NONE, "%u", step);
                CHECK_MEM(got, truth[v], TEXT, "%u", step);
                is_out[v] = false;
            } else {
                CHECK(why != SVMC_SEAL_NONE, "%u", step);
                CHECK(seal_lab_is_zero(got, TEXT), "%u", step);
            }
        }
        CHECK_EQ(svmc_context_is_out(&contexts, v), is_out[v], "%u", step);
    }
    CHECK_EQ(twice, 0);
    CHECK_EQ(svmc_contexts_drop(&contexts), SVMC_OK);
    CHECK(seal_lab_is_empty(&lab));
}
