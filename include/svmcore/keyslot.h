/* SPDX-License-Identifier: MIT */
/**
 * Key slots: which keys a data path may use now, and for whom. A slot goes FREE -> LOADING ->
 * ACTIVE -> DRAINING -> WIPED, and every handle has the slot's generation in it, so that a handle
 * outlives its key without harm. A slot's key lies in a place: with SVMC_KEYSLOT_SOFTWARE each slot
 * has its own, with SVMC_KEYSLOT_HARDWARE there are fewer, which `program` and `evict` fill.
 * Source: docs/spec/keyslot.md, rules KS-1 to KS-20.
 */
#ifndef SVMCORE_KEYSLOT_H
#define SVMCORE_KEYSLOT_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KEYSLOTS_MAX      65535u
#define SVMC_KEYSLOT_LANES_MAX SVMC_CIPHER_LANES_MAX
#define SVMC_KEYSLOT_ALIGN     64u /* of the memory that a pool is built in */

/** Names one load of one slot: generation in bits 31:16, slot + 1 in bits 15:0; {0} is never valid.
 */
typedef struct {
    uint32_t raw;
} svmc_key_handle;

enum svmc_keyslot_state {
    SVMC_KEYSLOT_FREE = 0, /* may be loaded; what svmc_keyslot_state says of a stale handle, too */
    SVMC_KEYSLOT_LOADING = 1,  /* only while svmc_keyslot_load runs */
    SVMC_KEYSLOT_ACTIVE = 2,   /* its handle is good */
    SVMC_KEYSLOT_DRAINING = 3, /* revoked; somebody still uses it */
    SVMC_KEYSLOT_WIPED = 4,    /* no trace of the key is left; load takes it again */
    SVMC_KEYSLOT_RETIRED = 5   /* wiped, and out of generations: svmc_keyslots_recycle */
};

enum svmc_keyslot_kind { SVMC_KEYSLOT_SOFTWARE = 0, SVMC_KEYSLOT_HARDWARE = 1 };

/** How a slot is revoked. */
enum svmc_keyslot_revoke {
    SVMC_KEYSLOT_DRAIN = 0, /* what has begun may end, transfers with a reference too */
    SVMC_KEYSLOT_CUT = 1    /* what has begun stops at its next unit, references count no more */
};

/**
 * A key to load, and what it is for. A VM's: svmc_vmkey_subkey with a grant of SVMC_KEY_LINE for
 * XTS, of SVMC_KEY_PAGE for an AEAD; `epoch` is the first 8 bytes, little-endian, of the grant's.
 * Memory that stays is opened with the grant and the epoch that it was written under: keep both.
 */
struct svmc_keyslot_key {
    uint64_t domain;        /* the owner, a VM or a container: the caller's number */
    uint64_t epoch;         /* goes into tweaks; fresh with every restore, clone and crash */
    uint64_t cookie;        /* for `program`; the library passes it on */
    uint32_t alg;           /* SVMC_ALG_AES_256_XTS: opaque; an AEAD: authentic */
    uint32_t unit_bytes;    /* what is encrypted at a time: a power of two, 64 to 4096 */
    const uint8_t *bytes;   /* software: the key; hardware: NULL */
    uint64_t units;         /* that may be encrypted with it; 0: all that a subkey may, KS-17 */
    svmc_key_handle before; /* whose pages its functions may move, too; {0}: none, KS-18 */
    uint32_t opens;         /* 1: for opening alone: nothing may be encrypted with it; KS-20 */
};

/** Places that are fewer than the slots: registers of an engine, or memory that is dear. */
struct svmc_keyslot_ops {
    uint32_t size; /* sizeof(struct svmc_keyslot_ops) as the host compiled it */
    uint32_t reserved;
    void *ctx;

    /* required: put the key of this domain and cookie into place `place`; from now on `room` stands
       for it in the calls of the crypto table. After an error there is no trace of it. After a
       reset seal, open and crypt fail for a place until this is called for it again: then it may be
       the same key in the same place, but nobody uses it */
    SVMC_NODISCARD enum svmc_status (*program)(void *ctx, uint32_t place,
                                               const struct svmc_keyslot_key *key,
                                               struct svmc_cipher_key *room);
    /* required: leave no trace of the key in this place; nobody uses it. Also where a reset has
       left none. Cannot fail */
    void (*evict)(void *ctx, uint32_t place, struct svmc_cipher_key *room);
};

