/* SPDX-License-Identifier: MIT */
/** The one reply checker: docs/spec/reply.md, rules R2 to R11 and R18. Nothing is changed here. */
#include <svmcore/guest/hypercall.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/shared.h"
#include "intercept_private.h"

#define TAIL_BYTES  (SVMC_PAGE_DATA - SVMC_PAGE_REP_SEQ)
#define TAIL(field) (tail + (SVMC_PAGE_REP_##field - SVMC_PAGE_REP_SEQ))

/* The reserved bytes of the reply area, as offsets in the page: PG-3. */
static const struct {
    uint16_t first, end;
} reserved[] = {
    { 0x10c, 0x110 },
    { 0x119, 0x120 },
    { 0x128, 0x140 },
    { 0x180, 0x200 },
};

static bool reserved_is_zero(const uint8_t tail[TAIL_BYTES])
{
    uint8_t seen = 0;

    for (uint32_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        for (uint32_t at = reserved[i].first; at < reserved[i].end; at++)
            seen |= tail[core_clamp(at - SVMC_PAGE_REP_SEQ, TAIL_BYTES)];
    return seen == 0;
}

static void parse(const uint8_t tail[TAIL_BYTES], struct svmc_reply *reply)
{
    reply->seq = core_load_le64(TAIL(SEQ));
    reply->status = core_load_le32(TAIL(STATUS));
    reply->fault = *TAIL(FAULT);
    reply->out_valid = core_load_le64(TAIL(OUT_VALID));
    reply->done = core_load_le32(TAIL(DONE));
    reply->data_bytes = core_load_le32(TAIL(DATA_BYTES));
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        reply->out[i] = core_load_le64(TAIL(OUT) + 8 * i);
}

/* R6, R7, R11: what goes with the status. `gives`: the reply brings results. */
static unsigned check_extent(const struct svmc_pending *p, const struct exit_rule *rule,
                             const struct svmc_reply *r)
{
    bool gives = r->status == SVMC_REPLY_DONE || r->status == SVMC_REPLY_PARTIAL;
    uint64_t want_valid = gives ? ((uint64_t)1 << p->out_count) - 1 : 0;
    bool data_in = rule->string && rule->direction == SVMC_DIRECTION_IN;

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

/* R8, R10: each result within its width and, where the row says so, one of its legal values. */
static unsigned check_values(const struct svmc_pending *p, const struct exit_rule *rule,
                             const struct svmc_reply *r)
{
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++) {
        const struct slot *s = &rule->out[core_clamp(i, SLOTS_OUT)];
        bool declared = (r->out_valid >> i & 1u) != 0;
        uint64_t mask = declared ? core_mask(slot_bytes(s, &p->exit)) : 0;

        if (r->out[i] & ~mask)
            return 8;
        if (declared && s->check == CHECK_HCALL_STATUS && r->out[i] >= SVMC_HCALL_CODES)
            return 10;
    }
    return 0;
}

/*
 * Read the reply area once into our own copy and check that copy. Returns the number of the rule
 * that broke, or 0; *reply is the copy either way and all that may be used from here on (R3).
 */
unsigned svmc_intercept_reply_check(const struct svmc_pending *pending,
                                    const struct exit_rule *rule, const volatile void *page,
                                    uint32_t id, struct svmc_reply *reply)
{
    uint8_t tail[TAIL_BYTES];
    unsigned broken;

    core_shared_read(page, SVMC_PAGE_REP_SEQ, tail, sizeof tail);
    parse(tail, reply);
    if (reply->seq >> 48 != id) /* R18 */
        return 18;
    if (reply->seq != pending->seq) /* R2 */
        return 2;
    if (reply->status >= 8 || !(rule->statuses >> reply->status & 1u)) /* R4 */
        return 4;
    if (!reserved_is_zero(tail)) /* R5 */
        return 5;
    broken = check_extent(pending, rule, reply);
    return broken != 0 ? broken : check_values(pending, rule, reply);
}
