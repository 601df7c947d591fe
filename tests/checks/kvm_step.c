/* SPDX-License-Identifier: MIT */
/*
 * Single steps over a device of a guest of KVM: by the VMM (KVM_GUESTDBG_SINGLESTEP), who sees each
 * instruction behind KVM_EXIT_DEBUG or behind DONE; and by the guest itself (RFLAGS.TF), whose
 * handler of #DB counts. MOV is what KVM emulates, POPCNT and PADDD are what it does not: the end
 * of these is seen once, of each other instruction as often as by KVM alone, and never twice.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <svmcore/port/kvm_finish.h>
#include <unistd.h>

#include "../harness.h"

/* Guest-physical, and for all but the device virtual too. */
#define TABLES 0x1000u /* three pages */
#define GDT    0x4000u
#define TSS    0x4800u
#define IDT    0x5000u
#define STOP   0x6000u /* HLT: of every vector but #DB */
#define STEP   0x6100u /* the handler of #DB */
#define STACK  0x7ff0u
#define COUNT  0x8000u /* what it has seen: how often; RIP and DR6 of each */
#define RIPS   0x8100u
#define STATES 0x8200u
#define CODE   0x9000u /* ring 3 */
#define MEMORY 0x200000u
#define LINEAR 0x200000u /* of the device */
#define DEVICE 0x10000000u

#define FLAG_TF  0x100u
#define DR6_STEP 0x4000u
#define VALUE    0x0000f00dull /* what the device reads as: 7 ones */
#define SEEN_MAX 16u
#define RUNS_MAX 64u

/* What is stepped over, and where each instruction of it ends. */
static const uint8_t code[] = {
    0x48, 0x8b, 0x03,             /* mov (%rbx), %rax */
    0xf3, 0x48, 0x0f, 0xb8, 0x0b, /* popcnt (%rbx), %rcx */
    0x48, 0xff, 0xc1,             /* inc %rcx */
    0x48, 0x89, 0x03,             /* mov %rax, (%rbx) */
    0x66, 0x0f, 0xfe, 0x03,       /* paddd (%rbx), %xmm0 */
    0x90,                         /* nop */
    0xf4,                         /* hlt; in ring 3 #GP, and another one */
};
static const struct {
    uint8_t at;
    bool may_be_lost; /* a write of a device: KVM of today makes no step of its own emulation */
} ends[] = {
    { 3, false }, { 8, false }, { 11, false }, { 14, true }, { 18, false }, { 19, false },
};
#define ENDS ((unsigned)(sizeof ends / sizeof ends[0]))
static const uint8_t plain[] = { 0x48, 0xff, 0xc1, 0x48, 0xff, 0xc1, 0x90, 0xf4 }; /* inc, inc */

/* RIP and DR6 are put down, DR6 is cleared; TF of the frame stays. */
static const uint8_t handler[] = {
    0x50, 0x51,                                     /* push %rax; push %rcx */
    0x48, 0x8b, 0x0c, 0x25, 0x00, 0x80, 0x00, 0x00, /* mov COUNT, %rcx */
    0x48, 0x8b, 0x44, 0x24, 0x10,                   /* mov 16(%rsp), %rax */
    0x48, 0x89, 0x04, 0xcd, 0x00, 0x81, 0x00, 0x00, /* mov %rax, RIPS(,%rcx,8) */
    0x0f, 0x21, 0xf0,                               /* mov %dr6, %rax */
    0x48, 0x89, 0x04, 0xcd, 0x00, 0x82, 0x00, 0x00, /* mov %rax, STATES(,%rcx,8) */
    0x48, 0xff, 0xc1,                               /* inc %rcx */
    0x48, 0x89, 0x0c, 0x25, 0x00, 0x80, 0x00, 0x00, /* mov %rcx, COUNT */
    0xb8, 0xf0, 0x0f, 0xff, 0xff,                   /* mov $0xffff0ff0, %eax */
    0x0f, 0x23, 0xf0,                               /* mov %rax, %dr6 */
    0x59, 0x58, 0x48, 0xcf,                         /* pop %rcx; pop %rax; iretq */
};

enum who { VMM, VMM_FINISHES, GUEST }; /* who steps; FINISHES: what KVM could do as well */

static uint8_t *memory;
static int kvm = -1, vm = -1, vcpu = -1;
static struct kvm_run *run;
static size_t run_bytes;
static struct kvm_sregs clean;
static struct svmc_kvm_finish finish;
static _Alignas(64) uint8_t xsave[16384];
static uint64_t seen[SEEN_MAX]; /* RIP at each stop of the VMM's */
static uint64_t end;            /* behind HLT */
static unsigned stops, finished, exits;

