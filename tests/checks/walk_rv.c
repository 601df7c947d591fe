/* SPDX-License-Identifier: MIT */
/*
 * A program for a RISC-V processor without anything else, in M-mode: the walker of this library
 * beside loads and stores of the same processor as S-mode or U-mode (mstatus.MPRV). Random
 * satp, SUM and MXR, tables of random entries that lead to each other, random addresses: which
 * word was read or written, or the cause and mtval of the trap, and accessed and dirty bits.
 * walk_machine.py builds and starts it. AMOs are left out: QEMU makes a load and a store of them.
 */
#include "walk_machine.h"

#define EACH   5u /* tables of a level */
#define TABLES (5 * EACH)
#define WORDS  512u
#define DATA   0x81000000u /* words that hold their own address */
#define MEMORY 0x84000000u

static _Alignas(4096) uint64_t tables[TABLES][WORDS];
static uint64_t last_entry;
extern const char trapped[];

__asm__(".section .start, \"ax\"\n"
        ".global _start\n"
        "_start:\n"
        "    la sp, stack_top\n"
        "    j run\n"
        "    .section .bss\n"
        "    .balign 4096\n"
        "    .skip 65536\n"
        "stack_top:\n"
        "    .skip 4096\n"
        "    .text\n"
        "    .balign 4\n"
        "trapped:\n" /* t0: MPRV; a6, a7: cause and address; the next instruction */
        "    csrc mstatus, t0\n"
        "    csrr a6, mcause\n"
        "    csrr a7, mtval\n"
        "    csrr t1, mepc\n"
        "    addi t1, t1, 4\n"
        "    csrw mepc, t1\n"
        "    mret\n");

