/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of the hypercall, in one file: C89 and C++ clean, no libc, no other header, for
 * x86-64, AArch64, RISC-V (64 bit) and s390x, for kernels and for programs. Everything is inline,
 * nothing is kept. docs/spec/hypercall.md has the rules.
 *
 *     struct svmc_guest guest;
 *     svmc_hcall_word out[6];
 *
 *     svmc_probe(&guest, &how);
 *     if (svmc_call2(&guest, SVMC_HCALL_CONTROL(number), 1, 2, out) == SVMC_HCALL_OK)
 *         use(out[0]);
 *
 * With another compiler or processor only the constants are there and SVMC_HCALL_HERE is 0.
 */
#ifndef SVMCORE_GUEST_HYPERCALL_H
#define SVMCORE_GUEST_HYPERCALL_H

#ifdef _WIN64
__extension__ typedef unsigned long long svmc_hcall_word;
#else
typedef unsigned long svmc_hcall_word; /* 64 bits wherever there is a call */
#endif

#define SVMC_HCALL_ABI  1
#define SVMC_HCALL_PORT 0x565c /* the default doorbell */

/* Codes of the status word, bits 15:0; the rest is 0 where a host answers (HC-4). */
#define SVMC_HCALL_OK          0
#define SVMC_HCALL_BAD_ARG     1
#define SVMC_HCALL_NOT_DEFINED 2
#define SVMC_HCALL_DENIED      3
#define SVMC_HCALL_RETRY       4
#define SVMC_HCALL_VERSION     5
#define SVMC_HCALL_FAILED      6
#define SVMC_HCALL_CODES       7 /* what a host may answer through the page is below */
/* Codes of the dispatcher alone (hcall.h, docs/spec/hcall.md). */
#define SVMC_HCALL_PARTIAL     7 /* part is done: call again, with RESUME or from START */
#define SVMC_HCALL_DROPPED     8 /* an older version had it; NOT_DEFINED: none ever had */
#define SVMC_HCALL_NEED_TOKEN  9
#define SVMC_HCALL_TOKEN_STALE 10
#define SVMC_HCALL_FAULT       11 /* an address of yours is not there: touch it, call again */
#define SVMC_HCALL_ALL_CODES   12

/* The control word: number 15:0, owner 21:16, flags 31:22, repetitions 43:32, the first of them
   55:44, ABI version 63:56 (HC-7). */
#define SVMC_HCALL_OWNER_SHIFT 16
#define SVMC_HCALL_FAST        0x00400000 /* touches no memory of the guest */
#define SVMC_HCALL_BATCH       0x00800000 /* argument 1: a vector of calls, repetitions: how many */
#define SVMC_HCALL_TOKEN       0x01000000 /* the token registers hold one */
#define SVMC_HCALL_TAGGED      0x02000000 /* with TOKEN: its tag is a MAC over this call */
#define SVMC_HCALL_RESUME      0x04000000 /* argument 1: the cursor that came with PARTIAL */
#define SVMC_HCALL_SIMD_DEAD   0x08000000 /* vector registers need not be kept */
#define SVMC_HCALL_DRY_RUN     0x10000000 /* checked and not done */
#define SVMC_HCALL_REPS_SHIFT  32
#define SVMC_HCALL_START_SHIFT 44
#define SVMC_HCALL_ABI_SHIFT   56
/* Number -> control word; flags and owner are or-ed to it. */
#define SVMC_HCALL_CONTROL(number) \
    (((svmc_hcall_word)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT) | ((svmc_hcall_word)(number)&0xffff))
#define SVMC_HCALL_OWNER(owner) (((svmc_hcall_word)(owner)&0x3f) << SVMC_HCALL_OWNER_SHIFT)
#define SVMC_HCALL_REPS(n)      (((svmc_hcall_word)(n)&0xfff) << SVMC_HCALL_REPS_SHIFT)
#define SVMC_HCALL_START(n)     (((svmc_hcall_word)(n)&0xfff) << SVMC_HCALL_START_SHIFT)

/* The status word: code 15:0, argument 1 to 6 that is at fault 19:16, logarithm of the ticks to
   wait 27:20, repetitions done 43:32, cursor 63 (HC-8). */
