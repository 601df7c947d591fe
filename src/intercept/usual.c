/* SPDX-License-Identifier: MIT */
/**
 * A call on a vCPU, and the usual way of an exit: an operation of registers, which the policy
 * delegates and the library ends; and a reply that is DONE and breaks no rule. What is anything
 * else goes the whole way (exit.c, enter.c), which takes these too and comes to the same: what
 * tests/intercept/test_usual.c holds.
 */
#include <svmcore/intercept.h>

#include "stages.h"

#define OWN         (SVMC_FINISH_REGS | SVMC_FINISH_RIP)
#define USUAL_SLOTS 2u /* more has no row that is usual: tests/intercept/test_rows.c */

/* Bits that are set in no usual exit, in the eight bytes from `from` to `user`. */
static bool is_odd(const struct svmc_exit *e)
{
    static const uint8_t odd_bits[8] = { SVMC_FROM_STRING_REGS | 0xf0, 0, 0, 0, 0, 0, 0xe0, 0xfe };
    uint64_t bytes, odd;

    _Static_assert(offsetof(struct svmc_exit, isa) == offsetof(struct svmc_exit, from) + 5 &&
                       offsetof(struct svmc_exit, user) == offsetof(struct svmc_exit, from) + 7,
                   "the order of odd_bits");
    memcpy(&bytes, &e->from, sizeof bytes);
    memcpy(&odd, odd_bits, sizeof odd);
    return (bytes & odd) != 0 || e->interrupted.type != SVMC_EVENT_NONE;
}

/* An exit that is sound (EX-1) and takes the usual way, if it is delegated. */
static bool is_usual(const struct exit_rule *rule, const struct svmc_exit *e)
{
    return !is_odd(e) && e->finish == OWN && e->swap == 0 && e->count == 1 &&
           e->insn_bytes - 1u < SVMC_INSN_MAX && rule->usual && e->isa < 16 &&
           (rule->isas >> e->isa & 1u) && size_is_sound(rule, e->size) &&
           (rule->out[0].place != PLACE_DEST || dest_is_sound(e));
}

/* What its parameters decide, then. */
static bool is_delegated(const struct svmc_policy *policy, const struct exit_rule *rule,
                         const struct svmc_exit *e)
{
    if (rule->space == SPACE_CPUID)
        return !svmc_intercept_is_pinned(policy);
    if (rule->space == SPACE_PORT && e->address == policy->priv.doorbell - (uint64_t)1) /* HC-1 */
        return false;
    return svmc_intercept_judge(policy, rule, e) == SVMC_VERDICT_DELEGATE;
}

/* What a usual exit has; the rest of the record is 0, as there it has no meaning. */
static void keep(struct svmc_exit *record, const struct svmc_exit *exit)
{
    const size_t tail = offsetof(struct svmc_exit, insn_bytes);

    memcpy(record, exit, offsetof(struct svmc_exit, data));
    memcpy((uint8_t *)record + tail, (const uint8_t *)exit + tail,
           offsetof(struct svmc_exit, interrupted) - tail);
}

/* Whether a call on a vCPU may take the usual way. */
static bool is_ready(const struct svmc_vcpu *vc, const struct svmc_outcome *out)
{
    return out && is_vcpu(vc) && (vc->priv.stopped | vc->priv.recording) == 0;
}

static void set_outcome(struct svmc_outcome *out, uint32_t action, uint32_t state)
{
    *out = (struct svmc_outcome){ .action = (uint8_t)action,
                                  .verdict = SVMC_VERDICT_DELEGATE,
                                  .state = (uint8_t)state };
}

/* Nothing has changed. */
static CORE_COLD enum svmc_status failed(struct svmc_outcome *out)
{
    outcome_begin(out);
    return SVMC_ERR_CALLBACK;
}