static void *lend(void *ctx, svmc_gpa at, size_t n, uint32_t access)
{
    (void)ctx;
    (void)access;
    return at.v < MEMORY && n <= MEMORY - at.v ? memory + at.v : NULL;
}

static const struct svmc_kvm_finish_ops ops = { .size = sizeof ops, .memory = lend };

static void store(uint64_t at, uint64_t value)
{
    memcpy(memory + at, &value, sizeof value);
}

static uint64_t load(uint64_t at)
{
    uint64_t value;

    memcpy(&value, memory + at, sizeof value);
    return value;
}

static bool set_cpuid(void)
{
    static struct {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entry[256];
    } leaves;

    leaves.head.nent = 256;
    return ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &leaves) == 0 &&
           ioctl(vcpu, KVM_SET_CPUID2, &leaves) == 0;
}

static bool open_guest(void)
{
    struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
    int size;

    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
    size = vcpu < 0 ? -1 : ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    region.userspace_addr = (uint64_t)(uintptr_t)memory;
    if (size < 0 || memory == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0)
        return false;
    run_bytes = (size_t)size;
    run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    return run != MAP_FAILED && set_cpuid() && ioctl(vcpu, KVM_GET_SREGS, &clean) == 0;
}

static bool open_finish(void)
{
    const struct svmc_kvm_files files = { kvm, vm, vcpu, run, run_bytes };
    const struct svmc_kvm_finish_how how = { .ops = &ops,
                                             .xsave = xsave,
                                             .xsave_bytes = sizeof xsave };

    return svmc_kvm_finish_enable(vm) && svmc_kvm_finish_open(&finish, &files, &how) == SVMC_OK;
}

static void lay_out(const uint8_t *insns, size_t n)
{
    static const uint64_t segments[7] = { 0,
                                          0x00af9b000000ffff,
                                          0x00cf93000000ffff,
                                          0x00affb000000ffff,
                                          0x00cff3000000ffff,
                                          0x00008b0000000067 | (uint64_t)TSS << 16,
                                          0 };

    memset(memory, 0, 0x10000);
    store(TABLES, (TABLES + 0x1000) | 7);
    store(TABLES + 0x1000, (TABLES + 0x2000) | 7);
    store(TABLES + 0x2000, 0x87); /* 2 MiB each: memory, the device */
    store(TABLES + 0x2000 + 8 * (LINEAR >> 21), DEVICE | 0x87);
    memcpy(memory + GDT, segments, sizeof segments);
    store(TSS + 4, STACK);
    for (unsigned vector = 0; vector < 32; vector++)
        store(IDT + 16 * vector, 0x00008e0000080000 | (vector == 1 ? STEP : STOP));
    memory[STOP] = 0xf4;
    memcpy(memory + STEP, handler, sizeof handler);
    memcpy(memory + CODE, insns, n);
    end = CODE + n;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint8_t ring)
{
    return (struct kvm_segment){ .limit = 0xffffffff,
                                 .selector = selector,
                                 .type = type,
                                 .present = 1,
                                 .dpl = ring,
                                 .s = 1,
                                 .g = 1,
                                 .l = type == 11,
                                 .db = type != 11 };
}

static bool steps(bool on)
{
    struct kvm_guest_debug debug = { .control =
                                         on ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP : 0 };

    return ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug) == 0;
}

static bool start(enum who who, uint8_t ring)
{
    struct kvm_sregs sregs = clean;
    struct kvm_regs regs = { .rip = CODE,
                             .rbx = LINEAR,
                             .rsp = ring == 0 ? STACK : CODE + 0x1000,
                             .rflags = 2 | (who == GUEST ? FLAG_TF : 0) };

    if (!steps(false)) /* or KVM hides TF: it would be its own */
        return false;
    stops = finished = exits = 0;
    sregs.cr0 = 0x80010033;
    sregs.cr3 = TABLES;
    sregs.cr4 = 0x620;
    sregs.efer = 0x500;
    sregs.cs = segment(ring == 0 ? 0x08 : 0x1b, 11, ring);
    sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs =
        segment(ring == 0 ? 0x10 : 0x23, 3, ring);
    sregs.tr = (struct kvm_segment){
        .base = TSS, .limit = 103, .selector = 0x28, .type = 11, .present = 1
    };
    sregs.idt.base = IDT;
    sregs.idt.limit = 4095;
    sregs.gdt.base = GDT;
    sregs.gdt.limit = 6 * 8 + 7;
    return ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0 &&
           (who == GUEST || steps(true));
}

/* The VMM has stopped behind an instruction. */
static bool note(void)
{
    struct kvm_regs regs;

    if (stops == SEEN_MAX || ioctl(vcpu, KVM_GET_REGS, &regs) != 0)
        return false;
    seen[stops++] = regs.rip;
    return true;
}

