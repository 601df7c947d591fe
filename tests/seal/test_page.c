/* SPDX-License-Identifier: MIT */
/* docs/spec/seal.md, pages: their way out and back, what a host may try with the copies, subkeys in
   turn, and a store that somebody else writes. */
#include "../../src/core/bytes.h"
#include "seal_lab.h"

#include <stdlib.h>
#include <svmcore/seal_page.h>

enum { PAGES = 70, BYTES = SVMC_SEAL_PAGE_BYTES };

/* Where a host keeps a copy. */
struct copy {
    uint8_t text[BYTES], tag[SVMC_TAG_BYTES];
};

static struct seal_lab lab;
static struct svmc_pages pages;
static struct svmc_page_copy copy;
static _Alignas(64) uint8_t memory[SEAL_LAB_LANES * BYTES + 64 * 128 + 16384];
static uint8_t plain[PAGES][BYTES], back[BYTES];
static struct copy store[PAGES], older, one;
static unsigned seals;

/* ---- who looks whether a nonce comes twice ---------------------------------------------------*/

enum { SEEN = 1 << 18 };
static uint64_t seen[SEEN];
static unsigned twice;

static void record(const uint8_t *key, const uint8_t *nonce)
{
    uint64_t sum = 0xcbf29ce484222325u, at;

    for (unsigned i = 0; i < 32 + 12; i++) {
        sum ^= i < 32 ? key[i] : nonce[i - 32];
        sum = harness_random(&sum);
    }
    seals++;
    sum |= 1;
    for (at = sum % SEEN; seen[at] != 0 && seen[at] != sum; at = (at + 1) % SEEN)
        ;
    twice += seen[at] == sum;
    seen[at] = sum;
}

/* ---- a guest ---------------------------------------------------------------------------------*/

static struct svmc_pages_config config_of(uint64_t count, uint32_t subkeys)
{
    return (struct svmc_pages_config){
        .sealer = &lab.sealer, .pages = count, .lanes = SEAL_LAB_LANES, .subkeys = subkeys
    };
}

static void begin_pages(uint64_t calls, uint32_t subkeys)
{
    struct svmc_pages_config config;

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    lab.crypto.toy.sealed = record;
    memset(seen, 0, sizeof seen);
    twice = seals = 0;
    if (calls != 0)
        CHECK_EQ(svmc_vmkey_limit(&lab.key, calls, calls * (BYTES / 16 + 1)), SVMC_OK);
    config = config_of(PAGES, subkeys);
    REQUIRE(svmc_pages_init(&pages, &config, memory, sizeof memory) == SVMC_OK);
    for (unsigned p = 0; p < PAGES; p++)
        memset(plain[p], (int)p + 1, BYTES);
    memset(store, 0xee, sizeof store);
}

static void begin(void)
{
    begin_pages(0, 2);
}

static enum svmc_seal_reason seal(uint64_t page, struct copy *to)
{
    return svmc_pages_seal(&pages, 1, page, plain[page % PAGES], to->text, to->tag, &copy);
}

/* Out, by whatever it takes. */
static enum svmc_seal_reason put_out(uint64_t page)
{
    enum svmc_seal_reason why = SVMC_SEAL_NONE;

    if (svmc_pages_state(&pages, page) == SVMC_PAGE_DIRTY) {
        why = seal(page, &store[page]);
        if (why == SVMC_SEAL_NONE)
            why = svmc_pages_publish(&pages, &copy);
    }
    return why == SVMC_SEAL_NONE ? svmc_pages_leave(&pages, page) : why;
}

static enum svmc_seal_reason open_from(uint64_t page, const struct copy *from)
{
    memset(back, 0xa5, sizeof back);
    return svmc_pages_open(&pages, 2, page, from->text, from->tag, back);
}

static void is_refused(uint64_t page, const struct copy *from, enum svmc_seal_reason want,
                       const char *what)
{
    CHECK_EQ(open_from(page, from), want, "%s", what);
    CHECK(seal_lab_is_zero(back, BYTES), "%s", what);
    CHECK_EQ(svmc_pages_state(&pages, page), SVMC_PAGE_OUT, "%s", what);
}

