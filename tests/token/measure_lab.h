/* SPDX-License-Identifier: MIT */
/**
 * A VM of a few pages around an object: memory, page tables of four levels, who calls, and a back
 * end whose MAC is quick and no good. Every callback is counted, and the k-th fails.
 */
#ifndef MEASURE_LAB_H
#define MEASURE_LAB_H
#include <stdlib.h>
#include <string.h>
#include <svmcore/measure.h>

#include "../fakehost/crypto.h"
#include "../random.h"

#define LAB_FRAMES 32u
#define LAB_PAGES  24u /* that can be measured */
#define LAB_RANGES 6u
#define LAB_VM     7u
#define LAB_ROOT   0x1000u
#define LAB_CODE   0x400000u /* linear addresses: frame n is at LAB_CODE + n pages */
#define LAB_LEVELS 4u
#define LAB_ISA    3u /* SVMC_ISA_X86_64 */

struct measure_lab {
    struct fake_crypto crypto; /* the first: it is the back end's ctx */
    struct svmc_measure_ops ops;
    struct svmc_measure m;
    struct svmc_measure_page pages[LAB_PAGES];
    struct svmc_measure_range ranges[LAB_RANGES];
    struct svmc_measure_room room;
    struct svmc_measure_config config;
    uint64_t memory[LAB_FRAMES][SVMC_MEASURE_PAGE_BYTES / 8];
    uint64_t table[LAB_LEVELS];               /* where the tables lie */
    uint64_t entry[LAB_FRAMES];               /* of the last table: frame | bits */
    uint64_t random;                          /* state of the back end's */
    uint32_t away;                            /* bit n: frame n is no memory */
    unsigned spans;                           /* asked for */
    uint64_t last_frame;                      /* of the last span */
    uint32_t seen;                            /* bit n: frame n was asked for */
    struct svmc_measure_walk lie;             /* with `lies`, what walk gives */
    int lies, crooked;                        /* crooked: spans that are not aligned */
    uint64_t *flip;                           /* changed by somebody else while the MAC is made */
    void (*on_walk)(struct measure_lab *lab); /* something that happens meanwhile */
};

static inline int lab_fails(struct measure_lab *lab)
{
    return ++lab->crypto.calls == lab->crypto.fail_at;
}

static inline uint64_t lab_turn(uint64_t x, uint64_t word)
{
    x = (x ^ word) * 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

static enum svmc_status lab_mac(void *ctx, uint32_t alg, const uint8_t *key,
                                const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    struct measure_lab *lab = ctx;
    uint64_t x[4], word;

    if (lab_fails(lab))
        return SVMC_ERR_CALLBACK;
    if (lab->flip) {
        *lab->flip ^= 1;
        lab->flip = NULL;
    }
    memcpy(x, key, sizeof x);
    x[0] += alg;
    for (size_t i = 0; i < pieces; i++)
        for (size_t n = 0; n < piece[i].bytes; n += 8) {
            memcpy(&word, (const uint8_t *)piece[i].at + n, 8);
            x[n / 8 % 4] = lab_turn(x[n / 8 % 4], word);
        }
    for (unsigned i = 0; i < 8; i++)
        x[i % 4] = lab_turn(x[i % 4], x[(i + 1) % 4]);
    memcpy(out, x, sizeof x);
    return SVMC_OK;
}

static enum svmc_status lab_random(void *ctx, void *dst, size_t n)
{
    struct measure_lab *lab = ctx;
    uint64_t word;

    if (lab_fails(lab))
        return SVMC_ERR_CALLBACK;
    for (size_t i = 0; i < n; i += 8) {
        word = harness_random(&lab->random);
        memcpy((uint8_t *)dst + i, &word, n - i < 8 ? n - i : 8);
    }
    return SVMC_OK;
}

static enum svmc_status lab_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    struct measure_lab *lab = ctx;
    uint64_t frame = at.v / SVMC_MEASURE_PAGE_BYTES;

    lab->spans++;
    lab->last_frame = frame;
    lab->seen |= frame < LAB_FRAMES ? 1u << frame : 0;
    if (lab_fails(lab))
        return SVMC_ERR_CALLBACK;
    if (n != SVMC_MEASURE_PAGE_BYTES || access != SVMC_ACCESS_READ ||
        at.v % SVMC_MEASURE_PAGE_BYTES != 0)
        return SVMC_ERR_ARG;
    *span = frame < LAB_FRAMES && !(lab->away >> frame & 1)
                ? (uint8_t *)lab->memory[frame] + (lab->crooked ? 4 : 0)
                : NULL;
    return SVMC_OK;
}

static enum svmc_status lab_walk(void *ctx, const struct svmc_token_caller *caller,
                                 struct svmc_measure_walk *out)
{
    struct measure_lab *lab = ctx;
    uint64_t n = (caller->page - LAB_CODE) / SVMC_MEASURE_PAGE_BYTES;

