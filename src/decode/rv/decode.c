/* SPDX-License-Identifier: MIT */
/**
 * RISC-V: the row of an instruction and where its operands are. rv.dat has the rows; here stand the
 * layouts they name: which bits are a register, which an immediate. Rules: docs/spec/riscv.md.
 */
#include "rv.h"

#include <stdbool.h>

#include "../../core/bytes.h"
#include "../refuse.h"
#include "rv_tables.h"

/* A run of bits of an immediate: `width` bits from bit `from` of the instruction to bit `to`. */
struct run {
    uint8_t from, width, to;
};

/* An immediate: of how many bits it is a signed number, and its runs, up to one of width 0. */
struct immediate {
    uint8_t bits; /* UNSIGNED: it is none */
    struct run runs[9];
};

enum immediate_kind {
    IMM_NONE,
    IMM_I,
    IMM_S,
    IMM_B,
    IMM_U,
    IMM_J,
    IMM_UPPER, /* bits 31:20, not extended */
    IMM_SHIFT,
    IMM_PREFETCH,
    IMM_C_ADDI4SPN,
    IMM_C_LW,
    IMM_C_LD,
    IMM_C_LB,
    IMM_C_LH,
    IMM_C_ADDI,
    IMM_C_SHIFT,
    IMM_C_LUI,
    IMM_C_ADDI16SP,
    IMM_C_J,
    IMM_C_BEQZ,
    IMM_C_LWSP,
    IMM_C_LDSP,
    IMM_C_SWSP,
    IMM_C_SDSP
};

/* RV-5: The RISC-V Instruction Set Manual, vol. I 2.3, C and Zcb. */
#define UNSIGNED 64
static const struct immediate immediates[] = {
    [IMM_NONE] = { UNSIGNED, { { 0, 0, 0 } } },
    [IMM_I] = { 12, { { 20, 12, 0 } } },
    [IMM_S] = { 12, { { 25, 7, 5 }, { 7, 5, 0 } } },
    [IMM_B] = { 13, { { 31, 1, 12 }, { 25, 6, 5 }, { 8, 4, 1 }, { 7, 1, 11 } } },
    [IMM_U] = { 32, { { 12, 20, 12 } } },
    [IMM_J] = { 21, { { 31, 1, 20 }, { 21, 10, 1 }, { 20, 1, 11 }, { 12, 8, 12 } } },
    [IMM_UPPER] = { UNSIGNED, { { 20, 12, 0 } } },
    [IMM_SHIFT] = { UNSIGNED, { { 20, 6, 0 } } },
    [IMM_PREFETCH] = { 12, { { 25, 7, 5 } } },
    [IMM_C_ADDI4SPN] = { UNSIGNED, { { 11, 2, 4 }, { 7, 4, 6 }, { 6, 1, 2 }, { 5, 1, 3 } } },
    [IMM_C_LW] = { UNSIGNED, { { 10, 3, 3 }, { 6, 1, 2 }, { 5, 1, 6 } } },
    [IMM_C_LD] = { UNSIGNED, { { 10, 3, 3 }, { 5, 2, 6 } } },
    [IMM_C_LB] = { UNSIGNED, { { 6, 1, 0 }, { 5, 1, 1 } } },
    [IMM_C_LH] = { UNSIGNED, { { 5, 1, 1 } } },
    [IMM_C_ADDI] = { 6, { { 12, 1, 5 }, { 2, 5, 0 } } },
    [IMM_C_SHIFT] = { UNSIGNED, { { 12, 1, 5 }, { 2, 5, 0 } } },
    [IMM_C_LUI] = { 18, { { 12, 1, 17 }, { 2, 5, 12 } } },
    [IMM_C_ADDI16SP] = { 10, { { 12, 1, 9 }, { 6, 1, 4 }, { 5, 1, 6 }, { 3, 2, 7 }, { 2, 1, 5 } } },
    [IMM_C_J] = { 12,
                  { { 12, 1, 11 },
                    { 11, 1, 4 },
                    { 9, 2, 8 },
                    { 8, 1, 10 },
                    { 7, 1, 6 },
                    { 6, 1, 7 },
                    { 3, 3, 1 },
                    { 2, 1, 5 } } },
    [IMM_C_BEQZ] = { 9, { { 12, 1, 8 }, { 10, 2, 3 }, { 5, 2, 6 }, { 3, 2, 1 }, { 2, 1, 5 } } },
    [IMM_C_LWSP] = { UNSIGNED, { { 12, 1, 5 }, { 4, 3, 2 }, { 2, 2, 6 } } },
    [IMM_C_LDSP] = { UNSIGNED, { { 12, 1, 5 }, { 5, 2, 3 }, { 2, 3, 6 } } },
    [IMM_C_SWSP] = { UNSIGNED, { { 9, 4, 2 }, { 7, 2, 6 } } },
    [IMM_C_SDSP] = { UNSIGNED, { { 10, 3, 3 }, { 7, 3, 6 } } },
};

