/* SPDX-License-Identifier: MIT */
/** What measure.h is about: records, what the hypervisor lends, and the answers. */
#ifndef SVMCORE_MEASURE_TYPES_H
#define SVMCORE_MEASURE_TYPES_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "status.h"
#include "token_types.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_MEASURE_PAGE_BYTES 4096u
#define SVMC_MEASURE_RANGES     4096u /* at most in one VM */
#define SVMC_MEASURE_LEVELS     5u    /* tables on the way to a page, at most */
#define SVMC_MEASURE_HINTS      8u    /* kept at a time */

/* Bits of a table entry that the processor sets by itself: svmc_measure_config.ignore (ME-16). */
#define SVMC_MEASURE_IGNORE_X86 0x60u  /* accessed, dirty: Intel SDM vol. 3A, 4.8 */
#define SVMC_MEASURE_IGNORE_A64 0x400u /* AF: Arm ARM DDI 0487, stage 1 descriptors */
#define SVMC_MEASURE_IGNORE_RV  0xc0u  /* A, D: RISC-V privileged, Sv39 */

/** What is known of a page; one a page in memory that no guest reaches. */
struct svmc_measure_page {
    struct {
        uint64_t frame, state;
        uint32_t order, place; /* the scan's permutation, and where in it this page stands */
        uint32_t head, next;   /* frame -> page: a bucket of the whole, and this page's chain */
        uint8_t mac[SVMC_HASH_BYTES];
    } priv;
};

struct svmc_measure_range {
    struct {
        uint64_t root, vm_generation;
        uint32_t generation, token, pages;
        uint8_t isa, user, code, going;
    } priv;
};

/** Where a page is copied to when it is added. Lent by the caller, wiped by drop. */
struct svmc_measure_room {
    uint64_t page[SVMC_MEASURE_PAGE_BYTES / 8];
    struct svmc_hash_state hash;
};

/** A step of the way to a page: where the entry lies (guest-physical), and the entry. */
struct svmc_measure_step {
    uint64_t at, entry;
};

/** What the mapping of an address is now. */
struct svmc_measure_walk {
    uint64_t frame;  /* guest-physical address of the page of 4096 bytes */
    uint32_t levels; /* 1 to SVMC_MEASURE_LEVELS, from the root; 0: not mapped */
    uint32_t reserved;
    struct svmc_measure_step step[SVMC_MEASURE_LEVELS];
};

/** What the hypervisor lends; as in struct svmc_host_ops, outlives the object. */
struct svmc_measure_ops {
    uint32_t size; /* sizeof(struct svmc_measure_ops) as the host compiled it */

    /* required: a whole page, to be read, aligned to 8, usable until the library's call returns.
       SVMC_OK with *span NULL: there is no memory. The guest may write it meanwhile */
    SVMC_NODISCARD enum svmc_status (*guest_span)(void *ctx, svmc_gpa at, size_t n, uint32_t access,
                                                  void **span);
    /* required for paths: the way to caller->page: the entries from caller->root on, each read
       once. *out comes zeroed. Not mapped, or not for this caller to execute: SVMC_OK with levels
       0. On any thread */
    SVMC_NODISCARD enum svmc_status (*walk)(void *ctx, const struct svmc_token_caller *caller,
                                            struct svmc_measure_walk *out);
};

/** All of it outlives the object. */
struct svmc_measure_config {
    const struct svmc_crypto_ops *crypto; /* mac, random, wipe; hash_* for digests */
    const struct svmc_measure_ops *ops;
    void *ctx;
    struct svmc_measure_page *pages;
    struct svmc_measure_range *ranges;
    struct svmc_measure_room *room;
    uint32_t page_count;  /* 1 to 2^30 */
    uint32_t range_count; /* 1 to SVMC_MEASURE_RANGES */
    uint64_t vm;
    uint64_t ignore;   /* SVMC_MEASURE_IGNORE_*, 0 on s390x */
    uint32_t mac_alg;  /* enum svmc_alg */
    uint32_t reserved; /* 0 */
};

/** The ranges of one VM. */
struct svmc_measure {
    struct {
        struct svmc_measure_config config;
        uint64_t mix, version, generation;
        uint32_t used, at; /* pages; those that this round has looked at */
        uint32_t rounds, hints;
        uint32_t hint[SVMC_MEASURE_HINTS];
        uint8_t key[SVMC_MAC_KEY_BYTES];
    } priv;
};