#define SVMC_HCALL_BAD_SHIFT         16
#define SVMC_HCALL_HINT_SHIFT        20
#define SVMC_HCALL_DONE_SHIFT        32
#define SVMC_HCALL_CURSOR_SHIFT      63 /* 1: result 1 is a cursor for SVMC_HCALL_RESUME */
#define SVMC_HCALL_CODE_OF(status)   ((unsigned)((status)&0xffff))
#define SVMC_HCALL_BAD_OF(status)    ((unsigned)((status) >> SVMC_HCALL_BAD_SHIFT & 0xf))
#define SVMC_HCALL_HINT_OF(status)   ((unsigned)((status) >> SVMC_HCALL_HINT_SHIFT & 0xff))
#define SVMC_HCALL_DONE_OF(status)   ((unsigned)((status) >> SVMC_HCALL_DONE_SHIFT & 0xfff))
#define SVMC_HCALL_CURSOR_OF(status) ((unsigned)((status) >> SVMC_HCALL_CURSOR_SHIFT & 1))
/* 0 in every status word. A negative number of another hypervisor's has some of them. */
#define SVMC_HCALL_NO_STATUS       (((svmc_hcall_word)0x7ffff << 44) | (svmc_hcall_word)0xf0008000)
#define SVMC_HCALL_IS_STATUS(word) (((word)&SVMC_HCALL_NO_STATUS) == 0)
#define SVMC_HCALL_NOBODY          (~(svmc_hcall_word)0) /* no status word: no call was made */

/* Numbers 0 to 7 of every owner: discovery (HC-13). */
#define SVMC_HCALL_ASK_VERSION  0
#define SVMC_HCALL_ASK_FEATURES 1
#define SVMC_HCALL_ASK_UID      2
#define SVMC_HCALL_ASK_LIMITS   3
#define SVMC_HCALL_ASK_NEXT     4
#define SVMC_HCALL_ASK_ARGUMENT 5
#define SVMC_HCALL_FIRST        8 /* the first number that an owner gives a call */
/* What FEATURES and NEXT tell of a call in a word; its cost class in 15:8, results in 19:16. */
#define SVMC_HCALL_IS_THERE    0x01
#define SVMC_HCALL_WAS_THERE   0x02
#define SVMC_HCALL_MAY_NOW     0x04 /* you may call it, as you are, without a token */
#define SVMC_HCALL_MAY_PLAIN   0x08 /* some may without a token */
#define SVMC_HCALL_HAS_PARTIAL 0x10
#define SVMC_HCALL_HAS_REPEAT  0x20
#define SVMC_HCALL_HAS_MEMORY  0x40 /* it has buffers or handles */
/* Argument 2 of a batch. */
#define SVMC_HCALL_STOP 1 /* at the first entry that does not end OK */

/* How the host makes itself known (HC-14). */
#define SVMC_HCALL_SIGNATURE 0x434d5653u /* CPUID: "SVMC", in EBX, ECX and EDX */
#define SVMC_HCALL_UID_0     0x863a1d7bu /* SMCCC: 7b1d3a86-8e0c-4f5b-9d52-53564d433a87 */
#define SVMC_HCALL_UID_1     0x5b4f0c8eu
#define SVMC_HCALL_UID_2     0x5653529du
#define SVMC_HCALL_UID_3     0x873a434du
#define SVMC_HCALL_EID       0x0a53564du /* SBI: a firmware-specific extension, "SVM" */
#define SVMC_HCALL_DIAG      0x15c       /* s390x: the code of DIAGNOSE */
#define SVMC_HCALL_MAGIC     0x87u       /* AArch64: bits 63:32 of X7, and the immediate of HVC */

/* The instruction of a call (HC-10). */
#define SVMC_WAY_NONE    0
#define SVMC_WAY_PORT    1 /* x86: OUT to the doorbell; VMware's: IN, INS, OUTS */
#define SVMC_WAY_VMCALL  2 /* x86 */
#define SVMC_WAY_VMMCALL 3 /* x86 */
#define SVMC_WAY_TRAP    4 /* the others, also from user mode: MRS, CSRR, the opcode 0x0000 */
#define SVMC_WAY_CALL    5 /* the others, from a kernel: HVC, ECALL, DIAGNOSE */

