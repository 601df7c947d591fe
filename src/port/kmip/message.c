/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <string.h>

#include "../../core/bytes.h"
#include "ttlv.h"

/* KMIP 1.4, 9.1.3.1: tags. */
enum {
    TAG_ATTRIBUTE = 0x420008,
    TAG_ATTRIBUTE_NAME = 0x42000a,
    TAG_ATTRIBUTE_VALUE = 0x42000b,
    TAG_BATCH_COUNT = 0x42000d,
    TAG_BATCH_ITEM = 0x42000f,
    TAG_ALGORITHM = 0x420028,
    TAG_LENGTH = 0x42002a,
    TAG_KEY_BLOCK = 0x420040,
    TAG_KEY_FORMAT = 0x420042,
    TAG_KEY_MATERIAL = 0x420043,
    TAG_KEY_VALUE = 0x420045,
    TAG_KEY_WRAPPING = 0x420046,
    TAG_RESPONSE_MAX = 0x420050,
    TAG_OBJECT_TYPE = 0x420057,
    TAG_OPERATION = 0x42005c,
    TAG_VERSION = 0x420069,
    TAG_VERSION_MAJOR = 0x42006a,
    TAG_VERSION_MINOR = 0x42006b,
    TAG_REQUEST_HEADER = 0x420077,
    TAG_REQUEST = 0x420078,
    TAG_REQUEST_PAYLOAD = 0x420079,
    TAG_RESPONSE_HEADER = 0x42007a,
    TAG_RESPONSE = 0x42007b,
    TAG_RESPONSE_PAYLOAD = 0x42007c,
    TAG_RESULT_REASON = 0x42007e,
    TAG_RESULT_STATUS = 0x42007f,
    TAG_SYMMETRIC_KEY = 0x42008f,
    TAG_BATCH_ID = 0x420093,
    TAG_ID = 0x420094
};
/* 9.1.3.2: values. */
enum {
    OP_GET = 0x0a,
    OP_GET_ATTRIBUTES = 0x0b,
    FORMAT_RAW = 1,
    OBJECT_SYMMETRIC_KEY = 2,
    REASON_NOT_FOUND = 0x01,
    REASON_TOO_LARGE = 0x02,
    REASON_NOT_AUTHENTICATED = 0x03,
    REASON_DENIED = 0x0c
};

#define NONE UINT32_MAX /* of a number that is not there */

/* The attributes that are asked for, and where in an answer they go. */
static const struct {
    char name[28];
    uint8_t bytes, type;
    uint16_t at;
} attributes[] = {
#define ATTRIBUTE(name, type, member)                                              \
    {                                                                              \
        name, sizeof name - 1, type, offsetof(struct svmc_provider_answer, member) \
    }
    ATTRIBUTE("State", TTLV_ENUM, state),
    ATTRIBUTE("Cryptographic Algorithm", TTLV_ENUM, alg),
    ATTRIBUTE("Cryptographic Length", TTLV_INTEGER, bits),
    ATTRIBUTE("Cryptographic Usage Mask", TTLV_INTEGER, usage),
#undef ATTRIBUTE
};
#define ATTRIBUTES (sizeof attributes / sizeof attributes[0])

/* ---- asking ----------------------------------------------------------------------------------*/

static void put_header(struct ttlv_out *out)
{
    size_t header = svmc_ttlv_begin(out, TAG_REQUEST_HEADER),
           version = svmc_ttlv_begin(out, TAG_VERSION);

    svmc_ttlv_put_number(out, TAG_VERSION_MAJOR, TTLV_INTEGER, 1);
    svmc_ttlv_put_number(out, TAG_VERSION_MINOR, TTLV_INTEGER, 2);
    svmc_ttlv_end(out, version);
    svmc_ttlv_put_number(out, TAG_RESPONSE_MAX, TTLV_INTEGER, KMIP_ANSWER_BYTES);
    svmc_ttlv_put_number(out, TAG_BATCH_COUNT, TTLV_INTEGER, 2);
    svmc_ttlv_end(out, header);
}

static void put_names(struct ttlv_out *out)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        svmc_ttlv_put(out, TAG_ATTRIBUTE_NAME, TTLV_TEXT, attributes[i].name, attributes[i].bytes);
}

