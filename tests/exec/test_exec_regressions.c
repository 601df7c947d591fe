/* SPDX-License-Identifier: MIT */
/* What went wrong in the emulators of others, by its name; XE-24: docs/spec/exec.md, end. */
#include "exec_lab.h"

#define DATA (LAB_LINEAR + 0x100)
#define CODE (LAB_LINEAR + 0x2000)

static struct exec_lab lab;

static void open_64(void)
{
    exec_lab_open(&lab, SVMC_ISA_X86_64);
    lab.regs.general[SVMC_REG_RBX] = DATA;
}

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static enum svmc_status fetch(uint64_t rip)
{
    lab.regs.rip = rip;
    return svmc_exec_x86_fetch(&lab.x, &lab.cpu, &lab.regs, &lab.insn, &lab.out);
}

static void put_code(uint64_t at, const void *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        exec_lab_store(&lab, at + i, 1, ((const uint8_t *)bytes)[i]);
}

TEST(exec_regressions, xsa_123_override_on_a_register)
{
    struct exec_lab before;

    open_64();
    before = lab;
    CHECK_EQ(RUN(0x64, 0x89, 0xd8), SVMC_OK); /* MOV FS:EAX, EBX, which is MOV EAX, EBX */
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_NO_ACCESS);
    CHECK_EQ(lab.calls, 0);
    CHECK(memcmp(&before.regs, &lab.regs, sizeof lab.regs) == 0);
}

