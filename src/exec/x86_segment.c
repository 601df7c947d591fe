/* SPDX-License-Identifier: MIT */
/* x86: descriptors and what is loaded from them. Rules XS-n: docs/spec/exec_system.md. */
#include "x86_system.h"

#define DESCRIPTOR_BYTES 8u

EXEC_FN CORE_COLD bool svmc_exec_x86_refuse_selector(struct x86_run *e, unsigned vector,
                                                     unsigned selector)
{
    return svmc_exec_fault(&e->r, vector, true, selector & 0xfffc);
}

/* Where the entry lies; false: outside of its table (SDM vol. 3 3.5.1), or there is none. */
static bool find_entry(const struct x86_run *e, unsigned selector, unsigned bytes, uint64_t *linear)
{
    const struct svmc_exec_segment *local = &e->regs->local;
    uint64_t base = e->regs->gdt.base;
    uint32_t limit = e->regs->gdt.limit, index = selector & 0xfff8;

    if (selector & SELECTOR_LOCAL) {
        base = local->base;
        limit = local->limit;
        if (local->rights & SVMC_RIGHTS_UNUSABLE)
            return false;
    }
    *linear = base + index;
    return index + bytes - 1 <= limit;
}

EXEC_FN bool svmc_exec_x86_entry(struct x86_run *e, unsigned selector, unsigned bytes,
                                 struct x86_entry *out)
{
    struct exec_span span;
    const uint8_t *data;
    uint64_t linear;

    *out = (struct x86_entry){ .there = find_entry(e, selector, bytes, &linear) };
    if (!out->there)
        return true;
    if (!x86_reach_as(e, linear, bytes, SVMC_ACCESS_READ, SVMC_EXEC_SYSTEM, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL)
        return false;
    out->low = core_load_le64(data);
    if (bytes > DESCRIPTOR_BYTES)
        out->high = core_load_le64(data + DESCRIPTOR_BYTES);
    return true;
}

EXEC_FN bool svmc_exec_x86_upper(struct x86_run *e, unsigned selector, struct x86_entry *entry)
{
    struct exec_span span;
    uint64_t linear;

    entry->there = find_entry(e, selector, 2 * DESCRIPTOR_BYTES, &linear);
    if (!entry->there)
        return true;
    linear += DESCRIPTOR_BYTES;
    return x86_reach_as(e, linear, DESCRIPTOR_BYTES, SVMC_ACCESS_READ, SVMC_EXEC_SYSTEM, &span) &&
           x86_read(e, &span, &entry->high);
}

/* XS-3: accessed or busy, in one step. */
EXEC_FN bool svmc_exec_x86_mark(struct x86_run *e, unsigned selector, uint64_t low, uint64_t bit)
{
    struct exec_span span;
    uint8_t expected[DESCRIPTOR_BYTES];
    const uint8_t *seen;
    uint64_t linear;

    if ((low & bit) != 0 || !find_entry(e, selector, DESCRIPTOR_BYTES, &linear))
        return true;
    if (!x86_reach_as(e, linear, DESCRIPTOR_BYTES, SVMC_ACCESS_RW, SVMC_EXEC_SYSTEM, &span) ||
        !svmc_exec_can_exchange(&e->r, &span))
        return false;
    core_store_le64(expected, low);
    core_store_le64(e->r.x->priv.store, low | bit);
    if (!svmc_exec_exchange(&e->r, &span, expected, &seen))
        return false;
    return core_load_le64(seen) == low || exec_stop(&e->r, SVMC_EXEC_AGAIN, SVMC_EXEC_REASON_NONE);
}

EXEC_FN void svmc_exec_x86_describe(uint64_t low, unsigned selector, struct svmc_exec_segment *out)
{
    uint32_t limit = (uint32_t)((low & 0xffff) | (low >> 32 & 0xf0000));

    *out = (struct svmc_exec_segment){ .base = (low >> 16 & 0xffffff) | (low >> 32 & 0xff000000),
                                       .limit = limit,
                                       .rights = (uint32_t)(low >> 40 & 0xf0ff),
                                       .selector = (uint16_t)selector };
    if (low & ENTRY_GRANULAR)
        out->limit = limit << 12 | 0xfff;
}

/* XS-4: SS. null_too: where 64-bit mode allows it; vector: #GP, or #TS of a call gate. */
EXEC_FN bool svmc_exec_x86_check_stack(struct x86_run *e, unsigned selector, unsigned cpl,
                                       bool null_too, unsigned vector, struct x86_entry *out)
{
    *out = (struct x86_entry){ 0 };
    if ((selector & 0xfffc) == 0) { /* CVE-2017-2583 */
        if (null_too && cpl != 3 && (selector & 3) == cpl) {
            out->low = (uint64_t)cpl << 45;
            return true;
        }
        return svmc_exec_x86_refuse_selector(e, vector, 0);
    }
    if (!svmc_exec_x86_entry(e, selector, DESCRIPTOR_BYTES, out))
        return false;
    if (!out->there || (selector & 3) != cpl || ENTRY_DPL(out->low) != cpl ||
        (out->low & (ENTRY_MEMORY | ENTRY_CODE | ENTRY_WRITABLE)) !=
            (ENTRY_MEMORY | ENTRY_WRITABLE))
        return svmc_exec_x86_refuse_selector(e, vector, selector);
    if (!(out->low & ENTRY_PRESENT))
        return svmc_exec_x86_refuse_selector(e, VECTOR_SS, selector);
    return true;
}

EXEC_FN void svmc_exec_x86_null_segment(const struct x86_run *e, unsigned selector, uint32_t dpl,
                                        struct svmc_exec_segment *s)
{
    if (e->regs->vendor != SVMC_VENDOR_AMD) { /* AMD: base and limit stay: XS-4 */
        s->base = 0;
        s->limit = 0;
    }
    s->rights = SVMC_RIGHTS_UNUSABLE | dpl << 5;
    s->selector = (uint16_t)selector;
}

/* XS-4: DS, ES, FS, GS. */
static bool check_data(struct x86_run *e, unsigned selector, struct x86_entry *out)
{
    unsigned cpl = e->regs->cpl;

    *out = (struct x86_entry){ 0 };
    if ((selector & 0xfffc) == 0)
        return true;
    if (!svmc_exec_x86_entry(e, selector, DESCRIPTOR_BYTES, out))
        return false;
    if (!out->there || !(out->low & ENTRY_MEMORY) ||
        (out->low & (ENTRY_CODE | ENTRY_WRITABLE)) == ENTRY_CODE) /* code: not readable */
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, selector);
    if ((out->low & (ENTRY_CODE | ENTRY_CONFORMING)) != (ENTRY_CODE | ENTRY_CONFORMING) &&
        (ENTRY_DPL(out->low) < (selector & 3) || ENTRY_DPL(out->low) < cpl))
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, selector);
    return (out->low & ENTRY_PRESENT) || svmc_exec_x86_refuse_selector(e, VECTOR_NP, selector);
}

