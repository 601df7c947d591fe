/* SPDX-License-Identifier: MIT */
/** Bytes as a person writes them. */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Pairs of digits, blanks between them or not, up to the first that is none; how many. */
static inline size_t harness_hex(const char *hex, uint8_t *bytes, size_t max)
{
    size_t count = 0;
    unsigned byte;
    int used;

    while (count < max && sscanf(hex, " %2x%n", &byte, &used) == 1) {
        bytes[count++] = (uint8_t)byte;
        hex += used;
    }
    return count;
}

#endif
