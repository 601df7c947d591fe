/* SPDX-License-Identifier: MIT */
/*
 * An A64 word -> struct svmc_insn: the row of the word says what it is, the layout of the row where
 * the fields are. Rules A64-n are in docs/spec/a64.md.
 */
#include <stdbool.h>

#include "a64.h"

#include "../../core/bytes.h"
#include "../../core/memory.h"
#include "../refuse.h"
#include "a64_tables.h"

/* Seldom run: made small. */
#define COLD __attribute__((cold))

static uint32_t field(uint32_t w, unsigned low, unsigned width)
{
    return w >> low & ((1u << width) - 1);
}

/* core_sign_extend of a field, in 32 bits: low is constant, and one shift takes it off. */
static int64_t signed_field(uint32_t w, unsigned low, unsigned width)
{
    return (int32_t)(w << (32 - low - width)) >> (32 - width);
}

/* A64-3: 31 is XZR in a register field, SP in that of a base. */
static uint8_t gpr(uint32_t w, unsigned low)
{
    uint32_t n = field(w, low, 5);

    return (uint8_t)(SVMC_REG_X0 + n + (n == 31));
}

static uint8_t gpr_or_sp(uint32_t w, unsigned low)
{
    return (uint8_t)(SVMC_REG_X0 + field(w, low, 5));
}

static uint8_t data_reg(const struct svmc_insn *out, uint32_t w, unsigned low)
{
    return out->reg_kind == SVMC_REG_KIND_GPR ? gpr(w, low) : (uint8_t)field(w, low, 5);
}

static void add_flag(struct svmc_insn *out, bool holds, unsigned flag)
{
    out->flags = (uint16_t)(out->flags | (holds ? flag : 0));
}

static bool bit(uint32_t w, unsigned n)
{
    return w >> n & 1;
}

/* A64-5: 01 post-index, 11 pre-index. They stand in 11:10 beside a 9-bit displacement. */
static void index_mode(uint32_t mode, struct svmc_insn *out)
{
    static const uint8_t flag[4] = { 0, SVMC_INSN_POST_INDEX, 0, SVMC_INSN_PRE_INDEX };

    add_flag(out, true, flag[mode & 3]);
}

/* A64-6: 15:13 widens the index, 12 scales it by the access size. */
static void index_register(uint32_t w, uint32_t bytes, struct svmc_insn *out)
{
    static const uint8_t extend[4] = { SVMC_INDEX_UXTW, SVMC_INDEX_PLAIN, SVMC_INDEX_SXTW,
                                       SVMC_INDEX_SXTX };

    out->index = gpr(w, 16);
    out->index_extend = extend[field(w, 15, 1) << 1 | field(w, 13, 1)];
    out->scale = (uint8_t)(bit(w, 12) ? bytes : 1);
}

/* A64-8: the lane of a single structure and the size of its elements. */
static bool one_lane(uint32_t w, struct svmc_insn *out)
{
    uint32_t lane = field(w, 30, 1) << 3 | field(w, 10, 3), scale = field(w, 14, 2);

    scale += scale == 2 && bit(w, 10);
    if ((lane & ((1u << scale) - 1)) != (scale == 3))
        return false;
    out->imm = lane >> scale;
    out->reg_bytes = (uint8_t)(1u << scale);
    out->mem_bytes = out->reg_bytes;
    return true;
}

/* A64-8: SIMD structures. */
COLD static bool structure(uint32_t w, unsigned layout, struct svmc_insn *out)
{
    uint32_t bytes = 1u << field(w, 10, 2), reg_bytes = bit(w, 30) ? 16 : 8;

    out->mem_bytes = (uint16_t)bytes;
    out->reg_bytes = (uint8_t)reg_bytes;
    if (layout == A64_LAYOUT_STRUCT_ALL) {
        if (bytes == reg_bytes && !bit(w, 13)) /* LD2 to ST4 of .1D */
            return false;
        out->mem_count = (uint8_t)(out->mem_count * reg_bytes / bytes);
    } else if (layout == A64_LAYOUT_STRUCT_ONE) {
        if (!one_lane(w, out))
            return false;
    } else if (bit(w, 12)) {
        return false;
    }
    if (!bit(w, 23)) /* LDAP1 and STL1 use Rm otherwise */
        return field(w, 16, 5) == 0 || (out->flags & (SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE));
    add_flag(out, true, SVMC_INSN_POST_INDEX);
    if (field(w, 16, 5) == 31) {
        out->disp = out->mem_count * out->mem_bytes;
    } else {
        out->index = gpr(w, 16);
        out->scale = 1;
    }
    return true;
}

