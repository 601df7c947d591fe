/* SPDX-License-Identifier: MIT */
/* An x86 instruction in Intel syntax. Rules FO-n: docs/spec/format.md. */
#include "format.h"
#include "../../core/bytes.h"
#include "../../core/clamp.h"
#include "../x86/x86.h"
/* All names are one string; gcc and clang have no limit for them. */
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "../x86/x86_names.h"

static const char gpr_names[4][16][5] = {
    { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b",
      "r13b", "r14b", "r15b" },
    { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w",
      "r14w", "r15w" },
    { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d",
      "r13d", "r14d", "r15d" },
    { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
      "r13", "r14", "r15" },
};
static const char high_names[4][3] = { "ah", "ch", "dh", "bh" };
static const char segment_names[6][3] = { "es", "cs", "ss", "ds", "fs", "gs" };
/* Files whose registers are a prefix and a number; by enum svmc_reg_kind. */
static const char file_names[12][4] = {
    [SVMC_REG_KIND_CONTROL] = "cr", [SVMC_REG_KIND_DEBUG] = "dr", [SVMC_REG_KIND_TEST] = "tr",
    [SVMC_REG_KIND_X87] = "st",     [SVMC_REG_KIND_MMX] = "mm",   [SVMC_REG_KIND_MASK] = "k",
    [SVMC_REG_KIND_BOUND] = "bnd",  [SVMC_REG_KIND_TILE] = "tmm",
};
static const struct {
    uint8_t bytes;
    char name[8];
} size_names[] = {
    { 1, "byte" },   { 2, "word" },     { 4, "dword" },    { 6, "fword" },    { 8, "qword" },
    { 10, "tbyte" }, { 16, "xmmword" }, { 32, "ymmword" }, { 64, "zmmword" },
};

/* FO-5: names that depend on the operand size, JCXZ's on the address size: 2, 4, 8 bytes. */
static const struct {
    uint16_t id;
    char by_size[3][8];
} sized_names[] = {
    { SVMC_X86_CBW, { "cbw", "cwde", "cdqe" } },
    { SVMC_X86_CWD, { "cwd", "cdq", "cqo" } },
    { SVMC_X86_PUSHA, { "pusha", "pushad", "" } },
    { SVMC_X86_POPA, { "popa", "popad", "" } },
    { SVMC_X86_PUSHF, { "pushf", "pushfd", "pushfq" } },
    { SVMC_X86_POPF, { "popf", "popfd", "popfq" } },
    { SVMC_X86_WRSS, { "", "wrssd", "wrssq" } },
    { SVMC_X86_WRUSS, { "", "wrussd", "wrussq" } },
    { SVMC_X86_RDSSP, { "", "rdsspd", "rdsspq" } },
    { SVMC_X86_INCSSP, { "", "incsspd", "incsspq" } },
    { SVMC_X86_IRET, { "iret", "iretd", "iretq" } },
    { SVMC_X86_JCXZ, { "jcxz", "jecxz", "jrcxz" } },
};

/* 1, 2, 4, 8 -> 0..3; 4: none of them. */
static unsigned size_index(unsigned bytes)
{
    return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : bytes == 8 ? 3 : 4;
}

static bool is_string(unsigned id)
{
    return id == SVMC_X86_INS || id == SVMC_X86_OUTS || id == SVMC_X86_MOVS ||
           id == SVMC_X86_CMPS || id == SVMC_X86_STOS || id == SVMC_X86_LODS || id == SVMC_X86_SCAS;
}

/* FO-5 */
static bool put_name(struct text *t, const struct svmc_insn *insn)
{
    unsigned id = insn->id, size = size_index(insn->operand_bytes), at;

    if (id == SVMC_X86_NONE || id >= X86_IDS)
        return false;
    if (id == SVMC_X86_JCXZ)
        size = size_index(insn->address_bytes);
    for (unsigned i = 0; i < sizeof sized_names / sizeof sized_names[0]; i++)
        if (sized_names[i].id == id) {
            if (size - 1 > 2)
                return false;
            svmc_text_put(t, sized_names[i].by_size[core_clamp(size - 1, 3)]);
            return true;
        }
    id = core_clamp(id, X86_IDS);
    at = x86_name_at[id]; /* clamp: there is one more entry than ids */
    svmc_text_slice(t, x86_name_text + at, x86_name_at[id + 1] - at);
    if (is_string(id)) {
        if (size > 3)
            return false;
        svmc_text_char(t, "bwdq"[core_clamp(size, 4)]);
    }
    if (id == SVMC_X86_CALL_FAR || id == SVMC_X86_JMP_FAR || id == SVMC_X86_RET_FAR)
        svmc_text_put(t, " far");
    return true;
}

