/* SPDX-License-Identifier: MIT */
/**
 * Owner 1: a counter, a copy between buffers, the key-value store, a line for the output, and one
 * call that is the kernel's alone. A handler sees values and buffers that were checked and copied.
 */
#include "natives.h"

#include <string.h>

#include "../guests/bootinfo.h"

static uint32_t count(void *ctx, struct svmc_hcall_run *run)
{
    struct natives *n = ctx;

    run->arg[0] = atomic_fetch_add(&n->counter, run->arg[0]) + run->arg[0];
    return SVMC_HCALL_OK;
}

static uint32_t copy(void *ctx, struct svmc_hcall_run *run)
{
    const struct svmc_hcall_buffer *from = &run->buffer[0];
    struct svmc_hcall_buffer *to = &run->buffer[2];

    (void)ctx;
    if (to->bytes < from->bytes) {
        run->bad = 4;
        return SVMC_HCALL_BAD_ARG;
    }
    memcpy(to->at, from->at, from->bytes);
    to->bytes = from->bytes; /* what lies behind it in the guest's memory stays */
    run->arg[0] = from->bytes;
    return SVMC_HCALL_OK;
}

static uint32_t info(void *ctx, struct svmc_hcall_run *run)
{
    struct natives *n = ctx;
    const struct svmc_hcall_buffer *key = &run->buffer[0];
    struct svmc_hcall_buffer *value = &run->buffer[2];
    uint32_t bytes;
    enum svmc_status st = store_get(n->store, key->at, key->bytes, value->at, value->bytes, &bytes);

    run->bad = st == SVMC_ERR_FULL ? 4 : 1;
    if (st != SVMC_OK)
        return SVMC_HCALL_BAD_ARG;
    run->bad = 0;
    value->bytes = bytes;
    run->arg[0] = bytes;
    return SVMC_HCALL_OK;
}

static uint32_t say(void *ctx, struct svmc_hcall_run *run)
{
    struct natives *n = ctx;

    n->say(run->vcpu, run->buffer[0].at, run->buffer[0].bytes);
    return SVMC_HCALL_OK;
}

static uint32_t lock(void *ctx, struct svmc_hcall_run *run)
{
    struct natives *n = ctx;

    (void)run;
    store_lock(n->store);
    return SVMC_HCALL_OK;
}

#define TEXT_IN                                            \
    {                                                      \
        .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_READ \
    }
#define TEXT_OUT                                            \
    {                                                       \
        .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_WRITE \
    }
#define BYTES(argument, most)                                                \
    {                                                                        \
        .kind = SVMC_HCALL_LENGTH, .of = (argument), .min = 1, .max = (most) \
    }

enum { NUMBER, FROM_TO, KEY_TO, TEXT, NOTHING };

static const struct svmc_hcall_schema schemas[] = {
    [NUMBER] = { .arg = { { .kind = SVMC_HCALL_U32 } }, .results = 1 },
    [FROM_TO] = { .arg = { TEXT_IN, BYTES(1, NATIVE_TEXT_MAX), TEXT_OUT,
                           BYTES(3, NATIVE_TEXT_MAX) },
                  .results = 1 },
    [KEY_TO] = { .arg = { TEXT_IN, BYTES(1, NATIVE_KEY_MAX), TEXT_OUT, BYTES(3, NATIVE_TEXT_MAX) },
                 .results = 1 },
    [TEXT] = { .arg = { TEXT_IN, BYTES(1, NATIVE_TEXT_MAX) } },
    [NOTHING] = { .results = 0 },
};

/* clang-format off */
static const struct svmc_hcall_entry entries[] = {
    { count, SVMC_HCALL_MAY_ALL,    NATIVE_COUNT, NUMBER,  1, 0, 0, 0, { 0 }, "count" },
    { copy,  SVMC_HCALL_MAY_ALL,    NATIVE_COPY,  FROM_TO, 1, 0, 0, 1, { 0 }, "copy" },
    { info,  SVMC_HCALL_MAY_ALL,    NATIVE_INFO,  KEY_TO,  1, 0, 0, 1, { 0 }, "info" },
    { say,   SVMC_HCALL_MAY_ALL,    NATIVE_SAY,   TEXT,    1, 0, 0, 1, { 0 }, "say" },
    { lock,  SVMC_HCALL_MAY_KERNEL, NATIVE_LOCK,  NOTHING, 1, 0, 0, 0, { 0 }, "lock" },
};
/* clang-format on */

const struct svmc_hcall_owner natives_owner = {
    .calls = entries,
    .schemas = schemas,
    .call_count = sizeof entries / sizeof entries[0],
    .schema_count = sizeof schemas / sizeof schemas[0],
    .may = SVMC_HCALL_MAY_ALL,
    .first = 1,
    .last = 1,
    .owner = NATIVE_OWNER,
    .uid = { 0x6d, 0x69, 0x6e, 0x69, 0x2d, 0x76, 0x6d, 0x6d, 0x8e, 0x0c, 0x4f, 0x5b, 0x9d, 0x52, 1,
             1 },
};

const char *natives_name(uint32_t number)
{
    static const char *const asked[] = {
        "version", "features", "uid", "limits", "next", "argument"
    };

    if (number < sizeof asked / sizeof asked[0])
        return asked[number];
    for (uint32_t i = 0; i < natives_owner.call_count; i++)
        if (entries[i].number == number)
            return entries[i].name;
    return "?";
}
