/* SPDX-License-Identifier: MIT */
/* docs/spec/walk.md: what holds for every processor: arguments, callbacks that fail, tables that
 * change. */
#include "../harness.h"
#include "walk_lab.h"

#define AT 0x123456789abcu

struct setting {
    struct svmc_walker walker;
    struct walk_lab lab;
};

/* Three entries on the way, of which the accessed bit of each that has one is clear; a page that
 * may be written. */
static void set_up(struct setting *s, uint8_t isa)
{
    memset(s, 0, sizeof *s);
    s->walker.ops = &lab_ops;
    s->walker.ctx = &s->lab;
    s->walker.isa = isa;
    switch (isa) {
    case SVMC_WALK_ISA_X86: /* 1, b3, 189: PAE */
        s->walker.x86 = (struct svmc_walk_x86){
            .cr0 = 0x80010001, .cr3 = 0x1000, .cr4 = 0x20, .address_bits = 40
        };
        lab_put(&s->lab, 0x1008, 0x2001);
        lab_put(&s->lab, 0x2598, 0x3007);
        lab_put(&s->lab, 0x3c48, 0x5007);
        break;
    case SVMC_WALK_ISA_A64: /* 39 bits of 4 KiB pages: d1, b3, 189 */
        s->walker.a64 =
            (struct svmc_walk_a64){ .sctlr = 1,
                                    .tcr = UINT64_C(1) << 39 | UINT64_C(1) << 40 | 2ull << 32 | 25,
                                    .ttbr0 = 0x1000,
                                    .pstate = 4,
                                    .mmfr0 = 2,
                                    .mmfr1 = 2 };
        lab_put(&s->lab, 0x1008, 0x2003);
        lab_put(&s->lab, 0x2598, 0x3003);
        lab_put(&s->lab, 0x3c48, 0x0008000000005083); /* read-only with DBM, not accessed */
        break;
    case SVMC_WALK_ISA_RV32: /* 159, 389 */
        s->walker.rv = (struct svmc_walk_rv){ .satp = 0x80000001, .features = SVMC_WALK_RV_SVADU };
        lab_put(&s->lab, 0x1564, 0x3 << 10 | 1);
        lab_put(&s->lab, 0x3e24, 0x5 << 10 | 7);
        break;
    default: /* 1, b3, 189 */
        s->walker.rv =
            (struct svmc_walk_rv){ .satp = UINT64_C(8) << 60 | 1, .features = SVMC_WALK_RV_SVADU };
        lab_put(&s->lab, 0x1008, 0x2 << 10 | 1);
        lab_put(&s->lab, 0x2598, 0x3 << 10 | 1);
        lab_put(&s->lab, 0x3c48, 0x5 << 10 | 7);
    }
}

#define VA 0x56789abcu /* 5abc, for all of them */

TEST(walk, arguments) /* WK-1 */
{
    static const uint32_t refused[] = { 0, 0x101, 0x102, 0x103, 0x200, 0x800, 16 | 1, 0x1001 };
    struct setting s;
    struct svmc_walk_result r;
    struct svmc_walk_ops ops = lab_ops;

    for (uint8_t isa = SVMC_WALK_ISA_X86; isa <= SVMC_WALK_ISA_RV64; isa++) {
        set_up(&s, isa);
        for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
            memset(&r, 0xee, sizeof r);
            CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, refused[i], &r), SVMC_ERR_ARG, "%x",
                     refused[i]);
            CHECK(lab_is_zero(&r));
        }
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, NULL), SVMC_ERR_ARG);
        CHECK_EQ(svmc_walk(NULL, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
        s.walker.ops = NULL;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
        s.walker.ops = &ops;
        ops.read = NULL;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
        ops.read = lab_read;
        ops.size = offsetof(struct svmc_walk_ops, exchange) - 1;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
        CHECK_EQ(s.lab.calls, 0);
        ops.size = offsetof(struct svmc_walk_ops, exchange); /* of a host that knows read alone */
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_OK);
        CHECK(r.at.v == 0x5abc && r.mark_count != 0 && s.lab.exchanges == 0);
        s.walker.ops = &lab_ops;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1 | 4 | 8, &r), SVMC_OK, "_IF");
        s.walker.reserved[6] = 1;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    }
    set_up(&s, SVMC_WALK_ISA_A64);
    CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1 | SVMC_WALK_SYSTEM, &r), SVMC_ERR_ARG);
    s.walker.isa = 0;
    CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    s.walker.isa = 5;
    CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    set_up(&s, SVMC_WALK_ISA_RV64);
    s.walker.rv.reserved[0] = 1;
    CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_walk_by_x86(NULL, &lab_ops, &s.lab, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_walk_by_a64(NULL, &lab_ops, &s.lab, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_walk_by_rv32(NULL, &lab_ops, &s.lab, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
    CHECK_EQ(svmc_walk_by_rv64(NULL, &lab_ops, &s.lab, (svmc_gva){ VA }, 1, &r), SVMC_ERR_ARG);
}

TEST(walk, each_entry_is_read_once) /* WK-2 */
{
    struct setting s;
    struct svmc_walk_result r;

    for (uint8_t isa = SVMC_WALK_ISA_X86; isa <= SVMC_WALK_ISA_RV64; isa++) {
        set_up(&s, isa);
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 2, &r), SVMC_OK);
        CHECK_EQ(r.at.v, 0x5abc, "%u", isa);
        for (unsigned i = 0; i < s.lab.count; i++)
            CHECK_EQ(s.lab.entry[i].reads, 1, "%u", isa);
        CHECK_EQ(s.lab.exchanges, isa == SVMC_WALK_ISA_X86 ? 2 : 1);
        CHECK_EQ(r.mark_count, 0);
    }
}

