/* SPDX-License-Identifier: MIT */
/*
 * From PC and registers alone, through the guest's own page tables: what an exit without a syndrome
 * leaves. The walker answers for translate, and its faults arrive as the processor raises them.
 */
#include <svmcore/svmcore.h>

#include "../harness.h"

#define CODE    0x3000u /* all may read and execute */
#define DATA    0x4000u /* all may read and write */
#define KERNEL  0x5000u
#define NOTHING 0x6000u

static uint8_t ram[0x8000];
static struct svmc_exec_a64 regs;
static struct svmc_exec x;
static struct svmc_exec_result out;

static uint64_t load(uint64_t at)
{
    uint64_t v = 0;

    for (unsigned i = 8; i > 0; i--)
        v = v << 8 | ram[at + i - 1];
    return v;
}

static void store(uint64_t at, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        ram[at + i] = (uint8_t)(v >> 8 * i);
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    (void)ctx;
    if (at.v > sizeof ram - 8 || bytes != 8)
        return SVMC_ERR_REFUSED;
    *entry = load(at.v);
    return SVMC_OK;
}

static const struct svmc_walk_ops walk_ops = { .size = sizeof walk_ops, .read = read_entry };

/* 25 bits of address, pages of 4 KiB: level 2 at 0x1000, level 3 at 0x2000. */
static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *gpa,
                                  struct svmc_fault *fault)
{
    const struct svmc_walk_a64 walk = { .sctlr = regs.sctlr,
                                        .tcr = 39 | 1u << 23,
                                        .ttbr0 = 0x1000,
                                        .mair = 0xff,
                                        .pstate = regs.pstate };
    uint32_t how = svmc_walk_access_from_exec(access, (regs.pstate & 0xc) == 0); /* EL0 */
    struct svmc_walk_result found;
    enum svmc_status st = svmc_walk_by_a64(&walk, &walk_ops, ctx, at, how, &found);

    *gpa = found.at;
    *fault = found.fault;
    return st;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    if (at.v > sizeof ram - n)
        return SVMC_ERR_REFUSED;
    memcpy(dst, ram + at.v, n);
    return SVMC_OK;
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    if (at.v > sizeof ram - n)
        return SVMC_ERR_REFUSED;
    memcpy(ram + at.v, src, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = {
    .size = sizeof ops, .translate = translate, .read = read_some, .write = write_some
};

static void open_tables(void)
{
    const uint64_t page = 3 | 1 << 10; /* and accessed */

    memset(ram, 0, sizeof ram);
    store(0x1000, 8, 0x2000 | 3);
    store(0x2018, 8, CODE | page | 3 << 6);
    store(0x2020, 8, DATA | page | 1 << 6);
    store(0x2028, 8, KERNEL | page | 1ull << 54);
    store(0x2038, 8, 0x100000 | page | 1 << 6); /* 0x7000: no memory there */
    store(DATA + 8, 8, 0x1122334455667788);
    store(KERNEL + 8, 8, 0x99);
    CHECK_EQ(svmc_exec_init(&x, &ops, NULL), SVMC_OK);
}

TEST(exec_a64, an_exit_that_says_nothing_is_finished_from_registers) /* EA-2 EA-5 EA-6 EA-10 */
{
    static const struct {
        uint32_t word, pstate, base;
        uint8_t ec; /* 0: done */
        uint32_t iss;
    } rows[] = {
        { 0xf8408441, 0, DATA + 8, 0, 0 },          /* LDR X1, [X2], #8 */
        { 0xf8408441, 0, KERNEL, 0x24, 0x0f },      /* permission, level 3 */
        { 0xf8408441, 5, KERNEL, 0, 0 },            /* of EL1 */
        { 0xf8400841, 5, KERNEL, 0x25, 0x0f },      /* LDTR */
        { 0xf9400041, 0, NOTHING + 8, 0x24, 0x07 }, /* translation, level 3 */
        { 0xf9400041, 5, 0x1ffff0, 0x25, 0x07 },
        { 0xf9400041, 0, 0x200000, 0x24, 0x06 }, /* level 2 */
        { 0xf9000041, 0, CODE, 0x24, 0x4f },     /* STR X1, [X2] */
        { 0xa9000c41, 0, DATA, 0, 0 },           /* STP X1, X3, [X2] */
        { 0xf9400041, 5, 0x7010, 0x25, 0x10 },   /* no memory behind it */
        { 0xf9000041, 0, 0x7010, 0x24, 0x50 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_insn insn;

        open_tables();
        store(CODE + 0x10, 4, rows[i].word);
        regs = (struct svmc_exec_a64){
            .pc = CODE + 0x10, .pstate = rows[i].pstate, .sctlr = 1, .cpacr = 3u << 20
        };
        regs.general[2] = rows[i].base;
        CHECK_EQ(svmc_exec_a64_fetch(&x, &regs, &insn, &out), SVMC_OK, "row %u", i);
        CHECK_EQ(out.action, SVMC_EXEC_NONE, "row %u", i);
        CHECK_EQ(svmc_exec_a64_start(&x, &regs, &insn, &out), SVMC_OK, "row %u", i);
        CHECK_EQ(out.action, rows[i].ec == 0 ? SVMC_EXEC_DONE : SVMC_EXEC_FAULT, "row %u", i);
        CHECK_EQ(out.fault.vector, rows[i].ec, "row %u", i);
        CHECK_EQ(out.fault.error, rows[i].iss, "row %u", i);
        CHECK_EQ(out.fault.address, rows[i].ec == 0 ? 0 : rows[i].base, "row %u", i);
        if (i == 0) {
            CHECK_EQ(regs.general[1], 0x1122334455667788);
            CHECK_EQ(regs.general[2], DATA + 16);
            CHECK_EQ(regs.pc, CODE + 0x14);
        }
    }
    regs.pc = KERNEL; /* a fetch of EL0 */
    regs.pstate = 0;
    CHECK_EQ(svmc_exec_a64_fetch(&x, &regs, &(struct svmc_insn){ 0 }, &out), SVMC_OK);
    CHECK_EQ(out.fault.vector, 0x20);
    CHECK_EQ(out.fault.error, 0x0f);
    CHECK_EQ(out.fault.address, KERNEL);
}
