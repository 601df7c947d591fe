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

/* Codes of the status word, bits 15:0; bits 63:16 are 0 in this ABI version (HC-4). */
#define SVMC_HCALL_OK          0
#define SVMC_HCALL_BAD_ARG     1
#define SVMC_HCALL_NOT_DEFINED 2
#define SVMC_HCALL_DENIED      3
#define SVMC_HCALL_RETRY       4
#define SVMC_HCALL_VERSION     5
#define SVMC_HCALL_FAILED      6
#define SVMC_HCALL_CODES       7

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
