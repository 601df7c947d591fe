/* SPDX-License-Identifier: MIT */
/** KVM's second chance on a vCPU that is none, with exits as KVM makes them. */
#include "../../harness.h"
#include "fake_vcpu.h"

#define UD        6u
#define PF        14u
#define FLAG_TF   0x100u
#define FLAG_RF   0x10000u
#define DIRTY     0x60u
#define LEAF(i)   (0x4000u + 8u * (i))
#define MEMORY_AT 0x6000u /* of LINEAR_DATA */

static struct fake_lab lab;
static uint8_t device[64];

static const uint8_t popcnt[] = { 0xf3, 0x48, 0x0f, 0xb8, 0x03 };      /* rax, [rbx] */
static const uint8_t crc32[] = { 0xf2, 0x48, 0x0f, 0x38, 0xf1, 0x03 }; /* rax, [rbx] */
static const uint8_t cmpxchg16b[] = { 0xf0, 0x48, 0x0f, 0xc7, 0x0b };  /* lock, [rbx] */
static const uint8_t pxor[] = { 0x66, 0x0f, 0xef, 0x03 };              /* xmm0, [rbx] */
static const uint8_t store[] = { 0x48, 0x89, 0x03 };                   /* mov [rbx], rax */
static const uint8_t lock_add[] = { 0xf0, 0x48, 0x01, 0x03 };          /* [rbx], rax */
static const uint8_t in_eax[] = { 0xed };                              /* eax, dx */
static const uint8_t out_ax[] = { 0x66, 0xef };                        /* dx, ax */
static const uint8_t add_regs[] = { 0x48, 0x01, 0xd8 };                /* rax, rbx */
static const uint8_t no_row[] = { 0x0f, 0xc7, 0x33 };                  /* vmptrld [rbx] */
static const uint8_t undefined[] = { 0x0f, 0x0b };                     /* ud2 */

static uint64_t load(uint32_t at)
{
    uint64_t value;

    memcpy(&value, lab.memory + at, sizeof value);
    return value;
}

static void set_word(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

TEST(kvm_finish, an_access_of_a_device_is_an_exit_of_kvm) /* KV-15 KV-17 KV-22 */
{
    const struct kvm_run *run = &lab.run.run;
    struct fake_vcpu before;

    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, false, 0));
    before = lab.v;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK(svmc_kvm_finish_waits(&lab.f));
    CHECK_MEM(&before, &lab.v, sizeof before); /* nothing has happened to the vCPU */
    CHECK_EQ(run->exit_reason, KVM_EXIT_MMIO);
    CHECK_EQ(run->mmio.phys_addr, FAKE_DEVICE + 0x10);
    CHECK_EQ(run->mmio.len, 8);
    CHECK_EQ(run->mmio.is_write, 0);
    set_word(lab.run.run.mmio.data, 0xf0f0000000000001);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK(!svmc_kvm_finish_waits(&lab.f));
    CHECK_EQ(lab.v.regs.rax, 9);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + 5);
    CHECK_EQ(lab.v.events.exception.injected, 0); /* the #UD that KVM had queued */
    CHECK_EQ(lab.v.events.nmi.pending, 1);
    CHECK_EQ(lab.out.count, sizeof popcnt);
    CHECK_MEM(lab.out.bytes, popcnt, sizeof popcnt);
    before.regs.rax = 9; /* and nothing else has changed */
    before.regs.rip += 5;
    before.events.exception.injected = 0;
    before.events.exception.nr = 0;
    CHECK_MEM(&before, &lab.v, sizeof before);
    CHECK_EQ(lab.sets, 2);
}

