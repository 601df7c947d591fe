/* SPDX-License-Identifier: MIT */
/**
 * The last stage and the only writer: memory first, through spans prepared before, then registers,
 * which cannot fail. Everything that can fail stands before the first write.
 */

#include "stages.h"

#define PAGE     4096u
#define PLAN_MAX 3u /* a string: RCX, RSI or RDI, RIP */

/* Register writes, computed from the current values (R9) before any of them happens. */
struct plan {
    uint64_t last; /* what the last step came to, in its own width */
    uint32_t count;
    struct {
        uint32_t reg;
        uint64_t value;
    } write[PLAN_MAX];
};

/* Add a signed step to a register, cut to the address size. */
static CORE_COLD enum svmc_status plan_step(struct svmc_vcpu *vc, struct plan *plan, uint32_t reg,
                                            uint64_t step, uint32_t bytes)
{
    uint64_t old = 0;

    if (vc->priv.ops->reg_read(vc->priv.ctx, reg, &old) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    plan->last = (old + step) & core_mask(bytes);
    if (bytes < 4) /* 2: keeps the rest of the register; 4 zero it: APM vol. 1, 3.1.2 */
        old &= ~core_mask(bytes);
    else
        old = 0;
    if (plan->count >= PLAN_MAX)
        return SVMC_ERR_CALLBACK;
    plan->write[plan->count].reg = reg;
    plan->write[plan->count].value = old | plan->last;
    plan->count++;
    return SVMC_OK;
}

static void plan_apply(struct svmc_vcpu *vc, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count && i < PLAN_MAX; i++)
        vc->priv.ops->reg_write(vc->priv.ctx, plan->write[i].reg, plan->write[i].value);
}

static enum svmc_status plan_rip(struct svmc_vcpu *vc, struct plan *plan)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (!(exit->finish & SVMC_FINISH_RIP))
        return SVMC_OK;
    return plan_step(vc, plan, reg_file(exit)->pc, exit->insn_bytes, is_legacy(exit) ? 4 : 8);
}

/* One page's worth of a prepared buffer. */
static CORE_COLD enum svmc_status take_span(struct svmc_vcpu *vc, uint64_t at, size_t bytes,
                                            uint32_t access, struct span *span,
                                            struct svmc_fault *fault)
{
    const struct svmc_host_ops *ops = vc->priv.ops;
    svmc_gva gva = { at };
    svmc_gpa gpa = { 0 };

    span->at = NULL;
    span->bytes = 0;
    if (ops->translate(vc->priv.ctx, gva, access, &gpa, fault) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    /* what a callback gives is checked like anything else */
    if (fault->raised)
        return svmc_core_is_fault(fault, vc->priv.pending.exit.isa <= SVMC_ISA_X86_64)
                   ? SVMC_OK
                   : SVMC_ERR_CALLBACK;
    if ((gpa.v & (PAGE - 1)) != (at & (PAGE - 1)))
        return SVMC_ERR_CALLBACK;
    if (ops->guest_span(vc->priv.ctx, gpa, bytes, access & SVMC_ACCESS_RW, &span->at) != SVMC_OK ||
        !span->at)
        return SVMC_ERR_CALLBACK;
    span->bytes = bytes;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_spans(struct svmc_vcpu *vc, const struct svmc_exit *exit,
                                                uint32_t access, uint32_t *count,
                                                struct span span[2], struct svmc_fault *fault)
{
    size_t bytes = (size_t)*count * exit->size, here = PAGE - (exit->buffer.v & (PAGE - 1));
    uint64_t next = (exit->buffer.v + here) & core_mask(is_legacy(exit) ? 4 : 8);
    enum svmc_status st;

    memset(fault, 0, sizeof *fault);
    memset(span, 0, 2 * sizeof *span);
    if (here > bytes)
        here = bytes;
    st = take_span(vc, exit->buffer.v, here, access, &span[0], fault);
    if (st != SVMC_OK || fault->raised || here == bytes)
        return st;
    st = take_span(vc, next, bytes - here, access, &span[1], fault);
    if (st == SVMC_OK && fault->raised && *count > 1 && here >= exit->size) {
        /* the elements before the faulting one come first; it faults when its turn comes */
        memset(fault, 0, sizeof *fault);
        *count = (uint32_t)(here / exit->size);
        span[0].bytes = (size_t)*count * exit->size;
    }
    return st;
}

/*
 * Own strings: memory, then RSI or RDI, RCX and, when the last element is done, RIP. *done gets
 * smaller where the destination has become so.
 */
static CORE_COLD enum svmc_status commit_string(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                                uint32_t *done, struct svmc_outcome *outcome)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;
    bool in = rule->direction == SVMC_DIRECTION_IN;
    struct span span[2] = { { NULL, 0 }, { NULL, 0 } };
    struct plan plan = { 0 };
    uint64_t step;
    enum svmc_status st;

    if (*done == 0) { /* REP with a count of 0: nothing but RIP moves */
        st = plan_rip(vc, &plan);
        if (st == SVMC_OK)
            plan_apply(vc, &plan);
        return st;
    }
    if (in) { /* R12: the mapping as it is now; elements that lost theirs are not done */
        st = svmc_intercept_spans(vc, exit, SVMC_ACCESS_WRITE, done, span, &outcome->fault);
        if (st != SVMC_OK || outcome->fault.raised)
            return st;
    }
    step = (uint64_t)*done * exit->size;
    st = plan_step(vc, &plan, in ? SVMC_REG_RDI : SVMC_REG_RSI, exit->backward ? 0 - step : step,
                   exit->address_bytes);
    if (st == SVMC_OK && exit->repeat)
        st = plan_step(vc, &plan, SVMC_REG_RCX, 0 - (uint64_t)*done, exit->address_bytes);
    if (st == SVMC_OK && (!exit->repeat || plan.last == 0))
        st = plan_rip(vc, &plan);
    if (st != SVMC_OK)
        return st;
    for (size_t i = 0, at = 0; i < 2; at += span[i].bytes, i++)
        if (span[i].at)
            memcpy(span[i].at, vc->priv.staging + at, span[i].bytes);
    plan_apply(vc, &plan);
    return SVMC_OK;
}

/* 1 and 2 bytes of a register: the rest is kept as it is now (R9): APM vol. 1, 3.1.2. */
CORE_COLD enum svmc_status svmc_intercept_merge(struct svmc_vcpu *vc, uint64_t *value)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;
    uint64_t old = 0, mask = core_mask(exit->dest_bytes);
    unsigned shift = exit->dest_high ? 8 : 0;

