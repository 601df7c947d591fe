/* SPDX-License-Identifier: MIT */
/** x86: the registers that finishing an instruction reads and writes, and the calls for it. */
#ifndef SVMCORE_EXEC_X86_H
#define SVMCORE_EXEC_X86_H
#include "exec.h"
#ifdef __cplusplus
extern "C" {
#endif

/** Bits of svmc_exec_segment.rights: the access rights of VMX (SDM vol. 3, table 25-2). */
enum svmc_exec_rights {
    SVMC_RIGHTS_WRITABLE = 0x2,    /* data; code: readable */
    SVMC_RIGHTS_EXPAND_DOWN = 0x4, /* data */
    SVMC_RIGHTS_CODE = 0x8,
    SVMC_RIGHTS_BIG = 0x4000,      /* D/B */
    SVMC_RIGHTS_UNUSABLE = 0x10000 /* nothing may be accessed through it; AMD: P is 0 */
};

/** What a segment register has behind its selector. */
struct svmc_exec_segment {
    uint64_t base;
    uint32_t limit; /* of bytes: the granularity has been applied */
    uint32_t rights;
    uint16_t selector;
    uint16_t reserved[3]; /* 0 */
};

/** GDTR or IDTR. */
struct svmc_exec_table {
    uint64_t base;
    uint16_t limit;
    uint16_t reserved[3]; /* 0 */
};

#define SVMC_EXEC_MXCSR_MASK 0xffffu

/** In what x87s and FXSAVE differ: what CPUID says to the guest; 0: Intel's since Skylake. */
enum svmc_exec_quirk {
    SVMC_FPU_SELECTORS = 1,    /* FCS and FDS are kept: CPUID.7.0:EBX[13] is 0 */
    SVMC_FPU_DATA_POINTER = 2, /* FDP is that of each instruction: CPUID.7.0:EBX[6] is 0 */
    SVMC_FPU_FAST_FXSAVE = 4,  /* AMD: EFER.FFXSR is set */
    SVMC_FPU_NO_XSAVEC = 8     /* XRSTOR does not know the compacted form: CPUID.D.1:EAX[1] is 0 */
};

/**
 * The guest's registers as the instruction meets them, the caller's; a call that says DONE or AGAIN
 * leaves those after it. While an access is pending they have to stay as they are. A far branch or
 * a return may leave another CS: with EFER.LMA and CS.L the next instruction is one of 64-bit mode,
 * else one as wide as CS.D (XS-7).
 */
struct svmc_exec_x86 {
    uint64_t general[16]; /* RAX to R15 by enum svmc_reg */
    uint64_t rip;         /* of the first byte of the instruction, not linear */
    uint64_t rflags;
    uint64_t cr0;
    uint64_t cr4;
    uint64_t xcr0;                       /* counts with CR4.OSXSAVE */
    struct svmc_exec_segment segment[6]; /* by enum svmc_segment; 64-bit mode: bases of FS, GS */
    struct svmc_exec_segment task;       /* TR: where ports need the permission map */
    struct svmc_exec_segment local;      /* LDTR; like the rest: where segments are loaded */
    struct svmc_exec_table gdt, idt;
    uint64_t efer;
    uint8_t cpl;          /* 0 to 3; real mode 0, virtual-8086 mode 3 */
    uint8_t address_bits; /* 64-bit mode: 48 or 57 (CR4.LA57); else 0 */
    uint8_t shadow;       /* SVMC_STATE_SHADOW_ bits of types.h: cleared by an instruction */
    uint8_t vendor;       /* enum svmc_vendor */
    uint32_t mxcsr;
    uint16_t fcw, fsw;   /* x87: control and status word */
    uint16_t ftw;        /* x87: as FXSAVE has it: bit n: physical register n is not empty */
    uint16_t fop;        /* x87: of the last instruction that had an unmasked exception, 11 bits */
    uint64_t fip, fdp;   /* x87: offsets of the last instruction and its operand ... */
    uint16_t fcs, fds;   /* ... and their segments, where SVMC_FPU_SELECTORS keeps them */
    uint32_t quirks;     /* enum svmc_exec_quirk */
    uint64_t xss;        /* IA32_XSS: for XSAVES and XRSTORS */
    uint32_t mxcsr_mask; /* bits that MXCSR has; 0: SVMC_EXEC_MXCSR_MASK */
    uint32_t pkru;       /* where XCR0 has it */
    uint16_t component[10]; /* CPUID.(EAX=0DH,ECX=n):EBX of 2 to 9: where XSAVE has component n;
                                0: as the processors of this vendor have it */
    uint16_t reserved[2];   /* 0 */
};

/**
 * The instruction at CS:RIP, read through translate and read, and decoded.
 *
 * Shape:   cpu: as for svmc_insn_decode. At most SVMC_INSN_MAX bytes are read, those of the next
 *          page only if the instruction goes on there. *insn is for svmc_exec_x86_start.
 * State:   OK: out->action NONE with *insn; FAULT (#PF, #GP, #UD); UNFINISHED; PENDING, then call
 *          it again, with the same, after svmc_exec_answer or, for TRANSLATE, at any time.
 *          *insn is zero unless the action is NONE.
 * Source:  XE-4, XE-5.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (another operation is pending, or not answered);
 *         SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_x86_fetch(struct svmc_exec *x,
                                                             const struct svmc_cpu *cpu,
                                                             const struct svmc_exec_x86 *regs,
                                                             struct svmc_insn *insn,
                                                             struct svmc_exec_result *out);

/**
 * Finish an instruction that svmc_insn_decode made of bytes that do not change any more.
 *
 * Whether it is one that the exit can have come from is the caller's to check, before (XE-3).
 *
 * Shape:   insn->isa is the mode of the code that CS, EFER and CR0 say.
 * State:   *out is written whole. Registers change with DONE and AGAIN alone, but for those of a
 *          repetition, which show the iterations that are done whatever stops it (XE-9).
 * Source:  docs/spec/exec.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, an insn that is not x86's, registers that cannot be);
 *         SVMC_ERR_STATE (an operation is pending); SVMC_ERR_CALLBACK (one failed, XE-7).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_x86_start(struct svmc_exec *x,
                                                             struct svmc_exec_x86 *regs,
                                                             const struct svmc_insn *insn,
                                                             struct svmc_exec_result *out);

/**
 * Go on after PENDING, from where it stopped.
 *
 * Shape:   regs: as they were.
 * State:   as svmc_exec_x86_start.
 *
 * @return As svmc_exec_x86_start; SVMC_ERR_STATE (nothing is pending, or it has no answer yet).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_x86_resume(struct svmc_exec *x,
                                                              struct svmc_exec_x86 *regs,
                                                              struct svmc_exec_result *out);

#ifdef __cplusplus
}
#endif
#endif
