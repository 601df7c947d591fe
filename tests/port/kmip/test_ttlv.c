/* SPDX-License-Identifier: MIT */
/* docs/spec/kmip.md: TTLV that is hostile, and answers that are. What is expected is put together
   here by hand, from KMIP 1.4. */
#include "../../../src/port/kmip/message.h"
#include "../../../src/port/kmip/ttlv.h"
#include "../../harness.h"

/* Bytes written one after the other, and the lengths of structures put in behind. */
static uint8_t made[KMIP_ANSWER_BYTES + 64];
static size_t used;

static void item(uint32_t tag, uint8_t type, const void *value, size_t n)
{
    const uint8_t head[8] = { (uint8_t)(tag >> 16), (uint8_t)(tag >> 8),
                              (uint8_t)tag,         type,
                              (uint8_t)(n >> 24),   (uint8_t)(n >> 16),
                              (uint8_t)(n >> 8),    (uint8_t)n };

    memcpy(made + used, head, 8);
    memset(made + used + 8, 0, (n + 7) / 8 * 8);
    if (n != 0)
        memcpy(made + used + 8, value, n);
    used += 8 + (n + 7) / 8 * 8;
}

static void number(uint32_t tag, uint8_t type, uint32_t value)
{
    const uint8_t be[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value };

    item(tag, type, be, 4);
}

static size_t open_at(uint32_t tag)
{
    item(tag, 1, NULL, 0);
    return used;
}

static void close_at(size_t at)
{
    made[at - 3] = (uint8_t)((used - at) >> 8 >> 8);
    made[at - 2] = (uint8_t)((used - at) >> 8);
    made[at - 1] = (uint8_t)(used - at);
}

static void text(uint32_t tag, const char *value)
{
    item(tag, 7, value, strlen(value));
}

static void attribute(const char *name, uint8_t type, uint32_t value)
{
    size_t at = open_at(0x420008);

    text(0x42000a, name);
    number(0x42000b, type, value);
    close_at(at);
}

/* What is wrong in an answer. */
enum wrong {
    RIGHT,
    NO_ATTRIBUTES,
    NO_KEY,
    TWO_STATES,
    OTHER_ID,
    LONG_ID,
    WRAPPED,
    NOT_RAW,
    OTHER_OBJECT,
    TWO_KEYS,
    LONG_KEY,
    OTHER_LENGTH,
    OTHER_ALG,
    NO_STATUS,
    OTHER_BATCH_ID,
    OTHER_OPERATION,
    OTHER_COUNT,
    THREE_ITEMS,
    NO_HEADER,
    WRONG_COUNT
};

static void attributes_item(enum wrong wrong)
{
    size_t at = open_at(0x42000f), payload;

    number(0x42005c, 5, wrong == OTHER_OPERATION ? 0x0c : 0x0b);
    item(0x420093, 8, wrong == OTHER_BATCH_ID ? "\1" : "\0", 1);
    if (wrong != NO_STATUS)
        number(0x42007f, 5, 0);
    payload = open_at(0x42007c);
    text(0x420094, "key");
    if (wrong != NO_ATTRIBUTES) {
        attribute("State", 5, 2);
        attribute("Cryptographic Algorithm", 5, 3);
        attribute("Cryptographic Length", 2, 256);
        attribute("Cryptographic Usage Mask", 2, 12);
        attribute("Name", 5, 7);
    }
    if (wrong == TWO_STATES)
        attribute("State", 5, 2);
    close_at(payload);
    close_at(at);
}

