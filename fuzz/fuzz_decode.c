/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as an instruction, for both vendors; traps when an invariant breaks.
 * Shape of the input: the bytes themselves.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static bool is_error_of_bytes(enum svmc_status st)
{
    return st == SVMC_ERR_TRUNCATED || st == SVMC_ERR_UNDEFINED || st == SVMC_ERR_TOO_LONG ||
           st == SVMC_ERR_UNSUPPORTED;
}

/* Decodes a copy of exactly count bytes, so that a sanitizer sees every read behind them. */
static enum svmc_status decode(const struct svmc_cpu *cpu, const uint8_t *data, size_t count,
                               struct svmc_insn *out)
{
    uint8_t *copy = malloc(count ? count : 1);
    enum svmc_status st;

    require(copy != NULL);
    if (count)
        memcpy(copy, data, count);
    memset(out, 0xee, sizeof *out);
    st = svmc_insn_decode(cpu, copy, count, out);
    free(copy);
    return st;
}

static void check_operand(const struct svmc_operand *op)
{
    require(op->bytes == 1 || op->bytes == 2 || op->bytes == 4 || op->bytes == 8);
    require(op->access >= SVMC_ACCESS_READ && op->access <= SVMC_ACCESS_RW);
    require(op->kind == SVMC_OPERAND_REG ? op->reg <= SVMC_REG_R15 : op->reg == SVMC_REG_NONE);
    require(op->high == 0 || (op->kind == SVMC_OPERAND_REG && op->reg <= SVMC_REG_RBX));
    if (op->kind == SVMC_OPERAND_MEM) {
        require(op->segment <= SVMC_SEG_GS);
        require((op->index == SVMC_REG_NONE) == (op->scale == 0));
    } else {
        require(op->segment == SVMC_SEG_NONE && op->base == SVMC_REG_NONE &&
                op->index == SVMC_REG_NONE && op->scale == 0 && op->disp == 0);
    }
    require(op->kind == SVMC_OPERAND_IMM || op->imm == 0);
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
    require(insn->id != SVMC_X86_NONE && insn->operand_count <= SVMC_OPERANDS_MAX);
    for (unsigned i = 0; i < insn->operand_count; i++)
        check_operand(&insn->operands[i]);
    require(decode(cpu, data, insn->length, &again) == SVMC_OK);
    require(memcmp(insn, &again, sizeof again) == 0);
    for (size_t n = 0; n < insn->length; n++)
        require(decode(cpu, data, n, &again) == SVMC_ERR_TRUNCATED);
    check_format(insn);
}

/* The bytes as a struct no decode made: an answer, and nothing read or written out of bounds. */
static void check_wild_format(const uint8_t *data, size_t size)
{
    struct svmc_insn wild = { 0 };
    char *text = malloc(8);
    enum svmc_status st;

    memcpy(&wild, data, size < sizeof wild ? size : sizeof wild);
    require(text != NULL);
    st = svmc_insn_format(&wild, text, 8);
    require(st == SVMC_OK || st == SVMC_ERR_ARG || st == SVMC_ERR_FULL);
    require(st == SVMC_OK || text[0] == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct svmc_insn zero;

    for (unsigned vendor = SVMC_VENDOR_AMD; vendor <= SVMC_VENDOR_INTEL; vendor++) {
        struct svmc_cpu cpu = { SVMC_ISA_X86_64, (uint8_t)vendor, 0, 0 };
        struct svmc_insn insn;
        enum svmc_status st = decode(&cpu, data, size, &insn);

        if (st == SVMC_OK)
            check_accepted(&cpu, data, size, &insn);
        else
            require(is_error_of_bytes(st) && memcmp(&insn, &zero, sizeof zero) == 0);
        require(st != SVMC_ERR_TRUNCATED || size < SVMC_INSN_MAX);
        require(st != SVMC_ERR_TOO_LONG || size >= SVMC_INSN_MAX);
    }
    check_wild_format(data, size);
    return 0;
}
