/* SPDX-License-Identifier: MIT */
/**
 * DMA in the demo (--dma): a block device and a net device in the untrusted host reach pages of the
 * guest that are held encrypted, by messages and through the engine, and nothing else. dma.c is the
 * embedding, dma_message.c the host's messages; lines with watch_ are the demo's.
 */
#ifndef DMA_H
#define DMA_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/dma.h>
#include <svmcore/exit.h>
#include <svmcore/keys.h>

#include "../guests/bootinfo.h"
#include "calls.h"
#include "dma_wire.h"

#define DMA_SLOTS      3u
#define DMA_FLIGHTS    4u
#define DMA_UNIT_BLOCK 64u /* bytes that are encrypted at a time */
#define DMA_UNIT_NET   256u
#define DMA_UNITS      (SVMC_DMA_PAGE / DMA_UNIT_BLOCK)
#define DMA_ROOM_BYTES 32768u
#define DMA_MESSAGES   64u /* of the host before it answers a request */

enum dma_slot { DMA_SLOT_BLOCK, DMA_SLOT_NET, DMA_SLOT_OTHER };

/** What the lines at the end say. */
struct dma_counts {
    uint32_t reads[2], writes[2]; /* of the block device, of the net device */
    uint64_t read_bytes[2], written_bytes[2];
    uint32_t looks, on_bus, at_devices; /* for the canary */
    uint32_t refused[DMA_TRIES];
    uint32_t faults; /* what should not have been refused, or was not */
};

/** All of it of a VM. */
struct dma {
    struct svmc_crypto_ops crypto; /* the back end's, random numbers from or to the tape */
    struct svmc_keyarena arena;
    struct svmc_vmkey key[2]; /* this VM's, another's */
    struct svmc_keyslots slots;
    struct svmc_devices devices;
    struct svmc_dma engine;
    uint32_t alg[DMA_SLOTS];
    svmc_key_handle slot[DMA_SLOTS];
    struct svmc_dma_flight flight[DMA_FLIGHTS]; /* stay here; the host has the index + 1 */
    struct svmc_dma_seal seals[DMA_PAGES][DMA_UNITS];
    uint8_t *bus; /* the pages as they are held: in the guest's memory, or, replayed, `own` */
    uint8_t noted[SVMC_DMA_PAGE], repair[SVMC_DMA_PAGE];
    bool put_back;
    struct dma_counts counts;
    uint8_t got[16]; /* the canary as the block device got it, and where it lies */
    uint64_t got_at;
    uint8_t data[WIRE_DMA_BYTES];
    uint8_t own[DMA_PAGES * SVMC_DMA_PAGE];
    size_t room_used;
    _Alignas(SVMC_CIPHER_ROOM_ALIGN) uint8_t room[DMA_ROOM_BYTES];
};

/** Before the first exit: keys, slots, functions, the pages. */
enum svmc_status dma_open(struct dma *d, struct vcpu *v);

/** Answer the exit in v->run, if it is an access to the pages or to the keeper's register. */
enum calls_end dma_serve(struct vcpu *v, const struct svmc_exit *exit);

/** The host has rung: was it with a message, and is it answered? false: it is a reply's bell, or
 *  the tape is bad. */
bool dma_message(struct vcpu *v, uint64_t tag);

/** The guest has passed: what there is to say. false: something was not as it should be. */
bool dma_end(struct vcpu *v);

/** Whose page of the guest: enum dma_slot. */
static inline uint32_t dma_owner(uint64_t gpa)
{
    return gpa < DMA_NET_DATA ? DMA_SLOT_BLOCK : DMA_SLOT_NET;
}

/** How often the canary stands there. */
uint32_t dma_canaries(const uint8_t *bytes, size_t n);

/** Why, for a line. */
const char *dma_reason(uint32_t reason);

#endif
