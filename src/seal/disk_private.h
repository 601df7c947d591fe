/* SPDX-License-Identifier: MIT */
/** A disk's parts: what is sealed and how it is named, the tree, the journal, the header. */
#ifndef DISK_PRIVATE_H
#define DISK_PRIVATE_H
#include <stdbool.h>
#include <svmcore/disk.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"
#include "sealer_private.h"

#define VERSION      1u
#define NODE_BYTES   4096u
#define NODE_SHIFT   6u /* log2 of the entries of a node */
#define NODE_ENTRIES (1u << NODE_SHIFT)
#define LEVELS_MAX   7u /* 64^7 sectors are more than SVMC_DISK_SECTORS_MAX */
#define ROOT_BYTES   SVMC_DISK_BLOCK

/* DK-17: what stands for a sealed thing, in nodes, in the map of the journal and in the root. All
   zero: never written. */
enum {
    ENTRY_VERSION = 0, /* 56 bits, and in its last byte the algorithm */
    ENTRY_ALG = 7,
    ENTRY_EPOCH = 8,
    ENTRY_INDEX = 24,
    ENTRY_TAG = 32,
    ENTRY_WHERE = 48,  /* a sector in the journal: its place; a node: which of its two */
    ENTRY_NUMBER = 56, /* of the sector, of the node in its level */
    ENTRY_BYTES = 64
};
#define SEAL_BYTES (uint32_t) ENTRY_WHERE /* of an entry: all that opening takes */

_Static_assert(NODE_ENTRIES *ENTRY_BYTES == NODE_BYTES, "a node is full of entries");
_Static_assert(ENTRY_TAG + SVMC_TAG_BYTES == ENTRY_WHERE, "the tag ends what seals");
_Static_assert((uint64_t)1 << NODE_SHIFT * LEVELS_MAX >= SVMC_DISK_SECTORS_MAX, "levels do");
_Static_assert(sizeof((struct svmc_disk){ 0 }.priv.root) == ENTRY_BYTES, "the root is an entry");

/* DK-20: a subkey is not held that the work needs: svmc_disk_bring, and it goes on where it was. */
#define WANT ((enum svmc_disk_reason)0xff)

/* DK-17: the kinds of things that are sealed. */
enum kind { KIND_SECTOR = 1, KIND_NODE = 2, KIND_MAP = 3, KIND_ROOT = 4 };

/** A thing's name, which is bound to it. */
struct name {
    uint8_t kind, level;
    uint64_t number; /* root: its generation */
};

/** A node that is remembered; its bytes are beside the others' in priv.node. */
struct line {
    uint64_t index;
    uint32_t level, where;
    uint32_t is_full, reserved;
};

static inline bool entry_is_empty(const uint8_t *entry)
{
    return core_load_le64(entry + ENTRY_VERSION) == 0;
}

static inline enum svmc_disk_reason store_read(const struct svmc_disk *d, uint64_t at, void *dst,
                                               size_t n)
{
    const struct svmc_disk_store *s = d->priv.store;

    return s->read(s->ctx, at, dst, n) == SVMC_OK ? SVMC_DISK_NONE : SVMC_DISK_STORE;
}

static inline enum svmc_disk_reason store_write(const struct svmc_disk *d, uint64_t at,
                                                const void *src, size_t n)
{
    const struct svmc_disk_store *s = d->priv.store;

    return s->write(s->ctx, at, src, n) == SVMC_OK ? SVMC_DISK_NONE : SVMC_DISK_STORE;
}

static inline enum svmc_disk_reason store_flush(const struct svmc_disk *d)
{
    const struct svmc_disk_store *s = d->priv.store;

    return s->flush(s->ctx) == SVMC_OK ? SVMC_DISK_NONE : SVMC_DISK_STORE;
}

/* ---- disk_unit.c: what is sealed -------------------------------------------------------------*/

/** DK-18, DK-19: seal bytes[n] in place; priv.made gets its entry, but for `where` and `number`. On
 *  any error both are zero. As all below, also WANT. */
enum svmc_disk_reason svmc_disk_seal_unit(struct svmc_disk *d, const struct name *name, void *bytes,
                                          size_t n);
