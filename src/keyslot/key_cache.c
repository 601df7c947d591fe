/* SPDX-License-Identifier: MIT */
/** The key cache: what is asked of it, and what it answers. key_cache_step.c fetches. */
#include "key_cache_private.h"

#define LABEL_BYTES 16u
static const uint8_t check_label[LABEL_BYTES] = "svmcore keycheck"; /* KH-6: another one */

/* ---- its memory ------------------------------------------------------------------------------*/

/* PR-1 */
static bool has_providers(const struct svmc_key_cache_config *c)
{
    if (c->providers - 1 >= SVMC_PROVIDERS_MAX)
        return false;
    for (uint32_t p = 0; p < SVMC_PROVIDERS_MAX; p++) {
        const struct svmc_provider_ops *ops = p < c->providers ? c->provider[p] : NULL;

        if (p < c->providers && (!ops || !CORE_HAS_OP(ops, request) || !CORE_HAS_OP(ops, poll) ||
                                 !CORE_HAS_OP(ops, cancel)))
            return false;
    }
    return true;
}

static bool is_possible(const struct svmc_key_cache_config *c)
{
    const uint64_t max = SVMC_KEY_CACHE_TIME_MAX;

    return c && c->crypto && CORE_HAS_OP(c->crypto, random) && CORE_HAS_OP(c->crypto, equal) &&
           CORE_HAS_OP(c->crypto, wipe) && CORE_HAS_OP(c->crypto, derive) && has_providers(c) &&
           c->timeout_ns - 1 < max && c->lease_ns - 1 < max && c->hedge_ns <= max &&
           c->negative_ns <= max && c->grace_ns <= max;
}

/* PR-5 */
enum svmc_status svmc_key_cache_init(struct svmc_key_cache *cache,
                                     const struct svmc_key_cache_config *config, void *memory,
                                     size_t bytes)
{
    const struct svmc_crypto_ops *ops;
    enum svmc_status st;
    size_t entries;

    if (!cache)
        return SVMC_ERR_ARG;
    memset(cache, 0, sizeof *cache);
    if (!is_possible(config) || !memory || (uintptr_t)memory % SVMC_KEY_CACHE_ALIGN != 0 ||
        bytes < SVMC_KEY_CACHE_BYTES(1))
        return SVMC_ERR_ARG;
    ops = config->crypto;
    entries = (bytes - sizeof(struct work)) / sizeof(struct entry);
    if (entries > SVMC_KEY_CACHE_KEYS_MAX)
        entries = SVMC_KEY_CACHE_KEYS_MAX;
    cache->priv.config = *config;
    cache->priv.memory = memory;
    cache->priv.entries = (uint32_t)entries;
    wipe(cache, memory, SVMC_KEY_CACHE_BYTES(entries));
    /* the algorithm is there; zeros will do */
    st = svmc_key_check_value(ops, config->derive, work_of(cache)->derived,
                              work_of(cache)->answer.id);
    if (st == SVMC_OK &&
        ops->random(ops->ctx, &cache->priv.first, sizeof cache->priv.first) != SVMC_OK)
        st = SVMC_ERR_CALLBACK;
    cache->priv.ticket = cache->priv.first; /* PR-2 */
    wipe(cache, work_of(cache), sizeof(struct work));
    if (st != SVMC_OK)
        memset(cache, 0, sizeof *cache);
    return st;
}

void svmc_core_key_call_off(struct svmc_key_cache *cache, struct entry *e)
{
    for (uint32_t p = 0; p < SVMC_PROVIDERS_MAX; p++) {
        const struct svmc_provider_ops *ops = cache->priv.config.provider[p];
        uint64_t ticket = e->ticket[p];

        e->ticket[p] = 0;
        if (ticket != 0)
            ops->cancel(ops->ctx, ticket);
    }
    e->open = 0;
}

/* PR-18 */
void svmc_key_cache_drop(struct svmc_key_cache *cache)
{
    if (!cache || !cache->priv.memory)
        return;
    for (uint32_t i = 0; i < cache->priv.entries; i++)
        svmc_core_key_call_off(cache, entry_at(cache, i));
    wipe(cache, cache->priv.memory, SVMC_KEY_CACHE_BYTES((size_t)cache->priv.entries));
    cache->priv.memory = NULL;
    cache->priv.entries = 0;
}

/* ---- entries ---------------------------------------------------------------------------------*/

/* PR-6: there is one entry of a name at most. */
static struct entry *find(const struct svmc_key_cache *cache, const uint8_t *id, size_t id_bytes)
{
    for (uint32_t i = 0; i < cache->priv.entries; i++) {
        struct entry *e = entry_at(cache, i);

        if (e->id_bytes == id_bytes && memcmp(e->id, id, id_bytes) == 0)
            return e;
    }
    return NULL;
}