/* VMware's ABI (HC-15): ports, magic, and what AArch64 and its like hold in place of an IN. */
#define SVMC_VMWARE_MAGIC       0x564d5868u
#define SVMC_VMWARE_PORT        0x5658u /* low bandwidth */
#define SVMC_VMWARE_PORT_HIGH   0x5659u
#define SVMC_VMWARE_FLAG_HIGH   1u /* VMCALL, VMMCALL: in place of a port */
#define SVMC_VMWARE_FLAG_WRITE  2u
#define SVMC_VMWARE_GET_VERSION 10u
#define SVMC_VMWARE_WORD(low)   (((svmc_hcall_word)0x86 << 32) | (svmc_hcall_word)(low))
#define SVMC_VMWARE_IN          SVMC_VMWARE_WORD(0x0e) /* IN EAX, DX */
#define SVMC_VMWARE_OUTS        SVMC_VMWARE_WORD(0x18) /* REP OUTSB */
#define SVMC_VMWARE_INS         SVMC_VMWARE_WORD(0x1c) /* REP INSB */

/* How to reach the host: what svmc_probe finds, or what you know. */
struct svmc_guest {
    unsigned way;    /* SVMC_WAY_* of native calls */
    unsigned vmware; /* SVMC_WAY_* of VMware-compatible calls */
    unsigned port;   /* the doorbell of SVMC_WAY_PORT */
    unsigned abi;    /* version of the native ABI that the host says it has; 0: it said none */
};

/* What shows the host that a caller is the one who enrolled (HC-12). */
struct svmc_hcall_token {
    svmc_hcall_word handle, tag_low, tag_high;
};

/* What svmc_probe may do. */
struct svmc_probe_how {
    int kernel; /* 0: user mode: nothing that is a system call or privileged is executed */
    int hvc;    /* AArch64, kernel: HVC is the conduit that the firmware tables name */
    /*
     * Run call(of) where a fault ends it: 0 if it came to its end, else another number. 0 here:
     * nothing is tried out, what announces itself counts alone.
     */
    int (*attempt)(void *ctx, void (*call)(void *), void *of);
    void *ctx;
};

#if (defined(__GNUC__) || defined(__clang__)) && defined(__LP64__) &&                           \
    (defined(__x86_64__) || defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64) || \
     defined(__s390x__))
#define SVMC_HCALL_HERE 1
#define SVMC_INLINE     static __inline__ __attribute__((__always_inline__))

/*
 * The registers of each processor (HC-9). SVMC_NATIVE_: control word, arguments 1 to 6, and what
 * tells the call from other uses of the instruction. SVMC_TOKEN_: handle, tag. SVMC_VMWARE_:
 * registers 0 to 6 of VMware's ABI, and the word.
 */
#if defined(__x86_64__)
#define SVMC_NATIVE_(use)    use("rax", "rdi", "rsi", "r8", "r9", "r10", "r11", "rdx")
#define SVMC_NATIVE_LAST_(g) ((svmc_hcall_word)(g)->port)
#define SVMC_TOKEN_(use)     use("r12", "r13", "r14")
/*
 * RBX may be the compiler's base pointer and RBP its frame: they change places with R8 and R9 for
 * the time of the instruction, and no operand is in memory. Nobody looks at R10.
 */
#define SVMC_VMWARE_(use)    use("rax", "r8", "rcx", "rdx", "rsi", "rdi", "r9", "r10")
#define SVMC_WITH_RBX_(insn) "xchgq %%rbx, %%r8\n\t" insn "\n\txchgq %%rbx, %%r8"
#define SVMC_WITH_RBP_(insn) "xchgq %%rbp, %%r9\n\t" SVMC_WITH_RBX_(insn) "\n\txchgq %%rbp, %%r9"
#define SVMC_OUT_            "outl %%eax, %%dx"
#define SVMC_VMCALL_         ".byte 0x0f, 0x01, 0xc1"
#define SVMC_VMMCALL_        ".byte 0x0f, 0x01, 0xd9"
#elif defined(__aarch64__)
#define SVMC_NATIVE_(use)    use("x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7")
#define SVMC_NATIVE_LAST_(g) ((void)(g), (svmc_hcall_word)SVMC_HCALL_MAGIC << 32)
#define SVMC_TOKEN_(use)     use("x8", "x9", "x10")
#define SVMC_VMWARE_(use)    use("x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7")
#define SVMC_TRAP_           "mrs xzr, mdccsr_el0"
#define SVMC_CALL_           "hvc #0x87"
#define SVMC_VMWARE_CALL_    "hvc #0x86"
#elif defined(__riscv)
#define SVMC_NATIVE_(use)    use("a6", "a0", "a1", "a2", "a3", "a4", "a5", "a7")
#define SVMC_NATIVE_LAST_(g) ((void)(g), (svmc_hcall_word)SVMC_HCALL_EID)
#define SVMC_TOKEN_(use)     use("t4", "t5", "t6")
#define SVMC_VMWARE_(use)    use("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7")
#define SVMC_TRAP_           ".4byte 0xe1202073" /* csrr zero, hgeip: not every assembler has it */
#define SVMC_CALL_           "ecall"
#define SVMC_VMWARE_CALL_    SVMC_TRAP_ /* the SBI has no extension of that word */
#else
#define SVMC_NATIVE_(use)    use("1", "2", "3", "4", "5", "6", "7", "0") /* a scratch */
#define SVMC_NATIVE_LAST_(g) ((void)(g), (svmc_hcall_word)0)
#define SVMC_TOKEN_(use)     use("8", "9", "10")
#define SVMC_VMWARE_(use)    use("2", "3", "4", "5", "6", "7", "8", "1")
#define SVMC_TRAP_           ".short 0x0000"
#define SVMC_CALL_           ".insn rs, 0x83000000, %%r2, %%r4, 0x15c(%%r0)" /* diag 2, 4, DIAG */
#define SVMC_VMWARE_CALL_    SVMC_CALL_
#endif

