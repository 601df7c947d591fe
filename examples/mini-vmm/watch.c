/* SPDX-License-Identifier: MIT */
/** Between the embedding and the tape: every input and output of the library as a record. */
#include "watch.h"

#include <string.h>

#include <svmcore/guest/hypercall.h>

#include "bytes.h"
#include "find.h"
#include "guard.h"
#include "scan.h"

#define RUN_HEAD 64u /* of struct kvm_run: all that the library reads of it but the data */
#define DATA_MAX 4096u

/* Append little-endian words to a record. */
struct pack {
    uint8_t bytes[DATA_MAX + 128];
    size_t n;
};

static void put(struct pack *p, uint64_t value, unsigned bytes)
{
    store_le(p->bytes + p->n, value, bytes);
    p->n += bytes;
}

static void put_bytes(struct pack *p, const uint8_t *from, size_t n)
{
    if (n > sizeof p->bytes - p->n)
        n = sizeof p->bytes - p->n;
    if (n > 0)
        memcpy(p->bytes + p->n, from, n);
    p->n += n;
}

static size_t trimmed(const uint8_t *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n;
}

static void copy_page(uint8_t to[SVMC_PAGE_BYTES], const volatile uint8_t *from)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(const volatile void *)from;

    for (size_t i = 0; i < SVMC_PAGE_BYTES / 8; i++)
        memcpy(to + 8 * i, &(uint64_t){ words[i] }, 8);
}

static void set_page(volatile uint8_t *to, const uint8_t from[SVMC_PAGE_BYTES])
{
    volatile uint64_t *words = (volatile uint64_t *)(volatile void *)to;
    uint64_t word;

    for (size_t i = 0; i < SVMC_PAGE_BYTES / 8; i++) {
        memcpy(&word, from + 8 * i, 8);
        words[i] = word;
    }
}

bool watch_good(const struct vcpu *v)
{
    return !tape_bad(v->tape) && !v->watch->broken;
}

bool watch_call(struct vcpu *v, enum watch_op op, uint32_t reg, void *answer, size_t n)
{
    uint8_t record[4 + 128] = { (uint8_t)op, 0, (uint8_t)reg, (uint8_t)(reg >> 8) };
    const uint8_t head[4] = { record[0], record[1], record[2], record[3] };
    size_t bytes = sizeof head + n;

    if (n > sizeof record - sizeof head)
        return false;
    memcpy(record + sizeof head, answer, n);
    if (!tape_in(v->tape, TAPE_CALL, record, sizeof record, &bytes))
        return false;
    if (bytes != sizeof head + n || memcmp(record, head, sizeof head) != 0)
        return tape_differs(v->tape, TAPE_CALL, 0);
    memcpy(answer, record + sizeof head, n);
    return true;
}

void watch_reg_write(struct vcpu *v, uint32_t reg, uint64_t value)
{
    struct exit_row *row = &v->watch->row;
    struct pack p = { .n = 0 };

    put(&p, reg, 2);
    put(&p, value, 8);
    (void)tape_out(v->tape, TAPE_WRITE, p.bytes, p.n);
    if (row->taken_slots < SVMC_PAGE_SLOTS)
        row->taken[row->taken_slots++] = value;
}

/* Where in `run` a port access keeps its data, and how many bytes: 0 if it cannot be. */
static size_t io_bytes(const uint8_t *run, size_t run_bytes, size_t *at)
{
    uint64_t offset = load_le(run + 40, 8), bytes = (uint64_t)run[33] * load_le(run + 36, 4);

    *at = (size_t)offset;
    if (load_le(run + 8, 4) != 2 || bytes > DATA_MAX || offset < RUN_HEAD || offset > run_bytes ||
        bytes > run_bytes - offset)
        return 0;
    return (size_t)bytes;
}

