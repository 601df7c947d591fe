/* SPDX-License-Identifier: MIT */
/* RISC-V: the calls, and which instruction is finished how. Rules ER-n: docs/spec/exec_rv.md. */
#include <svmcore/exec_rv.h>
#include "exec_private.h"

enum rv_shape {
    RV_SHAPE_NONE = 0, /* UNFINISHED */
    RV_SHAPE_LOAD,
    RV_SHAPE_STORE,
    RV_SHAPE_RESERVE,     /* LR */
    RV_SHAPE_CONDITIONAL, /* SC */
    RV_SHAPE_CHANGE,      /* AMO */
    RV_SHAPE_ZERO,
    RV_SHAPE_FLUSH,
    RV_SHAPE_HINT,
    RV_SHAPE_REFUSE
};

enum rv_operation {
    RV_OP_NONE = 0,
    RV_OP_ADD,
    RV_OP_SWAP,
    RV_OP_XOR,
    RV_OP_OR,
    RV_OP_AND,
    RV_OP_MIN,
    RV_OP_MAX,
    RV_OP_MINU,
    RV_OP_MAXU,
    RV_OP_CAS
};

/* ER-1 */
struct rv_row {
    uint8_t shape, op;
};
#define OP(id, shape, op) [SVMC_RV_##id] = { RV_SHAPE_##shape, RV_OP_##op },
static const struct rv_row rv_rows[] = {
#include "rv.def"
};
#undef OP
#define RV_ROWS ((uint32_t)(sizeof rv_rows / sizeof rv_rows[0]))

#define RV_FLOAT_DIRTY 3u /* vol. II 3.1.6.6 */
#define RV_WIDE_BYTES  16u

/* What is in memory or in registers, of up to 16 bytes: the low half first. */
struct rv_value {
    uint64_t half[2];
};

struct rv_run {
    struct exec_run r;
    struct svmc_exec_rv *regs;
    const struct svmc_insn *insn;
    uint8_t shape, op;
    uint8_t xlen_bytes;
};

static uint64_t rv_get(const struct rv_run *e, unsigned reg)
{
    unsigned n = (reg - SVMC_REG_RV_X0) & 31;

    return n == 0 ? 0 : e->regs->general[n] & core_mask(e->xlen_bytes); /* clamp: five bits */
}

static void rv_set(struct rv_run *e, unsigned reg, uint64_t value)
{
    unsigned n = (reg - SVMC_REG_RV_X0) & 31;

    if (n != 0)
        e->regs->general[n] = value & core_mask(e->xlen_bytes); /* clamp: five bits */
}

/* ER-6: of a pair with x0 both read as 0, and neither is written. */
static uint64_t rv_get_second(const struct rv_run *e, unsigned reg)
{
    return reg == SVMC_REG_RV_X0 ? 0 : rv_get(e, reg + 1);
}

/* ER-3: an exception of the instruction itself. */
static CORE_COLD bool rv_refuse(struct rv_run *e, unsigned cause, uint64_t value)
{
    svmc_exec_fault(&e->r, cause, false, 0);
    e->r.out->resume_flag = 0;
    e->r.out->fault.address = value;
    return false;
}

static bool rv_illegal(struct rv_run *e)
{
    return rv_refuse(e, SVMC_RV_ILLEGAL, e->insn->priv_raw[0]);
}

/* ER-4. What is ordered or atomic has to be aligned in any case. */
static bool rv_is_aligned(struct rv_run *e, uint64_t at, unsigned bytes)
{
    const unsigned strict =
        SVMC_INSN_ATOMIC | SVMC_INSN_EXCLUSIVE | SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE;

    if ((at & (bytes - 1)) == 0)
        return true;
    if ((e->regs->settings & SVMC_EXEC_RV_MISALIGNED) && !(e->insn->flags & strict))
        return true;
    return rv_refuse(
        e, e->insn->access & SVMC_ACCESS_WRITE ? SVMC_RV_STORE_MISALIGNED : SVMC_RV_LOAD_MISALIGNED,
        at);
}

/* Address, alignment, translation (XE-1). */
static bool rv_reach(struct rv_run *e, struct exec_span *span)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t at = (rv_get(e, insn->base) + (uint64_t)insn->disp) & e->r.linear_mask;

    return rv_is_aligned(e, at, insn->mem_bytes) &&
           exec_reach(&e->r, at, insn->mem_bytes, insn->access & SVMC_ACCESS_RW, span);
}

