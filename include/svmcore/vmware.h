/* SPDX-License-Identifier: MIT */
/**
 * The calls that guests of VMware make, answered: version, clocks, the pointer, message channels
 * with RPCI and TCLO. One struct svmc_vmware a VM; however the call trapped. docs/spec/vmware.md.
 */
#ifndef SVMCORE_VMWARE_H
#define SVMCORE_VMWARE_H
#include <stdint.h>
#include "status.h"
#include "vmware_types.h"
#ifdef __cplusplus
extern "C" {
#endif

/** One VM. */
struct svmc_vmware {
    struct {
        struct svmc_vmware_config config;
        struct svmc_vmware_ops ops; /* what the host has not is NULL */
        void *ctx;
        uint32_t claimed; /* atomic: 1: somebody is in */
        uint32_t generation;
        struct svmc_vmware_message *first; /* in the arena */
        uint32_t absolute, restricted;
        uint32_t pointer_status; /* 0 or 0xffff */
        uint32_t words;
        uint32_t queue[SVMC_VMWARE_POINTER_WORDS];
    } priv;
};

/** A movement of the pointer. */
struct svmc_vmware_pointer {
    uint32_t buttons; /* 0x20 left, 0x10 right, 0x08 middle */
    int32_t x, y;     /* absolute: 0 to 0xffff; relative: steps */
    int32_t z;        /* wheel */
};

/**
 * Make a VM, with no channel open and the pointer off.
 *
 * Owns:    copies of config and ops; channels, arena and ctx must outlive the VM.
 * State:   on an error the VM answers NOT_OURS to every call.
 * Threads: one caller, before the first vCPU runs.
 * Source:  VW-1, VW-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a size, a limit or a flag that is none, `random` missing,
 *         `idle_ticks` without `ticks`).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_init(struct svmc_vmware *vm,
                                                          const struct svmc_vmware_config *config,
                                                          const struct svmc_vmware_ops *ops,
                                                          void *ctx);

/**
 * Answer one call.
 *
 * State:   an error leaves *out zero and call->arg as they were, but that a high-bandwidth call
 *          whose callback failed has moved on by the pages that are done, as out->changed tells:
 *          write these registers as for FAULT, or hand in the same struct again.
 * Threads: any number of vCPUs of a VM at once, each with its own call. Nobody waits: who finds
 *          another one in gets SVMC_VMWARE_BUSY.
 * Source:  VW-3 to VW-21.
 *
 * @return SVMC_OK, with out->end; SVMC_ERR_ARG (NULL, an isa without these registers, a field out
 *         of range); SVMC_ERR_CALLBACK (random, translate or guest_span failed or gave nonsense).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_handle(struct svmc_vmware *vm,
                                                            struct svmc_vmware_call *call,
                                                            struct svmc_vmware_result *out);

/**
 * A checkpoint was taken, or the VM goes on from one: every message half sent or half received is
 * started again by the guest (SVMC_VMWARE_CHECKPOINT). None is lost and none is done twice.
 *
 * Source: VW-14.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (a vCPU is in; try again).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_checkpoint(struct svmc_vmware *vm);

/**
 * Close every channel, turn the pointer off: a reset (reason 0) or SVMC_VMWARE_POWEROFF.
 *
 * Source: VW-15.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (another reason); SVMC_ERR_STATE (a vCPU is in; try again).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_close(struct svmc_vmware *vm, uint32_t reason);

/**
 * Leave a message for the guest on a TCLO channel, which fetches it when it polls; bytes 0: take
 * back the one that is there (the guest that has begun to fetch it gets SVMC_VMWARE_UNSENT).
 *
 * Shape:  channel: as `tclo` was told it.
 * Owns:   a copy of data.
 * Source: VW-17.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, too long); SVMC_ERR_STALE (the channel is closed);
 *         SVMC_ERR_FULL (the last message was not fetched, or no room,
 *         even after idle channels were closed); SVMC_ERR_STATE (a vCPU is
 *         in; try again).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_tclo_send(struct svmc_vmware *vm,
                                                               uint32_t channel,
                                                               const uint8_t *data, uint32_t bytes);

/**
 * Queue a movement for the guest. It reads the queue after an interrupt of its PS/2 mouse, which is
 * yours to raise.
 *
 * Source: VW-18.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE (the guest has it off: use the PS/2 mouse);
 *         SVMC_ERR_FULL (dropped); SVMC_ERR_STATE (a vCPU is in; try again).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_pointer_move(
    struct svmc_vmware *vm, const struct svmc_vmware_pointer *move);

/**
 * CPUID as such a guest sees it: 1 gets its hypervisor bit, 0x40000000 to 0x40000010 are filled in.
 *
 * Shape:   regs: EAX, EBX, ECX, EDX, as the processor or the hypervisor has them.
 * Threads: pure.
 * Source:  VW-19.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_MISMATCH (another leaf; regs are unchanged).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_cpuid(const struct svmc_vmware_config *config,
                                                           uint32_t leaf, uint32_t regs[4]);

#ifdef __cplusplus
}
#endif
#endif
