/* SPDX-License-Identifier: MIT */
/* What went wrong in the emulators of others, by its name; XE-24: docs/spec/exec.md, end. */
#include "exec_lab.h"

#define DATA (LAB_LINEAR + 0x100)
#define CODE (LAB_LINEAR + 0x2000)

static struct exec_lab lab;

static void open_64(void)
{
    exec_lab_open(&lab, SVMC_ISA_X86_64);
    lab.regs.general[SVMC_REG_RBX] = DATA;
}

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static enum svmc_status fetch(uint64_t rip)
{
    lab.regs.rip = rip;
    return svmc_exec_x86_fetch(&lab.x, &lab.cpu, &lab.regs, &lab.insn, &lab.out);
}

static void put_code(uint64_t at, const void *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        exec_lab_store(&lab, at + i, 1, ((const uint8_t *)bytes)[i]);
}

TEST(exec_regressions, xsa_123_override_on_a_register) /* XE-3 XSA-123 CVE-2015-2151 */
{
    struct exec_lab before;

    open_64();
    before = lab;
    CHECK_EQ(RUN(0x64, 0x89, 0xd8), SVMC_OK); /* MOV FS:EAX, EBX, which is MOV EAX, EBX */
    CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
    CHECK_EQ(lab.out.reason, SVMC_EXEC_REASON_NO_ACCESS);
    CHECK_EQ(lab.calls, 0);
    CHECK(memcmp(&before.regs, &lab.regs, sizeof lab.regs) == 0);
}

