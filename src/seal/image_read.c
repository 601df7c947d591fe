/* SPDX-License-Identifier: MIT */
/** Reading an image: nothing is taken before it is verified, nothing is whole before its end. */
#include "image_private.h"

/* ---- opening ---------------------------------------------------------------------------------*/

/* What is opened, and where. */
struct part {
    uint64_t number;
    uint32_t segment, reserved;
    const uint8_t *frame; /* anybody's */
    uint8_t *out;
    size_t bytes;
};

/* IM-9: the copy is judged; what it cannot be said of a tag says. */
static enum svmc_image_reason judge(const struct svmc_image *image, const struct part *part,
                                    const uint8_t *frame)
{
    const uint8_t *wire = image->priv.wire + core_clamp(part->segment, SVMC_IMAGE_SEGMENTS_MAX) *
                                                 (size_t)SEGMENT_BYTES;

    if (memcmp(frame + FRAME_IMAGE, image->priv.header + AT_ID, FRAME_IMAGE_BYTES) != 0)
        return SVMC_IMAGE_SPLICED;
    if (core_load_le64(frame + FRAME_NUMBER) != part->number)
        return SVMC_IMAGE_MOVED;
    if (memcmp(frame + FRAME_SUBKEY, wire + 8, SUBKEY_BYTES) != 0)
        return SVMC_IMAGE_SEGMENT;
    return core_load_le64(frame + FRAME_VERSION) - 1 < SVMC_SEAL_VERSION_MAX ? SVMC_IMAGE_NONE
                                                                             : SVMC_IMAGE_CHANGED;
}

static enum svmc_image_reason open_part(const struct svmc_image *image, uint32_t lane,
                                        const struct part *part)
{
    const uint32_t segment = core_clamp(part->segment, SVMC_IMAGE_SEGMENTS_MAX);
    uint8_t frame[SVMC_IMAGE_FRAME_BYTES];
    enum svmc_seal_reason sealer;
    struct svmc_sealed_unit unit;
    enum svmc_image_reason why;

    memcpy(frame, part->frame, sizeof frame);
    why = judge(image, part, frame);
    if (why == SVMC_IMAGE_NONE) {
        unit.number = part->number;
        unit.version = core_load_le64(frame + FRAME_VERSION);
        unit.ad = image->priv.header + AT_COMMITMENT;
        unit.ad_bytes = SVMC_HASH_BYTES;
        unit.in = part->frame + SVMC_IMAGE_FRAME_BYTES;
        unit.out = part->out;
        unit.bytes = part->bytes;
        unit.tag = frame + FRAME_TAG;
        sealer = svmc_open_unit(image->priv.sealer, lane, &image->priv.segment[segment].use, &unit);
        why = sealer == SVMC_SEAL_TAG ? SVMC_IMAGE_CHANGED : of_sealer(sealer);
    }
    if (why != SVMC_IMAGE_NONE && part->bytes != 0)
        memset(part->out, 0, part->bytes); /* IM-15 */
    return why;
}

/* ---- header and table ------------------------------------------------------------------------*/

enum svmc_image_reason svmc_image_open(struct svmc_image *image,
                                       const struct svmc_image_config *config, const void *header,
                                       size_t bytes)
{
    struct svmc_image_info info;
    enum svmc_image_reason why;
    struct svmc_seal_use use;

    if (!image)
        return SVMC_IMAGE_ARG;
    memset(image, 0, sizeof *image);
    why = svmc_image_ready(config, 0);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_inspect(header, bytes, &info);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_take(image, config, header, &info);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_judge(image->priv.header, config);
    if (why == SVMC_IMAGE_NONE)
        why = of_sealer(
            svmc_seal_find(config->sealer, SVMC_KEY_IMAGE, image->priv.alg, &info.subkey, &use));
    if (why != SVMC_IMAGE_NONE) {
        memset(image, 0, sizeof *image);
        return why;
    }
    svmc_image_add(image, 0, &use);
    image->priv.marks = config->marks;
    if (!config->keep_marks && image->priv.chunks != 0)
        memset(image->priv.marks, 0, (size_t)image->priv.chunks * sizeof *image->priv.marks);
    image->priv.state = READS;
    return SVMC_IMAGE_NONE;
}

