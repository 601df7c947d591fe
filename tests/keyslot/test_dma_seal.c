/* SPDX-License-Identifier: MIT */
/*
 * DMA: what an attacker does to memory, what a callback that fails leaves, and that no key and
 * nonce come together twice.
 */
#include <stdlib.h>

#include "../fakehost/crypto.h"
#include "dma_model.h"

static struct lab lab, twin;
static struct toy toy;
static const uint32_t authentic[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305 };
static const uint32_t opaque[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_XTS };
static const uint32_t lines[] = { 64, 64 };

/* A unit of VM 0 is read, and refused: its status, its reason, and no byte. */
static bool refuses(uint32_t page, uint32_t at)
{
    static const uint8_t nothing[80];
    struct svmc_dma_result r;
    uint8_t buffer[80];

    memset(buffer, 0x99, sizeof buffer);
    return dma_lab_move(&lab, 1, SVMC_DMA_READ, page * SVMC_DMA_PAGE + at - 8, buffer, 80, &r) ==
               SVMC_ERR_AUTH &&
           r.reason == SVMC_DMA_TAG && r.moved == 0 &&
           r.iova == page * SVMC_DMA_PAGE + at - (at % 64 ? 8 : 0) &&
           memcmp(buffer, nothing, sizeof buffer) == 0;
}

/* The ciphers of tests/fakehost are slow: their 4 KiB units are in tests/port/ciphers, on those of
   the back ends. The toy's are here, on every processor. */
TEST(dma_seal, every_changed_bit_is_refused) /* DM-16 DM-17 */
{
    struct fake_crypto fake;

    for (unsigned k = 0; k < 2; k++) {
        fake_crypto_init(&fake);
        dma_flips(&fake.ops, authentic[k], 64);
        CHECK_EQ(fake.loaded, 0);
        toy_init(&toy);
        dma_flips(&toy.ops, authentic[k], 64);
        dma_flips(&toy.ops, authentic[k], SVMC_DMA_PAGE);
    }
}

/* ---- pairs: what is whole somewhere is not elsewhere -----------------------------------------*/

struct sealed {
    uint8_t bytes[64];
    struct svmc_dma_seal seal;
};

static struct sealed take(struct lab *from, uint32_t vm, uint32_t page, uint32_t unit)
{
    struct sealed s = { .seal = from->seal[vm][page][unit] };

    memcpy(s.bytes, from->memory[vm][page] + 64 * (size_t)unit, sizeof s.bytes);
    return s;
}

/* version_too: who writes memory has the versions, too, which nobody has. */
static void put(const struct sealed *s, uint32_t page, uint32_t unit, bool version_too)
{
    struct svmc_dma_seal *seal = &lab.seal[0][page][unit];

    memcpy(lab.memory[0][page] + 64 * (size_t)unit, s->bytes, sizeof s->bytes);
    memcpy(seal->tag, s->seal.tag, sizeof seal->tag);
    if (version_too)
        seal->version = s->seal.version;
}

TEST(dma_seal, what_was_sealed_elsewhere_is_refused) /* DM-16 DM-17 */
{
    static const struct {
        char name[24];
        uint32_t vm, page, unit; /* of the other one */
        bool is_twin;
    } rows[] = {
        { "another page", 0, 3, 2, false },   { "another unit", 0, 2, 3, false },
        { "another VM", 1, 2, 2, false },     { "another epoch", 0, 2, 2, true },
        { "another's epoch", 1, 2, 2, true },
    };
    static const uint32_t same[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_AES_256_GCM };
    struct svmc_dma_result r;
    uint8_t line[64];

    for (unsigned keys = 0; keys < 2; keys++) { /* own keys; all the same, which the host forbids */
        toy_init(&toy);
        dma_lab_init(&lab, &toy.ops, same, lines);
        dma_lab_init(&twin, &toy.ops, same, lines);
        for (uint32_t vm = 0; vm < LAB_VMS; vm++) {
            dma_lab_revoke(&lab, vm);
            dma_lab_load(&lab, vm, (uint8_t)(keys ? 5 : 5 + vm));
            dma_lab_revoke(&twin, vm);
            twin.key[vm].epoch += 10;
            dma_lab_load(&twin, vm, (uint8_t)(keys ? 5 : 5 + vm));
        }
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const struct sealed mine = take(&lab, 0, 2, 2);
            const struct sealed other =
                take(rows[i].is_twin ? &twin : &lab, rows[i].vm, rows[i].page, rows[i].unit);

            CHECK_EQ(mine.seal.version, other.seal.version);
            put(&other, 2, 2, true);
            CHECK(refuses(2, 128), "%s", rows[i].name);
            put(&mine, 2, 2, true);
            CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
        }
    }
}

