/* SPDX-License-Identifier: MIT */
/* x87: the formats of its numbers, each from and to 80 bits. Rules XE-n: docs/spec/exec.md. */
#include "x86_fpu.h"
#include "x86_number.h"

#define REAL_LEADING  NUMBER_TOP /* the integer bit */
#define REAL_QUIET    ((uint64_t)1 << 62)
#define REAL_BIAS     16383
#define REAL_DECIMALS 1000000000000000000u /* what 18 digits do not hold */

enum real_kind {
    REAL_ZERO,
    REAL_FINITE,
    REAL_INFINITE,
    REAL_QUIET_NAN,
    REAL_SIGNALING_NAN,
    REAL_UNSUPPORTED
};

/* SDM vol. 1 tables 4-3, 8-3: what the 80387 and later do not know is an invalid operand. */
static enum real_kind real_kind_of(struct fpu_real v)
{
    unsigned exponent = v.top & FPU_MAX;

    if (exponent == 0)
        return v.mantissa == 0 ? REAL_ZERO : REAL_FINITE;
    if (!(v.mantissa & REAL_LEADING))
        return REAL_UNSUPPORTED;
    if (exponent != FPU_MAX)
        return REAL_FINITE;
    if (v.mantissa == REAL_LEADING)
        return REAL_INFINITE;
    return v.mantissa & REAL_QUIET ? REAL_QUIET_NAN : REAL_SIGNALING_NAN;
}

static bool real_is_negative(struct fpu_real v)
{
    return (v.top & FPU_SIGN) != 0;
}

/* Bits 11:10 of the control word: enum x86_rounding. */
static unsigned real_rounding(unsigned control)
{
    return control >> 10 & 3;
}

static uint64_t real_shift(uint64_t mantissa, unsigned by, bool negative, unsigned control,
                           unsigned *raised)
{
    uint64_t rest = x86_cut_off(&mantissa, by);
    bool up = x86_rounds_up(real_rounding(control), negative, rest, mantissa & 1);

    if (rest != 0)
        *raised |= FPU_PE | (up ? FPU_C1 : 0);
    return mantissa + up;
}

struct fpu_real svmc_exec_x87_widen(uint64_t value, unsigned bytes, unsigned *raised)
{
    unsigned digits = bytes == 4 ? 24 : 53, max = bytes == 4 ? 0xff : 0x7ff;
    unsigned sign = value >> (8 * bytes - 1) & 1 ? FPU_SIGN : 0;
    uint64_t mantissa = value << (64 - digits) & (REAL_LEADING - 1);
    int32_t exponent = (int32_t)(value >> (digits - 1) & max);

    if (exponent == (int)max) {
        if (mantissa != 0 && !(mantissa & REAL_QUIET))
            *raised |= FPU_IE;
        return (struct fpu_real){ REAL_LEADING | mantissa | (mantissa != 0 ? REAL_QUIET : 0),
                                  (uint16_t)(sign | FPU_MAX) };
    }
    if (exponent != 0) {
        mantissa |= REAL_LEADING;
    } else if (mantissa == 0) {
        return (struct fpu_real){ 0, (uint16_t)sign };
    } else {
        *raised |= FPU_DE;
        exponent = 1;
        mantissa = x86_normalize(mantissa, &exponent);
    }
    exponent += REAL_BIAS - (int)(max >> 1);
    return (struct fpu_real){ mantissa, (uint16_t)(sign | (unsigned)exponent) };
}

struct fpu_real svmc_exec_x87_from_integer(int64_t value)
{
    uint64_t mantissa = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int32_t exponent = REAL_BIAS + 63;

    if (value == 0)
        return (struct fpu_real){ 0, 0 };
    mantissa = x86_normalize(mantissa, &exponent);
    return (struct fpu_real){ mantissa,
                              (uint16_t)((value < 0 ? FPU_SIGN : 0) | (unsigned)exponent) };
}

struct fpu_real svmc_exec_x87_from_decimal(const uint8_t digits[10])
{
    uint64_t value = 0;
    struct fpu_real v;

    for (unsigned i = 9; i > 0; i--)
        value = value * 100 + (digits[i - 1] >> 4) * 10u + (digits[i - 1] & 15u);
    v = svmc_exec_x87_from_integer((int64_t)value);
    v.top |= (uint16_t)((digits[9] & 0x80u) << 8);
    return v;
}

/* SDM vol. 1 8.5.4: infinity, or the largest number; `large` has all ones in the exponent. */
static uint64_t real_overflow(uint64_t large, bool negative, unsigned control, unsigned *raised)
{
    bool up = x86_rounds_up(real_rounding(control), negative, ~(uint64_t)0, false);

    *raised |= FPU_OE;
    if (control & FPU_OE)
        *raised |= FPU_PE | (up ? FPU_C1 : 0);
    return large - !up;
}

