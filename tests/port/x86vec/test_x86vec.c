/* SPDX-License-Identifier: MIT */
/* The processor's floating point for the executor: docs/spec/exec.md, XE-60, XE-61. */
#include <string.h>
#include <svmcore/port/x86vec.h>

#include "../../harness.h"

#define FLAGS 0x3fu
#define MASKS 0x1f80u

static struct svmc_x86vec host;
static struct svmc_exec_vec_op op;

static void set(uint8_t *to, double value, unsigned element)
{
    float single = (float)value;

    memset(to, 0, SVMC_EXEC_VEC_BYTES);
    for (unsigned i = 0; i < op.bytes; i += element)
        memcpy(to + i, element == 4 ? (const void *)&single : (const void *)&value, element);
}

static double get(unsigned i, unsigned element)
{
    double value;
    float single;

    memcpy(&value, op.out + (element == 8 ? i : 0), 8);
    memcpy(&single, op.out + (element == 4 ? i : 0), 4);
    return element == 8 ? value : (double)single;
}

static enum svmc_status run(unsigned operation, unsigned bytes, double a, double b, double c)
{
    unsigned element = operation & 1 ? 4 : 8;

    if (host.priv.open == 0)
        CHECK_EQ(svmc_x86vec_open(&host), SVMC_OK);
    op = (struct svmc_exec_vec_op){ .operation = (uint16_t)operation, .bytes = (uint16_t)bytes };
    op.mxcsr = MASKS;
    set(op.a, a, element);
    set(op.b, b, element);
    set(op.c, c, element);
    return svmc_x86vec_execute(&host, &op);
}

static uint32_t host_mxcsr(void)
{
    uint32_t v;

    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}

TEST(x86vec, each_operation_of_each_width) /* XE-60 */
{
    static const struct {
        uint8_t operation;
        double a, b, c, want, near;
    } rows[] = {
        { SVMC_EXEC_VEC_ADD_S, 6, 3, 0, 9, 0 },      { SVMC_EXEC_VEC_ADD_D, 6, 3, 0, 9, 0 },
        { SVMC_EXEC_VEC_SUB_S, 6, 3, 0, 3, 0 },      { SVMC_EXEC_VEC_SUB_D, 6, 3, 0, 3, 0 },
        { SVMC_EXEC_VEC_MUL_S, 6, 3, 0, 18, 0 },     { SVMC_EXEC_VEC_MUL_D, 6, 3, 0, 18, 0 },
        { SVMC_EXEC_VEC_DIV_S, 6, 3, 0, 2, 0 },      { SVMC_EXEC_VEC_DIV_D, 6, 3, 0, 2, 0 },
        { SVMC_EXEC_VEC_SQRT_S, 36, 0, 0, 6, 0 },    { SVMC_EXEC_VEC_SQRT_D, 36, 0, 0, 6, 0 },
        { SVMC_EXEC_VEC_MADD_S, 6, 3, 2, 20, 0 },    { SVMC_EXEC_VEC_MADD_D, 6, 3, 2, 20, 0 },
        { SVMC_EXEC_VEC_MSUB_S, 6, 3, 2, 16, 0 },    { SVMC_EXEC_VEC_MSUB_D, 6, 3, 2, 16, 0 },
        { SVMC_EXEC_VEC_NMADD_S, 6, 3, 2, -16, 0 },  { SVMC_EXEC_VEC_NMADD_D, 6, 3, 2, -16, 0 },
        { SVMC_EXEC_VEC_NMSUB_S, 6, 3, 2, -20, 0 },  { SVMC_EXEC_VEC_NMSUB_D, 6, 3, 2, -20, 0 },
        { SVMC_EXEC_VEC_RCP_S, 2, 0, 0, 0.5, 1e-3 }, { SVMC_EXEC_VEC_RSQRT_S, 4, 0, 0, 0.5, 1e-3 },
    };
    unsigned done = 0, missing = 0;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0] * 4; i++) {
        unsigned operation = rows[i / 4].operation, element = operation & 1 ? 4 : 8;
        unsigned bytes = (const unsigned[]){ element, 16, 32, 64 }[i % 4];
        enum svmc_status st = run(operation, bytes, rows[i / 4].a, rows[i / 4].b, rows[i / 4].c);

        if (st == SVMC_ERR_UNSUPPORTED) {
            missing++;
            CHECK(bytes >= 32 || operation >= SVMC_EXEC_VEC_MADD_S, "%u of %u", operation, bytes);
            continue;
        }
        done++;
        CHECK_EQ(st, SVMC_OK, "operation %u of %u bytes", operation, bytes);
        CHECK_EQ(op.mxcsr & FLAGS, 0u, "operation %u of %u bytes", operation, bytes);
        for (unsigned k = 0; k < bytes; k += element) {
            double off = get(k, element) - rows[i / 4].want;

            CHECK(off <= rows[i / 4].near && -off <= rows[i / 4].near,
                  "operation %u of %u bytes: %f", operation, bytes, get(k, element));
        }
        for (unsigned k = bytes; k < 64; k++)
            CHECK_EQ(op.out[k], 0, "operation %u of %u bytes", operation, bytes);
    }
    CHECK(done >= 24, "%u", done);
    if (missing > 2) /* RCP and RSQRT have no 64 bytes */
        harness_skip("hardware: AVX, FMA or AVX-512");
}

