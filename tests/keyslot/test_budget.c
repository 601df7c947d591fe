/* SPDX-License-Identifier: MIT */
/* What a slot may encrypt, and how the next subkey takes over from it. */
#include "../fakehost/crypto.h"
#include "keyslot_lab.h"

static struct lab lab;
static struct toy toy;
static const uint32_t mixed[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
static const uint32_t lines[] = { 64, 64 };
static uint8_t data[LAB_PAGES * SVMC_DMA_PAGE];

enum { LOAD_UNITS = LAB_PAGES * SVMC_DMA_PAGE / 64 }; /* that dma_lab_load writes */

/* The VM's key anew, with so many units left when its memory is written. */
static void start(uint32_t vm, uint64_t units)
{
    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, mixed, lines);
    dma_lab_revoke(&lab, vm);
    lab.key[vm].units = LOAD_UNITS + units;
    dma_lab_load(&lab, vm, 33);
}

static enum svmc_status write_by(uint32_t lane, uint32_t device, uint64_t iova, size_t n,
                                 struct svmc_dma_result *r)
{
    const struct svmc_dma_piece piece = { iova, data, n };
    const struct svmc_dma_request request = {
        .bdf = dma_lab_bdf(device), .direction = SVMC_DMA_WRITE, .piece = &piece, .pieces = 1
    };

    return svmc_dma_move(&lab.dma, lane, &request, r);
}

TEST(budget, a_key_encrypts_so_many_units_and_no_more) /* KS-17 DM-22 */
{
    static uint8_t memory[sizeof lab.memory];
    struct svmc_dma_result r;
    uint8_t byte;

    memset(data, 0x3c, sizeof data);
    for (uint32_t vm = 0; vm < LAB_VMS; vm++) {
        start(vm, 10);
        memcpy(memory, lab.memory, sizeof memory);
        toy.calls = 0;
        /* eleven units, in two pages: the first bytes of the second page are one too many */
        CHECK_EQ(write_by(0, 4 * vm, 4096 - 640, 641, &r), SVMC_ERR_FULL);
        CHECK(r.reason == SVMC_DMA_BUDGET && r.moved == 0 && r.iova == 0);
        CHECK_EQ(toy.calls, 0);
        CHECK_MEM(lab.memory, memory, sizeof memory);
        CHECK_EQ(write_by(0, 4 * vm, 4096 - 640, 640, &r), SVMC_OK);
        memcpy(lab.plain[vm][0] + 4096 - 640, data, 640);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, lab.slot[vm]), 0);
        CHECK_EQ(write_by(0, 4 * vm, 5, 1, &r), SVMC_ERR_FULL);
        CHECK_EQ(r.reason, SVMC_DMA_BUDGET);
        CHECK_EQ(write_by(0, 4 * vm, 5, 0, &r), SVMC_OK, "nothing costs nothing");
        CHECK_EQ(dma_lab_move(&lab, 4 * vm, SVMC_DMA_READ, 7, &byte, 1, &r), SVMC_OK);
        CHECK(dma_lab_holds(&lab, vm), "what it sealed it opens");
        CHECK_EQ(write_by(0, 4 - 4 * vm, 5, 1, &r), SVMC_OK, "the other VM's has units");
    }
}

static uint64_t encrypted;

static void count(const uint8_t *key, const uint8_t *nonce)
{
    (void)nonce;
    encrypted += memcmp(key, lab.key_bytes[1], 32) == 0;
}

