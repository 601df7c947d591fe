/* SPDX-License-Identifier: MIT */
/** Which instruction exited: for the report only, nothing is decided by it. */
#ifndef FIND_H
#define FIND_H
#include <stdbool.h>

#include "embed.h"

/**
 * The bytes of the instruction that the live exit in v->run belongs to. KVM leaves RIP at it or
 * behind it, by vendor and kind; so the instruction at RIP is taken if it fits the exit, else the
 * one that ends there, if exactly one start within 15 bytes fits. Returns its length, or 0.
 */
uint8_t find_insn(struct vcpu *v, uint8_t bytes[SVMC_INSN_MAX]);

#endif
