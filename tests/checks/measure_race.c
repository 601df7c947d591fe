/* SPDX-License-Identifier: MIT */
/*
 * Three vCPUs check from where they call (ME-15, ME-16) while a fourth thread scans, decides on
 * trapped writes, opens and closes data, measures pages anew, and a guest maps them elsewhere.
 * SVMC_COUNT: checks of all vCPUs. With ThreadSanitizer too: part token-race of tools/test.
 *
 * What is published of a way has a version, odd while it changes. Nothing changed during a check:
 * the answer is exactly what was published. Else: what had ended before the check is not granted.
 * And what was granted once may be granted without a walk, as a pool does, for as long as the
 * generation is the same (ME-20): then the page is no other one.
 */
#include <pthread.h>
#include <stdlib.h>
#include <svmcore/measure.h>

#include "../harness.h"
#include "../token/measure_lab.h"

#define VCPUS  3u
#define WAYS   2u /* pages of code, each a range of its own; the way to each is checked */
#define CODE   4u /* their frames */
#define DATA   8u
#define TOKEN  3u
#define WORDS  (sizeof(struct svmc_measure_path) / 8)
#define RETURN 0x20u /* accessed: ME-16 */
#define NX     (1ull << 63)

_Static_assert(sizeof(struct svmc_measure_path) % 8 == 0, "whole words");

/* atomic, all of it */
struct published {
    uint32_t version, why; /* enum svmc_measure_why: what a check says */
    uint64_t path[WORDS];
    uint64_t ended[WORDS]; /* a way that will never be granted again; 0: none yet */
};

static struct measure_lab lab;
static struct published published[WAYS];
static struct svmc_measure_path path[WAYS]; /* the owner's, as all below but `bad` and the sums */
static uint32_t range[WAYS], data_range;
static uint64_t changes, kinds[SVMC_MEASURE_TABLE + 1], writes, scans, events;
static uint64_t bad, stable, moved, ended, unwalked, per_vcpu;
static uint32_t owner_done;
static pthread_barrier_t start;

static void count(uint64_t *at)
{
    __atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
}

static void must(int ok)
{
    if (!ok)
        count(&bad);
}

/* As lab_walk, on any thread: each entry read once. */
static enum svmc_status walk(void *ctx, const struct svmc_token_caller *caller,
                             struct svmc_measure_walk *out)
{
    uint64_t n = (caller->page - LAB_CODE) / SVMC_MEASURE_PAGE_BYTES, entry;

    (void)ctx;
    if (n >= LAB_FRAMES)
        return SVMC_OK;
    entry = __atomic_load_n(&lab.entry[n], __ATOMIC_RELAXED);
    if (!(entry & 1))
        return SVMC_OK;
    out->levels = LAB_LEVELS;
    for (unsigned i = 0; i < LAB_LEVELS; i++) {
        out->step[i].at = lab.table[i] + 8 * (i + 1 < LAB_LEVELS ? 1 : n);
        out->step[i].entry = i + 1 < LAB_LEVELS ? lab.table[i + 1] | 0x23 : entry;
    }
    out->frame = entry & 0xfffff000;
    return SVMC_OK;
}

static struct svmc_token_caller caller_in(unsigned way)
{
    return lab_caller(LAB_ROOT + 0x1000 * TOKEN, CODE + way);
}

/* ---- the owner --------------------------------------------------------------------------------*/

static void changing(unsigned n)
{
    changes++;
    __atomic_fetch_add(&published[n].version, 1, __ATOMIC_SEQ_CST);
}

static void changed(unsigned n, enum svmc_measure_why why)
{
    uint64_t words[WORDS];

    memcpy(words, &path[n], sizeof words);
    for (unsigned i = 0; i < WORDS; i++)
        __atomic_store_n(&published[n].path[i], words[i], __ATOMIC_RELAXED);
    __atomic_store_n(&published[n].why, why, __ATOMIC_RELEASE);
    kinds[why]++;
    __atomic_fetch_add(&published[n].version, 1, __ATOMIC_SEQ_CST);
}

/* Between changing and changed: another way, and what there was has ended. */
static void take_way(unsigned n)
{
    struct svmc_token_caller c = caller_in(n);
    uint64_t words[WORDS];

    memcpy(words, &path[n], sizeof words);
    must(svmc_measure_path_take(&lab.m, &c, &path[n], NULL) == SVMC_OK);
    if (path[n].priv.state != ((const struct svmc_measure_path *)words)->priv.state)
        for (unsigned i = 0; i < WORDS; i++)
            __atomic_store_n(&published[n].ended[i], words[i], __ATOMIC_RELAXED);
}

static void add(unsigned n)
{
    must(lab_add(&lab, CODE + n, 1, TOKEN, 1, &range[n], NULL) == SVMC_OK);
    take_way(n);
}

