/* SPDX-License-Identifier: MIT */
/*
 * Any caller and any token against a pool with a few holders, and any order of changes. Traps when
 * somebody is let in whose handle, tag and place are not those of a living holder, when a refusal
 * gives rights, when an error leaves something behind, or when there are more events than there is
 * room for.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/crypto.h"
#include "input.h"

#define HOLDERS 7u

static struct {
    struct svmc_token_pool pool;
    struct svmc_token_entry entries[HOLDERS + 1];
    struct svmc_token_vm vms[2];
    struct svmc_token_slot events[4];
    struct svmc_token_expected expected[2];
    struct svmc_token_vcpu vcpu;
    struct fake_crypto fake;
    struct {
        struct svmc_token token;
        struct svmc_token_caller caller;
        struct svmc_token_grant grant;
    } holder[256];
    unsigned holders;
    uint8_t draws;
    bool fails;
} w;

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, ++w.draws, n);
    return w.fails ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static bool is_zero(const void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)at)[i] != 0)
            return false;
    return true;
}

static void begin(void)
{
    struct svmc_token_config config = {
        .crypto = &w.fake.ops,
        .entries = w.entries,
        .vms = w.vms,
        .events = w.events,
        .expected = w.expected,
        .entry_count = HOLDERS + 1,
        .vm_count = 2,
        .event_count = 4,
        .expected_count = 2,
        .mac_alg = SVMC_ALG_MAC_BLAKE2B_256,
        .miss_limit = 8,
        .lock_rounds = 2,
        .lock_ticks = 100,
    };

    memset(&w, 0, sizeof w);
    fake_crypto_init(&w.fake);
    w.fake.ops.random = draw;
    require(svmc_token_pool_init(&w.pool, &config) == SVMC_OK);
    require(svmc_token_vm_open(&w.pool, 1, 1) == SVMC_OK);
    require(svmc_token_vm_open(&w.pool, 2, 1) == SVMC_OK);
}

/* A caller out of the input: near to somebody's, or anything. */
static void take_caller(struct input *in, struct svmc_token_caller *c)
{
    uint8_t head = take_byte(in);

    memset(c, 0, sizeof *c);
    c->vm = 1 + (head & 1);
    c->vm_generation = 1;
    c->stage2_generation = head >> 1 & 3;
    c->user = head >> 3 & 1;
    c->isa = 3;
    c->ticks = take_byte(in);
    c->vcpu = take_byte(in) & 7;
    if (head & 0x10)
        c->root = take_byte(in);
    if (head & 0x20)
        c->page = c->frame = (uint64_t)take_byte(in) << 12;
    if (head & 0x40)
        c->frame = (uint64_t)take_byte(in) << 12;
    if (head & 0x80)
        take(in, c, sizeof *c);
}

static void take_grant(struct input *in, struct svmc_token_grant *g)
{
    uint8_t head = take_byte(in);

    memset(g, 0, sizeof *g);
    g->vcpus = head & 1 ? take_byte(in) : UINT64_MAX;
    g->classes = head & 2 ? take_byte(in) : 2;
    g->rights = head & 4 ? take_byte(in) : 1;
    g->until = head & 8 ? take_byte(in) : SVMC_TOKEN_FOREVER;
    g->beat_ticks = head & 16 ? take_byte(in) : 0;
    g->flags = head & 32 ? take_byte(in) & 3 : 0;
    if (head & 64)
        g->page = g->frame = (uint64_t)take_byte(in) << 12;
    if (head & 128)
        take(in, g, sizeof *g);
}

static void add(struct input *in, bool child)
{
    struct svmc_token *t = &w.holder[w.holders].token;
    struct svmc_token_caller *c = &w.holder[w.holders].caller;
    struct svmc_token_grant *g = &w.holder[w.holders].grant;
    enum svmc_status st;

    if (w.holders == 255)
        return;
    take_caller(in, c);
    take_grant(in, g);
    w.fails = child && c->ticks == 77;
    if (child)
        st = svmc_token_attenuate(
            &w.pool, w.holders ? w.holder[take_byte(in) % w.holders].token.handle : 1, c, g, t);
    else
        st = svmc_token_enrol(&w.pool, c, g, (enum svmc_status)(take_byte(in) & 1), t);
    require((st == SVMC_OK) == (t->handle != 0) && (st == SVMC_OK || is_zero(t, sizeof *t)));
    w.holders += st == SVMC_OK;
}

