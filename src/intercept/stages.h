/* SPDX-License-Identifier: MIT */
/**
 * What both ways of an exit are made of, the usual one (usual.c) and the whole one (exit.c, page.c,
 * enter.c, commit.c): in a header, so that each is one piece of code with what it never does left
 * out.
 */
#ifndef INTERCEPT_STAGES_H
#define INTERCEPT_STAGES_H
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"
#include "../core/shared.h"
#include "intercept_private.h"

/* A bit of the row; a block (EX-68) has none. */
static inline bool size_is_sound(const struct exit_rule *rule, uint32_t size)
{
    return (size < 16 && (rule->sizes >> size & 1u)) || (is_block(rule) && size == rule->string);
}

/* EX-1, the destination of an own read. */
static inline bool dest_is_sound(const struct svmc_exit *e)
{
    bool narrow = e->dest_bytes == 1 || e->dest_bytes == 2; /* x86 alone keeps the rest of one */

    return (narrow ? e->isa <= SVMC_ISA_X86_64 : e->dest_bytes == 4 || e->dest_bytes == 8) &&
           is_register(reg_file(e), e->dest_reg) && e->dest_extend <= SVMC_EXTEND_SIGN &&
           e->dest_high <= (e->dest_bytes == 1 && e->dest_reg <= SVMC_REG_RBX);
}

/* What a request says beside the record. */
struct ask {
    uint32_t completion; /* enum svmc_completion */
    uint32_t direction;  /* enum svmc_direction */
    uint64_t address;
};

/*
 * PG-2: the request area, word by word; in[slots], the slots behind them are 0. A notice says its
 * kind and its slots, no more (PG-8).
 */