TEST(walk, tables_that_change) /* WK-2 WK-3 */
{
    struct setting s;
    struct svmc_walk_result r;

    for (uint8_t isa = SVMC_WALK_ISA_X86; isa <= SVMC_WALK_ISA_RV64; isa++)
        for (unsigned n = 0; n <= SVMC_WALK_TRIES; n++) {
            unsigned tries = n < SVMC_WALK_TRIES ? n + 1 : n;

            set_up(&s, isa);
            s.lab.overtaken = n;
            memset(&r, 0xee, sizeof r);
            CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 2, &r),
                     n < SVMC_WALK_TRIES ? SVMC_OK : SVMC_ERR_BUSY);
            CHECK_EQ(s.lab.reads, tries * s.lab.count);
            CHECK(n < SVMC_WALK_TRIES ? r.at.v == 0x5abc && r.mark_count == 0 : lab_is_zero(&r));
        }
}

TEST(walk, every_callback_fails_once) /* WK-4 */
{
    static const enum svmc_status failures[] = { SVMC_ERR_CALLBACK, SVMC_ERR_ABSENT,
                                                 SVMC_ERR_STATE };
    struct setting s, before;
    struct svmc_walk_result r;

    for (uint8_t isa = SVMC_WALK_ISA_X86; isa <= SVMC_WALK_ISA_RV64; isa++)
        for (unsigned f = 0; f < sizeof failures / sizeof failures[0]; f++)
            for (unsigned k = 1; k < 9; k++) {
                unsigned calls;

                set_up(&s, isa);
                before = s;
                s.lab.fail_at = k;
                s.lab.failure = failures[f];
                memset(&r, 0xee, sizeof r);
                if (svmc_walk(&s.walker, (svmc_gva){ VA }, 2, &r) == SVMC_OK) {
                    CHECK(k > s.lab.count && k > s.lab.calls);
                    continue;
                }
                CHECK_EQ(s.lab.calls, k, "nothing after it");
                CHECK(lab_is_zero(&r));
                for (unsigned i = 0; i < s.lab.count; i++) /* accessed bits at most */
                    CHECK((s.lab.entry[i].value & ~(uint64_t)0x20) == before.lab.entry[i].value);
                calls = s.lab.calls; /* and the caller comes back */
                CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 2, &r), SVMC_OK);
                CHECK(r.at.v == 0x5abc && s.lab.calls > calls && r.mark_count == 0);
            }
}

TEST(walk, tables_outside_memory) /* WK-4 */
{
    struct setting s;
    struct svmc_walk_result r;

    for (unsigned k = 0; k < 3; k++) {
        set_up(&s, SVMC_WALK_ISA_X86);
        s.lab.entry[k].at = UINT64_MAX;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1, &r), SVMC_ERR_REFUSED);
        CHECK(lab_is_zero(&r));
        set_up(&s, SVMC_WALK_ISA_A64);
        s.lab.entry[k].at = UINT64_MAX;
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 2, &r), SVMC_OK);
        CHECK(lab_is_fault(&r) && r.fault.vector == 0x25 && r.fault.address == VA);
        CHECK_EQ(r.fault.error, 0x40 | (0x15 + k), "external abort on a walk, levels 1 to 3");
        set_up(&s, SVMC_WALK_ISA_RV64);
        s.lab.entry[k].at = UINT64_MAX;
        for (unsigned how = 0; how < 3; how++) {
            static const uint32_t access[] = { SVMC_WALK_FETCH, SVMC_WALK_READ, SVMC_WALK_WRITE };
            static const uint8_t cause[] = { 1, 5, 7 };

            CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, access[how], &r), SVMC_OK);
            CHECK(lab_is_fault(&r) && r.fault.has_error == 0 && r.fault.address == VA);
            CHECK_EQ(r.fault.vector, cause[how]);
        }
    }
}

