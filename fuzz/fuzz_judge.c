/* SPDX-License-Identifier: MIT */
/*
 * Two VMs whose guests call through the dispatcher with tokens of any holder, whole or with bits
 * changed, from any place, while holders come, move and go and pages are mapped elsewhere; and a
 * hypervisor whose functions fail or lie. A model of some lines knows who may call. Traps when a
 * handler is reached by anybody else or by a class that is not the token's, when somebody who may
 * is refused, when two refusals look different to a guest or change a register, when a callback
 * comes under the lock, or when a log gets other refusals than there were.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

#define HOLDERS 12u
#define VCPUS   2u /* of a VM */
#define ROOTS   2u
#define PAGES   4u
#define CALLS   6u
#define OWNER   5u
#define FAILS   UINT64_MAX /* a mapping that cannot be walked */

struct holder {
    struct svmc_token token;
    struct svmc_token_caller caller;
    struct svmc_token_grant grant;
    int parent; /* -1: none */
    uint32_t counter;
    bool alive;
};

/* What the hypervisor's record of a vCPU says. */
struct place {
    uint8_t root, page, offset, thread, returns, user, phase;
};

static struct {
    struct svmc_token_pool pool;
    struct svmc_token_entry entries[HOLDERS + 1];
    struct svmc_token_vm vms[2];
    struct svmc_token_slot events[8];
    struct svmc_token_expected expected[2];
    struct svmc_token_vcpu guards[2][VCPUS];
    struct svmc_judge judges[2];
    struct svmc_hcall_vm hcall_vms[2];
    struct svmc_hcall_vcpu vcpus[2][VCPUS];
    struct svmc_hcall_slot slots[2][VCPUS][2];
    struct place places[2][VCPUS];
    struct holder holders[HOLDERS];
    uint64_t map[2][ROOTS][PAGES], generation[2], stage2, mappings, ticks, cursor;
    uint64_t batch[2][SVMC_HCALL_BATCH_BYTES / 8];
    struct svmc_hcall_result refusal[2]; /* the first of each VM */
    uint64_t token[SVMC_HCALL_TOKEN_REGS];
    uint64_t judged[1 + SVMC_HCALL_REGS]; /* control word and arguments that were let in */
    unsigned vm, vcpu, handled, failing, may_fail, refusals, granted;
    uint8_t user, draws;
    bool exact, locked, seen[2];
} w;

static struct svmc_hcall_entry calls[CALLS];
static struct svmc_hcall_owner owner;
static struct svmc_hcall_table table;

/* ---- the hypervisor's functions ---------------------------------------------------------------*/

static bool fails(void)
{
    require(!w.locked);
    return w.failing != 0 && --w.failing == 0;
}

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, ++w.draws, n);
    return fails() ? SVMC_ERR_CALLBACK : SVMC_OK;
}

/* Not a MAC: that it depends on all of key and text is enough here. */
static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    uint64_t hash = 14695981039346656037u + alg;

    (void)ctx;
    for (size_t n = 0; n < SVMC_MAC_KEY_BYTES; n++)
        hash = (hash ^ key[n]) * 1099511628211u;
    for (size_t i = 0; i < pieces; i++)
        for (size_t n = 0; n < piece[i].bytes; n++)
            hash = (hash ^ ((const uint8_t *)piece[i].at)[n]) * 1099511628211u;
    memset(out, 0, SVMC_HASH_BYTES);
    memcpy(out, &hash, sizeof hash);
    memcpy(out + 9, &hash, 7);
    return fails() ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .random = draw, .mac = mac };

static struct svmc_token_caller record_of(unsigned vm, unsigned vcpu)
{
    const struct place *p = &w.places[vm][vcpu];

    return (struct svmc_token_caller){ .vm = vm,
                                       .vm_generation = w.generation[vm],
                                       .stage2_generation = w.stage2,
                                       .root = p->root,
                                       .page = (uint64_t)p->page << 12,
                                       .thread = p->thread,
                                       .returns = p->returns,
                                       .ticks = w.ticks,
                                       .vcpu = vcpu,
                                       .offset = p->offset,
                                       .isa = SVMC_ISA_X86_64,
                                       .user = p->user };
}

