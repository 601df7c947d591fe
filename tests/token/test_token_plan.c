/* SPDX-License-Identifier: MIT */
/* docs/spec/token_page.md: the protection plan and whether it is held. */
#include "page_lab.h"

#define R  SVMC_TOKEN_MAY_READ
#define W  SVMC_TOKEN_MAY_WRITE
#define XK SVMC_TOKEN_MAY_EXECUTE_KERNEL
#define XU SVMC_TOKEN_MAY_EXECUTE_USER
#define X  (XK | XU)
#define A  SVMC_TOKEN_MAY_WALK

#define RO    SVMC_TOKEN_CAN_READ_ONLY
#define NX    SVMC_TOKEN_CAN_NO_EXECUTE
#define XO    SVMC_TOKEN_CAN_EXECUTE_ONLY
#define SPLIT SVMC_TOKEN_CAN_SPLIT_EXECUTE
#define WALK  SVMC_TOKEN_CAN_WALK
#define DMA   SVMC_TOKEN_CAN_GUARD_DMA

#define ROOM 64u

static const uint64_t tables[] = { 0x1000, 0x7000, 0xfffffffffffff000 };
static const uint64_t saved[] = { 0x123456000, 0 };
static struct svmc_token_guard plan[ROOM];
static uint32_t count;

static enum svmc_status make(uint32_t can, uint16_t levels, unsigned kind, unsigned user,
                             unsigned level)
{
    struct svmc_token_abilities abilities = { can, levels, 0 };
    struct svmc_token_plan_want want = { 0x5000,        tables,        saved,          3,    2,
                                         (uint8_t)kind, (uint8_t)user, (uint8_t)level, { 0 } };

    memset(plan, 0xee, sizeof plan);
    count = 0xeeee;
    return svmc_token_plan_make(&abilities, &want, plan, ROOM, &count);
}

/* The table of docs/spec/token_page.md, and what each row comes to: the page's entry. */
static const struct {
    char name[12];
    uint32_t can;
    unsigned kind, user;
    bool ok;
    uint8_t need, may, table_may;
} rows[] = {
    { "ept", RO | NX | XO | SPLIT | WALK | DMA, SVMC_TOKEN_PAGE_DATA, 0, true, R, R, R | A },
    { "ept", RO | NX | XO | SPLIT | WALK | DMA, SVMC_TOKEN_PAGE_GATE, 0, true, XK, XK, R | A },
    { "ept", RO | NX | XO | SPLIT | WALK | DMA, SVMC_TOKEN_PAGE_GATE, 1, true, XU, XU, R | A },
    { "ept, old", RO | NX | XO | DMA, SVMC_TOKEN_PAGE_GATE, 1, true, X, X, R },
    { "npt", RO | NX | DMA, SVMC_TOKEN_PAGE_GATE, 1, false, 0, 0, 0 }, /* A1 */
    { "npt", RO | NX | DMA, SVMC_TOKEN_PAGE_SITE, 1, true, X, X | R, R },
    { "npt, gmet", RO | NX | SPLIT | DMA, SVMC_TOKEN_PAGE_SITE, 1, true, XU, XU | R, R },
    { "a64", RO | NX | XO | SPLIT | DMA, SVMC_TOKEN_PAGE_GATE, 1, true, XU, XU, R },
    { "a64", RO | NX | XO | SPLIT | DMA, SVMC_TOKEN_PAGE_SITE, 0, true, XK, XK | R, R },
    { "riscv", RO | NX | XO | DMA, SVMC_TOKEN_PAGE_GATE, 0, true, X, X, R },
    { "riscv", RO | NX | XO | DMA, SVMC_TOKEN_PAGE_DATA, 0, true, R, R, R },
    { "s390x", RO | DMA, SVMC_TOKEN_PAGE_GATE, 0, false, 0, 0, 0 },
    { "s390x", RO | DMA, SVMC_TOKEN_PAGE_SITE, 0, true, X, X | R, R | X },
    { "s390x", RO | DMA, SVMC_TOKEN_PAGE_DATA, 0, true, R, R | X, R | X },
    { "no iommu", RO | NX | XO | SPLIT | WALK, SVMC_TOKEN_PAGE_GATE, 0, false, 0, 0, 0 }, /* A16 */
    { "no iommu", RO | NX | XO | SPLIT | WALK, SVMC_TOKEN_PAGE_DATA, 0, false, 0, 0, 0 },
    { "rw alone", NX | XO | DMA, SVMC_TOKEN_PAGE_DATA, 0, false, 0, 0, 0 }, /* K5 */
    { "rw alone", NX | XO | DMA, SVMC_TOKEN_PAGE_SITE, 0, false, 0, 0, 0 },
    { "rw alone", NX | XO | DMA, SVMC_TOKEN_PAGE_GATE, 0, false, 0, 0, 0 }, /* its tables */
};
#define ROWS (sizeof rows / sizeof rows[0])

