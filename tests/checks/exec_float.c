/* SPDX-License-Identifier: MIT */
#include "exec_float.h"

#include <string.h>

#include "../harness.h"
#ifdef __x86_64__
#include <svmcore/port/x86vec.h>
#endif

bool exec_float_is(const struct svmc_insn *insn)
{
#define OP(id, shape, op, element, who) [SVMC_X86_##id] = true,
    static const bool is[2048] = {
#include "../../src/exec/x86_float.def"
    };
#undef OP
    return is[insn->id & 2047];
}

static uint64_t bits(uint64_t *seed, unsigned n)
{
    return harness_random(seed) >> (64 - n);
}

/* What rounds, overflows, vanishes, cancels; ends of integers and of the other formats. */
static uint64_t number(uint64_t *seed, unsigned width)
{
    const unsigned fraction = width == 64 ? 52 : width == 32 ? 23 : 10;
    const unsigned exponents = width - 1 - fraction;
    const uint64_t top = ((uint64_t)1 << exponents) - 1, bias = top >> 1;
    static const int16_t marks[16] = { 0,  1,  23,  24,  31, 32,   52,   53,
                                       63, 64, -14, -24, 15, -126, -149, 127 };
    uint64_t low = bits(seed, fraction), exponent = bits(seed, exponents);

    switch (bits(seed, 3)) {
    case 0:
        low = 0;
        break;
    case 1:
        low = ((uint64_t)1 << fraction) - 1;
        break;
    case 2:
        low = (uint64_t)1 << bits(seed, 6) % fraction;
        break;
    case 3:
        low &= ~(uint64_t)0 << bits(seed, 6) % fraction;
        break;
    default:
        break;
    }
    switch (bits(seed, 3)) {
    case 0:
        exponent = bits(seed, 1) ? 0 : top;
        break;
    case 1:
        exponent = bits(seed, 1) ? 1 + bits(seed, 2) : top - 1 - bits(seed, 2);
        break;
    case 2:
    case 3:
        exponent = bias + (uint64_t)(int64_t)marks[bits(seed, 4)] + bits(seed, 2) - 1;
        break;
    case 4:
        exponent = bias + bits(seed, 3);
        break;
    default:
        break;
    }
    return bits(seed, 1) << (width - 1) | (exponent & top) << fraction | low;
}

void exec_float_draw(uint64_t *seed, uint8_t *at, unsigned n)
{
    static const uint8_t widths[8] = { 32, 32, 32, 64, 64, 64, 16, 1 };
    const unsigned width = widths[bits(seed, 3)], again = (unsigned)bits(seed, 3);

    for (unsigned i = 0; i < n; i += 8) {
        uint64_t v = width == 1 ? (uint64_t)(int64_t)(harness_random(seed)) >> bits(seed, 6) : 0;

        for (unsigned k = 0; k < 64 && width != 1; k += width)
            v |= number(seed, width) << k;
        if (again == 0) /* what is equal, and what is opposite */
            v = 0x3f8000003f800000 | (bits(seed, 1) << 63);
        memcpy(at + i, &v, 8);
    }
}

uint32_t exec_float_draw_mxcsr(uint64_t *seed)
{
    uint32_t v = (uint32_t)bits(seed, 16);

    if (bits(seed, 1))
        v |= 0x1f80;
    if (bits(seed, 1))
        v &= ~0x8040u;
    return v;
}

enum svmc_status exec_float_op(void *ctx, struct svmc_exec_vec_op *op)
{
    (void)ctx;
#ifdef __x86_64__
    static struct svmc_x86vec host;
    enum svmc_status st = SVMC_OK;

    if (host.priv.open == 0)
        st = svmc_x86vec_open(&host);
    return st == SVMC_OK ? svmc_x86vec_execute(&host, op) : st;
#else
    (void)op;
    return SVMC_ERR_UNSUPPORTED;
#endif
}
