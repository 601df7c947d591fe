/* SPDX-License-Identifier: MIT */
/* Floating point of vectors, rule by rule: docs/spec/exec.md. The processor: exec_native.c. */
#include "exec_lab.h"

#define DATA  (LAB_LINEAR + 0x100)
#define FLAGS 0x3fu
#define ASKED 64u
#define FIRST 1u /* of them after the one that asks whether the host can */

static struct exec_lab lab;

/* What vec_op was asked, and what it says. */
static struct {
    enum svmc_status status;
    unsigned calls, fail_from;
    bool pure;              /* says the same each time */
    uint32_t flags[ASKED];  /* of each call */
    uint64_t answer[ASKED]; /* of its element 0; that of element i is i more */
    struct svmc_exec_vec_op seen[ASKED];
} host;

static void put(uint8_t *to, unsigned i, unsigned bytes, uint64_t value)
{
    for (unsigned k = 0; k < bytes; k++)
        to[i * bytes + k] = (uint8_t)(value >> 8 * k);
}

static uint64_t get(const uint8_t *from, unsigned i, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned k = bytes; k > 0; k--)
        v = v << 8 | from[i * bytes + k - 1];
    return v;
}

static enum svmc_status vec_op(void *ctx, struct svmc_exec_vec_op *op)
{
    unsigned call = host.calls++ & (ASKED - 1);

    (void)ctx;
    if (host.status != SVMC_OK && call >= host.fail_from)
        return host.status;
    call = host.pure ? FIRST : call;
    host.seen[call] = *op;
    for (unsigned i = 0, element = op->operation & 1 ? 4 : 8; i < op->bytes / element; i++)
        put(op->out, i, element, host.answer[call] + i);
    op->mxcsr |= host.flags[call];
    return SVMC_OK;
}

static struct svmc_exec_ops ops;

static void open_with(uint32_t mxcsr)
{
    exec_lab_open(&lab, SVMC_ISA_X86_64);
    ops = exec_lab_ops;
    ops.vec_op = vec_op;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    lab.regs.general[SVMC_REG_RBX] = DATA;
    lab.regs.mxcsr = mxcsr;
    memset(&host, 0, sizeof host);
    for (unsigned i = 0; i < 32; i++)
        for (unsigned k = 0; k < 16; k++)
            put(lab.vector[i], k, 4, 0x40000000u + 0x100 * i + k);
    for (unsigned k = 0; k < 16; k++)
        exec_lab_store(&lab, DATA + 4 * k, 4, 0x3f800000u + k);
}

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void check_fault(unsigned vector)
{
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, vector);
    CHECK_EQ(lab.out.fault.has_error, 0);
}

TEST(exec_float, without_vec_op_nothing_is_done) /* XE-60 */
{
    static const enum svmc_status says[3] = { SVMC_ERR_UNSUPPORTED, SVMC_ERR_BUSY, SVMC_ERR_STATE };

    open_with(0x1f80);
    ops.vec_op = NULL;
    CHECK_EQ(RUN(0x0f, 0x58, 0x03), SVMC_OK); /* ADDPS XMM0, [RBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab.logged, 0);
    ops.size = offsetof(struct svmc_exec_ops, vec_op);
    CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x98, 0x03), SVMC_OK); /* VFMADD132PS XMM0, XMM1, [RBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(RUN(0x0f, 0x5d, 0x03), SVMC_OK); /* MINPS needs no host */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    for (unsigned i = 0; i < 6; i++) {
        open_with(0x1f80);
        host.status = says[i / 2];
        host.fail_from = i & 1;
        CHECK_EQ(RUN(0x0f, 0x58, 0x03), i == 0 ? SVMC_OK : SVMC_ERR_CALLBACK, "%u", i);
        CHECK_EQ(lab.out.action, i == 0 ? SVMC_EXEC_NEEDS_VECTOR : SVMC_EXEC_NONE, "%u", i);
        CHECK_EQ(lab.out.callback, i == 0 ? 0 : SVMC_EXEC_VEC_OP, "%u", i); /* XE-7 */
        CHECK_EQ(lab.out.callback_status, i == 0 ? SVMC_OK : says[i / 2], "%u", i);
        CHECK_EQ(lab.logged, i & 1 ? 2 : 0, "%u", i);
        CHECK_EQ(get(lab.vector[0], 0, 4), 0x40000000, "%u", i);
        CHECK_EQ(lab.regs.mxcsr, 0x1f80, "%u", i);
        CHECK_EQ(lab.regs.rip, 0x1000, "%u", i);
    }
}

