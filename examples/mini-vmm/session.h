/* SPDX-License-Identifier: MIT */
/** One run of one guest: its vCPUs, their exits, its end. Live, replayed or fed from a trace. */
#ifndef SESSION_H
#define SESSION_H
#include <pthread.h>
#include <stdatomic.h>

#include "account.h"
#include "dma.h"
#include "embed.h"
#include "options.h"
#include "report.h"
#include "save.h"
#include "scan.h"
#include "tape.h"
#include "watch.h"

#define SESSION_REFUSAL_LIMIT 16u /* wrong replies in a row: an evil host tells up to 9 */
#define SESSION_RETRY_LIMIT   8u

/** One vCPU of the run: a thread, a page and a tape of its own. */
struct cpu {
    struct session *session;
    pthread_t thread;
    struct vcpu vcpu;
    struct watch watch;
    struct tape tape;
    struct account account;
    uint64_t verdict; /* RAX at HLT */
    bool halted;
    bool waits;       /* restored: the first exit is known already, and waits for its answer */
    uint32_t stopped; /* enum save_where, for the VM to be saved; 0: not stopped */
};

struct session {
    struct cpu cpu[WIRE_VCPUS_MAX];
    uint32_t cpus;
    struct svmc_policy policy;
    struct embed_config config;
    struct calls calls;
    struct dma dma;                   /* with config.dma */
    struct calls_config calls_config; /* with config.calls */
    struct report report;
    struct scan scan;
    struct save *restored; /* NULL: the guest begins at its beginning */
    unsigned timeout_ms;
    size_t console_taped; /* bytes of link.console that are on the tape */
    atomic_bool over;     /* an end that is not good: all vCPUs stop */
    _Atomic uint64_t last_exit_ms;
};

/**
 * Run the vCPUs until their end and fill in the report's verdict. Before: for each, id, tape and
 * backend (vcpu.kvm, vcpu.host or neither) are set, and the report's texts. A library or tape error
 * is an end like others. Without KVM there is one vCPU.
 */
void session_run(struct session *s);

/** The run has ended for the VM to be saved: what there is to know of its vCPUs. false: it has
 *  ended otherwise. */
bool session_saved(struct session *s, struct save_own *own, struct save_from *from);

/** The header record's texts, of a trace that was opened; for the first lines. */
bool session_header(const struct tape *t, char *guest, size_t guest_cap, char *backend,
                    size_t backend_cap);

#endif
