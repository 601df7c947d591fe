/* SPDX-License-Identifier: MIT */
/* x86: the calls, and which instruction is finished how. Rules XE-n: docs/spec/exec.md. */
#include "x86_private.h"

#define CR4_UMIP 0x800u

/* XE-20 */
struct row {
    uint8_t shape, op, who;
};
#define OP(id, shape, op, undefined, who) \
    [SVMC_X86_##id] = { SHAPE_##shape, X86_OP_##op, WHO_##who },
static const struct row rows[] = {
#include "x86_int.def"
};
#undef OP
#define ROWS ((uint32_t)(sizeof rows / sizeof rows[0]))

/* MOV to MMIO is most of what is finished: it takes no detour. */
static inline bool move(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t value = insn->imm;
    struct exec_span span;

    if (insn->access == SVMC_ACCESS_WRITE) {
        if (!x86_reach_memory(e, SVMC_ACCESS_WRITE, &span))
            return false;
        if (insn->reg_kind == SVMC_REG_KIND_GPR)
            value = x86_get_reg(e);
        else if (insn->reg_kind == SVMC_REG_KIND_SEGMENT)
            value = e->regs->segment[core_clamp(insn->reg, 6)].selector;
        return exec_write_value(&e->r, &span, value);
    }
    if (insn->reg_kind != SVMC_REG_KIND_GPR) /* CVE-2017-2583: MOV to a segment is not finished */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!x86_reach_memory(e, SVMC_ACCESS_READ, &span) || !x86_read(e, &span, &value))
        return false;
    if (insn->flags & SVMC_INSN_SIGN)
        value = (uint64_t)core_sign_extend(value, insn->mem_bytes * 8u);
    x86_set_reg(e, value);
    return true;
}

/* CLFLUSH and its like: checked like a read, and nothing else (SDM vol. 2 CLFLUSH). */
static bool flush(struct x86_run *e)
{
    struct exec_span span;
    uint64_t linear = x86_offset(e) & core_mask(e->insn->address_bytes);
    const unsigned access = SVMC_ACCESS_READ;

    if ((!e->wide || e->insn->segment >= SVMC_SEG_FS || !x86_is_canonical(e, linear)) &&
        !svmc_exec_x86_linear_slow(e, e->insn->segment, linear, 1, access, &linear))
        return false;
    return exec_reach(&e->r, linear, 1, access | SVMC_EXEC_CHECK, &span);
}

/* XE-17. XSA-105, XSA-106, XSA-110: asked of everything, before anything else is. */
static bool may(struct x86_run *e, unsigned who)
{
    if (e->regs->cpl == 0 || who == WHO_ANY || who == WHO_IO)
        return true;
    if (who == WHO_UMIP && !(e->regs->cr4 & CR4_UMIP))
        return true;
    return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
}

static bool perform_rare(struct x86_run *e)
{
    switch (e->shape) {
    case SHAPE_CHANGE:
        return svmc_exec_x86_change(e);
    case SHAPE_PAIR:
        return svmc_exec_x86_pair(e);
    case SHAPE_STRING:
        return svmc_exec_x86_string(e);
    case SHAPE_PORT:
        return svmc_exec_x86_port(e);
    case SHAPE_PUSH:
        return svmc_exec_x86_push(e);
    case SHAPE_POP:
        return svmc_exec_x86_pop(e);
    case SHAPE_BRANCH:
        return svmc_exec_x86_branch(e);
    case SHAPE_RETURN:
        return svmc_exec_x86_return(e);
    case SHAPE_HINT:
        return true;
    case SHAPE_FLUSH:
        return flush(e);
    case SHAPE_NONE:
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    default:
        return svmc_exec_x86_compute(e);
    }
}

/* Nothing in memory and no port: what an exit cannot have come from (XSA-123: no field of memory is
 * looked at then). */
static bool has_access(const struct svmc_insn *insn)
{
    return insn->mem_count != 0 || (insn->flags & SVMC_INSN_STACK) ||
           insn->insn_class == SVMC_CLASS_PORT;
}

