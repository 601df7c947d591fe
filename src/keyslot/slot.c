/* SPDX-License-Identifier: MIT */
/** Slots: the pool, load, revoke, holders and their references. */
#include "../core/callbacks.h"
#include "keyslot_private.h"
#include "sealing.h"

#define REFS_MAX 0x80000000u

/* ---- the pool --------------------------------------------------------------------------------*/

static size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

/* KS-1: what is where; a pool's lanes, rooms, slots, references, places and stamps. */
enum { LANES, ROOMS, SLOTS, REFS, PLACES, STAMPS, PARTS };

static uint32_t places_in(const struct svmc_keyslots_config *c)
{
    return c->places == 0 ? c->slots : c->places;
}

static size_t part_bytes(const struct svmc_keyslots_config *c, uint32_t part)
{
    const size_t places = places_in(c), row = lines(places * sizeof(uint64_t));

    return part == LANES    ? (size_t)c->lanes * sizeof(struct lane)
           : part == ROOMS  ? places * sizeof(struct svmc_cipher_key)
           : part == SLOTS  ? (size_t)c->slots * sizeof(struct slot)
           : part == REFS   ? lines((size_t)c->slots * sizeof(uint32_t))
           : part == PLACES ? lines(places * sizeof(struct place))
           : part == STAMPS && c->kind == SVMC_KEYSLOT_HARDWARE ? (size_t)c->lanes * row
                                                                : 0;
}

static bool is_possible(const struct svmc_keyslots_config *c)
{
    return c && c->kind <= SVMC_KEYSLOT_HARDWARE && c->slots - 1 < SVMC_KEYSLOTS_MAX &&
           places_in(c) <= c->slots && c->lanes - 1 < SVMC_KEYSLOT_LANES_MAX &&
           (c->kind == SVMC_KEYSLOT_HARDWARE || places_in(c) == c->slots);
}

/* KS-2 */
static bool has_tables(const struct svmc_keyslots_config *c)
{
    if (!c->crypto || !CORE_HAS_OP(c->crypto, wipe))
        return false;
    if (c->kind == SVMC_KEYSLOT_SOFTWARE)
        return !c->ops && CORE_HAS_OP(c->crypto, cipher_load) &&
               CORE_HAS_OP(c->crypto, cipher_drop);
    return c->ops && CORE_HAS_OP(c->ops, program) && CORE_HAS_OP(c->ops, evict);
}

size_t svmc_keyslots_bytes(const struct svmc_keyslots_config *config)
{
    size_t bytes = 0;

    if (!is_possible(config))
        return 0;
    for (uint32_t part = 0; part < PARTS; part++)
        bytes += part_bytes(config, part);
    return bytes;
}

enum svmc_status svmc_keyslots_init(struct svmc_keyslots *ks,
                                    const struct svmc_keyslots_config *config, void *memory,
                                    size_t bytes)
{
    size_t need = svmc_keyslots_bytes(config);
    uint8_t *at[PARTS], *next = memory;

    if (!ks)
        return SVMC_ERR_ARG;
    memset(ks, 0, sizeof *ks);
    if (need == 0 || !memory || (uintptr_t)memory % LINE != 0 || !has_tables(config))
        return SVMC_ERR_ARG;
    if (bytes < need)
        return SVMC_ERR_FULL;
    memset(memory, 0, need);
    for (uint32_t part = 0; part < PARTS; part++) {
        at[part] = next;
        next += part_bytes(config, part);
    }
    ks->priv.crypto = config->crypto;
    ks->priv.ops = config->ops;
    ks->priv.lane = at[LANES];
    ks->priv.room = at[ROOMS];
    ks->priv.slot = at[SLOTS];
    ks->priv.refs = at[REFS];
    ks->priv.place = at[PLACES];
    ks->priv.stamp = at[STAMPS];
    ks->priv.slots = config->slots;
    ks->priv.places = places_in(config);
    ks->priv.lanes = config->lanes;
    ks->priv.kind = config->kind;
    ks->priv.epoch = 1;
    return SVMC_OK;
}

