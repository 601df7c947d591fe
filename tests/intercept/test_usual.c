/* SPDX-License-Identifier: MIT */
/*
 * The usual way and the whole way come to the same. Two vCPUs over equal worlds get the same exits
 * and the same replies, good, spoiled and random, while callbacks fail; one of them is told that it
 * is recorded, which sends it the whole way.
 */
#include <svmcore/guest/hypercall.h>

#include "../../src/intercept/intercept_private.h"
#include "scenarios.h"

#define ROUNDS 150u

static struct lab usual, whole;
static struct fakehost_answer honest;
static unsigned taken[4]; /* calls after which a usual exit waits: [2 * string + by a backend] */

/* What differs is how the exit went, and nothing else. */
static void check_same(const char *name, unsigned round)
{
    struct svmc_pending p = usual.vc.priv.pending, q = whole.vc.priv.pending;

    taken[2 * (p.direction != 0) + (p.exit.finish == 0)] += p.usual;
    CHECK_EQ(q.usual, 0, "%s", name);
    if (p.usual) { /* fields without a meaning there, which are not kept */
        p.usual = 0;
        q.exit.buffer = p.exit.buffer;
        q.exit.interrupted = p.exit.interrupted;
    }
    CHECK_MEM(&p, &q, sizeof p, "%s, round %u: the record", name, round);
    CHECK_MEM(usual.world.page, whole.world.page, SVMC_PAGE_BYTES, "%s, round %u: the page", name,
              round);
    CHECK_MEM(usual.world.reg, whole.world.reg, sizeof usual.world.reg, "%s, round %u: registers",
              name, round);
    CHECK_MEM(usual.world.memory, whole.world.memory, sizeof usual.world.memory, "%s", name);
    CHECK_MEM(&usual.vc.priv.stats, &whole.vc.priv.stats, sizeof usual.vc.priv.stats,
              "%s, round %u: counters", name, round);
    CHECK_MEM(&usual.vc.priv.time, &whole.vc.priv.time, sizeof usual.vc.priv.time, "%s", name);
    CHECK_EQ(usual.vc.priv.refusals, whole.vc.priv.refusals, "%s, round %u", name, round);
    CHECK_EQ(usual.vc.priv.page_used, whole.vc.priv.page_used, "%s, round %u", name, round);
    CHECK_EQ(usual.world.calls, whole.world.calls, "%s, round %u: callbacks", name, round);
    CHECK_MEM(usual.vc.priv.staging, whole.vc.priv.staging, sizeof usual.vc.priv.staging,
              "%s, round %u: the data", name, round);
    CHECK_EQ(usual.out.data != NULL, whole.out.data != NULL, "%s, round %u", name, round);
    usual.out.data = whole.out.data = NULL; /* each in its own vCPU */
    CHECK_MEM(&usual.out, &whole.out, sizeof usual.out, "%s, round %u: the outcome", name, round);
}

static bool is_backend_string(const struct svmc_exit *e)
{
    return (e->kind == SVMC_KIND_INS || e->kind == SVMC_KIND_OUTS) && !e->finish;
}

/* Some length of a string that a backend ends: none, some of a chunk, all of it, more, too much. */
static void draw_length(struct svmc_exit *e, uint64_t *rng)
{
    static const uint16_t bytes[] = { 0,
                                      12,
                                      SVMC_PAGE_DATA_BYTES,
                                      SVMC_PAGE_DATA_BYTES + 4,
                                      SVMC_EXIT_DATA_MAX,
                                      SVMC_EXIT_DATA_MAX + 4 };
    unsigned what = (unsigned)harness_random(rng) % 12;

    e->size = (uint16_t)(1u << harness_random(rng) % 3);
    e->count = what < 6 ? bytes[what] / e->size : 1 + (uint32_t)harness_random(rng) % 300;
}

