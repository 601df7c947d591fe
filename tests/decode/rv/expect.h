/* SPDX-License-Identifier: MIT */
/* What an assembler's line says an instruction is, and whether ours says the same. */
#ifndef EXPECT_H
#define EXPECT_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

#include "decode/rv/rv_names.h"
#include "references.h"

#define NOT_SAID 0xff

/*
 * Instructions that are alike. Operands of the text, in order:
 *   d s t   reg, reg2, reg3          D      reg and reg2
 *   m       disp(base)               b      (base)
 *   M       imm(reg2)                i      imm
 *   u       imm, of which the text has bits 31:12
 *   o       disp: where to           c      imm: a CSR
 *   v       reg2: a number           p, q   imm: predecessor and successor set of a fence
 *   ?       the next one may be missing: then it is 0
 *   *       not read, nor is any register of ours
 * Then registers of the expansion that the text leaves out.
 */
struct family {
    const char *names, *operands;
    uint8_t insn_class, privilege, access, bytes;
    uint16_t flags;
    uint8_t kind;      /* of reg */
    uint8_t reg, reg2; /* left out by the text; NOT_SAID */
};

#define R         SVMC_ACCESS_READ
#define W         SVMC_ACCESS_WRITE
#define RW        SVMC_ACCESS_RW
#define SX        SVMC_INSN_SIGN
#define ZX        SVMC_INSN_ZERO
#define UP        SVMC_INSN_UNPRIVILEGED
#define X         SVMC_REG_KIND_GPR
#define F         SVMC_REG_KIND_VECTOR
#define NO        NOT_SAID, NOT_SAID
#define MEM       SVMC_CLASS_MEMORY, SVMC_PRIVILEGE_NONE
#define HV        SVMC_CLASS_MEMORY, SVMC_PRIVILEGE_HYP
#define BR        SVMC_CLASS_BRANCH, SVMC_PRIVILEGE_NONE, 0, 0, 0, X
#define OTH       SVMC_CLASS_OTHER, SVMC_PRIVILEGE_NONE, 0, 0, 0, X
#define ONE(c, p) SVMC_CLASS_##c, SVMC_PRIVILEGE_##p, 0, 0, 0, 0, NO

