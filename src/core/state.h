/* SPDX-License-Identifier: MIT */
/**
 * Saved states: one frame for all objects, written and read field by field. docs/spec/state.md.
 * A writer without a buffer counts, so that what writes an object also says how long it is. A
 * reader that was asked for more than there is gives zeros and remembers.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/state.h>

#include "bytes.h"
#include "memory.h"

struct state_writer {
    uint8_t *out; /* NULL: count alone */
    size_t at;
};

struct state_reader {
    const uint8_t *at;
    size_t left;
    uint32_t version;
    bool bad; /* something was not there, or not what it has to be */
};

/** So many bytes to fill in; NULL: they are counted. */
static inline uint8_t *state_room(struct state_writer *w, size_t n)
{
    uint8_t *room = w->out ? w->out + w->at : NULL;

    w->at += n;
    return room;
}

static inline void state_put8(struct state_writer *w, uint8_t value)
{
    uint8_t *room = state_room(w, 1);

    if (room)
        *room = value;
}

static inline void state_put16(struct state_writer *w, uint16_t value)
{
    uint8_t *room = state_room(w, 2);

    if (room)
        core_store_le16(room, value);
}

static inline void state_put32(struct state_writer *w, uint32_t value)
{
    uint8_t *room = state_room(w, 4);

    if (room)
        core_store_le32(room, value);
}

static inline void state_put64(struct state_writer *w, uint64_t value)
{
    uint8_t *room = state_room(w, 8);

    if (room)
        core_store_le64(room, value);
}

static inline void state_put(struct state_writer *w, const void *bytes, size_t n)
{
    uint8_t *room = state_room(w, n);

    if (room && n != 0)
        memcpy(room, bytes, n);
}

/** The next n bytes; NULL: there are not so many. */
const uint8_t *svmc_core_state_get(struct state_reader *r, size_t n);

static inline uint8_t state_get8(struct state_reader *r)
{
    const uint8_t *at = svmc_core_state_get(r, 1);

    return at ? *at : 0;
}

static inline uint16_t state_get16(struct state_reader *r)
{
    const uint8_t *at = svmc_core_state_get(r, 2);

    return at ? core_load_le16(at) : 0;
}

static inline uint32_t state_get32(struct state_reader *r)
{
    const uint8_t *at = svmc_core_state_get(r, 4);

    return at ? core_load_le32(at) : 0;
}

static inline uint64_t state_get64(struct state_reader *r)
{
    const uint8_t *at = svmc_core_state_get(r, 8);

    return at ? core_load_le64(at) : 0;
}

/** A field that has this one value. */
static inline void state_want(struct state_reader *r, bool holds)
{
    r->bad |= !holds;
}

#define STATE_FIRST 1u /* version */

/** ST-1: the frame. `bytes`: all of them, the frame's own too; while they are counted any. */
void svmc_core_state_begin(struct state_writer *w, enum svmc_saved_kind kind, uint32_t version,
                           size_t bytes);
/** ST-2: what stands behind the frame, if it is one of this kind. */
enum svmc_status svmc_core_state_open(struct state_reader *r, enum svmc_saved_kind kind,
                                      const uint8_t *bytes, size_t len);
/** ST-3: all was there, was sound, and nothing is left over. */
enum svmc_status svmc_core_state_close(const struct state_reader *r);

#endif
