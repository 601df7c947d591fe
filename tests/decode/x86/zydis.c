/* SPDX-License-Identifier: MIT */
/* Zydis 4.0, full decode, in the terms of svmcore/insn.h. */
#include <string.h>
#include <Zydis/Zydis.h>
#include "verdict.h"

static ZydisDecoder decoders[3][2][2]; /* [mode][vendor is AMD][old] */
static uint16_t ids[ZYDIS_MNEMONIC_MAX_VALUE + 1];

/* Where one of our ids is several of their mnemonics: the operand size says which. */
static const struct {
    uint16_t theirs, ours;
} aliases[] = {
    { ZYDIS_MNEMONIC_CDQ, SVMC_X86_CWD },        { ZYDIS_MNEMONIC_CQO, SVMC_X86_CWD },
    { ZYDIS_MNEMONIC_CWDE, SVMC_X86_CBW },       { ZYDIS_MNEMONIC_CDQE, SVMC_X86_CBW },
    { ZYDIS_MNEMONIC_CMPSB, SVMC_X86_CMPS },     { ZYDIS_MNEMONIC_CMPSW, SVMC_X86_CMPS },
    { ZYDIS_MNEMONIC_CMPSQ, SVMC_X86_CMPS },     { ZYDIS_MNEMONIC_INSB, SVMC_X86_INS },
    { ZYDIS_MNEMONIC_INSW, SVMC_X86_INS },       { ZYDIS_MNEMONIC_INSD, SVMC_X86_INS },
    { ZYDIS_MNEMONIC_OUTSB, SVMC_X86_OUTS },     { ZYDIS_MNEMONIC_OUTSW, SVMC_X86_OUTS },
    { ZYDIS_MNEMONIC_OUTSD, SVMC_X86_OUTS },     { ZYDIS_MNEMONIC_LODSB, SVMC_X86_LODS },
    { ZYDIS_MNEMONIC_LODSW, SVMC_X86_LODS },     { ZYDIS_MNEMONIC_LODSD, SVMC_X86_LODS },
    { ZYDIS_MNEMONIC_LODSQ, SVMC_X86_LODS },     { ZYDIS_MNEMONIC_MOVSB, SVMC_X86_MOVS },
    { ZYDIS_MNEMONIC_MOVSW, SVMC_X86_MOVS },     { ZYDIS_MNEMONIC_MOVSQ, SVMC_X86_MOVS },
    { ZYDIS_MNEMONIC_SCASB, SVMC_X86_SCAS },     { ZYDIS_MNEMONIC_SCASW, SVMC_X86_SCAS },
    { ZYDIS_MNEMONIC_SCASD, SVMC_X86_SCAS },     { ZYDIS_MNEMONIC_SCASQ, SVMC_X86_SCAS },
    { ZYDIS_MNEMONIC_STOSB, SVMC_X86_STOS },     { ZYDIS_MNEMONIC_STOSW, SVMC_X86_STOS },
    { ZYDIS_MNEMONIC_STOSD, SVMC_X86_STOS },     { ZYDIS_MNEMONIC_STOSQ, SVMC_X86_STOS },
    { ZYDIS_MNEMONIC_IRETD, SVMC_X86_IRET },     { ZYDIS_MNEMONIC_IRETQ, SVMC_X86_IRET },
    { ZYDIS_MNEMONIC_JECXZ, SVMC_X86_JCXZ },     { ZYDIS_MNEMONIC_JRCXZ, SVMC_X86_JCXZ },
    { ZYDIS_MNEMONIC_POPAD, SVMC_X86_POPA },     { ZYDIS_MNEMONIC_PUSHAD, SVMC_X86_PUSHA },
    { ZYDIS_MNEMONIC_POPFD, SVMC_X86_POPF },     { ZYDIS_MNEMONIC_POPFQ, SVMC_X86_POPF },
    { ZYDIS_MNEMONIC_PUSHFD, SVMC_X86_PUSHF },   { ZYDIS_MNEMONIC_PUSHFQ, SVMC_X86_PUSHF },
    { ZYDIS_MNEMONIC_RDSSPD, SVMC_X86_RDSSP },   { ZYDIS_MNEMONIC_RDSSPQ, SVMC_X86_RDSSP },
    { ZYDIS_MNEMONIC_INCSSPD, SVMC_X86_INCSSP }, { ZYDIS_MNEMONIC_INCSSPQ, SVMC_X86_INCSSP },
    { ZYDIS_MNEMONIC_WRSSD, SVMC_X86_WRSS },     { ZYDIS_MNEMONIC_WRSSQ, SVMC_X86_WRSS },
    { ZYDIS_MNEMONIC_WRUSSD, SVMC_X86_WRUSS },   { ZYDIS_MNEMONIC_WRUSSQ, SVMC_X86_WRUSS },
};

