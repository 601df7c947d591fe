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
    d->priv.way_at = 0;
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

/* Where a way down begins: at the root, or below what is remembered. priv.way is the entry of the
   node `way_at` levels above the leaves. */
static void begin_way(struct svmc_disk *d, uint32_t level, uint64_t index)
{
    const uint8_t *parent = NULL;
    uint32_t at = level, unused;

    while (!parent && ++at < d->priv.levels)
        parent = recall(d, at, index >> NODE_SHIFT * (at - level), &unused);
    at--;
    memcpy(d->priv.way, d->priv.root, ENTRY_BYTES);
    if (parent)
        copy_child(parent, index >> NODE_SHIFT * (at - level), d->priv.way);
    d->priv.way_level = level;
    d->priv.way_index = index;
    d->priv.way_at = at + 1;
}

/* DK-20: where a subkey was wanted the way goes on, so each that is brought is a step. */
enum svmc_disk_reason svmc_disk_find_node(struct svmc_disk *d, uint32_t level, uint64_t index,
                                          const uint8_t **node, uint32_t *where)
{
    enum svmc_disk_reason why = SVMC_DISK_NONE;

    *node = recall(d, level, index, where);
    if (*node)
        return SVMC_DISK_NONE;
    if (d->priv.way_at == 0 || d->priv.way_level != level || d->priv.way_index != index)
        begin_way(d, level, index);
    for (;;) {
        const uint32_t at = d->priv.way_at - 1, up = at - level;
        const uint8_t *loaded;

        why = load(d, at, index >> NODE_SHIFT * up, d->priv.way);
        if (why != SVMC_DISK_NONE || up == 0)
            break;
        loaded = recall(d, at, index >> NODE_SHIFT * up, where);
        copy_child(loaded, index >> NODE_SHIFT * (up - 1), d->priv.way);
        d->priv.way_at--;
    }
    if (why != WANT)
        d->priv.way_at = 0;
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
void svmc_disk_sort_updates(struct svmc_disk *d, uint32_t count)
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

/* A node with the entries of priv.update from priv.step.at on that are its children, sealed into
   its other place; what its parent has of it takes their place. */
static enum svmc_disk_reason renew(struct svmc_disk *d)
{
    const uint64_t index = number_of(update_at(d, d->priv.step.at)) >> NODE_SHIFT;
    const struct name name = { KIND_NODE, (uint8_t)d->priv.step.level, index };
    uint32_t at = d->priv.step.at, where = 0;
    uint8_t *work = d->priv.work;
    enum svmc_disk_reason why;
    const uint8_t *node;

    why = svmc_disk_find_node(d, name.level, index, &node, &where);
    if (why != SVMC_DISK_NONE)
        return why;
    memcpy(work, node, NODE_BYTES);
    for (; at < d->priv.step.count && number_of(update_at(d, at)) >> NODE_SHIFT == index; at++)
        memcpy(work + (size_t)(number_of(update_at(d, at)) % NODE_ENTRIES) * ENTRY_BYTES,
               update_at(d, at), ENTRY_BYTES);
    why = svmc_disk_seal_unit(d, &name, work, NODE_BYTES);
    where ^= 1;
    if (why == SVMC_DISK_NONE)
        why = store_write(d, place_of(d, name.level, index, where), work, NODE_BYTES);
    if (why != SVMC_DISK_NONE)
        return why;
    core_store_le64(d->priv.made + ENTRY_WHERE, where);
    core_store_le64(d->priv.made + ENTRY_NUMBER, index);
    memcpy(update_at(d, d->priv.step.made), d->priv.made, ENTRY_BYTES);
    d->priv.step.made++;
    d->priv.step.at = at;
    return SVMC_DISK_NONE;
}

/* Level by level: the entries of the nodes of one are the children of the next. */
enum svmc_disk_reason svmc_disk_update_tree(struct svmc_disk *d)
{
    enum svmc_disk_reason why;

    for (; d->priv.step.level < d->priv.levels; d->priv.step.level++) {
        while (d->priv.step.at < d->priv.step.count) {
            why = renew(d);
            if (why != SVMC_DISK_NONE)
                return why;
        }
        d->priv.step.count = d->priv.step.made;
        d->priv.step.at = d->priv.step.made = 0;
    }
    return SVMC_DISK_NONE;
}
