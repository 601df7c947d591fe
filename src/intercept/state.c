/* SPDX-License-Identifier: MIT */
/**
 * A vCPU's saved state. What follows from the exit and the policy is not in it, but found anew; so
 * no bytes can say otherwise. docs/spec/state.md, ST-4 to ST-8.
 */
#include "../core/shared.h"
#include "../core/state.h"
#include "intercept_private.h"

/* The order of both, writing and reading. */
/* clang-format off */
#define EXIT_FIELDS(FIELD)                                                               \
    FIELD(insn_bytes) FIELD(repeat) FIELD(backward) FIELD(address_bytes) FIELD(dest_reg) \
    FIELD(dest_bytes) FIELD(dest_high) FIELD(dest_extend) FIELD(from) FIELD(address_reg) \
    FIELD(value_reg) FIELD(value_high) FIELD(segment) FIELD(isa) FIELD(state)            \
    FIELD(user) FIELD(finish) FIELD(swap) FIELD(arg[0]) FIELD(arg[1]) FIELD(arg[2])
#define STATS_FIELDS(FIELD)                                                              \
    FIELD(exits) FIELD(bytes_shown) FIELD(bytes_accepted) FIELD(retries) FIELD(refused)  \
    FIELD(observed)
/* clang-format on */

static bool is_own(const struct svmc_exit *e)
{
    return (e->finish & SVMC_FINISH_REGS) != 0;
}

/* ST-7: the bytes of the staging area that a record needs: [from, to). */
static void staged_part(const struct svmc_pending *p, const struct exit_rule *rule, uint32_t *from,
                        uint32_t *to)
{
    uint32_t size = p->exit.size;

    *from = *to = 0;
    if (is_block(rule)) {
        *to = rule->string;
    } else if (rule->string && (rule->direction & SVMC_DIRECTION_OUT)) {
        *from = p->at * size;
        *to = (is_own(&p->exit) ? p->issued : p->exit.count) * size;
    } else if (rule->string) {
        *to = p->at * size;
    }
}

/* ---- writing ---------------------------------------------------------------------------------*/

/* ST-7: what was not staged is in the page. If the host has changed it there, then for itself. */
static void put_data(struct state_writer *w, const struct svmc_vcpu *vc,
                     const struct exit_rule *rule)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t from, to;
    uint8_t *room;

    staged_part(p, rule, &from, &to);
    room = state_room(w, to - from);
    if (!room || to == from)
        return;
    if (p->staged || !(rule->direction & SVMC_DIRECTION_OUT))
        memcpy(room, vc->priv.staging + from, to - from);
    else
        core_shared_read(vc->priv.page, SVMC_PAGE_DATA, room, to - from);
}

/* ST-6, ST-7 */
static void put_pending(struct state_writer *w, const struct svmc_vcpu *vc)
{
    const struct svmc_pending *p = &vc->priv.pending;
    const struct exit_rule *rule = p->row;
    const struct svmc_exit *e = &p->exit;

    state_put16(w, e->kind);
    state_put16(w, is_block(rule) ? rule->string : rule->space == SPACE_CALL ? 0 : e->size);
    state_put32(w, e->count);
    state_put64(w, e->address);
    state_put64(w, e->value);
    state_put64(w, e->buffer.v);
#define FIELD(name) state_put8(w, e->name);
    EXIT_FIELDS(FIELD)
#undef FIELD
    state_put8(w, p->direction);
    state_put16(w, p->block);
    state_put64(w, p->seq);
    state_put32(w, p->retries);
    state_put32(w, p->at);
    state_put32(w, p->issued);
    state_put16(w, p->kept);
    put_data(w, vc, rule);
}

