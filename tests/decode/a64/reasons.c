/* SPDX-License-Identifier: MIT */
/* See reasons.h. "Arm ARM" is DDI 0487. */
#include "reasons.h"

#include <stddef.h>

#define LLVM     1
#define BINUTILS 2
#define BOTH     3

struct reason {
    const char *text;
    uint8_t which; /* LLVM, BINUTILS */
    bool witness;  /* the other reference agrees with us */
    uint16_t diffs;
    uint32_t mask, match;
    bool (*also)(uint32_t word);
};

static uint32_t rt(uint32_t w)
{
    return w & 31;
}

static uint32_t rn(uint32_t w)
{
    return w >> 5 & 31;
}

static uint32_t rs(uint32_t w)
{
    return w >> 16 & 31;
}

static uint32_t rt2(uint32_t w)
{
    return w >> 10 & 31;
}

static bool not_ones(uint32_t w)
{
    return rs(w) != 31 || rt2(w) != 31;
}

static bool base_is_data(uint32_t w)
{
    return rn(w) != 31 && rn(w) == rt(w);
}

static bool pair_overlaps(uint32_t w)
{
    bool load = w >> 22 & 1, indexed = w >> 23 & 1, vector = w >> 26 & 1;

    if (load && rt(w) == rt2(w))
        return true;
    return !vector && indexed && rn(w) != 31 && (rn(w) == rt(w) || rn(w) == rt2(w));
}

static bool registers_equal(uint32_t w)
{
    return rt(w) == rt2(w);
}

static bool copy_overlaps(uint32_t w)
{
    bool set = (w >> 22 & 3) == 3;
    uint32_t d = rt(w), n = rn(w), s = rs(w);

    return d == 31 || n == 31 || (!set && s == 31) || d == n || d == s || n == s;
}

/* In the spaces of DC, IC, AT and TLBI. */
static bool operation_space(uint32_t w)
{
    uint32_t crn = w >> 12 & 15, crm = w >> 8 & 15;

    return crn == 8 || crn == 9 || (crn == 7 && crm != 0 && crm != 2 && crm != 3 && crm != 7);
}

/* TLBI of all, IC IALLU and the like: Rt should be 31. */
static bool no_register(uint32_t w)
{
    uint32_t op1 = w >> 16 & 7, crn = w >> 12 & 15, crm = w >> 8 & 15, op2 = w >> 5 & 7;

    if (crn == 8 || crn == 9) /* op1 4 with op2 2: VMALLWS2E1 of FEAT_TLBIW */
        return op2 == 0 || op2 == 4 || op2 == 6 ||
               (op1 == 4 && op2 == 2 && (crm == 2 || crm == 5 || crm == 6));
    return crn == 7 && (crm == 1 || crm == 2 || crm == 5 || crm == 7);
}

/* CFINV, XAFLAG, AXFLAG */
static bool flag_operation(uint32_t w)
{
    return (w >> 5 & 7) <= 2;
}

/* It shows a move to a register of another group. */
#define UNNAMED (DIFF_ID | DIFF_CLASS | DIFF_SIZE | DIFF_REGS | DIFF_IMM)