#if defined(__x86_64__)
#define SVMC_USUAL_WAY_ SVMC_WAY_PORT
#define SVMC_WAYS_(ring)          \
    case SVMC_WAY_PORT:           \
        ring(SVMC_OUT_) break;    \
    case SVMC_WAY_VMCALL:         \
        ring(SVMC_VMCALL_) break; \
    case SVMC_WAY_VMMCALL:        \
        ring(SVMC_VMMCALL_) break;
#else
#define SVMC_USUAL_WAY_ SVMC_WAY_TRAP
#define SVMC_WAYS_(ring)        \
    case SVMC_WAY_TRAP:         \
        ring(SVMC_TRAP_) break; \
    case SVMC_WAY_CALL:         \
        ring(SVMC_CALL_) break;
#endif

/*
 * Memory is read before the first register is taken: in an odd build reading is a call of its own.
 * No register that is not named changes (HC-5), so none is clobbered.
 */
#define SVMC_BIND_(r0, r1, r2, r3, r4, r5, r6, r7) \
    register svmc_hcall_word q0 __asm__(r0) = w0;  \
    register svmc_hcall_word q1 __asm__(r1) = w1;  \
    register svmc_hcall_word q2 __asm__(r2) = w2;  \
    register svmc_hcall_word q3 __asm__(r3) = w3;  \
    register svmc_hcall_word q4 __asm__(r4) = w4;  \
    register svmc_hcall_word q5 __asm__(r5) = w5;  \
    register svmc_hcall_word q6 __asm__(r6) = w6;  \
    register svmc_hcall_word q7 __asm__(r7) = w7
#define SVMC_BIND_TOKEN_(r8, r9, r10)             \
    register svmc_hcall_word q8 __asm__(r8) = w8; \
    register svmc_hcall_word q9 __asm__(r9) = w9; \
    register svmc_hcall_word q10 __asm__(r10) = w10
#define SVMC_ASM_(insn, in)                                                                     \
    __asm__ __volatile__(insn                                                                   \
                         : "+r"(q0), "+r"(q1), "+r"(q2), "+r"(q3), "+r"(q4), "+r"(q5), "+r"(q6) \
                         : in                                                                   \
                         : "memory", "cc");
#define SVMC_READ_                                                 \
    const svmc_hcall_word w0 = control, w7 = SVMC_NATIVE_LAST_(g); \
    const svmc_hcall_word w1 = arg[0], w2 = arg[1], w3 = arg[2];   \
    const svmc_hcall_word w4 = arg[3], w5 = arg[4], w6 = arg[5]
#if defined(__x86_64__) || defined(__aarch64__)
#define SVMC_WRITE_ \
    status = q0, arg[0] = q1, arg[1] = q2, arg[2] = q3, arg[3] = q4, arg[4] = q5, arg[5] = q6;
#else /* HC-11: the status in the register of argument 1, each result one further */
#define SVMC_WRITE_ \
    status = q1, arg[0] = q2, arg[1] = q3, arg[2] = q4, arg[3] = q5, arg[4] = q6, arg[5] = q0;
#endif
#define SVMC_RING_(insn)          \
    {                             \
        SVMC_READ_;               \
        SVMC_NATIVE_(SVMC_BIND_); \
        SVMC_ASM_(insn, "r"(q7))  \
        SVMC_WRITE_               \
    }
