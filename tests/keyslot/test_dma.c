/* SPDX-License-Identifier: MIT */
/* DMA: where bytes go, who may move them, who is at them, and what a revocation does. */
#include "../../src/core/bytes.h"
#include "../fakehost/cipher.h"
#include "../fakehost/crypto.h"
#include "keyslot_lab.h"

static struct lab lab;
static struct toy toy;
static const uint32_t opaque[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_XTS };
static const uint32_t mixed[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
static const uint32_t lines[] = { 64, 64 };

static void start(const uint32_t *alg)
{
    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, alg, lines);
}

static enum svmc_status write_b(uint64_t iova, void *buffer, size_t n, struct svmc_dma_result *r)
{
    return dma_lab_move(&lab, 4, SVMC_DMA_WRITE, iova, buffer, n, r);
}

TEST(dma, memory_is_encrypted_as_written_down) /* DM-12 DM-16 */
{
    static const uint32_t units[] = { 64, 128 };
    static const uint32_t nonce_algs[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_XCHACHA20_POLY1305 };
    struct fake_crypto fake;
    uint8_t want[128], nonce[24], ad[32], tag[16];
    const struct svmc_bytes piece = { ad, sizeof ad };
    struct fake_cipher c = { 0 };

    for (unsigned second = 0; second < 2; second++) {
        fake_crypto_init(&fake);
        dma_lab_init(&lab, &fake.ops, second ? nonce_algs : mixed, units);
        for (uint32_t page = 0; page < LAB_PAGES; page += 5)
            for (uint32_t at = 0; at < 4096; at += 1024) { /* opaque: VM 0 */
                uint64_t address = dma_lab_address(page) + at;
                struct svmc_cipher_unit u = {
                    .nonce = nonce, .in = lab.plain[0][page] + at, .out = want, .n = 64
                };

                core_store_le64(nonce, address + 6); /* 64 is 2^6 */
                core_store_le64(nonce + 8, lab.key[0].epoch);
                memcpy(c.key, lab.key_bytes[0], 64);
                fake_xts(&c, &u, true);
                CHECK_MEM(lab.memory[0][page] + at, want, 64);
            }
        for (uint32_t page = 0; page < LAB_PAGES; page += 5)
            for (uint32_t at = 0; at < 4096; at += 1024) { /* authentic: VM 1, version 1 */
                uint64_t address = dma_lab_address(page) + at, number = address / 128;
                struct svmc_cipher_unit u = { .nonce = nonce,
                                              .pieces = 1,
                                              .ad = &piece,
                                              .in = lab.plain[1][page] + at,
                                              .out = want,
                                              .n = 128 };

                memset(nonce, 0, sizeof nonce);
                memset(&c, 0, sizeof c);
                for (unsigned i = 0; i < 5; i++)
                    nonce[i] = (uint8_t)(number >> 8 * i);
                nonce[5] = 1;
                core_store_le64(ad, 101);
                core_store_le64(ad + 8, lab.key[1].epoch);
                core_store_le64(ad + 16, address);
                core_store_le64(ad + 24, 128);
                c.alg = lab.key[1].alg;
                memcpy(c.key, lab.key_bytes[1], 32);
                fake_aead(&c, &u, true, tag);
                CHECK_MEM(lab.memory[1][page] + at, want, 128);
                CHECK_MEM(lab.seal[1][page][at / 128].tag, tag, 16);
                CHECK_EQ(lab.seal[1][page][at / 128].version, 1);
            }
        CHECK(dma_lab_holds(&lab, 0) && dma_lab_holds(&lab, 1));
        svmc_keyslots_drop(&lab.ks);
        CHECK_EQ(fake.loaded, 0);
    }
}

