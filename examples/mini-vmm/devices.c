/* SPDX-License-Identifier: MIT */
/** Console, clock, latch, ring, the MMIO device, two MSRs and four hypercalls; dma_devices.c. */
#include "devices.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../guests/bootinfo.h"

static uint64_t microseconds(const struct devices *d)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        return 0;
    return (d->ahead + (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000) & 0x7fffffff;
}

static uint64_t load(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, from, bytes <= sizeof value ? bytes : sizeof value);
    return value;
}

static void store(uint8_t *to, uint64_t value, size_t bytes)
{
    memcpy(to, &value, bytes <= sizeof value ? bytes : sizeof value);
}

static void console_write(struct devices *d, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        d->printed[d->printed_at++ % sizeof d->printed] = bytes[i];
    while (n > 0) {
        ssize_t done = write(d->console, bytes, n);

        if (done <= 0)
            return;
        bytes += done;
        n -= (size_t)done;
    }
}

/* 64 bytes, written in turn and read in turn. */
static uint64_t ring_read(struct devices *d, uint32_t size)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < size; i++)
        value |= (uint64_t)d->ring[d->ring_read++ % sizeof d->ring] << 8 * i;
    return value;
}

static uint64_t port_read(struct devices *d, uint64_t port, uint32_t size)
{
    if (port == DEV_RING && size <= 4)
        return ring_read(d, size);
    if (port == DEV_CONSOLE_STATUS)
        return 0x60;
    if (port == DEV_CLOCK || port == DEV_CLOCK_STREAM)
        return size < 4 ? microseconds(d) & 0xff : microseconds(d);
    if ((port == DEV_BLOCK || port == DEV_NET) && size == 4)
        return dma_devices_read(&d->dma, port);
    if (port >= DEV_LATCH && port + size <= DEV_LATCH + sizeof d->latch)
        return load(d->latch + (port - DEV_LATCH), size);
    return 0;
}

static void port_write(struct devices *d, uint64_t port, const uint8_t *bytes, uint32_t size)
{
    if (port == DEV_CONSOLE && size == 1)
        console_write(d, bytes, 1);
    else if (port == DEV_RING)
        for (uint32_t i = 0; i < size; i++)
            d->ring[d->ring_write++ % sizeof d->ring] = bytes[i];
    else if ((port == DEV_BLOCK || port == DEV_NET) && size == 4)
        dma_devices_write(&d->dma, port, (uint32_t)load(bytes, size));
    else if (port == DEV_RING_RESET)
        d->ring_write = d->ring_read = 0;
    else if (port >= DEV_LATCH && port + size <= DEV_LATCH + sizeof d->latch)
        memcpy(d->latch + (port - DEV_LATCH), bytes, size);
}

static uint64_t mmio_read(const struct devices *d, uint32_t id, uint64_t at, uint32_t size)
{
    uint64_t offset = at - DEV_MMIO;

    if (offset == MMIO_ID)
        return load((const uint8_t *)&(uint64_t){ MMIO_ID_VALUE }, size);
    if (offset == MMIO_ACCUMULATOR)
        return load((const uint8_t *)&d->accumulator, size);
    if (offset >= MMIO_SCRATCH && offset + size <= MMIO_SCRATCH + MMIO_SCRATCH_BYTES)
        return load(d->scratch[id] + (offset - MMIO_SCRATCH), size);
    return 0;
}

static void mmio_write(struct devices *d, uint32_t id, uint64_t at, uint64_t value, uint32_t size)
{
    uint64_t offset = at - DEV_MMIO;

    if (offset == MMIO_ACCUMULATOR)
        d->accumulator += value;
    else if (offset >= MMIO_SCRATCH && offset + size <= MMIO_SCRATCH + MMIO_SCRATCH_BYTES)
        store(d->scratch[id] + (offset - MMIO_SCRATCH), value, size);
}

/* Results in out[1..]; out[0] is the status word, 0. */
static uint64_t call(struct devices *d, const struct svmc_request *r, uint64_t out[SVMC_PAGE_SLOTS])
{
    switch (r->address) {
    case CALL_ADD:
        out[1] = r->in[0] + r->in[1];
        return 0x3;
    case CALL_CLOCK:
        out[1] = microseconds(d);
        return 0x3;
    case CALL_REVERSE:
        out[1] = r->in[5];
        out[2] = r->in[4];
        out[3] = r->in[3];
        return 0xf;
    case CALL_PUSH:
        d->accumulator += r->in[0];
        out[0] = r->in[0] ? 0 : 6;
        return 0x1;
    default:
        out[0] = 6; /* SVMC_HCALL_FAILED */
        return 0x1;
    }
}

