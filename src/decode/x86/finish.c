/* SPDX-License-Identifier: MIT */
/* x86: what svmc_x86_finish has to refuse and to add. Rules DE-n: docs/spec/decode.md. */
#include "../refuse.h"
#include "x86.h"

/* ---- what is wrong ---- */

static bool is_64(const struct x86_state *s)
{
    return s->mode >= X86_MODE_64;
}

/* Register numbers, as far as the encoding carries them. */
static unsigned reg_of(const struct x86_state *s)
{
    return x86_reg_of((uint32_t)s->rest, s->prefixes);
}

static unsigned rm_of(const struct x86_state *s)
{
    return x86_rm_of((uint32_t)s->rest, s->prefixes, s->vector);
}

static unsigned vvvv_of(const struct x86_state *s)
{
    return x86_vvvv_of(s->vector, is_64(s));
}

static unsigned vector_index_of(const struct x86_state *s)
{
    return ((unsigned)(s->rest >> 11) & 7) | (s->prefixes & PREFIX_X) >> 1 |
           (s->prefixes & PREFIX_V4) >> 3;
}

/* SDM vol. 2 2.7.11: what an EVEX instruction refuses. */
static unsigned check_evex(const struct x86_state *s, const struct x86_form *form,
                           const struct x86_trait *trait, bool memory)
{
    unsigned checks = trait->checks, mask = VECTOR_MASK(s->vector);
    bool zeroing = VECTOR_ZEROING(s->vector), stored = memory && (form->mem >> 4 & 2);

    if (mask != 0 && !(checks & (X86_CHECK_K | X86_CHECK_KREQ)))
        return SVMC_REFUSAL_MASK;
    if (mask == 0 && ((checks & X86_CHECK_KREQ) || zeroing))
        return SVMC_REFUSAL_MASK;
    if (zeroing && (!(checks & X86_CHECK_Z) || stored))
        return SVMC_REFUSAL_MASK;
    if (VECTOR_BROADCAST(s->vector) &&
        (memory ? trait->scales >> 4 == 0 : !(checks & (X86_CHECK_RC | X86_CHECK_SAE))))
        return SVMC_REFUSAL_BROADCAST;
    if (!(form->bits & X86_VVVV) && trait->vsib == 0 && (s->prefixes & PREFIX_V4))
        return SVMC_REFUSAL_VVVV;
    return SVMC_REFUSAL_NONE;
}

/* Registers of gathers, tile products and complex multiplies that must differ. */
static bool is_distinct(const struct x86_state *s, const struct x86_form *form, bool memory)
{
    unsigned reg = reg_of(s), rm = rm_of(s), index = vector_index_of(s), vvvv = vvvv_of(s);

    if (memory && !(form->bits & X86_VVVV)) /* gather with a mask register */
        return reg != index;
    if (memory && VECTOR_ENCODING(s->vector) == X86_VEX) /* gather */
        return reg != index && reg != vvvv && index != vvvv;
    if (form->reg >> 4 == SVMC_REG_KIND_TILE)
        return reg != rm && reg != vvvv && rm != vvvv;
    return reg != vvvv && (memory || reg != rm);
}

/* Numbers that a file does not have. */
static bool has_registers(const struct x86_state *s, const struct x86_form *form, unsigned checks,
                          bool memory)
{
    unsigned reg = reg_of(s), rm = rm_of(s);

    if (checks & X86_CHECK_CR)
        return reg == 0 || (reg >= 2 && reg <= 4) || reg == 8;
    if (checks & X86_CHECK_DR)
        return reg < 8;
    switch (form->reg >> 4) {
    case SVMC_REG_KIND_BOUND:
        return reg < 4 && (memory || !(checks & X86_CHECK_BNDRM) || rm < 4);
    case SVMC_REG_KIND_TILE:
        return reg < 8 && (memory || rm < 8) && VECTOR_VVVV(s->vector) < 8;
    case SVMC_REG_KIND_MASK:
        return reg < 8 && (VECTOR_ENCODING(s->vector) == X86_EVEX || vvvv_of(s) < 8);
    case SVMC_REG_KIND_GPR:
        return (form->reg & 15) != X86_SELECT_REG || reg < 16;
    default:
        return true;
    }
}

static unsigned check_vector(const struct x86_state *s, const struct x86_form *form,
                             const struct x86_trait *trait, bool memory)
{
    if (!(form->bits & X86_VVVV) && (VECTOR_VVVV(s->vector) & 15) != 0)
        return SVMC_REFUSAL_VVVV;
    if ((trait->checks & X86_CHECK_DISTINCT) && !is_distinct(s, form, memory))
        return SVMC_REFUSAL_REGISTER;
    if ((trait->checks & X86_CHECK_RM0) && (s->rest & 7) != 0)
        return SVMC_REFUSAL_NO_OPCODE;
    if ((trait->vsib != 0 || (trait->checks & X86_CHECK_SIB)) && memory &&
        ((s->rest & 7) != 4 || x86_has_16_bit_address(s)))
        return SVMC_REFUSAL_FORM;
    return VECTOR_ENCODING(s->vector) == X86_EVEX ? check_evex(s, form, trait, memory)
                                                  : SVMC_REFUSAL_NONE;
}

