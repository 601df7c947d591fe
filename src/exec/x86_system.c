/* SPDX-License-Identifier: MIT */
/* x86: tables, flags, what is pushed in one go. Rules XS-n: docs/spec/exec_system.md. */
#include "x86_system.h"

#define CR0_LMSW    0xfu
#define PARTS_BYTES SVMC_EXEC_WIDTH_MAX

EXEC_FN bool svmc_exec_x86_reach_parts(struct x86_run *e, const struct x86_parts *parts,
                                       struct exec_span *span)
{
    uint64_t offset = parts->offset, linear = offset;
    unsigned bytes = parts->bytes;

    if ((!e->wide || parts->segment >= SVMC_SEG_FS || !x86_is_canonical(e, offset) ||
         !x86_is_canonical(e, offset + bytes - 1)) &&
        !svmc_exec_x86_linear_slow(e, parts->segment, offset, bytes, parts->access, &linear))
        return false;
    return x86_is_aligned(e, linear, parts->unit) &&
           exec_reach(&e->r, linear, bytes, parts->access, span);
}

EXEC_FN bool svmc_exec_x86_read_parts(struct x86_run *e, unsigned bytes, unsigned first,
                                      uint64_t value[2])
{
    const struct x86_parts parts = { .offset = x86_offset(e) & core_mask(e->insn->address_bytes),
                                     .segment = e->insn->segment,
                                     .bytes = bytes,
                                     .unit = first,
                                     .access = SVMC_ACCESS_READ };
    struct exec_span span;
    const uint8_t *data;

    if (bytes - 1 >= PARTS_BYTES || first - 1 >= 8 || first > bytes) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!svmc_exec_x86_reach_parts(e, &parts, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL)
        return false;
    value[0] = core_load_le64(data) & core_mask(first);
    value[1] = core_load_le64(data + first) & core_mask(bytes - first);
    return true;
}

