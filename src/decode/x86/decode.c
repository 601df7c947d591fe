/* SPDX-License-Identifier: MIT */
/* x86: the way that most instructions take. Rules DE-n: docs/spec/decode.md. */
#include "../../core/bytes.h"
#include "x86.h"

#define RARELY(x) __builtin_expect((x) != 0, 0)
#define HOT       static inline __attribute__((always_inline))
#define COLD      __attribute__((noinline, cold))

/*
 * Columns of svmc_x86_sizes: 0, 1, 2 for 2, 4, 8 bytes; what the mode says, 66 and REX.W change.
 * By enum x86_osz * 16 + enum x86_mode * 4 + (PREFIX_OSIZE | PREFIX_W).
 */
static const uint8_t operand_column[64] = {
    0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 2, 2, 1, 0, 2, 2, /* plain */
    0, 1, 0, 1, 1, 0, 1, 0, 2, 0, 2, 2, 2, 0, 2, 2, /* 64 bits by default */
    1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, /* as wide as the mode */
    0, 1, 0, 1, 1, 0, 1, 0, 2, 0, 2, 2, 2, 2, 2, 2, /* near branch, DE-9 */
};
/* By enum x86_mode * 2 + (67 there). */
static const uint8_t address_column[8] = { 0, 1, 1, 0, 2, 1, 2, 1 };

/* Bytes of an immediate by enum x86_immediate * 4 + operand column; address column for MOFFS. */
static const uint8_t immediate_bytes[13 * 4] = {
    0, 0, 0, 0, 1, 1, 1, 0, 2, 2, 2, 0, 4, 4, 4, 0, /* none, IB, IW, ID */
    2, 4, 8, 0, 1, 1, 1, 0, 2, 4, 4, 0, 1, 1, 1, 0, /* IV, ISB, IZ, JB */
    2, 4, 4, 0, 2, 4, 8, 0, 4, 6, 6, 0, 3, 3, 3, 0, /* JZ, MOFFS, FAR, IWIB */
    2, 2, 2, 0,                                     /* IBIB */
};

/* REX.WRXB as PREFIX_ bits. */
static const uint8_t rex_bits[16] = { 0x00, 0x20, 0x10, 0x30, 0x08, 0x28, 0x18, 0x38,
                                      0x02, 0x22, 0x12, 0x32, 0x0a, 0x2a, 0x1a, 0x3a };

/*
 * ModRM by mod * 8 + rm, of memory operands: the bits of eight bytes that are not displacement,
 * halved, for that is what is shifted out twice; SIB; no base.
 */
#define NO_DISP            32u
#define DISP_8             28u
#define DISP_32            16u
#define DISP_HALF          0x3fu
#define HAS_SIB            0x40u
#define NO_BASE            0x80u
#define EIGHT(d, rm4, rm5) d, d, d, d, rm4, rm5, d, d
static const uint8_t modrm_32[32] = {
    EIGHT(NO_DISP, NO_DISP | HAS_SIB, DISP_32 | NO_BASE), /* mod 0 */
    EIGHT(DISP_8, DISP_8 | HAS_SIB, DISP_8),              /* mod 1 */
    EIGHT(DISP_32, DISP_32 | HAS_SIB, DISP_32),           /* mod 2 */
    EIGHT(NO_DISP, NO_DISP, NO_DISP),                     /* mod 3: a register, not asked for */
};
/* 16-bit addressing by rm: base, index (SDM vol. 2 table 2-1). */
static const uint8_t base_16[8] = { SVMC_REG_RBX, SVMC_REG_RBX, SVMC_REG_RBP, SVMC_REG_RBP,
                                    SVMC_REG_RSI, SVMC_REG_RDI, SVMC_REG_RBP, SVMC_REG_RBX };
static const uint8_t index_16[8] = { SVMC_REG_RSI,  SVMC_REG_RDI,  SVMC_REG_RSI,  SVMC_REG_RDI,
                                     SVMC_REG_NONE, SVMC_REG_NONE, SVMC_REG_NONE, SVMC_REG_NONE };

