/* SPDX-License-Identifier: MIT */
/** Deadlines, and what the embedder is told. docs/spec/token.md. */
#include "pool_private.h"

#define PUSH_TRIES 64u /* others were faster; then the event is counted as lost */

/* The slot that is next for `turn`. */
static struct svmc_token_slot *slot_of(const struct svmc_token_pool *pool, uint32_t turn)
{
    return pool->priv.config.events + (turn & (pool->priv.config.event_count - 1));
}

static uint32_t turn_of(const struct svmc_token_slot *slot)
{
    return __atomic_load_n(&slot->priv.turn, __ATOMIC_ACQUIRE);
}

/* TK-15: a slot is written when its turn is the head's, and read when it is one more. `kept` slots
   behind it stay free. */
CORE_COLD static bool push(struct svmc_token_pool *pool, const struct svmc_token_event *event,
                           uint32_t kept)
{
    uint32_t head = __atomic_load_n(&pool->priv.head, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < PUSH_TRIES; i++) {
        struct svmc_token_slot *slot = slot_of(pool, head);
        uint32_t turn = turn_of(slot);

        if (turn == head) {
            if (turn_of(slot_of(pool, head + kept)) != head + kept)
                break;
            if (__atomic_compare_exchange_n(&pool->priv.head, &head, head + 1, false,
                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
                slot->priv.event = *event;
                __atomic_store_n(&slot->priv.turn, head + 1, __ATOMIC_RELEASE);
                return true;
            }
        } else if ((int32_t)(turn - head) < 0) { /* not read yet */
            break;
        } else {
            head = __atomic_load_n(&pool->priv.head, __ATOMIC_RELAXED);
        }
    }
    return false;
}

static void lose(struct svmc_token_pool *pool)
{
    __atomic_fetch_add(&pool->priv.lost, 1, __ATOMIC_RELAXED);
}

CORE_COLD bool svmc_token_push(struct svmc_token_pool *pool, const struct svmc_token_event *event)
{
    bool told = push(pool, event, (pool->priv.config.event_count + 3) / 4);

    if (!told)
        lose(pool);
    return told;
}

CORE_COLD bool svmc_token_push_due(struct svmc_token_pool *pool,
                                   const struct svmc_token_event *event, bool stays)
{
    bool told = push(pool, event, 0);

    if (!told && !stays)
        lose(pool);
    return told;
}

CORE_COLD enum svmc_status svmc_token_event_next(struct svmc_token_pool *pool,
                                                 struct svmc_token_event *out)
{
    struct svmc_token_slot *slot;
    uint32_t tail;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!pool || !pool->priv.config.events)
        return SVMC_ERR_ARG;
    out->what = __atomic_exchange_n(&pool->priv.lost, 0, __ATOMIC_RELAXED);
    if (out->what != 0) {
        out->kind = SVMC_TOKEN_EVENT_LOST;
        return SVMC_OK;
    }
    tail = pool->priv.tail;
    slot = slot_of(pool, tail);
    if (turn_of(slot) != tail + 1)
        return SVMC_OK;
    *out = slot->priv.event;
    __atomic_store_n(&slot->priv.turn, tail + pool->priv.config.event_count, __ATOMIC_RELEASE);
    pool->priv.tail = tail + 1;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_token_report(struct svmc_token_pool *pool,
                                             const struct svmc_token_event *event)
{
    if (!pool || !pool->priv.config.events || !event || event->kind < SVMC_TOKEN_EVENT_OWN ||
        event->reserved != 0)
        return SVMC_ERR_ARG;
    return svmc_token_push(pool, event) ? SVMC_OK : SVMC_ERR_FULL;
}

static uint64_t later(uint64_t ticks, uint64_t by)
{
    return by < UINT64_MAX - ticks ? ticks + by : UINT64_MAX;
}

CORE_COLD enum svmc_status svmc_token_beat(struct svmc_token_pool *pool, uint32_t handle,
                                           uint64_t ticks)
{
    struct svmc_token_entry *e;

    if (!pool || !pool->priv.config.entries)
        return SVMC_ERR_ARG;
    e = token_find(pool, handle);
    if (!e)
        return SVMC_ERR_STALE;
    e->priv.beat_at = later(ticks, e->priv.beat_ticks);
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_token_expect(struct svmc_token_pool *pool, uint32_t handle,
                                             uint64_t what, uint64_t until)
{
    struct svmc_token_expected *x;

    if (!pool || !pool->priv.config.entries)
        return SVMC_ERR_ARG;
    if (!token_find(pool, handle))
        return SVMC_ERR_STALE;
    x = pool->priv.config.expected;
    for (uint32_t i = 0; i < pool->priv.config.expected_count; i++, x++)
        if (x->priv.handle == 0) {
            x->priv.handle = handle;
            x->priv.what = what;
            x->priv.until = until;
            return SVMC_OK;
        }
    return SVMC_ERR_FULL;
}

CORE_COLD enum svmc_status svmc_token_met(struct svmc_token_pool *pool, uint32_t handle,
                                          uint64_t what, uint64_t ticks)
{
    struct svmc_token_expected *x;

    if (!pool || !pool->priv.config.entries || handle == 0)
        return SVMC_ERR_ARG;
    x = pool->priv.config.expected;
    for (uint32_t i = 0; i < pool->priv.config.expected_count; i++, x++)
        if (x->priv.handle == handle && x->priv.what == what && x->priv.until > ticks) {
            memset(x, 0, sizeof *x);
            return SVMC_OK;
        }
    return SVMC_ERR_STATE;
}

/* TK-13: a call that was asked for and is not there. */
CORE_COLD static void tick_expected(struct svmc_token_pool *pool, struct svmc_token_expected *x,
                                    uint64_t ticks)
{
    const struct svmc_token_entry *e = token_find(pool, x->priv.handle);
    struct svmc_token_event event = { .ticks = ticks,
                                      .what = x->priv.what,
                                      .kind = SVMC_TOKEN_EVENT_OVERDUE,
                                      .handle = x->priv.handle };

    if (e && x->priv.until > ticks)
        return;
    if (e) { /* else nobody is left to wait for */
        event.vm = e->priv.vm;
        if (!svmc_token_push_due(pool, &event, true))
            return;
    }
    memset(x, 0, sizeof *x);
}

/* TK-13: a life, and a beat. */
CORE_COLD static void tick_entry(struct svmc_token_pool *pool, struct svmc_token_entry *e,
                                 uint64_t ticks)
{
    struct svmc_token_event event = { .vm = e->priv.vm,
                                      .ticks = ticks,
                                      .handle = token_handle(pool, e) };
    bool over = e->priv.until <= ticks, kills = false;

    if (over) {
        event.kind = SVMC_TOKEN_EVENT_EXPIRED;
        event.what = e->priv.until;
    } else if (e->priv.beat_ticks != 0 && e->priv.beat_at <= ticks) {
        event.kind = SVMC_TOKEN_EVENT_BEAT;
        event.what = e->priv.beat_at;
        kills = (e->priv.flags & SVMC_TOKEN_BEAT_KILLS) != 0;
    } else {
        return;
    }
    if (!svmc_token_push_due(pool, &event, !kills) && !kills)
        return; /* no check lets in what is over; the next tick tries again */
    e->priv.beat_at = later(ticks, e->priv.beat_ticks);
    if (over || kills)
        svmc_token_kill_subtree(pool, e);
}

CORE_COLD enum svmc_status svmc_token_tick(struct svmc_token_pool *pool, uint64_t ticks)
{
    struct svmc_token_expected *x;

    if (!pool || !pool->priv.config.entries)
        return SVMC_ERR_ARG;
    x = pool->priv.config.expected;
    for (uint32_t i = 0; i < pool->priv.config.expected_count; i++, x++)
        if (x->priv.handle != 0)
            tick_expected(pool, x, ticks);
    for (uint32_t i = 1; i < pool->priv.config.entry_count; i++) {
        struct svmc_token_entry *e = token_at(pool, i);

        if (e->priv.live & ALIVE)
            tick_entry(pool, e, ticks);
    }
    token_settled();
    return SVMC_OK;
}
