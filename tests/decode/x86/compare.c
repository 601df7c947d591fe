/* SPDX-License-Identifier: MIT */
/* Field by field: what one decoder says beside what ours says. */
#include <string.h>
#include "compare.h"

static uint64_t low(unsigned bytes)
{
    return bytes < 8 ? ((uint64_t)1 << (8 * bytes)) - 1 : UINT64_MAX;
}

/* An index alone, times one, is a base to who reads it off a text. */
static void plain_address(struct svmc_insn *i)
{
    if (i->base == SVMC_REG_NONE && i->index != SVMC_REG_NONE && i->scale == 1) {
        i->base = i->index;
        i->index = SVMC_REG_NONE;
        i->scale = 0;
    }
}

static const struct svmc_operand *first_memory(const struct verdict *v)
{
    for (unsigned i = 0; i < v->count; i++)
        if (v->operands[i].kind == SVMC_OPERAND_MEM)
            return &v->operands[i];
    return NULL;
}

/* The text of LLVM: no default segment, no hidden operand. */
static const char *text_memory_differs(const struct verdict *us, const struct verdict *them)
{
    struct svmc_insn a = us->insn, b = them->insn;

    if (them->count == 0)
        return first_memory(us) ? "no memory operand" : NULL;
    if (first_memory(us) == NULL)
        return "a memory operand";
    plain_address(&a);
    plain_address(&b);
    if (a.base != b.base)
        return "base";
    if (a.index != b.index || a.scale != b.scale)
        return "index";
    return (uint64_t)(a.disp ^ b.disp) & low(a.address_bytes) ? "displacement" : NULL;
}

static const char *memory_differs(const struct svmc_operand *a, const struct svmc_operand *b,
                                  unsigned address_bytes)
{
    if (a->base != b->base)
        return "base";
    if (a->index != b->index || a->scale != b->scale)
        return "index";
    if (a->index_bytes != b->index_bytes || a->lane_bytes != b->lane_bytes)
        return "VSIB";
    if (a->broadcast != b->broadcast)
        return "broadcast";
    return (uint64_t)(a->disp ^ b->disp) & low(address_bytes) ? "displacement" : NULL;
}

static void note(struct difference *d, enum aspect aspect, const char *why)
{
    unsigned n = 0;

    while (!(aspect >> n & 1))
        n++;
    if (!(d->aspects & aspect))
        d->why[n] = why;
    d->aspects |= aspect;
}

static void compare_operand(const struct svmc_operand *a, const struct svmc_operand *b,
                            unsigned address_bytes, struct difference *d)
{
    const char *why;

    if (a->kind != b->kind) {
        note(d, A_OPERANDS, "operand kind");
    } else if (a->kind == SVMC_OPERAND_MEM) {
        if ((why = memory_differs(a, b, address_bytes)) != NULL)
            note(d, A_MEMORY, why);
        if (a->segment != b->segment)
            note(d, A_SEGMENT, "segment");
        if (a->bytes != b->bytes)
            note(d, A_SIZE, "memory size");
        if (a->access != b->access)
            note(d, A_ACCESS, "memory access");
    } else {
        if (a->access != b->access)
            note(d, A_OPERAND_ACCESS, "operand access");
        if (a->kind == SVMC_OPERAND_REG) {
            if (a->reg_kind != b->reg_kind || a->reg != b->reg || a->high != b->high)
                note(d, A_OPERANDS, "register");
            if (a->bytes != b->bytes)
                note(d,
                     a->reg_kind == SVMC_REG_KIND_VECTOR && a->bytes < b->bytes && b->bytes == 16
                         ? A_NARROWER
                         : A_REGISTER_SIZE,
                     "register size");
        } else if (a->imm != (b->imm & low(a->kind == SVMC_OPERAND_IMM ? a->bytes : 8))) {
            note(d, A_OPERANDS, "immediate");
        } else if (a->kind == SVMC_OPERAND_FAR && a->disp != b->disp) {
            note(d, A_OPERANDS, "selector");
        }
    }
}

/* Zydis shows the size that the prefixes give, also where the instruction has one of its own. */
static bool width_is(unsigned bytes, const struct verdict *them)
{
    if (bytes == 0 || bytes == them->insn.operand_bytes)
        return true;
    for (unsigned i = 0; i < them->count; i++)
        if (bytes == them->operands[i].bytes)
            return true;
    return false;
}

static void compare_lists(const struct verdict *us, const struct verdict *them,
                          struct difference *d)
{
    const unsigned flags = SVMC_INSN_LOCK | SVMC_INSN_REP | SVMC_INSN_REPNE;

    if (us->insn.id != them->insn.id)
        note(d, A_IDENTITY, "identity");
    if (us->insn.address_bytes != them->insn.address_bytes)
        note(d, A_ADDRESS_SIZE, "address size");
    if (!width_is(us->insn.operand_bytes, them))
        note(d, A_WIDTH, "operand size");
    for (unsigned i = 0; i < us->count && i < them->count; i++)
        compare_operand(&us->operands[i], &them->operands[i], us->insn.address_bytes, d);
    if (us->count != them->count)
        note(d, A_COUNT, "operand count");
    if ((us->insn.flags ^ them->insn.flags) & flags)
        note(d, A_FLAGS, "LOCK or REP");
}

struct difference verdicts_differ(const struct verdict *us, const struct verdict *them)
{
    struct difference d = { 0 };
    const char *why;

    if (us->accepted != them->accepted)
        note(&d, us->accepted ? A_REFUSE : A_ACCEPT, us->accepted ? "they refuse" : "they accept");
    if (!us->accepted || !them->accepted)
        return d;
    if (us->length != them->length)
        note(&d, A_LENGTH, "length");
    if (them->known & KNOWS_OPERANDS) {
        compare_lists(us, them, &d);
        return d;
    }
    if (them->known & KNOWS_MEMORY && (why = text_memory_differs(us, them)) != NULL)
        note(&d, A_MEMORY, why);
    if (them->count != 0 && them->insn.segment != SVMC_SEG_NONE &&
        them->insn.segment != us->insn.segment)
        note(&d, A_SEGMENT, "segment");
    if (them->known & KNOWS_SIZE && us->insn.mem_bytes != them->insn.mem_bytes)
        note(&d, A_SIZE, "memory size");
    return d;
}