static enum svmc_status caller(void *ctx, const struct svmc_hcall_call *call,
                               struct svmc_token_caller *out)
{
    require(ctx == &w.judges[w.vm] && call->user == w.user && out->vcpu == w.vcpu);
    *out = record_of(w.vm, w.vcpu);
    out->vcpu += w.failing == 0xf0;
    out->user ^= w.failing == 0xf1;
    return fails() ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static enum svmc_status walk(void *ctx, const struct svmc_token_caller *c, uint32_t handle,
                             uint64_t *frame)
{
    uint64_t there;

    require(ctx == &w.judges[w.vm] && (handle == (uint32_t)w.token[0] || handle == 0));
    require(c->root < ROOTS && c->page >> 12 < PAGES && c->vm == w.vm);
    there = w.map[w.vm][c->root][c->page >> 12];
    *frame = there;
    if (fails())
        return SVMC_ERR_CALLBACK;
    return there == FAILS ? SVMC_ERR_AUTH : SVMC_OK;
}

static void refused(void *ctx, const struct svmc_token_caller *c,
                    const struct svmc_hcall_call *call, uint32_t why)
{
    (void)why;
    require(ctx == &w.judges[w.vm] && !w.locked && c->vm == w.vm && c->vcpu == w.vcpu);
    require((call->control & SVMC_HCALL_TOKEN) != 0);
    w.refusals++;
}

static void lock(void *ctx)
{
    (void)ctx;
    require(!w.locked);
    w.locked = true;
}

static void unlock(void *ctx)
{
    (void)ctx;
    require(w.locked);
    w.locked = false;
}

static const struct svmc_judge_ops judge_ops = { sizeof judge_ops, caller, walk,
                                                 refused,          lock,   unlock };

static enum svmc_status translate(void *ctx, const struct svmc_hcall_caller *c, svmc_gva at,
                                  uint32_t access, svmc_gpa *out, struct svmc_fault *fault)
{
    (void)ctx, (void)c, (void)access, (void)fault;
    out->v = at.v % sizeof w.batch;
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, const struct svmc_hcall_caller *c, svmc_gpa at,
                                   size_t n, uint32_t access, void **span)
{
    (void)ctx, (void)c, (void)access;
    require(at.v + n <= sizeof w.batch);
    *span = (uint8_t *)w.batch + at.v;
    return SVMC_OK;
}

/* ---- the model --------------------------------------------------------------------------------*/

static bool has_mac(const struct holder *h, uint64_t control, const uint64_t *arg)
{
    struct svmc_token_call call = { .control = control, .counter = w.token[0] >> 32 };
    struct svmc_token made;
    unsigned failing = w.failing;
    bool same;

    memcpy(call.arg, arg, sizeof call.arg);
    w.failing = 0;
    require(svmc_token_call_mac(&crypto, 1, &h->token, &call, made.tag) == SVMC_OK);
    w.failing = failing;
    same = memcmp(made.tag, w.token + 1, sizeof made.tag) == 0;
    return same && call.counter > h->counter;
}

/* The class by which this call may be made; 0: it may not be. *who: by whom. */
static unsigned fits(uint64_t control, const uint64_t *arg, uint16_t classes, struct holder **who)
{
    const struct svmc_token_caller c = record_of(w.vm, w.vcpu);
    bool tagged = (control & SVMC_HCALL_TAGGED) != 0;

    *who = NULL;
    for (struct holder *h = w.holders; h < w.holders + HOLDERS; h++) {
        const struct svmc_token_caller *is = &h->caller;
        const struct svmc_token_grant *g = &h->grant;

        if (!h->alive || h->token.handle != (tagged ? (uint32_t)w.token[0] : w.token[0]))
            continue;
        if (tagged ? !has_mac(h, control, arg) : memcmp(h->token.tag, w.token + 1, 16) != 0)
            continue;
        if (is->vm != c.vm || is->root != c.root || is->user != c.user || g->page != c.page ||
            g->offset != c.offset || g->until <= c.ticks || !(g->vcpus >> c.vcpu & 1))
            continue;
        if ((g->flags & SVMC_TOKEN_ONE_THREAD) && is->thread != c.thread)
            continue;
        if (g->return_bytes != 0 && c.returns - g->returns >= g->return_bytes)
            continue;
        if (w.map[w.vm][c.root][c.page >> 12] != g->frame)
            continue;
        *who = h;
        return (unsigned)__builtin_ctz((g->classes & classes) | 0x10000) & 15;
    }
    return 0;
}

/* What the judge says is what the model says; with lock-outs it may refuse more. */
static enum svmc_status token(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out)
{
    struct holder *who;
    unsigned class = fits(call->control, call->arg, call->classes, &who);
    enum svmc_status st = svmc_judge_call(ctx, vcpu, call, out);