TEST(exec_regressions, xsa_191_null_segment) /* XE-13 XSA-191 CVE-2016-9386 */
{
    for (unsigned stale = 0; stale < 4; stale++) { /* what vendors leave in base and limit */
        exec_lab_open(&lab, SVMC_ISA_X86_32);
        lab.regs.segment[SVMC_SEG_FS].rights = SVMC_RIGHTS_UNUSABLE | SVMC_RIGHTS_WRITABLE;
        lab.regs.segment[SVMC_SEG_FS].base = stale & 1 ? LAB_LINEAR : 0;
        lab.regs.segment[SVMC_SEG_FS].limit = stale & 2 ? 0xffffffff : 0;
        CHECK_EQ(RUN(0x64, 0x8a, 0x03), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
        CHECK_EQ(lab.out.fault.vector, 13);
        CHECK_EQ(lab.calls, 0);
    }
}

TEST(exec_regressions, xsa_195_bit_far_outside) /* XE-22 XSA-195 CVE-2016-9383 */
{
    static const struct {
        uint64_t offset, linear; /* 0: not canonical */
        unsigned bit;
    } rows[] = {
        { 0, DATA, 0 },
        { 63, DATA, 63 },
        { 64, DATA + 8, 0 },
        { ~(uint64_t)0, DATA - 8, 63 },
        { (uint64_t)-64, DATA - 8, 0 },
        { (uint64_t)-65, DATA - 16, 63 },
        { 8 * 0x2f00, DATA + 0x2f00, 0 },
        { (uint64_t)1 << 62, 0, 0 },
        { (uint64_t)1 << 63, 0, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_64();
        lab.regs.general[SVMC_REG_RCX] = rows[i].offset;
        CHECK_EQ(RUN(0x48, 0x0f, 0xab, 0x0b), SVMC_OK); /* BTS [RBX], RCX */
        if (rows[i].linear == 0) {
            CHECK_EQ(lab.out.fault.vector, 13, "row %zu", i);
            CHECK_EQ(lab.calls, 0, "row %zu", i);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %zu", i);
        CHECK_EQ(exec_lab_load(&lab, rows[i].linear, 8), (uint64_t)1 << rows[i].bit, "row %zu", i);
    }
}

TEST(exec_regressions, xsa_200_cmpxchg8b_with_66) /* XE-11 XSA-200 CVE-2016-9932 */
{
    open_64();
    exec_lab_store(&lab, DATA, 8, 0x1111111122222222);
    exec_lab_store(&lab, DATA + 8, 8, 0x3333333333333333);
    lab.regs.general[SVMC_REG_RAX] = 0xaaaaaaaa00000000;
    CHECK_EQ(RUN(0x66, 0x0f, 0xc7, 0x0b), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0x22222222);
    CHECK_EQ(lab.regs.general[SVMC_REG_RDX], 0x11111111);
    CHECK_EQ(lab.log[0].bytes, 8);
    CHECK_EQ(lab.log[1].bytes, 8);
    CHECK_EQ(exec_lab_load(&lab, DATA + 8, 8), 0x3333333333333333);
}

/* XSA-190, CVE-2016-7777, CVE-2011-1780 */
TEST(exec_regressions, xsa_190_and_cve_2011_1780_swapped_after_the_fetch) /* XE-3 */
{
    open_64();
    put_code(CODE, "\x89\x03", 2); /* MOV [RBX], EAX */
    CHECK_EQ(fetch(CODE), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
    put_code(CODE, "\x0f\x30", 2); /* WRMSR */
    lab.regs.general[SVMC_REG_RAX] = 0x77;
    CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), 0x77);
}

/* XSA-190: what it is found out to be is gated by what was decoded, not by what the exit was. */
TEST(exec_regressions, cve_2016_7777_no_vector_past_the_switch) /* XE-25 XSA-190 CVE-2016-7777 */
{
    static const struct {
        uint8_t count, bytes[6], cr0, vector;
    } rows[] = { { 3, { 0x0f, 0x10, 0x03 }, 8, 7 },                     /* MOVUPS XMM0, [RBX]; TS */
                 { 3, { 0x0f, 0x10, 0x03 }, 4, 6 },                     /* EM */
                 { 3, { 0x0f, 0x6f, 0x03 }, 8, 7 },                     /* MOVQ MM0, [RBX] */
                 { 4, { 0xc5, 0xfc, 0x10, 0x03 }, 8, 7 },               /* VMOVUPS YMM0, [RBX] */
                 { 2, { 0xd9, 0x03 }, 8, 7 },                           /* FLD m32 */
                 { 2, { 0xd9, 0x03 }, 4, 7 },                           /**/
                 { 3, { 0x0f, 0xae, 0x03 }, 8, 7 },                     /* FXSAVE */
                 { 6, { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x03 }, 8, 7 } }; /* VMOVUPS ZMM0 */

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_64();
        put_code(CODE, "\x89\x03", 2); /* the exit's: MOV [RBX], EAX */
        put_code(CODE, rows[i].bytes, rows[i].count);
        CHECK_EQ(fetch(CODE), SVMC_OK);
        lab.calls = 0;
        lab.regs.cr0 |= rows[i].cr0;
        CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %zu", i);
        CHECK_EQ(lab.out.fault.vector, rows[i].vector, "row %zu", i);
        CHECK_EQ(lab.calls, 0, "row %zu", i);
    }
}

/* Another vCPU has put it there before the fetch, while a program at CPL 3 touched a device. */
TEST(exec_regressions, cve_2010_0298_0306_0419_the_level_is_asked_for) /* XE-17 XS-4 */
{
    static const struct {
        uint8_t count, bytes[4], iopl, vector;
        uint16_t error;
    } rows[] = {
        { 2, { 0x8e, 0x13 }, 0, 13, 0x10 },       /* CVE-2010-0419: MOV SS, [RBX]: DPL 0 */
        { 2, { 0x8e, 0x1b }, 0, 13, 0x10 },       /* MOV DS */
        { 3, { 0x0f, 0xb4, 0x0b }, 0, 13, 0x10 }, /* LFS ECX, [RBX] */
        { 2, { 0xff, 0x2b }, 0, 13, 0x10 },       /* JMP FAR [RBX] */
        { 1, { 0xec }, 0, 13, 0 },                /* CVE-2010-0306: IN AL, DX with IOPL 0 */
        { 1, { 0xef }, 2, 13, 0 },                /* OUT DX, EAX */
        { 1, { 0xec }, 3, 0, 0 },                 /* with IOPL 3 it may */
        { 1, { 0x6c }, 1, 13, 0 },                /* INSB */
        { 2, { 0x89, 0x23 }, 3, 14, 7 },          /* CVE-2010-0298: the kernel's memory */
        { 2, { 0x8b, 0x23 }, 3, 14, 5 },          /**/
        { 2, { 0xff, 0x33 }, 3, 14, 5 },          /* PUSH [RBX] */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const bool memory = rows[i].vector == 14;
        struct svmc_exec_x86 before;

        exec_lab_open(&lab, SVMC_ISA_X86_32);
        lab.regs.general[SVMC_REG_RBX] = DATA;
        lab.regs.general[SVMC_REG_RDI] = DATA;
        lab.regs.cpl = 3;
        lab.regs.rflags |= (uint64_t)rows[i].iopl << 12;
        lab.regs.task.rights = SVMC_RIGHTS_UNUSABLE;
        lab.regs.gdt = (struct svmc_exec_table){ .base = CODE, .limit = 0x1f };
        exec_lab_store(&lab, CODE + 0x10, 8, 0x00cf93000000ffff);
        exec_lab_store(&lab, DATA, 2, 0x10);
        exec_lab_store(&lab, DATA + 4, 2, 0x10);
        lab.supervisor[0] = memory;
        before = lab.regs;
        CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK);
        if (rows[i].vector == 0) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %zu", i);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %zu", i);
        CHECK_EQ(lab.out.fault.vector, rows[i].vector, "row %zu", i);
        CHECK_EQ(lab.out.fault.error, rows[i].error, "row %zu", i);
        CHECK_MEM(&lab.regs, &before, sizeof before, "row %zu", i);
        CHECK_EQ(exec_lab_load(&lab, CODE + 0x10, 8), 0x00cf93000000ffff, "row %zu", i);
    }
}