static bool perform(struct x86_run *e)
{
    const struct row *row = &rows[core_clamp(e->insn->id < ROWS ? e->insn->id : 0, ROWS)];

    e->shape = row->shape;
    e->op = row->op;
    if (__builtin_expect(row->who != WHO_ANY, 0) && !may(e, row->who))
        return false;
    if (__builtin_expect(!has_access(e->insn), 0))
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED,
                         e->shape == SHAPE_NONE ? SVMC_EXEC_REASON_NO_ROW
                                                : SVMC_EXEC_REASON_NO_ACCESS);
    return __builtin_expect(e->shape == SHAPE_MOVE, 1) ? move(e) : perform_rare(e);
}

/* XE-16: the single step, of an instruction or an iteration. */
static CORE_COLD void trap(struct svmc_exec_result *out)
{
    out->trap = 1;
    out->fault = (struct svmc_fault){ .raised = 1, .vector = VECTOR_DB };
}

/* It stopped: what stays in the record, and what the caller is told. */
static CORE_COLD enum svmc_status stopped(struct x86_run *e)
{
    struct svmc_exec *x = e->r.x;
    struct svmc_exec_result *out = e->r.out;

    if (e->r.status != SVMC_OK) {
        *out =
            (struct svmc_exec_result){ .accesses = out->accesses, .iterations = out->iterations };
        svmc_exec_drop(x);
        return e->r.status;
    }
    if (out->action == SVMC_EXEC_PENDING) {
        if (e->insn != &x->priv.insn)
            x->priv.insn = *e->insn;
        x->priv.state = EXEC_WAITS;
        return SVMC_OK;
    }
    if (out->action == SVMC_EXEC_AGAIN && out->iterations != 0 && (e->regs->rflags & FLAG_TF))
        trap(out);
    svmc_exec_drop(x);
    return SVMC_OK;
}

static bool is_possible(const struct svmc_exec_x86 *regs, bool wide)
{
    if (regs->cpl > 3)
        return false;
    return wide ? regs->address_bits == 48 || regs->address_bits == 57 : regs->address_bits == 0;
}

static inline enum svmc_status run(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                   const struct svmc_insn *insn, struct svmc_exec_result *out)
{
    struct x86_run e;
    uint64_t mask;

    e.wide = insn->isa == SVMC_ISA_X86_64;
    mask = e.wide ? ~(uint64_t)0 : core_mask(4);
    e.regs = regs;
    e.insn = insn;
    e.opcode = (uint8_t)(insn->priv_raw[1] >> 16);
    e.next = (regs->rip + insn->length) & mask;
    e.r.x = x;
    e.r.out = out;
    e.r.linear_mask = mask;
    e.r.user = regs->cpl == 3 ? SVMC_EXEC_USER : 0;
    e.r.x86 = true;
    e.r.status = SVMC_OK;
    exec_rewind(&e.r);
    if (__builtin_expect(!perform(&e), 0))
        return stopped(&e);
    if (__builtin_expect((regs->rflags & FLAG_TF) != 0, 0))
        trap(out);
    regs->rip = e.next;
    regs->rflags &= ~(uint64_t)FLAG_RF;
    regs->shadow = 0;
    out->action = SVMC_EXEC_DONE;
    exec_forget(x);
    return SVMC_OK;
}

EXEC_FN enum svmc_status svmc_exec_x86_start(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                             const struct svmc_insn *insn,
                                             struct svmc_exec_result *out)
{
    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL || insn == NULL)
        return SVMC_ERR_ARG;
    if (insn->length - 1u >= SVMC_INSN_MAX || (unsigned)insn->isa - SVMC_ISA_X86_16 > 2u ||
        !is_possible(regs, insn->isa == SVMC_ISA_X86_64)) /* XE-5 */
        return SVMC_ERR_ARG;
    if (x->priv.state != EXEC_IDLE)
        return SVMC_ERR_STATE;
    return run(x, regs, insn, out);
}

EXEC_FN enum svmc_status svmc_exec_x86_resume(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                              struct svmc_exec_result *out)
{
    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL)
        return SVMC_ERR_ARG;
    if (x->priv.fetch || x->priv.state == EXEC_IDLE ||
        (x->priv.state == EXEC_WAITS && x->wait.kind != SVMC_EXEC_TRANSLATE))
        return SVMC_ERR_STATE;
    if (!is_possible(regs, x->priv.insn.isa == SVMC_ISA_X86_64))
        return SVMC_ERR_ARG;
    x->priv.state = EXEC_IDLE;
    x->wait = (struct svmc_exec_wait){ 0 };
    return run(x, regs, &x->priv.insn, out);
}