_Static_assert(sizeof(struct svmc_image_section) == 48, "a section has its bytes on the wire");

/* IM-17: from its bytes to a struct in the same place. */
static void unpack(struct svmc_image_section *section)
{
    uint8_t at[sizeof *section];

    memcpy(at, section, sizeof at);
    section->type = core_load_le32(at);
    section->id = core_load_le32(at + 4);
    section->at = core_load_le64(at + 8);
    section->bytes = core_load_le64(at + 16);
    section->offset = core_load_le64(at + 24);
    section->stored = core_load_le64(at + 32);
    section->format = core_load_le32(at + 40);
    section->reserved = core_load_le32(at + 44);
}

/* IM-6 */
enum svmc_image_reason svmc_image_open_table(struct svmc_image *image, uint32_t lane,
                                             const void *table, size_t bytes,
                                             struct svmc_image_section *section)
{
    struct part part = { .number = TABLE_NUMBER, .out = (uint8_t *)(void *)section };
    enum svmc_image_reason why;
    uint64_t body;
    size_t count;

    if (!image || !table || image->priv.state < READS)
        return image && table ? SVMC_IMAGE_NOT_NOW : SVMC_IMAGE_ARG;
    count = core_load_le32(image->priv.header + AT_SECTIONS);
    if (!section && count != 0)
        return SVMC_IMAGE_ARG;
    part.frame = table;
    part.bytes = count * sizeof *section;
    if (bytes < SVMC_IMAGE_TABLE_BYTES(count)) {
        if (count != 0)
            memset(section, 0, part.bytes);
        return SVMC_IMAGE_CUT;
    }
    why = open_part(image, lane, &part);
    if (why != SVMC_IMAGE_NONE)
        return why == SVMC_IMAGE_SEGMENT ? SVMC_IMAGE_CHANGED : why;
    for (size_t i = 0; i < count; i++)
        unpack(&section[i]);
    if (!svmc_image_is_laid_out(section, count, &body) ||
        body != core_load_le64(image->priv.header + AT_BODY)) {
        if (count != 0)
            memset(section, 0, part.bytes);
        return SVMC_IMAGE_TABLE;
    }
    image->priv.state = READS_WITH_TABLE;
    return SVMC_IMAGE_NONE;
}

/* ---- chunks ----------------------------------------------------------------------------------*/

/* What both calls look at first; part->bytes is 0 where nothing is to be zeroed. */
static enum svmc_image_reason prepare(const struct svmc_image *image, uint64_t index,
                                      const void *frame, size_t bytes, struct part *part)
{
    part->bytes = part->out ? svmc_image_chunk_bytes(image, index) : 0;
    part->frame = frame;
    part->number = index;
    if (part->bytes == 0 || !frame)
        return SVMC_IMAGE_ARG;
    if (image->priv.state < READS)
        return SVMC_IMAGE_NOT_NOW;
    part->segment = segment_of(image, index);
    return bytes < SVMC_IMAGE_FRAME_BYTES + part->bytes ? SVMC_IMAGE_CUT : SVMC_IMAGE_NONE;
}

/* IM-16: marks that are kept, or were made before a segment was met, count for this image and this
   segment alone. Nobody who could choose these bytes writes marks. */
static uint32_t mark_of(const struct svmc_image *image, uint64_t index)
{
    const uint8_t *wire = image->priv.wire + segment_of(image, index) * (size_t)SEGMENT_BYTES;
    const uint32_t odd = 0x9e3779b1u; /* 2^32 by the golden ratio */
    uint32_t sum = core_load_le32(image->priv.header + AT_ID);

    sum = sum * odd + core_load_le32(wire + 8);
    sum = sum * odd + core_load_le32(wire + SEGMENT_BYTES - 8);
    return sum * odd | 1;
}