/* ST-4, ST-5 */
static void put_vcpu(struct state_writer *w, const struct svmc_vcpu *vc, size_t bytes)
{
    const struct svmc_stats *stats = &vc->priv.stats;

    svmc_core_state_begin(w, SVMC_SAVED_VCPU, STATE_FIRST + (uint32_t)vc->priv.has_digest, bytes);
    state_put32(w, vc->priv.id);
    state_put16(w, vc->priv.stopped);
    state_put16(w, vc->priv.pending.active);
    state_put32(w, vc->priv.refusals);
    state_put32(w, 0);
    state_put64(w, vc->priv.seq_count);
    for (uint32_t i = 0; i < SVMC_TIME_SOURCES; i++) {
        const struct svmc_time *t = &vc->priv.time[i];

        state_put64(w, t->known != 0);
        state_put64(w, t->known != 0 ? t->value : 0);
    }
#define FIELD(name) state_put64(w, stats->name);
    STATS_FIELDS(FIELD)
#undef FIELD
    for (uint32_t i = 0; i < sizeof stats->verdicts / sizeof stats->verdicts[0]; i++)
        state_put64(w, stats->verdicts[i]); /* clamp: own loop, here and below */
    for (uint32_t i = 1; i < SVMC_REPLY_RULES + 1; i++) {
        state_put64(w, stats->refused_by_rule[i]); /* clamp: as above */
        state_put64(w, stats->observed_by_rule[i]);
    }
    if (vc->priv.has_digest)
        state_put(w, vc->priv.policy_digest, sizeof vc->priv.policy_digest);
    if (vc->priv.pending.active)
        put_pending(w, vc);
}

/* ST-19 */
CORE_COLD enum svmc_status svmc_vcpu_name_policy(struct svmc_vcpu *vc,
                                                 const struct svmc_crypto_ops *ops)
{
    enum svmc_status st;

    if (!is_vcpu(vc))
        return SVMC_ERR_ARG;
    st = svmc_policy_digest(vc->priv.policy, ops, vc->priv.policy_digest);
    vc->priv.has_digest = st == SVMC_OK;
    return st;
}

CORE_COLD enum svmc_status svmc_vcpu_save(const struct svmc_vcpu *vc, uint8_t *out, size_t cap,
                                          size_t *len)
{
    struct state_writer w = { NULL, 0 };

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!is_vcpu(vc) || (!out && cap != 0))
        return SVMC_ERR_ARG;
    put_vcpu(&w, vc, 0);
    *len = w.at;
    if (w.at > cap)
        return SVMC_ERR_FULL;
    w = (struct state_writer){ out, 0 };
    put_vcpu(&w, vc, *len);
    return SVMC_OK;
}

/* ---- reading ---------------------------------------------------------------------------------*/

/* As svmc_vcpu_init left it. */
static void blank(struct svmc_vcpu *vc)
{
    vc->priv.stopped = 0;
    vc->priv.refusals = 0;
    vc->priv.seq_count = 0;
    memset(&vc->priv.stats, 0, sizeof vc->priv.stats);
    memset(vc->priv.time, 0, sizeof vc->priv.time);
    svmc_vcpu_cancel(vc);
}

/* ST-19: bytes that are missing are found by who closes. */
static bool is_its_policy(struct state_reader *r, const struct svmc_vcpu *vc)
{
    const uint8_t *digest = svmc_core_state_get(r, sizeof vc->priv.policy_digest);

    return !digest || (vc->priv.has_digest &&
                       memcmp(digest, vc->priv.policy_digest, sizeof vc->priv.policy_digest) == 0);
}

/* ST-4, ST-5, ST-8; *active: an exit waits. */
static enum svmc_status get_vcpu(struct state_reader *r, struct svmc_vcpu *vc, bool *active)
{
    struct svmc_stats *stats = &vc->priv.stats;
    uint32_t id = state_get32(r);
    uint16_t waits;

