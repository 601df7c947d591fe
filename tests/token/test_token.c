/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "../harness.h"
#include "token_lab.h"

static struct token_lab lab;

static enum svmc_status enrol(struct svmc_token *out)
{
    return svmc_token_enrol(&lab.pool, &lab.caller, &lab.grant, SVMC_OK, out);
}

/* Its index and tag are not zero: nothing was left behind. */
static bool is_zero(const void *at, size_t n)
{
    const uint8_t *byte = at;

    for (size_t i = 0; i < n; i++)
        if (byte[i] != 0)
            return false;
    return true;
}

TEST(token, holder_is_known) /* TK-2 TK-5; K2 K4 K6 K14 */
{
    struct svmc_token other;

    token_lab_start(&lab);
    CHECK(!is_zero(lab.token.tag, sizeof lab.token.tag) && lab.token.handle >> 16 == 1);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(lab.why, 0);
    CHECK_EQ(lab.verdict.rights, lab.grant.rights);
    CHECK_EQ(lab.verdict.classes, 6);
    CHECK_EQ(enrol(&other), SVMC_OK); /* K4: another one has another */
    CHECK(other.handle != lab.token.handle && memcmp(other.tag, lab.token.tag, 16) != 0);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &other), SVMC_TOKEN_ALLOWED);
    other.handle = lab.token.handle;
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &other), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_TAG);
    CHECK_EQ(lab.verdict.rights, 0);
    CHECK_EQ(lab.verdict.classes, 0);
}

TEST(token, every_bit_of_a_tag_counts) /* TK-5; K6 */
{
    struct svmc_token wrong;

    token_lab_start(&lab);
    for (unsigned bit = 0; bit < 128; bit++) {
        wrong = lab.token;
        wrong.tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &wrong), SVMC_TOKEN_REFUSED, "bit %u", bit);
        CHECK_EQ(lab.why, SVMC_TOKEN_TAG, "bit %u", bit);
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
    }
}

TEST(token, handles_that_are_none) /* TK-1 TK-5: entry 0 stands for them */
{
    static const uint32_t handles[] = {
        0, 1, 0x10000, 0x10000 | LAB_ENTRIES, 0x1ffff, 0xffffffff, 0x20001, 0xffff0001, 0x10002,
    };
    struct svmc_token none = { 0 };

    token_lab_start(&lab);
    REQUIRE(lab.token.handle == 0x10001);
    for (unsigned i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        none.handle = handles[i];
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &none), SVMC_TOKEN_REFUSED, "%u", i);
        CHECK(lab.why & SVMC_TOKEN_UNKNOWN, "%u", i);
        memcpy(none.tag, lab.token.tag, 16);
        CHECK_EQ(token_lab_walk(&lab, &lab.caller, &none), SVMC_TOKEN_REFUSED, "%u", i);
        memset(none.tag, 0, 16);
        CHECK_EQ(svmc_token_revoke(&lab.pool, handles[i]), SVMC_ERR_STALE, "%u", i);
        CHECK_EQ(svmc_token_beat(&lab.pool, handles[i], 1), SVMC_ERR_STALE, "%u", i);
        CHECK_EQ(svmc_token_expect(&lab.pool, handles[i], 1, 1), SVMC_ERR_STALE, "%u", i);
    }
}

TEST(token, window) /* TK-2; K1, A12: before the real driver, behind it, unmeasured */
{
    struct svmc_token out;

    token_lab_open(&lab);
    lab.caller.vm++;
    CHECK_EQ(enrol(&out), SVMC_ERR_STATE);
    lab.caller.vm--;
    lab.caller.vm_generation++;
    CHECK_EQ(enrol(&out), SVMC_ERR_STALE);
    lab.caller.vm_generation--;
    memset(&out, 0xee, sizeof out);
    CHECK_EQ(svmc_token_enrol(&lab.pool, &lab.caller, &lab.grant, SVMC_ERR_MISMATCH, &out),
             SVMC_ERR_AUTH);
    CHECK(is_zero(&out, sizeof out));
    CHECK_EQ(enrol(&lab.token), SVMC_OK);
    CHECK_EQ(svmc_token_vm_seal(&lab.pool, LAB_VM), SVMC_OK);
    CHECK_EQ(svmc_token_vm_seal(&lab.pool, LAB_VM), SVMC_ERR_STATE);
    memset(&out, 0xee, sizeof out);
    CHECK_EQ(enrol(&out), SVMC_ERR_STATE);
    CHECK(is_zero(&out, sizeof out));
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 9), SVMC_ERR_STATE);
    CHECK_EQ(enrol(&out), SVMC_ERR_STATE);
}

TEST(token, random_that_is_none) /* TK-3: fails, zeros, the same again */
{
    struct svmc_token out;

    token_lab_start(&lab);
    for (lab.random_is = 1; lab.random_is <= 3; lab.random_is++) {
        memset(&out, 0xee, sizeof out);
        CHECK_EQ(enrol(&out), SVMC_ERR_CALLBACK, "%d", lab.random_is);
        CHECK(is_zero(&out, sizeof out), "%d", lab.random_is);
        memset(&out, 0xee, sizeof out);
        CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, NULL, &out), SVMC_ERR_CALLBACK);
        CHECK(is_zero(&out, sizeof out), "%d", lab.random_is);
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
    }
    lab.random_is = 0;
    CHECK_EQ(enrol(&out), SVMC_OK);
    CHECK_EQ(out.handle, 0x10002); /* the entry was not used up */
}

/* One thing about the caller is another one: it alone is the reason, on both ways. */
static void other(const struct svmc_token_caller *caller, uint32_t why, const char *what)
{
    CHECK_EQ(token_lab_check(&lab, caller, &lab.token), SVMC_TOKEN_REFUSED, "%s", what);
    CHECK_EQ(lab.why, why, "%s", what);
    CHECK_EQ(token_lab_walk(&lab, caller, &lab.token), SVMC_TOKEN_REFUSED, "%s", what);
    CHECK_EQ(lab.why, why, "%s", what);
    CHECK(is_zero(&lab.verdict.rights, sizeof lab.verdict.rights), "%s", what);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED, "%s", what);
}