/* Lanes and another VM's slot of which a lane keeps the rest in the same place; some are busy. */
TEST(budget, is_used_up_by_lanes_to_the_last_unit) /* KS-17 DM-22 */
{
    uint64_t rng = harness_seed();
    struct svmc_dma_result r;
    uint32_t dry = 0, turns = 0;

    for (unsigned alike = 0; alike < 2; alike++) {
        start(1, 40000);
        while (alike && (lab.slot[0].raw ^ lab.slot[1].raw) % 4 != 0) {
            dma_lab_revoke(&lab, 0);
            dma_lab_load(&lab, 0, 3);
        }
        encrypted = LOAD_UNITS;
        toy.sealed = count;
        for (dry = turns = 0; dry != 15 && turns < 200000; turns++) {
            uint32_t lane = harness_random(&rng) % LAB_LANES;
            uint64_t iova = harness_random(&rng) % (11 * 4096);
            enum svmc_status st;

            if (turns % 16 == 0) { /* somebody else is at it: nothing is used */
                uint64_t *stripe = lab.dma.priv.stripe + turns / 16 % 64, was = *stripe;

                *stripe = (uint64_t)99 << 32 | 1;
                (void)write_by(lane, 4, iova, 64 * 20, &r);
                CHECK(r.reason == SVMC_DMA_CLAIMED || r.reason == SVMC_DMA_BUDGET ||
                      r.reason == SVMC_DMA_NONE);
                *stripe = was;
            }
            CHECK_EQ(write_by(lane, 0, iova, 8, &r), SVMC_OK);
            st = write_by(lane, 5, iova & ~(uint64_t)63, 1 + harness_random(&rng) % 64, &r);
            CHECK(st == SVMC_OK || (st == SVMC_ERR_FULL && r.reason == SVMC_DMA_BUDGET));
            dry |= (uint32_t)(st == SVMC_ERR_FULL) << lane;
        }
        CHECK_EQ(encrypted, LOAD_UNITS + 40000, "%u", alike);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, lab.slot[1]), 0);
        CHECK(turns > 10000, "lanes sit on what they do not use: %u", turns);
    }
    CHECK_EQ(svmc_keyslot_left(NULL, lab.slot[1]), 0);
    CHECK_EQ(svmc_keyslot_left(&lab.ks, (svmc_key_handle){ 0 }), 0);
    CHECK_EQ(svmc_keyslot_left(&lab.ks, (svmc_key_handle){ lab.slot[1].raw ^ 0x10000 }), 0);
}

TEST(budget, what_a_lane_kept_of_an_old_load_is_lost) /* KS-17 */
{
    struct svmc_dma_result r;
    svmc_key_handle old;
    uint64_t left;

    start(1, 40000);
    old = lab.slot[1];
    CHECK_EQ(write_by(2, 4, 0, 64, &r), SVMC_OK);
    do { /* until it is in the same slot */
        dma_lab_revoke(&lab, 1);
        dma_lab_load(&lab, 1, 3);
    } while ((lab.slot[1].raw ^ old.raw) % 0x10000 != 0);
    CHECK(lab.slot[1].raw != old.raw);
    do {
        dma_lab_revoke(&lab, 0);
        dma_lab_load(&lab, 0, 3);
    } while ((lab.slot[0].raw ^ old.raw) % 4 != 0);
    left = svmc_keyslot_left(&lab.ks, lab.slot[1]);
    CHECK_EQ(write_by(2, 0, 0, 64, &r), SVMC_OK);
    CHECK_EQ(svmc_keyslot_left(&lab.ks, lab.slot[1]), left);
}

TEST(budget, a_load_has_what_a_subkey_may_at_most) /* KS-17 KH-7 */
{
    static const struct {
        uint32_t unit;
        uint64_t units; /* the smaller of 2^32 and 2^36 / (blocks + 1), rounded down */
    } rows[] = { { 64, 4294967296 },  { 128, 4294967296 },  { 256, 4042322160 },
                 { 512, 2082408385 }, { 1024, 1057222719 }, { 2048, 532709121 },
                 { 4096, 267390960 } };
    svmc_key_handle handle;

    start(0, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_keyslot_key key = lab.key[0];

        key.unit_bytes = rows[i].unit;
        key.units = 0;
        REQUIRE(svmc_keyslot_load(&lab.ks, &key, &handle) == SVMC_OK);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, handle), rows[i].units, "%u", rows[i].unit);
        CHECK_EQ(svmc_keyslot_revoke(&lab.ks, handle, SVMC_KEYSLOT_DRAIN), SVMC_OK);
        key.units = rows[i].units + 1;
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &handle), SVMC_ERR_ARG);
        key.units = 7;
        REQUIRE(svmc_keyslot_load(&lab.ks, &key, &handle) == SVMC_OK);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, handle), 7);
        CHECK_EQ(svmc_keyslot_revoke(&lab.ks, handle, SVMC_KEYSLOT_DRAIN), SVMC_OK);
    }
}

