/* SPDX-License-Identifier: MIT */
/*
 * The executor's rules for A64 one by one: docs/spec/exec_a64.md. Expected values are by hand, from
 * the pseudo-code of DDI 0487. What a processor does at EL0: tests/checks/exec_a64.c.
 */
#include "a64_lab.h"

#define EE   (1u << 25) /* of SCTLR_EL1 */
#define E0E  (1u << 24)
#define EL0  0u
#define EL1  5u
#define EL2  9u
#define LSE2 (1ull << 32)

static struct exec_lab lab;

/* Memory from X2 on is 10 11 12 13 ... */
static void open_at(uint64_t pstate, uint64_t sctlr)
{
    a64_lab_open(&lab);
    lab.a64.pstate = pstate;
    lab.a64.sctlr = sctlr;
    a64_lab_count_up(&lab, A64_DATA);
}

#define RUN(word) CHECK_EQ(exec_lab_word(&lab, word), SVMC_OK)

static void run_done(uint32_t word)
{
    RUN(word);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%08" PRIx32, word);
}

static void check_fault(unsigned ec, uint32_t iss, uint64_t far)
{
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.raised, 1);
    CHECK_EQ(lab.out.fault.vector, ec);
    CHECK_EQ(lab.out.fault.has_error, 1);
    CHECK_EQ(lab.out.fault.error, iss);
    CHECK_EQ(lab.out.fault.address, far);
    CHECK_EQ(lab.out.resume_flag, 0);
    CHECK_EQ(lab.a64.pc, LAB_LINEAR + 0x1000);
    CHECK_EQ(lab.x.wait.kind, SVMC_EXEC_NO_ACCESS);
}

