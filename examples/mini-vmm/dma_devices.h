/* SPDX-License-Identifier: MIT */
/** The host's devices that do DMA. They ask the keeper for every byte. */
#ifndef DMA_DEVICES_H
#define DMA_DEVICES_H
#include <stdbool.h>
#include <stdint.h>

#include "../guests/bootinfo.h"

struct dma_devices {
    uint8_t *page; /* of messages; NULL: there is none */
    int request, answer;
    uint32_t flight; /* of the net device, for what it receives */
    bool tried;
    uint32_t result[2]; /* of the block device, of the net device */
    uint8_t disk[DMA_DISK_BYTES];
    uint8_t frame[DMA_FRAME_BYTES]; /* the one sent last comes back */
    uint32_t frame_bytes;
};

void dma_devices_write(struct dma_devices *d, uint64_t port, uint32_t value);
uint32_t dma_devices_read(const struct dma_devices *d, uint64_t port);

#endif
