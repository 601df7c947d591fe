/* SPDX-License-Identifier: MIT */
/**
 * DMA to encrypted memory: a device gets plaintext of its own guest and nothing else. A request
 * names a function and addresses; the function's slot and the slot of each page must be the same.
 * Opaque (a slot of AES-XTS): same length, confidentiality only: old bytes put back go unnoticed.
 * Authentic (a slot of an AEAD): a tag and a version for each unit: changed or old bytes are.
 * Source: docs/spec/dma.md, rules DM-1 to DM-24.
 */
#ifndef SVMCORE_DMA_H
#define SVMCORE_DMA_H
#include <stddef.h>
#include <stdint.h>
#include "device.h"
#include "keys.h"
#include "keyslot.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_DMA_PAGE  4096u
#define SVMC_DMA_ALIGN 64u /* of the engine's memory */
#define SVMC_DMA_ADDRESS_MAX \
    ((uint64_t)1 << 52) /* a page's address is below; authentic: 2^40 units */
#define SVMC_DMA_VERSION_MAX (((uint64_t)1 << 56) - 1)

/**
 * Authentic: what is known about a unit, in memory that only the core writes, an array for the
 * units of each page. All zero: never written, and the unit reads as zeros. To give the page away
 * set version to 0 and leave `used`. With a fresh key, and only then, the array may start anew.
 */
struct svmc_dma_seal {
    uint64_t version; /* of what is in memory; 0: nothing */
    uint64_t used;    /* the last one given out */
    uint8_t tag[SVMC_TAG_BYTES];
};

/** Where a page is, and whose: what `translate` says. */
struct svmc_dma_page {
    void *at;         /* its SVMC_DMA_PAGE bytes, encrypted; may be written meanwhile */
    uint64_t address; /* its name under the key, a multiple of SVMC_DMA_PAGE: no two pages of a slot
                         have the same; the guest-physical address, for one */
    struct svmc_dma_seal *seals; /* authentic: of its units; opaque: NULL */
    svmc_key_handle slot;        /* whose page it is: the function's, or one linked with it */
    uint32_t access; /* SVMC_ACCESS_READ: devices may read it, _WRITE: write it, or both */
};

struct svmc_dma_ops {
    uint32_t size; /* sizeof(struct svmc_dma_ops) as the host compiled it */
    uint32_t reserved;
    void *ctx;

    /* required: the page at iova, a multiple of SVMC_DMA_PAGE, of this function while it is bound
       to `slot`, which is held: by now it may be bound to another one. SVMC_OK; all else: there is
       none. What it says stays true until the next svmc_keyslots_flush is quiet */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, uint32_t bdf, svmc_key_handle slot,
                                                 uint64_t iova, struct svmc_dma_page *page);
};

struct svmc_dma_config {
    struct svmc_keyslots *slots;
    const struct svmc_devices *devices;
    const struct svmc_dma_ops *ops;
    uint32_t pages;   /* that one request may touch, 1 to 65536, counted each time it does */
    uint32_t cache;   /* translations that a lane remembers: 0 or a power of two, up to 65536 */
    uint32_t stripes; /* of claims: a power of two, 1 to 65536; few: more requests are BUSY */
    uint32_t shares;  /* 0: all slots claim in all stripes; else a power of two up to `stripes`: a
                         slot claims in one share of them, by its number, and waits for none that
                         has another. As many as slots: no VM can keep another one waiting */
};

/** The engine. Its lanes are those of its slots. All requests to a page go through one engine: two
 *  would not see each other's claims, and could seal with one nonce twice. */
struct svmc_dma {
    struct {
        struct svmc_keyslots *slots;
        const struct svmc_devices *devices;
        const struct svmc_dma_ops *ops;
        uint8_t *lane;
        uint64_t *stripe;
        size_t lane_bytes;
        uint32_t lanes, pages, cache, stripe_shift, share_mask, reserved;
    } priv;
};

enum svmc_dma_direction {
    SVMC_DMA_READ = 0, /* the device reads memory: plaintext goes to the buffer */
    SVMC_DMA_WRITE = 1 /* the device writes memory: the buffer goes there, encrypted */
};

/** A part of a request. */
struct svmc_dma_piece {
    uint64_t iova;
    void *buffer; /* the device's side; a write only reads it. NULL only with 0 bytes */
    size_t bytes;
};

/** A transfer that outlives a call; {0} is none. */
struct svmc_dma_flight {
    svmc_key_handle slot; /* the function's when it began; svmc_keyslot_unref ends the flight */
    uint32_t bdf;
};

struct svmc_dma_request {
    uint32_t bdf;
    uint32_t direction;                 /* enum svmc_dma_direction */
    const struct svmc_dma_piece *piece; /* moved in this order; they may overlap */
    size_t pieces;
    struct svmc_dma_flight flight; /* of svmc_dma_begin, of this function; {0}: none */
};

