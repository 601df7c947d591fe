/* SPDX-License-Identifier: MIT */
/**
 * Hypercalls that the keeper answers itself: VMware's at ports 0x5658 and 0x5659, native ones at a
 * doorbell of their own. What is answered here the intercept never sees, nor the host.
 */
#ifndef CALLS_H
#define CALLS_H
#include <linux/kvm.h>
#include <svmcore/answer.h>
#include <svmcore/discover.h>
#include <svmcore/exit.h>
#include <svmcore/hcall.h>
#include <svmcore/trap.h>
#include <svmcore/vmware.h>

#include "natives.h"
#include "store.h"
#include "tokens.h"

#define CALLS_CHANNELS      32u
#define CALLS_MESSAGE_BYTES 4096u
#define CALLS_ARENA_BYTES   (16 * CALLS_MESSAGE_BYTES)
#define CALLS_SCRATCH_WORDS 512u
#define CALLS_SPANS         8u
#define CALLS_TABLE_WORDS   1024u

/** What a run and its replay must have alike, beside the store. */
struct calls_config {
    uint16_t port; /* of native calls */
    uint32_t tsc_khz;
    uint32_t memory_mib;
};

/** All of it of a VM. */
struct calls {
    struct calls_config config;
    struct store store;
    struct natives natives;
    struct tokens tokens; /* with tokens.on */
    struct svmc_trap_config trap;
    struct svmc_vmware vmware;
    struct svmc_vmware_config vmware_config;
    struct svmc_vmware_channel channels[CALLS_CHANNELS];
    uint8_t arena[CALLS_ARENA_BYTES];
    struct svmc_hcall_owner owners[2];
    struct svmc_hcall_table table;
    struct svmc_hcall_vm vm;
    uint64_t table_room[CALLS_TABLE_WORDS];
};

/** Where an exit came from. */
struct calls_mode {
    uint8_t isa, cpl, iopl, backward; /* RFLAGS.DF */
};

/** Guest memory that a call is given while a tape is at work: a copy. */
struct calls_span {
    uint64_t at; /* guest-physical */
    uint32_t n;
    uint32_t access;
    uint8_t bytes[4096];
};

/** All of it of a vCPU. */
struct calls_vcpu {
    struct svmc_hcall_vcpu native;
    struct kvm_sregs sregs; /* of the exit in work */
    struct calls_mode mode;
    uint32_t spans;
    uint64_t scratch[CALLS_SCRATCH_WORDS];
    uint8_t data[SVMC_EXIT_DATA_MAX]; /* of a string */
    struct calls_span span[CALLS_SPANS];
};

struct vcpu;

/**
 * A page walk with the caller's rights: the frame of `page`, and the entries on the way. false: not
 * mapped so.
 */
bool calls_walk(const struct vcpu *v, uint64_t root, uint64_t page, bool user,
                struct svmc_measure_walk *out);

/** Make the VM's part; the store and its lock are ready. */
enum svmc_status calls_open(struct calls *calls, const struct calls_config *config);

/** Make vCPU v->id's part. */
enum svmc_status calls_vcpu_open(struct calls *calls, struct vcpu *v);

/** The two faces by which a guest finds them, in place of KVM's own: CPUID for KVM_SET_CPUID2. */
bool calls_cpuid(const struct calls *calls, struct kvm_cpuid2 *cpuid, uint32_t room);

/** How an exit fared here. */
enum calls_end {
    CALLS_NOT_OURS, /* it goes on to the intercept */
    CALLS_DONE,     /* answered: run on */
    CALLS_FAILED    /* KVM, the library or the tape */
};

/** Answer the exit that lies in v->run, if it is a call. */
enum calls_end calls_serve(struct vcpu *v, const struct svmc_exit *exit);

#endif
