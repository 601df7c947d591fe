/* SPDX-License-Identifier: MIT */
/* x86: call gates, IRET to virtual-8086 mode: exec_system.md in docs/spec. ENTER: exec.md. */
#include "exec_lab.h"

#define DATA  (LAB_LINEAR + 0x100)
#define INNER (LAB_LINEAR + 0x1800) /* stacks of inner levels, from here down */
#define GDT   (LAB_LINEAR + 0x2000)
#define TSS   (LAB_LINEAR + 0x2800)
#define STACK (LAB_LINEAR + 0x3800)

#define OUTER  3u
#define DONE   0u
#define TASK   255u
#define NOCODE 0x12345678u

/* Entries of the GDT, at 8 times their number: SDM vol. 3 figure 3-8, by hand. */
static const uint64_t entries[] = {
    0,
    0x00cf9b000000ffff, /* 08: code, 32 bits, DPL 0 */
    0x00cf93000000ffff, /* 10: data, DPL 0 */
    0x00cffb000000ffff, /* 18: code, 32 bits, DPL 3 */
    0x00cff3000000ffff, /* 20: data, DPL 3 */
    0x00af9b000000ffff, /* 28: code, 64 bits, DPL 0 */
    0x00affb000000ffff, /* 30: code, 64 bits, DPL 3 */
    0x00cf9e000000ffff, /* 38: code, conforming, DPL 0, not accessed */
    0x00cfbb000000ffff, /* 40: code, DPL 1 */
    0x00cfb2000000ffff, /* 48: data, DPL 1, not accessed */
    0x00cf1b000000ffff, /* 50: code, not present */
    0,                  /* 58: the gate */
    0,                  /* 60: its upper half */
    0x00cf13000000ffff, /* 68: data, not present */
    0x00409b0000000fff, /* 70: code, DPL 0, limit fff */
    0x400093000000ffff, /* 78: data of 16 bits, DPL 0, base LAB_LINEAR, limit ffff */
    0x0000e9000000006f, /* 80: TSS, DPL 3, free */
    0x00af9e000000ffff, /* 88: code, conforming, 64 bits, DPL 0 */
};

static struct exec_lab lab, again;

/* SDM vol. 3 figure 5-8. */
static uint64_t gate(unsigned type, unsigned dpl, unsigned cs, uint32_t offset, unsigned count)
{
    return (offset & 0xffff) | (uint64_t)cs << 16 | (uint64_t)count << 32 | (uint64_t)type << 40 |
           (uint64_t)dpl << 45 | (uint64_t)1 << 47 | (uint64_t)(offset >> 16) << 48;
}

static void open_in(unsigned isa, unsigned cpl, uint64_t entry)
{
    bool wide = isa == SVMC_ISA_X86_64;

    exec_lab_open(&lab, isa);
    lab.regs.general[SVMC_REG_RBX] = DATA;
    lab.regs.gdt = (struct svmc_exec_table){ .base = GDT, .limit = sizeof entries - 1 };
    lab.regs.efer = wide ? 0x500 : 0;
    lab.regs.cpl = (uint8_t)cpl;
    lab.regs.segment[SVMC_SEG_CS].selector = (uint16_t)((wide ? 0x28 : 8) + (cpl ? 0x13 : 0));
    lab.regs.segment[SVMC_SEG_SS].selector = cpl ? 0x23 : 0x10;
    if (wide && cpl)
        lab.regs.segment[SVMC_SEG_CS].selector = 0x33;
    lab.regs.task =
        (struct svmc_exec_segment){ .base = TSS, .limit = 0x67, .rights = 0x8b, .selector = 0xb8 };
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++)
        exec_lab_store(&lab, GDT + 8 * i, 8, entries[i]);
    exec_lab_store(&lab, GDT + 0x58, 8, entry);
    exec_lab_store(&lab, TSS + 4, 8, wide ? INNER : INNER | (uint64_t)0x10 << 32);
    exec_lab_store(&lab, DATA, 8, (uint64_t)0x58 << 32 | NOCODE);
    lab.supervisor[1] = lab.supervisor[2] = true; /* as an OS has them */
}

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* CALL or JMP FAR [EBX], and what becomes of it: a vector, DONE, TASK. */
static void go(bool call, unsigned vector, uint32_t error, unsigned row)
{
    const uint8_t code[2] = { 0xff, call ? 0x1b : 0x2b };
    struct exec_lab before = lab;

    CHECK_EQ(exec_lab_run(&lab, code, 2), SVMC_OK, "row %u", row);
    CHECK_EQ(lab.out.action,
             vector == TASK   ? SVMC_EXEC_UNFINISHED
             : vector == DONE ? SVMC_EXEC_DONE
                              : SVMC_EXEC_FAULT,
             "row %u", row);
    CHECK_EQ(lab.out.reason, vector == TASK ? SVMC_EXEC_REASON_TASK : 0, "row %u", row);
    if (vector == DONE)
        return;
    CHECK_EQ(lab.out.fault.vector, vector == TASK ? 0 : vector, "row %u", row);
    CHECK_EQ(lab.out.fault.error, error, "row %u", row);
    CHECK_EQ(lab.out.fault.has_error, vector != TASK, "row %u", row);
    CHECK_MEM(&lab.regs, &before.regs, sizeof before.regs, "row %u", row);
    CHECK_MEM(lab.ram, before.ram, sizeof before.ram, "row %u", row);
}

TEST(exec_gate, an_inner_level_gets_its_stack_and_parameters) /* XS-11 XS-7 */
{
    static const unsigned counts[] = { 0, 1, 5, 16, 31 };

    for (unsigned i = 0; i < 5; i++)
        for (unsigned small = 0; small < 2; small++) {
            const unsigned n = counts[i], unit = small ? 2 : 4;
            const uint8_t back[4] = { 0x66, 0xca, (uint8_t)(n * unit), 0 };
            uint64_t at = INNER - unit * (n + 4);

            open_in(SVMC_ISA_X86_32, OUTER, gate(small ? 4 : 12, 3, 0x0b, NOCODE, n));
            for (unsigned k = 0; k < n; k++)
                exec_lab_store(&lab, STACK + unit * k, unit, 0x8001 + 0x101 * k);
            go(true, DONE, 0, n);
            CHECK_EQ(lab.regs.rip, small ? 0x5678 : NOCODE);
            CHECK_EQ(lab.regs.cpl, 0);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, 0x08); /* RPL is the new CPL */
            CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0x10);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].rights, 0xc093);
            CHECK_EQ(lab.regs.general[SVMC_REG_RSP], at);
            CHECK_EQ(exec_lab_load(&lab, at, unit), 0x1002);
            CHECK_EQ(exec_lab_load(&lab, at + unit, unit), 0x1b);
            for (unsigned k = 0; k < n; k++)
                CHECK_EQ(exec_lab_load(&lab, at + unit * (2 + k), unit), 0x8001 + 0x101 * k);
            at += unit * (n + 2);
            CHECK_EQ(exec_lab_load(&lab, at, unit), small ? STACK & 0xffff : STACK);
            CHECK_EQ(exec_lab_load(&lab, at + unit, unit), 0x23);
            CHECK_EQ(exec_lab_load(&lab, INNER, 4), 0);
            CHECK(lab.logged <= 16);
            CHECK_EQ(exec_lab_run(&lab, back + !small, 4 - !small), SVMC_OK); /* RETF */
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
            CHECK_EQ(lab.regs.rip, 0x1002);
            CHECK_EQ(lab.regs.cpl, 3);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0x23);
            CHECK_EQ(lab.regs.general[SVMC_REG_RSP],
                     (small ? STACK & 0xffff : STACK) + (uint64_t)n * unit);
        }
}