TEST(kvm_finish, more_than_eight_bytes_are_pieces) /* KV-17 */
{
    static const uint8_t was[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    static const uint8_t mask[16] = { 0xff, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80 };
    static const uint8_t want[16] = {
        0xfe, 2, 0xfc, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x90
    };
    struct fake_vcpu before;
    enum svmc_status st;

    REQUIRE(fake_open(&lab, pxor, sizeof pxor, false, 0));
    fake_put_xmm(&lab, 0, was);
    fake_put_xmm(&lab, 1, mask);
    before = lab.v;
    memcpy(device + 16, mask, 16);
    CHECK_EQ(fake_go_on(&lab, device, &st), 2);
    CHECK_EQ(st, SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_MEM(lab.v.xsave + 160, want, 16);
    memcpy(before.xsave + 160, want, 16);
    CHECK_MEM(before.xsave, lab.v.xsave, FAKE_XSAVE);
    CHECK_EQ(lab.sets, 3);

    REQUIRE(fake_open(&lab, cmpxchg16b, sizeof cmpxchg16b, false, 0)); /* KV-20: no memory */
    set_word(device + 16, 0x1111);
    set_word(device + 24, 0x2222);
    lab.v.regs.rbx = LINEAR_DEVICE + 0x10;
    CHECK_EQ(fake_go_on(&lab, device, &st), 4);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(device[16], 0x10); /* RBX, RCX */
    CHECK_EQ(device[24], 3);
    CHECK((lab.v.regs.rflags & 0x40) != 0);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + sizeof cmpxchg16b);
}

TEST(kvm_finish, registers_that_were_not_in_use_are_zero) /* KV-21 */
{
    static const uint8_t zero[16];
    enum svmc_status st;

    REQUIRE(fake_open(&lab, pxor, sizeof pxor, false, 0));
    memset(lab.v.xsave + 160, 0xaa, 256); /* what lies there is nobody's */
    for (unsigned i = 0; i < 16; i++)
        device[16 + i] = (uint8_t)(i * 17);
    CHECK_EQ(fake_go_on(&lab, device, &st), 2);
    CHECK_MEM(lab.v.xsave + 160, device + 16, 16);
    CHECK_MEM(lab.v.xsave + 176, zero, 16); /* in use from now on */
    CHECK_EQ(lab.v.xsave[512], 2);
}

TEST(kvm_finish, memory_is_found_by_the_guests_own_tables) /* KV-18 */
{
    REQUIRE(fake_open(&lab, store, sizeof store, false, 0));
    lab.v.regs.rbx = LINEAR_DATA + 8;
    CHECK_EQ(load(LEAF(1)) & DIRTY, 0);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(load(MEMORY_AT + 8), 0x1111);
    CHECK_EQ(load(LEAF(0)) & DIRTY, 0x20); /* fetched */
    CHECK_EQ(load(LEAF(1)) & DIRTY, DIRTY);
    CHECK_EQ(load(LEAF(2)) & DIRTY, 0);
}

TEST(kvm_finish, a_lock_is_kept) /* KV-20 */
{
    REQUIRE(fake_open(&lab, lock_add, sizeof lock_add, false, 0));
    lab.v.regs.rbx = LINEAR_DATA + FAKE_PAGE - 3; /* two pages, side by side in memory */
    lab.memory[MEMORY_AT + FAKE_PAGE - 3] = 0xff;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(load(MEMORY_AT + FAKE_PAGE - 3), 0x1111 + 0xff);
    REQUIRE(fake_open(&lab, cmpxchg16b, sizeof cmpxchg16b, false, 0));
    lab.v.regs.rbx = LINEAR_DATA + 16;
    set_word(lab.memory + MEMORY_AT + 16, 0x1111);
    set_word(lab.memory + MEMORY_AT + 24, 0x2222);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(load(MEMORY_AT + 16), LINEAR_DATA + 16);
    CHECK_EQ(load(MEMORY_AT + 24), 3);
}

/* What no processor replaces in one step is read, then written. */
TEST(kvm_finish, a_lock_across_two_pieces_is_kvms) /* KV-20 XE-10 */
{
    static const uint8_t zero[8];
    static const uint8_t zero_and_carry[7] = { 0x12 };
    enum svmc_status st;

    REQUIRE(fake_open(&lab, lock_add, sizeof lock_add, true, 0));
    lab.v.sregs.ss.dpl = 0; /* the kernel writes to what it may only read */
    lab.v.sregs.cr0 &= ~(uint64_t)0x10000;
    lab.v.regs.rbx = LINEAR_ROM - 4;
    set_word(lab.memory + 0xa000 - 4, 0x0400000000f00000); /* 4 of memory, 4 of a device */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.reads, 0); /* a ROM */
    CHECK_EQ(lab.writes, 1);
    CHECK_EQ(load(0xa000 - 4), 0x0400000000f01111);
    CHECK_EQ(lab.wrote[3], 4);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + sizeof lock_add);
    REQUIRE(fake_open(&lab, lock_add, sizeof lock_add, true, 0));
    lab.v.sregs.ss.dpl = 0;
    lab.v.sregs.cr0 &= ~(uint64_t)0x10000;
    lab.v.regs.rbx = LINEAR_ROM; /* no memory to who writes */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.writes, 1);
    CHECK_MEM(lab.memory + 0xa000, zero, 8);
    REQUIRE(fake_open(&lab, lock_add, sizeof lock_add, false, 0));
    lab.v.regs.rbx = LINEAR_DEVICE - 3; /* pages that lie apart: 3 of memory, 5 by exits */
    set_word(lab.memory + 0x8000 - 8, 0xfff0000000000000);
    memset(device, 0, sizeof device);
    CHECK_EQ(fake_go_on(&lab, device, &st), 2);
    CHECK_EQ(st, SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(load(0x8000 - 8), 0x0001110000000000);
    CHECK_EQ(device[0], 1);
    for (unsigned i = 0; i < 2; i++) { /* the carry goes over; the other way round, too */
        REQUIRE(fake_open(&lab, lock_add, sizeof lock_add, false, 0));
        const uint32_t first = i == 0 ? 0x6000 : 0x7000, second = i == 0 ? 0xb000 : 0x6000;

        set_word(lab.memory + LEAF(1), first | 7);
        set_word(lab.memory + LEAF(2), second | 7);
        lab.v.regs.rbx = LINEAR_DATA + FAKE_PAGE - 1;
        lab.memory[first + FAKE_PAGE - 1] = 0xff;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        CHECK_EQ(lab.memory[first + FAKE_PAGE - 1], 0x10);
        CHECK_MEM(lab.memory + second, zero_and_carry, 7);
    }
}

TEST(kvm_finish, what_was_exchanged_for_it_is_not_executed) /* KV-16 CVE-2011-1780 */
{
    struct fake_vcpu before;

    for (unsigned at = 0; at < sizeof popcnt; at++) {
        REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, false, 0));
        before = lab.v;
        lab.run.run.emulation_failure.insn_bytes[at] ^= 1;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN, "%u", at);
        CHECK_MEM(&before.regs, &lab.v.regs, sizeof before.regs);
        CHECK_EQ(lab.v.events.exception.injected, 0); /* it is entered at it, without the #UD */
    }
    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, false, 0));
    lab.run.run.emulation_failure.insn_bytes[sizeof popcnt] ^= 1; /* behind it */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    svmc_kvm_finish_drop(&lab.f);
    CHECK(!svmc_kvm_finish_waits(&lab.f));
    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, false, 0));
    fake_fail_emulation(&lab, false); /* KVM that does not say */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
}

TEST(kvm_finish, a_fault_is_on_its_way_and_nothing_else) /* KV-22 */
{
    static const struct {
        char name[20];
        uint64_t at;
        uint8_t vector, error;
        uint64_t cr2;
    } rows[] = {
        { "absent", LINEAR_ABSENT + 8, PF, 6, LINEAR_ABSENT + 8 },
        { "of the kernel", LINEAR_KERNEL, PF, 7, LINEAR_KERNEL },
        { "read-only", LINEAR_CONST + 1, PF, 7, LINEAR_CONST + 1 },
        { "second page", LINEAR_ABSENT - 4, PF, 6, LINEAR_ABSENT },
        { "not canonical", 0x8000000000000000, 13, 0, 0 },
    };
    struct fake_vcpu before;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        REQUIRE(fake_open(&lab, store, sizeof store, false, 0));
        lab.v.regs.rbx = rows[i].at;
        before = lab.v;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "%s", rows[i].name);
        CHECK_EQ(lab.v.events.exception.injected, 1);
        CHECK_EQ(lab.v.events.exception.nr, rows[i].vector, "%s", rows[i].name);
        CHECK_EQ(lab.v.events.exception.has_error_code, 1);
        CHECK_EQ(lab.v.events.exception.error_code, rows[i].error, "%s", rows[i].name);
        CHECK_EQ(lab.v.sregs.cr2, rows[i].cr2, "%s", rows[i].name);
        CHECK_EQ(lab.v.regs.rflags, before.regs.rflags | FLAG_RF);
        before.regs.rflags |= FLAG_RF;
        CHECK_MEM(&before.regs, &lab.v.regs, sizeof before.regs, "%s", rows[i].name);
    }
    REQUIRE(fake_open(&lab, undefined, sizeof undefined, false, 0));
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    if (lab.out.action == SVMC_EXEC_FAULT) /* else no row has UD2 */
        CHECK_EQ(lab.v.events.exception.nr, UD);
}

