/* SPDX-License-Identifier: MIT */
/**
 * Front end for hypervisors that have nothing but the bytes at RIP: a decoded instruction becomes
 * an exit that the library finishes alone. Rule EX-3.
 */

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"

struct reader {
    const struct svmc_host_ops *ops;
    void *ctx;
    enum svmc_status st; /* the first failure; later reads give 0 */
};

static uint64_t read_reg(struct reader *r, uint32_t reg)
{
    uint64_t value = 0;

    if (r->st == SVMC_OK && r->ops->reg_read(r->ctx, reg, &value) != SVMC_OK)
        r->st = SVMC_ERR_CALLBACK;
    return r->st == SVMC_OK ? value : 0;
}

static const struct svmc_operand *find_operand(const struct svmc_insn *insn, uint32_t kind)
{
    for (uint32_t i = 0; i < insn->operand_count && i < SVMC_OPERANDS_MAX; i++)
        if (insn->operands[i].kind == kind)
            return &insn->operands[i];
    return NULL;
}

static uint64_t operand_value(struct reader *r, const struct svmc_operand *o)
{
    if (o->kind == SVMC_OPERAND_IMM)
        return o->imm & core_mask(o->bytes);
    return (read_reg(r, o->reg) >> (o->high ? 8 : 0)) & core_mask(o->bytes);
}

static void set_dest(struct svmc_exit *out, const struct svmc_operand *o, uint32_t extend)
{
    out->dest_reg = o->reg;
    out->dest_bytes = o->bytes;
    out->dest_high = o->high;
    out->dest_extend = (uint8_t)extend;
}

/* IN al/ax/eax, imm8/dx and OUT imm8/dx, al/ax/eax: data first or last, the port is the other. */
static enum svmc_status from_port(struct reader *r, const struct svmc_insn *insn,
                                  struct svmc_exit *out)
{
    bool in = insn->id == SVMC_X86_IN;
    const struct svmc_operand *data = &insn->operands[in ? 0 : 1];
    const struct svmc_operand *port = &insn->operands[in ? 1 : 0];

    if (insn->operand_count != 2 || data->kind != SVMC_OPERAND_REG)
        return SVMC_ERR_MISMATCH;
    out->kind = in ? SVMC_KIND_IN : SVMC_KIND_OUT;
    out->size = data->bytes;
    out->address = operand_value(r, port) & 0xffff;
    if (in)
        set_dest(out, data, SVMC_EXTEND_NONE);
    else
        out->value = operand_value(r, data);
    return SVMC_OK;
}

static uint64_t segment_base(struct reader *r, uint32_t segment)
{
    if (segment == SVMC_SEG_FS)
        return read_reg(r, SVMC_REG_FS_BASE);
    if (segment == SVMC_SEG_GS)
        return read_reg(r, SVMC_REG_GS_BASE);
    return 0; /* 64-bit mode: AMD APM vol. 2, 4.5.3 */
}

static enum svmc_status from_string(struct reader *r, const struct svmc_insn *insn,
                                    struct svmc_exit *out)
{
    const struct svmc_operand *mem = find_operand(insn, SVMC_OPERAND_MEM);
    uint64_t mask = core_mask(insn->address_bytes), offset, count = 1, room;

    if (!mem || mem->bytes == 0)
        return SVMC_ERR_MISMATCH;
    out->kind = insn->id == SVMC_X86_INS ? SVMC_KIND_INS : SVMC_KIND_OUTS;
    out->size = mem->bytes;
    out->address = read_reg(r, SVMC_REG_RDX) & 0xffff;
    out->address_bytes = insn->address_bytes;
    out->repeat = insn->repeat != SVMC_REPEAT_NONE;
    out->backward = (read_reg(r, SVMC_REG_RFLAGS) >> 10 & 1u) != 0;
    offset = read_reg(r, mem->base) & mask;
    out->buffer.v = segment_base(r, mem->segment) + offset;
    if (out->repeat)
        count = read_reg(r, SVMC_REG_RCX) & mask;
    /* what does not fit one chunk, or lies behind the end of the address size, comes next time */
    room = (mask - offset) / mem->bytes + (insn->address_bytes == 8 ? 0 : 1);
    if (count > room && count > 1)
        count = room > 0 ? room : 1;
    out->count = (uint32_t)(count < SVMC_PAGE_DATA_BYTES ? count : SVMC_PAGE_DATA_BYTES);
    return SVMC_OK;
}

