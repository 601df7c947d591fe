/* SPDX-License-Identifier: MIT */
/**
 * A block device and a net device. `doorbell` is the device's work; `try_all` is what an evil host
 * asks for besides.
 */
#include "dma_devices.h"

#include <string.h>
#include <unistd.h>

#include "dma_wire.h"
#include "wire.h"

static const struct {
    uint32_t when, bdf, op, flight;
    uint64_t iova, bytes;
} tries[] = {
#define DMA_TRY(id, what, when, bdf, op, flight, iova, bytes, reason) \
    [DMA_TRY_##id] = { when, bdf, op, flight, iova, bytes },
#include "dma.def"
#undef DMA_TRY
};

/* Ask the keeper. data[bytes of the pieces]: what is written, or gets what was read. */
static bool ask(const struct dma_devices *d, const struct wire_dma_ask *what, uint8_t *data,
                size_t bytes, struct wire_dma_answer *answer)
{
    uint64_t bell = WIRE_TAG(0, 0) | WIRE_TAG_DMA;

    memcpy(d->page, what, sizeof *what);
    if (what->op == WIRE_DMA_WRITE && bytes <= WIRE_DMA_BYTES)
        memcpy(d->page + WIRE_DMA_DATA, data, bytes);
    if (write(d->answer, &bell, sizeof bell) != (ssize_t)sizeof bell ||
        read(d->request, &bell, sizeof bell) != (ssize_t)sizeof bell)
        _exit(0); /* the keeper is gone */
    memcpy(answer, d->page + sizeof *what, sizeof *answer);
    if (answer->status != SVMC_OK)
        return false;
    if (what->op == WIRE_DMA_READ)
        memcpy(data, d->page + WIRE_DMA_DATA, bytes);
    return true;
}

static void try_all(struct dma_devices *d, uint32_t when)
{
    uint8_t data[DMA_SECTOR] = { 0 };
    struct wire_dma_answer answer;

    for (uint32_t i = 0; i < DMA_TRIES; i++) {
        const struct wire_dma_ask what = { .op = tries[i].op,
                                           .bdf = tries[i].bdf,
                                           .flight = tries[i].flight,
                                           .pieces = tries[i].op != WIRE_DMA_END,
                                           .piece = { { tries[i].iova, tries[i].bytes } },
                                           .attempt = i + 1 };

        if (tries[i].when == when)
            (void)ask(d, &what, data, tries[i].bytes < sizeof data ? tries[i].bytes : sizeof data,
                      &answer);
    }
}

static void begin(struct dma_devices *d)
{
    const struct wire_dma_ask what = { .op = WIRE_DMA_BEGIN, .bdf = DMA_NET };
    struct wire_dma_answer answer;

    d->flight = ask(d, &what, NULL, 0, &answer) ? answer.flight : 0;
}

/* The bytes of a list's parts; 0: the device does not do that. */
static size_t total(const struct dma_list *list, size_t most)
{
    size_t sum = 0;

    if (list->pieces < 1 || list->pieces > DMA_LIST_PIECES)
        return 0;
    for (uint32_t i = 0; i < list->pieces; i++) {
        if (list->piece[i].bytes > most - sum)
            return 0;
        sum += (size_t)list->piece[i].bytes;
    }
    return sum;
}

static uint32_t doorbell(struct dma_devices *d, uint32_t bdf, uint32_t at)
{
    bool net = bdf == DMA_NET;
    struct wire_dma_ask what = { .bdf = bdf, .pieces = 1, .piece = { { at, 0 } } };
    struct wire_dma_answer answer;
    struct dma_list list;
    size_t bytes, first;

    what.piece[0].bytes = sizeof list;
    if (!ask(d, &what, (uint8_t *)&list, sizeof list, &answer))
        return DMA_FAILED;
    bytes = total(&list, net ? sizeof d->frame : WIRE_DMA_BYTES);
    first = net ? 0 : list.sector * (size_t)DMA_SECTOR;
    if (bytes == 0 || (list.op != DMA_OUT && list.op != DMA_IN) ||
        (net ? list.op == DMA_IN && bytes != d->frame_bytes
             : first > sizeof d->disk || bytes > sizeof d->disk - first))
        return DMA_FAILED;
    what.op = list.op == DMA_OUT ? WIRE_DMA_READ : WIRE_DMA_WRITE;
    what.flight = net && list.op == DMA_IN ? d->flight : 0;
    what.pieces = list.pieces;
    for (uint32_t i = 0; i < list.pieces; i++) {
        what.piece[i].iova = list.piece[i].iova;
        what.piece[i].bytes = list.piece[i].bytes;
    }
    if (!ask(d, &what, net ? d->frame : d->disk + first, bytes, &answer))
        return DMA_FAILED;
    if (net)
        d->frame_bytes = (uint32_t)bytes;
    return DMA_DONE | (uint32_t)bytes << 8;
}

void dma_devices_write(struct dma_devices *d, uint64_t port, uint32_t value)
{
    if (!d->page)
        return;
    if (!d->tried) {
        begin(d);
        try_all(d, DMA_AT_START);
        d->tried = true;
    }
    if (port == DEV_BLOCK) {
        d->result[0] = doorbell(d, DMA_BLOCK, value);
    } else if (value != 0) {
        d->result[1] = doorbell(d, DMA_NET, value);
    } else {
        try_all(d, DMA_BEHIND_RENEWAL);
        d->frame_bytes = 0;
        begin(d);
    }
}

uint32_t dma_devices_read(const struct dma_devices *d, uint64_t port)
{
    return d->result[port == DEV_NET];
}
