/* SPDX-License-Identifier: MIT */
/* docs/spec/provider.md: key services that are slow, dead, lying or flapping, and what the cache of
   their keys makes of it. */
#include <svmcore/key_cache.h>

#include "../harness.h"
#include "provider_lab.h"

static struct provider_lab lab;
static struct svmc_key_news news;
static const uint8_t good[16] = { 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1,
                                  0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1 }; /* of key 1 */

static enum svmc_status get(uint64_t now, uint8_t n)
{
    const struct svmc_key_wanted wanted = provider_lab_wanted(n);

    memset(&news, 0x55, sizeof news);
    return svmc_key_cache_get(&lab.cache, now, &wanted, &news);
}

static uint32_t step(uint64_t now)
{
    return svmc_key_cache_step(&lab.cache, now, NULL);
}

static uint64_t counted(enum svmc_key_count what)
{
    return svmc_key_cache_count(&lab.cache, what);
}

/* Key 1 is fetched at `now`; the fetch has ended before now + 2. */
static enum svmc_status fetch(uint64_t now)
{
    CHECK_EQ(get(now, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(news.reason, SVMC_FETCH_PENDING);
    (void)step(now);
    CHECK_EQ(step(now + 1), 1);
    return get(now + 1, 1);
}

/* ---- its memory ------------------------------------------------------------------------------*/

TEST(key_cache, a_cache_is_laid_out_of_what_is_whole) /* PR-1 PR-5 CR-1 */
{
    struct svmc_key_cache_config config;
    struct svmc_provider_ops ops;
    struct svmc_crypto_ops crypto;

    provider_lab_init(&lab, 2);
    config = lab.config;
#define INIT() svmc_key_cache_init(&lab.cache, &config, lab.memory, sizeof lab.memory)
    CHECK_EQ(INIT(), SVMC_OK);
    CHECK_EQ(svmc_key_cache_init(NULL, &config, lab.memory, sizeof lab.memory), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_init(&lab.cache, NULL, lab.memory, 4096), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_init(&lab.cache, &config, NULL, 4096), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_init(&lab.cache, &config, lab.memory + 32, 640), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_init(&lab.cache, &config, lab.memory, SVMC_KEY_CACHE_BYTES(1) - 1),
             SVMC_ERR_ARG);
#define WITH(change, want)                     \
    do {                                       \
        config = lab.config;                   \
        change;                                \
        CHECK_EQ(INIT(), want, "%s", #change); \
    } while (0)
    WITH(config.providers = 0, SVMC_ERR_ARG);
    WITH(config.providers = 3, SVMC_ERR_ARG);
    WITH(config.providers = SVMC_PROVIDERS_MAX + 1, SVMC_ERR_ARG);
    WITH(config.timeout_ns = 0, SVMC_ERR_ARG);
    WITH(config.lease_ns = 0, SVMC_ERR_ARG);
    WITH(config.timeout_ns = SVMC_KEY_CACHE_TIME_MAX + 1, SVMC_ERR_ARG);
    WITH(config.lease_ns = SVMC_KEY_CACHE_TIME_MAX + 1, SVMC_ERR_ARG);
    WITH(config.hedge_ns = SVMC_KEY_CACHE_TIME_MAX + 1, SVMC_ERR_ARG);
    WITH(config.negative_ns = SVMC_KEY_CACHE_TIME_MAX + 1, SVMC_ERR_ARG);
    WITH(config.grace_ns = SVMC_KEY_CACHE_TIME_MAX + 1, SVMC_ERR_ARG);
    WITH(config.grace_ns = SVMC_KEY_CACHE_TIME_MAX, SVMC_OK);
    WITH(config.derive = SVMC_ALG_SHA_256, SVMC_ERR_UNSUPPORTED);
    WITH(config.derive = SVMC_ALG_HKDF_SHA_256, SVMC_OK);
    WITH(config.crypto = NULL, SVMC_ERR_ARG);
#define WITHOUT(table, at, op)                        \
    do {                                              \
        table = *lab.config.at;                       \
        table.op = NULL;                              \
        WITH(config.at = &table, SVMC_ERR_ARG);       \
        table = *lab.config.at;                       \
        table.size = offsetof(__typeof__(table), op); \
        WITH(config.at = &table, SVMC_ERR_ARG);       \
    } while (0)
    WITHOUT(crypto, crypto, random);
    WITHOUT(crypto, crypto, equal);
    WITHOUT(crypto, crypto, wipe);
    WITHOUT(crypto, crypto, derive);
    WITHOUT(ops, provider[1], request);
    WITHOUT(ops, provider[1], poll);
    WITHOUT(ops, provider[1], cancel);
}

TEST(key_cache, callers_that_break_the_contract) /* PR-5 */
{
    struct svmc_key_wanted wanted = provider_lab_wanted(1);
    struct svmc_key_blob blob = { 0 };
    uint64_t wake = 0;

    provider_lab_init(&lab, 1);
    CHECK_EQ(svmc_key_cache_get(NULL, 0, &wanted, &news), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, NULL, &news), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_unwrap(&lab.cache, 0, &wanted, NULL, &news), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_unwrap(&lab.cache, 0, &wanted, &blob, &news), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_cache_wrap(&lab.cache, 0, &wanted, &blob, &news), SVMC_ERR_ARG);
    wanted.id_bytes = 0;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ARG);
    wanted.id_bytes = SVMC_KEY_NAME_BYTES_MAX + 1;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ARG);
    wanted = provider_lab_wanted(1);
    wanted.id = NULL;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ARG);
    wanted = provider_lab_wanted(1);
    wanted.alg = 0;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ARG);
    wanted = provider_lab_wanted(1);
    wanted.has_check = 2;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ARG);
    CHECK_EQ(counted(SVMC_KEY_COUNT_FETCH), 0);
    CHECK_EQ(svmc_key_cache_count(&lab.cache, 99), 0);
    CHECK_EQ(svmc_key_cache_count(NULL, 0), 0);
    CHECK_EQ(svmc_key_cache_step(NULL, 0, &wake), 0);
    CHECK_EQ(wake, UINT64_MAX);
    svmc_key_cache_evict(NULL, wanted.id, wanted.id_bytes);
    svmc_key_cache_evict(&lab.cache, NULL, 1);
    svmc_key_cache_evict(&lab.cache, wanted.id, 0);
    svmc_key_cache_drop(NULL);
    svmc_key_cache_drop(&lab.cache);
    svmc_key_cache_drop(&lab.cache);
    CHECK_EQ(get(0, 1), SVMC_ERR_ARG, "dropped");
    CHECK_EQ(step(0), 0);
}