TEST(x86vec, flags_and_rounding_are_the_guests) /* XE-60 XE-61 */
{
    static const struct {
        uint8_t operation;
        uint16_t mxcsr;
        double a, b;
        uint64_t want;
        uint8_t flags;
    } rows[] = {
        /* SDM vol. 1 4.9.1, 10.2.3 */
        { SVMC_EXEC_VEC_DIV_D, 0, 1, 0, 0x7ff0000000000000, 0x04 },
        { SVMC_EXEC_VEC_DIV_D, 0, 0, 0, 0xfff8000000000000, 0x01 },
        { SVMC_EXEC_VEC_MUL_D, 0, 0x1p1000, 0x1p1000, 0x7ff0000000000000, 0x28 },
        { SVMC_EXEC_VEC_MUL_D, 0x6000, 0x1p1000, 0x1p1000, 0x7fefffffffffffff, 0x28 },
        { SVMC_EXEC_VEC_MUL_D, 0, 0x1p-1030, 0.5, 0x0000080000000000, 0x02 },
        { SVMC_EXEC_VEC_MUL_D, 0x40, 0x1p-1030, 0.5, 0, 0x00 },
        { SVMC_EXEC_VEC_MUL_D, 0x8000, 0x1p-1022, 0.5, 0, 0x30 },
        { SVMC_EXEC_VEC_ADD_D, 0, 1, 0x1p-60, 0x3ff0000000000000, 0x20 },
        { SVMC_EXEC_VEC_ADD_D, 0x4000, 1, 0x1p-60, 0x3ff0000000000001, 0x20 },
        { SVMC_EXEC_VEC_ADD_D, 0x2000, -1, -0x1p-60, 0xbff0000000000001, 0x20 },
    };

    CHECK_EQ(svmc_x86vec_open(&host), SVMC_OK);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t before = host_mxcsr();
        uint64_t out;

        op = (struct svmc_exec_vec_op){ .operation = rows[i].operation, .bytes = 8 };
        set(op.a, rows[i].a, 8);
        set(op.b, rows[i].b, 8);
        op.mxcsr =
            rows[i].mxcsr | 0xffff0000; /* no masks: none is raised; bits that are not there */
        CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_OK, "row %u", i);
        memcpy(&out, op.out, 8);
        CHECK_EQ(out, rows[i].want, "row %u", i);
        CHECK_EQ(op.mxcsr, rows[i].mxcsr | 0xffff0000 | rows[i].flags, "row %u", i);
        CHECK_EQ(host_mxcsr(), before, "row %u", i);
    }
}