static const struct family families[] = {
    { "lb", "dm", MEM, R, 1, SX, X, NO },
    { "lh", "dm", MEM, R, 2, SX, X, NO },
    { "lw", "dm", MEM, R, 4, SX, X, NO },
    { "lbu", "dm", MEM, R, 1, ZX, X, NO },
    { "lhu", "dm", MEM, R, 2, ZX, X, NO },
    { "lwu", "dm", MEM, R, 4, ZX, X, NO },
    { "ld", "dm", MEM, R, 8, 0, X, NO },
    { "sb", "dm", MEM, W, 1, 0, X, NO },
    { "sh", "dm", MEM, W, 2, 0, X, NO },
    { "sw", "dm", MEM, W, 4, 0, X, NO },
    { "sd", "dm", MEM, W, 8, 0, X, NO },
    { "flh", "dm", MEM, R, 2, 0, F, NO },
    { "flw c.flw c.flwsp", "dm", MEM, R, 4, 0, F, NO },
    { "fld c.fld c.fldsp", "dm", MEM, R, 8, 0, F, NO },
    { "flq", "dm", MEM, R, 16, 0, F, NO },
    { "fsh", "dm", MEM, W, 2, 0, F, NO },
    { "fsw c.fsw c.fswsp", "dm", MEM, W, 4, 0, F, NO },
    { "fsd c.fsd c.fsdsp", "dm", MEM, W, 8, 0, F, NO },
    { "fsq", "dm", MEM, W, 16, 0, F, NO },
    { "c.lbu", "dm", MEM, R, 1, ZX, X, NO },
    { "c.lhu", "dm", MEM, R, 2, ZX, X, NO },
    { "c.lh", "dm", MEM, R, 2, SX, X, NO },
    { "c.lw c.lwsp", "dm", MEM, R, 4, SX, X, NO },
    { "c.ld c.ldsp", "dm", MEM, R, 8, 0, X, NO },
    { "c.sb", "dm", MEM, W, 1, 0, X, NO },
    { "c.sh", "dm", MEM, W, 2, 0, X, NO },
    { "c.sw c.swsp", "dm", MEM, W, 4, 0, X, NO },
    { "c.sd c.sdsp", "dm", MEM, W, 8, 0, X, NO },
    { "hlv.b", "db", HV, R, 1, SX | UP, X, NO },
    { "hlv.h", "db", HV, R, 2, SX | UP, X, NO },
    { "hlv.w", "db", HV, R, 4, SX | UP, X, NO },
    { "hlv.bu", "db", HV, R, 1, ZX | UP, X, NO },
    { "hlv.hu hlvx.hu", "db", HV, R, 2, ZX | UP, X, NO },
    { "hlv.wu hlvx.wu", "db", HV, R, 4, ZX | UP, X, NO },
    { "hlv.d", "db", HV, R, 8, UP, X, NO },
    { "hsv.b", "db", HV, W, 1, UP, X, NO },
    { "hsv.h", "db", HV, W, 2, UP, X, NO },
    { "hsv.w", "db", HV, W, 4, UP, X, NO },
    { "hsv.d", "db", HV, W, 8, UP, X, NO },
    { "lb.aq", "db", MEM, R, 1, SX, X, NO },
    { "lh.aq", "db", MEM, R, 2, SX, X, NO },
    { "lw.aq", "db", MEM, R, 4, SX, X, NO },
    { "ld.aq", "db", MEM, R, 8, 0, X, NO },
    { "sb.rl", "db", MEM, W, 1, 0, X, NO },
    { "sh.rl", "db", MEM, W, 2, 0, X, NO },
    { "sw.rl", "db", MEM, W, 4, 0, X, NO },
    { "sd.rl", "db", MEM, W, 8, 0, X, NO },
    { "lr.w", "db", MEM, R, 4, SX | SVMC_INSN_EXCLUSIVE, X, NO },
    { "lr.d", "db", MEM, R, 8, SVMC_INSN_EXCLUSIVE, X, NO },
    { "sc.w", "tdb", MEM, W | SVMC_ACCESS_WRITE_IF, 4, SVMC_INSN_EXCLUSIVE, X, NO },
    { "sc.d", "tdb", MEM, W | SVMC_ACCESS_WRITE_IF, 8, SVMC_INSN_EXCLUSIVE, X, NO },
    { "amoadd.b amoswap.b amoxor.b amoor.b amoand.b amomin.b amomax.b amominu.b amomaxu.b", "dsb",
      MEM, RW, 1, SX | SVMC_INSN_ATOMIC, X, NO },
    { "amoadd.h amoswap.h amoxor.h amoor.h amoand.h amomin.h amomax.h amominu.h amomaxu.h", "dsb",
      MEM, RW, 2, SX | SVMC_INSN_ATOMIC, X, NO },
    { "amoadd.w amoswap.w amoxor.w amoor.w amoand.w amomin.w amomax.w amominu.w amomaxu.w", "dsb",
      MEM, RW, 4, SX | SVMC_INSN_ATOMIC, X, NO },
    { "amoadd.d amoswap.d amoxor.d amoor.d amoand.d amomin.d amomax.d amominu.d amomaxu.d", "dsb",
      MEM, RW, 8, SVMC_INSN_ATOMIC, X, NO },
    { "ssamoswap.w", "dsb", SVMC_CLASS_MEMORY, SVMC_PRIVILEGE_SWITCHED, RW, 4,
      SX | SVMC_INSN_ATOMIC, X, NO },
    { "ssamoswap.d", "dsb", SVMC_CLASS_MEMORY, SVMC_PRIVILEGE_SWITCHED, RW, 8, SVMC_INSN_ATOMIC, X,
      NO },
    { "amocas.b", "dsb", MEM, RW | SVMC_ACCESS_WRITE_IF, 1, SX | SVMC_INSN_ATOMIC, X, NO },
    { "amocas.h", "dsb", MEM, RW | SVMC_ACCESS_WRITE_IF, 2, SX | SVMC_INSN_ATOMIC, X, NO },
    { "amocas.w", "dsb", MEM, RW | SVMC_ACCESS_WRITE_IF, 4, SX | SVMC_INSN_ATOMIC, X, NO },
    { "amocas.d", "dsb", MEM, RW | SVMC_ACCESS_WRITE_IF, 8, SVMC_INSN_ATOMIC, X, NO },
    { "amocas.q", "dsb", MEM, RW | SVMC_ACCESS_WRITE_IF, 16, SVMC_INSN_ATOMIC, X, NO },

    { "lui auipc c.lui", "du", OTH, NO },
    { "jal", "do", BR, NO },
    { "c.j", "o", BR, 0, NOT_SAID },
    { "c.jal", "o", BR, 1, NOT_SAID },
    { "jalr", "dM", BR, NO },
    { "c.jr", "s", BR, 0, NOT_SAID },
    { "c.jalr", "s", BR, 1, NOT_SAID },
    { "beq bne blt bge bltu bgeu", "dso", BR, NO },
    { "c.beqz c.bnez", "do", BR, NOT_SAID, 0 },
    { "addi slti sltiu xori ori andi slli srli srai rori bclri bexti binvi bseti addiw slliw srliw "
      "sraiw roriw slli.uw c.addi4spn",
      "dsi", OTH, NO },
    { "c.addi c.addiw c.addi16sp c.srli c.srai c.andi c.slli", "Di", OTH, NO },
    { "c.slli64 c.srli64 c.srai64", "D", OTH, NO },
    { "c.li", "di", OTH, NOT_SAID, 0 },
    { "clz ctz cpop sext.b sext.h orc.b rev8 clzw ctzw cpopw zext.h mop.r", "ds", OTH, NO },
    { "c.zext.b c.sext.b c.zext.h c.sext.h c.zext.w c.not", "D", OTH, NO },
    { "add sub sll slt sltu xor srl sra or and mul mulh mulhsu mulhu div divu rem remu sh1add "
      "sh2add sh3add andn orn xnor min minu max maxu rol ror clmul clmulr clmulh bclr bext binv "
      "bset czero.eqz czero.nez addw subw sllw srlw sraw mulw divw divuw remw remuw add.uw "
      "sh1add.uw sh2add.uw sh3add.uw rolw rorw mop.rr",
      "dst", OTH, NO },
    { "c.sub c.xor c.or c.and c.subw c.addw c.mul c.add", "Dt", OTH, NO },
    { "c.mv", "dt", OTH, NOT_SAID, 0 },
    { "c.nop", "?i", SVMC_CLASS_NOP, SVMC_PRIVILEGE_NONE, 0, 0, 0, X, 0, 0 },
    { "c.mop", "", ONE(OTHER, NONE) },
    { "c.sspush c.sspopchk", "*", ONE(OTHER, NONE) },
    { "sspush sspopchk ssrdp", "*", OTH, NO },
    { "prefetch.i prefetch.r prefetch.w", "m", ONE(PREFETCH, NONE) },
    { "fence", "pq", ONE(BARRIER, NONE) },
    { "fence.tso", "", ONE(BARRIER, NONE) },
    { "fence.i", "", ONE(BARRIER, NONE) },
    { "pause", "", ONE(PAUSE, NONE) },
    { "cbo.inval cbo.clean cbo.flush", "b", ONE(CACHE, SWITCHED) },
    { "cbo.zero", "b", SVMC_CLASS_CACHE, SVMC_PRIVILEGE_SWITCHED, W, 0, 0, 0, NO },
    { "ecall", "", ONE(SYSCALL, NONE) },
    { "ebreak c.ebreak", "", ONE(INTERRUPT, NONE) },
    { "sret", "", ONE(RETURN, KERNEL) },
    { "mret dret", "", ONE(RETURN, MACHINE) },
    { "wfi wrs.nto", "", ONE(IDLE, SWITCHED) },
    { "wrs.sto", "", ONE(PAUSE, NONE) },
    { "sfence.vma sinval.vma", "ds", SVMC_CLASS_TLB, SVMC_PRIVILEGE_KERNEL, 0, 0, 0, X, NO },
    { "hfence.vvma hfence.gvma hinval.vvma hinval.gvma", "ds", SVMC_CLASS_TLB, SVMC_PRIVILEGE_HYP,
      0, 0, 0, X, NO },
    { "sfence.w.inval sfence.inval.ir", "", ONE(TLB, KERNEL) },
    { "csrrw csrrs csrrc", "dcs", SVMC_CLASS_SYSTEM_REG, NOT_SAID, NOT_SAID, 0, 0, X, NO },
    { "csrrwi csrrsi csrrci", "dcv", SVMC_CLASS_SYSTEM_REG, NOT_SAID, NOT_SAID, 0, 0, X, NO },
};

