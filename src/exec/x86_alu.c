/* SPDX-License-Identifier: MIT */
/* x86: integer arithmetic and its flags, of any width. XE-18: docs/spec/exec.md. */
#include "x86_private.h"

static inline uint64_t mask_of(unsigned bits)
{
    return ~(uint64_t)0 >> (64 - bits);
}

static inline uint64_t bit(uint64_t value, unsigned n)
{
    return value >> n & 1;
}

/* SF, ZF, PF of a result. */
static inline uint64_t flags_of(uint64_t r, unsigned bits)
{
    unsigned fold = (unsigned)(r ^ r >> 4) & 15;

    return (r == 0 ? FLAG_ZF : 0) | bit(r, bits - 1) << 7 | (0x9669u >> fold & 1) << 2;
}

/* carries: out of each bit; CF, AF, OF. */
static inline uint64_t flags_of_carries(uint64_t carries, unsigned bits)
{
    uint64_t out = bit(carries, bits - 1), in = bit(carries, bits - 2);

    return out | bit(carries, 3) << 4 | (out ^ in) << 11;
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned bits, uint64_t *status)
{
    uint64_t r = (a + b + carry) & mask_of(bits);

    *status = flags_of(r, bits) | flags_of_carries((a & b) | ((a | b) & ~r), bits);
    return r;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned bits, uint64_t *status)
{
    uint64_t r = (a - b - borrow) & mask_of(bits);

    *status = flags_of(r, bits) | flags_of_carries((~a & b) | (~(a ^ b) & r), bits);
    return r;
}

EXEC_FN uint64_t svmc_exec_x86_alu(unsigned op, uint64_t a, uint64_t b, unsigned bits,
                                   uint64_t *flags)
{
    uint64_t carry = *flags & FLAG_CF, status, r;

    if (op == X86_OP_NOT)
        return ~a & mask_of(bits);
    if (op == X86_OP_SUB || op == X86_OP_CMP)
        r = subtract(a, b, 0, bits, &status);
    else if (op == X86_OP_SBB)
        r = subtract(a, b, carry, bits, &status);
    else if (op == X86_OP_NEG)
        r = subtract(0, a, 0, bits, &status);
    else if (op == X86_OP_ADD || op == X86_OP_XADD)
        r = add(a, b, 0, bits, &status);
    else if (op == X86_OP_ADC)
        r = add(a, b, carry, bits, &status);
    else if (op == X86_OP_INC)
        r = add(a, 1, 0, bits, &status);
    else if (op == X86_OP_DEC)
        r = subtract(a, 1, 0, bits, &status);
    else {
        r = op == X86_OP_OR ? a | b : op == X86_OP_XOR ? a ^ b : a & b;
        status = flags_of(r, bits);
    }
    if (op == X86_OP_INC || op == X86_OP_DEC)
        status = (status & ~(uint64_t)FLAG_CF) | carry;
    *flags = (*flags & ~(uint64_t)FLAG_STATUS) | status;
    return r;
}

/* CF and OF alone; OF is defined for one bit, and has the same formula for more here. */
static uint64_t rotate(unsigned op, uint64_t a, unsigned by, unsigned bits, uint64_t *flags)
{
    unsigned n = by % bits;
    uint64_t r = a, cf, of;

    if (n != 0)
        r = op == X86_OP_ROL ? a << n | a >> (bits - n) : a >> n | a << (bits - n);
    r &= mask_of(bits);
    cf = op == X86_OP_ROL ? r & 1 : bit(r, bits - 1);
    of = bit(r, bits - 1) ^ (op == X86_OP_ROL ? cf : bit(r, bits - 2));
    *flags = (*flags & ~(uint64_t)(FLAG_CF | FLAG_OF)) | cf | of << 11;
    return r;
}

static uint64_t rotate_carry(unsigned op, uint64_t a, unsigned by, unsigned bits, uint64_t *flags)
{
    unsigned n = by % (bits + 1);
    uint64_t cf = *flags & FLAG_CF, r, of;

    if (n == 0)
        return a;
    if (op == X86_OP_RCL) {
        r = (n < 64 ? a << n : 0) | cf << (n - 1) | (n > 1 ? a >> (bits + 1 - n) : 0);
        cf = bit(a, bits - n);
    } else {
        r = (n < 64 ? a >> n : 0) | cf << (bits - n) | (n > 1 ? a << (bits + 1 - n) : 0);
        cf = bit(a, n - 1);
    }
    r &= mask_of(bits);
    of = bit(r, bits - 1) ^ (op == X86_OP_RCL ? cf : bit(r, bits - 2));
    *flags = (*flags & ~(uint64_t)(FLAG_CF | FLAG_OF)) | cf | of << 11;
    return r;
}

