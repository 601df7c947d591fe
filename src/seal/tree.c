/* SPDX-License-Identifier: MIT */
/** A tree of counters: each node is a unit, whose version stands in the node above it. */
#include <svmcore/seal_tree.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "seal_private.h"

#define ARITY_SHIFT 5u
#define TEXT_BYTES  (SVMC_TREE_ARITY * 8)
#define LEVEL_SHIFT 36u /* SE-29: a node's number: its level, from the leaves on, and its place */

_Static_assert(1u << ARITY_SHIFT == SVMC_TREE_ARITY, "arity");
_Static_assert(TEXT_BYTES + SVMC_TAG_BYTES == SVMC_TREE_NODE_BYTES, "a node");
_Static_assert(SVMC_TREE_LEAVES_MAX <= (uint64_t)1 << ARITY_SHIFT * SVMC_TREE_LEVELS_MAX, "levels");
_Static_assert((uint64_t)SVMC_TREE_LEVELS_MAX << LEVEL_SHIFT <= SVMC_SEAL_NUMBER_MAX, "numbers");

/* ---- where nodes are -------------------------------------------------------------------------*/

/* The nodes of a level; 0 is the one above the leaves. */
static uint64_t width_of(uint64_t leaves, uint32_t level)
{
    return ((leaves - 1) >> ARITY_SHIFT * (level + 1)) + 1;
}

static uint32_t levels_of(uint64_t leaves)
{
    uint32_t level = 0;

    while (width_of(leaves, level) != 1)
        level++;
    return level + 1;
}

static uint64_t nodes_below(uint64_t leaves, uint32_t level)
{
    uint64_t sum = 0;

    for (uint32_t l = 0; l < level; l++)
        sum += width_of(leaves, l);
    return sum;
}

size_t svmc_tree_node_bytes(uint64_t leaves)
{
    uint64_t nodes;

    if (leaves - 1 >= SVMC_TREE_LEAVES_MAX)
        return 0;
    nodes = nodes_below(leaves, levels_of(leaves));
    return nodes <= SIZE_MAX / SVMC_TREE_NODE_BYTES ? (size_t)nodes * SVMC_TREE_NODE_BYTES : 0;
}

/* The leaf is the caller's to check. */
static uint8_t *node_at(const struct svmc_tree *tree, uint32_t level, uint64_t leaf)
{
    uint64_t place = leaf >> ARITY_SHIFT * (level + 1);

    place = core_clamp((uint32_t)place, (uint32_t)width_of(tree->priv.leaves, level));
    return tree->priv.nodes +
           (size_t)(nodes_below(tree->priv.leaves, level) + place) * SVMC_TREE_NODE_BYTES;
}

static uint8_t *scratch_at(const struct svmc_tree *tree, uint32_t level)
{
    return tree->priv.scratch + core_clamp(level, SVMC_TREE_LEVELS_MAX) * SVMC_TREE_NODE_BYTES;
}

/* The counter of a node that stands for what is below it on the way to a leaf. */
static uint8_t *counter_at(const struct svmc_tree *tree, uint32_t level, uint64_t leaf)
{
    return scratch_at(tree, level) + (leaf >> ARITY_SHIFT * level & (SVMC_TREE_ARITY - 1)) * 8;
}

static struct svmc_sealed_unit unit_of(const struct svmc_tree *tree, uint32_t level, uint64_t leaf,
                                       uint64_t version)
{
    uint8_t *text = scratch_at(tree, level);

    return (struct svmc_sealed_unit){
        .number = (uint64_t)level << LEVEL_SHIFT | leaf >> ARITY_SHIFT * (level + 1),
        .version = version,
        .in = text,
        .out = text,
        .bytes = TEXT_BYTES,
        .tag = text + TEXT_BYTES,
    };
}

/* ---- setting up ------------------------------------------------------------------------------*/