/* ---- setting up ------------------------------------------------------------------------------*/

TEST(pages, they_are_laid_out_all_dirty) /* SE-13 SE-15 */
{
    static const uint64_t counts[] = { 1, 63, 64, 65, PAGES };
    struct svmc_pages_config good, c;
    struct svmc_sealer unset = { .priv = { 0 } };
    struct svmc_pages none;

    begin();
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
    CHECK(seal_lab_is_empty(&lab));
    good = config_of(PAGES, 2);
    CHECK_EQ(svmc_pages_bytes(&good), SEAL_LAB_LANES * BYTES + 2 * 128 + 576 + 64);
    CHECK_EQ(svmc_pages_bytes(NULL), 0);
#define REFUSED(member, value, need)                                                        \
    do {                                                                                    \
        c = good;                                                                           \
        c.member = value;                                                                   \
        CHECK_EQ(svmc_pages_bytes(&c) == 0, (need) == 0, #member);                          \
        memset(&none, 0xa5, sizeof none);                                                   \
        CHECK_EQ(svmc_pages_init(&none, &c, memory, sizeof memory), SVMC_ERR_ARG, #member); \
        CHECK(seal_lab_is_zero(&none, sizeof none), #member);                               \
    } while (0)
    REFUSED(sealer, NULL, 1);
    REFUSED(pages, 0, 0);
    REFUSED(pages, SVMC_PAGES_MAX + 1, 0);
    REFUSED(pages, UINT64_MAX, 0);
    REFUSED(lanes, 0, 0);
    REFUSED(lanes, SEAL_LAB_LANES + 1, 1);
    REFUSED(subkeys, 1, 0);
    REFUSED(subkeys, SVMC_SEAL_TURN_MAX + 1, 0);
    REFUSED(sealer, &unset, 1);
    REFUSED(lanes, SVMC_KEYSLOT_LANES_MAX + 1, 0);
#undef REFUSED
    CHECK_EQ(svmc_pages_init(NULL, &good, memory, sizeof memory), SVMC_ERR_ARG);
    CHECK_EQ(svmc_pages_init(&none, &good, NULL, sizeof memory), SVMC_ERR_ARG);
    CHECK_EQ(svmc_pages_init(&none, &good, memory + 8, sizeof memory - 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_pages_init(&none, &good, memory, svmc_pages_bytes(&good) - 1), SVMC_ERR_FULL);
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        good.pages = counts[i];
        memset(memory, 0xa5, sizeof memory);
        CHECK_EQ(svmc_pages_init(&pages, &good, memory, svmc_pages_bytes(&good)), SVMC_OK);
        for (uint64_t p = 0; p < counts[i]; p++) {
            CHECK_EQ(svmc_pages_next_dirty(&pages, p), p);
            CHECK_EQ(svmc_pages_state(&pages, p), SVMC_PAGE_DIRTY);
        }
        CHECK_EQ(svmc_pages_next_dirty(&pages, counts[i]), counts[i]);
        CHECK_EQ(svmc_pages_next_dirty(&pages, UINT64_MAX), counts[i]);
        CHECK_EQ(svmc_pages_state(&pages, counts[i]), SVMC_PAGE_DIRTY);
        CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
    }
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK); /* {0} */
    CHECK_EQ(svmc_pages_drop(NULL), SVMC_ERR_ARG);
}

TEST(pages, a_beginning_that_fails_leaves_no_subkey) /* SE-13 */
{
    struct svmc_pages_config config;
    struct svmc_seal_use uses[SEAL_LAB_SLOTS - 1];

    begin();
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
    config = config_of(PAGES, 2);
    for (unsigned k = 1; k <= 2; k++) {
        lab.crypto.fake.fail_at = lab.crypto.fake.calls + k; /* a derivation */
        CHECK_EQ(svmc_pages_init(&pages, &config, memory, sizeof memory), SVMC_ERR_CALLBACK);
        CHECK(seal_lab_is_zero(&pages, sizeof pages));
        CHECK(seal_lab_is_empty(&lab));
    }
    for (unsigned i = 0; i < SEAL_LAB_SLOTS - 1; i++)
        CHECK_EQ(svmc_seal_begin(&lab.sealer, SVMC_KEY_DISK, 1, 1, &uses[i]), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_init(&pages, &config, memory, sizeof memory), SVMC_ERR_FULL);
    lab.sealer.priv.protect = 0;
    CHECK_EQ(svmc_pages_init(&pages, &config, memory, sizeof memory), SVMC_ERR_REFUSED);
    CHECK_EQ(lab.crypto.toy.loaded, SEAL_LAB_SLOTS - 1);
}

/* ---- which are dirty -------------------------------------------------------------------------*/

TEST(pages, the_bitmap_is_a_bitmap) /* SE-14 SE-15 */
{
    uint64_t random = harness_seed();

    for (unsigned round = 0; round < 300; round++) {
        uint64_t count = 1 + harness_random(&random) % 1200, log[24];
        struct svmc_pages_config config;
        bool dirty[1280] = { 0 };
        uint64_t at, want;

        if (round == 0)
            begin();
        CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
        config = config_of(count, 2);
        REQUIRE(svmc_pages_init(&pages, &config, memory, sizeof memory) == SVMC_OK);
        memset(pages.priv.dirty, 0, (count + 63) / 64 * 8);
        for (unsigned i = harness_random(&random) % 4; i > 0; i--) {
            uint64_t first = harness_random(&random) % (count + 9);
            uint64_t n = harness_random(&random) % (i == 2 ? 2 : 200);

            n = harness_random(&random) % 16 == 0 ? UINT64_MAX - n : n;
            svmc_pages_mark(&pages, first, n);
            for (at = first; at < count && at - first < n; at++)
                dirty[at] = true;
        }
        for (unsigned i = 0; i < 24; i++)
            log[i] = harness_random(&random) % 3 ? 0 : (uint64_t)1 << harness_random(&random) % 64;
        if (round % 3 == 0) {
            uint64_t first = harness_random(&random) % 20 * 64;

            svmc_pages_log(&pages, first, log, 24);
            svmc_pages_log(&pages, first + 1, log, 24); /* no multiple of 64: nothing */
            for (at = 0; at < 24 * 64 && first + at < count; at++)
                if (log[at / 64] >> at % 64 & 1)
                    dirty[first + at] = true;
        }
        for (at = 0; at <= count; at++) {
            for (want = at; want < count && !dirty[want]; want++)
                ;
            CHECK_EQ(svmc_pages_next_dirty(&pages, at), want, "%u", round);
        }
    }
    svmc_pages_mark(NULL, 0, 1);
    svmc_pages_log(NULL, 0, NULL, 1);
    svmc_pages_log(&pages, 0, NULL, 1);
    CHECK_EQ(svmc_pages_next_dirty(NULL, 0), 0);
}

/* ---- out and back ----------------------------------------------------------------------------*/

TEST(pages, a_page_leaves_and_comes_back) /* SE-16 SE-17 SE-19 SE-20 */
{
    begin();
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_STATE); /* there is no copy */
    CHECK_EQ(seal(3, &store[3]), SVMC_SEAL_NONE);
    CHECK(memcmp(store[3].text, plain[3], 64) != 0);
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_BUSY); /* it is not published */
    CHECK_EQ(svmc_pages_publish(&pages, &copy), SVMC_SEAL_NONE);
    CHECK(seal_lab_is_zero(&copy, sizeof copy));
    CHECK_EQ(svmc_pages_state(&pages, 3), SVMC_PAGE_CLEAN);
    CHECK_EQ(open_from(3, &store[3]), SVMC_SEAL_STATE); /* it is in use */
    CHECK(seal_lab_is_zero(back, BYTES));
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_state(&pages, 3), SVMC_PAGE_OUT);
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_STATE);
    CHECK_EQ(seal(3, &one), SVMC_SEAL_STATE);
    CHECK_EQ(open_from(3, &store[3]), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain[3], BYTES);
    CHECK_EQ(svmc_pages_state(&pages, 3), SVMC_PAGE_CLEAN);
    CHECK_EQ(seals, 1); /* a clean page is not sealed again */
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_NONE);
    one = store[3]; /* in place */
    CHECK_EQ(svmc_pages_open(&pages, 0, 3, one.text, one.tag, one.text), SVMC_SEAL_NONE);
    CHECK_MEM(one.text, plain[3], BYTES);
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_NONE);
    CHECK_EQ(open_from(3, &store[3]), SVMC_SEAL_NONE);
    CHECK_EQ(seals, 1);
    svmc_pages_mark(&pages, 3, 1);
    CHECK_EQ(svmc_pages_state(&pages, 3), SVMC_PAGE_DIRTY);
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_STATE); /* its copy is not what it is */
    CHECK_EQ(put_out(3), SVMC_SEAL_NONE);
    CHECK_EQ(seals, 2);
    CHECK_EQ(twice, 0);
}

