/* SPDX-License-Identifier: MIT */
/* docs/spec/hcall.md: what reaches a handler, and what comes back. */
#include "hcall_lab.h"

static struct hcall_lab lab;
static struct svmc_hcall_call call;
static struct svmc_hcall_result out;

/* Arguments of LAB_SUM that are in order. */
static const uint64_t good[6] = { 1, 5, 0x14, 0x3000, 20, 255 };

static enum svmc_status dispatch(uint64_t control)
{
    memset(&out, 0xee, sizeof out);
    call.control = control;
    return svmc_hcall_dispatch(&lab.vcpu, &call, &out);
}

static void arguments(const uint64_t arg[6])
{
    memset(&call, 0, sizeof call);
    memcpy(call.arg, arg, sizeof call.arg);
}

/* The code; anything that is not a clean end is 0xffff. A refused call changes no register. */
static unsigned code_of(uint64_t control)
{
    struct svmc_hcall_call was = call;
    enum svmc_status st = dispatch(control);

    was.control = control;
    if (st != SVMC_OK || out.end != SVMC_HCALL_DONE)
        return 0xffff;
    if ((uint16_t)out.status != SVMC_HCALL_OK && (uint16_t)out.status != SVMC_HCALL_PARTIAL)
        CHECK(out.results == 0 && memcmp(&was, &call, sizeof was) == 0, "%#" PRIx64, out.status);
    return (uint16_t)out.status;
}

#define BAD(n) (SVMC_HCALL_BAD_ARG | (uint64_t)(n) << SVMC_HCALL_BAD_SHIFT)

