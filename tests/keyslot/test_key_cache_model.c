/* SPDX-License-Identifier: MIT */
/* docs/spec/provider.md as a small model of one key and two services, written down once more: every
   history of some length, and long random ones, beside the cache. */
#include <stdlib.h>
#include <svmcore/key_cache.h>

#include "../harness.h"
#include "provider_lab.h"

enum { GOOD, BUSY, GONE, DENIED, REVOKED, LIES, NONE_TAKEN, BEHAVIOURS };

enum event {
    GET,
    STEP,
    A_BIT,   /* time */
    A_HEDGE, /* ... as long as a hedge delay */
    A_WHILE, /* ... beyond a deadline and a negative time */
    A_LEASE, /* ... to the last quarter of a lease */
    AN_AGE,  /* ... beyond lease and grace */
    EVICT,
    ANSWERS, /* from here on: how the first service is, then how the second one is */
    EVENTS = ANSWERS + 2 * BEHAVIOURS
};

/* What is known of the key, by the rules alone. */
struct model {
    uint64_t now;
    bool held, open;
    uint64_t renew, lease, close, deadline, hedge, retry_from, retry_to;
    uint32_t reason, because, next;
    bool asked[2];
    uint32_t how[2], told[2]; /* how a service is now; and was when it was asked */
};

static struct provider_lab lab;
static struct model m;

static const uint32_t reason_of[BEHAVIOURS] = { 0,
                                                0,
                                                SVMC_FETCH_UNREACHABLE,
                                                SVMC_FETCH_DENIED,
                                                SVMC_FETCH_COMPROMISED,
                                                SVMC_FETCH_LENGTH,
                                                SVMC_FETCH_PROVIDER };

static void behave(uint32_t p, uint32_t how)
{
    struct lab_provider *s = &lab.provider[p];

    m.how[p] = how;
    s->dead = how == BUSY;
    s->takes_none = how == NONE_TAKEN;
    s->says = how == GONE ? SVMC_FETCH_UNREACHABLE : how == DENIED ? SVMC_FETCH_DENIED : 0;
    provider_lab_good(&s->answer, 1);
    if (how == REVOKED)
        s->answer.state = SVMC_KEY_COMPROMISED;
    if (how == LIES)
        s->answer.key_bytes = 31;
    memset(s->answer.key, how == REVOKED || how == LIES ? 0xbb : 0xc1, 32);
}

static void begin(void)
{
    memset(&m, 0, sizeof m);
    provider_lab_init(&lab, 2);
    behave(0, GOOD);
    behave(1, GOOD);
}

/* ---- the model -------------------------------------------------------------------------------*/

static void failed(uint32_t reason)
{
    m.open = m.asked[0] = m.asked[1] = false;
    m.reason = reason;
    m.retry_from = m.now + LAB_NEGATIVE; /* ... to half more */
    m.retry_to = m.retry_from + LAB_NEGATIVE / 2;
    if (reason >= 48)
        m.held = false;
}

static void one_failed(uint32_t reason)
{
    if (m.because == 0 || (reason >= 48 && m.because < 48))
        m.because = reason;
    if (reason == SVMC_FETCH_COMPROMISED)
        failed(reason);
}

static void heard(uint32_t p)
{
    /* what is answered was there when it was asked; whether it comes is as it is now */
    const uint32_t now = m.how[p];
    const uint32_t what = now == GONE || now == DENIED ? now : m.told[p];

    if (now == BUSY)
        return;
    m.asked[p] = false;
    if (what == GOOD || what == BUSY || what == GONE || what == DENIED || what == NONE_TAKEN) {
        if (now == GONE || now == DENIED) {
            one_failed(reason_of[now]);
            return;
        }
        m.open = m.asked[0] = m.asked[1] = false;
        m.held = true;
        m.reason = 0;
        m.retry_from = m.retry_to = 0;
        m.lease = m.now + LAB_LEASE;
        m.close = m.lease + LAB_GRACE;
        m.renew = m.now + LAB_LEASE / 4 * 3;
        return;
    }
    one_failed(reason_of[what]);
}

static void model_age(void)
{
    if (m.held && m.now >= m.close)
        m.held = false;
}

static void model_step(void)
{
    model_age();
    for (uint32_t p = 0; p < 2; p++)
        if (m.open && m.asked[p])
            heard(p);
    if (m.open && m.now >= m.deadline)
        failed(m.because >= 48 ? m.because : SVMC_FETCH_DEADLINE);
    while (m.open && m.next < 2 && ((!m.asked[0] && !m.asked[1]) || m.now >= m.hedge)) {
        uint32_t p = m.next++;

        m.hedge = m.now + LAB_HEDGE;
        m.told[p] = m.how[p];
        m.asked[p] = m.how[p] != NONE_TAKEN;
        if (!m.asked[p])
            one_failed(SVMC_FETCH_PROVIDER);
    }
    if (m.open && !m.asked[0] && !m.asked[1])
        failed(m.because);
}

static void model_open(void)
{
    m.open = true;
    m.next = m.because = 0;
    m.hedge = m.now;
    m.deadline = m.now + LAB_TIMEOUT;
}

