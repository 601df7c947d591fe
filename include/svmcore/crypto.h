/* SPDX-License-Identifier: MIT */
/**
 * The only door to cryptography: a callback table. The core holds no cipher, hash or random source
 * of its own; src/port/ has ready back ends.
 * Source: docs/spec/crypto.md, rules CR-1 to CR-16.
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

#define SVMC_CIPHER_ROOM_BYTES 768u       /* what a loaded key may need: three AES schedules ... */
#define SVMC_CIPHER_ROOM_ALIGN 64u        /* ... at a multiple of these */
#define SVMC_CIPHER_LANES_MAX  256u       /* callers of one loaded key at a time */
#define SVMC_CIPHER_BYTES_MAX  0x1000000u /* of one call: 2^20 blocks, as SP 800-38E has it */
#define SVMC_KEY_BYTES_MAX     64u        /* of every cipher below; the others' keys have 32 */
#define SVMC_NONCE_BYTES_MAX   24u
#define SVMC_TAG_BYTES         16u
#define SVMC_TWEAK_BYTES       16u
#define SVMC_AD_BYTES_MAX      256u /* additional data of a call, all pieces together */
#define SVMC_DERIVE_KEY_BYTES  32u
#define SVMC_DERIVE_BYTES      64u

/**
 * Algorithms. Written into formats, so the values are pinned: one number space for all, the kind in
 * bits 7:4 (1 hash, 2 MAC, 3 AEAD, 4 a cipher that keeps the length, 5 derivation of a key; more
 * will follow), 0 is none.
 */
enum svmc_alg {
    SVMC_ALG_NONE = 0x00,
    SVMC_ALG_BLAKE2B_256 = 0x11,     /* RFC 7693, 32 bytes, no key */
    SVMC_ALG_SHA_256 = 0x12,         /* FIPS 180-4 */
    SVMC_ALG_MAC_BLAKE2B_256 = 0x21, /* RFC 7693, 32 bytes, keyed */
    SVMC_ALG_HMAC_SHA_256 = 0x22,    /* RFC 2104 */
    /* key 32, tag 16, nonce 12, 12 and 24 bytes */
    SVMC_ALG_AES_256_GCM = 0x31,        /* SP 800-38D */
    SVMC_ALG_CHACHA20_POLY1305 = 0x32,  /* RFC 8439 */
    SVMC_ALG_XCHACHA20_POLY1305 = 0x33, /* draft-irtf-cfrg-xchacha-03 */
    SVMC_ALG_AES_256_XTS = 0x41,        /* SP 800-38E; key 64, its halves not the same, tweak 16 */
    SVMC_ALG_DERIVE_BLAKE2B = 0x51,     /* RFC 7693, 64 bytes, keyed */
    SVMC_ALG_HKDF_SHA_256 = 0x52        /* RFC 5869, 2.3: expand; the key is the PRK */
};

/** An unfinished hash: the back end's, opaque, not to be moved. The caller only lends the room. */
struct svmc_hash_state {
    uint64_t priv[SVMC_HASH_STATE_BYTES / 8];
};

/**
 * A loaded key: the back end's, opaque, not to be moved, at a multiple of SVMC_CIPHER_ROOM_ALIGN.
 * The caller only lends the room, in memory that is not swapped out if it can choose. What a back
 * end keeps elsewhere (src/port/openssl: on the heap) its header says.
 */
struct svmc_cipher_key {
    uint64_t priv[SVMC_CIPHER_ROOM_BYTES / 8];
};

/** A piece of a message. */
struct svmc_bytes {
    const void *at; /* may be NULL where bytes is 0 */
    size_t bytes;
};

/** What seal, open and crypt are given (CR-13). */
struct svmc_cipher_unit {
    uint32_t lane; /* below the `lanes` of cipher_load; two calls at a time for one key have two */
    uint32_t pieces;             /* of ad; AEAD only */
    const struct svmc_bytes *ad; /* one behind the other SVMC_AD_BYTES_MAX at most; AEAD only */
    const uint8_t *nonce;        /* what the algorithm has; XTS: the tweak */
    const void *in;              /* may be NULL where n is 0, as out */
    void *out;                   /* the same as in, or without a byte in common */
    size_t n;                    /* SVMC_CIPHER_BYTES_MAX at most */
    uint8_t *tag;                /* SVMC_TAG_BYTES: seal writes it, open reads it; AEAD only */
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
 *
 * Vector registers: a function may change every register that a C function may, and saves none for
 * a guest. Who calls a function of the library with a table, or with what was made with one, owns
 * the vector and floating-point registers for that time, or saves and restores them around it
 * (CR-11).
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