TEST(exec_a64, arguments_that_cannot_be_are_refused) /* XE-5 EA-1 */
{
    struct svmc_insn insn = { 0 };

    open_at(EL1, 0);
    run_done(0xf9400041);
    CHECK_EQ(svmc_exec_a64_start(&lab.x, &lab.a64, &lab.insn, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_start(NULL, &lab.a64, &lab.insn, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_start(&lab.x, NULL, &lab.insn, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_start(&lab.x, &lab.a64, NULL, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_start(&lab.x, &lab.a64, &insn, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_resume(&lab.x, &lab.a64, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_a64_resume(&lab.x, &lab.a64, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_resume(NULL, &lab.a64, &lab.out), SVMC_ERR_ARG);
    insn = lab.insn;
    insn.isa = SVMC_ISA_RV64;
    CHECK_EQ(svmc_exec_a64_start(&lab.x, &lab.a64, &insn, &lab.out), SVMC_ERR_ARG);
    lab.a64.pstate = 0x10; /* A32 */
    CHECK_EQ(exec_lab_word(&lab, 0xf9400041), SVMC_ERR_ARG);
    lab.a64.pstate = 13; /* EL3 */
    CHECK_EQ(exec_lab_word(&lab, 0xf9400041), SVMC_ERR_ARG);
    lab.a64.pstate = EL1;
    lab.a64.monitor.bytes = 3;
    CHECK_EQ(exec_lab_word(&lab, 0xf9400041), SVMC_ERR_ARG);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
}

TEST(exec_a64, what_waits_is_answered_once_and_goes_on) /* XE-2 XE-6 */
{
    const uint8_t bytes[4] = { 0x11, 0x22, 0x33, 0x44 };

    open_at(EL1, 0);
    lab.mode = LAB_BUSY;
    lab.fail_at = 2;
    RUN(0xb9400041);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(lab.x.wait.kind, SVMC_EXEC_READ);
    CHECK_EQ(exec_lab_word(&lab, 0xb9400041), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_a64_resume(&lab.x, &lab.a64, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_answer(&lab.x, bytes, 4), SVMC_OK);
    CHECK_EQ(svmc_exec_a64_resume(&lab.x, &lab.a64, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.a64.general[1], 0x44332211);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec_a64, loads_extend_in_either_order_of_bytes) /* EA-8 */
{
    static const struct {
        uint32_t word;
        uint64_t little, big;
    } rows[] = {
        { 0x39400041, 0xf1, 0xf1 },                             /* LDRB W */
        { 0x79400041, 0xe2f1, 0xf1e2 },                         /* LDRH W */
        { 0xb9400041, 0x84d3e2f1, 0xf1e2d384 },                 /* LDR W */
        { 0xf9400041, 0x78695a4b84d3e2f1, 0xf1e2d3844b5a6978 }, /* LDR X */
        { 0x39c00041, 0xfffffff1, 0xfffffff1 },                 /* LDRSB W */
        { 0x39800041, 0xfffffffffffffff1, 0xfffffffffffffff1 }, /* LDRSB X */
        { 0x79c00041, 0xffffe2f1, 0xfffff1e2 },                 /* LDRSH W */
        { 0x79800041, 0xffffffffffffe2f1, 0xfffffffffffff1e2 }, /* LDRSH X */
        { 0xb9800041, 0xffffffff84d3e2f1, 0xfffffffff1e2d384 }, /* LDRSW X */
        { 0x885f7c41, 0x84d3e2f1, 0xf1e2d384 },                 /* LDXR W */
        { 0xc8dffc41, 0x78695a4b84d3e2f1, 0xf1e2d3844b5a6978 }, /* LDAR X */
        { 0xb8bfc041, 0x84d3e2f1, 0xf1e2d384 },                 /* LDAPR W */
        { 0xb8800841, 0xffffffff84d3e2f1, 0xfffffffff1e2d384 }, /* LDTRSW X */
    };

    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        open_at(EL1, i & 1 ? EE : 0);
        lab.a64.general[1] = ~(uint64_t)0;
        exec_lab_store(&lab, A64_DATA, 8, 0x78695a4b84d3e2f1);
        run_done(rows[i / 2].word);
        CHECK_EQ(lab.a64.general[1], i & 1 ? rows[i / 2].big : rows[i / 2].little, "%08" PRIx32,
                 rows[i / 2].word);
        CHECK_EQ(lab.a64.pc, LAB_LINEAR + 0x1004);
    }
}

TEST(exec_a64, stores_write_as_many_bytes_as_they_say) /* EA-8 */
{
    static const struct {
        uint32_t word;
        unsigned bytes;
        uint64_t little, big;
    } rows[] = {
        { 0x39000041, 1, 0x88, 0x88 },                             /* STRB */
        { 0x79000041, 2, 0x7788, 0x8877 },                         /* STRH */
        { 0xb9000041, 4, 0x55667788, 0x88776655 },                 /* STR W */
        { 0xf9000041, 8, 0x1122334455667788, 0x8877665544332211 }, /* STR X */
        { 0xc89ffc41, 8, 0x1122334455667788, 0x8877665544332211 }, /* STLR X */
    };

    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        uint64_t want = i & 1 ? rows[i / 2].big : rows[i / 2].little;
        unsigned n = rows[i / 2].bytes;

        open_at(EL1, i & 1 ? EE : 0);
        lab.a64.general[1] = 0x1122334455667788;
        run_done(rows[i / 2].word);
        CHECK_EQ(exec_lab_load(&lab, A64_DATA, n), want, "%08" PRIx32, rows[i / 2].word);
        CHECK_EQ(*exec_lab_at(&lab, A64_DATA + n), 0x10 + n);
        CHECK_EQ(lab.logged, 1);
        CHECK_EQ(lab.log[0].bytes, n);
    }
}

TEST(exec_a64, each_level_has_its_own_order) /* EA-8 */
{
    static const struct {
        uint64_t pstate, sctlr, want;
        uint32_t word;
    } rows[] = {
        { EL0, E0E, 0x10111213, 0xb9400041 }, { EL0, EE, 0x13121110, 0xb9400041 },
        { EL1, E0E, 0x13121110, 0xb9400041 }, { EL1, EE, 0x10111213, 0xb9400041 },
        { EL2, EE, 0x10111213, 0xb9400041 },  { EL1, EE, 0x10111213, 0xb8400841 }, /* LDTR */
        { EL1, E0E, 0x13121110, 0xb8400841 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_at(rows[i].pstate, rows[i].sctlr);
        run_done(rows[i].word);
        CHECK_EQ(lab.a64.general[1], rows[i].want, "row %u", i);
    }
}

TEST(exec_a64, registers_of_a_pair_keep_their_place) /* EA-8 EA-11 */
{
    open_at(EL1, EE);
    run_done(0xa9400c41); /* LDP X1, X3, [X2] */
    CHECK_EQ(lab.a64.general[1], 0x1011121314151617);
    CHECK_EQ(lab.a64.general[3], 0x18191a1b1c1d1e1f);
    CHECK_EQ(lab.logged, 2);
    CHECK_EQ(lab.log[0].bytes, 8);
    open_at(EL1, 0);
    run_done(0x69400c41); /* LDPSW X1, X3, [X2] */
    CHECK_EQ(lab.a64.general[1], 0x13121110);
    CHECK_EQ(lab.a64.general[3], 0x17161514);
    open_at(EL1, EE);
    run_done(0x887f0c41); /* LDXP W1, W3, [X2]: one access */
    CHECK_EQ(lab.a64.general[1], 0x10111213);
    CHECK_EQ(lab.a64.general[3], 0x14151617);
    CHECK_EQ(lab.logged, 1);
    CHECK_EQ(lab.log[0].bytes, 8);
    open_at(EL1, EE);
    lab.a64.general[1] = 0x0102030405060708;
    lab.a64.general[3] = 0x1112131415161718;
    run_done(0xa9000c41); /* STP X1, X3, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x0807060504030201);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0x1817161514131211);
}

TEST(exec_a64, vector_registers_are_turned_round_as_a_whole) /* EA-8 EA-13 */
{
    static const struct {
        uint32_t word;
        unsigned bytes;
    } rows[] = { { 0x3d400041, 1 },
                 { 0x7d400041, 2 },
                 { 0xbd400041, 4 },
                 { 0xfd400041, 8 },
                 { 0x3dc00041, 16 } };

    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        unsigned n = rows[i / 2].bytes;

        open_at(EL1, i & 1 ? EE : 0);
        memset(lab.vector, 0xee, sizeof lab.vector);
        run_done(rows[i / 2].word);
        for (unsigned k = 0; k < 16; k++)
            CHECK_EQ(lab.vector[1][k], k >= n ? 0 : 0x10 + (i & 1 ? n - 1 - k : k), "%u, %u", n, k);
        CHECK_EQ(lab.vector[0][15], 0xee);
        CHECK_EQ(lab.vector[2][0], 0xee);
    }
    open_at(EL1, EE);
    for (unsigned k = 0; k < 16; k++) {
        lab.vector[1][k] = (uint8_t)(0xa0 + k);
        lab.vector[3][k] = (uint8_t)(0xc0 + k);
    }
    run_done(0xad000c41); /* STP Q1, Q3, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0xa8a9aaabacadaeaf);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0xa0a1a2a3a4a5a6a7);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 16, 8), 0xc8c9cacbcccdcecf);
}

TEST(exec_a64, the_base_is_written_last) /* EA-9 */
{
    static const struct {
        uint32_t word;
        uint64_t base; /* X2 after it, from A64_DATA */
        int64_t at;    /* where memory was touched */
        bool write;
    } rows[] = {
        { 0xf8408441, 8, 0, false },        /* LDR X1, [X2], #8 */
        { 0xf85f0c41, -16ull, -16, false }, /* LDR X1, [X2, #-16]! */
        { 0xf8408442, 8, 0, false },        /* LDR X2, [X2], #8 */
        { 0xf8008442, 8, 0, true },         /* STR X2, [X2], #8 */
        { 0xa9810442, 16, 16, true },       /* STP X2, X1, [X2, #16]! */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_at(EL1, 0);
        run_done(rows[i].word);
        CHECK_EQ(lab.a64.general[2], A64_DATA + rows[i].base, "%08" PRIx32, rows[i].word);
        if (rows[i].write)
            CHECK_EQ(exec_lab_load(&lab, A64_DATA + (uint64_t)rows[i].at, 8), A64_DATA, "row %u",
                     i);
    }
    open_at(EL1, 0);
    run_done(0xa9400441); /* LDP X1, X1, [X2] */
    CHECK_EQ(lab.a64.general[1], 0x1f1e1d1c1b1a1918);
    open_at(EL1, 0);
    lab.absent[0] = true;
    RUN(0xf8408441);
    CHECK_EQ(lab.a64.general[2], A64_DATA); /* a fault leaves it */
}

TEST(exec_a64, addresses_come_from_registers_of_every_kind) /* EA-9 */
{
    open_at(EL1, 0);
    lab.a64.general[3] = 0x1234567800000002;
    run_done(0xf863d841); /* LDR X1, [X2, W3, SXTW #3] */
    CHECK_EQ(lab.a64.general[1], 0x2726252423222120);
    lab.a64.general[2] += 0x100000000;
    lab.a64.general[3] = 0xffffffff00000000;
    lab.a64.general[2] -= 0x100000000;
    run_done(0xf8634841); /* LDR X1, [X2, W3, UXTW] */
    CHECK_EQ(lab.a64.general[1], 0x1716151413121110);
    lab.a64.general[3] = (uint64_t)-2;
    lab.a64.general[2] += 8;
    lab.a64.general[1] = 0x99;
    run_done(0xb8237841); /* STR W1, [X2, X3, LSL #2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 4), 0x99);
    lab.a64.pc = A64_DATA;
    run_done(0x18000041); /* LDR W1, .+8 */
    CHECK_EQ(lab.a64.general[1], 0x1b1a1918);
    lab.a64.pc = A64_DATA + 16;
    run_done(0x98ffffc1); /* LDRSW X1, .-8 */
    CHECK_EQ(lab.a64.general[1], 0x1b1a1918);
    CHECK_EQ(lab.a64.pc, A64_DATA + 20);
    lab.a64.general[31] = A64_DATA;
    lab.a64.general[1] = 0x55;
    run_done(0xf81f0fe1); /* STR X1, [SP, #-16]! */
    CHECK_EQ(lab.a64.general[31], A64_DATA - 16);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA - 16, 8), 0x55);
    run_done(0xf900005f); /* STR XZR, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0);
}

TEST(exec_a64, the_stack_pointer_is_aligned_where_that_is_checked) /* EA-7 */
{
    const uint32_t sa = 8, sa0 = 16;

    open_at(EL1, sa);
    lab.a64.general[31] += 8;
    RUN(0xf94003e1); /* LDR X1, [SP] */
    check_fault(0x26, 0, 0);
    CHECK_EQ(lab.calls, 0);
    open_at(EL0, sa);
    lab.a64.general[31] += 8;
    run_done(0xf94003e1);
    open_at(EL0, sa0);
    lab.a64.general[31] += 8;
    RUN(0xf94003e1);
    check_fault(0x26, 0, 0);
    run_done(0xf98007e0); /* PRFM [SP, #8] */
    open_at(EL1, sa | sa0);
    run_done(0xf94003e1);
}

TEST(exec_a64, alignment_is_checked_as_the_access_asks) /* EA-7 */
{
    static const struct {
        uint32_t word;
        uint32_t offset, sctlr;
        uint64_t mmfr2;
        uint32_t iss; /* 0: done */
    } rows[] = {
        { 0xf9400041, 4, 0, 0, 0 },        /* LDR X */
        { 0xf9400041, 4, 2, 0, 0x21 },     /* with SCTLR.A */
        { 0xf9000041, 4, 2, LSE2, 0x61 },  /* STR X: WnR */
        { 0xa9400c41, 8, 2, 0, 0 },        /* LDP X: a register */
        { 0xa9400c41, 4, 2, 0, 0x21 },     /* LDP X */
        { 0x3dc00041, 8, 2, 0, 0x21 },     /* LDR Q */
        { 0x4c407841, 4, 2, 0, 0 },        /* LD1 .4S: an element */
        { 0x4c407841, 2, 2, 0, 0x21 },     /* LD1 .4S */
        { 0x885f7c41, 2, 0, 0, 0x21 },     /* LDXR W */
        { 0x885f7c41, 2, 0, LSE2, 0 },     /* within 16 bytes */
        { 0x885f7c41, 14, 0, LSE2, 0x21 }, /* beyond */
        { 0x885f7c41, 13, 0, LSE2, 0x21 }, /* by a byte */
        { 0x885f7c41, 12, 0, 0, 0 },        { 0x885f7c41, 2, 2, LSE2, 0x21 }, /* SCTLR.A */
        { 0xc87f0c41, 8, 0, LSE2, 0x21 },                                     /* LDXP X: the pair */
        { 0x887f0c41, 4, 0, 0, 0x21 },                                        /* LDXP W: the pair */
        { 0x88047c41, 2, 0, 0, 0x61 },                                        /* STXR W */
        { 0xf8210043, 4, 0, 0, 0x21 },      /* LDADD X: a read would fault, too */
        { 0xf8210043, 4, 0, LSE2, 0 },      /* LDADD X */
        { 0xf8210043, 12, 64, LSE2, 0x21 }, /* nAA is of ordered ones */
        { 0x48247c46, 8, 0, LSE2, 0x21 },   /* CASP X */
        { 0xc8dffc41, 4, 0, 0, 0x21 },      /* LDAR X */
        { 0xc8dffc41, 4, 0, LSE2, 0 },      /* LDAR X */
        { 0xc8dffc41, 12, 0, LSE2, 0x21 },  /* LDAR X */
        { 0xc8dffc41, 12, 64, LSE2, 0 },    /* SCTLR.nAA */
        { 0xc8dffc41, 12, 64, 0, 0x21 },    /* LDAR X */
        { 0x99001041, 0, 0, 0, 0x61 },      /* STLUR W1, [X2, #1] */
        { 0xf83fd040, 8, 0, LSE2, 0x21 },   /* LD64B */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t at = A64_DATA + rows[i].offset;

        open_at(EL1, rows[i].sctlr);
        lab.a64.mmfr2 = rows[i].mmfr2;
        lab.a64.general[2] = at;
        RUN(rows[i].word);
        if (rows[i].iss == 0) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u", i);
            continue;
        }
        CHECK_EQ(lab.calls, 0, "row %u", i);
        check_fault(0x25, rows[i].iss, at + (rows[i].word == 0x99001041));
    }
    open_at(EL0, 2);
    lab.a64.general[2] += 1;
    RUN(0xf9400041);
    check_fault(0x24, 0x21, A64_DATA + 1);
}

TEST(exec_a64, a_translation_that_faults_is_an_abort_of_this_level) /* EA-5 */
{
    open_at(EL0, 0);
    lab.absent[0] = true;
    RUN(0xf9400041);
    check_fault(0x24, 0x07, A64_DATA);
    CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_USER);
    open_at(EL1, 0);
    lab.read_only[0] = true;
    RUN(0xf9000041);
    check_fault(0x25, 0x4f, A64_DATA);
    RUN(0xf8210043); /* LDADD: both at once, and a read would do */
    check_fault(0x25, 0x0f, A64_DATA);
    CHECK_EQ(lab.last_access, SVMC_ACCESS_RW);
    open_at(EL1, 0); /* what counts of the syndrome, and what does not */
    lab.absent[0] = true;
    lab.fault = (struct svmc_fault){
        .raised = 1, .vector = 0x24, .has_error = 1, .error = 0x1ffffff, .address = 0x1234
    };
    RUN(0xf9400041);
    check_fault(0x25, 0x67f, 0x1234);
    lab.fault.vector = 0x20;                                      /* of a fetch */
    CHECK_EQ(exec_lab_word(&lab, 0xf9400041), SVMC_ERR_CALLBACK); /* XE-23 */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    lab.fault.vector = 0x25;
    lab.fault.has_error = 0;
    CHECK_EQ(exec_lab_word(&lab, 0xf9400041), SVMC_ERR_CALLBACK);
    open_at(EL1, 0); /* on two pages: neither is touched */
    lab.a64.general[2] = LAB_LINEAR + LAB_PAGE - 12;
    lab.absent[1] = true;
    RUN(0xa9000c41); /* STP X */
    check_fault(0x25, 0x47, LAB_LINEAR + LAB_PAGE);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec_a64, nothing_there_is_an_external_abort) /* EA-6 */
{
    static const struct {
        uint32_t word;
        unsigned fail_at, offset;
        uint32_t iss;
    } rows[] = {
        { 0xf9400041, 2, 0, 0x10 },  /* LDR X */
        { 0xf9000041, 2, 0, 0x50 },  /* STR X */
        { 0xa9400c41, 3, 8, 0x10 },  /* LDP X: the second register */
        { 0xa9000c41, 3, 8, 0x50 },  /* STP X */
        { 0xf8210043, 2, 0, 0x10 },  /* LDADD: the read */
        { 0xf8210043, 3, 0, 0x50 },  /* the exchange */
        { 0x4c40845f, 7, 10, 0x10 }, /* LD2 .8H: the sixth element */
        { 0xd50b7422, 2, 0, 0x50 },  /* DC ZVA */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_at(EL1, 0);
        lab.mode = LAB_REFUSE;
        lab.fail_at = rows[i].fail_at;
        RUN(rows[i].word);
        check_fault(0x25, rows[i].iss, A64_DATA + rows[i].offset);
    }
    open_at(EL0, 0); /* the second page of one access */
    lab.mode = LAB_REFUSE;
    lab.fail_at = 4;
    lab.a64.general[2] = LAB_LINEAR + LAB_PAGE - 3;
    RUN(0xf9400041);
    check_fault(0x24, 0x10, LAB_LINEAR + LAB_PAGE);
    open_at(EL1, 0); /* a register of vectors is no memory */
    lab.mode = LAB_REFUSE;
    lab.fail_at = 3;
    CHECK_EQ(exec_lab_word(&lab, 0x3dc00041), SVMC_ERR_CALLBACK);
}

TEST(exec_a64, unprivileged_accesses_have_the_rights_of_users) /* EA-10 */
{
    static const struct {
        uint64_t pstate, hcr;
        uint32_t word, access;
    } rows[] = {
        { EL1, 0, 0xf9400041, 1 },
        { EL0, 0, 0xf9400041, 33 },
        { EL1, 0, 0xf8400841, 33 }, /* LDTR */
        { EL1, 0, 0xf8000841, 34 }, /* STTR */
        { EL0, 0, 0xf8400841, 33 },
        { EL1 | 1 << 23, 0, 0xf8400841, 1 }, /* UAO */
        { EL2, 0, 0xf8400841, 1 },
        { EL2, 1ull << 34, 0xf8400841, 1 },
        { EL2, 1ull << 27, 0xf8400841, 1 },
        { EL2, 0x408000000, 0xf8400841, 33 },
        { EL0 | 1 << 23, 0, 0xf8400841, 33 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_at(rows[i].pstate, 0);
        lab.a64.hcr = rows[i].hcr;
        run_done(rows[i].word);
        CHECK_EQ(lab.last_access, rows[i].access, "row %u", i);
    }
    open_at(EL1, 0);
    lab.supervisor[0] = true;
    RUN(0xf8400841);
    check_fault(0x25, 0x0f, A64_DATA); /* from EL1 all the same */
}

TEST(exec_a64, a_store_exclusive_wants_its_load) /* EA-12 */
{
    open_at(EL1, 0);
    lab.a64.general[1] = 0x77;
    lab.a64.general[4] = ~(uint64_t)0;
    run_done(0x88047c41); /* STXR W4, W1, [X2]: nothing before it */
    CHECK_EQ(lab.a64.general[4], 1);
    CHECK_EQ(lab.logged, 0);
    run_done(0xc85f7c43); /* LDXR X3, [X2] */
    run_done(0xc8047c41); /* STXR W4, X1, [X2] */
    CHECK_EQ(lab.a64.general[4], 0);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x77);
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_EXCHANGE);
    run_done(0xc8047c41); /* closed */
    CHECK_EQ(lab.a64.general[4], 1);
    run_done(0xc85f7c43);
    run_done(0x88047c41); /* another width */
    CHECK_EQ(lab.a64.general[4], 1);
    run_done(0xc85f7c43);
    lab.a64.general[2] += 8;
    run_done(0xc8047c41); /* another address */
    CHECK_EQ(lab.a64.general[4], 1);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0x1f1e1d1c1b1a1918);
    run_done(0xc85f7c43);
    exec_lab_store(&lab, A64_DATA + 8, 1, 0x99); /* another processor */
    run_done(0xc8047c41);
    CHECK_EQ(lab.a64.general[4], 1);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 1), 0x99);
    run_done(0xc85f7c43);
    lab.a64.general[1] = 0x1f1e1d1c1b1a1999;
    run_done(0xc8047c41); /* what is there already */
    CHECK_EQ(lab.a64.general[4], 0);
    run_done(0xc8047c41); /* closed, though the bytes are the same */
    CHECK_EQ(lab.a64.general[4], 1);
    run_done(0xc85f7c43);
    exec_lab_store(&lab, A64_DATA, 8, 0x1f1e1d1c1b1a1999);
    lab.a64.general[2] = A64_DATA; /* another address with the same bytes */
    run_done(0xc8047c41);
    CHECK_EQ(lab.a64.general[4], 1);
    run_done(0xc85f7c43);
    lab.a64.monitor.bytes = 0; /* an exception */
    run_done(0xc8047c41);
    CHECK_EQ(lab.a64.general[4], 1);
}

TEST(exec_a64, exclusive_pairs_are_one) /* EA-11 EA-12 */
{
    open_at(EL1, EE);
    lab.a64.general[1] = 0x0102030405060708;
    lab.a64.general[3] = 0x1112131415161718;
    run_done(0xc87f1c45); /* LDXP X5, X7, [X2] */
    CHECK_EQ(lab.a64.general[5], 0x1011121314151617);
    CHECK_EQ(lab.a64.general[7], 0x18191a1b1c1d1e1f);
    run_done(0xc8240c41); /* STXP W4, X1, X3, [X2] */
    CHECK_EQ(lab.a64.general[4], 0);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x0807060504030201);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0x1817161514131211);
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_EXCHANGE);
    CHECK_EQ(lab.log[1].bytes, 16);
    run_done(0x887f1c45); /* LDXP W5, W7, [X2] */
    run_done(0x88240c41); /* STXP W4, W1, W3, [X2] */
    CHECK_EQ(lab.a64.general[4], 0);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x1817161508070605);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0x1817161514131211);
    open_at(EL1, 0);
    run_done(0xc85f7c43);
    lab.a64.general[1] = 5;
    run_done(0xc8017c41); /* STXR W1, X1, [X2] (EA-9) */
    CHECK_EQ(lab.a64.general[1], 0);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 5);
    open_at(EL1, 0);
    lab.read_only[0] = true; /* asked for, though it could not store */
    RUN(0xc8047c41);
    check_fault(0x25, 0x4f, A64_DATA);
}

