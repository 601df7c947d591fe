/* SPDX-License-Identifier: MIT */
/* The executor's rules one by one: docs/spec/exec.md. What the processor does: exec_native.c. */
#include "exec_lab.h"

#define DATA (LAB_LINEAR + 0x100)

static struct exec_lab lab;

static void open_64(void)
{
    exec_lab_open(&lab, SVMC_ISA_X86_64);
    lab.regs.general[SVMC_REG_RBX] = DATA;
}

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void check_fault(unsigned vector, uint32_t error)
{
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, vector);
    CHECK_EQ(lab.out.fault.error, error);
}

TEST(exec, init_wants_what_is_required)
{
    struct svmc_exec x;
    struct svmc_exec_ops ops = exec_lab_ops;

    CHECK_EQ(svmc_exec_init(NULL, &ops, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_init(&x, NULL, NULL), SVMC_ERR_ARG);
    ops.translate = NULL;
    CHECK_EQ(svmc_exec_init(&x, &ops, NULL), SVMC_ERR_ARG);
    ops = exec_lab_ops;
    ops.read = NULL;
    CHECK_EQ(svmc_exec_init(&x, &ops, NULL), SVMC_ERR_ARG);
    ops = exec_lab_ops;
    ops.size = offsetof(struct svmc_exec_ops, write);
    CHECK_EQ(svmc_exec_init(&x, &ops, NULL), SVMC_ERR_ARG);
    ops.size = offsetof(struct svmc_exec_ops, exchange);
    CHECK_EQ(svmc_exec_init(&x, &ops, NULL), SVMC_OK);
}

TEST(exec, arguments_that_cannot_be_are_refused) /* XE-5 */
{
    struct svmc_insn insn = { 0 };

    open_64();
    CHECK_EQ(RUN(0x8b, 0x03), SVMC_OK);
    CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_x86_start(NULL, &lab.regs, &lab.insn, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_x86_start(&lab.x, NULL, &lab.insn, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, NULL, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &insn, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_x86_resume(&lab.x, &lab.regs, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_answer(&lab.x, NULL, 0), SVMC_ERR_STATE);
    lab.regs.cpl = 4;
    CHECK_EQ(RUN(0x8b, 0x03), SVMC_ERR_ARG);
    lab.regs.cpl = 0;
    lab.regs.address_bits = 40;
    CHECK_EQ(RUN(0x8b, 0x03), SVMC_ERR_ARG);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
}

TEST(exec, what_waits_is_answered_once_and_goes_on) /* XE-2 XE-6 */
{
    const uint8_t bytes[4] = { 0x11, 0x22, 0x33, 0x44 };

    open_64();
    lab.mode = LAB_BUSY;
    lab.fail_at = 2;
    CHECK_EQ(RUN(0x8b, 0x03), SVMC_OK); /* MOV EAX, [RBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(lab.x.wait.kind, SVMC_EXEC_READ);
    CHECK_EQ(lab.x.wait.bytes, 4);
    CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_x86_resume(&lab.x, &lab.regs, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_answer(&lab.x, bytes, 3), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exec_answer(&lab.x, bytes, 4), SVMC_OK);
    CHECK_EQ(svmc_exec_answer(&lab.x, bytes, 4), SVMC_ERR_STATE);
    CHECK_EQ(svmc_exec_x86_resume(&lab.x, &lab.regs, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0x44332211);
    CHECK_EQ(lab.logged, 0); /* nobody asked the callback again */
}

TEST(exec, a_drop_forgets_what_waits)
{
    open_64();
    lab.mode = LAB_BUSY;
    lab.fail_at = 2;
    CHECK_EQ(RUN(0x8b, 0x03), SVMC_OK);
    svmc_exec_drop(&lab.x);
    svmc_exec_drop(NULL);
    CHECK_EQ(lab.x.wait.kind, SVMC_EXEC_NO_ACCESS);
    CHECK_EQ(lab.regs.rip, 0x1000);
    CHECK_EQ(RUN(0x8b, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
}

TEST(exec, a_locked_change_is_one_exchange_or_none) /* XE-10 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_64();
    lab.regs.general[SVMC_REG_RAX] = 5;
    CHECK_EQ(RUN(0xf0, 0x01, 0x03), SVMC_OK); /* LOCK ADD [RBX], EAX */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.logged, 2);
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_EXCHANGE);
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), 5);
    lab.device = true;
    lab.logged = 0;
    CHECK_EQ(RUN(0x87, 0x03), SVMC_OK); /* XCHG [RBX], EAX */
    CHECK_EQ(lab.logged, 2);
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_WRITE);
    ops.exchange = NULL;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    lab.logged = 0;
    CHECK_EQ(RUN(0xf0, 0x01, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_ATOMIC);
    CHECK_EQ(lab.logged, 0);
    open_64();
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 2;
    CHECK_EQ(RUN(0xf0, 0x01, 0x03), SVMC_OK); /* two pages that lie apart */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_ATOMIC);
    CHECK_EQ(lab.logged, 0);
    CHECK_EQ(lab.regs.rip, 0x1000);
    lab.x.split_locks = 1;
    lab.regs.general[SVMC_REG_RAX] = 0x01020304;
    exec_lab_store(&lab, LAB_LINEAR + LAB_PAGE - 2, 4, 0x10fdfcfb);
    CHECK_EQ(RUN(0xf0, 0x0f, 0xc1, 0x03), SVMC_OK); /* LOCK XADD: two parts read, two written */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.logged, 4);
    CHECK(lab.log[1].kind == SVMC_EXEC_READ && lab.log[2].kind == SVMC_EXEC_WRITE);
    CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + LAB_PAGE - 2, 4), 0x11ffffff);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0x10fdfcfb);
    lab.logged = 0;
    lab.regs.general[SVMC_REG_RBX] = DATA;
    CHECK_EQ(RUN(0xf0, 0x01, 0x03), SVMC_OK); /* all else as before */
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_EXCHANGE);
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 2;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    lab.x.split_locks = 1;
    CHECK_EQ(RUN(0xf0, 0x01, 0x03), SVMC_OK); /* `exchange` is absent */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_ATOMIC);
}

