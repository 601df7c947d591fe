/* SPDX-License-Identifier: MIT */
/*
 * The justified differences, for words of A64. "Arm ARM" is DDI 0487; its sections and pages of
 * instructions by name: page numbers move between its editions.
 */
#include "justified.h"

#include <stddef.h>

static bool is(const struct word *w, uint32_t mask, uint32_t match)
{
    return (w->raw & mask) == match;
}

static uint32_t rt(const struct word *w)
{
    return w->raw & 31;
}

static uint32_t rn(const struct word *w)
{
    return w->raw >> 5 & 31;
}

static uint32_t rs(const struct word *w)
{
    return w->raw >> 16 & 31;
}

static uint32_t rt2(const struct word *w)
{
    return w->raw >> 10 & 31;
}

static bool not_ones(const struct word *w)
{
    return rs(w) != 31 || rt2(w) != 31;
}

static bool base_is_data(const struct word *w)
{
    return rn(w) != 31 && rn(w) == rt(w);
}

static bool pair_overlaps(const struct word *w)
{
    bool load = w->raw >> 22 & 1, indexed = w->raw >> 23 & 1, vector = w->raw >> 26 & 1;

    if (load && rt(w) == rt2(w))
        return true;
    return !vector && indexed && rn(w) != 31 && (rn(w) == rt(w) || rn(w) == rt2(w));
}

static bool registers_equal(const struct word *w)
{
    return rt(w) == rt2(w);
}

static bool copy_overlaps(const struct word *w)
{
    bool set = (w->raw >> 22 & 3) == 3;
    uint32_t d = rt(w), n = rn(w), s = rs(w);

    return d == 31 || n == 31 || (!set && s == 31) || d == n || d == s || n == s;
}

/* In the spaces of DC, IC, AT and TLBI. */
static bool operation_space(const struct word *w)
{
    uint32_t crn = w->raw >> 12 & 15, crm = w->raw >> 8 & 15;

    return crn == 8 || crn == 9 || (crn == 7 && crm != 0 && crm != 2 && crm != 3 && crm != 7);
}

/* TLBI of all, IC IALLU and the like: Rt should be 31. */
static bool no_register(const struct word *w)
{
    uint32_t op1 = w->raw >> 16 & 7, crn = w->raw >> 12 & 15, crm = w->raw >> 8 & 15,
             op2 = w->raw >> 5 & 7;

    if (crn == 8 || crn == 9) /* op1 4 with op2 2: VMALLWS2E1 of FEAT_TLBIW */
        return op2 == 0 || op2 == 4 || op2 == 6 ||
               (op1 == 4 && op2 == 2 && (crm == 2 || crm == 5 || crm == 6));
    return crn == 7 && (crm == 1 || crm == 2 || crm == 5 || crm == 7);
}

/* CFINV, XAFLAG, AXFLAG */
static bool flag_operation(const struct word *w)
{
    return (w->raw >> 5 & 7) <= 2;
}

/* ---- what the rows hold for ---- */

static bool is_written_back(const struct word *w)
{
    return is(w, 0x3f200400, 0x38000400) && base_is_data(w);
}

static bool is_unprivileged_own_base(const struct word *w)
{
    return is(w, 0x3f200c00, 0x38000800) && base_is_data(w);
}

static bool is_pair_unpredictable(const struct word *w)
{
    return is(w, 0x3a000000, 0x28000000) && pair_overlaps(w);
}

static bool is_exclusive_not_ones(const struct word *w)
{
    return is(w, 0x3f000000, 0x08000000) && not_ones(w);
}

static bool is_ldar_not_ones(const struct word *w)
{
    return is(w, 0x3fe08000, 0x08c08000) && not_ones(w);
}

static bool is_mops_overlap(const struct word *w)
{
    return is(w, 0x3b200c00, 0x19000400) && copy_overlaps(w);
}

static bool is_lse128(const struct word *w)
{
    return is(w, 0xbf200c00, 0x19200000);
}

static bool is_the_pair(const struct word *w)
{
    return is(w, 0xbf200800, 0x19200800);
}

static bool is_the_single(const struct word *w)
{
    return is(w, 0xbf208c00, 0x38208000);
}

static bool is_lrcpc3_vector(const struct word *w)
{
    return is(w, 0x3f200c00, 0x1d000800);
}

static bool is_lrcpc3_pair(const struct word *w)
{
    return is(w, 0xbf20ec00, 0x99000800);
}

static bool is_ldapr_not_ones(const struct word *w)
{
    return is(w, 0x3fe0fc00, 0x38a0c000);
}

static bool is_ldpsw_equal(const struct word *w)
{
    return is(w, 0xfe400000, 0x68400000) && pair_overlaps(w);
}

static bool is_op0_zero(const struct word *w)
{
    return is(w, 0xffd80000, 0xd5000000);
}

