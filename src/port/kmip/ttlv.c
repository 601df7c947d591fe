/* SPDX-License-Identifier: MIT */
#include "ttlv.h"

#include <string.h>

#include "../../core/bytes.h"

static uint32_t tag_at(const uint8_t *at)
{
    return core_load_be32(at) >> 8;
}

static size_t padded(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

/* KM-2: what a type's values are long. */
static bool fits_type(uint32_t type, size_t bytes)
{
    switch (type) {
    case TTLV_INTEGER:
    case TTLV_ENUM:
    case TTLV_INTERVAL:
        return bytes == 4;
    case TTLV_LONG:
    case TTLV_BOOLEAN:
    case TTLV_TIME:
        return bytes == 8;
    case TTLV_STRUCTURE:
        return bytes % 8 == 0;
    case TTLV_BIG:
        return bytes != 0 && bytes % 8 == 0;
    case TTLV_TEXT:
    case TTLV_BYTES:
        return true;
    default:
        return false;
    }
}

/* The item at `at`, of which `left` bytes are there; false: it is none, or not whole. */
static bool look(const uint8_t *at, size_t left, struct ttlv *item)
{
    if (left < TTLV_HEADER)
        return false;
    item->tag = tag_at(at);
    item->type = at[3];
    item->bytes = core_load_be32(at + 4);
    item->value = at + TTLV_HEADER;
    if (item->bytes > left - TTLV_HEADER || padded(item->bytes) > left - TTLV_HEADER ||
        !fits_type(item->type, item->bytes))
        return false;
    for (size_t i = item->bytes; i < padded(item->bytes); i++)
        if (item->value[i] != 0)
            return false;
    return true;
}

/* KM-2: `end` of each structure that is open, outermost first. */
bool svmc_ttlv_is_sound(const uint8_t *at, size_t n)
{
    size_t end[TTLV_DEPTH_MAX + 1], here = 0;
    uint32_t depth = 0, items = 0;
    struct ttlv item;

    end[0] = n;
    if (n == 0)
        return false;
    while (here < end[0]) {
        if (++items > TTLV_ITEMS_MAX || !look(at + here, end[depth] - here, &item))
            return false;
        here += TTLV_HEADER;
        if (item.type == TTLV_STRUCTURE) {
            if (++depth > TTLV_DEPTH_MAX)
                return false;
            end[depth] = here + item.bytes;
        } else {
            here += padded(item.bytes);
        }
        while (depth > 0 && here == end[depth])
            depth--;
        if (depth == 0 && here < n)
            return false; /* two items */
    }
    return true;
}

bool svmc_ttlv_next(struct ttlv *rest, struct ttlv *item)
{
    size_t whole;

    if (!look(rest->value, rest->bytes, item))
        return false;
    whole = TTLV_HEADER + padded(item->bytes);
    rest->value += whole;
    rest->bytes -= whole;
    return true;
}

bool svmc_ttlv_only(const struct ttlv *structure, uint32_t tag, uint32_t type, struct ttlv *item)
{
    struct ttlv rest = *structure, next;
    uint32_t seen = 0;

    while (svmc_ttlv_next(&rest, &next))
        if (next.tag == tag) {
            *item = next;
            seen++;
        }
    return seen == 1 && item->type == type;
}

uint32_t svmc_ttlv_number(const struct ttlv *structure, uint32_t tag, uint32_t type,
                          uint32_t otherwise)
{
    struct ttlv item;

    return svmc_ttlv_only(structure, tag, type, &item) && item.bytes == 4
               ? core_load_be32(item.value)
               : otherwise;
}

/* ---- writing ---------------------------------------------------------------------------------*/

static void store_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void svmc_ttlv_put(struct ttlv_out *out, uint32_t tag, enum ttlv_type type, const void *value,
                   size_t bytes)
{
    uint8_t *at;

    if (out->full || bytes > out->room || TTLV_HEADER + padded(bytes) > out->room - out->used) {
        out->full = true;
        return;
    }
    at = out->at + out->used;
    store_be32(at, tag << 8 | (uint32_t)type);
    store_be32(at + 4, (uint32_t)bytes);
    memset(at + TTLV_HEADER, 0, padded(bytes));
    if (bytes != 0)
        memcpy(at + TTLV_HEADER, value, bytes);
    out->used += TTLV_HEADER + padded(bytes);
}

size_t svmc_ttlv_begin(struct ttlv_out *out, uint32_t tag)
{
    size_t begin = out->used;

    svmc_ttlv_put(out, tag, TTLV_STRUCTURE, NULL, 0);
    return begin;
}

void svmc_ttlv_end(struct ttlv_out *out, size_t begin)
{
    if (!out->full)
        store_be32(out->at + begin + 4, (uint32_t)(out->used - begin - TTLV_HEADER));
}

void svmc_ttlv_put_number(struct ttlv_out *out, uint32_t tag, enum ttlv_type type, uint32_t value)
{
    uint8_t bytes[4];

    store_be32(bytes, value);
    svmc_ttlv_put(out, tag, type, bytes, sizeof bytes);
}
