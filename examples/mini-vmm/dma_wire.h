/* SPDX-License-Identifier: MIT */
/**
 * What the host asks for when its devices do DMA: a message in a page of its own, behind that of
 * the requests, rung for by WIRE_TAG_DMA before the answer to a request. The keeper copies it,
 * checks it, moves the bytes by the engine, and rings back.
 */
#ifndef DMA_WIRE_H
#define DMA_WIRE_H
#include <stdint.h>
#include <svmcore/device.h>
#include <svmcore/dma.h>

#define WIRE_DMA_PIECES 4u
#define WIRE_DMA_DATA   256u /* offset of the bytes that move; those of a read come back there */
#define WIRE_DMA_BYTES  (4096u - WIRE_DMA_DATA)

enum wire_dma_op {
    WIRE_DMA_READ = 0, /* as enum svmc_dma_direction */
    WIRE_DMA_WRITE = 1,
    WIRE_DMA_BEGIN = 2, /* a transfer that outlives this: the answer has a flight */
    WIRE_DMA_END = 3
};

struct wire_dma_ask {
    uint32_t op;
    uint32_t bdf;
    uint32_t flight; /* of BEGIN; 0: none */
    uint32_t pieces;
    struct {
        uint64_t iova, bytes;
    } piece[WIRE_DMA_PIECES];
    uint32_t attempt; /* the host's own word: row + 1 of dma.def; 0: a device's work. It decides
                         nothing */
    uint32_t reserved;
};

struct wire_dma_answer {
    uint32_t status; /* enum svmc_status */
    uint32_t reason; /* enum svmc_dma_reason, enum wire_dma_bad */
    uint32_t flight;
    uint32_t bytes; /* that moved */
};

struct wire_dma {
    struct wire_dma_ask ask;
    struct wire_dma_answer answer;
};
_Static_assert(sizeof(struct wire_dma_ask) == 88 && sizeof(struct wire_dma) == 104, "no padding");
_Static_assert(sizeof(struct wire_dma) <= WIRE_DMA_DATA, "data behind it");

/** What is wrong with a message, beside enum svmc_dma_reason: SVMC_ERR_ARG, and nothing moves. */
enum wire_dma_bad {
    WIRE_DMA_BAD_OP = 32,
    WIRE_DMA_BAD_RESERVED, /* reserved bytes, pieces that are not counted */
    WIRE_DMA_BAD_PIECES,
    WIRE_DMA_BAD_BYTES,
    WIRE_DMA_BAD_FLIGHT, /* this function has no such flight */
    WIRE_DMA_BAD_FLIGHTS /* too many of them */
};

/* The functions of the demo. */
#define DMA_BLOCK     SVMC_BDF(0, 0, 4, 0)
#define DMA_NET       SVMC_BDF(0, 0, 5, 0)
#define DMA_OTHER     SVMC_BDF(0, 0, 6, 0) /* another VM's */
#define DMA_NOBODY    SVMC_BDF(0, 0, 7, 0) /* nobody's */
#define DMA_PROCESSOR SVMC_BDF(1, 0, 0, 0) /* the guest's own accesses: bound to no slot */
#define DMA_ABSENT    SVMC_BDF(2, 0, 4, 0) /* a segment that is not there */
#define DMA_SEGMENTS  2u

/* Where the keeper's tables are wrong for the demo: the net device's first page. */
#define DMA_IOVA_WRONG 0x30000u

/** When an attempt is made. */
enum dma_when { DMA_AT_START, DMA_BEHIND_RENEWAL, DMA_ON_THE_BUS };

enum {
#define DMA_TRY(id, what, when, bdf, op, flight, iova, bytes, reason) DMA_TRY_##id,
#include "dma.def"
#undef DMA_TRY
    DMA_TRIES
};

#endif
