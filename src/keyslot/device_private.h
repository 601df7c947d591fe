/* SPDX-License-Identifier: MIT */
/** The device table's way from a function to its entry. */
#ifndef DEVICE_PRIVATE_H
#define DEVICE_PRIVATE_H
#include <stdbool.h>
#include <svmcore/device.h>

#include "../core/clamp.h"
#include "../core/memory.h"

#define FUNCTIONS_OF_BUS     256u
#define FUNCTIONS_OF_SEGMENT 65536u

_Static_assert(SVMC_DEVICE_SEGMENTS_MAX *(uint64_t)FUNCTIONS_OF_SEGMENT <= 0x80000000u,
               "a function's number can be clamped");

/** The entry of a function that the table has, or NULL where its bus has no row. */
static inline uint32_t *device_entry(const struct svmc_devices *t, uint32_t bdf)
{
    uint32_t row;

    bdf = core_clamp(bdf, t->priv.functions);
    if (!t->priv.bus) /* DT-1 */
        return t->priv.entry + bdf;
    row = __atomic_load_n(t->priv.bus + bdf / FUNCTIONS_OF_BUS, __ATOMIC_ACQUIRE); /* DT-2 */
    return row == 0 ? NULL : t->priv.entry + (row - 1) * FUNCTIONS_OF_BUS + bdf % FUNCTIONS_OF_BUS;
}

/** DT-8: the handle of a function that the table has; 0: not bound. */
static inline uint32_t device_handle(const struct svmc_devices *t, uint32_t bdf)
{
    const uint32_t *entry = device_entry(t, bdf);

    return entry ? __atomic_load_n(entry, __ATOMIC_SEQ_CST) : 0;
}

#endif
