/* SPDX-License-Identifier: MIT */
/**
 * Finishing an instruction for a guest: its accesses one after the other, each done once, then its
 * registers. An access may take as long as it likes: docs/spec/exec.md.
 */
#ifndef SVMCORE_EXEC_H
#define SVMCORE_EXEC_H
#include <stddef.h>
#include <stdint.h>
#include "exec_vec.h"
#include "host.h"
#include "insn.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_EXEC_ACCESSES_MAX 64u   /* accesses that one call makes at most */
#define SVMC_EXEC_WIDTH_MAX    64u   /* bytes of one access at most */
#define SVMC_EXEC_DATA_BYTES   2688u /* what an instruction reads, until it is done */
#define SVMC_EXEC_PLACES_MAX   20u   /* pages that an instruction touches in one go */

/** Which translations `forget` means: SDM vol. 2 INVLPG, INVPCID. */
enum svmc_exec_forget {
    SVMC_EXEC_FORGET_PAGE = 0,    /* of `at`: with the PCID in force, and global ones */
    SVMC_EXEC_FORGET_ADDRESS = 1, /* of `at` with this PCID, but for global ones */
    SVMC_EXEC_FORGET_CONTEXT = 2, /* all with this PCID, but for global ones */
    SVMC_EXEC_FORGET_ALL = 3,     /* all, global ones too */
    SVMC_EXEC_FORGET_LOCAL = 4    /* all but global ones */
};

/** What one access is. */
enum svmc_exec_access {
    SVMC_EXEC_NO_ACCESS = 0,
    SVMC_EXEC_TRANSLATE = 1,
    SVMC_EXEC_READ = 2,
    SVMC_EXEC_WRITE = 3,
    SVMC_EXEC_EXCHANGE = 4,
    SVMC_EXEC_PORT_IN = 5,
    SVMC_EXEC_PORT_OUT = 6,
    SVMC_EXEC_MSR_READ = 7,
    SVMC_EXEC_MSR_WRITE = 8,
    SVMC_EXEC_VECTOR_READ = 9,
    SVMC_EXEC_VECTOR_WRITE = 10,
    SVMC_EXEC_VEC_OP = 11, /* never waits */
    SVMC_EXEC_PAUSE = 12,  /* none: the call has made as many as it may, and goes on in the next */
    SVMC_EXEC_FORGET = 13
};

/**
 * What the embedder lends for it. ctx first; none may call back into the same record, block, or
 * keep a pointer but the one to the bytes of an access for which it said SVMC_ERR_BUSY. Bytes are
 * in the order in which memory has them. Each answers
 *   SVMC_OK               done, all of it;
 *   SVMC_ERR_BUSY         taken, not done yet: the call returns PENDING, and when it is done
 *                         svmc_exec_answer says so. It is not asked again. translate: it is;
 *   SVMC_ERR_UNSUPPORTED  exchange alone: no memory, but a device that cannot: read, then write;
 *   anything else         nothing was done: the call returns SVMC_ERR_CALLBACK, and its result says
 *                         of which callback, and what that answered.
 */
struct svmc_exec_ops {
    uint32_t size; /* sizeof(struct svmc_exec_ops) as the host compiled it */

