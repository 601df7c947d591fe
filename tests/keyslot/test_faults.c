/* SPDX-License-Identifier: MIT */
/*
 * Each fault of a device, of memory and of what is called has its own reason; nothing is released,
 * and nothing is changed. All that was sealed elsewhere has one: bytes and tag do not say where.
 */
#include "../fakehost/crypto.h"
#include "keyslot_lab.h"

static struct lab lab;
static struct toy toy;
static const uint32_t aead[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_AES_256_GCM };
static const uint32_t lines[] = { 64, 64 };

enum { AT = 2 * SVMC_DMA_PAGE + 128 }; /* unit 2 of page 2 of VM 0 */

static uint8_t memory[sizeof lab.memory], seals[sizeof lab.seal];

static void remember(void)
{
    memcpy(memory, lab.memory, sizeof memory);
    memcpy(seals, lab.seal, sizeof seals);
}

/* Memory, tags and versions are as they were, no claim is left, and nobody holds a slot. */
static bool is_unchanged(void)
{
    bool same = memcmp(memory, lab.memory, sizeof memory) == 0 &&
                memcmp(seals, lab.seal, sizeof seals) == 0;

    for (uint32_t n = 0; n < 64; n++)
        same = same && (uint32_t)lab.dma.priv.stripe[n] == 0;
    return same && svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)) == SVMC_OK;
}

/* ---- what a request may do wrong -------------------------------------------------------------*/

static void cut_now(void)
{
    toy.between = NULL;
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, lab.slot[0], SVMC_KEYSLOT_CUT), SVMC_ERR_BUSY);
}

static enum svmc_status no_page(void *ctx, uint32_t bdf, uint64_t iova, struct svmc_dma_page *page)
{
    (void)ctx, (void)bdf, (void)iova;
    page->slot = lab.slot[0];
    page->access = SVMC_ACCESS_RW;
    return SVMC_OK;
}

/* Make the fault that has this reason. */
static void arrange(uint32_t reason, bool undo)
{
    uint64_t *stripes = lab.dma.priv.stripe;

    switch ((enum svmc_dma_reason)reason) {
    case SVMC_DMA_ACCESS:
        lab.map[0][2].access = undo ? SVMC_ACCESS_RW : SVMC_ACCESS_WRITE;
        break;
    case SVMC_DMA_UNMAPPED:
        lab.map[0][2].vm = undo ? 0 : LAB_VMS;
        break;
    case SVMC_DMA_SLOT_STALE:
        CHECK_EQ(undo || svmc_keyslot_revoke(&lab.ks, lab.slot[0], SVMC_KEYSLOT_DRAIN) == SVMC_OK,
                 1);
        break;
    case SVMC_DMA_CUT:
        toy.between = cut_now;
        break;
    case SVMC_DMA_CLAIMED:
        for (uint32_t n = 0; n < 64; n++)
            stripes[n] = undo ? 0 : (uint64_t)99 << 32 | 1;
        break;
    case SVMC_DMA_VERSIONS:
        lab.seal[0][2][2].used = SVMC_DMA_VERSION_MAX;
        break;
    case SVMC_DMA_TAG:
        lab.memory[0][2][128] ^= 1;
        break;
    case SVMC_DMA_TRANSLATE:
        lab.ops.translate = no_page;
        break;
    case SVMC_DMA_CRYPTO:
        toy.calls = 0;
        toy.fail_at = 1;
        break;
    case SVMC_DMA_BUDGET:
        if (undo)
            break;
        dma_lab_revoke(&lab, 0);
        lab.key[0].units = LAB_PAGES * SVMC_DMA_PAGE / 64;
        dma_lab_load(&lab, 0, 9);
        break;
    default:
        break;
    }
    if (!undo)
        (void)svmc_keyslots_flush(&lab.ks);
}

struct fault {
    char name[32];
    uint32_t bdf, write; /* device, else a number beyond LAB_DEVICES */
    uint64_t iova, bytes;
    uint32_t status, reason;
};