    if (!r->bad && id != vc->priv.id)
        return SVMC_ERR_OWNER;
    vc->priv.stopped = state_get16(r);
    waits = state_get16(r);
    vc->priv.refusals = state_get32(r);
    state_want(r, state_get32(r) == 0);
    vc->priv.seq_count = state_get64(r);
    for (uint32_t i = 0; i < SVMC_TIME_SOURCES; i++) {
        uint64_t known = state_get64(r), value = state_get64(r);

        state_want(r, known <= 1 && (known || value == 0));
        vc->priv.time[i] = (struct svmc_time){ .value = value, .known = known ? TIME_FLOOR : 0 };
    }
#define FIELD(name) stats->name = state_get64(r);
    STATS_FIELDS(FIELD)
#undef FIELD
    for (uint32_t i = 0; i < sizeof stats->verdicts / sizeof stats->verdicts[0]; i++)
        stats->verdicts[i] = state_get64(r); /* clamp: own loop, here and below */
    for (uint32_t i = 1; i < SVMC_REPLY_RULES + 1; i++) {
        stats->refused_by_rule[i] = state_get64(r); /* clamp: as above */
        stats->observed_by_rule[i] = state_get64(r);
    }
    if (r->version > STATE_FIRST && !is_its_policy(r, vc))
        return SVMC_ERR_POLICY;
    /* EX-9: a vCPU that is stopped has nothing pending; a request has a number (PG-7) */
    state_want(r, waits <= 1 && vc->priv.stopped < SVMC_STOP_ERROR &&
                      (!waits || (vc->priv.stopped == 0 && vc->priv.seq_count != 0)));
    *active = waits != 0;
    return r->bad ? SVMC_ERR_FORMAT : SVMC_OK;
}

/* ST-6: the exit and the record, field by field. */
static void get_record(struct state_reader *r, struct svmc_pending *p)
{
    struct svmc_exit *e = &p->exit;

    e->kind = state_get16(r);
    e->size = state_get16(r);
    e->count = state_get32(r);
    e->address = state_get64(r);
    e->value = state_get64(r);
    e->buffer.v = state_get64(r);
#define FIELD(name) e->name = state_get8(r);
    EXIT_FIELDS(FIELD)
#undef FIELD
    p->direction = state_get8(r);
    p->block = state_get16(r);
    p->seq = state_get64(r);
    p->retries = state_get32(r);
    p->at = state_get32(r);
    p->issued = state_get32(r);
    p->kept = state_get16(r);
}

/* ST-6: an exit of this row, as EX-1 has it; what it came to is found by agree(). */
static enum svmc_status judge(const struct svmc_vcpu *vc, const struct exit_rule *rule)
{
    const struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_exit *e = &p->exit;

    if (rule->kind != e->kind || rule->statuses == 0)
        return SVMC_ERR_UNSUPPORTED;
    if (!svmc_intercept_exit_sound(rule, e, vc->priv.staging) || e->from >> 4 != 0 ||
        p->seq >> 48 != vc->priv.id)
        return SVMC_ERR_FORMAT;
    if (rule->string && is_own(e) && !svmc_intercept_has_memory(vc))
        return SVMC_ERR_UNSUPPORTED;
    return svmc_intercept_judge(vc->priv.policy, rule, e) == SVMC_VERDICT_DELEGATE
               ? SVMC_OK
               : SVMC_ERR_REFUSED;
}

/* ST-7: how much of a string is asked for. Its own is committed chunk by chunk. */
static bool string_again(const struct svmc_pending *p, const struct exit_rule *rule)
{
    uint32_t most;

    if (p->direction != rule->direction || p->block != 0 || p->kept != 0 ||
        p->at >= p->exit.count || (is_own(&p->exit) && p->at != 0))
        return false;
    most = svmc_intercept_chunk(p);
    return p->issued != 0 && (is_own(&p->exit) ? p->issued <= most : p->issued == most);
}

/* ST-7: slots and parts, by row and policy, as the exit itself once found them. */
static enum svmc_status agree(struct svmc_vcpu *vc, const struct exit_rule *rule)
{
    struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_hcall_rule *call;
    bool plain = p->issued == 1 && p->at == 0;

    p->in_count = rule->in_count;
    p->out_count = rule->out_count;
    if (rule->string) {
        p->completion = SVMC_COMPLETION_CHUNK;
        p->staged = is_block(rule) || (rule->direction & SVMC_DIRECTION_OUT);
    }
    if (is_block(rule))
        return p->issued == 1 && svmc_intercept_block_again(p, rule) ? SVMC_OK : SVMC_ERR_FORMAT;
    if (rule->string)
        return string_again(p, rule) ? SVMC_OK : SVMC_ERR_FORMAT;
    if (!plain || (p->direction | p->block | p->kept) != 0)
        return SVMC_ERR_FORMAT;
    if (rule->space == SPACE_CALL)
        return svmc_intercept_call_again(vc) ? SVMC_OK : SVMC_ERR_REFUSED;
    if (rule->space != SPACE_HCALL)
        return SVMC_OK;
    call = svmc_intercept_hcall(vc->priv.policy, p->exit.address);
    if (!call || call->verdict != SVMC_VERDICT_DELEGATE)
        return SVMC_ERR_REFUSED;
    p->in_count = call->args;
    p->out_count = (uint8_t)(1 + call->results);
    return SVMC_OK;
}