/* XSA-105, XSA-106, XSA-110 */
TEST(exec_regressions, xsa_105_privilege_is_asked_for) /* XE-17 */
{
    static const struct {
        uint8_t count, bytes[4];
    } rows[] = { { 1, { 0xf4 } },
                 { 3, { 0x0f, 0x01, 0x13 } }, /* LGDT [RBX] */
                 { 3, { 0x0f, 0x01, 0x1b } }, /* LIDT */
                 { 3, { 0x0f, 0x01, 0x33 } }, /* LMSW */
                 { 3, { 0x0f, 0x00, 0x13 } }, /* LLDT */
                 { 3, { 0x0f, 0x00, 0x1b } }, /* LTR */
                 { 3, { 0x0f, 0x01, 0x3b } }, /* INVLPG */
                 { 2, { 0x0f, 0x09 } },       /* WBINVD */
                 { 2, { 0x0f, 0x30 } } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint8_t cpl = 1; cpl <= 3; cpl++) {
            open_64();
            lab.regs.cpl = cpl;
            CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %zu", i);
            CHECK_EQ(lab.out.fault.vector, 13, "row %zu", i);
            CHECK_EQ(lab.calls, 0, "row %zu", i);
        }
    open_64();
    lab.regs.cpl = 3;
    CHECK_EQ(RUN(0x0f, 0x01, 0x03), SVMC_OK); /* SGDT */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    lab.regs.cr4 = 0x800; /* UMIP */
    CHECK_EQ(RUN(0x0f, 0x01, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
}

/* XSA-204, CVE-2016-10013: who emulates SYSCALL with TF set steps in the kernel, or nowhere. It is
 * never finished: CVE-2012-0045 comes from finishing it where the processor has none. */
TEST(exec_regressions, xsa_204_cve_2012_0045_system_calls_are_nobodys) /* XE-16 XE-20 */
{
    static const uint8_t codes[][3] = {
        { 0x0f, 0x05 },       { 0x0f, 0x34 }, { 0x0f, 0x35 }, { 0x0f, 0x07 },
        { 0x48, 0x0f, 0x07 }, { 0xcd, 0x80 }, { 0xcc },       { 0xf1 }
    };
    static const uint8_t isas[] = { SVMC_ISA_X86_16, SVMC_ISA_X86_32, SVMC_ISA_X86_64 };

    for (unsigned n = 0; n < 8 * 3 * 4 * 2; n++) {
        struct svmc_exec_x86 before;

        exec_lab_open(&lab, isas[n / 8 % 3]);
        lab.regs.cpl = n / 24 & 3;
        lab.regs.rflags |= n / 96 ? 0x100 : 0; /* TF */
        before = lab.regs;
        if (svmc_insn_decode(&lab.cpu, codes[n & 7], 3, &lab.insn) != SVMC_OK)
            continue;
        CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED, "%u", n);
        CHECK_EQ(lab.out.trap, 0, "%u", n);
        CHECK_EQ(lab.calls, 0, "%u", n);
        CHECK_MEM(&lab.regs, &before, sizeof before, "%u", n);
    }
    for (unsigned mode = 0; mode < 2; mode++) { /* what is finished steps once it is done */
        open_64();
        lab.regs.rflags |= 0x100;
        lab.mode = mode ? LAB_BUSY : LAB_OK;
        lab.fail_at = 1;
        CHECK_EQ(RUN(0xff, 0x13), SVMC_OK); /* CALL [RBX] */
        if (mode) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
            CHECK_EQ(lab.out.trap, 0);
            CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK);
        }
        CHECK_EQ(lab.out.trap, 1);
        CHECK_EQ(lab.out.fault.vector, 1);
        CHECK_EQ(lab.regs.rip, 0);
    }
}

