/* SPDX-License-Identifier: MIT */
/*
 * A program for an AArch64 processor without anything else, at EL2: the walker of this library
 * beside the AT instruction of the same processor. Random control registers of EL1, tables of
 * random entries that lead to each other, random addresses: what PAR_EL1 has then, address,
 * attributes or fault status code, and accessed and dirty bits, is what the walk says. Its output
 * and its end go by semihosting; walk_machine.py builds and starts it.
 */
#include "walk_machine.h"

#define TABLES      16u
#define TABLE_BYTES 65536u
#define AF          BIT(10)

static _Alignas(TABLE_BYTES) uint64_t tables[TABLES][TABLE_BYTES / 8];
static uint64_t last_entry;
static bool swapped;

extern const char vectors[];

__asm__(".section .start, \"ax\"\n"
        ".global _start\n"
        "_start:\n"
        "    adrp x0, stack_top\n"
        "    mov sp, x0\n"
        "    bl run\n"
        "    .section .bss\n"
        "    .balign 4096\n"
        "    .skip 65536\n"
        "stack_top:\n"
        "    .skip 4096\n"
        "    .text\n"
        "    .balign 2048\n"
        "vectors:\n"
        "    .rept 16\n"
        "    b aborted\n"
        "    .balign 128\n"
        "    .endr\n"
        "aborted:\n" /* PAR_EL1 says so, and the program goes on */
        "    stp x0, x1, [sp, #-16]!\n"
        "    mov x0, #-1\n"
        "    msr par_el1, x0\n"
        "    mrs x0, elr_el2\n"
        "    add x0, x0, #4\n"
        "    msr elr_el2, x0\n"
        "    ldp x0, x1, [sp], #16\n"
        "    eret\n");

uint64_t semihost(uint64_t operation, const void *argument)
{
    register uint64_t x0 __asm__("x0") = operation;
    register const void *x1 __asm__("x1") = argument;

    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}

#define READ(name)                                        \
    __extension__({                                       \
        uint64_t value_;                                  \
        __asm__ volatile("mrs %0, " name : "=r"(value_)); \
        value_;                                           \
    })
#define WRITE(name, value) __asm__ volatile("msr " name ", %0\n\tisb" : : "r"((uint64_t)(value)))
#define AT(name, address) \
    __asm__ volatile("at " name ", %0\n\tisb" : : "r"((uint64_t)(address)) : "memory")

static bool is_table(uint64_t at)
{
    return at >= (uint64_t)(uintptr_t)tables && at < (uint64_t)(uintptr_t)tables + sizeof tables;
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    (void)ctx;
    (void)bytes;
    if (!is_table(at.v))
        return SVMC_ERR_REFUSED;
    *entry = *(volatile uint64_t *)(uintptr_t)at.v;
    last_entry = swapped ? __builtin_bswap64(*entry) : *entry;
    return SVMC_OK;
}

static const struct svmc_walk_ops ops = { sizeof(struct svmc_walk_ops), read_entry, NULL };

/* What leads on, what ends, what is none. */
static uint64_t make_entry(void)
{
    uint64_t pick = random(), entry;

    if (pick % 16 == 0)
        entry = random() & ~UINT64_C(1);
    else if (pick % 16 < 4)
        entry =
            1 | (random() & BIT(pick >> 8 & 1 ? 52 : 40) & 0) | (random() & (BIT(40) - BIT(30)));
    else
        entry = 3 | (uint64_t)(uintptr_t)tables[pick >> 8 & (TABLES - 1)];
    entry |= AF | (random() & 0xbdc); /* attributes, NS, AP, SH, nG */
    if (one_in(12))
        entry ^= AF;
    if (one_in(3))
        entry |= random() & 0x7ff8000000000000;
    if (one_in(3))
        entry &= ~UINT64_C(0x7e00000000000000); /* else few tables let anybody do anything */
    if (one_in(40))
        entry ^= BIT(12 + (pick >> 16) % 40);
    return swapped ? __builtin_bswap64(entry) : entry;
}

static void make_tables(void)
{
    for (unsigned t = 0; t < TABLES; t++)
        for (unsigned i = 0; i < TABLE_BYTES / 8; i++)
            tables[t][i] = make_entry();
}

