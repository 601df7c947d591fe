/* SPDX-License-Identifier: MIT */
/* x87 with memory: loads, stores, arithmetic, control. Rules XE-n: docs/spec/exec.md. */
#include "x86_fpu.h"

/* XE-50: #NM, then #MF for what waits (SDM vol. 1 8.6, vol. 3 table 6-2). */
bool svmc_exec_x86_fpu_may_start(struct x86_run *e, bool waits)
{
    const struct svmc_exec_x86 *regs = e->regs;

    if (regs->cr0 & (CR0_EM | CR0_TS))
        return svmc_exec_fault(&e->r, VECTOR_NM, false, 0);
    if (!waits || !(regs->fsw & ~regs->fcw & FPU_ALL))
        return true;
    if (!(regs->cr0 & CR0_NE)) /* FERR# and an interrupt: not a fault */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_FERR);
    return svmc_exec_fault(&e->r, VECTOR_MF, false, 0);
}

/* Whether an exception that is not masked leaves operands, stack and memory as they are (XE-52). */
static bool fpu_is_stopped(const struct x86_run *e, unsigned raised)
{
    return (raised & ~(unsigned)e->regs->fcw & FPU_STOPS) != 0;
}

/* XE-54: where the instruction and its operand were. */
static void fpu_point(struct x86_run *e, bool unmasked)
{
    struct svmc_exec_x86 *regs = e->regs;
    bool selectors = regs->quirks & SVMC_FPU_SELECTORS;

    regs->fip = regs->rip;
    regs->fcs = selectors ? regs->segment[SVMC_SEG_CS].selector : 0;
    if (unmasked)
        regs->fop = (uint16_t)((e->opcode & 7u) << 8 | e->insn->priv_raw[1] >> 24);
    if (unmasked || (regs->quirks & SVMC_FPU_DATA_POINTER)) {
        regs->fdp = x86_offset(e) & core_mask(e->insn->address_bytes);
        regs->fds = selectors ? regs->segment[core_clamp(e->insn->segment, 6)].selector : 0;
    }
}

/* XE-53. What all have in common at their end: C1 is that of this instruction, all else adds up. */
static bool fpu_conclude(struct x86_run *e, unsigned raised)
{
    struct svmc_exec_x86 *regs = e->regs;

    regs->fsw = (uint16_t)((regs->fsw & ~FPU_C1) | raised);
    fpu_settle(regs);
    fpu_point(e, raised & ~(unsigned)regs->fcw & FPU_ALL);
    return true;
}

static void fpu_move_top(struct x86_run *e, unsigned by)
{
    unsigned top = (e->regs->fsw + (by << 11)) & FPU_TOP;

    e->regs->fsw = (uint16_t)((e->regs->fsw & ~FPU_TOP) | top);
}

static void fpu_pop(struct x86_run *e)
{
    e->regs->ftw &= (uint16_t) ~(1u << fpu_physical(e->regs, 0));
    fpu_move_top(e, 1);
}

static bool fpu_write_register(struct x86_run *e, unsigned physical, struct fpu_real v)
{
    fpu_store_real(e->r.x->priv.store, v);
    return svmc_exec_vector_write(&e->r, SVMC_REG_KIND_X87, physical, FPU_REAL_BYTES);
}

static bool fpu_write_result(struct x86_run *e, unsigned physical)
{
    return fpu_write_register(e, physical, fpu_load_real(e->r.x->priv.vec.out));
}

static struct fpu_real fpu_convert(const struct x86_run *e, const uint8_t *data, unsigned *raised)
{
    unsigned bytes = e->insn->mem_bytes;
    uint64_t value = core_load_le64(data);

    if (e->op == FPU_OP_FBLD)
        return svmc_exec_x87_from_decimal(data);
    if (e->op == FPU_OP_FILD)
        return svmc_exec_x87_from_integer(core_sign_extend(value, 8 * bytes));
    if (bytes == FPU_REAL_BYTES)
        return fpu_load_real(data);
    return svmc_exec_x87_widen(value, bytes, raised);
}

