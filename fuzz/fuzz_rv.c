/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as a RISC-V instruction, for RV32 and RV64; traps when an invariant
 * breaks. Shape of the input: the bytes themselves.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <svmcore/insn.h>

#include "input.h"

#define MOST 8u /* bytes given to the decoder: no encoding that it decodes has more than 4 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The end of a page behind which nothing may be read. */
static uint8_t *page_end(void)
{
    static uint8_t *end;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (end == NULL) {
        end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        require(end != MAP_FAILED);
        end += page;
        require(mprotect(end, page, PROT_NONE) == 0);
    }
    return end;
}

static enum svmc_status decode(const struct svmc_cpu *cpu, const uint8_t *data, size_t count,
                               uint8_t fill, struct svmc_insn *out)
{
    uint8_t *copy = page_end() - count;

    if (count)
        memcpy(copy, data, count);
    memset(out, fill, sizeof *out);
    return svmc_insn_decode(cpu, copy, count, out);
}

static bool is_register(uint8_t reg)
{
    return reg >= SVMC_REG_RV_X0 && reg <= SVMC_REG_RV_X31;
}

static void check_fields(const struct svmc_cpu *cpu, const struct svmc_insn *o)
{
    bool is_float = o->reg_kind == SVMC_REG_KIND_VECTOR;
    uint8_t xlen_bytes = cpu->isa == SVMC_ISA_RV64 ? 8 : 4;

    require(o->isa == cpu->isa && o->id != SVMC_RV_NONE && o->id != SVMC_RV_CUSTOM);
    require(o->operand_bytes == xlen_bytes && o->address_bytes == xlen_bytes);
    require(o->segment == SVMC_SEG_NONE && o->index == SVMC_REG_NONE && o->scale == 0);
    require(o->base == SVMC_REG_NONE || is_register(o->base));
    require(o->reg == SVMC_REG_NONE || (is_float ? o->reg < 32 : is_register(o->reg)));
    require(o->reg2 == SVMC_REG_NONE || o->reg2 < 32 || is_register(o->reg2));
    require(o->reg2 >= 32 || o->insn_class == SVMC_CLASS_SYSTEM_REG);
    require(o->reg3 == SVMC_REG_NONE || is_register(o->reg3));
    require((o->reg == SVMC_REG_NONE) == (o->reg_kind == SVMC_REG_KIND_NONE));
    require(o->mem_bytes == 0 ||
            (o->base != SVMC_REG_NONE && o->access && o->insn_class == SVMC_CLASS_MEMORY));
    require(o->mem_count == (o->mem_bytes != 0) && (o->mem_bytes & (o->mem_bytes - 1)) == 0);
    require(o->disp == 0 || o->imm == 0);
    require(o->refusal == SVMC_REFUSAL_NONE && o->reserved == 0);
}

static void check_accepted(const struct svmc_cpu *cpu, const uint8_t *data, size_t size,
                           const struct svmc_insn *insn)
{
    struct svmc_insn again;

    require((insn->length == 2 || insn->length == 4) && insn->length <= size);
    check_fields(cpu, insn);
    require(decode(cpu, data, insn->length, 0x11, &again) == SVMC_OK);
    require(memcmp(insn, &again, sizeof again) == 0); /* written whole, whatever was there */
    for (size_t n = 0; n < insn->length; n++)
        require(decode(cpu, data, n, 0xee, &again) == SVMC_ERR_TRUNCATED);
}

static void check_refused(enum svmc_status st, size_t size, const struct svmc_insn *insn)
{
    struct svmc_insn zero = { .refusal = insn->refusal };

    require(st == SVMC_ERR_TRUNCATED || st == SVMC_ERR_UNDEFINED || st == SVMC_ERR_UNSUPPORTED);
    require(memcmp(insn, &zero, sizeof zero) == 0);
    require((insn->refusal == SVMC_REFUSAL_NONE) == (st == SVMC_ERR_TRUNCATED));
    require(st != SVMC_ERR_TRUNCATED || size < 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MOST)
        size = MOST;
    for (uint8_t isa = SVMC_ISA_RV32; isa <= SVMC_ISA_RV64; isa++) {
        struct svmc_cpu cpu = { .isa = isa };
        struct svmc_insn insn;
        enum svmc_status st = decode(&cpu, data, size, 0xee, &insn);

        require((st == SVMC_OK) == (insn.length > 0));
        if (st == SVMC_OK)
            check_accepted(&cpu, data, size, &insn);
        else
            check_refused(st, size, &insn);
    }
    return 0;
}