uint64_t semihost(uint64_t operation, const void *argument)
{
    register uint64_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;

    __asm__ volatile(
        ".option push\n\t.option norvc\n\t.balign 16\n\tslli x0, x0, 0x1f\n\tebreak\n\t"
        "srai x0, x0, 7\n\t.option pop"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return a0;
}

#define WRITE(name, value) __asm__ volatile("csrw " name ", %0" : : "r"((uint64_t)(value)))

/* One access, between setting MPRV and clearing it. */
#define ACCESS(insn)                                                              \
    __asm__ volatile("csrs mstatus, t0\n\t.option push\n\t.option norvc\n\t" insn \
                     "\n\t.option pop\n\tcsrc mstatus, t0"                        \
                     : "+r"(value), "+r"(cause), "+r"(address), "+r"(mprv)        \
                     : "r"(where)                                                 \
                     : "t1", "memory")

struct sight {
    uint64_t value, cause, address;
};

static struct sight touch(uint32_t access, uint64_t at, uint64_t given)
{
    register uint64_t value __asm__("a4") = given;
    register uint64_t where __asm__("a5") = at;
    register uint64_t cause __asm__("a6") = UINT64_MAX;
    register uint64_t address __asm__("a7") = 0;
    register uint64_t mprv __asm__("t0") = BIT(17);

    if (access == SVMC_WALK_READ)
        ACCESS("ld a4, (a5)");
    else
        ACCESS("sd a4, (a5)");
    return (struct sight){ value, cause, address };
}

static bool is_data(uint64_t at)
{
    return at >= DATA && at < MEMORY;
}

static uint64_t *word_at(uint64_t at)
{
    return (uint64_t *)(uintptr_t)at;
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    (void)ctx;
    (void)bytes;
    if (at.v < (uintptr_t)tables || at.v >= (uintptr_t)tables + sizeof tables)
        return SVMC_ERR_ABSENT; /* not tried: who knows what is there */
    *entry = last_entry = *(volatile uint64_t *)word_at(at.v);
    return SVMC_OK;
}

static const struct svmc_walk_ops ops = { sizeof(struct svmc_walk_ops), read_entry, NULL };

/* level 0: of pages. Higher up there are few superpages whose frame can be one. */
static uint64_t make_entry(unsigned level)
{
    static const uint8_t leaves[5] = { 15, 4, 2, 1, 1 };
    uint64_t pick = random(), entry = 1;

    if (pick % 16 >= leaves[level]) {
        unsigned below = (level + 4) % 5 * EACH;

        entry |= (uint64_t)(uintptr_t)tables[below + (pick >> 8) % EACH] >> 2 | (pick & 0x320);
    } else {
        entry |= (DATA | (random() & (MEMORY - DATA - 1) & 0x3fff000)) >> 2;
        entry |= one_in(6) ? pick >> 16 & 0x3fe : 0xc6 | (pick >> 16 & 0x338);
        if (!one_in(3)) /* what a superpage can have */
            entry = (entry & 0x3ff) | (one_in(4) ? UINT64_C(0x80000000) : 0x82000000) >> 2;
        if (one_in(6))
            entry = (entry & ~UINT64_C(0x3c00)) | 0x2000 | BIT(63);
    }
    if (one_in(20))
        entry ^= BIT(pick >> 40 & 63);
    return entry;
}

static struct {
    unsigned long walks, faults, skipped, marks, wrong, reserved, pages[4];
} sums;

static bool is_same(const struct svmc_walk_result *r, const struct sight *s, uint32_t access,
                    uint64_t at, uint64_t given)
{
    bool same = true;

    if (s->cause != UINT64_MAX || r->fault.raised)
        return r->fault.raised && s->cause == r->fault.vector && s->address == at &&
               r->fault.address == at;
    if (access & SVMC_WALK_READ)
        same = s->value == r->at.v;
    if (access & SVMC_WALK_WRITE)
        same = same && *word_at(r->at.v) == given;
    *word_at(r->at.v) = r->at.v;
    for (unsigned i = 0; i < r->mark_count; i++, sums.marks++)
        same = same && *word_at(r->mark[i].at.v) == r->mark[i].now;
    return same;
}

static void try_one(struct svmc_walk_rv *regs, unsigned levels)
{
    uint64_t pick = random(), bits = 12 + 9 * levels, given = random();
    uint64_t at = random() & (BIT(bits) - 1) & ~UINT64_C(7);
    uint32_t access = 1 + (uint32_t)(pick & 1);
    struct svmc_walk_result r;
    struct sight s;

    if (at >> (bits - 1))
        at |= ~(BIT(bits) - 1);
    if (one_in(30))
        at ^= BIT(3 + random() % 61);
    regs->user = pick >> 8 & 1;
    regs->sstatus = pick & (BIT(18) | BIT(19));
    if (svmc_walk_by_rv64(regs, &ops, NULL, (svmc_gva){ at }, access, &r) != SVMC_OK ||
        (!r.fault.raised && !is_data(r.at.v))) {
        sums.skipped++;
        return;
    }
    if (r.fault.raised && (last_entry & (BIT(61) - BIT(54))) != 0) {
        sums.reserved++; /* QEMU 7.2 with Svnapot or Svpbmt does not look at bits 60:54 */
        return;
    }
    __asm__ volatile("csrc mstatus, %0\n\tcsrs mstatus, %1\n\tsfence.vma"
                     :
                     : "r"(BIT(18) | BIT(19) | 3u << 11),
                       "r"(regs->sstatus | (regs->user ? 0 : 1u << 11))
                     : "memory");
    s = touch(access, at, given);
    sums.walks++;
    sums.faults += r.fault.raised;
    if (!r.fault.raised)
        sums.pages[r.page_bytes == 4096    ? 0
                   : r.page_bytes == 65536 ? 1
                   : r.page_bytes >> 30    ? 3
                                           : 2]++;
    if (is_same(&r, &s, access, at, given) || sums.wrong++ >= 8)
        return;
    say_number("access ", access);
    say_number(" at ", at);
    say_number(" satp ", regs->satp);
    say_number(" user ", regs->user);
    say_number(" status ", regs->sstatus);
    say_number(": cause ", s.cause);
    say_number(" value ", s.value);
    say_number(" mtval ", s.address);
    say_number("; walk fault ", r.fault.raised);
    say_number(" cause ", r.fault.vector);
    say_number(" at ", r.at.v);
    say_number(" entry ", last_entry);
    say("\n");
}

void run(void)
{
    struct svmc_walk_rv regs = { .features = SVMC_WALK_RV_SVADU | SVMC_WALK_RV_SVNAPOT |
                                             SVMC_WALK_RV_SVPBMT };
    unsigned levels = 3;

    WRITE("mtvec", trapped);
    WRITE("pmpaddr0", UINT64_MAX >> 10);
    WRITE("pmpcfg0", 0x1f);
    WRITE("0x30a", BIT(61) | BIT(62)); /* menvcfg: ADUE, PBMTE */
    for (uint64_t at = DATA; at < MEMORY; at += 8)
        *word_at(at) = at;
    for (unsigned long i = 0; i < COUNT; i++) {
        if (i % 4096 == 0)
            for (unsigned n = 0; n < TABLES * WORDS; n++)
                tables[n / WORDS][n % WORDS] = make_entry(n / WORDS / EACH);
        if (i % 16 == 0) {
            levels = 3 + (unsigned)(random() % 3);
            regs.satp = (uint64_t)(5 + levels) << 60 |
                        (uint64_t)(uintptr_t)tables[(levels - 1) * EACH + random() % EACH] >> 12;
            WRITE("satp", regs.satp);
        }
        try_one(&regs, levels);
    }
    say_number("hex: walks ", sums.walks);
    say_number(" faults ", sums.faults);
    say_number(" pages of 4 KiB ", sums.pages[0]);
    say_number(", 64 KiB ", sums.pages[1]);
    say_number(", 2 MiB ", sums.pages[2]);
    say_number(", more ", sums.pages[3]);
    say_number(", marks ", sums.marks);
    say_number(" skipped ", sums.skipped);
    say_number(" reserved bits ", sums.reserved);
    say_number(" wrong ", sums.wrong);
    say("\n");
    finish(sums.wrong == 0 && sums.faults * 10 < sums.walks * 9 && sums.pages[0] > COUNT / 100 &&
           sums.pages[1] != 0 && sums.pages[2] != 0 && sums.pages[3] != 0);
}
