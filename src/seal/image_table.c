/* SPDX-License-Identifier: MIT */
/** The sections of an image, and the maps of its memory. */
#include "image_private.h"

#define BODY_MAX ((uint64_t)1 << 47) /* SVMC_IMAGE_CHUNKS_MAX of the largest chunks */
#define AHEAD    8u                  /* pages */

/* ---- sections --------------------------------------------------------------------------------*/

static bool is_range(const struct svmc_image_section *s)
{
    return (s->at | s->bytes) % SVMC_IMAGE_PAGE == 0 && s->bytes != 0 && s->bytes <= BODY_MAX &&
           s->at <= UINT64_MAX - s->bytes + 1;
}

/* IM-18: one section by itself. */
static bool is_sound(const struct svmc_image_section *s)
{
    if (s->type == 0 || (s->type > SVMC_IMAGE_STATE && s->type < SVMC_IMAGE_OWN) ||
        s->reserved != 0 || s->stored > BODY_MAX)
        return false;
    if (s->type == SVMC_IMAGE_MAP)
        return is_range(s) && s->stored == SVMC_IMAGE_MAP_BYTES(s->bytes / SVMC_IMAGE_PAGE);
    if (s->type == SVMC_IMAGE_MEMORY)
        return is_range(s) && s->stored % SVMC_IMAGE_PAGE == 0 && s->stored <= s->bytes;
    return s->bytes == s->stored;
}

/* IM-18: behind the one before it; ranges ascend and have no page in common. */
static bool is_behind(const struct svmc_image_section *before, const struct svmc_image_section *s)
{
    if (s->type != before->type)
        return s->type > before->type;
    return s->id > before->id && (s->type > SVMC_IMAGE_MEMORY ||
                                  (s->at > before->at && s->at - before->at >= before->bytes));
}

/* IM-18: the maps come first, the ranges next, as many and the same. */
static bool are_pairs(const struct svmc_image_section *section, size_t count)
{
    size_t maps = 0, ranges = 0;

    while (maps < count && section[maps].type == SVMC_IMAGE_MAP)
        maps++;
    while (maps + ranges < count && section[maps + ranges].type == SVMC_IMAGE_MEMORY)
        ranges++;
    if (maps != ranges)
        return false;
    for (size_t i = 0; i < maps; i++) {
        const struct svmc_image_section *map = &section[i], *range = &section[maps + i];

        if (map->id != range->id || map->at != range->at || map->bytes != range->bytes)
            return false;
    }
    return true;
}

static uint64_t next_page(uint64_t offset)
{
    return (offset + SVMC_IMAGE_PAGE - 1) / SVMC_IMAGE_PAGE * SVMC_IMAGE_PAGE;
}

/* IM-17: at most 2^12 x 2^47 bytes: nothing wraps. */
bool svmc_image_is_laid_out(const struct svmc_image_section *section, size_t count,
                            uint64_t *body_bytes)
{
    uint64_t end = 0;

    *body_bytes = 0;
    if ((!section && count != 0) || count > SVMC_IMAGE_SECTIONS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_sound(&section[i]) || (i > 0 && !is_behind(&section[i - 1], &section[i])) ||
            section[i].offset != next_page(end))
            return false;
        end = next_page(end) + section[i].stored;
    }
    if (end > BODY_MAX || !are_pairs(section, count))
        return false;
    *body_bytes = end;
    return true;
}

uint32_t svmc_image_layout(struct svmc_image_section *section, size_t count, uint64_t *body_bytes)
{
    uint64_t end = 0;

    if (!body_bytes)
        return 0;
    for (size_t i = 0; section && count <= SVMC_IMAGE_SECTIONS_MAX && i < count; i++) {
        section[i].offset = next_page(end); /* it may wrap here, and is refused below */
        end = section[i].offset + section[i].stored;
    }
    return svmc_image_is_laid_out(section, count, body_bytes);
}

/* ---- maps ------------------------------------------------------------------------------------*/