static uint32_t interloper;

static enum svmc_status always_late(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                    size_t n)
{
    (void)ctx, (void)at, (void)desired;
    interloper++;
    memset(expected, (int)interloper & 0xff, n);
    return SVMC_OK;
}

static unsigned tries;

static enum svmc_status late_then_device(void *ctx, svmc_gpa at, void *expected,
                                         const void *desired, size_t n)
{
    (void)ctx;
    (void)at;
    (void)desired;
    (void)n;
    *(uint8_t *)expected ^= 0x5a;
    return tries++ == 0 ? SVMC_OK : SVMC_ERR_UNSUPPORTED;
}

TEST(exec, what_was_memory_is_no_device_at_the_next_try) /* XE-10 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    ops.exchange = late_then_device;
    open_64();
    tries = 0;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(RUN(0xf0, 0x0f, 0xc1, 0x03), SVMC_ERR_CALLBACK); /* LOCK XADD [RBX], EAX */
    CHECK_EQ(tries, 2);
    CHECK_EQ(lab.logged, 1); /* read, and not written */
}

TEST(exec, an_exchange_that_is_always_late_ends_the_call) /* XE-8 XE-10 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_64();
    ops.exchange = always_late;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(RUN(0xf0, 0x48, 0x01, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.out.trap, 0);
    CHECK_EQ(lab.regs.rip, 0x1000);
    CHECK(lab.out.accesses <= SVMC_EXEC_ACCESSES_MAX);
    CHECK_EQ(RUN(0xf0, 0x48, 0x0f, 0xc7, 0x0b), SVMC_OK); /* LOCK CMPXCHG16B [RBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
}

TEST(exec, a_failed_cmpxchg_writes_what_was_there) /* XE-11 */
{
    open_64();
    exec_lab_store(&lab, DATA, 4, 7);
    CHECK_EQ(RUN(0x0f, 0xb1, 0x0b), SVMC_OK); /* CMPXCHG [RBX], ECX; EAX is 0 */
    CHECK_EQ(lab.logged, 2);
    CHECK_EQ(lab.log[1].kind, SVMC_EXEC_WRITE);
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), 7);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 7);
}

