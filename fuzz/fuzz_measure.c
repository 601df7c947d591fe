/* SPDX-License-Identifier: MIT */
/*
 * Any history of ranges added and let go, pages opened, written, changed behind the library's back
 * and restored, scans, hints and walks, with callbacks that fail, beside a model of a few lines.
 * Traps when somebody else than a range's holder may do something or the holder may not, when a
 * scan says what is not so or keeps quiet of what is, when a generation outlives the page that was
 * walked to, or when a failure changes anything.
 */
#include <stdbool.h>

#include "../tests/token/measure_lab.h"
#include "input.h"

enum state { FREE, INTACT, OPEN, FOUND, CHANGED }; /* FOUND: changed, and not told yet */

static struct measure_lab lab, was;
static struct {
    struct {
        uint32_t id, token;
        bool code;
    } range[LAB_RANGES];
    struct {
        enum state state;
        unsigned range;
        uint64_t measured; /* the word that changes */
        uint32_t found;    /* what is to be told */
    } frame[LAB_FRAMES];
    struct svmc_measure_path path;
    struct svmc_token_caller path_of;
    uint64_t granted_at; /* the generation of the last walk that was in order; 0: none */
    bool has_path, path_alive;
    bool failing;
} model;

/* A status that is a failed callback's is one, and nothing has changed. */
static bool failed(enum svmc_status st)
{
    if (st != SVMC_ERR_CALLBACK)
        return false;
    require(model.failing && lab_same(&lab, &was));
    return true;
}

static struct svmc_token_caller any_caller(struct input *in)
{
    uint8_t who = take_byte(in), where = take_byte(in);
    struct svmc_token_caller caller =
        lab_caller(LAB_ROOT + 0x1000u * (1 + (who & 1)), where % LAB_FRAMES);

    if ((who & 0xf0) == 0xf0)
        caller.user ^= who >> 1 & 1, caller.vm ^= who >> 2 & 1,
            caller.vm_generation ^= who >> 3 & 1;
    return caller;
}

/* Whether the caller is the holder of a range, in its own code. */
static bool holds(const struct svmc_token_caller *caller, uint32_t token)
{
    unsigned f = (unsigned)(caller->frame / SVMC_MEASURE_PAGE_BYTES);

    return caller->root == LAB_ROOT + 0x1000u * token && caller->vm == LAB_VM &&
           caller->vm_generation == 1 && caller->user == 1 && model.frame[f].state == INTACT &&
           model.range[model.frame[f].range].code &&
           model.range[model.frame[f].range].token == token;
}

static void add(struct input *in)
{
    unsigned first = take_byte(in) % LAB_FRAMES, count = 1 + take_byte(in) % 8, slot = LAB_RANGES;
    uint8_t how = take_byte(in);
    uint32_t token = 1 + (how & 1), used = 0, id;
    enum svmc_status st = lab_add(&lab, first, count, token, how >> 1 & 1, &id, NULL);
    bool fits = true;

    for (unsigned f = 0; f < LAB_FRAMES; f++)
        used += model.frame[f].state != FREE;
    for (unsigned f = first; f < first + count; f++)
        fits &= f < LAB_FRAMES && model.frame[f].state == FREE && !(lab.away >> f & 1);
    for (unsigned r = 0; r < LAB_RANGES; r++)
        if (slot == LAB_RANGES && model.range[r].id == 0)
            slot = r;
    require((st == SVMC_OK) == (id != 0));
    if (failed(st))
        return;
    require((st == SVMC_ERR_FULL) == (slot == LAB_RANGES || used + count > LAB_PAGES));
    if (st == SVMC_ERR_FULL)
        return;
    if ((how & 2) && first + count > LAB_FRAMES) /* no digest could be made */
        fits = false;
    require((st == SVMC_OK) == fits);
    if (!fits)
        return;
    model.range[slot].id = id;
    model.range[slot].token = token;
    model.range[slot].code = how >> 1 & 1;
    for (unsigned f = first; f < first + count; f++) {
        model.frame[f].state = INTACT;
        model.frame[f].range = slot;
        model.frame[f].measured = lab.memory[f][9];
    }
}

static void gone(unsigned slot)
{
    for (unsigned f = 0; f < LAB_FRAMES; f++)
        if (model.frame[f].state != FREE && model.frame[f].range == slot) {
            model.path_alive &= model.path.priv.who.frame != lab_at(f);
            model.frame[f].state = FREE;
        }
    model.range[slot].id = 0;
}

