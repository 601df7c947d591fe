/* SPDX-License-Identifier: MIT */
/** The context of a vCPU: gathered, sealed, wiped; judged, opened, given out. */
#include <svmcore/seal_context.h>

#include "../core/bytes.h"
#include "seal_private.h"

#define VERSION 1u

/* SE-24: where things are in a blob; all before the tag is additional data. */
enum {
    AT_VERSION = 4,
    AT_PURPOSE = 5,
    AT_ALG = 6,
    AT_ZERO = 7,
    AT_VCPU = 8,
    AT_BYTES = 12,
    AT_COUNTER = 16,
    AT_VM = 24,
    AT_EPOCH = 40,
    AT_INDEX = 56,
    AT_TAG = 64
};

_Static_assert(AT_TAG + SVMC_TAG_BYTES == SVMC_CONTEXT_HEADER_BYTES, "the tag ends the header");
_Static_assert(AT_TAG <= SVMC_AD_BYTES_MAX - 32, "the header can be bound");
_Static_assert(SVMC_CONTEXT_BYTES_MAX <= SVMC_CIPHER_BYTES_MAX, "one unit");

static const uint8_t magic[AT_VERSION] = { 'S', 'V', 'M', 'V' };

static uint64_t *entry_of(const struct svmc_contexts *contexts, uint32_t vcpu)
{
    if (!contexts || vcpu >= contexts->priv.vcpus)
        return NULL;
    return contexts->priv.entry + core_clamp(vcpu, contexts->priv.vcpus);
}

static uint8_t *scratch_of(const struct svmc_contexts *contexts, uint32_t lane)
{
    return contexts->priv.scratch +
           core_clamp(lane, contexts->priv.lanes) * contexts->priv.scratch_bytes;
}

/* SE-25: memory that outlives the call, so no compiler leaves this out; the table's wipe may go
   byte by byte, and a context is long. */
static void wipe(void *at, size_t n)
{
    if (n != 0)
        memset(at, 0, n);
}

/* ---- setting up ------------------------------------------------------------------------------*/

static bool is_possible(const struct svmc_contexts_config *c)
{
    return c && c->vcpus - 1 < SVMC_CONTEXTS_MAX && c->bytes - 1 < SVMC_CONTEXT_BYTES_MAX &&
           c->lanes - 1 < SVMC_KEYSLOT_LANES_MAX && c->subkeys >= 2 &&
           c->subkeys <= SVMC_SEAL_TURN_MAX;
}

size_t svmc_contexts_bytes(const struct svmc_contexts_config *config)
{
    if (!is_possible(config))
        return 0;
    return (size_t)config->lanes * lines(config->bytes) + config->subkeys * sizeof(struct subkey) +
           lines((size_t)config->vcpus * sizeof(uint64_t));
}

/* SE-23 */
enum svmc_status svmc_contexts_init(struct svmc_contexts *contexts,
                                    const struct svmc_contexts_config *config, void *memory,
                                    size_t bytes)
{
    size_t need = svmc_contexts_bytes(config);
    enum svmc_seal_reason why;
    enum svmc_status st;
    uint8_t *at = memory;

    if (!contexts)
        return SVMC_ERR_ARG;
    memset(contexts, 0, sizeof *contexts);
    if (need == 0 || !memory || (uintptr_t)memory % SVMC_CONTEXTS_ALIGN != 0 ||
        !has_lanes(config->sealer, config->lanes))
        return SVMC_ERR_ARG;
    if (bytes < need)
        return SVMC_ERR_FULL;
    memset(memory, 0, need);
    contexts->priv.turn.sealer = config->sealer;
    contexts->priv.turn.subkeys = config->subkeys;
    contexts->priv.turn.purpose = SVMC_KEY_CONTEXT;
    contexts->priv.turn.unit_blocks = (config->bytes + 15) / 16 + 1;
    contexts->priv.vcpus = config->vcpus;
    contexts->priv.bytes = config->bytes;
    contexts->priv.lanes = config->lanes;
    contexts->priv.scratch_bytes = lines(config->bytes);
    contexts->priv.scratch = at;
    at += config->lanes * lines(config->bytes);
    contexts->priv.turn.subkey = at;
    at += config->subkeys * sizeof(struct subkey);
    contexts->priv.entry = (uint64_t *)(void *)at;
    why = svmc_seal_turn_begin(&contexts->priv.turn);
    if (why == SVMC_SEAL_NONE)
        return SVMC_OK;
    st = svmc_contexts_drop(contexts); /* nobody is at it */
    return st == SVMC_OK ? svmc_seal_status(why) : st;
}

