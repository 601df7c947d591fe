/* SPDX-License-Identifier: MIT */
/**
 * The tree over a disk's sectors: a node has an entry for each of 64 sectors or nodes below, and is
 * sealed itself, so that the root's entry stands for all of them. A node has two places: the new
 * one is written where the old one is not.
 */
#include "disk_private.h"

static uint64_t nodes_of(uint64_t below)
{
    return (below + NODE_ENTRIES - 1) >> NODE_SHIFT;
}

uint64_t svmc_disk_lay_tree(struct svmc_disk *d, uint64_t at)
{
    uint64_t nodes = d->priv.sectors;

    d->priv.levels = 0;
    do { /* 7 levels at most */
        nodes = nodes_of(nodes);
        d->priv.node_at[core_clamp(d->priv.levels, LEVELS_MAX)] = at;
        d->priv.levels++;
        at += nodes * 2 * NODE_BYTES;
    } while (nodes > 1);
    return at;
}

static uint64_t place_of(const struct svmc_disk *d, uint32_t level, uint64_t index, uint32_t where)
{
    return d->priv.node_at[core_clamp(level, LEVELS_MAX)] + (2 * index + where) * NODE_BYTES;
}

/* ---- nodes that are remembered ---------------------------------------------------------------*/

static uint32_t line_number(const struct svmc_disk *d, uint32_t level, uint64_t index)
{
    return (uint32_t)((index ^ (uint64_t)level * 0x9e3779b9u) % d->priv.nodes);
}

static uint8_t *bytes_of(const struct svmc_disk *d, uint32_t n)
{
    return d->priv.node + (size_t)n * NODE_BYTES;
}

/* A node's bytes, if they are remembered, and where it is. */
static const uint8_t *recall(const struct svmc_disk *d, uint32_t level, uint64_t index,
                             uint32_t *where)
{
    uint32_t n = line_number(d, level, index);
    const struct line *line = (const struct line *)d->priv.line + n;

    if (!line->is_full || line->level != level || line->index != index)
        return NULL;
    *where = line->where;
    return bytes_of(d, n);
}

void svmc_disk_forget_nodes(struct svmc_disk *d)
{
    memset(d->priv.line, 0, d->priv.nodes * sizeof(struct line));
}

/* DK-9: a node is what its parent's entry says, or nothing. */
static enum svmc_disk_reason load(struct svmc_disk *d, uint32_t level, uint64_t index,
                                  const uint8_t entry[ENTRY_BYTES])
{
    uint32_t n = line_number(d, level, index);
    struct line *line = (struct line *)d->priv.line + n;
    const struct name name = { KIND_NODE, (uint8_t)level, index };
    uint32_t where = (uint32_t)core_load_le64(entry + ENTRY_WHERE) & 1;
    enum svmc_disk_reason why = SVMC_DISK_NONE;

    line->is_full = 0;
    if (entry_is_empty(entry)) {
        memset(bytes_of(d, n), 0, NODE_BYTES);
    } else {
        why = store_read(d, place_of(d, level, index, where), bytes_of(d, n), NODE_BYTES);
        if (why == SVMC_DISK_NONE)
            why = svmc_disk_open_unit(d, &name, bytes_of(d, n), NODE_BYTES, entry);
    }
    *line = (struct line){ index, level, where, why == SVMC_DISK_NONE, 0 };
    return why;
}

/* The entry of a node in its parent, which is remembered. */
static void copy_child(const uint8_t *parent, uint64_t index, uint8_t entry[ENTRY_BYTES])
{
    memcpy(entry, parent + (size_t)(index % NODE_ENTRIES) * ENTRY_BYTES, ENTRY_BYTES);
}

