/* SPDX-License-Identifier: MIT */
/**
 * What was disclosed and what was accepted: a ledger of sums by kind of exit, and a ring of events
 * that are chained by hash or MAC. Both are optional, lie in the embedder's memory, and hold no
 * value of the guest. Source: docs/spec/audit.md, rules AU-1 to AU-12.
 */
#ifndef SVMCORE_AUDIT_H
#define SVMCORE_AUDIT_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "intercept.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_LEDGER_ROWS       128u /* room for the kinds; how many are used is the build's */
#define SVMC_AUDIT_ENTRY_BYTES 64u
#define SVMC_AUDIT_TAG_BYTES   SVMC_HASH_BYTES
#define SVMC_AUDIT_ENTRIES_MAX 0x1000000u

/** Sums of one kind of exit. */
struct svmc_ledger_sums {
    uint64_t exits;
    uint64_t delegated;   /* with the verdict DELEGATE */
    uint64_t bytes_shown; /* as in struct svmc_stats, here and below */
    uint64_t bytes_accepted;
    uint64_t refused; /* replies */
    uint64_t retries;
    uint64_t answered;    /* exits that an accepted answer ended; these have ticks: */
    uint64_t ticks_total; /* from the beginning of svmc_vcpu_exit to the end of svmc_vcpu_enter */
    uint64_t ticks_worst;
};

/** A row as it is read. */
struct svmc_ledger_entry {
    const char *name; /* svmc_kind_name of `kind`; static */
    uint16_t kind;    /* enum svmc_kind; UNKNOWN: all exits without a kind of their own */
    uint16_t timed;   /* 0: the vCPU has no clock, all ticks are 0 */
    uint32_t reserved;
    struct svmc_ledger_sums sums;
};

struct svmc_ledger {
    struct {
        uint32_t magic;
        uint32_t timed;
        struct svmc_ledger_sums by_row[SVMC_LEDGER_ROWS];
    } priv;
};

/** Which call an event stands for. */
enum svmc_audit_call { SVMC_AUDIT_EXIT = 1, SVMC_AUDIT_ENTER = 2 };

/** One event, read from its 64 bytes (AU-6). */
struct svmc_audit_entry {
    uint64_t sequence; /* from 0, without gaps: see lost_before */
    uint16_t kind;     /* enum svmc_kind, or UNKNOWN */
    uint8_t call;      /* enum svmc_audit_call */
    uint8_t verdict;   /* of struct svmc_outcome, here and below */
    uint8_t action;
    uint8_t stop;
    uint8_t rule;
    uint8_t status;          /* enum svmc_status that the call returned */
    uint32_t bytes_shown;    /* by this call */
    uint32_t bytes_accepted; /* by this call */
    uint32_t lost_before;    /* events between the last entry and this one that have none */
    uint32_t vcpu;           /* the id of svmc_vcpu_init */
    uint8_t tag[SVMC_AUDIT_TAG_BYTES];
};

struct svmc_audit_ring {
    struct {
        const struct svmc_crypto_ops *ops;
        const uint8_t *key;
        uint8_t *entries;
        uint32_t magic;
        uint32_t alg;
        uint32_t mask;     /* entries - 1 */
        uint32_t lost_now; /* since the last entry */
        uint64_t next;
        uint64_t lost;
        uint8_t before[SVMC_AUDIT_TAG_BYTES];
        uint8_t last[SVMC_AUDIT_TAG_BYTES];
        struct svmc_hash_state state;
    } priv;
};

/** Where a ring stands. */
struct svmc_audit_head {
    uint64_t oldest;                      /* sequence of the oldest entry that is still there */
    uint64_t next;                        /* of the next one; the same as `oldest`: empty */
    uint64_t lost;                        /* events that have no entry, of all time */
    uint8_t before[SVMC_AUDIT_TAG_BYTES]; /* the tag that the oldest entry goes on from */
    uint8_t last[SVMC_AUDIT_TAG_BYTES];   /* the newest entry's tag; `before` of an empty ring */
};