/* The others have the manual's name in both. */
static void name_ids(void)
{
    for (unsigned m = 0; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
        for (unsigned id = 1; id < ours_id_count(); id++)
            if (strcmp(ZydisMnemonicGetString((ZydisMnemonic)m), ours_name(id)) == 0) {
                ids[m] = (uint16_t)id;
                break;
            }
    for (unsigned i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        ids[aliases[i].theirs] = aliases[i].ours;
}

static uint16_t id_of(const ZydisDecodedInstruction *z)
{
    bool far = z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
        return far ? SVMC_X86_CALL_FAR : SVMC_X86_CALL;
    case ZYDIS_MNEMONIC_JMP:
        return far ? SVMC_X86_JMP_FAR : SVMC_X86_JMP;
    case ZYDIS_MNEMONIC_RET:
        return far ? SVMC_X86_RET_FAR : SVMC_X86_RET;
    case ZYDIS_MNEMONIC_MOVSD: /* the scalar move, and the string move of 4 bytes */
        return z->opcode == 0xa5 ? SVMC_X86_MOVS : SVMC_X86_MOVSD;
    case ZYDIS_MNEMONIC_CMPSD:
        return z->opcode == 0xa7 ? SVMC_X86_CMPS : SVMC_X86_CMPSD;
    default:
        return ids[z->mnemonic];
    }
}

bool zydis_start(void)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth stack;
    } modes[3] = {
        { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
        { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
    };
    static const ZydisDecoderMode new_meanings[] = {
        ZYDIS_DECODER_MODE_MPX,   ZYDIS_DECODER_MODE_CET,      ZYDIS_DECODER_MODE_LZCNT,
        ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE,
    };
    bool ok = true;

    name_ids();
    for (unsigned i = 0; i < 12; i++) {
        unsigned m = i / 4, amd = i / 2 % 2, old = i % 2;
        ZydisDecoder *d = &decoders[m][amd][old];

        ok =
            ok && ZYAN_SUCCESS(ZydisDecoderInit(d, modes[m].mode, modes[m].stack)) &&
            ZYAN_SUCCESS(ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_AMD_BRANCHES, (ZyanBool)amd));
        for (unsigned n = 0; n < sizeof new_meanings / sizeof new_meanings[0]; n++)
            ok = ok && ZYAN_SUCCESS(ZydisDecoderEnableMode(d, new_meanings[n], (ZyanBool)!old));
    }
    return ok;
}

/* ---- registers ---- */

static const struct {
    uint8_t from_class, kind;
} classes[] = {
    { ZYDIS_REGCLASS_GPR8, SVMC_REG_KIND_GPR },
    { ZYDIS_REGCLASS_GPR16, SVMC_REG_KIND_GPR },
    { ZYDIS_REGCLASS_GPR32, SVMC_REG_KIND_GPR },
    { ZYDIS_REGCLASS_GPR64, SVMC_REG_KIND_GPR },
    { ZYDIS_REGCLASS_X87, SVMC_REG_KIND_X87 },
    { ZYDIS_REGCLASS_MMX, SVMC_REG_KIND_MMX },
    { ZYDIS_REGCLASS_XMM, SVMC_REG_KIND_VECTOR },
    { ZYDIS_REGCLASS_YMM, SVMC_REG_KIND_VECTOR },
    { ZYDIS_REGCLASS_ZMM, SVMC_REG_KIND_VECTOR },
    { ZYDIS_REGCLASS_TMM, SVMC_REG_KIND_TILE },
    { ZYDIS_REGCLASS_SEGMENT, SVMC_REG_KIND_SEGMENT },
    { ZYDIS_REGCLASS_TEST, SVMC_REG_KIND_TEST },
    { ZYDIS_REGCLASS_CONTROL, SVMC_REG_KIND_CONTROL },
    { ZYDIS_REGCLASS_DEBUG, SVMC_REG_KIND_DEBUG },
    { ZYDIS_REGCLASS_MASK, SVMC_REG_KIND_MASK },
    { ZYDIS_REGCLASS_BOUND, SVMC_REG_KIND_BOUND },
};

static uint8_t register_number(ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return SVMC_REG_NONE;
    if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP || r == ZYDIS_REGISTER_IP)
        return SVMC_REG_RIP;
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
        return (uint8_t)(r - ZYDIS_REGISTER_AL);
    if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
        return (uint8_t)(r - ZYDIS_REGISTER_AH);
    if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
        return (uint8_t)(r - ZYDIS_REGISTER_SPL + 4);
    return (uint8_t)ZydisRegisterGetId(r);
}

static uint8_t segment_number(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_ES && r <= ZYDIS_REGISTER_GS ? (uint8_t)(r - ZYDIS_REGISTER_ES)
                                                            : (uint8_t)SVMC_SEG_NONE;
}

