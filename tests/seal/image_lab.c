/* SPDX-License-Identifier: MIT */
#include "image_lab.h"

#include "../../src/core/bytes.h"
#include "../fakehost/cipher.h"

const uint8_t *image_lab_unwiped;

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 0, n);
    if (dst == image_lab_unwiped && n >= SVMC_MAC_KEY_BYTES)
        image_lab_unwiped = NULL;
}

static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    struct seal_lab *lab = ctx;

    image_lab_unwiped = key;
    return lab->crypto.fake.ops.mac(&lab->crypto.fake, alg, key, piece, pieces, out);
}

/* fakehost's come again after 256. */
static uint64_t drawn;
static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    struct seal_lab *lab = ctx;
    enum svmc_status st = lab->crypto.fake.ops.random(&lab->crypto.fake, dst, n);

    drawn++;
    for (size_t i = 0; i < 8 && i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(drawn >> 8 * i);
    return st;
}

void image_lab_init(struct image_lab *lab, uint32_t alg, bool quick)
{
    uint64_t rng = 7;

    memset(lab, 0, sizeof *lab);
    seal_lab_init(&lab->vm, alg, quick);
    lab->vm.crypto.ops.mac = mac;
    lab->vm.crypto.ops.wipe = wipe;
    image_lab_unwiped = NULL;
    lab->vm.crypto.ops.random = give_random;
    drawn = 0;
    for (size_t i = 0; i < sizeof lab->memory; i++)
        lab->memory[i] = (uint8_t)(harness_random(&rng) >> 56);
    memset(lab->memory + 3 * SVMC_IMAGE_PAGE, 0, SVMC_IMAGE_PAGE);
    memset(lab->memory + 11 * SVMC_IMAGE_PAGE, 0, SVMC_IMAGE_PAGE);
    memset(lab->context, 0xc0, sizeof lab->context);
    memset(lab->device, 0xde, sizeof lab->device);
    memset(lab->state, 0x57, sizeof lab->state);
}

struct svmc_image_config image_lab_config(struct image_lab *lab, uint32_t kind)
{
    return (struct svmc_image_config){ .sealer = &lab->vm.sealer,
                                       .generation = 5,
                                       .marks = lab->marks,
                                       .marks_count = IMAGE_LAB_CHUNKS,
                                       .kind = kind,
                                       .chunk_bytes = 4096 };
}

struct svmc_image_config image_lab_reader(struct image_lab *lab)
{
    return (struct svmc_image_config){ .sealer = &lab->vm.sealer,
                                       .generation = 5,
                                       .marks = lab->read_marks,
                                       .marks_count = IMAGE_LAB_CHUNKS };
}

void image_lab_collect(struct image_lab *lab)
{
    const uint64_t at = 0x100000, bytes = sizeof lab->memory;
    uint8_t map[SVMC_IMAGE_MAP_BYTES(IMAGE_LAB_PAGES)];
    uint64_t here =
        svmc_image_map_make(map, IMAGE_LAB_PAGES, lab->memory, lab->has_dirty ? lab->dirty : NULL);
    const struct svmc_image_section section[IMAGE_LAB_SECTIONS] = {
        { SVMC_IMAGE_MAP, 0, at, bytes, 0, sizeof map, 0, 0 },
        { SVMC_IMAGE_MEMORY, 0, at, bytes, 0, here * SVMC_IMAGE_PAGE, 0, 0 },
        { SVMC_IMAGE_CONTEXT, 0, 0, sizeof lab->context, 0, sizeof lab->context, 1, 0 },
        { SVMC_IMAGE_DEVICE, 9, 0, sizeof lab->device, 0, sizeof lab->device, 2, 0 },
        { SVMC_IMAGE_STATE, 1, 0, sizeof lab->state, 0, sizeof lab->state, 3, 0 },
    };
    uint8_t *out;

    memcpy(lab->section, section, sizeof section);
    REQUIRE(svmc_image_layout(lab->section, IMAGE_LAB_SECTIONS, &lab->body_bytes) == 1);
    memset(lab->body, 0, sizeof lab->body);
    memcpy(lab->body + lab->section[0].offset, map, sizeof map);
    out = lab->body + lab->section[1].offset;
    for (uint64_t p = 0;
         (p = svmc_image_map_next(map, IMAGE_LAB_PAGES, p, SVMC_IMAGE_HERE)) < IMAGE_LAB_PAGES;
         p++, out += SVMC_IMAGE_PAGE)
        memcpy(out, lab->memory + p * SVMC_IMAGE_PAGE, SVMC_IMAGE_PAGE);
    memcpy(lab->body + lab->section[2].offset, lab->context, sizeof lab->context);
    memcpy(lab->body + lab->section[3].offset, lab->device, sizeof lab->device);
    memcpy(lab->body + lab->section[4].offset, lab->state, sizeof lab->state);
}

enum svmc_image_reason image_lab_begin(struct image_lab *lab,
                                       const struct svmc_image_config *config,
                                       struct svmc_image *image, uint8_t *bytes)
{
    enum svmc_image_reason why;

