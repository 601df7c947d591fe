/* SPDX-License-Identifier: MIT */
/** The first half: exit -> policy -> what the guest gets at once, or the host's page. */
#include <svmcore/guest/hypercall.h>

#include "stages.h"

/* How many elements of 1, 2, 4 or 8 bytes there are in so many bytes: without a division. */
static uint32_t elements(size_t bytes, uint32_t size)
{
    return (uint32_t)bytes >> ((size > 1) + (size > 2) + (size > 4));
}

static bool string_is_sound(const struct exit_rule *rule, const struct svmc_exit *e,
                            const uint8_t *data)
{
    if (e->finish & SVMC_FINISH_REGS)
        return e->isa <= SVMC_ISA_X86_64 && e->size < 8 &&
               (e->address_bytes == 2 || e->address_bytes == 4 || e->address_bytes == 8) &&
               e->repeat <= 1 && e->backward <= 1 && (e->repeat || e->count == 1);
    return e->count > 0 && e->count <= elements(SVMC_EXIT_DATA_MAX, e->size) &&
           (rule->direction == SVMC_DIRECTION_IN || data);
}

CORE_COLD bool svmc_intercept_exit_sound(const struct exit_rule *rule, const struct svmc_exit *e,
                                         const uint8_t *data)
{
    bool own = (e->finish & SVMC_FINISH_REGS) != 0, rip = (e->finish & SVMC_FINISH_RIP) != 0;

    _Static_assert(SVMC_STATE_ALL == 31 && (SVMC_FINISH_REGS | SVMC_FINISH_RIP) == 3, "whole bits");
    if ((e->user >> 1 | e->swap >> 1 | e->state >> 5 | e->finish >> 2) != 0 || e->isa > 15 ||
        !(rule->isas >> e->isa & 1u) || !size_is_sound(rule, e->size))
        return false;
    if (rip && (!own || e->insn_bytes == 0 || e->insn_bytes > SVMC_INSN_MAX))
        return false;
    if (rule->string && !is_block(rule))
        return string_is_sound(rule, e, data);
    if (is_block(rule) && !own)
        return false;
    if (rule->space >= SPACE_S390)
        return svmc_intercept_special_sound(rule, e);
    return e->count == 1 && (!own || rule->out[0].place != PLACE_DEST || dest_is_sound(e));
}

/* HC-1: a 4-byte OUT to the doorbell is a hypercall; the backend still ends the OUT itself. */
static bool is_hypercall(const struct svmc_vcpu *vc, struct svmc_exit *e)
{
    if (e->kind == SVMC_KIND_OUT && e->size == 4 && e->finish != SVMC_FINISH_RIP &&
        vc->priv.policy->priv.doorbell != 0 && e->address == vc->priv.policy->priv.doorbell - 1) {
        e->kind = SVMC_KIND_HYPERCALL;
        e->size = 0;
        e->value = 0;
        e->finish |= SVMC_FINISH_REGS;
        //@ split e->kind;
        return true;
    }
    return false;
}

/* EX-7: elements asked for at once. Downwards one at a time: the spans run upwards. */
uint32_t svmc_intercept_chunk(const struct svmc_pending *p)
{
    uint32_t left = p->exit.count - p->at;
    uint32_t most = p->exit.backward ? 1 : elements(SVMC_PAGE_DATA_BYTES, p->exit.size);

    return left < most ? left : most;
}

/* Results that need no host, cut to their widths as R8 wants those of a host. */
static enum svmc_status commit_inside(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                      uint64_t values[SLOTS_OUT], struct svmc_outcome *out)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t done = p->issued;
    enum svmc_status st;

    for (uint32_t i = 0; i < p->out_count && i < SLOTS_OUT; i++)
        values[i] &= core_mask(slot_bytes(&rule->out[i], &p->exit));
    st = svmc_intercept_commit(vc, rule, values, &done, out);
    out->verdict = SVMC_VERDICT_CONST;
    if (st == SVMC_OK)
        out->action = out->fault.raised ? SVMC_ACT_INJECT : SVMC_ACT_RESUME;
    return st;
}

/* One value for all of them: the policy's CONST, and a hypercall that is not defined. */
static enum svmc_status answer_inside(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                      uint64_t value, struct svmc_outcome *out)
{
    uint64_t values[SLOTS_OUT];

    for (uint32_t i = 0; i < SLOTS_OUT; i++)
        values[i] = value;
    if (rule->string)
        memset(vc->priv.staging, (int)(value & 0xff), sizeof vc->priv.staging);
    return commit_inside(vc, rule, values, out);
}