/* One exit, told to both, with some bytes changed. */
static void exit_both(unsigned n, uint64_t *rng, const char *name, unsigned round)
{
    struct svmc_exit e = scenarios[n].exit;
    uint8_t *bytes = (uint8_t *)&e;
    enum svmc_status st;

    for (unsigned i = (unsigned)harness_random(rng) % 4; i > 1; i--) {
        unsigned at = (unsigned)harness_random(rng) % (unsigned)sizeof e;

        if (at < offsetof(struct svmc_exit, data) || at >= offsetof(struct svmc_exit, buffer))
            bytes[at] = (uint8_t)harness_random(rng) >> (harness_random(rng) & 7);
    }
    if (e.kind == SVMC_KIND_INS || e.kind == SVMC_KIND_OUTS)
        e = scenarios[n].exit; /* a length that was changed would want other bytes */
    if (is_backend_string(&e)) {
        draw_length(&e, rng);
        e.data =
            e.kind == SVMC_KIND_INS || harness_random(rng) % 16 == 0 ? NULL : usual.backend_data;
        e.isa = harness_random(rng) % 16 == 0 ? (uint8_t)harness_random(rng) : e.isa;
        e.address = harness_random(rng) % 8 == 0 ? harness_random(rng) & 0xffff : e.address;
        e.state = (uint8_t)(harness_random(rng) & 31);
        e.swap = harness_random(rng) % 16 == 0;
        e.backward = harness_random(rng) % 8 == 0 ? (uint8_t)harness_random(rng) : 0;
        e.user = harness_random(rng) % 16 == 0 ? 2 : (uint8_t)(harness_random(rng) & 1);
        e.from = harness_random(rng) % 8 == 0 ? SVMC_FROM_ADDRESS_REG : SVMC_FROM_EXIT;
        e.interrupted.type = harness_random(rng) % 16 == 0;
    }
    st = svmc_vcpu_exit(&usual.vc, &e, &usual.out);
    whole.vc.priv.recording = 1; /* without a ledger or a ring: each call ends it */
    CHECK_EQ(svmc_vcpu_exit(&whole.vc, &e, &whole.out), st, "%s, round %u", name, round);
    check_same(name, round);
}

/* A reply for both: honest, one of the lies, or honest with a byte of it changed. */
static void reply_both(uint64_t *rng)
{
    unsigned what = (unsigned)harness_random(rng) % (fakehost_lie_count + 40);

    if (!fakehost_prepare(usual.world.page, &honest))
        return;
    if (what % 8 == 6) { /* and then a reply that ends it, or one more */
        struct svmc_reply again = { .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };

        CHECK_EQ(svmc_reply_write(usual.world.page, &again, NULL), SVMC_OK);
    } else if (what >= fakehost_lie_count || !fakehost_lie_applies(what, &honest.request))
        CHECK(fakehost_send(usual.world.page, &honest));
    else
        CHECK(fakehost_lie(usual.world.page, &honest, what));
    if (what % 4 == 3)
        usual.world.page[SVMC_PAGE_REP_SEQ + harness_random(rng) % 0x100] ^=
            (uint8_t)(1u << (harness_random(rng) & 7));
    memcpy(whole.world.page, usual.world.page, SVMC_PAGE_BYTES);
}

static void begin_both(enum svmc_mode mode, bool full_wipe, uint64_t *rng)
{
    uint64_t same = *rng;

    usual.full_wipe = whole.full_wipe = full_wipe;
    lab_init(&usual, rng);
    lab_init(&whole, &same);
    usual.policy.priv.mode = whole.policy.priv.mode = (uint32_t)mode;
}

static void check_scenario(unsigned n, enum svmc_mode mode, bool full_wipe)
{
    const char *name = scenarios[n].name;
    unsigned rounds = is_backend_string(&scenarios[n].exit) ? 4 * ROUNDS : ROUNDS;
    uint64_t rng = 77 + n;

    begin_both(mode, full_wipe, &rng);
    for (unsigned round = 0; round < rounds; round++) {
        if (usual.vc.priv.stopped)
            begin_both(mode, full_wipe, &rng);
        usual.world.fail_at = harness_random(&rng) % 8 == 0
                                  ? usual.world.calls + 1 + (unsigned)harness_random(&rng) % 4
                                  : 0;
        whole.world.fail_at = usual.world.fail_at;
        exit_both(n, &rng, name, round);
        while (usual.vc.priv.pending.active && harness_random(&rng) % 16 != 0) {
            enum svmc_status st;

            reply_both(&rng);
            st = svmc_vcpu_enter(&usual.vc, &usual.out);
            whole.vc.priv.recording = 1;
            CHECK_EQ(svmc_vcpu_enter(&whole.vc, &whole.out), st, "%s, round %u", name, round);
            check_same(name, round);
        }
        svmc_vcpu_cancel(&usual.vc);
        svmc_vcpu_cancel(&whole.vc);
    }
}

