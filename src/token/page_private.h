/* SPDX-License-Identifier: MIT */
/** What the kinds of page draw. */
#ifndef TOKEN_PAGE_PRIVATE_H
#define TOKEN_PAGE_PRIVATE_H
#include <stdbool.h>
#include <svmcore/token_page.h>

/** One of `count` with equal chances, but for 2^-50 of them. */
enum svmc_status svmc_token_draw(const struct svmc_crypto_ops *ops, uint32_t count, uint32_t *out);

/** Random bytes all over the page; zeros after an error. */
enum svmc_status svmc_token_randomize(const struct svmc_crypto_ops *ops,
                                      uint8_t page[SVMC_TOKEN_PAGE_BYTES]);

#endif
