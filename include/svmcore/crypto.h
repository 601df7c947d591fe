/* SPDX-License-Identifier: MIT */
/**
 * The only door to cryptography: a callback table. The core holds no cipher, hash or random source
 * of its own; src/port/ has ready back ends.
 * Source: docs/spec/crypto.md, rules CR-1 to CR-8.
 */
#ifndef SVMCORE_CRYPTO_H
#define SVMCORE_CRYPTO_H
#include <stddef.h>
#include <stdint.h>
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_HASH_BYTES       32u  /* of every hash and every MAC below */
#define SVMC_MAC_KEY_BYTES    32u  /* a MAC's key has exactly these */
#define SVMC_HASH_STATE_BYTES 464u /* what an unfinished hash may need */

/**
 * Algorithms. Written into formats, so the values are pinned: one number space for all, the kind in
 * bits 7:4 (1 hash, 2 MAC; more will follow), 0 is none.
 */
enum svmc_alg {
    SVMC_ALG_NONE = 0x00,
    SVMC_ALG_BLAKE2B_256 = 0x11,     /* RFC 7693, 32 bytes, no key */
    SVMC_ALG_SHA_256 = 0x12,         /* FIPS 180-4 */
    SVMC_ALG_MAC_BLAKE2B_256 = 0x21, /* RFC 7693, 32 bytes, keyed */
    SVMC_ALG_HMAC_SHA_256 = 0x22     /* RFC 2104 */
};

/** An unfinished hash: the back end's, opaque, not to be moved. The caller only lends the room. */
struct svmc_hash_state {
    uint64_t priv[SVMC_HASH_STATE_BYTES / 8];
};

/** A piece of a message. */
struct svmc_bytes {
    const void *at; /* may be NULL where bytes is 0 */
    size_t bytes;
};

/**
 * The back end. Every function gets `ctx` of the table first; none may block for long, call back
 * into the library or keep a pointer it was given, but the hash state between begin and end. All of
 * them may be called on several threads at a time, for different states and buffers. The library
 * never writes the table, which must outlive what uses it. New members are appended.
 *
 * Failure: what is not SVMC_OK has failed. A call that needs a function which a table lacks (too
 * short, or NULL) is SVMC_ERR_ARG; a failed function is SVMC_ERR_CALLBACK, and nothing of what it
 * may have written is used (CR-2).
 */
struct svmc_crypto_ops {
    uint32_t size; /* sizeof(struct svmc_crypto_ops) as the back end compiled it */
    uint32_t reserved;
    void *ctx; /* the back end's own, may be NULL */

    /* start a hash; SVMC_ERR_UNSUPPORTED: this back end does not know the algorithm. After SVMC_OK,
       and only then, hash_end is called exactly once, whatever happens in between */
    SVMC_NODISCARD enum svmc_status (*hash_begin)(void *ctx, struct svmc_hash_state *state,
                                                  uint32_t alg);
    /* n bytes more; n is never 0 */
    SVMC_NODISCARD enum svmc_status (*hash_add)(void *ctx, struct svmc_hash_state *state,
                                                const void *bytes, size_t n);
    /* finish into out[SVMC_HASH_BYTES] and leave no trace in the state; out NULL: give up, the
       answer is ignored */
    SVMC_NODISCARD enum svmc_status (*hash_end)(void *ctx, struct svmc_hash_state *state,
                                                uint8_t *out);
    /* MAC of the pieces, one behind the other, into out[SVMC_HASH_BYTES];
       key[SVMC_MAC_KEY_BYTES]. SVMC_ERR_UNSUPPORTED as in hash_begin */
    SVMC_NODISCARD enum svmc_status (*mac)(void *ctx, uint32_t alg, const uint8_t *key,
                                           const struct svmc_bytes *piece, size_t pieces,
                                           uint8_t *out);
    /* fill dst with n bytes that nobody can predict, all or nothing */
    SVMC_NODISCARD enum svmc_status (*random)(void *ctx, void *dst, size_t n);
    /* SVMC_OK if the n bytes are the same, in a time that depends on n alone; everything else, a
       failure too, means that they differ */
    SVMC_NODISCARD enum svmc_status (*equal)(void *ctx, const void *a, const void *b, size_t n);
    /* overwrite n bytes so that no compiler leaves it out; cannot fail */
    void (*wipe)(void *ctx, void *dst, size_t n);
};

/**
 * Hash n bytes at once.
 *
 * Shape:  bytes[n], NULL only with 0; out[SVMC_HASH_BYTES].
 * State:  out is zeroed on any error.
 * Source: CR-2, CR-3; needs hash_begin, hash_add, hash_end.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an op missing, alg is no hash); SVMC_ERR_UNSUPPORTED (not
 *         known to the back end); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_crypto_hash(const struct svmc_crypto_ops *ops,
                                                          enum svmc_alg alg, const void *bytes,
                                                          size_t n, uint8_t out[SVMC_HASH_BYTES]);

/**
 * Hold a back end against published vectors of every algorithm above, as FIPS 140 wants it at
 * power-on: call it once before you trust one. It also looks whether equal tells bytes apart
 * and wipe wipes; of random it can only see that it gives something.
 *
 * Threads: any.
 * Source:  RFC 7693 appendix A, the BLAKE2 reference vectors, FIPS 180-4 examples, RFC 4231; CR-8.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an op missing); SVMC_ERR_UNSUPPORTED (an algorithm is
 *         missing); SVMC_ERR_CALLBACK (one failed, or gave a wrong answer).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_crypto_self_test(const struct svmc_crypto_ops *ops);

#ifdef __cplusplus
}
#endif
#endif
