/* SPDX-License-Identifier: MIT */
/** RISC-V: the registers that finishing an instruction reads and writes, and the calls for it. */
#ifndef SVMCORE_EXEC_RV_H
#define SVMCORE_EXEC_RV_H
#include "exec.h"
#ifdef __cplusplus
extern "C" {
#endif

/** Exception codes that the library raises itself; page faults and the like are translate's. */
enum svmc_exec_rv_cause {
    SVMC_RV_ILLEGAL = 2,
    SVMC_RV_LOAD_MISALIGNED = 4,
    SVMC_RV_STORE_MISALIGNED = 6 /* AMOs as well */
};

/** Bits of svmc_exec_rv.settings: what the virtual processor is. */
enum svmc_exec_rv_setting {
    SVMC_EXEC_RV_MISALIGNED = 1, /* a load or store at any address is done; else it is an exception.
                                    Atomics and ordered ones have to be aligned in any case */
    SVMC_EXEC_RV_BIG_ENDIAN = 2  /* data are: UBE, SBE of the mode in force */
};

/**
 * The guest's registers as the instruction meets them, the caller's; a call that says DONE leaves
 * those after it. While an access is pending they have to stay as they are.
 *
 * The reservation is that of an LR that was finished here. It is the caller's to drop
 * (reserved_bytes 0) when the guest takes a trap or another one runs on the processor (ER-8).
 */
struct svmc_exec_rv {
    uint64_t general[32]; /* x0 to x31; x0 is not read. RV32: bits 63:32 neither; set, they are 0 */
    uint64_t pc;          /* of the first byte of the instruction */
    uint64_t reserved_at; /* the guest-physical address of the reservation */
    uint64_t reserved_value; /* what LR has read there, as it lies in memory, little-endian */
    uint8_t reserved_bytes;  /* 4 or 8; 0: there is no reservation */
    uint8_t mode;            /* 0: U or VU, 1: S or VS */
    uint8_t float_state;     /* FS: 0 off; of vsstatus, and off if sstatus has it off. 3 if dirty */
    uint8_t float_bytes;     /* of an FP register: 4, 8 or 16; 0: there are none */
    uint8_t settings;        /* enum svmc_exec_rv_setting */
    uint8_t reserved;        /* 0 */
    uint16_t block_bytes;    /* that CBO.ZERO clears: a power of two up to 64; 0: UNFINISHED */
};

/**
 * The instruction at pc, read through translate and read, and decoded. FP registers are those of
 * vector_read and vector_write: kind VECTOR, f0 to f31, float_bytes each.
 *
 * Shape:   cpu: as for svmc_insn_decode. At most 4 bytes are read, those of the next page only if
 *          the instruction goes on there. *insn is for svmc_exec_rv_start.
 * State:   OK: out->action NONE with *insn; FAULT (translate's; illegal instruction, with its
 *          bits); UNFINISHED; PENDING, then call it again, with the same, after svmc_exec_answer
 *          or, for TRANSLATE, at any time. *insn is zero unless the action is NONE.
 * Source:  ER-2, XE-5.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, cpu, an odd pc, registers that cannot be); SVMC_ERR_STATE
 *         (another operation is pending, or not answered); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_rv_fetch(struct svmc_exec *x,
                                                            const struct svmc_cpu *cpu,
                                                            const struct svmc_exec_rv *regs,
                                                            struct svmc_insn *insn,
                                                            struct svmc_exec_result *out);

/**
 * Begin an instruction that has been decoded, and go on until it is done or something is missing.
 *
 * Shape:   insn is copied if something is pending.
 * State:   DONE: registers are those after it; all else: as before. out->trap is 0: the single step
 *          is the debugger's of the host.
 * Source:  docs/spec/exec_rv.md, XE-1, XE-6 to XE-8 of docs/spec/exec.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an insn that is not RISC-V's, registers that cannot be);
 *         SVMC_ERR_STATE (an operation is pending); SVMC_ERR_CALLBACK (one failed, XE-7).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_rv_start(struct svmc_exec *x,
                                                            struct svmc_exec_rv *regs,
                                                            const struct svmc_insn *insn,
                                                            struct svmc_exec_result *out);

/**
 * Go on after PENDING, from where it stopped.
 *
 * Shape:   regs: as they were.
 * State:   as svmc_exec_rv_start.
 *
 * @return As svmc_exec_rv_start; SVMC_ERR_STATE (nothing is pending, or it has no answer yet).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_rv_resume(struct svmc_exec *x,
                                                             struct svmc_exec_rv *regs,
                                                             struct svmc_exec_result *out);

#ifdef __cplusplus
}
#endif
#endif