TEST(exec_gate, the_same_level_keeps_its_stack) /* XS-11 */
{
    static const struct {
        uint8_t cpl, cs, call, after;
    } rows[] = { { 0, 0x08, 1, 0x08 }, { 0, 0x0b, 0, 0x08 }, { 3, 0x38, 1, 0x3b },
                 { 3, 0x38, 0, 0x3b }, { 3, 0x18, 1, 0x1b }, { 3, 0x18, 0, 0x1b } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_in(SVMC_ISA_X86_32, rows[i].cpl, gate(12, 3, rows[i].cs, NOCODE, 7));
        lab.regs.task.rights = SVMC_RIGHTS_UNUSABLE; /* nobody asks for it */
        go(rows[i].call, DONE, 0, i);
        CHECK_EQ(lab.regs.rip, NOCODE);
        CHECK_EQ(lab.regs.cpl, rows[i].cpl);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, rows[i].after, "row %u", i);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, rows[i].cpl ? 0x23 : 0x10);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], rows[i].call ? STACK - 8 : STACK);
        CHECK_EQ(exec_lab_load(&lab, STACK - 8, 8),
                 rows[i].call ? (rows[i].cpl ? 0x1b00001002 : 0x0800001002) : 0);
        CHECK_EQ(exec_lab_load(&lab, GDT + rows[i].cs / 8 * 8 + 5, 1) & 1, 1); /* accessed */
    }
}

/* SDM vol. 2 CALL, JMP: each check with its vector and error code. */
TEST(exec_gate, each_check_has_its_exception) /* XS-11 XSA-298 */
{
    static const struct {
        uint8_t type, dpl, cpl, rpl;
        uint16_t cs, ss, limit;
        uint8_t call, jump; /* vector */
        uint16_t call_error, jump_error;
    } rows[] = {
        { 12, 0, 3, 0, 0x08, 0x10, 0x67, 13, 13, 0x58, 0x58 }, /* DPL of the gate */
        { 12, 2, 0, 3, 0x08, 0x10, 0x67, 13, 13, 0x58, 0x58 }, /* RPL */
        { 12, 2, 0, 2, 0x08, 0x10, 0x67, DONE, DONE, 0, 0 },   /* the nearest that is allowed */
        { 6, 3, 0, 0, 0x08, 0x10, 0x67, 13, 13, 0x58, 0x58 },  /* an interrupt gate */
        { 11, 3, 0, 0, 0x08, 0x10, 0x67, 13, 13, 0x58, 0x58 }, /* a busy TSS */
        { 2, 3, 0, 0, 0x08, 0x10, 0x67, 13, 13, 0x58, 0x58 },  /* an LDT */
        { 5, 0, 3, 0, 0x80, 0x10, 0x67, 13, 13, 0x58, 0x58 },  /* task gate, TSS: DPL first */
        { 9, 0, 3, 0, 0x80, 0x10, 0x67, 13, 13, 0x58, 0x58 },  /**/
        { 5, 3, 3, 3, 0x80, 0x10, 0x67, TASK, TASK, 0, 0 },    /**/
        { 9, 3, 3, 3, 0x80, 0x10, 0x67, TASK, TASK, 0, 0 },    /**/
        { 1, 3, 3, 3, 0x80, 0x10, 0x67, TASK, TASK, 0, 0 },    /**/
        { 12, 3, 3, 3, 0, 0x10, 0x67, 13, 13, 0, 0 },          /* CS null */
        { 12, 3, 3, 3, 3, 0x10, 0x67, 13, 13, 0, 0 },          /**/
        { 12, 3, 3, 3, 0x90, 0x10, 0x67, 13, 13, 0x90, 0x90 }, /* outside of its table */
        { 12, 3, 3, 3, 0x0c, 0x10, 0x67, 13, 13, 0x0c, 0x0c }, /* of an LDT that is not there */
        { 12, 3, 0, 0, 0x10, 0x10, 0x67, 13, 13, 0x10, 0x10 }, /* data */
        { 12, 3, 0, 0, 0x80, 0x10, 0x67, 13, 13, 0x80, 0x80 }, /* a TSS */
        { 12, 3, 0, 0, 0x18, 0x10, 0x67, 13, 13, 0x18, 0x18 }, /* outwards */
        { 12, 3, 3, 3, 0x08, 0x10, 0x67, DONE, 13, 0, 0x08 },  /* JMP changes no level */
        { 12, 3, 0, 0, 0x50, 0x10, 0x67, 11, 11, 0x50, 0x50 }, /* CS not present */
        { 12, 3, 3, 3, 0x08, 0x10, 0x09, DONE, 13, 0, 0x08 },  /* the TSS has it just so */
        { 12, 3, 3, 3, 0x08, 0x10, 0x08, 10, 13, 0xb8, 0x08 }, /* and not any more */
        { 12, 3, 3, 3, 0x08, 0, 0x67, 10, 13, 0, 0x08 },       /* SS null */
        { 12, 3, 3, 3, 0x08, 0x90, 0x67, 10, 13, 0x90, 0x08 }, /* outside */
        { 12, 3, 3, 3, 0x08, 0x11, 0x67, 10, 13, 0x10, 0x08 }, /* its RPL, its DPL */
        { 12, 3, 3, 3, 0x08, 0x20, 0x67, 10, 13, 0x20, 0x08 }, /**/
        { 12, 3, 3, 3, 0x08, 0x08, 0x67, 10, 13, 0x08, 0x08 }, /* no data */
        { 12, 3, 3, 3, 0x08, 0x68, 0x67, 12, 13, 0x68, 0x08 }, /* not present */
        { 12, 3, 0, 0, 0x70, 0x10, 0x67, 13, 13, 0, 0 },       /* EIP beyond the limit */
        { 12, 3, 3, 3, 0x70, 0x10, 0x67, 13, 13, 0, 0x70 },    /**/
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned call = 0; call < 2; call++) {
            open_in(SVMC_ISA_X86_32, rows[i].cpl,
                    gate(rows[i].type, rows[i].dpl, rows[i].cs, NOCODE, 2));
            lab.regs.local.rights = SVMC_RIGHTS_UNUSABLE;
            lab.regs.task.limit = rows[i].limit;
            exec_lab_store(&lab, TSS + 8, 2, rows[i].ss);
            exec_lab_store(&lab, DATA + 4, 2, 0x58u + rows[i].rpl);
            go(call, call ? rows[i].call : rows[i].jump,
               call ? rows[i].call_error : rows[i].jump_error, i);
        }
    for (unsigned type = 4; type < 13; type += type == 4 ? 1 : type == 5 ? 4 : 3) {
        open_in(SVMC_ISA_X86_32, 3, gate(type, 3, 0x08, NOCODE, 2) & ~((uint64_t)1 << 47));
        go(true, 11, 0x58, type); /* the gate, or task, is not present */
    }
    for (unsigned limit = 0x58; limit < 0x60; limit++) { /* of the GDT: the gate's last byte */
        open_in(SVMC_ISA_X86_32, 0, gate(12, 3, 0x08, NOCODE, 2));
        lab.regs.gdt.limit = (uint16_t)limit;
        go(true, limit == 0x5f ? DONE : 13, 0x58, limit);
    }
}

