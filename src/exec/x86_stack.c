/* SPDX-License-Identifier: MIT */
/* x86: what pushes, pops and branches. Rules XE-n: docs/spec/exec.md. */
#include "x86_system.h"

EXEC_FN unsigned svmc_exec_x86_stack_bytes(const struct x86_run *e)
{
    if (e->wide)
        return 8;
    return (e->regs->segment[SVMC_SEG_SS].rights & SVMC_RIGHTS_BIG) != 0 ? 4 : 2;
}

static bool reach_stack(struct x86_run *e, uint64_t offset, unsigned bytes, uint32_t access,
                        struct exec_span *span)
{
    return x86_reach(e, SVMC_SEG_SS, offset & core_mask(svmc_exec_x86_stack_bytes(e)), bytes,
                     access, span);
}

EXEC_FN void svmc_exec_x86_move_stack(struct x86_run *e, uint64_t by)
{
    x86_set(e, SVMC_REG_RSP, svmc_exec_x86_stack_bytes(e), e->regs->general[SVMC_REG_RSP] + by);
}

/* The source of PUSH, target of a branch, where it is no memory. */
static uint64_t register_source(const struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;

    if (insn->reg_kind == SVMC_REG_KIND_SEGMENT)
        return e->regs->segment[core_clamp(insn->reg, 6)].selector;
    return insn->reg_kind == SVMC_REG_KIND_GPR ? x86_get_reg(e) : insn->imm;
}

EXEC_FN bool svmc_exec_x86_push(struct x86_run *e)
{
    unsigned bytes = e->insn->operand_bytes, written = bytes;
    bool memory = e->insn->mem_count != 0;
    struct exec_span from, to;
    uint64_t value;

    if (bytes == 4 && e->insn->reg_kind == SVMC_REG_KIND_SEGMENT)
        written = 2; /* the rest of its four stays as it is (SDM vol. 2 PUSH) */
    if (memory && !x86_reach_memory(e, SVMC_ACCESS_READ, &from))
        return false;
    if (!reach_stack(e, e->regs->general[SVMC_REG_RSP] - bytes, written, SVMC_ACCESS_WRITE, &to))
        return false;
    value = register_source(e);
    if ((memory && !x86_read(e, &from, &value)) || !exec_write_value(&e->r, &to, value))
        return false;
    svmc_exec_x86_move_stack(e, 0 - (uint64_t)bytes);
    return true;
}

/* AD-8: a destination based on RSP is where RSP will be. */
static bool reach_popped(struct x86_run *e, struct exec_span *span)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t at = x86_offset(e) + (insn->base == SVMC_REG_RSP ? insn->operand_bytes : 0);

    return x86_reach(e, insn->segment, at & core_mask(insn->address_bytes), insn->mem_bytes,
                     SVMC_ACCESS_WRITE, span);
}

EXEC_FN bool svmc_exec_x86_pop(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->operand_bytes;
    bool memory = insn->mem_count != 0, leave = insn->id == SVMC_X86_LEAVE;
    uint64_t top = e->regs->general[leave ? SVMC_REG_RBP : SVMC_REG_RSP], value;
    struct exec_span from, to;

    if (!memory && !leave && insn->reg_kind != SVMC_REG_KIND_GPR) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!reach_stack(e, top, bytes, SVMC_ACCESS_READ, &from) || (memory && !reach_popped(e, &to)) ||
        !x86_read(e, &from, &value) || (memory && !exec_write_value(&e->r, &to, value)))
        return false;
    x86_set(e, SVMC_REG_RSP, svmc_exec_x86_stack_bytes(e), top + bytes);
    if (leave)
        x86_set(e, SVMC_REG_RBP, bytes, value);
    else if (!memory)
        x86_set_reg(e, value);
    return true;
}

/* The page that the last element of an ENTER touched; they come down from the top. */
struct page {
    uint64_t linear, at; /* linear: 1: none yet */
};

/* A page is translated when the first element touches it, as the processor comes to it. */
static bool reach_element(struct x86_run *e, uint64_t offset, uint32_t access, struct page *page,
                          struct exec_span *span)
{
    const uint64_t within = EXEC_PAGE - 1;
    unsigned bytes = e->insn->operand_bytes;
    uint64_t linear = offset & core_mask(svmc_exec_x86_stack_bytes(e)), above;