/* It said that it can, and then, of each later call, that it cannot: nothing has changed. */
TEST(exec_float, a_host_that_can_may_not_take_it_back) /* XE-60 XE-64 */
{
    static const struct {
        uint8_t count, bytes[7], asks, calls;
        uint16_t mxcsr;
    } rows[] = {
        { 3, { 0x0f, 0x58, 0x03 }, 1, 2, 0x1f80 },                   /* ADDPS XMM0, [RBX] */
        { 3, { 0x0f, 0x58, 0x03 }, 1, 9, 0x1780 },                   /* element by element */
        { 4, { 0xf2, 0x0f, 0xd0, 0x03 }, 2, 4, 0x1f80 },             /* ADDSUBPS */
        { 6, { 0x66, 0x0f, 0x3a, 0x40, 0x03, 0xff }, 2, 5, 0x1f80 }, /* DPPS */
        { 5, { 0xc4, 0xe2, 0x71, 0x96, 0x03 }, 2, 4, 0x1f80 },       /* VFMADDSUB132PS */
        { 4, { 0xf2, 0x0f, 0x7d, 0x03 }, 1, 2, 0x1f80 },             /* HSUBPS */
    };
    struct exec_lab before;
    enum svmc_status st;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned k = 0; k < rows[i].calls; k++)
            for (unsigned waits = 0; waits < 2; waits++) {
                open_with(rows[i].mxcsr);
                host.status = SVMC_ERR_UNSUPPORTED;
                host.fail_from = k;
                lab.mode = waits ? LAB_BUSY : LAB_OK;
                lab.fail_at = 1;
                before = lab;
                st = exec_lab_run(&lab, rows[i].bytes, rows[i].count);
                if (k < rows[i].asks) {
                    CHECK_EQ(st, SVMC_OK, "row %u, call %u", i, k);
                    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR, "row %u, call %u", i, k);
                    CHECK_EQ(lab.logged, 0, "row %u, call %u", i, k);
                } else {
                    if (waits) {
                        CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING, "row %u, call %u", i, k);
                        st = exec_lab_go_on(&lab);
                    }
                    CHECK_EQ(st, SVMC_ERR_CALLBACK, "row %u, call %u", i, k);
                    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE, "row %u, call %u", i, k);
                }
                CHECK_EQ(lab.x.wait.kind, SVMC_EXEC_NO_ACCESS, "row %u, call %u", i, k);
                CHECK_MEM(lab.vector, before.vector, sizeof before.vector);
                CHECK_MEM(&lab.regs, &before.regs, sizeof before.regs);
            }
}

TEST(exec_float, what_the_host_is_asked) /* XE-60 XE-64 */
{
    const struct svmc_exec_vec_op *op = &host.seen[FIRST];

    open_with(0xffbf); /* all masked, all flags, to zero, FTZ */
    host.answer[FIRST] = 0x1000;
    CHECK_EQ(RUN(0x0f, 0x5c, 0x03), SVMC_OK); /* SUBPS XMM0, [RBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(op->operation, SVMC_EXEC_VEC_SUB_S);
    CHECK_EQ(op->bytes, 16);
    CHECK_EQ(op->mxcsr, 0xff80);
    for (unsigned i = 0; i < 16; i++) {
        CHECK_EQ(get(op->a, i, 4), i < 4 ? 0x40000000 + i : 0, "%u", i);
        CHECK_EQ(get(op->b, i, 4), i < 4 ? 0x3f800000 + i : 0, "%u", i);
        CHECK_EQ(get(lab.vector[0], i, 4), i < 4 ? 0x1000 + i : 0x40000000 + i, "%u", i);
    }
    open_with(0x1f80);
    host.answer[FIRST] = 0x1000;
    CHECK_EQ(RUN(0xc5, 0xf2, 0x5e, 0x03), SVMC_OK); /* VDIVSS XMM0, XMM1, [RBX] */
    CHECK_EQ(op->operation, SVMC_EXEC_VEC_DIV_S);
    CHECK_EQ(op->bytes, 4);
    CHECK_EQ(get(op->a, 0, 8), 0x40000100);
    CHECK_EQ(get(op->b, 0, 8), 0x3f800000);
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(get(lab.vector[0], i, 4), i == 0 ? 0x1000 : i < 4 ? 0x40000100 + i : 0, "%u", i);
    open_with(0x1f80);
    host.answer[FIRST] = 0x1000;
    CHECK_EQ(RUN(0xf2, 0x0f, 0x51, 0x03), SVMC_OK); /* SQRTSD XMM0, [RBX] */
    CHECK_EQ(op->operation, SVMC_EXEC_VEC_SQRT_D);
    CHECK_EQ(get(op->a, 0, 8), 0x3f8000013f800000);
    CHECK_EQ(get(lab.vector[0], 0, 8), 0x1000);
    CHECK_EQ(get(lab.vector[0], 1, 8), 0x4000000340000002);
    open_with(0x1f80);
    put(lab.mask[2], 0, 8, 0xa);
    CHECK_EQ(RUN(0x62, 0xf1, 0x74, 0x0a, 0x58, 0x03), SVMC_OK); /* VADDPS XMM0{K2}, XMM1, [RBX] */
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(get(op->a, i, 4), i & 1 ? 0x40000100 + i : 0, "%u", i);
        CHECK_EQ(get(op->b, i, 4), i & 1 ? 0x3f800000 + i : 0x3f800000, "%u", i);
        CHECK_EQ(get(lab.vector[0], i, 4), i & 1 ? i : 0x40000000 + i, "%u", i);
    }
}