/* A64-10: MOPS; where the two options stand that a read and a write have. */
COLD static void copy_or_set(uint32_t w, unsigned option_bits, struct svmc_insn *out)
{
    uint32_t half = option_bits / 2;

    out->base = gpr(w, 0);
    out->reg = gpr(w, 16);
    out->reg2 = gpr(w, 5);
    out->imm = field(w, 12, option_bits);
    add_flag(out, field(w, 12, half), SVMC_INSN_UNPRIVILEGED);
    add_flag(out, field(w, 12 + half, half), SVMC_INSN_NONTEMPORAL);
}

/* A64-7: where the acquire and release bits of an atomic stand; the second register is Rs. */
COLD static void atomic(uint32_t w, unsigned acquire, unsigned release, struct svmc_insn *out)
{
    add_flag(out, bit(w, acquire), SVMC_INSN_ACQUIRE);
    add_flag(out, bit(w, release), SVMC_INSN_RELEASE);
    out->reg2 = gpr(w, 16);
}

/* What is in the layouts of memory_rare() that are not structures. False: reserved. */
COLD static bool rare_layout(uint32_t w, unsigned layout, struct svmc_insn *out)
{
    int64_t total = out->mem_bytes * out->mem_count;
    uint8_t rs = gpr(w, 16);

    switch (layout) {
    case A64_LAYOUT_STATUS:
        out->reg3 = rs;
        if (out->mem_count == 2)
            out->reg2 = gpr(w, 10);
        break;
    case A64_LAYOUT_BASE_PAIR:
        out->reg2 = gpr(w, 10);
        break;
    case A64_LAYOUT_ATOMIC_PAIR:
        atomic(w, 23, 22, out);
        return out->reg != SVMC_REG_XZR && rs != SVMC_REG_XZR;
    case A64_LAYOUT_ATOMIC:
        atomic(w, 23, 22, out);
        break;
    case A64_LAYOUT_COMPARE:
        atomic(w, 22, 15, out);
        break;
    case A64_LAYOUT_RS:
        out->reg2 = rs;
        break;
    case A64_LAYOUT_ORDERED_INDEXED:
        out->disp = out->access == SVMC_ACCESS_READ ? total : -total;
        if (out->mem_count == 2)
            out->reg2 = rs;
        break;
    case A64_LAYOUT_LDRA:
        out->disp = (signed_field(w, 22, 1) * 512 + field(w, 12, 9)) * 8;
        add_flag(out, bit(w, 11), SVMC_INSN_PRE_INDEX);
        break;
    case A64_LAYOUT_TAG: /* A64-9 */
    case A64_LAYOUT_LDG:
        if (layout == A64_LAYOUT_TAG)
            out->reg = gpr_or_sp(w, 0);
        out->disp = signed_field(w, 12, 9) * 16;
        index_mode(field(w, 10, 2), out);
        break;
    case A64_LAYOUT_BASE_BLOCK:
        out->mem_bytes = 0;
        break;
    case A64_LAYOUT_COPY:
        copy_or_set(w, 4, out);
        break;
    case A64_LAYOUT_SET:
        copy_or_set(w, 2, out);
        break;
    default: /* BASE */
        break;
    }
    return true;
}

/* A64-11: the address of a prefetch stands in the result, but nothing is moved. */
COLD static void prefetch(uint32_t w, struct svmc_insn *out)
{
    bool range = out->id == SVMC_A64_RPRFM;

    out->imm =
        range ? field(w, 15, 1) << 5 | field(w, 12, 2) << 3 | field(w, 0, 3) : field(w, 0, 5);
    out->reg = range ? gpr(w, 16) : SVMC_REG_NONE;
    out->reg_bytes = range ? 8 : 0;
    out->mem_bytes = 0;
}

static enum svmc_status finish_memory(uint32_t w, struct svmc_insn *out)
{
    if (out->insn_class == SVMC_CLASS_PREFETCH)
        prefetch(w, out);
    out->operand_bytes = out->reg_bytes;
    return SVMC_OK;
}

_Static_assert(A64_FIRST_MEMORY == 1 && A64_FIRST_STRUCT - A64_FIRST_MEMORY == 19 &&
                   A64_FIRST_PLAIN - A64_FIRST_STRUCT == 3,
               "a new layout with memory has its case: memory(), rare_layout() or structure()");

/* The rest of memory() for the layouts that compilers seldom use. */
__attribute__((noinline)) COLD static enum svmc_status memory_rare(uint32_t w, unsigned layout,
                                                                   struct svmc_insn *out)
{
    if (layout >= A64_FIRST_STRUCT ? structure(w, layout, out) : rare_layout(w, layout, out))
        return finish_memory(w, out);
    return svmc_decode_refuse(SVMC_ERR_UNDEFINED, SVMC_REFUSAL_RESERVED, out);
}

