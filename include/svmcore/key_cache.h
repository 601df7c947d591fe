/* SPDX-License-Identifier: MIT */
/**
 * Providers' keys, fetched when they are missed, checked, and kept for a time. A key never leaves
 * the cache: it wraps and unwraps VM keys in it. Nothing here waits: who misses a key is parked,
 * and one thread of the host's steps the cache.
 * Source: docs/spec/provider.md, rules PR-5 to PR-18.
 */
#ifndef SVMCORE_KEY_CACHE_H
#define SVMCORE_KEY_CACHE_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "keys.h"
#include "provider.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_PROVIDERS_MAX 4u

/** What a cache of so many keys takes. */
#define SVMC_KEY_CACHE_BYTES(keys) (256u + 320u * (keys))
#define SVMC_KEY_CACHE_ALIGN       64u
#define SVMC_KEY_CACHE_KEYS_MAX    4096u

/** What keys.md says a host begins with. */
#define SVMC_KEY_CACHE_NEGATIVE_NS 1000000000u

struct svmc_key_cache_config {
    const struct svmc_crypto_ops *crypto;
    const struct svmc_provider_ops *provider[SVMC_PROVIDERS_MAX]; /* the first one is asked first */
    uint32_t providers;
    uint32_t derive; /* of check values: SVMC_ALG_DERIVE_BLAKE2B or SVMC_ALG_HKDF_SHA_256 */
    /* nanoseconds, each at most SVMC_KEY_CACHE_TIME_MAX */
    uint64_t timeout_ns;  /* of a fetch, all providers together; not 0 */
    uint64_t hedge_ns;    /* after which the next provider is asked too */
    uint64_t negative_ns; /* a failed fetch is not tried again for so long, and up to half more */
    uint64_t lease_ns;    /* a key is kept without asking for so long; not 0 */
    uint64_t grace_ns;    /* and so long beyond, while no service can be reached */
};
#define SVMC_KEY_CACHE_TIME_MAX ((uint64_t)1 << 61)

/** The cache. Holds no secret: keys lie in the caller's memory. */
struct svmc_key_cache {
    struct {
        struct svmc_key_cache_config config;
        uint8_t *memory; /* NULL: dropped */
        uint64_t now, first, ticket;
        uint64_t answered[SVMC_PROVIDERS_MAX]; /* the last ticket that each one answered */
        uint32_t entries, ended;
        uint64_t counts[16];
    } priv;
};

/** Which key, and what it has to be. */
struct svmc_key_wanted {
    const uint8_t *id; /* what the service calls it: [id_bytes], 1 to SVMC_KEY_NAME_BYTES_MAX */
    size_t id_bytes;
    uint8_t name[SVMC_PROVIDER_ID_BYTES]; /* what blobs call it */
    uint32_t alg;                         /* SVMC_KEY_FOR_AES */
    uint32_t usage;                       /* all SVMC_KEY_MAY_ bits that it needs */
    uint32_t has_check;                   /* 1: its check value is known, and must be this one */
    uint8_t check[SVMC_KEY_CHECK_BYTES];
};

/** What the cache says of a key. */
struct svmc_key_news {
    uint32_t reason; /* enum svmc_fetch_reason: of the status; with SVMC_OK, of a failed renewal */
    uint32_t state, usage; /* for svmc_sealer_key; 0 without a key */
    uint32_t in_grace;     /* the lease is over, and no service can be reached */
    uint64_t until;        /* OK: it is held till then; ABSENT: the fetch's deadline; else: no fetch
                              before */
};

/** How often something happened. Ignored: an answer of which nothing is used. */
enum svmc_key_count {
    SVMC_KEY_COUNT_HIT,          /* a key was there */
    SVMC_KEY_COUNT_FETCH,        /* fetches begun */
    SVMC_KEY_COUNT_JOINED,       /* asked for while its fetch was open */
    SVMC_KEY_COUNT_NEGATIVE,     /* refused without a fetch */
    SVMC_KEY_COUNT_HEDGED,       /* the next provider was asked while one was open */
    SVMC_KEY_COUNT_GRACE,        /* a key was there after its lease */
    SVMC_KEY_COUNT_FETCHED,      /* fetches that ended with a key */
    SVMC_KEY_COUNT_FAILED,       /* fetches that ended without one */
    SVMC_KEY_COUNT_LATE,         /* ignored: an answer to what was called off */
    SVMC_KEY_COUNT_TWICE,        /* ignored: a second answer */
    SVMC_KEY_COUNT_ASTRAY,       /* ignored: an answer to what was not asked */
    SVMC_KEY_COUNT_WRONG_ID,     /* answers with SVMC_FETCH_ID */
    SVMC_KEY_COUNT_WRONG_LENGTH, /* answers with SVMC_FETCH_LENGTH */
    SVMC_KEY_COUNT_WRONG         /* answers that something else was wrong with */
};

