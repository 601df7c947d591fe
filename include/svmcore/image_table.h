/* SPDX-License-Identifier: MIT */
/**
 * What an image is made of: its sections, one behind the other in its body, and for memory a map
 * that says of each page whether it is zero, in the image, or as in the image before.
 * Source: docs/spec/image.md, rules IM-17 to IM-20.
 */
#ifndef SVMCORE_IMAGE_TABLE_H
#define SVMCORE_IMAGE_TABLE_H
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_IMAGE_PAGE         4096u
#define SVMC_IMAGE_SECTIONS_MAX 4096u

/** What a section is. The values go into the table and are pinned. */
enum svmc_image_type {
    SVMC_IMAGE_MAP = 1,     /* of the memory range with the same id: two bits a page */
    SVMC_IMAGE_MEMORY = 2,  /* the pages that its map says are here, in their order */
    SVMC_IMAGE_CONTEXT = 3, /* of the vCPU `id` */
    SVMC_IMAGE_DEVICE = 4,  /* of the device `id` */
    SVMC_IMAGE_STATE = 5,   /* of the library: docs/spec/state.md */
    SVMC_IMAGE_OWN = 0x1000 /* this one and above: the caller's */
};

/** What the map says of a page. */
enum svmc_image_page {
    SVMC_IMAGE_ZERO = 0,
    SVMC_IMAGE_HERE = 1,  /* in the memory section */
    SVMC_IMAGE_PARENT = 2 /* as it was in the image before; not in a whole image */
};

/** A part of the body. type, id, at, bytes, stored and format are the caller's. */
struct svmc_image_section {
    uint32_t type; /* enum svmc_image_type */
    uint32_t id;
    uint64_t at;     /* memory and its map: the guest-physical address of the first page */
    uint64_t bytes;  /* memory and its map: of the range; else as stored */
    uint64_t offset; /* in the body, a multiple of SVMC_IMAGE_PAGE: svmc_image_layout fills it in */
    uint64_t stored; /* its bytes in the body */
    uint32_t format; /* of the bytes: the caller's */
    uint32_t reserved;
};

/** The bytes of a map for so many pages, of which the k-th has bits 2 (k % 4) of byte k / 4. */
#define SVMC_IMAGE_MAP_BYTES(pages) (((pages) + 3) / 4)

/**
 * Lay sections out in a body, and look whether they make sense: ordered by type and id, each once;
 * a map for each memory range and a range for each map; ranges of whole pages that ascend.
 *
 * Shape:   section[count], at most SVMC_IMAGE_SECTIONS_MAX.
 * State:   *body_bytes is 0 on any error; nothing else but offset is written.
 * Source:  IM-17, IM-18.
 *
 * @return 1: laid out; 0: nonsense.
 */
SVMC_API uint32_t svmc_image_layout(struct svmc_image_section *section, size_t count,
                                    uint64_t *body_bytes);

/**
 * Make the map of a range.
 *
 * Shape:   map[SVMC_IMAGE_MAP_BYTES(pages)]. memory: the range, at a multiple of 8, NULL: pages are
 *          not looked at, none is zero. dirty: a bit a page, least significant first, NULL: all; a
 *          page whose bit is clear is SVMC_IMAGE_PARENT.
 * Threads: any, each with pages of its own: the first a multiple of 4, with `dirty` of 64; then
 *          what they return is added up.
 * Source:  IM-19.
 *
 * @return the pages that are here: the memory section has SVMC_IMAGE_PAGE bytes of each.
 */
SVMC_API uint64_t svmc_image_map_make(uint8_t *map, uint64_t pages, const void *memory,
                                      const uint64_t *dirty);

/** @return the pages of [0, pages) that are here: the place in the memory section of page `pages`.
 */
SVMC_API uint64_t svmc_image_map_count(const uint8_t *map, uint64_t pages);

/** @return the first page from `from` on, below `pages`, that the map has as `kind`; pages: none.
 */
SVMC_API uint64_t svmc_image_map_next(const uint8_t *map, uint64_t pages, uint64_t from,
                                      uint32_t kind);

/** Whether a map that was read fits its memory section: no unknown value, no bit behind the end,
 *  as many pages here as are stored, and none as in the parent where there is no parent.
 *  @return 1: it fits; 0. IM-20 */
SVMC_API uint32_t svmc_image_map_check(const uint8_t *map, const struct svmc_image_section *memory,
                                       uint32_t has_parent);

#ifdef __cplusplus
}
#endif
#endif
