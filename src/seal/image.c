/* SPDX-License-Identifier: MIT */
/** Images: what writer and reader share. */
#include "image_private.h"

#define SHIFT_MIN 12u
#define SHIFT_MAX 20u
#define END_MAGIC 0x454d5653u /* SVME */

/* IM-3: of one length, so that no MAC of one is one of the other. */
#define LABEL_BYTES 16u
static const uint8_t header_label[LABEL_BYTES] = "svmcore image  1";
static const uint8_t end_label[LABEL_BYTES] = "svmcore imgend 1";

/* ---- reasons ---------------------------------------------------------------------------------*/

#define NAME_BYTES 16

/* Text beside the value, no pointer in the row: the table needs no relocation. */
static const struct {
    uint8_t status;
    char name[NAME_BYTES];
} reasons[] = {
    [SVMC_IMAGE_NONE] = { SVMC_OK, "NONE" },
    [SVMC_IMAGE_ARG] = { SVMC_ERR_ARG, "ARG" },
    [SVMC_IMAGE_NOT_NOW] = { SVMC_ERR_STATE, "NOT_NOW" },
    [SVMC_IMAGE_ROOM] = { SVMC_ERR_FULL, "ROOM" },
    [SVMC_IMAGE_NOT_ONE] = { SVMC_ERR_FORMAT, "NOT_ONE" },
    [SVMC_IMAGE_NEWER] = { SVMC_ERR_UNSUPPORTED, "NEWER" },
    [SVMC_IMAGE_ALGORITHM] = { SVMC_ERR_UNSUPPORTED, "ALGORITHM" },
    [SVMC_IMAGE_PURPOSE] = { SVMC_ERR_PURPOSE, "PURPOSE" },
    [SVMC_IMAGE_OTHER_VM] = { SVMC_ERR_OWNER, "OTHER_VM" },
    [SVMC_IMAGE_HEADER] = { SVMC_ERR_KEY, "HEADER" },
    [SVMC_IMAGE_OLD] = { SVMC_ERR_STALE, "OLD" },
    [SVMC_IMAGE_WRONG_PARENT] = { SVMC_ERR_STALE, "WRONG_PARENT" },
    [SVMC_IMAGE_WRONG_ROUND] = { SVMC_ERR_STALE, "WRONG_ROUND" },
    [SVMC_IMAGE_WRONG_SESSION] = { SVMC_ERR_STALE, "WRONG_SESSION" },
    [SVMC_IMAGE_CUT] = { SVMC_ERR_FORMAT, "CUT" },
    [SVMC_IMAGE_LONG] = { SVMC_ERR_FORMAT, "LONG" },
    [SVMC_IMAGE_CHANGED] = { SVMC_ERR_AUTH, "CHANGED" },
    [SVMC_IMAGE_MOVED] = { SVMC_ERR_AUTH, "MOVED" },
    [SVMC_IMAGE_SPLICED] = { SVMC_ERR_AUTH, "SPLICED" },
    [SVMC_IMAGE_SEGMENT] = { SVMC_ERR_ABSENT, "SEGMENT" },
    [SVMC_IMAGE_TABLE] = { SVMC_ERR_FORMAT, "TABLE" },
    [SVMC_IMAGE_END] = { SVMC_ERR_AUTH, "END" },
    [SVMC_IMAGE_INCOMPLETE] = { SVMC_ERR_STATE, "INCOMPLETE" },
    [SVMC_IMAGE_CRYPTO] = { SVMC_ERR_CALLBACK, "CRYPTO" },
};
#define REASONS (uint32_t)(sizeof reasons / sizeof reasons[0])

enum svmc_status svmc_image_status(enum svmc_image_reason reason)
{
    uint32_t why = (uint32_t)reason;

    if (why >= SVMC_IMAGE_SEALER)
        return svmc_seal_status((enum svmc_seal_reason)(why - SVMC_IMAGE_SEALER));
    return why < REASONS ? (enum svmc_status)reasons[core_clamp(why, REASONS)].status
                         : SVMC_ERR_ARG;
}

