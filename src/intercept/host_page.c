/* SPDX-License-Identifier: MIT */
/** The host's two ways to the page: what it is asked, and its answer. No core calls them. */
#include <svmcore/page.h>

#include "../core/memory.h"
#include "../core/shared.h"

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
    if (!core_shared_usable(page) || (!data && cap > 0))
        return SVMC_ERR_ARG;
    magic = core_shared_get(page, SVMC_PAGE_REQ_MAGIC);
    if ((magic & 0xffffffffffffu) != (SVMC_PAGE_MAGIC | (uint64_t)SVMC_PAGE_VERSION << 32))
        return SVMC_ERR_UNSUPPORTED;
    get_request(page, out);
    bytes = (uint64_t)out->size * out->count;
    if (out->completion < SVMC_COMPLETION_CHUNK || !(out->direction & SVMC_DIRECTION_OUT) || !data)
        return SVMC_OK;
    if (bytes > cap || bytes > SVMC_PAGE_DATA_BYTES) {
        memset(out, 0, sizeof *out);
        return SVMC_ERR_FULL;
    }
    core_shared_read(page, SVMC_PAGE_DATA, data, (size_t)bytes);
    return SVMC_OK;
}

static CORE_APART bool put_data(volatile void *page, uint32_t bytes, const void *data)
{
    if (bytes > SVMC_PAGE_DATA_BYTES || !data)
        return false;
    core_shared_write(page, SVMC_PAGE_DATA, data, bytes);
    return true;
}

enum svmc_status svmc_reply_write(volatile void *page, const struct svmc_reply *reply,
                                  const void *data)
{
    if (!core_shared_usable(page) || !reply || reply->fault > 0xff ||
        (reply->data_bytes > 0 && !put_data(page, reply->data_bytes, data)))
        return SVMC_ERR_ARG;
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
