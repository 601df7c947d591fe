/* SPDX-License-Identifier: MIT */
/* One decoded instruction beside Zydis's, field by field and text by text. For differential.c. */
#ifndef REFERENCE_ZYDIS_H
#define REFERENCE_ZYDIS_H
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>
#include <svmcore/insn.h>
#include "reference_llvm.h" /* mask */

static ZydisDecoder zydis;
static ZydisFormatter formatter;
static uint64_t texts;

/* Under prefix 67 Zydis finds a base where there is none: the exceptions in differential.c. */
static inline bool is_r13d(const ZydisDecodedInstruction *z)
{
    return z->address_width == 32 && z->raw.modrm.mod == 0 && z->raw.modrm.rm == 4 &&
           (z->attributes & ZYDIS_ATTRIB_HAS_SIB) && z->raw.sib.base == 5 && z->raw.rex.B;
}

static const struct {
    ZydisMnemonic theirs;
    uint16_t ours;
    uint8_t bytes; /* of a string instruction; 0: any */
} names[] = {
    { ZYDIS_MNEMONIC_MOV, SVMC_X86_MOV, 0 },       { ZYDIS_MNEMONIC_MOVZX, SVMC_X86_MOVZX, 0 },
    { ZYDIS_MNEMONIC_MOVSX, SVMC_X86_MOVSX, 0 },   { ZYDIS_MNEMONIC_MOVSXD, SVMC_X86_MOVSXD, 0 },
    { ZYDIS_MNEMONIC_IN, SVMC_X86_IN, 0 },         { ZYDIS_MNEMONIC_OUT, SVMC_X86_OUT, 0 },
    { ZYDIS_MNEMONIC_INSB, SVMC_X86_INS, 1 },      { ZYDIS_MNEMONIC_INSW, SVMC_X86_INS, 2 },
    { ZYDIS_MNEMONIC_INSD, SVMC_X86_INS, 4 },      { ZYDIS_MNEMONIC_OUTSB, SVMC_X86_OUTS, 1 },
    { ZYDIS_MNEMONIC_OUTSW, SVMC_X86_OUTS, 2 },    { ZYDIS_MNEMONIC_OUTSD, SVMC_X86_OUTS, 4 },
    { ZYDIS_MNEMONIC_MOVSB, SVMC_X86_MOVS, 1 },    { ZYDIS_MNEMONIC_MOVSW, SVMC_X86_MOVS, 2 },
    { ZYDIS_MNEMONIC_MOVSD, SVMC_X86_MOVS, 4 },    { ZYDIS_MNEMONIC_MOVSQ, SVMC_X86_MOVS, 8 },
    { ZYDIS_MNEMONIC_STOSB, SVMC_X86_STOS, 1 },    { ZYDIS_MNEMONIC_STOSW, SVMC_X86_STOS, 2 },
    { ZYDIS_MNEMONIC_STOSD, SVMC_X86_STOS, 4 },    { ZYDIS_MNEMONIC_STOSQ, SVMC_X86_STOS, 8 },
    { ZYDIS_MNEMONIC_LODSB, SVMC_X86_LODS, 1 },    { ZYDIS_MNEMONIC_LODSW, SVMC_X86_LODS, 2 },
    { ZYDIS_MNEMONIC_LODSD, SVMC_X86_LODS, 4 },    { ZYDIS_MNEMONIC_LODSQ, SVMC_X86_LODS, 8 },
    { ZYDIS_MNEMONIC_CPUID, SVMC_X86_CPUID, 0 },   { ZYDIS_MNEMONIC_RDMSR, SVMC_X86_RDMSR, 0 },
    { ZYDIS_MNEMONIC_WRMSR, SVMC_X86_WRMSR, 0 },   { ZYDIS_MNEMONIC_HLT, SVMC_X86_HLT, 0 },
    { ZYDIS_MNEMONIC_VMCALL, SVMC_X86_VMCALL, 0 }, { ZYDIS_MNEMONIC_VMMCALL, SVMC_X86_VMMCALL, 0 },
};

/* Our id for what Zydis found; NONE: not one of ours (MOV of CR, DR and segment registers too). */
static inline unsigned zydis_id(const ZydisDecodedInstruction *z, unsigned *bytes)
{
    *bytes = 0;
    if (z->mnemonic == ZYDIS_MNEMONIC_MOVSD && z->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
        return SVMC_X86_NONE;
    if (z->mnemonic == ZYDIS_MNEMONIC_MOV &&
        (z->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT || z->opcode == 0x8c || z->opcode == 0x8e))
        return SVMC_X86_NONE;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].theirs == z->mnemonic) {
            *bytes = names[i].bytes;
            return names[i].ours;
        }
    return SVMC_X86_NONE;
}

static inline unsigned zydis_reg(ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return SVMC_REG_NONE;
    if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
        return SVMC_REG_RIP;
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
        return (unsigned)(r - ZYDIS_REGISTER_AL);
    if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
        return (unsigned)(r - ZYDIS_REGISTER_AH);
    if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
        return (unsigned)(r - ZYDIS_REGISTER_SPL) + 4;
    return (unsigned)ZydisRegisterGetId(r);
}

