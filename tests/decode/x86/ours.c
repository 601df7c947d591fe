/* SPDX-License-Identifier: MIT */
/* svmc_insn_decode and svmc_insn_operands as a verdict. */
#include <stdio.h>
#include <string.h>
#pragma GCC diagnostic ignored "-Woverlength-strings" /* of the next one */
#include "decode/x86/x86_names.h"
#include "verdict.h"

static char names[X86_IDS][24];

const char *ours_name(unsigned id)
{
    return id < X86_IDS ? names[id] : "?";
}

unsigned ours_id_count(void)
{
    return X86_IDS;
}

bool ours_start(void)
{
    for (unsigned id = 0; id < X86_IDS; id++) {
        unsigned n = (unsigned)(x86_name_at[id + 1] - x86_name_at[id]);

        if (n >= sizeof names[0])
            return false;
        memcpy(names[id], x86_name_text + x86_name_at[id], n);
    }
    return true;
}

static const struct svmc_operand *first(const struct verdict *v, unsigned kind)
{
    for (unsigned n = 0; n < v->count; n++)
        if (v->operands[n].kind == kind)
            return &v->operands[n];
    return NULL;
}

static const char *memory_contradicts(const struct svmc_insn *i, const struct svmc_operand *o)
{
    if (o == NULL)
        return i->access || i->mem_bytes || i->scale || i->segment != SVMC_SEG_NONE ||
                       i->base != SVMC_REG_NONE || i->index != SVMC_REG_NONE
                   ? "memory fields without an operand"
                   : NULL;
    if (i->access != o->access || i->mem_bytes != o->bytes)
        return "access or mem_bytes";
    return i->segment != o->segment || i->base != o->base || i->index != o->index ||
                   i->scale != o->scale || i->disp != o->disp
               ? "address"
               : NULL;
}

static bool is_reg(const struct svmc_insn *i, const struct svmc_operand *o)
{
    return o->kind == SVMC_OPERAND_REG && i->reg_kind == o->reg_kind && i->reg == o->reg &&
           i->reg_bytes == o->bytes && !(i->flags & SVMC_INSN_HIGH_REG) == !o->high;
}

/* VMASKMOV, VPMASKMOV to memory: two vectors behind it, the first of which is the mask. */
static bool is_masked_store(const struct verdict *v)
{
    return v->count == 3 && v->operands[0].kind == SVMC_OPERAND_MEM &&
           v->operands[1].reg_kind == SVMC_REG_KIND_VECTOR &&
           v->operands[2].reg_kind == SVMC_REG_KIND_VECTOR;
}

/* Registers in the list, and svmc_insn.reg is one of them: beside memory the first, but not
   the mask of a store. */
static const char *register_contradicts(const struct verdict *v, bool memory)
{
    const struct svmc_operand *any = first(v, SVMC_OPERAND_REG), *wanted = NULL;
    bool found = false;

    if (any == NULL)
        return v->insn.reg_kind || v->insn.reg_bytes ? "reg without an operand" : NULL;
    for (unsigned n = 0; n < v->count; n++) {
        const struct svmc_operand *o = &v->operands[n];

        found |= is_reg(&v->insn, o);
        if (wanted == NULL && o->kind == SVMC_OPERAND_REG &&
            (n == 0 || o->reg_kind != SVMC_REG_KIND_MASK))
            wanted = o;
    }
    if (is_masked_store(v))
        wanted = &v->operands[2];
    if (memory && wanted != NULL && v->insn.id != SVMC_X86_OUTS)
        return is_reg(&v->insn, wanted) ? NULL : "reg beside memory";
    if (wanted == NULL && v->insn.reg_kind == SVMC_REG_KIND_NONE)
        return NULL; /* gather prefetches have but their mask */
    return found ? NULL : "reg";
}

/* What svmc_insn and its own list of operands say twice must be the same. */
static const char *list_contradicts(const struct shape *s, const struct verdict *v)
{
    const struct svmc_insn *i = &v->insn;
    const struct svmc_operand *imm = first(v, SVMC_OPERAND_IMM);
    const struct svmc_operand *branch = first(v, SVMC_OPERAND_BRANCH);
    const struct svmc_operand *memory = first(v, SVMC_OPERAND_MEM);
    const char *why = register_contradicts(v, memory != NULL);
    /* shifts by 1, and the four bits beside a register in VPERMIL2: no immediate of their own */
    bool encoded = !(s->encoding == LEGACY && s->map == 1 && (s->opcode & 0xfe) == 0xd0) &&
                   !(s->encoding == VEX && s->map == 3 && (s->opcode & 0xfe) == 0x48);

    if (why != NULL)
        return why;
    if (imm != NULL && encoded && i->imm != imm->imm)
        return "imm";
    if (branch != NULL)
        return (uint64_t)i->disp != branch->imm ? "branch distance" : NULL;
    return memory_contradicts(i, memory);
}