struct svmc_keyslots_config {
    const struct svmc_crypto_ops *crypto; /* software: load and drop; both: wipe, and what moves */
    const struct svmc_keyslot_ops *ops;   /* hardware; software: NULL */
    uint32_t kind;                        /* enum svmc_keyslot_kind */
    uint32_t slots;                       /* 1 to SVMC_KEYSLOTS_MAX */
    uint32_t places;                      /* 1 to slots, 0: as slots; software: as slots */
    uint32_t lanes;                       /* callers at a time, 1 to SVMC_KEYSLOT_LANES_MAX */
};

/** All slots of a host. */
struct svmc_keyslots {
    struct {
        const struct svmc_crypto_ops *crypto;
        const struct svmc_keyslot_ops *ops;
        void *slot, *lane, *refs, *place, *room, *stamp;
        uint64_t clock; /* counts brings */
        uint64_t epoch; /* counts flushes, from 1 */
        uint32_t slots, places, lanes, next, kind, reserved;
    } priv;
};

/** What a holder may use until it releases. */
struct svmc_keyslot_use {
    struct svmc_cipher_key *room;
    uint64_t domain, epoch;
    uint32_t place, alg, unit_bytes, reserved;
};

/** @return the bytes that svmc_keyslots_init needs; 0: the numbers are not possible. */
SVMC_API size_t svmc_keyslots_bytes(const struct svmc_keyslots_config *config);

/**
 * Lay slots, lanes and places out.
 *
 * Shape:  memory[bytes] at a multiple of SVMC_KEYSLOT_ALIGN, svmc_keyslots_bytes() at least; keys
 *         lie in it, so lock it if you can.
 * Owns:   the caller keeps memory; it and both tables outlive the pool.
 * Source: KS-1, KS-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (too few bytes).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslots_init(
    struct svmc_keyslots *ks, const struct svmc_keyslots_config *config, void *memory,
    size_t bytes);

/** Wipe every key, whoever uses it: nobody may. The pool is empty: SVMC_ERR_ARG. Set up again it
 *  gives the same handles again, so set up device tables and engines anew, too. KS-12 */
SVMC_API void svmc_keyslots_drop(struct svmc_keyslots *ks);

/*
 * Control: load, bring, revoke, recycle, reprogram and flush are called by one caller at a time for
 * a pool; holders go on meanwhile. None of them waits.
 */

/**
 * Take a slot for a key.
 *
 * Owns:   software: a schedule of the key; the caller may wipe its own at once.
 * State:  FREE or WIPED -> LOADING -> ACTIVE; on any error nothing changes and *out is {0}.
 *         Hardware: nothing is programmed yet, holders get SVMC_ERR_ABSENT.
 * Source: KS-3 to KS-5, KS-17, KS-18.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (no slot); SVMC_ERR_UNSUPPORTED (alg);
 *         SVMC_ERR_STALE (before is not active); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_load(struct svmc_keyslots *ks,
                                                           const struct svmc_keyslot_key *key,
                                                           svmc_key_handle *out);

/**
 * Give a slot a place: the one that it had before a reset, a free one, or that of the slot that was
 * held longest ago and is not busy.
 *
 * State:  on any error the slot is where it was; an evicted one is ABSENT, its handle good.
 * Source: KS-13, KS-14. Who was held last is known in steps of one bring.
 *
 * @return SVMC_OK (also if it has one); SVMC_ERR_BUSY (all places are, or its own is, busy);
 *         SVMC_ERR_STALE (no such load; revoked, and it has none, or by a CUT); SVMC_ERR_CALLBACK
 *         (program failed); SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_bring(struct svmc_keyslots *ks,
                                                            svmc_key_handle handle);

/**
 * Program every place again, after a reset of what holds the keys.
 *
 * State:  a slot that a lane still holds, or whose key could not be programmed, is ABSENT: bring
 *         it.
 *         What a lane has begun may fail at its next unit.
 * Source: KS-15.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (software); SVMC_ERR_CALLBACK (at least one failed); SVMC_ERR_BUSY
 *         (at least one is held).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslots_reprogram(struct svmc_keyslots *ks);

/**
 * Revoke, and wipe as soon as nobody uses the key: call again until it is not BUSY. After the first
 * call nobody new gets it. After a CUT each lane uses it for at most one more unit; a DRAIN ends
 * with the last holder and reference. A DRAIN may be followed by a CUT.
 *
 * State:  ACTIVE -> DRAINING -> WIPED, or RETIRED after its last generation.
 * Source: KS-9 to KS-12.
 *
 * @return SVMC_OK (wiped); SVMC_ERR_BUSY; SVMC_ERR_STALE (no such load, or wiped); SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_revoke(struct svmc_keyslots *ks,
                                                             svmc_key_handle handle,
                                                             enum svmc_keyslot_revoke how);

/** The caller says that nobody has a handle of a RETIRED slot any more, in a table or elsewhere.
 *  @return how many are FREE again. KS-5 */
