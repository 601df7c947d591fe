/* SPDX-License-Identifier: MIT */
/** What has to protect a page, and whether it does. docs/spec/token_page.md. */
#include "../core/callbacks.h"
#include "../core/memory.h"
#include "page_private.h"

#define LEVELS     16u
#define ANY_LEVEL  0xffu
#define ABILITIES  63u
#define DMA_RIGHTS (SVMC_TOKEN_MAY_READ | SVMC_TOKEN_MAY_WRITE)

/* What a frame's entry at the program's level says, and what at the others. */
struct rights {
    uint8_t need, may, others;
};

static bool is_frame(uint64_t frame)
{
    return frame % SVMC_TOKEN_PAGE_BYTES == 0;
}

static bool are_frames(const uint64_t *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!frames || !is_frame(frames[i]))
            return false;
    return true;
}

static bool is_sound(const struct svmc_token_abilities *a, const struct svmc_token_plan_want *w)
{
    static const uint8_t zero[sizeof w->reserved];

    if (!a || !w || (a->can & ~ABILITIES) != 0 || a->reserved != 0 || w->level >= LEVELS ||
        !(a->levels >> w->level & 1) || w->user > 1 || w->kind < SVMC_TOKEN_PAGE_DATA ||
        w->kind > SVMC_TOKEN_PAGE_SITE || memcmp(w->reserved, zero, sizeof zero) != 0 ||
        !is_frame(w->frame) || !are_frames(w->tables, w->table_count) ||
        !are_frames(w->saved, w->saved_count))
        return false;
    for (uint32_t i = 0; i < w->table_count; i++) /* TP-12: it would have to be read, too */
        if (w->tables[i] == w->frame)
            return false;
    return true;
}

/* TP-11, TP-13: what a processor cannot do is what the plan must do without, or there is none. */
static bool of_page(uint32_t can, const struct svmc_token_plan_want *w, struct rights *out)
{
    uint8_t execute = SVMC_TOKEN_MAY_EXECUTE;

    if (can & SVMC_TOKEN_CAN_SPLIT_EXECUTE)
        execute = w->user ? SVMC_TOKEN_MAY_EXECUTE_USER : SVMC_TOKEN_MAY_EXECUTE_KERNEL;
    out->others = 0;
    if (w->kind == SVMC_TOKEN_PAGE_GATE) {
        out->need = out->may = execute;
        return (can & SVMC_TOKEN_CAN_EXECUTE_ONLY) != 0;
    }
    if (w->kind == SVMC_TOKEN_PAGE_SITE) {
        out->need = execute;
        out->may = execute | SVMC_TOKEN_MAY_READ;
    } else {
        out->need = SVMC_TOKEN_MAY_READ;
        out->may = SVMC_TOKEN_MAY_READ;
        if (!(can & SVMC_TOKEN_CAN_NO_EXECUTE))
            out->may |= SVMC_TOKEN_MAY_EXECUTE;
    }
    return (can & SVMC_TOKEN_CAN_READ_ONLY) != 0;
}

/* TP-12: a walk reads it, at every level; what it notes there is no change of a mapping. */
static bool of_tables(uint32_t can, struct rights *out)
{
    out->need = SVMC_TOKEN_MAY_READ;
    out->may = SVMC_TOKEN_MAY_READ;
    if (can & SVMC_TOKEN_CAN_WALK)
        out->may |= SVMC_TOKEN_MAY_WALK;
    if (!(can & SVMC_TOKEN_CAN_NO_EXECUTE))
        out->may |= SVMC_TOKEN_MAY_EXECUTE;
    out->others = out->may;
    return (can & SVMC_TOKEN_CAN_READ_ONLY) != 0;
}

/* One frame, at each level that the guest has. */
static struct svmc_token_guard *put(struct svmc_token_guard *at, uint64_t frame,
                                    enum svmc_token_plan_why why, const struct rights *r,
                                    uint32_t levels, uint32_t own)
{
    for (uint32_t level = 0; level < LEVELS; level++) {
        if (!(levels >> level & 1))
            continue;
        memset(at, 0, sizeof *at);
        at->frame = frame;
        at->why = (uint8_t)why;
        at->level = (uint8_t)level;
        at->need = level == own ? r->need : 0;
        at->may = level == own ? r->may : r->others;
        at++;
    }
    return at;
}