TEST(token, binding) /* TK-4 TK-5; A2 A3 A6, V9 */
{
    struct svmc_token_caller c;

    token_lab_start(&lab);
#define OTHER(field, change, why)     \
    do {                              \
        c = lab.caller;               \
        c.field = c.field ^ (change); \
        other(&c, why, #field);       \
    } while (0)
    for (unsigned bit = 0; bit < 64; bit++) {
        OTHER(vm, (uint64_t)1 << bit, SVMC_TOKEN_OTHER_VM);
        OTHER(vm_generation, (uint64_t)1 << bit, SVMC_TOKEN_RESTORED);
        OTHER(root, (uint64_t)1 << bit, SVMC_TOKEN_OTHER_ROOT);
        OTHER(page, (uint64_t)1 << bit, SVMC_TOKEN_SITE);
        OTHER(thread, (uint64_t)1 << bit, SVMC_TOKEN_CONTEXT);
    }
    for (unsigned bit = 0; bit < 32; bit++)
        OTHER(offset, 1u << bit, SVMC_TOKEN_SITE);
    for (unsigned bit = 0; bit < 8; bit++)
        OTHER(isa, 1u << bit, SVMC_TOKEN_PRIVILEGE);
    OTHER(user, 1, SVMC_TOKEN_PRIVILEGE);
    c = lab.caller;
    for (unsigned vcpu = 0; vcpu < 200; vcpu++) {
        c.vcpu = vcpu;
        if (vcpu == 2 || vcpu == 3 || vcpu == 5 || vcpu == 6 || vcpu == 7)
            CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED, "%u", vcpu);
        else
            other(&c, SVMC_TOKEN_OTHER_VCPU, "vcpu");
    }
    c.vcpu = UINT32_MAX;
    other(&c, SVMC_TOKEN_OTHER_VCPU, "vcpu");
    c = lab.caller;
    for (unsigned at = 0xe0; at < 0x130; at++) {
        c.returns = LAB_PAGE + at;
        if (at >= 0x100 && at < 0x110)
            CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED, "%x", at);
        else
            other(&c, SVMC_TOKEN_CONTEXT, "returns");
    }
    c = lab.caller;
    c.frame ^= 0x1000; /* only after a walk */
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
}

TEST(token, context_is_optional) /* TK-4: no thread, no range */
{
    struct svmc_token_caller c;

    token_lab_open(&lab);
    lab.grant.flags = 0;
    lab.grant.return_bytes = 0;
    CHECK_EQ(enrol(&lab.token), SVMC_OK);
    c = lab.caller;
    c.thread ^= 0x1234;
    c.returns = 0;
    CHECK_EQ(token_lab_walk(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
    c.returns = UINT64_MAX;
    CHECK_EQ(token_lab_walk(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
}

TEST(token, child_is_never_more) /* TK-6; A13 */
{
    struct svmc_token child, out;
    struct svmc_token_grant all;
    struct svmc_token_caller who;

    token_lab_open(&lab);
    lab.grant.until = 1000;
    CHECK_EQ(enrol(&lab.token), SVMC_OK);
    all = lab.grant;
    who = lab.caller;
#define MORE(field, value)                                                             \
    do {                                                                               \
        struct svmc_token_grant more = all;                                            \
        more.field = (value);                                                          \
        memset(&out, 0xee, sizeof out);                                                \
        CHECK_EQ(svmc_token_attenuate(&lab.pool, lab.token.handle, &who, &more, &out), \
                 SVMC_ERR_AUTH, #field);                                               \
        CHECK(is_zero(&out, sizeof out), #field);                                      \
    } while (0)
    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(all.rights >> bit & 1))
            MORE(rights, all.rights | (uint64_t)1 << bit);
        if (!(all.vcpus >> bit & 1))
            MORE(vcpus, all.vcpus | (uint64_t)1 << bit);
    }
    for (unsigned bit = 3; bit < 16; bit++)
        MORE(classes, all.classes | 1u << bit);
    MORE(until, 1001);
    MORE(until, SVMC_TOKEN_FOREVER);
    MORE(vcpu_first, 3);
    MORE(vcpu_first, 1);
    MORE(vcpu_first, 66);
    who.user = 0; /* a program's token, and the kernel */
    MORE(rights, 0);
    who = lab.caller;
    who.vm++;
    MORE(rights, 0);
    who = lab.caller;
    who.vm_generation++;
    MORE(rights, 0);
    who = lab.caller;
    who.root = 0x9000; /* another process, on vCPUs 5 and 7 */
    all.rights = 0x10;
    all.classes = 4;
    all.vcpus = 0x5;
    all.vcpu_first = 5;
    all.until = 999;
    CHECK_EQ(svmc_token_vm_seal(&lab.pool, LAB_VM), SVMC_OK);
    CHECK_EQ(svmc_token_attenuate(&lab.pool, lab.token.handle, &who, &all, &child), SVMC_OK);
    who.vcpu = 7;
    CHECK_EQ(token_lab_walk(&lab, &who, &child), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(lab.verdict.rights, 0x10);
    CHECK_EQ(lab.verdict.classes, 4);
    who.ticks = 999;
    CHECK_EQ(token_lab_walk(&lab, &who, &child), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_EXPIRED);
    all.until = 1000000;
    CHECK_EQ(svmc_token_attenuate(&lab.pool, 0x10009, &who, &all, &out), SVMC_ERR_STALE);
    who.ticks = 1000; /* the parent is dead, whatever the child would be */
    CHECK_EQ(svmc_token_attenuate(&lab.pool, lab.token.handle, &who, &all, &out), SVMC_ERR_STALE);
}

TEST(token, rotation) /* TK-7 TK-10; K11 */
{
    struct svmc_token fresh;
    struct svmc_token_site site = { .page = 0x5000, .frame = 0x6000, .offset = 0x20 };
    struct svmc_token_caller c;

    token_lab_start(&lab);
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, NULL, &fresh), SVMC_OK);
    CHECK_EQ(fresh.handle, lab.token.handle);
    CHECK(memcmp(fresh.tag, lab.token.tag, 16) != 0);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &fresh), SVMC_TOKEN_WALK); /* anew */
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &fresh), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, &site, &fresh), SVMC_OK);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &fresh), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_SITE);
    c = lab.caller;
    c.page = site.page;
    c.frame = site.frame;
    c.offset = site.offset;
    CHECK_EQ(token_lab_walk(&lab, &c, &fresh), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_rotate(&lab.pool, 0x10007, NULL, &fresh), SVMC_ERR_STALE);
    CHECK(is_zero(&fresh, sizeof fresh));
    site.offset = 4096;
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, &site, &fresh), SVMC_ERR_ARG);
    site.offset = 0, site.frame++;
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, &site, &fresh), SVMC_ERR_ARG);
    site.frame--, site.page++;
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, &site, &fresh), SVMC_ERR_ARG);
    site.page--, site.reserved = 1;
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, &site, &fresh), SVMC_ERR_ARG);
}

/* token -> a -> b -> c, and d below a */
static struct svmc_token family[5];
static void found_family(void)
{
    static const unsigned parents[] = { 0, 0, 1, 2, 1 };

    token_lab_start(&lab);
    family[0] = lab.token;
    for (unsigned n = 1; n < 5; n++)
        CHECK_EQ(svmc_token_attenuate(&lab.pool, family[parents[n]].handle, &lab.caller, &lab.grant,
                                      &family[n]),
                 SVMC_OK, "%u", n);
}

static unsigned alive(void)
{
    unsigned mask = 0;

    for (unsigned n = 0; n < 5; n++)
        mask |= (unsigned)(token_lab_walk(&lab, &lab.caller, &family[n]) == SVMC_TOKEN_ALLOWED)
                << n;
    return mask;
}

