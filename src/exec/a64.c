/* SPDX-License-Identifier: MIT */
/* AArch64: the calls, and which instruction is finished how. Rules EA-n: docs/spec/exec_a64.md. */
#include "a64_private.h"

/* EA-19 */
struct a64_row {
    uint8_t shape, op;
};
#define OP(id, shape, op) [SVMC_A64_##id] = { A64_SHAPE_##shape, A64_OP_##op },
static const struct a64_row a64_rows[] = {
#include "a64.def"
};
#undef OP
#define A64_ROWS ((uint32_t)(sizeof a64_rows / sizeof a64_rows[0]))

static bool a64_perform(struct a64_run *e, unsigned shape)
{
    switch (shape) {
    case A64_SHAPE_MOVE:
        return svmc_exec_a64_move(e);
    case A64_SHAPE_STORE_EXCLUSIVE:
        return svmc_exec_a64_store_exclusive(e);
    case A64_SHAPE_CHANGE:
        return svmc_exec_a64_change(e);
    case A64_SHAPE_BLOCK:
        return svmc_exec_a64_block(e);
    case A64_SHAPE_STRUCTURE:
        return svmc_exec_a64_structure(e);
    case A64_SHAPE_REPLICATE:
        return svmc_exec_a64_replicate(e);
    case A64_SHAPE_HINT: /* EA-17 */
        return true;
    case A64_SHAPE_CACHE:
        return svmc_exec_a64_cache(e);
    default:
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    }
}

/* What no decode made: more than the record holds. */
static bool a64_is_sized(const struct svmc_insn *insn)
{
    unsigned bytes = insn->mem_bytes;

    if (insn->access == SVMC_ACCESS_NONE)
        return true;
    return bytes != 0 && (bytes & (bytes - 1)) == 0 && insn->mem_count != 0 &&
           bytes * insn->mem_count <= SVMC_EXEC_WIDTH_MAX;
}

/* EA-1. EA-18: what the callbacks did is seen by others where the processor would have it so. */
static bool a64_perform_in_order(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    const struct a64_row *row = &a64_rows[core_clamp(insn->id < A64_ROWS ? insn->id : 0, A64_ROWS)];

    if (e->regs->pstate & PSTATE_IL)
        return svmc_exec_a64_fault(&e->r, EC_ILLEGAL, 0, 0);
    if (!a64_is_sized(insn))
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    e->op = row->op;
    if (insn->flags & SVMC_INSN_RELEASE)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!a64_perform(e, row->shape))
        return false;
    if (insn->flags & SVMC_INSN_ACQUIRE)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return true;
}

/* EA-6: memory that is not there is the guest's affair. */
static CORE_COLD enum svmc_status a64_stopped(struct a64_run *e)
{
    if (e->r.status == SVMC_ERR_CALLBACK && e->r.refused)
        svmc_exec_a64_external(&e->r, e->regs, EC_DATA, &e->span, e->linear);
    return svmc_exec_stopped(&e->r, e->insn);
}

static CORE_APART enum svmc_status a64_run(struct svmc_exec *x, struct svmc_exec_a64 *regs,
                                           const struct svmc_insn *insn,
                                           struct svmc_exec_result *out)
{
    struct a64_run e = { .regs = regs, .insn = insn };

    e.r.x = x;
    e.r.out = out;
    e.r.linear_mask = ~(uint64_t)0;
    e.r.user = a64_el(regs) == 0 ? SVMC_EXEC_USER : 0;
    e.big = (regs->sctlr & (a64_el(regs) == 0 ? SCTLR_E0E : SCTLR_EE)) != 0; /* EA-8 */
    if (!a64_perform_in_order(&e))
        return a64_stopped(&e);
    if (insn->flags & (SVMC_INSN_PRE_INDEX | SVMC_INSN_POST_INDEX)) /* EA-9: the last register */
        a64_set(&e, insn->base, e.new_base);
    regs->pc += 4;
    regs->pstate &= ~(PSTATE_BTYPE | PSTATE_SS); /* EA-3 */
    out->action = SVMC_EXEC_DONE;
    exec_forget(x);
    return SVMC_OK;
}

/* EL3 is nobody's guest; A32 is another instruction set. */
static bool a64_is_possible(const struct svmc_exec_a64 *regs)
{
    const struct svmc_exec_monitor *m = &regs->monitor;

    return !(regs->pstate & PSTATE_A32) && a64_el(regs) < 3 && m->bytes <= sizeof m->data &&
           (m->bytes & (m->bytes - 1)) == 0;
}

EXEC_FN enum svmc_status svmc_exec_a64_start(struct svmc_exec *x, struct svmc_exec_a64 *regs,
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
    if (insn->length != 4 || insn->isa != SVMC_ISA_A64 || !a64_is_possible(regs)) /* XE-5 */
        return SVMC_ERR_ARG;
    return a64_run(x, regs, insn, out);
}

EXEC_FN enum svmc_status svmc_exec_a64_resume(struct svmc_exec *x, struct svmc_exec_a64 *regs,
                                              struct svmc_exec_result *out)
{
    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL)
        return SVMC_ERR_ARG;
    if (!svmc_exec_may_resume(x))
        return SVMC_ERR_STATE;
    if (!a64_is_possible(regs) || x->priv.insn.isa != SVMC_ISA_A64)
        return SVMC_ERR_ARG;
    exec_go_on(x);
    return a64_run(x, regs, &x->priv.insn, out);
}
