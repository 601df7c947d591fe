/* SPDX-License-Identifier: MIT */
/* x86: segments, far branches, flags, tables, rule by rule: docs/spec/exec_system.md. */
#include "exec_lab.h"

#define DATA  (LAB_LINEAR + 0x100)
#define STACK (LAB_LINEAR + 0x3800)
#define GDT   (LAB_LINEAR + 0x2000)
#define LDT   (LAB_LINEAR + 0x2400)

/* Entries of the GDT, at 8 times their number: SDM vol. 3 figure 3-8, by hand. */
static const uint64_t entries[] = {
    0,
    0x00cf9b000000ffff, /* 08: code, 32 bits, DPL 0 */
    0x00cf93000000ffff, /* 10: data, DPL 0 */
    0x00cffb000000ffff, /* 18: code, 32 bits, DPL 3 */
    0x00cff3000000ffff, /* 20: data, DPL 3 */
    0x00af9b000000ffff, /* 28: code, 64 bits, DPL 0 */
    0x00affb000000ffff, /* 30: code, 64 bits, DPL 3 */
    0x12409234567807ff, /* 38: data, DPL 0, base 12345678, limit 7ff, not accessed */
    0x0040130000000fff, /* 40: data, not present */
    0x00cf990000000fff, /* 48: code that cannot be read */
    0x00cf9f000000ffff, /* 50: code, conforming, DPL 0 */
    0x0000e9001000006f, /* 58: TSS, DPL 3, free */
    0x0000000000000000, /* 60: upper half of it */
    0x0000820024000027, /* 68: LDT */
    0x00000000ffff8000, /* 70: upper half of it */
    0x00008c0000080000, /* 78: call gate: test_gate.c */
    0x00ef9b000000ffff, /* 80: code with L and D */
};

static struct exec_lab lab;

static void open_in(unsigned isa)
{
    exec_lab_open(&lab, isa);
    lab.regs.general[SVMC_REG_RBX] = DATA;
    lab.regs.gdt = (struct svmc_exec_table){ .base = GDT, .limit = sizeof entries - 1 };
    lab.regs.efer = isa == SVMC_ISA_X86_64 ? 0x500 : 0;
    lab.regs.segment[SVMC_SEG_CS].selector = isa == SVMC_ISA_X86_64 ? 0x28 : 0x08;
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++)
        exec_lab_store(&lab, GDT + 8 * i, 8, entries[i]);
}

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void check_fault(unsigned vector, uint32_t error)
{
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, vector);
    CHECK_EQ(lab.out.fault.error, error);
    CHECK_EQ(lab.regs.rip, 0x1000);
}

static void push(unsigned bytes, const uint64_t *value, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        exec_lab_store(&lab, STACK + i * bytes, bytes, value[i]);
    lab.regs.general[SVMC_REG_RSP] = STACK;
}

TEST(exec_system, a_segment_is_loaded_with_its_checks) /* XS-1 XS-2 XS-3 XS-4 */
{
    static const struct {
        uint16_t selector;
        uint8_t cpl, vector;
        uint16_t error;
    } rows[] = {
        { 0x38, 0, 0, 0 },     { 0x10, 0, 0, 0 },     { 0x20, 3, 0, 0 },
        { 0x23, 0, 0, 0 },     { 0x08, 0, 0, 0 },     /* code that can be read */
        { 0x50, 3, 0, 0 },                            /* conforming */
        { 0x38, 3, 13, 0x38 }, { 0x13, 0, 13, 0x10 }, /* CPL, RPL */
        { 0x40, 0, 11, 0x40 }, { 0x48, 0, 13, 0x48 }, { 0x58, 0, 13, 0x58 },
        { 0x88, 0, 13, 0x88 }, { 0x0c, 0, 13, 0x0c }, /* outside; there is no LDT */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_in(SVMC_ISA_X86_32);
        lab.regs.local.rights = SVMC_RIGHTS_UNUSABLE;
        lab.regs.cpl = rows[i].cpl;
        lab.supervisor[2] = true; /* the GDT */
        exec_lab_store(&lab, DATA, 2, rows[i].selector);
        CHECK_EQ(RUN(0x8e, 0x23), SVMC_OK); /* MOV FS, [EBX] */
        if (rows[i].vector != 0) {
            check_fault(rows[i].vector, rows[i].error);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%x", rows[i].selector);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_FS].selector, rows[i].selector);
        CHECK(lab.last_access & SVMC_EXEC_SYSTEM, "%x", rows[i].selector);
        CHECK(!(lab.last_access & SVMC_EXEC_USER), "%x", rows[i].selector);
        CHECK_EQ(exec_lab_load(&lab, GDT + (rows[i].selector & 0xf8) + 5, 1) & 1, 1);
    }
    open_in(SVMC_ISA_X86_32);
    exec_lab_store(&lab, DATA, 2, 0x38);
    CHECK_EQ(RUN(0x8e, 0x23), SVMC_OK);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_FS].base, 0x12345678);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_FS].limit, 0x7ff);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_FS].rights, 0x4093);
    CHECK_EQ(lab.log[lab.logged - 1].kind, SVMC_EXEC_EXCHANGE);
    CHECK_EQ(lab.logged, 3); /* a second load has nothing to mark */
    CHECK_EQ(RUN(0x8e, 0x23), SVMC_OK);
    CHECK_EQ(lab.logged, 5);
}

