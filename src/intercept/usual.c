/* SPDX-License-Identifier: MIT */
/**
 * A call on a vCPU, and the usual way of an exit: an operation of registers that the policy
 * delegates and the library or a backend ends, or, but under full_wipe, a string that a backend
 * ends and that is one chunk; and a reply that is DONE and breaks no rule. What is anything else
 * goes the whole way (exit.c, enter.c), which takes these too and comes to the same: what
 * tests/intercept/test_usual.c holds.
 */
#include <svmcore/intercept.h>

#include "stages.h"

#define OWN         (SVMC_FINISH_REGS | SVMC_FINISH_RIP)
#define USUAL_SLOTS 2u /* no usual row has more: tests/intercept/test_usual.c */

/* What goes with the size of an access: its bits; PG-5: the column of the text, if it has one. */
static const struct width {
    uint64_t mask;
    uint32_t column, text;
} by_size[16] = {
    { ~(uint64_t)0, 0, UINT32_MAX }, /* 0: the slot's own width */
    { 0xff, 0, UINT32_MAX },         { 0xffff, 1, UINT32_MAX },       { 0xffffff, 0, 0 },
    { 0xffffffff, 2, UINT32_MAX },   { 0xffffffffff, 0, 0 },          { 0xffffffffffff, 0, 0 },
    { 0xffffffffffffff, 0, 0 },      { ~(uint64_t)0, 3, UINT32_MAX },
};

static inline const struct width *width_of(const struct svmc_exit *e)
{
    return &by_size[(uint32_t)e->size & 15]; /* clamp: four bits */
}

/* Bits that are set in no usual exit, in the eight bytes from `from` to `user`. */
static bool is_odd(const struct svmc_exit *e)
{
    static const uint8_t odd_bits[8] = {
        SVMC_FROM_STRING_REGS | 0xf0, 0, 0, 0, 0, 0xf0, 0xe0, 0xfe
    };
    uint64_t bytes, odd;

    _Static_assert(offsetof(struct svmc_exit, isa) == offsetof(struct svmc_exit, from) + 5 &&
                       offsetof(struct svmc_exit, user) == offsetof(struct svmc_exit, from) + 7,
                   "the order of odd_bits");
    memcpy(&bytes, &e->from, sizeof bytes);
    memcpy(&odd, odd_bits, sizeof odd);
    return (bytes & odd) != 0 || e->interrupted.type != SVMC_EVENT_NONE;
}

/* EX-1: an exit that a backend ends: one element, or a string; how long it is comes later. */
static bool backend_is_sound(const struct exit_rule *rule, const struct svmc_exit *e)
{
    if (rule->string)
        return e->count > 0 && (rule->direction == SVMC_DIRECTION_IN || e->data);
    return e->count == 1;
}

/* And one that the library ends. */
static bool own_is_sound(const struct exit_rule *rule, const struct svmc_exit *e)
{
    return e->count == 1 && e->insn_bytes - 1u < SVMC_INSN_MAX &&
           (rule->out[0].place != PLACE_DEST || dest_is_sound(e));
}

/* An exit that is sound (EX-1) and takes the usual way, if it is delegated. */
static bool is_usual(const struct exit_rule *rule, const struct svmc_exit *e)
{
    uint32_t isas = 0;

    if (rule->kind != e->kind || is_odd(e))
        return false;
    if (e->finish == OWN && e->swap == 0 && own_is_sound(rule, e))
        isas = rule->usual;
    else if (e->finish == SVMC_FINISH_BACKEND && e->swap == 0 && backend_is_sound(rule, e))
        isas = rule->usual_backend;
    return (isas >> (e->isa & 31) & 1u) && size_is_sound(rule, e->size);
}

