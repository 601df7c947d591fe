/* SPDX-License-Identifier: MIT */
/** The ring of events, each chained to the one before: docs/spec/audit.md, AU-5 to AU-12. */
#include <svmcore/audit.h>

#include "../core/bytes.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"
#include "intercept_private.h"

#define RING_MAGIC       0x41564353u
#define ENTRY            SVMC_AUDIT_ENTRY_BYTES
#define TAG              SVMC_AUDIT_TAG_BYTES
#define FIELDS           (ENTRY - TAG)
#define ALG_KIND(a)      ((uint32_t)(a) >> 4)
#define ALG_KIND_OF_HASH 1u
#define ALG_KIND_OF_MAC  2u

/* AU-6: where a field of an entry lies; little-endian, no byte is left over */
enum {
    AT_SEQUENCE = 0x00,
    AT_KIND = 0x08,
    AT_CALL = 0x0a,
    AT_VERDICT = 0x0b,
    AT_ACTION = 0x0c,
    AT_STOP = 0x0d,
    AT_RULE = 0x0e,
    AT_STATUS = 0x0f,
    AT_SHOWN = 0x10,
    AT_ACCEPTED = 0x14,
    AT_LOST = 0x18,
    AT_VCPU = 0x1c,
    AT_TAG = 0x20
};
_Static_assert(AT_TAG == FIELDS && AT_TAG + TAG == ENTRY, "fields, then the tag");

/* What tags are made with; `state` is a hash's room. */
struct maker {
    const struct svmc_crypto_ops *ops;
    const uint8_t *key;
    struct svmc_hash_state *state;
    uint32_t alg;
};

/* AU-8: a MAC with a key, or a hash without. */
static bool can_make(const struct maker *m)
{
    if (ALG_KIND(m->alg) == ALG_KIND_OF_MAC)
        return m->ops && CORE_HAS_OP(m->ops, mac) && m->key;
    return ALG_KIND(m->alg) == ALG_KIND_OF_HASH && core_crypto_can_hash(m->ops) && !m->key;
}

/* AU-7: tag = MAC or hash of the tag before and the entry's fields. Not SVMC_OK: no tag. */
static enum svmc_status make_tag(const struct maker *m, const uint8_t *before, const uint8_t *entry,
                                 uint8_t tag[TAG])
{
    const struct svmc_bytes piece[2] = { { before, TAG }, { entry, FIELDS } };
    const struct svmc_crypto_ops *ops = m->ops;
    enum svmc_status st;

    if (ALG_KIND(m->alg) == ALG_KIND_OF_MAC) {
        st = ops->mac(ops->ctx, m->alg, m->key, piece, 2, tag);
        return core_crypto_verdict(st);
    }
    st = ops->hash_begin(ops->ctx, m->state, m->alg);
    if (st != SVMC_OK)
        return core_crypto_verdict(st);
    st = ops->hash_add(ops->ctx, m->state, before, TAG);
    if (st == SVMC_OK)
        st = ops->hash_add(ops->ctx, m->state, entry, FIELDS);
    return core_crypto_hash_end(ops, m->state, st, tag);
}

bool svmc_intercept_audit_ready(const struct svmc_audit_ring *ring)
{
    return ring && ring->priv.magic == RING_MAGIC;
}

enum svmc_status svmc_audit_init(struct svmc_audit_ring *ring, const struct svmc_crypto_ops *ops,
                                 enum svmc_alg alg, const uint8_t *key, uint8_t *entries,
                                 size_t count, const uint8_t *start)
{
    struct maker maker = { ops, key, NULL, (uint32_t)alg };
    uint8_t trial[TAG], first[TAG] = { 0 };
    enum svmc_status st;

    if (!ring)
        return SVMC_ERR_ARG;
    if (start)
        memcpy(first, start, TAG); /* it may be this ring's own last tag */
    memset(ring, 0, sizeof *ring);
    if (!can_make(&maker) || !entries || count == 0 || count > SVMC_AUDIT_ENTRIES_MAX ||
        (count & (count - 1)) != 0)
        return SVMC_ERR_ARG;
    memset(entries, 0, count * ENTRY);
    maker.state = &ring->priv.state;
    st = make_tag(&maker, first, entries, trial);
    if (st != SVMC_OK) {
        memset(&ring->priv.state, 0, sizeof ring->priv.state);
        return st;
    }
    ring->priv.ops = ops;
    ring->priv.key = key;
    ring->priv.entries = entries;
    ring->priv.alg = (uint32_t)alg;
    ring->priv.mask = (uint32_t)count - 1;
    memcpy(ring->priv.before, first, TAG);
    memcpy(ring->priv.last, first, TAG);
    ring->priv.magic = RING_MAGIC;
    return SVMC_OK;
}

/* Where the entry with this sequence lies; the number is the ring's own or was compared with it. */
static uint8_t *place(const struct svmc_audit_ring *ring, uint64_t sequence)
{
    return ring->priv.entries + (size_t)(sequence & ring->priv.mask) * ENTRY;
}

static uint64_t oldest(const struct svmc_audit_ring *ring)
{
    uint64_t count = (uint64_t)ring->priv.mask + 1;

    return ring->priv.next > count ? ring->priv.next - count : 0;
}