static void write_meanwhile(void)
{
    lab.crypto.toy.between = NULL;
    svmc_pages_mark(&pages, 3, 1);
    CHECK_EQ(
        svmc_pages_seal(&pages, 2, 3, plain[3], one.text, one.tag, &(struct svmc_page_copy){ 0 }),
        SVMC_SEAL_BUSY);
    CHECK_EQ(svmc_pages_forget(&pages, 3), SVMC_SEAL_BUSY);
}

TEST(pages, what_is_written_meanwhile_is_dirty) /* SE-14 SE-16 */
{
    begin();
    lab.crypto.toy.between = write_meanwhile;
    CHECK_EQ(seal(3, &store[3]), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_publish(&pages, &copy), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_state(&pages, 3), SVMC_PAGE_DIRTY);
    CHECK_EQ(svmc_pages_leave(&pages, 3), SVMC_SEAL_STATE);
    CHECK_EQ(put_out(3), SVMC_SEAL_NONE);
}

TEST(pages, a_copy_is_a_unit_of_the_sealer) /* SE-17 */
{
    struct svmc_subkey_id id = { .index = 0 };
    struct svmc_sealed_unit u;
    struct svmc_seal_use use;

    begin();
    lab.crypto.is_quick = false; /* the real one */
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
    lab.crypto.toy.loaded = 0;
    CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_OK);
    REQUIRE(svmc_pages_init(&pages, &(struct svmc_pages_config){ &lab.sealer, PAGES, 4, 2 }, memory,
                            sizeof memory) == SVMC_OK);
    CHECK_EQ(seal(3, &store[3]), SVMC_SEAL_NONE);
    CHECK_EQ(seal(69, &store[69]), SVMC_SEAL_NONE);
    memcpy(id.epoch, lab.key.priv.epoch, sizeof id.epoch);
    REQUIRE(svmc_seal_find(&lab.sealer, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, &id, &use) ==
            SVMC_SEAL_NONE);
    u = (struct svmc_sealed_unit){ .number = 69,
                                   .version = 2,
                                   .in = store[69].text,
                                   .out = back,
                                   .bytes = BYTES,
                                   .tag = store[69].tag };
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain[69], BYTES);
}

