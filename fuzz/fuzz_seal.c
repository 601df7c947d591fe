/* SPDX-License-Identifier: MIT */
/*
 * Whoever stores copies of pages, contexts of vCPUs and nodes of a tree gives back what he likes,
 * in any order, while the cipher fails. Traps when anything but the last one is taken, when what is
 * refused shows or changes anything, when a nonce comes twice, or when a key is left (SE-12, SE-18,
 * SE-20, SE-26, SE-30).
 */
#include <svmcore/svmcore.h>

#include "../tests/fakehost/crypto.h"
#include "../tests/random.h"
#include "input.h"

enum {
    PAGES = 3,
    VCPUS = 3,
    LEAVES = 70,
    KEPT = 4,
    TEXT = 24,
    BLOB = SVMC_CONTEXT_HEADER_BYTES + TEXT
};
enum { NODES = 4, NODE = SVMC_TREE_NODE_BYTES, STEPS = 48 };

/* ---- a cipher that is quick: a sum of all that goes in; it keeps no secret --------------------*/

static struct fake_crypto fake;
static struct svmc_crypto_ops ops;
static unsigned calls, fail_at, nonces;
static uint64_t seen[16 * STEPS];

static uint64_t mix(uint64_t sum, const void *at, size_t n)
{
    const uint8_t *p = at;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 0x100000001b3u;
    return harness_random(&sum);
}

static enum svmc_status work(struct svmc_cipher_key *key, const struct svmc_cipher_unit *u,
                             bool seal)
{
    uint64_t sum = mix(mix(1, key, sizeof *key), u->nonce, 12), stream = sum;
    const uint8_t *in = u->in;
    uint8_t *out = u->out, tag[SVMC_TAG_BYTES];

    if (seal) {
        for (unsigned i = 0; i < nonces; i++)
            require(seen[i] != sum);
        require(nonces < sizeof seen / sizeof seen[0]);
        seen[nonces++] = sum;
    }
    if (++calls == fail_at) {
        memset(out, 0xee, u->n);
        return SVMC_ERR_CALLBACK;
    }
    for (uint32_t i = 0; i < u->pieces; i++)
        sum = mix(sum, u->ad[i].at, u->ad[i].bytes);
    if (!seal)
        sum = mix(sum, in, u->n);
    for (size_t i = 0; i < u->n; i++)
        out[i] = (uint8_t)(in[i] ^ harness_random(&stream));
    if (seal)
        sum = mix(sum, out, u->n);
    memcpy(tag, &sum, 8);
    sum = harness_random(&sum);
    memcpy(tag + 8, &sum, 8);
    if (seal)
        memcpy(u->tag, tag, sizeof tag);
    else if (memcmp(u->tag, tag, sizeof tag) != 0) {
        memset(out, 0xcc, u->n); /* shows something: the library wipes it */
        return SVMC_ERR_AUTH;
    }
    return SVMC_OK;
}

static enum svmc_status quick_seal(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u)
{
    (void)ctx;
    return work(key, u, true);
}

static enum svmc_status quick_open(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u)
{
    (void)ctx;
    return work(key, u, false);
}

/* ---- a host ----------------------------------------------------------------------------------*/

static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;
static struct svmc_pages pages;
static struct svmc_contexts contexts;
static struct svmc_tree tree;
static _Alignas(64) uint8_t keys[SVMC_KEYARENA_BYTES(1)], pool[16384], page_memory[8192];
static _Alignas(64) uint8_t context_memory[1024];
static uint8_t scratch[SVMC_TREE_LEVELS_MAX * NODE], nodes[NODES][NODE], old_nodes[NODES][NODE];

struct copy {
    uint8_t text[SVMC_SEAL_PAGE_BYTES], tag[SVMC_TAG_BYTES];
};
static struct copy good_page[PAGES], kept_page[KEPT];
static uint8_t good_blob[VCPUS][BLOB], kept_blob[KEPT][BLOB];
static uint64_t page_is[PAGES], text_is[VCPUS], leaf_is[LEAVES];
static uint8_t page[SVMC_SEAL_PAGE_BYTES];

