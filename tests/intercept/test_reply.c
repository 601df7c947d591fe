/* SPDX-License-Identifier: MIT */
/* The reply rules of docs/spec/reply.md: for each the case that holds and the nearest that lies. */
#include "scenarios.h"

#include <svmcore/guest/hypercall.h>

static struct lab lab, before;
static struct fakehost_answer honest;

static void start(unsigned n)
{
    uint64_t rng = 42;

    lab_init(&lab, &rng);
    CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s", scenarios[n].name);
    CHECK(fakehost_prepare(lab.world.page, &honest));
}

TEST(reply, honest_answers_are_taken)
{
    for (unsigned n = 0; n < scenario_count; n++) {
        start(n);
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", scenarios[n].name);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "%s", scenarios[n].name);
        CHECK_EQ(lab.out.rule, 0, "%s", scenarios[n].name);
        lab_drop(&lab);
    }
}

TEST(reply, every_lie_is_refused_by_its_rule_and_changes_nothing) /* R2-R8 R10 R11 R16 R18 */
{
    unsigned told = 0;

    for (unsigned n = 0; n < scenario_count; n++) {
        start(n);
        before = lab;
        for (unsigned lie = 0; lie < fakehost_lie_count; lie++) {
            const struct fakehost_lie *l = &fakehost_lies[lie];

            if (!fakehost_lie_applies(lie, &honest.request))
                continue;
            told++;
            CHECK(fakehost_lie(lab.world.page, &honest, lie));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "%s: %s",
                     scenarios[n].name, l->name);
            CHECK_EQ(lab.out.rule, l->rule, "%s: %s", scenarios[n].name, l->name);
            CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s: %s", scenarios[n].name, l->name);
            CHECK(lab_same(&lab, &before), "%s: %s", scenarios[n].name, l->name);
            before.vc.priv.stats.refused++;
            before.vc.priv.stats.refused_by_rule[l->rule]++;
            CHECK_MEM(&lab.vc.priv.stats, &before.vc.priv.stats, sizeof before.vc.priv.stats,
                      "%s: %s", scenarios[n].name, l->name);
        }
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "the truth after the lies: %s",
                 scenarios[n].name);
    }
    CHECK(told > scenario_count * 15, "only %u lies told", told);
}

TEST(reply, a_part_that_is_nothing_is_refused) /* R11: or a host would hold the guest for ever */
{
    start(scenario_named("ins 1 kvm"));
    before = lab;
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = honest.reply.data_bytes = 0;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 11);
    CHECK(lab_same(&lab, &before));
}

TEST(reply, only_refusals_in_a_row_count) /* R16 */
{
    start(scenario_named("in 1 kvm"));
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < LAB_REFUSALS - 1; i++) {
            CHECK(fakehost_lie(lab.world.page, &honest, 0));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
        }
        CHECK(fakehost_send(lab.world.page, &honest));
        REQUIRE(svmc_vcpu_enter(&lab.vc, &lab.out) == SVMC_OK, "turn %u", turn);
        CHECK_EQ(lab_exit(&lab, scenario_named("in 1 kvm")), SVMC_OK);
        CHECK(fakehost_prepare(lab.world.page, &honest));
    }
}

TEST(reply, nothing_of_an_answered_exit_is_remembered) /* R17 */
{
    static const struct svmc_pending nothing;

    for (unsigned n = 0; n < scenario_count; n++) {
        start(n);
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", scenarios[n].name);
        CHECK_MEM(&lab.vc.priv.pending, &nothing, sizeof nothing, "%s", scenarios[n].name);
    }
}

static bool all_zero(const void *at, size_t bytes)
{
    const uint8_t *p = at;

    while (bytes > 0 && p[bytes - 1] == 0)
        bytes--;
    return bytes == 0;
}

TEST(reply, what_is_given_up_leaves_nothing) /* R17, of svmc_vcpu_cancel and svmc_vcpu_drop */
{
    unsigned staged = 0;

    for (unsigned n = 0; n < scenario_count; n++) {
        for (unsigned drop = 0; drop < 2; drop++) {
            start(n);
            staged += !all_zero(lab.vc.priv.staging, sizeof lab.vc.priv.staging);
            if (drop)
                svmc_vcpu_drop(&lab.vc);
            else
                svmc_vcpu_cancel(&lab.vc);
            CHECK(all_zero(lab.world.page, SVMC_PAGE_BYTES), "%s", scenarios[n].name);
            CHECK(all_zero(lab.vc.priv.staging, sizeof lab.vc.priv.staging), "%s",
                  scenarios[n].name);
            CHECK(all_zero(&lab.vc.priv.pending, sizeof lab.vc.priv.pending), "%s",
                  scenarios[n].name);
            CHECK(!drop || all_zero(&lab.vc, sizeof lab.vc), "%s", scenarios[n].name);
        }
    }
    CHECK(staged >= 8, "only %u", staged);
    start(scenario_named("ins 1 kvm")); /* and what a host has brought of more to come */
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = honest.reply.data_bytes = 2;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK(!all_zero(lab.vc.priv.staging, 2));
    svmc_vcpu_cancel(&lab.vc);
    CHECK(all_zero(lab.vc.priv.staging, sizeof lab.vc.priv.staging));
}

TEST(reply, nothing_is_taken_unasked) /* R1 */
{
    start(scenario_named("in 1 kvm"));
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK(fakehost_send(lab.world.page, &honest)); /* once more, without an exit */
    before = lab;
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    CHECK(lab_same(&lab, &before));
}

