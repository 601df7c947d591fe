/* SPDX-License-Identifier: MIT */
/** One-word values that must not pass for each other, and the registers a callback is asked for. */
#ifndef SVMCORE_TYPES_H
#define SVMCORE_TYPES_H
#include <stdint.h>

/** A guest-physical address: what the second-stage tables translate. */
typedef struct {
    uint64_t v;
} svmc_gpa;

/** A guest-linear (virtual) address, after the segment base was added. */
typedef struct {
    uint64_t v;
} svmc_gva;

/** How memory is touched; a bit set where several can hold. */
enum svmc_access {
    SVMC_ACCESS_NONE = 0,
    SVMC_ACCESS_READ = 1,
    SVMC_ACCESS_WRITE = 2,
    SVMC_ACCESS_RW = 3,
    SVMC_ACCESS_READ_IF = 4,  /* beside READ: it happens under a condition only, e.g. a mask */
    SVMC_ACCESS_WRITE_IF = 8, /* beside WRITE: the same, e.g. CMOVcc, CMPXCHG */
    SVMC_ACCESS_REAL = 16     /* for translate: the address is real, it only has to be there */
};

/** Bits of `access` of translate of exec.h, beside READ, WRITE and RW of enum svmc_access. */
enum svmc_exec_reach {
    SVMC_EXEC_USER = 32,    /* with the rights of a user program: x86 CPL 3, EL0, U-mode */
    SVMC_EXEC_EXECUTE = 64, /* beside READ: an instruction is fetched */
    SVMC_EXEC_CHECK = 128,  /* nothing will be read or written: a cache line is flushed */
    SVMC_EXEC_SYSTEM = 256  /* by the processor itself, with its rights, whoever runs: never USER */
};

/** What stands against an event at the moment of an exit, and after it. */
enum svmc_event_state {
    SVMC_STATE_NONE = 0,
    SVMC_STATE_SHADOW_STI = 1,   /* no maskable interrupt before the next instruction is done */
    SVMC_STATE_SHADOW_SS = 2,    /* the same of a MOV or POP to SS, which holds off #DB as well */
    SVMC_STATE_NMI_BLOCKED = 4,  /* an NMI handler has not returned */
    SVMC_STATE_RF = 8,           /* RFLAGS.RF: no breakpoint on the instruction at RIP */
    SVMC_STATE_SINGLE_STEP = 16, /* RFLAGS.TF: #DB after the instruction */
    SVMC_STATE_ALL = 31
};

/**
 * Registers. 0 to 63 are x86's, the general ones by their encoding (Intel SDM vol. 2, REX.B:rm
 * order); other processors get ranges of their own behind them. CR8, PSTATE, RV_HIDELEG to RV_MODE
 * and S390_PSW to S390_CR14 are asked for by svmc_offers_next alone.
 */
enum svmc_reg {
    SVMC_REG_RAX = 0,
    SVMC_REG_RCX = 1,
    SVMC_REG_RDX = 2,
    SVMC_REG_RBX = 3,
    SVMC_REG_RSP = 4,
    SVMC_REG_RBP = 5,
    SVMC_REG_RSI = 6,
    SVMC_REG_RDI = 7,
    SVMC_REG_R8 = 8,
    SVMC_REG_R9 = 9,
    SVMC_REG_R10 = 10,
    SVMC_REG_R11 = 11,
    SVMC_REG_R12 = 12,
    SVMC_REG_R13 = 13,
    SVMC_REG_R14 = 14,
    SVMC_REG_R15 = 15,
    SVMC_REG_RIP = 16,
    SVMC_REG_RFLAGS = 17,
    SVMC_REG_FS_BASE = 18,
    SVMC_REG_GS_BASE = 19,
    SVMC_REG_ES_BASE = 20, /* asked for outside 64-bit mode only */
    SVMC_REG_CS_BASE = 21,
    SVMC_REG_SS_BASE = 22,
    SVMC_REG_DS_BASE = 23,
    SVMC_REG_CR4 = 24,     /* asked for by CPUID from a pinned table that has XSAVE or PKU */
    SVMC_REG_TSC_AUX = 25, /* MSR c0000103: asked for by RDTSCP */
    SVMC_REG_CR8 = 48, /* bits 3:0: the task priority, or the class in service if that is higher */
    SVMC_REG_X0 = 64,  /* AArch64: X0 to X30, then these */
    SVMC_REG_X30 = 94,
    SVMC_REG_SP = 95,
    SVMC_REG_XZR = 96,
    SVMC_REG_PC = 97,
    SVMC_REG_PSTATE = 112, /* in the form of SPSR_EL2 */
    SVMC_REG_RV_X0 = 128,  /* RISC-V: x0 to x31, then the program counter */
    SVMC_REG_RV_X31 = 159,
    SVMC_REG_RV_PC = 160,
    SVMC_REG_RV_HIDELEG = 176,
    SVMC_REG_RV_VSIE = 177,
    SVMC_REG_RV_VSSTATUS = 178,
    SVMC_REG_RV_MODE = 179, /* 0: VU-mode, 1: VS-mode */
    SVMC_REG_S390_R0 = 192, /* s390x: r0 to r15, then the instruction address */
    SVMC_REG_S390_R15 = 207,
    SVMC_REG_S390_IA = 208,
    SVMC_REG_S390_CC = 209,  /* the condition code of the PSW: 0 to 3; only ever written */
    SVMC_REG_S390_PSW = 212, /* the mask half: PSW bits 0 to 63 */
    SVMC_REG_S390_CR0 = 213,
    SVMC_REG_S390_CR6 = 214,
    SVMC_REG_S390_CR14 = 215,
    SVMC_REG_PPC_R0 = 216, /* Power: R0 to R31, then the address of the next instruction */
    SVMC_REG_PPC_R31 = 247,
    SVMC_REG_PPC_NIA = 248,
    SVMC_REG_NONE = 0xff
};

/** Segment registers by their encoding in MOV Sreg (Intel SDM vol. 2, MOV). */
enum svmc_segment {
    SVMC_SEG_ES = 0,
    SVMC_SEG_CS = 1,
    SVMC_SEG_SS = 2,
    SVMC_SEG_DS = 3,
    SVMC_SEG_FS = 4,
    SVMC_SEG_GS = 5,
    SVMC_SEG_NONE = 0xff
};

#endif
