/* SPDX-License-Identifier: MIT */
/*
 * KVM on arm64 as it is, and the first program of a machine that QEMU emulates: instructions whose
 * syndrome says nothing, on RAM by the processor and on a device, where KVM exits (ARM_NISV) and
 * the port finishes them. Registers, vector registers and memory must be the same. kvm_arm64.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <svmcore/port/kvm_finish_a64.h>
#include <unistd.h>

#define RAM       0x40000000u
#define RAM_BYTES 0x100000u
#define DATA      (RAM + 0x10000u)
#define DEVICE    0x10000000u
#define BELL      0x20000000u /* a store there ends a case */
#define BYTES     128u
#define MIDDLE    32u         /* where X1 points to */
#define STOP      0xb9000294u /* str w20, [x20] */
#define CORE(name) \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))
#define VECTOR(n) \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(fp_regs.vregs[n]))

static const struct {
    const char *name;
    uint32_t word;
} cases[] = {
    { "ldp x2, x3, [x1]", 0xa9400c22 },
    { "stp x2, x3, [x1]", 0xa9000c22 },
    { "ldp x2, x3, [x1, #16]!", 0xa9c10c22 },
    { "stp w2, w3, [x1], #8", 0x28810c22 },
    { "ldpsw x2, x3, [x1]", 0x69400c22 },
    { "str w2, [x1], #4", 0xb8004422 },
    { "str x2, [x1, #-8]!", 0xf81f8c22 },
    { "ldrsb x2, [x1], #1", 0x38801422 },
    { "ldrh w2, [x1, #2]!", 0x78402c22 },
    { "ldr q0, [x1]", 0x3dc00020 },
    { "str q1, [x1]", 0x3d800021 },
    { "ldp q0, q1, [x1]", 0xad400420 },
    { "stp d0, d1, [x1]", 0x6d000420 },
    { "ldr s0, [x1], #4", 0xbc404420 },
    { "ld1 {v0.16b, v1.16b}, [x1]", 0x4c40a020 },
    { "st2 {v0.4s, v1.4s}, [x1]", 0x4c008820 },
    { "ld1r {v0.2d}, [x1]", 0x4d40cc20 },
    { "ldaddal x2, x3, [x1]", 0xf8e20023 },
    { "swp w2, w3, [x1]", 0xb8228023 },
    { "cas x2, x3, [x1]", 0xc8a27c23 },
    { "ldclrb w2, w3, [x1]", 0x38221023 },
    { "ldar x2, [x1]", 0xc8dffc22 },
    { "stlr w2, [x1]", 0x889ffc22 },
    { "ldxr x2, [x1]", 0xc85f7c22 },
    { "ldxp x2, x3, [x1]", 0xc87f0c22 },
};

struct state {
    uint64_t x[31];
    uint64_t pc;
    _Alignas(16) uint8_t v[2][16];
    uint8_t memory[BYTES];
};

static int vm, vcpu;
static struct kvm_run *run;
static uint8_t *ram, device[BYTES];
static struct svmc_kvm_finish_a64 finish;

static void *memory(void *ctx, svmc_gpa at, size_t n, uint32_t access)
{
    (void)ctx, (void)access;
    return at.v >= RAM && at.v - RAM < RAM_BYTES && n <= RAM_BYTES - (at.v - RAM)
               ? ram + (at.v - RAM)
               : NULL;
}

static const struct svmc_kvm_finish_ops ops = { .size = sizeof ops, .memory = memory };

static void die(const char *what)
{
    printf("FAIL %s: %s\n", what, strerror(errno));
    reboot(RB_POWER_OFF);
    exit(1);
}

static void reg(unsigned long request, uint64_t id, void *value)
{
    struct kvm_one_reg one = { .id = id, .addr = (uintptr_t)value };

    if (ioctl(vcpu, request, &one) != 0)
        die("register");
}

static void move(unsigned long request, struct state *s)
{
    for (unsigned i = 0; i < 31; i++)
        reg(request, CORE(regs.regs[0]) + 2 * i, &s->x[i]);
    reg(request, CORE(regs.pc), &s->pc);
    for (unsigned i = 0; i < 2; i++)
        reg(request, VECTOR(0) + 4 * i, s->v[i]);
}

/* An exit of the device, whoever made it. false: the bell. */
static bool answer(void)
{
    uint8_t *at = device + (run->mmio.phys_addr - DEVICE) % BYTES;

    if (run->exit_reason != KVM_EXIT_MMIO || run->mmio.phys_addr == BELL)
        return false;
    if (run->mmio.is_write)
        memcpy(at, run->mmio.data, run->mmio.len);
    else
        memcpy(run->mmio.data, at, run->mmio.len);
    return true;
}

