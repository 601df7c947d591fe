/* SPDX-License-Identifier: MIT */
/**
 * The embedding. Three things: a policy, callbacks, and embed_serve, the way of an exit. Lines with
 * watch_ are the demo's: they report, record, compare.
 */
#include "embed.h"

#include <string.h>
#include <sys/random.h>

#include <svmcore/guest/hypercall.h>

#include "../guests/bootinfo.h"
#include "boot.h"
#include "clock.h"
#include "disk.h"
#include "dma.h"
#include "watch.h"

static const struct {
    uint32_t first, count;
    enum svmc_verdict verdict;
} ports[] = {
    { DEV_LATCH, 8, SVMC_VERDICT_DELEGATE }, { DEV_CONSOLE, 8, SVMC_VERDICT_DELEGATE },
    { DEV_CLOCK, 4, SVMC_VERDICT_DELEGATE }, { DEV_CLOCK_STREAM, 4, SVMC_VERDICT_DELEGATE },
    { DEV_RING, 8, SVMC_VERDICT_DELEGATE },  { DEV_EMPTY, 16, SVMC_VERDICT_CONST },
};

static const struct {
    uint32_t msr;
    enum svmc_verdict verdict;
} msrs[] = {
    { DEV_MSR, SVMC_VERDICT_DELEGATE },
    { DEV_MSR_FAULT, SVMC_VERDICT_DELEGATE },
    { DEV_MSR_ZERO, SVMC_VERDICT_CONST },
};

static const struct {
    uint16_t call;
    uint8_t args, results;
} calls[] = {
    { CALL_ADD, 2, 1 }, { CALL_CLOCK, 0, 1 }, { CALL_REVERSE, 6, 3 }, { CALL_PUSH, 1, 0 }
};

enum svmc_status embed_policy(struct svmc_policy *p, const struct embed_config *config)
{
    enum svmc_status st = svmc_policy_init(p, config->refusal_limit, config->retry_limit);

    for (unsigned i = 0; st == SVMC_OK && i < sizeof ports / sizeof ports[0]; i++)
        st = svmc_policy_set_ports(p, ports[i].first, ports[i].count, SVMC_ACCESS_RW,
                                   ports[i].verdict);
    for (unsigned i = 0; st == SVMC_OK && config->msr_exits && i < sizeof msrs / sizeof msrs[0];
         i++)
        st = svmc_policy_set_msrs(p, msrs[i].msr, 1, SVMC_ACCESS_RW, msrs[i].verdict);
    if (st == SVMC_OK)
        st = svmc_policy_add_window(p, (svmc_gpa){ DEV_MMIO }, DEV_MMIO_BYTES, SVMC_ACCESS_RW,
                                    SVMC_VERDICT_DELEGATE);
    if (st == SVMC_OK)
        st = svmc_policy_set_doorbell(p, SVMC_HCALL_PORT);
    if (st == SVMC_OK && config->calls) /* what is no call there is an empty bus */
        st = svmc_policy_set_ports(p, SVMC_VMWARE_PORT, 5, SVMC_ACCESS_RW, SVMC_VERDICT_CONST);
    if (st == SVMC_OK && config->calls)
        st = svmc_policy_set_ports(p, config->port, 4, SVMC_ACCESS_RW, SVMC_VERDICT_CONST);
    if (st == SVMC_OK && config->dma)
        st = svmc_policy_set_ports(p, DEV_BLOCK, 8, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE);
    for (unsigned i = 0; st == SVMC_OK && i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].results == 0 || !config->no_results)
            st = svmc_policy_set_hcall(p, calls[i].call, calls[i].args, calls[i].results);
    return st == SVMC_OK ? svmc_policy_seal(p) : st;
}

static enum svmc_status fill_random(void *ctx, void *dst, size_t n)
{
    struct vcpu *v = ctx;

    if (v->seeded)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)dst)[i] = (uint8_t)boot_noise(&v->random);
    else if (getrandom(dst, n, 0) != (ssize_t)n)
        return SVMC_ERR_CALLBACK;
    return watch_call(v, WATCH_RANDOM, 0, dst, n) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* Where a register is: KVM's, or the trace's last word about it. */
static uint64_t *place(struct vcpu *v, uint32_t reg)
{
    struct kvm_regs *regs = v->kvm ? vm_vcpu_regs(v->kvm) : NULL;

    if (v->kvm)
        return regs ? vm_reg(regs, reg) : NULL;
    return reg < sizeof v->known / sizeof v->known[0] ? &v->known[reg] : NULL;
}

static enum svmc_status reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    struct vcpu *v = ctx;
    const uint64_t *at = place(v, reg);

    if (!at)
        return SVMC_ERR_CALLBACK;
    *value = *at;
    return watch_call(v, WATCH_REG_READ, reg, value, sizeof *value) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static void reg_write(void *ctx, uint32_t reg, uint64_t value)
{
    struct vcpu *v = ctx;
    uint64_t *at = place(v, reg);

    watch_reg_write(v, reg, value);
    if (!at)
        return;
    *at = value;
    if (v->kvm)
        v->kvm->dirty = true;
}

/* For the ledger; no input of the library, so no tape needs it. */
static uint64_t ticks(void *ctx)
{
    (void)ctx;
    return now_ns();
}

const struct svmc_host_ops embed_ops = {
    .size = sizeof embed_ops,
    .random = fill_random,
    .reg_read = reg_read,
    .reg_write = reg_write,
    .ticks = ticks,
};

/* For a host with a form of its own: the request in it. Not with hosts that read the page. */
static bool emit(struct vcpu *v)
{
    if (svmc_request_read(v->shared, &v->request, v->data, sizeof v->data) != SVMC_OK ||
        svmc_adapt_emit(&v->foreign, &v->request, v->data) != SVMC_OK)
        return false;
    watch_emitted(v);
    return true;
}

