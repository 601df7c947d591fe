/* SPDX-License-Identifier: MIT */
/*
 * A program for an x86 processor without anything else: the walker of this library beside loads,
 * stores, locked additions and jumps of the same processor in rings 0 and 3. Random control
 * registers and keys, tables of random entries that lead to each other, random addresses: which
 * word was read or written, or vector, error code and CR2 of the fault, accessed and dirty bits.
 * Compiled for 32 bits: tables of 32 bits and PAE; for 64 bits: four levels, or with LA57 five.
 * walk_machine.py builds and starts it.
 */
#include "walk_machine.h"

#ifdef __x86_64__
#define WIDE true
#else
#define WIDE false
#endif
#ifndef LA57
#define LA57 0
#endif

#define EACH   5u /* tables of a level */
#define TABLES (5 * EACH)
#define BYTES  4096u
#define DATA   0x1000000u /* words of 4 bytes that hold their own address */
#define MEMORY 0x3000000u
#define CODE   0xf00u /* in each page of DATA: put its address into EAX, jump to EDX */
#define NOBODY 0x5a5a5a5au
#define BACK   0x30u /* vector: how ring 3 comes back */

#define CR0_PG   BIT(31)
#define CR4_PAE  BIT(5)
#define CR4_PKE  BIT(22)
#define CR4_PKS  BIT(24)
#define MSR_EFER 0xc0000080u
#define MSR_PKRS 0x6e1u

static _Alignas(4096) uint8_t tables[TABLES][BYTES];
static uint64_t last_entry;

/* Set up below: pages of its own, from address 0 on; those at 6 MiB are ring 3's. */
extern uint8_t own_root[], own_below[];
extern const char back[], gate_13[], gate_14[];
extern const char user_kinds[], kernel_kinds[]; /* 16 bytes each: read, write, both, jump */
uint32_t touch(uintptr_t at, uintptr_t code, uintptr_t flags, uintptr_t user);
struct sight {
    uintptr_t error, cr2, vector;
    uint32_t value;
};
extern volatile struct sight seen;
uint64_t gdt[7];
uint32_t tss[26];

#define KINDS(name, bx, dx)                                             \
    ".balign 16\n" name ":\n"                                           \
    "    mov (%" bx "), %eax\n    jmp *%" dx "\n    .balign 16\n"       \
    "    mov %eax, (%" bx ")\n    jmp *%" dx "\n    .balign 16\n"       \
    "    lock addl %eax, (%" bx ")\n    jmp *%" dx "\n    .balign 16\n" \
    "    jmp *%" bx "\n"

/* QEMU's -kernel reads a multiboot header; the machine is in 32-bit mode then. */
__asm__(".section .start, \"ax\"\n"
        "    .code32\n"
        "    .balign 4\n"
        "    .long 0x1badb002, 0, -0x1badb002\n"
        "    .global _start\n"
        "_start:\n"
        "    mov $stack_top, %esp\n"
        "    lgdt first_gdt_at\n"
        "    mov %cr4, %eax\n"
        "    or $first_cr4, %eax\n"
        "    mov %eax, %cr4\n"
        "    mov $own_root, %eax\n"
        "    mov %eax, %cr3\n"
        "    mov $0xc0000080, %ecx\n"
        "    rdmsr\n"
        "    or $first_efer, %eax\n"
        "    wrmsr\n"
        "    mov %cr0, %eax\n"
        "    or $first_cr0, %eax\n"
        "    mov %eax, %cr0\n"
        "    ljmp $8, $run\n"
        "    .data\n"
        "    .balign 8\n"
        "first_gdt: .long 0, 0, 0xffff, first_code, 0xffff, 0x00cf9300\n"
        "first_gdt_at: .word 23\n"
        "    .long first_gdt\n"
        "    .balign 4096\n"
        "own_below:\n" /* 1 GiB in pages of 2 MiB */
        "    .set at, 0\n"
        "    .rept 512\n"
        "    .quad at * 0x200000 + 0xe3 + ((at == 3) & 4)\n"
        "    .set at, at + 1\n"
        "    .endr\n"
        "    .bss\n"
        "    .balign 16\n"
        "    .skip 65536\n"
        "stack_top:\n"
        "    .skip 16\n"
        "    .balign 16\n"
        "stack_kept: .skip 8\n"
        "seen: .skip 64\n");