TEST(key_cache, reasons_have_names_and_statuses) /* PR-4 */
{
    uint32_t known = 0;

    for (uint32_t reason = 0; reason < 300; reason++) {
        const char *name = svmc_fetch_name(reason);

        if (strcmp(name, "SVMC_FETCH_?") == 0) {
            CHECK_EQ(svmc_fetch_status(reason), SVMC_ERR_CALLBACK);
            continue;
        }
        known++;
        CHECK(strncmp(name, "SVMC_FETCH_", 11) == 0 && (svmc_fetch_status(reason) == 0) == !reason);
        for (uint32_t other = 0; other < reason; other++)
            CHECK(strcmp(name, svmc_fetch_name(other)) != 0, "%s", name);
    }
    CHECK_EQ(known, 29);
    CHECK_EQ(svmc_fetch_status(SVMC_FETCH_PENDING), SVMC_ERR_ABSENT);
    CHECK_EQ(svmc_fetch_status(SVMC_FETCH_COMPROMISED), SVMC_ERR_REFUSED);
    CHECK_EQ(svmc_fetch_status(SVMC_FETCH_USAGE), SVMC_ERR_PURPOSE);
}

/* ---- a fetch ---------------------------------------------------------------------------------*/

TEST(key_cache, a_key_is_fetched_once_for_all_who_ask) /* PR-6 PR-2 PR-3 */
{
    provider_lab_init(&lab, 1);
    lab.provider[0].delay = 50;
    for (uint64_t t = 0; t < 50; t += 10) {
        CHECK_EQ(get(t, 1), SVMC_ERR_ABSENT);
        CHECK_EQ(news.reason, SVMC_FETCH_PENDING);
        CHECK_EQ(news.until, LAB_TIMEOUT);
        CHECK_EQ(step(t), 0);
    }
    CHECK_EQ(lab.provider[0].requests, 1);
    CHECK_EQ(lab.provider[0].deadline, LAB_TIMEOUT);
    CHECK(!provider_lab_has(&lab, good, 16), "nothing of what is not ready is left");
    CHECK_EQ(step(60), 1);
    CHECK_EQ(step(61), 0);
    CHECK_EQ(get(61, 1), SVMC_OK);
    CHECK_EQ(news.reason, 0);
    CHECK_EQ(news.state, SVMC_KEY_ACTIVE);
    CHECK_EQ(news.usage, 0x10c);
    CHECK_EQ(news.in_grace, 0);
    CHECK_EQ(news.until, 60 + LAB_LEASE + LAB_GRACE);
    CHECK_EQ(counted(SVMC_KEY_COUNT_JOINED), 4);
    CHECK_EQ(counted(SVMC_KEY_COUNT_HIT), 1);
    CHECK_EQ(counted(SVMC_KEY_COUNT_FETCHED), 1);
    CHECK_EQ(provider_lab_open(&lab), 0);
    CHECK_EQ(provider_lab_wrong(&lab), 0);
}

