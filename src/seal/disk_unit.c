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

#define WANT_WRITER 1u
#define WANT_READER 2u

/* Whether it is the subkey that an entry names. */
static bool is_of(const struct svmc_seal_use *use, const uint8_t *entry)
{
    return use->slot.raw != 0 && use->alg == entry[ENTRY_ALG] &&
           use->id.index == core_load_le64(entry + ENTRY_INDEX) &&
           memcmp(use->id.epoch, entry + ENTRY_EPOCH, SVMC_EPOCH_BYTES) == 0;
}

static const struct svmc_seal_use *find_use(const struct svmc_disk *d, const uint8_t *entry)
{
    if (is_of(&d->priv.writer, entry))
        return &d->priv.writer;
    for (uint32_t i = 0; i < SVMC_DISK_READERS; i++)
        if (is_of(d->priv.reader + i, entry))
            return d->priv.reader + i;
    return NULL;
}

/* The readers are in a ring; the one that came first goes. */
static void next_reader(struct svmc_disk *d)
{
    d->priv.turn = (d->priv.turn + 1) % SVMC_DISK_READERS;
}

static enum svmc_seal_reason drop_reader(struct svmc_disk *d)
{
    struct svmc_seal_use *use;

    next_reader(d);
    use = d->priv.reader + d->priv.turn;
    if (use->slot.raw == 0 || svmc_seal_end(d->priv.sealer, use) == SVMC_OK)
        return SVMC_SEAL_NONE;
    return SVMC_SEAL_SLOTS;
}

/*
 * DK-18: a subkey that nobody else has (SE-5). So no two sessions, of this disk or another, seal
 * with one, though they be in one epoch: whatever a cut or an older store has made of the versions,
 * no nonce comes twice.
 */
static enum svmc_seal_reason take(struct svmc_disk *d)
{
    enum svmc_seal_reason why;

    if (d->priv.want == WANT_WRITER)
        return svmc_seal_begin(d->priv.sealer, SVMC_KEY_DISK, 0, 0, &d->priv.writer);
    why = svmc_seal_find_tried(d->priv.sealer, SVMC_KEY_DISK, d->priv.want_alg, &d->priv.want_id,
                               d->priv.reader + d->priv.turn);
    return why == SVMC_SEAL_BUSY ? SVMC_SEAL_SLOTS : why;
}

/* DK-19: where the pool has no slot left a reader gives one up: to the one that is wanted, in its
   slot, so that reading takes no generations (KS-5), however often readers change. */
enum svmc_disk_reason svmc_disk_bring(struct svmc_disk *d)
{
    const bool writer = d->priv.want == WANT_WRITER;
    enum svmc_seal_reason why = SVMC_SEAL_NONE;