/* ER-5: a number, from or to the order of memory. */
static struct rv_value rv_turn(const struct rv_run *e, struct rv_value v, unsigned bytes)
{
    if (!(e->regs->settings & SVMC_EXEC_RV_BIG_ENDIAN))
        return v;
    if (bytes <= 8)
        return (struct rv_value){ { core_swap(v.half[0], bytes), 0 } };
    return (struct rv_value){ { core_swap(v.half[1], 8), core_swap(v.half[0], 8) } };
}

static struct rv_value rv_value_at(const struct rv_run *e, const uint8_t *data)
{
    struct rv_value v = { { core_load_le64(data), 0 } }; /* above its bytes it is zero */

    if (e->insn->mem_bytes > 8)
        v.half[1] = core_load_le64(data + 8);
    return rv_turn(e, v, e->insn->mem_bytes);
}

static void rv_put(struct rv_run *e, struct rv_value v)
{
    uint8_t *store = e->r.x->priv.store;

    v = rv_turn(e, v, e->insn->mem_bytes);
    core_store_le64(store, v.half[0]);
    core_store_le64(store + 8, v.half[1]);
}

/* What rd gets: as wide as the register (RV-6). */
static uint64_t rv_extend(const struct rv_run *e, uint64_t value)
{
    if (e->insn->flags & SVMC_INSN_SIGN)
        return (uint64_t)core_sign_extend(value, e->insn->mem_bytes * 8u);
    return value;
}

/* ER-7: whether FP registers are there and may be used; asked before anything is accessed. */
static bool rv_may_use_float(struct rv_run *e)
{
    if (e->regs->float_state == 0 || e->insn->mem_bytes > e->regs->float_bytes)
        return rv_illegal(e);
    return svmc_exec_has_vectors(&e->r);
}

/* ER-7: what is narrower than the register is boxed: ones above it. */
static bool rv_load_float(struct rv_run *e, struct rv_value v)
{
    uint8_t *store = e->r.x->priv.store;
    unsigned bytes = e->insn->mem_bytes;

    v.half[0] |= ~core_mask(bytes);
    if (bytes <= 8)
        v.half[1] = ~(uint64_t)0;
    core_store_le64(store, v.half[0]);
    core_store_le64(store + 8, v.half[1]);
    if (!svmc_exec_vector_write(&e->r, SVMC_REG_KIND_VECTOR, e->insn->reg & 31u,
                                e->regs->float_bytes))
        return false;
    e->regs->float_state = RV_FLOAT_DIRTY;
    return true;
}