TEST(exec_gate, a_new_stack_has_room_or_is_a_stack_fault) /* XS-11 */
{
    static const struct {
        uint16_t ss, sp;
        uint8_t vector;
        uint16_t error, after;
    } rows[] = { { 0x78, 0x1800, DONE, 0, 0x17e8 },
                 { 0x78, 0x18, DONE, 0, 0 },
                 { 0x78, 0x17, 12, 0x78, 0 },
                 { 0x78, 0, DONE, 0, 0xffe8 },
                 { 0x78, 1, 12, 0x78, 0 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_in(SVMC_ISA_X86_32, OUTER, gate(12, 3, 0x08, NOCODE, 2));
        /* the top of 64 KiB is to be in the lab, too */
        exec_lab_store(&lab, GDT + 0x78, 8,
                       rows[i].sp == 0 ? 0x3f0093ff2000ffff : 0x400093000000ffff);
        exec_lab_store(&lab, TSS + 4, 8, 0xaaaa0000 | rows[i].sp | (uint64_t)rows[i].ss << 32);
        go(true, rows[i].vector, rows[i].error, i);
        if (rows[i].vector == DONE) /* ESP is loaded whole, and SP alone counts */
            CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0xaaaa0000 | rows[i].after, "row %u", i);
    }
    open_in(SVMC_ISA_X86_32, OUTER, gate(12, 3, 0x08, NOCODE, 2)); /* parameters: the old stack */
    lab.regs.segment[SVMC_SEG_SS].limit = STACK + 6;
    go(true, 12, 0, 0);
    open_in(SVMC_ISA_X86_32, 0, gate(12, 3, 0x08, NOCODE, 2)); /* no new stack: no selector */
    lab.regs.segment[SVMC_SEG_SS].limit = STACK - 2;
    go(true, 12, 0, 0);
    open_in(SVMC_ISA_X86_32, 0, gate(12, 3, 0x08, NOCODE, 2));
    lab.regs.segment[SVMC_SEG_SS].rights |= SVMC_RIGHTS_UNUSABLE;
    go(true, 12, 0, 0);
    for (unsigned inner = 0; inner < 2; inner++) { /* alignment is of CPL 3 alone */
        open_in(SVMC_ISA_X86_32, OUTER, gate(12, 3, inner ? 0x08 : 0x18, NOCODE, 0));
        lab.regs.cr0 |= 0x40000;
        lab.regs.rflags |= 0x40000;
        lab.regs.general[SVMC_REG_RSP] = STACK + 1;
        exec_lab_store(&lab, TSS + 4, 4, INNER + 1);
        go(true, inner ? DONE : 17, 0, inner);
    }
    open_in(SVMC_ISA_X86_32, OUTER, gate(12, 3, 0x08, NOCODE, 2));
    lab.absent[1] = true;
    go(true, 14, 2, 0); /* with the rights of the new level */
    CHECK_EQ(lab.out.fault.address, INNER - 24);
    open_in(SVMC_ISA_X86_32, OUTER, gate(12, 3, 0x08, NOCODE, 2));
    lab.supervisor[3] = true;
    go(true, 14, 5, 0); /* parameters with those of the old one */
    CHECK_EQ(lab.out.fault.address, STACK);
}

TEST(exec_gate, a_tss_of_16_bits_has_words) /* XS-11 */
{
    for (unsigned limit = 8; limit > 3; limit--) {
        open_in(SVMC_ISA_X86_32, OUTER, gate(12, 3, 0x40, NOCODE, 0));
        lab.regs.task.rights = 0x83;
        lab.regs.task.limit = limit + 1;
        exec_lab_store(&lab, TSS + 6, 4, (uint32_t)0x49 << 16 | 0x1800); /* level 1 */
        exec_lab_store(&lab, GDT + 0x48, 8, 0x4000b2000000ffff);
        go(true, limit + 1 >= 9 ? DONE : 10, 0xb8, limit);
        if (limit + 1 < 9)
            continue;
        CHECK_EQ(lab.regs.cpl, 1);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, 0x41);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0x49);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0x1800 - 16);
        CHECK_EQ(exec_lab_load(&lab, GDT + 0x48 + 5, 1), 0xb3); /* accessed */
        CHECK_EQ(exec_lab_load(&lab, INNER - 16, 4), 0x1002);
    }
}