#ifdef __x86_64__
__asm__(".set first_cr0, 0x80000001\n"
        ".set first_efer, 0x100\n"
        ".set first_code, 0x00af9b00\n"
        "    .data\n"
        "    .balign 4096\n"
        "own_3: .quad own_below + 0x67\n"
        "    .skip 4088\n"
        "own_4: .quad own_3 + 0x67\n"
        "    .skip 4088\n"
        "own_5: .quad own_4 + 0x67\n"
        "    .skip 4088\n"
#if LA57
        ".set first_cr4, 0x1020\n"
        ".set own_root, own_5\n"
#else
        ".set first_cr4, 0x20\n"
        ".set own_root, own_4\n"
#endif
        "    .text\n"
        "    .code64\n"
        "touch:\n"
        "    push %rbx\n"
        "    mov %rsp, stack_kept\n"
        "    mov %rdi, %rbx\n"
        "    mov %rdx, %rdi\n"
        "    mov $0x5a5a5a5a, %eax\n"
        "    test %rcx, %rcx\n"
        "    jnz 1f\n"
        "    mov $back, %edx\n"
        "    push %rdi\n"
        "    popf\n"
        "    jmp *%rsi\n"
        "1:  mov $user_back, %edx\n"
        "    push $0x23\n"
        "    push $0\n"
        "    push %rdi\n"
        "    push $0x1b\n"
        "    push %rsi\n"
        "    iretq\n"
        "gate_13:\n"
        "    movb $13, seen + 16\n"
        "    jmp 1f\n"
        "gate_14:\n"
        "    movb $14, seen + 16\n"
        "1:  pop seen\n"
        "    mov %cr2, %rbx\n"
        "    mov %rbx, seen + 8\n"
        "back:\n"
        "    mov stack_kept, %rsp\n"
        "    push $2\n"
        "    popf\n"
        "    pop %rbx\n"
        "    ret\n" KINDS("kernel_kinds", "rbx", "rdx"));
__asm__(".section .user, \"ax\"\n" KINDS("user_kinds", "rbx", "rdx") "user_back: int $0x30\n.text");
#else
__asm__(".set first_cr0, 1\n"
        ".set first_cr4, 0\n"
        ".set first_efer, 0\n"
        ".set first_code, 0x00cf9b00\n"
        "    .data\n"
        "    .balign 4096\n"
        "own_root: .long own_low + 0x67, own_low + 0x1067\n" /* 8 MiB in pages of 4 KiB */
        "    .skip 4088\n"
        "own_low:\n"
        "    .set at, 0\n"
        "    .rept 2048\n"
        "    .long at * 4096 + 0x63 + ((at == 0x600) & 4)\n"
        "    .set at, at + 1\n"
        "    .endr\n"
        "    .text\n"
        "touch:\n"
        "    push %ebx\n"
        "    push %esi\n"
        "    mov %esp, stack_kept\n"
        "    mov 12(%esp), %ebx\n"
        "    mov 16(%esp), %esi\n"
        "    mov 20(%esp), %ecx\n"
        "    mov $0x5a5a5a5a, %eax\n"
        "    cmpl $0, 24(%esp)\n"
        "    jnz 1f\n"
        "    mov $back, %edx\n"
        "    push %ecx\n"
        "    popf\n"
        "    jmp *%esi\n"
        "1:  mov $0x23, %edx\n"
        "    mov %edx, %ds\n"
        "    mov $user_back, %edx\n"
        "    push $0x23\n"
        "    push $0\n"
        "    push %ecx\n"
        "    push $0x1b\n"
        "    push %esi\n"
        "    iret\n"
        "gate_13:\n"
        "    mov $13, %ecx\n"
        "    jmp 1f\n"
        "gate_14:\n"
        "    mov $14, %ecx\n"
        "1:  mov $0x10, %edx\n"
        "    mov %edx, %ds\n"
        "    pop seen\n"
        "    mov %ecx, seen + 8\n"
        "    mov %cr2, %ebx\n"
        "    mov %ebx, seen + 4\n"
        "back:\n"
        "    mov $0x10, %edx\n"
        "    mov %edx, %ds\n"
        "    mov stack_kept, %esp\n"
        "    push $2\n"
        "    popf\n"
        "    pop %esi\n"
        "    pop %ebx\n"
        "    ret\n" KINDS("kernel_kinds", "ebx", "edx"));
