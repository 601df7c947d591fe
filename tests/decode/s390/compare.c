/* SPDX-License-Identifier: MIT */
/* What the text of a reference says, beside what we say. */
#include <stdio.h>
#include <string.h>

#include "decode/s390/s390.h"
#include "decode/s390/s390_names.h"
#include "decode/s390/s390_tables.h"
#include "justified.h"
#include "names.h"

bool has_general_operand(uint16_t id)
{
    return id == SVMC_S390_EEDTR || id == SVMC_S390_ESDTR || id == SVMC_S390_EEXTR ||
           id == SVMC_S390_ESXTR || id == SVMC_S390_IEDTR || id == SVMC_S390_IEXTR ||
           id == SVMC_S390_RRDTR || id == SVMC_S390_RRXTR;
}

bool has_hint(uint16_t id)
{
    return id == SVMC_S390_BPP || id == SVMC_S390_BPRP;
}

bool has_control_word(uint16_t id)
{
    return id == SVMC_S390_SFPC || id == SVMC_S390_EFPC;
}

/* What of a text was seen so far. */
struct seen {
    unsigned regs;                 /* of the file of reg */
    int64_t numbers[OPERANDS_MAX]; /* bare ones: immediates, and addresses without a register */
    unsigned number_count;
    bool any_register, first, second, target;
    bool base_register; /* one that is our base */
};

static bool is_register(const struct parsed_operand *o, uint8_t kind, uint8_t reg)
{
    static const char files[] = { [SVMC_REG_KIND_GPR] = 'r',
                                  [SVMC_REG_KIND_CONTROL] = 'c',
                                  [SVMC_REG_KIND_VECTOR] = 'v',
                                  [SVMC_REG_KIND_ACCESS] = 'a' };

    return files[kind] == o->file &&
           reg == (kind == SVMC_REG_KIND_GPR ? SVMC_REG_S390_R0 : 0) + o->reg;
}

static bool same_file(const struct parsed_operand *o, uint8_t kind)
{
    return o->file == (kind == SVMC_REG_KIND_GPR       ? 'r'
                       : kind == SVMC_REG_KIND_CONTROL ? 'c'
                       : kind == SVMC_REG_KIND_ACCESS  ? 'a'
                                                       : 'v');
}

static bool general_is(int shown, uint8_t reg)
{
    return shown < 0 ? reg == SVMC_REG_NONE : reg == SVMC_REG_S390_R0 + shown;
}

bool has_padding(uint16_t id)
{
    return id == SVMC_S390_MVCLE || id == SVMC_S390_CLCLE || id == SVMC_S390_MVCLU ||
           id == SVMC_S390_CLCLU;
}

bool has_vector_index(uint16_t id)
{
    return id == SVMC_S390_VGEF || id == SVMC_S390_VGEG || id == SVMC_S390_VSCEF ||
           id == SVMC_S390_VSCEG;
}

static bool is_move_with_length_register(uint16_t id)
{
    return id == SVMC_S390_MVCK || id == SVMC_S390_MVCP || id == SVMC_S390_MVCS;
}

/* TRTR: the address is that of the last byte, so that we give no size (S390-9). */
static int length_field(const struct svmc_insn *a)
{
    return (int)(a->priv_raw[0] >> 16 & 0xff) + 1;
}

static const char *first_memory(const struct svmc_insn *a, const struct parsed_operand *o)
{
    if (o->value != a->disp || !general_is(o->base, a->base))
        return "base or displacement";
    if (o->index_file == 'v' ? a->index != o->index : !general_is(o->index, a->index))
        return "index";
    if (o->length && o->length != (a->id == SVMC_S390_TRTR ? length_field(a) : a->mem_bytes))
        return "length";
    return NULL;
}