TEST(dma_seal, another_algorithm_and_size_are_refused) /* DM-16 */
{
    static const uint32_t wide[] = { 128, 128 };
    struct sealed other;

    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, (const uint32_t[]){ 0x31, 0x31 }, lines);
    dma_lab_init(&twin, &toy.ops, (const uint32_t[]){ 0x32, 0x32 }, lines);
    other = take(&twin, 0, 2, 2);
    put(&other, 2, 2, true);
    CHECK(refuses(2, 128));
    dma_lab_init(&lab, &toy.ops, (const uint32_t[]){ 0x31, 0x31 }, lines);
    dma_lab_init(&twin, &toy.ops, (const uint32_t[]){ 0x31, 0x31 }, wide);
    other = take(&twin, 0, 2, 2);
    other.seal.version = 1;
    put(&other, 2, 2, true);
    CHECK(refuses(2, 128));
}

TEST(dma_seal, old_memory_is_refused) /* DM-17 DM-19 */
{
    struct svmc_dma_result r;
    struct sealed old[4];
    uint8_t line[64];

    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, authentic, lines);
    for (unsigned i = 0; i < 4; i++) {
        memset(line, (int)(0x10 + i / 2), sizeof line); /* the same bytes twice, too */
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
        old[i] = take(&lab, 0, 2, 2);
        for (unsigned j = 0; j < i; j++) {
            CHECK(memcmp(old[i].bytes, old[j].bytes, 64) != 0);
            put(&old[j], 2, 2, false);
            CHECK(refuses(2, 128), "%u after %u", j, i);
        }
        put(&old[i], 2, 2, false);
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
        CHECK_EQ(line[5], 0x10 + i / 2);
    }
    /* what cannot be opened is not changed in part, but may be overwritten */
    put(&old[0], 2, 2, false);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 130, line, 8, &r), SVMC_ERR_AUTH);
    CHECK_MEM(lab.memory[0][2] + 128, old[0].bytes, 64);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
}

TEST(dma_seal, versions_begin_with_nothing_and_end) /* DM-18 DM-19 */
{
    struct svmc_dma_seal *seal = &lab.seal[0][2][2];
    static const uint8_t nothing[64];
    struct svmc_dma_result r;
    uint8_t line[64], byte = 9;

    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, authentic, lines);
    seal->version = 0; /* given away: `used` stays */
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
    CHECK_MEM(line, nothing, 64);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 133, &byte, 1, &r), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
    CHECK(line[5] == 9 && memcmp(line, nothing, 5) == 0 && memcmp(line + 6, nothing, 58) == 0);
    CHECK(seal->version == 2 && seal->used == 2);
    seal->used = SVMC_DMA_VERSION_MAX - 1;
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
    CHECK_EQ(seal->version, SVMC_DMA_VERSION_MAX);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 128, line, 64, &r), SVMC_ERR_FULL);
    CHECK_EQ(r.reason, SVMC_DMA_VERSIONS);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 2 * 4096 + 128, line, 64, &r), SVMC_OK);
    CHECK_EQ(line[5], 9);
    seal->used = 3; /* less than what is there: no version is given out again */
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096 + 128, line, 64, &r), SVMC_ERR_FULL);
}

/* ---- the k-th callback fails -----------------------------------------------------------------*/

static const uint32_t sizes[] = { 64, 1024 };
static uint8_t data[3 * 4096], nothing[3 * 4096];