/* SDM vol. 1 8.5.5: tiny is what is after rounding, as if the exponent had no limit. */
static uint64_t real_round_finite(struct fpu_real v, unsigned digits, unsigned max,
                                  unsigned control, unsigned *raised)
{
    int32_t exponent = v.top & FPU_MAX ? v.top & FPU_MAX : 1;
    uint64_t mantissa = v.mantissa, rounded;
    unsigned flags = 0, by;
    int after;

    mantissa = x86_normalize(mantissa, &exponent);
    exponent += (int)(max >> 1) - REAL_BIAS;
    rounded = real_shift(mantissa, 64 - digits, real_is_negative(v), control, &flags);
    after = exponent;
    if (rounded >> digits) {
        rounded >>= 1;
        after++;
    }
    if (after >= (int)max)
        return real_overflow((uint64_t)max << (digits - 1), real_is_negative(v), control, raised);
    if (after <= 0) {
        flags = 0;
        by = 64 - digits + (unsigned)(1 - exponent);
        rounded = real_shift(mantissa, by, real_is_negative(v), control, &flags);
        if (!(control & FPU_UE))
            flags = FPU_UE; /* whatever it would have been rounded to is not stored */
        *raised |= flags | (flags & FPU_PE ? FPU_UE : 0);
        return rounded;
    }
    *raised |= flags;
    return (uint64_t)after << (digits - 1) | (rounded & (((uint64_t)1 << (digits - 1)) - 1));
}

uint64_t svmc_exec_x87_narrow(struct fpu_real v, unsigned bytes, unsigned control, unsigned *raised)
{
    unsigned digits = bytes == 4 ? 24 : 53, max = bytes == 4 ? 0xff : 0x7ff;
    uint64_t large = (uint64_t)max << (digits - 1), sign = (uint64_t)1 << (8 * bytes - 1), out;

    switch (real_kind_of(v)) {
    case REAL_ZERO:
        out = 0;
        break;
    case REAL_FINITE:
        out = real_round_finite(v, digits, max, control, raised);
        break;
    case REAL_INFINITE:
        out = large;
        break;
    case REAL_QUIET_NAN:
    case REAL_SIGNALING_NAN:
        *raised |= v.mantissa & REAL_QUIET ? 0 : FPU_IE;
        out = large | ((v.mantissa | REAL_QUIET) & (REAL_LEADING - 1)) >> (64 - digits);
        break;
    default:
        *raised |= FPU_IE;
        return sign | large | (uint64_t)1 << (digits - 2);
    }
    return real_is_negative(v) ? sign | out : out;
}

/* The magnitude of v as an integer of no more than `limit`; false: there is none. */
static bool real_round_integer(struct fpu_real v, unsigned control, uint64_t limit, uint64_t *out,
                               unsigned *raised)
{
    enum real_kind kind = real_kind_of(v);
    unsigned exponent = v.top & FPU_MAX ? v.top & FPU_MAX : 1, flags = 0, by;

    *out = 0;
    if (kind == REAL_ZERO)
        return true;
    if (kind != REAL_FINITE || exponent > REAL_BIAS + 63)
        return false;
    by = REAL_BIAS + 63 - exponent;
    *out = real_shift(v.mantissa, by < 65 ? by : 65, real_is_negative(v), control, &flags);
    if (*out > limit)
        return false;
    *raised |= flags;
    return true;
}

uint64_t svmc_exec_x87_to_integer(struct fpu_real v, unsigned bytes, unsigned control,
                                  bool truncate, unsigned *raised)
{
    uint64_t least = (uint64_t)1 << (8 * bytes - 1), out;

    if (!real_round_integer(v, truncate ? 0xc00 : control, real_is_negative(v) ? least : least - 1,
                            &out, raised)) {
        *raised |= FPU_IE;
        return least; /* integer indefinite */
    }
    return real_is_negative(v) ? 0 - out : out;
}

void svmc_exec_x87_to_decimal(struct fpu_real v, unsigned control, uint8_t digits[10],
                              unsigned *raised)
{
    uint64_t value;

    if (!real_round_integer(v, control, REAL_DECIMALS - 1, &value, raised)) {
        *raised |= FPU_IE;
        core_store_le64(digits, 0xc000000000000000); /* decimal indefinite: SDM vol. 1 table 4-4 */
        core_store_le16(digits + 8, 0xffff);
        return;
    }
    for (unsigned i = 0; i < 9; i++) {
        digits[i] = (uint8_t)(value % 10 | value / 10 % 10 << 4);
        value /= 100;
    }
    digits[9] = real_is_negative(v) ? 0x80 : 0;
}

/* SDM vol. 1 8.1.7: valid, zero, special. */
unsigned svmc_exec_x87_tag_of(struct fpu_real v)
{
    unsigned exponent = v.top & FPU_MAX;

    if (exponent == 0 && v.mantissa == 0)
        return 1;
    return exponent == 0 || exponent == FPU_MAX || !(v.mantissa & REAL_LEADING) ? 2 : 0;
}
