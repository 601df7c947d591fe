/* SPDX-License-Identifier: MIT */
/*
 * The enumerated skeleton: every opcode of every map under sets of prefixes, payload bits, ModRM
 * and SIB bytes. Each part is a mixed-radix number, so that any slice can be taken by index.
 *   legacy  prefix sets x 5 maps (3DNow! with its trailing byte) x 256 opcodes x 376 addresses
 *   VEX     C5: 256 payloads x 256 opcodes x 24 addresses;
 *           C4: 10 maps x 4 RXB x W x 4 vvvv x L x pp x 256 opcodes x 24 addresses
 *   XOP     6 maps x the same
 *   EVEX    8 maps x 4 RXBR' x W x 4 vvvvV' x L'L x pp x z x b x 2 aaa x 256 opcodes x 9 addresses
 */
#include <string.h>
#include "../../random.h"
#include "cases.h"

static const uint8_t prefix_sets[][5] = {
    /* how many, which */
    { 0 },
    { 1, 0x66 },
    { 1, 0x67 },
    { 1, 0xf2 },
    { 1, 0xf3 },
    { 1, 0xf0 },
    { 1, 0x64 },
    { 1, 0x2e },
    { 2, 0x66, 0x67 },
    { 2, 0x66, 0xf2 },
    { 2, 0xf3, 0x66 },
    { 2, 0xf2, 0xf3 },
    { 2, 0xf3, 0xf2 },
    { 2, 0xf0, 0x66 },
    { 2, 0xf0, 0xf2 },
    { 2, 0xf3, 0xf0 },
    { 2, 0x67, 0x65 },
    { 2, 0x64, 0x36 },
    { 3, 0xf0, 0x66, 0xf3 },
    { 3, 0x3e, 0x26, 0x67 },
    /* 64-bit mode only; in the others these are INC and DEC and stand in the set without */
    { 1, 0x40 },
    { 1, 0x48 },
    { 1, 0x44 },
    { 1, 0x42 },
    { 1, 0x41 },
    { 1, 0x4f },
    { 2, 0x66, 0x48 },
    { 2, 0x66, 0x41 },
    { 2, 0x67, 0x43 },
    { 2, 0x67, 0x48 },
    { 2, 0xf2, 0x48 },
    { 2, 0xf2, 0x45 },
    { 2, 0xf3, 0x48 },
    { 2, 0xf3, 0x45 },
    { 2, 0xf0, 0x48 },
    { 2, 0xf0, 0x44 },
    { 3, 0x66, 0xf2, 0x4c },
    { 3, 0xf3, 0x66, 0x49 },
    { 3, 0xf0, 0xf3, 0x4d },
    { 2, 0x48, 0x66 }, /* REX not in force from here on */
    { 2, 0x48, 0xf3 },
    { 2, 0x48, 0x44 },
};
#define SETS_64 (sizeof prefix_sets / sizeof prefix_sets[0])
#define SETS_32 20u

static const uint8_t sibs[] = { 0x00, 0x24, 0x25, 0x65, 0x8d, 0xfb };
#define SIBS      (sizeof sibs)
#define ADDRESSES ((unsigned)(232u + 24u * SIBS))

/* ModRM and SIB of the vector parts: register and memory, reg 0 to 7 by salt. */
static const uint8_t few[][2] = {
    { 0xc1, 0 }, { 0xca, 0 }, { 0xd3, 0 }, { 0xdc, 0 },    { 0xe5, 0 },    { 0xee, 0 },
    { 0xf7, 0 }, { 0xf8, 0 }, { 0xc8, 0 }, { 0x00, 0 },    { 0x09, 0 },    { 0x12, 0 },
    { 0x1b, 0 }, { 0x25, 0 }, { 0x2e, 0 }, { 0x37, 0 },    { 0x38, 0 },    { 0x41, 0 },
    { 0x85, 0 }, { 0x46, 0 }, { 0x8e, 0 }, { 0x04, 0x25 }, { 0x4c, 0x8a }, { 0x94, 0xd1 },
};
#define FEW (sizeof few / sizeof few[0])
static const uint8_t fewer[][2] = { { 0xc8, 0 },    { 0xd1, 0 },    { 0xea, 0 },
                                    { 0xf3, 0 },    { 0x05, 0 },    { 0x0e, 0 },
                                    { 0x54, 0x8a }, { 0x6c, 0xd1 }, { 0xb4, 0x25 } };
#define FEWER (sizeof fewer / sizeof fewer[0])

#define C5_COUNT     (256u * 256u * FEW)
#define VEX_PER_MAP  (4ull * 2 * 4 * 2 * 4 * 256 * FEW)
#define VEX_MAPS     10u
#define XOP_MAPS     6u
#define EVEX_PER_MAP (4ull * 2 * 4 * 4 * 4 * 2 * 2 * 2 * 256 * FEWER)
#define EVEX_MAPS    8u

