/* SPDX-License-Identifier: MIT */
/* docs/spec/image.md: writers that are stopped and go on, segments, chunks that are tried again;
   and, over all of it, that no nonce comes twice under one key. */
#include "../../src/core/bytes.h"
#include "image_lab.h"

static struct image_lab lab;
static uint8_t bytes[IMAGE_LAB_BYTES], bad[IMAGE_LAB_BYTES], body[IMAGE_LAB_BODY];
static struct svmc_image_name name, read_name;

/* ---- the recorder ----------------------------------------------------------------------------*/

enum { PAIRS = 1 << 16 };
static uint64_t seen[PAIRS];
static unsigned pairs;
static bool repeated;

static void note(const uint8_t *key, const uint8_t *nonce)
{
    uint8_t hash[8];
    uint8_t message[32 + 12];
    uint64_t word;

    memcpy(message, key, 32);
    memcpy(message + 32, nonce, 12);
    fake_blake2b(hash, sizeof hash, NULL, 0, message, sizeof message);
    word = core_load_le64(hash) | 1;
    for (uint64_t i = word >> 40;; i++) {
        uint64_t *at = &seen[i % PAIRS];

        if (*at == word)
            repeated = true;
        if (*at != 0 && *at != word)
            continue;
        *at = word;
        pairs++;
        return;
    }
}

static void record(void)
{
    memset(seen, 0, sizeof seen);
    pairs = 0;
    repeated = false;
    lab.vm.crypto.toy.sealed = note;
}

static void begin(void)
{
    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    record();
}

static enum svmc_image_reason load_from(const uint8_t *from, size_t n)
{
    const struct svmc_image_config config = image_lab_reader(&lab);

    return image_lab_load(&config, from, n, body, &read_name);
}

/* The end first, then chunks in any order: what can be read from everywhere. */
static enum svmc_image_reason load_end_first(const uint8_t *from, uint64_t *refused)
{
    struct svmc_image_config config = image_lab_reader(&lab);
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    enum svmc_image_reason why;
    struct svmc_image image;

    memset(body, 0, sizeof body);
    why = svmc_image_open(&image, &config, from, IMAGE_LAB_BYTES);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_end(&image, from + lab.end_at, 576);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_table(&image, 0, from + 192, IMAGE_LAB_BYTES, section);
    for (uint32_t k = 0; k < lab.chunks && why == SVMC_IMAGE_NONE; k++) {
        *refused = (k * 3 + 1) % lab.chunks;
        why = svmc_image_open_chunk(&image, 0, *refused, from + lab.chunk_at[*refused],
                                    IMAGE_LAB_BYTES, body + *refused * 4096);
    }
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_close(&image, from + lab.end_at, 576, &read_name);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    return why;
}

/* ---- going on --------------------------------------------------------------------------------*/

