/* SPDX-License-Identifier: MIT */
/** The key cache: fetches on their way: which provider is asked when, and what of its answer is
 *  wrong. */
#include "key_cache_private.h"

/* ---- an answer -------------------------------------------------------------------------------*/

/* PR-4: what a provider may say; the rest is the cache's to find. */
static enum svmc_fetch_reason said(uint32_t reason)
{
    return (reason >= SVMC_FETCH_PROVIDER && reason <= SVMC_FETCH_OWN_EXPIRED) ||
                   reason == SVMC_FETCH_DENIED || reason == SVMC_FETCH_NOT_FOUND
               ? (enum svmc_fetch_reason)reason
               : SVMC_FETCH_PROVIDER;
}

/* PR-16: an answer, though not the one that was hoped for: the service is there. */
static bool is_word(uint32_t reason)
{
    return reason >= SVMC_FETCH_DENIED;
}

/* PR-12: no other provider is asked against this one. */
static bool is_last_word(uint32_t reason)
{
    return reason >= SVMC_FETCH_PRE_ACTIVE && reason <= SVMC_FETCH_DESTROYED;
}

static enum svmc_fetch_reason judge_state(uint32_t state)
{
    switch (state) {
    case SVMC_KEY_ACTIVE:
        return SVMC_FETCH_NONE;
    case SVMC_KEY_PRE_ACTIVE:
        return SVMC_FETCH_PRE_ACTIVE;
    case SVMC_KEY_DEACTIVATED:
        return SVMC_FETCH_DEACTIVATED;
    case SVMC_KEY_COMPROMISED:
    case SVMC_KEY_DESTROYED_COMPROMISED:
        return SVMC_FETCH_COMPROMISED;
    case SVMC_KEY_DESTROYED:
        return SVMC_FETCH_DESTROYED;
    default:
        return SVMC_FETCH_STATE;
    }
}

/* PR-13: all of it, in this order; *is is what the key is. */
static enum svmc_fetch_reason judge(const struct svmc_key_cache *cache, const struct entry *e,
                                    struct traits *is)
{
    const struct svmc_key_cache_config *c = &cache->priv.config;
    const struct svmc_provider_answer *a = &work_of(cache)->answer;
    enum svmc_fetch_reason reason;

    memset(is, 0, sizeof *is);
    if (a->id_bytes != e->id_bytes || memcmp(a->id, e->id, sizeof e->id) != 0)
        return SVMC_FETCH_ID;
    reason = judge_state(a->state);
    if (reason != SVMC_FETCH_NONE)
        return reason;
    if (a->alg != e->want.alg)
        return SVMC_FETCH_ALG;
    if (a->bits != 8 * SVMC_DERIVE_KEY_BYTES || a->key_bytes != SVMC_DERIVE_KEY_BYTES)
        return SVMC_FETCH_LENGTH;
    is->alg = a->alg;
    is->usage = a->usage;
    is->has_check = 1;
    if (svmc_key_check_value(c->crypto, c->derive, a->key, is->check) != SVMC_OK)
        return SVMC_FETCH_CHECK;
    return svmc_core_key_lacks(cache, &e->want, is);
}

/* PR-15, PR-16: how long the key is kept; a service may say less than the host, never more. */
static void keep(struct svmc_key_cache *cache, struct entry *e, const struct traits *is)
{
    const struct svmc_key_cache_config *c = &cache->priv.config;
    const struct svmc_provider_answer *a = &work_of(cache)->answer;
    uint64_t now = cache->priv.now, lease = c->lease_ns;

    if (a->lease_ns != 0 && a->lease_ns < lease)
        lease = a->lease_ns;
    svmc_core_key_call_off(cache, e);
    memcpy(e->key.bytes, a->key, sizeof e->key.bytes);
    e->key.is = *is;
    e->key.held = 1;
    e->key.state = a->state;
    e->key.close_at = later(later(now, lease), c->grace_ns);
    if (a->not_after_ns != 0 && later(now, a->not_after_ns) < e->key.close_at)
        e->key.close_at = later(now, a->not_after_ns);
    e->key.lease_end = later(now, lease);
    if (e->key.lease_end > e->key.close_at)
        e->key.lease_end = e->key.close_at;
    e->key.renew_at = later(now, (e->key.lease_end - now) / 4 * 3);
    e->reason = SVMC_FETCH_NONE;
    cache->priv.ended++;
    count(cache, SVMC_KEY_COUNT_FETCHED);
}

/* ---- a fetch ---------------------------------------------------------------------------------*/

/* PR-14: up to half more, so that not all hosts come back at once. Without a random number it is
   the most. */
static uint64_t pause_of(const struct svmc_key_cache *cache)
{
    const struct svmc_crypto_ops *ops = cache->priv.config.crypto;
    uint64_t half = cache->priv.config.negative_ns / 2, jitter = 0;

    if (ops->random(ops->ctx, &jitter, sizeof jitter) != SVMC_OK)
        jitter = half;
    return cache->priv.config.negative_ns + jitter % (half + 1);
}

/* PR-11, PR-16: no key. Without the service's word one that is held stays so, till its end. */
static void fail(struct svmc_key_cache *cache, struct entry *e, uint32_t reason)
{
    svmc_core_key_call_off(cache, e);
    e->reason = reason;
    e->retry_at = later(cache->priv.now, pause_of(cache));
    if (is_word(reason))
        wipe(cache, &e->key, sizeof e->key);
    cache->priv.ended++;
    count(cache, SVMC_KEY_COUNT_FAILED);
}

/* PR-12: the next one is asked at once. Of two reasons the one that says more of the key; else the
   first. */
