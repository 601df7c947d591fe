/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as an x86 instruction, in all modes, for both vendors, with every
 * feature and with some; traps when an invariant breaks.
 * Shape of the input: the instruction; bytes 15 to 30 are the features too.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes a copy of exactly count bytes, so that a sanitizer sees every read behind them. */
static enum svmc_status decode(const struct svmc_cpu *cpu, const uint8_t *data, size_t count,
                               uint8_t fill, struct svmc_insn *out)
{
    uint8_t *copy = malloc(count ? count : 1);
    enum svmc_status st;

    require(copy != NULL);
    if (count)
        memcpy(copy, data, count);
    memset(out, fill, sizeof *out);
    st = svmc_insn_decode(cpu, copy, count, out);
    free(copy);
    return st;
}

static bool is_memory_size(unsigned bytes)
{
    return bytes <= 64 || bytes == 94 || bytes == 108 || bytes == 512 || bytes == 576;
}

static void check_operand(const struct svmc_operand *op)
{
    bool memory = op->kind == SVMC_OPERAND_MEM, reg = op->kind == SVMC_OPERAND_REG;

    require(op->kind >= SVMC_OPERAND_REG && op->kind <= SVMC_OPERAND_FAR);
    require(op->access <= (SVMC_ACCESS_RW | SVMC_ACCESS_READ_IF | SVMC_ACCESS_WRITE_IF));
    require(!(op->access & SVMC_ACCESS_READ_IF) || (op->access & SVMC_ACCESS_READ));
    require(!(op->access & SVMC_ACCESS_WRITE_IF) || (op->access & SVMC_ACCESS_WRITE));
    require(is_memory_size(op->bytes));
    require(reg ? op->reg <= 31 && op->reg_kind >= SVMC_REG_KIND_GPR &&
                      op->reg_kind <= SVMC_REG_KIND_TILE
                : op->reg == SVMC_REG_NONE && op->reg_kind == SVMC_REG_KIND_NONE);
    require(op->high == 0 || (reg && op->reg_kind == SVMC_REG_KIND_GPR && op->bytes == 1 &&
                              op->reg <= SVMC_REG_RBX));
    if (memory) {
        require(op->segment <= SVMC_SEG_GS);
        require(op->base <= SVMC_REG_RIP || op->base == SVMC_REG_NONE);
        require((op->index == SVMC_REG_NONE) == (op->scale == 0));
    } else {
        require(op->segment == SVMC_SEG_NONE && op->base == SVMC_REG_NONE &&
                op->index == SVMC_REG_NONE && op->scale == 0 && op->index_bytes == 0 &&
                op->broadcast == 0);
        require(op->disp == 0 || op->kind == SVMC_OPERAND_FAR);
    }
    require(op->imm == 0 || (!memory && !reg));
}

/* The fields about memory are those of the first memory operand in the list. */
static void check_operands(const struct svmc_insn *insn)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    const struct svmc_operand *memory = NULL;
    uint32_t count;

    memset(list, 0xee, sizeof list);
    require(svmc_insn_operands(insn, list, &count) == SVMC_OK && count <= SVMC_OPERANDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        check_operand(&list[i]);
        if (memory == NULL && list[i].kind == SVMC_OPERAND_MEM)
            memory = &list[i];
    }
    for (uint32_t i = count; i < SVMC_OPERANDS_MAX; i++)
        require(list[i].kind == SVMC_OPERAND_NONE && list[i].reg == SVMC_REG_NONE);
    require((memory != NULL) == (insn->mem_count != 0));
    if (memory != NULL)
        require(insn->access == memory->access && insn->mem_bytes == memory->bytes &&
                insn->segment == memory->segment && insn->base == memory->base &&
                insn->index == memory->index && insn->scale == memory->scale &&
                insn->disp == memory->disp);
    else
        require(insn->access == SVMC_ACCESS_NONE && insn->mem_bytes == 0 && insn->scale == 0 &&
                insn->segment == SVMC_SEG_NONE && insn->base == SVMC_REG_NONE &&
                insn->index == SVMC_REG_NONE);
}