static void make_registers(struct svmc_walk_a64 *regs)
{
    uint64_t pick = random();

    regs->sctlr = BIT(0) | (swapped ? BIT(25) : 0) | (pick & BIT(19)); /* WXN */
    if (one_in(64))
        regs->sctlr &= ~UINT64_C(1);
    regs->tcr = (random() & 0x00780067c000c000) | (one_in(2) ? BIT(59) : 0);
    if (one_in(16))
        regs->tcr |= random() & (BIT(7) | BIT(23) | BIT(55) | BIT(56)); /* EPD, E0PD */
    if (one_in(4))
        regs->tcr |= random() & (BIT(39) | BIT(40)); /* HA, HD */
    regs->tcr |= (12 + random() % 37) | (12 + random() % 37) << 16;
    regs->tcr |= (random() & 0x30003000) | (2 + random() % 5) << 32;
    regs->ttbr0 = (uint64_t)(uintptr_t)tables[pick >> 8 & (TABLES - 1)];
    regs->ttbr1 = (uint64_t)(uintptr_t)tables[pick >> 12 & (TABLES - 1)];
    if (one_in(8))
        regs->ttbr0 |= random() & 0xffff00000000ffff;
    regs->mair = random();
}

static uint64_t make_address(const struct svmc_walk_a64 *regs)
{
    bool upper = one_in(2);
    unsigned size = 64 - (unsigned)(regs->tcr >> (upper ? 16 : 0) & 63);
    uint64_t at = random() & (BIT(size) - 1);

    if (upper)
        at |= ~(BIT(size) - 1);
    if (one_in(10))
        at ^= BIT(random() & 63);
    if (one_in(10))
        at ^= random() << 56;
    return at;
}

static void load_registers(const struct svmc_walk_a64 *regs)
{
    WRITE("tcr_el1", regs->tcr);
    WRITE("ttbr0_el1", regs->ttbr0);
    WRITE("ttbr1_el1", regs->ttbr1);
    WRITE("mair_el1", regs->mair);
    WRITE("sctlr_el1", regs->sctlr);
    __asm__ volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb" : : : "memory");
}

/* What AT makes of it: PAR_EL1. */
static uint64_t translate(unsigned how, uint64_t at)
{
    switch (how) {
    case 0:
        AT("s1e1r", at);
        break;
    case 1:
        AT("s1e1w", at);
        break;
    case 2:
        AT("s1e0r", at);
        break;
    case 3:
        AT("s1e0w", at);
        break;
    case 4:
        __asm__ volatile("msr pan, #1");
        AT("s1e1rp", at);
        break;
    default:
        __asm__ volatile("msr pan, #1");
        AT("s1e1wp", at);
    }
    __asm__ volatile("msr pan, #0");
    return READ("par_el1");
}

static bool is_same(const struct svmc_walk_result *r, uint64_t par)
{
    if ((par & 1) != r->fault.raised)
        return false;
    if (r->fault.raised)
        return (par >> 1 & 63) == (r->fault.error & 63);
    if ((par & 0x000ffffffffff000) != (r->at.v & ~UINT64_C(4095)))
        return false;
    if (par >> 56 != r->memory)
        return false;
    /* the share of what is not cached is outer: DDI 0487, PAR_EL1 */
    if (r->page & SVMC_WALK_PAGE_FLAT || r->memory >> 4 == 0 || r->memory == 0x44)
        return true;
    return (par >> 7 & 3) == r->share;
}

/*
 * Three things in which QEMU 7.2 is not the pseudocode. It does not look for blocks where a level
 * has none: translation fault. Where entries have bits 51:48 of addresses in other places (DS,
 * 64 KiB) and TCR.IPS says fewer bits, it does not look at those: address size fault. Of a block it
 * looks at bits below its size as well, which are no address, before it looks at its access flag.
 */