enum svmc_disk_reason svmc_disk_find_node(struct svmc_disk *d, uint32_t level, uint64_t index,
                                          const uint8_t **node, uint32_t *where)
{
    enum svmc_disk_reason why = SVMC_DISK_NONE;
    const uint8_t *parent = NULL;
    uint8_t entry[ENTRY_BYTES];
    uint32_t at = level, unused;

    *node = recall(d, level, index, where);
    if (*node)
        return SVMC_DISK_NONE;
    while (!parent && ++at < d->priv.levels) /* up to what is remembered, or the root */
        parent = recall(d, at, index >> NODE_SHIFT * (at - level), &unused);
    memcpy(entry, d->priv.root, sizeof entry);
    for (;;) {
        const uint64_t here = index >> NODE_SHIFT * (at - 1 - level);

        if (parent)
            copy_child(parent, here, entry);
        at--;
        why = load(d, at, here, entry);
        if (why != SVMC_DISK_NONE || at == level)
            break;
        parent = recall(d, at, here, &unused);
    }
    *node = why == SVMC_DISK_NONE ? recall(d, level, index, where) : NULL;
    return why;
}

/* ---- another tree ----------------------------------------------------------------------------*/

static uint64_t number_of(const uint8_t *entry)
{
    return core_load_le64(entry + ENTRY_NUMBER);
}

static uint8_t *update_at(const struct svmc_disk *d, uint32_t i)
{
    return d->priv.update + (size_t)i * ENTRY_BYTES;
}

/* By their numbers, which are all different; Shell's way, for there is no recursion. */
static void sort(struct svmc_disk *d, uint32_t count)
{
    uint8_t moved[ENTRY_BYTES];

    for (uint32_t gap = count / 2; gap > 0; gap /= 2)
        for (uint32_t i = gap; i < count; i++) {
            uint32_t to = i;

            memcpy(moved, update_at(d, i), sizeof moved);
            while (to >= gap && number_of(update_at(d, to - gap)) > number_of(moved)) {
                memcpy(update_at(d, to), update_at(d, to - gap), sizeof moved);
                to -= gap;
            }
            memcpy(update_at(d, to), moved, sizeof moved);
        }
}

/* A node with the entries of priv.update from *at on that are its children, sealed into its other
   place: *entry is what its parent has of it. */
static enum svmc_disk_reason renew(struct svmc_disk *d, uint32_t level, uint32_t count,
                                   uint32_t *at, uint8_t entry[ENTRY_BYTES])
{
    const uint64_t index = number_of(update_at(d, *at)) >> NODE_SHIFT;
    const struct name name = { KIND_NODE, (uint8_t)level, index };
    uint8_t *work = d->priv.work;
    enum svmc_disk_reason why;
    const uint8_t *node;
    uint32_t where = 0;

    why = svmc_disk_find_node(d, level, index, &node, &where);
    if (why != SVMC_DISK_NONE)
        return why;
    memcpy(work, node, NODE_BYTES);
    for (; *at < count && number_of(update_at(d, *at)) >> NODE_SHIFT == index; ++*at) {
        const uint8_t *child = update_at(d, *at);

        memcpy(work + (size_t)(number_of(child) % NODE_ENTRIES) * ENTRY_BYTES, child, ENTRY_BYTES);
    }
    why = svmc_disk_seal_unit(d, &name, work, NODE_BYTES, entry);
    if (why != SVMC_DISK_NONE)
        return why;
    where ^= 1;
    core_store_le64(entry + ENTRY_WHERE, where);
    core_store_le64(entry + ENTRY_NUMBER, index);
    return store_write(d, place_of(d, level, index, where), work, NODE_BYTES);
}

/* Level by level: the entries of the nodes of one are the children of the next. */
enum svmc_disk_reason svmc_disk_update_tree(struct svmc_disk *d, uint32_t count,
                                            uint8_t root[ENTRY_BYTES])
{
    enum svmc_disk_reason why;
    uint8_t entry[ENTRY_BYTES];

    sort(d, count);
    for (uint32_t level = 0; level < d->priv.levels; level++) {
        uint32_t made = 0;

        for (uint32_t at = 0; at < count;) {
            why = renew(d, level, count, &at, entry);
            if (why != SVMC_DISK_NONE)
                return why;
            memcpy(update_at(d, made), entry, sizeof entry);
            made++;
        }
        count = made;
    }
    memcpy(root, d->priv.update, ENTRY_BYTES);
    return SVMC_DISK_NONE;
}
