/* SPDX-License-Identifier: MIT */
/* docs/spec/reply.md, modes: what is let through, what never is; nothing is gained by it. */
#include "scenarios.h"

#include <svmcore/guest/hypercall.h>

static struct lab lab, before, right;
static struct fakehost_answer honest;

static void start(unsigned n, enum svmc_mode mode)
{
    uint64_t rng = 42;

    lab_init(&lab, &rng);
    lab.policy.priv.sealed = 0; /* the test's own shortcut: MO-7 has a test of its own */
    CHECK_EQ(svmc_policy_set_mode(&lab.policy, mode), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&lab.policy), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
    CHECK(fakehost_prepare(lab.world.page, &honest));
}

static enum svmc_status send_and_enter(void)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

static uint64_t sum(const uint64_t by_rule[SVMC_REPLY_RULES + 1])
{
    uint64_t n = 0;

    for (unsigned i = 0; i <= SVMC_REPLY_RULES; i++)
        n += by_rule[i];
    return n;
}

/* What the lies of the fakehost must come to under a mode. */
static bool let_through(unsigned lie, enum svmc_mode mode)
{
    switch (fakehost_lies[lie].rule) {
    case 8:
        return mode != SVMC_MODE_STRICT;
    case 5:
    case 6:
    case 10:
        return mode == SVMC_MODE_OBSERVE;
    case 7:
        return mode == SVMC_MODE_OBSERVE && honest.reply.status != SVMC_REPLY_FAULT;
    case 11:
        return mode == SVMC_MODE_OBSERVE;
    default:
        return false; /* MO-4 */
    }
}

TEST(mode, every_lie_ends_as_its_mode_says) /* MO-1 MO-2 MO-3 MO-4 MO-6 */
{
    unsigned through = 0, refused = 0;

    for (unsigned n = 0; n < scenario_count; n++)
        for (unsigned lie = 0; lie < fakehost_lie_count; lie++)
            for (uint32_t mode = 0; mode <= SVMC_MODE_OBSERVE; mode++) {
                const struct fakehost_lie *l = &fakehost_lies[lie];
                enum svmc_status st;

                start(n, (enum svmc_mode)mode);
                if (!fakehost_lie_applies(lie, &honest.request))
                    continue;
                before = lab;
                CHECK(fakehost_lie(lab.world.page, &honest, lie));
                st = svmc_vcpu_enter(&lab.vc, &lab.out);
                CHECK_EQ(lab.out.rule != 0, true, "%s: %s", scenarios[n].name, l->name);
                if (st == SVMC_ERR_HOST_REPLY) {
                    refused++;
                    CHECK(!let_through(lie, (enum svmc_mode)mode) || l->rule == 7 || l->rule == 11,
                          "%s: %s in mode %u", scenarios[n].name, l->name, (unsigned)mode);
                    CHECK(lab_same(&lab, &before), "%s: %s", scenarios[n].name, l->name);
                    CHECK_EQ(lab.vc.priv.stats.refused, 1);
                    CHECK_EQ(lab.vc.priv.stats.refused_by_rule[lab.out.rule], 1);
                    CHECK_EQ(lab.vc.priv.stats.observed + sum(lab.vc.priv.stats.observed_by_rule),
                             0);
                    continue;
                }
                through++;
                CHECK_EQ(st, SVMC_OK, "%s: %s", scenarios[n].name, l->name);
                CHECK(let_through(lie, (enum svmc_mode)mode), "%s: %s in mode %u",
                      scenarios[n].name, l->name, (unsigned)mode);
                CHECK_EQ(lab.out.rule, l->rule, "%s: %s", scenarios[n].name, l->name);
                CHECK_EQ(lab.vc.priv.stats.refused, 0);
                CHECK_EQ(lab.vc.priv.stats.observed, 1);
                CHECK(lab.vc.priv.stats.observed_by_rule[l->rule] == 1, "%s", l->name);
            }
    CHECK(through > 100 && refused > 500, "%u let through, %u refused", through, refused);
}