TEST(exec_gate, gates_of_long_mode_have_16_bytes_and_a_null_ss) /* XS-11 */
{
    static const struct {
        uint16_t cs;
        uint8_t type, vector;
        uint16_t error;
        uint32_t high, more; /* of the offset; what stands behind it */
        uint64_t rsp;
        uint16_t limit, gdt;
    } rows[] = {
        { 0x28, 12, DONE, 0, 0xffff8000, 0, INNER, 0x67, 0x8f },
        { 0x2b, 12, DONE, 0, 0x00007fff, 0xffffe0ff, INNER, 11, 0x67 },
        { 0x28, 12, 13, 0, 0x00008000, 0, INNER, 0x67, 0x8f },         /* RIP not canonical */
        { 0x28, 12, 13, 0x58, 0xffff8000, 0x1f00, INNER, 0x67, 0x8f }, /* its upper type */
        { 0x28, 12, 13, 0x58, 0xffff8000, 0x0100, INNER, 0x67, 0x8f },
        { 0x28, 12, 13, 0x58, 0xffff8000, 0, INNER, 0x67, 0x66 }, /* half of it in the table */
        { 0x28, 4, 13, 0x58, 0xffff8000, 0, INNER, 0x67, 0x8f },
        { 0x28, 5, 13, 0x58, 0xffff8000, 0, INNER, 0x67, 0x8f },
        { 0x28, 9, 13, 0x58, 0xffff8000, 0, INNER, 0x67, 0x8f },
        { 0x08, 12, 13, 0x08, 0xffff8000, 0, INNER, 0x67, 0x8f }, /* no 64-bit code */
        { 0, 12, 13, 0, 0xffff8000, 0, INNER, 0x67, 0x8f },
        { 0x28, 12, 10, 0xb8, 0xffff8000, 0, INNER, 10, 0x8f }, /* the TSS ends */
        { 0x28, 12, 12, 0, 0xffff8000, 0, 0x0000800000000000 + 32, 0x67, 0x8f },
        { 0x28, 12, 12, 0, 0xffff8000, 0, 0x0000800000000010, 0x67, 0x8f }, /* half of it */
        { 0x28, 12, 12, 0, 0xffff8000, 0, 0xffff800000000010, 0x67, 0x8f },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned compat = 0; compat < 2; compat++) {
            open_in(compat ? SVMC_ISA_X86_32 : SVMC_ISA_X86_64, OUTER,
                    gate(rows[i].type, 3, rows[i].cs, NOCODE, 0));
            lab.regs.efer = 0x500;
            lab.regs.task.limit = rows[i].limit;
            lab.regs.gdt.limit = rows[i].gdt;
            exec_lab_store(&lab, GDT + 0x60, 8, (uint64_t)rows[i].more << 32 | rows[i].high);
            exec_lab_store(&lab, TSS + 4, 8, rows[i].rsp);
            go(true, rows[i].vector, rows[i].error, i);
            if (rows[i].vector != DONE)
                continue;
            CHECK_EQ(lab.regs.rip, (uint64_t)rows[i].high << 32 | NOCODE);
            CHECK_EQ(lab.regs.cpl, 0);
            CHECK_EQ(lab.regs.address_bits, 48);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, 0x28);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].rights, SVMC_RIGHTS_UNUSABLE);
            CHECK_EQ(lab.regs.general[SVMC_REG_RSP], INNER - 32);
            CHECK_EQ(exec_lab_load(&lab, INNER - 32, 8), 0x1002);
            CHECK_EQ(exec_lab_load(&lab, INNER - 24, 8), compat ? 0x1b : 0x33);
            CHECK_EQ(exec_lab_load(&lab, INNER - 16, 8), STACK);
            CHECK_EQ(exec_lab_load(&lab, INNER - 8, 8), 0x23);
            lab.cpu.isa = SVMC_ISA_X86_64;
            CHECK_EQ(RUN(0x48, 0xcb), SVMC_OK); /* RETF, with the same frame */
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
            CHECK_EQ(lab.regs.rip, 0x1002);
            CHECK_EQ(lab.regs.cpl, 3);
            CHECK_EQ(lab.regs.address_bits, compat ? 0 : 48);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, compat ? 0x1b : 0x33);
            CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].selector, 0x23);
            CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK);
        }
    open_in(SVMC_ISA_X86_64, OUTER, gate(12, 3, 0x88, NOCODE, 0)); /* the same level */
    lab.regs.task.rights = SVMC_RIGHTS_UNUSABLE;
    go(true, DONE, 0, 100);
    CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, 0x8b);
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK - 16);
    CHECK_EQ(exec_lab_load(&lab, STACK - 16, 8), 0x1002);
    CHECK_EQ(exec_lab_load(&lab, STACK - 8, 8), 0x33);
    open_in(SVMC_ISA_X86_64, OUTER, gate(12, 3, 0x88, NOCODE, 0));
    go(false, DONE, 0, 101);
    CHECK_EQ(lab.regs.general[SVMC_REG_RSP], STACK);
    CHECK_EQ(lab.regs.rip, NOCODE);
}

/* The lab's last page is that of linear fffff000, its first one that of the byte behind 4 GiB. */
static enum svmc_status translate_around(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                         struct svmc_fault *fault)
{
    if (at.v < LAB_PAGE)
        at.v += LAB_LINEAR;
    else if (at.v - 0xfffff000 < LAB_PAGE)
        at.v = LAB_LINEAR + 0x3000 + at.v % LAB_PAGE;
    return exec_lab_ops.translate(ctx, at, access, out, fault);
}

/* Code of 32 bits has addresses of 32 bits, with EFER.LMA as without. */
TEST(exec_gate, a_far_call_goes_around_at_4_gib) /* XS-7 XE-13 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    ops.translate = translate_around;
    for (unsigned i = 0; i < 4; i++) {
        const bool based = i & 1;

        open_in(SVMC_ISA_X86_32, OUTER, 0);
        CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
        lab.regs.efer = i & 2 ? 0x500 : 0;
        lab.regs.segment[SVMC_SEG_SS].base = based ? 0xfffff000 : 0;
        lab.regs.general[SVMC_REG_RSP] = based ? 0x1004 : 4;
        CHECK_EQ(RUN(0x9a, 0x00, 0x20, 0x00, 0x00, 0x1b, 0x00), SVMC_OK); /* CALL 1b:2000 */
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", i);
        CHECK_EQ(lab.regs.rip, 0x2000);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], based ? 0xffc : 0xfffffffc, "%u", i);
        CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + 0x3ffc, 4), 0x1007, "%u", i);
        CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR, 4), 0x1b, "%u", i);
    }
}

