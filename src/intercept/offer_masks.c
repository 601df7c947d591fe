/* SPDX-License-Identifier: MIT */
/** OF-8: whether the guest takes an offer now, from the masks that offers.def names. */
#include "../core/clamp.h"
#include "intercept_private.h"
#include "offer_rows.h"

#define READS       4u
#define CLASS_SHIFT 4 /* the priority class of a vector: Intel SDM vol. 3 10.8.3 */
#define CLASS_MASK  15u

/* Each register is read once a call, so that all gates see the same guest. */
static enum svmc_status read(const struct svmc_vcpu *vc, struct masks *masks, uint8_t reg,
                             uint64_t *value)
{
    uint32_t at = masks->count;

    for (uint32_t i = 0; i < READS; i++) {
        if (i < masks->count && masks->reg[i] == reg) {
            *value = masks->value[i];
            return SVMC_OK;
        }
    }
    if (at >= READS || vc->priv.ops->reg_read(vc->priv.ctx, reg, value) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    masks->reg[core_clamp(at, READS)] = reg;
    masks->value[core_clamp(at, READS)] = *value;
    masks->count++;
    return SVMC_OK;
}

static enum svmc_status pass(const struct svmc_vcpu *vc, struct masks *masks, const struct gate *g,
                             const struct svmc_offer *offer, bool *open)
{
    uint64_t value = 0, mode = 1, bits = g->bits;
    enum svmc_status st = SVMC_OK;

    if (g->how == GATE_STATE_CLEAR)
        value = masks->state;
    else
        st = read(vc, masks, g->reg, &value);
    if (st == SVMC_OK && g->how == GATE_SET_OR_USER)
        st = read(vc, masks, g->mode, &mode);
    if (st != SVMC_OK)
        return st;
    switch ((enum gate_how)g->how) {
    case GATE_STATE_CLEAR:
    case GATE_CLEAR:
        *open = (value & bits) == 0;
        break;
    case GATE_ABOVE:
        *open = offer->code >> CLASS_SHIFT > (value & CLASS_MASK);
        break;
    case GATE_SUBCLASS:
        *open = (value & svmc_offer_subclass(offer)) != 0;
        break;
    case GATE_SET:
    case GATE_SET_OR_USER:
    case GATE_NONE:
        *open = (value & bits) == bits || mode == 0;
        break;
    }
    return SVMC_OK;
}

enum svmc_status svmc_offer_open(const struct svmc_vcpu *vc, struct masks *masks,
                                 const struct offer_row *row, const struct svmc_offer *offer,
                                 bool *open)
{
    enum svmc_status st = SVMC_OK;

    *open = true;
    for (uint32_t i = 0; i < OFFER_GATES && *open && st == SVMC_OK; i++)
        if (row->gates[i].how != GATE_NONE)
            st = pass(vc, masks, &row->gates[i], offer, open);
    return st;
}