static inline void put_request(volatile void *page, const struct svmc_vcpu *vc,
                               const struct exit_rule *rule, struct ask ask, const uint64_t *in,
                               uint32_t slots)
{
    const struct svmc_pending *p = &vc->priv.pending;
    bool notice = ask.completion == SVMC_COMPLETION_NONE;

    core_shared_put(page, SVMC_PAGE_REQ_MAGIC,
                    SVMC_PAGE_MAGIC | (uint64_t)SVMC_PAGE_VERSION << 32 |
                        (uint64_t)SVMC_PAGE_DATA << 48);
    core_shared_put(page, SVMC_PAGE_REQ_KIND,
                    rule->kind | (uint64_t)ask.completion << 16 | (uint64_t)ask.direction << 24 |
                        (uint64_t)vc->priv.id << 32);
    core_shared_put(page, SVMC_PAGE_REQ_SEQ, p->seq);
    core_shared_put(page, SVMC_PAGE_REQ_IN_VALID, ((uint64_t)1 << p->in_count) - 1);
    core_shared_put(page, SVMC_PAGE_REQ_INSN, svmc_intercept_insn_text(rule, &p->exit));
    core_shared_put(page, SVMC_PAGE_REQ_INSN + CORE_WORD, 0);
    core_shared_put(page, SVMC_PAGE_REQ_ADDRESS, ask.address);
    core_shared_put(page, SVMC_PAGE_REQ_SIZE,
                    notice ? 0 : p->exit.size | (uint64_t)p->issued << 32);
    CORE_UNROLL
    for (uint32_t i = 0; i < slots; i++)
        core_shared_put(page, SVMC_PAGE_REQ_IN + CORE_WORD * i, in[i]);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * slots, SVMC_PAGE_SLOTS - slots);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* PG-6: a declared input, cut to its width (R9's mirror image on the way out). */
static inline enum svmc_status gather(struct svmc_vcpu *vc, const struct slot *s, uint64_t *in,
                                      uint32_t *shown)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (s->place == PLACE_VALUE)
        *in = exit->value;
    else if ((s->place >= PLACE_ARG ? svmc_intercept_gather_special(vc, s, in)
                                    : vc->priv.ops->reg_read(vc->priv.ctx, s->reg, in)) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    *in &= s->bytes != 0 ? s->mask : core_mask(exit->size);
    *shown += slot_bytes(s, exit);
    return SVMC_OK;
}

/* What everything that can fail stands before: so many bytes of data, and the request. */
static inline void fill(struct svmc_vcpu *vc, const struct exit_rule *rule, struct ask ask,
                        const uint64_t *in, uint32_t slots, uint32_t at, uint32_t bytes)
{
    struct svmc_pending *p = &vc->priv.pending;

    p->seq = sequence(vc->priv.id, vc->priv.seq_count++, vc->priv.seq_secret); /* PG-7 */
    if ((bytes | vc->priv.page_used | vc->priv.policy->priv.full_wipe) != 0)
        svmc_intercept_put_data(vc, at, bytes);
    put_request(vc->priv.page, vc, rule, ask, in, slots);
    vc->priv.stats.requests++;
    p->active = ask.completion != SVMC_COMPLETION_NONE;
}

/* The reply area in the core's own copy: words as they stand there, and what none has to give. */
struct fetched {
    uint64_t seq, status, out_valid, fault, done;
    uint64_t out[SLOTS_OUT];
    uint64_t more;     /* bits of the slots behind them: R8 */
    uint64_t reserved; /* and of reserved words: R5 */
};

/* R3: the reply area, each word once. */
static inline void fetch(const volatile void *page, struct fetched *f)
{
    f->seq = core_shared_get(page, SVMC_PAGE_REP_SEQ);
    f->status = core_shared_get(page, SVMC_PAGE_REP_STATUS);
    f->out_valid = core_shared_get(page, SVMC_PAGE_REP_OUT_VALID);
    f->fault = core_shared_get(page, SVMC_PAGE_REP_FAULT);
    f->done = core_shared_get(page, SVMC_PAGE_REP_DONE);
    f->reserved = core_shared_any(page, SVMC_PAGE_REP_DONE + CORE_WORD, 3);
    CORE_UNROLL
    for (uint32_t i = 0; i < SLOTS_OUT; i++)
        f->out[i] = core_shared_get(page, SVMC_PAGE_REP_OUT + CORE_WORD * i);
    f->more = core_shared_any(page, SVMC_PAGE_REP_OUT + CORE_WORD * SLOTS_OUT,
                              SVMC_PAGE_SLOTS - SLOTS_OUT);
    f->reserved |= core_shared_any(page, SVMC_PAGE_REP_OUT + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* What a destination register gets: extended as the access says; of 4 bytes the rest is zeroed. */
static inline enum svmc_status widen(struct svmc_vcpu *vc, uint64_t *value, bool usual)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (!usual && exit->swap) /* EX-92; in no usual exit */
        *value = core_swap(*value, exit->size);
    if (exit->dest_extend == SVMC_EXTEND_SIGN)
        *value = (uint64_t)core_sign_extend(*value, 8u * exit->size);
    *value &= core_mask(exit->dest_bytes);
    return exit->dest_bytes < 4 ? svmc_intercept_merge(vc, value) : SVMC_OK;
}

/* HC-5: what is not declared is not written. A DEST is its row's only result. */
static inline enum svmc_status commit_registers(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                                const uint64_t out[SLOTS_OUT], bool usual,
                                                struct svmc_outcome *outcome)
{
    const struct svmc_pending *p = &vc->priv.pending;
    const struct svmc_exit *exit = &p->exit;
    const struct reg_file *f = reg_file(exit);
    const struct slot *slot = rule->out;
    const uint64_t *end = out + (p->out_count < SLOTS_OUT ? p->out_count : SLOTS_OUT);
    bool rip = usual || (exit->finish & SVMC_FINISH_RIP) != 0;
    bool dest = slot->place == PLACE_DEST && exit->dest_reg != f->zero;
    uint64_t pc = 0, value = out[0];

    if (dest && widen(vc, &value, usual) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (rip && vc->priv.ops->reg_read(vc->priv.ctx, f->pc, &pc) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (!usual && rule->apart) {
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

/* Host bytes that went into the guest: the ledger. The results of a row are all as wide. */
static inline void count_accepted(struct svmc_vcpu *vc, const struct exit_rule *rule, uint32_t done)
{
    const struct svmc_pending *p = &vc->priv.pending;

    vc->priv.stats.bytes_accepted += p->out_count * slot_bytes(&rule->out[0], &p->exit);
    if (rule->string && (p->direction & SVMC_DIRECTION_IN))
        vc->priv.stats.bytes_accepted += (uint64_t)done * p->exit.size;
}

/*
 * R17, PG-9: of an answered exit, with at most so many in slots, nothing stays. What is not written
 * here was 0 before: the request's by PG-1, the reply's by R5 and R8.
 */
static inline void wipe_areas(volatile void *page, uint32_t slots)
{
    core_shared_clear(page, 0, SVMC_PAGE_REQ_IN / CORE_WORD + slots);
    core_shared_clear(page, SVMC_PAGE_REP_SEQ, 5); /* up to SVMC_PAGE_REP_DATA_BYTES */
    core_shared_clear(page, SVMC_PAGE_REP_OUT, SLOTS_OUT);
}

#endif
