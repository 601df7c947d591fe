/* SPDX-License-Identifier: MIT */
/** x86: descriptors, far branches, flags and tables: what their files share. */
#ifndef EXEC_X86_SYSTEM_H
#define EXEC_X86_SYSTEM_H
#include "x86_private.h"

#define VECTOR_BR 5u
#define VECTOR_TS 10u
#define VECTOR_NP 11u

#define FLAG_IF   0x200u
#define FLAG_IOPL 0x3000u
#define FLAG_NT   0x4000u
#define FLAG_VIF  0x80000u
#define FLAG_VIP  0x100000u
#define FLAG_ID   0x200000u

#define FLAG_DEFINED 0x0dd5u   /* CF, PF, AF, ZF, SF, TF, DF, OF */
#define FLAG_VIRTUAL 0x3f7fd5u /* all that there are, VM too */

#define CR4_VME   0x1u
#define CR4_LA57  0x1000u
#define CR4_PCIDE 0x20000u
#define EFER_LMA  0x400u

#define SELECTOR_LOCAL 4u

/* An entry of a descriptor table: SDM vol. 3 figure 3-8. */
#define ENTRY_ACCESSED   ((uint64_t)1 << 40)
#define ENTRY_BUSY       ((uint64_t)1 << 41) /* of a TSS */
#define ENTRY_WRITABLE   ((uint64_t)1 << 41) /* code: readable */
#define ENTRY_CONFORMING ((uint64_t)1 << 42) /* code */
#define ENTRY_CODE       ((uint64_t)1 << 43)
#define ENTRY_MEMORY     ((uint64_t)1 << 44) /* S: code or data */
#define ENTRY_PRESENT    ((uint64_t)1 << 47)
#define ENTRY_LONG       ((uint64_t)1 << 53)
#define ENTRY_BIG        ((uint64_t)1 << 54)
#define ENTRY_GRANULAR   ((uint64_t)1 << 55)
#define ENTRY_DPL(low)   ((unsigned)((low) >> 45) & 3)
#define ENTRY_TYPE(low)  ((unsigned)((low) >> 40) & 31) /* with S */
#define TYPE_GATE_16     4u                             /* call gates: SDM vol. 3 table 3-2 */
#define TYPE_GATE        12u

struct x86_entry {
    uint64_t low, high;
    bool there; /* false: outside of its table, or none was asked for */
};

static inline bool x86_is_protected(const struct x86_run *e)
{
    return (e->regs->cr0 & CR0_PE) && !(e->regs->rflags & FLAG_VM);
}

/* Long mode, compatibility mode as well. */
static inline bool x86_is_long(const struct x86_run *e)
{
    return e->wide || (x86_is_protected(e) && (e->regs->efer & EFER_LMA));
}

/* Bits of a canonical address, of code in compatibility mode as well. */
static inline unsigned x86_bits(const struct x86_run *e)
{
    if (e->wide)
        return e->regs->address_bits;
    return e->regs->cr4 & CR4_LA57 ? 57 : 48;
}

/** An operand of parts that are `unit` bytes wide each, as far as alignment goes. */
struct x86_parts {
    uint64_t offset;
    unsigned segment, bytes, unit;
    uint32_t access;
};

EXEC_FN bool svmc_exec_x86_reach_parts(struct x86_run *e, const struct x86_parts *parts,
                                       struct exec_span *span);
/** The memory operand as two numbers: the low `first` bytes of it, and the rest. */
EXEC_FN bool svmc_exec_x86_read_parts(struct x86_run *e, unsigned bytes, unsigned first,
                                      uint64_t value[2]);
/** count numbers of `bytes` bytes each, `skip` bytes above the top of the stack; RSP stays. */
EXEC_FN bool svmc_exec_x86_peek(struct x86_run *e, uint64_t skip, unsigned bytes, unsigned count,
                                uint64_t *value);
