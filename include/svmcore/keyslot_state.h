/* SPDX-License-Identifier: MIT */
/**
 * Key slots and the device table as bytes. No key is in them: a slot comes back as what its key has
 * to be, which the caller derives again and loads, for opening alone; what is written from then on
 * has a fresh epoch's key. Functions come back bound to the new handles. Save, load, statuses and
 * threads: state.h. docs/spec/state.md, rules ST-9 to ST-12.
 */
#ifndef SVMCORE_KEYSLOT_STATE_H
#define SVMCORE_KEYSLOT_STATE_H
#include <stddef.h>
#include <stdint.h>
#include "device.h"
#include "keyslot.h"
#include "state.h"
#ifdef __cplusplus
extern "C" {
#endif

/** A slot that was active. */
struct svmc_keyslot_saved {
    struct svmc_keyslot_key key; /* `opens` is 1; `bytes` and `before` are yours to fill in */
    svmc_key_handle was;         /* in the pool that was saved */
    svmc_key_handle now;         /* comes {0}: yours, what svmc_keyslot_load gave */
    uint32_t before;             /* place in the list, + 1, of the slot before it; 0: none */
    uint32_t order;              /* 0: has none before it; else one more than that one's */
};

/** Write the slots that are active. What is revoked does not come back. A control call. ST-9 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslots_save(const struct svmc_keyslots *ks,
                                                            uint8_t *out, size_t cap, size_t *len);

/**
 * What to load: a list, by number of the slot that was.
 *
 * Shape:  list[cap], NULL with cap 0: only *count. Go through `order` from 0 upwards, so that
 *         key.before can be the `now` of list[before - 1]. A key that you do not have yet may come
 *         later; a slot that you leave out has no functions.
 * State:  *count: how many there are, also with SVMC_ERR_FULL; else 0, and the list is zeroed.
 * Source: ST-9, ST-10.
 *
 * @return as state.h says; SVMC_ERR_FULL (cap).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslots_load(const uint8_t *bytes, size_t len,
                                                            struct svmc_keyslot_saved *list,
                                                            uint32_t cap, uint32_t *count);

/** Write which function has which slot. ST-11 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_devices_save(const struct svmc_devices *table,
                                                           uint8_t *out, size_t cap, size_t *len);

/**
 * Bind each function to the slot that its slot is now.
 *
 * Shape:  list[count], as svmc_keyslots_load made it, with `now` filled in. A function whose slot
 *         is not in it, or has no `now`, stays unbound: refused.
 * Source: ST-12.
 *
 * @return as state.h says; SVMC_ERR_FULL (the table has fewer segments, or too few buses).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_devices_load(struct svmc_devices *table,
                                                           const struct svmc_keyslot_saved *list,
                                                           uint32_t count, const uint8_t *bytes,
                                                           size_t len);

#ifdef __cplusplus
}
#endif
#endif
