/* SPDX-License-Identifier: MIT */
/* What tests/seal/ does with a quick cipher, on the back ends': every bit of a page that is out and
   of a context that is. */
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>
#include <svmcore/svmcore.h>

#include "../../harness.h"

enum { PAGES = 2, TEXT = 2696 };

static const uint8_t vm[SVMC_VM_ID_BYTES] = "virtual machine";
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;
static struct svmc_pages pages;
static struct svmc_contexts contexts;
static _Alignas(64) uint8_t keys[SVMC_KEYARENA_BYTES(1)], pool[16384];
static _Alignas(64) uint8_t page_memory[8192], context_memory[8192];
static uint8_t plain[SVMC_SEAL_PAGE_BYTES], text[SVMC_SEAL_PAGE_BYTES + SVMC_TAG_BYTES];
static uint8_t back[SVMC_SEAL_PAGE_BYTES], state[TEXT], blob[TEXT + SVMC_CONTEXT_HEADER_BYTES];

static bool begin(const struct svmc_crypto_ops *ops, uint32_t alg)
{
    const struct svmc_keyslots_config slots_config = { .crypto = ops, .slots = 5, .lanes = 2 };
    const struct svmc_sealer_config config = {
        .crypto = ops, .slots = &slots, .key = &key, .protect = SVMC_PROTECT_ALL, .alg = alg
    };
    const struct svmc_pages_config p = { &sealer, PAGES, 1, 2 };
    const struct svmc_contexts_config c = { &sealer, 1, TEXT, 2, 2 };

    return svmc_keyarena_init(&arena, ops, keys, sizeof keys) == SVMC_OK &&
           svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK &&
           svmc_keyslots_init(&slots, &slots_config, pool, sizeof pool) == SVMC_OK &&
           svmc_sealer_init(&sealer, &config) == SVMC_OK &&
           svmc_pages_init(&pages, &p, page_memory, sizeof page_memory) == SVMC_OK &&
           svmc_contexts_init(&contexts, &c, context_memory, sizeof context_memory) == SVMC_OK;
}

static bool is(const uint8_t *at, size_t n, uint8_t byte)
{
    while (n > 0 && at[n - 1] == byte)
        n--;
    return n == 0;
}

static enum svmc_seal_reason open_page(void)
{
    memset(back, 0xa5, sizeof back);
    return svmc_pages_open(&pages, 0, 1, text, text + SVMC_SEAL_PAGE_BYTES, back);
}

/* SE-20 */
static void flip_page(void)
{
    struct svmc_page_copy copy;
    unsigned missed = 0;

    memset(plain, 0x3c, sizeof plain);
    CHECK_EQ(svmc_pages_seal(&pages, 0, 1, plain, text, text + SVMC_SEAL_PAGE_BYTES, &copy),
             SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_publish(&pages, &copy), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_leave(&pages, 1), SVMC_SEAL_NONE);
    for (unsigned bit = 0; bit < sizeof text * 8; bit++) {
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
        missed += open_page() != SVMC_SEAL_TAG || !is(back, sizeof back, 0);
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(missed, 0);
    CHECK_EQ(open_page(), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain, sizeof back);
}

/* SE-26 SE-27 */
static void flip_context(void)
{
    const struct svmc_context_piece piece[] = { { state, 700 }, { state + 700, TEXT - 700 } };
    unsigned missed = 0;

    memset(state, 0x3c, sizeof state);
    CHECK_EQ(svmc_context_out(&contexts, 1, 0, piece, 2, blob, sizeof blob), SVMC_SEAL_NONE);
    CHECK(is(state, sizeof state, 0));
    for (unsigned bit = 0; bit < sizeof blob * 8; bit++) {
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        missed += svmc_context_in(&contexts, 1, 0, blob, sizeof blob, piece, 2) == SVMC_SEAL_NONE ||
                  !is(state, sizeof state, 0);
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(missed, 0);
    CHECK_EQ(svmc_context_in(&contexts, 1, 0, blob, sizeof blob, piece, 2), SVMC_SEAL_NONE);
    CHECK(is(state, sizeof state, 0x3c));
}

TEST(seal_ciphers, every_changed_bit_is_refused) /* SE-20 SE-26 */
{
    static const uint32_t alg[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305,
                                    SVMC_ALG_XCHACHA20_POLY1305 };

    REQUIRE(svmc_openssl_ops() && svmc_sodium_ops());
    for (unsigned a = 0; a < 5; a++) {
        const struct svmc_crypto_ops *ops = a < 3 ? svmc_sodium_ops() : svmc_openssl_ops();

        REQUIRE(begin(ops, alg[a % 3]), "%u", a);
        flip_page();
        flip_context();
        CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
        CHECK_EQ(svmc_contexts_drop(&contexts), SVMC_OK);
    }
}
