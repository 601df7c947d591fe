/* SPDX-License-Identifier: MIT */
/** What token_residue.c and token_secret.c have for a MAC: sums. It leaves nothing of the key, and
 *  does not branch on it; what back ends do is their own (tests/port). */
#ifndef CHECKS_MIX_H
#define CHECKS_MIX_H
#include <svmcore/crypto.h>

static enum svmc_status mix(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    (void)ctx, (void)pieces;
    for (unsigned n = 0; n < 32; n++)
        out[n] = (uint8_t)(alg + key[n] * 3u + ((const uint8_t *)piece->at)[n]);
    return SVMC_OK;
}

#endif