/* An exit answered with `reply` in a mode must end as one answered with `same` in strict. */
static void same_as(const char *scenario, enum svmc_mode mode, struct svmc_reply reply,
                    struct svmc_reply same, unsigned rule)
{
    unsigned n = scenario_named(scenario);

    start(n, SVMC_MODE_STRICT);
    same.seq = honest.request.seq;
    honest.reply = same;
    CHECK_EQ(send_and_enter(), SVMC_OK, "%s", scenario);
    right = lab;
    start(n, mode);
    reply.seq = honest.request.seq;
    honest.reply = reply;
    CHECK_EQ(send_and_enter(), SVMC_OK, "%s, R%u", scenario, rule);
    CHECK_EQ(lab.out.rule, rule, "%s", scenario);
    CHECK_EQ(lab.vc.priv.stats.observed_by_rule[rule], 1, "%s, R%u", scenario, rule);
    CHECK_EQ(lab.out.action, right.out.action, "%s, R%u", scenario, rule);
    CHECK_MEM(lab.world.reg, right.world.reg, sizeof right.world.reg, "%s, R%u", scenario, rule);
    CHECK_MEM(lab.world.memory, right.world.memory, sizeof right.world.memory, "%s", scenario);
    CHECK_MEM(&lab.out.fault, &right.out.fault, sizeof right.out.fault, "%s", scenario);
    CHECK_EQ(lab.out.data_bytes, right.out.data_bytes, "%s, R%u", scenario, rule);
    CHECK_MEM(lab.vc.priv.staging, right.vc.priv.staging, sizeof right.vc.priv.staging, "%s",
              scenario);
    CHECK_EQ(lab.vc.priv.stats.bytes_accepted, right.vc.priv.stats.bytes_accepted, "%s", scenario);
}

#define DONE1(...) ((struct svmc_reply){ .done = 1, __VA_ARGS__ })

TEST(mode, what_is_put_right_is_a_right_reply) /* MO-2 MO-3 MO-5; R5 R6 R7 R8 R10 R11 */
{
    const enum svmc_mode observe = SVMC_MODE_OBSERVE;
    const struct svmc_reply al = DONE1(.out_valid = 1, .out = { 0x5a });

    for (uint32_t mode = SVMC_MODE_LENIENT; mode <= SVMC_MODE_OBSERVE; mode++) {
        same_as("in al own", (enum svmc_mode)mode, DONE1(.out_valid = 1, .out = { 0xff5a }), al, 8);
        same_as("in al own", (enum svmc_mode)mode, DONE1(.out_valid = 1, .out = { 0x5a, 7 }), al,
                8);
        same_as("in 1 kvm", (enum svmc_mode)mode, DONE1(.out_valid = 1, .out = { ~0ull << 7 }),
                DONE1(.out_valid = 1, .out = { 0x80 }), 8);
        same_as("out ax own", (enum svmc_mode)mode, DONE1(.out = { 0, 0, 0, 0, 0, 0, 0, 1 }),
                DONE1(.out = { 0 }), 8);
    }
    same_as("in al own", observe, DONE1(.out_valid = 0, .out = { 0x5a }), al, 6);
    same_as("in al own", observe, DONE1(.out_valid = 0), DONE1(.out_valid = 1), 6);
    same_as("in al own", observe, DONE1(.out_valid = 3, .out = { 0x5a, 9 }), al, 6);
    same_as("in al own", observe, DONE1(.out_valid = 1, .fault = 1, .out = { 0x5a }), al, 7);
    same_as("in al own", observe, (struct svmc_reply){ .out_valid = 1, .out = { 0x5a } }, al, 11);
    same_as("in al own", observe,
            (struct svmc_reply){ .done = 77, .data_bytes = 4, .out_valid = 1, .out = { 0x5a } }, al,
            11);
    same_as("rdmsr own", observe,
            (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = 1, .done = 3 },
            (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = 1 }, 11);
    same_as("rdmsr own", observe,
            (struct svmc_reply){
                .status = SVMC_REPLY_FAULT, .fault = 1, .out_valid = 3, .out = { 1, 2 } },
            (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = 1 }, 6);
    same_as("hypercall own", observe, DONE1(.out_valid = 15, .out = { SVMC_HCALL_CODES, 1, 2, 3 }),
            DONE1(.out_valid = 15, .out = { SVMC_HCALL_FAILED, 1, 2, 3 }), 10);
    same_as("hypercall own", observe, DONE1(.out_valid = 15, .out = { ~0ull, 1, 2, 3 }),
            DONE1(.out_valid = 15, .out = { SVMC_HCALL_FAILED, 1, 2, 3 }), 10);
}

