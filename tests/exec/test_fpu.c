/* SPDX-License-Identifier: MIT */
/* x87 with memory: docs/spec/exec.md, XE-50 and on. What the processor does: exec_native.c. */
#include "fpu_lab.h"

#define DATA (LAB_LINEAR + 0x100)

#define IE 0x1u
#define DE 0x2u
#define ZE 0x4u
#define OE 0x8u
#define UE 0x10u
#define PE 0x20u
#define SF 0x40u
#define C1 0x200u
#define ES 0x8080u

static struct fpu_lab fpu;
static struct exec_lab *const lab = &fpu.lab;

#define RUN(...)                                             \
    exec_lab_run(&fpu.lab, (const uint8_t[]){ __VA_ARGS__ }, \
                 sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void check_fault(unsigned vector)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab->out.fault.vector, vector);
}

/* Expected values: SDM vol. 1 4.2 and 8.5, by hand. */
struct load_row {
    char name[24];
    uint8_t bytes[2];
    uint64_t low, high; /* of memory */
    uint16_t top;
    uint64_t mantissa;
    unsigned raised;
};

TEST(fpu, loads_are_exact) /* XE-53 */
{
    static const struct load_row rows[] = {
        { "1.0f", { 0xd9, 0x03 }, 0x3f800000, 0, 0x3fff, 0x8000000000000000, 0 },
        { "least float", { 0xd9, 0x03 }, 1, 0, 0x3f6a, 0x8000000000000000, DE },
        { "float SNaN", { 0xd9, 0x03 }, 0xff800001, 0, 0xffff, 0xc000010000000000, IE },
        { "float QNaN", { 0xd9, 0x03 }, 0x7fc00001, 0, 0x7fff, 0xc000010000000000, 0 },
        { "-infinity", { 0xd9, 0x03 }, 0xff800000, 0, 0xffff, 0x8000000000000000, 0 },
        { "-0.0", { 0xdd, 0x03 }, 0x8000000000000000, 0, 0x8000, 0, 0 },
        { "least double", { 0xdd, 0x03 }, 1, 0, 0x3bcd, 0x8000000000000000, DE },
        { "pi", { 0xdd, 0x03 }, 0x400921fb54442d18, 0, 0x4000, 0xc90fdaa22168c000, 0 },
        { "80 bits SNaN",
          { 0xdb, 0x2b },
          0x8000000000000001,
          0x7fff,
          0x7fff,
          0x8000000000000001,
          0 },
        { "int16", { 0xdf, 0x03 }, 0x8000, 0, 0xc00e, 0x8000000000000000, 0 },
        { "int32", { 0xdb, 0x03 }, 0xffffffff, 0, 0xbfff, 0x8000000000000000, 0 },
        { "int64", { 0xdf, 0x2b }, 0x8000000000000000, 0, 0xc03e, 0x8000000000000000, 0 },
        { "zero", { 0xdf, 0x2b }, 0, 0, 0, 0, 0 },
        { "decimal -123", { 0xdf, 0x23 }, 0x123, 0x8000, 0xc005, 0xf600000000000000, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct load_row *r = &rows[i];

        fpu_lab_open(&fpu, SVMC_ISA_X86_64);
        lab->regs.fsw = C1;
        exec_lab_store(lab, DATA, 8, r->low);
        exec_lab_store(lab, DATA + 8, 8, r->high);
        CHECK_EQ(RUN(r->bytes[0], r->bytes[1]), SVMC_OK, "%s", r->name);
        CHECK_EQ(lab->out.action, SVMC_EXEC_DONE, "%s", r->name);
        CHECK_EQ(fpu_lab_top(&fpu, 0), r->top, "%s", r->name);
        CHECK_EQ(fpu_lab_mantissa(&fpu, 0), r->mantissa, "%s", r->name);
        CHECK_EQ(lab->regs.fsw, 0x3800 | r->raised, "%s", r->name);
        CHECK_EQ(lab->regs.ftw, 0x80, "%s", r->name);
    }
}

struct store_row {
    char name[24];
    uint8_t bytes[2];
    uint16_t control, top;
    uint64_t mantissa, low, high;
    unsigned raised;
};

TEST(fpu, stores_are_rounded_as_the_control_word_says) /* XE-53 */
{
    static const struct store_row rows[] = {
        { "1/3", { 0xd9, 0x1b }, 0x37f, 0x3ffd, 0xaaaaaaaaaaaaaaab, 0x3eaaaaab, 0, PE | C1 },
        { "1/3 down", { 0xd9, 0x1b }, 0x77f, 0x3ffd, 0xaaaaaaaaaaaaaaab, 0x3eaaaaaa, 0, PE },
        { "-1/3 down", { 0xd9, 0x1b }, 0x77f, 0xbffd, 0xaaaaaaaaaaaaaaab, 0xbeaaaaab, 0, PE | C1 },
        { "1/3 to zero",
          { 0xdd, 0x1b },
          0xf7f,
          0x3ffd,
          0xaaaaaaaaaaaaaaab,
          0x3fd5555555555555,
          0,
          PE },
        { "half to even", { 0xd9, 0x1b }, 0x37f, 0x3fff, 0x8000008000000000, 0x3f800000, 0, PE },
        { "too large",
          { 0xd9, 0x1b },
          0x37f,
          0x7ffe,
          0xffffffffffffffff,
          0x7f800000,
          0,
          OE | PE | C1 },
        { "too large, to zero",
          { 0xd9, 0x1b },
          0xf7f,
          0x7ffe,
          0xffffffffffffffff,
          0x7f7fffff,
          0,
          OE | PE },
        { "carried to infinity",
          { 0xd9, 0x1b },
          0x37f,
          0x407e,
          0xffffffffffffffff,
          0x7f800000,
          0,
          OE | PE | C1 },
        { "2 to the -150", { 0xd9, 0x1b }, 0x37f, 0x3f69, 0x8000000000000000, 0, 0, UE | PE },
        { "the same, up", { 0xd9, 0x1b }, 0xb7f, 0x3f69, 0x8000000000000000, 1, 0, UE | PE | C1 },
        { "2 to the -149", { 0xd9, 0x1b }, 0x37f, 0x3f6a, 0x8000000000000000, 1, 0, 0 },
        { "rounds to normal",
          { 0xd9, 0x1b },
          0x37f,
          0x3f80,
          0xffffffffffffffff,
          0x800000,
          0,
          PE | C1 },
        { "SNaN", { 0xdd, 0x1b }, 0x37f, 0x7fff, 0x8000000000000800, 0x7ff8000000000001, 0, IE },
        { "unnormal",
          { 0xdd, 0x1b },
          0x37f,
          0x4000,
          0x4000000000000000,
          0xfff8000000000000,
          0,
          IE },
        { "80 bits as they are",
          { 0xdb, 0x3b },
          0x37f,
          0x4000,
          0x4000000000000000,
          0x4000000000000000,
          0x4000,
          0 },
        { "2.5", { 0xdf, 0x1b }, 0x37f, 0x4000, 0xa000000000000000, 2, 0, PE },
        { "3.5", { 0xdf, 0x1b }, 0x37f, 0x4000, 0xe000000000000000, 4, 0, PE | C1 },
        { "-1.75 truncated", { 0xdb, 0x0b }, 0xb7f, 0xbfff, 0xe000000000000000, 0xffffffff, 0, PE },
        { "32768", { 0xdf, 0x1b }, 0x37f, 0x400e, 0x8000000000000000, 0x8000, 0, IE },
        { "-32768", { 0xdf, 0x1b }, 0x37f, 0xc00e, 0x8000000000000000, 0x8000, 0, 0 },
        { "2 to the 63",
          { 0xdf, 0x3b },
          0x37f,
          0x403e,
          0x8000000000000000,
          0x8000000000000000,
          0,
          IE },
        { "decimal -123", { 0xdf, 0x33 }, 0x37f, 0xc005, 0xf600000000000000, 0x123, 0x8000, 0 },
        { "decimal 10 to the 18",
          { 0xdf, 0x33 },
          0x37f,
          0x403a,
          0xde0b6b3a76400000,
          0xc000000000000000,
          0xffff,
          IE },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct store_row *r = &rows[i];

        fpu_lab_open(&fpu, SVMC_ISA_X86_64);
        lab->regs.fcw = r->control;
        fpu_lab_push(&fpu, r->top, r->mantissa);
        CHECK_EQ(RUN(r->bytes[0], r->bytes[1]), SVMC_OK, "%s", r->name);
        CHECK_EQ(lab->out.action, SVMC_EXEC_DONE, "%s", r->name);
        CHECK_EQ(exec_lab_load(lab, DATA, 8), r->low, "%s", r->name);
        CHECK_EQ(exec_lab_load(lab, DATA + 8, 8), r->high, "%s", r->name);
        CHECK_EQ(lab->regs.fsw, r->raised, "%s", r->name);
        CHECK_EQ(lab->regs.ftw, 0, "%s", r->name);
    }
}

TEST(fpu, a_full_stack_and_an_empty_one) /* XE-51 */
{
    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    for (unsigned i = 0; i < 8; i++)
        fpu_lab_push(&fpu, 0x3fff, 0x8000000000000000);
    CHECK_EQ(RUN(0xd9, 0x03), SVMC_OK); /* FLD m32 */
    CHECK_EQ(lab->regs.fsw, 0x3800 | IE | SF | C1);
    CHECK_EQ(fpu_lab_top(&fpu, 0), 0xffff);
    CHECK_EQ(fpu_lab_mantissa(&fpu, 0), 0xc000000000000000);

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    CHECK_EQ(RUN(0xdf, 0x1b), SVMC_OK); /* FISTP m16 */
    CHECK_EQ(lab->regs.fsw, 0x0800 | IE | SF);
    CHECK_EQ(exec_lab_load(lab, DATA, 2), 0x8000);

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    CHECK_EQ(RUN(0xd8, 0x03), SVMC_OK); /* FADD m32: nobody is asked */
    CHECK_EQ(fpu.ops, 0);
    CHECK_EQ(lab->regs.ftw, 1);
    CHECK_EQ(fpu_lab_mantissa(&fpu, 0), 0xc000000000000000);

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    CHECK_EQ(RUN(0xd8, 0x1b), SVMC_OK); /* FCOMP m32: unordered */
    CHECK_EQ(lab->regs.fsw, 0x4500 | 0x0800 | IE | SF);
}

TEST(fpu, what_is_not_masked_stops_and_is_raised_by_the_next) /* XE-50 XE-52 XE-53 */
{
    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    lab->regs.fcw = 0x37e; /* IM is clear */
    fpu_lab_push(&fpu, 0x7fff, 0x8000000000000001);
    lab->absent[0] = true;
    CHECK_EQ(RUN(0xd9, 0x1b), SVMC_OK); /* FSTP m32 */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab->regs.fsw, 0x3800 | ES | IE);
    CHECK_EQ(lab->regs.ftw, 0x80);
    CHECK_EQ(RUN(0xd9, 0x1b), SVMC_OK);
    check_fault(16);
    CHECK_EQ(lab->out.fault.has_error, 0);
    lab->regs.cr0 &= ~(uint64_t)0x20;
    CHECK_EQ(RUN(0xd9, 0x1b), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_UNFINISHED);
    CHECK_EQ(lab->out.reason, SVMC_EXEC_REASON_FERR);
    lab->regs.cr0 |= 0x20;
    lab->absent[0] = false;
    CHECK_EQ(RUN(0xdd, 0x3b), SVMC_OK); /* FNSTSW m16 does not wait */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(exec_lab_load(lab, DATA, 2), 0x3800 | ES | IE);

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    lab->regs.fcw = 0x37f & ~(PE | DE);
    exec_lab_store(lab, DATA, 4, 1);
    CHECK_EQ(RUN(0xd9, 0x03), SVMC_OK); /* FLD m32 of a denormal is loaded */
    CHECK_EQ(lab->regs.fsw, 0x3800 | ES | DE);
    lab->regs.fsw = 0x3800;
    CHECK_EQ(RUN(0xdf, 0x1b), SVMC_OK); /* FISTP: inexact is stored */
    CHECK_EQ(lab->regs.fsw, ES | PE);
    exec_lab_store(lab, DATA, 2, 0x37f);
    lab->regs.fsw = PE;
    CHECK_EQ(RUN(0xd9, 0x2b), SVMC_OK); /* FLDCW waits */
    check_fault(16);
    lab->regs.fcw = 0x37f;
    exec_lab_store(lab, DATA, 2, 0xffff & ~PE);
    CHECK_EQ(RUN(0xd9, 0x2b), SVMC_OK);
    CHECK_EQ(lab->regs.fcw, 0x1f7f & ~PE);
    CHECK_EQ(lab->regs.fsw, ES | PE);
    CHECK_EQ(RUN(0xd9, 0x3b), SVMC_OK); /* FNSTCW */
    CHECK_EQ(exec_lab_load(lab, DATA, 2), 0x1f7f & ~PE);
}

