/* SPDX-License-Identifier: MIT */
/* x86: vectors that become flags and indices. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

/* PTEST: all bits; VTESTPS: signs alone. */
bool svmc_exec_x86_vec_test(struct vec_run *v)
{
    const struct svmc_exec_vec_op *o = v->op;
    uint64_t both = 0, rest = 0, mask = ~(uint64_t)0, a, b;

    if (v->e->op == VEC_TESTP)
        mask = v->e->element == ELEMENT_D ? 0x8000000080000000u : 0x8000000000000000u;
    for (unsigned i = 0; i < v->bytes / 8u; i++) {
        a = vec_get(o->a, i, ELEMENT_Q);
        b = vec_get(o->b, i, ELEMENT_Q) & mask;
        both |= a & b;
        rest |= ~a & b;
    }
    x86_set_status(v->e, (both == 0 ? FLAG_ZF : 0) | (rest == 0 ? FLAG_CF : 0));
    return true;
}

/* What PCMPESTRI and its like compare: SDM vol. 2 4.1. */
struct strings {
    const uint8_t *a, *b;
    unsigned control, element, n, length_a, length_b;
};

static int64_t element_of(const struct strings *s, const uint8_t *v, unsigned i)
{
    return s->control & 2 ? vec_get_signed(v, i, s->element) : (int64_t)vec_get(v, i, s->element);
}

static bool is_equal(const struct strings *s, unsigned i, unsigned k)
{
    return vec_get(s->a, i, s->element) == vec_get(s->b, k, s->element);
}

/* Whether element k of b is among those of a, or in one of its ranges. */
static bool is_any(const struct strings *s, unsigned k, bool ranges)
{
    int64_t x = element_of(s, s->b, k);

    if (k >= s->length_b)
        return false;
    for (unsigned i = 0; i < s->length_a; i += ranges ? 2 : 1) {
        if (!ranges && is_equal(s, i, k))
            return true;
        if (ranges && i + 1 < s->length_a && element_of(s, s->a, i) <= x &&
            x <= element_of(s, s->a, i + 1))
            return true;
    }
    return false;
}

/* Whether a, as far as it goes, stands at element k of b, as far as that goes. */
static bool is_ordered(const struct strings *s, unsigned k)
{
    for (unsigned i = 0; i < s->length_a && k + i < s->n; i++)
        if (k + i >= s->length_b || !is_equal(s, i, k + i))
            return false;
    return true;
}

static uint32_t compare_strings(const struct strings *s)
{
    uint32_t r = 0, valid = (uint32_t)vec_low_bits(s->length_b), all = (uint32_t)vec_low_bits(s->n);

    for (unsigned k = 0; k < s->n; k++) {
        bool hit;

        switch (s->control >> 2 & 3) {
        case 2: /* equal each */
            hit = k < s->length_a && k < s->length_b ? is_equal(s, k, k)
                                                     : k >= s->length_a && k >= s->length_b;
            break;
        case 3:
            hit = is_ordered(s, k);
            break;
        default:
            hit = is_any(s, k, s->control & 4);
            break;
        }
        r |= (uint32_t)hit << k;
    }
    if ((s->control >> 4 & 3) == 1)
        r ^= all;
    else if ((s->control >> 4 & 3) == 3)
        r ^= valid;
    return r;
}

/* Implicit: up to a 0. Explicit: a register's magnitude, at most all. */
static unsigned length_of(const struct vec_run *v, const struct strings *s, const uint8_t *vector,
                          unsigned reg)
{
    unsigned bytes = v->e->wide && v->e->insn->priv_raw[1] & PREFIX_W ? 8 : 4, i = 0;
    int64_t length;

    if (v->e->op >= VEC_IMPLICIT_INDEX) {
        while (i < s->n && vec_get(vector, i, s->element) != 0)
            i++;
        return i;
    }
    length = core_sign_extend(x86_get(v->e, reg, bytes), bytes * 8);
    if (length > (int64_t)s->n || length < -(int64_t)s->n)
        return s->n;
    return (unsigned)(length < 0 ? -length : length);
}

/* The first or last bit of a result; none: as many as there are elements. */
static unsigned index_of(const struct strings *s, uint32_t result)
{
    unsigned found = s->n;

    for (unsigned i = 0; i < s->n; i++)
        if (result >> i & 1) {
            if (!(s->control & 0x40))
                return i;
            found = i;
        }
    return found;
}

static bool put_mask(struct vec_run *v, const struct strings *s, uint32_t result)
{
    static const struct svmc_operand xmm0 = { .kind = SVMC_OPERAND_REG,
                                              .bytes = 16,
                                              .reg_kind = SVMC_REG_KIND_VECTOR };
    uint8_t *out = v->op->out;

    memset(out, 0, SVMC_EXEC_VEC_BYTES);
    if (!(s->control & 0x40))
        core_store_le32(out, result);
    else
        for (unsigned i = 0; i < s->n; i++)
            vec_set(out, i, s->element, result >> i & 1 ? ~(uint64_t)0 : 0);
    return svmc_exec_x86_vec_put(v, &xmm0, out);
}

bool svmc_exec_x86_vec_string(struct vec_run *v)
{
    struct strings s = { .a = v->op->a, .b = v->op->b, .control = vec_imm(v) };
    uint32_t result;
    unsigned op = v->e->op;

    s.element = s.control & 1 ? ELEMENT_W : ELEMENT_B;
    s.n = 16u >> s.element;
    s.length_a = length_of(v, &s, s.a, SVMC_REG_RAX);
    s.length_b = length_of(v, &s, s.b, SVMC_REG_RDX);
    result = compare_strings(&s);
    if ((op == VEC_EXPLICIT_MASK || op == VEC_IMPLICIT_MASK) && !put_mask(v, &s, result))
        return false;
    if (op == VEC_EXPLICIT_INDEX || op == VEC_IMPLICIT_INDEX)
        x86_set(v->e, SVMC_REG_RCX, 4, index_of(&s, result));
    x86_set_status(v->e, (result != 0 ? FLAG_CF : 0) | (s.length_b < s.n ? FLAG_ZF : 0) |
                             (s.length_a < s.n ? FLAG_SF : 0) | (result & 1 ? FLAG_OF : 0));
    return true;
}