static bool is_operation_space(const struct word *w)
{
    return is(w, 0xfff80000, 0xd5080000) && operation_space(w);
}

static bool is_tlbip_space(const struct word *w)
{
    return is(w, 0xfff80000, 0xd5480000) && operation_space(w);
}

static bool is_system_pair(const struct word *w)
{
    return is(w, 0xffc00000, 0xd5400000);
}

static bool is_pac_own_base(const struct word *w)
{
    return is(w, 0xff200c00, 0xf8200c00) && base_is_data(w);
}

static bool is_rprfm(const struct word *w)
{
    return is(w, 0xffe00c18, 0xf8a00818);
}

static bool is_pauth_lr_branch(const struct word *w)
{
    return is(w, 0xffc00000, 0x55000000);
}

static bool is_pauth_lr_register(const struct word *w)
{
    return is(w, 0xfffffbe0, 0xd65f0be0);
}

static bool is_pair_op0_zero(const struct word *w)
{
    return is(w, 0xffd80000, 0xd5400000);
}

static bool is_pair_op0_one(const struct word *w)
{
    return is(w, 0xfff80000, 0xd5680000);
}

static bool is_lrcpc3_element(const struct word *w)
{
    return is(w, 0xbfbffc00, 0x0d018400);
}

static bool is_gcs(const struct word *w)
{
    return is(w, 0xffffec00, 0xd91f0c00);
}

static bool is_flag_operation(const struct word *w)
{
    return is(w, 0xfffff01f, 0xd500401f) && flag_operation(w);
}

static bool is_sb(const struct word *w)
{
    return is(w, 0xfffff0ff, 0xd50330ff);
}

static bool is_pstate_bit(const struct word *w)
{
    return is(w, 0xfff8f01f, 0xd500401f);
}

static bool is_st64b_odd(const struct word *w)
{
    return is(w, 0xffe08c00, 0xf8208000);
}

static bool is_ldxp_equal(const struct word *w)
{
    return is(w, 0xbfff0000, 0x887f0000) && registers_equal(w);
}

static bool is_cosp(const struct word *w)
{
    return is(w, 0xffffffe0, 0xd50b73c0);
}

static bool is_operation_alone(const struct word *w)
{
    return is(w, 0xffd80000, 0xd5080000) && no_register(w);
}

/* It shows a move to a register of another group. */
#define UNNAMED (A_ID | A_CLASS | A_SIZE | A_REGS | A_IMM)

