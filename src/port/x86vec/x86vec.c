/* SPDX-License-Identifier: MIT */
/*
 * Operations of the executor by this processor. Each is one block of assembly from the load of the
 * guest's MXCSR to that of the host's, so that no code of the compiler runs with the guest's.
 * XE-60, docs/spec/exec.md.
 */
#include <cpuid.h>
#include <stddef.h>
#include <svmcore/port/x86vec.h>
#include "../../core/clamp.h"
#include "x87.h"

/* What a width needs. */
enum { HAS_SSE2 = 1, HAS_AVX = 2, HAS_FMA = 4, HAS_AVX512F = 8 };

#define OPEN 0x78766563u

#define MXCSR_FLAGS  0x3fu
#define MXCSR_MASKED 0x1f80u /* all exceptions */
#define MXCSR_TAKEN  0xe040u /* FTZ, rounding, DAZ: of the guest's */

/* CPUID leaf 1 ECX, EDX; leaf 7 EBX; XCR0 (SDM vol. 2 CPUID, vol. 1 13.3) */
#define LEAF_1_FMA     (1u << 12)
#define LEAF_1_OSXSAVE (1u << 27)
#define LEAF_1_AVX     (1u << 28)
#define LEAF_1_SSE2    (1u << 26)
#define LEAF_7_AVX512F (1u << 16)
#define XCR0_YMM       0x6u
#define XCR0_ZMM       0xe6u

struct context {
    uint32_t host, guest;
};
typedef void operation(struct svmc_exec_vec_op *op, struct context *mxcsr);

/* The registers 0, 1, 2 have a, b, c; the result is in 0. move: of a whole register; end: clean. */
#define BODY(name, move, r, text, end)                                                           \
    static void name(struct svmc_exec_vec_op *op, struct context *mxcsr)                         \
    {                                                                                            \
        __asm__ volatile("stmxcsr %1\n\t"                                                        \
                         "ldmxcsr %2\n\t" move " %3, %%" r "0\n\t" move " %4, %%" r "1\n\t" move \
                         " %5, %%" r "2\n\t" text "\n\t" move " %%" r "0, %0\n\t"                \
                         "stmxcsr %2\n\t"                                                        \
                         "ldmxcsr %1\n\t" end                                                    \
                         : "=m"(op->out), "=m"(mxcsr->host), "+m"(mxcsr->guest)                  \
                         : "m"(op->a), "m"(op->b), "m"(op->c)                                    \
                         : "xmm0", "xmm1", "xmm2");                                              \
    }

