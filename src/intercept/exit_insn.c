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

    if (r->st == SVMC_OK && reg > SVMC_REG_GS_BASE) /* no decode made it */
        r->st = SVMC_ERR_MISMATCH;
    if (r->st == SVMC_OK && r->ops->reg_read(r->ctx, reg, &value) != SVMC_OK)
        r->st = SVMC_ERR_CALLBACK;
    return r->st == SVMC_OK ? value : 0;
}

static void set_dest(struct svmc_exit *out, const struct svmc_insn *insn)
{
    out->dest_reg = insn->reg;
    out->dest_bytes = insn->reg_bytes;
    out->dest_high = (insn->flags & SVMC_INSN_HIGH_REG) != 0;
    out->dest_extend = insn->flags & SVMC_INSN_SIGN   ? SVMC_EXTEND_SIGN
                       : insn->flags & SVMC_INSN_ZERO ? SVMC_EXTEND_ZERO
                                                      : SVMC_EXTEND_NONE;
}

/* What is stored: the register operand, else the immediate. */
static uint64_t source_value(struct reader *r, const struct svmc_insn *insn, uint32_t bytes)
{
    uint64_t value = insn->imm;

    if (insn->reg_kind == SVMC_REG_KIND_GPR)
        value = read_reg(r, insn->reg) >> (insn->flags & SVMC_INSN_HIGH_REG ? 8 : 0);
    return value & core_mask(bytes);
}

/* IN al/ax/eax, imm8/dx and OUT imm8/dx, al/ax/eax: data first or last, the port is the other. */
static enum svmc_status from_port(struct reader *r, const struct svmc_insn *insn,
                                  struct svmc_exit *out)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    bool in = insn->id == SVMC_X86_IN;
    const struct svmc_operand *data = &list[in ? 0 : 1], *port = &list[in ? 1 : 0];
    uint32_t count;

    if (!in && insn->id != SVMC_X86_OUT)
        return SVMC_ERR_UNSUPPORTED;
    if (svmc_insn_operands(insn, list, &count) != SVMC_OK || count != 2 ||
        data->kind != SVMC_OPERAND_REG)
        return SVMC_ERR_MISMATCH;
    out->kind = in ? SVMC_KIND_IN : SVMC_KIND_OUT;
    out->size = (uint8_t)data->bytes;
    out->address = (port->kind == SVMC_OPERAND_IMM ? port->imm : read_reg(r, port->reg)) & 0xffff;
    if (in) {
        out->dest_reg = data->reg;
        out->dest_bytes = (uint8_t)data->bytes;
    } else {
        out->value = read_reg(r, data->reg) & core_mask(data->bytes);
    }
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
    uint64_t mask = core_mask(insn->address_bytes), offset, count = 1, room;

    if (insn->id != SVMC_X86_INS && insn->id != SVMC_X86_OUTS)
        return SVMC_ERR_UNSUPPORTED;
    if (insn->mem_bytes == 0 || insn->mem_bytes > 4)
        return SVMC_ERR_MISMATCH;
    out->kind = insn->id == SVMC_X86_INS ? SVMC_KIND_INS : SVMC_KIND_OUTS;
    out->size = (uint8_t)insn->mem_bytes;
    out->address = read_reg(r, SVMC_REG_RDX) & 0xffff;
    out->address_bytes = insn->address_bytes;
    out->repeat = (insn->flags & SVMC_INSN_REP) != 0;
    out->backward = (read_reg(r, SVMC_REG_RFLAGS) >> 10 & 1u) != 0;
    offset = read_reg(r, insn->base) & mask;
    out->buffer.v = segment_base(r, insn->segment) + offset;
    if (out->repeat)
        count = read_reg(r, SVMC_REG_RCX) & mask;
    /* what does not fit one chunk, or lies behind the end of the address size, comes next time */
    room = (mask - offset) / insn->mem_bytes + (insn->address_bytes == 8 ? 0 : 1);
    if (count > room && count > 1)
        count = room > 0 ? room : 1;
    out->count = (uint32_t)(count < SVMC_PAGE_DATA_BYTES ? count : SVMC_PAGE_DATA_BYTES);
    return SVMC_OK;
}

/*
 * MOV, MOVZX, MOVSX, MOVSXD between device memory and a general register or immediate. Whatever
 * else touches memory is not finished here.
 */
static enum svmc_status from_memory(struct reader *r, const struct svmc_insn *insn, svmc_gpa gpa,
                                    struct svmc_exit *out)
{
    bool load = insn->access == SVMC_ACCESS_READ;

    if (insn->id != SVMC_X86_MOV && insn->id != SVMC_X86_MOVZX && insn->id != SVMC_X86_MOVSX &&
        insn->id != SVMC_X86_MOVSXD)
        return SVMC_ERR_UNSUPPORTED;
    if ((!load && insn->access != SVMC_ACCESS_WRITE) || insn->mem_bytes == 0 || insn->mem_bytes > 8)
        return SVMC_ERR_MISMATCH;
    if (insn->reg_kind != SVMC_REG_KIND_GPR && (load || insn->reg_kind != SVMC_REG_KIND_NONE))
        return SVMC_ERR_UNSUPPORTED; /* a segment register */
    if ((gpa.v & 0xfff) + insn->mem_bytes > 4096)
        return SVMC_ERR_UNSUPPORTED; /* two pages may be two devices */
    out->kind = load ? SVMC_KIND_MMIO_READ : SVMC_KIND_MMIO_WRITE;
    out->address = gpa.v;
    out->size = (uint8_t)insn->mem_bytes;
    if (load)
        set_dest(out, insn);
    else
        out->value = source_value(r, insn, insn->mem_bytes);
    return SVMC_OK;
}

static enum svmc_status from_msr(struct reader *r, const struct svmc_insn *insn,
                                 struct svmc_exit *out)
{
    if (insn->id != SVMC_X86_RDMSR && insn->id != SVMC_X86_WRMSR)
        return SVMC_ERR_UNSUPPORTED;
    out->kind = insn->id == SVMC_X86_RDMSR ? SVMC_KIND_RDMSR : SVMC_KIND_WRMSR;
    out->address = read_reg(r, SVMC_REG_RCX) & 0xffffffffu;
    if (out->kind == SVMC_KIND_WRMSR)
        out->value = (read_reg(r, SVMC_REG_RAX) & 0xffffffffu) | read_reg(r, SVMC_REG_RDX) << 32;
    return SVMC_OK;
}

/* The instructions that have a kind and nothing else. */
static enum svmc_status from_id(const struct svmc_insn *insn, struct svmc_exit *out)
{
    switch (insn->id) {
    case SVMC_X86_CPUID:
        out->kind = SVMC_KIND_CPUID;
        return SVMC_OK;
    case SVMC_X86_HLT:
        out->kind = SVMC_KIND_HLT;
        return SVMC_OK;
    case SVMC_X86_VMCALL:
    case SVMC_X86_VMMCALL:
        out->kind = SVMC_KIND_HYPERCALL;
        return SVMC_OK;
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
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
        return from_memory(r, insn, gpa, out);
    case SVMC_CLASS_MSR:
        return from_msr(r, insn, out);
    case SVMC_CLASS_CPUID:
    case SVMC_CLASS_IDLE:
    case SVMC_CLASS_HYPERCALL:
        return from_id(insn, out);
    case SVMC_CLASS_OTHER: /* nothing of it can exit */
        return SVMC_ERR_MISMATCH;
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
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
