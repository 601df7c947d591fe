/* SPDX-License-Identifier: MIT */
/*
 * RISC-V: every callback of every scenario fails, waits, faults or lies at its k-th call, for every
 * k (ER-1 XE-1 XE-6 XE-7 XE-15 XE-23).
 */
#include "rv_lab.h"

struct row {
    char name[16];
    uint32_t word;
    bool aligned, reserved;
};

/* rd x10, base x11, source x12. */
static const struct row rows[] = {
    { "lb", 0x00058503, false, false },       { "lh", 0x00059503, false, false },
    { "lw", 0x0005a503, false, false },       { "ld", 0x0005b503, false, false },
    { "lwu", 0x0005e503, false, false },      { "sb", 0x00c58023, false, false },
    { "sh", 0x00c59023, false, false },       { "sw", 0x00c5a023, false, false },
    { "sd", 0x00c5b023, false, false },       { "c.lw", 0x4188, false, false },
    { "c.ld", 0x6188, false, false },         { "c.sw", 0xc190, false, false },
    { "c.sd", 0xe190, false, false },         { "flh", 0x00059507, false, false },
    { "flw", 0x0005a507, false, false },      { "fld", 0x0005b507, false, false },
    { "flq", 0x0005c507, false, false },      { "fsh", 0x00c59027, false, false },
    { "fsw", 0x00c5a027, false, false },      { "fsd", 0x00c5b027, false, false },
    { "fsq", 0x00c5c027, false, false },      { "c.fld", 0x2188, false, false },
    { "c.fsd", 0xa190, false, false },        { "ld.aq", 0x3405b52f, true, false },
    { "sd.rl", 0x3ac5b02f, true, false },     { "lr.w", 0x1005a52f, true, false },
    { "lr.d", 0x1005b52f, true, false },      { "sc.w", 0x18c5a52f, true, true },
    { "sc.d", 0x18c5b52f, true, true },       { "amoadd.b", 0x00c5852f, true, false },
    { "amoswap.h", 0x08c5952f, true, false }, { "amoadd.w", 0x00c5a52f, true, false },
    { "amomax.d", 0xa0c5b52f, true, false },  { "amocas.w", 0x28c5a52f, true, false },
    { "amocas.d", 0x28c5b52f, true, false },  { "amocas.q", 0x28ca452f, true, false },
    { "cbo.zero", 0x0045a00f, false, false }, { "cbo.clean", 0x0015a00f, false, false },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* Where the operand lies: on a multiple of 16, off it, across a page in three ways. */
static const uint32_t places[] = { 0x100,        LAB_PAGE + 0x230, 0x13b,
                                   LAB_PAGE - 1, LAB_PAGE - 4,     2 * LAB_PAGE - 7 };
#define ALIGNED 2u
#define PLACES  (sizeof places / sizeof places[0])

static void prepare(struct exec_lab *lab, const struct row *r, unsigned place, bool device)
{
    uint64_t at = LAB_LINEAR + places[place];

    rv_lab_open(lab, SVMC_ISA_RV64);
    for (unsigned i = 0; i < sizeof lab->ram; i++)
        lab->ram[i] = (uint8_t)(i * 7 + (i >> 8));
    memset(lab->vector[12], 0x5a, 16);
    lab->device = device;
    lab->rv.general[10] = exec_lab_load(lab, at, 8);
    lab->rv.general[11] = at;
    lab->rv.general[20] = at;
    lab->rv.general[12] = 0x1122334455667788;
    lab->rv.general[13] = 0x99aabbccddeeff00;
    if (r->word == 0x28ca452f) /* its base is x20 */
        lab->rv.general[11] = exec_lab_load(lab, at + 8, 8);
    if (r->reserved) {
        lab->rv.reserved_bytes = (uint8_t)(r->word & 0x1000 ? 8 : 4);
        lab->rv.reserved_at = (uint64_t)(exec_lab_at(lab, at) - lab->ram);
        lab->rv.reserved_value = exec_lab_load(lab, at, lab->rv.reserved_bytes);
    }
}

static bool is_same(const struct exec_lab *a, const struct exec_lab *b)
{
    return memcmp(&a->rv, &b->rv, sizeof a->rv) == 0 &&
           memcmp(a->ram, b->ram, sizeof a->ram) == 0 &&
           memcmp(a->vector, b->vector, sizeof a->vector) == 0;
}

/* XE-7: registers as before; of what crosses a page the first part may be written. */
static void check_failed(const struct row *r, const struct exec_lab *lab,
                         const struct exec_lab *before, const struct exec_lab *done, unsigned k)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_NONE, "%s, call %u", r->name, k);
    CHECK_EQ(lab->x.wait.kind, SVMC_EXEC_NO_ACCESS, "%s, call %u", r->name, k);
    for (unsigned i = 0; i < sizeof lab->ram; i++)
        if (lab->ram[i] != before->ram[i])
            CHECK_EQ(lab->ram[i], done->ram[i], "%s, call %u: memory at %#x", r->name, k, i);
    CHECK(memcmp(&lab->rv, &before->rv, sizeof lab->rv) == 0, "%s, call %u", r->name, k);
    CHECK(memcmp(lab->vector, before->vector, sizeof lab->vector) == 0, "%s, call %u", r->name, k);
}

