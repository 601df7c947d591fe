/* SPDX-License-Identifier: MIT */
/** Slots and functions as bytes: docs/spec/state.md, ST-9 to ST-12. */
#include <svmcore/keyslot_state.h>

#include "../core/state.h"
#include "device_private.h"
#include "keyslot_private.h"

#define ACTIVE_OF(handle) (((handle)&WORD_GENERATION) | SVMC_KEYSLOT_ACTIVE)
#define SLOT_NUMBER       (~WORD_GENERATION)

/* ---- slots -----------------------------------------------------------------------------------*/

static bool is_active(const struct svmc_keyslots *ks, svmc_key_handle handle)
{
    const struct slot *s = slot_of(ks, handle);

    return s && (word_of(s) & ~WORD_RESIDENT) == ACTIVE_OF(handle.raw);
}

static void put_slots(struct state_writer *w, const struct svmc_keyslots *ks, size_t bytes)
{
    svmc_core_state_begin(w, SVMC_SAVED_KEYSLOTS, STATE_FIRST, bytes);
    for (uint32_t n = 0; n < ks->priv.slots; n++) {
        const struct slot *s = slots_of(ks) + n;
        const svmc_key_handle handle = { (word_of(s) & WORD_GENERATION) | (n + 1) };
        const svmc_key_handle before = { s->before };

        if (!is_active(ks, handle))
            continue;
        state_put32(w, handle.raw);
        state_put32(w, is_active(ks, before) ? before.raw : 0);
        state_put64(w, s->domain);
        state_put64(w, s->epoch);
        state_put64(w, s->cookie);
        state_put32(w, s->alg);
        state_put32(w, s->unit_bytes);
    }
}

enum svmc_status svmc_keyslots_save(const struct svmc_keyslots *ks, uint8_t *out, size_t cap,
                                    size_t *len)
{
    struct state_writer w = { NULL, 0 };

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!ks || ks->priv.slots == 0 || (!out && cap != 0))
        return SVMC_ERR_ARG;
    put_slots(&w, ks, 0);
    *len = w.at;
    if (w.at > cap)
        return SVMC_ERR_FULL;
    w = (struct state_writer){ out, 0 };
    put_slots(&w, ks, *len);
    return SVMC_OK;
}

#define SLOT_BYTES 40u

/* One slot, at list[n] if there is a list; `last` is the number of the one before it. */
static void get_slot(struct state_reader *r, struct svmc_keyslot_saved *into, uint32_t *last)
{
    struct svmc_keyslot_saved s = { .key = { .opens = 1 } };
    uint32_t unit, number;

    s.was.raw = state_get32(r);
    s.before = state_get32(r); /* a handle, until all are there */
    s.key.domain = state_get64(r);
    s.key.epoch = state_get64(r);
    s.key.cookie = state_get64(r);
    s.key.alg = state_get32(r);
    s.key.unit_bytes = unit = state_get32(r);
    number = s.was.raw & SLOT_NUMBER;
    state_want(r, number > *last && (s.was.raw & WORD_GENERATION) != 0 && unit >= 64 &&
                      unit <= 4096 && (unit & (unit - 1)) == 0);
    *last = number;
    if (into)
        *into = s;
}

/* The place of a handle in a list that goes upwards by number, + 1; 0: it is not there. */
static uint32_t find(const struct svmc_keyslot_saved *list, uint32_t count, uint32_t handle)
{
    uint32_t from = 0, to = count, at;

    while (from < to) {
        at = from + (to - from) / 2;
        if (list[at].was.raw == handle) /* clamp: a search in the caller's list, here and below */
            return at + 1;
        if ((list[at].was.raw & SLOT_NUMBER) < (handle & SLOT_NUMBER))
            from = at + 1;
        else
            to = at;
    }
    return 0;
}

/* Slots before a slot whose order is not known; `count` is too many: they go round. */
static uint32_t unknown_before(const struct svmc_keyslot_saved *list, uint32_t count, uint32_t n,
                               uint32_t *known)
{
    uint32_t steps = 0, before;

    for (; steps < count; steps++, n = before - 1) {
        before = list[n].before; /* clamp: of find(), here and below */
        *known = list[n].order;
        if (before == 0 || list[n].order != 0)
            break;
    }
    return steps;
}

/* ST-10: who is before whom, by place; and that nobody is before himself. */
static bool link_slots(struct svmc_keyslot_saved *list, uint32_t count)
{
    uint32_t steps, known = 0;

    for (uint32_t n = 0; n < count; n++) {
        uint32_t before = list[n].before != 0 ? find(list, count, list[n].before) : 0;
        const struct svmc_keyslot_saved *b = list + (before != 0 ? before - 1 : n);

        if ((before == 0 && list[n].before != 0) || b->key.domain != list[n].key.domain ||
            b->key.alg != list[n].key.alg ||
            b->key.unit_bytes != list[n].key.unit_bytes) /* KS-18 */
            return false;
        list[n].before = before;
    }
    for (uint32_t n = 0; n < count; n++) {
        steps = unknown_before(list, count, n, &known);
        if (steps == count)
            return false;
        for (uint32_t at = n; steps != 0; at = list[at].before - 1)
            list[at].order = known + steps--;
    }
    return true;
}

enum svmc_status svmc_keyslots_load(const uint8_t *bytes, size_t len,
                                    struct svmc_keyslot_saved *list, uint32_t cap, uint32_t *count)
{
    uint32_t last = 0, n = 0;
    struct state_reader r;
    enum svmc_status st;

