/* SPDX-License-Identifier: MIT */
/* x86: integer arithmetic on the elements of vectors. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

static uint64_t bits_set(uint64_t v)
{
    v -= v >> 1 & 0x5555555555555555u;
    v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return v * 0x0101010101010101u >> 56;
}

static uint64_t zeros_above(uint64_t v, unsigned bits)
{
    for (unsigned n = 1; n < 64; n *= 2)
        v |= v >> n;
    return bits - bits_set(v);
}

/* By a count of any size (SDM vol. 2 PSLLW, VPSLLVW, VPROLD). */
static uint64_t lane_shift(unsigned op, uint64_t a, uint64_t by, unsigned bits)
{
    uint64_t mask = vec_low_bits(bits);

    if (op == VEC_ROL || op == VEC_ROR) {
        by &= bits - 1;
        if (op == VEC_ROR)
            by = (bits - by) & (bits - 1);
        return by == 0 ? a : a << by | (a & mask) >> (bits - by);
    }
    if (op == VEC_SRA)
        return (uint64_t)(core_sign_extend(a, bits) >> (by < bits ? by : bits - 1));
    if (by >= bits)
        return 0;
    return op == VEC_SLL ? a << by : a >> by;
}

/* The eight predicates of VPCMPD and its like. */
static bool compares(unsigned predicate, bool less, bool equal)
{
    bool r = (predicate & 3) == 0   ? equal
             : (predicate & 3) == 1 ? less
             : (predicate & 3) == 2 ? less || equal
                                    : false;

    return predicate & 4 ? !r : r;
}

/* What needs no sign. */
static uint64_t lane_plain(unsigned op, uint64_t a, uint64_t b, unsigned bits)
{
    switch (op) {
    case VEC_ADD:
        return a + b;
    case VEC_SUB:
        return a - b;
    case VEC_ADDUS:
        return vec_saturate((int64_t)(a + b), bits, false);
    case VEC_SUBUS:
        return a > b ? a - b : 0;
    case VEC_AND:
        return a & b;
    case VEC_ANDN:
        return ~a & b;
    case VEC_OR:
        return a | b;
    case VEC_XOR:
        return a ^ b;
    case VEC_CMPEQ:
        return a == b ? ~(uint64_t)0 : 0;
    case VEC_TESTM:
        return (a & b) != 0 ? ~(uint64_t)0 : 0;
    case VEC_TESTNM:
        return (a & b) == 0 ? ~(uint64_t)0 : 0;
    case VEC_MINU:
        return a < b ? a : b;
    case VEC_MAXU:
        return a > b ? a : b;
    case VEC_AVG:
        return (a + b + 1) >> 1;
    case VEC_MULL:
        return a * b;
    case VEC_MULHU:
        return a * b >> bits;
    case VEC_MULUDQ:
        return (uint64_t)(uint32_t)a * (uint32_t)b;
    case VEC_POPCNT:
        return bits_set(a);
    case VEC_LZCNT:
        return zeros_above(a, bits);
    default:
        return lane_shift(op, a, b, bits);
    }
}

/* What does. */
static uint64_t lane(unsigned op, uint64_t a, uint64_t b, unsigned bits)
{
    int64_t sa = core_sign_extend(a, bits), sb = core_sign_extend(b, bits);

    switch (op) {
    case VEC_ADDS:
        return vec_saturate(sa + sb, bits, true);
    case VEC_SUBS:
        return vec_saturate(sa - sb, bits, true);
    case VEC_CMPGT:
        return sa > sb ? ~(uint64_t)0 : 0;
    case VEC_MINS:
        return sa < sb ? a : b;
    case VEC_MAXS:
        return sa > sb ? a : b;
    case VEC_MULH:
        return (uint64_t)(sa * sb >> bits);
    case VEC_MULHRS:
        return (uint64_t)(((sa * sb >> (bits - 2)) + 1) >> 1);
    case VEC_MULDQ:
        return (uint64_t)((int64_t)(int32_t)(uint32_t)a * (int32_t)(uint32_t)b);
    case VEC_ABS:
        return sa < 0 ? 0 - a : a;
    case VEC_SIGN:
        return sb < 0 ? 0 - a : sb == 0 ? 0 : a;
    default:
        return lane_plain(op, a, b, bits);
    }
}

/* VPMADD52LUQ, VPMADD52HUQ: of a product of 104 bits the low or the high 52. */
static uint64_t madd52(uint64_t sum, uint64_t a, uint64_t b, bool high)
{
    uint64_t top, low;

    a &= vec_low_bits(52);
    b &= vec_low_bits(52);
    low = svmc_exec_x86_multiply(a, b, 64, false, &top);
    return sum + (high ? (top << 12 | low >> 52) & vec_low_bits(52) : low & vec_low_bits(52));
}