TEST(fpu, emulation_and_task_switches_are_seen_first) /* XE-50 */
{
    for (unsigned bit = 4; bit <= 8; bit += 4) {
        fpu_lab_open(&fpu, SVMC_ISA_X86_64);
        lab->regs.cr0 |= bit;
        lab->regs.fcw = 0x300;
        lab->regs.fsw = IE | ES;
        lab->absent[0] = true;
        CHECK_EQ(RUN(0xd9, 0x03), SVMC_OK);
        check_fault(7);
        CHECK_EQ(RUN(0x0f, 0xae, 0x03), SVMC_OK); /* FXSAVE */
        check_fault(7);
    }
}

TEST(fpu, pointers_are_those_of_the_last_that_computes) /* XE-54 */
{
    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    CHECK_EQ(RUN(0xd9, 0x03), SVMC_OK); /* FLD m32 */
    CHECK_EQ(lab->regs.fip, 0x1000);
    CHECK_EQ(lab->regs.fdp, 0);
    CHECK_EQ(lab->regs.fop, 0);
    CHECK_EQ(lab->regs.fcs, 0);
    lab->regs.quirks = SVMC_FPU_SELECTORS | SVMC_FPU_DATA_POINTER;
    CHECK_EQ(RUN(0xd9, 0x1b), SVMC_OK); /* FSTP m32 */
    CHECK_EQ(lab->regs.fip, 0x1002);
    CHECK_EQ(lab->regs.fdp, DATA);
    CHECK_EQ(lab->regs.fcs, 16);
    CHECK_EQ(lab->regs.fds, 32);
    CHECK_EQ(lab->regs.fop, 0);
    lab->regs.fcw = 0x340;
    CHECK_EQ(RUN(0xdb, 0x1b), SVMC_OK); /* FISTP m32 of an empty stack */
    CHECK_EQ(lab->regs.fop, 0x31b);
    CHECK_EQ(RUN(0xd9, 0x3b), SVMC_OK); /* FNSTCW */
    CHECK_EQ(lab->regs.fip, 0x1004);
}