TEST(hcall, a_call_is_made) /* HN-1 HN-3 HN-11 */
{
    hcall_lab_init(&lab);
    arguments(good);
    CHECK_EQ(dispatch(hcall_word(LAB_SUM)), SVMC_OK);
    CHECK_EQ(out.end, SVMC_HCALL_DONE);
    CHECK_EQ(out.status, 0);
    CHECK_EQ(out.results, 2);
    CHECK_EQ(call.arg[0], 6);
    CHECK_EQ(call.arg[1], 77);
    CHECK_MEM(call.arg + 2, good + 2, 4 * sizeof good[0], "beyond the results");
    CHECK_MEM(lab.seen.arg, good, sizeof good);
    CHECK(lab.seen.vm == 0x77 && lab.seen.vcpu == 0 && lab.seen.user == 0 && !lab.seen.buffer);
    CHECK_EQ(lab.seen.control, hcall_word(LAB_SUM));
    call.user = 1;
    memcpy(call.arg, good, sizeof good);
    CHECK_EQ(code_of(hcall_word(LAB_SUM) | SVMC_HCALL_SIMD_DEAD | SVMC_HCALL_FAST), SVMC_HCALL_OK);
    CHECK(lab.seen.user == 1 && call.arg[0] == 6 && (lab.seen.control & SVMC_HCALL_SIMD_DEAD));
    CHECK_EQ(svmc_hcall_dispatch(NULL, &call, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_hcall_dispatch(&lab.vcpu, NULL, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_hcall_dispatch(&lab.vcpu, &call, NULL), SVMC_ERR_ARG);
    for (unsigned user = 2; user < 256; user++) {
        call.user = (uint8_t)user;
        CHECK_EQ(dispatch(hcall_word(LAB_SUM)), SVMC_ERR_ARG);
    }
    CHECK_EQ(lab.handled, 2);
}

TEST(hcall, what_is_not_defined_is_told_apart) /* HN-1 HN-3 */
{
    static const struct {
        uint64_t xor ;
        unsigned want;
    } rows[] = {
        { 0, SVMC_HCALL_OK },
        { 3ull << 56, SVMC_HCALL_VERSION },
        { 1ull << 63, SVMC_HCALL_VERSION },
        { 1ull << 56, SVMC_HCALL_VERSION },
        { 1ull << 29, SVMC_HCALL_NOT_DEFINED },
        { 1ull << 30, SVMC_HCALL_NOT_DEFINED },
        { 1ull << 31, SVMC_HCALL_NOT_DEFINED },
        { 1ull << 32, SVMC_HCALL_NOT_DEFINED }, /* LAB_SUM knows no repetitions */
        { 1ull << 55, SVMC_HCALL_NOT_DEFINED },
        { SVMC_HCALL_TAGGED, SVMC_HCALL_NOT_DEFINED }, /* without TOKEN */
        { SVMC_HCALL_RESUME, SVMC_HCALL_NOT_DEFINED },
        { 1u << 16, SVMC_HCALL_NOT_DEFINED }, /* another owner */
        { LAB_SUM ^ LAB_GONE, SVMC_HCALL_DROPPED },
        { LAB_SUM ^ LAB_NEW, SVMC_HCALL_OK }, /* dropped by a later version */
        { LAB_SUM ^ LAB_COUNT, SVMC_HCALL_NOT_DEFINED },
        { LAB_SUM ^ 0xffff, SVMC_HCALL_NOT_DEFINED },
        { LAB_SUM ^ 7, SVMC_HCALL_NOT_DEFINED },
        { LAB_SUM ^ 6, SVMC_HCALL_NOT_DEFINED },
        { (LAB_SUM ^ LAB_COPY) | SVMC_HCALL_FAST, SVMC_HCALL_NOT_DEFINED }, /* has buffers */
    };

    hcall_lab_init(&lab);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arguments(good);
        CHECK_EQ(code_of(hcall_word(LAB_SUM) ^ rows[i].xor), rows[i].want, "%u", i);
    }
    CHECK_EQ(lab.handled, 2);
}

TEST(hcall, a_handler_answers_what_there_is) /* HN-2 HN-11 */
{
    hcall_lab_init(&lab);
    for (uint64_t code = 0; code < 20; code++)
        for (uint64_t bad = 0; bad < 9; bad++) {
            const uint64_t arg[6] = { code, bad, 0x5a, 0x123, 0, 0 };
            bool sound = code < SVMC_HCALL_ALL_CODES && bad <= 6 && code != SVMC_HCALL_PARTIAL;
            uint64_t want = code | 0x123ull << 32 | (code == SVMC_HCALL_BAD_ARG ? bad << 16 : 0) |
                            (code == SVMC_HCALL_RETRY ? 0x5a00000u : 0);

            arguments(arg);
            CHECK_EQ(dispatch(hcall_word(LAB_CODE)), sound ? SVMC_OK : SVMC_ERR_CALLBACK);
            CHECK_EQ(out.status, sound ? want : SVMC_HCALL_FAILED, "%u %u", (unsigned)code,
                     (unsigned)bad);
            CHECK_EQ(out.end, sound ? SVMC_HCALL_DONE : SVMC_HCALL_BROKEN);
            CHECK_EQ(out.results, sound && code == 0 ? 6 : 0);
            CHECK_EQ(call.arg[0], sound && code == 0 ? 99 : code);
        }
    arguments((const uint64_t[6]){ 0, 0, 0, 0x1000 });
    CHECK_EQ(dispatch(hcall_word(LAB_CODE)), SVMC_ERR_CALLBACK); /* more than 4095 done */
}

/* HN-5 as a reader sees it: each field has the caller's bit. */
static bool may(uint64_t bits, unsigned user, const struct svmc_hcall_place *p)
{
    return (user ? bits & SVMC_HCALL_USER : bits & SVMC_HCALL_KERNEL) != 0 &&
           (bits & SVMC_HCALL_LEVEL(p->level)) != 0 && (bits & SVMC_HCALL_ROLE(p->role)) != 0 &&
           (bits & SVMC_HCALL_PHASE(p->phase)) != 0 && (bits & SVMC_HCALL_NESTED(p->nested)) != 0;
}

TEST(hcall, nobody_calls_who_may_not) /* HN-5 */
{
    struct svmc_hcall_place place = hcall_lab_place;
    unsigned wrong = 0, made = 0;

    hcall_lab_init(&lab);
    for (unsigned user = 0; user < 2; user++)
        for (unsigned i = 0; i < 4 * 16 * 8 * 4; i++)
            for (unsigned c = 0; c < hcall_lab_owner.call_count; c++) {
                const struct svmc_hcall_entry *e = &hcall_lab_calls[c];
                unsigned before = lab.handled;
                bool permitted;

                if (e->number != LAB_SUM && e->number != LAB_KERNEL && e->number != LAB_NEW &&
                    e->number != LAB_STEPS)
                    continue;
                place.level = i & 3;
                place.role = i >> 2 & 15;
                place.phase = i >> 6 & 7;
                place.nested = (uint8_t)(i >> 9);
                wrong += svmc_hcall_vcpu_move(&lab.vcpu, &place) != SVMC_OK;
                arguments(good);
                call.user = (uint8_t)user;
                permitted = may(e->may, user, &place);
                wrong += code_of(hcall_word(e->number)) !=
                         (permitted ? SVMC_HCALL_OK : SVMC_HCALL_DENIED);
                wrong += lab.handled != before + permitted;
                made += permitted;
            }
    CHECK_EQ(wrong, 0);
    CHECK(made > 1000);
}

TEST(hcall, refusal_can_be_the_exception) /* HN-6 */
{
    static const struct {
        uint8_t isa, vector[2], has_error[2]; /* by role, by privilege */
    } rows[] = {
        { SVMC_ISA_X86_64, { 6, 13 }, { 0, 1 } },
        { SVMC_ISA_A64, { 0, 0 }, { 1, 1 } },
        { SVMC_ISA_RV64, { 2, 2 }, { 0, 0 } },
        { SVMC_ISA_S390X, { 1, 2 }, { 0, 0 } },
    };

    hcall_lab_init(&lab);
    lab.vm.inject = 1;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned user = 0; user < 2; user++) {
            struct svmc_hcall_place place = { .isa = rows[i].isa,
                                              .role = user ? 1 : 9,
                                              .phase = 2 };
            struct svmc_hcall_call was;

            CHECK_EQ(svmc_hcall_vcpu_move(&lab.vcpu, &place), SVMC_OK);
            arguments(good);
            call.control = hcall_word(LAB_KERNEL);
            call.user = (uint8_t)user;
            was = call;
            CHECK_EQ(dispatch(hcall_word(LAB_KERNEL)), SVMC_OK);
            CHECK_EQ(out.end, SVMC_HCALL_INJECT);
            CHECK_EQ(out.status, SVMC_HCALL_DENIED);
            CHECK(out.fault.raised == 1 && out.fault.error == 0);
            CHECK_EQ(out.fault.vector, rows[i].vector[user], "%u", i);
            CHECK_EQ(out.fault.has_error, rows[i].has_error[user], "%u", i);
            CHECK_MEM(&was, &call, sizeof was, "registers");
        }
    CHECK_EQ(lab.handled, 0);
    CHECK_EQ(svmc_hcall_vcpu_move(&lab.vcpu, &hcall_lab_place), SVMC_OK);
    arguments((const uint64_t[6]){ 1, 9 });
    CHECK_EQ(code_of(hcall_word(LAB_SUM)), SVMC_HCALL_BAD_ARG); /* no other refusal does */
}

