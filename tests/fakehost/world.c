/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <string.h>

#include "../random.h"

#define PAGE_FAULT 14u

static bool fails(struct world *w)
{
    return ++w->calls == w->fail_at;
}

static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    struct world *w = ctx;

    if (fails(w))
        return SVMC_ERR_CALLBACK;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(w->random >> (8 * (i % 8)));
    return SVMC_OK;
}

static enum svmc_status reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    struct world *w = ctx;

    if (fails(w) || reg >= WORLD_REGS)
        return SVMC_ERR_CALLBACK;
    *value = w->reg[reg];
    return SVMC_OK;
}

static void reg_write(void *ctx, uint32_t reg, uint64_t value)
{
    struct world *w = ctx;

    w->reg_writes++;
    if (reg < WORLD_REGS)
        w->reg[reg] = value;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct world *w = ctx;
    uint64_t gpa = access & SVMC_ACCESS_REAL ? at.v : at.v - WORLD_LINEAR;

    if (fails(w))
        return SVMC_ERR_CALLBACK;
    if (gpa >= WORLD_MEMORY || w->hole[gpa / 4096]) {
        fault->raised = 1;
        fault->vector = PAGE_FAULT;
        fault->has_error = 1;
        fault->error = access & SVMC_ACCESS_WRITE ? 2 : 0;
        fault->address = at.v;
        return SVMC_OK;
    }
    out->v = w->translate_lie == 1 ? gpa ^ 8 : gpa; /* another byte of the page */
    fault->raised = w->translate_lie > 1;
    fault->vector = w->translate_lie == 2 ? 32 : PAGE_FAULT; /* no exception */
    if (w->translate_lie == 3)
        fault->raised = 77;
    fault->has_error = w->translate_lie == 4 ? 2 : 0;
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    struct world *w = ctx;

    (void)access;
    if (fails(w) || at.v >= WORLD_MEMORY || n > 4096 - at.v % 4096)
        return SVMC_ERR_CALLBACK;
    *span = w->memory + at.v;
    return SVMC_OK;
}

static uint64_t ticks(void *ctx)
{
    struct world *w = ctx;

    w->clock_calls++;
    return w->clock += w->clock_step;
}

static enum svmc_status interpret(void *ctx, uint32_t kind, uint64_t number, uint64_t *value,
                                  uint32_t *fault)
{
    struct world *w = ctx;
    unsigned op = kind & 0xfff;
    bool both = kind >= SVMC_KIND_CSR_SWAP && kind <= SVMC_KIND_CSR_CLEAR;
    bool read = kind == SVMC_KIND_CSR_READ || (kind >> 12 == 1 && (op == 1 || op == 3)) ||
                kind == SVMC_KIND_CR_READ || kind == SVMC_KIND_DR_READ || kind >> 12 == 8;

    if (fails(w))
        return SVMC_ERR_CALLBACK;
    w->inside_calls++;
    w->inside_kind = kind;
    w->inside_number = number;
    *fault = w->inside_fault;
    w->inside_given = *value;
    if (read || both)
        *value = w->inside_value;
    if (!read)
        w->inside_value = w->inside_given;
    return SVMC_OK;
}

const struct svmc_host_ops world_ops = {
    .size = sizeof(struct svmc_host_ops),
    .random = give_random,
    .reg_read = reg_read,
    .reg_write = reg_write,
    .translate = translate,
    .guest_span = guest_span,
    .ticks = ticks,
    .interpret = interpret,
};

/* A window of twice as much that is made once, always alike: thousands of worlds begin in a run. */
static void random_memory(uint8_t memory[WORLD_MEMORY], uint64_t *rng)
{
    static uint64_t twice[2 * WORLD_MEMORY / 8];
    uint64_t own = 1;

    if (twice[0] == 0)
        for (unsigned i = 0; i < 2 * WORLD_MEMORY / 8; i++)
            twice[i] = harness_random(&own);
    memcpy(memory, twice + harness_random(rng) % (WORLD_MEMORY / 8), WORLD_MEMORY);
}

void world_init(struct world *w, uint64_t *rng)
{
    memset(w, 0, sizeof *w);
    for (unsigned i = 0; i < WORLD_REGS; i++)
        w->reg[i] = harness_random(rng);
    random_memory(w->memory, rng);
    w->random = 0x5eed5eed5eed5eedu;
}