static bool has_features(const struct svmc_cpu *cpu, const struct x86_state *s,
                         const struct x86_trait *trait)
{
    unsigned base =
        VECTOR_ENCODING(s->vector) == X86_EVEX ? SVMC_X86_FEATURE_AVX512F : SVMC_X86_FEATURE_AVX;

    if (trait->feature && !svmc_x86_has(cpu, trait->feature))
        return false;
    if ((trait->checks & X86_CHECK_BASE) && !svmc_x86_has(cpu, base))
        return false;
    return !(trait->checks & X86_CHECK_VL) || VECTOR_LENGTH(s->vector) == 2 ||
           svmc_x86_has(cpu, SVMC_X86_FEATURE_AVX512VL);
}

/* DE-8. AMD: LOCK MOV CR0 is MOV CR8 (APM vol. 3 MOV CRn). */
static bool may_lock(const struct svmc_cpu *cpu, const struct x86_state *s, unsigned checks,
                     bool memory)
{
    if (checks & X86_CHECK_LOCKCR8)
        return s->vendor == SVMC_VENDOR_AMD && reg_of(s) == 0 &&
               svmc_x86_has(cpu, SVMC_X86_FEATURE_ALTMOVCR8);
    return (checks & X86_CHECK_LOCK) && memory;
}

static unsigned check(const struct svmc_cpu *cpu, const struct x86_state *s,
                      const struct x86_form *form, const struct x86_trait *trait, bool memory)
{
    unsigned checks = trait->checks;

    if ((s->prefixes & PREFIX_LOCK) && !may_lock(cpu, s, checks, memory))
        return SVMC_REFUSAL_LOCK;
    if (!has_features(cpu, s, trait))
        return SVMC_REFUSAL_FEATURE;
    if ((checks & X86_CHECK_NORIP) && is_64(s) && (s->rest & 0xc7) == 5)
        return SVMC_REFUSAL_FORM;
    if (form->reg >> 4 == SVMC_REG_KIND_BOUND && memory && x86_has_16_bit_address(s))
        return SVMC_REFUSAL_FORM; /* SDM vol. 1 17.5.1 */
    if (!has_registers(s, form, checks, memory))
        return SVMC_REFUSAL_REGISTER;
    return VECTOR_ENCODING(s->vector) >= X86_VEX ? check_vector(s, form, trait, memory)
                                                 : SVMC_REFUSAL_NONE;
}

/* ---- what is left to say ---- */

/* The n-th of a form's sizes, where its column is not the operand size. */
static unsigned rare_size(const struct x86_state *s, const struct x86_form *form, unsigned n,
                          const struct svmc_insn *out, unsigned otherwise)
{
    unsigned size = svmc_x86_triples[form->sizes][3] >> 8 * n & 0xff; /* clamp: from the table */

    if (size >= X86_SIZE_FIRST_ADDRESS)
        return out->address_bytes;
    if (size >= X86_SIZE_FIRST_VECTOR)
        return svmc_x86_sizes[size * 4 + VECTOR_LENGTH(s->vector)]; /* clamp: from the table */
    return otherwise;
}

/* VSIB: the index is a vector register, 4 is one too. EVEX: a short displacement is scaled. */
static void finish_memory(const struct x86_state *s, const struct x86_form *form,
                          const struct x86_trait *trait, struct svmc_insn *out)
{
    unsigned broadcast = (1u << (trait->scales >> 4)) >> 1,
             disp8 = (1u << (trait->scales & 15)) >> 1;

    out->mem_bytes = (uint16_t)rare_size(s, form, 2, out, out->mem_bytes);
    if (trait->vsib != 0) {
        out->index = (uint8_t)vector_index_of(s);
        out->scale = (uint8_t)(1u << ((unsigned)(s->rest >> 14) & 3));
    }
    if (VECTOR_ENCODING(s->vector) != X86_EVEX)
        return;
    out->access = x86_masked_access(VECTOR_MASK(s->vector), trait->checks, out->access);
    if (VECTOR_BROADCAST(s->vector))
        out->mem_bytes = (uint16_t)broadcast;
    if ((s->rest & 0xc0) == 0x40)
        out->disp *= disp8 ? (int64_t)disp8 : out->mem_bytes;
}

/* The register operand where it is not one of the first sixteen of its file. */
static void finish_register(const struct x86_state *s, const struct x86_form *form,
                            struct svmc_insn *out)
{
    static const uint8_t masks[12] = { 0xff, 15, 7, 15, 15, 7, 7, 7, 31, 7, 15, 15 };
    _Static_assert(SVMC_REG_KIND_TILE == 11, "the last kind of x86 has a mask");
    unsigned number = out->reg, select = form->reg & 15;

