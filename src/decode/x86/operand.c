/* SPDX-License-Identifier: MIT */
/* x86 operands: the full list, from what the decoder kept. Rules: docs/spec/decode.md. */
#include "../../core/bytes.h"
#include "../../core/clamp.h"
#include "x86.h"

/* What the decoder put away, taken apart. */
struct kept {
    const struct svmc_insn *insn;
    const struct x86_trait *trait;
    unsigned reg, rm, vvvv, low, mask; /* numbers; rm: NONE for memory */
    unsigned length;                   /* of vectors: 0, 1, 2 */
    unsigned column;                   /* of the operand size */
    bool rex, broadcast, zeroing;
    uint8_t segment; /* override; NONE: none */
};

static unsigned size_of(const struct kept *k, unsigned size)
{
    unsigned column = k->column;

    if (size >= X86_SIZE_FIRST_ADDRESS)
        column = k->insn->address_bytes >> 2;
    else if (size >= X86_SIZE_FIRST_VECTOR)
        column = k->length;
    return svmc_x86_sizes[size * 4 + (column & 3)]; /* clamp: size is of the table */
}

static void set_reg(struct svmc_operand *op, unsigned kind, unsigned number)
{
    op->kind = SVMC_OPERAND_REG;
    op->reg_kind = (uint8_t)kind;
    op->reg = (uint8_t)number;
}

/* DE-3: without REX, 4 to 7 of one byte are AH, CH, DH, BH. */
static void set_gpr(const struct kept *k, struct svmc_operand *op, unsigned number)
{
    set_reg(op, SVMC_REG_KIND_GPR, number & 15);
    if (op->bytes == 1 && !k->rex && number - 4 < 4) {
        op->reg = (uint8_t)(number - 4);
        op->high = 1;
    }
}

static uint8_t lane_bytes_of(const struct x86_trait *trait)
{
    return trait->vsib == 0 ? 0 : trait->vsib >> 7 ? 8 : 4;
}

static void set_memory(const struct kept *k, struct svmc_operand *op)
{
    const struct svmc_insn *insn = k->insn;
    unsigned element = (1u << (k->trait->scales >> 4)) >> 1;

    op->kind = SVMC_OPERAND_MEM;
    op->segment = insn->segment;
    op->base = insn->base;
    op->index = insn->index;
    op->scale = insn->scale;
    op->disp = insn->disp;
    if (k->trait->vsib) { /* as many lanes as the wider of index and element leaves room for */
        op->index_bytes = (uint8_t)size_of(k, k->trait->vsib & 127u);
        op->lane_bytes = lane_bytes_of(k->trait);
        op->lanes =
            (uint8_t)((16u << k->length) >> (op->lane_bytes == 8 || op->bytes == 8 ? 3 : 2));
    }
    if (k->broadcast && element) {
        op->broadcast = (uint8_t)(op->bytes / element);
        op->bytes = (uint16_t)element;
    }
}

/* A string, or another operand whose registers are fixed. */
static void set_fixed_memory(const struct kept *k, unsigned place, struct svmc_operand *op)
{
    op->kind = SVMC_OPERAND_MEM;
    op->segment = k->segment != SVMC_SEG_NONE ? k->segment : (uint8_t)SVMC_SEG_DS;
    op->base = place == X86_PLACE_X      ? SVMC_REG_RSI
               : place == X86_PLACE_XLAT ? SVMC_REG_RBX
                                         : SVMC_REG_RDI;
    if (place == X86_PLACE_Y)
        op->segment = SVMC_SEG_ES;
    if (place == X86_PLACE_XLAT) {
        op->index = SVMC_REG_RAX;
        op->scale = 1;
    }
}

/* DE-18: what a mask or a repetition leaves of an access. */
static uint8_t access_of(const struct kept *k, unsigned at, const struct svmc_operand *op)
{
    unsigned access = op->access;

    if (op->kind == SVMC_OPERAND_MEM) {
        if (k->insn->flags & (SVMC_INSN_REP | SVMC_INSN_REPNE)) /* the count can be 0 */
            access = x86_conditional(access);
        return x86_masked_access(k->mask, k->trait->checks, access);
    }
    if (at != 0 || k->mask == 0 || !(access & SVMC_ACCESS_WRITE))
        return (uint8_t)access;
    if (k->trait->checks & X86_CHECK_SELECT) /* the mask chooses between two sources */
        return (uint8_t)access;
    if (!k->zeroing && op->reg_kind != SVMC_REG_KIND_MASK) /* what it leaves out stays as it is */
        access |= SVMC_ACCESS_READ | SVMC_ACCESS_WRITE_IF;
    return (uint8_t)access;
}

