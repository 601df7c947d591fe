/* SPDX-License-Identifier: MIT */
/* x86: numbers by integers (XE-63). Nothing here is an instruction. Rules: docs/spec/exec.md. */
#include "x86_number.h"

enum number_kind { IS_ZERO, IS_DENORMAL, IS_NORMAL, IS_INFINITE, IS_QUIET, IS_SIGNALING };

/* A number in its parts: significand times 2 to the power exponent - 63. */
struct number {
    uint64_t significand; /* its highest bit is set; of a NaN: the fraction, at the top */
    int32_t exponent;
    uint8_t kind;
    bool negative;
};

static inline unsigned number_fraction_bits(unsigned bytes)
{
    return bytes == 8 ? 52 : bytes == 4 ? 23 : 10;
}

/* Of the exponent, which is also the exponent of the greatest number. */
static inline int32_t number_bias_of(unsigned bytes)
{
    return bytes == 8 ? 1023 : bytes == 4 ? 127 : 15;
}

static inline uint64_t number_sign_of(bool negative, unsigned bytes)
{
    return (uint64_t)negative << (8 * bytes - 1);
}

static inline uint64_t number_infinity(unsigned bytes)
{
    return (2 * (uint64_t)number_bias_of(bytes) + 1) << number_fraction_bits(bytes);
}

static struct number number_take_apart(uint64_t value, unsigned bytes)
{
    const unsigned fraction = number_fraction_bits(bytes);
    uint64_t low = value & (((uint64_t)1 << fraction) - 1);
    int32_t exponent =
        (int32_t)((value & ~number_sign_of(true, bytes) & core_mask(bytes)) >> fraction);
    struct number n = { .significand = low << (63 - fraction),
                        .exponent = exponent - number_bias_of(bytes),
                        .negative = (value >> (8 * bytes - 1) & 1) != 0 };

    if (exponent == 2 * number_bias_of(bytes) + 1) {
        n.kind = low == 0                           ? IS_INFINITE
                 : (low >> (fraction - 1) & 1) != 0 ? IS_QUIET
                                                    : IS_SIGNALING;
    } else if (exponent != 0) {
        n.kind = IS_NORMAL;
        n.significand |= NUMBER_TOP;
    } else if (low != 0) {
        n.kind = IS_DENORMAL;
        n.exponent++;
        n.significand = x86_normalize(n.significand, &n.exponent);
    }
    return n;
}

/* A denormal counts as zero with DAZ. */
static struct number number_take(const struct x86_float *f, uint64_t value, unsigned bytes)
{
    struct number n = number_take_apart(value, bytes);

    if (n.kind == IS_DENORMAL && (f->mxcsr & MXCSR_DAZ) && bytes != 2)
        n.kind = IS_ZERO;
    return n;
}

/* *significand without its `drop` low bits; whether it is another number then. */
static bool number_round_off(uint64_t *significand, int32_t drop, unsigned rounding, bool negative)
{
    uint64_t rest = x86_cut_off(significand, (unsigned)drop);

    *significand += x86_rounds_up(rounding, negative, rest, *significand & 1);
    return rest != 0;
}

/* SDM vol. 1 4.9.1.4: infinity, or the greatest number. */
static uint64_t number_overflow(struct x86_float *f, const struct number *n, unsigned bytes,
                                bool inexact)
{
    bool stays = f->rounding == ROUND_TO_ZERO || (f->rounding == ROUND_DOWN && !n->negative) ||
                 (f->rounding == ROUND_UP && n->negative);

    f->raised |= MXCSR_OE;
    if (inexact || !x86_is_unmasked(f->mxcsr, MXCSR_OE))
        f->raised |= MXCSR_PE;
    return number_sign_of(n->negative, bytes) | (number_infinity(bytes) - stays);
}

/* SDM vol. 1 4.9.1.5, 10.2.3.3: tiny is what would be so if its exponent had no limit. */
static uint64_t number_underflow(struct x86_float *f, const struct number *n, unsigned bytes,
                                 bool inexact)
{
    uint64_t kept = n->significand;
    const int32_t drop =
        64 - (int32_t)number_fraction_bits(bytes) - n->exponent - number_bias_of(bytes);
    const bool hears = x86_is_unmasked(f->mxcsr, MXCSR_UE);
    bool lost;

    if (!hears && (f->mxcsr & MXCSR_FTZ) && bytes != 2) {
        f->raised |= MXCSR_UE | MXCSR_PE;
        return number_sign_of(n->negative, bytes);
    }
    lost = number_round_off(&kept, drop, f->rounding, n->negative);
    if (hears) /* then an exact one is news, too */
        f->raised |= MXCSR_UE | (inexact ? MXCSR_PE : 0);
    else if (lost)
        f->raised |= MXCSR_UE | MXCSR_PE;
    return number_sign_of(n->negative, bytes) |
           kept; /* the smallest normal number follows the rest */
}