enum svmc_status svmc_contexts_drop(struct svmc_contexts *contexts)
{
    if (!contexts)
        return SVMC_ERR_ARG;
    if (svmc_seal_turn_end(&contexts->priv.turn) != SVMC_OK)
        return SVMC_ERR_BUSY;
    memset(contexts, 0, sizeof *contexts);
    return SVMC_OK;
}

enum svmc_seal_reason svmc_contexts_tend(struct svmc_contexts *contexts)
{
    return contexts && contexts->priv.vcpus != 0 ? svmc_seal_turn_tend(&contexts->priv.turn)
                                                 : SVMC_SEAL_RANGE;
}

uint64_t svmc_contexts_left(const struct svmc_contexts *contexts)
{
    return contexts && contexts->priv.vcpus != 0 ? svmc_seal_turn_left(&contexts->priv.turn) : 0;
}

uint32_t svmc_context_is_out(const struct svmc_contexts *contexts, uint32_t vcpu)
{
    const uint64_t *e = entry_of(contexts, vcpu);

    return e && (__atomic_load_n(e, __ATOMIC_ACQUIRE) & ENTRY_OUT) != 0;
}

size_t svmc_context_blob_bytes(const struct svmc_contexts *contexts, size_t bytes)
{
    return contexts && bytes - 1 < contexts->priv.bytes ? SVMC_CONTEXT_HEADER_BYTES + bytes : 0;
}

/* ---- pieces ----------------------------------------------------------------------------------*/

/* The bytes of all pieces; 0: they cannot be. */
static size_t bytes_of(const struct svmc_contexts *contexts, const struct svmc_context_piece *piece,
                       size_t pieces)
{
    size_t sum = 0;

    if (!piece || pieces > SVMC_CONTEXT_PIECES_MAX)
        return 0;
    for (size_t i = 0; i < pieces; i++) {
        if (piece[i].bytes > contexts->priv.bytes - sum || (!piece[i].at && piece[i].bytes != 0))
            return 0;
        sum += piece[i].bytes;
    }
    return sum;
}

static void gather(const struct svmc_context_piece *piece, size_t pieces, uint8_t *to)
{
    for (size_t i = 0; i < pieces; to += piece[i].bytes, i++)
        if (piece[i].bytes != 0)
            memcpy(to, piece[i].at, piece[i].bytes);
}

static void scatter(const struct svmc_context_piece *piece, size_t pieces, const uint8_t *from)
{
    for (size_t i = 0; i < pieces; from += piece[i].bytes, i++)
        if (piece[i].bytes != 0)
            memcpy(piece[i].at, from, piece[i].bytes);
}

/* ---- out -------------------------------------------------------------------------------------*/

/* What a context is sealed under, and where it is of. */
struct about {
    const struct svmc_seal_use *use;
    uint64_t counter;
    uint32_t vcpu, bytes;
};

/* SE-24 */
static void fill(const struct svmc_contexts *contexts, const struct about *about,
                 uint8_t header[SVMC_CONTEXT_HEADER_BYTES])
{
    memset(header, 0, SVMC_CONTEXT_HEADER_BYTES);
    memcpy(header, magic, sizeof magic);
    header[AT_VERSION] = VERSION;
    header[AT_PURPOSE] = SVMC_KEY_CONTEXT;
    header[AT_ALG] = (uint8_t)about->use->alg;
    core_store_le32(header + AT_VCPU, about->vcpu);
    core_store_le32(header + AT_BYTES, about->bytes);
    core_store_le64(header + AT_COUNTER, about->counter);
    memcpy(header + AT_VM, contexts->priv.turn.sealer->priv.key->priv.vm, SVMC_VM_ID_BYTES);
    memcpy(header + AT_EPOCH, about->use->id.epoch, SVMC_EPOCH_BYTES);
    core_store_le64(header + AT_INDEX, about->use->id.index);
}

