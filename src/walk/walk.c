/* SPDX-License-Identifier: MIT */
/* What all walks share, and svmc_walk. Rules WK-n: docs/spec/walk.md. */
#include "walk_private.h"
#include "../core/bytes.h"
#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

#define HOW     (SVMC_WALK_USER | SVMC_WALK_SYSTEM | SVMC_WALK_LOOK)
#define IGNORED (SVMC_ACCESS_READ_IF | SVMC_ACCESS_WRITE_IF)
#define KNOWN   ((uint32_t)(WALK_RIGHTS | HOW | IGNORED))

/* WK-1 */
enum svmc_status svmc_walk_begin(struct walk *w, const struct svmc_walk_ops *ops, void *ctx,
                                 svmc_gva at, uint32_t access, struct svmc_walk_result *out)
{
    uint32_t what = access & WALK_RIGHTS;

    if (out == NULL)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (ops == NULL || !CORE_HAS_OP(ops, read) || (access & ~KNOWN) != 0 || what == 0 ||
        what > SVMC_WALK_FETCH)
        return SVMC_ERR_ARG;
    *w = (struct walk){ .ops = ops,
                        .ctx = ctx,
                        .at = at.v,
                        .access = access & ~(uint32_t)IGNORED,
                        .bytes = 8,
                        .out = out };
    return SVMC_OK;
}

static uint64_t turned(const struct walk *w, uint64_t entry)
{
    return w->swapped ? core_swap(entry, w->bytes) : entry;
}

/* WK-2: once, into our own copy. */
enum svmc_status svmc_walk_read(const struct walk *w, uint64_t at, uint64_t *entry)
{
    const struct svmc_walk_ops *ops = w->ops;
    enum svmc_status st;

    *entry = 0;
    st = ops->read(w->ctx, (svmc_gpa){ at }, w->bytes, entry);
    *entry = turned(w, *entry & core_mask(w->bytes));
    return st;
}

void svmc_walk_mark(const struct walk *w, uint64_t at, uint64_t was, uint64_t now)
{
    struct svmc_walk_result *out = w->out;

    if (was == now || out->mark_count >= SVMC_WALK_LEVELS)
        return;
    out->mark[core_clamp(out->mark_count, SVMC_WALK_LEVELS)] =
        (struct svmc_walk_mark){ { at }, turned(w, was), turned(w, now) };
    out->mark_count++;
    out->entry_bytes = (uint8_t)w->bytes;
}

enum svmc_status svmc_walk_raise(const struct walk *w, uint8_t vector, uint64_t address)
{
    memset(w->out, 0, sizeof *w->out);
    w->out->fault = (struct svmc_fault){ .raised = 1, .vector = vector, .address = address };
    return SVMC_OK;
}

enum svmc_status svmc_walk_raise_error(const struct walk *w, uint8_t vector, uint32_t error,
                                       uint64_t address)
{
    (void)svmc_walk_raise(w, vector, address);
    w->out->fault.has_error = 1;
    w->out->fault.error = error;
    return SVMC_OK;
}

enum svmc_status svmc_walk_flat(const struct walk *w, uint64_t at, uint8_t memory)
{
    w->out->at.v = at;
    w->out->page_bytes = 4096;
    w->out->rights = WALK_RIGHTS;
    w->out->page = SVMC_WALK_PAGE_FLAT | SVMC_WALK_PAGE_USER;
    w->out->memory = memory;
    return SVMC_OK;
}

/* WK-3: after all checks, from the root on. */
static enum svmc_status put_marks(const struct walk *w)
{
    const struct svmc_walk_ops *ops = w->ops;
    struct svmc_walk_result *out = w->out;

    for (uint32_t i = 0; i < SVMC_WALK_LEVELS && i < out->mark_count; i++) {
        const struct svmc_walk_mark *mark = &out->mark[core_clamp(i, SVMC_WALK_LEVELS)];
        enum svmc_status st = ops->exchange(w->ctx, mark->at, w->bytes, mark->was, mark->now);

        if (st != SVMC_OK)
            return st;
    }
    memset(out->mark, 0, sizeof out->mark);
    out->mark_count = 0;
    out->entry_bytes = 0;
    return SVMC_OK;
}

bool svmc_walk_again(struct walk *w, enum svmc_status *st)
{
    if (*st == SVMC_OK && w->out->mark_count != 0 && !(w->access & SVMC_WALK_LOOK) &&
        CORE_HAS_OP(w->ops, exchange)) {
        *st = put_marks(w);
        if (*st == SVMC_ERR_BUSY && ++w->tries < SVMC_WALK_TRIES) { /* WK-2 */
            memset(w->out, 0, sizeof *w->out);
            return true;
        }
    }
    if (*st != SVMC_OK) /* WK-4 */
        memset(w->out, 0, sizeof *w->out);
    return false;
}

enum svmc_status svmc_walk(const struct svmc_walker *walker, svmc_gva at, uint32_t access,
                           struct svmc_walk_result *out)
{
    uint8_t reserved = 0;

    if (out == NULL)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (walker == NULL)
        return SVMC_ERR_ARG;
    for (unsigned i = 0; i < sizeof walker->reserved; i++)
        reserved |= walker->reserved[i];
    if (reserved != 0)
        return SVMC_ERR_ARG;
    switch (walker->isa) {
    case SVMC_WALK_ISA_X86:
        return svmc_walk_by_x86(&walker->x86, walker->ops, walker->ctx, at, access, out);
    case SVMC_WALK_ISA_A64:
        return svmc_walk_by_a64(&walker->a64, walker->ops, walker->ctx, at, access, out);
    case SVMC_WALK_ISA_RV32:
        return svmc_walk_by_rv32(&walker->rv, walker->ops, walker->ctx, at, access, out);
    case SVMC_WALK_ISA_RV64:
        return svmc_walk_by_rv64(&walker->rv, walker->ops, walker->ctx, at, access, out);
    default:
        return SVMC_ERR_ARG;
    }
}

/* WK-35 */
uint32_t svmc_walk_access_from_exec(uint32_t access, uint32_t user)
{
    uint32_t how = access & (SVMC_WALK_READ | SVMC_WALK_WRITE);

    if (access & SVMC_EXEC_EXECUTE)
        return SVMC_WALK_FETCH;
    if (how == 0) /* CHECK alone */
        how = SVMC_WALK_READ;
    if (access & SVMC_EXEC_SYSTEM) /* at CPL 0 as well: SMAP asks nobody's AC then */
        return how | SVMC_WALK_SYSTEM;
    if (((access & SVMC_EXEC_USER) != 0) == (user != 0)) /* as whoever runs */
        return how;
    return how | (user != 0 ? SVMC_WALK_SYSTEM : SVMC_WALK_USER);
}

/* WK-5 */
enum svmc_status svmc_walk_translate(void *walker, svmc_gva at, uint32_t access, svmc_gpa *out,
                                     struct svmc_fault *fault)
{
    struct svmc_walk_result result;
    enum svmc_status st;

    if (out != NULL)
        out->v = 0;
    if (fault != NULL)
        memset(fault, 0, sizeof *fault);
    if (out == NULL || fault == NULL)
        return SVMC_ERR_ARG;
    st = svmc_walk(walker, at, access, &result);
    if (st != SVMC_OK)
        return st;
    if (result.mark_count != 0 && !(access & SVMC_WALK_LOOK))
        return SVMC_ERR_UNSUPPORTED;
    *out = result.at;
    *fault = result.fault;
    return SVMC_OK;
}