TEST(key_cache, a_get_asks_no_provider) /* PR-6 PR-12 */
{
    provider_lab_init(&lab, 2);
    CHECK_EQ(get(5, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(lab.provider[0].requests + lab.provider[0].polls, 0);
}

TEST(key_cache, a_dead_service_ends_at_the_deadline) /* PR-11 PR-14 */
{
    uint64_t wake;

    provider_lab_init(&lab, 1);
    lab.provider[0].dead = true;
    CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(svmc_key_cache_step(&lab.cache, 0, &wake), 0);
    CHECK_EQ(wake, 0, "it was asked, and may know it already");
    CHECK_EQ(svmc_key_cache_step(&lab.cache, 1, &wake), 0);
    CHECK_EQ(wake, LAB_TIMEOUT);
    CHECK_EQ(step(LAB_TIMEOUT - 1), 0);
    CHECK_EQ(get(LAB_TIMEOUT - 1, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(step(LAB_TIMEOUT), 1);
    CHECK_EQ(lab.provider[0].cancels, 1);
    CHECK_EQ(get(LAB_TIMEOUT, 1), SVMC_ERR_CALLBACK);
    CHECK_EQ(news.reason, SVMC_FETCH_DEADLINE);
    CHECK(news.until >= LAB_TIMEOUT + LAB_NEGATIVE && news.state == 0 && news.usage == 0);
    CHECK(news.until <= LAB_TIMEOUT + LAB_NEGATIVE + LAB_NEGATIVE / 2);
    CHECK_EQ(get(news.until - 1, 1), SVMC_ERR_CALLBACK, "no fetch before");
    CHECK_EQ(counted(SVMC_KEY_COUNT_NEGATIVE), 2);
    CHECK_EQ(get(news.until, 1), SVMC_ERR_ABSENT, "and then anew");
    CHECK_EQ(provider_lab_wrong(&lab), 0);
    /* who does not step at all gets no more than that */
    provider_lab_init(&lab, 1);
    CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(step(LAB_TIMEOUT), 1);
    CHECK_EQ(get(LAB_TIMEOUT, 1), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.provider[0].requests, 0);
}

TEST(key_cache, negative_times_differ) /* PR-14 */
{
    uint64_t first = 0;
    bool differ = false;

    for (unsigned i = 0; i < 8; i++) {
        provider_lab_init(&lab, 1);
        lab.provider[0].says = SVMC_FETCH_UNREACHABLE;
        lab.fake.counter = (uint8_t)(37 * i);
        CHECK_EQ(fetch(0), SVMC_ERR_CALLBACK);
        CHECK(news.until >= 1 + LAB_NEGATIVE && news.until <= 1 + LAB_NEGATIVE * 3 / 2);
        differ = differ || (i > 0 && news.until != first);
        first = news.until;
    }
    CHECK(differ);
    differ = false;
    for (unsigned k = 1; k < 8; k++) { /* one of these calls is the one for the random number */
        provider_lab_init(&lab, 1);
        lab.provider[0].says = SVMC_FETCH_UNREACHABLE;
        CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
        (void)step(0);
        lab.fake.failure = SVMC_ERR_CALLBACK;
        lab.fake.fail_at = lab.fake.calls + k;
        CHECK_EQ(step(1), 1);
        CHECK_EQ(get(1, 1), SVMC_ERR_CALLBACK, "refused all the same");
        CHECK(news.until <= 1 + LAB_NEGATIVE * 3 / 2);
        differ = differ || news.until == 1 + LAB_NEGATIVE * 3 / 2;
    }
    CHECK(differ, "without a random number it is the most");
}

TEST(key_cache, the_second_service_is_asked_when_the_first_is_slow) /* PR-12 */
{
    uint64_t wake;

    provider_lab_init(&lab, 3);
    lab.provider[0].dead = true;
    lab.provider[1].delay = 20;
    CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(step(0), 0);
    CHECK_EQ(svmc_key_cache_step(&lab.cache, 0, &wake), 0);
    CHECK_EQ(wake, LAB_HEDGE);
    CHECK_EQ(step(LAB_HEDGE - 1), 0);
    CHECK_EQ(lab.provider[1].requests, 0);
    CHECK_EQ(step(LAB_HEDGE), 0);
    CHECK_EQ(lab.provider[1].requests, 1);
    CHECK_EQ(counted(SVMC_KEY_COUNT_HEDGED), 1);
    CHECK_EQ(step(LAB_HEDGE + 1), 0);
    CHECK_EQ(step(LAB_HEDGE + 21), 1);
    CHECK_EQ(get(LAB_HEDGE + 22, 1), SVMC_OK);
    CHECK_EQ(lab.provider[0].cancels, 1);
    CHECK_EQ(lab.provider[2].requests, 0);
    CHECK_EQ(provider_lab_open(&lab), 0);
    CHECK_EQ(provider_lab_wrong(&lab), 0);
}

TEST(key_cache, the_second_service_is_asked_at_once_when_the_first_has_failed) /* PR-12 */
{
    static const uint32_t says[] = { SVMC_FETCH_UNREACHABLE, SVMC_FETCH_DENIED };

    for (unsigned how = 0; how < 3; how++) {
        provider_lab_init(&lab, 2);
        lab.provider[0].takes_none = how == 2;
        lab.provider[0].says = how < 2 ? says[how] : 0;
        CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
        (void)step(0);
        (void)step(1);
        (void)step(2);
        CHECK_EQ(get(3, 1), SVMC_OK, "%u", how);
        CHECK_EQ(counted(SVMC_KEY_COUNT_HEDGED), 0);
        CHECK_EQ(provider_lab_wrong(&lab), 0);
    }
}

TEST(key_cache, the_reason_is_the_one_that_says_most) /* PR-12 PR-11 */
{
    static const struct {
        uint32_t first, second, want; /* 0: dead; 1: takes none */
    } rows[] = {
        { SVMC_FETCH_UNREACHABLE, SVMC_FETCH_RESET, SVMC_FETCH_UNREACHABLE },
        { SVMC_FETCH_UNREACHABLE, SVMC_FETCH_NOT_FOUND, SVMC_FETCH_NOT_FOUND },
        { SVMC_FETCH_DENIED, SVMC_FETCH_UNREACHABLE, SVMC_FETCH_DENIED },
        { SVMC_FETCH_DENIED, SVMC_FETCH_NOT_FOUND, SVMC_FETCH_DENIED },
        { SVMC_FETCH_DENIED, 0, SVMC_FETCH_DENIED },
        { SVMC_FETCH_TLS, 0, SVMC_FETCH_DEADLINE },
        { 0, 0, SVMC_FETCH_DEADLINE },
        { 1, 1, SVMC_FETCH_PROVIDER },
        { 1, SVMC_FETCH_OWN_EXPIRED, SVMC_FETCH_PROVIDER },
        { 77, 77, SVMC_FETCH_PROVIDER },
        { SVMC_FETCH_PENDING, SVMC_FETCH_COMPROMISED, SVMC_FETCH_PROVIDER },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t how[2] = { rows[i].first, rows[i].second };

        provider_lab_init(&lab, 2);
        for (unsigned p = 0; p < 2; p++) {
            lab.provider[p].dead = how[p] == 0;
            lab.provider[p].takes_none = how[p] == 1;
            lab.provider[p].says = how[p];
        }
        CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
        for (uint64_t t = 0; t <= LAB_TIMEOUT; t += 50)
            (void)step(t);
        CHECK_EQ(get(LAB_TIMEOUT, 1), svmc_fetch_status(rows[i].want), "row %zu", i);
        CHECK_EQ(news.reason, rows[i].want, "row %zu", i);
        CHECK_EQ(provider_lab_open(&lab), 0);
        CHECK_EQ(provider_lab_wrong(&lab), 0);
    }
}

/* ---- an answer -------------------------------------------------------------------------------*/

struct lie {
    char name[24];
    uint32_t at, bytes; /* a place in the answer, and what is there: a number */
    uint32_t value, want;
};

TEST(key_cache, each_wrong_answer_has_its_reason_and_nothing_of_it_is_kept) /* PR-13 PR-3 */
{
#define AT(member) \
    offsetof(struct svmc_provider_answer, member), sizeof((struct svmc_provider_answer *)0)->member
    static const struct lie rows[] = {
        { "another name", offsetof(struct svmc_provider_answer, id) + 4, 1, '2', SVMC_FETCH_ID },
        { "a shorter name", AT(id_bytes), 4, SVMC_FETCH_ID },
        { "a longer name", AT(id_bytes), 6, SVMC_FETCH_ID },
        { "no length at all", AT(id_bytes), UINT32_MAX, SVMC_FETCH_ID },
        { "more behind the name", offsetof(struct svmc_provider_answer, id) + 63, 1, 1,
          SVMC_FETCH_ID },
        { "no state", AT(state), 0, SVMC_FETCH_STATE },
        { "pre-active", AT(state), 1, SVMC_FETCH_PRE_ACTIVE },
        { "deactivated", AT(state), 3, SVMC_FETCH_DEACTIVATED },
        { "compromised", AT(state), 4, SVMC_FETCH_COMPROMISED },
        { "destroyed", AT(state), 5, SVMC_FETCH_DESTROYED },
        { "destroyed, compromised", AT(state), 6, SVMC_FETCH_COMPROMISED },
        { "an unknown state", AT(state), 7, SVMC_FETCH_STATE },
        { "another algorithm", AT(alg), 2, SVMC_FETCH_ALG },
        { "fewer bits", AT(bits), 128, SVMC_FETCH_LENGTH },
        { "more bits", AT(bits), 512, SVMC_FETCH_LENGTH },
        { "fewer bytes", AT(key_bytes), 31, SVMC_FETCH_LENGTH },
        { "more bytes", AT(key_bytes), 33, SVMC_FETCH_LENGTH },
        { "very many bytes", AT(key_bytes), UINT32_MAX, SVMC_FETCH_LENGTH },
        { "may not open", AT(usage), SVMC_KEY_MAY_SEAL, SVMC_FETCH_USAGE },
        { "may not seal", AT(usage), SVMC_KEY_MAY_OPEN, SVMC_FETCH_USAGE },
        { "another key", offsetof(struct svmc_provider_answer, key) + 31, 1, 0xc0,
          SVMC_FETCH_CHECK },
    };
    uint8_t key[32];

    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        const struct lie *row = &rows[i < sizeof rows / sizeof rows[0] ? i : 0];
        const bool lies = i < sizeof rows / sizeof rows[0];
        struct svmc_key_wanted wanted = provider_lab_wanted(1);
        struct svmc_provider_answer *a;

        provider_lab_init(&lab, 1);
        a = &lab.provider[0].answer;
        provider_lab_good(a, 1);
        memset(key, 0xc1, sizeof key);
        wanted.has_check = 1;
        CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, key, wanted.check), SVMC_OK);
        if (lies && row->bytes == 4)
            memcpy((uint8_t *)a + row->at, &row->value, 4);
        else if (lies)
            *((uint8_t *)a + row->at) = (uint8_t)row->value;
        CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ABSENT);
        (void)step(0);
        CHECK_EQ(step(1), 1);
        if (!lies) {
            CHECK_EQ(svmc_key_cache_get(&lab.cache, 1, &wanted, &news), SVMC_OK);
            CHECK(provider_lab_has(&lab, good, 16), "the test would find it");
            continue;
        }
        CHECK_EQ(svmc_key_cache_get(&lab.cache, 1, &wanted, &news), svmc_fetch_status(row->want),
                 "%s", row->name);
        CHECK_EQ(news.reason, row->want, "%s", row->name);
        CHECK(news.state == 0 && news.usage == 0, "%s", row->name);
        CHECK(!provider_lab_has(&lab, good, 16), "%s", row->name);
        CHECK_EQ(counted(SVMC_KEY_COUNT_WRONG_ID), row->want == SVMC_FETCH_ID);
        CHECK_EQ(counted(SVMC_KEY_COUNT_WRONG_LENGTH), row->want == SVMC_FETCH_LENGTH);
        CHECK_EQ(counted(SVMC_KEY_COUNT_WRONG),
                 row->want != SVMC_FETCH_ID && row->want != SVMC_FETCH_LENGTH);
    }
#undef AT
}

