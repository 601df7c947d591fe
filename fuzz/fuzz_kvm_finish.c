/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: KVM's second chance with any exit, any vCPU, any memory, and an ioctl that
 * fails where the input says so. Traps when an invariant breaks.
 * Shape of the input: flags (4 bytes), which ioctl fails (1), the exit (64), the code (15), general
 * registers, system registers, events, then page tables and what devices answer.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdbool.h>
#include <svmcore/port/kvm_finish.h>

#include "input.h"

#define PAGE    4096u
#define MEMORY  (8 * PAGE)
#define XSAVE   4096u
#define RUN     (2 * PAGE)
#define VCPU    1000
#define CALLS   64u
#define CR0_PG  0x80000000u
#define CODE_AT 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int ioctl(int fd, unsigned long request, ...);

struct vcpu {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debug;
    _Alignas(64) uint8_t xsave[XSAVE];
};

static struct input in;
static struct vcpu v;
static unsigned asked, fails;
static _Alignas(64) uint8_t memory[MEMORY], scratch[XSAVE];
static union {
    struct kvm_run run;
    uint8_t bytes[RUN];
} mapping;

static int move(void *mine, void *theirs, size_t n, bool sets)
{
    memcpy(sets ? mine : theirs, sets ? theirs : mine, n);
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (fd != VCPU)
        return 0;
    if (++asked == fails) {
        errno = EIO;
        return -1;
    }
    switch (request) {
    case KVM_GET_REGS:
    case KVM_SET_REGS:
        return move(&v.regs, arg, sizeof v.regs, request == KVM_SET_REGS);
    case KVM_GET_SREGS:
    case KVM_SET_SREGS:
        return move(&v.sregs, arg, sizeof v.sregs, request == KVM_SET_SREGS);
    case KVM_GET_VCPU_EVENTS:
    case KVM_SET_VCPU_EVENTS:
        return move(&v.events, arg, sizeof v.events, request == KVM_SET_VCPU_EVENTS);
    case KVM_GET_DEBUGREGS:
    case KVM_SET_DEBUGREGS:
        return move(&v.debug, arg, sizeof v.debug, request == KVM_SET_DEBUGREGS);
    case KVM_GET_XSAVE:
    case KVM_SET_XSAVE:
        return move(v.xsave, arg, sizeof v.xsave, request == KVM_SET_XSAVE);
    case KVM_GET_XCRS:
        take(&in, arg, sizeof(struct kvm_xcrs));
        return 0;
    case KVM_RUN:
        errno = take_byte(&in) & 1 ? EINTR : EIO;
        return -1;
    case KVM_GET_MSRS: /* IA32_XSS; the head says how many */
        take(&in, (uint8_t *)arg + sizeof(struct kvm_msrs) + 8, 8);
        return take_byte(&in) & 1;
    case KVM_TRANSLATE:
        take(&in, arg, sizeof(struct kvm_translation));
        return 0;
    default:
        require(0);
        return -1;
    }
}

static void *lend(void *ctx, svmc_gpa at, size_t n, uint32_t access)
{
    (void)ctx;
    require(n >= 1 && n <= SVMC_EXEC_WIDTH_MAX);
    require((access & ~(uint32_t)SVMC_ACCESS_RW) == 0 && access != 0);
    return at.v < MEMORY && n <= MEMORY - at.v ? memory + at.v : NULL;
}

static enum svmc_status device(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    uint8_t how;

    (void)ctx, (void)at;
    require(n >= 1 && n <= 8);
    take(&in, dst, n);
    how = take_byte(&in) & 3;
    return how == 3 ? SVMC_ERR_STATE : how == 1 ? SVMC_ERR_BUSY : SVMC_OK;
}

static const struct svmc_kvm_finish_ops ops = { .size = sizeof ops, .memory = lend };
static const struct svmc_kvm_finish_ops with_device = { .size = sizeof ops,
                                                        .memory = lend,
                                                        .device_read = device };
static const struct svmc_cpuid_leaf leaves[] = {
    { 0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 },
    { 1, 0, 0x906ea, 0, ~0u, ~0u },
    { 7, 0, 0, ~0u, ~0u, ~0u },
    { 0xd, 1, ~0u, 0, 0, 0 },
    { 0x80000000, 0, 0x80000008, 0, 0, 0 },
    { 0x80000001, 0, 0, 0, ~0u, ~0u },
    { 0x80000008, 0, 0x3027, 0, 0, 0 },
};

