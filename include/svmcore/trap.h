/* SPDX-License-Identifier: MIT */
/**
 * A trapped instruction -> is it a call? One matcher a processor, for every way in: what a call is
 * goes to the front end that `abi` names, what is none goes back to the guest as the architecture
 * has it. docs/spec/trap.md.
 */
#ifndef SVMCORE_TRAP_H
#define SVMCORE_TRAP_H
#include <stddef.h>
#include <stdint.h>
#include "host.h"
#include "insn.h"
#include "iox.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

/** By which instruction. Values are pinned. */
enum svmc_trap_way {
    SVMC_TRAP_WAY_PORT = 0,   /* x86: IN, OUT, INS, OUTS of one who may use the port */
    SVMC_TRAP_WAY_GP = 1,     /* x86: of one who may not: #GP of a user program */
    SVMC_TRAP_WAY_VMCALL = 2, /* x86 */
    SVMC_TRAP_WAY_VMMCALL = 3,
    SVMC_TRAP_WAY_TDX = 4,    /* TDCALL, TDG.VP.VMCALL */
    SVMC_TRAP_WAY_MRS = 5,    /* AArch64: MRS XZR, MDCCSR_EL0 */
    SVMC_TRAP_WAY_MRC = 6,    /* AArch32 below an AArch64 EL1: DBGDSCRint to APSR_nzcv */
    SVMC_TRAP_WAY_HVC = 7,    /* HVC #86h, #87h */
    SVMC_TRAP_WAY_BRK = 8,    /* BRK #86h; AArch32: BKPT. Slows whoever debugs in the guest */
    SVMC_TRAP_WAY_CSR = 9,    /* RISC-V: csrr x0, hgeip */
    SVMC_TRAP_WAY_ECALL = 10, /* RISC-V: of VS-mode */
    SVMC_TRAP_WAY_DIAG = 11,  /* s390x: DIAGNOSE */
    SVMC_TRAP_WAY_ZERO = 12   /* s390x: 0000h, which is no instruction */
};

/** Who answers a call. */
enum svmc_trap_abi {
    SVMC_TRAP_VMWARE = 1, /* vmware.h */
    SVMC_TRAP_NATIVE = 2, /* hcall.h */
    SVMC_TRAP_IO = 3 /* svmc_iox_perform: an I/O instruction of a processor that has none, at any
                             other port; whether the caller may is yours to judge */
};

/** What a VM may call and how. All 0: nothing, and nothing is read. Any value is sound. */
struct svmc_trap_config {
    uint32_t kernel; /* bit n: enum svmc_trap_way n is open to the guest's kernel */
    uint32_t user;   /* the same for its user programs */
    uint32_t eid;    /* RISC-V: a7 of a native call; 0: none */
    uint16_t port;   /* x86: the native doorbell; 0: none */
    uint16_t diag;   /* s390x: the code of DIAGNOSE; 0: none */
    uint8_t abis;    /* bit n: enum svmc_trap_abi n is spoken */
    uint8_t shared;  /* VMCALL, VMMCALL: 1: KVM's or Xen's calls are answered too: what is not ours
                        is NOT_OURS; 0: it is #UD. Not beside Hyper-V's calls, whose RAX may be
                        anything: give those the instruction, and ours a port */
    uint8_t reserved[2];
};

/** What to do with the trap. */
enum svmc_trap_verdict {
    SVMC_TRAP_NOT_OURS = 0, /* go on as if the library were not there */
    SVMC_TRAP_CALL = 1,     /* ask the front end, write its registers, move the PC by insn_bytes;
                                   where the call is not over, back instead (svmc_trap_from_x86) */
    SVMC_TRAP_EMULATE_READ = 2,  /* the guest's own: `dest` gets `value`, the PC moves */
    SVMC_TRAP_FORWARD = 3,       /* the guest's own: it gets `fault` */
    SVMC_TRAP_EMULATE_WRITE = 4, /* AArch64, the guest's own MSR MDSCR_EL1: put `value` into it,
                                    keep `tdcc`, the PC moves */
    SVMC_TRAP_MASKED = 5 /* AArch64: a debug exception that the guest has masked and TDE alone has
                            raised: enter it with MDCR_EL2.TDE clear, set it again at its next exit;
                            until then BRK is the guest's own */
};