EXEC_FN uint64_t svmc_exec_x86_shift(unsigned op, uint64_t a, unsigned by, unsigned bits,
                                     uint64_t *flags)
{
    uint64_t r, cf, of, sign = 0 - bit(a, bits - 1);

    by &= bits == 64 ? 63 : 31;
    if (by == 0)
        return a;
    if (op == X86_OP_ROL || op == X86_OP_ROR)
        return rotate(op, a, by, bits, flags);
    if (op == X86_OP_RCL || op == X86_OP_RCR)
        return rotate_carry(op, a, by, bits, flags);
    if (op == X86_OP_SHL) {
        r = by < bits ? a << by & mask_of(bits) : 0;
        cf = by <= bits ? bit(a, bits - by) : 0;
        of = bit(r, bits - 1) ^ cf;
    } else if (op == X86_OP_SHR) {
        r = by < bits ? a >> by : 0;
        cf = by <= bits ? bit(a, by - 1) : 0;
        of = bit(a, bits - 1);
    } else {
        a |= sign & ~mask_of(bits);
        r = (by < bits ? (uint64_t)((int64_t)a >> by) : sign) & mask_of(bits);
        cf = by <= bits ? bit(a, by - 1) : sign & 1;
        of = 0;
    }
    *flags = (*flags & ~(uint64_t)FLAG_STATUS) | flags_of(r, bits) | cf | of << 11;
    return r;
}

/* By more than 16 of 16 bits the result is undefined: dst, src, dst are shifted in, in turn. */
EXEC_FN uint64_t svmc_exec_x86_shift_two(unsigned op, uint64_t a, uint64_t b, unsigned by,
                                         unsigned bits, uint64_t *flags)
{
    uint64_t r, cf, next = a;

    by &= bits == 64 ? 63 : 31;
    if (by == 0)
        return a;
    if (by > bits) {
        by -= bits;
        next = b;
        b = a;
    }
    if (op == X86_OP_SHLD) {
        r = (by < 64 ? next << by : 0) | b >> (bits - by);
        cf = bit(next, bits - by);
    } else {
        r = next >> by | b << (bits - by);
        cf = bit(next, by - 1);
    }
    r &= mask_of(bits);
    *flags =
        (*flags & ~(uint64_t)FLAG_STATUS) | flags_of(r, bits) | cf | bit(a ^ r, bits - 1) << 11;
    return r;
}

/* 64 by 64 bits, by halves: no compiler needs a helper of its own for it. */
static uint64_t multiply_64(uint64_t a, uint64_t b, uint64_t *high)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), other = a0 * b1 + (uint32_t)mid;

    *high = a1 * b1 + (mid >> 32) + (other >> 32);
    return other << 32 | (uint32_t)low;
}

EXEC_FN uint64_t svmc_exec_x86_multiply(uint64_t a, uint64_t b, unsigned bits, bool is_signed,
                                        uint64_t *high)
{
    uint64_t low;

    if (is_signed) {
        a = (uint64_t)core_sign_extend(a, bits);
        b = (uint64_t)core_sign_extend(b, bits);
    }
    if (bits == 64) {
        low = multiply_64(a, b, high);
        if (is_signed)
            *high -= ((0 - (a >> 63)) & b) + ((0 - (b >> 63)) & a);
        return low;
    }
    low = a * b;
    *high = low >> bits & mask_of(bits);
    return low & mask_of(bits);
}

/* high < by; bit by bit where 64 bits do not hold the dividend. */
static uint64_t divide_unsigned(uint64_t high, uint64_t low, uint64_t by, unsigned bits,
                                uint64_t *rest)
{
    uint64_t q = 0, top;

    if (bits < 64 || high == 0) {
        if (bits < 64)
            low |= high << bits;
        *rest = low % by;
        return low / by;
    }
    for (unsigned i = 0; i < 64; i++) {
        top = high >> 63;
        high = high << 1 | low >> 63;
        low <<= 1;
        q <<= 1;
        if (top != 0 || high >= by) {
            high -= by;
            q |= 1;
        }
    }
    *rest = high;
    return q;
}

EXEC_FN bool svmc_exec_x86_divide(uint64_t high, uint64_t low, uint64_t by, unsigned bits,
                                  bool is_signed, uint64_t out[2])
{
    uint64_t mask = mask_of(bits), sign_bit = (uint64_t)1 << (bits - 1);
    bool minus = is_signed && bit(high, bits - 1), by_minus = is_signed && bit(by, bits - 1);

    if (minus) { /* as a number without sign, so by itself */
        low = (0 - low) & mask;
        high = (~high + (low == 0)) & mask;
    }
    if (by_minus)
        by = (0 - by) & mask;
    if (by == 0 || high >= by)
        return false;
    out[0] = divide_unsigned(high, low, by, bits, &out[1]);
    if (is_signed && out[0] > sign_bit - (minus == by_minus))
        return false;
    if (minus != by_minus)
        out[0] = (0 - out[0]) & mask;
    if (minus)
        out[1] = (0 - out[1]) & mask;
    return true;
}

static uint64_t ones(uint64_t v)
{
    v -= v >> 1 & 0x5555555555555555u;
    v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return v * 0x0101010101010101u >> 56;
}

/* Number of zeros below the lowest 1; of 0: 64. */
static uint64_t zeros_below(uint64_t v)
{
    return ones(~v & (v - 1));
}

