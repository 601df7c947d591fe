/* SPDX-License-Identifier: MIT */
/** The host's devices. They know a request, never a guest. */
#ifndef DEVICES_H
#define DEVICES_H
#include <stddef.h>
#include <stdint.h>
#include <svmcore/page.h>

#include "dma_devices.h"
#include "wire.h"

struct devices {
    int console;                  /* where console bytes go */
    uint64_t msr[WIRE_VCPUS_MAX]; /* a processor has its own, and of the scratch registers, too */
    uint8_t scratch[WIRE_VCPUS_MAX][0x100];
    uint64_t accumulator;
    uint8_t latch[8];
    uint8_t ring[64];
    uint32_t ring_write;
    uint32_t ring_read;
    uint64_t ahead;        /* microseconds that the clock is, after a restore */
    uint8_t printed[4096]; /* the last console bytes, a ring */
    uint32_t printed_at;
    struct dma_devices dma;
};

/** Give the devices out as bytes, or take them from such: what they hold, no wires. */
void devices_give(const struct devices *d, uint8_t bytes[WIRE_DEVICES_BYTES]);
void devices_take(struct devices *d, const uint8_t bytes[WIRE_DEVICES_BYTES]);

/**
 * Answer one request of vCPU `id`: *reply is filled, data[cap] has the request's data and gets the
 * reply's. What no device claims is done with a result of zeros.
 */
void devices_answer(struct devices *d, uint32_t id, const struct svmc_request *request,
                    uint8_t *data, size_t cap, struct svmc_reply *reply);

#endif
