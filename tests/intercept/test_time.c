/* SPDX-License-Identifier: MIT */
/* R13: a host's time goes forwards, and not faster than the embedder's clock. */
#include "scenarios.h"

static struct lab lab, before;
static struct svmc_host_ops ops;
static struct fakehost_answer honest;

static void start(bool clock)
{
    uint64_t rng = 51;

    lab_init(&lab, &rng);
    ops = world_ops;
    if (!clock)
        ops.size = offsetof(struct svmc_host_ops, ticks);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7), SVMC_OK);
}

/* The guest asks at clock `asked`, and gets `time` at clock `now`. */
static enum svmc_status tell(const char *name, uint64_t asked, uint64_t time, uint64_t now)
{
    enum svmc_status st;

    lab.world.clock = asked;
    CHECK_EQ(lab_exit(&lab, scenario_named(name)), SVMC_OK, "%s", name);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    honest.reply.out[0] = honest.reply.out_valid == 3 ? time & UINT32_MAX : time;
    honest.reply.out[1] = honest.reply.out_valid == 3 ? time >> 32 : 0;
    CHECK(fakehost_send(lab.world.page, &honest));
    lab.world.clock = now;
    before = lab;
    st = svmc_vcpu_enter(&lab.vc, &lab.out);
    if (st == SVMC_ERR_HOST_REPLY) {
        CHECK_EQ(lab.out.rule, 13, "%s", name);
        CHECK(lab_same(&lab, &before), "%s", name);
        svmc_vcpu_cancel(&lab.vc);
    }
    return st;
}

static const char *const counters[] = { "rdtsc own", "rdtscp own", "rdmsr tsc own",
                                        "a64 mrs x1, cntvct_el0", "rv64 rdtime a5" };
#define COUNTERS (sizeof counters / sizeof counters[0])
#define BASE     0x11ffffff00u /* halves that both change */

TEST(time, never_goes_back) /* R13 AT-10 */
{
    for (unsigned clock = 0; clock < 2; clock++)
        for (unsigned i = 0; i < COUNTERS; i++) {
            start(clock);
            CHECK_EQ(tell(counters[i], 0, BASE, 0), SVMC_OK, "%s", counters[i]);
            CHECK_EQ(tell(counters[i], 1000, BASE - 1, 1000), SVMC_ERR_HOST_REPLY, "%s",
                     counters[i]);
            CHECK_EQ(tell(counters[i], 1000, BASE, 1000), SVMC_OK, "it may stand still");
            CHECK_EQ(tell(counters[i], 2000, BASE + 0x200, 2000), SVMC_OK);
            CHECK_EQ(tell(counters[i], 3000, BASE + 0x100, 3000), SVMC_ERR_HOST_REPLY);
            CHECK_EQ(tell(counters[i], 3000, BASE + 0x200 - ((uint64_t)1 << 32), 3000),
                     SVMC_ERR_HOST_REPLY, "by the upper half");
        }
}