/* The bell, whose store is completed: or KVM would step over what comes next. */
static bool rung(void)
{
    bool good = run->exit_reason == KVM_EXIT_MMIO;

    run->immediate_exit = 1;
    good = good && ioctl(vcpu, KVM_RUN, 0) != 0 && errno == EINTR;
    run->immediate_exit = 0;
    return good;
}

/* To the bell. How many exits said nothing; -1: something else came. */
static int go(void)
{
    struct svmc_kvm_finished out;
    int nisv = 0;

    for (unsigned i = 0; i < 100; i++) {
        if (!svmc_kvm_finish_a64_waits(&finish) && ioctl(vcpu, KVM_RUN, 0) != 0)
            return -1;
        if (svmc_kvm_finish_a64_waits(&finish) || run->exit_reason == KVM_EXIT_ARM_NISV) {
            nisv += run->exit_reason == KVM_EXIT_ARM_NISV;
            if (svmc_kvm_finish_a64_exit(&finish, &out) != SVMC_OK)
                return -1;
            if (out.action == SVMC_EXEC_DONE || out.action == SVMC_EXEC_AGAIN)
                continue;
            if (out.action != SVMC_EXEC_PENDING)
                return -1;
        }
        if (!answer())
            return rung() ? nisv : -1;
    }
    return -1;
}

static int one(const struct state *first, uint32_t word, uint64_t at, struct state *s)
{
    const uint32_t code[2] = { word, STOP };
    int nisv;

    *s = *first;
    s->x[1] = at + MIDDLE;
    s->x[20] = BELL;
    s->pc = RAM;
    memcpy(ram, code, sizeof code);
    memcpy(device, first->memory, BYTES);
    memcpy(ram + (DATA - RAM), first->memory, BYTES);
    __builtin___clear_cache((char *)ram, (char *)ram + sizeof code);
    move(KVM_SET_ONE_REG, s);
    nisv = go();
    move(KVM_GET_ONE_REG, s);
    s->x[1] -= at;
    memcpy(s->memory, at == DEVICE ? device : ram + (DATA - RAM), BYTES);
    svmc_kvm_finish_a64_drop(&finish);
    return nisv;
}

static void open_all(void)
{
    struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_NISV_TO_USER };
    struct kvm_vcpu_init init = { 0 };
    uint64_t cpacr = 3 << 20, dczid;
    int kvm = open("/dev/kvm", O_RDWR), bytes;
    struct kvm_userspace_memory_region slot = { .guest_phys_addr = RAM, .memory_size = RAM_BYTES };

    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    slot.userspace_addr = (uintptr_t)ram;
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (kvm < 0 || vm < 0 || vcpu < 0 || run == MAP_FAILED || ram == MAP_FAILED ||
        ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) != 0 || ioctl(vm, KVM_ENABLE_CAP, &cap) != 0 ||
        ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) != 0 ||
        ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) != 0)
        die("KVM");
    reg(KVM_SET_ONE_REG, ARM64_SYS_REG(3, 0, 1, 0, 2), &cpacr);
    __asm__("mrs %0, dczid_el0" : "=r"(dczid));
    if (svmc_kvm_finish_a64_open(&finish, vcpu, run, &ops, NULL, dczid) != SVMC_OK)
        die("open");
}

int main(void)
{
    struct state first, there, here;
    unsigned passed = 0, failed = 0, nothing = 0;
    int ran, nisv;

    if (mkdir("/dev", 0755) != 0 && errno != EEXIST)
        die("/dev");
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0 && errno != EBUSY)
        die("devtmpfs");
    open_all();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *bytes = (uint8_t *)&first;

        for (size_t at = 0; at < sizeof first; at++)
            bytes[at] = (uint8_t)(at * 37 + (at >> 3) * 11 + i * 5 + 1);
        ran = one(&first, cases[i].word, DATA, &there);
        nisv = one(&first, cases[i].word, DEVICE, &here);
        if (ran == 0 && nisv >= 0 && memcmp(&there, &here, sizeof there) == 0) {
            passed++;
        } else {
            failed++;
            printf("FAIL %s: %d and %d exits, x1 %llx, %llx\n", cases[i].name, ran, nisv,
                   (unsigned long long)there.x[1], (unsigned long long)here.x[1]);
        }
        nothing += nisv > 0;
    }
    printf("%u of %u instructions had a syndrome that says nothing\n", nothing, passed + failed);
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 0;
}
