/* SPDX-License-Identifier: MIT */
/** Contexts and logs beside what KVM itself says, with guests of a few bytes. */
#include <svmcore/port/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

#define PAGE         4096u
#define PAGES        512u
#define CODE         0x8000u
#define DATA         0x20000u  /* page 32 */
#define NOWHERE      0x200000u /* mapped by the guest, in no slot */
#define PORT         0x10u
#define CONTEXT_MAX  32768u
#define MSR_LSTAR    0xc0000082u
#define MSR_GS       0xc0000102u
#define MSR_TSC      0x10u
#define CANARY       0x4952414e41432121ull
#define TSC_AHEAD    ((uint64_t)1 << 52) /* months */
#define TSC_TOO_LATE 100000000000ull

/* Between the port and the kernel: fails the call whose number is `fail`, counted from 1. */
static struct {
    unsigned calls, fail;
    bool counts, nests, noisy;
} between;

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (between.counts && ++between.calls == between.fail) {
        errno = EIO;
        return -1;
    }
    if (between.nests && request == KVM_GET_NESTED_STATE) {
        errno = E2BIG;
        return -1;
    }
    if (between.noisy && request == KVM_GET_DIRTY_LOG) { /* bits that are no page's */
        int result = (int)syscall(SYS_ioctl, fd, request, arg);

        memset((uint8_t *)((struct kvm_dirty_log *)arg)->dirty_bitmap + 17, 0xff, 7);
        return result;
    }
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

struct lab {
    int kvm, vm, cpu;
    struct kvm_run *run;
    size_t run_bytes;
    uint8_t *memory;
    struct svmc_kvm_vcpu v;
};

static _Alignas(8) uint8_t first[CONTEXT_MAX], second[CONTEXT_MAX];

/* Only an absent device is absent hardware. */
static bool no_kvm(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), error = errno;

    if (fd >= 0)
        close(fd);
    else if (error == ENOENT || error == ENODEV || error == ENXIO)
        harness_skip("hardware: no /dev/kvm");
    else
        harness_skip("/dev/kvm: %s", strerror(error));
    return fd < 0;
}

static bool add_slot(const struct lab *l, uint32_t slot, uint64_t page, uint64_t pages, bool logged)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot,
        .flags = logged ? KVM_MEM_LOG_DIRTY_PAGES : 0,
        .guest_phys_addr = page * PAGE,
        .memory_size = pages * PAGE,
        .userspace_addr = (uintptr_t)l->memory + page * PAGE,
    };

    return ioctl(l->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code)
{
    return (struct kvm_segment){ .limit = 0xffffffff,
                                 .selector = selector,
                                 .type = type,
                                 .present = 1,
                                 .s = 1,
                                 .g = 1,
                                 .l = code,
                                 .db = !code };
}

/* Long mode, 1 GiB mapped 1:1; accessed and dirty already. */
static bool long_mode(const struct lab *l)
{
    uint64_t *table = (void *)l->memory;
    struct kvm_regs regs = { .rip = CODE, .rsp = CODE, .rflags = 2 };
    struct kvm_sregs s;

    table[0x1000 / 8 + 1] = 0x00af9b000000ffff;
    table[0x1000 / 8 + 2] = 0x00cf93000000ffff;
    table[0x2000 / 8] = 0x3000 | 0x23;
    table[0x3000 / 8] = 0x4000 | 0x23;
    for (uint64_t i = 0; i < 512; i++)
        table[0x4000 / 8 + i] = i * 0x200000 | 0xe3;
    if (ioctl(l->cpu, KVM_GET_SREGS, &s) != 0)
        return false;
    s.cs = segment(0x08, 11, true);
    s.ds = s.es = s.fs = s.gs = s.ss = segment(0x10, 3, false);
    s.gdt.base = 0x1000;
    s.gdt.limit = 0x17;
    s.cr0 = 0x80000033;
    s.cr3 = 0x2000;
    s.cr4 = 0x620;
    s.efer = 0x500;
    return ioctl(l->cpu, KVM_SET_SREGS, &s) == 0 && ioctl(l->cpu, KVM_SET_REGS, &regs) == 0;
}