/* TR-6 */
static bool load_exit(struct vcpu *v, const uint8_t *record, size_t bytes)
{
    size_t head, data, at;

    memset(v->run, 0, v->run_bytes);
    if (bytes < 8)
        return tape_differs(v->tape, TAPE_EXIT, 0);
    head = (size_t)load_le(record + 4, 2);
    data = (size_t)load_le(record + 6, 2);
    if (load_le(record, 4) != v->id || head > RUN_HEAD || data > DATA_MAX ||
        8 + head + data != bytes)
        return tape_differs(v->tape, TAPE_EXIT, 4);
    memcpy(v->run, record + 8, head);
    if (data > 0 && io_bytes(v->run, v->run_bytes, &at) != data)
        return tape_differs(v->tape, TAPE_EXIT, 6);
    if (data > 0)
        memcpy(v->run + at, record + 8 + head, data);
    return true;
}

/* A feed tells the registers as they were: those of the CALL records up to the next exit. */
static void preload(struct vcpu *v)
{
    struct tape ahead = *v->tape;
    uint8_t record[DATA_MAX + 128];
    uint32_t seen = 0;
    size_t n;

    while (tape_peek(&ahead) != 0 && tape_peek(&ahead) != TAPE_EXIT) {
        if (!tape_seek(&ahead, (enum tape_type)tape_peek(&ahead), record, sizeof record, &n))
            return;
        if (n == 12 && record[0] == WATCH_REG_READ && record[2] < 20 && record[3] == 0 &&
            !(seen & 1u << record[2])) {
            v->known[record[2]] = load_le(record + 4, 8);
            seen |= 1u << record[2];
        }
    }
}

bool watch_take_exit(struct vcpu *v)
{
    struct exit_row *row = &v->watch->row;
    bool feed = v->tape->mode == TAPE_FEED, from_tape = !v->kvm;
    struct pack p = { .n = 0 };
    size_t at, data;

    memset(row, 0, sizeof *row);
    if (!from_tape) {
        data = io_bytes(v->run, v->run_bytes, &at);
        data = data > 0 && v->run[32] == 1 ? data : 0; /* only what the guest writes */
        put(&p, v->id, 4);
        put(&p, trimmed(v->run, RUN_HEAD), 2);
        put(&p, data, 2);
        put_bytes(&p, v->run, trimmed(v->run, RUN_HEAD));
        put_bytes(&p, v->run + at * (data > 0), data);
    }
    if (feed ? !tape_seek(v->tape, TAPE_EXIT, p.bytes, sizeof p.bytes, &p.n)
             : !tape_in(v->tape, TAPE_EXIT, p.bytes, sizeof p.bytes, &p.n))
        return false;
    if (from_tape && !load_exit(v, p.bytes, p.n))
        return false;
    p.n = 0;
    if (!from_tape) {
        row->insn_bytes = find_insn(v, row->insn);
        put_bytes(&p, row->insn, row->insn_bytes);
    } else if (feed && !tape_seek(v->tape, TAPE_INSN, p.bytes, sizeof p.bytes, &p.n)) {
        return false;
    }
    if (!feed && !tape_in(v->tape, TAPE_INSN, p.bytes, sizeof p.bytes, &p.n))
        return false;
    row->insn_bytes = (uint8_t)(p.n <= sizeof row->insn ? p.n : 0);
    memcpy(row->insn, p.bytes, row->insn_bytes);
    if (feed)
        preload(v);
    return true;
}

void watch_exit(struct vcpu *v, enum svmc_status st, const struct svmc_exit *exit)
{
    struct exit_row *row = &v->watch->row;
    struct pack p = { .n = 0 };

    put(&p, st, 1);
    put(&p, exit->kind, 2);
    put(&p, exit->finish, 1);
    put(&p, exit->size, 1);
    put(&p, exit->count, 4);
    put(&p, exit->address, 8);
    put(&p, exit->value, 8);
    (void)tape_out(v->tape, TAPE_NORMAL, p.bytes, p.n);
    row->number = v->watch->report->list[v->id].exits + 1;
    row->kind = exit->kind;
    if (exit->kind == SVMC_KIND_OUT && exit->size == 4 && exit->address == SVMC_HCALL_PORT)
        row->kind = SVMC_KIND_HYPERCALL;
    row->address = exit->address;
    row->size = exit->size;
    row->count = exit->count;
    row->value = exit->value;
    v->watch->asked = false;
    v->watch->tag = 0;
}

