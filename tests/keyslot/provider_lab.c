/* SPDX-License-Identifier: MIT */
#include "provider_lab.h"

#include <string.h>

static const char names[] = "key-0";

static uint32_t find(const struct lab_provider *p, uint64_t ticket)
{
    uint32_t i = 0;

    while (i < LAB_TICKETS && p->open[i].ticket != ticket)
        i++;
    return i;
}

static bool is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

static enum svmc_status request(void *ctx, uint64_t ticket, const uint8_t *id, size_t id_bytes,
                                uint64_t deadline)
{
    struct lab_provider *p = ctx;
    uint32_t i = find(p, 0);

    p->wrong += ticket == 0 || ticket == p->last || find(p, ticket) != LAB_TICKETS ||
                i == LAB_TICKETS || id_bytes == 0 || id_bytes > SVMC_KEY_NAME_BYTES_MAX;
    p->requests++;
    p->last = ticket;
    p->deadline = deadline;
    if (p->takes_none || i == LAB_TICKETS)
        return SVMC_ERR_FULL;
    p->open[i].ticket = ticket;
    p->open[i].since = UINT64_MAX;
    p->open[i].answer = p->answer;
    if (p->answer.id_bytes == 0) { /* not scripted: the key that was asked for */
        provider_lab_good(&p->open[i].answer, (uint8_t)(id[id_bytes - 1] - '0'));
        memcpy(p->open[i].answer.id, id, id_bytes);
        p->open[i].answer.id_bytes = (uint32_t)id_bytes;
    }
    return SVMC_OK;
}

static enum svmc_status poll(void *ctx, uint64_t ticket, uint64_t now,
                             struct svmc_provider_answer *answer)
{
    struct lab_provider *p = ctx;
    uint32_t i = find(p, ticket);

    p->polls++;
    p->wrong += ticket == 0 || i == LAB_TICKETS || !is_zero(answer, sizeof *answer);
    if (i == LAB_TICKETS)
        return SVMC_ERR_STATE;
    if (p->open[i].since == UINT64_MAX)
        p->open[i].since = now;
    *answer = p->open[i].answer; /* what is not ready yet is there too, and is not to be used */
    answer->ticket = ticket;
    if (p->dead || now - p->open[i].since < p->delay)
        return SVMC_ERR_BUSY;
    if (p->instead != 0) {
        answer->ticket = p->instead;
        return SVMC_OK;
    }
    p->open[i].ticket = 0;
    p->ended++;
    answer->reason = p->says;
    return p->says != 0 ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static void cancel(void *ctx, uint64_t ticket)
{
    struct lab_provider *p = ctx;
    uint32_t i = find(p, ticket);

    p->cancels++;
    p->wrong += ticket == 0 || i == LAB_TICKETS;
    if (i != LAB_TICKETS)
        p->open[i].ticket = 0;
}

void provider_lab_good(struct svmc_provider_answer *answer, uint8_t n)
{
    memset(answer, 0, sizeof *answer);
    answer->state = SVMC_KEY_ACTIVE;
    answer->usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN | 0x100;
    answer->alg = SVMC_KEY_FOR_AES;
    answer->bits = 256;
    answer->key_bytes = 32;
    memset(answer->key, 0xc0 + n, 32);
    answer->id_bytes = sizeof names - 1;
    memcpy(answer->id, names, sizeof names - 1);
    answer->id[sizeof names - 2] = (uint8_t)('0' + n);
}

struct svmc_key_wanted provider_lab_wanted(uint8_t n)
{
    static const char ids[LAB_KEYS + 1][sizeof names] = { "key-0", "key-1", "key-2", "key-3" };
    struct svmc_key_wanted wanted = {
        .id = (const uint8_t *)ids[n],
        .id_bytes = sizeof names - 1,
        .name = "a provider's key",
        .alg = SVMC_KEY_FOR_AES,
        .usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN,
    };

    return wanted;
}

void provider_lab_init(struct provider_lab *lab, uint32_t providers)
{
    memset(lab, 0, sizeof *lab);
    fake_crypto_init(&lab->fake);
    lab->config.crypto = &lab->fake.ops;
    lab->config.providers = providers;
    lab->config.derive = SVMC_ALG_DERIVE_BLAKE2B;
    lab->config.timeout_ns = LAB_TIMEOUT;
    lab->config.hedge_ns = LAB_HEDGE;
    lab->config.negative_ns = LAB_NEGATIVE;
    lab->config.lease_ns = LAB_LEASE;
    lab->config.grace_ns = LAB_GRACE;
    for (uint32_t i = 0; i < LAB_PROVIDERS; i++) {
        struct lab_provider *p = &lab->provider[i];

        p->ops = (struct svmc_provider_ops){
            .size = sizeof p->ops, .ctx = p, .request = request, .poll = poll, .cancel = cancel
        };
        lab->config.provider[i] = i < providers ? &p->ops : NULL;
    }
    if (svmc_key_cache_init(&lab->cache, &lab->config, lab->memory, sizeof lab->memory) != SVMC_OK)
        memset(&lab->cache, 0, sizeof lab->cache);
}

bool provider_lab_has(const struct provider_lab *lab, const void *bytes, size_t n)
{
    for (size_t at = 0; at + n <= sizeof lab->memory; at++)
        if (memcmp(lab->memory + at, bytes, n) == 0)
            return true;
    return false;
}

uint32_t provider_lab_open(const struct provider_lab *lab)
{
    uint32_t open = 0;

    for (uint32_t i = 0; i < LAB_PROVIDERS; i++)
        for (uint32_t t = 0; t < LAB_TICKETS; t++)
            open += lab->provider[i].open[t].ticket != 0;
    return open;
}

uint32_t provider_lab_wrong(const struct provider_lab *lab)
{
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < LAB_PROVIDERS; i++)
        wrong += lab->provider[i].wrong;
    return wrong;
}