static bool set_cpuid(const struct lab *l)
{
    struct kvm_cpuid2 *list = calloc(1, sizeof *list + 256 * sizeof(struct kvm_cpuid_entry2));
    bool good;

    list->nent = 256;
    good = ioctl(l->kvm, KVM_GET_SUPPORTED_CPUID, list) == 0 &&
           ioctl(l->cpu, KVM_SET_CPUID2, list) == 0;
    free(list);
    return good;
}

static void close_lab(struct lab *l)
{
    if (l->run)
        munmap(l->run, l->run_bytes);
    close(l->cpu);
    close(l->vm);
    close(l->kvm);
}

/* A vCPU that executes code[n]; `memory` NULL: its own, which the caller unmaps. */
static bool open_lab(struct lab *l, uint8_t *memory, const uint8_t *code, size_t n)
{
    *l = (struct lab){ .kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC) };
    l->memory = memory ? memory
                       : mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    l->vm = ioctl(l->kvm, KVM_CREATE_VM, 0);
    (void)ioctl(l->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
    l->cpu = ioctl(l->vm, KVM_CREATE_VCPU, 0);
    l->run_bytes = (size_t)ioctl(l->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    l->run = mmap(NULL, l->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l->cpu, 0);
    memcpy(l->memory + CODE, code, n);
    return CHECK(set_cpuid(l) && long_mode(l)) &&
           CHECK_EQ(
               svmc_kvm_vcpu_open(&l->v, &(struct svmc_kvm_files){ .kvm = l->kvm,
                                                                   .vm = l->vm,
                                                                   .vcpu = l->cpu,
                                                                   .run = l->run,
                                                                   .run_bytes = l->run_bytes }),
               SVMC_OK);
}

static bool runs(const struct lab *l, uint32_t exit_reason)
{
    return CHECK_EQ(ioctl(l->cpu, KVM_RUN, 0), 0) && CHECK_EQ(l->run->exit_reason, exit_reason);
}

static bool one_msr(const struct lab *l, unsigned long request, uint32_t index, uint64_t *value)
{
    struct {
        uint32_t nmsrs, pad; /* struct kvm_msrs */
        struct kvm_msr_entry entry;
    } msr = { 1, 0, { .index = index, .data = *value } };
    bool good = ioctl(l->cpu, request, &msr) == 1;

    *value = msr.entry.data;
    return good;
}

/* x87 and SSE registers: KVM_SET_FPU would not say that they are in use. */
static void fill_xsave(const struct lab *l, const uint8_t xmm[256])
{
    static struct kvm_xsave x;

    memset(&x, 0, sizeof x);
    x.region[0] = 0x37f;
    x.region[6] = 0x1f80;
    memcpy((uint8_t *)x.region + 160, xmm, 256);
    x.region[512 / 4] = 3;
    CHECK_EQ(ioctl(l->cpu, KVM_SET_XSAVE, &x), 0);
}

/* Noise wherever a guest can have it. */
static void fill(const struct lab *l)
{
    struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
    struct kvm_debugregs debug = { .db = { CANARY >> 17, 2, 3, 4 },
                                   .dr6 = 0xffff0ff0,
                                   .dr7 = 0x400 };
    uint64_t msr = CANARY >> 17, *word = (void *)&regs;
    uint8_t xmm[256];

    for (unsigned i = 0; i < 16; i++)
        word[i] = CANARY + i;
    memset(xmm, 'Z', sizeof xmm);
    fill_xsave(l, xmm);
    CHECK_EQ(ioctl(l->cpu, KVM_SET_REGS, &regs), 0);
    CHECK_EQ(ioctl(l->cpu, KVM_SET_DEBUGREGS, &debug), 0);
    CHECK(one_msr(l, KVM_SET_MSRS, MSR_LSTAR, &msr));
    CHECK(one_msr(l, KVM_SET_MSRS, MSR_GS, &msr));
}

/* What KVM says by calls that the port does not make, and by some that it does. */
struct look {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_fpu fpu;
    struct kvm_debugregs debug;
    uint64_t lstar, gs;
};

static struct look look_at(const struct lab *l)
{
    struct look s;

    memset(&s, 0, sizeof s);
    CHECK_EQ(ioctl(l->cpu, KVM_GET_REGS, &s.regs), 0);
    CHECK_EQ(ioctl(l->cpu, KVM_GET_SREGS, &s.sregs), 0);
    CHECK_EQ(ioctl(l->cpu, KVM_GET_FPU, &s.fpu), 0);
    CHECK_EQ(ioctl(l->cpu, KVM_GET_DEBUGREGS, &s.debug), 0);
    CHECK(one_msr(l, KVM_GET_MSRS, MSR_LSTAR, &s.lstar));
    CHECK(one_msr(l, KVM_GET_MSRS, MSR_GS, &s.gs));
    return s;
}

/* Where section `part` begins, by the table of docs/spec/kvm.md; its bytes stand before. */
static size_t find(const uint8_t *context, size_t bytes, uint32_t part)
{
    size_t at = 16;
    uint32_t head[2];

    while (at + 8 <= bytes) {
        memcpy(head, context + at, sizeof head);
        if (head[0] == part)
            return at + 8;
        at += 8 + head[1];
    }
    return 0;
}

static size_t save(struct lab *l, uint8_t *to)
{
    size_t bytes = 0;

    CHECK_EQ(svmc_kvm_vcpu_save(&l->v, to, CONTEXT_MAX, &bytes), SVMC_OK);
    CHECK_EQ(bytes, svmc_kvm_vcpu_bytes(&l->v));
    return bytes;
}

static bool all_zero(const void *at, size_t n)
{
    const uint8_t *byte = at;

    while (n > 0 && byte[n - 1] == 0)
        n--;
    return n == 0;
}

static const uint8_t halt[] = { 0xf4 };

TEST(kvm, a_context_comes_back) /* KV-1 KV-4 KV-6 */
{
    struct lab l;
    struct look before, wiped, after;
    size_t n, tsc;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    fill(&l);
    before = look_at(&l);
    n = save(&l, first);
    CHECK_MEM(first, "SVKV\1\0\0\0", 8);
    CHECK_MEM(first + find(first, n, 1), &before.regs, sizeof before.regs);
    memcpy(second, first, n);
    CHECK_EQ(svmc_kvm_vcpu_wipe(&l.v, second, CONTEXT_MAX), SVMC_OK);
    CHECK(all_zero(second, CONTEXT_MAX));
    wiped = look_at(&l);
    CHECK(all_zero(&wiped.regs, offsetof(struct kvm_regs, rflags)) && wiped.regs.rflags == 2);
    CHECK(all_zero(wiped.fpu.xmm, sizeof wiped.fpu.xmm));
    CHECK(wiped.lstar == 0 && wiped.gs == 0 && wiped.sregs.cr3 == 0 && wiped.debug.db[0] == 0);
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first, n, 0), SVMC_OK);
    after = look_at(&l);
    CHECK_MEM(&before, &after, sizeof before);
    CHECK_EQ(save(&l, second), n);
    tsc = find(first, n, 8);
    memcpy(second + tsc, first + tsc, 8); /* it goes on meanwhile */
    CHECK_MEM(first, second, n);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, a_wiped_vcpu_has_nothing_of_the_guest_in_any_call) /* KV-6 */
{
    struct lab l;
    size_t n;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    fill(&l);
    n = save(&l, first);
    CHECK(memmem(first, n, "ZZZZZZZZ", 8) != NULL); /* the control: fill's bytes are there */
    memset(&l.run->s, 'Z', sizeof l.run->s);
    memset(l.run->padding, 'Z', sizeof l.run->padding);
    memset((uint8_t *)l.run + PAGE, 'Z', 64);
    CHECK_EQ(svmc_kvm_vcpu_wipe(&l.v, first, CONTEXT_MAX), SVMC_OK);
    CHECK(memmem(l.run, 2 * PAGE, "ZZZZ", 4) == NULL);
    n = save(&l, first);
    CHECK(memmem(first, n, "ZZZZZZZZ", 8) == NULL);
    for (uint64_t value = CANARY; value < CANARY + 16; value++)
        CHECK(memmem(first, n, &value, 7) == NULL);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

/*
 * movdqu [DATA], xmm2; movdqu xmm2, [DATA + 16]; inc rbx; add rcx, rbx; out 0x10, al; jmp: what one
 * round loads the next one stores
 */
static const uint8_t counting[] = { 0xf3, 0x0f, 0x7f, 0x14, 0x25, 0x00, 0x00, 0x02, 0x00, 0xf3,
                                    0x0f, 0x6f, 0x14, 0x25, 0x10, 0x00, 0x02, 0x00, 0x48, 0xff,
                                    0xc3, 0x48, 0x01, 0xd9, 0xe6, PORT, 0xeb, 0xe4 };

TEST(kvm, a_guest_runs_on_in_other_vms) /* KV-2 KV-4 KV-8 */
{
    const uint64_t rounds = 200;
    struct lab l[2];
    struct kvm_regs regs;
    uint64_t *data;

    if (no_kvm() || !open_lab(&l[0], NULL, counting, sizeof counting) ||
        !open_lab(&l[1], l[0].memory, counting, sizeof counting))
        return;
    for (unsigned i = 0; i < 2; i++)
        CHECK(add_slot(&l[i], 0, 0, PAGES, false));
    data = (void *)(l[0].memory + DATA);
    for (uint64_t i = 0; i < rounds; i++) {
        struct lab *from = &l[i % 2], *to = &l[(i + 1) % 2];
        size_t n;

        data[2] = CANARY + i;
        data[3] = ~i;
        if (!runs(from, KVM_EXIT_IO))
            break;
        CHECK(i == 0 || (data[0] == CANARY + i - 1 && data[1] == ~(i - 1)), "%u", (unsigned)i);
        n = save(from, first);
        CHECK_EQ(svmc_kvm_vcpu_load(&to->v, first, n, SVMC_KVM_LOAD_TSC), SVMC_OK);
        CHECK_EQ(svmc_kvm_vcpu_wipe(&from->v, first, CONTEXT_MAX), SVMC_OK);
    }
    CHECK_EQ(ioctl(l[0].cpu, KVM_GET_REGS, &regs), 0);
    CHECK_EQ(regs.rbx, rounds);
    CHECK_EQ(regs.rcx, rounds * (rounds + 1) / 2);
    munmap(l[0].memory, PAGES * PAGE);
    close_lab(&l[0]);
    close_lab(&l[1]);
}

/* in al, 0x10; hlt */
static const uint8_t input[] = { 0xe4, PORT, 0xf4 };
/* mov rax, [NOWHERE + 0xffc]; hlt: of two pages, so of two exits */
static const uint8_t across[] = { 0x48, 0x8b, 0x04, 0x25, 0xfc, 0x0f, 0x20, 0x00, 0xf4 };

TEST(kvm, a_pending_access_is_completed_first) /* KV-2 */
{
    struct lab l;
    struct kvm_regs regs;
    size_t n = 1;

    if (no_kvm() || !open_lab(&l, NULL, input, sizeof input) || !add_slot(&l, 0, 0, PAGES, false) ||
        !runs(&l, KVM_EXIT_IO))
        return;
    ((uint8_t *)l.run)[l.run->io.data_offset] = 0x77;
    n = save(&l, first);
    memcpy(&regs, first + find(first, n, 1), sizeof regs);
    CHECK_EQ(regs.rip, CODE + 2);
    CHECK_EQ(regs.rax, 0x77);
    CHECK_EQ(svmc_kvm_vcpu_wipe(&l.v, second, CONTEXT_MAX), SVMC_OK);
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first, n, 0), SVMC_OK);
    CHECK(runs(&l, KVM_EXIT_HLT));
    CHECK_EQ(ioctl(l.cpu, KVM_GET_REGS, &regs), 0);
    CHECK_EQ(regs.rax, 0x77);
    memcpy(l.memory + CODE, across, sizeof across);
    regs.rip = CODE;
    CHECK_EQ(ioctl(l.cpu, KVM_SET_REGS, &regs), 0);
    REQUIRE(runs(&l, KVM_EXIT_MMIO));
    memcpy(l.run->mmio.data, "\1\2\3\4", 4);
    memset(first, 0xee, sizeof first);
    CHECK_EQ(svmc_kvm_vcpu_save(&l.v, first, sizeof first, &n), SVMC_ERR_BUSY);
    CHECK(n == 0 && all_zero(first, sizeof first));
    CHECK_EQ(l.run->mmio.phys_addr, NOWHERE + 0x1000);
    memcpy(l.run->mmio.data, "\5\6\7\0", 4);
    CHECK_EQ(svmc_kvm_vcpu_settle(&l.v), SVMC_OK);
    CHECK_EQ(ioctl(l.cpu, KVM_GET_REGS, &regs), 0);
    CHECK_EQ(regs.rax, 0x07060504030201);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, an_access_that_waits_is_made_again_elsewhere) /* KV-13 */
{
    struct lab l[2];
    struct kvm_regs regs, settled;
    size_t n = 0;

    if (no_kvm() || !open_lab(&l[0], NULL, input, sizeof input) ||
        !open_lab(&l[1], l[0].memory, input, sizeof input))
        return;
    for (unsigned i = 0; i < 2; i++)
        CHECK(add_slot(&l[i], 0, 0, PAGES, false));
    REQUIRE(runs(&l[0], KVM_EXIT_IO));
    CHECK_EQ(svmc_kvm_vcpu_copy(&l[0].v, first, sizeof first, &n), SVMC_OK);
    memcpy(&regs, first + find(first, n, 1), sizeof regs);
    CHECK_EQ(svmc_kvm_vcpu_settle(&l[0].v), SVMC_OK);
    CHECK_EQ(ioctl(l[0].cpu, KVM_GET_REGS, &settled), 0);
    CHECK(memcmp(&regs, &settled, sizeof regs) != 0);
    CHECK_EQ(svmc_kvm_vcpu_load(&l[1].v, first, n, 0), SVMC_OK);
    REQUIRE(runs(&l[1], KVM_EXIT_IO) && CHECK_EQ(l[1].run->io.port, PORT));
    ((uint8_t *)l[1].run)[l[1].run->io.data_offset] = 0x77;
    CHECK(runs(&l[1], KVM_EXIT_HLT));
    CHECK_EQ(ioctl(l[1].cpu, KVM_GET_REGS, &regs), 0);
    CHECK_EQ(regs.rax, 0x77);
    munmap(l[0].memory, PAGES * PAGE);
    close_lab(&l[0]);
    close_lab(&l[1]);
}

