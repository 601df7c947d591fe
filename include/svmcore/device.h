/* SPDX-License-Identifier: MIT */
/**
 * The device table: which key slot a PCI function's transactions belong to. An entry is a handle,
 * so that a revoked slot's devices have none. Functions are numbered segment, bus, device and
 * function; with ARI the low eight bits are the function.
 * Source: docs/spec/device.md, rules DT-1 to DT-9.
 */
#ifndef SVMCORE_DEVICE_H
#define SVMCORE_DEVICE_H
#include <stddef.h>
#include <stdint.h>
#include "keyslot.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_DEVICE_SEGMENTS_MAX 256u
#define SVMC_DEVICE_ALIGN        64u /* of the memory that a table is built in */

/** A function: segment << 16 | bus << 8 | device << 3 | function. */
#define SVMC_BDF(segment, bus, device, function)                                               \
    ((uint32_t)(segment) << 16 | ((uint32_t)(bus)&255u) << 8 | ((uint32_t)(device)&31u) << 3 | \
     ((uint32_t)(function)&7u))
/** The same of a device with ARI (PCIe 6.13): function 0 to 255, no device number. */
#define SVMC_BDF_ARI(segment, bus, function) \
    ((uint32_t)(segment) << 16 | ((uint32_t)(bus)&255u) << 8 | ((uint32_t)(function)&255u))

struct svmc_devices_config {
    uint32_t segments; /* PCI segments, 1 to SVMC_DEVICE_SEGMENTS_MAX */
    uint32_t buses;    /* 0: direct, 256 KiB a segment, the fastest; else for so many buses at most,
                          1 KiB each and 512 bytes a segment */
};

/** All functions of a host. */
struct svmc_devices {
    struct {
        uint32_t *entry; /* handles */
        uint16_t *bus;   /* two levels: row of a bus, + 1; NULL: direct */
        uint32_t functions, rows, used, reserved;
    } priv;
};

/** An SR-IOV capability as the physical function has it. */
struct svmc_sriov {
    uint32_t pf;     /* SVMC_BDF of the physical function */
    uint16_t first;  /* First VF Offset */
    uint16_t stride; /* VF Stride */
    uint16_t count;  /* NumVFs */
    uint16_t reserved;
};

/** @return the bytes that svmc_devices_init needs; 0: the numbers are not possible. */
SVMC_API size_t svmc_devices_bytes(const struct svmc_devices_config *config);

/**
 * Lay a table out, with no function bound.
 *
 * Shape:  memory[bytes] at a multiple of SVMC_DEVICE_ALIGN.
 * Owns:   the caller keeps memory, which outlives the table.
 * Source: DT-1, DT-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (too few bytes).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_devices_init(struct svmc_devices *table,
                                                           const struct svmc_devices_config *config,
                                                           void *memory, size_t bytes);

/*
 * bind, unbind and rebind are called by one caller at a time for a table; find and DMA go on
 * meanwhile. Who has unbound waits until svmc_keyslots_quiet with a ticket of svmc_keyslots_flush
 * is SVMC_OK: then no transaction of that function is left.
 */

/**
 * Bind a function to a slot.
 *
 * State:  nothing changes on an error.
 * Source: DT-3, DT-4.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no such segment, handle {0}); SVMC_ERR_STATE (bound: unbind
 *         it first); SVMC_ERR_FULL (no room for one more bus).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_device_bind(struct svmc_devices *table, uint32_t bdf,
                                                          svmc_key_handle handle);

/** @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (not bound). DT-5 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_device_unbind(struct svmc_devices *table,
                                                            uint32_t bdf);

/** Unbind every function of a slot. @return how many. DT-5 */
SVMC_API uint32_t svmc_device_unbind_slot(struct svmc_devices *table, svmc_key_handle handle);

/** Give every function of a slot to another one: each has one of the two at any time. {0} changes
 *  nothing. @return how many. DT-9 */
SVMC_API uint32_t svmc_device_rebind_slot(struct svmc_devices *table, svmc_key_handle from,
                                          svmc_key_handle to);

/**
 * Where virtual function n (from 1) of a physical one is.
 *
 * Source: DT-6; PCIe 9.2.1.2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, n is not below or at count, or beyond the segment).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_device_vf(const struct svmc_sriov *sriov, uint32_t n,
                                                        uint32_t *bdf);

/**
 * Bind virtual functions n to n + count - 1 to one slot, all or none.
 *
 * Source: DT-7.
 *
 * @return as svmc_device_vf and svmc_device_bind; SVMC_ERR_ARG for count 0 too.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_device_bind_vfs(struct svmc_devices *table,
                                                              const struct svmc_sriov *sriov,
                                                              uint32_t n, uint32_t count,
                                                              svmc_key_handle handle);

/**
 * The slot of a function.
 *
 * State:   *handle is {0} on any error.
 * Threads: any.
 * Source:  DT-8.
 *
 * @return SVMC_OK; SVMC_ERR_REFUSED (not bound); SVMC_ERR_ARG (NULL, beyond the segments).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_device_find(const struct svmc_devices *table,
                                                          uint32_t bdf, svmc_key_handle *handle);

#ifdef __cplusplus
}
#endif
#endif