TEST(kvm_finish, the_single_step_of_both) /* KV-15 KV-22 */
{
    struct kvm_run *run = &lab.run.run;

    REQUIRE(fake_open(&lab, store, sizeof store, false, 0));
    lab.v.regs.rbx = LINEAR_DATA;
    lab.v.regs.rflags |= FLAG_TF; /* the guest's own */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.events.exception.injected, 1);
    CHECK_EQ(lab.v.events.exception.nr, 1);
    CHECK_EQ(lab.v.events.exception.has_error_code, 0);
    CHECK_EQ(lab.v.debug.dr6, 0x4000);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + sizeof store);

    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, true, 0)); /* KVM's */
    memset(&lab.v.events.exception, 0, sizeof lab.v.events.exception);
    run->exit_reason = KVM_EXIT_DEBUG;
    run->debug.arch = (struct kvm_debug_exit_arch){ .exception = 1, .dr6 = 0xffff4ff0 };
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.regs.rax, 8 * 2);  /* 0x11 each */
    run->debug.arch.dr6 = 0xffff0ff1; /* a breakpoint */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
}

TEST(kvm_finish, what_is_not_its_exit_is_left_alone) /* KV-15 KV-23 */
{
    static const uint32_t reasons[] = { KVM_EXIT_MMIO,     KVM_EXIT_IO,         KVM_EXIT_HLT,
                                        KVM_EXIT_SHUTDOWN, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_INTR,
                                        KVM_EXIT_X86_RDMSR };
    struct kvm_run *run = &lab.run.run;
    struct fake_vcpu before;

    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, true, 0));
    before = lab.v;
    for (unsigned i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        run->exit_reason = reasons[i];
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED, "%u", reasons[i]);
    }
    fake_fail_emulation(&lab, true);
    for (uint32_t sub = 2; sub < 6; sub++) {
        run->internal.suberror = sub;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED, "%u", sub);
    }
    run->internal.suberror = 1;
    run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_STATE);
    CHECK_EQ(lab.calls, 0);
    run->kvm_dirty_regs = 0;
    lab.v.events.exception.nr = 13; /* not KVM's #UD */
    before.events.exception.nr = 13;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_STATE);
    CHECK_MEM(&before, &lab.v, sizeof before);
    lab.v.events.exception.nr = before.events.exception.nr = UD;
    lab.v.events.interrupt.injected = before.events.interrupt.injected = 1; /* on its way, too */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_STATE);
    CHECK_MEM(&before, &lab.v, sizeof before);
    lab.v.events.interrupt.injected = before.events.interrupt.injected = 0;
    lab.v.events.nmi.injected = before.events.nmi.injected = 1;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_STATE);
    CHECK_MEM(&before, &lab.v, sizeof before);
    CHECK_EQ(svmc_kvm_finish_exit(NULL, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, NULL), SVMC_ERR_ARG);
    memset(&lab.f, 0, sizeof lab.f);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_ARG);
}

TEST(kvm_finish, what_cannot_be_finished_is_named) /* KV-25 KV-26 */
{
    static const struct {
        const uint8_t *code;
        size_t n;
        const char *text;
    } rows[] = {
        { no_row, sizeof no_row,
          "vmptrld qword ptr [rbx] (0f c7 33): no row of this build finishes it" },
        { add_regs, sizeof add_regs,
          "add rax, rbx (48 01 d8): its operands are registers, nothing of it had to exit" },
    };
    char text[SVMC_KVM_FINISH_TEXT_MAX], cut[20];
    struct fake_vcpu before;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        REQUIRE(fake_open(&lab, rows[i].code, rows[i].n, true, 0));
        lab.v.sregs.ss.dpl = 0;
        before = lab.v;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_UNFINISHED);
        CHECK_MEM(&before, &lab.v, sizeof before);
        CHECK_EQ(svmc_kvm_finish_format(&lab.out, text, sizeof text), SVMC_OK);
        CHECK(strstr(text, rows[i].text) != NULL, "%s", text);
        CHECK_EQ(svmc_kvm_finish_format(&lab.out, cut, sizeof cut), SVMC_ERR_FULL);
        CHECK_EQ(strlen(cut), sizeof cut - 1);
        CHECK_MEM(cut, text, sizeof cut - 1);
    }
    CHECK_EQ(svmc_kvm_finish_format(&lab.out, NULL, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_format(NULL, text, sizeof text), SVMC_ERR_ARG);
    CHECK_EQ(text[0], 0);
}

TEST(kvm_finish, code_and_tables_lie_in_memory) /* KV-18 */
{
    REQUIRE(fake_open(&lab, store, sizeof store, true, 0));
    lab.v.regs.rip = LINEAR_DEVICE;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_REFUSED);
    lab.v.regs.rip = LINEAR_CODE;
    lab.v.regs.rbx = LINEAR_NOTABLE;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_REFUSED);
    CHECK_EQ(lab.sets, 0);
    lab.v.regs.rbx = LINEAR_ROM; /* to who writes, a device */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.writes, 1);
    CHECK_EQ(load(0xa000), 0);
}

TEST(kvm_finish, devices_of_the_vmm_may_answer_wait_or_fail) /* KV-17 */
{
    REQUIRE(fake_open(&lab, crc32, sizeof crc32, true, 0));
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.reads, 1);
    REQUIRE(fake_open(&lab, crc32, sizeof crc32, true, 0));
    lab.device = SVMC_ERR_BUSY;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(lab.run.run.exit_reason, KVM_EXIT_MMIO);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.reads, 1); /* not asked again */
    REQUIRE(fake_open(&lab, crc32, sizeof crc32, true, 0));
    lab.device = SVMC_ERR_REFUSED;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.out.exec.callback, SVMC_EXEC_READ); /* KV-27 */
    CHECK_EQ(lab.out.exec.callback_status, SVMC_ERR_REFUSED);
    CHECK_EQ(lab.sets, 0);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
}

/* Entries of a GDT at LINEAR_KERNEL, which only ring 0 may read: 0x18 data of ring 3, accessed;
 * 0x20 the same, not accessed, 16 bits; 0x28 an LDT. */