/* ---- what a host may try ---------------------------------------------------------------------*/

TEST(pages, only_the_last_copy_of_this_page_is_one) /* SE-20 SE-18 */
{
    struct copy mixed;

    begin();
    for (unsigned p = 0; p < 4; p++)
        CHECK_EQ(put_out(p), SVMC_SEAL_NONE);
    is_refused(1, &store[2], SVMC_SEAL_TAG, "another page's");
    older = store[1];
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    svmc_pages_mark(&pages, 1, 1);
    CHECK_EQ(put_out(1), SVMC_SEAL_NONE);
    is_refused(1, &older, SVMC_SEAL_TAG, "older"); /* though it is the same page */
    mixed = store[1];
    memcpy(mixed.tag, older.tag, sizeof older.tag);
    is_refused(1, &mixed, SVMC_SEAL_TAG, "an older tag");
    mixed = older;
    memcpy(mixed.tag, store[1].tag, sizeof older.tag);
    is_refused(1, &mixed, SVMC_SEAL_TAG, "an older text");
    memcpy(mixed.text, store[1].text, BYTES / 2);
    is_refused(1, &mixed, SVMC_SEAL_TAG, "half of it");
    memset(&mixed, 0, sizeof mixed);
    is_refused(1, &mixed, SVMC_SEAL_TAG, "zeros");
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain[1], BYTES);
    svmc_sealer_key(&lab.sealer, SVMC_KEY_COMPROMISED, 15);
    is_refused(2, &store[2], SVMC_SEAL_KEY_STATE, "state");
    svmc_sealer_key(&lab.sealer, SVMC_KEY_ACTIVE, 15);
    CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_OK);
    is_refused(2, &store[2], SVMC_SEAL_EPOCH, "an older epoch's");
    CHECK_EQ(seal(1, &one), SVMC_SEAL_EPOCH);
}