TEST(exec_a64, atomics_give_what_was_there) /* EA-14 */
{
    static const struct {
        uint32_t word;
        uint64_t old, operand, memory, reg;
    } rows[] = {
        { 0x38210043, 0xff, 0x102, 0x01, 0xff },                        /* LDADDB */
        { 0x78210043, 0xfffe, 3, 1, 0xfffe },                           /* LDADDH */
        { 0xb8210043, 0xffffffff, 1, 0, 0xffffffff },                   /* LDADD W */
        { 0xf8210043, 0xffffffff, 1, 0x100000000, 0xffffffff },         /* LDADD X */
        { 0xf8211043, 0xff00ff00, 0xf000, 0xff000f00, 0xff00ff00 },     /* LDCLR X */
        { 0xb8212043, 0xff00ff00, 0xffff0000, 0x00ffff00, 0xff00ff00 }, /* LDEOR W */
        { 0xf8213043, 0xf0, 0x0f, 0xff, 0xf0 },                         /* LDSET X */
        { 0xb8214043, 0x80000000, 1, 1, 0x80000000 },                   /* LDSMAX W */
        { 0xb8214043, 2, 0xffffffff, 2, 2 },                            /* LDSMAX W */
        { 0xf8215043, 5, ~0ull, ~0ull, 5 },                             /* LDSMIN X */
        { 0xf8215043, 1ull << 63, 5, 1ull << 63, 1ull << 63 },          /* LDSMIN X */
        { 0x38216043, 0x7f, 0x80, 0x80, 0x7f },                         /* LDUMAXB */
        { 0x38216043, 0x80, 0x17f, 0x80, 0x80 },                        /* LDUMAXB */
        { 0xf8217043, 1ull << 63, 5, 5, 1ull << 63 },                   /* LDUMIN X */
        { 0x78214043, 0x8000, 0xffff, 0xffff, 0x8000 },                 /* LDSMAXH */
        { 0x38215043, 0x7f, 0x80, 0x80, 0x7f },                         /* LDSMINB */
        { 0xf8218043, 7, 9, 9, 7 },                                     /* SWP X */
        { 0x38e18043, 7, 0x109, 9, 7 },                                 /* SWPALB */
    };

    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        uint32_t word = rows[i / 2].word;
        unsigned n = 1u << (word >> 30);
        uint64_t old = rows[i / 2].old, memory = rows[i / 2].memory;

        open_at(EL1, i & 1 ? EE : 0);
        for (unsigned k = 0; i & 1 && k < n / 2; k++) { /* the other way round */
            unsigned up = 8 * k, down = 8 * (n - 1 - k);
            uint64_t a = (old ^ old >> (down - up)) & 0xffull << up;
            uint64_t b = (memory ^ memory >> (down - up)) & 0xffull << up;

            old ^= a | a << (down - up);
            memory ^= b | b << (down - up);
        }
        exec_lab_store(&lab, A64_DATA, n, old);
        lab.a64.general[1] = rows[i / 2].operand;
        lab.a64.general[3] = ~(uint64_t)0;
        run_done(word);
        CHECK_EQ(exec_lab_load(&lab, A64_DATA, n), memory, "row %u", i);
        CHECK_EQ(lab.a64.general[3], rows[i / 2].reg, "row %u", i);
        CHECK_EQ(*exec_lab_at(&lab, A64_DATA + n), 0x10 + n, "row %u", i);
        CHECK_EQ(lab.log[1].kind, SVMC_EXEC_EXCHANGE);
    }
    open_at(EL1, 0);
    lab.a64.general[1] = 1;
    run_done(0xf821005f); /* STADD X1, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 1), 0x11);
}

TEST(exec_a64, compare_and_swap_compares) /* EA-14 */
{
    open_at(EL1, 0);
    lab.a64.general[1] = 0x1716151413121110;
    lab.a64.general[3] = 0x33;
    run_done(0xc8a17c43); /* CAS X1, X3, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x33);
    CHECK_EQ(lab.a64.general[1], 0x1716151413121110);
    lab.a64.general[3] = 0x44;
    run_done(0xc8a17c43);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x33);
    CHECK_EQ(lab.a64.general[1], 0x33);
    lab.a64.general[1] = 0xffffff33; /* CASB: the byte alone */
    run_done(0x08a17c43);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x44);
    CHECK_EQ(lab.a64.general[1], 0x33);
    open_at(EL1, EE);
    lab.a64.general[4] = 0x1011121314151617;
    lab.a64.general[5] = 0x18191a1b1c1d1e1f;
    lab.a64.general[6] = 0x0102030405060708;
    lab.a64.general[7] = 0x1112131415161718;
    run_done(0x48247c46); /* CASP X4, X5, X6, X7, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x0807060504030201);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0x1817161514131211);
    run_done(0x48247c46);
    CHECK_EQ(lab.a64.general[4], 0x0102030405060708);
    CHECK_EQ(lab.a64.general[5], 0x1112131415161718);
    CHECK_EQ(lab.log[3].bytes, 16);
    open_at(EL1, 0);
    lab.a64.general[4] = 0xff00000013121110;
    lab.a64.general[5] = 0x17161515; /* not the same */
    run_done(0x08247c46);            /* CASP W4, W5, W6, W7, [X2] */
    CHECK_EQ(lab.a64.general[4], 0x13121110);
    CHECK_EQ(lab.a64.general[5], 0x17161514);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x1716151413121110);
}

