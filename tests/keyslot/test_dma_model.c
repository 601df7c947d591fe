/* SPDX-License-Identifier: MIT */
/*
 * Random DMA of eight devices of two VMs beside plain byte arrays: the same bytes, the same verdict
 * after every request, and no byte of one VM in a buffer of the other: VM 0 only ever has bytes
 * below 128, VM 1 the others. SVMC_COUNT: how many requests (20,000), SVMC_SEED.
 */
#include <stdlib.h>

#include "dma_model.h"

static struct toy toy;

static uint64_t count(void)
{
    const char *text = getenv("SVMC_COUNT");

    return text ? strtoull(text, NULL, 10) : 20000;
}

TEST(dma_model, memory_means_what_was_written) /* DM-8 DM-13 DM-14 DM-15 DM-17 DM-19 */
{
    static const uint32_t algs[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM,
                                     SVMC_ALG_CHACHA20_POLY1305, SVMC_ALG_XCHACHA20_POLY1305 };

    toy_init(&toy);
    for (unsigned i = 0; i < 4; i++) { /* each kind beside each size */
        const uint32_t alg[] = { algs[i % 2], algs[(i + 1) % 4] };
        const uint32_t unit[] = { 64u << (2 * i % 7), 4096u >> (3 * i % 7) };

        dma_model(&toy.ops, alg, unit, count() / 4, harness_seed() + i);
    }
}