/* Real and virtual-8086 mode: SDM vol. 3 21.1.1, 21.2. */
EXEC_FN void svmc_exec_x86_real_segment(const struct x86_run *e, unsigned selector,
                                        struct svmc_exec_segment *s)
{
    s->selector = (uint16_t)selector;
    s->base = (uint64_t)selector << 4;
    if (e->regs->rflags & FLAG_VM) {
        s->limit = 0xffff;
        s->rights = 0xf3; /* data, writable, accessed, DPL 3 */
    }
}

static bool load_selector(struct x86_run *e, unsigned segment, unsigned selector)
{
    struct svmc_exec_segment *s = &e->regs->segment[core_clamp(segment, 6)];
    const unsigned cpl = e->regs->cpl;
    struct x86_entry entry;

    if (!x86_is_protected(e)) {
        svmc_exec_x86_real_segment(e, selector, s);
        return true;
    }
    if (segment == SVMC_SEG_SS) {
        if (!svmc_exec_x86_check_stack(e, selector, cpl, e->wide, VECTOR_GP, &entry))
            return false;
    } else if (!check_data(e, selector, &entry)) {
        return false;
    }
    if (entry.there && !svmc_exec_x86_mark(e, selector, entry.low, ENTRY_ACCESSED))
        return false;
    if (entry.there)
        svmc_exec_x86_describe(entry.low | ENTRY_ACCESSED, selector, s);
    else
        svmc_exec_x86_null_segment(e, selector, ENTRY_DPL(entry.low), s);
    return true;
}

/* Which one LDS and its like load. */
static unsigned loaded_by(const struct svmc_insn *insn)
{
    switch (insn->id) {
    case SVMC_X86_LDS:
        return SVMC_SEG_DS;
    case SVMC_X86_LES:
        return SVMC_SEG_ES;
    case SVMC_X86_LSS:
        return SVMC_SEG_SS;
    case SVMC_X86_LFS:
        return SVMC_SEG_FS;
    case SVMC_X86_LGS:
        return SVMC_SEG_GS;
    default:
        return insn->reg;
    }
}

/* MOV and POP to a segment register, pointers: XS-1 XS-4. */
EXEC_FN bool svmc_exec_x86_segment(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    bool pop = insn->id == SVMC_X86_POP, pointer = insn->reg_kind == SVMC_REG_KIND_GPR;
    unsigned segment = loaded_by(insn), bytes = insn->mem_bytes;
    uint64_t value[2] = { 0, 0 };

    if (pop) {
        if (!svmc_exec_x86_peek(e, 0, insn->operand_bytes, 1, value))
            return false;
    } else if (!svmc_exec_x86_read_parts(e, bytes, pointer ? bytes - 2 : bytes, value)) {
        return false;
    }
    if (!load_selector(e, segment, (unsigned)value[pointer ? 1 : 0] & 0xffff))
        return false;
    if (pointer)
        x86_set_reg(e, value[0]);
    if (pop)
        svmc_exec_x86_move_stack(e, insn->operand_bytes);
    if (segment == SVMC_SEG_SS && !pointer)
        e->shadow = SVMC_STATE_SHADOW_SS;
    return true;
}