__asm__(".section .user, \"ax\"\n" KINDS("user_kinds", "ebx", "edx") "user_back: int $0x30\n.text");
#endif

/* ---- the machine ---------------------------------------------------------------------------- */

static void out_byte(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

uint64_t semihost(uint64_t operation, const void *argument)
{
    if (operation == 0x18) /* a device of QEMU's: status 33 is good, 35 is not */
        out_byte(0xf4, ((const uint64_t *)argument)[1] == 0 ? 16 : 17);
    else
        for (const char *c = argument; *c; c++)
            out_byte(0xe9, (uint8_t)*c);
    return 0;
}

#define SET(reg, value) __asm__ volatile("mov %0, %%" reg : : "r"((uintptr_t)(value)) : "memory")

static void set_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint32_t cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
    return out[0];
}

static void set_gate(void *idt, unsigned vector, const char *to, unsigned ring)
{
    uint64_t *gate = (uint64_t *)idt + (WIDE ? 2 : 1) * vector;
    uint64_t at = (uintptr_t)to;

    gate[0] = (at & 0xffff) | 0x80000 | (uint64_t)(0x8e00 | ring << 13) << 32 | at >> 16 << 48;
}

static void set_up(void)
{
    static _Alignas(16) uint64_t idt[2 * (BACK + 1)];
    static _Alignas(16) uint8_t stack[4096];
    struct __attribute__((packed)) {
        uint16_t limit;
        uintptr_t base;
    } gdt_at = { sizeof gdt - 1, (uintptr_t)gdt }, idt_at = { sizeof idt - 1, (uintptr_t)idt };
    uint64_t wide = WIDE ? UINT64_C(0x0060000000000000) : 0; /* L instead of D */

    gdt[1] = UINT64_C(0x00cf9b000000ffff) ^ wide;
    gdt[2] = UINT64_C(0x00cf93000000ffff);
    gdt[3] = UINT64_C(0x00cffb000000ffff) ^ wide;
    gdt[4] = UINT64_C(0x00cff3000000ffff);
    gdt[5] = UINT64_C(0x0000890000000067) | (uint64_t)(uintptr_t)tss << 16; /* below 16 MiB */
    tss[1] = (uint32_t)(uintptr_t)stack + sizeof stack;
    tss[2] = WIDE ? 0 : 0x10;
    set_gate(idt, 13, gate_13, 0);
    set_gate(idt, 14, gate_14, 0);
    set_gate(idt, BACK, back, 3);
    __asm__ volatile("lgdt %0; lidt %1" : : "m"(gdt_at), "m"(idt_at));
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; ltr %w1" : : "r"(0x10), "r"(0x28));
    for (uint32_t at = DATA; at < MEMORY; at += 4)
        *(volatile uint32_t *)(uintptr_t)at = at;
    for (uint32_t at = DATA + CODE; at < MEMORY; at += 4096) { /* mov $at, %eax; jmp *%edx */
        *(volatile uint32_t *)(uintptr_t)at = at << 8 | 0xb8;
        *(volatile uint32_t *)(uintptr_t)(at + 4) = at >> 24 | 0xe2ff00;
    }
}

