/* SPDX-License-Identifier: MIT */
/** Calls that did not end: a cursor for the guest, what it stands for in a slot of the vCPU's. */
#include "../../core/bytes.h"
#include "../../core/crypto_ops.h"
#include "native_private.h"

#define SLOT_BITS 8u
#define MISSES    65536u /* that a call outlives, of 2^40 tags */
#define TAG_SHIFT 24u    /* slot 7:0, generation 23:8, tag 63:24 */

/* HN-17: the resumed call's own, a free one, else the oldest, a program's before a kernel's. NULL:
   a program asks, and all are kernels'. */
CORE_COLD static struct svmc_hcall_slot *choose(const struct native_work *w)
{
    const struct svmc_hcall_room *room = &w->v->priv.room;
    const uint64_t kernels = (uint64_t)1 << 63;
    uint64_t least = w->who & SVMC_HCALL_USER ? kernels : UINT64_MAX, rank;
    struct svmc_hcall_slot *best = w->slot, *slot;

    for (uint32_t i = 0; i < room->slot_count && !w->slot; i++) {
        slot = room->slots + i;
        rank = slot->priv.active ? slot->priv.serial + 1 : 0;
        rank |= slot->priv.active && (slot->priv.who & SVMC_HCALL_KERNEL) ? kernels : 0;
        if (rank < least) {
            best = slot;
            least = rank;
        }
    }
    return best;
}

/* HN-17: made before the handler runs, for then nothing can fail any more. */
CORE_COLD enum svmc_status svmc_native_cursor(struct native_work *w)
{
    struct svmc_hcall_vcpu *v = w->v;
    const struct svmc_hcall_vm *vm = v->priv.vm;
    const struct svmc_crypto_ops *ops = vm->crypto;
    uint64_t serial = v->priv.serial;
    const uint64_t text[] = {
        core_le64((uint64_t)v->priv.ids[1] << 32 | v->priv.ids[0]),
        core_le64(serial),
        core_le64(v->priv.room.epoch),
        core_le64(w->call->control & ~(uint64_t)SVMC_HCALL_RESUME),
        core_le64(w->who),
    };
    uint64_t tag[SVMC_HASH_BYTES / 8];
    struct svmc_bytes piece = { text, sizeof text };

    w->next = choose(w);
    if (!w->next)
        return svmc_native_answer(w->out, SVMC_HCALL_RETRY, 0);
    if (ops->mac(ops->ctx, vm->mac_alg, vm->key, &piece, 1, (uint8_t *)tag) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    w->cursor = core_le64(tag[0]) << TAG_SHIFT | (serial & 0xffff) << SLOT_BITS |
                (uint64_t)(w->next - v->priv.room.slots);
    return SVMC_OK;
}

CORE_COLD static void abandon(struct svmc_hcall_vcpu *v, struct svmc_hcall_slot *slot)
{
    const struct svmc_hcall_vm *vm = v->priv.vm;

    if (slot->priv.active && CORE_HAS_OP(vm->ops, abandon))
        vm->ops->abandon(vm->ctx, v->priv.ids[1], slot->priv.control, slot->priv.progress);
    memset(slot, 0, sizeof *slot);
}

/* HN-18: one answer to a cursor that is forged, used, another's, or another call's. */
CORE_COLD bool svmc_native_resume(struct native_work *w)
{
    struct svmc_hcall_vcpu *v = w->v;
    uint64_t cursor = w->call->arg[0];
    uint32_t index = (uint32_t)cursor & ((1u << SLOT_BITS) - 1);
    struct svmc_hcall_slot *slot;

    if (index >= v->priv.room.slot_count)
        return false;
    slot = &v->priv.room.slots[core_clamp(index, v->priv.room.slot_count)];
    if (!slot->priv.active ||
        (((slot->priv.control ^ w->call->control) & ~(uint64_t)SVMC_HCALL_RESUME) |
         (slot->priv.who ^ w->who)) != 0)
        return false;
    if (slot->priv.cursor != cursor) {
        if (++slot->priv.misses >= MISSES) /* somebody is trying tags */
            abandon(v, slot);
        return false;
    }
    w->slot = slot;
    w->arg = slot->priv.arg;
    w->v->priv.run.progress = slot->priv.progress;
    w->v->priv.run.resumed = 1;
    return true;
}

/* HN-17: the handler is done. Its cursor is void now, and a new one stands for what is left. */
CORE_COLD void svmc_native_keep(struct native_work *w, bool partial)
{
    struct svmc_hcall_vcpu *v = w->v;
    struct svmc_hcall_slot *slot = w->slot;

    if (slot)
        slot->priv.active = 0;
    if (!partial)
        return;
    slot = w->next;
    if (slot != w->slot) {
        abandon(v, slot);
        memcpy(slot->priv.arg, w->arg, sizeof slot->priv.arg); /* not what the handler left */
    }
    slot->priv.active = 1;
    slot->priv.cursor = w->cursor;
    slot->priv.control = w->call->control & ~(uint64_t)SVMC_HCALL_RESUME;
    slot->priv.progress = w->v->priv.run.progress;
    slot->priv.who = w->who;
    slot->priv.serial = v->priv.serial++;
    slot->priv.misses = 0;
    slot->priv.token = w->token;
    slot->priv.token_class = w->v->priv.run.token_class;
}

CORE_COLD void svmc_hcall_vcpu_reset(struct svmc_hcall_vcpu *v)
{
    if (v && v->priv.vm)
        for (uint32_t i = 0; i < v->priv.room.slot_count; i++)
            abandon(v, &v->priv.room.slots[i]); /* clamp: a loop */
}
