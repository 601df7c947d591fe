/* SPDX-License-Identifier: MIT */
/**
 * What the trap matchers share: docs/spec/trap.md, TM-1 to TM-4. A matcher first says what becomes
 * of a trap that is no call, then looks whether it is one. Small before fast: a trap takes longer.
 */
#ifndef HCALL_TRAP_PRIVATE_H
#define HCALL_TRAP_PRIVATE_H
#include <stdbool.h>
#include <svmcore/guest/hypercall.h>
#include <svmcore/trap.h>

#include "../core/memory.h"

/** One call of a matcher. */
struct trap_run {
    const struct svmc_trap_config *config;
    const struct svmc_host_ops *ops;
    void *ctx;
    struct svmc_trap *out;
    enum svmc_status st; /* the first error; the verdict does not count then */
    uint8_t call_bytes;  /* insn_bytes of a CALL */
    uint8_t call_back;   /* back of a CALL */
};

/** What the VM's configuration says of a way. */
enum trap_gate { TRAP_CLOSED = 0, TRAP_CLOSED_TO_CALLER = 1, TRAP_OPEN = 2 };

/** The start of each: *out is zero, and what all are given is there, or it is SVMC_ERR_ARG. */
CORE_SMALL enum svmc_status svmc_hcall_trap_begin(struct trap_run *r, const void *raw);
/** The end of each: what the verdict does not use becomes 0, all of it after an error. */
CORE_SMALL enum svmc_status svmc_hcall_trap_end(struct trap_run *r);

/** TM-1: of the way to the caller in out->user. Notes that it is the way. */
CORE_SMALL enum trap_gate svmc_hcall_trap_gate(struct trap_run *r, unsigned way);
CORE_SMALL bool svmc_hcall_trap_speaks(const struct trap_run *r, enum svmc_trap_abi abi);

/** A register; anything, and r->st, once one could not be read: no more are asked for then. */
CORE_SMALL uint64_t svmc_hcall_trap_ask(struct trap_run *r, uint32_t reg);
/** Asks for out->arg[0..6], as far as they are somewhere. */
CORE_SMALL void svmc_hcall_trap_args(struct trap_run *r);

/** TM-2: FORWARD. */
CORE_SMALL struct svmc_fault *svmc_hcall_trap_forward(struct trap_run *r, uint8_t vector);
/** CALL, if the ABI is spoken. */
CORE_SMALL void svmc_hcall_trap_call(struct trap_run *r, enum svmc_trap_abi abi);
CORE_SMALL void svmc_hcall_trap_vmware(struct trap_run *r, bool high, bool write);
/** TM-3: CALL if out->io, with the registers that are asked for, is one. */
CORE_SMALL void svmc_hcall_trap_io(struct trap_run *r);
/** TM-3: CALL if it is native, or VMware's magic is above and such an instruction below. */
CORE_SMALL void svmc_hcall_trap_word(struct trap_run *r, uint64_t word, bool native);

#endif