/*
 * HC-2, HC-3: read the control word, find the call. *status is what the guest gets, OK: go on.
 * HC-6: nobody asks for the caller's privilege here.
 */
static enum svmc_status open_hypercall(struct svmc_vcpu *vc, uint64_t *status)
{
    struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_hcall_rule *call;
    uint64_t control = 0;
    uint8_t args, results;

    if (vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_RAX, &control) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    p->exit.address = control & 0xffff;
    p->in_count = 0;
    p->out_count = 1;
    *status = SVMC_HCALL_VERSION;
    if (control >> 56 != SVMC_HCALL_ABI)
        return SVMC_OK;
    call = svmc_intercept_hcall(vc->priv.policy, control & 0x00ffffffffffffffu);
    *status = SVMC_HCALL_NOT_DEFINED;
    if (!call || call->verdict != SVMC_VERDICT_DELEGATE)
        return SVMC_OK;
    args = call->args;
    results = call->results;
    if (args > SVMC_HCALL_ARGS || results > SVMC_HCALL_RESULTS)
        return SVMC_OK;
    *status = SVMC_HCALL_OK;
    p->in_count = args;
    p->out_count = (uint8_t)(1 + results);
    return SVMC_OK;
}

/*
 * A string's bytes or its destination, before the host hears of it (EX-7). Bytes that lie in one
 * piece and go in one chunk are left there for the page; others are staged.
 */
static enum svmc_status stage_string(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                     const uint8_t *data, struct svmc_fault *fault)
{
    struct svmc_pending *p = &vc->priv.pending;
    bool reads = rule->direction == SVMC_DIRECTION_OUT;
    bool wipes = vc->priv.policy->priv.full_wipe != 0; /* a RETRY writes its data again */
    struct span span[2] = { { NULL, 0 }, { NULL, 0 } };
    enum svmc_status st;

    if (!(p->exit.finish & SVMC_FINISH_REGS)) {
        p->staged = reads && (p->issued < p->exit.count || p->exit.size == 8 || wipes);
        if (p->staged)
            memcpy(vc->priv.staging, data, (size_t)p->exit.count * p->exit.size);
        else if (reads)
            p->exit.data = data;
        /* EX-81, on our copy: the list may lie where the guest can write */
        return p->exit.size < 8 || svmc_intercept_list_sound(vc->priv.staging, p->exit.count)
                   ? SVMC_OK
                   : SVMC_ERR_ARG;
    }
    st = svmc_intercept_spans(vc, &p->exit, reads ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE,
                              &p->issued, span, fault);
    if (st != SVMC_OK || fault->raised || !reads)
        return st;
    if (p->issued == elements(span[0].bytes, p->exit.size) && !wipes)
        p->exit.data = span[0].at;
    else
        p->staged = 1;
    //@ split p->staged;
    for (size_t i = 0, at = 0; i < 2 && p->staged; at += span[i].bytes, i++)
        if (span[i].at)
            memcpy(vc->priv.staging + at, span[i].at, span[i].bytes);
    return SVMC_OK;
}

static enum svmc_status delegate(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                 struct svmc_outcome *out)
{
    uint64_t status = SVMC_HCALL_OK, values[SLOTS_OUT];
    enum svmc_status st = SVMC_OK;
    bool inside = false;

    if (rule->space == SPACE_CPUID && svmc_intercept_is_pinned(vc->priv.policy))
        st = svmc_intercept_identity(vc, values, &inside);
    if (rule->space == SPACE_CALL)
        st = svmc_intercept_call(vc, values, &inside);
    if (st == SVMC_OK && inside)
        return commit_inside(vc, rule, values, out);
    if (st == SVMC_OK && rule->space == SPACE_HCALL)
        st = open_hypercall(vc, &status);
    if (st != SVMC_OK)
        return st;
    if (status != SVMC_HCALL_OK)
        return answer_inside(vc, rule, status, out);
    if (rule->timed)
        svmc_intercept_time_ask(vc);
    return svmc_intercept_request(vc, rule, out);
}