/* PR-9: nobody's, or one of which only the time of its refusal was kept. */
static struct entry *claim(struct svmc_key_cache *cache, const struct svmc_key_wanted *wanted)
{
    for (uint32_t i = 0; i < cache->priv.entries; i++) {
        struct entry *e = entry_at(cache, i);

        age(cache, e);
        if (!is_free(cache, e))
            continue;
        memset(e, 0, sizeof *e);
        memcpy(e->id, wanted->id, wanted->id_bytes);
        e->id_bytes = (uint32_t)wanted->id_bytes;
        return e;
    }
    return NULL;
}

/* PR-18 */
void svmc_key_cache_evict(struct svmc_key_cache *cache, const uint8_t *id, size_t id_bytes)
{
    struct entry *e;

    if (!cache || !cache->priv.memory || !id || id_bytes - 1 >= SVMC_KEY_NAME_BYTES_MAX)
        return;
    e = find(cache, id, id_bytes);
    if (!e)
        return;
    cache->priv.ended += e->open;
    svmc_core_key_call_off(cache, e);
    wipe(cache, e, sizeof *e);
}

/* ---- asking ----------------------------------------------------------------------------------*/

enum svmc_fetch_reason svmc_core_key_lacks(const struct svmc_key_cache *cache,
                                           const struct traits *want, const struct traits *is)
{
    const struct svmc_crypto_ops *ops = cache->priv.config.crypto;

    if (is->alg != want->alg)
        return SVMC_FETCH_ALG;
    if ((is->usage & want->usage) != want->usage)
        return SVMC_FETCH_USAGE;
    if (want->has_check &&
        ops->equal(ops->ctx, is->check, want->check, SVMC_KEY_CHECK_BYTES) != SVMC_OK)
        return SVMC_FETCH_CHECK;
    return SVMC_FETCH_NONE;
}

static void begin(struct svmc_key_cache *cache, struct entry *e, const struct traits *want)
{
    e->want = *want;
    e->open = 1;
    e->next = 0;
    e->because = SVMC_FETCH_NONE;
    e->deadline = later(cache->priv.now, cache->priv.config.timeout_ns);
    e->hedge_at = cache->priv.now;
    count(cache, SVMC_KEY_COUNT_FETCH);
}

/* PR-15: a held key is given at once; towards the end of its lease it is asked for again. */
static enum svmc_fetch_reason give(struct svmc_key_cache *cache, struct entry *e,
                                   const struct traits *want, struct svmc_key_news *news)
{
    enum svmc_fetch_reason reason = svmc_core_key_lacks(cache, want, &e->key.is);
    uint64_t now = cache->priv.now;

    if (now >= e->key.renew_at && now >= e->retry_at && !e->open) {
        begin(cache, e, &e->key.is); /* with its check value: no other key in its place */
        e->want.usage = 0;           /* of a service that allows less each call sees for itself */
    }
    news->until = e->key.close_at;
    if (reason != SVMC_FETCH_NONE)
        return reason;
    news->state = e->key.state;
    news->usage = e->key.is.usage;
    news->in_grace = now >= e->key.lease_end;
    news->reason = e->reason;
    count(cache, SVMC_KEY_COUNT_HIT);
    if (news->in_grace)
        count(cache, SVMC_KEY_COUNT_GRACE);
    return SVMC_FETCH_NONE;
}

/* PR-6, PR-9, PR-14. */
static enum svmc_fetch_reason ask(struct svmc_key_cache *cache,
                                  const struct svmc_key_wanted *wanted, struct traits *want,
                                  struct svmc_key_news *news, struct entry **found)
{
    struct entry *e = find(cache, wanted->id, wanted->id_bytes);

    if (e)
        age(cache, e);
    else
        e = claim(cache, wanted);
    *found = e;
    if (!e)
        return SVMC_FETCH_FULL;
    if (e->key.held)
        return give(cache, e, want, news);
    if (e->open) {
        count(cache, SVMC_KEY_COUNT_JOINED);
    } else if (cache->priv.now < e->retry_at) {
        count(cache, SVMC_KEY_COUNT_NEGATIVE);
        news->until = e->retry_at;
        return (enum svmc_fetch_reason)e->reason;
    } else {
        begin(cache, e, want);
    }
    news->until = e->deadline;
    return SVMC_FETCH_PENDING;
}

/* The entry that holds the key, if there is one to be used. */
static enum svmc_status get(struct svmc_key_cache *cache, uint64_t now,
                            const struct svmc_key_wanted *wanted, uint32_t usage,
                            struct svmc_key_news *news, struct entry **found)
{
    struct traits want = { 0 };
    enum svmc_fetch_reason reason;