static bool rv_load(struct rv_run *e)
{
    bool is_float = e->insn->reg_kind == SVMC_REG_KIND_VECTOR;
    struct exec_span span;
    struct rv_value v;
    const uint8_t *data;

    if ((is_float && !rv_may_use_float(e)) || !rv_reach(e, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL)
        return false;
    v = rv_value_at(e, data);
    if (is_float)
        return rv_load_float(e, v);
    rv_set(e, e->insn->reg, rv_extend(e, v.half[0]));
    return true;
}

static bool rv_store(struct rv_run *e)
{
    bool is_float = e->insn->reg_kind == SVMC_REG_KIND_VECTOR;
    struct rv_value v = { { 0, 0 } };
    struct exec_span span;
    const uint8_t *data;

    if ((is_float && !rv_may_use_float(e)) || !rv_reach(e, &span))
        return false;
    if (is_float) {
        data = svmc_exec_vector_read(&e->r, SVMC_REG_KIND_VECTOR, e->insn->reg & 31u,
                                     e->regs->float_bytes);
        if (data == NULL)
            return false;
        v.half[0] = core_load_le64(data);
        if (e->regs->float_bytes > 8)
            v.half[1] = core_load_le64(data + 8);
    } else {
        v.half[0] = rv_get(e, e->insn->reg);
    }
    rv_put(e, v);
    return svmc_exec_write(&e->r, &span);
}

/* ER-8 */
static bool rv_reserve(struct rv_run *e)
{
    struct exec_span span;
    const uint8_t *data;

    if (!rv_reach(e, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL)
        return false;
    e->regs->reserved_at = span.at[0];
    e->regs->reserved_value = core_load_le64(data);
    e->regs->reserved_bytes = (uint8_t)e->insn->mem_bytes;
    rv_set(e, e->insn->reg, rv_extend(e, rv_value_at(e, data).half[0]));
    return true;
}

/* ER-8: one exchange for what LR has read, or none. */
static bool rv_store_conditional(struct rv_run *e)
{
    const struct svmc_exec_rv *regs = e->regs;
    bool done = false;
    struct exec_span span;
    uint8_t expected[8];
    const uint8_t *seen;

    if (!rv_reach(e, &span))
        return false;
    if (regs->reserved_bytes == span.bytes && regs->reserved_at == span.at[0]) {
        if (!svmc_exec_can_exchange(&e->r, &span))
            return false;
        core_store_le64(expected, regs->reserved_value);
        rv_put(e, (struct rv_value){ { rv_get(e, e->insn->reg), 0 } });
        if (!svmc_exec_exchange(&e->r, &span, expected, &seen))
            return false;
        done = memcmp(seen, expected, span.bytes) == 0;
    }
    e->regs->reserved_at = 0;
    e->regs->reserved_value = 0;
    e->regs->reserved_bytes = 0;
    rv_set(e, e->insn->reg3, !done);
    return true;
}

/* ER-6 */
static struct rv_value rv_compare(const struct rv_run *e, struct rv_value old)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->mem_bytes;
    struct rv_value is = { { rv_get(e, insn->reg), 0 } }, new = { { rv_get(e, insn->reg2), 0 } };

    if (bytes > e->xlen_bytes && bytes == 8) {
        is.half[0] |= rv_get_second(e, insn->reg) << 32;
        new.half[0] |= rv_get_second(e, insn->reg2) << 32;
    } else if (bytes > e->xlen_bytes) {
        is.half[1] = rv_get_second(e, insn->reg);
        new.half[1] = rv_get_second(e, insn->reg2);
    }
    if (((is.half[0] ^ old.half[0]) & core_mask(bytes)) != 0 || is.half[1] != old.half[1])
        return old;
    return new;
}

static struct rv_value rv_combine(const struct rv_run *e, struct rv_value old)
{
    unsigned bits = e->insn->mem_bytes * 8u;
    uint64_t a = old.half[0], b = rv_get(e, e->insn->reg2) & core_mask(e->insn->mem_bytes);
    bool less = a < b;

    if (e->op == RV_OP_CAS)
        return rv_compare(e, old);
    if (e->op == RV_OP_MIN || e->op == RV_OP_MAX)
        less = core_sign_extend(a, bits) < core_sign_extend(b, bits);
    switch (e->op) {
    case RV_OP_ADD:
        return (struct rv_value){ { a + b, 0 } };
    case RV_OP_XOR:
        return (struct rv_value){ { a ^ b, 0 } };
    case RV_OP_OR:
        return (struct rv_value){ { a | b, 0 } };
    case RV_OP_AND:
        return (struct rv_value){ { a & b, 0 } };
    case RV_OP_MIN:
    case RV_OP_MINU:
        return (struct rv_value){ { less ? a : b, 0 } };
    case RV_OP_MAX:
    case RV_OP_MAXU:
        return (struct rv_value){ { less ? b : a, 0 } };
    default: /* SWAP */
        return (struct rv_value){ { b, 0 } };
    }
}

static void rv_set_old(struct rv_run *e, struct rv_value old)
{
    unsigned rd = e->insn->reg;

    if (e->insn->mem_bytes > e->xlen_bytes && rd != SVMC_REG_RV_X0) /* a pair: RV-6 */
        rv_set(e, rd + 1, e->insn->mem_bytes == 8 ? old.half[0] >> 32 : old.half[1]);
    rv_set(e, rd, rv_extend(e, old.half[0]));
}

/* XE-10: with what memory holds when it is replaced. */
static bool rv_change(struct rv_run *e)
{
    struct exec_span span;
    const uint8_t *expected, *seen;
    struct rv_value old;

    if (!rv_reach(e, &span) || !svmc_exec_can_exchange(&e->r, &span))
        return false;
    expected = svmc_exec_read(&e->r, &span);
    if (expected == NULL)
        return false;
    for (unsigned i = 0; i < EXEC_TRIES; i++) {
        old = rv_value_at(e, expected);
        rv_put(e, rv_combine(e, old));
        if (!svmc_exec_exchange(&e->r, &span, expected, &seen))
            return false;
        if (memcmp(seen, expected, span.bytes) == 0) {
            rv_set_old(e, old);
            return true;
        }
        expected = seen;
    }
    return exec_stop(&e->r, SVMC_EXEC_AGAIN, SVMC_EXEC_REASON_NONE);
}

/* ER-9 */
static bool rv_zero(struct rv_run *e)
{
    unsigned bytes = e->regs->block_bytes;
    uint64_t at = rv_get(e, e->insn->base);
    struct exec_span span;

    if (bytes - 1 >= SVMC_EXEC_WIDTH_MAX || (bytes & (bytes - 1)) != 0)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!exec_reach(&e->r, at & ~(uint64_t)(bytes - 1), bytes, SVMC_ACCESS_WRITE, &span))
        return false;
    memset(e->r.x->priv.store, 0, SVMC_EXEC_WIDTH_MAX);
    return svmc_exec_write(&e->r, &span);
}