/**
 * Lay out and wipe a cache.
 *
 * Shape:   memory[bytes] at a multiple of SVMC_KEY_CACHE_ALIGN, SVMC_KEY_CACHE_BYTES(1) at least.
 * Owns:    the caller keeps the memory, and locks it before; what config names outlives the cache.
 * Source:  PR-5; needs random, equal, wipe, derive, and of each provider all functions.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an op missing, a number out of its range, too small, not
 *         aligned); SVMC_ERR_UNSUPPORTED (derive); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_key_cache_init(
    struct svmc_key_cache *cache, const struct svmc_key_cache_config *config, void *memory,
    size_t bytes);

/**
 * Is this key here? If not, its fetch is begun, or joined.
 *
 * Shape:   now: the host's clock in nanoseconds; what is less than before counts as before.
 * State:   *news is filled with any status but SVMC_ERR_ARG.
 * Threads: one caller at a time for a cache. Asks no provider: that is the step's.
 * Source:  PR-6 to PR-9, PR-14 to PR-16.
 *
 * @return SVMC_OK: a key that is all that is wanted; SVMC_ERR_ABSENT: park the vCPU, and ask again
 *         when a step has ended a fetch; svmc_fetch_status(news->reason): refused; SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_key_cache_get(struct svmc_key_cache *cache,
                                                            uint64_t now,
                                                            const struct svmc_key_wanted *wanted,
                                                            struct svmc_key_news *news);

/** A blob, and where its VM key goes: as the arguments of svmc_vmkey_unwrap and _wrap. */
struct svmc_key_blob {
    struct svmc_vmkey *key;
    struct svmc_keyarena *arena; /* unwrap */
    const uint8_t *vm;           /* unwrap */
    const void *from;            /* unwrap */
    size_t bytes;                /* unwrap */
    uint8_t *to;                 /* wrap: [SVMC_VMKEY_BLOB_BYTES] */
    uint32_t aead;               /* wrap */
    uint32_t reserved;
};

/**
 * svmc_key_cache_get, and with the key svmc_vmkey_unwrap, or svmc_vmkey_wrap: no byte of the
 * provider's key leaves the cache. The usage that they need, open or seal, is asked for too.
 *
 * State:   without SVMC_OK blob->key is empty (unwrap), or blob->to is zero (wrap).
 * Threads: as svmc_key_cache_get, and as those.
 * Source:  PR-10.
 *
 * @return as svmc_key_cache_get; with news->reason SVMC_FETCH_NONE the status is theirs.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_key_cache_unwrap(struct svmc_key_cache *cache,
                                                               uint64_t now,
                                                               const struct svmc_key_wanted *wanted,
                                                               const struct svmc_key_blob *blob,
                                                               struct svmc_key_news *news);
SVMC_API SVMC_NODISCARD enum svmc_status svmc_key_cache_wrap(struct svmc_key_cache *cache,
                                                             uint64_t now,
                                                             const struct svmc_key_wanted *wanted,
                                                             const struct svmc_key_blob *blob,
                                                             struct svmc_key_news *news);

/**
 * Go on with everything that is open: ask, poll, give up; wipe what is over.
 *
 * State:   *wake, unless NULL: when to step again though no provider is heard of: at once where
 *          this step asked one or ended a fetch; a deadline, a hedge, the end of a key; UINT64_MAX:
 *          not before another get.
 * Threads: as svmc_key_cache_get. Calls the providers; waits for nobody.
 * Source:  PR-11 to PR-17.
 *
 * @return how many fetches have ended since the last step: who is parked may ask again.
 */
SVMC_API uint32_t svmc_key_cache_step(struct svmc_key_cache *cache, uint64_t now, uint64_t *wake);

/** Wipe a key and forget all about it; an open fetch of it is called off. PR-18 */
SVMC_API void svmc_key_cache_evict(struct svmc_key_cache *cache, const uint8_t *id,
                                   size_t id_bytes);

/** Call off every fetch and wipe all of it: what is asked afterwards is SVMC_ERR_ARG. PR-18 */
SVMC_API void svmc_key_cache_drop(struct svmc_key_cache *cache);

/** @return how often; 0 for what is none. */
SVMC_API uint64_t svmc_key_cache_count(const struct svmc_key_cache *cache, uint32_t what);

/**
 * The check value of a provider's key, to be stored beside its name: 16 bytes that tell it from
 * any other key, and nothing of it.
 *
 * Shape:   key[SVMC_DERIVE_KEY_BYTES]; check[SVMC_KEY_CHECK_BYTES], zero on any error.
 * Source:  PR-13.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_UNSUPPORTED (derive); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_key_check_value(const struct svmc_crypto_ops *ops,
                                                              uint32_t derive, const uint8_t *key,
                                                              uint8_t *check);

#ifdef __cplusplus
}
#endif
#endif
