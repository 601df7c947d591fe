/* SPDX-License-Identifier: MIT */
/**
 * What tests of slots, devices and DMA share: a quick crypto table that counts, fails and records
 * nonces, and a host with two VMs and eight devices whose memory is known in plain, too.
 */
#ifndef KEYSLOT_LAB_H
#define KEYSLOT_LAB_H
#include <svmcore/dma.h>

#include "../harness.h"

/* ---- a crypto table ---------------------------------------------------------------------------
 * Not secure: a keystream and a checksum of key, nonce, additional data and text, so that a run of
 * millions is quick. Everything that goes in changes what comes out.
 */
struct toy {
    struct svmc_crypto_ops ops; /* its ctx is this struct */
    unsigned calls, fail_at;    /* of seal, open and crypt; the k-th fails, 0: none */
    unsigned load_fails;
    int loaded; /* keys loaded and not dropped */
    /* what seal was given, if it is there: key and nonce, each pair once */
    void (*sealed)(const uint8_t *key, const uint8_t *nonce);
    void (*between)(void); /* called in each of them, before it does anything */
};

void toy_init(struct toy *toy);

/* ---- two VMs, eight devices ------------------------------------------------------------------*/

enum { LAB_VMS = 2, LAB_DEVICES = 8, LAB_PAGES = 12, LAB_IOVAS = 16, LAB_LANES = 4 };

/* Where an I/O page of a VM leads. */
struct dma_lab_map {
    uint32_t vm, page; /* vm LAB_VMS: nowhere */
    uint32_t access;
};

struct lab {
    const struct svmc_crypto_ops *crypto;
    struct svmc_keyslots ks;
    struct svmc_devices devices;
    struct svmc_dma dma;
    struct svmc_dma_ops ops;
    svmc_key_handle slot[LAB_VMS];
    svmc_key_handle page_slot[LAB_VMS][LAB_PAGES]; /* where it is another one than the VM's */
    struct svmc_keyslot_key key[LAB_VMS];
    uint8_t key_bytes[LAB_VMS][64];
    struct dma_lab_map map[LAB_VMS][LAB_IOVAS];
    unsigned translations, translate_fails;            /* calls; the k-th fails, 0: none */
    uint8_t memory[LAB_VMS][LAB_PAGES][SVMC_DMA_PAGE]; /* encrypted */
    uint8_t plain[LAB_VMS][LAB_PAGES][SVMC_DMA_PAGE];  /* what it must mean */
    struct svmc_dma_seal seal[LAB_VMS][LAB_PAGES][SVMC_DMA_PAGE / 64];
    _Alignas(64) uint8_t pool[32768], table[1024 * 16 + 8192], engine[LAB_LANES * 8192];
};

/* One host; VM v has algorithm alg[v] and units of unit[v] bytes, and its memory is written. */
void dma_lab_init(struct lab *lab, const struct svmc_crypto_ops *crypto, const uint32_t *alg,
                  const uint32_t *unit);
/* The function of a device, and whose it is. */
uint32_t dma_lab_bdf(uint32_t device);
uint32_t dma_lab_vm(uint32_t device);
/* A key in a fresh slot, devices bound to it, memory written with what `plain` says. */
void dma_lab_load(struct lab *lab, uint32_t vm, uint8_t fill);
void dma_lab_bind(struct lab *lab, uint32_t vm);
/* Revoke and unbind as a host does it. */
void dma_lab_revoke(struct lab *lab, uint32_t vm);
/* One piece in one direction. */
enum svmc_status dma_lab_move(struct lab *lab, uint32_t device, uint32_t direction, uint64_t iova,
                              void *buffer, size_t bytes, struct svmc_dma_result *result);
/* The address of a page of a VM under its key. */
uint64_t dma_lab_address(uint32_t page);
/* Whether all memory means what `plain` says, read by a device of the VM page by page. */
bool dma_lab_holds(struct lab *lab, uint32_t vm);

#endif