static void answer(void)
{
    const uint64_t value = VALUE;

    exits++;
    if (!run->mmio.is_write)
        memcpy(run->mmio.data, &value, sizeof value);
}

/* false: it is not the library's to finish. */
static bool finish_it(enum svmc_exec_action *action)
{
    struct svmc_kvm_finished out;

    do {
        if (svmc_kvm_finish_exit(&finish, &out) != SVMC_OK)
            return false;
        *action = (enum svmc_exec_action)out.action;
        if (*action == SVMC_EXEC_PENDING)
            answer();
    } while (*action == SVMC_EXEC_PENDING);
    return *action == SVMC_EXEC_DONE;
}

/* What is behind a step, or an instruction: true: KVM_RUN goes on. */
static bool go_on(enum who who)
{
    enum svmc_exec_action action;

    switch (run->exit_reason) {
    case KVM_EXIT_MMIO:
        answer();
        return true;
    case KVM_EXIT_INTERNAL_ERROR:
        if (!finish_it(&action))
            return false;
        finished++;
        return who == GUEST || (note() && steps(true));
    case KVM_EXIT_DEBUG:
        if (who == GUEST || !note())
            return false;
        while (who == VMM_FINISHES && seen[stops - 1] != end && finish_it(&action)) {
            finished++;
            if (!note())
                return false;
        }
        return steps(true); /* KV-22 */
    default:
        return false;
    }
}

/* Until the guest halts. */
static bool execute(enum who who, uint8_t ring)
{
    if (!start(who, ring))
        return false;
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        if (ioctl(vcpu, KVM_RUN, 0) != 0)
            return false;
        if (run->exit_reason == KVM_EXIT_HLT)
            return true;
        if (!go_on(who))
            return false;
        if (stops > 0 && seen[stops - 1] == end) /* HLT was stepped over */
            return true;
    }
    return false;
}

/* How often somebody stood behind it. */
static unsigned count(enum who who, uint64_t rip)
{
    unsigned n = 0;

    if (who != GUEST)
        for (unsigned i = 0; i < stops; i++)
            n += seen[i] == rip;
    for (unsigned i = 0; i < load(COUNT) && i < SEEN_MAX; i++) {
        if (load(RIPS + 8 * i) != rip)
            continue;
        n += 1 + (who != GUEST); /* the VMM's step is none of the guest's */
        CHECK((load(STATES + 8 * i) & DR6_STEP) != 0, "%#llx", (unsigned long long)rip);
    }
    return n;
}

static void check_steps(enum who who, uint8_t ring, const char *name)
{
    struct kvm_regs regs;

    lay_out(code, sizeof code);
    if (!CHECK(execute(who, ring), "%s, exit %u behind %u stops", name, run->exit_reason, stops))
        return;
    for (unsigned i = 0; i < ENDS; i++) {
        const unsigned n = count(who, CODE + ends[i].at);

        if (ends[i].may_be_lost && n == 0 && who != VMM_FINISHES)
            printf("%s: the step over MOV to the device is lost by KVM itself\n", name);
        else
            CHECK_EQ(n, 1, "%s: the end at %u", name, ends[i].at);
    }
    REQUIRE(ioctl(vcpu, KVM_GET_REGS, &regs) == 0);
    CHECK_EQ(regs.rax, VALUE, "%s", name);
    CHECK_EQ(regs.rcx, 8, "%s", name);
    CHECK_EQ(finished, who == VMM_FINISHES ? 3 : 2, "%s", name);
    CHECK_EQ(exits, 5, "%s", name); /* each access of the device once; PADDD has two */
}

static bool has_guest(void)
{
    static int known = -1;

    if (known < 0)
        known = open_guest();
    if (!known)
        harness_skip("hardware: no /dev/kvm that runs a guest");
    return known && CHECK(open_finish());
}

TEST(kvm_step, the_vmm_stands_once_behind_each_instruction) /* KV-15 KV-22 */
{
    if (!has_guest())
        return;
    check_steps(VMM, 0, "the VMM");
    check_steps(VMM_FINISHES, 0, "the VMM, finishing all");
}

TEST(kvm_step, a_program_is_stepped_by_the_vmm) /* KV-15 KV-22 */
{
    if (!has_guest())
        return;
    lay_out(plain, sizeof plain);
    if (!execute(VMM, 3) || count(VMM, CODE + 3) != 1) {
        harness_skip("hardware: this KVM gives the VMM's steps of ring 3 to the guest");
        return;
    }
    check_steps(VMM, 3, "the VMM");
    check_steps(VMM_FINISHES, 3, "the VMM, finishing all");
}

TEST(kvm_step, the_guests_handler_counts_each_instruction_once) /* KV-22 XE-16 */
{
    if (!has_guest())
        return;
    check_steps(GUEST, 3, "the guest");
}