TEST(exec_system, a_null_selector_empties_it) /* XS-4 */
{
    for (uint8_t vendor = SVMC_VENDOR_AMD; vendor <= SVMC_VENDOR_INTEL; vendor++) {
        open_in(SVMC_ISA_X86_64);
        lab.regs.vendor = vendor;
        lab.regs.segment[SVMC_SEG_GS].base = 0x1234;
        exec_lab_store(&lab, STACK, 8, 3);
        CHECK_EQ(RUN(0x0f, 0xa9), SVMC_OK); /* POP GS */
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_GS].selector, 3);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_GS].rights, SVMC_RIGHTS_UNUSABLE);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_GS].base, vendor == SVMC_VENDOR_AMD ? 0x1234 : 0);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK + 8);
    }
}

TEST(exec_system, ss_casts_a_shadow_and_has_rules_of_its_own) /* XS-4 XS-8 */
{
    static const struct {
        uint16_t selector;
        uint8_t vector;
    } rows[] = { { 0x10, 0 },  { 0x38, 0 },  { 0x13, 13 }, { 0x20, 13 },
                 { 0x08, 13 }, { 0x40, 12 }, { 0, 13 },    { 0x48, 13 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_in(SVMC_ISA_X86_32);
        lab.regs.rflags |= 0x100; /* TF */
        if (rows[i].selector == 0x40)
            exec_lab_store(&lab, GDT + 0x45, 1, 0x13);
        exec_lab_store(&lab, DATA, 2, rows[i].selector);
        CHECK_EQ(RUN(0x8e, 0x13), SVMC_OK); /* MOV SS, [EBX] */
        if (rows[i].vector != 0) {
            check_fault(rows[i].vector, rows[i].selector & 0xfffc);
            CHECK_EQ(lab.regs.shadow, 0);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.out.trap, 0);
        CHECK_EQ(lab.regs.shadow, SVMC_STATE_SHADOW_SS);
    }
    open_in(SVMC_ISA_X86_32); /* LSS ESP, [EBX] */
    exec_lab_store(&lab, DATA, 6, 0x0010aabbccdd);
    CHECK_EQ(RUN(0x0f, 0xb2, 0x23), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0xaabbccdd);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0x10);
    CHECK_EQ(lab.regs.shadow, 0);
}

