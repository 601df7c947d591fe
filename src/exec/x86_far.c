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

/* What a CALL pushes: RIP and CS, under them what a new level gets besides. */
struct frame {
    const uint8_t *parameters; /* in the record */
    uint64_t linear;
    unsigned unit, bytes; /* of a number, of all */
    unsigned count;       /* parameters */
    bool inner, wide;     /* the level changes; the stack is one of 64-bit mode */
};

#define FRAME_PART 56u /* bytes of it at one go: less than `store` has, a multiple of each unit */

static bool switch_task(struct x86_run *e)
{
    return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_TASK);
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

/* The entry of t->cs: anything but null. */
static bool load_code(struct x86_run *e, struct target *t)
{
    if ((t->cs & 0xfffc) == 0)
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, 0);
    return svmc_exec_x86_entry(e, t->cs, 8, &t->code);
}

static bool is_code(const struct target *t)
{
    return t->code.there &&
           (t->code.low & (ENTRY_MEMORY | ENTRY_CODE)) == (ENTRY_MEMORY | ENTRY_CODE);
}

/* XS-7: it is code that may be entered; the new CPL. */
static bool check_code(struct x86_run *e, struct target *t, bool back)
{
    const uint64_t both = ENTRY_LONG | ENTRY_BIG;

    if (!is_code(t) || (x86_is_long(e) && (t->code.low & both) == both) || !may_enter(e, t, back))
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
    if (!(t->code.low & ENTRY_PRESENT))
        return svmc_exec_x86_refuse_selector(e, VECTOR_NP, t->cs);
    t->wide = x86_is_long(e) && (t->code.low & ENTRY_LONG);
    t->cpl = back ? t->cs & 3 : e->regs->cpl;
    return true;
}

static bool check_rip(struct x86_run *e, const struct target *t)
{
    struct svmc_exec_segment code;

    svmc_exec_x86_describe(t->code.low, t->cs, &code);
    if (t->wide ? (uint64_t)core_sign_extend(t->rip, x86_bits(e)) != t->rip : t->rip > code.limit)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    return true;
}

