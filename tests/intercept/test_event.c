/* SPDX-License-Identifier: MIT */
/* docs/spec/event.md. Expected answers by hand from Intel SDM vol. 3 table 6-5. */
#include "scenarios.h"

#define EXC(v, e)                                                 \
    {                                                             \
        .type = SVMC_EVENT_EXCEPTION, .vector = v, .has_error = e \
    }
#define NOW(v, e) EXC(v, e)
#define SHUTDOWN                    \
    {                               \
        .type = SVMC_EVENT_SHUTDOWN \
    }
#define NOTHING                 \
    {                           \
        .type = SVMC_EVENT_NONE \
    }

static const struct row {
    const char *name;
    struct svmc_event first;
    uint8_t vector, has_error;
    struct svmc_event now, later;
} rows[] = {
    { "nothing, then #PF", NOTHING, 14, 1, NOW(14, 1), NOTHING },
    { "#DE, then #GP", EXC(0, 0), 13, 1, NOW(8, 1), NOTHING }, /* EV-3 */
    { "#TS, then #SS", EXC(10, 1), 12, 1, NOW(8, 1), NOTHING },
    { "#GP, then #NP", EXC(13, 1), 11, 1, NOW(8, 1), NOTHING },
    { "#GP, then #PF", EXC(13, 1), 14, 1, NOW(14, 1), NOTHING },
    { "#PF, then #PF", EXC(14, 1), 14, 1, NOW(8, 1), NOTHING },
    { "#PF, then #GP", EXC(14, 1), 13, 1, NOW(8, 1), NOTHING },
    { "#PF, then #UD", EXC(14, 1), 6, 0, NOW(6, 0), NOTHING },
    { "#UD, then #GP", EXC(6, 0), 13, 1, NOW(13, 1), NOTHING },
    { "#DB, then #PF", EXC(1, 0), 14, 1, NOW(14, 1), NOTHING },
    { "#CP, then #GP", EXC(21, 1), 13, 1, NOW(8, 1), NOTHING },
    { "#VE, then #PF", EXC(20, 0), 14, 1, NOW(8, 1), NOTHING },
    { "#DF, then #GP", EXC(8, 1), 13, 1, SHUTDOWN, NOTHING },
    { "#DF, then #PF", EXC(8, 1), 14, 1, SHUTDOWN, NOTHING },
    { "#DF, then #DB", EXC(8, 1), 1, 0, NOW(1, 0), NOTHING },
    /* EV-2: delivered by INT n, 13 is no #GP; EV-4: it comes again by itself */
    { "int 13, then #GP",
      { .type = SVMC_EVENT_SOFT_INTERRUPT, .vector = 13 },
      13,
      1,
      NOW(13, 1),
      NOTHING },
    { "int3, then #PF",
      { .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 3 },
      14,
      1,
      NOW(14, 1),
      NOTHING },
    /* EV-4: it must not be lost */
    { "irq 14, then #PF",
      { .type = SVMC_EVENT_INTERRUPT, .vector = 14 },
      14,
      1,
      NOW(14, 1),
      { .type = SVMC_EVENT_INTERRUPT, .vector = 14 } },
    { "nmi, then #GP",
      { .type = SVMC_EVENT_NMI, .vector = 2 },
      13,
      1,
      NOW(13, 1),
      { .type = SVMC_EVENT_NMI, .vector = 2 } },
};

TEST(event, two_events_become_what_the_manual_says) /* EV-1 EV-2 EV-3 EV-4 */
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_fault fault = { .raised = 1,
                                    .vector = rows[i].vector,
                                    .has_error = rows[i].has_error,
                                    .error = 0x77,
                                    .address = 0x1234 };
        struct svmc_event now, later, want = rows[i].now;

        if (want.type == SVMC_EVENT_EXCEPTION && want.vector == rows[i].vector) {
            want.error = want.has_error ? 0x77 : 0;
            want.address = 0x1234;
        }
        CHECK_EQ(svmc_event_merge(&rows[i].first, &fault, &now, &later), SVMC_OK, "%s",
                 rows[i].name);
        CHECK_MEM(&now, &want, sizeof now, "%s: now", rows[i].name);
        CHECK_MEM(&later, &rows[i].later, sizeof later, "%s: later", rows[i].name);
    }
}