TEST(pages, no_bit_of_a_copy_can_change) /* SE-20 */
{
    unsigned missed = 0;

    begin();
    CHECK_EQ(put_out(5), SVMC_SEAL_NONE);
    for (unsigned bit = 0; bit < (BYTES + SVMC_TAG_BYTES) * 8; bit++) {
        uint8_t *at = bit < BYTES * 8 ? store[5].text + bit / 8 : store[5].tag + (bit / 8 - BYTES);

        *at ^= (uint8_t)(1u << bit % 8);
        missed += open_from(5, &store[5]) != SVMC_SEAL_TAG || !seal_lab_is_zero(back, BYTES);
        *at ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(missed, 0);
    CHECK_EQ(open_from(5, &store[5]), SVMC_SEAL_NONE);
}

static struct copy *watched;

static void change_meanwhile(void)
{
    lab.crypto.toy.between = NULL;
    memset(watched->text, 0x66, BYTES);
    memset(watched->tag, 0x66, SVMC_TAG_BYTES);
}

TEST(pages, a_store_that_changes_meanwhile_is_read_once) /* SE-17 SE-20 */
{
    begin();
    CHECK_EQ(put_out(5), SVMC_SEAL_NONE);
    watched = &store[5];
    lab.crypto.toy.between = change_meanwhile; /* after it was copied */
    CHECK_EQ(open_from(5, &store[5]), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain[5], BYTES);
    lab.crypto.toy.between = change_meanwhile; /* before it is written */
    CHECK_EQ(put_out(6), SVMC_SEAL_NONE);
    CHECK_EQ(open_from(6, &store[6]), SVMC_SEAL_NONE);
    CHECK_MEM(back, plain[6], BYTES);
}

/* ---- two phases ------------------------------------------------------------------------------*/

TEST(pages, what_is_not_published_is_no_copy) /* SE-18 */
{
    struct svmc_page_copy again;

    begin();
    CHECK_EQ(put_out(1), SVMC_SEAL_NONE);
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    for (unsigned dirty = 0; dirty < 2; dirty++) {
        if (dirty)
            svmc_pages_mark(&pages, 1, 1);
        CHECK_EQ(seal(1, &one), SVMC_SEAL_NONE);
        again = copy;
        CHECK_EQ(svmc_pages_abort(&pages, &copy), SVMC_SEAL_NONE);
        CHECK(seal_lab_is_zero(&copy, sizeof copy));
        CHECK_EQ(svmc_pages_abort(&pages, &copy), SVMC_SEAL_STATE);
        CHECK_EQ(svmc_pages_publish(&pages, &again), SVMC_SEAL_STATE);
        CHECK_EQ(svmc_pages_state(&pages, 1), dirty ? SVMC_PAGE_DIRTY : SVMC_PAGE_CLEAN);
    }
    CHECK_EQ(seal(1, &one), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_publish(&pages, &copy), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_leave(&pages, 1), SVMC_SEAL_NONE);
    is_refused(1, &store[1], SVMC_SEAL_TAG, "the one before");
    CHECK_EQ(open_from(1, &one), SVMC_SEAL_NONE);
    CHECK_EQ(twice, 0);
    CHECK_EQ(seals, 4);
    CHECK_EQ(svmc_pages_publish(&pages, NULL), SVMC_SEAL_STATE);
    CHECK_EQ(svmc_pages_abort(NULL, &again), SVMC_SEAL_STATE);
    again.page = PAGES;
    CHECK_EQ(svmc_pages_publish(&pages, &again), SVMC_SEAL_STATE);
}

TEST(pages, a_seal_that_fails_changes_nothing_but_a_version) /* SE-18 */
{
    begin();
    CHECK_EQ(put_out(1), SVMC_SEAL_NONE);
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    for (unsigned dirty = 0; dirty < 2; dirty++) {
        if (dirty)
            svmc_pages_mark(&pages, 1, 1);
        older = one;
        lab.crypto.toy.fail_at = lab.crypto.toy.calls + 1;
        CHECK_EQ(seal(1, &one), SVMC_SEAL_CRYPTO);
        CHECK(seal_lab_is_zero(&copy, sizeof copy));
        CHECK_MEM(&one, &older, sizeof one);
        CHECK_EQ(svmc_pages_state(&pages, 1), dirty ? SVMC_PAGE_DIRTY : SVMC_PAGE_CLEAN);
    }
    memset(pages.priv.dirty, 0, 8);
    CHECK_EQ(svmc_pages_leave(&pages, 1), SVMC_SEAL_NONE);
    lab.crypto.toy.fail_at = lab.crypto.toy.calls + 1;
    is_refused(1, &store[1], SVMC_SEAL_CRYPTO, "open");
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    CHECK_EQ(twice, 0);
}

TEST(pages, what_cannot_be_is_refused) /* SE-16 */
{
    static const uint64_t none[] = { PAGES, PAGES + 1, UINT32_MAX, UINT64_MAX };
    struct svmc_page_copy c;

    begin();
    CHECK_EQ(put_out(1), SVMC_SEAL_NONE);
#define SEAL(p, l, in, out, tag, c) \
    CHECK_EQ(svmc_pages_seal(p, l, 1, in, out, tag, c), SVMC_SEAL_RANGE)
    SEAL(NULL, 0, plain[1], one.text, one.tag, &c);
    SEAL(&pages, SEAL_LAB_LANES, plain[1], one.text, one.tag, &c);
    SEAL(&pages, 0, NULL, one.text, one.tag, &c);
    SEAL(&pages, 0, plain[1], NULL, one.tag, &c);
    SEAL(&pages, 0, plain[1], one.text, NULL, &c);
    SEAL(&pages, 0, plain[1], one.text, one.tag, NULL);
#undef SEAL
#define OPEN(p, l, from, tag)                                                 \
    do {                                                                      \
        memset(back, 0xa5, sizeof back);                                      \
        CHECK_EQ(svmc_pages_open(p, l, 1, from, tag, back), SVMC_SEAL_RANGE); \
        CHECK(seal_lab_is_zero(back, sizeof back));                           \
    } while (0)
    OPEN(NULL, 0, store[1].text, store[1].tag);
    OPEN(&pages, SEAL_LAB_LANES, store[1].text, store[1].tag);
    OPEN(&pages, 0, NULL, store[1].tag);
    OPEN(&pages, 0, store[1].text, NULL);
#undef OPEN
    CHECK_EQ(svmc_pages_open(&pages, 0, 1, store[1].text, store[1].tag, NULL), SVMC_SEAL_RANGE);
    for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
        CHECK_EQ(seal(none[i], &one), SVMC_SEAL_RANGE);
        CHECK_EQ(open_from(none[i], &one), SVMC_SEAL_RANGE);
        CHECK_EQ(svmc_pages_leave(&pages, none[i]), SVMC_SEAL_RANGE);
        CHECK_EQ(svmc_pages_forget(&pages, none[i]), SVMC_SEAL_RANGE);
    }
    CHECK_EQ(seals, 1);
    CHECK_EQ(svmc_pages_forget(&pages, 1), SVMC_SEAL_STATE); /* out */
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_forget(&pages, 1), SVMC_SEAL_NONE); /* SE-21 */
    CHECK_EQ(svmc_pages_state(&pages, 1), SVMC_PAGE_DIRTY);
    CHECK_EQ(svmc_pages_next_dirty(&pages, 1), 1);
    CHECK_EQ(svmc_pages_leave(&pages, 1), SVMC_SEAL_STATE);
}

