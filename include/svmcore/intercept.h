/* SPDX-License-Identifier: MIT */
/** The way of an exit: exit -> policy -> parameter page -> [host] -> reply check -> commit. */
#ifndef SVMCORE_INTERCEPT_H
#define SVMCORE_INTERCEPT_H
#include <stddef.h>
#include <stdint.h>
#include "exit.h"
#include "host.h"
#include "page.h"
#include "policy.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_REPLY_RULES 18u /* R1 to R18 of docs/spec/reply.md */

/** What the embedder does next. */
enum svmc_action {
    SVMC_ACT_STOP = 0,      /* do not run the guest again: see `stop` */
    SVMC_ACT_RESUME = 1,    /* give the backend its data, if any, and run the guest */
    SVMC_ACT_DELEGATED = 2, /* ring the host's doorbell, call svmc_vcpu_enter when it answered */
    /* HLT, done inside: run again when an interrupt is there; the page tells the host: ring or not,
       never wait. Of s390x (EX-63): executing it is yours, or already done */
    SVMC_ACT_NOTIFIED = 3,
    SVMC_ACT_INJECT = 4 /* the guest gets `fault` instead of the instruction's end */
};

enum svmc_stop {
    SVMC_STOP_NONE = 0,
    SVMC_STOP_POLICY = 1,   /* the policy says TERMINATE */
    SVMC_STOP_REFUSALS = 2, /* refusal_limit wrong replies in a row (R16) */
    SVMC_STOP_RETRIES = 3,  /* retry_limit RETRY replies to one exit (R11) */
    SVMC_STOP_ERROR = 4     /* the call returned an error; only this one may be tried again */
};

struct svmc_outcome {
    uint8_t action;  /* enum svmc_action */
    uint8_t stop;    /* enum svmc_stop, with STOP */
    uint8_t verdict; /* enum svmc_verdict that was applied */
    uint8_t rule;    /* the rule of docs/spec/reply.md that the reply broke; 0: none. With SVMC_OK
                        a looser mode of the policy let it through (MO-6) */
    uint8_t
        state; /* bits of enum svmc_event_state from here on; SINGLE_STEP with RESUME: #DB is due */
    uint8_t reserved[3];
    uint32_t data_bytes; /* RESUME: what the backend needs to end the access; 0: nothing */
    const uint8_t *data; /* the vCPU's; valid until the next call on it */
    struct svmc_fault fault;
};

/** Counters; never reset by the library. */
struct svmc_stats {
    uint64_t exits;
    uint64_t verdicts[8];    /* by enum svmc_verdict; room for more of them */
    uint64_t requests;       /* pages filled, notices and chunks included */
    uint64_t bytes_shown;    /* guest bytes that went into them: addresses, slots, data */
    uint64_t bytes_accepted; /* host bytes that went into the guest */
    uint64_t retries;
    uint64_t refused;
    uint64_t refused_by_rule[SVMC_REPLY_RULES + 1];  /* index: rule; 0 unused */
    uint64_t observed;                               /* replies that a looser mode let through */
    uint64_t observed_by_rule[SVMC_REPLY_RULES + 1]; /* each rule that they broke */
};

/** The private record of the exit that waits for its answer: what a reply is checked against. */
struct svmc_pending {
    struct svmc_exit exit; /* exit.data is NULL here between two calls */
    const void *row;       /* the library's row for the kind; it has static storage */
    uint64_t seq;
    uint8_t active; /* this and the next seven: src/intercept/usual.c sets them at once */
    uint8_t usual;  /* 1: the exit took the usual way, and its reply may: it is not in parts */
    uint8_t staged; /* 1: the bytes that the guest writes are in the staging area */
    uint8_t in_count;
    uint8_t out_count;  /* results of the request that waits; of a part of a block 0 */
    uint8_t direction;  /* strings and blocks: enum svmc_direction of the request that waits */
    uint8_t completion; /* likewise: CHUNK or PART */
    uint8_t counter;    /* src/intercept/time.c: what the exit has to do with time */
    uint32_t issued;    /* elements asked for now */
    uint32_t at;        /* done by earlier chunks; of a block bytes, in this direction */
    uint32_t retries;
    uint16_t block; /* bytes of a block in all; exit.size is the part's, at where it begins */
    uint16_t kept;  /* of these, at its beginning: nothing comes back over them */
    uint64_t clock; /* the embedder's, when time was asked for */
};

#define SVMC_TIME_SOURCES 2u /* counters of a guest: TSC or physical, virtual */

/** The last time that a host gave (R13). */
struct svmc_time {
    uint64_t value;
    uint64_t clock; /* the embedder's, when it was asked for */
    uint64_t known; /* 1: there is one; 2: without its clock, which was another's (ST-8) */
};