TEST(key_cache, what_is_wrong_first_is_the_reason) /* PR-13 */
{
    static const uint32_t want[] = { SVMC_FETCH_ID,     SVMC_FETCH_DEACTIVATED, SVMC_FETCH_ALG,
                                     SVMC_FETCH_LENGTH, SVMC_FETCH_USAGE,       SVMC_FETCH_CHECK };

    for (uint32_t i = 0; i < 6; i++) { /* all from the i-th on is wrong */
        struct svmc_key_wanted wanted = provider_lab_wanted(1);
        struct svmc_provider_answer *a = &lab.provider[0].answer;

        provider_lab_init(&lab, 1);
        provider_lab_good(a, 1);
        wanted.has_check = 1;
        a->usage = i <= 4 ? 0 : a->usage;
        a->bits = i <= 3 ? 128 : 256;
        a->alg = i <= 2 ? 9 : a->alg;
        a->state = i <= 1 ? 3 : a->state;
        a->id[0] = i == 0 ? 'K' : 'k';
        CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &wanted, &news), SVMC_ERR_ABSENT);
        (void)step(0);
        (void)step(1);
        CHECK_EQ(svmc_key_cache_get(&lab.cache, 1, &wanted, &news), svmc_fetch_status(want[i]));
        CHECK_EQ(news.reason, want[i], "%u", (unsigned)i);
    }
}