/* ---- two slots -------------------------------------------------------------------------------*/

/* A slot that comes after VM 1's, whose functions it gets; the pages stay. */
static svmc_key_handle link_next(void)
{
    struct svmc_keyslot_key key = lab.key[1];
    svmc_key_handle old = lab.slot[1];

    key.before = old;
    key.units = 0;
    lab.key_bytes[1][5] ^= 1;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &lab.slot[1]), SVMC_OK);
    CHECK_EQ(svmc_device_rebind_slot(&lab.devices, old, lab.slot[1]), LAB_DEVICES / LAB_VMS);
    for (uint32_t page = 0; page < LAB_PAGES; page++)
        lab.page_slot[1][page] = old;
    svmc_keyslots_flush(&lab.ks);
    return old;
}

static struct {
    svmc_key_handle handle;
    enum svmc_keyslot_revoke how;
    unsigned calls, at;
} revoking;

static void revoke_now(void)
{
    if (++revoking.calls == revoking.at)
        CHECK_EQ(svmc_keyslot_revoke(&lab.ks, revoking.handle, revoking.how), SVMC_ERR_BUSY);
}

TEST(budget, a_function_moves_pages_of_the_slot_before_its_own) /* KS-18 DM-23 */
{
    struct svmc_dma_result r;
    svmc_key_handle old, flight;
    static uint8_t buffer[8192];

    start(1, 1000);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, dma_lab_bdf(4), &flight, &r), SVMC_OK);
    old = link_next();
    CHECK_EQ(old.raw, flight.raw);
    CHECK(dma_lab_holds(&lab, 1));
    CHECK_EQ(write_by(2, 4, 100, 64, &r), SVMC_OK);
    memcpy(lab.plain[1][0] + 100, data, 64);
    CHECK(dma_lab_holds(&lab, 1));
    /* a list in both */
    lab.page_slot[1][1] = (svmc_key_handle){ 0 };
    memset(lab.seal[1][1], 0, sizeof lab.seal[1][1]);
    svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(write_by(2, 4, 4096, 4096, &r), SVMC_OK);
    memcpy(lab.plain[1][1], data, 4096);
    CHECK_EQ(dma_lab_move(&lab, 6, SVMC_DMA_READ, 0, buffer, 8192, &r), SVMC_OK);
    CHECK_MEM(buffer, lab.plain[1][0], 8192);
    { /* with a reference to the old slot the new one's page is there, too */
        const struct svmc_dma_piece piece = { 0, buffer, 8192 };
        const struct svmc_dma_request request = {
            .bdf = dma_lab_bdf(4), .piece = &piece, .pieces = 1, .flight = flight
        };

        memset(buffer, 0, sizeof buffer);
        CHECK_EQ(svmc_dma_move(&lab.dma, 3, &request, &r), SVMC_OK);
        CHECK_MEM(buffer, lab.plain[1][0], 8192);
    }
    /* not linked: VM 0's slot; a third one of its own */
    lab.page_slot[1][2] = lab.slot[0];
    svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(dma_lab_move(&lab, 6, SVMC_DMA_READ, 8192, buffer, 64, &r), SVMC_ERR_REFUSED);
    CHECK_EQ(r.reason, SVMC_DMA_SLOT);
    lab.page_slot[1][2] = old;
    (void)link_next();
    lab.page_slot[1][3] = old;
    svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(dma_lab_move(&lab, 6, SVMC_DMA_READ, 3 * 4096, buffer, 64, &r), SVMC_ERR_REFUSED);
    CHECK_EQ(r.reason, SVMC_DMA_SLOT);
    for (uint32_t n = 0; n < LAB_LANES; n++) /* nobody is left at any of them */
        CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
    CHECK_EQ(svmc_keyslot_unref(&lab.ks, flight), SVMC_OK);
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, old, SVMC_KEYSLOT_DRAIN), SVMC_OK);
}

