/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mnemonics.h"
#include "parts.h"

/* A memory operand, or the target of a literal; after it what a post-index adds. */
static bool set_memory(const struct part *p, unsigned bytes, struct svmc_insn *out)
{
    if (p->kind == '@' || p->kind == 'i') {
        out->base = SVMC_REG_PC;
        out->disp = p->value;
        return true;
    }
    if (p->kind != 'm')
        return false;
    out->base = p->base;
    out->index = p->index;
    out->index_extend = p->extend;
    out->scale = (uint8_t)(p->index != SVMC_REG_NONE ? 1 << p->shift : 0);
    out->disp = p->value;
    if (p->shift && 1u << p->shift != bytes)
        return false;
    if (p->bang)
        out->flags |= SVMC_INSN_PRE_INDEX;
    p++;
    if (p->kind == 'i') {
        out->flags |= SVMC_INSN_POST_INDEX;
        out->disp = p->value;
    } else if (p->kind == 'r') {
        out->flags |= SVMC_INSN_POST_INDEX;
        out->index = p->reg;
        out->scale = 1;
    }
    return true;
}

static bool is_gpr(const struct part *p)
{
    return p->kind == 'r' && (p->bank == 'x' || p->bank == 'w');
}

static void set_data(const struct part *p, const struct mnemonic *m, struct svmc_insn *out)
{
    out->reg = p->reg;
    out->reg_bytes = p->bytes;
    out->reg_kind = is_gpr(p) ? SVMC_REG_KIND_GPR : SVMC_REG_KIND_VECTOR;
    out->mem_bytes = m->bytes ? m->bytes : p->bytes;
}

/* X30 and XZR are, too. */
static bool adjacent(const struct part *a, const struct part *b)
{
    return b->reg == (a->reg == SVMC_REG_X30 ? SVMC_REG_XZR : a->reg + 1);
}

/* Registers and memory, by the order of operands. Data registers beyond the first: kinds equal. */
static bool view_memory(const struct mnemonic *m, const struct part *p, struct svmc_insn *out)
{
    const struct part *data = p, *second = NULL, *memory = p + 1;

    out->mem_count = 1;
    switch (m->syntax) {
    case LOAD:
        break;
    case PAIR:
        second = p + 1;
        memory = p + 2;
        out->mem_count = 2;
        break;
    case STATUS:
    case STATUS_PAIR:
        out->reg3 = p->reg;
        data = p + 1;
        memory = p + 2;
        if (m->syntax == STATUS_PAIR) {
            second = p + 2;
            memory = p + 3;
            out->mem_count = 2;
        }
        break;
    case ATOMIC:
        second = p;
        data = p + 1;
        memory = p + 2;
        break;
    case ATOMIC_LONE:
        second = p;
        break;
    case PAIRS:
        if (!adjacent(&p[0], &p[1]) || !adjacent(&p[2], &p[3]))
            return false;
        second = p;
        data = p + 2;
        memory = p + 4;
        out->mem_count = 2;
        break;
    default:
        return false;
    }
    if (data->kind != 'r' || (second && (second->kind != 'r' || second->bank != data->bank)))
        return false;
    set_data(data, m, out);
    if (second)
        out->reg2 = second->reg;
    if (m->syntax == ATOMIC_LONE)
        out->reg = SVMC_REG_XZR;
    return set_memory(memory, out->mem_bytes, out);
}

static bool view_list(const struct mnemonic *m, const struct part *p, struct svmc_insn *out)
{
    bool replicate = m->id >= SVMC_A64_LD1R && m->id <= SVMC_A64_LD4R;

    if (p->kind != 'l')
        return false;
    out->reg_kind = SVMC_REG_KIND_VECTOR;
    out->reg = p->reg;
    out->mem_bytes = p->bytes;
    out->mem_count = p->count;
    out->reg_bytes = p->lane >= 0 ? p->bytes : p->total;
    if (p->lane >= 0)
        out->imm = (uint64_t)p->lane;
    else if (!replicate)
        out->mem_count = (uint8_t)(p->count * (p->total / p->bytes));
    return set_memory(p + 1, 1, out);
}