/* REX2, and EVEX map 4: recognised under the feature bit, nothing claimed (Intel APX 3.1). */
static bool is_apx(const struct shape *s)
{
    bool b4 = (s->bytes[s->prefixes + 1] & 8) != 0; /* EVEX P0 bit 3 */

    return s->mode == 64 && ((s->encoding == LEGACY && s->map == 1 && s->opcode == 0xd5) ||
                             (s->encoding == EVEX && (s->map == 4 || b4 || !s->fixed)));
}

/* Features without which the bytes are another instruction: BSR, BSF, NOP, WBINVD. */
static void lack_meanings(struct svmc_cpu *cpu)
{
    static const uint8_t lacking[] = { SVMC_X86_FEATURE_LZCNT,    SVMC_X86_FEATURE_BMI1,
                                       SVMC_X86_FEATURE_MPX,      SVMC_X86_FEATURE_CET,
                                       SVMC_X86_FEATURE_WBNOINVD, SVMC_X86_FEATURE_CLDEMOTE };

    for (unsigned i = 0; i < sizeof lacking; i++)
        cpu->features[lacking[i] / 64] &= ~((uint64_t)1 << lacking[i] % 64);
}

/* The instruction's own bytes suffice, and one less is too few; an error leaves its refusal. */
static const char *contract_broken(const struct svmc_cpu *cpu, const struct shape *s,
                                   enum svmc_status st, const struct svmc_insn *whole)
{
    const struct svmc_insn nothing = { .refusal = whole->refusal };
    struct svmc_insn i;

    if (st != SVMC_OK)
        return memcmp(whole, &nothing, sizeof nothing) != 0 ? "fields after an error" : NULL;
    if (svmc_insn_decode(cpu, s->bytes, whole->length, &i) != SVMC_OK ||
        memcmp(&i, whole, sizeof i) != 0)
        return "its own bytes alone";
    return svmc_insn_decode(cpu, s->bytes, whole->length - 1u, &i) != SVMC_ERR_TRUNCATED
               ? "one byte less"
               : NULL;
}

void ours_ask(const struct shape *s, struct verdict *v)
{
    struct svmc_cpu cpu = {
        .isa = s->mode == 16   ? SVMC_ISA_X86_16
               : s->mode == 32 ? SVMC_ISA_X86_32
                               : SVMC_ISA_X86_64,
        .vendor = s->vendor,
        .features = { UINT64_MAX, UINT64_MAX },
    };
    enum svmc_status st;

    if (s->old)
        lack_meanings(&cpu);
    st = svmc_insn_decode(&cpu, s->bytes, CASE_BYTES, &v->insn);
    v->accepted = st == SVMC_OK;
    v->length = v->insn.length;
    v->known = KNOWS_MEMORY | KNOWS_SIZE | KNOWS_OPERANDS;
    v->refusal = v->insn.refusal;
    v->broken = NULL;
    v->count = 0;
    v->text = st == SVMC_OK ? ours_name(v->insn.id) : svmc_status_name(st);
    if (st == SVMC_OK) {
        if (svmc_insn_operands(&v->insn, v->operands, &v->count) != SVMC_OK ||
            v->count > SVMC_OPERANDS_MAX)
            v->broken = "no operand list";
        else
            v->broken = list_contradicts(s, v);
    } else if (st == SVMC_ERR_UNSUPPORTED) {
        v->broken = is_apx(s) ? NULL : "unsupported but no APX";
    } else if (st != SVMC_ERR_UNDEFINED && st != SVMC_ERR_TOO_LONG) {
        v->broken = "neither accepted, undefined nor too long";
    } else if ((st == SVMC_ERR_UNDEFINED) != (v->refusal != 0)) {
        v->broken = "refusal after an error";
    }
    if (v->broken == NULL)
        v->broken = contract_broken(&cpu, s, st, &v->insn);
}