TEST(dma, an_engine_is_laid_out) /* DM-1 DM-2 */
{
    struct svmc_dma_config good = { .slots = &lab.ks,
                                    .devices = &lab.devices,
                                    .ops = &lab.ops,
                                    .pages = 3,
                                    .cache = 2,
                                    .stripes = 1 },
                           c;
    struct svmc_dma_ops ops;
    struct svmc_dma dma;
    size_t need;

    start(mixed);
    /* a lane: scratch, two translations of 64 and three pages of 48 bytes */
    need = LAB_LANES * (4096 + 128 + 192) + 64;
    CHECK_EQ(svmc_dma_bytes(&good), need);
    CHECK_EQ(svmc_dma_init(&dma, &good, lab.engine, need), SVMC_OK);
    CHECK_EQ(svmc_dma_init(&dma, &good, lab.engine, need - 1), SVMC_ERR_FULL);
    CHECK_EQ(svmc_dma_init(&dma, &good, lab.engine + 8, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_init(&dma, &good, NULL, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_init(&dma, NULL, lab.engine, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_init(NULL, &good, lab.engine, need), SVMC_ERR_ARG);
#define BAD(member, value) \
    c = good;              \
    c.member = value;      \
    CHECK_EQ(svmc_dma_init(&dma, &c, lab.engine, sizeof lab.engine), SVMC_ERR_ARG, #member)
    BAD(slots, NULL);
    BAD(devices, NULL);
    BAD(ops, NULL);
    BAD(pages, 0);
    BAD(pages, 65537);
    BAD(cache, 3);
    BAD(cache, 131072);
    BAD(stripes, 0);
    BAD(stripes, 12);
    BAD(stripes, 131072);
    BAD(shares, 3);
    ops = lab.ops;
    ops.translate = NULL;
    BAD(ops, &ops);
    ops = lab.ops;
    ops.size = offsetof(struct svmc_dma_ops, translate);
    BAD(ops, &ops);
    CHECK_EQ(svmc_dma_bytes(NULL), 0);
}

/* ---- who may move what -----------------------------------------------------------------------*/

struct refusal {
    char name[40];
    uint32_t bdf, direction;
    uint64_t iova, bytes;
    uint32_t status, reason;
    uint64_t at;
};

TEST(dma, a_reason_has_a_name_of_its_own)
{
    static const struct {
        uint32_t reason;
        char name[24];
    } rows[] = {
        { SVMC_DMA_NONE, "SVMC_DMA_NONE" },    { SVMC_DMA_BDF_UNBOUND, "SVMC_DMA_BDF_UNBOUND" },
        { SVMC_DMA_TAG, "SVMC_DMA_TAG" },      { SVMC_DMA_BUDGET, "SVMC_DMA_BUDGET" },
        { SVMC_DMA_BUDGET + 1, "SVMC_DMA_?" }, { UINT32_MAX, "SVMC_DMA_?" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK(strcmp(svmc_dma_name(rows[i].reason), rows[i].name) == 0, "%s", rows[i].name);
    for (uint32_t i = 0; i <= SVMC_DMA_BUDGET; i++)
        for (uint32_t k = 0; k < i; k++)
            CHECK(strcmp(svmc_dma_name(i), svmc_dma_name(k)) != 0, "%u %u", i, k);
}

TEST(dma, each_fault_has_its_reason) /* DM-3 DM-6 DM-7 DM-8 */
{
    static const struct refusal rows[] = {
        { "segment", 1 << 16, 0, 0, 8, SVMC_ERR_REFUSED, SVMC_DMA_BDF_RANGE, 0 },
        { "number", UINT32_MAX, 0, 0, 8, SVMC_ERR_REFUSED, SVMC_DMA_BDF_RANGE, 0 },
        { "unknown", SVMC_BDF(0, 0, 9, 0), 0, 0, 8, SVMC_ERR_REFUSED, SVMC_DMA_BDF_UNBOUND, 0 },
        { "bus", SVMC_BDF(0, 99, 0, 0), 1, 0, 8, SVMC_ERR_REFUSED, SVMC_DMA_BDF_UNBOUND, 0 },
        { "wraps", 0, 0, UINT64_MAX - 6, 8, SVMC_ERR_REFUSED, SVMC_DMA_LENGTH, UINT64_MAX - 6 },
        { "huge", 0, 0, 4096, SIZE_MAX, SVMC_ERR_REFUSED, SVMC_DMA_LENGTH, 4096 },
        { "last byte", 0, 0, UINT64_MAX - 7, 8, SVMC_ERR_REFUSED, SVMC_DMA_UNMAPPED,
          UINT64_MAX - 7 },
        { "nowhere", 0, 0, 12 * 4096, 1, SVMC_ERR_REFUSED, SVMC_DMA_UNMAPPED, 12 * 4096 },
        { "into nowhere", 0, 1, 12 * 4096 - 1, 2, SVMC_ERR_REFUSED, SVMC_DMA_UNMAPPED, 12 * 4096 },
        { "many pages", 0, 0, 0, (uint64_t)1 << 40, SVMC_ERR_REFUSED, SVMC_DMA_UNMAPPED,
          12 * 4096 },
        { "not to be written", 0, 1, 4096 + 7, 8, SVMC_ERR_REFUSED, SVMC_DMA_ACCESS, 4096 + 7 },
        { "not to be read", 0, 0, 4095, 4098, SVMC_ERR_REFUSED, SVMC_DMA_ACCESS, 8192 },
        { "the other's", 0, 1, 4095 + 8192, 2, SVMC_ERR_REFUSED, SVMC_DMA_SLOT, 12288 },
        { "the other's, written", 0, 1, 12288, 4096, SVMC_ERR_REFUSED, SVMC_DMA_SLOT, 12288 },
    };
    static uint8_t buffer[65536], before[65536];
    static uint8_t memory[sizeof lab.memory];
    struct svmc_dma_result r;

    start(mixed);
    lab.map[0][1].access = SVMC_ACCESS_READ;
    lab.map[0][2].access = SVMC_ACCESS_WRITE;
    lab.map[0][3] = (struct dma_lab_map){ 1, 3, SVMC_ACCESS_RW };
    memset(buffer, 0x5a, sizeof buffer);
    memcpy(before, buffer, sizeof before);
    memcpy(memory, lab.memory, sizeof memory);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct svmc_dma_piece piece = { rows[i].iova, buffer, (size_t)rows[i].bytes };
        const struct svmc_dma_request request = {
            .bdf = rows[i].bdf, .direction = rows[i].direction, .piece = &piece, .pieces = 1
        };
        enum svmc_status st;

        if (i == 9) /* up to the first page that is not there */
            lab.map[0][2].access = SVMC_ACCESS_RW, lab.map[0][3].vm = 0;
        st = svmc_dma_move(&lab.dma, 1, &request, &r);
        if (i == 9)
            lab.map[0][2].access = SVMC_ACCESS_WRITE, lab.map[0][3].vm = 1;
        svmc_keyslots_flush(&lab.ks);
        CHECK_EQ(st, rows[i].status, "%s", rows[i].name);
        CHECK_EQ(r.reason, rows[i].reason, "%s", rows[i].name);
        CHECK_EQ(r.iova, rows[i].at, "%s", rows[i].name);
        CHECK_EQ(r.moved, 0);
        CHECK(memcmp(buffer, before, sizeof buffer) == 0, "%s", rows[i].name);
        CHECK(memcmp(lab.memory, memory, sizeof memory) == 0, "%s", rows[i].name);
    }
}

TEST(dma, a_list_is_checked_as_a_whole) /* DM-6 */
{
    static uint8_t buffer[3][4096], memory[sizeof lab.memory];
    struct svmc_dma_piece piece[40] = { { 100, buffer[0], 4096 },
                                        { 0, NULL, 0 },
                                        { 12288, buffer[1], 64 },
                                        { 12 * 4096, buffer[2], 1 } };
    struct svmc_dma_request request = { .direction = SVMC_DMA_WRITE, .piece = piece, .pieces = 4 };
    struct svmc_dma_result r;

    start(mixed);
    memcpy(memory, lab.memory, sizeof memory);
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_REFUSED);
    CHECK(r.reason == SVMC_DMA_UNMAPPED && r.iova == 12 * 4096 && r.moved == 0);
    CHECK_MEM(lab.memory, memory, sizeof memory);
    request.pieces = 3;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_OK);
    CHECK_EQ(r.moved, 4096 + 64);
    for (unsigned i = 0; i < 33; i++)
        piece[i] = (struct svmc_dma_piece){ 0, buffer[0], 1 };
    request.pieces = 33;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_FULL);
    CHECK(r.reason == SVMC_DMA_PAGES && r.moved == 0);
    request.pieces = 32;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_OK);
    request.pieces = 0;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_OK);
    request.piece = NULL;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_OK);
    request.pieces = 1;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_ARG);
    request.piece = piece;
    request.direction = 2;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_ARG);
    request.direction = 0;
    piece[0].buffer = NULL;
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_move(&lab.dma, LAB_LANES, &request, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, NULL, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_move(NULL, 0, &request, &r), SVMC_ERR_ARG);
}

