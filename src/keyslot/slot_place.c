/* SPDX-License-Identifier: MIT */
/** Places: who is busy, who gives way, and what is programmed. */
#include "keyslot_private.h"

static struct place *places_of(const struct svmc_keyslots *ks)
{
    return ks->priv.place;
}

/* KS-9: whether a lane holds the slot, of its present load. */
bool svmc_keyslot_is_busy(const struct svmc_keyslots *ks, uint32_t n)
{
    uint32_t handle = (word_of(slots_of(ks) + n) & WORD_GENERATION) | (n + 1);

    for (uint32_t i = 0; i < ks->priv.lanes; i++)
        if ((uint32_t)__atomic_load_n(&lanes_of(ks)[i].marker, __ATOMIC_SEQ_CST) == handle ||
            __atomic_load_n(&lanes_of(ks)[i].also, __ATOMIC_SEQ_CST) == handle)
            return true;
    return false;
}

/* KS-12: leave no trace of its key; the word is the caller's to change. */
void svmc_keyslot_vacate(struct svmc_keyslots *ks, struct slot *s)
{
    struct svmc_cipher_key *room = rooms_of(ks) + s->place;
    const struct svmc_crypto_ops *ops = ks->priv.crypto;

    if ((word_of(s) & WORD_RESIDENT) == 0)
        return;
    if (ks->priv.kind == SVMC_KEYSLOT_HARDWARE) {
        ks->priv.ops->evict(ks->priv.ops->ctx, s->place, room);
        places_of(ks)[s->place].owner = 0; /* clamp: the pool's own number */
    } else {
        ops->cipher_drop(ops->ctx, room);
    }
    ops->wipe(ops->ctx, room, sizeof *room);
}

static enum svmc_status program(struct svmc_keyslots *ks, const struct slot *s, uint32_t place)
{
    const struct svmc_keyslot_key key = {
        .domain = s->domain,
        .epoch = s->epoch,
        .cookie = s->cookie,
        .alg = s->alg,
        .unit_bytes = s->unit_bytes,
    };

    return ks->priv.ops->program(ks->priv.ops->ctx, place, &key, rooms_of(ks) + place) == SVMC_OK
               ? SVMC_OK
               : SVMC_ERR_CALLBACK;
}

/* KS-14: when a place was last held. */
static uint64_t last_held(const struct svmc_keyslots *ks, uint32_t place)
{
    uint64_t last = places_of(ks)[place].since; /* clamp: counted by the caller */

    for (uint32_t lane = 0; lane < ks->priv.lanes; lane++) {
        uint64_t stamp = __atomic_load_n(stamps_of(ks, lane) + place, __ATOMIC_RELAXED);

        last = stamp > last ? stamp : last;
    }
    return last;
}

/* The place to look at next; `places`: all are tried. A free one is first. */
static uint32_t oldest(const struct svmc_keyslots *ks)
{
    uint32_t best = ks->priv.places;
    uint64_t best_last = 0;

    for (uint32_t i = 0; i < ks->priv.places; i++) {
        const struct place *p = places_of(ks) + i;
        uint64_t last;

        if (p->owner == 0)
            return i;
        if (p->tried == (uint32_t)ks->priv.clock)
            continue;
        last = last_held(ks, i);
        if (best == ks->priv.places || last < best_last) {
            best = i;
            best_last = last;
        }
    }
    return best;
}

/*
 * KS-13: its owner gives the place up, if it is active and nobody uses it. First it is no longer
 * resident, then it is asked who holds it: who comes in between is told that it is absent.
 */
static bool give_up(struct svmc_keyslots *ks, uint32_t place)
{
    uint32_t n = places_of(ks)[place].owner - 1; /* clamp: of oldest() */
    struct slot *s = slots_of(ks) + n;
    uint32_t word = word_of(s);

    if ((word & WORD_STATE) != SVMC_KEYSLOT_ACTIVE || svmc_keyslot_is_busy(ks, n) ||
        __atomic_load_n(refs_of(ks) + n, __ATOMIC_ACQUIRE) != 0)
        return false;
    __atomic_store_n(&s->word, word & ~WORD_RESIDENT, __ATOMIC_SEQ_CST);
    keyslot_step();
    if (svmc_keyslot_is_busy(ks, n) || __atomic_load_n(refs_of(ks) + n, __ATOMIC_ACQUIRE) != 0) {
        __atomic_store_n(&s->word, word, __ATOMIC_SEQ_CST);
        return false;
    }
    ks->priv.ops->evict(ks->priv.ops->ctx, place, rooms_of(ks) + place);
    places_of(ks)[place].owner = 0; /* clamp: of oldest() */
    return true;
}

static void tick(struct svmc_keyslots *ks)
{
    __atomic_store_n(&ks->priv.clock, ks->priv.clock + 1, __ATOMIC_RELAXED);
}

/* KS-13, KS-14 */
enum svmc_status svmc_keyslot_bring(struct svmc_keyslots *ks, svmc_key_handle handle)
{
    enum svmc_status st;
    uint32_t word, place;
    struct slot *s;

    if (!ks)
        return SVMC_ERR_ARG;
    s = slot_of(ks, handle);
    word = s ? word_of(s) : 0;
    if (!s || (word & ~WORD_RESIDENT) != ((handle.raw & WORD_GENERATION) | SVMC_KEYSLOT_ACTIVE))
        return SVMC_ERR_STALE;
    if ((word & WORD_RESIDENT) != 0)
        return SVMC_OK;
    tick(ks);
    for (;;) { /* each round marks one more place as tried */
        place = oldest(ks);
        if (place == ks->priv.places)
            return SVMC_ERR_BUSY;
        if (places_of(ks)[place].owner == 0 || give_up(ks, place)) /* clamp: of oldest() */
            break;
        places_of(ks)[place].tried = (uint32_t)ks->priv.clock; /* clamp: of oldest() */
    }
    st = program(ks, s, place);
    if (st != SVMC_OK)
        return st;
    places_of(ks)[place].owner = (uint32_t)(s - slots_of(ks)) + 1; /* clamp: of oldest() */
    places_of(ks)[place].since = ks->priv.clock;                   /* clamp: of oldest() */
    s->place = place;
    tick(ks); /* who is held from now on is newer */
    __atomic_store_n(&s->word, word | WORD_RESIDENT, __ATOMIC_SEQ_CST);
    return SVMC_OK;
}

/* KS-15 */
enum svmc_status svmc_keyslots_reprogram(struct svmc_keyslots *ks)
{
    enum svmc_status all = SVMC_OK;

    if (!ks || ks->priv.kind != SVMC_KEYSLOT_HARDWARE)
        return SVMC_ERR_ARG;
    for (uint32_t i = 0; i < ks->priv.places; i++) {
        struct place *p = places_of(ks) + i;
        struct slot *s = slots_of(ks) + p->owner - 1;

        if (p->owner == 0 || program(ks, s, i) == SVMC_OK)
            continue;
        __atomic_store_n(&s->word, word_of(s) & ~WORD_RESIDENT, __ATOMIC_SEQ_CST);
        p->owner = 0;
        all = SVMC_ERR_CALLBACK;
    }
    return all;
}