static void put_gdt(void)
{
    static const uint64_t entries[6] = {
        0, 0, 0, 0x00cff3000000ffff, 0x0000f2001230ffff, 0x0000e2400000000f
    };

    memcpy(lab.memory + 0x8000, entries, sizeof entries);
    lab.v.sregs.gdt = (struct kvm_dtable){ .base = LINEAR_KERNEL, .limit = sizeof entries - 1 };
    lab.v.sregs.idt = (struct kvm_dtable){ .base = 0x123456789000, .limit = 0xfff };
    lab.v.sregs.ldt = (struct kvm_segment){ .selector = 0x28, .type = 2, .present = 1 };
}

TEST(kvm_finish, tables_of_the_guest_are_the_guests) /* KV-22 XS-2 */
{
    static const uint8_t lar[] = { 0x0f, 0x02, 0x03 };  /* eax, [rbx] */
    static const uint8_t mov_fs[] = { 0x8e, 0x23 };     /* fs, [rbx] */
    static const uint8_t sidt[] = { 0x0f, 0x01, 0x0b }; /* [rbx] */
    static const uint8_t sldt[] = { 0x0f, 0x00, 0x03 }; /* [rbx] */
    static const uint8_t lgdt[] = { 0x0f, 0x01, 0x13 }; /* [rbx] */
    static const uint8_t lmsw[] = { 0x0f, 0x01, 0x33 }; /* [rbx] */
    struct kvm_sregs before;
    enum svmc_status st;

    REQUIRE(fake_open(&lab, lar, sizeof lar, false, 0));
    put_gdt();
    before = lab.v.sregs;
    device[16] = 0x18;
    device[17] = 0;
    CHECK_EQ(fake_go_on(&lab, device, &st), 1);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.regs.rax, 0xc0f300);
    CHECK(lab.v.regs.rflags & 0x40);
    CHECK_MEM(&before, &lab.v.sregs, sizeof before);

    REQUIRE(fake_open(&lab, mov_fs, sizeof mov_fs, false, 0));
    put_gdt();
    before = lab.v.sregs;
    device[16] = 0x23;
    CHECK_EQ(fake_go_on(&lab, device, &st), 1);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    before.fs = (struct kvm_segment){
        .base = 0x1230, .limit = 0xffff, .selector = 0x23, .type = 3, .present = 1, .dpl = 3, .s = 1
    };
    CHECK_MEM(&before, &lab.v.sregs, sizeof before);
    CHECK_EQ(load(0x8020) >> 40 & 0xff, 0xf3); /* accessed */

    REQUIRE(fake_open(&lab, sidt, sizeof sidt, false, 0));
    put_gdt();
    lab.v.regs.rbx = LINEAR_DATA;
    CHECK_EQ(fake_go_on(&lab, device, &st), 0);
    CHECK_EQ(load(MEMORY_AT + 2), 0x123456789000);
    CHECK_EQ(load(MEMORY_AT) & 0xffff, 0xfff);

    REQUIRE(fake_open(&lab, sldt, sizeof sldt, false, 0));
    put_gdt();
    lab.v.regs.rbx = LINEAR_DATA;
    CHECK_EQ(fake_go_on(&lab, device, &st), 0);
    CHECK_EQ(load(MEMORY_AT), 0x28);

    REQUIRE(fake_open(&lab, lgdt, sizeof lgdt, false, 0));
    put_gdt();
    lab.v.sregs.cs.dpl = lab.v.sregs.ss.dpl = 0;
    lab.v.regs.rbx = LINEAR_DATA;
    set_word(lab.memory + MEMORY_AT, 0xffff800000000077 << 16 | 0x7f);
    set_word(lab.memory + MEMORY_AT + 8, 0xffff);
    before = lab.v.sregs;
    CHECK_EQ(fake_go_on(&lab, device, &st), 0);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    before.gdt = (struct kvm_dtable){ .base = 0xffff800000000077, .limit = 0x7f };
    CHECK_MEM(&before, &lab.v.sregs, sizeof before);

    REQUIRE(fake_open(&lab, lmsw, sizeof lmsw, false, 0));
    lab.v.sregs.cs.dpl = lab.v.sregs.ss.dpl = 0;
    lab.v.regs.rbx = LINEAR_DATA;
    lab.memory[MEMORY_AT] = 0xb;
    CHECK_EQ(fake_go_on(&lab, device, &st), 0);
    CHECK_EQ(lab.v.sregs.cr0, 0x8005003b);
}

TEST(kvm_finish, an_interrupt_that_comes_meanwhile_stays) /* KV-22 */
{
    static const uint8_t load_absent[] = { 0x48, 0x8b, 0x03 }; /* rax, [rbx] */

    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, false, 0));
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    lab.v.events.interrupt.injected = 1; /* KVM_INTERRUPT of a VMM with a PIC of its own */
    lab.v.events.interrupt.nr = 0x31;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.events.interrupt.injected, 1);
    CHECK_EQ(lab.v.events.interrupt.nr, 0x31);

    REQUIRE(fake_open(&lab, load_absent, sizeof load_absent, false, 0));
    lab.v.regs.rbx = LINEAR_ABSENT;
    lab.run.run.ready_for_interrupt_injection = 1; /* of the exit, not of the fault behind it */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.run.run.ready_for_interrupt_injection, 0);
}

TEST(kvm_finish, shadows_and_blocked_nmis) /* KV-22 XS-4 XS-7 */
{
    static const uint8_t mov_ss[] = { 0x8e, 0x13 }; /* ss, [rbx] */
    static const uint8_t iretq[] = { 0x48, 0xcf };
    const uint64_t frame[5] = { LINEAR_CODE + 0x40, 0x33, 0x3202, LINEAR_DATA + 0x80, 0x1b };
    const uint64_t code = 0x00affb000000ffff; /* 0x30 of the GDT: 64 bits, ring 3 */
    enum svmc_status st;

    REQUIRE(fake_open(&lab, mov_ss, sizeof mov_ss, false, 0));
    put_gdt();
    device[16] = 0x1b;
    CHECK_EQ(fake_go_on(&lab, device, &st), 1);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.events.interrupt.shadow, KVM_X86_SHADOW_INT_MOV_SS);

    REQUIRE(fake_open(&lab, iretq, sizeof iretq, false, 0));
    put_gdt();
    memcpy(lab.memory + 0x8030, &code, sizeof code);
    memcpy(lab.memory + MEMORY_AT, frame, sizeof frame);
    lab.v.sregs.gdt.limit = 0x37;
    lab.v.sregs.cs.dpl = lab.v.sregs.ss.dpl = 0;
    lab.v.regs.rsp = LINEAR_DATA;
    lab.v.events.nmi.masked = 1;
    CHECK_EQ(fake_go_on(&lab, device, &st), 0);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.events.nmi.masked, 0);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + 0x40);
    CHECK_EQ(lab.v.regs.rsp, LINEAR_DATA + 0x80);
    CHECK_EQ(lab.v.sregs.cs.selector, 0x33);
    CHECK_EQ(lab.v.sregs.cs.dpl, 3);
    CHECK_EQ(lab.v.sregs.ss.dpl, 3); /* from now on the ring */
}