static const char *second_memory(const struct svmc_insn *a, const struct parsed_operand *o)
{
    if (o->value != (int64_t)(a->priv_raw[2] & 0xffff) ||
        !general_is(o->base, (uint8_t)(a->priv_raw[1] >> 8)))
        return "base or displacement of the second address";
    if (o->length && o->length != (int)(a->priv_raw[2] >> 16))
        return "second length";
    return NULL;
}

/* LLVM shows an index without a base as if it were a base; binutils tells them apart. */
static bool is_lone_index(const struct svmc_insn *a, const struct parsed_operand *o)
{
    return a->base == SVMC_REG_NONE && o->base >= 0 && o->index < 0 && !o->length &&
           general_is(o->base, a->index) && o->value == a->disp;
}

static const char *memory_differs(const struct svmc_insn *a, struct parsed_operand o,
                                  struct seen *seen, enum reference_id who, unsigned forgiven)
{
    if ((forgiven & F_PADDING) && has_padding(a->id))
        return NULL;
    if (is_move_with_length_register(a->id) && !seen->first) {
        struct parsed_operand r = { .file = 'r' };

        if (o.index < 0 && who == LLVM) { /* the same: the length register alone */
            o.index = o.base;
            o.base = -1;
        }
        r.reg = o.index < 0 ? 0 : o.index;
        if (!is_register(&r, a->reg_kind, a->reg))
            return "length register";
        seen->any_register = true;
        seen->regs++;
        o.index = -1;
    }
    if ((forgiven & F_VINDEX) && has_vector_index(a->id) && a->index == 0 && o.index < 0) {
        o.index = 0;
        o.index_file = 'v';
    }
    if (!seen->first && !seen->second &&
        (first_memory(a, &o) == NULL || (who == LLVM && is_lone_index(a, &o)))) {
        seen->first = true;
        return NULL;
    }
    if (seen->second)
        return "address";
    seen->second = true;
    return second_memory(a, &o);
}

static const char *register_differs(const struct svmc_insn *a, const struct parsed_operand *o,
                                    struct seen *seen)
{
    const uint8_t regs[] = { a->reg, a->reg2, a->reg3 };
    bool first = !seen->any_register;

    seen->any_register = true;
    seen->base_register |= o->file == 'r' && general_is(o->reg, a->base);
    if (a->reg_kind == SVMC_REG_KIND_NONE)
        return "no register of ours";
    if (!same_file(o, a->reg_kind))
        return first ? "register file" : NULL; /* S390-5: only in the operand list */
    if (seen->regs == sizeof regs)             /* the fourth */
        return NULL;
    return is_register(o, a->reg_kind, regs[seen->regs++]) ? NULL : "register";
}

/* Takes a number away; false if it is not there. */
static bool take(struct seen *seen, int64_t value)
{
    for (unsigned i = 0; i < seen->number_count; i++) {
        if (seen->numbers[i] == value) {
            seen->numbers[i] = seen->numbers[--seen->number_count];
            return true;
        }
    }
    return false;
}

static bool has_address(const struct s390_layout *layout)
{
    return layout->disp == S390_DISP_D12 || layout->disp == S390_DISP_D12V ||
           layout->disp == S390_DISP_D20;
}

/* An address that was not seen with registers must be there as a number. */
static const char *addresses_differ(const struct svmc_insn *a, const struct s390_layout *layout,
                                    struct seen *seen, unsigned forgiven)
{
    bool index_shown = a->index != SVMC_REG_NONE;

    if ((forgiven & F_VINDEX) && has_vector_index(a->id) && a->index == 0)
        index_shown = false;
    if (!has_address(layout)) {
        if (layout->disp != S390_DISP_NONE && !seen->target)
            return "no target";
        if (layout->disp == S390_DISP_NONE && a->base != SVMC_REG_NONE && !seen->base_register)
            return "our base is no operand";
        return NULL;
    }
    if (!seen->first && (a->base != SVMC_REG_NONE || index_shown || !take(seen, a->disp)))
        return "first address";
    if (layout->base_second >> 4 && !seen->second &&
        ((uint8_t)(a->priv_raw[1] >> 8) != SVMC_REG_NONE || !take(seen, a->priv_raw[2] & 0xffff)))
        return "second address";
    return NULL;
}

