/* SPDX-License-Identifier: MIT */
/** Scripted key services before a key cache: slow, dead, lying, flapping; they hold the cache to
 *  what it promises a provider (PR-2, PR-3). */
#ifndef TESTS_KEYSLOT_PROVIDER_LAB_H
#define TESTS_KEYSLOT_PROVIDER_LAB_H
#include <stdbool.h>
#include <svmcore/key_cache.h>

#include "../fakehost/crypto.h"

#define LAB_PROVIDERS 3u
#define LAB_KEYS      3u
#define LAB_TICKETS   16u

#define LAB_TIMEOUT  1000u
#define LAB_HEDGE    100u
#define LAB_NEGATIVE 2000u
#define LAB_LEASE    100000u
#define LAB_GRACE    50000u

struct lab_provider {
    struct svmc_provider_ops ops; /* its ctx is this struct */
    /* the script */
    uint64_t delay;   /* from the first poll on */
    bool dead;        /* never answers */
    bool takes_none;  /* request fails */
    uint32_t says;    /* poll fails, with this reason */
    uint64_t instead; /* the ticket that it answers instead */
    uint32_t requests, polls, cancels, ended, wrong;
    uint64_t last;     /* ticket */
    uint64_t deadline; /* of the last request */
    struct {
        uint64_t ticket, since;
        struct svmc_provider_answer answer; /* made when it is asked */
    } open[LAB_TICKETS];
    struct svmc_provider_answer answer; /* what it answers: see provider_lab_good */
};

struct provider_lab {
    struct fake_crypto fake;
    struct lab_provider provider[LAB_PROVIDERS];
    struct svmc_key_cache_config config;
    struct svmc_key_cache cache;
    _Alignas(SVMC_KEY_CACHE_ALIGN) uint8_t memory[SVMC_KEY_CACHE_BYTES(LAB_KEYS)];
};

/** A cache of LAB_KEYS keys before so many good services. */
void provider_lab_init(struct provider_lab *lab, uint32_t providers);

/** What a good service answers: key `n`, with bytes of its own. */
void provider_lab_good(struct svmc_provider_answer *answer, uint8_t n);

/** Key `n`, to seal and open. */
struct svmc_key_wanted provider_lab_wanted(uint8_t n);

/** Whether these bytes lie anywhere in the cache's memory. */
bool provider_lab_has(const struct provider_lab *lab, const void *bytes, size_t n);

/** Tickets that were taken and not ended, and what was done against the rules. */
uint32_t provider_lab_open(const struct provider_lab *lab);
uint32_t provider_lab_wrong(const struct provider_lab *lab);

#endif
