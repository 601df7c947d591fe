/* SPDX-License-Identifier: MIT */
/** One run of one guest: its tape, its exits, its end. Live, replayed or fed from a trace. */
#ifndef SESSION_H
#define SESSION_H
#include "account.h"
#include "embed.h"
#include "options.h"
#include "report.h"
#include "scan.h"
#include "tape.h"
#include "watch.h"

#define SESSION_REFUSAL_LIMIT 16u /* wrong replies in a row: an evil host tells up to 9 */
#define SESSION_RETRY_LIMIT   8u

struct session {
    struct vcpu vcpu;
    struct svmc_policy policy;
    struct embed_config config;
    struct tape tape;
    struct watch watch;
    struct report report;
    struct account account;
    struct scan scan;
    unsigned timeout_ms;
    size_t console_taped; /* bytes of link.console that are on the tape */
    uint64_t verdict;     /* RAX at HLT */
    bool halted;
};

/**
 * Run s->vcpu until its end and fill in the report's verdict. Before: tape, backend (vcpu.kvm,
 * vcpu.host or neither) and report's texts are set. A library or tape error is an end like others.
 */
void session_run(struct session *s);

/** The header record's texts, of a trace that was opened; for the first lines. */
bool session_header(const struct tape *t, char *guest, size_t guest_cap, char *backend,
                    size_t backend_cap);

#endif