/* HN-7 again, from the kinds' names. */
static bool in_order(unsigned n, uint64_t v)
{
    switch (n) {
    case 0:
        return v <= 0xffffffff;
    case 1:
        return v <= 5;
    case 2:
        return v == 0 || v == 1 || v == 4 || v == 5 || v == 16 || v == 17 || v == 20 || v == 21;
    case 3:
        return v % 4096 == 0;
    case 4:
        return v >= 10 && v <= 20;
    default:
        return v <= 255;
    }
}

TEST(hcall, every_bit_of_an_argument_counts) /* HN-7 HN-8 */
{
    uint64_t rng = harness_seed();
    unsigned wrong = 0, held = 0;

    hcall_lab_init(&lab);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t arg[6];
        unsigned bad = 0;

        memcpy(arg, good, sizeof arg);
        for (unsigned k = 0; k < 2; k++) {
            uint64_t r = harness_random(&rng);
            unsigned n = (unsigned)(r % 6);

            r >>= 8;
            arg[n] = r & 1   ? (uint64_t)1 << (r >> 1 & 63)
                     : r & 2 ? r >> 2 & 31
                             : (r << 3) >> (r & 60);
            arg[n] -= r >> 40 & 1;
        }
        for (unsigned n = 6; n-- > 0;)
            bad = in_order(n, arg[n]) ? bad : n + 1;
        arguments(arg);
        dispatch(hcall_word(LAB_SUM) | (i & 1 ? SVMC_HCALL_SIMD_DEAD : 0));
        wrong += out.status != (bad ? BAD(bad) : 0);
        held += !bad;
    }
    CHECK_EQ(wrong, 0);
    CHECK(held > 1000 && lab.handled == held);
}

