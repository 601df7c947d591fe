/* SPDX-License-Identifier: MIT */
/* An A64 instruction in Arm syntax. Rules FO-n: docs/spec/format.md. */
#include "format.h"
#include "../../core/clamp.h"
#include "../a64/a64_names.h"

#define IDS (sizeof a64_name_at / sizeof a64_name_at[0])

/* What stands behind the name. */
enum shape {
    SHAPE_NONE,
    SHAPE_GROUP,
    SHAPE_MEMORY, /* status, reg, reg2, address */
    SHAPE_ATOMIC, /* reg2, reg, address */
    SHAPE_PAIRS,  /* the same, each with the register behind it */
    SHAPE_PREFETCH,
    SHAPE_RANGE_PREFETCH,
    SHAPE_COPY,
    SHAPE_SET,
    SHAPE_STRUCT,
    SHAPE_BRANCH, /* reg, reg2, distance */
    SHAPE_COND,
    SHAPE_BIT,
    SHAPE_IMMEDIATE,
    SHAPE_HINT,
    SHAPE_REG,
    SHAPE_CLREX,
    SHAPE_BARRIER,
    SHAPE_MSR_IMM,
    SHAPE_MSR,
    SHAPE_MRS,
    SHAPE_SYS,
    SHAPE_SYSL,
};
enum { WITH_SIZE = 1, WITH_ORDER = 2 };

/* By id: up to `last`, from behind the row before. */
static const struct {
    uint8_t last, shape, suffixes;
} shapes[] = {
    { SVMC_A64_NONE, SHAPE_NONE, 0 },
    { SVMC_A64_SME, SHAPE_GROUP, 0 },
    { SVMC_A64_LDR, SHAPE_MEMORY, WITH_SIZE },
    { SVMC_A64_PRFM, SHAPE_PREFETCH, 0 },
    { SVMC_A64_LDUR, SHAPE_MEMORY, WITH_SIZE },
    { SVMC_A64_PRFUM, SHAPE_PREFETCH, 0 },
    { SVMC_A64_LDTR, SHAPE_MEMORY, WITH_SIZE },
    { SVMC_A64_RPRFM, SHAPE_RANGE_PREFETCH, 0 },
    { SVMC_A64_LDAR, SHAPE_MEMORY, WITH_SIZE },
    { SVMC_A64_CAS, SHAPE_ATOMIC, WITH_SIZE | WITH_ORDER },
    { SVMC_A64_CASP, SHAPE_PAIRS, WITH_ORDER },
    { SVMC_A64_SWP, SHAPE_ATOMIC, WITH_SIZE | WITH_ORDER },
    { SVMC_A64_LDAPR, SHAPE_MEMORY, WITH_SIZE },
    { SVMC_A64_RCWSWP, SHAPE_ATOMIC, WITH_ORDER },
    { SVMC_A64_RCWSWPP, SHAPE_MEMORY, WITH_ORDER },
    { SVMC_A64_RCWCAS, SHAPE_ATOMIC, WITH_ORDER },
    { SVMC_A64_RCWCASP, SHAPE_PAIRS, WITH_ORDER },
    { SVMC_A64_ST64BV0, SHAPE_MEMORY, 0 },
    { SVMC_A64_LDAPUR, SHAPE_MEMORY, WITH_SIZE },
    { SVMC_A64_GCSSTTR, SHAPE_MEMORY, 0 },
    { SVMC_A64_CPYE, SHAPE_COPY, 0 },
    { SVMC_A64_SETGE, SHAPE_SET, 0 },
    { SVMC_A64_STL1, SHAPE_STRUCT, 0 },
    { SVMC_A64_BL, SHAPE_BRANCH, 0 },
    { SVMC_A64_BC_COND, SHAPE_COND, 0 },
    { SVMC_A64_CBNZ, SHAPE_BRANCH, 0 },
    { SVMC_A64_TBNZ, SHAPE_BIT, 0 },
    { SVMC_A64_RETABSPPC, SHAPE_BRANCH, 0 },
    { SVMC_A64_DCPS3, SHAPE_IMMEDIATE, 0 },
    { SVMC_A64_DRPS, SHAPE_NONE, 0 },
    { SVMC_A64_HINT, SHAPE_HINT, 0 },
    { SVMC_A64_SEVL, SHAPE_NONE, 0 },
    { SVMC_A64_WFIT, SHAPE_REG, 0 },
    { SVMC_A64_CLREX, SHAPE_CLREX, 0 },
    { SVMC_A64_DMB, SHAPE_BARRIER, 0 },
    { SVMC_A64_ISB, SHAPE_CLREX, 0 },
    { SVMC_A64_TCOMMIT, SHAPE_NONE, 0 },
    { SVMC_A64_TTEST, SHAPE_REG, 0 },
    { SVMC_A64_MSR_IMM, SHAPE_MSR_IMM, 0 },
    { SVMC_A64_AXFLAG, SHAPE_NONE, 0 },
    { SVMC_A64_MSR, SHAPE_MSR, 0 },
    { SVMC_A64_MRS, SHAPE_MRS, 0 },
    { SVMC_A64_SYS, SHAPE_SYS, 0 },
    { SVMC_A64_SYSL, SHAPE_SYSL, 0 },
    { SVMC_A64_TLBI, SHAPE_SYS, 0 },
    { SVMC_A64_MSRR, SHAPE_MSR, 0 },
    { SVMC_A64_MRRS, SHAPE_MRS, 0 },
    { SVMC_A64_TLBIP, SHAPE_SYS, 0 },
};
_Static_assert(IDS == SVMC_A64_TLBIP + 1, "a new id needs a row");