TEST(reply, replay_of_an_older_reply_is_refused) /* R2 */
{
    unsigned n = scenario_named("in 1 kvm");
    struct fakehost_answer old;

    start(n);
    old = honest;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, n), SVMC_OK);
    CHECK(fakehost_send(lab.world.page, &old));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 2);
}

TEST(reply, a_legal_fault_is_built_inside) /* R7 */
{
    start(scenario_named("rdmsr own"));
    before = lab;
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq,
                                        .status = SVMC_REPLY_FAULT,
                                        .fault = SVMC_FAULT_UD };
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "#UD is not RDMSR's");
    CHECK_EQ(lab.out.rule, 7);
    honest.reply.fault = SVMC_FAULT_NONE;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "FAULT without a fault");
    CHECK_EQ(lab.out.rule, 7);
    honest.reply.fault = SVMC_FAULT_GP;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 13);
    CHECK_EQ(lab.out.fault.has_error, 1);
    CHECK_EQ(lab.out.fault.error, 0);
    CHECK_MEM(lab.world.reg, before.world.reg, sizeof before.world.reg, "registers as before");
}

TEST(reply, retry_asks_again_and_ends) /* R11 */
{
    start(scenario_named("in 4 kvm"));
    for (unsigned i = 0; i < LAB_RETRIES; i++) {
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
        CHECK(fakehost_prepare(lab.world.page, &honest));
    }
    honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    CHECK_EQ(lab.out.stop, SVMC_STOP_RETRIES);
    CHECK_EQ(lab_exit(&lab, 0), SVMC_ERR_STATE, "a stopped vCPU stays stopped");
    CHECK_EQ(lab.out.stop, SVMC_STOP_RETRIES);
}

TEST(reply, the_limit_of_refusals_stops_the_guest) /* R16 */
{
    start(scenario_named("in 1 kvm"));
    for (unsigned i = 1; i <= LAB_REFUSALS; i++) {
        CHECK(fakehost_lie(lab.world.page, &honest, 0));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(lab.out.action, i < LAB_REFUSALS ? SVMC_ACT_DELEGATED : SVMC_ACT_STOP, "%u", i);
    }
    CHECK_EQ(lab.out.stop, SVMC_STOP_REFUSALS);
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "the truth comes too late");
}

TEST(reply, destination_is_translated_again) /* R12 */
{
    start(scenario_named("ins 4 own"));
    before = lab;
    lab.world.hole[0] = true; /* the guest unmapped its buffer meanwhile */
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 14);
    CHECK_EQ(lab.out.fault.address, WORLD_LINEAR + 0x100);
    CHECK_MEM(lab.world.reg, before.world.reg, sizeof before.world.reg, "registers as before");
    CHECK_MEM(lab.world.memory, before.world.memory, sizeof before.world.memory);
}

TEST(reply, a_notice_takes_no_reply) /* R15 */
{
    struct svmc_exit hlt = { .kind = SVMC_KIND_HLT, .count = 1 };
    uint64_t rng = 1;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &hlt, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_NOTIFIED);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.completion, SVMC_COMPLETION_NONE);
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE);
}

TEST(reply, an_answered_page_is_empty) /* R17 PG-9 */
{
    static const uint8_t empty[SVMC_PAGE_BYTES];

    for (unsigned n = 0; n < scenario_count; n++) {
        start(n);
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", scenarios[n].name);
        CHECK_MEM(lab.world.page, empty, sizeof empty, "%s", scenarios[n].name);
    }
}

TEST(reply, a_backend_string_is_asked_for_until_it_is_whole)
{
    uint8_t want[5];

    start(scenario_named("ins 1 kvm"));
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = honest.reply.data_bytes = 2;
    memcpy(want, honest.data, 2);
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(lab.out.data_bytes, 0, "KVM gets nothing before all of it is there");
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.count, 3);
    honest.data[0] = 0x77;
    memcpy(want + 2, honest.data, 3);
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    REQUIRE(lab.out.data_bytes == sizeof want);
    CHECK_MEM(lab.out.data, want, sizeof want);
}

TEST(reply, mutated_replies_change_only_what_the_row_declares)
{
    uint64_t rng = harness_seed();

    for (unsigned i = 0; i < 7000; i++) {
        unsigned n = (unsigned)(harness_random(&rng) % scenario_count);
        unsigned flips = 1 + (unsigned)(harness_random(&rng) % 3);
        enum svmc_status st;

        start(n);
        before = lab;
        CHECK(fakehost_send(lab.world.page, &honest));
        for (unsigned f = 0; f < flips; f++) {
            unsigned bit = (unsigned)(harness_random(&rng) % (8 * 0x100));

            lab.world.page[0x100 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        st = svmc_vcpu_enter(&lab.vc, &lab.out);
        if (st == SVMC_ERR_HOST_REPLY) {
            CHECK(lab_same(&lab, &before), "%s", scenarios[n].name);
            CHECK(lab.out.rule >= 2 && lab.out.rule <= SVMC_REPLY_RULES);
            continue;
        }
        CHECK_EQ(st, SVMC_OK, "%s", scenarios[n].name);
        CHECK_MEM(&lab.world.reg[SVMC_REG_R12], &before.world.reg[SVMC_REG_R12], 2 * 8, "R12 R13");
        CHECK_EQ(lab.world.reg[SVMC_REG_RFLAGS], before.world.reg[SVMC_REG_RFLAGS]);
        CHECK_EQ(lab.world.reg[SVMC_REG_RSP], before.world.reg[SVMC_REG_RSP]);
        if (!scenario_stores(n))
            CHECK_MEM(lab.world.memory, before.world.memory, sizeof before.world.memory, "%s",
                      scenarios[n].name);
    }
}