/* DM-14: what was to be overwritten as a whole, opaque, is zero; written anew as it was. */
static void mend(uint32_t vm, uint64_t at, uint64_t end)
{
    uint32_t unit = sizes[vm], page = (uint32_t)(at / 4096), from = (uint32_t)(at % 4096);
    struct svmc_dma_result r;

    if (lab.key[vm].alg != SVMC_ALG_AES_256_XTS || at % unit != 0 || at + unit > end)
        return;
    CHECK_MEM(lab.memory[vm][page] + from, nothing, unit);
    CHECK_EQ(dma_lab_move(&lab, 4 * vm, SVMC_DMA_WRITE, at, lab.plain[vm][page] + from, unit, &r),
             SVMC_OK);
}

/* After a write that ended early: the first `moved` bytes are new, the others old. */
static bool is_half_written(uint32_t vm, uint64_t iova, uint64_t moved, size_t n)
{
    if (moved < n)
        mend(vm, iova + moved, iova + n);
    for (size_t i = 0; i < n; i++)
        if (i < moved)
            ((uint8_t *)lab.plain[vm])[iova + i] = data[i];
    return dma_lab_holds(&lab, vm);
}

TEST(dma_seal, a_callback_that_fails_leaves_no_half_unit) /* DM-6 DM-13 DM-14 DM-19 */
{
    static const struct svmc_dma_piece piece[] = { { 4096 - 100, data, 4096 + 200 } };
    const struct svmc_dma_request base = { .piece = piece, .pieces = 1 };

    for (unsigned k = 0; k < 8; k++) { /* algorithm, size, direction */
        uint32_t vm = k >> 1 & 1, ended = 0;

        for (unsigned at = 1; !ended && at < 400; at++) {
            struct svmc_dma_request request = base;
            struct svmc_dma_result r;
            enum svmc_status st;

            if (at == 1 || k & 1) { /* what was written before is looked at again */
                toy_init(&toy);
                dma_lab_init(&lab, &toy.ops, k & 4 ? authentic : opaque, sizes);
            }
            memset(data, 0x21, sizeof data);
            request.bdf = dma_lab_bdf(4 * vm);
            request.direction = k & 1;
            toy.calls = 0;
            toy.fail_at = at;
            st = svmc_dma_move(&lab.dma, 0, &request, &r);
            ended = st == SVMC_OK;
            CHECK_EQ(ended, toy.calls < at, "%u %u", k, at);
            toy.fail_at = 0;
            if (!ended)
                CHECK(st == SVMC_ERR_CALLBACK && r.reason == SVMC_DMA_CRYPTO, "%u %u", k, at);
            if (!ended && !(k & 1))
                CHECK(memcmp(data, nothing, 4296) == 0 && r.moved == 0, "%u %u", k, at);
            if (k & 1)
                CHECK(is_half_written(vm, 4096 - 100, r.moved, 4296), "%u %u", k, at);
            for (uint32_t n = 0; n < 64; n++)
                CHECK_EQ((uint32_t)lab.dma.priv.stripe[n], 0);
            CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
        }
        CHECK(ended, "%u", k);
    }
    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, opaque, sizes);
    for (unsigned at = 1; at <= 3; at++) { /* three pages */
        struct svmc_dma_request request = base;
        struct svmc_dma_result r;

        request.direction = SVMC_DMA_WRITE;
        lab.translations = 0;
        lab.translate_fails = at;
        svmc_keyslots_flush(&lab.ks);
        CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_REFUSED);
        CHECK(r.reason == SVMC_DMA_UNMAPPED && r.moved == 0);
        lab.translate_fails = 0;
        CHECK(dma_lab_holds(&lab, 0));
    }
}

/* ---- key and nonce ---------------------------------------------------------------------------*/

static uint64_t *pairs,
    room; /* their hashes: 64 bits, so that 10^7 of them do not meet by chance */
static uint64_t recorded, repeated, recorded_of[LAB_VMS], budgets;