/* ---- subkeys in turn -------------------------------------------------------------------------*/

TEST(pages, the_next_subkey_is_there_before_it_is_needed) /* SE-22 */
{
    begin_pages(5, 3);
    CHECK_EQ(svmc_pages_left(&pages), 10);
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_NONE); /* nothing to do */
    for (unsigned p = 0; p < 10; p++)
        CHECK_EQ(put_out(p), SVMC_SEAL_NONE, "%u", p);
    CHECK_EQ(svmc_pages_left(&pages), 0);
    CHECK_EQ(put_out(10), SVMC_SEAL_BUDGET); /* nobody tended */
    CHECK_EQ(svmc_pages_state(&pages, 10), SVMC_PAGE_DIRTY);
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_NONE);
    CHECK_EQ(lab.crypto.toy.loaded, 3);
    for (unsigned p = 10; p < 15; p++)
        CHECK_EQ(put_out(p), SVMC_SEAL_NONE, "%u", p);
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_BUDGET); /* the first one still has copies */
    for (unsigned p = 0; p < 5; p++) {
        CHECK_EQ(svmc_pages_next_old(&pages, 0), p);
        CHECK_EQ(open_from(p, &store[p]), SVMC_SEAL_NONE, "%u", p);
        CHECK_MEM(back, plain[p], BYTES, "%u", p);
        CHECK_EQ(svmc_pages_forget(&pages, p), SVMC_SEAL_NONE, "%u", p);
    }
    CHECK_EQ(svmc_pages_next_old(&pages, 0), PAGES);
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_NONE);
    CHECK_EQ(lab.crypto.toy.loaded, 3); /* the first one is gone */
    for (unsigned p = 0; p < 5; p++)
        CHECK_EQ(put_out(p), SVMC_SEAL_NONE, "%u", p);
    for (unsigned p = 0; p < 15; p++) {
        CHECK_EQ(open_from(p, &store[p]), SVMC_SEAL_NONE, "%u", p);
        CHECK_MEM(back, plain[p], BYTES, "%u", p);
    }
    CHECK_EQ(twice, 0);
    CHECK_EQ(svmc_pages_tend(NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_pages_left(NULL), 0);
    CHECK_EQ(svmc_pages_next_old(NULL, 0), 0);
}

