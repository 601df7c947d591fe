/* SPDX-License-Identifier: MIT */
/** KV-30 to KV-36: KVM_EXIT_ARM_NISV -> a finished instruction. */
#include "finish_private.h"

#include <string.h>

enum { IDLE, WAITS, PUTS };

#define ISS_WNR   0x40u
#define ISS_CM    0x100u
#define PSTATE_32 0x10u
#define PSTATE_EL 0xcu
#define EL_2      0x8u

enum svmc_status svmc_kvm_finish_a64_open(struct svmc_kvm_finish_a64 *f, int vcpu, void *run,
                                          const struct svmc_kvm_finish_ops *ops, void *ctx,
                                          uint64_t dczid)
{
    enum svmc_status st;

    if (!f)
        return SVMC_ERR_ARG;
    memset(f, 0, sizeof *f);
    if (!run || !ops || ops->size < sizeof *ops || !ops->memory)
        return SVMC_ERR_ARG;
    f->priv.vcpu = vcpu;
    f->priv.lent.run = run;
    f->priv.lent.ops = ops;
    f->priv.lent.ctx = ctx;
    f->priv.regs.dczid = dczid;
    st = svmc_exec_init(&f->priv.exec, &svmc_kvm_a64_exec, f);
    if (st == SVMC_OK)
        st = svmc_kvm_a64_features(f);
    if (st != SVMC_OK)
        memset(f, 0, sizeof *f);
    return st;
}

uint32_t svmc_kvm_finish_a64_waits(const struct svmc_kvm_finish_a64 *f)
{
    return f && f->priv.state == WAITS;
}

/* KV-36 */
static void forget(struct svmc_kvm_finish_a64 *f)
{
    const struct svmc_exec_monitor monitor = f->priv.regs.monitor;
    const uint64_t dczid = f->priv.regs.dczid, mmfr2 = f->priv.regs.mmfr2;

    f->priv.state = IDLE;
    f->priv.wrote = 0;
    svmc_kvm_zero(f->priv.old, sizeof f->priv.old);
    svmc_kvm_zero(&f->priv.regs, sizeof f->priv.regs);
    svmc_kvm_zero(f->priv.vector, sizeof f->priv.vector);
    svmc_kvm_zero(f->priv.old_vector, sizeof f->priv.old_vector);
    svmc_kvm_zero(f->priv.lent.data, sizeof f->priv.lent.data);
    svmc_kvm_zero(&f->priv.exec, sizeof f->priv.exec);
    f->priv.regs.monitor = monitor; /* the store behind a load needs it */
    f->priv.regs.dczid = dczid;
    f->priv.regs.mmfr2 = mmfr2;
    if (svmc_exec_init(&f->priv.exec, &svmc_kvm_a64_exec, f) != SVMC_OK)
        f->priv.lent.run = NULL; /* it was good before */
}

void svmc_kvm_finish_a64_drop(struct svmc_kvm_finish_a64 *f)
{
    if (!f || !f->priv.lent.run)
        return;
    forget(f);
    f->priv.regs.monitor.bytes = 0;
}

/* KV-31: the access that trapped is one that this instruction makes; cache lines are not. */
static bool is_possible(const struct svmc_kvm_finish_a64 *f, uint64_t iss)
{
    const unsigned access = f->priv.lent.out.insn.access;

    return (iss & ISS_CM) != 0 || (access & (iss & ISS_WNR ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ));
}

static enum svmc_status settle(struct svmc_kvm_finish_a64 *f, enum svmc_status st,
                               struct svmc_kvm_finished *out)
{
    struct svmc_kvm_finished *mine = &f->priv.lent.out;

    mine->action = mine->exec.action;
    if (st == SVMC_OK && mine->action == SVMC_EXEC_PENDING) {
        if (f->priv.exec.wait.kind == SVMC_EXEC_READ || f->priv.exec.wait.kind == SVMC_EXEC_WRITE) {
            f->priv.state = WAITS;
            svmc_kvm_lent_ask(&f->priv.lent, &f->priv.exec.wait);
            *out = *mine;
            return SVMC_OK;
        }
        st = SVMC_ERR_CALLBACK; /* a register does not wait */
    } else if (st == SVMC_OK &&
               (mine->action == SVMC_EXEC_DONE || mine->action == SVMC_EXEC_FAULT)) {
        f->priv.state = PUTS;
        st = svmc_kvm_a64_put(f);
        if (st != SVMC_OK)
            return st;
    }
    forget(f);
    if (st == SVMC_OK)
        *out = *mine;
    out->exec.callback = mine->exec.callback;
    out->exec.callback_status = mine->exec.callback_status;
    return st;
}

static enum svmc_status begin(struct svmc_kvm_finish_a64 *f, struct svmc_kvm_finished *out)
{
    const uint64_t iss = ((const struct kvm_run *)f->priv.lent.run)->arm_nisv.esr_iss;
    struct svmc_kvm_finished *mine = &f->priv.lent.out;
    enum svmc_status st;

    *mine = (struct svmc_kvm_finished){ 0 };
    st = svmc_kvm_a64_load(f);
    if (st == SVMC_OK &&
        ((f->priv.regs.pstate & PSTATE_32) != 0 || (f->priv.regs.pstate & PSTATE_EL) >= EL_2))
        st = SVMC_ERR_UNSUPPORTED;
    if (st != SVMC_OK) {
        forget(f);
        return st;
    }
    f->priv.lent.fetching = 1;
    st = svmc_exec_a64_fetch(&f->priv.exec, &f->priv.regs, &mine->insn, &mine->exec);
    f->priv.lent.fetching = 0;
    if (st == SVMC_OK && mine->exec.action == SVMC_EXEC_NONE) {
        mine->count = mine->insn.length;
        if (is_possible(f, iss))
            st = svmc_exec_a64_start(&f->priv.exec, &f->priv.regs, &mine->insn, &mine->exec);
        else
            mine->exec.action = SVMC_EXEC_AGAIN;
    }
    return settle(f, st, out);
}

enum svmc_status svmc_kvm_finish_a64_exit(struct svmc_kvm_finish_a64 *f,
                                          struct svmc_kvm_finished *out)
{
    struct svmc_exec *x;
    enum svmc_status st;
    bool reads;

    if (!out)
        return SVMC_ERR_ARG;
    *out = (struct svmc_kvm_finished){ 0 };
    if (!f || !f->priv.lent.run)
        return SVMC_ERR_ARG;
    x = &f->priv.exec;
    if (f->priv.state == PUTS)
        return settle(f, SVMC_OK, out);
    if (f->priv.state == WAITS) {
        reads = x->wait.kind == SVMC_EXEC_READ;
        if (!svmc_kvm_lent_take(&f->priv.lent, &x->wait)) {
            svmc_kvm_lent_ask(&f->priv.lent, &f->priv.exec.wait);
            *out = f->priv.lent.out;
            return SVMC_OK;
        }
        st = svmc_exec_answer(x, reads ? f->priv.lent.data : NULL, reads ? x->wait.bytes : 0);
        if (st == SVMC_OK)
            st = svmc_exec_a64_resume(x, &f->priv.regs, &f->priv.lent.out.exec);
        return settle(f, st, out);
    }
    if (((const struct kvm_run *)f->priv.lent.run)->exit_reason != KVM_EXIT_ARM_NISV)
        return SVMC_ERR_UNSUPPORTED;
    return begin(f, out);
}