    if (vc->priv.ops->reg_read(vc->priv.ctx, exit->dest_reg, &old) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    *value = (old & ~(mask << shift)) | *value << shift;
    return SVMC_OK;
}

/* The backend ends the access itself: it gets the results one behind the other, little-endian. */
CORE_COLD void svmc_intercept_commit_backend(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                             const uint64_t out[SLOTS_OUT],
                                             struct svmc_outcome *outcome)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t at = 0;

    for (uint32_t i = 0; i < p->out_count && i < SLOTS_OUT; i++) {
        /* all eight: the next one's come over those that are too many */
        core_store_le64(vc->priv.staging + core_clamp(at, SVMC_EXIT_DATA_MAX - 8), out[i]);
        at += slot_bytes(&rule->out[i], &p->exit);
    }
    if (rule->string && rule->direction == SVMC_DIRECTION_IN)
        at = p->exit.count * p->exit.size;
    outcome->data_bytes = at;
    outcome->data = at > 0 ? vc->priv.staging : NULL;
}

/* HC-5: what is not declared is not written. A DEST is its row's only result. */
static enum svmc_status commit_registers(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                         const uint64_t out[SLOTS_OUT],
                                         struct svmc_outcome *outcome)
{
    const struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_exit *exit = &p->exit;
    const struct reg_file *f = reg_file(exit);
    const struct slot *slot = rule->out;
    const uint64_t *end = out + (p->out_count < SLOTS_OUT ? p->out_count : SLOTS_OUT);
    bool rip = (exit->finish & SVMC_FINISH_RIP) != 0;
    bool dest = slot->place == PLACE_DEST && exit->dest_reg != f->zero;
    uint64_t pc = 0, value = out[0];

    if (dest && exit->swap) /* EX-92 */
        value = core_swap(value, exit->size);
    if (dest && widen(vc, &value) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (rip && vc->priv.ops->reg_read(vc->priv.ctx, f->pc, &pc) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (rule->apart) {
        enum svmc_status st = svmc_intercept_s390_commit(vc, rule, out, &outcome->fault);

        if (st != SVMC_OK || outcome->fault.raised)
            return st;
        end = out; /* all are written */
    }
    if (dest)
        vc->priv.ops->reg_write(vc->priv.ctx, exit->dest_reg, value);
    if (slot->place != PLACE_DEST)
        //@ loop unroll 4;
        for (; out < end; out++, slot++) /* 4 and 8 bytes: the rest is 0 */
            vc->priv.ops->reg_write(vc->priv.ctx, slot->reg, *out);
    if (rip)
        vc->priv.ops->reg_write(vc->priv.ctx, f->pc,
                                (pc + exit->insn_bytes) & core_mask(is_legacy(exit) ? 4 : 8));
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_commit(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                                 const uint64_t out[SLOTS_OUT], uint32_t *done,
                                                 struct svmc_outcome *outcome)
{
    const struct svmc_host_ops *ops = vc->priv.ops;
    bool has_aux = rule->kind == SVMC_KIND_RDTSCP;
    uint64_t aux = 0;
    enum svmc_status st;

    if (!(vc->priv.pending.exit.finish & SVMC_FINISH_REGS)) {
        svmc_intercept_commit_backend(vc, rule, out, outcome);
        return SVMC_OK;
    }
    if (rule->string && !is_block(rule))
        return commit_string(vc, rule, done, outcome);
    /* R13: what RDTSCP puts in ECX is the guest's own, whoever knows the time */
    if (has_aux && ops->reg_read(vc->priv.ctx, SVMC_REG_TSC_AUX, &aux) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    st = commit_registers(vc, rule, out, outcome);
    if (st == SVMC_OK && has_aux)
        ops->reg_write(vc->priv.ctx, SVMC_REG_RCX, aux & UINT32_MAX);
    return st;
}
