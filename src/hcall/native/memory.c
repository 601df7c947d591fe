/* SPDX-License-Identifier: MIT */
/** Buffers: the guest's memory is read once, into scratch, and written once, from there. */
#include "native_private.h"

/* HN-9: where they lie. A fault of the guest's is not an error: *span is NULL. */
CORE_COLD enum svmc_status svmc_native_find(struct svmc_hcall_vcpu *v,
                                            const struct svmc_hcall_call *call,
                                            const struct native_piece *piece, void **span)
{
    const struct svmc_hcall_ops *ops = v->priv.vm->ops;
    void *ctx = v->priv.vm->ctx;
    struct svmc_hcall_caller caller = { call, v->priv.ids[1], 0 };
    struct svmc_fault fault = { 0 };
    svmc_gva gva = { piece->at };
    svmc_gpa gpa = { piece->at };

    *span = NULL;
    if (piece->is_virtual) {
        if (ops->translate(ctx, &caller, gva, piece->access, &gpa, &fault) != SVMC_OK)
            return SVMC_ERR_CALLBACK;
        if (fault.raised)
            return SVMC_OK;
        if (((gpa.v ^ gva.v) & (PAGE - 1)) != 0) /* a callback can lie: no page has that */
            return SVMC_ERR_CALLBACK;
    }
    return ops->guest_span(ctx, &caller, gpa, piece->n, piece->access, span) == SVMC_OK
               ? SVMC_OK
               : SVMC_ERR_CALLBACK;
}

/* What is left of the scratch memory. */
struct room {
    uint8_t *at;
    uint64_t left;
};

CORE_COLD static void *cut(struct room *room, uint64_t bytes)
{
    void *at = room->at;

    bytes = (bytes + 7) & ~(uint64_t)7;
    if (bytes > room->left)
        return NULL;
    room->at += bytes;
    room->left -= bytes;
    return at;
}

/* HN-9: the pages of one buffer, in their order. */
CORE_SMALL static enum svmc_status fetch_pages(struct native_work *w, unsigned n, uint32_t bytes,
                                               struct room *room)
{
    const struct svmc_hcall_arg *arg = &w->entry->schema->from->arg[n]; /* clamp: below 6 */
    struct native_piece piece = { .at = w->v->priv.run.arg[n],          /* clamp: below 6 */
                                  .access = arg->access,
                                  .is_virtual = arg->kind == SVMC_HCALL_GVA };
    uint32_t in_page = (uint32_t)piece.at & (PAGE - 1), page = 0;
    uint8_t *to = cut(room, bytes);
    void **spans = NULL, *span;
    enum svmc_status st;

    if (arg->access & SVMC_ACCESS_WRITE)
        spans = cut(room, ((uint64_t)in_page + bytes + PAGE - 1) / PAGE * sizeof *spans);
    if (!to || (!spans && (arg->access & SVMC_ACCESS_WRITE)) || piece.at + bytes < piece.at)
        return svmc_native_answer(w->out, SVMC_HCALL_BAD_ARG, n + 1);
    w->v->priv.buffer[n].at = to;
    w->v->priv.buffer[n].bytes = bytes;
    w->v->priv.back[n].span = spans;
    w->v->priv.back[n].bytes = spans ? bytes : 0;
    w->v->priv.back[n].first = PAGE - in_page;
    memset(to, 0, bytes);
    for (; bytes > 0; bytes -= piece.n, to += piece.n, piece.at += piece.n) {
        piece.n = PAGE - (uint32_t)(piece.at & (PAGE - 1));
        if (piece.n > bytes)
            piece.n = bytes;
        st = svmc_native_find(w->v, w->call, &piece, &span);
        if (st != SVMC_OK)
            return st;
        if (!span)
            return svmc_native_answer(w->out, SVMC_HCALL_FAULT, n + 1);
        if (arg->access & SVMC_ACCESS_READ)
            memcpy(to, span, piece.n);
        if (spans)
            spans[page++] = span;
    }
    return SVMC_OK;
}

/* HN-7: of a LENGTH, or the buffer's own. */
CORE_SMALL static uint32_t length_of(const struct native_work *w, unsigned n)
{
    const struct svmc_hcall_schema *s = w->entry->schema->from;

    for (unsigned i = 0; i < REGS; i++)
        if (s->arg[i].kind == SVMC_HCALL_LENGTH && s->arg[i].of == n + 1)
            return (uint32_t)w->v->priv.run.arg[i];
    return s->arg[n].bytes; /* clamp: below 6 */
}

CORE_COLD enum svmc_status svmc_native_fetch(struct native_work *w)
{
    const struct svmc_hcall_schema *s = w->entry->schema->from;
    const struct svmc_hcall_vm *vm = w->v->priv.vm;
    struct room room = { w->v->priv.room.scratch, w->v->priv.room.scratch_bytes };
    enum svmc_status st = SVMC_OK;

    memset(w->v->priv.buffer, 0, sizeof w->v->priv.buffer);
    memset(w->v->priv.back, 0, sizeof w->v->priv.back);
    w->v->priv.run.buffer = w->v->priv.buffer;
    for (unsigned n = 0; n < REGS && st == SVMC_OK && w->out->end == SVMC_HCALL_BROKEN; n++) {
        if (s->arg[n].access != 0) {
            st = fetch_pages(w, n, length_of(w, n), &room);
        } else if (s->arg[n].kind == SVMC_HCALL_HANDLE) {
            st = vm->ops->handle(vm->ctx, w->v->priv.ids[1], w->call, s->arg[n].type,
                                 w->v->priv.run.arg[n], &w->v->priv.buffer[n].at);
            if (st == SVMC_ERR_STALE)
                return svmc_native_answer(w->out, SVMC_HCALL_BAD_ARG, n + 1);
            w->v->priv.back[n].span = w->v->priv.buffer[n].at; /* the handler may change `at` */
            w->held |= (uint32_t)(st == SVMC_OK) << n;
        }
    }
    return st == SVMC_OK ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* HN-10: cannot fail, for all spans are there; no more than was declared. */
CORE_COLD void svmc_native_put(struct svmc_hcall_vcpu *v)
{
    for (unsigned n = 0; n < REGS; n++) {
        uint32_t left = v->priv.back[n].bytes, here = v->priv.back[n].first;
        const uint8_t *from = v->priv.buffer[n].at;
        void **span = v->priv.back[n].span;

        if (left > v->priv.buffer[n].bytes)
            left = v->priv.buffer[n].bytes;
        for (; left > 0; from += here, here = PAGE, span++) {
            if (here > left) /* the last page */
                here = left;
            memcpy(*span, from, here);
            left -= here;
        }
    }
}

/* HN-9: however the call ended. */
CORE_COLD void svmc_native_release(const struct native_work *w)
{
    const struct svmc_hcall_vm *vm = w->v->priv.vm;
    const struct svmc_hcall_schema *s = w->entry->schema->from;

    for (unsigned n = 0; n < REGS; n++)
        if (w->held >> n & 1)
            vm->ops->release(vm->ctx, w->v->priv.ids[1], s->arg[n].type, /* clamp: a loop */
                             w->v->priv.back[n].span);
}
