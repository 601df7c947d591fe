/* SPDX-License-Identifier: MIT */
/**
 * What every user of the crypto table needs: is it there, a hash that is ended once, a cipher whose
 * failure shows nothing.
 */
#ifndef CORE_CRYPTO_OPS_H
#define CORE_CRYPTO_OPS_H
#include <stdbool.h>
#include <svmcore/crypto.h>

#include "callbacks.h"
#include "memory.h"

/* CR-1: a function of the table is there where CORE_HAS_OP says so. */
static inline bool core_crypto_can_hash(const struct svmc_crypto_ops *ops)
{
    return ops && CORE_HAS_OP(ops, hash_begin) && CORE_HAS_OP(ops, hash_add) &&
           CORE_HAS_OP(ops, hash_end);
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

/** CR-16: svmc_crypto_try for a cipher, and for a derivation. */
enum svmc_status svmc_core_try_cipher(const struct svmc_crypto_ops *ops, uint32_t alg,
                                      struct svmc_cipher_key *room);
enum svmc_status svmc_core_try_derive(const struct svmc_crypto_ops *ops, uint32_t alg);

/** CR-1: whether a table has what a cipher of this kind (bits 7:4 of its number) needs. */
static inline bool core_crypto_can_cipher(const struct svmc_crypto_ops *ops, uint32_t alg)
{
    if (!ops || !CORE_HAS_OP(ops, cipher_load) || !CORE_HAS_OP(ops, cipher_drop))
        return false;
    return alg >> 4 == 3   ? CORE_HAS_OP(ops, seal) && CORE_HAS_OP(ops, open)
           : alg >> 4 == 4 ? CORE_HAS_OP(ops, crypt)
                           : false;
}

/** CR-2, CR-9: after OK, and only then, the room holds a key that is to be dropped. */
static inline enum svmc_status core_cipher_load(const struct svmc_crypto_ops *ops,
                                                struct svmc_cipher_key *key, uint32_t alg,
                                                const uint8_t *bytes, uint32_t lanes)
{
    enum svmc_status st = ops->cipher_load(ops->ctx, key, alg, bytes, lanes);

    return st == SVMC_ERR_ARG ? st : core_crypto_verdict(st);
}

/** out may be NULL where there is nothing. */
static inline void core_cipher_clear(const struct svmc_cipher_unit *u)
{
    if (u->n != 0)
        memset(u->out, 0, u->n);
}

/** CR-2: a failed seal leaves zeros. */
static inline enum svmc_status core_cipher_seal(const struct svmc_crypto_ops *ops,
                                                struct svmc_cipher_key *key,
                                                const struct svmc_cipher_unit *u)
{
    if (ops->seal(ops->ctx, key, u) == SVMC_OK)
        return SVMC_OK;
    core_cipher_clear(u);
    memset(u->tag, 0, SVMC_TAG_BYTES);
    return SVMC_ERR_CALLBACK;
}

/** CR-2, CR-12: a failed open leaves zeros, whatever the back end did. */
static inline enum svmc_status core_cipher_open(const struct svmc_crypto_ops *ops,
                                                struct svmc_cipher_key *key,
                                                const struct svmc_cipher_unit *u)
{
    enum svmc_status st = ops->open(ops->ctx, key, u);

    if (st == SVMC_OK)
        return SVMC_OK;
    core_cipher_clear(u);
    return st == SVMC_ERR_AUTH ? SVMC_ERR_AUTH : SVMC_ERR_CALLBACK;
}

/** CR-2: a failed crypt leaves zeros. */
static inline enum svmc_status core_cipher_crypt(const struct svmc_crypto_ops *ops,
                                                 struct svmc_cipher_key *key,
                                                 const struct svmc_cipher_unit *u, bool encrypt)
{
    if (ops->crypt(ops->ctx, key, u, encrypt) == SVMC_OK)
        return SVMC_OK;
    core_cipher_clear(u);
    return SVMC_ERR_CALLBACK;
}

#endif
