/* SPDX-License-Identifier: MIT */
/**
 * The pages by which a trusted program makes its calls: a table with its token among decoys, a gate
 * that has the tag in its code, a site without any; and what must protect each.
 * docs/spec/token_page.md.
 */
#ifndef SVMCORE_TOKEN_PAGE_H
#define SVMCORE_TOKEN_PAGE_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "status.h"
#include "token_types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_TOKEN_PAGE_BYTES   4096u
#define SVMC_TOKEN_PAGE_VERSION 1u
/* The data page, little-endian (TP-1): a header, then entries of an address and a tag. */
#define SVMC_TOKEN_PAGE_MAGIC       0x6e656b6f544d5653u /* "SVMToken" */
#define SVMC_TOKEN_PAGE_AT_VERSION  8u                  /* 2 bytes, as the next three */
#define SVMC_TOKEN_PAGE_AT_ENTRIES  10u                 /* how many */
#define SVMC_TOKEN_PAGE_AT_STRIDE   12u                 /* bytes of one */
#define SVMC_TOKEN_PAGE_AT_FIRST    14u                 /* where they begin */
#define SVMC_TOKEN_PAGE_AT_HANDLE   16u                 /* 4 bytes; zeros up to the entries */
#define SVMC_TOKEN_PAGE_FIRST       40u
#define SVMC_TOKEN_PAGE_ENTRY_BYTES 24u /* address: 8; tag: 16 */
#define SVMC_TOKEN_PAGE_ENTRIES     169u
#define SVMC_TOKEN_PAGE_NONE        UINT32_MAX /* no slot */

/** What a page is. GATE alone, SITE alone, or DATA with a SITE or trampolines of yours. */
enum svmc_token_page_kind {
    SVMC_TOKEN_PAGE_DATA = 1, /* read by the program */
    SVMC_TOKEN_PAGE_GATE = 2, /* called, never read: the tag is in its code */
    SVMC_TOKEN_PAGE_SITE = 3  /* called: no secret in it, the place of the call counts */
};

/** The safe call address, and where others lie that look like it: first + n * step, n < count. */
struct svmc_token_addresses {
    uint64_t safe; /* one of them, chosen with equal chances by whoever laid them out */
    uint64_t first, step, count;
};

/**
 * Fill a page with a table of tokens of which one is real (K3, K4, K10).
 *
 * Shape:   *slot: which entry is the real one: 0 to SVMC_TOKEN_PAGE_ENTRIES - 1. It goes to the
 *          program with the answer to its enrolment, and nowhere else.
 * Owns:    nothing; page is not mapped to a guest before this returns.
 * State:   on any error page and *slot are zero.
 * Threads: any; calls random.
 * Source:  TP-1 to TP-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, handle 0, safe is none of the addresses, no random);
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_page_data(
    const struct svmc_crypto_ops *crypto, uint32_t handle, const uint8_t tag[SVMC_TOKEN_TAG_BYTES],
    const struct svmc_token_addresses *addresses, uint8_t page[SVMC_TOKEN_PAGE_BYTES],
    uint32_t *slot);

/**
 * Whose tag is this? For a call that was refused: a slot that is not the real one is a decoy that
 * somebody took from the page (A14).
 *
 * Shape:  page: of svmc_token_page_data, at any later time; all of it is read always.
 * Source: TP-4.
 *
 * @return the slot; SVMC_TOKEN_PAGE_NONE: NULL, or the tag is not in the page.
 */
SVMC_API uint32_t svmc_token_page_find(const uint8_t page[SVMC_TOKEN_PAGE_BYTES],
                                       const uint8_t tag[SVMC_TOKEN_TAG_BYTES]);