    *found = NULL;
    if (!news)
        return SVMC_ERR_ARG;
    memset(news, 0, sizeof *news);
    if (!cache || !cache->priv.memory || !wanted || !wanted->id ||
        wanted->id_bytes - 1 >= SVMC_KEY_NAME_BYTES_MAX || wanted->alg == 0 ||
        wanted->has_check > 1)
        return SVMC_ERR_ARG;
    advance(cache, now);
    want.alg = wanted->alg;
    want.usage = wanted->usage | usage;
    want.has_check = wanted->has_check;
    memcpy(want.check, wanted->check, sizeof want.check);
    reason = ask(cache, wanted, &want, news, found);
    if (reason == SVMC_FETCH_NONE)
        return SVMC_OK;
    news->reason = reason;
    return svmc_fetch_status(reason);
}

enum svmc_status svmc_key_cache_get(struct svmc_key_cache *cache, uint64_t now,
                                    const struct svmc_key_wanted *wanted,
                                    struct svmc_key_news *news)
{
    struct entry *e;

    return get(cache, now, wanted, 0, news, &e);
}

/* PR-10: what of a provider's key is lent, for one call. */
static struct svmc_provider_key lend(const struct svmc_key_wanted *wanted, const struct entry *e)
{
    struct svmc_provider_key key = { .bytes = e->key.bytes };

    memcpy(key.id, wanted->name, sizeof key.id);
    return key;
}

enum svmc_status svmc_key_cache_unwrap(struct svmc_key_cache *cache, uint64_t now,
                                       const struct svmc_key_wanted *wanted,
                                       const struct svmc_key_blob *blob, struct svmc_key_news *news)
{
    struct svmc_provider_key provider;
    enum svmc_status st;
    struct entry *e;

    if (!blob || !blob->key)
        return SVMC_ERR_ARG;
    memset(blob->key, 0, sizeof *blob->key);
    st = get(cache, now, wanted, SVMC_KEY_MAY_OPEN, news, &e);
    if (st != SVMC_OK)
        return st;
    news->reason = SVMC_FETCH_NONE;
    provider = lend(wanted, e);
    return svmc_vmkey_unwrap(blob->key, blob->arena, blob->vm, &provider, blob->from, blob->bytes);
}

enum svmc_status svmc_key_cache_wrap(struct svmc_key_cache *cache, uint64_t now,
                                     const struct svmc_key_wanted *wanted,
                                     const struct svmc_key_blob *blob, struct svmc_key_news *news)
{
    struct svmc_provider_key provider;
    enum svmc_status st;
    struct entry *e;

    if (!blob || !blob->to)
        return SVMC_ERR_ARG;
    memset(blob->to, 0, SVMC_VMKEY_BLOB_BYTES);
    st = get(cache, now, wanted, SVMC_KEY_MAY_SEAL, news, &e);
    if (st != SVMC_OK)
        return st;
    news->reason = SVMC_FETCH_NONE;
    provider = lend(wanted, e);
    return svmc_vmkey_wrap(blob->key, &provider, blob->aead, blob->to);
}

uint64_t svmc_key_cache_count(const struct svmc_key_cache *cache, uint32_t what)
{
    if (!cache || what > SVMC_KEY_COUNT_WRONG)
        return 0;
    return cache->priv.counts[core_clamp(what, SVMC_KEY_COUNT_WRONG + 1u)];
}

/* PR-13 */
enum svmc_status svmc_key_check_value(const struct svmc_crypto_ops *ops, uint32_t derive,
                                      const uint8_t *key, uint8_t *check)
{
    uint8_t derived[SVMC_DERIVE_BYTES], label[LABEL_BYTES];
    const struct svmc_bytes piece = { label, LABEL_BYTES }; /* of a constant: a relocation */
    enum svmc_status st = SVMC_ERR_UNSUPPORTED;

    if (!check)
        return SVMC_ERR_ARG;
    memset(check, 0, SVMC_KEY_CHECK_BYTES);
    if (!key || !ops || !CORE_HAS_OP(ops, derive) || !CORE_HAS_OP(ops, wipe))
        return SVMC_ERR_ARG;
    memcpy(label, check_label, sizeof label);
    if (derive == SVMC_ALG_DERIVE_BLAKE2B || derive == SVMC_ALG_HKDF_SHA_256) {
        st = ops->derive(ops->ctx, derive, key, &piece, 1, derived);
        st = core_crypto_verdict(st);
    }
    if (st == SVMC_OK)
        memcpy(check, derived, SVMC_KEY_CHECK_BYTES);
    ops->wipe(ops->ctx, derived, sizeof derived);
    return st;
}