TEST(exec_regressions, xsa_191_null_segment) /* XE-13 */
{
    for (unsigned stale = 0; stale < 4; stale++) { /* what vendors leave in base and limit */
        exec_lab_open(&lab, SVMC_ISA_X86_32);
        lab.regs.segment[SVMC_SEG_FS].rights = SVMC_RIGHTS_UNUSABLE | SVMC_RIGHTS_WRITABLE;
        lab.regs.segment[SVMC_SEG_FS].base = stale & 1 ? LAB_LINEAR : 0;
        lab.regs.segment[SVMC_SEG_FS].limit = stale & 2 ? 0xffffffff : 0;
        CHECK_EQ(RUN(0x64, 0x8a, 0x03), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
        CHECK_EQ(lab.out.fault.vector, 13);
        CHECK_EQ(lab.calls, 0);
    }
}

TEST(exec_regressions, xsa_195_bit_far_outside) /* XE-22 */
{
    static const struct {
        uint64_t offset, linear; /* 0: not canonical */
        unsigned bit;
    } rows[] = {
        { 0, DATA, 0 },
        { 63, DATA, 63 },
        { 64, DATA + 8, 0 },
        { ~(uint64_t)0, DATA - 8, 63 },
        { (uint64_t)-64, DATA - 8, 0 },
        { (uint64_t)-65, DATA - 16, 63 },
        { 8 * 0x2f00, DATA + 0x2f00, 0 },
        { (uint64_t)1 << 62, 0, 0 },
        { (uint64_t)1 << 63, 0, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_64();
        lab.regs.general[SVMC_REG_RCX] = rows[i].offset;
        CHECK_EQ(RUN(0x48, 0x0f, 0xab, 0x0b), SVMC_OK); /* BTS [RBX], RCX */
        if (rows[i].linear == 0) {
            CHECK_EQ(lab.out.fault.vector, 13, "row %zu", i);
            CHECK_EQ(lab.calls, 0, "row %zu", i);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %zu", i);
        CHECK_EQ(exec_lab_load(&lab, rows[i].linear, 8), (uint64_t)1 << rows[i].bit, "row %zu", i);
    }
}

TEST(exec_regressions, xsa_200_cmpxchg8b_with_66)
{
    open_64();
    exec_lab_store(&lab, DATA, 8, 0x1111111122222222);
    exec_lab_store(&lab, DATA + 8, 8, 0x3333333333333333);
    lab.regs.general[SVMC_REG_RAX] = 0xaaaaaaaa00000000;
    CHECK_EQ(RUN(0x66, 0x0f, 0xc7, 0x0b), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0x22222222);
    CHECK_EQ(lab.regs.general[SVMC_REG_RDX], 0x11111111);
    CHECK_EQ(lab.log[0].bytes, 8);
    CHECK_EQ(lab.log[1].bytes, 8);
    CHECK_EQ(exec_lab_load(&lab, DATA + 8, 8), 0x3333333333333333);
}

TEST(exec_regressions, xsa_190_and_cve_2011_1780_swapped_after_the_fetch) /* XE-3 */
{
    open_64();
    put_code(CODE, "\x89\x03", 2); /* MOV [RBX], EAX */
    CHECK_EQ(fetch(CODE), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    put_code(CODE, "\x0f\x30", 2); /* WRMSR */
    lab.regs.general[SVMC_REG_RAX] = 0x77;
    CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), 0x77);
}

TEST(exec_regressions, xsa_105_privilege_is_asked_for) /* XE-17 */
{
    static const struct {
        uint8_t count, bytes[4];
    } rows[] = { { 1, { 0xf4 } },
                 { 3, { 0x0f, 0x01, 0x13 } }, /* LGDT [RBX] */
                 { 3, { 0x0f, 0x01, 0x1b } }, /* LIDT */
                 { 3, { 0x0f, 0x01, 0x33 } }, /* LMSW */
                 { 3, { 0x0f, 0x00, 0x13 } }, /* LLDT */
                 { 3, { 0x0f, 0x00, 0x1b } }, /* LTR */
                 { 3, { 0x0f, 0x01, 0x3b } }, /* INVLPG */
                 { 2, { 0x0f, 0x09 } },       /* WBINVD */
                 { 2, { 0x0f, 0x30 } } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint8_t cpl = 1; cpl <= 3; cpl++) {
            open_64();
            lab.regs.cpl = cpl;
            CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %zu", i);
            CHECK_EQ(lab.out.fault.vector, 13, "row %zu", i);
            CHECK_EQ(lab.calls, 0, "row %zu", i);
        }
    open_64();
    lab.regs.cpl = 3;
    CHECK_EQ(RUN(0x0f, 0x01, 0x03), SVMC_OK); /* SGDT */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    lab.regs.cr4 = 0x800; /* UMIP */
    CHECK_EQ(RUN(0x0f, 0x01, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
}

TEST(exec_regressions, cve_2014_3610_wrmsr_of_no_address)
{
    static const uint32_t msrs[] = { 0x175,      0x176,      0xc0000082, 0xc0000083,
                                     0xc0000100, 0xc0000101, 0xc0000102 };

    for (size_t i = 0; i < sizeof msrs / sizeof msrs[0]; i++) {
        open_64();
        lab.regs.general[SVMC_REG_RCX] = msrs[i];
        lab.regs.general[SVMC_REG_RDX] = 0x8000;
        CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK);
        CHECK_EQ(lab.out.fault.vector, 13);
        CHECK_EQ(lab.calls, 0);
        lab.regs.general[SVMC_REG_RDX] = 0xffff8000;
        CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.msr_value, 0xffff800000000000);
    }
}

/* Every opcode of two maps, with and without memory: an answer, and never an empty slot. */
TEST(exec_regressions, cve_2014_8480_every_row_has_an_answer) /* XE-20 */
{
    static const uint8_t prefixes[] = { 0x90, 0x66, 0xf2, 0xf3, 0xf0 };

    for (unsigned n = 0; n < 5 * 2 * 256 * 16; n++) {
        uint8_t bytes[15] = { prefixes[n & 3 ? n % 5 : 0] };
        unsigned at = bytes[0] != 0x90;

        if (n / 5 & 1)
            bytes[at++] = 0x0f;
        bytes[at++] = (uint8_t)(n / 10);
        bytes[at] = (uint8_t)((n / 2560 & 7) << 3 | (n / 2560 < 8 ? 3 : 5)); /* [RBX], RIP */
        if (n == 0)
            open_64();
        lab.regs.general[SVMC_REG_RBX] = DATA;
        lab.regs.general[SVMC_REG_RSP] = DATA + 0x200;
        lab.regs.general[SVMC_REG_RCX] = 1;
        lab.regs.rflags = 2;
        if (svmc_insn_decode(&lab.cpu, bytes, sizeof bytes, &lab.insn) != SVMC_OK)
            continue;
        CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_OK);
        CHECK(lab.out.action >= SVMC_EXEC_DONE && lab.out.action <= SVMC_EXEC_UNFINISHED,
              "%02x %02x", bytes[0], bytes[1]);
        CHECK((lab.out.reason != 0) == (lab.out.action == SVMC_EXEC_UNFINISHED));
    }
}

static enum svmc_status writes_nothing(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx, (void)at, (void)dst, (void)n;
    return SVMC_OK;
}

TEST(exec_regressions, cve_2024_46794_nothing_stale_comes_out)
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_64();
    exec_lab_store(&lab, DATA, 8, ~(uint64_t)0);
    CHECK_EQ(RUN(0x48, 0x8b, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], ~(uint64_t)0);
    ops.read = writes_nothing;
    lab.x.priv.ops = &ops;
    CHECK_EQ(RUN(0x48, 0x8b, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0);
    CHECK_EQ(RUN(0x48, 0x03, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0);
}

TEST(exec_regressions, cve_2017_2583_ss_is_null_where_that_may_be) /* XS-4 */
{
    for (unsigned cpl = 0; cpl < 4; cpl++)
        for (unsigned rpl = 0; rpl < 4; rpl++) {
            open_64();
            lab.regs.cpl = (uint8_t)cpl;
            exec_lab_store(&lab, DATA, 2, rpl);
            CHECK_EQ(RUN(0x8e, 0x13), SVMC_OK); /* MOV SS, [RBX] */
            if (cpl == rpl && cpl != 3) {
                CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
                CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].rights,
                         SVMC_RIGHTS_UNUSABLE | (uint32_t)cpl << 5);
            } else {
                CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
                CHECK_EQ(lab.out.fault.vector, 13);
            }
        }
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    exec_lab_store(&lab, LAB_LINEAR + 0x3800, 4, 0);
    CHECK_EQ(RUN(0x17), SVMC_OK); /* POP SS */
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, 13);
}