TEST(dma, a_list_may_overlap) /* DM-15 */
{
    static uint8_t one[200], two[200], got[200], again[200];
    const struct svmc_dma_piece put[] = { { 60, one, 200 }, { 100, two, 100 }, { 60, one, 10 } };
    const struct svmc_dma_piece get[] = { { 60, got, 200 }, { 60, again, 200 } };
    struct svmc_dma_request request = { .direction = SVMC_DMA_WRITE, .piece = put, .pieces = 3 };
    struct svmc_dma_result r;

    for (unsigned vm = 0; vm < 2; vm++) {
        start(mixed);
        request.bdf = dma_lab_bdf(4 * vm);
        request.direction = SVMC_DMA_WRITE;
        request.piece = put;
        request.pieces = 3;
        memset(one, 0x11, sizeof one);
        memset(two, 0x22, sizeof two);
        CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_OK);
        CHECK_EQ(r.moved, 310);
        request.direction = SVMC_DMA_READ;
        request.piece = get;
        request.pieces = 2;
        CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_OK);
        memcpy(one + 40, two, 100);
        CHECK_MEM(got, one, 200);
        CHECK_MEM(again, one, 200);
        memcpy(lab.plain[vm][0] + 60, one, 200);
        CHECK(dma_lab_holds(&lab, vm));
    }
}