/* A64-4: loads, stores, and what has an address like them. Not inlined, like no_memory(): the
 * groups (A64-12), the most common words, do without its registers.
 */
__attribute__((noinline)) static enum svmc_status memory(uint32_t w, unsigned layout,
                                                         struct svmc_insn *out)
{
    uint32_t bytes = out->mem_bytes ? out->mem_bytes : 1u << field(w, 30, 2);
    uint32_t least = out->reg_kind == SVMC_REG_KIND_GPR ? 4 : 1;

    out->base = gpr_or_sp(w, 5);
    out->mem_bytes = (uint16_t)bytes;
    out->reg = data_reg(out, w, 0);
    if (!out->reg_bytes)
        out->reg_bytes = (uint8_t)(bytes < least ? least : bytes);
    if (bytes < out->reg_bytes && (out->access & SVMC_ACCESS_READ) && layout != A64_LAYOUT_COPY)
        add_flag(out, !(out->flags & SVMC_INSN_SIGN), SVMC_INSN_ZERO);
    if (layout == A64_LAYOUT_UIMM) {
        out->disp = field(w, 10, 12) * bytes;
    } else if (layout == A64_LAYOUT_PAIR) { /* A64-5: 24:23 is the index mode */
        out->reg2 = data_reg(out, w, 10);
        out->disp = signed_field(w, 15, 7) * (int64_t)(bytes << (out->id == SVMC_A64_STGP));
        index_mode(field(w, 23, 2), out);
    } else if (layout == A64_LAYOUT_IMM9) {
        out->disp = signed_field(w, 12, 9);
        index_mode(field(w, 10, 2), out);
    } else if (layout == A64_LAYOUT_REG) {
        index_register(w, bytes, out);
    } else if (layout == A64_LAYOUT_LITERAL) {
        out->base = SVMC_REG_PC;
        out->disp = signed_field(w, 5, 19) * 4;
    } else {
        return memory_rare(w, layout, out);
    }
    return finish_memory(w, out);
}

/* A64-15: who may access a system register or use a system instruction, by op1. */
static uint8_t privilege_of(uint32_t w)
{
    static const uint8_t by_op1[8] = {
        SVMC_PRIVILEGE_KERNEL,   SVMC_PRIVILEGE_KERNEL, SVMC_PRIVILEGE_KERNEL,
        SVMC_PRIVILEGE_SWITCHED, SVMC_PRIVILEGE_HYP,    SVMC_PRIVILEGE_HYP,
        SVMC_PRIVILEGE_MACHINE,  SVMC_PRIVILEGE_KERNEL,
    };

    return by_op1[field(w, 16, 3)];
}

/* Fields of the layouts without memory. A displacement is what is left of w << disp_up >> disp_down
 * (0: none), an immediate w >> imm_low & imm_mask; a GPR stands at reg_low.
 */
struct shape {
    uint8_t disp_up, disp_down, reg_low, imm_low;
    uint16_t imm_mask;
};

#define AT(layout)       [A64_LAYOUT_##layout - A64_FIRST_PLAIN]
#define DISP(low, width) 32 - (low) - (width), 32 - (width)

static const struct shape shapes[] = {
    AT(BRANCH) = { DISP(0, 26), 0, 0, 0 },
    AT(BRANCH_COND) = { DISP(5, 19), 0, 0, 0xf },
    AT(BRANCH_ZERO) = { DISP(5, 19), 0, 0, 0 },
    AT(BRANCH_BIT) = { DISP(5, 14), 0, 19, 0x1f },
    AT(BRANCH_REG) = { 0, 0, 5, 0, 0 },
    AT(BRANCH_AUTH) = { 0, 0, 5, 0, 0 },
    AT(GPR) = { 0, 0, 0, 0, 0 },
    AT(BRANCH_BACK) = { 0, 0, 0, 0, 0 },
    AT(IMM16) = { 0, 0, 0, 5, 0xffff },
    AT(HINT) = { 0, 0, 0, 5, 0x7f },
    AT(BARRIER) = { 0, 0, 0, 8, 0xf },
    AT(SYSTEM) = { 0, 0, 0, 5, 0xffff },
    AT(SYSTEM_PAIR) = { 0, 0, 0, 5, 0xffff },
};
_Static_assert(A64_LAYOUTS - A64_FIRST_PLAIN == 13 && A64_LAYOUTS - A64_FIRST_SYSTEM == 2 &&
                   sizeof shapes / sizeof shapes[0] == A64_LAYOUTS - A64_FIRST_PLAIN,
               "a new layout without memory has its shape, and its case in no_memory()");

