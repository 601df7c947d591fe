/* SPDX-License-Identifier: MIT */
/* x86: far branches and returns. Rules XS-n: docs/spec/exec_system.md. */
#include "x86_system.h"

/* Where it goes: what has been checked, and is not in force yet. */
struct target {
    uint64_t rip, rsp;
    struct x86_entry code, stack;
    unsigned cs, ss, cpl;
    bool wide;      /* 64-bit code */
    bool stack_too; /* SS:RSP as well */
};

static bool stop_here(struct x86_run *e)
{
    return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
}

/* XS-7: what is no code is a gate, a task, or a fault. */
static bool refuse_code(struct x86_run *e, const struct target *t, bool back)
{
    unsigned type = ENTRY_TYPE(t->code.low), gates = x86_is_long(e) ? 0x1000 : 0x1232;

    if (!back && t->code.there && !(t->code.low & ENTRY_MEMORY) && (gates >> type & 1))
        return stop_here(e);
    return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
}

/* SDM vol. 3 5.8.1, vol. 2 RET: which privilege may enter. */
static bool may_enter(const struct x86_run *e, const struct target *t, bool back)
{
    unsigned rpl = t->cs & 3, cpl = e->regs->cpl, dpl = ENTRY_DPL(t->code.low);
    bool conforming = (t->code.low & ENTRY_CONFORMING) != 0;

    if (back)
        return rpl >= cpl && (conforming ? dpl <= rpl : dpl == rpl);
    return conforming ? dpl <= cpl : rpl <= cpl && dpl == cpl;
}

/* The code segment of t->cs, and the new CPL. */
static bool check_code(struct x86_run *e, struct target *t, bool back)
{
    const uint64_t both = ENTRY_LONG | ENTRY_BIG;

    if ((t->cs & 0xfffc) == 0)
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, 0);
    if (!svmc_exec_x86_entry(e, t->cs, 8, &t->code))
        return false;
    if (!t->code.there ||
        (t->code.low & (ENTRY_MEMORY | ENTRY_CODE)) != (ENTRY_MEMORY | ENTRY_CODE))
        return refuse_code(e, t, back);
    if (x86_is_long(e) && (t->code.low & both) == both)
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
    if (!may_enter(e, t, back))
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
    if (!(t->code.low & ENTRY_PRESENT))
        return svmc_exec_x86_refuse_selector(e, VECTOR_NP, t->cs);
    t->wide = x86_is_long(e) && (t->code.low & ENTRY_LONG);
    t->cpl = back ? t->cs & 3 : e->regs->cpl;
    return true;
}

static unsigned bits_of(const struct x86_run *e)
{
    if (e->wide)
        return e->regs->address_bits;
    return e->regs->cr4 & CR4_LA57 ? 57 : 48;
}

static bool check_rip(struct x86_run *e, const struct target *t)
{
    struct svmc_exec_segment code;

    svmc_exec_x86_describe(t->code.low, t->cs, &code);
    if (t->wide ? (uint64_t)core_sign_extend(t->rip, bits_of(e)) != t->rip : t->rip > code.limit)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    return true;
}

/* Entries say that they were used: the last thing that can stop it. */
static bool mark_both(struct x86_run *e, const struct target *t)
{
    return svmc_exec_x86_mark(e, t->cs, t->code.low, ENTRY_ACCESSED) &&
           (!t->stack.there || svmc_exec_x86_mark(e, t->ss, t->stack.low, ENTRY_ACCESSED));
}

/* Data segments that the outer level may not have (SDM vol. 2 RET). */
static void drop_data(struct x86_run *e, unsigned cpl)
{
    static const uint8_t data[4] = { SVMC_SEG_ES, SVMC_SEG_DS, SVMC_SEG_FS, SVMC_SEG_GS };

    for (unsigned i = 0; i < 4; i++) {
        struct svmc_exec_segment *s = &e->regs->segment[data[i] & 7]; /* clamp: one of four */

        if ((s->rights & SVMC_RIGHTS_UNUSABLE) || (s->rights >> 5 & 3) >= cpl)
            continue;
        if ((s->rights & 0xc) == 0xc) /* conforming code */
            continue;
        svmc_exec_x86_null_segment(e, 0, 0, s);
    }
}

static void set_code(struct x86_run *e, const struct target *t)
{
    struct svmc_exec_x86 *regs = e->regs;

    svmc_exec_x86_describe(t->code.low | ENTRY_ACCESSED, (t->cs & 0xfffc) | t->cpl,
                           &regs->segment[SVMC_SEG_CS]);
    regs->address_bits = t->wide ? (uint8_t)bits_of(e) : 0;
    regs->cpl = (uint8_t)t->cpl;
    e->next = t->rip;
}

/* XS-7: real and virtual-8086 mode. */
static bool go_real(struct x86_run *e, unsigned selector, uint64_t rip)
{
    struct svmc_exec_segment *cs = &e->regs->segment[SVMC_SEG_CS];

    if (rip > cs->limit)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    e->next = rip;
    svmc_exec_x86_real_segment(e, selector, cs);
    return true;
}

