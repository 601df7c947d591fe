/* SPDX-License-Identifier: MIT */
/*
 * Four lanes at the same pages and vCPUs, while control gets subkeys ready and says what the key
 * may: no page or context comes back as anything but what it was, and no nonce comes twice. With
 * ThreadSanitizer too: part seal-race of tools/test. SVMC_COUNT: how many turns a lane makes.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <svmcore/seal_context.h>
#include <svmcore/seal_page.h>

#include "../../src/core/bytes.h"
#include "seal_lab.h"

enum { PAGES = 9, VCPUS = 3, TEXT = 40, BLOB = TEXT + SVMC_CONTEXT_HEADER_BYTES, SEEN = 1 << 16 };

struct copy {
    uint8_t text[SVMC_SEAL_PAGE_BYTES], tag[SVMC_TAG_BYTES];
};

/* What is a lane's own. */
struct worker {
    struct copy mine;
    uint8_t back[SVMC_SEAL_PAGE_BYTES], blob[BLOB], state[TEXT];
    uint32_t lane;
    unsigned bad, sealed, opened, moved;
};

static struct seal_lab lab;
static struct svmc_pages pages;
static struct svmc_contexts contexts;
static _Alignas(64) uint8_t memory[SEAL_LAB_LANES * SVMC_SEAL_PAGE_BYTES + 4096];
static _Alignas(64) uint8_t context_memory[4096];
static struct copy store[PAGES];
static uint8_t plain[PAGES][SVMC_SEAL_PAGE_BYTES];
static struct worker workers[SEAL_LAB_LANES];
static unsigned turns, running, twice, tended;
static uint64_t seen[SEEN];