const char *svmc_image_reason_name(enum svmc_image_reason reason)
{
    uint32_t why = (uint32_t)reason;

    if (why < REASONS)
        return reasons[core_clamp(why, REASONS)].name;
    return why >= SVMC_IMAGE_SEALER && why <= SVMC_IMAGE_REASON_MAX
               ? svmc_seal_name((enum svmc_seal_reason)(why - SVMC_IMAGE_SEALER))
               : "?";
}

/* ---- headers ---------------------------------------------------------------------------------*/

static bool is_mac(uint32_t alg)
{
    return alg == SVMC_ALG_MAC_BLAKE2B_256 || alg == SVMC_ALG_HMAC_SHA_256;
}

/* IM-1 */
static uint64_t bytes_of(const struct svmc_image_info *info)
{
    return SVMC_IMAGE_HEADER_BYTES + SVMC_IMAGE_TABLE_BYTES(info->sections) +
           info->chunks * SVMC_IMAGE_FRAME_BYTES + info->body_bytes + SVMC_IMAGE_END_BYTES;
}

/* IM-2: what no writer makes is a header that was changed. */
static bool is_possible(const uint8_t *h, uint64_t body)
{
    static const uint8_t zero[4];
    uint32_t kind = h[AT_KIND], shift = h[AT_SHIFT];

    return kind - SVMC_IMAGE_WHOLE <= SVMC_IMAGE_LAST - SVMC_IMAGE_WHOLE &&
           shift - SHIFT_MIN <= SHIFT_MAX - SHIFT_MIN &&
           memcmp(h + AT_SHIFT + 1, zero, AT_ROUND - AT_SHIFT - 1) == 0 &&
           core_load_le32(h + AT_SECTIONS) <= SVMC_IMAGE_SECTIONS_MAX &&
           memcmp(h + AT_SECTIONS + 4, zero, sizeof zero) == 0 &&
           body <= SVMC_IMAGE_CHUNKS_MAX << shift;
}

enum svmc_image_reason svmc_image_parse(const uint8_t *h, struct svmc_image_info *info)
{
    uint64_t body = core_load_le64(h + AT_BODY);

    if (core_load_le32(h) != MAGIC)
        return SVMC_IMAGE_NOT_ONE;
    if (h[AT_VERSION] != VERSION)
        return SVMC_IMAGE_NEWER;
    if (svmc_cipher_shape_of(h[AT_ALG]).tag_bytes == 0 || !is_mac(h[AT_MAC]))
        return SVMC_IMAGE_ALGORITHM;
    if (h[AT_PURPOSE] != SVMC_KEY_IMAGE)
        return SVMC_IMAGE_PURPOSE;
    if (!is_possible(h, body))
        return SVMC_IMAGE_HEADER;
    info->kind = h[AT_KIND];
    info->alg = h[AT_ALG];
    info->mac = h[AT_MAC];
    info->chunk_bytes = 1u << h[AT_SHIFT];
    info->round = core_load_le32(h + AT_ROUND);
    info->sections = core_load_le32(h + AT_SECTIONS);
    info->generation = core_load_le64(h + AT_GENERATION);
    info->body_bytes = body;
    info->chunks = (body + info->chunk_bytes - 1) >> h[AT_SHIFT];
    info->bytes = bytes_of(info);
    load_subkey(h + AT_SUBKEY, &info->subkey);
    memcpy(info->vm, h + AT_VM, sizeof info->vm);
    memcpy(info->id, h + AT_ID, sizeof info->id);
    memcpy(info->session, h + AT_SESSION, sizeof info->session);
    memcpy(info->parent, h + AT_PARENT, sizeof info->parent);
    return SVMC_IMAGE_NONE;
}

/* IM-4: a beginning of one is cut, something else is none; copied, for it may change meanwhile. */
enum svmc_image_reason svmc_image_inspect(const void *header, size_t bytes,
                                          struct svmc_image_info *info)
{
    uint8_t copy[SVMC_IMAGE_HEADER_BYTES], magic[AT_VERSION];
    size_t shown = bytes < AT_VERSION ? bytes : AT_VERSION;

