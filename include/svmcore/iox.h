/* SPDX-License-Identifier: MIT */
/**
 * An I/O instruction of x86 as a word in a register, for processors that have none: encoded,
 * decoded, taken from x86 and turned into it, and performed. docs/spec/iox.md.
 */
#ifndef SVMCORE_IOX_H
#define SVMCORE_IOX_H
#include <stddef.h>
#include <stdint.h>
#include "host.h"
#include "insn.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_IOX_MAGIC   0x86u /* the upper half of a word; the immediate of HVC and BRK */
#define SVMC_IOX_ARGS    7u    /* registers beside the one that holds the word */
#define SVMC_IOX_X86_MAX 3u    /* bytes of the longest instruction of svmc_iox_to_x86 */

/** One I/O instruction. What a form does not use is 0, so each has one description (IO-3). */
struct svmc_iox {
    uint8_t bytes;     /* of one access to the port: 1, 2 or 4 */
    uint8_t in;        /* 1: IN, INS; 0: OUT, OUTS */
    uint8_t string;    /* 1: INS, OUTS */
    uint8_t repeat;    /* string: 1: REP */
    uint8_t backward;  /* string: 1: addresses go down: EFLAGS.DF */
    uint8_t immediate; /* not string: 1: the port is `port`; 0: it is in the register of the port */
    uint8_t port;      /* with immediate */
    uint8_t reserved;  /* 0 */
};

/** What the arguments are to an I/O instruction; the others belong to whoever answers the port. */
enum svmc_iox_arg {
    SVMC_IOX_DATA = 0,       /* AL, AX, EAX */
    SVMC_IOX_COUNT = 2,      /* CX, ECX, RCX */
    SVMC_IOX_PORT = 3,       /* DX */
    SVMC_IOX_SOURCE = 4,     /* SI, ESI, RSI */
    SVMC_IOX_DESTINATION = 5 /* DI, EDI, RDI */
};

/** The registers of the caller, and how it addresses memory. */
struct svmc_iox_regs {
    uint64_t arg[SVMC_IOX_ARGS]; /* arg[n]: svmc_iox_reg(isa, n), all 64 bits of it */
    uint64_t base; /* string: x86: the base of ES, or for OUTS of insn.segment; in 64-bit mode of FS
                      and GS alone; elsewhere 0 */
    uint8_t isa;   /* enum svmc_isa of the code that called */
    uint8_t address_bytes; /* string: x86: insn.address_bytes; 8, in AArch32 4 */
    uint8_t reserved[6];   /* 0 */
};

/** Ports and memory behind an I/O instruction. The table must outlive the call. */
struct svmc_iox_ops {
    uint32_t size; /* sizeof(struct svmc_iox_ops) as the host compiled it */

    /* required: `bytes` is 1, 2 or 4; of *value, which comes 0, the low `bytes` count */
    SVMC_NODISCARD enum svmc_status (*port_read)(void *ctx, uint16_t port, uint32_t bytes,
                                                 uint32_t *value);
    SVMC_NODISCARD enum svmc_status (*port_write)(void *ctx, uint16_t port, uint32_t bytes,
                                                  uint32_t value);
    /* optional (NULL: strings are UNSUPPORTED): as in struct svmc_host_ops. A page is asked for
       when an element comes to it, not for each, and whole: n is 4096. The guest chooses the
       address: SVMC_OK with *span NULL says that there is no memory that it may use so, a device
       or nothing (NO_MEMORY) */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, svmc_gva at, uint32_t access,
                                                 svmc_gpa *out, struct svmc_fault *fault);
    SVMC_NODISCARD enum svmc_status (*guest_span)(void *ctx, svmc_gpa at, size_t n, uint32_t access,
                                                  void **span);
};