/** Stubs of a GATE or SITE, one of them live: the hypervisor's knowledge, not a guest's. */
struct svmc_token_gate {
    uint64_t frame; /* guest-physical address of the page */
    uint32_t entry; /* offset of the live stub: what the program calls */
    uint32_t trap;  /* offset of its trapping instruction: bind the token to frame and this */
    uint32_t slot;  /* which stub is live */
    uint32_t stubs; /* how many there are */
    uint32_t first; /* stub n begins at first + n * stub_bytes */
    uint32_t stub_bytes;
    uint32_t trap_at; /* where it traps in a stub */
    uint8_t kind;     /* enum svmc_token_page_kind: GATE or SITE */
    uint8_t isa;      /* enum svmc_isa: X86_64, A64, RV64; SITE: S390X, too */
    uint8_t way;      /* SVMC_WAY_* of guest/hypercall.h, not enum svmc_trap_way */
    uint8_t reserved; /* 0 */
};

/**
 * Choose the live stub. The token is enrolled or rotated to this place, then the page is filled.
 *
 * Shape:   frame: a multiple of 4096; way: one that the processor has (guest/hypercall.h).
 * State:   *out is zero after an error.
 * Threads: any; calls random.
 * Source:  TP-5, TP-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, kind, frame, no random); SVMC_ERR_UNSUPPORTED (no stub of
 *         this kind for isa and way); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_gate_place(const struct svmc_crypto_ops *crypto,
                                                               enum svmc_token_page_kind kind,
                                                               uint8_t isa, uint8_t way,
                                                               uint64_t frame,
                                                               struct svmc_token_gate *out);

/**
 * Fill the page of a gate or site with code. TP-2 says how one is filled again that a guest runs.
 *
 * Shape:   gate: of svmc_token_gate_place; tag: NULL for a SITE.
 * Owns:    nothing; page is not mapped to a guest before this returns.
 * State:   on any error page is zero.
 * Threads: any; for a GATE calls random.
 * Source:  TP-5, TP-7 to TP-10.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a gate that is none, a tag where there is none);
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_gate_fill(const struct svmc_crypto_ops *crypto,
                                                              const struct svmc_token_gate *gate,
                                                              const uint8_t *tag,
                                                              uint8_t page[SVMC_TOKEN_PAGE_BYTES]);

/**
 * Whose trap is this? For a call that was refused and came from gate->frame: another slot than
 * gate->slot is a decoy that somebody jumped into (A14).
 *
 * Shape:  offset: of the trapping instruction in its page, any number.
 * Source: TP-6.
 *
 * @return the slot; SVMC_TOKEN_PAGE_NONE: NULL, a gate that is none, or no stub traps there.
 */
SVMC_API uint32_t svmc_token_gate_find(const struct svmc_token_gate *gate, uint32_t offset);

/** What stage 2 and IOMMU can let somebody do with a frame. */
enum svmc_token_right {
    SVMC_TOKEN_MAY_READ = 1,
    SVMC_TOKEN_MAY_WRITE = 2,
    SVMC_TOKEN_MAY_EXECUTE_KERNEL = 4,
    SVMC_TOKEN_MAY_EXECUTE_USER = 8,
    SVMC_TOKEN_MAY_WALK = 16 /* walks set accessed and dirty, though nothing else may write */
};
#define SVMC_TOKEN_MAY_EXECUTE (SVMC_TOKEN_MAY_EXECUTE_KERNEL | SVMC_TOKEN_MAY_EXECUTE_USER)
#define SVMC_TOKEN_MAY_ALL     31u

/** What a hypervisor can do: docs/spec/token_page.md has a row for each architecture. */
enum svmc_token_ability {
    SVMC_TOKEN_CAN_READ_ONLY = 1,     /* keep somebody from writing who may read */
    SVMC_TOKEN_CAN_NO_EXECUTE = 2,    /* keep somebody from executing who may read */
    SVMC_TOKEN_CAN_EXECUTE_ONLY = 4,  /* keep somebody from reading who may execute */
    SVMC_TOKEN_CAN_SPLIT_EXECUTE = 8, /* tell kernel from user when they execute */
    SVMC_TOKEN_CAN_WALK = 16,         /* MAY_WALK apart from MAY_WRITE */
    SVMC_TOKEN_CAN_GUARD_DMA = 32     /* keep devices out, or there are none that reach memory */
};

struct svmc_token_abilities {
    uint32_t can;      /* enum svmc_token_ability */
    uint16_t levels;   /* bit n: the guest runs at level n (VTL, VMPL, view); one alone: 1 */
    uint16_t reserved; /* 0 */
};