/* A host without this operation: it may look, and is asked nothing that raises a flag. */
static enum svmc_status cannot(void *ctx, struct svmc_exec_vec_op *op)
{
    (void)ctx;
    CHECK_EQ(op->mxcsr, 0x37f);
    CHECK_EQ(op->a[9], 0x3f);
    CHECK_EQ(op->b[0], 1);
    return SVMC_ERR_UNSUPPORTED;
}

static unsigned times;

/* The same, but it says so too late. */
static enum svmc_status cannot_after_all(void *ctx, struct svmc_exec_vec_op *op)
{
    (void)ctx, (void)op;
    return times++ == 0 ? SVMC_OK : SVMC_ERR_UNSUPPORTED;
}

TEST(fpu, a_host_that_can_may_not_take_it_back) /* XE-55 */
{
    struct svmc_exec_ops ops;
    struct exec_lab before;

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    fpu_lab_push(&fpu, 0x3fff, 0x8000000000000000);
    ops = *lab->x.priv.ops;
    ops.vec_op = cannot_after_all;
    lab->x.priv.ops = &ops;
    before = *lab;
    times = 0;
    CHECK_EQ(RUN(0xd8, 0x03), SVMC_ERR_CALLBACK); /* FADD m32 */
    CHECK_EQ(lab->out.action, SVMC_EXEC_NONE);
    CHECK_EQ(times, 2);
    CHECK_MEM(&lab->regs, &before.regs, sizeof before.regs);
    CHECK_MEM(lab->x87, before.x87, sizeof before.x87);
    CHECK_EQ(RUN(0xd8, 0x03), SVMC_OK); /* the next one begins with its question */
    CHECK_EQ(lab->out.action, SVMC_EXEC_NEEDS_VECTOR);
}