TEST(kvm_finish, ports_are_exits_too) /* KV-17 */
{
    const struct kvm_run *run = &lab.run.run;
    uint8_t *data = lab.run.bytes + FAKE_PAGE;

    REQUIRE(fake_open(&lab, in_eax, sizeof in_eax, false, 0));
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK_EQ(run->exit_reason, KVM_EXIT_IO);
    CHECK(run->io.direction == KVM_EXIT_IO_IN && run->io.size == 4 && run->io.count == 1);
    CHECK_EQ(run->io.port, 0x2222);
    CHECK_EQ(run->io.data_offset, FAKE_PAGE);
    memcpy(data, "\x78\x56\x34\x12", 4);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.regs.rax, 0x12345678);
    REQUIRE(fake_open(&lab, out_ax, sizeof out_ax, false, 0));
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK(run->io.direction == KVM_EXIT_IO_OUT && run->io.size == 2);
    CHECK(data[0] == 0x11 && data[1] == 0x11 && data[2] == 0);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
}

TEST(kvm_finish, the_map_of_ports_is_read_as_the_processor_does) /* KV-18 */
{
    for (unsigned bit = 0; bit < 2; bit++) {
        REQUIRE(fake_open(&lab, out_ax, sizeof out_ax, true, 0));
        lab.v.regs.rflags = 2; /* IOPL 0, in ring 3 */
        lab.v.sregs.tr = (struct kvm_segment){
            .base = LINEAR_KERNEL, .limit = 0xfff, .type = 11, .present = 1, .selector = 0x28
        };
        lab.v.regs.rdx = 0x77;
        lab.memory[0x8000 + 0x66] = 0x68; /* a page that ring 3 may not read */
        lab.memory[0x8000 + 0x68 + 0x77 / 8] = (uint8_t)(bit << 7);
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, bit ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE);
        CHECK_EQ(lab.v.events.exception.nr, bit ? 13 : 0);
        CHECK_EQ(lab.writes, !bit);
    }
}

TEST(kvm_finish, kvm_may_find_the_addresses) /* KV-19 */
{
    REQUIRE(fake_open(&lab, store, sizeof store, false, SVMC_KVM_FINISH_TRANSLATE));
    lab.translated = FAKE_CODE;
    lab.v.regs.rbx = LINEAR_ABSENT + 0x80;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(load(FAKE_CODE + 0x80), 0x1111);
    lab.v.regs.rip = LINEAR_CODE;
    fake_fail_emulation(&lab, true);
    lab.translated = 0;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.v.sregs.cr2, LINEAR_CODE);
    CHECK_EQ(lab.v.events.exception.error_code, 0x14); /* fetch, user */
}

TEST(kvm_finish, a_repetition_goes_on_in_the_next_call) /* KV-24 */
{
    static const uint8_t stos[] = { 0xf3, 0xaa };

    REQUIRE(fake_open(&lab, stos, sizeof stos, true, 0));
    lab.v.regs.rdi = LINEAR_DEVICE;
    lab.v.regs.rcx = 100;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.v.regs.rcx, 100 - lab.writes);
    CHECK_EQ(lab.v.regs.rdi, LINEAR_DEVICE + lab.writes);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE);
    fake_fail_emulation(&lab, true);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.writes, 100);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + sizeof stos);
}

TEST(kvm_finish, iterations_before_one_that_fails_are_done) /* KV-24 KV-27 */
{
    static const uint8_t rep_stosq[] = { 0xf3, 0x48, 0xab };

    REQUIRE(fake_open(&lab, rep_stosq, sizeof rep_stosq, true, 0));
    lab.v.regs.rdi = LINEAR_DEVICE;
    lab.fail_write = 3;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.v.regs.rcx, 1);
    CHECK_EQ(lab.v.regs.rdi, LINEAR_DEVICE + 16);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE);
    fake_fail_emulation(&lab, true);
    lab.fail_write = 4;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.v.regs.rcx, 1);
    CHECK_EQ(lab.writes, 4);
}

TEST(kvm_finish, elements_before_one_that_fails_are_done) /* KV-27 XE-29 */
{
    static const uint8_t gather[] = { 0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13 }; /* xmm0, [], xmm1 */
    static const uint8_t indices[16] = { 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 2, 0, 8 };
    static const uint8_t ones[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    REQUIRE(fake_open(&lab, gather, sizeof gather, true, 0));
    fake_put_xmm(&lab, 1, ones);
    fake_put_xmm(&lab, 2, indices);
    lab.v.regs.rbx = LINEAR_DATA; /* two of memory, then one that lies in no memory */
    lab.v.regs.rdx = 0;
    set_word(lab.memory + MEMORY_AT, 0x2222222211111111);
    set_word(lab.memory + MEMORY_AT + 8, 0x44444444);
    set_word(lab.memory + LEAF(33), FAKE_DEVICE | 7);
    lab.device = SVMC_ERR_STATE;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_AGAIN);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE);
    CHECK_MEM(lab.v.xsave + 160, lab.memory + MEMORY_AT, 8);
    CHECK_EQ(lab.v.xsave[176] | lab.v.xsave[183], 0); /* bits of the mask */
    CHECK_MEM(lab.v.xsave + 184, ones, 8);
    CHECK_EQ(lab.reads, 1);
    fake_fail_emulation(&lab, true);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_CALLBACK); /* and says what failed */
    CHECK_EQ(lab.out.exec.callback, SVMC_EXEC_READ);
    CHECK_EQ(lab.out.exec.callback_status, SVMC_ERR_STATE);
    lab.device = SVMC_OK;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.reads, 3);
    CHECK_EQ(lab.v.xsave[172], 0x44);
    CHECK_EQ(lab.v.xsave[184], 0);
}

