/* SPDX-License-Identifier: MIT */
/*
 * PG-1, PG-6: the two-run test, over every row that the table has. Two vCPUs take an exit that
 * declares the same; everything else differs: other registers, memory, the rest of the exit, how it
 * is finished, from where the inputs come, what the staging area and the page held before. The
 * secret and the number of earlier requests are the same. Then all 4096 bytes are. Rows that no
 * host hears of leave the page as it was (EX-58, EX-59).
 *
 * Either the page was handed over empty, and other exits went before, or a host scribbled all over
 * it and the policy says full_wipe. SVMC_COUNT pairs.
 */
#include "turns.h"

#include <stdlib.h>

#include "../harness.h"

#define PAIRS    20000u
#define EARLIER  3u
#define REQUESTS 8u /* earlier ones, in both runs */

struct run {
    _Alignas(4096) uint8_t page[SVMC_PAGE_BYTES];
    struct guest guest;
    struct turn turn;
    struct svmc_vcpu vc;
    struct svmc_outcome out;
};

static struct run a, b;
static struct ask same, other;
static struct svmc_policy policies[2]; /* by full_wipe */
static const struct exit_rule *rows[TURN_ROWS];
static unsigned row_count;

static void scribble(struct run *r, bool full_wipe, uint64_t *rng)
{
    turn_fill(r->guest.reg, sizeof r->guest.reg, rng);
    turn_fill(r->guest.memory, sizeof r->guest.memory, rng);
    turn_fill(r->vc.priv.staging, sizeof r->vc.priv.staging, rng);
    if (full_wipe)
        turn_fill(r->page, sizeof r->page, rng);
}

/* An exit of any kind, refused a few times, then answered, given up or left by its retries. */
static bool earlier(struct run *r, uint64_t *rng)
{
    struct reply_words reply;

    ask_make(&other, rows[turn_random(rng) % row_count], rng);
    if (other.rule->verdict == SVMC_VERDICT_TERMINATE)
        return true;
    turn_make(&r->turn, &other, &r->guest, rng);
    if (svmc_vcpu_exit(&r->vc, &r->turn.exit, &r->out) != SVMC_OK)
        return false;
    while (r->out.action == SVMC_ACT_DELEGATED) {
        unsigned count, bytes[SLOTS_OUT];

        if (turn_random(rng) >> 61 == 0 || !turn_results(&r->turn, &count, bytes)) {
            svmc_vcpu_cancel(&r->vc);
            return true;
        }
        if (turn_random(rng) >> 62 == 0) {
            turn_fill(r->page + 0x100, 0x100, rng);
            if (svmc_vcpu_enter(&r->vc, &r->out) != SVMC_ERR_HOST_REPLY)
                return false;
        }
        turn_right(&r->turn, page_seq(r->page), &reply, rng);
        if (r->turn.way & 1)
            turn_fill(r->page + 0x200, r->turn.issued * r->turn.bytes, rng);
        page_put(r->page, &reply);
        if (svmc_vcpu_enter(&r->vc, &r->out) != SVMC_OK)
            return false;
        turn_next(&r->turn, &reply);
        if (reply.w[1] == SVMC_REPLY_RETRY && r->out.action == SVMC_ACT_DELEGATED) {
            svmc_vcpu_cancel(&r->vc); /* the only one that there is, SYSTEM_OFF */
            return true;
        }
    }
    return true;
}

/* Requests up to the same number in both: a notice is one. */
static bool fill_up(struct run *r)
{
    static const struct svmc_exit notice = { .kind = SVMC_KIND_HLT, .count = 1 };

    while (r->vc.priv.seq_count < REQUESTS)
        if (svmc_vcpu_exit(&r->vc, &notice, &r->out) != SVMC_OK)
            return false;
    return r->vc.priv.seq_count == REQUESTS;
}

static bool begin(struct run *r, bool full_wipe, uint64_t secret, uint64_t *rng)
{
    r->guest.random = secret;
    r->guest.times = (struct times){ .clock = 0 };
    if (svmc_vcpu_init(&r->vc, &guest_ops, &r->guest, &policies[full_wipe], r->page, 7) != SVMC_OK)
        return false;
    scribble(r, full_wipe, rng);
    for (unsigned i = turn_random(rng) % EARLIER; i > 0; i--)
        if (!earlier(r, rng))
            return false;
    if (!fill_up(r))
        return false;
    scribble(r, full_wipe, rng);
    turn_make(&r->turn, &same, &r->guest, rng);
    return true;
}

/* PG-8: a notice holds no address and no size, and no reply is asked for. Else all is as it
 * was, or nothing, where the vCPU is at its end. */
