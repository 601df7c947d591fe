/* SPDX-License-Identifier: MIT */
/* The record and its accesses, of every processor. Rules XE-n: docs/spec/exec.md. */
#include "exec_private.h"

/* An optional callback that the library calls without asking is not there: all are asked for. */
static bool is_usable(const struct svmc_exec_ops *ops)
{
    return CORE_HAS_OP(ops, write) && ops->translate != NULL && ops->read != NULL;
}

EXEC_FN enum svmc_status svmc_exec_init(struct svmc_exec *x, const struct svmc_exec_ops *ops,
                                        void *ctx)
{
    if (x == NULL)
        return SVMC_ERR_ARG;
    memset(x, 0, sizeof *x);
    if (ops == NULL || !is_usable(ops))
        return SVMC_ERR_ARG;
    x->priv.ops = ops;
    x->priv.ctx = ctx;
    return SVMC_OK;
}

/* XE-6: the access counts as done; of one that reads, the bytes are where it would put them. */
EXEC_FN enum svmc_status svmc_exec_answer(struct svmc_exec *x, const void *data, size_t count)
{
    uint32_t kind, room;
    bool reads;

    if (x == NULL || (data == NULL && count != 0))
        return SVMC_ERR_ARG;
    kind = x->wait.kind;
    if (x->priv.state != EXEC_WAITS || kind == SVMC_EXEC_TRANSLATE || kind == SVMC_EXEC_PAUSE)
        return SVMC_ERR_STATE;
    reads = kind == SVMC_EXEC_READ || kind == SVMC_EXEC_EXCHANGE || kind == SVMC_EXEC_PORT_IN ||
            kind == SVMC_EXEC_MSR_READ || kind == SVMC_EXEC_VECTOR_READ;
    if (data != NULL && (!reads || count != x->wait.bytes))
        return SVMC_ERR_ARG;
    room = SVMC_EXEC_DATA_BYTES - x->priv.filled;
    if (x->priv.filled > SVMC_EXEC_DATA_BYTES || x->wait.bytes > room)
        return SVMC_ERR_STATE;
    if (data != NULL)
        memcpy(x->priv.data + x->priv.filled, data, count);
    if (reads)
        x->priv.filled = (uint16_t)(x->priv.filled + x->wait.bytes);
    if (kind == SVMC_EXEC_EXCHANGE)
        x->priv.device = EXEC_MEMORY;
    x->priv.done++;
    x->priv.state = EXEC_ANSWERED;
    return SVMC_OK;
}

EXEC_FN void svmc_exec_drop(struct svmc_exec *x)
{
    if (x == NULL)
        return;
    x->wait = (struct svmc_exec_wait){ 0 };
    x->priv.state = EXEC_IDLE;
    x->priv.fetch = 0;
    exec_forget(x);
}

EXEC_FN CORE_COLD bool svmc_exec_fault(struct exec_run *r, unsigned vector, bool has_error,
                                       uint32_t error)
{
    r->out->action = SVMC_EXEC_FAULT;
    r->out->resume_flag = 1;
    r->out->fault = (struct svmc_fault){
        .raised = 1, .vector = (uint8_t)vector, .has_error = has_error, .error = error
    };
    return false;
}

EXEC_FN CORE_COLD bool svmc_exec_stop(struct exec_run *r, enum svmc_status st,
                                      const struct svmc_exec_wait *wait)
{
    r->x->wait = *wait;
    if (st != SVMC_ERR_BUSY) {
        r->refused = st == SVMC_ERR_REFUSED &&
                     (wait->kind == SVMC_EXEC_READ || wait->kind == SVMC_EXEC_WRITE ||
                      wait->kind == SVMC_EXEC_EXCHANGE);
        return exec_fail(r, wait->kind, st);
    }
    return exec_stop(r, SVMC_EXEC_PENDING, SVMC_EXEC_REASON_NONE);
}

