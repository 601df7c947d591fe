/* SPDX-License-Identifier: MIT */
/* What fuzz targets share: a crash where something must hold, and the input in pieces. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void require(int ok)
{
    if (!ok)
        __builtin_trap();
}

/* Calls of the library, where an input makes many: their sum is printed at the end. */
static unsigned long long calls_made;

static inline void count_call(void)
{
    calls_made++;
}

__attribute__((destructor)) static void print_calls(void)
{
    if (calls_made != 0)
        fprintf(stderr, "calls: %llu\n", calls_made);
}

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next n bytes; zeros where there are no more. */
static inline void take(struct input *in, void *dst, size_t n)
{
    size_t have = n < in->left ? n : in->left;

    memset(dst, 0, n);
    memcpy(dst, in->at, have);
    in->at += have;
    in->left -= have;
}

static inline uint8_t take_byte(struct input *in)
{
    uint8_t byte;

    take(in, &byte, 1);
    return byte;
}

#endif