    require(st == SVMC_OK || (out->token_class | out->handle | out->rights) == 0);
    if (st == SVMC_OK)
        require(class != 0 && out->token_class == class && out->handle == who->token.handle &&
                out->rights == who->grant.rights);
    else if (st == SVMC_ERR_AUTH)
        require(class == 0 || !w.exact);
    else
        require(st == SVMC_ERR_CALLBACK && w.failing != w.may_fail);
    if (who && (call->control & SVMC_HCALL_TAGGED) &&
        (st == SVMC_OK || (st == SVMC_ERR_AUTH && w.exact)))
        who->counter = (uint32_t)(w.token[0] >> 32);
    w.granted = st == SVMC_OK ? class : 0;
    w.judged[0] = call->control;
    memcpy(w.judged + 1, call->arg, sizeof call->arg);
    return st;
}

static const struct svmc_hcall_ops hcall_ops = {
    .size = sizeof hcall_ops, .translate = translate, .guest_span = guest_span, .token = token
};

static uint32_t handler(void *ctx, struct svmc_hcall_run *run)
{
    const struct svmc_hcall_entry *e = &calls[(uint16_t)run->control - SVMC_HCALL_FIRST];

    require(ctx == &w.judges[w.vm] && run->vcpu == w.vcpu && run->user == w.user);
    require(!(run->control & SVMC_HCALL_DRY_RUN) && !w.locked);
    require((e->may & SVMC_HCALL_PHASE(w.places[w.vm][w.vcpu].phase)) != 0);
    require((e->may & (w.user ? SVMC_HCALL_USER : SVMC_HCALL_KERNEL)) != 0);
    require((e->may & SVMC_HCALL_CLASS(run->token_class)) != 0);
    w.handled++;
    if (run->control & SVMC_HCALL_TOKEN)
        require(w.granted != 0 && run->control == w.judged[0] &&
                memcmp(run->arg, w.judged + 1, sizeof run->arg) == 0);
    require(run->token_class == w.granted);
    w.granted = 0;
    run->arg[0] = run->token_class;
    if (!(e->flags & SVMC_HCALL_MAY_PARTIAL) || run->resumed)
        return SVMC_HCALL_OK;
    run->progress = 1;
    return SVMC_HCALL_PARTIAL;
}

/* ---- holders come, move and go ----------------------------------------------------------------*/

static void take_grant(struct input *in, struct svmc_token_grant *g, const struct place *p)
{
    uint8_t how = take_byte(in);

    *g = (struct svmc_token_grant){
        .rights = 1,
        .vcpus = how & 1 ? 1 : 3,
        .classes = how & 2 ? take_byte(in) & SVMC_TOKEN_CLASSES : 6,
        .until = how & 4 ? w.ticks + 1 + take_byte(in) : SVMC_TOKEN_FOREVER,
        .page = (uint64_t)p->page << 12,
        .frame = (uint64_t)(1 + p->page) << 12,
        .offset = p->offset,
        .returns = how & 8 ? p->returns : 0,
        .return_bytes = how & 8 ? 1 : 0,
        .flags = how & 16 ? SVMC_TOKEN_ONE_THREAD : 0,
    };
    if (how & 32)
        g->frame = (uint64_t)(1 + take_byte(in) % PAGES) << 12;
}

static void come(struct input *in, bool child)
{
    unsigned vm = take_byte(in) & 1, vcpu = take_byte(in) % VCPUS, n = 0;
    int parent = child ? (int)(take_byte(in) % HOLDERS) : -1;
    struct svmc_token_caller c = record_of(vm, vcpu);
    struct svmc_token_grant g;
    struct svmc_token t;
    enum svmc_status st;

    take_grant(in, &g, &w.places[vm][vcpu]);
    while (n < HOLDERS && w.holders[n].alive)
        n++;
    if (n == HOLDERS)
        return;
    st = child ? svmc_token_attenuate(&w.pool, w.holders[parent].token.handle, &c, &g, &t)
               : svmc_token_enrol(&w.pool, &c, &g, SVMC_OK, &t);
    if (st == SVMC_OK)
        w.holders[n] = (struct holder){ t, c, g, parent, 0, true };
}

static void die(int n, bool subtree)
{
    w.holders[n].alive = false;
    for (int again = 1; again != 0;) {
        again = 0;
        for (unsigned i = 0; i < HOLDERS; i++) {
            struct holder *h = &w.holders[i];

            if (!h->alive || h->parent < 0 || w.holders[h->parent].alive)
                continue;
            if (subtree)
                h->alive = false;
            else
                h->parent = w.holders[h->parent].parent;
            again = 1;
        }
    }
}

static void change(struct input *in, unsigned what)
{
    unsigned n = take_byte(in) % HOLDERS, vm = n & 1;
    struct holder *h = &w.holders[n];
    struct svmc_token_site site = { .page = (uint64_t)(take_byte(in) % PAGES) << 12 };
    struct svmc_token_event event;
    struct svmc_token t;

    switch (what) {
    case 0: /* rotate, and move */
        site.frame = site.page + 4096;
        site.offset = n;
        if (svmc_token_rotate(&w.pool, h->token.handle, &site, &t) != SVMC_OK)
            break;
        h->token = t;
        h->grant.page = site.page;
        h->grant.frame = site.frame;
        h->grant.offset = site.offset;
        h->counter = 0;
        break;
    case 1:
        require((svmc_token_revoke(&w.pool, h->token.handle) == SVMC_OK) == h->alive);
        die((int)n, false);
        break;
    case 2:
        require((svmc_token_revoke_subtree(&w.pool, h->token.handle) == SVMC_OK) == h->alive);
        die((int)n, true);
        break;
    case 3:
        require(svmc_token_vm_restore(&w.pool, vm, ++w.generation[vm]) == SVMC_OK);
        for (unsigned i = 0; i < HOLDERS; i++)
            w.holders[i].alive &= w.holders[i].caller.vm != vm;
        break;
    case 4: /* another mapping, and so another generation */
        w.map[vm][n >> 1 & 1][site.page >> 12] =
            n < 9 ? (uint64_t)(1 + take_byte(in) % PAGES) << 12 : FAILS;
        w.mappings++; /* no generation comes twice */
        w.stage2 = take_byte(in) == 0 ? 0 : w.mappings;
        if (w.stage2 == 0 && take_byte(in) != 0)
            w.stage2 = w.mappings;
        break;
    case 5:
        w.ticks += take_byte(in);
        for (unsigned i = 0; i < 2 * HOLDERS; i++) { /* TK-13: room for each event */
            require(svmc_token_event_next(&w.pool, &event) == SVMC_OK);
            require(svmc_token_tick(&w.pool, w.ticks) == SVMC_OK);
        }
        for (unsigned i = 0; i < HOLDERS; i++)
            if (w.holders[i].alive && w.holders[i].grant.until <= w.ticks)
                die((int)i, false);
        break;
    case 6:
        (void)svmc_judge_expect(&w.judges[vm], h->token.handle, SVMC_HCALL_FIRST + (n & 3),
                                w.ticks + 5, NULL);
        break;
    case 7:
        svmc_token_vcpu_init(&w.guards[vm][n >> 1 & 1]);
        break;
    default:
        require(svmc_token_event_next(&w.pool, &event) == SVMC_OK);
    }
}

static void move(struct input *in)
{
    unsigned vm = take_byte(in) & 1, vcpu = take_byte(in) % VCPUS;
    struct place *p = &w.places[vm][vcpu];
    struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64 };

