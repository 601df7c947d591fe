/* SPDX-License-Identifier: MIT */
/** Which instruction exited: for the report only, nothing is decided by it. */
#ifndef FIND_H
#define FIND_H
#include <stdbool.h>

#include "embed.h"

/** Where a KVM leaves RIP at an exit: at the instruction, or behind it. */
enum find_side { FIND_UNKNOWN, FIND_AT, FIND_BEHIND, FIND_SIDES };

/**
 * The bytes of the instruction that the live exit in v->run belongs to. On which side of it KVM
 * leaves RIP depends on the processor and the kind of exit; it is learned, a kind at a time, from
 * the first exit that only one instruction fits. From then on that side alone is looked at. Until
 * then, and always with string instructions, whose last round ends elsewhere than the others, one
 * instruction must fit and no other on either side. Returns its length; 0: not known for sure.
 */
uint8_t find_insn(struct vcpu *v, uint8_t bytes[SVMC_INSN_MAX]);

#endif