TEST(key_cache, a_key_without_a_check_value_is_not_kept) /* PR-13 CR-2 */
{
    struct svmc_key_wanted wanted = provider_lab_wanted(1);
    uint8_t key[32];
    bool refused = false;

    memset(key, 0xc1, sizeof key);
    for (unsigned k = 1; k < 8; k++) {
        enum svmc_status st;

        provider_lab_init(&lab, 1);
        CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
        (void)step(0);
        lab.fake.failure = SVMC_ERR_CALLBACK;
        lab.fake.fail_at = lab.fake.calls + k;
        (void)step(1);
        lab.fake.fail_at = 0;
        st = get(1, 1);
        refused = refused || st == SVMC_ERR_KEY;
        if (st != SVMC_OK)
            continue;
        CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, key, wanted.check), SVMC_OK);
        wanted.has_check = 1;
        CHECK_EQ(svmc_key_cache_get(&lab.cache, 1, &wanted, &news), SVMC_OK, "%u", k);
    }
    CHECK(refused);
}

TEST(key_cache, a_word_against_a_key_is_the_last_one) /* PR-12 */
{
    for (uint32_t state = 0; state <= 6; state++) {
        provider_lab_init(&lab, 2);
        provider_lab_good(&lab.provider[0].answer, 1);
        lab.provider[0].answer.state = state;
        CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
        for (uint64_t t = 0; t < 10; t++)
            (void)step(t);
        CHECK_EQ(get(10, 1), state == 0 || state == 2 ? SVMC_OK : SVMC_ERR_REFUSED, "%u",
                 (unsigned)state);
        CHECK_EQ(lab.provider[1].requests, state == 0, "%u", (unsigned)state);
    }
}

TEST(key_cache, answers_to_something_else_are_ignored_and_counted) /* PR-17 PR-3 */
{
    uint64_t answered, late;

    provider_lab_init(&lab, 1);
    CHECK_EQ(fetch(0), SVMC_OK);
    answered = lab.provider[0].last;
    svmc_key_cache_evict(&lab.cache, (const uint8_t *)"key-1", 5);
    lab.provider[0].dead = true;
    CHECK_EQ(get(10, 1), SVMC_ERR_ABSENT);
    (void)step(10);
    late = lab.provider[0].last;
    svmc_key_cache_evict(&lab.cache, (const uint8_t *)"key-1", 5);
    CHECK_EQ(lab.provider[0].cancels, 1);
    CHECK_EQ(step(11), 1, "called off is ended");
    lab.provider[0].dead = false;
    CHECK_EQ(get(20, 1), SVMC_ERR_ABSENT);
    (void)step(20);
    lab.provider[0].instead = answered;
    CHECK_EQ(step(21), 0);
    CHECK_EQ(counted(SVMC_KEY_COUNT_TWICE), 1);
    lab.provider[0].instead = late;
    CHECK_EQ(step(22), 0);
    CHECK_EQ(counted(SVMC_KEY_COUNT_LATE), 1);
    lab.provider[0].instead = lab.provider[0].last + 1;
    CHECK_EQ(step(23), 0);
    lab.provider[0].instead = answered - 1;
    CHECK_EQ(step(24), 0);
    CHECK_EQ(counted(SVMC_KEY_COUNT_ASTRAY), 2);
    CHECK(!provider_lab_has(&lab, good, 16), "nothing of them is kept");
    CHECK_EQ(get(25, 1), SVMC_ERR_ABSENT);
    lab.provider[0].instead = 0;
    CHECK_EQ(step(26), 1, "the right one still comes");
    CHECK_EQ(get(26, 1), SVMC_OK);
    CHECK_EQ(provider_lab_wrong(&lab), 0);
}

/* ---- a held key ------------------------------------------------------------------------------*/

TEST(key_cache, a_held_key_has_to_be_what_is_wanted) /* PR-8 */
{
    struct svmc_key_wanted wanted = provider_lab_wanted(1);

    provider_lab_init(&lab, 1);
    CHECK_EQ(fetch(0), SVMC_OK);
    wanted.usage |= 0x200;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 3, &wanted, &news), SVMC_ERR_PURPOSE);
    CHECK_EQ(news.reason, SVMC_FETCH_USAGE);
    wanted = provider_lab_wanted(1);
    wanted.alg = 2;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 3, &wanted, &news), SVMC_ERR_KEY);
    CHECK_EQ(news.reason, SVMC_FETCH_ALG);
    wanted = provider_lab_wanted(1);
    wanted.has_check = 1;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 3, &wanted, &news), SVMC_ERR_KEY);
    CHECK_EQ(news.reason, SVMC_FETCH_CHECK);
    CHECK_EQ(get(3, 1), SVMC_OK, "and stays");
    CHECK_EQ(lab.provider[0].requests, 1);
}

TEST(key_cache, a_key_is_renewed_and_outlives_an_outage_for_the_grace_time) /* PR-15 PR-16 */
{
    const uint64_t renew = 1 + LAB_LEASE / 4 * 3, lease = 1 + LAB_LEASE, close = lease + LAB_GRACE;
    uint64_t wake;

    provider_lab_init(&lab, 1);
    CHECK_EQ(fetch(0), SVMC_OK);
    CHECK_EQ(get(renew - 1, 1), SVMC_OK);
    CHECK_EQ(counted(SVMC_KEY_COUNT_FETCH), 1);
    CHECK_EQ(get(renew, 1), SVMC_OK, "at once, and asks again");
    CHECK_EQ(counted(SVMC_KEY_COUNT_FETCH), 2);
    lab.provider[0].says = SVMC_FETCH_UNREACHABLE;
    (void)step(renew);
    CHECK_EQ(step(renew + 1), 1);
    CHECK_EQ(get(renew + 2, 1), SVMC_OK);
    CHECK_EQ(news.reason, SVMC_FETCH_UNREACHABLE, "said with the key");
    CHECK_EQ(counted(SVMC_KEY_COUNT_FETCH), 2, "not again before the negative time is over");
    CHECK_EQ(get(lease, 1), SVMC_OK);
    CHECK_EQ(news.in_grace, 1);
    CHECK_EQ(counted(SVMC_KEY_COUNT_GRACE), 1);
    (void)step(lease);
    (void)step(lease + 1);
    CHECK_EQ(svmc_key_cache_step(&lab.cache, close - 1, &wake), 0);
    CHECK_EQ(wake, close);
    CHECK_EQ(get(close - 1, 1), SVMC_OK);
    CHECK(provider_lab_has(&lab, good, 16));
    (void)step(close);
    CHECK(!provider_lab_has(&lab, good, 16), "closed, and wiped");
    (void)step(close + 1);
    CHECK_EQ(get(close + 2, 1), SVMC_ERR_CALLBACK);
    CHECK_EQ(news.reason, SVMC_FETCH_UNREACHABLE);
    lab.provider[0].says = 0;
    CHECK_EQ(fetch(close + 2 * LAB_NEGATIVE), SVMC_OK, "it is there again");
}

