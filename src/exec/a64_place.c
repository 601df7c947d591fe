/* SPDX-License-Identifier: MIT */
/* AArch64: from registers to guest-physical memory, and what stands in the way. */
#include "a64_private.h"

EXEC_FN CORE_COLD bool svmc_exec_a64_fault(struct exec_run *r, unsigned ec, uint32_t iss,
                                           uint64_t far)
{
    r->out->action = SVMC_EXEC_FAULT;
    r->out->fault = (struct svmc_fault){
        .raised = 1, .vector = (uint8_t)ec, .has_error = 1, .error = iss, .address = far
    };
    return false;
}

EXEC_FN CORE_COLD bool svmc_exec_a64_abort(struct exec_run *r, const struct svmc_exec_a64 *regs,
                                           unsigned ec, uint32_t iss, uint64_t far)
{
    return svmc_exec_a64_fault(r, ec + (a64_el(regs) != 0), iss, far);
}

/* EA-6: the wait that svmc_exec_stop left says which access it was. */
EXEC_FN CORE_COLD void svmc_exec_a64_external(struct exec_run *r, const struct svmc_exec_a64 *regs,
                                              unsigned ec, const struct exec_span *span,
                                              uint64_t linear)
{
    const struct svmc_exec_wait *wait = &r->x->wait;
    uint64_t from = wait->at - span->at[0];
    uint32_t iss = wait->kind == SVMC_EXEC_READ ? CODE_EXTERNAL : CODE_EXTERNAL | ISS_WNR;

    if (from >= span->first)
        from = span->first + (wait->at - span->at[1]);
    r->status = SVMC_OK;
    svmc_exec_a64_abort(r, regs, ec, iss, linear + from);
}

/* EA-5: a stage 1 abort to EL1 or EL2: no syndrome of the access (ISV 0), the class by the EL. */
EXEC_FN bool svmc_exec_a64_translate(struct a64_run *e, unsigned bytes, uint32_t access,
                                     uint32_t extra)
{
    const struct svmc_fault *fault = &e->r.out->fault;
    const uint32_t kept = ISS_FNV | ISS_EA | ISS_WNR | ISS_CODE;

    if (exec_reach(&e->r, e->linear, bytes, access, &e->span))
        return true;
    if (e->r.out->action != SVMC_EXEC_FAULT)
        return false;
    if ((fault->vector | 1u) != EC_DATA + 1 || !fault->has_error) /* XE-23 */
        return exec_fail(&e->r, SVMC_EXEC_TRANSLATE, SVMC_OK);
    return svmc_exec_a64_abort(&e->r, e->regs, EC_DATA, (fault->error & kept) | extra,
                               fault->address);
}

/* EA-9: the address, and what write-back makes of the base. */
static void a64_find_address(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t base = insn->base == SVMC_REG_PC ? e->regs->pc : a64_get(e, insn->base), index = 0;

    if (insn->index != SVMC_REG_NONE)
        index = a64_get(e, insn->index);
    if (insn->index_extend == SVMC_INDEX_UXTW)
        index &= core_mask(4);
    else if (insn->index_extend == SVMC_INDEX_SXTW)
        index = (uint64_t)core_sign_extend(index, 32);
    e->new_base = base + index * insn->scale + (uint64_t)insn->disp;
    e->linear = insn->flags & SVMC_INSN_POST_INDEX ? base : e->new_base;
}

/* EA-7. each: what has to be aligned; FEAT_LSE2 looks at the whole. */
static bool a64_is_aligned(const struct a64_run *e, unsigned each)
{
    const struct svmc_insn *insn = e->insn;
    unsigned all = insn->mem_bytes * (unsigned)insn->mem_count;
    const unsigned single = SVMC_INSN_EXCLUSIVE | SVMC_INSN_ATOMIC;
    bool lse2 = (e->regs->mmfr2 >> 32 & 15) != 0;

    if ((e->linear & (each - 1)) == 0)
        return true;
    if (e->regs->sctlr & SCTLR_A)
        return false;
    if (!(insn->flags & (single | SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE)))
        return true;
    if (!lse2)
        return false;
    return (e->linear & 15) + all <= 16 ||
           (!(insn->flags & single) && (e->regs->sctlr & SCTLR_NAA));
}

/* EA-7: the stack pointer is aligned wherever it is a base. */
static bool a64_is_stack_aligned(const struct a64_run *e)
{
    uint64_t check = a64_el(e->regs) == 0 ? SCTLR_SA0 : SCTLR_SA;

    return e->insn->base != SVMC_REG_SP || !(e->regs->sctlr & check) ||
           (e->regs->general[31] & 15) == 0;
}

/* EA-10 */
static bool a64_has_user_rights(const struct a64_run *e)
{
    const uint64_t host = HCR_E2H | HCR_TGE;

    if (!(e->insn->flags & SVMC_INSN_UNPRIVILEGED) || (e->regs->pstate & PSTATE_UAO))
        return false;
    return a64_el(e->regs) < 2 || (e->regs->hcr & host) == host;
}

