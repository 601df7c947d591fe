/* SPDX-License-Identifier: MIT */
/* The rules of RISC-V one by one: docs/spec/exec_rv.md. What QEMU does: tests/checks/exec_rv.c. */
#include "rv_lab.h"

#define DATA  (LAB_LINEAR + 0x100)
#define EDGE  (LAB_LINEAR + LAB_PAGE) /* a page begins */
#define VALUE 0x8182838485868788

static struct exec_lab lab;

/* Words by their fields, as vol. I has them; registers: rd x10, base x11, source x12. */
#define LOAD(funct3)     (0x03u | 10u << 7 | (funct3) << 12 | 11u << 15)
#define STORE(funct3)    (0x23u | (funct3) << 12 | 11u << 15 | 12u << 20)
#define LOAD_FP(funct3)  (LOAD(funct3) | 4u)
#define STORE_FP(funct3) (STORE(funct3) | 4u)
#define ATOMIC(funct5, width) \
    (0x2fu | 10u << 7 | (width) << 12 | 11u << 15 | 12u << 20 | (funct5) << 27)
#define LR(width) (ATOMIC(2u, width) & ~(31u << 20))
#define SC(width) ATOMIC(3u, width)
#define CBO(n)    (0x200fu | 11u << 15 | (n) << 20)

static void open_at(unsigned isa, uint64_t at)
{
    rv_lab_open(&lab, isa);
    lab.rv.general[11] = at;
    for (unsigned i = 0; i < 16; i++)
        *exec_lab_at(&lab, at + i) = (uint8_t)(VALUE >> 8 * (i & 7));
}

static void check_fault(unsigned cause, uint64_t value)
{
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, cause);
    CHECK_EQ(lab.out.fault.address, value);
    CHECK_EQ(lab.out.fault.has_error, 0);
    CHECK_EQ(lab.out.resume_flag, 0);
    CHECK_EQ(lab.rv.pc, LAB_LINEAR + 0x3000);
}

