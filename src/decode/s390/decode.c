/* SPDX-License-Identifier: MIT */
/**
 * s390x: length, row and operands of an instruction. s390.dat has the rows; rules and bit numbers
 * (0 is the most significant) as in docs/spec/s390.md.
 *
 * What stays for svmc_insn_operands:
 *   priv_form     enum s390_layout_name
 *   priv_raw[0]   bytes 0 to 3 of the instruction, big-endian
 *   priv_raw[1]   31:16 bytes 4 and 5 (0 where it is shorter); 15:8 base of the second storage
 *                 operand; 7:0 its access, SVMC_ACCESS_NONE: there is no such operand
 *   priv_raw[2]   31:16 its bytes as in mem_bytes; 15:0 its displacement
 */
#include "s390.h"

#include "../../core/bytes.h"
#include "../../core/clamp.h"
#include "../../core/memory.h"
#include "../refuse.h"
#include "s390_tables.h"

#define TEXT_BITS 48u
#define NIBBLE    4u

/* The width bits from bit `at` of the instruction, which is left-aligned in 48 bits. */
static uint32_t field(uint64_t text, unsigned at, unsigned width)
{
    return (uint32_t)(text >> (TEXT_BITS - at - width) & (((uint64_t)1 << width) - 1));
}

/* S390-1: bits 0:1 say how long it is. */
static unsigned length_of(uint8_t first)
{
    return first < 0x40 ? 2 : first < 0xc0 ? 4 : 6;
}

static uint64_t text_of(const uint8_t *bytes, unsigned length)
{
    uint64_t text = 0;

    for (unsigned i = 0; i < length; i++)
        text |= (uint64_t)bytes[i] << (TEXT_BITS - 8 - 8 * i);
    return text;
}

/* S390-2, S390-3: the row and, in *id, the opcode; NULL: no operation has it. */
static const struct s390_row *find(uint64_t text, uint16_t *id)
{
    uint32_t lead = field(text, 0, 8), number = s390_page_of[lead], cell; /* clamp: eight bits */
    const struct s390_page *page = &s390_pages[number]; /* clamp: from the table */
    uint32_t minor = (uint32_t)(text >> page->shift) & page->mask;
    uint32_t at = minor - page->first;

    if (at >= page->count)
        return NULL;
    /* clamp: at is, the rest is from the table */
    cell = s390_cells[page->cells + core_clamp(at, page->count)];
    if (cell == 0)
        return NULL;
    *id = (uint16_t)(lead << 8 | (number ? minor : 0));
    return &s390_rows[page->rows + cell - 1u]; /* clamp: from the table */
}

/* S390-5: a register of the file `kind` at `nibble`; RXB lends vector registers a fifth bit. */
static uint8_t reg_at(uint64_t text, unsigned nibble, unsigned kind)
{
    uint32_t lead = field(text, 0, 8), n;

    if (nibble == 0)
        return SVMC_REG_NONE;
    n = field(text, nibble * NIBBLE, NIBBLE);
    if (kind == SVMC_REG_KIND_GPR)
        return (uint8_t)(SVMC_REG_S390_R0 + n);
    if (kind == SVMC_REG_KIND_VECTOR && (lead == 0xe6 || lead == 0xe7))
        n |= field(text, nibble == 8 ? 39 : 34 + nibble, 1) << 4;
    return (uint8_t)n;
}

/* S390-6: a general register that addresses; 0 is none but where it holds the whole address. */
static uint8_t address_at(uint64_t text, unsigned nibble, unsigned disp)
{
    if (nibble == 0 || (disp != S390_DISP_NONE && field(text, nibble * NIBBLE, NIBBLE) == 0))
        return SVMC_REG_NONE;
    return reg_at(text, nibble, SVMC_REG_KIND_GPR);
}

/* S390-7, S390-8 */
static int64_t disp_of(uint64_t text, unsigned disp)
{
    if (disp == S390_DISP_D12 || disp == S390_DISP_D12V)
        return field(text, 20, 12);
    if (disp == S390_DISP_D20)
        return core_sign_extend(field(text, 32, 8) << 12 | field(text, 20, 12), 20);
    if (disp == S390_DISP_BRANCH16)
        return core_sign_extend(field(text, 16, 16), 16) * 2;
    if (disp != S390_DISP_NONE)
        return core_sign_extend(field(text, 16, 32), 32) * 2;
    return 0;
}

/* S390-10: registers from the first to the second; 0: vector registers, and not 1 to 16 of them. */
static uint8_t range_of(const struct svmc_insn *out, unsigned bytes)
{
    unsigned count = (unsigned)(out->reg2 - out->reg) + 1;

    if (bytes != S390_BYTES_RANGE16)
        return (uint8_t)(((count - 1) & 15) + 1);
    return count <= 16 ? (uint8_t)count : 0;
}