    if (!info)
        return SVMC_IMAGE_ARG;
    memset(info, 0, sizeof *info);
    if (!header)
        return SVMC_IMAGE_ARG;
    core_store_le32(magic, MAGIC);
    if (bytes < sizeof copy)
        return memcmp(header, magic, shown) == 0 ? SVMC_IMAGE_CUT : SVMC_IMAGE_NOT_ONE;
    memcpy(copy, header, sizeof copy);
    return svmc_image_parse(copy, info);
}

/* IM-14: each round stands on the one before it, and nothing on the last one. */
static bool may_follow(const struct svmc_image_name *parent, uint32_t kind)
{
    return kind == SVMC_IMAGE_DELTA ? parent->kind != SVMC_IMAGE_ROUND
                                    : parent->kind == SVMC_IMAGE_ROUND;
}

enum svmc_image_reason svmc_image_judge(const uint8_t *h, const struct svmc_image_config *config)
{
    static const uint8_t none[SVMC_IMAGE_ID_BYTES + SVMC_HASH_BYTES];
    const struct svmc_image_name *parent = config->parent;
    uint64_t generation = core_load_le64(h + AT_GENERATION);
    uint32_t kind = h[AT_KIND], round = core_load_le32(h + AT_ROUND);
    bool moves = kind >= SVMC_IMAGE_ROUND;
    uint32_t expected = moves && parent ? parent->round + 1 : 0;
    const uint8_t *id = parent ? parent->id : none, *seal = parent ? parent->seal : none;

    if (generation < config->generation)
        return SVMC_IMAGE_OLD;
    if ((config->session != NULL) != moves ||
        memcmp(h + AT_SESSION, moves ? config->session : none, SVMC_IMAGE_ID_BYTES) != 0)
        return SVMC_IMAGE_WRONG_SESSION;
    if (round != expected)
        return SVMC_IMAGE_WRONG_ROUND;
    if ((parent != NULL) != (kind == SVMC_IMAGE_DELTA || round > 0) ||
        (parent && !may_follow(parent, kind)) ||
        memcmp(h + AT_PARENT, id, SVMC_IMAGE_ID_BYTES) != 0 ||
        memcmp(h + AT_PARENT_SEAL, seal, SVMC_HASH_BYTES) != 0)
        return SVMC_IMAGE_WRONG_PARENT;
    return parent && (generation < parent->generation ||
                      (kind == SVMC_IMAGE_DELTA && generation == parent->generation))
               ? SVMC_IMAGE_OLD
               : SVMC_IMAGE_NONE;
}

/* ---- MACs ------------------------------------------------------------------------------------*/

enum svmc_image_reason svmc_image_ready(const struct svmc_image_config *config, uint32_t seal)
{
    const struct svmc_crypto_ops *ops;

    if (!config || !config->sealer || !config->sealer->priv.crypto ||
        (!config->marks && config->marks_count != 0))
        return SVMC_IMAGE_ARG;
    ops = config->sealer->priv.crypto;
    if (!CORE_HAS_OP(ops, mac) || !CORE_HAS_OP(ops, equal) || !CORE_HAS_OP(ops, random) ||
        !CORE_HAS_OP(ops, wipe))
        return SVMC_IMAGE_ARG;
    return of_sealer(svmc_seal_may(config->sealer, SVMC_KEY_IMAGE, seal, 0, 1));
}

/* IM-3: keyed with a subkey of its own, of the same name as the first segment's. */
static enum svmc_image_reason mac_of(const struct svmc_image *image, const struct svmc_bytes *piece,
                                     size_t pieces, uint8_t out[SVMC_HASH_BYTES])
{
    const struct svmc_sealer *sealer = image->priv.sealer;
    const struct svmc_crypto_ops *ops = sealer->priv.crypto;
    uint8_t key[SVMC_DERIVE_BYTES];
    struct svmc_subkey_id id;
    enum svmc_status st;

    load_subkey(image->priv.header + AT_SUBKEY, &id);
    st = svmc_vmkey_subkey(sealer->priv.key, SVMC_KEY_IMAGE, image->priv.mac, &id, key);
    if (st == SVMC_OK) {
        st = ops->mac(ops->ctx, image->priv.mac, key, piece, pieces, out);
        st = core_crypto_verdict(st);
    }
    ops->wipe(ops->ctx, key, sizeof key);
    return st == SVMC_OK                ? SVMC_IMAGE_NONE
           : st == SVMC_ERR_UNSUPPORTED ? SVMC_IMAGE_ALGORITHM
           : st == SVMC_ERR_STALE       ? of_sealer(SVMC_SEAL_NO_KEY)
                                        : SVMC_IMAGE_CRYPTO;
}

