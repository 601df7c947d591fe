/* SPDX-License-Identifier: MIT */
/** The second half: reply check -> commit. */
#include "stages.h"

/* R16: state as before, the rule counted; a right reply is still taken until the limit. */
static CORE_COLD enum svmc_status refuse(struct svmc_vcpu *vc, unsigned rule,
                                         struct svmc_outcome *out)
{
    vc->priv.stats.refused++;
    vc->priv.stats.refused_by_rule[core_clamp(rule, SVMC_REPLY_RULES + 1)]++;
    vc->priv.refusals += vc->priv.refusals != UINT32_MAX; /* ST-5: what was loaded may be any */
    if (vc->priv.refusals >= vc->priv.policy->priv.refusal_limit) {
        (void)svmc_intercept_stop(vc, SVMC_STOP_REFUSALS, out);
    } else {
        svmc_intercept_page_clear_reply(vc);
        out->action = SVMC_ACT_DELEGATED;
        out->stop = SVMC_STOP_NONE;
    }
    out->rule = (uint8_t)rule;
    return SVMC_ERR_HOST_REPLY;
}

/* MO-6: what a looser mode let through, once the reply has been taken. */
static CORE_COLD void count_observed(struct svmc_vcpu *vc, uint32_t seen)
{
    vc->priv.stats.observed += seen != 0;
    for (unsigned rule = 1; rule < SVMC_REPLY_RULES + 1; rule++)
        vc->priv.stats.observed_by_rule[core_clamp(rule, SVMC_REPLY_RULES + 1)] += seen >> rule & 1;
}

/* Host bytes that went into the guest: the ledger. The results of a row are all as wide. */
static void count_accepted(struct svmc_vcpu *vc, const struct exit_rule *rule, uint32_t done)
{
    const struct svmc_pending *p = &vc->priv.pending;

    vc->priv.stats.bytes_accepted += p->out_count * slot_bytes(&rule->out[0], &p->exit);
    if (rule->string && (p->direction & SVMC_DIRECTION_IN))
        vc->priv.stats.bytes_accepted += (uint64_t)done * p->exit.size;
}

static CORE_COLD enum svmc_status retry(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                        struct svmc_outcome *out)
{
    enum svmc_status st;

    if (vc->priv.pending.retries >= vc->priv.policy->priv.retry_limit)
        return svmc_intercept_stop(vc, SVMC_STOP_RETRIES, out);
    st = svmc_intercept_request(vc, rule, out);
    if (st == SVMC_OK) {
        vc->priv.pending.retries++;
        vc->priv.stats.retries++;
    }
    return st;
}

/*
 * PARTIAL: the rest of a chunk that was not staged is in the page. If the host has changed it
 * there, then for itself.
 */
static CORE_COLD void stage_rest(struct svmc_vcpu *vc)
{
    struct svmc_pending *p = &vc->priv.pending;

    svmc_intercept_get_data(vc, 0, chunk_bytes(p));
    p->staged = 1;
}

/* The reply is sound: take its data, once and no more than asked for, and commit. */
static enum svmc_status accept(struct svmc_vcpu *vc, const struct exit_rule *rule,
                               const struct svmc_reply *reply, struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    bool backend = !(p->exit.finish & SVMC_FINISH_REGS);
    uint32_t done = core_clamp(reply->done, p->issued + 1); /* R11 has checked it */
    uint32_t at = p->at + done;
    enum svmc_status st;

    if (is_block(rule) && p->completion == SVMC_COMPLETION_PART)
        return svmc_intercept_block_next(vc, rule, out);
    if (rule->string == 1 && rule->direction == SVMC_DIRECTION_IN)
        svmc_intercept_get_data(vc, p->at * p->exit.size, done * p->exit.size);
    if (rule->string && backend && at < p->exit.count) {
        /* a backend ends its string only when all of it is there */
        count_accepted(vc, rule, done);
        if (rule->direction == SVMC_DIRECTION_IN) /* PG-1: the next request zeroes this reply's */
            vc->priv.page_used = done * p->exit.size;
        else if (!p->staged)
            stage_rest(vc);
        p->at = at;
        p->usual = 0; /* from here on it is in parts */
        p->issued = svmc_intercept_chunk(p);
        return svmc_intercept_request(vc, rule, out); /* a string has no slot: this cannot fail */
    }
    st = svmc_intercept_commit(vc, rule, reply->out, &done, out);
    if (st != SVMC_OK)
        return st;
    svmc_intercept_time_note(vc, svmc_intercept_time_of(rule, reply->out[0], reply->out[1]));
    out->action = out->fault.raised ? SVMC_ACT_INJECT : SVMC_ACT_RESUME;
    if (!out->fault.raised)
        count_accepted(vc, rule, done);
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_take(struct svmc_vcpu *vc, const struct fetched *fetched,
                                               struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    const struct exit_rule *rule = p->row;
    enum svmc_status st = SVMC_OK;
    struct svmc_reply reply;
    unsigned broken, first;
    uint32_t seen = 0;

    outcome_begin(out);
    out->verdict = SVMC_VERDICT_DELEGATE;
    first = svmc_intercept_reply_check(p, rule, vc->priv.id, fetched, &reply);
    broken = first;
    if (first != 0)
        broken = svmc_intercept_reply_mend((enum svmc_mode)vc->priv.policy->priv.mode, p, rule,
                                           first, &reply, &seen);
    if (broken == 0 && reply.status == SVMC_REPLY_DONE)
        st =
            svmc_intercept_time_check(vc, svmc_intercept_time_of(rule, reply.out[0], reply.out[1]));
    if (st == SVMC_ERR_HOST_REPLY) {
        broken = 13;
        st = SVMC_OK;
    }
    if (broken != 0)
        return recorded(vc, rule, SVMC_AUDIT_ENTER, refuse(vc, broken, out), out);
    if (st == SVMC_OK && reply.status == SVMC_REPLY_RETRY) {
        st = retry(vc, rule, out);
    } else if (st == SVMC_OK && reply.status == SVMC_REPLY_FAULT) {
        out->fault = svmc_intercept_fault((enum svmc_fault_code)reply.fault, &p->exit);
        out->action = SVMC_ACT_INJECT;
    } else if (st == SVMC_OK) {
        st = accept(vc, rule, &reply, out);
    }
    call_end(vc, st, out);
    //@ split st;
    if (st == SVMC_OK) {
        vc->priv.refusals = 0;
        if (first != 0) {
            out->rule = (uint8_t)first;
            count_observed(vc, seen);
        }
        if (out->action == SVMC_ACT_RESUME || out->action == SVMC_ACT_INJECT) { /* R17 */
            svmc_intercept_page_wipe(vc, rule->string ? chunk_bytes(p) : 0);
            forget(vc);
        }
    }
    return recorded(vc, rule, SVMC_AUDIT_ENTER, st, out);
}
