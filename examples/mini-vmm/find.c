/* SPDX-License-Identifier: MIT */
#include "find.h"

#include <string.h>

#include "../guests/bootinfo.h"
#include "boot.h"
#include "pager.h"
#include "watch.h"

/* What a register contributes to an address; a string's pointer may have moved on already. */
static uint64_t value(struct vcpu *v, uint8_t reg)
{
    struct kvm_regs *regs = vm_vcpu_regs(v->kvm);
    const uint64_t *at = regs && reg != SVMC_REG_NONE ? vm_reg(regs, reg) : NULL;

    return at ? *at : 0;
}

/* The demo's mapping: 1:1, but for the alias of the device. */
static uint64_t physical(uint64_t at)
{
    return at >= DEV_MMIO_ALIAS && at < DEV_MMIO_ALIAS + DEV_MMIO_BYTES
               ? at - DEV_MMIO_ALIAS + DEV_MMIO
               : at;
}

static bool is_string(const struct svmc_insn *insn)
{
    return insn->id == SVMC_X86_STOS || insn->id == SVMC_X86_MOVS || insn->id == SVMC_X86_LODS;
}

static bool address_fits(struct vcpu *v, const struct svmc_insn *insn, const struct svmc_operand *o,
                         uint64_t next, uint64_t want)
{
    uint64_t at = (uint64_t)o->disp;

    if (o->index_bytes != 0)
        return false; /* a vector of addresses */
    at += o->base == SVMC_REG_RIP ? next : value(v, o->base);
    at += value(v, o->index) * o->scale;
    if (insn->address_bytes == 4)
        at &= 0xffffffff;
    if (o->segment == SVMC_SEG_FS)
        at += BOOT_FS_BASE;
    if (o->segment == SVMC_SEG_GS)
        at += BOOT_GS_BASE;
    return physical(at) == want || (is_string(insn) && physical(at - o->bytes) == want);
}

/* A store has its value still in the register, or in the instruction. */
static bool value_fits(struct vcpu *v, const struct svmc_operand *o, const struct svmc_exit *e)
{
    uint64_t mask = e->size < 8 ? ((uint64_t)1 << (8 * e->size)) - 1 : ~(uint64_t)0;
    uint64_t held = o->kind == SVMC_OPERAND_IMM ? o->imm : value(v, o->reg) >> (o->high ? 8 : 0);

    if (o->kind == SVMC_OPERAND_REG && o->reg_kind != SVMC_REG_KIND_GPR)
        return false;
    return (held & mask) == e->value;
}

static bool memory_fits(struct vcpu *v, const struct svmc_insn *insn, const struct svmc_exit *e,
                        uint64_t next)
{
    struct svmc_operand operands[SVMC_OPERANDS_MAX];
    bool write = e->kind == SVMC_KIND_MMIO_WRITE;
    uint32_t count;

    if (svmc_insn_operands(insn, operands, &count) != SVMC_OK)
        return false;
    if (write && insn->id == SVMC_X86_MOV && count == 2 && !value_fits(v, &operands[1], e))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct svmc_operand *o = &operands[i];

        if (o->kind == SVMC_OPERAND_MEM && o->bytes == e->size &&
            (o->access & (write ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ)) &&
            address_fits(v, insn, o, next, e->address))
            return true;
    }
    return false;
}

static bool port_fits(struct vcpu *v, const struct svmc_insn *insn, const struct svmc_exit *e)
{
    bool write = e->kind == SVMC_KIND_OUT || e->kind == SVMC_KIND_OUTS;
    bool string = insn->insn_class == SVMC_CLASS_STRING_PORT;
    struct svmc_operand operands[SVMC_OPERANDS_MAX];
    bool port = false, size = false;
    uint32_t count;

    if (svmc_insn_operands(insn, operands, &count) != SVMC_OK)
        return false;
    if (write != (insn->id == SVMC_X86_OUT || insn->id == SVMC_X86_OUTS) ||
        (e->count > 1 && !(insn->flags & SVMC_INSN_REP)))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct svmc_operand *o = &operands[i];

        if (o->kind == SVMC_OPERAND_IMM)
            port |= o->imm == e->address;
        else if (o->kind == SVMC_OPERAND_REG && o->reg == SVMC_REG_RDX)
            port |= (value(v, SVMC_REG_RDX) & 0xffff) == e->address;
        if (o->kind == (string ? SVMC_OPERAND_MEM : SVMC_OPERAND_REG) &&
            (string || o->reg == SVMC_REG_RAX))
            size |= o->bytes == e->size;
    }
    return port && size;
}

