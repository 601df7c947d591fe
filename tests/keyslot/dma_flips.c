/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "dma_model.h"

static struct lab lab;
static uint64_t address_flip;
static enum svmc_status (*lab_translate)(void *ctx, uint32_t bdf, uint64_t iova,
                                         struct svmc_dma_page *page);

static enum svmc_status translate(void *ctx, uint32_t bdf, uint64_t iova,
                                  struct svmc_dma_page *page)
{
    enum svmc_status st = lab_translate(ctx, bdf, iova, page);

    page->address ^= address_flip;
    return st;
}

/* The unit is read, with what is behind it: its status, its reason, and no byte. */
static bool is_refused(uint32_t at, uint32_t unit)
{
    static const uint8_t nothing[SVMC_DMA_PAGE + 8];
    static uint8_t buffer[SVMC_DMA_PAGE + 8];
    struct svmc_dma_result r;

    memset(buffer, 0x99, unit + 8);
    return dma_lab_move(&lab, 1, SVMC_DMA_READ, 2 * SVMC_DMA_PAGE + at, buffer, unit + 8, &r) ==
               SVMC_ERR_AUTH &&
           r.reason == SVMC_DMA_TAG && r.moved == 0 && r.iova == 2 * SVMC_DMA_PAGE + at &&
           memcmp(buffer, nothing, unit + 8) == 0;
}

/* The slot's own numbers: loaded anew with one bit of them changed, and the memory as it was. */
static uint32_t flip_slot(uint64_t *number, uint32_t at, uint32_t unit)
{
    const struct svmc_keyslot_key was = lab.key[0];
    uint32_t missed = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        *number ^= (uint64_t)1 << bit;
        dma_lab_revoke(&lab, 0);
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[0], &lab.slot[0]), SVMC_OK);
        dma_lab_bind(&lab, 0);
        missed += !is_refused(at, unit);
        lab.key[0] = was;
    }
    dma_lab_revoke(&lab, 0);
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[0], &lab.slot[0]), SVMC_OK);
    dma_lab_bind(&lab, 0);
    return missed;
}

void dma_flips(const struct svmc_crypto_ops *ops, uint32_t alg, uint32_t unit)
{
    const uint32_t algs[] = { alg, alg }, units[] = { unit, 64 };
    const uint32_t at = 128 % unit == 0 ? 128 : 0, number = at / unit;
    struct svmc_dma_seal *seal = &lab.seal[0][2][number];
    uint32_t missed = 0, tried = 0, step = 1;
    clock_t start = clock();
    uint8_t *memory;

    dma_lab_init(&lab, ops, algs, units);
    memory = lab.memory[0][2] + at;
    for (uint32_t bit = 0; bit < unit * 8; bit += step, tried++) {
        memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        missed += !is_refused(at, unit);
        memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        step = clock() - start > 2 * CLOCKS_PER_SEC ? 61 : 1;
    }
    CHECK_EQ(missed, 0, "data");
    for (unsigned bit = 0; bit < 128; bit++, tried++) {
        seal->tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
        missed += !is_refused(at, unit);
        seal->tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_EQ(missed, 0, "tag");
    CHECK_EQ(seal->version, 1); /* without bit 0: never written, DM-18 */
    for (unsigned bit = 1; bit < 56; bit++, tried++) {
        seal->version ^= (uint64_t)1 << bit;
        missed += !is_refused(at, unit);
        seal->version ^= (uint64_t)1 << bit;
    }
    CHECK_EQ(missed, 0, "version");
    lab_translate = lab.ops.translate;
    lab.ops.translate = translate;
    for (unsigned bit = 12; bit < 52 && (uint64_t)1 << bit < (uint64_t)unit << 40; bit++, tried++) {
        address_flip = (uint64_t)1 << bit;
        svmc_keyslots_flush(&lab.ks);
        missed += !is_refused(at, unit);
    }
    lab.ops.translate = lab_translate;
    svmc_keyslots_flush(&lab.ks);
    CHECK_EQ(missed, 0, "address");
    CHECK_EQ(flip_slot(&lab.key[0].domain, at, unit), 0, "domain");
    CHECK_EQ(flip_slot(&lab.key[0].epoch, at, unit), 0, "epoch");
    CHECK(dma_lab_holds(&lab, 0));
    svmc_keyslots_drop(&lab.ks);
    printf("%" PRIu32 " bits of a unit of %" PRIu32 " bytes, algorithm %#" PRIx32 "%s\n",
           tried + 128, unit, alg,
           step == 1 ? ": all of them" : ": of its bytes a sample, for it takes long");
}
