/* SPDX-License-Identifier: MIT */
/* DESIGN contract: whichever callback fails, the guest is unchanged and the work can be resumed. */
#include "scenarios.h"

static struct lab lab, before;
static struct fakehost_answer honest;

static bool guest_same(void)
{
    return memcmp(lab.world.reg, before.world.reg, sizeof lab.world.reg) == 0 &&
           memcmp(lab.world.memory, before.world.memory, sizeof lab.world.memory) == 0;
}

TEST(fail_kth, callbacks_of_exit)
{
    unsigned failures = 0;

    for (unsigned n = 0; n < scenario_count; n++) {
        for (unsigned k = 1;; k++) {
            uint64_t rng = 8;
            enum svmc_status st;

            lab_init(&lab, &rng);
            CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
            svmc_vcpu_cancel(&lab.vc);
            before = lab; /* with the registers that lab_exit sets */
            lab.world.calls = 0;
            lab.world.fail_at = k;
            st = lab_exit(&lab, n);
            if (st == SVMC_OK)
                break; /* fewer than k calls: every one of them has failed once */
            failures++;
            CHECK_EQ(st, SVMC_ERR_CALLBACK, "%s, call %u", scenarios[n].name, k);
            CHECK_EQ(lab.out.action, SVMC_ACT_STOP, "%s, call %u", scenarios[n].name, k);
            CHECK(guest_same(), "%s, call %u", scenarios[n].name, k);
            CHECK_EQ(lab.vc.priv.pending.active, 0, "%s, call %u", scenarios[n].name, k);
            lab.world.fail_at = 0;
            CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s, again after call %u", scenarios[n].name, k);
        }
    }
    CHECK(failures > 10, "only %u", failures);
}

TEST(fail_kth, callbacks_of_enter)
{
    unsigned failures = 0;

    for (unsigned n = 0; n < scenario_count; n++) {
        for (unsigned k = 1;; k++) {
            uint64_t rng = 8;
            enum svmc_status st;

            lab_init(&lab, &rng);
            CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
            CHECK(fakehost_prepare(lab.world.page, &honest));
            CHECK(fakehost_send(lab.world.page, &honest));
            before = lab;
            lab.world.calls = 0;
            lab.world.fail_at = k;
            st = svmc_vcpu_enter(&lab.vc, &lab.out);
            if (st == SVMC_OK)
                break;
            failures++;
            CHECK_EQ(st, SVMC_ERR_CALLBACK, "%s, call %u", scenarios[n].name, k);
            CHECK(guest_same(), "%s, call %u", scenarios[n].name, k);
            CHECK_EQ(lab.world.reg_writes, 0, "%s, call %u", scenarios[n].name, k);
            CHECK_MEM(&lab.vc.priv.pending, &before.vc.priv.pending, sizeof lab.vc.priv.pending,
                      "%s, call %u", scenarios[n].name, k);
            lab.world.fail_at = 0;
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s, again after call %u",
                     scenarios[n].name, k);
            CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "%s", scenarios[n].name);
        }
    }
    CHECK(failures > 30, "only %u", failures);
}

TEST(fail_kth, a_failed_retry_counts_once) /* R11 */
{
    uint64_t rng = 8;

    lab_init(&lab, &rng);
    CHECK_EQ(lab_exit(&lab, scenario_named("hypercall own")), SVMC_OK);
    for (unsigned i = 0; i < LAB_RETRIES; i++) {
        CHECK(fakehost_prepare(lab.world.page, &honest));
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
        CHECK(fakehost_send(lab.world.page, &honest));
        lab.world.fail_at = lab.world.calls + 3;
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_CALLBACK);
        lab.world.fail_at = 0;
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "retry %u", i);
    }
    CHECK_EQ(lab.vc.priv.stats.retries, LAB_RETRIES);
}

TEST(fail_kth, what_translate_gives_is_checked)
{
    struct svmc_exit e = { .kind = SVMC_KIND_INS,
                           .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                           .insn_bytes = 1,
                           .size = 4,
                           .count = 2,
                           .repeat = 1,
                           .address = LAB_PORT,
                           .address_bytes = 8,
                           .buffer = { WORLD_LINEAR + 0x100 } };

    for (unsigned lie = 1; lie < WORLD_TRANSLATE_LIES; lie++) {
        uint64_t rng = 8;

        lab_init(&lab, &rng);
        lab.world.translate_lie = lie;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_CALLBACK, "lie %u", lie);
        CHECK_EQ(lab.out.action, SVMC_ACT_STOP, "lie %u", lie);
    }
}