/* An entry says that it was used, if there is one: the last thing that can stop it. */
static inline uint64_t to_mark(const struct x86_entry *entry)
{
    return entry->there ? entry->low : ENTRY_ACCESSED;
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
    regs->address_bits = t->wide ? (uint8_t)x86_bits(e) : 0;
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

/* XS-11: the inner level's stack, from the TSS. */
static CORE_APART bool find_stack(struct x86_run *e, struct target *t)
{
    const struct svmc_exec_segment *task = &e->regs->task;
    const bool wide = x86_is_long(e), small = !wide && !(task->rights & 8); /* of 16 bits */
    const unsigned at = small ? 2 + 4 * t->cpl : 4 + 8 * t->cpl, bytes = wide ? 8 : small ? 4 : 6;
    uint64_t value;

    if ((task->rights & SVMC_RIGHTS_UNUSABLE) || at + bytes - 1 > task->limit)
        return svmc_exec_x86_refuse_selector(e, VECTOR_TS, task->selector);
    if (!svmc_exec_x86_read_task(e, at, bytes, &value))
        return false;
    if (wide) {
        t->rsp = value;
        t->ss = t->cpl; /* null, as XS-4 has it */
        return true;
    }
    t->rsp = value & core_mask(bytes - 2);
    t->ss = (unsigned)(value >> (8 * (bytes - 2))) & 0xffff;
    return true;
}

/* XS-11: where it is pushed; there has to be room for all of it. */
static CORE_APART bool place_frame(struct x86_run *e, const struct target *t, struct frame *f)
{
    struct svmc_exec_segment ss = e->regs->segment[SVMC_SEG_SS];
    const uint64_t top = (f->inner ? t->rsp : e->regs->general[SVMC_REG_RSP]) - f->bytes;
    const unsigned bits = x86_bits(e);

    f->linear = top;
    if (f->wide)
        return ((uint64_t)core_sign_extend(top, bits) == top &&
                (uint64_t)core_sign_extend(top + f->bytes - 1, bits) == top + f->bytes - 1) ||
               svmc_exec_x86_refuse_selector(e, VECTOR_SS, 0); /* a new one is null: XS-4 */
    if (f->inner)
        svmc_exec_x86_describe(t->stack.low, t->ss, &ss);
    f->linear = top & core_mask(ss.rights & SVMC_RIGHTS_BIG ? 4 : 2);
    if ((ss.rights & SVMC_RIGHTS_UNUSABLE) ||
        !svmc_exec_x86_is_within(e, &ss, f->linear, f->bytes, SVMC_ACCESS_WRITE))
        return svmc_exec_x86_refuse_selector(e, VECTOR_SS, f->inner ? t->ss : 0);
    f->linear = (f->linear + ss.base) & core_mask(4);
    return true;
}

/* All of them are read before anything is written; they lie in the record side by side. */
static bool read_parameters(struct x86_run *e, const struct exec_span *span, struct frame *f)
{
    const unsigned bytes = f->count * f->unit;
    const uint8_t *data;

    for (unsigned from = 0, n; from < bytes; from += n) {
        n = bytes - from < SVMC_EXEC_WIDTH_MAX ? bytes - from : SVMC_EXEC_WIDTH_MAX;
        data = svmc_exec_read_some(&e->r, span, from, n);
        if (data == NULL)
            return false;
        if (from == 0)
            f->parameters = data;
    }
    return true;
}

static uint64_t frame_number(const struct x86_run *e, const struct frame *f, unsigned i)
{
    if (i == 0)
        return e->next;
    if (i == 1)
        return e->regs->segment[SVMC_SEG_CS].selector;
    i -= 2;
    if (i < f->count)
        return core_load_le64(f->parameters + core_clamp(i, 32) * f->unit);
    return i == f->count ? e->regs->general[SVMC_REG_RSP] : e->regs->segment[SVMC_SEG_SS].selector;
}

static CORE_APART bool write_frame(struct x86_run *e, const struct exec_span *span,
                                   const struct frame *f)
{
    uint8_t *store = e->r.x->priv.store;

    for (unsigned from = 0, n; from < f->bytes; from += n) {
        struct exec_span part;

        n = f->bytes - from < FRAME_PART ? f->bytes - from : FRAME_PART;
        for (unsigned at = 0; at < n; at += f->unit) /* the next one covers what is too much */
            core_store_le64(store + at, frame_number(e, f, (from + at) / f->unit));
        part = svmc_exec_part_of(span, from, n);
        if (!svmc_exec_write(&e->r, &part))
            return false;
    }
    return true;
}

/* The pages of a CALL: of parameters, which are read, and of the frame. */
static CORE_APART bool reach_frame(struct x86_run *e, struct frame *f, struct exec_span *to)
{
    const struct x86_parts parts = { .offset = e->regs->general[SVMC_REG_RSP] &
                                               core_mask(svmc_exec_x86_stack_bytes(e)),
                                     .segment = SVMC_SEG_SS,
                                     .bytes = f->count * f->unit,
                                     .unit = f->unit,
                                     .access = SVMC_ACCESS_READ };
    struct exec_span from = { 0 };

    return (f->count == 0 || svmc_exec_x86_reach_parts(e, &parts, &from)) &&
           (f->inner || x86_is_aligned(e, f->linear, f->unit)) &&
           x86_reach_as(e, f->linear, f->bytes, SVMC_ACCESS_WRITE, f->inner ? 0 : e->r.user, to) &&
           read_parameters(e, &from, f);
}

static void leave_frame(struct x86_run *e, const struct target *t, const struct frame *f)
{
    if (f->inner) {
        x86_set(e, SVMC_REG_RSP, f->wide ? 8 : 4, t->rsp);
        set_stack(e, t, 0 - (uint64_t)f->bytes);
    } else if (f->wide) {
        e->regs->general[SVMC_REG_RSP] -= f->bytes;
    } else {
        svmc_exec_x86_move_stack(e, 0 - (uint64_t)f->bytes);
    }
}

/* XS-11: the code segment that a gate names, and the new CPL. */
static bool check_gated(struct x86_run *e, struct target *t, bool call)
{
    const uint64_t both = ENTRY_LONG | ENTRY_BIG;
    unsigned dpl, cpl = e->regs->cpl;
    bool conforming;

    if (!load_code(e, t))
        return false;
    dpl = ENTRY_DPL(t->code.low);
    conforming = (t->code.low & ENTRY_CONFORMING) != 0;
    if (!is_code(t) || (call || conforming ? dpl > cpl : dpl != cpl) ||
        (x86_is_long(e) && (t->code.low & both) != ENTRY_LONG))
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
    if (!(t->code.low & ENTRY_PRESENT))
        return svmc_exec_x86_refuse_selector(e, VECTOR_NP, t->cs);
    t->wide = x86_is_long(e);
    t->cpl = conforming ? cpl : dpl;
    return true;
}

/* XS-11: t->code is no code and no data: a gate, a task, or a fault. */
static bool go_through(struct x86_run *e, struct target *t, struct frame *f, bool call)
{
    const uint64_t gate = t->code.low;
    const unsigned type = ENTRY_TYPE(gate), dpl = ENTRY_DPL(gate);
    const unsigned known = x86_is_long(e) ? 0x1000 : 0x1232; /* TSS, gates */

    if (!(known >> type & 1) || dpl < e->regs->cpl || dpl < (t->cs & 3))
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
    if (!(gate & ENTRY_PRESENT))
        return svmc_exec_x86_refuse_selector(e, VECTOR_NP, t->cs);
    if (x86_is_long(e) && !svmc_exec_x86_upper(e, t->cs, &t->code))
        return false;
    if (!t->code.there || (t->code.high >> 40 & 0x1f) != 0)
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, t->cs);
    if (type != TYPE_GATE_16 && type != TYPE_GATE)
        return switch_task(e);
    f->unit = type == TYPE_GATE_16 ? 2 : x86_is_long(e) ? 8 : 4;
    t->rip = (gate & 0xffff) | (f->unit > 2 ? gate >> 32 & 0xffff0000 : 0) | t->code.high << 32;
    t->cs = (unsigned)(gate >> 16) & 0xffff;
    if (!check_gated(e, t, call))
        return false;
    f->inner = t->cpl != e->regs->cpl && call;
    f->wide = x86_is_long(e);
    f->count = f->inner && !f->wide ? (unsigned)(gate >> 32) & 31 : 0;
    return true;
}

