/* SPDX-License-Identifier: MIT */
/*
 * What a host says of its tables beside the plan that was made for it; a data page and a gate from
 * any fields: only what could have been made is taken, and what is made is what the rules say.
 */
#include <stdbool.h>
#include <svmcore/guest/hypercall.h>
#include <svmcore/svmcore.h>

#include "input.h"

#define ENTRIES 32u

static struct svmc_token_guard plan[ENTRIES];
static uint8_t page[SVMC_TOKEN_PAGE_BYTES];

struct host {
    struct input *in;
    struct svmc_token_held said[ENTRIES];
    bool failed[ENTRIES];
};

static enum svmc_status held(void *ctx, const struct svmc_token_guard *guard,
                             struct svmc_token_held *out)
{
    struct host *host = ctx;
    size_t n = (size_t)(guard - plan);
    uint8_t how = take_byte(host->in);

    require(n < ENTRIES && out->rights == 0xff);
    take(host->in, out, sizeof *out);
    if (!(how & 1)) { /* near to what is wanted */
        memset(out, 0, sizeof *out);
        out->rights = how & 2 ? guard->need : guard->may;
        out->rights ^= how & 4 ? (uint8_t)(how >> 3) : 0;
    }
    host->said[n] = *out;
    host->failed[n] = how == 255;
    return how == 255 ? SVMC_ERR_STATE : SVMC_OK;
}

static enum svmc_status give(void *ctx, void *dst, size_t n)
{
    take(ctx, dst, n);
    return take_byte(ctx) == 255 ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static bool is_zero(const void *of, size_t n)
{
    const uint8_t *at = of;

    while (n-- > 0)
        if (*at++ != 0)
            return false;
    return true;
}

static void verify(struct input *in, uint32_t count)
{
    static const struct svmc_token_plan_ops ops = { sizeof ops, held };
    struct host host = { .in = in };
    uint32_t from = take_byte(in) % (count + 1);
    struct svmc_token_plan_verdict v;
    enum svmc_status st = svmc_token_plan_verify(plan, count, from, &ops, &host, &v);

    if (st != SVMC_OK) {
        require(st == SVMC_ERR_CALLBACK && is_zero(&v, sizeof v));
        return;
    }
    require(v.entry >= from && v.entry <= count);
    for (uint32_t n = from; n < count && n <= v.entry; n++) {
        const struct svmc_token_held *h = &host.said[n];
        bool ok = (h->rights & plan[n].need) == plan[n].need &&
                  (h->rights | plan[n].may) == plan[n].may && !h->aliases && !h->devices;

        require(!host.failed[n] && ok == (n < v.entry));
    }
    require((v.entry == count) == !(v.missing | v.beyond | v.aliases | v.devices));
}

static void plans(struct input *in)
{
    static const struct svmc_token_guard none;
    struct svmc_token_abilities abilities;
    struct svmc_token_plan_want want;
    uint64_t frames[8];
    uint32_t count, room = take_byte(in) % (ENTRIES + 1);
    enum svmc_status st;

    take(in, &abilities, sizeof abilities);
    take(in, &want, sizeof want);
    take(in, frames, sizeof frames);
    for (unsigned i = 0; i < 8 && !(abilities.can & 0x80); i++)
        frames[i] &= ~(uint64_t)4095;
    abilities.can &= 0x7f;
    want.frame &= ~(uint64_t)(want.user & 0x80 ? 0 : 4095);
    want.user &= 0x7f;
    want.tables = frames;
    want.saved = frames + 4;
    want.table_count %= 5;
    want.saved_count %= 5;
    for (unsigned i = 0; i < ENTRIES; i++)
        plan[i] = none;
    st = svmc_token_plan_make(&abilities, &want, plan, room, &count);
    require(st == SVMC_OK || count == 0);
    require(st == SVMC_OK || st == SVMC_ERR_ARG || st == SVMC_ERR_UNSUPPORTED ||
            st == SVMC_ERR_FULL);
    for (uint32_t n = count; n < ENTRIES; n++)
        require(is_zero(&plan[n], sizeof plan[n]));
    for (uint32_t n = 0; n < count; n++)
        require(!(plan[n].may & SVMC_TOKEN_MAY_WRITE) && !(plan[n].need & ~plan[n].may));
    if (count > 0)
        verify(in, count);
}

static void gates(struct input *in)
{
    struct svmc_crypto_ops ops = { .size = sizeof ops, .ctx = in, .random = give };
    struct svmc_token_gate gate, made;
    uint8_t tag[SVMC_TOKEN_TAG_BYTES], how = take_byte(in);
    enum svmc_status st;
    uint32_t at;

    take(in, tag, sizeof tag);
    take(in, &gate, sizeof gate);
    st = svmc_token_gate_place(&ops, (enum svmc_token_page_kind)gate.kind, gate.isa, gate.way,
                               gate.frame & ~(uint64_t)4095, &made);
    require((st == SVMC_OK) == (made.stubs != 0) && (st == SVMC_OK || is_zero(&made, sizeof made)));
    if (how & 1)
        gate = made;
    st = svmc_token_gate_fill(&ops, &gate, gate.kind == SVMC_TOKEN_PAGE_SITE ? NULL : tag, page);
    require(st == SVMC_OK || is_zero(page, sizeof page));
    at = svmc_token_gate_find(&gate, gate.trap);
    require(st != SVMC_OK || at == gate.slot);
    take(in, &at, sizeof at);
    at = svmc_token_gate_find(&gate, how & 2 ? at : at & 4095);
    require(at == SVMC_TOKEN_PAGE_NONE || at < gate.stubs);
}

static void data(struct input *in)
{
    struct svmc_crypto_ops ops = { .size = sizeof ops, .ctx = in, .random = give };
    uint8_t tag[SVMC_TOKEN_TAG_BYTES], how = take_byte(in);
    struct svmc_token_addresses a;
    uint32_t slot;

    take(in, &a, sizeof a);
    take(in, tag, sizeof tag);
    if (how & 1)
        a.safe = a.first + a.step * (a.count > 0 ? how % a.count : 0);
    if (svmc_token_page_data(&ops, how, tag, &a, page, &slot) != SVMC_OK) {
        require(slot == 0 && is_zero(page, sizeof page));
        return;
    }
    require(slot < SVMC_TOKEN_PAGE_ENTRIES);
    require(memcmp(page + SVMC_TOKEN_PAGE_FIRST + SVMC_TOKEN_PAGE_ENTRY_BYTES * slot + 8, tag,
                   sizeof tag) == 0);
    require(svmc_token_page_find(page, tag) >= slot); /* another one may have the same */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input in = { bytes, size };
    uint8_t head = take_byte(&in);

    if (head % 4 == 0)
        gates(&in);
    else if (head % 4 == 1)
        data(&in);
    else
        plans(&in);
    return 0;
}