TEST(exec_gate, iret_goes_to_virtual_8086_mode) /* XS-12 */
{
    static const uint32_t frame[9] = { 0x1234,     0xaaaa2000, 0x003f7ed7, 0x89ab7ffe, 0xbbbb3000,
                                       0x77774000, 0x5000,     0x6000,     0xffff7fff };
    static const uint8_t order[5] = { SVMC_SEG_SS, SVMC_SEG_ES, SVMC_SEG_DS, SVMC_SEG_FS,
                                      SVMC_SEG_GS };

    for (unsigned i = 0; i < 4; i++) {
        open_in(SVMC_ISA_X86_32, i == 1 ? 3 : 0, 0);
        for (unsigned k = 0; k < 9; k++)
            exec_lab_store(&lab, STACK + 4 * k, 4, frame[k]);
        if (i == 2)
            exec_lab_store(&lab, STACK, 4, 0x10000); /* EIP beyond its limit */
        if (i == 3)
            lab.regs.segment[SVMC_SEG_SS].limit = STACK + 34; /* a byte too few */
        CHECK_EQ(RUN(0xcf), SVMC_OK);
        if (i != 0) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "%u", i);
            CHECK_EQ(lab.out.fault.vector, i == 3 ? 12 : 13, "%u", i);
            CHECK_EQ(lab.out.fault.error, i == 1 ? 0x2000 : 0, "%u", i); /* a selector there */
            CHECK_EQ(lab.regs.rflags, 2, "%u", i);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.regs.rflags, 0x3f7ed7); /* all of them, RF too */
        CHECK_EQ(lab.regs.rip, 0x1234);
        CHECK_EQ(lab.regs.cpl, 3);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0x89ab7ffe);
        CHECK_EQ(lab.regs.segment[SVMC_SEG_CS].selector, 0x2000);
        for (unsigned k = 0; k < 6; k++) {
            const struct svmc_exec_segment *s = &lab.regs.segment[k == 5 ? SVMC_SEG_CS : order[k]];

            CHECK_EQ(s->selector, k == 5 ? 0x2000 : frame[4 + k] & 0xffff, "%u", k);
            CHECK_EQ(s->base, (uint64_t)s->selector << 4, "%u", k);
            CHECK_EQ(s->limit, 0xffff, "%u", k);
            CHECK_EQ(s->rights, 0xf3, "%u", k); /* SDM vol. 3 27.3.1.2 asks for it */
        }
    }
    open_in(SVMC_ISA_X86_32, 0, 0); /* in long mode VM does not count */
    lab.regs.efer = 0x500;
    exec_lab_store(&lab, STACK, 8, 0x0800001234);
    exec_lab_store(&lab, STACK + 8, 4, 0x20202);
    CHECK_EQ(RUN(0xcf), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.regs.rflags, 0x202);
    open_in(SVMC_ISA_X86_32, 0, 0);
    lab.regs.rflags |= 0x4000; /* NT */
    CHECK_EQ(RUN(0xcf), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_TASK);
}

TEST(exec_gate, no_table_lies_where_no_address_is) /* XS-5 */
{
    static const uint8_t codes[2] = { 0x13, 0x1b }; /* LLDT, LTR [EBX] */

    for (unsigned i = 0; i < 16; i++) {
        const bool bad = i >> 2 & 1, wide = i & 1, big = i >> 3 & 1;
        const uint64_t high = bad ? (big ? 0xff000000 : 0x00008000) : big ? 0xff000000 : 0xffff8000;

        open_in(wide ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32, 0,
                i & 2 ? 0x0000890000000067 : 0x0000820000000067);
        lab.regs.efer = 0x500;
        lab.regs.cr4 |= big ? 0x1000 : 0; /* LA57 */
        lab.regs.address_bits = wide ? (big ? 57 : 48) : 0;
        exec_lab_store(&lab, GDT + 0x60, 8, bad && big ? 0x01000000 : high);
        exec_lab_store(&lab, DATA, 2, 0x58);
        CHECK_EQ(RUN(0x0f, 0x00, codes[i >> 1 & 1]), SVMC_OK);
        CHECK_EQ(lab.out.action, bad ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE, "%u", i);
        if (bad) {
            CHECK_EQ(lab.out.fault.vector, 13, "%u", i);
            CHECK_EQ(lab.out.fault.error, 0x58, "%u", i);
        }
    }
}

/* Tables go on where no address is: nobody is asked to translate that. */
TEST(exec_gate, no_entry_lies_where_no_address_is) /* XS-2 XE-13 */
{
    for (unsigned i = 0; i < 8; i++) {
        const bool wide = i & 1, task = i & 2;
        const uint64_t end = (uint64_t)1 << (i & 4 ? 56 : 47); /* behind the last address */

        open_in(wide ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32, OUTER, gate(12, 3, 0x28, NOCODE, 0));
        lab.regs.efer = 0x500;
        lab.regs.cr4 |= i & 4 ? 0x1000 : 0; /* LA57 */
        lab.regs.address_bits = wide ? (i & 4 ? 57 : 48) : 0;
        exec_lab_store(&lab, GDT + 0x60, 8, 0);
        if (task)
            lab.regs.task.base = end - 8;
        else
            lab.regs.gdt.base = end - 0x5c;
        go(true, 13, 0, i);
    }
}

/* ---- ENTER ---- */

/* APM vol. 3 ENTER, word by word, of a stack of `mask` bits of address. */
static void enter_by_hand(uint64_t general[16], unsigned level, unsigned room, unsigned bytes,
                          uint64_t base, uint64_t mask)
{
    uint64_t rsp = general[SVMC_REG_RSP], rbp = general[SVMC_REG_RBP], frame;
    const uint64_t part = bytes == 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * bytes) - 1;

    rsp = (rsp & ~mask) | ((rsp - bytes) & mask);
    exec_lab_store(&again, base + (rsp & mask), bytes, rbp);
    frame = rsp;
    for (unsigned i = 1; i <= level; i++) {
        uint64_t value = frame;

        if (i < level)
            value = exec_lab_load(&again, base + ((rbp - i * bytes) & mask), bytes);
        rsp = (rsp & ~mask) | ((rsp - bytes) & mask);
        exec_lab_store(&again, base + (rsp & mask), bytes, value);
    }
    general[SVMC_REG_RSP] = (rsp & ~mask) | ((rsp - room) & mask);
    general[SVMC_REG_RBP] = bytes == 4 ? frame & part : (rbp & ~part) | (frame & part);
}

