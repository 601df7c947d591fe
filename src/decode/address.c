/* SPDX-License-Identifier: MIT */
/* svmc_insn_address. Rules AD-n: docs/spec/address.md. */
#include <stdbool.h>
#include <svmcore/address.h>
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"
#include "isa.h"
#include "x86/x86.h"

/* The memory operand in question, and who asks. */
struct place {
    const struct svmc_insn *insn;
    const struct svmc_address_regs *regs;
    uint8_t segment, base, index, scale;
    uint16_t bytes;
    bool accessed, tile; /* tile: lane is a row of one, AD-9 */
    unsigned lane;       /* which one is asked for */
    unsigned lane_bytes; /* x86: width of a lane of the vector index, AD-6; 0: no such index */
    int64_t disp;
};

/* general[number - first] where the file has `count` of them. */
static bool read_general(const struct place *p, unsigned number, unsigned first, unsigned count,
                         uint64_t *value)
{
    unsigned at = number - first;

    if (at >= count)
        return false;
    *value = p->regs->general[core_clamp(at, count)];
    return true;
}

static uint64_t read_lane(const struct place *p)
{
    return p->regs->index[core_clamp(p->lane, SVMC_ADDRESS_LANES)];
}

/* AD-7: how far a bit offset in a register moves the operand (SDM vol. 2 BT, BTC, BTR, BTS). */
static uint64_t bit_string(const struct place *p)
{
    const struct svmc_insn *insn = p->insn;
    unsigned bits = insn->operand_bytes * 8u;
    uint64_t offset;

    if (insn->id != SVMC_X86_BT && insn->id != SVMC_X86_BTS && insn->id != SVMC_X86_BTR &&
        insn->id != SVMC_X86_BTC)
        return 0;
    if (insn->reg_kind != SVMC_REG_KIND_GPR || bits < 16 || bits > 64 ||
        !read_general(p, insn->reg, SVMC_REG_RAX, 16, &offset))
        return 0;
    offset = (uint64_t)core_sign_extend(offset, bits) & ~(uint64_t)(bits - 1);
    return offset >> 3 | (0 - (offset >> 63)) << 61; /* divided by 8, with its sign */
}

/* AD-3: base and index of x86 as they count. False: a register that is none. */
static bool read_x86(const struct place *p, uint64_t *base, uint64_t *index)
{
    const struct svmc_insn *insn = p->insn;

    if (p->base == SVMC_REG_RIP)
        *base = p->regs->pc + insn->length;
    else if (p->base != SVMC_REG_NONE && !read_general(p, p->base, SVMC_REG_RAX, 16, base))
        return false;
    if (p->base == SVMC_REG_RSP && insn->id == SVMC_X86_POP) /* AD-8 */
        *base += insn->operand_bytes;
    if (p->index == SVMC_REG_NONE)
        return true;
    if (p->lane_bytes != 0) {
        *index = read_lane(p);
        if (p->lane_bytes == 4)
            *index = (uint64_t)core_sign_extend(*index, 32);
        return true;
    }
    if (!read_general(p, p->index, SVMC_REG_RAX, 16, index))
        return false;
    if (insn->id == SVMC_X86_XLAT)
        *index &= 0xff;
    if (p->tile)
        *index *= p->lane;
    return true;
}

/* AD-5 */
static bool is_canonical(uint64_t address, unsigned bits)
{
    return (uint64_t)core_sign_extend(address, bits) == address;
}

/* AD-2, AD-4 */
static bool address_x86(const struct place *p, struct svmc_address *out)
{
    uint64_t base = 0, index = 0, offset, last;
    bool wide = p->insn->isa == SVMC_ISA_X86_64;
    unsigned bits = p->regs->address_bits;

    if (p->segment > SVMC_SEG_GS || (wide ? bits != 48 && bits != 57 : bits != 0))
        return false;
    if (p->lane != 0 && p->lane_bytes == 0 && !p->tile)
        return false;
    if (!read_x86(p, &base, &index))
        return false;
    offset = base + index * p->scale + (uint64_t)p->disp + bit_string(p);
    out->linear = offset & core_mask(p->insn->address_bytes);
    if (!wide || p->segment >= SVMC_SEG_FS)
        out->linear += p->regs->segment_base[core_clamp(p->segment, 6)];
    if (!wide) {
        out->linear &= core_mask(4);
        return true;
    }
    last = out->linear + (p->bytes != 0 ? p->bytes - 1u : 0);
    if (p->accessed && !(is_canonical(out->linear, bits) && is_canonical(last, bits)))
        out->fault = p->segment == SVMC_SEG_SS ? SVMC_ADDRESS_FAULT_SS : SVMC_ADDRESS_FAULT_GP;
    return true;
}

/* X0 to X30, SP; XZR is 0. */
static bool read_a64(const struct place *p, unsigned number, uint64_t *value)
{
    *value = 0;
    return number == SVMC_REG_XZR || read_general(p, number, SVMC_REG_X0, 32, value);
}

