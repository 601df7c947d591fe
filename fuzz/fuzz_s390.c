/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as an s390x instruction; traps when a rule of docs/spec/s390.md
 * breaks.
 * Shape of the input: the bytes themselves.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes a copy of exactly count bytes, so that a sanitizer sees every read behind them. */
static enum svmc_status decode(const uint8_t *data, size_t count, struct svmc_insn *out)
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_S390X };
    uint8_t *copy = malloc(count ? count : 1);
    enum svmc_status st;

    require(copy != NULL);
    if (count)
        memcpy(copy, data, count);
    memset(out, 0xee, sizeof *out);
    st = svmc_insn_decode(&cpu, copy, count, out);
    free(copy);
    return st;
}

static bool is_general(uint8_t reg)
{
    return reg >= SVMC_REG_S390_R0 && reg <= SVMC_REG_S390_R15;
}

static void check_register(uint8_t kind, uint8_t reg)
{
    if (reg == SVMC_REG_NONE)
        return;
    require(kind == SVMC_REG_KIND_GPR      ? is_general(reg)
            : kind == SVMC_REG_KIND_VECTOR ? reg < 32
                                           : reg < 16);
    require(kind == SVMC_REG_KIND_GPR || kind == SVMC_REG_KIND_VECTOR ||
            kind == SVMC_REG_KIND_CONTROL || kind == SVMC_REG_KIND_ACCESS);
}

static void check_storage(const struct svmc_insn *insn)
{
    require(insn->segment == SVMC_SEG_NONE && insn->address_bytes == 8);
    require(insn->base == SVMC_REG_NONE || insn->base == SVMC_REG_S390_IA ||
            is_general(insn->base));
    require(insn->index == SVMC_REG_NONE || insn->index < 32 || is_general(insn->index));
    require(insn->scale == (insn->index != SVMC_REG_NONE));
    require(insn->disp >= INT64_C(-0x100000000) && insn->disp <= INT64_C(0xfffffffe));
    require(insn->access != SVMC_ACCESS_NONE || (insn->mem_bytes == 0 && insn->mem_count == 0));
    require(insn->mem_count <= 16 && insn->mem_bytes <= 4096);
    require(insn->insn_class != SVMC_CLASS_MEMORY || insn->access != SVMC_ACCESS_NONE);
}

static void check_accepted(const uint8_t *data, size_t size, const struct svmc_insn *insn)
{
    struct svmc_insn again;

    require(insn->length == (data[0] < 0x40 ? 2 : data[0] < 0xc0 ? 4 : 6) && insn->length <= size);
    require(insn->isa == SVMC_ISA_S390X && insn->id >> 8 == data[0]);
    require(insn->refusal == SVMC_REFUSAL_NONE && insn->reserved == 0);
    require(insn->reg_kind != SVMC_REG_KIND_NONE || insn->reg == SVMC_REG_NONE);
    check_register(insn->reg_kind, insn->reg);
    check_register(insn->reg_kind, insn->reg2);
    check_register(insn->reg_kind, insn->reg3);
    check_storage(insn);
    require(decode(data, insn->length, &again) == SVMC_OK);
    require(memcmp(insn, &again, sizeof again) == 0);
    for (size_t n = 0; n < insn->length; n++)
        require(decode(data, n, &again) == SVMC_ERR_TRUNCATED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_insn insn, zero = { 0 };
    enum svmc_status st = decode(data, size, &insn);

    if (st == SVMC_OK) {
        check_accepted(data, size, &insn);
        return 0;
    }
    require(st == SVMC_ERR_TRUNCATED || st == SVMC_ERR_UNDEFINED);
    require(st != SVMC_ERR_TRUNCATED || size < 6);
    zero.refusal = st == SVMC_ERR_UNDEFINED ? SVMC_REFUSAL_NO_OPCODE : SVMC_REFUSAL_NONE;
    require(memcmp(&insn, &zero, sizeof zero) == 0);
    return 0;
}