TEST(exec_system, real_and_virtual_8086_mode_have_no_descriptors) /* XS-4 XS-5 XS-7 */
{
    for (unsigned v86 = 0; v86 < 2; v86++) {
        open_in(SVMC_ISA_X86_16);
        lab.regs.cr0 = v86;
        lab.regs.rflags |= v86 ? 0x23000 : 0;
        lab.regs.cpl = v86 ? 3 : 0;
        for (unsigned i = 0; i < 6; i++) {
            lab.regs.segment[i].base = LAB_LINEAR;
            lab.regs.segment[i].limit = 0xffff;
        }
        lab.regs.general[SVMC_REG_RBX] = 0x100;
        lab.regs.general[SVMC_REG_RSP] = 0x3800;
        exec_lab_store(&lab, DATA, 4, 0xabcd1234);
        CHECK_EQ(RUN(0xc4, 0x0f), SVMC_OK); /* LES CX, [BX] */
        CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 0x1234);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_ES].base, 0xabcd0);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_ES].limit, 0xffff);
        CHECK_EQ(RUN(0x0f, 0x00, 0x27), SVMC_OK); /* VERR [BX] */
        CHECK_EQ(lab.out.fault.vector, 6);
        lab.regs.segment[SVMC_SEG_CS].selector = 0x77;
        CHECK_EQ(RUN(0xff, 0x1f), SVMC_OK); /* CALL FAR [BX] */
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.regs.rip, 0x1234);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].base, 0xabcd0);
        CHECK_EQ(exec_lab_load(&lab, STACK - 4, 4), 0x771004);
        lab.regs.rip = 0x1000;
        exec_lab_store(&lab, STACK - 4, 6, 0x0ed722223333);
        CHECK_EQ(RUN(0xcf), SVMC_OK); /* IRET */
        CHECK_EQ(lab.regs.rip, 0x3333);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].base, 0x22220);
        CHECK_EQ(lab.regs.rflags, v86 ? 0x23ed7 : 0xed7);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0x3802);
    }
}

TEST(exec_system, a_far_branch_checks_where_it_goes) /* XS-7 */
{
    static const struct {
        uint16_t selector;
        uint8_t isa, cpl, vector; /* 0: done; 255: UNFINISHED */
        uint16_t error;
    } rows[] = { { 0x08, SVMC_ISA_X86_32, 0, 0, 0 },     { 0x1b, SVMC_ISA_X86_32, 3, 0, 0 },
                 { 0x50, SVMC_ISA_X86_32, 3, 0, 0 },     { 0x08, SVMC_ISA_X86_32, 3, 13, 0x08 },
                 { 0x0b, SVMC_ISA_X86_32, 0, 13, 0x08 }, { 0x18, SVMC_ISA_X86_32, 0, 13, 0x18 },
                 { 0x10, SVMC_ISA_X86_32, 0, 13, 0x10 }, { 0, SVMC_ISA_X86_32, 0, 13, 0 },
                 { 0x58, SVMC_ISA_X86_32, 0, 255, 0 },   { 0x58, SVMC_ISA_X86_64, 0, 13, 0x58 },
                 { 0x28, SVMC_ISA_X86_64, 0, 0, 0 },     { 0x08, SVMC_ISA_X86_64, 0, 0, 0 },
                 { 0x80, SVMC_ISA_X86_64, 0, 13, 0x80 }, { 0x100, SVMC_ISA_X86_32, 0, 13, 0x100 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned call = 0; call < 2; call++) {
            const uint8_t code[2] = { 0xff, call ? 0x1b : 0x2b };
            uint16_t old;

            open_in(rows[i].isa);
            lab.regs.cpl = rows[i].cpl;
            old = lab.regs.segment[SVMC_SEG_CS].selector;
            exec_lab_store(&lab, DATA, 6, (uint64_t)rows[i].selector << 32 | 0x12345678);
            CHECK_EQ(exec_lab_run(&lab, code, 2), SVMC_OK);
            if (rows[i].vector == 255) {
                CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED, "%x", rows[i].selector);
                continue;
            }
            if (rows[i].vector != 0) {
                check_fault(rows[i].vector, rows[i].error);
                continue;
            }
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%x", rows[i].selector);
            CHECK_EQ(lab.regs.rip, 0x12345678);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector,
                     (rows[i].selector & 0xfc) | rows[i].cpl);
            CHECK_EQ(lab.regs.cpl, rows[i].cpl);
            CHECK_EQ(lab.regs.address_bits, rows[i].selector == 0x28 ? 48 : 0);
            if (call) {
                CHECK_EQ(exec_lab_load(&lab, STACK - 8, 8), 0x1002 | (uint64_t)old << 32);
                CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK - 8);
            }
        }
    open_in(SVMC_ISA_X86_32);
    exec_lab_store(&lab, GDT + 8, 8, 0x00409b0000000fff);
    exec_lab_store(&lab, DATA, 6, 0x0800001000);
    CHECK_EQ(RUN(0xff, 0x2b), SVMC_OK);
    check_fault(13, 0); /* beyond the limit */
}