TEST(exec_rv, loads_extend_as_their_names_say) /* ER-1 ER-4 */
{
    static const struct {
        uint32_t word;
        uint64_t wide, narrow; /* RV64, RV32; 0: not there */
    } rows[] = {
        { LOAD(0u), 0xffffffffffffff88, 0xffffff88 },   /* LB */
        { LOAD(1u), 0xffffffffffff8788, 0xffff8788 },   /* LH */
        { LOAD(2u), 0xffffffff85868788, 0x85868788 },   /* LW */
        { LOAD(3u), VALUE, 0 },                         /* LD */
        { LOAD(4u), 0x88, 0x88 },                       /* LBU */
        { LOAD(5u), 0x8788, 0x8788 },                   /* LHU */
        { LOAD(6u), 0x85868788, 0 },                    /* LWU */
        { 0x4188, 0xffffffff85868788, 0x85868788 },     /* C.LW a0, (a1) */
        { 0x6188, VALUE, 0 },                           /* C.LD a0, (a1) */
        { 0x8188, 0x88, 0x88 },                         /* C.LBU a0, (a1) */
        { 0x8588, 0x8788, 0x8788 },                     /* C.LHU a0, (a1) */
        { 0x85c8, 0xffffffffffff8788, 0xffff8788 },     /* C.LH a0, (a1) */
        { 0x3605a52f, 0xffffffff85868788, 0x85868788 }, /* LW.AQRL a0, (a1) */
    };

    for (unsigned i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        const uint64_t want = i & 1 ? rows[i / 2].narrow : rows[i / 2].wide;
        const uint32_t word = rows[i / 2].word;

        if (want == 0)
            continue;
        for (unsigned place = 0; place < 3; place++) { /* aligned, off, across a page */
            if (place != 0 && (word & 0x7f) == 0x2f)
                continue;
            open_at(i & 1 ? SVMC_ISA_RV32 : SVMC_ISA_RV64, place == 2 ? EDGE - 1 : DATA + place);
            lab.rv.general[10] = ~(uint64_t)0;
            CHECK_EQ(exec_lab_word(&lab, word), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%08x at %u", word, place);
            CHECK_EQ(lab.rv.general[10], want, "%08x at %u", word, place);
            CHECK_EQ(lab.rv.pc, LAB_LINEAR + 0x3000 + ((word & 3) == 3 ? 4 : 2));
            CHECK_EQ(exec_lab_writes(&lab), 0);
        }
    }
}

TEST(exec_rv, stores_write_their_width_alone) /* ER-1 */
{
    static const struct {
        uint32_t word, bytes;
    } rows[] = {
        { STORE(0u), 1 }, { STORE(1u), 2 }, { STORE(2u), 4 },
        { STORE(3u), 8 }, { 0xc190, 4 }, /* C.SW a2, (a1) */
        { 0xe190, 8 },                   /* C.SD a2, (a1) */
        { 0x8990, 1 },                   /* C.SB a2, (a1) */
        { 0x8d90, 2 },                   /* C.SH a2, (a1) */
        { 0x3ac5b02f, 8 }                /* SD.RL a2, (a1) */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned place = 0; place < 2; place++) {
            uint64_t at = place == 0 || (rows[i].word & 0x7f) == 0x2f ? DATA : EDGE - 1;
            uint64_t mask =
                rows[i].bytes == 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * rows[i].bytes) - 1;

            open_at(SVMC_ISA_RV64, at);
            lab.rv.general[12] = 0x1122334455667700;
            CHECK_EQ(exec_lab_word(&lab, rows[i].word), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%08x", rows[i].word);
            CHECK_EQ(exec_lab_load(&lab, at, 8), (VALUE & ~mask) | (0x1122334455667700 & mask),
                     "%08x", rows[i].word);
            CHECK_EQ(exec_lab_writes(&lab), place == 1 && rows[i].bytes > 1 && at != DATA ? 2 : 1);
        }
}

TEST(exec_rv, x0_reads_as_zero_and_is_not_written) /* ER-1 */
{
    open_at(SVMC_ISA_RV64, DATA);
    lab.rv.general[0] = 99;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u) & ~(31u << 7)), SVMC_OK); /* LD x0, (a1) */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.out.accesses, 1);
    CHECK_EQ(lab.rv.general[0], 99);
    CHECK_EQ(exec_lab_word(&lab, STORE(3u) & ~(31u << 20)), SVMC_OK); /* SD x0, (a1) */
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0);
}

TEST(exec_rv, addresses_wrap_as_wide_as_registers) /* ER-3 */
{
    open_at(SVMC_ISA_RV32, DATA);
    lab.rv.general[11] = 0x5a5a5a5a00000000 | (DATA + 4);
    CHECK_EQ(exec_lab_word(&lab, LOAD(2u) | 0xffcu << 20), SVMC_OK); /* LW a0, -4(a1) */
    CHECK_EQ(lab.rv.general[10], 0x85868788);
    lab.rv.general[11] = 2;
    CHECK_EQ(exec_lab_word(&lab, LOAD(2u) | 0xffcu << 20), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.address, 0xfffffffe);
    lab.rv.pc = 0xfffffffc;
    lab.rv.general[11] = DATA;
    CHECK_EQ(exec_lab_word(&lab, LOAD(2u)), SVMC_OK);
    CHECK_EQ(lab.rv.pc, 0);
}

