/* SPDX-License-Identifier: MIT */
/** The way of an exit: exit -> policy -> parameter page -> [host] -> reply check -> commit. */
#ifndef SVMCORE_INTERCEPT_H
#define SVMCORE_INTERCEPT_H
#include <stddef.h>
#include <stdint.h>
#include "insn.h"
#include "page.h"
#include "policy.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_EXIT_DATA_MAX 4096u /* bytes a backend can hand over with one exit */
#define SVMC_REPLY_RULES   18u   /* R1 to R18 of docs/spec/reply.md */

/** What the library does itself once the answer is there; the rest is the backend's. */
enum svmc_finish {
    SVMC_FINISH_BACKEND = 0, /* nothing: the backend (KVM) writes registers and moves RIP */
    SVMC_FINISH_REGS = 1,    /* results go to registers and memory through the callbacks */
    SVMC_FINISH_RIP = 2      /* RIP is moved behind the instruction */
};

/** An exit, normalised. Made by one of the svmc_exit_from_* front ends. */
struct svmc_exit {
    uint16_t kind;         /* enum svmc_kind */
    uint8_t finish;        /* bits of enum svmc_finish */
    uint8_t size;          /* bytes of an element: 1..8; 0 where the kind has none */
    uint32_t count;        /* elements; 1 where the kind has no repetition */
    uint64_t address;      /* port, MSR index or guest-physical address */
    uint64_t value;        /* a single element that the guest writes */
    const uint8_t *data;   /* backend strings: size * count bytes that the guest writes, or NULL */
    svmc_gva buffer;       /* own strings: linear address of the first element */
    uint8_t insn_bytes;    /* FINISH_RIP: length of the instruction */
    uint8_t repeat;        /* own strings: 1 with REP */
    uint8_t backward;      /* own strings: 1 with RFLAGS.DF */
    uint8_t address_bytes; /* own strings: 4 or 8 */
    uint8_t dest_reg;      /* own reads: enum svmc_reg */
    uint8_t dest_bytes;    /* own reads: 1, 2, 4, 8 */
    uint8_t dest_high;     /* own reads: 1 for AH, CH, DH, BH */
    uint8_t dest_extend;   /* own reads: enum svmc_extend, from size to dest_bytes */
};

/** An exception for the guest. */
struct svmc_fault {
    uint8_t raised; /* 0: none */
    uint8_t vector;
    uint8_t has_error;
    uint8_t reserved;
    uint32_t error;
    uint64_t address; /* CR2 for a page fault */
};

/**
 * What the embedder lends the library. Every function gets ctx first; none may call back into the
 * same vCPU, block, or keep a pointer it was given. The table must outlive the vCPU.
 */
struct svmc_host_ops {
    uint32_t size; /* sizeof(struct svmc_host_ops) as the host compiled it */

    /* required: fill dst with n unpredictable bytes, all or nothing */
    SVMC_NODISCARD enum svmc_status (*random)(void *ctx, void *dst, size_t n);
    /* required: the guest's register (enum svmc_reg), 64 bits */
    SVMC_NODISCARD enum svmc_status (*reg_read)(void *ctx, uint32_t reg, uint64_t *value);
    /* required: set it; only registers that reg_read gave are written, so this cannot fail */
    void (*reg_write)(void *ctx, uint32_t reg, uint64_t value);
    /* optional (NULL: own strings are UNSUPPORTED): where does this byte lie, with the guest's
       rights? A guest fault is SVMC_OK with fault->raised set. */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, svmc_gva at, uint32_t access,
                                                 svmc_gpa *out, struct svmc_fault *fault);
    /* optional (with translate): n bytes of guest memory within one 4096-byte page, usable until
       the library's call returns */
    SVMC_NODISCARD enum svmc_status (*guest_span)(void *ctx, svmc_gpa at, size_t n, uint32_t access,
                                                  void **span);
};

/** What the embedder does next. */
enum svmc_action {
    SVMC_ACT_STOP = 0,      /* do not run the guest again: see `stop` */
    SVMC_ACT_RESUME = 1,    /* give the backend its data, if any, and run the guest */
    SVMC_ACT_DELEGATED = 2, /* ring the host's doorbell, call svmc_vcpu_enter when it answered */
    SVMC_ACT_NOTIFIED = 3,  /* done inside; the page says so to the host, who need not answer */
    SVMC_ACT_INJECT = 4     /* the guest gets `fault` instead of the instruction's end */
};

enum svmc_stop {
    SVMC_STOP_NONE = 0,
    SVMC_STOP_POLICY = 1,   /* the policy says TERMINATE */
    SVMC_STOP_REFUSALS = 2, /* refusal_limit wrong replies in a row (R16) */
    SVMC_STOP_RETRIES = 3,  /* retry_limit RETRY replies to one exit (R11) */
    SVMC_STOP_ERROR = 4     /* the call returned an error; only this one may be tried again */
};

struct svmc_outcome {
    uint8_t action;      /* enum svmc_action */
    uint8_t stop;        /* enum svmc_stop, with STOP */
    uint8_t verdict;     /* enum svmc_verdict that was applied */
    uint8_t rule;        /* the rule of docs/spec/reply.md that a refused reply broke; 0: none */
    uint32_t data_bytes; /* RESUME: what the backend needs to end the access; 0: nothing */
    const uint8_t *data; /* the vCPU's; valid until the next call on it */
    struct svmc_fault fault;
};