static struct svmc_dma_page wrong_page;

static enum svmc_status translate_wrong(void *ctx, uint32_t bdf, svmc_key_handle slot,
                                        uint64_t iova, struct svmc_dma_page *page)
{
    (void)ctx, (void)bdf, (void)slot, (void)iova;
    *page = wrong_page;
    return SVMC_OK;
}

TEST(dma, what_translate_says_is_checked) /* DM-7 */
{
    start(mixed);
    for (unsigned i = 0; i < 7; i++) {
        struct svmc_dma_page wrong = { lab.memory[1][0], dma_lab_address(0), lab.seal[1][0],
                                       lab.slot[1], SVMC_ACCESS_RW };
        struct svmc_dma_ops ops = lab.ops;
        struct svmc_dma_result r;
        uint8_t byte = 1;

        if (i == 0)
            wrong.at = NULL;
        if (i == 1)
            wrong.address += 64;
        if (i == 2)
            wrong.address = (uint64_t)1 << 52;
        if (i == 3)
            wrong.access = 7;
        if (i == 4)
            wrong.seals = NULL;
        if (i == 5)
            wrong.address = (uint64_t)1 << 46; /* unit 2^40 */
        if (i == 6)                            /* another load of the same slot */
            wrong.slot.raw ^= 0x10000;
        if (i == 2) { /* opaque: no unit's number is too large */
            wrong.slot = lab.slot[0];
            CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(4)), SVMC_OK);
            CHECK_EQ(svmc_device_bind(&lab.devices, dma_lab_bdf(4), lab.slot[0]), SVMC_OK);
        }
        wrong_page = wrong;
        ops.translate = translate_wrong;
        lab.dma.priv.ops = &ops;
        svmc_keyslots_flush(&lab.ks);
        CHECK_EQ(write_b(0, &byte, 1, &r), i == 6 ? SVMC_ERR_REFUSED : SVMC_ERR_CALLBACK, "%u", i);
        CHECK_EQ(r.reason, i == 6 ? SVMC_DMA_SLOT : SVMC_DMA_TRANSLATE, "%u", i);
        if (i == 2) {
            CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(4)), SVMC_OK);
            CHECK_EQ(svmc_device_bind(&lab.devices, dma_lab_bdf(4), lab.slot[1]), SVMC_OK);
        }
        lab.dma.priv.ops = &lab.ops;
    }
    svmc_keyslots_flush(&lab.ks);
    CHECK(dma_lab_holds(&lab, 1));
}

/* ---- translations that are remembered --------------------------------------------------------*/

TEST(dma, a_translation_is_asked_for_once_until_the_flush) /* DM-9 */
{
    struct svmc_dma_result r;
    uint8_t byte;

    start(opaque);
    lab.translations = 0;
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 4096 + i, &byte, 1, &r), SVMC_OK);
    CHECK_EQ(lab.translations, 1);
    CHECK_EQ(dma_lab_move(&lab, 3, SVMC_DMA_READ, 4096, &byte, 1, &r), SVMC_OK); /* another's */
    CHECK_EQ(lab.translations, 2);
    { /* a function whose translations lie where the first one's do */
        const struct svmc_dma_piece piece = { 4096, &byte, 1 };
        const struct svmc_dma_request request = { .bdf = 1024, .piece = &piece, .pieces = 1 };

        CHECK_EQ(svmc_device_bind(&lab.devices, request.bdf, lab.slot[0]), SVMC_OK);
        CHECK_EQ(svmc_dma_move(&lab.dma, 0, &request, &r), SVMC_ERR_REFUSED);
        CHECK_EQ(r.reason, SVMC_DMA_UNMAPPED);
    }
    lab.map[0][1] = (struct dma_lab_map){ 0, 7, SVMC_ACCESS_READ };
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 4096, &byte, 1, &r), SVMC_OK);
    CHECK_EQ(byte, lab.plain[0][1][0]);
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 4096, &byte, 1, &r), SVMC_OK);
    CHECK_EQ(byte, lab.plain[0][7][0]);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 4096, &byte, 1, &r), SVMC_ERR_REFUSED);
    CHECK_EQ(r.reason, SVMC_DMA_ACCESS);
    lab.map[0][1].access = SVMC_ACCESS_RW; /* more rights need no flush */
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 4096, &byte, 1, &r), SVMC_OK);
}