/* What is neither zero, infinite nor NaN. */
static uint64_t number_put_together(struct x86_float *f, const struct number *n, unsigned bytes)
{
    const unsigned fraction = number_fraction_bits(bytes);
    uint64_t kept = n->significand;
    int32_t exponent = n->exponent;
    bool inexact = number_round_off(&kept, (int32_t)(63 - fraction), f->rounding, n->negative);

    if (kept >> (fraction + 1) != 0)
        exponent++; /* what was kept is 0 below its highest bit */
    if (exponent < 1 - number_bias_of(bytes))
        return number_underflow(f, n, bytes, inexact);
    if (exponent > number_bias_of(bytes))
        return number_overflow(f, n, bytes, inexact);
    if (inexact)
        f->raised |= MXCSR_PE;
    return number_sign_of(n->negative, bytes) |
           (uint64_t)(exponent + number_bias_of(bytes)) << fraction |
           (kept & (((uint64_t)1 << fraction) - 1));
}

/* Of a NaN its sign and the upper bits; it is quiet from now on. */
static uint64_t number_keep_nan(struct x86_float *f, const struct number *n, unsigned bytes)
{
    const unsigned fraction = number_fraction_bits(bytes);

    if (n->kind == IS_SIGNALING)
        f->raised |= MXCSR_IE;
    return number_sign_of(n->negative, bytes) | number_infinity(bytes) |
           (uint64_t)1 << (fraction - 1) | n->significand >> (63 - fraction);
}

uint64_t svmc_exec_x86_resize(struct x86_float *f, uint64_t value, unsigned from, unsigned to)
{
    struct number n = number_take(f, value, from);

    if (n.kind >= IS_QUIET)
        return number_keep_nan(f, &n, to);
    if (n.kind == IS_ZERO || n.kind == IS_INFINITE)
        return number_sign_of(n.negative, to) | (n.kind == IS_ZERO ? 0 : number_infinity(to));
    if (n.kind == IS_DENORMAL && from != 2) /* to 2 bytes: far below all that they have */
        f->raised |= MXCSR_DE | (to == 2 ? MXCSR_PE : 0);
    return number_put_together(f, &n, to);
}

uint64_t svmc_exec_x86_from_integer(struct x86_float *f, uint64_t value, bool is_signed,
                                    unsigned bytes)
{
    struct number n = { .exponent = 63, .kind = IS_NORMAL };

    if (value == 0)
        return 0;
    n.negative = is_signed && (value & NUMBER_TOP) != 0;
    n.significand = x86_normalize(n.negative ? 0 - value : value, &n.exponent);
    return number_put_together(f, &n, bytes);
}

uint64_t svmc_exec_x86_to_integer(struct x86_float *f, uint64_t value, unsigned bytes,
                                  unsigned bits, bool is_signed)
{
    struct number n = number_take(f, value, bytes);
    uint64_t limit = core_mask(bits / 8), kept = n.significand;
    bool inexact = false, fits = false;

    if (n.kind == IS_ZERO)
        return 0;
    if (n.kind < IS_INFINITE && n.exponent < 64) {
        inexact = number_round_off(&kept, 63 - n.exponent, f->rounding, n.negative);
        limit = is_signed ? limit >> 1 : limit;
        fits = kept <= (n.negative ? (is_signed ? limit + 1 : 0) : limit);
    }
    if (!fits) { /* the integer indefinite (SDM vol. 1 4.2.2) */
        f->raised |= MXCSR_IE;
        return is_signed ? (uint64_t)1 << (bits - 1) : core_mask(bits / 8);
    }
    if (inexact)
        f->raised |= MXCSR_PE;
    return (n.negative ? 0 - kept : kept) & core_mask(bits / 8);
}