enum svmc_image_reason svmc_image_commit(const struct svmc_image *image,
                                         uint8_t out[SVMC_HASH_BYTES])
{
    const struct svmc_bytes piece[] = { { header_label, LABEL_BYTES },
                                        { image->priv.header, AT_COMMITMENT } };

    return mac_of(image, piece, 2, out);
}

enum svmc_image_reason svmc_image_end_mac(const struct svmc_image *image,
                                          const uint8_t head[END_SEGMENT],
                                          uint8_t out[SVMC_HASH_BYTES])
{
    const struct svmc_bytes piece[] = { { end_label, LABEL_BYTES },
                                        { image->priv.header, SVMC_IMAGE_HEADER_BYTES },
                                        { head, END_SEGMENT },
                                        { image->priv.wire, sizeof image->priv.wire } };

    return mac_of(image, piece, 4, out);
}

enum svmc_image_reason svmc_image_take(struct svmc_image *image,
                                       const struct svmc_image_config *config,
                                       const uint8_t *header, struct svmc_image_info *info)
{
    const struct svmc_crypto_ops *ops = config->sealer->priv.crypto;
    uint8_t commitment[SVMC_HASH_BYTES];
    enum svmc_image_reason why;

    memcpy(image->priv.header, header, sizeof image->priv.header);
    why = svmc_image_parse(image->priv.header, info);
    if (why != SVMC_IMAGE_NONE)
        return why;
    if (memcmp(info->vm, config->sealer->priv.key->priv.vm, sizeof info->vm) != 0)
        return SVMC_IMAGE_OTHER_VM;
    image->priv.sealer = config->sealer;
    image->priv.alg = info->alg;
    image->priv.mac = info->mac;
    image->priv.shift = image->priv.header[AT_SHIFT];
    image->priv.chunks = info->chunks;
    why = svmc_image_commit(image, commitment);
    if (why != SVMC_IMAGE_NONE)
        return why;
    if (ops->equal(ops->ctx, commitment, image->priv.header + AT_COMMITMENT, sizeof commitment) !=
        SVMC_OK)
        return SVMC_IMAGE_HEADER;
    return config->marks_count < info->chunks ? SVMC_IMAGE_ROOM : SVMC_IMAGE_NONE;
}

/* ---- segments and the end --------------------------------------------------------------------*/

void svmc_image_add(struct svmc_image *image, uint64_t first, const struct svmc_seal_use *use)
{
    uint32_t i = core_clamp(image->priv.segments, SVMC_IMAGE_SEGMENTS_MAX);
    uint8_t *wire = image->priv.wire + i * SEGMENT_BYTES;

    image->priv.segment[i].first = first;
    image->priv.segment[i].use = *use;
    core_store_le64(wire, first);
    store_subkey(wire + 8, &use->id);
    image->priv.segments = i + 1;
}

bool svmc_image_release(struct svmc_image *image, uint32_t from)
{
    bool all = true;

    for (uint32_t i = from; i < SVMC_IMAGE_SEGMENTS_MAX; i++) { /* clamp: counts to a constant */
        struct svmc_seal_use *use = &image->priv.segment[i].use;

        if (use->slot.raw != 0 && svmc_seal_end(image->priv.sealer, use) != SVMC_OK)
            all = false;
    }
    return all;
}

enum svmc_status svmc_image_drop(struct svmc_image *image)
{
    if (!image)
        return SVMC_ERR_ARG;
    if (image->priv.sealer && !svmc_image_release(image, 0))
        return SVMC_ERR_BUSY;
    memset(image, 0, sizeof *image);
    return SVMC_OK;
}