TEST(fpu, the_host_computes) /* XE-55 */
{
    struct svmc_exec_ops ops;

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    fpu_lab_push(&fpu, 0x3fff, 0x8000000000000000);
    exec_lab_store(lab, DATA, 8, 0x1122334455667788);
    fpu.answer[0] = 0x77;
    fpu.answer[9] = 0x40;
    fpu.status = PE | C1 | 0x4000 | 0x3800 | SF;
    CHECK_EQ(RUN(0xdc, 0x2b), SVMC_OK); /* FSUBR m64 */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(fpu.asked.operation, SVMC_EXEC_VEC_X87_SUBR);
    CHECK_EQ(fpu.asked.bytes, 8);
    CHECK_EQ(fpu.asked.mxcsr, 0x37f);
    CHECK_EQ(fpu.asked.a[7], 0x80);
    CHECK_EQ(fpu.asked.b[0], 0x88);
    CHECK_EQ(fpu_lab_mantissa(&fpu, 0), 0x77);
    CHECK_EQ(fpu_lab_top(&fpu, 0), 0x4000);
    CHECK_EQ(lab->regs.fsw & 0x3fff, 0x3800 | PE | C1);
    fpu.status = 0x4100 | C1;
    CHECK_EQ(RUN(0xde, 0x1b), SVMC_OK); /* FICOMP m16 */
    CHECK_EQ(fpu.asked.operation, SVMC_EXEC_VEC_X87_INT_COM);
    CHECK_EQ(fpu.asked.bytes, 2);
    CHECK_EQ(lab->regs.fsw, 0x4100 | PE);
    CHECK_EQ(lab->regs.ftw, 0);
    fpu_lab_push(&fpu, 0x3fff, 0x8000000000000000);
    lab->regs.fcw = 0x37f & ~ZE;
    lab->regs.fsw &= 0x3800;
    fpu.status = ZE;
    CHECK_EQ(RUN(0xda, 0x33), SVMC_OK); /* FIDIV m32: not masked */
    CHECK_EQ(fpu_lab_top(&fpu, 0), 0x3fff);
    CHECK_EQ(lab->regs.fsw, 0x3800 | ZE | ES);

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    fpu_lab_push(&fpu, 0x3fff, 0x8000000000000000);
    ops = *lab->x.priv.ops;
    ops.vec_op = NULL;
    lab->x.priv.ops = &ops;
    CHECK_EQ(RUN(0xd8, 0x03), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab->logged, 0); /* a device was not read for it */
    ops.vec_op = cannot;
    CHECK_EQ(RUN(0xde, 0x03), SVMC_OK); /* FIADD */
    CHECK_EQ(lab->out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab->logged, 0);
    CHECK_EQ(RUN(0xd9, 0x03), SVMC_OK); /* FLD needs no arithmetic */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
}

