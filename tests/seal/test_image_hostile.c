/* SPDX-License-Identifier: MIT */
/* docs/spec/image.md: who stores an image gives back what he likes; each has its refusal, and
   nothing of what is refused is shown. */
#include "../../src/core/bytes.h"
#include "image_lab.h"

static struct image_lab lab;
static uint8_t bytes[IMAGE_LAB_BYTES], bad[IMAGE_LAB_BYTES], body[IMAGE_LAB_BODY];
static struct svmc_image_name name;
static size_t n;

static void begin(uint32_t alg, bool quick)
{
    struct svmc_image_config config;

    image_lab_init(&lab, alg, quick);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    REQUIRE(image_lab_save(&lab, &config, bytes, &n, &name) == SVMC_IMAGE_NONE);
    memcpy(bad, bytes, n);
}

static enum svmc_image_reason load(size_t length)
{
    const struct svmc_image_config config = image_lab_reader(&lab);

    return image_lab_load(&config, bad, length, body, &name);
}

static void open_image(struct svmc_image *image)
{
    const struct svmc_image_config config = image_lab_reader(&lab);

    REQUIRE(svmc_image_open(image, &config, bytes, n) == SVMC_IMAGE_NONE);
}

/* ---- every bit -------------------------------------------------------------------------------*/

static bool is_header_reason(size_t at, enum svmc_image_reason why)
{
    return at < 4    ? why == SVMC_IMAGE_NOT_ONE
           : at == 4 ? why == SVMC_IMAGE_NEWER
           : at <= 6 ? why == SVMC_IMAGE_ALGORITHM || why == SVMC_IMAGE_HEADER
           : at == 7 ? why == SVMC_IMAGE_PURPOSE
           : at < 16 ? why == SVMC_IMAGE_HEADER
           : at < 32 ? why == SVMC_IMAGE_OTHER_VM
                     : why == SVMC_IMAGE_HEADER;
}