    take(in, p, sizeof *p);
    p->root %= ROOTS;
    p->page %= PAGES;
    p->offset &= 15;
    p->thread &= 3;
    p->returns &= 3;
    p->user &= 1;
    place.phase = p->phase &= 1;
    require(svmc_hcall_vcpu_move(&w.vcpus[vm][vcpu], &place) == SVMC_OK);
}

/* ---- calls ------------------------------------------------------------------------------------*/

/* A guest knows any tag that it has ever read, and changes what it likes. */
static void take_registers(struct input *in, struct svmc_hcall_call *call)
{
    uint8_t how = take_byte(in), bit;
    const struct holder *h = &w.holders[take_byte(in) % HOLDERS];
    struct svmc_token t = h->token;
    struct svmc_token_call made = { .control = call->control };

    call->token[0] = t.handle;
    if (call->control & SVMC_HCALL_TAGGED) {
        made.counter = how >> 4;
        call->token[0] |= made.counter << 32;
        memcpy(made.arg, call->arg, sizeof made.arg);
        require(svmc_token_call_mac(&crypto, 1, &h->token, &made, t.tag) == SVMC_OK);
    }
    memcpy(call->token + 1, t.tag, sizeof t.tag);
    if ((how & 3) == 1) {
        bit = take_byte(in) % 192;
        call->token[bit / 64] ^= (uint64_t)1 << bit % 64;
    } else if ((how & 3) == 2) {
        take(in, call->token, sizeof call->token);
    } else if ((how & 3) == 3) {
        call->arg[0] ^= take_byte(in);
        call->control ^= (uint64_t)(take_byte(in) & 7);
    }
}