/* Position of the highest 1 and one; of 0: 0. */
static uint64_t width(uint64_t v)
{
    for (unsigned n = 1; n < 64; n *= 2)
        v |= v >> n;
    return ones(v);
}

EXEC_FN uint64_t svmc_exec_x86_count(unsigned op, uint64_t value, unsigned bits, uint64_t *flags)
{
    uint64_t r, status;

    if (op == X86_OP_POPCNT) {
        r = ones(value);
        status = value == 0 ? FLAG_ZF : 0;
    } else if (op == X86_OP_TZCNT || op == X86_OP_LZCNT) {
        r = op == X86_OP_LZCNT ? bits - width(value) : value == 0 ? bits : zeros_below(value);
        status = (*flags & ~(uint64_t)(FLAG_CF | FLAG_ZF)) | (value == 0 ? FLAG_CF : 0) |
                 (r == 0 ? FLAG_ZF : 0);
    } else {
        r = op == X86_OP_BSF ? zeros_below(value) : width(value) - 1;
        status = (*flags & ~(uint64_t)FLAG_ZF) | (value == 0 ? FLAG_ZF : 0);
    }
    *flags = (*flags & ~(uint64_t)FLAG_STATUS) | (status & FLAG_STATUS);
    return r;
}

/* PDEP and PEXT: the bits of a where those of the mask are 1, and back. */
static uint64_t spread(unsigned op, uint64_t a, uint64_t mask, unsigned bits)
{
    uint64_t r = 0;
    unsigned k = 0;

    for (unsigned i = 0; i < bits; i++) {
        if (!bit(mask, i))
            continue;
        r |= op == X86_OP_PDEP ? bit(a, k) << i : bit(a, i) << k;
        k++;
    }
    return r;
}

/* Shifts that leave the flags alone. */
static uint64_t shift_plain(unsigned op, uint64_t a, uint64_t b, unsigned bits)
{
    unsigned by = (unsigned)b & (bits - 1);

    if (op == X86_OP_SHLX)
        return a << by & mask_of(bits);
    if (op == X86_OP_SHRX)
        return a >> by;
    if (op == X86_OP_SARX)
        return (uint64_t)(core_sign_extend(a, bits) >> by) & mask_of(bits);
    return (a >> by | (by != 0 ? a << (bits - by) : 0)) & mask_of(bits); /* RORX */
}

/* a: memory, for PDEP and PEXT the mask; b: the other operand. */
EXEC_FN uint64_t svmc_exec_x86_bits(unsigned op, uint64_t a, uint64_t b, unsigned bits,
                                    uint64_t *flags)
{
    unsigned from = (unsigned)b & 0xff, count = (unsigned)(b >> 8) & 0xff;
    uint64_t r, cf = 0;

    if (op == X86_OP_PDEP || op == X86_OP_PEXT)
        return spread(op, b, a, bits);
    if (op >= X86_OP_RORX && op <= X86_OP_SHRX)
        return shift_plain(op, a, b, bits);
    if (op == X86_OP_ANDN) {
        r = ~b & a;
    } else if (op == X86_OP_BEXTR) {
        r = from < bits ? a >> from : 0;
        if (count < bits)
            r &= ((uint64_t)1 << count) - 1;
    } else if (op == X86_OP_BLSI) {
        r = a & (0 - a);
        cf = a != 0;
    } else if (op == X86_OP_BLSMSK) {
        r = a ^ (a - 1);
        cf = a == 0;
    } else if (op == X86_OP_BLSR) {
        r = a & (a - 1);
        cf = a == 0;
    } else { /* BZHI */
        r = from < bits ? a & (((uint64_t)1 << from) - 1) : a;
        cf = from >= bits;
    }
    r &= mask_of(bits);
    *flags = (*flags & ~(uint64_t)FLAG_STATUS) | (flags_of(r, bits) & ~(uint64_t)FLAG_PF) | cf;
    if (op == X86_OP_BEXTR)
        *flags &= ~(uint64_t)FLAG_SF;
    return r;
}

/* Polynomial 11EDC6F41h, reflected (SDM vol. 2 CRC32). */
EXEC_FN uint32_t svmc_exec_x86_crc32(uint32_t crc, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        crc ^= (uint8_t)(value >> 8 * i);
        for (unsigned k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0x82f63b78u & (0 - (crc & 1)));
    }
    return crc;
}

EXEC_FN bool svmc_exec_x86_condition(unsigned code, uint64_t flags)
{
    bool less = ((flags & FLAG_SF) != 0) != ((flags & FLAG_OF) != 0), holds;

    switch (code >> 1 & 7) {
    case 0:
        holds = flags & FLAG_OF;
        break;
    case 1:
        holds = flags & FLAG_CF;
        break;
    case 2:
        holds = flags & FLAG_ZF;
        break;
    case 3:
        holds = flags & (FLAG_CF | FLAG_ZF);
        break;
    case 4:
        holds = flags & FLAG_SF;
        break;
    case 5:
        holds = flags & FLAG_PF;
        break;
    case 6:
        holds = less;
        break;
    default:
        holds = less || (flags & FLAG_ZF);
        break;
    }
    return holds != ((code & 1) != 0);
}