/* KS-12 */
void svmc_keyslots_drop(struct svmc_keyslots *ks)
{
    if (!ks)
        return;
    for (uint32_t n = 0; n < ks->priv.slots; n++) {
        struct slot *s = slots_of(ks) + n;

        svmc_keyslot_vacate(ks, s);
        __atomic_store_n(&s->word, SVMC_KEYSLOT_FREE, __ATOMIC_SEQ_CST);
    }
    memset(ks, 0, sizeof *ks);
}

/* ---- control ---------------------------------------------------------------------------------*/

/* KS-4: the next one that is free and that no reference names any more. */
static struct slot *find_free(struct svmc_keyslots *ks)
{
    for (uint32_t i = 0; i < ks->priv.slots; i++) {
        uint32_t n = (ks->priv.next + i) % ks->priv.slots;
        uint32_t state = word_of(slots_of(ks) + n) & WORD_STATE;

        if ((state == SVMC_KEYSLOT_FREE || state == SVMC_KEYSLOT_WIPED) &&
            __atomic_load_n(refs_of(ks) + n, __ATOMIC_ACQUIRE) == 0) {
            ks->priv.next = n + 1;
            return slots_of(ks) + n;
        }
    }
    return NULL;
}

/* KS-17: so that neither calls nor blocks of a subkey end first. A unit is its blocks and one more,
   for the tag or the tweak. */
static uint64_t whole_budget(uint32_t unit_bytes)
{
    uint64_t units = SVMC_SUBKEY_BLOCKS / (unit_bytes / 16 + 1);

    return units < SVMC_SUBKEY_CALLS ? units : SVMC_SUBKEY_CALLS;
}

static enum svmc_status judge_key(const struct svmc_keyslots *ks,
                                  const struct svmc_keyslot_key *key)
{
    const struct svmc_crypto_ops *crypto = ks->priv.crypto;
    uint32_t unit = key->unit_bytes;

    if (unit < 64 || unit > 4096 || (unit & (unit - 1)) != 0 ||
        (key->bytes != NULL) != (ks->priv.kind == SVMC_KEYSLOT_SOFTWARE))
        return SVMC_ERR_ARG;
    if (key->units > whole_budget(unit) || key->opens > 1 || (key->opens && key->units != 0))
        return SVMC_ERR_ARG;
    if (svmc_cipher_shape_of(key->alg).key_bytes == 0)
        return SVMC_ERR_UNSUPPORTED;
    if (svmc_cipher_shape_of(key->alg).tag_bytes == 0)
        return CORE_HAS_OP(crypto, crypt) ? SVMC_OK : SVMC_ERR_UNSUPPORTED;
    return CORE_HAS_OP(crypto, seal) && CORE_HAS_OP(crypto, open) ? SVMC_OK : SVMC_ERR_UNSUPPORTED;
}

/* KS-18: two slots of one owner that differ in the key alone. */
static enum svmc_status judge_before(const struct svmc_keyslots *ks,
                                     const struct svmc_keyslot_key *key)
{
    const struct slot *s = slot_of(ks, key->before);

    if (key->before.raw == 0)
        return SVMC_OK;
    if (!s || (word_of(s) & ~WORD_RESIDENT) !=
                  ((key->before.raw & WORD_GENERATION) | SVMC_KEYSLOT_ACTIVE))
        return SVMC_ERR_STALE;
    return s->domain == key->domain && s->alg == key->alg && s->unit_bytes == key->unit_bytes
               ? SVMC_OK
               : SVMC_ERR_ARG;
}

