/* SPDX-License-Identifier: MIT */
/** Offers: fetched and kept when the host rings, given to the guest at an entry. */
#include <svmcore/offer.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"
#include "../core/shared.h"
#include "../core/state.h"
#include "intercept_private.h"
#include "offer_rows.h"

#define OFFERS_MAGIC 0x4f464652u
#define HOST_END     0x40u /* of the host's half */
#define VECTOR_NMI   2u

/* Why an offer is refused: OF-1 to OF-6, by number. */
enum { OF_NONE, OF_LAYOUT, OF_SEQ, OF_KIND, OF_POLICY, OF_VALUES, OF_BUSY };

static bool usable(const struct svmc_offers *o)
{
    return o && o->priv.magic == OFFERS_MAGIC;
}

static uint16_t bit(uint32_t kind)
{
    return (uint16_t)(1u << kind);
}

/* OF-2: as PG-7: the vCPU's id, and a counter hidden by a secret. */
static uint64_t next_seq(const struct svmc_offers *o)
{
    return sequence(o->priv.vcpu->priv.id, o->priv.seq_count, o->priv.seq_secret);
}

/* OF-10: all that the host is told. */
static void tell(const struct svmc_offers *o)
{
    core_shared_put(o->priv.area, SVMC_OFFER_NEXT, next_seq(o));
    core_shared_put(o->priv.area, SVMC_OFFER_ANSWER,
                    (uint64_t)o->priv.answer | (uint64_t)o->priv.rule << 8 |
                        (uint64_t)o->priv.kept << 16);
}

enum svmc_status svmc_offers_init(struct svmc_offers *offers, struct svmc_vcpu *vc,
                                  const struct svmc_offer_policy *policy, volatile void *area,
                                  enum svmc_isa isa)
{
    struct svmc_outcome ignored;
    enum svmc_status st;
    uint8_t secret[8];

    if (!offers)
        return SVMC_ERR_ARG;
    memset(offers, 0, sizeof *offers);
    if (!vc || !policy || !svmc_offer_policy_sound(policy) || !core_shared_usable(area) ||
        (isa != SVMC_ISA_X86_64 && isa != SVMC_ISA_A64 && isa != SVMC_ISA_RV64 &&
         isa != SVMC_ISA_S390X))
        return SVMC_ERR_ARG;
    st = call_begin(vc, &ignored, vc->priv.pending.active != 0);
    if (st != SVMC_OK)
        return st;
    if (vc->priv.ops->random(vc->priv.ctx, secret, sizeof secret) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    offers->priv.vcpu = vc;
    offers->priv.policy = policy;
    offers->priv.area = area;
    offers->priv.isa = isa;
    offers->priv.seq_secret = core_load_le64(secret);
    offers->priv.magic = OFFERS_MAGIC;
    core_shared_zero(area, 0, SVMC_OFFER_AREA_BYTES);
    tell(offers);
    return SVMC_OK;
}

void svmc_offers_drop(struct svmc_offers *offers)
{
    if (!usable(offers))
        return;
    core_shared_zero(offers->priv.area, 0, SVMC_OFFER_AREA_BYTES);
    memset(offers, 0, sizeof *offers);
}

enum svmc_status svmc_offers_stats(const struct svmc_offers *offers, struct svmc_offer_stats *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!usable(offers))
        return SVMC_ERR_ARG;
    *out = offers->priv.stats;
    return SVMC_OK;
}

/* OF-1: the host's half, each word once. Returns what its reserved bytes hold. */
static uint64_t fetch(const volatile void *area, struct svmc_offer *offer)
{
    uint64_t word;

    offer->seq = core_shared_get(area, SVMC_OFFER_SEQ);
    word = core_shared_get(area, SVMC_OFFER_KIND);
    offer->kind = (uint8_t)word;
    offer->op = (uint8_t)(word >> 8);
    offer->code = (uint16_t)(word >> 16);
    offer->reserved = (uint32_t)(word >> 32);
    offer->data[0] = core_shared_get(area, SVMC_OFFER_DATA);
    offer->data[1] = core_shared_get(area, SVMC_OFFER_DATA + CORE_WORD);
    return offer->reserved | core_shared_any(area, SVMC_OFFER_DATA + 2 * CORE_WORD, 4);
}

/* OF-6: one offer a kind; a line goes down only if it was raised. */
static bool fits_now(const struct svmc_offers *o, const struct svmc_offer *offer)
{
    bool kept = o->priv.kept >> offer->kind & 1u, up = o->priv.up >> offer->kind & 1u;

    if (offer->op == SVMC_OFFER_LOWER)
        return kept != up; /* kept alone: it is the raise; both: a lower is kept already */
    return !kept && !up;
}