/* ---- cases ---------------------------------------------------------------------------------- */

static struct svmc_walk_x86 regs = { .pat = UINT64_C(0x0007040600070406) };
static unsigned levels;

static bool is_data(uint64_t at)
{
    return at >= DATA && at < MEMORY;
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    (void)ctx;
    if (at.v < (uintptr_t)tables || at.v >= (uintptr_t)tables + sizeof tables)
        return SVMC_ERR_ABSENT; /* not tried: who knows what is there */
    *entry =
        bytes == 4 ? *(volatile uint32_t *)(uintptr_t)at.v : *(volatile uint64_t *)(uintptr_t)at.v;
    last_entry = *entry;
    return SVMC_OK;
}

static const struct svmc_walk_ops ops = { sizeof(struct svmc_walk_ops), read_entry, NULL };

static uint64_t page_of_data(void)
{
    return DATA + (random() & (MEMORY - DATA - 1) & ~UINT64_C(4095) & 0x1fffffff) % (MEMORY - DATA);
}

/* level 0: of pages. */
static uint64_t make_entry(unsigned level)
{
    uint64_t pick = random(), entry = 7 | (pick & 0xe60);
    unsigned bytes = levels == 2 ? 4 : 8, shift = 12 + level * (bytes == 4 ? 10 : 9);
    bool top_of_pae = levels == 3 && level == 2;
    bool leaf = level == 0 || (shift < 39 && !top_of_pae && one_in(4));

    for (unsigned bit = 0; bit < 3; bit++)
        if (one_in(bit == 0 ? 40 : 12))
            entry ^= BIT(bit);
    if (leaf && level > 0)
        entry |= 0x80;
    if (leaf)
        entry |= page_of_data() & ~(BIT(shift) - 1);
    else
        entry |= (uintptr_t)tables[(level - 1) * EACH + (uint32_t)(pick >> 32) % EACH];
    if (top_of_pae) /* nothing else can be loaded by a processor that loads them with CR3 */
        return entry & ~UINT64_C(0x1e6);
    if (bytes == 8 && one_in(16))
        entry |= BIT(63);
    if (WIDE)
        entry |= random() & UINT64_C(0x7ff0000000000000);
    if (one_in(24))
        entry ^= BIT(pick >> 40 & (bytes == 4 ? 31 : 63));
    return entry;
}

static void make_tables(void)
{
    for (unsigned level = 0; level < levels; level++)
        for (unsigned n = level * EACH; n < (level + 1) * EACH; n++)
            for (unsigned at = 0; at < BYTES; at += levels == 2 ? 4 : 8) {
                uint64_t entry = make_entry(level);

                if (levels == 2)
                    *(uint32_t *)(void *)(tables[n] + at) = (uint32_t)entry;
                else
                    *(uint64_t *)(void *)(tables[n] + at) = entry;
            }
    for (unsigned n = (levels - 1) * EACH; n < levels * EACH; n++) { /* its own pages */
        uint64_t *first = (uint64_t *)(void *)tables[n];

        if (levels == 2)
            *first = *(uint64_t *)(void *)own_root;
        else if (levels == 3)
            *first = (uintptr_t)own_below | 1;
        else
            *first = *(uint64_t *)(void *)own_root;
    }
}

/* Neither the entries that hold its own pages nor what is canonical for sure. */
static uint64_t make_address(uint32_t access)
{
    unsigned bits = levels > 3 ? 12 + 9 * levels : 32;
    uint64_t low = levels == 2 ? 0xffffffff : 0x3fffffff;
    uint64_t at = (DATA + (uint32_t)random() % (MEMORY - DATA)) & low, first;

    if (levels == 2)
        at = random() & 0xffffffff;
    at |= random() & (BIT(bits) - 1) & ~low;
    first = at >> (levels == 2 ? 22 : levels == 3 ? 30 : bits - 9);
    if (first < 2)
        at |= levels == 3 ? BIT(30) : BIT(bits - 2);
    at &= ~UINT64_C(0xfff) | 0xefc;
    if (access == SVMC_WALK_FETCH)
        at = (at & ~UINT64_C(0xfff)) | CODE;
    if (levels > 3 && at >> (bits - 1))
        at |= ~(BIT(bits) - 1);
    if (levels > 3 && one_in(30))
        at ^= BIT(47 + random() % 17);
    return at;
}

