/* SPDX-License-Identifier: MIT */
/** svmc_seal_find in two, for who has a deep stack where it is needed: vectors take much of one. */
#ifndef SEALER_PRIVATE_H
#define SEALER_PRIVATE_H
#include <stdbool.h>
#include <svmcore/seal.h>

/** SE-2: hold an AEAD against its vectors, if nobody has yet. Control of the pool. */
enum svmc_seal_reason svmc_seal_try(struct svmc_sealer *sealer, uint32_t alg);
/** Whether it is an AEAD that was held against its vectors, and right. */
bool svmc_seal_is_tried(const struct svmc_sealer *sealer, uint32_t alg);
/** As svmc_seal_find; SVMC_SEAL_ALG: also an algorithm that was not tried. *use is {0}, or has a
 *  subkey, of which nobody has a copy: it gives way, in its slot (KS-21). SVMC_SEAL_BUSY, and what
 *  is refused before the key is asked for: it stays. */
enum svmc_seal_reason svmc_seal_find_tried(struct svmc_sealer *sealer, uint32_t purpose,
                                           uint32_t alg, const struct svmc_subkey_id *id,
                                           struct svmc_seal_use *use);

#endif
