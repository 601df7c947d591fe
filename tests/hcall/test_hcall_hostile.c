/* SPDX-License-Identifier: MIT */
/* docs/spec/hcall.md: programs, levels and vCPUs that want what is another's. */
#include "hcall_lab.h"

static struct hcall_lab lab;
static struct svmc_hcall_call call;
static struct svmc_hcall_result out;

static unsigned ask(uint64_t control, unsigned user, uint64_t first)
{
    memset(&out, 0xee, sizeof out);
    call.control = control;
    call.user = (uint8_t)user;
    call.arg[0] = first;
    if (svmc_hcall_dispatch(&lab.vcpu, &call, &out) != SVMC_OK || out.end != SVMC_HCALL_DONE)
        return 0xffff;
    return (uint16_t)out.status;
}

static void start(void)
{
    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
}

/* ---- memory ---- */

TEST(hcall, memory_is_the_callers) /* HN-9 HN-14 */
{
    const uint64_t batch = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | 1ull << 32;

    start();
    lab.kernels = 1 << 4; /* virtual and physical */
    call.ip = 0x1234;
    hcall_lab_vcpu(&lab, &lab.vcpu, 1, lab.slots);
    for (unsigned user = 0; user < 2; user++) {
        memcpy(call.arg, (const uint64_t[]){ 0, 8, 16384, 8 }, 4 * sizeof call.arg[0]);
        CHECK_EQ(ask(hcall_word(LAB_COPY), user, 0), user ? SVMC_HCALL_FAULT : SVMC_HCALL_OK);
        CHECK_EQ(out.status >> 16, user ? 3 : 0);
        call.arg[1] = 0;
        CHECK_EQ(ask(batch, user, 16384), user ? SVMC_HCALL_FAULT : SVMC_HCALL_OK);
        CHECK(lab.asked_vcpu == 1 && lab.asked_ip == 0x1234);
    }
    CHECK_EQ(lab.handled, 1);
}

/* ---- calls that go on ---- */

#define STEPS  hcall_word(LAB_STEPS)
#define RESUME (hcall_word(LAB_STEPS) | SVMC_HCALL_RESUME)

TEST(hcall, a_slot_that_is_free_is_taken_first) /* HN-17 */
{
    uint64_t kernel, user;

    start();
    CHECK_EQ(ask(STEPS, 0, 90), SVMC_HCALL_PARTIAL);
    kernel = call.arg[0];
    CHECK_EQ(ask(STEPS, 1, 90), SVMC_HCALL_PARTIAL);
    user = call.arg[0];
    for (unsigned i = 0; i < 20; i++) { /* never more than one slot */
        CHECK_EQ(ask(RESUME, 1, user), SVMC_HCALL_PARTIAL);
        user = call.arg[0];
    }
    CHECK_EQ(lab.abandoned, 0);
    CHECK_EQ(ask(RESUME, 0, kernel), SVMC_HCALL_PARTIAL);
}

TEST(hcall, programs_do_not_end_calls_of_the_kernel) /* HN-17 */
{
    uint64_t kernel[LAB_SLOTS], user[2] = { 0 };

    start();
    CHECK_EQ(ask(STEPS, 0, 90), SVMC_HCALL_PARTIAL);
    kernel[0] = call.arg[0];
    for (unsigned i = 0; i < 20; i++) {
        user[0] = user[1];
        CHECK_EQ(ask(STEPS, 1, 90), SVMC_HCALL_PARTIAL);
        user[1] = call.arg[0];
    }
    CHECK_EQ(lab.abandoned, 20 - (LAB_SLOTS - 1));         /* programs' alone */
    CHECK_EQ(ask(RESUME, 1, user[0]), SVMC_HCALL_PARTIAL); /* the oldest went, not these */
    user[0] = call.arg[0];
    CHECK_EQ(ask(RESUME, 1, user[1]), SVMC_HCALL_PARTIAL);
    for (unsigned i = 1; i < LAB_SLOTS; i++) { /* a kernel takes programs' slots */
        CHECK_EQ(ask(STEPS, 0, 90), SVMC_HCALL_PARTIAL);
        kernel[i] = call.arg[0];
    }
    CHECK_EQ(ask(RESUME, 1, user[0]), SVMC_HCALL_BAD_ARG);
    lab.handled = lab.abandoned = 0;
    CHECK_EQ(ask(STEPS, 1, 90), SVMC_HCALL_RETRY); /* and a program waits */
    CHECK(lab.handled == 0 && out.results == 0 && call.arg[0] == 90);
    for (unsigned i = 0; i < LAB_SLOTS; i++)
        CHECK_EQ(ask(RESUME, 0, kernel[i]), SVMC_HCALL_PARTIAL, "%u", i);
    CHECK_EQ(lab.abandoned, 0);
}

