/* SPDX-License-Identifier: MIT */
#include "fake_vcpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int ioctl(int fd, unsigned long request, ...);

#define XMM_AT       160u
#define XSTATE_BV_AT 512u
#define ENTRY        0x7u /* present, writable, user; neither accessed nor dirty */

static struct fake_lab *now;

/* GenuineIntel with SSE4.2, POPCNT, MOVBE, CX16, AVX, VMX; BMI1, AVX2, LZCNT; XSAVES. */
static const struct svmc_cpuid_leaf leaves[] = {
    { 0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 },
    { 1, 0, 0x906ea, 0, 0x1ed82223, 0x0f8bfbff },
    { 7, 0, 0, 0x00000128, 0, 0 },
    { 0xd, 1, 8, 0, 0, 0 },
    { 0x80000000, 0, 0x80000008, 0, 0, 0 },
    { 0x80000001, 0, 0, 0, 0x21, 0x2c100800 },
    { 0x80000008, 0, 0x3027, 0, 0, 0 },
};
#define LEAVES (sizeof leaves / sizeof leaves[0])

/* One argument, as the kernel reads or writes it. */
static int give(void *arg, const void *what, size_t n)
{
    memcpy(arg, what, n);
    return 0;
}

static int take(void *what, const void *arg, size_t n)
{
    now->sets++;
    memcpy(what, arg, n);
    return 0;
}

static int set_events(const void *arg)
{
    struct kvm_vcpu_events e;

    now->sets++;
    memcpy(&e, arg, sizeof e);
    e.exception.pending = 0; /* without a payload */
    if (!(e.flags & KVM_VCPUEVENT_VALID_NMI_PENDING))
        e.nmi.pending = now->v.events.nmi.pending;
    e.flags = now->v.events.flags;
    now->v.events = e;
    return 0;
}

static int translate(struct kvm_translation *t)
{
    t->valid = now->translated != 0;
    t->physical_address = t->valid ? now->translated | (t->linear_address & (FAKE_PAGE - 1)) : ~0u;
    return 0;
}

/* IA32_XSS alone: KVM says how many it has given. */
static int get_msrs(struct kvm_msrs *msrs)
{
    struct kvm_msr_entry *one = (struct kvm_msr_entry *)(void *)(msrs + 1);

    now->msr_reads++;
    if (msrs->nmsrs != 1 || one->index != 0xda0)
        abort();
    if (now->xss == ~(uint64_t)0)
        return 0;
    one->data = now->xss;
    return 1;
}

static int get_cpuid(struct kvm_cpuid2 *to)
{
    struct kvm_cpuid_entry2 *e = to->entries;

    if (to->nent < LEAVES)
        abort();
    for (size_t i = 0; i < LEAVES; i++)
        e[i] = (struct kvm_cpuid_entry2){ .function = leaves[i].leaf,
                                          .index = leaves[i].subleaf,
                                          .eax = leaves[i].eax,
                                          .ebx = leaves[i].ebx,
                                          .ecx = leaves[i].ecx,
                                          .edx = leaves[i].edx };
    if (now->counts)
        to->nent = LEAVES;
    return 0;
}

/* arm64: any register there is, 0 until it is set. */
static int one_reg(const struct kvm_one_reg *reg, bool sets)
{
    const size_t n = (size_t)1 << (reg->id >> 52 & 15);
    struct fake_one_reg *r = fake_one_reg(now, reg->id);

    if (sets)
        return take(r->bytes, (const void *)(uintptr_t)reg->addr, n);
    return give((void *)(uintptr_t)reg->addr, r->bytes, n);
}

struct fake_one_reg *fake_one_reg(struct fake_lab *l, uint64_t id)
{
    unsigned i = 0;

    while (i < FAKE_ONE_REGS - 1 && l->one[i].id != id && l->one[i].id != 0)
        i++;
    l->one[i].id = id;
    return &l->one[i];
}

