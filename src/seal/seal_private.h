/* SPDX-License-Identifier: MIT */
/** What pages and contexts share: entries that one at a time has, and subkeys that take turns. */
#ifndef SEAL_PRIVATE_H
#define SEAL_PRIVATE_H
#include <stdbool.h>
#include <svmcore/seal.h>

#include "../core/clamp.h"
#include "../core/memory.h"

#define LINE 64u

/* ---- entries ---------------------------------------------------------------------------------*/

/* SE-13: what is known about a copy: its version in bits 55:0 (0: there is none), its subkey in
   61:56, and two bits. */
#define ENTRY_BUSY   ((uint64_t)1 << 62) /* claimed by a lane, or by a copy that is not published */
#define ENTRY_OUT    ((uint64_t)1 << 63) /* there is nothing but the copy */
#define SUBKEY_SHIFT 56u
#define SUBKEY_MASK  (SVMC_SEAL_TURN_MAX - 1)

_Static_assert((SUBKEY_MASK & SVMC_SEAL_TURN_MAX) == 0, "a power of two");
_Static_assert(SVMC_SEAL_VERSION_MAX >> SUBKEY_SHIFT == 0, "a version lies below the subkey");
_Static_assert(((uint64_t)SUBKEY_MASK << SUBKEY_SHIFT & (ENTRY_BUSY | ENTRY_OUT)) == 0, "bits");

static inline uint32_t subkey_of(uint64_t entry)
{
    return (uint32_t)(entry >> SUBKEY_SHIFT) & SUBKEY_MASK;
}

static inline uint64_t version_of(uint64_t entry)
{
    return entry & SVMC_SEAL_VERSION_MAX;
}

/** SE-16: one at a time has it; *entry is what it was, for who gives it back. */
static inline enum svmc_seal_reason claim(uint64_t *e, bool out, uint64_t *entry)
{
    uint64_t old = __atomic_load_n(e, __ATOMIC_RELAXED);

    do {
        if ((old & ENTRY_BUSY) != 0)
            return SVMC_SEAL_BUSY;
        if (((old & ENTRY_OUT) != 0) != out)
            return SVMC_SEAL_STATE;
    } while (!__atomic_compare_exchange_n(e, &old, old | ENTRY_BUSY, false, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    *entry = old;
    return SVMC_SEAL_NONE;
}

static inline void settle(uint64_t *e, uint64_t entry)
{
    __atomic_store_n(e, entry, __ATOMIC_RELEASE);
}

/* ---- subkeys in turn -------------------------------------------------------------------------*/

/* One of the subkeys. `use` changes only while there are neither copies nor units left. */
struct subkey {
    struct svmc_seal_use use;
    uint64_t left;   /* atomic; units that it may still seal */
    uint64_t copies; /* atomic; entries and unpublished copies under it */
    uint8_t pad[56];
};

_Static_assert(sizeof(struct subkey) == 2 * LINE, "lines of their own");

static inline struct subkey *subkey_at(const struct svmc_seal_turn *turn, uint32_t i)
{
    return (struct subkey *)turn->subkey + core_clamp(i, turn->subkeys);
}

/* of turn.c: the first two are begun, all are ended */
enum svmc_seal_reason svmc_seal_turn_begin(struct svmc_seal_turn *turn);
enum svmc_status svmc_seal_turn_end(struct svmc_seal_turn *turn);
/** SE-22: a unit of the subkey that seals now; false: there is none. It has a copy more, until
 *  svmc_seal_turn_give_up. */
bool svmc_seal_turn_take(struct svmc_seal_turn *turn, uint32_t *subkey);
void svmc_seal_turn_give_up(struct svmc_seal_turn *turn, uint32_t subkey);
enum svmc_seal_reason svmc_seal_turn_tend(struct svmc_seal_turn *turn);
uint64_t svmc_seal_turn_left(const struct svmc_seal_turn *turn);
/** The place that a fresh one will have. */
uint32_t svmc_seal_turn_next(const struct svmc_seal_turn *turn);

/* Of the slots, which only a sealer that is set up has. */
static inline bool has_lanes(const struct svmc_sealer *sealer, uint32_t lanes)
{
    return sealer && sealer->priv.slots && lanes <= sealer->priv.slots->priv.lanes;
}

static inline size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

#endif