EXEC_FN CORE_COLD bool svmc_exec_take_fault(struct exec_run *r, enum svmc_exec_access which,
                                            const struct svmc_fault *fault)
{
    if (!svmc_core_is_fault(fault, r->x86))
        return exec_fail(r, which, SVMC_OK);
    r->out->action = SVMC_EXEC_FAULT;
    r->out->resume_flag = r->x86;
    r->out->fault = *fault;
    r->out->fault.reserved = 0;
    return false;
}

EXEC_FN bool svmc_exec_place(struct exec_run *r, uint64_t linear, uint32_t access, uint64_t *at)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    struct svmc_fault fault = { 0 };
    svmc_gpa gpa = { 0 };
    enum svmc_status st;

    if (r->place < x->priv.places && r->place < SVMC_EXEC_PLACES_MAX) {
        *at = x->priv.place[r->place++].v; /* XE-6 */
        return true;
    }
    st = ops->translate(x->priv.ctx, (svmc_gva){ linear }, access, &gpa, &fault);
    if (__builtin_expect(st != SVMC_OK, 0))
        return svmc_exec_stop(
            r, st, &(struct svmc_exec_wait){ .kind = SVMC_EXEC_TRANSLATE, .at = linear });
    if (__builtin_expect(fault.raised != 0, 0))
        return svmc_exec_take_fault(r, SVMC_EXEC_TRANSLATE, &fault);
    if (((gpa.v ^ linear) & (EXEC_PAGE - 1)) != 0 || r->place >= SVMC_EXEC_PLACES_MAX)
        return exec_fail(r, SVMC_EXEC_TRANSLATE, SVMC_OK);
    x->priv.place[r->place++] = gpa;
    x->priv.places = (uint8_t)r->place;
    *at = gpa.v;
    return true;
}

/* XE-1, XE-15: both pages before anything is done to the first. */
EXEC_FN CORE_APART bool svmc_exec_reach_two(struct exec_run *r, uint64_t linear, unsigned bytes,
                                            uint32_t access, struct exec_span *span)
{
    uint32_t first = EXEC_PAGE - (uint32_t)(linear & (EXEC_PAGE - 1));

    span->first = first;
    span->bytes = bytes;
    return svmc_exec_place(r, linear, access | r->user, &span->at[0]) &&
           svmc_exec_place(r, (linear + first) & r->linear_mask, access | r->user, &span->at[1]);
}

/* Whether the next access was done by an earlier call; of those that read, with its bytes. */
static inline bool was_done(struct exec_run *r, unsigned bytes)
{
    if (__builtin_expect(r->step >= r->x->priv.done, 1))
        return false;
    r->step++;
    r->filled = (uint16_t)(r->filled + bytes);
    return true;
}

static inline void count(struct exec_run *r, unsigned bytes)
{
    struct svmc_exec *x = r->x;

    r->step++;
    r->filled = (uint16_t)(r->filled + bytes);
    x->priv.done = r->step;
    x->priv.filled = r->filled;
    r->out->accesses++;
}

static bool read_part(struct exec_run *r, uint64_t at, unsigned bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st;

    if (was_done(r, bytes))
        return true;
    st = ops->read(x->priv.ctx, (svmc_gpa){ at }, x->priv.data + r->filled, bytes);
    if (__builtin_expect(st != SVMC_OK, 0))
        return svmc_exec_stop(
            r, st,
            &(struct svmc_exec_wait){ .kind = SVMC_EXEC_READ, .bytes = (uint16_t)bytes, .at = at });
    count(r, bytes);
    return true;
}

/*
 * Room for `bytes` more of what is read. Up to the next multiple of 8 it is zero, so that a value
 * is loaded whole, whatever a callback leaves out (XSA-200).
 */
