/* SPDX-License-Identifier: MIT */
/*
 * The frame of a reply: whatever a host writes, the guest changes in the outputs that the row
 * declares, to the values that the merge rule gives, or it does not change at all. Every verdict
 * and every effect is held against a second reading of the documents (turns.c).
 *
 * SVMC_COUNT mutated replies, in two processes. A register or span that is written is in the
 * guest's log and compared at once; every FULL mutations registers, memory, staging area and reply
 * area are compared whole, so that a write behind the log's back is found as well. One process
 * lends the core a clock, the other does not (R13).
 */
#include "turns.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness.h"

#define REPLIES   2000000u
#define WORKERS   2u
#define FULL      256u
#define EXITS     512u /* of one vCPU */
#define MUTATIONS 64u  /* of one exit, unless one is taken before */

struct tally {
    uint64_t replies, taken;
};

struct worker {
    struct tally row[TURN_ROWS];
    uint64_t refused[SVMC_REPLY_RULES + 1];
    uint64_t full, nanoseconds;
    char why[256]; /* it failed */
};

static struct worker *worker; /* this process' part of what all share */
static const struct exit_rule *rows[TURN_ROWS];
static unsigned row_count;

static _Alignas(4096) uint8_t page[SVMC_PAGE_BYTES];
static uint8_t data[SVMC_PAGE_DATA_BYTES], whole[SVMC_EXIT_DATA_MAX];
static struct guest guest, shadow;
static struct svmc_policy policy;
static struct svmc_vcpu vc;
static struct svmc_outcome out;
static struct ask ask;
static struct turn turn;
static struct svmc_pending pending;
static uint8_t staging[SVMC_EXIT_DATA_MAX];
static uint64_t rng, seq;

/* Ends the worker: after the first difference everything differs. */
static void wrong(const char *what, const struct reply_words *r, unsigned want)
{
    const struct svmc_exit *e = &turn.exit;

    snprintf(worker->why, sizeof worker->why,
             "%s: %s: rule %u, want %u; reply status %" PRIx64 " valid %" PRIx64 " fault %" PRIx64
             " done %" PRIx64 " out %" PRIx64 "; isa %u finish %u size %u of %u, kind 0x%x",
             svmc_kind_name(ask.rule->kind), what, out.rule, want, r->w[1], r->w[2], r->w[3],
             r->w[4], r->w[8], e->isa, e->finish, e->size, turn.total, e->kind);
    exit(1);
}

/* ---- mutations -------------------------------------------------------------------------------*/

static uint64_t value_near(uint64_t old)
{
    static const uint64_t special[] = { 0, 1, 2, 3, 255, 0xffffffff, (uint64_t)1 << 63, ~0ull };
    uint64_t r = turn_random(&rng);

    switch (r >> 61) {
    case 0:
    case 1:
        return old ^ (uint64_t)1 << (r & 63);
    case 2:
        return old + 1;
    case 3:
        return old - 1;
    case 4:
        return special[r & 7];
    case 5:
        return old ^ special[r & 7];
    case 6:
        return old << 1 | (r & 1);
    default:
        return turn_random(&rng);
    }
}

/* Another status, with what belongs to it, each part of it perhaps not. */
static void near_right(struct reply_words *r)
{
    uint64_t pick = turn_random(&rng);
    uint32_t status = (uint32_t)(pick >> 8 & 3), done = turn.issued;
    unsigned count, bytes[SLOTS_OUT];

    if (status == SVMC_REPLY_PARTIAL)
        done = (uint32_t)((pick >> 16 & 0xffff) % (turn.issued + 2));
    if (status == SVMC_REPLY_FAULT || status == SVMC_REPLY_RETRY)
        r->w[2] = r->w[8] = r->w[9] = r->w[10] = r->w[11] = done = 0;
    else if (turn_results(&turn, &count, bytes))
        r->w[2] = ((uint64_t)1 << count) - 1; /* the right one may have been RETRY */
    if (status == SVMC_REPLY_FAULT)
        r->w[3] = pick >> 32 & 7; /* none, the four that there are, and no code */
    r->w[1] = status;
    r->w[4] = done | (r->w[4] >> 32 ? (uint64_t)done * ask.size << 32 : 0);
    if ((pick >> 40 & 7) == 0)
        r->w[1 + (pick >> 43) % 11] ^= (uint64_t)1 << (pick >> 58);
}

