/* SPDX-License-Identifier: MIT */
/**
 * Modes: what is put right in the private copy of a reply that broke a rule, MO-1 to MO-5 of
 * docs/spec/reply.md. The page is not looked at again (R3).
 */
#include "../core/bytes.h"
#include "intercept_private.h"

static bool gives(const struct svmc_reply *r)
{
    return r->status == SVMC_REPLY_DONE || r->status == SVMC_REPLY_PARTIAL;
}

/* R8: nothing beyond a width, nothing where nothing is declared. */
static void cut_values(const struct svmc_pending *p, const struct exit_rule *rule,
                       struct svmc_reply *r)
{
    uint32_t declared = r->out_valid != 0 ? p->out_count : 0; /* R6 holds */

    for (uint32_t i = 0; i < SLOTS_OUT; i++)
        r->out[i] &=
            i < declared ? rule->out[i].mask & core_mask(slot_bytes(&rule->out[i], &p->exit)) : 0;
    for (uint32_t i = SLOTS_OUT; i < SVMC_PAGE_SLOTS; i++)
        r->out[i] = 0;
}

/* R11: as many elements as were asked for, never more; a part that is nothing is no progress. */
static bool set_extent(const struct svmc_pending *p, const struct exit_rule *rule,
                       struct svmc_reply *r)
{
    bool data_in = rule->string && (p->direction & SVMC_DIRECTION_IN);

    if (r->status == SVMC_REPLY_PARTIAL && r->done == 0) /* MO-4 */
        return false;
    if (r->status == SVMC_REPLY_PARTIAL && r->done >= p->issued)
        r->status = SVMC_REPLY_DONE;
    if (r->status == SVMC_REPLY_DONE)
        r->done = p->issued;
    else if (r->status != SVMC_REPLY_PARTIAL)
        r->done = 0;
    r->data_bytes = data_in ? r->done * p->exit.size : 0;
    return true;
}

/* MO-3: make one rule hold; false: there is no safe way (MO-4). */
static bool mend(unsigned broken, const struct svmc_pending *p, const struct exit_rule *rule,
                 struct svmc_reply *r)
{
    switch (broken) {
    case 5: /* reserved bytes are in no copy */
        return true;
    case 6:
        r->out_valid = gives(r) ? ((uint64_t)1 << p->out_count) - 1 : 0;
        return true;
    case 7:
        if (r->status == SVMC_REPLY_FAULT) /* MO-4: which one would the guest get? */
            return false;
        r->fault = SVMC_FAULT_NONE;
        return true;
    case 8:
        cut_values(p, rule, r);
        return true;
    case 10:
        /* what is no code becomes the one that says that nothing came of it */
        r->out[0] = svmc_intercept_failure(rule->out[0].check, &p->exit);
        return true;
    case 11:
        return set_extent(p, rule, r);
    default: /* MO-4: it is no reply to this request, or says nothing that can be taken */
        return false;
    }
}

CORE_COLD unsigned svmc_intercept_reply_mend(enum svmc_mode mode,
                                             const struct svmc_pending *pending,
                                             const struct exit_rule *rule, unsigned broken,
                                             struct svmc_reply *reply, uint32_t *seen)
{
    *seen = 0;
    while (broken != 0) {
        bool may = mode == SVMC_MODE_OBSERVE || (mode == SVMC_MODE_LENIENT && broken == 8);

        if (!may || (*seen >> broken & 1u) || !mend(broken, pending, rule, reply)) /* MO-1 MO-2 */
            return broken;
        *seen |= 1u << broken;
        broken = svmc_intercept_reply_fits(pending, rule, reply); /* MO-5 */
    }
    return 0;
}