static unsigned check(const struct svmc_offers *o, const struct svmc_offer *offer,
                      uint64_t reserved)
{
    const struct offer_row *row = svmc_offer_row(o->priv.isa, offer->kind);

    if (offer->seq != next_seq(o))
        return OF_SEQ;
    if (reserved != 0)
        return OF_LAYOUT;
    if (!row || offer->op > (row->line ? SVMC_OFFER_LOWER : SVMC_OFFER_RAISE))
        return OF_KIND;
    if (!svmc_offer_fits(row, offer))
        return OF_VALUES;
    if (!svmc_offer_allowed(o->priv.policy, offer))
        return OF_POLICY;
    return fits_now(o, offer) ? OF_NONE : OF_BUSY;
}

/* OF-7: nothing changes but the counters. */
static enum svmc_status refuse(struct svmc_offers *o, unsigned rule, struct svmc_offer_result *out)
{
    struct svmc_vcpu *vc = o->priv.vcpu;
    struct svmc_outcome stop = { .stop = SVMC_STOP_NONE };

    o->priv.stats.refused++;
    o->priv.stats.refused_by_rule[core_clamp(rule, SVMC_OFFER_RULES + 1)]++;
    o->priv.refusals += o->priv.refusals != UINT32_MAX; /* ST-18: what was loaded may be any */
    if (o->priv.refusals >= vc->priv.policy->priv.refusal_limit)
        (void)svmc_intercept_stop(vc, SVMC_STOP_REFUSALS, &stop);
    out->rule = (uint8_t)rule;
    out->stop = stop.stop;
    return SVMC_ERR_HOST_REPLY;
}

static void keep(struct svmc_offers *o, const struct svmc_offer *offer)
{
    uint32_t kind = core_clamp(offer->kind, SVMC_OFFER_KINDS);

    o->priv.seq_count++;
    o->priv.refusals = 0;
    o->priv.stats.taken++;
    if (offer->op == SVMC_OFFER_LOWER && (o->priv.kept & bit(kind))) {
        o->priv.kept &= (uint16_t)~bit(kind); /* the guest never saw it go up */
    } else {
        o->priv.held[kind] = *offer;
        o->priv.kept |= bit(kind);
    }
}

enum svmc_status svmc_offers_fetch(struct svmc_offers *offers, struct svmc_offer_result *out)
{
    struct svmc_outcome ignored;
    struct svmc_offer offer;
    enum svmc_status st;
    uint64_t reserved;
    unsigned rule;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!usable(offers))
        return SVMC_ERR_ARG;
    st = call_begin(offers->priv.vcpu, &ignored, offers->priv.vcpu->priv.pending.active != 0);
    if (st != SVMC_OK)
        return st;
    reserved = fetch(offers->priv.area, &offer);
    core_shared_zero(offers->priv.area, 0, HOST_END);
    rule = check(offers, &offer, reserved);
    offers->priv.answer = rule == OF_NONE ? SVMC_OFFER_TAKEN : SVMC_OFFER_REFUSED;
    offers->priv.rule = (uint8_t)rule;
    if (rule != OF_NONE)
        st = refuse(offers, rule, out);
    else
        keep(offers, &offer);
    tell(offers);
    out->kept = offers->priv.kept;
    return st;
}

/* What an offer is in the guest's processor; nothing but code and data is the host's. */
static void arrive(struct svmc_offers *o, const struct offer_row *row, struct svmc_arrival *out)
{
    uint32_t slot = core_clamp(row->kind, SVMC_OFFER_KINDS);
    const struct svmc_offer *offer = &o->priv.held[slot];

    out->kind = offer->kind;
    out->op = offer->op;
    out->notice = 1;
    if (slot == SVMC_OFFER_X86_NMI) {
        out->event = (struct svmc_event){ .type = SVMC_EVENT_NMI, .vector = VECTOR_NMI };
    } else if (slot == SVMC_OFFER_X86_INTERRUPT) {
        out->event =
            (struct svmc_event){ .type = SVMC_EVENT_INTERRUPT, .vector = (uint8_t)offer->code };
    } else {
        out->code = offer->code;
        out->data[0] = offer->data[0];
        out->data[1] = offer->data[1];
    }
    if (row->line && offer->op == SVMC_OFFER_RAISE)
        o->priv.up |= bit(slot);
    else
        o->priv.up &= (uint16_t)~bit(slot);
    o->priv.kept &= (uint16_t)~bit(slot);
    o->priv.held[slot] = (struct svmc_offer){ .seq = 0 };
    o->priv.stats.arrived++;
}