static void check_format(const struct svmc_insn *insn)
{
    char text[SVMC_INSN_TEXT_MAX], shorter[SVMC_INSN_TEXT_MAX];
    size_t n;

    memset(text, 0x7f, sizeof text);
    require(svmc_insn_format(insn, text, sizeof text) == SVMC_OK);
    require(memchr(text, 0, sizeof text) != NULL);
    n = strlen(text);
    require(svmc_insn_format(insn, shorter, n + 1) == SVMC_OK && strcmp(text, shorter) == 0);
    require(svmc_insn_format(insn, shorter, n) == SVMC_ERR_FULL && (n == 0 || shorter[0] == 0));
}

static void check_accepted(const struct svmc_cpu *cpu, const uint8_t *data, size_t size,
                           const struct svmc_insn *insn)
{
    struct svmc_insn again;

    require(insn->length > 0 && insn->length <= size && insn->length <= SVMC_INSN_MAX);
    require(insn->id != SVMC_X86_NONE && insn->isa == cpu->isa);
    require(insn->refusal == SVMC_REFUSAL_NONE && insn->reserved == 0);
    require(insn->operand_bytes <= 8 && insn->address_bytes >= 2 && insn->address_bytes <= 8);
    require(insn->address_bytes < 8 || cpu->isa == SVMC_ISA_X86_64);
    /* nothing behind it matters, and each byte is written whatever was there */
    require(decode(cpu, data, insn->length, 0x11, &again) == SVMC_OK);
    require(memcmp(insn, &again, sizeof again) == 0);
    for (size_t n = 0; n < insn->length; n++)
        require(decode(cpu, data, n, 0xee, &again) == SVMC_ERR_TRUNCATED);
    check_operands(insn);
    check_format(insn);
}

static void check_refused(enum svmc_status st, size_t size, const struct svmc_insn *insn)
{
    struct svmc_insn rest = *insn, zero;

    memset(&zero, 0, sizeof zero);
    rest.refusal = SVMC_REFUSAL_NONE;
    require(memcmp(&rest, &zero, sizeof zero) == 0);
    require(st == SVMC_ERR_TRUNCATED || st == SVMC_ERR_UNDEFINED || st == SVMC_ERR_TOO_LONG ||
            st == SVMC_ERR_UNSUPPORTED);
    require((insn->refusal != SVMC_REFUSAL_NONE) ==
            (st == SVMC_ERR_UNDEFINED || st == SVMC_ERR_UNSUPPORTED));
    require((insn->refusal == SVMC_REFUSAL_APX) == (st == SVMC_ERR_UNSUPPORTED));
    require(insn->refusal <= SVMC_REFUSAL_APX);
    require(st != SVMC_ERR_TRUNCATED || size < SVMC_INSN_MAX);
    require(st != SVMC_ERR_TOO_LONG || size >= SVMC_INSN_MAX);
}

/* The bytes as a struct no decode made: an answer, and nothing read or written out of bounds. */
static void check_wild(const uint8_t *data, size_t size)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    struct svmc_insn wild = { 0 };
    char *text = malloc(8);
    enum svmc_status st;
    uint32_t count;

    memcpy(&wild, data, size < sizeof wild ? size : sizeof wild);
    require(text != NULL);
    st = svmc_insn_format(&wild, text, 8);
    require(st == SVMC_OK || text[0] == 0);
    free(text);
    st = svmc_insn_operands(&wild, list, &count);
    require(count <= SVMC_OPERANDS_MAX && (st == SVMC_OK || count == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t features[2] = { 0, 0 };

    check_wild(data, size);
    for (size_t i = SVMC_INSN_MAX; i < size && i < SVMC_INSN_MAX + 16; i++)
        features[(i - SVMC_INSN_MAX) / 8] |= (uint64_t)data[i] << 8 * ((i - SVMC_INSN_MAX) % 8);
    for (unsigned run = 0; run < 12; run++) { /* mode, vendor, features */
        struct svmc_cpu cpu = { .isa = (uint8_t)(SVMC_ISA_X86_16 + run % 3),
                                .vendor = (uint8_t)(SVMC_VENDOR_AMD + run / 3 % 2) };
        struct svmc_insn insn;
        enum svmc_status st;

        cpu.features[0] = run < 6 ? UINT64_MAX : features[0];
        cpu.features[1] = run < 6 ? UINT64_MAX : features[1];
        st = decode(&cpu, data, size, 0xee, &insn);
        require((st == SVMC_OK) == (insn.length > 0));
        if (st == SVMC_OK)
            check_accepted(&cpu, data, size, &insn);
        else
            check_refused(st, size, &insn);
    }
    return 0;
}