struct svmc_ledger; /* audit.h, here and below */
struct svmc_audit_ring;

/** What ledger and ring need between two calls: counters as they stood at the last one's end. */
struct svmc_record {
    struct svmc_ledger *ledger;
    struct svmc_audit_ring *ring;
    uint64_t began; /* ticks at the beginning of the exit */
    uint64_t exits;
    uint64_t delegated;
    uint64_t bytes_shown;
    uint64_t bytes_accepted;
    uint64_t refused;
    uint64_t retries;
};

/** One virtual processor. Allocated by the caller; moved by nobody while it is in use. */
struct svmc_vcpu {
    struct {
        const struct svmc_host_ops *ops;
        void *ctx;
        const struct svmc_policy *policy;
        volatile void *page;
        uint32_t magic;      /* this and the next two: src/intercept/usual.c reads them at once */
        uint16_t recording;  /* 1: `record` has a ledger or a ring */
        uint16_t stopped;    /* enum svmc_stop: every further call is SVMC_ERR_STATE */
        uint64_t seq_secret; /* bits 63:48: the id */
        uint64_t seq_count;  /* requests so far */
        uint32_t id;
        uint32_t page_used; /* bytes of the data area that hold the last request's */
        uint32_t refusals;  /* in a row */
        struct svmc_pending pending;
        struct svmc_stats stats;
        struct svmc_record record;
        struct svmc_time time[SVMC_TIME_SOURCES];
        uint8_t policy_digest[32];
        uint64_t has_digest; /* 1: svmc_vcpu_name_policy */
        uint8_t staging[SVMC_EXIT_DATA_MAX];
    } priv;
};

/**
 * Make a vCPU ready.
 *
 * Shape:   page: SVMC_PAGE_BYTES shared with the host, 8-byte aligned; id: below 65536, one of its
 *          kind among the vCPUs whose pages a host can see.
 * Owns:    nothing; ops, ctx, policy and page must outlive it.
 * State:   the page is zeroed; 8 bytes are drawn from ops->random. On an error *vc is zeroed.
 * Threads: one caller at a time per vc, here and below; any thread.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a required op missing, policy not sealed, id, alignment);
 *         SVMC_ERR_CALLBACK (random failed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_init(struct svmc_vcpu *vc,
                                                        const struct svmc_host_ops *ops, void *ctx,
                                                        const struct svmc_policy *policy,
                                                        volatile void *page, uint32_t id);

/** Forget everything: *vc and its page are zeroed. NULL is allowed. */
SVMC_API void svmc_vcpu_drop(struct svmc_vcpu *vc);

/**
 * Take an exit: judge it, and where the policy delegates it, fill the page.
 *
 * State:  DELEGATED leaves a pending record: svmc_vcpu_enter is next. Everything else is complete
 *         with this call. On an error the guest is unchanged, *out is STOP, and nothing is pending
 *         but what was before (SVMC_ERR_STATE).
 * Source: docs/spec/exit.md, EX-1 to EX-9; docs/spec/page.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a field out of its range); SVMC_ERR_STATE (one is pending);
 *         SVMC_ERR_CALLBACK; SVMC_ERR_UNSUPPORTED (own strings without translate and guest_span).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_exit(struct svmc_vcpu *vc,
                                                        const struct svmc_exit *exit,
                                                        struct svmc_outcome *out);

/**
 * Take the host's reply: read it once, check all of it, then commit all of it or nothing. Call it
 * after the host rang: a page without a reply is a wrong reply.
 *
 * State:  on SVMC_ERR_HOST_REPLY the guest and the pending record are as before, out->rule says
 *         which rule broke; out->action is DELEGATED (a right reply is still taken) until the
 *         policy's limit, then STOP. On SVMC_ERR_CALLBACK the record stays: enter can be called
 *         again. DELEGATED with SVMC_OK: the page holds a further request (string, RETRY).
 * Source: docs/spec/reply.md, R1 to R18, and for looser modes MO-1 to MO-7.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (nothing pending: R1); SVMC_ERR_HOST_REPLY;
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_enter(struct svmc_vcpu *vc,
                                                         struct svmc_outcome *out);

/**
 * Give up the pending exit, e.g. because the host is gone: page, record and copied data are zeroed
 * (R17). An own exit's guest still stands on its instruction; a backend's (KVM) must not run before
 * the same exit was taken again and answered: KVM would end the access with what is in its buffer.
 */
SVMC_API void svmc_vcpu_cancel(struct svmc_vcpu *vc);

/** Copy the counters. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_stats(const struct svmc_vcpu *vc,
                                                         struct svmc_stats *out);

#ifdef __cplusplus
}
#endif
#endif
