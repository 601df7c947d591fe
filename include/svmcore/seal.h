/* SPDX-License-Identifier: MIT */
/**
 * Sealing: whatever of a guest is not running is ciphertext. A sealer has one VM's subkeys in slots
 * and is the only way to them for pages, contexts, disks, images and trees of versions: each asks
 * the same gate, seals units of the same shape, and gets the same reasons.
 * Source: docs/spec/seal.md, rules SE-1 to SE-12.
 */
#ifndef SVMCORE_SEAL_H
#define SVMCORE_SEAL_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "keys.h"
#include "keyslot.h"
#include "provider.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_SEAL_NUMBER_MAX  (((uint64_t)1 << 40) - 1) /* of a unit: page, sector, chunk, vCPU */
#define SVMC_SEAL_VERSION_MAX (((uint64_t)1 << 56) - 1)

/** What of a VM is designated for protection: a bit for each purpose. */
#define SVMC_PROTECT(purpose) (1u << (purpose))
#define SVMC_PROTECT_ALL                                                                          \
    (SVMC_PROTECT(SVMC_KEY_PAGE) | SVMC_PROTECT(SVMC_KEY_DISK) | SVMC_PROTECT(SVMC_KEY_CONTEXT) | \
     SVMC_PROTECT(SVMC_KEY_IMAGE) | SVMC_PROTECT(SVMC_KEY_TREE))

/** Why something is not sealed or opened. Pinned: appended, never renumbered. */
enum svmc_seal_reason {
    SVMC_SEAL_NONE = 0,
    SVMC_SEAL_UNPROTECTED = 1, /* REFUSED: the VM is not designated for this purpose */
    SVMC_SEAL_SELF_TEST = 2,   /* REFUSED: the sealer has not passed its self-test */
    SVMC_SEAL_KEY_STATE = 3,   /* REFUSED: the key's state does not allow it */
    SVMC_SEAL_USAGE = 4,       /* REFUSED: the key's usage mask does not allow it */
    SVMC_SEAL_RANGE = 5,       /* ARG: number, version or bytes that cannot be */
    SVMC_SEAL_EPOCH = 6,       /* STALE: of another epoch, or there is no fresh one */
    SVMC_SEAL_BUDGET = 7,      /* FULL: of this use: begin another */
    SVMC_SEAL_NO_KEY = 8,      /* ABSENT: no VM key: fetch it, park the vCPU */
    SVMC_SEAL_SLOTS = 9,       /* FULL: no slot is free */
    SVMC_SEAL_TAG = 10,        /* AUTH: changed, moved, old, or another VM's */
    SVMC_SEAL_CRYPTO = 11,     /* CALLBACK: the crypto table failed */
    SVMC_SEAL_ALG = 12,        /* UNSUPPORTED: an algorithm, or a version, that is not known here */
    SVMC_SEAL_STATE = 13,      /* STATE: not what it is ready for; an ended use, a lane in use */
    SVMC_SEAL_BUSY = 14,       /* BUSY: another lane is at it: again */
    SVMC_SEAL_FORMAT = 15,     /* FORMAT: sealed bytes that are cut, too long or none */
    SVMC_SEAL_OWNER = 16,      /* OWNER: another VM's, as it says itself */
    SVMC_SEAL_PURPOSE = 17,    /* PURPOSE: something else, or of another place, as it says itself */
    SVMC_SEAL_OLD = 18         /* STALE: not the last one, as it says itself */
};

struct svmc_sealer_config {
    const struct svmc_crypto_ops *crypto;
    struct svmc_keyslots *slots; /* software; made with the same table */
    struct svmc_vmkey *key;      /* one sealer at a time; empty: SVMC_SEAL_NO_KEY until it is not */
    uint64_t domain;             /* the VM's number in the slots */
    uint32_t protect;            /* SVMC_PROTECT() bits */
    uint32_t alg;                /* the AEAD that new things are sealed with */
};

/** All sealing of one VM. Holds no secret: subkeys lie in the slots. */
struct svmc_sealer {
    struct {
        const struct svmc_crypto_ops *crypto;
        struct svmc_keyslots *slots;
        struct svmc_vmkey *key;
        uint64_t domain;
        uint32_t protect, alg;
        uint32_t allowed; /* atomic; state in bits 31:16, usage in 15:0 */
        uint32_t tested;  /* atomic; a bit for each AEAD that passed; 0: failed */
    } priv;
};

/** A subkey in a slot, and how much may be sealed with it. The caller keeps it; {0}: none. */
struct svmc_seal_use {
    struct svmc_subkey_id id; /* formats carry it beside what they seal */
    uint64_t calls, blocks;   /* left to seal, a unit is its blocks and one; 0, 0: opens only */
    uint32_t purpose;         /* enum svmc_key_purpose */
    uint32_t alg;
    svmc_key_handle slot;
    uint32_t reserved;
};

#define SVMC_SEAL_TURN_MAX 64u

/** Subkeys that take turns, in what is sealed again and again; not API. */
struct svmc_seal_turn {
    struct svmc_sealer *sealer;
    void *subkey;
    uint64_t unit_blocks;
    uint32_t subkeys, purpose;
    uint32_t now; /* atomic; the one that seals */
    uint32_t reserved;
};

/** A unit: what is sealed at once. No two units that are sealed with one subkey have the same
 *  number and version: who calls sees to it, and a restart begins with a fresh epoch. Nobody else
 *  writes in, out and tag meanwhile: what lies where others can is copied first. */
