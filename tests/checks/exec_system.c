/* SPDX-License-Identifier: MIT */
/*
 * Segments, far branches, flags and tables beside Unicorn, 32 and 64-bit mode, CPL 0 and 3: random
 * descriptors, selectors, frames and flags. Compared are registers, selectors, memory with the
 * tables, and the vector of an exception; error codes and what a segment register hides have unit
 * tests. SVMC_COUNT cases. Rules XS-3 XS-4 XS-5 XS-6 XS-7 XS-8 XS-10 XS-11 XS-12.
 *
 * Not drawn or not compared, for Unicorn's QEMU does not do what the manual says: addresses that
 * are not canonical; code with L and D, data with L; the limit of code that is entered, and its
 * accessed bit and that of SS; VM among the flags that IRET pops at CPL 3, VIF and VIP; SS null
 * with another RPL than CPL, or popped; #SS for an SS that is popped and not present, its #NP; LTR
 * of null; upper halves of entries of 16 bytes; system types of 32-bit mode in long mode; RPL of
 * conforming code behind a gate, #NP of code behind one for JMP; the upper half of the offset of a
 * gate of 16 bits; addresses of stacks that are not canonical, and limits of inner ones.
 */
#include <stdlib.h>
#include <svmcore/svmcore.h>
#include <unicorn/unicorn.h>

#include "../harness.h"

#define PAGE    4096u
#define BASE    0x10000u
#define PAGES   8u
#define CODE    BASE
#define FRAME   (BASE + 0x800) /* of the IRET that makes the state */
#define GDT     (BASE + 0x1000)
#define LDT     (BASE + 0x1200)
#define TSS     (BASE + 0x1400)
#define DATA    (BASE + 0x2000)
#define STACK   (BASE + 0x5000)
#define INNER   (BASE + 0x7800) /* stacks of the inner levels, from here down */
#define ENTRIES 24u
#define SHOWN   20u

static _Alignas(PAGE) uint8_t memory[2][PAGES * PAGE]; /* ours, theirs */
static uint64_t seed, failures, done, faults, left;
static int vector; /* of their exception; -1: none */
static struct svmc_exec record;

/* legacy: 32-bit mode alone; wide: 64-bit mode alone. */
static const struct row {
    uint8_t count, bytes[4];
    bool legacy, wide;
} rows[] = {
    { 2, { 0x48, 0xcf }, .wide = true },
    { 1, { 0xcf }, .wide = false },
    { 2, { 0x66, 0xcf }, .wide = false },
    { 2, { 0x48, 0xcb }, .wide = true },
    { 1, { 0xcb }, .wide = false },
    { 2, { 0x66, 0xcb }, .wide = false },
    { 3, { 0xca, 0x10, 0x00 }, .wide = false },
    { 2, { 0xff, 0x2b }, .wide = false },
    { 3, { 0x66, 0xff, 0x2b }, .wide = false },
    { 2, { 0xff, 0x1b }, .wide = false },
    { 3, { 0x48, 0xff, 0x1b }, .wide = true },
    { 3, { 0x48, 0xff, 0x2b }, .wide = true },
    { 2, { 0x8e, 0x23 }, .wide = false },
    { 2, { 0x8e, 0x13 }, .wide = false },
    { 2, { 0x8e, 0x1b }, .wide = false },
    { 2, { 0x8e, 0x2b }, .wide = false },
    { 3, { 0x0f, 0xb2, 0x0b }, .wide = false },
    { 3, { 0x0f, 0xb4, 0x0b }, .wide = false },
    { 3, { 0x0f, 0xb5, 0x0b }, .wide = false },
    { 2, { 0xc4, 0x0b }, .legacy = true },
    { 2, { 0xc5, 0x0b }, .legacy = true },
    { 1, { 0x07 }, .legacy = true },
    { 1, { 0x17 }, .legacy = true },
    { 1, { 0x1f }, .legacy = true },
    { 2, { 0x0f, 0xa1 }, .wide = false },
    { 2, { 0x0f, 0xa9 }, .wide = false },
    { 3, { 0x0f, 0x02, 0x0b }, .wide = false },
    { 3, { 0x0f, 0x03, 0x0b }, .wide = false },
    { 3, { 0x0f, 0x00, 0x23 }, .wide = false },
    { 3, { 0x0f, 0x00, 0x2b }, .wide = false },
    { 1, { 0x9c }, .wide = false },
    { 1, { 0x9d }, .wide = false },
    { 2, { 0x66, 0x9d }, .wide = false },
    { 2, { 0x66, 0x9c }, .wide = false },
    { 3, { 0x0f, 0x01, 0x03 }, .wide = false },
    { 3, { 0x0f, 0x01, 0x13 }, .wide = false },
    { 3, { 0x0f, 0x00, 0x03 }, .wide = false },
    { 3, { 0x0f, 0x00, 0x13 }, .wide = false },
    { 3, { 0x0f, 0x00, 0x1b }, .wide = false },
    { 1, { 0x60 }, .legacy = true },
    { 1, { 0x61 }, .legacy = true },
    { 2, { 0x66, 0x60 }, .legacy = true },
    { 2, { 0x66, 0x61 }, .legacy = true },
    { 2, { 0x62, 0x0b }, .legacy = true },
    { 2, { 0x63, 0x0b }, .legacy = true },
};
#define ROWS (sizeof rows / sizeof rows[0])

