/* SPDX-License-Identifier: MIT */
/* Measured ranges: who may change a page, trapped writes, the way to the caller's code. */
#include "../harness.h"
#include "measure_lab.h"

#define TOKEN 9u
#define ROOT  (LAB_ROOT + 0x1000u * TOKEN)

static struct measure_lab lab, was;
static enum svmc_measure_why why;
static uint32_t code, data, other_code, other_data;

/* Two programs: code in frames 0 to 2, data in 4 to 7; of the other 10 to 11 and 12 to 13. */
static void start(uint64_t seed)
{
    lab_start(&lab, seed);
    if (lab_add(&lab, 0, 3, TOKEN, 1, &code, NULL) != SVMC_OK ||
        lab_add(&lab, 4, 4, TOKEN, 0, &data, NULL) != SVMC_OK ||
        lab_add(&lab, 10, 2, 5, 1, &other_code, NULL) != SVMC_OK ||
        lab_add(&lab, 12, 2, 5, 0, &other_data, NULL) != SVMC_OK)
        abort();
    lab.crypto.calls = 0;
}

/* Whole rounds, after the end of one that is on. */
static unsigned scan_rounds(unsigned rounds)
{
    struct svmc_measure_stand out;
    uint32_t end = lab.m.priv.rounds + rounds + (lab.m.priv.at != 0);
    unsigned found = 0;

    do {
        if (!CHECK_EQ(svmc_measure_scan(&lab.m, 5, &out), SVMC_OK))
            return found;
        found += out.event.kind != SVMC_MEASURE_NOTHING;
    } while (out.rounds < end);
    return found;
}

static enum svmc_status open_page(unsigned frame)
{
    struct svmc_token_caller caller = lab_caller(ROOT, 0);

    return svmc_measure_open(&lab.m, data, (svmc_gpa){ lab_at(frame) + 17 }, &caller, TOKEN, &why);
}

static enum svmc_status close_page(unsigned frame)
{
    struct svmc_token_caller caller = lab_caller(ROOT, 0);

    return svmc_measure_close(&lab.m, data, (svmc_gpa){ lab_at(frame) + 17 }, &caller, TOKEN, &why);
}

static enum svmc_measure_verdict write_by(const struct svmc_token_caller *who, unsigned frame,
                                          uint32_t offset, uint32_t n,
                                          struct svmc_measure_event *event)
{
    enum svmc_measure_verdict verdict;

    CHECK_EQ(
        svmc_measure_write(&lab.m, (svmc_gpa){ lab_at(frame) + offset }, n, who, &verdict, event),
        SVMC_OK);
    return verdict;
}

/* ---- open and close --------------------------------------------------------------------------*/

/* Who is not the holder, one difference each. */
enum odd {
    ODD_VM,
    ODD_GENERATION,
    ODD_ROOT,
    ODD_PRIVILEGE,
    ODD_ISA,
    ODD_CODE,
    ODD_OTHERS_CODE,
    ODD_DATA,
    ODDS
};
static const char *odd_names[] = { "VM",  "generation",        "address space",  "privilege",
                                   "ISA", "not measured code", "another's code", "data" };

static struct svmc_token_caller odd_one(enum odd odd)
{
    struct svmc_token_caller caller = lab_caller(ROOT, 0);

    caller.vm ^= odd == ODD_VM;
    caller.vm_generation ^= odd == ODD_GENERATION;
    caller.root ^= odd == ODD_ROOT ? 0x1000 : 0;
    caller.user ^= odd == ODD_PRIVILEGE;
    caller.isa ^= odd == ODD_ISA;
    caller.frame = odd == ODD_CODE          ? lab_at(20)
                   : odd == ODD_OTHERS_CODE ? lab_at(10)
                   : odd == ODD_DATA        ? lab_at(5)
                                            : caller.frame;
    return caller;
}