/* A64-13, A64-14, A64-15: branches, exceptions, hints, barriers, system instructions. */
__attribute__((noinline)) static enum svmc_status no_memory(uint32_t w, unsigned layout,
                                                            struct svmc_insn *out)
{
    /* clamp: the layout of a row, from the table */
    const struct shape *s = &shapes[layout - A64_FIRST_PLAIN];

    out->imm = w >> s->imm_low & s->imm_mask;
    if (s->disp_down)
        out->disp = ((int32_t)(w << s->disp_up) >> s->disp_down) * (int64_t)4;
    if (out->reg_kind == SVMC_REG_KIND_GPR)
        out->reg = gpr(w, s->reg_low);
    if (layout == A64_LAYOUT_BRANCH_ZERO || layout == A64_LAYOUT_BRANCH_BIT) {
        out->reg_bytes = (uint8_t)(4 << bit(w, 31));
        if (layout == A64_LAYOUT_BRANCH_BIT)
            out->imm |= field(w, 31, 1) << 5;
    } else if (layout == A64_LAYOUT_BRANCH_AUTH) {
        out->reg2 = gpr_or_sp(w, 0);
    } else if (layout == A64_LAYOUT_BRANCH_BACK) {
        out->disp = -(int64_t)field(w, 5, 16) * 4;
    } else if (layout >= A64_FIRST_SYSTEM) {
        out->privilege = privilege_of(w);
        if (layout == A64_LAYOUT_SYSTEM_PAIR)
            out->reg2 = gpr(w + (field(w, 0, 5) != 31), 0); /* the next one, which may be XZR */
    }
    out->operand_bytes = out->reg_bytes;
    return SVMC_OK;
}

_Static_assert(offsetof(struct svmc_insn, insn_class) + offsetof(struct words_attr, flags) ==
                   offsetof(struct svmc_insn, flags),
               "the first run of words_attr lies as in svmc_insn");
_Static_assert(offsetof(struct svmc_insn, mem_count) - offsetof(struct svmc_insn, mem_bytes) ==
                   offsetof(struct words_attr, count) - offsetof(struct words_attr, bytes),
               "the second run is mem_bytes, mem_count, index_extend");

/* Field by field, but for two runs: an initializer makes gcc clear all of it first. */
static void fill(uint32_t w, const struct words_row *row, struct svmc_insn *out)
{
    const struct words_attr *attr = &a64_attrs[row->attr]; /* clamp: from the table */
    const size_t second = offsetof(struct words_attr, bytes);
    uint8_t *to = (uint8_t *)out;

    out->id = row->id;
    out->isa = SVMC_ISA_A64;
    out->length = 4;
    memcpy(to + offsetof(struct svmc_insn, insn_class), attr, second);
    out->refusal = SVMC_REFUSAL_NONE;
    out->operand_bytes = 0;
    out->address_bytes = 8;
    out->segment = SVMC_SEG_NONE;
    out->base = SVMC_REG_NONE;
    out->index = SVMC_REG_NONE;
    out->scale = 0;
    memcpy(to + offsetof(struct svmc_insn, mem_bytes), &attr->bytes,
           offsetof(struct words_attr, reg_kind) - second);
    out->access = attr->access; /* copied to index_extend, too */
    out->reg_kind = attr->reg_kind;
    out->reg = SVMC_REG_NONE;
    out->reg_bytes = attr->reg_bytes;
    out->reg2 = SVMC_REG_NONE;
    out->index_extend = SVMC_INDEX_PLAIN;
    out->disp = 0;
    out->imm = 0;
    out->reg3 = SVMC_REG_NONE;
    out->reserved = 0;
    out->priv_form = 0;
    out->priv_raw[0] = w;
    out->priv_raw[1] = 0;
    out->priv_raw[2] = 0;
}

enum svmc_status svmc_a64_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 struct svmc_insn *out)
{
    const struct words_row *row;
    uint32_t w;

    (void)cpu;
    if (count < 4) /* A64-1 */
        return svmc_decode_refuse(SVMC_ERR_TRUNCATED, SVMC_REFUSAL_NONE, out);
    w = core_load_le32(bytes);
    row = a64_find(w);
    if (row == NULL) /* A64-2 */
        return svmc_decode_refuse(SVMC_ERR_UNDEFINED, SVMC_REFUSAL_NO_OPCODE, out);
    if (row->id == SVMC_A64_NONE)
        return svmc_decode_refuse(SVMC_ERR_UNDEFINED, SVMC_REFUSAL_RESERVED, out);
    fill(w, row, out);
    if (row->layout == A64_LAYOUT_NONE)
        return SVMC_OK;
    return row->layout < A64_FIRST_PLAIN ? memory(w, row->layout, out)
                                         : no_memory(w, row->layout, out);
}
