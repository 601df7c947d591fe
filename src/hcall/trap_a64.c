/* SPDX-License-Identifier: MIT */
/** System registers of the DCC, HVC and BRK. docs/spec/trap.md, TM-10 to TM-15. */
#include "trap_private.h"

/* ESR_EL2: Arm ARM D24.2, ESR_EL2; exception classes. */
#define EC_UNKNOWN    0x00u
#define EC_MRC_14     0x05u /* AArch32: MCR, MRC, coprocessor 14 */
#define EC_LDC_14     0x06u /* AArch32: LDC, STC */
#define EC_MRRC_14    0x0cu /* AArch32: MRRC */
#define EC_HVC        0x16u
#define EC_SYSTEM     0x18u /* AArch64: MSR, MRS */
#define EC_BREAKPOINT 0x30u /* the three of lower exception levels; one more: of the same */
#define EC_STEP       0x32u
#define EC_WATCHPOINT 0x34u
#define EC_BKPT       0x38u /* AArch32 */
#define EC_BRK        0x3cu
#define ESR_LONG      0x2000000u /* IL: the instruction has four bytes */
#define ISS           0x1ffffffu
#define ISS_IMMEDIATE 0xffffu
#define ISS_READ      0x1u
#define ISS_RT_AT     5
#define ISS_RT        (31u << ISS_RT_AT)

/* ISS of MSR, MRS without Rt and direction: op0 21:20, op2 19:17, op1 16:14, CRn 13:10, CRm 4:1. */
#define SYSTEM(op0, op1, crn, crm, op2) \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define MDSCR_EL1  SYSTEM(2u, 0u, 0u, 2u, 2u)
#define MDCCSR_EL0 SYSTEM(2u, 3u, 0u, 1u, 0u)
#define DCC_EL0    SYSTEM(2u, 3u, 0u, 0u, 0u) /* with any CRm and op2 */
#define DCC_ANY    SYSTEM(0u, 0u, 0u, 15u, 7u)

/* ISS of MCR and MRC, coprocessor 14: CV 24, COND 23:20, then as above without op0. */
#define MRC_CONDITION_AT 20
#define MRC_CV           (1u << 24)
#define MRC_ISS          0xfffffu
#define MRC_OP1          SYSTEM(0u, 7u, 0u, 0u, 0u) /* 0: a debug register */
#define MRRC_OP1         (15u << 16)
#define DBGDSCRINT       SYSTEM(0u, 0u, 0u, 1u, 0u)

#define STATUS (3u << 29)          /* MDCCSR_EL0, DBGDSCRint: RXfull, TXfull */
#define TDCC   (UINT64_C(1) << 12) /* MDSCR_EL1 */
#define KDE    (UINT64_C(1) << 13)
#define ALWAYS 14u /* conditions 14 and 15 */

/* SPSR_EL2: Arm ARM C5.2.19. */
#define SPSR_FLAGS   0xf0000000u
#define SPSR_D       0x200u
#define SPSR_THUMB   0x20u
#define SPSR_AARCH32 0x10u
#define SPSR_MODE    0xfu /* AArch32: 0 is User */
#define SPSR_EL_AT   2    /* AArch64 */
#define SPSR_EL1H    5u

/* TM-15: MDCR_EL2, HDFGRTR_EL2 and HDFGWTR_EL2. */
#define MDCR_TDE   (UINT64_C(1) << 8)
#define MDCR_TDA   (UINT64_C(1) << 9)
#define MDCR_TDRA  (UINT64_C(1) << 11)
#define MDCR_TDCC  (UINT64_C(1) << 27)
#define HDFG_MDSCR (UINT64_C(1) << 4)

#define BIT(way) (1u << (way))
/* TM-15: the ways whose traps bring MDSCR_EL1 and MDCCSR_EL0; TDE counts as TDA. */
#define DCC_WAYS (BIT(SVMC_TRAP_WAY_MRS) | BIT(SVMC_TRAP_WAY_MRC) | BIT(SVMC_TRAP_WAY_BRK))

enum { INSN_BYTES = 4 };

/* TM-2: the exception that EL2 was told of, at EL1. */
static void reflect(struct trap_run *r, const struct svmc_trap_a64 *raw, uint32_t ec)
{
    struct svmc_fault *fault = svmc_hcall_trap_forward(r, (uint8_t)ec);

    fault->has_error = 1;
    fault->error = (uint32_t)raw->esr & ISS;
}

static uint32_t target(uint32_t iss)
{
    return (iss & ISS_RT) == ISS_RT ? SVMC_REG_XZR : SVMC_REG_X0 + ((iss & ISS_RT) >> ISS_RT_AT);
}

static void emulate(struct trap_run *r, enum svmc_trap_verdict verdict, uint32_t dest,
                    uint64_t value)
{
    r->out->verdict = (uint8_t)verdict;
    r->out->insn_bytes = INSN_BYTES;
    r->out->dest = dest;
    r->out->value = value;
}