TEST(exec_rv, what_is_not_aligned_is_done_or_an_exception) /* ER-4 */
{
    open_at(SVMC_ISA_RV64, DATA + 2);
    lab.rv.settings = 0;
    CHECK_EQ(exec_lab_word(&lab, LOAD(2u)), SVMC_OK);
    check_fault(4, DATA + 2);
    CHECK_EQ(exec_lab_word(&lab, STORE(3u)), SVMC_OK);
    check_fault(6, DATA + 2);
    CHECK_EQ(exec_lab_word(&lab, LOAD(1u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    open_at(SVMC_ISA_RV64, DATA + 2); /* in any case: */
    CHECK_EQ(exec_lab_word(&lab, LR(2u)), SVMC_OK);
    check_fault(4, DATA + 2);
    CHECK_EQ(exec_lab_word(&lab, SC(2u)), SVMC_OK);
    check_fault(6, DATA + 2);
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(0u, 2u)), SVMC_OK);
    check_fault(6, DATA + 2);
    CHECK_EQ(exec_lab_word(&lab, 0x3605a52f), SVMC_OK); /* LW.AQRL a0, (a1) */
    check_fault(4, DATA + 2);
    CHECK_EQ(lab.calls, 0);
}

TEST(exec_rv, faults_are_those_of_translate) /* ER-3 XE-15 XE-23 */
{
    open_at(SVMC_ISA_RV64, EDGE - 2);
    lab.absent[1] = true;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_OK);
    check_fault(13, EDGE);
    CHECK_EQ(exec_lab_word(&lab, STORE(3u)), SVMC_OK);
    check_fault(15, EDGE);
    CHECK_EQ(exec_lab_load(&lab, EDGE - 2, 2), VALUE & 0xffff);
    lab.rv.general[11] = EDGE;
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(0u, 3u)), SVMC_OK);
    check_fault(15, EDGE);
    CHECK_EQ(exec_lab_word(&lab, LR(3u)), SVMC_OK);
    check_fault(13, EDGE);
    CHECK_EQ(lab.logged, 0);
    open_at(SVMC_ISA_RV64, DATA);
    lab.supervisor[0] = true;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    lab.rv.mode = 0;
    lab.rv.pc = LAB_LINEAR + 0x3000;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_OK);
    check_fault(13, DATA);
    CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_USER);
}

