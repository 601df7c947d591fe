/* SPDX-License-Identifier: MIT */
/** SE-22: subkeys take turns: one seals, the next one is ready, older ones open. */
#include "seal_private.h"

/* A fresh subkey in this place, which has neither copies nor units left. */
static enum svmc_seal_reason arm(struct svmc_seal_turn *turn, uint32_t i)
{
    struct subkey *s = subkey_at(turn, i);
    struct svmc_seal_use use;
    enum svmc_seal_reason why;
    uint64_t units;

    if (svmc_seal_end(turn->sealer, &s->use) != SVMC_OK)
        return SVMC_SEAL_BUSY;
    why = svmc_seal_begin(turn->sealer, turn->purpose, 0, 0, &use);
    if (why != SVMC_SEAL_NONE)
        return why;
    units = use.blocks / turn->unit_blocks;
    s->use = use;
    __atomic_store_n(&s->left, units < use.calls ? units : use.calls, __ATOMIC_RELEASE);
    return SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_seal_turn_begin(struct svmc_seal_turn *turn)
{
    enum svmc_seal_reason why = arm(turn, 0);

    return why == SVMC_SEAL_NONE ? arm(turn, 1) : why;
}

enum svmc_status svmc_seal_turn_end(struct svmc_seal_turn *turn)
{
    for (uint32_t i = 0; i < turn->subkeys; i++)
        if (svmc_seal_end(turn->sealer, &subkey_at(turn, i)->use) != SVMC_OK)
            return SVMC_ERR_BUSY;
    return SVMC_OK;
}

/* Counted before it is taken, so that nobody arms the place meanwhile. */
static bool take_from(struct subkey *s)
{
    uint64_t left;

    __atomic_fetch_add(&s->copies, 1, __ATOMIC_ACQ_REL);
    left = __atomic_load_n(&s->left, __ATOMIC_ACQUIRE);
    while (left != 0)
        if (__atomic_compare_exchange_n(&s->left, &left, left - 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return true;
    __atomic_fetch_sub(&s->copies, 1, __ATOMIC_RELEASE);
    return false;
}

/* The subkey that seals now, or the next one if it is ready, which is then the one. */
bool svmc_seal_turn_take(struct svmc_seal_turn *turn, uint32_t *subkey)
{
    uint32_t now = __atomic_load_n(&turn->now, __ATOMIC_ACQUIRE);
    uint32_t next = (now + 1) % turn->subkeys;

    *subkey = now;
    if (take_from(subkey_at(turn, now)))
        return true;
    *subkey = next;
    if (!take_from(subkey_at(turn, next)))
        return false;
    (void)__atomic_compare_exchange_n(&turn->now, &now, next, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED); /* or somebody else has said so */
    return true;
}

void svmc_seal_turn_give_up(struct svmc_seal_turn *turn, uint32_t subkey)
{
    __atomic_fetch_sub(&subkey_at(turn, subkey)->copies, 1, __ATOMIC_RELEASE);
}

uint32_t svmc_seal_turn_next(const struct svmc_seal_turn *turn)
{
    return (__atomic_load_n(&turn->now, __ATOMIC_ACQUIRE) + 1) % turn->subkeys;
}

enum svmc_seal_reason svmc_seal_turn_tend(struct svmc_seal_turn *turn)
{
    uint32_t next = svmc_seal_turn_next(turn);
    struct subkey *s = subkey_at(turn, next);

    if (__atomic_load_n(&s->left, __ATOMIC_ACQUIRE) != 0)
        return SVMC_SEAL_NONE;
    if (__atomic_load_n(&s->copies, __ATOMIC_ACQUIRE) != 0)
        return SVMC_SEAL_BUDGET;
    return arm(turn, next);
}

uint64_t svmc_seal_turn_left(const struct svmc_seal_turn *turn)
{
    uint32_t now = __atomic_load_n(&turn->now, __ATOMIC_ACQUIRE);
    uint32_t next = (now + 1) % turn->subkeys;

    return __atomic_load_n(&subkey_at(turn, now)->left, __ATOMIC_RELAXED) +
           __atomic_load_n(&subkey_at(turn, next)->left, __ATOMIC_RELAXED);
}
