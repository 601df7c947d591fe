/* SPDX-License-Identifier: MIT */
/* AArch64: what memory does in one step. Rules EA-n: docs/spec/exec_a64.md. */
#include "a64_private.h"

/* The numbers that an operand has: one, or two of a pair. */
struct a64_numbers {
    uint64_t v[2];
};

static struct a64_numbers a64_from_memory(const struct a64_run *e, const uint8_t *data)
{
    unsigned bytes = e->insn->mem_bytes;
    struct a64_numbers n = { .v[0] = a64_order(e, core_load_le64(data), bytes) };

    if (e->insn->mem_count == 2)
        n.v[1] = a64_order(e, core_load_le64(data + bytes), bytes);
    return n;
}

/* Into `store`. */
static void a64_to_store(struct a64_run *e, const struct a64_numbers *n)
{
    unsigned bytes = e->insn->mem_bytes;
    uint8_t *to = e->r.x->priv.store;

    core_store_le64(to, a64_order(e, n->v[0], bytes));
    if (e->insn->mem_count == 2)
        core_store_le64(to + bytes, a64_order(e, n->v[1], bytes));
}

static struct a64_numbers a64_from_registers(const struct a64_run *e, unsigned first,
                                             unsigned second)
{
    uint64_t mask = core_mask(e->insn->mem_bytes);

    return (struct a64_numbers){ { a64_get(e, first) & mask, a64_get(e, second) & mask } };
}

/* One of the two: the old one, or the operand. */
static uint64_t a64_choose(const struct a64_run *e, uint64_t old, uint64_t operand)
{
    unsigned bits = e->insn->mem_bytes * 8u;
    int64_t a = core_sign_extend(old, bits), b = core_sign_extend(operand, bits);
    bool first = false;

    if (e->op == A64_OP_SMAX)
        first = a >= b;
    else if (e->op == A64_OP_SMIN)
        first = a <= b;
    else if (e->op == A64_OP_UMAX)
        first = old >= operand;
    else if (e->op == A64_OP_UMIN)
        first = old <= operand;
    return first ? old : operand;
}

static uint64_t a64_combine(const struct a64_run *e, uint64_t old, uint64_t operand)
{
    switch (e->op) {
    case A64_OP_ADD:
        return old + operand;
    case A64_OP_CLR:
        return old & ~operand;
    case A64_OP_EOR:
        return old ^ operand;
    case A64_OP_SET:
        return old | operand;
    default: /* SWP: the operand */
        return a64_choose(e, old, operand);
    }
}

/* What memory gets for what it held. */
static struct a64_numbers a64_replace(const struct a64_run *e, const struct a64_numbers *old)
{
    const struct svmc_insn *insn = e->insn;
    bool pair = insn->mem_count == 2;
    struct a64_numbers wanted, value;

    if (e->op == A64_OP_CAS) { /* EA-14: what is not equal is written as it was */
        wanted = a64_from_registers(e, insn->reg2, a64_next(insn->reg2));
        value = a64_from_registers(e, insn->reg, a64_next(insn->reg));
        return wanted.v[0] == old->v[0] && (!pair || wanted.v[1] == old->v[1]) ? value : *old;
    }
    value = pair ? a64_from_registers(e, insn->reg, insn->reg2)
                 : a64_from_registers(e, insn->reg2, SVMC_REG_XZR);
    value.v[0] = a64_combine(e, old->v[0], value.v[0]);
    value.v[1] = a64_combine(e, old->v[1], value.v[1]);
    return value;
}

static void a64_give(struct a64_run *e, const struct a64_numbers *old)
{
    const struct svmc_insn *insn = e->insn;
    bool compares = e->op == A64_OP_CAS;
    unsigned first = compares ? insn->reg2 : insn->reg;

    a64_set(e, first, old->v[0]);
    if (insn->mem_count == 2)
        a64_set(e, compares ? a64_next(first) : insn->reg2, old->v[1]);
}

/* XE-10 */
EXEC_FN bool svmc_exec_a64_change(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->mem_bytes * (unsigned)insn->mem_count;
    const uint8_t *expected, *seen;
    struct a64_numbers old, value;

    if (insn->mem_count > 2 || insn->mem_bytes > 8) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!svmc_exec_a64_reach(e, bytes) || !svmc_exec_can_exchange(&e->r, &e->span))
        return false;
    expected = svmc_exec_read(&e->r, &e->span);
    if (expected == NULL)
        return false;
    for (unsigned i = 0; i < EXEC_TRIES; i++) {
        old = a64_from_memory(e, expected);
        value = a64_replace(e, &old);
        a64_to_store(e, &value);
        if (!svmc_exec_exchange(&e->r, &e->span, expected, &seen))
            return false;
        if (memcmp(seen, expected, bytes) == 0) {
            a64_give(e, &old);
            return true;
        }
        expected = seen;
    }
    return exec_stop(&e->r, SVMC_EXEC_AGAIN, SVMC_EXEC_REASON_NONE);
}

/* EA-12: it stores where the monitor is on the same bytes and memory still holds what was read. */
EXEC_FN bool svmc_exec_a64_store_exclusive(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    struct svmc_exec_monitor *m = &e->regs->monitor;
    unsigned bytes = insn->mem_bytes * (unsigned)insn->mem_count;
    struct a64_numbers value;
    const uint8_t *seen = NULL;
    bool watched;

    if (insn->mem_count > 2 || insn->mem_bytes > 8) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!svmc_exec_a64_reach(e, bytes) || !svmc_exec_can_exchange(&e->r, &e->span))
        return false;
    watched = m->bytes == bytes && m->at == e->span.at[0];
    if (watched) {
        value = a64_from_registers(e, insn->reg, insn->mem_count == 2 ? insn->reg2 : SVMC_REG_XZR);
        a64_to_store(e, &value);
        if (!svmc_exec_exchange(&e->r, &e->span, m->data, &seen))
            return false;
        watched = memcmp(seen, m->data, bytes <= sizeof m->data ? bytes : 0) == 0;
    }
    a64_set(e, insn->reg3, watched ? 0 : 1);
    *m = (struct svmc_exec_monitor){ 0 };
    return true;
}