static const char *told_too_much(const struct run *r, const uint8_t before[SVMC_PAGE_BYTES])
{
    static const uint8_t zero[SVMC_PAGE_BYTES];
    const uint8_t *p = r->page;

    if (r->out.action == SVMC_ACT_STOP)
        return memcmp(p, zero, SVMC_PAGE_BYTES) == 0 ? NULL : "the host learns of it";
    if (r->out.action != SVMC_ACT_NOTIFIED)
        return memcmp(p, before, SVMC_PAGE_BYTES) == 0 ? NULL : "the host learns of it";
    if (p[10] != SVMC_COMPLETION_NONE || memcmp(p + 0x80, zero, 0x100 - 0x80) != 0)
        return "a notice has parameters";
    return turn_shows(&r->turn, p);
}

static unsigned long count_of(unsigned long otherwise)
{
    const char *count = getenv("SVMC_COUNT");

    return count ? strtoul(count, NULL, 10) : otherwise;
}

static bool same_page(void)
{
    if (memcmp(a.page, b.page, SVMC_PAGE_BYTES) == 0)
        return true;
    for (unsigned i = 0; i < SVMC_PAGE_BYTES; i++)
        if (a.page[i] != b.page[i]) {
            CHECK_EQ(a.page[i], b.page[i], "%s: byte 0x%03x of part %u",
                     svmc_kind_name(same.rule->kind), i, a.turn.at);
            break;
        }
    return false;
}

/* PG-10: the next part of a block, after any answer to this one. */
static bool go_on(struct run *r, uint64_t *rng)
{
    struct reply_words reply;

    turn_right(&r->turn, page_seq(r->page), &reply, rng);
    if (r->turn.way & SVMC_DIRECTION_IN)
        turn_fill(r->page + 0x200, r->turn.bytes, rng);
    page_put(r->page, &reply);
    if (svmc_vcpu_enter(&r->vc, &r->out) != SVMC_OK || r->out.action != SVMC_ACT_DELEGATED)
        return false;
    turn_next(&r->turn, &reply);
    return true;
}

TEST(two_run, equal_inputs_make_equal_pages) /* PG-1 PG-6 PG-7 PG-10 AT-8 */
{
    static unsigned long reached[TURN_ROWS];
    static uint8_t before[SVMC_PAGE_BYTES];
    uint64_t rng = harness_seed() | 1;
    unsigned long pairs = count_of(PAIRS), parts = 0;
    unsigned unknown;

    row_count = turn_rows(rows, &unknown);
    for (unsigned full_wipe = 0; full_wipe < 2; full_wipe++)
        turn_policy(&policies[full_wipe], full_wipe, SVMC_MODE_STRICT);
    for (unsigned long i = 0; i < pairs; i++) {
        unsigned row = (unsigned)(i / 2 % row_count);
        const char *name = svmc_kind_name(rows[row]->kind);
        uint64_t secret = turn_random(&rng);
        enum svmc_status st[2];

        ask_make(&same, rows[row], &rng);
        REQUIRE(begin(&a, i % 2, secret, &rng), "%s", name);
        REQUIRE(begin(&b, i % 2, secret, &rng), "%s", name);
        memcpy(before, a.page, sizeof before);
        st[0] = svmc_vcpu_exit(&a.vc, &a.turn.exit, &a.out);
        st[1] = svmc_vcpu_exit(&b.vc, &b.turn.exit, &b.out);
        REQUIRE(st[0] == SVMC_OK && st[1] == SVMC_OK, "%s: %s, %s", name, svmc_status_name(st[0]),
                svmc_status_name(st[1]));
        REQUIRE(a.out.action == b.out.action, "%s", name);
        REQUIRE((a.out.action == SVMC_ACT_DELEGATED) == turn_delegates(rows[row]), "%s", name);
        REQUIRE((a.out.action == SVMC_ACT_NOTIFIED) == turn_notifies(rows[row]), "%s", name);
        if (!turn_delegates(rows[row])) {
            const char *why = told_too_much(&a, before);

            REQUIRE(!why, "%s: %s", name, why);
        }
        reached[row]++;
        if (!turn_delegates(rows[row]) && !turn_notifies(rows[row]))
            continue;
        if (!same_page())
            return;
        for (; a.turn.part; parts++) {
            REQUIRE(go_on(&a, &rng) && go_on(&b, &rng), "%s", name);
            if (!same_page())
                return;
        }
    }
    CHECK(parts > 0, "no block went in parts");
    CHECK_EQ(unknown, 0, "rows without a test");
    printf("pairs: %lu, %lu further parts\n", pairs, parts);
    for (unsigned row = 0; row < row_count; row++) {
        const struct exit_rule *r = rows[row];

        printf("%-12s %lu pairs of exits%s\n", svmc_kind_name(r->kind), reached[row],
               turn_delegates(r)  ? ""
               : turn_notifies(r) ? ", notices"
                                  : ", and the page as it was");
        CHECK(reached[row] >= pairs / row_count / 2, "%s", svmc_kind_name(r->kind));
    }
}