TEST(exec_system, a_far_return_goes_out_and_never_in) /* XS-7 */
{
    const uint64_t same[2] = { 0x2000, 0x08 }, in[2] = { 0x2000, 0x08 };
    const uint64_t out[5] = { 0x2000, 0x1b, 0, 0x9000, 0x23 };

    open_in(SVMC_ISA_X86_32);
    push(4, same, 2);
    CHECK_EQ(RUN(0xca, 0x10, 0x00), SVMC_OK); /* RETF 16 */
    CHECK_EQ(lab.regs.rip, 0x2000);
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK + 8 + 16);
    open_in(SVMC_ISA_X86_32);
    lab.regs.cpl = 3;
    push(4, in, 2);
    CHECK_EQ(RUN(0xcb), SVMC_OK);
    check_fault(13, 0x08);
    open_in(SVMC_ISA_X86_32);
    push(4, out, 5);
    lab.regs.segment[SVMC_SEG_DS].rights = 0xc093; /* DPL 0 */
    lab.regs.segment[SVMC_SEG_ES].rights = 0xc0f3;
    CHECK_EQ(RUN(0xca, 0x04, 0x00), SVMC_OK); /* RETF 4: over the third number */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.cpl, 3);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0x23);
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0x9004);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_DS].rights, SVMC_RIGHTS_UNUSABLE);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_ES].rights, 0xc0f3);
    open_in(SVMC_ISA_X86_32);
    push(4, out, 5);
    exec_lab_store(&lab, STACK + 16, 4, 0x20); /* RPL 0 */
    CHECK_EQ(RUN(0xca, 0x04, 0x00), SVMC_OK);
    check_fault(13, 0x20);
    CHECK_EQ(lab.regs.cpl, 0);
}

TEST(exec_system, iret_takes_flags_and_in_64_bit_mode_the_stack) /* XS-7 XS-8 */
{
    const uint64_t user[5] = { 0x7fff00001000, 0x33, 0x10ad7, 0x7fff00002000, 0x23 };
    uint64_t frame[5] = { 0x2000, 0x28, 0x302, 0x9000, 0 };

    open_in(SVMC_ISA_X86_64);
    push(8, user, 5);
    CHECK_EQ(RUN(0x48, 0xcf), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.rip, user[0]);
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], user[3]);
    CHECK_EQ(lab.regs.cpl, 3);
    CHECK_EQ(lab.regs.rflags, 0x10ad7); /* RF as well */
    open_in(SVMC_ISA_X86_64);
    push(8, frame, 5); /* SS null at CPL 0 */
    CHECK_EQ(RUN(0x48, 0xcf), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0);
    CHECK_EQ(lab.out.trap, 0); /* TF was not set before */
    frame[0] = 0x0000800000000000;
    open_in(SVMC_ISA_X86_64);
    push(8, frame, 5);
    CHECK_EQ(RUN(0x48, 0xcf), SVMC_OK);
    check_fault(13, 0);
    open_in(SVMC_ISA_X86_64);
    lab.regs.rflags |= 0x4000; /* NT */
    push(8, user, 5);
    CHECK_EQ(RUN(0x48, 0xcf), SVMC_OK);
    check_fault(13, 0);
    open_in(SVMC_ISA_X86_32);
    lab.regs.rflags |= 0x4000;
    CHECK_EQ(RUN(0xcf), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
}

TEST(exec_system, flags_change_as_far_as_the_level_may) /* XS-8 */
{
    static const struct {
        uint8_t isa, cpl, bytes;
        uint64_t before, popped, after;
    } rows[] = {
        { SVMC_ISA_X86_64, 0, 8, 0x2, 0x3f7fd7, 0x247fd7 },
        { SVMC_ISA_X86_64, 3, 8, 0x2, 0x3f7fd7, 0x244dd7 },
        { SVMC_ISA_X86_64, 3, 8, 0x3002, 0x3f4fd7, 0x247fd7 },
        { SVMC_ISA_X86_64, 0, 8, 0x1b0202, 0, 0x1a0002 },
        { SVMC_ISA_X86_32, 0, 4, 0x2, 0x7fd7, 0x7fd7 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_in(rows[i].isa);
        lab.regs.cpl = rows[i].cpl;
        lab.regs.rflags = rows[i].before & ~(uint64_t)0x20000;
        push(rows[i].bytes, &rows[i].popped, 1);
        CHECK_EQ(RUN(0x9d), SVMC_OK); /* POPF */
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.regs.rflags, rows[i].after & ~(uint64_t)0x20000, "row %u", i);
        CHECK_EQ(lab.out.trap, 0);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK + rows[i].bytes);
    }
    open_in(SVMC_ISA_X86_64);
    lab.regs.rflags = 0x10246;
    CHECK_EQ(RUN(0x9c), SVMC_OK); /* PUSHF */
    CHECK_EQ(exec_lab_load(&lab, STACK - 8, 8), 0x246);
    open_in(SVMC_ISA_X86_64);
    lab.regs.rflags = 0x102;
    push(8, &rows[3].popped, 1);
    CHECK_EQ(RUN(0x9d), SVMC_OK);
    CHECK_EQ(lab.out.trap, 1); /* TF was set before */
}