static void put_number(struct text *t, int64_t v)
{
    svmc_text_put(t, v < 0 ? "#-" : "#");
    svmc_text_decimal(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void comma(struct text *t)
{
    svmc_text_put(t, ", ");
}

static void put_gpr(struct text *t, unsigned reg, unsigned bytes)
{
    bool narrow = bytes == 4;

    if (reg == SVMC_REG_SP) {
        svmc_text_put(t, narrow ? "wsp" : "sp");
        return;
    }
    svmc_text_char(t, narrow ? 'w' : 'x');
    if (reg == SVMC_REG_XZR)
        svmc_text_put(t, "zr");
    else
        svmc_text_decimal(t, (reg - SVMC_REG_X0) & 31);
}

/* A register of the file of the first one. */
static void put_reg(struct text *t, const struct svmc_insn *insn, unsigned reg)
{
    unsigned bytes = insn->reg_bytes;

    if (insn->reg_kind == SVMC_REG_KIND_VECTOR) {
        svmc_text_char(t, bytes == 1   ? 'b'
                          : bytes == 2 ? 'h'
                          : bytes == 4 ? 's'
                          : bytes == 8 ? 'd'
                                       : 'q');
        svmc_text_decimal(t, reg & 31);
    } else {
        put_gpr(t, reg, bytes);
    }
}

/* FO-12 */
static void put_name(struct text *t, const struct svmc_insn *insn, unsigned suffixes)
{
    const char *name = a64_names + a64_name_at[core_clamp(insn->id, IDS)];
    bool vector = insn->reg_kind == SVMC_REG_KIND_VECTOR;

    if (insn->id >= SVMC_A64_RCWCLR && insn->id <= SVMC_A64_RCWCASP && name[0] == 'r' &&
        (insn->priv_raw[0] >> 30 & 1)) { /* the one with an "s" checks by software */
        svmc_text_put(t, "rcws");
        name += 3;
    }
    while (*name != 0 && *name != '.') /* b.cond: the condition follows */
        svmc_text_char(t, *name++);
    if (suffixes & WITH_ORDER) {
        if (insn->flags & SVMC_INSN_ACQUIRE)
            svmc_text_char(t, 'a');
        if (insn->flags & SVMC_INSN_RELEASE)
            svmc_text_char(t, 'l');
    }
    if (!(suffixes & WITH_SIZE) || vector)
        return;
    if (insn->flags & SVMC_INSN_SIGN)
        svmc_text_char(t, 's');
    if (insn->mem_bytes < 4)
        svmc_text_char(t, insn->mem_bytes == 1 ? 'b' : 'h');
    else if (insn->flags & SVMC_INSN_SIGN)
        svmc_text_char(t, 'w');
}

static unsigned log2_of(unsigned v)
{
    unsigned n = 0;

    while (v > 1) {
        v >>= 1;
        n++;
    }
    return n;
}

/* FO-13: the index register with what is done to it. */
static void put_index(struct text *t, const struct svmc_insn *insn)
{
    static const char extends[4][5] = { "lsl", "uxtw", "sxtw", "sxtx" };
    unsigned extend = insn->index_extend & 3u, shift = log2_of(insn->scale);
    bool narrow = extend == SVMC_INDEX_UXTW || extend == SVMC_INDEX_SXTW;

    put_gpr(t, insn->index, narrow ? 4 : 8);
    if (extend == SVMC_INDEX_PLAIN && shift == 0)
        return;
    comma(t);
    svmc_text_put(t, extends[extend]); /* clamp: two bits */
    if (shift != 0) {
        svmc_text_char(t, ' ');
        put_number(t, shift);
    }
}

/* FO-13 */
static void put_address(struct text *t, const struct svmc_insn *insn)
{
    bool pre = insn->flags & SVMC_INSN_PRE_INDEX, post = insn->flags & SVMC_INSN_POST_INDEX;

    if (insn->base == SVMC_REG_PC) {
        put_number(t, insn->disp);
        return;
    }
    svmc_text_char(t, '[');
    put_gpr(t, insn->base, 8);
    if (post) {
        svmc_text_put(t, "], ");
        if (insn->index != SVMC_REG_NONE)
            put_gpr(t, insn->index, 8);
        else
            put_number(t, insn->disp);
        return;
    }
    if (insn->index != SVMC_REG_NONE) {
        comma(t);
        put_index(t, insn);
    } else if (insn->disp != 0 || pre) {
        comma(t);
        put_number(t, insn->disp);
    }
    svmc_text_put(t, pre ? "]!" : "]");
}

static void put_memory(struct text *t, const struct svmc_insn *insn, unsigned shape)
{
    bool pairs = shape == SHAPE_PAIRS, second = insn->reg2 != SVMC_REG_NONE;

    if (insn->reg3 != SVMC_REG_NONE) { /* 32 bits, but of ST64BV */
        put_gpr(t, insn->reg3, insn->id <= SVMC_A64_STLXP ? 4 : 8);
        comma(t);
    }
    if (shape != SHAPE_MEMORY) {
        put_reg(t, insn, insn->reg2);
        comma(t);
        if (pairs) {
            put_reg(t, insn, insn->reg2 == SVMC_REG_X30 ? SVMC_REG_XZR : insn->reg2 + 1u);
            comma(t);
        }
    }
    put_reg(t, insn, insn->reg);
    comma(t);
    if (pairs) {
        put_reg(t, insn, insn->reg == SVMC_REG_X30 ? SVMC_REG_XZR : insn->reg + 1u);
        comma(t);
    }
    if (shape == SHAPE_MEMORY && second) {
        put_reg(t, insn, insn->reg2);
        comma(t);
    }
    put_address(t, insn);
}

/* FO-14: PRFM names its operation where it has a name. */
static void put_prefetch(struct text *t, const struct svmc_insn *insn, unsigned shape)
{
    static const char types[3][4] = { "pld", "pli", "pst" };
    static const char levels[4][4] = { "l1", "l2", "l3", "slc" };
    unsigned type = insn->imm >> 3 & 3;

    if (shape == SHAPE_RANGE_PREFETCH) {
        put_number(t, (int64_t)(insn->imm & 63));
        comma(t);
        put_gpr(t, insn->reg, 8);
    } else if (type < 3) {
        svmc_text_put(t, types[core_clamp(type, 3)]);
        svmc_text_put(t, levels[insn->imm >> 1 & 3]); /* clamp: two bits */
        svmc_text_put(t, insn->imm & 1 ? "strm" : "keep");
    } else {
        put_number(t, (int64_t)(insn->imm & 31));
    }
    comma(t);
    put_address(t, insn);
}

/* MOPS: the options are part of the name (Arm ARM C6.2 CPYFP, SETP). */
static void put_copy_or_set(struct text *t, const struct svmc_insn *insn, bool copy)
{
    static const char copies[16][5] = { "",   "wt",   "rt",   "t",   "wn", "wtwn", "rtwn", "twn",
                                        "rn", "wtrn", "rtrn", "trn", "n",  "wtn",  "rtn",  "tn" };
    static const char sets[4][3] = { "", "t", "n", "tn" };

    svmc_text_put(t, copy ? copies[insn->imm & 15] : sets[insn->imm & 3]); /* clamp: masked */
    svmc_text_put(t, " [");
    put_gpr(t, insn->base, 8);
    svmc_text_put(t, copy ? "]!, [" : "]!, ");
    put_gpr(t, copy ? insn->reg : insn->reg2, 8);
    svmc_text_put(t, copy ? "]!, " : "!, ");
    put_gpr(t, copy ? insn->reg2 : insn->reg, 8);
    if (copy)
        svmc_text_char(t, '!');
}

/* FO-13: { v0.8b, v1.8b }, or { v0.b }[3]. */
static bool put_struct(struct text *t, const struct svmc_insn *insn)
{
    bool all = !(insn->priv_raw[0] >> 24 & 1),
         lane = !all && !(insn->id >= SVMC_A64_LD1R && insn->id <= SVMC_A64_LD4R);
    unsigned bytes = insn->mem_bytes, count = insn->mem_count;

    if (bytes == 0 || bytes > 8 || insn->reg_bytes == 0)
        return false;
    if (all)
        count = count * bytes / insn->reg_bytes;
    svmc_text_put(t, "{ ");
    for (unsigned i = 0; i < count && i < 4; i++) {
        svmc_text_put(t, i == 0 ? "v" : ", v");
        svmc_text_decimal(t, (insn->reg + i) & 31);
        svmc_text_char(t, '.');
        if (!lane)
            svmc_text_decimal(t, insn->reg_bytes / bytes);
        svmc_text_char(t, "bhsd"[log2_of(bytes)]);
    }
    svmc_text_put(t, " }");
    if (lane) {
        svmc_text_char(t, '[');
        svmc_text_decimal(t, insn->imm & 15);
        svmc_text_char(t, ']');
    }
    comma(t);
    put_address(t, insn);
    return true;
}

/* FO-15 */
static void put_branch(struct text *t, const struct svmc_insn *insn, unsigned shape)
{
    static const char conditions[16][3] = { "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc",
                                            "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };
    bool direct = insn->reg == SVMC_REG_NONE || insn->disp != 0 || shape == SHAPE_BIT ||
                  insn->id == SVMC_A64_CBZ || insn->id == SVMC_A64_CBNZ;

    if (shape == SHAPE_COND) {
        svmc_text_char(t, '.');
        svmc_text_put(t, conditions[insn->imm & 15]); /* clamp: masked */
    }
    if (insn->id == SVMC_A64_RETAASPPC || insn->id == SVMC_A64_RETABSPPC)
        if (insn->reg != SVMC_REG_NONE)
            svmc_text_char(t, 'r');
    if (insn->id == SVMC_A64_RETAA || insn->id == SVMC_A64_RETAB ||
        (insn->id == SVMC_A64_RET && insn->reg == SVMC_REG_X30))
        return;
    svmc_text_char(t, ' ');
    if (insn->reg != SVMC_REG_NONE)
        put_gpr(t, insn->reg, insn->reg_bytes);
    if (insn->reg2 != SVMC_REG_NONE) {
        comma(t);
        put_gpr(t, insn->reg2, 8);
    }
    if (shape == SHAPE_BIT) {
        comma(t);
        put_number(t, (int64_t)(insn->imm & 63));
    }
    if (direct) {
        if (insn->reg != SVMC_REG_NONE)
            comma(t);
        put_number(t, insn->disp);
    }
}

/* FO-16. op2 001 is the variant that DSB has for nXS. */
static void put_barrier(struct text *t, const struct svmc_insn *insn)
{
    static const char options[16][6] = { "", "oshld", "oshst", "osh", "", "nshld", "nshst", "nsh",
                                         "", "ishld", "ishst", "ish", "", "ld",    "st",    "sy" };
    static const char nxs[4][7] = { "oshnxs", "nshnxs", "ishnxs", "synxs" };
    unsigned option = insn->imm & 15;

    if ((insn->priv_raw[0] >> 5 & 7) == 1)
        svmc_text_put(t, nxs[option >> 2]); /* clamp: masked */
    else if (option & 3)
        svmc_text_put(t, options[option]); /* clamp: masked */
    else
        put_number(t, option);
}

/* FO-16: Arm ARM C6.2 MSR (immediate). crm: 0xff: all of CRm is the value, else bits 3:1 of it. */
static bool put_pstate(struct text *t, const struct svmc_insn *insn)
{
    static const struct {
        uint8_t op1, op2, crm;
        char name[9];
    } fields[] = {
        { 0, 3, 0xff, "uao" },     { 0, 4, 0xff, "pan" }, { 0, 5, 0xff, "spsel" },
        { 1, 0, 0, "allint" },     { 1, 0, 1, "pm" },     { 3, 1, 0xff, "ssbs" },
        { 3, 2, 0xff, "dit" },     { 3, 3, 1, "svcrsm" }, { 3, 3, 2, "svcrza" },
        { 3, 3, 3, "svcrsmza" },   { 3, 4, 0xff, "tco" }, { 3, 6, 0xff, "daifset" },
        { 3, 7, 0xff, "daifclr" },
    };
    unsigned op1 = insn->imm >> 11 & 7, crm = insn->imm >> 3 & 15, op2 = insn->imm & 7;

    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].op1 == op1 && fields[i].op2 == op2 &&
            (fields[i].crm == 0xff || fields[i].crm == crm >> 1)) {
            svmc_text_put(t, fields[i].name);
            comma(t);
            put_number(t, fields[i].crm == 0xff ? crm : crm & 1);
            return true;
        }
    return false;
}

/* FO-16: s<op0>_<op1>_c<n>_c<m>_<op2>, by number: a name may mean another register elsewhere. */
static void put_system_reg(struct text *t, uint64_t number)
{
    svmc_text_char(t, 's');
    svmc_text_decimal(t, number >> 14 & 3);
    svmc_text_char(t, '_');
    svmc_text_decimal(t, number >> 11 & 7);
    svmc_text_put(t, "_c");
    svmc_text_decimal(t, number >> 7 & 15);
    svmc_text_put(t, "_c");
    svmc_text_decimal(t, number >> 3 & 15);
    svmc_text_char(t, '_');
    svmc_text_decimal(t, number & 7);
}

static void put_system_op(struct text *t, uint64_t number)
{
    put_number(t, (int64_t)(number >> 11 & 7));
    svmc_text_put(t, ", c");
    svmc_text_decimal(t, number >> 7 & 15);
    svmc_text_put(t, ", c");
    svmc_text_decimal(t, number >> 3 & 15);
    comma(t);
    put_number(t, (int64_t)(number & 7));
}

static void put_pair(struct text *t, const struct svmc_insn *insn)
{
    put_gpr(t, insn->reg, 8);
    if (insn->reg2 != SVMC_REG_NONE) {
        comma(t);
        put_gpr(t, insn->reg2, 8);
    }
}

/* FO-16: SYS, SYSP, and what is an alias of them, as such with its name behind it. */
static void put_sys(struct text *t, const struct svmc_insn *insn)
{
    bool pair = insn->id == SVMC_A64_SYSP || insn->id == SVMC_A64_TLBIP;

    svmc_text_put(t, pair ? "sysp " : "sys ");
    put_system_op(t, insn->imm);
    if (insn->reg != SVMC_REG_XZR) {
        comma(t);
        put_pair(t, insn);
    }
    if (insn->id != SVMC_A64_SYS && insn->id != SVMC_A64_SYSP) {
        svmc_text_put(t, " // ");
        svmc_text_put(t, a64_names + a64_name_at[core_clamp(insn->id, IDS)]);
    }
}

static bool put_system(struct text *t, const struct svmc_insn *insn, unsigned shape)
{
    switch (shape) {
    case SHAPE_IMMEDIATE:
        svmc_text_char(t, '#');
        svmc_text_hex(t, insn->imm);
        return true;
    case SHAPE_HINT:
        put_number(t, (int64_t)(insn->imm & 127));
        return true;
    case SHAPE_REG:
        put_gpr(t, insn->reg, 8);
        return true;
    case SHAPE_CLREX:
        put_number(t, (int64_t)(insn->imm & 15));
        return true;
    case SHAPE_BARRIER:
        put_barrier(t, insn);
        return true;
    case SHAPE_MSR_IMM:
        return put_pstate(t, insn);
    case SHAPE_MSR:
        put_system_reg(t, insn->imm);
        comma(t);
        put_pair(t, insn);
        return true;
    case SHAPE_MRS:
        put_pair(t, insn);
        comma(t);
        put_system_reg(t, insn->imm);
        return true;
    default: /* SHAPE_SYSL */
        put_gpr(t, insn->reg, 8);
        comma(t);
        put_system_op(t, insn->imm);
        return true;
    }
}

/* FO-11: the word, and its group. */
static void put_group(struct text *t, const struct svmc_insn *insn)
{
    svmc_text_put(t, ".inst ");
    svmc_text_hex(t, insn->priv_raw[0]);
    svmc_text_put(t, " // ");
    svmc_text_put(t, a64_names + a64_name_at[core_clamp(insn->id, IDS)]);
}

bool svmc_format_a64(const struct svmc_insn *insn, struct text *t)
{
    unsigned row = 0, shape;

    if (insn->id == SVMC_A64_NONE || insn->id >= IDS || insn->length != 4)
        return false;
    /* clamp: the loop ends at the last row */
    while (row < sizeof shapes / sizeof shapes[0] - 1 && shapes[row].last < insn->id)
        row++;
    row = core_clamp(row, sizeof shapes / sizeof shapes[0]);
    shape = shapes[row].shape;
    if (shape == SHAPE_GROUP) {
        put_group(t, insn);
        return true;
    }
    if (shape == SHAPE_SYS) {
        put_sys(t, insn);
        return true;
    }
    if (insn->id == SVMC_A64_MSR_IMM)
        svmc_text_put(t, "msr");
    else
        put_name(t, insn, shapes[row].suffixes);
    if (shape == SHAPE_COPY || shape == SHAPE_SET) {
        put_copy_or_set(t, insn, shape == SHAPE_COPY);
        return true;
    }
    if (shape >= SHAPE_BRANCH && shape <= SHAPE_BIT) {
        put_branch(t, insn, shape);
        return true;
    }
    if (shape == SHAPE_NONE || (shape == SHAPE_CLREX && insn->imm == 15)) /* 15 is the default */
        return true;
    svmc_text_char(t, ' ');
    if (shape == SHAPE_STRUCT)
        return put_struct(t, insn);
    if (shape == SHAPE_PREFETCH || shape == SHAPE_RANGE_PREFETCH)
        put_prefetch(t, insn, shape);
    else if (shape <= SHAPE_PAIRS)
        put_memory(t, insn, shape);
    else
        return put_system(t, insn, shape);
    return true;
}