static void mutate(struct reply_words *r)
{
    uint64_t pick = turn_random(&rng);
    unsigned how = pick & 31, at = pick >> 5 & 15;

    if (how < 18) { /* one field; the reserved ones at the end not as often */
        at = (pick >> 9 & 7) == 0 ? pick >> 12 & 31 : at;
        r->w[at] = value_near(r->w[at]);
    } else if (how < 22) {
        near_right(r);
    } else if (how < 24) { /* a right one with other results */
        for (unsigned i = 8; i < 12; i++)
            r->w[i] ^= r->w[2] >> (i - 8) & 1 ? turn_random(&rng) & 0x7f : 0;
    } else if (how < 29) {
        for (unsigned i = 0; i < 2 + (pick >> 12 & 3); i++) {
            at = turn_random(&rng) >> 60;
            r->w[at] = value_near(r->w[at]);
        }
    } else if (how < 31) { /* the sequence number is right, nothing else */
        for (unsigned i = 1; i < 16; i++)
            r->w[i] = turn_random(&rng) >> (how == 30 ? 62 : 0);
    } else {
        turn_fill(r->w, sizeof r->w, &rng);
    }
}

/* ---- one reply -------------------------------------------------------------------------------*/

static void compare_all(const struct reply_words *r, bool refused)
{
    static const uint8_t zero[0x100];

    worker->full++;
    if (memcmp(guest.reg, shadow.reg, sizeof guest.reg) != 0)
        wrong("a register changed unseen", r, 0);
    if (memcmp(guest.memory, shadow.memory, sizeof guest.memory) != 0)
        wrong("memory changed", r, 0);
    if (refused && memcmp(vc.priv.staging, staging, sizeof staging) != 0)
        wrong("a refused reply changed the staging area", r, 0);
    if (refused && memcmp(page + 0x100, zero, sizeof zero) != 0)
        wrong("a refused reply's area is left", r, 0);
}

static void check_refused(const struct reply_words *r, unsigned rule, uint64_t refused)
{
    if (out.rule != rule || out.action != SVMC_ACT_DELEGATED)
        wrong("refused under another rule", r, rule);
    if (guest.writes != 0 || guest.spans != 0)
        wrong("a refused reply wrote", r, rule);
    if (memcmp(&vc.priv.pending, &pending, sizeof pending) != 0)
        wrong("a refused reply changed the record", r, rule);
    if (vc.priv.stats.refused != refused + 1)
        wrong("a refused reply is not counted", r, rule);
    worker->refused[rule]++;
}

/* INS: what this reply adds to the bytes of the whole instruction. */
static void gather(const struct reply_words *r)
{
    uint32_t done = (uint32_t)r->w[4];

    if (ask.rule->string && ask.rule->direction == SVMC_DIRECTION_IN)
        memcpy(whole + turn.at * ask.size, data, done * ask.size);
}

static void check_taken(const struct reply_words *r)
{
    struct effects fx;
    const char *why;

    turn_effects(&turn, r, shadow.reg, &fx);
    if (out.action != fx.action || out.rule != 0)
        wrong("another end", r, fx.action);
    if (out.fault.raised != fx.fault ||
        (fx.fault && (out.fault.vector != fx.vector || out.fault.has_error != fx.has_error ||
                      out.fault.error != fx.error)))
        wrong("another fault", r, fx.vector);
    why = turn_differs(&turn, &fx, &guest, &shadow, data);
    if (why)
        wrong(why, r, 0);
    if (out.data_bytes != fx.given_bytes || (out.data == NULL) != (fx.given_bytes == 0))
        wrong("the backend gets more or less", r, fx.given_bytes);
    gather(r);
    if (fx.given_bytes > 0 &&
        memcmp(out.data, ask.rule->string ? whole : fx.given, fx.given_bytes) != 0)
        wrong("the backend gets other bytes", r, fx.given_bytes);
}

