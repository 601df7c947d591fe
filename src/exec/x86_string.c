/* SPDX-License-Identifier: MIT */
/* x86: string instructions and their repetition. XE-9, XE-12: docs/spec/exec.md. */
#include "x86_private.h"

/* What an iteration accesses at most: permission map, ports, two operands that cross pages. */
#define ACCESSES_OF_ONE 8u

/* DE-12: of two operands the one that the instruction's fields do not show has the override. */
static unsigned source_segment(const struct x86_run *e)
{
    uint32_t prefixes = e->insn->priv_raw[1] & PREFIX_SEGMENT;

    return prefixes != 0 ? (prefixes >> 11) - 1 : SVMC_SEG_DS;
}

static bool reach_source(struct x86_run *e, struct exec_span *span)
{
    return x86_reach(e, source_segment(e), x86_get(e, SVMC_REG_RSI, e->insn->address_bytes),
                     e->insn->mem_bytes, SVMC_ACCESS_READ, span);
}

static bool reach_destination(struct x86_run *e, uint32_t access, struct exec_span *span)
{
    return x86_reach(e, SVMC_SEG_ES, x86_get(e, SVMC_REG_RDI, e->insn->address_bytes),
                     e->insn->mem_bytes, access, span);
}

static void advance(struct x86_run *e, unsigned reg)
{
    unsigned address = e->insn->address_bytes, bytes = e->insn->mem_bytes;
    uint64_t by = (e->regs->rflags & FLAG_DF) != 0 ? 0 - (uint64_t)bytes : bytes;

    x86_set(e, reg, address, x86_get(e, reg, address) + by);
}

/* MOVS, STOS, LODS: memory to memory, register to memory, memory to register. */
static bool copy(struct x86_run *e)
{
    struct exec_span from, to;
    uint64_t value = x86_get(e, SVMC_REG_RAX, e->insn->mem_bytes);

    if (e->op != X86_OP_STOS && !reach_source(e, &from))
        return false;
    if (e->op != X86_OP_LODS && !reach_destination(e, SVMC_ACCESS_WRITE, &to))
        return false;
    if (e->op != X86_OP_STOS && !x86_read(e, &from, &value))
        return false;
    if (e->op != X86_OP_LODS && !exec_write_value(&e->r, &to, value))
        return false;
    if (e->op == X86_OP_LODS)
        x86_set(e, SVMC_REG_RAX, e->insn->mem_bytes, value);
    return true;
}

/* CMPS: ES:RDI first, as Intel's do where both fault; no manual says. */
static bool compare(struct x86_run *e)
{
    unsigned bytes = e->insn->mem_bytes;
    uint64_t a = x86_get(e, SVMC_REG_RAX, bytes), b, flags = e->regs->rflags;
    struct exec_span first, second;

    if (!reach_destination(e, SVMC_ACCESS_READ, &second) ||
        (e->op == X86_OP_CMPS && !reach_source(e, &first)) || !x86_read(e, &second, &b) ||
        (e->op == X86_OP_CMPS && !x86_read(e, &first, &a)))
        return false;
    svmc_exec_x86_alu(X86_OP_CMP, a, b, bytes * 8, &flags);
    x86_set_status(e, flags);
    return true;
}

static bool may_use_port(struct x86_run *e)
{
    return svmc_exec_x86_may_use_port(e, (unsigned)x86_get(e, SVMC_REG_RDX, 2), e->insn->mem_bytes);
}

/* INS: the destination before the port, which is read once (CVE-2021-4093: all in bytes). */
static bool port(struct x86_run *e)
{
    unsigned bytes = e->insn->mem_bytes, number = (unsigned)x86_get(e, SVMC_REG_RDX, 2);
    struct exec_span span;
    const uint8_t *data;
    uint64_t value;

    if (!may_use_port(e))
        return false;
    if (e->op == X86_OP_INS) {
        if (!reach_destination(e, SVMC_ACCESS_WRITE, &span))
            return false;
        data = svmc_exec_port_read(&e->r, number, bytes);
        return data != NULL && exec_write_value(&e->r, &span, core_load_le64(data));
    }
    if (!reach_source(e, &span) || !x86_read(e, &span, &value))
        return false;
    core_store_le64(e->r.x->priv.store, value);
    return svmc_exec_port_write(&e->r, number, bytes);
}

