/* SPDX-License-Identifier: MIT */
/* docs/spec/token_page.md: the data page. */
#include "page_lab.h"

#define ENTRIES 169u /* docs/spec/token_page.md, TP-1 */
#define FIRST   40u
#define STRIDE  24u

static const uint8_t tag[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0, 0xf7, 0 };
static const struct svmc_token_addresses addresses = { 0xffff800012345050, 0xffff800012345000, 0x10,
                                                       0x40 };

static uint8_t page[4096], second[4096];
static struct page_random source;

static uint64_t number(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static enum svmc_status build(uint32_t *slot)
{
    memset(page, 0xee, sizeof page);
    *slot = 0xeeee;
    return svmc_token_page_data(&source.ops, 0x00070003, tag, &addresses, page, slot);
}

/* K3: what a program has to find. */
TEST(token_page, layout) /* TP-1 */
{
    uint32_t slot;

    page_random_init(&source, 1);
    REQUIRE(build(&slot) == SVMC_OK && slot < ENTRIES);
    CHECK_MEM(page, "SVMToken", 8);
    CHECK_EQ(number(page + 8, 2), 1);
    CHECK_EQ(number(page + 10, 2), ENTRIES);
    CHECK_EQ(number(page + 12, 2), STRIDE);
    CHECK_EQ(number(page + 14, 2), FIRST);
    CHECK_EQ(number(page + 16, 4), 0x00070003);
    for (unsigned i = 20; i < FIRST; i++)
        CHECK_EQ(page[i], 0, "byte %u", i);
    CHECK_EQ(number(page + FIRST + STRIDE * slot, 8), addresses.safe);
    CHECK_MEM(page + FIRST + STRIDE * slot + 8, tag, sizeof tag);
    CHECK_EQ(FIRST + ENTRIES * STRIDE, sizeof page);
}

/* From the same random bytes by the rules: what big-endian processors must make as well. */
TEST(token_page, every_byte) /* TP-1 TP-2 TP-3 */
{
    uint8_t random[4096], want[4096] = "SVMToken\1\0\xa9\0\x18\0\x28\0\3\0\7";
    struct page_random again;
    uint32_t slot;

    page_random_init(&source, 99);
    page_random_init(&again, 5);
    REQUIRE(page_random_give(&again, random, sizeof random) == SVMC_OK);
    source.page = random;
    REQUIRE(build(&slot) == SVMC_OK);
    for (unsigned n = 0; n < ENTRIES; n++) {
        uint8_t *at = want + FIRST + STRIDE * n;
        uint64_t address = 0xffff800012345000 + 16 * (number(random + (at - want), 8) & 0x3f);

        memcpy(at + 8, n == slot ? tag : random + (at - want) + 8, 16);
        for (unsigned b = 0; b < 8; b++)
            at[b] = (uint8_t)((n == slot ? 0xffff800012345050 : address) >> 8 * b);
    }
    CHECK_MEM(page, want, sizeof want);
}

/* K10: the safe address is among others, all of which it could be. */
TEST(token_page, decoys_have_plausible_addresses) /* TP-3 */
{
    unsigned seen[0x40] = { 0 };
    uint32_t slot;

    page_random_init(&source, 2);
    for (unsigned i = 0; i < 40; i++) {
        REQUIRE(build(&slot) == SVMC_OK);
        for (unsigned n = 0; n < ENTRIES; n++) {
            uint64_t at = number(page + FIRST + STRIDE * n, 8) - addresses.first;

            REQUIRE(at % 0x10 == 0 && at / 0x10 < 0x40, "entry %u", n);
            seen[at / 0x10] += n != slot;
        }
    }
    CHECK(page_is_even(page_chi_square(seen, 0x40), 0x3f), "each of them, the safe one too");
}

/* K4 K11: drawn for each page. Chances of 1 in 10^8 that a right page fails. */
TEST(token_page, the_slot_is_anywhere) /* TP-2 */
{
    unsigned slots[ENTRIES] = { 0 };
    uint32_t slot;

    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < 4000; i++) {
        REQUIRE(build(&slot) == SVMC_OK && slot < ENTRIES);
        slots[slot]++;
    }
    CHECK(page_is_even(page_chi_square(slots, ENTRIES), ENTRIES - 1));
}