/* ---- compared ------------------------------------------------------------------------------- */

static struct {
    unsigned long walks, faults, skipped, marks, keys, pages[4];
} sums;

static struct sight execute(uint64_t at, uint32_t access)
{
    bool user = regs.cpl == 3;
    unsigned kind = access == SVMC_WALK_FETCH ? 3 : access - 1;
    uintptr_t code = (uintptr_t)(user ? user_kinds : kernel_kinds) + 16 * kind;
    struct sight s;

    SET("cr4", regs.cr4);
    set_msr(MSR_EFER, regs.efer & ~(WIDE ? 0 : BIT(10)));
    if (WIDE) {
        if (regs.cr4 & CR4_PKE)
            __asm__ volatile("wrpkru" : : "a"(regs.pkru), "c"(0), "d"(0));
        if (regs.cr4 & CR4_PKS)
            set_msr(MSR_PKRS, regs.pkrs);
    }
    seen.vector = seen.error = seen.cr2 = 0;
    SET("cr3", regs.cr3);
    SET("cr0", regs.cr0);
    s.value = touch((uintptr_t)at, code, (uintptr_t)regs.rflags, user);
    SET("cr0", WIDE ? regs.cr0 : regs.cr0 & ~CR0_PG);
    if (WIDE)
        SET("cr3", own_root);
    for (unsigned i = 0; i < 4 && levels == 3; i++) /* QEMU marks PAE's upper entries: SDM 4.4.1 */
        ((uint64_t *)(uintptr_t)regs.cr3)[i] &= ~UINT64_C(0x20);
    s.vector = seen.vector;
    s.error = seen.error;
    if (s.vector == 14 && s.error & 8) /* QEMU 7.2 leaves P out: SDM vol. 3 4.7 */
        s.error |= 1;
    s.cr2 = seen.cr2;
    return s;
}

static bool is_same(const struct svmc_walk_result *r, const struct sight *s, uint32_t access)
{
    volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)r->at.v;
    bool same = true;

    if (s->vector != 0 || r->fault.raised)
        return r->fault.raised && s->vector == r->fault.vector && s->error == r->fault.error &&
               (s->vector != 14 || s->cr2 == (uintptr_t)r->fault.address);
    if (access == SVMC_WALK_READ || access == SVMC_WALK_FETCH)
        same = s->value == (uint32_t)r->at.v;
    else
        same = *word == NOBODY + (access == SVMC_WALK_WRITE ? 0 : (uint32_t)r->at.v);
    if (access != SVMC_WALK_FETCH)
        *word = (uint32_t)r->at.v;
    for (unsigned i = 0; i < r->mark_count; i++, sums.marks++) {
        uint64_t entry = 0;

        (void)!read_entry(NULL, r->mark[i].at, r->entry_bytes, &entry);
        same = same && entry == r->mark[i].now;
    }
    return same;
}

static void tell(uint64_t at, uint32_t access, const struct sight *s,
                 const struct svmc_walk_result *r)
{
    say_number("access ", access);
    say_number(" at ", at);
    say_number(" levels ", levels);
    say_number(" ring ", regs.cpl);
    say_number(" cr0 ", regs.cr0);
    say_number(" cr4 ", regs.cr4);
    say_number(" efer ", regs.efer);
    say_number(" flags ", regs.rflags);
    say_number(": vector ", s->vector);
    say_number(" error ", s->error);
    say_number(" cr2 ", s->cr2);
    say_number(" value ", s->value);
    say_number("; walk vector ", r->fault.raised ? r->fault.vector : 0);
    say_number(" error ", r->fault.error);
    say_number(" at ", r->at.v);
    say_number(" entry ", last_entry);
    say("\n");
}

