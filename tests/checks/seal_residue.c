/* SPDX-License-Identifier: MIT */
/*
 * Everything that handles keys and what they seal, and after each step a search for each key that
 * is gone, and for a canary of the plaintext where it must not be: KH-11, KS-10, SE-7, SE-12,
 * SE-20, SE-25, SE-26. The ciphers here leave nothing of their own (tests/port looks at those of
 * back ends). Exit status: 0: living secrets are found at home, and no others; 1: else; 77:
 * residue.h.
 */
#include <svmcore/seal_context.h>
#include <svmcore/seal_page.h>

#include "residue_crypto.h"

#define SLOTS  8u
#define CANARY (SVMC_SEAL_PAGE_BYTES - 48u) /* where it is in the page */

/* What may hold secrets. */
static struct {
    _Alignas(64) uint8_t arena[SVMC_KEYARENA_BYTES(3)], pool[16384];
    uint8_t page[SVMC_SEAL_PAGE_BYTES];
} held;

static struct svmc_keyarena arena;
static struct svmc_vmkey key, again;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;
static struct svmc_seal_use use;
static struct svmc_pages pages;
static struct svmc_contexts contexts;
static struct svmc_subkey_id id;
static _Alignas(64) uint8_t memory[32768];
static uint8_t sealed[8192], tag[SVMC_TAG_BYTES], blob[SVMC_VMKEY_BLOB_BYTES];
static unsigned canary;

/* ---- who lives --------------------------------------------------------------------------------*/

static void fault(enum fault at)
{
    (void)at; /* none here */
}

static void fill_page(void)
{
    for (unsigned i = 0; i < SVMC_SEAL_PAGE_BYTES; i++)
        held.page[i] = (uint8_t)(i * 7);
    unmask(canary, held.page + CANARY);
    alive[canary] = 1;
}

static void empty_page(void)
{
    wipe(held.page, sizeof held.page);
    alive[canary] = 0;
}

/* ---- steps ------------------------------------------------------------------------------------*/

static void make_key(void)
{
    const uint8_t vm[SVMC_VM_ID_BYTES] = "a virtual one";

    OK(svmc_keyarena_init(&arena, &crypto, held.arena, sizeof held.arena));
    OK(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B));
    alive[1] = alive[2] = 1;
}

static struct svmc_provider_key provider(uint8_t bytes[SVMC_DERIVE_KEY_BYTES])
{
    struct svmc_provider_key p = { .id = "a provider", .bytes = bytes };

    for (unsigned i = 0; i < SVMC_DERIVE_KEY_BYTES; i++)
        bytes[i] = (uint8_t)(i + 1);
    return p;
}

static void wrap(void)
{
    uint8_t bytes[SVMC_DERIVE_KEY_BYTES];
    const struct svmc_provider_key p = provider(bytes);

    OK(svmc_vmkey_wrap(&key, &p, SVMC_ALG_AES_256_GCM, blob));
}

static void unwrap(void)
{
    uint8_t bytes[SVMC_DERIVE_KEY_BYTES];
    const struct svmc_provider_key p = provider(bytes);

    OK(svmc_vmkey_unwrap(&again, &arena, key.priv.vm, &p, blob, sizeof blob));
}

static void unwrap_a_changed_one(void)
{
    uint8_t bytes[SVMC_DERIVE_KEY_BYTES];
    const struct svmc_provider_key p = provider(bytes);

    blob[SVMC_VMKEY_BLOB_BYTES - 1] ^= 1;
    must(svmc_vmkey_unwrap(&again, &arena, key.priv.vm, &p, blob, sizeof blob) != SVMC_OK, "no");
    blob[SVMC_VMKEY_BLOB_BYTES - 1] ^= 1;
}

static void drop_the_copy(void)
{
    svmc_vmkey_drop(&again);
}

static void begin(void)
{
    must(svmc_seal_begin(&sealer, SVMC_KEY_IMAGE, 9, 9999, &use) == SVMC_SEAL_NONE, "begin");
    id = use.id;
}

static struct svmc_sealed_unit unit(const void *in, void *out)
{
    return (struct svmc_sealed_unit){
        .number = 1, .version = 1, .in = in, .out = out, .bytes = SVMC_SEAL_PAGE_BYTES, .tag = tag
    };
}

static void seal_a_unit(void)
{
    const struct svmc_sealed_unit u = unit(held.page, sealed);

    fill_page();
    must(svmc_seal_unit(&sealer, 0, &use, &u) == SVMC_SEAL_NONE, "seal");
    empty_vectors();
}

static void open_it(void)
{
    const struct svmc_sealed_unit u = unit(sealed, held.page);

    must(svmc_open_unit(&sealer, 0, &use, &u) == SVMC_SEAL_NONE, "open");
    alive[canary] = 1;
    empty_vectors();
}

static void open_a_changed_one(void)
{
    const struct svmc_sealed_unit u = unit(sealed, held.page);

    tag[3] ^= 1;
    must(svmc_open_unit(&sealer, 0, &use, &u) == SVMC_SEAL_TAG, "tag");
    tag[3] ^= 1;
    alive[canary] = 0;
    empty_vectors();
}

static void end(void)
{
    OK(svmc_seal_end(&sealer, &use));
    subkeys_die();
}

static void find(void)
{
    must(svmc_seal_find(&sealer, SVMC_KEY_IMAGE, SVMC_ALG_AES_256_GCM, &id, &use) == SVMC_SEAL_NONE,
         "find");
}

