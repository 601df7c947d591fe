/* SPDX-License-Identifier: MIT */
/** AArch64: the registers that finishing an instruction reads and writes, and the calls for it. */
#ifndef SVMCORE_EXEC_A64_H
#define SVMCORE_EXEC_A64_H
#include "exec.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * What a load-exclusive that was finished here leaves for the store behind it. Nothing else sees
 * it: set `bytes` to 0 where the guest runs something that clears its monitor: an exception taken
 * or returned from, CLREX.
 */
struct svmc_exec_monitor {
    uint64_t at;         /* guest-physical */
    uint8_t bytes;       /* 1, 2, 4, 8 or 16; 0: open */
    uint8_t reserved[7]; /* 0 */
    uint8_t data[16];    /* what was read, as memory has it */
};

/**
 * The guest's registers as the instruction meets them, the caller's; a call that says DONE leaves
 * those after it. While an access is pending they have to stay as they are. sctlr and cpacr are of
 * the translation regime that the guest is in: the _EL1 ones; at EL2 and, with HCR_EL2.E2H and TGE,
 * at EL0 the _EL2 ones, CPTR_EL2 in the form that it has with E2H.
 */
struct svmc_exec_a64 {
    uint64_t general[32]; /* X0 to X30, then the stack pointer in use */
    uint64_t pc;
    uint64_t pstate; /* in the form of SPSR_EL2 */
    uint64_t sctlr;  /* A, SA, SA0, nAA, DZE, E0E, EE, UCI, EnALS count */
    uint64_t cpacr;  /* FPEN counts: 3 << 20 where no SIMD instruction traps */
    uint64_t hcr;    /* HCR_EL2, E2H and TGE count; 0 where the guest has no EL2 */
    uint64_t mmfr2;  /* ID_AA64MMFR2_EL1 as the guest sees it: AT counts */
    uint64_t dczid;  /* DCZID_EL0 as the guest sees it: BS counts */
    struct svmc_exec_monitor monitor;
};

/*
 * Of the callbacks (exec.h):
 * - translate answers an access to data with a data abort, exception class 0x24 or 0x25, a fetch
 *   with an instruction abort, 0x20 or 0x21, as svmc_walk does. Of its syndrome the status code,
 *   WnR, EA and FnV count; the class is the one that the exception level asks for (EA-5).
 * - read, write and exchange may say SVMC_ERR_REFUSED: nothing answers at this address. The guest
 *   gets a synchronous external abort (EA-6).
 * - vector_write gives all 16 bytes of a V register; where the guest has SVE the host clears what
 *   is above them, as the processor does.
 */

/**
 * The instruction at PC, read through translate and read, and decoded.
 *
 * Shape:   *insn is for svmc_exec_a64_start.
 * State:   OK: out->action NONE with *insn; FAULT (instruction abort, PC alignment, undefined);
 *          UNFINISHED; PENDING, then call it again, with the same, after svmc_exec_answer or, for
 *          TRANSLATE, at any time. *insn is zero unless the action is NONE.
 * Source:  docs/spec/exec_a64.md, EA-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (another operation is pending, or not answered);
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_a64_fetch(struct svmc_exec *x,
                                                             const struct svmc_exec_a64 *regs,
                                                             struct svmc_insn *insn,
                                                             struct svmc_exec_result *out);

/**
 * Finish an instruction that svmc_insn_decode made of bytes that do not change any more.
 *
 * Whether it is one that the exit can have come from is the caller's to check, before (XE-3).
 *
 * State:   *out is written whole. Registers change with DONE alone.
 * Source:  docs/spec/exec_a64.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an insn that is not A64's, registers that cannot be);
 *         SVMC_ERR_STATE (an operation is pending); SVMC_ERR_CALLBACK (one failed, XE-7).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_a64_start(struct svmc_exec *x,
                                                             struct svmc_exec_a64 *regs,
                                                             const struct svmc_insn *insn,
                                                             struct svmc_exec_result *out);

/**
 * Go on after PENDING, from where it stopped.
 *
 * Shape:   regs: as they were.
 * State:   as svmc_exec_a64_start.
 *
 * @return As svmc_exec_a64_start; SVMC_ERR_STATE (nothing is pending, or it has no answer yet).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_a64_resume(struct svmc_exec *x,
                                                              struct svmc_exec_a64 *regs,
                                                              struct svmc_exec_result *out);

#ifdef __cplusplus
}
#endif
#endif
