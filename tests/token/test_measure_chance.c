/* SPDX-License-Identifier: MIT */
/* How likely a change is found that is taken back: docs/spec/measure.md, counted. Fixed seeds. */
#include "../harness.h"
#include "measure_lab.h"

#define N     12u /* pages */
#define TRIES 2000u
#define BOUND 25u /* five standard deviations, squared: once in 1.7 million */

static struct measure_lab lab, fresh;

/* Whether `count` of `tries` goes with the probability p / q: within five deviations. */
static bool is_likely(uint64_t count, uint64_t tries, uint64_t p, uint64_t q)
{
    uint64_t off = count * q > tries * p ? count * q - tries * p : tries * p - count * q;

    return off * off <= BOUND * tries * p * (q - p);
}

static bool look(void)
{
    struct svmc_measure_stand out;

    if (svmc_measure_scan(&lab.m, 1, &out) != SVMC_OK || out.looks != 1)
        abort();
    return out.event.kind != SVMC_MEASURE_NOTHING;
}

/* Changes that begin when `before` looks of a round were made and last for w: those found. */
static uint64_t found_of(unsigned before, unsigned w, uint64_t *rng)
{
    uint64_t found = 0;

    for (unsigned i = 0; i < TRIES; i++) {
        unsigned frame = (unsigned)(harness_random(rng) % N);
        bool seen = false;

        lab.m = fresh.m; /* but what is random goes on */
        memcpy(lab.pages, fresh.pages, sizeof lab.pages);
        for (unsigned n = 0; n < before; n++)
            (void)look();
        lab.memory[frame][3] ^= 1;
        for (unsigned n = 0; n < w; n++)
            seen |= look();
        lab.memory[frame][3] ^= 1;
        found += seen;
    }
    return found;
}

TEST(measure_chance, a_change_is_found_as_often_as_stated) /* ME-9 ME-7 A10 */
{
    static const struct {
        unsigned before, w;
    } rows[] = {
        { 0, 1 },  { 0, 3 },  { 0, 6 },  { 0, 12 },  { 5, 1 },  { 5, 4 },  { 11, 1 }, /* w/n */
        { 11, 2 }, { 9, 6 },  { 6, 12 }, { 8, 10 },  { 3, 18 }, { 1, 22 }, /* two rounds */
        { 0, 23 }, { 7, 23 }, { 1, 23 }, { 11, 23 },                       /* always */
    };
    uint32_t range;
    uint64_t rng = 1;

    lab_start(&lab, 99);
    REQUIRE(lab_add(&lab, 0, N, 9, 0, &range, NULL) == SVMC_OK);
    fresh = lab;
    for (unsigned r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        unsigned w = rows[r].w, a = N - rows[r].before < w ? N - rows[r].before : w, b = w - a;
        uint64_t found = found_of(rows[r].before, w, &rng), p, bound;

        b = b < N ? b : N;
        p = N * N - (N - a) * (N - b); /* 1 - (1 - a/n)(1 - b/n), over n^2 */
        CHECK(is_likely(found, TRIES, p, N * N), "%u looks from %u on: %" PRIu64 " found", w,
              rows[r].before, found);
        /* 1 - (1 - w/2n)^2, over 4n^2: less than that it never is */
        bound = w >= 2 * N ? 4 * N * N : 4 * N * N - (2 * N - w) * (2 * N - w);
        CHECK(4 * p >= bound, "%u looks from %u on", w, rows[r].before);
        if (w >= 2 * N - 1)
            CHECK_EQ(found, TRIES);
    }
}

/* Rounds of calls of `budget` each: at[page][place], after[page][the one before]. */
static void count_orders(uint32_t budget, unsigned at[N][N], unsigned after[N][N])
{
    struct svmc_measure_stand out;

    for (unsigned r = 0; r < TRIES; r++) {
        for (unsigned i = 0; i < N; i += budget)
            CHECK_EQ(svmc_measure_scan(&lab.m, budget, &out), SVMC_OK);
        for (unsigned i = 0; i < N; i++) {
            uint32_t page = lab.pages[i].priv.order;

            at[page][i]++;
            if (i > 0)
                after[page][lab.pages[i - 1].priv.order]++;
        }
    }
}

TEST(measure_chance, every_page_has_every_place_as_often) /* ME-7 */
{
    static unsigned at[N][N], after[N][N];
    uint32_t range;

    lab_start(&lab, 7);
    REQUIRE(lab_add(&lab, 0, N, 9, 0, &range, NULL) == SVMC_OK);
    for (uint32_t budget = 1; budget <= N; budget += N - 1) {
        memset(at, 0, sizeof at);
        memset(after, 0, sizeof after);
        count_orders(budget, at, after);
        for (unsigned f = 0; f < N; f++)
            for (unsigned i = 0; i < N; i++) {
                CHECK(is_likely(at[f][i], TRIES, 1, N), "page %u as number %u: %u", f, i, at[f][i]);
                /* N - 1 of the N (N - 1) ordered pairs stand beside each other in a round */
                CHECK(f == i || is_likely(after[f][i], TRIES, 1, N), "page %u after %u: %u", f, i,
                      after[f][i]);
            }
    }
}
