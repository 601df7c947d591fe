/* SPDX-License-Identifier: MIT */
/** What an instruction is to the policy, who may execute it, and why one was refused. */
#ifndef SVMCORE_INSN_CLASS_H
#define SVMCORE_INSN_CLASS_H

/** What the policy asks of an instruction. The values are pinned. */
enum svmc_insn_class {
    SVMC_CLASS_OTHER = 0,         /* computes in registers */
    SVMC_CLASS_MEMORY = 1,        /* a load, store or more with a memory operand, nothing below */
    SVMC_CLASS_PORT = 2,          /* IN, OUT */
    SVMC_CLASS_STRING_PORT = 3,   /* INS, OUTS */
    SVMC_CLASS_CPUID = 4,         /* CPUID */
    SVMC_CLASS_MSR = 5,           /* RDMSR, WRMSR and their kin */
    SVMC_CLASS_IDLE = 6,          /* HLT, WFI, WFE, wait state */
    SVMC_CLASS_HYPERCALL = 7,     /* VMCALL, VMMCALL, HVC, SMC, DIAGNOSE, TDCALL, VMGEXIT */
    SVMC_CLASS_CONTROL_REG = 8,   /* MOV CR, CLTS, LMSW, SMSW, XSETBV */
    SVMC_CLASS_DEBUG_REG = 9,     /* MOV DR */
    SVMC_CLASS_SYSTEM_REG = 10,   /* MRS, MSR, CSR accesses, SYS without a class of its own */
    SVMC_CLASS_DESCRIPTOR = 11,   /* LGDT, SIDT, LLDT, STR, ... and segment loads */
    SVMC_CLASS_TLB = 12,          /* INVLPG, INVPCID, TLBI, SFENCE.VMA, IPTE */
    SVMC_CLASS_CACHE = 13,        /* WBINVD, CLFLUSH, DC, IC, CBO */
    SVMC_CLASS_TRANSLATE = 14,    /* AT, LRA, VERR: asks what an address is */
    SVMC_CLASS_TIME = 15,         /* RDTSC, RDTSCP, STCK */
    SVMC_CLASS_COUNTER = 16,      /* RDPMC */
    SVMC_CLASS_RANDOM = 17,       /* RDRAND, RDSEED */
    SVMC_CLASS_PAUSE = 18,        /* PAUSE, TPAUSE, YIELD */
    SVMC_CLASS_MONITOR = 19,      /* MONITOR, MWAIT, UMONITOR, UMWAIT */
    SVMC_CLASS_XSTATE = 20,       /* XSAVE, XRSTOR, FXSAVE, ... */
    SVMC_CLASS_INTERRUPT = 21,    /* INT, INT3, INTO, INT1, BRK, EBREAK: traps by request */
    SVMC_CLASS_SYSCALL = 22,      /* SYSCALL, SYSENTER, SVC, ECALL */
    SVMC_CLASS_RETURN = 23,       /* IRET, SYSRET, ERET, SRET, LPSWE: back to a lower level */
    SVMC_CLASS_FLAG = 24,         /* CLI, STI, PUSHF, POPF: interrupt flag */
    SVMC_CLASS_VIRTUALIZE = 25,   /* VMRUN, VMXON, ..., SIE */
    SVMC_CLASS_SECURE = 26,       /* SGX, SEAM, SEV-SNP, SMX, ultravisor */
    SVMC_CLASS_BRANCH = 27,       /* jumps, calls, returns; with a memory operand too */
    SVMC_CLASS_BARRIER = 28,      /* fences */
    SVMC_CLASS_PREFETCH = 29,     /* hints about memory: no access that can fail */
    SVMC_CLASS_NOP = 30,          /* hints without effect */
    SVMC_CLASS_CHANNEL = 31,      /* s390x I/O: SSCH, TSCH, ... */
    SVMC_CLASS_SIGNAL = 32,       /* SIGP, SENDUIPI: to another processor */
    SVMC_CLASS_HALT_DEBUG = 33,   /* HLT and DCPS of A64 */
    SVMC_CLASS_TRANSACTION = 34,  /* XBEGIN, TSTART, ... */
    SVMC_CLASS_A64_DATA_IMM = 35, /* A64 groups of which no more is claimed */
    SVMC_CLASS_A64_DATA_REG = 36,
    SVMC_CLASS_A64_SIMD = 37,
    SVMC_CLASS_A64_SVE = 38,
    SVMC_CLASS_A64_SME = 39
};

/** Who may execute it; a set control bit can still make it trap. */
enum svmc_privilege {
    SVMC_PRIVILEGE_NONE = 0,     /* everybody */
    SVMC_PRIVILEGE_IO = 1,       /* x86: IOPL and the permission map decide */
    SVMC_PRIVILEGE_SWITCHED = 2, /* a control bit decides: CR4.TSD, .PCE, .UMIP, SCTLR_EL1, ... */
    SVMC_PRIVILEGE_KERNEL = 3,   /* CPL 0, EL1, S-mode, supervisor state */
    SVMC_PRIVILEGE_HYP = 4,      /* EL2, HS-mode; x86: VMX root, SVM host */
    SVMC_PRIVILEGE_MACHINE = 5   /* EL3, M-mode */
};

/** Why SVMC_ERR_UNDEFINED or SVMC_ERR_UNSUPPORTED. */
enum svmc_refusal {
    SVMC_REFUSAL_NONE = 0,
    SVMC_REFUSAL_NO_OPCODE = 1,     /* nothing has this opcode */
    SVMC_REFUSAL_MODE = 2,          /* not in this mode */
    SVMC_REFUSAL_VENDOR = 3,        /* the other vendor's */
    SVMC_REFUSAL_FEATURE = 4,       /* this processor lacks it */
    SVMC_REFUSAL_LOCK = 5,          /* LOCK is not legal here */
    SVMC_REFUSAL_PREFIX = 6,        /* a prefix that VEX, EVEX, XOP or the opcode refuses */
    SVMC_REFUSAL_FORM = 7,          /* memory where a register must be, or the other way */
    SVMC_REFUSAL_REGISTER = 8,      /* a register that is not there or stands twice */
    SVMC_REFUSAL_VECTOR_LENGTH = 9, /* VEX.L, EVEX.L'L */
    SVMC_REFUSAL_WIDTH = 10,        /* VEX.W, EVEX.W */
    SVMC_REFUSAL_VVVV = 11,         /* VEX.vvvv, EVEX.V' in use without an operand */
    SVMC_REFUSAL_MASK = 12,         /* EVEX.aaa, EVEX.z */
    SVMC_REFUSAL_BROADCAST = 13,    /* EVEX.b */
    SVMC_REFUSAL_RESERVED = 14,     /* a fixed bit is wrong */
    SVMC_REFUSAL_APX = 15 /* x86: REX2 or EVEX map 4, which this release does not decode */
};

#endif