TEST(exec_system, virtual_8086_mode_has_vif_for_if) /* XS-8 */
{
    for (unsigned vme = 0; vme < 2; vme++) {
        const uint64_t value = 0x0202;

        open_in(SVMC_ISA_X86_16);
        for (unsigned i = 0; i < 6; i++)
            lab.regs.segment[i].base = LAB_LINEAR;
        lab.regs.cpl = 3;
        lab.regs.cr4 = vme;
        lab.regs.rflags = 0x20202; /* VM, IOPL 0, IF */
        lab.regs.general[SVMC_REG_RSP] = 0x3800;
        CHECK_EQ(RUN(0x9c), SVMC_OK); /* PUSHF */
        if (!vme) {
            check_fault(13, 0);
            CHECK_EQ(RUN(0xcf), SVMC_OK);
            check_fault(13, 0);
            continue;
        }
        CHECK_EQ(exec_lab_load(&lab, STACK - 2, 2), 0x3002);
        lab.regs.rip = 0x1000;
        exec_lab_store(&lab, STACK - 2, 2, value);
        CHECK_EQ(RUN(0x9d), SVMC_OK); /* POPF */
        CHECK_EQ(lab.regs.rflags, 0xa0202);
        lab.regs.rip = 0x1000;
        lab.regs.rflags |= 0x100000; /* VIP: an interrupt waits */
        CHECK_EQ(RUN(0x9d), SVMC_OK);
        exec_lab_store(&lab, STACK, 2, value);
        CHECK_EQ(lab.regs.rip, 0x1001);
        lab.regs.rip = 0x1000;
        CHECK_EQ(RUN(0x9d), SVMC_OK);
        lab.regs.rip = 0x1000;
    }
}

TEST(exec_system, tables_are_stored_and_loaded) /* XS-6 */
{
    open_in(SVMC_ISA_X86_64);
    lab.regs.idt = (struct svmc_exec_table){ .base = 0xffff800000123456, .limit = 0xfff };
    CHECK_EQ(RUN(0x0f, 0x01, 0x0b), SVMC_OK); /* SIDT [RBX] */
    CHECK_EQ(exec_lab_load(&lab, DATA, 2), 0xfff);
    CHECK_EQ(exec_lab_load(&lab, DATA + 2, 8), 0xffff800000123456);
    CHECK_EQ(RUN(0x0f, 0x01, 0x13), SVMC_OK); /* LGDT [RBX] */
    CHECK_EQ(lab.regs.gdt.base, 0xffff800000123456);
    CHECK_EQ(lab.regs.gdt.limit, 0xfff);
    exec_lab_store(&lab, DATA + 2, 8, 0x0000800000000000);
    lab.regs.rip = 0x1000;
    CHECK_EQ(RUN(0x0f, 0x01, 0x1b), SVMC_OK); /* LIDT [RBX] */
    check_fault(13, 0);
    open_in(SVMC_ISA_X86_32);
    exec_lab_store(&lab, DATA, 8, 0x77aabbccddee1234);
    CHECK_EQ(RUN(0x66, 0x0f, 0x01, 0x1b), SVMC_OK); /* LIDT with 16 bits: 24 of the base */
    CHECK_EQ(lab.regs.idt.base, 0xccddee);
    CHECK_EQ(RUN(0x0f, 0x01, 0x1b), SVMC_OK);
    CHECK_EQ(lab.regs.idt.base, 0xbbccddee);
    CHECK_EQ(RUN(0x66, 0x0f, 0x01, 0x0b), SVMC_OK); /* SIDT writes all of it, and no more */
    CHECK_EQ(exec_lab_load(&lab, DATA, 8), 0x77aabbccddee1234);
    open_in(SVMC_ISA_X86_16); /* as a boot sector has it */
    lab.regs.cr0 = 0;
    lab.regs.segment[SVMC_SEG_DS].base = LAB_LINEAR;
    lab.regs.general[SVMC_REG_RBX] = 0x100;
    exec_lab_store(&lab, DATA, 8, 0x77aabbccddee1234);
    CHECK_EQ(RUN(0x0f, 0x01, 0x17), SVMC_OK); /* LGDT [BX] */
    CHECK_EQ(lab.regs.gdt.base, 0xccddee);
    CHECK_EQ(RUN(0x66, 0x0f, 0x01, 0x17), SVMC_OK);
    CHECK_EQ(lab.regs.gdt.base, 0xbbccddee);
}