/* Once: the self-test wants the real cipher, which is slow. */
static void begin_sealer(void)
{
    static const uint8_t vm[SVMC_VM_ID_BYTES] = "fuzzed machine";
    const struct svmc_keyslots_config slots_config = { .crypto = &ops, .slots = 8, .lanes = 1 };
    const struct svmc_sealer_config config = { .crypto = &ops,
                                               .slots = &slots,
                                               .key = &key,
                                               .protect = SVMC_PROTECT_ALL,
                                               .alg = SVMC_ALG_CHACHA20_POLY1305 };

    fake_crypto_init(&fake);
    ops = fake.ops;
    require(svmc_keyarena_init(&arena, &ops, keys, sizeof keys) == SVMC_OK);
    require(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK);
    require(svmc_vmkey_limit(&key, 12, 12 * 257) == SVMC_OK);
    require(svmc_keyslots_init(&slots, &slots_config, pool, sizeof pool) == SVMC_OK);
    require(svmc_sealer_init(&sealer, &config) == SVMC_OK);
    ops.seal = quick_seal;
    ops.open = quick_open;
}

static void begin(void)
{
    const struct svmc_pages_config p = { &sealer, PAGES, 1, 2 };
    const struct svmc_contexts_config c = { &sealer, VCPUS, TEXT, 1, 2 };
    const struct svmc_tree_config t = { &sealer, LEAVES, nodes, sizeof nodes, scratch };

    if (!ops.seal)
        begin_sealer();
    (void)svmc_keyslots_recycle(&slots);
    svmc_sealer_key(&sealer, SVMC_KEY_ACTIVE, 15);
    require(svmc_sealer_renew(&sealer) == SVMC_OK);
    calls = fail_at = nonces = 0;
    require(svmc_pages_init(&pages, &p, page_memory, sizeof page_memory) == SVMC_OK);
    require(svmc_contexts_init(&contexts, &c, context_memory, sizeof context_memory) == SVMC_OK);
    memset(nodes, 0, sizeof nodes);
    memset(old_nodes, 0, sizeof old_nodes);
    memset(leaf_is, 0, sizeof leaf_is);
    memset(page_is, 0, sizeof page_is);
    memset(text_is, 0, sizeof text_is);
    require(svmc_tree_init(&tree, &t) == SVMC_SEAL_NONE);
    memset(kept_page, 0, sizeof kept_page);
    memset(kept_blob, 0, sizeof kept_blob);
    memset(good_page, 0, sizeof good_page);
    memset(good_blob, 0, sizeof good_blob);
}

/* ---- what it does ----------------------------------------------------------------------------*/

static void use_page(struct input *in)
{
    uint32_t p = take_byte(in) % (PAGES + 1), how = take_byte(in),
             state = svmc_pages_state(&pages, p);
    struct copy made;
    struct svmc_page_copy copy;
    enum svmc_seal_reason why;

    if (how % 4 == 0) { /* written */
        if (p < PAGES && state != SVMC_PAGE_OUT) {
            page_is[p] = take_byte(in);
            svmc_pages_mark(&pages, p, 1);
            require(svmc_pages_state(&pages, p) == SVMC_PAGE_DIRTY);
        }
    } else if (how % 4 == 1) { /* sealed */
        memset(page, (int)page_is[p % PAGES], sizeof page);
        why = svmc_pages_seal(&pages, 0, p, page, made.text, made.tag, &copy);
        require(why == SVMC_SEAL_NONE || svmc_pages_state(&pages, p) == state);
        if (why == SVMC_SEAL_BUDGET && svmc_pages_tend(&pages) == SVMC_SEAL_BUDGET)
            require(svmc_pages_next_old(&pages, 0) < PAGES);
        if (why != SVMC_SEAL_NONE)
            return;
        kept_page[how >> 4 & 3] = made;
        if (how & 4) {
            require(svmc_pages_abort(&pages, &copy) == SVMC_SEAL_NONE);
            require(svmc_pages_state(&pages, p) == state);
        } else {
            require(svmc_pages_publish(&pages, &copy) == SVMC_SEAL_NONE);
            good_page[p] = made;
        }
    } else if (how % 4 == 2) { /* leaves */
        why = how & 4 ? svmc_pages_forget(&pages, p) : svmc_pages_leave(&pages, p);
        require(how & 4 || (why == SVMC_SEAL_NONE) == (p < PAGES && state == SVMC_PAGE_CLEAN));
    } else { /* comes back with something */
        made = how & 8 ? good_page[p % PAGES] : kept_page[how >> 4 & 3];
        if (how & 4)
            made.text[take_byte(in)] ^= take_byte(in);
        memset(page, 0x55, sizeof page);
        why = svmc_pages_open(&pages, 0, p, made.text, made.tag, page);
        require(why != SVMC_SEAL_NONE ||
                (state == SVMC_PAGE_OUT && memcmp(&made, &good_page[p], sizeof made) == 0));
        for (size_t i = 0; i < sizeof page; i += 97)
            require(page[i] == (why == SVMC_SEAL_NONE ? page_is[p] : 0));
        require(why == SVMC_SEAL_NONE || svmc_pages_state(&pages, p) == state);
    }
}

