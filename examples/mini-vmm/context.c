/* SPDX-License-Identifier: MIT */
/** Deschedule and schedule: context_park does one behind the other, for one vCPU has one thread. */
#include "context.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "clock.h"
#include "vm.h"

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

static enum svmc_status open_contexts(struct context *x)
{
    const struct svmc_contexts_config config = { .sealer = &x->sealing->sealer,
                                                 .vcpus = x->id + 1,
                                                 .bytes = (uint32_t)x->bytes,
                                                 .lanes = SEALING_LANES,
                                                 .subkeys = 2 };
    enum svmc_status st;

    x->trusted_bytes = svmc_contexts_bytes(&config);
    x->trusted = map(x->trusted_bytes);
    x->plain = map(x->bytes);
    if (!x->trusted || !x->plain)
        return SVMC_ERR_FULL;
    (void)mlock(x->trusted, x->trusted_bytes);
    (void)mlock(x->plain, x->bytes);
    pthread_mutex_lock(&x->sealing->lock);
    st = svmc_contexts_init(&x->out, &config, x->trusted, x->trusted_bytes);
    pthread_mutex_unlock(&x->sealing->lock);
    x->blob_bytes = svmc_context_blob_bytes(&x->out, x->bytes);
    x->blob = st == SVMC_OK ? map(x->blob_bytes) : NULL;
    return st == SVMC_OK && !x->blob ? SVMC_ERR_FULL : st;
}

bool context_open(struct context *x, struct vm_vcpu *c, uint32_t id, struct sealing *sealing,
                  char *why, size_t cap)
{
    const struct svmc_kvm_files files = {
        .kvm = c->vm->kvm, .vm = c->vm->fd, .vcpu = c->fd, .run = c->run, .run_bytes = c->run_bytes
    };
    enum svmc_status st;

    *x = (struct context){ .id = id, .sealing = sealing };
    st = svmc_kvm_vcpu_open(&x->kvm, &files);
    x->bytes = svmc_kvm_vcpu_bytes(&x->kvm);
    if (st == SVMC_OK)
        st = open_contexts(x);
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

/* KVM's copy goes only when the sealed one is there. */
static const char *out(struct context *x)
{
    const struct svmc_context_piece piece = { x->plain, x->bytes };
    size_t bytes;

    if (svmc_kvm_vcpu_save(&x->kvm, x->plain, x->bytes, &bytes) != SVMC_OK)
        return "KVM does not give the context";
    if (svmc_contexts_left(&x->out) == 0) { /* what comes of it the next call says */
        pthread_mutex_lock(&x->sealing->lock);
        svmc_contexts_tend(&x->out);
        pthread_mutex_unlock(&x->sealing->lock);
    }
    if (svmc_context_out(&x->out, SEALING_LANE_CONTEXT + x->id, x->id, &piece, 1, x->blob,
                         x->blob_bytes) != SVMC_SEAL_NONE)
        return "the context cannot be sealed";
    return svmc_kvm_vcpu_wipe(&x->kvm, x->plain, x->bytes) == SVMC_OK
               ? NULL
               : "KVM does not let its copy be overwritten";
}

static const char *in(struct context *x)
{
    const struct svmc_context_piece piece = { x->plain, x->bytes };
    const char *why = NULL;

    if (svmc_context_in(&x->out, SEALING_LANE_CONTEXT + x->id, x->id, x->blob, x->blob_bytes,
                        &piece, 1) != SVMC_SEAL_NONE)
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

static void unmap(void *at, size_t bytes)
{
    if (at)
        munmap(at, bytes);
}

/* Its subkeys go with all others: sealing_close. */
void context_close(struct context *x)
{
    unmap(x->plain, x->bytes);
    unmap(x->trusted, x->trusted_bytes);
    unmap(x->blob, x->blob_bytes);
    *x = (struct context){ .failed = NULL };
}