static int answer(unsigned long request, void *arg)
{
    struct fake_vcpu *v = &now->v;

    switch (request) {
    case KVM_GET_REGS:
        return give(arg, &v->regs, sizeof v->regs);
    case KVM_SET_REGS:
        v->events.exception.pending = 0; /* KVM forgets it */
        v->events.exception.injected = 0;
        return take(&v->regs, arg, sizeof v->regs);
    case KVM_GET_SREGS:
        return give(arg, &v->sregs, sizeof v->sregs);
    case KVM_SET_SREGS:
        return take(&v->sregs, arg, sizeof v->sregs);
    case KVM_GET_VCPU_EVENTS:
        return give(arg, &v->events, sizeof v->events);
    case KVM_SET_VCPU_EVENTS:
        return set_events(arg);
    case KVM_GET_DEBUGREGS:
        return give(arg, &v->debug, sizeof v->debug);
    case KVM_SET_DEBUGREGS:
        return take(&v->debug, arg, sizeof v->debug);
    case KVM_GET_XCRS:
        return give(arg, &v->xcrs, sizeof v->xcrs);
    case KVM_GET_XSAVE:
        return give(arg, v->xsave, sizeof v->xsave);
    case KVM_SET_XSAVE:
        return take(v->xsave, arg, sizeof v->xsave);
    case KVM_GET_ONE_REG:
    case KVM_SET_ONE_REG:
        return one_reg(arg, request == KVM_SET_ONE_REG);
    case KVM_RUN: /* an access is completed, wrongly: as BSR does */
        v->regs.rax = 0xb5f;
        v->regs.rip += 5;
        now->runs++;
        errno = now->run.run.immediate_exit ? EINTR : EIO;
        return -1;
    case KVM_GET_CPUID2:
        return get_cpuid(arg);
    case KVM_GET_MSRS:
        return get_msrs(arg);
    case KVM_TRANSLATE:
        return translate(arg);
    default:
        abort();
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (fd == FAKE_VM)
        return request == KVM_CHECK_EXTENSION || request == KVM_ENABLE_CAP ? 0 : -1;
    if (fd != FAKE_VCPU)
        abort();
    if (++now->calls == now->fail_at) {
        errno = EIO;
        return -1;
    }
    return answer(request, arg);
}

static void *memory(void *ctx, svmc_gpa at, size_t n, uint32_t access)
{
    struct fake_lab *l = ctx;

    if (at.v >= FAKE_MEMORY || n > FAKE_MEMORY - at.v)
        return NULL;
    if ((access & SVMC_ACCESS_WRITE) && at.v + n > 0xa000 && at.v < 0xb000)
        return NULL;
    return l->memory + at.v;
}

static enum svmc_status device_read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct fake_lab *l = ctx;

    l->reads++;
    memset(dst, (int)(at.v & 0xff) + 1, n);
    return l->device;
}

static enum svmc_status device_write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct fake_lab *l = ctx;

    (void)at;
    memcpy(l->wrote, src, n);
    l->writes++;
    return l->writes == l->fail_write ? SVMC_ERR_STATE : l->device;
}

static enum svmc_status port_read(void *ctx, uint32_t port, void *dst, size_t n)
{
    (void)port;
    return device_read(ctx, (svmc_gpa){ 0x40 }, dst, n);
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    (void)port;
    return device_write(ctx, (svmc_gpa){ 0 }, src, n);
}

static const struct svmc_kvm_finish_ops by_exits = { .size = sizeof by_exits, .memory = memory };
static const struct svmc_kvm_finish_ops by_callbacks = { .size = sizeof by_callbacks,
                                                         .memory = memory,
                                                         .device_read = device_read,
                                                         .device_write = device_write,
                                                         .port_read = port_read,
                                                         .port_write = port_write };

const struct svmc_kvm_finish_ops *fake_ops(bool callbacks)
{
    return callbacks ? &by_callbacks : &by_exits;
}

const struct svmc_kvm_finish_ops *fake_bare(struct fake_lab *l, bool callbacks)
{
    memset(l, 0, sizeof *l);
    now = l;
    return fake_ops(callbacks);
}

static void put64(struct fake_lab *l, uint32_t at, uint64_t value)
{
    memcpy(l->memory + at, &value, sizeof value);
}

static void put_tables(struct fake_lab *l)
{
    static const uint64_t page[9] = { FAKE_CODE, 0x6000, 0x7000, FAKE_DEVICE, FAKE_DEVICE + 0x1000,
                                      0,         0x8000, 0x9000, 0xa000 };

    put64(l, 0x1000, 0x2000 | ENTRY);
    put64(l, 0x2000, 0x3000 | ENTRY);
    put64(l, 0x3000 + 8 * (LINEAR >> 21), 0x4000 | ENTRY);
    put64(l, 0x3000 + 8 * (LINEAR_NOTABLE >> 21), 0x20000000 | ENTRY);
    for (uint32_t i = 0; i < 9; i++)
        put64(l, 0x4000 + 8 * i, page[i] == 0 ? 0 : page[i] | ENTRY);
    put64(l, 0x4000 + 8 * 6, 0x8000 | 3); /* not for ring 3 */
    put64(l, 0x4000 + 8 * 7, 0x9000 | 5); /* not to be written */
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint8_t dpl)
{
    return (struct kvm_segment){ .limit = 0xffffffff,
                                 .selector = selector,
                                 .type = type,
                                 .present = 1,
                                 .dpl = dpl,
                                 .s = 1,
                                 .g = 1,
                                 .l = type == 11,
                                 .db = type != 11 };
}