static void put_register(struct svmc_operand *to, const ZydisDecodedOperand *o)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(o->reg.value);

    to->kind = SVMC_OPERAND_REG;
    to->reg = register_number(o->reg.value);
    to->high = o->reg.value >= ZYDIS_REGISTER_AH && o->reg.value <= ZYDIS_REGISTER_BH;
    for (unsigned i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].from_class == class)
            to->reg_kind = classes[i].kind;
    if (to->reg_kind == SVMC_REG_KIND_TILE)
        to->bytes = 0; /* as large as the tile configuration says */
}

/* VGATHERD..., VPSCATTERPF1Q...: the letter of the index says how wide it is. */
static uint8_t lane_of(const ZydisDecodedInstruction *z)
{
    const char *name = ZydisMnemonicGetString(z->mnemonic), *at = strstr(name, "gather");

    at = at ? at + 6 : strstr(name, "scatter");
    if (at != NULL && *at == 's')
        at += 7;
    if (at != NULL && at[0] == 'p' && at[1] == 'f')
        at += 3;
    return at == NULL ? 0 : *at == 'd' ? 4 : 8;
}

static void put_memory(struct svmc_operand *to, const ZydisDecodedOperand *o,
                       const ZydisDecodedInstruction *z)
{
    to->kind = SVMC_OPERAND_MEM;
    to->segment = segment_number(o->mem.segment);
    to->base = register_number(o->mem.base);
    to->index = register_number(o->mem.index);
    to->scale = o->mem.index == ZYDIS_REGISTER_NONE ? 0 : o->mem.scale;
    to->disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0;
    if (z->mnemonic == ZYDIS_MNEMONIC_XLAT) { /* they show AL as a hidden operand of its own */
        to->index = SVMC_REG_RAX;
        to->scale = 1;
    }
    if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
        to->index_bytes = (uint8_t)(ZydisRegisterGetWidth(z->machine_mode, o->mem.index) / 8);
        to->lane_bytes = lane_of(z);
    }
    if (z->avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID && !z->avx.broadcast.is_static) {
        static const uint8_t lanes[] = { 0, 2, 4, 8, 16, 32, 64, 4, 8, 16, 8, 16, 16 };

        to->broadcast = lanes[z->avx.broadcast.mode];
    }
}

static uint8_t access_of(ZydisOperandActions a)
{
    return (uint8_t)((a & ZYDIS_OPERAND_ACTION_MASK_READ ? SVMC_ACCESS_READ : 0) |
                     (a & ZYDIS_OPERAND_ACTION_MASK_WRITE ? SVMC_ACCESS_WRITE : 0) |
                     (a & ZYDIS_OPERAND_ACTION_CONDREAD ? SVMC_ACCESS_READ_IF : 0) |
                     (a & ZYDIS_OPERAND_ACTION_CONDWRITE ? SVMC_ACCESS_WRITE_IF : 0));
}

/*
 * SDM vol. 2 2.8: exception types without fault suppression; and those that their pages say it of,
 * and Zydis does not.
 */
static bool suppresses_no_fault(const ZydisDecodedInstruction *z)
{
    return z->meta.exception_class == ZYDIS_EXCEPTION_CLASS_E4NF ||
           z->meta.exception_class == ZYDIS_EXCEPTION_CLASS_E5NF ||
           z->meta.exception_class == ZYDIS_EXCEPTION_CLASS_E6NF ||
           z->mnemonic == ZYDIS_MNEMONIC_VCVTNE2PS2BF16 ||
           z->mnemonic == ZYDIS_MNEMONIC_VDBPSADBW ||
           z->mnemonic == ZYDIS_MNEMONIC_VGF2P8AFFINEQB ||
           z->mnemonic == ZYDIS_MNEMONIC_VGF2P8AFFINEINVQB;
}

/* DE-18. Zydis reads what is only hinted at, and shows a condition on EVEX stores alone. */
static uint8_t memory_access_of(const ZydisDecodedInstruction *z, ZydisOperandActions a)
{
    unsigned access = access_of(a), class = z->meta.exception_class;
    bool evex_mask = z->avx.mask.reg != ZYDIS_REGISTER_NONE && z->avx.mask.reg != ZYDIS_REGISTER_K0;
    bool vector_mask = class == ZYDIS_EXCEPTION_CLASS_AVX12 || /* gathers */
                       strstr(ZydisMnemonicGetString(z->mnemonic), "maskmov") != NULL;

    if (z->meta.category == ZYDIS_CATEGORY_PREFETCH || z->meta.category == ZYDIS_CATEGORY_NOP ||
        z->meta.category == ZYDIS_CATEGORY_WIDENOP || class == ZYDIS_EXCEPTION_CLASS_E12NP)
        return SVMC_ACCESS_NONE;
    if (vector_mask || (evex_mask && !(suppresses_no_fault(z) && access == SVMC_ACCESS_READ)))
        access |= (access & SVMC_ACCESS_RW) << 2;
    return (uint8_t)access;
}

