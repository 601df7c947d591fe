/* SPDX-License-Identifier: MIT */
/*
 * token.scan: a page looked at by svmc_measure_scan, of 1024 in 64 a call, beside the keyed hash of
 * the same pages alone, both by libsodium's BLAKE2b. -hmac: the same by HMAC-SHA-256.
 * token.path: a way of four levels walked and compared (peer: the same walk alone).
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/port/sodium.h>
#include <svmcore/svmcore.h>

#include "../tests/random.h"
#include "figure.h"

#define PAGES  1024u
#define BUDGET 64u
#define PAGE   SVMC_MEASURE_PAGE_BYTES

static struct side {
    struct svmc_measure m;
    struct svmc_measure_page pages[PAGES];
    struct svmc_measure_range range;
    struct svmc_measure_room room;
    uint32_t alg;
} blake2b, hmac;
static const struct svmc_crypto_ops *crypto;
static uint64_t memory[PAGES][PAGE / 8], table[4][512];
static uint8_t sink;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static enum svmc_status guest_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    (void)ctx, (void)n, (void)access;
    *span = memory[at.v / PAGE % PAGES];
    return SVMC_OK;
}

static enum svmc_status walk(void *ctx, const struct svmc_token_caller *caller,
                             struct svmc_measure_walk *out)
{
    (void)ctx;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t n = (uint32_t)(caller->page >> (39 - 9 * i)) & 511;

        out->step[i].at = caller->root + i * PAGE + 8 * n;
        out->step[i].entry = table[i][n];
    }
    out->levels = 4;
    out->frame = out->step[3].entry & ~(uint64_t)(PAGE - 1);
    return SVMC_OK;
}

static const struct svmc_measure_ops ops = { sizeof ops, guest_span, walk };
static struct svmc_token_caller caller = { .vm = 1, .root = 0x100000, .page = 0x7f1234567000 };
static struct svmc_measure_path path;

static void prepare(struct side *s, uint32_t alg)
{
    static svmc_gpa frames[PAGES];
    static uint8_t digest[SVMC_HASH_BYTES];
    const struct svmc_measure_config config = { .crypto = crypto,
                                                .ops = &ops,
                                                .pages = s->pages,
                                                .ranges = &s->range,
                                                .room = &s->room,
                                                .page_count = PAGES,
                                                .range_count = 1,
                                                .vm = 1,
                                                .ignore = SVMC_MEASURE_IGNORE_X86,
                                                .mac_alg = alg };
    const struct svmc_measure_spec spec = { .frames = frames,
                                            .count = PAGES,
                                            .token = 1,
                                            .caller = &caller,
                                            .digest = digest,
                                            .digest_alg = SVMC_ALG_BLAKE2B_256,
                                            .code = 1 };
    uint32_t id;

    for (uint32_t i = 0; i < PAGES; i++)
        frames[i].v = (uint64_t)i * PAGE;
    must(svmc_crypto_hash(crypto, SVMC_ALG_BLAKE2B_256, memory, sizeof memory, digest));
    s->alg = alg;
    must(svmc_measure_init(&s->m, &config));
    must(svmc_measure_add(&s->m, &spec, &id, NULL));
}

static void scan(struct side *s)
{
    struct svmc_measure_stand out;

    for (uint32_t n = 0; n < PAGES; n += BUDGET) {
        must(svmc_measure_scan(&s->m, BUDGET, &out));
        if (out.looks != BUDGET || out.event.kind != SVMC_MEASURE_NOTHING)
            must(SVMC_ERR_AUTH);
    }
}

/* In the order in which they were last looked at: memory costs both the same. */
static void raw(struct side *s)
{
    uint8_t mac[SVMC_HASH_BYTES];

    for (uint32_t n = 0; n < PAGES; n++) {
        struct svmc_bytes piece = { memory[s->pages[n].priv.order], PAGE };

        must(crypto->mac(crypto->ctx, s->alg, s->m.priv.key, &piece, 1, mac));
        sink ^= mac[0];
    }
}

static void scan_blake2b(void)
{
    scan(&blake2b);
}

static void raw_blake2b(void)
{
    raw(&blake2b);
}

static void scan_hmac(void)
{
    scan(&hmac);
}

static void raw_hmac(void)
{
    raw(&hmac);
}

static void path_check(void)
{
    uint64_t frame;

    for (unsigned i = 0; i < PAGES; i++) {
        must(svmc_measure_path_check(&blake2b.m, &caller, &path, &frame, NULL));
        sink ^= (uint8_t)frame;
        __asm__ volatile("" : : : "memory");
    }
}

static void path_walk(void)
{
    struct svmc_measure_walk out;

    for (unsigned i = 0; i < PAGES; i++) {
        memset(&out, 0, sizeof out);
        must(walk(NULL, &caller, &out));
        sink ^= (uint8_t)out.frame;
        __asm__ volatile("" : : : "memory");
    }
}

int main(void)
{
    uint64_t rng = 1;

    crypto = svmc_sodium_ops();
    if (!crypto)
        must(SVMC_ERR_CALLBACK);
    for (uint32_t n = 0; n < PAGES; n++)
        for (uint32_t i = 0; i < PAGE / 8; i++)
            memory[n][i] = harness_random(&rng);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t n = 0; n < 512; n++)
            table[i][n] = (uint64_t)n * PAGE | 0x25;
    prepare(&blake2b, SVMC_ALG_MAC_BLAKE2B_256);
    prepare(&hmac, SVMC_ALG_HMAC_SHA_256);
    must(svmc_measure_path_take(&blake2b.m, &caller, &path, NULL));
    figure("token.scan", scan_blake2b, "raw-mac", raw_blake2b, 4, PAGES);
    figure("token.scan-hmac", scan_hmac, "raw-mac", raw_hmac, 2, PAGES);
    figure("token.path", path_check, "walk", path_walk, 20, PAGES);
    return 0;
}