static void answer_string(struct devices *d, const struct svmc_request *r, uint8_t *data,
                          size_t cap, struct svmc_reply *reply)
{
    size_t bytes = (size_t)r->size * r->count;

    if (bytes > cap)
        return;
    if (r->direction == SVMC_DIRECTION_IN) {
        for (size_t at = 0; at < bytes; at += r->size)
            store(data + at, port_read(d, r->address, r->size), r->size);
        reply->data_bytes = (uint32_t)bytes;
    } else if (r->address == DEV_CONSOLE && r->size == 1) {
        console_write(d, data, bytes);
    } else {
        for (size_t at = 0; at < bytes; at += r->size)
            port_write(d, r->address, data + at, r->size);
    }
}

/* MSR accesses: RDMSR's value in two halves; one MSR, and what is none, is a #GP. */
static void answer_msr(struct devices *d, uint32_t id, const struct svmc_request *r,
                       struct svmc_reply *reply)
{
    if (r->address != DEV_MSR) {
        *reply = (struct svmc_reply){ .seq = r->seq,
                                      .status = SVMC_REPLY_FAULT,
                                      .fault = SVMC_FAULT_GP };
    } else if (r->kind == SVMC_KIND_RDMSR) {
        reply->out[0] = d->msr[id] & 0xffffffff;
        reply->out[1] = d->msr[id] >> 32;
        reply->out_valid = 3;
    } else {
        d->msr[id] = r->in[0];
    }
}

/* What of the devices a restored guest must find again. */
struct held {
    uint64_t msr[WIRE_VCPUS_MAX];
    uint8_t scratch[WIRE_VCPUS_MAX][0x100];
    uint64_t accumulator, clock;
    uint8_t latch[8], ring[64];
    uint32_t ring_write, ring_read;
};

_Static_assert(sizeof(struct held) <= WIRE_DEVICES_BYTES, "they fit in a message");

void devices_give(const struct devices *d, uint8_t bytes[WIRE_DEVICES_BYTES])
{
    struct held h = { .accumulator = d->accumulator,
                      .clock = microseconds(d),
                      .ring_write = d->ring_write,
                      .ring_read = d->ring_read };

    memcpy(h.msr, d->msr, sizeof h.msr);
    memcpy(h.scratch, d->scratch, sizeof h.scratch);
    memcpy(h.latch, d->latch, sizeof h.latch);
    memcpy(h.ring, d->ring, sizeof h.ring);
    memset(bytes, 0, WIRE_DEVICES_BYTES);
    memcpy(bytes, &h, sizeof h);
}

/* The clock goes on from where it was. */
void devices_take(struct devices *d, const uint8_t bytes[WIRE_DEVICES_BYTES])
{
    struct held h;

    memcpy(&h, bytes, sizeof h);
    memcpy(d->msr, h.msr, sizeof h.msr);
    memcpy(d->scratch, h.scratch, sizeof h.scratch);
    memcpy(d->latch, h.latch, sizeof h.latch);
    memcpy(d->ring, h.ring, sizeof h.ring);
    d->accumulator = h.accumulator;
    d->ring_write = h.ring_write;
    d->ring_read = h.ring_read;
    d->ahead = 0;
    d->ahead = h.clock - microseconds(d);
}

void devices_answer(struct devices *d, uint32_t id, const struct svmc_request *r, uint8_t *data,
                    size_t cap, struct svmc_reply *reply)
{
    uint8_t value[8];

    *reply = (struct svmc_reply){ .seq = r->seq, .done = r->count };
    store(value, r->in[0], sizeof value);
    reply->out_valid = r->direction == SVMC_DIRECTION_IN ? 1 : 0;
    switch (r->kind) {
    case SVMC_KIND_IN:
        reply->out[0] = port_read(d, r->address, r->size);
        break;
    case SVMC_KIND_OUT:
        port_write(d, r->address, value, r->size);
        break;
    case SVMC_KIND_INS:
    case SVMC_KIND_OUTS:
        reply->out_valid = 0;
        answer_string(d, r, data, cap, reply);
        break;
    case SVMC_KIND_MMIO_READ:
        reply->out[0] = mmio_read(d, id, r->address, r->size);
        break;
    case SVMC_KIND_MMIO_WRITE:
        mmio_write(d, id, r->address, r->in[0], r->size);
        break;
    case SVMC_KIND_RDMSR:
    case SVMC_KIND_WRMSR:
        answer_msr(d, id, r, reply);
        break;
    case SVMC_KIND_HYPERCALL:
        reply->out_valid = call(d, r, reply->out);
        break;
    default:
        reply->out_valid = 0;
        break;
    }
}