TEST(exec_float, factors_and_summands_by_the_form) /* XE-64 */
{
    /* a, b, c: 0: XMM0, the destination; 1: XMM1; 2: memory (SDM vol. 2 VFMADD132PS) */
    static const struct {
        uint8_t opcode, operation, from[3];
    } rows[] = {
        { 0x98, SVMC_EXEC_VEC_MADD_D, { 0, 2, 1 } },  { 0xa8, SVMC_EXEC_VEC_MADD_D, { 1, 0, 2 } },
        { 0xb8, SVMC_EXEC_VEC_MADD_D, { 1, 2, 0 } },  { 0x9a, SVMC_EXEC_VEC_MSUB_D, { 0, 2, 1 } },
        { 0xac, SVMC_EXEC_VEC_NMADD_D, { 1, 0, 2 } }, { 0xbe, SVMC_EXEC_VEC_NMSUB_D, { 1, 2, 0 } },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct svmc_exec_vec_op *op = &host.seen[FIRST];
        const uint8_t *have[3] = { op->a, op->b, op->c };
        uint64_t from[3];

        open_with(0x1f80);
        from[0] = get(lab.vector[0], 1, 8);
        from[1] = get(lab.vector[1], 1, 8);
        from[2] = exec_lab_load(&lab, DATA + 8, 8);
        CHECK_EQ(RUN(0xc4, 0xe2, 0xf1, rows[i].opcode, 0x03), SVMC_OK);
        CHECK_EQ(op->operation, rows[i].operation, "row %u", i);
        for (unsigned k = 0; k < 3; k++)
            CHECK_EQ(get(have[k], 1, 8), from[rows[i].from[k]], "row %u, operand %u", i, k);
    }
}

TEST(exec_float, what_is_made_of_several_operations) /* XE-64 */
{
    const struct svmc_exec_vec_op *op = &host.seen[FIRST];

    open_with(0x1f80);
    CHECK_EQ(RUN(0xf2, 0x0f, 0x7c, 0x03), SVMC_OK); /* HADDPS XMM0, [RBX] */
    CHECK_EQ(op->operation, SVMC_EXEC_VEC_ADD_S);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(get(op->a, i, 4), 0x40000000 + 2 * i, "%u", i);
        CHECK_EQ(get(op->b, i, 4), 0x40000001 + 2 * i, "%u", i);
        CHECK_EQ(get(op->a, 2 + i, 4), 0x3f800000 + 2 * i, "%u", i);
        CHECK_EQ(get(op->b, 2 + i, 4), 0x3f800001 + 2 * i, "%u", i);
    }
    /* of these both operations are asked for first */
    open_with(0x1f80);
    host.answer[2] = 0x100;
    host.answer[3] = 0x200;
    CHECK_EQ(RUN(0xf2, 0x0f, 0xd0, 0x03), SVMC_OK); /* ADDSUBPS XMM0, [RBX] */
    CHECK_EQ(host.seen[2].operation, SVMC_EXEC_VEC_SUB_S);
    CHECK_EQ(host.seen[3].operation, SVMC_EXEC_VEC_ADD_S);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(get(lab.vector[0], i, 4), (i & 1 ? 0x200 : 0x100) + i, "%u", i);
    open_with(0x1f80);
    host.answer[2] = 0x100;
    host.answer[3] = 0x200;
    host.answer[4] = 0x300;
    host.flags[3] = 0x20;
    CHECK_EQ(RUN(0x66, 0x0f, 0x3a, 0x40, 0x03, 0x75), SVMC_OK); /* DPPS XMM0, [RBX], 75h */
    CHECK_EQ(host.calls, 5);
    CHECK_EQ(host.seen[2].operation, SVMC_EXEC_VEC_MUL_S);
    CHECK_EQ(get(host.seen[2].a, 3, 4), 0); /* no factor */
    CHECK_EQ(get(host.seen[3].a, 3, 4) + get(host.seen[3].b, 3, 4), 0x102);
    CHECK_EQ(get(host.seen[3].a, 0, 4) + get(host.seen[3].b, 0, 4), 0x201);
    CHECK_EQ(get(host.seen[4].a, 0, 4) + get(host.seen[4].b, 0, 4), 0x402);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(get(lab.vector[0], i, 4), i & 1 ? 0 : 0x300 + i, "%u", i);
    CHECK_EQ(lab.regs.mxcsr, 0x1fa0);
    open_with(0x1d80); /* a product is not a number: nothing is added */
    lab.regs.mxcsr = 0x1f00;
    host.flags[2] = 0x21;
    CHECK_EQ(RUN(0x66, 0x0f, 0x3a, 0x40, 0x03, 0x75), SVMC_OK);
    check_fault(19);
    CHECK_EQ(host.calls, 3);
    CHECK_EQ(lab.regs.mxcsr, 0x1f01);
}