/* AD-10, AD-11 */
static bool address_a64(const struct place *p, struct svmc_address *out)
{
    const struct svmc_insn *insn = p->insn;
    bool post = insn->flags & SVMC_INSN_POST_INDEX, pre = insn->flags & SVMC_INSN_PRE_INDEX;
    uint64_t base = p->regs->pc, index = 0, moved;

    if (p->base != SVMC_REG_PC && !read_a64(p, p->base, &base))
        return false;
    if (p->index != SVMC_REG_NONE && !read_a64(p, p->index, &index))
        return false;
    if (insn->index_extend == SVMC_INDEX_UXTW)
        index &= core_mask(4);
    else if (insn->index_extend == SVMC_INDEX_SXTW)
        index = (uint64_t)core_sign_extend(index, 32);
    moved = base + index * p->scale + (uint64_t)p->disp;
    out->linear = post ? base : moved;
    out->new_base = pre || post ? moved : 0;
    return true;
}

/* AD-12 */
static bool address_rv(const struct place *p, struct svmc_address *out)
{
    uint64_t base;

    if (p->index != SVMC_REG_NONE || !read_general(p, p->base, SVMC_REG_RV_X0, 32, &base))
        return false;
    if (p->base == SVMC_REG_RV_X0)
        base = 0;
    out->linear = base + (uint64_t)p->disp;
    if (p->insn->isa == SVMC_ISA_RV32)
        out->linear &= core_mask(4);
    return true;
}

/* AD-13. A vector index has its bare number; VGEF, VSCEF use 32 bits of a lane, without a sign. */
static bool address_s390(const struct place *p, struct svmc_address *out)
{
    unsigned bits = p->regs->address_bits;
    uint64_t base = 0, index = 0;
    bool vector = p->index < 32;

    if (bits != 24 && bits != 31 && bits != 64)
        return false;
    if (p->base == SVMC_REG_S390_IA)
        base = p->regs->pc;
    else if (p->base != SVMC_REG_NONE && !read_general(p, p->base, SVMC_REG_S390_R0, 16, &base))
        return false;
    if (vector)
        index = read_lane(p) & core_mask(p->bytes);
    else if (p->index != SVMC_REG_NONE && !read_general(p, p->index, SVMC_REG_S390_R0, 16, &index))
        return false;
    if (p->lane != 0 && !vector)
        return false;
    out->linear = base + index + (uint64_t)p->disp;
    if (bits != 64)
        out->linear &= ((uint64_t)1 << bits) - 1;
    return true;
}

/* AD-1: what there is to compute. False: nothing. */
static bool find_place(const struct svmc_insn *insn, const struct svmc_operand *op, struct place *p)
{
    p->insn = insn;
    p->tile = decode_isa_is_x86(insn->isa) && insn->reg_kind == SVMC_REG_KIND_TILE;
    if (op != NULL) {
        p->segment = op->segment;
        p->base = op->base;
        p->index = op->index;
        p->scale = op->scale;
        p->disp = op->disp;
        p->bytes = op->bytes;
        p->accessed = op->access != SVMC_ACCESS_NONE;
        p->lane_bytes = op->lane_bytes;
        return op->kind == SVMC_OPERAND_MEM;
    }
    p->segment = insn->segment;
    p->base = insn->base;
    p->index = insn->index;
    p->scale = insn->scale;
    p->disp = insn->disp;
    p->bytes = insn->mem_bytes;
    p->accessed = insn->access != SVMC_ACCESS_NONE;
    if (decode_isa_is_x86(insn->isa)) {
        p->lane_bytes = svmc_x86_lane_bytes(insn);
        return insn->segment != SVMC_SEG_NONE;
    }
    return insn->base != SVMC_REG_NONE || insn->index != SVMC_REG_NONE ||
           insn->access != SVMC_ACCESS_NONE;
}

static bool compute(const struct place *p, struct svmc_address *out)
{
    if (decode_isa_is_x86(p->insn->isa))
        return address_x86(p, out);
    if (p->insn->isa == SVMC_ISA_S390X)
        return address_s390(p, out);
    if (p->regs->address_bits != 0 || p->lane != 0)
        return false;
    if (p->insn->isa == SVMC_ISA_A64)
        return address_a64(p, out);
    if (p->insn->isa == SVMC_ISA_RV32 || p->insn->isa == SVMC_ISA_RV64)
        return address_rv(p, out);
    return false;
}

enum svmc_status svmc_insn_address(const struct svmc_insn *insn, const struct svmc_operand *op,
                                   const struct svmc_address_regs *regs, unsigned lane,
                                   struct svmc_address *out)
{
    struct place p = { .regs = regs, .lane = lane };
    uint8_t reserved = 0;

    if (out == NULL)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (insn == NULL || regs == NULL || lane >= SVMC_ADDRESS_LANES || insn->length == 0)
        return SVMC_ERR_ARG;
    for (unsigned i = 0; i < sizeof regs->reserved; i++)
        reserved |= regs->reserved[i];
    if (reserved != 0 || !find_place(insn, op, &p))
        return SVMC_ERR_ARG;
    if (!compute(&p, out)) {
        memset(out, 0, sizeof *out);
        return SVMC_ERR_ARG;
    }
    return SVMC_OK;
}