/* Where the number of a register is: in the instruction, or known. */
enum place {
    NOWHERE,
    AT_2,
    AT_7,
    AT_15,
    AT_20,
    SHORT_2, /* three bits: x8 to x15 */
    SHORT_7,
    ALWAYS_X0,
    ALWAYS_X1,
    ALWAYS_X2
};

/* The register is add + the bits of mask at shift. */
static const struct {
    uint8_t shift, mask, add;
} places[] = {
    [NOWHERE] = { 0, 0, SVMC_REG_NONE },        [AT_2] = { 2, 0x1f, SVMC_REG_RV_X0 },
    [AT_7] = { 7, 0x1f, SVMC_REG_RV_X0 },       [AT_15] = { 15, 0x1f, SVMC_REG_RV_X0 },
    [AT_20] = { 20, 0x1f, SVMC_REG_RV_X0 },     [SHORT_2] = { 2, 7, SVMC_REG_RV_X0 + 8 },
    [SHORT_7] = { 7, 7, SVMC_REG_RV_X0 + 8 },   [ALWAYS_X0] = { 0, 0, SVMC_REG_RV_X0 },
    [ALWAYS_X1] = { 0, 0, SVMC_REG_RV_X0 + 1 }, [ALWAYS_X2] = { 0, 0, SVMC_REG_RV_X0 + 2 },
};

enum {
    ORDERED = 1,  /* bits 26 and 25 are aq and rl */
    MAY_FAIL = 2, /* the write happens under a condition */
    IS_CSR = 4
};

/* Operands of the 4-byte instruction that this one is or stands for. */
struct layout {
    uint8_t reg, reg2, reg3, base; /* enum place */
    uint8_t disp, imm;             /* enum immediate_kind, at most one of the two */
    uint8_t notes;
};