TEST(kvm_finish, the_supervisors_components_are_kvms) /* KV-21 XE-58 */
{
    static const uint8_t xsaves[] = { 0x0f, 0xc7, 0x2b }; /* [rbx] */

    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(fake_open(&lab, i < 3 ? xsaves : popcnt, i < 3 ? sizeof xsaves : sizeof popcnt,
                          true, 0));
        lab.v.regs.rflags = 2;
        lab.v.sregs.cs.dpl = lab.v.sregs.ss.dpl = 0;
        lab.v.sregs.cr0 &= ~(uint64_t)0x10000;
        lab.v.regs.rbx = LINEAR_KERNEL;
        lab.v.regs.rax = 0x900; /* processor trace, CET: of nobody here */
        lab.v.regs.rdx = 0;
        lab.xss = i == 0 ? 0 : i == 1 ? 0x900 : ~(uint64_t)0;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK, "%u", i);
        CHECK_EQ(lab.msr_reads, i < 3, "%u", i);
        CHECK_EQ(lab.out.action, i == 1 ? SVMC_EXEC_UNFINISHED : SVMC_EXEC_DONE, "%u", i);
        CHECK_EQ(lab.out.exec.reason, i == 1 ? SVMC_EXEC_REASON_COMPONENT : 0, "%u", i);
    }
    REQUIRE(fake_open(&lab, xsaves, sizeof xsaves, true, 0));
    lab.v.sregs.cs.dpl = lab.v.sregs.ss.dpl = 0;
    for (lab.fail_at = 1; lab.msr_reads == 0 && lab.fail_at < 12; lab.fail_at++) {
        lab.calls = 0;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_CALLBACK);
    }
    svmc_kvm_finish_drop(&lab.f);
    lab.fail_at -= 2; /* the call that asks for it */
    lab.calls = lab.msr_reads = lab.sets = 0;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.msr_reads + lab.sets, 0);
}

TEST(kvm_finish, what_kvm_shows_is_what_it_has) /* KV-23 */
{
    struct kvm_run *run = &lab.run.run;

    REQUIRE(fake_open(&lab, popcnt, sizeof popcnt, true, 0));
    run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_MEM(&run->s.regs.regs, &lab.v.regs, sizeof lab.v.regs);
    CHECK_MEM(&run->s.regs.sregs, &lab.v.sregs, sizeof lab.v.sregs);
    CHECK_EQ(run->s.regs.events.exception.injected, 0);
}

/* KVM's own exit of a load, before it is answered. */
static bool exit_of_load(const uint8_t *code, size_t n, uint32_t flags)
{
    struct kvm_run *run = &lab.run.run;
    bool good = fake_open(&lab, code, n, true, flags);

    memset(&lab.v.events.exception, 0, sizeof lab.v.events.exception);
    memset(&run->mmio, 0, sizeof run->mmio);
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = FAKE_DEVICE + 0x10;
    run->mmio.len = 8;
    return CHECK(good);
}

TEST(kvm_finish, what_kvm_executes_wrongly_is_taken_over) /* KV-28 */
{
    static const uint8_t lzcnt[] = { 0xf3, 0x48, 0x0f, 0xbd, 0x03 };
    static const uint8_t tzcnt[] = { 0xf3, 0x48, 0x0f, 0xbc, 0x03 };
    static const uint8_t bsr[] = { 0x48, 0x0f, 0xbd, 0x03 };
    struct kvm_run *run = &lab.run.run;
    struct fake_vcpu before;

    REQUIRE(exit_of_load(lzcnt, sizeof lzcnt, SVMC_KVM_FINISH_MEND));
    before = lab.v;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
    CHECK(run->exit_reason == KVM_EXIT_MMIO && run->mmio.len == 8 && !run->mmio.is_write);
    CHECK_MEM(&before, &lab.v, sizeof before);
    set_word(run->mmio.data, 0x00ff000000000000);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.runs, 1);
    CHECK_EQ(lab.reads, 0); /* the answer was KVM's */
    CHECK_EQ(run->immediate_exit, 0);
    CHECK_EQ(lab.v.regs.rax, 8);
    CHECK_EQ(lab.v.regs.rip, LINEAR_CODE + 5);
    REQUIRE(exit_of_load(tzcnt, sizeof tzcnt, SVMC_KVM_FINISH_MEND));
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.v.regs.rax, 64); /* of 0 */
    CHECK((lab.v.regs.rflags & 1) != 0);

    REQUIRE(exit_of_load(bsr, sizeof bsr, SVMC_KVM_FINISH_MEND)); /* KVM does it right */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
    REQUIRE(exit_of_load(lzcnt, sizeof lzcnt, 0)); /* nobody asked */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(lab.calls, 0);
    REQUIRE(exit_of_load(lzcnt, sizeof lzcnt, SVMC_KVM_FINISH_MEND));
    run->mmio.len = 4; /* a piece of it, or another one's */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
    run->mmio.len = 8;
    run->mmio.phys_addr++;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
    run->mmio.phys_addr--;
    run->mmio.is_write = 1;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
    run->mmio.is_write = 0;
    lab.v.regs.rbx = LINEAR_DEVICE + 0xffc; /* KVM has another exit for the next page */
    run->mmio.phys_addr = FAKE_DEVICE + 0xffc;
    run->mmio.len = 4;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(lab.sets, 0);
    CHECK_EQ(lab.runs, 0);
    CHECK(!svmc_kvm_finish_waits(&lab.f));
}

