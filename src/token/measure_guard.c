/* SPDX-License-Identifier: MIT */
/** Who may change a measured page: open, close, and the verdict on a trapped write. */
#include "measure_private.h"

/* What open and close ask for. */
struct request {
    uint32_t range, token;
    uint64_t at;
    const struct svmc_token_caller *caller;
};

/* ME-5 ME-11: the range's holder asks, from its own intact code, for a page that is none of it. */
static enum svmc_measure_why judge(const struct svmc_measure *m, const struct request *ask,
                                   uint32_t *slot)
{
    const struct svmc_measure_range *range = svmc_measure_live(m, ask->range);

    if (!range)
        return SVMC_MEASURE_RANGE;
    if (ask->token != range->priv.token)
        return SVMC_MEASURE_TOKEN;
    if (!svmc_measure_is_who(m, range, ask->caller))
        return SVMC_MEASURE_WHO;
    if (range->priv.code || !svmc_measure_is_code(m, ask->token, ask->caller))
        return SVMC_MEASURE_CODE;
    *slot = svmc_measure_find(m, ask->at);
    if (*slot == NO_SLOT || measure_range_of(m, measure_state(measure_page(m, *slot))) != range)
        return SVMC_MEASURE_FRAME;
    return SVMC_MEASURE_GRANTED;
}

enum svmc_status svmc_measure_open(struct svmc_measure *m, uint32_t range, svmc_gpa at,
                                   const struct svmc_token_caller *caller, uint32_t token,
                                   enum svmc_measure_why *why)
{
    const struct request ask = { range, token, at.v, caller };
    enum svmc_measure_why reason;
    struct svmc_measure_page *page;
    uint32_t slot = 0;
    enum svmc_status st;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!measure_ready(m) || !caller)
        return SVMC_ERR_ARG;
    reason = judge(m, &ask, &slot);
    if (reason != SVMC_MEASURE_GRANTED)
        return measure_refuse(why, reason);
    page = measure_page(m, slot);
    if (measure_state(page) & FLAG_OPEN)
        return measure_refuse(why, SVMC_MEASURE_IS_OPEN);
    st = svmc_measure_look(m, slot); /* else close would bless a stranger's change */
    if (st != SVMC_OK)
        return st;
    if (measure_state(page) & FLAG_CHANGED)
        return measure_refuse(why, SVMC_MEASURE_CHANGED);
    measure_set_state(page, measure_state(page) | FLAG_OPEN);
    return SVMC_OK;
}

/* ME-12 */
enum svmc_status svmc_measure_close(struct svmc_measure *m, uint32_t range, svmc_gpa at,
                                    const struct svmc_token_caller *caller, uint32_t token,
                                    enum svmc_measure_why *why)
{
    const struct request ask = { range, token, at.v, caller };
    uint8_t mac[SVMC_HASH_BYTES] = { 0 };
    enum svmc_measure_why reason;
    struct svmc_measure_page *page;
    uint32_t slot = 0;
    enum svmc_status st;
    void *span;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!measure_ready(m) || !caller)
        return SVMC_ERR_ARG;
    reason = judge(m, &ask, &slot);
    if (reason != SVMC_MEASURE_GRANTED)
        return measure_refuse(why, reason);
    page = measure_page(m, slot);
    if (!(measure_state(page) & FLAG_OPEN))
        return measure_refuse(why, SVMC_MEASURE_NOT_OPEN);
    if (m->priv.version == VERSION_MAX)
        return SVMC_ERR_FULL;
    st = svmc_measure_span(m, page->priv.frame, &span);
    if (st == SVMC_OK && !span)
        return measure_refuse(why, SVMC_MEASURE_FRAME);
    if (st == SVMC_OK)
        st = svmc_measure_mac(m, page->priv.frame, m->priv.version + 1, range, span, mac);
    if (st != SVMC_OK)
        return st == SVMC_ERR_UNSUPPORTED ? SVMC_ERR_CALLBACK : st;
    memcpy(page->priv.mac, mac, sizeof mac);
    measure_set_state(page, ++m->priv.version << VERSION_SHIFT |
                                (measure_state(page) & 0xffff & ~(uint64_t)FLAGS));
    return SVMC_OK;
}

/* ME-13: by its owner's code alone, and only where it said so before. */
enum svmc_status svmc_measure_write(struct svmc_measure *m, svmc_gpa at, uint32_t n,
                                    const struct svmc_token_caller *caller,
                                    enum svmc_measure_verdict *verdict,
                                    struct svmc_measure_event *event)
{
    const struct svmc_measure_range *range;
    uint64_t state;
    uint32_t slot;

    if (verdict)
        *verdict = SVMC_MEASURE_REFUSE_EVENT;
    if (event)
        memset(event, 0, sizeof *event);
    if (!verdict || !event || !measure_ready(m) || n == 0 || n > PAGE - at.v % PAGE)
        return SVMC_ERR_ARG;
    slot = svmc_measure_find(m, at.v);
    if (slot == NO_SLOT) {
        *verdict = SVMC_MEASURE_NOT_OURS;
        return SVMC_OK;
    }
    state = measure_state(measure_page(m, slot));
    range = measure_range_of(m, state);
    if (!caller || !svmc_measure_is_who(m, range, caller) ||
        !svmc_measure_is_code(m, range->priv.token, caller))
        svmc_measure_tell(m, measure_page(m, slot), SVMC_MEASURE_WRITTEN, event);
    else
        *verdict = state & FLAG_OPEN ? SVMC_MEASURE_ALLOW : SVMC_MEASURE_REFUSE;
    return SVMC_OK;
}
