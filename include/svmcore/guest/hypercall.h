/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of the hypercall, in one file: C89 and C++ clean, no libc, no other header, for
 * x86-64, AArch64, RISC-V (64 bit) and s390x, for kernels and for programs. Everything is inline,
 * nothing is kept. docs/spec/hypercall.md has the rules.
 *
 *     struct svmc_guest g;
 *     svmc_hcall_word out[6];
 *
 *     svmc_probe(&g, &how);
 *     if (svmc_hcall_is_ok(svmc_call2(&g, number, 1, 2, out)))
 *         use(out[0]);
 *
 * With another compiler or processor only the constants are there and SVMC_HCALL_HERE is 0.
 */
#ifndef SVMCORE_GUEST_HYPERCALL_H
#define SVMCORE_GUEST_HYPERCALL_H

typedef unsigned long svmc_hcall_word; /* 64 bits wherever there is a call */

#define SVMC_HCALL_ABI  1
#define SVMC_HCALL_PORT 0x565c /* the default doorbell of x86 */

/* Codes of the status word, bits 15:0 (HC-4). Negative ones (bit 15) are of other hypervisors. */
#define SVMC_HCALL_OK          0
#define SVMC_HCALL_BAD_ARG     1 /* SVMC_HCALL_BAD_INDEX says which */
#define SVMC_HCALL_NOT_DEFINED 2 /* never was */
#define SVMC_HCALL_DENIED      3
#define SVMC_HCALL_RETRY       4 /* SVMC_HCALL_HINT says when */
#define SVMC_HCALL_VERSION     5
#define SVMC_HCALL_FAILED      6
#define SVMC_HCALL_CODES       7  /* those that a host may answer a parameter page with */
#define SVMC_HCALL_PARTIAL     7  /* go on with SVMC_HCALL_RESUME */
#define SVMC_HCALL_DROPPED     8  /* was there once */
#define SVMC_HCALL_NEED_TOKEN  9
#define SVMC_HCALL_TOKEN_STALE 10
#define SVMC_HCALL_FAULT       11 /* memory that an argument names is not there */

/* The status word beside its code (HC-8). */
#define SVMC_HCALL_CODE(status)      ((unsigned)((status)&0xffff))
#define SVMC_HCALL_BAD_INDEX(status) ((unsigned)((status) >> 16 & 0xf))    /* 1 to 6; 0: none */
#define SVMC_HCALL_HINT(status)      ((unsigned)((status) >> 20 & 0xff))   /* log2 of ticks */
#define SVMC_HCALL_REPS_DONE(status) ((unsigned)((status) >> 32 & 0xfff))
#define SVMC_HCALL_HAS_CURSOR(status) ((unsigned)((status) >> 63 & 1))
#define SVMC_HCALL_STATUS_RESERVED   (((svmc_hcall_word)0x7ffff << 44) | (svmc_hcall_word)0xf0000000)
#define SVMC_HCALL_NOBODY            (~(svmc_hcall_word)0) /* no call was made: no status word */

/* The control word: number 15:0, ABI version 63:56, and what may be or-ed to it (HC-2, HC-7). */
#define SVMC_HCALL_CONTROL(number) \
    (((svmc_hcall_word)SVMC_HCALL_ABI << 56) | ((svmc_hcall_word)(number)&0xffff))
#define SVMC_HCALL_OWNER(owner) (((svmc_hcall_word)(owner)&0x3f) << 16)
#define SVMC_HCALL_FAST         ((svmc_hcall_word)1 << 22)
#define SVMC_HCALL_BATCH        ((svmc_hcall_word)1 << 23)
#define SVMC_HCALL_TOKEN        ((svmc_hcall_word)1 << 24)
#define SVMC_HCALL_MAC          ((svmc_hcall_word)1 << 25) /* the tag is one of call and arguments */
#define SVMC_HCALL_RESUME       ((svmc_hcall_word)1 << 26)
#define SVMC_HCALL_SIMD_DEAD    ((svmc_hcall_word)1 << 27)
#define SVMC_HCALL_DRY_RUN      ((svmc_hcall_word)1 << 28)
#define SVMC_HCALL_REPS(n)      (((svmc_hcall_word)(n)&0xfff) << 32)
#define SVMC_HCALL_START(n)     (((svmc_hcall_word)(n)&0xfff) << 44)

/* Numbers 0 to 7 of every owner: discovery (HC-13). 5 to 7 are kept. */
#define SVMC_HCALL_FN_VERSION  0
#define SVMC_HCALL_FN_FEATURES 1
#define SVMC_HCALL_FN_UID      2
#define SVMC_HCALL_FN_LIMITS   3
#define SVMC_HCALL_FN_TABLE    4
#define SVMC_HCALL_FN_FIRST    8 /* the first that an owner may give away */

/* How the host makes itself known (HC-14). */
#define SVMC_HCALL_SIGNATURE 0x434d5653u /* "SVMC", in each of EBX, ECX, EDX of CPUID's first leaf */
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
