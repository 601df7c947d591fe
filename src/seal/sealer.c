/* SPDX-License-Identifier: MIT */
/** The sealer: the gate, subkeys in slots, units. */
#include <stdbool.h>
#include <svmcore/seal.h>

#include "../core/bytes.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"
#include "../keyslot/sealing.h"
#include "sealer_private.h"

#define STATE_SHIFT 16u
#define USAGE       0xffffu
#define UNIT_BYTES  4096u /* a slot wants to know one; units of a sealer have any size */

/* SE-8: what is bound to a unit before the caller's own. */
#define FIXED_BYTES 16u

_Static_assert(SVMC_AD_BYTES_MAX - 32 + FIXED_BYTES <= SVMC_AD_BYTES_MAX, "both fit in a call");
_Static_assert(SVMC_KEY_TREE < 32 && SVMC_PROTECT_ALL < 1u << (SVMC_KEY_TREE + 1), "bits");

static uint32_t aead_bit(uint32_t alg)
{
    return 1u << (alg & 15);
}

/* ---- the gate --------------------------------------------------------------------------------*/

/* SE-6: what never outlives its epoch. */
static bool is_fleeting(uint32_t purpose)
{
    return purpose == SVMC_KEY_PAGE || purpose == SVMC_KEY_CONTEXT;
}

/* SE-4, but for range and epoch. */
static enum svmc_seal_reason judge(const struct svmc_sealer *sealer, uint32_t purpose, bool seal,
                                   enum svmc_status key)
{
    uint32_t allowed = __atomic_load_n(&sealer->priv.allowed, __ATOMIC_RELAXED);
    uint32_t state = allowed >> STATE_SHIFT;

    if (purpose > SVMC_KEY_TREE || (sealer->priv.protect & SVMC_PROTECT(purpose)) == 0)
        return SVMC_SEAL_UNPROTECTED;
    if (__atomic_load_n(&sealer->priv.tested, __ATOMIC_RELAXED) == 0)
        return SVMC_SEAL_SELF_TEST;
    if (key == SVMC_ERR_ABSENT)
        return SVMC_SEAL_NO_KEY;
    if (state != SVMC_KEY_ACTIVE && (seal || state != SVMC_KEY_DEACTIVATED))
        return SVMC_SEAL_KEY_STATE;
    return (allowed & (seal ? SVMC_KEY_MAY_SEAL : SVMC_KEY_MAY_OPEN)) != 0 ? SVMC_SEAL_NONE
                                                                           : SVMC_SEAL_USAGE;
}

static enum svmc_seal_reason judge_epoch(uint32_t purpose, bool seal, enum svmc_status key)
{
    return key == SVMC_ERR_STALE && (seal || is_fleeting(purpose)) ? SVMC_SEAL_EPOCH
                                                                   : SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_seal_may(const struct svmc_sealer *sealer, uint32_t purpose,
                                    uint32_t seal, uint64_t first, uint64_t count)
{
    enum svmc_seal_reason why;
    enum svmc_status key;

    if (!sealer)
        return SVMC_SEAL_UNPROTECTED;
    key = svmc_vmkey_check(sealer->priv.key, NULL);
    why = judge(sealer, purpose, seal != 0, key);
    if (why != SVMC_SEAL_NONE)
        return why;
    if (first > SVMC_SEAL_NUMBER_MAX || count > SVMC_SEAL_NUMBER_MAX - first + 1)
        return SVMC_SEAL_RANGE;
    return judge_epoch(purpose, seal != 0, key);
}

/* ---- control ---------------------------------------------------------------------------------*/

/* SE-2: one derivation at least, and none that is there and wrong. */
static enum svmc_status try_derive(const struct svmc_crypto_ops *ops)
{
    enum svmc_status blake2b = svmc_crypto_try(ops, SVMC_ALG_DERIVE_BLAKE2B, NULL);
    enum svmc_status hkdf = svmc_crypto_try(ops, SVMC_ALG_HKDF_SHA_256, NULL);

