/* SPDX-License-Identifier: MIT */
/** x87 and the areas of FXSAVE and XSAVE: what their files share. */
#ifndef EXEC_X86_FPU_H
#define EXEC_X86_FPU_H
#include "x86_private.h"

/* Of the status word (SDM vol. 1 8.1.3), the first six of the control word as well. */
#define FPU_IE        0x1u
#define FPU_DE        0x2u
#define FPU_ZE        0x4u
#define FPU_OE        0x8u
#define FPU_UE        0x10u
#define FPU_PE        0x20u
#define FPU_SF        0x40u
#define FPU_ES        0x8080u /* ES and B, which is its copy */
#define FPU_C1        0x200u
#define FPU_CODES     0x4700u /* C0 to C3 */
#define FPU_UNORDERED 0x4500u
#define FPU_TOP       0x3800u
#define FPU_ALL       (FPU_IE | FPU_DE | FPU_ZE | FPU_OE | FPU_UE | FPU_PE)
#define FPU_STOPS     (FPU_ALL & ~FPU_PE) /* unmasked: nothing is stored (SDM vol. 1 8.6) */
#define FPU_UNDERFLOW (FPU_IE | FPU_SF)   /* of the stack; an overflow has C1, too */
#define FPU_OVERFLOW  (FPU_IE | FPU_SF | FPU_C1)

#define FPU_CONTROL_FIXED 0x40u /* a bit that is always set */
#define FPU_CONTROL_BITS  0x1f3fu
#define FPU_CONTROL_INIT  0x37fu
#define FPU_OPCODE_BITS   0x7ffu
#define FPU_REAL_BYTES    10u

/* The column `operation` of x86_fpu.def. */
enum fpu_operation {
    FPU_OP_NONE = 0,
    FPU_OP_FLD,
    FPU_OP_FILD,
    FPU_OP_FBLD,
    FPU_OP_FST,
    FPU_OP_FIST,
    FPU_OP_FSTP, /* from here on it pops */
    FPU_OP_FISTP,
    FPU_OP_FISTTP,
    FPU_OP_FBSTP,
    FPU_OP_FADD,
    FPU_OP_FMUL,
    FPU_OP_FCOM,
    FPU_OP_FCOMP,
    FPU_OP_FSUB,
    FPU_OP_FSUBR,
    FPU_OP_FDIV,
    FPU_OP_FDIVR,
    FPU_OP_FLDCW,
    FPU_OP_FNSTCW,
    FPU_OP_FNSTSW,
    FPU_OP_FLDENV,
    FPU_OP_FNSTENV,
    FPU_OP_FRSTOR,
    FPU_OP_FNSAVE,
    FPU_OP_FXSAVE,
    FPU_OP_FXRSTOR,
    FPU_OP_XSAVE,
    FPU_OP_XSAVEOPT,
    FPU_OP_XSAVEC,
    FPU_OP_XSAVES,
    FPU_OP_XRSTOR,
    FPU_OP_XRSTORS
};

/** A number of 80 bits. */
struct fpu_real {
    uint64_t mantissa;
    uint16_t top; /* sign and exponent */
};

#define FPU_MAX        0x7fffu
#define FPU_SIGN       0x8000u
#define FPU_INDEFINITE ((struct fpu_real){ 0xc000000000000000, 0xffff })

static inline void fpu_store_real(uint8_t *at, struct fpu_real v)
{
    core_store_le64(at, v.mantissa);
    core_store_le16(at + 8, v.top);
}

static inline struct fpu_real fpu_load_real(const uint8_t *at)
{
    return (struct fpu_real){ core_load_le64(at), core_load_le16(at + 8) };
}

static inline uint32_t fpu_mxcsr_mask(const struct svmc_exec_x86 *regs)
{
    return regs->mxcsr_mask != 0 ? regs->mxcsr_mask : SVMC_EXEC_MXCSR_MASK;
}

/* The physical register that ST(i) is. */
static inline unsigned fpu_physical(const struct svmc_exec_x86 *regs, unsigned i)
{
    return ((regs->fsw >> 11) + i) & 7;
}

/* ES and B say whether an exception is pending that the control word does not mask. */
static inline void fpu_settle(struct svmc_exec_x86 *regs)
{
    bool pending = regs->fsw & ~regs->fcw & FPU_ALL;

    regs->fsw = (uint16_t)((regs->fsw & ~FPU_ES) | (pending ? FPU_ES : 0));
}

static inline void fpu_set_control(struct svmc_exec_x86 *regs, unsigned control)
{
    regs->fcw = (uint16_t)((control & FPU_CONTROL_BITS) | FPU_CONTROL_FIXED);
}

static inline void fpu_init(struct svmc_exec_x86 *regs)
{
    regs->fcw = FPU_CONTROL_INIT;
    regs->fsw = regs->ftw = regs->fop = regs->fcs = regs->fds = 0;
    regs->fip = regs->fdp = 0;
}

/*
 * Formats (SDM vol. 1 4.2, 4.8). *raised gets the flags of the status word, and C1 where it was
 * rounded up.
 */
/** From 4 or 8 bytes of floating point. */
struct fpu_real svmc_exec_x87_widen(uint64_t value, unsigned bytes, unsigned *raised);
struct fpu_real svmc_exec_x87_from_integer(int64_t value);
struct fpu_real svmc_exec_x87_from_decimal(const uint8_t digits[10]);
/** To 4 or 8 bytes, as the control word says. */
uint64_t svmc_exec_x87_narrow(struct fpu_real v, unsigned bytes, unsigned control,
                              unsigned *raised);
/** To 2, 4 or 8 bytes; truncate: whatever the control word says. */
uint64_t svmc_exec_x87_to_integer(struct fpu_real v, unsigned bytes, unsigned control,
                                  bool truncate, unsigned *raised);
void svmc_exec_x87_to_decimal(struct fpu_real v, unsigned control, uint8_t digits[10],
                              unsigned *raised);
/** The two bits of the tag word that FNSTENV stores for a register that is not empty. */
unsigned svmc_exec_x87_tag_of(struct fpu_real v);

/** A piece of an operand on two pages at most, up to SVMC_EXEC_WIDTH_MAX bytes. */
static inline struct exec_span fpu_part(const struct exec_span *area, unsigned from, unsigned bytes)
{
    struct exec_span part = { { area->at[0] + from, area->at[1] }, bytes, bytes };

    if (from >= area->first)
        part.at[0] = area->at[1] + (from - area->first);
    else if (from + bytes > area->first)
        part.first = area->first - from;
    return part;
}

/** XE-50: #NM, and #MF for what waits. */
bool svmc_exec_x86_fpu_may_start(struct x86_run *e, bool waits);

/* Shapes. */
bool svmc_exec_x86_fpu_load(struct x86_run *e);
bool svmc_exec_x86_fpu_store(struct x86_run *e);
bool svmc_exec_x86_fpu_arithmetic(struct x86_run *e);
bool svmc_exec_x86_fpu_control(struct x86_run *e);
bool svmc_exec_x86_fpu_environment(struct x86_run *e);
bool svmc_exec_x86_mxcsr(struct x86_run *e);
bool svmc_exec_x86_area(struct x86_run *e);

#endif