static uint8_t *room_for(struct exec_run *r, unsigned bytes)
{
    struct svmc_exec *x = r->x;
    unsigned words = (bytes + 7) / 8, at = (r->filled + 7u) & ~7u;

    if (at + 8 * words > SVMC_EXEC_DATA_BYTES) {
        r->status = SVMC_ERR_ARG; /* no row reads that much */
        return NULL;
    }
    r->filled = (uint16_t)at;
    if (r->step >= x->priv.done) {
        x->priv.filled = r->filled;
        for (unsigned i = 0; i < words; i++)
            core_store_le64(x->priv.data + at + 8 * i, 0);
    }
    return x->priv.data + at;
}

EXEC_FN const uint8_t *svmc_exec_read(struct exec_run *r, const struct exec_span *span)
{
    const uint8_t *data = room_for(r, span->bytes);

    if (data == NULL || !read_part(r, span->at[0], span->first))
        return NULL;
    if (__builtin_expect(span->first < span->bytes, 0) &&
        !read_part(r, span->at[1], span->bytes - span->first))
        return NULL;
    return data;
}

static bool write_part(struct exec_run *r, uint64_t at, unsigned from, unsigned bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st;

    if (was_done(r, 0))
        return true;
    st = ops->write(x->priv.ctx, (svmc_gpa){ at }, x->priv.store + from, bytes);
    if (__builtin_expect(st != SVMC_OK, 0))
        return svmc_exec_stop(r, st,
                              &(struct svmc_exec_wait){
                                  .kind = SVMC_EXEC_WRITE, .bytes = (uint16_t)bytes, .at = at });
    count(r, 0);
    return true;
}

EXEC_FN bool svmc_exec_write(struct exec_run *r, const struct exec_span *span)
{
    if (!write_part(r, span->at[0], 0, span->first))
        return false;
    return __builtin_expect(span->first >= span->bytes, 1) ||
           write_part(r, span->at[1], span->first, span->bytes - span->first);
}

/* XE-10: in one step, or not at all. */
static bool exchange_once(struct exec_run *r, const struct exec_span *span, uint8_t *seen)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st;

    if (was_done(r, span->bytes))
        return true;
    st = ops->exchange(x->priv.ctx, (svmc_gpa){ span->at[0] }, seen, x->priv.store, span->bytes);
    if (st == SVMC_ERR_UNSUPPORTED && x->priv.device == EXEC_UNKNOWN) {
        x->priv.device = EXEC_DEVICE;
        return true;
    }
    if (st != SVMC_OK)
        return svmc_exec_stop(r, st,
                              &(struct svmc_exec_wait){ .kind = SVMC_EXEC_EXCHANGE,
                                                        .bytes = (uint16_t)span->bytes,
                                                        .at = span->at[0] });
    x->priv.device = EXEC_MEMORY;
    count(r, span->bytes);
    return true;
}

/* On two pages that do not lie side by side: nothing replaces it in one step. */
static bool is_split(const struct exec_span *span)
{
    return span->first < span->bytes && span->at[0] + span->first != span->at[1];
}

EXEC_FN bool svmc_exec_can_exchange(struct exec_run *r, const struct exec_span *span)
{
    const struct svmc_exec_ops *ops = EXEC_OPS(r->x);

    if (CORE_HAS_OP(ops, exchange) && (!is_split(span) || r->x->split_locks != 0))
        return true;
    return exec_stop(r, SVMC_EXEC_NEEDS_ATOMIC, SVMC_EXEC_REASON_NONE);
}

EXEC_FN bool svmc_exec_exchange(struct exec_run *r, const struct exec_span *span,
                                const uint8_t *expected, const uint8_t **seen)
{
    struct svmc_exec *x = r->x;
    uint8_t *room;

    *seen = expected;
    if (x->priv.device != EXEC_DEVICE && !is_split(span)) {
        room = room_for(r, span->bytes);
        if (room == NULL)
            return false;
        if (r->step >= x->priv.done)
            memcpy(room, expected, span->bytes <= 16 ? span->bytes : 16);
        if (!exchange_once(r, span, room))
            return false;
        if (x->priv.device != EXEC_DEVICE) {
            *seen = room;
            return true;
        }
    }
    return svmc_exec_write(r, span);
}