EXEC_FN bool svmc_exec_x86_peek(struct x86_run *e, uint64_t skip, unsigned bytes, unsigned count,
                                uint64_t *value)
{
    const uint64_t top = e->regs->general[SVMC_REG_RSP] + skip;
    const struct x86_parts parts = { .offset = top & core_mask(svmc_exec_x86_stack_bytes(e)),
                                     .segment = SVMC_SEG_SS,
                                     .bytes = bytes * count,
                                     .unit = bytes,
                                     .access = SVMC_ACCESS_READ };
    struct exec_span span;
    const uint8_t *data;

    if (!svmc_exec_x86_reach_parts(e, &parts, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        value[i] = core_load_le64(data + i * bytes) & core_mask(bytes);
    return true;
}

EXEC_FN bool svmc_exec_x86_push_parts(struct x86_run *e, unsigned bytes, unsigned count,
                                      const uint64_t *value)
{
    const uint64_t top = e->regs->general[SVMC_REG_RSP] - bytes * count;
    const struct x86_parts parts = { .offset = top & core_mask(svmc_exec_x86_stack_bytes(e)),
                                     .segment = SVMC_SEG_SS,
                                     .bytes = bytes * count,
                                     .unit = bytes,
                                     .access = SVMC_ACCESS_WRITE };
    uint8_t *store = e->r.x->priv.store;
    struct exec_span span;

    if (!svmc_exec_x86_reach_parts(e, &parts, &span))
        return false;
    for (unsigned i = 0; i < count; i++)
        core_store_le64(store + i * bytes, value[i]); /* the next one covers what is too much */
    if (!svmc_exec_write(&e->r, &span))
        return false;
    svmc_exec_x86_move_stack(e, 0 - (uint64_t)bytes * count);
    return true;
}

/* Operands of 16 bits: what operand_bytes does not say of these. */
static bool has_short_operands(const struct svmc_insn *insn)
{
    bool prefix = (insn->priv_raw[1] & PREFIX_OSIZE) != 0;

    return insn->isa != SVMC_ISA_X86_64 && prefix != (insn->isa == SVMC_ISA_X86_16);
}

/* XS-6: SGDT, SIDT, LGDT, LIDT. */
static bool move_table(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    bool interrupts = insn->id == SVMC_X86_SIDT || insn->id == SVMC_X86_LIDT;
    struct svmc_exec_table *t = interrupts ? &e->regs->idt : &e->regs->gdt;
    unsigned bytes = e->wide ? 10 : 6;
    const struct x86_parts parts = { .offset = x86_offset(e) & core_mask(insn->address_bytes),
                                     .segment = insn->segment,
                                     .bytes = bytes,
                                     .unit = 2,
                                     .access = SVMC_ACCESS_WRITE };
    struct exec_span span;
    uint64_t value[2];

    if (insn->id == SVMC_X86_SGDT || insn->id == SVMC_X86_SIDT) {
        if (!svmc_exec_x86_reach_parts(e, &parts, &span))
            return false;
        core_store_le16(e->r.x->priv.store, t->limit);
        core_store_le64(e->r.x->priv.store + 2, t->base);
        return svmc_exec_write(&e->r, &span);
    }
    if (!svmc_exec_x86_read_parts(e, bytes, 2, value))
        return false;
    if (has_short_operands(insn))
        value[1] &= 0xffffff;
    if (e->wide && !x86_is_canonical(e, value[1]))
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    *t = (struct svmc_exec_table){ .base = value[1], .limit = (uint16_t)value[0] };
    return true;
}

/* XS-6: SLDT, STR, SMSW, LMSW. */
static bool move_word(struct x86_run *e)
{
    struct svmc_exec_x86 *regs = e->regs;
    unsigned id = e->insn->id;
    uint64_t value[2] = { regs->cr0, 0 }, kept;
    struct exec_span span;

    if ((id == SVMC_X86_SLDT || id == SVMC_X86_STR) && !x86_is_protected(e))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (id == SVMC_X86_LMSW) {
        if (!svmc_exec_x86_read_parts(e, 2, 2, value))
            return false;
        kept = regs->cr0 & (~(uint64_t)CR0_LMSW | CR0_PE); /* PE can be set, not cleared */
        regs->cr0 = kept | (value[0] & CR0_LMSW);
        return true;
    }
    if (id == SVMC_X86_SLDT)
        value[0] = regs->local.selector;
    else if (id == SVMC_X86_STR)
        value[0] = regs->task.selector;
    return x86_reach_memory(e, SVMC_ACCESS_WRITE, &span) &&
           exec_write_value(&e->r, &span, value[0] & 0xffff);
}

/* XS-9: INVLPG of no canonical address does nothing (SDM vol. 2). */
static bool forget_some(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    const struct svmc_exec_segment *s = &e->regs->segment[core_clamp(insn->segment, 6)];
    uint64_t linear = x86_offset(e) & core_mask(insn->address_bytes), kind, value[2];

    if (insn->id == SVMC_X86_INVLPG) {
        if (!e->wide || insn->segment >= SVMC_SEG_FS)
            linear += s->base;
        linear &= e->r.linear_mask;
        if (e->wide && !x86_is_canonical(e, linear))
            return true;
        return svmc_exec_forget(&e->r, SVMC_EXEC_FORGET_PAGE, 0, linear);
    }
    if ((e->regs->rflags & FLAG_VM) && (e->regs->cr0 & CR0_PE))
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    kind = x86_get_reg(e);
    if (!svmc_exec_x86_read_parts(e, 16, 8, value))
        return false;
    if (kind > 3 || value[0] >> 12 != 0 ||
        (kind < 2 && value[0] != 0 && !(e->regs->cr4 & CR4_PCIDE)) ||
        (kind == 0 && e->wide && !x86_is_canonical(e, value[1])))
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    return svmc_exec_forget(&e->r, SVMC_EXEC_FORGET_ADDRESS + (uint32_t)kind, (uint32_t)value[0],
                            kind == 0 ? value[1] : 0);
}

/* XS-8: SDM vol. 3 21.2.2, 21.3. */
EXEC_FN bool svmc_exec_x86_may_use_flags(struct x86_run *e, bool *fake)
{
    const struct svmc_exec_x86 *regs = e->regs;

    *fake = false;
    if (!(regs->rflags & FLAG_VM) || (regs->rflags & FLAG_IOPL) == FLAG_IOPL)
        return true;
    *fake = true;
    return ((regs->cr4 & CR4_VME) && e->insn->operand_bytes == 2) ||
           svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
}

EXEC_FN bool svmc_exec_x86_set_flags(struct x86_run *e, uint64_t value, bool fake, bool iret)
{
    struct svmc_exec_x86 *regs = e->regs;
    uint64_t mask = FLAG_DEFINED | FLAG_NT;
    unsigned iopl = (unsigned)(regs->rflags >> 12) & 3;

    if (fake) {
        if ((value & FLAG_TF) || ((value & FLAG_IF) && (regs->rflags & FLAG_VIP)))
            return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
        mask |= FLAG_VIF;
        value |= value & FLAG_IF ? FLAG_VIF : 0;
    } else if (regs->cpl <= iopl) {
        mask |= FLAG_IF;
    }
    if (regs->cpl == 0)
        mask |= FLAG_IOPL;
    if (e->insn->operand_bytes > 2) {
        mask |= FLAG_AC | FLAG_ID;
        if (iret)
            mask |= FLAG_RF | (regs->cpl == 0 ? FLAG_VIF | FLAG_VIP : 0);
        e->keeps_rf = iret;
    }
    regs->rflags = (regs->rflags & ~mask) | (value & mask);
    return true;
}

static bool push_flags(struct x86_run *e)
{
    uint64_t value = e->regs->rflags & ~(uint64_t)(FLAG_VM | FLAG_RF);
    bool fake;

    if (!svmc_exec_x86_may_use_flags(e, &fake))
        return false;
    if (fake)
        value = (value & ~(uint64_t)FLAG_IF) | FLAG_IOPL | (value & FLAG_VIF ? FLAG_IF : 0);
    return svmc_exec_x86_push_parts(e, e->insn->operand_bytes, 1, &value);
}

static bool pop_flags(struct x86_run *e)
{
    unsigned bytes = e->insn->operand_bytes;
    uint64_t value;
    bool fake;

    if (!svmc_exec_x86_may_use_flags(e, &fake) || !svmc_exec_x86_peek(e, 0, bytes, 1, &value) ||
        !svmc_exec_x86_set_flags(e, value, fake, false))
        return false;
    svmc_exec_x86_move_stack(e, bytes);
    return true;
}

/*
 * XS-10: eight words of the stack, each translated by itself, as the processor does it: from the
 * top on, or down from the end. They lie on two pages at most.
 */
static bool reach_all(struct x86_run *e, uint64_t low, bool down, struct exec_span *all)
{
    unsigned bytes = e->insn->operand_bytes;
    struct x86_parts parts = { .segment = SVMC_SEG_SS,
                               .bytes = bytes,
                               .unit = bytes,
                               .access = down ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ };
    struct exec_span span;

    *all = (struct exec_span){ .bytes = 8 * bytes, .first = 8 * bytes };
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = down ? 7 - i : i;

        parts.offset = (low + n * bytes) & core_mask(svmc_exec_x86_stack_bytes(e));
        if (!svmc_exec_x86_reach_parts(e, &parts, &span))
            return false;
        if (n == 0)
            all->at[0] = span.at[0];
        if (n == 7)
            all->at[1] = span.at[span.first < span.bytes] & ~(uint64_t)(EXEC_PAGE - 1);
    }
    if ((all->at[0] & (EXEC_PAGE - 1)) + all->bytes > EXEC_PAGE)
        all->first = EXEC_PAGE - (uint32_t)(all->at[0] & (EXEC_PAGE - 1));
    return true;
}

/* DI is at the top, AX above all. */
static bool push_all(struct x86_run *e)
{
    unsigned bytes = e->insn->operand_bytes;
    uint8_t *store = e->r.x->priv.store;
    struct exec_span all;

    if (!reach_all(e, e->regs->general[SVMC_REG_RSP] - 8 * bytes, true, &all))
        return false;
    for (unsigned i = 0; i < 8; i++) /* the next one covers what is too much */
        core_store_le64(store + i * bytes, e->regs->general[7 - i]);
    if (!svmc_exec_write(&e->r, &all))
        return false;
    svmc_exec_x86_move_stack(e, 0 - (uint64_t)8 * bytes);
    return true;
}

static bool pop_all(struct x86_run *e)
{
    unsigned bytes = e->insn->operand_bytes;
    struct exec_span all;
    const uint8_t *data;

    if (!reach_all(e, e->regs->general[SVMC_REG_RSP], false, &all))
        return false;
    data = svmc_exec_read(&e->r, &all);
    if (data == NULL)
        return false;
    for (unsigned i = 0; i < 8; i++)
        if (i != 7 - SVMC_REG_RSP)
            x86_set(e, 7 - i, bytes, core_load_le64(data + i * bytes));
    svmc_exec_x86_move_stack(e, 8 * bytes);
    return true;
}

static bool check_bound(struct x86_run *e)
{
    unsigned bytes = e->insn->operand_bytes, bits = 8 * bytes;
    int64_t index = core_sign_extend(x86_get_reg(e), bits);
    uint64_t value[2];

    if (!svmc_exec_x86_read_parts(e, 2 * bytes, bytes, value))
        return false;
    return (index >= core_sign_extend(value[0], bits) &&
            index <= core_sign_extend(value[1], bits)) ||
           svmc_exec_fault(&e->r, VECTOR_BR, false, 0);
}

static bool adjust_rpl(struct x86_run *e)
{
    uint64_t value, rpl = x86_get_reg(e) & 3;
    struct exec_span span;

    if (!x86_is_protected(e))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (!x86_reach_memory(e, SVMC_ACCESS_READ, &span) || !x86_read(e, &span, &value))
        return false;
    if ((value & 3) >= rpl) {
        e->regs->rflags &= ~(uint64_t)FLAG_ZF;
        return true;
    }
    if (!x86_reach_memory(e, SVMC_ACCESS_WRITE, &span) ||
        !exec_write_value(&e->r, &span, (value & ~(uint64_t)3) | rpl))
        return false;
    e->regs->rflags |= FLAG_ZF;
    return true;
}

EXEC_FN bool svmc_exec_x86_system(struct x86_run *e)
{
    switch (e->shape) {
    case SHAPE_SYS_TABLE:
        return move_table(e);
    case SHAPE_SYS_WORD:
        return move_word(e);
    case SHAPE_SYS_FORGET:
        return forget_some(e);
    case SHAPE_SYS_PUSHF:
        return push_flags(e);
    case SHAPE_SYS_POPF:
        return pop_flags(e);
    case SHAPE_SYS_PUSHA:
        return push_all(e);
    case SHAPE_SYS_POPA:
        return pop_all(e);
    case SHAPE_SYS_BOUND:
        return check_bound(e);
    default: /* ARPL */
        return adjust_rpl(e);
    }
}