/* A fault in the middle, with the flags that the operation would have made: none is left. */
TEST(exec_regressions, cve_2025_27465_flags_of_what_faults) /* XE-9 XE-18 CVE-2025-27465 */
{
    static const struct {
        uint8_t count, bytes[5];
    } rows[] = { { 2, { 0x01, 0x03 } },
                 { 2, { 0x11, 0x03 } }, /* ADD, ADC [RBX], EAX */
                 { 2, { 0x19, 0x03 } },
                 { 2, { 0x21, 0x03 } }, /* SBB, AND */
                 { 2, { 0x31, 0x03 } },
                 { 3, { 0xf0, 0x29, 0x03 } }, /* XOR, LOCK SUB */
                 { 2, { 0xff, 0x03 } },
                 { 2, { 0xff, 0x0b } }, /* INC, DEC */
                 { 2, { 0xf7, 0x1b } },
                 { 2, { 0xd3, 0x13 } }, /* NEG, RCL CL */
                 { 2, { 0xd1, 0x2b } },
                 { 3, { 0x0f, 0xa5, 0x03 } }, /* SHR, SHLD CL */
                 { 3, { 0x0f, 0xab, 0x03 } },
                 { 3, { 0x0f, 0xc1, 0x03 } }, /* BTS, XADD */
                 { 3, { 0x0f, 0xb1, 0x03 } },
                 { 3, { 0x0f, 0xc7, 0x0b } }, /* CMPXCHG, 8B */
                 { 2, { 0xf7, 0x33 } },
                 { 2, { 0xf7, 0x3b } }, /* DIV, IDIV: #DE */
                 { 2, { 0x03, 0x03 } },
                 { 2, { 0x39, 0x03 } },               /* ADD EAX, CMP */
                 { 4, { 0xf3, 0x0f, 0xb8, 0x03 } } }; /* POPCNT */

    for (unsigned n = 0; n < sizeof rows / sizeof rows[0] * 4; n++) {
        const bool reads = n / 4 >= 18, divides = n / 4 == 16 || n / 4 == 17;
        const uint64_t flags = n & 1 ? 0xcd7 : 2;
        struct exec_lab before;

        open_64();
        lab.regs.general[SVMC_REG_RCX] = 3;
        lab.regs.general[SVMC_REG_RDX] = 1;
        lab.regs.rflags = flags;
        lab.absent[0] = n & 2 || reads;
        lab.read_only[0] = true;
        if (divides && !(n & 2))
            exec_lab_store(&lab, DATA, 4, 0);
        before = lab;
        CHECK_EQ(exec_lab_run(&lab, rows[n / 4].bytes, rows[n / 4].count), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %u", n / 4);
        CHECK_EQ(lab.out.fault.vector, divides && !(n & 2) ? 0 : 14, "row %u", n / 4);
        CHECK_MEM(&lab.regs, &before.regs, sizeof before.regs, "row %u", n / 4);
        CHECK_MEM(lab.ram, before.ram, sizeof before.ram, "row %u", n / 4);
    }
}

/* Entries that end behind their table, of each instruction that loads one: nothing of the table is
 * read, which in XSA-298 was whatever lay there. */
TEST(exec_regressions, xsa_298_no_entry_outside_of_its_table) /* XS-2 XSA-298 */
{
    static const struct {
        uint8_t count, bytes[4];
        bool stack, wide; /* the selector is popped; an entry of 16 bytes */
    } rows[] = {
        { 2, { 0xff, 0x2b }, false, false },
        { 2, { 0xff, 0x1b }, false, false },
        { 1, { 0xcb }, true, false },
        { 1, { 0xcf }, true, false },
        { 2, { 0x8e, 0x13 }, false, false },
        { 2, { 0x8e, 0x23 }, false, false },
        { 3, { 0x0f, 0xb2, 0x23 }, false, false },
        { 3, { 0x0f, 0x00, 0x13 }, false, true },
        { 3, { 0x0f, 0x00, 0x1b }, false, true },
    };

    for (unsigned n = 0; n < sizeof rows / sizeof rows[0] * 2 * 2 * 17; n++) {
        const unsigned row = n / 68, limit = 0x10 + n % 17, bytes = 8;
        const bool local = n / 17 & 1, absent = n / 34 & 1, system = rows[row].wide;
        const uint64_t at = rows[row].stack ? LAB_LINEAR + 0x3800 + 4 : DATA;
        const bool pointer = rows[row].bytes[0] == 0xff || rows[row].bytes[1] == 0xb2;

        if ((system || absent) && local != absent)
            continue; /* these are no entries of an LDT */
        exec_lab_open(&lab, SVMC_ISA_X86_32);
        lab.regs.general[SVMC_REG_RBX] = DATA;
        lab.regs.gdt = (struct svmc_exec_table){ .base = CODE, .limit = (uint16_t)limit };
        lab.regs.local = (struct svmc_exec_segment){ .base = CODE, .limit = limit };
        if (absent) /* the LDT that most systems do not have, with whatever limit is left */
            lab.regs.local = (struct svmc_exec_segment){ .base = CODE,
                                                         .limit = 0xffffffff,
                                                         .rights = SVMC_RIGHTS_UNUSABLE };
        exec_lab_store(&lab, CODE + 0x10, 8,
                       system
                           ? (rows[row].bytes[2] == 0x1b ? 0x0000890000000067 : 0x0000820000000067)
                       : rows[row].stack || rows[row].bytes[0] == 0xff ? 0x00cf9b000000ffff
                                                                       : 0x00cf93000000ffff);
        exec_lab_store(&lab, at + (pointer ? 4 : 0), 4, local ? 0x14 : 0x10);
        if (rows[row].bytes[0] == 0xcf)
            exec_lab_store(&lab, at + 4, 4, 2);
        CHECK_EQ(exec_lab_run(&lab, rows[row].bytes, rows[row].count), SVMC_OK);
        if (!absent && limit >= 0x10 + bytes - 1) {
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u, limit %x", row, limit);
            continue;
        }
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "row %u, limit %x", row, limit);
        CHECK_EQ(lab.out.fault.vector, 13, "row %u, limit %x", row, limit);
        CHECK_EQ(lab.out.fault.error, local ? 0x14 : 0x10, "row %u, limit %x", row, limit);
        for (unsigned i = 0; i < lab.logged; i++) /* the lab's third page is its second last one */
            CHECK(lab.log[i].at / LAB_PAGE != 1, "row %u, limit %x", row, limit);
    }
}