/* KM-3 */
size_t svmc_kmip_ask(uint8_t *out, size_t room, const uint8_t *id, size_t id_bytes)
{
    struct ttlv_out to = { .at = out, .room = room };
    size_t message = svmc_ttlv_begin(&to, TAG_REQUEST);

    put_header(&to);
    for (uint8_t n = 0; n < 2; n++) {
        size_t item = svmc_ttlv_begin(&to, TAG_BATCH_ITEM), payload;

        svmc_ttlv_put_number(&to, TAG_OPERATION, TTLV_ENUM, n == 0 ? OP_GET_ATTRIBUTES : OP_GET);
        svmc_ttlv_put(&to, TAG_BATCH_ID, TTLV_BYTES, &n, 1);
        payload = svmc_ttlv_begin(&to, TAG_REQUEST_PAYLOAD);
        svmc_ttlv_put(&to, TAG_ID, TTLV_TEXT, id, id_bytes);
        if (n == 0)
            put_names(&to);
        else
            svmc_ttlv_put_number(&to, TAG_KEY_FORMAT, TTLV_ENUM, FORMAT_RAW);
        svmc_ttlv_end(&to, payload);
        svmc_ttlv_end(&to, item);
    }
    svmc_ttlv_end(&to, message);
    return to.full ? 0 : to.used;
}

/* ---- the answer ------------------------------------------------------------------------------*/

/* KM-2 */
enum svmc_fetch_reason svmc_kmip_length(const uint8_t head[8], size_t *bytes)
{
    uint32_t length = core_load_be32(head + 4);

    *bytes = 0;
    if (core_load_be32(head) != ((uint32_t)TAG_RESPONSE << 8 | TTLV_STRUCTURE) || length % 8 != 0)
        return SVMC_FETCH_FORMAT;
    if (length > KMIP_ANSWER_BYTES - TTLV_HEADER)
        return SVMC_FETCH_TOO_LONG;
    *bytes = TTLV_HEADER + length;
    return SVMC_FETCH_NONE;
}

/* KM-4: what the server says of a batch item that failed. */
static enum svmc_fetch_reason failure(const struct ttlv *item)
{
    switch (svmc_ttlv_number(item, TAG_RESULT_REASON, TTLV_ENUM, NONE)) {
    case REASON_NOT_FOUND:
        return SVMC_FETCH_NOT_FOUND;
    case REASON_TOO_LARGE:
        return SVMC_FETCH_TOO_LONG;
    case REASON_NOT_AUTHENTICATED:
    case REASON_DENIED:
        return SVMC_FETCH_DENIED;
    default:
        return SVMC_FETCH_SERVICE;
    }
}

/* The name; a second one that differs leaves none. */
static bool take_id(const struct ttlv *payload, struct svmc_provider_answer *a, bool first)
{
    struct ttlv id;

    if (!svmc_ttlv_only(payload, TAG_ID, TTLV_TEXT, &id))
        return false;
    if (id.bytes > sizeof a->id ||
        (!first && (id.bytes != a->id_bytes || memcmp(id.value, a->id, id.bytes) != 0))) {
        memset(a->id, 0, sizeof a->id);
        a->id_bytes = 0;
    } else if (first) {
        memcpy(a->id, id.value, id.bytes);
        a->id_bytes = (uint32_t)id.bytes;
    }
    return true;
}

/* KM-4: an attribute that is missing stays 0, which the cache refuses. */
static bool take_attributes(const struct ttlv *payload, struct svmc_provider_answer *a)
{
    struct ttlv rest = *payload, attribute, name;

    while (svmc_ttlv_next(&rest, &attribute)) {
        if (attribute.tag != TAG_ATTRIBUTE)
            continue;
        if (attribute.type != TTLV_STRUCTURE ||
            !svmc_ttlv_only(&attribute, TAG_ATTRIBUTE_NAME, TTLV_TEXT, &name))
            return false;
        for (size_t i = 0; i < ATTRIBUTES; i++) {
            uint32_t *to = (uint32_t *)(void *)((uint8_t *)a + attributes[i].at);

            if (name.bytes != attributes[i].bytes ||
                memcmp(name.value, attributes[i].name, name.bytes) != 0)
                continue;
            if (*to != 0)
                return false; /* twice */
            *to = svmc_ttlv_number(&attribute, TAG_ATTRIBUTE_VALUE, attributes[i].type, 0);
        }
    }
    return take_id(payload, a, true);
}