/* What the host needs for its next answer. */
static void look(void)
{
    static const struct reply_words none;
    const char *why;

    if (!vc.priv.pending.active || vc.priv.pending.issued != turn.issued)
        wrong("another request", &none, turn.issued);
    seq = page_seq(page);
    why = turn_shows(&turn, page);
    if (why)
        wrong(why, &none, 0);
    pending = vc.priv.pending;
    memcpy(staging, vc.priv.staging, sizeof staging);
    if (ask.rule->string && ask.rule->direction == SVMC_DIRECTION_IN) {
        turn_fill(data, turn.issued * ask.size, &rng);
        memcpy(page + 0x200, data, turn.issued * ask.size);
    }
}

/* One mutated reply; true: it was taken. */
static bool one_reply(struct tally *tally, const struct reply_words *right)
{
    uint64_t refused = vc.priv.stats.refused;
    struct reply_words r = *right;
    enum svmc_status st;
    unsigned rule;

    mutate(&r);
    if (turn_random(&rng) >> 62 == 0) /* else the time that is right may be the last that is */
        guest.times.clock += turn_random(&rng) >> 52;
    rule = turn_breaks(&turn, seq, &r);
    page_put(page, &r);
    guest.writes = guest.spans = 0;
    st = svmc_vcpu_enter(&vc, &out);
    tally->replies++;
    if (st != (rule ? SVMC_ERR_HOST_REPLY : SVMC_OK))
        wrong(rule ? "a wrong reply is taken" : "a right reply is refused", &r, rule);
    if (rule)
        check_refused(&r, rule, refused);
    else
        check_taken(&r);
    if (tally->replies % FULL == 0)
        compare_all(&r, rule != 0);
    if (rule)
        return false;
    tally->taken++;
    turn_next(&turn, &r);
    return true;
}

static void one_exit(unsigned row)
{
    struct tally *tally = &worker->row[row];
    struct reply_words right = { { 0 } };

    ask_make(&ask, rows[row], &rng);
    guest.times.clock += turn_random(&rng) >> 48;
    turn_make(&turn, &ask, &guest, &rng);
    if (svmc_vcpu_exit(&vc, &turn.exit, &out) != SVMC_OK || out.action != SVMC_ACT_DELEGATED)
        wrong("ask_make and turn_make do not know how to get it delegated", &right, 0);
    memcpy(shadow.reg, guest.reg, sizeof shadow.reg);
    if (turn.own && ask.rule->string && ask.rule->direction == SVMC_DIRECTION_OUT)
        memcpy(shadow.memory + turn.memory, ask.data, ask_bytes(&ask));
    look();
    turn_right(&turn, seq, &right, &rng);
    for (unsigned i = 0; i < MUTATIONS; i++) {
        if (!one_reply(tally, &right))
            continue;
        if (out.action != SVMC_ACT_DELEGATED)
            return;
        look();
        turn_right(&turn, seq, &right, &rng);
    }
    svmc_vcpu_cancel(&vc);
}

/* A new vCPU: no time was given yet. */
static void start(bool timed)
{
    guest.times = (struct times){ .timed = timed };
    if (svmc_vcpu_init(&vc, timed ? &guest_ops_timed : &guest_ops, &guest, &policy, page, 7) !=
        SVMC_OK)
        exit(1);
}