/* Whoever is let in is a holder: the same handle and tag, and where that holder may call from. */
static void judge(const struct svmc_token_caller *c, const struct svmc_token *t,
                  const struct svmc_token_verdict *v, bool by_tag)
{
    bool found = false;

    require(v->end <= SVMC_TOKEN_WALK);
    require(v->end == SVMC_TOKEN_ALLOWED || (v->rights == 0 && v->classes == 0));
    if (v->end == SVMC_TOKEN_REFUSED)
        return;
    for (unsigned i = 0; i < 255; i++) {
        const struct svmc_token_caller *is = &w.holder[i].caller;
        const struct svmc_token_grant *g = &w.holder[i].grant;

        found |=
            w.holder[i].token.handle == t->handle &&
            (!by_tag || memcmp(w.holder[i].token.tag, t->tag, 16) == 0) && is->vm == c->vm &&
            is->vm_generation == c->vm_generation && is->root == c->root && is->isa == c->isa &&
            is->user == c->user && g->page == c->page && g->offset == c->offset &&
            g->until > c->ticks && c->vcpu - g->vcpu_first < 64 &&
            (g->vcpus >> (c->vcpu - g->vcpu_first) & 1) &&
            (!(g->flags & SVMC_TOKEN_ONE_THREAD) || is->thread == c->thread) &&
            (g->return_bytes == 0 || c->returns - g->returns < g->return_bytes) &&
            (v->end == SVMC_TOKEN_WALK || (v->rights == g->rights && v->classes == g->classes));
    }
    require(found);
}

static void check(struct input *in, unsigned how)
{
    struct svmc_token_caller c;
    struct svmc_token t = { 0 };
    struct svmc_token_verdict v;
    struct svmc_token_call call = { 0 };
    enum svmc_status st;
    uint8_t head = take_byte(in);
    uint32_t why;

    take_caller(in, &c);
    if (head & 0x80)
        take(in, &t, sizeof t);
    else if (w.holders != 0)
        t = w.holder[head % w.holders].token;
    why = svmc_token_why(&w.pool, &w.vcpu, &c, &t);
    if (how == 0) {
        st = svmc_token_check(&w.pool, &w.vcpu, &c, &t, &v);
    } else if (how == 1) {
        st = svmc_token_check_walk(&w.pool, &w.vcpu, &c, &t, &v);
    } else {
        struct svmc_token mac = t;

        call.counter = take_byte(in);
        require(svmc_token_call_mac(&w.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &t, &call, mac.tag) ==
                SVMC_OK);
        t = mac;
        st = svmc_token_check_call(&w.pool, &w.vcpu, &c, &t, &call, &v);
    }
    require(st == SVMC_OK || (st == SVMC_ERR_ARG && is_zero(&v, sizeof v) && why == 0));
    if (st == SVMC_OK && how < 2)
        require((v.end == SVMC_TOKEN_REFUSED) ==
                ((why & (how == 0 ? ~(uint32_t)SVMC_TOKEN_REMAPPED : ~0u)) != 0));
    if (st == SVMC_OK)
        judge(&c, &t, &v, how != 2);
}

static void change(struct input *in, unsigned what)
{
    uint8_t which = take_byte(in);
    unsigned n = w.holders ? which % w.holders : 0;
    uint32_t handle = w.holder[n].token.handle;
    struct svmc_token_site site = { 0 };
    struct svmc_token out;
    enum svmc_status st;

    switch (what) {
    case 0:
        take(in, &site, sizeof site);
        if (which & 0x40) {
            site.page &= ~(uint64_t)4095;
            site.frame &= ~(uint64_t)4095;
            site.offset &= 4095;
            site.reserved = 0;
        }
        st = svmc_token_rotate(&w.pool, handle, which & 0x80 ? &site : NULL, &out);
        require(st == SVMC_OK || is_zero(&out, sizeof out));
        if (st == SVMC_OK) {
            w.holder[n].token = out;
            if (which & 0x80) {
                w.holder[n].grant.page = site.page;
                w.holder[n].grant.offset = site.offset;
            }
        }
        break;
    case 1:
        (void)svmc_token_revoke(&w.pool, handle);
        break;
    case 2:
        (void)svmc_token_revoke_subtree(&w.pool, handle);
        break;
    case 3:
        (void)svmc_token_vm_restore(&w.pool, 1 + (which & 1), 1u + (which >> 6));
        break;
    case 4:
        (void)svmc_token_vm_seal(&w.pool, 1 + (which & 1));
        break;
    case 5:
        (void)svmc_token_beat(&w.pool, handle, take_byte(in));
        break;
    case 6:
        (void)svmc_token_expect(&w.pool, handle, which, take_byte(in));
        break;
    case 7:
        (void)svmc_token_met(&w.pool, handle, which, which);
        break;
    case 8:
        (void)svmc_token_tick(&w.pool, which);
        break;
    default:
        svmc_token_vcpu_init(&w.vcpu);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct svmc_token_event event;

    begin();
    while (in.left > 0) {
        uint8_t op = take_byte(&in) % 16;

        w.fails = false;
        if (op < 2)
            add(&in, op == 1);
        else if (op < 5)
            check(&in, op - 2u);
        else if (op == 5)
            require(svmc_token_event_next(&w.pool, &event) == SVMC_OK);
        else
            change(&in, op - 6u);
    }
    for (unsigned n = 0; n < 6; n++) /* what is left: at most LOST and a ring of four */
        require(svmc_token_event_next(&w.pool, &event) == SVMC_OK);
    require(event.kind == SVMC_TOKEN_EVENT_NONE);
    svmc_token_pool_drop(&w.pool);
    require(is_zero(w.entries, sizeof w.entries) && is_zero(&w.pool, sizeof w.pool));
    return 0;
}
