/* SPDX-License-Identifier: MIT */
/** What a disk seals: names, versions, and the subkeys that this session and earlier ones took. */
#include "disk_private.h"

#define AD_BYTES 32u

_Static_assert(AD_BYTES <= SVMC_AD_BYTES_MAX - 32u, "a unit has room for it");

static enum svmc_disk_reason because(struct svmc_disk *d, enum svmc_seal_reason why)
{
    if (why == SVMC_SEAL_NONE)
        return SVMC_DISK_NONE; /* the reason of an earlier one stays */
    d->priv.seal = why;
    return SVMC_DISK_SEAL;
}

enum svmc_disk_reason svmc_disk_may(struct svmc_disk *d, bool seal, uint64_t first, uint64_t count)
{
    return because(d, svmc_seal_may(d->priv.sealer, SVMC_KEY_DISK, seal, first, count));
}

/* ---- subkeys ---------------------------------------------------------------------------------*/

static bool is_of(const struct svmc_seal_use *use, uint32_t alg, const struct svmc_subkey_id *id)
{
    return use->slot.raw != 0 && use->alg == alg && use->id.index == id->index &&
           memcmp(use->id.epoch, id->epoch, SVMC_EPOCH_BYTES) == 0;
}

/* The readers are in a ring; the one that came first goes. */
static enum svmc_seal_reason drop_reader(struct svmc_disk *d)
{
    struct svmc_seal_use *use;

    d->priv.turn = (d->priv.turn + 1) % SVMC_DISK_READERS;
    use = d->priv.reader + d->priv.turn;
    if (use->slot.raw == 0 || svmc_seal_end(d->priv.sealer, use) == SVMC_OK)
        return SVMC_SEAL_NONE;
    return SVMC_SEAL_SLOTS;
}

/* The subkey that an entry names. Where the pool has no slot left, a reader gives one up. */
static enum svmc_seal_reason find_use(struct svmc_disk *d, uint32_t alg,
                                      const struct svmc_subkey_id *id,
                                      const struct svmc_seal_use **out)
{
    enum svmc_seal_reason why = SVMC_SEAL_NONE;

    *out = &d->priv.writer;
    if (is_of(*out, alg, id))
        return SVMC_SEAL_NONE;
    for (uint32_t i = 0; i < SVMC_DISK_READERS; i++) {
        *out = d->priv.reader + i;
        if (is_of(*out, alg, id))
            return SVMC_SEAL_NONE;
    }
    for (uint32_t i = 0; i <= SVMC_DISK_READERS; i++) {
        why = drop_reader(d);
        if (why == SVMC_SEAL_NONE)
            why = svmc_seal_find(d->priv.sealer, SVMC_KEY_DISK, alg, id,
                                 d->priv.reader + d->priv.turn);
        *out = d->priv.reader + d->priv.turn;
        if (why != SVMC_SEAL_SLOTS)
            break;
    }
    return why;
}

/*
 * DK-18: a subkey that nobody else has (SE-5). So no two sessions, of this disk or another, seal
 * with one, though they be in one epoch: whatever a cut or an older store has made of the versions,
 * no nonce comes twice.
 */
static enum svmc_seal_reason take_subkey(struct svmc_disk *d)
{
    return svmc_seal_begin(d->priv.sealer, SVMC_KEY_DISK, 0, 0, &d->priv.writer);
}

static enum svmc_seal_reason begin_use(struct svmc_disk *d)
{
    enum svmc_seal_reason why;

    if (d->priv.writer.slot.raw != 0 && svmc_seal_end(d->priv.sealer, &d->priv.writer) != SVMC_OK)
        return SVMC_SEAL_SLOTS;
    why = take_subkey(d);
    for (uint32_t i = 0; i < SVMC_DISK_READERS && why == SVMC_SEAL_SLOTS; i++) {
        if (drop_reader(d) == SVMC_SEAL_NONE)
            why = take_subkey(d);
    }
    return why;
}

enum svmc_status svmc_disk_end_units(struct svmc_disk *d)
{
    enum svmc_status st = SVMC_OK;

    if (d->priv.writer.slot.raw != 0)
        st = svmc_seal_end(d->priv.sealer, &d->priv.writer);
    for (uint32_t i = 0; i < SVMC_DISK_READERS && st == SVMC_OK; i++) {
        if (d->priv.reader[i].slot.raw != 0)
            st = svmc_seal_end(d->priv.sealer, d->priv.reader + i);
    }
    return st;
}

/* ---- units -----------------------------------------------------------------------------------*/

/* DK-17: which disk, and what of it. */
static void describe(const struct svmc_disk *d, const struct name *name, uint8_t ad[AD_BYTES])
{
    memset(ad, 0, AD_BYTES);
    memcpy(ad, d->priv.id, sizeof d->priv.id);
    ad[16] = name->kind;
    ad[17] = name->level;
    core_store_le64(ad + 24, name->number);
}

static uint64_t number_of(const struct name *name)
{
    return name->kind == KIND_SECTOR || name->kind == KIND_NODE ? name->number : 0;
}