    if (blake2b == SVMC_ERR_UNSUPPORTED)
        return hkdf;
    return hkdf == SVMC_ERR_UNSUPPORTED ? blake2b : blake2b != SVMC_OK ? blake2b : hkdf;
}

enum svmc_status svmc_sealer_init(struct svmc_sealer *sealer,
                                  const struct svmc_sealer_config *config)
{
    enum svmc_status st;

    if (!sealer)
        return SVMC_ERR_ARG;
    memset(sealer, 0, sizeof *sealer);
    if (!config || !config->crypto || !config->slots || !config->key ||
        (config->protect & ~SVMC_PROTECT_ALL) != 0)
        return SVMC_ERR_ARG;
    if (svmc_cipher_shape_of(config->alg).tag_bytes == 0)
        return SVMC_ERR_UNSUPPORTED;
    st = svmc_keyslot_try(config->slots, config->crypto, config->alg);
    if (st == SVMC_OK)
        st = try_derive(config->crypto);
    if (st != SVMC_OK && st != SVMC_ERR_CALLBACK)
        return st;
    sealer->priv.crypto = config->crypto;
    sealer->priv.slots = config->slots;
    sealer->priv.key = config->key;
    sealer->priv.domain = config->domain;
    sealer->priv.protect = config->protect;
    sealer->priv.alg = config->alg;
    sealer->priv.tested = st == SVMC_OK ? aead_bit(config->alg) : 0;
    svmc_sealer_key(sealer, SVMC_KEY_ACTIVE, SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN);
    return st;
}

/* SE-3: state and usage in one store, so that nobody sees one of them. */
void svmc_sealer_key(struct svmc_sealer *sealer, uint32_t state, uint32_t usage)
{
    if (!sealer)
        return;
    if (state > SVMC_KEY_DESTROYED_COMPROMISED)
        state = 0;
    __atomic_store_n(&sealer->priv.allowed, state << STATE_SHIFT | (usage & USAGE),
                     __ATOMIC_RELAXED);
}

/* SE-5, SE-6: the subkey that use names, in a slot: the one that use has, or else a free one. */
static enum svmc_seal_reason load(struct svmc_sealer *sealer, struct svmc_seal_use *use)
{
    const struct keyslot_subkey from = { sealer->priv.key, use->purpose, &use->id };
    struct svmc_keyslot_key key = { 0 };
    enum svmc_status st;

    key.domain = sealer->priv.domain;
    key.epoch = core_load_le64(use->id.epoch);
    key.alg = use->alg;
    key.unit_bytes = UNIT_BYTES;
    st = svmc_keyslot_subkey(sealer->priv.slots, &from, &key, &use->slot);
    if (st != SVMC_OK)
        memset(use, 0, sizeof *use);
    return st == SVMC_OK                ? SVMC_SEAL_NONE
           : st == SVMC_ERR_BUSY        ? SVMC_SEAL_BUSY
           : st == SVMC_ERR_FULL        ? SVMC_SEAL_SLOTS
           : st == SVMC_ERR_UNSUPPORTED ? SVMC_SEAL_ALG
                                        : SVMC_SEAL_CRYPTO;
}

enum svmc_seal_reason svmc_seal_begin(struct svmc_sealer *sealer, uint32_t purpose, uint64_t units,
                                      uint64_t blocks, struct svmc_seal_use *use)
{
    struct svmc_key_grant grant;
    enum svmc_seal_reason why;

    if (!use)
        return SVMC_SEAL_RANGE;
    memset(use, 0, sizeof *use);
    why = svmc_seal_may(sealer, purpose, 1, 0, 0);
    if (why != SVMC_SEAL_NONE)
        return why;
    if ((units == 0) != (blocks == 0) || units > SVMC_SUBKEY_CALLS || blocks > SVMC_SUBKEY_BLOCKS)
        return SVMC_SEAL_RANGE;
    if (svmc_vmkey_grant_whole(sealer->priv.key, (enum svmc_key_purpose)purpose, units,
                               blocks + units, &grant) != SVMC_OK)
        return SVMC_SEAL_RANGE; /* all else the gate has seen */
    use->id = grant.id;
    use->calls = units == 0 ? grant.calls : units;
    use->blocks = units == 0 ? grant.blocks : blocks + units;
    use->purpose = purpose;
    use->alg = sealer->priv.alg;
    return load(sealer, use);
}

/* SE-2, SE-6: another algorithm than the sealer's is held against its vectors when it is met. */
enum svmc_seal_reason svmc_seal_try(struct svmc_sealer *sealer, uint32_t alg)
{
    uint32_t tested = sealer->priv.tested;
    enum svmc_status st;