TEST(measure_guard, only_its_holder_opens_a_page) /* ME-5 ME-11 ME-19 A13 A15 */
{
    struct svmc_token_caller caller = lab_caller(ROOT, 0);
    svmc_gpa page = { lab_at(5) };

    start(1);
    lab_keep(&was, &lab);
    for (enum odd odd = 0; odd < ODDS; odd++) {
        struct svmc_token_caller who = odd_one(odd);

        CHECK_EQ(svmc_measure_open(&lab.m, data, page, &who, TOKEN, &why), SVMC_ERR_AUTH, "%s",
                 odd_names[odd]);
        CHECK_EQ(why, odd < ODD_CODE ? SVMC_MEASURE_WHO : SVMC_MEASURE_CODE, "%s", odd_names[odd]);
    }
    CHECK_EQ(svmc_measure_open(&lab.m, data, page, &caller, 5, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_TOKEN);
    CHECK_EQ(svmc_measure_open(&lab.m, other_data, (svmc_gpa){ lab_at(12) }, &caller, TOKEN, &why),
             SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_TOKEN, "another's range");
    CHECK_EQ(svmc_measure_open(&lab.m, data, (svmc_gpa){ lab_at(12) }, &caller, TOKEN, &why),
             SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_FRAME, "another's page by one's own range");
    CHECK_EQ(svmc_measure_open(&lab.m, data, (svmc_gpa){ lab_at(1) }, &caller, TOKEN, &why),
             SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_FRAME, "a page of another range of one's own");
    CHECK_EQ(svmc_measure_open(&lab.m, data, (svmc_gpa){ lab_at(30) }, &caller, TOKEN, &why),
             SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_FRAME);
    CHECK_EQ(svmc_measure_open(&lab.m, data ^ 0x70000, page, &caller, TOKEN, &why), SVMC_ERR_STALE);
    CHECK_EQ(why, SVMC_MEASURE_RANGE);
    CHECK_EQ(svmc_measure_open(&lab.m, data, page, NULL, TOKEN, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_open(NULL, data, page, &caller, TOKEN, &why), SVMC_ERR_ARG);
    CHECK(lab_same(&lab, &was));
    CHECK_EQ(svmc_measure_open(&lab.m, data, page, &caller, TOKEN, NULL), SVMC_OK);
    CHECK_EQ(svmc_measure_open(&lab.m, data, page, &caller, TOKEN, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_IS_OPEN);
}

TEST(measure_guard, only_its_holder_closes_it) /* ME-5 ME-12 */
{
    struct svmc_token_caller caller = lab_caller(ROOT, 1);
    svmc_gpa page = { lab_at(5) };

    start(2);
    CHECK_EQ(close_page(5), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_NOT_OPEN);
    REQUIRE(open_page(5) == SVMC_OK);
    lab_keep(&was, &lab);
    for (enum odd odd = 0; odd < ODDS; odd++) {
        struct svmc_token_caller who = odd_one(odd);

        CHECK_EQ(svmc_measure_close(&lab.m, data, page, &who, TOKEN, &why), SVMC_ERR_AUTH, "%s",
                 odd_names[odd]);
    }
    CHECK_EQ(svmc_measure_close(&lab.m, data, page, &caller, 5, &why), SVMC_ERR_AUTH);
    CHECK_EQ(svmc_measure_close(&lab.m, data, page, NULL, TOKEN, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_close(NULL, data, page, &caller, TOKEN, &why), SVMC_ERR_ARG);
    lab.away = 1u << 5;
    CHECK_EQ(svmc_measure_close(&lab.m, data, page, &caller, TOKEN, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_FRAME, "its memory has gone");
    lab.away = 0;
    CHECK(lab_same(&lab, &was));
    CHECK_EQ(svmc_measure_close(&lab.m, data, page, &caller, TOKEN, NULL), SVMC_OK,
             "from another of its pages");
    REQUIRE(open_page(5) == SVMC_OK);
    lab.m.priv.version = ((uint64_t)1 << 48) - 1;
    CHECK_EQ(close_page(5), SVMC_ERR_FULL);
}

TEST(measure_guard, a_change_ends_in_a_new_version) /* ME-12 ME-2 A11 */
{
    static uint8_t old_mac[SVMC_HASH_BYTES];
    static uint64_t old_page[SVMC_MEASURE_PAGE_BYTES / 8];
    uint64_t old_state;

    start(3);
    memcpy(old_page, lab.memory[5], sizeof old_page);
    memcpy(old_mac, lab.pages[4].priv.mac, sizeof old_mac);
    old_state = lab.pages[4].priv.state;
    REQUIRE(lab.pages[4].priv.frame == lab_at(5));
    REQUIRE(open_page(5) == SVMC_OK);
    lab.memory[5][7]++;
    CHECK_EQ(scan_rounds(2), 0, "nothing can be said while it is open");
    REQUIRE(close_page(5) == SVMC_OK);
    CHECK(lab.pages[4].priv.state >> 16 > old_state >> 16);
    CHECK_EQ(scan_rounds(2), 0);
    memcpy(lab.memory[5], old_page, sizeof old_page); /* what it held before, with its MAC */
    memcpy(lab.pages[4].priv.mac, old_mac, sizeof old_mac);
    CHECK_EQ(scan_rounds(1), 1, "replayed");
}

TEST(measure_guard, open_does_not_bless) /* ME-11 ME-8 */
{
    struct svmc_token_caller caller = lab_caller(ROOT, 0);

    start(4);
    lab.memory[5][7]++; /* by a stranger, and no scan came by */
    CHECK_EQ(open_page(5), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_CHANGED);
    lab.memory[5][7]--;
    CHECK_EQ(open_page(5), SVMC_ERR_AUTH, "found is found");
    CHECK_EQ(close_page(5), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_NOT_OPEN);
    caller = lab_caller(ROOT, 2);
    lab.memory[2][0]++;
    CHECK_EQ(scan_rounds(1), 2, "this one, and what open has found");
    CHECK_EQ(svmc_measure_open(&lab.m, data, (svmc_gpa){ lab_at(6) }, &caller, TOKEN, &why),
             SVMC_ERR_AUTH, "from code that was changed");
    CHECK_EQ(why, SVMC_MEASURE_CODE);
}

TEST(measure_guard, what_open_finds_is_told_by_a_scan) /* ME-8 ME-11 A13 */
{
    struct svmc_measure_stand out;

    for (unsigned gone = 0; gone < 2; gone++) {
        start(32 + gone);
        lab.memory[5][7] += !gone;
        lab.away = gone ? 1u << 5 : 0;
        CHECK_EQ(open_page(5), SVMC_ERR_AUTH);
        CHECK_EQ(why, SVMC_MEASURE_CHANGED);
        lab.memory[5][7] -= !gone; /* the evidence is put away */
        lab.away = 0;
        CHECK_EQ(open_page(5), SVMC_ERR_AUTH);
        REQUIRE(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(5) }) == SVMC_OK);
        lab.spans = 0;
        REQUIRE(svmc_measure_scan(&lab.m, 2, &out) == SVMC_OK);
        CHECK_EQ(out.event.kind, gone ? SVMC_MEASURE_GONE : SVMC_MEASURE_DIFFERS);
        CHECK_EQ(out.event.frame, lab_at(5));
        CHECK_EQ(out.event.range, data);
        CHECK_EQ(out.event.token, TOKEN);
        CHECK_EQ(out.looks, 1, "the event ended the call");
        CHECK_EQ(lab.spans, 0, "and nothing was read");
        CHECK_EQ(scan_rounds(2), 0, "told once");
        start(34 + gone); /* without a hint, in the rounds */
        lab.memory[6][7] ^= 1;
        CHECK_EQ(open_page(6), SVMC_ERR_AUTH);
        CHECK_EQ(scan_rounds(1), 1);
        CHECK_EQ(scan_rounds(2), 0);
    }
}

TEST(measure_guard, code_is_never_opened) /* ME-6 ME-11 A13 */
{
    struct svmc_measure_event event;

    start(31);
    lab_keep(&was, &lab);
    for (unsigned by = 0; by < 3; by++)
        for (unsigned page = 0; page < 3; page++) { /* itself, and its neighbours */
            struct svmc_token_caller caller = lab_caller(ROOT, by);
            svmc_gpa at = { lab_at(page) };

            why = SVMC_MEASURE_GRANTED;
            CHECK_EQ(svmc_measure_open(&lab.m, code, at, &caller, TOKEN, &why), SVMC_ERR_AUTH);
            CHECK_EQ(why, SVMC_MEASURE_CODE);
            CHECK_EQ(write_by(&caller, page, 0, 64, &event), SVMC_MEASURE_REFUSE);
            CHECK_EQ(svmc_measure_close(&lab.m, code, at, &caller, TOKEN, &why), SVMC_ERR_AUTH);
            CHECK_EQ(why, SVMC_MEASURE_CODE);
        }
    CHECK(lab_same(&lab, &was));
}

TEST(measure_guard, measured_first_and_held_then) /* ME-5 K2 A12 */
{
    struct svmc_token_caller caller = lab_caller(LAB_ROOT, 16); /* of a token of 0 */
    struct svmc_measure_event event;
    uint32_t first, second, elsewhere;
    svmc_gpa page = { lab_at(20) };

    start(30);
    REQUIRE(lab_add(&lab, 16, 2, 0, 1, &first, NULL) == SVMC_OK);
    REQUIRE(lab_add(&lab, 20, 2, 0, 0, &second, NULL) == SVMC_OK);
    CHECK_EQ(svmc_measure_open(&lab.m, second, page, &caller, 0, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_CODE, "nobody is no holder");
    CHECK_EQ(write_by(&caller, 20, 0, 8, &event), SVMC_MEASURE_REFUSE_EVENT);
    lab_keep(&was, &lab);
    CHECK_EQ(svmc_measure_hold(NULL, first, 77, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_hold(&lab.m, first, 0, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_hold(&lab.m, first + 0x10000, 77, &why), SVMC_ERR_STALE);
    CHECK_EQ(why, SVMC_MEASURE_RANGE);
    CHECK_EQ(svmc_measure_hold(&lab.m, data, 77, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_TOKEN, "it is held");
    CHECK_EQ(svmc_measure_hold(&lab.m, first, TOKEN, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_WHO, "by a token of another address space");
    CHECK(lab_same(&lab, &was));
    CHECK_EQ(svmc_measure_hold(&lab.m, first, 77, &why), SVMC_OK);
    CHECK_EQ(svmc_measure_hold(&lab.m, second, 77, NULL), SVMC_OK);
    CHECK_EQ(svmc_measure_hold(&lab.m, second, 77, NULL), SVMC_ERR_AUTH, "once");
    CHECK_EQ(svmc_measure_open(&lab.m, second, page, &caller, 77, &why), SVMC_OK);
    CHECK_EQ(write_by(&caller, 20, 0, 8, &event), SVMC_MEASURE_ALLOW);
    caller = lab_caller(LAB_ROOT + 0x5000, 25);
    {
        svmc_gpa frame = { lab_at(25) };
        struct svmc_measure_spec spec = { .frames = &frame, .count = 1, .caller = &caller };

        REQUIRE(svmc_measure_unload(&lab.m, other_data, 0, &second, NULL) == SVMC_OK);
        REQUIRE(svmc_measure_unload(&lab.m, other_code, 0, &second, NULL) == SVMC_OK);
        REQUIRE(lab_add(&lab, 24, 1, 0, 0, &first, NULL) == SVMC_OK);
        CHECK_EQ(svmc_measure_add(&lab.m, &spec, &elsewhere, &why), SVMC_OK, "two unheld ones");
        CHECK_EQ(svmc_measure_hold(&lab.m, elsewhere, 77, &why), SVMC_ERR_AUTH);
    }
    CHECK_EQ(scan_rounds(1), 0);
}

/* ---- writes ----------------------------------------------------------------------------------*/

TEST(measure_guard, a_write_is_its_holders_and_announced) /* ME-13 A10 A13 */
{
    struct svmc_token_caller holder = lab_caller(ROOT, 2);
    struct svmc_measure_event event;
    enum svmc_measure_verdict verdict = SVMC_MEASURE_ALLOW;

    start(5);
    CHECK_EQ(write_by(&holder, 30, 0, 8, &event), SVMC_MEASURE_NOT_OURS);
    CHECK_EQ(write_by(&holder, 5, 0, 8, &event), SVMC_MEASURE_REFUSE, "not opened");
    CHECK_EQ(event.kind, SVMC_MEASURE_NOTHING);
    for (unsigned opened = 0; opened < 2; opened++) {
        for (enum odd odd = 0; odd < ODDS; odd++) {
            struct svmc_token_caller who = odd_one(odd);

            CHECK_EQ(write_by(&who, 5, 4088, 8, &event), SVMC_MEASURE_REFUSE_EVENT, "%s",
                     odd_names[odd]);
            CHECK_EQ(event.kind, SVMC_MEASURE_WRITTEN, "%s", odd_names[odd]);
            CHECK_EQ(event.frame, lab_at(5));
            CHECK_EQ(event.range, data);
            CHECK_EQ(event.token, TOKEN);
        }
        CHECK_EQ(write_by(NULL, 5, 0, 1, &event), SVMC_MEASURE_REFUSE_EVENT, "a device");
        CHECK_EQ(event.kind, SVMC_MEASURE_WRITTEN);
        CHECK_EQ(write_by(&holder, 12, 0, 1, &event), SVMC_MEASURE_REFUSE_EVENT, "another's page");
        REQUIRE(opened || open_page(5) == SVMC_OK);
    }
    CHECK_EQ(write_by(&holder, 5, 4088, 8, &event), SVMC_MEASURE_ALLOW);
    CHECK_EQ(write_by(&holder, 6, 4088, 8, &event), SVMC_MEASURE_REFUSE, "its neighbour");
    REQUIRE(close_page(5) == SVMC_OK);
    CHECK_EQ(write_by(&holder, 5, 4088, 8, &event), SVMC_MEASURE_REFUSE, "closed");
    for (unsigned i = 0; i < 5; i++) {
        svmc_gpa at = { lab_at(5) + (i == 0 ? 4089 : i == 1 ? 4095 : 0) };
        uint32_t n = i == 0 ? 8 : i == 1 ? 2 : i == 2 ? 4097 : i == 3 ? 0 : 1;

        memset(&event, 0xee, sizeof event);
        verdict = SVMC_MEASURE_ALLOW;
        CHECK_EQ(svmc_measure_write(i == 4 ? NULL : &lab.m, at, n, &holder, &verdict, &event),
                 SVMC_ERR_ARG, "%u", i);
        CHECK_EQ(verdict, SVMC_MEASURE_REFUSE_EVENT);
        CHECK_EQ(event.kind, SVMC_MEASURE_NOTHING);
    }
    CHECK_EQ(svmc_measure_write(&lab.m, (svmc_gpa){ 0 }, 1, &holder, NULL, &event), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_write(&lab.m, (svmc_gpa){ 0 }, 1, &holder, &verdict, NULL), SVMC_ERR_ARG);
}

TEST(measure_guard, changed_and_restored_is_caught_by_the_trap_always) /* ME-13 A10 */
{
    struct svmc_token_caller hostile = lab_caller(ROOT + 0x2000, 20);
    struct svmc_measure_event event;
    uint64_t rng = 6;
    unsigned events = 0;

    start(6);
    for (unsigned i = 0; i < 4000; i++) { /* a change, and what takes it back; scans as they come */
        uint64_t pick = harness_random(&rng);
        unsigned frame = 4 + (pick & 3);
        uint64_t *word = &lab.memory[frame][pick >> 2 & 511], old = *word;
        struct svmc_measure_stand out;

        for (unsigned step = 0; step < 2; step++) {
            enum svmc_measure_verdict verdict =
                write_by(&hostile, frame, (uint32_t)(pick >> 2 & 511) * 8, 8, &event);

            if (verdict == SVMC_MEASURE_ALLOW || verdict == SVMC_MEASURE_NOT_OURS)
                *word = step ? old : ~old;
            events += verdict == SVMC_MEASURE_REFUSE_EVENT && event.frame == lab_at(frame);
            if (pick >> 20 & 1)
                CHECK_EQ(svmc_measure_scan(&lab.m, 1, &out), SVMC_OK);
        }
    }
    CHECK_EQ(events, 8000);
    CHECK_EQ(scan_rounds(1), 0, "and nothing has changed");
}

/* ---- paths -----------------------------------------------------------------------------------*/

static struct svmc_measure_path path;
static const struct svmc_measure_path no_path;

static void take(unsigned frame)
{
    struct svmc_token_caller caller = lab_caller(ROOT, frame);

    caller.frame = 0; /* nobody has walked yet */
    if (svmc_measure_path_take(&lab.m, &caller, &path, &why) != SVMC_OK)
        abort();
}

static void checked(const struct svmc_token_caller *caller, enum svmc_measure_why want,
                    const char *name)
{
    uint64_t frame = 77;
    enum svmc_status st = svmc_measure_path_check(&lab.m, caller, &path, &frame, &why);

    CHECK_EQ(st,
             want == SVMC_MEASURE_GRANTED   ? SVMC_OK
             : want == SVMC_MEASURE_VERSION ? SVMC_ERR_STALE
                                            : SVMC_ERR_AUTH,
             "%s", name);
    CHECK_EQ(why, want, "%s", name);
    CHECK_EQ(frame, want == SVMC_MEASURE_GRANTED ? lab_at(1) : 0, "%s", name);
}

TEST(measure_guard, a_path_leads_to_code_of_the_caller) /* ME-14 */
{
    static const struct {
        unsigned frame;
        enum svmc_measure_why why;
    } bad[] = {
        { 5, SVMC_MEASURE_CODE },  /* data */
        { 20, SVMC_MEASURE_CODE }, /* not measured */
        { 10, SVMC_MEASURE_WHO },  /* another's */
        { 40, SVMC_MEASURE_UNMAPPED },
    };
    struct svmc_token_caller caller;

    start(7);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        caller = lab_caller(ROOT, bad[i].frame);
        memset(&path, 0xee, sizeof path);
        CHECK_EQ(svmc_measure_path_take(&lab.m, &caller, &path, &why), SVMC_ERR_AUTH, "%u", i);
        CHECK_EQ(why, bad[i].why, "%u", i);
        CHECK_MEM(&path, &no_path, sizeof path);
    }
    caller = lab_caller(ROOT, 1);
    CHECK_EQ(svmc_measure_path_take(NULL, &caller, &path, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_path_take(&lab.m, NULL, &path, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_path_take(&lab.m, &caller, NULL, &why), SVMC_ERR_ARG);
    lab.memory[1][0]++;
    CHECK_EQ(scan_rounds(1), 1);
    CHECK_EQ(svmc_measure_path_take(&lab.m, &caller, &path, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_CODE, "changed");
    lab.ops.walk = NULL;
    caller = lab_caller(ROOT, 0);
    CHECK_EQ(svmc_measure_path_take(&lab.m, &caller, &path, &why), SVMC_ERR_ARG);
}

TEST(measure_guard, another_way_is_refused) /* ME-15 ME-16 A5 A15 K12 */
{
    struct svmc_token_caller caller = lab_caller(ROOT, 1), who;
    uint64_t old, frame;

    start(8);
    take(1);
    checked(&caller, SVMC_MEASURE_GRANTED, "as it was");
    for (enum odd odd = 0; odd < ODD_CODE; odd++) {
        who = odd_one(odd);
        who.page = caller.page;
        checked(&who, SVMC_MEASURE_WHO, odd_names[odd]);
    }
    lab.entry[20] = lab.entry[1];
    who = lab_caller(ROOT, 20);
    checked(&who, SVMC_MEASURE_ALIASED, "a second address of the same frame");
    old = lab.entry[1];
    lab.entry[1] = lab_at(20) | 0x25;
    checked(&caller, SVMC_MEASURE_REMAPPED, "another frame");
    lab.entry[1] = lab_at(0) | 0x25;
    checked(&caller, SVMC_MEASURE_REMAPPED, "another measured page");
    lab.entry[1] = 0;
    checked(&caller, SVMC_MEASURE_UNMAPPED, "none");
    lab.entry[1] = old | 0x40;
    checked(&caller, SVMC_MEASURE_GRANTED, "dirty is the processor's");
    lab.entry[1] = old ^ 0x20;
    checked(&caller, SVMC_MEASURE_GRANTED, "and so is accessed");
    for (unsigned bit = 0; bit < 64; bit++)
        if (bit != 5 && bit != 6 && bit != 0 && bit < 12) {
            lab.entry[1] = old ^ 1ull << bit;
            checked(&caller, SVMC_MEASURE_TABLE, "a bit of the entry");
        }
    lab.entry[1] = old;
    for (unsigned level = 0; level < LAB_LEVELS; level++) { /* a copy of a table elsewhere */
        lab.table[level] += 0x1000;
        checked(&caller, SVMC_MEASURE_TABLE, "another table");
        lab.table[level] -= 0x1000;
    }
    lab.lies = 1;
    CHECK_EQ(lab.ops.walk(&lab, &caller, &lab.lie), SVMC_OK);
    lab.lies = 0;
    CHECK_EQ(lab.ops.walk(&lab, &caller, &lab.lie), SVMC_OK);
    lab.lies = 1;
    checked(&caller, SVMC_MEASURE_GRANTED, "the same");
    lab.lie.levels = 3; /* what it leads to is a big page now, and the entries are still there */
    checked(&caller, SVMC_MEASURE_TABLE, "fewer levels");
    lab.lie.levels = 6;
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, &path, &frame, &why), SVMC_ERR_CALLBACK);
    lab.lie.levels = 4;
    lab.lie.frame += 8;
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, &path, &frame, &why), SVMC_ERR_CALLBACK);
    lab.lie.frame -= 8;
    lab.lie.reserved = 1;
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, &path, &frame, &why), SVMC_ERR_CALLBACK);
    lab.lie.reserved = 0;
    lab.lie.step[4].entry = 1;
    checked(&caller, SVMC_MEASURE_TABLE, "an entry too many");
    lab.lies = 0;
    checked(&caller, SVMC_MEASURE_GRANTED, "as it was");
    CHECK_EQ(svmc_measure_path_check(NULL, &caller, &path, &frame, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_path_check(&lab.m, NULL, &path, &frame, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, NULL, &frame, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, &path, NULL, &why), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, &no_path, &frame, &why), SVMC_ERR_ARG);
    path.priv.slot = LAB_PAGES;
    CHECK_EQ(svmc_measure_path_check(&lab.m, &caller, &path, &frame, &why), SVMC_ERR_ARG);
}

static void change_meanwhile(struct measure_lab *l)
{
    struct svmc_measure_stand out;

    l->on_walk = NULL;
    l->memory[1][9]++;
    for (out.event.kind = SVMC_MEASURE_NOTHING; out.event.kind == SVMC_MEASURE_NOTHING;)
        if (svmc_measure_scan(&l->m, 5, &out) != SVMC_OK)
            abort();
}

TEST(measure_guard, a_path_dies_with_what_was_measured) /* ME-15 ME-17 A5 A9 K12 */
{
    struct svmc_token_caller caller = lab_caller(ROOT, 1);
    struct svmc_measure_path old;
    uint32_t holder;

    start(9);
    take(1);
    lab.on_walk = change_meanwhile; /* by another vCPU */
    checked(&caller, SVMC_MEASURE_CHANGED, "found while it is walked");
    old = path;
    lab.memory[1][9]--;
    checked(&caller, SVMC_MEASURE_CHANGED, "and restored");
    REQUIRE(svmc_measure_unload(&lab.m, code, TOKEN, &holder, NULL) == SVMC_OK);
    checked(&caller, SVMC_MEASURE_VERSION, "unloaded");
    REQUIRE(lab_add(&lab, 0, 3, TOKEN, 1, &code, NULL) == SVMC_OK);
    path = old;
    checked(&caller, SVMC_MEASURE_VERSION, "and the same frames again");
    take(1);
    checked(&caller, SVMC_MEASURE_GRANTED, "a new way");
}

TEST(measure_guard, a_gate_is_code_of_its_token) /* ME-6 ME-11 ME-14 ME-17 A12 */
{
    struct svmc_token_caller caller = lab_caller(ROOT, 20), writer = lab_caller(ROOT + 0x1000, 20);
    svmc_gpa gate = { lab_at(20) }, page = { lab_at(5) };
    struct svmc_measure_spec spec = {
        .frames = &gate, .count = 1, .caller = &caller, .code = SVMC_MEASURE_FILLED
    };
    struct svmc_measure_event event;
    uint32_t range, holder;

    start(40);
    CHECK_EQ(svmc_measure_open(&lab.m, data, page, &caller, TOKEN, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_CODE, "the gate is not measured yet");
    lab_keep(&was, &lab);
    CHECK_EQ(svmc_measure_add(&lab.m, &spec, &range, NULL), SVMC_ERR_ARG, "measures no program");
    CHECK(lab_same(&lab, &was));
    spec.token = TOKEN;
    for (unsigned turn = 0; turn < 3; turn++) { /* filled, and again in each rotation */
        lab.memory[20][turn] ^= 0xc3;
        REQUIRE(svmc_measure_add(&lab.m, &spec, &range, &why) == SVMC_OK);
        caller.page = LAB_CODE + lab_at(20);
        REQUIRE(svmc_measure_path_take(&lab.m, &caller, &path, &why) == SVMC_OK);
        CHECK_EQ(svmc_measure_open(&lab.m, data, page, &caller, TOKEN, &why), SVMC_OK);
        CHECK_EQ(write_by(&caller, 5, 0, 8, &event), SVMC_MEASURE_ALLOW);
        CHECK_EQ(write_by(&writer, 5, 0, 8, &event), SVMC_MEASURE_REFUSE_EVENT);
        CHECK_EQ(svmc_measure_close(&lab.m, data, page, &caller, TOKEN, &why), SVMC_OK);
        CHECK_EQ(svmc_measure_open(&lab.m, range, gate, &caller, TOKEN, &why), SVMC_ERR_AUTH);
        REQUIRE(svmc_measure_unload(&lab.m, range, TOKEN, &holder, &why) == SVMC_OK);
    }
    REQUIRE(svmc_measure_add(&lab.m, &spec, &range, &why) == SVMC_OK);
    lab.memory[20][9] ^= 1;
    CHECK_EQ(scan_rounds(1), 1, "looked at as all others");
}

/* ---- callbacks that fail ---------------------------------------------------------------------*/

/* All of it: 0 to 8; what a step must give when nothing fails. */
static enum svmc_status step(unsigned n)
{
    struct svmc_token_caller caller = lab_caller(ROOT, 0);
    struct svmc_measure_stand scan, none = { 0 };
    static uint32_t more;
    enum svmc_status st = SVMC_OK;
    uint64_t frame;

    switch (n) {
    case 0:
        st = lab_add(&lab, 16, 3, TOKEN, 0, &more, &why);
        CHECK_EQ(more != 0, st == SVMC_OK);
        return st;
    case 1:
        st = lab_add(&lab, 20, 3, TOKEN, 1, &more, &why);
        CHECK_EQ(more != 0, st == SVMC_OK);
        return st;
    case 2:
        st = open_page(5);
        return st;
    case 3:
        return close_page(5);
    case 4:
        st = svmc_measure_path_take(&lab.m, &caller, &path, &why);
        CHECK_EQ(path.priv.levels != 0, st == SVMC_OK);
        return st;
    case 5:
        return svmc_measure_path_check(&lab.m, &caller, &path, &frame, &why);
    case 6:
        st = svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(6) });
        return st == SVMC_OK ? svmc_measure_scan(&lab.m, 2, &scan) : st;
    default:
        st = svmc_measure_scan(&lab.m, 1, &scan);
        if (st != SVMC_OK)
            CHECK_MEM(&scan, &none, sizeof scan);
        return st;
    }
}

TEST(measure_guard, a_callback_that_fails_changes_nothing) /* ME-18 */
{
    static const struct svmc_measure_stand none;
    struct svmc_measure_stand scan;

    for (unsigned n = 0; n < 8; n++) {
        unsigned k, failed = 0;

        for (k = 1; k < 60; k++) {
            start(10 + n);
            for (unsigned before = 0; before < n; before++)
                REQUIRE(step(before) == SVMC_OK);
            if (n == 6) { /* its hint, which is not lost */
                REQUIRE(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(6) }) == SVMC_OK);
            }
            lab.crypto.fail_at = lab.crypto.calls + k;
            lab_keep(&was, &lab);
            if (step(n) == SVMC_OK)
                break;
            failed++;
            if (n != 6 || lab.m.priv.hints == 1) /* 6 looks twice: the first may have counted */
                CHECK(lab_same(&lab, &was), "step %u, callback %u", n, k);
            CHECK_EQ(lab.crypto.open, 0);
            CHECK_EQ(step(n), SVMC_OK, "step %u again after callback %u", n, k);
            lab.crypto.fail_at = 0;
            CHECK_EQ(scan_rounds(2), 0);
            CHECK_EQ(scan_rounds(1), 0);
        }
        CHECK(failed >= (n == 4 || n == 5 ? 1 : 2), "step %u: %u", n, failed);
    }
    start(20); /* what a callback gives */
    lab.crooked = 1;
    lab_keep(&was, &lab);
    memset(&scan, 0xee, sizeof scan);
    CHECK_EQ(svmc_measure_scan(&lab.m, 3, &scan), SVMC_ERR_CALLBACK);
    CHECK_MEM(&scan, &none, sizeof scan);
    CHECK(lab_same(&lab, &was));
    CHECK_EQ(open_page(5), SVMC_ERR_CALLBACK);
    lab.crooked = 0;
    CHECK_EQ(scan_rounds(1), 0);
}
