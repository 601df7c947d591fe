/* SPDX-License-Identifier: MIT */
/* docs/spec/image.md: which sections make sense, and maps of pages beside a plain model. */
#include <svmcore/image_table.h>

#include "../harness.h"

enum { P = 4096, PAGES = 517 };

#define MAP_OF(id, at, pages)                                                                 \
    {                                                                                         \
        SVMC_IMAGE_MAP, (id), (at), (uint64_t)(pages)*P, 0, SVMC_IMAGE_MAP_BYTES(pages), 0, 0 \
    }
#define RANGE(id, at, pages, here)                                                      \
    {                                                                                   \
        SVMC_IMAGE_MEMORY, (id), (at), (uint64_t)(pages)*P, 0, (uint64_t)(here)*P, 0, 0 \
    }
#define BLOB(type, id, n)                  \
    {                                      \
        (type), (id), 0, (n), 0, (n), 0, 0 \
    }

static const struct svmc_image_section good[] = {
    MAP_OF(0, 0, 160),
    MAP_OF(1, 0x100000, 8),
    RANGE(0, 0, 160, 7),
    RANGE(1, 0x100000, 8, 0),
    BLOB(SVMC_IMAGE_CONTEXT, 0, 5000),
    BLOB(SVMC_IMAGE_CONTEXT, 3, 1),
    BLOB(SVMC_IMAGE_DEVICE, 0, 0),
    BLOB(SVMC_IMAGE_OWN, 0, 12),
    BLOB(UINT32_MAX, UINT32_MAX, 12),
};
enum { GOOD = sizeof good / sizeof good[0] };

TEST(image_table, sections_begin_at_pages) /* IM-17 */
{
    static const uint64_t want[GOOD] = { 0,      1 * P,  2 * P,  9 * P, 9 * P,
                                         11 * P, 12 * P, 12 * P, 13 * P };
    struct svmc_image_section s[GOOD];
    uint64_t body = 1;

    memcpy(s, good, sizeof s);
    CHECK_EQ(svmc_image_layout(s, GOOD, &body), 1);
    CHECK_EQ(body, 13 * P + 12);
    for (unsigned i = 0; i < GOOD; i++)
        CHECK_EQ(s[i].offset, want[i], "%u", i);
    CHECK_EQ(svmc_image_layout(NULL, 0, &body), 1);
    CHECK_EQ(body, 0);
    CHECK_EQ(svmc_image_layout(NULL, 1, &body), 0);
    CHECK_EQ(svmc_image_layout(s, SVMC_IMAGE_SECTIONS_MAX + 1, &body), 0);
    CHECK_EQ(svmc_image_layout(s, GOOD, NULL), 0);
}

TEST(image_table, sections_that_make_no_sense_are_refused) /* IM-18 */
{
    static const struct {
        const char *what;
        unsigned at;
        struct svmc_image_section section;
    } rows[] = {
        { "no type", 4, BLOB(0, 0, 1) },
        { "a type that is not there", 6, BLOB(6, 0, 1) },
        { "the last one that is not there", 6, BLOB(0xfff, 0, 1) },
        { "the same twice", 5, BLOB(SVMC_IMAGE_CONTEXT, 0, 1) },
        { "not in order", 6, BLOB(SVMC_IMAGE_CONTEXT, 2, 1) },
        { "not as many bytes as stored", 5, { SVMC_IMAGE_CONTEXT, 3, 0, 2, 0, 1, 0, 0 } },
        { "a reserved bit", 5, { SVMC_IMAGE_CONTEXT, 3, 0, 1, 0, 1, 0, 1 } },
        { "too long", 5, BLOB(SVMC_IMAGE_CONTEXT, 3, ((uint64_t)1 << 47) + 1) },
        { "a range in the middle of a page", 1, MAP_OF(1, 0x100001, 8) },
        { "ranges that touch", 1, MAP_OF(1, 159 * P, 8) },
        { "an empty range", 1, MAP_OF(1, 0x100000, 0) },
        { "a range that wraps", 1, MAP_OF(1, UINT64_MAX - 7 * P + 1, 8) },
        { "a map that is too short", 1, { SVMC_IMAGE_MAP, 1, 0x100000, 8 * P, 0, 1, 0, 0 } },
        { "a map of another range", 1, MAP_OF(1, 0x101000, 8) },
        { "a map of another length", 1, MAP_OF(1, 0x100000, 7) },
        { "a map of another id", 1, MAP_OF(2, 0x100000, 8) },
        { "a range of another id", 3, RANGE(2, 0x100000, 8, 0) },
        { "more pages than there are", 3, RANGE(1, 0x100000, 8, 9) },
        { "half a page", 3, { SVMC_IMAGE_MEMORY, 1, 0x100000, 8 * P, 0, P / 2, 0, 0 } },
        { "a map without its range", 3, BLOB(SVMC_IMAGE_CONTEXT, 0, 1) },
        { "a range without its map", 1, RANGE(0, 0, 160, 7) },
    };
    struct svmc_image_section s[GOOD];
    uint64_t body;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(s, good, sizeof s);
        s[rows[i].at] = rows[i].section;
        body = 1;
        CHECK_EQ(svmc_image_layout(s, rows[i].at == 3 ? 4 : GOOD, &body), 0, "%s", rows[i].what);
        CHECK_EQ(body, 0);
    }
    for (unsigned i = 0; i < GOOD; i++) { /* all of them together are more than a body */
        s[i] = (struct svmc_image_section)BLOB(SVMC_IMAGE_OWN, i, (uint64_t)1 << 44);
        CHECK_EQ(svmc_image_layout(s, i + 1, &body), i < 8);
    }
    s[0] = (struct svmc_image_section)RANGE(0, UINT64_MAX - 8 * P + 1, 8, 8);
    s[1] = s[0];
    s[0] = (struct svmc_image_section)MAP_OF(0, UINT64_MAX - 8 * P + 1, 8);
    CHECK_EQ(svmc_image_layout(s, 2, &body), 1, "up to the last address");
}