/* MOV, MOVZX, MOVSX, MOVSXD between device memory and a register or immediate. */
static enum svmc_status from_memory(struct reader *r, const struct svmc_insn *insn, svmc_gpa gpa,
                                    struct svmc_exit *out)
{
    const struct svmc_operand *first = &insn->operands[0], *second = &insn->operands[1];

    if (insn->operand_count != 2 || insn->repeat != SVMC_REPEAT_NONE)
        return SVMC_ERR_UNSUPPORTED;
    out->address = gpa.v;
    if ((gpa.v & 0xfff) + (first->kind == SVMC_OPERAND_MEM ? first : second)->bytes > 4096)
        return SVMC_ERR_UNSUPPORTED; /* two pages may be two devices */
    if (first->kind == SVMC_OPERAND_REG && second->kind == SVMC_OPERAND_MEM) {
        out->kind = SVMC_KIND_MMIO_READ;
        out->size = second->bytes;
        set_dest(out, first, insn->extend);
        return SVMC_OK;
    }
    if (first->kind != SVMC_OPERAND_MEM || second->kind == SVMC_OPERAND_MEM)
        return first->kind == SVMC_OPERAND_MEM ? SVMC_ERR_UNSUPPORTED : SVMC_ERR_MISMATCH;
    out->kind = SVMC_KIND_MMIO_WRITE;
    out->size = first->bytes;
    out->value = operand_value(r, second);
    return SVMC_OK;
}

static enum svmc_status from_class(struct reader *r, const struct svmc_insn *insn, svmc_gpa gpa,
                                   struct svmc_exit *out)
{
    switch ((enum svmc_insn_class)insn->insn_class) {
    case SVMC_CLASS_PORT:
        return from_port(r, insn, out);
    case SVMC_CLASS_STRING_PORT:
        return from_string(r, insn, out);
    case SVMC_CLASS_MEMORY:
        if (insn->id == SVMC_X86_STOS || insn->id == SVMC_X86_MOVS || insn->id == SVMC_X86_LODS)
            return SVMC_ERR_UNSUPPORTED;
        return from_memory(r, insn, gpa, out);
    case SVMC_CLASS_CPUID:
        out->kind = SVMC_KIND_CPUID;
        return SVMC_OK;
    case SVMC_CLASS_MSR:
        out->kind = insn->id == SVMC_X86_RDMSR ? SVMC_KIND_RDMSR : SVMC_KIND_WRMSR;
        out->address = read_reg(r, SVMC_REG_RCX) & 0xffffffffu;
        if (out->kind == SVMC_KIND_WRMSR)
            out->value = (read_reg(r, SVMC_REG_RAX) & 0xffffffffu) | read_reg(r, SVMC_REG_RDX)
                                                                         << 32;
        return SVMC_OK;
    case SVMC_CLASS_IDLE:
        out->kind = SVMC_KIND_HLT;
        return SVMC_OK;
    case SVMC_CLASS_HYPERCALL:
        out->kind = SVMC_KIND_HYPERCALL;
        return SVMC_OK;
    case SVMC_CLASS_OTHER:
        break;
    }
    return SVMC_ERR_MISMATCH;
}

enum svmc_status svmc_exit_from_insn(const struct svmc_host_ops *ops, void *ctx,
                                     const struct svmc_insn *insn, enum svmc_insn_class cause,
                                     svmc_gpa gpa, struct svmc_exit *out)
{
    struct reader r = { ops, ctx, SVMC_OK };
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!ops || !HAS_OP(ops, reg_read) || !insn || insn->length == 0 ||
        insn->length > SVMC_INSN_MAX)
        return SVMC_ERR_ARG;
    if (insn->isa != SVMC_ISA_X86_64)
        return SVMC_ERR_UNSUPPORTED;
    if (insn->insn_class != (uint32_t)cause)
        return SVMC_ERR_MISMATCH;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    out->insn_bytes = insn->length;
    st = from_class(&r, insn, gpa, out);
    if (st == SVMC_OK)
        st = r.st;
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