/* XS-7: where CALL or JMP goes. */
static CORE_APART bool find_target(struct x86_run *e, bool call, struct target *t, struct frame *f)
{
    if (!load_code(e, t))
        return false;
    if (t->code.there && !(t->code.low & ENTRY_MEMORY))
        return go_through(e, t, f, call);
    return check_code(e, t, false);
}

/* XS-7 XS-11: CALL and JMP. Its steps are called from here: they are deep. */
EXEC_FN bool svmc_exec_x86_far(struct x86_run *e)
{
    bool call = e->insn->id == SVMC_X86_CALL_FAR;
    struct frame f = { .unit = e->insn->operand_bytes, .wide = e->wide };
    uint64_t value[2] = { e->insn->imm, e->insn->priv_form };
    struct exec_span to;
    struct target t = { 0 };

    if (e->insn->mem_count != 0 &&
        !svmc_exec_x86_read_parts(e, e->insn->mem_bytes, e->insn->mem_bytes - 2u, value))
        return false;
    t.rip = value[0];
    t.cs = (unsigned)value[1] & 0xffff;
    if (!x86_is_protected(e)) {
        if (t.rip > e->regs->segment[SVMC_SEG_CS].limit)
            return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
        value[0] = e->next;
        value[1] = e->regs->segment[SVMC_SEG_CS].selector;
        return (!call || svmc_exec_x86_push_parts(e, f.unit, 2, value)) && go_real(e, t.cs, t.rip);
    }
    if (!find_target(e, call, &t, &f))
        return false;
    f.bytes = f.unit * (f.inner ? 4 + f.count : 2);
    if (f.inner &&
        (!find_stack(e, &t) ||
         (!f.wide && !svmc_exec_x86_check_stack(e, t.ss, t.cpl, false, VECTOR_TS, &t.stack))))
        return false;
    if ((call && !place_frame(e, &t, &f)) || !check_rip(e, &t) ||
        (call && !reach_frame(e, &f, &to)) ||
        !svmc_exec_x86_mark(e, t.cs, to_mark(&t.code), ENTRY_ACCESSED) ||
        !svmc_exec_x86_mark(e, t.ss, to_mark(&t.stack), ENTRY_ACCESSED) ||
        (call && !write_frame(e, &to, &f)))
        return false;
    if (call)
        leave_frame(e, &t, &f);
    set_code(e, &t);
    return true;
}