TEST(exec_rv, atomics_change_memory_in_one_step) /* ER-6 XE-10 */
{
    static const struct {
        uint32_t funct5;
        uint64_t by, byte, half, word, all; /* what memory has afterwards, by width */
    } rows[] = {
        { 0, 0x79, 0x01, 0x8801, 0x85868801, 0x8182838485868801 },                /* ADD */
        { 1, 0x1122334455667744, 0x44, 0x7744, 0x55667744, 0x1122334455667744 },  /* SWAP */
        { 4, 0xff, 0x77, 0x8777, 0x85868777, 0x8182838485868777 },                /* XOR */
        { 8, 0x7070, 0xf8, 0xf7f8, 0x8586f7f8, 0x818283848586f7f8 },              /* OR */
        { 12, ~(uint64_t)0xf, 0x80, 0x8780, 0x85868780, 0x8182838485868780 },     /* AND */
        { 16, 1, 0x88, 0x8788, 0x85868788, VALUE },                               /* MIN */
        { 16, 0xffffffff80000001, 0x88, 0x8788, 0x80000001, VALUE },              /* MIN */
        { 20, 1, 0x01, 0x0001, 0x00000001, 1 },                                   /* MAX */
        { 20, 0xffffffff80000001, 0x01, 0x0001, 0x85868788, 0xffffffff80000001 }, /* MAX */
        { 24, 0xffffffff80000001, 0x01, 0x0001, 0x80000001, VALUE },              /* MINU */
        { 28, 0xffffffff80000001, 0x88, 0x8788, 0x85868788, 0xffffffff80000001 }, /* MAXU */
        { 28, 1, 0x88, 0x8788, 0x85868788, VALUE },                               /* MAXU */
    };
    static const uint64_t old[4] = { 0xffffffffffffff88, 0xffffffffffff8788, 0xffffffff85868788,
                                     VALUE };

    for (unsigned i = 0; i < 4 * (sizeof rows / sizeof rows[0]); i++) {
        unsigned width = i % 4, bytes = 1u << width;
        const uint64_t want[4] = { rows[i / 4].byte, rows[i / 4].half, rows[i / 4].word,
                                   rows[i / 4].all };

        for (unsigned device = 0; device < 2; device++) {
            open_at(SVMC_ISA_RV64, DATA);
            lab.device = device;
            lab.late = device ? 0 : 2;
            lab.rv.general[12] = rows[i / 4].by;
            if (!device)
                *exec_lab_at(&lab, DATA) = 0x86; /* two more are there before it */
            CHECK_EQ(exec_lab_word(&lab, ATOMIC(rows[i / 4].funct5, width)), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", i);
            CHECK_EQ(exec_lab_load(&lab, DATA, bytes), want[width], "%u", i);
            CHECK_EQ(lab.rv.general[10], old[width], "%u", i);
            CHECK_EQ(exec_lab_writes(&lab), device);
        }
    }
}

TEST(exec_rv, an_exchange_that_is_always_late_is_left) /* ER-6 XE-10 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_at(SVMC_ISA_RV64, DATA);
    lab.late = 8;
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(0u, 3u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.rv.pc, LAB_LINEAR + 0x3000);
    CHECK_EQ(lab.rv.general[10], 0);
    ops.exchange = NULL;
    open_at(SVMC_ISA_RV64, DATA);
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(0u, 3u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_ATOMIC);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec_rv, a_compare_and_swap_may_be_of_a_pair) /* ER-6 */
{
    for (unsigned hit = 0; hit < 2; hit++) {
        open_at(SVMC_ISA_RV64, DATA); /* AMOCAS.Q a0, a2, (a1) */
        lab.rv.general[10] = VALUE;
        lab.rv.general[11] = VALUE + !hit;
        lab.rv.general[12] = 1;
        lab.rv.general[13] = 2;
        lab.rv.general[20] = DATA;
        CHECK_EQ(exec_lab_word(&lab, (ATOMIC(5u, 4u) & ~(31u << 15)) | 20u << 15), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(exec_lab_load(&lab, DATA, 8), hit ? 1 : VALUE);
        CHECK_EQ(exec_lab_load(&lab, DATA + 8, 8), hit ? 2 : VALUE);
        CHECK_EQ(lab.rv.general[10], VALUE);
        CHECK_EQ(lab.rv.general[11], VALUE);

        open_at(SVMC_ISA_RV32, DATA); /* AMOCAS.D a0, a2, (s4) */
        lab.rv.general[20] = DATA;
        lab.rv.general[10] = 0x85868788;
        lab.rv.general[11] = 0x81828384 + !hit;
        lab.rv.general[12] = 1;
        lab.rv.general[13] = 2;
        CHECK_EQ(exec_lab_word(&lab, (ATOMIC(5u, 3u) & ~(31u << 15)) | 20u << 15), SVMC_OK);
        CHECK_EQ(exec_lab_load(&lab, DATA, 8), hit ? 0x200000001 : VALUE);
        CHECK_EQ(lab.rv.general[10], 0x85868788);
        CHECK_EQ(lab.rv.general[11], 0x81828384);

        open_at(SVMC_ISA_RV64, DATA); /* AMOCAS.W a0, a2, (a1): the upper half does not matter */
        lab.rv.general[10] = 0x5585868788 + !hit;
        lab.rv.general[12] = 0x7712345678;
        CHECK_EQ(exec_lab_word(&lab, ATOMIC(5u, 2u)), SVMC_OK);
        CHECK_EQ(exec_lab_load(&lab, DATA, 8), hit ? 0x8182838412345678 : VALUE);
        CHECK_EQ(lab.rv.general[10], 0xffffffff85868788);
    }
    open_at(SVMC_ISA_RV64, DATA); /* AMOCAS.Q x0, x0, (a1): compares with 0, and is not written */
    memset(exec_lab_at(&lab, DATA), 0, 16);
    lab.rv.general[1] = 7;
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(5u, 4u) & ~(31u << 7 | 31u << 20)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.rv.general[1], 7);
    CHECK_EQ(exec_lab_load(&lab, DATA + 8, 8), 0);
    lab.rv.general[12] = 3; /* x0 is compared, a2 and a3 are written */
    lab.rv.general[13] = 4;
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(5u, 4u) & ~(31u << 7)), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 3);
    CHECK_EQ(exec_lab_load(&lab, DATA + 8, 8), 4);
}

