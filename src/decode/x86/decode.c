/* SPDX-License-Identifier: MIT */
/* x86: prefixes, opcode, row. Rules DE-n: docs/spec/decode.md. */
#include "../../core/clamp.h"
#include "../decode_private.h"
#include "x86_tables.h"

/* Returns false at the first byte that is no prefix. */
static bool apply_prefix(struct x86_state *s, unsigned entry, uint8_t byte)
{
    if (entry < X86_FIRST_PREFIX || entry == X86_PREFIX_ESCAPE)
        return false;
    if (entry == X86_PREFIX_REX) {
        s->rex = byte;
        return true;
    }
    s->rex = 0; /* DE-3: in force only right before the opcode */
    switch (entry) {
    case X86_PREFIX_OSIZE:
        s->osize = true;
        break;
    case X86_PREFIX_ASIZE:
        s->asize = true;
        break;
    case X86_PREFIX_LOCK:
        s->lock = true;
        break;
    case X86_PREFIX_REPNE:
    case X86_PREFIX_REP:
        s->rep = byte;
        break;
    case X86_PREFIX_FS:
        s->segment = SVMC_SEG_FS;
        break;
    case X86_PREFIX_GS:
        s->segment = SVMC_SEG_GS;
        break;
    default: /* DE-4: ES, CS, SS, DS */
        break;
    }
    return true;
}

/* Reads prefixes and opcode; *entry is what the opcode's map says. */
static enum svmc_status read_opcode(struct x86_state *s, unsigned *entry)
{
    enum svmc_status st;
    uint8_t byte;

    do { /* ends: x86_need fails after SVMC_INSN_MAX bytes */
        st = x86_need(s, 1);
        if (st != SVMC_OK)
            return st;
        byte = s->bytes[core_clamp(s->at++, SVMC_INSN_MAX)];
        *entry = x86_map_1[byte];
    } while (apply_prefix(s, *entry, byte));

    if (*entry == X86_PREFIX_ESCAPE) {
        st = x86_need(s, 1);
        if (st != SVMC_OK)
            return st;
        *entry = x86_map_0f[s->bytes[core_clamp(s->at++, SVMC_INSN_MAX)]];
    }
    return SVMC_OK;
}

/* A group is keyed by the ModRM byte, which stays to be read as an operand. */
static enum svmc_status resolve_group(const struct x86_state *s, unsigned *entry)
{
    unsigned group = *entry - X86_FIRST_GROUP;
    enum svmc_status st;
    unsigned slot;
    uint8_t modrm;

    if (group >= X86_GROUPS)
        return SVMC_OK;
    st = x86_need(s, 1);
    if (st != SVMC_OK)
        return st;
    modrm = s->bytes[core_clamp(s->at, SVMC_INSN_MAX)];
    slot = modrm < 0xc0 ? (modrm >> 3) & 7u : modrm - 0xc0u + 8u; /* < 72 for each byte */
    *entry = x86_groups[core_clamp(group, X86_GROUPS)][core_clamp(slot, 72)];
    return SVMC_OK;
}

/* DE-6: F2 and F3 are heard before 66. */
static void resolve_prefix(const struct x86_state *s, unsigned *entry)
{
    unsigned node = *entry - X86_FIRST_NODE;
    unsigned column = s->rep == 0xf3 ? 2u : s->rep == 0xf2 ? 3u : s->osize ? 1u : 0u;

    if (node < X86_NODES)
        *entry = x86_nodes[core_clamp(node, X86_NODES)][column];
}

static enum svmc_status find_row(struct x86_state *s, const struct x86_row **row)
{
    unsigned entry;
    enum svmc_status st = read_opcode(s, &entry);

    if (st == SVMC_OK)
        st = resolve_group(s, &entry);
    if (st != SVMC_OK)
        return st;
    resolve_prefix(s, &entry);
    if (entry == X86_ROW_UNDEFINED) /* DE-13 */
        return SVMC_ERR_UNDEFINED;
    if (entry == 0 || entry >= X86_ROWS)
        return SVMC_ERR_UNSUPPORTED;
    *row = &x86_rows[core_clamp(entry, X86_ROWS)];
    if (s->lock && !((*row)->flags & X86_MAY_LOCK)) /* DE-8 */
        return SVMC_ERR_UNDEFINED;
    if ((*row)->vendor != SVMC_VENDOR_NONE && (*row)->vendor != s->vendor) /* DE-9 */
        return SVMC_ERR_UNDEFINED;
    if ((*row)->flags & X86_HAS_MODRM) {
        st = x86_need(s, 1);
        if (st != SVMC_OK)
            return st;
        s->modrm = s->bytes[s->at++];
    }
    return SVMC_OK;
}

/* What the row says of the whole instruction, once its operands are known. */
static void describe(const struct x86_state *s, const struct x86_row *row, struct svmc_insn *out)
{
    const struct svmc_operand *op = out->operands;
    bool memory = op[0].kind == SVMC_OPERAND_MEM || op[1].kind == SVMC_OPERAND_MEM;

    out->id = row->id;
    out->length = s->at;
    out->insn_class = row->insn_class;
    if (row->insn_class == SVMC_CLASS_MEMORY && !memory) /* DE-10 */
        out->insn_class = SVMC_CLASS_OTHER;
    out->operand_bytes = svmc_x86_size_bytes(s, row->size);
    out->address_bytes = s->asize ? 4 : 8;
    out->repeat =
        (row->flags & X86_MAY_REP) && s->rep != 0 ? SVMC_REPEAT_REP : SVMC_REPEAT_NONE; /* DE-7 */
    out->extend = op[1].bytes < op[0].bytes ? row->extend : SVMC_EXTEND_NONE;
    out->isa = SVMC_ISA_X86_64;
    for (unsigned i = 0; i < sizeof out->reserved; i++)
        out->reserved[i] = 0;
}

enum svmc_status svmc_x86_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 struct svmc_insn *out)
{
    static const struct svmc_operand unused = { .reg = SVMC_REG_NONE,
                                                .segment = SVMC_SEG_NONE,
                                                .base = SVMC_REG_NONE,
                                                .index = SVMC_REG_NONE };
    const struct x86_row *row = NULL;
    struct x86_state s = { .bytes = bytes,
                           .limit = (uint8_t)(count < SVMC_INSN_MAX ? count : SVMC_INSN_MAX),
                           .full = count >= SVMC_INSN_MAX,
                           .vendor = cpu->vendor,
                           .segment = SVMC_SEG_NONE };
    enum svmc_status st = find_row(&s, &row);

    if (st != SVMC_OK)
        return st;
    out->operand_count = 0;
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++) {
        out->operands[i] = unused;
        if (row->operands[i] == 0)
            continue;
        st = svmc_x86_operand_read(&s, row->operands[i], &out->operands[i]);
        if (st != SVMC_OK)
            return st;
        out->operand_count++;
    }
    describe(&s, row, out);
    return SVMC_OK;
}

const char *svmc_x86_mnemonic(unsigned id)
{
    if (id == SVMC_X86_NONE || id >= X86_IDS)
        return NULL;
    return x86_names[core_clamp(id, X86_IDS)];
}
