/* SPDX-License-Identifier: MIT */
/** What the host is told: PG-1 to PG-8. */
#include <svmcore/page.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "../core/shared.h"
#include "intercept_private.h"

#define REQUEST_BYTES 0x100u

/* PG-2: the request area, word by word; a notice says its kind and its slots, no more (PG-8). */
static void put_request(volatile void *page, const struct svmc_vcpu *vc,
                        const struct exit_rule *rule, bool notice, uint64_t address,
                        const uint64_t in[SVMC_PAGE_SLOTS])
{
    const struct svmc_pending *p = &vc->priv.pending;
    enum svmc_completion completion = notice         ? SVMC_COMPLETION_NONE
                                      : rule->string ? SVMC_COMPLETION_CHUNK
                                                     : SVMC_COMPLETION_SINGLE;
    uint32_t slots = p->in_count;

    core_shared_put(page, SVMC_PAGE_REQ_MAGIC,
                    SVMC_PAGE_MAGIC | (uint64_t)SVMC_PAGE_VERSION << 32 |
                        (uint64_t)SVMC_PAGE_DATA << 48);
    core_shared_put(page, SVMC_PAGE_REQ_KIND,
                    rule->kind | (uint64_t)completion << 16 | (uint64_t)rule->direction << 24 |
                        (uint64_t)vc->priv.id << 32);
    core_shared_put(page, SVMC_PAGE_REQ_SEQ, p->seq);
    core_shared_put(page, SVMC_PAGE_REQ_IN_VALID, ((uint64_t)1 << slots) - 1);
    core_shared_put(page, SVMC_PAGE_REQ_INSN, svmc_intercept_insn_text(rule, &p->exit));
    core_shared_put(page, SVMC_PAGE_REQ_INSN + CORE_WORD, 0);
    core_shared_put(page, SVMC_PAGE_REQ_ADDRESS, address);
    core_shared_put(page, SVMC_PAGE_REQ_SIZE,
                    notice ? 0 : p->exit.size | (uint64_t)p->issued << 32);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        core_shared_put(page, SVMC_PAGE_REQ_IN + CORE_WORD * i, in[i]);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* PG-1: what the data area held of the last request or reply, and under full_wipe all of it. */
static CORE_APART void put_data(struct svmc_vcpu *vc, uint32_t from, uint32_t bytes)
{
    uint32_t used = vc->priv.page_used;
    volatile void *page = vc->priv.page;

    if (vc->priv.policy->priv.full_wipe) {
        core_shared_zero(page, REQUEST_BYTES, SVMC_PAGE_DATA);
        used = SVMC_PAGE_DATA_BYTES;
    }
    if (bytes != 0)
        core_shared_write_part(page, SVMC_PAGE_DATA, vc->priv.staging, sizeof vc->priv.staging,
                               from, bytes);
    if (bytes < used)
        core_shared_zero(page, SVMC_PAGE_DATA + (bytes + CORE_WORD - 1) / CORE_WORD * CORE_WORD,
                         SVMC_PAGE_DATA + used);
    vc->priv.page_used = bytes;
}

/* What neither a row's register nor the value is. */
static CORE_COLD bool gather_special(struct svmc_vcpu *vc, const struct slot *s, uint64_t *in)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (s->place == PLACE_ARG)
        return vc->priv.ops->reg_read(vc->priv.ctx, exit->arg[core_clamp(s->reg, SVMC_EXIT_ARGS)],
                                      in) == SVMC_OK;
    *in = s->place == PLACE_SECOND ? exit->buffer.v : exit->count;
    return true;
}

/*
 * PG-6: exactly the declared inputs, cut to their widths (R9's mirror image on the way out); how
 * many bytes they are comes to *shown, for the ledger.
 */