static bool is_otherwise_in_qemu(const struct svmc_walk_a64 *regs, const struct svmc_walk_result *r,
                                 uint64_t par)
{
    unsigned code = r->fault.error & 63;

    if (!r->fault.raised)
        return (par & 1) && (par >> 1 & 63) < 4 && (last_entry & (r->page_bytes - 1)) >> 32 != 0;
    if (code < 4)
        return (regs->tcr >> 32 & 7) < 6;
    if (code >= 8 && (par & 1) && (par >> 1 & 63) < 4)
        return (last_entry & 3) == 1;
    return (code == 4 || code == 5) && (last_entry & 3) == 1;
}

static bool is_five_levels(const struct svmc_walk_a64 *regs, uint64_t at)
{
    return (regs->tcr >> (at >> 55 & 1 ? 16 : 0) & 63) < 16;
}

static struct {
    unsigned long walks, faults, skipped, otherwise, marks, wrong, codes;
    uint64_t seen;
} sums;

static void try_one(struct svmc_walk_a64 *regs)
{
    struct svmc_walk_result r;
    unsigned how = (unsigned)(random() % 6);
    uint64_t at = make_address(regs), par;
    bool same;

    regs->pstate = how / 2 == 1 ? 0 : 5;
    if (how >= 4)
        regs->pstate |= BIT(22);
    if (svmc_walk_by_a64(regs, &ops, NULL, (svmc_gva){ at },
                         how & 1 ? SVMC_WALK_WRITE : SVMC_WALK_READ, &r) != SVMC_OK) {
        sums.wrong++;
        return;
    }
    if (r.fault.raised && ((r.fault.error >> 3 & 7) == 2 || is_five_levels(regs, at))) {
        sums.skipped++; /* a table outside of memory; QEMU 7.2 asserts that level -1 has none */
        return;
    }
    par = translate(how, at);
    same = is_same(&r, par);
    for (unsigned i = 0; i < r.mark_count && same; i++) {
        sums.marks++;
        same = *(volatile uint64_t *)(uintptr_t)r.mark[i].at.v == r.mark[i].now;
    }
    sums.walks++;
    if (!same && is_otherwise_in_qemu(regs, &r, par)) {
        sums.otherwise++;
        return;
    }
    sums.faults += r.fault.raised;
    if (r.fault.raised && !(sums.seen >> (r.fault.error & 63) & 1)) {
        sums.seen |= BIT(r.fault.error & 63);
        sums.codes++;
    }
    if (same || sums.wrong++ >= 8)
        return;
    say_number("how ", how);
    say_number(" at ", at);
    say_number(" tcr ", regs->tcr);
    say_number(" sctlr ", regs->sctlr);
    say_number(" ttbr0 ", regs->ttbr0);
    say_number(": PAR ", par);
    say_number(" walk fault ", r.fault.raised);
    say_number(" error ", r.fault.error);
    say_number(" at ", r.at.v);
    say_number(" memory ", r.memory);
    say_number(" share ", r.share);
    say("\n");
}

void run(void)
{
    struct svmc_walk_a64 regs = { .mmfr0 = READ("id_aa64mmfr0_el1"),
                                  .mmfr1 = READ("id_aa64mmfr1_el1"),
                                  .mmfr2 = READ("id_aa64mmfr2_el1") };

    WRITE("hcr_el2", BIT(31));
    WRITE("vbar_el2", (uintptr_t)vectors);
    for (unsigned long i = 0; i < COUNT; i++) {
        if (i % 4096 == 0) {
            swapped = one_in(4);
            make_tables();
        }
        if (i % 8 == 0) {
            make_registers(&regs);
            load_registers(&regs);
        }
        try_one(&regs);
    }
    say_number("mmfr0 ", regs.mmfr0);
    say_number(" mmfr1 ", regs.mmfr1);
    say_number(" mmfr2 ", regs.mmfr2);
    say_number("; hex: walks ", sums.walks);
    say_number(" faults ", sums.faults);
    say_number(" of codes ", sums.codes);
    say_number(" marks ", sums.marks);
    say_number(" skipped ", sums.skipped);
    say_number(" otherwise in QEMU ", sums.otherwise);
    say_number(" wrong ", sums.wrong);
    say("\n");
    finish(sums.wrong == 0 && sums.codes >= 8 && sums.faults * 10 < sums.walks * 9);
}