TEST(exec, a_repetition_is_bounded_and_goes_on) /* XE-8 XE-9 XE-12 */
{
    unsigned calls = 0;

    open_64();
    lab.regs.general[SVMC_REG_RSI] = LAB_LINEAR;
    lab.regs.general[SVMC_REG_RDI] = LAB_LINEAR + 0x2000;
    lab.regs.general[SVMC_REG_RCX] = 1000;
    for (unsigned i = 0; i < 1000; i++)
        exec_lab_store(&lab, LAB_LINEAR + i, 1, i * 3);
    do {
        CHECK_EQ(RUN(0xf3, 0xa4), SVMC_OK);
        CHECK(lab.out.accesses <= SVMC_EXEC_ACCESSES_MAX);
        if (lab.out.action == SVMC_EXEC_AGAIN) {
            CHECK_EQ(lab.regs.rip, 0x1000);
            CHECK(lab.regs.rflags & 0x10000);
        }
    } while (lab.out.action == SVMC_EXEC_AGAIN && ++calls < 100);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.rip, 0x1002);
    CHECK_EQ(lab.regs.rflags & 0x10000, 0);
    for (unsigned i = 0; i < 1000; i++)
        CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + 0x2000 + i, 1), i * 3 & 0xff);
    lab.regs.rip = 0x1000;
    lab.regs.general[SVMC_REG_RCX] = 10;
    lab.x.iterations_max = 3;
    CHECK_EQ(RUN(0xf3, 0xac), SVMC_OK);
    CHECK_EQ(lab.out.iterations, 3);
    CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 7);
    lab.regs.general[SVMC_REG_RCX] = 0;
    CHECK_EQ(RUN(0xf3, 0xac), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.out.accesses, 0);
}

TEST(exec, a_single_step_traps_behind_an_instruction_and_each_iteration) /* XE-12 XE-16 */
{
    open_64();
    lab.regs.rflags |= 0x10100; /* TF, RF */
    lab.regs.shadow = SVMC_STATE_SHADOW_STI;
    CHECK_EQ(RUN(0x89, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.out.trap, 1);
    CHECK_EQ(lab.out.fault.vector, 1);
    CHECK_EQ(lab.out.fault.has_error, 0);
    CHECK_EQ(lab.regs.rflags, 0x102);
    CHECK_EQ(lab.regs.shadow, 0);
    lab.regs.general[SVMC_REG_RDI] = DATA;
    lab.regs.general[SVMC_REG_RCX] = 5;
    CHECK_EQ(RUN(0xf3, 0xaa), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.out.trap, 1);
    CHECK_EQ(lab.out.iterations, 1);
    open_64();
    lab.regs.rflags |= 0x100;
    lab.absent[0] = true;
    CHECK_EQ(RUN(0x89, 0x03), SVMC_OK); /* XSA-204: a fault comes alone */
    check_fault(14, 2);
    CHECK_EQ(lab.out.trap, 0);
    CHECK_EQ(lab.out.resume_flag, 1);
    CHECK_EQ(lab.regs.rflags, 0x102);
}

/* 32 bits: what a segment may do, by its rights and limit. */
TEST(exec, a_segment_is_checked_before_anything_is_touched) /* XE-13 */
{
    static const struct {
        uint32_t rights, limit, offset;
        bool write, real, ok;
    } rows[] = {
        { SVMC_RIGHTS_WRITABLE, 0xfff, 0xffc, true, false, true },
        { SVMC_RIGHTS_WRITABLE, 0xfff, 0xffd, true, false, false },
        { SVMC_RIGHTS_WRITABLE, 0xfff, 0xffffffff, true, false, false },
        { 0, 0xfff, 0, false, false, true },
        { 0, 0xfff, 0, true, false, false },
        { 0, 0xfff, 0, true, true, true }, /* real mode asks for no type */
        { SVMC_RIGHTS_CODE, 0xfff, 0, false, false, false },
        { SVMC_RIGHTS_CODE | SVMC_RIGHTS_WRITABLE, 0xfff, 0, false, false, true },
        { SVMC_RIGHTS_CODE | SVMC_RIGHTS_WRITABLE, 0xfff, 0, true, false, false },
        { SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_EXPAND_DOWN, 0xfff, 0x1000, true, false, true },
        { SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_EXPAND_DOWN, 0xfff, 0xfff, true, false, false },
        { SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_EXPAND_DOWN, 0xfff, 0xfffd, true, false, false },
        { SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_EXPAND_DOWN | SVMC_RIGHTS_BIG, 0xfff, 0x2ffd, true,
          false, true },
        { SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_UNUSABLE, 0xffffffff, 0, true, false, false },
        { SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_UNUSABLE, 0xffffffff, 0, false, true, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned ss = 0; ss < 2; ss++) {
            unsigned number = ss ? SVMC_SEG_SS : SVMC_SEG_DS;
            struct svmc_exec_segment *s = &lab.regs.segment[number];

            exec_lab_open(&lab, SVMC_ISA_X86_32);
            s->rights = rows[i].rights;
            s->limit = rows[i].limit;
            s->base = LAB_LINEAR - (rows[i].offset & 0xfffff000) + 0x1000;
            if (rows[i].real)
                lab.regs.cr0 = 0;
            lab.regs.general[ss ? SVMC_REG_RBP : SVMC_REG_RBX] = rows[i].offset;
            if (ss)
                CHECK_EQ(RUN(rows[i].write ? 0x89 : 0x8b, 0x45, 0x00), SVMC_OK);
            else
                CHECK_EQ(RUN(rows[i].write ? 0x89 : 0x8b, 0x03), SVMC_OK);
            if (rows[i].ok) {
                CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %zu", i);
            } else {
                CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %zu", i);
                CHECK_EQ(lab.out.fault.vector, ss ? 12 : 13, "row %zu", i); /* XSA-191 */
                CHECK_EQ(lab.calls, 0, "row %zu", i);
            }
        }
}

TEST(exec, addresses_wrap_as_wide_as_the_mode) /* XE-13 */
{
    exec_lab_open(&lab, SVMC_ISA_X86_16);
    lab.regs.segment[SVMC_SEG_DS].base = LAB_LINEAR;
    lab.regs.general[SVMC_REG_RBX] = 0xabcd0000fff0;
    lab.regs.general[SVMC_REG_RSI] = 0x20;
    lab.regs.general[SVMC_REG_RAX] = 0x99;
    CHECK_EQ(RUN(0x88, 0x00), SVMC_OK); /* MOV [BX+SI], AL */
    CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + 0x10, 1), 0x99);
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    lab.regs.segment[SVMC_SEG_DS].base = LAB_LINEAR + 0x10;
    lab.regs.general[SVMC_REG_RBX] = 0xfffffff8;
    CHECK_EQ(RUN(0xc7, 0x03, 0x78, 0x56, 0x34, 0x12), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + 8, 4), 0x12345678);
    lab.regs.rip = 0xffffffff;
    CHECK_EQ(RUN(0x88, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.rip, 1);
}

