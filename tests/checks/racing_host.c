/* SPDX-License-Identifier: MIT */
/*
 * A host that writes to the page while the core works on it: right replies, and bytes flipped as
 * fast as a second thread can. Whatever the core takes must be what one legal reply gives: exactly
 * the declared outputs, in their widths, and what it refuses must change nothing (R3 R8 R16).
 * Built with ThreadSanitizer as well: the page is reached by atomic words alone.
 *
 * SVMC_SECONDS long, by turns in the modes STRICT and OBSERVE (MO-5).
 */
#include "turns.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "../harness.h"

#define SECONDS  1u
#define WAITS    4096u /* looks for an answer */
#define TRIES    64u   /* replies to one exit before it is given up */
#define EXITS    512u  /* in one mode */
#define ON_A_ROW 100u  /* exits of each row at least, and a reply to it taken: else it goes on */
#define PATIENCE 100.0 /* seconds, then it fails */

static _Alignas(4096) uint8_t page[SVMC_PAGE_BYTES];
static volatile int over; /* atomic */
static uint64_t writes;   /* the host's, read when it has ended */
static uint64_t least;    /* atomic: the last time that was taken */
static uint64_t answers;  /* atomic: right replies that it has begun to write */

/* ---- the host's thread -----------------------------------------------------------------------*/

static void flip(uint64_t pick)
{
    unsigned word = pick >> 20 & 3 ? 0x100 / 8 + (pick >> 24) % (0x110 / 8) : (pick >> 24) % 512;

    __atomic_fetch_xor((uint64_t *)(void *)page + word,
                       (uint64_t)(1 + (pick & 254)) << (pick >> 58), __ATOMIC_RELAXED);
}

static void put_data(uint64_t *rng)
{
    for (unsigned i = 0; i < 8; i++)
        __atomic_store_n((uint64_t *)(void *)(page + 0x200) + i, turn_random(rng),
                         __ATOMIC_RELAXED);
}

static void *host(void *seed)
{
    uint64_t rng = *(const uint64_t *)seed;
    struct reply_words reply;

    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        uint64_t pick = turn_random(&rng);
        unsigned flips;

        if (page_right(page, __atomic_load_n(&least, __ATOMIC_RELAXED), &reply, &rng)) {
            put_data(&rng);
            __atomic_fetch_add(&answers, 1, __ATOMIC_RELAXED);
            if ((pick >> 8 & 7) == 0) {
                reply.w[1] = pick >> 11 & 3;
                reply.w[2] = reply.w[4] = 0;
            }
            page_put(page, &reply);
        }
        flips = pick & 1 ? pick >> 1 & 3 : pick >> 1 & 63; /* by turns a few, and many */
        for (unsigned n = flips; n > 0; n--)
            flip(turn_random(&rng));
        writes += REPLY_WORDS + 8 + flips;
        for (volatile unsigned n = flips < 4 ? pick >> 16 & 511 : 0; n > 0; n--)
            ; /* let it stand */
    }
    return NULL;
}

/* ---- the core's ------------------------------------------------------------------------------*/

static struct guest guest, shadow;
static struct svmc_policy policies[2];
static struct svmc_vcpu vc;
static struct svmc_outcome out;
static struct ask ask;
static struct turn turn;
static struct svmc_pending pending;
static uint8_t staging[SVMC_EXIT_DATA_MAX];

static const struct exit_rule *rows[TURN_ROWS];
static unsigned row_count;
static uint64_t taken[TURN_ROWS], exits[TURN_ROWS], refused;

static const char *check_refused(void)
{
    if (guest.writes != 0 || guest.spans != 0)
        return "a refused reply wrote";
    if (memcmp(&vc.priv.pending, &pending, sizeof pending) != 0)
        return "a refused reply changed the record";
    if (memcmp(vc.priv.staging, staging, sizeof staging) != 0)
        return "a refused reply changed the staging area";
    return out.rule == 0 ? "a refused reply broke no rule" : NULL;
}