/* Half of the inputs in 64-bit code without paging errors, or hardly any gets to an instruction. */
static void take_vcpu(uint32_t flags, const uint8_t code[15])
{
    memset(memory, 0, sizeof memory);
    take(&in, &v.regs, sizeof v.regs);
    take(&in, &v.sregs, sizeof v.sregs);
    take(&in, &v.events, sizeof v.events);
    if (flags & 1) {
        v.events.exception.injected = v.events.exception.pending = 0;
        v.sregs.cr0 &= ~(uint64_t)CR0_PG;
        v.sregs.efer &= ~(uint64_t)0x500;
        v.sregs.cs.base = 0;
        v.sregs.cs.limit = ~0u;
        v.regs.rip = CODE_AT + (flags >> 8 & 0xfff);
    }
    take(&in, memory + 4 * PAGE, 4 * PAGE);
    memcpy(memory + CODE_AT + (flags >> 8 & 0xfff), code, 15);
}

static void check(enum svmc_status st, const struct svmc_kvm_finished *out,
                  const struct vcpu *before)
{
    const struct kvm_run *run = &mapping.run;

    require(st == SVMC_OK || st == SVMC_ERR_ARG || st == SVMC_ERR_UNSUPPORTED ||
            st == SVMC_ERR_STATE || st == SVMC_ERR_REFUSED || st == SVMC_ERR_CALLBACK);
    require(out->count <= SVMC_INSN_MAX && out->insn.length <= SVMC_INSN_MAX);
    if (st != SVMC_OK)
        require(out->action == SVMC_EXEC_NONE && out->insn.length == 0);
    if (out->action != SVMC_EXEC_DONE && out->action != SVMC_EXEC_AGAIN &&
        out->action != SVMC_EXEC_FAULT && fails == 0)
        require(memcmp(before, &v, sizeof v) == 0);
    if (out->action != SVMC_EXEC_PENDING)
        return;
    require(run->exit_reason == KVM_EXIT_MMIO || run->exit_reason == KVM_EXIT_IO);
    if (run->exit_reason == KVM_EXIT_MMIO)
        require(run->mmio.len >= 1 && run->mmio.len <= 8);
    else
        require((run->io.size == 1 || run->io.size == 2 || run->io.size == 4) &&
                run->io.data_offset + run->io.size <= RUN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct svmc_kvm_finish f;
    static struct vcpu before;
    const struct svmc_kvm_files files = { -1, -1, VCPU, &mapping, sizeof mapping };
    struct svmc_kvm_finish_how how = {
        .ctx = NULL, .leaves = leaves, .xsave = scratch, .xsave_bytes = sizeof scratch
    };
    struct svmc_kvm_finished out;
    char text[SVMC_KVM_FINISH_TEXT_MAX];
    uint8_t code[15], exit[64];
    uint32_t flags;
    enum svmc_status st;

    in = (struct input){ data, size };
    asked = 0;
    memset(&v, 0, sizeof v);
    memset(&mapping, 0, sizeof mapping);
    take(&in, &flags, sizeof flags);
    fails = take_byte(&in) & 31;
    take(&in, exit, sizeof exit);
    take(&in, code, sizeof code);
    take_vcpu(flags, code);
    memcpy(mapping.bytes + 32, exit, sizeof exit);
    mapping.run.exit_reason = flags & 2   ? KVM_EXIT_INTERNAL_ERROR
                              : flags & 4 ? KVM_EXIT_DEBUG
                                          : KVM_EXIT_MMIO;
    if (flags & 2)
        mapping.run.internal.suberror = flags & 8 ? mapping.run.internal.suberror : 1;
    if (flags & 0x10)
        mapping.run.emulation_failure.flags = 0;
    how.leaf_count = sizeof leaves / sizeof leaves[0];
    how.ops = flags & 0x20 ? &ops : &with_device;
    how.flags = flags >> 6 & 3;
    require(svmc_kvm_finish_open(&f, &files, &how) == SVMC_OK);
    before = v;
    for (unsigned i = 0; i < CALLS; i++) {
        st = svmc_kvm_finish_exit(&f, &out);
        count_call();
        check(st, &out, &before);
        if (st == SVMC_OK)
            require(svmc_kvm_finish_format(&out, text, sizeof text) == SVMC_OK);
        if (st != SVMC_OK || out.action != SVMC_EXEC_PENDING)
            break;
        require(svmc_kvm_finish_waits(&f) == 1);
        take(&in, mapping.run.mmio.data, 8);
    }
    svmc_kvm_finish_drop(&f);
    require(svmc_kvm_finish_waits(&f) == 0);
    return 0;
}
