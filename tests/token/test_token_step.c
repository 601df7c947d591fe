/* SPDX-License-Identifier: MIT */
/*
 * One check, and between any two of its instructions another thread's change of the same entry: the
 * trap flag stops the check behind its k-th instruction, and the handler does what the other thread
 * would. For each k (TK-5). x86-64 alone; a simulated processor without the flag makes no step.
 */
#include <signal.h>

#include "../harness.h"
#include "token_lab.h"

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>

#define TRAP_FLAG 0x100
#define MOST      100000 /* instructions of a check, sanitizers' too */

static struct token_lab lab;
static long steps, stop_at;
static bool stopped;

static void another_takes_the_entry(void)
{
    struct svmc_token_caller c = lab.caller;
    struct svmc_token_grant g = lab.grant;
    struct svmc_token other;

    g.rights = 0xdead;
    g.classes = 0x8000;
    c.root += 0x1000;
    CHECK_EQ(svmc_token_revoke(&lab.pool, lab.token.handle), SVMC_OK);
    CHECK_EQ(svmc_token_enrol(&lab.pool, &c, &g, SVMC_OK, &other), SVMC_OK);
    CHECK_EQ(other.handle & 0xffff, lab.token.handle & 0xffff);
}

static void step(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;

    (void)number;
    (void)info;
    if (steps++ != stop_at)
        return;
    at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    another_takes_the_entry();
    stopped = true;
}

TEST(token, a_verdict_is_of_one_token) /* TK-5 */
{
    struct sigaction old, mine = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
    unsigned allowed = 0, refused = 0;

    REQUIRE(sigaction(SIGTRAP, &mine, &old) == 0);
    for (stop_at = 0, stopped = true; stopped && stop_at < MOST; stop_at++) {
        enum svmc_status st;

        token_lab_start(&lab);
        steps = 0;
        stopped = false;
        __asm__ volatile("sub $128, %%rsp\n pushf\n orq $0x100, (%%rsp)\n popf\n add $128, %%rsp"
                         :
                         :
                         : "memory", "cc");
        st = svmc_token_check(&lab.pool, &lab.vcpu[0], &lab.caller, &lab.token, &lab.verdict);
        __asm__ volatile("sub $128, %%rsp\n pushf\n andq $~0x100, (%%rsp)\n popf\n add $128, %%rsp"
                         :
                         :
                         : "memory", "cc");
        CHECK_EQ(st, SVMC_OK);
        if (lab.verdict.end != SVMC_TOKEN_ALLOWED) {
            CHECK(lab.verdict.rights == 0 && lab.verdict.classes == 0);
            refused++;
            continue;
        }
        allowed++;
        CHECK_EQ(lab.verdict.rights, lab.grant.rights, "instruction %ld", stop_at);
        CHECK_EQ(lab.verdict.classes, lab.grant.classes, "instruction %ld", stop_at);
    }
    (void)sigaction(SIGTRAP, &old, NULL);
    CHECK(steps == 0 || (allowed > 0 && refused > 0));
}
#else
TEST(token, a_verdict_is_of_one_token) /* TK-5 */
{
    harness_skip("hardware: not x86-64");
}
#endif