static void unload(unsigned n)
{
    uint32_t holder;

    must(svmc_measure_unload(&lab.m, range[n], 0, &holder, NULL) == SVMC_OK && holder == TOKEN);
}

static void set_entry(unsigned n, uint64_t entry)
{
    __atomic_store_n(&lab.entry[CODE + n], entry, __ATOMIC_RELAXED);
}

static void scan(uint32_t budget, uint64_t frame)
{
    struct svmc_measure_stand stand;

    do {
        must(svmc_measure_scan(&lab.m, budget, &stand) == SVMC_OK);
        scans++;
        must(stand.event.kind == SVMC_MEASURE_NOTHING ||
             (stand.event.kind == SVMC_MEASURE_DIFFERS && stand.event.frame == frame));
    } while (frame != 0 && stand.event.kind == SVMC_MEASURE_NOTHING);
    events += frame != 0;
}

/* Somebody else's write of a page is handed over: it does not happen, and no way changes. */
static void strange_write(unsigned frame)
{
    enum svmc_measure_verdict verdict;
    struct svmc_measure_event event;

    must(svmc_measure_write(&lab.m, (svmc_gpa){ lab_at(frame) + 8 }, 8, NULL, &verdict, &event) ==
         SVMC_OK);
    must(verdict == SVMC_MEASURE_REFUSE_EVENT && event.kind == SVMC_MEASURE_WRITTEN);
    writes++;
}

/* The holder's own write, from the code of `way`. */
static void own_write(unsigned way, unsigned frame)
{
    struct svmc_token_caller c = caller_in(way);
    enum svmc_measure_verdict verdict;
    struct svmc_measure_event event;

    must(svmc_measure_write(&lab.m, (svmc_gpa){ lab_at(frame) + 8 }, 8, &c, &verdict, &event) ==
         SVMC_OK);
    must(verdict == SVMC_MEASURE_ALLOW);
    lab.memory[frame][1]++;
    writes++;
}

static void change_data(unsigned way)
{
    struct svmc_token_caller c = caller_in(way);
    svmc_gpa at = { lab_at(DATA + 1) };

    must(svmc_measure_open(&lab.m, data_range, at, &c, TOKEN, NULL) == SVMC_OK);
    own_write(way, DATA + 1);
    must(svmc_measure_close(&lab.m, data_range, at, &c, TOKEN, NULL) == SVMC_OK);
}

/* A way that is in order gets into another state. */
static void disturb(unsigned n, uint64_t r)
{
    uint64_t right = lab_at(CODE + n) | 0x25;

    changing(n);
    switch (r % 6) {
    case 0: /* written by what does not trap, and found */
        lab.memory[CODE + n][r >> 8 & 511] ^= 1;
        scan(3, lab_at(CODE + n));
        changed(n, SVMC_MEASURE_CHANGED);
        break;
    case 1:
        set_entry(n, lab_at(20) | 0x25);
        changed(n, SVMC_MEASURE_REMAPPED);
        break;
    case 2:
        set_entry(n, right ^ 1);
        changed(n, SVMC_MEASURE_UNMAPPED);
        break;
    case 3:
        set_entry(n, right | NX);
        changed(n, SVMC_MEASURE_TABLE);
        break;
    case 4:
        unload(n);
        changed(n, SVMC_MEASURE_VERSION);
        break;
    default:
        set_entry(n, right ^ RETURN);
        changed(n, SVMC_MEASURE_GRANTED);
    }
}

static void mend(unsigned n)
{
    uint32_t why = __atomic_load_n(&published[n].why, __ATOMIC_RELAXED);

    changing(n);
    if (why == SVMC_MEASURE_CHANGED) {
        unload(n);
        add(n); /* whose digest is of what is there now */
    } else if (why == SVMC_MEASURE_VERSION) {
        add(n);
    } else {
        set_entry(n, lab_at(CODE + n) | 0x25);
    }
    changed(n, SVMC_MEASURE_GRANTED);
}

/* The page itself is as it was measured; what its mapping is does not matter here. */
static int is_whole(unsigned n)
{
    uint32_t why = __atomic_load_n(&published[n].why, __ATOMIC_RELAXED);

    return why != SVMC_MEASURE_CHANGED && why != SVMC_MEASURE_VERSION;
}

