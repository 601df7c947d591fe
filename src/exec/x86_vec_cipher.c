/* SPDX-License-Identifier: MIT */
/*
 * x86: AES, SHA, carry-less products and GF(2^8), in plain arithmetic: no table whose address
 * depends on what the guest enciphers. Rules XE-n: docs/spec/exec.md.
 */
#include "x86_vec_private.h"

#define AES_POLYNOMIAL 0x11bu /* FIPS 197 4.2; GF2P8MULB has the same */

static uint8_t multiply_bytes(unsigned a, unsigned b)
{
    unsigned r = 0;

    for (unsigned i = 0; i < 8; i++) {
        r ^= (0u - (b >> i & 1)) & a;
        a = a << 1 ^ ((0u - (a >> 7)) & AES_POLYNOMIAL);
    }
    return (uint8_t)r;
}

/* x^254: of 0 it is 0. */
static uint8_t inverse(uint8_t x)
{
    uint8_t r = x;

    for (unsigned i = 0; i < 6; i++)
        r = multiply_bytes(multiply_bytes(r, r), x);
    return multiply_bytes(r, r);
}

static uint8_t rotated(uint8_t x, unsigned by)
{
    return (uint8_t)(x << by | x >> (8 - by));
}

/* FIPS 197 5.1.1, 5.3.2 */
static uint8_t substitute(uint8_t x, bool back)
{
    if (back)
        return inverse(rotated(x, 1) ^ rotated(x, 3) ^ rotated(x, 6) ^ 5);
    x = inverse(x);
    return x ^ rotated(x, 1) ^ rotated(x, 2) ^ rotated(x, 3) ^ rotated(x, 4) ^ 0x63;
}

static void mix_columns(uint8_t s[16], bool back)
{
    static const uint8_t columns[2][4] = { { 2, 3, 1, 1 }, { 14, 11, 13, 9 } };
    uint8_t column[4];

    for (unsigned c = 0; c < 16; c += 4) {
        memcpy(column, s + c, 4);
        for (unsigned i = 0; i < 4; i++) {
            s[c + i] = 0;
            for (unsigned k = 0; k < 4; k++) /* clamp: two bits; back is 0 or 1 */
                s[c + i] ^= multiply_bytes(column[k], columns[back ? 1 : 0][(k - i) & 3]);
        }
    }
}

/* A round of 16 bytes; SDM vol. 1 12.13. */
static void aes_round(uint8_t *out, const uint8_t *state, const uint8_t *key, unsigned op)
{
    bool back = op == VEC_AESDEC || op == VEC_AESDECLAST;

    for (unsigned i = 0; i < 16; i++) {
        unsigned row = i & 3, from = (i + (back ? 16 - 4 * row : 4 * row)) & 15;

        out[i] = substitute(state[from], back);
    }
    if (op == VEC_AESENC || op == VEC_AESDEC)
        mix_columns(out, back);
    for (unsigned i = 0; i < 16; i++)
        out[i] ^= key[i];
}

static void key_assist(const struct vec_run *v)
{
    const uint8_t *a = v->op->a;
    uint8_t *out = v->op->out;

    for (unsigned i = 0; i < 4; i++) {
        out[i] = substitute(a[4 + i], false);
        out[8 + i] = substitute(a[12 + i], false);
    }
    for (unsigned i = 0; i < 4; i++) { /* and rotated by a byte */
        out[4 + i] = out[(i + 1) & 3];
        out[12 + i] = out[8 + ((i + 1) & 3)];
    }
    out[4] ^= (uint8_t)vec_imm(v);
    out[12] ^= (uint8_t)vec_imm(v);
}

static void carryless(uint8_t *out, uint64_t a, uint64_t b)
{
    uint64_t low = 0, high = 0, take;

    for (unsigned i = 0; i < 64; i++) {
        take = 0 - (b >> i & 1);
        low ^= take & a << i;
        high ^= take & (i == 0 ? 0 : a >> (64 - i));
    }
    core_store_le64(out, low);
    core_store_le64(out + 8, high);
}

/* GF2P8AFFINEQB: rows of the matrix are bytes, the last one makes bit 0. */
static uint8_t affine(uint64_t matrix, uint8_t x, unsigned imm)
{
    unsigned r = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned row = (unsigned)(matrix >> (8 * (7 - i))) & x;

        row ^= row >> 4;
        row ^= row >> 2;
        row ^= row >> 1;
        r |= (row & 1) << i;
    }
    return (uint8_t)(r ^ imm);
}