TEST(key_cache, a_renewed_key_is_the_same_key) /* PR-15 PR-8 */
{
    const uint64_t renew = 1 + LAB_LEASE / 4 * 3;

    for (unsigned how = 0; how < 2; how++) {
        provider_lab_init(&lab, 1);
        CHECK_EQ(fetch(0), SVMC_OK);
        provider_lab_good(&lab.provider[0].answer, 1);
        if (how == 0)
            lab.provider[0].answer.key[31] ^= 1;
        else
            lab.provider[0].answer.usage = SVMC_KEY_MAY_OPEN;
        CHECK_EQ(get(renew, 1), SVMC_OK);
        (void)step(renew);
        (void)step(renew + 1);
        CHECK_EQ(get(renew + 2, 1), how == 0 ? SVMC_ERR_KEY : SVMC_ERR_PURPOSE);
        CHECK_EQ(provider_lab_has(&lab, good, 16), how == 1);
    }
}

TEST(key_cache, a_key_that_nobody_renews_is_wiped) /* PR-16 */
{
    provider_lab_init(&lab, 1);
    CHECK_EQ(fetch(0), SVMC_OK);
    CHECK_EQ(get(1 + LAB_LEASE + LAB_GRACE, 1), SVMC_ERR_ABSENT, "by a get too");
    CHECK(!provider_lab_has(&lab, good, 16));
}

TEST(key_cache, a_service_says_less_never_more) /* PR-15 PR-16 */
{
    provider_lab_init(&lab, 1);
    provider_lab_good(&lab.provider[0].answer, 1);
    lab.provider[0].answer.lease_ns = 100;
    lab.provider[0].answer.not_after_ns = 300;
    CHECK_EQ(fetch(0), SVMC_OK);
    CHECK_EQ(news.until, 301);
    CHECK_EQ(get(101, 1), SVMC_OK);
    CHECK_EQ(news.in_grace, 1);
    CHECK_EQ(get(301, 1), SVMC_ERR_ABSENT, "no grace beyond its end");
    provider_lab_init(&lab, 1);
    provider_lab_good(&lab.provider[0].answer, 1);
    lab.provider[0].answer.not_after_ns = 40;
    CHECK_EQ(fetch(0), SVMC_OK);
    CHECK_EQ(get(31, 1), SVMC_OK);
    CHECK_EQ(counted(SVMC_KEY_COUNT_FETCH), 2, "it is renewed before it ends");
    provider_lab_init(&lab, 1);
    provider_lab_good(&lab.provider[0].answer, 1);
    lab.provider[0].answer.lease_ns = UINT64_MAX;
    lab.provider[0].answer.not_after_ns = UINT64_MAX;
    CHECK_EQ(fetch(0), SVMC_OK);
    CHECK_EQ(news.until, 1 + LAB_LEASE + LAB_GRACE);
}

TEST(key_cache, a_word_against_a_held_key_wipes_it) /* PR-16 */
{
    static const uint32_t state[] = { 0, 1, 3, 4, 5, 6 };

    for (size_t i = 0; i < 10; i++) {
        const uint64_t t = 1 + LAB_LEASE / 4 * 3;
        const bool word = i < 6 || i == 7 || i == 8;

        provider_lab_init(&lab, 1);
        CHECK_EQ(fetch(0), SVMC_OK);
        provider_lab_good(&lab.provider[0].answer, 1);
        if (i < 6)
            lab.provider[0].answer.state = state[i];
        else
            lab.provider[0].says = i == 6   ? SVMC_FETCH_TLS
                                   : i == 7 ? SVMC_FETCH_DENIED
                                   : i == 8 ? SVMC_FETCH_NOT_FOUND
                                            : SVMC_FETCH_CUT;
        CHECK_EQ(get(t, 1), SVMC_OK);
        (void)step(t);
        CHECK_EQ(step(t + 1), 1);
        CHECK_EQ(get(t + 2, 1), word ? SVMC_ERR_REFUSED : SVMC_OK, "%zu", i);
        CHECK_EQ(provider_lab_has(&lab, good, 16), !word, "%zu", i);
    }
}

TEST(key_cache, times_do_not_wrap_and_do_not_go_back) /* PR-7 */
{
    provider_lab_init(&lab, 1);
    CHECK_EQ(fetch(1000), SVMC_OK);
    CHECK_EQ(get(0, 1), SVMC_OK);
    CHECK_EQ(news.until, 1001 + LAB_LEASE + LAB_GRACE);
    CHECK_EQ(get(0, 0), SVMC_ERR_ABSENT);
    CHECK_EQ(news.until, 1001 + LAB_TIMEOUT, "a clock that goes back stands still");
    provider_lab_init(&lab, 1);
    lab.provider[0].dead = true;
    CHECK_EQ(get(UINT64_MAX - 5, 1), SVMC_ERR_ABSENT);
    CHECK_EQ(news.until, UINT64_MAX);
    CHECK_EQ(step(UINT64_MAX - 4), 0);
    CHECK_EQ(step(UINT64_MAX), 1);
    CHECK_EQ(get(UINT64_MAX, 1), SVMC_ERR_ABSENT, "the end of time: no refusal outlasts it");
}

/* ---- many keys -------------------------------------------------------------------------------*/