static void mark_opened(struct svmc_image *image, uint64_t index)
{
    uint32_t i = core_clamp((uint32_t)index, (uint32_t)image->priv.chunks);

    __atomic_store_n(image->priv.marks + i, mark_of(image, index), __ATOMIC_RELEASE);
}

enum svmc_image_reason svmc_image_open_chunk(struct svmc_image *image, uint32_t lane,
                                             uint64_t index, const void *frame, size_t bytes,
                                             void *out)
{
    struct part part = { .out = out };
    enum svmc_image_reason why = prepare(image, index, frame, bytes, &part);

    if (why == SVMC_IMAGE_NONE) {
        why = open_part(image, lane, &part);
        if (why == SVMC_IMAGE_NONE)
            mark_opened(image, index);
        return why;
    }
    if (part.bytes != 0)
        memset(out, 0, part.bytes);
    return why;
}

/* IM-12: a segment that the end will have to have, too; it is not kept unless its chunk opens. */
enum svmc_image_reason svmc_image_open_segment(struct svmc_image *image, uint32_t lane,
                                               uint64_t index, const void *frame, size_t bytes,
                                               void *out)
{
    enum svmc_image_reason why = svmc_image_open_chunk(image, lane, index, frame, bytes, out);
    struct svmc_subkey_id id;
    struct svmc_seal_use use;
    uint32_t last;

    if (why != SVMC_IMAGE_SEGMENT)
        return why;
    last = core_clamp(image->priv.segments - 1, SVMC_IMAGE_SEGMENTS_MAX);
    if (index < image->priv.segment[last].first)
        return SVMC_IMAGE_MOVED;
    if (last + 1 == SVMC_IMAGE_SEGMENTS_MAX)
        return SVMC_IMAGE_ROOM;
    load_subkey((const uint8_t *)frame + FRAME_SUBKEY, &id);
    why = of_sealer(svmc_seal_find(image->priv.sealer, SVMC_KEY_IMAGE, image->priv.alg, &id, &use));
    if (why != SVMC_IMAGE_NONE)
        return why;
    svmc_image_add(image, index, &use);
    why = svmc_image_open_chunk(image, lane, index, frame, bytes, out);
    if (why == SVMC_IMAGE_NONE)
        return why;
    (void)svmc_image_release(image, last + 1);
    image->priv.segments = last + 1;
    memset(image->priv.wire + (last + 1) * (size_t)SEGMENT_BYTES, 0, SEGMENT_BYTES);
    return why == SVMC_IMAGE_SEGMENT ? SVMC_IMAGE_CHANGED : why;
}

/* ---- the end ---------------------------------------------------------------------------------*/

/* IM-16 */
static enum svmc_image_reason measure(size_t bytes)
{
    return bytes < SVMC_IMAGE_END_BYTES   ? SVMC_IMAGE_CUT
           : bytes > SVMC_IMAGE_END_BYTES ? SVMC_IMAGE_LONG
                                          : SVMC_IMAGE_NONE;
}

/* The segments behind the first, as priv.wire has them. */
static enum svmc_image_reason find_segments(struct svmc_image *image, uint32_t count)
{
    uint64_t before = 0;

    for (uint32_t i = 1; i < count; i++) {
        const uint8_t *wire =
            image->priv.wire + core_clamp(i, SVMC_IMAGE_SEGMENTS_MAX) * (size_t)SEGMENT_BYTES;
        uint64_t first = core_load_le64(wire);
        struct svmc_subkey_id id;
        struct svmc_seal_use use;
        enum svmc_seal_reason why;

        load_subkey(wire + 8, &id);
        if (first < before || first >= image->priv.chunks)
            return SVMC_IMAGE_END;
        why = svmc_seal_find(image->priv.sealer, SVMC_KEY_IMAGE, image->priv.alg, &id, &use);
        if (why != SVMC_SEAL_NONE)
            return of_sealer(why);
        svmc_image_add(image, first, &use);
        before = first;
    }
    return SVMC_IMAGE_NONE;
}

