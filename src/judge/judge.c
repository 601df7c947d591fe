/* SPDX-License-Identifier: MIT */
/** A call's token before the pool: who calls, from where, and for what. docs/spec/judge.md. */
#include <svmcore/judge.h>

#include <stdbool.h>

#include "../core/bytes.h"
#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

#define NO_FRAME      UINT64_MAX           /* no page begins there: it is never a token's */
#define COUNTER_SHIFT 32u                  /* JU-4: in the register of the handle */
#define WHAT_MASK     ((uint64_t)0x3fffff) /* JU-6: owner and number of a control word */

/* One call before the pool. */
struct hearing {
    struct svmc_judge *judge;
    struct svmc_token_vcpu *vcpu;
    const struct svmc_hcall_call *call;
    struct svmc_token_caller caller;
    union {
        struct svmc_token token;
        uint64_t words[(sizeof(struct svmc_token) + 7) / 8]; /* clamp: its size */ /* to be wiped */
    } shown;
    uint32_t counter;
    bool walked;
};

enum svmc_status svmc_judge_init(struct svmc_judge *judge, struct svmc_token_pool *pool,
                                 struct svmc_token_vcpu *vcpus, uint32_t vcpu_count,
                                 const struct svmc_judge_ops *ops, void *ctx)
{
    if (!judge)
        return SVMC_ERR_ARG;
    memset(judge, 0, sizeof *judge);
    /* JU-1 */
    if (!pool || !vcpus || vcpu_count == 0 || vcpu_count > INT32_MAX || !ops ||
        !CORE_HAS_OP(ops, caller) || !CORE_HAS_OP(ops, walk) ||
        CORE_HAS_OP(ops, lock) != CORE_HAS_OP(ops, unlock))
        return SVMC_ERR_ARG;
    judge->priv.pool = pool;
    judge->priv.vcpus = vcpus;
    judge->priv.vcpu_count = vcpu_count;
    judge->priv.ops = ops;
    judge->priv.ctx = ctx;
    return SVMC_OK;
}

/* JU-2: what the call itself says is not asked for, and not believed from anybody else. */
static enum svmc_status summon(struct hearing *h, uint32_t vcpu)
{
    const struct svmc_judge *j = h->judge;

    h->caller.vcpu = vcpu;
    h->caller.user = h->call->user;
    if (j->priv.ops->caller(j->priv.ctx, h->call, &h->caller) != SVMC_OK ||
        h->caller.vcpu != vcpu || h->caller.user != h->call->user || h->caller.isa == SVMC_ISA_NONE)
        return SVMC_ERR_CALLBACK;
    return SVMC_OK;
}

/* JU-4: 64 bits of a register; what stands beside a handle makes it none. */
static void take_token(struct hearing *h)
{
    const uint64_t *reg = h->call->token;
    uint64_t beside = h->call->control & SVMC_HCALL_TAGGED ? 0 : reg[0] >> COUNTER_SHIFT;

    h->shown.token.handle = beside == 0 ? (uint32_t)reg[0] : 0;
    h->counter = (uint32_t)(reg[0] >> COUNTER_SHIFT);
    core_store_le64(h->shown.token.tag, reg[1]);
    core_store_le64(h->shown.token.tag + 8, reg[2]);
}

/* JU-3: a page that leads nowhere, or not where it did, is a frame that no token has. */
static enum svmc_status walk(struct hearing *h)
{
    const struct svmc_judge *j = h->judge;
    uint64_t frame = NO_FRAME;
    enum svmc_status st = j->priv.ops->walk(j->priv.ctx, &h->caller, h->shown.token.handle, &frame);

    h->caller.frame = st == SVMC_OK ? frame : NO_FRAME;
    h->walked = true;
    return st == SVMC_OK || st == SVMC_ERR_AUTH || st == SVMC_ERR_STALE ? SVMC_OK
                                                                        : SVMC_ERR_CALLBACK;
}

/* JU-4: the MAC is of what the handler will get. */
static enum svmc_status check_tagged(struct hearing *h, struct svmc_token_verdict *verdict)
{
    struct svmc_token_call made = { .control = h->call->control, .counter = h->counter };
    enum svmc_status st = walk(h);

    if (st != SVMC_OK)
        return st;
    memcpy(made.arg, h->call->arg, sizeof made.arg);
    st = svmc_token_check_call(h->judge->priv.pool, h->vcpu, &h->caller, &h->shown.token, &made,
                               verdict);
    return st == SVMC_ERR_ARG ? SVMC_OK : st; /* a pool without MACs: refused */
}

