/* SPDX-License-Identifier: MIT */
/** A host that reads struct kvm_run as any device model for KVM does: no adapter, no library. */
#ifndef KVM_HOST_H
#define KVM_HOST_H
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <svmcore/page.h>

/** What the exit asks for, as devices.c takes it. false: nothing that waits for an answer. */
bool kvm_host_read(const struct kvm_run *run, size_t run_bytes, struct svmc_request *request,
                   uint8_t data[SVMC_PAGE_DATA_BYTES]);

/** Put the answer where KVM_RUN would look for it. */
void kvm_host_answer(struct kvm_run *run, const struct svmc_request *request,
                     const struct svmc_reply *reply, const uint8_t *data);

#endif
