/* SPDX-License-Identifier: MIT */
/** Little-endian numbers in bytes. */
#ifndef BYTES_H
#define BYTES_H
#include <stdint.h>

static inline uint64_t load_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static inline void store_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

#endif
