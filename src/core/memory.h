/* SPDX-License-Identifier: MIT */
/**
 * The four functions that the embedder supplies. Declared here because <string.h> belongs to a
 * hosted C library, and a kernel has none.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H
#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* -ffreestanding makes them calls even for eight bytes; the builtins are the same functions. */
#if defined(__GNUC__) || defined(__clang__)
#define memcpy  __builtin_memcpy
#define memmove __builtin_memmove
#define memset  __builtin_memset
#define memcmp  __builtin_memcmp
#endif

#endif