/* RV-4 */
static const struct layout layouts[] = {
    [RV_LAYOUT_U] = { .reg = AT_7, .imm = IMM_U },
    [RV_LAYOUT_J] = { .reg = AT_7, .disp = IMM_J },
    [RV_LAYOUT_I] = { .reg = AT_7, .reg2 = AT_15, .imm = IMM_I },
    [RV_LAYOUT_SHIFT] = { .reg = AT_7, .reg2 = AT_15, .imm = IMM_SHIFT },
    [RV_LAYOUT_UNARY] = { .reg = AT_7, .reg2 = AT_15 },
    [RV_LAYOUT_R] = { .reg = AT_7, .reg2 = AT_15, .reg3 = AT_20 },
    [RV_LAYOUT_B] = { .reg = AT_15, .reg2 = AT_20, .disp = IMM_B },
    [RV_LAYOUT_LOAD] = { .reg = AT_7, .base = AT_15, .disp = IMM_I },
    [RV_LAYOUT_STORE] = { .reg = AT_20, .base = AT_15, .disp = IMM_S },
    [RV_LAYOUT_LOAD_AT] = { .reg = AT_7, .base = AT_15 },
    [RV_LAYOUT_STORE_AT] = { .reg = AT_20, .base = AT_15 },
    [RV_LAYOUT_ADDRESS] = { .base = AT_15 },
    [RV_LAYOUT_PREFETCH] = { .base = AT_15, .disp = IMM_PREFETCH },
    [RV_LAYOUT_FENCE] = { .imm = IMM_UPPER },
    [RV_LAYOUT_TLB] = { .reg = AT_15, .reg2 = AT_20 },
    [RV_LAYOUT_CSR] = { .reg = AT_7, .reg2 = AT_15, .imm = IMM_UPPER, .notes = IS_CSR },
    [RV_LAYOUT_CSRI] = { .reg = AT_7, .imm = IMM_UPPER, .notes = IS_CSR },
    [RV_LAYOUT_LR] = { .reg = AT_7, .base = AT_15, .notes = ORDERED },
    [RV_LAYOUT_STORE_RL] = { .reg = AT_20, .base = AT_15, .notes = ORDERED },
    [RV_LAYOUT_SC] = { .reg = AT_20, .reg3 = AT_7, .base = AT_15, .notes = ORDERED | MAY_FAIL },
    [RV_LAYOUT_AMO] = { .reg = AT_7, .reg2 = AT_20, .base = AT_15, .notes = ORDERED },
    [RV_LAYOUT_CAS] = { .reg = AT_7, .reg2 = AT_20, .base = AT_15, .notes = ORDERED | MAY_FAIL },
    [RV_LAYOUT_C_ADDI4SPN] = { .reg = SHORT_2, .reg2 = ALWAYS_X2, .imm = IMM_C_ADDI4SPN },
    [RV_LAYOUT_C_LW] = { .reg = SHORT_2, .base = SHORT_7, .disp = IMM_C_LW },
    [RV_LAYOUT_C_LD] = { .reg = SHORT_2, .base = SHORT_7, .disp = IMM_C_LD },
    [RV_LAYOUT_C_LB] = { .reg = SHORT_2, .base = SHORT_7, .disp = IMM_C_LB },
    [RV_LAYOUT_C_LH] = { .reg = SHORT_2, .base = SHORT_7, .disp = IMM_C_LH },
    [RV_LAYOUT_C_ADDI] = { .reg = AT_7, .reg2 = AT_7, .imm = IMM_C_ADDI },
    [RV_LAYOUT_C_JAL] = { .reg = ALWAYS_X1, .disp = IMM_C_J },
    [RV_LAYOUT_C_J] = { .reg = ALWAYS_X0, .disp = IMM_C_J },
    [RV_LAYOUT_C_LI] = { .reg = AT_7, .reg2 = ALWAYS_X0, .imm = IMM_C_ADDI },
    [RV_LAYOUT_C_LUI] = { .reg = AT_7, .imm = IMM_C_LUI },
    [RV_LAYOUT_C_ADDI16SP] = { .reg = ALWAYS_X2, .reg2 = ALWAYS_X2, .imm = IMM_C_ADDI16SP },
    [RV_LAYOUT_C_SRLI] = { .reg = SHORT_7, .reg2 = SHORT_7, .imm = IMM_C_SHIFT },
    [RV_LAYOUT_C_ANDI] = { .reg = SHORT_7, .reg2 = SHORT_7, .imm = IMM_C_ADDI },
    [RV_LAYOUT_C_AND] = { .reg = SHORT_7, .reg2 = SHORT_7, .reg3 = SHORT_2 },
    [RV_LAYOUT_C_NOT] = { .reg = SHORT_7, .reg2 = SHORT_7 },
    [RV_LAYOUT_C_BEQZ] = { .reg = SHORT_7, .reg2 = ALWAYS_X0, .disp = IMM_C_BEQZ },
    [RV_LAYOUT_C_SLLI] = { .reg = AT_7, .reg2 = AT_7, .imm = IMM_C_SHIFT },
    [RV_LAYOUT_C_LWSP] = { .reg = AT_7, .base = ALWAYS_X2, .disp = IMM_C_LWSP },
    [RV_LAYOUT_C_LDSP] = { .reg = AT_7, .base = ALWAYS_X2, .disp = IMM_C_LDSP },
    [RV_LAYOUT_C_SWSP] = { .reg = AT_2, .base = ALWAYS_X2, .disp = IMM_C_SWSP },
    [RV_LAYOUT_C_SDSP] = { .reg = AT_2, .base = ALWAYS_X2, .disp = IMM_C_SDSP },
    [RV_LAYOUT_C_JR] = { .reg = ALWAYS_X0, .reg2 = AT_7 },
    [RV_LAYOUT_C_JALR] = { .reg = ALWAYS_X1, .reg2 = AT_7 },
    [RV_LAYOUT_C_MV] = { .reg = AT_7, .reg2 = ALWAYS_X0, .reg3 = AT_2 },
    [RV_LAYOUT_C_ADD] = { .reg = AT_7, .reg2 = AT_7, .reg3 = AT_2 },
};
_Static_assert(sizeof layouts / sizeof layouts[0] == RV_LAYOUTS && RV_LAYOUTS == 49,
               "a new layout has its row here; NONE and CUSTOM have no operands");