TEST(mode, a_string_is_what_was_asked_for) /* MO-3 MO-4; R11 */
{
    static const uint32_t done[] = { 0, 4, 6, 3584, UINT32_MAX };

    for (unsigned i = 0; i < sizeof done / sizeof done[0]; i++)
        for (uint32_t status = 0; status <= SVMC_REPLY_PARTIAL; status += SVMC_REPLY_PARTIAL) {
            bool part = status == SVMC_REPLY_PARTIAL && done[i] < 5; /* a real one */

            start(scenario_named("ins 4 own"), SVMC_MODE_OBSERVE);
            before = lab;
            honest.reply.status = status;
            honest.reply.done = done[i];
            honest.reply.data_bytes = 4;
            CHECK(fakehost_send(lab.world.page, &honest));
            CHECK(fakehost_prepare(lab.world.page, &honest));
            if (part && done[i] == 0) {
                CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
                CHECK_EQ(lab.out.rule, 11);
                CHECK(lab_same(&lab, &before));
                continue;
            }
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "done %u", (unsigned)done[i]);
            CHECK_EQ(lab.out.rule, 11);
            CHECK_EQ(lab.world.reg[SVMC_REG_RCX], part ? 5 - done[i] : 0, "done %u",
                     (unsigned)done[i]);
            CHECK_EQ(lab.world.reg[SVMC_REG_RDI] - before.world.reg[SVMC_REG_RDI],
                     4 * (part ? done[i] : 5));
            CHECK_MEM(lab.world.memory + 0x100 + (part ? 4 * done[i] : 20),
                      before.world.memory + 0x100 + (part ? 4 * done[i] : 20), 64, "nothing more");
        }
}

TEST(mode, what_has_no_safe_way_is_refused_always) /* MO-4 MO-6 */
{
    start(scenario_named("rdmsr own"), SVMC_MODE_OBSERVE);
    before = lab;
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq,
                                        .status = SVMC_REPLY_FAULT,
                                        .fault = SVMC_FAULT_UD,
                                        .done = 2,
                                        .out_valid = 1 };
    CHECK_EQ(send_and_enter(), SVMC_ERR_HOST_REPLY, "#UD is not RDMSR's");
    CHECK_EQ(lab.out.rule, 7, "the rule without a way, not R6, which had one");
    CHECK_EQ(lab.vc.priv.stats.refused_by_rule[7], 1);
    CHECK_EQ(lab.vc.priv.stats.observed + sum(lab.vc.priv.stats.observed_by_rule), 0);
    CHECK(lab_same(&lab, &before));
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
    CHECK_EQ(send_and_enter(), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 4, "RDMSR knows no RETRY");
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = 9 };
    CHECK_EQ(send_and_enter(), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 4);
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq ^ 1 };
    CHECK_EQ(send_and_enter(), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 2);
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq ^ (uint64_t)1 << 48 };
    CHECK_EQ(send_and_enter(), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 18);
    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "R1");
}

TEST(mode, all_that_a_reply_broke_is_counted_once) /* MO-6 */
{
    start(scenario_named("in al own"), SVMC_MODE_OBSERVE);
    lab.vc.priv.refusals = 5;
    honest.reply = (struct svmc_reply){
        .seq = honest.request.seq, .fault = 2, .out_valid = 6, .done = 9, .out = { 0x1ff, 2, 3 }
    };
    CHECK(fakehost_send(lab.world.page, &honest));
    lab.world.page[SVMC_PAGE_REP_STATUS + 4] = 1; /* reserved */
    lab.world.fail_at = lab.world.calls + 1;
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_CALLBACK, "not taken, not counted");
    CHECK_EQ(lab.vc.priv.stats.observed + sum(lab.vc.priv.stats.observed_by_rule), 0);
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.rule, 5);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX] & 0xff, 0xff);
    CHECK_EQ(lab.vc.priv.stats.observed, 1);
    CHECK_EQ(sum(lab.vc.priv.stats.observed_by_rule), 5);
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(lab.vc.priv.stats.observed_by_rule[((const uint8_t[]){ 5, 6, 7, 8, 11 })[i]], 1);
    CHECK_EQ(lab.vc.priv.refusals, 0);
}