TEST(token_page, filled_again_nothing_stays) /* TP-2 */
{
    unsigned same_slot = 0, same = 0;
    uint32_t slot, other;

    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < 20; i++) {
        REQUIRE(build(&slot) == SVMC_OK);
        memcpy(second, page, sizeof page);
        REQUIRE(build(&other) == SVMC_OK);
        same_slot += slot == other;
        for (unsigned n = 0; n < ENTRIES; n++)
            same += n != slot && n != other &&
                    memcmp(page + FIRST + STRIDE * n + 8, second + FIRST + STRIDE * n + 8, 16) == 0;
    }
    CHECK_EQ(same, 0, "decoys");
    CHECK(same_slot < 5);
}

/*
 * With a random tag and safe address nothing sets the real entry apart: its bytes are spread as a
 * decoy's are, and its address stands in the page as often as one of theirs.
 */
TEST(token_page, bytes_do_not_tell_the_slot) /* TP-2 TP-3 */
{
    static unsigned real[24][256], decoy[24][256]; /* of the addresses only the bytes that vary */
    unsigned long real_twins = 0, decoy_twins = 0;
    struct svmc_token_addresses some = { 0, 0x7f0000000000, 0x4a, 55 }; /* a gate's stubs */
    double distance = 0;
    unsigned cells = 0, pages = 4000;
    uint64_t rng = harness_seed();
    uint8_t random_tag[16];

    page_random_init(&source, harness_random(&rng));
    memset(real, 0, sizeof real);
    memset(decoy, 0, sizeof decoy);
    for (unsigned i = 0; i < pages; i++) {
        uint32_t slot, other;

        some.safe = some.first + some.step * (harness_random(&rng) % some.count);
        REQUIRE(page_random_give(&source, random_tag, sizeof random_tag) == SVMC_OK);
        REQUIRE(svmc_token_page_data(&source.ops, 1, random_tag, &some, page, &slot) == SVMC_OK);
        other = (slot + 1 + (uint32_t)(harness_random(&rng) % (ENTRIES - 1))) % ENTRIES;
        for (unsigned b = 0; b < STRIDE; b++) {
            real[b][page[FIRST + STRIDE * slot + b]]++;
            decoy[b][page[FIRST + STRIDE * other + b]]++;
        }
        for (unsigned n = 0; n < ENTRIES; n++) {
            real_twins += memcmp(page + FIRST + STRIDE * n, page + FIRST + STRIDE * slot, 8) == 0;
            decoy_twins += memcmp(page + FIRST + STRIDE * n, page + FIRST + STRIDE * other, 8) == 0;
        }
    }
    for (unsigned b = 0; b < STRIDE; b++) /* two samples of the same size: chi-square */
        for (unsigned v = 0; v < 256; v++) {
            double sum = (double)real[b][v] + decoy[b][v];
            double off = (double)real[b][v] - decoy[b][v];

            if (sum == 0)
                continue;
            distance += off * off / sum;
            cells++;
        }
    CHECK(page_is_even(distance, cells), "%u cells", cells);
    /* 168 / 55 others have the same address, give or take sqrt(3 / 4000) a page and side */
    distance = ((double)real_twins - (double)decoy_twins) / pages;
    CHECK(distance * distance < 36 * 2 * 3.1 / pages, "%lu beside %lu", real_twins, decoy_twins);
}