/* DK-18: a version is used up whatever comes of it. */
static enum svmc_seal_reason seal(struct svmc_disk *d, struct svmc_sealed_unit *unit)
{
    enum svmc_seal_reason why = SVMC_SEAL_NONE;

    for (uint32_t fresh = 0; fresh < 2; fresh++) {
        if (d->priv.writer.slot.raw == 0 || fresh == 1)
            why = begin_use(d);
        if (why != SVMC_SEAL_NONE)
            return why;
        if (d->priv.version == SVMC_SEAL_VERSION_MAX)
            return SVMC_SEAL_BUDGET;
        unit->version = ++d->priv.version;
        why = svmc_seal_unit(d->priv.sealer, d->priv.lane, &d->priv.writer, unit);
        if (why != SVMC_SEAL_BUDGET && why != SVMC_SEAL_EPOCH)
            break; /* else another subkey does */
    }
    return why;
}

static void fill(const struct svmc_disk *d, uint64_t version, uint8_t *entry)
{
    core_store_le64(entry + ENTRY_VERSION, version);
    entry[ENTRY_ALG] = (uint8_t)d->priv.writer.alg;
    memcpy(entry + ENTRY_EPOCH, d->priv.writer.id.epoch, SVMC_EPOCH_BYTES);
    core_store_le64(entry + ENTRY_INDEX, d->priv.writer.id.index);
}

enum svmc_disk_reason svmc_disk_seal_unit(struct svmc_disk *d, const struct name *name, void *bytes,
                                          size_t n, uint8_t entry[ENTRY_BYTES])
{
    uint8_t ad[AD_BYTES];
    struct svmc_sealed_unit unit = {
        .number = number_of(name),
        .ad = ad,
        .ad_bytes = sizeof ad,
        .in = bytes,
        .out = bytes,
        .bytes = n,
        .tag = entry + ENTRY_TAG,
    };
    enum svmc_seal_reason why;

    memset(entry, 0, ENTRY_BYTES);
    describe(d, name, ad);
    why = seal(d, &unit);
    if (why == SVMC_SEAL_NONE) {
        fill(d, unit.version, entry);
    } else {
        memset(entry, 0, ENTRY_BYTES);
        memset(bytes, 0, n);
    }
    return because(d, why);
}

enum svmc_disk_reason svmc_disk_seal_header(struct svmc_disk *d, const uint8_t *header, size_t n,
                                            uint8_t entry[SEAL_BYTES])
{
    struct svmc_sealed_unit unit = { .ad = header, .ad_bytes = n, .tag = entry + ENTRY_TAG };
    enum svmc_seal_reason why = seal(d, &unit);

    if (why == SVMC_SEAL_NONE)
        fill(d, unit.version, entry);
    return because(d, why);
}

/* What an entry says goes into the unit; the tag is not written by opening. */
static enum svmc_seal_reason open_entry(struct svmc_disk *d, struct svmc_sealed_unit *unit,
                                        const uint8_t *entry)
{
    struct svmc_subkey_id id = { .index = core_load_le64(entry + ENTRY_INDEX) };
    const struct svmc_seal_use *use;
    enum svmc_seal_reason why;
    uint8_t tag[SVMC_TAG_BYTES];

    memcpy(id.epoch, entry + ENTRY_EPOCH, sizeof id.epoch);
    memcpy(tag, entry + ENTRY_TAG, sizeof tag);
    unit->version = core_load_le64(entry + ENTRY_VERSION) & SVMC_SEAL_VERSION_MAX;
    if (unit->version == 0)
        return SVMC_SEAL_TAG; /* nothing was sealed so */
    why = find_use(d, entry[ENTRY_ALG], &id, &use);
    unit->tag = tag;
    if (why == SVMC_SEAL_NONE)
        why = svmc_open_unit(d->priv.sealer, d->priv.lane, use, unit);
    unit->tag = NULL;
    return why;
}

enum svmc_disk_reason svmc_disk_open_unit(struct svmc_disk *d, const struct name *name, void *bytes,
                                          size_t n, const uint8_t *entry)
{
    uint8_t ad[AD_BYTES];
    struct svmc_sealed_unit unit = {
        .number = number_of(name),
        .ad = ad,
        .ad_bytes = sizeof ad,
        .in = bytes,
        .out = bytes,
        .bytes = n,
    };
    enum svmc_seal_reason why;

    describe(d, name, ad);
    why = open_entry(d, &unit, entry);
    if (why != SVMC_SEAL_NONE)
        memset(bytes, 0, n);
    if (why == SVMC_SEAL_TAG)
        return name->kind == KIND_SECTOR ? SVMC_DISK_DATA : SVMC_DISK_NODE;
    return because(d, why);
}

enum svmc_disk_reason svmc_disk_open_header(struct svmc_disk *d, const uint8_t *header, size_t n,
                                            const uint8_t entry[SEAL_BYTES])
{
    struct svmc_sealed_unit unit = { .ad = header, .ad_bytes = n };
    enum svmc_seal_reason why = open_entry(d, &unit, entry);

    return why == SVMC_SEAL_TAG ? SVMC_DISK_CHANGED : because(d, why);
}
