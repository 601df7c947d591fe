/* SPDX-License-Identifier: MIT */
/**
 * The journal: sealed sectors that are newer than the tree, and the map that says which. A commit
 * writes the map and then the root, which is one block: until it is there, and anchored, nothing
 * that the last root names was touched. A checkpoint copies the journal to where its sectors
 * belong, makes a tree of them, and commits an empty journal.
 */
#include "disk_private.h"

/* DK-7: a root. What is sealed lies between the entry that seals it and the rest, which is zero. */
enum {
    AT_VERSION = 4,
    AT_GENERATION = 8,
    AT_SEAL = 16,
    AT_TREE = 64, /* the entry of the tree's root */
    AT_MAP = 128, /* the entry of the map; empty: the journal is */
    AT_COUNT = 192,
    AT_USED = 196,
    AT_END = 200
};
#define PAYLOAD_BYTES (uint32_t)(AT_END - AT_TREE)

static const uint8_t magic[AT_VERSION] = { 'S', 'V', 'M', 'R' };
static const uint8_t none[ENTRY_BYTES]; /* the entry of nothing */

_Static_assert(AT_SEAL + SEAL_BYTES == AT_TREE, "the seal ends where the payload begins");
_Static_assert(AT_END <= ROOT_BYTES, "a root is one block");

static uint64_t root_at(uint64_t generation)
{
    return (1 + (generation & 1)) * NODE_BYTES;
}

static uint64_t map_bytes(const struct svmc_disk *d)
{
    return ((uint64_t)d->priv.journal * ENTRY_BYTES + NODE_BYTES - 1) / NODE_BYTES * NODE_BYTES;
}

static uint64_t map_at(const struct svmc_disk *d, uint64_t generation)
{
    return d->priv.map_at + (generation & 1) * map_bytes(d);
}

static uint64_t journal_at(const struct svmc_disk *d, uint64_t place)
{
    return d->priv.journal_at + place * SVMC_DISK_SECTOR;
}

/* So many entries as whole blocks. */
static size_t block_bytes(uint32_t count)
{
    return (size_t)(count + 7) / 8 * SVMC_DISK_BLOCK;
}

/* ---- which sectors are in it -----------------------------------------------------------------*/

static uint8_t *entry_at(const struct svmc_disk *d, uint32_t i)
{
    return d->priv.map + (size_t)i * ENTRY_BYTES;
}

/* The cell of priv.find that has the sector's entry + 1, or 0 where it would go: there are twice
   as many cells as entries. */
static uint32_t cell_of(const struct svmc_disk *d, uint64_t sector)
{
    uint32_t cell = (uint32_t)((sector * 0x9e3779b97f4a7c15u) >> 40) & d->priv.find_mask;

    while (d->priv.find[cell] != 0 &&
           core_load_le64(entry_at(d, d->priv.find[cell] - 1u) + ENTRY_NUMBER) != sector)
        cell = (cell + 1) & d->priv.find_mask;
    return cell;
}

const uint8_t *svmc_disk_find_entry(const struct svmc_disk *d, uint64_t sector)
{
    uint32_t i = d->priv.find[cell_of(d, sector)]; /* clamp: a cell is masked */

    return i == 0 ? NULL : entry_at(d, i - 1);
}

static void empty(struct svmc_disk *d)
{
    memset(d->priv.find, 0, ((size_t)d->priv.find_mask + 1) * sizeof *d->priv.find);
    d->priv.used = d->priv.count = 0;
}

/* ---- roots -----------------------------------------------------------------------------------*/

/*
 * DK-14: what lies before it is there to stay, then the root, then its anchor. Once the root may be
 * there nobody knows which one counts, until the disk is opened again.
 */
static enum svmc_disk_reason write_root(struct svmc_disk *d, const uint8_t tree[ENTRY_BYTES],
                                        const uint8_t map[ENTRY_BYTES], uint32_t count)
{
    const struct name name = { KIND_ROOT, 0, d->priv.generation + 1 };
    const struct svmc_disk_store *s = d->priv.store;
    uint8_t *root = d->priv.work;
    enum svmc_disk_reason why;

    memset(root, 0, ROOT_BYTES);
    memcpy(root + AT_TREE, tree, ENTRY_BYTES);
    memcpy(root + AT_MAP, map, ENTRY_BYTES);
    core_store_le32(root + AT_COUNT, count);
    core_store_le32(root + AT_USED, count == 0 ? 0 : d->priv.used);
    why = svmc_disk_seal_unit(d, &name, root + AT_TREE, PAYLOAD_BYTES);
    if (why != SVMC_DISK_NONE)
        return why;
    memcpy(root, magic, sizeof magic);
    root[AT_VERSION] = VERSION;
    core_store_le64(root + AT_GENERATION, name.number);
    memcpy(root + AT_SEAL, d->priv.made, SEAL_BYTES);
    why = store_flush(d);
    if (why != SVMC_DISK_NONE)
        return why;
    d->priv.doubt = 1;
    why = store_write(d, root_at(name.number), root, ROOT_BYTES);
    if (why == SVMC_DISK_NONE)
        why = store_flush(d);
    if (why != SVMC_DISK_NONE)
        return why;
    d->priv.anchor = core_load_le64(d->priv.made + ENTRY_TAG);
    if (d->priv.anchored && s->anchor(s->ctx, d->priv.anchor) != SVMC_OK)
        return SVMC_DISK_ANCHOR;
    d->priv.doubt = 0;
    d->priv.generation = name.number;
    return SVMC_DISK_NONE;
}

