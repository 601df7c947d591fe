/* SPDX-License-Identifier: MIT */
/* svmc_insn_format: Intel syntax, DE-14 of docs/spec/decode.md. */
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "decode_private.h"

static const char reg_names[4][17][5] = {
    { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b",
      "r13b", "r14b", "r15b", "" },
    { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w",
      "r14w", "r15w", "ip" },
    { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d",
      "r13d", "r14d", "r15d", "eip" },
    { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
      "r13", "r14", "r15", "rip" },
};
static const char high_names[4][3] = { "ah", "ch", "dh", "bh" };
static const char segment_names[6][3] = { "es", "cs", "ss", "ds", "fs", "gs" };
static const char size_names[4][6] = { "byte", "word", "dword", "qword" };
static const char size_letters[4] = { 'b', 'w', 'd', 'q' };

/* Text that never grows past cap; at keeps counting, so that the end shows whether it fitted. */
struct text {
    char *to;
    size_t cap, at;
};

static void put_char(struct text *t, char c)
{
    if (t->at < t->cap)
        t->to[t->at] = c;
    t->at++;
}

static void put(struct text *t, const char *s)
{
    while (*s != 0)
        put_char(t, *s++);
}

static void put_hex(struct text *t, uint64_t v)
{
    unsigned shift = 60;

    put(t, "0x");
    while (shift > 0 && v >> shift == 0)
        shift -= 4;
    for (;; shift -= 4) {
        unsigned digit = (unsigned)(v >> shift) & 15u;

        put_char(t, (char)(digit < 10 ? '0' + digit : 'a' + (digit - 10)));
        if (shift == 0)
            return;
    }
}

/* 1, 2, 4, 8 -> 0..3; 4: none of them. */
static unsigned size_index(unsigned bytes)
{
    return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : bytes == 8 ? 3 : 4;
}

static bool is_base(unsigned reg)
{
    return reg <= SVMC_REG_RIP || reg == SVMC_REG_NONE;
}

static bool reg_is_valid(const struct svmc_operand *op)
{
    if (op->high > 1 || op->reg > SVMC_REG_R15)
        return false;
    return !op->high || (op->reg <= SVMC_REG_RBX && op->bytes == 1);
}

static bool memory_is_valid(const struct svmc_operand *op)
{
    if (op->segment > SVMC_SEG_GS || !is_base(op->base))
        return false;
    if (op->index == SVMC_REG_NONE)
        return op->scale == 0;
    return op->index <= SVMC_REG_R15 && op->index != SVMC_REG_RSP && op->base != SVMC_REG_RIP &&
           size_index(op->scale) < 4;
}

static bool operand_is_valid(const struct svmc_operand *op)
{
    if (size_index(op->bytes) > 3)
        return false;
    switch (op->kind) {
    case SVMC_OPERAND_REG:
        return reg_is_valid(op);
    case SVMC_OPERAND_MEM:
        return memory_is_valid(op);
    case SVMC_OPERAND_IMM:
        return (op->imm & ~core_mask(op->bytes)) == 0;
    default:
        return false;
    }
}

static bool insn_is_valid(const struct svmc_insn *insn)
{
    if (insn->isa != SVMC_ISA_X86_64 || svmc_x86_mnemonic(insn->id) == NULL || insn->length == 0 ||
        insn->length > SVMC_INSN_MAX)
        return false;
    if (insn->operand_count > SVMC_OPERANDS_MAX || insn->repeat > SVMC_REPEAT_REPNE)
        return false;
    if (size_index(insn->operand_bytes) > 3 || insn->address_bytes < 2 ||
        size_index(insn->address_bytes) > 3)
        return false;
    for (unsigned i = 0; i < insn->operand_count; i++)
        if (!operand_is_valid(&insn->operands[core_clamp(i, SVMC_OPERANDS_MAX)]))
            return false;
    return true;
}

static void put_reg(struct text *t, unsigned reg, unsigned bytes)
{
    put(t, reg_names[core_clamp(size_index(bytes), 4)][core_clamp(reg, 17)]);
}

/* After a base or index with its sign, else as the bare address it is. */
static void put_disp(struct text *t, const struct svmc_operand *op, unsigned address_bytes)
{
    bool alone = op->base == SVMC_REG_NONE && op->index == SVMC_REG_NONE;
    uint64_t disp = (uint64_t)op->disp;

    if (alone) {
        put_hex(t, disp & core_mask(address_bytes));
    } else if (op->disp != 0 || op->base == SVMC_REG_RIP) {
        put_char(t, op->disp < 0 ? '-' : '+');
        put_hex(t, op->disp < 0 ? 0 - disp : disp);
    }
}

static void put_memory(struct text *t, const struct svmc_operand *op, unsigned address_bytes)
{
    bool stack = op->base == SVMC_REG_RSP || op->base == SVMC_REG_RBP;

    put(t, size_names[core_clamp(size_index(op->bytes), 4)]);
    put(t, " ptr ");
    if (op->segment != (stack ? SVMC_SEG_SS : SVMC_SEG_DS)) {
        put(t, segment_names[core_clamp(op->segment, 6)]);
        put_char(t, ':');
    }
    put_char(t, '[');
    if (op->base != SVMC_REG_NONE)
        put_reg(t, op->base, address_bytes);
    if (op->index != SVMC_REG_NONE) {
        if (op->base != SVMC_REG_NONE)
            put_char(t, '+');
        put_reg(t, op->index, address_bytes);
        put_char(t, '*');
        put_char(t, (char)('0' + op->scale));
    }
    put_disp(t, op, address_bytes);
    put_char(t, ']');
}

static void put_operand(struct text *t, const struct svmc_operand *op, unsigned address_bytes)
{
    if (op->kind == SVMC_OPERAND_MEM)
        put_memory(t, op, address_bytes);
    else if (op->kind == SVMC_OPERAND_IMM)
        put_hex(t, op->imm);
    else if (op->high)
        put(t, high_names[core_clamp(op->reg, 4)]);
    else
        put_reg(t, op->reg, op->bytes);
}

/* The string instructions carry their width in the name: movsb, insd. */
static bool has_size_letter(unsigned id)
{
    return id == SVMC_X86_INS || id == SVMC_X86_OUTS || id == SVMC_X86_MOVS ||
           id == SVMC_X86_STOS || id == SVMC_X86_LODS;
}

static void put_insn(struct text *t, const struct svmc_insn *insn)
{
    if (insn->repeat != SVMC_REPEAT_NONE)
        put(t, insn->repeat == SVMC_REPEAT_REP ? "rep " : "repne ");
    put(t, svmc_x86_mnemonic(insn->id));
    if (has_size_letter(insn->id))
        put_char(t, size_letters[core_clamp(size_index(insn->operand_bytes), 4)]);
    for (unsigned i = 0; i < insn->operand_count; i++) {
        put(t, i == 0 ? " " : ", ");
        put_operand(t, &insn->operands[core_clamp(i, SVMC_OPERANDS_MAX)], insn->address_bytes);
    }
    put_char(t, 0);
}

enum svmc_status svmc_insn_format(const struct svmc_insn *insn, char *text, size_t cap)
{
    struct text t = { text, cap, 0 };

    if (text == NULL)
        return SVMC_ERR_ARG;
    if (cap > 0)
        text[0] = 0;
    if (insn == NULL || !insn_is_valid(insn))
        return SVMC_ERR_ARG;
    put_insn(&t, insn);
    if (t.at <= cap)
        return SVMC_OK;
    if (cap > 0)
        text[0] = 0;
    return SVMC_ERR_FULL;
}
