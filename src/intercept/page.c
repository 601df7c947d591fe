/* SPDX-License-Identifier: MIT */
/** Filling the page (PG-1 to PG-7), and the host's two ways to it. */
#include <svmcore/page.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "../core/shared.h"
#include "intercept_private.h"

#define REQUEST_BYTES 0x100u

/* PG-2: the request area, word by word; a notice says its kind and its slots, no more (PG-8). */
static void put_request(volatile void *page, const struct svmc_vcpu *vc,
                        const struct exit_rule *rule, enum svmc_completion completion,
                        const uint64_t in[SVMC_PAGE_SLOTS])
{
    const struct svmc_pending *p = &vc->priv.pending;
    bool told = completion != SVMC_COMPLETION_NONE;
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
    core_shared_put(page, SVMC_PAGE_REQ_ADDRESS,
                    told && address_bytes(rule) != 0 ? p->exit.address : 0);
    core_shared_put(page, SVMC_PAGE_REQ_SIZE, told ? p->exit.size | (uint64_t)p->issued << 32 : 0);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        core_shared_put(page, SVMC_PAGE_REQ_IN + CORE_WORD * i, in[i]);
    core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * SVMC_PAGE_SLOTS, 16);
}

/* PG-1: what the data area held of the last request or reply, and under full_wipe all of it. */
static CORE_COLD void put_data(struct svmc_vcpu *vc, const uint8_t *from, uint32_t bytes)
{
    uint32_t used = vc->priv.page_used;
    volatile void *page = vc->priv.page;

    if (vc->priv.policy->priv.full_wipe) {
        core_shared_zero(page, REQUEST_BYTES, SVMC_PAGE_DATA);
        used = SVMC_PAGE_DATA_BYTES;
    }
    if (bytes != 0)
        core_shared_write(page, SVMC_PAGE_DATA, from, bytes);
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
    p->seq = (uint64_t)vc->priv.id << 48 |
             ((vc->priv.seq_count++ ^ vc->priv.seq_secret) & 0xffffffffffffu);
    if (completion != SVMC_COMPLETION_NONE) {
        if (rule->string && rule->direction == SVMC_DIRECTION_OUT)
            data = p->issued * p->exit.size;
        vc->priv.stats.bytes_shown += address_bytes(rule) + data;
    }
    if ((data | vc->priv.page_used | vc->priv.policy->priv.full_wipe) != 0)
        put_data(vc, vc->priv.staging + p->at * p->exit.size, data);
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

static bool aligned(const volatile void *page)
{
    return page && ((uintptr_t)page & (CORE_WORD - 1)) == 0;
}

/* Each word once; what a hostile core could write there is only shown to the host itself. */
static void get_request(const volatile void *page, struct svmc_request *out)
{
    uint64_t word = core_shared_get(page, SVMC_PAGE_REQ_KIND), text[2];

    out->kind = (uint16_t)word;
    out->completion = (uint8_t)(word >> 16);
    out->direction = (uint8_t)(word >> 24);
    out->vcpu = (uint32_t)(word >> 32);
    out->seq = core_shared_get(page, SVMC_PAGE_REQ_SEQ);
    out->in_valid = core_shared_get(page, SVMC_PAGE_REQ_IN_VALID);
    text[0] = core_shared_load(page, SVMC_PAGE_REQ_INSN);
    text[1] = core_shared_load(page, SVMC_PAGE_REQ_INSN + CORE_WORD);
    memcpy(out->insn, text, sizeof out->insn);
    out->address = core_shared_get(page, SVMC_PAGE_REQ_ADDRESS);
    word = core_shared_get(page, SVMC_PAGE_REQ_SIZE);
    out->size = (uint32_t)word;
    out->count = (uint32_t)(word >> 32);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        out->in[i] = core_shared_get(page, SVMC_PAGE_REQ_IN + CORE_WORD * i);
}

enum svmc_status svmc_request_read(const volatile void *page, struct svmc_request *out, void *data,
                                   size_t cap)
{
    uint64_t magic, bytes;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!aligned(page) || (!data && cap > 0))
        return SVMC_ERR_ARG;
    magic = core_shared_get(page, SVMC_PAGE_REQ_MAGIC);
    if ((magic & 0xffffffffffffu) != (SVMC_PAGE_MAGIC | (uint64_t)SVMC_PAGE_VERSION << 32))
        return SVMC_ERR_UNSUPPORTED;
    get_request(page, out);
    bytes = (uint64_t)out->size * out->count;
    if (out->completion != SVMC_COMPLETION_CHUNK || out->direction != SVMC_DIRECTION_OUT || !data)
        return SVMC_OK;
    if (bytes > cap || bytes > SVMC_PAGE_DATA_BYTES) {
        memset(out, 0, sizeof *out);
        return SVMC_ERR_FULL;
    }
    core_shared_read(page, SVMC_PAGE_DATA, data, (size_t)bytes);
    return SVMC_OK;
}

enum svmc_status svmc_reply_write(volatile void *page, const struct svmc_reply *reply,
                                  const void *data)
{
    if (!aligned(page) || !reply || reply->fault > 0xff ||
        reply->data_bytes > SVMC_PAGE_DATA_BYTES || (reply->data_bytes > 0 && !data))
        return SVMC_ERR_ARG;
    if (reply->data_bytes > 0)
        core_shared_write(page, SVMC_PAGE_DATA, data, reply->data_bytes);
    core_shared_put(page, SVMC_PAGE_REP_SEQ, reply->seq);
    core_shared_put(page, SVMC_PAGE_REP_STATUS, reply->status);
    core_shared_put(page, SVMC_PAGE_REP_OUT_VALID, reply->out_valid);
    core_shared_put(page, SVMC_PAGE_REP_FAULT, reply->fault);
    core_shared_put(page, SVMC_PAGE_REP_DONE, reply->done | (uint64_t)reply->data_bytes << 32);
    CORE_UNROLL
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        core_shared_put(page, SVMC_PAGE_REP_OUT + CORE_WORD * i, reply->out[i]);
    return SVMC_OK;
}
