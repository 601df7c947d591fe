/* SPDX-License-Identifier: MIT */
/**
 * This processor, for guest_driver.c: how a signal shows its registers, and what
 * docs/spec/hypercall.md says of them, read from the document and not from the header under test.
 */
#ifndef CHECKS_GUEST_MACHINE_H
#define CHECKS_GUEST_MACHINE_H
#include <stdint.h>
#include <ucontext.h>

enum way {
    WAY_PORT = 1,
    WAY_VMCALL,
    WAY_VMMCALL,
    WAY_TRAP,
    WAY_CALL
}; /* as the header numbers them */

struct insn {
    uint32_t bytes; /* as a processor of its own byte order reads them; s390x: first byte lowest */
    uint32_t
        patch; /* PATCHED ones: what makes a signal of it. The others are executed as they are */
    uint8_t length;
};

#if defined(__x86_64__)
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REGS };
enum { SP = RSP, FIRST = RDI, SIGNAL_BYTES = 2 };
#define SIGNAL_INSN "ud2"
#define RETURN_INSN "ret"
static const int native[7] = { RAX, RDI, RSI, R8, R9, R10, R11 };
static const int answer[7] = { RAX, RDI, RSI, R8, R9, R10, R11 };
static const int token[3] = { R12, R13, R14 };
static const int vmware[7] = { RAX, RBX, RCX, RDX, RSI, RDI, RBP };
static const int kept[] = { RBX, RBP, R12, R13, R14, R15, RSP };
static const struct insn out_insn = { 0xef, 0, 1 };
static const struct insn in_insn = { 0xed, 0, 1 };
static const struct insn outs_insn = { 0x6ef3, 0, 2 };
static const struct insn ins_insn = { 0x6cf3, 0, 2 };
static const struct insn vmcall_insn = { 0xc1010f, 0xc10b0f, 3 }; /* UD2 and a byte */
static const struct insn vmmcall_insn = { 0xd9010f, 0xd90b0f, 3 };
static const struct insn cpuid_insn = { 0xa20f, 0x0b0f, 2 };
#define PATCHED                                  \
    {                                            \
        &vmcall_insn, &vmmcall_insn, &cpuid_insn \
    }
#define STEP 1u

static inline greg_t *slot(ucontext_t *uc, int n)
{
    static const int at[REGS] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15 };

    return &uc->uc_mcontext.gregs[at[n]];
}
static inline uint64_t pc_of(ucontext_t *uc, const void *fault)
{
    (void)fault;
    return (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
}
static inline void set_pc(ucontext_t *uc, uint64_t pc)
{
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}
#elif defined(__aarch64__)
enum { SP = 31, REGS = 32, FIRST = 0, LINK = 30, SIGNAL_BYTES = 4 };
#define SIGNAL_INSN  ".inst 0"
#define RETURN_INSN  "ret"
static const int native[7] = { 0, 1, 2, 3, 4, 5, 6 };
static const int answer[7] = { 0, 1, 2, 3, 4, 5, 6 };
static const int token[3] = { 8, 9, 10 };
static const int vmware[7] = { 0, 1, 2, 3, 4, 5, 6 };
static const int kept[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, SP };
#define NATIVE_WORD  7
#define NATIVE_VALUE 0x8700000000u
#define VMWARE_WORD  7
static const struct insn trap_insn = { 0xd533011f, 0x00000000, 4 }; /* MRS may not trap: UDF */
static const struct insn call_insn = { 0xd40010e2, 0, 4 };          /* HVC #87h */
static const struct insn vmware_insn = { 0xd40010c2, 0, 4 };        /* HVC #86h */
static const struct insn ask_insn = { 0xd4000002, 0, 4 };           /* HVC #0 */
#define PATCHED    \
    {              \
        &trap_insn \
    }
#define STEP 4u

static inline unsigned long long *slot(ucontext_t *uc, int n)
{
    return n == SP ? &uc->uc_mcontext.sp : &uc->uc_mcontext.regs[n];
}
static inline uint64_t pc_of(ucontext_t *uc, const void *fault)
{
    (void)fault;
    return uc->uc_mcontext.pc;
}
static inline void set_pc(ucontext_t *uc, uint64_t pc)
{
    uc->uc_mcontext.pc = pc;
}
#elif defined(__riscv)
enum { SP = 2, REGS = 32, FIRST = 10, LINK = 1, SIGNAL_BYTES = 4 };
#define SIGNAL_INSN  ".4byte 0"
#define RETURN_INSN  "ret"
static const int native[7] = { 16, 10, 11, 12, 13, 14, 15 };
static const int answer[7] = { 10, 11, 12, 13, 14, 15, 16 };
static const int token[3] = { 29, 30, 31 };
static const int vmware[7] = { 10, 11, 12, 13, 14, 15, 16 };
static const int kept[] = { SP, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27 };
#define NATIVE_WORD  17
#define NATIVE_VALUE 0x0a53564du
#define VMWARE_WORD  17
static const struct insn trap_insn = { 0xe1202073, 0, 4 }; /* csrr zero, hgeip */
static const struct insn call_insn = { 0x00000073, 0, 4 }; /* a system call */
#define PATCHED    \
    {              \
        &call_insn \
    }
#define STEP 2u

static inline unsigned long *slot(ucontext_t *uc, int n)
{
    return &uc->uc_mcontext.__gregs[n];
}
static inline uint64_t pc_of(ucontext_t *uc, const void *fault)
{
    (void)fault;
    return uc->uc_mcontext.__gregs[0];
}
static inline void set_pc(ucontext_t *uc, uint64_t pc)
{
    uc->uc_mcontext.__gregs[0] = pc;
}
#else
enum { SP = 15, REGS = 16, FIRST = 2, LINK = 14, SIGNAL_BYTES = 2 };
#define SIGNAL_INSN ".short 0"
#define RETURN_INSN "br %r14"
static const int native[7] = { 1, 2, 3, 4, 5, 6, 7 };
static const int answer[7] = { 2, 3, 4, 5, 6, 7, 1 };
static const int token[3] = { 8, 9, 10 };
static const int vmware[7] = { 2, 3, 4, 5, 6, 7, 8 };
static const int kept[] = { 6, 7, 8, 9, 10, 11, 12, 13, SP };
#define VMWARE_WORD 1
static const struct insn trap_insn = { 0x0000, 0, 2 };
static const struct insn call_insn = { 0x5c012483, 0, 4 }; /* DIAG 2,4,15Ch: 83 24 01 5c */
#define PATCHED \
    {           \
        0       \
    }
#define STEP 2u

static inline unsigned long *slot(ucontext_t *uc, int n)
{
    return &uc->uc_mcontext.gregs[n];
}
static inline uint64_t pc_of(ucontext_t *uc, const void *fault)
{
    (void)uc; /* the PSW stands behind the instruction, in some emulators on it */
    return (uint64_t)fault;
}
static inline void set_pc(ucontext_t *uc, uint64_t pc)
{
    uc->uc_mcontext.psw.addr = pc;
}
#endif

#endif
