/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as A64 instructions; traps when an invariant breaks.
 * Shape of the input: words, decoded one by one; a rest of less than four bytes is a cut one.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <svmcore/insn.h>
#include <unistd.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The end of a page that an unreadable one follows. */
static uint8_t *guarded_end(void)
{
    static uint8_t *end;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (end == NULL) {
        uint8_t *at =
            mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        require(at != MAP_FAILED && mprotect(at + page, page, PROT_NONE) == 0);
        end = at + page;
    }
    return end;
}

static enum svmc_status decode(const uint8_t *data, size_t count, int fill, struct svmc_insn *out)
{
    struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    uint8_t *copy = guarded_end() - count;

    memcpy(copy, data, count);
    memset(out, fill, sizeof *out);
    return svmc_insn_decode(&cpu, copy, count, out);
}

static bool is_register(uint8_t reg, uint8_t kind)
{
    if (reg == SVMC_REG_NONE)
        return true;
    if (kind == SVMC_REG_KIND_VECTOR)
        return reg < 32;
    return kind == SVMC_REG_KIND_GPR && reg >= SVMC_REG_X0 && reg <= SVMC_REG_XZR;
}

static bool is_address(uint8_t reg)
{
    return reg == SVMC_REG_NONE || (reg >= SVMC_REG_X0 && reg <= SVMC_REG_PC);
}

static void check_accepted(const struct svmc_insn *i)
{
    bool memory = i->insn_class == SVMC_CLASS_MEMORY;

    require(i->isa == SVMC_ISA_A64 && i->length == 4 && i->id != SVMC_A64_NONE);
    require(i->refusal == SVMC_REFUSAL_NONE && i->privilege <= SVMC_PRIVILEGE_MACHINE);
    require(i->segment == SVMC_SEG_NONE && i->reserved == 0);
    require(memory == (i->access != SVMC_ACCESS_NONE) && i->access <= SVMC_ACCESS_RW);
    require(memory || (i->mem_bytes == 0 && i->mem_count == 0));
    require(!memory || i->base != SVMC_REG_NONE);
    require(is_address(i->base) && is_address(i->index) && i->index != SVMC_REG_SP);
    require((i->index == SVMC_REG_NONE) == (i->scale == 0));
    require(is_register(i->reg, i->reg_kind) && is_register(i->reg2, i->reg_kind));
    require(is_register(i->reg3, SVMC_REG_KIND_GPR));
    require(i->mem_bytes <= 64 && i->mem_bytes * i->mem_count <= 64);
    require(!(i->flags & SVMC_INSN_PRE_INDEX) || !(i->flags & SVMC_INSN_POST_INDEX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (; size > 0; data += size < 4 ? size : 4, size -= size < 4 ? size : 4) {
        size_t count = size < 4 ? size : 4;
        struct svmc_insn a, b;
        enum svmc_status st = decode(data, count, 0xee, &a);

        require(decode(data, count, 0x11, &b) == st && memcmp(&a, &b, sizeof a) == 0);
        require((st == SVMC_OK) == (a.length > 0));
        if (st == SVMC_OK) {
            check_accepted(&a);
            continue;
        }
        require(count < 4 ? st == SVMC_ERR_TRUNCATED : st == SVMC_ERR_UNDEFINED);
        require((st == SVMC_ERR_UNDEFINED) == (a.refusal != SVMC_REFUSAL_NONE));
        a.refusal = 0;
        memset(&b, 0, sizeof b);
        require(memcmp(&a, &b, sizeof a) == 0);
    }
    return 0;
}