    image_lab_collect(lab);
    lab->table_at = SVMC_IMAGE_HEADER_BYTES;
    why = svmc_image_begin(image, config, lab->section, IMAGE_LAB_SECTIONS, bytes,
                           bytes + lab->table_at);
    if (why != SVMC_IMAGE_NONE)
        return why;
    lab->chunks = (uint32_t)image->priv.chunks;
    for (uint32_t i = 0; i < lab->chunks; i++)
        lab->chunk_at[i] = (size_t)svmc_image_place(image, i);
    lab->end_at = (size_t)svmc_image_place(image, lab->chunks);
    return why;
}

enum svmc_image_reason image_lab_seal(struct image_lab *lab, struct svmc_image *image,
                                      uint32_t lane, uint32_t i, uint8_t *bytes)
{
    return svmc_image_seal_chunk(image, lane, i, lab->body + i * 4096u, bytes + lab->chunk_at[i]);
}

enum svmc_image_reason image_lab_save(struct image_lab *lab, const struct svmc_image_config *config,
                                      uint8_t bytes[IMAGE_LAB_BYTES], size_t *n,
                                      struct svmc_image_name *name)
{
    struct svmc_image image;
    enum svmc_image_reason why = image_lab_begin(lab, config, &image, bytes);

    *n = 0;
    for (uint32_t i = 0; i < lab->chunks && why == SVMC_IMAGE_NONE; i++)
        why = image_lab_seal(lab, &image, 0, i, bytes);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_end(&image, bytes + lab->end_at, name);
    if (why == SVMC_IMAGE_NONE)
        *n = lab->end_at + SVMC_IMAGE_END_BYTES;
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    return why;
}

static enum svmc_image_reason load_parts(struct svmc_image *image, const uint8_t *bytes, size_t n,
                                         uint8_t *body, struct svmc_image_name *name)
{
    struct svmc_image_section section[SVMC_IMAGE_SECTIONS_MAX];
    enum svmc_image_reason why;
    uint64_t place = SVMC_IMAGE_HEADER_BYTES, i = 0;

    why = svmc_image_open_table(image, 0, bytes + place, n - place, section);
    for (; why == SVMC_IMAGE_NONE && svmc_image_chunk_bytes(image, i) != 0; i++) {
        place = svmc_image_place(image, i);
        if (place > n)
            return SVMC_IMAGE_CUT;
        why =
            svmc_image_open_segment(image, 1, i, bytes + place, n - (size_t)place, body + i * 4096);
    }
    place = svmc_image_place(image, i);
    if (why == SVMC_IMAGE_NONE)
        why = place > n ? SVMC_IMAGE_CUT
                        : svmc_image_close(image, bytes + place, n - (size_t)place, name);
    return why;
}

enum svmc_image_reason image_lab_load(const struct svmc_image_config *config, const uint8_t *bytes,
                                      size_t n, uint8_t *body, struct svmc_image_name *name)
{
    struct svmc_image image;
    enum svmc_image_reason why;

    memset(body, 0, IMAGE_LAB_BODY);
    memset(name, 0, sizeof *name);
    why = svmc_image_open(&image, config, bytes, n);
    if (why == SVMC_IMAGE_NONE)
        why = load_parts(&image, bytes, n, body, name);
    else
        CHECK(seal_lab_is_zero(&image, sizeof image));
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK(why == SVMC_IMAGE_NONE || seal_lab_is_zero(name, sizeof *name));
    return why;
}

/* ---- by hand ---------------------------------------------------------------------------------*/

static void subkey(const struct image_lab *lab, uint8_t alg, const uint8_t *id, uint8_t out[64])
{
    uint8_t message[64] = { 0 };

    memcpy(message, "svmcore subkey 1", 16);
    message[16] = SVMC_KEY_IMAGE;
    message[17] = alg;
    memcpy(message + 24, id + 16, 8);
    memcpy(message + 32, seal_lab_vm, 16);
    memcpy(message + 48, id, 16);
    fake_blake2b(out, 64, lab->vm.keys + SVMC_KEYARENA_BYTES(1) - 64, 32, message, sizeof message);
}

void image_lab_frame(const struct image_lab *lab, const uint8_t *header, uint64_t number,
                     const void *text, size_t n, uint8_t *out)
{
    struct fake_cipher c = { .alg = header[5], .lanes = 1 };
    uint8_t nonce[24] = { 0 }, about[16] = { SVMC_KEY_IMAGE, 0, 0, 0, header[5] };
    const struct svmc_bytes ad[] = { { about, 16 }, { header + 160, 32 } };
    struct svmc_cipher_unit u = {
        .pieces = 2, .ad = ad, .nonce = nonce, .in = text, .out = out + 64, .n = n
    };

    core_store_le64(about + 8, n);
    core_store_le64(nonce, number | (uint64_t)1 << 40);
    subkey(lab, header[5], header + 64, c.key);
    memset(c.key + 32, 0, 32);
    fake_aead(&c, &u, true, out);
    memcpy(out + 16, header + 64, 24);
    core_store_le64(out + 40, 1);
    core_store_le64(out + 48, number);
    memcpy(out + 56, header + 32, 8);
}

void image_lab_mac(const struct image_lab *lab, const uint8_t *header, const char label[17],
                   const void *a, size_t a_bytes, uint8_t out[32])
{
    uint8_t key[64], message[1024];

    subkey(lab, 0x21, header + 64, key);
    memcpy(message, label, 16);
    memcpy(message + 16, a, a_bytes);
    fake_blake2b(out, 32, key, 32, message, 16 + a_bytes);
}