/* What a register had before is no part of what a far transfer leaves in it. */
TEST(exec_regressions, cve_2016_9756_a_segment_is_written_whole) /* XS-4 XS-7 CVE-2016-9756 */
{
    static const struct {
        uint8_t count, bytes[3], isa;
    } rows[] = { { 2, { 0xff, 0x2b }, SVMC_ISA_X86_64 }, { 2, { 0xff, 0x1b }, SVMC_ISA_X86_64 },
                 { 2, { 0x48, 0xcb }, SVMC_ISA_X86_64 }, { 2, { 0x48, 0xcf }, SVMC_ISA_X86_64 },
                 { 2, { 0xff, 0x2b }, SVMC_ISA_X86_32 }, { 1, { 0xcb }, SVMC_ISA_X86_32 },
                 { 1, { 0xcf }, SVMC_ISA_X86_32 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exec_segment got[2][2];

        for (unsigned stale = 0; stale < 2; stale++) {
            const unsigned unit = rows[i].bytes[0] == 0x48 ? 8 : 4;
            const uint64_t cs = rows[i].isa == SVMC_ISA_X86_64 ? 0x18 : 0x08, top = LAB_LINEAR;
            const uint64_t frame[5] = { 0x2000, cs | 3, 2, top + 0x3f00, 0x13 };

            exec_lab_open(&lab, rows[i].isa);
            memset(&lab.x.priv.vec, stale ? 0xff : 0, sizeof lab.x.priv.vec);
            memset(lab.x.priv.data, stale ? 0xff : 0, sizeof lab.x.priv.data);
            memset(lab.x.priv.store, stale ? 0xff : 0, sizeof lab.x.priv.store);
            for (unsigned k = 0; k < 6; k++) {
                lab.regs.segment[k].selector = stale ? 0xfff8 : 0;
                lab.regs.segment[k].reserved[1] = stale ? 0xffff : 0;
            }
            lab.regs.segment[SVMC_SEG_CS].base = stale ? 0x77770000 : 0;
            lab.regs.segment[SVMC_SEG_CS].limit = stale ? 0xffffffff : 0xffff;
            lab.regs.cpl = rows[i].bytes[0] == 0xff ? 3 : 0;
            lab.regs.efer = rows[i].isa == SVMC_ISA_X86_64 ? 0x500 : 0;
            lab.regs.general[SVMC_REG_RBX] = DATA;
            lab.regs.gdt = (struct svmc_exec_table){ .base = CODE, .limit = 0x1f };
            exec_lab_store(&lab, CODE + 8, 8, 0x12cffb345678fffe);
            exec_lab_store(&lab, CODE + 16, 8, 0x00cff3000000ffff);
            exec_lab_store(&lab, CODE + 24, 8, 0x12affb345678fffe);
            exec_lab_store(&lab, DATA, 6, (cs | 3) << 32 | 0x2000);
            for (unsigned k = 0; k < 5; k++) /* RETF has SS:RSP where IRET has flags */
                exec_lab_store(&lab, top + 0x3800 + k * unit, unit,
                               rows[i].bytes[rows[i].count - 1] == 0xcb && k > 1
                                   ? frame[(k + 1) % 5]
                                   : frame[k]);
            CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u", i);
            got[stale][0] = lab.regs.segment[SVMC_SEG_CS];
            got[stale][1] = lab.regs.segment[SVMC_SEG_SS];
            if (lab.regs.cpl == 3 && rows[i].bytes[0] == 0xff) /* no other stack */
                memset(&got[stale][1], 0, sizeof got[stale][1]);
            CHECK_EQ(got[stale][0].base, 0x12345678, "row %u", i);
            CHECK_EQ(got[stale][0].limit, 0xffffefff, "row %u", i);
            CHECK_EQ(got[stale][0].reserved[1], 0, "row %u", i);
        }
        CHECK_MEM(got[0], got[1], sizeof got[0], "row %u", i);
    }
}

/* CVE-2023-4155 is a GHCB that was read twice (tests/checks/read_once.c has that): of an
 * instruction no byte of the guest's memory is, tables, stacks and code neither. */
TEST(exec_regressions, cve_2023_4155_no_byte_is_read_twice) /* XE-3 XE-11 XS-2 CVE-2023-4155 */
{
    static const struct {
        uint8_t count, bytes[5];
    } rows[] = { { 2, { 0xff, 0x1b } },
                 { 2, { 0xff, 0x2b } }, /* far, by a gate */
                 { 2, { 0x48, 0xcb } },
                 { 2, { 0x48, 0xcf } }, /* RETF, IRETQ */
                 { 2, { 0x8e, 0x13 } },
                 { 3, { 0x0f, 0x00, 0x13 } }, /* MOV SS, LLDT */
                 { 3, { 0x0f, 0xb2, 0x23 } },
                 { 4, { 0xc8, 8, 0, 9 } }, /* LSS, ENTER */
                 { 2, { 0x01, 0x03 } },
                 { 2, { 0xff, 0x33 } }, /* ADD, PUSH */
                 { 3, { 0x0f, 0xc7, 0x0b } },
                 { 2, { 0x8f, 0x03 } }, /* CMPXCHG8B, POP */
                 { 3, { 0x0f, 0xae, 0x2b } },
                 { 3, { 0x0f, 0xae, 0x0b } }, /* XRSTOR, FXRSTOR */
                 { 4, { 0xc5, 0xfc, 0x10, 0x03 } } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint64_t frame[5] = { 0x2000, 0x1b, 2, LAB_LINEAR + 0x3f00, 0x13 };

        open_64();
        lab.regs.efer = 0x500;
        lab.regs.gdt = (struct svmc_exec_table){ .base = CODE, .limit = 0x3f };
        lab.regs.task = (struct svmc_exec_segment){ .base = CODE + 0x100, .limit = 0x67 };
        lab.regs.general[SVMC_REG_RBP] = LAB_LINEAR + 0x1800;
        exec_lab_store(&lab, CODE + 0x08, 8, 0x00008c0000180000); /* a gate to 18 */
        exec_lab_store(&lab, CODE + 0x18, 8, 0x00af9a000000ffff);
        exec_lab_store(&lab, CODE + 0x20, 8, 0x00cf92000000ffff);
        exec_lab_store(&lab, CODE + 0x28, 8, 0x0000820000000067);
        exec_lab_store(&lab, CODE + 0x38, 8, 0);
        for (unsigned k = 0; k < 5; k++)
            exec_lab_store(&lab, LAB_LINEAR + 0x3800 + 8 * k, 8,
                           k == 1   ? 0x18
                           : k == 4 ? 0x20
                                    : frame[k]);
        exec_lab_store(&lab, DATA, 2, rows[i].bytes[1] == 0 ? 0x28 : 0x20);
        if (rows[i].bytes[0] == 0xff || rows[i].bytes[1] == 0xb2)
            exec_lab_store(&lab, DATA + 4, 2, rows[i].bytes[0] == 0xff ? 0x08 : 0x20);
        if (rows[i].bytes[1] == 0xae)
            memset(exec_lab_at(&lab, DATA), 0, 576);
        CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "row %u", i);
        CHECK(lab.logged != 0 && lab.logged <= LAB_LOG, "row %u", i);
        for (unsigned k = 0; k < lab.logged; k++)
            for (unsigned n = 0; n < k; n++)
                CHECK(lab.log[k].kind != SVMC_EXEC_READ || lab.log[n].kind != SVMC_EXEC_READ ||
                          lab.log[k].at >= lab.log[n].at + lab.log[n].bytes ||
                          lab.log[n].at >= lab.log[k].at + lab.log[k].bytes,
                      "row %u, accesses %u and %u", i, n, k);
    }
}

