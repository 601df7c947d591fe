/* SPDX-License-Identifier: MIT */
/**
 * One call's way through an instruction. An instruction is straight code that runs from its start
 * in each call: what the record says was translated and accessed is passed over, the first access
 * that was not is made. So a call that stops anywhere leaves nothing behind but the record (XE-2).
 */
#ifndef EXEC_PRIVATE_H
#define EXEC_PRIVATE_H
#include <stdbool.h>
#include <svmcore/exec.h>
#include "../core/bytes.h"
#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

#define EXEC_PAGE  4096u
#define EXEC_TRIES 8u /* exchanges of one call that may come too late (XE-10) */

/* Who builds the executor with callbacks of his own (inline.h) says where they are. */
#ifndef EXEC_OPS
#define EXEC_FN
#define EXEC_OPS(x) ((x)->priv.ops)
#endif

enum exec_state { EXEC_IDLE = 0, EXEC_WAITS = 1, EXEC_ANSWERED = 2 };

/* XE-10: what `exchange` has shown so far. It was memory once: then it is no device any more. */
enum exec_kind { EXEC_UNKNOWN = 0, EXEC_DEVICE = 1, EXEC_MEMORY = 2 };

struct exec_run {
    struct svmc_exec *x;
    struct svmc_exec_result *out;
    uint64_t linear_mask;    /* where linear addresses wrap */
    uint32_t user;           /* SVMC_EXEC_USER, or 0; of what the processor reads: SYSTEM */
    uint16_t step, filled;   /* of the record's done and filled, what was passed */
    uint16_t place;          /* of its places */
    bool x86;                /* how faults are judged */
    bool refused;            /* beside CALLBACK: memory said REFUSED to the access of `wait` */
    enum svmc_status status; /* why it stopped, where the guest is not why */
};

/** An operand in guest-physical memory. */
struct exec_span {
    uint64_t at[2];
    uint32_t first; /* bytes on the first page: all of them where there is one page alone */
    uint32_t bytes;
};

/*
 * What follows is true if the instruction goes on. Else r->out or r->status says why not.
 */

/** XE-23: one more translation. */
EXEC_FN bool svmc_exec_place(struct exec_run *r, uint64_t linear, uint32_t access, uint64_t *at);

/** The same of an operand that crosses a page. */
EXEC_FN bool svmc_exec_reach_two(struct exec_run *r, uint64_t linear, unsigned bytes,
                                 uint32_t access, struct exec_span *span);

/** What the span holds: NULL, or a place in the record. */
EXEC_FN const uint8_t *svmc_exec_read(struct exec_run *r, const struct exec_span *span);

/** Write what lies in the record's `store`. */
EXEC_FN bool svmc_exec_write(struct exec_run *r, const struct exec_span *span);

/** Whether it can be replaced in one step: asked before anything is read. */
EXEC_FN bool svmc_exec_can_exchange(struct exec_run *r, const struct exec_span *span);

/**
 * One try to replace expected[bytes] by what lies in `store`. *seen: what memory held, in the
 * record. A device (XE-10) is written, and what it holds counts as expected.
 */
EXEC_FN bool svmc_exec_exchange(struct exec_run *r, const struct exec_span *span,
                                const uint8_t *expected, const uint8_t **seen);

/** What a port gives: NULL, or a place in the record. */
EXEC_FN const uint8_t *svmc_exec_port_read(struct exec_run *r, unsigned port, unsigned bytes);
/** Give it what lies in `store`. */
EXEC_FN bool svmc_exec_port_write(struct exec_run *r, unsigned port, unsigned bytes);

/**
 * The same of some of its bytes alone: [from, from + bytes) of the span, by *some, a span of their
 * own. What is written lies at store + from.
 */
EXEC_FN struct exec_span svmc_exec_part_of(const struct exec_span *span, unsigned from,
                                           unsigned bytes);
EXEC_FN const uint8_t *svmc_exec_read_some(struct exec_run *r, const struct exec_span *span,
                                           unsigned from, unsigned bytes);
EXEC_FN bool svmc_exec_write_some(struct exec_run *r, const struct exec_span *span, unsigned from,
                                  unsigned bytes);

/** NEEDS_VECTOR: asked before anything else is done. */
EXEC_FN bool svmc_exec_has_vectors(struct exec_run *r);
/** The low bytes of a register: NULL, or a place in the record. */
EXEC_FN const uint8_t *svmc_exec_vector_read(struct exec_run *r, unsigned kind, unsigned number,
                                             unsigned bytes);