/* What is to be on the stack besides: SS:RSP of an outer level. */
static bool check_outer(struct x86_run *e, struct target *t, const uint64_t frame[2])
{
    t->rsp = frame[0];
    t->ss = (unsigned)frame[1] & 0xffff;
    t->stack_too = true;
    return svmc_exec_x86_check_stack(e, t->ss, t->cpl, t->wide, VECTOR_GP, &t->stack);
}

/* frame: RIP, CS and, of IRET, the flags; skip: the bytes of it and of an immediate. */
static bool return_protected(struct x86_run *e, const uint64_t frame[5], uint64_t skip, bool iret)
{
    unsigned bytes = e->insn->operand_bytes, cpl = e->regs->cpl;
    struct target t = { .rip = frame[0], .cs = (unsigned)frame[1] & 0xffff };
    uint64_t outer[2] = { frame[3], frame[4] };

    if (!load_code(e, &t) || !check_code(e, &t, true))
        return false;
    if (iret && e->wide) {
        if (!check_outer(e, &t, outer))
            return false;
    } else if (t.cpl != cpl) {
        if (!svmc_exec_x86_peek(e, skip, bytes, 2, outer) || !check_outer(e, &t, outer))
            return false;
    }
    if (!check_rip(e, &t) || !svmc_exec_x86_mark(e, t.cs, to_mark(&t.code), ENTRY_ACCESSED) ||
        !svmc_exec_x86_mark(e, t.ss, to_mark(&t.stack), ENTRY_ACCESSED))
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

/* XS-12: to virtual-8086 mode: all segments come from the stack. */
static bool return_virtual(struct x86_run *e, const uint64_t frame[5])
{
    static const uint8_t order[5] = { SVMC_SEG_SS, SVMC_SEG_ES, SVMC_SEG_DS, SVMC_SEG_FS,
                                      SVMC_SEG_GS };
    struct svmc_exec_x86 *regs = e->regs;
    uint64_t rest[6]; /* ESP, and these */

    if (!svmc_exec_x86_peek(e, 3 * 4, 4, 6, rest))
        return false;
    if (frame[0] > 0xffff)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    regs->rflags = (regs->rflags & ~(uint64_t)FLAG_VIRTUAL) | (frame[2] & FLAG_VIRTUAL);
    regs->general[SVMC_REG_RSP] = rest[0];
    regs->cpl = 3;
    svmc_exec_x86_real_segment(e, (unsigned)frame[1] & 0xffff, &regs->segment[SVMC_SEG_CS]);
    for (unsigned i = 0; i < 5; i++)
        svmc_exec_x86_real_segment(e, (unsigned)rest[i + 1] & 0xffff,
                                   &regs->segment[order[i] & 7]); /* clamp: one of five */
    e->next = frame[0];
    e->keeps_rf = true;
    return true;
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
        return switch_task(e);
    }
    if (!svmc_exec_x86_peek(e, 0, bytes, count, frame))
        return false;
    if (!iret)
        skip += e->insn->imm & 0xffff;
    if (!x86_is_protected(e))
        return return_real(e, frame, skip, fake, iret);
    if (iret && bytes == 4 && (frame[2] & FLAG_VM) && e->regs->cpl == 0 && !x86_is_long(e))
        return return_virtual(e, frame);
    return return_protected(e, frame, skip, iret);
}
