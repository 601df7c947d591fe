/* SPDX-License-Identifier: MIT */
/** What lies in a pool of slots, and the way of a holder, which the DMA engine takes inline. */
#ifndef KEYSLOT_PRIVATE_H
#define KEYSLOT_PRIVATE_H
#include <stdbool.h>
#include <svmcore/keys.h>
#include <svmcore/keyslot.h>

#include "../core/clamp.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"

#define LINE SVMC_KEYSLOT_ALIGN

/* KS-3: of a slot's word; the generation is in bits 31:16, as in a handle. */
#define WORD_STATE      0x00ffu
#define WORD_RESIDENT   0x0100u /* its key is in its place */
#define WORD_CUT        0x0200u
#define WORD_GENERATION 0xffff0000u
#define GENERATION_ONE  0x00010000u
#define WORD_LIVE       (SVMC_KEYSLOT_ACTIVE | WORD_RESIDENT)
#define WORD_ENDING     (SVMC_KEYSLOT_DRAINING | WORD_RESIDENT)

_Static_assert(SVMC_KEYSLOTS_MAX + 1 <= GENERATION_ONE, "slot + 1 fits below the generation");
_Static_assert((SVMC_KEYSLOT_RETIRED & ~WORD_STATE) == 0, "a state fits in its bits");
_Static_assert((WORD_STATE & (WORD_RESIDENT | WORD_CUT)) == 0, "no flag is a state's bit");
_Static_assert((WORD_GENERATION | (GENERATION_ONE - 1)) == UINT32_MAX, "a word has 32 bits");
_Static_assert(GENERATION_ONE == (WORD_GENERATION & (~WORD_GENERATION + 1)), "the lowest of them");

/* A line of its own: many read it, and control alone writes it. */
struct slot {
    uint32_t word; /* atomic; control writes it */
    uint32_t place;
    uint64_t domain, epoch, cookie;
    uint32_t alg, unit_bytes;
    uint32_t unit_shift;
    bool authentic;
    uint8_t pad[3];
    uint64_t left;   /* atomic; KS-17: generation in 63:48, units that nobody has drawn below */
    uint32_t before; /* KS-18: handle */
    uint32_t reserved;
};

/* KS-17: what a lane has drawn of a slot's budget and not used. */
struct drawn {
    uint32_t raw; /* handle; 0: none */
    uint32_t units;
};
#define DRAWN      4u /* slots of which a lane keeps it, by their number */
#define LEFT_UNITS (((uint64_t)1 << 48) - 1)

/* KS-6: a line of its own, that its lane alone writes. */
struct lane {
    uint64_t marker; /* atomic; handle in 31:0, epoch of the pool in 63:32; 0: nothing held */
    uint32_t also;   /* atomic; KS-18: handle of a slot that is held beside it; 0: none */
    uint32_t reserved;
    struct drawn drawn[DRAWN];
    uint8_t pad[16];
};

struct place {
    uint64_t since; /* when its owner came: of the pool's clock */
    uint32_t owner; /* slot + 1; 0: nobody */
    uint32_t tried; /* the low bits of the clock when it was found busy */
};

_Static_assert(SVMC_SUBKEY_CALLS <= LEFT_UNITS, "a budget fits beside the generation");
_Static_assert(sizeof(struct slot) == LINE && sizeof(struct lane) == LINE, "lines");

static inline struct slot *slots_of(const struct svmc_keyslots *ks)
{
    return ks->priv.slot;
}

static inline struct lane *lanes_of(const struct svmc_keyslots *ks)
{
    return ks->priv.lane;
}

static inline struct svmc_cipher_key *rooms_of(const struct svmc_keyslots *ks)
{
    return ks->priv.room;
}

static inline uint32_t *refs_of(const struct svmc_keyslots *ks)
{
    return ks->priv.refs;
}

/* When a lane last held each place: a row of lines for each lane. */
static inline uint64_t *stamps_of(const struct svmc_keyslots *ks, uint32_t lane)
{
    return (uint64_t *)ks->priv.stamp + (size_t)lane * ((ks->priv.places + 7u) & ~7u);
}

static inline uint32_t word_of(const struct slot *s)
{
    return __atomic_load_n(&s->word, __ATOMIC_SEQ_CST);
}

/** The slot that a handle names, of whatever load; NULL: none. */
static inline struct slot *slot_of(const struct svmc_keyslots *ks, svmc_key_handle handle)
{
    uint32_t n = (handle.raw & ~WORD_GENERATION) - 1;

    if (n >= ks->priv.slots)
        return NULL;
    return slots_of(ks) + core_clamp(n, ks->priv.slots);
}

/** KS-7: whether a word is that of a slot which may be held. */
static inline bool is_live(uint32_t word, svmc_key_handle handle, bool has_ref)
{
    uint32_t generation = handle.raw & WORD_GENERATION;

    return word == (generation | WORD_LIVE) || (has_ref && word == (generation | WORD_ENDING));
}