    if (lab_fails(lab))
        return SVMC_ERR_CALLBACK;
    if (lab->on_walk)
        lab->on_walk(lab);
    if (lab->lies) {
        *out = lab->lie;
        return SVMC_OK;
    }
    if (n >= LAB_FRAMES || !(lab->entry[n] & 1))
        return SVMC_OK;
    out->levels = LAB_LEVELS;
    for (unsigned i = 0; i < LAB_LEVELS; i++) {
        out->step[i].at = lab->table[i] + 8 * (i + 1 < LAB_LEVELS ? 1 : n);
        out->step[i].entry = i + 1 < LAB_LEVELS ? lab->table[i + 1] | 0x23 : lab->entry[n];
    }
    out->frame = lab->entry[n] - lab->entry[n] % SVMC_MEASURE_PAGE_BYTES;
    return SVMC_OK;
}

static inline uint64_t lab_at(unsigned frame)
{
    return (uint64_t)frame * SVMC_MEASURE_PAGE_BYTES;
}

static inline void lab_prepare(struct measure_lab *lab, uint32_t mac_alg)
{
    memset(lab, 0, sizeof *lab);
    fake_crypto_init(&lab->crypto);
    lab->ops = (struct svmc_measure_ops){ sizeof lab->ops, lab_span, lab_walk };
    lab->config = (struct svmc_measure_config){
        .crypto = &lab->crypto.ops,
        .ops = &lab->ops,
        .ctx = lab,
        .pages = lab->pages,
        .ranges = lab->ranges,
        .room = &lab->room,
        .page_count = LAB_PAGES,
        .range_count = LAB_RANGES,
        .vm = LAB_VM,
        .ignore = SVMC_MEASURE_IGNORE_X86,
        .mac_alg = mac_alg,
    };
    for (unsigned f = 0; f < LAB_FRAMES; f++) {
        lab->entry[f] = lab_at(f) | 0x25;
        for (unsigned i = 0; i < SVMC_MEASURE_PAGE_BYTES / 8; i++)
            lab->memory[f][i] = f % 2 ? 0x1111 * f + i : 0x55; /* the even ones are the same */
    }
    for (unsigned i = 0; i < LAB_LEVELS; i++)
        lab->table[i] = lab_at(100 + i);
}

/* The quick one, that draws from `seed`. */
static inline void lab_start(struct measure_lab *lab, uint64_t seed)
{
    lab_prepare(lab, SVMC_ALG_MAC_BLAKE2B_256);
    lab->random = seed;
    lab->crypto.ops.mac = lab_mac;
    lab->crypto.ops.random = lab_random;
    if (svmc_measure_init(&lab->m, &lab->config) != SVMC_OK)
        abort();
    lab->crypto.calls = 0;
}

/* A caller in page `frame` of process `root`. */
static inline struct svmc_token_caller lab_caller(uint64_t root, unsigned frame)
{
    return (struct svmc_token_caller){ .vm = LAB_VM,
                                       .vm_generation = 1,
                                       .stage2_generation = 1,
                                       .root = root,
                                       .page = LAB_CODE + lab_at(frame),
                                       .frame = lab_at(frame),
                                       .isa = LAB_ISA,
                                       .user = 1 };
}

static inline void lab_keep(struct measure_lab *was, const struct measure_lab *lab)
{
    was->m = lab->m;
    memcpy(was->ranges, lab->ranges, sizeof was->ranges);
    memcpy(was->pages, lab->pages, sizeof was->pages);
}

/* Whether all that counts is as it was kept; what lies in a slot that nobody uses does not. */
static inline int lab_same(const struct measure_lab *lab, const struct measure_lab *was)
{
    int same = memcmp(&lab->m, &was->m, sizeof lab->m) == 0 &&
               memcmp(lab->ranges, was->ranges, sizeof lab->ranges) == 0;

    for (unsigned i = 0; i < LAB_PAGES; i++) {
        const struct svmc_measure_page *a = &lab->pages[i], *b = &was->pages[i];

        same &= a->priv.state == b->priv.state && a->priv.order == b->priv.order &&
                a->priv.place == b->priv.place && a->priv.head == b->priv.head &&
                (a->priv.state == 0 || memcmp(a, b, sizeof *a) == 0);
    }
    return same;
}

/* Measure frames first to first + count - 1; code with the digest that is right. */
static inline enum svmc_status lab_add(struct measure_lab *lab, unsigned first, uint32_t count,
                                       uint32_t token, int code, uint32_t *range,
                                       enum svmc_measure_why *why)
{
    struct svmc_token_caller caller = lab_caller(LAB_ROOT + 0x1000 * token, first);
    uint8_t digest[SVMC_HASH_BYTES] = { 0 };
    svmc_gpa frames[LAB_FRAMES];
    struct svmc_measure_spec spec = {
        .frames = frames, .count = count, .token = token, .caller = &caller
    };

    for (uint32_t i = 0; i < count && i < LAB_FRAMES; i++)
        frames[i].v = lab_at(first + i);
    if (code && first + count <= LAB_FRAMES) {
        fake_blake2b(digest, sizeof digest, NULL, 0, (const uint8_t *)lab->memory[first],
                     count * SVMC_MEASURE_PAGE_BYTES);
        spec.digest = digest;
        spec.digest_alg = SVMC_ALG_BLAKE2B_256;
        spec.code = 1;
    }
    return svmc_measure_add(&lab->m, &spec, range, why);
}

#endif