/* Stopped after `done` chunks, and gone on with in another life. bad: what the first one left. */
static void stop_and_go_on(uint32_t stop, uint64_t *done)
{
    struct svmc_image_config config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    uint8_t checkpoint[SVMC_IMAGE_END_BYTES];
    struct svmc_image image;

    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++) {
        CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes), SVMC_IMAGE_NONE);
        if (i + 1 == stop)
            CHECK_EQ(svmc_image_checkpoint(&image, stop, checkpoint), SVMC_IMAGE_NONE);
    }
    if (stop == 0)
        CHECK_EQ(svmc_image_checkpoint(&image, 0, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    memcpy(bad, bytes, sizeof bad);
    CHECK_EQ(svmc_sealer_renew(&lab.vm.sealer), SVMC_OK);
    memset(lab.marks, 0xee, sizeof lab.marks);
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, done), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++)
        CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes),
                 i < stop ? SVMC_IMAGE_NOT_NOW : SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_end(&image, bytes + lab.end_at, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

TEST(image_resume, a_writer_goes_on_after_any_chunk) /* IM-11 */
{
    begin();
    for (uint32_t stop = 0; stop <= 14; stop++) {
        uint64_t done, at;
        uint32_t i = stop + (stop < 13);

        stop_and_go_on(stop, &done);
        CHECK_EQ(done, stop);
        CHECK_EQ(load_from(bytes, lab.end_at + 576), SVMC_IMAGE_NONE, "%u", stop);
        CHECK_MEM(body, lab.body, lab.body_bytes);
        CHECK_MEM(&name, &read_name, sizeof name);
        CHECK_EQ(load_end_first(bytes, &at), SVMC_IMAGE_NONE, "%u", stop);
        CHECK_MEM(body, lab.body, lab.body_bytes);
        if (stop >= 14)
            continue;
        /* what the first life sealed after the checkpoint is not this image's */
        i = i < 14 ? i : 13;
        memcpy(bytes + lab.chunk_at[i], bad + lab.chunk_at[i], 64 + (i < 13 ? 4096 : 77));
        CHECK(load_from(bytes, lab.end_at + 576) ==
                      (i == stop ? SVMC_IMAGE_END : SVMC_IMAGE_SEGMENT) ||
                  load_from(bytes, lab.end_at + 576) == SVMC_IMAGE_CHANGED ||
                  load_from(bytes, lab.end_at + 576) == SVMC_IMAGE_END,
              "%u", stop);
        CHECK(seal_lab_is_zero(&read_name, sizeof read_name));
        CHECK_EQ(load_end_first(bytes, &at), SVMC_IMAGE_SEGMENT, "%u", stop);
        CHECK_EQ(at, i);
        CHECK(seal_lab_is_zero(body + i * 4096, i < 13 ? 4096 : 77));
    }
    CHECK(!repeated && pairs > 15 * 14, "%u pairs", pairs);
}

TEST(image_resume, only_its_own_checkpoint_makes_it_go_on) /* IM-11 IM-12 */
{
    struct svmc_image_config config;
    uint8_t checkpoint[576], other[576], header[192];
    struct svmc_image image, second;
    uint64_t done;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, 1, checkpoint), SVMC_IMAGE_INCOMPLETE);
    CHECK(seal_lab_is_zero(checkpoint, 576));
    for (uint32_t i = 0; i < lab.chunks; i++)
        CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, 3, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, 15, other), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_checkpoint(&image, 3, NULL), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_checkpoint(NULL, 3, other), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_end(&image, other, &name), SVMC_IMAGE_NONE);
    memcpy(header, bytes, sizeof header);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_checkpoint(&image, 0, other + 0), SVMC_IMAGE_NOT_NOW);
    for (size_t bit = 0; bit < 576 * 8; bit++) {
        checkpoint[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(svmc_image_resume(&image, &config, header, checkpoint, &done) != SVMC_IMAGE_NONE,
              "bit %zu", bit);
        CHECK(seal_lab_is_zero(&image, sizeof image) && done == 0);
        checkpoint[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_EQ(image_lab_begin(&lab, &config, &second, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_SPLICED);
    CHECK_EQ(svmc_image_drop(&second), SVMC_OK);
    header[90] ^= 1;
    CHECK_EQ(svmc_image_resume(&image, &config, header, checkpoint, &done), SVMC_IMAGE_HEADER);
    header[90] ^= 1;
    config.marks_count = 13;
    CHECK_EQ(svmc_image_resume(&image, &config, header, checkpoint, &done), SVMC_IMAGE_ROOM);
    config.marks_count = 14;
    CHECK_EQ(svmc_image_resume(NULL, &config, header, checkpoint, &done), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_resume(&image, &config, NULL, checkpoint, &done), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_resume(&image, &config, header, NULL, &done), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_resume(&image, &config, header, checkpoint, NULL), SVMC_IMAGE_ARG);
    CHECK(seal_lab_is_empty(&lab.vm));
    CHECK_EQ(svmc_image_resume(&image, &config, header, checkpoint, &done), SVMC_IMAGE_NONE);
    CHECK_EQ(done, 3);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

TEST(image_resume, another_kind_does_not_go_on) /* IM-11 IM-14 */
{
    static const uint8_t session[16] = { 5 };
    struct svmc_image_config config;
    uint8_t checkpoint[576];
    struct svmc_image image;
    uint64_t done;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_LAST);
    config.session = session;
    image_lab_collect(&lab);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 0, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, 1, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    config.kind = SVMC_IMAGE_ROUND; /* the VM ran on: with this one nobody may begin */
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_PURPOSE);
    CHECK_EQ(done, 0);
    config.kind = SVMC_IMAGE_LAST;
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

TEST(image_resume, another_aead_does_not_go_on) /* IM-11 */
{
    struct svmc_image_config config;
    struct svmc_sealer_config other;
    uint8_t checkpoint[576];
    struct svmc_image image;
    uint64_t done = 7;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    image_lab_collect(&lab);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 0, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, 1, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    lab.vm.crypto.is_quick = false; /* for its self-test */
    other = seal_lab_config(&lab.vm, SVMC_ALG_CHACHA20_POLY1305);
    CHECK_EQ(svmc_sealer_init(&lab.vm.sealer, &other), SVMC_OK);
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_ALGORITHM);
    CHECK_EQ(done, 0);
    CHECK(seal_lab_is_empty(&lab.vm));
}

TEST(image_resume, an_end_is_no_checkpoint_and_a_checkpoint_no_end) /* IM-11 IM-12 IM-16 */
{
    struct svmc_image_config config;
    uint8_t checkpoint[576];
    struct svmc_image image;
    uint64_t done, at;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++)
        CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_end(&image, bytes + lab.end_at, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, lab.chunks, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, bytes + lab.end_at, &done), SVMC_IMAGE_END);
    memcpy(bytes + lab.end_at, checkpoint, 576);
    CHECK_EQ(load_from(bytes, lab.end_at + 576), SVMC_IMAGE_INCOMPLETE);
    CHECK_EQ(load_end_first(bytes, &at), SVMC_IMAGE_INCOMPLETE);
    bytes[lab.end_at + 5] = 1; /* as if it were one */
    CHECK_EQ(load_from(bytes, lab.end_at + 576), SVMC_IMAGE_END);
}