static bool has(const struct ttlv *structure, uint32_t tag)
{
    struct ttlv rest = *structure, item;

    while (svmc_ttlv_next(&rest, &item))
        if (item.tag == tag)
            return true;
    return false;
}

/* KM-4: a raw key that is not wrapped. What its block says of it may not differ from what the
   attributes say. */
static bool take_key(const struct ttlv *payload, struct svmc_provider_answer *a)
{
    struct ttlv object, block, value, material;

    if (!take_id(payload, a, false) ||
        !svmc_ttlv_only(payload, TAG_SYMMETRIC_KEY, TTLV_STRUCTURE, &object) ||
        svmc_ttlv_number(payload, TAG_OBJECT_TYPE, TTLV_ENUM, NONE) != OBJECT_SYMMETRIC_KEY ||
        !svmc_ttlv_only(&object, TAG_KEY_BLOCK, TTLV_STRUCTURE, &block) ||
        svmc_ttlv_number(&block, TAG_KEY_FORMAT, TTLV_ENUM, NONE) != FORMAT_RAW ||
        has(&block, TAG_KEY_WRAPPING) ||
        !svmc_ttlv_only(&block, TAG_KEY_VALUE, TTLV_STRUCTURE, &value) ||
        !svmc_ttlv_only(&value, TAG_KEY_MATERIAL, TTLV_BYTES, &material))
        return false;
    if (svmc_ttlv_number(&block, TAG_ALGORITHM, TTLV_ENUM, a->alg) != a->alg)
        a->alg = 0;
    if (svmc_ttlv_number(&block, TAG_LENGTH, TTLV_INTEGER, a->bits) != a->bits)
        a->bits = 0;
    a->key_bytes = (uint32_t)material.bytes;
    if (material.bytes <= sizeof a->key)
        memcpy(a->key, material.value, material.bytes);
    return true;
}

/* One batch item: the n-th, as it was asked for. */
static enum svmc_fetch_reason take_item(const struct ttlv *item, uint32_t n,
                                        struct svmc_provider_answer *a)
{
    uint32_t status = svmc_ttlv_number(item, TAG_RESULT_STATUS, TTLV_ENUM, NONE);
    struct ttlv id, payload;

    if (status == NONE)
        return SVMC_FETCH_FORMAT;
    if (status != 0)
        return failure(item);
    if (n > 1 || !svmc_ttlv_only(item, TAG_BATCH_ID, TTLV_BYTES, &id) || id.bytes != 1 ||
        id.value[0] != n ||
        svmc_ttlv_number(item, TAG_OPERATION, TTLV_ENUM, NONE) !=
            (uint32_t)(n == 0 ? OP_GET_ATTRIBUTES : OP_GET) ||
        !svmc_ttlv_only(item, TAG_RESPONSE_PAYLOAD, TTLV_STRUCTURE, &payload))
        return SVMC_FETCH_FORMAT;
    return (n == 0 ? take_attributes(&payload, a) : take_key(&payload, a)) ? SVMC_FETCH_NONE
                                                                           : SVMC_FETCH_FORMAT;
}

/* KM-4 */
enum svmc_fetch_reason svmc_kmip_answer(const uint8_t *at, size_t n, struct svmc_provider_answer *a)
{
    struct ttlv rest, header, item;
    enum svmc_fetch_reason reason;
    uint32_t items = 0;
    size_t whole;

    if (n < TTLV_HEADER || svmc_kmip_length(at, &whole) != SVMC_FETCH_NONE || whole != n ||
        !svmc_ttlv_is_sound(at, n))
        return SVMC_FETCH_FORMAT;
    rest = (struct ttlv){ .value = at + TTLV_HEADER, .bytes = n - TTLV_HEADER };
    if (!svmc_ttlv_next(&rest, &header) || header.tag != TAG_RESPONSE_HEADER ||
        header.type != TTLV_STRUCTURE)
        return SVMC_FETCH_FORMAT;
    while (svmc_ttlv_next(&rest, &item)) {
        if (item.tag != TAG_BATCH_ITEM || item.type != TTLV_STRUCTURE)
            return SVMC_FETCH_FORMAT;
        reason = take_item(&item, items++, a);
        if (reason != SVMC_FETCH_NONE)
            return reason;
    }
    return items == 2 && svmc_ttlv_number(&header, TAG_BATCH_COUNT, TTLV_INTEGER, NONE) == 2
               ? SVMC_FETCH_NONE
               : SVMC_FETCH_FORMAT;
}