/* TM-11: the register that could send the guest's DCC accesses to EL1 past us. */
static void mdscr(struct trap_run *r, const struct svmc_trap_a64 *raw, uint32_t iss)
{
    uint64_t value;

    if (iss & ISS_READ) {
        value = (raw->mdscr & ~TDCC) | (raw->tdcc ? TDCC : 0);
        emulate(r, SVMC_TRAP_EMULATE_READ, target(iss), value);
        return;
    }
    value = (iss & ISS_RT) == ISS_RT ? 0 : svmc_hcall_trap_ask(r, target(iss));
    emulate(r, SVMC_TRAP_EMULATE_WRITE, 0, value & ~TDCC);
    r->out->tdcc = (value & TDCC) != 0;
}

/* TM-12: X7 names the ABI, or the immediate has done so and its lower half is the word's. */
static uint64_t x7(struct trap_run *r)
{
    return svmc_hcall_trap_ask(r, SVMC_REG_X0 + SVMC_IOX_ARGS);
}

static void by_immediate(struct trap_run *r)
{
    svmc_hcall_trap_word(r, (uint64_t)SVMC_IOX_MAGIC << 32 | (uint32_t)x7(r), false);
}

/* TM-10 */
static void system(struct trap_run *r, const struct svmc_trap_a64 *raw, uint32_t iss)
{
    uint32_t reg = iss & ~(ISS_RT | ISS_READ);
    uint64_t word;

    if (reg == MDSCR_EL1 && !r->out->user)
        mdscr(r, raw, iss);
    else if (r->out->user && raw->tdcc && (reg & ~DCC_ANY) == DCC_EL0) /* TM-11 */
        reflect(r, raw, EC_SYSTEM);
    else if (reg == MDCCSR_EL0 && (iss & ISS_READ))
        emulate(r, SVMC_TRAP_EMULATE_READ, target(iss), raw->mdccsr & STATUS);
    if (iss == (MDCCSR_EL0 | ISS_RT | ISS_READ) &&
        svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_MRS) == TRAP_OPEN) {
        word = x7(r);
        svmc_hcall_trap_word(r, word, word == (uint64_t)SVMC_HCALL_MAGIC << 32);
    }
}

/* TM-13: does the instruction's condition hold? In T32 code it stands in the IT state, if anywhere.
   Arm ARM F2.3.1: bit NZCV of each word; the odd conditions are the opposite. */
static bool condition_holds(const struct svmc_trap_a64 *raw, uint32_t iss)
{
    static const uint16_t holds[8] = {
        0xf0f0, 0xcccc, 0xff00, 0xaaaa, 0x0c0c, 0xaa55, 0x0a05, 0xffff,
    };
    uint32_t spsr = (uint32_t)raw->spsr, it = (spsr >> 8 & 0xfc) | (spsr >> 25 & 3);
    uint32_t condition = ALWAYS;

    if (iss & MRC_CV)
        condition = iss >> MRC_CONDITION_AT & 15;
    else if ((spsr & SPSR_THUMB) && it != 0)
        condition = it >> 4;
    return condition >= ALWAYS || /* clamp: four bits >> 1 */
           (holds[condition >> 1] >> (spsr >> 28) & 1u) != (condition & 1);
}

/* TM-13: of a guest whose user program is AArch32. */
static void coprocessor(struct trap_run *r, const struct svmc_trap_a64 *raw, uint32_t iss,
                        uint32_t ec)
{
    uint32_t reg = iss & MRC_ISS & ~(ISS_RT | ISS_READ);
    bool status = ec == EC_MRC_14 && reg == DBGDSCRINT && (iss & ISS_READ);
    bool flags = (iss & ISS_RT) == ISS_RT;
    uint64_t value = raw->mdccsr & STATUS, word;

    if (ec != EC_LDC_14 && (iss & (ec == EC_MRC_14 ? MRC_OP1 : MRRC_OP1)) != 0)
        return; /* no debug register */
    if (!condition_holds(raw, iss)) {
        emulate(r, SVMC_TRAP_EMULATE_READ, SVMC_REG_NONE, 0);
        return;
    }
    if (flags)
        value |= raw->spsr & ~(uint64_t)SPSR_FLAGS;
    if (raw->tdcc) /* TM-11 */
        reflect(r, raw, ec);
    else if (status)
        emulate(r, SVMC_TRAP_EMULATE_READ, flags ? SVMC_REG_PSTATE : target(iss), value);
    if (status && flags && svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_MRC) == TRAP_OPEN) {
        word = (uint32_t)x7(r);
        word |= svmc_hcall_trap_ask(r, SVMC_REG_X0 + SVMC_IOX_ARGS + 1) << 32;
        svmc_hcall_trap_word(r, word, false);
    }
}