static uint64_t word_at(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

#define FCW_AT 0u
#define FSW_AT 2u
#define FTW_AT 4u
#define ST_AT  32u
#define XMM_AT 160u
#define BV_AT  512u
#define YMM_AT 576u /* of the standard form: SDM vol. 1 13.4.3 */

TEST(kvm_finish, upper_halves_are_a_component_of_their_own) /* KV-21 */
{
    static const uint8_t load[] = { 0xc5, 0xfe, 0x6f, 0x0b };   /* vmovdqu ymm1, [rbx] */
    static const uint8_t put[] = { 0xc5, 0xfe, 0x7f, 0x0b };    /* [rbx], ymm1 */
    static const uint8_t narrow[] = { 0xc5, 0xfa, 0x6f, 0x0b }; /* vmovdqu xmm1, [rbx] */
    enum svmc_status st;

    for (unsigned i = 0; i < sizeof device; i++)
        device[i] = (uint8_t)(0x80 + i);
    REQUIRE(fake_open(&lab, load, sizeof load, false, 0));
    if (lab.f.priv.component_at[2] != YMM_AT) { /* where KVM has it is the machine's to say */
        harness_skip("hardware: no AVX");
        return;
    }
    memset(lab.v.xsave + YMM_AT, 0xaa, 256); /* nobody's yet */
    CHECK_EQ(fake_go_on(&lab, device, &st), 4);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.xsave[BV_AT], 6);
    CHECK_MEM(lab.v.xsave + XMM_AT + 16, device + 16, 16);
    CHECK_MEM(lab.v.xsave + YMM_AT + 16, device + 32, 16);
    CHECK_EQ(word_at(lab.v.xsave + YMM_AT), 0); /* ymm0, in use from now on */

    REQUIRE(fake_open(&lab, put, sizeof put, false, 0));
    memset(lab.v.xsave + XMM_AT + 16, 0x11, 16);
    memset(lab.v.xsave + YMM_AT + 16, 0x22, 16);
    lab.v.xsave[BV_AT] = 4; /* AVX alone: the lower half is zero */
    CHECK_EQ(fake_go_on(&lab, device, &st), 4);
    CHECK_EQ(word_at(device + 16) | word_at(device + 24), 0);
    CHECK_EQ(word_at(device + 32), 0x2222222222222222);
    CHECK_EQ(lab.sets, 2);

    REQUIRE(fake_open(&lab, narrow, sizeof narrow, false, 0));
    memset(lab.v.xsave + YMM_AT + 16, 0x22, 16);
    lab.v.xsave[BV_AT] = 6;
    CHECK_EQ(fake_go_on(&lab, device, &st), 2);
    CHECK_EQ(word_at(lab.v.xsave + YMM_AT + 16), 0);
    REQUIRE(fake_open(&lab, narrow, sizeof narrow, false, 0));
    lab.v.xcrs.xcrs[0].value = 3; /* the guest has not switched AVX on */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.v.events.exception.nr, UD);
}

TEST(kvm_finish, x87_registers_lie_from_the_top_of_the_stack_on) /* KV-21 */
{
    static const uint8_t fld[] = { 0xdd, 0x03 };        /* qword [rbx] */
    static const uint8_t fstp[] = { 0xdd, 0x1b };       /* the same */
    static const uint8_t movq[] = { 0x0f, 0x6f, 0x1b }; /* mm3, [rbx] */
    static const uint8_t two[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0x40 };
    static const uint8_t three[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0x40 };
    enum svmc_status st;

    REQUIRE(fake_open(&lab, fld, sizeof fld, false, 0));
    lab.v.xsave[BV_AT] = 1;
    lab.v.xsave[FSW_AT + 1] = 5 << 3; /* TOP 5: registers 5, 6, 7 are ST(0) to ST(2) */
    lab.v.xsave[FTW_AT] = 0xe0;
    memcpy(lab.v.xsave + ST_AT, two, 10);
    set_word(device + 16, 0x4008000000000000); /* 3.0 */
    CHECK_EQ(fake_go_on(&lab, device, &st), 1);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.v.xsave[FSW_AT + 1], 4 << 3);
    CHECK_EQ(lab.v.xsave[FTW_AT], 0xf0);
    CHECK_MEM(lab.v.xsave + ST_AT, three, 10);
    CHECK_MEM(lab.v.xsave + ST_AT + 16, two, 10); /* now ST(1) */

    REQUIRE(fake_open(&lab, fstp, sizeof fstp, false, 0));
    lab.v.xsave[BV_AT] = 1;
    lab.v.xsave[FSW_AT + 1] = 7 << 3;
    lab.v.xsave[FTW_AT] = 0x81;
    memcpy(lab.v.xsave + ST_AT, three, 10);
    memcpy(lab.v.xsave + ST_AT + 16, two, 10);
    CHECK_EQ(fake_go_on(&lab, device, &st), 1);
    CHECK_EQ(word_at(device + 16), 0x4008000000000000);
    CHECK_EQ(lab.v.xsave[FSW_AT + 1], 0);
    CHECK_EQ(lab.v.xsave[FTW_AT], 1);
    CHECK_MEM(lab.v.xsave + ST_AT, two, 10);

    REQUIRE(fake_open(&lab, movq, sizeof movq, false, 0)); /* the unit was as after a reset */
    memset(lab.v.xsave + ST_AT, 0xaa, 128);
    set_word(device + 16, 0x1234);
    CHECK_EQ(fake_go_on(&lab, device, &st), 1);
    CHECK_EQ(lab.v.xsave[BV_AT], 1);
    CHECK_EQ(lab.v.xsave[FTW_AT], 0xff);
    CHECK_EQ(word_at(lab.v.xsave + ST_AT + 48), 0x1234);
    CHECK_EQ(word_at(lab.v.xsave + ST_AT + 56) & 0xffff, 0xffff);
    CHECK_EQ(word_at(lab.v.xsave + ST_AT), 0);
    CHECK_EQ(lab.v.xsave[FCW_AT] | lab.v.xsave[FCW_AT + 1] << 8, 0x37f);
}

TEST(kvm_finish, a_save_area_is_written_in_one_go) /* KV-24 */
{
    static const uint8_t fxsave[] = { 0x0f, 0xae, 0x03 };
    static const uint8_t secret[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7 };

    REQUIRE(fake_open(&lab, fxsave, sizeof fxsave, true, 0));
    fake_put_xmm(&lab, 2, secret);
    lab.v.regs.rbx = LINEAR_DATA;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_MEM(lab.memory + MEMORY_AT + XMM_AT + 32, secret, 16);
    CHECK_EQ(lab.memory[MEMORY_AT + 24] | lab.memory[MEMORY_AT + 25] << 8, 0x1f80);
    REQUIRE(fake_open(&lab, fxsave, sizeof fxsave, true, 0)); /* the device, by its callbacks */
    lab.v.regs.rbx = LINEAR_DEVICE;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK(lab.writes >= 416 / 8, "%u", lab.writes); /* the rest is software's: SDM vol. 2 FXSAVE */
}

TEST(kvm_finish, a_form_that_cpuid_has_not_is_refused) /* KV-14 XE-80 */
{
    static const uint8_t xrstor[] = { 0x0f, 0xae, 0x2b }; /* [rbx] */

    REQUIRE(fake_open(&lab, xrstor, sizeof xrstor, true, 0));
    lab.v.regs.rbx = LINEAR_DATA;
    lab.v.regs.rax = 7;
    lab.v.regs.rdx = 0;
    set_word(lab.memory + MEMORY_AT + 520, (uint64_t)1 << 63 | 7); /* compacted */
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab.v.events.exception.nr, 13);
}