static void *owner_main(void *arg)
{
    uint64_t rng = harness_seed() ^ 0x0123, turns = *(const uint64_t *)arg;

    pthread_barrier_wait(&start);
    for (uint64_t turn = 0; turn < turns; turn++) {
        uint64_t r = harness_random(&rng);
        unsigned n = r >> 60 & 1;

        scan(1 + (r & 7), 0);
        if (r >> 8 & 1)
            strange_write(r >> 9 & 1 || !is_whole(n) ? DATA : CODE + n);
        if ((r >> 10 & 1) && is_whole(n))
            change_data(n);
        if (__atomic_load_n(&published[n].why, __ATOMIC_RELAXED) == SVMC_MEASURE_GRANTED)
            disturb(n, r >> 16);
        else
            mend(n);
    }
    __atomic_store_n(&owner_done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* ---- vCPUs ------------------------------------------------------------------------------------*/

/* `memo`: the generation under which this vCPU was granted each way; 0: none. */
static void check(unsigned n, int old, uint64_t memo[WAYS])
{
    struct published *p = &published[n];
    struct svmc_token_caller c = caller_in(n);
    uint32_t before = __atomic_load_n(&p->version, __ATOMIC_SEQ_CST), why;
    enum svmc_measure_why said;
    struct svmc_measure_path way;
    uint64_t words[WORDS], frame = 1;
    enum svmc_status st;

    for (unsigned i = 0; i < WORDS; i++)
        words[i] = __atomic_load_n(old ? &p->ended[i] : &p->path[i], __ATOMIC_ACQUIRE);
    why = __atomic_load_n(&p->why, __ATOMIC_ACQUIRE);
    c.stage2_generation = svmc_measure_generation(&lab.m, 1);
    if (before % 2 != 0 || __atomic_load_n(&p->version, __ATOMIC_SEQ_CST) != before)
        return; /* half of one way, half of another: nobody has such a one */
    if (memo[n] == c.stage2_generation) {
        count(&unwalked);
        must(why != SVMC_MEASURE_CHANGED && why != SVMC_MEASURE_VERSION);
    }
    memcpy(&way, words, sizeof way);
    if (old && way.priv.levels == 0)
        return;
    c.frame = 0;
    st = svmc_measure_path_check(&lab.m, &c, &way, &frame, &said);
    must((st == SVMC_OK) == (said == SVMC_MEASURE_GRANTED));
    must(frame == (st == SVMC_OK ? lab_at(CODE + n) : 0));
    if (st == SVMC_OK)
        memo[n] = c.stage2_generation;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (old) {
        count(&ended);
        must(st != SVMC_OK);
    } else if (__atomic_load_n(&p->version, __ATOMIC_SEQ_CST) == before) {
        count(&stable);
        must(said == why);
    } else {
        count(&moved);
    }
}

static void *vcpu_main(void *arg)
{
    uint64_t rng = harness_seed() + 0x7654321 * *(const uint64_t *)arg, memo[WAYS] = { 0 };

    pthread_barrier_wait(&start);
    for (uint64_t turn = 0; turn < per_vcpu || !__atomic_load_n(&owner_done, __ATOMIC_ACQUIRE);
         turn++) {
        uint64_t r = harness_random(&rng);

        check(r & 1, (r >> 8 & 7) == 0, memo);
    }
    return NULL;
}

TEST(measure_race, walks_beside_scans_and_writes) /* ME-13 ME-15 ME-16 ME-20 */
{
    const char *env = getenv("SVMC_COUNT");
    uint64_t checks = env ? strtoull(env, NULL, 0) : 200000, turns = checks / 100;
    uint64_t number[VCPUS];
    pthread_t thread[VCPUS + 1];

    per_vcpu = checks / VCPUS;
    lab_start(&lab, harness_seed());
    lab.ops.walk = walk;
    for (unsigned n = 0; n < WAYS; n++)
        add(n);
    for (unsigned n = 0; n < WAYS; n++) {
        changing(n);
        changed(n, SVMC_MEASURE_GRANTED);
    }
    REQUIRE(lab_add(&lab, DATA, 4, TOKEN, 0, &data_range, NULL) == SVMC_OK);
    REQUIRE(bad == 0);
    REQUIRE(pthread_barrier_init(&start, NULL, VCPUS + 1) == 0);
    REQUIRE(pthread_create(&thread[VCPUS], NULL, owner_main, &turns) == 0);
    for (uint64_t n = 0; n < VCPUS; n++) {
        number[n] = n;
        REQUIRE(pthread_create(&thread[n], NULL, vcpu_main, &number[n]) == 0);
    }
    for (unsigned n = 0; n < VCPUS + 1; n++)
        pthread_join(thread[n], NULL);
    printf("%" PRIu64 " checks of a way that stood, %" PRIu64 " of one that moved, %" PRIu64
           " of one that had ended; %" PRIu64 " that need no walk; %" PRIu64 " changes, %" PRIu64
           " scans, %" PRIu64 " found, %" PRIu64 " writes\n",
           stable, moved, ended, unwalked, changes, scans, events, writes);
    CHECK_EQ(bad, 0);
    CHECK(stable > per_vcpu && moved > 0 && ended > 0 && unwalked > 0);
    for (unsigned why = SVMC_MEASURE_CHANGED; why <= SVMC_MEASURE_TABLE; why++)
        CHECK(kinds[why] > 0 || why == SVMC_MEASURE_ALIASED, "%u", why);
}