TEST(exec_regressions, cve_2018_10853_accesses_carry_the_level) /* XE-17 */
{
    for (uint8_t cpl = 0; cpl <= 3; cpl++) {
        open_64();
        lab.regs.cpl = cpl;
        lab.supervisor[0] = true;
        CHECK_EQ(RUN(0x48, 0x01, 0x03), SVMC_OK);
        CHECK_EQ((lab.last_access & SVMC_EXEC_USER) != 0, cpl == 3);
        CHECK_EQ(lab.out.action, cpl == 3 ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE);
        CHECK_EQ(RUN(0x89, 0x03), SVMC_OK);
        CHECK_EQ(lab.out.action, cpl == 3 ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE);
    }
}

/* MOV qword [RAX+RCX*8+12345678], 55667788 with a prefix, at every distance from a page's end. */
TEST(exec_regressions, cve_2022_1852_and_libvmm_fetch_at_a_page_end) /* XE-4 XE-5 */
{
    static const uint8_t code[13] = { 0x65, 0x48, 0xc7, 0x84, 0xc8, 0x78, 0x56,
                                      0x34, 0x12, 0x88, 0x77, 0x66, 0x55 };

    for (unsigned here = 0; here <= sizeof code; here++) {
        uint64_t at = CODE + LAB_PAGE - here;

        open_64();
        put_code(at, code, sizeof code);
        lab.insn.length = 7; /* of an instruction before */
        CHECK_EQ(fetch(at), SVMC_OK);
        CHECK_EQ(lab.insn.length, sizeof code, "%u", here);
        open_64();
        put_code(at, code, here);
        lab.absent[3] = true;
        CHECK_EQ(fetch(at), SVMC_OK);
        if (here == sizeof code) {
            CHECK_EQ(lab.insn.length, sizeof code);
            continue;
        }
        CHECK_EQ(lab.insn.length, 0, "%u", here);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "%u", here);
        CHECK_EQ(lab.out.fault.vector, 14, "%u", here);
        CHECK_EQ(lab.out.fault.error, 16, "%u", here);
        CHECK_EQ(lab.out.fault.address, CODE + LAB_PAGE, "%u", here);
        CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_ERR_ARG);
    }
}