static uint8_t register_at(uint32_t raw, uint8_t place)
{
    /* clamp: place is an entry of layouts */
    return (uint8_t)(places[place].add + (raw >> places[place].shift & places[place].mask));
}

static uint64_t immediate_at(uint32_t raw, unsigned kind)
{
    const struct immediate *imm = &immediates[kind]; /* clamp: kind is an entry of layouts */
    uint32_t value = 0;

    for (const struct run *r = imm->runs; r->width; r++)
        value |= (raw >> r->from & (((uint32_t)1 << r->width) - 1)) << r->to;
    return (uint64_t)core_sign_extend(value, imm->bits);
}

/* RV-7: who may touch a CSR stands in its number; counters can be lent to lower levels. */
static uint8_t csr_privilege(uint32_t csr)
{
    static const uint8_t lowest[4] = { SVMC_PRIVILEGE_NONE, SVMC_PRIVILEGE_KERNEL,
                                       SVMC_PRIVILEGE_HYP, SVMC_PRIVILEGE_MACHINE };

    if ((csr & 0xf60) == 0xc00) /* C00 to C1F, C80 to C9F */
        return SVMC_PRIVILEGE_SWITCHED;
    return lowest[csr >> 8 & 3];
}

/* RV-7: CSRRW and CSRRWI to x0 do not read; the others with x0 or 0 do not write. */
static void fill_csr(uint32_t raw, struct svmc_insn *out)
{
    bool swap = (raw >> 12 & 3) == 1;

    if (swap && out->reg == SVMC_REG_RV_X0)
        out->access = SVMC_ACCESS_WRITE;
    if (!swap && (raw >> 15 & 0x1f) == 0)
        out->access = SVMC_ACCESS_READ;
    if (out->reg2 == SVMC_REG_NONE) /* the immediate forms: the value itself */
        out->reg2 = raw >> 15 & 0x1f;
    out->privilege = csr_privilege(raw >> 20);
}

/* RV-6: how much of the register takes part, and what a load does to the rest of it. */
static void fill_widths(uint8_t xlen_bytes, struct svmc_insn *out)
{
    bool whole = out->reg_kind == SVMC_REG_KIND_GPR &&
                 (out->mem_bytes == 0 || (out->access & SVMC_ACCESS_READ));

    out->mem_count = out->mem_bytes != 0;
    out->reg_bytes = (uint8_t)out->mem_bytes;
    if (whole && out->mem_bytes < xlen_bytes)
        out->reg_bytes = xlen_bytes;
    if (out->mem_bytes >= xlen_bytes)
        out->flags &= (uint16_t) ~(SVMC_INSN_SIGN | SVMC_INSN_ZERO);
}

