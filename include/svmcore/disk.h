/* SPDX-License-Identifier: MIT */
/**
 * A guest's disk, sealed: trapped writes go out encrypted through a buffer of the library's own,
 * and of a read the guest gets nothing that was not verified before. The store, a file or a block
 * device, is not trusted. One caller at a time for a disk; disks side by side need a lane each.
 * Length-preserving: sectors keep their size: confidentiality only: changed, moved and old ones
 * are decrypted all the same. Authentic: a tag and a version for each sector, a tree over them, a
 * journal: power may fail at any write, and what was not written last is refused.
 * Source: docs/spec/disk.md, rules DK-1 to DK-21.
 */
#ifndef SVMCORE_DISK_H
#define SVMCORE_DISK_H
#include <stddef.h>
#include <stdint.h>
#include "seal.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_DISK_ALIGN       64u   /* of the disk's memory */
#define SVMC_DISK_BLOCK       512u  /* what the store writes whole or not at all */
#define SVMC_DISK_SECTOR      4096u /* authentic: of every sector */
#define SVMC_DISK_SECTORS_MAX ((uint64_t)1 << 40)
#define SVMC_DISK_JOURNAL_MAX 1024u
#define SVMC_DISK_NODES_MAX   65536u
#define SVMC_DISK_READERS     3u          /* subkeys of earlier sessions that are held at a time */
#define SVMC_DISK_ERASE       0x45524153u /* in `erase`: what is there may go */

enum svmc_disk_mode { SVMC_DISK_LENGTH = 1, SVMC_DISK_AUTHENTIC = 2 };

/** Why a call failed. Pinned: appended, never renumbered. */
enum svmc_disk_reason {
    SVMC_DISK_NONE = 0,
    SVMC_DISK_RANGE = 1,     /* ARG: sectors that the disk does not have */
    SVMC_DISK_STORE = 2,     /* CALLBACK: read, write or flush failed */
    SVMC_DISK_ANCHOR = 3,    /* CALLBACK: the anchor was not kept */
    SVMC_DISK_BLANK = 4,     /* FORMAT: nothing is there, or it was wiped */
    SVMC_DISK_HEADER = 5,    /* FORMAT: no header of a disk, or not of the one in the config */
    SVMC_DISK_UNKNOWN = 6,   /* UNSUPPORTED: of a version or algorithm that this build has not */
    SVMC_DISK_OWNER = 7,     /* OWNER: another VM's */
    SVMC_DISK_CHANGED = 8,   /* AUTH: the header was changed, or sealed with another key */
    SVMC_DISK_LOST = 9,      /* AUTH: a disk's header, and no root: metadata was wiped or changed */
    SVMC_DISK_ROLLBACK = 10, /* STALE: whole, but not the state that is anchored */
    SVMC_DISK_DATA = 11,     /* AUTH: a sector that is not as it was written last */
    SVMC_DISK_NODE = 12,     /* AUTH: metadata that is not as it was written last */
    SVMC_DISK_SEAL = 13,     /* as svmc_seal_status(result.seal) */
    SVMC_DISK_IN_USE = 14,   /* REFUSED: something is there, or anchored, and `erase` is not said */
    SVMC_DISK_DOUBT = 15,    /* STATE: a commit failed half-way: drop the disk, and open it again */
    SVMC_DISK_OTHER = 16     /* PURPOSE: another disk of this VM, as it says itself */
};

/** What the disk lies on. All is in multiples of SVMC_DISK_BLOCK, at multiples of it. */
struct svmc_disk_store {
    uint32_t size; /* sizeof(struct svmc_disk_store) as the host compiled it */
    uint32_t reserved;
    void *ctx;