TEST(exec, misaligned_is_a_fault_where_it_is_asked_for) /* XE-14 */
{
    static const struct {
        uint8_t cpl;
        uint32_t flag, cr0;
        bool fault;
    } rows[] = { { 3, 0x40000, 0x40001, true },
                 { 2, 0x40000, 0x40001, false },
                 { 3, 0, 0x40001, false },
                 { 3, 0x40000, 1, false } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_64();
        lab.regs.general[SVMC_REG_RBX] += 1;
        lab.regs.cpl = rows[i].cpl;
        lab.regs.cr0 = rows[i].cr0;
        lab.regs.rflags |= rows[i].flag;
        CHECK_EQ(RUN(0x89, 0x03), SVMC_OK);
        CHECK_EQ(lab.out.action, rows[i].fault ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE, "row %zu", i);
        CHECK_EQ(lab.out.fault.vector, rows[i].fault ? 17 : 0, "row %zu", i);
        CHECK_EQ(RUN(0x88, 0x03), SVMC_OK); /* a byte is aligned everywhere */
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %zu", i);
    }
    open_64();
    lab.regs.general[SVMC_REG_RBX] += 8;
    CHECK_EQ(RUN(0x48, 0x0f, 0xc7, 0x0b), SVMC_OK); /* CMPXCHG16B */
    check_fault(13, 0);
}

