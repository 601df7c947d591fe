/* SPDX-License-Identifier: MIT */
/** The one reply checker: docs/spec/reply.md, rules R2 to R11 and R18. Nothing is changed here;
 * what a looser mode then lets through is mend.c's. */
#include "stages.h"

/* R6, R7, R11: what goes with the status. `gives`: the reply brings results. */
static unsigned check_extent(const struct svmc_pending *p, const struct exit_rule *rule,
                             const struct svmc_reply *r)
{
    bool gives = r->status == SVMC_REPLY_DONE || r->status == SVMC_REPLY_PARTIAL;
    uint64_t want_valid = gives ? ((uint64_t)1 << p->out_count) - 1 : 0;
    bool data_in = rule->string && (p->direction & SVMC_DIRECTION_IN);

    if (r->out_valid != want_valid)
        return 6;
    if (r->status == SVMC_REPLY_FAULT
            ? r->fault == SVMC_FAULT_NONE || r->fault >= 8 || !(rule->faults >> r->fault & 1u)
            : r->fault != SVMC_FAULT_NONE)
        return 7;
    if (r->status == SVMC_REPLY_DONE      ? r->done != p->issued
        : r->status == SVMC_REPLY_PARTIAL ? r->done == 0 || r->done >= p->issued
                                          : r->done != 0)
        return 11;
    if (r->data_bytes != (data_in ? (uint64_t)r->done * p->exit.size : 0))
        return 11;
    return 0;
}

/* R8: each result within its width, and nothing where none is declared. */
static bool check_widths(const struct svmc_pending *p, const struct exit_rule *rule,
                         const struct svmc_reply *r)
{
    uint32_t declared = r->out_valid != 0 ? p->out_count : 0; /* R6 has compared them */
    uint64_t beyond = 0, sized = rule->out[0].bytes != 0 ? ~(uint64_t)0 : core_mask(p->exit.size);

    CORE_UNROLL
    for (uint32_t i = 0; i < SLOTS_OUT; i++)
        beyond |= r->out[i] & ~(i < declared ? rule->out[i].mask & sized : 0);
    CORE_UNROLL
    for (uint32_t i = SLOTS_OUT; i < SVMC_PAGE_SLOTS; i++)
        beyond |= r->out[i];
    return beyond == 0;
}

/* R10: the first result, where the row says so, is one of its legal values. */
static bool check_value(const struct svmc_pending *p, const struct exit_rule *rule,
                        const struct svmc_reply *r)
{
    uint32_t check = rule->out[0].check;

    return check == CHECK_ANY || r->out_valid == 0 ||
           svmc_intercept_is_legal(check, &p->exit, r->out);
}

CORE_COLD unsigned svmc_intercept_reply_fits(const struct svmc_pending *pending,
                                             const struct exit_rule *rule,
                                             const struct svmc_reply *reply)
{
    unsigned broken = check_extent(pending, rule, reply);

    if (broken != 0)
        return broken;
    if (!check_widths(pending, rule, reply))
        return 8;
    return check_value(pending, rule, reply) ? 0 : 10;
}

/* The copy as a reply; a slot that no row declares stands for all of them. */
static void unpack(const struct fetched *f, struct svmc_reply *r)
{
    r->seq = f->seq;
    r->status = (uint32_t)f->status;
    r->fault = (uint8_t)f->fault;
    r->out_valid = f->out_valid;
    r->done = (uint32_t)f->done;
    r->data_bytes = (uint32_t)(f->done >> 32);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        r->out[i] = i < SLOTS_OUT ? f->out[i] : 0;
    r->out[SLOTS_OUT] = f->more;
}

CORE_COLD unsigned svmc_intercept_reply_check(const struct svmc_pending *pending,
                                              const struct exit_rule *rule, uint32_t id,
                                              const struct fetched *fetched,
                                              struct svmc_reply *reply)
{
    unpack(fetched, reply);
    if (reply->seq >> 48 != id) /* R18 */
        return 18;
    if (reply->seq != pending->seq) /* R2 */
        return 2;
    if (reply->status >= 8 || !(rule->statuses >> reply->status & 1u)) /* R4 */
        return 4;
    if ((fetched->reserved | fetched->status >> 32 | fetched->fault >> 8) != 0) /* R5 */
        return 5;
    return svmc_intercept_reply_fits(pending, rule, reply);
}