    /* required: where does this byte lie? access: RW bits and enum svmc_exec_reach of types.h;
       svmc_walk_access_from_exec has them for walk.h. With SYSTEM it is the processor that reads,
       a permission map or a descriptor, whoever runs; with neither, code below CPL 3, or the
       stack of an inner level that a gate leads to. A fault of the guest is SVMC_OK with *fault,
       which comes zeroed, filled in: the page fault that the processor would raise, with its error
       code and address. What it gives is checked: same byte of the page, a real vector. WRITE is
       asked before a write and RW before anything of a read-modify-write, so it is the probe as
       well */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, svmc_gva at, uint32_t access,
                                                 svmc_gpa *out, struct svmc_fault *fault);
    /* required: n bytes, 1 to SVMC_EXEC_WIDTH_MAX, within one 4096-byte page */
    SVMC_NODISCARD enum svmc_status (*read)(void *ctx, svmc_gpa at, void *dst, size_t n);
    SVMC_NODISCARD enum svmc_status (*write)(void *ctx, svmc_gpa at, const void *src, size_t n);
    /* optional (NULL: NEEDS_ATOMIC): in one step, with what other processors and the guest do:
       where memory holds expected[n], it gets desired[n]; expected[n] gets what it held before.
       n: 1, 2, 4, 8 or 16 at any address, so across a cache line or the end of a page as well */
    SVMC_NODISCARD enum svmc_status (*exchange)(void *ctx, svmc_gpa at, void *expected,
                                                const void *desired, size_t n);
    /* optional (NULL: UNFINISHED): n: 1, 2 or 4 */
    SVMC_NODISCARD enum svmc_status (*port_read)(void *ctx, uint32_t port, void *dst, size_t n);
    SVMC_NODISCARD enum svmc_status (*port_write)(void *ctx, uint32_t port, const void *src,
                                                  size_t n);
    /* optional (NULL: UNFINISHED): value[8]; little-endian as all bytes here. *fault as above */
    SVMC_NODISCARD enum svmc_status (*msr_read)(void *ctx, uint32_t msr, void *value,
                                                struct svmc_fault *fault);
    SVMC_NODISCARD enum svmc_status (*msr_write)(void *ctx, uint32_t msr, const void *value,
                                                 struct svmc_fault *fault);
    /* optional (NULL: NEEDS_VECTOR): register `number` of file enum svmc_reg_kind, its low n bytes:
       VECTOR 16, 32 or 64, MASK 8, MMX 8 (of the x87 register with that physical number, the
       significand; written, its sign and exponent become ones), X87 10 (the physical register).
       What is above stays as it is */
    SVMC_NODISCARD enum svmc_status (*vector_read)(void *ctx, uint32_t kind, uint32_t number,
                                                   void *dst, size_t n);
    SVMC_NODISCARD enum svmc_status (*vector_write)(void *ctx, uint32_t kind, uint32_t number,
                                                    const void *src, size_t n);
    /* optional (NULL: NEEDS_VECTOR): out of *op, and the flags of its mxcsr, from the rest of it:
       svmcore/exec_vec.h. At once: BUSY is no answer. It may be asked more than once about an
       instruction; UNSUPPORTED to the first questions: NEEDS_VECTOR as well, later: CALLBACK */
    SVMC_NODISCARD enum svmc_status (*vec_op)(void *ctx, struct svmc_exec_vec_op *op);
    /* optional (NULL: UNFINISHED): translations are gone: what: enum svmc_exec_forget */
    SVMC_NODISCARD enum svmc_status (*forget)(void *ctx, uint32_t what, uint32_t pcid, svmc_gva at);
};

/** What becomes of the guest. */
enum svmc_exec_action {
    SVMC_EXEC_NONE = 0,         /* after an error; fetch: the instruction is there */
    SVMC_EXEC_DONE = 1,         /* finished: the registers are those after it */
    SVMC_EXEC_AGAIN = 2,        /* enter the guest, or call again: it is still at the instruction.
                                   A repetition has come as far as the registers say */
    SVMC_EXEC_FAULT = 3,        /* inject `fault` at the instruction */
    SVMC_EXEC_PENDING = 4,      /* `wait` of the record is on its way: svmc_exec_answer */
    SVMC_EXEC_NEEDS_ATOMIC = 5, /* no callback can do it in one step: nothing was done */
    SVMC_EXEC_NEEDS_VECTOR = 6, /* vector or FP registers are needed: nothing was done */
    SVMC_EXEC_UNFINISHED = 7    /* decoded, and not finished by this build: nothing was done */
};

/** Why UNFINISHED. */
enum svmc_exec_reason {
    SVMC_EXEC_REASON_NONE = 0,
    SVMC_EXEC_REASON_NO_ROW = 1,    /* no row of the table finishes this instruction */
    SVMC_EXEC_REASON_NO_ACCESS = 2, /* its operands are registers: nothing had to exit */
    SVMC_EXEC_REASON_CALLBACK = 3,  /* a callback for it is absent */
    SVMC_EXEC_REASON_UNKNOWN = 4,   /* fetch: nothing is claimed about these bytes */
    SVMC_EXEC_REASON_FERR = 5,      /* x87: a pending exception, and CR0.NE is clear: the PC's way,
                                       an external interrupt */
    SVMC_EXEC_REASON_COMPONENT = 6, /* XSAVE and its like: a state component that is not known */
    SVMC_EXEC_REASON_TASK = 7       /* another task of the processor's */
};