/* Bytes of the guest's memory as they are when nothing was written. */
static uint8_t original(unsigned at)
{
    return (uint8_t)(at * 7 + at / 256);
}

TEST(hcall, buffers_are_copied_once) /* HN-9 HN-10 */
{
    const uint64_t arg[6] = { 4000, 5000, 16384 + 4090, 9000 };

    hcall_lab_init(&lab);
    arguments(arg);
    CHECK_EQ(code_of(hcall_word(LAB_COPY)), SVMC_HCALL_OK);
    CHECK_EQ(out.results, 1);
    CHECK_EQ(call.arg[0], 5000);
    for (unsigned i = 0; i < 5000; i++) /* the handler's view, though the memory changed under it */
        CHECK(lab.memory[16384 + 4090 + i] == original(4000 + 4999 - i), "%u", i);
    for (unsigned i = 5000; i < 9000; i++) /* what the handler did not fill stays */
        CHECK(lab.memory[16384 + 4090 + i] == original(16384 + 4090 + i), "%u", i);
    CHECK(lab.memory[16384 + 4089] == original(16384 + 4089));
    for (unsigned page = 0; page < 3; page++)
        CHECK(lab.spans[page][SVMC_ACCESS_READ] == 1, "page %u", page);
    for (unsigned page = 4; page < 8; page++)
        CHECK(lab.spans[page][SVMC_ACCESS_WRITE] == 1, "page %u", page);
    CHECK_EQ(lab.scratch[LAB_SCRATCH / 8], 0x5a5a5a5a5a5a5a5a, "scratch");
}

TEST(hcall, a_handler_cannot_give_more_than_there_is) /* HN-10 */
{
    const uint64_t arg[6] = { 0, 64, 16384, 32 };

    hcall_lab_init(&lab);
    lab.more_bytes = 33;
    arguments(arg);
    CHECK_EQ(code_of(hcall_word(LAB_COPY)), SVMC_HCALL_OK);
    CHECK_EQ(lab.memory[16384 + 31], original(32));
    CHECK_EQ(lab.memory[16384 + 32], original(16384 + 32));
    hcall_lab_init(&lab); /* nor does a buffer of another size than the call's own */
    arguments((const uint64_t[6]){ 4096 - 8 });
    CHECK_EQ(code_of(hcall_word(LAB_FIXED)), SVMC_HCALL_OK);
    for (unsigned i = 4096 - 16; i < 4096 + 32; i++)
        CHECK_EQ(lab.memory[i], (uint8_t)(original(i) + (i >= 4088 && i < 4112)), "%u", i);
}