/* OF-8, OF-9: the first kept offer, in the order of the rows, that the guest takes now. */
static enum svmc_status choose(const struct svmc_offers *o, uint8_t state,
                               const struct offer_row **chosen, uint32_t *closed)
{
    struct masks masks = { .state = state };

    for (uint32_t i = 0; i < OFFER_ROWS; i++) {
        const struct offer_row *row = svmc_offer_row_at(i);
        const struct svmc_offer *offer = &o->priv.held[core_clamp(row->kind, SVMC_OFFER_KINDS)];
        enum svmc_status st = SVMC_OK;
        bool open = true; /* a line that goes down is no interrupt: OF-6 */

        if (!(o->priv.kept & bit(row->kind)))
            continue;
        if (offer->op == SVMC_OFFER_RAISE)
            st = svmc_offer_open(o->priv.vcpu, &masks, row, offer, &open);
        if (st != SVMC_OK)
            return st;
        if (open) {
            *chosen = row;
            return SVMC_OK;
        }
        ++*closed;
    }
    return SVMC_OK;
}

static bool sound_again(const struct svmc_offers *o, uint8_t state, const struct svmc_event *again)
{
    bool x86 = o->priv.isa == SVMC_ISA_X86_64;

    return state <= (x86 ? SVMC_STATE_ALL : SVMC_STATE_NONE) &&
           (!again || again->type <= (x86 ? SVMC_EVENT_SOFT_EXCEPTION : SVMC_EVENT_NONE));
}

enum svmc_status svmc_offers_next(struct svmc_offers *offers, uint8_t state,
                                  const struct svmc_event *again, struct svmc_arrival *out)
{
    const struct offer_row *row = NULL;
    struct svmc_outcome ignored;
    uint32_t closed = 0;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!usable(offers) || !sound_again(offers, state, again))
        return SVMC_ERR_ARG;
    st = call_begin(offers->priv.vcpu, &ignored, false);
    if (st != SVMC_OK)
        return st;
    if (again && again->type != SVMC_EVENT_NONE) { /* OF-9: EV-5's comes first, and alone */
        out->event = *again;
    } else {
        st = choose(offers, state, &row, &closed);
        if (st != SVMC_OK) /* OF-11 */
            return st;
        offers->priv.stats.deferred += closed;
        if (row) {
            arrive(offers, row, out);
            tell(offers);
        }
    }
    out->waiting = offers->priv.kept;
    return SVMC_OK;
}

/* ------------------------------------------------------------------ as bytes: ST-18 */

static void put_offers(struct state_writer *w, const struct svmc_offers *o, size_t bytes)
{
    const struct svmc_offer_stats *stats = &o->priv.stats;

    svmc_core_state_begin(w, SVMC_SAVED_OFFERS, STATE_FIRST, bytes);
    state_put32(w, o->priv.isa);
    state_put32(w, o->priv.refusals);
    state_put64(w, o->priv.seq_count);
    state_put64(w, stats->taken);
    state_put64(w, stats->arrived);
    state_put64(w, stats->deferred);
    state_put64(w, stats->refused);
    for (uint32_t i = 1; i < SVMC_OFFER_RULES + 1; i++)
        state_put64(w, stats->refused_by_rule[i]); /* clamp: own loop */
    state_put16(w, o->priv.kept);
    state_put16(w, o->priv.up);
    state_put8(w, o->priv.answer);
    state_put8(w, o->priv.rule);
    state_put16(w, 0);
    for (uint32_t i = 0; i < SVMC_OFFER_KINDS; i++) {
        const struct svmc_offer *offer = &o->priv.held[i]; /* clamp: own loop */

        if (!(o->priv.kept & bit(i)))
            continue;
        state_put16(w, offer->op);
        state_put16(w, offer->code);
        state_put32(w, 0);
        state_put64(w, offer->data[0]);
        state_put64(w, offer->data[1]);
    }
}

CORE_COLD enum svmc_status svmc_offers_save(const struct svmc_offers *offers, uint8_t *out,
                                            size_t cap, size_t *len)
{
    struct state_writer w = { NULL, 0 };

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!usable(offers) || (!out && cap != 0))
        return SVMC_ERR_ARG;
    put_offers(&w, offers, 0);
    *len = w.at;
    if (w.at > cap)
        return SVMC_ERR_FULL;
    w = (struct state_writer){ out, 0 };
    put_offers(&w, offers, *len);
    return SVMC_OK;
}

/* One that is kept: sound as any (OF-3, OF-5), up or not as it has to be (OF-6), allowed still. */
static enum svmc_status get_offer(struct state_reader *r, struct svmc_offers *o, uint32_t kind)
{
    const struct offer_row *row = svmc_offer_row(o->priv.isa, kind);
    struct svmc_offer *offer = &o->priv.held[core_clamp(kind, SVMC_OFFER_KINDS)];
    uint16_t op = state_get16(r);

