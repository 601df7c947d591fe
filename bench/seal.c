/* SPDX-License-Identifier: MIT */
/*
 * seal.page: a page sealed into the host's memory, published, left and opened again, beside the raw
 * AEAD of the same back end there and back; -sodium: with libsodium. seal.context: 8 KiB in four
 * pieces out and in, beside the same. seal.dirty-scan-64g: milliseconds for a clean bitmap of
 * 2^24 pages; -1-percent: with one page in a hundred dirty. seal.tree-get, -set: a counter in a
 * tree of 2^20 leaves that lies in memory of the host, four levels.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>
#include <svmcore/svmcore.h>

#include "../tests/random.h"
#include "figure.h"

enum { PAGES = 64, LANES = 2, CONTEXT = 8192, PIECES = 4 };

static const struct svmc_crypto_ops *crypto;
static struct svmc_keyarena arena;
static struct svmc_vmkey vm_key;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;
static struct svmc_pages pages, many;
static struct svmc_contexts contexts;
static uint8_t guest[PAGES][SVMC_SEAL_PAGE_BYTES] __attribute__((aligned(4096)));
static uint8_t store[PAGES][SVMC_SEAL_PAGE_BYTES] __attribute__((aligned(4096)));
static uint8_t tags[PAGES][SVMC_TAG_BYTES];
static uint8_t context[CONTEXT] __attribute__((aligned(64)));
static uint8_t blob[CONTEXT + SVMC_CONTEXT_HEADER_BYTES] __attribute__((aligned(64)));
static struct svmc_cipher_key raw_key __attribute__((aligned(64)));
static uint64_t sink;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static void may(enum svmc_seal_reason why)
{
    must(svmc_seal_status(why));
}

static void *room(size_t bytes)
{
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

/* A VM with this back end. */
static void prepare(const struct svmc_crypto_ops *ops)
{
    static const uint8_t vm[SVMC_VM_ID_BYTES] = "a virtual machin", key[32] = { 1, 2, 3 };
    const struct svmc_keyslots_config pool = { .crypto = ops, .slots = 16, .lanes = LANES };
    const struct svmc_sealer_config config = { .crypto = ops,
                                               .slots = &slots,
                                               .key = &vm_key,
                                               .domain = 1,
                                               .protect = SVMC_PROTECT_ALL,
                                               .alg = SVMC_ALG_AES_256_GCM };
    const struct svmc_pages_config p = { &sealer, PAGES, LANES, 2 };
    const struct svmc_contexts_config c = { &sealer, 4, CONTEXT, LANES, 2 };
    size_t bytes = svmc_keyslots_bytes(&pool);

    crypto = ops;
    must(svmc_keyarena_init(&arena, ops, room(4096), 4096));
    must(svmc_vmkey_create(&vm_key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B));
    must(svmc_keyslots_init(&slots, &pool, room(bytes), bytes));
    must(svmc_sealer_init(&sealer, &config));
    bytes = svmc_pages_bytes(&p);
    must(svmc_pages_init(&pages, &p, room(bytes), bytes));
    bytes = svmc_contexts_bytes(&c);
    must(svmc_contexts_init(&contexts, &c, room(bytes), bytes));
    must(ops->cipher_load(ops->ctx, &raw_key, SVMC_ALG_AES_256_GCM, key, LANES));
}

/* What the figures stand beside: n bytes there and back, with a nonce and nothing else. */
static void raw(uint8_t *plain, uint8_t *sealed, size_t n)
{
    static uint64_t nonce[2];
    uint8_t tag[SVMC_TAG_BYTES];
    struct svmc_cipher_unit u = {
        .nonce = (const uint8_t *)nonce, .in = plain, .out = sealed, .n = n, .tag = tag
    };

    nonce[0]++;
    must(crypto->seal(crypto->ctx, &raw_key, &u));
    u.in = sealed;
    u.out = plain;
    must(crypto->open(crypto->ctx, &raw_key, &u));
}

/* ---- pages -----------------------------------------------------------------------------------*/

static void page_turns(void)
{
    for (uint32_t p = 0; p < PAGES; p++) {
        struct svmc_page_copy copy;

        may(svmc_pages_seal(&pages, 0, p, guest[p], store[p], tags[p], &copy));
        may(svmc_pages_publish(&pages, &copy));
        may(svmc_pages_leave(&pages, p));
        may(svmc_pages_open(&pages, 0, p, store[p], tags[p], guest[p]));
    }
}