/* plain: no mask is hidden in the mnemonic. Compare-and-branch to an address has two immediates. */
static const char *immediates_differ(const struct svmc_insn *a, const struct s390_layout *layout,
                                     struct seen *seen, bool plain)
{
    bool two = a->id == SVMC_S390_CIB || a->id == SVMC_S390_CGIB || a->id == SVMC_S390_CLIB ||
               a->id == SVMC_S390_CLGIB;
    bool any = seen->number_count != 0;

    if (layout->imm == 0)
        return any ? "a number we do not have" : NULL;
    if (!take(seen, (int64_t)a->imm) && plain && (any || a->imm != 0))
        return "immediate";
    if (has_address(layout) && seen->number_count > two)
        return "more numbers than ours";
    return NULL;
}

static const char *operands_differ(const struct svmc_insn *a, const struct parsed *p, bool plain,
                                   enum reference_id who, unsigned forgiven)
{
    const struct s390_layout *layout = &s390_layouts[a->priv_form];
    const uint8_t regs[] = { a->reg, a->reg2, a->reg3 };
    struct seen seen = { 0 };
    const char *why = NULL;

    for (unsigned i = 0; i < p->count && !why; i++) {
        const struct parsed_operand *o = &p->operands[i];

        if (o->kind == PARSED_REG)
            why = register_differs(a, o, &seen);
        else if (o->kind == PARSED_NUMBER &&
                 !((forgiven & F_PADDING) && has_padding(a->id) && i == p->count - 1))
            seen.numbers[seen.number_count++] = o->value;
        else if (o->kind == PARSED_MEM)
            why = memory_differs(a, *o, &seen, who, forgiven);
        else if (o->kind == PARSED_TARGET && !((forgiven & F_HINT) && has_hint(a->id))) {
            seen.target = true;
            why = o->value == a->disp ? NULL : "target";
        }
    }
    if (!why)
        why = addresses_differ(a, layout, &seen, forgiven);
    if (!why)
        why = immediates_differ(a, layout, &seen, plain);
    for (unsigned i = seen.regs; i < sizeof regs && !why; i++)
        if (regs[i] != SVMC_REG_NONE && !name_hides_register(p->name))
            why = "a register the text does not show";
    return why;
}

/* name_fits, of which the last answer for an id is kept: the mask changes more often. */
static bool name_is(enum reference_id who, const struct svmc_insn *a, const char *shown,
                    bool *plain)
{
    static struct {
        char shown[16];
        uint64_t imm;
        bool fits, plain;
    } last[REFERENCES][0x10000]; /* by id */

    if (strcmp(last[who][a->id].shown, shown) != 0 || last[who][a->id].imm != a->imm) {
        strcpy(last[who][a->id].shown, shown);
        last[who][a->id].imm = a->imm;
        last[who][a->id].fits = name_fits(a->id, shown, a->imm, &last[who][a->id].plain);
    }
    *plain = last[who][a->id].plain;
    return last[who][a->id].fits;
}

unsigned text_differs(const struct svmc_insn *a, const struct parsed *p, enum reference_id who,
                      unsigned forgiven, const char **why)
{
    bool plain;

    *why = NULL;
    if (p->length != a->length) {
        *why = "length";
        return A_LENGTH;
    }
    if (!name_is(who, a, p->name, &plain)) {
        *why = "mnemonic";
        return A_NAME;
    }
    if ((forgiven & F_GENERAL) && has_general_operand(a->id))
        return 0;
    if ((forgiven & F_CONTROL) && has_control_word(a->id) && p->count == 2)
        *why = is_register(&p->operands[0], a->reg_kind, a->reg) ? NULL : "register";
    else
        *why = operands_differ(a, p, plain, who, forgiven);
    return *why ? A_OPERANDS : 0;
}
