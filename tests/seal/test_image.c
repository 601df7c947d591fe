/* SPDX-License-Identifier: MIT */
/* docs/spec/image.md: images written and read, their bytes put together here from the document. */
#include "../../src/core/bytes.h"
#include "image_lab.h"

static struct image_lab lab;
static uint8_t bytes[IMAGE_LAB_BYTES], again[IMAGE_LAB_BYTES], body[IMAGE_LAB_BODY];
static struct svmc_image_name name, read_name;
static const uint8_t algs[] = { 0x31, 0x32, 0x33 };

static void save(size_t *n)
{
    const struct svmc_image_config config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);

    CHECK_EQ(image_lab_save(&lab, &config, bytes, n, &name), SVMC_IMAGE_NONE);
}

static enum svmc_image_reason load(size_t n)
{
    const struct svmc_image_config config = image_lab_reader(&lab);

    return image_lab_load(&config, bytes, n, body, &read_name);
}

TEST(image, what_was_saved_is_restored) /* IM-1 IM-7 IM-16 */
{
    static const uint32_t macs[] = { 0, SVMC_ALG_MAC_BLAKE2B_256, SVMC_ALG_HMAC_SHA_256 };

    for (unsigned a = 0; a < 3; a++)
        for (unsigned m = 0; m < 3; m++) {
            struct svmc_image_config config;
            size_t n;

            image_lab_init(&lab, algs[a], true);
            config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
            config.mac = macs[m];
            CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
            CHECK_EQ(load(n), SVMC_IMAGE_NONE, "%x %x", algs[a], macs[m]);
            CHECK_MEM(body, lab.body, lab.body_bytes);
            CHECK_MEM(&name, &read_name, sizeof name);
            CHECK_EQ(read_name.generation, 5);
            CHECK_EQ(read_name.kind, SVMC_IMAGE_WHOLE);
            CHECK(seal_lab_is_empty(&lab.vm));
        }
}

TEST(image, it_shows_nothing_of_the_vm) /* IM-6 IM-7 */
{
    size_t n;

    image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, false);
    save(&n);
    for (size_t i = 0; i + 64 <= n; i++)
        for (size_t k = 0; k < 4; k++) {
            const uint8_t *secret[] = { lab.memory, lab.context, lab.device, lab.state };

            if (bytes[i] == secret[k][0])
                CHECK(memcmp(bytes + i, secret[k], 64) != 0, "secret %zu at %zu", k, i);
        }
}

TEST(image, places_are_computed) /* IM-1 IM-2 */
{
    struct svmc_image_info info;
    struct svmc_image image;
    struct svmc_image_config config;
    uint64_t place;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_inspect(bytes, 192, &info), SVMC_IMAGE_NONE);
    CHECK_EQ(info.kind, SVMC_IMAGE_WHOLE);
    CHECK_EQ(info.alg, SVMC_ALG_AES_256_GCM);
    CHECK_EQ(info.mac, SVMC_ALG_MAC_BLAKE2B_256);
    CHECK_EQ(info.chunk_bytes, 4096);
    CHECK_EQ(info.sections, IMAGE_LAB_SECTIONS);
    CHECK_EQ(info.generation, 5);
    CHECK_EQ(info.body_bytes, lab.body_bytes);
    CHECK_EQ(info.chunks, 14, "a map, ten pages, context, device, state");
    CHECK_MEM(info.vm, seal_lab_vm, 16);
    place = 192 + 64 + 5 * 48;
    for (uint64_t i = 0; i < info.chunks; i++, place += 64 + 4096)
        CHECK_EQ(svmc_image_place(&image, i), place);
    CHECK_EQ(svmc_image_chunk_bytes(&image, 12), 4096);
    CHECK_EQ(svmc_image_chunk_bytes(&image, 13), sizeof lab.state);
    CHECK_EQ(svmc_image_chunk_bytes(&image, 14), 0);
    place -= 4096 - sizeof lab.state;
    CHECK_EQ(svmc_image_place(&image, 14), place);
    CHECK_EQ(svmc_image_place(&image, 15), 0);
    CHECK_EQ(info.bytes, place + 576);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_chunk_bytes(NULL, 0), 0);
    CHECK_EQ(svmc_image_place(NULL, 0), 0);
}

/* ---- the document, once more -----------------------------------------------------------------*/