TEST(exec_regressions, cve_2014_3610_wrmsr_of_no_address) /* XE-1 CVE-2014-3610 */
{
    static const uint32_t msrs[] = { 0x175,      0x176,      0xc0000082, 0xc0000083,
                                     0xc0000100, 0xc0000101, 0xc0000102 };

    for (size_t i = 0; i < sizeof msrs / sizeof msrs[0]; i++) {
        open_64();
        lab.regs.general[SVMC_REG_RCX] = msrs[i];
        lab.regs.general[SVMC_REG_RDX] = 0x8000;
        CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK);
        CHECK_EQ(lab.out.fault.vector, 13);
        CHECK_EQ(lab.calls, 0);
        lab.regs.general[SVMC_REG_RDX] = 0xffff8000;
        CHECK_EQ(RUN(0x0f, 0x30), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.msr_value, 0xffff800000000000);
    }
}

/* Every opcode of two maps, with and without memory: an answer, and never an empty slot. */
/* CVE-2014-8480, CVE-2014-8481 */
TEST(exec_regressions, cve_2014_8480_every_row_has_an_answer) /* XE-20 */
{
    static const uint8_t prefixes[] = { 0x90, 0x66, 0xf2, 0xf3, 0xf0 };

    for (unsigned n = 0; n < 5 * 2 * 256 * 16; n++) {
        uint8_t bytes[15] = { prefixes[n & 3 ? n % 5 : 0] };
        unsigned at = bytes[0] != 0x90;

        if (n / 5 & 1)
            bytes[at++] = 0x0f;
        bytes[at++] = (uint8_t)(n / 10);
        bytes[at] = (uint8_t)((n / 2560 & 7) << 3 | (n / 2560 < 8 ? 3 : 5)); /* [RBX], RIP */
        if (n == 0)
            open_64();
        lab.regs.general[SVMC_REG_RBX] = DATA;
        lab.regs.general[SVMC_REG_RSP] = DATA + 0x200;
        lab.regs.general[SVMC_REG_RCX] = 1;
        lab.regs.rflags = 2;
        if (svmc_insn_decode(&lab.cpu, bytes, sizeof bytes, &lab.insn) != SVMC_OK)
            continue;
        CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_OK);
        CHECK(lab.out.action >= SVMC_EXEC_DONE && lab.out.action <= SVMC_EXEC_UNFINISHED,
              "%02x %02x", bytes[0], bytes[1]);
        CHECK((lab.out.reason != 0) == (lab.out.action == SVMC_EXEC_UNFINISHED));
    }
}