TEST(image_table, ranges_are_whole_and_apart) /* IM-18 */
{
    static const struct {
        const char *what;
        uint64_t at, pages, stored;
        uint32_t want;
    } rows[] = {
        { "behind it", 160 * P, 8, 8, 1 },
        { "on its last page", 159 * P, 8, 8, 0 },
        { "the same", 0, 8, 8, 0 },
        { "empty", 160 * P, 0, 0, 0 },
        { "in the middle of a page", 160 * P + 8, 8, 8, 0 },
        { "more than there are", 160 * P, 8, 9, 0 },
        { "up to the last address", UINT64_MAX - 8 * P + 1, 8, 8, 1 },
        { "around it", UINT64_MAX - 7 * P + 1, 8, 8, 0 },
    };
    uint64_t body;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_image_section s[] = {
            MAP_OF(0, 0, 160),
            MAP_OF(1, rows[i].at, rows[i].pages),
            RANGE(0, 0, 160, 7),
            RANGE(1, rows[i].at, rows[i].pages, rows[i].stored),
        };

        CHECK_EQ(svmc_image_layout(s, 4, &body), rows[i].want, "%s", rows[i].what);
        s[1].at = s[0].at = 0; /* alone */
        s[1] = s[3];
        s[0].bytes = s[1].bytes;
        s[0].stored = SVMC_IMAGE_MAP_BYTES(rows[i].pages);
        s[1].at = s[1].id = 0;
        CHECK_EQ(svmc_image_layout(s, 2, &body), rows[i].pages != 0 && rows[i].stored <= 8);
    }
}

TEST(image_table, lengths_do_not_wrap) /* IM-18 */
{
    for (unsigned bits = 40; bits < 64; bits++) {
        struct svmc_image_section s[] = {
            BLOB(SVMC_IMAGE_OWN, 0, (uint64_t)1 << bits),
            BLOB(SVMC_IMAGE_OWN, 1, 0 - ((uint64_t)1 << bits)),
        };
        uint64_t body;

        CHECK_EQ(svmc_image_layout(s, 2, &body), 0, "%u", bits);
        CHECK_EQ(svmc_image_layout(s, 1, &body), bits <= 47, "%u", bits);
    }
}

/* ---- maps ------------------------------------------------------------------------------------*/

static _Alignas(8) uint8_t memory[PAGES * P];