EXEC_FN const uint8_t *svmc_exec_port_read(struct exec_run *r, unsigned port, unsigned bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    const uint8_t *data;
    enum svmc_status st;

    if (!CORE_HAS_OP(ops, port_read)) {
        exec_stop(r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_CALLBACK);
        return NULL;
    }
    data = room_for(r, bytes);
    if (data == NULL || was_done(r, bytes))
        return data;
    st = ops->port_read(x->priv.ctx, port, x->priv.data + r->filled, bytes);
    if (st != SVMC_OK) {
        svmc_exec_stop(r, st,
                       &(struct svmc_exec_wait){
                           .kind = SVMC_EXEC_PORT_IN, .bytes = (uint16_t)bytes, .number = port });
        return NULL;
    }
    count(r, bytes);
    return data;
}

EXEC_FN bool svmc_exec_port_write(struct exec_run *r, unsigned port, unsigned bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st;

    if (!CORE_HAS_OP(ops, port_write))
        return exec_stop(r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_CALLBACK);
    if (was_done(r, 0))
        return true;
    st = ops->port_write(x->priv.ctx, port, x->priv.store, bytes);
    if (st != SVMC_OK)
        return svmc_exec_stop(r, st,
                              &(struct svmc_exec_wait){ .kind = SVMC_EXEC_PORT_OUT,
                                                        .bytes = (uint16_t)bytes,
                                                        .number = port });
    count(r, 0);
    return true;
}

/* A part of a span, as a span. */
EXEC_FN struct exec_span svmc_exec_part_of(const struct exec_span *span, unsigned from,
                                           unsigned bytes)
{
    struct exec_span part = { .bytes = bytes, .first = bytes };

    if (from >= span->first) {
        part.at[0] = span->at[1] + (from - span->first);
        return part;
    }
    part.at[0] = span->at[0] + from;
    if (from + bytes > span->first) {
        part.first = span->first - from;
        part.at[1] = span->at[1];
    }
    return part;
}

EXEC_FN const uint8_t *svmc_exec_read_some(struct exec_run *r, const struct exec_span *span,
                                           unsigned from, unsigned bytes)
{
    struct exec_span part = svmc_exec_part_of(span, from, bytes);

    return svmc_exec_read(r, &part);
}

EXEC_FN bool svmc_exec_write_some(struct exec_run *r, const struct exec_span *span, unsigned from,
                                  unsigned bytes)
{
    struct exec_span part = svmc_exec_part_of(span, from, bytes);

    if (!write_part(r, part.at[0], from, part.first))
        return false;
    return part.first >= part.bytes ||
           write_part(r, part.at[1], from + part.first, part.bytes - part.first);
}

EXEC_FN bool svmc_exec_has_vectors(struct exec_run *r)
{
    const struct svmc_exec_ops *ops = EXEC_OPS(r->x);

    if (CORE_HAS_OP(ops, vector_read) && CORE_HAS_OP(ops, vector_write))
        return true;
    return exec_stop(r, SVMC_EXEC_NEEDS_VECTOR, SVMC_EXEC_REASON_NONE);
}

EXEC_FN const uint8_t *svmc_exec_vector_read(struct exec_run *r, unsigned kind, unsigned number,
                                             unsigned bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    const uint8_t *data = room_for(r, bytes);
    enum svmc_status st;

    if (data == NULL || was_done(r, bytes))
        return data;
    st = ops->vector_read(x->priv.ctx, kind, number, x->priv.data + r->filled, bytes);
    if (st != SVMC_OK) {
        svmc_exec_stop(r, st,
                       &(struct svmc_exec_wait){ .kind = SVMC_EXEC_VECTOR_READ,
                                                 .file = (uint8_t)kind,
                                                 .bytes = (uint16_t)bytes,
                                                 .number = number });
        return NULL;
    }
    count(r, bytes);
    return data;
}