/** Why nothing moved, or not all. */
enum svmc_dma_reason {
    SVMC_DMA_NONE = 0,
    SVMC_DMA_BDF_RANGE = 1,   /* REFUSED: a segment that the table does not have */
    SVMC_DMA_BDF_UNBOUND = 2, /* REFUSED: no slot is bound to this function; not its flight */
    SVMC_DMA_LENGTH = 3,      /* REFUSED: address and length wrap */
    SVMC_DMA_UNMAPPED = 4,    /* REFUSED: translate knows no such page */
    SVMC_DMA_ACCESS = 5,      /* REFUSED: the page may not be read, or written */
    SVMC_DMA_SLOT = 6,        /* REFUSED: the page is another slot's than the function */
    SVMC_DMA_SLOT_STALE = 7,  /* STALE: the function's slot was revoked */
    SVMC_DMA_CUT = 8,         /* STALE: revoked while the request moved; reads show zeros */
    SVMC_DMA_KEY = 9,         /* ABSENT: svmc_keyslot_bring result->slot, then again */
    SVMC_DMA_CLAIMED = 10,    /* BUSY: another lane is at one of the units */
    SVMC_DMA_PAGES = 11,      /* FULL: more pages than the engine has room for */
    SVMC_DMA_VERSIONS = 12,   /* FULL: a unit has had all its versions: a fresh key is needed */
    SVMC_DMA_TAG = 13,        /* AUTH: what is in memory is not what was written last */
    SVMC_DMA_TRANSLATE = 14,  /* CALLBACK: translate answered with what cannot be */
    SVMC_DMA_CRYPTO = 15,     /* CALLBACK: the crypto table failed */
    SVMC_DMA_BUDGET = 16      /* FULL: the page's slot may encrypt no more: svmc_dma_renew */
};

struct svmc_dma_result {
    uint64_t moved;       /* bytes, in the order of the pieces; a failed read: 0 */
    uint64_t iova;        /* where it failed; 0 if there is no such place */
    uint32_t reason;      /* enum svmc_dma_reason */
    svmc_key_handle slot; /* SVMC_DMA_KEY: the one to bring; else {0} */
};

/** The name of a reason, e.g. "SVMC_DMA_UNMAPPED"; "SVMC_DMA_?" for a number that is none. Static,
 *  never NULL. */
SVMC_API const char *svmc_dma_name(uint32_t reason);

/** @return the bytes that svmc_dma_init needs; 0: the numbers are not possible. */
SVMC_API size_t svmc_dma_bytes(const struct svmc_dma_config *config);

/**
 * Set an engine up.
 *
 * Shape:  memory[bytes] at a multiple of SVMC_DMA_ALIGN; plaintext passes through it, and none is
 *         left when a call has returned.
 * Owns:   the caller keeps memory; it, slots, devices and ops outlive the engine.
 * Source: DM-1, DM-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (too few bytes).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_dma_init(struct svmc_dma *dma,
                                                       const struct svmc_dma_config *config,
                                                       void *memory, size_t bytes);

/**
 * Move a request.
 *
 * State:   all of it is checked, translated and claimed before the first byte moves; up to there
 *          an error changes nothing. A read that fails later leaves zeros in all its buffers; a
 *          write has moved result->moved bytes, up to the unit at result->iova, which is the old
 *          one; opaque, whole and SVMC_DMA_CRYPTO: zeros.
 * Threads: any, each with a lane of its own; calls translate, makes cipher calls (CR-11); no lock,
 *          no allocation, no system call, no wait: who gets BUSY comes again.
 * Source:  DM-3 to DM-20, DM-22, DM-23.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, lane, direction); SVMC_ERR_STATE (the lane is in use);
 *         else as *result says: SVMC_ERR_REFUSED, _STALE, _ABSENT, _BUSY, _FULL, _AUTH, _CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_dma_move(struct svmc_dma *dma, uint32_t lane,
                                                       const struct svmc_dma_request *request,
                                                       struct svmc_dma_result *result);

/**
 * Begin a transfer that outlives a call: *flight names the function and its slot, with a reference,
 * for requests of this function while it is bound. So they go on while the slot drains, or after
 * svmc_dma_renew, and end with svmc_device_unbind. svmc_keyslot_unref(slots, flight.slot) ends the
 * flight, in any case, and says whether what it brought may be used.
 *
 * State:  *flight is {0} on any error.
 * Source: DM-21. References are counted, not told apart: a flight that has ended is refused for
 *         certain only where no other one of its slot is left.
 *
 * @return as svmc_dma_move before anything is translated.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_dma_begin(struct svmc_dma *dma, uint32_t lane,
                                                        uint32_t bdf,
                                                        struct svmc_dma_flight *flight,
                                                        struct svmc_dma_result *result);

/**
 * The next subkey, for a slot whose budget ends: a fresh grant, derived, loaded in a slot of its
 * own beside the old one, and every function of the old one is the new one's. Before and after a
 * function moves pages of both: the old slot opens what it sealed and seals while it has units. A
 * page goes from the old slot to the new one as docs/spec/dma.md, DM-24, says; then revoke the old.
 *
 * Shape:   *slot: the old one, and with SVMC_OK the new one; units: of the new one's budget;
 *          *grant: where the new subkey is. Hardware: `program` gets the subkey's index as cookie.
 * State:   on any error slots and functions are as they were; *grant is zero, or a part of the
 *          budget that nobody uses.
 * Threads: as control (keyslot.h), bind (device.h) and svmc_vmkey_grant; derives, loads.
 * Source:  DM-24.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STALE (no such slot; no fresh epoch); SVMC_ERR_FULL (no
 *         slot); SVMC_ERR_UNSUPPORTED; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_dma_renew(struct svmc_dma *dma,
                                                        struct svmc_devices *devices,
                                                        struct svmc_vmkey *key,
                                                        enum svmc_key_purpose purpose,
                                                        uint64_t units, svmc_key_handle *slot,
                                                        struct svmc_key_grant *grant);

#ifdef __cplusplus
}
#endif
#endif