/* JU-3 */
static enum svmc_status check(struct hearing *h, struct svmc_token_verdict *verdict)
{
    struct svmc_token_pool *pool = h->judge->priv.pool;
    enum svmc_status st;

    if (h->call->control & SVMC_HCALL_TAGGED)
        return check_tagged(h, verdict);
    st = svmc_token_check(pool, h->vcpu, &h->caller, &h->shown.token, verdict);
    if (st != SVMC_OK || verdict->end != SVMC_TOKEN_WALK)
        return st;
    st = walk(h);
    return st == SVMC_OK
               ? svmc_token_check_walk(pool, h->vcpu, &h->caller, &h->shown.token, verdict)
               : st;
}

/* JU-5: the same class for the same call and token, each time. 0: none fits. */
static uint32_t lowest(uint32_t classes)
{
    for (uint32_t n = 1; n < 16; n++)
        if (classes >> n & 1)
            return n;
    return 0;
}

/* JU-6: without an expected call that has time left, nothing is locked. */
static void meet(struct hearing *h)
{
    struct svmc_judge *j = h->judge;
    bool locks = CORE_HAS_OP(j->priv.ops, lock);
    enum svmc_status st;

    if (h->caller.ticks >= __atomic_load_n(&j->priv.until, __ATOMIC_ACQUIRE) ||
        (h->call->control & SVMC_HCALL_DRY_RUN))
        return;
    if (locks)
        j->priv.ops->lock(j->priv.ctx);
    st = svmc_token_met(j->priv.pool, h->shown.token.handle, h->call->control & WHAT_MASK,
                        h->caller.ticks);
    (void)st; /* nobody asked for this one, or it is too late */
    if (locks)
        j->priv.ops->unlock(j->priv.ctx);
}

/* JU-7: where nobody walked, nothing is known of the frame. */
static void tell(const struct hearing *h)
{
    const struct svmc_judge *j = h->judge;
    uint32_t why;

    if (!CORE_HAS_OP(j->priv.ops, refused))
        return;
    why = svmc_token_why(j->priv.pool, h->vcpu, &h->caller, &h->shown.token);
    j->priv.ops->refused(j->priv.ctx, &h->caller, h->call,
                         h->walked ? why : why & ~(uint32_t)SVMC_TOKEN_REMAPPED);
}

enum svmc_status svmc_judge_call(struct svmc_judge *judge, uint32_t vcpu,
                                 const struct svmc_hcall_call *call,
                                 struct svmc_hcall_accepted *out)
{
    struct hearing h = { .judge = judge, .call = call };
    struct svmc_token_verdict verdict = { .end = SVMC_TOKEN_REFUSED };
    enum svmc_status st;
    uint32_t class;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!judge || !judge->priv.pool || !call || vcpu >= judge->priv.vcpu_count)
        return SVMC_ERR_ARG;
    h.vcpu = judge->priv.vcpus + core_clamp(vcpu, judge->priv.vcpu_count);
    take_token(&h);
    st = summon(&h, vcpu);
    if (st == SVMC_OK)
        st = check(&h, &verdict);
    class = st == SVMC_OK ? lowest(verdict.classes & call->classes) : 0;
    if (class != 0) {
        out->rights = verdict.rights;
        out->handle = h.shown.token.handle;
        out->token_class = class;
        meet(&h);
    } else if (st == SVMC_OK) { /* REFUSED has no classes */
        tell(&h);
    }
    core_wipe(h.shown.words, sizeof h.shown.words);
    if (st != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    return class != 0 ? SVMC_OK : SVMC_ERR_AUTH;
}

enum svmc_status svmc_judge_expect(struct svmc_judge *judge, uint32_t handle, uint64_t control,
                                   uint64_t until, uint64_t *what)
{
    enum svmc_status st;

    if (what)
        *what = control & WHAT_MASK;
    if (!judge || !judge->priv.pool)
        return SVMC_ERR_ARG;
    st = svmc_token_expect(judge->priv.pool, handle, control & WHAT_MASK, until);
    if (st == SVMC_OK && until > __atomic_load_n(&judge->priv.until, __ATOMIC_RELAXED))
        __atomic_store_n(&judge->priv.until, until, __ATOMIC_RELEASE);
    return st;
}