TEST(token, revocation) /* TK-8; A9 */
{
    found_family();
    CHECK_EQ(alive(), 0x1f);
    CHECK_EQ(svmc_token_revoke(&lab.pool, family[1].handle), SVMC_OK);
    CHECK_EQ(alive(), 0x1d);
    CHECK_EQ(lab.why, 0);
    CHECK_EQ(svmc_token_revoke(&lab.pool, family[1].handle), SVMC_ERR_STALE);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &family[1]), SVMC_TOKEN_REFUSED);
    CHECK((lab.why & (SVMC_TOKEN_STALE | SVMC_TOKEN_UNKNOWN)) == SVMC_TOKEN_STALE);
    CHECK_EQ(svmc_token_revoke_subtree(&lab.pool, family[2].handle), SVMC_OK);
    CHECK_EQ(alive(), 0x11);
    CHECK_EQ(svmc_token_revoke_subtree(&lab.pool, family[0].handle), SVMC_OK); /* d, adopted */
    CHECK_EQ(alive(), 0);
    found_family();
    CHECK_EQ(svmc_token_revoke_subtree(&lab.pool, family[1].handle), SVMC_OK);
    CHECK_EQ(alive(), 1);
    found_family();
    CHECK_EQ(svmc_token_revoke_subtree(&lab.pool, family[4].handle), SVMC_OK);
    CHECK_EQ(svmc_token_revoke_subtree(&lab.pool, family[1].handle), SVMC_OK);
    CHECK_EQ(alive(), 1);
}

TEST(token, revocation_of_a_vm) /* TK-8 */
{
    struct svmc_token_caller c;
    struct svmc_token far;

    found_family();
    CHECK_EQ(svmc_token_vm_open(&lab.pool, 7, 1), SVMC_OK);
    c = lab.caller;
    c.vm = 7;
    CHECK_EQ(svmc_token_enrol(&lab.pool, &c, &lab.grant, SVMC_OK, &far), SVMC_OK);
    CHECK_EQ(svmc_token_vm_close(&lab.pool, LAB_VM), SVMC_OK);
    CHECK_EQ(alive(), 0);
    CHECK_EQ(token_lab_walk(&lab, &c, &far), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_vm_close(&lab.pool, LAB_VM), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 1), SVMC_OK);
    for (unsigned n = 1; n < LAB_ENTRIES - 1; n++) /* every entry is there again */
        CHECK_EQ(enrol(&lab.token), SVMC_OK, "%u", n);
    CHECK_EQ(enrol(&lab.token), SVMC_ERR_FULL);
    CHECK(is_zero(&lab.token, sizeof lab.token));
    CHECK_EQ(token_lab_walk(&lab, &c, &far), SVMC_TOKEN_ALLOWED);
}

#define CROWD 4096u
static struct svmc_token_entry crowd[CROWD + 1];

/* How long it takes a VM of CROWD tokens to end: half of them a chain, the others below its end. */
static clock_t end_of(bool chain)
{
    static uint32_t handle[CROWD];
    struct svmc_token t;
    uint32_t parent;
    clock_t begun;

    token_lab_open(&lab);
    lab.config.entries = crowd;
    lab.config.entry_count = CROWD + 1;
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 1), SVMC_OK);
    for (unsigned n = 0; n < CROWD / 2; n++) {
        CHECK_EQ(enrol(&t), SVMC_OK);
        handle[n] = t.handle;
    }
    for (unsigned n = 0; n < CROWD / 2; n++) /* the next ones take them from the last on */
        CHECK_EQ(svmc_token_revoke(&lab.pool, handle[n]), SVMC_OK);
    CHECK_EQ(enrol(&t), SVMC_OK);
    parent = t.handle;
    for (unsigned n = 1; n < CROWD; n++) {
        CHECK_EQ(svmc_token_attenuate(&lab.pool, parent, &lab.caller, &lab.grant, &t), SVMC_OK);
        parent = chain && n < CROWD / 2 ? t.handle : parent;
    }
    begun = clock();
    CHECK_EQ(svmc_token_vm_close(&lab.pool, LAB_VM), SVMC_OK);
    begun = clock() - begun;
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 1), SVMC_OK);
    for (unsigned n = 0; n < CROWD; n++) /* every entry is free again */
        CHECK_EQ(enrol(&t), SVMC_OK);
    CHECK_EQ(enrol(&t), SVMC_ERR_FULL);
    return begun;
}

TEST(token, the_end_of_a_vm_is_one_pass) /* TK-8: whatever the tree */
{
    clock_t flat = end_of(false), chain = end_of(true);

    CHECK(chain <= 30 * flat + CLOCKS_PER_SEC / 500, "%ld %ld", (long)flat, (long)chain);
}

TEST(token, restore) /* TK-9; A15: a snapshot's tokens die, in a call and in the pool */
{
    struct svmc_token_caller c;

    token_lab_start(&lab);
    CHECK_EQ(svmc_token_vm_seal(&lab.pool, LAB_VM), SVMC_OK);
    c = lab.caller;
    c.vm_generation = 2;
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_REFUSED); /* told in the call */
    CHECK_EQ(lab.why, SVMC_TOKEN_RESTORED);
    CHECK_EQ(svmc_token_vm_restore(&lab.pool, LAB_VM, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_vm_restore(&lab.pool, LAB_VM + 1, 2), SVMC_ERR_ARG);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_vm_restore(&lab.pool, LAB_VM, 2), SVMC_OK);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK(lab.why & SVMC_TOKEN_STALE);
    CHECK_EQ(enrol(&lab.token), SVMC_ERR_STALE); /* with the old generation */
    CHECK_EQ(svmc_token_enrol(&lab.pool, &c, &lab.grant, SVMC_OK, &lab.token), SVMC_OK);
    CHECK_EQ(token_lab_walk(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
}

TEST(token, an_entry_is_used_up) /* TK-1: no handle twice */
{
    struct svmc_token_event event;
    uint32_t last = 0;

    token_lab_open(&lab);
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    lab.config.entry_count = 2;
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 1), SVMC_OK);
    for (unsigned n = 1; n <= 0xffff; n++) {
        REQUIRE(enrol(&lab.token) == SVMC_OK && lab.token.handle == (n << 16 | 1), "%u", n);
        REQUIRE(lab.token.handle > last);
        last = lab.token.handle;
        REQUIRE(svmc_token_revoke(&lab.pool, last) == SVMC_OK);
    }
    CHECK_EQ(enrol(&lab.token), SVMC_ERR_FULL);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_RETIRED);
    CHECK_EQ(event.handle, last);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
}

