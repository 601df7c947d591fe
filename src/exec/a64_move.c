/* SPDX-License-Identifier: MIT */
/* AArch64: loads and stores of one, two, eight registers. Rules EA-n: docs/spec/exec_a64.md. */
#include "a64_private.h"

/* EA-8: a register of 16 bytes is turned round as a whole. */
EXEC_FN void svmc_exec_a64_copy(const struct a64_run *e, uint8_t *to, const uint8_t *from,
                                unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = from[e->big ? bytes - 1 - i : i];
}

/* EA-11: registers of a pair are accesses of their own, but where the pair is one. */
static unsigned a64_bytes_of_access(const struct svmc_insn *insn)
{
    const unsigned whole = SVMC_INSN_EXCLUSIVE | SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE;

    return insn->flags & whole ? insn->mem_bytes * (unsigned)insn->mem_count : insn->mem_bytes;
}

/* data: of the first register and of the second. */
static bool a64_read_registers(struct a64_run *e, const uint8_t *data[2])
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = a64_bytes_of_access(insn);

    data[0] = svmc_exec_read_some(&e->r, &e->span, 0, bytes);
    data[1] = data[0];
    if (data[0] == NULL || insn->mem_count == 1)
        return data[0] != NULL;
    if (bytes > insn->mem_bytes)
        data[1] += insn->mem_bytes;
    else
        data[1] = svmc_exec_read_some(&e->r, &e->span, bytes, bytes);
    return data[1] != NULL;
}

static uint64_t a64_extended(const struct a64_run *e, const uint8_t *data)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t value = a64_order(e, core_load_le64(data), insn->mem_bytes);

    if (insn->flags & SVMC_INSN_SIGN)
        value = (uint64_t)core_sign_extend(value, insn->mem_bytes * 8u);
    return value & core_mask(insn->reg_bytes);
}

/* EA-12: what the store behind it will find, or not. */
static void a64_watch(struct a64_run *e, const uint8_t *data)
{
    struct svmc_exec_monitor *m = &e->regs->monitor;
    unsigned bytes = e->span.bytes;

    *m = (struct svmc_exec_monitor){ .at = e->span.at[0], .bytes = (uint8_t)bytes };
    memcpy(m->data, data, bytes <= sizeof m->data ? bytes : 0);
}

static bool a64_load(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    const uint8_t *data[2];

    if (!a64_read_registers(e, data))
        return false;
    a64_set(e, insn->reg, a64_extended(e, data[0])); /* EA-9: in this order */
    if (insn->mem_count == 2)
        a64_set(e, insn->reg2, a64_extended(e, data[1]));
    if (insn->flags & SVMC_INSN_EXCLUSIVE)
        a64_watch(e, data[0]);
    return true;
}

/* What lies in `store` becomes all of a register: what it does not fill is 0. */
static bool a64_write_vector(struct a64_run *e, const uint8_t *data, unsigned reg)
{
    uint8_t *store = e->r.x->priv.store;

    memset(store, 0, 16);
    svmc_exec_a64_copy(e, store, data, e->insn->mem_bytes);
    return svmc_exec_vector_write(&e->r, SVMC_REG_KIND_VECTOR, reg, 16);
}

static bool a64_load_vectors(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    const uint8_t *data[2];

    if (!a64_read_registers(e, data))
        return false;
    return a64_write_vector(e, data[0], insn->reg) &&
           (insn->mem_count == 1 || a64_write_vector(e, data[1], insn->reg2));
}

/* All of the operand lies in `store`. */
static bool a64_write_registers(struct a64_run *e)
{
    unsigned bytes = a64_bytes_of_access(e->insn);

    for (unsigned from = 0; from < e->span.bytes; from += bytes)
        if (!svmc_exec_write_some(&e->r, &e->span, from, bytes))
            return false;
    return true;
}

static bool a64_store(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->mem_bytes;
    uint8_t *to = e->r.x->priv.store;

    core_store_le64(to, a64_order(e, a64_get(e, insn->reg), bytes));
    if (insn->mem_count == 2)
        core_store_le64(to + bytes, a64_order(e, a64_get(e, insn->reg2), bytes));
    return a64_write_registers(e);
}

static bool a64_store_vectors(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint8_t *to = e->r.x->priv.store;
    const uint8_t *data;

    for (unsigned i = 0; i < insn->mem_count; i++) {
        data =
            svmc_exec_vector_read(&e->r, SVMC_REG_KIND_VECTOR, i == 0 ? insn->reg : insn->reg2, 16);
        if (data == NULL)
            return false;
        svmc_exec_a64_copy(e, to + i * insn->mem_bytes, data, insn->mem_bytes);
    }
    return a64_write_registers(e);
}

EXEC_FN bool svmc_exec_a64_move(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    bool vectors = insn->reg_kind == SVMC_REG_KIND_VECTOR;
    unsigned each = insn->mem_bytes;

    if (insn->mem_count > 2 || each > (vectors ? 16 : 8)) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (vectors && !svmc_exec_a64_may_use_vectors(e))
        return false;
    if (insn->flags & SVMC_INSN_EXCLUSIVE)
        each *= insn->mem_count;
    if (!svmc_exec_a64_reach(e, each))
        return false;
    if (insn->access == SVMC_ACCESS_READ)
        return vectors ? a64_load_vectors(e) : a64_load(e);
    return vectors ? a64_store_vectors(e) : a64_store(e);
}

/* EA-14: 64 bytes in one access. */
EXEC_FN bool svmc_exec_a64_block(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint8_t *to = e->r.x->priv.store;
    const uint8_t *data;

    if (a64_el(e->regs) == 0 && !(e->regs->sctlr & SCTLR_ENALS))
        return svmc_exec_a64_fault(&e->r, EC_LS64, ISS_LS64, 0);
    if (!svmc_exec_a64_reach(e, 64))
        return false;
    if (insn->access == SVMC_ACCESS_WRITE) {
        for (unsigned i = 0; i < 8; i++)
            core_store_le64(to + 8 * i, a64_order(e, a64_get(e, insn->reg + i), 8));
        return svmc_exec_write(&e->r, &e->span);
    }
    data = svmc_exec_read(&e->r, &e->span);
    if (data == NULL)
        return false;
    for (unsigned i = 0; i < 8; i++)
        a64_set(e, insn->reg + i, a64_order(e, core_load_le64(data + 8 * i), 8));
    return true;
}