TEST(walk, as_the_translate_callback) /* WK-5 */
{
    struct setting s;
    struct svmc_host_ops host = { .size = sizeof host, .translate = svmc_walk_translate };
    struct svmc_fault fault;
    svmc_gpa at;

    for (uint8_t isa = SVMC_WALK_ISA_X86; isa <= SVMC_WALK_ISA_RV64; isa++) {
        set_up(&s, isa);
        at.v = 1;
        memset(&fault, 0xee, sizeof fault);
        s.walker.ops = &lab_ops_read;
        CHECK_EQ(host.translate(&s.walker, (svmc_gva){ VA }, SVMC_ACCESS_WRITE, &at, &fault),
                 SVMC_ERR_UNSUPPORTED);
        CHECK(at.v == 0 && fault.raised == 0);
        s.walker.ops = &lab_ops;
        CHECK_EQ(host.translate(&s.walker, (svmc_gva){ VA }, SVMC_ACCESS_WRITE, &at, &fault),
                 SVMC_OK);
        CHECK(at.v == 0x5abc && fault.raised == 0);
        s.lab.entry[0].value = 0;
        CHECK_EQ(host.translate(&s.walker, (svmc_gva){ VA }, SVMC_ACCESS_WRITE, &at, &fault),
                 SVMC_OK);
        CHECK(at.v == 0 && fault.raised == 1 && fault.address == VA);
        CHECK_EQ(fault.vector, isa == SVMC_WALK_ISA_X86   ? 14
                               : isa == SVMC_WALK_ISA_A64 ? 0x25
                                                          : 15);
        CHECK_EQ(host.translate(&s.walker, (svmc_gva){ VA }, 1, NULL, &fault), SVMC_ERR_ARG);
        CHECK_EQ(host.translate(&s.walker, (svmc_gva){ VA }, 1, &at, NULL), SVMC_ERR_ARG);
        CHECK_EQ(host.translate(NULL, (svmc_gva){ VA }, 1, &at, &fault), SVMC_ERR_ARG);
    }
}

TEST(walk, what_the_executor_asks) /* WK-35 */
{
    static const struct {
        uint16_t access, user, want;
    } rows[] = {
        { 1, 0, 1 },
        { 2, 0, 2 },
        { 3, 0, 3 }, /* who runs */
        { 1 | 32, 1, 1 },
        { 2 | 32, 1, 2 },
        { 3 | 32, 1, 3 }, /* the same, a program */
        { 1 | 32, 0, 0x201 },
        { 2 | 32, 0, 0x202 }, /* LDTR, STTR */
        { 1, 1, 0x401 },
        { 3, 1, 0x403 }, /* TSS, descriptors */
        { 1 | 256, 1, 0x401 },
        { 1 | 256, 0, 0x401 },
        { 3 | 256, 0, 0x403 }, /* and said so, in the kernel too */
        { 1 | 64, 0, 0x100 },
        { 1 | 64 | 32, 1, 0x100 }, /* a fetch */
        { 1 | 128, 0, 1 },
        { 2 | 128 | 32, 1, 2 },
        { 128, 0, 1 },           /* a cache line */
        { 3 | 4 | 8 | 16, 0, 3 } /* bits of enum svmc_access */
    };
    struct svmc_walk_result r;
    struct setting s;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t how = svmc_walk_access_from_exec(rows[i].access, rows[i].user);

        CHECK_EQ(how, rows[i].want, "%u", i);
        set_up(&s, SVMC_WALK_ISA_X86);
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, how, &r), SVMC_OK, "%u", i);
    }
    set_up(&s, SVMC_WALK_ISA_X86); /* the bits themselves are none of a walk's */
    for (uint32_t bit = SVMC_EXEC_USER; bit <= SVMC_EXEC_SYSTEM; bit *= 2)
        CHECK_EQ(svmc_walk(&s.walker, (svmc_gva){ VA }, 1 | bit, &r), SVMC_ERR_ARG, "%u", bit);
}