/* ST-7: what was copied for it, where it lay. */
static enum svmc_status get_data(struct state_reader *r, struct svmc_vcpu *vc,
                                 const struct exit_rule *rule)
{
    const struct svmc_pending *p = &vc->priv.pending;
    const uint8_t *data;
    uint32_t from, to;

    staged_part(p, rule, &from, &to);
    if (to > sizeof vc->priv.staging)
        return SVMC_ERR_FORMAT;
    data = svmc_core_state_get(r, to - from);
    if (data && to != from)
        memcpy(vc->priv.staging + from, data, to - from);
    if (p->exit.size == 8 && rule->string == 1 && /* EX-81 */
        !svmc_intercept_list_sound(vc->priv.staging + from, (to - from) / 8))
        return SVMC_ERR_FORMAT;
    return SVMC_OK;
}

/*
 * ST-8: the request once more, with the number that it had. Later ones are hidden by the new vCPU's
 * own secret.
 */
static enum svmc_status ask_again(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                  struct svmc_outcome *out)
{
    uint64_t secret = vc->priv.seq_secret, shown = vc->priv.stats.bytes_shown;
    enum svmc_status st;

    if (rule->timed)
        svmc_intercept_time_ask(vc);
    vc->priv.seq_count--;
    vc->priv.seq_secret = vc->priv.pending.seq ^ (vc->priv.seq_count & SEQ_COUNT);
    st = svmc_intercept_request(vc, rule, out);
    vc->priv.seq_secret = secret;
    vc->priv.stats.bytes_shown = shown;
    return st;
}

static enum svmc_status get_pending(struct state_reader *r, struct svmc_vcpu *vc,
                                    struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    const struct exit_rule *rule;
    enum svmc_status st;

    get_record(r, p);
    if (r->bad)
        return SVMC_ERR_FORMAT;
    rule = svmc_intercept_rule(p->exit.kind);
    p->row = rule;
    st = judge(vc, rule);
    if (st == SVMC_OK)
        st = agree(vc, rule);
    if (st == SVMC_OK)
        st = get_data(r, vc, rule);
    if (st == SVMC_OK)
        st = svmc_core_state_close(r);
    out->verdict = SVMC_VERDICT_DELEGATE;
    return st == SVMC_OK ? ask_again(vc, rule, out) : st;
}

CORE_COLD enum svmc_status svmc_vcpu_load(struct svmc_vcpu *vc, const uint8_t *bytes, size_t len,
                                          struct svmc_outcome *out)
{
    enum svmc_status st = call_begin(vc, out, false);
    struct state_reader r;
    bool active = false;

    if (st != SVMC_OK)
        return st;
    if (!bytes)
        return SVMC_ERR_ARG;
    if (vc->priv.seq_count != 0 || vc->priv.stats.exits != 0)
        return SVMC_ERR_STATE;
    st = svmc_core_state_open(&r, SVMC_SAVED_VCPU, bytes, len);
    if (st != SVMC_OK)
        return st;
    st = get_vcpu(&r, vc, &active);
    if (st == SVMC_OK && active)
        st = get_pending(&r, vc, out);
    else if (st == SVMC_OK)
        st = svmc_core_state_close(&r);
    if (st != SVMC_OK)
        blank(vc);
    svmc_intercept_record_settle(vc);
    if (st == SVMC_OK && !active) {
        out->action = vc->priv.stopped ? SVMC_ACT_STOP : SVMC_ACT_RESUME;
        out->stop = (uint8_t)vc->priv.stopped;
    }
    if (st == SVMC_OK && active && vc->priv.recording)
        svmc_intercept_record_begin(vc);
    if (!vc->priv.stopped || st != SVMC_OK)
        call_end(vc, st, out);
    return st;
}