static void check_fault(const struct row *r, const struct exec_lab *lab,
                        const struct exec_lab *before, unsigned k)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_FAULT, "%s, call %u", r->name, k);
    CHECK(lab->out.fault.vector == 13 || lab->out.fault.vector == 15, "%s, call %u", r->name, k);
    CHECK(is_same(lab, before) && lab->logged == 0, "%s, call %u", r->name, k);
}

/* state: which place, and whether a device lies there. */
static void strike(const struct row *r, unsigned state, enum exec_lab_mode mode,
                   const struct exec_lab *done, unsigned k)
{
    static struct exec_lab lab, before;
    enum svmc_status st;

    prepare(&lab, r, state / 2, state & 1);
    before = lab;
    lab.mode = mode;
    lab.fail_at = k;
    lab.every = state & 1;
    st = exec_lab_word(&lab, r->word);
    exec_lab_check_callback(&lab, st, r->name);
    if (mode == LAB_BUSY) {
        CHECK_EQ(st, SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING, "%s, call %u", r->name, k);
        CHECK(memcmp(&lab.rv, &before.rv, sizeof lab.rv) == 0, "%s, call %u", r->name, k);
        CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s, call %u", r->name, k);
        CHECK(is_same(&lab, done) && lab.logged == done->logged, "%s, call %u", r->name, k);
    } else if (st != SVMC_OK) {
        CHECK_EQ(st, SVMC_ERR_CALLBACK, "%s, call %u", r->name, k);
        check_failed(r, &lab, &before, done, k);
    } else {
        CHECK_EQ(mode, LAB_FAULT, "%s, call %u", r->name, k);
        check_fault(r, &lab, &before, k);
    }
}

TEST(exec_rv, each_callback_fails_waits_faults_or_lies_at_each_call)
{
    static struct exec_lab done;
    unsigned strikes = 0;

    for (unsigned i = 0; i < ROWS * PLACES * 2; i++) {
        const struct row *r = &rows[i / 2 / PLACES];
        unsigned state = i % (2 * PLACES);

        if (r->aligned && state / 2 >= ALIGNED)
            continue;
        prepare(&done, r, state / 2, state & 1);
        CHECK_EQ(exec_lab_word(&done, r->word), SVMC_OK, "%s", r->name);
        if (!CHECK_EQ(done.out.action, SVMC_EXEC_DONE, "%s, place %u", r->name, state / 2))
            continue;
        CHECK_EQ(done.out.accesses, done.logged, "%s", r->name);
        for (unsigned k = 1; k <= done.calls; k++)
            for (unsigned mode = LAB_FAIL; mode <= LAB_LIE; mode++, strikes++)
                strike(r, state, (enum exec_lab_mode)mode, &done, k);
    }
    CHECK(strikes >= 500, "%u", strikes);
}