void fake_fail_emulation(struct fake_lab *l, bool with_bytes)
{
    struct kvm_run *run = &l->run.run;

    memset(&run->emulation_failure, 0, sizeof run->emulation_failure);
    run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    run->emulation_failure.ndata = with_bytes ? 3 : 0;
    if (with_bytes) {
        run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
        run->emulation_failure.insn_size = 15;
        memcpy(run->emulation_failure.insn_bytes, l->memory + FAKE_CODE, 15);
    }
    l->v.events.exception.injected = 1; /* as KVM leaves it */
    l->v.events.exception.nr = 6;
}

bool fake_open(struct fake_lab *l, const uint8_t *code, size_t n, bool callbacks, uint32_t flags)
{
    const struct svmc_kvm_files files = { -1, FAKE_VM, FAKE_VCPU, &l->run, sizeof l->run };
    const struct svmc_kvm_finish_how how = { .ops = callbacks ? &by_callbacks : &by_exits,
                                             .ctx = l,
                                             .leaves = leaves,
                                             .leaf_count = LEAVES,
                                             .xsave = l->xsave,
                                             .xsave_bytes = sizeof l->xsave,
                                             .flags = flags };
    struct fake_vcpu *v = &l->v;

    memset(l, 0, sizeof *l);
    now = l;
    put_tables(l);
    memcpy(l->memory + FAKE_CODE, code, n);
    v->regs =
        (struct kvm_regs){ .rax = 0x1111, .rbx = LINEAR_DEVICE + 0x10, .rcx = 3, .rdx = 0x2222 };
    v->regs.rip = LINEAR_CODE;
    v->regs.rflags = 0x3002;
    v->sregs.cs = segment(0x23, 11, 3);
    v->sregs.ss = v->sregs.ds = v->sregs.es = v->sregs.fs = v->sregs.gs = segment(0x1b, 3, 3);
    v->sregs.cr0 = 0x80050033;
    v->sregs.cr3 = FAKE_TABLES;
    v->sregs.cr4 = 0x40620; /* OSXSAVE, OSXMMEXCPT, OSFXSR, PAE */
    v->sregs.efer = 0x500;
    v->xcrs = (struct kvm_xcrs){ .nr_xcrs = 1, .xcrs = { { .value = 7 } } };
    v->events.nmi.pending = 1; /* somebody sent one meanwhile */
    v->xsave[0] = 0x7f;        /* FCW, MXCSR: as reset leaves them */
    v->xsave[1] = 3;
    v->xsave[24] = 0x80;
    v->xsave[25] = 0x1f;
    fake_fail_emulation(l, true);
    return svmc_kvm_finish_open(&l->f, &files, &how) == SVMC_OK;
}

void fake_put_xmm(struct fake_lab *l, unsigned number, const uint8_t bytes[16])
{
    memcpy(l->v.xsave + XMM_AT + 16 * (size_t)number, bytes, 16);
    l->v.xsave[XSTATE_BV_AT] |= 2;
}

unsigned fake_go_on(struct fake_lab *l, uint8_t *device, enum svmc_status *st)
{
    struct kvm_run *run = &l->run.run;
    unsigned exits = 0;

    *st = svmc_kvm_finish_exit(&l->f, &l->out);
    while (*st == SVMC_OK && l->out.action == SVMC_EXEC_PENDING) {
        uint8_t *at = device + (run->mmio.phys_addr - FAKE_DEVICE) % 64;

        exits++;
        if (run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write)
            memcpy(at, run->mmio.data, run->mmio.len);
        else if (run->exit_reason == KVM_EXIT_MMIO)
            memcpy(run->mmio.data, at, run->mmio.len);
        *st = svmc_kvm_finish_exit(&l->f, &l->out);
    }
    return exits;
}