/* The request is another one: a retry, or the next part of a backend's string. */
static const char *check_further(void)
{
    uint32_t done = vc.priv.pending.at - turn.at;
    struct reply_words part = { { 0 } };

    if (guest.writes != 0 || guest.spans != 0)
        return "a part was written";
    if (done != 0 && (turn.own || done > turn.issued))
        return "a part is more than was asked for";
    if (memcmp(vc.priv.staging, staging, (size_t)turn.at * ask.size) != 0)
        return "earlier parts changed";
    part.w[1] = done != 0 ? SVMC_REPLY_PARTIAL : SVMC_REPLY_RETRY;
    part.w[4] = done;
    turn_next(&turn, &part);
    return vc.priv.pending.issued == turn.issued ? NULL : "another number is asked for";
}

/* The host's threads learn what time it is from here: it may have written another one. */
static void publish(void)
{
    uint64_t last = 0;

    for (unsigned i = 0; i < TURN_TIMES; i++)
        if (guest.times.last[i].known && guest.times.last[i].value > last)
            last = guest.times.last[i].value;
    __atomic_store_n(&least, last, __ATOMIC_RELAXED);
}

static const char *check_taken(void)
{
    struct reply_words reply;
    struct effects fx;
    const char *why;

    if (out.action == SVMC_ACT_DELEGATED)
        return check_further();
    turn_given(&turn, pending.seq, &shadow, &guest, &out, &reply);
    if (out.action == SVMC_ACT_INJECT) {
        memset(&reply, 0, sizeof reply);
        reply.w[0] = pending.seq;
        reply.w[1] = SVMC_REPLY_FAULT;
        reply.w[3] =
            ask.rule->kind == SVMC_KIND_SYSREG_READ || ask.rule->kind == SVMC_KIND_SYSREG_WRITE
                ? SVMC_FAULT_UD
                : SVMC_FAULT_GP;
    }
    if (turn_breaks(&turn, pending.seq, &reply) != 0)
        return "no legal reply gives this";
    turn_effects(&turn, &reply, shadow.reg, &fx);
    if (out.action != fx.action || out.fault.raised != fx.fault ||
        (fx.fault && (out.fault.vector != fx.vector || out.fault.error != fx.error)))
        return "another end";
    if (out.data_bytes != fx.given_bytes)
        return "a backend gets more or less";
    if (ask.rule->string && out.data_bytes > 0 &&
        memcmp(out.data, staging, (size_t)turn.at * ask.size) != 0)
        return "a backend gets other earlier parts";
    why = turn_differs(&turn, &fx, &guest, &shadow, guest.memory + turn.memory);
    if (!why && (memcmp(guest.reg, shadow.reg, sizeof guest.reg) != 0 ||
                 memcmp(guest.memory, shadow.memory, sizeof guest.memory) != 0))
        why = "what is not declared changed";
    turn_next(&turn, &reply);
    publish();
    return why;
}

/*
 * The host's next answer, then any time; where the host's thread waits for a processor, an answer
 * from here, into which it writes when it runs.
 */
static void wait_for_answer(uint64_t pick, uint64_t *rng)
{
    uint64_t seen = __atomic_load_n(&answers, __ATOMIC_RELAXED);
    struct reply_words reply;
    unsigned waits = 0;

    while (waits < WAITS && __atomic_load_n(&answers, __ATOMIC_RELAXED) == seen)
        waits++;
    if (waits == WAITS && page_right(page, least, &reply, rng))
        page_put(page, &reply);
    for (volatile unsigned n = pick & 511; n > 0; n--)
        ;
}