#define SVMC_TOKEN_IN_ "r"(q7), "r"(q8), "r"(q9), "r"(q10)
#define SVMC_RING_TOKEN_(insn)                                                                \
    {                                                                                         \
        const svmc_hcall_word w8 = token->handle, w9 = token->tag_low, w10 = token->tag_high; \
        SVMC_READ_;                                                                           \
        SVMC_NATIVE_(SVMC_BIND_);                                                             \
        SVMC_TOKEN_(SVMC_BIND_TOKEN_);                                                        \
        SVMC_ASM_(insn, SVMC_TOKEN_IN_)                                                       \
        SVMC_WRITE_                                                                           \
    }

/*
 * Call with arg[0..5]; as many as the call declares become its results, the others mean nothing.
 * Returns the status word; a way that this processor has not: SVMC_HCALL_NOBODY.
 */
SVMC_INLINE svmc_hcall_word svmc_call(const struct svmc_guest *g, svmc_hcall_word control,
                                      svmc_hcall_word arg[6])
{
    svmc_hcall_word status = SVMC_HCALL_NOBODY;

    switch (g->way) {
        SVMC_WAYS_(SVMC_RING_)
    default:
        break;
    }
    return status;
}

/* The same with a token (HC-12). */
SVMC_INLINE svmc_hcall_word svmc_call_tok(const struct svmc_guest *g, svmc_hcall_word control,
                                          svmc_hcall_word arg[6],
                                          const struct svmc_hcall_token *token)
{
    svmc_hcall_word status = SVMC_HCALL_NOBODY;

    control |= SVMC_HCALL_TOKEN;
    switch (g->way) {
        SVMC_WAYS_(SVMC_RING_TOKEN_)
    default:
        break;
    }
    return status;
}

/* With so many arguments, the others 0; out[0..5] get the results, unless it is 0. */
SVMC_INLINE svmc_hcall_word svmc_call6(const struct svmc_guest *g, svmc_hcall_word control,
                                       svmc_hcall_word a1, svmc_hcall_word a2, svmc_hcall_word a3,
                                       svmc_hcall_word a4, svmc_hcall_word a5, svmc_hcall_word a6,
                                       svmc_hcall_word *out)
{
    svmc_hcall_word arg[6], status;
    int i;

    arg[0] = a1;
    arg[1] = a2;
    arg[2] = a3;
    arg[3] = a4;
    arg[4] = a5;
    arg[5] = a6;
    status = svmc_call(g, control, arg);
    for (i = 0; out && i < 6; i++)
        out[i] = arg[i];
    return status;
}

#define svmc_call0(g, control, out)                svmc_call6(g, control, 0, 0, 0, 0, 0, 0, out)
#define svmc_call1(g, control, a, out)             svmc_call6(g, control, a, 0, 0, 0, 0, 0, out)
#define svmc_call2(g, control, a, b, out)          svmc_call6(g, control, a, b, 0, 0, 0, 0, out)
#define svmc_call3(g, control, a, b, c, out)       svmc_call6(g, control, a, b, c, 0, 0, 0, out)
#define svmc_call4(g, control, a, b, c, d, out)    svmc_call6(g, control, a, b, c, d, 0, 0, out)
#define svmc_call5(g, control, a, b, c, d, e, out) svmc_call6(g, control, a, b, c, d, e, 0, out)

/* What a caller knows who asked nobody: the trap that user mode has too, the default doorbell. */
SVMC_INLINE struct svmc_guest svmc_guest_default(void)
{
    struct svmc_guest g;

    g.way = g.vmware = SVMC_USUAL_WAY_;
    g.port = SVMC_HCALL_PORT;
    g.abi = 0;
    return g;
}

/* svmc_call by the default way (HC-1). */
SVMC_INLINE svmc_hcall_word svmc_hcall(unsigned number, svmc_hcall_word arg[6])
{
    const struct svmc_guest g = svmc_guest_default();

    return svmc_call(&g, SVMC_HCALL_CONTROL(number), arg);
}

/* ---- VMware-compatible calls (HC-15) ---- */
#define SVMC_VMWARE_RING_(insn)                                                      \
    {                                                                                \
        const svmc_hcall_word w0 = r[0], w1 = r[1], w2 = r[2], w3 = r[3];            \
        const svmc_hcall_word w4 = r[4], w5 = r[5], w6 = r[6], w7 = word;            \
        SVMC_VMWARE_(SVMC_BIND_);                                                    \
        SVMC_ASM_(insn, "r"(q7))                                                     \
        r[0] = q0, r[1] = q1, r[2] = q2, r[3] = q3, r[4] = q4, r[5] = q5, r[6] = q6; \
    }