/* A load that must be refused, and must not have touched the vCPU. */
static void refused(struct lab *l, const struct look *before, size_t n, enum svmc_status want,
                    const char *what)
{
    struct look after;

    CHECK_EQ(svmc_kvm_vcpu_load(&l->v, first, n, 0), want, "%s", what);
    after = look_at(l);
    CHECK_MEM(before, &after, sizeof after, "%s", what);
}

TEST(kvm, a_context_is_checked_before_kvm_is_asked) /* KV-1 KV-3 KV-7 KV-9 */
{
    struct lab l;
    struct look before;
    size_t n, at;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    n = save(&l, first);
    fill(&l);
    before = look_at(&l);
    for (size_t cut = 0; cut < n; cut += cut < 700 ? 1 : 8)
        refused(&l, &before, cut, SVMC_ERR_FORMAT, "cut");
    refused(&l, &before, n + 8, SVMC_ERR_FORMAT, "longer");
    for (unsigned bit = 0; bit < 128; bit++) {
        first[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused(&l, &before, n,
                bit < 32 || (bit >= 64 && bit < 96) ? SVMC_ERR_FORMAT : SVMC_ERR_UNSUPPORTED,
                "a bit of the header");
        first[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (uint32_t part = 0; part < 11; part++)
        for (unsigned bit = 0; (at = find(first, n, part)) > 0 && bit < 64; bit++) {
            enum svmc_status st;

            first[at - 8 + bit / 8] ^= (uint8_t)(1 << bit % 8);
            st = svmc_kvm_vcpu_load(&l.v, first, n, 0);
            CHECK(st == SVMC_ERR_FORMAT || (part == 4 && bit >= 32 && st == SVMC_ERR_UNSUPPORTED),
                  "section %u, bit %u: %s", part, bit, svmc_status_name(st));
            first[at - 8 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    memset(first + n, 0, 8); /* longer, and it says so */
    *(uint32_t *)(void *)(first + 8) += 8;
    refused(&l, &before, n + 8, SVMC_ERR_FORMAT, "bytes behind the last section");
    at = find(first, n, 4); /* the extended state 8 bytes shorter, all else in its place */
    memcpy(second, first, at);
    memcpy(second + at, first + at + 8, n - at - 8);
    *(uint32_t *)(void *)(second + at - 4) -= 8;
    *(uint32_t *)(void *)(second + 8) = (uint32_t)n - 8;
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, second, n - 8, 0), SVMC_ERR_UNSUPPORTED);
    *(uint32_t *)(void *)(first + 8) -= 8;
    at = find(first, n, 9); /* MSRs: count, pad; index, reserved, value */
    first[at] ^= 1;
    refused(&l, &before, n, SVMC_ERR_FORMAT, "a count that is not the length's");
    first[at] ^= 1;
    first[at + 12] = 1;
    refused(&l, &before, n, SVMC_ERR_FORMAT, "reserved bytes of an MSR");
    first[at + 12] = 0;
    first[at + 8] ^= 1;
    CHECK(svmc_kvm_vcpu_load(&l.v, first, n, 0) != SVMC_OK, "another MSR");
    memset(first + at + 8, 0, 4);
    refused(&l, &before, n, SVMC_ERR_UNSUPPORTED, "an MSR that no list has");
    memcpy(first + at + 8, first + at + 24, 4);
    refused(&l, &before, n, SVMC_ERR_FORMAT, "an MSR twice");
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, what_kvm_refuses_ends_the_load) /* KV-5 */
{
    struct lab l;
    struct kvm_sregs2 sregs;
    size_t n, at;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    n = save(&l, first);
    at = find(first, n, 3);
    at = at ? at : find(first, n, 2);
    memcpy(&sregs, first + at, 312);
    sregs.cr0 = 0x80000000; /* paging without protection: no processor has it */
    memcpy(first + at, &sregs, 312);
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first, n, 0), SVMC_ERR_CALLBACK);
    CHECK_EQ(svmc_kvm_vcpu_wipe(&l.v, first, CONTEXT_MAX), SVMC_OK);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, the_clock_is_put_back_only_if_asked_for) /* KV-8 */
{
    struct lab l;
    uint64_t tsc = TSC_AHEAD;
    size_t n, at;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    CHECK(one_msr(&l, KVM_SET_MSRS, MSR_TSC, &tsc) && one_msr(&l, KVM_GET_MSRS, MSR_TSC, &tsc));
    if (tsc < TSC_AHEAD) {
        harness_skip("hardware: this KVM cannot set a guest's clock");
        munmap(l.memory, PAGES * PAGE);
        close_lab(&l);
        return;
    }
    n = save(&l, first);
    at = find(first, n, 8);
    REQUIRE(at > 0);
    memset(first + at, 0, 8);
    first[at + 6] = 0x20; /* 2^53 */
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first, n, 0), SVMC_OK);
    CHECK(one_msr(&l, KVM_GET_MSRS, MSR_TSC, &tsc));
    CHECK(tsc < 2 * TSC_AHEAD);
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first, n, SVMC_KVM_LOAD_TSC), SVMC_OK);
    CHECK(one_msr(&l, KVM_GET_MSRS, MSR_TSC, &tsc));
    CHECK(tsc - 2 * TSC_AHEAD < TSC_TOO_LATE, "%" PRIx64, tsc);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, a_guest_of_a_guest_is_refused) /* KV-10 */
{
    struct lab l;
    size_t n = 1;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    between.nests = true;
    memset(first, 0xee, sizeof first);
    CHECK_EQ(svmc_kvm_vcpu_save(&l.v, first, sizeof first, &n), SVMC_ERR_UNSUPPORTED);
    CHECK(n == 0 && all_zero(first, sizeof first));
    between.nests = false;
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, each_call_of_kvm_that_fails_is_an_error) /* KV-5 KV-12 */
{
    struct lab l;
    enum svmc_status st = SVMC_ERR_STATE;
    unsigned k, saves, loads;
    size_t n, got;

    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    n = save(&l, second);
    between.counts = true;
    for (k = 1; st != SVMC_OK && k < 64; k++) {
        between.calls = 0;
        between.fail = k;
        got = 1;
        memset(first, 0xee, n);
        st = svmc_kvm_vcpu_save(&l.v, first, n, &got);
        CHECK(st == SVMC_OK || (st == SVMC_ERR_CALLBACK && got == 0 && all_zero(first, n)) ||
                  k == 2, /* whether it nests: not every KVM knows */
              "call %u: %s", k, svmc_status_name(st));
        st = k == 2 ? SVMC_ERR_STATE : st;
    }
    saves = k - 2;
    st = SVMC_ERR_STATE;
    for (k = 1; st != SVMC_OK && k < 64; k++) {
        between.calls = 0;
        between.fail = k;
        st = svmc_kvm_vcpu_load(&l.v, second, n, 0);
        CHECK(st == SVMC_OK || st == SVMC_ERR_CALLBACK, "call %u: %s", k, svmc_status_name(st));
    }
    loads = k - 2;
    CHECK(saves > 8 && loads > 6, "%u %u", saves, loads);
    for (k = 1; k < 6; k++) { /* whatever fails, the rest is wiped */
        between.calls = 0;
        between.fail = k;
        CHECK_EQ(svmc_kvm_vcpu_load(&l.v, second, n, 0), SVMC_ERR_CALLBACK);
        memset(first, 0xee, n);
        st = svmc_kvm_vcpu_wipe(&l.v, first, n);
        CHECK(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
        CHECK(all_zero(first, n));
    }
    for (k = 1; k < 20; k++) {
        struct svmc_kvm_vcpu other;
        struct svmc_kvm_files files = { l.kvm, l.vm, l.cpu, l.run, l.run_bytes };

        memset(&other, 0xee, sizeof other);
        between.calls = 0;
        between.fail = k;
        st = svmc_kvm_vcpu_open(&other, &files);
        CHECK(st == SVMC_OK || all_zero(&other, sizeof other), "call %u", k);
    }
    between.counts = false;
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, wrong_arguments) /* KV-12 */
{
    struct lab l;
    struct svmc_kvm_vcpu none;
    size_t n = 1;

    CHECK_EQ(svmc_kvm_vcpu_open(NULL, NULL), SVMC_ERR_ARG);
    memset(&none, 0xee, sizeof none);
    CHECK_EQ(svmc_kvm_vcpu_open(&none, NULL), SVMC_ERR_ARG);
    CHECK(all_zero(&none, sizeof none));
    CHECK_EQ(svmc_kvm_vcpu_bytes(&none), 0);
    CHECK_EQ(svmc_kvm_vcpu_save(&none, first, sizeof first, &n), SVMC_ERR_ARG);
    CHECK_EQ(n, 0);
    CHECK_EQ(svmc_kvm_vcpu_load(&none, first, 16, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_vcpu_wipe(&none, first, 16), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_vcpu_settle(NULL), SVMC_ERR_ARG);
    if (no_kvm() || !open_lab(&l, NULL, halt, sizeof halt))
        return;
    memset(first, 0xee, sizeof first);
    CHECK_EQ(svmc_kvm_vcpu_save(&l.v, first, svmc_kvm_vcpu_bytes(&l.v) - 1, &n), SVMC_ERR_FULL);
    CHECK_EQ(svmc_kvm_vcpu_wipe(&l.v, first, svmc_kvm_vcpu_bytes(&l.v) - 1), SVMC_ERR_FULL);
    CHECK_EQ(svmc_kvm_vcpu_save(&l.v, first + 4, CONTEXT_MAX - 4, &n), SVMC_ERR_ARG);
    n = save(&l, first);
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first, n, 2), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_vcpu_load(&l.v, first + 4, n, 0), SVMC_ERR_ARG);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

/* mov byte [rdi], 1; out 0x10, al; add rdi, 0x2000; jmp: every second page */
static const uint8_t every_second[] = { 0xc6, 0x07, 0x01, 0xe6, PORT, 0x48, 0x81,
                                        0xc7, 0x00, 0x20, 0x00, 0x00, 0xeb, 0xf2 };

static void write_pages(const struct lab *l, uint64_t page, unsigned pages)
{
    struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rdi = page * PAGE };

    CHECK_EQ(ioctl(l->cpu, KVM_SET_REGS, &regs), 0);
    for (unsigned i = 0; i < pages; i++)
        runs(l, KVM_EXIT_IO);
}

