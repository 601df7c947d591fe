/* SPDX-License-Identifier: MIT */
/** Writing an image: header and table, chunks in any order, checkpoints, the end. */
#include "image_private.h"

#define TABLE_ENTRY_BYTES 48u

static uint64_t blocks_of(uint64_t bytes)
{
    return (bytes + 15) / 16;
}

/* ---- sealing ---------------------------------------------------------------------------------*/

/* IM-9: what stands before the sealed bytes; the tag comes with them. */
static void fill_frame(const struct svmc_image *image, const struct svmc_subkey_id *id,
                       const struct svmc_sealed_unit *unit, uint8_t *frame)
{
    store_subkey(frame + FRAME_SUBKEY, id);
    core_store_le64(frame + FRAME_VERSION, unit->version);
    core_store_le64(frame + FRAME_NUMBER, unit->number);
    memcpy(frame + FRAME_IMAGE, image->priv.header + AT_ID, FRAME_IMAGE_BYTES);
}

/* IM-7: bound to the header. A copy of the use has the part of its budget that a unit needs. */
static enum svmc_image_reason seal(const struct svmc_image *image, uint32_t lane, uint32_t segment,
                                   struct svmc_sealed_unit *unit)
{
    uint8_t *frame = (uint8_t *)unit->out - SVMC_IMAGE_FRAME_BYTES;
    struct svmc_seal_use use =
        image->priv.segment[core_clamp(segment, SVMC_IMAGE_SEGMENTS_MAX)].use;
    enum svmc_seal_reason why;

    use.calls = 1;
    use.blocks = blocks_of(unit->bytes) + 1; /* SE-10 */
    unit->ad = image->priv.header + AT_COMMITMENT;
    unit->ad_bytes = SVMC_HASH_BYTES;
    unit->tag = frame + FRAME_TAG;
    why = svmc_seal_unit(image->priv.sealer, lane, &use, unit);
    if (why == SVMC_SEAL_NONE) {
        fill_frame(image, &use.id, unit, frame);
        return SVMC_IMAGE_NONE;
    }
    memset(frame, 0, SVMC_IMAGE_FRAME_BYTES + unit->bytes);
    return of_sealer(why);
}