EXEC_FN bool svmc_exec_a64_reach(struct a64_run *e, unsigned each)
{
    const struct svmc_insn *insn = e->insn;
    uint32_t access = insn->access & SVMC_ACCESS_RW;
    uint32_t iss = CODE_ALIGNMENT | (access == SVMC_ACCESS_WRITE ? ISS_WNR : 0);

    a64_find_address(e);
    if (!a64_is_stack_aligned(e))
        return svmc_exec_a64_fault(&e->r, EC_SP, 0, 0);
    if (!a64_is_aligned(e, each))
        return svmc_exec_a64_abort(&e->r, e->regs, EC_DATA, iss, e->linear);
    if (a64_has_user_rights(e))
        e->r.user = SVMC_EXEC_USER;
    return svmc_exec_a64_translate(e, insn->mem_bytes * (unsigned)insn->mem_count, access, 0);
}

EXEC_FN bool svmc_exec_a64_may_use_vectors(struct a64_run *e)
{
    unsigned enabled = (unsigned)(e->regs->cpacr >> 20 & 3);

    if (!(enabled & 1) || (enabled == 1 && a64_el(e->regs) == 0))
        return svmc_exec_a64_fault(&e->r, EC_FP, ISS_FP, 0);
    return svmc_exec_has_vectors(&e->r);
}

/* A system instruction that EL0 may not use: DDI 0487, ISS of EC 0x18. */
static bool a64_trap_system(struct a64_run *e)
{
    uint32_t w = e->insn->priv_raw[0], iss;

    iss = (w >> 19 & 3) << 20 | (w >> 5 & 7) << 17 | (w >> 16 & 7) << 14 | (w >> 12 & 15) << 10 |
          (w & 31) << 5 | (w >> 8 & 15) << 1;
    return svmc_exec_a64_fault(&e->r, EC_SYSTEM, iss, 0);
}

/* EA-15: the whole block, in pieces that an access can have. */
static bool a64_zero_block(struct a64_run *e)
{
    uint64_t block = A64_BIT((e->regs->dczid & 15) + 2), at;
    unsigned bytes = block < SVMC_EXEC_WIDTH_MAX ? (unsigned)block : SVMC_EXEC_WIDTH_MAX;
    struct exec_span piece = { .first = bytes, .bytes = bytes };

    if (block > 2048) /* no processor has more */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!svmc_exec_a64_translate(e, 1, SVMC_ACCESS_WRITE, ISS_WNR))
        return false;
    at = e->span.at[0] & ~(block - 1);
    e->linear &= ~(block - 1);
    e->span = (struct exec_span){ .at = { at }, .first = (uint32_t)block };
    memset(e->r.x->priv.store, 0, bytes);
    for (unsigned i = 0; i < block / bytes; i++) {
        piece.at[0] = at + (uint64_t)i * bytes;
        if (!svmc_exec_write(&e->r, &piece))
            return false;
    }
    return true;
}

#define SYSTEM_OP(op1, n, m, op2) (0x4000u | (op1) << 11 | (n) << 7 | (m) << 3 | (op2))

/* EA-15, EA-16: by address; by set and way, or all of a cache, nothing in memory is meant. */
EXEC_FN bool svmc_exec_a64_cache(struct a64_run *e)
{
    bool user = a64_el(e->regs) == 0;
    uint32_t access = SVMC_ACCESS_READ;

    e->linear = a64_get(e, e->insn->reg);
    switch (e->insn->imm) {
    case SYSTEM_OP(3, 7, 4, 1): /* DC ZVA */
        if (user && !(e->regs->sctlr & SCTLR_DZE))
            return a64_trap_system(e);
        return a64_zero_block(e);
    case SYSTEM_OP(0, 7, 6, 1): /* DC IVAC: what was written is lost */
        if (user)
            return svmc_exec_a64_fault(&e->r, EC_UNKNOWN, 0, 0);
        access = SVMC_ACCESS_WRITE;
        break;
    case SYSTEM_OP(3, 7, 5, 1):  /* IC IVAU */
    case SYSTEM_OP(3, 7, 10, 1): /* DC CVAC */
    case SYSTEM_OP(3, 7, 11, 1): /* DC CVAU */
    case SYSTEM_OP(3, 7, 12, 1): /* DC CVAP */
    case SYSTEM_OP(3, 7, 13, 1): /* DC CVADP */
    case SYSTEM_OP(3, 7, 14, 1): /* DC CIVAC */
        if (user && !(e->regs->sctlr & SCTLR_UCI))
            return a64_trap_system(e);
        break;
    default:
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    }
    return svmc_exec_a64_translate(e, 1, access | SVMC_EXEC_CHECK, ISS_CM | ISS_WNR);
}