    /*
     * Ciphers. cipher_load, cipher_drop and derive may allocate and take their time. seal, open and
     * crypt are the data path: they allocate nothing, take no lock, make no system call, wait for
     * nobody (CR-10). Vector registers: CR-11.
     */

    /* make the key's schedule: bytes[what alg has] for up to `lanes` callers, 1 to
       SVMC_CIPHER_LANES_MAX. SVMC_ERR_UNSUPPORTED as in hash_begin, or this processor has no safe
       way; SVMC_ERR_ARG: no such key, as halves of an XTS key that are the same. After SVMC_OK,
       and only then, cipher_drop is called exactly once; else no trace of the key is left */
    SVMC_NODISCARD enum svmc_status (*cipher_load)(void *ctx, struct svmc_cipher_key *key,
                                                   uint32_t alg, const uint8_t *bytes,
                                                   uint32_t lanes);
    /* leave no trace of the key, in the room or elsewhere; cannot fail. Nobody uses it any more */
    void (*cipher_drop)(void *ctx, struct svmc_cipher_key *key);
    /* AEAD: u->in[n] to u->out[n] and u->tag; no nonce twice for one key */
    SVMC_NODISCARD enum svmc_status (*seal)(void *ctx, struct svmc_cipher_key *key,
                                            const struct svmc_cipher_unit *u);
    /* the way back. SVMC_ERR_AUTH: the tag does not fit; u->out[n] is then zero. While the call
       runs out may hold what is not verified: where others can read, open into a buffer of your
       own */
    SVMC_NODISCARD enum svmc_status (*open)(void *ctx, struct svmc_cipher_key *key,
                                            const struct svmc_cipher_unit *u);
    /* XTS: one data unit, u->nonce is its tweak, n at least 16; encrypt is 1 or 0 */
    SVMC_NODISCARD enum svmc_status (*crypt)(void *ctx, struct svmc_cipher_key *key,
                                             const struct svmc_cipher_unit *u, uint32_t encrypt);
    /* out[SVMC_DERIVE_BYTES] from key[SVMC_DERIVE_KEY_BYTES] and the pieces, one behind the other:
       keys are its first bytes. SVMC_ERR_UNSUPPORTED as in hash_begin */
    SVMC_NODISCARD enum svmc_status (*derive)(void *ctx, uint32_t alg, const uint8_t *key,
                                              const struct svmc_bytes *piece, size_t pieces,
                                              uint8_t *out);
};

/** What keys, nonces and tags of a cipher are long; for XTS the nonce is the tweak. */
struct svmc_cipher_shape {
    uint8_t key_bytes, nonce_bytes, tag_bytes, reserved;
};

/** @return the cipher's shape; all 0 for what is neither AEAD nor XTS, or is not known. */
SVMC_API struct svmc_cipher_shape svmc_cipher_shape_of(uint32_t alg);

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
 * Hold a back end against published vectors of the hashes and MACs above, as FIPS 140 wants it at
 * power-on: call it once before you trust one, and svmc_crypto_try for each cipher and derivation
 * that you use; for a table that has no hashes or MACs, that alone. It also looks whether equal
 * tells bytes apart and wipe wipes; of random it can only see that it gives something.
 *
 * Threads: any.
 * Source:  RFC 7693 appendix A, the BLAKE2 reference vectors, FIPS 180-4 examples, RFC 4231; CR-8.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an op missing); SVMC_ERR_UNSUPPORTED (a hash or MAC is
 *         missing); SVMC_ERR_CALLBACK (one failed, or gave a wrong answer).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_crypto_self_test(const struct svmc_crypto_ops *ops);

/**
 * Whether a back end offers an algorithm on this processor, found out by its published vectors. A
 * format's writer asks for the best one first and writes its number; a reader asks for that number.
 *
 * Owns:    room is lent for the call and holds nothing after it; NULL for what is no cipher.
 * Threads: any.
 * Source:  CR-16; the test cases of McGrew and Viega for GCM, RFC 8439, draft-irtf-cfrg-xchacha,
 *          NIST CAVP XTSGenAES256, the BLAKE2 reference code, RFC 5869; those of the self-test.
 *
 * @return SVMC_OK: offered, and right; SVMC_ERR_UNSUPPORTED: not offered: a table that is too
 *         short, or an algorithm that it or this library does not know; SVMC_ERR_CALLBACK: a
 *         vector failed: use nothing of this table; SVMC_ERR_ARG (NULL, room not aligned).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_crypto_try(const struct svmc_crypto_ops *ops,
                                                         enum svmc_alg alg,
                                                         struct svmc_cipher_key *room);

#ifdef __cplusplus
}
#endif
#endif