/* A mnemonic as a reference writes it, looked up once. */
struct mnemonic {
    char text[24];
    const struct family *family; /* NULL: none of the exact ones */
    uint16_t id, flags;          /* flags: from .aq, .rl */
};

static struct mnemonic mnemonics[4096];

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

/*
 * The name that the id has: mop.r.31 is mop.r. Zicfiss, where it is on, takes some of Zimop's code
 * points; c.slli by 0 is c.slli64 on RV128.
 */
static const char *name_of_id(char *name)
{
    static const char others[][2][12] = { { "c.slli64", "c.slli" },  { "c.srli64", "c.srli" },
                                          { "c.srai64", "c.srai" },  { "c.sspush", "c.mop" },
                                          { "c.sspopchk", "c.mop" }, { "sspush", "mop.rr" },
                                          { "sspopchk", "mop.r" },   { "ssrdp", "mop.r" } };
    char *number = strrchr(name, '.');

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i][0]) == 0)
            return others[i][1];
    if (number && number[1] >= '0' && number[1] <= '9' && strstr(name, "mop."))
        *number = 0;
    return name;
}

static uint16_t flags_of_suffix(char *name)
{
    static const struct {
        char suffix[6];
        uint16_t flags;
    } orders[] = { { ".aqrl", SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE },
                   { ".aq", SVMC_INSN_ACQUIRE },
                   { ".rl", SVMC_INSN_RELEASE } };
    size_t n = strlen(name);

    for (size_t i = 0; i < 3; i++) {
        size_t s = strlen(orders[i].suffix);

        if (n > s && strcmp(name + n - s, orders[i].suffix) == 0) {
            /* lb.aq, sb.rl and their like have one of the suffixes in their name */
            bool load_store = n - s == 2;

            strcpy(name + n - s, load_store ? name[0] == 'l' ? ".aq" : ".rl" : "");
            return orders[i].flags;
        }
    }
    return 0;
}

