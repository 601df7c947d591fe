/* SPDX-License-Identifier: MIT */
/** Filling the page (PG-1 to PG-7), and the host's two ways to it. */
#include <svmcore/page.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "../core/shared.h"
#include "intercept_private.h"

#define REQUEST_BYTES 0x100u

static void put_header(uint8_t head[REQUEST_BYTES], const struct svmc_vcpu *vc,
                       const struct exit_rule *rule, enum svmc_completion completion)
{
    const struct svmc_pending *p = &vc->priv.pending;

    core_store_le32(head + SVMC_PAGE_REQ_MAGIC, SVMC_PAGE_MAGIC);
    core_store_le16(head + SVMC_PAGE_REQ_VERSION, SVMC_PAGE_VERSION);
    core_store_le16(head + SVMC_PAGE_REQ_HEADER, SVMC_PAGE_DATA);
    core_store_le16(head + SVMC_PAGE_REQ_KIND, rule->kind);
    head[SVMC_PAGE_REQ_COMPLETION] = (uint8_t)completion;
    head[SVMC_PAGE_REQ_DIRECTION] = rule->direction;
    core_store_le32(head + SVMC_PAGE_REQ_VCPU, vc->priv.id);
    core_store_le64(head + SVMC_PAGE_REQ_SEQ, p->seq);
    svmc_intercept_insn_text(rule, p->exit.size, head + SVMC_PAGE_REQ_INSN);
    if (completion == SVMC_COMPLETION_NONE) /* PG-8 */
        return;
    core_store_le64(head + SVMC_PAGE_REQ_IN_VALID, ((uint64_t)1 << p->in_count) - 1);
    if (rule->space != SPACE_NONE)
        core_store_le64(head + SVMC_PAGE_REQ_ADDRESS, p->exit.address);
    core_store_le32(head + SVMC_PAGE_REQ_SIZE, p->exit.size);
    core_store_le32(head + SVMC_PAGE_REQ_COUNT, p->issued);
}

/* Guest bytes that the request shows: the ledger of vc->priv.stats. */
static uint64_t shown_bytes(const struct svmc_pending *p, const struct exit_rule *rule,
                            uint32_t data)
{
    uint64_t shown = svmc_intercept_address_bytes(rule) + data;

    for (uint32_t i = 0; i < p->in_count && i < SLOTS_IN; i++)
        shown += slot_bytes(&rule->in[i], &p->exit);
    return shown;
}

/*
 * PG-1: all 4096 bytes are written, whatever the exit; what is not a declared parameter is 0.
 */
void svmc_intercept_page_fill(struct svmc_vcpu *vc, const struct exit_rule *rule,
                              enum svmc_completion completion, const uint64_t in[SLOTS_IN])
{
    struct svmc_pending *p = &vc->priv.pending;
    volatile void *page = vc->priv.page;
    uint8_t head[REQUEST_BYTES] = { 0 };
    uint32_t data = 0;

    /* PG-7 */
    p->seq = (uint64_t)vc->priv.id << 48 |
             ((vc->priv.seq_count++ ^ vc->priv.seq_secret) & 0xffffffffffffu);
    put_header(head, vc, rule, completion);
    if (completion != SVMC_COMPLETION_NONE) {
        for (uint32_t i = 0; i < p->in_count && i < SLOTS_IN; i++)
            core_store_le64(head + SVMC_PAGE_REQ_IN + 8 * i, in[i]);
        if (rule->string && rule->direction == SVMC_DIRECTION_OUT)
            data = p->issued * p->exit.size;
        vc->priv.stats.bytes_shown += shown_bytes(p, rule, data);
    }
    core_shared_zero(page, REQUEST_BYTES, SVMC_PAGE_DATA);
    core_shared_write(page, SVMC_PAGE_DATA, vc->priv.staging + p->at * p->exit.size, data);
    core_shared_zero(page, SVMC_PAGE_DATA + (data + CORE_WORD - 1) / CORE_WORD * CORE_WORD,
                     SVMC_PAGE_BYTES);
    core_shared_write(page, 0, head, sizeof head);
    vc->priv.stats.requests++;
}

