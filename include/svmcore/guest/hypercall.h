/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of the hypercall ABI, in one file: C89 and C++ clean, no libc, no other header.
 *
 * A call is one 4-byte OUT to the doorbell port: RAX holds the control word and gets the status
 * word, RDI RSI R8 R9 R10 R11 hold the arguments; results come back in RDI, RSI and R8. Every other
 * register keeps its value. Source: docs/spec/hypercall.md, rules HC-1 to HC-6.
 *
 * This release rings on x86-64 with a 64-bit long; elsewhere the file compiles to the constants
 * alone and SVMC_HCALL_HERE is 0.
 */
#ifndef SVMCORE_GUEST_HYPERCALL_H
#define SVMCORE_GUEST_HYPERCALL_H

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
#define SVMC_HCALL_FAULT       11 /* an address is not there; touch it, call again */
#define SVMC_HCALL_ALL_CODES   12

/* The control word: number 15:0, owner 21:16, flags 31:22, repetitions 43:32, the first of them
   55:44, ABI version 63:56 (HN-1). */
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

/* The status word: code 15:0, argument 1 to 6 that is at fault 19:16, log2 of the ticks to wait
   27:20, repetitions done 43:32, cursor 63 (HN-2). */
#define SVMC_HCALL_BAD_SHIFT    16
#define SVMC_HCALL_HINT_SHIFT   20
#define SVMC_HCALL_DONE_SHIFT   32
#define SVMC_HCALL_CURSOR_SHIFT 63 /* 1: result 1 is a cursor for SVMC_HCALL_RESUME */

/* Numbers 0 to 7 of every owner (HN-19). */
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

#if defined(__x86_64__) && defined(__LP64__) && (defined(__GNUC__) || defined(__clang__))
#define SVMC_HCALL_HERE 1
typedef unsigned long svmc_hcall_word;

/* The control word: number in bits 15:0, ABI version in bits 63:56, the rest 0 (HC-2). */
#define SVMC_HCALL_CONTROL(number) \
    (((svmc_hcall_word)SVMC_HCALL_ABI << 56) | ((svmc_hcall_word)(number)&0xffff))

/*
 * Call `number` with arg[0..5]; arg[0..2] receive the results. Returns the status word.
 * Any privilege that may write the port: ring 0, or ring 3 with IOPL or the I/O bitmap.
 */
static __inline__ svmc_hcall_word svmc_hcall(unsigned number, svmc_hcall_word arg[6])
{
    register svmc_hcall_word r8 __asm__("r8") = arg[2];
    register svmc_hcall_word r9 __asm__("r9") = arg[3];
    register svmc_hcall_word r10 __asm__("r10") = arg[4];
    register svmc_hcall_word r11 __asm__("r11") = arg[5];
    svmc_hcall_word status = SVMC_HCALL_CONTROL(number);

    __asm__ __volatile__("outl %%eax, %%dx"
                         : "+a"(status), "+D"(arg[0]), "+S"(arg[1]), "+r"(r8)
                         : "d"(SVMC_HCALL_PORT), "r"(r9), "r"(r10), "r"(r11)
                         : "memory");
    arg[2] = r8;
    return status;
}
#else
#define SVMC_HCALL_HERE 0
typedef unsigned long svmc_hcall_word;
#endif

#endif
