/* SPDX-License-Identifier: MIT */
/* x86: the operands of a row. Rules DE-n: docs/spec/decode.md. */
#include "../../core/bytes.h"
#include "../decode_private.h"
#include "x86_tables.h"

uint8_t svmc_x86_size_bytes(const struct x86_state *s, unsigned size)
{
    uint8_t by_prefix = (s->rex & REX_W) ? 8 : s->osize ? 2 : 4; /* DE-5: REX.W beats 66 */

    switch (size) {
    case X86_SIZE_B:
        return 1;
    case X86_SIZE_W:
        return 2;
    case X86_SIZE_D:
        return 4;
    case X86_SIZE_Q:
        return 8;
    case X86_SIZE_V:
        return by_prefix;
    case X86_SIZE_S: /* DE-9 */
        return s->vendor == SVMC_VENDOR_INTEL && by_prefix == 2 ? 2 : 4;
    default: /* X86_SIZE_Z */
        return by_prefix == 8 ? 4 : by_prefix;
    }
}

/* n little-endian bytes, zero-extended: 1, 2, 4, 8. */
static enum svmc_status take(struct x86_state *s, unsigned n, uint64_t *value)
{
    enum svmc_status st = x86_need(s, n);
    const uint8_t *p = s->bytes + s->at;

    if (st != SVMC_OK)
        return st;
    *value = n == 1   ? p[0]
             : n == 2 ? core_load_le16(p)
             : n == 4 ? core_load_le32(p)
                      : core_load_le64(p);
    s->at = (uint8_t)(s->at + n);
    return SVMC_OK;
}

/* The low n bytes of value as a signed number; no shift of a negative one. */
static uint64_t sign_extend(uint64_t value, unsigned n)
{
    uint64_t sign = (uint64_t)1 << (8 * n - 1);

    return ((value & core_mask(n)) ^ sign) - sign;
}

static enum svmc_status take_disp(struct x86_state *s, unsigned n, struct svmc_operand *op)
{
    uint64_t value = 0;
    enum svmc_status st = take(s, n, &value);

    op->disp = (int64_t)sign_extend(value, n);
    return st;
}

static void set_reg(const struct x86_state *s, unsigned number, struct svmc_operand *op)
{
    op->kind = SVMC_OPERAND_REG;
    if (op->bytes == 1 && s->rex == 0 && number >= 4) { /* AH, CH, DH, BH; with REX: SPL to DIL */
        op->high = 1;
        number -= 4;
    }
    op->reg = (uint8_t)number;
}

/* DE-4: FS and GS where given, else SS for a stack base, else DS. */
static void set_segment(const struct x86_state *s, struct svmc_operand *op)
{
    bool stack = op->base == SVMC_REG_RSP || op->base == SVMC_REG_RBP;

    op->segment = s->segment != SVMC_SEG_NONE ? s->segment : stack ? SVMC_SEG_SS : SVMC_SEG_DS;
}

/* The SIB byte. *no_base: disp32 takes the place of the base. */
static enum svmc_status read_sib(struct x86_state *s, struct svmc_operand *op, bool *no_base)
{
    uint64_t sib = 0;
    enum svmc_status st = take(s, 1, &sib);
    unsigned index = (unsigned)((sib >> 3) & 7u) | ((s->rex & REX_X) ? 8u : 0u);

    if (st != SVMC_OK)
        return st;
    if (index != SVMC_REG_RSP) { /* R12 is an index, RSP is "none" */
        op->index = (uint8_t)index;
        op->scale = (uint8_t)(1u << (sib >> 6));
    }
    *no_base = (sib & 7u) == 5 && s->modrm < 0x40;
    if (!*no_base)
        op->base = (uint8_t)((sib & 7u) | ((s->rex & REX_B) ? 8u : 0u));
    return SVMC_OK;
}

/* DE-12; SDM vol. 2 tables 2-2, 2-3, 2.2.1.6. */
static enum svmc_status read_memory(struct x86_state *s, struct svmc_operand *op)
{
    unsigned mod = s->modrm >> 6, rm = s->modrm & 7u;
    bool no_base = false;
    enum svmc_status st = SVMC_OK;

    op->kind = SVMC_OPERAND_MEM;
    if (rm == 4)
        st = read_sib(s, op, &no_base);
    else if (mod == 0 && rm == 5)
        op->base = SVMC_REG_RIP;
    else
        op->base = (uint8_t)(rm | ((s->rex & REX_B) ? 8u : 0u));
    if (st != SVMC_OK)
        return st;
    set_segment(s, op);
    if (mod == 1)
        return take_disp(s, 1, op);
    if (mod == 2 || no_base || op->base == SVMC_REG_RIP)
        return take_disp(s, 4, op);
    return SVMC_OK;
}

/* A bare address as wide as the address size; it stands as it is, without a sign. */
static enum svmc_status read_moffs(struct x86_state *s, struct svmc_operand *op)
{
    uint64_t value = 0;
    enum svmc_status st = take(s, s->asize ? 4 : 8, &value);

    op->kind = SVMC_OPERAND_MEM;
    op->disp = (int64_t)value;
    set_segment(s, op);
    return st;
}

/* DE-11: encoded in 1, 2, 4 or 8 bytes, shown as wide as the instruction uses it. */
static enum svmc_status read_immediate(struct x86_state *s, unsigned size, struct svmc_operand *op)
{
    uint64_t value = 0;
    enum svmc_status st = take(s, op->bytes, &value);

    op->kind = SVMC_OPERAND_IMM;
    op->imm = value;
    if (size == X86_SIZE_Z && (s->rex & REX_W)) {
        op->imm = sign_extend(value, 4);
        op->bytes = 8;
    }
    return st;
}

/* A string operand: DE-4, the destination is in ES whatever the prefixes say. */
static void set_string(const struct x86_state *s, unsigned letter, struct svmc_operand *op)
{
    op->kind = SVMC_OPERAND_MEM;
    op->base = letter == X86_SRC ? SVMC_REG_RSI : SVMC_REG_RDI;
    if (letter == X86_SRC)
        set_segment(s, op);
    else
        op->segment = SVMC_SEG_ES;
}

enum svmc_status svmc_x86_operand_read(struct x86_state *s, unsigned code, struct svmc_operand *op)
{
    unsigned letter = code & 15u, size = (code >> 4) & 7u;
    unsigned extend_b = (s->rex & REX_B) ? 8u : 0u;

    op->access = (uint8_t)((code >> 8) & 3u);
    op->bytes = svmc_x86_size_bytes(s, size);
    switch (letter) {
    case X86_RM:
        if (s->modrm < 0xc0)
            return read_memory(s, op);
        set_reg(s, (s->modrm & 7u) | extend_b, op);
        return SVMC_OK;
    case X86_REG:
        set_reg(s, ((s->modrm >> 3) & 7u) | ((s->rex & REX_R) ? 8u : 0u), op);
        return SVMC_OK;
    case X86_LOW: /* the opcode is the last byte read */
        set_reg(s, (s->bytes[s->at - 1] & 7u) | extend_b, op);
        return SVMC_OK;
    case X86_ACC:
        set_reg(s, SVMC_REG_RAX, op);
        return SVMC_OK;
    case X86_DX:
        set_reg(s, SVMC_REG_RDX, op);
        return SVMC_OK;
    case X86_MOFFS:
        return read_moffs(s, op);
    case X86_IMM:
        return read_immediate(s, size, op);
    default: /* X86_SRC, X86_DST */
        set_string(s, letter, op);
        return SVMC_OK;
    }
}