static void fill(struct slot *s, const struct svmc_keyslot_key *key, uint32_t word)
{
    uint64_t units = key->opens        ? 0 /* KS-20 */
                     : key->units != 0 ? key->units
                                       : whole_budget(key->unit_bytes);

    s->domain = key->domain;
    s->epoch = key->epoch;
    s->cookie = key->cookie;
    s->alg = key->alg;
    s->unit_bytes = key->unit_bytes;
    s->authentic = svmc_cipher_shape_of(key->alg).tag_bytes != 0;
    for (s->unit_shift = 6; key->unit_bytes >> s->unit_shift != 1;)
        s->unit_shift++;
    s->before = key->before.raw;
    __atomic_store_n(&s->left, (uint64_t)(word >> 16) << 48 | units, __ATOMIC_RELAXED);
}

/* KS-3 to KS-5 */
enum svmc_status svmc_keyslot_load(struct svmc_keyslots *ks, const struct svmc_keyslot_key *key,
                                   svmc_key_handle *out)
{
    enum svmc_status st;
    struct slot *s;
    uint32_t n, word, flags = 0;

    if (!out)
        return SVMC_ERR_ARG;
    out->raw = 0;
    if (!ks || ks->priv.slots == 0 || !key)
        return SVMC_ERR_ARG;
    st = judge_key(ks, key);
    if (st == SVMC_OK)
        st = judge_before(ks, key);
    if (st != SVMC_OK)
        return st;
    s = find_free(ks);
    if (!s)
        return SVMC_ERR_FULL;
    n = (uint32_t)(s - slots_of(ks));
    word = word_of(s);
    __atomic_store_n(&s->word, (word & WORD_GENERATION) | SVMC_KEYSLOT_LOADING, __ATOMIC_SEQ_CST);
    if (ks->priv.kind == SVMC_KEYSLOT_SOFTWARE) {
        st = core_cipher_load(ks->priv.crypto, rooms_of(ks) + n, key->alg, key->bytes,
                              ks->priv.lanes);
        flags = WORD_RESIDENT;
    }
    if (st != SVMC_OK) {
        __atomic_store_n(&s->word, word, __ATOMIC_SEQ_CST);
        return st;
    }
    word = (word & WORD_GENERATION) + GENERATION_ONE;
    s->place = n;
    fill(s, key, word);
    __atomic_store_n(&s->word, word | SVMC_KEYSLOT_ACTIVE | flags, __ATOMIC_SEQ_CST);
    out->raw = word | (n + 1);
    return SVMC_OK;
}

/* KS-5: who had its last generation is not taken again. */
static void free_up(struct slot *s)
{
    uint32_t word = word_of(s) & WORD_GENERATION;
    uint32_t state = word == WORD_GENERATION ? SVMC_KEYSLOT_RETIRED : SVMC_KEYSLOT_WIPED;

    __atomic_store_n(&s->word, word | state, __ATOMIC_SEQ_CST);
}

/* KS-21 */
enum svmc_status svmc_keyslot_exchange(struct svmc_keyslots *ks, svmc_key_handle handle,
                                       const struct svmc_keyslot_key *key)
{
    struct slot *s = ks ? slot_of(ks, handle) : NULL;
    uint32_t word = s ? word_of(s) : 0, n;
    enum svmc_status st;

    if (!ks || !key || ks->priv.kind != SVMC_KEYSLOT_SOFTWARE || key->before.raw != 0)
        return SVMC_ERR_ARG;
    if ((word & ~WORD_RESIDENT) != ((handle.raw & WORD_GENERATION) | SVMC_KEYSLOT_ACTIVE))
        return SVMC_ERR_STALE;
    st = judge_key(ks, key);
    if (st != SVMC_OK)
        return st;
    n = (uint32_t)(s - slots_of(ks));
    __atomic_store_n(&s->word, (word & ~WORD_STATE) | SVMC_KEYSLOT_LOADING, __ATOMIC_SEQ_CST);
    keyslot_step();
    if (svmc_keyslot_is_busy(ks, n) || __atomic_load_n(refs_of(ks) + n, __ATOMIC_ACQUIRE) != 0) {
        __atomic_store_n(&s->word, word, __ATOMIC_SEQ_CST);
        return SVMC_ERR_BUSY;
    }
    svmc_keyslot_vacate(ks, s);
    st = core_cipher_load(ks->priv.crypto, rooms_of(ks) + n, key->alg, key->bytes, ks->priv.lanes);
    if (st != SVMC_OK) {
        free_up(s);
        return st;
    }
    fill(s, key, word);
    __atomic_store_n(&s->word, word, __ATOMIC_SEQ_CST);
    return SVMC_OK;
}