TEST(token_plan, of_each_processor) /* TP-11 TP-12 TP-13 TP-14 */
{
    for (unsigned i = 0; i < ROWS; i++) {
        enum svmc_status st = make(rows[i].can, 1, rows[i].kind, rows[i].user, 0);

        CHECK_EQ(st, rows[i].ok ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "row %u: %s", i, rows[i].name);
        CHECK_EQ(count, rows[i].ok ? 6 : 0, "row %u", i);
        if (st != SVMC_OK)
            continue;
        for (unsigned n = 0; n < count; n++) {
            const struct svmc_token_guard *g = &plan[n];
            bool table = n >= 1 && n < 4;

            CHECK_EQ(g->frame, n == 0 ? 0x5000 : table ? tables[n - 1] : saved[n - 4], "row %u", i);
            CHECK_EQ(g->why, n == 0  ? SVMC_TOKEN_PLAN_PAGE
                             : table ? SVMC_TOKEN_PLAN_TABLE
                                     : SVMC_TOKEN_PLAN_SAVED);
            CHECK_EQ(g->level, n < 4 ? 0 : 0xff);
            CHECK_EQ(g->need, n == 0 ? rows[i].need : table ? R : 0, "row %u, entry %u", i, n);
            CHECK_EQ(g->may,
                     n == 0  ? rows[i].may
                     : table ? rows[i].table_may
                             : 0,
                     "row %u, %u", i, n);
            CHECK(g->reserved[0] == 0 && g->reserved[3] == 0);
        }
    }
}

/* K5 K14 A1 A5 K2: whatever a processor can, whoever calls. */
TEST(token_plan, what_no_plan_grants) /* TP-11 TP-12 TP-13 TP-14 */
{
    unsigned plans = 0, refused = 0;

    for (uint32_t can = 0; can < 64; can++)
        for (unsigned pick = 0; pick < 3 * 2 * 3; pick++) {
            unsigned kind = 1 + pick % 3, user = pick / 3 % 2, level = 2 * (pick / 6);
            uint16_t levels = 0x15; /* 0, 2 and 4 */
            enum svmc_status st = make(can, levels, kind, user, level);

            plans += st == SVMC_OK;
            refused += st == SVMC_ERR_UNSUPPORTED;
            CHECK_EQ(st == SVMC_OK ? count : 14, 3 * 4 + 2);
            for (unsigned n = 0; st == SVMC_OK && n < count; n++) {
                const struct svmc_token_guard *g = &plan[n];
                bool own = g->level == level;

                CHECK((g->may & W) == 0 && (g->need & ~g->may) == 0);
                if (g->why == SVMC_TOKEN_PLAN_SAVED)
                    CHECK(g->may == 0 && g->level == 0xff);
                else
                    CHECK(g->level == 0 || g->level == 2 || g->level == 4);
                if (g->why == SVMC_TOKEN_PLAN_PAGE) {
                    CHECK(own || g->may == 0, "nothing at another level");
                    CHECK(kind != SVMC_TOKEN_PAGE_GATE || (g->may & (R | A)) == 0, "not read");
                    CHECK(kind == SVMC_TOKEN_PAGE_DATA || !own || (g->need & (user ? XU : XK)));
                    CHECK(!(can & SPLIT) || kind == SVMC_TOKEN_PAGE_DATA ||
                          (g->may & (user ? XK : XU)) == 0);
                    CHECK((g->may & A) == 0);
                }
                if (g->why == SVMC_TOKEN_PLAN_TABLE)
                    CHECK((g->may & R) && g->need == (own ? R : 0) &&
                          ((can & WALK) || !(g->may & A)) && ((g->may & X) == 0 || !(can & NX)));
            }
        }
    CHECK_EQ(plans + refused, 64 * 18);
    CHECK(plans > 100 && refused > 100);
}