    if ((!e->wide || !x86_is_canonical(e, linear) || !x86_is_canonical(e, linear + bytes - 1)) &&
        !svmc_exec_x86_linear_slow(e, SVMC_SEG_SS, linear, bytes, access, &linear))
        return false;
    if (!x86_is_aligned(e, linear, bytes))
        return false;
    access |= e->r.user;
    *span = (struct exec_span){ .first = bytes, .bytes = bytes, .at[1] = page->at };
    above = (linear + bytes - 1) & e->r.linear_mask & ~within;
    if ((linear & ~within) != page->linear) {
        if (!svmc_exec_place(&e->r, linear, access, &span->at[0]) ||
            (above != (linear & ~within) && above != page->linear &&
             !svmc_exec_place(&e->r, above, access, &span->at[1])))
            return false;
        *page = (struct page){ linear & ~within, span->at[0] & ~within };
    }
    span->at[0] = page->at | (linear & within);
    if (above != page->linear)
        span->first = EXEC_PAGE - (uint32_t)(linear & within);
    return true;
}

/* XE-30: what ENTER pushes, element by element: one may be what an earlier one has pushed. */
static bool push_frame(struct x86_run *e, uint64_t frame, bool now)
{
    const unsigned bytes = e->insn->operand_bytes, level = e->insn->priv_form & 31;
    const uint64_t *general = e->regs->general;
    struct page to = { .linear = 1 }, from = to;
    struct exec_span span;

    for (unsigned i = 0; i <= level; i++) {
        uint64_t value = i == 0 ? general[SVMC_REG_RBP] : frame;

        if (i != 0 && i != level &&
            (!reach_element(e, general[SVMC_REG_RBP] - i * bytes, SVMC_ACCESS_READ, &from, &span) ||
             (now && !x86_read(e, &span, &value))))
            return false;
        if (!reach_element(e, general[SVMC_REG_RSP] - (i + 1) * bytes, SVMC_ACCESS_WRITE, &to,
                           &span) ||
            (now && !exec_write_value(&e->r, &span, value)))
            return false;
    }
    return true;
}

/* XE-30: the same way twice: all of it is translated before anything is pushed. */
EXEC_FN bool svmc_exec_x86_enter(struct x86_run *e)
{
    const unsigned bytes = e->insn->operand_bytes, level = e->insn->priv_form & 31;
    const uint64_t mask = core_mask(svmc_exec_x86_stack_bytes(e));
    const uint64_t rsp = e->regs->general[SVMC_REG_RSP];
    const uint64_t frame = (rsp & ~mask) | ((rsp - bytes) & mask);
    uint64_t by = bytes * (level + 1) + (e->insn->imm & 0xffff);
    struct exec_span span;

    if (!push_frame(e, frame, false) ||
        !reach_stack(e, rsp - by, bytes, SVMC_ACCESS_WRITE, &span)) /* and nothing is written */
        return false;
    e->r.place = 0;
    if (!push_frame(e, frame, true))
        return false;
    svmc_exec_x86_move_stack(e, 0 - by);
    x86_set(e, SVMC_REG_RBP, bytes, frame);
    return true;
}

/* XE-21 */
static bool set_next(struct x86_run *e, uint64_t target)
{
    if (e->wide ? !x86_is_canonical(e, target) : target > e->regs->segment[SVMC_SEG_CS].limit)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    e->next = target;
    return true;
}

EXEC_FN bool svmc_exec_x86_return(struct x86_run *e)
{
    unsigned bytes = e->insn->operand_bytes;
    struct exec_span span;
    uint64_t target;

    if (!reach_stack(e, e->regs->general[SVMC_REG_RSP], bytes, SVMC_ACCESS_READ, &span) ||
        !x86_read(e, &span, &target) || !set_next(e, target))
        return false;
    svmc_exec_x86_move_stack(e, bytes + (e->insn->imm & 0xffff));
    return true;
}

EXEC_FN bool svmc_exec_x86_branch(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->operand_bytes;
    bool memory = insn->mem_count != 0, call = e->op == X86_OP_CALL;
    uint64_t target, back = e->next;
    struct exec_span from, to;

    if (memory && !x86_reach_memory(e, SVMC_ACCESS_READ, &from))
        return false;
    if (call &&
        !reach_stack(e, e->regs->general[SVMC_REG_RSP] - bytes, bytes, SVMC_ACCESS_WRITE, &to))
        return false;
    target = insn->reg_kind == SVMC_REG_KIND_GPR ? x86_get_reg(e)
                                                 : (back + (uint64_t)insn->disp) & core_mask(bytes);
    if ((memory && !x86_read(e, &from, &target)) || !set_next(e, target))
        return false;
    if (call) {
        if (!exec_write_value(&e->r, &to, back))
            return false;
        svmc_exec_x86_move_stack(e, 0 - (uint64_t)bytes);
    }
    return true;
}