static void fill(const struct svmc_cpu *cpu, uint32_t raw, const struct words_row *row,
                 struct svmc_insn *out)
{
    const struct words_attr *attr = &rv_attrs[row->attr]; /* clamp: a row of the tables */
    const struct layout *at = &layouts[row->layout];      /* clamp: the same */
    uint8_t xlen_bytes = cpu->isa == SVMC_ISA_RV64 ? 8 : 4;
    uint64_t immediate = immediate_at(raw, at->disp | at->imm);

    *out = (struct svmc_insn){
        .id = row->id,
        .isa = cpu->isa,
        .length = (raw & 3) == 3 ? 4 : 2,
        .insn_class = attr->insn_class,
        .privilege = attr->privilege,
        .flags = attr->flags,
        .operand_bytes = xlen_bytes,
        .address_bytes = xlen_bytes,
        .access = attr->access,
        .segment = SVMC_SEG_NONE,
        .base = register_at(raw, at->base),
        .index = SVMC_REG_NONE,
        .mem_bytes = attr->bytes,
        .reg_kind = attr->reg_kind,
        .reg = register_at(raw, at->reg),
        .reg2 = register_at(raw, at->reg2),
        .reg3 = register_at(raw, at->reg3),
        .disp = at->disp ? (int64_t)immediate : 0,
        .imm = at->imm ? immediate : 0,
        .priv_form = row->layout,
        .priv_raw = { raw },
    };
    if (attr->reg_kind == SVMC_REG_KIND_VECTOR) /* counted in a file of its own */
        out->reg -= SVMC_REG_RV_X0;
    if (at->notes & IS_CSR)
        fill_csr(raw, out);
    if (at->notes & ORDERED)
        out->flags |= (uint16_t)((raw >> 26 & 1 ? SVMC_INSN_ACQUIRE : 0) |
                                 (raw >> 25 & 1 ? SVMC_INSN_RELEASE : 0));
    fill_widths(xlen_bytes, out);
    if (at->notes & MAY_FAIL)
        out->access |= SVMC_ACCESS_WRITE_IF;
}

enum svmc_status svmc_rv_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                struct svmc_insn *out)
{
    uint32_t xlen = cpu->isa == SVMC_ISA_RV64, raw, key;
    const struct words_row *row;
    uint8_t why;

    if (count < 2) /* RV-1 */
        return svmc_decode_refuse(SVMC_ERR_TRUNCATED, SVMC_REFUSAL_NONE, out);
    raw = core_load_le16(bytes);
    if ((raw & 0x1f) == 0x1f)
        return svmc_decode_refuse(SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE, out); /* RV-3 */
    if ((raw & 3) == 3) {
        if (count < 4)
            return svmc_decode_refuse(SVMC_ERR_TRUNCATED, SVMC_REFUSAL_NONE, out);
        raw = core_load_le32(bytes);
        key = (raw & ~(uint32_t)3) | 2 | xlen;
    } else {
        key = raw << 16 | xlen;
    }
    row = rv_find(key);
    if (row == NULL || row->id == SVMC_RV_NONE) { /* RV-2 */
        why = row ? SVMC_REFUSAL_RESERVED : SVMC_REFUSAL_NO_OPCODE;
        row = rv_find(key ^ 1);
        if (row != NULL && row->id != SVMC_RV_NONE)
            why = SVMC_REFUSAL_MODE;
        return svmc_decode_refuse(SVMC_ERR_UNDEFINED, why, out);
    }
    if (row->id == SVMC_RV_CUSTOM)
        return svmc_decode_refuse(SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE, out);
    fill(cpu, raw, row, out);
    return SVMC_OK;
}