TEST(exec_float, what_is_not_masked_is_a_fault) /* XE-61 */
{
    static const struct {
        uint16_t mxcsr, flags, after;
    } rows[] = {
        /* SDM vol. 1 11.5: what is found before is told alone */
        { 0x1d80, 0x04, 0x1d84 }, { 0x0d80, 0x24, 0x0d84 }, { 0x0f80, 0x22, 0x0fa2 },
        { 0x1f00, 0x03, 0x1f03 }, { 0x1e81, 0x02, 0x1e83 }, { 0x0f80, 0x28, 0x0fa8 },
    };

    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        open_with(rows[i / 2].mxcsr);
        host.flags[FIRST] = rows[i / 2].flags;
        lab.regs.cr4 = i & 1 ? 0x40200 : 0x40600;
        CHECK_EQ(RUN(0x66, 0x0f, 0x5e, 0x03), SVMC_OK, "row %u", i); /* DIVPD XMM0, [RBX] */
        check_fault(i & 1 ? 6 : 19);
        CHECK_EQ(lab.regs.mxcsr, rows[i / 2].after, "row %u", i);
        CHECK_EQ(get(lab.vector[0], 0, 8), 0x4000000140000000, "row %u", i);
        CHECK_EQ(lab.regs.rip, 0x1000, "row %u", i);
    }
    open_with(0x1f81);
    host.flags[FIRST] = 0x3e;
    CHECK_EQ(RUN(0x66, 0x0f, 0x5e, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.mxcsr, 0x1fbf);
    open_with(0x1f80 & ~0x80u); /* CVTPS2DQ: done here */
    exec_lab_store(&lab, DATA + 8, 4, 0x7fc00000);
    CHECK_EQ(RUN(0x66, 0x0f, 0x5b, 0x03), SVMC_OK);
    check_fault(19);
    CHECK_EQ(lab.regs.mxcsr, 0x1f01);
    CHECK_EQ(get(lab.vector[0], 2, 4), 0x40000002);
}

TEST(exec_float, overflow_and_underflow_that_the_guest_hears_of) /* XE-62 */
{
    open_with(0x1780); /* UM clear; MULSD XMM0, [RBX]: tiny, exact */
    host.flags[2] = 0x30;
    put(lab.vector[0], 0, 8, 0x0018000000000000);
    exec_lab_store(&lab, DATA, 8, 0xbfe4000000000000);
    CHECK_EQ(RUN(0xf2, 0x0f, 0x59, 0x03), SVMC_OK);
    check_fault(19);
    CHECK_EQ(lab.regs.mxcsr, 0x1790);
    CHECK_EQ(host.calls, 4);
    CHECK_EQ(host.seen[1].mxcsr, 0x1f80);
    CHECK_EQ(host.seen[2].mxcsr, 0x9f80);
    CHECK_EQ(get(host.seen[3].a, 0, 8), 0x3ff8000000000000);
    CHECK_EQ(get(host.seen[3].b, 0, 8), 0xbff4000000000000);
    open_with(0x1780); /* the same, inexact */
    host.flags[2] = 0x30;
    host.flags[3] = 0x20;
    CHECK_EQ(RUN(0xf2, 0x0f, 0x59, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.mxcsr, 0x17b0);
    open_with(0x1b80); /* OM clear; ADDPS: each element by itself */
    host.flags[3] = 0x28;
    put(lab.vector[0], 2, 4, 0x7f000000);
    exec_lab_store(&lab, DATA + 8, 4, 0x7e000000);
    CHECK_EQ(RUN(0x0f, 0x58, 0x03), SVMC_OK);
    check_fault(19);
    CHECK_EQ(lab.regs.mxcsr, 0x1b88);
    CHECK_EQ(host.calls, 6);
    CHECK_EQ(host.seen[3].bytes, 4);
    CHECK_EQ(get(host.seen[3].a, 0, 8), 0x7f000000);
    CHECK_EQ(get(host.seen[4].a, 0, 4), 0x3f800000);
    CHECK_EQ(get(host.seen[4].b, 0, 4), 0x3e800000); /* as far below as before */
    open_with(0x1380);                               /* both are clear, and neither happens */
    host.answer[1] = 7;
    CHECK_EQ(RUN(0xf3, 0x0f, 0x58, 0x03), SVMC_OK); /* ADDSS */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(lab.vector[0], 0, 4), 7);
    CHECK_EQ(lab.regs.mxcsr, 0x1380);
}