static size_t section_by_hand(uint8_t *at, const uint64_t v[7])
{
    memset(at, 0, 48);
    core_store_le32(at, (uint32_t)v[0]);
    core_store_le32(at + 4, (uint32_t)v[1]);
    for (unsigned i = 2; i < 6; i++)
        core_store_le64(at + 8 * (i - 1), v[i]);
    core_store_le32(at + 40, (uint32_t)v[6]);
    return 48;
}

TEST(image, its_bytes_are_those_of_the_document) /* IM-1 IM-2 IM-3 IM-6 IM-7 IM-9 IM-12 IM-17 */
{
    static const uint64_t sections[5][7] = {
        { 1, 0, 0x100000, 49152, 0, 3, 0 }, { 2, 0, 0x100000, 49152, 4096, 40960, 0 },
        { 3, 0, 0, 300, 45056, 300, 1 },    { 4, 9, 0, 1000, 49152, 1000, 2 },
        { 5, 1, 0, 77, 53248, 77, 3 },
    };
    uint8_t table[240], message[192 + 544] = { 0 }, *end = message + 192;
    size_t n, at = 0;

    for (unsigned a = 0; a < 3; a++) {
        uint8_t *h = again;

        image_lab_init(&lab, algs[a], false);
        save(&n);
        memset(again, 0, sizeof again);
        memcpy(h, "SVMI\x01", 5);
        h[5] = algs[a];
        h[6] = 0x21;
        h[7] = 4;
        h[8] = 1;
        h[9] = 12;
        memcpy(h + 16, seal_lab_vm, 16);
        memcpy(h + 32, bytes + 32, 16); /* random */
        memcpy(h + 64, lab.vm.key.priv.epoch, 16);
        h[88] = 5;
        core_store_le64(h + 144, 53248 + 77);
        h[152] = 5;
        image_lab_mac(&lab, h, "svmcore image  1", h, 160, h + 160);
        for (unsigned i = at = 0; i < 5; i++)
            at += section_by_hand(table + at, sections[i]);
        image_lab_frame(&lab, h, ((uint64_t)1 << 40) - 1, table, sizeof table, again + 192);
        for (unsigned i = 0; i < 14; i++)
            image_lab_frame(&lab, h, i, lab.body + i * 4096, i < 13 ? 4096 : 77,
                            again + 496 + i * 4160);
        memcpy(message, h, 192);
        memcpy(end, "SVME\x01\x01\x01", 7);
        end[8] = 14;
        memcpy(end + 16, h + 32, 16);
        memcpy(end + 40, h + 64, 24);
        memcpy(again + 496 + 13 * 4160 + 64 + 77, end, 544);
        image_lab_mac(&lab, h, "svmcore imgend 1", message, sizeof message,
                      again + 496 + 13 * 4160 + 64 + 77 + 544);
        CHECK_EQ(n, 496 + 13 * 4160 + 64 + 77 + 576);
        for (at = 0; at < n && bytes[at] == again[at];)
            at++;
        CHECK_EQ(at, n, "the first byte that differs, %x", algs[a]);
    }
}

/* ---- order and callers -----------------------------------------------------------------------*/

TEST(image, chunks_are_sealed_in_any_order_to_the_same_bytes) /* IM-7 IM-10 */
{
    struct svmc_image_config config;
    struct svmc_image image;
    size_t n;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    save(&n);
    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true); /* the same "random" bytes again */
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, again), SVMC_IMAGE_NONE);
    for (uint32_t k = 0; k < lab.chunks; k++) {
        uint32_t i = k * 5 % lab.chunks;

        CHECK_EQ(svmc_image_end(&image, again + lab.end_at, &name), SVMC_IMAGE_INCOMPLETE);
        CHECK(seal_lab_is_zero(again + lab.end_at, 576) && seal_lab_is_zero(&name, sizeof name));
        CHECK_EQ(image_lab_seal(&lab, &image, k % SEAL_LAB_LANES, i, again), SVMC_IMAGE_NONE);
    }
    CHECK_EQ(svmc_image_end(&image, again + lab.end_at, &name), SVMC_IMAGE_NONE);
    CHECK_MEM(again, bytes, n);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