static void forget(uint32_t token)
{
    svmc_measure_forget(&lab.m, token);
    for (unsigned slot = 0; slot < LAB_RANGES; slot++)
        if (model.range[slot].id != 0 && (token == 0 || model.range[slot].token == token))
            gone(slot);
}

static void unload(struct input *in)
{
    unsigned slot = take_byte(in) % LAB_RANGES;
    uint8_t how = take_byte(in);
    bool live = model.range[slot].id != 0 && !(how & 0x80);
    uint32_t id = live ? model.range[slot].id : (model.range[slot].id ^ 0x80000000u) | slot;
    uint32_t token = how & 3, holder;
    enum svmc_status st;

    if ((how & 0x60) == 0x60) {
        forget(token);
        return;
    }
    st = svmc_measure_unload(&lab.m, id, token, &holder, NULL);
    require((st == SVMC_ERR_STALE) == !live);
    require(!live || (st == SVMC_OK) == (token == 0 || token == model.range[slot].token));
    require((st == SVMC_OK) == (holder != 0));
    if (st != SVMC_OK)
        return;
    require(holder == model.range[slot].token);
    gone(slot);
}

static void open_or_close(struct input *in, bool open)
{
    struct svmc_token_caller caller = any_caller(in);
    unsigned slot = take_byte(in) % LAB_RANGES, f = take_byte(in) % LAB_FRAMES;
    uint32_t token = 1 + (take_byte(in) & 1), id = model.range[slot].id;
    svmc_gpa at = { lab_at(f) + 5 };
    enum svmc_status st = open ? svmc_measure_open(&lab.m, id, at, &caller, token, NULL)
                               : svmc_measure_close(&lab.m, id, at, &caller, token, NULL);
    bool may = id != 0 && token == model.range[slot].token && holds(&caller, token) &&
               !model.range[slot].code && model.frame[f].state != FREE &&
               model.frame[f].range == slot;
    bool there = !(lab.away >> f & 1), same = model.frame[f].measured == lab.memory[f][9];

    if (failed(st))
        return;
    if (open && may && model.frame[f].state == INTACT) {
        require((st == SVMC_OK) == (there && same));
        model.frame[f].state = st == SVMC_OK ? OPEN : FOUND;
        model.frame[f].found = there ? SVMC_MEASURE_DIFFERS : SVMC_MEASURE_GONE;
    } else if (!open && may && model.frame[f].state == OPEN && there) {
        require(st == SVMC_OK);
        model.frame[f].state = INTACT;
        model.frame[f].measured = lab.memory[f][9];
    } else {
        require(st == SVMC_ERR_AUTH || (id == 0 && st == SVMC_ERR_STALE));
    }
}

static void trapped(struct input *in)
{
    struct svmc_token_caller caller = any_caller(in);
    unsigned f = take_byte(in) % LAB_FRAMES;
    enum svmc_measure_verdict verdict, want = SVMC_MEASURE_REFUSE_EVENT;
    struct svmc_measure_event event;

    require(svmc_measure_write(&lab.m, (svmc_gpa){ lab_at(f) + 72 }, 8, &caller, &verdict,
                               &event) == SVMC_OK);
    if (model.frame[f].state == FREE)
        want = SVMC_MEASURE_NOT_OURS;
    else if (holds(&caller, model.range[model.frame[f].range].token))
        want = model.frame[f].state == OPEN ? SVMC_MEASURE_ALLOW : SVMC_MEASURE_REFUSE;
    require(verdict == want);
    require((event.kind == SVMC_MEASURE_WRITTEN) == (want == SVMC_MEASURE_REFUSE_EVENT));
    if (verdict == SVMC_MEASURE_ALLOW || verdict == SVMC_MEASURE_NOT_OURS)
        lab.memory[f][9]++;
}

/* What an event says is so. */
static void judge(const struct svmc_measure_event *event)
{
    unsigned f = (unsigned)(event->frame / SVMC_MEASURE_PAGE_BYTES);

    if (event->kind == SVMC_MEASURE_NOTHING)
        return;
    require(f < LAB_FRAMES);
    require(event->range == model.range[model.frame[f].range].id &&
            event->token == model.range[model.frame[f].range].token);
    if (model.frame[f].state == FOUND)
        require(event->kind == model.frame[f].found);
    else if (event->kind == SVMC_MEASURE_GONE)
        require(model.frame[f].state == INTACT && (lab.away >> f & 1));
    else
        require(model.frame[f].state == INTACT && event->kind == SVMC_MEASURE_DIFFERS &&
                model.frame[f].measured != lab.memory[f][9]);
    model.frame[f].state = CHANGED;
}