/* Registers whose file and number the place alone tells. */
static void set_numbered(const struct kept *k, unsigned place, struct svmc_operand *op)
{
    static const struct {
        uint8_t place, kind, source, mask; /* source: 0 reg, 1 rm, 2 vvvv, 3 aaa, 4 on: 0 on */
    } files[] = {
        { X86_PLACE_V, SVMC_REG_KIND_VECTOR, 0, 31 },
        { X86_PLACE_H, SVMC_REG_KIND_VECTOR, 2, 31 },
        { X86_PLACE_P, SVMC_REG_KIND_MMX, 0, 7 },
        { X86_PLACE_KG, SVMC_REG_KIND_MASK, 0, 7 },
        { X86_PLACE_KB, SVMC_REG_KIND_MASK, 2, 7 },
        { X86_PLACE_KA, SVMC_REG_KIND_MASK, 3, 7 },
        { X86_PLACE_TG, SVMC_REG_KIND_TILE, 0, 15 },
        { X86_PLACE_TE, SVMC_REG_KIND_TILE, 1, 15 },
        { X86_PLACE_TB, SVMC_REG_KIND_TILE, 2, 15 },
        { X86_PLACE_NG, SVMC_REG_KIND_BOUND, 0, 15 },
        { X86_PLACE_SG, SVMC_REG_KIND_SEGMENT, 0, 7 },
        { X86_PLACE_CG, SVMC_REG_KIND_CONTROL, 0, 15 },
        { X86_PLACE_DG, SVMC_REG_KIND_DEBUG, 0, 15 },
        { X86_PLACE_ST, SVMC_REG_KIND_X87, 1, 7 },
        { X86_PLACE_W, SVMC_REG_KIND_VECTOR, 1, 31 },
        { X86_PLACE_Q, SVMC_REG_KIND_MMX, 1, 7 },
        { X86_PLACE_ACC, SVMC_REG_KIND_GPR, 4, 15 },
        { X86_PLACE_CX, SVMC_REG_KIND_GPR, 5, 15 },
        { X86_PLACE_DX, SVMC_REG_KIND_GPR, 6, 15 },
        { X86_PLACE_XMM0, SVMC_REG_KIND_VECTOR, 4, 31 },
        { X86_PLACE_ST0, SVMC_REG_KIND_X87, 4, 7 },
        { X86_PLACE_ES, SVMC_REG_KIND_SEGMENT, 4, 7 },
        { X86_PLACE_CS, SVMC_REG_KIND_SEGMENT, 5, 7 },
        { X86_PLACE_SS, SVMC_REG_KIND_SEGMENT, 6, 7 },
        { X86_PLACE_DS, SVMC_REG_KIND_SEGMENT, 7, 7 },
        { X86_PLACE_FS, SVMC_REG_KIND_SEGMENT, 8, 7 },
        { X86_PLACE_GS, SVMC_REG_KIND_SEGMENT, 9, 7 },
        { X86_PLACE_KE, SVMC_REG_KIND_MASK, 1, 7 },
        { X86_PLACE_NE, SVMC_REG_KIND_BOUND, 1, 15 },
    };
    const unsigned sources[10] = { k->reg, k->rm, k->vvvv, k->mask, 0, 1, 2, 3, 4, 5 };

    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i].place == place) {
            /* clamp: sources of the table are below 10 */
            set_reg(op, files[i].kind, sources[files[i].source] & files[i].mask);
            if (files[i].kind == SVMC_REG_KIND_MASK)
                op->bytes = 8;
            if (files[i].kind == SVMC_REG_KIND_BOUND)
                op->bytes = 16;
        }
}

static void set_immediate(const struct kept *k, unsigned place, unsigned size,
                          struct svmc_operand *op)
{
    op->kind = SVMC_OPERAND_IMM;
    op->imm = k->insn->imm;
    if (place == X86_PLACE_ONE)
        op->imm = 1;
    else if (place == X86_PLACE_I4)
        op->imm &= 15;
    else if (place == X86_PLACE_I2)
        op->imm = k->insn->priv_form;
    else if (size == X86_SIZE_Z || size == X86_SIZE_SB) /* DE-11: as wide as it is used */
        op->bytes = (uint16_t)(2u << k->column);
    if (place == X86_PLACE_J) {
        op->kind = SVMC_OPERAND_BRANCH;
        op->imm = (uint64_t)k->insn->disp;
    }
    if (place == X86_PLACE_F) {
        op->kind = SVMC_OPERAND_FAR;
        op->disp = k->insn->priv_form;
    }
}

static void set_operand(const struct kept *k, unsigned place, unsigned size,
                        struct svmc_operand *op)
{
    bool memory = k->rm == SVMC_REG_NONE;