/* All refusals of a VM look alike, and change nothing. */
static void must_be_alike(const struct svmc_hcall_result *out)
{
    if (!w.seen[w.vm])
        w.refusal[w.vm] = *out;
    w.seen[w.vm] = true;
    require(memcmp(&w.refusal[w.vm], out, sizeof *out) == 0);
    require(out->status == SVMC_HCALL_DENIED && out->results == 0);
    require(out->end == (w.hcall_vms[w.vm].inject ? SVMC_HCALL_INJECT : SVMC_HCALL_DONE));
}

/* What a call with nothing special about it comes to. `was`: as the guest made it. */
static void compare(const struct svmc_hcall_call *was, const struct svmc_hcall_result *out)
{
    const unsigned number = (uint16_t)was->control - SVMC_HCALL_FIRST;
    const struct svmc_hcall_entry *e = &calls[number % CALLS];
    const uint32_t flags = (uint32_t)was->control & 0xffc00000;
    const struct place *p = &w.places[w.vm][w.vcpu];

    if (number >= CALLS || !(e->may & SVMC_HCALL_PHASE(p->phase)) ||
        !(e->may & (p->user ? SVMC_HCALL_USER : SVMC_HCALL_KERNEL)) ||
        (flags & ~(uint32_t)(SVMC_HCALL_TOKEN | SVMC_HCALL_TAGGED)) != 0 ||
        flags == SVMC_HCALL_TAGGED || was->control >> 32 != (uint64_t)SVMC_HCALL_ABI << 24)
        return;
    if ((e->flags & SVMC_HCALL_MAY_PARTIAL) && out->status == SVMC_HCALL_RETRY && p->user)
        return; /* HN-17: the only slot is the kernel's */
    if (flags & SVMC_HCALL_TOKEN)
        require(w.handled + w.refusals == 1);
    else
        require(w.refusals == 0 && w.handled == (e->may >> 32 & 1));
    if (w.refusals != 0)
        must_be_alike(out);
}

static void call(struct input *in)
{
    uint8_t how = take_byte(in), number = take_byte(in), flags = take_byte(in);
    struct svmc_hcall_call c = { 0 }, was;
    struct svmc_hcall_result out;
    enum svmc_status st;

    w.vm = how & 1;
    w.vcpu = how >> 1 & 1;
    w.failing = 0;
    c.user = w.user = w.places[w.vm][w.vcpu].user;
    c.control = (uint64_t)SVMC_HCALL_ABI << 56 | OWNER << 16 | (SVMC_HCALL_FIRST + number % 8);
    c.control |= (uint64_t)(flags & 0x7f) << 22;
    c.arg[0] = c.control & SVMC_HCALL_RESUME ? w.cursor : take_byte(in);
    take_registers(in, &c);
    if (c.control & SVMC_HCALL_BATCH) {
        uint64_t inner = take_byte(in) & 3;

        c.control = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | (uint64_t)2 << 32;
        c.arg[0] = 0;
        for (unsigned n = 0; n < 2; n++)
            w.batch[n][0] = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_TOKEN | OWNER << 16 |
                            (SVMC_HCALL_FIRST + inner + n);
    }
    memcpy(w.token, c.token, sizeof w.token);
    was = c;
    w.handled = w.refusals = w.granted = 0;
    w.failing = w.may_fail = how >> 4 == 15  ? 0xf0 + (how >> 3 & 1)
                             : how >> 4 > 12 ? how >> 3 & 7
                                             : 0;
    count_call();
    st = svmc_hcall_dispatch(&w.vcpus[w.vm][w.vcpu], &c, &out);
    require(!w.locked && (st == SVMC_OK || (st == SVMC_ERR_CALLBACK && how >> 4 > 12)));
    require(memcmp(c.token, was.token, sizeof c.token) == 0);
    for (unsigned n = out.results; n < SVMC_HCALL_REGS; n++)
        require(c.arg[n] == was.arg[n]);
    if (out.status >> 63)
        w.cursor = c.arg[0];
    if (was.control & SVMC_HCALL_BATCH)
        return;
    require(w.handled <= 1 && w.refusals <= 1 && w.handled + w.refusals <= 1);
    if (st != SVMC_OK)
        require(w.refusals == 0 && (w.handled == 0 || number % 8 == 3)); /* 3: its cursor */
    else
        compare(&was, &out);
}