/* R1, R15: with nothing pending there is nothing to enter, whatever the host wrote and rang. */
void watch_stray(struct vcpu *v)
{
    struct watch *w = v->watch;
    uint64_t tag = v->host ? v->host->vcpu[v->id].stray : 0;
    uint32_t lie = WIRE_TAG_LIE(tag);
    struct refusal_row refusal = { .vcpu = v->id, .exit = w->row.number, .lie = lie, .rule = 15 };
    struct svmc_outcome out;

    if (lie == 0 || lie > LIE_ALL)
        return;
    v->host->vcpu[v->id].stray = 0;
    if (w->guard)
        guard_take(v);
    memcpy(&w->pending, &v->core.priv.pending, sizeof w->pending);
    report_told(w->report, tag);
    if (svmc_vcpu_enter(&v->core, &out) == SVMC_OK) {
        report_accepted(w->report, lie);
        return;
    }
    refusal.unchanged = guard_same(v, false);
    report_refusal(w->report, &refusal);
}

static void note_refusal(struct vcpu *v, const struct svmc_outcome *out)
{
    struct watch *w = v->watch;
    struct refusal_row refusal = { .vcpu = v->id,
                                   .exit = w->row.number,
                                   .lie = WIRE_TAG_LIE(w->tag),
                                   .rule = out->rule,
                                   .unchanged = guard_same(v, out->action == SVMC_ACT_STOP) };

    w->row.refused++;
    report_refusal(w->report, &refusal);
}

void watch_outcome(struct vcpu *v, enum watch_call which, enum svmc_status st,
                   const struct svmc_outcome *out)
{
    struct exit_row *row = &v->watch->row;
    struct pack p = { .n = 0 };
    uint32_t lie = WIRE_TAG_LIE(v->watch->tag);

    put(&p, which, 1);
    put(&p, st, 1);
    put(&p, out->action, 1);
    put(&p, out->stop, 1);
    put(&p, out->verdict, 1);
    put(&p, out->rule, 1);
    put(&p, out->fault.raised, 1);
    put(&p, out->fault.vector, 1);
    put(&p, out->fault.has_error, 1);
    put(&p, out->fault.error, 4);
    put(&p, out->fault.address, 8);
    put(&p, out->data_bytes, 4);
    put_bytes(&p, out->data, out->data ? out->data_bytes : 0);
    (void)tape_out(v->tape, TAPE_OUTCOME, p.bytes, p.n);
    row->verdict = out->verdict;
    row->action = out->action;
    row->stop = out->stop;
    row->fault = out->fault;
    if (st == SVMC_ERR_HOST_REPLY)
        note_refusal(v, out);
    else if (which == WATCH_ENTER && st == SVMC_OK)
        report_accepted(v->watch->report, lie);
    if (out->data_bytes > 0 && out->data_bytes <= 8 && out->data && row->taken_slots == 0)
        row->taken[row->taken_slots++] = load_le(out->data, out->data_bytes);
    else if (out->data_bytes > 8)
        row->taken_data = out->data_bytes;
}

/* What the table says the host was shown: read from the page, as the host would. */
static void note_request(struct vcpu *v, const uint64_t page[SVMC_PAGE_BYTES / 8])
{
    struct exit_row *row = &v->watch->row;
    struct svmc_request request;

    if (svmc_request_read(page, &request, NULL, 0) != SVMC_OK)
        return;
    row->requests++;
    row->kind = request.kind;
    if (request.completion == SVMC_COMPLETION_NONE)
        return;
    row->address = request.address;
    row->shown_slots = (uint8_t)__builtin_popcountll(request.in_valid & 0xff);
    memcpy(row->shown, request.in, sizeof row->shown);
    if (request.completion == SVMC_COMPLETION_CHUNK && request.direction == SVMC_DIRECTION_OUT)
        row->shown_data += request.size * request.count;
}

