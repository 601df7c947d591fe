/* SPDX-License-Identifier: MIT */
/** The data page: a token and the safe call address among decoys. docs/spec/token_page.md. */
#include "../core/bytes.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"
#include "page_private.h"

_Static_assert(SVMC_TOKEN_PAGE_FIRST + SVMC_TOKEN_PAGE_ENTRIES * SVMC_TOKEN_PAGE_ENTRY_BYTES ==
                   SVMC_TOKEN_PAGE_BYTES,
               "no byte is left");

enum svmc_status svmc_token_draw(const struct svmc_crypto_ops *ops, uint32_t count, uint32_t *out)
{
    uint8_t bytes[8];

    if (!ops || !CORE_HAS_OP(ops, random))
        return SVMC_ERR_ARG;
    if (ops->random(ops->ctx, bytes, sizeof bytes) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    *out = (uint32_t)(core_load_le64(bytes) % count);
    return SVMC_OK;
}

enum svmc_status svmc_token_randomize(const struct svmc_crypto_ops *ops,
                                      uint8_t page[SVMC_TOKEN_PAGE_BYTES])
{
    if (!ops || !CORE_HAS_OP(ops, random))
        return SVMC_ERR_ARG;
    if (ops->random(ops->ctx, page, SVMC_TOKEN_PAGE_BYTES) == SVMC_OK)
        return SVMC_OK;
    memset(page, 0, SVMC_TOKEN_PAGE_BYTES); /* CR-2 */
    return SVMC_ERR_CALLBACK;
}

/*
 * TP-3: the safe address is one that a decoy can have, and the last of those is a number; so one
 * below the first is, as a distance from it, beyond the last.
 */
static bool are_sound(const struct svmc_token_addresses *a)
{
    return a->step != 0 && a->count > 1 && (UINT64_MAX - a->first) / a->step >= a->count - 1 &&
           (a->safe - a->first) % a->step == 0 && (a->safe - a->first) / a->step < a->count;
}

enum svmc_status svmc_token_page_data(const struct svmc_crypto_ops *crypto, uint32_t handle,
                                      const uint8_t tag[SVMC_TOKEN_TAG_BYTES],
                                      const struct svmc_token_addresses *addresses,
                                      uint8_t page[SVMC_TOKEN_PAGE_BYTES], uint32_t *slot)
{
    enum svmc_status st;
    uint32_t real = 0;
    uint8_t *at;

    if (slot)
        *slot = 0;
    if (!page)
        return SVMC_ERR_ARG;
    memset(page, 0, SVMC_TOKEN_PAGE_BYTES);
    if (!slot || !tag || handle == 0 || !addresses || !are_sound(addresses))
        return SVMC_ERR_ARG;
    if ((st = svmc_token_draw(crypto, SVMC_TOKEN_PAGE_ENTRIES, &real)) != SVMC_OK ||
        (st = svmc_token_randomize(crypto, page)) != SVMC_OK)
        return st;
    memset(page, 0, SVMC_TOKEN_PAGE_FIRST); /* TP-1 */
    core_store_le64(page, SVMC_TOKEN_PAGE_MAGIC);
    core_store_le16(page + SVMC_TOKEN_PAGE_AT_VERSION, SVMC_TOKEN_PAGE_VERSION);
    core_store_le16(page + SVMC_TOKEN_PAGE_AT_ENTRIES, SVMC_TOKEN_PAGE_ENTRIES);
    core_store_le16(page + SVMC_TOKEN_PAGE_AT_STRIDE, SVMC_TOKEN_PAGE_ENTRY_BYTES);
    core_store_le16(page + SVMC_TOKEN_PAGE_AT_FIRST, SVMC_TOKEN_PAGE_FIRST);
    core_store_le32(page + SVMC_TOKEN_PAGE_AT_HANDLE, handle);
    at = page + SVMC_TOKEN_PAGE_FIRST;
    for (uint32_t n = 0; n < SVMC_TOKEN_PAGE_ENTRIES; n++, at += SVMC_TOKEN_PAGE_ENTRY_BYTES) {
        uint64_t other =
            addresses->first + addresses->step * (core_load_le64(at) % addresses->count);

        core_store_le64(at, n == real ? addresses->safe : other); /* TP-2, TP-3 */
        if (n == real)
            memcpy(at + 8, tag, SVMC_TOKEN_TAG_BYTES);
    }
    *slot = real;
    return SVMC_OK;
}

/* TP-4: the real tag is in the page too, so no step depends on what is found. */
uint32_t svmc_token_page_find(const uint8_t page[SVMC_TOKEN_PAGE_BYTES],
                              const uint8_t tag[SVMC_TOKEN_TAG_BYTES])
{
    uint32_t found = SVMC_TOKEN_PAGE_NONE;
    const uint8_t *at;

    if (!page || !tag)
        return SVMC_TOKEN_PAGE_NONE;
    at = page + SVMC_TOKEN_PAGE_FIRST + 8;
    for (uint32_t n = 0; n < SVMC_TOKEN_PAGE_ENTRIES; n++, at += SVMC_TOKEN_PAGE_ENTRY_BYTES) {
        uint64_t differ = (core_load_le64(at) ^ core_load_le64(tag)) |
                          (core_load_le64(at + 8) ^ core_load_le64(tag + 8));
        uint32_t keep = (uint32_t)0 - (uint32_t)((differ | (0 - differ)) >> 63);

        CORE_KEEP(keep); /* else a compiler branches on what it knows of it */
        found = (found & keep) | (n & ~keep);
    }
    return found;
}