    /* required: n bytes from `at` on into dst, all or nothing */
    SVMC_NODISCARD enum svmc_status (*read)(void *ctx, uint64_t at, void *dst, size_t n);
    /* required: n bytes to `at`; may be lost, torn at blocks and out of order until a flush */
    SVMC_NODISCARD enum svmc_status (*write)(void *ctx, uint64_t at, const void *src, size_t n);
    /* required: all that was written is there to stay when it returns */
    SVMC_NODISCARD enum svmc_status (*flush)(void *ctx);
    /* optional, and trusted: keep this value in place of the last one, at once and for good: give
       it to the next svmc_disk_open. NULL: nobody notices when the whole store is put back to an
       older state */
    SVMC_NODISCARD enum svmc_status (*anchor)(void *ctx, uint64_t value);
};

struct svmc_disk_config {
    struct svmc_sealer *sealer;
    const struct svmc_disk_store *store;
    const uint8_t *vm;     /* [SVMC_VM_ID_BYTES], of the sealer's key */
    uint64_t sectors;      /* 1 to SVMC_DISK_SECTORS_MAX */
    uint64_t anchor;       /* what `anchor` was given last; 0: nothing yet */
    uint64_t number;       /* which of the VM's disks: another one in its place is refused. DK-21 */
    uint32_t mode;         /* enum svmc_disk_mode */
    uint32_t sector_bytes; /* SVMC_DISK_SECTOR; length-preserving: or 512 */
    uint32_t journal;      /* authentic: sectors between checkpoints: a multiple of 8, 8 to
                              SVMC_DISK_JOURNAL_MAX; length-preserving: 0 */
    uint32_t nodes;        /* authentic: metadata blocks of 4 KiB that are remembered, 1 to
                              SVMC_DISK_NODES_MAX, for 64 sectors each; length-preserving: 0 */
    uint32_t lane;         /* of the sealer's slots; nobody else's while a call runs */
    uint32_t erase;        /* format: SVMC_DISK_ERASE, else it takes a blank store only */
};

/** What a header says, before anybody has verified it. */
struct svmc_disk_info {
    uint64_t sectors, number;
    struct svmc_subkey_id id; /* that the header, and length-preserving all sectors, are under */
    uint8_t vm[SVMC_VM_ID_BYTES], disk[16];
    uint32_t mode, alg, header_alg, sector_bytes, journal, version;
};

struct svmc_disk_result {
    uint64_t sector; /* where it failed, if it is about one */
    uint64_t done;   /* sectors that are written, or checked, in their order */
    uint32_t reason; /* enum svmc_disk_reason */
    uint32_t seal;   /* SVMC_DISK_SEAL: enum svmc_seal_reason */
};

/** A disk. The keys are in the sealer's slots; length-preserving: in the memory. */
struct svmc_disk {
    struct {
        struct svmc_sealer *sealer;
        const struct svmc_disk_store *store;
        uint8_t *memory, *bounce, *work, *map, *update, *node;
        uint16_t *find;
        void *line;
        struct svmc_cipher_key *room;
        uint64_t sectors, generation, anchor, version, blocks;
        uint64_t map_at, journal_at, node_at[8], data_at;
        size_t bytes;
        struct svmc_seal_use writer, reader[SVMC_DISK_READERS];
        struct svmc_subkey_id want_id;
        uint64_t way_index;
        uint8_t id[16], root[64], made[64], way[64], ad[32], tag[16];
        uint32_t mode, sector_bytes, journal, nodes, lane, levels, find_mask;
        uint32_t used, count, dirty, doubt, turn, seal, loaded, anchored;
        uint32_t want, want_alg, fresh, way_level, way_at;
        struct {
            uint32_t is_on, copied, level, at, made, count;
        } step;
    } priv;
};

/** The name of a reason, e.g. "SVMC_DISK_LOST"; "SVMC_DISK_?" for a number that is none. Static,
 *  never NULL. */
SVMC_API const char *svmc_disk_name(uint32_t reason);

/** @return the bytes that a disk needs; 0: the config is not possible. DK-1 */
SVMC_API size_t svmc_disk_bytes(const struct svmc_disk_config *config);

