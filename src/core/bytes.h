/* SPDX-License-Identifier: MIT */
/**
 * Wire values. Any alignment, the same result on every processor; gcc and clang make one load or
 * store of each where the processor allows it. Big-endian ones are s390x's.
 */
#ifndef CORE_BYTES_H
#define CORE_BYTES_H
#include <stdint.h>

static inline uint16_t core_load_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t core_load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t core_load_le64(const uint8_t *p)
{
    return (uint64_t)core_load_le32(p) | (uint64_t)core_load_le32(p + 4) << 32;
}

static inline uint16_t core_load_be16(const uint8_t *p)
{
    return (uint16_t)(p[1] | (unsigned)p[0] << 8);
}

static inline uint32_t core_load_be32(const uint8_t *p)
{
    return (uint32_t)core_load_be16(p) << 16 | core_load_be16(p + 2);
}

static inline uint64_t core_load_be64(const uint8_t *p)
{
    return (uint64_t)core_load_be32(p) << 32 | core_load_be32(p + 4);
}

static inline void core_store_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void core_store_le32(uint8_t *p, uint32_t v)
{
    core_store_le16(p, (uint16_t)v);
    core_store_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void core_store_le64(uint8_t *p, uint64_t v)
{
    core_store_le32(p, (uint32_t)v);
    core_store_le32(p + 4, (uint32_t)(v >> 32));
}

/** A word as it lies in memory <-> the number that it is on the wire. */
static inline uint64_t core_le64(uint64_t word)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return word; /* what the other branch is there too, said so that every compiler sees it */
#else
    return core_load_le64((const uint8_t *)&word);
#endif
}

/** The low `bytes` bytes set: 1, 2, 4 or 8; everything else gives all ones. */
static inline uint64_t core_mask(unsigned bytes)
{
    return bytes < 8 ? ((uint64_t)1 << (8 * bytes)) - 1 : ~(uint64_t)0;
}

/** The low `bytes` of a value, 1 to 8, in the other order; the rest is 0. */
static inline uint64_t core_swap(uint64_t value, unsigned bytes)
{
    uint8_t b[8];

    core_store_le64(b, value);
    return core_load_be64(b) >> 8 * ((8 - bytes) & 7);
}

/** The low `bits` bits as a signed number; bits in 1..64. Wants >> to keep the sign, as it does in
 *  every compiler that knows our flags. */
static inline int64_t core_sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

#endif