TEST(token, walks) /* TK-10; A5, K12 */
{
    struct svmc_token_caller c, away;
    struct svmc_token_event event;

    token_lab_start(&lab);
    c = lab.caller;
    c.stage2_generation++; /* something changed: it is walked again */
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_WALK);
    CHECK_EQ(lab.why, 0);
    CHECK_EQ(lab.verdict.rights, 0);
    CHECK_EQ(lab.verdict.classes, 0);
    away = c;
    away.frame = 0x999000; /* the page is elsewhere now */
    CHECK_EQ(token_lab_walk(&lab, &away, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_REMAPPED);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_REMAPPED);
    CHECK_EQ(event.what, 0x999000);
    CHECK_EQ(event.handle, lab.token.handle);
    CHECK_EQ(event.vcpu, 3);
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_WALK); /* not remembered */
    CHECK_EQ(token_lab_walk(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_WALK); /* an older one */
    CHECK_EQ(svmc_token_check(&lab.pool, &lab.vcpu[1], &c, &lab.token, &lab.verdict), SVMC_OK);
    CHECK_EQ(lab.verdict.end, SVMC_TOKEN_WALK); /* another vCPU knows nothing */
    c.stage2_generation = 0;
    CHECK_EQ(token_lab_walk(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_WALK); /* never known */
    lab.token.tag[3] ^= 1; /* and who is refused makes nobody walk */
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_walk(&lab, &away, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
}

TEST(token, another_pool_knows_no_mapping) /* TK-10: in the same place, and the vCPUs are kept */
{
    uint32_t handle;

    token_lab_start(&lab);
    handle = lab.token.handle;
    svmc_token_pool_drop(&lab.pool);
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 1), SVMC_OK);
    lab.grant.frame += 4096;
    CHECK_EQ(enrol(&lab.token), SVMC_OK);
    CHECK_EQ(lab.token.handle, handle);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_WALK);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &lab.token), SVMC_TOKEN_REFUSED);
    lab.random_is = 1;
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_ERR_CALLBACK);
    CHECK(is_zero(&lab.pool, sizeof lab.pool));
}

TEST(token, many_mappings_are_known) /* TK-10: those of other tokens are kept apart */
{
    struct svmc_token t[LAB_ENTRIES - 1];

    token_lab_open(&lab);
    for (unsigned n = 0; n < LAB_ENTRIES - 1; n++) {
        CHECK_EQ(enrol(&t[n]), SVMC_OK);
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &t[n]), SVMC_TOKEN_WALK, "%u", n);
        CHECK_EQ(token_lab_walk(&lab, &lab.caller, &t[n]), SVMC_TOKEN_ALLOWED, "%u", n);
        for (unsigned i = n < SVMC_TOKEN_MEMOS ? 0 : n - SVMC_TOKEN_MEMOS + 1; i <= n; i++)
            CHECK_EQ(token_lab_check(&lab, &lab.caller, &t[i]), SVMC_TOKEN_ALLOWED, "%u", i);
    }
}

TEST(token, guesses_lock_a_token_out) /* TK-11; A7 */
{
    struct svmc_token wrong;
    struct svmc_token_caller c, other_root;
    struct svmc_token_event event;
    uint64_t ticks = LAB_LOCK;

    token_lab_start(&lab);
    wrong = lab.token;
    wrong.tag[15] ^= 0x80;
    c = lab.caller;
    for (unsigned n = 1; n < LAB_LIMIT; n++)
        CHECK_EQ(token_lab_check(&lab, &c, &wrong), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED); /* forgives */
    for (unsigned round = 0; round <= 3; round++, ticks *= 2) {
        while (token_lab_event(&lab).kind != SVMC_TOKEN_EVENT_NONE)
            ;
        lab.vcpu[0].priv.misses = 0; /* their events are another test's */
        for (unsigned n = 1; n < LAB_LIMIT; n++) {
            CHECK_EQ(token_lab_check(&lab, &c, &wrong), SVMC_TOKEN_REFUSED);
            CHECK_EQ(lab.why, SVMC_TOKEN_TAG);
        }
        CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
        lab.vcpu[0].priv.misses = 0;
        CHECK_EQ(token_lab_check(&lab, &c, &wrong), SVMC_TOKEN_REFUSED);
        event = token_lab_event(&lab);
        CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_LOCKED, "%u", round);
        CHECK_EQ(event.what, round < 3 ? c.ticks + ticks : UINT64_MAX, "%u", round);
        CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_REFUSED); /* the right one */
        CHECK_EQ(lab.why, SVMC_TOKEN_LOCKED);
        CHECK_EQ(svmc_token_check_walk(&lab.pool, &lab.vcpu[1], &c, &lab.token, &lab.verdict),
                 SVMC_OK);
        CHECK_EQ(lab.verdict.end, SVMC_TOKEN_ALLOWED); /* on another vCPU */
        c.ticks += ticks - 1;
        CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_REFUSED);
        c.ticks++;
        CHECK_EQ(token_lab_check(&lab, &c, &lab.token),
                 round < 3 ? SVMC_TOKEN_ALLOWED : SVMC_TOKEN_REFUSED, "%u", round);
    }
    c.ticks = SVMC_TOKEN_FOREVER - 2;
    CHECK_EQ(token_lab_check(&lab, &c, &lab.token), SVMC_TOKEN_REFUSED);
    svmc_token_vcpu_init(&lab.vcpu[0]);
    CHECK_EQ(token_lab_walk(&lab, &c, &lab.token), SVMC_TOKEN_ALLOWED);

    /* from where no tag would help nobody is locked out, but it is told */
    while (token_lab_event(&lab).kind != SVMC_TOKEN_EVENT_NONE)
        ;
    other_root = lab.caller;
    other_root.root++;
    for (unsigned n = 1; n <= 3 * LAB_LIMIT; n++) {
        CHECK_EQ(token_lab_check(&lab, &other_root, &wrong), SVMC_TOKEN_REFUSED);
        event = token_lab_event(&lab);
        CHECK_EQ(event.kind, n % LAB_LIMIT ? SVMC_TOKEN_EVENT_NONE : SVMC_TOKEN_EVENT_PROBED);
    }
    CHECK_EQ(event.what, SVMC_TOKEN_TAG | SVMC_TOKEN_OTHER_ROOT);
    CHECK_EQ(event.vm, LAB_VM);
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
}

/* `by` guesses at its own tag, from its own place, so often that a round of a lock is full. */
static void guess(const struct svmc_token *by, const struct svmc_token_caller *from)
{
    struct svmc_token wrong = *by;

    wrong.tag[3] ^= 1;
    for (unsigned n = 0; n < LAB_LIMIT; n++)
        CHECK_EQ(token_lab_check(&lab, from, &wrong), SVMC_TOKEN_REFUSED);
}

TEST(token, who_guesses_locks_nobody_else_out) /* TK-11 */
{
    struct svmc_token child = { 0 }, other = { 0 };
    struct svmc_token_caller weak;
    struct svmc_token_grant g;

    token_lab_start(&lab);
    weak = lab.caller;
    weak.root += 0x1000;
    g = lab.grant;
    g.rights = 0;
    for (unsigned n = 1; n <= SVMC_TOKEN_MEMOS; n++) {
        other = child;
        CHECK_EQ(svmc_token_attenuate(&lab.pool, lab.token.handle, &weak, &g, &child), SVMC_OK);
    }
    CHECK_EQ((child.handle ^ lab.token.handle) % SVMC_TOKEN_MEMOS, 0); /* they share a lock */
    for (unsigned round = 0; round < 6; round++, weak.ticks += 8 * LAB_LOCK) {
        guess(&child, &weak);
        CHECK_EQ(token_lab_walk(&lab, &weak, &child), SVMC_TOKEN_REFUSED);
        CHECK_EQ(lab.why, SVMC_TOKEN_LOCKED);
        lab.caller.ticks = weak.ticks;
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
        CHECK_EQ(token_lab_walk(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);
    }
    guess(&lab.token, &lab.caller); /* in the place of the child's, and it begins anew */
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK(token_lab_check(&lab, &weak, &child) != SVMC_TOKEN_REFUSED);
    lab.caller.ticks += LAB_LOCK;
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_ALLOWED);

    weak.ticks = lab.caller.ticks; /* a short one does not end a long one */
    guess(&child, &weak);
    weak.ticks += LAB_LOCK;
    guess(&child, &weak);
    guess(&other, &weak);
    weak.ticks += LAB_LOCK;
    CHECK(token_lab_check(&lab, &weak, &other) != SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_check(&lab, &weak, &child), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_LOCKED);
    weak.ticks += LAB_LOCK;
    CHECK(token_lab_check(&lab, &weak, &child) != SVMC_TOKEN_REFUSED);
}

