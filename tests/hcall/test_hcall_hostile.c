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

/* ---- declarations and words ---- */

TEST(hcall, buffers_that_a_call_must_not_have) /* HN-4 */
{
    static const struct {
        uint8_t kind, access;
        uint16_t flags;
        uint32_t user;
        unsigned refused;
    } rows[] = {
        { SVMC_HCALL_GPA, SVMC_ACCESS_READ, 0, 1, 1 },
        { SVMC_HCALL_GPA, SVMC_ACCESS_WRITE, 0, 1, 1 },
        { SVMC_HCALL_GPA, SVMC_ACCESS_RW, SVMC_HCALL_MAY_REPEAT, 1, 1 },
        { SVMC_HCALL_GPA, SVMC_ACCESS_RW, 0, 0, 0 },
        { SVMC_HCALL_GPA, 0, 0, 1, 0 }, /* a number */
        { SVMC_HCALL_GVA, SVMC_ACCESS_RW, 0, 1, 0 },
        { SVMC_HCALL_GVA, SVMC_ACCESS_WRITE, 0, 1, 0 },
        { SVMC_HCALL_GVA, SVMC_ACCESS_WRITE, SVMC_HCALL_MAY_PARTIAL, 1, 1 },
        { SVMC_HCALL_GPA, SVMC_ACCESS_WRITE, SVMC_HCALL_MAY_PARTIAL, 0, 1 },
        { SVMC_HCALL_GVA, SVMC_ACCESS_RW, SVMC_HCALL_MAY_PARTIAL, 1, 0 },
        { SVMC_HCALL_GVA, SVMC_ACCESS_READ, SVMC_HCALL_MAY_PARTIAL, 1, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned n = 0; n < 6; n++) {
            struct svmc_hcall_schema s = { .results = 0 };
            struct svmc_hcall_entry e = hcall_lab_calls[0];
            struct svmc_hcall_owner o = hcall_lab_owner;
            struct svmc_hcall_where where;

            s.arg[n].kind = rows[i].kind;
            s.arg[n].access = rows[i].access;
            s.arg[n].bytes = rows[i].access ? 8 : 0;
            e.schema = 0;
            e.flags = (uint8_t)rows[i].flags;
            e.may = rows[i].user ? SVMC_HCALL_MAY_ALL : SVMC_HCALL_MAY_KERNEL;
            o.calls = &e;
            o.schemas = &s;
            o.call_count = o.schema_count = 1;
            CHECK_EQ(
                svmc_hcall_init(&lab.table, &o, 1, lab.table_room, sizeof lab.table_room, &where),
                rows[i].refused ? SVMC_ERR_ARG : SVMC_OK, "%u", i);
            CHECK_EQ(where.what, rows[i].refused ? SVMC_HCALL_CALL_BAD : SVMC_HCALL_FINE);
            CHECK_EQ(where.arg, rows[i].refused ? n + 1 : 0);
        }
}

TEST(hcall, repetitions_begin_among_themselves) /* HN-1 */
{
    start();
    for (uint64_t first = 0; first < 4096; first += first < 8 ? 1 : 511)
        for (uint64_t reps = 0; reps < 4096; reps += reps < 8 ? 1 : 511) {
            unsigned before = lab.handled;

            CHECK_EQ(ask(STEPS | first << 44 | reps << 32, 0, 1),
                     first > reps ? SVMC_HCALL_NOT_DEFINED : SVMC_HCALL_OK);
            CHECK_EQ(lab.handled - before, first <= reps);
        }
}

TEST(hcall,
     one_call_has_one_answer) /* HN-11: SIMD_DEAD is the guest's to set, and not the short way */
{
    for (uint64_t bad = 0; bad < 256; bad++)
        for (unsigned way = 0; way < 2; way++) {
            enum svmc_status st;

            start();
            call.control = hcall_word(LAB_CODE) | (way ? SVMC_HCALL_SIMD_DEAD : 0);
            call.arg[1] = bad;
            st = svmc_hcall_dispatch(&lab.vcpu, &call, &out);
            CHECK_EQ(st, bad <= 6 ? SVMC_OK : SVMC_ERR_CALLBACK, "%u %u", (unsigned)bad, way);
            CHECK_EQ(out.end, bad <= 6 ? SVMC_HCALL_DONE : SVMC_HCALL_BROKEN);
        }
}

/* ---- cursors that are tried, and objects that are held ---- */

TEST(hcall, tags_are_not_tried_forever) /* HN-18 */
{
    uint64_t cursor;

    start();
    CHECK_EQ(ask(STEPS, 1, 90), SVMC_HCALL_PARTIAL);
    cursor = call.arg[0];
    for (uint64_t i = 1; i < 65536; i++)
        CHECK_EQ(ask(RESUME, 1, cursor ^ i << 24), SVMC_HCALL_BAD_ARG);
    for (unsigned i = 0; i < 10; i++) /* others cannot try it at all */
        CHECK_EQ(ask(RESUME, 0, cursor ^ 1ull << 24), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(ask(RESUME, 1, cursor), SVMC_HCALL_PARTIAL); /* it begins anew */
    cursor = call.arg[0];
    for (uint64_t i = 1; i < 65536; i++)
        CHECK_EQ(ask(RESUME, 1, cursor ^ i << 24), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(lab.abandoned, 0);
    CHECK_EQ(ask(RESUME, 1, cursor ^ 65536ull << 24), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(lab.abandoned, 1);
    CHECK_EQ(ask(RESUME, 1, cursor), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(lab.handled, 2);
}

TEST(hcall, a_vcpu_made_anew_takes_no_old_cursor) /* HN-17 */
{
    uint64_t cursor;

    start();
    CHECK_EQ(ask(STEPS, 0, 90), SVMC_HCALL_PARTIAL);
    cursor = call.arg[0];
    lab.room.epoch++;
    hcall_lab_vcpu(&lab, &lab.vcpu, 0, lab.slots);
    CHECK_EQ(ask(STEPS, 0, 90), SVMC_HCALL_PARTIAL);
    CHECK(call.arg[0] != cursor && (call.arg[0] ^ cursor) << 40 == 0); /* the tag alone */
    CHECK_EQ(ask(RESUME, 0, cursor), SVMC_HCALL_BAD_ARG);
}

static uint32_t handle_three(void *ctx, struct svmc_hcall_run *run)
{
    struct hcall_lab *l = ctx;

    l->handled++;
    CHECK(l->held == (7u << 7) && run->buffer[0].at == l->memory);
    CHECK(run->buffer[1].at == l->memory + 1 && run->buffer[3].at == l->memory + 2);
    memset(run->buffer, 0, SVMC_HCALL_REGS * sizeof run->buffer[0]);
    return (uint32_t)run->arg[4];
}

static const struct svmc_hcall_schema three_schema = {
    .arg = { { .kind = SVMC_HCALL_HANDLE, .type = 7 },
             { .kind = SVMC_HCALL_HANDLE, .type = 8 },
             { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_RW, .bytes = 64 },
             { .kind = SVMC_HCALL_HANDLE, .type = 9 } },
};
static const struct svmc_hcall_entry three_call = { .handler = handle_three,
                                                    .may = SVMC_HCALL_MAY_ALL,
                                                    .number = 8 };
static const struct svmc_hcall_owner three = { .calls = &three_call,
                                               .schemas = &three_schema,
                                               .call_count = 1,
                                               .schema_count = 1,
                                               .may = SVMC_HCALL_MAY_ALL,
                                               .owner = LAB_OWNER };

TEST(hcall, what_is_held_is_released) /* HN-9 HN-11 */
{
    static const struct {
        uint64_t arg[5], control;
        uint32_t away;
        unsigned want, released;
    } rows[] = {
        { { 4711, 4711, 0, 4711 }, 0, 0, SVMC_HCALL_OK, 3 },
        { { 4711, 4711, 0, 4711, SVMC_HCALL_FAILED }, 0, 0, SVMC_HCALL_FAILED, 3 },
        { { 4711, 4711, 0, 4711, 999 }, 0, 0, 0xffff, 3 }, /* no code */
        { { 4711, 4711, 0, 4711 }, SVMC_HCALL_DRY_RUN, 0, SVMC_HCALL_OK, 3 },
        { { 4711, 4711, 0, 1 }, 0, 0, SVMC_HCALL_BAD_ARG, 2 },
        { { 4711, 4711, 0, 4711 }, 0, 1, SVMC_HCALL_FAULT, 2 },
        { { 4711, 1, 0, 4711 }, 0, 0, SVMC_HCALL_BAD_ARG, 1 },
        { { 1, 4711, 0, 4711 }, 0, 0, SVMC_HCALL_BAD_ARG, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned k = 0; k <= 5; k++) { /* handle, handle, translate, span, handle */
            static const unsigned released[] = { 0, 0, 1, 2, 2, 2 };

            start();
            CHECK_EQ(
                svmc_hcall_init(&lab.table, &three, 1, lab.table_room, sizeof lab.table_room, NULL),
                SVMC_OK);
            lab.fail_at = k;
            lab.away = rows[i].away;
            call.ip = 77;
            memcpy(call.arg, rows[i].arg, sizeof rows[i].arg);
            if (k != 0 && rows[i].released < 3)
                continue;
            CHECK_EQ(ask(hcall_word(8) | rows[i].control, 0, rows[i].arg[0]),
                     k ? 0xffff : rows[i].want, "%u", i);
            CHECK_EQ(lab.held, 0, "%u", i);
            CHECK_EQ(lab.released, k ? released[k] : rows[i].released, "%u %u", i, k);
            CHECK_EQ(lab.asked_ip, 77);
        }
    start();
    CHECK_EQ(svmc_hcall_init(&lab.table, &three, 1, lab.table_room, sizeof lab.table_room, NULL),
             SVMC_OK);
    {
        struct svmc_hcall_ops old = hcall_lab_ops;

        old.release = NULL; /* optional */
        lab.vm.ops = &old;
        memcpy(call.arg, rows[0].arg, sizeof rows[0].arg);
        CHECK_EQ(ask(hcall_word(8), 0, 4711), SVMC_HCALL_OK);
        CHECK_EQ(lab.released, 0);
    }
}

TEST(hcall, a_call_that_ended_is_not_made_again) /* HN-18 */
{
    uint64_t cursor;

    start();
    CHECK_EQ(ask(STEPS, 0, 2), SVMC_HCALL_PARTIAL);
    cursor = call.arg[0];
    CHECK_EQ(ask(RESUME, 0, cursor), SVMC_HCALL_OK);
    CHECK_EQ(ask(RESUME, 0, cursor), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(lab.handled, 2);
}
