/* SPDX-License-Identifier: MIT */
/* Random bytes for pages: repeatable, and the k-th call fails. */
#ifndef TESTS_TOKEN_PAGE_LAB_H
#define TESTS_TOKEN_PAGE_LAB_H
#include <svmcore/token_page.h>

#include "../harness.h"
#include "../random.h"

struct page_random {
    struct svmc_crypto_ops ops; /* its ctx is this struct */
    uint64_t rng;
    unsigned calls, fail_at; /* 1-based; 0: none */
    const uint8_t *page;     /* what a draw of a whole page gives; NULL: random bytes */
};

static inline enum svmc_status page_random_give(void *ctx, void *dst, size_t n)
{
    struct page_random *r = ctx;
    uint8_t *to = dst;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = harness_random(&r->rng);

        for (size_t b = 0; b < 8 && i + b < n; b++)
            to[i + b] = (uint8_t)(word >> 8 * b);
    }
    if (r->page && n == SVMC_TOKEN_PAGE_BYTES)
        memcpy(dst, r->page, n);
    return ++r->calls == r->fail_at ? SVMC_ERR_FULL : SVMC_OK; /* CR-2: it wrote all the same */
}

static inline void page_random_init(struct page_random *r, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    r->rng = seed;
    r->ops.size = sizeof r->ops;
    r->ops.ctx = r;
    r->ops.random = page_random_give;
}

static inline bool page_is_zero(const uint8_t page[SVMC_TOKEN_PAGE_BYTES])
{
    for (unsigned i = 0; i < SVMC_TOKEN_PAGE_BYTES; i++)
        if (page[i] != 0)
            return false;
    return true;
}

/* Pearson's statistic of `cells` counts that should be alike; its mean is cells - 1. */
static inline double page_chi_square(const unsigned *counts, unsigned cells)
{
    double sum = 0, total = 0;

    for (unsigned i = 0; i < cells; i++)
        total += counts[i];
    for (unsigned i = 0; i < cells; i++)
        sum += (counts[i] - total / cells) * (counts[i] - total / cells) * cells / total;
    return sum;
}

/* Within six standard deviations, sqrt(2 * freedom): by squares, for sqrt would want libm. */
static inline bool page_is_even(double chi_square, unsigned freedom)
{
    double off = chi_square - freedom;

    return off * off < 36.0 * 2 * freedom;
}

#endif