/* ---- segments --------------------------------------------------------------------------------*/

TEST(image_resume, a_segment_for_each_budget) /* IM-8 */
{
    struct svmc_image_config config;
    struct svmc_image image;
    uint64_t at;
    size_t n;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    config.segment_chunks = 5;
    CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++)
        for (uint32_t j = 0; j < i; j++)
            CHECK_EQ(memcmp(bytes + lab.chunk_at[i] + 16, bytes + lab.chunk_at[j] + 16, 24) == 0,
                     i / 5 == j / 5, "%u %u", i, j);
    CHECK_EQ(load_from(bytes, n), SVMC_IMAGE_NONE);
    CHECK_MEM(body, lab.body, lab.body_bytes);
    CHECK_EQ(load_end_first(bytes, &at), SVMC_IMAGE_NONE);
    CHECK_MEM(body, lab.body, lab.body_bytes);
    CHECK_MEM(&name, &read_name, sizeof name);
    config.segment_chunks = 1; /* eight slots */
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_SEALER + SVMC_SEAL_SLOTS);
    CHECK(seal_lab_is_empty(&lab.vm));
    CHECK_EQ(svmc_image_begin(&image, &config, lab.section, 5, bytes, bytes + 192),
             SVMC_IMAGE_SEALER + SVMC_SEAL_SLOTS);
    CHECK(!repeated);
}

TEST(image_resume, segments_planned_behind_a_checkpoint_are_none) /* IM-8 IM-11 */
{
    struct svmc_image_config config;
    uint8_t checkpoint[576];
    struct svmc_image image;
    uint64_t done, at;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    for (uint64_t stop = 0; stop <= 14; stop++) {
        config.segment_chunks = 5;
        CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
        for (uint32_t i = 0; i < stop; i++)
            CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_checkpoint(&image, stop, checkpoint), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
        CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_NONE);
        CHECK_EQ(image.priv.segments, (stop == 0 ? 1 : (stop + 4) / 5) + (14 - stop + 4) / 5);
        for (uint32_t i = (uint32_t)done; i < lab.chunks; i++)
            CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_end(&image, bytes + lab.end_at, &name), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
        CHECK_EQ(load_from(bytes, lab.end_at + 576), SVMC_IMAGE_NONE, "%u", (unsigned)stop);
        CHECK_MEM(body, lab.body, lab.body_bytes);
        CHECK_EQ(load_end_first(bytes, &at), SVMC_IMAGE_NONE, "%u", (unsigned)stop);
        CHECK_MEM(body, lab.body, lab.body_bytes);
    }
    CHECK(!repeated);
}