static void scan(uint32_t budget)
{
    struct svmc_measure_stand out;
    enum svmc_status st = svmc_measure_scan(&lab.m, budget, &out);

    require(st == SVMC_OK || (st == SVMC_ERR_CALLBACK && model.failing) ||
            (st == SVMC_ERR_ARG && budget == 0));
    require(st != SVMC_OK || out.looks <= budget);
    judge(&out.event);
}

/* A whole round from its beginning on: nothing that differs is left untold. */
static void scan_all(void)
{
    uint32_t start;
    unsigned calls = 0;

    for (start = lab.m.priv.rounds; lab.m.priv.rounds - start < 2 && lab.m.priv.used != 0;) {
        scan(7);
        require(++calls < 200);
    }
    for (unsigned f = 0; f < LAB_FRAMES; f++)
        require(model.frame[f].state != FOUND &&
                (model.frame[f].state != INTACT ||
                 (model.frame[f].measured == lab.memory[f][9] && !(lab.away >> f & 1))));
}

static void walk(struct input *in, bool take_it)
{
    struct svmc_token_caller caller = any_caller(in);
    unsigned f = (unsigned)(caller.frame / SVMC_MEASURE_PAGE_BYTES), to;
    bool may;
    uint64_t frame;
    enum svmc_status st;

    to = (unsigned)(lab.entry[f] / SVMC_MEASURE_PAGE_BYTES);
    caller.frame = lab_at(to);
    may = (lab.entry[f] & 1) && to < LAB_FRAMES && model.frame[to].state == INTACT &&
          holds(&caller, model.range[model.frame[to].range].token);
    if (take_it) {
        st = svmc_measure_path_take(&lab.m, &caller, &model.path, NULL);
        model.has_path = model.path_alive = st == SVMC_OK;
        model.path_of = caller;
        model.granted_at = 0;
        if (!failed(st))
            require((st == SVMC_OK) == may);
        return;
    }
    if (!model.has_path)
        return;
    st = svmc_measure_path_check(&lab.m, &caller, &model.path, &frame, NULL);
    if (failed(st))
        return;
    may = may && model.path_alive && caller.page == model.path_of.page &&
          caller.root == model.path_of.root && caller.frame == model.path_of.frame &&
          ((model.path.priv.step[3].entry ^ lab.entry[f]) & ~(uint64_t)0x60) == 0;
    require((st == SVMC_OK) == may && (frame != 0) <= may);
    if (st == SVMC_OK)
        model.granted_at = svmc_measure_generation(&lab.m, 1);
}

/* ME-20: what was walked need not be walked again: the page is there, and nobody knows better. */
static void stand(void)
{
    unsigned f = (unsigned)(model.path_of.frame / SVMC_MEASURE_PAGE_BYTES);

    if (model.granted_at != 0 && model.granted_at == svmc_measure_generation(&lab.m, 1))
        require(model.path_alive && model.frame[f].state == INTACT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    memset(&model, 0, sizeof model);
    lab_start(&lab, 1 + take_byte(&in));
    for (unsigned f = 0; f < LAB_FRAMES; f++)
        lab.memory[f][9] = f;
    for (unsigned n = 0; n < 64 && in.left > 0; n++) {
        uint8_t op = take_byte(&in);

        lab_keep(&was, &lab);
        switch (op % 12) {
        case 0:
            add(&in);
            break;
        case 1:
            unload(&in);
            break;
        case 2:
        case 3:
            open_or_close(&in, op % 12 == 2);
            break;
        case 4:
            trapped(&in);
            break;
        case 5: /* behind the library's back; and back */
            op = take_byte(&in);
            lab.memory[op % LAB_FRAMES][9] ^= op >> 5;
            break;
        case 6:
            scan(take_byte(&in) % 16);
            break;
        case 7:
            (void)!svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(take_byte(&in) % LAB_FRAMES) });
            break;
        case 8:
        case 9:
            walk(&in, op % 12 == 8);
            break;
        case 10: /* an entry: another frame, other bits */
            op = take_byte(&in);
            lab.entry[op % LAB_FRAMES] =
                lab_at(take_byte(&in) % 40) | (uint64_t)(0x20 | (op >> 5 & 1) | (op & 0x40));
            break;
        default:
            op = take_byte(&in);
            model.failing = op & 15;
            lab.crypto.fail_at = op & 15 ? lab.crypto.calls + (op & 15) : 0;
            lab.away = op >> 4 == 15 ? 1u << (op & 15) : 0;
        }
        stand();
    }
    lab.crypto.fail_at = 0;
    model.failing = false;
    scan_all();
    svmc_measure_drop(&lab.m);
    return 0;
}
