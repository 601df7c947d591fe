/* SPDX-License-Identifier: MIT */
/**
 * The context of a vCPU that is not scheduled (--protect context): taken from KVM, sealed, KVM's
 * copy overwritten; verified and put back before the vCPU runs again.
 */
#ifndef CONTEXT_H
#define CONTEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/port/kvm.h>
#include <svmcore/seal_context.h>

#include "sealing.h"

struct vm_vcpu;

/** One a vCPU. */
struct context {
    struct svmc_kvm_vcpu kvm;
    struct sealing *sealing;
    struct svmc_contexts out; /* of this vCPU alone: it has a thread and a lane of its own */
    uint32_t id;
    size_t bytes, trusted_bytes, blob_bytes;
    uint8_t *plain; /* locked where the system lets, as is what `out` lies in */
    void *trusted;
    uint8_t *blob;            /* untrusted */
    uint64_t count, ns, left; /* left: times that KVM still had a register of the guest's */
    const char *failed;       /* NULL: good */
};

/** For a vCPU that has its registers. false: `why`. */
bool context_open(struct context *x, struct vm_vcpu *c, uint32_t id, struct sealing *sealing,
                  char *why, size_t cap);

/** Seal it, wipe it, and bring it back. Its pending access is answered. false: x->failed. */
bool context_park(struct context *x, struct vm_vcpu *c);

void context_close(struct context *x);

#endif
