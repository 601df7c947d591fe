/* SPDX-License-Identifier: MIT */
#ifndef DMA_MODEL_H
#define DMA_MODEL_H
#include "keyslot_lab.h"

/** So many random requests on a host with this table, beside byte arrays; checks count failures. */
void dma_model(const struct svmc_crypto_ops *crypto, const uint32_t *alg, const uint32_t *unit,
               uint64_t requests, uint64_t seed);

#endif