/* FO-4: prefixes that are in force. */
static void put_prefixes(struct text *t, const struct svmc_insn *insn)
{
    bool compares = insn->id == SVMC_X86_CMPS || insn->id == SVMC_X86_SCAS;

    if (insn->flags & SVMC_INSN_LOCK)
        svmc_text_put(t, "lock ");
    if (insn->flags & SVMC_INSN_REP)
        svmc_text_put(t, compares ? "repe " : "rep ");
    if (insn->flags & SVMC_INSN_REPNE)
        svmc_text_put(t, "repne ");
}

static bool put_gpr(struct text *t, unsigned reg, unsigned bytes)
{
    unsigned size = size_index(bytes);

    if (size > 3 || reg > SVMC_REG_R15)
        return false;
    svmc_text_put(t, gpr_names[core_clamp(size, 4)][core_clamp(reg, 16)]);
    return true;
}

static bool put_vector(struct text *t, unsigned reg, unsigned bytes)
{
    if (reg > 31)
        return false;
    svmc_text_put(t, bytes > 32 ? "zmm" : bytes > 16 ? "ymm" : "xmm");
    svmc_text_decimal(t, reg);
    return true;
}

static bool put_segment(struct text *t, unsigned segment)
{
    if (segment > SVMC_SEG_GS)
        return false;
    svmc_text_put(t, segment_names[core_clamp(segment, 6)]);
    return true;
}

/* FO-7 */
static bool put_reg(struct text *t, const struct svmc_operand *op)
{
    unsigned kind = op->reg_kind;

    if (kind == SVMC_REG_KIND_GPR && !op->high)
        return put_gpr(t, op->reg, op->bytes);
    if (kind == SVMC_REG_KIND_GPR) {
        if (op->reg > 3)
            return false;
        svmc_text_put(t, high_names[core_clamp(op->reg, 4)]);
        return true;
    }
    if (kind == SVMC_REG_KIND_VECTOR)
        return put_vector(t, op->reg, op->bytes);
    if (kind == SVMC_REG_KIND_SEGMENT)
        return put_segment(t, op->reg);
    if (kind > SVMC_REG_KIND_TILE || op->reg > 15)
        return false;
    svmc_text_put(t, file_names[core_clamp(kind, 12)]);
    svmc_text_decimal(t, op->reg);
    return true;
}

