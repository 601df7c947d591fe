/* SPDX-License-Identifier: MIT */
/** One unit of memory: decrypted, changed, encrypted; opaque and authentic. */
#include "../core/bytes.h"
#include "dma_private.h"

/* ---- opaque: AES-XTS -------------------------------------------------------------------------*/

/* DM-12: the tweak is the unit's address, its size and the epoch. */
enum svmc_dma_reason svmc_dma_crypt(const struct job *job, const struct slot *slot,
                                    uint64_t address, const void *in, void *out, bool encrypt)
{
    struct svmc_keyslots *ks = job->dma->priv.slots;
    uint8_t tweak[SVMC_TWEAK_BYTES];
    struct svmc_cipher_unit u; /* set one by one: zeroing it first costs more than all of it */

    u.lane = job->lane;
    u.pieces = 0;
    u.ad = NULL;
    u.nonce = tweak;
    u.in = in;
    u.out = out;
    u.n = job->unit_bytes;
    u.tag = NULL;
    core_store_le64(tweak, address | job->unit_shift);
    core_store_le64(tweak + 8, slot->epoch);
    return core_cipher_crypt(ks->priv.crypto, rooms_of(ks) + slot->place, &u, encrypt) == SVMC_OK
               ? SVMC_DMA_NONE
               : SVMC_DMA_CRYPTO;
}

static bool crypt(const struct job *job, const struct unit *unit, const void *in, void *out,
                  bool encrypt)
{
    return svmc_dma_crypt(job, unit->slot, unit->address, in, out, encrypt) == SVMC_DMA_NONE;
}

/* DM-13: a part of one is decrypted in the scratch. */
static enum svmc_dma_reason opaque_read(const struct job *job, const struct unit *unit)
{
    if (!crypt(job, unit, unit->memory, job->scratch, false))
        return SVMC_DMA_CRYPTO;
    memcpy(unit->buffer, job->scratch + unit->from, unit->bytes);
    return SVMC_DMA_NONE;
}

/* DM-14: a part of one is changed in the scratch, and then copied. */
static enum svmc_dma_reason opaque_write(const struct job *job, const struct unit *unit)
{
    if (!crypt(job, unit, unit->memory, job->scratch, false))
        return SVMC_DMA_CRYPTO;
    memcpy(job->scratch + unit->from, unit->buffer, unit->bytes);
    if (!crypt(job, unit, job->scratch, job->scratch, true))
        return SVMC_DMA_CRYPTO;
    memcpy(unit->memory, job->scratch, job->unit_bytes);
    return SVMC_DMA_NONE;
}

/* ---- authentic: an AEAD ----------------------------------------------------------------------*/

/* DM-16: what a unit is sealed with. */
struct aead {
    uint8_t nonce[SVMC_NONCE_BYTES_MAX], ad[32], tag[SVMC_TAG_BYTES];
    struct svmc_bytes piece;
    struct svmc_cipher_unit u;
};

static void aead_fill(struct aead *a, const struct job *job, const struct unit *unit,
                      uint64_t version)
{
    uint64_t number = unit->address >> job->unit_shift;

    memset(a->nonce, 0, sizeof a->nonce);
    core_store_le64(a->nonce, number | version << 40);
    core_store_le32(a->nonce + 8, (uint32_t)(version >> 24));
    core_store_le64(a->ad, unit->slot->domain);
    core_store_le64(a->ad + 8, unit->slot->epoch);
    core_store_le64(a->ad + 16, unit->address);
    core_store_le64(a->ad + 24, job->unit_bytes);
    a->piece = (struct svmc_bytes){ a->ad, sizeof a->ad };
    a->u = (struct svmc_cipher_unit){
        .lane = job->lane,
        .pieces = 1,
        .ad = &a->piece,
        .nonce = a->nonce,
        .in = job->scratch,
        .out = job->scratch,
        .n = job->unit_bytes,
        .tag = a->tag,
    };
}

/* DM-17: a copy is opened, so that what was verified is what is used. */
static enum svmc_dma_reason open_unit(const struct job *job, const struct unit *unit)
{
    struct svmc_keyslots *ks = job->dma->priv.slots;
    enum svmc_status st;
    struct aead a;

    if (unit->seal->version == 0) { /* DM-18 */
        memset(job->scratch, 0, job->unit_bytes);
        return SVMC_DMA_NONE;
    }
    memcpy(job->scratch, unit->memory, job->unit_bytes);
    aead_fill(&a, job, unit, unit->seal->version);
    memcpy(a.tag, unit->seal->tag, sizeof a.tag);
    st = core_cipher_open(ks->priv.crypto, rooms_of(ks) + unit->slot->place, &a.u);
    return st == SVMC_OK ? SVMC_DMA_NONE : st == SVMC_ERR_AUTH ? SVMC_DMA_TAG : SVMC_DMA_CRYPTO;
}

/* DM-19: a version is used up before it is tried, whatever comes of it. */
static enum svmc_dma_reason seal_unit(const struct job *job, const struct unit *unit,
                                      const void *in)
{
    struct svmc_keyslots *ks = job->dma->priv.slots;
    uint64_t version = unit->seal->used;
    struct aead a;

    if (version >= SVMC_DMA_VERSION_MAX || unit->seal->version > version)
        return SVMC_DMA_VERSIONS;
    unit->seal->used = ++version;
    aead_fill(&a, job, unit, version);
    a.u.in = in;
    if (core_cipher_seal(ks->priv.crypto, rooms_of(ks) + unit->slot->place, &a.u) != SVMC_OK)
        return SVMC_DMA_CRYPTO;
    memcpy(unit->memory, job->scratch, job->unit_bytes);
    memcpy(unit->seal->tag, a.tag, sizeof a.tag);
    unit->seal->version = version;
    return SVMC_DMA_NONE;
}

static enum svmc_dma_reason authentic_read(const struct job *job, const struct unit *unit)
{
    enum svmc_dma_reason why = open_unit(job, unit);

    if (why == SVMC_DMA_NONE)
        memcpy(unit->buffer, job->scratch + unit->from, unit->bytes);
    return why;
}

/* What a whole unit overwrites is not looked at. */
static enum svmc_dma_reason authentic_write(const struct job *job, const struct unit *unit)
{
    enum svmc_dma_reason why;

    if (unit->bytes == job->unit_bytes)
        return seal_unit(job, unit, unit->buffer);
    why = open_unit(job, unit);
    if (why != SVMC_DMA_NONE)
        return why;
    memcpy(job->scratch + unit->from, unit->buffer, unit->bytes);
    return seal_unit(job, unit, job->scratch);
}

enum svmc_dma_reason svmc_dma_unit_move(const struct job *job, const struct unit *unit)
{
    if (job->authentic)
        return job->write ? authentic_write(job, unit) : authentic_read(job, unit);
    return job->write ? opaque_write(job, unit) : opaque_read(job, unit);
}