bool svmc_exec_x86_fpu_load(struct x86_run *e)
{
    struct svmc_exec_x86 *regs = e->regs;
    unsigned to = fpu_physical(regs, 7), raised = 0;
    struct exec_span span;
    const uint8_t *data;
    struct fpu_real v;

    if (!svmc_exec_x86_fpu_may_start(e, true) || !svmc_exec_has_vectors(&e->r) ||
        !x86_reach_memory(e, SVMC_ACCESS_READ, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL)
        return false;
    v = fpu_convert(e, data, &raised);
    if (regs->ftw >> to & 1) { /* XE-51 */
        v = FPU_INDEFINITE;
        raised = FPU_OVERFLOW;
    }
    if (!(raised & ~(unsigned)regs->fcw & FPU_IE)) { /* a denormal is loaded in any case */
        if (!fpu_write_register(e, to, v))
            return false;
        fpu_move_top(e, 7);
        regs->ftw |= (uint16_t)(1u << to);
    }
    return fpu_conclude(e, raised);
}

/* What is stored, in the record's `store`. */
static void fpu_format(struct x86_run *e, struct fpu_real v, unsigned *raised)
{
    uint8_t *store = e->r.x->priv.store;
    unsigned bytes = e->insn->mem_bytes, control = e->regs->fcw;

    if (e->op == FPU_OP_FBSTP)
        svmc_exec_x87_to_decimal(v, control, store, raised);
    else if (e->op == FPU_OP_FIST || e->op == FPU_OP_FISTP || e->op == FPU_OP_FISTTP)
        core_store_le64(
            store, svmc_exec_x87_to_integer(v, bytes, control, e->op == FPU_OP_FISTTP, raised));
    else if (bytes == FPU_REAL_BYTES)
        fpu_store_real(store, v);
    else
        core_store_le64(store, svmc_exec_x87_narrow(v, bytes, control, raised));
}

bool svmc_exec_x86_fpu_store(struct x86_run *e)
{
    struct svmc_exec_x86 *regs = e->regs;
    unsigned from = fpu_physical(regs, 0), raised = 0;
    struct fpu_real v = FPU_INDEFINITE;
    struct exec_span span;
    const uint8_t *data;

    if (!svmc_exec_x86_fpu_may_start(e, true) || !svmc_exec_has_vectors(&e->r))
        return false;
    if (regs->ftw >> from & 1) {
        data = svmc_exec_vector_read(&e->r, SVMC_REG_KIND_X87, from, FPU_REAL_BYTES);
        if (data == NULL)
            return false;
        v = fpu_load_real(data);
    }
    fpu_format(e, v, &raised);
    if (!(regs->ftw >> from & 1)) /* XE-51: the indefinite value of the format */
        raised = FPU_UNDERFLOW;
    if (!fpu_is_stopped(e, raised)) {
        if (!x86_reach_memory(e, SVMC_ACCESS_WRITE, &span) || !svmc_exec_write(&e->r, &span))
            return false;
        if (e->op >= FPU_OP_FSTP)
            fpu_pop(e);
    }
    return fpu_conclude(e, raised);
}

/* XE-55: the host's operation, with ST(0) and the operand as memory has it. */
static bool fpu_ask(struct x86_run *e, struct fpu_real st, const uint8_t operand[8],
                    unsigned control)
{
    struct svmc_exec_vec_op *op = &e->r.x->priv.vec;
    unsigned n = core_clamp(e->op - FPU_OP_FADD, 8);

    op->operation = (uint16_t)(SVMC_EXEC_VEC_X87_ADD + (n == 3 ? 2 : n) + (e->opcode & 2 ? 8 : 0));
    op->bytes = e->insn->mem_bytes;
    op->mxcsr = control;
    memset(op->a, 0, sizeof op->a);
    memset(op->b, 0, sizeof op->b);
    memset(op->c, 0, sizeof op->c);
    fpu_store_real(op->a, st);
    memcpy(op->b, operand, 8);
    return svmc_exec_vec_op(&e->r);
}

/* Whether the host can, with 1 and 1, before a device is read: what it gives does not count. */
static bool fpu_can(struct x86_run *e)
{
    const unsigned bytes = e->insn->mem_bytes;
    uint8_t one[8];

    core_store_le64(one, e->opcode & 2 ? 1 : bytes == 8 ? (uint64_t)1023 << 52 : 127u << 23);
    if (!fpu_ask(e, (struct fpu_real){ (uint64_t)1 << 63, 0x3fff }, one, FPU_CONTROL_INIT))
        return false;
    e->r.x->priv.able = 1;
    return true;
}

static bool fpu_compute(struct x86_run *e, const uint8_t *operand, unsigned *raised)
{
    const struct svmc_exec_vec_op *op = &e->r.x->priv.vec;
    const uint8_t *st =
        svmc_exec_vector_read(&e->r, SVMC_REG_KIND_X87, fpu_physical(e->regs, 0), FPU_REAL_BYTES);

    if (st == NULL || !fpu_ask(e, fpu_load_real(st), operand, e->regs->fcw))
        return false;
    *raised = op->mxcsr >> 16 & (FPU_ALL | FPU_CODES);
    return true;
}

static bool fpu_is_compare(const struct x86_run *e)
{
    return e->op == FPU_OP_FCOM || e->op == FPU_OP_FCOMP;
}

bool svmc_exec_x86_fpu_arithmetic(struct x86_run *e)
{
    struct svmc_exec_x86 *regs = e->regs;
    unsigned to = fpu_physical(regs, 0), raised = FPU_UNDERFLOW;
    const bool empty = !(regs->ftw >> to & 1);
    struct exec_span span;
    const uint8_t *data;

    if (!svmc_exec_x86_fpu_may_start(e, true) || !svmc_exec_has_vectors(&e->r) ||
        (!empty && !fpu_can(e)) || !x86_reach_memory(e, SVMC_ACCESS_READ, &span))
        return false;
    data = svmc_exec_read(&e->r, &span);
    if (data == NULL || (!empty && !fpu_compute(e, data, &raised)))
        return false;
    if (fpu_is_compare(e)) {
        if (empty)
            raised |= FPU_UNORDERED;
        regs->fsw &= (uint16_t)~FPU_CODES;
        if (e->op == FPU_OP_FCOMP && !fpu_is_stopped(e, raised))
            fpu_pop(e);
    } else if (!(raised & ~(unsigned)regs->fcw & (FPU_IE | FPU_DE | FPU_ZE))) {
        if (empty ? !fpu_write_register(e, to, FPU_INDEFINITE) : !fpu_write_result(e, to))
            return false;
        regs->ftw |= (uint16_t)(1u << to);
    }
    return fpu_conclude(e, raised & ~(fpu_is_compare(e) ? FPU_C1 : 0));
}

bool svmc_exec_x86_fpu_control(struct x86_run *e)
{
    const bool loads = e->op == FPU_OP_FLDCW;
    struct exec_span span;
    uint64_t value;

    if (!svmc_exec_x86_fpu_may_start(e, loads) ||
        !x86_reach_memory(e, loads ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE, &span))
        return false;
    if (!loads)
        return exec_write_value(&e->r, &span, e->op == FPU_OP_FNSTCW ? e->regs->fcw : e->regs->fsw);
    if (!x86_read(e, &span, &value))
        return false;
    fpu_set_control(e->regs, (unsigned)value);
    fpu_settle(e->regs);
    return true;
}

/* XE-57: LDMXCSR, STMXCSR. */
bool svmc_exec_x86_mxcsr(struct x86_run *e)
{
    struct svmc_exec_x86 *regs = e->regs;
    const bool vex = VECTOR_ENCODING(e->insn->priv_raw[2]) == X86_VEX;
    const bool loads = e->insn->access == SVMC_ACCESS_READ;
    struct exec_span span;
    uint64_t value;

    if (vex ? !(regs->cr0 & CR0_PE) || (regs->rflags & FLAG_VM) || !(regs->cr4 & CR4_OSXSAVE) ||
                  (regs->xcr0 & XCR0_AVX) != XCR0_AVX
            : (regs->cr0 & CR0_EM) || !(regs->cr4 & CR4_OSFXSR))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (regs->cr0 & CR0_TS)
        return svmc_exec_fault(&e->r, VECTOR_NM, false, 0);
    if (!x86_reach_memory(e, e->insn->access, &span))
        return false;
    if (!loads)
        return exec_write_value(&e->r, &span, regs->mxcsr);
    if (!x86_read(e, &span, &value))
        return false;
    if (value & ~(uint64_t)fpu_mxcsr_mask(regs))
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    regs->mxcsr = (uint32_t)value;
    return true;
}
