/* SPDX-License-Identifier: MIT */
/*
 * Random histories against a model that only remembers who holds what: two VMs, processes, vCPUs
 * that calls move between, mappings that change and change back, snapshots, unloading. After each
 * step one call: no token that the model calls dead is let in, none that it calls good is refused,
 * and a call that is let in without a walk was walked since the last change (TK-4 to TK-10: TK-4
 * TK-5 TK-6 TK-7 TK-8 TK-9 TK-10). SVMC_HISTORIES: how many; 10^6 take half a minute.
 */
#include <stdlib.h>

#include "../harness.h"
#include "token_lab.h"

#define STEPS   40u
#define HOLDERS 64u /* of a history, dead ones too */
#define ROOTS   3u
#define PAGES   4u
#define VCPUS   4u
#define KEPT    8u /* tags that were rotated away */

struct holder {
    struct svmc_token token;
    struct svmc_token_grant grant;
    unsigned vm, root, page, user, isa;
    unsigned parent; /* HOLDERS: none */
    uint64_t generation;
    uint64_t seen[VCPUS]; /* the stage-2 generation of its last walk there */
    bool good;
};

static struct {
    struct svmc_token_pool pool;
    struct svmc_token_entry entries[13];
    struct svmc_token_vm vms[2];
    struct svmc_token_slot events[4];
    struct svmc_token_vcpu vcpus[VCPUS];
    struct fake_crypto fake;
    struct holder holder[HOLDERS];
    unsigned holders;
    uint64_t generation[2], stage2, ticks;
    bool sealed[2];
    uint64_t frame[2][ROOTS][PAGES];
    struct svmc_token old[KEPT];
    unsigned olds;
    uint64_t rng;
    unsigned long calls, allowed, refused, walks, made;
} m;

static unsigned pick(unsigned below)
{
    return (unsigned)(harness_random(&m.rng) % below);
}

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    uint64_t words[2] = { harness_random(&m.rng), harness_random(&m.rng) };

    (void)ctx;
    memcpy(dst, words, n);
    return SVMC_OK;
}

static void begin(void)
{
    struct svmc_token_config config = {
        .crypto = &m.fake.ops,
        .entries = m.entries,
        .vms = m.vms,
        .events = m.events,
        .entry_count = sizeof m.entries / sizeof m.entries[0],
        .vm_count = 2,
        .event_count = 4,
        .miss_limit = UINT32_MAX,
        .lock_ticks = 1,
    };

    m.holders = m.olds = 0;
    m.stage2 = m.ticks = 1;
    fake_crypto_init(&m.fake);
    m.fake.ops.random = draw;
    CHECK_EQ(svmc_token_pool_init(&m.pool, &config), SVMC_OK);
    for (unsigned v = 0; v < VCPUS; v++)
        svmc_token_vcpu_init(&m.vcpus[v]);
    for (unsigned vm = 0; vm < 2; vm++) {
        m.generation[vm] = 1;
        m.sealed[vm] = false;
        CHECK_EQ(svmc_token_vm_open(&m.pool, vm, 1), SVMC_OK);
        for (unsigned r = 0; r < ROOTS; r++)
            for (unsigned p = 0; p < PAGES; p++)
                m.frame[vm][r][p] = 0x100000 + 0x1000 * (pick(4) + 4 * p);
    }
}

/* What stands behind a call of somebody who stands where this holder stood. */
static struct svmc_token_caller caller_of(const struct holder *h, unsigned vcpu)
{
    return (struct svmc_token_caller){
        .vm = h->vm,
        .vm_generation = m.generation[h->vm],
        .stage2_generation = m.stage2,
        .root = 0x1000 * (h->root + 1),
        .page = 0x400000 + 0x1000 * h->page,
        .frame = m.frame[h->vm][h->root][h->page],
        .ticks = m.ticks,
        .vcpu = vcpu,
        .offset = h->grant.offset,
        .isa = (uint8_t)h->isa,
        .user = (uint8_t)h->user,
    };
}

static struct holder *any_holder(void)
{
    return m.holders == 0 ? NULL : &m.holder[pick(m.holders)];
}