/** What a call says. */
struct svmc_exec_result {
    uint8_t action;      /* enum svmc_exec_action */
    uint8_t reason;      /* UNFINISHED: enum svmc_exec_reason */
    uint8_t trap;        /* DONE, AGAIN: 1: `fault` is to be injected behind it (x86: #DB by TF) */
    uint8_t resume_flag; /* FAULT: 1: the flags that the handler sees have RF set (XE-16) */
    uint32_t accesses;   /* made by this call; translations are none */
    uint64_t iterations; /* of a repetition, done by this call */
    struct svmc_fault fault;
    uint8_t callback;         /* SVMC_ERR_CALLBACK: whose it is: enum svmc_exec_access; else 0 */
    uint8_t reserved[3];      /* 0 */
    uint32_t callback_status; /* what it answered; SVMC_OK: that, but what it gave cannot be */
};

/** The access that waits for its answer. Its bytes are the record's, and stay till it goes on. */
struct svmc_exec_wait {
    uint8_t kind; /* enum svmc_exec_access */
    uint8_t file; /* VECTOR_READ, VECTOR_WRITE: enum svmc_reg_kind */
    uint16_t bytes;
    uint32_t number; /* port, MSR, vector register; FORGET: enum svmc_exec_forget */
    uint64_t at;     /* guest-physical address; TRANSLATE: the linear one */
};

/**
 * One instruction on its way, of one virtual processor: all bytes of it that no register holds. The
 * caller's memory; it need not be zero but for svmc_exec_init. Only `wait` is for others to read,
 * and iterations_max and split_locks to set.
 */
struct svmc_exec {
    struct svmc_exec_wait wait; /* kind 0: nothing is pending */
    uint32_t iterations_max;    /* a repetition stops after as many, with AGAIN; 0: XE-12 alone */
    uint32_t split_locks; /* 1: what LOCK has on two pages that lie apart is read, then written, and
                             others may write between; 0: NEEDS_ATOMIC (XE-10) */
    struct {
        uint8_t state;   /* nothing, started, answered */
        uint8_t fetch;   /* it is the fetch that waits */
        uint8_t places;  /* translations that are done */
        uint8_t device;  /* what exchange has shown */
        uint16_t done;   /* accesses that are done */
        uint16_t filled; /* bytes of data of them */
        uint32_t flags;  /* before a repetition */
        const struct svmc_exec_ops *ops;
        void *ctx;
        svmc_gpa place[SVMC_EXEC_PLACES_MAX];
        struct svmc_insn insn;   /* of what waits */
        struct svmc_fault fault; /* what ends a gather, while it puts away what it has ... */
        uint16_t fault_step;     /* ... and after how many accesses */
        uint8_t able;            /* vec_op has said that it can */
        struct svmc_operand operand[SVMC_OPERANDS_MAX];
        struct svmc_exec_vec_op vec;
        uint8_t wide[4][SVMC_EXEC_VEC_BYTES]; /* x, y, z and the result of floating point */
        uint8_t store[SVMC_EXEC_WIDTH_MAX];
        uint8_t data[SVMC_EXEC_DATA_BYTES];
    } priv;
};

/**
 * Make a record usable.
 *
 * Owns:    x keeps ops and ctx, which must outlive it; ops is not written to.
 * State:   *x is written whole.
 * Threads: one caller at a time per record, here and below.
 * Source:  docs/spec/exec.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL; a table too short, or without a required op).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_init(struct svmc_exec *x,
                                                        const struct svmc_exec_ops *ops, void *ctx);

/**
 * The access that was PENDING is done.
 *
 * Shape:   data[count], count: x->wait.bytes: what was read, of EXCHANGE what memory held before;
 *          NULL with 0: of a write, or the bytes already lie where the callback was to put them.
 * State:   nothing but the record: the instruction goes on in the next call that is given it.
 * Threads: any; it need not be the one that starts or resumes.
 * Source:  XE-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, count); SVMC_ERR_STATE (nothing is pending).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exec_answer(struct svmc_exec *x, const void *data,
                                                          size_t count);

/** Forget what is pending: the guest's registers are those before it. What was written stays. */
SVMC_API void svmc_exec_drop(struct svmc_exec *x);

#ifdef __cplusplus
}
#endif
#endif