/* One exit, answered until it is taken. Counts the replies that were. */
static const char *one_exit(const struct exit_rule *rule, uint64_t *rng, uint64_t *taken_here)
{
    ask_make(&ask, rule, rng);
    do
        turn_make(&turn, &ask, &guest, rng);
    while (turn_hides_time(&turn));
    memcpy(&shadow, &guest, sizeof shadow);
    if (svmc_vcpu_exit(&vc, &turn.exit, &out) != SVMC_OK || out.action != SVMC_ACT_DELEGATED)
        return "it was not delegated";
    for (unsigned i = 0; i < TRIES && out.action == SVMC_ACT_DELEGATED; i++) {
        enum svmc_status st;
        const char *why;

        pending = vc.priv.pending;
        memcpy(staging, vc.priv.staging, sizeof staging);
        wait_for_answer(turn_random(rng), rng);
        guest.writes = guest.spans = 0;
        st = svmc_vcpu_enter(&vc, &out);
        if (st != SVMC_OK && st != SVMC_ERR_HOST_REPLY)
            return svmc_status_name(st);
        if (st == SVMC_OK)
            (*taken_here)++;
        else
            refused++;
        why = st == SVMC_OK ? check_taken() : check_refused();
        if (why)
            return why;
    }
    svmc_vcpu_cancel(&vc);
    return NULL;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool enough(void)
{
    for (unsigned row = 0; row < row_count; row++)
        if (turn_delegates(rows[row]) && (exits[row] < ON_A_ROW || taken[row] == 0))
            return false;
    return true;
}

static void race(uint64_t seed, double end)
{
    uint64_t rng = seed;

    turn_fill(&guest, sizeof guest, &rng);
    for (unsigned turns = 0; now() < end || (!enough() && now() < end + PATIENCE); turns++) {
        REQUIRE(svmc_vcpu_init(&vc, &guest_ops, &guest, &policies[turns % 2], page, 7) == SVMC_OK);
        guest.times = (struct times){ .clock = 0 };
        publish();
        for (unsigned i = 0; i < EXITS && (now() < end || !enough()); i++) {
            unsigned row = i % row_count;
            const char *why;

            if (!turn_delegates(rows[row]))
                continue;
            why = one_exit(rows[row], &rng, &taken[row]);
            exits[row]++;
            REQUIRE(!why, "%s: %s (rule %u, kind 0x%x, isa %u, finish %u, mode %u)",
                    svmc_kind_name(rows[row]->kind), why, out.rule, turn.exit.kind, turn.exit.isa,
                    turn.exit.finish, policies[turns % 2].priv.mode);
        }
    }
}

TEST(race, what_is_taken_is_one_legal_reply) /* R3 R8 R9 R16 MO-5 AT-1 */
{
    const char *seconds = getenv("SVMC_SECONDS");
    uint64_t seed = harness_seed() | 1, other = seed ^ 0x5555;
    pthread_t thread;
    unsigned unknown;

    row_count = turn_rows(rows, &unknown);
    CHECK_EQ(unknown, 0, "rows without a test");
    turn_policy(&policies[0], false, SVMC_MODE_STRICT);
    turn_policy(&policies[1], false, SVMC_MODE_OBSERVE);
    turn_fill(page, sizeof page, &other); /* makes the pool, before there are two threads */
    over = 0;
    REQUIRE(pthread_create(&thread, NULL, host, &other) == 0);
    race(seed, now() + (seconds ? strtod(seconds, NULL) : SECONDS));
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    CHECK(pthread_join(thread, NULL) == 0);
    for (unsigned row = 0; row < row_count; row++)
        if (turn_delegates(rows[row])) {
            printf("%-12s %9" PRIu64 " exits, %9" PRIu64 " replies taken\n",
                   svmc_kind_name(rows[row]->kind), exits[row], taken[row]);
        }
    CHECK(enough(), "too few exits of a row, or no reply to one was taken");
    CHECK(refused > 0, "nothing was refused");
    printf("ok race: %" PRIu64 " replies refused, %" PRIu64 " writes by the host\n", refused,
           writes);
}