/* The request for what stands in the record. */
static enum svmc_status ask(struct svmc_vcpu *vc, const struct exit_rule *rule,
                            struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    uint64_t in[USUAL_SLOTS] = { 0, 0 }, address = rule->address != 0 ? p->exit.address : 0;
    uint32_t shown = rule->address;

    p->row = rule;
    p->in_count = rule->in_count;
    p->out_count = rule->out_count;
    p->issued = 1;
    p->usual = 1;
    vc->priv.stats.exits++;
    if (rule->out[0].check == CHECK_TIME)
        svmc_intercept_time_ask(vc);
    if ((rule->in_count > 0 && gather(vc, &rule->in[0], &in[0], &shown) != SVMC_OK) ||
        (rule->in_count > 1 && gather(vc, &rule->in[1], &in[1], &shown) != SVMC_OK)) {
        forget(vc);
        return failed(out);
    }
    vc->priv.stats.bytes_shown += shown;
    fill(vc, rule, (struct ask){ SVMC_COMPLETION_SINGLE, rule->direction, address }, in,
         USUAL_SLOTS, 0, 0);
    //@ split vc->priv.pending.active;
    vc->priv.stats.verdicts[SVMC_VERDICT_DELEGATE]++;
    set_outcome(out, SVMC_ACT_DELEGATED, p->exit.state);
    return SVMC_OK;
}

enum svmc_status svmc_vcpu_exit(struct svmc_vcpu *vc, const struct svmc_exit *exit,
                                struct svmc_outcome *out)
{
    enum svmc_status st = SVMC_OK;
    bool ready = is_ready(vc, out) && exit && !vc->priv.pending.active;
    const struct exit_rule *rule;
    struct svmc_exit *e;

    rule = ready ? svmc_intercept_rule(exit->kind) : NULL;
    if (!ready || !is_usual(rule, exit)) {
        st = svmc_intercept_begin(vc, exit, &rule, out);
        return rule ? svmc_intercept_resolved(vc, rule, st, exit->data, out) : st;
    }
    e = &vc->priv.pending.exit; /* all zero: nothing is pending */
    keep(e, exit);
    if (e->from != SVMC_FROM_EXIT)
        st = svmc_intercept_resolve(vc, rule, e);
    if (st != SVMC_OK || !is_delegated(vc->priv.policy, rule, e))
        return svmc_intercept_resolved(vc, rule, st, NULL, out);
    return ask(vc, rule, out);
}

/* DONE, and nothing in it that a rule forbids: R18 R2 R4 R5 R6 R7 R11 R8. */
static bool is_usual_reply(const struct svmc_pending *p, const struct exit_rule *rule,
                           const struct fetched *f)
{
    uint64_t odd = (f->seq ^ p->seq) | (f->status ^ SVMC_REPLY_DONE) | f->fault | (f->done ^ 1) |
                   (f->out_valid ^ (((uint64_t)1 << rule->out_count) - 1)) | f->more | f->reserved;

    CORE_UNROLL
    for (uint32_t i = 0; i < SLOTS_OUT; i++) /* of what is not declared the mask is 0 */
        odd |= f->out[i] & ~rule->out[i].mask;
    if (rule->out[0].place == PLACE_DEST)
        odd |= f->out[0] & ~core_mask(p->exit.size);
    return odd == 0;
}

enum svmc_status svmc_vcpu_enter(struct svmc_vcpu *vc, struct svmc_outcome *out)
{
    const struct exit_rule *rule;
    struct svmc_pending *p;
    struct fetched f;

    if (!out || !is_vcpu(vc) || vc->priv.stopped || !vc->priv.pending.active)
        return call_begin(vc, out, true);
    p = &vc->priv.pending;
    rule = p->row;
    fetch(vc->priv.page, &f);
    if (!p->usual || vc->priv.recording || !is_usual_reply(p, rule, &f))
        return svmc_intercept_take(vc, &f, out);
    if (rule->out[0].check == CHECK_TIME) {
        unsigned broken = 0;
        enum svmc_status st = svmc_intercept_time_check(vc, f.out, &broken);

        if (st != SVMC_OK || broken != 0)
            return svmc_intercept_take(vc, &f, out);
    }
    if (commit_registers(vc, rule, f.out, true, out) != SVMC_OK)
        return failed(out);
    if (svmc_intercept_has_time(rule))
        svmc_intercept_time_note(vc, f.out);
    count_accepted(vc, rule, 1);
    vc->priv.refusals = 0;
    set_outcome(out, SVMC_ACT_RESUME, state_after(&p->exit, SVMC_ACT_RESUME));
    wipe_areas(vc->priv.page, USUAL_SLOTS);
    forget(vc);
    return SVMC_OK;
}