    if (!count)
        return SVMC_ERR_ARG;
    *count = 0;
    if (!bytes || (!list && cap != 0))
        return SVMC_ERR_ARG;
    st = svmc_core_state_open(&r, SVMC_SAVED_KEYSLOTS, bytes, len);
    for (; st == SVMC_OK && r.left >= SLOT_BYTES && !r.bad; n++)
        get_slot(&r, n < cap ? list + n : NULL, &last);
    if (st == SVMC_OK)
        st = svmc_core_state_close(&r);
    if (st == SVMC_OK && n > cap)
        st = SVMC_ERR_FULL;
    if (st == SVMC_OK && !link_slots(list, n))
        st = SVMC_ERR_FORMAT;
    if (st == SVMC_OK || st == SVMC_ERR_FULL)
        *count = n;
    if (st != SVMC_OK && list)
        memset(list, 0, cap * sizeof *list);
    return st;
}

/* ---- functions -------------------------------------------------------------------------------*/

/* Functions one behind the other that have one slot. */
struct run {
    uint32_t first, count, handle;
};

static void put_run(struct state_writer *w, const struct run *run)
{
    if (run->handle == 0)
        return;
    state_put32(w, run->first);
    state_put32(w, run->count);
    state_put32(w, run->handle);
}

static void put_functions(struct state_writer *w, const struct svmc_devices *table, size_t bytes)
{
    struct run run = { 0, 0, 0 };

    svmc_core_state_begin(w, SVMC_SAVED_DEVICES, STATE_FIRST, bytes);
    for (uint32_t bdf = 0; bdf < table->priv.functions; bdf++) {
        bool has_row = device_entry(table, bdf) != NULL;
        uint32_t handle = has_row ? device_handle(table, bdf) : 0;

        if (handle != run.handle) {
            put_run(w, &run);
            run = (struct run){ bdf, 0, handle };
        }
        run.count++;
        if (!has_row)
            bdf |= FUNCTIONS_OF_BUS - 1; /* DT-2: nobody on this bus */
    }
    put_run(w, &run);
}

enum svmc_status svmc_devices_save(const struct svmc_devices *table, uint8_t *out, size_t cap,
                                   size_t *len)
{
    struct state_writer w = { NULL, 0 };

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!table || table->priv.functions == 0 || (!out && cap != 0))
        return SVMC_ERR_ARG;
    put_functions(&w, table, 0);
    *len = w.at;
    if (w.at > cap)
        return SVMC_ERR_FULL;
    w = (struct state_writer){ out, 0 };
    put_functions(&w, table, *len);
    return SVMC_OK;
}

/* ST-11: runs go upwards and are as long as can be. */
static struct run get_run(struct state_reader *r, const struct run *last)
{
    struct run run;
    uint32_t end = last->first + last->count, most;

    run.first = state_get32(r);
    run.count = state_get32(r);
    run.handle = state_get32(r);
    most = SVMC_DEVICE_SEGMENTS_MAX * FUNCTIONS_OF_SEGMENT;
    state_want(r, run.handle != 0 && run.count != 0 && run.first >= end && run.first < most &&
                      run.count <= most - run.first &&
                      (run.first != end || run.handle != last->handle));
    return run;
}

/* ST-12: the bytes are sound, and the table has room; a bus counts with its first function. */
static enum svmc_status judge_runs(const struct svmc_devices *table,
                                   const struct svmc_keyslot_saved *list, uint32_t count,
                                   struct state_reader r)
{
    struct run run = { 0, 0, 0 };
    uint32_t rows = 0, next = 0; /* the first bus that is not counted yet */
    bool beyond = false;

    while (r.left != 0 && !r.bad) {
        uint32_t at, last;

        run = get_run(&r, &run);
        at = find(list, count, run.handle);
        if (r.bad || at == 0 || list[at - 1].now.raw == 0)
            continue;
        last = (run.first + run.count - 1) / FUNCTIONS_OF_BUS;
        next = run.first / FUNCTIONS_OF_BUS > next ? run.first / FUNCTIONS_OF_BUS : next;
        rows += last + 1 - next;
        next = last + 1;
        beyond |= run.first + run.count > table->priv.functions;
    }
    if (svmc_core_state_close(&r) != SVMC_OK)
        return SVMC_ERR_FORMAT;
    return beyond || (table->priv.bus && rows > table->priv.rows) ? SVMC_ERR_FULL : SVMC_OK;
}

static bool is_empty(const struct svmc_devices *table)
{
    if (table->priv.bus)
        return table->priv.used == 0;
    for (uint32_t bdf = 0; bdf < table->priv.functions; bdf++)
        if (device_handle(table, bdf) != 0)
            return false;
    return true;
}

enum svmc_status svmc_devices_load(struct svmc_devices *table,
                                   const struct svmc_keyslot_saved *list, uint32_t count,
                                   const uint8_t *bytes, size_t len)
{
    struct run run = { 0, 0, 0 };
    struct state_reader r;
    enum svmc_status st;

    if (!table || table->priv.functions == 0 || (!list && count != 0) || !bytes)
        return SVMC_ERR_ARG;
    if (!is_empty(table))
        return SVMC_ERR_STATE;
    st = svmc_core_state_open(&r, SVMC_SAVED_DEVICES, bytes, len);
    if (st == SVMC_OK)
        st = judge_runs(table, list, count, r);
    while (st == SVMC_OK && r.left != 0) {
        uint32_t at;

        run = get_run(&r, &run);
        at = find(list, count, run.handle);
        for (uint32_t i = 0; at != 0 && list[at - 1].now.raw != 0 && i < run.count; i++)
            st = svmc_device_bind(table, run.first + i, list[at - 1].now);
    }
    return st;
}