const struct justified justified[] = {
    { "base written back is a data register, CONSTRAINED UNPREDICTABLE; LLVM refuses", BY_LLVM,
      BY_BINUTILS, A_REFUSE, is_written_back, "Arm ARM K1.2" },
    { "LLVM refuses LDTR, STTR of their own base, which write nothing back", BY_LLVM, BY_BINUTILS,
      A_REFUSE, is_unprivileged_own_base, "Arm ARM C6.2 LDTR, STTR" },
    { "pair: base written back or registers equal, CONSTRAINED UNPREDICTABLE; LLVM refuses",
      BY_LLVM, BY_BINUTILS, A_REFUSE, is_pair_unpredictable, "Arm ARM K1.2" },
    { "exclusive, ordered: Rs, Rt2 should be ones; LLVM refuses others", BY_LLVM, 0, A_REFUSE,
      is_exclusive_not_ones, "Arm ARM C4.1" },
    { "LDAR: Rs, Rt2 should be ones; binutils refuses others", BY_BINUTILS, 0, A_REFUSE,
      is_ldar_not_ones, "Arm ARM C6.2 LDAR" },
    { "MOPS: registers equal or 31, CONSTRAINED UNPREDICTABLE", BY_LLVM | BY_BINUTILS, 0, A_REFUSE,
      is_mops_overlap, "Arm ARM C6.2 CPYP, SETP" },
    { "FEAT_LSE128, FEAT_THE: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_lse128,
      "Arm ARM C6.2 LDCLRP, RCWSWPP" },
    { "FEAT_THE: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_the_pair,
      "Arm ARM C6.2 RCWCASP" },
    { "FEAT_THE: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_the_single,
      "Arm ARM C6.2 RCWCLR" },
    { "FEAT_LRCPC3: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_lrcpc3_vector,
      "Arm ARM C7.2 LDAPUR, STLUR" },
    { "FEAT_LRCPC3: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_lrcpc3_pair,
      "Arm ARM C6.2 LDIAPP, STILP" },
    { "LDAPR: Rs should be ones", BY_LLVM | BY_BINUTILS, 0, A_REFUSE, is_ldapr_not_ones,
      "Arm ARM C6.2 LDAPR" },
    { "LDPSW of two equal registers, CONSTRAINED UNPREDICTABLE; binutils refuses", BY_BINUTILS, 0,
      A_REFUSE, is_ldpsw_equal, "Arm ARM K1.2" },
    { "LDPSW of two equal registers, CONSTRAINED UNPREDICTABLE; LLVM refuses", BY_LLVM, 0, A_REFUSE,
      is_ldpsw_equal, "Arm ARM K1.2" },
    { "op0 = 00 beyond hints, barriers and PSTATE is unallocated; both show MSR, MRS S0",
      BY_LLVM | BY_BINUTILS, 0, A_ACCEPT, is_op0_zero, "Arm ARM C4.1, C5.1" },
    { "the whole space of DC, IC, AT or TLBI has that name (A64-15); both show SYS where no "
      "operation is",
      BY_LLVM | BY_BINUTILS, 0, A_ID | A_CLASS, is_operation_space, "Arm ARM C5.1" },
    { "the same for TLBIP; LLVM shows SYSP", BY_LLVM, 0, A_ID | A_CLASS, is_tlbip_space,
      "Arm ARM C5.1" },
    { "FEAT_SYSINSTR128, FEAT_SYSREG128: newer than binutils 2.40", BY_BINUTILS, 0, A_REFUSE,
      is_system_pair, "Arm ARM C6.2 SYSP, MRRS" },
    { "LDRAA, LDRAB that load their base, CONSTRAINED UNPREDICTABLE; LLVM refuses", BY_LLVM,
      BY_BINUTILS, A_REFUSE, is_pac_own_base, "Arm ARM K1.2" },
    { "FEAT_RPRFM: newer than binutils 2.40, which shows PRFM", BY_BINUTILS, BY_LLVM,
      A_ID | A_REGS | A_ADDRESS | A_SIZE | A_IMM, is_rprfm, "Arm ARM C6.2 RPRFM" },
    { "FEAT_PAuth_LR: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_pauth_lr_branch,
      "Arm ARM C6.2 RETAASPPC" },
    { "FEAT_PAuth_LR: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE,
      is_pauth_lr_register, "Arm ARM C6.2 RETAASPPCR" },
    { "op0 = 00 is unallocated for MSRR, MRRS; LLVM shows them", BY_LLVM, BY_BINUTILS, A_ACCEPT,
      is_pair_op0_zero, "Arm ARM C4.1" },
    { "op0 = 01 is unallocated with L = 1 of the pair forms; LLVM shows MRRS", BY_LLVM, BY_BINUTILS,
      A_ACCEPT, is_pair_op0_one, "Arm ARM C4.1" },
    { "FEAT_LRCPC3: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_lrcpc3_element,
      "Arm ARM C7.2 LDAP1, STL1" },
    { "FEAT_GCS: newer than binutils 2.40", BY_BINUTILS, BY_LLVM, A_REFUSE, is_gcs,
      "Arm ARM C6.2 GCSSTR" },
    { "CFINV, XAFLAG, AXFLAG: CRm should be zero; LLVM shows MSR S0 or refuses", BY_LLVM, 0,
      A_REFUSE | UNNAMED, is_flag_operation, "Arm ARM C6.2 CFINV" },
    { "CFINV, XAFLAG, AXFLAG: CRm should be zero; binutils shows MSR S0", BY_BINUTILS, 0, UNNAMED,
      is_flag_operation, "Arm ARM C6.2 CFINV" },
    { "SB: CRm should be zero; LLVM refuses others", BY_LLVM, 0, A_REFUSE, is_sb,
      "Arm ARM C6.2 SB" },
    { "SB: CRm should be zero; binutils shows MSR S0", BY_BINUTILS, 0, UNNAMED, is_sb,
      "Arm ARM C6.2 SB" },
    { "MSR (immediate) of one bit: CRm<3:1> is not used; binutils shows MSR S0", BY_BINUTILS,
      BY_LLVM, A_ID | A_SIZE | A_REGS, is_pstate_bit, "Arm ARM C6.2 MSR (immediate)" },
    { "ST64B, ST64BV, ST64BV0 of an odd Rt or one above 22 is UNDEFINED; binutils shows them",
      BY_BINUTILS, BY_LLVM, A_ACCEPT, is_st64b_odd, "Arm ARM C6.2 ST64B" },
    { "LDXP, LDAXP of two equal registers, CONSTRAINED UNPREDICTABLE; LLVM refuses", BY_LLVM,
      BY_BINUTILS, A_REFUSE, is_ldxp_equal, "Arm ARM K1.2" },
    { "FEAT_SPECRES2: COSP is newer than binutils 2.40, which shows SYS", BY_BINUTILS, BY_LLVM,
      A_ID, is_cosp, "Arm ARM C6.2 COSP" },
    { "an operation without a register: Rt should be 31, its text does not show it",
      BY_LLVM | BY_BINUTILS, 0, A_REGS, is_operation_alone, "Arm ARM C5.1" },
};
JUSTIFIED_END("tests/decode/a64/justified.c");