TEST(image, chunks_are_opened_in_any_order_and_in_place) /* IM-9 IM-16 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct svmc_image_config config;
    struct svmc_image image;
    uint8_t *frame;
    size_t n;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    save(&n);
    config = image_lab_reader(&lab);
    CHECK_EQ(svmc_image_open(&image, &config, bytes, n), SVMC_IMAGE_NONE);
    for (uint32_t k = 0; k < lab.chunks; k++) {
        uint32_t i = k * 3 % lab.chunks;

        CHECK_EQ(svmc_image_close(&image, bytes + lab.end_at, 576, &read_name),
                 SVMC_IMAGE_INCOMPLETE);
        frame = bytes + lab.chunk_at[i];
        CHECK_EQ(svmc_image_open_chunk(&image, k % SEAL_LAB_LANES, i, frame, n, frame + 64),
                 SVMC_IMAGE_NONE);
        CHECK_MEM(frame + 64, lab.body + i * 4096, svmc_image_chunk_bytes(&image, i));
    }
    CHECK_EQ(svmc_image_close(&image, bytes + lab.end_at, 576, &read_name), SVMC_IMAGE_INCOMPLETE,
             "nobody has looked at the table");
    CHECK_EQ(svmc_image_open_table(&image, 0, bytes + 192, n, section), SVMC_IMAGE_NONE);
    CHECK_MEM(section, lab.section, sizeof section);
    CHECK_EQ(svmc_image_close(&image, bytes + lab.end_at, 576, &read_name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}

TEST(image, a_chunk_is_sealed_once) /* IM-10 */
{
    struct svmc_image_config config;
    struct svmc_image image;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 2, bytes), SVMC_IMAGE_NONE);
    lab.body[2 * 4096] ^= 1;
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 2, bytes), SVMC_IMAGE_NOT_NOW);
    lab.marks[3] |= 1; /* another lane is at it */
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 3, bytes), SVMC_IMAGE_NOT_NOW);
    CHECK_EQ(svmc_image_seal_chunk(&image, 0, lab.chunks, lab.body, bytes), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_seal_chunk(&image, 0, 4, NULL, bytes), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_seal_chunk(&image, 0, 4, lab.body, NULL), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_seal_chunk(NULL, 0, 4, lab.body, bytes), SVMC_IMAGE_ARG);
    svmc_sealer_key(&lab.vm.sealer, SVMC_KEY_DEACTIVATED, 0xc);
    memset(bytes + lab.chunk_at[5], 0xee, 64 + 4096);
    CHECK_EQ(image_lab_seal(&lab, &image, 0, 5, bytes), SVMC_IMAGE_SEALER + SVMC_SEAL_KEY_STATE);
    CHECK(seal_lab_is_zero(bytes + lab.chunk_at[5], 64 + 4096), "nothing is left in the clear");
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(svmc_image_seal_chunk(&image, 0, 0, lab.body, bytes), SVMC_IMAGE_ARG);
}

TEST(image, an_empty_image_is_one) /* IM-1 IM-17 */
{
    struct svmc_image_config config;
    struct svmc_image image;
    uint8_t all[192 + 64 + 576];

    image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, false);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    config.marks = NULL;
    config.marks_count = 0;
    CHECK_EQ(svmc_image_begin(&image, &config, NULL, 0, all, all + 192), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_place(&image, 0), 256);
    CHECK_EQ(svmc_image_end(&image, all + 256, &name), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    CHECK_EQ(image_lab_load(&config, all, sizeof all, body, &read_name), SVMC_IMAGE_NONE);
    CHECK_MEM(&name, &read_name, sizeof name);
}

/* ---- what is refused at once -----------------------------------------------------------------*/