/* The I/O instruction that `word` describes, with registers 0 to 6 in r. 0: no such way here. */
SVMC_INLINE int svmc_vmware_ring_(unsigned way, svmc_hcall_word word, svmc_hcall_word r[7])
{
#if defined(__x86_64__)
    if (way == SVMC_WAY_PORT && word == SVMC_VMWARE_IN)
        SVMC_VMWARE_RING_(SVMC_WITH_RBX_("inl %%dx, %%eax"))
    else if (way == SVMC_WAY_PORT && word == SVMC_VMWARE_OUTS)
        SVMC_VMWARE_RING_(SVMC_WITH_RBP_("cld\n\trep outsb"))
    else if (way == SVMC_WAY_PORT)
        SVMC_VMWARE_RING_(SVMC_WITH_RBP_("cld\n\trep insb"))
    else if (way == SVMC_WAY_VMCALL && word == SVMC_VMWARE_IN)
        SVMC_VMWARE_RING_(SVMC_WITH_RBX_(SVMC_VMCALL_))
    else if (way == SVMC_WAY_VMCALL)
        SVMC_VMWARE_RING_(SVMC_WITH_RBP_(SVMC_VMCALL_))
    else if (way == SVMC_WAY_VMMCALL && word == SVMC_VMWARE_IN)
        SVMC_VMWARE_RING_(SVMC_WITH_RBX_(SVMC_VMMCALL_))
    else if (way == SVMC_WAY_VMMCALL)
        SVMC_VMWARE_RING_(SVMC_WITH_RBP_(SVMC_VMMCALL_))
#else
    if (way == SVMC_WAY_TRAP)
        SVMC_VMWARE_RING_(SVMC_TRAP_)
    else if (way == SVMC_WAY_CALL)
        SVMC_VMWARE_RING_(SVMC_VMWARE_CALL_)
#endif
    else
        return 0;
    return 1;
}

/* Register 3: the channel and the port; VMCALL and VMMCALL have flags there. */
SVMC_INLINE svmc_hcall_word svmc_vmware_port_(unsigned way, unsigned channel, unsigned port,
                                              unsigned flags)
{
    int flagged = way == SVMC_WAY_VMCALL || way == SVMC_WAY_VMMCALL;

    return (svmc_hcall_word)channel << 16 | (flagged ? flags : port);
}

/*
 * A low-bandwidth call: w[1..5] are EBX, ECX (sub-command << 16 | command), EDX (bits 31:16 count:
 * the channel), ESI and EDI or their like; w[0..5] get what comes back, 32 bits each.
 * Returns w[0], EAX; all ones also for a command that nobody knows.
 */
SVMC_INLINE unsigned svmc_vmware_low(const struct svmc_guest *g, svmc_hcall_word w[6])
{
    svmc_hcall_word r[7];
    int i;

    for (i = 1; i < 6; i++)
        r[i] = w[i] & 0xffffffff;
    r[0] = SVMC_VMWARE_MAGIC;
    r[3] = svmc_vmware_port_(g->vmware, (unsigned)(r[3] >> 16), SVMC_VMWARE_PORT, 0);
    r[6] = 0;
    if (!svmc_vmware_ring_(g->vmware, SVMC_VMWARE_IN, r))
        r[0] = 0xffffffff;
    for (i = 0; i < 6; i++)
        w[i] = r[i] & 0xffffffff;
    return (unsigned)w[0];
}

/* A channel of the message protocol, as its OPEN gave it. */
struct svmc_guest_channel {
    unsigned id, cookie_high, cookie_low;
};

/*
 * High bandwidth: `bytes` from memory to the host. `command` is all of EBX; of the message protocol
 * it is 0x10000. Returns bits 31:16 of EBX: bit 0: it went well.
 */