/** Open bytes[n] in place. @return SVMC_DISK_NONE; SVMC_DISK_SEAL; where the tag does not fit
 *  SVMC_DISK_DATA of a sector, and of everything else SVMC_DISK_NODE. Then bytes are zero. */
enum svmc_disk_reason svmc_disk_open_unit(struct svmc_disk *d, const struct name *name, void *bytes,
                                          size_t n, const uint8_t *entry);
/** DK-3: the header, which has additional data alone. */
enum svmc_disk_reason svmc_disk_seal_header(struct svmc_disk *d, const uint8_t *header, size_t n,
                                            uint8_t entry[SEAL_BYTES]);
enum svmc_disk_reason svmc_disk_open_header(struct svmc_disk *d, const uint8_t *header, size_t n,
                                            const uint8_t entry[SEAL_BYTES]);
/** Of all reasons but SVMC_DISK_SEAL, of which the sealer has it. */
enum svmc_status svmc_disk_status_of(enum svmc_disk_reason why);
/** May the sealer do this now? */
enum svmc_disk_reason svmc_disk_may(struct svmc_disk *d, bool seal, uint64_t first, uint64_t count);
/** DK-20: take the subkey that is wanted, where the stack is short. */
enum svmc_disk_reason svmc_disk_bring(struct svmc_disk *d);
/** DK-16: give all subkeys back. */
enum svmc_status svmc_disk_end_units(struct svmc_disk *d);

/* ---- disk_tree.c: which sector has which entry -----------------------------------------------*/

/** Where a level's nodes begin, and how many levels there are. @return what is behind the tree. */
uint64_t svmc_disk_lay_tree(struct svmc_disk *d, uint64_t at);
/** A node, verified; *where is which of its two places it is in. It stays until the next call. */
enum svmc_disk_reason svmc_disk_find_node(struct svmc_disk *d, uint32_t level, uint64_t index,
                                          const uint8_t **node, uint32_t *where);
void svmc_disk_forget_nodes(struct svmc_disk *d);
/** DK-13: priv.update by their numbers. */
void svmc_disk_sort_updates(struct svmc_disk *d, uint32_t count);
/** DK-13: a tree with the entries of priv.update, which are sorted, in the places that this one has
 *  not; goes on at priv.step. The first of priv.update is its root's. What is there stays whole. */
enum svmc_disk_reason svmc_disk_update_tree(struct svmc_disk *d);

/* ---- disk_journal.c: what is newer than the tree ---------------------------------------------*/

/** The sector's entry in the journal; NULL: it has none. */
const uint8_t *svmc_disk_find_entry(const struct svmc_disk *d, uint64_t sector);
/** DK-12: whether the journal has no place left. */
bool svmc_disk_is_full(const struct svmc_disk *d);
/** DK-13: make room in a journal that is committed. */
enum svmc_disk_reason svmc_disk_checkpoint(struct svmc_disk *d);
/** DK-12: seal one sector into the journal, which is not full. */
enum svmc_disk_reason svmc_disk_append(struct svmc_disk *d, uint64_t sector, const void *in);
/** DK-14: what was written is the disk's state from now on. */
enum svmc_disk_reason svmc_disk_commit(struct svmc_disk *d);
/** DK-5: the first root, of an empty disk. */
enum svmc_disk_reason svmc_disk_begin_roots(struct svmc_disk *d);
/** DK-7, DK-8: the root that counts, and its journal. */
enum svmc_disk_reason svmc_disk_load_root(struct svmc_disk *d, bool anchored, uint64_t anchor);

/* ---- disk_length.c: sectors that keep their length -------------------------------------------*/

/** DK-10: encrypt or decrypt `count` sectors from `in` to the store, or from the store to `out`. */
enum svmc_disk_reason svmc_disk_load_length(struct svmc_disk *d, const struct svmc_subkey_id *id);
enum svmc_disk_reason svmc_disk_read_length(struct svmc_disk *d, uint64_t first, uint64_t count,
                                            uint8_t *out);
enum svmc_disk_reason svmc_disk_write_length(struct svmc_disk *d, uint64_t first, uint64_t count,
                                             const uint8_t *in, uint64_t *done);

#endif