TEST(exec_system, words_of_the_machine) /* XS-6 */
{
    open_in(SVMC_ISA_X86_32);
    lab.regs.local.selector = 0x68;
    lab.regs.task.selector = 0x58;
    CHECK_EQ(RUN(0x0f, 0x00, 0x03), SVMC_OK); /* SLDT [EBX] */
    CHECK_EQ(exec_lab_load(&lab, DATA, 2), 0x68);
    CHECK_EQ(RUN(0x0f, 0x00, 0x0b), SVMC_OK); /* STR */
    CHECK_EQ(exec_lab_load(&lab, DATA, 2), 0x58);
    lab.regs.cr0 = 0x8005003b;
    CHECK_EQ(RUN(0x0f, 0x01, 0x23), SVMC_OK); /* SMSW */
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), 0x003b);
    exec_lab_store(&lab, DATA, 2, 0xfff4);
    CHECK_EQ(RUN(0x0f, 0x01, 0x33), SVMC_OK); /* LMSW: PE stays */
    CHECK_EQ(lab.regs.cr0, 0x80050035);
    lab.regs.cr0 = 0;
    lab.regs.rip = 0x1000;
    CHECK_EQ(RUN(0x0f, 0x00, 0x03), SVMC_OK);
    check_fault(6, 0);
}

TEST(exec_system, ldtr_and_tr_have_long_entries) /* XS-3 XS-5 */
{
    open_in(SVMC_ISA_X86_64);
    exec_lab_store(&lab, DATA, 2, 0x68);
    CHECK_EQ(RUN(0x0f, 0x00, 0x13), SVMC_OK); /* LLDT [RBX] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.local.base, 0xffff800000002400);
    CHECK_EQ(lab.regs.local.limit, 0x27);
    exec_lab_store(&lab, DATA, 2, 0x58);
    CHECK_EQ(RUN(0x0f, 0x00, 0x1b), SVMC_OK); /* LTR */
    CHECK_EQ(lab.regs.task.base, 0x1000);
    CHECK_EQ(exec_lab_load(&lab, GDT + 0x5d, 1), 0xeb);
    lab.regs.rip = 0x1000;
    CHECK_EQ(RUN(0x0f, 0x00, 0x1b), SVMC_OK); /* it is busy */
    check_fault(13, 0x58);
    exec_lab_store(&lab, DATA, 2, 0);
    CHECK_EQ(RUN(0x0f, 0x00, 0x1b), SVMC_OK);
    check_fault(13, 0);
    CHECK_EQ(RUN(0x0f, 0x00, 0x13), SVMC_OK); /* LLDT of null: there is none */
    CHECK_EQ(lab.regs.local.rights, SVMC_RIGHTS_UNUSABLE);
}