/* Eight bytes at a time, and out at the first one that is not zero. */
static bool is_zero_page(const uint8_t *at)
{
    const core_any_word *word = (const core_any_word *)(const void *)at;
    const size_t words = SVMC_IMAGE_PAGE / sizeof *word;

    for (size_t i = 0; i < words; i += 8) {
        uint64_t any = 0;

        CORE_UNROLL
        for (size_t k = 0; k < 8; k++)
            any |= word[i + k];
        if (any != 0)
            return false;
    }
    return true;
}

static uint32_t page_of(const uint8_t *map, uint64_t page)
{
    /* clamp: pages come from loops that count to the caller's own number of them */
    return (uint32_t)map[page / 4] >> (2 * (page % 4)) & 3;
}

/* IM-19 */
uint64_t svmc_image_map_make(uint8_t *map, uint64_t pages, const void *memory,
                             const uint64_t *dirty)
{
    const uint8_t *from = memory;
    uint64_t here = 0;

    if (!map)
        return 0;
    memset(map, 0, (size_t)SVMC_IMAGE_MAP_BYTES(pages));
    for (uint64_t page = 0; page < pages; page++) {
        uint32_t kind = SVMC_IMAGE_HERE;

        if (from && !dirty && pages - page > AHEAD) /* their first words tell most pages */
            CORE_FETCH(from + (page + AHEAD) * SVMC_IMAGE_PAGE);
        if (dirty && (dirty[page / 64] >> (page % 64) & 1) == 0)
            kind = SVMC_IMAGE_PARENT;
        else if (from && is_zero_page(from + page * SVMC_IMAGE_PAGE))
            kind = SVMC_IMAGE_ZERO;
        here += kind == SVMC_IMAGE_HERE;
        /* clamp: counts to the caller's own number */
        map[page / 4] |= (uint8_t)(kind << (2 * (page % 4)));
    }
    return here;
}

/* How many of the 32 pairs of bits are 01. */
static uint64_t count_word(uint64_t word)
{
    const uint64_t low = 0x5555555555555555u, fours = 0x0f0f0f0f0f0f0f0fu;

    word = word & ~(word >> 1) & low;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word & fours) + (word >> 4 & fours);
    return word * 0x0101010101010101u >> 56;
}

uint64_t svmc_image_map_count(const uint8_t *map, uint64_t pages)
{
    uint64_t count = 0, page = 0;

    if (!map)
        return 0;
    for (; pages - page >= 32; page += 32)
        count += count_word(core_load_le64(map + page / 4));
    for (; page < pages; page++)
        count += page_of(map, page) == SVMC_IMAGE_HERE;
    return count;
}

uint64_t svmc_image_map_next(const uint8_t *map, uint64_t pages, uint64_t from, uint32_t kind)
{
    const uint64_t all = 0x5555555555555555u * (kind & 3);

    if (!map)
        return pages;
    while (from < pages && page_of(map, from) != kind) {
        from++;
        while (from % 32 == 0 && pages - from >= 32) { /* a word without any of them */
            uint64_t other = core_load_le64(map + from / 4) ^ all;

            if ((~(other | other >> 1) & 0x5555555555555555u) != 0)
                break;
            from += 32;
        }
    }
    return from < pages ? from : pages;
}

/* IM-20 */
uint32_t svmc_image_map_check(const uint8_t *map, const struct svmc_image_section *memory,
                              uint32_t has_parent)
{
    uint64_t pages, bytes, here;

    if (!map || !memory || memory->type != SVMC_IMAGE_MEMORY || !is_sound(memory))
        return 0;
    pages = memory->bytes / SVMC_IMAGE_PAGE;
    bytes = SVMC_IMAGE_MAP_BYTES(pages);
    here = svmc_image_map_count(map, pages);
    if (here * SVMC_IMAGE_PAGE != memory->stored)
        return 0;
    for (uint64_t i = 0; i < bytes; i++) {
        uint32_t four = map[i]; /* clamp: counts to the bytes of the caller's range */

        if ((four & four >> 1 & 0x55) != 0 || (!has_parent && (four & 0xaa) != 0))
            return 0;
    }
    /* clamp: the last byte of the caller's range */
    return pages % 4 == 0 || map[bytes - 1] >> (2 * (pages % 4)) == 0;
}