TEST(exec_rv, a_conditional_store_wants_its_reservation) /* ER-8 */
{
    open_at(SVMC_ISA_RV64, DATA);
    lab.rv.general[12] = 5;
    CHECK_EQ(exec_lab_word(&lab, SC(2u)), SVMC_OK); /* there is none */
    CHECK_EQ(lab.rv.general[10], 1);
    CHECK_EQ(lab.logged, 0);
    CHECK_EQ(exec_lab_word(&lab, LR(2u)), SVMC_OK);
    CHECK_EQ(lab.rv.general[10], 0xffffffff85868788);
    CHECK_EQ(lab.rv.reserved_bytes, 4);
    CHECK_EQ(exec_lab_word(&lab, SC(2u)), SVMC_OK);
    CHECK_EQ(lab.rv.general[10], 0);
    CHECK_EQ(lab.rv.reserved_bytes, 0);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0x8182838400000005);
    CHECK_EQ(exec_lab_word(&lab, SC(2u)), SVMC_OK); /* once alone */
    CHECK_EQ(lab.rv.general[10], 1);
    CHECK_EQ(exec_lab_word(&lab, LR(3u)), SVMC_OK);
    CHECK_EQ(exec_lab_word(&lab, SC(2u)), SVMC_OK); /* of another width */
    CHECK_EQ(lab.rv.general[10], 1);
    CHECK_EQ(exec_lab_word(&lab, LR(3u)), SVMC_OK);
    exec_lab_store(&lab, DATA + 8, 8, exec_lab_load(&lab, DATA, 8));
    lab.rv.general[11] += 8;
    CHECK_EQ(exec_lab_word(&lab, SC(3u)), SVMC_OK); /* elsewhere, where the same bytes lie */
    CHECK_EQ(lab.rv.general[10], 1);
    lab.rv.general[11] -= 8;
    CHECK_EQ(exec_lab_word(&lab, SC(3u)), SVMC_OK); /* that one has used it up */
    CHECK_EQ(lab.rv.general[10], 1);
    CHECK_EQ(exec_lab_word(&lab, LR(3u)), SVMC_OK);
    lab.late = 1;
    CHECK_EQ(exec_lab_word(&lab, SC(3u)), SVMC_OK); /* another processor wrote there */
    CHECK_EQ(lab.rv.general[10], 1);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0x8182838400000006);
    lab.device = true;
    CHECK_EQ(exec_lab_word(&lab, LR(3u)), SVMC_OK);
    CHECK_EQ(exec_lab_word(&lab, SC(3u)), SVMC_OK);
    CHECK_EQ(lab.rv.general[10], 0);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 5);
}

