/* SPDX-License-Identifier: MIT */
/** What KVM's emulator lacks is finished here; its devices are asked as for any exit. */
#include "second.h"

#include <cpuid.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <svmcore/token_page.h>

#include "vm.h"

#define PAGE_BYTES 4096u
#define CR4_XSAVE  0x40000u
#define XCR0_AVX   0x7u /* x87, SSE, AVX */
#define CPUID_AVX  ((uint32_t)1 << 28)

/* Of one slot, with the rights that the guest has there; all else is a device's. */
static void *memory(void *ctx, svmc_gpa at, size_t n, uint32_t access)
{
    const struct second *s = ctx;
    const uint64_t want = (access & SVMC_ACCESS_WRITE ? SVMC_TOKEN_MAY_WRITE : 0u) |
                          (access & SVMC_ACCESS_READ ? SVMC_TOKEN_MAY_READ : 0u);
    uint64_t aliases;

    if (at.v >= s->vm->memory_bytes || n > s->vm->memory_bytes - at.v)
        return NULL;
    for (uint64_t page = at.v / PAGE_BYTES; page <= (at.v + n - 1) / PAGE_BYTES; page++)
        if ((vm_rights(s->vm, page * PAGE_BYTES, &aliases) & want) != want)
            return NULL;
    return s->vm->memory + at.v;
}

static enum svmc_status vec_op(void *ctx, struct svmc_exec_vec_op *op)
{
    const struct second *s = ctx;

    return svmc_x86vec_execute(&s->floats, op);
}

static const struct svmc_kvm_finish_ops ops = { .size = sizeof ops,
                                                .memory = memory,
                                                .vec_op = vec_op };

/* A KVM in software shows a program of the guest the machine's own processor, not KVM's list. */
static size_t leaves(struct svmc_cpuid_leaf *leaf)
{
    static const uint32_t wanted[][2] = {
        { 0, 0 },          { 1, 0 },          { 7, 0 },          { 7, 1 },
        { 0xd, 1 },        { 0x12, 0 },       { 0x14, 0 },       { 0x80000000, 0 },
        { 0x80000001, 0 }, { 0x80000008, 0 }, { 0x8000001f, 0 }, { 0x80000021, 0 },
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct svmc_cpuid_leaf *l = &leaf[n];

        *l = (struct svmc_cpuid_leaf){ .leaf = wanted[i][0], .subleaf = wanted[i][1] };
        if (__get_cpuid_count(l->leaf, l->subleaf, &l->eax, &l->ebx, &l->ecx, &l->edx))
            n++;
    }
    return n;
}

bool second_open(struct second *s, struct vm_vcpu *c, bool mends)
{
    const struct svmc_kvm_files files = { c->vm->kvm, c->vm->fd, c->fd, c->run, c->run_bytes };
    struct svmc_cpuid_leaf leaf[16];
    const struct svmc_kvm_finish_how how = {
        .ops = &ops,
        .ctx = s,
        .leaves = leaf,
        .leaf_count = leaves(leaf),
        .xsave = s->xsave,
        .xsave_bytes = sizeof s->xsave,
        .flags = mends ? SVMC_KVM_FINISH_MEND : 0,
    };

    s->vm = c->vm;
    s->finished = 0;
    s->mends = mends;
    return svmc_x86vec_open(&s->floats) == SVMC_OK && svmc_kvm_finish_enable(c->vm->fd) &&
           svmc_kvm_finish_open(&s->finish, &files, &how) == SVMC_OK;
}

void second_boot(const struct vm_vcpu *c)
{
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .value = XCR0_AVX } } };
    struct kvm_sregs sregs;
    uint32_t eax, ebx, ecx = 0, edx;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_AVX) ||
        ioctl(c->fd, KVM_GET_SREGS, &sregs) != 0)
        return;
    sregs.cr4 |= CR4_XSAVE;
    if (ioctl(c->fd, KVM_SET_SREGS, &sregs) == 0)
        (void)ioctl(c->fd, KVM_SET_XCRS, &xcrs);
}

bool second_waits(const struct second *s)
{
    return svmc_kvm_finish_waits(&s->finish);
}

enum second_end second_chance(struct second *s, char *why, size_t cap)
{
    struct svmc_kvm_finished out;
    enum svmc_status st = svmc_kvm_finish_exit(&s->finish, &out);
    char text[SVMC_KVM_FINISH_TEXT_MAX];

    if (st == SVMC_ERR_UNSUPPORTED)
        return SECOND_NONE;
    if (st != SVMC_OK) {
        snprintf(why, cap, "KVM cannot emulate an instruction, nor is it finished: %s",
                 svmc_status_name(st));
        return SECOND_FAILED;
    }
    if (out.action == SVMC_EXEC_PENDING)
        return SECOND_DEVICE;
    if (out.action == SVMC_EXEC_DONE || out.action == SVMC_EXEC_AGAIN ||
        out.action == SVMC_EXEC_FAULT) {
        s->finished++;
        return SECOND_DONE;
    }
    if (svmc_kvm_finish_format(&out, text, sizeof text) == SVMC_OK)
        snprintf(why, cap, "KVM cannot emulate %s", text);
    return SECOND_FAILED;
}