/* VPSHLD, VPSHRD: what is shifted out of the one goes into the other. */
static uint64_t shift_two(uint64_t a, uint64_t b, uint64_t by, unsigned bits, bool right)
{
    by &= bits - 1;
    if (by == 0)
        return a;
    return right ? a >> by | b << (bits - by) : a << by | b >> (bits - by);
}

/* What depends on where the element stands. */
static uint64_t lane_at(const struct vec_run *v, unsigned i)
{
    const struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element;
    uint64_t r = 0;

    if (v->e->op == VEC_CONFLICT) {
        for (unsigned k = 0; k < i; k++)
            r |= (uint64_t)(vec_get(o->a, k, element) == vec_get(o->a, i, element)) << k;
        return r;
    }
    if (v->e->op == VEC_SHUFBIT)
        return vec_get(o->a, i / 8, ELEMENT_Q) >> (o->b[i] & 63) & 1 ? 0xff : 0;
    r = vec_get(o->b, i / 8, ELEMENT_Q);
    return lane_shift(VEC_ROR, r, o->a[i] & 63, 64);
}

/* VPTERNLOG: the immediate is a truth table. */
static uint64_t ternary(uint64_t a, uint64_t b, uint64_t c, unsigned table)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < 8; i++)
        if (table >> i & 1)
            r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return r;
}

void svmc_exec_x86_vec_lanes(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, bits = 8u << element, op = v->e->op;
    uint64_t a, b, c, r;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        a = vec_get(o->a, i, element);
        b = vec_get(o->b, i, element);
        c = vec_get(o->c, i, element);
        if (op == VEC_TERNARY)
            r = ternary(a, b, c, vec_imm(v));
        else if (op == VEC_MADD52L || op == VEC_MADD52H)
            r = madd52(a, b, c, op == VEC_MADD52H);
        else if (op == VEC_SHLD || op == VEC_SHRD)
            r = shift_two(a, b, vec_imm(v), bits, op == VEC_SHRD);
        else if (op == VEC_SHLDV || op == VEC_SHRDV)
            r = shift_two(a, b, c, bits, op == VEC_SHRDV);
        else if (op == VEC_CONFLICT || op == VEC_MULTISHIFT || op == VEC_SHUFBIT)
            r = lane_at(v, i);
        else if (op == VEC_CMPU)
            r = compares(vec_imm(v) & 7, a < b, a == b) ? ~(uint64_t)0 : 0;
        else if (op == VEC_CMPS)
            r = compares(vec_imm(v) & 7, core_sign_extend(a, bits) < core_sign_extend(b, bits),
                         a == b)
                    ? ~(uint64_t)0
                    : 0;
        else
            r = lane(op, a, b, bits);
        vec_set(o->out, i, element, r);
    }
}

/* All elements by one count: the low 64 bits of the second operand, or the immediate. */
void svmc_exec_x86_vec_shift(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, op = v->e->op;
    uint64_t by = v->has_imm ? vec_imm(v) : core_load_le64(o->b);

    if (op == VEC_SLLDQ || op == VEC_SRLDQ) {
        for (unsigned i = 0; i < v->bytes; i++) {
            unsigned at = i & 15, n = (unsigned)by;

            if (op == VEC_SLLDQ ? at >= n : at + n < 16)
                o->out[i] = o->a[op == VEC_SLLDQ ? i - n : i + n];
        }
        return;
    }
    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++)
        vec_set(o->out, i, element, lane_shift(op, vec_get(o->a, i, element), by, 8u << element));
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* HADD, HSUB: neighbours within 16 bytes, of the first operand, then of the second. */
static void horizontal(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, op = v->e->op, bits = 8u << element;
    unsigned n = (v->bytes < 16u ? v->bytes : 16u) >> element, at;
    const uint8_t *from;
    int64_t a, b;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        from = i % n < n / 2 ? o->a : o->b;
        at = i / n * n + i % n % (n / 2) * 2;
        a = vec_get_signed(from, at, element);
        b = vec_get_signed(from, at + 1, element);
        if (op == VEC_HSUB || op == VEC_HSUBS)
            b = -b;
        vec_set(o->out, i, element,
                op == VEC_HADDS || op == VEC_HSUBS ? vec_saturate(a + b, bits, true)
                                                   : (uint64_t)(a + b));
    }
}

/* VDBPSADBW: four bytes of the one and four of the other, in whose 16 the immediate has chosen. */
static void quadruples(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned a, b, at;
    uint64_t sum;

    for (unsigned i = 0; i < v->bytes / 2u; i++) {
        sum = 0;
        a = i / 4 * 8 + (i & 2) * 2;
        b = i / 4 * 8 + (i & 3);
        for (unsigned k = 0; k < 4; k++) {
            at = b + k;
            at = at / 16 * 16 + (vec_imm(v) >> at % 16 / 4 * 2 & 3) * 4 + at % 4;
            sum += distance(o->a[a + k], o->b[at & 63]);
        }
        vec_set(o->out, i, ELEMENT_W, sum);
    }
}