TEST(exec_system, what_is_asked_of_a_selector) /* XS-5 */
{
    static const struct {
        uint16_t selector;
        uint8_t cpl;
        bool read, write, rights, limit;
    } rows[] = { { 0x10, 0, true, true, true, true },     { 0x10, 3, false, false, false, false },
                 { 0x08, 0, true, false, true, true },    { 0x48, 0, false, false, true, true },
                 { 0x50, 3, true, false, true, true },    { 0x58, 3, false, false, true, true },
                 { 0x78, 0, false, false, true, false },  { 0, 0, false, false, false, false },
                 { 0xf0, 0, false, false, false, false }, { 0x13, 0, false, false, false, false } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const bool want[4] = { rows[i].rights, rows[i].limit, rows[i].read, rows[i].write };
        static const uint8_t codes[4][3] = {
            { 0x0f, 0x02, 0x0b }, { 0x0f, 0x03, 0x0b }, { 0x0f, 0x00, 0x23 }, { 0x0f, 0x00, 0x2b }
        }; /* LAR, LSL, VERR, VERW */

        for (unsigned n = 0; n < 4; n++) {
            open_in(SVMC_ISA_X86_32);
            lab.regs.cpl = rows[i].cpl;
            lab.regs.rflags = want[n] ? 2 : 0x42;
            lab.regs.general[SVMC_REG_RCX] = 0x55;
            exec_lab_store(&lab, DATA, 2, rows[i].selector);
            CHECK_EQ(exec_lab_run(&lab, codes[n], 3), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
            CHECK_EQ(lab.regs.rflags, want[n] ? 0x42 : 2, "%x, %u", rows[i].selector, n);
            if (!want[n] || n > 1)
                CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 0x55);
        }
    }
    open_in(SVMC_ISA_X86_32);
    exec_lab_store(&lab, DATA, 2, 0x38);
    CHECK_EQ(RUN(0x0f, 0x02, 0x0b), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 0x409200);
    CHECK_EQ(RUN(0x0f, 0x03, 0x0b), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 0x7ff);
}

static unsigned forgotten, forgotten_pcid, forgotten_calls;
static uint64_t forgotten_at;

static enum svmc_status forget(void *ctx, uint32_t what, uint32_t pcid, svmc_gva at)
{
    (void)ctx;
    forgotten = what;
    forgotten_pcid = pcid;
    forgotten_at = at.v;
    return forgotten_calls++ == 0 ? SVMC_ERR_BUSY : SVMC_OK;
}