    switch (place) {
    case X86_PLACE_E:
    case X86_PLACE_W:
    case X86_PLACE_Q:
    case X86_PLACE_KE:
    case X86_PLACE_NE:
    case X86_PLACE_M:
        if (memory)
            set_memory(k, op);
        else if (place == X86_PLACE_E)
            set_gpr(k, op, k->rm);
        else
            set_numbered(k, place, op);
        return;
    case X86_PLACE_O:
        set_memory(k, op);
        return;
    case X86_PLACE_G:
        set_gpr(k, op, k->reg);
        return;
    case X86_PLACE_B:
        set_reg(op, SVMC_REG_KIND_GPR, k->vvvv);
        return;
    case X86_PLACE_Z:
        set_gpr(k, op, k->low);
        return;
    case X86_PLACE_L:
        set_reg(op, SVMC_REG_KIND_VECTOR,
                x86_is4_of(k->insn->imm, k->insn->isa == SVMC_ISA_X86_64));
        return;
    case X86_PLACE_X:
    case X86_PLACE_Y:
    case X86_PLACE_DI:
    case X86_PLACE_XLAT:
        set_fixed_memory(k, place, op);
        return;
    case X86_PLACE_I:
    case X86_PLACE_I2:
    case X86_PLACE_I4:
    case X86_PLACE_J:
    case X86_PLACE_F:
    case X86_PLACE_ONE:
        set_immediate(k, place, size, op);
        return;
    default:
        set_numbered(k, place, op);
        return;
    }
}

static struct kept take_apart(const struct svmc_insn *insn, const struct x86_trait *trait,
                              const struct x86_form *form)
{
    uint32_t prefixes = insn->priv_raw[1] & 0xffff, vector = insn->priv_raw[2];
    unsigned modrm = insn->priv_raw[1] >> 24;
    struct kept k = { .insn = insn,
                      .trait = trait,
                      .reg = x86_reg_of(modrm, prefixes),
                      .rm = x86_rm_of(modrm, prefixes, vector),
                      .vvvv = x86_vvvv_of(vector, insn->isa == SVMC_ISA_X86_64),
                      .low = (insn->priv_raw[1] >> 16 & 7) | (prefixes & PREFIX_B) >> 2,
                      .mask = VECTOR_MASK(vector),
                      .length = VECTOR_LENGTH(vector),
                      .column = vector >> 24 & 3,
                      .rex = (prefixes & PREFIX_REX) != 0,
                      .broadcast = VECTOR_BROADCAST(vector) != 0,
                      .zeroing = VECTOR_ZEROING(vector) != 0,
                      .segment = (uint8_t)(((prefixes & PREFIX_SEGMENT) >> 11) - 1) };

    if (modrm < 0xc0 && !(form->bits & X86_MOD3))
        k.rm = SVMC_REG_NONE;
    if ((insn->flags & SVMC_INSN_LOCK) == 0 && (prefixes & PREFIX_LOCK))
        k.reg = 8; /* LOCK MOV CR0 */
    return k;
}

unsigned svmc_x86_lane_bytes(const struct svmc_insn *insn)
{
    uint32_t trait = insn->priv_raw[0] >> 21;

    return trait < X86_TRAITS ? lane_bytes_of(&svmc_x86_traits[core_clamp(trait, X86_TRAITS)]) : 0;
}

enum svmc_status svmc_x86_operands(const struct svmc_insn *insn, struct svmc_operand *out,
                                   uint32_t *count)
{
    uint32_t entry = insn->priv_raw[0];
    const struct x86_form *form;
    struct kept k;

    if (entry >> 31 || (entry & 0x7ff) != insn->id || (entry >> 11 & 0x3ff) >= X86_FORMS ||
        entry >> 21 >= X86_TRAITS)
        return SVMC_ERR_ARG;
    form = &svmc_x86_forms[core_clamp(entry >> 11 & 0x3ff, X86_FORMS)];
    k = take_apart(insn, &svmc_x86_traits[core_clamp(entry >> 21, X86_TRAITS)], form);
    for (unsigned i = 0; i < form->operand_count; i++) {
        unsigned code = svmc_x86_operands_pool[form->operands + i]; /* clamp: from the table */

        out[i].bytes = (uint16_t)size_of(&k, code >> 6 & 31);
        out[i].access =
            (uint8_t)svmc_x86_access[code >> 11 & 7]; /* clamp: three bits of the table */
        set_operand(&k, code & 63, code >> 6 & 31, &out[i]);
        out[i].access = access_of(&k, i, &out[i]);
    }
    *count = form->operand_count;
    return SVMC_OK;
}