enum svmc_status svmc_token_plan_make(const struct svmc_token_abilities *abilities,
                                      const struct svmc_token_plan_want *want,
                                      struct svmc_token_guard *plan, uint32_t room, uint32_t *count)
{
    struct svmc_token_guard *at = plan;
    struct rights page, tables;
    uint64_t entries = 0;

    if (!count)
        return SVMC_ERR_ARG;
    *count = 0;
    if (!plan || !is_sound(abilities, want))
        return SVMC_ERR_ARG;
    if (!of_page(abilities->can, want, &page) ||
        (!of_tables(abilities->can, &tables) && want->table_count != 0) ||
        !(abilities->can & SVMC_TOKEN_CAN_GUARD_DMA)) /* TP-14 */
        return SVMC_ERR_UNSUPPORTED;
    for (uint32_t level = 0; level < LEVELS; level++)
        if (abilities->levels >> level & 1)
            entries += (uint64_t)1 + want->table_count;
    entries += want->saved_count;
    if (entries > room)
        return SVMC_ERR_FULL;
    at = put(at, want->frame, SVMC_TOKEN_PLAN_PAGE, &page, abilities->levels, want->level);
    for (uint32_t i = 0; i < want->table_count; i++)
        at = put(at, want->tables[i], SVMC_TOKEN_PLAN_TABLE, &tables, abilities->levels,
                 want->level);
    for (uint32_t i = 0; i < want->saved_count; i++, at++) { /* TP-14: no guest, no level */
        memset(at, 0, sizeof *at);
        at->frame = want->saved[i];
        at->why = SVMC_TOKEN_PLAN_SAVED;
        at->level = ANY_LEVEL;
    }
    *count = (uint32_t)entries;
    return SVMC_OK;
}

static bool is_guard(const struct svmc_token_guard *g)
{
    return is_frame(g->frame) && g->why >= SVMC_TOKEN_PLAN_PAGE &&
           g->why <= SVMC_TOKEN_PLAN_SAVED && (g->need & ~g->may) == 0 &&
           (g->may & ~SVMC_TOKEN_MAY_ALL) == 0;
}

/* TP-16: what was not written, or knows a right that there is not, is no answer. */
static bool is_answer(const struct svmc_token_held *held)
{
    static const uint8_t zero[sizeof held->reserved];

    return (held->rights & ~SVMC_TOKEN_MAY_ALL) == 0 &&
           (held->aliases & ~SVMC_TOKEN_MAY_ALL) == 0 && (held->devices & ~DMA_RIGHTS) == 0 &&
           memcmp(held->reserved, zero, sizeof zero) == 0;
}

enum svmc_status svmc_token_plan_verify(const struct svmc_token_guard *plan, uint32_t count,
                                        uint32_t from, const struct svmc_token_plan_ops *ops,
                                        void *ctx, struct svmc_token_plan_verdict *out)
{
    struct svmc_token_plan_verdict v = { .entry = from };

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!plan || count == 0 || from > count || !ops || !CORE_HAS_OP(ops, held))
        return SVMC_ERR_ARG;
    for (; v.entry < count; v.entry++) { /* TP-15 */
        const struct svmc_token_guard *guard = &plan[v.entry];
        struct svmc_token_held held;

        if (!is_guard(guard))
            return SVMC_ERR_ARG;
        memset(&held, 0xff, sizeof held);
        memset(held.reserved, 0, sizeof held.reserved);
        if (ops->held(ctx, guard, &held) != SVMC_OK || !is_answer(&held))
            return SVMC_ERR_CALLBACK;
        v.missing = (uint8_t)(guard->need & ~held.rights);
        v.beyond = (uint8_t)(held.rights & ~guard->may);
        v.aliases = held.aliases;
        v.devices = held.devices;
        if ((v.missing | v.beyond | v.aliases | v.devices) != 0)
            break;
    }
    *out = v;
    return SVMC_OK;
}