TEST(key_cache, who_sleeps_till_wake_misses_nothing) /* PR-11 PR-12 */
{
    uint64_t now = 0, wake = 0;
    uint32_t ended = 0, steps = 0;

    provider_lab_init(&lab, 3);
    lab.provider[0].dead = true;
    lab.provider[1].says = SVMC_FETCH_UNREACHABLE;
    CHECK_EQ(get(0, 1), SVMC_ERR_ABSENT);
    while (ended == 0 && steps++ < 20) {
        ended = svmc_key_cache_step(&lab.cache, now, &wake);
        now = wake;
    }
    CHECK_EQ(get(now, 1), SVMC_OK);
    CHECK_EQ(now, LAB_HEDGE, "the second one is asked then, and the third at once");
    CHECK(steps < 8, "%u", (unsigned)steps);
    (void)svmc_key_cache_step(&lab.cache, now, &wake);
    CHECK_EQ(wake, now + LAB_LEASE + LAB_GRACE);
}

TEST(key_cache, no_key_is_driven_out) /* PR-9 PR-18 */
{
    provider_lab_init(&lab, 1);
    for (uint8_t n = 0; n < LAB_KEYS; n++)
        CHECK_EQ(get(0, n), SVMC_ERR_ABSENT);
    CHECK_EQ(get(0, LAB_KEYS), SVMC_ERR_FULL);
    CHECK_EQ(news.reason, SVMC_FETCH_FULL);
    lab.provider[0].says = SVMC_FETCH_UNREACHABLE;
    (void)step(0);
    CHECK_EQ(step(1), LAB_KEYS);
    CHECK_EQ(get(2, LAB_KEYS), SVMC_ERR_FULL, "a refusal is kept");
    lab.provider[0].says = 0;
    CHECK_EQ(get(2 * LAB_NEGATIVE, LAB_KEYS), SVMC_ERR_ABSENT, "until its time is over");
    (void)step(2 * LAB_NEGATIVE);
    (void)step(2 * LAB_NEGATIVE + 1);
    CHECK_EQ(get(2 * LAB_NEGATIVE + 1, LAB_KEYS), SVMC_OK);
    for (uint8_t n = 1; n < LAB_KEYS; n++)
        CHECK_EQ(get(2 * LAB_NEGATIVE + 1, n), SVMC_ERR_ABSENT);
    (void)step(2 * LAB_NEGATIVE + 1);
    (void)step(2 * LAB_NEGATIVE + 2);
    CHECK_EQ(get(2 * LAB_NEGATIVE + 3, 0), SVMC_ERR_FULL);
    svmc_key_cache_evict(&lab.cache, (const uint8_t *)"key-1", 5);
    CHECK(!provider_lab_has(&lab, good, 16));
    CHECK_EQ(get(2 * LAB_NEGATIVE + 3, 0), SVMC_ERR_ABSENT);
    CHECK_EQ(get(2 * LAB_NEGATIVE + 3, LAB_KEYS), SVMC_OK, "the others stay");
    CHECK_EQ(get(2 * LAB_NEGATIVE + 3, 2), SVMC_OK);
    CHECK_EQ(get(2 * (LAB_LEASE + LAB_GRACE), 1), SVMC_ERR_ABSENT, "what is over is no key");
}

TEST(key_cache, a_dropped_cache_is_wiped_and_calls_everything_off) /* PR-18 */
{
    static const uint8_t nothing[sizeof lab.memory];

    provider_lab_init(&lab, 2);
    CHECK_EQ(fetch(0), SVMC_OK);
    lab.provider[0].dead = true;
    CHECK_EQ(get(10, 0), SVMC_ERR_ABSENT);
    CHECK_EQ(get(10, 2), SVMC_ERR_ABSENT);
    (void)step(10);
    CHECK_EQ(provider_lab_open(&lab), 2);
    svmc_key_cache_drop(&lab.cache);
    CHECK_EQ(provider_lab_open(&lab), 0);
    CHECK_EQ(lab.provider[0].cancels, 2);
    CHECK_EQ(provider_lab_wrong(&lab), 0);
    CHECK_MEM(lab.memory, nothing, sizeof nothing);
}

/* ---- VM keys ---------------------------------------------------------------------------------*/

static struct svmc_keyarena arena;
static _Alignas(64) uint8_t arena_memory[SVMC_KEYARENA_BYTES(2)];
static const uint8_t vm[16] = "virtual machine";