static void put_operand(struct svmc_operand *to, const ZydisDecodedOperand *o,
                        const ZydisDecodedInstruction *z)
{
    *to = (struct svmc_operand){
        .access = access_of(o->actions),
        .bytes = (uint16_t)(o->size / 8u),
        .segment = SVMC_SEG_NONE,
        .base = SVMC_REG_NONE,
        .index = SVMC_REG_NONE,
        .reg = SVMC_REG_NONE,
    };
    switch (o->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        put_register(to, o);
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        put_memory(to, o, z);
        to->access = memory_access_of(z, o->actions);
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to->kind = o->imm.is_relative ? SVMC_OPERAND_BRANCH : SVMC_OPERAND_IMM;
        to->imm = o->imm.value.u;
        break;
    case ZYDIS_OPERAND_TYPE_POINTER:
        to->kind = SVMC_OPERAND_FAR;
        to->imm = o->ptr.offset;
        to->disp = o->ptr.segment;
        break;
    default:
        break;
    }
}

/* The operand that struct svmc_insn shows as its memory: the first in order. */
static void take_memory(struct verdict *v)
{
    v->insn.segment = SVMC_SEG_NONE;
    v->insn.base = v->insn.index = SVMC_REG_NONE;
    for (unsigned i = 0; i < v->count; i++)
        if (v->operands[i].kind == SVMC_OPERAND_MEM) {
            const struct svmc_operand *o = &v->operands[i];

            v->insn.access = o->access;
            v->insn.mem_bytes = o->bytes;
            v->insn.segment = o->segment;
            v->insn.base = o->base;
            v->insn.index = o->index;
            v->insn.scale = o->scale;
            v->insn.disp = o->disp;
            return;
        }
}

/*
 * Hidden operands that our list shows: the memory and the data or port register of string
 * instructions, of XLAT, of MASKMOVQ. Not the stack: SVMC_INSN_STACK says it.
 */
static bool is_shown(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *o)
{
    bool string =
        z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
        ((z->opcode >= 0x6c && z->opcode <= 0x6f) || (z->opcode >= 0xa4 && z->opcode <= 0xaf));

    if (o->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
        return true;
    if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
        return register_number(o->mem.base) != SVMC_REG_RSP &&
               register_number(o->mem.base) != SVMC_REG_RBP;
    if (!string || o->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    return o->reg.value == ZYDIS_REGISTER_AL || o->reg.value == ZYDIS_REGISTER_AX ||
           o->reg.value == ZYDIS_REGISTER_EAX || o->reg.value == ZYDIS_REGISTER_RAX ||
           o->reg.value == ZYDIS_REGISTER_DX;
}

void zydis_ask(const struct shape *s, struct verdict *v)
{
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecoder *d = &decoders[s->mode / 32][s->vendor == SVMC_VENDOR_AMD][s->old];

    v->accepted = ZYAN_SUCCESS(ZydisDecoderDecodeFull(d, s->bytes, CASE_BYTES, &z, ops)) &&
                  z.mnemonic != ZYDIS_MNEMONIC_UD0 && z.mnemonic != ZYDIS_MNEMONIC_UD1 &&
                  z.mnemonic != ZYDIS_MNEMONIC_UD2; /* #UD is what they are for */
    v->known = KNOWS_MEMORY | KNOWS_SIZE | KNOWS_OPERANDS;
    v->count = 0;
    v->length = 0;
    v->text = "";
    if (!v->accepted)
        return;
    v->length = z.length;
    v->insn = (struct svmc_insn){
        .id = id_of(&z),
        .operand_bytes = (uint8_t)(z.operand_width / 8),
        .address_bytes = (uint8_t)(z.address_width / 8),
    };
    if (z.attributes & ZYDIS_ATTRIB_HAS_LOCK)
        v->insn.flags |= SVMC_INSN_LOCK;
    if (z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
        v->insn.flags |= SVMC_INSN_REP;
    if (z.attributes & ZYDIS_ATTRIB_HAS_REPNE)
        v->insn.flags |= SVMC_INSN_REPNE;
    for (unsigned i = 0; i < z.operand_count && v->count < SVMC_OPERANDS_MAX + 4; i++)
        if (is_shown(&z, &ops[i]))
            put_operand(&v->operands[v->count++], &ops[i], &z);
    take_memory(v);
    v->text = ZydisMnemonicGetString(z.mnemonic);
}
