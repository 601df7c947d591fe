/* SPDX-License-Identifier: MIT */
/**
 * Sums by kind of exit, and what a call on a vCPU tells them and the audit ring. Nothing here is
 * counted on the way of an exit: a call's share is what the vCPU's counters say more than at the
 * end of the call before.
 */
#include <svmcore/audit.h>

#include "../core/clamp.h"
#include "../core/memory.h"
#include "intercept_private.h"

void svmc_intercept_record_settle(struct svmc_vcpu *vc)
{
    const struct svmc_stats *stats = &vc->priv.stats;
    struct svmc_record *r = &vc->priv.record;

    r->exits = stats->exits;
    r->delegated = stats->verdicts[SVMC_VERDICT_DELEGATE];
    r->bytes_shown = stats->bytes_shown;
    r->bytes_accepted = stats->bytes_accepted;
    r->refused = stats->refused;
    r->retries = stats->retries;
    vc->priv.recording = r->ledger || r->ring;
}

static enum svmc_status can_attach(const struct svmc_vcpu *vc)
{
    if (!is_vcpu(vc))
        return SVMC_ERR_ARG;
    return vc->priv.pending.active ? SVMC_ERR_STATE : SVMC_OK; /* AU-2 */
}

static bool has_clock(const struct svmc_vcpu *vc)
{
    return CORE_HAS_OP(vc->priv.ops, ticks);
}

enum svmc_status svmc_vcpu_set_ledger(struct svmc_vcpu *vc, struct svmc_ledger *ledger)
{
    enum svmc_status st = can_attach(vc);

    if (st != SVMC_OK)
        return st;
    if (ledger) {
        memset(ledger, 0, sizeof *ledger);
        ledger->priv.timed = has_clock(vc);
        ledger->priv.magic = LEDGER_MAGIC;
    }
    vc->priv.record.ledger = ledger;
    svmc_intercept_record_settle(vc);
    return SVMC_OK;
}

enum svmc_status svmc_vcpu_set_audit(struct svmc_vcpu *vc, struct svmc_audit_ring *ring)
{
    enum svmc_status st = can_attach(vc);

    if (st == SVMC_OK && ring && !svmc_intercept_audit_ready(ring))
        st = SVMC_ERR_ARG;
    if (st != SVMC_OK)
        return st;
    vc->priv.record.ring = ring;
    svmc_intercept_record_settle(vc);
    return SVMC_OK;
}

enum svmc_status svmc_ledger_read(const struct svmc_ledger *ledger, uint32_t row,
                                  struct svmc_ledger_entry *out)
{
    uint16_t kind;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!ledger || ledger->priv.magic != LEDGER_MAGIC || !svmc_intercept_row_kind(row, &kind))
        return SVMC_ERR_ARG;
    out->name = svmc_kind_name(kind);
    out->kind = kind;
    out->timed = (uint16_t)ledger->priv.timed;
    out->sums = ledger->priv.by_row[core_clamp(row, SVMC_LEDGER_ROWS)];
    return SVMC_OK;
}

void svmc_intercept_record_begin(struct svmc_vcpu *vc)
{
    if (vc->priv.record.ledger && has_clock(vc))
        vc->priv.record.began = vc->priv.ops->ticks(vc->priv.ctx);
}

/* AU-3: an exit's ticks, once its answer has been accepted. A clock that went back says 0. */
static void add_ticks(struct svmc_vcpu *vc, struct svmc_ledger_sums *sums)
{
    uint64_t now, began = vc->priv.record.began, ticks;

    sums->answered++;
    if (!has_clock(vc))
        return;
    now = vc->priv.ops->ticks(vc->priv.ctx);
    ticks = now > began ? now - began : 0;
    sums->ticks_total += ticks;
    if (ticks > sums->ticks_worst)
        sums->ticks_worst = ticks;
}

/* AU-1 AU-4 AU-5 AU-12: called when the guest and the page are done with; out is only read. */
enum svmc_status svmc_intercept_record(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                       enum svmc_audit_call call, enum svmc_status st,
                                       const struct svmc_outcome *out)
{
    const struct svmc_stats *stats = &vc->priv.stats;
    const struct svmc_record *was = &vc->priv.record;
    uint64_t shown = stats->bytes_shown - was->bytes_shown;
    uint64_t accepted = stats->bytes_accepted - was->bytes_accepted;

    if (was->ledger) {
        struct svmc_ledger_sums *sums =
            &was->ledger->priv.by_row[core_clamp(rule->row, SVMC_LEDGER_ROWS)];

        sums->exits += stats->exits - was->exits;
        sums->delegated += stats->verdicts[SVMC_VERDICT_DELEGATE] - was->delegated;
        sums->bytes_shown += shown;
        sums->bytes_accepted += accepted;
        sums->refused += stats->refused - was->refused;
        sums->retries += stats->retries - was->retries;
        if (call == SVMC_AUDIT_ENTER && st == SVMC_OK &&
            (out->action == SVMC_ACT_RESUME || out->action == SVMC_ACT_INJECT))
            add_ticks(vc, sums);
    }
    if (was->ring)
        svmc_intercept_audit_add(was->ring,
                                 &(struct svmc_audit_entry){ .kind = rule->kind,
                                                             .call = (uint8_t)call,
                                                             .verdict = out->verdict,
                                                             .action = out->action,
                                                             .stop = out->stop,
                                                             .rule = out->rule,
                                                             .status = (uint8_t)st,
                                                             .bytes_shown = (uint32_t)shown,
                                                             .bytes_accepted = (uint32_t)accepted,
                                                             .vcpu = vc->priv.id });
    svmc_intercept_record_settle(vc);
    return st;
}

/* ---- as bytes: ST-17 -------------------------------------------------------------------------*/