EXEC_FN bool svmc_exec_vector_write(struct exec_run *r, unsigned kind, unsigned number,
                                    unsigned bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st;

    if (was_done(r, 0))
        return true;
    st = ops->vector_write(x->priv.ctx, kind, number, x->priv.store, bytes);
    if (st != SVMC_OK)
        return svmc_exec_stop(r, st,
                              &(struct svmc_exec_wait){ .kind = SVMC_EXEC_VECTOR_WRITE,
                                                        .file = (uint8_t)kind,
                                                        .bytes = (uint16_t)bytes,
                                                        .number = number });
    count(r, 0);
    return true;
}

/* Its answer depends on what it is given alone, so it is asked again after a wait (XE-60). */
EXEC_FN bool svmc_exec_vec_op(struct exec_run *r)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st = SVMC_ERR_UNSUPPORTED;

    memset(x->priv.vec.out, 0, sizeof x->priv.vec.out);
    if (CORE_HAS_OP(ops, vec_op))
        st = ops->vec_op(x->priv.ctx, &x->priv.vec);
    if (st == SVMC_ERR_UNSUPPORTED && !x->priv.able)
        return exec_stop(r, SVMC_EXEC_NEEDS_VECTOR, SVMC_EXEC_REASON_NONE);
    return st == SVMC_OK || exec_fail(r, SVMC_EXEC_VEC_OP, st);
}

EXEC_FN bool svmc_exec_forget(struct exec_run *r, uint32_t what, uint32_t pcid, uint64_t linear)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    enum svmc_status st;

    if (!CORE_HAS_OP(ops, forget))
        return exec_stop(r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_CALLBACK);
    if (was_done(r, 0))
        return true;
    st = ops->forget(x->priv.ctx, what, pcid, (svmc_gva){ linear });
    if (st != SVMC_OK)
        return svmc_exec_stop(
            r, st,
            &(struct svmc_exec_wait){ .kind = SVMC_EXEC_FORGET, .number = what, .at = linear });
    count(r, 0);
    return true;
}

static bool ask_msr(struct exec_run *r, uint32_t msr, bool write, uint8_t *bytes)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    struct svmc_fault fault = { 0 };
    enum svmc_status st;

    if (was_done(r, write ? 0 : 8))
        return true;
    if (write)
        st = ops->msr_write(x->priv.ctx, msr, bytes, &fault);
    else
        st = ops->msr_read(x->priv.ctx, msr, bytes, &fault);
    if (st != SVMC_OK)
        return svmc_exec_stop(
            r, st,
            &(struct svmc_exec_wait){ .kind = write ? SVMC_EXEC_MSR_WRITE : SVMC_EXEC_MSR_READ,
                                      .bytes = 8,
                                      .number = msr });
    if (fault.raised != 0)
        return svmc_exec_take_fault(r, write ? SVMC_EXEC_MSR_WRITE : SVMC_EXEC_MSR_READ, &fault);
    count(r, write ? 0 : 8);
    return true;
}

EXEC_FN bool svmc_exec_msr(struct exec_run *r, uint32_t msr, bool write, uint64_t *value)
{
    struct svmc_exec *x = r->x;
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    uint8_t *bytes = x->priv.store;

    if (write ? !CORE_HAS_OP(ops, msr_write) : !CORE_HAS_OP(ops, msr_read))
        return exec_stop(r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_CALLBACK);
    if (write)
        core_store_le64(bytes, *value);
    else
        bytes = room_for(r, 8);
    if (bytes == NULL || !ask_msr(r, msr, write, bytes))
        return false;
    if (!write)
        *value = core_load_le64(bytes);
    return true;
}
