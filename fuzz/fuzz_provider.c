/* SPDX-License-Identifier: MIT */
/*
 * Key services answer what they like, when they like, while callbacks fail. Traps when a key is
 * given that no answer was good for, when anything of a bad answer is kept, when a ticket is not
 * ended just once, or when anything is left (PR-2, PR-3, PR-13, PR-17, PR-18).
 */
#include <svmcore/key_cache.h>

#include "../tests/fakehost/crypto.h"
#include "input.h"

#define SERVICES 2u
#define OPEN     8u

static struct fake_crypto fake;
static struct svmc_key_cache cache;
static struct input in;
static _Alignas(64) uint8_t memory[SVMC_KEY_CACHE_BYTES(2)];
static struct service {
    struct svmc_provider_ops ops;
    uint64_t open[OPEN];
} service[SERVICES];
static int was_good; /* an answer that may be taken */

static uint64_t *find(struct service *s, uint64_t ticket)
{
    for (unsigned i = 0; i < OPEN; i++)
        if (s->open[i] == ticket)
            return &s->open[i];
    return NULL;
}

static enum svmc_status request(void *ctx, uint64_t ticket, const uint8_t *id, size_t id_bytes,
                                uint64_t deadline)
{
    uint64_t *room = find(ctx, 0);

    (void)deadline;
    require(ticket != 0 && !find(ctx, ticket) && room && id_bytes == 3 && id[0] == 'k');
    if (take_byte(&in) % 8 == 0)
        return SVMC_ERR_FULL;
    *room = ticket;
    return SVMC_OK;
}

static void good(struct svmc_provider_answer *a)
{
    a->state = SVMC_KEY_ACTIVE;
    a->usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN;
    a->alg = SVMC_KEY_FOR_AES;
    a->bits = 256;
    a->key_bytes = 32;
    a->id_bytes = 3;
    memcpy(a->id, "key", 3);
    memset(a->key, 0xc1, 32);
}

/* A byte says how: later, a failure, a good answer, one of which bytes are changed, anything. */
static enum svmc_status poll(void *ctx, uint64_t ticket, uint64_t now,
                             struct svmc_provider_answer *a)
{
    static const struct svmc_provider_answer nothing;
    uint64_t *at = find(ctx, ticket);
    uint8_t how = take_byte(&in);
    struct svmc_provider_answer right = { 0 };

    (void)now;
    require(ticket != 0 && at && memcmp(a, &nothing, sizeof nothing) == 0);
    good(a);
    a->ticket = ticket;
    right = *a;
    for (unsigned i = how >> 3 & 7; i > 0; i--) {
        uint16_t where;

        take(&in, &where, sizeof where);
        ((uint8_t *)a)[where % sizeof *a] ^= take_byte(&in);
    }
    if (how % 8 == 1)
        take(&in, a, sizeof *a);
    if (how % 8 == 0)
        return SVMC_ERR_BUSY;
    if (how % 8 != 2 && a->ticket != ticket)
        return SVMC_OK; /* ignored: it stays open */
    *at = 0;
    if (how % 8 == 2)
        return SVMC_ERR_CALLBACK;
    was_good |= a->state == right.state && a->alg == right.alg && a->bits == 256 &&
                a->key_bytes == 32 && a->id_bytes == 3 &&
                memcmp(a->id, right.id, sizeof a->id) == 0 && memcmp(a->key, right.key, 32) == 0 &&
                (a->usage & 4) != 0;
    return SVMC_OK;
}

static void cancel(void *ctx, uint64_t ticket)
{
    uint64_t *at = find(ctx, ticket);

    require(ticket != 0 && at);
    *at = 0;
}

static void begin(struct svmc_key_cache_config *config)
{
    fake_crypto_init(&fake);
    memset(service, 0, sizeof service);
    *config = (struct svmc_key_cache_config){ .crypto = &fake.ops,
                                              .providers = SERVICES,
                                              .derive = SVMC_ALG_DERIVE_BLAKE2B,
                                              .timeout_ns = 100,
                                              .hedge_ns = 10,
                                              .negative_ns = 20,
                                              .lease_ns = 200,
                                              .grace_ns = 50 };
    for (unsigned i = 0; i < SERVICES; i++) {
        service[i].ops = (struct svmc_provider_ops){ .size = sizeof service[i].ops,
                                                     .ctx = &service[i],
                                                     .request = request,
                                                     .poll = poll,
                                                     .cancel = cancel };
        config->provider[i] = &service[i].ops;
    }
    was_good = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_key_wanted wanted = { .id = (const uint8_t *)"key",
                                      .id_bytes = 3,
                                      .alg = SVMC_KEY_FOR_AES,
                                      .usage = SVMC_KEY_MAY_SEAL,
                                      .has_check = 1 };
    struct svmc_key_cache_config config;
    struct svmc_key_news news;
    enum svmc_status st;
    uint64_t now = 0;
    uint8_t key[32];

    in = (struct input){ data, size };
    begin(&config);
    memset(key, 0xc1, sizeof key);
    require(svmc_key_check_value(&fake.ops, config.derive, key, wanted.check) == SVMC_OK);
    require(svmc_key_cache_init(&cache, &config, memory, sizeof memory) == SVMC_OK);
    if (take_byte(&in) % 4 == 0)
        fake.fail_at = fake.calls + take_byte(&in);
    while (in.left > 0) {
        uint8_t what = take_byte(&in);

        now += what >> 2;
        st = svmc_key_cache_get(&cache, now, &wanted, &news);
        count_call();
        require(st != SVMC_ERR_ARG && st == svmc_fetch_status(st == SVMC_OK ? 0 : news.reason));
        require(st != SVMC_OK || (was_good && news.state == SVMC_KEY_ACTIVE && news.until > now));
        require(st == SVMC_OK || (news.state == 0 && news.usage == 0));
        if (what % 4 == 3 && what > 0xf0) {
            svmc_key_cache_evict(&cache, wanted.id, wanted.id_bytes);
            was_good = 0;
        }
        (void)svmc_key_cache_step(&cache, now, NULL);
        count_call();
    }
    svmc_key_cache_drop(&cache);
    for (size_t i = 0; i < sizeof memory; i++)
        require(memory[i] == 0);
    for (unsigned i = 0; i < SERVICES * OPEN; i++)
        require(service[i / OPEN].open[i % OPEN] == 0);
    return 0;
}