/* KS-19: nobody holds a slot that is free, and what was in its room is wiped. */
enum svmc_status svmc_keyslot_try(struct svmc_keyslots *ks, const struct svmc_crypto_ops *ops,
                                  uint32_t alg)
{
    struct slot *s;

    if (!ks || ks->priv.slots == 0 || ks->priv.kind != SVMC_KEYSLOT_SOFTWARE ||
        ks->priv.crypto != ops)
        return SVMC_ERR_ARG;
    s = find_free(ks);
    /* not svmc_crypto_try: hashes, which no slot has, are tried with more stack */
    return s ? svmc_core_try_cipher(ops, alg, rooms_of(ks) + (s - slots_of(ks))) : SVMC_ERR_FULL;
}

/* KS-9 to KS-12 */
enum svmc_status svmc_keyslot_revoke(struct svmc_keyslots *ks, svmc_key_handle handle,
                                     enum svmc_keyslot_revoke how)
{
    uint32_t word, state, n;
    struct slot *s;

    if (!ks || (uint32_t)how > SVMC_KEYSLOT_CUT)
        return SVMC_ERR_ARG;
    s = slot_of(ks, handle);
    word = s ? word_of(s) : 0;
    state = word & WORD_STATE;
    if (!s || ((word ^ handle.raw) & WORD_GENERATION) != 0 ||
        (state != SVMC_KEYSLOT_ACTIVE && state != SVMC_KEYSLOT_DRAINING))
        return SVMC_ERR_STALE;
    n = (uint32_t)(s - slots_of(ks));
    word = (word & ~WORD_STATE) | SVMC_KEYSLOT_DRAINING | (how == SVMC_KEYSLOT_CUT ? WORD_CUT : 0);
    __atomic_store_n(&s->word, word, __ATOMIC_SEQ_CST);
    keyslot_step();
    if (svmc_keyslot_is_busy(ks, n) ||
        ((word & WORD_CUT) == 0 && __atomic_load_n(refs_of(ks) + n, __ATOMIC_ACQUIRE) != 0))
        return SVMC_ERR_BUSY;
    svmc_keyslot_vacate(ks, s);
    free_up(s);
    return SVMC_OK;
}

/* KS-5 */
uint32_t svmc_keyslots_recycle(struct svmc_keyslots *ks)
{
    uint32_t count = 0;

    for (uint32_t n = 0; ks && n < ks->priv.slots; n++) {
        struct slot *s = slots_of(ks) + n;

        if ((word_of(s) & WORD_STATE) != SVMC_KEYSLOT_RETIRED ||
            __atomic_load_n(refs_of(ks) + n, __ATOMIC_ACQUIRE) != 0)
            continue;
        __atomic_store_n(&s->word, SVMC_KEYSLOT_FREE, __ATOMIC_SEQ_CST);
        count++;
    }
    return count;
}

/* KS-16 */
uint64_t svmc_keyslots_flush(struct svmc_keyslots *ks)
{
    return ks ? __atomic_add_fetch(&ks->priv.epoch, 1, __ATOMIC_SEQ_CST) : 0;
}

enum svmc_status svmc_keyslots_quiet(const struct svmc_keyslots *ks, uint64_t ticket)
{
    if (!ks)
        return SVMC_ERR_ARG;
    for (uint32_t i = 0; i < ks->priv.lanes; i++) {
        uint64_t marker = __atomic_load_n(&lanes_of(ks)[i].marker, __ATOMIC_SEQ_CST);

        if (marker != 0 && (int32_t)((uint32_t)(marker >> 32) - (uint32_t)ticket) < 0)
            return SVMC_ERR_BUSY;
    }
    return SVMC_OK;
}