/** @return the bytes that its store has; 0: the config is not possible. DK-2 */
SVMC_API uint64_t svmc_disk_store_bytes(const struct svmc_disk_config *config);

/**
 * What lies on a store, for who has no config yet. Nothing of it is verified.
 *
 * State:  *info is {0} on any error.
 * Source: DK-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK; SVMC_ERR_FORMAT; SVMC_ERR_UNSUPPORTED.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_inspect(const struct svmc_disk_store *store,
                                                           struct svmc_disk_info *info);

/**
 * Make a new disk, whose sectors all read as zeros (length-preserving: as noise), and open it. Cut
 * off it is done again, with `erase`.
 *
 * Shape:   memory[bytes] at a multiple of SVMC_DISK_ALIGN, svmc_disk_bytes() at least.
 * Owns:    the caller keeps the memory (length-preserving: a key is in it: lock it) and all that
 *          config names, until svmc_disk_drop.
 * State:   *disk is {0} on any error. What was there is gone once something is written.
 * Threads: as svmc_seal_begin, like all calls below.
 * Source:  DK-4, DK-5.
 *
 * @return SVMC_OK, or as enum svmc_disk_reason says; SVMC_ERR_ARG (config); SVMC_ERR_FULL (memory).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_format(struct svmc_disk *disk,
                                                          const struct svmc_disk_config *config,
                                                          void *memory, size_t bytes,
                                                          struct svmc_disk_result *result);

/** Open a disk, also after a power cut; writes nothing. As svmc_disk_format. DK-6 to DK-8 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_open(struct svmc_disk *disk,
                                                        const struct svmc_disk_config *config,
                                                        void *memory, size_t bytes,
                                                        struct svmc_disk_result *result);

/**
 * Read whole sectors. A part of one is the caller's to cut out.
 *
 * Shape:   out[count * sector_bytes]; the guest's memory, if you like.
 * State:   out is zeros on any error but SVMC_DISK_RANGE. Never written: zeros
 *          (length-preserving: noise).
 * Threads: one caller at a time for a disk.
 * Source:  DK-9, DK-10.
 *
 * @return SVMC_OK, or as enum svmc_disk_reason says; SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_read(struct svmc_disk *disk, uint64_t first,
                                                        uint64_t count, void *out,
                                                        struct svmc_disk_result *result);

/**
 * Write whole sectors; for a part of one read it, change it and write it. They last when
 * svmc_disk_flush is SVMC_OK; a power cut before leaves each sector as it is, or as it was at the
 * last flush. Flushes by itself where the journal is full.
 *
 * Shape:   in[count * sector_bytes]; copied once, so it may change meanwhile.
 * State:   after an error the first result->done sectors are written, and no other.
 * Source:  DK-11 to DK-13.
 *
 * @return as svmc_disk_read.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_write(struct svmc_disk *disk, uint64_t first,
                                                         uint64_t count, const void *in,
                                                         struct svmc_disk_result *result);

/** Let all that was written last, at once: authentic: after a power cut all of it is there, or
 *  none. SVMC_DISK_DOUBT after an error of its last steps: nobody can tell it from success.
 *  DK-14 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_flush(struct svmc_disk *disk,
                                                         struct svmc_disk_result *result);

/** Verify sectors, and release nothing: ends with the first that is not as it was written last.
 *  Length-preserving: SVMC_ERR_UNSUPPORTED: there is nothing to verify with. DK-15 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_check(struct svmc_disk *disk, uint64_t first,
                                                         uint64_t count,
                                                         struct svmc_disk_result *result);

/** Give the keys back and wipe the memory. What was not flushed is lost. DK-16
 *  @return SVMC_OK (also if nothing is open); SVMC_ERR_BUSY: as svmc_seal_end: again. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_disk_drop(struct svmc_disk *disk);

#ifdef __cplusplus
}
#endif
#endif