void svmc_image_end_head(const struct svmc_image *image, uint8_t what, uint64_t chunks,
                         uint8_t head[END_SEGMENT])
{
    memset(head, 0, END_SEGMENT);
    core_store_le32(head, END_MAGIC);
    head[AT_VERSION] = VERSION;
    head[END_WHAT] = what;
    head[END_SEGMENTS] = (uint8_t)image->priv.segments;
    core_store_le64(head + END_CHUNKS, chunks);
    memcpy(head + END_ID, image->priv.header + AT_ID, SVMC_IMAGE_ID_BYTES);
}

/* IM-12: the head of an end that is not ours says why. */
enum svmc_image_reason svmc_image_end_judge(const struct svmc_image *image,
                                            const uint8_t head[END_SEGMENT], uint8_t what,
                                            uint64_t chunks)
{
    if (core_load_le32(head) != END_MAGIC)
        return SVMC_IMAGE_END;
    if (head[AT_VERSION] != VERSION)
        return SVMC_IMAGE_NEWER;
    if (memcmp(head + END_ID, image->priv.header + AT_ID, SVMC_IMAGE_ID_BYTES) != 0)
        return SVMC_IMAGE_SPLICED;
    if (head[END_WHAT] != what)
        return head[END_WHAT] == IS_CHECKPOINT ? SVMC_IMAGE_INCOMPLETE : SVMC_IMAGE_END;
    return head[END_SEGMENTS + 1] == 0 && head[END_SEGMENTS] - 1u < SVMC_IMAGE_SEGMENTS_MAX &&
                   core_load_le64(head + END_CHUNKS) <= chunks
               ? SVMC_IMAGE_NONE
               : SVMC_IMAGE_END;
}

enum svmc_image_reason svmc_image_end_fits(const struct svmc_image *image,
                                           const uint8_t head[END_SEGMENT], const uint8_t *mac)
{
    const struct svmc_crypto_ops *ops = image->priv.sealer->priv.crypto;
    uint8_t ours[SVMC_HASH_BYTES];
    enum svmc_image_reason why = svmc_image_end_mac(image, head, ours);

    if (why != SVMC_IMAGE_NONE)
        return why;
    return ops->equal(ops->ctx, ours, mac, sizeof ours) == SVMC_OK ? SVMC_IMAGE_NONE
                                                                   : SVMC_IMAGE_END;
}

void svmc_image_call(const struct svmc_image *image, const uint8_t *seal,
                     struct svmc_image_name *name)
{
    const uint8_t *h = image->priv.header;

    memcpy(name->id, h + AT_ID, sizeof name->id);
    memcpy(name->seal, seal, sizeof name->seal);
    name->generation = core_load_le64(h + AT_GENERATION);
    name->kind = h[AT_KIND];
    name->round = core_load_le32(h + AT_ROUND);
}

/* IM-14, IM-16 */
uint32_t svmc_image_may_run(const struct svmc_image_name *name)
{
    return name && (name->kind == SVMC_IMAGE_WHOLE || name->kind == SVMC_IMAGE_DELTA ||
                    name->kind == SVMC_IMAGE_LAST);
}

/* ---- places ----------------------------------------------------------------------------------*/

size_t svmc_image_chunk_bytes(const struct svmc_image *image, uint64_t index)
{
    uint64_t chunk, at;

    if (!image || index >= image->priv.chunks)
        return 0;
    chunk = (uint64_t)1 << image->priv.shift;
    at = core_load_le64(image->priv.header + AT_BODY) - (index << image->priv.shift);
    return (size_t)(at < chunk ? at : chunk);
}

uint64_t svmc_image_place(const struct svmc_image *image, uint64_t index)
{
    uint64_t body, at;

    if (!image || index > image->priv.chunks)
        return 0;
    body = core_load_le64(image->priv.header + AT_BODY);
    at = index << image->priv.shift;
    return SVMC_IMAGE_HEADER_BYTES +
           SVMC_IMAGE_TABLE_BYTES(core_load_le32(image->priv.header + AT_SECTIONS)) +
           index * SVMC_IMAGE_FRAME_BYTES + (at < body ? at : body);
}