static struct svmc_token_grant some_grant(const struct holder *h)
{
    return (struct svmc_token_grant){
        .rights = harness_random(&m.rng) & harness_random(&m.rng) & 0xff,
        .vcpus = 1 + pick(15),
        .classes = 2u << pick(3) | 2u << pick(3),
        .until = pick(3) ? SVMC_TOKEN_FOREVER : m.ticks + 1 + pick(30),
        .page = 0x400000 + 0x1000 * h->page,
        .frame = m.frame[h->vm][h->root][h->page],
        .offset = pick(3) * 16,
    };
}

/* The model's own words for "alive": an end of time, a generation, no dead one above. */
static bool is_good(const struct holder *h)
{
    return h->good && h->generation == m.generation[h->vm] && h->grant.until > m.ticks;
}

static unsigned used(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < m.holders; i++)
        n += m.holder[i].good;
    return n;
}

static void step_enrol(void)
{
    struct holder *h = &m.holder[m.holders];
    struct svmc_token_caller c;
    bool measured = pick(8) != 0, room = used() < sizeof m.entries / sizeof m.entries[0] - 1;
    enum svmc_status st;

    if (m.holders == HOLDERS)
        return;
    memset(h, 0, sizeof *h);
    h->vm = pick(2), h->root = pick(ROOTS), h->page = pick(PAGES);
    h->user = pick(2), h->isa = 3 + pick(2);
    h->parent = HOLDERS;
    h->grant = some_grant(h);
    h->generation = m.generation[h->vm];
    c = caller_of(h, 0);
    st = svmc_token_enrol(&m.pool, &c, &h->grant, measured ? SVMC_OK : SVMC_ERR_AUTH, &h->token);
    h->good = measured && room && !m.sealed[h->vm];
    CHECK_EQ(st == SVMC_OK, h->good);
    m.holders += h->good;
}

static void step_attenuate(void)
{
    struct holder *p = any_holder(), *h = &m.holder[m.holders];
    struct svmc_token_caller c;
    bool less, room = used() < sizeof m.entries / sizeof m.entries[0] - 1;
    enum svmc_status st;

    if (!p || m.holders == HOLDERS)
        return;
    memset(h, 0, sizeof *h);
    h->vm = pick(10) ? p->vm : pick(2);
    h->root = pick(ROOTS), h->page = pick(PAGES);
    h->user = pick(2), h->isa = p->isa;
    h->parent = (unsigned)(p - m.holder);
    h->grant = some_grant(h);
    if (pick(3)) {
        h->grant.rights &= p->grant.rights;
        h->grant.classes = p->grant.classes;
        h->grant.vcpus = p->grant.vcpus;
        h->grant.until = p->grant.until;
    }
    h->generation = m.generation[h->vm];
    c = caller_of(h, 0);
    less = h->vm == p->vm && h->user >= p->user && h->grant.until <= p->grant.until;
    for (unsigned n = 0; n < 16; n++)
        less &= (!(h->grant.rights >> n & 1) || (p->grant.rights >> n & 1)) &&
                (!(h->grant.vcpus >> n & 1) || (p->grant.vcpus >> n & 1)) &&
                (!(h->grant.classes >> n & 1) || (p->grant.classes >> n & 1));
    st = svmc_token_attenuate(&m.pool, p->token.handle, &c, &h->grant, &h->token);
    if (h->grant.until <= m.ticks)
        CHECK_EQ(st, SVMC_ERR_ARG);
    h->good = is_good(p) && less && room && h->grant.until > m.ticks;
    CHECK_EQ(st == SVMC_OK, h->good);
    m.holders += h->good;
}

