/* SPDX-License-Identifier: MIT */
/** A vCPU of KVM in the terms of exec_x86.h, and back. Rules KV-14 to KV-27: docs/spec/kvm.md. */
#ifndef PORT_KVM_FINISH_PRIVATE_H
#define PORT_KVM_FINISH_PRIVATE_H
#include <svmcore/port/kvm_finish.h>

#include <stdbool.h>

#include "kvm_private.h"

#define FINISH_UD 6u

enum finish_state {
    FINISH_IDLE,
    FINISH_WAITS, /* for the answer in struct kvm_run */
    FINISH_PUTS   /* the instruction is over, KVM does not know yet */
};

/** KV-15: what KVM has. The vCPU is not changed. */
enum svmc_status svmc_kvm_finish_load(struct svmc_kvm_finish *f);

/** KV-21: IA32_XSS, where this KVM has it; false: KVM failed. */
bool svmc_kvm_finish_load_xss(struct svmc_kvm_finish *f);

/** KV-22, KV-23: what became of it; all of it, or none. */
enum svmc_status svmc_kvm_finish_put(struct svmc_kvm_finish *f);

/** What the executor is lent; ctx is a struct svmc_kvm_finish. */
extern const struct svmc_exec_ops svmc_kvm_finish_exec;

/** KV-17: the first or next piece of what waits, as an exit. */
void svmc_kvm_finish_ask(struct svmc_kvm_finish *f);

/** The answer to that exit is taken. true: it was the last piece, of an access with `wait`. */
bool svmc_kvm_finish_take(struct svmc_kvm_finish *f);

/** KV-21: the extended state as it came from KVM -> f->priv.regs; and back, once. */
void svmc_kvm_finish_fill(struct svmc_kvm_finish *f);
void svmc_kvm_finish_drain(struct svmc_kvm_finish *f);

/** The extended state: `n` bytes of a register; docs/spec/exec.md. false: there is no such one. */
bool svmc_kvm_finish_get_vector(const struct svmc_kvm_finish *f, uint32_t kind, uint32_t number,
                                void *dst, size_t n);
bool svmc_kvm_finish_set_vector(struct svmc_kvm_finish *f, uint32_t kind, uint32_t number,
                                const void *src, size_t n);

#endif