/** One trap, matched. What a verdict does not use is 0, all of it for NOT_OURS. */
struct svmc_trap {
    uint8_t verdict;    /* enum svmc_trap_verdict */
    uint8_t abi;        /* CALL: enum svmc_trap_abi */
    uint8_t isa;        /* enum svmc_isa of the caller */
    uint8_t user;       /* 1: a user program */
    uint8_t way;        /* CALL: enum svmc_trap_way */
    uint8_t insn_bytes; /* CALL, EMULATE: what the PC moves by; 0: the hardware has moved it.
                           FORWARD, s390x: of the instruction, for the length code */
    uint8_t back;       /* what the PC moves back by, to be on the instruction again. FORWARD: do it
                           before the exception. CALL: do it unless the call is over (below) */
    uint8_t high;       /* VMWARE: 1: high bandwidth */
    uint8_t write;      /* VMWARE: 1: to the host */
    uint8_t tdcc;       /* EMULATE_WRITE: the guest's MDSCR_EL1.TDCC from now on */
    uint8_t reserved[2];
    uint32_t dest;               /* EMULATE_READ: enum svmc_reg; NONE: nothing is written */
    struct svmc_iox io;          /* VMWARE, IO: the I/O instruction it stands for */
    uint64_t arg[SVMC_IOX_ARGS]; /* VMWARE, IO: arg[n] is svmc_trap_reg(trap, n), all of it */
    uint64_t value;              /* EMULATE */
    struct svmc_fault fault;     /* FORWARD */
};

/** An exit of x86: what VMX, SVM and KVM all tell, in one form. */
struct svmc_trap_x86 {
    uint8_t way;           /* PORT, GP, VMCALL, VMMCALL, TDX */
    uint8_t isa;           /* of the code, as CS has it */
    uint8_t cpl;           /* of the code; virtual-8086 mode: 3 */
    uint8_t insn_bytes;    /* but GP: what RIP has still to move by (VMCALL and VMMCALL: 3) */
    uint16_t port;         /* PORT */
    uint8_t address_bytes; /* PORT, of a string: 2, 4, 8 */
    uint8_t segment;       /* PORT, of a string: enum svmc_segment; INS: ES */
    struct svmc_iox io;    /* PORT: but `immediate` and `port` */
    uint32_t error;        /* GP: its error code */
};

/** An exception from EL1 or EL0 to EL2, of a guest whose EL1 is AArch64. */
struct svmc_trap_a64 {
    uint64_t esr, spsr, far; /* ESR_EL2, SPSR_EL2, FAR_EL2 */
    uint64_t mdscr;          /* MDSCR_EL1 as it is, its TDCC 0 */
    uint32_t mdccsr;         /* what the guest is to read as MDCCSR_EL0: EL2's, or 0 */
    uint32_t tdcc;           /* the guest's MDSCR_EL1.TDCC, 0 or 1; 0 after reset */
};

/** Registers of EL2 that let the ways of AArch64 trap. */
struct svmc_trap_el2 {
    uint64_t mdcr, hdfgrtr, hdfgwtr; /* MDCR_EL2; with FEAT_FGT HDFGRTR_EL2, HDFGWTR_EL2 */
};

/** A trap from VS-mode or VU-mode to HS-mode. */
struct svmc_trap_rv {
    uint64_t cause, stval; /* scause (RV32: an interrupt's bit at 63), stval */
    uint32_t isa;          /* SVMC_ISA_RV32, _RV64 */
    uint32_t user;         /* 1: from VU-mode */
};

/** An interception of s390x; offsets as in exit_s390.h. */
struct svmc_trap_s390 {
    uint64_t psw_mask; /* 090 */
    uint32_t ipb;      /* 058 */
    uint16_t ipa;      /* 056 */
    uint8_t code;      /* 050: interception code */
    uint8_t status;    /* 051: interception status */
};