/** KS-14 */
static inline void slot_stamp(struct svmc_keyslots *ks, uint32_t lane, const struct slot *s)
{
    if (ks->priv.kind == SVMC_KEYSLOT_HARDWARE)
        __atomic_store_n(stamps_of(ks, lane) + s->place,
                         __atomic_load_n(&ks->priv.clock, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

/* Between two accesses that must keep their order. */
#ifdef KEYSLOT_STEPS /* only in tests/checks/keyslot_steps.c: somebody else gets on here */
void keyslot_step(void);
#else
static inline void keyslot_step(void)
{
}
#endif

/**
 * Hold. The lane and the pool are the caller's to check; *out is the slot.
 *
 * KS-6, KS-7: the marker is stored before the word is loaded, and control writes the word before it
 * loads the markers, all of it sequentially consistent: one of the two sees the other.
 */
static inline enum svmc_status slot_hold(struct svmc_keyslots *ks, uint32_t lane,
                                         svmc_key_handle handle, bool has_ref, struct slot **out)
{
    struct slot *s = slot_of(ks, handle);
    struct lane *l = lanes_of(ks) + lane;
    uint64_t epoch;
    uint32_t word;

    if (!s)
        return SVMC_ERR_STALE;
    if (__atomic_load_n(&l->marker, __ATOMIC_RELAXED) != 0)
        return SVMC_ERR_STATE;
    epoch = __atomic_load_n(&ks->priv.epoch, __ATOMIC_RELAXED);
#if defined KEYSLOT_REORDERED /* only in the negative control of tests/checks/keyslot_steps.c */
    word = word_of(s);
    keyslot_step();
    __atomic_store_n(&l->marker, epoch << 32 | handle.raw, __ATOMIC_RELAXED);
#elif defined KEYSLOT_UNFENCED /* only in that of tests/checks/keyslot_race.c */
    __atomic_store_n(&l->marker, epoch << 32 | handle.raw, __ATOMIC_RELAXED);
    word = word_of(s);
#else
    __atomic_store_n(&l->marker, epoch << 32 | handle.raw, __ATOMIC_SEQ_CST);
    keyslot_step();
    word = word_of(s);
#endif
    if (!is_live(word, handle, has_ref)) {
        __atomic_store_n(&l->marker, 0, __ATOMIC_RELEASE);
        return word == ((handle.raw & WORD_GENERATION) | SVMC_KEYSLOT_ACTIVE) ? SVMC_ERR_ABSENT
                                                                              : SVMC_ERR_STALE;
    }
    slot_stamp(ks, lane, s);
    *out = s;
    return SVMC_OK;
}

static inline void slot_release(struct svmc_keyslots *ks, uint32_t lane)
{
    struct lane *l = lanes_of(ks) + lane;

    if (__atomic_load_n(&l->also, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(&l->also, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&l->marker, 0, __ATOMIC_RELEASE);
}

/* of slot_budget.c: as slot_spend, where the lane has not enough */
bool svmc_keyslot_draw(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                       uint32_t units);

/** KS-17: take so many units of the budget of a slot that is held. @return whether it has them. */
static inline bool slot_spend(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                              uint32_t units)
{
    struct drawn *d = lanes_of(ks)[lane].drawn + handle.raw % DRAWN; /* clamp: a remainder */

    if (d->raw != handle.raw || d->units < units)
        return svmc_keyslot_draw(ks, lane, handle, units);
    d->units -= units;
    return true;
}

/** KS-10: whether a slot that is held was cut. */
static inline bool slot_is_cut(const struct slot *s)
{
    return (__atomic_load_n(&s->word, __ATOMIC_RELAXED) & WORD_CUT) != 0;
}

/** KS-16: what was remembered with another epoch is not used; asked for after the hold. */
static inline uint64_t slot_epoch(const struct svmc_keyslots *ks)
{
    return __atomic_load_n(&ks->priv.epoch, __ATOMIC_SEQ_CST);
}

/* of slot.c: one reference more, to a slot that is held */
enum svmc_status svmc_keyslot_count(struct svmc_keyslots *ks, const struct slot *s);

/** KS-17: what was taken and not used; of slot_budget.c. */
void svmc_keyslot_unspend(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                          uint32_t units);
/** KS-18: hold a slot beside the one that the lane holds, if the two are linked.
 *  @return SVMC_OK; SVMC_ERR_ABSENT; SVMC_ERR_REFUSED. */
enum svmc_status svmc_keyslot_hold_also(struct svmc_keyslots *ks, uint32_t lane,
                                        const struct slot *held, svmc_key_handle handle,
                                        struct slot **out);

/* of slot_place.c */
bool svmc_keyslot_is_busy(const struct svmc_keyslots *ks, uint32_t n);
void svmc_keyslot_vacate(struct svmc_keyslots *ks, struct slot *s);

#endif