static void step_rotate(void)
{
    struct holder *h = any_holder();
    struct svmc_token_site site;
    struct svmc_token token;
    unsigned page = pick(PAGES);
    bool move = pick(2);

    if (!h)
        return;
    site = (struct svmc_token_site){ .page = 0x400000 + 0x1000 * page,
                                     .frame = m.frame[h->vm][h->root][page],
                                     .offset = 16 * pick(3) };
    CHECK_EQ(svmc_token_rotate(&m.pool, h->token.handle, move ? &site : NULL, &token) == SVMC_OK,
             h->good);
    if (!h->good)
        return;
    m.old[m.olds++ % KEPT] = h->token;
    h->token = token;
    memset(h->seen, 0, sizeof h->seen);
    if (move) {
        h->page = page;
        h->grant.page = site.page;
        h->grant.frame = site.frame;
        h->grant.offset = site.offset;
    }
}

static void step_revoke(void)
{
    struct holder *h = any_holder();
    bool subtree = pick(2);
    enum svmc_status st;

    if (!h)
        return;
    st = subtree ? svmc_token_revoke_subtree(&m.pool, h->token.handle)
                 : svmc_token_revoke(&m.pool, h->token.handle);
    CHECK_EQ(st == SVMC_OK, h->good);
    if (!h->good)
        return;
    h->good = false;
    for (unsigned i = 0; i < m.holders; i++) { /* children come behind their parents */
        struct holder *child = &m.holder[i];
        unsigned up = child->parent;

        if (subtree) {
            while (up != HOLDERS && &m.holder[up] != h)
                up = m.holder[up].parent;
            child->good &= up == HOLDERS;
        } else if (up == (unsigned)(h - m.holder)) {
            child->parent = h->parent;
        }
    }
}

/* A snapshot is taken back: what the guest holds is of then, the pool is of now. */
static void step_restore(void)
{
    unsigned vm = pick(2);

    CHECK_EQ(svmc_token_vm_restore(&m.pool, vm, m.generation[vm]), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_vm_restore(&m.pool, vm, ++m.generation[vm]), SVMC_OK);
    m.sealed[vm] = false;
    for (unsigned i = 0; i < m.holders; i++)
        m.holder[i].good &= m.holder[i].vm != vm;
}

/* The VM ends and another one of its name begins. */
static void step_close(void)
{
    unsigned vm = pick(2);

    CHECK_EQ(svmc_token_vm_close(&m.pool, vm), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&m.pool, vm, m.generation[vm]), SVMC_OK);
    m.sealed[vm] = false;
    for (unsigned i = 0; i < m.holders; i++)
        m.holder[i].good &= m.holder[i].vm != vm;
}

static void step_remap(void)
{
    unsigned vm = pick(2), root = pick(ROOTS), page = pick(PAGES);

    m.frame[vm][root][page] = 0x100000 + 0x1000 * (pick(4) + 4 * page);
    m.stage2++;
}

static void step_time(void)
{
    struct svmc_token_event event;

    m.ticks += pick(12);
    if (pick(2))
        return;
    do /* what finds no room for its event stays: TK-13 */
        CHECK_EQ(svmc_token_event_next(&m.pool, &event), SVMC_OK);
    while (event.kind != SVMC_TOKEN_EVENT_NONE);
    for (unsigned n = 0; n < sizeof m.entries / sizeof m.entries[0]; n++) {
        CHECK_EQ(svmc_token_tick(&m.pool, m.ticks), SVMC_OK);
        CHECK_EQ(svmc_token_event_next(&m.pool, &event), SVMC_OK);
    }
    for (unsigned i = 0; i < m.holders; i++)
        m.holder[i].good &= m.holder[i].grant.until > m.ticks;
}

static void step_seal(void)
{
    unsigned vm = pick(2);

    CHECK_EQ(svmc_token_vm_seal(&m.pool, vm), m.sealed[vm] ? SVMC_ERR_STATE : SVMC_OK);
    m.sealed[vm] = true;
}

/* One thing about the call is wrong: 0 to 8, else nothing. */
static bool spoil(unsigned how, struct svmc_token_caller *c, struct svmc_token *token)
{
    switch (how) {
    case 0:
        token->tag[pick(16)] ^= (uint8_t)(1u << pick(8));
        break;
    case 1:
        c->root += 0x1000 * ROOTS;
        break;
    case 2:
        c->vm ^= 1;
        break;
    case 3:
        c->user ^= 1;
        break;
    case 4:
        c->isa ^= 8;
        break;
    case 5:
        c->offset += 4;
        break;
    case 6:
        c->page ^= 0x80000;
        break;
    case 7:
        c->vm_generation += 1 + pick(2);
        break;
    case 8:
        token->handle += 1 + pick(UINT32_MAX - 1);
        break;
    default:
        return false;
    }
    return true;
}

