/* SPDX-License-Identifier: MIT */
/**
 * Counters that lie in memory or storage nobody trusts: versions of pages or sectors that have left
 * trusted memory. A tree of sealed nodes, 32 counters each, of which only the version of the top is
 * trusted: an older node, another one's, or a changed one is refused.
 * Source: docs/spec/seal.md, rules SE-29 to SE-32.
 */
#ifndef SVMCORE_SEAL_TREE_H
#define SVMCORE_SEAL_TREE_H
#include <stddef.h>
#include <stdint.h>
#include "seal.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_TREE_ARITY      32u
#define SVMC_TREE_NODE_BYTES 272u /* 32 counters, sealed, and the tag */
#define SVMC_TREE_LEAVES_MAX ((uint64_t)1 << 31)
#define SVMC_TREE_LEVELS_MAX 7u

struct svmc_tree_config {
    struct svmc_sealer *sealer;
    uint64_t leaves;   /* 1 to SVMC_TREE_LEAVES_MAX */
    void *nodes;       /* wherever: others may read and write it */
    size_t node_bytes; /* svmc_tree_node_bytes at least */
    void *scratch;     /* [SVMC_TREE_LEVELS_MAX][SVMC_TREE_NODE_BYTES], which nobody else has */
};

/** What has to be kept where it is trusted, to come back to a tree. */
struct svmc_tree_root {
    uint64_t version; /* of the top; 0: all counters are 0 */
    struct svmc_subkey_id id;
    uint32_t alg;
    uint32_t reserved;
};

struct svmc_tree {
    struct {
        struct svmc_sealer *sealer;
        uint8_t *nodes, *scratch;
        struct svmc_seal_use use;
        uint64_t leaves;
        uint64_t version; /* of the top */
        uint64_t used;    /* the last one given out */
        uint32_t levels, loaded;
    } priv;
};

/** @return the bytes that the nodes of so many leaves take; 0: so many cannot be. */
SVMC_API size_t svmc_tree_node_bytes(uint64_t leaves);

/**
 * A new tree: all counters are 0. Nodes are not looked at before they are written.
 *
 * Owns:    all that config names outlives the tree.
 * State:   a subkey is begun; on any error *tree is {0}.
 * Threads: as svmc_seal_begin.
 * Source:  SE-29.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_tree_init(struct svmc_tree *tree,
                                                             const struct svmc_tree_config *config);

/**
 * A tree that was written before, to read it: to go on writing set the counters in a new one, which
 * has a subkey of its own.
 *
 * State:   *tree is {0} on any error.
 * Threads: as svmc_seal_find.
 * Source:  SE-32.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_tree_load(struct svmc_tree *tree,
                                                             const struct svmc_tree_config *config,
                                                             const struct svmc_tree_root *root);

/** End its subkey. *tree is {0} then. Threads: as svmc_seal_end.
 *  @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_BUSY: a lane is at it: again. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_tree_drop(struct svmc_tree *tree);

/** What to keep of a tree, for svmc_tree_load; another one after each svmc_tree_set. {0}: of none.
 */
SVMC_API void svmc_tree_save(const struct svmc_tree *tree, struct svmc_tree_root *root);

/**
 * Read a counter.
 *
 * State:   *value is 0 on any error.
 * Threads: one caller at a time for a tree, with a lane; as svmc_open_unit.
 * Source:  SE-30.
 *
 * @return SVMC_SEAL_NONE; SVMC_SEAL_RANGE (no such leaf); SVMC_SEAL_TAG (a node on its way is not
 *         what was written last); else as svmc_open_unit.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_tree_get(struct svmc_tree *tree, uint32_t lane,
                                                            uint64_t leaf, uint64_t *value);

/**
 * Write a counter: the nodes on its way are checked, then written anew.
 *
 * State:   on an error all counters are as before; a version is burned.
 * Threads: as svmc_tree_get.
 * Source:  SE-31.
 *
 * @return as svmc_tree_get; SVMC_SEAL_STATE (loaded, to be read); SVMC_SEAL_BUDGET: a new tree.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_tree_set(struct svmc_tree *tree, uint32_t lane,
                                                            uint64_t leaf, uint64_t value);

#ifdef __cplusplus
}
#endif
#endif