static void logs(bool manual) /* KV-11 */
{
    static uint64_t scratch[PAGES / 64], dirty[PAGES / 64];
    struct lab l;
    struct svmc_kvm_log log = { .slot = 1, .first = 64, .pages = 130 };
    enum svmc_status st;

    if (no_kvm() || !open_lab(&l, NULL, every_second, sizeof every_second))
        return;
    log.vm = l.vm;
    log.manual = manual ? svmc_kvm_log_manual(l.vm) : 0;
    CHECK(add_slot(&l, 0, 0, 64, false) && add_slot(&l, 1, 64, 130, true));
    memset(dirty, 0, sizeof dirty);
    write_pages(&l, 64, 65); /* 64, 66 ... 192 */
    between.noisy = true;
    CHECK_EQ(svmc_kvm_log_fetch(&log, scratch, dirty), SVMC_OK);
    between.noisy = false;
    CHECK(dirty[0] == 0 && dirty[4] == 0);
    CHECK_EQ(dirty[1], 0x5555555555555555);
    CHECK_EQ(dirty[2], 0x5555555555555555);
    CHECK_EQ(dirty[3], 1);
    CHECK_EQ(svmc_kvm_log_clear(&log, 64, 64, dirty), SVMC_OK);
    memset(dirty, 0, sizeof dirty);
    dirty[1] = (uint64_t)1 << 63; /* what was there stays */
    write_pages(&l, 68, 1);
    CHECK_EQ(svmc_kvm_log_fetch(&log, scratch, dirty), SVMC_OK);
    CHECK_EQ(dirty[1], (uint64_t)1 << 63 | 1 << 4);
    CHECK_EQ(dirty[2], log.manual ? 0x5555555555555555 : 0);    /* not cleared yet */
    CHECK_EQ(svmc_kvm_log_clear(&log, 192, 2, dirty), SVMC_OK); /* the slot's end */
    for (uint64_t count = 1; count < 64; count++)
        CHECK_EQ(svmc_kvm_log_clear(&log, 64, count, dirty), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_log_clear(&log, 0, 64, dirty), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_log_clear(&log, 192, 64, dirty), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_log_clear(&log, 256, 64, dirty), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_log_clear(&log, 96, 64, dirty), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_log_clear(&log, 64, 64, NULL), SVMC_ERR_ARG);
    log.slot = 0; /* it is not logged */
    st = svmc_kvm_log_fetch(&log, scratch, dirty);
    CHECK_EQ(st, SVMC_ERR_CALLBACK);
    log.first = 1;
    CHECK_EQ(svmc_kvm_log_fetch(&log, scratch, dirty), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_log_fetch(NULL, scratch, dirty), SVMC_ERR_ARG);
    munmap(l.memory, PAGES * PAGE);
    close_lab(&l);
}

TEST(kvm, written_pages_are_found_and_cleared_by_a_fetch) /* KV-11 */
{
    logs(false);
}

TEST(kvm, written_pages_are_found_and_cleared_by_hand) /* KV-11 */
{
    logs(true);
}