enum svmc_disk_reason svmc_disk_begin_roots(struct svmc_disk *d)
{
    return write_root(d, none, none, 0);
}

/* DK-14 */
enum svmc_disk_reason svmc_disk_commit(struct svmc_disk *d)
{
    const struct name name = { KIND_MAP, 0, d->priv.generation + 1 };
    size_t n = block_bytes(d->priv.count);
    enum svmc_disk_reason why;

    if (!d->priv.dirty)
        return SVMC_DISK_NONE;
    memset(d->priv.update, 0, n);
    memcpy(d->priv.update, d->priv.map, (size_t)d->priv.count * ENTRY_BYTES);
    why = svmc_disk_seal_unit(d, &name, d->priv.update, n);
    if (why == SVMC_DISK_NONE)
        why = store_write(d, map_at(d, name.number), d->priv.update, n);
    if (why == SVMC_DISK_NONE)
        why = write_root(d, d->priv.root, d->priv.made, d->priv.count);
    if (why == SVMC_DISK_NONE)
        d->priv.dirty = 0;
    return why;
}

/* The next sector of the journal to where it belongs, as it is sealed. */
static enum svmc_disk_reason copy_back(struct svmc_disk *d)
{
    const uint8_t *entry = entry_at(d, d->priv.step.copied);
    uint8_t *update = d->priv.update + (size_t)d->priv.step.copied * ENTRY_BYTES;
    uint64_t to = d->priv.data_at + core_load_le64(entry + ENTRY_NUMBER) * SVMC_DISK_SECTOR;
    enum svmc_disk_reason why;

    why = store_read(d, journal_at(d, core_load_le64(entry + ENTRY_WHERE)), d->priv.bounce,
                     SVMC_DISK_SECTOR);
    if (why == SVMC_DISK_NONE)
        why = store_write(d, to, d->priv.bounce, SVMC_DISK_SECTOR);
    if (why != SVMC_DISK_NONE)
        return why;
    memcpy(update, entry, ENTRY_BYTES);
    memset(update + ENTRY_WHERE, 0, ENTRY_NUMBER - ENTRY_WHERE);
    d->priv.step.copied++;
    return SVMC_DISK_NONE;
}

/*
 * DK-13: nothing is dirty. The old root goes on to read the journal, so what lies where its sectors
 * belong may be written over. DK-20: it goes on at priv.step, also after an error, for until it is
 * done nothing else is written.
 */
enum svmc_disk_reason svmc_disk_checkpoint(struct svmc_disk *d)
{
    enum svmc_disk_reason why;

    while (d->priv.step.copied < d->priv.count) {
        why = copy_back(d);
        if (why != SVMC_DISK_NONE)
            return why;
    }
    if (!d->priv.step.is_on) {
        svmc_disk_sort_updates(d, d->priv.count);
        d->priv.step.count = d->priv.count;
        d->priv.step.is_on = 1;
    }
    why = svmc_disk_update_tree(d);
    if (why == SVMC_DISK_NONE)
        why = write_root(d, d->priv.update, none, 0);
    if (why != SVMC_DISK_NONE)
        return why;
    memcpy(d->priv.root, d->priv.update, ENTRY_BYTES);
    memset(&d->priv.step, 0, sizeof d->priv.step);
    svmc_disk_forget_nodes(d);
    empty(d);
    return SVMC_DISK_NONE;
}

bool svmc_disk_is_full(const struct svmc_disk *d)
{
    return d->priv.used == d->priv.journal;
}

/* ---- writing ---------------------------------------------------------------------------------*/

/* DK-11: the guest's bytes are read once. DK-12: places are taken one after the other, so that what
   the last root names stays; a place whose write failed is taken again. */
enum svmc_disk_reason svmc_disk_append(struct svmc_disk *d, uint64_t sector, const void *in)
{
    const struct name name = { KIND_SECTOR, 0, sector };
    enum svmc_disk_reason why;
    uint8_t *entry = d->priv.made;
    uint32_t cell;