TEST(exec_a64, pairs_of_sixteen_bytes_are_changed_at_once) /* EA-14 */
{
    static const struct {
        uint32_t word;
        uint64_t low, high;
    } rows[] = {
        { 0x19231041, 0x1716151413121100, 0x1f1e1d1c1b1a0918 }, /* LDCLRP X1, X3, [X2] */
        { 0x19233041, 0x171615141312111f, 0x1f1e1d1c1b1a1918 }, /* LDSETP */
        { 0x19238041, 0x1f, 0x1000 },                           /* SWPP */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_at(EL1, 0);
        lab.a64.general[1] = 0x1f;
        lab.a64.general[3] = 0x1000;
        run_done(rows[i].word);
        CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), rows[i].low, "row %u", i);
        CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), rows[i].high, "row %u", i);
        CHECK_EQ(lab.a64.general[1], 0x1716151413121110);
        CHECK_EQ(lab.a64.general[3], 0x1f1e1d1c1b1a1918);
    }
}

TEST(exec_a64, what_needs_one_step_is_done_in_one_or_not) /* XE-10 EA-14 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_at(EL1, 0);
    lab.late = 8;
    RUN(0xf8210043);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.a64.pc, LAB_LINEAR + 0x1000);
    CHECK_EQ(lab.logged, 9);
    open_at(EL1, 0);
    lab.device = true;
    lab.a64.general[1] = 1;
    run_done(0xf8210043);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 1), 0x11);
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_WRITE);
    run_done(0xc85f7c43);
    run_done(0xc8047c41); /* STXR */
    CHECK_EQ(lab.a64.general[4], 0);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 1);
    open_at(EL1, 0);
    ops.exchange = NULL;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    RUN(0xf8210043);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_ATOMIC);
    RUN(0xc8047c41);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_ATOMIC);
    CHECK_EQ(lab.logged, 0);
}

