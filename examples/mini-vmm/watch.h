/* SPDX-License-Identifier: MIT */
/** What the demo looks at while exits are served: the tape, the report, the guard, the scanner. */
#ifndef WATCH_H
#define WATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <svmcore/intercept.h>

#include "embed.h"
#include "lies.h"
#include "report.h"

enum watch_op { WATCH_RANDOM = 1, WATCH_REG_READ = 2 };
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

/** Nothing has gone wrong with the tape. */
bool watch_good(const struct vcpu *v);

#endif
