/* SPDX-License-Identifier: MIT */
/** Registers by KVM_GET_ONE_REG: KV-30, KV-34, KV-35. Numbers: the kernel's asm/kvm.h of arm64. */
#include "finish_private.h"

#include <string.h>

/* struct kvm_regs in words of 32 bits: user_pt_regs, SP_EL1, ELR_EL1, SPSR_EL1 and more, V0... */
#define CORE(word) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | 0x100000u | (uint64_t)(word))
#define VECTOR(n)  (KVM_REG_ARM64 | KVM_REG_SIZE_U128 | 0x100000u | (84 + 4 * (uint64_t)(n)))
#define GENERAL(n) CORE(2 * (n))
#define SP_EL1     CORE(68)
#define ELR_EL1    CORE(70)
#define SPSR_EL1   CORE(72)
#define SYSTEM(op0, op1, crn, crm, op2)                                                   \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | 0x130000u | (uint64_t)(op0) << 14 | (op1) << 11 | \
     (crn) << 7 | (crm) << 3 | (op2))
#define SCTLR_EL1 SYSTEM(3, 0, 1, 0, 0)
#define CPACR_EL1 SYSTEM(3, 0, 1, 0, 2)
#define TTBR0_EL1 SYSTEM(3, 0, 2, 0, 0)
#define TTBR1_EL1 SYSTEM(3, 0, 2, 0, 1)
#define TCR_EL1   SYSTEM(3, 0, 2, 0, 2)
#define ESR_EL1   SYSTEM(3, 0, 5, 2, 0)
#define FAR_EL1   SYSTEM(3, 0, 6, 0, 0)
#define MAIR_EL1  SYSTEM(3, 0, 10, 2, 0)
#define VBAR_EL1  SYSTEM(3, 0, 12, 0, 0)
#define MMFR(n)   SYSTEM(3, 0, 0, 7, n)

#define PSTATE_MODE  0xfu
#define EL1T         4u
#define EL1H         5u
#define PSTATE_PAN   ((uint64_t)1 << 22)
#define PSTATE_KEPT  0xf1600000u /* NZCV, DIT, PAN, and SS of whoever steps it */
#define PSTATE_DAIF  0x3c0u
#define PSTATE_SS    ((uint64_t)1 << 21)
#define PSTATE_SSBS  ((uint64_t)1 << 12)
#define SCTLR_SPAN   ((uint64_t)1 << 23)
#define SCTLR_DSSBS  ((uint64_t)1 << 44)
#define VECTOR_SP0   0x000u
#define VECTOR_SPX   0x200u
#define VECTOR_LOWER 0x400u
#define ESR_IL       0x2000000u

/* Places in `old`. */
enum { OLD_SP = 31, OLD_PC, OLD_PSTATE, OLD_SP_EL1, OLD_ELR, OLD_SPSR, OLD_ESR, OLD_FAR, OLD_ALL };
_Static_assert(OLD_ALL == SVMC_KVM_FINISH_A64_REGS + 5, "old");

static bool one(const struct svmc_kvm_finish_a64 *f, unsigned long request, uint64_t id,
                void *value)
{
    struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

    return svmc_kvm_ask(f->priv.vcpu, request, &reg) == 0;
}

static bool get(const struct svmc_kvm_finish_a64 *f, uint64_t id, uint64_t *value)
{
    return one(f, KVM_GET_ONE_REG, id, value);
}

static uint64_t id_of(unsigned place)
{
    static const uint64_t ids[] = { SP_EL1, ELR_EL1, SPSR_EL1, ESR_EL1, FAR_EL1 };

    return place <= OLD_PSTATE ? GENERAL(place) : ids[place - OLD_SP_EL1];
}

enum svmc_status svmc_kvm_a64_features(struct svmc_kvm_finish_a64 *f)
{
    struct svmc_walk_a64 *w = &f->priv.walk;

    if (!get(f, MMFR(0), &w->mmfr0) || !get(f, MMFR(1), &w->mmfr1) || !get(f, MMFR(2), &w->mmfr2))
        return SVMC_ERR_CALLBACK;
    f->priv.regs.mmfr2 = w->mmfr2;
    return SVMC_OK;
}

enum svmc_status svmc_kvm_a64_load(struct svmc_kvm_finish_a64 *f)
{
    struct svmc_exec_a64 *r = &f->priv.regs;
    struct svmc_walk_a64 *w = &f->priv.walk;

