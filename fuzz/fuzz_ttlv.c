/* SPDX-License-Identifier: MIT */
/*
 * A KMIP server sends what it likes. Traps when what is not one sound item is read as an answer,
 * when an answer's lengths are beyond its room, or when a sound one is read twice differently
 * (KM-2, KM-4). The sanitizer sees what is read beyond the end: the message has just its bytes.
 */
#include <stdlib.h>

#include "../src/port/kmip/message.h"
#include "../src/port/kmip/ttlv.h"
#include "input.h"

/* Every item of the outermost structure, and of those in it. */
static size_t walk(const uint8_t *at, size_t n)
{
    struct ttlv rest = { .value = at, .bytes = n }, item, inner, leaf;
    size_t seen = 0;

    while (svmc_ttlv_next(&rest, &item)) {
        require(item.value >= at && item.bytes <= n);
        inner = item;
        while (item.type == TTLV_STRUCTURE && svmc_ttlv_next(&inner, &leaf)) {
            require(leaf.value >= item.value &&
                    (size_t)(leaf.value - item.value) + leaf.bytes <= item.bytes);
            (void)svmc_ttlv_number(&leaf, 0x42000d, TTLV_INTEGER, 0);
            seen++;
        }
        seen++;
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_provider_answer a = { 0 }, b = { 0 };
    uint8_t *copy = malloc(size != 0 ? size : 1), ask[KMIP_ASK_BYTES];
    enum svmc_fetch_reason reason;
    size_t n = 0;

    require(copy != NULL);
    memcpy(copy, data, size);
    if (size >= TTLV_HEADER) {
        reason = svmc_kmip_length(copy, &n);
        require(n <= KMIP_ANSWER_BYTES && (n != 0) == (reason == SVMC_FETCH_NONE));
    }
    reason = svmc_kmip_answer(copy, size, &a);
    require(reason == svmc_kmip_answer(copy, size, &b) && memcmp(&a, &b, sizeof a) == 0);
    require(a.id_bytes <= sizeof a.id);
    if (svmc_ttlv_is_sound(copy, size)) {
        require(walk(copy, size) <= TTLV_ITEMS_MAX);
    } else {
        require(reason == SVMC_FETCH_FORMAT);
    }
    if (reason == SVMC_FETCH_NONE)
        require(n == size && a.ticket == 0 && a.reason == 0);
    if (size - 1 < SVMC_KEY_NAME_BYTES_MAX) { /* what we ask is sound whatever the name is */
        n = svmc_kmip_ask(ask, sizeof ask, copy, size);
        require(n != 0 && svmc_ttlv_is_sound(ask, n));
    }
    free(copy);
    return 0;
}