TEST(image_resume, a_stream_meets_its_segments_in_order) /* IM-9 IM-12 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image_config config;
    struct svmc_image image;
    size_t n;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    config.segment_chunks = 5;
    CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
    config = image_lab_reader(&lab);
    CHECK_EQ(svmc_image_open(&image, &config, bytes, n), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_open_table(&image, 0, bytes + 192, n, section), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++) {
        uint8_t *frame = bytes + lab.chunk_at[i];

        CHECK_EQ(svmc_image_open_chunk(&image, 0, i, frame, n, body),
                 i % 5 == 0 && i > 0 ? SVMC_IMAGE_SEGMENT : SVMC_IMAGE_NONE);
        frame[0] ^= 1; /* a segment whose chunk is no good is none */
        CHECK_EQ(svmc_image_open_segment(&image, 0, i, frame, n, body), SVMC_IMAGE_CHANGED);
        frame[0] ^= 1;
        CHECK_EQ(image.priv.segments, 1 + (i - (i > 0)) / 5);
        CHECK_EQ(svmc_image_open_segment(&image, 0, i, frame, n, body), SVMC_IMAGE_NONE);
        CHECK_EQ(image.priv.segments, 1 + i / 5);
    }
    CHECK_EQ(svmc_image_open_end(&image, bytes + lab.end_at, 576), SVMC_IMAGE_NOT_NOW);
    CHECK_EQ(svmc_image_close(&image, bytes + lab.end_at, 576, &read_name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    /* as if it had been opened under the subkey of the chunk before it */
    CHECK_EQ(svmc_image_open(&image, &config, bytes, n), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_open_table(&image, 0, bytes + 192, n, section), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++)
        CHECK_EQ(svmc_image_open_segment(&image, 0, i, bytes + lab.chunk_at[i], n, body),
                 SVMC_IMAGE_NONE);
    lab.read_marks[5] = lab.read_marks[4];
    CHECK_EQ(svmc_image_close(&image, bytes + lab.end_at, 576, &read_name), SVMC_IMAGE_INCOMPLETE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_open(&image, &config, bytes, n), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_open_segment(&image, 0, 11, bytes + lab.chunk_at[11], n, body),
             SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_open_segment(&image, 0, 6, bytes + lab.chunk_at[6], n, body),
             SVMC_IMAGE_MOVED, "from back to front the end is asked first");
    CHECK(seal_lab_is_zero(body, 4096));
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

TEST(image_resume, there_are_sixteen_segments) /* IM-8 */
{
    static _Alignas(64) uint8_t pool[65536];
    const struct svmc_keyslots_config slots = { .crypto = &lab.vm.crypto.ops,
                                                .slots = 40,
                                                .lanes = 4 };
    struct svmc_image_config config;
    struct svmc_image image;
    uint64_t at;
    size_t n;

    begin();
    CHECK_EQ(svmc_keyslots_init(&lab.vm.ks, &slots, pool, sizeof pool), SVMC_OK);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    config.segment_chunks = 1;
    CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(load_from(bytes, n), SVMC_IMAGE_NONE);
    CHECK_EQ(load_end_first(bytes, &at), SVMC_IMAGE_NONE);
    lab.section[2].bytes = lab.section[2].stored = 2 * 4096 + 1; /* two chunks more */
    CHECK_EQ(svmc_image_layout(lab.section, 5, &lab.body_bytes), 1);
    CHECK_EQ(svmc_image_begin(&image, &config, lab.section, 5, bytes, bytes + 192),
             SVMC_IMAGE_NONE);
    CHECK_EQ(image.priv.segments, 16);
    for (uint32_t i = 0; i < 16; i++)
        CHECK_EQ(svmc_image_seal_chunk(&image, 0, i, lab.body, bad + i * 4160), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    config = image_lab_reader(&lab);
    CHECK_EQ(svmc_image_open(&image, &config, bytes, 192), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < 16; i++)
        CHECK_EQ(svmc_image_open_segment(&image, 0, i, bad + i * 4160, 4160, body),
                 SVMC_IMAGE_NONE);
    bad[15 * 4160 + 16] ^= 1;
    CHECK_EQ(svmc_image_open_segment(&image, 0, 15, bad + 15 * 4160, 4160, body), SVMC_IMAGE_ROOM);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    config.segment_chunks = 1;
    lab.section[2].bytes = lab.section[2].stored = 4 * 4096; /* seventeen */
    CHECK_EQ(svmc_image_layout(lab.section, 5, &lab.body_bytes), 1);
    CHECK_EQ(svmc_image_begin(&image, &config, lab.section, 5, bytes, bytes + 192),
             SVMC_IMAGE_ROOM);
    CHECK(seal_lab_is_zero(bytes, 192));
    CHECK_EQ(lab.vm.crypto.toy.loaded, 0);
    config.segment_chunks = 2;
    CHECK_EQ(svmc_image_begin(&image, &config, lab.section, 5, bytes, bytes + 192),
             SVMC_IMAGE_NONE);
    CHECK_EQ(image.priv.segments, 9);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

/* ---- tried again -----------------------------------------------------------------------------*/

TEST(image_resume, a_failed_chunk_is_tried_again_with_another_nonce) /* IM-10 */
{
    struct svmc_image_config config;
    struct svmc_image image;
    unsigned failed = 0;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++)
        for (uint32_t k = 0; k <= i % 4; k++) {
            enum svmc_image_reason why;

            lab.vm.crypto.toy.fail_at = k < i % 4 ? lab.vm.crypto.toy.calls + 1 : 0;
            why = image_lab_seal(&lab, &image, 0, i, bytes);
            CHECK_EQ(why, k < i % 4 ? SVMC_IMAGE_SEALER + SVMC_SEAL_CRYPTO : SVMC_IMAGE_NONE);
            if (why != SVMC_IMAGE_NONE)
                CHECK(seal_lab_is_zero(bytes + lab.chunk_at[i],
                                       64 + svmc_image_chunk_bytes(&image, i)));
            else
                CHECK_EQ(bytes[lab.chunk_at[i] + 40], 1 + k);
            failed += why != SVMC_IMAGE_NONE;
        }
    CHECK_EQ(svmc_image_end(&image, bytes + lab.end_at, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(load_from(bytes, lab.end_at + 576), SVMC_IMAGE_NONE);
    CHECK_MEM(body, lab.body, lab.body_bytes);
    CHECK(!repeated);
    CHECK_EQ(failed, 19);
}

TEST(image_resume, who_fails_too_often_begins_a_new_segment) /* IM-8 IM-10 IM-11 */
{
    struct svmc_image_config config;
    uint8_t checkpoint[576];
    struct svmc_image image;
    uint64_t done;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 0, bytes), SVMC_IMAGE_NONE);
    for (unsigned k = 0; k <= SVMC_IMAGE_RETRIES; k++) {
        lab.vm.crypto.toy.fail_at = lab.vm.crypto.toy.calls + 1;
        CHECK_EQ(image_lab_seal(&lab, &image, 0, 1 + k % 3, bytes),
                 SVMC_IMAGE_SEALER + SVMC_SEAL_CRYPTO);
    }
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 1 + SVMC_IMAGE_RETRIES % 3, bytes),
             SVMC_IMAGE_NOT_NOW);
    CHECK_EQ(svmc_image_checkpoint(&image, 1, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_NONE);
    for (uint32_t i = 1; i < lab.chunks; i++)
        CHECK_EQ(image_lab_seal(&lab, &image, 0, i, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_end(&image, bytes + lab.end_at, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(load_from(bytes, lab.end_at + 576), SVMC_IMAGE_NONE);
    CHECK(!repeated);
}

/* Images, one beside another, cut anywhere, gone on with from any checkpoint, twice too, with calls
   that fail. */
TEST(image_resume, no_nonce_comes_twice) /* IM-8 IM-10 IM-11 */
{
    uint64_t rng = harness_seed(), done, whole = 0;
    uint8_t checkpoint[576];

    begin();
    image_lab_collect(&lab);
    for (unsigned round = 0; round < 150; round++) {
        struct svmc_image_config config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
        unsigned lives = 1 + (unsigned)(harness_random(&rng) % 4);
        struct svmc_image image;
        uint8_t table[64 + 240];

        config.segment_chunks = round % 3 == 0 ? 7 : 0;
        lab.vm.crypto.toy.fail_at = 0;
        CHECK_EQ(svmc_image_begin(&image, &config, lab.section, 5, bytes, table), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_checkpoint(&image, 0, checkpoint), SVMC_IMAGE_NONE);
        for (unsigned life = 0; life < lives; life++) {
            uint64_t steps = harness_random(&rng) % 40, stable = 0;

            for (uint64_t s = 0; s < steps; s++) {
                uint64_t i = harness_random(&rng) % image.priv.chunks;

                lab.body[0] = (uint8_t)s; /* other bytes each time */
                lab.vm.crypto.toy.fail_at =
                    lab.vm.crypto.toy.calls + (harness_random(&rng) % 4 == 0);
                if (svmc_image_seal_chunk(&image, 0, i, lab.body, bad) != SVMC_IMAGE_NONE)
                    continue; /* of any chunk: the marks say which are sealed */
            }
            while (stable < image.priv.chunks && lab.marks[stable] == UINT32_MAX)
                stable++;
            if (harness_random(&rng) & 1)
                CHECK_EQ(svmc_image_checkpoint(&image, stable, checkpoint), SVMC_IMAGE_NONE);
            whole += svmc_image_end(&image, bad, &name) == SVMC_IMAGE_NONE;
            CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
            if (harness_random(&rng) & 1)
                CHECK_EQ(svmc_sealer_renew(&lab.vm.sealer), SVMC_OK);
            CHECK_EQ(svmc_image_resume(&image, &config, bytes, checkpoint, &done), SVMC_IMAGE_NONE);
        }
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    }
    CHECK(!repeated && pairs > 1000, "%u pairs", pairs);
    CHECK(seal_lab_is_empty(&lab.vm));
    (void)whole;
}

/* ---- a reader that goes on -------------------------------------------------------------------*/

TEST(image_resume, marks_of_another_image_do_not_count) /* IM-16 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image_config config;
    struct svmc_image image;
    size_t n;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(load_from(bytes, n), SVMC_IMAGE_NONE);
    CHECK_EQ(image_lab_save(&lab, &config, bad, &n, &name), SVMC_IMAGE_NONE);
    for (unsigned other = 0; other < 2; other++) {
        uint8_t *from = other ? bad : bytes;

        config = image_lab_reader(&lab);
        config.keep_marks = 1;
        CHECK_EQ(svmc_image_open(&image, &config, from, n), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_open_table(&image, 0, from + 192, n, section), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_close(&image, from + lab.end_at, 576, &read_name),
                 other ? SVMC_IMAGE_INCOMPLETE : SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    }
}

TEST(image_resume, a_reader_goes_on) /* IM-16 */
{
    struct svmc_image_config config;
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image image;
    size_t n;

    begin();
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
    config = image_lab_reader(&lab);
    for (unsigned keep = 0; keep < 2; keep++) {
        memset(lab.read_marks, 0, sizeof lab.read_marks);
        config.keep_marks = 0;
        for (unsigned life = 0; life < 2; life++, config.keep_marks = keep) {
            CHECK_EQ(svmc_image_open(&image, &config, bytes, n), SVMC_IMAGE_NONE);
            CHECK_EQ(svmc_image_open_table(&image, 0, bytes + 192, n, section), SVMC_IMAGE_NONE);
            for (uint32_t i = life * 7; i < life * 7 + 7; i++)
                CHECK_EQ(svmc_image_open_chunk(&image, 0, i, bytes + lab.chunk_at[i], n, body),
                         SVMC_IMAGE_NONE);
            CHECK_EQ(svmc_image_close(&image, bytes + lab.end_at, 576, &read_name),
                     life == 1 && keep == 1 ? SVMC_IMAGE_NONE : SVMC_IMAGE_INCOMPLETE);
            CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
        }
    }
}