static void check_vector(unsigned n, uint64_t low, uint64_t high)
{
    uint64_t got[2] = { 0, 0 };

    for (unsigned i = 16; i > 0; i--)
        got[(i - 1) / 8] = got[(i - 1) / 8] << 8 | lab.vector[n][i - 1];
    CHECK_EQ(got[0], low, "v%u", n);
    CHECK_EQ(got[1], high, "v%u", n);
}

TEST(exec_a64, structures_are_taken_apart) /* EA-13 */
{
    open_at(EL1, 0);
    run_done(0x4c407841); /* LD1 { V1.4S } */
    check_vector(1, 0x1716151413121110, 0x1f1e1d1c1b1a1918);
    CHECK_EQ(lab.log[0].bytes, 4);
    CHECK_EQ(lab.logged, 5);
    open_at(EL1, EE);
    run_done(0x4c407841);
    check_vector(1, 0x1415161710111213, 0x1c1d1e1f18191a1b);
    open_at(EL1, 0);
    run_done(0x4c40845f); /* LD2 { V31.8H, V0.8H } */
    check_vector(31, 0x1d1c191815141110, 0x2d2c292825242120);
    check_vector(0, 0x1f1e1b1a17161312, 0x2f2e2b2a27262322);
    open_at(EL1, 0);
    memset(lab.vector, 0xee, sizeof lab.vector);
    lab.a64.general[5] = 0x1000;
    run_done(0x0cc54041); /* LD3 { V1.8B-V3.8B }, [X2], X5 */
    check_vector(1, 0x25221f1c19161310, 0);
    check_vector(2, 0x2623201d1a171411, 0);
    check_vector(3, 0x2724211e1b181512, 0);
    check_vector(4, 0xeeeeeeeeeeeeeeee, 0xeeeeeeeeeeeeeeee);
    CHECK_EQ(lab.a64.general[2], A64_DATA + 0x1000);
    open_at(EL1, 0);
    run_done(0x0c400441); /* LD4 { V1.4H-V4.4H } */
    check_vector(1, 0x2928212019181110, 0);
    check_vector(4, 0x2f2e27261f1e1716, 0);
    open_at(EL1, 0);
    run_done(0x4cdf2041); /* LD1 { V1.16B-V4.16B }, [X2], #64 */
    check_vector(4, 0x4746454443424140, 0x4f4e4d4c4b4a4948);
    CHECK_EQ(lab.a64.general[2], A64_DATA + 64);
    CHECK_EQ(lab.log[0].bytes, 2);
    CHECK_EQ(lab.out.accesses, 36);
}

