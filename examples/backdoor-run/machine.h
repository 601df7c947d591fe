/* SPDX-License-Identifier: MIT */
/**
 * The machine that the program believes to be in: the library's front end, and what stands behind
 * it. This is the embedding.
 */
#ifndef BACKDOOR_RUN_MACHINE_H
#define BACKDOOR_RUN_MACHINE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <svmcore/vmware.h>

#include "memory.h"
#include "names.h"
#include "rpc.h"
#include "store.h"

/** By which instruction a program is told to call. */
enum way { WAY_IN, WAY_VMCALL, WAY_VMMCALL, WAY_MRS };

#define MACHINE_VALUE_BYTES 65000u /* of a value: with command and key it fits into a message */

/** One call of the program. */
struct trap {
    struct svmc_vmware_call call;
    struct memory memory; /* of who called */
    pid_t tid;
    enum way way;
};

enum outcome {
    OUTCOME_NOT_OURS, /* the program gets the signal that it would have got */
    OUTCOME_DONE,     /* its registers have changed; it goes on behind the instruction */
    OUTCOME_AGAIN,    /* its registers may have changed; it executes the instruction again */
    OUTCOME_FAULT     /* its registers may have changed; it gets the exception */
};

struct machine {
    struct svmc_vmware vmware;
    struct svmc_vmware_config config;
    struct windows windows;
    struct store store;
    struct rpc rpc;
    enum way way;
    bool checkpoint;       /* in the middle of each message */
    struct names messages; /* for TCLO channels */
    struct tclo {
        bool idle;   /* nothing waits for the guest */
        size_t next; /* message */
        uint32_t channel;
    } tclo[SVMC_VMWARE_CHANNELS_MAX];
    FILE *trace, *log;                        /* NULL: none */
    uint8_t forced[SVMC_VMWARE_CHANNELS_MAX]; /* of a channel: which message had its checkpoint */
};

/** way, checkpoint, trace, store and rpc are filled in; false: reported. */
bool machine_init(struct machine *m, bool high_bandwidth);
/** Is this I/O instruction a call? Then call->high and call->write are set. */
bool machine_is_call(const struct svmc_iox *io, uint16_t port, struct svmc_vmware_call *call);
enum outcome machine_call(struct machine *m, struct trap *trap, struct svmc_fault *fault);
/** regs: EAX, EBX, ECX, EDX: leaf and subleaf in the first and third, then the answer. */
void machine_cpuid(const struct machine *m, pid_t tid, uint32_t regs[4]);

#endif