uint64_t svmc_exec_x86_round(struct x86_float *f, uint64_t value, unsigned bytes, unsigned scale,
                             bool quiet)
{
    struct number n = number_take(f, value, bytes);
    int32_t drop = 63 - n.exponent - (int32_t)scale;

    if (n.kind >= IS_QUIET)
        return number_keep_nan(f, &n, bytes);
    if (n.kind == IS_ZERO)
        return number_sign_of(n.negative, bytes);
    if (n.kind == IS_INFINITE || drop <= (int32_t)(63 - number_fraction_bits(bytes)))
        return value;
    if (number_round_off(&n.significand, drop, f->rounding, n.negative) && !quiet)
        f->raised |= MXCSR_PE;
    if (n.significand == 0)
        return number_sign_of(n.negative, bytes);
    n.exponent = 63 - (int32_t)scale;
    n.significand = x86_normalize(n.significand, &n.exponent);
    return number_put_together(f, &n, bytes); /* it has no more bits than before */
}

/* Both as they count; false: one is a NaN. */
static bool number_take_both(struct x86_float *f, uint64_t value[2], unsigned bytes, bool signaling)
{
    struct number a = number_take(f, value[0], bytes), b = number_take(f, value[1], bytes);

    if (a.kind == IS_ZERO)
        value[0] = number_sign_of(a.negative, bytes);
    if (b.kind == IS_ZERO)
        value[1] = number_sign_of(b.negative, bytes);
    if (a.kind >= IS_QUIET || b.kind >= IS_QUIET) {
        if (signaling || a.kind == IS_SIGNALING || b.kind == IS_SIGNALING)
            f->raised |= MXCSR_IE;
        return false;
    }
    if (a.kind == IS_DENORMAL || b.kind == IS_DENORMAL)
        f->raised |= MXCSR_DE;
    return true;
}

/* Numbers in the order of their values; both zeros are the same one. */
static uint64_t number_rank(uint64_t value, unsigned bytes)
{
    const uint64_t sign = number_sign_of(true, bytes);

    value &= core_mask(bytes);
    return (value & sign) != 0 ? 2 * sign - value : sign + value;
}

static enum x86_order number_order_of(uint64_t a, uint64_t b, unsigned bytes)
{
    a = number_rank(a, bytes);
    b = number_rank(b, bytes);
    return a < b ? ORDER_LESS : a > b ? ORDER_GREATER : ORDER_EQUAL;
}

enum x86_order svmc_exec_x86_order(struct x86_float *f, uint64_t a, uint64_t b, unsigned bytes,
                                   bool signaling)
{
    uint64_t value[2] = { a, b };

    return number_take_both(f, value, bytes, signaling) ? number_order_of(value[0], value[1], bytes)
                                                        : ORDER_NONE;
}

uint64_t svmc_exec_x86_pick(struct x86_float *f, uint64_t a, uint64_t b, unsigned bytes,
                            bool greater)
{
    uint64_t value[2] = { a, b };
    const enum x86_order first = greater ? ORDER_GREATER : ORDER_LESS;

    return number_take_both(f, value, bytes, true) &&
                   number_order_of(value[0], value[1], bytes) == first
               ? value[0]
               : value[1];
}

bool svmc_exec_x86_predicate(struct x86_float *f, uint64_t a, uint64_t b, unsigned bytes,
                             unsigned predicate)
{
    /* four bits each, of enum x86_order: EQ LT LE UNORD NEQ NLT NLE ORD, then the same but for what
       they say of a NaN: EQ NGE NGT FALSE NEQ GE GT TRUE */
    const uint64_t holds = 0xf4650b9a7ced8312;

    return (holds >> 4 * (predicate & 15) &
            svmc_exec_x86_order(f, a, b, bytes,
                                ((predicate + 1) >> 1 & 1) != (predicate >> 4 & 1))) != 0;
}

int32_t svmc_exec_x86_exponent(const struct x86_float *f, uint64_t value, unsigned bytes)
{
    struct number n = number_take(f, value, bytes);

    return n.kind == IS_ZERO ? 0 : n.exponent;
}

uint64_t svmc_exec_x86_scale(const struct x86_float *f, uint64_t value, unsigned bytes,
                             int32_t exponent)
{
    const unsigned fraction = number_fraction_bits(bytes);
    struct number n = number_take(f, value, bytes);

    if (n.kind == IS_ZERO)
        return number_sign_of(n.negative, bytes);
    return number_sign_of(n.negative, bytes) |
           (uint64_t)(exponent + number_bias_of(bytes)) << fraction |
           (n.significand << 1 >> (64 - fraction));
}