static void set_words(void)
{
    lab->regs.fcw = 0x27f;
    fpu_lab_push(&fpu, 0x4000, 0xc000000000000000);
    fpu_lab_push(&fpu, 0, 0);
    fpu_lab_push(&fpu, 0x7fff, 0x8000000000000000);
    lab->regs.fop = 0x5a3;
    lab->regs.fip = 0x12345678;
    lab->regs.fdp = 0x87654321;
    lab->regs.fcs = 0x33;
    lab->regs.fds = 0x2b;
}

static void check_words(const uint32_t *want, unsigned bytes)
{
    for (unsigned i = 0; i < 7; i++)
        CHECK_EQ(exec_lab_load(lab, DATA + bytes * i, bytes), want[i], "word %u of %u bytes", i,
                 bytes);
}

/* Three registers: special, zero, valid from 5 on. The formats: SDM vol. 1 figures 8-9 to 8-12. */
TEST(fpu, environments_have_four_formats) /* XE-56 */
{
    static const uint32_t wide[7] = { 0xffff027f, 0xffff2800, 0xffff1bff, 0x12345678,
                                      0x05a30033, 0x87654321, 0xffff002b };
    static const uint32_t narrow[7] = { 0x027f, 0x2800, 0x1bff, 0x5678, 0x33, 0x4321, 0x2b };
    static const uint32_t real_wide[7] = { 0xffff027f, 0xffff2800, 0xffff1bff, 0xffff59a8,
                                           0x012345a3, 0xffff45d1, 0x08765000 };
    static const uint32_t real_narrow[7] = {
        0x027f, 0x2800, 0x1bff, 0x59a8, 0x45a3, 0x45d1, 0x5000
    };

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    set_words();
    CHECK_EQ(RUN(0xd9, 0x33), SVMC_OK); /* FNSTENV */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    check_words(wide, 4);
    CHECK_EQ(lab->regs.fcw, 0x27f);
    lab->regs.quirks = SVMC_FPU_SELECTORS;
    lab->regs.fip = lab->regs.fdp = lab->regs.fcs = lab->regs.fds = lab->regs.fop = 0;
    lab->regs.ftw = lab->regs.fsw = 0;
    CHECK_EQ(RUN(0xd9, 0x23), SVMC_OK); /* FLDENV */
    CHECK_EQ(lab->regs.fip, 0x12345678);
    CHECK_EQ(lab->regs.fdp, 0x87654321);
    CHECK_EQ(lab->regs.fcs, 0x33);
    CHECK_EQ(lab->regs.fds, 0x2b);
    CHECK_EQ(lab->regs.fop, 0x5a3);
    CHECK_EQ(lab->regs.ftw, 0xe0);
    CHECK_EQ(lab->regs.fsw, 0x2800);
    lab->regs.fcw = 0x240;
    CHECK_EQ(RUN(0x66, 0xd9, 0x33), SVMC_OK);
    CHECK_EQ(lab->regs.fcw, 0x27f); /* all is masked */
    exec_lab_store(lab, DATA, 2, 0x27f);
    check_words(narrow, 2);
    CHECK_EQ(RUN(0x66, 0xd9, 0x23), SVMC_OK);
    CHECK_EQ(lab->regs.fip, 0x5678);
    CHECK_EQ(lab->regs.fop, 0);

    fpu_lab_open(&fpu, SVMC_ISA_X86_16);
    lab->regs.cr0 &= ~(uint64_t)1;
    lab->regs.segment[SVMC_SEG_DS].base = LAB_LINEAR;
    lab->regs.general[SVMC_REG_RBX] = 0x100;
    set_words();
    CHECK_EQ(RUN(0x66, 0xd9, 0x37), SVMC_OK);
    check_words(real_wide, 4);
    CHECK_EQ(RUN(0x66, 0xd9, 0x27), SVMC_OK);
    CHECK_EQ(lab->regs.fip, 0x123459a8);
    CHECK_EQ(lab->regs.fop, 0x5a3);
    CHECK_EQ(lab->regs.fcs, 0);
    fpu_lab_open(&fpu, SVMC_ISA_X86_16);
    lab->regs.cr0 &= ~(uint64_t)1;
    lab->regs.segment[SVMC_SEG_DS].base = LAB_LINEAR;
    lab->regs.general[SVMC_REG_RBX] = 0x100;
    set_words();
    CHECK_EQ(RUN(0xd9, 0x37), SVMC_OK);
    check_words(real_narrow, 2);
}

