/* SPDX-License-Identifier: MIT */
/** Filling the page: PG-1 to PG-7. */
#include <svmcore/page.h>

#include "../core/memory.h"
#include "../core/shared.h"
#include "intercept_private.h"

#define REQUEST_BYTES 0x100u

/* PG-2: the request area, word by word; a notice says its kind and no more (PG-8). */
static void put_request(volatile void *page, const struct svmc_vcpu *vc,
                        const struct exit_rule *rule, enum svmc_completion completion,
                        const uint64_t in[SVMC_PAGE_SLOTS])
{
    const struct svmc_pending *p = &vc->priv.pending;
    bool told = completion != SVMC_COMPLETION_NONE;
    uint32_t slots = told ? p->in_count : 0;

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
    core_shared_put(page, SVMC_PAGE_REQ_ADDRESS,
                    told && address_bytes(rule) != 0 ? p->exit.address : 0);
    core_shared_put(page, SVMC_PAGE_REQ_SIZE, told ? p->exit.size | (uint64_t)p->issued << 32 : 0);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        core_shared_put(page, SVMC_PAGE_REQ_IN + CORE_WORD * i, in[i]);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* PG-1: what the data area held of the last request or reply, and under full_wipe all of it. */
static CORE_COLD void put_data(struct svmc_vcpu *vc, uint32_t from, uint32_t bytes)
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

void svmc_intercept_page_fill(struct svmc_vcpu *vc, const struct exit_rule *rule,
                              enum svmc_completion completion, const uint64_t in[SVMC_PAGE_SLOTS])
{
    struct svmc_pending *p = &vc->priv.pending;
    uint32_t data = 0;

    /* PG-7 */
    p->seq = sequence(vc->priv.id, vc->priv.seq_count++, vc->priv.seq_secret);
    if (completion != SVMC_COMPLETION_NONE) {
        if (rule->string && rule->direction == SVMC_DIRECTION_OUT)
            data = p->issued * p->exit.size;
        vc->priv.stats.bytes_shown += address_bytes(rule) + data;
    }
    if ((data | vc->priv.page_used | vc->priv.policy->priv.full_wipe) != 0)
        put_data(vc, p->at * p->exit.size, data);
    put_request(vc->priv.page, vc, rule, completion, in);
    vc->priv.stats.requests++;
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