static void key_item(enum wrong wrong)
{
    static const uint8_t bytes[72] = { 0xaa, 0xbb };
    size_t at = open_at(0x42000f), payload, object, block, value;

    number(0x42005c, 5, 0x0a);
    item(0x420093, 8, "\1", 1);
    number(0x42007f, 5, 0);
    payload = open_at(0x42007c);
    number(0x420057, 5, wrong == OTHER_OBJECT ? 4 : 2);
    text(0x420094, wrong == OTHER_ID ? "kez"
                   : wrong == LONG_ID
                       ? "a name that has more bytes than anybody asked for, that is "
                         "more than 64"
                       : "key");
    object = open_at(0x42008f);
    block = open_at(0x420040);
    number(0x420042, 5, wrong == NOT_RAW ? 2 : 1);
    value = open_at(0x420045);
    item(0x420043, 8, bytes, wrong == LONG_KEY ? 72 : 32);
    if (wrong == TWO_KEYS)
        item(0x420043, 8, bytes, 32);
    close_at(value);
    number(0x420028, 5, wrong == OTHER_ALG ? 2 : 3);
    number(0x42002a, 2, wrong == OTHER_LENGTH ? 128 : 256);
    if (wrong == WRAPPED)
        close_at(open_at(0x420046));
    close_at(block);
    close_at(object);
    close_at(payload);
    close_at(at);
}

static void answer(enum wrong wrong)
{
    size_t message, header, version;

    used = 0;
    message = open_at(0x42007b);
    header = open_at(wrong == NO_HEADER ? 0x420077 : 0x42007a);
    version = open_at(0x420069);
    number(0x42006a, 2, 1);
    number(0x42006b, 2, 2);
    close_at(version);
    item(0x420092, 9, "\0\0\0\0\1\2\3\4", 8);
    number(0x42000d, 2, wrong == WRONG_COUNT ? 1 : 2);
    close_at(header);
    attributes_item(wrong);
    if (wrong != NO_KEY)
        key_item(wrong);
    if (wrong == THREE_ITEMS)
        key_item(wrong);
    close_at(message);
}

static uint32_t read_answer(size_t n, struct svmc_provider_answer *a)
{
    memset(a, 0, sizeof *a);
    return svmc_kmip_answer(made, n, a);
}

TEST(ttlv, a_good_answer_is_read) /* KM-4 */
{
    struct svmc_provider_answer a;
    size_t n = 0;

    answer(RIGHT);
    CHECK_EQ(svmc_kmip_length(made, &n), SVMC_FETCH_NONE);
    CHECK_EQ(n, used);
    CHECK_EQ(read_answer(used, &a), SVMC_FETCH_NONE);
    CHECK(a.state == 2 && a.alg == 3 && a.bits == 256 && a.usage == 12 && a.key_bytes == 32);
    CHECK(a.id_bytes == 3 && memcmp(a.id, "key", 4) == 0);
    CHECK(a.key[0] == 0xaa && a.key[1] == 0xbb && a.key[2] == 0);
}

TEST(ttlv, what_is_wrong_in_an_answer_is_seen) /* KM-4 PR-13 */
{
    static const struct {
        uint32_t wrong, want;
    } rows[] = {
        { NO_KEY, SVMC_FETCH_FORMAT },          { TWO_STATES, SVMC_FETCH_FORMAT },
        { WRAPPED, SVMC_FETCH_FORMAT },         { NOT_RAW, SVMC_FETCH_FORMAT },
        { OTHER_OBJECT, SVMC_FETCH_FORMAT },    { TWO_KEYS, SVMC_FETCH_FORMAT },
        { NO_STATUS, SVMC_FETCH_FORMAT },       { OTHER_BATCH_ID, SVMC_FETCH_FORMAT },
        { OTHER_OPERATION, SVMC_FETCH_FORMAT }, { THREE_ITEMS, SVMC_FETCH_FORMAT },
        { NO_HEADER, SVMC_FETCH_FORMAT },       { WRONG_COUNT, SVMC_FETCH_FORMAT },
    };
    struct svmc_provider_answer a;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer((enum wrong)rows[i].wrong);
        CHECK_EQ(read_answer(used, &a), rows[i].want, "%u", (unsigned)rows[i].wrong);
    }
    /* what the cache refuses: it is read, and is not what was wanted */
    answer(NO_ATTRIBUTES);
    CHECK_EQ(read_answer(used, &a), SVMC_FETCH_NONE);
    CHECK(a.state == 0 && a.alg == 0);
    answer(OTHER_ID);
    CHECK(read_answer(used, &a) == SVMC_FETCH_NONE && a.id_bytes == 0);
    answer(LONG_ID);
    CHECK(read_answer(used, &a) == SVMC_FETCH_NONE && a.id_bytes == 0);
    answer(LONG_KEY);
    CHECK(read_answer(used, &a) == SVMC_FETCH_NONE && a.key_bytes == 72 && a.key[0] == 0);
    answer(OTHER_LENGTH);
    CHECK(read_answer(used, &a) == SVMC_FETCH_NONE && a.bits == 0);
    answer(OTHER_ALG);
    CHECK(read_answer(used, &a) == SVMC_FETCH_NONE && a.alg == 0);
}

