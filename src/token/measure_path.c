/* SPDX-License-Identifier: MIT */
/** The way to a page of code: taken once, and walked again when a call comes from there. */
#include "../core/callbacks.h"
#include "measure_private.h"

#define LEVELS SVMC_MEASURE_LEVELS

/* What it gives is checked: a callback can lie. */
static enum svmc_status walk(const struct svmc_measure *m, const struct svmc_token_caller *caller,
                             struct svmc_measure_walk *out)
{
    const struct svmc_measure_ops *ops = m->priv.config.ops;

    memset(out, 0, sizeof *out);
    if (ops->walk(m->priv.config.ctx, caller, out) != SVMC_OK || out->levels > LEVELS ||
        out->frame % PAGE != 0 || out->reserved != 0)
        return SVMC_ERR_CALLBACK;
    return SVMC_OK;
}

/* ME-14 */
enum svmc_status svmc_measure_path_take(struct svmc_measure *m,
                                        const struct svmc_token_caller *caller,
                                        struct svmc_measure_path *path, enum svmc_measure_why *why)
{
    const struct svmc_measure_range *range;
    struct svmc_measure_walk now;
    uint64_t state = FLAGS;
    uint32_t slot;
    enum svmc_status st;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!path)
        return SVMC_ERR_ARG;
    memset(path, 0, sizeof *path);
    if (!measure_ready(m) || !caller || !CORE_HAS_OP(m->priv.config.ops, walk))
        return SVMC_ERR_ARG;
    st = walk(m, caller, &now);
    if (st != SVMC_OK)
        return st;
    if (now.levels == 0)
        return measure_refuse(why, SVMC_MEASURE_UNMAPPED);
    slot = svmc_measure_find(m, now.frame);
    if (slot != NO_SLOT)
        state = measure_state(measure_page(m, slot));
    range = measure_range_of(m, state);
    if ((state & FLAGS) != 0 || !range->priv.code)
        return measure_refuse(why, SVMC_MEASURE_CODE);
    if (!svmc_measure_is_who(m, range, caller))
        return measure_refuse(why, SVMC_MEASURE_WHO);
    path->priv.who = *caller;
    path->priv.who.frame = now.frame;
    path->priv.state = state;
    path->priv.slot = slot;
    path->priv.levels = now.levels;
    memcpy(path->priv.step, now.step, sizeof now.step);
    return SVMC_OK;
}

/* ME-15, what needs no walk. */
static enum svmc_measure_why judge_caller(const struct svmc_token_caller *caller,
                                          const struct svmc_measure_path *path)
{
    const struct svmc_token_caller *who = &path->priv.who;

    if (caller->vm != who->vm || caller->root != who->root || caller->isa != who->isa ||
        caller->user != who->user || caller->vm_generation != who->vm_generation)
        return SVMC_MEASURE_WHO;
    return caller->page == who->page ? SVMC_MEASURE_GRANTED : SVMC_MEASURE_ALIASED;
}

static enum svmc_measure_why judge_walk(const struct svmc_measure *m,
                                        const struct svmc_measure_walk *now,
                                        const struct svmc_measure_path *path)
{
    uint64_t moved = 0, changed = 0;

    if (now->levels == 0)
        return SVMC_MEASURE_UNMAPPED;
    if (now->frame != path->priv.who.frame)
        return SVMC_MEASURE_REMAPPED;
    for (uint32_t i = 0; i < LEVELS; i++) { /* those that are not there are 0 */
        moved |= now->step[i].at ^ path->priv.step[i].at;
        changed |= now->step[i].entry ^ path->priv.step[i].entry;
    }
    if (now->levels != path->priv.levels || moved != 0 ||
        (changed & ~m->priv.config.ignore) != 0) /* ME-16 */
        return SVMC_MEASURE_TABLE;
    return SVMC_MEASURE_GRANTED;
}

/* ME-15: the last word; what happened to the page while it was walked is seen. */
static enum svmc_measure_why judge_page(const struct svmc_measure *m,
                                        const struct svmc_measure_path *path)
{
    uint64_t state = measure_state(measure_page(m, path->priv.slot));

    if (state == path->priv.state)
        return SVMC_MEASURE_GRANTED;
    return (state ^ path->priv.state) >> RANGE_SHIFT != 0 ? SVMC_MEASURE_VERSION
                                                          : SVMC_MEASURE_CHANGED;
}

enum svmc_status svmc_measure_path_check(const struct svmc_measure *m,
                                         const struct svmc_token_caller *caller,
                                         const struct svmc_measure_path *path, uint64_t *frame,
                                         enum svmc_measure_why *why)
{
    struct svmc_measure_walk now;
    enum svmc_measure_why reason;
    enum svmc_status st;

    if (why)
        *why = SVMC_MEASURE_GRANTED;
    if (!frame)
        return SVMC_ERR_ARG;
    *frame = 0;
    if (!measure_ready(m) || !caller || !path || path->priv.levels == 0 ||
        path->priv.slot >= m->priv.config.page_count)
        return SVMC_ERR_ARG;
    reason = judge_caller(caller, path);
    if (reason != SVMC_MEASURE_GRANTED)
        return measure_refuse(why, reason);
    st = walk(m, caller, &now);
    if (st != SVMC_OK)
        return st;
    reason = judge_walk(m, &now, path);
    if (reason == SVMC_MEASURE_GRANTED)
        reason = judge_page(m, path);
    if (reason != SVMC_MEASURE_GRANTED)
        return measure_refuse(why, reason);
    *frame = now.frame;
    return SVMC_OK;
}

/* ME-20 */
uint64_t svmc_measure_generation(const struct svmc_measure *m, uint64_t stage2)
{
    return measure_ready(m) && stage2 != 0 ? stage2 + measure_load(&m->priv.generation) : 0;
}