/* R17, PG-9: nothing of an answered exit stays: parameters, results, data in its data area. */
void svmc_intercept_page_wipe(struct svmc_vcpu *vc, uint32_t data)
{
    core_shared_zero(vc->priv.page, 0, SVMC_PAGE_DATA + data);
}

static bool aligned(const volatile void *page)
{
    return page && ((uintptr_t)page & (CORE_WORD - 1)) == 0;
}

enum svmc_status svmc_request_read(const volatile void *page, struct svmc_request *out, void *data,
                                   size_t cap)
{
    uint8_t head[SVMC_PAGE_REQ_IN + 8 * SVMC_PAGE_SLOTS];
    size_t bytes;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!aligned(page) || (!data && cap > 0))
        return SVMC_ERR_ARG;
    core_shared_read(page, 0, head, sizeof head);
    if (core_load_le32(head + SVMC_PAGE_REQ_MAGIC) != SVMC_PAGE_MAGIC ||
        core_load_le16(head + SVMC_PAGE_REQ_VERSION) != SVMC_PAGE_VERSION)
        return SVMC_ERR_UNSUPPORTED;
    bytes = (size_t)core_load_le32(head + SVMC_PAGE_REQ_SIZE) *
            core_load_le32(head + SVMC_PAGE_REQ_COUNT);
    if (head[SVMC_PAGE_REQ_COMPLETION] == SVMC_COMPLETION_CHUNK &&
        head[SVMC_PAGE_REQ_DIRECTION] == SVMC_DIRECTION_OUT && data) {
        if (bytes > cap || bytes > SVMC_PAGE_DATA_BYTES)
            return SVMC_ERR_FULL;
        core_shared_read(page, SVMC_PAGE_DATA, data, bytes);
    }
    out->kind = core_load_le16(head + SVMC_PAGE_REQ_KIND);
    out->completion = head[SVMC_PAGE_REQ_COMPLETION];
    out->direction = head[SVMC_PAGE_REQ_DIRECTION];
    out->vcpu = core_load_le32(head + SVMC_PAGE_REQ_VCPU);
    out->seq = core_load_le64(head + SVMC_PAGE_REQ_SEQ);
    out->in_valid = core_load_le64(head + SVMC_PAGE_REQ_IN_VALID);
    out->address = core_load_le64(head + SVMC_PAGE_REQ_ADDRESS);
    out->size = core_load_le32(head + SVMC_PAGE_REQ_SIZE);
    out->count = core_load_le32(head + SVMC_PAGE_REQ_COUNT);
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        out->in[i] = core_load_le64(head + SVMC_PAGE_REQ_IN + 8 * i);
    memcpy(out->insn, head + SVMC_PAGE_REQ_INSN, sizeof out->insn);
    return SVMC_OK;
}

enum svmc_status svmc_reply_write(volatile void *page, const struct svmc_reply *reply,
                                  const void *data)
{
    uint8_t tail[SVMC_PAGE_DATA - SVMC_PAGE_REP_SEQ] = { 0 };

    if (!aligned(page) || !reply || reply->fault > 0xff ||
        reply->data_bytes > SVMC_PAGE_DATA_BYTES || (reply->data_bytes > 0 && !data))
        return SVMC_ERR_ARG;
#define TAIL(field) (tail + (SVMC_PAGE_REP_##field - SVMC_PAGE_REP_SEQ))
    core_store_le64(TAIL(SEQ), reply->seq);
    core_store_le32(TAIL(STATUS), reply->status);
    core_store_le64(TAIL(OUT_VALID), reply->out_valid);
    *TAIL(FAULT) = (uint8_t)reply->fault;
    core_store_le32(TAIL(DONE), reply->done);
    core_store_le32(TAIL(DATA_BYTES), reply->data_bytes);
    for (uint32_t i = 0; i < SVMC_PAGE_SLOTS; i++)
        core_store_le64(TAIL(OUT) + 8 * i, reply->out[i]);
#undef TAIL
    core_shared_write(page, SVMC_PAGE_DATA, data, reply->data_bytes);
    core_shared_write(page, SVMC_PAGE_REP_SEQ, tail, sizeof tail);
    return SVMC_OK;
}