static bool iterate(struct x86_run *e)
{
    bool two = e->op == X86_OP_MOVS || e->op == X86_OP_CMPS;
    bool ok;

    if (e->op == X86_OP_INS || e->op == X86_OP_OUTS)
        ok = port(e);
    else if (e->op == X86_OP_SCAS || e->op == X86_OP_CMPS)
        ok = compare(e);
    else
        ok = copy(e);
    if (!ok)
        return false;
    if (two || e->op == X86_OP_LODS || e->op == X86_OP_OUTS)
        advance(e, SVMC_REG_RSI);
    if (two || e->op == X86_OP_STOS || e->op == X86_OP_SCAS || e->op == X86_OP_INS)
        advance(e, SVMC_REG_RDI);
    e->r.out->iterations++;
    return true;
}

/* Whether CMPS and SCAS go on: F3 while equal, F2 while not. */
static bool goes_on(const struct x86_run *e)
{
    bool equal = (e->regs->rflags & FLAG_ZF) != 0;

    if (e->op != X86_OP_SCAS && e->op != X86_OP_CMPS)
        return true;
    return (e->insn->flags & SVMC_INSN_REPNE) ? !equal : equal;
}

/*
 * With 32-bit addresses in 64-bit mode Intel's clear the upper half of RCX, and of the pointers of
 * MOVS and STOS, even if the count is 0 or the first element faults (Linux,
 * arch/x86/kvm/emulate.c, string_registers_quirk; exec_native.c sees it).
 */
static void clear_halves(struct x86_run *e)
{
    if (!e->wide || e->insn->address_bytes != 4 || e->regs->vendor != SVMC_VENDOR_INTEL)
        return;
    x86_set(e, SVMC_REG_RCX, 4, x86_get(e, SVMC_REG_RCX, 4));
    if (e->op == X86_OP_MOVS)
        x86_set(e, SVMC_REG_RSI, 4, x86_get(e, SVMC_REG_RSI, 4));
    if (e->op == X86_OP_MOVS || e->op == X86_OP_STOS)
        x86_set(e, SVMC_REG_RDI, 4, x86_get(e, SVMC_REG_RDI, 4));
}

/* XE-8, XE-12 */
static bool may_go_on(const struct x86_run *e)
{
    uint32_t most = e->r.x->iterations_max;

    return !(e->regs->rflags & FLAG_TF) &&
           e->r.out->accesses + ACCESSES_OF_ONE <= SVMC_EXEC_ACCESSES_MAX &&
           (most == 0 || e->r.out->iterations < most);
}

/* A fault at any element: the flags are those before the first (SDM vol. 2 REP). */
static bool stop_string(struct x86_run *e)
{
    bool no_right = e->r.out->fault.vector == VECTOR_GP && e->op >= X86_OP_INS;

    if (e->r.out->action == SVMC_EXEC_FAULT) {
        if (!no_right)
            clear_halves(e);
        x86_set_status(e, e->r.x->priv.flags);
    }
    return false;
}

EXEC_FN bool svmc_exec_x86_string(struct x86_run *e)
{
    unsigned address = e->insn->address_bytes;
    uint64_t left;

    if (!(e->insn->flags & (SVMC_INSN_REP | SVMC_INSN_REPNE)))
        return iterate(e);
    left = x86_get(e, SVMC_REG_RCX, address);
    if (left == 0) { /* the right to the port is asked for all the same */
        if ((e->op == X86_OP_INS || e->op == X86_OP_OUTS) && !may_use_port(e))
            return false;
        clear_halves(e);
        return true;
    }
    if (e->insn != &e->r.x->priv.insn) /* it starts, and does not go on */
        e->r.x->priv.flags = (uint32_t)e->regs->rflags;
    for (;;) {
        if (!iterate(e))
            return stop_string(e);
        x86_set(e, SVMC_REG_RCX, address, --left);
        if (left == 0 || !goes_on(e))
            return true;
        exec_forget(e->r.x);
        exec_rewind(&e->r);
        if (!may_go_on(e)) {
            e->regs->rflags |= FLAG_RF; /* XE-12 */
            return exec_stop(&e->r, SVMC_EXEC_AGAIN, SVMC_EXEC_REASON_NONE);
        }
    }
}