static void mnemonic_fill(struct mnemonic *m)
{
    char copy[24];
    const char *name;

    strcpy(copy, m->text);
    m->flags = flags_of_suffix(copy);
    name = name_of_id(copy);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (has_word(families[i].names, copy))
            m->family = &families[i];
    for (uint16_t i = 1; i < sizeof rv_name_at / sizeof rv_name_at[0]; i++)
        if (strcmp(rv_names + rv_name_at[i], name) == 0)
            m->id = i;
    if (m->family && !m->id) {
        fprintf(stderr, "no id is called %s\n", name);
        exit(2);
    }
}

static const struct mnemonic *mnemonic_of(const char *text, size_t n)
{
    uint32_t hash = 0;

    if (n >= sizeof mnemonics[0].text)
        n = sizeof mnemonics[0].text - 1; /* long ones are all of vectors and of cryptography */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    for (uint32_t at = hash >> 7;; at++) {
        struct mnemonic *m = &mnemonics[at % 4096];

        if (!m->text[0]) {
            memcpy(m->text, text, n);
            mnemonic_fill(m);
        }
        if (memcmp(m->text, text, n) == 0 && !m->text[n])
            return m;
    }
}

/* ---- operands ---- */

/* x7, t2, f7, ft7; a number in *file. Returns what follows, NULL: no register. */
static const char *parse_register(const char *p, uint8_t *number, bool *is_float)
{
    static const char abi[32][5] = { "zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                     "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                     "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                     "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6" };
    char word[8];
    size_t n = strcspn(p, ",)( \t#"), from;

    if (n == 0 || n >= sizeof word)
        return NULL;
    memcpy(word, p, n);
    word[n] = 0;
    *is_float = word[0] == 'f';
    if ((word[0] == 'x' || word[0] == 'f') && word[1] >= '0' && word[1] <= '9') {
        *number = (uint8_t)atoi(word + 1);
        return p + n;
    }
    from = *is_float ? 1 : 0; /* fs0 and fa0 are numbered as s0 and a0 are */
    if (*is_float && word[1] == 't') {
        int i = atoi(word + 2);

        *number = (uint8_t)(i < 8 ? i : 20 + i); /* ft8 is f28 */
        return p + n;
    }
    for (uint8_t i = 0; i < 32; i++)
        if (strcmp(word + from, abi[i]) == 0) {
            *number = i;
            return p + n;
        }
    return NULL;
}

/* The names of CSRs: one number has one name, and no other number has it. */
static char csr_names[REFERENCES][4096][20];

static bool same_csr(enum reference which, const char *text, size_t n, uint64_t number)
{
    char *known;

    if (number > 4095 || n == 0 || n >= sizeof csr_names[0][0])
        return false;
    if (text[0] >= '0' && text[0] <= '9')
        return strtoull(text, NULL, 0) == number;
    known = csr_names[which][number];
    if (!known[0]) {
        for (unsigned i = 0; i < 4096; i++)
            if (strncmp(csr_names[which][i], text, n) == 0 && !csr_names[which][i][n])
                return false;
        memcpy(known, text, n);
    }
    return strncmp(known, text, n) == 0 && !known[n];
}

static bool same_set(const char *text, size_t n, unsigned set)
{
    char want[5];
    unsigned k = 0;

    for (unsigned i = 0; i < 4; i++)
        if (set >> (3 - i) & 1)
            want[k++] = "iorw"[i];
    want[k] = 0;
    if (k == 0)
        return (n == 1 && text[0] == '0') || (n == 7 && memcmp(text, "unknown", 7) == 0);
    return n == k && memcmp(text, want, n) == 0;
}

struct reading {
    const struct svmc_insn *ours;
    enum reference which;
    unsigned xlen;
    const char *wrong; /* the field that differs */
};

static void expect(struct reading *r, const char *field, uint64_t ours, uint64_t want)
{
    if (ours != want)
        r->wrong = field;
}

static const char *read_register(struct reading *r, const char *p, const char *field, uint8_t ours,
                                 uint8_t kind)
{
    uint8_t n = 0;
    bool is_float = false;
    const char *next = parse_register(p, &n, &is_float);

    if (!next) {
        r->wrong = "the text has no register here";
        return p;
    }
    expect(r, field, ours, is_float ? n : SVMC_REG_RV_X0 + n);
    expect(r, "reg_kind", is_float ? SVMC_REG_KIND_VECTOR : SVMC_REG_KIND_GPR, kind);
    return next;
}

/* disp(base) or imm(reg2); in front of a bracket alone stands 0. */
static const char *read_memory(struct reading *r, const char *p, bool is_jump)
{
    const struct svmc_insn *o = r->ours;
    char *end = (char *)p;
    int64_t disp = *p == '(' ? 0 : strtoll(p, &end, 0);

    if (*end != '(') {
        r->wrong = "the text has no memory operand here";
        return p;
    }
    if (is_jump)
        expect(r, "imm", o->imm, (uint64_t)disp);
    else
        expect(r, "disp", (uint64_t)o->disp, (uint64_t)disp);
    p = read_register(r, end + 1, is_jump ? "reg2" : "base", is_jump ? o->reg2 : o->base, X);
    return *p == ')' ? p + 1 : p;
}

static const char *read_number(struct reading *r, const char *p, char letter)
{
    const struct svmc_insn *o = r->ours;
    char *end;
    int64_t v = strtoll(p, &end, 0);

    if (letter == 'i')
        expect(r, "imm", o->imm, (uint64_t)v);
    else if (letter == 'u')
        expect(r, "imm", o->imm, (uint64_t)(int64_t)(int32_t)((uint32_t)v << 12));
    else if (letter == 'v')
        expect(r, "reg2", o->reg2, (uint64_t)v);
    else
        expect(r, "disp", (uint64_t)o->disp, (uint64_t)v - (r->which == BINUTILS ? PC : 0));
    if (end == p)
        r->wrong = "the text has no number here";
    return end;
}

static const char *read_operand(struct reading *r, const char *p, char letter, uint8_t kind)
{
    const struct svmc_insn *o = r->ours;
    size_t n = strcspn(p, ", \t#");

    switch (letter) {
    case 'd':
        return read_register(r, p, "reg", o->reg, kind);
    case 's':
        return read_register(r, p, "reg2", o->reg2, X);
    case 't':
        return read_register(r, p, "reg3", o->reg3, X);
    case 'D':
        expect(r, "reg2", o->reg2, o->reg);
        return read_register(r, p, "reg", o->reg, kind);
    case 'm':
    case 'b':
    case 'M':
        return read_memory(r, p, letter == 'M');
    case 'c':
        if (!same_csr(r->which, p, n, o->imm))
            r->wrong = "imm";
        return p + n;
    case 'p':
    case 'q':
        if (!same_set(p, n, (unsigned)o->imm >> (letter == 'p' ? 4 : 0) & 15))
            r->wrong = "imm";
        return p + n;
    default:
        return read_number(r, p, letter);
    }
}

/* Fields that no letter of the operands speaks of must be empty. */
static void expect_unused(struct reading *r, const struct mnemonic *m)
{
    const struct svmc_insn *o = r->ours;
    const struct family *f = m->family;
    const char *ops = f->operands;

    if (f->reg != NOT_SAID)
        expect(r, "reg", o->reg, SVMC_REG_RV_X0 + f->reg);
    else if (!strpbrk(ops, "dD"))
        expect(r, "reg", o->reg, SVMC_REG_NONE);
    if (f->reg2 != NOT_SAID)
        expect(r, "reg2", o->reg2, SVMC_REG_RV_X0 + f->reg2);
    else if (!strpbrk(ops, "sDMv"))
        expect(r, "reg2", o->reg2, SVMC_REG_NONE);
    if (!strchr(ops, 't'))
        expect(r, "reg3", o->reg3, SVMC_REG_NONE);
    if (!strpbrk(ops, "mb"))
        expect(r, "base", o->base, SVMC_REG_NONE);
    if (!strpbrk(ops, "mo"))
        expect(r, "disp", (uint64_t)o->disp, 0);
    if (!strpbrk(ops, "Miucpq"))
        expect(r, "imm", o->imm,
               strcmp(m->text, "pause") == 0       ? 0x010
               : strcmp(m->text, "fence.tso") == 0 ? 0x833
                                                   : 0);
    expect(r, "index", o->index, SVMC_REG_NONE);
    expect(r, "segment", o->segment, SVMC_SEG_NONE);
    expect(r, "scale", o->scale, 0);
}

/* Zicsr: a write of x0 or 0 by set or clear is none, a read into x0 by CSRRW is none. */
static void expect_csr(struct reading *r)
{
    const struct svmc_insn *o = r->ours;
    const char *name = rv_names + rv_name_at[o->id];
    bool swap = name[4] == 'w', no_rd = o->reg == SVMC_REG_RV_X0;
    bool no_source = o->reg2 == SVMC_REG_RV_X0 || o->reg2 == 0;
    unsigned level = (unsigned)o->imm >> 8 & 3, top = (unsigned)o->imm >> 5;
    uint8_t want = level == 0   ? SVMC_PRIVILEGE_NONE
                   : level == 1 ? SVMC_PRIVILEGE_KERNEL
                   : level == 2 ? SVMC_PRIVILEGE_HYP
                                : SVMC_PRIVILEGE_MACHINE;

    if (top == 0xc00 >> 5 || top == 0xc80 >> 5)
        want = SVMC_PRIVILEGE_SWITCHED;
    expect(r, "privilege", o->privilege, want);
    expect(r, "access", o->access, swap ? (no_rd ? W : RW) : (no_source ? R : RW));
}

static void expect_widths(struct reading *r, const struct mnemonic *m)
{
    const struct family *f = m->family;
    const struct svmc_insn *o = r->ours;
    uint8_t xlen_bytes = (uint8_t)(r->xlen / 8), reg_bytes;
    uint16_t flags = f->flags | m->flags;

    if (f->bytes >= xlen_bytes) /* nothing is left to extend */
        flags &= (uint16_t) ~(SX | ZX);
    if (f->kind != X || f->access == W || f->access == (W | SVMC_ACCESS_WRITE_IF))
        reg_bytes = f->bytes;
    else
        reg_bytes = f->bytes > xlen_bytes ? f->bytes : xlen_bytes;
    expect(r, "flags", o->flags, flags);
    expect(r, "mem_bytes", o->mem_bytes, f->bytes);
    expect(r, "mem_count", o->mem_count, f->bytes != 0);
    expect(r, "reg_bytes", o->reg_bytes, reg_bytes);
    expect(r, "reg_kind", o->reg_kind, f->kind);
    expect(r, "operand_bytes", o->operand_bytes, xlen_bytes);
    expect(r, "address_bytes", o->address_bytes, xlen_bytes);
}

/* NULL: our reading is what the text says. The text is of an exact instruction. */
static const char *compare_exact(struct reading *r, const struct mnemonic *m, const char *p)
{
    const struct family *f = m->family;
    const struct svmc_insn *o = r->ours;
    bool may_miss = false;

    if (f->operands[0] != '*')
        expect_unused(r, m);
    for (const char *letter = f->operands; *letter && *letter != '*'; letter++) {
        if (*letter == '?') {
            may_miss = true;
            continue;
        }
        p += strspn(p, ", \t");
        if (may_miss && !*p)
            expect(r, "imm", o->imm, 0);
        else
            p = read_operand(r, p, *letter, f->kind);
    }
    p += strspn(p, " \t");
    if (*p && *p != '#' && f->operands[0] != '*')
        r->wrong = "the text goes on";
    expect_widths(r, m);
    expect(r, "insn_class", o->insn_class, f->insn_class);
    if (f->privilege == NOT_SAID) {
        expect_csr(r);
    } else {
        expect(r, "privilege", o->privilege, f->privilege);
        expect(r, "access", o->access, f->access);
    }
    return r->wrong;
}

#endif