TEST(exec_a64, structures_are_put_together) /* EA-13 */
{
    open_at(EL1, 0);
    for (unsigned i = 0; i < 64; i++)
        lab.vector[1 + i / 16][i % 16] = (uint8_t)(0x80 + i);
    run_done(0x4c00ac41); /* ST1 { V1.2D, V2.2D } */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 8, 8), 0x8f8e8d8c8b8a8988);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 24, 8), 0x9f9e9d9c9b9a9998);
    run_done(0x4c008841); /* ST2 { V1.4S, V2.4S } */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x9392919083828180);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 24, 8), 0x9f9e9d9c8f8e8d8c);
    run_done(0x4c004041); /* ST3 { V1.16B-V3.16B } */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x9282a19181a09080);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 45, 3), 0xaf9f8f);
    CHECK_EQ(*exec_lab_at(&lab, A64_DATA + 48), 0x40);
    lab.logged = 0;
    run_done(0x4c000041); /* ST4 { V1.16B-V4.16B } */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0xb1a19181b0a09080);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 60, 4), 0xbfaf9f8f);
    CHECK_EQ(lab.out.accesses, 36);
    lab.a64.sctlr = EE;
    run_done(0x4c008841); /* ST2 { V1.4S, V2.4S } */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x9091929380818283);
}