TEST(budget, one_linked_slot_a_request) /* DM-23 */
{
    static uint8_t buffer[8192];
    const struct svmc_dma_piece piece[] = { { 4096, buffer, 1 }, { 8192, buffer, 1 } };
    struct svmc_dma_request request = { .bdf = dma_lab_bdf(4), .piece = piece, .pieces = 2 };
    struct svmc_dma_result r;
    svmc_key_handle first, second;

    start(1, 1000);
    first = link_next();
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, dma_lab_bdf(4), &second, &r), SVMC_OK);
    CHECK_EQ(link_next().raw, second.raw);
    lab.page_slot[1][1] = first;
    lab.page_slot[1][2] = lab.slot[1];
    memset(lab.seal[1][2], 0, sizeof lab.seal[1][2]);
    request.flight = second; /* linked with both */
    svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), SVMC_ERR_REFUSED);
    CHECK(r.reason == SVMC_DMA_SLOT && r.iova == 8192);
    for (request.pieces = 1; request.piece != piece + 2; request.piece++)
        CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), SVMC_OK);
}

/* VM 1 in two linked slots whose rests a lane keeps in one place, page 1 in the old one. */
static svmc_key_handle two_slots(uint64_t old_units, uint64_t new_units)
{
    svmc_key_handle old;

    start(1, old_units);
    old = lab.slot[1];
    lab.key[1].before = old;
    lab.key[1].units = new_units;
    for (;;) { /* slots that go by unused */
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[1], &lab.slot[1]), SVMC_OK);
        if ((lab.slot[1].raw ^ old.raw) % 4 == 0)
            break;
        CHECK_EQ(svmc_keyslot_revoke(&lab.ks, lab.slot[1], SVMC_KEYSLOT_DRAIN), SVMC_OK);
    }
    CHECK_EQ(svmc_device_rebind_slot(&lab.devices, old, lab.slot[1]), 4);
    lab.page_slot[1][1] = old;
    svmc_keyslots_flush(&lab.ks);
    return old;
}

TEST(budget, a_list_in_two_slots_takes_of_both_or_of_none) /* DM-22 DM-23 */
{
    const struct svmc_dma_piece piece[] = { { 4096, data, 640 }, { 8192, data, 640 } };
    const struct svmc_dma_request request = {
        .bdf = dma_lab_bdf(4), .direction = SVMC_DMA_WRITE, .piece = piece, .pieces = 2
    };
    uint64_t *stripes, left;
    struct svmc_dma_result r;
    svmc_key_handle old;

    for (unsigned lacks = 0; lacks < 2; lacks++) { /* the old one, or the new one */
        old = two_slots(lacks == 0 ? 9 : 40000, lacks == 0 ? 40000 : 9);
        left = svmc_keyslot_left(&lab.ks, old);
        CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), SVMC_ERR_FULL);
        CHECK(r.reason == SVMC_DMA_BUDGET && r.iova == 0 && r.moved == 0);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, old), left);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, lab.slot[1]), lacks == 0 ? 40000 : 9);
    }
    (void)two_slots(10, 10);
    stripes = lab.dma.priv.stripe;
    for (uint32_t n = 0; n < 64; n++)
        stripes[n] = (uint64_t)99 << 32 | 1;
    CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), SVMC_ERR_BUSY);
    for (uint32_t n = 0; n < 64; n++)
        stripes[n] = 0;
    CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), SVMC_OK);
    CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), SVMC_ERR_FULL);
}

static enum svmc_status program(void *ctx, uint32_t place, const struct svmc_keyslot_key *key,
                                struct svmc_cipher_key *room)
{
    (void)ctx, (void)place;
    return toy.ops.cipher_load(&toy, room, key->alg, lab.key_bytes[0], LAB_LANES);
}