/* XS-7: CALL and JMP. */
EXEC_FN bool svmc_exec_x86_far(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->operand_bytes;
    uint64_t value[2] = { insn->imm, insn->priv_form };
    const uint64_t back[2] = { e->next, e->regs->segment[SVMC_SEG_CS].selector };
    bool call = insn->id == SVMC_X86_CALL_FAR;
    struct target t = { 0 };

    if (insn->mem_count != 0 &&
        !svmc_exec_x86_read_parts(e, insn->mem_bytes, insn->mem_bytes - 2u, value))
        return false;
    t.rip = value[0];
    t.cs = (unsigned)value[1] & 0xffff;
    if (!x86_is_protected(e)) {
        if (t.rip > e->regs->segment[SVMC_SEG_CS].limit)
            return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
        return (!call || svmc_exec_x86_push_parts(e, bytes, 2, back)) && go_real(e, t.cs, t.rip);
    }
    if (!check_code(e, &t, false) || !check_rip(e, &t))
        return false;
    if (!svmc_exec_x86_mark(e, t.cs, t.code.low, ENTRY_ACCESSED) ||
        (call && !svmc_exec_x86_push_parts(e, bytes, 2, back)))
        return false;
    set_code(e, &t);
    return true;
}

/* What is to be on the stack besides: SS:RSP of an outer level. */
static bool check_outer(struct x86_run *e, struct target *t, const uint64_t frame[2])
{
    t->rsp = frame[0];
    t->ss = (unsigned)frame[1] & 0xffff;
    t->stack_too = true;
    return svmc_exec_x86_check_stack(e, t->ss, t->cpl, t->wide, &t->stack);
}

static void set_stack(struct x86_run *e, const struct target *t, uint64_t more)
{
    struct svmc_exec_segment *ss = &e->regs->segment[SVMC_SEG_SS];
    unsigned bytes;

    if (t->stack.there)
        svmc_exec_x86_describe(t->stack.low | ENTRY_ACCESSED, t->ss, ss);
    else
        svmc_exec_x86_null_segment(e, t->ss, t->cpl, ss);
    bytes = t->wide ? 8 : ss->rights & SVMC_RIGHTS_BIG ? 4 : 2;
    x86_set(e, SVMC_REG_RSP, bytes, t->rsp + more);
}

/* frame: RIP, CS and, of IRET, the flags; skip: the bytes of it and of an immediate. */
static bool return_protected(struct x86_run *e, const uint64_t frame[5], uint64_t skip, bool iret)
{
    unsigned bytes = e->insn->operand_bytes, cpl = e->regs->cpl;
    struct target t = { .rip = frame[0], .cs = (unsigned)frame[1] & 0xffff };
    uint64_t outer[2] = { frame[3], frame[4] };

    if (!check_code(e, &t, true))
        return false;
    if (iret && e->wide) {
        if (!check_outer(e, &t, outer))
            return false;
    } else if (t.cpl != cpl) {
        if (!svmc_exec_x86_peek(e, skip, bytes, 2, outer) || !check_outer(e, &t, outer))
            return false;
    }
    if (!check_rip(e, &t) || !mark_both(e, &t))
        return false;
    if (iret && !svmc_exec_x86_set_flags(e, frame[2], false, true))
        return false;
    if (t.stack_too)
        set_stack(e, &t, iret ? 0 : e->insn->imm & 0xffff);
    else
        svmc_exec_x86_move_stack(e, skip);
    set_code(e, &t);
    if (t.cpl != cpl)
        drop_data(e, t.cpl);
    return true;
}

static bool return_real(struct x86_run *e, const uint64_t frame[5], uint64_t skip, bool fake,
                        bool iret)
{
    if (frame[0] > e->regs->segment[SVMC_SEG_CS].limit)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    if (iret && !svmc_exec_x86_set_flags(e, frame[2], fake, true))
        return false;
    svmc_exec_x86_move_stack(e, skip);
    return go_real(e, (unsigned)frame[1] & 0xffff, frame[0]);
}

/* XS-7: RET far, IRET. */
EXEC_FN bool svmc_exec_x86_back(struct x86_run *e)
{
    bool iret = e->insn->id == SVMC_X86_IRET, fake = false;
    unsigned bytes = e->insn->operand_bytes, count = iret ? e->wide ? 5 : 3 : 2;
    uint64_t frame[5] = { 0 }, skip = bytes * count;

    if (iret && !svmc_exec_x86_may_use_flags(e, &fake))
        return false;
    if (iret && x86_is_protected(e) && (e->regs->rflags & FLAG_NT)) {
        if (x86_is_long(e))
            return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
        return stop_here(e); /* to another task */
    }
    if (!svmc_exec_x86_peek(e, 0, bytes, count, frame))
        return false;
    if (!iret)
        skip += e->insn->imm & 0xffff;
    if (!x86_is_protected(e))
        return return_real(e, frame, skip, fake, iret);
    if (iret && bytes == 4 && (frame[2] & FLAG_VM) && e->regs->cpl == 0 && !x86_is_long(e))
        return stop_here(e); /* to virtual-8086 mode */
    return return_protected(e, frame, skip, iret);
}
