/* SPDX-License-Identifier: MIT */
/*
 * Every callback of every scenario of A64 fails, waits, faults, lies or refuses at its k-th call,
 * for every k (EA-1 EA-5 EA-6 XE-2 XE-6 XE-7 XE-23).
 */
#include "a64_lab.h"

struct row {
    uint32_t word;
    char name[28];
    bool exclusive; /* a load-exclusive stands before it */
    bool whole;     /* it is aligned, or faults */
};

/* The base is X2, mostly. */
static const struct row rows[] = {
    { 0x39c00041, "ldrsb w1, [x2]", false, false },
    { 0xb9400041, "ldr w1, [x2]", false, false },
    { 0xf8408441, "ldr x1, [x2], #8", false, false },
    { 0x3dc00041, "ldr q1, [x2]", false, false },
    { 0xf9000041, "str x1, [x2]", false, false },
    { 0x3d800041, "str q1, [x2]", false, false },
    { 0xa9400c41, "ldp x1, x3, [x2]", false, false },
    { 0x69400c41, "ldpsw x1, x3, [x2]", false, false },
    { 0xad400c41, "ldp q1, q3, [x2]", false, false },
    { 0xa9810442, "stp x2, x1, [x2, #16]!", false, false },
    { 0xad000c41, "stp q1, q3, [x2]", false, false },
    { 0xf8400841, "ldtr x1, [x2]", false, false },
    { 0xc85f7c41, "ldxr x1, [x2]", false, true },
    { 0x887f0c41, "ldxp w1, w3, [x2]", false, true },
    { 0xc87f0c41, "ldxp x1, x3, [x2]", false, true },
    { 0xc8047c41, "stxr w4, x1, [x2]", true, true },
    { 0xc8047c41, "stxr w4, x1, [x2]", false, true },
    { 0xc8dffc41, "ldar x1, [x2]", false, true },
    { 0xc89ffc41, "stlr x1, [x2]", false, true },
    { 0xf8210043, "ldadd x1, x3, [x2]", false, true },
    { 0xf821805f, "swp x1, xzr, [x2]", false, true },
    { 0xc8a17c43, "cas x1, x3, [x2]", false, true },
    { 0x48247c46, "casp x4, x5, x6, x7, [x2]", false, true },
    { 0x4c407841, "ld1 { v1.4s }, [x2]", false, false },
    { 0x4cdf2041, "ld1 { v1.16b-v4.16b }, [x2]", false, false },
    { 0x4c40845f, "ld2 { v31.8h, v0.8h }", false, false },
    { 0x0cc54041, "ld3 { v1.8b-v3.8b }, x5", false, false },
    { 0x4c00ac41, "st1 { v1.2d, v2.2d }", false, false },
    { 0x4c004041, "st3 { v1.16b-v3.16b }", false, false },
    { 0x4c000041, "st4 { v1.16b-v4.16b }", false, false },
    { 0x0ddf3c41, "ld3 { v1.b-v3.b }[7]", false, false },
    { 0x0d205841, "st2 { v1.h, v2.h }[3]", false, false },
    { 0x4d60cc41, "ld2r { v1.2d, v2.2d }", false, false },
    { 0xf83fd040, "ld64b x0, [x2]", false, true },
    { 0xf83f9040, "st64b x0, [x2]", false, true },
    { 0xd50b7422, "dc zva, x2", false, false },
    { 0xd50b7a22, "dc cvac, x2", false, false },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* Where operands lie: on a multiple of 64, across a line, across a page, at its very end. */
static const uint32_t places[] = { 0x100, 0x13b, LAB_PAGE - 1, 2 * LAB_PAGE - 7, LAB_PAGE - 64 };
#define PLACES (sizeof places / sizeof places[0])

static void prepare(struct exec_lab *lab, const struct row *r, unsigned place, bool big)
{
    a64_lab_open(lab);
    for (unsigned i = 0; i < sizeof lab->ram; i++)
        lab->ram[i] = (uint8_t)(i * 7 + (i >> 8));
    for (unsigned i = 0; i < 31; i++)
        lab->a64.general[i] = 0x0102030405060708u * (i + 1);
    for (unsigned i = 0; i < 32 * 16; i++)
        lab->vector[i / 16][i % 16] = (uint8_t)(i * 5);
    lab->a64.general[2] = LAB_LINEAR + places[place];
    lab->a64.sctlr = big ? 1u << 25 : 0;
    if (r->exclusive)
        CHECK_EQ(exec_lab_word(lab, 0xc85f7c49), SVMC_OK); /* LDXR X9, [X2] */
    lab->logged = 0;
    lab->calls = 0;
    lab->a64.pc = LAB_LINEAR + 0x1000;
}

static bool is_same(const struct exec_lab *a, const struct exec_lab *b)
{
    return memcmp(&a->a64, &b->a64, sizeof a->a64) == 0 &&
           memcmp(a->ram, b->ram, sizeof a->ram) == 0 &&
           memcmp(a->vector, b->vector, sizeof a->vector) == 0;
}

/* XE-7: general registers as before; of memory and vectors, what was done was done right. */
static void check_partial(const struct row *r, const struct exec_lab *lab,
                          const struct exec_lab *before, const struct exec_lab *done, unsigned k)
{
    CHECK_EQ(lab->x.wait.kind, SVMC_EXEC_NO_ACCESS, "%s, call %u", r->name, k);
    CHECK(memcmp(&lab->a64, &before->a64, sizeof lab->a64) == 0, "%s, call %u", r->name, k);
    for (unsigned i = 0; i < sizeof lab->ram; i++)
        if (lab->ram[i] != before->ram[i])
            CHECK_EQ(lab->ram[i], done->ram[i], "%s, call %u: memory at %#x", r->name, k, i);
    for (unsigned i = 0; i < 32; i++)
        if (memcmp(lab->vector[i], before->vector[i], 16) != 0)
            CHECK_MEM(lab->vector[i], done->vector[i], 16, "%s, call %u: v%u", r->name, k, i);
}

static void check_fault(const struct row *r, const struct exec_lab *lab, unsigned code, unsigned k)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_FAULT, "%s, call %u", r->name, k);
    CHECK_EQ(lab->out.fault.vector, 0x25, "%s, call %u", r->name, k);
    CHECK_EQ(lab->out.fault.error & 0x3f, code, "%s, call %u", r->name, k);
    CHECK(lab->out.fault.address - lab->a64.general[2] < 128 ||
              lab->a64.general[2] - lab->out.fault.address < 64,
          "%s, call %u", r->name, k);
}