static struct svmc_sealed_unit unit_of(const struct about *about, uint8_t *header, uint8_t *text)
{
    return (struct svmc_sealed_unit){ .number = about->vcpu,
                                      .version = about->counter,
                                      .ad = header,
                                      .ad_bytes = AT_TAG,
                                      .in = text,
                                      .out = text,
                                      .bytes = about->bytes,
                                      .tag = header + AT_TAG };
}

/* SE-25: sealed in the lane's room, where nobody else reads text or writes what is being tagged. */
static enum svmc_seal_reason seal(struct svmc_contexts *contexts, uint32_t lane,
                                  struct about *about, uint8_t *text, uint8_t *blob)
{
    struct svmc_seal_use use = *about->use;
    uint8_t header[SVMC_CONTEXT_HEADER_BYTES];
    struct svmc_sealed_unit u = unit_of(about, header, text);
    enum svmc_seal_reason why;

    use.calls = 1; /* of what the turn counted */
    use.blocks = contexts->priv.turn.unit_blocks;
    fill(contexts, about, header);
    why = svmc_seal_unit(contexts->priv.turn.sealer, lane, &use, &u);
    if (why != SVMC_SEAL_NONE) {
        wipe(text, about->bytes);
        return why;
    }
    memcpy(blob, header, sizeof header);
    memcpy(blob + sizeof header, text, about->bytes);
    return SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_context_out(struct svmc_contexts *contexts, uint32_t lane, uint32_t vcpu,
                                       const struct svmc_context_piece *piece, size_t pieces,
                                       void *blob, size_t bytes)
{
    uint64_t *e = entry_of(contexts, vcpu), entry;
    struct about about = { .vcpu = vcpu };
    enum svmc_seal_reason why;
    uint32_t subkey;

    if (!e || lane >= contexts->priv.lanes || !blob)
        return SVMC_SEAL_RANGE;
    about.bytes = (uint32_t)bytes_of(contexts, piece, pieces);
    if (about.bytes == 0 || bytes < SVMC_CONTEXT_HEADER_BYTES + (size_t)about.bytes)
        return SVMC_SEAL_RANGE;
    why = claim(e, false, &entry);
    if (why != SVMC_SEAL_NONE)
        return why;
    if (!svmc_seal_turn_take(&contexts->priv.turn, &subkey)) {
        settle(e, entry);
        return SVMC_SEAL_BUDGET;
    }
    /* SE-18: one count for all, which goes on whatever comes of it */
    about.counter = __atomic_add_fetch(&contexts->priv.version, 1, __ATOMIC_RELAXED);
    about.use = &subkey_at(&contexts->priv.turn, subkey)->use;
    gather(piece, pieces, scratch_of(contexts, lane));
    why = seal(contexts, lane, &about, scratch_of(contexts, lane), blob);
    if (why != SVMC_SEAL_NONE) {
        svmc_seal_turn_give_up(&contexts->priv.turn, subkey);
        settle(e, entry);
        return why;
    }
    for (size_t i = 0; i < pieces; i++)
        wipe(piece[i].at, piece[i].bytes);
    settle(e, about.counter | (uint64_t)subkey << SUBKEY_SHIFT | ENTRY_OUT);
    return SVMC_SEAL_NONE;
}

/* ---- in --------------------------------------------------------------------------------------*/

static bool same(const uint8_t *a, const uint8_t *b, uint32_t at, uint32_t end)
{
    return memcmp(a + at, b + at, end - at) == 0;
}

/* SE-26: what a blob says of itself, beside what it has to say. Nothing of it is secret, and the
   tag is still to come. */
static enum svmc_seal_reason judge(const uint8_t *got, const uint8_t *want)
{
    if (!same(got, want, 0, AT_VERSION))
        return SVMC_SEAL_FORMAT;
    if (!same(got, want, AT_VERSION, AT_PURPOSE))
        return SVMC_SEAL_ALG;
    if (!same(got, want, AT_PURPOSE, AT_ALG))
        return SVMC_SEAL_PURPOSE;
    if (!same(got, want, AT_ALG, AT_ZERO))
        return SVMC_SEAL_ALG;
    if (!same(got, want, AT_ZERO, AT_VCPU) || !same(got, want, AT_BYTES, AT_COUNTER))
        return SVMC_SEAL_FORMAT;
    if (!same(got, want, AT_VM, AT_EPOCH))
        return SVMC_SEAL_OWNER;
    if (!same(got, want, AT_VCPU, AT_BYTES))
        return SVMC_SEAL_PURPOSE;
    if (!same(got, want, AT_EPOCH, AT_INDEX))
        return SVMC_SEAL_EPOCH;
    return same(got, want, AT_COUNTER, AT_VM) && same(got, want, AT_INDEX, AT_TAG) ? SVMC_SEAL_NONE
                                                                                   : SVMC_SEAL_OLD;
}

/* SE-27: all of the blob is copied once, then judged and opened. */
static enum svmc_seal_reason open_blob(struct svmc_contexts *contexts, uint32_t lane,
                                       const struct about *about, const uint8_t *blob,
                                       uint8_t *text)
{
    uint8_t header[SVMC_CONTEXT_HEADER_BYTES], want[SVMC_CONTEXT_HEADER_BYTES];
    struct svmc_sealed_unit u = unit_of(about, header, text);
    enum svmc_seal_reason why =
        svmc_seal_may(contexts->priv.turn.sealer, SVMC_KEY_CONTEXT, 0, about->vcpu, 1);

    if (why != SVMC_SEAL_NONE)
        return why;
    memcpy(header, blob, sizeof header);
    fill(contexts, about, want);
    why = judge(header, want);
    if (why != SVMC_SEAL_NONE)
        return why;
    memcpy(text, blob + sizeof header, about->bytes);
    return svmc_open_unit(contexts->priv.turn.sealer, lane, about->use, &u);
}

enum svmc_seal_reason svmc_context_in(struct svmc_contexts *contexts, uint32_t lane, uint32_t vcpu,
                                      const void *blob, size_t bytes,
                                      const struct svmc_context_piece *piece, size_t pieces)
{
    uint64_t *e = entry_of(contexts, vcpu), entry;
    struct about about = { .vcpu = vcpu };
    enum svmc_seal_reason why;
    uint8_t *text;

    if (!e || lane >= contexts->priv.lanes || !blob)
        return SVMC_SEAL_RANGE;
    about.bytes = (uint32_t)bytes_of(contexts, piece, pieces);
    if (about.bytes == 0)
        return SVMC_SEAL_RANGE;
    why = claim(e, true, &entry);
    if (why != SVMC_SEAL_NONE)
        return why;
    text = scratch_of(contexts, lane);
    about.counter = version_of(entry);
    about.use = &subkey_at(&contexts->priv.turn, subkey_of(entry))->use;
    why = bytes == SVMC_CONTEXT_HEADER_BYTES + (size_t)about.bytes
              ? open_blob(contexts, lane, &about, blob, text)
              : SVMC_SEAL_FORMAT;
    if (why != SVMC_SEAL_NONE) {
        settle(e, entry);
        return why;
    }
    scatter(piece, pieces, text);
    wipe(text, about.bytes);
    svmc_seal_turn_give_up(&contexts->priv.turn, subkey_of(entry));
    settle(e, 0);
    return SVMC_SEAL_NONE;
}

/* SE-28 */
enum svmc_seal_reason svmc_context_forget(struct svmc_contexts *contexts, uint32_t vcpu)
{
    uint64_t *e = entry_of(contexts, vcpu), entry;
    enum svmc_seal_reason why;

    if (!e)
        return SVMC_SEAL_RANGE;
    why = claim(e, true, &entry);
    if (why != SVMC_SEAL_NONE)
        return why;
    svmc_seal_turn_give_up(&contexts->priv.turn, subkey_of(entry));
    settle(e, 0);
    return SVMC_SEAL_NONE;
}