    offer->kind = (uint8_t)kind;
    offer->op = (uint8_t)op;
    offer->code = state_get16(r);
    state_want(r, op <= SVMC_OFFER_LOWER && state_get32(r) == 0);
    offer->data[0] = state_get64(r);
    offer->data[1] = state_get64(r);
    if (r->bad || !row || !svmc_offer_fits(row, offer) ||
        (op == SVMC_OFFER_LOWER) != ((o->priv.up & bit(kind)) != 0))
        return SVMC_ERR_FORMAT;
    return svmc_offer_allowed(o->priv.policy, offer) ? SVMC_OK : SVMC_ERR_REFUSED;
}

static enum svmc_status get_offers(struct state_reader *r, struct svmc_offers *o)
{
    struct svmc_offer_stats *stats = &o->priv.stats;
    enum svmc_status st = SVMC_OK;
    uint32_t lines = 0;

    if (state_get32(r) != o->priv.isa && !r->bad)
        return SVMC_ERR_PURPOSE;
    o->priv.refusals = state_get32(r);
    o->priv.seq_count = state_get64(r);
    stats->taken = state_get64(r);
    stats->arrived = state_get64(r);
    stats->deferred = state_get64(r);
    stats->refused = state_get64(r);
    for (uint32_t i = 1; i < SVMC_OFFER_RULES + 1; i++)
        stats->refused_by_rule[i] = state_get64(r); /* clamp: own loop */
    o->priv.kept = state_get16(r);
    o->priv.up = state_get16(r);
    o->priv.answer = state_get8(r);
    o->priv.rule = state_get8(r);
    for (uint32_t i = 0; i < OFFER_ROWS; i++)
        if (svmc_offer_row_at(i)->isa == o->priv.isa && svmc_offer_row_at(i)->line)
            lines |= bit(svmc_offer_row_at(i)->kind);
    state_want(r, state_get16(r) == 0 && (o->priv.up & ~lines) == 0 &&
                      o->priv.kept >> SVMC_OFFER_KINDS == 0 && o->priv.rule <= OF_BUSY &&
                      o->priv.answer <= SVMC_OFFER_REFUSED &&
                      (o->priv.rule != OF_NONE) == (o->priv.answer == SVMC_OFFER_REFUSED));
    for (uint32_t i = 0; i < SVMC_OFFER_KINDS && st == SVMC_OK && !r->bad; i++)
        if (o->priv.kept & bit(i))
            st = get_offer(r, o, i);
    return st == SVMC_OK ? svmc_core_state_close(r) : st;
}

CORE_COLD enum svmc_status svmc_offers_load(struct svmc_offers *offers, const uint8_t *bytes,
                                            size_t len)
{
    struct state_reader r;
    enum svmc_status st;

    if (!usable(offers) || !bytes)
        return SVMC_ERR_ARG;
    if (offers->priv.seq_count != 0 || offers->priv.stats.refused != 0)
        return SVMC_ERR_STATE;
    st = svmc_core_state_open(&r, SVMC_SAVED_OFFERS, bytes, len);
    if (st == SVMC_OK)
        st = get_offers(&r, offers);
    if (st != SVMC_OK) { /* as svmc_offers_init left it */
        const size_t from = offsetof(struct svmc_offers, priv.seq_count);

        memset((uint8_t *)offers + from, 0, sizeof *offers - from);
        return st;
    }
    tell(offers);
    return SVMC_OK;
}

/* ------------------------------------------------------------------ the host's side */

enum svmc_status svmc_offer_write(volatile void *area, const struct svmc_offer *offer)
{
    if (!core_shared_usable(area) || !offer)
        return SVMC_ERR_ARG;
    core_shared_put(area, SVMC_OFFER_SEQ, offer->seq);
    core_shared_put(area, SVMC_OFFER_KIND,
                    offer->kind | (uint64_t)offer->op << 8 | (uint64_t)offer->code << 16 |
                        (uint64_t)offer->reserved << 32);
    core_shared_put(area, SVMC_OFFER_DATA, offer->data[0]);
    core_shared_put(area, SVMC_OFFER_DATA + CORE_WORD, offer->data[1]);
    return SVMC_OK;
}

enum svmc_status svmc_offer_notice_read(const volatile void *area, struct svmc_offer_notice *out)
{
    uint64_t word;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!core_shared_usable(area))
        return SVMC_ERR_ARG;
    out->next = core_shared_get(area, SVMC_OFFER_NEXT);
    word = core_shared_get(area, SVMC_OFFER_ANSWER);
    out->answer = (uint8_t)word;
    out->rule = (uint8_t)(word >> 8);
    out->kept = (uint16_t)(word >> 16);
    return SVMC_OK;
}