/* ---- a run ------------------------------------------------------------------------------------*/

static const struct svmc_hcall_schema schema = { .arg = { { .kind = SVMC_HCALL_U64 } },
                                                 .results = 1 };

static void declare(struct input *in)
{
    static uint64_t room[1024];

    for (unsigned n = 0; n < CALLS; n++) {
        uint8_t may = take_byte(in);

        calls[n] = (struct svmc_hcall_entry){
            .handler = handler,
            .may = SVMC_HCALL_ANY_LEVEL | SVMC_HCALL_ANY_ROLE | SVMC_HCALL_NESTED(0),
            .number = (uint16_t)(SVMC_HCALL_FIRST + n),
            .flags = n == 3 ? SVMC_HCALL_MAY_PARTIAL : 0,
        };
        calls[n].may |= may & 1 ? SVMC_HCALL_PHASE(1) : SVMC_HCALL_ANY_PHASE;
        calls[n].may |= may & 2 ? SVMC_HCALL_USER : SVMC_HCALL_USER | SVMC_HCALL_KERNEL;
        calls[n].may |= (uint64_t)(may >> 2 & 15) << 32; /* classes 0 to 3 */
        if ((may >> 2 & 15) == 0)
            calls[n].may |= SVMC_HCALL_CLASS(1);
    }
    owner = (struct svmc_hcall_owner){ .calls = calls,
                                       .schemas = &schema,
                                       .call_count = CALLS,
                                       .schema_count = 1,
                                       .may = SVMC_HCALL_MAY_ALL,
                                       .owner = OWNER };
    require(svmc_hcall_init(&table, &owner, 1, room, sizeof room, NULL) == SVMC_OK);
}

static void begin(struct input *in)
{
    uint8_t how = take_byte(in);
    struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64 };
    struct svmc_hcall_room lent = { .slot_count = 2 };
    struct svmc_token_config config = { .crypto = &crypto,
                                        .entries = w.entries,
                                        .vms = w.vms,
                                        .events = w.events,
                                        .expected = w.expected,
                                        .entry_count = HOLDERS + 1,
                                        .vm_count = 2,
                                        .event_count = 8,
                                        .expected_count = 2,
                                        .mac_alg = 1,
                                        .miss_limit = how & 1 ? 2 : UINT32_MAX,
                                        .lock_rounds = 4,
                                        .lock_ticks = 9 };

    memset(&w, 0, sizeof w);
    w.exact = !(how & 1);
    w.stage2 = w.mappings = how >> 1 & 1;
    w.ticks = 1;
    declare(in);
    require(svmc_token_pool_init(&w.pool, &config) == SVMC_OK);
    for (unsigned vm = 0; vm < 2; vm++) {
        w.generation[vm] = 1;
        require(svmc_token_vm_open(&w.pool, vm, 1) == SVMC_OK);
        require(svmc_judge_init(&w.judges[vm], &w.pool, w.guards[vm], VCPUS, &judge_ops,
                                &w.judges[vm]) == SVMC_OK);
        w.hcall_vms[vm] = (struct svmc_hcall_vm){ .table = &table,
                                                  .ops = &hcall_ops,
                                                  .crypto = &crypto,
                                                  .ctx = &w.judges[vm],
                                                  .id = vm,
                                                  .mac_alg = 1,
                                                  .batch_entries = 2,
                                                  .inject = how >> (2 + vm) & 1 };
        for (unsigned n = 0; n < ROOTS * PAGES; n++)
            w.map[vm][n / PAGES][n % PAGES] = (uint64_t)(1 + n % PAGES) << 12;
        for (unsigned n = 0; n < VCPUS; n++) {
            lent.slots = w.slots[vm][n];
            require(svmc_hcall_vcpu_init(&w.vcpus[vm][n], &w.hcall_vms[vm], n, &place, &lent) ==
                    SVMC_OK);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    begin(&in);
    while (in.left > 0) {
        uint8_t op = take_byte(&in) & 31;

        w.failing = 0;
        if (op < 3)
            come(&in, op == 2);
        else if (op < 6)
            move(&in);
        else if (op < 16)
            change(&in, op - 6u);
        else
            call(&in);
    }
    svmc_token_pool_drop(&w.pool);
    return 0;
}