    f->priv.wrote = 0;
    for (unsigned i = 0; i < OLD_ALL; i++)
        if (!get(f, id_of(i), &f->priv.old[i]))
            return SVMC_ERR_CALLBACK;
    if (!get(f, SCTLR_EL1, &r->sctlr) || !get(f, CPACR_EL1, &r->cpacr) ||
        !get(f, TCR_EL1, &w->tcr) || !get(f, TTBR0_EL1, &w->ttbr0) ||
        !get(f, TTBR1_EL1, &w->ttbr1) || !get(f, MAIR_EL1, &w->mair) ||
        !get(f, VBAR_EL1, &f->priv.vbar))
        return SVMC_ERR_CALLBACK;
    memcpy(r->general, f->priv.old, 31 * sizeof r->general[0]);
    r->pc = f->priv.old[OLD_PC];
    r->pstate = w->pstate = f->priv.old[OLD_PSTATE];
    f->priv.kernel = (r->pstate & PSTATE_MODE) == EL1H;
    r->general[31] = f->priv.old[f->priv.kernel ? OLD_SP_EL1 : OLD_SP];
    w->sctlr = r->sctlr;
    return SVMC_OK;
}

enum svmc_status svmc_kvm_a64_get_vector(struct svmc_kvm_finish_a64 *f, uint32_t number, void *dst,
                                         size_t n)
{
    uint8_t *at;

    if (number >= 32 || n > 16)
        return SVMC_ERR_REFUSED;
    at = f->priv.vector[number];
    if (!(f->priv.wrote >> number & 1) && !one(f, KVM_GET_ONE_REG, VECTOR(number), at))
        return SVMC_ERR_CALLBACK; /* a guest with SVE: KV-33 */
    memcpy(dst, at, n);
    return SVMC_OK;
}

enum svmc_status svmc_kvm_a64_set_vector(struct svmc_kvm_finish_a64 *f, uint32_t number,
                                         const void *src, size_t n)
{
    if (number >= 32 || n != 16)
        return SVMC_ERR_REFUSED;
    memcpy(f->priv.vector[number], src, n);
    f->priv.wrote |= (uint32_t)1 << number;
    return SVMC_OK;
}

/* KV-35: AArch64.TakeException of DDI 0487, to EL1. */
static void take_exception(const struct svmc_kvm_finish_a64 *f, uint64_t next[OLD_ALL])
{
    const struct svmc_fault *fault = &f->priv.lent.out.exec.fault;
    const uint64_t pstate = f->priv.old[OLD_PSTATE], sctlr = f->priv.regs.sctlr;

    next[OLD_ELR] = f->priv.old[OLD_PC];
    next[OLD_SPSR] = pstate;
    next[OLD_ESR] = (uint64_t)fault->vector << 26 | ESR_IL | (fault->error & 0x1ffffff);
    next[OLD_FAR] = fault->address;
    next[OLD_PC] = f->priv.vbar + ((pstate & PSTATE_MODE) == EL1H   ? VECTOR_SPX
                                   : (pstate & PSTATE_MODE) == EL1T ? VECTOR_SP0
                                                                    : VECTOR_LOWER);
    next[OLD_PSTATE] = (pstate & PSTATE_KEPT & ~PSTATE_SS) | PSTATE_DAIF | EL1H |
                       (sctlr & SCTLR_SPAN ? 0 : PSTATE_PAN) |
                       (sctlr & SCTLR_DSSBS ? PSTATE_SSBS : 0);
}

enum svmc_status svmc_kvm_a64_put(struct svmc_kvm_finish_a64 *f)
{
    const struct svmc_exec_a64 *r = &f->priv.regs;
    uint64_t next[OLD_ALL];
    unsigned i = 0, v = 0;

    memcpy(next, f->priv.old, sizeof next);
    if (f->priv.lent.out.exec.action == SVMC_EXEC_FAULT) {
        take_exception(f, next);
        f->priv.wrote = 0;
    } else {
        memcpy(next, r->general, 31 * sizeof next[0]);
        next[f->priv.kernel ? OLD_SP_EL1 : OLD_SP] = r->general[31];
        next[OLD_PC] = r->pc;
        next[OLD_PSTATE] = r->pstate;
    }
    for (; i < OLD_ALL; i++)
        if (next[i] != f->priv.old[i] && !one(f, KVM_SET_ONE_REG, id_of(i), &next[i]))
            break;
    for (; i == OLD_ALL && v < 32; v++)
        if ((f->priv.wrote >> v & 1) &&
            (!one(f, KVM_GET_ONE_REG, VECTOR(v), f->priv.old_vector[v]) ||
             !one(f, KVM_SET_ONE_REG, VECTOR(v), f->priv.vector[v])))
            break;
    if (i == OLD_ALL && v == 32)
        return SVMC_OK;
    while (v-- > 0) /* KV-34: taken back */
        if (f->priv.wrote >> v & 1)
            (void)one(f, KVM_SET_ONE_REG, VECTOR(v), f->priv.old_vector[v]);
    while (i-- > 0)
        if (next[i] != f->priv.old[i])
            (void)one(f, KVM_SET_ONE_REG, id_of(i), &f->priv.old[i]);
    return SVMC_ERR_CALLBACK;
}