TEST(exec_rv, float_registers_are_boxed_and_become_dirty) /* ER-7 */
{
    static const uint32_t widths[4] = { 1, 2, 3, 4 }; /* FLH, FLW, FLD, FLQ */

    for (unsigned i = 0; i < 4; i++) {
        unsigned bytes = 2u << i;

        open_at(SVMC_ISA_RV64, EDGE - 1);
        CHECK_EQ(exec_lab_word(&lab, LOAD_FP(widths[i])), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.rv.float_state, 3);
        for (unsigned n = 0; n < 16; n++)
            CHECK_EQ(lab.vector[10][n], n < bytes ? *exec_lab_at(&lab, EDGE - 1 + n) : 0xff, "%u",
                     n);
        lab.rv.float_state = 1;
        memset(lab.vector[12], 0x5a, 16);
        CHECK_EQ(exec_lab_word(&lab, STORE_FP(widths[i])), SVMC_OK);
        CHECK_EQ(lab.rv.float_state, 1);
        for (unsigned n = 0; n < 16; n++)
            CHECK_EQ(*exec_lab_at(&lab, EDGE - 1 + n),
                     n < bytes ? 0x5a : (VALUE >> 8 * (n & 7) & 0xff), "%u", n);
        open_at(SVMC_ISA_RV64, DATA);
        lab.rv.float_bytes = (uint8_t)(bytes < 4 ? 4 : bytes);
        CHECK_EQ(exec_lab_word(&lab, LOAD_FP(widths[i])), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.vector[10][15], bytes == 16 ? 0x81 : 0);
        lab.rv.float_bytes = 0;
        lab.rv.pc = LAB_LINEAR + 0x3000;
        CHECK_EQ(exec_lab_word(&lab, STORE_FP(widths[i])), SVMC_OK);
        check_fault(2, STORE_FP(widths[i]));
        lab.rv.float_bytes = 16;
        lab.rv.float_state = 0;
        CHECK_EQ(exec_lab_word(&lab, LOAD_FP(widths[i])), SVMC_OK);
        check_fault(2, LOAD_FP(widths[i]));
        CHECK_EQ(lab.last_access, SVMC_ACCESS_READ);
    }
    open_at(SVMC_ISA_RV32, DATA);
    CHECK_EQ(exec_lab_word(&lab, 0x6188), SVMC_OK); /* C.FLW fa0, (a1) */
    CHECK_EQ(lab.vector[10][3], 0x85);
    CHECK_EQ(lab.vector[10][4], 0xff);
}

TEST(exec_rv, without_float_registers_nothing_is_done) /* ER-7 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_at(SVMC_ISA_RV64, DATA);
    ops.vector_write = NULL;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(exec_lab_word(&lab, LOAD_FP(3u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab.calls, 0);
    CHECK_EQ(lab.rv.float_state, 1);
}

TEST(exec_rv, data_may_be_big_endian) /* ER-5 */
{
    open_at(SVMC_ISA_RV64, DATA);
    lab.rv.settings = SVMC_EXEC_RV_BIG_ENDIAN;
    CHECK_EQ(exec_lab_word(&lab, LOAD(1u)), SVMC_OK);
    CHECK_EQ(lab.rv.general[10], 0xffffffffffff8887);
    lab.rv.general[12] = 0x0102030405060708;
    CHECK_EQ(exec_lab_word(&lab, STORE(2u)), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0x8182838408070605);
    CHECK_EQ(exec_lab_word(&lab, ATOMIC(0u, 2u)), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), 0x100e0c0a);
    CHECK_EQ(lab.rv.general[10], 0x05060708);
    CHECK_EQ(exec_lab_word(&lab, LR(3u)), SVMC_OK);
    CHECK_EQ(lab.rv.general[10], 0x0a0c0e1084838281);
    CHECK_EQ(exec_lab_word(&lab, SC(3u)), SVMC_OK);
    CHECK_EQ(lab.rv.general[10], 0);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0x0807060504030201);
    lab.rv.general[20] = DATA; /* AMOCAS.Q a0, a2, (s4) */
    lab.rv.general[10] = 0x8887868584838281;
    lab.rv.general[11] = 0x0102030405060708;
    lab.rv.general[12] = 0xaa;
    lab.rv.general[13] = 0xbb;
    CHECK_EQ(exec_lab_word(&lab, (ATOMIC(5u, 4u) & ~(31u << 15)) | 20u << 15), SVMC_OK);
    CHECK_EQ(*exec_lab_at(&lab, DATA + 7), 0xbb);
    CHECK_EQ(*exec_lab_at(&lab, DATA + 15), 0xaa);
    CHECK_EQ(lab.rv.general[11], 0x0102030405060708);
}

