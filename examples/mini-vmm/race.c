/* SPDX-License-Identifier: MIT */
/**
 * What the racer flips are words that no honest host changes twice: sequence number, status, valid
 * bits, fault, counts, reserved bytes, slots without a result, and in a result the bits beyond its
 * width, so that it is another word each time it is read. What it must not flip are values the
 * guest checks: those would be lies about data, which every host may tell.
 */
#include "race.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FLIPS_MOST 65536u /* of one answer: read long ago; others want the processor */

static void sleep_while(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load(word) == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint64_t step(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* An 8-byte word of the reply area, and a change to it that is no legal answer by itself. */
static unsigned choose(const struct racer *r, uint64_t random, uint64_t *change)
{
    unsigned word = (unsigned)(random % 32), at = SVMC_PAGE_REP_SEQ + 8 * word;

    *change = random | 1;
    if (at == SVMC_PAGE_REP_STATUS)
        *change = random << 32 | 4; /* reserved bytes, or a status that does not exist */
    if (at >= SVMC_PAGE_REP_OUT && at < SVMC_PAGE_REP_OUT + 8 * SVMC_PAGE_SLOTS) {
        uint64_t bits = r->beyond[(at - SVMC_PAGE_REP_OUT) / 8];

        *change = (random | (uint64_t)1 << 63) & bits;
        if (bits == 0)
            at = SVMC_PAGE_REP_OUT + 8 * SVMC_PAGE_SLOTS, *change = random | 1;
    }
    if (r->data >= 8 && (random >> 60) == 0)
        at = SVMC_PAGE_DATA + 8 * (unsigned)((random >> 32) % (r->data / 8));
    return at;
}

static void *flip(void *arg)
{
    struct racer *r = arg;
    uint64_t random = 0x9e3779b97f4a7c15u;

    for (;;) {
        if (!atomic_load(&r->on)) {
            set(&r->resting, 1);
            sleep_while(&r->on, 0);
            continue;
        }
        for (unsigned i = 0; i < 16; i++) {
            uint64_t change;
            unsigned at = choose(r, step(&random), &change);
            volatile uint64_t *word = (volatile uint64_t *)(volatile void *)(r->page + at);
            uint64_t held = *word;

            *word = held ^ change;
            for (unsigned pause = (unsigned)(random >> 40 & 7); pause > 0; pause--)
                __asm__ volatile("pause");
            *word = held;
        }
        if (atomic_fetch_add(&r->flips, 32) > FLIPS_MOST)
            atomic_store(&r->on, 0);
        for (unsigned pause = (unsigned)(random >> 32 & 0x3f); pause > 0; pause--)
            __asm__ volatile("pause");
    }
    return NULL;
}

int racer_start(struct racer *r)
{
    pthread_t thread;

    atomic_store(&r->on, 0);
    atomic_store(&r->resting, 0);
    if (pthread_create(&thread, NULL, flip, r) != 0)
        return -1;
    sleep_while(&r->resting, 0);
    return 0;
}

void racer_run(struct racer *r, volatile void *page, uint32_t data)
{
    uint64_t enough = 512 + (atomic_load(&r->flips) & 0x1ff);

    r->page = page;
    r->data = data;
    atomic_store(&r->resting, 0);
    set(&r->on, 1);
    while (atomic_load(&r->flips) < enough)
        __asm__ volatile("pause");
}

void racer_rest(struct racer *r)
{
    atomic_store(&r->on, 0);
    sleep_while(&r->resting, 0);
}