static enum svmc_seal_reason set_up(struct svmc_tree *tree, const struct svmc_tree_config *config)
{
    if (!tree)
        return SVMC_SEAL_RANGE;
    memset(tree, 0, sizeof *tree);
    if (!config || !config->sealer || !config->nodes || !config->scratch ||
        svmc_tree_node_bytes(config->leaves) == 0 ||
        config->node_bytes < svmc_tree_node_bytes(config->leaves))
        return SVMC_SEAL_RANGE;
    tree->priv.sealer = config->sealer;
    tree->priv.nodes = config->nodes;
    tree->priv.scratch = config->scratch;
    tree->priv.leaves = config->leaves;
    tree->priv.levels = levels_of(config->leaves);
    return SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_tree_init(struct svmc_tree *tree, const struct svmc_tree_config *config)
{
    enum svmc_seal_reason why = set_up(tree, config);

    if (why != SVMC_SEAL_NONE)
        return why;
    why = svmc_seal_begin(config->sealer, SVMC_KEY_TREE, 0, 0, &tree->priv.use);
    if (why != SVMC_SEAL_NONE)
        memset(tree, 0, sizeof *tree);
    return why;
}

/* SE-32: the versions that were given out before are not known any more, so nothing is sealed. */
enum svmc_seal_reason svmc_tree_load(struct svmc_tree *tree, const struct svmc_tree_config *config,
                                     const struct svmc_tree_root *root)
{
    enum svmc_seal_reason why = set_up(tree, config);

    if (why == SVMC_SEAL_NONE)
        why = !root ? SVMC_SEAL_RANGE
                    : svmc_seal_find(config->sealer, SVMC_KEY_TREE, root->alg, &root->id,
                                     &tree->priv.use);
    if (why != SVMC_SEAL_NONE) {
        if (tree)
            memset(tree, 0, sizeof *tree);
        return why;
    }
    tree->priv.version = root->version;
    tree->priv.loaded = 1;
    return SVMC_SEAL_NONE;
}

enum svmc_status svmc_tree_drop(struct svmc_tree *tree)
{
    if (!tree)
        return SVMC_ERR_ARG;
    if (tree->priv.sealer && svmc_seal_end(tree->priv.sealer, &tree->priv.use) != SVMC_OK)
        return SVMC_ERR_BUSY;
    memset(tree, 0, sizeof *tree);
    return SVMC_OK;
}

void svmc_tree_save(const struct svmc_tree *tree, struct svmc_tree_root *root)
{
    if (!root)
        return;
    memset(root, 0, sizeof *root);
    if (!tree)
        return;
    root->version = tree->priv.version;
    root->id = tree->priv.use.id;
    root->alg = tree->priv.use.alg;
}

/* ---- counters --------------------------------------------------------------------------------*/

/* SE-30: the nodes on the way to a leaf, from the top on, each copied once and opened in the
   scratch under the version that the one above it has. One that was never written is zeros. */
static enum svmc_seal_reason walk(const struct svmc_tree *tree, uint32_t lane, uint64_t leaf)
{
    uint64_t version = tree->priv.version;

    for (uint32_t level = tree->priv.levels; level-- > 0;) {
        uint8_t *node = scratch_at(tree, level);
        struct svmc_sealed_unit u = unit_of(tree, level, leaf, version);
        enum svmc_seal_reason why = SVMC_SEAL_NONE;

        if (version == 0) {
            memset(node, 0, SVMC_TREE_NODE_BYTES);
        } else {
            memcpy(node, node_at(tree, level, leaf), SVMC_TREE_NODE_BYTES);
            why = svmc_open_unit(tree->priv.sealer, lane, &tree->priv.use, &u);
        }
        if (why != SVMC_SEAL_NONE)
            return why;
        version = core_load_le64(counter_at(tree, level, leaf));
    }
    return SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_tree_get(struct svmc_tree *tree, uint32_t lane, uint64_t leaf,
                                    uint64_t *value)
{
    enum svmc_seal_reason why;

    if (!value)
        return SVMC_SEAL_RANGE;
    *value = 0;
    if (!tree || leaf >= tree->priv.leaves)
        return SVMC_SEAL_RANGE;
    why = svmc_seal_may(tree->priv.sealer, SVMC_KEY_TREE, 0, 0, 0); /* also where all is 0 */
    if (why == SVMC_SEAL_NONE)
        why = walk(tree, lane, leaf);
    if (why == SVMC_SEAL_NONE)
        *value = core_load_le64(counter_at(tree, 0, leaf));
    return why;
}

/* SE-31: all is sealed in the scratch before the first node is written. */
enum svmc_seal_reason svmc_tree_set(struct svmc_tree *tree, uint32_t lane, uint64_t leaf,
                                    uint64_t value)
{
    enum svmc_seal_reason why;
    uint64_t version;

    if (!tree || leaf >= tree->priv.leaves)
        return SVMC_SEAL_RANGE;
    if (tree->priv.loaded != 0)
        return SVMC_SEAL_STATE;
    why = walk(tree, lane, leaf);
    if (why != SVMC_SEAL_NONE)
        return why;
    version = ++tree->priv.used; /* one for the whole way, and never again */
    for (uint32_t level = 0; level < tree->priv.levels; level++) {
        struct svmc_sealed_unit u = unit_of(tree, level, leaf, version);

        core_store_le64(counter_at(tree, level, leaf), level == 0 ? value : version);
        why = svmc_seal_unit(tree->priv.sealer, lane, &tree->priv.use, &u);
        if (why != SVMC_SEAL_NONE)
            return why;
    }
    for (uint32_t level = 0; level < tree->priv.levels; level++)
        memcpy(node_at(tree, level, leaf), scratch_at(tree, level), SVMC_TREE_NODE_BYTES);
    tree->priv.version = version;
    return SVMC_SEAL_NONE;
}