TEST(hcall, buffers_that_are_not_there) /* HN-9 */
{
    static const struct {
        uint64_t arg[4];
        uint64_t want;
        uint32_t away, holes;
    } rows[] = {
        { { 0, 100, 16384, 100 }, 0, 0, 0 },
        { { 0, 0, 16384, 0 }, 0, ~0u, ~0u },
        { { 4000, 97, 16384, 1 }, SVMC_HCALL_FAULT | 1 << 16, 2, 0 },
        { { 4000, 96, 16384, 1 }, 0, 2, 0 },
        { { 4000, 97, 16384, 1 }, SVMC_HCALL_FAULT | 1 << 16, 0, 2 },
        { { 4000, 97, 16384, 1 }, SVMC_HCALL_FAULT | 3 << 16, 1 << 4, 0 },
        { { 4000, 97, 16384, 0 }, 0, 1 << 4, 0 },
        { { 0, 1, 16384, 12001 }, BAD(4), 0, 0 },
        { { 0, 0x100000000, 16384, 0 }, BAD(2), 0, 0 },
        { { 0, 0xffffffff, 16384, 0 }, BAD(1), 0, 0 },        /* more than there is scratch */
        { { 0, LAB_SCRATCH - 24, 16384, 17 }, BAD(3), 0, 0 }, /* 24 and a pointer to its page */
        { { 0, LAB_SCRATCH - 24, 16384, 16 }, 0, 0, 0 },
        { { 0, LAB_SCRATCH - 24, 20476, 16 }, BAD(3), 0, 0 }, /* two pages */
        { { ~0ull - 7, 9, 16384, 8 }, BAD(1), 0, 0 },         /* wraps */
        { { ~0ull - 7, 7, 16384, 8 }, 0, 0, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t was[LAB_MEMORY];

        hcall_lab_init(&lab);
        lab.away = rows[i].away;
        lab.holes = rows[i].holes;
        memcpy(was, lab.memory, sizeof was);
        memset(&call, 0, sizeof call);
        memcpy(call.arg, rows[i].arg, sizeof rows[i].arg);
        CHECK_EQ(code_of(hcall_word(LAB_COPY)), (uint16_t)rows[i].want, "%u", i);
        CHECK_EQ(out.status, rows[i].want, "%u", i);
        CHECK_EQ(lab.handled, rows[i].want == 0, "%u", i);
        if (rows[i].want != 0)
            CHECK_MEM(was, lab.memory, sizeof was, "%u", i);
    }
    hcall_lab_init(&lab);
    arguments((const uint64_t[6]){ LAB_MEMORY });
    CHECK_EQ(code_of(hcall_word(LAB_FIXED)), SVMC_HCALL_FAULT);
    arguments((const uint64_t[6]){ 4 });
    CHECK_EQ(code_of(hcall_word(LAB_FIXED)), SVMC_HCALL_BAD_ARG); /* not aligned */
    lab.lie = 1; /* a translation to another byte of the page */
    arguments((const uint64_t[6]){ 0, 8, 16384, 8 });
    CHECK_EQ(dispatch(hcall_word(LAB_COPY)), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.handled, 0);
}

TEST(hcall, a_handle_is_resolved_before_the_call) /* HN-9 */
{
    hcall_lab_init(&lab);
    lab.memory[0] = 42;
    arguments((const uint64_t[6]){ 0, 4711 });
    CHECK_EQ(code_of(hcall_word(LAB_HANDLE)), SVMC_HCALL_OK);
    CHECK_EQ(call.arg[0], 42);
    arguments((const uint64_t[6]){ 0, 4712 });
    CHECK_EQ(code_of(hcall_word(LAB_HANDLE)), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(out.status, BAD(2));
    CHECK_EQ(lab.handled, 1);
}

TEST(hcall, tokens_are_judged_last) /* HN-12 */
{
    static const struct {
        uint64_t class, verdict, flags;
        unsigned number, want;
    } rows[] = {
        { 2, 0, SVMC_HCALL_TOKEN, LAB_TOKEN, SVMC_HCALL_OK },
        { 3, 0, SVMC_HCALL_TOKEN | SVMC_HCALL_TAGGED, LAB_TOKEN, SVMC_HCALL_OK },
        { 1, 0, SVMC_HCALL_TOKEN, LAB_TOKEN, SVMC_HCALL_DENIED },
        { 15, 0, SVMC_HCALL_TOKEN, LAB_TOKEN, SVMC_HCALL_DENIED },
        { 2, 0, 0, LAB_TOKEN, SVMC_HCALL_NEED_TOKEN },
        { 2, 1, SVMC_HCALL_TOKEN, LAB_TOKEN, SVMC_HCALL_TOKEN_STALE },
        { 2, 2, SVMC_HCALL_TOKEN, LAB_TOKEN, SVMC_HCALL_DENIED },
        { 0, 0, SVMC_HCALL_TOKEN, LAB_TOKEN, 0xffff }, /* the gate's nonsense */
        { 16, 0, SVMC_HCALL_TOKEN, LAB_TOKEN, 0xffff },
        { 2, 0, SVMC_HCALL_TOKEN, LAB_SUM, SVMC_HCALL_DENIED }, /* for those without */
        { 2, 2, 0, LAB_SUM, SVMC_HCALL_OK },
        { 9, 0, SVMC_HCALL_TOKEN, LAB_STEPS, SVMC_HCALL_OK },
    };

    hcall_lab_init(&lab);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned before = lab.handled, gated = lab.gated;

        arguments(good);
        call.token[0] = rows[i].class;
        call.token[1] = rows[i].verdict;
        call.token[2] = 0x1234567890abcd00 + i;
        call.ip = 0xffff800000001000 + i;
        CHECK_EQ(code_of(hcall_word(rows[i].number) | rows[i].flags), rows[i].want, "%u", i);
        CHECK_EQ(lab.handled - before, rows[i].want == SVMC_HCALL_OK, "%u", i);
        CHECK_EQ(lab.gated - gated, rows[i].flags != 0, "%u", i);
        if (rows[i].want == SVMC_HCALL_OK) {
            CHECK_EQ(lab.seen.token_class, rows[i].flags ? rows[i].class : 0);
            CHECK_EQ(lab.seen.rights, rows[i].flags ? call.token[2] : 0);
            CHECK_EQ(lab.seen.token, rows[i].flags ? 0x10000 | lab.seen.vcpu : 0);
            CHECK_EQ(lab.seen.ip, call.ip);
        }
    }
    lab.gated = 0; /* from where the call may not be made no token is tried */
    CHECK_EQ(svmc_hcall_vcpu_move(
                 &lab.vcpu, &(struct svmc_hcall_place){ .isa = SVMC_ISA_X86_64, .nested = 1 }),
             SVMC_OK);
    CHECK_EQ(code_of(hcall_word(LAB_TOKEN) | SVMC_HCALL_TOKEN), SVMC_HCALL_DENIED);
    CHECK_EQ(lab.gated, 0);
}

TEST(hcall, a_dry_run_checks_alone) /* HN-13 */
{
    uint8_t was[LAB_MEMORY];

    hcall_lab_init(&lab);
    memcpy(was, lab.memory, sizeof was);
    arguments(good);
    CHECK_EQ(code_of(hcall_word(LAB_SUM) | SVMC_HCALL_DRY_RUN), SVMC_HCALL_OK);
    CHECK_EQ(out.results, 0);
    CHECK_MEM(call.arg, good, sizeof good);
    call.arg[5] = 256;
    CHECK_EQ(code_of(hcall_word(LAB_SUM) | SVMC_HCALL_DRY_RUN), SVMC_HCALL_BAD_ARG);
    arguments((const uint64_t[6]){ 0, 100, 16384, 100 });
    CHECK_EQ(code_of(hcall_word(LAB_COPY) | SVMC_HCALL_DRY_RUN), SVMC_HCALL_OK);
    lab.away = 1 << 4;
    CHECK_EQ(code_of(hcall_word(LAB_COPY) | SVMC_HCALL_DRY_RUN), SVMC_HCALL_FAULT);
    arguments((const uint64_t[6]){ 3 });
    CHECK_EQ(code_of(hcall_word(LAB_STEPS) | SVMC_HCALL_DRY_RUN), SVMC_HCALL_OK);
    CHECK_EQ(lab.handled, 0);
    CHECK_MEM(was, lab.memory, sizeof was);
}

/* HN-11: whichever callback fails, and when: no register, no memory; and then it can be done. */
TEST(hcall, any_callback_can_fail)
{
    static const struct {
        uint64_t arg[6];
        unsigned number, calls;
        uint64_t flags;
    } rows[] = {
        { { 4000, 5000, 16384 + 4090, 9000 }, LAB_COPY, 14, 0 }, /* 3 and 4 pages, both callbacks */
        { { 4088 }, LAB_FIXED, 2, 0 },
        { { 0, 4711 }, LAB_HANDLE, 1, 0 },
        { { 2 }, LAB_TOKEN, 1, SVMC_HCALL_TOKEN },
    };
    static uint8_t was[LAB_MEMORY];

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned k = 1; k <= rows[i].calls + 1; k++) {
            hcall_lab_init(&lab);
            memcpy(was, lab.memory, sizeof was);
            arguments(rows[i].arg);
            call.token[0] = 2;
            lab.fail_at = k;
            CHECK_EQ(dispatch(hcall_word(rows[i].number) | rows[i].flags),
                     k <= rows[i].calls ? SVMC_ERR_CALLBACK : SVMC_OK, "%u %u", i, k);
            CHECK_EQ(lab.handled, k > rows[i].calls, "%u %u", i, k);
            if (k > rows[i].calls)
                continue;
            CHECK_EQ(out.end, SVMC_HCALL_BROKEN);
            CHECK_MEM(was, lab.memory, sizeof was);
            CHECK_MEM(call.arg, rows[i].arg, sizeof call.arg);
            CHECK_EQ(code_of(hcall_word(rows[i].number) | rows[i].flags), SVMC_HCALL_OK);
        }
    hcall_lab_init(&lab); /* the MAC fails before the handler runs */
    lab.crypto.fail_at = 1;
    arguments((const uint64_t[6]){ 3 });
    CHECK_EQ(dispatch(hcall_word(LAB_STEPS)), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.handled, 0);
}

