/* SPDX-License-Identifier: MIT */
/**
 * TTLV, the encoding of KMIP: tag, type, length, value, in whole words of eight bytes (KMIP 1.4,
 * 9.1). What comes from outside is checked whole, once, without recursion; what reads it afterwards
 * cannot leave it. No OpenSSL in here.
 */
#ifndef KMIP_TTLV_H
#define KMIP_TTLV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TTLV_HEADER    8u
#define TTLV_DEPTH_MAX 8u   /* structures within structures */
#define TTLV_ITEMS_MAX 256u /* in a message */

enum ttlv_type {
    TTLV_STRUCTURE = 1,
    TTLV_INTEGER = 2,
    TTLV_LONG = 3,
    TTLV_BIG = 4,
    TTLV_ENUM = 5,
    TTLV_BOOLEAN = 6,
    TTLV_TEXT = 7,
    TTLV_BYTES = 8,
    TTLV_TIME = 9,
    TTLV_INTERVAL = 10
};

/** An item; its value lies in the message. A structure's value is its items. */
struct ttlv {
    uint32_t tag;
    uint32_t type;
    const uint8_t *value;
    size_t bytes;
};

/** KM-2: whether all n bytes are one well-formed item. */
bool svmc_ttlv_is_sound(const uint8_t *at, size_t n);

/** The next item of a sound structure; *rest, whose value and bytes are what is left of it, goes
 *  on. False at its end. */
bool svmc_ttlv_next(struct ttlv *rest, struct ttlv *item);

/** The item with this tag and type, if there is exactly one with the tag. */
bool svmc_ttlv_only(const struct ttlv *structure, uint32_t tag, uint32_t type, struct ttlv *item);

/** The value of an integer or enumeration that is there exactly once; else `otherwise`. */
uint32_t svmc_ttlv_number(const struct ttlv *structure, uint32_t tag, uint32_t type,
                          uint32_t otherwise);

/** A message that is written; `full` stays, and nothing is written behind the room. */
struct ttlv_out {
    uint8_t *at;
    size_t room, used;
    bool full;
};

/** Begin a structure; @return what ttlv_end wants. */
size_t svmc_ttlv_begin(struct ttlv_out *out, uint32_t tag);
void svmc_ttlv_end(struct ttlv_out *out, size_t begin);
void svmc_ttlv_put_number(struct ttlv_out *out, uint32_t tag, enum ttlv_type type, uint32_t value);
void svmc_ttlv_put(struct ttlv_out *out, uint32_t tag, enum ttlv_type type, const void *value,
                   size_t bytes);

#endif