/* One element of 4 or 8 bytes, then 16, 32 and 64 bytes. */
#define ALL(name, one, sse, avx, avx512)                 \
    BODY(name##_one, "movups", "xmm", one, "")           \
    BODY(name##_16, "movups", "xmm", sse, "")            \
    BODY(name##_32, "vmovups", "ymm", avx, "vzeroupper") \
    BODY(name##_64, "vmovups", "zmm", avx512, "vzeroupper")

#define TWO(name, insn, s, p)                                     \
    ALL(name, insn s " %%xmm1, %%xmm0", insn p " %%xmm1, %%xmm0", \
        "v" insn p " %%ymm1, %%ymm0, %%ymm0", "v" insn p " %%zmm1, %%zmm0, %%zmm0")
#define ONE(name, insn, s, p)                                                                   \
    ALL(name, insn s " %%xmm0, %%xmm0", insn p " %%xmm0, %%xmm0", "v" insn p " %%ymm0, %%ymm0", \
        "v" insn p " %%zmm0, %%zmm0")
/* without AVX-512 */
#define OLD(name, insn, s, p)                                       \
    BODY(name##_one, "movups", "xmm", insn s " %%xmm0, %%xmm0", "") \
    BODY(name##_16, "movups", "xmm", insn p " %%xmm0, %%xmm0", "")  \
    BODY(name##_32, "vmovups", "ymm", "v" insn p " %%ymm0, %%ymm0", "vzeroupper")
/* 213: the second operand times the first, and the third: a times b and c, the result to 1 */
#define FMA_TEXT(insn, r) insn " %%" r "2, %%" r "0, %%" r "1\n\tvmovaps %%" r "1, %%" r "0"
#define FUSED(name, insn, s, p)                                             \
    ALL(name, FMA_TEXT(insn "213" s, "xmm"), FMA_TEXT(insn "213" p, "xmm"), \
        FMA_TEXT(insn "213" p, "ymm"), FMA_TEXT(insn "213" p, "zmm"))

TWO(add_s, "add", "ss", "ps")
TWO(add_d, "add", "sd", "pd")
TWO(sub_s, "sub", "ss", "ps")
TWO(sub_d, "sub", "sd", "pd")
TWO(mul_s, "mul", "ss", "ps")
TWO(mul_d, "mul", "sd", "pd")
TWO(div_s, "div", "ss", "ps")
TWO(div_d, "div", "sd", "pd")
ONE(sqrt_s, "sqrt", "ss", "ps")
ONE(sqrt_d, "sqrt", "sd", "pd")
OLD(rcp_s, "rcp", "ss", "ps")
OLD(rsqrt_s, "rsqrt", "ss", "ps")
FUSED(madd_s, "vfmadd", "ss", "ps")
FUSED(madd_d, "vfmadd", "sd", "pd")
FUSED(msub_s, "vfmsub", "ss", "ps")
FUSED(msub_d, "vfmsub", "sd", "pd")
FUSED(nmadd_s, "vfnmadd", "ss", "ps")
FUSED(nmadd_d, "vfnmadd", "sd", "pd")
FUSED(nmsub_s, "vfnmsub", "ss", "ps")
FUSED(nmsub_d, "vfnmsub", "sd", "pd")

/* XE-62: an operation, the width of its elements, and what each of its widths needs. */
#define WIDTHS 4u
struct row {
    uint8_t element, needs[WIDTHS];
    operation *run[WIDTHS];
};
#define SSE                                      \
    {                                            \
        HAS_SSE2, HAS_SSE2, HAS_AVX, HAS_AVX512F \
    }
#define FMA                                    \
    {                                          \
        HAS_FMA, HAS_FMA, HAS_FMA, HAS_AVX512F \
    }
#define ROW(id, name, bytes, what) \
    [SVMC_EXEC_VEC_##id] = { bytes, what, { name##_one, name##_16, name##_32, name##_64 } }
static const struct row rows[] = {
    ROW(ADD_S, add_s, 4, SSE),
    ROW(ADD_D, add_d, 8, SSE),
    ROW(SUB_S, sub_s, 4, SSE),
    ROW(SUB_D, sub_d, 8, SSE),
    ROW(MUL_S, mul_s, 4, SSE),
    ROW(MUL_D, mul_d, 8, SSE),
    ROW(DIV_S, div_s, 4, SSE),
    ROW(DIV_D, div_d, 8, SSE),
    ROW(SQRT_S, sqrt_s, 4, SSE),
    ROW(SQRT_D, sqrt_d, 8, SSE),
    ROW(MADD_S, madd_s, 4, FMA),
    ROW(MADD_D, madd_d, 8, FMA),
    ROW(MSUB_S, msub_s, 4, FMA),
    ROW(MSUB_D, msub_d, 8, FMA),
    ROW(NMADD_S, nmadd_s, 4, FMA),
    ROW(NMADD_D, nmadd_d, 8, FMA),
    ROW(NMSUB_S, nmsub_s, 4, FMA),
    ROW(NMSUB_D, nmsub_d, 8, FMA),
    [SVMC_EXEC_VEC_RCP_S] = { 4, SSE, { rcp_s_one, rcp_s_16, rcp_s_32, NULL } },
    [SVMC_EXEC_VEC_RSQRT_S] = { 4, SSE, { rsqrt_s_one, rsqrt_s_16, rsqrt_s_32, NULL } },
};
#define ROWS (sizeof rows / sizeof rows[0])

static uint64_t read_xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

enum svmc_status svmc_x86vec_open(struct svmc_x86vec *v)
{
    unsigned a, b, c = 0, d = 0, b7 = 0, c7, d7;
    uint64_t xcr0 = 0;

    if (v == NULL)
        return SVMC_ERR_ARG;
    *v = (struct svmc_x86vec){ 0 };
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(d & LEAF_1_SSE2))
        return SVMC_ERR_UNSUPPORTED;
    v->priv.has = HAS_SSE2;
    if (c & LEAF_1_OSXSAVE)
        xcr0 = read_xcr0();
    if ((c & LEAF_1_AVX) && (xcr0 & XCR0_YMM) == XCR0_YMM) {
        v->priv.has |= HAS_AVX | ((c & LEAF_1_FMA) ? HAS_FMA : 0);
        if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) && (b7 & LEAF_7_AVX512F) &&
            (xcr0 & XCR0_ZMM) == XCR0_ZMM)
            v->priv.has |= HAS_AVX512F;
    }
    v->priv.open = OPEN;
    return SVMC_OK;
}

/* Which of a row's widths; WIDTHS: none. */
static unsigned width_of(const struct row *row, unsigned bytes)
{
    if (bytes == row->element)
        return 0;
    return bytes == 16 ? 1 : bytes == 32 ? 2 : bytes == 64 ? 3 : WIDTHS;
}

enum svmc_status svmc_x86vec_execute(const struct svmc_x86vec *v, struct svmc_exec_vec_op *op)
{
    struct context mxcsr;
    const struct row *row;
    unsigned width;

    if (v == NULL || op == NULL || v->priv.open != OPEN)
        return SVMC_ERR_ARG;
    if (op->operation >= SVMC_EXEC_VEC_X87_ADD)
        return svmc_x86vec_x87(op);
    if (op->operation >= ROWS)
        return SVMC_ERR_UNSUPPORTED;
    row = &rows[core_clamp(op->operation, ROWS)];
    width = width_of(row, op->bytes);
    if (width == WIDTHS)
        return SVMC_ERR_UNSUPPORTED;
    width = core_clamp(width, WIDTHS);
    if (row->run[width] == NULL || (v->priv.has & row->needs[width]) == 0)
        return SVMC_ERR_UNSUPPORTED;
    mxcsr.guest = (op->mxcsr & MXCSR_TAKEN) | MXCSR_MASKED;
    row->run[width](op, &mxcsr);
    op->mxcsr |= mxcsr.guest & MXCSR_FLAGS;
    return SVMC_OK;
}