TEST(dma, a_device_without_a_slot_has_nothing) /* DM-3 DM-4 */
{
    struct svmc_dma_result r;
    svmc_key_handle old;
    uint8_t byte = 3;

    start(opaque);
    CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(0)), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_ERR_REFUSED);
    CHECK_EQ(r.reason, SVMC_DMA_BDF_UNBOUND);
    CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_OK);
    old = lab.slot[0];
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, old, SVMC_KEYSLOT_DRAIN), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_ERR_STALE);
    CHECK_EQ(r.reason, SVMC_DMA_SLOT_STALE);
    CHECK_EQ(svmc_device_unbind_slot(&lab.devices, old), 3);
    dma_lab_load(&lab, 0, 99);
    CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_OK);
    lab.slot[0] = old; /* the translation is an old one */
    svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_ERR_REFUSED);
    CHECK_EQ(r.reason, SVMC_DMA_SLOT);
}

/* ---- who is at it ----------------------------------------------------------------------------*/

static struct {
    unsigned calls, at; /* at: the call of the crypto table in which something happens */
    enum svmc_status st;
    struct svmc_dma_result result;
    uint32_t direction;
    uint64_t iova;
    unsigned device;
    uint8_t buffer[64];
} second;

static void second_device(void)
{
    const struct svmc_dma_piece piece = { second.iova, second.buffer, 8 };
    const struct svmc_dma_request request = { .bdf = dma_lab_bdf(second.device),
                                              .direction = second.direction,
                                              .piece = &piece,
                                              .pieces = 1 };

    if (++second.calls != second.at)
        return;
    second.st = svmc_dma_move(&lab.dma, 1, &request, &second.result);
}

TEST(dma, two_devices_on_one_line) /* DM-10 DM-11 */
{
    static const struct {
        uint8_t vm, first, then; /* directions */
        uint64_t iova;
        uint32_t want;
    } rows[] = {
        { 0, 1, 1, 64 + 48, SVMC_ERR_BUSY }, /* the same line */
        { 0, 1, 1, 64 + 0, SVMC_ERR_BUSY },
        { 0, 1, 1, 64 + 60, SVMC_ERR_BUSY }, /* a line of its own, and that one */
        { 0, 1, 1, 60, SVMC_ERR_BUSY },
        { 0, 1, 1, 192, SVMC_OK },     /* another line */
        { 0, 1, 0, 64 + 48, SVMC_OK }, /* an opaque read does not ask */
        { 0, 0, 1, 64 + 48, SVMC_OK },
        { 1, 1, 1, 64 + 48, SVMC_ERR_BUSY },
        { 1, 1, 0, 64 + 48, SVMC_ERR_BUSY },
        { 1, 0, 1, 64 + 48, SVMC_ERR_BUSY },
        { 1, 0, 0, 64 + 48, SVMC_OK }, /* authentic reads share */
        { 1, 1, 0, 192, SVMC_OK },
    };
    struct svmc_dma_result r;
    uint8_t buffer[16];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(mixed);
        memset(&second, 0, sizeof second);
        second.at = 1;
        second.direction = rows[i].then;
        second.iova = rows[i].iova;
        second.device = 4u * rows[i].vm + 1;
        toy.between = second_device;
        memset(buffer, 0x77 + rows[i].vm, sizeof buffer);
        memset(second.buffer, 0x66, sizeof second.buffer);
        CHECK_EQ(dma_lab_move(&lab, 4u * rows[i].vm, rows[i].first, 64 + 20, buffer, 16, &r),
                 SVMC_OK);
        toy.between = NULL;
        CHECK_EQ(second.st, rows[i].want, "row %zu", i);
        CHECK_EQ(second.result.reason, rows[i].want ? SVMC_DMA_CLAIMED : SVMC_DMA_NONE);
        CHECK_EQ(second.result.moved, rows[i].want ? 0 : 8);
        if (rows[i].first)
            memcpy(lab.plain[rows[i].vm][0] + 64 + 20, buffer, 16);
        if (rows[i].then && rows[i].want == SVMC_OK && rows[i].iova != 64 + 48)
            memcpy(lab.plain[rows[i].vm][0] + rows[i].iova, second.buffer, 8);
        else if (rows[i].then && rows[i].want == SVMC_OK)
            memcpy(lab.plain[rows[i].vm][0] + 64 + 48, second.buffer, 8);
        CHECK(dma_lab_holds(&lab, rows[i].vm), "row %zu", i);
        for (uint32_t n = 0; n < 64; n++) /* every claim is given back */
            CHECK_EQ((uint32_t)lab.dma.priv.stripe[n], 0, "row %zu", i);
    }
}

