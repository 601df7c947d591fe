/* SPDX-License-Identifier: MIT */
/** A vCPU of KVM on arm64 in the terms of exec_a64.h, and back. Rules KV-30 to KV-36. */
#ifndef PORT_KVM_A64_PRIVATE_H
#define PORT_KVM_A64_PRIVATE_H
#include <svmcore/port/kvm_finish_a64.h>

#include <linux/kvm.h>
#include <stdbool.h>

#include "../kvm/finish_lent.h"

/** KV-30: what does not change as long as there is the vCPU. */
enum svmc_status svmc_kvm_a64_features(struct svmc_kvm_finish_a64 *f);

/** KV-30: the registers. */
enum svmc_status svmc_kvm_a64_load(struct svmc_kvm_finish_a64 *f);

/** KV-34, KV-35: those that have changed, or the exception; all of them, or none. */
enum svmc_status svmc_kvm_a64_put(struct svmc_kvm_finish_a64 *f);

/** A V register, read or kept for put. */
enum svmc_status svmc_kvm_a64_get_vector(struct svmc_kvm_finish_a64 *f, uint32_t number, void *dst,
                                         size_t n);
enum svmc_status svmc_kvm_a64_set_vector(struct svmc_kvm_finish_a64 *f, uint32_t number,
                                         const void *src, size_t n);

/** What the executor is lent; ctx is a struct svmc_kvm_finish_a64. */
extern const struct svmc_exec_ops svmc_kvm_a64_exec;

#endif