    if (tested == 0)
        return SVMC_SEAL_SELF_TEST; /* another one that is right does not mend it */
    if (svmc_cipher_shape_of(alg).tag_bytes == 0)
        return SVMC_SEAL_ALG;
    if ((tested & aead_bit(alg)) != 0)
        return SVMC_SEAL_NONE;
    st = svmc_keyslot_try(sealer->priv.slots, sealer->priv.crypto, alg);
    if (st == SVMC_ERR_FULL)
        return SVMC_SEAL_SLOTS;
    if (st == SVMC_ERR_UNSUPPORTED)
        return SVMC_SEAL_ALG;
    tested = st == SVMC_OK ? tested | aead_bit(alg) : 0;
    __atomic_store_n(&sealer->priv.tested, tested, __ATOMIC_RELAXED);
    return st == SVMC_OK ? SVMC_SEAL_NONE : SVMC_SEAL_SELF_TEST;
}

bool svmc_seal_is_tried(const struct svmc_sealer *sealer, uint32_t alg)
{
    return svmc_cipher_shape_of(alg).tag_bytes != 0 && (sealer->priv.tested & aead_bit(alg)) != 0;
}

/* What is asked before a subkey is looked for. */
static enum svmc_seal_reason judge_find(const struct svmc_sealer *sealer, uint32_t purpose,
                                        const struct svmc_subkey_id *id, struct svmc_seal_use *use)
{
    enum svmc_seal_reason why;

    if (!use)
        return SVMC_SEAL_RANGE;
    memset(use, 0, sizeof *use);
    why = svmc_seal_may(sealer, purpose, 0, 0, 0);
    if (why != SVMC_SEAL_NONE)
        return why;
    if (!id)
        return SVMC_SEAL_RANGE;
    return judge_epoch(purpose, false, svmc_vmkey_check(sealer->priv.key, id));
}

enum svmc_seal_reason svmc_seal_find(struct svmc_sealer *sealer, uint32_t purpose, uint32_t alg,
                                     const struct svmc_subkey_id *id, struct svmc_seal_use *use)
{
    enum svmc_seal_reason why = judge_find(sealer, purpose, id, use);

    if (why == SVMC_SEAL_NONE)
        why = svmc_seal_try(sealer, alg);
    return why == SVMC_SEAL_NONE ? svmc_seal_find_tried(sealer, purpose, alg, id, use) : why;
}

enum svmc_seal_reason svmc_seal_find_tried(struct svmc_sealer *sealer, uint32_t purpose,
                                           uint32_t alg, const struct svmc_subkey_id *id,
                                           struct svmc_seal_use *use)
{
    struct svmc_seal_use next;
    enum svmc_seal_reason why = judge_find(sealer, purpose, id, &next);

    if (why != SVMC_SEAL_NONE)
        return why;
    if (!svmc_seal_is_tried(sealer, alg))
        return SVMC_SEAL_ALG;
    next.id = *id;
    next.purpose = purpose;
    next.alg = alg;
    next.slot = use->slot;
    why = load(sealer, &next);
    if (why != SVMC_SEAL_BUSY)
        *use = next;
    return why;
}

/* SE-7 */
enum svmc_status svmc_seal_end(struct svmc_sealer *sealer, struct svmc_seal_use *use)
{
    if (!sealer || !use)
        return SVMC_ERR_ARG;
    if (use->slot.raw != 0 &&
        svmc_keyslot_revoke(sealer->priv.slots, use->slot, SVMC_KEYSLOT_DRAIN) == SVMC_ERR_BUSY)
        return SVMC_ERR_BUSY;
    memset(use, 0, sizeof *use); /* what was no load any more, too */
    return SVMC_OK;
}

/* SE-11 */
enum svmc_status svmc_sealer_renew(struct svmc_sealer *sealer)
{
    return sealer ? svmc_vmkey_renew(sealer->priv.key) : SVMC_ERR_ARG;
}

/* ---- units -----------------------------------------------------------------------------------*/

/* SE-8: the same as in DM-16; behind it the nonce is zero. */
static void make_nonce(uint8_t nonce[SVMC_NONCE_BYTES_MAX], const struct svmc_sealed_unit *unit)
{
    core_store_le64(nonce, unit->number | unit->version << 40);
    core_store_le64(nonce + 8, unit->version >> 24);
    core_store_le64(nonce + 16, 0);
}

static enum svmc_status call(const struct svmc_sealer *sealer, uint32_t lane,
                             const struct svmc_seal_use *use, const struct svmc_sealed_unit *unit,
                             struct svmc_cipher_key *room, bool seal)
{
    uint8_t nonce[SVMC_NONCE_BYTES_MAX], fixed[FIXED_BYTES];
    struct svmc_bytes ad[2];
    struct svmc_cipher_unit u; /* set one by one, as everything here */