TEST(pages, a_subkey_stays_while_a_copy_is_not_published) /* SE-22 SE-18 */
{
    struct svmc_page_copy pending;

    begin_pages(1, 2);
    CHECK_EQ(seal(0, &store[0]), SVMC_SEAL_NONE);
    pending = copy;
    CHECK_EQ(put_out(1), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_BUDGET);
    CHECK_EQ(svmc_pages_abort(&pages, &pending), SVMC_SEAL_NONE);
    lab.crypto.fake.fail_at = lab.crypto.fake.calls + 1;
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_CRYPTO);
    CHECK_EQ(put_out(0), SVMC_SEAL_BUDGET);
    CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_NONE);
    CHECK_EQ(put_out(0), SVMC_SEAL_NONE);
    CHECK_EQ(open_from(1, &store[1]), SVMC_SEAL_NONE);
    CHECK_EQ(open_from(0, &store[0]), SVMC_SEAL_NONE);
}

/* ---- any order -------------------------------------------------------------------------------*/

enum { SNAPSHOTS = 8 };

/* Beside it, what is true: which copy of a page is the good one. A host keeps older ones and gives
   whatever it likes. SVMC_COUNT: how many steps. SE-18 SE-20 SE-22 */
TEST(pages, histories_are_what_the_model_says)
{
    static struct copy kept[12][SNAPSHOTS], good[12];
    const char *text = getenv("SVMC_COUNT");
    unsigned count = text ? (unsigned)strtoul(text, NULL, 10) : 6000;
    uint64_t random = harness_seed();
    uint32_t state[12] = { 0 };

    count = count < SEEN / 2 ? count : SEEN / 2; /* what `seen` has room for */
    begin_pages(40, 3);
    memset(kept, 0, sizeof kept);
    for (unsigned step = 0; step < count; step++) {
        unsigned p = harness_random(&random) % 12, k = harness_random(&random) % SNAPSHOTS;
        enum svmc_seal_reason why;

        lab.crypto.toy.fail_at = harness_random(&random) % 11 == 0 ? lab.crypto.toy.calls + 1 : 0;
        switch (harness_random(&random) % 5) {
        case 0: /* the guest writes */
            if (state[p] == SVMC_PAGE_OUT)
                break;
            core_store_le64(plain[p], harness_random(&random));
            svmc_pages_mark(&pages, p, 1);
            state[p] = SVMC_PAGE_DIRTY;
            break;
        case 1: /* a copy is made, perhaps not stored */
            why = seal(p, &one);
            if (why == SVMC_SEAL_BUDGET) {
                why = svmc_pages_tend(&pages);
                for (uint64_t o = 0; why == SVMC_SEAL_BUDGET && o < 12; o++)
                    if (svmc_pages_forget(&pages, o) == SVMC_SEAL_NONE)
                        state[o] = SVMC_PAGE_DIRTY;
                break;
            }
            if (state[p] == SVMC_PAGE_OUT || lab.crypto.toy.fail_at != 0) {
                CHECK_EQ(why, state[p] == SVMC_PAGE_OUT ? SVMC_SEAL_STATE : SVMC_SEAL_CRYPTO);
                break;
            }
            CHECK_EQ(why, SVMC_SEAL_NONE);
            kept[p][k] = one;
            if (harness_random(&random) % 4 == 0) {
                CHECK_EQ(svmc_pages_abort(&pages, &copy), SVMC_SEAL_NONE);
                break;
            }
            CHECK_EQ(svmc_pages_publish(&pages, &copy), SVMC_SEAL_NONE);
            good[p] = one;
            state[p] = SVMC_PAGE_CLEAN;
            break;
        case 2: /* it leaves */
            CHECK_EQ(svmc_pages_leave(&pages, p),
                     state[p] == SVMC_PAGE_CLEAN ? SVMC_SEAL_NONE : SVMC_SEAL_STATE);
            if (state[p] == SVMC_PAGE_CLEAN)
                state[p] = SVMC_PAGE_OUT;
            break;
        case 3: /* the host gives something it has kept of it, or of another page */
            older = kept[harness_random(&random) % 8 ? p : harness_random(&random) % 12][k];
            why = open_from(p, &older);
            if (state[p] != SVMC_PAGE_OUT) {
                CHECK_EQ(why, SVMC_SEAL_STATE);
            } else if (lab.crypto.toy.fail_at != 0) {
                CHECK_EQ(why, SVMC_SEAL_CRYPTO);
            } else if (memcmp(&older, &good[p], sizeof older) == 0) {
                CHECK_EQ(why, SVMC_SEAL_NONE);
                CHECK_MEM(back, plain[p], BYTES);
                state[p] = SVMC_PAGE_CLEAN;
                break;
            } else {
                CHECK_EQ(why, SVMC_SEAL_TAG);
            }
            CHECK(seal_lab_is_zero(back, BYTES));
            break;
        default: /* the good one */
            if (state[p] == SVMC_PAGE_OUT && lab.crypto.toy.fail_at == 0) {
                CHECK_EQ(open_from(p, &good[p]), SVMC_SEAL_NONE);
                CHECK_MEM(back, plain[p], BYTES);
                state[p] = SVMC_PAGE_CLEAN;
            }
        }
        CHECK_EQ(svmc_pages_state(&pages, p), state[p], "%u", step);
        CHECK_EQ(twice, 0, "%u", step);
    }
    CHECK(seals > count / 16);
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
    CHECK(seal_lab_is_empty(&lab));
}