bool watch_request(struct vcpu *v)
{
    uint64_t copy[SVMC_PAGE_BYTES / 8];
    uint8_t *bytes = (uint8_t *)copy;
    struct watch *w = v->watch;
    bool again = w->asked && memcmp(&w->pending, &v->core.priv.pending, sizeof w->pending) == 0;

    copy_page(bytes, v->page);
    if (!again) { /* not the same question after a refusal: that page has a wrong reply in it */
        if (w->asked && w->tag)
            w->tag = 0;
        note_request(v, copy);
        if (!tape_out(v->tape, TAPE_PAGE, bytes, trimmed(bytes, SVMC_PAGE_BYTES)))
            return false;
        if (w->dump && fwrite(bytes, SVMC_PAGE_BYTES, 1, w->dump) != 1)
            w->broken = true;
        if (w->scan)
            scan_page(w->scan, bytes, v->watch->row.number);
        if (w->guard)
            guard_take(v);
        memcpy(&w->pending, &v->core.priv.pending, sizeof w->pending);
        w->asked = true;
    }
    if (v->host && v->shared != v->page)
        set_page(v->shared, bytes); /* after a refusal: the same request, the reply area empty */
    return watch_good(v);
}

void watch_emitted(struct vcpu *v)
{
    uint8_t bytes[SVMC_PAGE_BYTES];

    for (uint32_t at = 0; v->watch->scan && at < v->foreign.area_bytes; at += sizeof bytes) {
        copy_page(bytes, (const volatile uint8_t *)v->foreign.area + at);
        scan_page(v->watch->scan, bytes, v->watch->row.number);
    }
}

bool watch_reply(struct vcpu *v, uint64_t tag)
{
    uint8_t bytes[SVMC_PAGE_BYTES] = { 0 };
    size_t n = 0;

    v->watch->tag = tag;
    report_told(v->watch->report, tag);
    if (v->watch->scan && v->host && !scan_turn(v->watch->scan, v->host->pid))
        v->watch->broken = true;
    if (v->shared == v->page)
        return watch_good(v);
    copy_page(bytes, v->host ? v->shared : v->page);
    n = trimmed(bytes + SVMC_PAGE_REP_SEQ, SVMC_PAGE_BYTES - SVMC_PAGE_REP_SEQ);
    if (v->tape->mode == TAPE_REPLAY)
        memset(bytes + SVMC_PAGE_REP_SEQ, 0, SVMC_PAGE_BYTES - SVMC_PAGE_REP_SEQ);
    if (!tape_in(v->tape, TAPE_REPLY, bytes + SVMC_PAGE_REP_SEQ,
                 SVMC_PAGE_BYTES - SVMC_PAGE_REP_SEQ, &n))
        return false;
    set_page(v->page, bytes);
    return watch_good(v);
}

void watch_run(struct vcpu *v)
{
    memcpy(v->watch->before, v->run,
           v->run_bytes < EMBED_RUN_BYTES ? v->run_bytes : EMBED_RUN_BYTES);
}

void watch_complete(struct vcpu *v, enum svmc_status st)
{
    size_t n = v->run_bytes < EMBED_RUN_BYTES ? v->run_bytes : EMBED_RUN_BYTES, first = 0;
    const uint8_t *before = v->watch->before;
    struct pack p = { .n = 0 };

    while (first < n && before[first] == v->run[first])
        first++;
    while (n > first && before[n - 1] == v->run[n - 1])
        n--;
    put(&p, st, 1);
    put(&p, first < n ? first : 0, 4);
    put_bytes(&p, v->run + first, first < n ? n - first : 0);
    (void)tape_out(v->tape, TAPE_COMPLETE, p.bytes, p.n);
    if (v->shared != v->page && v->host)
        set_page(v->shared, (const uint8_t[SVMC_PAGE_BYTES]){ 0 });
}
