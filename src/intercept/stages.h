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

/* What a request says beside its slots: the words of the page, but those that are always alike. */
struct ask {
    uint32_t kind; /* and completion and direction */
    uint32_t size;
    uint64_t in_valid;
    uint64_t insn;
    uint64_t address;
    uint64_t count;
};

/* PG-2: the request area, word by word; in[slots], the slots behind them are 0. */
static inline void put_request(volatile void *page, const struct svmc_vcpu *vc, struct ask ask,
                               const uint64_t *in, uint32_t slots)
{
    core_shared_put(page, SVMC_PAGE_REQ_MAGIC,
                    SVMC_PAGE_MAGIC | (uint64_t)SVMC_PAGE_VERSION << 32 |
                        (uint64_t)SVMC_PAGE_DATA << 48);
    core_shared_put(page, SVMC_PAGE_REQ_KIND, ask.kind | (uint64_t)vc->priv.id << 32);
    core_shared_put(page, SVMC_PAGE_REQ_SEQ, vc->priv.pending.seq);
    core_shared_put(page, SVMC_PAGE_REQ_IN_VALID, ask.in_valid);
    core_shared_put(page, SVMC_PAGE_REQ_INSN, ask.insn);
    core_shared_put(page, SVMC_PAGE_REQ_INSN + CORE_WORD, 0);
    core_shared_put(page, SVMC_PAGE_REQ_ADDRESS, ask.address);
    core_shared_put(page, SVMC_PAGE_REQ_SIZE, ask.size | ask.count << 32);
    CORE_UNROLL
    for (uint32_t i = 0; i < slots; i++)
        core_shared_put(page, SVMC_PAGE_REQ_IN + CORE_WORD * i, in[i]);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * slots, SVMC_PAGE_SLOTS - slots);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* What everything that can fail stands before: so many bytes of data, and the request. */
static inline void fill(struct svmc_vcpu *vc, struct ask ask, const uint64_t *in, uint32_t slots,
                        uint32_t at, uint32_t bytes)
{
    vc->priv.pending.seq = vc->priv.seq_secret ^ (vc->priv.seq_count++ & SEQ_COUNT); /* PG-7 */
    put_request(vc->priv.page, vc, ask, in, slots);
    /* last: stores behind a string instruction wait for its end */
    if ((bytes | vc->priv.page_used | vc->priv.policy->priv.full_wipe) != 0)
        svmc_intercept_put_data(vc, at, bytes);
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
    f->reserved =
        core_shared_more(f->reserved, page, SVMC_PAGE_REP_OUT + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* What a destination register gets: extended as the access says; of 4 bytes the rest is zeroed. */
static inline enum svmc_status widen(struct svmc_vcpu *vc, uint64_t *value)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;

    if (exit->dest_extend == SVMC_EXTEND_SIGN)
        *value = (uint64_t)core_sign_extend(*value, 8u * exit->size);
    *value &= core_mask(exit->dest_bytes);
    return exit->dest_bytes < 4 ? svmc_intercept_merge(vc, value) : SVMC_OK;
}

#endif