/* RBP below, at and above RSP, so that what is read has been pushed just now, or not yet. */
TEST(exec_enter, every_level_width_and_stack) /* XE-30 */
{
    static const struct {
        uint8_t isa, prefix, bytes;
        bool big; /* a stack of 32 bits */
    } rows[] = { { SVMC_ISA_X86_64, 0, 8, true },  { SVMC_ISA_X86_64, 0x66, 2, true },
                 { SVMC_ISA_X86_32, 0, 4, true },  { SVMC_ISA_X86_32, 0x66, 2, true },
                 { SVMC_ISA_X86_32, 0, 4, false }, { SVMC_ISA_X86_32, 0x66, 2, false },
                 { SVMC_ISA_X86_16, 0, 2, false }, { SVMC_ISA_X86_16, 0x66, 4, false },
                 { SVMC_ISA_X86_16, 0, 2, true } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0] * 32 * 3; i++) {
        const unsigned row = i / 96, level = i / 3 % 32, where = i % 3;
        const bool big = rows[row].big;
        const uint8_t code[5] = { 0x66, 0xc8, 0x30, 0x01, (uint8_t)(level | (i & 7) << 5) };
        const uint64_t mask = rows[row].isa == SVMC_ISA_X86_64 ? ~(uint64_t)0
                              : big                            ? 0xffffffff
                                                               : 0xffff;
        const bool plain = rows[row].prefix == 0;
        uint64_t *g = lab.regs.general;

        open_in(rows[row].isa, 0, 0);
        lab.regs.segment[SVMC_SEG_SS].rights = 0x93 | (big ? 0x4000 : 0);
        lab.regs.segment[SVMC_SEG_SS].base = big ? 0 : LAB_LINEAR;
        g[SVMC_REG_RSP] = (big ? LAB_LINEAR : 0xabcd0000) | (where == 1 ? 0x3045 : 0x3800);
        g[SVMC_REG_RBP] = g[SVMC_REG_RSP] + (where == 0 ? 0 : where == 1 ? 0x16 : 0x400);
        g[SVMC_REG_RBP] ^= big ? 0 : 0x11110000; /* 16 bits of it are an address */
        for (unsigned k = 0; k < 0xf00; k++)
            exec_lab_store(&lab, LAB_LINEAR + 0x3c00 - k, 1, k * 7 + k / 256 + 1);
        again = lab;
        CHECK_EQ(exec_lab_run(&lab, code + plain, 5 - plain), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u, level %u", row, level);
        if (where != 1) /* else there may be an element on two pages */
            CHECK_EQ(lab.logged, level == 0 ? 1 : 2 * level, "row %u, level %u", row, level);
        CHECK(lab.logged <= SVMC_EXEC_ACCESSES_MAX && lab.calls - lab.logged <= 6,
              "row %u, level %u: %u accesses, %u calls", row, level, lab.logged, lab.calls);
        enter_by_hand(again.regs.general, level, 0x130, rows[row].bytes, big ? 0 : LAB_LINEAR,
                      mask);
        CHECK_MEM(lab.regs.general, again.regs.general, sizeof again.regs.general,
                  "row %u, level %u, %u", row, level, where);
        CHECK_MEM(lab.ram, again.ram, sizeof lab.ram, "row %u, level %u", row, level);
    }
}

/* The stack pointer of 16 bits goes around; an element that would lie across is #SS. */
TEST(exec_enter, sixteen_bits_of_stack_go_around) /* XE-30 */
{
    for (unsigned sp = 0; sp < 8; sp++) {
        open_in(SVMC_ISA_X86_16, 0, 0);
        lab.regs.segment[SVMC_SEG_SS].rights = 0x93;
        lab.regs.segment[SVMC_SEG_SS].base = LAB_LINEAR - 0xe000; /* its end is in the lab */
        lab.regs.segment[SVMC_SEG_SS].limit = 0xffff;
        lab.regs.general[SVMC_REG_RSP] = sp;
        lab.regs.general[SVMC_REG_RBP] = 0xf100;
        exec_lab_store(&lab, LAB_LINEAR + 0x10fe, 2, 0x5678);
        CHECK_EQ(RUN(0xc8, 0x06, 0x00, 0x02), SVMC_OK); /* ENTER 6, 2 */
        if (sp & 1) {
            CHECK_EQ(lab.out.fault.vector, sp == 1 ? 12 : 14, "%u", sp);
            CHECK_EQ(lab.regs.general[SVMC_REG_RSP], sp);
            continue;
        }
        if (sp != 0) { /* what lies below 64 KiB's end is not there */
            CHECK_EQ(lab.out.fault.vector, 14, "%u", sp);
            CHECK_EQ(lab.out.fault.address, LAB_LINEAR - 0xe000 + sp - 2, "%u", sp);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.regs.general[SVMC_REG_RSP], 0xfff4);
        CHECK_EQ(lab.regs.general[SVMC_REG_RBP], 0xfffe);
        CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + 0x1ffa, 6), 0xf1005678fffe);
    }
}

/* Each page at the first element that touches it, the new top last; nothing is pushed. */
TEST(exec_enter, faults_come_in_the_order_of_the_elements) /* XE-30 XE-9 */
{
    static const struct {
        uint64_t rsp, rbp;
        uint16_t room;
        uint8_t level, absent, only; /* a page; 1: it cannot be written */
        uint64_t address;
        uint32_t error;
    } rows[] = {
        { 0x3008, 0x1100, 0, 3, 2, 0, 0x2ff8, 2 },     /* the second element */
        { 0x3008, 0x1100, 0, 0, 2, 0, 0x3000, 0xff },  /* not with a level of 0: none */
        { 0x3804, 0x2ffc, 0, 0, 3, 0, 0x37fc, 2 },     /* the first */
        { 0x3804, 0x2004, 0, 3, 1, 0, 0x1ffc, 0 },     /* what is read, across a page */
        { 0x3804, 0x2004, 0, 3, 2, 0, 0x2000, 0 },     /* its upper part */
        { 0x3804, 0x2004, 0, 1, 2, 0, 0x2000, 0xff },  /* nothing is read */
        { 0x3008, 0x1100, 0xff0, 1, 2, 1, 0x2ff8, 3 }, /* the second one, read alone */
        { 0x3018, 0x1100, 0xff0, 1, 2, 1, 0x2018, 3 }, /* the new top alone */
        { 0x3018, 0x1100, 0xfec, 1, 2, 1, 0x201c, 3 }, /**/
        { 0x3018, 0x1100, 0x0c, 1, 2, 1, 0x2ffc, 3 },  /* half of it */
        { 0x3018, 0x1100, 0x08, 1, 2, 1, 0x3000, 0xff },
        { 0x3800, 0x1100, 0x17fc, 0, 2, 1, 0x2000, 3 }, /* its upper part alone */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t code[4] = { 0xc8, (uint8_t)rows[i].room, (uint8_t)(rows[i].room >> 8),
                                  rows[i].level };
        struct exec_lab before;

        open_in(SVMC_ISA_X86_64, 0, 0);
        lab.regs.general[SVMC_REG_RSP] = LAB_LINEAR + rows[i].rsp;
        lab.regs.general[SVMC_REG_RBP] = LAB_LINEAR + rows[i].rbp;
        lab.absent[rows[i].absent] = rows[i].only == 0;
        lab.read_only[rows[i].absent] = true;
        before = lab;
        CHECK_EQ(exec_lab_run(&lab, code, 4), SVMC_OK);
        if (rows[i].error == 0xff) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u", i);
            continue;
        }
        CHECK_EQ(lab.out.fault.vector, 14, "row %u", i);
        CHECK_EQ(lab.out.fault.address, LAB_LINEAR + rows[i].address, "row %u", i);
        CHECK_EQ(lab.out.fault.error, rows[i].error, "row %u", i);
        CHECK_EQ(lab.logged, 0, "row %u", i);
        CHECK_MEM(&lab.regs, &before.regs, sizeof before.regs, "row %u", i);
    }
    for (unsigned room = 0; room < 9; room++) { /* the new top is as wide as an element */
        open_in(SVMC_ISA_X86_64, 3, 0);
        lab.regs.cr0 |= 0x40000;
        lab.regs.rflags |= 0x40000;
        CHECK_EQ(RUN(0xc8, (uint8_t)room, 0x00, 0x00), SVMC_OK);
        CHECK_EQ(lab.out.action, room % 8 ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE, "%u", room);
        CHECK_EQ(lab.out.fault.vector, room % 8 ? 17 : 0, "%u", room);
    }
    open_in(SVMC_ISA_X86_32, 0, 0);
    lab.regs.segment[SVMC_SEG_SS].limit = STACK + 0xff;
    lab.regs.segment[SVMC_SEG_SS].rights |= SVMC_RIGHTS_EXPAND_DOWN; /* from STACK + 100h up */
    lab.regs.general[SVMC_REG_RSP] = STACK + 0x10c;
    lab.regs.general[SVMC_REG_RBP] = STACK + 0x200;
    CHECK_EQ(RUN(0xc8, 0x00, 0x00, 0x02), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    lab.regs.general[SVMC_REG_RSP] = STACK + 0x10c;
    CHECK_EQ(RUN(0xc8, 0x04, 0x00, 0x02), SVMC_OK); /* no room for what is not pushed */
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, 12);
}

