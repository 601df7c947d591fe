/* SPDX-License-Identifier: MIT */
/** The embedding: what a hypervisor writes to use libsvmcore; all else here is the demo. */
#ifndef EMBED_H
#define EMBED_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/adapt.h>
#include <svmcore/intercept.h>

#include "calls.h"
#include "link.h"
#include "tape.h"
#include "vm.h"

#define EMBED_RUN_BYTES 8192u /* of struct kvm_run that a trace stands for */

/** What the policy is made of, the same in a run and in its replay. */
struct embed_config {
    uint32_t refusal_limit;
    uint32_t retry_limit;
    uint32_t msr_exits;
    uint32_t no_results; /* the host's form has no place for the results of a hypercall */
    uint32_t calls;      /* the keeper answers hypercalls itself */
    uint32_t tokens;     /* and some for a token alone */
    uint32_t dma;        /* two devices that do DMA */
    uint16_t port;       /* calls: the doorbell of native ones */
    uint64_t state_bytes_registers; /* for the report: of one vCPU, GPRs, sregs, XSAVE */
    uint64_t state_bytes_memory;
};

struct watch;

/** One vCPU of the keeper. */
struct vcpu {
    struct svmc_vcpu core;
    uint32_t id;
    uint8_t *run; /* struct kvm_run: KVM's, or `copy` */
    size_t run_bytes;
    struct vm_vcpu *kvm;         /* NULL: exits come from the tape */
    struct link *host;           /* NULL: replies come from the tape */
    volatile uint8_t *page;      /* that the library works on */
    volatile uint8_t *shared;    /* that the host sees; the same unless a tape is at work */
    struct svmc_foreign foreign; /* area NULL: the host reads pages; else `shared` is ours */
    struct svmc_request request; /* that is in the foreign area */
    struct calls *calls;         /* NULL: the keeper answers no hypercalls itself */
    struct calls_vcpu calling;
    struct dma *dma;   /* NULL: no device does DMA */
    struct disk *disk; /* NULL: no disk is sealed */
    struct tape *tape;
    struct watch *watch;
    uint64_t random; /* state of the deterministic answers */
    bool seeded;
    atomic_bool save_now;    /* the VM stops: the next one is */
    uint64_t turns, save_at; /* requests so far; the one that is not asked but saved; 0: none */
    struct svmc_exit last;   /* and the registers that it came with */
    struct kvm_regs last_regs;
    struct svmc_exit waiting; /* it */
    unsigned host_timeout_ms;
    uint64_t known[20]; /* FEED: registers as the trace tells them */
    uint64_t private_page[SVMC_PAGE_BYTES / 8];
    uint64_t foreign_page[SVMC_PAGE_BYTES / 8];
    uint8_t data[SVMC_PAGE_DATA_BYTES];
    uint8_t copy[EMBED_RUN_BYTES];
};

/** How serving an exit ended. */
enum served {
    SERVED,        /* run on */
    SERVED_CALL,   /* run on: a hypercall, answered inside */
    SERVED_HALT,   /* HLT: the guest is done */
    SERVED_STOP,   /* the library stopped the guest, see *out */
    SERVED_FAULT,  /* the policy refuses an access that KVM cannot turn into a fault */
    SERVED_HOST,   /* the host is dead */
    SERVED_SILENT, /* or does not answer */
    SERVED_FORM,   /* the host's form cannot say this request */
    SERVED_OVER,   /* another vCPU has ended the run */
    SERVED_SAVE,   /* it waits for its answer, and shall be saved so */
    SERVED_DISK,   /* the sealed disk is not what was written last, or cannot be had */
    SERVED_TAPE,   /* the tape is at its end, or differs */
    SERVED_BACKEND /* an exit that cannot be */
};

/** The policy of the demo's devices. */
enum svmc_status embed_policy(struct svmc_policy *policy, const struct embed_config *config);

/** The callbacks; ctx is the struct vcpu. */
extern const struct svmc_host_ops embed_ops;

/** Ask, as often as the library says so, and give what comes of it back to KVM. */
enum served embed_finish(struct vcpu *v, const struct svmc_exit *exit, struct svmc_outcome *out);

/** Serve the exit that lies in v->run. */
enum served embed_serve(struct vcpu *v, struct svmc_outcome *out);

#endif