TEST(time, is_bounded_by_the_clock) /* R13 AT-10 */
{
    for (unsigned i = 0; i < COUNTERS; i++) {
        start(true);
        CHECK_EQ(tell(counters[i], 100, BASE, 150), SVMC_OK, "the first is the origin");
        CHECK_EQ(tell(counters[i], 200, BASE + 111, 210), SVMC_ERR_HOST_REPLY, "%s", counters[i]);
        CHECK_EQ(tell(counters[i], 200, BASE + 110, 210), SVMC_OK, "since it was asked for: 110");
        CHECK_EQ(tell(counters[i], 300, BASE + 110 + 101, 300), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(tell(counters[i], 300, UINT64_MAX, 300), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(tell(counters[i], 300, BASE + 110 + 100, 300), SVMC_OK);
        start(false);
        CHECK_EQ(tell(counters[i], 0, BASE, 0), SVMC_OK);
        CHECK_EQ(tell(counters[i], 0, UINT64_MAX, 0), SVMC_OK, "nobody knows better");
    }
}

TEST(time, of_one_counter_is_one) /* R13 */
{
    start(true);
    CHECK_EQ(tell("rdtsc own", 0, BASE, 0), SVMC_OK);
    CHECK_EQ(tell("rdmsr tsc own", 10, BASE - 1, 10), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(tell("rdtscp own", 10, BASE + 10, 10), SVMC_OK);
    CHECK_EQ(tell("rdtsc own", 10, BASE + 9, 10), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(tell("rdmsr own", 10, 0, 10), SVMC_OK, "another MSR is no counter");
    CHECK_EQ(tell("a64 mrs x9", 10, 0, 10), SVMC_OK, "nor is another register");
    CHECK_EQ(tell("a64 mrs x1, cntvct_el0", 10, 5, 10), SVMC_OK, "another counter");
    CHECK_EQ(tell("a64 mrs x1, cntvct_el0", 10, 4, 10), SVMC_ERR_HOST_REPLY);
}

TEST(time, a_counter_that_the_guest_sets_starts_anew) /* R13 */
{
    static const struct {
        uint32_t msr;
        enum svmc_status back;
    } writes[] = { { 0x10, SVMC_OK }, { 0x3b, SVMC_OK }, { LAB_MSR, SVMC_ERR_HOST_REPLY } };

    for (unsigned i = 0; i < 3; i++) {
        struct svmc_exit e = { .kind = SVMC_KIND_WRMSR, .count = 1, .address = writes[i].msr };

        start(true);
        CHECK_EQ(tell("rdtsc own", 0, BASE, 0), SVMC_OK);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        CHECK(fakehost_prepare(lab.world.page, &honest));
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
        CHECK_EQ(tell("rdtsc own", 0, 7, 0), writes[i].back, "MSR %x", writes[i].msr);
        CHECK_EQ(tell("rdtsc own", 0, 6, 0), SVMC_ERR_HOST_REPLY);
    }
}

TEST(time, both_views_of_a_counter_are_one) /* R13 */
{
    static const uint64_t views[2][2] = {
        { SVMC_SYSREG(3, 3, 14, 0, 1), SVMC_SYSREG(3, 3, 14, 0, 5) },
        { SVMC_SYSREG(3, 3, 14, 0, 2), SVMC_SYSREG(3, 3, 14, 0, 6) }
    };
    static struct svmc_policy policy;

    for (unsigned n = 0; n < 2; n++) {
        start(true);
        ops.ticks = NULL; /* as long as a table with it */
        CHECK_EQ(svmc_policy_preset(&policy, SVMC_PRESET_OPEN, 9, 9), SVMC_OK);
        CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
        CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
        for (unsigned i = 0; i < 4; i++) {
            struct svmc_exit e = scenarios[scenario_named("a64 mrs x9")].exit;

            e.address = views[n][i % 2];
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
            CHECK(fakehost_prepare(lab.world.page, &honest));
            honest.reply.out[0] = i < 2 ? BASE + i : BASE;
            CHECK(fakehost_send(lab.world.page, &honest));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), i < 2 ? SVMC_OK : SVMC_ERR_HOST_REPLY,
                     "counter %u, read %u", n, i);
            if (i >= 2) {
                CHECK_EQ(lab.out.rule, 13);
                svmc_vcpu_cancel(&lab.vc);
            }
        }
    }
}

TEST(time, no_mode_lets_it_go_back) /* R13 MO-4 */
{
    for (unsigned mode = 0; mode <= SVMC_MODE_OBSERVE; mode++) {
        start(true);
        lab.policy.priv.mode = mode;
        CHECK_EQ(tell("rdtsc own", 0, BASE, 0), SVMC_OK);
        CHECK_EQ(tell("rdtsc own", 9, BASE - 1, 9), SVMC_ERR_HOST_REPLY, "mode %u", mode);
        CHECK_EQ(tell("rdtsc own", 9, BASE + 10, 9), SVMC_ERR_HOST_REPLY, "mode %u", mode);
    }
}

TEST(time, a_clock_that_goes_back_ends_nothing) /* R13 */
{
    start(true);
    CHECK_EQ(tell("rdtsc own", 100, BASE, 100), SVMC_OK);
    CHECK_EQ(tell("rdtsc own", 100, BASE, 99), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.vc.priv.pending.active, 1);
    CHECK(lab_same(&lab, &before));
    lab.world.clock = 100;
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "and again");
}

TEST(time, what_rdtscp_puts_in_ecx_is_the_guests) /* R13 */
{
    start(true);
    before = lab;
    CHECK_EQ(tell("rdtscp own", 0, BASE, 0), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], BASE & UINT32_MAX);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], BASE >> 32);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], lab.world.reg[SVMC_REG_TSC_AUX] & UINT32_MAX);
}