TEST(kvm_finish, floating_point_is_asked_of_the_vmm) /* KV-25 */
{
    static const uint8_t addsd[] = { 0xf2, 0x0f, 0x58, 0x03 }; /* xmm0, [rbx] */
    struct fake_vcpu before;
    char text[SVMC_KVM_FINISH_TEXT_MAX];

    REQUIRE(fake_open(&lab, addsd, sizeof addsd, true, 0));
    before = lab.v;
    CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_MEM(&before, &lab.v, sizeof before);
    CHECK_EQ(svmc_kvm_finish_format(&lab.out, text, sizeof text), SVMC_OK);
    CHECK(strstr(text, "(f2 0f 58 03): it needs vector or FP registers") != NULL, "%s", text);
}

/* Is this word in what is the port's? */
static bool holds(uint64_t word)
{
    uint64_t at;

    for (size_t i = 0; i + sizeof at <= sizeof lab.f; i++) {
        memcpy(&at, (const uint8_t *)&lab.f + i, sizeof at);
        if (at == word)
            return true;
    }
    for (size_t i = 0; i + sizeof at <= sizeof lab.xsave; i++) {
        memcpy(&at, lab.xsave + i, sizeof at);
        if (at == word)
            return true;
    }
    return false;
}

TEST(kvm_finish, nothing_of_the_guest_stays) /* KV-29 */
{
    static const uint8_t secret[16] = { 0x5e, 0xc2, 0xe7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4 };
    uint64_t word, r14 = 0x5ec2e70011223344;

    memcpy(&word, secret, sizeof word);
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(fake_open(&lab, pxor, sizeof pxor, false, 0));
        fake_put_xmm(&lab, 7, secret);
        lab.v.regs.r14 = r14;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING);
        CHECK(holds(word) && holds(r14)); /* needed as long as it waits */
        if (i == 0) {
            CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
            CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
        } else {
            svmc_kvm_finish_drop(&lab.f);
        }
        CHECK(!holds(word) && !holds(r14), "%u", i);
    }
}

/* One instruction, and what makes it interesting. */
static const struct scenario {
    char name[20];
    const uint8_t *code;
    size_t n;
    uint64_t rbx, flags;
} scenarios[] = {
    { "load, device", popcnt, sizeof popcnt, LINEAR_DEVICE, 2 },
    { "load, memory", popcnt, sizeof popcnt, LINEAR_DATA, 2 },
    { "vector, device", pxor, sizeof pxor, LINEAR_DEVICE, 2 },
    { "store, trap", store, sizeof store, LINEAR_DATA, 2 | FLAG_TF },
    { "page fault", store, sizeof store, LINEAR_ABSENT, 2 },
    { "lock, device", cmpxchg16b, sizeof cmpxchg16b, LINEAR_DEVICE, 2 },
};

static bool prepare(const struct scenario *s)
{
    bool good = fake_open(&lab, s->code, s->n, true, 0);

    lab.v.regs.rbx = s->rbx;
    lab.v.regs.rflags = s->flags;
    return CHECK(good);
}

TEST(kvm_finish, every_call_of_kvm_may_fail) /* KV-27 */
{
    static struct fake_vcpu before, after;
    unsigned reads, writes, calls;

    for (unsigned i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        const struct scenario *s = &scenarios[i];

        REQUIRE(prepare(s));
        before = lab.v;
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK, "%s", s->name);
        after = lab.v;
        reads = lab.reads;
        writes = lab.writes;
        calls = lab.calls;
        CHECK(calls >= 6, "%s", s->name);
        for (unsigned k = 1; k <= calls; k++) {
            REQUIRE(prepare(s));
            lab.fail_at = k;
            CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_ERR_CALLBACK, "%s, %u", s->name,
                     k);
            CHECK_EQ(lab.out.action, SVMC_EXEC_NONE);
            CHECK_EQ(lab.out.insn.length, 0);
            before.events.exception = lab.v.events.exception;
            CHECK_EQ(lab.v.events.exception.nr, UD, "%s, %u", s->name, k);
            CHECK_MEM(&before, &lab.v, sizeof before, "%s, %u", s->name, k);
            CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK, "%s, %u", s->name, k);
            CHECK_MEM(&after, &lab.v, sizeof after, "%s, %u", s->name, k);
            CHECK(lab.reads == reads && lab.writes == writes, "%s, %u: twice", s->name, k);
        }
    }
}

/* KVM before Linux 6.4 leaves the count of leaves as it was given. */
TEST(kvm_finish, the_processor_is_what_kvm_was_told) /* KV-14 */
{
    const struct svmc_kvm_files files = { -1, FAKE_VM, FAKE_VCPU, &lab.run, sizeof lab.run };
    enum svmc_status st;

    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(fake_open(&lab, crc32, sizeof crc32, true, 0));
        const struct svmc_kvm_finish_how how = {
            .ops = fake_ops(true), .ctx = &lab, .xsave = lab.xsave, .xsave_bytes = FAKE_XSAVE
        };

        lab.counts = i == 1;
        st = svmc_kvm_finish_open(&lab.f, &files, &how);
        CHECK_EQ(st, SVMC_OK, "%u", i);
        CHECK_EQ(svmc_kvm_finish_exit(&lab.f, &lab.out), SVMC_OK, "%u", i);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%u", i);
        CHECK_EQ(lab.reads, 1, "%u", i);
    }
}

TEST(kvm_finish, an_object_is_opened_with_what_it_needs) /* KV-14 */
{
    static struct svmc_kvm_finish f;
    const struct svmc_kvm_files files = { -1, FAKE_VM, FAKE_VCPU, &lab.run, sizeof lab.run };
    struct svmc_kvm_files no_run = files;
    struct svmc_kvm_finish_ops ops = { .size = sizeof ops };
    struct svmc_kvm_finish_how how = { .ops = &ops, .xsave = lab.xsave, .xsave_bytes = FAKE_XSAVE };

    no_run.run = NULL;
    CHECK_EQ(svmc_kvm_finish_open(NULL, &files, &how), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_open(&f, NULL, &how), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_open(&f, &files, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_open(&f, &no_run, &how), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_open(&f, &files, &how), SVMC_ERR_ARG); /* no memory */
    how.xsave_bytes = FAKE_XSAVE - 1;
    CHECK_EQ(svmc_kvm_finish_open(&f, &files, &how), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_waits(NULL), 0);
    svmc_kvm_finish_drop(NULL);
    CHECK_EQ(svmc_kvm_finish_enable(FAKE_VM), 1);
}
