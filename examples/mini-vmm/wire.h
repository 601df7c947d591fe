/* SPDX-License-Identifier: MIT */
/** What keeper and host agree on beside the parameter page: file descriptors and doorbells. */
#ifndef WIRE_H
#define WIRE_H
#include <stdint.h>

#define WIRE_VCPUS_MAX 4u

/* The host's file descriptors: 1 is the console pipe; three a vCPU from here on. */
#define WIRE_FIRST_FD      3
#define WIRE_FDS_PER_VCPU  3
#define WIRE_PAGE(vcpu)    (WIRE_FIRST_FD + WIRE_FDS_PER_VCPU * (int)(vcpu))
#define WIRE_REQUEST(vcpu) (WIRE_PAGE(vcpu) + 1)
#define WIRE_ANSWER(vcpu)  (WIRE_PAGE(vcpu) + 2)

/*
 * The answer doorbell is an eventfd; its value is the host's own word about the answer, for the
 * report only: nothing is decided by it, but with --dma whether there is an answer at all: with
 * WIRE_TAG_DMA a message waits in the page of dma_wire.h. Bit 0 is always set (an eventfd cannot
 * carry 0).
 */
#define WIRE_TAG_LIE(value)   ((uint32_t)((value) >> 1 & 0xff)) /* number of the lie + 1; 0: none */
#define WIRE_TAG_FLIPS(value) ((value) >> 16)                   /* words flipped by the racer */
#define WIRE_TAG_DMA          ((uint64_t)1 << 9)
#define WIRE_TAG(lie, flips)  (1 | (uint64_t)(lie) << 1 | (uint64_t)(flips) << 16)

/*
 * Between two requests the keeper asks for the devices themselves, to save them, or gives some
 * that were saved: in the first page, WIRE_DEVICES_MAGIC in place of a request. What the bytes mean
 * is the host's business.
 */
#define WIRE_DEVICES_MAGIC 0x56454453u
#define WIRE_DEVICES_GIVE  1u
#define WIRE_DEVICES_TAKE  2u
#define WIRE_DEVICES_BYTES 2048u

struct wire_devices {
    uint32_t magic;
    uint32_t op; /* 0: done */
    uint8_t bytes[WIRE_DEVICES_BYTES];
};

#endif
