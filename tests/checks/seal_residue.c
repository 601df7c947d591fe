/* SPDX-License-Identifier: MIT */
/*
 * Everything that handles keys and what they seal, and after each step a search for each key that
 * is gone, and for a canary of the plaintext where it must not be: KH-11, KS-10, SE-7, SE-12,
 * SE-20, SE-25, SE-26. The ciphers here leave nothing of their own (tests/port looks at those of
 * back ends). Exit status: 0: living secrets are found at home, and no others; 1: else; 77:
 * residue.h.
 */
#include <svmcore/port/sodium.h>
#include <svmcore/seal_context.h>
#include <svmcore/seal_page.h>

#include "../../src/core/bytes.h"
#include "residue.h"

#define SLOTS   8u
#define SUBKEYS 16u
#define CANARY  (SVMC_PAGE_BYTES - 48u) /* where it is in the page */

/* What may hold secrets. */
static struct {
    _Alignas(64) uint8_t arena[SVMC_KEYARENA_BYTES(3)], pool[16384];
    uint8_t page[SVMC_PAGE_BYTES];
} held;

static struct svmc_crypto_ops crypto;
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
static uint64_t known[SUBKEYS];
static unsigned subkey[SUBKEYS], subkeys, canary, before;

/* ---- a table that leaves nothing --------------------------------------------------------------*/

/* The words of text that a copy leaves in vector registers are the caller's: CR-11. */
static void empty_vectors(void)
{
    __asm__ volatile("pxor %%xmm0,%%xmm0\n\tpxor %%xmm1,%%xmm1\n\tpxor %%xmm2,%%xmm2\n\t"
                     "pxor %%xmm3,%%xmm3\n\tpxor %%xmm4,%%xmm4\n\tpxor %%xmm5,%%xmm5\n\t"
                     "pxor %%xmm6,%%xmm6\n\tpxor %%xmm7,%%xmm7\n\tpxor %%xmm8,%%xmm8\n\t"
                     "pxor %%xmm9,%%xmm9\n\tpxor %%xmm10,%%xmm10\n\tpxor %%xmm11,%%xmm11\n\t"
                     "pxor %%xmm12,%%xmm12\n\tpxor %%xmm13,%%xmm13\n\tpxor %%xmm14,%%xmm14\n\t"
                     "pxor %%xmm15,%%xmm15"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* A key is two secrets; other random numbers are none. */
static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    if (n == SVMC_VMKEY_BYTES) {
        make_secret(dst);
        make_secret((uint8_t *)dst + SECRET_BYTES);
        return SVMC_OK;
    }
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)harness_random(&rng);
    return SVMC_OK;
}

static uint64_t sum_of(uint64_t sum, const void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ ((const uint8_t *)at)[i]) * 0x100000001b3u;
    return sum;
}

/*
 * The same bytes for the same pieces: four secrets, but for what a wrapped key shows of them
 * (KH-2): a check value, the first 16, and a commitment, the second half. These are other bytes.
 */
static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *from,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    const uint8_t label = ((const uint8_t *)piece[0].at)[9]; /* of "svmcore ?..." */
    const unsigned shown = label == 'h' ? 1 : label == 'r' ? 12 : 0;
    uint64_t sum = alg;
    unsigned n = 0;

    (void)ctx, (void)from;
    for (size_t i = 0; i < pieces; i++)
        sum = sum_of(sum, piece[i].at, piece[i].bytes);
    while (n < subkeys && known[n] != sum)
        n++;
    must(n < SUBKEYS, "room for subkeys");
    if (n == subkeys) {
        known[n] = sum;
        subkey[n] = drawn;
        subkeys++;
        for (unsigned i = 0; i < 4; i++)
            make_secret(out + i * SECRET_BYTES);
    }
    for (unsigned i = 0; i < 4; i++) {
        unmask(subkey[n] + i, out + i * SECRET_BYTES);
        for (unsigned b = 0; b < SECRET_BYTES && (shown >> i & 1); b++)
            out[i * SECRET_BYTES + b] ^= 0x5a;
    }
    return SVMC_OK;
}

