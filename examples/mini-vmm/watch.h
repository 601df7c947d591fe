/* SPDX-License-Identifier: MIT */
/** What the demo looks at while exits are served: the tape, the report, the guard, the scanner. */
#ifndef WATCH_H
#define WATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <svmcore/intercept.h>

#include <svmcore/hcall.h>
#include <svmcore/trap.h>
#include <svmcore/vmware.h>

#include "embed.h"
#include "lies.h"
#include "report.h"

enum watch_op {
    WATCH_RANDOM = 1,
    WATCH_REG_READ = 2,
    WATCH_MODE = 3, /* the rest: of hypercalls */
    WATCH_TIME = 4,
    WATCH_TICKS = 5,
    WATCH_TRANSLATE = 6,
    WATCH_WHO = 7, /* the rest: of tokens */
    WATCH_WALK = 8,
    WATCH_HELD = 9,
    WATCH_DIGEST = 10,
    WATCH_CIPHER = 11 /* of DMA */
};
enum watch_call { WATCH_EXIT = 1, WATCH_ENTER = 2 };

struct scan;

/** One list for one vCPU: what happens to it, in order. */
struct watch {
    struct report *report;
    struct exit_row row; /* of the exit in work */
    FILE *dump;          /* request pages, or NULL */
    struct scan *scan;   /* or NULL */
    bool broken;         /* a file could not be written, the host could not be scanned */
    /* the guest as it was when the host was asked: for the proof that a refusal changes nothing */
    bool guard;
    uint8_t *memory; /* copy of the guest's, or NULL */
    uint8_t run[3 * 4096];
    uint64_t known[20];
    struct svmc_pending pending;
    uint8_t before[EMBED_RUN_BYTES]; /* run before the completion */
    uint64_t tag;                    /* the host's last word */
    bool asked;
    uint8_t rip_side[REPORT_KINDS]; /* enum find_side, by kind of exit */
};

/** A callback and its answer. Replaying, the answer is the trace's. false: the run must end. */
bool watch_call(struct vcpu *v, enum watch_op op, uint32_t reg, void *answer, size_t n);
void watch_reg_write(struct vcpu *v, uint32_t reg, uint64_t value);

/** Take the next exit, and the instruction's bytes, from or to the tape. */
bool watch_take_exit(struct vcpu *v);
void watch_exit(struct vcpu *v, enum svmc_status st, const struct svmc_exit *exit);
void watch_outcome(struct vcpu *v, enum watch_call which, enum svmc_status st,
                   const struct svmc_outcome *out);

/** The request is in the page: show it to the host. The reply is there: show it to the library. */
bool watch_request(struct vcpu *v);
bool watch_reply(struct vcpu *v, uint64_t tag);

/** The request is in the host's own form. */
void watch_emitted(struct vcpu *v);

/** Did the host answer a notice? Then show that the library takes nothing from it. */
void watch_stray(struct vcpu *v);

void watch_run(struct vcpu *v);
void watch_complete(struct vcpu *v, enum svmc_status st);

/** Hypercalls (calls.c): what the matcher said (NULL: it failed), what became of a call. */
void watch_trap(struct vcpu *v, const struct svmc_trap *trap);
void watch_vmware(struct vcpu *v, const struct svmc_trap *trap, const struct svmc_vmware_call *call,
                  const struct svmc_vmware_result *result);
void watch_native(struct vcpu *v, const struct svmc_trap *trap, const struct svmc_hcall_call *call,
                  const struct svmc_hcall_result *result);
void watch_info(struct vcpu *v, const char *what, const uint8_t *key, uint32_t key_bytes,
                const uint8_t *value, uint32_t bytes, enum svmc_status st);
void watch_said(struct vcpu *v, const uint8_t *text, uint32_t bytes);

/** A line about tokens or DMA: what was tried, what became of it. It is on the tape. */
__attribute__((format(printf, 2, 3))) void watch_gate(struct vcpu *v, const char *format, ...);

/**
 * Guest memory for a native call: *span, or NULL if there is none. With a tape it becomes a copy,
 * which is recorded; watch_spans writes back what was asked for to write. false: the tape is bad.
 */
bool watch_span(struct vcpu *v, uint64_t at, size_t n, uint32_t access, void **span);
bool watch_spans(struct vcpu *v);

/** Nothing has gone wrong with the tape. */
bool watch_good(const struct vcpu *v);

#endif