static inline unsigned zydis_segment(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_ES && r <= ZYDIS_REGISTER_GS ? (unsigned)(r - ZYDIS_REGISTER_ES)
                                                            : SVMC_SEG_NONE;
}

static inline const char *memory_differs(const struct svmc_operand *a, const ZydisDecodedOperand *b,
                                         const ZydisDecodedInstruction *z)
{
    uint64_t disp = b->mem.disp.has_displacement ? (uint64_t)b->mem.disp.value : 0;

    if (a->segment != zydis_segment(b->mem.segment))
        return "segment";
    if (is_r13d(z))
        return NULL;
    if (a->base != zydis_reg(b->mem.base) || a->index != zydis_reg(b->mem.index))
        return "base or index";
    if (a->scale != (b->mem.index == ZYDIS_REGISTER_NONE ? 0 : b->mem.scale))
        return "scale";
    if ((((uint64_t)a->disp ^ disp) & mask(z->address_width / 8u)) != 0)
        return "displacement";
    return NULL;
}

static inline const char *operand_differs(const struct svmc_operand *a,
                                          const ZydisDecodedOperand *b,
                                          const ZydisDecodedInstruction *z)
{
    unsigned access = (b->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? SVMC_ACCESS_READ : 0u) |
                      (b->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? SVMC_ACCESS_WRITE : 0u);

    if (a->access != access)
        return "access";
    switch (b->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        if (a->kind != SVMC_OPERAND_REG || a->reg != zydis_reg(b->reg.value))
            return "register";
        if (a->high != (b->reg.value >= ZYDIS_REGISTER_AH && b->reg.value <= ZYDIS_REGISTER_BH))
            return "high byte";
        if (z->mnemonic == ZYDIS_MNEMONIC_MOVSXD && a->bytes == 4 && b->size == 16)
            return NULL; /* see the exceptions */
        return a->bytes * 8u != b->size ? "register size" : NULL;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (a->kind != SVMC_OPERAND_MEM)
            return "memory";
        return a->bytes * 8u != b->size ? "memory size" : memory_differs(a, b, z);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if (a->kind != SVMC_OPERAND_IMM)
            return "immediate";
        return a->imm != (b->imm.value.u & mask(a->bytes)) ? "value" : NULL;
    default:
        return "operand type";
    }
}

/* An operand of Zydis's that we show: no counter, pointer or flags of a string instruction. */
static inline bool is_shown(const ZydisDecodedOperand *o)
{
    if (o->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN || o->type == ZYDIS_OPERAND_TYPE_MEMORY)
        return true;
    return o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           (o->reg.value == ZYDIS_REGISTER_AL || o->reg.value == ZYDIS_REGISTER_AX ||
            o->reg.value == ZYDIS_REGISTER_EAX || o->reg.value == ZYDIS_REGISTER_RAX ||
            o->reg.value == ZYDIS_REGISTER_DX);
}

static inline const char *zydis_differs(const struct svmc_insn *a, const ZydisDecodedInstruction *z,
                                        const ZydisDecodedOperand *ops)
{
    unsigned bytes, shown = 0;
    bool repeats = (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
    const char *why;

    if (a->id != zydis_id(z, &bytes))
        return "identity";
    if (a->length != z->length)
        return "length";
    if (a->address_bytes * 8u != z->address_width)
        return "address size";
    if (a->repeat != (repeats ? SVMC_REPEAT_REP : SVMC_REPEAT_NONE))
        return "repeat";
    if (bytes != 0 && a->operand_bytes != bytes)
        return "string width";
    if (a->insn_class >= SVMC_CLASS_CPUID)
        return a->operand_count == 0 ? NULL : "operands";
    if (bytes == 0 && a->operand_bytes * 8u != z->operand_width)
        return "operand size";
    for (unsigned i = 0; i < z->operand_count; i++) {
        if (!is_shown(&ops[i]))
            continue;
        if (shown >= a->operand_count)
            return "operand count";
        why = operand_differs(&a->operands[shown++], &ops[i], z);
        if (why)
            return why;
    }
    return shown == a->operand_count ? NULL : "operand count";
}

/* Zydis's line in our spelling: string instructions with their operands are not in it. */
static inline const char *text_differs(const struct svmc_insn *a, const ZydisDecodedInstruction *z,
                                       const ZydisDecodedOperand *ops)
{
    static char ours[SVMC_INSN_TEXT_MAX], theirs[192];
    char *from = theirs;

    if (svmc_insn_format(a, ours, sizeof ours) != SVMC_OK)
        return "format failed";
    if ((a->id >= SVMC_X86_INS && a->id <= SVMC_X86_LODS) ||
        (a->id == SVMC_X86_MOVSXD && a->operand_bytes == 2) || is_r13d(z)) /* see the exceptions */
        return NULL;
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, z, ops, z->operand_count_visible,
                                                      theirs, sizeof theirs,
                                                      ZYDIS_RUNTIME_ADDRESS_NONE, NULL)))
        return NULL;
    if (strncmp(from, "xrelease ", 9) == 0) /* F3 on MOV to memory: a hint without LOCK */
        from += 9;
    texts++;
    return strcmp(from, ours) == 0 ? NULL : theirs;
}

#endif