/** Why a frame is in a plan. */
enum svmc_token_plan_why {
    SVMC_TOKEN_PLAN_PAGE = 1,  /* the page itself */
    SVMC_TOKEN_PLAN_TABLE = 2, /* a page table on the way to it: A5 */
    SVMC_TOKEN_PLAN_SAVED = 3  /* the pool, copies of the page: the hypervisor's own memory */
};

/** What there is to protect. */
struct svmc_token_plan_want {
    uint64_t frame;         /* of the page: a multiple of 4096, as all frames here */
    const uint64_t *tables; /* guest-physical; none: the walk at each call has to do */
    const uint64_t *saved;  /* HOST-physical */
    uint32_t table_count, saved_count;
    uint8_t kind;        /* enum svmc_token_page_kind */
    uint8_t user;        /* 1: a program calls or reads it; 0: a kernel */
    uint8_t level;       /* at which it does */
    uint8_t reserved[5]; /* 0 */
};

/** One frame at one level. No other guest frame may show the same memory, no device reach it. */
struct svmc_token_guard {
    uint64_t frame;
    uint8_t why;   /* enum svmc_token_plan_why; of SAVED the frame is the host's */
    uint8_t level; /* 0xff: all of them (SAVED) */
    uint8_t need;  /* enum svmc_token_right: these are there */
    uint8_t may;   /* and no others than these */
    uint8_t reserved[4];
};

/**
 * What stage 2 and IOMMU have to hold for a page.
 *
 * Shape:   plan[room]; *count: entries: levels * (1 + table_count) + saved_count.
 * State:   on any error *count is 0 and plan is not to be used.
 * Threads: pure.
 * Source:  TP-11 to TP-14.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, kind, user, level, a frame, the page among its tables or
 *         both); SVMC_ERR_UNSUPPORTED (the processor cannot protect such a page: take a SITE);
 *         SVMC_ERR_FULL.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_plan_make(
    const struct svmc_token_abilities *abilities, const struct svmc_token_plan_want *want,
    struct svmc_token_guard *plan, uint32_t room, uint32_t *count);

/** What the tables give now: enum svmc_token_right each. */
struct svmc_token_held {
    uint8_t rights;      /* stage 2 at guard->level; of SAVED 0: nothing maps it for a guest */
    uint8_t aliases;     /* all that other guest frames give, of any VM and level, to this memory */
    uint8_t devices;     /* MAY_READ, MAY_WRITE: what any device can do that a guest reaches */
    uint8_t reserved[5]; /* 0 */
};

struct svmc_token_plan_ops {
    uint32_t size; /* sizeof(struct svmc_token_plan_ops) as the host compiled it */

    /* required: read the tables themselves, not what was written; *out comes as no answer */
    SVMC_NODISCARD enum svmc_status (*held)(void *ctx, const struct svmc_token_guard *guard,
                                            struct svmc_token_held *out);
};

struct svmc_token_plan_verdict {
    uint32_t entry;  /* the first from `from` on that is not held; `count`: each of them is */
    uint8_t missing; /* needed rights that are not there */
    uint8_t beyond;  /* rights that must not be there */
    uint8_t aliases, devices;
};

/**
 * Is the plan held? After TLBs and IOTLBs were flushed, under a lock that keeps stage 2 and IOMMU
 * as they are; and once more after each change of them.
 *
 * Shape:   from: 0, or one behind the last verdict's entry, to find the next one.
 * State:   *out is zero after an error: entry `0` is not held.
 * Threads: calls ops.
 * Source:  TP-15, TP-16.
 *
 * @return SVMC_OK, with *out; SVMC_ERR_ARG (NULL, no held, no entries, from is none, a plan that is
 *         none); SVMC_ERR_CALLBACK (held failed or gave nonsense).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_plan_verify(
    const struct svmc_token_guard *plan, uint32_t count, uint32_t from,
    const struct svmc_token_plan_ops *ops, void *ctx, struct svmc_token_plan_verdict *out);

#ifdef __cplusplus
}
#endif
#endif