/* ---- holders ---------------------------------------------------------------------------------*/

static enum svmc_status hold(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                             bool has_ref, struct svmc_keyslot_use *use)
{
    enum svmc_status st;
    struct slot *s;

    if (!use)
        return SVMC_ERR_ARG;
    memset(use, 0, sizeof *use);
    if (!ks || lane >= ks->priv.lanes)
        return SVMC_ERR_ARG;
    st = slot_hold(ks, core_clamp(lane, ks->priv.lanes), handle, has_ref, &s);
    if (st != SVMC_OK)
        return st;
    use->room = rooms_of(ks) + s->place;
    use->domain = s->domain;
    use->epoch = s->epoch;
    use->place = s->place;
    use->alg = s->alg;
    use->unit_bytes = s->unit_bytes;
    return SVMC_OK;
}

enum svmc_status svmc_keyslot_hold(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle,
                                   struct svmc_keyslot_use *use)
{
    return hold(ks, lane, handle, false, use);
}

enum svmc_status svmc_keyslot_hold_ref(struct svmc_keyslots *ks, uint32_t lane,
                                       svmc_key_handle handle, struct svmc_keyslot_use *use)
{
    return hold(ks, lane, handle, true, use);
}

/* KS-8 */
void svmc_keyslot_release(struct svmc_keyslots *ks, uint32_t lane)
{
    if (ks && lane < ks->priv.lanes)
        slot_release(ks, core_clamp(lane, ks->priv.lanes));
}

/* KS-11: counted while the lane holds the slot, so that control sees one of the two. */
enum svmc_status svmc_keyslot_count(struct svmc_keyslots *ks, const struct slot *s)
{
    uint32_t *refs = refs_of(ks) + (s - slots_of(ks));

    if (__atomic_add_fetch(refs, 1, __ATOMIC_ACQ_REL) <= REFS_MAX)
        return SVMC_OK;
    __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL);
    return SVMC_ERR_FULL;
}

enum svmc_status svmc_keyslot_ref(struct svmc_keyslots *ks, uint32_t lane, svmc_key_handle handle)
{
    enum svmc_status st;
    struct slot *s;

    if (!ks || lane >= ks->priv.lanes)
        return SVMC_ERR_ARG;
    lane = core_clamp(lane, ks->priv.lanes);
    st = slot_hold(ks, lane, handle, false, &s);
    if (st != SVMC_OK)
        return st;
    st = svmc_keyslot_count(ks, s);
    slot_release(ks, lane);
    return st;
}

enum svmc_status svmc_keyslot_unref(struct svmc_keyslots *ks, svmc_key_handle handle)
{
    struct slot *s = ks ? slot_of(ks, handle) : NULL;
    uint32_t word = s ? word_of(s) : 0, state = word & WORD_STATE;
    uint32_t *refs;

    if (!s || ((word ^ handle.raw) & WORD_GENERATION) != 0)
        return SVMC_ERR_ARG;
    refs = refs_of(ks) + (s - slots_of(ks));
    if (__atomic_load_n(refs, __ATOMIC_RELAXED) == 0)
        return SVMC_ERR_ARG;
    __atomic_sub_fetch(refs, 1, __ATOMIC_RELEASE); /* from now on it may be another's */
    return (word & WORD_CUT) == 0 &&
                   (state == SVMC_KEYSLOT_ACTIVE || state == SVMC_KEYSLOT_DRAINING)
               ? SVMC_OK
               : SVMC_ERR_STALE;
}

uint32_t svmc_keyslot_state(const struct svmc_keyslots *ks, svmc_key_handle handle)
{
    const struct slot *s = ks ? slot_of(ks, handle) : NULL;
    uint32_t word = s ? word_of(s) : 0;

    return s && ((word ^ handle.raw) & WORD_GENERATION) == 0 ? word & WORD_STATE
                                                             : SVMC_KEYSLOT_FREE;
}