/** How a call of svmc_iox_perform ended. */
enum svmc_iox_end {
    SVMC_IOX_FAILED = 0, /* beside a status that is not SVMC_OK */
    SVMC_IOX_DONE = 1,   /* the instruction is over: move the program counter */
    SVMC_IOX_MORE = 2,   /* the budget is used up: perform it again, at once or from the guest; then
                          move the program counter back where it is behind (trap.h: `back`) */
    SVMC_IOX_FAULT = 3, /* move it back likewise, inject `fault`; the guest executes the instruction
                           again */
    SVMC_IOX_NO_MEMORY = 4 /* the next element lies where guest_span has no memory: perform it as
                              your device model does, or give the guest an exception */
};

struct svmc_iox_result {
    uint8_t end; /* enum svmc_iox_end */
    uint8_t reserved[3];
    uint32_t done;           /* accesses to the port that this call made and counted */
    struct svmc_fault fault; /* FAULT */
};

/**
 * A description -> the word for the guest's register, with SVMC_IOX_MAGIC.
 *
 * Threads: pure, as all calls here but svmc_iox_perform.
 * Source:  IO-1 to IO-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a description of no form); *word is 0 then.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_iox_encode(const struct svmc_iox *io, uint64_t *word);

/**
 * A word -> its description; *out is zero after an error.
 *
 * Source: IO-1 to IO-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_MISMATCH (another upper half: the word is no I/O
 *         instruction, the trap is the guest's own); SVMC_ERR_UNDEFINED (size 3, a reserved bit).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_iox_decode(uint64_t word, struct svmc_iox *out);

/** The same for HVC and BRK, whose immediate is the magic: the upper half is not there (IO-1). */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_iox_decode_low(uint32_t low, struct svmc_iox *out);

/**
 * A decoded IN, OUT, INS or OUTS of x86 -> its description. Its segment and address size stay in
 * insn: they go into struct svmc_iox_regs.
 *
 * Shape:  rflags: DF counts, for strings alone.
 * Source: IO-4.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_MISMATCH (another instruction); *out is zero then.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_iox_from_insn(const struct svmc_insn *insn,
                                                            uint64_t rflags, struct svmc_iox *out);

/**
 * A description -> the instruction of x86, in one form. DF is no part of it: set it before.
 *
 * Shape:  isa: SVMC_ISA_X86_16, _32 or _64; bytes[*count] are set, the others 0.
 * Source: IO-5.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no form, another isa); *count is 0 then.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_iox_to_x86(const struct svmc_iox *io,
                                                         enum svmc_isa isa,
                                                         uint8_t bytes[SVMC_IOX_X86_MAX],
                                                         uint32_t *count);

/**
 * Where argument n stands; n = SVMC_IOX_ARGS: where the word stands.
 *
 * Source: IO-6.
 *
 * @return enum svmc_reg; SVMC_REG_NONE: none there (x86 has no word), or no such isa or n.
 */
SVMC_API enum svmc_reg svmc_iox_reg(enum svmc_isa isa, unsigned n);

/**
 * Execute it as an x86 processor does, up to `budget` accesses to the port. Whether the caller may
 * use the port is yours to check before.
 *
 * Shape:   budget: at least 1.
 * State:   regs->arg is what the instruction leaves after out->done accesses, whatever ended the
 *          call: FAULT, MORE, NO_MEMORY and SVMC_ERR_CALLBACK are taken up again with the same
 *          arguments. An access that failed, faulted or had no memory changed no register and no
 *          memory, and but for one that failed it did not reach the port. After another error
 *          nothing has changed and *out is zero.
 * Threads: one caller at a time for a regs; calls ops.
 * Source:  IO-7 to IO-13.
 *
 * @return SVMC_OK, with out->end; SVMC_ERR_ARG (NULL, an ops without a required function, no form,
 *         isa, address size, reserved bytes, budget 0); SVMC_ERR_UNSUPPORTED (a string, and ops has
 *         no memory); SVMC_ERR_CALLBACK (a function of ops failed or gave nonsense).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_iox_perform(const struct svmc_iox *io,
                                                          const struct svmc_iox_ops *ops, void *ctx,
                                                          uint32_t budget,
                                                          struct svmc_iox_regs *regs,
                                                          struct svmc_iox_result *out);

#ifdef __cplusplus
}
#endif
#endif