/* XS-5: LLDT, LTR. 64-bit mode has entries of 16 bytes. */
EXEC_FN bool svmc_exec_x86_load_system(struct x86_run *e)
{
    bool task = e->insn->id == SVMC_X86_LTR;
    struct svmc_exec_segment *s = task ? &e->regs->task : &e->regs->local;
    unsigned selector, type, bytes = x86_is_long(e) ? 16 : 8;
    uint64_t value[2];
    struct x86_entry entry;

    if (!x86_is_protected(e))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (!svmc_exec_x86_read_parts(e, 2, 2, value))
        return false;
    selector = (unsigned)value[0];
    if ((selector & 0xfffc) == 0 && !task) {
        *s = (struct svmc_exec_segment){ .rights = SVMC_RIGHTS_UNUSABLE,
                                         .selector = (uint16_t)selector };
        return true;
    }
    if ((selector & 0xfffc) == 0 || (selector & SELECTOR_LOCAL))
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, selector);
    if (!svmc_exec_x86_entry(e, selector, bytes, &entry))
        return false;
    type = ENTRY_TYPE(entry.low);
    if (!entry.there || (task ? type != 9 && (type != 1 || x86_is_long(e)) : type != 2) ||
        (entry.high >> 40 & 0x1f) != 0)
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, selector);
    if (!(entry.low & ENTRY_PRESENT))
        return svmc_exec_x86_refuse_selector(e, VECTOR_NP, selector);
    if ((uint64_t)core_sign_extend(entry.high << 32, x86_bits(e)) != entry.high << 32)
        return svmc_exec_x86_refuse_selector(e, VECTOR_GP, selector);
    if (task && !svmc_exec_x86_mark(e, selector, entry.low, ENTRY_BUSY))
        return false;
    svmc_exec_x86_describe(task ? entry.low | ENTRY_BUSY : entry.low, selector, s);
    s->base |= entry.high << 32;
    return true;
}

/* Of VERR, VERW, LAR, LSL: what the selector says, without a fault (SDM vol. 2). */
static bool is_visible(const struct x86_run *e, unsigned selector, const struct x86_entry *entry)
{
    unsigned id = e->insn->id, type = ENTRY_TYPE(entry->low), allowed;
    bool conforming =
        (entry->low & (ENTRY_CODE | ENTRY_CONFORMING)) == (ENTRY_CODE | ENTRY_CONFORMING);

    if ((selector & 0xfffc) == 0 || !entry->there)
        return false;
    if (entry->low & ENTRY_MEMORY) {
        if (id == SVMC_X86_VERR && (entry->low & (ENTRY_CODE | ENTRY_WRITABLE)) == ENTRY_CODE)
            return false;
        if (id == SVMC_X86_VERW && (entry->low & (ENTRY_CODE | ENTRY_WRITABLE)) != ENTRY_WRITABLE)
            return false;
        if (conforming)
            return true;
    } else {
        allowed = x86_is_long(e) ? 0x0a04 : 0x0a0e; /* LDT, TSS */
        if (id == SVMC_X86_LAR)
            allowed = x86_is_long(e) ? 0x1a04 : 0x1a3e; /* gates too */
        if ((id != SVMC_X86_LAR && id != SVMC_X86_LSL) || !(allowed >> type & 1))
            return false;
    }
    return ENTRY_DPL(entry->low) >= (selector & 3) && ENTRY_DPL(entry->low) >= e->regs->cpl;
}

/* XS-5 */
EXEC_FN bool svmc_exec_x86_ask(struct x86_run *e)
{
    struct svmc_exec_segment s;
    struct x86_entry entry = { 0 };
    uint64_t value[2];
    unsigned selector;
    bool visible;

    if (!x86_is_protected(e))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (!svmc_exec_x86_read_parts(e, 2, 2, value))
        return false;
    selector = (unsigned)value[0];
    if ((selector & 0xfffc) != 0 && !svmc_exec_x86_entry(e, selector, DESCRIPTOR_BYTES, &entry))
        return false;
    visible = is_visible(e, selector, &entry);
    e->regs->rflags &= ~(uint64_t)FLAG_ZF;
    if (!visible)
        return true;
    e->regs->rflags |= FLAG_ZF;
    svmc_exec_x86_describe(entry.low, selector, &s);
    if (e->insn->id == SVMC_X86_LSL)
        x86_set_reg(e, s.limit);
    else if (e->insn->id == SVMC_X86_LAR)
        x86_set_reg(e, entry.low >> 32 & 0xf0ff00);
    return true;
}