/* DELEGATE and CONST: a string's memory faults the same way, whoever answers. */
static enum svmc_status answer(struct svmc_vcpu *vc, const struct exit_rule *rule,
                               const uint8_t *data, struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    bool bus;

    if (rule->string) {
        p->direction = rule->direction;
        p->completion = SVMC_COMPLETION_CHUNK;
    }
    if (rule->string && !is_block(rule) && p->issued == 0) { /* REP with a count of 0 */
        out->verdict = SVMC_VERDICT_CONST;
    } else if (rule->string) {
        enum svmc_status st = is_block(rule) ? svmc_intercept_block_stage(vc, rule, out)
                                             : stage_string(vc, rule, data, &out->fault);

        if (st != SVMC_OK)
            return st;
        if (out->fault.raised) {
            out->action = SVMC_ACT_INJECT;
            return SVMC_OK;
        }
    }
    if (out->verdict == SVMC_VERDICT_DELEGATE)
        return delegate(vc, rule, out);
    if (out->verdict == SVMC_VERDICT_NOTIFY) /* EX-71: of what was found inside */
        return svmc_intercept_notify(vc, rule, out);
    /* EX-6: an empty bus reads as ones, a register that is not there as 0; else what was found */
    bus = rule->space == SPACE_PORT || rule->space == SPACE_WINDOW;
    return answer_inside(vc, rule, rule->apart ? p->exit.value : bus ? ~(uint64_t)0 : 0, out);
}

static enum svmc_status execute(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                const uint8_t *data, struct svmc_outcome *out)
{
    switch ((enum svmc_verdict)out->verdict) {
    case SVMC_VERDICT_DELEGATE:
    case SVMC_VERDICT_CONST:
        return answer(vc, rule, data, out);
    case SVMC_VERDICT_NOTIFY:
        return svmc_intercept_notify(vc, rule, out);
    case SVMC_VERDICT_INTERPRET:
        return svmc_intercept_interpret(vc, rule, out);
    case SVMC_VERDICT_TERMINATE:
        return svmc_intercept_stop(vc, SVMC_STOP_POLICY, out);
    case SVMC_VERDICT_FAULT:
        break;
    }
    /* EX-4 */
    out->fault =
        svmc_intercept_fault(rule->apart ? svmc_intercept_s390_refusal(rule, &vc->priv.pending.exit)
                                         : (enum svmc_fault_code)rule->refusal,
                             &vc->priv.pending.exit);
    out->action = SVMC_ACT_INJECT;
    return SVMC_OK;
}

/* The pending record of an exit that is sound, and its row. */
static enum svmc_status record(struct svmc_vcpu *vc, const uint8_t *data,
                               const struct exit_rule **rule)
{
    struct svmc_pending *p = &vc->priv.pending;

    if (is_hypercall(vc, &p->exit))
        *rule = svmc_intercept_rule(p->exit.kind);
    p->row = *rule;
    p->in_count = (*rule)->in_count;
    p->out_count = (*rule)->out_count;
    p->issued = (*rule)->string ? svmc_intercept_chunk(p) : 1;
    if (!svmc_intercept_exit_sound(*rule, &p->exit, data))
        return SVMC_ERR_ARG;
    if ((*rule)->string && (p->exit.finish & SVMC_FINISH_REGS) && !svmc_intercept_has_memory(vc))
        return SVMC_ERR_UNSUPPORTED;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_resolved(struct svmc_vcpu *vc,
                                                   const struct exit_rule *rule,
                                                   enum svmc_status st, const uint8_t *data,
                                                   struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;

    outcome_begin(out);
    if (st == SVMC_OK)
        st = record(vc, data, &rule);
    if (st == SVMC_OK) {
        out->verdict = (uint8_t)svmc_intercept_judge(vc->priv.policy, rule, &p->exit);
        vc->priv.stats.exits++;
        st = execute(vc, rule, data, out);
    }
    if (st == SVMC_OK)
        vc->priv.stats.verdicts[core_clamp(out->verdict, SVMC_VERDICT_INTERPRET + 1)]++;
    call_end(vc, st, out);
    //@ split st;
    if (!p->active)
        forget(vc);
    return recorded(vc, rule, SVMC_AUDIT_EXIT, st, out);
}

static CORE_WARM void copy_exit(struct svmc_exit *to, const struct svmc_exit *from)
{
    *to = *from;
    to->data = NULL;
}

CORE_COLD enum svmc_status svmc_intercept_begin(struct svmc_vcpu *vc, const struct svmc_exit *exit,
                                                const struct exit_rule **rule,
                                                struct svmc_outcome *out)
{
    enum svmc_status st = call_begin(vc, out, false);

    *rule = NULL;
    if (st != SVMC_OK)
        return st;
    if (!exit)
        return SVMC_ERR_ARG;
    if (vc->priv.recording)
        svmc_intercept_record_begin(vc);
    copy_exit(&vc->priv.pending.exit, exit); /* all zero: nothing is pending */
    *rule = svmc_intercept_rule(exit->kind);
    if (exit->interrupted.type != SVMC_EVENT_NONE) /* EV-5: no instruction exited */
        return SVMC_ERR_UNSUPPORTED;
    return exit->from != SVMC_FROM_EXIT ? svmc_intercept_resolve(vc, *rule, &vc->priv.pending.exit)
                                        : SVMC_OK;
}