/** Push count numbers, the last one first, at one go. */
EXEC_FN bool svmc_exec_x86_push_parts(struct x86_run *e, unsigned bytes, unsigned count,
                                      const uint64_t *value);
/**
 * XS-2: linear memory with the rights of `user`, SVMC_EXEC_USER, SVMC_EXEC_SYSTEM (WK-35) or 0, at
 * addresses as wide as the processor's mode has them: a table may go on where no address is.
 */
static inline bool x86_reach_as(struct x86_run *e, uint64_t linear, unsigned bytes, uint32_t access,
                                uint32_t user, struct exec_span *span)
{
    const bool is_long = x86_is_long(e);
    const unsigned bits = is_long ? x86_bits(e) : 64;
    uint32_t old = e->r.user;
    uint64_t mask = e->r.linear_mask, last = linear + bytes - 1;
    bool ok;

    if ((uint64_t)core_sign_extend(linear, bits) != linear ||
        (uint64_t)core_sign_extend(last, bits) != last)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    e->r.user = user;
    e->r.linear_mask = is_long ? ~(uint64_t)0 : core_mask(4);
    ok = exec_reach(&e->r, linear & e->r.linear_mask, bytes, access, span);
    e->r.user = old;
    e->r.linear_mask = mask;
    return ok;
}

/** A part of the TSS. */
EXEC_FN bool svmc_exec_x86_read_task(struct x86_run *e, uint32_t offset, unsigned bytes,
                                     uint64_t *value);
/** Type and limit of a segment (XE-13). */
EXEC_FN bool svmc_exec_x86_is_within(const struct x86_run *e, const struct svmc_exec_segment *s,
                                     uint64_t offset, unsigned bytes, uint32_t access);
EXEC_FN void svmc_exec_x86_move_stack(struct x86_run *e, uint64_t by);
EXEC_FN unsigned svmc_exec_x86_stack_bytes(const struct x86_run *e);

/** Stops: #GP, #NP, #SS with the selector. */
EXEC_FN bool svmc_exec_x86_refuse_selector(struct x86_run *e, unsigned vector, unsigned selector);
/** The entry of a selector that is not null, 8 or 16 bytes of it. */
EXEC_FN bool svmc_exec_x86_entry(struct x86_run *e, unsigned selector, unsigned bytes,
                                 struct x86_entry *out);
/** The upper half of one of 16 bytes; there: false: it has none. */
EXEC_FN bool svmc_exec_x86_upper(struct x86_run *e, unsigned selector, struct x86_entry *entry);
EXEC_FN bool svmc_exec_x86_mark(struct x86_run *e, unsigned selector, uint64_t low, uint64_t bit);
EXEC_FN void svmc_exec_x86_describe(uint64_t low, unsigned selector, struct svmc_exec_segment *out);
EXEC_FN bool svmc_exec_x86_check_stack(struct x86_run *e, unsigned selector, unsigned cpl,
                                       bool null_too, unsigned vector, struct x86_entry *out);
EXEC_FN void svmc_exec_x86_null_segment(const struct x86_run *e, unsigned selector, uint32_t dpl,
                                        struct svmc_exec_segment *s);
EXEC_FN void svmc_exec_x86_real_segment(const struct x86_run *e, unsigned selector,
                                        struct svmc_exec_segment *s);

/** Whether virtual-8086 mode keeps PUSHF, POPF, IRET from it: #GP(0). *fake: VIF is its IF. */
EXEC_FN bool svmc_exec_x86_may_use_flags(struct x86_run *e, bool *fake);
/** XS-8: what POPF, and IRET, put into the flags. */
EXEC_FN bool svmc_exec_x86_set_flags(struct x86_run *e, uint64_t value, bool fake, bool iret);

/** Of SHAPE_SYS_, true as all shapes: done. */
EXEC_FN bool svmc_exec_x86_load_system(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_ask(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_far(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_back(struct x86_run *e);

#endif