/* Its answer, as a reply in the page; what breaks the form is a reply of zeros, to be refused. */
static bool absorb(struct vcpu *v)
{
    struct svmc_reply reply;
    enum svmc_status st = svmc_adapt_absorb(&v->foreign, &v->request, &reply, v->data, NULL);

    return (st == SVMC_OK || st == SVMC_ERR_HOST_REPLY) &&
           svmc_reply_write(v->shared, &reply, v->data) == SVMC_OK;
}

/* Ring until there is an answer: before it, a device of the host may do DMA. */
static enum link_answer ring(struct vcpu *v, uint64_t *tag)
{
    enum link_answer answer = LINK_ANSWERED;
    unsigned messages = 0;

    do
        if (v->host)
            answer = link_ask(v->host, v->id, v->host_timeout_ms, tag);
    while (answer == LINK_ANSWERED && v->dma && messages++ < DMA_MESSAGES && dma_message(v, *tag));
    return answer; /* what is no answer then, the library refuses */
}

/* Show the host the request and wait for its answer. */
static enum served ask_host(struct vcpu *v)
{
    enum link_answer answer;
    uint64_t tag = 0;

    if (!watch_request(v))
        return SERVED_TAPE;
    if (v->foreign.area && !emit(v))
        return SERVED_FORM;
    answer = ring(v, &tag);
    if (answer != LINK_ANSWERED)
        return answer == LINK_DEAD   ? SERVED_HOST
               : answer == LINK_OVER ? SERVED_OVER
                                     : SERVED_SILENT;
    if (v->foreign.area && !absorb(v))
        return SERVED_FORM;
    return watch_reply(v, tag) ? SERVED : SERVED_TAPE;
}

/*
 * KVM makes an access of more than 8 bytes, or of two pages, in parts, an exit each. A later part
 * of a load is no place to save at: executed again it would begin with the first one; the guest has
 * executed nothing since that. Nor is what may be a part of a store, whose instruction KVM takes
 * for done: the parts behind it would be lost.
 */
static bool is_part(struct vcpu *v, const struct svmc_exit *exit)
{
    const struct kvm_regs *now = v->kvm ? vm_vcpu_regs(v->kvm) : NULL;

    if (exit->kind == SVMC_KIND_MMIO_WRITE)
        return exit->size == 8 || (exit->address + exit->size) % 4096 == 0;
    return now && exit->kind == SVMC_KIND_MMIO_READ && v->last.kind == SVMC_KIND_MMIO_READ &&
           v->last.address != exit->address && memcmp(now, &v->last_regs, sizeof *now) == 0;
}

static void note(struct vcpu *v, const struct svmc_exit *exit)
{
    const struct kvm_regs *now = v->kvm ? vm_vcpu_regs(v->kvm) : NULL;

    v->last = *exit;
    if (now)
        v->last_regs = *now;
}

enum served embed_finish(struct vcpu *v, const struct svmc_exit *exit, struct svmc_outcome *out)
{
    enum svmc_status st = SVMC_OK;
    enum served served;

    note(v, exit);

    /* refused, or asked again: the same way once more; nothing has happened to the guest */
    while (out->action == SVMC_ACT_DELEGATED) {
        served = ask_host(v);
        if (served != SERVED) {
            svmc_vcpu_cancel(&v->core);
            return served;
        }
        st = svmc_vcpu_enter(&v->core, out);
        watch_outcome(v, WATCH_ENTER, st, out);
    }
    if (out->action == SVMC_ACT_STOP)
        return watch_good(v) ? SERVED_STOP : SERVED_TAPE;
    if (out->action == SVMC_ACT_NOTIFIED && watch_request(v) && v->host &&
        (!v->foreign.area || emit(v))) /* a form without notices gets none */
        link_notify(v->host, v->id);
    watch_stray(v);

    watch_run(v);
    st = svmc_kvm_complete(v->run, v->run_bytes, out);
    watch_complete(v, st);
    if (!watch_good(v))
        return SERVED_TAPE;
    if (st != SVMC_OK)
        return st == SVMC_ERR_UNSUPPORTED ? SERVED_FAULT : SERVED_BACKEND;
    return exit->kind == SVMC_KIND_HLT ? SERVED_HALT : SERVED;
}

enum served embed_serve(struct vcpu *v, struct svmc_outcome *out)
{
    struct svmc_exit exit;
    enum svmc_status st = svmc_exit_from_kvm(v->run, v->run_bytes, &exit);

    watch_exit(v, st, &exit);
    if (st != SVMC_OK)
        return SERVED_BACKEND;
    if (v->disk) {
        enum disk_end end = disk_serve(v->disk, v, &exit);

        if (end != DISK_NOT_OURS)
            return end == DISK_DONE ? SERVED_CALL : SERVED_DISK;
    }
    if (v->calls || v->dma) {
        enum calls_end end = v->dma ? dma_serve(v, &exit) : calls_serve(v, &exit);

        if (end != CALLS_NOT_OURS)
            return end == CALLS_DONE ? SERVED_CALL : watch_good(v) ? SERVED_BACKEND : SERVED_TAPE;
    }

    st = svmc_vcpu_exit(&v->core, &exit, out);
    watch_outcome(v, WATCH_EXIT, st, out);
    v->turns += out->action == SVMC_ACT_DELEGATED;
    if (out->action == SVMC_ACT_DELEGATED && !is_part(v, &exit) &&
        ((v->save_at > 0 && v->turns >= v->save_at) || atomic_load(&v->save_now))) {
        v->waiting = exit;
        return SERVED_SAVE;
    }
    return embed_finish(v, &exit, out);
}