/* The kind of the k-th call: an access of memory alone can be refused. */
static bool is_memory(const struct exec_lab *lab)
{
    return lab->out.action == SVMC_EXEC_FAULT;
}

static void strike(const struct row *r, unsigned place, bool big, enum exec_lab_mode mode,
                   const struct exec_lab *done, unsigned k, bool copies)
{
    static struct exec_lab lab, before;
    enum svmc_status st;

    prepare(&lab, r, place, big);
    before = lab;
    lab.mode = mode;
    lab.fail_at = k;
    lab.copies = copies;
    lab.every = mode == LAB_BUSY && k == 1 && copies; /* all wait */
    st = exec_lab_word(&lab, r->word);
    exec_lab_check_callback(&lab, st, r->name);
    if (mode == LAB_BUSY) {
        CHECK_EQ(st, SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING, "%s, call %u", r->name, k);
        CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s, call %u", r->name, k);
        CHECK(is_same(&lab, done), "%s, place %u, call %u waits", r->name, place, k);
        CHECK(lab.logged == done->logged && lab.logged <= LAB_LOG &&
                  memcmp(lab.log, done->log, lab.logged * sizeof lab.log[0]) == 0,
              "%s, place %u, call %u waits", r->name, place, k);
        return;
    }
    if (mode == LAB_REFUSE && is_memory(&lab))
        check_fault(r, &lab, 0x10, k);
    else if (mode == LAB_FAULT && lab.out.action == SVMC_EXEC_FAULT)
        check_fault(r, &lab, 0x0f, k);
    else if (mode == LAB_FAIL || mode == LAB_REFUSE)
        CHECK_EQ(st, SVMC_ERR_CALLBACK, "%s, call %u", r->name, k);
    if (lab.out.action == SVMC_EXEC_DONE)
        CHECK(is_same(&lab, done), "%s, call %u", r->name, k);
    else
        check_partial(r, &lab, &before, done, k);
    if (mode == LAB_FAULT && lab.out.action == SVMC_EXEC_FAULT)
        CHECK(lab.logged == 0 && is_same(&lab, &before), "%s, call %u", r->name, k);
}

TEST(exec_a64, each_callback_fails_waits_faults_or_lies_at_each_call)
{
    static struct exec_lab done;
    unsigned scenarios = 0, strikes = 0;

    for (unsigned i = 0; i < ROWS * PLACES * 2; i++) {
        const struct row *r = &rows[i / 2 / PLACES];
        unsigned place = i / 2 % PLACES;
        bool big = i & 1;

        if (r->whole && places[place] % 64 != 0)
            continue;
        prepare(&done, r, place, big);
        CHECK_EQ(exec_lab_word(&done, r->word), SVMC_OK, "%s", r->name);
        if (!CHECK_EQ(done.out.action, SVMC_EXEC_DONE, "%s, place %u", r->name, place))
            continue;
        CHECK_EQ(done.out.accesses, done.logged, "%s", r->name);
        CHECK(done.logged <= SVMC_EXEC_ACCESSES_MAX, "%s: %u", r->name, done.logged);
        scenarios++;
        for (unsigned k = 1; k <= done.calls; k++)
            for (unsigned mode = LAB_FAIL; mode <= LAB_REFUSE; mode++) {
                strike(r, place, big, (enum exec_lab_mode)mode, &done, k, false);
                if (mode == LAB_BUSY)
                    strike(r, place, big, LAB_BUSY, &done, k, true);
                strikes += 1 + (mode == LAB_BUSY);
            }
    }
    CHECK(scenarios >= 200 && strikes >= 5000, "%u, %u", scenarios, strikes);
}
