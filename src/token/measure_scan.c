/* SPDX-License-Identifier: MIT */
/** Looking at pages: each once a round, in an order drawn while the round goes on; hints first. */
#include "../core/crypto_ops.h"
#include "measure_private.h"

#define DICE 16u /* drawn at a time */

/* What nobody could foresee, for some looks. */
struct dice {
    uint32_t word[DICE];
    uint32_t left;
};

void svmc_measure_tell(const struct svmc_measure *m, const struct svmc_measure_page *page,
                       enum svmc_measure_kind kind, struct svmc_measure_event *event)
{
    uint64_t state = measure_state(page);
    const struct svmc_measure_range *range = measure_range_of(m, state);

    *event = (struct svmc_measure_event){ .frame = page->priv.frame,
                                          .version = state >> VERSION_SHIFT,
                                          .range = measure_id(state, range),
                                          .token = range->priv.token,
                                          .kind = kind };
}

/* Without a branch on a byte of either. */
static bool differ(const uint8_t a[SVMC_HASH_BYTES], const uint8_t b[SVMC_HASH_BYTES])
{
    uint64_t any = 0, x, y;

    for (uint32_t i = 0; i < SVMC_HASH_BYTES; i += sizeof x) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        any |= x ^ y;
    }
    return any != 0;
}

enum svmc_status svmc_measure_look(struct svmc_measure *m, uint32_t slot)
{
    struct svmc_measure_page *page = measure_page(m, slot);
    uint64_t state = measure_state(page);
    uint8_t mac[SVMC_HASH_BYTES] = { 0 };
    enum svmc_status st;
    void *span;

    if ((state & FLAGS) != 0) /* ME-8: nothing new can be said */
        return SVMC_OK;
    st = svmc_measure_span(m, page->priv.frame, &span);
    if (st == SVMC_OK && span)
        st = svmc_measure_mac(m, page->priv.frame, state >> VERSION_SHIFT,
                              measure_id(state, measure_range_of(m, state)), span, mac);
    if (st != SVMC_OK)
        return st == SVMC_ERR_UNSUPPORTED ? SVMC_ERR_CALLBACK : st; /* it was known before */
    if (span && !differ(mac, page->priv.mac))
        return SVMC_OK;
    measure_set_state(page, state | FLAG_CHANGED | FLAG_UNTOLD | (span ? 0 : FLAG_GONE));
    if (measure_range_of(m, state)->priv.code)
        measure_next_generation(m);
    return SVMC_OK;
}

void svmc_measure_swap(struct svmc_measure *m, uint32_t a, uint32_t b)
{
    uint32_t at_a = measure_order(m, a), at_b = measure_order(m, b);

    measure_page(m, a)->priv.order = at_b;
    measure_page(m, b)->priv.order = at_a;
    measure_page(m, at_b)->priv.place = a;
    measure_page(m, at_a)->priv.place = b;
}

void svmc_measure_end_round(struct svmc_measure *m)
{
    if (m->priv.at >= m->priv.used) {
        m->priv.at = 0;
        m->priv.rounds++;
    }
}

/* ME-7: one of those that the round has left, each as likely. */
static enum svmc_status throw_dice(const struct svmc_measure *m, struct dice *dice, uint32_t *pick)
{
    const struct svmc_crypto_ops *ops = m->priv.config.crypto;
    uint32_t bound = m->priv.used - m->priv.at;

    if (dice->left == 0) {
        if (ops->random(ops->ctx, dice->word, sizeof dice->word) != SVMC_OK)
            return SVMC_ERR_CALLBACK;
        dice->left = DICE;
    }
    *pick = m->priv.at + (uint32_t)((uint64_t)dice->word[--dice->left] * bound >> 32);
    return SVMC_OK;
}

/* ME-8: and what `open` has found is told here. */
static enum svmc_status look_at(struct svmc_measure *m, uint32_t slot,
                                struct svmc_measure_stand *out)
{
    struct svmc_measure_page *page = measure_page(m, slot);
    enum svmc_status st = svmc_measure_look(m, slot);
    uint64_t state = measure_state(page);

    if (st != SVMC_OK)
        return st;
    out->looks++;
    out->open += (state & FLAG_OPEN) != 0;
    if (state & FLAG_UNTOLD) {
        svmc_measure_tell(m, page, state & FLAG_GONE ? SVMC_MEASURE_GONE : SVMC_MEASURE_DIFFERS,
                          &out->event);
        measure_set_state(page, state & ~(uint64_t)FLAG_UNTOLD);
    }
    return SVMC_OK;
}

/* ME-7: it counts when the look has succeeded. */
static enum svmc_status look_next(struct svmc_measure *m, struct dice *dice,
                                  struct svmc_measure_stand *out)
{
    uint32_t pick = 0;
    enum svmc_status st = throw_dice(m, dice, &pick);

    if (st == SVMC_OK)
        st = look_at(m, measure_order(m, pick), out);
    if (st != SVMC_OK)
        return st;
    svmc_measure_swap(m, m->priv.at++, pick);
    svmc_measure_end_round(m);
    return SVMC_OK;
}

/* ME-10 ME-18: the oldest first; it is kept until the look has succeeded. */
static enum svmc_status look_hint(struct svmc_measure *m, struct svmc_measure_stand *out)
{
    uint32_t slot = m->priv.hint[0];
    enum svmc_status st = SVMC_OK;

    if (measure_state(measure_page(m, slot)) != 0) /* let go since then */
        st = look_at(m, slot, out);
    if (st != SVMC_OK)
        return st;
    m->priv.hints--;
    memmove(m->priv.hint, m->priv.hint + 1, sizeof m->priv.hint - sizeof m->priv.hint[0]);
    return SVMC_OK;
}

enum svmc_status svmc_measure_hint(struct svmc_measure *m, svmc_gpa at)
{
    uint32_t slot;

    if (!measure_ready(m))
        return SVMC_ERR_ARG;
    slot = svmc_measure_find(m, at.v);
    if (slot == NO_SLOT)
        return SVMC_OK;
    for (uint32_t i = 0; i < m->priv.hints; i++)
        if (m->priv.hint[i] == slot) /* clamp: a loop */
            return SVMC_OK;
    if (m->priv.hints == SVMC_MEASURE_HINTS)
        return SVMC_ERR_FULL;
    m->priv.hint[core_clamp(m->priv.hints, SVMC_MEASURE_HINTS)] = slot;
    m->priv.hints++;
    return SVMC_OK;
}

enum svmc_status svmc_measure_scan(struct svmc_measure *m, uint32_t budget,
                                   struct svmc_measure_stand *out)
{
    const struct svmc_crypto_ops *ops;
    struct dice dice = { .left = 0 };
    enum svmc_status st = SVMC_OK;
    uint32_t hinted = 0;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!measure_ready(m) || budget == 0)
        return SVMC_ERR_ARG;
    ops = m->priv.config.crypto;
    if (budget > m->priv.used)
        budget = m->priv.used;
    while (st == SVMC_OK && out->looks < budget && out->event.kind == SVMC_MEASURE_NOTHING) {
        if (m->priv.hints != 0 && hinted < budget / 2) { /* ME-9 ME-10: half at most */
            st = look_hint(m, out);
            hinted++;
        } else {
            st = look_next(m, &dice, out);
        }
    }
    ops->wipe(ops->ctx, &dice, sizeof dice);
    if (st != SVMC_OK) {
        memset(out, 0, sizeof *out);
        return st;
    }
    out->left = m->priv.used - m->priv.at;
    out->rounds = m->priv.rounds;
    return SVMC_OK;
}