TEST(image, a_writer_is_judged_before_anything_is_made) /* IM-2 IM-5 IM-13 IM-14 */
{
    static const struct svmc_image_name whole = { .kind = SVMC_IMAGE_WHOLE, .generation = 4 };
    static const uint8_t session[16] = { 1 };
    struct {
        const char *what;
        enum svmc_image_reason want;
        struct svmc_image_config config;
    } rows[12];
    struct svmc_image_config good;
    struct svmc_image image;
    unsigned count = 0;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    good = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
#define ROW(says, reason, member, value)    \
    rows[count].what = (says);              \
    rows[count].want = SVMC_IMAGE_##reason; \
    rows[count].config = good;              \
    rows[count++].config.member = (value)
    ROW("no sealer", ARG, sealer, NULL);
    ROW("marks that are not there", ARG, marks, NULL);
    ROW("too few marks", ROOM, marks_count, 13);
    ROW("no kind", ARG, kind, 0);
    ROW("an unknown kind", ARG, kind, 5);
    ROW("a hash is no MAC", ALGORITHM, mac, 0x11);
    ROW("chunks too small", ARG, chunk_bytes, 2048);
    ROW("chunks too large", ARG, chunk_bytes, 1u << 21);
    ROW("no power of two", ARG, chunk_bytes, 5000);
    ROW("a whole one has no parent", WRONG_PARENT, parent, &whole);
    ROW("a whole one has no session", WRONG_SESSION, session, session);
    ROW("a delta has a parent", WRONG_PARENT, kind, SVMC_IMAGE_DELTA);
#undef ROW
    for (unsigned i = 0; i < count; i++) {
        memset(bytes, 0xee, 4096);
        CHECK_EQ(image_lab_begin(&lab, &rows[i].config, &image, bytes), rows[i].want, "%s",
                 rows[i].what);
        CHECK(seal_lab_is_zero(bytes, 192 + 64 + 240) && seal_lab_is_zero(&image, sizeof image),
              "%s", rows[i].what);
        CHECK(seal_lab_is_empty(&lab.vm), "%s", rows[i].what);
    }
    lab.section[1].offset += 4096;
    CHECK_EQ(svmc_image_begin(&image, &good, lab.section, 5, bytes, bytes + 192), SVMC_IMAGE_TABLE);
    CHECK_EQ(svmc_image_begin(NULL, &good, lab.section, 5, bytes, bytes), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_begin(&image, NULL, lab.section, 5, bytes, bytes + 192), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_begin(&image, &good, lab.section, 5, NULL, bytes), SVMC_IMAGE_ARG);
    CHECK_EQ(svmc_image_begin(&image, &good, lab.section, 5, bytes, NULL), SVMC_IMAGE_ARG);
}

TEST(image, the_gate_is_asked_first) /* IM-5 */
{
    struct svmc_image_config config, reader;
    struct svmc_image image;
    uint64_t done;
    size_t n;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    save(&n);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    reader = image_lab_reader(&lab);
    svmc_sealer_key(&lab.vm.sealer, SVMC_KEY_DEACTIVATED, 0xc);
    CHECK_EQ(image_lab_begin(&lab, &config, &image, again),
             SVMC_IMAGE_SEALER + SVMC_SEAL_KEY_STATE);
    CHECK_EQ(svmc_image_resume(&image, &config, bytes, bytes, &done),
             SVMC_IMAGE_SEALER + SVMC_SEAL_KEY_STATE);
    CHECK_EQ(image_lab_load(&reader, bytes, n, body, &read_name), SVMC_IMAGE_NONE, "it may open");
    svmc_sealer_key(&lab.vm.sealer, SVMC_KEY_COMPROMISED, 0xc);
    CHECK_EQ(image_lab_load(&reader, bytes, n, body, &read_name),
             SVMC_IMAGE_SEALER + SVMC_SEAL_KEY_STATE);
    svmc_sealer_key(&lab.vm.sealer, SVMC_KEY_ACTIVE, 0xc);
    svmc_vmkey_drop(&lab.vm.key);
    CHECK_EQ(image_lab_load(&reader, bytes, n, body, &read_name),
             SVMC_IMAGE_SEALER + SVMC_SEAL_NO_KEY);
    lab.vm.crypto.ops.mac = NULL;
    CHECK_EQ(image_lab_load(&reader, bytes, n, body, &read_name), SVMC_IMAGE_ARG);
}

TEST(image, every_reason_has_a_status_and_a_name) /* IM-4 */
{
    for (uint32_t why = 0; why <= 300; why++) {
        enum svmc_status st = svmc_image_status((enum svmc_image_reason)why);
        const char *text = svmc_image_reason_name((enum svmc_image_reason)why);

        CHECK_EQ(st == SVMC_OK, why == 0 || why == SVMC_IMAGE_SEALER, "%u", why);
        CHECK_EQ(strcmp(text, "?") == 0, (why > 23 && why < 64) || why > 127, "%u", why);
        for (uint32_t other = 0; other < why && why <= 23; other++)
            CHECK(strcmp(text, svmc_image_reason_name((enum svmc_image_reason)other)) != 0);
    }
    CHECK_EQ(svmc_image_status((enum svmc_image_reason)(64 + SVMC_SEAL_NO_KEY)), SVMC_ERR_ABSENT);
    CHECK(strcmp(svmc_image_reason_name((enum svmc_image_reason)(64 + SVMC_SEAL_NO_KEY)),
                 "SVMC_SEAL_NO_KEY") == 0);
    CHECK_EQ(svmc_image_drop(NULL), SVMC_ERR_ARG);
}