TEST(token, lock_out_near_the_end_of_time) /* TK-11: no tick wraps */
{
    struct svmc_token wrong;
    struct svmc_token_caller c;

    token_lab_open(&lab);
    lab.config.lock_ticks = (uint64_t)1 << 62;
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 1), SVMC_OK);
    CHECK_EQ(enrol(&lab.token), SVMC_OK);
    wrong = lab.token;
    wrong.tag[0] ^= 1;
    c = lab.caller;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < LAB_LIMIT; n++)
            (void)token_lab_walk(&lab, &c, &wrong);
        c.ticks = lab.vcpu[0].priv.locked_until;
        CHECK(c.ticks >= (uint64_t)1 << 62);
    }
    CHECK_EQ(c.ticks, UINT64_MAX);
}

TEST(token, works_once) /* TK-12; A4 */
{
    struct svmc_token_call call = { .control = 0x100000008, .arg = { 1, 2, 3, 4, 5, 6 } }, other;
    struct svmc_token_event event;
    struct svmc_token sent;

#define SEND()                                                                                \
    (CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &lab.token, &call, \
                                  sent.tag),                                                  \
              SVMC_OK),                                                                       \
     sent.handle = lab.token.handle)
#define GIVEN(c)                                                                                \
    (CHECK_EQ(                                                                                  \
         svmc_token_check_call(&lab.pool, &lab.vcpu[0], &lab.caller, &sent, (c), &lab.verdict), \
         SVMC_OK),                                                                              \
     (unsigned)lab.verdict.end)
    token_lab_start(&lab);
    call.counter = 5;
    SEND();
    for (unsigned n = 0; n < 8; n++) { /* another call under the same MAC */
        other = call;
        if (n < 6)
            other.arg[n]++;
        else if (n == 6)
            other.control++;
        else
            other.counter++;
        CHECK_EQ(GIVEN(&other), SVMC_TOKEN_REFUSED, "%u", n);
        CHECK_EQ(lab.vcpu[0].priv.near, 1, "%u", n); /* a guess */
        lab.vcpu[0].priv.near = lab.vcpu[0].priv.misses = 0;
    }
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(lab.verdict.rights, lab.grant.rights);
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_REFUSED);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_REPLAYED);
    CHECK_EQ(event.what, call.counter);
    CHECK_EQ(lab.verdict.rights, 0);
    call.counter = 4;
    SEND();
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_REFUSED);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_REPLAYED);
    CHECK_EQ(event.what, call.counter);
    CHECK_EQ(lab.verdict.rights, 0);
    call.counter = UINT32_MAX;
    SEND();
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_ALLOWED);
    call.counter++;
    SEND();
    CHECK_EQ(
        svmc_token_check_call(&lab.pool, &lab.vcpu[0], &lab.caller, &sent, &call, &lab.verdict),
        SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, NULL, &lab.token), SVMC_OK);
    call.counter = 1; /* from the beginning, under another tag */
    SEND();
    lab.caller.frame++;
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_REMAPPED);
    lab.caller.frame--;
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_ALLOWED);
    call.counter = 2;
    SEND();
    lab.fake.fail_at = lab.fake.calls + 1;
    memset(&lab.verdict, 0xee, sizeof lab.verdict);
    CHECK_EQ(
        svmc_token_check_call(&lab.pool, &lab.vcpu[0], &lab.caller, &sent, &call, &lab.verdict),
        SVMC_ERR_CALLBACK);
    CHECK(is_zero(&lab.verdict, sizeof lab.verdict));
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_ALLOWED); /* the counter had not moved */
}

/* What another thread does while a call is judged. */
static int
    meanwhile; /* 1: the tag changes; 2: the token is revoked; 3: and its entry is another's */
static enum svmc_status (*own_mac)(void *ctx, uint32_t alg, const uint8_t *key,
                                   const struct svmc_bytes *piece, size_t pieces, uint8_t *out);

static enum svmc_status mac_meanwhile(void *ctx, uint32_t alg, const uint8_t *key,
                                      const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    enum svmc_status st = own_mac(ctx, alg, key, piece, pieces, out);
    struct svmc_token other;

    if (meanwhile == 1)
        CHECK_EQ(svmc_token_rotate(&lab.pool, lab.token.handle, NULL, &other), SVMC_OK);
    if (meanwhile >= 2)
        CHECK_EQ(svmc_token_revoke(&lab.pool, lab.token.handle), SVMC_OK);
    if (meanwhile == 3) {
        CHECK_EQ(svmc_token_enrol(&lab.pool, &lab.caller, &lab.grant, SVMC_OK, &other), SVMC_OK);
        CHECK_EQ(other.handle, lab.token.handle + (1u << 16));
    }
    return st;
}

TEST(token, changes_while_it_is_checked) /* TK-5 */
{
    for (int how = 0; how <= 3; how++) {
        struct svmc_token_call call = { .control = 8, .counter = 1 };
        struct svmc_token sent;

        token_lab_start(&lab);
        sent.handle = lab.token.handle;
        CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &lab.token, &call,
                                     sent.tag),
                 SVMC_OK);
        own_mac = lab.fake.ops.mac;
        lab.fake.ops.mac = mac_meanwhile;
        meanwhile = how;
        CHECK_EQ(
            svmc_token_check_call(&lab.pool, &lab.vcpu[0], &lab.caller, &sent, &call, &lab.verdict),
            SVMC_OK);
        CHECK_EQ(lab.verdict.end, how ? SVMC_TOKEN_REFUSED : SVMC_TOKEN_ALLOWED, "%d", how);
        CHECK_EQ(lab.vcpu[0].priv.misses, how != 0, "%d", how);
        CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE, "%d", how);
    }
}

TEST(token, a_replay_is_no_good_call) /* TK-11 TK-12: guesses are counted on */
{
    struct svmc_token_call call = { .control = 8, .counter = 5 };
    struct svmc_token sent, wrong;

    token_lab_start(&lab);
    SEND();
    CHECK_EQ(GIVEN(&call), SVMC_TOKEN_ALLOWED);
    wrong = lab.token;
    wrong.tag[9] ^= 4;
    for (unsigned n = 0; n < LAB_LIMIT; n++) {
        CHECK_EQ(GIVEN(&call), SVMC_TOKEN_REFUSED);
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &wrong), SVMC_TOKEN_REFUSED);
    }
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &lab.token), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_LOCKED);
}