TEST(exec_rv, cache_blocks_are_cleared_or_checked) /* ER-9 */
{
    open_at(SVMC_ISA_RV64, DATA);
    memset(lab.ram, 0x33, sizeof lab.ram);
    lab.rv.general[11] = DATA + 0x15;
    CHECK_EQ(exec_lab_word(&lab, CBO(4u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    for (unsigned i = 0; i < 0x80; i++)
        CHECK_EQ(*exec_lab_at(&lab, DATA - 0x20 + i), i >= 0x20 && i < 0x60 ? 0 : 0x33, "%u", i);
    lab.rv.block_bytes = 128;
    CHECK_EQ(exec_lab_word(&lab, CBO(4u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    lab.rv.block_bytes = 0;
    CHECK_EQ(exec_lab_word(&lab, CBO(4u)), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    lab.logged = 0;
    for (unsigned n = 0; n < 3; n++) {
        lab.absent[0] = false;
        CHECK_EQ(exec_lab_word(&lab, CBO(n)), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_CHECK);
        lab.absent[0] = true;
        lab.rv.pc = LAB_LINEAR + 0x3000;
        CHECK_EQ(exec_lab_word(&lab, CBO(n)), SVMC_OK);
        check_fault(15, DATA + 0x15);
    }
    CHECK_EQ(lab.logged, 0);
    CHECK_EQ(exec_lab_word(&lab, 0x0015e013), SVMC_OK); /* PREFETCH.R (a1): no fault */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
}

TEST(exec_rv, the_rest_is_refused_or_left) /* ER-1 ER-3 */
{
    static const uint32_t left[] = {
        0x00c58533, /* ADD a0, a1, a2 */
        0x02058507, /* VLE8.V v10, (a1) */
        0x48c5a52f, /* SSAMOSWAP.W a0, a2, (a1) */
        0x10500073, /* WFI */
        0xc0102573, /* RDTIME a0 */
    };

    open_at(SVMC_ISA_RV64, DATA);
    for (unsigned i = 0; i < sizeof left / sizeof left[0]; i++) {
        CHECK_EQ(exec_lab_word(&lab, left[i]), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED, "%08x", left[i]);
        CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_NO_ROW);
    }
    CHECK_EQ(exec_lab_word(&lab, 0x6805c573), SVMC_OK); /* HLV.W a0, (a1) */
    check_fault(2, 0x6805c573);
    CHECK_EQ(lab.calls, 0);
}

TEST(exec_rv, a_fetch_reads_no_more_than_it_needs) /* ER-2 XE-4 XE-5 */
{
    rv_lab_open(&lab, SVMC_ISA_RV64);
    lab.rv.pc = EDGE - 2;
    lab.absent[1] = true;
    exec_lab_store(&lab, EDGE - 2, 2, 0x6188); /* C.LD a0, (a1) */
    CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &lab.insn, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    CHECK_EQ(lab.insn.id, SVMC_RV_C_LD);
    CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_EXECUTE);
    exec_lab_store(&lab, EDGE - 2, 2, LOAD(3u) & 0xffff);
    CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &lab.insn, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, 12);
    CHECK_EQ(lab.out.fault.address, EDGE);
    CHECK_EQ(lab.insn.length, 0);
    CHECK_EQ(svmc_exec_rv_start(&lab.x, &lab.rv, &lab.insn, &lab.out), SVMC_ERR_ARG);
    lab.absent[1] = false;
    exec_lab_store(&lab, EDGE, 2, LOAD(3u) >> 16);
    lab.mode = LAB_BUSY;
    lab.every = true;
    lab.calls = 0;
    for (unsigned i = 0; i < 20; i++) {
        lab.fail_at = lab.x.wait.kind == SVMC_EXEC_TRANSLATE ? lab.calls + 2 : lab.calls + 1;
        CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &lab.insn, &lab.out), SVMC_OK);
        if (lab.out.action != SVMC_EXEC_PENDING)
            break;
        if (lab.x.wait.kind == SVMC_EXEC_READ) {
            memcpy(lab.dst, lab.ram + lab.x.wait.at, lab.x.wait.bytes);
            CHECK_EQ(svmc_exec_answer(&lab.x, NULL, 0), SVMC_OK);
        }
    }
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    CHECK_EQ(lab.insn.id, SVMC_RV_LD);
}

TEST(exec_rv, a_fetch_of_what_is_no_instruction_says_its_bits) /* ER-2 */
{
    static const struct {
        uint32_t word, value;
        uint8_t action;
    } rows[] = { { 0x12340000, 0, SVMC_EXEC_FAULT },        /* the parcel of zeros */
                 { 0xfff07fff, 0, SVMC_EXEC_UNFINISHED },   /* longer than 4 bytes */
                 { 0x0000000b, 0, SVMC_EXEC_UNFINISHED },   /* custom-0 */
                 { 0x00007003, 0x7003, SVMC_EXEC_FAULT } }; /* LOAD with funct3 7 */

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_lab_open(&lab, SVMC_ISA_RV64);
        exec_lab_store(&lab, lab.rv.pc, 4, rows[i].word);
        CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &lab.insn, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, rows[i].action, "%08x", rows[i].word);
        if (rows[i].action == SVMC_EXEC_FAULT)
            check_fault(2, rows[i].value);
        else
            CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_UNKNOWN);
        CHECK_EQ(lab.insn.length, 0);
    }
}