/* What a get gives: a reason; UINT32_MAX: it depends on the random part of a pause. */
static uint32_t model_get(void)
{
    const bool perhaps = m.now >= m.retry_from && m.now < m.retry_to;

    model_age();
    if (m.held) {
        if (perhaps && m.now >= m.renew && !m.open)
            return UINT32_MAX;
        if (m.now >= m.renew && m.now >= m.retry_to && !m.open)
            model_open();
        return SVMC_FETCH_NONE;
    }
    if (m.open)
        return SVMC_FETCH_PENDING;
    if (perhaps)
        return UINT32_MAX;
    if (m.now < m.retry_from)
        return m.reason;
    model_open();
    return SVMC_FETCH_PENDING;
}

/* ---- both ------------------------------------------------------------------------------------*/

static bool same(void)
{
    static const uint8_t lie[16] = { 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb,
                                     0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb };
    const uint32_t open = (uint32_t)m.asked[0] + (uint32_t)m.asked[1];

    return provider_lab_wrong(&lab) == 0 && provider_lab_open(&lab) == open &&
           !provider_lab_has(&lab, lie, sizeof lie);
}

/* One event; false: they differ. *known: the model can tell what follows. */
static bool take(uint32_t event, bool *known)
{
    static const uint64_t time[] = { [A_BIT] = 7,
                                     [A_HEDGE] = LAB_HEDGE,
                                     [A_WHILE] = 4 * LAB_NEGATIVE,
                                     [A_LEASE] = LAB_LEASE / 4 * 3,
                                     [AN_AGE] = LAB_LEASE + LAB_GRACE };
    const struct svmc_key_wanted wanted = provider_lab_wanted(1);
    struct svmc_key_news news;
    enum svmc_status st;
    uint32_t want;

    switch (event) {
    case GET:
        want = model_get();
        *known = want != UINT32_MAX;
        if (!*known)
            return true;
        st = svmc_key_cache_get(&lab.cache, m.now, &wanted, &news);
        return st == svmc_fetch_status(want) && (st == SVMC_OK || news.reason == want) &&
               (st != SVMC_OK || (news.until == m.close && news.reason == m.reason &&
                                  news.in_grace == (m.now >= m.lease))) &&
               (want != SVMC_FETCH_PENDING || news.until == m.deadline);
    case STEP:
        model_step();
        (void)svmc_key_cache_step(&lab.cache, m.now, NULL);
        return same();
    case EVICT:
        m.held = m.open = m.asked[0] = m.asked[1] = false;
        m.retry_from = m.retry_to = m.reason = 0;
        svmc_key_cache_evict(&lab.cache, wanted.id, wanted.id_bytes);
        return same();
    default:
        if (event < ANSWERS)
            m.now += time[event];
        else
            behave((event - ANSWERS) / BEHAVIOURS, (event - ANSWERS) % BEHAVIOURS);
        return true;
    }
}

/* The n-th history of so many events from a list. */
static bool history(uint64_t n, const uint8_t *events, uint32_t count, uint32_t length)
{
    bool known = true;

    begin();
    for (uint32_t i = 0; i < length && known; i++, n /= count)
        if (!take(events[n % count], &known))
            return false;
    svmc_key_cache_drop(&lab.cache);
    return provider_lab_open(&lab) == 0 && provider_lab_wrong(&lab) == 0;
}

/* STEP and GET by turns do most of it: what else happens, happens between them. */
TEST(key_cache_model, every_short_history) /* PR-6 PR-11 PR-12 PR-14 PR-15 PR-16 */
{
    static const uint8_t events[] = { GET,           STEP,  A_HEDGE,        A_WHILE,
                                      AN_AGE,        EVICT, ANSWERS + BUSY, ANSWERS + REVOKED,
                                      ANSWERS + GONE };
    const uint32_t count = sizeof events, length = 4;
    uint64_t all = 1;

    for (uint32_t i = 0; i < length; i++)
        all *= count;
    for (uint64_t n = 0; n < all; n++)
        if (!CHECK(history(n, events, count, length), "history %" PRIu64, n))
            return;
}

TEST(key_cache_model, long_random_histories) /* PR-6 PR-8 PR-11 PR-12 PR-14 PR-15 PR-16 PR-18 */
{
    const char *count = getenv("SVMC_COUNT");
    uint64_t left = count ? strtoull(count, NULL, 10) : 200, seed = harness_seed();
    uint64_t kept = 0;

    if (left > 100000)
        left = 100000;
    for (; left > 0; left--) {
        uint64_t at = seed, first = harness_random(&seed);

        seed = first;
        begin();
        for (uint32_t i = 0; i < 120; i++) {
            uint64_t r = harness_random(&seed);
            uint32_t event = r % 3 == 0   ? (uint32_t)(r >> 8) % EVENTS
                             : r % 3 == 1 ? (uint32_t)STEP
                                          : (uint32_t)GET;
            bool known = true;

            if (event == EVICT && (r >> 40) % 4 != 0)
                event = A_BIT;
            if (!CHECK(take(event, &known), "SVMC_SEED=%" PRIu64 ", event %u is %u", at,
                       (unsigned)i, (unsigned)event))
                return;
            kept += m.held;
            if (!known) { /* wait till the pause is over for sure */
                m.now = m.retry_to;
                m.retry_from = m.retry_to;
            }
        }
        svmc_key_cache_drop(&lab.cache);
        CHECK_EQ(provider_lab_open(&lab), 0);
    }
    CHECK(kept > 100, "most of them hold a key now and then");
}