/**
 * Give a vCPU a ledger, which starts at 0, or take it away (NULL).
 *
 * Owns:    nothing; the ledger must outlive the vCPU or be taken away. One ledger a vCPU.
 * State:   it counts from here on. On an error nothing changes.
 * Threads: as every call on the vCPU.
 * Source:  AU-1 to AU-4.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (no vCPU); SVMC_ERR_STATE (an exit is pending).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_set_ledger(struct svmc_vcpu *vc,
                                                              struct svmc_ledger *ledger);

/**
 * Read one row; for (i = 0; svmc_ledger_read(ledger, i, &e) == SVMC_OK; i++) reads all. Rows stand
 * in the order of src/intercept/rows.def; UNKNOWN is the first (AU-1).
 *
 * Threads: while no call on the vCPU runs.
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, never attached, no such row: *out is zeroed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_ledger_read(const struct svmc_ledger *ledger,
                                                          uint32_t row,
                                                          struct svmc_ledger_entry *out);

/**
 * Make a ring ready.
 *
 * Shape:   alg: a MAC with key[SVMC_MAC_KEY_BYTES], or a hash with key NULL; AU-8 says which when.
 *          entries[SVMC_AUDIT_ENTRY_BYTES * count]; count: a power of two, up to
 *          SVMC_AUDIT_ENTRIES_MAX. start[SVMC_AUDIT_TAG_BYTES]: what the first entry goes on from,
 *          e.g. the last tag before a restart, or fresh random bytes; NULL: zeros.
 * Owns:    nothing but a copy of start; ops, key and entries must outlive the ring.
 * State:   empty; one tag is made for a trial. On an error *ring is zeroed.
 * Source:  AU-5, AU-7, AU-8.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, count, alg, a key for a hash or none for a MAC, an op
 *         missing); SVMC_ERR_UNSUPPORTED (alg unknown to the back end); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_audit_init(struct svmc_audit_ring *ring,
                                                         const struct svmc_crypto_ops *ops,
                                                         enum svmc_alg alg, const uint8_t *key,
                                                         uint8_t *entries, size_t count,
                                                         const uint8_t *start);

/**
 * Give a vCPU a ring, or take it away (NULL).
 *
 * Owns:    nothing; the ring must outlive the vCPU or be taken away.
 * Threads: a ring has one writer: one ring a vCPU. Several vCPUs may have the same ring only if
 *          their calls never overlap; entries carry the vCPU's id.
 * Source:  AU-5, AU-9.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (no vCPU, a ring that is not ready); SVMC_ERR_STATE (an exit is
 *         pending).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_set_audit(struct svmc_vcpu *vc,
                                                             struct svmc_audit_ring *ring);

/** Where the ring stands. Threads: no writer runs. @return SVMC_OK; SVMC_ERR_ARG (*out zeroed). */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_audit_head_read(const struct svmc_audit_ring *ring,
                                                              struct svmc_audit_head *out);

/**
 * Copy entries, from the one with sequence `from` on, as many as there are and fit.
 *
 * Shape:   bytes[cap]; *len: SVMC_AUDIT_ENTRY_BYTES for each, 0 if `from` is the next one.
 * State:   the ring stays as it is: what comes next is read from `from` + *len / 64.
 * Threads: no writer runs.
 * Source:  AU-10.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, `from` beyond the next); SVMC_ERR_STALE (`from` was
 *         overwritten: go on from head.oldest with head.before). *len is 0 on an error.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_audit_read(const struct svmc_audit_ring *ring,
                                                         uint64_t from, uint8_t *bytes, size_t cap,
                                                         size_t *len);

/**
 * Check entries that somebody else has kept or carried: needs no ring.
 *
 * Shape:   alg, key: the ring's. before[SVMC_AUDIT_TAG_BYTES]: the tag of the entry before the
 *          first, head.before, or what `start` was. bytes[len]; len: a multiple of
 *          SVMC_AUDIT_ENTRY_BYTES. last[SVMC_AUDIT_TAG_BYTES]: the tag that the last entry must
 *          have; NULL with a MAC: entries missing at the end are not noticed. *good: entries, from
 *          the first on, that hold.
 * Source:  AU-11.
 *
 * @return SVMC_OK (all hold); SVMC_ERR_AUTH (the entry behind *good does not hold; *good is all of
 *         them: the last tag is another); SVMC_ERR_ARG (NULL, len, as in svmc_audit_init, a hash
 *         without last); SVMC_ERR_UNSUPPORTED; SVMC_ERR_CALLBACK. *good is 0 on all but AUTH.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_audit_verify(const struct svmc_crypto_ops *ops,
                                                           enum svmc_alg alg, const uint8_t *key,
                                                           const uint8_t *before,
                                                           const uint8_t *bytes, size_t len,
                                                           const uint8_t *last, size_t *good);

/**
 * The fields of one entry, whether its tag holds or not: verify first.
 *
 * Shape:  bytes[SVMC_AUDIT_ENTRY_BYTES].
 * @return SVMC_OK; SVMC_ERR_ARG (NULL).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_audit_entry_read(const uint8_t *bytes,
                                                               struct svmc_audit_entry *out);

#ifdef __cplusplus
}
#endif
#endif