TEST(dma, a_lane_is_one_caller) /* DM-5 */
{
    struct svmc_keyslot_use use;
    struct svmc_dma_result r;
    uint8_t byte;

    start(opaque);
    CHECK_EQ(svmc_keyslot_hold(&lab.ks, 0, lab.slot[0], &use), SVMC_OK);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_ERR_STATE);
    svmc_keyslot_release(&lab.ks, 0);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 0, &byte, 1, &r), SVMC_OK);
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, lab.slot[0], SVMC_KEYSLOT_DRAIN), SVMC_OK);
}

/* ---- revoked meanwhile -----------------------------------------------------------------------*/

static struct {
    unsigned calls, at;
    enum svmc_keyslot_revoke how;
    enum svmc_status st;
    bool unbind;
} revoking;

static void revoke_now(void)
{
    if (++revoking.calls != revoking.at)
        return;
    if (revoking.unbind) {
        CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(0)), SVMC_OK);
        CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_ERR_BUSY);
        return;
    }
    revoking.st = svmc_keyslot_revoke(&lab.ks, lab.slot[0], revoking.how);
}

TEST(dma, a_cut_stops_at_the_next_unit) /* DM-20 */
{
    static uint8_t buffer[640], nothing[640], before[LAB_PAGES][SVMC_DMA_PAGE];
    struct svmc_dma_result r;

    for (unsigned at = 1; at <= 10; at++)
        for (unsigned direction = 0; direction < 2; direction++) {
            start(opaque);
            memcpy(before, lab.memory[0], sizeof before);
            memset(&revoking, 0, sizeof revoking);
            revoking.at = at;
            revoking.how = SVMC_KEYSLOT_CUT;
            toy.between = revoke_now;
            memset(buffer, 0x44, sizeof buffer);
            CHECK_EQ(dma_lab_move(&lab, 0, direction, 128, buffer, 640, &r),
                     at == 10 ? SVMC_OK : SVMC_ERR_STALE);
            toy.between = NULL;
            CHECK_EQ(revoking.st, SVMC_ERR_BUSY);
            CHECK_EQ(revoking.calls, at); /* no unit more */
            CHECK_EQ(r.reason, at == 10 ? SVMC_DMA_NONE : SVMC_DMA_CUT);
            CHECK_EQ(r.moved, direction ? 64 * at : at == 10 ? 640 : 0);
            if (at != 10)
                CHECK_EQ(r.iova, 128 + 64 * at);
            if (direction == 0)
                CHECK_MEM(buffer, at == 10 ? lab.plain[0][0] + 128 : nothing, 640);
            else
                CHECK_MEM(lab.memory[0][0] + 128 + 64 * at, before[0] + 128 + 64 * at,
                          640 - 64 * at);
            CHECK_EQ(svmc_keyslot_revoke(&lab.ks, lab.slot[0], SVMC_KEYSLOT_DRAIN), SVMC_OK);
        }
}

TEST(dma, a_drain_lets_it_end) /* DM-20 */
{
    static uint8_t buffer[640];
    struct svmc_dma_result r;

    for (unsigned unbind = 0; unbind < 2; unbind++) {
        start(opaque);
        memset(&revoking, 0, sizeof revoking);
        revoking.at = 3;
        revoking.unbind = unbind;
        toy.between = revoke_now;
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 128, buffer, 640, &r), SVMC_OK);
        toy.between = NULL;
        CHECK_MEM(buffer, lab.plain[0][0] + 128, 640);
        CHECK_EQ(revoking.st, unbind ? SVMC_OK : SVMC_ERR_BUSY);
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_READ, 128, buffer, 640, &r),
                 unbind ? SVMC_ERR_REFUSED : SVMC_ERR_STALE);
        CHECK_EQ(svmc_keyslot_revoke(&lab.ks, lab.slot[0], SVMC_KEYSLOT_DRAIN), SVMC_OK);
    }
}