/** Why something was refused: for the host; a guest sees one answer to all of them. */
enum svmc_measure_why {
    SVMC_MEASURE_GRANTED = 0,
    SVMC_MEASURE_WHO = 1,      /* another VM, generation, address space, privilege */
    SVMC_MEASURE_TOKEN = 2,    /* not the token that holds the range */
    SVMC_MEASURE_CODE = 3,     /* from no intact code page of the holder; open of code */
    SVMC_MEASURE_RANGE = 4,    /* no such range, or not any more: SVMC_ERR_STALE */
    SVMC_MEASURE_FRAME = 5,    /* no page of the range; twice; another range's; no memory */
    SVMC_MEASURE_DIGEST = 6,   /* the pages are not what was expected */
    SVMC_MEASURE_IS_OPEN = 7,  /* the page is open for change */
    SVMC_MEASURE_NOT_OPEN = 8, /* it is not */
    SVMC_MEASURE_CHANGED = 9,  /* it was found changed */
    SVMC_MEASURE_VERSION = 10, /* it was measured again, or let go, since the path was taken */
    SVMC_MEASURE_UNMAPPED = 11,
    SVMC_MEASURE_REMAPPED = 12, /* the address leads to another frame */
    SVMC_MEASURE_ALIASED = 13,  /* called by another address */
    SVMC_MEASURE_TABLE = 14     /* another table or entry on the way */
};

/** What pages are: svmc_measure_spec.code. */
enum svmc_measure_content {
    SVMC_MEASURE_DATA = 0,
    SVMC_MEASURE_PROGRAM = 1, /* code, from which a holder calls and writes; by its digest */
    SVMC_MEASURE_FILLED = 2   /* code, too: the hypervisor wrote it, e.g. a gate, after it had taken
                                 the right to write there from the guest and its devices */
};

/** Pages to be measured. */
struct svmc_measure_spec {
    const svmc_gpa *frames; /* addresses of pages, in the order of the digest */
    uint32_t count;         /* at least 1 */
    uint32_t token;         /* the handle that holds the range; 0: see svmc_measure_hold */
    const struct svmc_token_caller *caller; /* whose: vm, generation, root, isa, user count */
    const uint8_t *digest; /* [SVMC_HASH_BYTES] of all pages, NULL: none; PROGRAM needs it */
    uint32_t digest_alg;   /* enum svmc_alg, 0 without digest */
    uint8_t code;          /* enum svmc_measure_content; FILLED: for a token that has enrolled */
    uint8_t reserved[3];   /* 0 */
};

/** Something to tell of: put it where the host's events go. */
struct svmc_measure_event {
    uint64_t frame; /* of the page */
    uint64_t version;
    uint32_t range, token;
    uint32_t kind; /* enum svmc_measure_kind */
    uint32_t reserved;
};

enum svmc_measure_kind {
    SVMC_MEASURE_NOTHING = 0,
    SVMC_MEASURE_DIFFERS = 1, /* the page is not what was measured */
    SVMC_MEASURE_GONE = 2,    /* there is no memory any more */
    SVMC_MEASURE_WRITTEN = 3  /* somebody tried to write it; it is as it was */
};

/** Where a scan stands. */
struct svmc_measure_stand {
    uint32_t looks;  /* pages looked at in this call, those that are open among them */
    uint32_t open;   /* of those, open ones: nothing can be said about them */
    uint32_t left;   /* of the round */
    uint32_t rounds; /* ended up to now, modulo 2^32 */
    struct svmc_measure_event event;
};

/** What becomes of a trapped write. */
enum svmc_measure_verdict {
    SVMC_MEASURE_REFUSE_EVENT = 0, /* it does not happen, and *event says what was tried */
    SVMC_MEASURE_REFUSE = 1,       /* it does not happen: the holder has not opened the page */
    SVMC_MEASURE_ALLOW = 2,        /* do it: the page is measured again when it is closed */
    SVMC_MEASURE_NOT_OURS = 3      /* no measured page */
};

/** The way to a page of code as it was when it was taken; the caller's, kept beside its token. */
struct svmc_measure_path {
    struct {
        struct svmc_token_caller who;
        uint64_t state;
        uint32_t slot, levels;
        struct svmc_measure_step step[SVMC_MEASURE_LEVELS];
    } priv;
};

#ifdef __cplusplus
}
#endif
#endif
