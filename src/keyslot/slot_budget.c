/* SPDX-License-Identifier: MIT */
/** What a slot may still encrypt, and the slot that comes after it. */
#include "keyslot_private.h"

/* ---- the budget ------------------------------------------------------------------------------*/

#define CHUNK 1024u /* what a lane draws at most without need */

/*
 * KS-17: give to a slot's load, or take from it; what comes back is what was there. Nothing happens
 * to another load, nor where there is too little. Who loses the exchange tries again: another lane
 * has got on.
 */
static bool change(struct slot *s, svmc_key_handle handle, uint32_t give, uint32_t take)
{
    uint64_t word = __atomic_load_n(&s->left, __ATOMIC_RELAXED);

    do
        if (word >> 48 != handle.raw >> 16 || (word & LEFT_UNITS) < take)
            return false;
    while (!__atomic_compare_exchange_n(&s->left, &word, word + give - take, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static void give_back(struct svmc_keyslots *ks, struct drawn *d)
{
    struct slot *s = slot_of(ks, (svmc_key_handle){ d->raw });

    if (s)
        (void)change(s, (svmc_key_handle){ d->raw }, d->units, 0);
    d->raw = d->units = 0;
}

/* KS-17: the less is left, the smaller the part that a lane may sit on. */
bool svmc_keyslot_draw(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                       uint32_t units)
{
    struct drawn *d = lanes_of(ks)[lane].drawn + handle.raw % DRAWN; /* clamp: a remainder */
    struct slot *s = slot_of(ks, handle);
    uint64_t part;
    uint32_t more, need;

    if (d->raw != handle.raw)
        give_back(ks, d);
    if (!s)
        return false;
    need = units - d->units;
    part = (__atomic_load_n(&s->left, __ATOMIC_RELAXED) & LEFT_UNITS) / (2 * ks->priv.lanes);
    more = part < need ? need : part < CHUNK ? (uint32_t)part : need > CHUNK ? need : CHUNK;
    if (!change(s, handle, 0, more)) {
        if (more == need || !change(s, handle, 0, need))
            return false;
        more = need;
    }
    d->raw = handle.raw;
    d->units += more - units;
    return true;
}

void svmc_keyslot_unspend(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                          uint32_t units)
{
    struct drawn *d = lanes_of(ks)[lane].drawn + handle.raw % DRAWN; /* clamp: a remainder */
    struct drawn other = { handle.raw, units };

    if (d->raw == handle.raw)
        d->units += units;
    else
        give_back(ks, &other);
}

uint64_t svmc_keyslot_left(const struct svmc_keyslots *ks, svmc_key_handle handle)
{
    const struct slot *s = ks ? slot_of(ks, handle) : NULL;
    uint64_t word = s ? __atomic_load_n(&s->left, __ATOMIC_RELAXED) : 0;

    return word >> 48 == handle.raw >> 16 ? word & LEFT_UNITS : 0;
}

/* ---- two slots -------------------------------------------------------------------------------*/

/*
 * KS-18: marked as KS-6 says, in a word of its own. While it is marked and of this load, control
 * does not load it anew, so what it says about itself stays.
 */
enum svmc_status svmc_keyslot_hold_also(struct svmc_keyslots *ks, uint32_t lane,
                                        const struct slot *held, svmc_key_handle handle,
                                        struct slot **out)
{
    uint32_t *also = &lanes_of(ks)[lane].also, word;
    struct slot *s = slot_of(ks, handle);
    svmc_key_handle mine;

    if (!s)
        return SVMC_ERR_REFUSED;
    __atomic_store_n(also, handle.raw, __ATOMIC_SEQ_CST);
    keyslot_step();
    word = word_of(s);
    mine.raw = (uint32_t)__atomic_load_n(&lanes_of(ks)[lane].marker, __ATOMIC_RELAXED);
    if ((word & ~WORD_RESIDENT) == ((handle.raw & WORD_GENERATION) | SVMC_KEYSLOT_ACTIVE) &&
        (held->before == handle.raw || s->before == mine.raw)) {
        if ((word & WORD_RESIDENT) != 0) {
            slot_stamp(ks, lane, s);
            *out = s;
            return SVMC_OK;
        }
        __atomic_store_n(also, 0, __ATOMIC_RELEASE);
        return SVMC_ERR_ABSENT;
    }
    __atomic_store_n(also, 0, __ATOMIC_RELEASE);
    return SVMC_ERR_REFUSED;
}
