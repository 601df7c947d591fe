/* SPDX-License-Identifier: MIT */
/** What every user of the crypto table needs: is it there, and a hash that is ended once. */
#ifndef CORE_CRYPTO_OPS_H
#define CORE_CRYPTO_OPS_H
#include <stdbool.h>
#include <svmcore/crypto.h>

/** CR-1: a function is there if it lies within the table's size and is not NULL. */
#define HAS_CRYPTO_OP(ops, op) \
    ((ops)->size >= offsetof(struct svmc_crypto_ops, op) + sizeof((ops)->op) && (ops)->op != NULL)

static inline bool core_crypto_can_hash(const struct svmc_crypto_ops *ops)
{
    return ops && HAS_CRYPTO_OP(ops, hash_begin) && HAS_CRYPTO_OP(ops, hash_add) &&
           HAS_CRYPTO_OP(ops, hash_end);
}

/** CR-2: of a callback's statuses two have a meaning, and UNSUPPORTED only where `alg` is given. */
static inline enum svmc_status core_crypto_verdict(enum svmc_status st)
{
    return st == SVMC_OK || st == SVMC_ERR_UNSUPPORTED ? st : SVMC_ERR_CALLBACK;
}

/** CR-3: after a begin that succeeded, exactly one end. `st`: how the hash went up to here. */
static inline enum svmc_status core_crypto_hash_end(const struct svmc_crypto_ops *ops,
                                                    struct svmc_hash_state *state,
                                                    enum svmc_status st, uint8_t *out)
{
    enum svmc_status end = ops->hash_end(ops->ctx, state, st == SVMC_OK ? out : NULL);

    return st == SVMC_OK && end == SVMC_OK ? SVMC_OK : SVMC_ERR_CALLBACK;
}

#endif
