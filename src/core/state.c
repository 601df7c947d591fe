/* SPDX-License-Identifier: MIT */
/** The frame of saved states: docs/spec/state.md. */
#include "state.h"

#define STATE_MAGIC 0x54535653u /* "SVST" */

enum { AT_VERSION = 4, AT_KIND = 6, AT_BYTES = 8, AT_RESERVED = 12, FRAME_BYTES = 16 };

/* ST-1 */
CORE_COLD void svmc_core_state_begin(struct state_writer *w, enum svmc_saved_kind kind,
                                     uint32_t version, size_t bytes)
{
    state_put32(w, STATE_MAGIC);
    state_put16(w, (uint16_t)version);
    state_put16(w, (uint16_t)kind);
    state_put32(w, (uint32_t)bytes);
    state_put32(w, 0);
}

CORE_COLD const uint8_t *svmc_core_state_get(struct state_reader *r, size_t n)
{
    const uint8_t *at = r->at;

    if (r->bad || n > r->left) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    r->left -= n;
    return at;
}

/* ST-3 */
CORE_COLD enum svmc_status svmc_core_state_close(const struct state_reader *r)
{
    return r->bad || r->left != 0 ? SVMC_ERR_FORMAT : SVMC_OK;
}

/* ST-19: a vCPU's has a second one. */
static uint32_t newest(enum svmc_saved_kind kind)
{
    return kind == SVMC_SAVED_VCPU ? STATE_FIRST + 1 : STATE_FIRST;
}

/* ST-2: in this order, so that what is newer or something else is told so whatever it contains. */
CORE_COLD enum svmc_status svmc_core_state_open(struct state_reader *r, enum svmc_saved_kind kind,
                                                const uint8_t *bytes, size_t len)
{
    *r = (struct state_reader){ .at = bytes, .left = len };
    if (len < FRAME_BYTES || core_load_le32(bytes) != STATE_MAGIC ||
        core_load_le16(bytes + AT_VERSION) == 0)
        return SVMC_ERR_FORMAT;
    r->version = core_load_le16(bytes + AT_VERSION);
    if (r->version > newest(kind))
        return SVMC_ERR_UNSUPPORTED;
    if (core_load_le16(bytes + AT_KIND) != kind)
        return SVMC_ERR_PURPOSE;
    if (core_load_le32(bytes + AT_BYTES) != len || core_load_le32(bytes + AT_RESERVED) != 0)
        return SVMC_ERR_FORMAT;
    (void)svmc_core_state_get(r, FRAME_BYTES);
    return SVMC_OK;
}

CORE_COLD uint32_t svmc_saved_kind(const uint8_t *bytes, size_t len)
{
    if (!bytes || len < FRAME_BYTES || core_load_le32(bytes) != STATE_MAGIC)
        return SVMC_SAVED_NONE;
    return core_load_le16(bytes + AT_KIND);
}