struct svmc_sealed_unit {
    uint64_t number;  /* at most SVMC_SEAL_NUMBER_MAX */
    uint64_t version; /* 1 to SVMC_SEAL_VERSION_MAX */
    const void *ad;   /* bound to it, not sealed; NULL with 0 bytes */
    size_t ad_bytes;  /* at most SVMC_AD_BYTES_MAX - 32 */
    const void *in;
    void *out;    /* the same as in, or without a byte in common; both NULL only with 0 bytes */
    size_t bytes; /* SVMC_CIPHER_BYTES_MAX at most */
    uint8_t *tag; /* [SVMC_TAG_BYTES]: seal writes it, open reads it */
};

/**
 * Set a sealer up, and hold the cipher and the derivation against their published vectors.
 *
 * Owns:    all that config names outlives the sealer; the room of a free slot is lent for the call.
 * State:   the key counts as ACTIVE, for sealing and opening, until svmc_sealer_key says else.
 *          After an error everything is refused.
 * Threads: as control, below.
 * Source:  SE-1, SE-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_UNSUPPORTED (alg); SVMC_ERR_FULL (no slot is free);
 *         SVMC_ERR_CALLBACK (a vector failed: everything is SVMC_SEAL_SELF_TEST).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_sealer_init(struct svmc_sealer *sealer,
                                                          const struct svmc_sealer_config *config);

/** What a key service says of the VM's key: enum svmc_key_state, SVMC_KEY_MAY_ bits. Any thread; a
 *  unit that has begun may end: after a svmc_keyslots_flush that is quiet none is left. So a key is
 *  dropped or exchanged: svmc_sealer_key with 0, flush, wait, change it, svmc_sealer_key. SE-3 */
SVMC_API void svmc_sealer_key(struct svmc_sealer *sealer, uint32_t state, uint32_t usage);

/**
 * The gate: may this be done now? Everything below asks it first.
 *
 * Shape:   seal: 1 to seal, 0 to open; first: the lowest number, count: how many from there on.
 * Threads: any. Calls nothing.
 * Source:  SE-4: designated, self-test, key, state, usage, range, epoch, in this order. An epoch
 *          is asked for to seal, and to open pages and contexts.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_seal_may(const struct svmc_sealer *sealer,
                                                            uint32_t purpose, uint32_t seal,
                                                            uint64_t first, uint64_t count);

/** @return the status that goes with a reason. */
SVMC_API enum svmc_status svmc_seal_status(enum svmc_seal_reason reason);

/** @return a reason's name, e.g. "SVMC_SEAL_TAG"; "SVMC_SEAL_?" for a number that is none. Static,
 *          never NULL. */
SVMC_API const char *svmc_seal_name(enum svmc_seal_reason reason);

/*
 * Control: begin, find and end are called by one caller at a time for a pool of slots; they derive.
 */

/**
 * A subkey of its own, which no other use or grant has, to seal so many units of so many 16-byte
 * blocks in all with; 0 and 0: as many as a subkey may. So units of two uses never share a nonce.
 *
 * State:   *use is {0} on any error.
 * Source:  SE-5. SVMC_SEAL_RANGE: more than a subkey may.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_seal_begin(struct svmc_sealer *sealer,
                                                              uint32_t purpose, uint64_t units,
                                                              uint64_t blocks,
                                                              struct svmc_seal_use *use);

/**
 * The subkey that something was sealed with, to open it: id and alg are what lies beside it. Pages
 * and contexts are of the current epoch, or SVMC_SEAL_EPOCH; disks, images and trees of any.
 *
 * State:   *use is {0} on any error.
 * Source:  SE-6. SVMC_SEAL_SELF_TEST: a vector of alg failed; the sealer does nothing more.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_seal_find(struct svmc_sealer *sealer,
                                                             uint32_t purpose, uint32_t alg,
                                                             const struct svmc_subkey_id *id,
                                                             struct svmc_seal_use *use);

/** Give a subkey back; it is wiped when nobody holds it. *use is {0} then. SE-7
 *  @return SVMC_OK; SVMC_ERR_BUSY: a lane is at it: again. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_seal_end(struct svmc_sealer *sealer,
                                                       struct svmc_seal_use *use);

/**
 * Seal, or open, one unit.
 *
 * Shape:   lane: of the slots, one caller each. Callers of one use have a copy each, whose calls
 *          and blocks they share out.
 * State:   what is refused before the cipher is called changes nothing, but an open with another
 *          out than in leaves zeros there. A call of the cipher to seal is taken from calls and
 *          blocks whatever comes of it; where it fails out[bytes] and tag are zero, where opening
 *          fails out[bytes]. Out may hold what is not verified while the call runs.
 * Threads: any. No lock, allocation, system call or wait (CR-10).
 * Source:  SE-8 to SE-10.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_seal_unit(const struct svmc_sealer *sealer,
                                                             uint32_t lane,
                                                             struct svmc_seal_use *use,
                                                             const struct svmc_sealed_unit *unit);
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_open_unit(const struct svmc_sealer *sealer,
                                                             uint32_t lane,
                                                             const struct svmc_seal_use *use,
                                                             const struct svmc_sealed_unit *unit);

/** A fresh epoch, after a restore, clone or crash: svmc_vmkey_renew. Uses of the old one open
 *  nothing of pages and contexts any more. SE-11 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_sealer_renew(struct svmc_sealer *sealer);

#ifdef __cplusplus
}
#endif
#endif