TEST(ttlv, a_server_that_refuses_says_why) /* KM-4 */
{
    static const struct {
        uint32_t says, want;
    } rows[] = {
        { 0x01, SVMC_FETCH_NOT_FOUND }, { 0x02, SVMC_FETCH_TOO_LONG },
        { 0x03, SVMC_FETCH_DENIED },    { 0x0c, SVMC_FETCH_DENIED },
        { 0x0b, SVMC_FETCH_SERVICE },   { 0x100, SVMC_FETCH_SERVICE },
    };
    struct svmc_provider_answer a;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t message, header, batch;

        used = 0;
        message = open_at(0x42007b);
        header = open_at(0x42007a);
        number(0x42000d, 2, 1);
        close_at(header);
        batch = open_at(0x42000f);
        number(0x42007f, 5, 1);
        number(0x42007e, 5, rows[i].says);
        text(0x42007d, "no");
        close_at(batch);
        close_at(message);
        CHECK_EQ(read_answer(used, &a), rows[i].want, "%x", (unsigned)rows[i].says);
    }
}

TEST(ttlv, a_cut_answer_is_none_wherever_it_is_cut) /* KM-2 */
{
    struct svmc_provider_answer a;
    uint8_t whole[2048];
    size_t n;

    answer(RIGHT);
    n = used;
    REQUIRE(n <= sizeof whole);
    memcpy(whole, made, n);
    for (size_t cut = 0; cut < n; cut++) {
        memcpy(made, whole, n);
        memset(made + cut, 0xee, n - cut);
        CHECK(read_answer(cut, &a) != SVMC_FETCH_NONE, "%zu", cut);
        if (cut < 8 || cut % 8 != 0)
            continue;
        made[5] = (uint8_t)((cut - 8) >> 16); /* a length that fits what is left */
        made[6] = (uint8_t)((cut - 8) >> 8);
        made[7] = (uint8_t)(cut - 8);
        CHECK(read_answer(cut, &a) != SVMC_FETCH_NONE, "%zu", cut);
    }
}