static void evict(void *ctx, uint32_t place, struct svmc_cipher_key *room)
{
    (void)ctx, (void)place;
    toy.ops.cipher_drop(&toy, room);
}

TEST(budget, a_linked_slot_without_a_place_is_brought) /* DM-23 */
{
    static const struct svmc_keyslot_ops ops = { sizeof ops, 0, NULL, program, evict };
    const struct svmc_keyslots_config config = { .crypto = &toy.ops,
                                                 .ops = &ops,
                                                 .kind = SVMC_KEYSLOT_HARDWARE,
                                                 .slots = 2,
                                                 .places = 2,
                                                 .lanes = LAB_LANES };
    struct svmc_keyslot_key key;
    struct svmc_dma_result r;
    svmc_key_handle old;
    uint8_t byte;

    start(0, 1);
    dma_lab_revoke(&lab, 0);
    dma_lab_revoke(&lab, 1);
    svmc_keyslots_drop(&lab.ks);
    CHECK_EQ(svmc_keyslots_init(&lab.ks, &config, lab.pool, sizeof lab.pool), SVMC_OK);
    key = lab.key[0];
    key.bytes = NULL;
    key.units = 0;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &old), SVMC_OK);
    key.before = old;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &lab.slot[0]), SVMC_OK);
    dma_lab_bind(&lab, 0);
    lab.page_slot[0][1] = old;
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 4096, &byte, 1, &r), SVMC_ERR_ABSENT);
    CHECK_EQ(svmc_keyslot_bring(&lab.ks, lab.slot[0]), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 4096, &byte, 1, &r), SVMC_ERR_ABSENT);
    CHECK(r.reason == SVMC_DMA_KEY && r.iova == 4096);
    CHECK_EQ(svmc_keyslot_bring(&lab.ks, old), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 4096, &byte, 1, &r), SVMC_OK);
    CHECK_EQ(byte, lab.plain[0][1][0]);
}

TEST(budget, who_moves_a_page_of_the_slot_before_is_waited_for) /* KS-18 DM-20 */
{
    static uint8_t buffer[640], nothing[640];
    struct svmc_dma_result r;
    svmc_key_handle old;

    for (unsigned cut = 0; cut < 2; cut++) {
        start(1, 1000);
        old = link_next();
        memset(&revoking, 0, sizeof revoking);
        revoking.handle = old;
        revoking.how = cut ? SVMC_KEYSLOT_CUT : SVMC_KEYSLOT_DRAIN;
        revoking.at = 3;
        toy.between = revoke_now;
        memset(buffer, 0x44, sizeof buffer);
        CHECK_EQ(dma_lab_move(&lab, 4, SVMC_DMA_READ, 128, buffer, 640, &r),
                 cut ? SVMC_ERR_STALE : SVMC_OK);
        toy.between = NULL;
        CHECK_EQ(r.reason, cut ? SVMC_DMA_CUT : SVMC_DMA_NONE);
        CHECK_MEM(buffer, cut ? nothing : lab.plain[1][0] + 128, 640);
        CHECK_EQ(svmc_keyslot_revoke(&lab.ks, old, SVMC_KEYSLOT_DRAIN), SVMC_OK);
        CHECK_EQ(dma_lab_move(&lab, 4, SVMC_DMA_READ, 128, buffer, 640, &r), SVMC_ERR_REFUSED);
        CHECK_EQ(r.reason, SVMC_DMA_SLOT);
    }
}