/* S390-9 */
static uint16_t bytes_of(uint64_t text, unsigned bytes)
{
    static const uint8_t ones[16] = { 1, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4 };
    uint32_t l = field(text, 8, 8), m = field(text, 32, 4);

    switch (bytes) {
    case S390_BYTES_L:
        return (uint16_t)(l + 1);
    case S390_BYTES_L1:
        return (uint16_t)((l >> 4) + 1);
    case S390_BYTES_L2:
        return (uint16_t)((l & 15) + 1);
    case S390_BYTES_I3:
        return (uint16_t)((l & 31) + 1);
    case S390_BYTES_MASK:
        return ones[l & 15];
    case S390_BYTES_ELEMENT:
        return (uint16_t)(m == 6 ? 4 : 1 << (m & 3));
    case S390_BYTES_RANGE4:
    case S390_BYTES_RANGE8:
    case S390_BYTES_RANGE16:
        return (uint16_t)(4 << (bytes - S390_BYTES_RANGE4));
    case S390_BYTES_256:
        return 256;
    case S390_BYTES_4096:
        return 4096;
    default:
        return (uint16_t)bytes;
    }
}

/* S390-5, S390-11 */
static void fill_registers(uint64_t text, const struct s390_layout *layout,
                           const struct s390_row *row, struct svmc_insn *out)
{
    static const uint8_t widths[8] = { 4, 8, 12, 16, 32, 4, 4, 4 };
    unsigned width = widths[layout->imm >> 4 & 7];

    out->reg_kind = row->reg_kind;
    out->reg = reg_at(text, layout->reg_reg2 & 15, row->reg_kind);
    out->reg2 = reg_at(text, layout->reg_reg2 >> 4, row->reg_kind);
    out->reg3 = reg_at(text, layout->reg3_index & 15, row->reg_kind);
    out->reg_bytes = row->reg_bytes;
    out->operand_bytes = row->reg_bytes;
    if (layout->imm == 0)
        return;
    out->imm = field(text, (layout->imm & 15) * NIBBLE, width);
    if (layout->imm & 0x80)
        out->imm = (uint64_t)core_sign_extend(out->imm, width);
}

/* S390-4, S390-6 to S390-10: the first storage operand, or an address that is only formed. */
static void fill_storage(uint64_t text, const struct s390_layout *layout,
                         const struct s390_row *row, struct svmc_insn *out)
{
    unsigned index = layout->reg3_index >> 4;

    out->base = address_at(text, layout->base_second & 15, layout->disp);
    out->index = layout->disp == S390_DISP_D12V ? reg_at(text, index, SVMC_REG_KIND_VECTOR)
                                                : address_at(text, index, layout->disp);
    out->scale = out->index != SVMC_REG_NONE;
    out->disp = disp_of(text, layout->disp);
    if (layout->disp == S390_DISP_DATA32)
        out->base = SVMC_REG_S390_IA;
    out->access = row->access & 15;
    if (out->access == SVMC_ACCESS_NONE)
        return;
    out->mem_bytes = bytes_of(text, row->bytes[0]);
    out->mem_count = 1;
    if (row->bytes[0] >= S390_BYTES_RANGE4 && row->bytes[0] <= S390_BYTES_RANGE16)
        out->mem_count = range_of(out, row->bytes[0]);
}

/* S390-12: the text and the second storage operand, for svmc_insn_operands. */
static void fill_private(uint64_t text, const struct s390_layout *layout,
                         const struct s390_row *row, struct svmc_insn *out)
{
    unsigned second = layout->base_second >> 4;
    uint32_t base = address_at(text, second, layout->disp), disp = 0;

    if (second && layout->disp != S390_DISP_NONE)
        disp = field(text, (second + 1) * NIBBLE, 12);
    out->priv_form = row->layout;
    out->priv_raw[0] = field(text, 0, 32);
    out->priv_raw[1] = field(text, 32, 16) << 16 | base << 8 | (uint32_t)(row->access >> 4);
    out->priv_raw[2] = (uint32_t)bytes_of(text, row->bytes[1]) << 16 | disp;
}

enum svmc_status svmc_s390_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                  struct svmc_insn *out)
{
    const struct s390_layout *layout;
    const struct s390_row *row;
    unsigned length;
    uint64_t text;

    (void)cpu; /* one architecture: nothing of it depends on cpu yet */
    memset(out, 0, sizeof *out);
    if (count == 0)
        return svmc_decode_refuse(SVMC_ERR_TRUNCATED, SVMC_REFUSAL_NONE, out);
    length = length_of(bytes[0]);
    if (count < length)
        return svmc_decode_refuse(SVMC_ERR_TRUNCATED, SVMC_REFUSAL_NONE, out);
    text = text_of(bytes, length);
    row = find(text, &out->id);
    if (row == NULL)
        return svmc_decode_refuse(SVMC_ERR_UNDEFINED, SVMC_REFUSAL_NO_OPCODE, out);
    layout = &s390_layouts[row->layout]; /* clamp: from the table */
    out->isa = SVMC_ISA_S390X;
    out->length = (uint8_t)length;
    out->insn_class = row->insn_class; /* S390-4, to flags */
    out->privilege = row->privilege;
    out->flags = (uint16_t)((1u << row->flag) & ~1u);
    out->address_bytes = 8;
    out->segment = SVMC_SEG_NONE;
    fill_registers(text, layout, row, out);
    fill_storage(text, layout, row, out);
    fill_private(text, layout, row, out);
    return SVMC_OK;
}
