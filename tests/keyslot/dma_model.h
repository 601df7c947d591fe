/* SPDX-License-Identifier: MIT */
#ifndef DMA_MODEL_H
#define DMA_MODEL_H
#include "keyslot_lab.h"

/** So many random requests on a host with this table, beside byte arrays; checks count failures. */
void dma_model(const struct svmc_crypto_ops *crypto, const uint32_t *alg, const uint32_t *unit,
               uint64_t requests, uint64_t seed);

/** Every bit of a unit's bytes, tag and version, and of the address, owner and epoch that it is
    sealed with, is changed: refused. After two seconds a sample of its bytes, and it says so. */
void dma_flips(const struct svmc_crypto_ops *crypto, uint32_t alg, uint32_t unit);

#endif
