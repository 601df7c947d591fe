/* SPDX-License-Identifier: MIT */
/**
 * AArch64: what the files of one instruction's way share. Rules EA-n: docs/spec/exec_a64.md; EA-20
 * is what is not modelled.
 */
#ifndef EXEC_A64_PRIVATE_H
#define EXEC_A64_PRIVATE_H
#include <svmcore/exec_a64.h>
#include "exec_private.h"

#define A64_BIT(n) ((uint64_t)1 << (n))

#define SCTLR_A      A64_BIT(1)
#define SCTLR_SA     A64_BIT(3)
#define SCTLR_SA0    A64_BIT(4)
#define SCTLR_NAA    A64_BIT(6)
#define SCTLR_DZE    A64_BIT(14)
#define SCTLR_E0E    A64_BIT(24)
#define SCTLR_EE     A64_BIT(25)
#define SCTLR_UCI    A64_BIT(26)
#define SCTLR_ENALS  A64_BIT(56)
#define HCR_TGE      A64_BIT(27)
#define HCR_E2H      A64_BIT(34)
#define PSTATE_A32   A64_BIT(4)
#define PSTATE_BTYPE (A64_BIT(10) | A64_BIT(11))
#define PSTATE_IL    A64_BIT(20)
#define PSTATE_SS    A64_BIT(21)
#define PSTATE_UAO   A64_BIT(23)

/* Exception classes and syndromes: DDI 0487, ESR_EL1. An abort from the same EL is one more. */
#define EC_UNKNOWN     0x00u
#define EC_FP          0x07u
#define EC_LS64        0x0au
#define EC_ILLEGAL     0x0eu
#define EC_SYSTEM      0x18u
#define EC_FETCH       0x20u
#define EC_PC          0x22u
#define EC_DATA        0x24u
#define EC_SP          0x26u
#define ISS_FP         0x1e00000u /* CV, COND: always */
#define ISS_LS64       2u
#define ISS_FNV        0x400u
#define ISS_EA         0x200u
#define ISS_CM         0x100u
#define ISS_WNR        0x40u
#define ISS_CODE       0x3fu
#define CODE_EXTERNAL  0x10u
#define CODE_ALIGNMENT 0x21u

/* Columns of a64.def. */
enum a64_shape {
    A64_SHAPE_NONE = 0, /* UNFINISHED */
    A64_SHAPE_MOVE,     /* one or two registers; with EXCLUSIVE the monitor */
    A64_SHAPE_STORE_EXCLUSIVE,
    A64_SHAPE_CHANGE,
    A64_SHAPE_BLOCK,
    A64_SHAPE_STRUCTURE,
    A64_SHAPE_REPLICATE,
    A64_SHAPE_HINT,
    A64_SHAPE_CACHE
};

enum a64_operation {
    A64_OP_NONE = 0,
    A64_OP_CAS,
    A64_OP_SWP,
    A64_OP_ADD,
    A64_OP_CLR,
    A64_OP_EOR,
    A64_OP_SET,
    A64_OP_SMAX,
    A64_OP_SMIN,
    A64_OP_UMAX,
    A64_OP_UMIN
};

struct a64_run {
    struct exec_run r;
    struct svmc_exec_a64 *regs;
    const struct svmc_insn *insn;
    uint64_t linear, new_base; /* of the operand; for the base register */
    struct exec_span span;     /* the operand */
    uint8_t op;
    bool big; /* data are big-endian */
};

static inline unsigned a64_el(const struct svmc_exec_a64 *regs)
{
    return (unsigned)(regs->pstate >> 2 & 3);
}

/* XZR is 0; SP is behind X30. */
static inline uint64_t a64_get(const struct a64_run *e, unsigned reg)
{
    if (reg == SVMC_REG_XZR)
        return 0;
    return e->regs->general[(reg - SVMC_REG_X0) & 31]; /* clamp: five bits */
}

static inline void a64_set(struct a64_run *e, unsigned reg, uint64_t value)
{
    if (reg != SVMC_REG_XZR)
        e->regs->general[(reg - SVMC_REG_X0) & 31] = value; /* clamp: five bits */
}

/* The register behind one of a pair: 30 has XZR behind it. */
static inline unsigned a64_next(unsigned reg)
{
    return reg == SVMC_REG_X30 ? SVMC_REG_XZR : reg + 1;
}

/* EA-8: a number as the guest has it in memory <-> as core_load_le64 has it. */
static inline uint64_t a64_order(const struct a64_run *e, uint64_t value, unsigned bytes)
{
    value &= core_mask(bytes);
    return e->big ? core_swap(value, bytes) : value;
}

/** Stops: the guest gets this. */
EXEC_FN bool svmc_exec_a64_fault(struct exec_run *r, unsigned ec, uint32_t iss, uint64_t far);

/** Stops: the guest gets an abort of its data or, with FETCH, of an instruction. */
EXEC_FN bool svmc_exec_a64_abort(struct exec_run *r, const struct svmc_exec_a64 *regs, unsigned ec,
                                 uint32_t iss, uint64_t far);

/** EA-6: a callback said REFUSED; `bytes` from linear on were being accessed at span. */
EXEC_FN void svmc_exec_a64_external(struct exec_run *r, const struct svmc_exec_a64 *regs,
                                    unsigned ec, const struct exec_span *span, uint64_t linear);

/** EA-5: translate what stands in e->span; extra: of the syndrome, if translate says a fault. */
EXEC_FN bool svmc_exec_a64_translate(struct a64_run *e, unsigned bytes, uint32_t access,
                                     uint32_t extra);

/** Address, checks, translation of the memory operand into e->span. each: what is aligned. */
EXEC_FN bool svmc_exec_a64_reach(struct a64_run *e, unsigned each);

/** EA-4: SIMD instructions trap, or the host has no registers for them. */
EXEC_FN bool svmc_exec_a64_may_use_vectors(struct a64_run *e);

/** The bytes of one element -> the bytes of a register or the other way. */
EXEC_FN void svmc_exec_a64_copy(const struct a64_run *e, uint8_t *to, const uint8_t *from,
                                unsigned bytes);

/* Shapes: true: done, registers but the base and PC are written. */
EXEC_FN bool svmc_exec_a64_move(struct a64_run *e);
EXEC_FN bool svmc_exec_a64_store_exclusive(struct a64_run *e);
EXEC_FN bool svmc_exec_a64_change(struct a64_run *e);
EXEC_FN bool svmc_exec_a64_block(struct a64_run *e);
EXEC_FN bool svmc_exec_a64_structure(struct a64_run *e);
EXEC_FN bool svmc_exec_a64_replicate(struct a64_run *e);
EXEC_FN bool svmc_exec_a64_cache(struct a64_run *e);

#endif