TEST(ttlv, no_changed_bit_makes_it_read_beyond_its_end) /* KM-2 */
{
    struct svmc_provider_answer a;
    uint32_t refused = 0;

    answer(RIGHT);
    for (size_t bit = 0; bit < used * 8; bit++) {
        made[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += read_answer(used, &a) != SVMC_FETCH_NONE;
        made[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(refused > used * 4 && refused < used * 8, "%u", (unsigned)refused);
}

TEST(ttlv, lengths_depths_and_numbers_are_bounded) /* KM-2 */
{
    size_t at[TTLV_DEPTH_MAX + 2], n;

    for (uint32_t depth = 1; depth <= TTLV_DEPTH_MAX + 1; depth++) {
        used = 0;
        for (uint32_t i = 0; i < depth; i++)
            at[i] = open_at(0x420001);
        number(0x420002, 2, 7);
        for (uint32_t i = depth; i > 0; i--)
            close_at(at[i - 1]);
        CHECK_EQ(svmc_ttlv_is_sound(made, used), depth <= TTLV_DEPTH_MAX, "%u", (unsigned)depth);
    }
    for (uint32_t count = TTLV_ITEMS_MAX - 2; count <= TTLV_ITEMS_MAX; count++) {
        used = 0;
        at[0] = open_at(0x420001);
        for (uint32_t i = 0; i < count; i++)
            item(0x420002, 8, NULL, 0);
        close_at(at[0]);
        CHECK_EQ(svmc_ttlv_is_sound(made, used), count < TTLV_ITEMS_MAX, "%u", (unsigned)count);
    }
    used = 0;
    number(0x420002, 2, 7);
    CHECK(svmc_ttlv_is_sound(made, used));
    made[15] = 1;
    CHECK(!svmc_ttlv_is_sound(made, used), "padding");
    made[15] = 0;
    made[7] = 3;
    CHECK(!svmc_ttlv_is_sound(made, used), "an integer of 3 bytes");
    made[7] = 4;
    for (uint32_t type = 0; type < 256; type++) {
        made[3] = (uint8_t)type;
        CHECK_EQ(svmc_ttlv_is_sound(made, used),
                 type == 2 || type == 5 || type == 7 || type == 8 || type == 10, "%u",
                 (unsigned)type);
    }
    number(0x420002, 2, 7);
    made[3] = 2;
    CHECK(!svmc_ttlv_is_sound(made, used), "two items");
    CHECK(!svmc_ttlv_is_sound(made, 0));
    memset(made, 0, 8);
    memcpy(made, "\x42\x00\x7b\x01\xff\xff\xff\xf8", 8);
    CHECK_EQ(svmc_kmip_length(made, &n), SVMC_FETCH_TOO_LONG);
    CHECK_EQ(n, 0);
    memcpy(made + 4, "\0\0\x1f\xf8", 4);
    CHECK(svmc_kmip_length(made, &n) == SVMC_FETCH_NONE && n == KMIP_ANSWER_BYTES);
    memcpy(made + 4, "\0\0\x20\x00", 4);
    CHECK_EQ(svmc_kmip_length(made, &n), SVMC_FETCH_TOO_LONG);
    memcpy(made + 4, "\0\0\0\x0c", 4);
    CHECK_EQ(svmc_kmip_length(made, &n), SVMC_FETCH_FORMAT);
    memcpy(made, "HTTP/1.1", 8);
    CHECK_EQ(svmc_kmip_length(made, &n), SVMC_FETCH_FORMAT);
}

TEST(ttlv, a_question_is_what_the_document_says) /* KM-3 */
{
    uint8_t ask[KMIP_ASK_BYTES], id[SVMC_KEY_NAME_BYTES_MAX];
    size_t message, header, version, batch, payload, n;

    used = 0;
    message = open_at(0x420078);
    header = open_at(0x420077);
    version = open_at(0x420069);
    number(0x42006a, 2, 1);
    number(0x42006b, 2, 2);
    close_at(version);
    number(0x420050, 2, 8192);
    number(0x42000d, 2, 2);
    close_at(header);
    batch = open_at(0x42000f);
    number(0x42005c, 5, 0x0b);
    item(0x420093, 8, "\0", 1);
    payload = open_at(0x420079);
    text(0x420094, "key 17");
    text(0x42000a, "State");
    text(0x42000a, "Cryptographic Algorithm");
    text(0x42000a, "Cryptographic Length");
    text(0x42000a, "Cryptographic Usage Mask");
    close_at(payload);
    close_at(batch);
    batch = open_at(0x42000f);
    number(0x42005c, 5, 0x0a);
    item(0x420093, 8, "\1", 1);
    payload = open_at(0x420079);
    text(0x420094, "key 17");
    number(0x420042, 5, 1);
    close_at(payload);
    close_at(batch);
    close_at(message);
    n = svmc_kmip_ask(ask, sizeof ask, (const uint8_t *)"key 17", 6);
    CHECK_EQ(n, used);
    CHECK_MEM(ask, made, n);
    memset(id, 'x', sizeof id);
    CHECK(svmc_kmip_ask(ask, sizeof ask, id, sizeof id) != 0, "the longest one fits");
    for (size_t room = 0; room < n; room++) {
        memset(ask, 0xee, sizeof ask);
        CHECK_EQ(svmc_kmip_ask(ask, room, (const uint8_t *)"key 17", 6), 0, "%zu", room);
        CHECK_EQ(ask[room], 0xee);
    }
}
