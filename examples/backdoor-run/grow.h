/* SPDX-License-Identifier: MIT */
/** An array that grows. */
#ifndef BACKDOOR_RUN_GROW_H
#define BACKDOOR_RUN_GROW_H
#include <stdlib.h>

/** Room for one more at the end, which is counted; NULL: no memory, nothing has changed. */
static inline void *grow(void **list, size_t *count, size_t *cap, size_t size)
{
    if (*count == *cap) {
        size_t more = *cap != 0 ? *cap * 2 : 16;
        void *bigger = realloc(*list, more * size);

        if (!bigger)
            return NULL;
        *list = bigger;
        *cap = more;
    }
    return (char *)*list + (*count)++ * size;
}

#endif