TEST(image_table, a_map_says_what_is_where) /* IM-19 */
{
    uint64_t rng = harness_seed(), dirty[PAGES / 64 + 1];
    uint8_t map[SVMC_IMAGE_MAP_BYTES(PAGES)], kind[PAGES];

    for (unsigned round = 0; round < 24; round++) {
        uint64_t pages = round < 8 ? PAGES - round : 1 + harness_random(&rng) % PAGES;
        bool has_dirty = round & 1, has_memory = round % 3 != 2;
        uint64_t here = 0;

        memset(memory, 0, sizeof memory);
        for (unsigned i = 0; i < PAGES / 64 + 1; i++)
            dirty[i] = round % 4 == 1 ? harness_random(&rng) : round % 8 == 3 ? 0 : UINT64_MAX;
        for (uint64_t p = 0; p < pages; p++) {
            bool filled = harness_random(&rng) % (round & 8 ? 8 : 300) < round % 8;

            if (filled) /* one bit */
                memory[p * P + harness_random(&rng) % P] = (uint8_t)(1 << p % 8);
            kind[p] = has_dirty && !(dirty[p / 64] >> p % 64 & 1) ? SVMC_IMAGE_PARENT
                      : filled || !has_memory                     ? SVMC_IMAGE_HERE
                                                                  : SVMC_IMAGE_ZERO;
            here += kind[p] == SVMC_IMAGE_HERE;
        }
        memset(map, 0xff, sizeof map);
        CHECK_EQ(
            svmc_image_map_make(map, pages, has_memory ? memory : NULL, has_dirty ? dirty : NULL),
            here);
        CHECK_EQ(svmc_image_map_count(map, pages), here);
        here = 0;
        for (uint64_t p = 0; p < pages; p++) {
            CHECK_EQ((uint32_t)map[p / 4] >> 2 * (p % 4) & 3, kind[p]);
            CHECK_EQ(svmc_image_map_count(map, p), here);
            here += kind[p] == SVMC_IMAGE_HERE;
        }
        for (uint32_t want = 0; want < 3; want++)
            for (uint64_t from = 0; from <= pages; from += 1 + harness_random(&rng) % 9) {
                uint64_t next = from;

                while (next < pages && kind[next] != want)
                    next++;
                CHECK_EQ(svmc_image_map_next(map, pages, from, want), next);
            }
        CHECK_EQ(svmc_image_map_next(map, pages, pages + 5, 0), pages);
    }
    CHECK_EQ(svmc_image_map_make(NULL, 1, NULL, NULL), 0);
    CHECK_EQ(svmc_image_map_count(NULL, 1), 0);
    CHECK_EQ(svmc_image_map_next(NULL, 1, 0, 0), 1);
}

TEST(image_table, parts_of_a_map_are_made_apart) /* IM-19 */
{
    static _Alignas(8) uint8_t dense[200 * P];
    const uint64_t dirty[4] = { 0x5555, UINT64_MAX, 0x123456789abcdef0, 0xaa };
    uint8_t whole[SVMC_IMAGE_MAP_BYTES(200)], parts[sizeof whole];

    for (unsigned i = 0; i < 200; i += 3)
        dense[i * P + i] = 1;
    for (uint64_t with = 0; with < 2; with++)
        for (uint64_t cut = with ? 64 : 4; cut < 200; cut += with ? 64 : 4) {
            uint64_t here = svmc_image_map_make(whole, 200, dense, with ? dirty : NULL);

            memset(parts, 0xff, sizeof parts);
            CHECK_EQ(svmc_image_map_make(parts + cut / 4, 200 - cut, dense + cut * P,
                                         with ? dirty + cut / 64 : NULL) +
                         svmc_image_map_make(parts, cut, dense, with ? dirty : NULL),
                     here);
            CHECK_MEM(parts, whole, sizeof whole);
        }
}

TEST(image_table, a_map_fits_its_range) /* IM-20 */
{
    for (uint64_t pages = 1; pages <= 70; pages++) {
        uint8_t map[SVMC_IMAGE_MAP_BYTES(70)] = { 0 };
        struct svmc_image_section range = RANGE(0, 0, pages, pages);
        const size_t n = (size_t)SVMC_IMAGE_MAP_BYTES(pages);

        CHECK_EQ(svmc_image_map_make(map, pages, NULL, NULL), pages);
        CHECK_EQ(svmc_image_map_check(map, &range, 0), 1);
        for (size_t bit = 0; bit < 8 * n; bit++) { /* another number, unknown, or behind the end */
            map[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK_EQ(svmc_image_map_check(map, &range, 1), 0, "%zu of %" PRIu64, bit, pages);
            map[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        range.stored -= P;
        CHECK_EQ(svmc_image_map_check(map, &range, 0), 0);
        map[0] ^= 3; /* the first one as in the parent */
        CHECK_EQ(svmc_image_map_check(map, &range, 0), 0);
        CHECK_EQ(svmc_image_map_check(map, &range, 1), 1);
        map[0] ^= 1; /* a value that is none */
        CHECK_EQ(svmc_image_map_check(map, &range, 1), 0);
        map[0] ^= 1;
        range.type = SVMC_IMAGE_MAP;
        CHECK_EQ(svmc_image_map_check(map, &range, 1), 0);
        CHECK_EQ(svmc_image_map_check(NULL, &range, 1), 0);
        CHECK_EQ(svmc_image_map_check(map, NULL, 1), 0);
    }
}