TEST(exec, the_second_page_faults_before_the_first_is_written) /* XE-1 XE-15 */
{
    open_64();
    lab.absent[1] = true;
    lab.regs.cpl = 3;
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 3;
    CHECK_EQ(RUN(0x48, 0x89, 0x03), SVMC_OK);
    check_fault(14, 6);
    CHECK_EQ(lab.out.fault.address, LAB_LINEAR + LAB_PAGE);
    CHECK_EQ(lab.logged, 0);
    open_64();
    lab.read_only[1] = true;
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 3;
    CHECK_EQ(RUN(0x48, 0x01, 0x03), SVMC_OK); /* of a change the write is asked for first */
    check_fault(14, 3);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec, ports_ask_the_map_of_the_task) /* XE-17 */
{
    static const struct {
        uint16_t limit, base;
        uint8_t cpl, iopl, map, bytes;
        bool vm, ok;
    } rows[] = {
        { 0x3ff, 0x200, 3, 0, 0x00, 1, false, true },
        { 0x3ff, 0x200, 3, 0, 0x08, 1, false, false },
        { 0x3ff, 0x200, 3, 0, 0x10, 1, false, true },
        { 0x3ff, 0x200, 3, 0, 0x10, 4, false, false },
        { 0x3ff, 0x200, 3, 3, 0xff, 1, false, true },
        { 0x3ff, 0x200, 3, 3, 0x08, 1, true, false },
        { 0x3ff, 0x3ff, 3, 0, 0x00, 1, false, false },
        { 0x066, 0x200, 3, 0, 0x00, 1, false, false },
        { 0x3ff, 0x200, 1, 0, 0x08, 1, false, false },
        { 0x3ff, 0x200, 1, 1, 0x08, 1, false, true },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        exec_lab_open(&lab, SVMC_ISA_X86_32);
        lab.regs.cpl = rows[i].cpl;
        lab.regs.rflags |= (uint32_t)rows[i].iopl << 12 | (rows[i].vm ? 0x20000u : 0);
        lab.regs.task.base = LAB_LINEAR;
        lab.regs.task.limit = rows[i].limit;
        lab.supervisor[0] = true; /* CVE-2018-10853: the TSS is read with supervisor rights */
        lab.regs.general[SVMC_REG_RDX] = 0x40003;
        exec_lab_store(&lab, LAB_LINEAR + 102, 2, rows[i].base);
        exec_lab_store(&lab, LAB_LINEAR + rows[i].base, 1, rows[i].map);
        CHECK_EQ(RUN(rows[i].bytes == 1 ? 0xee : 0xef), SVMC_OK);
        if (rows[i].ok)
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %zu", i);
        else
            check_fault(13, 0);
        CHECK_EQ(lab.log[lab.logged ? lab.logged - 1 : 0].kind == SVMC_EXEC_PORT_OUT, rows[i].ok,
                 "row %zu", i);
        if (lab.logged > 1)
            CHECK_EQ(lab.last_access, SVMC_ACCESS_READ | SVMC_EXEC_SYSTEM, "row %zu", i);
    }
}

TEST(exec, the_task_of_a_64_bit_kernel_lies_above_32_bits) /* XE-17 */
{
    exec_lab_open(&lab, SVMC_ISA_X86_32); /* a program in compatibility mode */
    lab.regs.cpl = 3;
    lab.regs.efer = 0x500;
    lab.regs.task.base = 0x100000000 | LAB_LINEAR;
    lab.regs.task.limit = 0x3ff;
    exec_lab_store(&lab, LAB_LINEAR + 102, 2, 0x200); /* its own, which allows everything */
    CHECK_EQ(RUN(0xee), SVMC_OK);
    check_fault(14, 0);
    CHECK_EQ(lab.out.fault.address, (0x100000000 | LAB_LINEAR) + 102);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec, widths_of_registers_are_kept) /* XE-19 */
{
    static const struct {
        uint8_t count, bytes[5];
        uint64_t rax;
    } rows[] = {
        { 2, { 0x8a, 0x03 }, 0xffffffffffffff88 },
        { 2, { 0x8a, 0x23 }, 0xffffffffffff88ff }, /* AH */
        { 3, { 0x66, 0x8b, 0x03 }, 0xffffffffffff7788 },
        { 2, { 0x8b, 0x03 }, 0x55667788 },
        { 3, { 0x48, 0x8b, 0x03 }, 0x1122334455667788 },
        { 3, { 0x0f, 0xbe, 0x03 }, 0xffffff88 },
        { 4, { 0x48, 0x0f, 0xbe, 0x03 }, 0xffffffffffffff88 },
        { 3, { 0x0f, 0xb6, 0x03 }, 0x88 },
        { 5, { 0x48, 0x0f, 0x38, 0xf0, 0x03 }, 0x8877665544332211 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_64();
        exec_lab_store(&lab, DATA, 8, 0x1122334455667788);
        lab.regs.general[SVMC_REG_RAX] = ~(uint64_t)0;
        CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK);
        CHECK_EQ(lab.regs.general[SVMC_REG_RAX], rows[i].rax, "row %zu", i);
    }
}