TEST(event,
     every_pair_of_exceptions_has_an_answer) /* EV-3, all of them against the rule in words */
{
    static const char contributory[] = { 0, 10, 11, 12, 13, 21 };

    for (unsigned first = 0; first < 32; first++)
        for (unsigned second = 0; second < 32; second++) {
            struct svmc_event a = EXC((uint8_t)first, 0), now, later;
            struct svmc_fault f = { .raised = 1, .vector = (uint8_t)second };
            bool c1 = memchr(contributory, (int)first, sizeof contributory) != NULL;
            bool c2 = memchr(contributory, (int)second, sizeof contributory) != NULL;
            bool p1 = first == 14 || first == 20, p2 = second == 14 || second == 20;
            bool df = (c1 && c2) || (p1 && (c2 || p2)), down = first == 8 && (c2 || p2);

            CHECK_EQ(svmc_event_merge(&a, &f, &now, &later), SVMC_OK);
            CHECK_EQ(now.type, down ? SVMC_EVENT_SHUTDOWN : SVMC_EVENT_EXCEPTION, "%u %u", first,
                     second);
            CHECK_EQ(now.vector, down ? 0 : df ? 8 : second, "%u %u", first, second);
        }
}

TEST(event, bad_input_is_refused)
{
    struct svmc_fault fault = { .raised = 1, .vector = 13 }, none = { .raised = 0 }, odd = fault;
    struct svmc_event e = EXC(13, 1), now, later;

    CHECK_EQ(svmc_event_merge(NULL, &fault, &now, &later), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_merge(&e, NULL, &now, &later), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_merge(&e, &fault, NULL, &later), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_merge(&e, &fault, &now, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_merge(&e, &fault, &now, &now), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_merge(&e, &none, &now, &later), SVMC_ERR_ARG);
    odd.vector = 32;
    CHECK_EQ(svmc_event_merge(&e, &odd, &now, &later), SVMC_ERR_ARG);
    e.vector = 32;
    CHECK_EQ(svmc_event_merge(&e, &fault, &now, &later), SVMC_ERR_ARG);
    e.type = SVMC_EVENT_SHUTDOWN;
    CHECK_EQ(svmc_event_merge(&e, &fault, &now, &later), SVMC_ERR_ARG);
    e = (struct svmc_event)EXC(13, 1);
    CHECK_EQ(svmc_event_merge(&e, &fault, &e, &later), SVMC_OK, "now may be first");
    CHECK_EQ(e.vector, 8);
}

static struct lab lab;

/* Take one exit that stands in all states, and answer it. */
static void stand(struct svmc_exit exit)
{
    static struct fakehost_answer answer;
    uint64_t rng = 5;

    lab_init(&lab, &rng);
    exit.state = SVMC_STATE_ALL;
    exit.count = 1;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK);
    if (lab.out.action != SVMC_ACT_DELEGATED)
        return;
    CHECK_EQ(lab.out.state, SVMC_STATE_ALL, "nothing has been executed yet");
    CHECK(fakehost_prepare(lab.world.page, &answer));
    CHECK(fakehost_send(lab.world.page, &answer));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
}

TEST(event, an_instruction_that_was_done_ends_shadows) /* EV-6 */
{
    const unsigned stays = SVMC_STATE_NMI_BLOCKED | SVMC_STATE_SINGLE_STEP;
    struct svmc_exit own = { .kind = SVMC_KIND_CPUID,
                             .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                             .insn_bytes = 2 };

    stand(own);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(lab.out.state, stays);
    own.kind = SVMC_KIND_HLT; /* sti; hlt: it wakes up with an interrupt */
    stand(own);
    CHECK_EQ(lab.out.action, SVMC_ACT_NOTIFIED);
    CHECK_EQ(lab.out.state, stays);
    own.kind = SVMC_KIND_UNKNOWN; /* #UD: nothing was done */
    stand(own);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.state, SVMC_STATE_ALL);
    stand((struct svmc_exit){ .kind = SVMC_KIND_CPUID }); /* a backend's: it knows itself */
    CHECK_EQ(lab.out.state, SVMC_STATE_ALL);
}

TEST(event, no_instruction_is_finished_in_the_middle_of_a_delivery) /* EV-5 */
{
    struct svmc_exit exit = { .kind = SVMC_KIND_MMIO_READ,
                              .size = 8,
                              .count = 1,
                              .address = LAB_GPA,
                              .interrupted = { .type = SVMC_EVENT_INTERRUPT, .vector = 33 } };
    uint64_t rng = 5;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    exit.interrupted.type = SVMC_EVENT_NONE;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK, "the vCPU goes on");
    exit.state = SVMC_STATE_ALL + 1;
    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_ERR_ARG);
}