static bool fits(struct vcpu *v, const struct svmc_insn *insn, const struct svmc_exit *e,
                 uint64_t next)
{
    switch (e->kind) {
    case SVMC_KIND_IN:
    case SVMC_KIND_INS:
    case SVMC_KIND_OUT:
    case SVMC_KIND_OUTS:
        return (insn->insn_class == SVMC_CLASS_PORT ||
                insn->insn_class == SVMC_CLASS_STRING_PORT) &&
               port_fits(v, insn, e);
    case SVMC_KIND_MMIO_READ:
    case SVMC_KIND_MMIO_WRITE:
        return insn->insn_class == SVMC_CLASS_MEMORY && memory_fits(v, insn, e, next);
    case SVMC_KIND_RDMSR:
        return insn->id == SVMC_X86_RDMSR;
    case SVMC_KIND_WRMSR:
        return insn->id == SVMC_X86_WRMSR;
    case SVMC_KIND_HLT:
        return insn->id == SVMC_X86_HLT;
    default:
        return false;
    }
}

/* Does an instruction at `at` fit the exit? Its length, or 0; *string: one that may repeat. */
static uint8_t length_at(struct vcpu *v, uint64_t at, const struct svmc_exit *e, bool *string)
{
    /* with every feature: the processor has just executed it */
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                         .vendor = SVMC_VENDOR_AMD,
                                         .features = { UINT64_MAX, UINT64_MAX } };
    const struct vm *vm = v->kvm->vm;
    struct svmc_insn insn;
    size_t left;

    if (at >= vm->memory_bytes)
        return 0;
    left = vm->memory_bytes - at;
    if (svmc_insn_decode(&cpu, vm->memory + at, left < SVMC_INSN_MAX ? left : SVMC_INSN_MAX,
                         &insn) != SVMC_OK ||
        !fits(v, &insn, e, at + insn.length))
        return 0;
    *string |= insn.insn_class == SVMC_CLASS_STRING_PORT || is_string(&insn);
    return insn.length;
}

/* What fits the exit on one side of RIP. */
struct candidates {
    unsigned count;
    uint64_t at; /* of the last one found */
    uint8_t length;
};

/* KVM ends an OUT to this port before the exit, unlike others: KVM_X86_QUIRK_OUT_7E_INC_RIP. */
#define PORT_QUIRK 0x7eu

uint8_t find_insn(struct vcpu *v, uint8_t bytes[SVMC_INSN_MAX])
{
    uint64_t rip = value(v, SVMC_REG_RIP);
    struct candidates side[FIND_SIDES] = { { 0 } }, *found;
    struct svmc_exit exit;
    bool string = false;
    uint8_t length, *known;

    if (svmc_exit_from_kvm(v->run, v->run_bytes, &exit) != SVMC_OK)
        return 0;
    if (v->kvm->vm->pager &&
        !pager_touch(v->kvm->vm->pager, rip > SVMC_INSN_MAX ? rip - SVMC_INSN_MAX : 0,
                     2 * SVMC_INSN_MAX))
        return 0;
    length = length_at(v, rip, &exit, &string);
    if (length > 0)
        side[FIND_AT] = (struct candidates){ 1, rip, length };
    for (uint64_t back = 1; back <= SVMC_INSN_MAX && back <= rip; back++)
        if (length_at(v, rip - back, &exit, &string) == back)
            side[FIND_BEHIND] =
                (struct candidates){ side[FIND_BEHIND].count + 1, rip - back, (uint8_t)back };
    known = &v->watch->rip_side[report_kind(exit.kind)];
    found = &side[side[FIND_AT].count > 0 ? FIND_AT : FIND_BEHIND];
    if (!string && exit.address != PORT_QUIRK) {
        if (*known != FIND_UNKNOWN)
            found = &side[*known];
        else if (side[FIND_AT].count + side[FIND_BEHIND].count == 1)
            *known = (uint8_t)(found - side);
        else
            return 0;
    } else if (side[FIND_AT].count + side[FIND_BEHIND].count != 1) {
        return 0;
    }
    if (found->count != 1)
        return 0;
    memcpy(bytes, v->kvm->vm->memory + found->at, found->length);
    return found->length;
}