TEST(x86vec, what_is_not_there_is_refused) /* XE-60 */
{
    struct svmc_exec_vec_op before;
    struct svmc_x86vec none = { 0 };

    CHECK_EQ(svmc_x86vec_open(NULL), SVMC_ERR_ARG);
    CHECK_EQ(run(SVMC_EXEC_VEC_ADD_S, 4, 1, 2, 0), SVMC_OK);
    CHECK_EQ(svmc_x86vec_execute(NULL, &op), SVMC_ERR_ARG);
    CHECK_EQ(svmc_x86vec_execute(&host, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_x86vec_execute(&none, &op), SVMC_ERR_ARG);
    for (unsigned operation = 0; operation < 70000; operation = operation * 2 + 1)
        for (unsigned bytes = 0; bytes <= 0xffff; bytes = bytes < 130 ? bytes + 1 : bytes * 2) {
            unsigned element = operation & 1 ? 4 : 8;
            bool known = operation == 1 || operation == 3 || operation == 7 || operation == 15;

            op.operation = (uint16_t)operation;
            op.bytes = (uint16_t)bytes;
            if (known && (bytes == element || bytes == 16 || bytes == 32 || bytes == 64))
                continue;
            before = op;
            CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_ERR_UNSUPPORTED, "%u of %u", operation,
                     bytes);
            CHECK(memcmp(&before, &op, sizeof op) == 0, "%u of %u", operation, bytes);
        }
    op.operation = SVMC_EXEC_VEC_RCP_S;
    op.bytes = 64;
    CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_ERR_UNSUPPORTED);
    op.operation = SVMC_EXEC_VEC_RCP_S + 1;
    op.bytes = 16;
    CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_ERR_UNSUPPORTED);
    none = host;
    none.priv.has = 1; /* SSE2 alone */
    op.operation = SVMC_EXEC_VEC_ADD_S;
    CHECK_EQ(svmc_x86vec_execute(&none, &op), SVMC_OK);
    op.bytes = 32;
    CHECK_EQ(svmc_x86vec_execute(&none, &op), SVMC_ERR_UNSUPPORTED);
    op.operation = SVMC_EXEC_VEC_MADD_S;
    op.bytes = 4;
    CHECK_EQ(svmc_x86vec_execute(&none, &op), SVMC_ERR_UNSUPPORTED);
}

TEST(x86vec, the_first_nan_comes_out) /* XE-60 */
{
    static const uint64_t nans[3] = { 0x7ff8000000000001, 0x7ff8000000000002, 0x7ff8000000000003 };
    uint64_t out;

    if (run(SVMC_EXEC_VEC_MADD_D, 8, 1, 1, 1) != SVMC_OK) {
        harness_skip("hardware: FMA");
        return;
    }
    for (unsigned first = 0; first < 3; first++) {
        const uint64_t one = 0x3ff0000000000000;

        memcpy(op.a, first < 1 ? &nans[0] : &one, 8);
        memcpy(op.b, first < 2 ? &nans[1] : &one, 8);
        memcpy(op.c, &nans[2], 8);
        CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_OK);
        memcpy(&out, op.out, 8);
        CHECK_EQ(out, nans[first]);
    }
}

/* A row: what is in ST(0) and in memory, what comes out. SDM vol. 1 8.5, by hand. */
struct x87_row {
    char name[24];
    uint16_t operation, bytes, control, a_top;
    uint64_t a, b;
    uint16_t top;
    uint64_t mantissa;
    uint16_t status;
};

