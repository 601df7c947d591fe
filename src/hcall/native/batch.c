/* SPDX-License-Identifier: MIT */
/** Many calls in one, each by its own right; and what is noted of calls. */
#include "../../core/bytes.h"
#include "native_private.h"

#define ENTRY_ARG    8u
#define ENTRY_STATUS 56u
_Static_assert(offsetof(struct svmc_hcall_call, arg) == ENTRY_ARG,
               "an entry begins as a call does");
_Static_assert(offsetof(struct svmc_hcall_call, token) == ENTRY_STATUS, "as above");

CORE_COLD static uint64_t now(const struct svmc_hcall_vcpu *v)
{
    const struct svmc_hcall_vm *vm = v->priv.vm;
    const struct svmc_hcall_ops *ops = vm->ops;

    return CORE_HAS_OP(ops, ticks) ? ops->ticks(vm->ctx) : 0;
}

/* HN-24: the ring and the counters. */
CORE_COLD static void note(const struct svmc_hcall_vcpu *v, const struct svmc_hcall_call *call,
                           uint64_t control, uint64_t at, const struct svmc_hcall_result *out)
{
    uint64_t ticks = now(v) - at;
    struct svmc_hcall_watch *watch = v->priv.room.watch;
    uint32_t bucket = 0, index = svmc_hcall_index(v->priv.vm->table,
                                                  (uint32_t)control >> SVMC_HCALL_OWNER_SHIFT & 63u,
                                                  (uint16_t)control);
    struct svmc_hcall_count *count;
    struct svmc_hcall_record *r;

    if (watch->ring && watch->ring_count != 0) {
        r = &watch->ring[watch->written++ % watch->ring_count]; /* clamp: a counter of ours */
        r->at = at;
        r->ip = call->ip;
        r->control = control;
        r->status = out->status;
        r->ticks = ticks;
        r->vcpu = v->priv.ids[1];
        r->user = call->user;
        r->end = out->end;
    }
    if (!watch->counts || index == UINT32_MAX)
        return;
    count = watch->counts + index;
    count->calls++;
    count->refused += out->end != SVMC_HCALL_DONE || (uint16_t)out->status != SVMC_HCALL_OK;
    while (bucket < 31 && ticks >> bucket > 1)
        bucket++;
    count->log2_ticks[bucket]++; /* clamp: at most 31 */
}

CORE_SMALL static enum svmc_status watched(struct svmc_hcall_vcpu *v, struct svmc_hcall_call *call,
                                           bool in_batch, struct svmc_hcall_result *out)
{
    uint64_t control = call->control, at = v->priv.room.watch ? now(v) : 0;
    enum svmc_status st = svmc_native_one(v, call, in_batch, out);

    if (v->priv.room.watch)
        note(v, call, control, at, out);
    return st;
}

/* HN-15: one entry is a call like any other, but that it cannot be a batch. */
CORE_SMALL static enum svmc_status one_entry(struct svmc_hcall_vcpu *v,
                                             const struct svmc_hcall_call *call, uint8_t *at,
                                             uint32_t *code)
{
    struct svmc_hcall_call one = *call;
    struct svmc_hcall_result result = { 0 };
    enum svmc_status st;

    memcpy(&one, at, ENTRY_STATUS); /* once: control word and arguments */
    one.control = core_le64(one.control);
    for (unsigned n = 0; n < REGS; n++)
        one.arg[n] = core_le64(one.arg[n]);
    st = watched(v, &one, true, &result);
    core_wipe(one.token, sizeof one.token); /* TK-14 */
    if (st != SVMC_OK)
        return st;
    for (unsigned n = 0; n < REGS && n < result.results; n++)
        core_store_le64(at + ENTRY_ARG + 8 * (size_t)n, one.arg[n]);
    core_store_le64(at + ENTRY_STATUS, result.status);
    *code = (uint16_t)result.status;
    return SVMC_OK;
}

/* HN-14: what is wrong with the batch itself; 0: nothing. */
CORE_SMALL static enum svmc_status is_batch(const struct svmc_hcall_vm *vm,
                                            const struct svmc_hcall_call *call,
                                            struct svmc_hcall_result *out)
{
    uint64_t rest = call->control & ~BEFORE_ABI & ~(uint64_t)SVMC_HCALL_SIMD_DEAD;

    if (call->control >> SVMC_HCALL_ABI_SHIFT != SVMC_HCALL_ABI)
        return svmc_native_answer(out, SVMC_HCALL_VERSION, 0);
    if (rest != ((uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | SVMC_HCALL_BATCH) ||
        vm->batch_entries == 0 || START(call->control) > REPS(call->control))
        return svmc_native_answer(out, SVMC_HCALL_NOT_DEFINED, 0);
    if (call->arg[0] % SVMC_HCALL_BATCH_BYTES != 0 ||
        call->arg[0] > 0 - (uint64_t)SVMC_HCALL_BATCH_BYTES * 0x1000)
        return svmc_native_answer(out, SVMC_HCALL_BAD_ARG, 1);
    if (call->arg[1] > SVMC_HCALL_STOP)
        return svmc_native_answer(out, SVMC_HCALL_BAD_ARG, 2);
    return SVMC_OK;
}

CORE_SMALL static enum svmc_status batch(struct svmc_hcall_vcpu *v,
                                         const struct svmc_hcall_call *call,
                                         struct svmc_hcall_result *out)
{
    const struct svmc_hcall_vm *vm = v->priv.vm;
    uint32_t start = START(call->control), at = start, code = SVMC_HCALL_OK;
    enum svmc_status st = is_batch(vm, call, out);
    struct native_piece piece = { .n = SVMC_HCALL_BATCH_BYTES,
                                  .access = SVMC_ACCESS_RW,
                                  .is_virtual = 1 };
    uint64_t begun = now(v);
    void *span;

    if (out->end != SVMC_HCALL_BROKEN)
        return st;
    (void)svmc_native_answer(out, SVMC_HCALL_OK, 0);
    for (; at < REPS(call->control); at++) {
        if (at - start >= vm->batch_entries || /* HN-16: one entry is always done */
            (vm->batch_ticks != 0 && at != start && now(v) - begun >= vm->batch_ticks)) {
            (void)svmc_native_answer(out, SVMC_HCALL_PARTIAL, 0);
            break;
        }
        piece.at = call->arg[0] + SVMC_HCALL_BATCH_BYTES * (uint64_t)at;
        st = svmc_native_find(v, call, &piece, &span);
        if (st == SVMC_OK && !span) {
            (void)svmc_native_answer(out, SVMC_HCALL_FAULT, 1);
            break;
        }
        if (st == SVMC_OK)
            st = one_entry(v, call, span, &code);
        if (st != SVMC_OK)
            return st;
        if (call->arg[1] == SVMC_HCALL_STOP && code != SVMC_HCALL_OK) {
            (void)svmc_native_answer(out, SVMC_HCALL_FAILED, 0);
            at++;
            break;
        }
    }
    out->status |= (uint64_t)at << SVMC_HCALL_DONE_SHIFT;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_native_apart(struct svmc_hcall_vcpu *v,
                                             struct svmc_hcall_call *call,
                                             struct svmc_hcall_result *out)
{
    if (call->control & SVMC_HCALL_BATCH)
        return batch(v, call, out);
    return watched(v, call, false, out);
}