TEST(budget, only_like_slots_are_linked) /* KS-18 DT-9 */
{
    struct svmc_keyslot_key key;
    svmc_key_handle handle;

    start(1, 1000);
    for (unsigned i = 0; i < 6; i++) {
        key = lab.key[1];
        key.units = 0;
        key.before = lab.slot[1];
        key.domain += i == 0;
        key.alg = i == 1 ? SVMC_ALG_CHACHA20_POLY1305 : key.alg;
        key.unit_bytes *= i == 2 ? 2 : 1;
        key.before.raw ^= i == 3 ? 0x10000 : 0;
        key.before.raw |= i == 4 ? 0xffff : 0;
        handle.raw = 9;
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &handle),
                 i < 3   ? SVMC_ERR_ARG
                 : i < 5 ? SVMC_ERR_STALE
                         : SVMC_OK,
                 "%u", i);
        CHECK_EQ(handle.raw != 0, i == 5, "%u", i);
    }
    dma_lab_revoke(&lab, 1);
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &handle), SVMC_ERR_STALE);
    CHECK_EQ(svmc_device_rebind_slot(&lab.devices, lab.slot[0], (svmc_key_handle){ 0 }), 0);
    CHECK_EQ(svmc_device_rebind_slot(NULL, lab.slot[0], lab.slot[1]), 0);
    CHECK_EQ(svmc_device_find(&lab.devices, dma_lab_bdf(0), &handle), SVMC_OK);
    CHECK_EQ(handle.raw, lab.slot[0].raw);
}

/* ---- the next subkey -------------------------------------------------------------------------*/

static struct fake_crypto fake;
static struct svmc_keyarena arena;
static struct svmc_vmkey vm_key;
static _Alignas(64) uint8_t arena_memory[SVMC_KEYARENA_BYTES(2)];

/* DM-24: a page out of the old slot into the new one, by a function of the host's own. */
static void reseal(uint32_t vm, uint32_t page)
{
    static uint8_t plain[SVMC_DMA_PAGE];
    const struct svmc_dma_piece piece = { 0, plain, sizeof plain };
    struct svmc_dma_request request = { .bdf = dma_lab_bdf(4 * vm), .piece = &piece, .pieces = 1 };
    struct dma_lab_map was = lab.map[vm][0];
    struct svmc_dma_result r;

    lab.map[vm][0] = (struct dma_lab_map){ vm, page, SVMC_ACCESS_RW }; /* nobody else asks here */
    for (unsigned direction = 0; direction < 2; direction++) {
        svmc_keyslots_flush(&lab.ks);
        request.direction = direction;
        CHECK_EQ(svmc_dma_move(&lab.dma, 3, &request, &r), SVMC_OK);
        lab.page_slot[vm][page].raw = 0;
    }
    lab.map[vm][0] = was;
    svmc_keyslots_flush(&lab.ks);
    memset(plain, 0, sizeof plain);
}

TEST(budget, the_next_subkey_takes_over) /* DM-22 DM-24 KH-8 */
{
    static const uint8_t vm_name[16] = { 7 };
    struct svmc_key_grant grant, last = { .calls = 0 };
    struct svmc_dma_result r;
    svmc_key_handle old;

    fake_crypto_init(&fake);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, arena_memory, sizeof arena_memory), SVMC_OK);
    CHECK_EQ(svmc_vmkey_create(&vm_key, &arena, vm_name, SVMC_ALG_DERIVE_BLAKE2B), SVMC_OK);
    CHECK_EQ(svmc_vmkey_limit(&vm_key, 2 * LOAD_UNITS, 10 * LOAD_UNITS), SVMC_OK);
    for (uint32_t vm = 0; vm < LAB_VMS; vm++) {
        start(vm, 2);
        for (unsigned epoch = 0; epoch < 3; epoch++) {
            while (write_by(1, 4 * vm + 1, 2 * 4096 + 60, 8, &r) == SVMC_OK)
                memcpy(lab.plain[vm][2] + 60, data, 8);
            CHECK_EQ(r.reason, SVMC_DMA_BUDGET);
            old = lab.slot[vm];
            CHECK_EQ(svmc_dma_renew(&lab.dma, &lab.devices, &vm_key,
                                    vm ? SVMC_KEY_PAGE : SVMC_KEY_LINE, 2 * LOAD_UNITS,
                                    &lab.slot[vm], &grant),
                     SVMC_OK);
            CHECK(lab.slot[vm].raw != old.raw && grant.calls == 2 * LOAD_UNITS);
            CHECK(epoch == 0 || memcmp(&grant.id, &last.id, sizeof grant.id) != 0);
            last = grant;
            CHECK_EQ(svmc_keyslot_left(&lab.ks, lab.slot[vm]), 2 * LOAD_UNITS);
            for (uint32_t page = 0; page < LAB_PAGES; page++)
                lab.page_slot[vm][page] = old;
            svmc_keyslots_flush(&lab.ks);
            CHECK(dma_lab_holds(&lab, vm), "the old subkey opens what it sealed");
            CHECK_EQ(write_by(1, 4 * vm + 1, 2 * 4096 + 60, 8, &r), SVMC_ERR_FULL);
            reseal(vm, 2);
            CHECK_EQ(write_by(1, 4 * vm + 1, 2 * 4096 + 60, 8, &r), SVMC_OK);
            CHECK(dma_lab_holds(&lab, vm));
            for (uint32_t page = 0; page < LAB_PAGES; page++)
                if (page != 2)
                    reseal(vm, page);
            CHECK_EQ(svmc_keyslot_revoke(&lab.ks, old, SVMC_KEYSLOT_DRAIN), SVMC_OK);
            CHECK(dma_lab_holds(&lab, vm));
        }
        svmc_keyslots_drop(&lab.ks);
        CHECK_EQ(toy.loaded, 0);
    }
    svmc_keyarena_drop(&arena);
}