static void sum_of_differences(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    uint64_t sum;

    if (v->e->op == VEC_SADBW) {
        for (unsigned i = 0; i < v->bytes / 8u; i++) {
            sum = 0;
            for (unsigned k = 0; k < 8; k++)
                sum += distance(o->a[8 * i + k], o->b[8 * i + k]);
            vec_set(o->out, i, ELEMENT_Q, sum);
        }
        return;
    }
    if (v->e->op == VEC_DBPSADBW) {
        quadruples(v);
        return;
    }
    for (unsigned i = 0; i < v->bytes / 2u; i++) { /* MPSADBW */
        unsigned half = i / 8, control = vec_imm(v) >> 3 * half;
        unsigned a = 16 * half + (control & 4) + i % 8, b = 16 * half + (control & 3) * 4;

        sum = 0;
        for (unsigned k = 0; k < 4; k++)
            sum += distance(o->a[(a + k) & 63], o->b[(b + k) & 63]);
        vec_set(o->out, i, ELEMENT_W, sum);
    }
}

static void least(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned best = 0;

    for (unsigned i = 1; i < 8; i++)
        if (vec_get(o->a, i, ELEMENT_W) < vec_get(o->a, best, ELEMENT_W))
            best = i;
    vec_set(o->out, 0, ELEMENT_W, vec_get(o->a, best, ELEMENT_W));
    vec_set(o->out, 1, ELEMENT_W, best);
}

/* Products of neighbours, of which two or four are summed, to one of twice or four times the
 * width; DP: and to what was there. */
static void multiply_add(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned op = v->e->op, element = v->e->element;
    bool bytes = op == VEC_MADDUBSW || op == VEC_DPBUSD || op == VEC_DPBUSDS;
    bool sums = op >= VEC_KEEPS;
    const uint8_t *first = sums ? o->b : o->a, *second = sums ? o->c : o->b;
    unsigned small = bytes ? ELEMENT_B : ELEMENT_W, n = 1u << (element - small);
    bool saturates = op == VEC_MADDUBSW || op == VEC_DPBUSDS || op == VEC_DPWSSDS;
    int64_t sum, a;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        sum = sums ? vec_get_signed(o->a, i, element) : 0;
        for (unsigned k = i * n; k < i * n + n; k++) {
            a = bytes ? (int64_t)first[k] : vec_get_signed(first, k, small);
            sum += a * vec_get_signed(second, k, small);
        }
        vec_set(o->out, i, element,
                saturates ? vec_saturate(sum, 8u << element, true) : (uint64_t)sum);
    }
}

void svmc_exec_x86_vec_pairs(const struct vec_run *v)
{
    switch (v->e->op) {
    case VEC_SADBW:
    case VEC_MPSADBW:
    case VEC_DBPSADBW:
        sum_of_differences(v);
        return;
    case VEC_MINPOS:
        least(v);
        return;
    case VEC_HADD:
    case VEC_HADDS:
    case VEC_HSUB:
    case VEC_HSUBS:
        horizontal(v);
        return;
    default:
        multiply_add(v);
        return;
    }
}

/* To half the width; the column names the width of what is made. */
void svmc_exec_x86_vec_pack(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, n = (v->bytes < 16u ? v->bytes : 16u) >> element, at;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++) {
        at = i / n * (n / 2) + i % (n / 2);
        vec_set(o->out, i, element,
                vec_saturate(vec_get_signed(i % n < n / 2 ? o->a : o->b, at, element + 1),
                             8u << element, v->e->op == VEC_PACKSS));
    }
}

void svmc_exec_x86_vec_widen(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, op = v->e->op;
    unsigned from = element - (op >= VEC_ZX2 ? op - VEC_ZX2 : op - VEC_SX2) - 1;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++)
        vec_set(o->out, i, element,
                op >= VEC_ZX2 ? vec_get(o->a, i, from) : (uint64_t)vec_get_signed(o->a, i, from));
}

void svmc_exec_x86_vec_narrow(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned element = v->e->element, op = v->e->op, bits = 8u << element, from;
    bool is_signed = op >= VEC_SX2 && op <= VEC_SX8;
    uint64_t value;

    from = element + 1 +
           (op >= VEC_TRUNC2 ? op - VEC_TRUNC2
            : is_signed      ? op - VEC_SX2
                             : op - VEC_ZX2);
    for (unsigned i = 0; i < v->lanes; i++) {
        value = vec_get(o->a, i, from);
        if (is_signed)
            value = vec_saturate(vec_get_signed(o->a, i, from), bits, true);
        else if (op <= VEC_ZX8 && value > vec_low_bits(bits))
            value = vec_low_bits(bits);
        vec_set(o->out, i, element, value);
    }
}