TEST(mode, retries_end_in_every_mode) /* MO-4 */
{
    start(scenario_named("in 4 kvm"), SVMC_MODE_OBSERVE);
    for (unsigned i = 0; i <= LAB_RETRIES; i++) {
        honest.reply =
            (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY, .done = 4 };
        CHECK_EQ(send_and_enter(), SVMC_OK);
        CHECK_EQ(lab.out.rule, 11);
        CHECK_EQ(lab.out.action, i < LAB_RETRIES ? SVMC_ACT_DELEGATED : SVMC_ACT_STOP);
        if (i < LAB_RETRIES)
            CHECK(fakehost_prepare(lab.world.page, &honest));
    }
    CHECK_EQ(lab.out.stop, SVMC_STOP_RETRIES);
}

TEST(mode, a_sealed_mode_goes_towards_strict) /* MO-7 */
{
    static struct svmc_policy policy;

    CHECK_EQ(svmc_policy_set_mode(NULL, SVMC_MODE_STRICT), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
    CHECK_EQ(policy.priv.mode, SVMC_MODE_STRICT, "unless it is set (MO-1)");
    CHECK_EQ(svmc_policy_set_mode(&policy, (enum svmc_mode)3), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_LENIENT), SVMC_OK);
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE), SVMC_OK, "open: any way");
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE), SVMC_OK, "as it is");
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_LENIENT), SVMC_OK);
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE), SVMC_ERR_STATE);
    CHECK_EQ(policy.priv.mode, SVMC_MODE_LENIENT);
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_STRICT), SVMC_OK);
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_LENIENT), SVMC_ERR_STATE);
    CHECK_EQ(policy.priv.mode, SVMC_MODE_STRICT);
}

TEST(mode, mutated_replies_change_only_what_the_row_declares) /* MO-5 */
{
    uint64_t rng = harness_seed();
    unsigned taken = 0;

    for (unsigned i = 0; i < 7000; i++) {
        unsigned n = (unsigned)(harness_random(&rng) % scenario_count);
        enum svmc_status st;

        start(n, harness_random(&rng) % 4 ? SVMC_MODE_OBSERVE : SVMC_MODE_LENIENT);
        before = lab;
        CHECK(fakehost_send(lab.world.page, &honest));
        for (unsigned f = 0; f < 4; f++) {
            unsigned bit = (unsigned)(harness_random(&rng) % (8 * 0xf8));

            lab.world.page[0x108 + bit / 8] ^= (uint8_t)(1u << bit % 8); /* all but seq */
        }
        st = svmc_vcpu_enter(&lab.vc, &lab.out);
        if (st == SVMC_ERR_HOST_REPLY) {
            CHECK(lab_same(&lab, &before), "%s", scenarios[n].name);
            continue;
        }
        taken++;
        CHECK_EQ(st, SVMC_OK, "%s", scenarios[n].name);
        CHECK_MEM(&lab.world.reg[SVMC_REG_R12], &before.world.reg[SVMC_REG_R12], 2 * 8, "R12 R13");
        CHECK_EQ(lab.world.reg[SVMC_REG_RFLAGS], before.world.reg[SVMC_REG_RFLAGS]);
        CHECK_EQ(lab.world.reg[SVMC_REG_RSP], before.world.reg[SVMC_REG_RSP]);
        if (!scenario_stores(n))
            CHECK_MEM(lab.world.memory, before.world.memory, sizeof before.world.memory, "%s",
                      scenarios[n].name);
    }
    CHECK(taken > 1700, "only %u", taken);
}
