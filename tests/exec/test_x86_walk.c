/* SPDX-License-Identifier: MIT */
/*
 * Through the guest's own page tables: what a program or a kernel accesses, and what the processor
 * reads for itself while either runs.
 */
#include <svmcore/svmcore.h>

#include "../harness.h"

/* Four levels of tables, then one page each: the address is the place in `ram`. */
#define TABLES 0x1000u
#define KERNEL 0x5000u /* supervisor pages: operands, a GDT */
#define USER   0x6000u /* the same, user pages */
#define DATA   0x100u
#define AC     0x40000u
#define SMAP   0x200000u

static uint8_t ram[0x7000];
static struct svmc_exec_x86 regs;
static struct svmc_exec_result out;

static void store(uint64_t at, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        ram[at + i] = (uint8_t)(v >> 8 * i);
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    (void)ctx;
    *entry = 0;
    if (at.v > sizeof ram - 8)
        return SVMC_ERR_REFUSED;
    for (unsigned i = bytes; i > 0; i--)
        *entry = *entry << 8 | ram[at.v + i - 1];
    return SVMC_OK;
}

static const struct svmc_walk_ops walk_ops = { .size = sizeof walk_ops, .read = read_entry };

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *gpa,
                                  struct svmc_fault *fault)
{
    const struct svmc_walk_x86 walk = { .cr0 = 0x80010001,
                                        .cr3 = TABLES,
                                        .cr4 = 0x20 | SMAP,
                                        .efer = 0x500,
                                        .rflags = regs.rflags,
                                        .cpl = regs.cpl,
                                        .address_bits = 40 };
    struct svmc_walk_result found;
    enum svmc_status st = svmc_walk_by_x86(
        &walk, &walk_ops, ctx, at, svmc_walk_access_from_exec(access, regs.cpl == 3), &found);

    *gpa = found.at;
    *fault = found.fault;
    return st;
}

static enum svmc_status read_ram(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, ram + at.v, n);
    return SVMC_OK;
}

static enum svmc_status write_ram(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(ram + at.v, src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    uint8_t held[8];

    (void)ctx;
    memcpy(held, ram + at.v, n);
    if (memcmp(held, expected, n) == 0)
        memcpy(ram + at.v, desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops exec_ops = { .size = sizeof exec_ops,
                                               .translate = translate,
                                               .read = read_ram,
                                               .write = write_ram,
                                               .exchange = exchange };

/* `insn` with RBX at operand, and a GDT at gdt that has data of DPL 3 at 8, not accessed yet. */
static void run(const uint8_t *insn, size_t count, uint64_t operand, uint64_t gdt)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_INTEL };
    struct svmc_insn decoded;
    struct svmc_exec x;

    memset(ram, 0, sizeof ram);
    for (unsigned level = 0; level < 3; level++)
        store(TABLES + 0x1000 * level, 8, (TABLES + 0x1000 * (level + 1)) | 0x67);
    store(TABLES + 0x3000 + 8 * (KERNEL >> 12), 8, KERNEL | 0x63);
    store(TABLES + 0x3000 + 8 * (USER >> 12), 8, USER | 0x67);
    store(operand, 2, 0x0b); /* what MOV from [RBX] loads: the entry at 8, RPL 3 */
    store(gdt + 8, 8, 0x00cff2000000ffff);
    regs.general[SVMC_REG_RBX] = operand;
    regs.gdt = (struct svmc_exec_table){ .base = gdt, .limit = 15 };
    CHECK_EQ(svmc_exec_init(&x, &exec_ops, NULL), SVMC_OK);
    CHECK_EQ(svmc_insn_decode(&cpu, insn, count, &decoded), SVMC_OK);
    CHECK_EQ(svmc_exec_x86_start(&x, &regs, &decoded, &out), SVMC_OK);
}

/* SDM vol. 3 4.6.1: of a user page AC lets through what the kernel accesses, and nothing else. */
TEST(exec, what_the_processor_reads_is_kept_off_user_pages_by_smap) /* WK-35 XE-17 XS-2 */
{
    static const uint8_t load[] = { 0x8b, 0x03 }, segment[] = { 0x8e, 0x23 };
    static const struct {
        uint8_t cpl;
        bool ac, loads; /* MOV EAX, [RBX]; else MOV FS, [RBX] */
        uint16_t operand, gdt;
        uint32_t error;
        uint16_t address; /* 0: done */
    } rows[] = {
        { 0, true, true, USER + DATA, KERNEL, 0, 0 },
        { 0, false, true, USER + DATA, KERNEL, 1, USER + DATA },
        { 0, true, false, USER + DATA, KERNEL, 0, 0 },
        { 0, true, false, KERNEL + DATA, USER, 1, USER + 8 },
        { 0, false, false, KERNEL + DATA, USER, 1, USER + 8 },
        { 0, false, false, KERNEL + DATA, KERNEL, 0, 0 },
        { 3, true, false, USER + DATA, USER, 1, USER + 8 },
        { 3, true, false, USER + DATA, KERNEL, 0, 0 },
        { 3, true, true, KERNEL + DATA, KERNEL, 5, KERNEL + DATA },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        regs = (struct svmc_exec_x86){ .rip = 0x1000,
                                       .rflags = 2 | (rows[i].ac ? AC : 0),
                                       .cr0 = 0x80010001,
                                       .cr4 = 0x20 | SMAP,
                                       .efer = 0x500,
                                       .cpl = rows[i].cpl,
                                       .address_bits = 48,
                                       .vendor = SVMC_VENDOR_INTEL };
        run(rows[i].loads ? load : segment, 2, rows[i].operand, rows[i].gdt);
        if (rows[i].address == 0) {
            CHECK_EQ(out.action, SVMC_EXEC_DONE, "row %u", i);
            continue;
        }
        CHECK_EQ(out.action, SVMC_EXEC_FAULT, "row %u", i);
        CHECK_EQ(out.fault.vector, 14, "row %u", i);
        CHECK_EQ(out.fault.error, rows[i].error, "row %u", i);
        CHECK_EQ(out.fault.address, rows[i].address, "row %u", i);
    }
}