static unsigned draw(unsigned bound)
{
    return (unsigned)(harness_random(&seed) >> 33) % bound;
}

static void must(uc_err err)
{
    if (err != UC_ERR_OK) {
        fprintf(stderr, "FAIL Unicorn: %s\n", uc_strerror(err));
        exit(1);
    }
}

/* ---- the library's side ---- */

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)access;
    out->v = at.v;
    if (at.v - BASE >= sizeof memory[0])
        *fault = (struct svmc_fault){ .raised = 1, .vector = 14, .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, memory[0] + (at.v - BASE), n);
    return SVMC_OK;
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(memory[0] + (at.v - BASE), src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    (void)ctx;
    if (memcmp(memory[0] + (at.v - BASE), expected, n) == 0)
        memcpy(memory[0] + (at.v - BASE), desired, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = { .size = sizeof ops,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = exchange };

/* ---- a case ---- */

static void store(uint64_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        memory[0][at - BASE + i] = (uint8_t)(value >> 8 * i);
}

static unsigned load(uint64_t at, unsigned bytes)
{
    unsigned value = 0;

    for (unsigned i = bytes; i > 0; i--)
        value = value << 8 | memory[0][at + i - 1 - BASE];
    return value;
}

/* A gate to something near the sound entries, with room for parameters. */
static uint64_t draw_gate(bool wide)
{
    const uint64_t to = draw(8) ? 1 + draw(6) : draw(ENTRIES + 2), at = CODE + draw(PAGE);
    const bool small = !wide && draw(4) == 0; /* of 16 bits: no more of its offset counts */

    return (at & 0xffff) | (to * 8 + draw(4)) << 16 | (uint64_t)draw(wide ? 1 : 32) << 32 |
           (uint64_t)(small ? 4 : 12) << 40 | (uint64_t)(draw(4) ? 3 : draw(4)) << 45 |
           (uint64_t)(draw(8) != 0) << 47 | (small ? 0 : at >> 16 << 48);
}

/* Stacks of the inner levels, 0 with a sound segment more often than not. 16 bits reach the memory
 * through one with a base. */
static void fill_task(bool wide, bool small)
{
    for (unsigned level = 0; level < 3; level++) {
        const uint64_t top = INNER - draw(64);
        const uint64_t to = level == 0 && draw(8) ? (small ? 7 : 2) : small ? 0 : draw(7);
        const uint64_t ss = to * 8 + (draw(4) ? level : draw(4));

        if (small)
            store(TSS + 2 + 4 * level, top, 2), store(TSS + 4 + 4 * level, ss, 2);
        else
            store(TSS + 4 + 8 * level, wide ? top : top | ss << 32, 8);
    }
}

/* Entries 1 to 7 are sound; the others say anything, a third of them are gates. */
static void fill_tables(bool wide)
{
    static const uint64_t sound[8] = { 0,
                                       0x00cf9b000000ffff,
                                       0x00cf93000000ffff,
                                       0x00cffb000000ffff,
                                       0x00cff3000000ffff,
                                       0x00af9b000000ffff,
                                       0x00affb000000ffff,
                                       0x00cf93010000ffff };

    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t v = harness_random(&seed) & 0x00ffffff0000ffff;

        v &= ~((v & (uint64_t)1 << 53) << 1);
        v |= (uint64_t)(draw(4) != 0) << 47 | (uint64_t)(draw(6) != 0) << 44;
        v &= ~((uint64_t)0xf << 16) | (draw(2) ? ~(uint64_t)0 : 0);
        if (draw(2))
            v = (v & ~((uint64_t)3 << 45)) | (uint64_t)(draw(2) * 3) << 45;
        if (v >> 43 & 1) /* code: all of its 4 GiB */
            v |= 0x008f00000000ffff;
        else
            v &= ~((uint64_t)1 << 53);
        if (wide && !(0x1a04 >> (v >> 40 & 15) & 1))
            v |= (uint64_t)1 << 44;
        if (draw(3) == 0)
            v = draw_gate(wide);
        else if (wide && i > 8 && draw(2)) /* the upper half of a gate */
            v = 0;
        store(GDT + 8 * i, i < 8 ? sound[i] : v, 8);
        store(LDT + 8 * i, harness_random(&seed) | (uint64_t)9 << 44, 8);
    }
}

static uint64_t draw_selector(void)
{
    unsigned index = draw(3) ? 1 + draw(6) : draw(ENTRIES + 2);

    if (index == 0)
        return 0;
    return index * 8 + (draw(3) ? (index == 3 || index == 4 || index == 6) * 3 : draw(4));
}

/* A pointer, a selector, or a frame, whatever reads it. */
static void fill_operand(uint64_t at, unsigned bytes, bool iret, unsigned skip)
{
    uint64_t ss, top = draw(8) ? CODE + draw(PAGE) : harness_random(&seed) & 0xffffffff;

    store(at, top, bytes);
    store(at + bytes, draw_selector(), bytes);
    if (iret)
        store(at + 2 * bytes, (harness_random(&seed) & 0x3d7fd7) | 2, bytes);
    store(at + (iret ? 3 : 2) * bytes + skip, STACK + draw(PAGE), bytes);
    ss = draw_selector();
    store(at + (iret ? 4 : 3) * bytes + skip, ss < 4 ? 0x10 : ss, bytes);
}

/* XS-12: the frame of a program in virtual-8086 mode. */
static void fill_virtual(uint64_t at)
{
    store(at, draw(0x10000), 4);
    store(at + 8, (harness_random(&seed) & 0x3c7fd7) | 0x20002, 4);
    for (unsigned i = 0; i < 7; i++)
        store(at + (i == 0 ? 4 : 8 + 4 * i), harness_random(&seed), 4);
}

/* 32-bit mode does not know the others. */
static const int general_ids[2][9] = {
    { UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX, UC_X86_REG_ESP,
      UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI, UC_X86_REG_EIP },
    { UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP,
      UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_RIP }
};

static const int segment_ids[6] = { UC_X86_REG_ES, UC_X86_REG_CS, UC_X86_REG_SS,
                                    UC_X86_REG_DS, UC_X86_REG_FS, UC_X86_REG_GS };

static void on_interrupt(uc_engine *uc, uint32_t number, void *ctx)
{
    (void)ctx;
    vector = (int)number;
    uc_emu_stop(uc);
}

static void describe(unsigned index, unsigned selector, struct svmc_exec_segment *s)
{
    *s = (struct svmc_exec_segment){ .limit = 0xffffffff, .selector = (uint16_t)selector };
    s->rights = index == 1 || index == 3 ? 0xc09b : index >= 5 ? 0xa09b : 0xc093;
    if (index == 3 || index == 4 || index == 6)
        s->rights |= 0x60;
}

/* Both sides at the instruction: theirs by an IRET that they execute. */
static void enter(uc_engine *uc, struct svmc_exec_x86 *regs, bool wide, bool user)
{
    const bool small = !wide && draw(4) == 0;
    const unsigned code = wide ? (user ? 6 : 5) : user ? 3 : 1, data = user ? 4 : 2;
    const uint64_t cs = code * 8 + (user ? 3 : 0), ss = data * 8 + (user ? 3 : 0);
    const uint64_t frame[5] = { CODE, cs, regs->rflags, STACK, ss };
    uc_x86_mmr gdt = { .base = GDT, .limit = ENTRIES * 8 - 1 };
    uc_x86_mmr task = { .base = TSS,
                        .limit = draw(16) ? 0x67 : draw(32),
                        .flags = small ? 0x8100 : 0x8900 };
    uint64_t value = 0x10;
    static const uint8_t iret[2] = { 0x48, 0xcf };

    fill_task(wide, small);
    regs->task = (struct svmc_exec_segment){ .base = TSS,
                                             .limit = task.limit,
                                             .rights = small ? 0x83 : 0x8b };
    for (unsigned i = 0; i < 5; i++)
        store(FRAME + i * (wide ? 8 : 4), frame[i], wide ? 8 : 4);
    memcpy(memory[0] + PAGE / 4 * 3, iret, 2);
    memcpy(memory[1], memory[0], sizeof memory[0]);
    must(uc_reg_write(uc, UC_X86_REG_GDTR, &gdt));
    must(uc_reg_write(uc, UC_X86_REG_TR, &task));
    for (unsigned i = 0; i < 6; i++)
        if (i != SVMC_SEG_CS)
            must(uc_reg_write(uc, segment_ids[i], &value));
    value = FRAME;
    must(uc_reg_write(uc, general_ids[wide][SVMC_REG_RSP], &value));
    value = CODE + PAGE / 4 * 3 + !wide;
    vector = -1;
    must(uc_emu_start(uc, value, 0, 0, 1));
    memcpy(memory[0], memory[1], sizeof memory[0]);
    for (unsigned i = 0; i < 6; i++)
        describe(i == SVMC_SEG_CS ? code : data, (unsigned)(i == SVMC_SEG_CS ? cs : ss),
                 &regs->segment[i]);
    value = ss;
    for (unsigned i = 0; i < 6; i++)
        if (i != SVMC_SEG_CS && i != SVMC_SEG_SS) {
            uint64_t selector = wide && i <= SVMC_SEG_DS ? 0 : user ? 0x23 : 0x10;

            must(uc_reg_write(uc, segment_ids[i], &selector));
            if (selector == 0)
                regs->segment[i] = (struct svmc_exec_segment){ .rights = SVMC_RIGHTS_UNUSABLE };
        }
    regs->general[SVMC_REG_RSP] = STACK;
    regs->cpl = user ? 3 : 0;
    for (unsigned i = 0; i < 8; i++)
        must(uc_reg_write(uc, general_ids[wide][i], &regs->general[i]));
}

/* far: a branch or a return, whose marks are ours alone. */
static bool is_same(uc_engine *uc, const struct svmc_exec_x86 *regs, bool fault, bool wide,
                    bool far)
{
    const uint64_t base = regs->segment[SVMC_SEG_CS].base; /* a hook is given linear addresses */
    uint64_t value = 0, flags = 0;
    bool same = true;

    for (unsigned i = 0; i < 8; i++) {
        value = 0;
        must(uc_reg_read(uc, general_ids[wide][i], &value));
        same = same && value == regs->general[i];
    }
    for (unsigned i = 0; i < 6; i++) {
        value = 0;
        must(uc_reg_read(uc, segment_ids[i], &value));
        if (i == SVMC_SEG_CS && (regs->segment[i].rights & 0xc) == 0xc) /* conforming */
            value = (value & 0xfffc) | regs->cpl;
        same = same && (uint16_t)value == regs->segment[i].selector;
    }
    value = 0;
    must(uc_reg_read(uc, general_ids[wide][8], &value));
    must(uc_reg_read(uc, UC_X86_REG_EFLAGS, &flags));
    same = same && (fault || value == regs->rip || value == regs->rip + base) &&
           ((flags ^ regs->rflags) & 0x267fd7) == 0;
    for (unsigned i = 0; i < ENTRIES; i++) { /* ours alone are marked */
        unsigned at = GDT - BASE + 8 * i + 5;

        if (far && (memory[0][at] ^ memory[1][at]) == 1)
            memory[1][at] |= 1;
    }
    return same && memcmp(memory[0], memory[1], sizeof memory[0]) == 0;
}

static void show(uc_engine *uc, const struct row *r, const struct svmc_exec_x86 *regs,
                 const struct svmc_exec_result *out, bool wide)
{
    uint64_t value = 0;

    if (failures++ >= SHOWN)
        return;
    printf("%02x %02x %02x, %s, action %u, vector %u error %x; theirs %d\n", r->bytes[0],
           r->bytes[1], r->bytes[2], wide ? "64" : "32", out->action, out->fault.vector,
           out->fault.error, vector);
    for (unsigned i = 0; i < 8; i++) {
        value = 0;
        must(uc_reg_read(uc, general_ids[wide][i], &value));
        if (value != regs->general[i])
            printf("  register %u: %" PRIx64 ", theirs %" PRIx64 "\n", i, regs->general[i], value);
    }
    for (unsigned i = 0; i < 6; i++) {
        value = 0;
        must(uc_reg_read(uc, segment_ids[i], &value));
        if ((uint16_t)value != regs->segment[i].selector)
            printf("  segment %u: %x, theirs %x\n", i, regs->segment[i].selector, (unsigned)value);
    }
    value = 0;
    must(uc_reg_read(uc, general_ids[wide][8], &value));
    printf("  rip %" PRIx64 ", theirs %" PRIx64, regs->rip, value);
    must(uc_reg_read(uc, UC_X86_REG_EFLAGS, &value));
    printf("; flags %" PRIx64 ", theirs %" PRIx64 "\n", regs->rflags, value);
    for (unsigned i = 0; i < sizeof memory[0]; i++)
        if (memory[0][i] != memory[1][i]) {
            printf("  memory at %x: %x, theirs %x\n", BASE + i, memory[0][i], memory[1][i]);
            break;
        }
}

static void run_case(uc_engine *uc, uc_context *clean, bool wide)
{
    const struct row *r = &rows[draw(ROWS)];
    const struct svmc_cpu cpu = { .isa = wide ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32,
                                  .vendor = SVMC_VENDOR_INTEL,
                                  .features = { ~(uint64_t)0, ~(uint64_t)0 } };
    struct svmc_exec_x86 regs = { .rflags = 2 | (harness_random(&seed) & 0x3ed5),
                                  .cr0 = 1,
                                  .efer = wide ? 0x500 : 0,
                                  .address_bits = wide ? 48 : 0,
                                  .vendor = SVMC_VENDOR_INTEL };
    struct svmc_exec_result out;
    struct svmc_insn insn;
    unsigned bytes = r->bytes[0] == 0x48 ? 8 : r->bytes[0] == 0x66 ? 2 : 4;
    uint64_t start = CODE + 8 * (uint64_t)(r - rows);
    bool user = draw(2), iret = r->bytes[0] == 0xcf || r->bytes[1] == 0xcf;
    const bool is_far = (r->bytes[0] & 0xf6) == 0xc2 || (r->bytes[1] & 0xfb) == 0xcb ||
                        r->bytes[0] == 0xff || r->bytes[1] == 0xff || r->bytes[0] == 0xcf;

    if (wide && r->bytes[1] == 0 && (r->bytes[2] == 0x13 || r->bytes[2] == 0x1b))
        return; /* LLDT, LTR */
    if ((r->legacy && wide) || (r->wide && !wide))
        return;
    must(uc_context_restore(uc, clean));
    fill_tables(wide);
    for (unsigned i = 0; i < 8; i++)
        regs.general[i] = harness_random(&seed) & (wide ? ~(uint64_t)0 : 0xffffffff);
    regs.general[SVMC_REG_RBX] = DATA;
    regs.gdt = (struct svmc_exec_table){ .base = GDT, .limit = ENTRIES * 8 - 1 };
    regs.local.rights = SVMC_RIGHTS_UNUSABLE;
    fill_operand(STACK, wide && (r->bytes[0] == 0x0f || r->bytes[0] == 0x9d) ? 8 : bytes, iret,
                 r->bytes[0] == 0xca ? 16 : 0);
    fill_operand(DATA, bytes, false, 0);
    if (r->bytes[0] == 0x8e || r->bytes[0] == 0x0f || r->bytes[0] == 0x63)
        if (r->bytes[1] != 0xb2 && r->bytes[1] != 0xb4 && r->bytes[1] != 0xb5)
            store(DATA, draw_selector() | (r->bytes[2] == 0x1b ? 8 : 0), 2);
    if (r->bytes[1] == 0x01)
        store(DATA + 6, 0, 4);
    if (r->bytes[0] <= 0x1f || r->bytes[1] == 0xa1 || r->bytes[1] == 0xa9)
        if (r->bytes[0] != 0x0f || r->bytes[1] >= 0xa1)
            store(STACK, draw_selector(), 4);
    if (iret && bytes == 4 && !wide && !user && draw(4) == 0)
        fill_virtual(STACK);
    regs.rip = start; /* code never changes: Unicorn keeps what it has translated */
    for (unsigned i = 0; i < ROWS; i++)
        memcpy(memory[0] + 8 * i, rows[i].bytes, sizeof rows[i].bytes);
    enter(uc, &regs, wide, user);
    if (!CHECK_EQ(svmc_insn_decode(&cpu, r->bytes, r->count, &insn), SVMC_OK) ||
        !CHECK_EQ(svmc_exec_x86_start(&record, &regs, &insn, &out), SVMC_OK))
        return;
    if (out.action == SVMC_EXEC_UNFINISHED) {
        left++;
        return;
    }
    vector = -1;
    (void)uc_emu_start(uc, start, 0, 0, 1); /* an exception is an error as well */
    if (is_far && vector == 11 && out.fault.vector == 12)
        vector = 12;
    if (is_far && r->bytes[r->count - 1] == 0x2b && out.fault.vector == 11 && vector == 13 &&
        (load(DATA + bytes, 2) & 0xfffc) != out.fault.error)
        vector = 11; /* JMP, code behind a gate that is not present */
    done++;
    faults += out.action == SVMC_EXEC_FAULT;
    if ((out.action == SVMC_EXEC_FAULT ? vector != out.fault.vector : vector != -1) ||
        !is_same(uc, &regs, out.action == SVMC_EXEC_FAULT, wide, is_far))
        show(uc, r, &regs, &out, wide);
}

TEST(exec_system, does_what_unicorn_does)
{
    const char *env = getenv("SVMC_COUNT");
    uint64_t count = env ? strtoull(env, NULL, 0) : 100000;
    uc_engine *uc[2];
    uc_context *clean[2];
    uc_hook hook;

    seed = harness_seed();
    REQUIRE(svmc_exec_init(&record, &ops, NULL) == SVMC_OK);
    for (unsigned i = 0; i < 2; i++) {
        must(uc_open(UC_ARCH_X86, i ? UC_MODE_64 : UC_MODE_32, &uc[i]));
        must(uc_mem_map_ptr(uc[i], BASE, sizeof memory[1], UC_PROT_ALL, memory[1]));
        must(uc_hook_add(uc[i], &hook, UC_HOOK_INTR, (void *)on_interrupt, NULL, 1, 0));
        must(uc_context_alloc(uc[i], &clean[i]));
        must(uc_context_save(uc[i], clean[i]));
    }
    for (uint64_t i = 0; i < count; i++)
        run_case(uc[i & 1], clean[i & 1], i & 1);
    for (unsigned i = 0; i < 2; i++) {
        uc_context_free(clean[i]);
        uc_close(uc[i]);
    }
    printf("%" PRIu64 " cases, %" PRIu64 " faults, %" PRIu64 " left to others\n", done, faults,
           left);
    CHECK_EQ(failures, 0);
    CHECK(done > count / 2 && faults < done);
}
