/* SPDX-License-Identifier: MIT */
/** VMware's pointer: a queue of words beside the PS/2 mouse. docs/spec/vmware.md. */
#include "../../core/clamp.h"
#include "../../core/memory.h"
#include "vmware_private.h"

/* VW-18: Linux drivers/input/mouse/vmmouse.c, QEMU hw/i386/vmmouse.c. */
#define READ_ID          0x45414552u
#define DISABLE          0x000000f5u
#define REQUEST_RELATIVE 0x4c455252u
#define REQUEST_ABSOLUTE 0x53424152u
#define POINTER_VERSION  0x3442554au
#define PACKET_RELATIVE  0x00010000u
#define PACKET_WORDS     4u
#define READ_MAX         6u /* registers that can take a word */
#define RESTRICT_NOT     0u
#define RESTRICT_CPL0    1u
#define RESTRICT_IOPL    2u

CORE_SMALL void svmc_vmware_pointer_reset(struct svmc_vmware *vm)
{
    vm->priv.words = 0;
    vm->priv.pointer_status = VMWARE_POINTER_OFF;
    vm->priv.absolute = 0;
    vm->priv.restricted = RESTRICT_NOT;
}

CORE_SMALL static void turn_off(struct svmc_vmware *vm)
{
    vm->priv.words = 0; /* else a version that is asked for later stands behind them */
    vm->priv.pointer_status = VMWARE_POINTER_OFF;
}

CORE_SMALL static void read_words(struct svmc_vmware *vm, struct svmc_vmware_call *call)
{
    uint32_t count = vmware_get(call, 1), left = vm->priv.words;

    if (count == 0 || count > READ_MAX || count > left) {
        turn_off(vm);
        return;
    }
    count = core_clamp(count, READ_MAX + 1);
    for (uint32_t n = 0; n < count; n++)
        vmware_set(call, n, vm->priv.queue[n]); /* clamp: count was, above */
    left -= count;
    memmove(vm->priv.queue, vm->priv.queue + count, left * sizeof vm->priv.queue[0]);
    vm->priv.words = left;
}

CORE_SMALL static void command(struct svmc_vmware *vm, uint32_t which)
{
    uint32_t words = vm->priv.words;

    switch (which) {
    case READ_ID:
        if (words < SVMC_VMWARE_POINTER_WORDS) {
            vm->priv.queue[core_clamp(words, SVMC_VMWARE_POINTER_WORDS)] = POINTER_VERSION;
            vm->priv.words = words + 1;
            vm->priv.pointer_status = 0;
        }
        break;
    case DISABLE:
        turn_off(vm);
        break;
    case REQUEST_RELATIVE:
    case REQUEST_ABSOLUTE:
        if (vm->priv.pointer_status == 0)
            vm->priv.absolute = which == REQUEST_ABSOLUTE;
        break;
    default:
        break;
    }
}

CORE_SMALL bool svmc_vmware_pointer_command(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                            uint32_t which)
{
    uint32_t restricted = vm->priv.restricted;

    if (restricted != RESTRICT_NOT && call->user && !(restricted == RESTRICT_IOPL && call->iopl))
        return false;
    switch (which) {
    case SVMC_VMWARE_ISMOUSEABSOLUTE:
        vmware_set(call, 0, vm->priv.absolute);
        return true;
    case SVMC_VMWARE_ABSPOINTER_STATUS:
        vmware_set(call, 0, vm->priv.pointer_status << 16 | vm->priv.words);
        return true;
    case SVMC_VMWARE_ABSPOINTER_DATA:
        read_words(vm, call);
        return true;
    case SVMC_VMWARE_ABSPOINTER_COMMAND:
        command(vm, vmware_get(call, 1));
        return true;
    default: /* ABSPOINTER_RESTRICT */
        if (vmware_get(call, 1) > RESTRICT_IOPL ||
            (call->user && (!call->iopl || vmware_get(call, 1) == RESTRICT_CPL0)))
            return false;
        vm->priv.restricted = vmware_get(call, 1);
        return true;
    }
}

CORE_SMALL enum svmc_status svmc_vmware_pointer_move(struct svmc_vmware *vm,
                                                     const struct svmc_vmware_pointer *move)
{
    enum svmc_status st;
    uint32_t *to;

    if (!move)
        return SVMC_ERR_ARG;
    st = svmc_vmware_enter(vm);
    if (st != SVMC_OK)
        return st;
    if (vm->priv.pointer_status != 0) {
        st = SVMC_ERR_STALE;
    } else if (vm->priv.words > SVMC_VMWARE_POINTER_WORDS - PACKET_WORDS) {
        st = SVMC_ERR_FULL;
    } else {
        to = vm->priv.queue + vm->priv.words;
        to[0] = (move->buttons & 0xffff) | (vm->priv.absolute ? 0 : PACKET_RELATIVE);
        to[1] = (uint32_t)move->x;
        to[2] = (uint32_t)move->y;
        to[3] = (uint32_t)move->z;
        vm->priv.words += PACKET_WORDS;
    }
    vmware_release(vm);
    return st;
}