TEST(token, mac_of_a_call) /* TK-12: BLAKE2b by its own words */
{
    struct svmc_token_call call = { .control = 0x0123456789abcdef, .counter = 0x42 };
    uint8_t text[72] = { 0 }, key[32] = { 0 }, want[32], got[16];
    uint64_t words[9] = { 0x10001, 0x0123456789abcdef };

    token_lab_start(&lab);
    for (unsigned n = 0; n < 6; n++)
        call.arg[n] = words[2 + n] = 0x1111111111111111 * (n + 1);
    words[8] = 0x42;
    for (unsigned n = 0; n < 72; n++)
        text[n] = (uint8_t)(words[n / 8] >> 8 * (n % 8));
    memcpy(key, lab.token.tag, 16);
    fake_blake2b(want, 32, key, 32, text, 72);
    CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &lab.token, &call, got),
             SVMC_OK);
    CHECK_MEM(got, want, 16);
    CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_SHA_256, &lab.token, &call, got),
             SVMC_ERR_UNSUPPORTED);
    CHECK(is_zero(got, sizeof got));
    CHECK_EQ(svmc_token_call_mac(NULL, SVMC_ALG_MAC_BLAKE2B_256, &lab.token, &call, got),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, NULL, &call, got),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &lab.token, NULL, got),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_call_mac(&lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &lab.token, &call, NULL),
             SVMC_ERR_ARG);
}

TEST(token, heartbeat) /* TK-13; K13, A17: absence is an event */
{
    struct svmc_token_event event;

    token_lab_open(&lab);
    lab.grant.beat_ticks = 100;
    CHECK_EQ(enrol(&family[0]), SVMC_OK); /* due at 110 */
    lab.grant.flags |= SVMC_TOKEN_BEAT_KILLS;
    lab.grant.beat_ticks = 200;
    CHECK_EQ(enrol(&family[1]), SVMC_OK); /* due at 210 */
    lab.grant.beat_ticks = 0;
    CHECK_EQ(svmc_token_attenuate(&lab.pool, family[1].handle, &lab.caller, &lab.grant, &family[2]),
             SVMC_OK);
    CHECK_EQ(svmc_token_tick(&lab.pool, 109), SVMC_OK);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_beat(&lab.pool, family[0].handle, 109), SVMC_OK);
    CHECK_EQ(svmc_token_tick(&lab.pool, 208), SVMC_OK);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_tick(&lab.pool, 209), SVMC_OK);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_BEAT);
    CHECK_EQ(event.what, 209);
    CHECK_EQ(event.handle, family[0].handle);
    CHECK_EQ(event.vm, LAB_VM);
    CHECK_EQ(svmc_token_tick(&lab.pool, 209), SVMC_OK); /* told once an interval */
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &family[1]), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_tick(&lab.pool, 210), SVMC_OK);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_BEAT);
    CHECK_EQ(event.handle, family[1].handle);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &family[1]), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &family[2]), SVMC_TOKEN_REFUSED);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &family[0]), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_token_tick(&lab.pool, 309), SVMC_OK);
    CHECK_EQ(token_lab_event(&lab).what, 309);
    CHECK_EQ(svmc_token_beat(&lab.pool, family[0].handle, UINT64_MAX - 3), SVMC_OK);
    CHECK_EQ(svmc_token_tick(&lab.pool, UINT64_MAX - 1), SVMC_OK);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
}

TEST(token, lives_end) /* TK-13: in a check at once, in the pool with the tick */
{
    struct svmc_token_event event;

    token_lab_open(&lab);
    lab.grant.until = 50;
    CHECK_EQ(enrol(&family[0]), SVMC_OK);
    CHECK_EQ(svmc_token_attenuate(&lab.pool, family[0].handle, &lab.caller, &lab.grant, &family[1]),
             SVMC_OK);
    lab.caller.ticks = 49;
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &family[0]), SVMC_TOKEN_ALLOWED);
    lab.caller.ticks = 50;
    CHECK_EQ(token_lab_check(&lab, &lab.caller, &family[0]), SVMC_TOKEN_REFUSED);
    CHECK_EQ(lab.why, SVMC_TOKEN_EXPIRED);
    CHECK_EQ(svmc_token_tick(&lab.pool, 49), SVMC_OK);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_tick(&lab.pool, 50), SVMC_OK);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_EXPIRED);
    CHECK_EQ(event.handle, family[0].handle);
    for (unsigned n = 0; n < 2; n++) {
        CHECK_EQ(token_lab_check(&lab, &lab.caller, &family[n]), SVMC_TOKEN_REFUSED);
        CHECK(lab.why & SVMC_TOKEN_STALE);
    }
    lab.grant.until = 50;
    CHECK_EQ(enrol(&family[0]), SVMC_ERR_ARG); /* dead from the beginning */
}

TEST(token, expected_calls) /* TK-13; V10: a call that does not come is an event */
{
    struct svmc_token_event event;
    uint32_t handle;

    token_lab_start(&lab);
    handle = lab.token.handle;
    CHECK_EQ(svmc_token_expect(&lab.pool, handle, 0xa, 100), SVMC_OK);
    CHECK_EQ(svmc_token_expect(&lab.pool, handle, 0xb, 200), SVMC_OK);
    CHECK_EQ(svmc_token_expect(&lab.pool, handle, 0xc, 100), SVMC_OK);
    CHECK_EQ(svmc_token_expect(&lab.pool, handle, 0xd, 100), SVMC_ERR_FULL);
    CHECK_EQ(svmc_token_met(&lab.pool, handle, 0xa, 99), SVMC_OK);
    CHECK_EQ(svmc_token_met(&lab.pool, handle, 0xa, 99), SVMC_ERR_STATE);
    CHECK_EQ(svmc_token_met(&lab.pool, handle + 1, 0xb, 99), SVMC_ERR_STATE);
    CHECK_EQ(svmc_token_met(&lab.pool, handle, 0xc, 100), SVMC_ERR_STATE); /* before a tick */
    CHECK_EQ(svmc_token_tick(&lab.pool, 99), SVMC_OK);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_tick(&lab.pool, 100), SVMC_OK);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_OVERDUE);
    CHECK_EQ(event.what, 0xc);
    CHECK_EQ(event.handle, handle);
    CHECK_EQ(event.vm, LAB_VM);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_met(&lab.pool, handle, 0xc, 100), SVMC_ERR_STATE); /* too late */
    CHECK_EQ(svmc_token_revoke(&lab.pool, handle), SVMC_OK);
    CHECK_EQ(svmc_token_tick(&lab.pool, 1000), SVMC_OK); /* nobody is left */
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    CHECK(is_zero(lab.expected, sizeof lab.expected));
}

#define ROOM (LAB_EVENTS * 3 / 4) /* a quarter is for deadlines */