TEST(exec, a_branch_is_checked_before_it_pushes) /* XE-21, CVE-2014-3647 */
{
    open_64();
    exec_lab_store(&lab, DATA, 8, 0x0000800000000000);
    CHECK_EQ(RUN(0xff, 0x13), SVMC_OK); /* CALL [RBX] */
    check_fault(13, 0);
    CHECK_EQ(lab.logged, 1);
    exec_lab_store(&lab, DATA, 8, 0x00007ffffffffff0);
    CHECK_EQ(RUN(0xff, 0x13), SVMC_OK);
    CHECK_EQ(lab.regs.rip, 0x00007ffffffffff0);
    CHECK_EQ(exec_lab_load(&lab, lab.regs.general[SVMC_REG_RSP], 8), 0x1002);
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    lab.regs.segment[SVMC_SEG_CS].limit = 0xffff;
    lab.regs.general[SVMC_REG_RBX] = DATA;
    exec_lab_store(&lab, DATA, 4, 0x10000);
    CHECK_EQ(RUN(0xff, 0x23), SVMC_OK); /* JMP [EBX] */
    check_fault(13, 0);
    exec_lab_store(&lab, DATA, 4, 0xffff);
    CHECK_EQ(RUN(0xff, 0x23), SVMC_OK);
    CHECK_EQ(lab.regs.rip, 0xffff);
}

TEST(exec, a_translation_or_a_fault_that_cannot_be_ends_it) /* XE-23 */
{
    open_64();
    lab.mode = LAB_LIE;
    lab.fail_at = 1;
    CHECK_EQ(RUN(0x89, 0x03), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    CHECK_EQ(lab.logged, 0);
    CHECK_EQ(lab.regs.rip, 0x1000);
}

TEST(exec, a_base_is_canonical_in_32_bit_code_too) /* XE-13 CVE-2014-3610 */
{
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    lab.regs.cpl = 0;
    lab.regs.general[SVMC_REG_RCX] = 0xc0000100;
    lab.regs.general[SVMC_REG_RDX] = 0x8000;
    CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK); /* WRMSR */
    check_fault(13, 0);
    CHECK_EQ(lab.logged, 0);
    lab.regs.cr4 |= 0x1000; /* LA57 */
    CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
}

TEST(exec, vex_is_of_protected_mode) /* XE-25 */
{
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR;
    CHECK_EQ(RUN(0xc4, 0xe2, 0x60, 0xf2, 0x03), SVMC_OK); /* ANDN EAX, EBX, [EBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    lab.regs.rflags |= 0x20000; /* VM */
    lab.regs.cpl = 3;
    lab.logged = 0;
    CHECK_EQ(RUN(0xc4, 0xe2, 0x60, 0xf2, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, 6);
    lab.regs.rflags &= ~(uint64_t)0x20000;
    lab.regs.cpl = 0;
    lab.regs.cr0 = 0;
    CHECK_EQ(RUN(0xc4, 0xe2, 0x60, 0xf2, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 6);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec, msrs_come_and_go_whole)
{
    open_64();
    lab.msr_value = 0x1122334455667788;
    lab.regs.general[SVMC_REG_RCX] = 0x10;
    lab.regs.general[SVMC_REG_RAX] = ~(uint64_t)0;
    CHECK_EQ(RUN(0x0f, 0x32), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0x55667788);
    CHECK_EQ(lab.regs.general[SVMC_REG_RDX], 0x11223344);
    lab.regs.general[SVMC_REG_RCX] = 0;
    CHECK_EQ(RUN(0x0f, 0x32), SVMC_OK);
    check_fault(13, 0);
    lab.regs.cpl = 3;
    lab.logged = 0;
    CHECK_EQ(RUN(0x0f, 0x32), SVMC_OK);
    check_fault(13, 0);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec, without_a_callback_it_is_said) /* XE-20 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_64();
    ops.size = offsetof(struct svmc_exec_ops, exchange);
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(RUN(0xec), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_CALLBACK);
    CHECK_EQ(RUN(0xee), SVMC_OK);
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_CALLBACK);
    CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK);
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_CALLBACK);
    lab.regs.cr4 |= 0x200;                    /* OSFXSR */
    CHECK_EQ(RUN(0x0f, 0x28, 0x03), SVMC_OK); /* MOVAPS */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab.logged, 0);
}