/* ---- each callback, at each call ---- */

/* What the k-th strike hits: 0 to 3. */
static void prepare(unsigned scenario)
{
    static const uint32_t frame[9] = { 0x1234, 0x2000, 0x20202, 0x7ffe, 0x3000,
                                       0x4000, 0x5000, 0x6000,  0x7000 };
    const bool wide = scenario == 1;

    open_in(wide ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32, scenario == 2 ? 0 : OUTER,
            gate(12, 3, scenario == 0 ? 0x40 : 0x28, NOCODE, scenario == 0 ? 31 : 0));
    lab.regs.general[SVMC_REG_RSP] = LAB_LINEAR + 0x3fc4 - 0x1000 * (scenario == 0);
    lab.supervisor[1] = scenario < 3;
    lab.supervisor[2] = scenario == 1;
    lab.regs.general[SVMC_REG_RBP] = LAB_LINEAR + 0x1004;
    exec_lab_store(&lab, GDT + 0x48, 8, 0x00cfb2000000ffff);
    exec_lab_store(&lab, TSS + 0x0c, 8, (uint64_t)0x49 << 32 | (LAB_LINEAR + 0x1040));
    exec_lab_store(&lab, TSS + 4, 8, LAB_LINEAR + 0x1011);
    for (unsigned i = 0; i < 31; i++)
        exec_lab_store(&lab, LAB_LINEAR + 0x2fc4 + 4 * i, 4, 0x01010101 * i);
    for (unsigned i = 0; i < 9 && scenario == 2; i++)
        exec_lab_store(&lab, LAB_LINEAR + 0x3fc4 + 4 * i, 4, frame[i]);
    if (scenario == 0)
        exec_lab_store(&lab, GDT + 0x40 + 5, 1, 0xba); /* not accessed */
}

static enum svmc_status start(unsigned scenario)
{
    static const uint8_t codes[4][4] = {
        { 0xff, 0x1b }, { 0xff, 0x1b }, { 0xcf }, { 0xc8, 0x00, 0x01, 0x1f }
    };

    return exec_lab_run(&lab, codes[scenario & 3], scenario < 2 ? 2 : scenario == 2 ? 1 : 4);
}

TEST(exec_gate, nothing_changes_where_a_callback_fails) /* XE-6 XE-7 XS-11 XS-12 */
{
    for (unsigned scenario = 0; scenario < 4; scenario++) {
        unsigned calls;
        static struct exec_lab done, before;

        prepare(scenario);
        CHECK_EQ(start(scenario), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", scenario);
        CHECK(lab.logged <= SVMC_EXEC_ACCESSES_MAX, "%u", scenario);
        done = lab;
        calls = lab.calls;
        CHECK(calls >= (scenario == 2 ? 3 : 10), "%u, %u", scenario, calls);
        for (unsigned k = 1; k <= calls; k++)
            for (unsigned mode = LAB_FAIL; mode <= LAB_LIE; mode++) {
                enum svmc_status st;

                prepare(scenario);
                before = lab;
                lab.mode = (enum exec_lab_mode)mode;
                lab.fail_at = k;
                st = start(scenario);
                if (mode == LAB_BUSY) {
                    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING, "%u, %u", scenario, k);
                    st = exec_lab_go_on(&lab);
                }
                if (st == SVMC_OK && lab.out.action == SVMC_EXEC_DONE) {
                    CHECK(mode != LAB_FAIL, "%u, %u", scenario, k);
                    CHECK_MEM(&lab.regs, &done.regs, sizeof done.regs, "%u, %u", scenario, k);
                    CHECK_MEM(lab.ram, done.ram, sizeof done.ram, "%u, %u", scenario, k);
                    CHECK_EQ(lab.logged, done.logged, "%u, %u", scenario, k);
                    continue;
                }
                CHECK(mode != LAB_BUSY, "%u, %u", scenario, k);
                CHECK_MEM(&lab.regs, &before.regs, sizeof done.regs, "%u, %u", scenario, k);
                if (lab.out.action == SVMC_EXEC_FAULT &&
                    *exec_lab_at(&lab, GDT + 0x45) == 0xba) /* the second mark: XS-3 */
                    CHECK_MEM(lab.ram, before.ram, sizeof before.ram, "%u, %u", scenario, k);
                for (unsigned i = 0; i < sizeof lab.ram; i++)
                    CHECK(lab.ram[i] == before.ram[i] || lab.ram[i] == done.ram[i], "%u, %u: %u",
                          scenario, k, i);
            }
    }
}