static uint64_t legacy_count(unsigned mode)
{
    return (mode == 64 ? SETS_64 : SETS_32) * 5ull * 256 * ADDRESSES;
}

uint64_t skeleton_count(unsigned mode)
{
    return legacy_count(mode) + C5_COUNT + (VEX_MAPS + XOP_MAPS) * VEX_PER_MAP +
           EVEX_MAPS * EVEX_PER_MAP;
}

/* The lowest digit of *n to this base. */
static unsigned digit(uint64_t *n, uint64_t base)
{
    unsigned d = (unsigned)(*n % base);

    *n /= base;
    return d;
}

/* What stands behind the part that is enumerated: displacements and immediates. */
static void fill_tail(uint8_t *to, uint64_t index)
{
    static const uint8_t tails[4][10] = {
        { 0x80, 0xff, 0x7f, 0xfe, 0x81, 0x12, 0xc3, 0x99, 0x55, 0x33 },
        { 0x7f, 0x01, 0x00, 0x80, 0x10, 0x00, 0x00, 0x80, 0xaa, 0x66 },
        { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
        { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
    };

    memcpy(to, tails[index & 3], 10);
}

static void legacy_case(uint64_t n, uint64_t salt, uint8_t *b)
{
    unsigned address = digit(&n, ADDRESSES), opcode = digit(&n, 256), map = digit(&n, 5);
    const uint8_t *set = prefix_sets[n];
    unsigned at = set[0];

    memcpy(b, set + 1, at);
    if (map > 0)
        b[at++] = 0x0f;
    if (map == 2 || map == 3)
        b[at++] = map == 2 ? 0x38 : 0x3a;
    b[at++] = map == 4 ? 0x0f : (uint8_t)opcode;
    fill_tail(b + at + 1, salt);
    if (address < 168 || address >= ADDRESSES - 64) {
        bool memory = address < 168;
        unsigned i = memory ? address : address + 256u - ADDRESSES;

        if (memory) /* 7 of 8: rm 4 stands apart */
            i = i / 7 * 8 + (i % 7 < 4 ? i % 7 : i % 7 + 1);
        b[at++] = (uint8_t)i;
    } else {
        unsigned i = address - 168;

        b[at++] = (uint8_t)(i / SIBS * 8 + 4);
        b[at++] = sibs[i % SIBS];
    }
    if (map == 4) { /* every byte where the opcode of 3DNow! can stand */
        uint8_t modrm = b[at - 1];

        if (modrm >= 0xc0)
            b[at] = (uint8_t)opcode;
        else
            memset(b + at, (int)opcode, 6);
    }
}

static void put_address(uint8_t *b, const uint8_t address[2], uint64_t salt)
{
    b[0] = address[0];
    fill_tail(b + 1, salt);
    if (address[0] < 0xc0 && (address[0] & 7) == 4)
        b[1] = address[1];
}

static const uint8_t few_vvvv[] = { 0, 15, 7, 10 };

/* C4 and 8F: three bytes and the opcode. */
static void vex_case(uint64_t n, uint64_t salt, const uint8_t *maps, const uint8_t *rxb, uint8_t *b)
{
    unsigned address = digit(&n, FEW), opcode = digit(&n, 256), pp = digit(&n, 4);
    unsigned l = digit(&n, 2), w = digit(&n, 2), vvvv = digit(&n, 4), x = digit(&n, 4);

    b[1] = (uint8_t)(rxb[x] | maps[n]);
    b[2] = (uint8_t)(w << 7 | (unsigned)few_vvvv[vvvv] << 3 | l << 2 | pp);
    b[3] = (uint8_t)opcode;
    put_address(b + 4, few[address], salt);
}

static void evex_case(uint64_t n, uint64_t salt, const uint8_t *rxbr, uint8_t *b)
{
    unsigned address = digit(&n, FEWER), opcode = digit(&n, 256), pp = digit(&n, 4);
    unsigned ll = digit(&n, 4), w = digit(&n, 2), vvvv = digit(&n, 4), x = digit(&n, 4);
    unsigned z = digit(&n, 2), bcst = digit(&n, 2), aaa = digit(&n, 2);

    b[1] = (uint8_t)(rxbr[x] | n);
    b[2] = (uint8_t)(w << 7 | (vvvv == 0 ? 15u : few_vvvv[vvvv]) << 3 | 4 | pp);
    b[3] = (uint8_t)(z << 7 | ll << 5 | bcst << 4 | (vvvv < 2 ? 8u : 0) | (aaa ? 5 : 0));
    b[4] = (uint8_t)opcode;
    put_address(b + 5, fewer[address], salt);
}

void skeleton_case(unsigned mode, uint64_t n, uint8_t b[CASE_BYTES])
{
    static const uint8_t vex_maps[VEX_MAPS] = { 1, 2, 3, 0, 4, 5, 6, 7, 8, 31 };
    static const uint8_t xop_maps[XOP_MAPS] = { 8, 9, 10, 11, 15, 31 };
    /* inverted R, X, B (R'); outside 64-bit mode R and X must be 1, or it is LES, LDS, BOUND */
    static const uint8_t all[4] = { 0xe0, 0x00, 0x60, 0xa0 }, some[4] = { 0xe0, 0xc0, 0xe0, 0x40 };
    static const uint8_t all_r2[4] = { 0xf0, 0x00, 0x60, 0x90 };
    static const uint8_t some_r2[4] = { 0xf0, 0xc0, 0xd0, 0xe0 };
    uint8_t wide[2 * CASE_BYTES] = { 0 };
    uint64_t salt = n ^ n >> 7 ^ n >> 17, legacy = legacy_count(mode);

    if (n < legacy) {
        legacy_case(n, salt, wide);
    } else if ((n -= legacy) < C5_COUNT) {
        unsigned address = digit(&n, FEW);

        wide[0] = 0xc5;
        wide[2] = (uint8_t)digit(&n, 256);
        wide[1] = (uint8_t)n;
        put_address(wide + 3, few[address], salt);
    } else if ((n -= C5_COUNT) < VEX_MAPS * VEX_PER_MAP) {
        wide[0] = 0xc4;
        vex_case(n, salt, vex_maps, mode == 64 ? all : some, wide);
    } else if ((n -= VEX_MAPS * VEX_PER_MAP) < XOP_MAPS * VEX_PER_MAP) {
        wide[0] = 0x8f;
        vex_case(n, salt, xop_maps, all, wide);
    } else {
        wide[0] = 0x62;
        n -= XOP_MAPS * VEX_PER_MAP;
        evex_case(n, salt, mode == 64 ? all_r2 : some_r2, wide);
    }
    memcpy(b, wide, CASE_BYTES);
}

/* ---- random strings ---- */

/* Behind some prefixes: an escape, VEX, EVEX or XOP with a map that exists, then random bytes. */
static void structured(unsigned mode, uint64_t x, uint8_t *b)
{
    static const uint8_t prefixes[16] = { 0x66, 0x66, 0x67, 0xf2, 0xf2, 0xf3, 0xf3, 0xf0,
                                          0x64, 0x65, 0x2e, 0x3e, 0x26, 0x36, 0x67, 0x66 };
    static const uint8_t xop_maps[4] = { 8, 9, 10, 8 };
    static const uint8_t evex_maps[8] = { 1, 2, 3, 1, 2, 3, 5, 6 };
    unsigned n = 0, count = x & 3, kind = x >> 2 & 15;

    if ((x >> 6 & 63) == 0)
        count += 9; /* long enough for the limit of 15 */
    else if (kind > 7 && (x >> 6 & 3) != 0)
        count = 0; /* VEX, EVEX and XOP stand under few prefixes */
    for (x >>= 12; n < count; x = x >> 4 | x << 60)
        b[n++] = prefixes[x & 15];
    x >>= 8;
    if (mode == 64 && kind < 8 && (x & 1))
        b[n++] = (uint8_t)(0x40 | (x >> 1 & 15));
    if (kind >= 2 && kind < 8)
        b[n++] = 0x0f;
    if (kind == 5 || kind == 6)
        b[n++] = kind == 5 ? 0x38 : 0x3a;
    if (kind == 7 && (x >> 5 & 3) == 0)
        b[n++] = 0x0f;
    if (kind == 8) {
        b[n++] = 0xc5;
        b[n] |= mode == 64 ? 0 : 0xc0;
    } else if (kind == 9 || kind == 10) {
        b[n++] = 0xc4;
        b[n] = (uint8_t)((b[n] & 0xe0) | (mode == 64 ? 0u : 0xc0u) | (1 + (x >> 5) % 3));
    } else if (kind == 11) {
        b[n++] = 0x8f;
        b[n] = (uint8_t)((b[n] & 0xe0) | xop_maps[x >> 5 & 3]);
    } else if (kind > 11) {
        b[n++] = 0x62;
        b[n] = (uint8_t)((b[n] & 0xf0) | (mode == 64 ? 0u : 0xc0u) | evex_maps[x >> 5 & 7]);
        b[n + 1] |= 4;
        if (x >> 8 & 1) /* the common payload: nothing in vvvv, no mask */
            b[n + 1] |= 0x78, b[n + 2] = (uint8_t)((b[n + 2] & 0x70) | 8);
    }
}

void random_case(unsigned mode, uint64_t seed, uint64_t index, uint8_t b[CASE_BYTES])
{
    uint64_t state = seed ^ index * 0xd1342543de82ef95u, x = harness_random(&state),
             y = harness_random(&state), z = harness_random(&state);
    uint8_t wide[2 * CASE_BYTES] = { 0 };

    memcpy(wide, &x, 8);
    memcpy(wide + 8, &y, 8);
    if (z >> 63)
        structured(mode, z, wide);
    memcpy(b, wide, CASE_BYTES);
}