static void work(uint64_t seed, bool timed, uint64_t replies)
{
    struct rusage used;
    uint64_t done = 0, exits = 0;

    rng = seed * 2 + 1;
    turn_fill(&guest, sizeof guest, &rng);
    guest.writes = guest.spans = 0;
    shadow = guest;
    turn_policy(&policy, false, SVMC_MODE_STRICT);
    for (unsigned row = 0; done < replies; row = (row + 1) % row_count) {
        uint64_t before = worker->row[row].replies;

        if (exits++ % EXITS == 0)
            start(timed);
        if (turn_delegates(rows[row]))
            one_exit(row);
        done += worker->row[row].replies - before;
    }
    getrusage(RUSAGE_SELF, &used);
    worker->nanoseconds =
        (uint64_t)used.ru_utime.tv_sec * 1000000000u + (uint64_t)used.ru_utime.tv_usec * 1000u;
    exit(0);
}

static void report(const struct worker *workers, uint64_t replies)
{
    struct worker sum = { .full = 0 };

    for (unsigned n = 0; n < WORKERS; n++) {
        for (unsigned row = 0; row < row_count; row++) {
            sum.row[row].replies += workers[n].row[row].replies;
            sum.row[row].taken += workers[n].row[row].taken;
        }
        for (unsigned rule = 0; rule <= SVMC_REPLY_RULES; rule++)
            sum.refused[rule] += workers[n].refused[rule];
        sum.full += workers[n].full;
        sum.nanoseconds += workers[n].nanoseconds;
    }
    for (unsigned row = 0; row < row_count; row++)
        if (turn_delegates(rows[row])) {
            printf("%-12s %11" PRIu64 " replies, %5.2f %% taken\n", svmc_kind_name(rows[row]->kind),
                   sum.row[row].replies,
                   100.0 * (double)sum.row[row].taken /
                       (double)(sum.row[row].replies + !sum.row[row].replies));
            CHECK(sum.row[row].taken > 0, "no reply to %s was taken",
                  svmc_kind_name(rows[row]->kind));
        }
    for (unsigned rule = 1; rule <= SVMC_REPLY_RULES; rule++)
        if (sum.refused[rule] > 0)
            printf("R%-11u %11" PRIu64 " refused\n", rule, sum.refused[rule]);
    for (unsigned i = 0; i < 10; i++) {
        static const unsigned rules[10] = { 2, 4, 5, 6, 7, 8, 10, 11, 13, 18 };

        CHECK(sum.refused[rules[i]] > 0, "nothing was refused under R%u", rules[i]);
    }
    printf("ok frame: %" PRIu64 " replies, %" PRIu64 " whole comparisons, %.0f ns of processor "
           "time a reply, %.1f million a second on two\n",
           replies, sum.full, (double)sum.nanoseconds / (double)replies,
           1000.0 * WORKERS * (double)replies / (double)(sum.nanoseconds + 1));
}

TEST(frame, a_reply_changes_what_its_row_declares_or_nothing) /* R4 to R11, R13, R16, R18 */
{
    const char *count = getenv("SVMC_COUNT");
    uint64_t replies = count ? strtoull(count, NULL, 10) : REPLIES, seed = harness_seed();
    struct worker *workers = mmap(NULL, WORKERS * sizeof *workers, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WORKERS];
    unsigned unknown;

    REQUIRE(workers != MAP_FAILED);
    row_count = turn_rows(rows, &unknown);
    REQUIRE(row_count > 0);
    CHECK_EQ(unknown, 0, "rows without a test");
    fflush(stdout);
    for (unsigned n = 0; n < WORKERS; n++) {
        worker = &workers[n];
        pids[n] = fork();
        REQUIRE(pids[n] >= 0);
        if (pids[n] == 0)
            work(harness_random(&(uint64_t){ seed + n }), n % 2 == 1, replies / WORKERS);
    }
    for (unsigned n = 0; n < WORKERS; n++) {
        int status = -1;

        CHECK(waitpid(pids[n], &status, 0) == pids[n]);
        CHECK(status == 0, "worker %u: status 0x%x: %s", n, status, workers[n].why);
    }
    report(workers, replies);
    munmap(workers, WORKERS * sizeof *workers);
}