TEST(dma, a_transfer_with_a_reference) /* DM-21 */
{
    struct svmc_dma_result r;
    struct svmc_dma_flight flight;
    uint8_t byte;
    const struct svmc_dma_piece piece = { 77, &byte, 1 };
    struct svmc_dma_request request = { .bdf = dma_lab_bdf(0), .piece = &piece, .pieces = 1 };

    start(opaque);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, dma_lab_bdf(0), &flight, &r), SVMC_OK);
    CHECK(flight.slot.raw == lab.slot[0].raw && flight.bdf == dma_lab_bdf(0));
    request.flight = flight;
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, flight.slot, SVMC_KEYSLOT_DRAIN), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_dma_move(&lab.dma, 2, &request, &r), SVMC_OK);
    CHECK_EQ(byte, lab.plain[0][0][77]);
    CHECK_EQ(lab.asked.raw, lab.slot[0].raw);
    request.flight.slot.raw = 0;
    CHECK_EQ(svmc_dma_move(&lab.dma, 2, &request, &r), SVMC_ERR_STALE);
    request.flight = flight;
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, flight.slot, SVMC_KEYSLOT_CUT), SVMC_OK);
    CHECK_EQ(svmc_dma_move(&lab.dma, 2, &request, &r), SVMC_ERR_STALE);
    CHECK_EQ(svmc_keyslot_unref(&lab.ks, flight.slot), SVMC_ERR_STALE);
    CHECK_EQ(svmc_device_unbind_slot(&lab.devices, flight.slot), 4);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, dma_lab_bdf(0), &flight, &r), SVMC_ERR_REFUSED);
    CHECK(flight.slot.raw == 0 && r.reason == SVMC_DMA_BDF_UNBOUND);
    dma_lab_bind(&lab, 0);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, dma_lab_bdf(0), &flight, &r), SVMC_ERR_STALE);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, UINT32_MAX, &flight, &r), SVMC_ERR_REFUSED);
    CHECK_EQ(svmc_dma_begin(&lab.dma, LAB_LANES, 0, &flight, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_begin(NULL, 0, 0, &flight, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, 0, NULL, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, 0, &flight, NULL), SVMC_ERR_ARG);
}

/* VM 0's function 0 has a flight; what else may use it? */
static enum svmc_status fly(uint32_t bdf, struct svmc_dma_flight flight)
{
    const struct svmc_dma_piece piece = { 77, &(uint8_t){ 0 }, 1 };
    const struct svmc_dma_request request = {
        .bdf = bdf, .piece = &piece, .pieces = 1, .flight = flight
    };
    struct svmc_dma_result r;
    enum svmc_status st = svmc_dma_move(&lab.dma, 2, &request, &r);

    CHECK(st == SVMC_OK || *(uint8_t *)piece.buffer == 0);
    CHECK(st != SVMC_ERR_REFUSED || r.reason == SVMC_DMA_BDF_UNBOUND);
    return st;
}

TEST(dma, a_flight_is_of_one_function_while_it_is_bound) /* DM-21 KS-11 DT-5 */
{
    struct svmc_dma_flight flight;
    struct svmc_dma_result r;

    start(opaque);
    CHECK_EQ(fly(dma_lab_bdf(0), (struct svmc_dma_flight){ lab.slot[0], dma_lab_bdf(0) }),
             SVMC_ERR_STALE); /* nobody began one */
    CHECK_EQ(svmc_dma_begin(&lab.dma, 0, dma_lab_bdf(0), &flight, &r), SVMC_OK);
    CHECK_EQ(fly(dma_lab_bdf(0), flight), SVMC_OK);
    CHECK_EQ(fly(dma_lab_bdf(1), flight), SVMC_ERR_REFUSED);       /* of the same VM */
    CHECK_EQ(fly(dma_lab_bdf(4), flight), SVMC_ERR_REFUSED);       /* of another one */
    CHECK_EQ(fly(SVMC_BDF(0, 3, 9, 1), flight), SVMC_ERR_REFUSED); /* never bound */
    CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(0)), SVMC_OK);
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
    CHECK_EQ(fly(dma_lab_bdf(0), flight), SVMC_ERR_REFUSED);
    CHECK_EQ(svmc_device_bind(&lab.devices, dma_lab_bdf(0), lab.slot[1]), SVMC_OK);
    CHECK_EQ(fly(dma_lab_bdf(0), flight), SVMC_ERR_REFUSED); /* the other VM's now */
    CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
    CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(0)), SVMC_OK);
    CHECK_EQ(svmc_device_bind(&lab.devices, dma_lab_bdf(0), lab.slot[0]), SVMC_OK);
    CHECK_EQ(fly(dma_lab_bdf(0), flight), SVMC_OK);
    CHECK_EQ(svmc_keyslot_unref(&lab.ks, flight.slot), SVMC_OK);
    CHECK_EQ(fly(dma_lab_bdf(0), flight), SVMC_ERR_STALE); /* it has ended */
}