TEST(token_page, addresses_are_refused) /* TP-3 */
{
    static const struct {
        struct svmc_token_addresses a;
        bool ok;
    } rows[] = {
        { { 0x1000, 0x1000, 1, 2 }, true },
        { { 0x1001, 0x1000, 1, 2 }, true },
        { { 0x1002, 0x1000, 1, 2 }, false },
        { { 0x0fff, 0x1000, 1, 2 }, false },
        { { 0x1000, 0x1000, 1, 1 }, false }, /* no other */
        { { 0x1000, 0x1000, 1, 0 }, false },
        { { 0x1000, 0x1000, 0, 2 }, false },
        { { 0x1008, 0x1000, 16, 8 }, false }, /* between two */
        { { 0x1010, 0x1000, 16, 8 }, true },
        { { UINT64_MAX, UINT64_MAX - 15, 5, 4 }, true }, /* the last number there is */
        { { UINT64_MAX, UINT64_MAX - 15, 5, 5 }, false },
        { { 7, 0, 1, UINT64_MAX }, true },
        { { 0, 0, UINT64_MAX, 2 }, true },
        { { 0, 0, UINT64_MAX, 3 }, false },
    };

    page_random_init(&source, 3);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t slot = 9;
        enum svmc_status st;

        memset(page, 0xee, sizeof page);
        st = svmc_token_page_data(&source.ops, 1, tag, &rows[i].a, page, &slot);
        CHECK_EQ(st, rows[i].ok ? SVMC_OK : SVMC_ERR_ARG, "row %u", i);
        CHECK(rows[i].ok || (slot == 0 && page_is_zero(page)), "row %u", i);
        for (unsigned n = 0; rows[i].ok && n < ENTRIES; n++) {
            uint64_t at = number(page + FIRST + STRIDE * n, 8);

            CHECK(at >= rows[i].a.first && (at - rows[i].a.first) % rows[i].a.step == 0 &&
                      (at - rows[i].a.first) / rows[i].a.step < rows[i].a.count,
                  "row %u, entry %u", i, n);
        }
    }
}

/* A14 K10: whoever takes a tag from the page is known by it. */
TEST(token_page, a_decoy_is_known) /* TP-4 */
{
    uint8_t some[16];
    uint32_t slot;

    page_random_init(&source, harness_seed());
    REQUIRE(build(&slot) == SVMC_OK);
    CHECK_EQ(svmc_token_page_find(page, tag), slot);
    for (unsigned n = 0; n < ENTRIES; n++) {
        memcpy(some, page + FIRST + STRIDE * n + 8, 16);
        CHECK_EQ(svmc_token_page_find(page, some), n);
        for (unsigned bit = 0; bit < 128; bit++) {
            some[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK_EQ(svmc_token_page_find(page, some), UINT32_MAX, "%u, bit %u", n, bit);
            some[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    CHECK_EQ(svmc_token_page_find(NULL, tag), UINT32_MAX);
    CHECK_EQ(svmc_token_page_find(page, NULL), UINT32_MAX);
}

TEST(token_page, each_callback_fails) /* CR-2 TP-2 */
{
    uint32_t slot;

    for (unsigned k = 1;; k++) {
        page_random_init(&source, 4);
        source.fail_at = k;
        if (build(&slot) == SVMC_OK) {
            CHECK(k > 2 && k == source.calls + 1);
            return;
        }
        REQUIRE(source.calls == k && slot == 0 && page_is_zero(page), "call %u", k);
        source.calls = 0;
        CHECK_EQ(build(&slot), SVMC_ERR_CALLBACK, "call %u", k);
    }
}

TEST(token_page, misuse) /* TP-1 */
{
    uint32_t slot = 7;

    page_random_init(&source, 4);
    memset(page, 0xee, sizeof page);
    CHECK_EQ(svmc_token_page_data(NULL, 1, tag, &addresses, page, &slot), SVMC_ERR_ARG);
    CHECK(slot == 0 && page_is_zero(page));
    CHECK_EQ(svmc_token_page_data(&source.ops, 0, tag, &addresses, page, &slot), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_page_data(&source.ops, 1, NULL, &addresses, page, &slot), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_page_data(&source.ops, 1, tag, NULL, page, &slot), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_page_data(&source.ops, 1, tag, &addresses, NULL, &slot), SVMC_ERR_ARG);
    memset(page, 0xee, sizeof page);
    CHECK_EQ(svmc_token_page_data(&source.ops, 1, tag, &addresses, page, NULL), SVMC_ERR_ARG);
    CHECK(page_is_zero(page));
    source.ops.size = offsetof(struct svmc_crypto_ops, random);
    CHECK_EQ(build(&slot), SVMC_ERR_ARG, "a table that is too short");
    page_random_init(&source, 4);
    source.ops.random = NULL;
    CHECK_EQ(build(&slot), SVMC_ERR_ARG);
    CHECK(slot == 0 && page_is_zero(page) && source.calls == 0);
}