TEST(fpu, fnsave_and_frstor_across_a_page) /* XE-56 */
{
    uint8_t before[8][10];

    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    set_words();
    for (unsigned i = 0; i < 8; i++)
        for (unsigned n = 0; n < 10; n++)
            before[i][n] = fpu.lab.x87[i][n] ^= (uint8_t)(16 * i + n);
    lab->regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 0x33;
    CHECK_EQ(RUN(0xdd, 0x33), SVMC_OK); /* FNSAVE */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab->regs.fcw, 0x37f);
    CHECK_EQ(lab->regs.fsw, 0);
    CHECK_EQ(lab->regs.ftw, 0);
    CHECK_EQ(lab->regs.fip, 0);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned n = 0; n < 10; n++)
            CHECK_EQ(exec_lab_load(lab, lab->regs.general[SVMC_REG_RBX] + 28 + 10 * i + n, 1),
                     before[(5 + i) & 7][n], "ST(%u), byte %u", i, n);
    memset(fpu.lab.x87, 0, sizeof fpu.lab.x87);
    CHECK_EQ(RUN(0xdd, 0x23), SVMC_OK); /* FRSTOR */
    CHECK_EQ(lab->regs.fsw, 0x2800);
    CHECK_EQ(lab->regs.ftw, 0xe0);
    CHECK_EQ(lab->regs.fcw, 0x27f);
    CHECK(memcmp(before, fpu.lab.x87, sizeof before) == 0);
}