static void record(const uint8_t *key, const uint8_t *nonce)
{
    uint64_t sum = core_load_le64(key), at, was;

    sum ^= harness_random(&(uint64_t){ core_load_le64(nonce) });
    sum += harness_random(&(uint64_t){ core_load_le32(nonce + 8) });
    sum = harness_random(&sum) | 1;
    for (at = sum % SEEN;; at = (at + 1) % SEEN) {
        was = 0;
        if (__atomic_compare_exchange_n(&seen[at], &was, sum, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return;
        if (was == sum)
            __atomic_fetch_add(&twice, 1, __ATOMIC_RELAXED);
        if (was == sum)
            return;
    }
}

/* What a lane may be told: somebody is at it, it is elsewhere, nothing is left, it may not. */
static bool is_fine(enum svmc_seal_reason why)
{
    return why == SVMC_SEAL_NONE || why == SVMC_SEAL_BUSY || why == SVMC_SEAL_STATE ||
           why == SVMC_SEAL_BUDGET || why == SVMC_SEAL_KEY_STATE;
}

static void move_page(struct worker *w, uint64_t p, uint64_t chance)
{
    struct svmc_page_copy copy;
    enum svmc_seal_reason why;

    if (chance % 4 == 0)
        svmc_pages_mark(&pages, p, 1);
    why = svmc_pages_seal(&pages, w->lane, p, plain[p], w->mine.text, w->mine.tag, &copy);
    w->bad += !is_fine(why);
    if (why == SVMC_SEAL_NONE && chance % 8 == 1) {
        w->bad += svmc_pages_abort(&pages, &copy) != SVMC_SEAL_NONE;
    } else if (why == SVMC_SEAL_NONE) {
        store[p] = w->mine; /* it is claimed */
        w->bad += svmc_pages_publish(&pages, &copy) != SVMC_SEAL_NONE;
        w->sealed++;
    }
    w->bad += !is_fine(svmc_pages_leave(&pages, p));
    why = svmc_pages_open(&pages, w->lane, p, store[p].text, store[p].tag, w->back);
    w->bad += !is_fine(why);
    if (why == SVMC_SEAL_NONE) {
        w->bad += memcmp(w->back, plain[p], sizeof w->back) != 0;
        w->opened++;
    }
    if (chance % 16 == 2)
        w->bad += !is_fine(svmc_pages_forget(&pages, p));
}

/* A vCPU is one lane's at a time, as threads are. */
static void move_context(struct worker *w, uint32_t v)
{
    const struct svmc_context_piece piece = { w->state, sizeof w->state };
    enum svmc_seal_reason why;

    memset(w->state, (int)w->lane + 1, sizeof w->state);
    why = svmc_context_out(&contexts, w->lane, v, &piece, 1, w->blob, sizeof w->blob);
    w->bad += !is_fine(why);
    if (why != SVMC_SEAL_NONE)
        return;
    do
        why = svmc_context_in(&contexts, w->lane, v, w->blob, sizeof w->blob, &piece, 1);
    while (why == SVMC_SEAL_KEY_STATE || why == SVMC_SEAL_BUSY);
    w->bad +=
        why != SVMC_SEAL_NONE || w->state[0] != w->lane + 1 || w->state[TEXT - 1] != w->lane + 1;
    w->moved++;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    uint64_t random = w->lane;

    /* control may get on later than they */
    for (unsigned i = 0; i < turns || __atomic_load_n(&tended, __ATOMIC_RELAXED) < 64; i++) {
        uint64_t chance = harness_random(&random);

        move_page(w, chance % PAGES, chance >> 8);
        move_context(w, (uint32_t)(chance >> 32) % VCPUS);
        if (i % 8 == 0)
            sched_yield();
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Control: the next subkey, and where an old one is in the way its pages. */
static void tend(void)
{
    enum svmc_seal_reason why = svmc_pages_tend(&pages);

    if (why == SVMC_SEAL_BUDGET)
        for (uint64_t p = svmc_pages_next_old(&pages, 0); p < PAGES;
             p = svmc_pages_next_old(&pages, p + 1))
            if (svmc_pages_forget(&pages, p) != SVMC_SEAL_NONE)
                continue; /* a lane is at it, or it is out */
    CHECK(why == SVMC_SEAL_BUDGET || why == SVMC_SEAL_BUSY || why == SVMC_SEAL_NONE);
    why = svmc_contexts_tend(&contexts);
    CHECK(why == SVMC_SEAL_BUDGET || why == SVMC_SEAL_BUSY || why == SVMC_SEAL_NONE);
}

TEST(seal_threads, lanes_and_control_do_not_meet) /* SE-16 SE-18 SE-22 SE-3 */
{
    const struct svmc_pages_config p = { &lab.sealer, PAGES, SEAL_LAB_LANES, 2 };
    const struct svmc_contexts_config c = { &lab.sealer, VCPUS, TEXT, SEAL_LAB_LANES, 2 };
    const char *text = getenv("SVMC_COUNT");
    pthread_t thread[SEAL_LAB_LANES];
    unsigned sealed = 0, opened = 0, moved = 0;

    turns = text ? (unsigned)strtoul(text, NULL, 10) : 300;
    turns = turns < 4000 ? turns : 4000; /* what `seen` has room for */
    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    lab.crypto.toy.sealed = record;
    REQUIRE(svmc_vmkey_limit(&lab.key, 23, 23 * 257) == SVMC_OK);
    REQUIRE(svmc_pages_init(&pages, &p, memory, sizeof memory) == SVMC_OK);
    REQUIRE(svmc_contexts_init(&contexts, &c, context_memory, sizeof context_memory) == SVMC_OK);
    for (unsigned i = 0; i < PAGES; i++)
        memset(plain[i], (int)i + 1, sizeof plain[i]);
    memset(workers, 0, sizeof workers);
    memset(seen, 0, sizeof seen);
    twice = tended = 0;
    running = SEAL_LAB_LANES;
    for (uint32_t i = 0; i < SEAL_LAB_LANES; i++) {
        workers[i].lane = i;
        REQUIRE(pthread_create(&thread[i], NULL, worker_main, &workers[i]) == 0);
    }
    for (unsigned i = 0; __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0; i++) {
        tend();
        __atomic_add_fetch(&tended, 1, __ATOMIC_RELAXED);
        if (i % 16 == 3)
            svmc_sealer_key(&lab.sealer, SVMC_KEY_DEACTIVATED, 15);
        sched_yield();
        svmc_sealer_key(&lab.sealer, SVMC_KEY_ACTIVE, 15);
    }
    for (uint32_t i = 0; i < SEAL_LAB_LANES; i++) {
        REQUIRE(pthread_join(thread[i], NULL) == 0);
        CHECK_EQ(workers[i].bad, 0, "%u", i);
        sealed += workers[i].sealed;
        opened += workers[i].opened;
        moved += workers[i].moved;
    }
    CHECK_EQ(twice, 0);
    CHECK(lab.key.priv.purpose[SVMC_KEY_PAGE - 1].index > 2);
    CHECK(sealed > 20 && opened > 20 && moved > 20, "%u %u %u", sealed, opened, moved);
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
    CHECK_EQ(svmc_contexts_drop(&contexts), SVMC_OK);
    CHECK(seal_lab_is_empty(&lab));
}