TEST(hcall, a_call_goes_on_where_its_caller_stands) /* HN-17 HN-18 */
{
    static const struct {
        struct svmc_hcall_place place;
        unsigned want;
    } rows[] = {
        { { .level = 1, .role = 1, .phase = 2 }, SVMC_HCALL_BAD_ARG },
        { { .level = 2, .role = 1, .phase = 2 }, SVMC_HCALL_BAD_ARG },
        { { .level = 3, .role = 1, .phase = 2 }, SVMC_HCALL_BAD_ARG },
        { { .level = 0, .role = 3, .phase = 2 }, SVMC_HCALL_BAD_ARG },
        { { .level = 0, .role = 1, .phase = 3 }, SVMC_HCALL_PARTIAL }, /* phases pass */
    };

    start();
    CHECK_EQ(ask(STEPS, 0, 90), SVMC_HCALL_PARTIAL);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_hcall_place place = rows[i].place;
        uint64_t cursor = call.arg[0];

        place.isa = SVMC_ISA_X86_64;
        CHECK_EQ(svmc_hcall_vcpu_move(&lab.vcpu, &place), SVMC_OK);
        CHECK_EQ(ask(RESUME, 0, cursor), rows[i].want, "%u", i);
    }
}

TEST(hcall, a_call_goes_on_with_what_it_began_with) /* HN-18 */
{
    uint64_t sum = 0;

    start();
    call.arg[1] = 0x77; /* not declared, and kept all the same */
    CHECK_EQ(ask(STEPS, 0, 9), SVMC_HCALL_PARTIAL);
    for (unsigned i = 1; i < 9; i++) { /* the handler writes over its arguments each time */
        call.arg[1] = 0x99;
        CHECK_EQ(ask(RESUME, 0, call.arg[0]), i < 8 ? SVMC_HCALL_PARTIAL : SVMC_HCALL_OK);
        CHECK(lab.seen.arg[0] == 9 && lab.seen.arg[1] == 0x77, "%u", i);
    }
    for (unsigned i = 1; i <= 9; i++)
        sum += i;
    CHECK_EQ(call.arg[0], sum);
}

TEST(hcall, a_token_is_judged_by_what_is_done) /* HN-12 HN-18 */
{
    uint64_t cursor;

    start();
    call.arg[1] = 1000;
    call.token[0] = 3;
    CHECK_EQ(ask(STEPS | SVMC_HCALL_TOKEN, 0, 9), SVMC_HCALL_PARTIAL);
    cursor = call.arg[0];
    call.arg[1] = 1;
    CHECK_EQ(ask(RESUME | SVMC_HCALL_TOKEN, 0, cursor), SVMC_HCALL_PARTIAL);
    CHECK(lab.judged.arg[0] == 9 && lab.judged.arg[1] == 1000 && lab.judged.ip == call.ip);
    CHECK_EQ(lab.judged.control, RESUME | SVMC_HCALL_TOKEN);
    CHECK(lab.seen.arg[1] == 1000 && call.arg[1] == 1);
    cursor = call.arg[0];
    lab.handled = 0;
    call.token[0] = 4; /* another token, of another class */
    CHECK_EQ(ask(RESUME | SVMC_HCALL_TOKEN, 0, cursor), SVMC_HCALL_BAD_ARG);
    lab.same_class = 3; /* another token, of the same class */
    CHECK_EQ(ask(RESUME | SVMC_HCALL_TOKEN, 0, cursor), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(out.status >> 16, 1);
    call.token[0] = 3;
    lab.same_class = 5; /* the same token, which has become one of another class */
    CHECK_EQ(ask(RESUME | SVMC_HCALL_TOKEN, 0, cursor), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(ask(RESUME, 0, cursor), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(lab.handled, 0);
    lab.same_class = 0;
    CHECK_EQ(ask(RESUME | SVMC_HCALL_TOKEN, 0, cursor), SVMC_HCALL_PARTIAL);
}