TEST(exec_regressions, over_long_undefined_and_beyond_the_limit) /* XE-4 */
{
    uint8_t prefixes[16];

    memset(prefixes, 0x66, sizeof prefixes);
    open_64();
    put_code(CODE, prefixes, sizeof prefixes);
    CHECK_EQ(fetch(CODE), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
    put_code(CODE, "\x0f\x0b", 2);
    CHECK_EQ(fetch(CODE), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 6);
    CHECK_EQ(lab.out.fault.has_error, 0);
    CHECK_EQ(lab.insn.refusal, SVMC_REFUSAL_NONE); /* all of it is zero */
    CHECK_EQ(fetch((uint64_t)1 << 47), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    lab.regs.segment[SVMC_SEG_CS].base = CODE;
    lab.regs.segment[SVMC_SEG_CS].limit = 0x20;
    put_code(CODE + 0x20, "\x90\x90", 2);
    CHECK_EQ(fetch(0x20), SVMC_OK);
    CHECK_EQ(lab.insn.length, 1);
    put_code(CODE + 0x20, "\x89\x03", 2);
    lab.calls = 0;
    CHECK_EQ(fetch(0x20), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
    CHECK_EQ(lab.calls, 2); /* nothing behind the limit is looked at */
    CHECK_EQ(fetch(0x21), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
}

TEST(exec_regressions, cve_2022_1852_each_callback_of_a_fetch) /* XE-5 XE-6 XE-7 */
{
    for (unsigned mode = LAB_FAIL; mode <= LAB_LIE; mode++)
        for (unsigned k = 1; k <= 4; k++) {
            open_64();
            put_code(CODE + LAB_PAGE - 1, "\x89\x03", 2);
            lab.mode = (enum exec_lab_mode)mode;
            lab.fail_at = k;
            if (fetch(CODE + LAB_PAGE - 1) == SVMC_OK && lab.out.action == SVMC_EXEC_PENDING) {
                CHECK_EQ(lab.insn.length, 0);
                CHECK_EQ(svmc_exec_x86_resume(&lab.x, &lab.regs, &lab.out), SVMC_ERR_STATE);
                if (lab.x.wait.kind == SVMC_EXEC_READ) {
                    CHECK_EQ(svmc_exec_answer(&lab.x, k == 2 ? "\x89" : "\x03", 1),
                             k == 2 || lab.x.wait.bytes == 1 ? SVMC_OK : SVMC_ERR_ARG);
                    if (k != 2)
                        svmc_exec_drop(&lab.x);
                }
                CHECK_EQ(fetch(CODE + LAB_PAGE - 1), SVMC_OK);
                CHECK_EQ(lab.insn.length, 2, "call %u waits", k);
            } else if (mode != LAB_BUSY) {
                CHECK_EQ(lab.insn.length, 0, "mode %u, call %u", mode, k);
            }
        }
}

TEST(exec_regressions, cve_2021_4093_elements_are_no_bytes)
{
    open_64();
    lab.port_value = 0xbeef;
    lab.regs.general[SVMC_REG_RDI] = DATA;
    lab.regs.general[SVMC_REG_RCX] = 5;
    CHECK_EQ(RUN(0x66, 0xf3, 0x6d), SVMC_OK); /* REP INSW */
    CHECK_EQ(lab.out.iterations, 5);
    CHECK_EQ(lab.regs.general[SVMC_REG_RDI], DATA + 10);
    CHECK_EQ(exec_lab_load(&lab, DATA + 8, 4), 0xbeef);
}

TEST(exec_regressions, cve_2026_31588_the_second_half_is_the_records) /* XE-2 */
{
    const uint8_t *store;

    open_64();
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 3;
    lab.regs.general[SVMC_REG_RAX] = 0x8877665544332211;
    lab.mode = LAB_BUSY;
    lab.fail_at = 4;
    CHECK_EQ(RUN(0x48, 0x89, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(lab.x.wait.bytes, 5);
    store = lab.src;
    CHECK(store >= (const uint8_t *)&lab.x && store + 5 <= (const uint8_t *)(&lab.x + 1));
    CHECK_MEM(store, "\x44\x55\x66\x77\x88", 5);
    CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + LAB_PAGE - 3, 8), 0x8877665544332211);
    CHECK_EQ(lab.logged, 2);
}

TEST(exec_regressions, lzcnt_and_tzcnt_by_the_processor_alone) /* XE-20 */
{
    open_64();
    exec_lab_store(&lab, DATA, 4, 0x00010000);
    CHECK_EQ(RUN(0xf3, 0x0f, 0xbd, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 15);
    lab.cpu.features[0] = 0;
    lab.cpu.features[1] = 0;
    CHECK_EQ(RUN(0xf3, 0x0f, 0xbd, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 16); /* BSR */
    exec_lab_store(&lab, DATA, 4, 0);
    CHECK_EQ(RUN(0xf3, 0x0f, 0xbc, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 16); /* BSF of 0 leaves it */
}