TEST(exec_a64, lanes_leave_the_others) /* EA-13 */
{
    open_at(EL1, 0);
    memset(lab.vector, 0xee, sizeof lab.vector);
    run_done(0x4d408041); /* LD1 { V1.S }[2] */
    check_vector(1, 0xeeeeeeeeeeeeeeee, 0xeeeeeeee13121110);
    run_done(0x0ddf3c41); /* LD3 { V1.B-V3.B }[7], [X2], #3 */
    check_vector(1, 0x10eeeeeeeeeeeeee, 0xeeeeeeee13121110);
    check_vector(2, 0x11eeeeeeeeeeeeee, 0xeeeeeeeeeeeeeeee);
    check_vector(3, 0x12eeeeeeeeeeeeee, 0xeeeeeeeeeeeeeeee);
    CHECK_EQ(lab.a64.general[2], A64_DATA + 3);
    lab.a64.general[2] = A64_DATA;
    run_done(0x0d205841); /* ST2 { V1.H, V2.H }[3] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x1716151411ee10ee);
    run_done(0x4d008441); /* ST1 { V1.D }[1] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0xeeeeeeee13121110);
    run_done(0x0d40c841); /* LD1R { V1.2S } */
    check_vector(1, 0x1312111013121110, 0);
    lab.a64.sctlr = EE;
    run_done(0x4d60cc41); /* LD2R { V1.2D, V2.2D } */
    check_vector(1, 0x10111213eeeeeeee, 0x10111213eeeeeeee);
    check_vector(2, 0x18191a1b1c1d1e1f, 0x18191a1b1c1d1e1f);
    run_done(0x4d408041); /* LD1 { V1.S }[2] */
    check_vector(1, 0x10111213eeeeeeee, 0x1011121310111213);
    run_done(0x0d418441); /* LDAP1 { V1.D }[0], [X2] */
    check_vector(1, 0x10111213eeeeeeee, 0x1011121310111213);
    lab.vector[1][0] = 0x55;
    run_done(0x0d018441); /* STL1 { V1.D }[0], [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 0x55eeeeee13121110);
}

TEST(exec_a64, vectors_that_trap_or_that_nobody_has) /* EA-4 */
{
    static const struct {
        uint64_t pstate, fpen;
        bool traps;
    } rows[] = { { EL0, 0, true }, { EL0, 1, true },  { EL0, 2, true }, { EL0, 3, false },
                 { EL1, 0, true }, { EL1, 1, false }, { EL1, 2, true }, { EL1, 3, false } };
    struct svmc_exec_ops ops = exec_lab_ops;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_at(rows[i].pstate, 0);
        lab.a64.cpacr = rows[i].fpen << 20;
        RUN(0x4c407841);
        if (rows[i].traps)
            check_fault(0x07, 0x1e00000, 0);
        else
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u", i);
        run_done(0xf9400041);
    }
    open_at(EL1, 0);
    ops.vector_write = NULL;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    RUN(0x3dc00041);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab.calls, 0);
    lab.a64.cpacr = 0;
    RUN(0x3dc00041);
    check_fault(0x07, 0x1e00000, 0);
}

TEST(exec_a64, sixty_four_bytes_are_one_access) /* EA-14 */
{
    open_at(EL1, EE);
    run_done(0xf83fd044); /* LD64B X4, [X2] */
    CHECK_EQ(lab.a64.general[4], 0x1011121314151617);
    CHECK_EQ(lab.a64.general[11], 0x48494a4b4c4d4e4f);
    CHECK_EQ(lab.logged, 1);
    CHECK_EQ(lab.log[0].bytes, 64);
    lab.a64.general[4] = 1;
    lab.a64.general[11] = 2;
    run_done(0xf83f9044); /* ST64B X4, [X2] */
    CHECK_EQ(exec_lab_load(&lab, A64_DATA, 8), 1ull << 56);
    CHECK_EQ(exec_lab_load(&lab, A64_DATA + 56, 8), 2ull << 56);
    open_at(EL0, 0);
    RUN(0xf83f9044);
    check_fault(0x0a, 2, 0);
    lab.a64.sctlr = 1ull << 56; /* EnALS */
    run_done(0xf83f9044);
}

TEST(exec_a64, a_block_is_zeroed_as_large_as_the_processor_says) /* EA-15 */
{
    for (unsigned bs = 0; bs < 16; bs++) {
        uint64_t block = 4ull << bs, at = LAB_LINEAR + 0x800;

        open_at(EL1, 0);
        memset(lab.ram, 0xee, sizeof lab.ram);
        lab.a64.dczid = bs;
        lab.a64.general[2] = at + block - 1;
        RUN(0xd50b7422);
        if (bs > 9) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", bs);
        CHECK_EQ(lab.out.accesses, block > 64 ? block / 64 : 1);
        CHECK_EQ(exec_lab_load(&lab, at - 1, 1), 0xee);
        for (uint64_t i = 0; i < block; i++)
            CHECK_EQ(exec_lab_load(&lab, at + i, 1), 0);
        CHECK_EQ(exec_lab_load(&lab, at + block, 1), 0xee, "%u", bs);
    }
    open_at(EL1, 0);
    lab.absent[0] = true;
    lab.a64.general[2] += 5;
    RUN(0xd50b7422);
    check_fault(0x25, 0x47, A64_DATA + 5); /* no CM */
    open_at(EL0, 0);
    RUN(0xd50b7422);
    check_fault(0x18, 1 << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 2 << 5 | 4 << 1, 0);
    lab.a64.sctlr = 1u << 14;
    run_done(0xd50b7422);
}

TEST(exec_a64, caches_are_looked_at_by_address_alone) /* EA-16 */
{
    static const uint32_t words[] = { 0xd50b7a22, 0xd50b7b22, 0xd50b7e22,
                                      0xd50b7c22, 0xd50b7d22, 0xd50b7522 };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        open_at(EL1, 0);
        run_done(words[i]);
        CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_CHECK);
        CHECK_EQ(lab.logged, 0);
        lab.absent[0] = true;
        lab.a64.pc = LAB_LINEAR + 0x1000;
        RUN(words[i]);
        check_fault(0x25, 0x147, A64_DATA); /* CM, WnR */
        open_at(EL0, 0);
        RUN(words[i]);
        CHECK_EQ(lab.out.fault.vector, 0x18);
        lab.a64.sctlr = 1u << 26; /* UCI */
        run_done(words[i]);
    }
    open_at(EL1, 0);
    run_done(0xd5087622); /* DC IVAC */
    CHECK_EQ(lab.last_access, SVMC_ACCESS_WRITE | SVMC_EXEC_CHECK);
    open_at(EL0, 1u << 26);
    RUN(0xd5087622);
    check_fault(0x00, 0, 0);
    RUN(0xd5087e42); /* DC CISW */
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    RUN(0xd508751f); /* IC IALLU */
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
}