TEST(faults,
     each_has_its_own_reason_and_changes_nothing) /* DM-3 DM-6 DM-7 DM-8 DM-11 DM-17 DM-22 */
{
    static const struct fault rows[] = {
        { "out of range", 1 << 16, 0, AT, 64, SVMC_ERR_REFUSED, SVMC_DMA_BDF_RANGE },
        { "unknown", SVMC_BDF(0, 0, 9, 0), 0, AT, 64, SVMC_ERR_REFUSED, SVMC_DMA_BDF_UNBOUND },
        { "wrapped", 0, 0, UINT64_MAX - 62, 64, SVMC_ERR_REFUSED, SVMC_DMA_LENGTH },
        { "not mapped", 0, 0, AT, 64, SVMC_ERR_REFUSED, SVMC_DMA_UNMAPPED },
        { "not to be read", 0, 0, AT, 64, SVMC_ERR_REFUSED, SVMC_DMA_ACCESS },
        { "spoofed, of another VM", 4, 0, AT, 64, SVMC_ERR_REFUSED, SVMC_DMA_SLOT },
        { "revoked", 0, 0, AT, 64, SVMC_ERR_STALE, SVMC_DMA_SLOT_STALE },
        { "revoked meanwhile", 0, 0, AT, 128, SVMC_ERR_STALE, SVMC_DMA_CUT },
        { "somebody is at it", 0, 0, AT, 64, SVMC_ERR_BUSY, SVMC_DMA_CLAIMED },
        { "too many pages", 0, 0, 0, 33 * 4096, SVMC_ERR_FULL, SVMC_DMA_PAGES },
        { "no version is left", 0, 1, AT, 64, SVMC_ERR_FULL, SVMC_DMA_VERSIONS },
        { "changed in memory", 0, 0, AT, 64, SVMC_ERR_AUTH, SVMC_DMA_TAG },
        { "translate is wrong", 0, 0, AT, 64, SVMC_ERR_CALLBACK, SVMC_DMA_TRANSLATE },
        { "the cipher fails", 0, 0, AT, 64, SVMC_ERR_CALLBACK, SVMC_DMA_CRYPTO },
        { "no budget is left", 0, 1, AT, 64, SVMC_ERR_FULL, SVMC_DMA_BUDGET },
    };
    static uint8_t buffer[33 * 4096], before[33 * 4096], nothing[33 * 4096];
    uint32_t seen = 1 << SVMC_DMA_NONE | 1 << SVMC_DMA_KEY; /* KEY: test_budget.c, hardware */

    memset(before, 0x77, sizeof before);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fault *row = &rows[i];
        const struct svmc_dma_piece piece = { row->iova, buffer, (size_t)row->bytes };
        const struct svmc_dma_request request = {
            .bdf = row->bdf == 4 ? dma_lab_bdf(4) : row->bdf,
            .direction = row->write,
            .piece = &piece,
            .pieces = 1,
        };
        /* only what fails after the first byte has touched the buffer */
        const bool late = row->reason == SVMC_DMA_CUT || row->reason == SVMC_DMA_TAG ||
                          row->reason == SVMC_DMA_CRYPTO;
        struct svmc_dma_result r;

        toy_init(&toy);
        dma_lab_init(&lab, &toy.ops, aead, lines);
        lab.map[1][2] = (struct dma_lab_map){ row->bdf == 4 ? 0 : 1, 2, SVMC_ACCESS_RW };
        if (row->reason == SVMC_DMA_PAGES) /* all are there */
            for (uint32_t n = LAB_PAGES; n < LAB_IOVAS; n++)
                lab.map[0][n].vm = 0;
        lab.dma.priv.pages = row->reason == SVMC_DMA_PAGES ? 15 : 32;
        arrange(row->reason, false);
        remember();
        memcpy(buffer, before, sizeof buffer);
        CHECK_EQ(svmc_dma_move(&lab.dma, 1, &request, &r), row->status, "%s", row->name);
        arrange(row->reason == SVMC_DMA_CLAIMED ? row->reason : SVMC_DMA_NONE, true);
        CHECK_EQ(r.reason, row->reason, "%s", row->name);
        CHECK_EQ(r.moved, 0, "%s", row->name);
        CHECK_MEM(buffer, late ? nothing : before, row->bytes, "%s", row->name);
        CHECK(is_unchanged(), "%s", row->name);
        CHECK((seen >> row->reason & 1) == 0, "%s: a reason twice", row->name);
        seen |= 1u << row->reason;
    }
    CHECK_EQ(seen, (2u << SVMC_DMA_BUDGET) - 1, "a reason without a fault");
}

/* ---- what is left behind ---------------------------------------------------------------------*/

TEST(faults, no_plaintext_is_left_in_the_scratch) /* DM-13 */
{
    static const uint32_t both[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
    static const struct {
        uint64_t at;
        size_t bytes;
    } part[] = { { 128, 64 }, { 128, 8 }, { 160, 32 }, { 100, 200 }, { 4095, 2 } };
    uint8_t buffer[256];
    struct svmc_dma_result r;

    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, both, lines);
    for (uint32_t k = 0; k < 4; k++)
        for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
            const uint32_t vm = k / 2;
            const uint8_t *plain = (const uint8_t *)lab.plain[vm] + part[i].at / 64 * 64;
            bool found = false;

            memcpy(buffer, (const uint8_t *)lab.plain[vm] + part[i].at, part[i].bytes);
            CHECK_EQ(dma_lab_move(&lab, 4 * vm, k % 2, part[i].at, buffer, part[i].bytes, &r),
                     SVMC_OK);
            for (size_t at = 0; at + 16 <= sizeof lab.engine; at++)
                found = found || memcmp(lab.engine + at, plain, 16) == 0;
            CHECK(!found, "VM %" PRIu32 ", direction %" PRIu32 ", %zu", vm, k % 2, i);
        }
}

/* ---- what was sealed elsewhere ---------------------------------------------------------------*/