static enum svmc_status writes_nothing(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx, (void)at, (void)dst, (void)n;
    return SVMC_OK;
}

TEST(exec_regressions, cve_2024_46794_nothing_stale_comes_out) /* XE-11 CVE-2024-46794 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_64();
    exec_lab_store(&lab, DATA, 8, ~(uint64_t)0);
    CHECK_EQ(RUN(0x48, 0x8b, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], ~(uint64_t)0);
    ops.read = writes_nothing;
    lab.x.priv.ops = &ops;
    CHECK_EQ(RUN(0x48, 0x8b, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0);
    CHECK_EQ(RUN(0x48, 0x03, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 0);
}

TEST(exec_regressions, cve_2017_2583_ss_is_null_where_that_may_be) /* XS-4 CVE-2017-2583 */
{
    for (unsigned cpl = 0; cpl < 4; cpl++)
        for (unsigned rpl = 0; rpl < 4; rpl++) {
            open_64();
            lab.regs.cpl = (uint8_t)cpl;
            exec_lab_store(&lab, DATA, 2, rpl);
            CHECK_EQ(RUN(0x8e, 0x13), SVMC_OK); /* MOV SS, [RBX] */
            if (cpl == rpl && cpl != 3) {
                CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
                CHECK_EQ(lab.regs.segment[SVMC_SEG_SS].rights,
                         SVMC_RIGHTS_UNUSABLE | (uint32_t)cpl << 5);
            } else {
                CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
                CHECK_EQ(lab.out.fault.vector, 13);
            }
        }
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    exec_lab_store(&lab, LAB_LINEAR + 0x3800, 4, 0);
    CHECK_EQ(RUN(0x17), SVMC_OK); /* POP SS */
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.out.fault.vector, 13);
}

TEST(exec_regressions, cve_2018_10853_accesses_carry_the_level) /* XE-17 CVE-2018-10853 */
{
    for (uint8_t cpl = 0; cpl <= 3; cpl++) {
        open_64();
        lab.regs.cpl = cpl;
        lab.supervisor[0] = true;
        CHECK_EQ(RUN(0x48, 0x01, 0x03), SVMC_OK);
        CHECK_EQ((lab.last_access & SVMC_EXEC_USER) != 0, cpl == 3);
        CHECK_EQ(lab.out.action, cpl == 3 ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE);
        CHECK_EQ(RUN(0x89, 0x03), SVMC_OK);
        CHECK_EQ(lab.out.action, cpl == 3 ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE);
    }
}

/* MOV qword [RAX+RCX*8+12345678], 55667788 with a prefix, at every distance from a page's end. */
TEST(exec_regressions, cve_2022_1852_and_libvmm_fetch_at_a_page_end) /* XE-4 XE-5 CVE-2022-1852 */
{
    static const uint8_t code[13] = { 0x65, 0x48, 0xc7, 0x84, 0xc8, 0x78, 0x56,
                                      0x34, 0x12, 0x88, 0x77, 0x66, 0x55 };

    for (unsigned here = 0; here <= sizeof code; here++) {
        uint64_t at = CODE + LAB_PAGE - here;

        open_64();
        put_code(at, code, sizeof code);
        lab.insn.length = 7; /* of an instruction before */
        CHECK_EQ(fetch(at), SVMC_OK);
        CHECK_EQ(lab.insn.length, sizeof code, "%u", here);
        open_64();
        put_code(at, code, here);
        lab.absent[3] = true;
        CHECK_EQ(fetch(at), SVMC_OK);
        if (here == sizeof code) {
            CHECK_EQ(lab.insn.length, sizeof code);
            continue;
        }
        CHECK_EQ(lab.insn.length, 0, "%u", here);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "%u", here);
        CHECK_EQ(lab.out.fault.vector, 14, "%u", here);
        CHECK_EQ(lab.out.fault.error, 16, "%u", here);
        CHECK_EQ(lab.out.fault.address, CODE + LAB_PAGE, "%u", here);
        CHECK_EQ(svmc_exec_x86_start(&lab.x, &lab.regs, &lab.insn, &lab.out), SVMC_ERR_ARG);
    }
}