/* Whether policy and parameters of such an exit, which is in the record, let it go that way. */
static bool is_delegated(const struct svmc_vcpu *vc, const struct exit_rule *rule)
{
    const struct svmc_policy *policy = vc->priv.policy;
    const struct svmc_exit *e = &vc->priv.pending.exit;

    if (rule->space == SPACE_CPUID)
        return !svmc_intercept_is_pinned(policy);
    if (rule->space == SPACE_PORT && e->address == policy->priv.doorbell - (uint64_t)1) /* HC-1 */
        return false;
    if (rule->string && (policy->priv.full_wipe || /* OUTS: a RETRY needs it staged */
                         svmc_intercept_chunk(&vc->priv.pending) < e->count))
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

/* R17: that, and all behind it: a RETRY and a clock may have left something there. */
static inline void forget_usual(struct svmc_pending *p)
{
    const size_t tail = offsetof(struct svmc_exit, insn_bytes);
    const size_t row = offsetof(struct svmc_pending, row);

    _Static_assert(offsetof(struct svmc_exit, data) % CORE_WORD == 0 &&
                       offsetof(struct svmc_exit, insn_bytes) % CORE_WORD == 0 &&
                       offsetof(struct svmc_exit, interrupted) % CORE_WORD == 0 &&
                       offsetof(struct svmc_pending, row) % CORE_WORD == 0 &&
                       sizeof *p % CORE_WORD == 0,
                   "whole words");
    core_wipe(p, offsetof(struct svmc_exit, data));
    core_wipe((uint8_t *)p + tail, offsetof(struct svmc_exit, interrupted) - tail);
    core_wipe((uint8_t *)p + row, sizeof *p - row);
}

/* Whether a call on a vCPU may take the usual way: it is one, not stopped, and nobody records. */
static bool is_ready(const struct svmc_vcpu *vc, const struct svmc_outcome *out)
{
    static const struct {
        uint32_t magic;
        uint16_t recording, stopped;
    } ready = { VCPU_MAGIC, 0, 0 };
    uint64_t is, should;

    if (!vc || !out)
        return false;
    memcpy(&is, (const uint8_t *)vc + offsetof(struct svmc_vcpu, priv.magic), sizeof is);
    memcpy(&should, &ready, sizeof should);
    return is == should;
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

/* PG-6: the inputs, each cut to its width: a value, or registers. */
static enum svmc_status take_inputs(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                    const struct width *width, uint64_t in[USUAL_SLOTS])
{
    const struct svmc_host_ops *ops = vc->priv.ops;

    if (rule->in_count == 0)
        return SVMC_OK;
    if (rule->in[0].place == PLACE_VALUE) {
        in[0] = vc->priv.pending.exit.value & width->mask;
        vc->priv.stats.bytes_shown += vc->priv.pending.exit.size;
        return SVMC_OK;
    }
    if (ops->reg_read(vc->priv.ctx, rule->in[0].reg, &in[0]) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    in[0] &= rule->in[0].mask;
    if (rule->in_count == 1)
        return SVMC_OK;
    if (ops->reg_read(vc->priv.ctx, rule->in[1].reg, &in[1]) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    in[1] &= rule->in[1].mask;
    return SVMC_OK;
}

/* The request for what stands in the record. */
static enum svmc_status ask(struct svmc_vcpu *vc, const struct exit_rule *rule, const uint8_t *data,
                            struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_exit *e = &p->exit;
    uint64_t in[USUAL_SLOTS] = { 0, 0 };
    const struct width *width;
    uint32_t bytes = 0;
    struct ask words;

    p->row = rule;
    memcpy((uint8_t *)p + offsetof(struct svmc_pending, active), rule->begins, sizeof rule->begins);
    p->issued = e->count;
    p->at = 0;
    vc->priv.stats.exits++;
    if (rule->timed)
        svmc_intercept_time_ask(vc);
    if (take_inputs(vc, rule, width_of(e), in) != SVMC_OK) {
        forget(vc);
        return failed(out);
    }
    if (rule->string && rule->direction == SVMC_DIRECTION_OUT) {
        bytes = chunk_bytes(p);
        vc->priv.stats.bytes_shown += bytes;
        p->exit.data = data;
    }
    vc->priv.stats.bytes_shown += rule->shown;
    width = width_of(e); /* again: kept over the callbacks it takes more code */
    words.kind = rule->asks;
    words.size = e->size;
    words.count = e->count;
    words.in_valid = rule->in_valid;
    words.address = rule->address != 0 ? e->address : 0;
    if (e->isa > SVMC_ISA_X86_64)
        words.insn = svmc_intercept_other_text(rule, e);
    else /* clamp: row and column are ours */
        words.insn = svmc_intercept_texts[rule->row][width->column] & width->text;
    fill(vc, words, in, USUAL_SLOTS, 0, bytes);
    //@ split vc->priv.pending.active;
    vc->priv.stats.verdicts[SVMC_VERDICT_DELEGATE]++;
    set_outcome(out, SVMC_ACT_DELEGATED, e->state);
    return SVMC_OK;
}

enum svmc_status svmc_vcpu_exit(struct svmc_vcpu *vc, const struct svmc_exit *exit,
                                struct svmc_outcome *out)
{
    enum svmc_status st = SVMC_OK;
    bool ready = is_ready(vc, out) && exit && !vc->priv.pending.active;
    const struct exit_rule *rule, *any;
    struct svmc_exit *e;

    rule = ready ? svmc_intercept_row(exit->kind) : NULL;
    if (!ready || !is_usual(rule, exit)) {
        st = svmc_intercept_begin(vc, exit, &any, out);
        return any ? svmc_intercept_resolved(vc, any, st, exit->data, out) : st;
    }
    e = &vc->priv.pending.exit; /* all zero: nothing is pending */
    keep(e, exit);
    if (e->from != SVMC_FROM_EXIT)
        st = svmc_intercept_resolve(vc, rule, e);
    if (st != SVMC_OK || !is_delegated(vc, rule))
        return svmc_intercept_resolved(vc, rule, st, exit->data, out);
    return ask(vc, rule, exit->data, out);
}

/* DONE, and nothing in it that a rule forbids: R18 R2 R4 R5 R6 R7 R11 R8. */
static bool is_usual_reply(const struct svmc_pending *p, const struct exit_rule *rule,
                           const struct fetched *f)
{
    uint64_t odd = (f->seq ^ p->seq) | (f->status ^ SVMC_REPLY_DONE) | f->fault |
                   (f->out_valid ^ rule->out_valid) | f->more | f->reserved;
    uint64_t done = p->issued; /* R11: and in bits 63:32 how many bytes of data */

    if (rule->string && rule->direction == SVMC_DIRECTION_IN)
        done |= (uint64_t)chunk_bytes(p) << 32;
    odd |= f->done ^ done;
    odd |= f->out[0] & rule->beyond[0];
    odd |= f->out[1] & rule->beyond[1];
    odd |= (f->out[2] | f->out[3]) & rule->beyond[2];
    if (rule->out[0].place == PLACE_DEST)
        odd |= f->out[0] & ~width_of(&p->exit)->mask;
    return odd == 0;
}

static inline enum svmc_status read_pc(const struct svmc_vcpu *vc, uint32_t *reg, uint64_t *pc)
{
    *reg = reg_file(&vc->priv.pending.exit)->pc;
    *pc = 0;
    return vc->priv.ops->reg_read(vc->priv.ctx, *reg, pc);
}

/* What a commit ends with. */
static inline void write_pc(const struct svmc_vcpu *vc, uint32_t reg, uint64_t pc)
{
    const struct svmc_exit *e = &vc->priv.pending.exit;

    pc += e->insn_bytes;
    vc->priv.ops->reg_write(vc->priv.ctx, reg, is_legacy(e) ? (uint32_t)pc : pc);
}

/* R9: a DEST is its row's only result. */
static inline enum svmc_status commit_dest(struct svmc_vcpu *vc, uint64_t value)
{
    const struct svmc_exit *e = &vc->priv.pending.exit;
    uint32_t zero = reg_file(e)->zero, reg;
    uint64_t pc;

    if (e->dest_reg != zero && widen(vc, &value) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (read_pc(vc, &reg, &pc) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (e->dest_reg != zero)
        vc->priv.ops->reg_write(vc->priv.ctx, e->dest_reg, value);
    write_pc(vc, reg, pc);
    vc->priv.stats.bytes_accepted += e->size;
    return SVMC_OK;
}

/* HC-5: what is not declared is not written. 0, 2 or 4 results, of 4 bytes: the rest is 0. */
static inline enum svmc_status commit_named(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                            const uint64_t out[SLOTS_OUT])
{
    const struct svmc_host_ops *ops = vc->priv.ops;
    void *ctx = vc->priv.ctx;
    uint32_t reg;
    uint64_t pc;

    if (read_pc(vc, &reg, &pc) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (rule->out_count >= 2) {
        ops->reg_write(ctx, rule->out[0].reg, out[0]);
        ops->reg_write(ctx, rule->out[1].reg, out[1]);
        if (rule->out_count == 4) {
            ops->reg_write(ctx, rule->out[2].reg, out[2]);
            ops->reg_write(ctx, rule->out[3].reg, out[3]);
        }
    }
    write_pc(vc, reg, pc);
    vc->priv.stats.bytes_accepted += rule->given;
    return SVMC_OK;
}

/* The backend gets the results, or what came into the data area. */
static CORE_APART void give(struct svmc_vcpu *vc, const struct exit_rule *rule,
                            const uint64_t results[SLOTS_OUT], struct svmc_outcome *out)
{
    const struct svmc_pending *p = &vc->priv.pending;

    set_outcome(out, SVMC_ACT_RESUME, p->exit.state);
    if (rule->direction == SVMC_DIRECTION_OUT)
        return;
    if (rule->string)
        svmc_intercept_get_data(vc, 0, chunk_bytes(p));
    svmc_intercept_commit_backend(vc, rule, results, out);
    vc->priv.stats.bytes_accepted += out->data_bytes;
}

/*
 * R17, PG-9: of an answered exit nothing stays. What is not written here was 0 before: the
 * request's by PG-1, the reply's by R4, R5, R7 and R8.
 */
static void wipe_areas(volatile void *page)
{
    core_shared_clear(page, 0, SVMC_PAGE_REQ_INSN / CORE_WORD + 1);
    core_shared_clear(page, SVMC_PAGE_REQ_ADDRESS, 2 + USUAL_SLOTS); /* size, in */
    core_shared_clear(page, SVMC_PAGE_REP_SEQ, 1);
    core_shared_clear(page, SVMC_PAGE_REP_OUT_VALID, 1);
    core_shared_clear(page, SVMC_PAGE_REP_DONE, 1);
    core_shared_clear(page, SVMC_PAGE_REP_OUT, SLOTS_OUT);
}

enum svmc_status svmc_vcpu_enter(struct svmc_vcpu *vc, struct svmc_outcome *out)
{
    bool usual = is_ready(vc, out) && vc->priv.pending.usual;
    const struct exit_rule *rule;
    const uint64_t *results;
    struct svmc_pending *p;
    struct fetched f;
    uint32_t bytes;

    if (!usual) {
        enum svmc_status st = call_begin(vc, out, true);

        if (st != SVMC_OK)
            return st;
    }
    p = &vc->priv.pending;
    rule = p->row;
    fetch(vc->priv.page, &f);
    if (!usual || !is_usual_reply(p, rule, &f) ||
        (p->counter != 0 && svmc_intercept_time_check(
                                vc, svmc_intercept_time_of(rule, f.out[0], f.out[1])) != SVMC_OK)) {
        return svmc_intercept_take(vc, &f, out);
    }
    results = f.out;
    CORE_KEEP(results); /* in memory: registers would have to be saved for the callbacks */
    if (p->exit.finish == SVMC_FINISH_BACKEND)
        give(vc, rule, results, out);
    else if ((rule->out[0].place == PLACE_DEST ? commit_dest(vc, results[0])
                                               : commit_named(vc, rule, results)) != SVMC_OK)
        return failed(out);
    else
        set_outcome(out, SVMC_ACT_RESUME, p->exit.state & ~(uint32_t)STATE_ENDED); /* EV-6 */
    if (p->counter != 0)
        svmc_intercept_time_note(vc, svmc_intercept_time_of(rule, results[0], results[1]));
    vc->priv.refusals = 0;
    bytes = rule->string ? chunk_bytes(p) : 0; /* the wipe is last, as in `fill` */
    forget_usual(p);
    if (bytes != 0)
        svmc_intercept_page_wipe(vc, bytes);
    else
        wipe_areas(vc->priv.page);
    return SVMC_OK;
}