TEST(hcall, registers_are_those_of_the_document) /* HN-2 */
{
    static const struct {
        uint8_t isa, first, reg[17];
    } rows[] = {
        { SVMC_ISA_X86_64,
          SVMC_REG_RAX,
          { SVMC_REG_RAX, SVMC_REG_RDI, SVMC_REG_RSI, SVMC_REG_R8, SVMC_REG_R9, SVMC_REG_R10,
            SVMC_REG_R11, SVMC_REG_RAX, SVMC_REG_RDI, SVMC_REG_RSI, SVMC_REG_R8, SVMC_REG_R9,
            SVMC_REG_R10, SVMC_REG_R11, SVMC_REG_R12, SVMC_REG_R13, SVMC_REG_R14 } },
        { SVMC_ISA_A64, SVMC_REG_X0, { 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10 } },
        { SVMC_ISA_RV64,
          SVMC_REG_RV_X0, /* a6; a0-a5; a0; a1-a6; t4-t6 */
          { 16, 10, 11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15, 16, 29, 30, 31 } },
        { SVMC_ISA_S390X,
          SVMC_REG_S390_R0,
          { 1, 2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6, 7, 1, 8, 9, 10 } },
    };

    for (unsigned i = 0; i < 4; i++)
        for (unsigned n = 0; n < 17; n++)
            CHECK_EQ(svmc_hcall_reg((enum svmc_isa)rows[i].isa, n), rows[i].first + rows[i].reg[n]);
    CHECK_EQ(svmc_hcall_reg(SVMC_ISA_X86_64, 17), SVMC_REG_NONE);
    CHECK_EQ(svmc_hcall_reg(SVMC_ISA_X86_32, 0), SVMC_REG_NONE);
}