/* ---- whatever waits, nothing else comes of it ---- */

static struct exec_lab first;
static uint64_t seed;

static unsigned draw(unsigned bound)
{
    return (unsigned)(harness_random(&seed) >> 33) % bound;
}

/* Near a page's end more often than not; behind the last page there is nothing. */
static uint64_t draw_place(uint64_t at)
{
    const uint64_t end = (at & ~(uint64_t)0xfff) + 0x1000;
    const unsigned room = end == LAB_LINEAR + LAB_PAGES * LAB_PAGE ? 20 : 0;

    return draw(2) ? at : end - room - draw(160);
}

/* A gate, a frame, a TSS and stacks that fit each other, or do not quite. */
static void draw_state(void)
{
    static const uint8_t modes[3] = { SVMC_ISA_X86_32, SVMC_ISA_X86_32, SVMC_ISA_X86_64 };
    static const uint8_t levels[3][2] = { { 0, 0x10 }, { 1, 0x48 }, { 2, 0x20 } };
    const unsigned mode = draw(3), n = draw(32), level = draw(4) ? 0 : draw(2);
    const unsigned cs = draw(8) ? (mode != 0 ? 0x28 : level ? 0x40 : 0x08) : 8 * draw(18);
    const uint64_t stack = draw_place(STACK - 0x200), inner = draw_place(INNER) - draw(2);
    const uint64_t table = draw_place(GDT), task = draw(2) ? TSS : LAB_LINEAR + 0x2ffa - draw(16);

    open_in(modes[mode], draw(4) ? OUTER : 0, 0);
    lab.regs.efer = mode == 0 ? 0 : 0x500;
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++)
        exec_lab_store(&lab, table + 8 * i, 8,
                       draw(4) ? entries[i] : entries[i] & ~((uint64_t)1 << 40)); /* accessed */
    exec_lab_store(&lab, table + 0x58, 8,
                   gate(mode == 0 && draw(3) == 0 ? 4 : 12, draw(8) ? 3 : 0, cs, NOCODE, n));
    exec_lab_store(&lab, table + 0x60, 8, draw(8) == 0);
    lab.regs.gdt.base = table;
    lab.regs.task.base = task;
    for (unsigned i = 0; i < 3 && mode == 0; i++)
        exec_lab_store(&lab, task + 4 + 8 * i, 8,
                       inner | (uint64_t)(levels[i][0] | levels[i][1]) << 32);
    exec_lab_store(&lab, task + 4, 8, mode == 0 ? inner | (uint64_t)0x10 << 32 : inner);
    lab.regs.general[SVMC_REG_RSP] = stack;
    lab.regs.general[SVMC_REG_RBP] = draw_place(STACK - 0x300);
    lab.regs.general[SVMC_REG_RBX] = draw_place(DATA + 0x800);
    exec_lab_store(&lab, lab.regs.general[SVMC_REG_RBX], 8, (uint64_t)0x5b << 32 | 0x1234);
    for (unsigned i = 0; i < 5; i++) /* of IRET and RET: any of these selectors, VM too */
        exec_lab_store(&lab, stack + 4 * i, 4,
                       i == 2   ? draw(2) << 17 | 2
                       : i == 3 ? (uint32_t)STACK
                                : 8 * draw(18) + draw(2) * 3);
    lab.supervisor[1] = lab.supervisor[2] = false;
    lab.x.split_locks = draw(4) == 0;
    lab.absent[draw(4)] = draw(16) == 0;
    lab.read_only[draw(4)] = draw(16) == 0;
    lab.device = draw(8) == 0;
}

/* `lab` is what became of `first`; now one of its callbacks fails. */
static void fail_one(const uint8_t *code, size_t count, unsigned row)
{
    again = first;
    again.x.priv.ctx = &again;
    again.mode = LAB_FAIL;
    again.fail_at = 1 + draw(lab.calls);
    CHECK_EQ(exec_lab_run(&again, code, count), SVMC_ERR_CALLBACK, "%u", row);
    exec_lab_check_callback(&again, SVMC_ERR_CALLBACK, "a far branch");
    CHECK_MEM(&again.regs, &first.regs, sizeof first.regs, "%u", row);
    for (unsigned i = 0; i < sizeof lab.ram; i++)
        CHECK(again.ram[i] == first.ram[i] || again.ram[i] == lab.ram[i], "%u: %u", row, i);
}

TEST(exec_gate, what_waits_ends_as_what_does_not) /* XE-2 XE-6 XE-7 XS-3 XS-11 XS-12 */
{
    static const uint8_t codes[6][4] = { { 0xff, 0x1b }, { 0xff, 0x2b },          { 0xcb },
                                         { 0xcf },       { 0xc8, 0x40, 0, 0x1f }, { 0xff, 0x1b } };
    static const uint8_t counts[6] = { 2, 2, 1, 1, 4, 2 };
    unsigned done = 0, inner = 0;

    seed = harness_seed();
    for (unsigned i = 0; i < 3000; i++) {
        const unsigned code = i % 6;
        enum svmc_status st;

        draw_state();
        again = first = lab;
        again.x.priv.ctx = &again;
        CHECK_EQ(exec_lab_run(&lab, codes[code], counts[code]), SVMC_OK);
        again.mode = LAB_BUSY;
        again.every = true;
        again.fail_at = 1;
        again.copies = i / 6 % 2;
        st = exec_lab_run(&again, codes[code], counts[code]);
        CHECK_EQ(st == SVMC_OK ? exec_lab_go_on(&again) : st, SVMC_OK, "%u", i);
        CHECK_EQ(again.out.action, lab.out.action, "%u", i);
        CHECK_EQ(again.out.reason, lab.out.reason, "%u", i);
        CHECK_MEM(&again.out.fault, &lab.out.fault, sizeof lab.out.fault, "%u", i);
        CHECK_MEM(&again.regs, &lab.regs, sizeof lab.regs, "%u", i);
        CHECK_MEM(again.ram, lab.ram, sizeof lab.ram, "%u", i);
        CHECK_EQ(again.logged, lab.logged, "%u", i);
        CHECK(lab.logged <= SVMC_EXEC_ACCESSES_MAX, "%u", i);
        done += lab.out.action == SVMC_EXEC_DONE;
        inner += lab.out.action == SVMC_EXEC_DONE && code == 0 && lab.regs.cpl == 0;
        if (i % 4 == 0 && lab.calls != 0)
            fail_one(codes[code], counts[code], i);
    }
    CHECK(done > 600 && inner > 100, "%u, %u", done, inner);
}