static void record(const uint8_t *key, const uint8_t *nonce)
{
    uint64_t sum = 0;
    size_t at;

    for (unsigned i = 0; i < 44; i++) {
        sum ^= i < 32 ? key[i] : nonce[i - 32];
        sum = harness_random(&sum);
    }
    sum |= !sum;
    for (at = sum % room; pairs[at] != 0 && pairs[at] != sum; at = (at + 1) % room)
        ;
    repeated += pairs[at] == sum;
    recorded += pairs[at] == 0;
    for (uint32_t vm = 0; vm < LAB_VMS; vm++)
        recorded_of[vm] += memcmp(key, lab.key_bytes[vm], 32) == 0;
    pairs[at] = sum;
}

enum { BUDGET = 2000 }; /* units of a key */

/* A fresh key, in a fresh slot; what was sealed is given up. */
static void fresh_key(uint32_t vm, uint64_t *rng)
{
    svmc_key_handle old = lab.slot[vm];

    lab.key[vm].before = old;
    lab.key[vm].units = BUDGET;
    for (unsigned i = 0; i < 64; i++)
        lab.key_bytes[vm][i] = (uint8_t)harness_random(rng);
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[vm], &lab.slot[vm]), SVMC_OK);
    CHECK_EQ(svmc_device_rebind_slot(&lab.devices, old, lab.slot[vm]), LAB_DEVICES / LAB_VMS);
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, old, SVMC_KEYSLOT_DRAIN), SVMC_OK);
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
    memset(lab.seal[vm], 0, sizeof lab.seal[vm]);
    recorded_of[vm] = 0;
    if (svmc_keyslots_recycle(&lab.ks) != 0)
        svmc_keyslots_flush(&lab.ks);
}

/* Seals go on from the last snapshot, twice: a restore and a clone; and where a key has had its
   budget, with the next one. SVMC_COUNT: how many seals. */
TEST(dma_seal, no_key_and_nonce_twice) /* DM-16 DM-19 DM-22 */
{
    static struct lab snapshot;
    const char *text = getenv("SVMC_COUNT");
    uint64_t count = text ? strtoull(text, NULL, 10) : 20000, rng = harness_seed(), turns = 0;
    struct svmc_dma_result r;

    room = 2 * count + 4096;
    pairs = calloc(room, sizeof *pairs);
    REQUIRE(pairs != NULL);
    recorded = repeated = budgets = 0;
    toy_init(&toy);
    toy.sealed = record;
    dma_lab_init(&lab, &toy.ops, authentic, sizes);
    while (recorded < count && repeated == 0) {
        uint64_t iova = harness_random(&rng) % (LAB_PAGES - 1) * 4096 + harness_random(&rng) % 4096;
        uint32_t device = harness_random(&rng) % LAB_DEVICES;

        if (turns++ % 64 == 0) /* some seals fail, and burn their version */
            toy.fail_at = toy.calls + 1 + (uint32_t)(harness_random(&rng) % 64);
        if (dma_lab_move(&lab, device, SVMC_DMA_WRITE, iova, data, harness_random(&rng) % 600,
                         &r) == SVMC_ERR_FULL) {
            CHECK_EQ(r.reason, SVMC_DMA_BUDGET);
            budgets++;
            fresh_key(dma_lab_vm(device), &rng);
        }
        for (uint32_t vm = 0; vm < LAB_VMS; vm++)
            CHECK(lab.key[vm].units == 0 || recorded_of[vm] <= BUDGET);
        if (turns % 5000 == 1000)
            snapshot = lab; /* memory, versions, tags */
        if (turns % 1000 == 0 &&
            turns % 5000 >= 2000) { /* back to it, more than once: a fresh epoch, so a fresh key */
            toy.fail_at = 0;
            memcpy(lab.memory, snapshot.memory, sizeof lab.memory);
            memcpy(lab.seal, snapshot.seal, sizeof lab.seal);
            for (uint32_t vm = 0; vm < LAB_VMS; vm++)
                fresh_key(vm, &rng);
        }
    }
    CHECK(recorded >= count && budgets > count / BUDGET / 4);
    CHECK_EQ(repeated, 0);
    /* the recorder sees it: versions put back, the key still the same */
    memset(lab.seal, 0, sizeof lab.seal);
    toy.fail_at = 0;
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 0, data, 64, &r), SVMC_OK);
        memset(lab.seal, 0, sizeof lab.seal);
    }
    CHECK(repeated != 0);
    free(pairs);
}