static void blame(const struct svmc_key_cache *cache, struct entry *e,
                  enum svmc_fetch_reason reason)
{
    e->hedge_at = cache->priv.now;
    if (e->because == SVMC_FETCH_NONE || (is_word(reason) && !is_word(e->because)))
        e->because = reason;
}

/* PR-17: an answer to something else is as if it had not come; the ticket stays open. */
static void ignore(struct svmc_key_cache *cache, uint32_t p, uint64_t ticket)
{
    uint64_t given = cache->priv.ticket - cache->priv.first;

    if (ticket - cache->priv.first - 1 >= given)
        count(cache, SVMC_KEY_COUNT_ASTRAY);
    else if (ticket == cache->priv.answered[core_clamp(p, SVMC_PROVIDERS_MAX)])
        count(cache, SVMC_KEY_COUNT_TWICE);
    else
        count(cache, SVMC_KEY_COUNT_LATE);
}

static void count_wrong(struct svmc_key_cache *cache, enum svmc_fetch_reason reason)
{
    count(cache, reason == SVMC_FETCH_ID       ? SVMC_KEY_COUNT_WRONG_ID
                 : reason == SVMC_FETCH_LENGTH ? SVMC_KEY_COUNT_WRONG_LENGTH
                                               : SVMC_KEY_COUNT_WRONG);
}

/* The answer, or its reason, of a ticket that is over. */
static void hear(struct svmc_key_cache *cache, struct entry *e, enum svmc_status st)
{
    enum svmc_fetch_reason reason;
    struct traits is;

    if (st == SVMC_OK) {
        reason = judge(cache, e, &is);
        if (reason == SVMC_FETCH_NONE) {
            keep(cache, e, &is);
            return;
        }
        count_wrong(cache, reason);
    } else {
        reason = said(work_of(cache)->answer.reason);
    }
    blame(cache, e, reason);
    if (is_last_word(reason))
        fail(cache, e, reason);
}

/* PR-3: the room for the answer is zero before, and after. */
static void poll(struct svmc_key_cache *cache, struct entry *e, uint32_t p)
{
    const uint32_t q = core_clamp(p, SVMC_PROVIDERS_MAX);
    const struct svmc_provider_ops *ops = cache->priv.config.provider[q];
    struct svmc_provider_answer *a = &work_of(cache)->answer;
    enum svmc_status st;

    if (e->ticket[q] == 0)
        return;
    st = ops->poll(ops->ctx, e->ticket[q], cache->priv.now, a);
    if (st == SVMC_OK && a->ticket != e->ticket[q]) {
        ignore(cache, q, a->ticket);
    } else if (st != SVMC_ERR_BUSY) {
        if (st == SVMC_OK)
            cache->priv.answered[q] = a->ticket;
        e->ticket[q] = 0;
        hear(cache, e, st);
    }
    wipe(cache, a, sizeof *a);
}

static bool is_asked(const struct entry *e)
{
    bool any = false;

    for (uint32_t p = 0; p < SVMC_PROVIDERS_MAX; p++)
        any = any || e->ticket[p] != 0;
    return any;
}

/* PR-2, PR-12: the next provider, when those before have failed or keep it waiting. */
static void ask(struct svmc_key_cache *cache, struct entry *e)
{
    const struct svmc_key_cache_config *c = &cache->priv.config;

    while (e->next < c->providers && (!is_asked(e) || cache->priv.now >= e->hedge_at)) {
        const uint32_t p = core_clamp(e->next, SVMC_PROVIDERS_MAX);
        const struct svmc_provider_ops *ops = c->provider[p];
        uint64_t ticket = ++cache->priv.ticket;

        if (ticket == 0) /* never 0 */
            ticket = ++cache->priv.ticket;
        if (is_asked(e))
            count(cache, SVMC_KEY_COUNT_HEDGED);
        e->next++;
        e->hedge_at = later(cache->priv.now, c->hedge_ns);
        if (ops->request(ops->ctx, ticket, e->id, e->id_bytes, e->deadline) == SVMC_OK)
            e->ticket[p] = ticket;
        else
            blame(cache, e, SVMC_FETCH_PROVIDER);
    }
}

static void drive(struct svmc_key_cache *cache, struct entry *e)
{
    for (uint32_t p = 0; p < SVMC_PROVIDERS_MAX && e->open; p++)
        poll(cache, e, p);
    if (e->open && cache->priv.now >= e->deadline)
        fail(cache, e, is_word(e->because) ? e->because : (uint32_t)SVMC_FETCH_DEADLINE);
    if (!e->open)
        return;
    ask(cache, e);
    if (!is_asked(e))
        fail(cache, e, e->because);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* PR-11 to PR-17 */
uint32_t svmc_key_cache_step(struct svmc_key_cache *cache, uint64_t now, uint64_t *wake)
{
    uint64_t next = UINT64_MAX, ticket;
    uint32_t ended = 0;

    if (cache && cache->priv.memory) {
        advance(cache, now);
        ticket = cache->priv.ticket;
        for (uint32_t i = 0; i < cache->priv.entries; i++) {
            struct entry *e = entry_at(cache, i);

            age(cache, e);
            if (e->open)
                drive(cache, e);
            if (e->open)
                next = earlier(next, e->deadline);
            if (e->open && e->next < cache->priv.config.providers)
                next = earlier(next, e->hedge_at);
            if (e->key.held)
                next = earlier(next, e->key.close_at);
        }
        ended = cache->priv.ended;
        cache->priv.ended = 0;
        if (ended != 0 || ticket != cache->priv.ticket) /* who was asked may know it already */
            next = cache->priv.now;
    }
    if (wake)
        *wake = next;
    return ended;
}
