/* SPDX-License-Identifier: MIT */
/**
 * What the parts of the VMware-compatible front end share. docs/spec/vmware.md. Small before fast:
 * the way into the hypervisor and out costs more than all of this.
 */
#ifndef HCALL_VMWARE_PRIVATE_H
#define HCALL_VMWARE_PRIVATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/vmware.h>

#include "../../core/memory.h"

#define VMWARE_POINTER_OFF  0xffffu /* pointer_status */
#define VMWARE_RESTRICT_MAX 2u /* restricted: CPL 0, and callers with the I/O privilege level */

/* VW-10: open-vm-tools lib/include/rpcout.h, rpcin.h. */
#define RPCI 0x49435052u
#define TCLO 0x4f4c4354u

enum stage { EMPTY, FILLING, WAITING, READING };
enum side { FROM_GUEST, TO_GUEST };

/* VW-12: an empty message takes a unit too, so that the place of a request holds a refusal. */
static inline uint32_t vmware_room_of(uint32_t bytes)
{
    uint32_t unit = SVMC_VMWARE_MESSAGE_UNIT;

    return (bytes + unit - (bytes != 0)) / unit * unit;
}

/* VW-20: who gets in has all of the VM until it leaves; nobody waits. */
static inline bool vmware_claim(struct svmc_vmware *vm)
{
    uint32_t nobody = 0;

    return __atomic_compare_exchange_n(&vm->priv.claimed, &nobody, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void vmware_release(struct svmc_vmware *vm)
{
    __atomic_store_n(&vm->priv.claimed, 0, __ATOMIC_RELEASE);
}

/* VW-3: argument n as the guest wrote it, and as it gets it: 32 bits, the others are nothing. */
static inline uint32_t vmware_get(const struct svmc_vmware_call *call, unsigned n)
{
    return (uint32_t)call->arg[n];
}

static inline void vmware_set(struct svmc_vmware_call *call, unsigned n, uint32_t value)
{
    call->arg[n] = value;
}

/* The upper half of argument n alone: an id, a type, a status. */
static inline void vmware_set_upper(struct svmc_vmware_call *call, unsigned n, uint32_t value)
{
    call->arg[n] = (call->arg[n] & 0xffff) | value << 16;
}

/* The same for what the host calls: SVMC_OK, SVMC_ERR_ARG or SVMC_ERR_STATE. */
enum svmc_status svmc_vmware_enter(struct svmc_vmware *vm);

/* VW-18: one command of the pointer; false: not for this caller. The VM is claimed. */
bool svmc_vmware_pointer_command(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                 uint32_t command);
void svmc_vmware_pointer_reset(struct svmc_vmware *vm);

/* VW-9 to VW-17; the VM is claimed. svmc_vmware_high: out->end is FAULT or as it was. */
enum svmc_status svmc_vmware_message(struct svmc_vmware *vm, struct svmc_vmware_call *call);
enum svmc_status svmc_vmware_high(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                  struct svmc_vmware_result *out);

/* VW-16: replies that are always the same. Behind the first two more can stand. */
enum vmware_reply {
    VMWARE_YES,
    VMWARE_NO,
    VMWARE_NO_ROOM,
    VMWARE_NO_VALUE,
    VMWARE_NONE_GIVEN,
    VMWARE_KEY_LONG,
    VMWARE_VALUE_LONG,
    VMWARE_QUOTA,
    VMWARE_DENIED,
    VMWARE_UNKNOWN
};
uint32_t svmc_vmware_say(uint8_t *reply, enum vmware_reply which);

/* VW-16: the reply, at most message_bytes of it, to a request of RPCI; returns its length. */
uint32_t svmc_vmware_rpci(struct svmc_vmware *vm, const struct svmc_vmware_call *call,
                          const uint8_t *text, uint32_t bytes, uint8_t *reply);

#endif