/* TM-12: another immediate is somebody else's; ours without a call is an unknown instruction. */
static void hvc(struct trap_run *r, uint32_t iss)
{
    if ((iss != SVMC_HCALL_MAGIC && iss != SVMC_IOX_MAGIC) ||
        svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_HVC) != TRAP_OPEN)
        return;
    svmc_hcall_trap_forward(r, EC_UNKNOWN)->has_error = 1;
    r->out->back = INSN_BYTES;
    r->call_bytes = 0;
    r->call_back = INSN_BYTES;
    if (iss == SVMC_HCALL_MAGIC)
        svmc_hcall_trap_call(r, SVMC_TRAP_NATIVE);
    else
        by_immediate(r);
}

/* TM-14: all that MDCR_EL2.TDE brings. */
static void debug(struct trap_run *r, const struct svmc_trap_a64 *raw, uint32_t iss, uint32_t ec)
{
    enum trap_gate gate = svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_BRK);
    bool breaks = ec == EC_BRK || ec == EC_BKPT;

    if (gate == TRAP_CLOSED)
        return;
    if (!breaks && !r->out->user && (!(raw->mdscr & KDE) || (raw->spsr & SPSR_D))) { /* TM-22 */
        r->out->verdict = SVMC_TRAP_MASKED;
        return;
    }
    reflect(r, raw, breaks || r->out->user ? ec : ec + 1);
    if (ec == EC_WATCHPOINT)
        r->out->fault.address = raw->far;
    r->call_bytes = raw->esr & ESR_LONG ? INSN_BYTES : 2;
    if (gate == TRAP_OPEN && breaks && iss == SVMC_IOX_MAGIC)
        by_immediate(r);
}

static void match(struct trap_run *r, const struct svmc_trap_a64 *raw)
{
    uint32_t ec = (uint32_t)raw->esr >> 26, iss = (uint32_t)raw->esr & ISS;
    uint32_t spsr = (uint32_t)raw->spsr, mode = spsr & SPSR_MODE;
    bool narrow = (spsr & SPSR_AARCH32) != 0, watched;

    r->out->isa = !narrow ? SVMC_ISA_A64 : spsr & SPSR_THUMB ? SVMC_ISA_T32 : SVMC_ISA_A32;
    r->out->user = mode >> SPSR_EL_AT == 0;
    if (mode > (narrow ? 0 : SPSR_EL1H))
        return; /* an AArch32 EL1; EL2 itself */
    watched = ((r->config->kernel | r->config->user) & DCC_WAYS) != 0;
    if (ec == EC_SYSTEM && !narrow && watched)
        system(r, raw, iss);
    else if ((ec == EC_MRC_14 || ec == EC_LDC_14 || ec == EC_MRRC_14) && narrow && watched)
        coprocessor(r, raw, iss, ec);
    else if (ec == EC_HVC && !r->out->user)
        hvc(r, iss);
    else if (ec == (narrow ? EC_BKPT : EC_BRK) || ec == EC_BREAKPOINT || ec == EC_STEP ||
             ec == EC_WATCHPOINT)
        debug(r, raw, iss, ec);
}

CORE_SMALL enum svmc_status svmc_trap_from_a64(const struct svmc_trap_config *config,
                                               const struct svmc_trap_a64 *raw,
                                               const struct svmc_host_ops *ops, void *ctx,
                                               struct svmc_trap *out)
{
    struct trap_run r = {
        .config = config,
        .ops = ops,
        .ctx = ctx,
        .out = out,
        .call_bytes = INSN_BYTES,
    };

    if (svmc_hcall_trap_begin(&r, raw) != SVMC_OK || raw->tdcc > 1)
        return SVMC_ERR_ARG;
    match(&r, raw);
    return svmc_hcall_trap_end(&r);
}

CORE_SMALL enum svmc_status svmc_trap_setup_a64(const struct svmc_trap_config *config, uint32_t fgt,
                                                struct svmc_trap_el2 *regs)
{
    uint32_t ways;

    if (!config || !regs)
        return SVMC_ERR_ARG;
    ways = config->kernel | config->user;
    if (ways & BIT(SVMC_TRAP_WAY_MRC)) {
        regs->mdcr |= MDCR_TDA | MDCR_TDRA;
    } else if (ways & BIT(SVMC_TRAP_WAY_MRS) && fgt) {
        regs->mdcr |= MDCR_TDCC;
        regs->hdfgrtr |= HDFG_MDSCR;
        regs->hdfgwtr |= HDFG_MDSCR;
    } else if (ways & BIT(SVMC_TRAP_WAY_MRS)) {
        regs->mdcr |= MDCR_TDA;
    }
    if (ways & BIT(SVMC_TRAP_WAY_BRK))
        regs->mdcr |= MDCR_TDE;
    return SVMC_OK;
}