/* ER-9: checked like a read, and refused like a write: 13 to 15, 5 to 7, 21 to 23. */
static bool rv_flush(struct rv_run *e)
{
    struct svmc_fault *fault = &e->r.out->fault;
    struct exec_span span;

    if (exec_reach(&e->r, rv_get(e, e->insn->base), 1, SVMC_ACCESS_READ | SVMC_EXEC_CHECK, &span))
        return true;
    if (e->r.out->action == SVMC_EXEC_FAULT &&
        (fault->vector == 5 || fault->vector == 13 || fault->vector == 21))
        fault->vector = (uint8_t)(fault->vector + 2);
    return false;
}

/* A width that an access can have; what has none in its row says so by its shape. */
static bool rv_is_width(const struct svmc_insn *insn)
{
    unsigned bytes = insn->mem_bytes;

    return bytes - 1 < RV_WIDE_BYTES && (bytes & (bytes - 1)) == 0;
}

static bool rv_perform(struct rv_run *e)
{
    const struct rv_row *row =
        &rv_rows[core_clamp(e->insn->id < RV_ROWS ? e->insn->id : 0, RV_ROWS)];

    e->shape = row->shape;
    e->op = row->op;
    switch (e->shape) {
    case RV_SHAPE_REFUSE: /* ER-3 */
        return rv_illegal(e);
    case RV_SHAPE_HINT:
        return true;
    case RV_SHAPE_ZERO:
        return rv_zero(e);
    case RV_SHAPE_FLUSH:
        return rv_flush(e);
    default:
        break;
    }
    if (e->shape == RV_SHAPE_NONE || !rv_is_width(e->insn)) /* no decode made such a width */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    switch (e->shape) {
    case RV_SHAPE_LOAD:
        return rv_load(e);
    case RV_SHAPE_STORE:
        return rv_store(e);
    case RV_SHAPE_RESERVE:
        return rv_reserve(e);
    case RV_SHAPE_CONDITIONAL:
        return rv_store_conditional(e);
    default:
        return rv_change(e);
    }
}

static bool rv_is_possible(const struct svmc_exec_rv *regs)
{
    unsigned bytes = regs->float_bytes;

    return regs->mode <= 1 && regs->float_state <= RV_FLOAT_DIRTY && (regs->pc & 1) == 0 &&
           (bytes == 0 || bytes == 4 || bytes == 8 || bytes == RV_WIDE_BYTES);
}

static enum svmc_status rv_go(struct svmc_exec *x, struct svmc_exec_rv *regs,
                              const struct svmc_insn *insn, struct svmc_exec_result *out)
{
    uint8_t xlen_bytes = insn->isa == SVMC_ISA_RV64 ? 8 : 4;
    struct rv_run e = { .r = { .x = x,
                               .out = out,
                               .linear_mask = core_mask(xlen_bytes),
                               .user = regs->mode == 0 ? SVMC_EXEC_USER : 0 },
                        .regs = regs,
                        .insn = insn,
                        .xlen_bytes = xlen_bytes };

    if (!rv_perform(&e))
        return svmc_exec_stopped(&e.r, insn);
    regs->pc = (regs->pc + insn->length) & e.r.linear_mask;
    out->action = SVMC_EXEC_DONE;
    exec_forget(x);
    return SVMC_OK;
}

EXEC_FN enum svmc_status svmc_exec_rv_start(struct svmc_exec *x, struct svmc_exec_rv *regs,
                                            const struct svmc_insn *insn,
                                            struct svmc_exec_result *out)
{
    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL || insn == NULL)
        return SVMC_ERR_ARG;
    if (x->priv.state != EXEC_IDLE)
        return SVMC_ERR_STATE;
    if ((insn->isa != SVMC_ISA_RV32 && insn->isa != SVMC_ISA_RV64) ||
        (insn->length != 2 && insn->length != 4) || !rv_is_possible(regs)) /* XE-5 */
        return SVMC_ERR_ARG;
    return rv_go(x, regs, insn, out);
}

EXEC_FN enum svmc_status svmc_exec_rv_resume(struct svmc_exec *x, struct svmc_exec_rv *regs,
                                             struct svmc_exec_result *out)
{
    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL)
        return SVMC_ERR_ARG;
    if (!svmc_exec_may_resume(x))
        return SVMC_ERR_STATE;
    if ((x->priv.insn.isa != SVMC_ISA_RV32 && x->priv.insn.isa != SVMC_ISA_RV64) ||
        !rv_is_possible(regs))
        return SVMC_ERR_ARG;
    exec_go_on(x);
    return rv_go(x, regs, &x->priv.insn, out);
}
