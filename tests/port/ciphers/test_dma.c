/* SPDX-License-Identifier: MIT */
/* Random DMA beside byte arrays, as in tests/keyslot/test_dma_model.c, on the back ends' ciphers.
   SVMC_COUNT: how many requests. */
#include <stdlib.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>

#include "../../keyslot/dma_model.h"

TEST(dma_ciphers, memory_means_what_was_written) /* DM-12 DM-13 DM-14 DM-16 DM-17 */
{
    static const uint32_t both[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
    static const uint32_t nonces[] = { SVMC_ALG_CHACHA20_POLY1305, SVMC_ALG_XCHACHA20_POLY1305 };
    static const uint32_t units[] = { 64, 512 };
    const char *text = getenv("SVMC_COUNT");
    uint64_t count = text ? strtoull(text, NULL, 10) : 10000;

    REQUIRE(svmc_openssl_ops() && svmc_sodium_ops());
    dma_model(svmc_openssl_ops(), both, units, count, harness_seed());
    dma_model(svmc_sodium_ops(), nonces, units, count / 10, harness_seed());
}

TEST(dma_ciphers, every_changed_bit_is_refused) /* DM-16 DM-17 */
{
    static const uint32_t unit[] = { 64, SVMC_DMA_PAGE };
    static const uint32_t alg[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305,
                                    SVMC_ALG_XCHACHA20_POLY1305 };

    REQUIRE(svmc_openssl_ops() && svmc_sodium_ops());
    for (unsigned u = 0; u < 2; u++) {
        for (unsigned a = 0; a < 3; a++)
            dma_flips(svmc_sodium_ops(), alg[a], unit[u]);
        for (unsigned a = 0; a < 2; a++)
            dma_flips(svmc_openssl_ops(), alg[a], unit[u]);
    }
}