static struct {
    uint32_t calls;
    enum svmc_status st;
    struct svmc_dma_result r;
} beside;

static void write_beside(void)
{
    static uint8_t data[64];
    const struct svmc_dma_piece piece = { 0, data, sizeof data };
    const struct svmc_dma_request request = {
        .bdf = dma_lab_bdf(4), .direction = SVMC_DMA_WRITE, .piece = &piece, .pieces = 1
    };

    toy.between = NULL;
    beside.calls++;
    beside.st = svmc_dma_move(&lab.dma, 1, &request, &beside.r);
}

TEST(dma, slots_with_shares_of_their_own_do_not_wait) /* DM-11 */
{
    static uint8_t data[4096 * 4];
    struct svmc_dma_config config = {
        .slots = &lab.ks, .devices = &lab.devices, .ops = &lab.ops, .pages = 32, .stripes = 64
    };
    struct svmc_dma_result r;

    start(opaque);
    for (uint32_t shares = 0; shares <= 64; shares = shares * 2 + (shares == 0)) {
        config.shares = shares;
        memset(lab.engine, 0xa5, sizeof lab.engine); /* behind the stripes, too */
        CHECK_EQ(svmc_dma_init(&lab.dma, &config, lab.engine, sizeof lab.engine), SVMC_OK);
        memset(&beside, 0, sizeof beside);
        toy.between = write_beside; /* while VM 0 has as many units as there are stripes, twice */
        CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 0, data, sizeof data, &r), SVMC_OK);
        CHECK_EQ(beside.calls, 1);
        CHECK_EQ(beside.st, shares < 2 ? SVMC_ERR_BUSY : SVMC_OK, "%u", shares);
        for (size_t i = 0; i < config.stripes; i++)
            CHECK_EQ((uint32_t)lab.dma.priv.stripe[i], 0, "%u", shares); /* all given back */
    }
    config.shares = 128;
    CHECK_EQ(svmc_dma_bytes(&config), 0);
}

/* A request that its owner writes while it moves. */
static struct {
    struct svmc_dma_piece piece[2];
    struct svmc_dma_request request;
    uint8_t mine[4096], other[4096];
} changing;

static enum svmc_status (*lab_translate)(void *ctx, uint32_t bdf, svmc_key_handle slot,
                                         uint64_t iova, struct svmc_dma_page *page);

static enum svmc_status translate_changing(void *ctx, uint32_t bdf, svmc_key_handle slot,
                                           uint64_t iova, struct svmc_dma_page *page)
{
    CHECK_EQ(bdf, dma_lab_bdf(0));
    changing.request.bdf = dma_lab_bdf(4);
    changing.request.pieces = 1;
    changing.request.direction = SVMC_DMA_WRITE;
    return lab_translate(ctx, bdf, slot, iova, page);
}

static void change_pieces(void)
{
    changing.piece[0].buffer = changing.other;
    changing.piece[1].bytes = 4096;
}

TEST(dma, a_request_is_read_once) /* DM-5 DM-13 */
{
    struct svmc_dma_result r;

    start(opaque);
    lab_translate = lab.ops.translate;
    lab.ops.translate = translate_changing;
    for (unsigned fails = 0; fails < 2; fails++) {
        memset(changing.other, 0xcc, sizeof changing.other);
        memset(changing.mine, 0xcc, sizeof changing.mine);
        changing.piece[0] = (struct svmc_dma_piece){ 0, changing.mine, 64 };
        changing.piece[1] = (struct svmc_dma_piece){ 4096, changing.mine + 64, 64 };
        changing.request = (struct svmc_dma_request){ .bdf = dma_lab_bdf(0),
                                                      .piece = changing.piece,
                                                      .pieces = 2 };
        svmc_keyslots_flush(&lab.ks);
        toy.between = change_pieces;
        toy.fail_at = fails ? toy.calls + 2 : 0;
        CHECK_EQ(svmc_dma_move(&lab.dma, 0, &changing.request, &r),
                 fails ? SVMC_ERR_CALLBACK : SVMC_OK);
        toy.between = NULL;
        if (!fails)
            CHECK_MEM(changing.mine, lab.plain[0][0], 64);
        if (!fails)
            CHECK_MEM(changing.mine + 64, lab.plain[0][1], 64);
        for (size_t i = 0; i < sizeof changing.other; i++)
            CHECK(changing.other[i] == 0xcc && (i < 128 || changing.mine[i] == 0xcc) &&
                      (!fails || i >= 128 || changing.mine[i] == 0),
                  "%zu", i);
    }
}