/* IM-10: one caller gets a chunk, and a version that was not tried for it. @return 0: nobody. */
static uint64_t claim(uint32_t *mark)
{
    uint32_t tries = __atomic_load_n(mark, __ATOMIC_ACQUIRE);

    if ((tries & 1) != 0 || !__atomic_compare_exchange_n(mark, &tries, tries | 1, 0,
                                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return 0;
    return (uint64_t)tries / 2 + 1;
}

/* IM-8: the budget has so many more calls than there are chunks. @return whether one is left. */
static bool take_retry(struct svmc_image *image)
{
    uint32_t left = __atomic_load_n(&image->priv.retries, __ATOMIC_RELAXED);

    while (left > 0)
        if (__atomic_compare_exchange_n(&image->priv.retries, &left, left - 1, 0, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

enum svmc_image_reason svmc_image_seal_chunk(struct svmc_image *image, uint32_t lane,
                                             uint64_t index, const void *in, void *out)
{
    struct svmc_sealed_unit unit;
    enum svmc_image_reason why;
    uint32_t *mark;

    if (!image || !in || !out || index >= image->priv.chunks)
        return SVMC_IMAGE_ARG;
    if (image->priv.state != WRITES)
        return SVMC_IMAGE_NOT_NOW;
    mark = image->priv.marks + core_clamp((uint32_t)index, (uint32_t)image->priv.chunks);
    unit.number = index;
    unit.in = in;
    unit.out = (uint8_t *)out + SVMC_IMAGE_FRAME_BYTES;
    unit.bytes = svmc_image_chunk_bytes(image, index);
    unit.version = claim(mark);
    if (unit.version == 0)
        return SVMC_IMAGE_NOT_NOW;
    why = seal(image, lane, segment_of(image, index), &unit);
    if (why == SVMC_IMAGE_NONE) {
        __atomic_store_n(mark, MARK_SEALED, __ATOMIC_RELEASE);
        return why;
    }
    /* this version is used up; without a call left for it the chunk stays claimed */
    if (take_retry(image))
        __atomic_store_n(mark, (uint32_t)(2 * unit.version), __ATOMIC_RELEASE);
    return why;
}

/* ---- beginning -------------------------------------------------------------------------------*/

/* IM-8: what one subkey seals: chunks, those that are tried again, the table. */
static uint64_t units_of(uint64_t chunks)
{
    return chunks + SVMC_IMAGE_RETRIES + 1;
}

static uint64_t segment_limit(const struct svmc_image_config *config, uint32_t shift)
{
    uint64_t table = blocks_of(SVMC_IMAGE_TABLE_BYTES(SVMC_IMAGE_SECTIONS_MAX));
    uint64_t all =
        (SVMC_SUBKEY_BLOCKS - table) / (blocks_of((uint64_t)1 << shift) + 1) - units_of(0);

    return config->segment_chunks - 1 < all ? config->segment_chunks : all;
}

/* IM-8: segments for the chunks from `first` on; at least one, where `first` is 0. */
static enum svmc_image_reason grow(struct svmc_image *image, uint64_t first)
{
    const uint64_t each = image->priv.segment_chunks, chunks = image->priv.chunks;
    const uint64_t table = blocks_of(SVMC_IMAGE_TABLE_BYTES(SVMC_IMAGE_SECTIONS_MAX));
    const uint64_t chunk = blocks_of((uint64_t)1 << image->priv.shift);
    enum svmc_seal_reason why;
    struct svmc_seal_use use;

    while (first < chunks || image->priv.segments == 0) {
        uint64_t count = chunks - first < each ? chunks - first : each;
        uint64_t units = units_of(count);

        if (image->priv.segments == SVMC_IMAGE_SEGMENTS_MAX)
            return SVMC_IMAGE_ROOM;
        why = svmc_seal_begin(image->priv.sealer, SVMC_KEY_IMAGE, units,
                              (units - 1) * chunk + table, &use);
        if (why != SVMC_SEAL_NONE)
            return of_sealer(why);
        svmc_image_add(image, first, &use);
        first += count;
    }
    return SVMC_IMAGE_NONE;
}

/* 4096 is 12. 0: it is none that can be. */
static uint32_t shift_of(uint32_t chunk_bytes)
{
    uint32_t shift = 12;

    if (chunk_bytes == 0)
        chunk_bytes = SVMC_IMAGE_CHUNK_BYTES;
    while (shift < 20 && (uint32_t)1 << shift < chunk_bytes)
        shift++;
    return (uint32_t)1 << shift == chunk_bytes ? shift : 0;
}

/* IM-2: all but subkey, algorithms and commitment. */
static enum svmc_image_reason fill_header(const struct svmc_image_config *config, uint64_t body,
                                          size_t sections, uint8_t *h)
{
    const struct svmc_crypto_ops *ops = config->sealer->priv.crypto;
    const struct svmc_image_name *parent = config->parent;

    core_store_le32(h, MAGIC);
    h[AT_VERSION] = VERSION;
    h[AT_PURPOSE] = SVMC_KEY_IMAGE;
    h[AT_KIND] = (uint8_t)config->kind;
    h[AT_SHIFT] = (uint8_t)shift_of(config->chunk_bytes);
    if (config->kind >= SVMC_IMAGE_ROUND && parent)
        core_store_le32(h + AT_ROUND, parent->round + 1);
    memcpy(h + AT_VM, config->sealer->priv.key->priv.vm, SVMC_VM_ID_BYTES);
    if (config->session)
        memcpy(h + AT_SESSION, config->session, SVMC_IMAGE_ID_BYTES);
    core_store_le64(h + AT_GENERATION, config->generation);
    if (parent) {
        memcpy(h + AT_PARENT, parent->id, sizeof parent->id);
        memcpy(h + AT_PARENT_SEAL, parent->seal, sizeof parent->seal);
    }
    core_store_le64(h + AT_BODY, body);
    core_store_le32(h + AT_SECTIONS, (uint32_t)sections);
    if (ops->random(ops->ctx, h + AT_ID, SVMC_IMAGE_ID_BYTES) != SVMC_OK)
        return SVMC_IMAGE_CRYPTO;
    return svmc_image_judge(h, config);
}

/* IM-3: the algorithms and the subkey are known, the header ends with its commitment. */
static enum svmc_image_reason close_header(struct svmc_image *image)
{
    uint8_t *h = image->priv.header;

    image->priv.alg = image->priv.segment[0].use.alg;
    h[AT_ALG] = (uint8_t)image->priv.alg;
    h[AT_MAC] = (uint8_t)image->priv.mac;
    store_subkey(h + AT_SUBKEY, &image->priv.segment[0].use.id);
    return svmc_image_commit(image, h + AT_COMMITMENT);
}

/* IM-6: the sections, sealed in place. */
static enum svmc_image_reason seal_table(struct svmc_image *image,
                                         const struct svmc_image_section *section, size_t count,
                                         uint8_t *table)
{
    struct svmc_sealed_unit unit = { .number = TABLE_NUMBER,
                                     .version = 1,
                                     .in = table + SVMC_IMAGE_FRAME_BYTES,
                                     .out = table + SVMC_IMAGE_FRAME_BYTES,
                                     .bytes = count * TABLE_ENTRY_BYTES };

    for (size_t i = 0; i < count; i++) {
        uint8_t *at = table + SVMC_IMAGE_TABLE_BYTES(i);

        core_store_le32(at, section[i].type);
        core_store_le32(at + 4, section[i].id);
        core_store_le64(at + 8, section[i].at);
        core_store_le64(at + 16, section[i].bytes);
        core_store_le64(at + 24, section[i].offset);
        core_store_le64(at + 32, section[i].stored);
        core_store_le32(at + 40, section[i].format);
        core_store_le32(at + 44, section[i].reserved);
    }
    return seal(image, 0, 0, &unit);
}

/* From here on there are subkeys to give back. */
static enum svmc_image_reason set_up(struct svmc_image *image,
                                     const struct svmc_image_config *config, uint64_t body,
                                     size_t count)
{
    const uint32_t mac = config->mac != 0 ? config->mac : SVMC_ALG_MAC_BLAKE2B_256;
    const uint32_t shift = shift_of(config->chunk_bytes);
    enum svmc_image_reason why;

    if (shift == 0 || config->kind - SVMC_IMAGE_WHOLE > SVMC_IMAGE_LAST - SVMC_IMAGE_WHOLE)
        return SVMC_IMAGE_ARG;
    if (mac != SVMC_ALG_MAC_BLAKE2B_256 && mac != SVMC_ALG_HMAC_SHA_256)
        return SVMC_IMAGE_ALGORITHM;
    image->priv.chunks = (body + ((uint64_t)1 << shift) - 1) >> shift;
    if (image->priv.chunks > SVMC_IMAGE_CHUNKS_MAX || config->marks_count < image->priv.chunks)
        return SVMC_IMAGE_ROOM;
    image->priv.sealer = config->sealer;
    image->priv.marks = config->marks;
    image->priv.shift = shift;
    image->priv.mac = mac;
    image->priv.segment_chunks = segment_limit(config, shift);
    image->priv.retries = SVMC_IMAGE_RETRIES;
    why = fill_header(config, body, count, image->priv.header);
    return why == SVMC_IMAGE_NONE ? grow(image, 0) : why;
}

/* Nothing is left of an image that did not come about. */
static enum svmc_image_reason give_up(struct svmc_image *image, enum svmc_image_reason why)
{
    if (image->priv.sealer)
        (void)svmc_image_release(image, 0);
    memset(image, 0, sizeof *image);
    return why;
}

enum svmc_image_reason svmc_image_begin(struct svmc_image *image,
                                        const struct svmc_image_config *config,
                                        const struct svmc_image_section *section, size_t count,
                                        uint8_t *header, uint8_t *table)
{
    enum svmc_image_reason why;
    uint64_t body;

    if (!image || !header || !table || count > SVMC_IMAGE_SECTIONS_MAX)
        return SVMC_IMAGE_ARG;
    memset(image, 0, sizeof *image);
    memset(header, 0, SVMC_IMAGE_HEADER_BYTES);
    memset(table, 0, SVMC_IMAGE_TABLE_BYTES(count));
    why = svmc_image_ready(config, 1);
    if (why == SVMC_IMAGE_NONE && !svmc_image_is_laid_out(section, count, &body))
        why = SVMC_IMAGE_TABLE;
    if (why != SVMC_IMAGE_NONE)
        return why;
    why = set_up(image, config, body, count);
    if (why == SVMC_IMAGE_NONE)
        why = close_header(image);
    if (why == SVMC_IMAGE_NONE)
        why = seal_table(image, section, count, table);
    if (why != SVMC_IMAGE_NONE)
        return give_up(image, why);
    memcpy(header, image->priv.header, SVMC_IMAGE_HEADER_BYTES);
    if (image->priv.chunks != 0)
        memset(image->priv.marks, 0, (size_t)image->priv.chunks * sizeof *image->priv.marks);
    image->priv.state = WRITES;
    return SVMC_IMAGE_NONE;
}

/* ---- ends ------------------------------------------------------------------------------------*/

static enum svmc_image_reason write_end(const struct svmc_image *image, uint8_t what,
                                        uint64_t chunks, uint8_t *out)
{
    enum svmc_image_reason why;

    for (uint64_t i = 0; i < chunks; i++) /* clamp: counts up to what the caller has shown */
        if (__atomic_load_n(image->priv.marks + i, __ATOMIC_ACQUIRE) != MARK_SEALED)
            return SVMC_IMAGE_INCOMPLETE;
    svmc_image_end_head(image, what, chunks, out);
    memcpy(out + END_SEGMENT, image->priv.wire, sizeof image->priv.wire);
    why = svmc_image_end_mac(image, out, out + END_MAC);
    if (why != SVMC_IMAGE_NONE)
        memset(out, 0, SVMC_IMAGE_END_BYTES);
    return why;
}

/* IM-11 */
enum svmc_image_reason svmc_image_checkpoint(const struct svmc_image *image, uint64_t done,
                                             uint8_t *out)
{
    if (!out)
        return SVMC_IMAGE_ARG;
    memset(out, 0, SVMC_IMAGE_END_BYTES);
    if (!image || done > image->priv.chunks)
        return SVMC_IMAGE_ARG;
    return image->priv.state == WRITES ? write_end(image, IS_CHECKPOINT, done, out)
                                       : SVMC_IMAGE_NOT_NOW;
}

/* IM-12 */
enum svmc_image_reason svmc_image_end(const struct svmc_image *image, uint8_t *out,
                                      struct svmc_image_name *name)
{
    enum svmc_image_reason why;

    if (!out || !name)
        return SVMC_IMAGE_ARG;
    memset(out, 0, SVMC_IMAGE_END_BYTES);
    memset(name, 0, sizeof *name);
    if (!image)
        return SVMC_IMAGE_ARG;
    if (image->priv.state != WRITES)
        return SVMC_IMAGE_NOT_NOW;
    why = write_end(image, IS_END, image->priv.chunks, out);
    if (why == SVMC_IMAGE_NONE)
        svmc_image_call(image, out + END_MAC, name);
    return why;
}

/* IM-11: the segments that have chunks before `done` stay; what was planned behind it goes. */
static enum svmc_image_reason take_checkpoint(struct svmc_image *image, const uint8_t *checkpoint,
                                              uint64_t *done)
{
    uint8_t head[END_SEGMENT], mac[SVMC_HASH_BYTES];
    enum svmc_image_reason why;
    uint32_t kept = 1;

    memcpy(head, checkpoint, sizeof head);
    memcpy(image->priv.wire, checkpoint + END_SEGMENT, sizeof image->priv.wire);
    memcpy(mac, checkpoint + END_MAC, sizeof mac);
    why = svmc_image_end_judge(image, head, IS_CHECKPOINT, image->priv.chunks);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_end_fits(image, head, mac);
    if (why != SVMC_IMAGE_NONE)
        return why;
    *done = core_load_le64(head + END_CHUNKS);
    while (kept < head[END_SEGMENTS] &&
           core_load_le64(image->priv.wire + core_clamp(kept, SVMC_IMAGE_SEGMENTS_MAX) *
                                                 (size_t)SEGMENT_BYTES) < *done)
        kept++; /* its use stays {0}: nothing is sealed with it */
    image->priv.segments = kept;
    memset(image->priv.wire + kept * (size_t)SEGMENT_BYTES, 0,
           sizeof image->priv.wire - kept * (size_t)SEGMENT_BYTES);
    return SVMC_IMAGE_NONE;
}

enum svmc_image_reason svmc_image_resume(struct svmc_image *image,
                                         const struct svmc_image_config *config, const void *header,
                                         const void *checkpoint, uint64_t *done)
{
    struct svmc_image_info info;
    enum svmc_image_reason why;

    if (!image || !done)
        return SVMC_IMAGE_ARG;
    memset(image, 0, sizeof *image);
    *done = 0;
    if (!header || !checkpoint)
        return SVMC_IMAGE_ARG;
    why = svmc_image_ready(config, 1);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_take(image, config, header, &info);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_judge(image->priv.header, config);
    if (why == SVMC_IMAGE_NONE && info.generation != config->generation)
        why = SVMC_IMAGE_OLD; /* one from the future is none of ours, either */
    if (why == SVMC_IMAGE_NONE && info.kind != config->kind)
        why = SVMC_IMAGE_PURPOSE; /* the last one, of a VM that runs on, would be run twice */
    if (why == SVMC_IMAGE_NONE && image->priv.alg != config->sealer->priv.alg)
        why = SVMC_IMAGE_ALGORITHM; /* the header has one for all segments */
    if (why == SVMC_IMAGE_NONE)
        why = take_checkpoint(image, checkpoint, done);
    if (why == SVMC_IMAGE_NONE) {
        image->priv.marks = config->marks;
        image->priv.segment_chunks = segment_limit(config, image->priv.shift);
        image->priv.retries = SVMC_IMAGE_RETRIES;
        why = grow(image, *done);
    }
    if (why != SVMC_IMAGE_NONE) {
        *done = 0;
        return give_up(image, why);
    }
    for (uint64_t i = 0; i < image->priv.chunks; i++) /* clamp: counts up to their number */
        image->priv.marks[i] = i < *done ? MARK_SEALED : 0;
    image->priv.state = WRITES;
    return SVMC_IMAGE_NONE;
}