COLD uint64_t svmc_x86_fetch_end(const uint8_t *bytes, size_t count, size_t at)
{
    uint64_t value = 0;

    if (count >= 8 && at < count)
        return core_load_le64(bytes + count - 8) >> 8 * (at + 8 - count);
    for (size_t i = count; i > at; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

/* What stands before an opcode, and its entry. */
struct prefixes {
    uint32_t bits, entry, at, unused;
};

/* DE-2, DE-3, DE-4: any prefixes in any order. Not inlined: the fast path is short without it. */
static __attribute__((noinline)) struct prefixes read_all_prefixes(const uint8_t *bytes,
                                                                   size_t count, bool is_64)
{
    struct prefixes p = { .entry = (uint32_t)SVMC_REFUSAL_NO_OPCODE << 11 };
    uint32_t byte, entry;

    for (; p.at < SVMC_INSN_MAX; p.at++) {
        byte = p.at < count ? bytes[p.at] : 0;
        if (is_64 && (byte & 0xf0) == 0x40) { /* the last one counts */
            p.bits = (p.bits & ~PREFIX_REX_ALL) | PREFIX_REX |
                     rex_bits[byte & 15]; /* clamp: four bits */
            continue;
        }
        entry = svmc_x86_map_1[byte & 0xff]; /* clamp: a byte */
        if (entry >> 28 != ENTRY_PREFIX) {
            p.entry = entry;
            break;
        }
        p.bits &= ~PREFIX_REX_ALL;
        if ((entry & PREFIX_NULL) && is_64)
            continue;
        if (entry & PREFIX_SEGMENT)
            p.bits &= ~PREFIX_SEGMENT;
        if (entry & (PREFIX_REP | PREFIX_REPNE))
            p.bits &= ~(PREFIX_REP | PREFIX_REPNE);
        p.bits |= entry & 0x7fff;
    }
    return p;
}

/* Returns the bytes from the opcode on, whose entry is set. */
HOT uint64_t read_prefixes(struct x86_state *s, const uint8_t *bytes, size_t count)
{
    uint64_t next = x86_fetch(bytes, count, 0);
    bool is_64 = s->mode >= X86_MODE_64;
    struct prefixes all;

    if (is_64 && (next & 0xf0) == 0x40) {
        s->prefixes = PREFIX_REX | rex_bits[next & 15]; /* clamp: four bits */
        s->at = 1;
        next >>= 8;
    }
    s->entry = svmc_x86_map_1[(uint8_t)next]; /* clamp: a byte */
    if (RARELY(s->entry >> 28 == ENTRY_PREFIX || (is_64 && (next & 0xf0) == 0x40))) {
        all = read_all_prefixes(bytes, count, is_64);
        s->prefixes = all.bits;
        s->entry = all.entry;
        s->at = all.at;
        next = x86_fetch(bytes, count, all.at);
    }
    return next;
}

/* Up to the leaf; rest is set. */
HOT void find_leaf(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                   struct x86_state *s)
{
    uint64_t next = read_prefixes(s, bytes, count);

    s->at++;
    if ((uint8_t)next == 0x0f) {
        next >>= 8;
        s->entry = svmc_x86_map_0f[(uint8_t)next]; /* clamp: a byte */
        s->at++;
    }
    s->opcode = (uint32_t)next & 0xffff;
    s->rest = x86_fetch(bytes, count, s->at);
    if (s->entry >> 31) {
        if (s->entry >> 24 == (0x80u | X86_NODE_MEMORY)) /* most nodes are this, or a group */
            s->entry =
                svmc_x86_nodes[(s->entry & 0xffff) + ((s->rest & 0xc0) != 0xc0)]; /* clamp: table */
        if (s->entry >> 24 == (0x80u | X86_NODE_REG))
            s->entry = svmc_x86_nodes[(s->entry & 0xffff) + (s->rest >> 3 & 7)]; /* clamp: table */
        if (s->entry >> 28 == ENTRY_ESCAPE || s->entry >> 24 == (0x80u | X86_NODE_ESCAPE)) {
            struct x86_state rare = *s; /* s stays in registers */

            svmc_x86_escape(cpu, &rare, bytes, count);
            *s = rare;
        }
        if (s->entry >> 31)
            s->entry = svmc_x86_walk(cpu, s->entry, s->rest, s->prefixes, s->mode | s->vendor << 8);
    }
}

/* DE-4: an override where there is one, else SS for a stack base, else DS. */
HOT uint8_t segment_of(uint32_t prefixes, unsigned base)
{
    if (RARELY(prefixes & PREFIX_SEGMENT))
        return (uint8_t)(((prefixes & PREFIX_SEGMENT) >> 11) - 1);
    return (base & ~1u) == SVMC_REG_RSP ? SVMC_SEG_SS : SVMC_SEG_DS;
}

/* SDM vol. 2 table 2-1. Returns the bytes used. */
COLD static unsigned memory_16(uint64_t rest, struct svmc_insn *out)
{
    unsigned mod = (unsigned)rest >> 6 & 3, rm = (unsigned)rest & 7;
    unsigned bits = mod == 1 ? 8 : mod == 2 || rm == 6 ? 16 : 0;

    if (mod == 0 && rm != 6)
        bits = 0;
    out->base = mod == 0 && rm == 6 ? (uint8_t)SVMC_REG_NONE : base_16[rm]; /* clamp: 3 bits */
    out->index = index_16[rm];                                              /* clamp: 3 bits */
    out->scale = out->index != SVMC_REG_NONE;
    out->disp = bits ? core_sign_extend(rest >> 8, bits) : 0;
    return 1 + bits / 8;
}

/* DE-12; SDM vol. 2 tables 2-2, 2-3, 2.2.1.6. Returns the bytes used. */
HOT unsigned memory_32(const struct x86_state *s, struct svmc_insn *out)
{
    unsigned modrm = (unsigned)s->rest & 0xff, used = 1, sib, index = SVMC_REG_NONE, scale = 0;
    /* clamp: five bits */
    unsigned info = modrm_32[(modrm >> 3 & 24) | (modrm & 7)], half = info & DISP_HALF;
    unsigned base = (modrm & 7) | (s->prefixes & PREFIX_B) >> 2;
    uint64_t after = s->rest >> 8;

    if (info & (HAS_SIB | NO_BASE)) {
        if (info & HAS_SIB) {
            sib = (unsigned)after & 0xff;
            after >>= 8;
            used = 2;
            base = (sib & 7) | (s->prefixes & PREFIX_B) >> 2;
            index = (sib >> 3 & 7) | (s->prefixes & PREFIX_X) >> 1;
            scale = 1u << (sib >> 6);
            if (index == SVMC_REG_RSP) { /* R12 is an index, RSP is "none" */
                index = SVMC_REG_NONE;
                scale = 0;
            }
            if ((sib & 7) == 5 && modrm < 0x40) {
                base = SVMC_REG_NONE;
                half = DISP_32;
            }
        } else {
            base = s->mode >= X86_MODE_64 ? SVMC_REG_RIP : SVMC_REG_NONE;
        }
    }
    out->base = (uint8_t)base;
    out->index = (uint8_t)index;
    out->scale = (uint8_t)scale;
    out->disp = (int64_t)(after << half << half) >> half >> half; /* keeps the sign */
    return used + 8 - half / 4;
}

/* A memory operand that no ModRM byte names. */
COLD static void memory_implicit(uint32_t prefixes, unsigned where, struct svmc_insn *out)
{
    out->index = SVMC_REG_NONE;
    out->scale = 0;
    out->disp = 0; /* of MOFFS: read with the immediates */
    out->segment = segment_of(prefixes, SVMC_REG_NONE);
    out->base = where == X86_MEM_MOFFS  ? SVMC_REG_NONE
                : where == X86_MEM_SRC  ? SVMC_REG_RSI
                : where == X86_MEM_XLAT ? SVMC_REG_RBX
                                        : SVMC_REG_RDI;
    if (where == X86_MEM_DST) /* DE-4: in ES whatever the prefixes say */
        out->segment = SVMC_SEG_ES;
    if (where == X86_MEM_XLAT) {
        out->index = SVMC_REG_RAX;
        out->scale = 1;
    }
}

HOT void no_memory(struct svmc_insn *out)
{
    out->access = SVMC_ACCESS_NONE;
    out->segment = SVMC_SEG_NONE;
    out->base = SVMC_REG_NONE;
    out->index = SVMC_REG_NONE;
    out->scale = 0;
    out->mem_bytes = 0;
    out->mem_count = 0;
    out->disp = 0;
}

/* ModRM and what belongs to it. Returns the bytes used; *at: NONE where memory takes its place. */
HOT unsigned read_modrm(const struct x86_state *s, const struct x86_form *form, uint32_t sizes,
                        unsigned address, unsigned *at, struct svmc_insn *out)
{
    unsigned modrm = form->bits & X86_MODRM, where = form->mem & 15u, used;

    if (modrm && ((s->rest & 0xc0) == 0xc0 || (form->bits & X86_MOD3)) && where == X86_MEM_RM)
        where = X86_MEM_NONE;
    if (where == X86_MEM_NONE) {
        no_memory(out);
        return modrm;
    }
    out->access = form->mem >> 4;
    if (out->insn_class == SVMC_CLASS_OTHER) /* DE-10 */
        out->insn_class = out->access != SVMC_ACCESS_NONE;
    out->mem_bytes = (uint16_t)(sizes >> 16);
    out->mem_count = 1;
    if (RARELY(where != X86_MEM_RM)) {
        memory_implicit(s->prefixes, where, out);
        return modrm;
    }
    if (*at == X86_AT_RM)
        *at = X86_AT_NONE;
    if (RARELY(address == 0))
        used = memory_16(s->rest, out);
    else
        used = memory_32(s, out);
    out->segment = segment_of(s->prefixes, out->base);
    return used;
}

/* Immediates of two parts, and bare addresses. at: the bytes from the immediate on. */
COLD static void read_rare_immediate(unsigned kind, uint64_t at, unsigned bytes,
                                     struct svmc_insn *out)
{
    unsigned first = kind == X86_IMM_IWIB ? 2 : kind == X86_IMM_FAR ? bytes - 2 : 1;

    if (kind == X86_IMM_MOFFS) { /* it stands as it is, without a sign */
        out->disp = (int64_t)(at & core_mask(bytes));
        return;
    }
    out->imm = at & core_mask(first);
    out->priv_form = (uint16_t)(at >> 8 * first & core_mask(bytes - first));
}

/* DE-11. Returns its bytes. */
HOT unsigned read_immediate(const uint8_t *all, size_t count, const struct x86_state *s,
                            unsigned kind, unsigned used, unsigned column, struct svmc_insn *out)
{
    unsigned bytes = immediate_bytes[kind * 4 + column]; /* clamp: both are from tables */
    uint64_t at = s->rest >> 8 * used, value;

    if (RARELY(used + bytes > 8))
        at = x86_fetch(all, count, s->at + used);
    if (RARELY(kind >= X86_IMM_MOFFS)) {
        read_rare_immediate(kind, at, bytes, out);
        return bytes;
    }
    if (kind >= X86_IMM_ISB) {
        value = (uint64_t)core_sign_extend(at, 8 * bytes);
        if (kind >= X86_IMM_JB)
            out->disp = (int64_t)value;
        else
            out->imm = value & core_mask(2u << column);
        return bytes;
    }
    out->imm = bytes == 8 ? at : at & (((uint64_t)1 << 8 * bytes) - 1);
    return bytes;
}

/* The register operand: which one, of which file, how much of it. at: enum x86_at. */
HOT void set_register(const struct x86_state *s, const struct x86_form *form, unsigned at,
                      uint32_t sizes, struct svmc_insn *out)
{
    unsigned number = SVMC_REG_NONE, kind = SVMC_REG_KIND_NONE, bytes = 0;

    if (!(at & X86_AT_NONE)) {
        number = ((s->opcode | X86_FIXED) >> (at & 31) & 7) |
                 (s->prefixes >> (at >> 4 & 2) & (at >> 3 & 8));
        kind = form->reg >> 4;
        bytes = (uint8_t)(sizes >> 8);
        if (bytes == 1 && number - 4 < 4 && !(s->prefixes & PREFIX_REX)) {
            number -= 4;
            out->flags |= SVMC_INSN_HIGH_REG;
        }
    }
    out->reg = (uint8_t)number;
    out->reg_kind = (uint8_t)kind;
    out->reg_bytes = (uint8_t)bytes;
}

/* What the leaf and the prefixes say, without a look at ModRM. */
HOT void describe(const struct svmc_cpu *cpu, const struct x86_state *s,
                  const struct x86_trait *trait, uint32_t sizes, unsigned address,
                  struct svmc_insn *out)
{
    out->id = (uint16_t)(s->entry & 0x7ff);
    out->isa = cpu->isa;
    out->insn_class = trait->insn_class;
    out->privilege = trait->privilege;
    out->flags = trait->flags;
    if (RARELY(trait->flags & (SVMC_INSN_SIGN | SVMC_INSN_ZERO)) && sizes >> 16 >= (sizes & 0xff))
        out->flags = 0; /* as wide as its source */
    out->operand_bytes = (uint8_t)sizes;
    out->address_bytes = (uint8_t)(2u << address);
    out->index_extend = 0;
    out->reg2 = SVMC_REG_NONE;
    out->imm = 0;
    out->reg3 = SVMC_REG_NONE;
    out->refusal = SVMC_REFUSAL_NONE;
    out->reserved = 0;
    out->priv_form = 0;
    out->priv_raw[0] = s->entry;
    out->priv_raw[1] = s->prefixes | s->opcode << 16;
    out->priv_raw[2] = s->vector;
}

enum svmc_status svmc_x86_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 struct svmc_insn *out)
{
    struct x86_state s = { .mode = (uint8_t)(cpu->isa - SVMC_ISA_X86_16), .vendor = cpu->vendor };
    const struct x86_form *form;
    const struct x86_trait *trait;
    unsigned used, column, address, at, is_rare;
    uint32_t sizes;

    if (s.mode == X86_MODE_64 && s.vendor == SVMC_VENDOR_INTEL)
        s.mode = X86_MODE_64_INTEL;
    find_leaf(cpu, bytes, count, &s);
    if (RARELY((s.entry & 0x7ff) == 0))
        return svmc_x86_refuse(s.entry >> 11 & 0x3ff, s.at + (s.entry >> 21 & 1), count, out);
    form = &svmc_x86_forms[s.entry >> 11 & 0x3ff]; /* clamp: entries come from the table */
    trait = &svmc_x86_traits[s.entry >> 21];       /* clamp: entries come from the table */
    __asm__("" : "+r"(form), "+r"(trait));
    /* clamp: osz is from the table, mode below 4, two bits */
    column = operand_column[form->osz + s.mode * 4u + (s.prefixes & (PREFIX_OSIZE | PREFIX_W))];
    sizes = svmc_x86_triples[form->sizes][column]; /* clamp: from the table */
    s.vector |= column << 24;
    if (!(form->bits & X86_MODRM))
        s.opcode &= 0xff; /* what stands behind it is not the instruction's */
    address = address_column[s.mode * 2u + (s.prefixes & PREFIX_ASIZE) / 4]; /* clamp: mode */
    describe(cpu, &s, trait, sizes, address, out);
    is_rare = (s.prefixes & PREFIX_LOCK) | trait->rare;
    at = form->at;
    used = read_modrm(&s, form, sizes, address, &at, out);
    if (form->imm != X86_IMM_NONE)
        used += read_immediate(bytes, count, &s, form->imm, used,
                               form->imm == X86_IMM_MOFFS ? address : column, out);
    set_register(&s, form, at, sizes, out);
    used += s.at;
    out->length = (uint8_t)used;
    if (RARELY(is_rare))
        return svmc_x86_finish(cpu, bytes, count, s.at, out);
    if (RARELY(used > count || used > SVMC_INSN_MAX))
        return svmc_x86_refuse(SVMC_REFUSAL_NONE, used, count, out);
    return SVMC_OK;
}