TEST(budget, a_subkey_that_fails_changes_nothing) /* DM-24 */
{
    static const uint8_t vm_name[16] = { 7 };
    struct svmc_key_grant grant;
    svmc_key_handle slot, found;

    fake_crypto_init(&fake);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, arena_memory, sizeof arena_memory), SVMC_OK);
    CHECK_EQ(svmc_vmkey_create(&vm_key, &arena, vm_name, SVMC_ALG_DERIVE_BLAKE2B), SVMC_OK);
    start(1, 2);
    slot = lab.slot[1];
#define RENEW(dma, devices, key, purpose, units, slot) \
    svmc_dma_renew(dma, devices, key, (enum svmc_key_purpose)(purpose), units, slot, &grant)
    CHECK_EQ(RENEW(NULL, &lab.devices, &vm_key, 1, 9, &slot), SVMC_ERR_ARG);
    CHECK_EQ(RENEW(&lab.dma, NULL, &vm_key, 1, 9, &slot), SVMC_ERR_ARG);
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, NULL, 1, 9, &slot), SVMC_ERR_ARG);
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 0, 9, &slot), SVMC_ERR_ARG);
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 0, &slot), SVMC_ERR_ARG);
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, SVMC_SUBKEY_CALLS + 1, &slot), SVMC_ERR_ARG);
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 9, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_renew(&lab.dma, &lab.devices, &vm_key, SVMC_KEY_PAGE, 9, &slot, NULL),
             SVMC_ERR_ARG);
    found.raw = slot.raw ^ 0x10000;
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 9, &found), SVMC_ERR_STALE);
    found.raw = 0;
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 9, &found), SVMC_ERR_STALE);
    fake.fail_at = fake.calls + 1; /* the derivation */
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 9, &slot), SVMC_ERR_CALLBACK);
    fake.fail_at = 0;
    toy.load_fails = 1;
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 9, &slot), SVMC_ERR_CALLBACK);
    toy.load_fails = 0;
    CHECK_EQ(slot.raw, lab.slot[1].raw);
    CHECK_EQ(svmc_device_find(&lab.devices, dma_lab_bdf(5), &found), SVMC_OK);
    CHECK_EQ(found.raw, slot.raw);
    CHECK_EQ(toy.loaded, 2);
    CHECK(dma_lab_holds(&lab, 1));
    CHECK_EQ(RENEW(&lab.dma, &lab.devices, &vm_key, 1, 9, &slot), SVMC_OK);
    CHECK_EQ(svmc_device_find(&lab.devices, dma_lab_bdf(5), &found), SVMC_OK);
    CHECK_EQ(found.raw, slot.raw);
    svmc_keyarena_drop(&arena);
}
