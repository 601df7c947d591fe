/* SPDX-License-Identifier: MIT */
/** What key_cache.c, which answers, and key_cache_step.c, which fetches, share: the entries. */
#ifndef KEYSLOT_KEY_CACHE_PRIVATE_H
#define KEYSLOT_KEY_CACHE_PRIVATE_H
#include <stdbool.h>
#include <svmcore/key_cache.h>

#include "../core/clamp.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"

/* PR-5: what lies in the caller's memory: room to work, then the entries. */
struct work {
    struct svmc_provider_answer answer;
    uint64_t pad;
    uint8_t derived[SVMC_DERIVE_BYTES];
};

/* What a key has to be, and what it is. */
struct traits {
    uint32_t alg, usage, has_check, reserved;
    uint8_t check[SVMC_KEY_CHECK_BYTES];
};

/* The key first, and all that is known of it alone: an entry outlives its key. */
struct entry {
    struct {
        uint8_t bytes[SVMC_DERIVE_KEY_BYTES];
        struct traits is;
        uint32_t held, state;
        uint64_t renew_at, lease_end, close_at; /* in this order */
    } key;
    struct traits want;
    uint64_t ticket[SVMC_PROVIDERS_MAX]; /* of each provider; 0: not asked, or over */
    uint64_t deadline, hedge_at, retry_at;
    uint32_t open;     /* 1: a fetch */
    uint32_t next;     /* the provider that is asked next */
    uint32_t because;  /* why its providers failed so far */
    uint32_t reason;   /* why the last fetch failed */
    uint32_t id_bytes; /* 0: nobody's */
    uint32_t reserved;
    uint8_t id[SVMC_KEY_NAME_BYTES_MAX];
    uint8_t pad[48];
};

_Static_assert(sizeof(struct work) + sizeof(struct entry) == SVMC_KEY_CACHE_BYTES(1), "one cache");
_Static_assert(sizeof(struct work) % SVMC_KEY_CACHE_ALIGN == 0, "entries are lines");
_Static_assert(sizeof(struct entry) % SVMC_KEY_CACHE_ALIGN == 0, "entries are lines");

static inline struct work *work_of(const struct svmc_key_cache *cache)
{
    return (struct work *)(void *)cache->priv.memory;
}

static inline struct entry *entry_at(const struct svmc_key_cache *cache, uint32_t i)
{
    return (struct entry *)(void *)(cache->priv.memory + sizeof(struct work)) + i;
}

static inline void wipe(const struct svmc_key_cache *cache, void *at, size_t n)
{
    const struct svmc_crypto_ops *ops = cache->priv.config.crypto;

    ops->wipe(ops->ctx, at, n);
}

static inline void count(struct svmc_key_cache *cache, enum svmc_key_count what)
{
    cache->priv.counts[core_clamp((uint32_t)what, SVMC_KEY_COUNT_WRONG + 1u)]++;
}

/* PR-7: never before what it is added to. */
static inline uint64_t later(uint64_t now, uint64_t by)
{
    return by < UINT64_MAX - now ? now + by : UINT64_MAX;
}

/* PR-7: a clock that goes back stands still. */
static inline uint64_t advance(struct svmc_key_cache *cache, uint64_t now)
{
    if (now > cache->priv.now)
        cache->priv.now = now;
    return cache->priv.now;
}

/* PR-16: what is over is wiped. */
static inline void age(const struct svmc_key_cache *cache, struct entry *e)
{
    if (e->key.held && cache->priv.now >= e->key.close_at)
        wipe(cache, &e->key, sizeof e->key);
}

static inline bool is_free(const struct svmc_key_cache *cache, const struct entry *e)
{
    return e->id_bytes == 0 || (!e->key.held && !e->open && cache->priv.now >= e->retry_at);
}

/** PR-8, PR-13: what a key lacks of what is wanted. */
enum svmc_fetch_reason svmc_core_key_lacks(const struct svmc_key_cache *cache,
                                           const struct traits *want, const struct traits *is);

/** Call off all that a fetch has open. */
void svmc_core_key_call_off(struct svmc_key_cache *cache, struct entry *e);

#endif