    make_nonce(nonce, unit);
    core_store_le32(fixed, use->purpose);
    core_store_le32(fixed + 4, use->alg);
    core_store_le64(fixed + 8, unit->bytes);
    ad[0].at = fixed;
    ad[0].bytes = sizeof fixed;
    ad[1].at = unit->ad;
    ad[1].bytes = unit->ad_bytes;
    u.lane = lane;
    u.pieces = unit->ad_bytes == 0 ? 1 : 2;
    u.ad = ad;
    u.nonce = nonce;
    u.in = unit->in;
    u.out = unit->out;
    u.n = unit->bytes;
    u.tag = unit->tag;
    return seal ? core_cipher_seal(sealer->priv.crypto, room, &u)
                : core_cipher_open(sealer->priv.crypto, room, &u);
}

/* SE-4, of one unit under one subkey. */
static enum svmc_seal_reason judge_unit(const struct svmc_sealer *sealer,
                                        const struct svmc_seal_use *use,
                                        const struct svmc_sealed_unit *unit, bool seal)
{
    enum svmc_status key = svmc_vmkey_check(sealer->priv.key, &use->id);
    enum svmc_seal_reason why = judge(sealer, use->purpose, seal, key);

    if (why != SVMC_SEAL_NONE)
        return why;
    if (unit->number > SVMC_SEAL_NUMBER_MAX || unit->version - 1 >= SVMC_SEAL_VERSION_MAX)
        return SVMC_SEAL_RANGE;
    return judge_epoch(use->purpose, seal, key);
}

static bool is_sound(const struct svmc_sealer *sealer, const struct svmc_seal_use *use,
                     const struct svmc_sealed_unit *unit)
{
    return sealer && sealer->priv.crypto && use && unit && unit->tag &&
           (unit->bytes == 0 || (unit->in && unit->out)) && unit->bytes <= SVMC_CIPHER_BYTES_MAX &&
           (unit->ad_bytes == 0 || unit->ad) && unit->ad_bytes <= SVMC_AD_BYTES_MAX - 32;
}

/* SE-9: asked while the slot is held, so that who changes the answer can wait for who has it. */
static enum svmc_seal_reason hold(const struct svmc_sealer *sealer, uint32_t lane,
                                  const struct svmc_seal_use *use,
                                  const struct svmc_sealed_unit *unit, bool seal,
                                  struct svmc_keyslot_use *held)
{
    enum svmc_status st = svmc_keyslot_hold(sealer->priv.slots, lane, use->slot, held);
    enum svmc_seal_reason why;

    if (st == SVMC_ERR_ARG)
        return SVMC_SEAL_RANGE;
    why = judge_unit(sealer, use, unit, seal);
    if (why == SVMC_SEAL_NONE && (st != SVMC_OK || held->domain != sealer->priv.domain))
        why = SVMC_SEAL_STATE; /* ended, or another sealer's */
    if (why != SVMC_SEAL_NONE && st == SVMC_OK)
        svmc_keyslot_release(sealer->priv.slots, lane);
    return why;
}

enum svmc_seal_reason svmc_seal_unit(const struct svmc_sealer *sealer, uint32_t lane,
                                     struct svmc_seal_use *use, const struct svmc_sealed_unit *unit)
{
    struct svmc_keyslot_use held;
    enum svmc_seal_reason why;
    enum svmc_status st;
    uint64_t blocks;

    if (!is_sound(sealer, use, unit))
        return SVMC_SEAL_RANGE;
    why = hold(sealer, lane, use, unit, true, &held);
    if (why != SVMC_SEAL_NONE)
        return why;
    blocks = (unit->bytes + 15) / 16 + 1;
    if (use->calls == 0 || use->blocks < blocks) {
        svmc_keyslot_release(sealer->priv.slots, lane);
        return SVMC_SEAL_BUDGET;
    }
    use->calls--; /* SE-10: before it is tried */
    use->blocks -= blocks;
    st = call(sealer, lane, use, unit, held.room, true);
    svmc_keyslot_release(sealer->priv.slots, lane);
    return st == SVMC_OK ? SVMC_SEAL_NONE : SVMC_SEAL_CRYPTO;
}

/* SE-12 */
enum svmc_seal_reason svmc_open_unit(const struct svmc_sealer *sealer, uint32_t lane,
                                     const struct svmc_seal_use *use,
                                     const struct svmc_sealed_unit *unit)
{
    struct svmc_keyslot_use held;
    enum svmc_seal_reason why = SVMC_SEAL_RANGE;
    enum svmc_status st;

    if (is_sound(sealer, use, unit))
        why = hold(sealer, lane, use, unit, false, &held);
    if (why == SVMC_SEAL_NONE) {
        st = call(sealer, lane, use, unit, held.room, false);
        svmc_keyslot_release(sealer->priv.slots, lane);
        return st == SVMC_OK         ? SVMC_SEAL_NONE
               : st == SVMC_ERR_AUTH ? SVMC_SEAL_TAG
                                     : SVMC_SEAL_CRYPTO;
    }
    if (unit && unit->out && unit->out != unit->in && unit->bytes <= SVMC_CIPHER_BYTES_MAX)
        memset(unit->out, 0, unit->bytes); /* in place it is still sealed */
    return why;
}