/**
 * An exit of x86.
 *
 * All matchers: registers are asked for, with ops->reg_read, the one function of the table that
 * they call and that must be there, and only when nothing but the registers can still decide: a
 * trap handler sees many traps that no call can be. Give them no exit that came in the middle of an
 * event's delivery.
 * After a CALL or EMULATE you owe the guest what an instruction's end owes it: the interrupt shadow
 * and RF cleared, a single step's exception.
 *
 * A CALL whose answer is BUSY, FAULT, MORE or an exception to inject is not over: the guest
 * executes the instruction again, or sees an exception of it. Move the PC back by `back` first,
 * which for s390x is the length code too: a guest that goes on behind the instruction takes its own
 * arguments for the answer. Where insn_bytes and back are 0 there is no way back, the hypervisor
 * below completes the instruction on entry (KVM_EXIT_IO, TDX): yield, then call the front end again
 * with the same arguments, until it is over.
 *
 * Shape:   bytes[count]: GP: your copy of what stands at CS:RIP, 15 or as many as there are; else
 *          NULL and 0 will do.
 * Owns:    nothing.
 * State:   *out is zero after an error.
 * Threads: any.
 * Source:  TM-1 to TM-9.
 *
 * @return SVMC_OK, with out->verdict; SVMC_ERR_ARG (NULL, no such way, isa or cpl, a reserved
 *         field); SVMC_ERR_TRUNCATED (GP: the instruction is longer; there is no more: #GP);
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_trap_from_x86(const struct svmc_trap_config *config,
                                                            const struct svmc_trap_x86 *raw,
                                                            const uint8_t *bytes, size_t count,
                                                            const struct svmc_host_ops *ops,
                                                            void *ctx, struct svmc_trap *out);

/**
 * A synchronous exception to EL2. With MRS, MRC or BRK open every access to MDSCR_EL1 and the DCC
 * must come here (svmc_trap_setup_a64): the shadow of TDCC lives of it. What the guest does in
 * vain, an AArch32 instruction whose condition fails, is EMULATE_READ into nothing. In AArch32 code
 * advance the IT state with the PC.
 *
 * Source: TM-1 to TM-4, TM-10 to TM-15, TM-21, TM-22. Owns, State, Threads: as above.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_trap_from_a64(const struct svmc_trap_config *config,
                                                            const struct svmc_trap_a64 *raw,
                                                            const struct svmc_host_ops *ops,
                                                            void *ctx, struct svmc_trap *out);

/**
 * What EL2's registers need for the ways that are open: bits are added to *regs, none is taken out;
 * with no way open nothing changes. Writes no hardware.
 *
 * Shape:   fgt: 1: FEAT_FGT is there and SCR_EL3.FGTEn set: the DCC alone traps, and the guest's
 *          debugger keeps its breakpoint registers.
 * Threads: pure.
 * Source:  TM-15.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_trap_setup_a64(const struct svmc_trap_config *config,
                                                             uint32_t fgt,
                                                             struct svmc_trap_el2 *regs);

/**
 * A trap to HS-mode: causes 22 and 10.
 *
 * Shape: bytes[count]: what stands at sepc, or NULL and 0; looked at where stval is 0, as it is on
 *        some processors. TRUNCATED asks for them: HLVX.HU at sepc and, if bits 1:0 are 3, at
 *        sepc + 2, with hstatus.SPVP as the trap left it; should one of them fault, go back to the
 *        guest, which executes the instruction again.
 * Source: TM-1 to TM-4, TM-16 to TM-18. Owns, State, Threads: as above.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_TRUNCATED; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_trap_from_rv(const struct svmc_trap_config *config,
                                                           const struct svmc_trap_rv *raw,
                                                           const uint8_t *bytes, size_t count,
                                                           const struct svmc_host_ops *ops,
                                                           void *ctx, struct svmc_trap *out);

/**
 * An interception of an instruction (04) or operation exception (2c). The PSW stands behind it.
 *
 * Source: TM-1 to TM-4, TM-19 to TM-21. Owns, State, Threads: as above.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_trap_from_s390(const struct svmc_trap_config *config,
                                                             const struct svmc_trap_s390 *raw,
                                                             const struct svmc_host_ops *ops,
                                                             void *ctx, struct svmc_trap *out);

/**
 * Where arg[n] of a VMWARE or IO call came from, and its result goes.
 *
 * Source: TM-4.
 *
 * @return enum svmc_reg; SVMC_REG_NONE: nowhere (TDX has no seventh), or no such n, or NULL.
 */
SVMC_API enum svmc_reg svmc_trap_reg(const struct svmc_trap *trap, unsigned n);

#ifdef __cplusplus
}
#endif
#endif