static void use_context(struct input *in)
{
    uint32_t v = take_byte(in) % (VCPUS + 1), how = take_byte(in);
    uint32_t is_out = svmc_context_is_out(&contexts, v);
    uint8_t text[TEXT], blob[BLOB + 8];
    const struct svmc_context_piece piece[] = { { text, 5 }, { NULL, 0 }, { text + 5, TEXT - 5 } };
    enum svmc_seal_reason why;
    size_t bytes = BLOB;

    memset(blob, 0, sizeof blob);
    if (how & 1) {
        memset(text, how | 1, sizeof text);
        why = svmc_context_out(&contexts, 0, v, piece, 3, blob, BLOB);
        require(why != SVMC_SEAL_NONE || (v < VCPUS && !is_out));
        for (unsigned i = 0; i < TEXT; i++)
            require(text[i] == (why == SVMC_SEAL_NONE ? 0 : (how | 1)));
        if (why == SVMC_SEAL_BUDGET)
            (void)svmc_contexts_tend(&contexts);
        if (why != SVMC_SEAL_NONE)
            return;
        text_is[v] = how | 1;
        memcpy(good_blob[v], blob, BLOB);
        memcpy(kept_blob[how >> 4 & 3], blob, BLOB);
        return;
    }
    memcpy(blob, how & 8 ? good_blob[v % VCPUS] : kept_blob[how >> 4 & 3], BLOB);
    if (how & 2)
        blob[take_byte(in) % BLOB] ^= take_byte(in);
    if (how & 4)
        bytes = take_byte(in) % (BLOB + 8);
    memset(text, 0x55, sizeof text);
    why = svmc_context_in(&contexts, 0, v, blob, bytes, piece, 3);
    if (why == SVMC_SEAL_NONE)
        require(v < VCPUS && is_out && bytes == BLOB && memcmp(blob, good_blob[v], BLOB) == 0);
    else
        require(svmc_context_is_out(&contexts, v) == is_out);
    for (unsigned i = 0; i < TEXT; i++)
        require(text[i] == (why == SVMC_SEAL_NONE ? text_is[v] : 0x55));
}

static void use_tree(struct input *in)
{
    uint32_t leaf = take_byte(in) % (LEAVES + 1), how = take_byte(in);
    uint8_t was[NODE], *node = nodes[how >> 4 & 3];
    uint64_t value = 99;

    if (how & 1) {
        value = take_byte(in);
        if (svmc_tree_set(&tree, 0, leaf, value) == SVMC_SEAL_NONE)
            leaf_is[leaf] = value;
        return;
    }
    memcpy(was, node, NODE);
    if (how & 2)
        memcpy(node, old_nodes[how >> 4 & 3], NODE);
    if (how & 4)
        node[take_byte(in)] ^= take_byte(in);
    if (svmc_tree_get(&tree, 0, leaf, &value) == SVMC_SEAL_NONE)
        require(leaf < LEAVES && value == leaf_is[leaf]);
    else
        require(value == 0);
    memcpy(node, was, NODE);
    if (how & 8)
        memcpy(old_nodes, nodes, sizeof nodes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    begin();
    for (unsigned step = 0; step < STEPS && in.left > 0; step++) {
        uint8_t what = take_byte(&in);

        fail_at = what & 8 ? calls + 1 + (what >> 4 & 3) : 0;
        if (what % 4 == 0)
            use_page(&in);
        else if (what % 4 == 1)
            use_context(&in);
        else if (what % 4 == 2)
            use_tree(&in);
        else
            svmc_sealer_key(&sealer, what >> 4 == 1 ? SVMC_KEY_DEACTIVATED : SVMC_KEY_ACTIVE,
                            what >> 4 == 2 ? SVMC_KEY_MAY_SEAL : 15);
    }
    require(svmc_pages_drop(&pages) == SVMC_OK);
    require(svmc_contexts_drop(&contexts) == SVMC_OK);
    require(svmc_tree_drop(&tree) == SVMC_OK);
    require(fake.loaded == 0);
    return 0;
}
