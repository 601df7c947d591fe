/* SPDX-License-Identifier: MIT */
/** What writing and reading an image share: where things are, MACs, segments, frames. */
#ifndef IMAGE_PRIVATE_H
#define IMAGE_PRIVATE_H
#include <stdbool.h>
#include <svmcore/image.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"

#define VERSION 1u
#define MAGIC   0x494d5653u /* SVMI, little-endian */

/* IM-2: a header; the commitment is of everything before it. */
enum {
    AT_VERSION = 4,
    AT_ALG = 5,
    AT_MAC = 6,
    AT_PURPOSE = 7,
    AT_KIND = 8,
    AT_SHIFT = 9,
    AT_ROUND = 12,
    AT_VM = 16,
    AT_ID = 32,
    AT_SESSION = 48,
    AT_SUBKEY = 64,
    AT_GENERATION = 88,
    AT_PARENT = 96,
    AT_PARENT_SEAL = 112,
    AT_BODY = 144,
    AT_SECTIONS = 152,
    AT_COMMITMENT = 160
};

/* IM-12: an end; AT_VERSION as in a header. */
enum {
    END_WHAT = 5,
    END_SEGMENTS = 6,
    END_CHUNKS = 8,
    END_ID = 16,
    END_SEGMENT = 32, /* each: first chunk, subkey */
    END_MAC = 544
};
enum { IS_END = 1, IS_CHECKPOINT = 2 };
#define SEGMENT_BYTES 32u

/* IM-9: a frame. */
enum {
    FRAME_TAG = 0,
    FRAME_SUBKEY = 16,
    FRAME_VERSION = 40,
    FRAME_NUMBER = 48,
    FRAME_IMAGE = 56 /* the first bytes of the image's id */
};
#define FRAME_IMAGE_BYTES 8u
#define SUBKEY_BYTES      24u /* epoch, index */

/* IM-6: the number of the table; chunks have theirs. */
#define TABLE_NUMBER SVMC_SEAL_NUMBER_MAX

/* What a struct svmc_image is. */
enum { NOTHING = 0, WRITES = 1, READS = 2, READS_WITH_TABLE = 3 };

/* IM-10: a chunk's mark. A writer's: even, tries so far x 2; odd: somebody is at it; all ones: it
   is sealed. A reader's: 0, or 1: it was opened. */
#define MARK_SEALED UINT32_MAX
#define MARK_OPENED 1u

_Static_assert(AT_COMMITMENT + SVMC_HASH_BYTES == SVMC_IMAGE_HEADER_BYTES, "a header");
_Static_assert(END_SEGMENT + SVMC_IMAGE_SEGMENTS_MAX * SEGMENT_BYTES == END_MAC, "segments");
_Static_assert(END_MAC + SVMC_HASH_BYTES == SVMC_IMAGE_END_BYTES, "an end");
_Static_assert(FRAME_IMAGE + FRAME_IMAGE_BYTES == SVMC_IMAGE_FRAME_BYTES, "a frame");

static inline enum svmc_image_reason of_sealer(enum svmc_seal_reason why)
{
    return why == SVMC_SEAL_NONE ? SVMC_IMAGE_NONE
                                 : (enum svmc_image_reason)(SVMC_IMAGE_SEALER + (uint32_t)why);
}

static inline void store_subkey(uint8_t *at, const struct svmc_subkey_id *id)
{
    memcpy(at, id->epoch, sizeof id->epoch);
    core_store_le64(at + sizeof id->epoch, id->index);
}

static inline void load_subkey(const uint8_t *at, struct svmc_subkey_id *id)
{
    memcpy(id->epoch, at, sizeof id->epoch);
    id->index = core_load_le64(at + sizeof id->epoch);
}

/* The segment that a chunk is of: the last one that begins at it or before. */
static inline uint32_t segment_of(const struct svmc_image *image, uint64_t index)
{
    uint32_t i = image->priv.segments - 1;

    while (i > 0 && image->priv.segment[core_clamp(i, SVMC_IMAGE_SEGMENTS_MAX)].first > index)
        i--;
    return core_clamp(i, SVMC_IMAGE_SEGMENTS_MAX);
}

/** IM-5: what every use needs: a sealer with a key, and a crypto table with all that is called. */
enum svmc_image_reason svmc_image_ready(const struct svmc_image_config *config, uint32_t seal);

/** IM-2, IM-4: all of a header but its commitment. *info is written only if it is one. */
enum svmc_image_reason svmc_image_parse(const uint8_t *header, struct svmc_image_info *info);

/** IM-13, IM-14: does an image with this header follow on what config says there is? */
enum svmc_image_reason svmc_image_judge(const uint8_t *header,
                                        const struct svmc_image_config *config);

/** IM-3: from priv.header, once it is whole up to the commitment. */
enum svmc_image_reason svmc_image_commit(const struct svmc_image *image,
                                         uint8_t out[SVMC_HASH_BYTES]);

/** IM-12: from priv.header and priv.wire, and the end's head. */
enum svmc_image_reason svmc_image_end_mac(const struct svmc_image *image,
                                          const uint8_t head[END_SEGMENT],
                                          uint8_t out[SVMC_HASH_BYTES]);

/** IM-3: take a header whose form is good: the commitment fits. */
enum svmc_image_reason svmc_image_take(struct svmc_image *image,
                                       const struct svmc_image_config *config,
                                       const uint8_t *header, struct svmc_image_info *info);

/** A further segment; it is in priv.wire, too. The caller has looked that there is room. */
void svmc_image_add(struct svmc_image *image, uint64_t first, const struct svmc_seal_use *use);

/** What an end begins with. */
void svmc_image_end_head(const struct svmc_image *image, uint8_t what, uint64_t chunks,
                         uint8_t head[END_SEGMENT]);

/** IM-12: is it the head of an end, or checkpoint, of this image, with at most so many chunks? */
enum svmc_image_reason svmc_image_end_judge(const struct svmc_image *image,
                                            const uint8_t head[END_SEGMENT], uint8_t what,
                                            uint64_t chunks);

/** IM-12: whether the MAC is that of priv.header, head and priv.wire. */
enum svmc_image_reason svmc_image_end_fits(const struct svmc_image *image,
                                           const uint8_t head[END_SEGMENT], const uint8_t *mac);

/** Give the subkeys of all segments from `from` on back. @return whether none was busy. */
bool svmc_image_release(struct svmc_image *image, uint32_t from);

/** IM-17: whether sections make sense and are laid out; and what they take. */
bool svmc_image_is_laid_out(const struct svmc_image_section *section, size_t count,
                            uint64_t *body_bytes);

/** IM-12: the name that a complete image has. */
void svmc_image_call(const struct svmc_image *image, const uint8_t *seal,
                     struct svmc_image_name *name);

#endif