static enum svmc_status load(void *ctx, struct svmc_cipher_key *room, uint32_t alg,
                             const uint8_t *bytes, uint32_t lanes)
{
    (void)ctx, (void)alg, (void)lanes;
    for (unsigned i = 0; i < SVMC_DERIVE_KEY_BYTES; i++)
        ((volatile uint8_t *)room)[i] = bytes[i];
    return SVMC_OK;
}

static void drop(void *ctx, struct svmc_cipher_key *room)
{
    (void)ctx, (void)room;
}

static uint64_t mac_of(const struct svmc_cipher_key *room, const struct svmc_cipher_unit *u,
                       const void *text)
{
    uint64_t sum = sum_of(sum_of(1, room, SVMC_DERIVE_KEY_BYTES), u->nonce, 12);

    for (uint32_t i = 0; i < u->pieces; i++)
        sum = sum_of(sum, u->ad[i].at, u->ad[i].bytes);
    return sum_of(sum, text, u->n);
}

static void turn(const struct svmc_cipher_key *room, const struct svmc_cipher_unit *u)
{
    uint64_t seed = sum_of(sum_of(2, room, SVMC_DERIVE_KEY_BYTES), u->nonce, 12);

    for (size_t i = 0; i < u->n; i++)
        ((volatile uint8_t *)u->out)[i] =
            (uint8_t)(((const volatile uint8_t *)u->in)[i] ^ (harness_random(&seed) >> 13));
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *room,
                             const struct svmc_cipher_unit *u)
{
    (void)ctx;
    turn(room, u);
    core_store_le64(u->tag, mac_of(room, u, u->out));
    core_store_le64(u->tag + 8, 0);
    return SVMC_OK;
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *room,
                                  const struct svmc_cipher_unit *u)
{
    _Bool good =
        core_load_le64(u->tag) == mac_of(room, u, u->in) && core_load_le64(u->tag + 8) == 0;

    (void)ctx;
    turn(room, u); /* what is not verified may be there while the call runs */
    if (good)
        return SVMC_OK;
    wipe(u->out, u->n);
    return SVMC_ERR_AUTH;
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    (void)ctx;
    return memcmp(a, b, n) == 0 ? SVMC_OK : SVMC_ERR_AUTH;
}

static void wipe_it(void *ctx, void *at, size_t n)
{
    (void)ctx;
    wipe(at, n);
}

/* ---- who lives --------------------------------------------------------------------------------*/

/* Of each subkey that was derived since `before` the half that a slot has. */
static void subkeys_live(void)
{
    for (unsigned n = before; n < subkeys; n++)
        alive[subkey[n]] = alive[subkey[n] + 1] = 1;
}

static void subkeys_die(void)
{
    for (unsigned n = 0; n < subkeys; n++)
        alive[subkey[n]] = alive[subkey[n] + 1] = 0;
}

static void fill_page(void)
{
    for (unsigned i = 0; i < SVMC_PAGE_BYTES; i++)
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
    before = subkeys;
    must(svmc_seal_begin(&sealer, SVMC_KEY_IMAGE, 9, 9999, &use) == SVMC_SEAL_NONE, "begin");
    id = use.id;
    subkeys_live();
}

static struct svmc_sealed_unit unit(const void *in, void *out)
{
    return (struct svmc_sealed_unit){
        .number = 1, .version = 1, .in = in, .out = out, .bytes = SVMC_PAGE_BYTES, .tag = tag
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
    alive[subkey[subkeys - 1]] = alive[subkey[subkeys - 1] + 1] = 1;
}

static void begin_pages(void)
{
    const struct svmc_pages_config c = { .sealer = &sealer, .pages = 4, .lanes = 1, .subkeys = 2 };

    before = subkeys;
    OK(svmc_pages_init(&pages, &c, memory, sizeof memory));
    subkeys_live();
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

    before = subkeys;
    OK(svmc_contexts_init(&contexts, &c, memory, sizeof memory));
    subkeys_live();
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

    crypto = *svmc_sodium_ops();
    crypto.random = draw;
    OK(svmc_keyslots_init(&slots, &pool, held.pool, sizeof held.pool));
    OK(svmc_sealer_init(&sealer, &config));
    crypto.derive = derive;
    crypto.cipher_load = load;
    crypto.cipher_drop = drop;
    crypto.seal = seal;
    crypto.open = open_unit;
    crypto.equal = equal;
    crypto.wipe = wipe_it;
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