    if (select == X86_SELECT_REG)
        number = reg_of(s);
    else if (select == X86_SELECT_RM && out->reg_kind != SVMC_REG_KIND_NONE)
        number = rm_of(s);
    else if (select == X86_SELECT_VVVV)
        number = vvvv_of(s);
    else if (select == X86_SELECT_IS4)
        number = x86_is4_of(out->imm, is_64(s));
    else if (select >= X86_SELECT_FIXED3)
        number = select - (unsigned)X86_SELECT_FIXED3 + 3;
    if (select >= X86_SELECT_VVVV) {
        out->reg_kind = form->reg >> 4;
        /* clamp: from the table, the column is two bits */
        out->reg_bytes = (uint8_t)(svmc_x86_triples[form->sizes][out->priv_raw[2] >> 24 & 3] >> 8);
    }
    if (out->reg_kind == SVMC_REG_KIND_NONE)
        return;
    if (!(out->flags & SVMC_INSN_HIGH_REG))
        out->reg = (uint8_t)(number & masks[form->reg >> 4 & 15]); /* clamp: kinds are below 12 */
    out->reg_bytes = (uint8_t)rare_size(s, form, 1, out, out->reg_bytes);
    if (out->reg_kind == SVMC_REG_KIND_MASK)
        out->reg_bytes = 8;
}

/* LOCK, DE-7: what prefixes turn into flags. */
static void finish_flags(const struct x86_state *s, const struct x86_trait *trait,
                         struct svmc_insn *out)
{
    unsigned repeat = s->prefixes & (PREFIX_REP | PREFIX_REPNE);

    if ((s->prefixes & PREFIX_LOCK) && (trait->checks & X86_CHECK_LOCKCR8))
        out->reg = 8;
    else if (s->prefixes & PREFIX_LOCK)
        out->flags |= SVMC_INSN_LOCK;
    if (repeat == 0 || !(trait->checks & (X86_CHECK_REP | X86_CHECK_REPE)))
        return;
    if ((trait->checks & X86_CHECK_REPE) && repeat == PREFIX_REPNE)
        out->flags |= SVMC_INSN_REPNE;
    else
        out->flags |= SVMC_INSN_REP;
    out->access = x86_conditional(out->access); /* the count can be 0 */
}

enum svmc_status svmc_x86_refuse(unsigned reason, unsigned needed, size_t count,
                                 struct svmc_insn *out)
{
    enum svmc_status st = SVMC_ERR_UNDEFINED;

    if (needed > SVMC_INSN_MAX || needed > count) { /* DE-1 */
        st = count >= SVMC_INSN_MAX ? SVMC_ERR_TOO_LONG : SVMC_ERR_TRUNCATED;
        reason = SVMC_REFUSAL_NONE;
    } else if (reason == SVMC_REFUSAL_APX) {
        st = SVMC_ERR_UNSUPPORTED;
    }
    return svmc_decode_refuse(st, (uint8_t)reason, out);
}

/* What the decoder kept, as it was. */
static struct x86_state resumed(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                size_t at, const struct svmc_insn *out)
{
    struct x86_state s = { .rest = x86_fetch(bytes, count, at),
                           .prefixes = out->priv_raw[1] & 0xffff,
                           .vector = out->priv_raw[2],
                           .entry = out->priv_raw[0],
                           .at = (uint32_t)at,
                           .mode = (uint32_t)cpu->isa - SVMC_ISA_X86_16,
                           .vendor = cpu->vendor };

    return s;
}

enum svmc_status svmc_x86_finish(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 size_t at, struct svmc_insn *out)
{
    const struct x86_state s = resumed(cpu, bytes, count, at, out);
    const struct x86_form *form =
        &svmc_x86_forms[s.entry >> 11 & 0x3ff];                      /* clamp: from the table */
    const struct x86_trait *trait = &svmc_x86_traits[s.entry >> 21]; /* clamp: from the table */
    bool memory = (form->bits & X86_MODRM) && (s.rest & 0xc0) != 0xc0 && !(form->bits & X86_MOD3);
    unsigned reason = check(cpu, &s, form, trait, memory);

    if (VECTOR_ENCODING(s.vector) == X86_3DNOW)
        out->length++; /* the opcode stands last */
    if (out->length > count || out->length > SVMC_INSN_MAX || reason != SVMC_REFUSAL_NONE)
        return svmc_x86_refuse(reason, out->length, count, out);
    if (form->reg >> 4 == SVMC_REG_KIND_BOUND && is_64(&s)) /* SDM vol. 1 17.5.1: 67 is ignored */
        out->address_bytes = 8;
    out->operand_bytes = (uint8_t)rare_size(&s, form, 0, out, out->operand_bytes);
    if (memory)
        finish_memory(&s, form, trait, out);
    finish_register(&s, form, out);
    finish_flags(&s, trait, out);
    return SVMC_OK;
}