TEST(image_hostile, every_bit_of_a_header_counts) /* IM-3 IM-4 */
{
    begin(SVMC_ALG_CHACHA20_POLY1305, true);
    for (size_t bit = 0; bit < 192 * 8; bit++) {
        enum svmc_image_reason why;

        bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
        why = load(n);
        CHECK(is_header_reason(bit / 8, why), "bit %zu: %s", bit, svmc_image_reason_name(why));
        CHECK(seal_lab_is_zero(body, sizeof body));
        bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_EQ(load(n), SVMC_IMAGE_NONE);
}

static bool is_frame_reason(size_t at, enum svmc_image_reason why)
{
    return at < 16 || at >= 64 ? why == SVMC_IMAGE_CHANGED
           : at < 40           ? why == SVMC_IMAGE_SEGMENT
           : at < 48           ? why == SVMC_IMAGE_CHANGED
           : at < 56           ? why == SVMC_IMAGE_MOVED
                               : why == SVMC_IMAGE_SPLICED;
}

TEST(image_hostile, every_bit_of_a_chunk_counts) /* IM-7 IM-9 IM-15 */
{
    struct svmc_image image;

    for (unsigned quick = 0; quick < 2; quick++) { /* the short last one, and the frame of others */
        uint32_t last;

        begin(SVMC_ALG_CHACHA20_POLY1305, quick == 1);
        last = lab.chunks - 1;
        open_image(&image);
        for (uint32_t i = quick ? 0 : last; i <= last; i += last) {
            uint8_t *frame = bad + lab.chunk_at[i];
            size_t bits = 8 * (i == last ? 64 + sizeof lab.state : 64);

            for (size_t bit = 0; bit < bits; bit++) {
                enum svmc_image_reason why;

                frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
                memset(body, 0xee, 4096);
                why = svmc_image_open_chunk(&image, 0, i, frame, n, body);
                CHECK(is_frame_reason(bit / 8, why), "bit %zu: %s", bit,
                      svmc_image_reason_name(why));
                CHECK(seal_lab_is_zero(body, svmc_image_chunk_bytes(&image, i)));
                CHECK_EQ(lab.read_marks[i], 0);
                if (bit / 8 >= 16 && bit / 8 < 40)
                    CHECK_EQ(svmc_image_open_segment(&image, 0, i, frame, n, body),
                             SVMC_IMAGE_CHANGED);
                frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            CHECK_EQ(svmc_image_open_chunk(&image, 0, i, frame, n, body), SVMC_IMAGE_NONE);
        }
        CHECK_EQ(image.priv.segments, 1);
        CHECK(seal_lab_is_zero(image.priv.wire + 32, sizeof image.priv.wire - 32));
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
        CHECK(seal_lab_is_empty(&lab.vm));
    }
}

TEST(image_hostile, every_bit_of_a_table_counts) /* IM-6 IM-17 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image image;

    begin(SVMC_ALG_AES_256_GCM, true);
    open_image(&image);
    for (size_t bit = 0; bit < 8 * (64 + sizeof section); bit++) {
        enum svmc_image_reason why;

        bad[192 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(section, 0xee, sizeof section);
        why = svmc_image_open_table(&image, 0, bad + 192, n - 192, section);
        CHECK(is_frame_reason(bit / 8, why) || (why == SVMC_IMAGE_CHANGED && bit / 8 < 40),
              "bit %zu: %s", bit, svmc_image_reason_name(why));
        CHECK(seal_lab_is_zero(section, sizeof section), "bit %zu", bit);
        bad[192 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_EQ(svmc_image_open_table(&image, 0, bad + 192, 64 + sizeof section, section),
             SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_open_table(&image, 0, bad + 192, 63 + sizeof section, section),
             SVMC_IMAGE_CUT);
    CHECK(seal_lab_is_zero(section, sizeof section));
    CHECK_EQ(svmc_image_open_table(&image, 0, bad + 192, n, NULL), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_open_table(&image, 0, NULL, n, section), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_open_table(NULL, 0, bad, n, section), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_open_table(&image, 0, bad, n, section), SVMC_IMAGE_NOT_NOW);
}

static bool is_end_reason(size_t at, enum svmc_image_reason why)
{
    return at == 4               ? why == SVMC_IMAGE_NEWER
           : at == 5             ? why == SVMC_IMAGE_END || why == SVMC_IMAGE_INCOMPLETE
           : at >= 16 && at < 32 ? why == SVMC_IMAGE_SPLICED
                                 : why == SVMC_IMAGE_END;
}

TEST(image_hostile, every_bit_of_an_end_counts) /* IM-12 IM-16 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image image, first;
    uint8_t *end;

    begin(SVMC_ALG_AES_256_GCM, true);
    open_image(&image);
    end = bad + lab.end_at;
    CHECK_EQ(svmc_image_open_table(&image, 0, bad + 192, n, section), SVMC_IMAGE_NONE);
    for (uint32_t i = 0; i < lab.chunks; i++)
        CHECK_EQ(svmc_image_open_chunk(&image, 0, i, bad + lab.chunk_at[i], n, body),
                 SVMC_IMAGE_NONE);
    first = image;
    for (size_t bit = 0; bit < 8 * 576; bit++) {
        enum svmc_image_reason why;

        end[bit / 8] ^= (uint8_t)(1 << bit % 8);
        why = svmc_image_close(&image, end, 576, &name);
        CHECK(is_end_reason(bit / 8, why), "bit %zu: %s", bit, svmc_image_reason_name(why));
        CHECK(seal_lab_is_zero(&name, sizeof name));
        why = svmc_image_open_end(&image, end, 576);
        CHECK(is_end_reason(bit / 8, why), "bit %zu: %s", bit, svmc_image_reason_name(why));
        CHECK_MEM(&image, &first, sizeof image);
        end[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_EQ(svmc_image_close(&image, end, 575, &name), SVMC_IMAGE_CUT);
    CHECK_EQ(svmc_image_close(&image, end, 577, &name), SVMC_IMAGE_LONG);
    CHECK_EQ(svmc_image_open_end(&image, end, 575), SVMC_IMAGE_CUT);
    CHECK_EQ(svmc_image_open_end(&image, end, 577), SVMC_IMAGE_LONG);
    CHECK_EQ(svmc_image_open_end(&image, NULL, 576), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_close(&image, NULL, 576, &name), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_close(&image, end, 576, NULL), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_open_end(&image, end, 576), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_close(&image, end, 576, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_close(&image, end, 576, &name), SVMC_IMAGE_NOT_NOW);
    CHECK_EQ(svmc_image_open_end(&image, end, 576), SVMC_IMAGE_NOT_NOW);
}

/* ---- cut, long, moved, doubled, missing ------------------------------------------------------*/

TEST(image_hostile, a_cut_is_seen_wherever_it_is) /* IM-1 IM-16 */
{
    size_t at = 0;

    begin(SVMC_ALG_AES_256_GCM, true);
    for (; at < n; at += at < 512 || at > n - 600 ? 1 : 61) {
        enum svmc_image_reason why = load(at);

        CHECK_EQ(why, SVMC_IMAGE_CUT, "%zu", at);
    }
    for (uint32_t i = 0; i < lab.chunks; i++)
        for (size_t off = 0; off < 4; off++) {
            size_t last = 64 + (i < 13 ? 4096 : sizeof lab.state) - 1;

            CHECK_EQ(load(lab.chunk_at[i] + (off < 3 ? off - 1 : last)), SVMC_IMAGE_CUT);
            CHECK(seal_lab_is_zero(body + i * 4096, sizeof body - i * 4096));
        }
    CHECK_EQ(load(0), SVMC_IMAGE_CUT);
    CHECK_EQ(load(n + 1), SVMC_IMAGE_LONG);
    CHECK(seal_lab_is_zero(&name, sizeof name));
    CHECK_EQ(load(n), SVMC_IMAGE_NONE);
    bad[1] = 'W';
    CHECK_EQ(load(3), SVMC_IMAGE_NOT_ONE);
    CHECK_EQ(load(1), SVMC_IMAGE_CUT);
}

TEST(image_hostile, no_chunk_is_taken_for_another) /* IM-7 IM-9: swapped, doubled, missing */
{
    struct svmc_image image;

    begin(SVMC_ALG_AES_256_GCM, true);
    open_image(&image);
    for (uint32_t i = 0; i + 1 < lab.chunks; i++)
        for (uint32_t j = 0; j + 1 < lab.chunks; j++) {
            uint8_t frame[64 + 4096];

            memcpy(frame, bytes + lab.chunk_at[j], sizeof frame);
            CHECK_EQ(svmc_image_open_chunk(&image, 0, i, frame, sizeof frame, body),
                     i == j ? SVMC_IMAGE_NONE : SVMC_IMAGE_MOVED, "%u for %u", j, i);
            frame[48] = (uint8_t)i; /* as if it were */
            CHECK_EQ(svmc_image_open_chunk(&image, 0, i, frame, sizeof frame, body),
                     i == j ? SVMC_IMAGE_NONE : SVMC_IMAGE_CHANGED, "%u for %u", j, i);
        }
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    for (uint32_t i = 0; i + 2 < lab.chunks; i++) { /* one is taken out, one is there twice */
        size_t at = lab.chunk_at[i], next = lab.chunk_at[i + 1];

        memcpy(bad, bytes, n);
        memmove(bad + at, bad + next, n - next);
        CHECK_EQ(load(n - (next - at)), SVMC_IMAGE_MOVED);
        memcpy(bad, bytes, n);
        memmove(bad + next, bad + at, n - next);
        CHECK_EQ(load(n), SVMC_IMAGE_MOVED);
        CHECK(seal_lab_is_zero(body + (i + 1) * 4096, sizeof body - (i + 1) * 4096));
    }
    memcpy(bad, bytes, n);
    memcpy(bad + lab.chunk_at[2], bytes + 192, 64 + 240); /* the table as a chunk */
    CHECK_EQ(load(n), SVMC_IMAGE_MOVED);
}

/* ---- other images ----------------------------------------------------------------------------*/

static uint8_t other[IMAGE_LAB_BYTES];

TEST(image_hostile, nothing_of_another_image_fits) /* IM-3 IM-7 IM-9: the same VM, the same body */
{
    struct svmc_image_config config;
    size_t parts[3], m;

    begin(SVMC_ALG_AES_256_GCM, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_save(&lab, &config, other, &m, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(m, n);
    CHECK(memcmp(bytes + 64, other + 64, 24) != 0, "a subkey of its own: IM-8");
    parts[0] = 192;
    parts[1] = lab.chunk_at[4];
    parts[2] = lab.end_at;
    for (unsigned p = 0; p < 3; p++) {
        size_t size = p == 0 ? 64 + 240 : p == 1 ? 64 + 4096 : 576;

        memcpy(bad, bytes, n);
        memcpy(bad + parts[p], other + parts[p], size);
        CHECK_EQ(load(n), SVMC_IMAGE_SPLICED, "%u", p);
        memcpy(bad + parts[p] + (p == 2 ? 16 : 56), bytes + 32, p == 2 ? 16 : 8);
        CHECK_EQ(load(n), p == 2 ? SVMC_IMAGE_END : SVMC_IMAGE_CHANGED, "%u", p);
        if (p == 2)
            continue;
        memcpy(bad + parts[p] + 16, bytes + 64, 24); /* under the same subkey, as it says */
        CHECK_EQ(load(n), SVMC_IMAGE_CHANGED, "%u", p);
    }
    memcpy(bad, bytes, n);
    memcpy(bad, other, 192);
    CHECK_EQ(load(n), SVMC_IMAGE_SPLICED);
}

TEST(image_hostile, another_vm_s_image_is_refused) /* IM-3 IM-4 */
{
    struct svmc_sealer_config config;
    struct svmc_image_config writer;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    lab.vm.crypto.is_quick = false; /* for the self-test */
    config = seal_lab_config(&lab.vm, SVMC_ALG_AES_256_GCM);
    config.key = &lab.vm.other;
    CHECK_EQ(svmc_sealer_init(&lab.vm.sealer, &config), SVMC_OK);
    lab.vm.crypto.is_quick = true;
    writer = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_save(&lab, &writer, bad, &n, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(load(n), SVMC_IMAGE_NONE, "its own");
    lab.vm.sealer.priv.key = &lab.vm.key;
    CHECK_EQ(load(n), SVMC_IMAGE_OTHER_VM);
    memcpy(bad + 16, seal_lab_vm, 16);
    CHECK_EQ(load(n), SVMC_IMAGE_HEADER);
    CHECK(seal_lab_is_zero(body, sizeof body));
}

TEST(image_hostile, what_makes_no_sense_is_refused_unseen) /* IM-2 IM-4: before any key is used */
{
    static const struct {
        uint8_t at, value;
        enum svmc_image_reason want;
    } rows[] = {
        { 4, 2, SVMC_IMAGE_NEWER },        { 4, 0, SVMC_IMAGE_NEWER },
        { 5, 0x34, SVMC_IMAGE_ALGORITHM }, { 5, 0x41, SVMC_IMAGE_ALGORITHM },
        { 6, 0x12, SVMC_IMAGE_ALGORITHM }, { 7, SVMC_KEY_DISK, SVMC_IMAGE_PURPOSE },
        { 8, 0, SVMC_IMAGE_HEADER },       { 8, 5, SVMC_IMAGE_HEADER },
        { 9, 11, SVMC_IMAGE_HEADER },      { 9, 21, SVMC_IMAGE_HEADER },
        { 10, 1, SVMC_IMAGE_HEADER },      { 11, 1, SVMC_IMAGE_HEADER },
        { 150, 1, SVMC_IMAGE_HEADER },     { 153, 0x20, SVMC_IMAGE_HEADER },
        { 156, 1, SVMC_IMAGE_HEADER },     { 159, 1, SVMC_IMAGE_HEADER },
    };
    struct svmc_image_info info;

    begin(SVMC_ALG_AES_256_GCM, true);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(bad, bytes, 192);
        bad[rows[i].at] = rows[i].value;
        memset(&info, 0xee, sizeof info);
        CHECK_EQ(svmc_image_inspect(bad, 192, &info), rows[i].want, "row %u", i);
        CHECK(seal_lab_is_zero(&info, sizeof info));
    }
    CHECK_EQ(svmc_image_inspect(bytes, 191, &info), SVMC_IMAGE_CUT);
    CHECK_EQ(svmc_image_inspect("SVM", 3, &info), SVMC_IMAGE_CUT);
    CHECK_EQ(svmc_image_inspect("SWM", 3, &info), SVMC_IMAGE_NOT_ONE);
    CHECK_EQ(svmc_image_inspect(NULL, 0, &info), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_inspect(bytes, 192, NULL), SVMC_IMAGE_ARG);
}

/* The key commitment: a header that another VM key's MAC fits, over chunks that open under both, is
   what no AEAD here rules out; the MAC is of 32 bytes, and compared in whole. */
TEST(image_hostile, a_header_stands_for_one_key) /* IM-3 */
{
    struct svmc_image_config reader;
    struct svmc_vmkey twin;
    struct svmc_image image;

    begin(SVMC_ALG_AES_256_GCM, true);
    CHECK_EQ(svmc_vmkey_create(&twin, &lab.vm.arena, seal_lab_vm, SVMC_ALG_DERIVE_BLAKE2B),
             SVMC_OK);
    lab.vm.sealer.priv.key = &twin; /* of the same name */
    reader = image_lab_reader(&lab);
    CHECK_EQ(svmc_image_open(&image, &reader, bytes, n), SVMC_IMAGE_HEADER);
    CHECK(seal_lab_is_zero(&image, sizeof image));
}

/* ---- who has the key, and writes nonsense ----------------------------------------------------*/

TEST(image_hostile, a_sealed_table_has_to_make_sense) /* IM-17 IM-18 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image image;
    uint8_t table[240];

    for (unsigned how = 0; how < 6; how++) {
        begin(SVMC_ALG_CHACHA20_POLY1305, false);
        open_image(&image);
        CHECK_EQ(svmc_image_open_table(&image, 0, bytes + 192, n, section), SVMC_IMAGE_NONE);
        memset(table, 0, sizeof table);
        for (unsigned i = 0; i < 5; i++) {
            uint8_t *at = table + 48 * i;

            core_store_le32(at, section[i].type);
            core_store_le32(at + 4, section[i].id);
            core_store_le64(at + 8, section[i].at);
            core_store_le64(at + 16, section[i].bytes);
            core_store_le64(at + 24, section[i].offset);
            core_store_le64(at + 32, section[i].stored);
            core_store_le32(at + 40, section[i].format);
        }
        if (how == 1)
            table[0] = 2; /* no map */
        if (how == 2)
            table[4 * 48 + 44] = 1; /* reserved */
        if (how == 3)
            table[3 * 48 + 25] ^= 0x10; /* elsewhere */
        if (how == 4)
            table[4 * 48 + 16] = table[4 * 48 + 32] = 76; /* not the body */
        if (how == 5)
            table[2 * 48] = 6; /* of a type to come */
        image_lab_frame(&lab, bytes, ((uint64_t)1 << 40) - 1, table, sizeof table, bad + 192);
        memset(section, 0xee, sizeof section);
        CHECK_EQ(svmc_image_open_table(&image, 0, bad + 192, n, section),
                 how == 0 ? SVMC_IMAGE_NONE : SVMC_IMAGE_TABLE, "%u", how);
        CHECK(how == 0 || seal_lab_is_zero(section, sizeof section), "%u", how);
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    }
}

/* An end or checkpoint with a MAC that fits. */
static void forge(const uint8_t *header, uint8_t *end)
{
    uint8_t message[192 + 544];

    memcpy(message, header, 192);
    memcpy(message + 192, end, 544);
    image_lab_mac(&lab, header, "svmcore imgend 1", message, sizeof message, end + 544);
}

TEST(image_hostile, an_end_has_to_make_sense) /* IM-12 */
{
    static const struct {
        uint8_t at, value;
        enum svmc_image_reason end, checkpoint;
    } rows[] = {
        { 0, 'S', SVMC_IMAGE_NONE, SVMC_IMAGE_NONE },
        { 0, 'T', SVMC_IMAGE_END, SVMC_IMAGE_END },
        { 4, 2, SVMC_IMAGE_NEWER, SVMC_IMAGE_NEWER },
        { 6, 0, SVMC_IMAGE_END, SVMC_IMAGE_END },
        { 6, 17, SVMC_IMAGE_END, SVMC_IMAGE_END },
        { 7, 1, SVMC_IMAGE_END, SVMC_IMAGE_END },
        { 8, 15, SVMC_IMAGE_END, SVMC_IMAGE_END },
        { 8, 13, SVMC_IMAGE_END, SVMC_IMAGE_NONE },
        { 13, 1, SVMC_IMAGE_END, SVMC_IMAGE_END },
        { 41, 1, SVMC_IMAGE_END, SVMC_IMAGE_NONE },  /* the first segment is the header's */
        { 64, 14, SVMC_IMAGE_END, SVMC_IMAGE_NONE }, /* a segment behind the last chunk */
        { 96, 3, SVMC_IMAGE_END, SVMC_IMAGE_NONE },  /* segments that do not ascend */
    };
    struct svmc_image_config config;
    struct svmc_image image;
    uint64_t done;

    begin(SVMC_ALG_CHACHA20_POLY1305, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned what = 1; what <= 2; what++) {
            uint8_t *end = bad + lab.end_at;

            memcpy(bad, bytes, n);
            if (rows[i].at >= 64) { /* three of them */
                end[6] = 3;
                end[64] = 4;
                end[96] = 9;
            }
            end[5] = (uint8_t)what;
            end[rows[i].at] = rows[i].value;
            forge(bytes, end);
            if (what == 1) {
                open_image(&image);
                CHECK_EQ(svmc_image_open_end(&image, end, 576), rows[i].end, "row %u", i);
                CHECK_EQ(image.priv.segments, 1);
            } else {
                CHECK_EQ(svmc_image_resume(&image, &config, bytes, end, &done), rows[i].checkpoint,
                         "row %u", i);
            }
            CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
            CHECK(seal_lab_is_empty(&lab.vm), "row %u", i);
        }
}

/* ---- failures --------------------------------------------------------------------------------*/

/* Save and load as little as there is, with the k-th call failing. */
static enum svmc_image_reason both(size_t *m)
{
    const struct svmc_image_config writer = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    const struct svmc_image_config reader = image_lab_reader(&lab);
    struct svmc_image_section section = { SVMC_IMAGE_STATE, 0, 0, 77, 0, 77, 0, 0 };
    enum svmc_image_reason why;
    struct svmc_image image;

    why = svmc_image_begin(&image, &writer, &section, 1, bad, bad + 192);
    if (why != SVMC_IMAGE_NONE)
        CHECK(seal_lab_is_zero(bad, 192 + 64 + 48) && seal_lab_is_zero(&image, sizeof image));
    if (why == SVMC_IMAGE_NONE) {
        why = svmc_image_seal_chunk(&image, 0, 0, lab.state, bad + 304);
        if (why != SVMC_IMAGE_NONE)
            CHECK(seal_lab_is_zero(bad + 304, 64 + 77));
    }
    if (why == SVMC_IMAGE_NONE) {
        why = svmc_image_end(&image, bad + 304 + 141, &name);
        if (why != SVMC_IMAGE_NONE)
            CHECK(seal_lab_is_zero(bad + 445, 576) && seal_lab_is_zero(&name, sizeof name));
    }
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    *m = 445 + 576;
    if (why != SVMC_IMAGE_NONE)
        return why;
    why = image_lab_load(&reader, bad, *m, body, &name);
    CHECK(why == SVMC_IMAGE_NONE || seal_lab_is_zero(&name, sizeof name));
    return why;
}

TEST(image_hostile, each_callback_may_fail) /* IM-5 IM-15 CR-2 */
{
    for (unsigned k = 1;; k++) {
        enum svmc_image_reason why;
        size_t m;

        image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, false);
        lab.vm.crypto.fake.fail_at = lab.vm.crypto.fake.calls + k;
        memset(bad, 0xee, 2048);
        memset(body, 0, sizeof body);
        why = both(&m);
        CHECK(seal_lab_is_empty(&lab.vm) && !image_lab_unwiped, "call %u", k);
        if (lab.vm.crypto.fake.calls < lab.vm.crypto.fake.fail_at) {
            CHECK_EQ(why, SVMC_IMAGE_NONE);
            CHECK(k > 15, "only %u calls", k);
            break;
        }
        /* a comparison that fails is one that says no */
        CHECK(why == SVMC_IMAGE_CRYPTO || why == SVMC_IMAGE_SEALER + SVMC_SEAL_CRYPTO ||
                  why == SVMC_IMAGE_HEADER || why == SVMC_IMAGE_END,
              "call %u: %u", k, (unsigned)why);
    }
}

/* Stopped after the first of two chunks, gone on with, and read with the end first. */
static enum svmc_image_reason stop_go_on_and_read(void)
{
    const struct svmc_image_config writer = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    const struct svmc_image_config reader = image_lab_reader(&lab);
    struct svmc_image_section section = { SVMC_IMAGE_STATE, 0, 0, 4100, 0, 4100, 0, 0 };
    uint8_t checkpoint[576], *frame = bad + 304, *second = frame + 64 + 4096;
    enum svmc_image_reason why;
    struct svmc_image image;
    uint64_t done = 9;

    why = svmc_image_begin(&image, &writer, &section, 1, bad, bad + 192);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_seal_chunk(&image, 0, 0, lab.memory, frame);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_checkpoint(&image, 1, checkpoint);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    if (why != SVMC_IMAGE_NONE)
        return why;
    why = svmc_image_resume(&image, &writer, bad, checkpoint, &done);
    CHECK_EQ(done, why == SVMC_IMAGE_NONE ? 1 : 0);
    CHECK(why == SVMC_IMAGE_NONE || seal_lab_is_zero(&image, sizeof image));
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_seal_chunk(&image, 0, 1, lab.memory + 4096, second);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_end(&image, second + 68, &name);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    if (why != SVMC_IMAGE_NONE)
        return why;
    why = svmc_image_open(&image, &reader, bad, 192);
    if (why == SVMC_IMAGE_NONE) {
        why = svmc_image_open_end(&image, second + 68, 576);
        CHECK_EQ(image.priv.segments, why == SVMC_IMAGE_NONE ? 2 : 1);
    }
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_table(&image, 0, bad + 192, 112, &section);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_chunk(&image, 0, 1, second, 68, body);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_chunk(&image, 0, 0, frame, 64 + 4096, body);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_close(&image, second + 68, 576, &name);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    return why;
}

TEST(image_hostile, each_callback_may_fail_when_somebody_goes_on) /* IM-11 IM-12 CR-2 */
{
    for (unsigned k = 1;; k++) {
        enum svmc_image_reason why;

        image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, false);
        lab.vm.crypto.fake.fail_at = lab.vm.crypto.fake.calls + k;
        why = stop_go_on_and_read();
        CHECK(seal_lab_is_empty(&lab.vm) && !image_lab_unwiped, "call %u", k);
        if (lab.vm.crypto.fake.calls < lab.vm.crypto.fake.fail_at) {
            CHECK_EQ(why, SVMC_IMAGE_NONE);
            CHECK(k > 25, "only %u calls", k);
            break;
        }
        CHECK(why == SVMC_IMAGE_CRYPTO || why == SVMC_IMAGE_SEALER + SVMC_SEAL_CRYPTO ||
                  why == SVMC_IMAGE_HEADER || why == SVMC_IMAGE_END,
              "call %u: %u", k, (unsigned)why);
    }
}