static void try_one(void)
{
    static const uint32_t accesses[4] = { SVMC_WALK_READ, SVMC_WALK_WRITE,
                                          SVMC_WALK_READ | SVMC_WALK_WRITE, SVMC_WALK_FETCH };
    uint64_t pick = random(), at;
    uint32_t access = accesses[pick & 3];
    struct svmc_walk_result r;
    struct sight s;

    at = make_address(access);
    regs.cpl = pick >> 8 & 1 ? 3 : 0;
    regs.cr0 = 0x80000011 | (pick & BIT(16)); /* WP */
    regs.cr4 = pick & (BIT(20) | BIT(21));    /* SMEP, SMAP */
    regs.cr4 |= levels == 2 ? pick & BIT(4) : CR4_PAE | (LA57 ? BIT(12) : 0);
    if (WIDE)
        regs.cr4 |= pick & (CR4_PKE | CR4_PKS);
    regs.efer = (WIDE ? 0x500 : 0) | (pick & BIT(11));
    regs.rflags = 2 | (pick & BIT(18));
    regs.pkru = (uint32_t)random();
    regs.pkrs = (uint32_t)random() & ~3u; /* its own pages have key 0 */
    if (svmc_walk_by_x86(&regs, &ops, NULL, (svmc_gva){ at }, access, &r) != SVMC_OK ||
        (!r.fault.raised && !is_data(r.at.v))) {
        sums.skipped++;
        return;
    }
    s = execute(at, access);
    sums.walks++;
    sums.faults += r.fault.raised;
    sums.keys += r.fault.raised && (r.fault.error & 32);
    if (!r.fault.raised)
        sums.pages[r.page_bytes == 4096      ? 0
                   : r.page_bytes == BIT(21) ? 1
                   : r.page_bytes == BIT(22) ? 2
                                             : 3]++;
    if (!is_same(&r, &s, access)) { /* what was written then, and where, nobody knows */
        tell(at, access, &s, &r);
        finish(false);
    }
}

void run(void)
{
    uint32_t id[4];
    bool good;

    set_up();
    regs.address_bits = (uint8_t)cpuid(0x80000008, id);
    cpuid(1, id);
    regs.features = id[3] >> 17 & 1 ? SVMC_WALK_X86_PSE36 : 0;
    cpuid(0x80000001, id);
    regs.features |= id[3] >> 26 & 1 ? SVMC_WALK_X86_PAGE1G : 0;
    for (unsigned long i = 0; i < COUNT; i++) {
        if (i % 4096 == 0) {
            levels = WIDE ? (LA57 ? 5 : 4) : 2 + (unsigned)(i / 4096 % 2);
            make_tables();
        }
        if (i % 16 == 0)
            regs.cr3 = (uintptr_t)tables[(levels - 1) * EACH + (uint32_t)random() % EACH];
        try_one();
    }
    say_number("hex: walks ", sums.walks);
    say_number(" faults ", sums.faults);
    say_number(" of keys ", sums.keys);
    say_number(" pages of 4 KiB ", sums.pages[0]);
    say_number(", 2 MiB ", sums.pages[1]);
    say_number(", 4 MiB ", sums.pages[2]);
    say_number(", 1 GiB ", sums.pages[3]);
    say_number(", marks ", sums.marks);
    say_number(" skipped ", sums.skipped);
    say("\n");
    good = sums.faults < sums.walks / 10 * 9 && sums.pages[0] > COUNT / 100 && sums.pages[1] != 0;
    finish(good && (WIDE ? sums.pages[3] : sums.pages[2]) != 0 && (!WIDE || sums.keys != 0));
}