TEST(token, events_are_counted) /* TK-15 */
{
    struct svmc_token_event own = { .kind = SVMC_TOKEN_EVENT_OWN, .vm = 1, .handle = 2 }, event;

    token_lab_open(&lab);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned n = 0; n < ROOM + 3; n++) {
            own.what = 100 * round + n;
            CHECK_EQ(svmc_token_report(&lab.pool, &own), n < ROOM ? SVMC_OK : SVMC_ERR_FULL);
        }
        event = token_lab_event(&lab);
        CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_LOST);
        CHECK_EQ(event.what, 3);
        for (unsigned n = 0; n < ROOM; n++) {
            event = token_lab_event(&lab);
            CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_OWN);
            CHECK_EQ(event.what, 100 * round + n);
            CHECK(event.vm == 1 && event.handle == 2);
        }
        CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
    }
    own.kind = SVMC_TOKEN_EVENT_OWN - 1;
    CHECK_EQ(svmc_token_report(&lab.pool, &own), SVMC_ERR_ARG);
    own.kind = SVMC_TOKEN_EVENT_OWN;
    own.reserved = 1;
    CHECK_EQ(svmc_token_report(&lab.pool, &own), SVMC_ERR_ARG);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_NONE);
}

/* The next event's kind behind those that a guest made. */
static unsigned next_due(void)
{
    struct svmc_token_event event;

    do
        event = token_lab_event(&lab);
    while (event.kind == SVMC_TOKEN_EVENT_OWN || event.kind == SVMC_TOKEN_EVENT_PROBED ||
           event.kind == SVMC_TOKEN_EVENT_LOST);
    return event.kind;
}

TEST(token, no_guest_keeps_a_deadline_from_being_told) /* TK-13 TK-15 */
{
    struct svmc_token unknown = { 0 };
    struct svmc_token_event event;

    token_lab_start(&lab);
    lab.grant.beat_ticks = 100;
    CHECK_EQ(enrol(&family[0]), SVMC_OK); /* due at 110 */
    lab.grant.beat_ticks = 0;
    lab.grant.until = 110;
    CHECK_EQ(enrol(&family[1]), SVMC_OK);
    lab.grant.beat_ticks = 99;
    lab.grant.until = SVMC_TOKEN_FOREVER;
    lab.grant.flags |= SVMC_TOKEN_BEAT_KILLS;
    CHECK_EQ(enrol(&family[2]), SVMC_OK); /* due at 109 */
    CHECK_EQ(svmc_token_expect(&lab.pool, lab.token.handle, 0xa, 109), SVMC_OK);
    CHECK_EQ(svmc_token_expect(&lab.pool, lab.token.handle, 0xb, 110), SVMC_OK);
    for (unsigned n = 0; n < 4 * LAB_EVENTS * LAB_LIMIT; n++)
        (void)token_lab_check(&lab, &lab.caller, &unknown);
    CHECK_EQ(svmc_token_tick(&lab.pool, 109), SVMC_OK); /* both find room, the last there is */
    CHECK_EQ(svmc_token_tick(&lab.pool, 110), SVMC_OK);
    CHECK_EQ(token_lab_walk(&lab, &lab.caller, &family[2]), SVMC_TOKEN_REFUSED);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_OVERDUE);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_BEAT);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_tick(&lab.pool, 111), SVMC_OK); /* what found none */
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_OVERDUE);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_BEAT);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_EXPIRED);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_NONE);
    CHECK_EQ(svmc_token_tick(&lab.pool, 112), SVMC_OK);
    CHECK_EQ(next_due(), SVMC_TOKEN_EVENT_NONE);

    lab.caller.ticks = 112;
    CHECK_EQ(enrol(&family[2]), SVMC_OK); /* due at 211 */
    for (unsigned n = 0; n < 2; n++)
        CHECK_EQ(svmc_token_expect(&lab.pool, lab.token.handle, n, 211), SVMC_OK);
    for (unsigned n = 0; n < 4 * LAB_EVENTS * LAB_LIMIT; n++)
        (void)token_lab_check(&lab, &lab.caller, &unknown);
    CHECK_EQ(token_lab_event(&lab).kind, SVMC_TOKEN_EVENT_LOST);
    CHECK_EQ(svmc_token_tick(&lab.pool, 211), SVMC_OK);
    event = token_lab_event(&lab);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_LOST);
    CHECK_EQ(event.what, 1); /* a beat that kills does so, told or not */
    CHECK_EQ(svmc_token_revoke(&lab.pool, family[2].handle), SVMC_ERR_STALE);
}

/* Whether 8 bytes of the tag stand anywhere in there, or as a word of a big-endian processor. */
static bool has_tag(const void *at, size_t n, const uint8_t *tag)
{
    uint8_t half[4][8];

    for (unsigned b = 0; b < 16; b++) {
        half[b / 8][b % 8] = tag[b];
        half[2 + b / 8][7 - b % 8] = tag[b];
    }
    for (size_t i = 0; i + 8 <= n; i++)
        for (unsigned h = 0; h < 4; h++)
            if (memcmp((const uint8_t *)at + i, half[h], 8) == 0)
                return true;
    return false;
}

TEST(token, nothing_is_left) /* TK-8 TK-14 */
{
    uint8_t old[16], tag[16];

    found_family();
    memcpy(old, family[0].tag, 16);
    CHECK(has_tag(lab.entries, sizeof lab.entries, old)); /* the search finds one */
    CHECK_EQ(svmc_token_rotate(&lab.pool, family[0].handle, NULL, &family[0]), SVMC_OK);
    memcpy(tag, family[0].tag, 16);
    CHECK(!has_tag(lab.entries, sizeof lab.entries, old));
    CHECK(has_tag(lab.entries, sizeof lab.entries, tag));
    CHECK_EQ(svmc_token_revoke(&lab.pool, family[0].handle), SVMC_OK);
    CHECK(!has_tag(lab.entries, sizeof lab.entries, tag));
    CHECK(!has_tag(&lab.pool, sizeof lab.pool, tag) && !has_tag(lab.vcpu, sizeof lab.vcpu, tag));
    CHECK(has_tag(lab.entries, sizeof lab.entries, family[3].tag));
    CHECK_EQ(svmc_token_expect(&lab.pool, family[3].handle, 1, 2), SVMC_OK);
    svmc_token_pool_drop(&lab.pool);
    CHECK(is_zero(lab.entries, sizeof lab.entries) && is_zero(lab.vms, sizeof lab.vms));
    CHECK(is_zero(lab.events, sizeof lab.events) && is_zero(lab.expected, sizeof lab.expected));
    CHECK(is_zero(&lab.pool, sizeof lab.pool));
    svmc_token_pool_drop(&lab.pool);
    svmc_token_pool_drop(NULL);
}