static enum svmc_status gather(struct svmc_vcpu *vc, const struct exit_rule *rule,
                               uint64_t in[SVMC_PAGE_SLOTS], uint32_t *shown)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t count = p->in_count < SLOTS_IN ? p->in_count : SLOTS_IN;

    for (uint32_t i = 0; i < count; i++) {
        const struct slot *s = &rule->in[i];

        if (s->place == PLACE_VALUE)
            in[i] = p->exit.value;
        else if (s->place >= PLACE_ARG
                     ? !gather_special(vc, s, &in[i])
                     : vc->priv.ops->reg_read(vc->priv.ctx, s->reg, &in[i]) != SVMC_OK)
            return SVMC_ERR_CALLBACK;
        in[i] &= s->bytes != 0 ? s->mask : core_mask(p->exit.size);
        *shown += slot_bytes(s, &p->exit);
    }
    return SVMC_OK;
}

/* Everything that can fail stands before the first word. */
enum svmc_status svmc_intercept_tell(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                     struct svmc_outcome *out)
{
    static const uint64_t nothing[SLOTS_OUT];
    struct svmc_pending *p = &vc->priv.pending;
    bool notice = out->verdict == SVMC_VERDICT_NOTIFY;
    uint32_t shown = notice ? 0 : address_bytes(rule), data = 0, done = 0;
    uint64_t in[SVMC_PAGE_SLOTS], address = shown != 0 ? p->exit.address : 0;
    enum svmc_status st;

    core_wipe(in, sizeof in);
    st = gather(vc, rule, in, &shown);
    if (st == SVMC_OK && notice)
        st = svmc_intercept_commit(vc, rule, nothing, &done, out);
    if (st != SVMC_OK)
        return st;
    if (!notice && rule->string && rule->direction == SVMC_DIRECTION_OUT)
        data = p->issued * p->exit.size;
    vc->priv.stats.bytes_shown += shown + data;
    p->seq = sequence(vc->priv.id, vc->priv.seq_count++, vc->priv.seq_secret); /* PG-7 */
    if ((data | vc->priv.page_used | vc->priv.policy->priv.full_wipe) != 0)
        put_data(vc, p->at * p->exit.size, data);
    put_request(vc->priv.page, vc, rule, notice, address, in);
    vc->priv.stats.requests++;
    p->active = !notice;
    //@ split vc->priv.pending.active;
    out->action = notice ? SVMC_ACT_NOTIFIED : SVMC_ACT_DELEGATED;
    return SVMC_OK;
}

/*
 * R17, PG-9: of an answered exit nothing stays: request, reply, and `data` bytes of the data area.
 * What is not written here was 0 before: the request's by PG-1, the reply's by R5 and R8.
 */
void svmc_intercept_page_wipe(struct svmc_vcpu *vc, uint32_t data)
{
    volatile void *page = vc->priv.page;

    core_shared_clear(page, 0, SVMC_PAGE_REQ_IN / CORE_WORD + SVMC_PAGE_SLOTS);
    core_shared_clear(page, SVMC_PAGE_REP_SEQ, 5); /* up to SVMC_PAGE_REP_DATA_BYTES */
    core_shared_clear(page, SVMC_PAGE_REP_OUT, SLOTS_OUT);
    if (data < vc->priv.page_used)
        data = vc->priv.page_used;
    if (data != 0)
        core_shared_zero(page, SVMC_PAGE_DATA, SVMC_PAGE_DATA + data);
    vc->priv.page_used = 0;
}

/* The reply area as it is handed over: what a refused reply left there is not the next one's. */
void svmc_intercept_page_clear_reply(struct svmc_vcpu *vc)
{
    core_shared_zero(vc->priv.page, SVMC_PAGE_REP_SEQ, SVMC_PAGE_DATA);
}

/* The page as it is handed over. */
void svmc_intercept_page_clear(struct svmc_vcpu *vc)
{
    core_shared_zero(vc->priv.page, 0, SVMC_PAGE_BYTES);
    vc->priv.page_used = 0;
}
