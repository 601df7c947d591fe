/* SPDX-License-Identifier: MIT */
/** The one reply checker: docs/spec/reply.md, rules R2 to R11 and R18. Nothing is changed here;
 * what a looser mode then lets through is mend.c's. */
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/shared.h"
#include "intercept_private.h"

/*
 * R3: the reply area, each word once, into *reply. Returns what its reserved bytes hold (R5): 0 for
 * a right reply.
 */
static uint64_t fetch(const volatile void *page, struct svmc_reply *reply)
{
    uint64_t word, reserved;

    reply->seq = core_shared_get(page, SVMC_PAGE_REP_SEQ);
    word = core_shared_get(page, SVMC_PAGE_REP_STATUS);
    reply->status = (uint32_t)word;
    reserved = word >> 32;
    reply->out_valid = core_shared_get(page, SVMC_PAGE_REP_OUT_VALID);
    word = core_shared_get(page, SVMC_PAGE_REP_FAULT);
    reply->fault = (uint8_t)word;
    reserved |= word >> 8;
    word = core_shared_get(page, SVMC_PAGE_REP_DONE);
    reply->done = (uint32_t)word;
    reply->data_bytes = (uint32_t)(word >> 32);
    reserved |= core_shared_any(page, SVMC_PAGE_REP_DONE + CORE_WORD, 3);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        reply->out[i] = core_shared_get(page, SVMC_PAGE_REP_OUT + CORE_WORD * i);
    reserved |= core_shared_any(page, SVMC_PAGE_REP_OUT + CORE_WORD * SVMC_PAGE_SLOTS, 16);
    return reserved;
}

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

unsigned svmc_intercept_reply_fits(const struct svmc_pending *pending, const struct exit_rule *rule,
                                   const struct svmc_reply *reply)
{
    unsigned broken = check_extent(pending, rule, reply);

    if (broken != 0)
        return broken;
    if (!check_widths(pending, rule, reply))
        return 8;
    return check_value(pending, rule, reply) ? 0 : 10;
}

/*
 * Read the reply area once into our own copy and check that copy. Returns the number of the rule
 * that broke, or 0; *reply is the copy either way and all that may be used from here on (R3).
 */
unsigned svmc_intercept_reply_check(const struct svmc_pending *pending,
                                    const struct exit_rule *rule, const volatile void *page,
                                    uint32_t id, struct svmc_reply *reply)
{
    uint64_t reserved = fetch(page, reply);

    if (reply->seq >> 48 != id) /* R18 */
        return 18;
    if (reply->seq != pending->seq) /* R2 */
        return 2;
    if (reply->status >= 8 || !(rule->statuses >> reply->status & 1u)) /* R4 */
        return 4;
    if (reserved != 0) /* R5 */
        return 5;
    return svmc_intercept_reply_fits(pending, rule, reply);
}
