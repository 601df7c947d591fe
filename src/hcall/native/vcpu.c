/* SPDX-License-Identifier: MIT */
/** A vCPU that calls: where it stands, what it is lent, and which registers a call is in. */
#include "../../core/crypto_ops.h"
#include "native_private.h"

/* HN-5: one bit in each field; 0: no such place. */
CORE_COLD static uint64_t who_is(const struct svmc_hcall_place *p)
{
    if (!p || p->level > 3 || p->role > 15 || p->phase > 7 || p->nested > 3 ||
        (p->reserved[0] | p->reserved[1] | p->reserved[2]) != 0)
        return 0;
    return SVMC_HCALL_LEVEL(p->level) | SVMC_HCALL_ROLE(p->role) | SVMC_HCALL_PHASE(p->phase) |
           SVMC_HCALL_NESTED(p->nested) | SVMC_HCALL_CLASS(0);
}

/* HN-4: what the calls of the table need is there, so that nothing is NULL in a call. */
CORE_COLD static bool has_all(const struct svmc_hcall_vm *vm, const struct svmc_hcall_room *room)
{
    const struct svmc_hcall_ops *ops = vm->ops;
    uint32_t needs = vm->table->priv.needs;

    if (vm->batch_entries != 0)
        needs |= NEED_SPAN | NEED_TRANSLATE;
    if (vm->batch_ticks != 0 && !CORE_HAS_OP(ops, ticks))
        return false;
    if (((needs & NEED_SPAN) && !CORE_HAS_OP(ops, guest_span)) ||
        ((needs & NEED_TRANSLATE) && !CORE_HAS_OP(ops, translate)) ||
        ((needs & NEED_HANDLE) && !CORE_HAS_OP(ops, handle)))
        return false;
    if ((needs & NEED_SLOT) &&
        (room->slot_count == 0 || !vm->crypto || !CORE_HAS_OP(vm->crypto, mac)))
        return false;
    return room->slot_count <= 256 && (room->slots || room->slot_count == 0) &&
           (room->scratch || room->scratch_bytes == 0) && ((uintptr_t)room->scratch & 7) == 0;
}

CORE_COLD enum svmc_status svmc_hcall_vcpu_move(struct svmc_hcall_vcpu *v,
                                                const struct svmc_hcall_place *place)
{
    uint64_t who = who_is(place);

    if (!v || who == 0 || svmc_hcall_reg((enum svmc_isa)place->isa, 0) == SVMC_REG_NONE)
        return SVMC_ERR_ARG;
    v->priv.who = who | MAY_PLAIN | (v->priv.room.watch ? MAY_WATCHED : 0);
    v->priv.isa = place->isa;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_hcall_vcpu_init(struct svmc_hcall_vcpu *v,
                                                const struct svmc_hcall_vm *vm, uint32_t id,
                                                const struct svmc_hcall_place *place,
                                                const struct svmc_hcall_room *room)
{
    if (!v)
        return SVMC_ERR_ARG;
    memset(v, 0, sizeof *v);
    if (!vm || !room || !vm->ops || !vm->table || !vm->table->priv.entries || vm->inject > 1 ||
        vm->batch_entries > 0xfff || !has_all(vm, room))
        return SVMC_ERR_ARG;
    v->priv.room = *room;
    if (svmc_hcall_vcpu_move(v, place) != SVMC_OK) {
        memset(v, 0, sizeof *v);
        return SVMC_ERR_ARG;
    }
    v->priv.vm = vm;
    v->priv.ids[0] = vm->id;
    v->priv.ids[1] = id;
    for (uint32_t i = 0; i < room->slot_count; i++)
        memset(room->slots + i, 0, sizeof *room->slots);
    return SVMC_OK;
}

/* HN-2: general registers by their number; x86's are in no order. */
CORE_COLD enum svmc_reg svmc_hcall_reg(enum svmc_isa isa, unsigned n)
{
    static const uint8_t x86[] = {
        SVMC_REG_RAX, SVMC_REG_RDI, SVMC_REG_RSI, SVMC_REG_R8,  SVMC_REG_R9,  SVMC_REG_R10,
        SVMC_REG_R11, SVMC_REG_RAX, SVMC_REG_RDI, SVMC_REG_RSI, SVMC_REG_R8,  SVMC_REG_R9,
        SVMC_REG_R10, SVMC_REG_R11, SVMC_REG_R12, SVMC_REG_R13, SVMC_REG_R14,
    };
    static const uint8_t a64[] = { 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10 };
    /* a6; a0 to a5; a0; a1 to a6; t4 to t6 */
    static const uint8_t rv[] = {
        16, 10, 11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15, 16, 29, 30, 31
    };
    static const uint8_t s390[] = { 1, 2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6, 7, 1, 8, 9, 10 };

    if (n >= sizeof x86)
        return SVMC_REG_NONE;
    n = core_clamp(n, sizeof x86);
    switch (isa) {
    case SVMC_ISA_X86_64:
        return (enum svmc_reg)x86[n];
    case SVMC_ISA_A64:
        return (enum svmc_reg)(SVMC_REG_X0 + a64[n]);
    case SVMC_ISA_RV64:
        return (enum svmc_reg)(SVMC_REG_RV_X0 + rv[n]);
    case SVMC_ISA_S390X:
        return (enum svmc_reg)(SVMC_REG_S390_R0 + s390[n]);
    default:
        return SVMC_REG_NONE;
    }
}