SVMC_INLINE unsigned svmc_vmware_send(const struct svmc_guest *g, unsigned command,
                                      const struct svmc_guest_channel *channel, const void *from,
                                      svmc_hcall_word bytes)
{
    svmc_hcall_word r[7];

    r[0] = SVMC_VMWARE_MAGIC;
    r[1] = command;
    r[2] = bytes;
    r[3] = svmc_vmware_port_(g->vmware, channel->id, SVMC_VMWARE_PORT_HIGH,
                             SVMC_VMWARE_FLAG_HIGH | SVMC_VMWARE_FLAG_WRITE);
    r[4] = (svmc_hcall_word)from;
    r[5] = channel->cookie_low;
    r[6] = channel->cookie_high;
    return svmc_vmware_ring_(g->vmware, SVMC_VMWARE_OUTS, r) ? (unsigned)(r[1] >> 16 & 0xffff) : 0;
}

/* High bandwidth: `bytes` from the host to memory. The cookie stands elsewhere than in a send. */
SVMC_INLINE unsigned svmc_vmware_receive(const struct svmc_guest *g, unsigned command,
                                         const struct svmc_guest_channel *channel, void *to,
                                         svmc_hcall_word bytes)
{
    svmc_hcall_word r[7];

    r[0] = SVMC_VMWARE_MAGIC;
    r[1] = command;
    r[2] = bytes;
    r[3] = svmc_vmware_port_(g->vmware, channel->id, SVMC_VMWARE_PORT_HIGH, SVMC_VMWARE_FLAG_HIGH);
    r[4] = channel->cookie_high;
    r[5] = (svmc_hcall_word)to;
    r[6] = channel->cookie_low;
    return svmc_vmware_ring_(g->vmware, SVMC_VMWARE_INS, r) ? (unsigned)(r[1] >> 16 & 0xffff) : 0;
}

/* ---- Is anybody there? (HC-14) ---- */
#if defined(__x86_64__)
SVMC_INLINE void svmc_cpuid_(unsigned leaf, unsigned r[4])
{
    svmc_hcall_word b;

    __asm__ __volatile__("movq %%rbx, %q1\n\tcpuid\n\txchgq %%rbx, %q1"
                         : "=a"(r[0]), "=&r"(b), "=c"(r[2]), "=d"(r[3])
                         : "0"(leaf), "2"(0));
    r[1] = (unsigned)b;
}

/* Bits of two leaves, VMware's and ours, that say which instruction to take. */
SVMC_INLINE unsigned svmc_announced_(unsigned bits)
{
    return bits & 2 ? SVMC_WAY_VMCALL : bits & 1 ? SVMC_WAY_VMMCALL : SVMC_WAY_PORT;
}

