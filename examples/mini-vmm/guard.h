/* SPDX-License-Identifier: MIT */
/** The proof that a refused reply changes nothing: all of the guest, before and after. */
#ifndef GUARD_H
#define GUARD_H
#include "watch.h"

/** Copy the guest: registers, memory, struct kvm_run. */
void guard_take(struct vcpu *v);

/** Is it still the same, and the pending record too? `stopped`: that one is gone with the stop. */
bool guard_same(struct vcpu *v, bool stopped);

#endif