static uint32_t left(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static uint32_t right(uint32_t x, unsigned n)
{
    return left(x, 32 - n);
}

static uint32_t word(const uint8_t *v, unsigned i)
{
    return core_load_le32(v + 4 * i);
}

static void set_word(uint8_t *v, unsigned i, uint32_t value)
{
    core_store_le32(v + 4 * i, value);
}

/* Word 3 is the first one (SDM vol. 2 SHA1RNDS4, FIPS 180-4 6.1.2). */
static void sha1_rounds(const struct vec_run *v)
{
    static const uint32_t constants[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
    const uint8_t *s = v->op->a;
    uint32_t a = word(s, 3), b = word(s, 2), c = word(s, 1), d = word(s, 0), e = 0, f, t;
    unsigned which = vec_imm(v) & 3;

    for (unsigned i = 0; i < 4; i++) {
        f = which == 0 ? (b & c) ^ (~b & d) : which == 2 ? (b & c) ^ (b & d) ^ (c & d) : b ^ c ^ d;
        t = f + left(a, 5) + word(v->op->b, 3 - i) + e + constants[which]; /* clamp: two bits */
        e = d;
        d = c;
        c = left(b, 30);
        b = a;
        a = t;
    }
    set_word(v->op->out, 3, a);
    set_word(v->op->out, 2, b);
    set_word(v->op->out, 1, c);
    set_word(v->op->out, 0, d);
}

/* FIPS 180-4 6.2.2; the words and constants of two rounds come as a sum in XMM0. */
static void sha256_rounds(const struct vec_run *v)
{
    const uint8_t *x = v->op->a, *y = v->op->b; /* C, D, G, H; A, B, E, F from word 3 on */
    uint32_t a = word(y, 3), b = word(y, 2), c = word(x, 3), d = word(x, 2), e = word(y, 1),
             f = word(y, 0), g = word(x, 1), h = word(x, 0), t, u;

    for (unsigned i = 0; i < 2; i++) {
        t = h + ((e & f) ^ (~e & g)) + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) +
            word(v->op->c, i);
        u = ((a & b) ^ (a & c) ^ (b & c)) + (right(a, 2) ^ right(a, 13) ^ right(a, 22));
        h = g;
        g = f;
        f = e;
        e = d + t;
        d = c;
        c = b;
        b = a;
        a = t + u;
    }
    set_word(v->op->out, 3, a);
    set_word(v->op->out, 2, b);
    set_word(v->op->out, 1, e);
    set_word(v->op->out, 0, f);
}

static void sha_schedule(const struct vec_run *v)
{
    const uint8_t *a = v->op->a, *b = v->op->b;
    uint8_t *out = v->op->out;
    uint32_t w;

    for (unsigned i = 0; i < 4; i++) {
        switch (v->e->op) {
        case VEC_SHA1NEXTE:
            set_word(out, i, word(b, i) + (i == 3 ? left(word(a, 3), 30) : 0));
            break;
        case VEC_SHA1MSG1:
            set_word(out, i, word(a, i) ^ (i >= 2 ? word(a, i - 2) : word(b, i + 2)));
            break;
        case VEC_SHA1MSG2:
            w = i < 3 ? word(b, 2 - i) : word(out, 3); /* from word 3 down */
            set_word(out, 3 - i, left(word(a, 3 - i) ^ w, 1));
            break;
        case VEC_SHA256MSG1:
            w = i < 3 ? word(a, i + 1) : word(b, 0);
            set_word(out, i, word(a, i) + (right(w, 7) ^ right(w, 18) ^ w >> 3));
            break;
        default: /* SHA256MSG2 */
            w = i < 2 ? word(b, i + 2) : word(out, i - 2);
            set_word(out, i, word(a, i) + (right(w, 17) ^ right(w, 19) ^ w >> 10));
            break;
        }
    }
}

static void blocks(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned imm = vec_imm(v), op = v->e->op;

    for (unsigned at = 0; at < v->bytes; at += 16) {
        if (op == VEC_CLMUL)
            carryless(o->out + at, core_load_le64(o->a + at + (imm & 1 ? 8 : 0)),
                      core_load_le64(o->b + at + (imm & 16 ? 8 : 0)));
        else
            aes_round(o->out + at, o->a + at, o->b + at, op);
    }
}

void svmc_exec_x86_vec_cipher(const struct vec_run *v)
{
    struct svmc_exec_vec_op *o = v->op;
    unsigned op = v->e->op;
    uint8_t x;

    if (op <= VEC_AESDECLAST || op == VEC_CLMUL) {
        blocks(v);
    } else if (op == VEC_AESIMC) {
        memcpy(o->out, o->a, 16);
        mix_columns(o->out, true);
    } else if (op == VEC_AESKEYGEN) {
        key_assist(v);
    } else if (op <= VEC_GFINVERSE) {
        for (unsigned i = 0; i < v->bytes; i++) {
            x = op == VEC_GFINVERSE ? inverse(o->a[i]) : o->a[i];
            o->out[i] = op == VEC_GFMUL ? multiply_bytes(x, o->b[i])
                                        : affine(core_load_le64(o->b + (i & ~7u)), x, vec_imm(v));
        }
    } else if (op == VEC_SHA1RNDS4) {
        sha1_rounds(v);
    } else if (op == VEC_SHA256RNDS2) {
        sha256_rounds(v);
    } else {
        sha_schedule(v);
    }
}