TEST(exec_a64, prefetches_ask_for_nothing) /* EA-17 */
{
    static const uint32_t words[] = { 0xf9800040, 0xf98007e0, 0xd8000000,
                                      0xf8800040, 0xf8a34840, 0xf8a34858 };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        open_at(EL0, ~(uint64_t)0);
        lab.a64.general[31] = 1;
        run_done(words[i]);
        CHECK_EQ(lab.calls, 0);
        CHECK_EQ(lab.a64.pc, LAB_LINEAR + 0x1004);
    }
}

TEST(exec_a64, ordered_accesses_are_made_like_others) /* EA-18 */
{
    static const uint32_t loads[] = { 0xc8dffc41, 0xc8df7c41, 0xf8bfc041, 0xd9400041, 0xd9c00841 };
    static const uint32_t stores[] = { 0xc89ffc41, 0xc89f7c41, 0xd9000041, 0xd9800841 };

    for (unsigned i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        open_at(EL1, 0);
        run_done(loads[i]);
        CHECK_EQ(lab.a64.general[1], 0x1716151413121110, "%u", i);
        CHECK_EQ(lab.a64.general[2], A64_DATA + (i == 4 ? 8 : 0)); /* LDAPR X1, [X2], #8 */
    }
    for (unsigned i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        open_at(EL1, 0);
        lab.a64.general[1] = 0x99;
        run_done(stores[i]);
        CHECK_EQ(exec_lab_load(&lab, A64_DATA - (i == 3 ? 8 : 0), 8), 0x99, "%u", i);
        CHECK_EQ(lab.a64.general[2], A64_DATA - (i == 3 ? 8 : 0)); /* STLR X1, [X2, #-8]! */
    }
    open_at(EL1, 0);
    run_done(0xd9430841); /* LDIAPP X1, X3, [X2], #16 */
    CHECK_EQ(lab.a64.general[3], 0x1f1e1d1c1b1a1918);
    CHECK_EQ(lab.a64.general[2], A64_DATA + 16);
    CHECK_EQ(lab.log[0].bytes, 16);
}

TEST(exec_a64, what_no_row_finishes_is_said) /* EA-19 EA-20 */
{
    static const uint32_t words[] = {
        0xf8200441, /* LDRAA */
        0xd9200841, /* STG */
        0xd9600041, /* LDG */
        0x69000c41, /* STGP, which is post-indexed in 68800c41 */
        0x19210841, /* RCWCAS */
        0xf823b040, /* ST64BV */
        0x19030441, /* CPYFP */
        0x85804041, /* LDR Z, SVE */
        0xd503201f, /* NOP */
        0x14000000, /* B . */
        0x8b000000, /* ADD */
    };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        open_at(EL1, 0);
        RUN(words[i]);
        CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED, "%08" PRIx32, words[i]);
        CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_NO_ROW, "%08" PRIx32, words[i]);
        CHECK_EQ(lab.calls, 0);
        CHECK_EQ(lab.a64.pc, LAB_LINEAR + 0x1000);
    }
}

TEST(exec_a64, the_step_is_taken) /* EA-3 */
{
    open_at(EL1 | 1 << 21 | 3 << 10 | 0xf0000000, 0);
    run_done(0xf9400041);
    CHECK_EQ(lab.a64.pstate, EL1 | 0xf0000000);
    CHECK_EQ(lab.a64.pc, LAB_LINEAR + 0x1004);
    open_at(EL1 | 1 << 20, 0);
    RUN(0xf9400041);
    check_fault(0x0e, 0, 0);
}

static enum svmc_status fetch(void)
{
    return svmc_exec_a64_fetch(&lab.x, &lab.a64, &lab.insn, &lab.out);
}

TEST(exec_a64, an_instruction_is_fetched_or_faults) /* EA-2 EA-5 EA-6 XE-5 */
{
    open_at(EL1, EE); /* little-endian all the same */
    exec_lab_store(&lab, LAB_LINEAR + 0x1000, 4, 0xf9400041);
    CHECK_EQ(fetch(), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    CHECK_EQ(lab.insn.id, SVMC_A64_LDR);
    CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_EXECUTE);
    lab.mode = LAB_BUSY;
    lab.calls = 0;
    lab.fail_at = 2;
    CHECK_EQ(fetch(), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(lab.insn.length, 0);
    CHECK_EQ(fetch(), SVMC_ERR_STATE);
    CHECK_EQ(exec_lab_word(&lab, 0xf9400041), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_answer(&lab.x, (const uint8_t[]){ 0x41, 0, 0x40, 0xf9 }, 4), SVMC_OK);
    CHECK_EQ(svmc_exec_a64_resume(&lab.x, &lab.a64, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(fetch(), SVMC_OK);
    CHECK_EQ(lab.insn.id, SVMC_A64_LDR);
    lab.mode = LAB_REFUSE;
    lab.calls = 0;
    CHECK_EQ(fetch(), SVMC_OK);
    check_fault(0x21, 0x10, LAB_LINEAR + 0x1000);
    CHECK_EQ(lab.insn.length, 0);
    lab.mode = LAB_FAIL;
    lab.calls = 0;
    CHECK_EQ(fetch(), SVMC_ERR_CALLBACK);
    lab.mode = LAB_OK;
    exec_lab_store(&lab, LAB_LINEAR + 0x1000, 4, 0);
    CHECK_EQ(fetch(), SVMC_OK);
    check_fault(0x00, 0, 0);
    lab.absent[1] = true;
    lab.a64.pstate = EL0;
    CHECK_EQ(fetch(), SVMC_OK);
    check_fault(0x20, 0x07, LAB_LINEAR + 0x1000);
    CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_EXECUTE | SVMC_EXEC_USER);
    lab.fault = (struct svmc_fault){ .raised = 1, .vector = 0x24, .has_error = 1 };
    CHECK_EQ(fetch(), SVMC_ERR_CALLBACK); /* an abort of data */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    CHECK_EQ(lab.out.fault.raised, 0);
    lab.a64.pc += 2;
    CHECK_EQ(fetch(), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 0x22);
    CHECK_EQ(lab.out.fault.address, LAB_LINEAR + 0x1002);
    CHECK_EQ(svmc_exec_a64_fetch(&lab.x, &lab.a64, NULL, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_a64_fetch(NULL, &lab.a64, &lab.insn, &lab.out), SVMC_ERR_ARG);
    lab.a64.pstate = 0x10;
    CHECK_EQ(fetch(), SVMC_ERR_ARG);
}