SVMC_API uint32_t svmc_keyslots_recycle(struct svmc_keyslots *ks);

/** Begin to wait for everybody who holds something now: after an unbind or a change of translation.
 *  @return the ticket for svmc_keyslots_quiet. KS-16 */
SVMC_API uint64_t svmc_keyslots_flush(struct svmc_keyslots *ks);

/** @return SVMC_OK: who held something when the ticket was given has released it; SVMC_ERR_BUSY;
 *          SVMC_ERR_ARG. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslots_quiet(const struct svmc_keyslots *ks,
                                                             uint64_t ticket);

/**
 * Hold a slot: its key stays until the release. Writes to the lane's own cache line only.
 *
 * Threads: any, each with a lane of its own; a lane holds one slot at a time.
 * Source:  KS-6 to KS-8.
 *
 * @return SVMC_OK; SVMC_ERR_STALE (no such load, or revoked); SVMC_ERR_ABSENT (hardware: bring it);
 *         SVMC_ERR_STATE (the lane holds); SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_hold(struct svmc_keyslots *ks, uint32_t lane,
                                                           svmc_key_handle handle,
                                                           struct svmc_keyslot_use *use);

/** Nothing happens where the lane holds nothing. */
SVMC_API void svmc_keyslot_release(struct svmc_keyslots *ks, uint32_t lane);

/** Take a reference, for a transfer that goes on without a lane: a DRAIN waits for it, its place
 *  is not evicted. Held with the reference, the slot is good while it drains, too.
 *  @return as svmc_keyslot_hold; SVMC_ERR_FULL (2^31 of them). KS-11 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_ref(struct svmc_keyslots *ks, uint32_t lane,
                                                          svmc_key_handle handle);

/** As svmc_keyslot_hold, for who has a reference: STALE where the slot has none. KS-11 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_hold_ref(struct svmc_keyslots *ks,
                                                               uint32_t lane,
                                                               svmc_key_handle handle,
                                                               struct svmc_keyslot_use *use);

/** Give a reference back.
 *  @return SVMC_OK; SVMC_ERR_STALE (it was cut: what the transfer brought is not used);
 *          SVMC_ERR_ARG (there was none). */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_keyslot_unref(struct svmc_keyslots *ks,
                                                            svmc_key_handle handle);

/** @return the units of a slot's budget that no lane has drawn; 0 for what is no load. Lanes use up
 *          what they have, and then give SVMC_DMA_BUDGET. Any thread. KS-17 */
SVMC_API uint64_t svmc_keyslot_left(const struct svmc_keyslots *ks, svmc_key_handle handle);

/** @return the state of the slot that a handle names, if it is of this load: enum
 *          svmc_keyslot_state; else SVMC_KEYSLOT_FREE. */
SVMC_API uint32_t svmc_keyslot_state(const struct svmc_keyslots *ks, svmc_key_handle handle);

#ifdef __cplusplus
}
#endif
#endif
