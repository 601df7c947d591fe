/* SPDX-License-Identifier: MIT */
/**
 * Images: a whole VM, or what changed of it, sealed in chunks. Chunks have places that can be
 * computed and depend on none before them: several callers seal or open them at a time, in any
 * order, and a writer that was stopped goes on. A migration is a row of images, a round each.
 * Source: docs/spec/image.md, rules IM-1 to IM-16.
 */
#ifndef SVMCORE_IMAGE_H
#define SVMCORE_IMAGE_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "image_table.h"
#include "keys.h"
#include "seal.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

/** An image is header, table, chunks, end: IM-1. A frame stands before what is sealed. */
#define SVMC_IMAGE_HEADER_BYTES          192u
#define SVMC_IMAGE_FRAME_BYTES           64u
#define SVMC_IMAGE_END_BYTES             576u
#define SVMC_IMAGE_TABLE_BYTES(sections) (SVMC_IMAGE_FRAME_BYTES + 48u * (size_t)(sections))

#define SVMC_IMAGE_CHUNK_BYTES  65536u /* of the body in a chunk, unless the writer says else */
#define SVMC_IMAGE_CHUNKS_MAX   ((uint64_t)1 << 27)
#define SVMC_IMAGE_SEGMENTS_MAX 16u
#define SVMC_IMAGE_ID_BYTES     16u
#define SVMC_IMAGE_RETRIES      1024u /* chunks of a segment that may fail and be tried again */

/** Pinned. */
enum svmc_image_kind {
    SVMC_IMAGE_WHOLE = 1,
    SVMC_IMAGE_DELTA = 2, /* what changed since its parent */
    SVMC_IMAGE_ROUND = 3, /* of a migration, while the VM runs */
    SVMC_IMAGE_LAST = 4   /* of a migration, with the VM stopped: after this one it may run */
};

/** Why an image, or a part of one, is not taken. Pinned: appended, never renumbered. */
enum svmc_image_reason {
    SVMC_IMAGE_NONE = 0,
    SVMC_IMAGE_ARG = 1,            /* ARG: the call itself */
    SVMC_IMAGE_NOT_NOW = 2,        /* STATE: not now; the chunk is sealed, or being sealed */
    SVMC_IMAGE_ROOM = 3,           /* FULL: too few marks, too many chunks or segments */
    SVMC_IMAGE_NOT_ONE = 4,        /* FORMAT: no image */
    SVMC_IMAGE_NEWER = 5,          /* UNSUPPORTED: of a version that this library does not know */
    SVMC_IMAGE_ALGORITHM = 6,      /* UNSUPPORTED: an algorithm that it does not know */
    SVMC_IMAGE_PURPOSE = 7,        /* PURPOSE: made for something else */
    SVMC_IMAGE_OTHER_VM = 8,       /* OWNER: another VM's */
    SVMC_IMAGE_HEADER = 9,         /* KEY: the header was changed, or made under another VM key */
    SVMC_IMAGE_OLD = 10,           /* STALE: of an older generation */
    SVMC_IMAGE_WRONG_PARENT = 11,  /* STALE: made on another image than the one before it */
    SVMC_IMAGE_WRONG_ROUND = 12,   /* STALE: a round again, or one is missing */
    SVMC_IMAGE_WRONG_SESSION = 13, /* STALE: of another migration, or of none */
    SVMC_IMAGE_CUT = 14,           /* FORMAT: bytes are missing */
    SVMC_IMAGE_LONG = 15,          /* FORMAT: bytes behind the end */
    SVMC_IMAGE_CHANGED = 16,       /* AUTH: a chunk or the table is not what was sealed */
    SVMC_IMAGE_MOVED = 17,         /* AUTH: of another place in an image */
    SVMC_IMAGE_SPLICED = 18,       /* AUTH: of another image */
    SVMC_IMAGE_SEGMENT = 19,       /* ABSENT: under a subkey not met yet: svmc_image_open_segment */
    SVMC_IMAGE_TABLE = 20,         /* FORMAT: sections that make no sense */
    SVMC_IMAGE_END = 21,           /* AUTH: the end is changed, or another image's */
    SVMC_IMAGE_INCOMPLETE = 22,    /* STATE: not all of it is there, or was opened */
    SVMC_IMAGE_CRYPTO = 23,        /* CALLBACK: the crypto table failed */
    SVMC_IMAGE_SEALER = 64,        /* and above: 64 + enum svmc_seal_reason */
    SVMC_IMAGE_REASON_MAX = 127
};