TEST(usual, both_ways_come_to_the_same) /* EX-1 R2 R4 R5 R6 R7 R8 R11 R13 R16 R17 R18 PG-1 PG-6 */
{
    memset(taken, 0, sizeof taken);
    for (unsigned n = 0; n < scenario_count; n++)
        for (unsigned mode = SVMC_MODE_STRICT; mode <= SVMC_MODE_OBSERVE; mode++)
            check_scenario(n, (enum svmc_mode)mode, (n + mode) % 2 == 0);
    /* else it was the whole way twice */
    CHECK(taken[0] > 5000 && taken[1] > 2000 && taken[2] == 0 && taken[3] > 500, "only %u %u %u %u",
          taken[0], taken[1], taken[2], taken[3]);
}

/* PG-6, and what else usual.c takes a row for without asking */
TEST(usual, a_usual_row_is_what_it_is_taken_for)
{
    for (unsigned kind = 0; kind < 65536; kind++) {
        const struct exit_rule *rule = svmc_intercept_rule((uint16_t)kind);

        if (!rule->usual_backend)
            continue;
        CHECK_EQ(rule->usual, rule->string ? 0 : rule->usual_backend, "%s",
                 svmc_kind_name((uint16_t)kind));
        CHECK(rule->string == 0 || (rule->string == 1 && rule->space == SPACE_PORT), "%s",
              svmc_kind_name((uint16_t)kind));
        CHECK(rule->in_count <= 2, "%s", svmc_kind_name((uint16_t)kind));
        CHECK(rule->out_count != 3, "%s", svmc_kind_name((uint16_t)kind));
        CHECK(rule->direction == (rule->out_count != 0 || (rule->string && !rule->write)
                                      ? SVMC_DIRECTION_IN
                                      : SVMC_DIRECTION_OUT),
              "%s", svmc_kind_name((uint16_t)kind));
        CHECK(rule->out_count != 1 || rule->out[0].place == PLACE_DEST, "%s",
              svmc_kind_name((uint16_t)kind));
        CHECK_EQ(rule->usual_backend & ~rule->isas, 0, "%s", svmc_kind_name((uint16_t)kind));
        if (rule->in_count != 0 &&
            rule->in[0].place == PLACE_VALUE) /* its width: the size's, or 8 */
            CHECK(rule->in_count == 1 && (rule->in[0].bytes == 0 || rule->sizes == 1), "%s",
                  svmc_kind_name((uint16_t)kind));
        if (rule->out_count != 0 && rule->out[0].place == PLACE_DEST)
            CHECK_EQ(rule->out[0].bytes, 0, "%s", svmc_kind_name((uint16_t)kind));
        CHECK(rule->statuses & 1u << SVMC_REPLY_DONE, "%s", svmc_kind_name((uint16_t)kind));
        CHECK(rule->out[0].check == CHECK_ANY || rule->out[0].check == CHECK_TIME, "%s",
              svmc_kind_name((uint16_t)kind));
        for (unsigned i = 0; i < rule->in_count; i++)
            CHECK(rule->in[i].place != PLACE_ARG, "%s", svmc_kind_name((uint16_t)kind));
    }
}

TEST(usual, a_doorbell_is_no_port) /* HC-1: whatever its port's own verdict is */
{
    struct svmc_exit e = scenarios[scenario_named("out ax own")].exit;
    struct svmc_request request;
    uint64_t rng = 9;

    lab_init(&usual, &rng);
    svmc_vcpu_drop(&usual.vc);
    CHECK_EQ(svmc_policy_init(&usual.policy, LAB_REFUSALS, LAB_RETRIES), SVMC_OK);
    lab_delegate(&usual.policy, 6, FAKEHOST_HCALL_RESULTS);
    CHECK_EQ(svmc_policy_set_ports(&usual.policy, 0, SVMC_POLICY_PORTS, SVMC_ACCESS_RW,
                                   SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&usual.policy), SVMC_OK);
    CHECK_EQ(
        svmc_vcpu_init(&usual.vc, &world_ops, &usual.world, &usual.policy, usual.world.page, 7),
        SVMC_OK);
    usual.world.reg[SVMC_REG_RAX] = (uint64_t)SVMC_HCALL_ABI << 56 | LAB_HCALL;
    e.address = SVMC_HCALL_PORT;
    e.size = 4;
    CHECK_EQ(svmc_vcpu_exit(&usual.vc, &e, &usual.out), SVMC_OK);
    CHECK_EQ(svmc_request_read(usual.world.page, &request, NULL, 0), SVMC_OK);
    CHECK_EQ(request.kind, SVMC_KIND_HYPERCALL);
}