TEST(token, config) /* TK-1 */
{
    struct svmc_crypto_ops poor;

    token_lab_open(&lab);
#define WRONG(field, value)                                                      \
    do {                                                                         \
        struct svmc_token_config wrong = lab.config;                             \
        wrong.field = (value);                                                   \
        memset(&lab.pool, 0xee, sizeof lab.pool);                                \
        CHECK_EQ(svmc_token_pool_init(&lab.pool, &wrong), SVMC_ERR_ARG, #field); \
        CHECK(is_zero(&lab.pool, sizeof lab.pool), #field);                      \
    } while (0)
    WRONG(crypto, NULL);
    WRONG(entries, NULL);
    WRONG(vms, NULL);
    WRONG(events, NULL);
    WRONG(expected, NULL);
    WRONG(entry_count, 0);
    WRONG(entry_count, 1);
    WRONG(entry_count, 65537);
    WRONG(vm_count, 0);
    WRONG(event_count, 0);
    WRONG(event_count, 1);
    WRONG(event_count, 3);
    WRONG(event_count, 1u << 17);
    WRONG(miss_limit, 0);
    WRONG(lock_rounds, 32);
    WRONG(lock_ticks, 0);
    WRONG(reserved, 1);
    poor = lab.fake.ops;
    poor.random = NULL;
    WRONG(crypto, &poor);
    poor = lab.fake.ops;
    poor.mac = NULL;
    WRONG(crypto, &poor);
    poor.size = offsetof(struct svmc_crypto_ops, random);
    WRONG(crypto, &poor);
    CHECK_EQ(svmc_token_pool_init(&lab.pool, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_init(NULL, &lab.config), SVMC_ERR_ARG);
    lab.config.expected = NULL;
    lab.config.expected_count = 0;
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    CHECK_EQ(svmc_token_tick(&lab.pool, 1), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VM, 0), SVMC_ERR_ARG);
    for (unsigned n = 0; n < LAB_VMS; n++)
        CHECK_EQ(svmc_token_vm_open(&lab.pool, n, 1), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, LAB_VMS, 1), SVMC_ERR_FULL);
}

TEST(token, grants) /* TK-4: what is no grant */
{
    struct svmc_token out;

    token_lab_open(&lab);
#define BAD_GRANT(field, value)                                                               \
    do {                                                                                      \
        struct svmc_token_grant bad = lab.grant;                                              \
        bad.field = (value);                                                                  \
        memset(&out, 0xee, sizeof out);                                                       \
        CHECK_EQ(svmc_token_enrol(&lab.pool, &lab.caller, &bad, SVMC_OK, &out), SVMC_ERR_ARG, \
                 #field);                                                                     \
        CHECK(is_zero(&out, sizeof out), #field);                                             \
    } while (0)
    BAD_GRANT(vcpus, 0);
    BAD_GRANT(vcpu_first, UINT32_MAX - 62);
    BAD_GRANT(classes, 0);
    BAD_GRANT(classes, 1);
    BAD_GRANT(classes, 1u << 16);
    BAD_GRANT(until, 10);
    BAD_GRANT(page, 0x1001);
    BAD_GRANT(frame, 0x1800);
    BAD_GRANT(offset, 4096);
    BAD_GRANT(flags, 4);
    BAD_GRANT(beat_ticks, UINT64_MAX - 9);
    lab.caller.user = 2;
    CHECK_EQ(enrol(&out), SVMC_ERR_ARG);
    lab.caller.user = 1;
    lab.caller.isa = SVMC_ISA_NONE; /* no call would fit */
    CHECK_EQ(enrol(&out), SVMC_ERR_ARG);
    lab.caller.isa = SVMC_ISA_X86_64;
    lab.caller.reserved[5] = 1;
    CHECK_EQ(enrol(&out), SVMC_ERR_ARG);
}

TEST(token, nothing_is_null) /* TK-5: misuse has a status of its own */
{
    struct svmc_token out;
    struct svmc_token_verdict verdict;
    struct svmc_token_event event;
    struct svmc_token_call call = { 0 };
    struct svmc_token_pool none = { 0 };
    struct svmc_token_pool *pools[] = { NULL, &none };

    token_lab_start(&lab);
    for (unsigned n = 0; n < 2; n++) {
        struct svmc_token_pool *p = pools[n];

        CHECK_EQ(svmc_token_vm_open(p, 1, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_vm_seal(p, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_vm_restore(p, 1, 2), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_vm_close(p, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_enrol(p, &lab.caller, &lab.grant, SVMC_OK, &out), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_attenuate(p, 1, &lab.caller, &lab.grant, &out), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_rotate(p, 1, NULL, &out), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_revoke(p, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_revoke_subtree(p, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_check(p, lab.vcpu, &lab.caller, &lab.token, &verdict), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_check_walk(p, lab.vcpu, &lab.caller, &lab.token, &verdict),
                 SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_check_call(p, lab.vcpu, &lab.caller, &lab.token, &call, &verdict),
                 SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_beat(p, 1, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_expect(p, 1, 1, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_met(p, 1, 1, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_tick(p, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_event_next(p, &event), SVMC_ERR_ARG);
        CHECK_EQ(svmc_token_report(p, &event), SVMC_ERR_ARG);
    }
    CHECK_EQ(svmc_token_event_next(&lab.pool, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_report(&lab.pool, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_met(&lab.pool, 0, 0, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_enrol(&lab.pool, NULL, &lab.grant, SVMC_OK, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_enrol(&lab.pool, &lab.caller, NULL, SVMC_OK, &out), SVMC_ERR_ARG);
    CHECK_EQ(enrol(NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_attenuate(&lab.pool, 1, NULL, &lab.grant, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_attenuate(&lab.pool, 1, &lab.caller, NULL, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_attenuate(&lab.pool, 1, &lab.caller, &lab.grant, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_rotate(&lab.pool, 1, NULL, NULL), SVMC_ERR_ARG);
    svmc_token_vcpu_init(NULL);
#define EACH_CHECK(vcpu, caller, token, out_)                                                \
    do {                                                                                     \
        CHECK_EQ(svmc_token_check(&lab.pool, vcpu, caller, token, out_), SVMC_ERR_ARG);      \
        CHECK_EQ(svmc_token_check_walk(&lab.pool, vcpu, caller, token, out_), SVMC_ERR_ARG); \
        CHECK_EQ(svmc_token_check_call(&lab.pool, vcpu, caller, token, &call, out_),         \
                 SVMC_ERR_ARG);                                                              \
    } while (0)
    EACH_CHECK(NULL, &lab.caller, &lab.token, &verdict);
    EACH_CHECK(lab.vcpu, NULL, &lab.token, &verdict);
    EACH_CHECK(lab.vcpu, &lab.caller, NULL, &verdict);
    EACH_CHECK(lab.vcpu, &lab.caller, &lab.token, NULL);
    CHECK_EQ(svmc_token_check_call(&lab.pool, lab.vcpu, &lab.caller, &lab.token, NULL, &verdict),
             SVMC_ERR_ARG);
    lab.caller.user = 2;
    EACH_CHECK(lab.vcpu, &lab.caller, &lab.token, &verdict);
    lab.caller.user = 1;
    lab.caller.reserved[0] = 1;
    memset(&verdict, 0xee, sizeof verdict);
    EACH_CHECK(lab.vcpu, &lab.caller, &lab.token, &verdict);
    CHECK(is_zero(&verdict, sizeof verdict));
    lab.caller.reserved[0] = 0;
    lab.config.mac_alg = 0;
    CHECK_EQ(svmc_token_pool_init(&lab.pool, &lab.config), SVMC_OK);
    CHECK_EQ(svmc_token_check_call(&lab.pool, lab.vcpu, &lab.caller, &lab.token, &call, &verdict),
             SVMC_ERR_ARG);
}