static const struct reason reasons[] = {
    { "base written back is a data register: CONSTRAINED UNPREDICTABLE (Arm ARM K1.2); LLVM "
      "refuses",
      LLVM, true, DIFF_REFUSES, 0x3f200400, 0x38000400, base_is_data },
    { "LLVM refuses LDTR, STTR of their own base, which write nothing back", LLVM, true,
      DIFF_REFUSES, 0x3f200c00, 0x38000800, base_is_data },
    { "pair: base written back or registers equal: CONSTRAINED UNPREDICTABLE (K1.2); LLVM refuses",
      LLVM, true, DIFF_REFUSES, 0x3a000000, 0x28000000, pair_overlaps },
    { "exclusive, ordered: Rs, Rt2 should be ones (C4.1); LLVM refuses others", LLVM, false,
      DIFF_REFUSES, 0x3f000000, 0x08000000, not_ones },
    { "LDAR: Rs, Rt2 should be ones; binutils refuses others", BINUTILS, false, DIFF_REFUSES,
      0x3fe08000, 0x08c08000, not_ones },
    { "MOPS: registers equal or 31: CONSTRAINED UNPREDICTABLE (C6.2 CPYP, SETP)", BOTH, false,
      DIFF_REFUSES, 0x3b200c00, 0x19000400, copy_overlaps },
    { "FEAT_LSE128, FEAT_THE: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xbf200c00,
      0x19200000, NULL },
    { "FEAT_THE: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xbf200800, 0x19200800,
      NULL },
    { "FEAT_THE: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xbf208c00, 0x38208000,
      NULL },
    { "FEAT_LRCPC3: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0x3f200c00, 0x1d000800,
      NULL },
    { "FEAT_LRCPC3: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xbf20ec00, 0x99000800,
      NULL },
    { "LDAPR: Rs should be ones", BOTH, false, DIFF_REFUSES, 0x3fe0fc00, 0x38a0c000, NULL },
    { "LDPSW of two equal registers: CONSTRAINED UNPREDICTABLE (K1.2)", BINUTILS, false,
      DIFF_REFUSES, 0xfe400000, 0x68400000, pair_overlaps },
    { "LDPSW of two equal registers: CONSTRAINED UNPREDICTABLE (K1.2)", LLVM, false, DIFF_REFUSES,
      0xfe400000, 0x68400000, pair_overlaps },
    { "op0 = 00 beyond hints, barriers and PSTATE is unallocated (C4.1, C5.1); both show MSR, "
      "MRS S0",
      BOTH, false, DIFF_ACCEPTS, 0xffd80000, 0xd5000000, NULL },
    { "A64-15: the whole space of DC, IC, AT or TLBI has that name; both show SYS where no "
      "operation is",
      BOTH, false, DIFF_ID | DIFF_CLASS, 0xfff80000, 0xd5080000, operation_space },
    { "A64-15: the same for TLBIP; LLVM shows SYSP", LLVM, false, DIFF_ID | DIFF_CLASS, 0xfff80000,
      0xd5480000, operation_space },
    { "FEAT_SYSINSTR128, FEAT_SYSREG128: newer than binutils 2.40", BINUTILS, false, DIFF_REFUSES,
      0xffc00000, 0xd5400000, NULL },
    { "LDRAA, LDRAB that load their base: CONSTRAINED UNPREDICTABLE (K1.2); LLVM refuses", LLVM,
      true, DIFF_REFUSES, 0xff200c00, 0xf8200c00, base_is_data },
    { "FEAT_RPRFM: newer than binutils 2.40, which shows PRFM", BINUTILS, true,
      DIFF_ID | DIFF_REGS | DIFF_ADDRESS | DIFF_SIZE | DIFF_IMM, 0xffe00c18, 0xf8a00818, NULL },
    { "FEAT_PAuth_LR: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xffc00000,
      0x55000000, NULL },
    { "FEAT_PAuth_LR: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xfffffbe0,
      0xd65f0be0, NULL },
    { "op0 = 00 is unallocated for MSRR, MRRS (C4.1); LLVM shows them", LLVM, true, DIFF_ACCEPTS,
      0xffd80000, 0xd5400000, NULL },
    { "op0 = 01 is unallocated with L = 1 of the pair forms (C4.1); LLVM shows MRRS", LLVM, true,
      DIFF_ACCEPTS, 0xfff80000, 0xd5680000, NULL },
    { "FEAT_LRCPC3: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xbfbffc00, 0x0d018400,
      NULL },
    { "FEAT_GCS: newer than binutils 2.40", BINUTILS, true, DIFF_REFUSES, 0xffffec00, 0xd91f0c00,
      NULL },
    { "CFINV, XAFLAG, AXFLAG: CRm should be zero; LLVM shows MSR S0 or refuses", LLVM, false,
      DIFF_REFUSES | UNNAMED, 0xfffff01f, 0xd500401f, flag_operation },
    { "CFINV, XAFLAG, AXFLAG: CRm should be zero; binutils shows MSR S0", BINUTILS, false, UNNAMED,
      0xfffff01f, 0xd500401f, flag_operation },
    { "SB: CRm should be zero; LLVM refuses others", LLVM, false, DIFF_REFUSES, 0xfffff0ff,
      0xd50330ff, NULL },
    { "SB: CRm should be zero; binutils shows MSR S0", BINUTILS, false, UNNAMED, 0xfffff0ff,
      0xd50330ff, NULL },
    { "MSR (immediate) of one bit: CRm<3:1> is not used (C6.2); binutils shows MSR S0", BINUTILS,
      true, DIFF_ID | DIFF_SIZE | DIFF_REGS, 0xfff8f01f, 0xd500401f, NULL },
    { "ST64B, ST64BV, ST64BV0 of an odd Rt or one above 22 is UNDEFINED (C6.2); binutils shows "
      "them",
      BINUTILS, true, DIFF_ACCEPTS, 0xffe08c00, 0xf8208000, NULL },
    { "LDXP, LDAXP of two equal registers: CONSTRAINED UNPREDICTABLE (K1.2); LLVM refuses", LLVM,
      true, DIFF_REFUSES, 0xbfff0000, 0x887f0000, registers_equal },
    { "FEAT_SPECRES2: COSP is newer than binutils 2.40, which shows SYS", BINUTILS, true, DIFF_ID,
      0xffffffe0, 0xd50b73c0, NULL },
    { "an operation without a register: Rt should be 31, its text does not show it", BOTH, false,
      DIFF_REGS, 0xffd80000, 0xd5080000, no_register },
};

const unsigned reason_count = sizeof reasons / sizeof reasons[0];

int reason_find(enum reference which, uint32_t word, unsigned diff, bool other_agrees)
{
    for (unsigned i = 0; i < reason_count; i++) {
        const struct reason *r = &reasons[i];

        if ((r->which >> which & 1) && !(diff & ~(unsigned)r->diffs) &&
            (word & r->mask) == r->match && (!r->witness || other_agrees) &&
            (!r->also || r->also(word)))
            return (int)i;
    }
    return -1;
}

const char *reason_text(unsigned number)
{
    return reasons[number].text;
}