static void put_signed(struct text *t, int64_t v)
{
    svmc_text_char(t, v < 0 ? '-' : '+');
    svmc_text_hex(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* FO-7: AL of XLAT, a general register, or with VSIB a vector register. */
static bool put_index(struct text *t, const struct svmc_insn *insn, const struct svmc_operand *op)
{
    if (insn->id == SVMC_X86_XLAT) {
        svmc_text_put(t, "al");
        return true;
    }
    if (op->index_bytes != 0 ? !put_vector(t, op->index, op->index_bytes)
                             : !put_gpr(t, op->index, insn->address_bytes))
        return false;
    if (size_index(op->scale) > 3)
        return false;
    if (insn->address_bytes > 2) {
        svmc_text_char(t, '*');
        svmc_text_decimal(t, op->scale);
    }
    return true;
}

static bool put_address(struct text *t, const struct svmc_insn *insn, const struct svmc_operand *op)
{
    bool base = op->base != SVMC_REG_NONE, index = op->index != SVMC_REG_NONE;

    if (op->base == SVMC_REG_RIP)
        svmc_text_put(t, insn->address_bytes == 8 ? "rip" : "eip");
    else if (base && !put_gpr(t, op->base, insn->address_bytes))
        return false;
    if (index) {
        if (base)
            svmc_text_char(t, '+');
        if (!put_index(t, insn, op))
            return false;
    }
    if (!base && !index) /* the bare address */
        svmc_text_hex(t, (uint64_t)op->disp & core_mask(insn->address_bytes));
    else if (op->disp != 0)
        put_signed(t, op->disp);
    return true;
}

/* FO-6: operands that are an address and are not accessed. */
static bool is_address(unsigned id)
{
    return id == SVMC_X86_LEA || id == SVMC_X86_BNDMK || id == SVMC_X86_BNDCL ||
           id == SVMC_X86_BNDCU || id == SVMC_X86_BNDCN;
}

static bool put_memory(struct text *t, const struct svmc_insn *insn, const struct svmc_operand *op)
{
    bool stack = op->base == SVMC_REG_RSP || op->base == SVMC_REG_RBP;
    bool is_accessed = !is_address(insn->id);

    for (unsigned i = 0; i < sizeof size_names / sizeof size_names[0]; i++)
        if (size_names[i].bytes == op->bytes && is_accessed) {
            svmc_text_put(t, size_names[i].name);
            svmc_text_put(t, " ptr ");
        }
    if (op->segment != (stack ? SVMC_SEG_SS : SVMC_SEG_DS) && is_accessed) {
        if (!put_segment(t, op->segment))
            return false;
        svmc_text_char(t, ':');
    }
    svmc_text_char(t, '[');
    if (!put_address(t, insn, op))
        return false;
    svmc_text_char(t, ']');
    if (op->broadcast != 0) { /* FO-9 */
        svmc_text_put(t, " {1to");
        svmc_text_decimal(t, op->broadcast);
        svmc_text_char(t, '}');
    }
    return true;
}

/* FO-8 */
static bool put_operand(struct text *t, const struct svmc_insn *insn, const struct svmc_operand *op)
{
    switch (op->kind) {
    case SVMC_OPERAND_REG:
        return put_reg(t, op);
    case SVMC_OPERAND_MEM:
        return put_memory(t, insn, op);
    case SVMC_OPERAND_IMM:
        svmc_text_hex(t, op->imm & core_mask(op->bytes));
        return true;
    case SVMC_OPERAND_BRANCH: /* from the start of the instruction */
        put_signed(t, (int64_t)(op->imm + insn->length));
        return true;
    case SVMC_OPERAND_FAR:
        svmc_text_hex(t, (uint64_t)op->disp & 0xffff);
        svmc_text_char(t, ':');
        svmc_text_hex(t, op->imm);
        return true;
    default:
        return false;
    }
}

/* FO-9: what EVEX adds to the operands. */
struct decoration {
    unsigned mask_at; /* which operand is EVEX.aaa; SVMC_OPERANDS_MAX: none */
    bool zeroing, sae, rounding;
    unsigned mode; /* of the rounding */
};

static struct decoration read_decoration(const struct svmc_insn *insn, unsigned count)
{
    uint32_t entry = insn->priv_raw[0], vector = insn->priv_raw[2];
    const struct x86_form *form = &svmc_x86_forms[core_clamp(entry >> 11 & 0x3ff, X86_FORMS)];
    const struct x86_trait *trait = &svmc_x86_traits[core_clamp(entry >> 21, X86_TRAITS)];
    bool in_regs = VECTOR_BROADCAST(vector) && insn->mem_count == 0;
    struct decoration d = { .mask_at = SVMC_OPERANDS_MAX,
                            .zeroing = VECTOR_ZEROING(vector),
                            .rounding = in_regs && (trait->checks & X86_CHECK_RC),
                            .sae = in_regs && (trait->checks & X86_CHECK_SAE),
                            .mode = VECTOR_ROUNDING(vector) };

    for (unsigned i = 0; i < count; i++) /* clamp: form and count are of the table */
        if ((svmc_x86_operands_pool[form->operands + i] & 63) == X86_PLACE_KA)
            d.mask_at = i;
    return d;
}

/* FO-9: {k} and {z} stand behind the first operand; k0 is no mask. */
static void put_mask(struct text *t, unsigned mask, bool zeroing)
{
    if (mask == 0)
        return;
    svmc_text_put(t, " {k");
    svmc_text_decimal(t, mask);
    svmc_text_put(t, zeroing ? "} {z}" : "}");
}

/* From 32-bit integers to doubles there is nothing to round: EVEX.b is ignored (SDM vol. 2). */
static bool is_exact(unsigned id, const struct svmc_operand *source)
{
    return id == SVMC_X86_VCVTDQ2PD || id == SVMC_X86_VCVTUDQ2PD ||
           ((id == SVMC_X86_VCVTSI2SD || id == SVMC_X86_VCVTUSI2SD) && source->bytes == 4);
}

static void put_rounding(struct text *t, const struct decoration *d)
{
    static const char modes[4][8] = { "rn-sae", "rd-sae", "ru-sae", "rz-sae" };

    if (!d->rounding && !d->sae)
        return;
    svmc_text_put(t, " {");
    svmc_text_put(t, d->rounding ? modes[d->mode & 3] : "sae"); /* clamp: two bits */
    svmc_text_char(t, '}');
}

/* FO-10: implicit operands, too. */
static bool put_operands(struct text *t, const struct svmc_insn *insn,
                         const struct svmc_operand *ops, unsigned count)
{
    struct decoration d = read_decoration(insn, count);

    for (unsigned i = 0; i < count; i++) {
        const struct svmc_operand *op = &ops[core_clamp(i, SVMC_OPERANDS_MAX)];
        bool last = i + 1 >= count || op[1].kind == SVMC_OPERAND_IMM;

        if (i == d.mask_at) {
            put_mask(t, op->reg, d.zeroing);
            continue;
        }
        svmc_text_put(t, i == 0 ? " " : ", ");
        if (!put_operand(t, insn, op))
            return false;
        if (last && op->kind == SVMC_OPERAND_REG && !is_exact(insn->id, op))
            put_rounding(t, &d);
    }
    return true;
}

bool svmc_format_x86(const struct svmc_insn *insn, struct text *t)
{
    struct svmc_operand ops[SVMC_OPERANDS_MAX];
    uint32_t count;

    if (insn->address_bytes < 2)
        return false;
    if (svmc_insn_operands(insn, ops, &count) != SVMC_OK) /* checks the private fields, too */
        return false;
    put_prefixes(t, insn);
    return put_name(t, insn) && put_operands(t, insn, ops, count);
}