static void call(void)
{
    struct holder *h = any_holder();
    unsigned vcpu = pick(VCPUS);
    struct svmc_token_verdict verdict;
    struct svmc_token_caller c;
    struct svmc_token token;
    bool good, mapped;

    for (unsigned n = 0; n < 3 && h && !is_good(h); n++) /* rather a living one */
        h = any_holder();
    if (!h)
        return;
    c = caller_of(h, vcpu);
    token = h->token;
    good = is_good(h) && (h->grant.vcpus >> vcpu & 1) && !spoil(pick(18), &c, &token);
    if (m.olds > 0 && pick(8) == 0) { /* a tag of before, with anybody's place */
        token = m.old[pick(m.olds < KEPT ? m.olds : KEPT)];
        good = false;
    }
    mapped = h->grant.frame == c.frame;
    m.calls++;
    CHECK_EQ(svmc_token_check(&m.pool, &m.vcpus[vcpu], &c, &token, &verdict), SVMC_OK);
    CHECK_EQ(verdict.end != SVMC_TOKEN_REFUSED, good, "call %lu", m.calls);
    if (verdict.end == SVMC_TOKEN_ALLOWED) /* the walk is of now, and was right */
        CHECK(h->seen[vcpu] == m.stage2 && mapped, "call %lu", m.calls);
    if (verdict.end == SVMC_TOKEN_WALK) {
        m.walks++;
        CHECK_EQ(svmc_token_check_walk(&m.pool, &m.vcpus[vcpu], &c, &token, &verdict), SVMC_OK);
        CHECK_EQ(verdict.end, mapped ? SVMC_TOKEN_ALLOWED : SVMC_TOKEN_REFUSED);
        if (mapped)
            h->seen[vcpu] = m.stage2;
    }
    m.allowed += verdict.end == SVMC_TOKEN_ALLOWED;
    m.refused += verdict.end == SVMC_TOKEN_REFUSED;
    if (verdict.end == SVMC_TOKEN_ALLOWED) {
        CHECK_EQ(verdict.rights, h->grant.rights);
        CHECK_EQ(verdict.classes, h->grant.classes);
        CHECK_EQ(svmc_token_check(&m.pool, &m.vcpus[vcpu], &c, &token, &verdict), SVMC_OK);
        CHECK_EQ(verdict.end, SVMC_TOKEN_ALLOWED);
    }
}

static void step(void)
{
    switch (pick(24)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        step_enrol();
        break;
    case 5:
    case 6:
    case 7:
        step_attenuate();
        break;
    case 8:
    case 9:
        step_rotate();
        break;
    case 10:
    case 11:
        step_revoke();
        break;
    case 12:
        step_restore();
        break;
    case 13:
        if (pick(2))
            step_close();
        break;
    case 14:
    case 15:
        step_remap();
        break;
    case 16:
        step_time();
        break;
    case 17:
        if (pick(3) == 0)
            step_seal();
        break;
    default:
        break; /* a call alone */
    }
    call();
}

TEST(token, histories)
{
    const char *env = getenv("SVMC_HISTORIES");
    unsigned long histories = env ? strtoul(env, NULL, 0) : 3000;

    memset(&m, 0, sizeof m);
    m.rng = harness_seed();
    for (unsigned long n = 0; n < histories; n++) {
        begin();
        for (unsigned s = 0; s < STEPS; s++)
            step();
    }
    printf("%lu histories, %lu calls: %lu allowed, %lu refused, %lu walks\n", histories, m.calls,
           m.allowed, m.refused, m.walks);
    CHECK(m.allowed * 10 > m.calls && m.refused * 10 > m.calls && m.walks * 10 > m.calls);
}