TEST(exec_rv, arguments_that_cannot_be_are_refused) /* XE-5 */
{
    struct svmc_exec_result *out = &lab.out;
    struct svmc_insn insn;

    open_at(SVMC_ISA_RV64, DATA);
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_OK);
    insn = lab.insn;
    CHECK_EQ(svmc_exec_rv_start(&lab.x, &lab.rv, &insn, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_start(NULL, &lab.rv, &insn, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_start(&lab.x, NULL, &insn, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_start(&lab.x, &lab.rv, NULL, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_resume(&lab.x, &lab.rv, out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_rv_resume(&lab.x, &lab.rv, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_resume(NULL, &lab.rv, out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &lab.insn, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, NULL, &lab.insn, out), SVMC_ERR_ARG);
    CHECK_EQ(lab.insn.length, 0);
    insn.isa = SVMC_ISA_X86_64;
    CHECK_EQ(svmc_exec_rv_start(&lab.x, &lab.rv, &insn, out), SVMC_ERR_ARG);
    insn.isa = SVMC_ISA_RV64;
    insn.mem_bytes = 3;
    CHECK_EQ(svmc_exec_rv_start(&lab.x, &lab.rv, &insn, out), SVMC_OK);
    CHECK_EQ(out->action, SVMC_EXEC_UNFINISHED);
    lab.rv.pc++;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &insn, out), SVMC_ERR_ARG);
    lab.rv.pc--;
    lab.rv.mode = 2;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_ERR_ARG);
    lab.rv.mode = 1;
    lab.rv.float_bytes = 12;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_ERR_ARG);
    lab.rv.float_bytes = 8;
    lab.mode = LAB_BUSY;
    lab.fail_at = lab.calls + 2;
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_OK);
    CHECK_EQ(out->action, SVMC_EXEC_PENDING);
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_rv_fetch(&lab.x, &lab.cpu, &lab.rv, &insn, out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_rv_resume(&lab.x, &lab.rv, out), SVMC_ERR_STATE);
    svmc_exec_drop(&lab.x);
    CHECK_EQ(exec_lab_word(&lab, LOAD(3u)), SVMC_OK);
    CHECK_EQ(out->action, SVMC_EXEC_DONE);
}