TEST(key_cache, vm_keys_are_wrapped_and_unwrapped_inside) /* PR-10 */
{
    struct svmc_key_wanted wanted = provider_lab_wanted(1), one_use = wanted;
    struct svmc_vmkey key, again;
    struct svmc_provider_key provider = { .bytes = good };
    uint8_t stored[SVMC_VMKEY_BLOB_BYTES], bytes[32], none[SVMC_VMKEY_BLOB_BYTES] = { 0 };
    struct svmc_key_blob out = { .key = &key, .to = stored, .aead = 0x31 };
    const struct svmc_key_blob in = {
        .key = &again, .arena = &arena, .vm = vm, .from = stored, .bytes = sizeof stored
    };

    provider_lab_init(&lab, 1);
    CHECK_EQ(svmc_keyarena_init(&arena, &lab.fake.ops, arena_memory, sizeof arena_memory), SVMC_OK);
    CHECK_EQ(svmc_vmkey_create(&key, &arena, vm, 0x51), SVMC_OK);
    memset(stored, 0x55, sizeof stored);
    CHECK_EQ(svmc_key_cache_wrap(&lab.cache, 0, &wanted, &out, &news), SVMC_ERR_ABSENT);
    CHECK_MEM(stored, none, sizeof none);
    (void)step(0);
    (void)step(1);
    CHECK_EQ(svmc_key_cache_wrap(&lab.cache, 1, &wanted, &out, &news), SVMC_OK);
    memset(bytes, 0xc1, sizeof bytes); /* the same as with the key itself */
    memcpy(provider.id, wanted.name, sizeof provider.id);
    provider.bytes = bytes;
    CHECK_EQ(svmc_vmkey_unwrap(&again, &arena, vm, &provider, stored, sizeof stored), SVMC_OK);
    svmc_vmkey_drop(&again);
    CHECK_EQ(svmc_key_cache_unwrap(&lab.cache, 2, &wanted, &in, &news), SVMC_OK);
    CHECK_EQ(news.state, SVMC_KEY_ACTIVE);
    svmc_vmkey_drop(&again);
    stored[150] ^= 1;
    CHECK_EQ(svmc_key_cache_unwrap(&lab.cache, 2, &wanted, &in, &news), SVMC_ERR_AUTH);
    CHECK_EQ(news.reason, SVMC_FETCH_NONE, "the key is there, the blob is bad");
    /* what a key may not be used for it is not used for, though nobody asks for the usage */
    provider_lab_init(&lab, 1);
    one_use.usage = 0;
    provider_lab_good(&lab.provider[0].answer, 1);
    lab.provider[0].answer.usage = SVMC_KEY_MAY_OPEN;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 0, &one_use, &news), SVMC_ERR_ABSENT);
    (void)step(0);
    (void)step(1);
    stored[150] ^= 1;
    CHECK_EQ(svmc_key_cache_unwrap(&lab.cache, 1, &one_use, &in, &news), SVMC_OK);
    CHECK_EQ(svmc_key_cache_wrap(&lab.cache, 1, &one_use, &out, &news), SVMC_ERR_PURPOSE);
    CHECK_MEM(stored, none, sizeof none);
    svmc_key_cache_evict(&lab.cache, one_use.id, one_use.id_bytes);
    lab.provider[0].answer.usage = SVMC_KEY_MAY_SEAL;
    CHECK_EQ(svmc_key_cache_get(&lab.cache, 2, &one_use, &news), SVMC_ERR_ABSENT);
    (void)step(2);
    (void)step(3);
    memset(&again, 0x55, sizeof again);
    CHECK_EQ(svmc_key_cache_unwrap(&lab.cache, 3, &one_use, &in, &news), SVMC_ERR_PURPOSE);
    CHECK(again.priv.serial == 0 && again.priv.arena == NULL);
    svmc_keyarena_drop(&arena);
}

TEST(key_cache, a_check_value_is_what_the_document_says) /* PR-13 */
{
    uint8_t key[32], message[16] = "svmcore keycheck", derived[64], check[16], zero[16] = { 0 };

    fake_crypto_init(&lab.fake);
    memset(key, 7, sizeof key);
    CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, key, check), SVMC_OK);
    fake_blake2b(derived, 64, key, 32, message, 16);
    CHECK_MEM(check, derived, 16);
    CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x11, key, check), SVMC_ERR_UNSUPPORTED);
    CHECK_MEM(check, zero, 16);
    CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, NULL, check), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_check_value(NULL, 0x51, key, check), SVMC_ERR_ARG);
    CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, key, NULL), SVMC_ERR_ARG);
    lab.fake.lacks = 0x51;
    CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, key, check), SVMC_ERR_UNSUPPORTED);
}

/* ---- callbacks that fail ---------------------------------------------------------------------*/

/* From nothing to a key that is renewed, wrapped with and evicted, the k-th call of the crypto
   table failing. Never a key that was not checked; whatever fails, the end is clean. */
static bool life(unsigned k)
{
    static const uint8_t nothing[sizeof lab.memory];
    struct svmc_key_wanted wanted = provider_lab_wanted(1);
    uint8_t stored[SVMC_VMKEY_BLOB_BYTES], key[32];
    struct svmc_key_blob blob = { .to = stored, .aead = 0x31 };
    struct svmc_vmkey vmkey;
    struct svmc_keyarena own;
    bool failed, reached;

    provider_lab_init(&lab, 2);
    memset(key, 0xc1, sizeof key);
    wanted.has_check = 1;
    CHECK_EQ(svmc_key_check_value(&lab.fake.ops, 0x51, key, wanted.check), SVMC_OK);
    CHECK_EQ(svmc_keyarena_init(&own, &lab.fake.ops, arena_memory, sizeof arena_memory), SVMC_OK);
    CHECK_EQ(svmc_vmkey_create(&vmkey, &own, vm, 0x51), SVMC_OK);
    blob.key = &vmkey;
    lab.fake.fail_at = lab.fake.calls + k;
    lab.fake.failure = SVMC_ERR_CALLBACK;
    failed = svmc_key_cache_init(&lab.cache, &lab.config, lab.memory, sizeof lab.memory) != SVMC_OK;
    for (uint64_t t = 0; t < 10 && !failed; t++) {
        CHECK(svmc_key_cache_get(&lab.cache, t, &wanted, &news) != SVMC_ERR_ARG);
        (void)step(t);
    }
    if (!failed && svmc_key_cache_wrap(&lab.cache, 20, &wanted, &blob, &news) == SVMC_OK)
        CHECK(provider_lab_has(&lab, good, 16));
    reached = lab.fake.calls >= lab.fake.fail_at;
    lab.fake.fail_at = 0;
    for (uint64_t t = 21; t < 30 && !failed; t++)
        (void)step(t);
    CHECK(failed ||
          svmc_key_cache_get(&lab.cache, 5 * LAB_NEGATIVE, &wanted, &news) != SVMC_ERR_ARG);
    svmc_key_cache_drop(&lab.cache);
    CHECK_EQ(provider_lab_open(&lab), 0, "%u", k);
    CHECK_EQ(provider_lab_wrong(&lab), 0, "%u", k);
    if (!failed)
        CHECK_MEM(lab.memory, nothing, sizeof nothing, "%u", k);
    svmc_keyarena_drop(&own);
    return reached;
}

TEST(key_cache, whichever_call_fails_nothing_is_left) /* CR-2 PR-5 PR-13 PR-14 */
{
    unsigned k = 1;

    while (life(k) && k < 200)
        k++;
    CHECK(k > 8 && k < 200, "%u calls", k);
}