TEST(token_plan, is_refused) /* TP-12 TP-13 */
{
    struct svmc_token_abilities abilities = { RO | NX | XO | DMA, 1, 0 };
    struct svmc_token_plan_want good = { 0x5000, tables, saved, 3, 2, SVMC_TOKEN_PAGE_GATE,
                                         0,      0,      { 0 } };
    static const uint64_t odd[] = { 0x1000, 0x1001 }, itself[] = { 0x1000, 0x5000 };
    struct svmc_token_plan_want want = good;

#define REFUSED(status)                                                                \
    do {                                                                               \
        count = 9;                                                                     \
        CHECK_EQ(svmc_token_plan_make(&abilities, &want, plan, ROOM, &count), status); \
        CHECK_EQ(count, 0);                                                            \
        want = good;                                                                   \
        abilities = (struct svmc_token_abilities){ RO | NX | XO | DMA, 1, 0 };         \
    } while (0)
    want.frame = 0x5008;
    REFUSED(SVMC_ERR_ARG);
    want.tables = odd, want.table_count = 2;
    REFUSED(SVMC_ERR_ARG);
    want.tables = itself, want.table_count = 2;
    REFUSED(SVMC_ERR_ARG);
    want.saved = odd;
    REFUSED(SVMC_ERR_ARG);
    want.tables = NULL;
    REFUSED(SVMC_ERR_ARG);
    want.saved = NULL;
    REFUSED(SVMC_ERR_ARG);
    want.kind = 0;
    REFUSED(SVMC_ERR_ARG);
    want.kind = 4;
    REFUSED(SVMC_ERR_ARG);
    want.user = 2;
    REFUSED(SVMC_ERR_ARG);
    want.level = 1; /* the guest has none such */
    REFUSED(SVMC_ERR_ARG);
    want.level = 16;
    REFUSED(SVMC_ERR_ARG);
    want.level = 64;
    REFUSED(SVMC_ERR_ARG);
    want.reserved[4] = 1;
    REFUSED(SVMC_ERR_ARG);
    abilities.levels = 0;
    REFUSED(SVMC_ERR_ARG);
    abilities.reserved = 1;
    REFUSED(SVMC_ERR_ARG);
    abilities.can = 64;
    REFUSED(SVMC_ERR_ARG);
    abilities.can = NX | XO | DMA; /* no tables: it needs no READ_ONLY */
    want.table_count = 0, want.tables = NULL;
    CHECK_EQ(svmc_token_plan_make(&abilities, &want, plan, ROOM, &count), SVMC_OK);
    CHECK_EQ(count, 3);
    want.kind = SVMC_TOKEN_PAGE_DATA;
    CHECK_EQ(svmc_token_plan_make(&abilities, &want, plan, ROOM, &count), SVMC_ERR_UNSUPPORTED);
    want.kind = SVMC_TOKEN_PAGE_SITE;
    CHECK_EQ(svmc_token_plan_make(&abilities, &want, plan, ROOM, &count), SVMC_ERR_UNSUPPORTED);
    want = good;
    CHECK_EQ(svmc_token_plan_make(NULL, &want, plan, ROOM, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_plan_make(&abilities, NULL, plan, ROOM, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_plan_make(&abilities, &want, NULL, ROOM, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_plan_make(&abilities, &want, plan, ROOM, NULL), SVMC_ERR_ARG);
}

TEST(token_plan, room) /* TP-11 */
{
    struct svmc_token_abilities abilities = { RO | NX | XO | DMA, 0x8001, 0 };
    struct svmc_token_plan_want want = { 0x5000, tables, saved, 3, 2, SVMC_TOKEN_PAGE_GATE,
                                         0,      15,     { 0 } };

    for (uint32_t room = 0; room <= 11; room++) { /* 2 * (1 + 3) + 2 */
        memset(plan, 0xee, sizeof plan);
        CHECK_EQ(svmc_token_plan_make(&abilities, &want, plan, room, &count),
                 room < 10 ? SVMC_ERR_FULL : SVMC_OK, "%u", room);
        CHECK_EQ(count, room < 10 ? 0 : 10);
        for (uint32_t i = room < 10 ? 0 : 10; i < ROOM; i++)
            CHECK_EQ(plan[i].why, 0xee, "nothing written there");
    }
}

/* ---- is it held? ---- */

struct host {
    struct svmc_token_held held[ROOM];
    unsigned calls, fail_at, first;
    enum svmc_status failure;
};

static struct host host;
static struct svmc_token_plan_verdict verdict;

static enum svmc_status held(void *ctx, const struct svmc_token_guard *guard,
                             struct svmc_token_held *out)
{
    struct host *h = ctx;
    size_t n = (size_t)(guard - plan);

    CHECK(n == h->first + h->calls && n < count && out->rights == 0xff && out->devices == 0xff &&
          out->reserved[4] == 0);
    if (++h->calls == h->fail_at && h->failure == SVMC_OK)
        return SVMC_OK; /* and nothing written */
    *out = h->held[n];
    return h->calls == h->fail_at ? h->failure : SVMC_OK;
}

static const struct svmc_token_plan_ops ops = { sizeof(struct svmc_token_plan_ops), held };

static enum svmc_status verify(uint32_t from)
{
    host.calls = 0;
    host.first = from;
    memset(&verdict, 0xee, sizeof verdict);
    return svmc_token_plan_verify(plan, count, from, &ops, &host, &verdict);
}

/* A plan of every kind of entry, exactly held. */
static void set_up(unsigned kind)
{
    memset(&host, 0, sizeof host);
    CHECK_EQ(make(RO | NX | XO | WALK | DMA, 3, kind, 0, 1), SVMC_OK);
    for (unsigned n = 0; n < count; n++)
        host.held[n].rights = plan[n].need;
}

static bool zero(void)
{
    static const struct svmc_token_plan_verdict none;

    return memcmp(&verdict, &none, sizeof none) == 0;
}

TEST(token_plan, held) /* TP-15 */
{
    for (unsigned kind = 1; kind <= 3; kind++) {
        set_up(kind);
        CHECK_EQ(verify(0), SVMC_OK);
        CHECK(verdict.entry == count && host.calls == count);
        CHECK(!verdict.missing && !verdict.beyond && !verdict.aliases && !verdict.devices);
        for (unsigned n = 0; n < count; n++)
            host.held[n].rights = plan[n].may;
        CHECK_EQ(verify(0), SVMC_OK);
        CHECK_EQ(verdict.entry, count);
    }
}

/* K5 A16 A5 K2: each bit of each entry, alone. */
TEST(token_plan, every_single_deviation) /* TP-15 TP-11 TP-12 TP-14 */
{
    unsigned found = 0, allowed = 0;

    for (unsigned kind = 1; kind <= 3; kind++)
        for (unsigned n = 0; n < 10; n++)
            for (unsigned bit = 0; bit < 5 + 5 + 2; bit++) {
                uint8_t b = (uint8_t)(1u << (bit < 5 ? bit : bit < 10 ? bit - 5 : bit - 10));
                bool bad;

                set_up(kind);
                REQUIRE(count == 10);
                bad = bit >= 5 || (plan[n].need & b) || !(plan[n].may & b);
                if (bit < 5)
                    host.held[n].rights ^= b;
                else if (bit < 10)
                    host.held[n].aliases = b;
                else
                    host.held[n].devices = b;
                CHECK_EQ(verify(0), SVMC_OK);
                CHECK_EQ(verdict.entry, bad ? n : 10, "kind %u, entry %u, bit %u", kind, n, bit);
                CHECK_EQ(verdict.missing, bit < 5 && (plan[n].need & b) ? b : 0);
                CHECK_EQ(verdict.beyond, bad && bit < 5 && !(plan[n].need & b) ? b : 0);
                CHECK_EQ(verdict.aliases, bit >= 5 && bit < 10 ? b : 0);
                CHECK_EQ(verdict.devices, bit >= 10 ? b : 0);
                CHECK_EQ(host.calls, bad ? n + 1 : 10);
                found += bad;
                allowed += !bad;
            }
    CHECK(found > 300 && allowed > 0 && found + allowed == 3 * 10 * 12);
}

TEST(token_plan, several_deviations_one_after_the_other) /* TP-15 */
{
    uint64_t rng = harness_seed();

    for (unsigned round = 0; round < 200; round++) {
        uint32_t bad = (uint32_t)harness_random(&rng) & 0x3ff, seen = 0;

        set_up(1 + round % 3);
        for (unsigned n = 0; n < count; n++)
            if (bad >> n & 1)
                host.held[n].devices = 1 + round % 3;
        for (uint32_t from = 0; from <= count; from = verdict.entry + 1) {
            REQUIRE(verify(from) == SVMC_OK);
            if (verdict.entry < count)
                seen |= 1u << verdict.entry;
        }
        CHECK_EQ(seen, bad);
    }
}

TEST(token_plan, each_callback_fails) /* TP-16 */
{
    set_up(SVMC_TOKEN_PAGE_GATE);
    for (unsigned k = 1; k <= count; k++)
        for (unsigned how = 0; how < 2; how++) {
            host.fail_at = k;
            host.failure = how ? SVMC_ERR_STALE : SVMC_ERR_CALLBACK;
            CHECK_EQ(verify(0), SVMC_ERR_CALLBACK, "call %u", k);
            CHECK(zero() && host.calls == k);
        }
    host.fail_at = count + 1;
    CHECK_EQ(verify(0), SVMC_OK);
}

TEST(token_plan, answers_that_are_none) /* TP-16 */
{
    set_up(SVMC_TOKEN_PAGE_DATA);
    host.fail_at = 3; /* says OK and writes nothing */
    host.failure = SVMC_OK;
    CHECK_EQ(verify(0), SVMC_ERR_CALLBACK);
    CHECK(zero());
    for (unsigned n = 0; n < count; n++)
        for (unsigned i = 0; i < 5; i++) {
            set_up(SVMC_TOKEN_PAGE_DATA);
            if (i == 0)
                host.held[n].rights |= 32;
            else if (i == 1)
                host.held[n].aliases = 128;
            else if (i == 2)
                host.held[n].devices = SVMC_TOKEN_MAY_EXECUTE_USER;
            else
                host.held[n].reserved[i == 3 ? 0 : 4] = 1;
            CHECK_EQ(verify(0), SVMC_ERR_CALLBACK, "entry %u, %u", n, i);
            CHECK(zero() && host.calls == n + 1);
        }
}

TEST(token_plan, misuse) /* TP-16 */
{
    struct svmc_token_plan_ops some = ops;
    struct svmc_token_guard good[2];

#define ARG(call)                               \
    do {                                        \
        memset(&verdict, 0xee, sizeof verdict); \
        CHECK_EQ(call, SVMC_ERR_ARG);           \
        CHECK(zero());                          \
    } while (0)
    set_up(SVMC_TOKEN_PAGE_SITE);
    ARG(svmc_token_plan_verify(NULL, count, 0, &ops, &host, &verdict));
    ARG(svmc_token_plan_verify(plan, 0, 0, &ops, &host, &verdict));
    ARG(svmc_token_plan_verify(plan, count, count + 1, &ops, &host, &verdict));
    ARG(svmc_token_plan_verify(plan, count, 0, NULL, &host, &verdict));
    CHECK_EQ(svmc_token_plan_verify(plan, count, 0, &ops, &host, NULL), SVMC_ERR_ARG);
    some.held = NULL;
    ARG(svmc_token_plan_verify(plan, count, 0, &some, &host, &verdict));
    some = ops;
    some.size = offsetof(struct svmc_token_plan_ops, held);
    ARG(svmc_token_plan_verify(plan, count, 0, &some, &host, &verdict));
    CHECK_EQ(host.calls, 0);
    CHECK_EQ(verify(count), SVMC_OK, "there is no more");
    CHECK_EQ(verdict.entry, count);
    memcpy(good, plan, sizeof good);
    for (unsigned i = 0; i < 5; i++) { /* entries that are none */
        memcpy(plan, good, sizeof good);
        if (i == 0)
            plan[1].frame++;
        else if (i == 1)
            plan[1].why = 0;
        else if (i == 2)
            plan[1].why = 4;
        else if (i == 3)
            plan[1].need = 1, plan[1].may = 0;
        else
            plan[1].may |= 32;
        host.calls = host.first = 0;
        ARG(svmc_token_plan_verify(plan, count, 0, &ops, &host, &verdict));
        CHECK_EQ(host.calls, 1);
    }
}