TEST(exec_regressions, over_long_undefined_and_beyond_the_limit) /* XE-4 */
{
    uint8_t prefixes[16];

    memset(prefixes, 0x66, sizeof prefixes);
    open_64();
    put_code(CODE, prefixes, sizeof prefixes);
    CHECK_EQ(fetch(CODE), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
    put_code(CODE, "\x0f\x0b", 2);
    CHECK_EQ(fetch(CODE), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 6);
    CHECK_EQ(lab.out.fault.has_error, 0);
    CHECK_EQ(lab.insn.refusal, SVMC_REFUSAL_NONE); /* all of it is zero */
    CHECK_EQ(fetch((uint64_t)1 << 47), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
    exec_lab_open(&lab, SVMC_ISA_X86_32);
    lab.regs.segment[SVMC_SEG_CS].base = CODE;
    lab.regs.segment[SVMC_SEG_CS].limit = 0x20;
    put_code(CODE + 0x20, "\x90\x90", 2);
    CHECK_EQ(fetch(0x20), SVMC_OK);
    CHECK_EQ(lab.insn.length, 1);
    put_code(CODE + 0x20, "\x89\x03", 2);
    lab.calls = 0;
    CHECK_EQ(fetch(0x20), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
    CHECK_EQ(lab.calls, 2); /* nothing behind the limit is looked at */
    CHECK_EQ(fetch(0x21), SVMC_OK);
    CHECK_EQ(lab.out.fault.vector, 13);
}

/* CVE-2022-1852 */
TEST(exec_regressions, cve_2022_1852_each_callback_of_a_fetch) /* XE-5 XE-6 XE-7 */
{
    for (unsigned mode = LAB_FAIL; mode <= LAB_LIE; mode++)
        for (unsigned k = 1; k <= 4; k++) {
            open_64();
            put_code(CODE + LAB_PAGE - 1, "\x89\x03", 2);
            lab.mode = (enum exec_lab_mode)mode;
            lab.fail_at = k;
            if (fetch(CODE + LAB_PAGE - 1) == SVMC_OK && lab.out.action == SVMC_EXEC_PENDING) {
                CHECK_EQ(lab.insn.length, 0);
                CHECK_EQ(svmc_exec_x86_resume(&lab.x, &lab.regs, &lab.out), SVMC_ERR_STATE);
                if (lab.x.wait.kind == SVMC_EXEC_READ) {
                    CHECK_EQ(svmc_exec_answer(&lab.x, k == 2 ? "\x89" : "\x03", 1),
                             k == 2 || lab.x.wait.bytes == 1 ? SVMC_OK : SVMC_ERR_ARG);
                    if (k != 2)
                        svmc_exec_drop(&lab.x);
                }
                CHECK_EQ(fetch(CODE + LAB_PAGE - 1), SVMC_OK);
                CHECK_EQ(lab.insn.length, 2, "call %u waits", k);
            } else if (mode != LAB_BUSY) {
                CHECK_EQ(lab.insn.length, 0, "mode %u, call %u", mode, k);
            }
        }
}

TEST(exec_regressions, cve_2021_4093_elements_are_no_bytes) /* XE-12 CVE-2021-4093 */
{
    open_64();
    lab.port_value = 0xbeef;
    lab.regs.general[SVMC_REG_RDI] = DATA;
    lab.regs.general[SVMC_REG_RCX] = 5;
    CHECK_EQ(RUN(0x66, 0xf3, 0x6d), SVMC_OK); /* REP INSW */
    CHECK_EQ(lab.out.iterations, 5);
    CHECK_EQ(lab.regs.general[SVMC_REG_RDI], DATA + 10);
    CHECK_EQ(exec_lab_load(&lab, DATA + 8, 4), 0xbeef);
}

/* CVE-2026-31588 */
TEST(exec_regressions, cve_2026_31588_the_second_half_is_the_records) /* XE-2 */
{
    const uint8_t *store;

    open_64();
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 3;
    lab.regs.general[SVMC_REG_RAX] = 0x8877665544332211;
    lab.mode = LAB_BUSY;
    lab.fail_at = 4;
    CHECK_EQ(RUN(0x48, 0x89, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(lab.x.wait.bytes, 5);
    store = lab.src;
    CHECK(store >= (const uint8_t *)&lab.x && store + 5 <= (const uint8_t *)(&lab.x + 1));
    CHECK_MEM(store, "\x44\x55\x66\x77\x88", 5);
    CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK);
    CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + LAB_PAGE - 3, 8), 0x8877665544332211);
    CHECK_EQ(lab.logged, 2);
}

TEST(exec_regressions, lzcnt_and_tzcnt_by_the_processor_alone) /* XE-20 */
{
    open_64();
    exec_lab_store(&lab, DATA, 4, 0x00010000);
    CHECK_EQ(RUN(0xf3, 0x0f, 0xbd, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 15);
    lab.cpu.features[0] = 0;
    lab.cpu.features[1] = 0;
    CHECK_EQ(RUN(0xf3, 0x0f, 0xbd, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 16); /* BSR */
    exec_lab_store(&lab, DATA, 4, 0);
    CHECK_EQ(RUN(0xf3, 0x0f, 0xbc, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RAX], 16); /* BSF of 0 leaves it */
}