TEST(exec_system, translations_are_the_hosts_to_forget) /* XS-9 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_in(SVMC_ISA_X86_64);
    CHECK_EQ(RUN(0x0f, 0x01, 0x3b), SVMC_OK); /* INVLPG [RBX] */
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_CALLBACK);
    ops.forget = forget;
    lab.x.priv.ops = &ops;
    forgotten_calls = 0;
    CHECK_EQ(RUN(0x0f, 0x01, 0x3b), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(svmc_exec_answer(&lab.x, NULL, 0), SVMC_OK);
    CHECK_EQ(svmc_exec_x86_resume(&lab.x, &lab.regs, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(forgotten_calls, 1);
    CHECK_EQ(forgotten, SVMC_EXEC_FORGET_PAGE);
    CHECK_EQ(forgotten_at, DATA);
    lab.regs.general[SVMC_REG_RBX] = 0x0000800000000000;
    CHECK_EQ(RUN(0x0f, 0x01, 0x3b), SVMC_OK); /* nothing */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(forgotten_calls, 1);
    for (unsigned type = 0; type < 5; type++)
        for (unsigned fault = 0; fault < 4; fault++) {
            bool bad =
                type == 4 || fault == 1 || (fault == 2 && type < 2) || (fault == 3 && type == 0);

            lab.regs.rip = 0x1000;
            lab.regs.general[SVMC_REG_RBX] = DATA;
            lab.regs.general[SVMC_REG_RCX] = type;
            lab.regs.cr4 = fault == 2 ? 0 : 0x20000;
            exec_lab_store(&lab, DATA, 8, fault == 1 ? 0x1005 : 5);
            exec_lab_store(&lab, DATA + 8, 8, fault == 3 ? 0x0000800000000000 : 0x7000);
            CHECK_EQ(RUN(0x66, 0x0f, 0x38, 0x82, 0x0b), SVMC_OK); /* INVPCID RCX, [RBX] */
            if (bad) {
                check_fault(13, 0);
                continue;
            }
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
            CHECK_EQ(forgotten, SVMC_EXEC_FORGET_ADDRESS + type);
            CHECK_EQ(forgotten_pcid, 5);
            CHECK_EQ(forgotten_at, type == 0 ? 0x7000 : 0);
        }
}

TEST(exec_system, old_instructions_of_many_registers) /* XS-10 */
{
    open_in(SVMC_ISA_X86_32);
    for (unsigned i = 0; i < 8; i++)
        if (i != SVMC_REG_RSP)
            lab.regs.general[i] = 0x1111 * (i + 1);
    CHECK_EQ(RUN(0x60), SVMC_OK); /* PUSHA */
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK - 32);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(exec_lab_load(&lab, STACK - 4 - 4 * i, 4),
                 i == SVMC_REG_RSP ? STACK : 0x1111 * (i + 1));
    memset(lab.regs.general, 0, 8 * sizeof lab.regs.general[0]);
    lab.regs.general[SVMC_REG_RSP] = STACK - 32;
    CHECK_EQ(RUN(0x61), SVMC_OK); /* POPA */
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(lab.regs.general[i], i == SVMC_REG_RSP ? STACK : 0x1111 * (i + 1));
    open_in(SVMC_ISA_X86_32);
    exec_lab_store(&lab, DATA, 8, 0x00000005fffffffe);
    for (unsigned i = 0; i < 10; i++) {
        lab.regs.rip = 0x1000;
        lab.regs.general[SVMC_REG_RCX] = (uint32_t)(i - 3);
        CHECK_EQ(RUN(0x62, 0x0b), SVMC_OK); /* BOUND ECX, [EBX]: -2 to 5 */
        if (i < 1 || i > 8)
            check_fault(5, 0);
        else
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", i);
    }
    for (unsigned i = 0; i < 16; i++) { /* ARPL [EBX], CX */
        lab.logged = 0;
        lab.regs.general[SVMC_REG_RCX] = i & 3;
        exec_lab_store(&lab, DATA, 2, 0x70 | i >> 2);
        CHECK_EQ(RUN(0x63, 0x0b), SVMC_OK);
        CHECK_EQ(lab.regs.rflags >> 6 & 1, (i >> 2) < (i & 3));
        CHECK_EQ(exec_lab_load(&lab, DATA, 2), 0x70 | ((i >> 2) < (i & 3) ? i & 3 : i >> 2));
        CHECK_EQ(lab.logged, (i >> 2) < (i & 3) ? 2 : 1);
    }
}

TEST(exec_system, nothing_changes_where_a_callback_fails) /* XS-3 XE-7 */
{
    const uint64_t user[5] = { 0x7fff00001000, 0x33, 0x202, 0x7fff00002000, 0x23 };
    static const uint8_t codes[][4] = { { 0x48, 0xcf }, { 0x48, 0xcb },       { 0xff, 0x1b },
                                        { 0x8e, 0x23 }, { 0x0f, 0x00, 0x1b }, { 0x9d } };
    static const uint8_t counts[] = { 2, 2, 2, 2, 3, 1 };
    struct svmc_exec_x86 before;

    for (unsigned i = 0; i < sizeof counts; i++)
        for (unsigned mode = LAB_FAIL; mode <= LAB_BUSY; mode++)
            for (unsigned k = 1; k < 20; k++) {
                open_in(SVMC_ISA_X86_64);
                exec_lab_store(&lab, GDT + 0x35, 1, 0xfa); /* not accessed yet */
                exec_lab_store(&lab, GDT + 0x25, 1, 0xf2);
                push(8, user, 5);
                if (i == 1)
                    exec_lab_store(&lab, STACK + 16, 8, user[3]);
                if (i == 1)
                    exec_lab_store(&lab, STACK + 24, 8, user[4]);
                exec_lab_store(&lab, DATA, 8, i == 2 ? 0x2800002000 : i == 4 ? 0x58 : 0x38);
                before = lab.regs;
                lab.mode = (enum exec_lab_mode)mode;
                lab.fail_at = k;
                if (exec_lab_run(&lab, codes[i], counts[i]) == SVMC_OK && mode == LAB_FAIL) {
                    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", i);
                    CHECK(lab.calls < k, "%u, call %u", i, k);
                    break;
                }
                CHECK(memcmp(&before, &lab.regs, sizeof before) == 0 ||
                          lab.out.action == SVMC_EXEC_DONE,
                      "%u, call %u", i, k);
                if (mode == LAB_FAIL)
                    continue;
                CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK);
                CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u, call %u", i, k);
            }
}