TEST(x86vec, x87_with_the_control_word_of_the_guest) /* XE-55 */
{
    static const struct x87_row rows[] = {
        { "1 + 2.0f", SVMC_EXEC_VEC_X87_ADD, 4, 0x37f, 0x3fff, 0x8000000000000000, 0x40000000,
          0x4000, 0xc000000000000000, 0 },
        { "1 / 3.0", SVMC_EXEC_VEC_X87_DIV, 8, 0x37f, 0x3fff, 0x8000000000000000,
          0x4008000000000000, 0x3ffd, 0xaaaaaaaaaaaaaaab, 0x220 },
        { "1 / 3.0 of 24 bits, down", SVMC_EXEC_VEC_X87_DIV, 8, 0x47f, 0x3fff, 0x8000000000000000,
          0x4008000000000000, 0x3ffd, 0xaaaaaa0000000000, 0x020 },
        { "3 over 1", SVMC_EXEC_VEC_X87_INT_DIVR, 2, 0x37f, 0x3fff, 0x8000000000000000, 3, 0x4000,
          0xc000000000000000, 0 },
        { "1 - -7", SVMC_EXEC_VEC_X87_INT_SUB, 4, 0x37f, 0x3fff, 0x8000000000000000, 0xfffffff9,
          0x4002, 0x8000000000000000, 0 },
        { "-7 - 1", SVMC_EXEC_VEC_X87_INT_SUBR, 2, 0x37f, 0x3fff, 0x8000000000000000, 0xfff9,
          0xc002, 0x8000000000000000, 0 },
        { "1 / 0", SVMC_EXEC_VEC_X87_DIV, 4, 0x37f, 0x3fff, 0x8000000000000000, 0, 0x7fff,
          0x8000000000000000, 4 },
        { "1 / 0, not masked", SVMC_EXEC_VEC_X87_DIV, 4, 0x37b, 0x3fff, 0x8000000000000000, 0,
          0x3fff, 0x8000000000000000, 0x8084 },
        { "overflow, not masked", SVMC_EXEC_VEC_X87_MUL, 4, 0x377, 0x7ffe, 0x8000000000000000,
          0x40000000, 0x1fff, 0x8000000000000000, 0x8088 },
        { "1 and 2", SVMC_EXEC_VEC_X87_COM, 8, 0x37f, 0x3fff, 0x8000000000000000,
          0x4000000000000000, 0x3fff, 0x8000000000000000, 0x100 },
        { "1 and 1", SVMC_EXEC_VEC_X87_INT_COM, 2, 0x37f, 0x3fff, 0x8000000000000000, 1, 0x3fff,
          0x8000000000000000, 0x4000 },
        { "a NaN", SVMC_EXEC_VEC_X87_INT_MUL, 4, 0x37f, 0x7fff, 0x8000000000000001, 1, 0x7fff,
          0xc000000000000001, 1 },
    };
    uint16_t control = 0, top;
    uint64_t mantissa;

    CHECK_EQ(svmc_x86vec_open(&host), SVMC_OK);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct x87_row *r = &rows[i];

        op = (struct svmc_exec_vec_op){ .operation = r->operation, .bytes = r->bytes };
        op.mxcsr = r->control;
        memcpy(op.a, &r->a, 8);
        memcpy(op.a + 8, &r->a_top, 2);
        memcpy(op.b, &r->b, 8);
        CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_OK, "%s", r->name);
        memcpy(&mantissa, op.out, 8);
        memcpy(&top, op.out + 8, 2);
        CHECK_EQ(mantissa, r->mantissa, "%s", r->name);
        CHECK_EQ(top, r->top, "%s", r->name);
        CHECK_EQ(op.mxcsr >> 16 & ~0x3800u, r->status, "%s", r->name);
    }
    __asm__ volatile("fnstcw %0" : "=m"(control));
    CHECK_EQ(control, 0x37f); /* the host's is as it was */
    op.operation = SVMC_EXEC_VEC_X87_ADD;
    op.bytes = 2;
    CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_ERR_UNSUPPORTED);
    op.operation = 771;
    op.bytes = 4;
    CHECK_EQ(svmc_x86vec_execute(&host, &op), SVMC_ERR_UNSUPPORTED);
}
