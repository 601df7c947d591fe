/* SPDX-License-Identifier: MIT */
/** What happened, as rows, and the three ways to print it: table, summary, JSON. */
#ifndef REPORT_H
#define REPORT_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <svmcore/insn.h>
#include <svmcore/intercept.h>

#include "account.h"
#include "lies.h"
#include "link.h"

#define REPORT_ROWS_MAX 20000u /* of one vCPU; further exits are counted, not listed */
#define REPORT_KINDS    16u
#define REPORT_CALLS    4000u /* lines about hypercalls; further ones are counted */
#define REPORT_LINE     101u

struct exit_row {
    uint64_t number;
    uint16_t kind;
    uint8_t verdict;
    uint8_t action;
    uint8_t stop;
    uint8_t insn_bytes;
    uint8_t insn[SVMC_INSN_MAX];
    uint64_t address;
    uint32_t size;
    uint32_t count;
    uint64_t value; /* written by the guest */
    uint32_t requests;
    uint32_t refused;
    uint8_t shown_slots;
    uint8_t taken_slots;
    uint64_t shown[SVMC_PAGE_SLOTS];
    uint64_t taken[SVMC_PAGE_SLOTS];
    uint32_t shown_data;
    uint32_t taken_data;
    struct svmc_fault fault;
};

/** The exits of one vCPU, in order. Only its own thread writes here. */
struct exit_list {
    struct exit_row *rows;
    size_t count;
    size_t capacity;
    uint64_t exits;
};

/** A reply that was not taken. */
struct refusal_row {
    uint32_t vcpu;
    uint64_t exit;
    uint32_t lie; /* number + 1 as the host calls it; 0: it says it told the truth */
    uint8_t rule;
    bool unchanged; /* the guest, bit for bit */
};

/** What a line about hypercalls is. */
enum report_mark {
    REPORT_CALL,
    REPORT_SAID, /* the guest wrote it: it is no call */
    REPORT_GATE, /* about tokens: it is printed with --quiet, too */
    REPORT_DMA,  /* likewise */
    REPORT_SEAL  /* likewise */
};

/** What the keeper answered itself, alike calls of a vCPU in a row as one. */
struct call_row {
    uint32_t vcpu;
    uint64_t count;
    enum report_mark mark;
    char text[REPORT_LINE];
};

struct store;

struct report_scan {
    bool ran;
    bool failed;
    uint64_t rounds;
    uint64_t bytes;
    uint64_t pages;
    uint64_t hits;
    uint64_t skipped; /* mappings no process can read, such as [vvar] */
    char first_hit[80];
};

struct report {
    /* before the run */
    char backend[400];
    char trace[104]; /* from_trace: its name, and where it was recorded */
    char recorded[120];
    bool from_trace;
    char guest[64];
    char host[120];
    char sealed[120]; /* what is sealed, and how; empty: nothing */
    bool quiet;
    bool json;
    bool all;
    /* the run */
    struct exit_list list[WIRE_VCPUS_MAX];
    pthread_mutex_t lock; /* for all below, while vCPUs run */
    uint64_t exits;
    struct refusal_row *refusals;
    size_t refusal_count;
    size_t refusal_capacity;
    uint64_t refusals_total;
    uint64_t changed_after_refusal;
    uint64_t told[LIE_ALL];
    uint64_t changed_lies[LIE_ALL]; /* refusals after which the guest was another */
    uint64_t refused_lies[LIE_ALL];
    uint64_t accepted_lies[LIE_ALL];
    uint32_t lie_rules[LIE_ALL]; /* bit n: rule n refused it */
    uint64_t unexplained;        /* refused though the host says it was the truth */
    uint64_t flips;
    bool evil;
    bool replay;
    uint64_t records;
    bool msr_exits;
    bool memory_guarded;
    const struct store *store; /* NULL: no hypercalls are answered inside */
    struct call_row *calls;
    size_t call_count;
    size_t call_capacity;
    uint64_t calls_total; /* but those that are only lines */
    uint64_t calls_unlisted;
    size_t open_call[WIRE_VCPUS_MAX]; /* number + 1 of a row that is not printed yet */
    struct svmc_stats stats;
    struct totals totals; /* of the run, once it has ended */
    struct report_scan scan;
    uint64_t state_bytes_registers; /* of one vCPU: GPRs, sregs, XSAVE */
    uint64_t state_bytes_memory;
    uint64_t final_state; /* checksum of a guest that passed, but for its boot page; 0: not live */
    uint8_t console[LINK_CONSOLE_MAX];
    size_t console_bytes;
    size_t console_dropped;
    bool line_open; /* a console line is on the screen without its newline */
    /* the end */
    const char *verdict; /* PASS, FAIL, STOPPED, ERROR */
    char why[200];
    int status;
    double seconds;
};

void report_console(void *report, const uint8_t *bytes, size_t n);

/** A line about a hypercall: `text` without the vCPU's number. */
void report_call(struct report *r, uint32_t vcpu, enum report_mark mark, const char *text);

void report_exit(struct report *r, uint32_t vcpu, const struct exit_row *row);
void report_refusal(struct report *r, const struct refusal_row *row);

/** What the host said of its answer; and that the library took an answer which is lie number n. */
void report_told(struct report *r, uint64_t tag);
void report_accepted(struct report *r, uint32_t lie);

/** The first lines, and the last. With --json only report_end prints. */
void report_begin(struct report *r);
void report_end(struct report *r);
void report_json(const struct report *r);
void report_drop(struct report *r);

/** How the table shows a row's parts; shared with JSON. */
const char *report_verdict(const struct exit_row *row);
void report_insn_text(const struct exit_row *row, char *text, size_t cap);
bool report_lies_good(const struct report *r, const uint8_t wanted[LIE_ALL], char *why, size_t cap);

static inline unsigned report_kind(uint16_t kind)
{
    return kind >= 0x8000 ? 0 : ((unsigned)kind >> 12 & 7) * 2 + (kind & 1);
}

#endif