    memcpy(d->priv.bounce, in, SVMC_DISK_SECTOR);
    why = svmc_disk_seal_unit(d, &name, d->priv.bounce, SVMC_DISK_SECTOR);
    if (why == SVMC_DISK_NONE)
        why = store_write(d, journal_at(d, d->priv.used), d->priv.bounce, SVMC_DISK_SECTOR);
    if (why != SVMC_DISK_NONE)
        return why;
    core_store_le64(entry + ENTRY_WHERE, d->priv.used);
    core_store_le64(entry + ENTRY_NUMBER, sector);
    cell = cell_of(d, sector);
    if (d->priv.find[cell] == 0)
        d->priv.find[cell] = (uint16_t)++d->priv.count;
    memcpy(entry_at(d, d->priv.find[cell] - 1u), entry, ENTRY_BYTES);
    d->priv.used++;
    d->priv.dirty = 1;
    return SVMC_DISK_NONE;
}

/* ---- opening ---------------------------------------------------------------------------------*/

static bool is_zero(const uint8_t *at, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= at[i];
    return any == 0;
}

/* A root of this slot, opened in priv.work. */
static enum svmc_disk_reason read_root(struct svmc_disk *d, uint32_t slot, struct name *name)
{
    uint8_t *root = d->priv.work;
    enum svmc_disk_reason why;

    why = store_read(d, root_at(slot), root, ROOT_BYTES);
    if (why != SVMC_DISK_NONE)
        return why;
    *name = (struct name){ KIND_ROOT, 0, core_load_le64(root + AT_GENERATION) };
    if (memcmp(root, magic, sizeof magic) != 0 || root[AT_VERSION] != VERSION ||
        !is_zero(root + AT_VERSION + 1, AT_GENERATION - AT_VERSION - 1) ||
        !is_zero(root + AT_END, ROOT_BYTES - AT_END) || (name->number & 1) != slot)
        return SVMC_DISK_NODE;
    if (!svmc_seal_is_tried(d->priv.sealer, root[AT_SEAL + ENTRY_ALG]))
        return SVMC_DISK_UNKNOWN;
    return svmc_disk_open_unit(d, name, root + AT_TREE, PAYLOAD_BYTES, root + AT_SEAL);
}

/* DK-8: the map of the root that counts. It is ours, and looked at all the same. */
static enum svmc_disk_reason load_map(struct svmc_disk *d, const uint8_t *map, uint32_t count)
{
    const struct name name = { KIND_MAP, 0, d->priv.generation };
    enum svmc_disk_reason why = SVMC_DISK_NONE;
    size_t n = block_bytes(count);

    empty(d);
    if (count > d->priv.journal)
        return SVMC_DISK_NODE;
    if (count > 0)
        why = store_read(d, map_at(d, name.number), d->priv.map, n);
    if (count > 0 && why == SVMC_DISK_NONE)
        why = svmc_disk_open_unit(d, &name, d->priv.map, n, map);
    for (uint32_t i = 0; i < count && why == SVMC_DISK_NONE; i++) {
        const uint64_t sector = core_load_le64(entry_at(d, i) + ENTRY_NUMBER);
        uint32_t cell = cell_of(d, sector);

        if (sector >= d->priv.sectors || d->priv.find[cell] != 0 ||
            core_load_le64(entry_at(d, i) + ENTRY_WHERE) >= d->priv.journal)
            return SVMC_DISK_NODE;
        d->priv.find[cell] = (uint16_t)(i + 1);
        d->priv.count = i + 1;
    }
    return why;
}

/* DK-7: with an anchor the root that it names, and no other; without the newest. */
enum svmc_disk_reason svmc_disk_load_root(struct svmc_disk *d, bool anchored, uint64_t anchor)
{
    uint8_t map[ENTRY_BYTES] = { 0 };
    uint32_t count = 0, used = 0, whole = 0;
    enum svmc_disk_reason why, other = SVMC_DISK_NONE;
    struct name name;
    uint64_t value;

    d->priv.generation = 0; /* DK-20: from the beginning, where a subkey was wanted */
    for (uint32_t slot = 0; slot < 2; slot++) {
        const uint8_t *root = d->priv.work;

        why = read_root(d, slot, &name);
        if (why == WANT)
            return why;
        if (why != SVMC_DISK_NONE && why != SVMC_DISK_NODE)
            other = why;
        if (why != SVMC_DISK_NONE)
            continue;
        whole = 1;
        value = core_load_le64(root + AT_SEAL + ENTRY_TAG);
        if (anchored ? value != anchor : name.number <= d->priv.generation)
            continue;
        d->priv.generation = name.number;
        d->priv.anchor = value;
        memcpy(d->priv.root, root + AT_TREE, ENTRY_BYTES);
        memcpy(map, root + AT_MAP, sizeof map);
        count = core_load_le32(root + AT_COUNT);
        used = core_load_le32(root + AT_USED);
    }
    if (other != SVMC_DISK_NONE && (d->priv.generation == 0 || !anchored))
        return other; /* it may be the newest */
    if (d->priv.generation == 0)
        return whole ? SVMC_DISK_ROLLBACK : SVMC_DISK_LOST;
    if (used > d->priv.journal || used < count)
        return SVMC_DISK_NODE;
    why = load_map(d, map, count);
    d->priv.used = used;
    return why;
}