static void raw_pages(void)
{
    for (uint32_t p = 0; p < PAGES; p++)
        raw(guest[p], store[p], SVMC_SEAL_PAGE_BYTES);
}

/* ---- contexts --------------------------------------------------------------------------------*/

static void context_turns(void)
{
    struct svmc_context_piece piece[PIECES];

    for (uint32_t i = 0; i < PIECES; i++)
        piece[i] =
            (struct svmc_context_piece){ context + i * (CONTEXT / PIECES), CONTEXT / PIECES };
    for (uint32_t i = 0; i < PAGES; i++) {
        may(svmc_context_out(&contexts, 0, i % 4, piece, PIECES, blob, sizeof blob));
        may(svmc_context_in(&contexts, 0, i % 4, blob, sizeof blob, piece, PIECES));
    }
}

static void raw_contexts(void)
{
    for (uint32_t i = 0; i < PAGES; i++)
        raw(context, blob, CONTEXT);
}

/* ---- the bitmap ------------------------------------------------------------------------------*/

#define MANY ((uint64_t)1 << 24) /* pages of 64 GiB */

static double scan(void)
{
    double times[9];

    for (unsigned i = 0; i < 9; i++) {
        times[i] = figure_now();
        for (uint64_t at = 0; at < MANY; at++) {
            at = svmc_pages_next_dirty(&many, at);
            sink += at;
        }
        times[i] = figure_now() - times[i];
    }
    return figure_median(times, 9) / 1e6;
}

static void measure_scan(void)
{
    const struct svmc_pages_config config = { &sealer, MANY, 1, 2 };
    size_t bytes = svmc_pages_bytes(&config);
    uint64_t rng = 1;

    must(svmc_pages_init(&many, &config, room(bytes), bytes));
    memset(many.priv.dirty, 0, MANY / 8);
    figure_value("seal.dirty-scan-64g", scan(), "ms");
    for (uint64_t i = 0; i < MANY / 100; i++)
        svmc_pages_mark(&many, harness_random(&rng) % MANY, 1);
    figure_value("seal.dirty-scan-64g-1-percent", scan(), "ms");
}

/* ---- a tree of counters ----------------------------------------------------------------------*/

enum { TREE_LEAVES = 1 << 20, TREE_CALLS = 4096 };

static struct svmc_tree tree;

static double tree_calls(bool set)
{
    double times[9];
    uint64_t rng = 5, value;

    for (unsigned i = 0; i < 9; i++) {
        times[i] = figure_now();
        for (unsigned c = 0; c < TREE_CALLS; c++) {
            uint64_t leaf = harness_random(&rng) % TREE_LEAVES;

            if (set)
                may(svmc_tree_set(&tree, 0, leaf, c));
            else
                may(svmc_tree_get(&tree, 0, leaf, &value));
        }
        times[i] = (figure_now() - times[i]) / TREE_CALLS;
    }
    return figure_median(times, 9);
}

static void measure_tree(void)
{
    static uint8_t scratch[SVMC_TREE_LEVELS_MAX * SVMC_TREE_NODE_BYTES];
    size_t bytes = svmc_tree_node_bytes(TREE_LEAVES);
    const struct svmc_tree_config config = { &sealer, TREE_LEAVES, room(bytes), bytes, scratch };

    may(svmc_tree_init(&tree, &config));
    figure_value("seal.tree-set", tree_calls(true), "ns");
    figure_value("seal.tree-get", tree_calls(false), "ns");
}

int main(void)
{
    prepare(svmc_openssl_ops());
    figure("seal.page", page_turns, "raw-aead", raw_pages, 8, PAGES);
    figure("seal.context", context_turns, "raw-aead", raw_contexts, 8, PAGES);
    measure_scan();
    measure_tree();
    prepare(svmc_sodium_ops());
    figure("seal.page-sodium", page_turns, "raw-aead", raw_pages, 8, PAGES);
    figure("seal.context-sodium", context_turns, "raw-aead", raw_contexts, 8, PAGES);
    return sink == 1;
}