/** Give it what lies in `store`. */
EXEC_FN bool svmc_exec_vector_write(struct exec_run *r, unsigned kind, unsigned number,
                                    unsigned bytes);

/**
 * XE-60: the host does the operation that lies in the record's `vec`. Who has asked for all that
 * may come sets the record's `able`: UNSUPPORTED is a lie from then on.
 */
EXEC_FN bool svmc_exec_vec_op(struct exec_run *r);

/** XS-9: the host forgets translations. */
EXEC_FN bool svmc_exec_forget(struct exec_run *r, uint32_t what, uint32_t pcid, uint64_t linear);

/** MSRs: *value from it, or to it; the callback's fault is the guest's. */
EXEC_FN bool svmc_exec_msr(struct exec_run *r, uint32_t msr, bool write, uint64_t *value);

/** Stops: what a callback answered instead of OK (XE-6, XE-7), and of which access. */
EXEC_FN bool svmc_exec_stop(struct exec_run *r, enum svmc_status st,
                            const struct svmc_exec_wait *wait);

/** Stops: the guest gets what a callback, `which`, says, if that can be (XE-23). */
EXEC_FN bool svmc_exec_take_fault(struct exec_run *r, enum svmc_exec_access which,
                                  const struct svmc_fault *fault);

/** Stops: the guest gets this. */
EXEC_FN bool svmc_exec_fault(struct exec_run *r, unsigned vector, bool has_error, uint32_t error);

/** Whether a fetch may begin, or go on; and an instruction that was started (XE-6). */
EXEC_FN bool svmc_exec_may_fetch(const struct svmc_exec *x);
EXEC_FN bool svmc_exec_may_resume(const struct svmc_exec *x);

/** What one more page has of the code at `linear`: *there bytes are known, up to `most` wanted. */
EXEC_FN bool svmc_exec_fetch_more(struct exec_run *r, uint64_t linear, unsigned most,
                                  uint8_t bytes[SVMC_INSN_MAX], uint8_t *there);

/** It stopped: what stays in the record, and what the caller is told. */
EXEC_FN enum svmc_status svmc_exec_stopped(struct exec_run *r, const struct svmc_insn *insn);

/** The end of a fetch: `insn` is there, or nothing of it is left (XE-5). */
EXEC_FN enum svmc_status svmc_exec_fetched(struct exec_run *r, bool there, struct svmc_insn *insn);

/** Stops: nothing can be done about it here. */
static inline bool exec_stop(struct exec_run *r, enum svmc_exec_action action,
                             enum svmc_exec_reason reason)
{
    r->out->action = (uint8_t)action;
    r->out->reason = (uint8_t)reason;
    return false;
}

/** Stops: SVMC_ERR_CALLBACK, and whose it is (XE-7); SVMC_OK: what it gave cannot be (XE-23). */
static inline bool exec_fail(struct exec_run *r, unsigned which, enum svmc_status st)
{
    r->status = SVMC_ERR_CALLBACK;
    r->out->callback = (uint8_t)which;
    r->out->callback_status = (uint32_t)st;
    return false;
}

/** A next instruction, or iteration, begins. */
static inline void exec_forget(struct svmc_exec *x)
{
    x->priv.places = 0;
    x->priv.device = 0;
    x->priv.done = 0;
    x->priv.filled = 0;
    x->priv.fault.raised = 0;
    x->priv.able = 0;
}

/** A call goes on with what waited. */
static inline void exec_go_on(struct svmc_exec *x)
{
    x->priv.state = EXEC_IDLE;
    x->wait = (struct svmc_exec_wait){ 0 };
}

static inline void exec_rewind(struct exec_run *r)
{
    r->step = 0;
    r->filled = 0;
    r->place = 0;
}

/** Translate all of an operand, 1 to SVMC_EXEC_WIDTH_MAX bytes (XE-15). */
static inline bool exec_reach(struct exec_run *r, uint64_t linear, unsigned bytes, uint32_t access,
                              struct exec_span *span)
{
    span->bytes = bytes;
    span->first = bytes;
    if (__builtin_expect((linear & (EXEC_PAGE - 1)) + bytes > EXEC_PAGE, 0))
        return svmc_exec_reach_two(r, linear, bytes, access, span);
    return svmc_exec_place(r, linear, access | r->user, &span->at[0]);
}

static inline bool exec_write_value(struct exec_run *r, const struct exec_span *span,
                                    uint64_t value)
{
    core_store_le64(r->x->priv.store, value);
    return svmc_exec_write(r, span);
}

#endif