/** Counters; never reset by the library. */
struct svmc_stats {
    uint64_t exits;
    uint64_t verdicts[5];    /* by enum svmc_verdict */
    uint64_t requests;       /* pages filled, notices and chunks included */
    uint64_t bytes_shown;    /* guest bytes that went into them: addresses, slots, data */
    uint64_t bytes_accepted; /* host bytes that went into the guest */
    uint64_t retries;
    uint64_t refused;
    uint64_t refused_by_rule[SVMC_REPLY_RULES + 1]; /* index: rule; 0 unused */
};

/** The private record of the exit that waits for its answer: what a reply is checked against. */
struct svmc_pending {
    struct svmc_exit exit; /* exit.data is NULL here: the bytes are in the vCPU's staging area */
    uint64_t seq;
    uint32_t active;
    uint32_t at;     /* elements done by earlier chunks */
    uint32_t issued; /* elements asked for now */
    uint32_t retries;
    uint8_t in_count;
    uint8_t out_count;
    uint8_t reserved[6];
};

/** One virtual processor. Allocated by the caller; moved by nobody while it is in use. */
struct svmc_vcpu {
    struct {
        const struct svmc_host_ops *ops;
        void *ctx;
        const struct svmc_policy *policy;
        volatile void *page;
        uint32_t magic;
        uint32_t id;
        uint64_t seq_secret;
        uint64_t seq_count;
        uint32_t refusals; /* in a row */
        uint32_t stopped;  /* enum svmc_stop: every further call is SVMC_ERR_STATE */
        struct svmc_pending pending;
        struct svmc_stats stats;
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
 *         with this call. On an error the guest is unchanged, nothing is pending and *out is STOP.
 * Source: docs/spec/exit.md, EX-1 to EX-9; docs/spec/page.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a field out of its range); SVMC_ERR_STATE (one is pending);
 *         SVMC_ERR_CALLBACK; SVMC_ERR_UNSUPPORTED (own strings without translate and guest_span).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_exit(struct svmc_vcpu *vc,
                                                        const struct svmc_exit *exit,
                                                        struct svmc_outcome *out);

/**
 * Take the host's reply: read it once, check all of it, then commit all of it or nothing.
 *
 * State:  on SVMC_ERR_HOST_REPLY the guest and the pending record are as before, out->rule says
 *         which rule broke; out->action is DELEGATED (a right reply is still taken) until the
 *         policy's limit, then STOP. On SVMC_ERR_CALLBACK the record stays: enter can be called
 *         again. DELEGATED with SVMC_OK: the page holds a further request (string, RETRY).
 * Source: docs/spec/reply.md, R1 to R18.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (nothing pending: R1); SVMC_ERR_HOST_REPLY;
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_enter(struct svmc_vcpu *vc,
                                                         struct svmc_outcome *out);

/** Give up the pending exit, e.g. because the host is gone: page and record are zeroed. */
SVMC_API void svmc_vcpu_cancel(struct svmc_vcpu *vc);

/** Copy the counters. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_stats(const struct svmc_vcpu *vc,
                                                         struct svmc_stats *out);

/**
 * KVM on x86: the mapped struct kvm_run after KVM_RUN returned 0 -> an exit, finish BACKEND.
 *
 * Shape:  run[run_bytes], the whole mapping; read at the offsets of the KVM ABI, little-endian, so
 *         that a recorded run is read alike on every machine.
 * Owns:   out->data points into run until svmc_vcpu_exit returned.
 * Source: EX-2; Linux Documentation/virt/kvm/api.rst, section 5.
 *
 * @return SVMC_OK (kind UNKNOWN for an exit reason without a row); SVMC_ERR_ARG (NULL, run_bytes
 *         too small); SVMC_ERR_MISMATCH (a size, count or offset that KVM cannot have meant).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_kvm(const uint8_t *run, size_t run_bytes,
                                                            struct svmc_exit *out);

/**
 * KVM on x86: put an outcome's data, or its fault for an MSR, where KVM_RUN looks for it. Call it
 * after every svmc_vcpu_exit and svmc_vcpu_enter that returned SVMC_OK.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_MISMATCH (the data do not fit this exit);
 *         SVMC_ERR_UNSUPPORTED (INJECT for an exit that KVM cannot turn into a fault here).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_complete(uint8_t *run, size_t run_bytes,
                                                           const struct svmc_outcome *outcome);

/**
 * A decoded instruction at RIP that exited -> an exit that the library finishes alone. Reads the
 * registers that the instruction names.
 *
 * Shape:  gpa: where the memory operand lies, for instructions of class MEMORY; else ignored.
 * Source: EX-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK; SVMC_ERR_MISMATCH (cannot exit);
 *         SVMC_ERR_UNSUPPORTED (MOVS, STOS, LODS: not finished by this release).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_insn(const struct svmc_host_ops *ops,
                                                             void *ctx,
                                                             const struct svmc_insn *insn,
                                                             svmc_gpa gpa, struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