/** A whole image, as its child or the next round names it. Of a complete one alone there is a name:
 *  what has none is not run. */
struct svmc_image_name {
    uint8_t id[SVMC_IMAGE_ID_BYTES];
    uint8_t seal[SVMC_HASH_BYTES]; /* of its end */
    uint64_t generation;
    uint32_t kind, round;
};

/** What a header says; before svmc_image_open it is hearsay. */
struct svmc_image_info {
    uint32_t kind, alg, mac, chunk_bytes, round, sections;
    uint64_t generation, body_bytes, chunks;
    uint64_t bytes; /* of all of the image */
    struct svmc_subkey_id subkey;
    uint8_t vm[SVMC_VM_ID_BYTES];
    uint8_t id[SVMC_IMAGE_ID_BYTES], session[SVMC_IMAGE_ID_BYTES], parent[SVMC_IMAGE_ID_BYTES];
};

/** What a writer makes, or a reader takes. */
struct svmc_image_config {
    struct svmc_sealer *sealer;
    uint64_t generation; /* writer: of this image; reader: older ones are refused */
    const struct svmc_image_name *parent; /* a delta's, and a round's but of the first; else NULL */
    const uint8_t *session; /* migration: [SVMC_IMAGE_ID_BYTES] that the receiver drew; else NULL */
    uint32_t *marks;        /* one a chunk, lent until the drop; trusted memory */
    uint64_t marks_count;
    uint32_t keep_marks;     /* reader: goes on where marks say */
    uint32_t kind;           /* from here on the writer's alone */
    uint32_t mac;            /* 0: SVMC_ALG_MAC_BLAKE2B_256; or SVMC_ALG_HMAC_SHA_256 */
    uint32_t chunk_bytes;    /* a power of two, 4096 to 2^20; 0: SVMC_IMAGE_CHUNK_BYTES */
    uint64_t segment_chunks; /* sealed with one subkey at most; 0: as many as its budget allows */
};

/** An image that is being written or read. Holds no secret. */
struct svmc_image {
    struct {
        struct svmc_sealer *sealer;
        uint32_t *marks;
        uint64_t chunks, segment_chunks;
        uint32_t state, shift, segments, retries, alg, mac;
        struct {
            uint64_t first; /* chunk */
            struct svmc_seal_use use;
        } segment[SVMC_IMAGE_SEGMENTS_MAX];
        uint8_t header[SVMC_IMAGE_HEADER_BYTES];
        uint8_t wire[SVMC_IMAGE_SEGMENTS_MAX * 32]; /* the segments, as the end has them */
    } priv;
};

/** @return the status that goes with a reason. */
SVMC_API enum svmc_status svmc_image_status(enum svmc_image_reason reason);

/** @return a reason's name without its prefix, e.g. "WRONG_PARENT"; the sealer's by
 *          svmc_seal_name; "?". */
SVMC_API const char *svmc_image_reason_name(enum svmc_image_reason reason);

/** @return 1: a VM may run with what the image of this name left it; 0: a round that is not the
 *          last, or no name. Of deltas the newest one is meant. IM-14, IM-16 */
SVMC_API uint32_t svmc_image_may_run(const struct svmc_image_name *name);

/** Read a header without any key, as for a listing. *info is zero on any error. IM-2, IM-4 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_inspect(const void *header, size_t bytes,
                                                                  struct svmc_image_info *info);

/** @return the body's bytes in a chunk, all but the last one's the same; 0: there is none. */
SVMC_API size_t svmc_image_chunk_bytes(const struct svmc_image *image, uint64_t index);