static __inline__ void svmc_announcement_(struct svmc_guest *g, const struct svmc_probe_how *how)
{
    unsigned r[4], base;

    (void)how;
    svmc_cpuid_(1, r);
    if (!(r[2] >> 31)) /* no hypervisor says that it is there: its leaves mean something else */
        return;
    svmc_cpuid_(0x40000000, r);
    if (r[1] == 0x61774d56 && r[2] == 0x4d566572 && r[3] == 0x65726177) { /* VMwareVMware */
        base = r[0];
        r[2] = 0;
        if (base >= 0x40000010)
            svmc_cpuid_(0x40000010, r);
        g->vmware = svmc_announced_(r[2]);
    }
    for (base = 0x40000000; base <= 0x4000ff00; base += 0x100) {
        svmc_cpuid_(base, r);
        if (r[0] <= base || r[1] != SVMC_HCALL_SIGNATURE || r[2] != r[1] || r[3] != r[1])
            continue;
        svmc_cpuid_(base + 1, r);
        g->abi = r[0];
        g->port = r[1] & 0xffff;
        g->way = svmc_announced_(r[2]);
        return;
    }
}
#elif defined(__aarch64__)
static __inline__ void svmc_announcement_(struct svmc_guest *g, const struct svmc_probe_how *how)
{
    register svmc_hcall_word x0 __asm__("x0") = 0x8600ff01; /* SMCCC: UID of the hypervisor */
    register svmc_hcall_word x1 __asm__("x1") = 0;
    register svmc_hcall_word x2 __asm__("x2") = 0;
    register svmc_hcall_word x3 __asm__("x3") = 0;

    if (!how || !how->kernel || !how->hvc)
        return;
    __asm__ __volatile__("hvc #0"
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                         :
                         : "memory", "cc", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                           "x13", "x14", "x15", "x16", "x17");
    if ((unsigned)x0 == SVMC_HCALL_UID_0 && (unsigned)x1 == SVMC_HCALL_UID_1 &&
        (unsigned)x2 == SVMC_HCALL_UID_2 && (unsigned)x3 == SVMC_HCALL_UID_3)
        g->way = SVMC_WAY_CALL;
}
#elif defined(__riscv)
static __inline__ void svmc_announcement_(struct svmc_guest *g, const struct svmc_probe_how *how)
{
    register svmc_hcall_word a0 __asm__("a0") = SVMC_HCALL_EID;
    register svmc_hcall_word a1 __asm__("a1") = 0;
    register svmc_hcall_word a6 __asm__("a6") = 3;    /* probe_extension */
    register svmc_hcall_word a7 __asm__("a7") = 0x10; /* the base extension */

    if (!how || !how->kernel)
        return;
    __asm__ __volatile__("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
    if (a0 == 0 && a1 != 0)
        g->way = SVMC_WAY_CALL;
}
#else
static __inline__ void svmc_announcement_(struct svmc_guest *g, const struct svmc_probe_how *how)
{
    /* what DIAGNOSE is not given to is an exception: nothing can be asked without a try */
    if (how && how->kernel && how->attempt)
        g->way = g->vmware = SVMC_WAY_CALL;
}
#endif

/* What an attempt calls, and what it leaves. */
struct svmc_attempt_ {
    struct svmc_guest guest;
    svmc_hcall_word status, word[6];
};

/* Arguments that no answer leaves where it stands on any processor. */
static __inline__ void svmc_attempt_native_(void *of)
{
    struct svmc_attempt_ *a = (struct svmc_attempt_ *)of;
    int i;

    for (i = 0; i < 6; i++)
        a->word[i] = SVMC_HCALL_NOBODY;
    a->status = svmc_call(&a->guest, SVMC_HCALL_CONTROL(SVMC_HCALL_ASK_VERSION), a->word);
}

static __inline__ void svmc_attempt_vmware_(void *of)
{
    struct svmc_attempt_ *a = (struct svmc_attempt_ *)of;
    int i;

    for (i = 0; i < 6; i++)
        a->word[i] = 0;
    a->word[1] = ~(svmc_hcall_word)SVMC_VMWARE_MAGIC;
    a->word[2] = SVMC_VMWARE_GET_VERSION;
    a->status = svmc_vmware_low(&a->guest, a->word);
}

/* Does a native call by this way come back with a status word? */
static __inline__ int svmc_answers_(struct svmc_guest *g, const struct svmc_probe_how *how,
                                    unsigned way)
{
    struct svmc_attempt_ a;

    a.guest = *g;
    a.guest.way = way;
    a.status = SVMC_HCALL_NOBODY;
    if (how->attempt(how->ctx, svmc_attempt_native_, &a) != 0 || !SVMC_HCALL_IS_STATUS(a.status))
        return 0;
    g->way = way;
    if (SVMC_HCALL_CODE_OF(a.status) == SVMC_HCALL_OK)
        g->abi = (unsigned)a.word[0];
    return 1;
}

static __inline__ int svmc_vmware_answers_(struct svmc_guest *g, const struct svmc_probe_how *how,
                                           unsigned way)
{
    struct svmc_attempt_ a;

    a.guest = *g;
    a.guest.vmware = way;
    a.word[1] = 0;
    if (how->attempt(how->ctx, svmc_attempt_vmware_, &a) != 0 || a.word[1] != SVMC_VMWARE_MAGIC)
        return 0;
    g->vmware = way;
    return 1;
}

/*
 * Find out how to call, and whether anybody answers. Without how->attempt what is announced is
 * believed and nothing is tried; with it what is announced is tried first, then the default way,
 * and what faults or leaves its registers as they were is nobody. Returns 0: neither ABI is there.
 */
static __inline__ int svmc_probe(struct svmc_guest *g, const struct svmc_probe_how *how)
{
    const struct svmc_guest usual = svmc_guest_default();
    struct svmc_guest said = usual;

    said.way = said.vmware = SVMC_WAY_NONE;
    svmc_announcement_(&said, how);
    *g = said;
    if (how && how->attempt) {
        g->way = g->vmware = SVMC_WAY_NONE;
        if (said.way == SVMC_WAY_NONE || !svmc_answers_(g, how, said.way))
            (void)svmc_answers_(g, how, usual.way);
        if (said.vmware == SVMC_WAY_NONE || !svmc_vmware_answers_(g, how, said.vmware))
            (void)svmc_vmware_answers_(g, how, usual.vmware);
    }
    return g->way != SVMC_WAY_NONE || g->vmware != SVMC_WAY_NONE;
}
#else
#define SVMC_HCALL_HERE 0
#endif

#endif