static bool view_copy(const struct mnemonic *m, const struct part *p, struct svmc_insn *out)
{
    const struct part *reg = m->syntax == COPY ? p + 1 : p + 2;
    const struct part *count = m->syntax == COPY ? p + 2 : p + 1;

    if (p->kind != 'm' || !p->bang || count->kind != 'r' || !count->bang)
        return false;
    out->mem_bytes = m->bytes;
    out->reg_kind = SVMC_REG_KIND_GPR;
    out->reg_bytes = 8;
    out->base = p->base;
    out->reg = reg->kind == 'm' ? reg->base : reg->reg;
    out->reg2 = count->reg;
    out->imm = m->number;
    return true;
}

/* Prefetch operation: pldl1keep, or a number; of a range: pldkeep. */
static bool view_prefetch(const struct mnemonic *m, const struct part *p, struct svmc_insn *out)
{
    static const char kinds[3][4] = { "pld", "pli", "pst" };
    static const char ranges[6][8] = { "pldkeep", "pstkeep", "", "", "pldstrm", "pststrm" };

    if (p->kind == 'i') {
        out->imm = (uint64_t)p->value;
    } else if (m->syntax == RANGE) {
        for (unsigned i = 0; i < 6; i++)
            if (word_is(p->text, p->length, ranges[i]))
                out->imm = i;
    } else {
        if (p->kind != 'n' || p->length < 9)
            return false;
        for (unsigned i = 0; i < 3; i++)
            if (strncasecmp(p->text, kinds[i], 3) == 0)
                out->imm = i << 3;
        out->imm |= p->text[3] == 'l' ? (uint64_t)(p->text[4] - '1') << 1 : 6;
        out->imm |= word_is(p->text + p->length - 4, 4, "strm");
    }
    if (m->syntax == RANGE) {
        out->reg = p[1].reg;
        out->reg_kind = SVMC_REG_KIND_GPR;
        out->reg_bytes = p[1].bytes;
        return set_memory(p + 2, 8, out);
    }
    return set_memory(p + 1, 8, out);
}

static bool view_branch(const struct mnemonic *m, const struct part *p, struct svmc_insn *out)
{
    const struct part *target = p;

    if (m->syntax == JUMP_COND)
        out->imm = m->number;
    if (m->syntax == JUMP_BIT)
        out->imm = (uint64_t)p[1].value;
    if (m->syntax == JUMP_REG) {
        out->reg_kind = SVMC_REG_KIND_GPR;
        out->reg_bytes = 8;
        out->reg = p->kind ? p->reg : SVMC_REG_X30;
        out->reg2 = p[1].kind ? p[1].reg : SVMC_REG_NONE;
        return true;
    }
    if (m->syntax == JUMP_ZERO || m->syntax == JUMP_BIT) {
        out->reg = p->reg;
        out->reg_kind = SVMC_REG_KIND_GPR;
        out->reg_bytes = p->bytes;
        target = p + (m->syntax == JUMP_ZERO ? 1 : 2);
    }
    out->disp = target->value;
    return target->kind == '@' || target->kind == 'i';
}

static void set_gpr(const struct part *p, struct svmc_insn *out)
{
    out->reg_kind = SVMC_REG_KIND_GPR;
    out->reg_bytes = 8;
    out->reg = p->kind ? p->reg : SVMC_REG_XZR;
}

/* s3_0_c12_c0_1 is a number; any other name is known by its hash. */
static void set_system_name(const struct mnemonic *m, const struct part *p, struct text_view *out)
{
    unsigned field[5] = { 0 }, n = 0;
    char lower[40];
    size_t i;

    for (i = 0; i < p->length && i < sizeof lower - 1; i++)
        lower[i] = (char)tolower((unsigned char)p->text[i]);
    lower[i] = 0;
    for (char *s = lower; *s && n < 5; n++) {
        s += *s == 's' || *s == 'c' || *s == '_';
        s += *s == 'c';
        if (!isdigit((unsigned char)*s))
            break;
        field[n] = (unsigned)strtoul(s, &s, 10);
    }
    if (n == 5 && lower[0] == 's' && lower[2] == '_') {
        out->insn.imm = field[0] << 14 | field[1] << 11 | field[2] << 7 | field[3] << 3 | field[4];
        return;
    }
    out->imm_named = true;
    out->name_hash = text_hash(text_hash(TEXT_HASH_START, m->name, strlen(m->name)), lower, i);
}