static void begin_pages(void)
{
    const struct svmc_pages_config c = { .sealer = &sealer, .pages = 4, .lanes = 1, .subkeys = 2 };

    OK(svmc_pages_init(&pages, &c, memory, sizeof memory));
}

static void page_out(void)
{
    struct svmc_page_copy copy;

    fill_page();
    must(svmc_pages_seal(&pages, 0, 2, held.page, sealed, tag, &copy) == SVMC_SEAL_NONE &&
             svmc_pages_publish(&pages, &copy) == SVMC_SEAL_NONE &&
             svmc_pages_leave(&pages, 2) == SVMC_SEAL_NONE,
         "page out");
    empty_page();
    empty_vectors();
}

static void page_in(void)
{
    must(svmc_pages_open(&pages, 0, 2, sealed, tag, held.page) == SVMC_SEAL_NONE, "page in");
    alive[canary] = 1;
    empty_vectors();
}

static void a_changed_page_in(void)
{
    tag[0] ^= 4;
    must(svmc_pages_open(&pages, 0, 2, sealed, tag, held.page) == SVMC_SEAL_TAG, "page in");
    tag[0] ^= 4;
    empty_vectors();
}

static void end_pages(void)
{
    empty_page();
    OK(svmc_pages_drop(&pages));
    subkeys_die();
}

static const struct svmc_context_piece pieces[2] = { { held.page, 1000 },
                                                     { held.page + CANARY - 9, 48 } };
#define CONTEXT_BYTES 1048u

static void begin_contexts(void)
{
    const struct svmc_contexts_config c = {
        .sealer = &sealer, .vcpus = 2, .bytes = CONTEXT_BYTES, .lanes = 1, .subkeys = 2
    };

    OK(svmc_contexts_init(&contexts, &c, memory, sizeof memory));
}

static void context_out(void)
{
    fill_page();
    must(svmc_context_out(&contexts, 0, 1, pieces, 2, sealed,
                          svmc_context_blob_bytes(&contexts, CONTEXT_BYTES)) == SVMC_SEAL_NONE,
         "context out");
    alive[canary] = 0; /* SE-25 */
    empty_vectors();
}

static void context_in(void)
{
    must(svmc_context_in(&contexts, 0, 1, sealed, svmc_context_blob_bytes(&contexts, CONTEXT_BYTES),
                         pieces, 2) == SVMC_SEAL_NONE,
         "context in");
    alive[canary] = 1;
    empty_vectors();
}

static void a_changed_context_in(void)
{
    sealed[CONTEXT_BYTES] ^= 1;
    must(svmc_context_in(&contexts, 0, 1, sealed, svmc_context_blob_bytes(&contexts, CONTEXT_BYTES),
                         pieces, 2) == SVMC_SEAL_TAG,
         "context in");
    sealed[CONTEXT_BYTES] ^= 1;
    empty_vectors();
}

static void end_contexts(void)
{
    empty_page();
    OK(svmc_contexts_drop(&contexts));
    subkeys_die();
}

/* What a host does when it dies: whoever uses it. */
static void crash(void)
{
    svmc_keyslots_drop(&slots);
    svmc_keyarena_drop(&arena);
    for (unsigned n = 0; n < drawn; n++)
        alive[n] = 0;
    empty_page();
}

static void drop_keys(void)
{
    svmc_vmkey_drop(&key);
    alive[1] = alive[2] = 0;
}

/* ---- all of it --------------------------------------------------------------------------------*/

/* The self-test is libsodium's; then the table that leaves nothing. */
static void start(void)
{
    const struct svmc_keyslots_config pool = { .crypto = &crypto, .slots = SLOTS, .lanes = 2 };
    struct svmc_sealer_config config = { .crypto = &crypto,
                                         .slots = &slots,
                                         .key = &key,
                                         .domain = 1,
                                         .protect = SVMC_PROTECT_ALL,
                                         .alg = SVMC_ALG_AES_256_GCM };

    begin_crypto();
    OK(svmc_keyslots_init(&slots, &pool, held.pool, sizeof held.pool));
    OK(svmc_sealer_init(&sealer, &config));
    replace_crypto();
    home = (uintptr_t)&held;
    home_bytes = sizeof held;
    make_secret(held.page + CANARY); /* canary: secret 0; the VM's key: 1 and 2 */
    wipe(held.page, sizeof held.page);
    halves = 3;
}

int main(void)
{
    start();
    now("make a key", make_key);
    now("wrap", wrap);
    now("unwrap", unwrap);
    now("drop a copy", drop_the_copy);
    now("unwrap what was changed", unwrap_a_changed_one);
    now("begin", begin);
    now("seal a unit", seal_a_unit);
    now("wipe the page", empty_page);
    now("open it", open_it);
    now("open what was changed, over it", open_a_changed_one);
    now("end", end);
    now("find", find);
    now("open it again", open_it);
    now("end with it open", end);
    now("wipe the page again", empty_page);
    now("begin pages", begin_pages);
    now("a page out", page_out);
    now("a changed page in", a_changed_page_in);
    now("a page in", page_in);
    now("end pages", end_pages);
    now("begin contexts", begin_contexts);
    now("a context out", context_out);
    now("a changed context in", a_changed_context_in);
    now("a context in", context_in);
    now("a context out again", context_out);
    now("end contexts", end_contexts);
    now("begin again", begin);
    now("seal again", seal_a_unit);
    now("drop the key", drop_keys);
    now("crash", crash);
    printf("%u secrets, %u steps that left something\n", drawn, failed);
    return failed != 0;
}
