/* SPDX-License-Identifier: MIT */
/** A request on its way: what was checked, and what a unit needs. */
#ifndef DMA_PRIVATE_H
#define DMA_PRIVATE_H
#include <svmcore/dma.h>

#include "device_private.h"
#include "keyslot_private.h"

/* DM-6: a part of a request within one page. */
struct span {
    uint8_t *memory, *buffer;
    uint64_t address, iova;
    struct svmc_dma_seal *seals; /* of the page */
    uint32_t bytes;
    uint32_t other; /* DM-23: 1: the page is of job->other, not of job->slot */
};

/* DM-9: a translation, good while the pool's epoch is the same. */
struct cached {
    uint64_t epoch; /* 0: none */
    uint64_t iova;
    struct svmc_dma_page page;
    uint32_t bdf;
    uint8_t pad[12];
};

_Static_assert(sizeof(struct cached) % 8 == 0 && sizeof(struct span) % 8 == 0, "they follow");

struct job {
    struct svmc_dma *dma;
    const struct svmc_dma_request *request;
    struct svmc_dma_result *result;
    struct slot *slot, *other;      /* the function's; DM-23: one linked with it, held beside */
    svmc_key_handle handle, beside; /* their handles; {0}: there is no other one */
    struct span *span;
    struct cached *cached;
    uint8_t *scratch; /* SVMC_DMA_PAGE bytes */
    uint64_t epoch;   /* of the pool, after the hold */
    uint64_t edges;   /* of all spans: begins and lengths, together */
    uint32_t lane, spans, unit_bytes, unit_shift;
    uint32_t units[2]; /* that it touches, of the function's slot and of the other one */
    bool write, authentic;
};

/** A unit of memory, and the part of it that moves. */
struct unit {
    uint8_t *memory, *buffer;
    uint64_t address;
    struct svmc_dma_seal *seal;
    const struct slot *slot; /* whose page it is */
    uint32_t from, bytes;
};

/** DM-12: opaque: one whole unit of a slot's. @return SVMC_DMA_NONE or _CRYPTO. */
enum svmc_dma_reason svmc_dma_crypt(const struct job *job, const struct slot *slot,
                                    uint64_t address, const void *in, void *out, bool encrypt);

/** DM-13 to DM-19: move one unit, opaque: a part of one. @return SVMC_DMA_NONE, or why not. */
enum svmc_dma_reason svmc_dma_unit_move(const struct job *job, const struct unit *unit);

#endif
