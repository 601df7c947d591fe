/* SPDX-License-Identifier: MIT */
/** What the files of measured ranges share. docs/spec/measure.md. */
#ifndef MEASURE_PRIVATE_H
#define MEASURE_PRIVATE_H
#include <svmcore/measure.h>

#include <stdbool.h>

#include "../core/clamp.h"
#include "../core/memory.h"

#define PAGE    SVMC_MEASURE_PAGE_BYTES
#define NO_SLOT UINT32_MAX

/*
 * All that svmc_measure_path_check looks at is one word: version 63:16, range 15:4, flags 3:0; 0:
 * not in use. A version is never used twice, so a word that is as it was stands for the same page.
 */
#define FLAG_OPEN     1u
#define FLAG_CHANGED  2u
#define FLAG_UNTOLD   4u /* CHANGED, and a scan has to say so yet */
#define FLAG_GONE     8u /* CHANGED, for there is no memory */
#define FLAGS         15u
#define RANGE_SHIFT   4u
#define VERSION_SHIFT 16u
#define VERSION_MAX   (((uint64_t)1 << 48) - 1)

static inline struct svmc_measure_page *measure_page(const struct svmc_measure *m, uint32_t slot)
{
    return m->priv.config.pages + core_clamp(slot, m->priv.config.page_count);
}

static inline struct svmc_measure_range *measure_range(const struct svmc_measure *m, uint32_t index)
{
    return m->priv.config.ranges + core_clamp(index, m->priv.config.range_count);
}

static inline uint64_t measure_load(const uint64_t *at)
{
#if defined(__GNUC__) || defined(__clang__)
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
#else
    return *(const volatile uint64_t *)at;
#endif
}

static inline void measure_store(uint64_t *at, uint64_t word)
{
#if defined(__GNUC__) || defined(__clang__)
    __atomic_store_n(at, word, __ATOMIC_RELEASE);
#else
    *(volatile uint64_t *)at = word;
#endif
}

static inline uint64_t measure_state(const struct svmc_measure_page *page)
{
    return measure_load(&page->priv.state);
}

static inline void measure_set_state(struct svmc_measure_page *page, uint64_t state)
{
    measure_store(&page->priv.state, state);
}

/* ME-20: after the record was changed: who sees the new generation sees the record as it is. */
static inline void measure_next_generation(struct svmc_measure *m)
{
    measure_store(&m->priv.generation, m->priv.generation + 1);
}

static inline struct svmc_measure_range *measure_range_of(const struct svmc_measure *m,
                                                          uint64_t state)
{
    return measure_range(m, (uint32_t)(state >> RANGE_SHIFT) & (SVMC_MEASURE_RANGES - 1));
}

static inline uint32_t measure_id(uint64_t state, const struct svmc_measure_range *range)
{
    return range->priv.generation << 16 |
           ((uint32_t)(state >> RANGE_SHIFT) & (SVMC_MEASURE_RANGES - 1));
}

/* What stands at place i of the scan's permutation; the first `used` are in use. */
static inline uint32_t measure_order(const struct svmc_measure *m, uint32_t i)
{
    return measure_page(m, i)->priv.order;
}

/** ME-19: one status for a guest; the reason is for the host. */
static inline enum svmc_status measure_refuse(enum svmc_measure_why *why,
                                              enum svmc_measure_why reason)
{
    if (why)
        *why = reason;
    return reason == SVMC_MEASURE_RANGE || reason == SVMC_MEASURE_VERSION ? SVMC_ERR_STALE
                                                                          : SVMC_ERR_AUTH;
}

static inline bool measure_ready(const struct svmc_measure *m)
{
    return m && m->priv.config.pages;
}

/* ME-5: the address space, privilege and generation that a range belongs to. */
bool svmc_measure_is_who(const struct svmc_measure *m, const struct svmc_measure_range *range,
                         const struct svmc_token_caller *caller);
/* ME-5: the calling instruction lies on an intact page of code of the token's. */
bool svmc_measure_is_code(const struct svmc_measure *m, uint32_t token,
                          const struct svmc_token_caller *caller);
/* The page that an address lies in, NO_SLOT: it is not measured. */
uint32_t svmc_measure_find(const struct svmc_measure *m, uint64_t at);
/* NULL: there is none, or not any more. */
struct svmc_measure_range *svmc_measure_live(const struct svmc_measure *m, uint32_t id);

/* ME-3: a page that the guest may write meanwhile. *span NULL: no memory. */
enum svmc_status svmc_measure_span(const struct svmc_measure *m, uint64_t frame, void **span);
/* ME-2 */
enum svmc_status svmc_measure_mac(const struct svmc_measure *m, uint64_t frame, uint64_t version,
                                  uint32_t id, const void *page, uint8_t out[SVMC_HASH_BYTES]);
/* ME-8: if it is not as it was measured it is CHANGED, and UNTOLD, from now on. */
enum svmc_status svmc_measure_look(struct svmc_measure *m, uint32_t slot);
void svmc_measure_tell(const struct svmc_measure *m, const struct svmc_measure_page *page,
                       enum svmc_measure_kind kind, struct svmc_measure_event *event);
void svmc_measure_swap(struct svmc_measure *m, uint32_t a, uint32_t b);
void svmc_measure_end_round(struct svmc_measure *m);

#endif