TEST(exec_float, conversions) /* XE-63 */
{
    static const struct {
        char name[26];
        uint8_t count, bytes[6];
        uint16_t mxcsr; /* beside the masks */
        uint64_t memory[2], want[2];
        uint8_t flags;
        bool general;
    } rows[] = {
        /* SDM vol. 1 4.8, 4.9; IEEE 754 */
        { "cvtsd2ss 1",
          4,
          { 0xf2, 0x0f, 0x5a, 0x03 },
          0,
          { 0x3ff0000000000000, 0 },
          { 0x400000013f800000, 0x4000000340000002 },
          0,
          false },
        { "cvtsd2ss, a tie",
          4,
          { 0xf2, 0x0f, 0x5a, 0x03 },
          0,
          { 0x3ff0000010000000, 0 },
          { 0x400000013f800000, 0x4000000340000002 },
          0x20,
          false },
        { "cvtsd2ss, up",
          4,
          { 0xf2, 0x0f, 0x5a, 0x03 },
          0x4000,
          { 0x3ff0000010000000, 0 },
          { 0x400000013f800001, 0x4000000340000002 },
          0x20,
          false },
        { "cvtpd2ps, too great",
          4,
          { 0x66, 0x0f, 0x5a, 0x03 },
          0,
          { 0x47f0000000000000, 0xc7f0000000000000 },
          { 0xff8000007f800000, 0 },
          0x28,
          false },
        { "cvtpd2ps, to zero",
          4,
          { 0x66, 0x0f, 0x5a, 0x03 },
          0x6000,
          { 0x47f0000000000000, 0xc7f0000000000000 },
          { 0xff7fffff7f7fffff, 0 },
          0x28,
          false },
        { "cvtpd2ps, tiny, exact",
          4,
          { 0x66, 0x0f, 0x5a, 0x03 },
          0,
          { 0x36a0000000000000, 0xb7f8000000000000 },
          { 0x8030000000000001, 0 },
          0,
          false },
        { "cvtpd2ps, tiny, inexact",
          4,
          { 0x66, 0x0f, 0x5a, 0x03 },
          0,
          { 0x3690000000000000, 0 },
          { 0, 0 },
          0x30,
          false },
        { "cvtpd2ps, tiny, FTZ",
          4,
          { 0x66, 0x0f, 0x5a, 0x03 },
          0x8000,
          { 0xb6a0000000000000, 0 },
          { 0x80000000, 0 },
          0x30,
          false },
        { "cvtpd2ps, NaNs",
          4,
          { 0x66, 0x0f, 0x5a, 0x03 },
          0,
          { 0x7ff0000000000001, 0xfff8000020000000 },
          { 0xffc000017fc00000, 0 },
          1,
          false },
        { "cvtpd2ps, denormal", 4, { 0x66, 0x0f, 0x5a, 0x03 }, 0, { 1, 0 }, { 0, 0 }, 0x32, false },
        { "cvtpd2ps, DAZ", 4, { 0x66, 0x0f, 0x5a, 0x03 }, 0x40, { 1, 0 }, { 0, 0 }, 0, false },
        { "cvtps2pd",
          3,
          { 0x0f, 0x5a, 0x03 },
          0,
          { 0xbf80000000000001, 0 },
          { 0x36a0000000000000, 0xbff0000000000000 },
          2,
          false },
        { "cvtps2dq",
          4,
          { 0x66, 0x0f, 0x5b, 0x03 },
          0,
          { 0x402000003fc00000, 0x4f000000bfc00000 },
          { 0x0000000200000002, 0x80000000fffffffe },
          0x21,
          false },
        { "cvttps2dq",
          4,
          { 0xf3, 0x0f, 0x5b, 0x03 },
          0x4000,
          { 0x402000003ff00000, 0xcf000000bfc00000 },
          { 0x0000000200000001, 0x80000000ffffffff },
          0x20,
          false },
        { "cvtpd2dq",
          4,
          { 0xf2, 0x0f, 0xe6, 0x03 },
          0x2000,
          { 0xbfe0000000000000, 0x41dfffffffc00000 },
          { 0x7fffffffffffffff, 0 },
          0x20,
          false },
        { "cvtdq2ps",
          3,
          { 0x0f, 0x5b, 0x03 },
          0,
          { 0x010000017fffffff, 0x80000000ffffffff },
          { 0x4b8000004f000000, 0xcf000000bf800000 },
          0x20,
          false },
        { "cvtdq2pd",
          4,
          { 0xf3, 0x0f, 0xe6, 0x03 },
          0,
          { 0x800000007fffffff, 0 },
          { 0x41dfffffffc00000, 0xc1e0000000000000 },
          0,
          false },
        { "cvtsi2ss, 64 bits",
          5,
          { 0xf3, 0x48, 0x0f, 0x2a, 0x03 },
          0,
          { 0x7fffffffffffffff, 0 },
          { 0x400000015f000000, 0x4000000340000002 },
          0x20,
          false },
        { "cvtsi2sd, -1",
          4,
          { 0xf2, 0x0f, 0x2a, 0x03 },
          0,
          { 0xffffffff, 0 },
          { 0xbff0000000000000, 0x4000000340000002 },
          0,
          false },
        { "cvtsd2si, 2 to 63",
          5,
          { 0xf2, 0x48, 0x0f, 0x2d, 0x03 },
          0,
          { 0x43e0000000000000, 0 },
          { 0x8000000000000000, 0 },
          1,
          true },
        { "cvtsd2si, -2 to 63",
          5,
          { 0xf2, 0x48, 0x0f, 0x2d, 0x03 },
          0,
          { 0xc3e0000000000000, 0 },
          { 0x8000000000000000, 0 },
          0,
          true },
        { "cvtsd2si, 1.5",
          5,
          { 0xf2, 0x48, 0x0f, 0x2d, 0x03 },
          0,
          { 0x3ff8000000000000, 0 },
          { 2, 0 },
          0x20,
          true },
        { "cvttsd2si, near the end",
          4,
          { 0xf2, 0x0f, 0x2c, 0x03 },
          0,
          { 0x41dfffffffffffff, 0 },
          { 0x7fffffff, 0 },
          0x20,
          true },
        { "cvttsd2si, the end",
          4,
          { 0xf2, 0x0f, 0x2c, 0x03 },
          0,
          { 0x41e0000000000000, 0 },
          { 0x80000000, 0 },
          1,
          true },
        { "vcvttss2usi",
          6,
          { 0x62, 0xf1, 0x7e, 0x08, 0x78, 0x03 },
          0,
          { 0x4f7fffff, 0 },
          { 0xffffff00, 0 },
          0,
          true },
        { "vcvttss2usi, -1",
          6,
          { 0x62, 0xf1, 0x7e, 0x08, 0x78, 0x03 },
          0,
          { 0xbf800000, 0 },
          { 0xffffffff, 0 },
          1,
          true },
        { "vcvtph2ps",
          5,
          { 0xc4, 0xe2, 0x79, 0x13, 0x03 },
          0x40,
          { 0x7c017bff00013c00, 0 },
          { 0x338000003f800000, 0x7fc02000477fe000 },
          1,
          false },
        { "roundsd, a tie",
          6,
          { 0x66, 0x0f, 0x3a, 0x0b, 0x03, 0 },
          0x6000,
          { 0x4004000000000000, 0 },
          { 0x4000000000000000, 0x4000000340000002 },
          0x20,
          false },
        { "roundsd, up, quiet",
          6,
          { 0x66, 0x0f, 0x3a, 0x0b, 0x03, 0xa },
          0,
          { 0xbfe0000000000000, 0 },
          { 0x8000000000000000, 0x4000000340000002 },
          0,
          false },
        { "roundsd, as MXCSR says",
          6,
          { 0x66, 0x0f, 0x3a, 0x0b, 0x03, 4 },
          0x2000,
          { 0xbfe0000000000000, 0 },
          { 0xbff0000000000000, 0x4000000340000002 },
          0x20,
          false },
        { "minsd, a NaN",
          4,
          { 0xf2, 0x0f, 0x5d, 0x03 },
          0,
          { 0x7ff8000000000000, 0 },
          { 0x7ff8000000000000, 0x4000000340000002 },
          1,
          false },
        { "maxsd",
          4,
          { 0xf2, 0x0f, 0x5f, 0x03 },
          0,
          { 0xc000000000000000, 0 },
          { 0x4000000140000000, 0x4000000340000002 },
          0,
          false },
        { "minsd, denormal",
          4,
          { 0xf2, 0x0f, 0x5d, 0x03 },
          0,
          { 1, 0 },
          { 1, 0x4000000340000002 },
          2,
          false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_with(0x1f80 | rows[i].mxcsr);
        exec_lab_store(&lab, DATA, 8, rows[i].memory[0]);
        exec_lab_store(&lab, DATA + 8, 8, rows[i].memory[1]);
        CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s", rows[i].name);
        CHECK_EQ(lab.regs.mxcsr & FLAGS, rows[i].flags, "%s", rows[i].name);
        CHECK_EQ(host.calls, 0, "%s", rows[i].name);
        if (rows[i].general) {
            CHECK_EQ(lab.regs.general[SVMC_REG_RAX], rows[i].want[0], "%s", rows[i].name);
            continue;
        }
        CHECK_EQ(get(lab.vector[0], 0, 8), rows[i].want[0], "%s", rows[i].name);
        CHECK_EQ(get(lab.vector[0], 1, 8), rows[i].want[1], "%s", rows[i].name);
    }
}

TEST(exec_float, conversions_of_mmx) /* XE-63 */
{
    open_with(0x1f80);
    lab.regs.fsw = 0x3800;
    exec_lab_store(&lab, DATA, 8, 0x402000003fc00000);
    CHECK_EQ(RUN(0x0f, 0x2d, 0x0b), SVMC_OK); /* CVTPS2PI MM1, [RBX] */
    CHECK_EQ(get(lab.x87[1], 0, 8), 0x0000000200000002);
    CHECK_EQ(lab.regs.fsw, 0);
    CHECK_EQ(lab.regs.ftw, 0xff);
    open_with(0x1f80);
    lab.regs.fsw = 0x3800;
    exec_lab_store(&lab, DATA, 8, 0xffffffff00000003);
    CHECK_EQ(RUN(0x0f, 0x2a, 0x03), SVMC_OK); /* CVTPI2PS XMM0, [RBX] */
    CHECK_EQ(get(lab.vector[0], 0, 8), 0xbf80000040400000);
    CHECK_EQ(get(lab.vector[0], 1, 8), 0x4000000340000002);
    CHECK_EQ(lab.regs.fsw, 0x3800);                 /* no MMX register is touched */
    CHECK_EQ(RUN(0x66, 0x0f, 0x2a, 0x03), SVMC_OK); /* CVTPI2PD XMM0, [RBX] */
    CHECK_EQ(get(lab.vector[0], 1, 8), 0xbff0000000000000);
}

TEST(exec_float, comparisons) /* XE-63 */
{
    /* SDM vol. 2 CMPPD, table 3-1: what holds of greater, less, equal, unordered; S: of a NaN that
       is quiet they are invalid; 16 to 31 are the same the other way round */
    static const char table[16][8] = { "E",  "LS",  "LES",  "U", "GLU", "GEUS", "GUS", "GLE",
                                       "EU", "LUS", "LEUS", "",  "GL",  "GES",  "GS",  "GLEU" };
    static const struct {
        char which;
        uint64_t a, b;
        uint16_t zpc; /* of COMISD */
    } rows[] = { { 'G', 0x4000000000000000, 0x3ff0000000000000, 0 },
                 { 'L', 0xc000000000000000, 0x3ff0000000000000, 0x01 },
                 { 'E', 0x8000000000000000, 0, 0x40 },
                 { 'U', 0x7ff8000000000000, 0x3ff0000000000000, 0x45 } };

    for (unsigned i = 0; i < 4 * 32; i++) {
        const unsigned predicate = i / 4;
        const char *holds = table[predicate & 15];
        bool signals = (strchr(holds, 'S') != NULL) != (predicate >= 16);

        open_with(0x1f80);
        put(lab.vector[1], 0, 8, rows[i & 3].a);
        exec_lab_store(&lab, DATA, 8, rows[i & 3].b);
        CHECK_EQ(RUN(0xc5, 0xf3, 0xc2, 0x03, (uint8_t)predicate), SVMC_OK); /* VCMPSD */
        CHECK_EQ(get(lab.vector[0], 0, 8),
                 strchr(holds, rows[i & 3].which) != NULL ? ~(uint64_t)0 : 0, "%u of %c", predicate,
                 rows[i & 3].which);
        CHECK_EQ(lab.regs.mxcsr & FLAGS, rows[i & 3].which == 'U' && signals ? 1 : 0, "%u of %c",
                 predicate, rows[i & 3].which);
    }
    for (unsigned i = 0; i < 8; i++) { /* UCOMISD, COMISD XMM1, [RBX] */
        open_with(0x1f80);
        lab.regs.rflags = 0x8d7;
        put(lab.vector[1], 0, 8, rows[i & 3].a);
        exec_lab_store(&lab, DATA, 8, rows[i & 3].b);
        CHECK_EQ(RUN(0x66, 0x0f, 0x2e + i / 4, 0x0b), SVMC_OK);
        CHECK_EQ(lab.regs.rflags, 2u | rows[i & 3].zpc, "%u", i);
        CHECK_EQ(lab.regs.mxcsr & FLAGS, i == 7 ? 1 : 0, "%u", i);
    }
}

TEST(exec_float, a_store_is_computed_before_its_address_counts) /* XE-65 */
{
    open_with(0x1f80);
    put(lab.vector[0], 0, 8, 0x477ff0003f800000); /* VCVTPS2PH [RBX], XMM0, 4 */
    put(lab.vector[0], 1, 8, 0x0000000033000000);
    CHECK_EQ(RUN(0xc4, 0xe3, 0x79, 0x1d, 0x03, 0x04), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0x000000007c003c00);
    CHECK_EQ(lab.regs.mxcsr, 0x1fb8);
    lab.regs.mxcsr = 0x1b80;
    lab.read_only[0] = true;
    CHECK_EQ(RUN(0xc4, 0xe3, 0x79, 0x1d, 0x03, 0x04), SVMC_OK);
    check_fault(19);
    CHECK_EQ(lab.regs.mxcsr, 0x1bb8);
    lab.regs.mxcsr = 0x1f80;
    CHECK_EQ(RUN(0xc4, 0xe3, 0x79, 0x1d, 0x03, 0x04), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 14);
    CHECK_EQ(lab.regs.mxcsr, 0x1fb8);
}

TEST(exec_float, each_callback_fails_or_waits_at_each_call) /* XE-60 */
{
    static const struct {
        uint8_t count, bytes[7];
    } rows[] = {
        { 3, { 0x0f, 0x58, 0x03 } },                         /* ADDPS XMM0, [RBX] */
        { 4, { 0xf3, 0x0f, 0x58, 0x03 } },                   /* ADDSS */
        { 5, { 0xc4, 0xe2, 0x75, 0xb8, 0x03 } },             /* VFMADD231PS YMM0, YMM1, [RBX] */
        { 6, { 0x66, 0x0f, 0x3a, 0x40, 0x03, 0xff } },       /* DPPS */
        { 4, { 0x66, 0x0f, 0x5b, 0x03 } },                   /* CVTPS2DQ */
        { 4, { 0xf2, 0x0f, 0x2d, 0x03 } },                   /* CVTSD2SI */
        { 3, { 0x0f, 0x2f, 0x03 } },                         /* COMISS */
        { 6, { 0xc4, 0xe3, 0x79, 0x1d, 0x03, 0x04 } },       /* VCVTPS2PH */
        { 6, { 0x62, 0xf1, 0x74, 0x0a, 0x58, 0x03 } },       /* VADDPS XMM0{K2}, XMM1, [RBX] */
        { 7, { 0x62, 0xf1, 0x74, 0x0a, 0xc2, 0x03, 0x02 } }, /* VCMPPS K0{K2}, XMM1, [RBX] */
    };
    static struct exec_lab done;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0] * 2; i++) {
        const uint64_t at = DATA + (i & 1 ? LAB_PAGE - 0x104 : 0);

        for (unsigned k = 0, calls = 1; k < 2 * calls + 2; k++) {
            open_with(0x1f80);
            put(lab.mask[2], 0, 8, 0xb);
            host.pure = true;
            host.answer[FIRST] = 0x12;
            host.flags[FIRST] = 0x20;
            if (rows[i / 2].bytes[0] >= 0x62 && rows[i / 2].bytes[0] != 0x66)
                lab.regs.general[SVMC_REG_RBX] = at; /* across a page */
            lab.mode = k == 0 ? LAB_OK : k == 1 || k % 2 == 0 ? LAB_BUSY : LAB_FAIL;
            lab.every = k == 1;
            lab.fail_at = k / 2;
            enum svmc_status st = exec_lab_run(&lab, rows[i / 2].bytes, rows[i / 2].count);

            if (lab.mode == LAB_FAIL) {
                CHECK_EQ(st, SVMC_ERR_CALLBACK, "row %u, %u", i, k);
                CHECK_EQ(lab.regs.mxcsr, 0x1f80, "row %u, %u", i, k);
                CHECK_EQ(lab.regs.rip, 0x1000, "row %u, %u", i, k);
                CHECK_EQ(get(lab.vector[0], 0, 4), 0x40000000, "row %u, %u", i, k);
                continue;
            }
            CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK, "row %u, %u", i, k);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u, %u", i, k);
            if (k == 0) {
                calls = lab.calls;
                done = lab;
                continue;
            }
            CHECK(memcmp(done.vector, lab.vector, sizeof lab.vector) == 0, "row %u, %u", i, k);
            CHECK(memcmp(&done.regs, &lab.regs, sizeof lab.regs) == 0, "row %u, %u", i, k);
            CHECK(memcmp(done.ram, lab.ram, sizeof lab.ram) == 0, "row %u, %u", i, k);
            CHECK(memcmp(done.mask, lab.mask, sizeof lab.mask) == 0, "row %u, %u", i, k);
        }
    }
}