static void put_fields(uint8_t at[FIELDS], const struct svmc_audit_entry *e, uint64_t sequence,
                       uint32_t lost)
{
    core_store_le64(at + AT_SEQUENCE, sequence);
    core_store_le16(at + AT_KIND, e->kind);
    at[AT_CALL] = e->call;
    at[AT_VERDICT] = e->verdict;
    at[AT_ACTION] = e->action;
    at[AT_STOP] = e->stop;
    at[AT_RULE] = e->rule;
    at[AT_STATUS] = e->status;
    core_store_le32(at + AT_SHOWN, e->bytes_shown);
    core_store_le32(at + AT_ACCEPTED, e->bytes_accepted);
    core_store_le32(at + AT_LOST, lost);
    core_store_le32(at + AT_VCPU, e->vcpu);
}

/* AU-9 AU-10 AU-12: without a tag there is no entry; the next one says how many are missing. */
void svmc_intercept_audit_add(struct svmc_audit_ring *ring, const struct svmc_audit_entry *event)
{
    const struct maker maker = { ring->priv.ops, ring->priv.key, &ring->priv.state,
                                 ring->priv.alg };
    uint8_t fields[FIELDS], tag[TAG], *at = place(ring, ring->priv.next);

    put_fields(fields, event, ring->priv.next, ring->priv.lost_now);
    if (make_tag(&maker, ring->priv.last, fields, tag) != SVMC_OK) {
        ring->priv.lost++;
        ring->priv.lost_now += ring->priv.lost_now != UINT32_MAX;
        return;
    }
    if (ring->priv.next > ring->priv.mask) /* the oldest goes, its tag stays */
        memcpy(ring->priv.before, at + AT_TAG, TAG);
    memcpy(at, fields, FIELDS);
    memcpy(at + AT_TAG, tag, TAG);
    memcpy(ring->priv.last, tag, TAG);
    ring->priv.next++;
    ring->priv.lost_now = 0;
}

enum svmc_status svmc_audit_head_read(const struct svmc_audit_ring *ring,
                                      struct svmc_audit_head *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!svmc_intercept_audit_ready(ring))
        return SVMC_ERR_ARG;
    out->oldest = oldest(ring);
    out->next = ring->priv.next;
    out->lost = ring->priv.lost;
    memcpy(out->before, ring->priv.before, TAG);
    memcpy(out->last, ring->priv.last, TAG);
    return SVMC_OK;
}

enum svmc_status svmc_audit_read(const struct svmc_audit_ring *ring, uint64_t from, uint8_t *bytes,
                                 size_t cap, size_t *len)
{
    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!svmc_intercept_audit_ready(ring) || (!bytes && cap > 0) || from > ring->priv.next)
        return SVMC_ERR_ARG;
    if (from < oldest(ring))
        return SVMC_ERR_STALE;
    for (; from < ring->priv.next && cap - *len >= ENTRY; from++, *len += ENTRY)
        memcpy(bytes + *len, place(ring, from), ENTRY);
    return SVMC_OK;
}

enum svmc_status svmc_audit_verify(const struct svmc_crypto_ops *ops, enum svmc_alg alg,
                                   const uint8_t *key, const uint8_t *before, const uint8_t *bytes,
                                   size_t len, const uint8_t *last, size_t *good)
{
    struct svmc_hash_state state;
    const struct maker maker = { ops, key, &state, (uint32_t)alg };
    uint8_t tag[TAG];

    if (!good)
        return SVMC_ERR_ARG;
    *good = 0;
    if (!can_make(&maker) || !CORE_HAS_OP(ops, equal) || !before || (!bytes && len > 0) ||
        len % ENTRY != 0 || (!last && !key))
        return SVMC_ERR_ARG;
    for (size_t at = 0; at < len; at += ENTRY) {
        enum svmc_status st = make_tag(&maker, before, bytes + at, tag);

        if (st != SVMC_OK) {
            *good = 0;
            return st;
        }
        before = bytes + at + AT_TAG;
        if (ops->equal(ops->ctx, tag, before, TAG) != SVMC_OK)
            return SVMC_ERR_AUTH;
        ++*good;
    }
    return !last || ops->equal(ops->ctx, before, last, TAG) == SVMC_OK ? SVMC_OK : SVMC_ERR_AUTH;
}

enum svmc_status svmc_audit_entry_read(const uint8_t *bytes, struct svmc_audit_entry *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!bytes)
        return SVMC_ERR_ARG;
    out->sequence = core_load_le64(bytes + AT_SEQUENCE);
    out->kind = core_load_le16(bytes + AT_KIND);
    out->call = bytes[AT_CALL];
    out->verdict = bytes[AT_VERDICT];
    out->action = bytes[AT_ACTION];
    out->stop = bytes[AT_STOP];
    out->rule = bytes[AT_RULE];
    out->status = bytes[AT_STATUS];
    out->bytes_shown = core_load_le32(bytes + AT_SHOWN);
    out->bytes_accepted = core_load_le32(bytes + AT_ACCEPTED);
    out->lost_before = core_load_le32(bytes + AT_LOST);
    out->vcpu = core_load_le32(bytes + AT_VCPU);
    memcpy(out->tag, bytes + AT_TAG, TAG);
    return SVMC_OK;
}