enum svmc_image_reason svmc_image_open_end(struct svmc_image *image, const void *end, size_t bytes)
{
    uint8_t head[END_SEGMENT], mac[SVMC_HASH_BYTES], first[SEGMENT_BYTES];
    enum svmc_image_reason why;

    if (!image || !end)
        return SVMC_IMAGE_ARG;
    if (image->priv.state < READS || image->priv.segments != 1)
        return SVMC_IMAGE_NOT_NOW;
    why = measure(bytes);
    if (why != SVMC_IMAGE_NONE)
        return why;
    memcpy(first, image->priv.wire, sizeof first);
    memcpy(head, end, sizeof head);
    memcpy(image->priv.wire, (const uint8_t *)end + END_SEGMENT, sizeof image->priv.wire);
    memcpy(mac, (const uint8_t *)end + END_MAC, sizeof mac);
    why = svmc_image_end_judge(image, head, IS_END, image->priv.chunks);
    if (why == SVMC_IMAGE_NONE && (core_load_le64(head + END_CHUNKS) != image->priv.chunks ||
                                   memcmp(image->priv.wire, first, sizeof first) != 0))
        why = SVMC_IMAGE_END;
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_end_fits(image, head, mac);
    if (why == SVMC_IMAGE_NONE)
        why = find_segments(image, head[END_SEGMENTS]);
    if (why == SVMC_IMAGE_NONE)
        return why;
    (void)svmc_image_release(image, 1);
    image->priv.segments = 1;
    memset(image->priv.wire, 0, sizeof image->priv.wire);
    memcpy(image->priv.wire, first, sizeof first);
    return why;
}

/* IM-16: our own end, made of what was opened, is compared with what is there. */
enum svmc_image_reason svmc_image_close(const struct svmc_image *image, const void *end,
                                        size_t bytes, struct svmc_image_name *name)
{
    uint8_t head[END_SEGMENT], ours[END_SEGMENT], mac[SVMC_HASH_BYTES];
    enum svmc_image_reason why;

    if (!name)
        return SVMC_IMAGE_ARG;
    memset(name, 0, sizeof *name);
    if (!image || !end)
        return SVMC_IMAGE_ARG;
    if (image->priv.state < READS)
        return SVMC_IMAGE_NOT_NOW;
    why = measure(bytes);
    if (why != SVMC_IMAGE_NONE)
        return why;
    memcpy(head, end, sizeof head);
    memcpy(mac, (const uint8_t *)end + END_MAC, sizeof mac);
    svmc_image_end_head(image, IS_END, image->priv.chunks, ours);
    why = svmc_image_end_judge(image, head, IS_END, image->priv.chunks);
    if (why == SVMC_IMAGE_NONE && (memcmp(head, ours, sizeof head) != 0 ||
                                   memcmp((const uint8_t *)end + END_SEGMENT, image->priv.wire,
                                          sizeof image->priv.wire) != 0))
        why = SVMC_IMAGE_END;
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_end_fits(image, ours, mac);
    if (why != SVMC_IMAGE_NONE)
        return why;
    if (image->priv.state != READS_WITH_TABLE)
        return SVMC_IMAGE_INCOMPLETE;
    for (uint64_t i = 0; i < image->priv.chunks; i++) /* clamp: counts up to their number */
        if (__atomic_load_n(image->priv.marks + i, __ATOMIC_ACQUIRE) != mark_of(image, i))
            return SVMC_IMAGE_INCOMPLETE;
    svmc_image_call(image, mac, name);
    return SVMC_IMAGE_NONE;
}