    if (!writer)
        next_reader(d);
    else if (d->priv.writer.slot.raw != 0 &&
             svmc_seal_end(d->priv.sealer, &d->priv.writer) != SVMC_OK)
        why = SVMC_SEAL_SLOTS;
    if (why == SVMC_SEAL_NONE)
        why = take(d);
    for (uint32_t i = 0; i < SVMC_DISK_READERS && why == SVMC_SEAL_SLOTS; i++) {
        why = SVMC_SEAL_NONE;
        if (writer)
            why = drop_reader(d);
        else
            next_reader(d);
        if (why == SVMC_SEAL_NONE)
            why = take(d);
    }
    d->priv.fresh = writer;
    d->priv.want = 0;
    return because(d, why);
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
static void describe(struct svmc_disk *d, const struct name *name)
{
    uint8_t *ad = d->priv.ad;

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
static enum svmc_disk_reason seal(struct svmc_disk *d, struct svmc_sealed_unit *unit)
{
    enum svmc_seal_reason why = SVMC_SEAL_BUDGET;

    if (d->priv.writer.slot.raw != 0) {
        if (d->priv.version == SVMC_SEAL_VERSION_MAX)
            return because(d, SVMC_SEAL_BUDGET);
        unit->version = ++d->priv.version;
        why = svmc_seal_unit(d->priv.sealer, d->priv.lane, &d->priv.writer, unit);
        if (d->priv.fresh || (why != SVMC_SEAL_BUDGET && why != SVMC_SEAL_EPOCH)) {
            d->priv.fresh = 0;
            return because(d, why);
        }
    }
    d->priv.want = WANT_WRITER; /* another subkey does */
    return WANT;
}

static void fill(const struct svmc_disk *d, uint64_t version, uint8_t *entry)
{
    core_store_le64(entry + ENTRY_VERSION, version);
    entry[ENTRY_ALG] = (uint8_t)d->priv.writer.alg;
    memcpy(entry + ENTRY_EPOCH, d->priv.writer.id.epoch, SVMC_EPOCH_BYTES);
    core_store_le64(entry + ENTRY_INDEX, d->priv.writer.id.index);
}

enum svmc_disk_reason svmc_disk_seal_unit(struct svmc_disk *d, const struct name *name, void *bytes,
                                          size_t n)
{
    struct svmc_sealed_unit unit = {
        .number = number_of(name),
        .ad = d->priv.ad,
        .ad_bytes = AD_BYTES,
        .in = bytes,
        .out = bytes,
        .bytes = n,
        .tag = d->priv.made + ENTRY_TAG,
    };
    enum svmc_disk_reason why;

    memset(d->priv.made, 0, ENTRY_BYTES);
    describe(d, name);
    why = seal(d, &unit);
    if (why == SVMC_DISK_NONE) {
        fill(d, unit.version, d->priv.made);
    } else {
        memset(d->priv.made, 0, ENTRY_BYTES);
        memset(bytes, 0, n);
    }
    return why;
}

enum svmc_disk_reason svmc_disk_seal_header(struct svmc_disk *d, const uint8_t *header, size_t n,
                                            uint8_t entry[SEAL_BYTES])
{
    struct svmc_sealed_unit unit = { .ad = header, .ad_bytes = n, .tag = entry + ENTRY_TAG };
    enum svmc_disk_reason why = seal(d, &unit);

    if (why == SVMC_DISK_NONE)
        fill(d, unit.version, entry);
    return why;
}

/* What an entry says goes into the unit; the tag is not written by opening. */
static enum svmc_disk_reason open_entry(struct svmc_disk *d, struct svmc_sealed_unit *unit,
                                        const uint8_t *entry, enum svmc_disk_reason changed)
{
    const struct svmc_seal_use *use = find_use(d, entry);
    enum svmc_seal_reason why;

    unit->version = core_load_le64(entry + ENTRY_VERSION) & SVMC_SEAL_VERSION_MAX;
    if (unit->version == 0)
        return changed; /* nothing was sealed so */
    if (!use) {
        d->priv.want = WANT_READER;
        d->priv.want_alg = entry[ENTRY_ALG];
        d->priv.want_id.index = core_load_le64(entry + ENTRY_INDEX);
        memcpy(d->priv.want_id.epoch, entry + ENTRY_EPOCH, SVMC_EPOCH_BYTES);
        return WANT;
    }
    memcpy(d->priv.tag, entry + ENTRY_TAG, sizeof d->priv.tag);
    unit->tag = d->priv.tag;
    why = svmc_open_unit(d->priv.sealer, d->priv.lane, use, unit);
    return why == SVMC_SEAL_TAG ? changed : because(d, why);
}

enum svmc_disk_reason svmc_disk_open_unit(struct svmc_disk *d, const struct name *name, void *bytes,
                                          size_t n, const uint8_t *entry)
{
    struct svmc_sealed_unit unit = {
        .number = number_of(name),
        .ad = d->priv.ad,
        .ad_bytes = AD_BYTES,
        .in = bytes,
        .out = bytes,
        .bytes = n,
    };
    enum svmc_disk_reason why;

    describe(d, name);
    why = open_entry(d, &unit, entry, name->kind == KIND_SECTOR ? SVMC_DISK_DATA : SVMC_DISK_NODE);
    if (why != SVMC_DISK_NONE)
        memset(bytes, 0, n);
    return why;
}

enum svmc_disk_reason svmc_disk_open_header(struct svmc_disk *d, const uint8_t *header, size_t n,
                                            const uint8_t entry[SEAL_BYTES])
{
    struct svmc_sealed_unit unit = { .ad = header, .ad_bytes = n };

    return open_entry(d, &unit, entry, SVMC_DISK_CHANGED);
}
