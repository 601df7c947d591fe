/* SPDX-License-Identifier: MIT */
/** Deschedule and schedule: context_park does one behind the other, for one vCPU has one thread. */
#include "context.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "clock.h"
#include "vm.h"

bool context_open(struct context *x, struct vm_vcpu *c, uint32_t id, struct sealing *sealing,
                  char *why, size_t cap)
{
    const struct svmc_kvm_files files = {
        .kvm = c->vm->kvm, .vm = c->vm->fd, .vcpu = c->fd, .run = c->run, .run_bytes = c->run_bytes
    };
    enum svmc_seal_reason no = SVMC_SEAL_NONE;
    enum svmc_status st;

    *x = (struct context){ .id = id, .sealing = sealing };
    st = svmc_kvm_vcpu_open(&x->kvm, &files);
    x->bytes = svmc_kvm_vcpu_bytes(&x->kvm);
    if (st == SVMC_OK) {
        x->plain = mmap(NULL, x->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        x->sealed = mmap(NULL, x->bytes + SVMC_TAG_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (x->plain == MAP_FAILED || x->sealed == MAP_FAILED)
            st = SVMC_ERR_FULL;
    }
    if (st == SVMC_OK) {
        (void)mlock(x->plain, x->bytes);
        pthread_mutex_lock(&sealing->lock);
        no = svmc_seal_begin(&sealing->sealer, SVMC_KEY_CONTEXT, 0, 0, &x->use);
        pthread_mutex_unlock(&sealing->lock);
        st = svmc_seal_status(no);
    }
    if (st != SVMC_OK)
        snprintf(why, cap, "--protect context: %s", svmc_status_name(st));
    else
        c->context = x;
    return st == SVMC_OK;
}

/* Does KVM show anything of the guest now? */
static bool is_left(const struct vm_vcpu *c)
{
    static const struct kvm_regs wiped = { .rflags = 2 };
    struct kvm_regs regs;

    return ioctl(c->fd, KVM_GET_REGS, &regs) != 0 || memcmp(&regs, &wiped, sizeof regs) != 0;
}

static const char *out(struct context *x)
{
    struct svmc_sealed_unit unit = { .number = x->id,
                                     .version = ++x->version,
                                     .in = x->plain,
                                     .out = x->sealed + SVMC_TAG_BYTES,
                                     .bytes = x->bytes,
                                     .tag = x->sealed };
    size_t bytes;

    if (svmc_kvm_vcpu_save(&x->kvm, x->plain, x->bytes, &bytes) != SVMC_OK)
        return "KVM does not give the context";
    if (svmc_seal_unit(&x->sealing->sealer, SEALING_LANE_CONTEXT + x->id, &x->use, &unit) !=
        SVMC_SEAL_NONE)
        return "the context cannot be sealed";
    return svmc_kvm_vcpu_wipe(&x->kvm, x->plain, x->bytes) == SVMC_OK
               ? NULL
               : "KVM does not let its copy be overwritten";
}

static const char *in(struct context *x)
{
    struct svmc_sealed_unit unit = { .number = x->id,
                                     .version = x->version,
                                     .in = x->sealed + SVMC_TAG_BYTES,
                                     .out = x->plain,
                                     .bytes = x->bytes,
                                     .tag = x->sealed };
    const char *why = NULL;

    if (svmc_open_unit(&x->sealing->sealer, SEALING_LANE_CONTEXT + x->id, &x->use, &unit) !=
        SVMC_SEAL_NONE)
        why = "the sealed context is not what was written last";
    else if (svmc_kvm_vcpu_load(&x->kvm, x->plain, x->bytes, 0) != SVMC_OK)
        why = "KVM does not take the context";
    explicit_bzero(x->plain, x->bytes);
    return why;
}

bool context_park(struct context *x, struct vm_vcpu *c)
{
    uint64_t begin = now_ns();

    x->failed = out(x);
    if (!x->failed) {
        x->left += is_left(c);
        x->failed = in(x);
    }
    if (!x->failed && c->vm->sync_regs &&
        ioctl(c->fd, KVM_GET_REGS, &c->run->s.regs.regs) != 0) /* as KVM_RUN had left them */
        x->failed = "KVM_GET_REGS";
    x->count++;
    x->ns += now_ns() - begin;
    return x->failed == NULL;
}

void context_close(struct context *x)
{
    if (x->plain && x->plain != MAP_FAILED)
        munmap(x->plain, x->bytes);
    if (x->sealed && x->sealed != MAP_FAILED)
        munmap(x->sealed, x->bytes + SVMC_TAG_BYTES);
    *x = (struct context){ .failed = NULL };
}