static uint64_t pstate(unsigned op1, unsigned crm, unsigned op2)
{
    return op1 << 11 | 4 << 7 | crm << 3 | op2;
}

/* msr field, #imm */
static bool view_pstate(const struct part *p, struct svmc_insn *out)
{
    static const struct {
        char name[12];
        uint8_t op1, op2, crm;
    } rows[] = { { "uao", 0, 3, 0 },      { "pan", 0, 4, 0 },    { "spsel", 0, 5, 0 },
                 { "allint", 1, 0, 0 },   { "pm", 1, 0, 2 },     { "ssbs", 3, 1, 0 },
                 { "dit", 3, 2, 0 },      { "svcrsm", 3, 3, 2 }, { "svcrza", 3, 3, 4 },
                 { "svcrsmza", 3, 3, 6 }, { "tco", 3, 4, 0 },    { "daifset", 3, 6, 0 },
                 { "daifclr", 3, 7, 0 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (word_is(p->text, p->length, rows[i].name)) {
            out->id = SVMC_A64_MSR_IMM;
            out->imm = pstate(rows[i].op1, rows[i].crm | (unsigned)p[1].value, rows[i].op2);
            return true;
        }
    return false;
}

static bool view_barrier(const struct mnemonic *m, const struct part *p, struct svmc_insn *out)
{
    static const char names[16][8] = { "", "oshld", "oshst", "osh", "", "nshld", "nshst", "nsh",
                                       "", "ishld", "ishst", "ish", "", "ld",    "st",    "sy" };
    static const char nxs[4][8] = { "oshnxs", "nshnxs", "ishnxs", "synxs" };

    out->imm = m->number;
    if (p->kind == 'i')
        out->imm = (uint64_t)p->value;
    if (p->kind != 'n')
        return true;
    for (unsigned i = 0; i < 16; i++)
        if (word_is(p->text, p->length, names[i])) {
            out->imm = i;
            return true;
        }
    for (unsigned i = 0; i < 4; i++)
        if (word_is(p->text, p->length, nxs[i])) {
            out->imm = 4 * i + 2;
            return true;
        }
    return false;
}

/* #op1, Cn, Cm, #op2 */
static bool set_system_number(const struct part *p, struct svmc_insn *out)
{
    if (p[0].kind != 'i' || p[1].kind != 'n' || p[2].kind != 'n' || p[3].kind != 'i')
        return false;
    out->imm = 1 << 14 | (uint64_t)p[0].value << 11 | strtoul(p[1].text + 1, NULL, 10) << 7 |
               strtoul(p[2].text + 1, NULL, 10) << 3 | (uint64_t)p[3].value;
    return true;
}

/* A second register of a pair is where it must be: next to the first, or ZR. */
static void set_pair(const struct part *p, struct svmc_insn *out)
{
    if (p->kind == 'r')
        out->reg2 = p->reg;
}

static bool view_system(const struct mnemonic *m, const struct part *p, struct text_view *view)
{
    struct svmc_insn *out = &view->insn;
    bool pair = m->id == SVMC_A64_SYSP || m->id == SVMC_A64_TLBIP;

    switch (m->syntax) {
    case READ_SYSTEM:
        set_gpr(p, out);
        set_system_name(m, p[1].kind == 'r' ? p + 2 : p + 1, view);
        set_pair(p + 1, out);
        return true;
    case WRITE_SYSTEM:
        if (p[1].kind == 'i')
            return view_pstate(p, out);
        set_gpr(p + 1, out);
        set_system_name(m, p, view);
        set_pair(p + 2, out);
        return true;
    case STREAMING:
        out->imm = pstate(3, (p->kind == 0 ? 6 : p->text[0] == 's' ? 2u : 4u) | m->number, 3);
        return true;
    case SYSTEM:
        set_gpr(p + 4, out);
        set_pair(p + 5, out);
        if (pair && p[5].kind == 0)
            out->reg2 = SVMC_REG_XZR;
        return set_system_number(p, out);
    case SYSTEM_READ:
        set_gpr(p, out);
        return set_system_number(p + 1, out);
    case SYSTEM_NAMED:
        if (p->kind == 'n')
            set_system_name(m, p++, view);
        else
            set_system_name(m, &(struct part){ .text = "" }, view);
        set_gpr(p, out);
        set_pair(p + 1, out);
        if (pair && p[1].kind == 0)
            out->reg2 = SVMC_REG_XZR;
        return true;
    default:
        return false;
    }
}

static bool view_other(const struct mnemonic *m, const struct part *p, struct text_view *view)
{
    struct svmc_insn *out = &view->insn;

    switch (m->syntax) {
    case PLAIN:
        return true;
    case NUMBER:
        out->imm = (uint64_t)p->value;
        return p->kind == 'i' || p->kind == 0;
    case FIXED:
        out->imm = m->number;
        return p->kind == 0;
    case HINT:
        if (p->kind == 'i')
            out->imm = (uint64_t)p->value;
        else
            set_system_name(m, p->kind ? p : &(struct part){ .text = "" }, view);
        return true;
    case BARRIER:
        return view_barrier(m, p, out);
    case REGISTER:
        set_gpr(p, out);
        return p->kind == 'r';
    case PREFETCH:
    case RANGE:
        return view_prefetch(m, p, out);
    case LIST:
        return view_list(m, p, out);
    case COPY:
    case SET:
        return view_copy(m, p, out);
    default:
        if (m->insn_class == SVMC_CLASS_BRANCH)
            return view_branch(m, p, out);
        if (m->insn_class == SVMC_CLASS_MEMORY)
            return view_memory(m, p, out);
        return view_system(m, p, view);
    }
}

/* What the manual says of a mnemonic beside its operands. */
static void finish(struct svmc_insn *out)
{
    if ((out->access & SVMC_ACCESS_READ) && out->mem_count > 0 &&
        out->reg_kind == SVMC_REG_KIND_GPR && !(out->flags & SVMC_INSN_SIGN) &&
        out->mem_bytes < out->reg_bytes)
        out->flags |= SVMC_INSN_ZERO;
    if (out->id == SVMC_A64_ST2G || out->id == SVMC_A64_STZ2G)
        out->mem_count = 2;
    if (out->id == SVMC_A64_LDGM || out->id == SVMC_A64_STGM || out->id == SVMC_A64_STZGM)
        out->mem_bytes = out->mem_count = 0; /* GMID_EL1.BS says */
}

void text_init(void)
{
    mnemonics_init();
}

bool text_is_system(const char *text, bool memory_too)
{
    const struct mnemonic *m;

    skip_blanks(&text);
    m = mnemonic_find(text, word_length(text));
    return m != NULL && (memory_too || (m->insn_class != SVMC_CLASS_MEMORY &&
                                        m->insn_class != SVMC_CLASS_PREFETCH));
}

enum text_verdict text_read(const char *text, struct text_view *out)
{
    struct part parts[PARTS + 1];
    const struct mnemonic *m;

    skip_blanks(&text);
    if (*text == 0 || *text == '.' || strncmp(text, "udf", 3) == 0)
        return TEXT_REFUSED;
    m = mnemonic_find(text, word_length(text));
    if (m == NULL)
        return TEXT_OTHER;
    memset(parts, 0, sizeof parts);
    memset(out, 0, sizeof *out);
    out->insn.id = m->id;
    out->insn.insn_class = m->insn_class;
    out->insn.flags = m->flags;
    out->insn.access = m->access;
    out->insn.base = out->insn.index = SVMC_REG_NONE;
    out->insn.reg = out->insn.reg2 = out->insn.reg3 = SVMC_REG_NONE;
    if (parts_read(text + word_length(text), parts) < 0 || !view_other(m, parts, out))
        return TEXT_UNREADABLE;
    finish(&out->insn);
    return TEXT_READ;
}