/** @return where the frame of a chunk is in the image; for the number of chunks: the end. IM-1 */
SVMC_API uint64_t svmc_image_place(const struct svmc_image *image, uint64_t index);

/** Give all subkeys back. Nobody is at a chunk.
 *  @return SVMC_OK; SVMC_ERR_BUSY: a lane is: again. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_image_drop(struct svmc_image *image);

/*
 * Control: all but seal_chunk and open_chunk: one caller at a time for an image, and for the
 * sealer, of whose VM key and slots they take. On any error outputs are zero and nothing changes.
 * Bytes that are read may be anybody's; frames are copied before they are judged.
 */

/**
 * Begin an image of these sections, which are laid out.
 *
 * Shape:   header[SVMC_IMAGE_HEADER_BYTES], table[SVMC_IMAGE_TABLE_BYTES(count)].
 * Source:  IM-3, IM-5 to IM-8.
 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_begin(
    struct svmc_image *image, const struct svmc_image_config *config,
    const struct svmc_image_section *section, size_t count, uint8_t *header, uint8_t *table);

/**
 * Seal a chunk of the body.
 *
 * Shape:   in[svmc_image_chunk_bytes()]; out: SVMC_IMAGE_FRAME_BYTES more; in may be where they
 *          end in out. lane: of the sealer's slots.
 * State:   a chunk is sealed once; one whose sealing failed may be tried again.
 * Threads: any, each with a lane.
 * Source:  IM-9, IM-10.
 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_seal_chunk(struct svmc_image *image,
                                                                     uint32_t lane, uint64_t index,
                                                                     const void *in, void *out);

/** What a writer needs to go on after chunk `done` - 1, once the chunks before `done` are stored
 *  for good: out[SVMC_IMAGE_END_BYTES]. IM-11 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_checkpoint(const struct svmc_image *image,
                                                                     uint64_t done, uint8_t *out);

/** Go on with an image, in another process too: with a fresh subkey. config is as it was to begin;
 *  mac and chunk_bytes are the header's. *done: the chunk to go on with. The body is what it
 *  was. IM-11 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_resume(
    struct svmc_image *image, const struct svmc_image_config *config, const void *header,
    const void *checkpoint, uint64_t *done);

/** All chunks are sealed: write the end, out[SVMC_IMAGE_END_BYTES]. IM-12 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_end(const struct svmc_image *image,
                                                              uint8_t *out,
                                                              struct svmc_image_name *name);

/** Begin to read: all that the header says is judged. IM-4, IM-13, IM-14 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_open(
    struct svmc_image *image, const struct svmc_image_config *config, const void *header,
    size_t bytes);

/** Open the table: section[the header's sections]. bytes: what is there from table on. IM-17 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_open_table(
    struct svmc_image *image, uint32_t lane, const void *table, size_t bytes,
    struct svmc_image_section *section);

/** Learn the segments from an image's end, before its chunks are opened. IM-12 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_open_end(struct svmc_image *image,
                                                                   const void *end, size_t bytes);

/**
 * Open a chunk.
 *
 * Shape:   frame: it and the sealed bytes behind it; bytes: what is there from frame on;
 *          out[svmc_image_chunk_bytes()], zero on any error; it may be where they begin in frame.
 * Threads: any, each with a lane.
 * Source:  IM-9, IM-15.
 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_open_chunk(struct svmc_image *image,
                                                                     uint32_t lane, uint64_t index,
                                                                     const void *frame,
                                                                     size_t bytes, void *out);

/** The same for the first chunk of a segment, where the end is not there yet: in a stream. */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_open_segment(struct svmc_image *image,
                                                                       uint32_t lane,
                                                                       uint64_t index,
                                                                       const void *frame,
                                                                       size_t bytes, void *out);

/** Is it all, and nothing else? Table and all chunks were opened, and the end fits. bytes: all that
 *  is left of the image. Before this nothing of an image is run. IM-16 */
SVMC_API SVMC_NODISCARD enum svmc_image_reason svmc_image_close(const struct svmc_image *image,
                                                                const void *end, size_t bytes,
                                                                struct svmc_image_name *name);

#ifdef __cplusplus
}
#endif
#endif