TEST(fpu, mxcsr_has_the_bits_of_its_mask) /* XE-57 */
{
    fpu_lab_open(&fpu, SVMC_ISA_X86_64);
    exec_lab_store(lab, DATA, 4, 0xffff);
    CHECK_EQ(RUN(0x0f, 0xae, 0x13), SVMC_OK); /* LDMXCSR */
    CHECK_EQ(lab->regs.mxcsr, 0xffff);
    exec_lab_store(lab, DATA, 4, 0x21f80);
    CHECK_EQ(RUN(0x0f, 0xae, 0x13), SVMC_OK);
    check_fault(13);
    CHECK_EQ(lab->regs.mxcsr, 0xffff);
    lab->regs.mxcsr_mask = 0x2ffff;
    CHECK_EQ(RUN(0xc5, 0xf8, 0xae, 0x13), SVMC_OK); /* VLDMXCSR */
    CHECK_EQ(lab->regs.mxcsr, 0x21f80);
    lab->regs.mxcsr = 0x1234;
    CHECK_EQ(RUN(0xc5, 0xf8, 0xae, 0x1b), SVMC_OK); /* VSTMXCSR */
    CHECK_EQ(exec_lab_load(lab, DATA, 4), 0x1234);
    lab->regs.xcr0 = 3;
    CHECK_EQ(RUN(0xc5, 0xf8, 0xae, 0x1b), SVMC_OK);
    check_fault(6);
    CHECK_EQ(RUN(0x0f, 0xae, 0x1b), SVMC_OK); /* STMXCSR */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    lab->regs.cr0 |= 8;
    CHECK_EQ(RUN(0x0f, 0xae, 0x1b), SVMC_OK);
    check_fault(7);
    lab->regs.cr4 = 0;
    CHECK_EQ(RUN(0x0f, 0xae, 0x1b), SVMC_OK);
    check_fault(6);
}