static struct fake_crypto fake;
static struct svmc_keyarena arena;
static struct svmc_vmkey keys[2];
static _Alignas(64) uint8_t arena_memory[SVMC_KEYARENA_BYTES(2)];

struct origin {
    char name[20];
    uint32_t vm, purpose, alg, page, unit;
    uint64_t index, epoch; /* epoch: added to the first byte of it */
};

/* VM 0's slot with this subkey, and its memory written. */
static void load_subkey(const struct origin *o)
{
    struct svmc_subkey_id id = { .index = o->index };
    uint8_t bytes[SVMC_DERIVE_BYTES];
    struct svmc_dma_result r;

    id.epoch[0] = (uint8_t)o->epoch;
    CHECK_EQ(svmc_vmkey_subkey(&keys[o->vm], (enum svmc_key_purpose)o->purpose, o->alg, &id, bytes),
             SVMC_OK);
    dma_lab_revoke(&lab, 0);
    lab.key[0].alg = o->alg;
    lab.key[0].bytes = bytes;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[0], &lab.slot[0]), SVMC_OK);
    dma_lab_bind(&lab, 0);
    memset(lab.seal[0], 0, sizeof lab.seal[0]);
    CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, 2 * 4096, lab.plain[0][2], 8192, &r), SVMC_OK);
}

TEST(faults, what_was_sealed_elsewhere_is_not_opened) /* DM-16 DM-17 DM-19 KH-6 */
{
    static const struct origin here = {
        "here", 0, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 2, 2, 0, 0
    };
    static const struct origin rows[] = {
        { "another page", 0, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 3, 2, 0, 0 },
        { "another unit", 0, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 2, 5, 0, 0 },
        { "another VM", 1, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 2, 2, 0, 0 },
        { "another epoch", 0, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 2, 2, 0, 1 },
        { "another index", 0, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 2, 2, 1, 0 },
        { "another purpose", 0, SVMC_KEY_CONTEXT, SVMC_ALG_AES_256_GCM, 2, 2, 0, 0 },
        { "another algorithm", 0, SVMC_KEY_PAGE, SVMC_ALG_CHACHA20_POLY1305, 2, 2, 0, 0 },
        { "an older one", 0, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, 2, 2, 0, 0 },
    };
    static const uint8_t name[2][16] = { { 1 }, { 2 } }, nothing[72];
    struct svmc_dma_seal *seal = &lab.seal[0][2][2];
    uint8_t other[64], mine[64], buffer[72];
    struct svmc_dma_seal tag, my_tag;
    struct svmc_dma_result r;

    fake_crypto_init(&fake);
    CHECK_EQ(svmc_keyarena_init(&arena, &fake.ops, arena_memory, sizeof arena_memory), SVMC_OK);
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(svmc_vmkey_create(&keys[i], &arena, name[i], SVMC_ALG_DERIVE_BLAKE2B), SVMC_OK);
    dma_lab_init(&lab, &fake.ops, aead, lines);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const bool is_old = i + 1 == sizeof rows / sizeof rows[0];

        load_subkey(&rows[i]);
        memcpy(other, lab.memory[0][rows[i].page] + 64 * (size_t)rows[i].unit, 64);
        tag = lab.seal[0][rows[i].page][rows[i].unit];
        if (!is_old)
            load_subkey(&here);
        else /* the same bytes again: only the version differs */
            CHECK_EQ(dma_lab_move(&lab, 0, SVMC_DMA_WRITE, AT, lab.plain[0][2] + 128, 64, &r),
                     SVMC_OK);
        memcpy(mine, lab.memory[0][2] + 128, 64);
        my_tag = *seal;
        memcpy(lab.memory[0][2] + 128, other, 64);
        memcpy(seal->tag, tag.tag, sizeof seal->tag);
        remember();
        memset(buffer, 0x55, sizeof buffer);
        CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_READ, AT - 8, buffer, 72, &r), SVMC_ERR_AUTH, "%s",
                 rows[i].name);
        CHECK(r.reason == SVMC_DMA_TAG && r.moved == 0 && r.iova == AT, "%s", rows[i].name);
        CHECK_MEM(buffer, nothing, 72, "%s", rows[i].name);
        CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_WRITE, AT + 3, buffer, 9, &r), SVMC_ERR_AUTH, "%s",
                 rows[i].name);
        CHECK_EQ(r.reason, SVMC_DMA_TAG);
        CHECK(is_unchanged(), "%s", rows[i].name);
        memcpy(lab.memory[0][2] + 128, mine, 64);
        *seal = my_tag;
        CHECK_EQ(dma_lab_move(&lab, 1, SVMC_DMA_READ, AT, buffer, 64, &r), SVMC_OK, "%s",
                 rows[i].name);
        CHECK_MEM(buffer, lab.plain[0][2] + 128, 64, "%s", rows[i].name);
    }
    svmc_keyslots_drop(&lab.ks);
    svmc_keyarena_drop(&arena);
    CHECK_EQ(fake.loaded, 0);
}
