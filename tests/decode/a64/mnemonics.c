/* SPDX-License-Identifier: MIT */
/* See mnemonics.h. */
#include "mnemonics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

#define A(name) SVMC_A64_##name
#define R       SVMC_ACCESS_READ
#define W       SVMC_ACCESS_WRITE
#define RW      SVMC_ACCESS_RW

static struct mnemonic words[2048];
static unsigned word_count;
static uint16_t buckets[4096]; /* number of a word + 1 */

uint64_t text_hash(uint64_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static uint64_t hash(const char *s, size_t n)
{
    return text_hash(TEXT_HASH_START, s, n);
}

const struct mnemonic *mnemonic_find(const char *s, size_t n)
{
    if (n >= sizeof words[0].name)
        return NULL;
    for (unsigned at = hash(s, n) & 4095; buckets[at]; at = (at + 1) & 4095) {
        const struct mnemonic *m = &words[buckets[at] - 1];

        if (memcmp(m->name, s, n) == 0 && m->name[n] == 0)
            return m;
    }
    return NULL;
}

static struct mnemonic *add(const char *name, unsigned id, enum syntax syntax, unsigned class)
{
    struct mnemonic *m = &words[word_count++];
    size_t n = strlen(name);
    unsigned at = hash(name, n) & 4095;

    if (n >= sizeof m->name || word_count > sizeof words / sizeof words[0] ||
        mnemonic_find(name, n))
        abort();
    while (buckets[at])
        at = (at + 1) & 4095;
    buckets[at] = (uint16_t)word_count;
    memcpy(m->name, name, n + 1);
    m->id = (uint16_t)id;
    m->syntax = (uint8_t)syntax;
    m->insn_class = (uint8_t) class;
    return m;
}

static void add_memory(const char *name, unsigned id, enum syntax syntax, unsigned access,
                       unsigned bytes, unsigned flags)
{
    struct mnemonic *m = add(name, id, syntax, SVMC_CLASS_MEMORY);

    m->access = (uint8_t)access;
    m->bytes = (uint8_t)bytes;
    m->flags = (uint16_t)flags;
}

/* name, nameb, nameh */
static void add_sizes(const char *name, unsigned id, enum syntax syntax, unsigned access,
                      unsigned flags)
{
    char text[256];

    add_memory(name, id, syntax, access, 0, flags);
    snprintf(text, sizeof text, "%sb", name);
    add_memory(text, id, syntax, access, 1, flags);
    snprintf(text, sizeof text, "%sh", name);
    add_memory(text, id, syntax, access, 2, flags);
}

/* The loads and stores ld<infix>r, st<infix>r of every size. */
static void add_singles(const char *infix, unsigned load, unsigned store, unsigned load_flags,
                        unsigned store_flags)
{
    char text[256];

    snprintf(text, sizeof text, "ld%sr", infix);
    add_sizes(text, load, LOAD, R, load_flags);
    snprintf(text, sizeof text, "ld%srsb", infix);
    add_memory(text, load, LOAD, R, 1, load_flags | SVMC_INSN_SIGN);
    snprintf(text, sizeof text, "ld%srsh", infix);
    add_memory(text, load, LOAD, R, 2, load_flags | SVMC_INSN_SIGN);
    snprintf(text, sizeof text, "ld%srsw", infix);
    add_memory(text, load, LOAD, R, 4, load_flags | SVMC_INSN_SIGN);
    snprintf(text, sizeof text, "st%sr", infix);
    add_sizes(text, store, LOAD, W, store_flags);
}

static const struct {
    char name[4];
    uint16_t flags;
} orders[4] = { { "", 0 },
                { "a", SVMC_INSN_ACQUIRE },
                { "l", SVMC_INSN_RELEASE },
                { "al", SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE } };

static void add_atomics(void)
{
    static const struct {
        char name[8];
        uint16_t id;
    } ops[] = { { "add", A(LDADD) },   { "clr", A(LDCLR) },   { "eor", A(LDEOR) },
                { "set", A(LDSET) },   { "smax", A(LDSMAX) }, { "smin", A(LDSMIN) },
                { "umax", A(LDUMAX) }, { "umin", A(LDUMIN) } };
    char text[256];

    for (unsigned o = 0; o < 4; o++) {
        unsigned flags = SVMC_INSN_ATOMIC | orders[o].flags;

        for (unsigned i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            snprintf(text, sizeof text, "ld%s%s", ops[i].name, orders[o].name);
            add_sizes(text, ops[i].id, ATOMIC, RW, flags);
            snprintf(text, sizeof text, "st%s%s", ops[i].name, orders[o].name);
            if (!(orders[o].flags & SVMC_INSN_ACQUIRE))
                add_sizes(text, ops[i].id, ATOMIC_LONE, RW, flags);
        }
        snprintf(text, sizeof text, "swp%s", orders[o].name);
        add_sizes(text, A(SWP), ATOMIC, RW, flags);
        snprintf(text, sizeof text, "cas%s", orders[o].name);
        add_sizes(text, A(CAS), ATOMIC, RW, flags);
        snprintf(text, sizeof text, "casp%s", orders[o].name);
        add_memory(text, A(CASP), PAIRS, RW, 0, flags);
    }
}

/* LSE128 and THE. */
static void add_wide_atomics(void)
{
    static const struct {
        char name[10];
        uint16_t id;
        uint8_t syntax, software;
    } ops[] = {
        { "ldclrp", A(LDCLRP), PAIR, 0 },    { "ldsetp", A(LDSETP), PAIR, 0 },
        { "swpp", A(SWPP), PAIR, 0 },        { "rcwclr", A(RCWCLR), ATOMIC, 1 },
        { "rcwset", A(RCWSET), ATOMIC, 1 },  { "rcwswp", A(RCWSWP), ATOMIC, 1 },
        { "rcwcas", A(RCWCAS), ATOMIC, 1 },  { "rcwclrp", A(RCWCLRP), PAIR, 1 },
        { "rcwsetp", A(RCWSETP), PAIR, 1 },  { "rcwswpp", A(RCWSWPP), PAIR, 1 },
        { "rcwcasp", A(RCWCASP), PAIRS, 1 },
    };
    char text[256];

    for (unsigned o = 0; o < 4; o++)
        for (unsigned i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            unsigned flags = SVMC_INSN_ATOMIC | orders[o].flags;

            snprintf(text, sizeof text, "%s%s", ops[i].name, orders[o].name);
            add_memory(text, ops[i].id, ops[i].syntax, RW, 8, flags);
            snprintf(text, sizeof text, "rcws%s%s", ops[i].name + 3, orders[o].name);
            if (ops[i].software)
                add_memory(text, ops[i].id, ops[i].syntax, RW, 8, flags);
        }
}

static void add_exclusives(void)
{
    unsigned x = SVMC_INSN_EXCLUSIVE, a = SVMC_INSN_ACQUIRE, l = SVMC_INSN_RELEASE;

    add_sizes("ldxr", A(LDXR), LOAD, R, x);
    add_sizes("ldaxr", A(LDAXR), LOAD, R, x | a);
    add_sizes("stxr", A(STXR), STATUS, W, x);
    add_sizes("stlxr", A(STLXR), STATUS, W, x | l);
    add_memory("ldxp", A(LDXP), PAIR, R, 0, x);
    add_memory("ldaxp", A(LDAXP), PAIR, R, 0, x | a);
    add_memory("stxp", A(STXP), STATUS_PAIR, W, 0, x);
    add_memory("stlxp", A(STLXP), STATUS_PAIR, W, 0, x | l);
    add_sizes("ldar", A(LDAR), LOAD, R, a);
    add_sizes("ldlar", A(LDLAR), LOAD, R, a);
    add_sizes("stlr", A(STLR), LOAD, W, l);
    add_sizes("stllr", A(STLLR), LOAD, W, l);
    add_sizes("ldapr", A(LDAPR), LOAD, R, a);
    add_memory("ldiapp", A(LDIAPP), PAIR, R, 0, a);
    add_memory("stilp", A(STILP), PAIR, W, 0, l);
    add_memory("ldap1", A(LDAP1), LIST, R, 0, a);
    add_memory("stl1", A(STL1), LIST, W, 0, l);
    add_memory("ld64b", A(LD64B), LOAD, R, 64, SVMC_INSN_ATOMIC);
    add_memory("st64b", A(ST64B), LOAD, W, 64, SVMC_INSN_ATOMIC);
    add_memory("st64bv", A(ST64BV), STATUS, W, 64, SVMC_INSN_ATOMIC);
    add_memory("st64bv0", A(ST64BV0), STATUS, W, 64, SVMC_INSN_ATOMIC);
}

static void add_loads(void)
{
    unsigned a = SVMC_INSN_ACQUIRE, l = SVMC_INSN_RELEASE, t = SVMC_INSN_NONTEMPORAL;

    add_singles("", A(LDR), A(STR), 0, 0);
    add_singles("u", A(LDUR), A(STUR), 0, 0);
    add_singles("t", A(LDTR), A(STTR), SVMC_INSN_UNPRIVILEGED, SVMC_INSN_UNPRIVILEGED);
    add_sizes("ldapur", A(LDAPUR), LOAD, R, a);
    add_memory("ldapursb", A(LDAPUR), LOAD, R, 1, a | SVMC_INSN_SIGN);
    add_memory("ldapursh", A(LDAPUR), LOAD, R, 2, a | SVMC_INSN_SIGN);
    add_memory("ldapursw", A(LDAPUR), LOAD, R, 4, a | SVMC_INSN_SIGN);
    add_sizes("stlur", A(STLUR), LOAD, W, l);
    add_memory("ldp", A(LDP), PAIR, R, 0, 0);
    add_memory("stp", A(STP), PAIR, W, 0, 0);
    add_memory("ldpsw", A(LDP), PAIR, R, 4, SVMC_INSN_SIGN);
    add_memory("ldnp", A(LDNP), PAIR, R, 0, t);
    add_memory("stnp", A(STNP), PAIR, W, 0, t);
    add_memory("stgp", A(STGP), PAIR, W, 0, 0);
    add_memory("ldraa", A(LDRAA), LOAD, R, 0, 0);
    add_memory("ldrab", A(LDRAB), LOAD, R, 0, 0);
    add_memory("stg", A(STG), LOAD, W, 16, 0);
    add_memory("stzg", A(STZG), LOAD, W, 16, 0);
    add_memory("st2g", A(ST2G), LOAD, W, 16, 0);
    add_memory("stz2g", A(STZ2G), LOAD, W, 16, 0);
    add_memory("ldg", A(LDG), LOAD, R, 16, 0);
    add_memory("ldgm", A(LDGM), LOAD, R, 0, 0);
    add_memory("stgm", A(STGM), LOAD, W, 0, 0);
    add_memory("stzgm", A(STZGM), LOAD, W, 0, 0);
    add_memory("gcsstr", A(GCSSTR), LOAD, W, 0, 0);
    add_memory("gcssttr", A(GCSSTTR), LOAD, W, 0, SVMC_INSN_UNPRIVILEGED);
    add("prfm", A(PRFM), PREFETCH, SVMC_CLASS_PREFETCH);
    add("prfum", A(PRFUM), PREFETCH, SVMC_CLASS_PREFETCH);
    add("rprfm", A(RPRFM), RANGE, SVMC_CLASS_PREFETCH);
}

static void add_structures(void)
{
    static const uint16_t ids[3][4] = { { A(LD1), A(LD2), A(LD3), A(LD4) },
                                        { A(ST1), A(ST2), A(ST3), A(ST4) },
                                        { A(LD1R), A(LD2R), A(LD3R), A(LD4R) } };
    char text[256];

    for (unsigned n = 0; n < 4; n++) {
        snprintf(text, sizeof text, "ld%u", n + 1);
        add_memory(text, ids[0][n], LIST, R, 0, 0);
        snprintf(text, sizeof text, "st%u", n + 1);
        add_memory(text, ids[1][n], LIST, W, 0, 0);
        snprintf(text, sizeof text, "ld%ur", n + 1);
        add_memory(text, ids[2][n], LIST, R, 0, 0);
    }
}

/* MOPS: the suffixes are the options. */
static void add_copies(void)
{
    static const char copy[16][8] = { "",   "wt",   "rt",   "t",   "wn", "wtwn", "rtwn", "twn",
                                      "rn", "wtrn", "rtrn", "trn", "n",  "wtn",  "rtn",  "tn" };
    static const char set[4][4] = { "", "t", "n", "tn" };
    static const struct {
        char name[8];
        uint16_t id;
    } ops[] = { { "cpyfp", A(CPYFP) }, { "cpyfm", A(CPYFM) }, { "cpyfe", A(CPYFE) },
                { "cpyp", A(CPYP) },   { "cpym", A(CPYM) },   { "cpye", A(CPYE) },
                { "setp", A(SETP) },   { "setm", A(SETM) },   { "sete", A(SETE) },
                { "setgp", A(SETGP) }, { "setgm", A(SETGM) }, { "setge", A(SETGE) } };
    char text[256];

    for (unsigned i = 0; i < 12; i++)
        for (unsigned o = 0; o < (i < 6 ? 16u : 4u); o++) {
            unsigned half = i < 6 ? 2 : 1, flags = 0;

            if (o & ((1u << half) - 1))
                flags |= SVMC_INSN_UNPRIVILEGED;
            if (o >> half)
                flags |= SVMC_INSN_NONTEMPORAL;
            snprintf(text, sizeof text, "%s%s", ops[i].name, i < 6 ? copy[o] : set[o]);
            add_memory(text, ops[i].id, i < 6 ? COPY : SET, i < 6 ? RW : W, 1, flags);
            words[word_count - 1].number = (uint8_t)o;
        }
}

static const char conditions[16][4] = { "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc",
                                        "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };

static void add_branches(void)
{
    static const struct {
        char name[12];
        uint16_t id;
        uint8_t syntax;
    } rows[] = {
        { "b", A(B), JUMP },
        { "bl", A(BL), JUMP },
        { "cbz", A(CBZ), JUMP_ZERO },
        { "cbnz", A(CBNZ), JUMP_ZERO },
        { "tbz", A(TBZ), JUMP_BIT },
        { "tbnz", A(TBNZ), JUMP_BIT },
        { "br", A(BR), JUMP_REG },
        { "blr", A(BLR), JUMP_REG },
        { "ret", A(RET), JUMP_REG },
        { "braa", A(BRAA), JUMP_REG },
        { "brab", A(BRAB), JUMP_REG },
        { "braaz", A(BRAAZ), JUMP_REG },
        { "brabz", A(BRABZ), JUMP_REG },
        { "blraa", A(BLRAA), JUMP_REG },
        { "blrab", A(BLRAB), JUMP_REG },
        { "blraaz", A(BLRAAZ), JUMP_REG },
        { "blrabz", A(BLRABZ), JUMP_REG },
        { "retaa", A(RETAA), PLAIN },
        { "retab", A(RETAB), PLAIN },
        { "retaasppcr", A(RETAASPPC), JUMP_REG },
        { "retabsppcr", A(RETABSPPC), JUMP_REG },
        { "retaasppc", A(RETAASPPC), JUMP },
        { "retabsppc", A(RETABSPPC), JUMP },
    };
    char text[256];

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add(rows[i].name, rows[i].id, rows[i].syntax, SVMC_CLASS_BRANCH);
    for (unsigned i = 0; i < 16; i++) {
        snprintf(text, sizeof text, "b.%s", conditions[i]);
        add(text, A(B_COND), JUMP_COND, SVMC_CLASS_BRANCH)->number = (uint8_t)i;
        snprintf(text, sizeof text, "bc.%s", conditions[i]);
        add(text, A(BC_COND), JUMP_COND, SVMC_CLASS_BRANCH)->number = (uint8_t)i;
    }
    add("b.cs", A(B_COND), JUMP_COND, SVMC_CLASS_BRANCH)->number = 2;
    add("b.cc", A(B_COND), JUMP_COND, SVMC_CLASS_BRANCH)->number = 3;
    add("bc.cs", A(BC_COND), JUMP_COND, SVMC_CLASS_BRANCH)->number = 2;
    add("bc.cc", A(BC_COND), JUMP_COND, SVMC_CLASS_BRANCH)->number = 3;
}

static void add_system(void)
{
    static const struct {
        char name[12];
        uint16_t id;
        uint8_t syntax, class, number;
    } rows[] = {
        { "svc", A(SVC), NUMBER, SVMC_CLASS_SYSCALL, 0 },
        { "hvc", A(HVC), NUMBER, SVMC_CLASS_HYPERCALL, 0 },
        { "smc", A(SMC), NUMBER, SVMC_CLASS_HYPERCALL, 0 },
        { "brk", A(BRK), NUMBER, SVMC_CLASS_INTERRUPT, 0 },
        { "hlt", A(HLT), NUMBER, SVMC_CLASS_HALT_DEBUG, 0 },
        { "dcps1", A(DCPS1), NUMBER, SVMC_CLASS_HALT_DEBUG, 0 },
        { "dcps2", A(DCPS2), NUMBER, SVMC_CLASS_HALT_DEBUG, 0 },
        { "dcps3", A(DCPS3), NUMBER, SVMC_CLASS_HALT_DEBUG, 0 },
        { "tcancel", A(TCANCEL), NUMBER, SVMC_CLASS_TRANSACTION, 0 },
        { "tstart", A(TSTART), REGISTER, SVMC_CLASS_TRANSACTION, 0 },
        { "ttest", A(TTEST), REGISTER, SVMC_CLASS_TRANSACTION, 0 },
        { "tcommit", A(TCOMMIT), PLAIN, SVMC_CLASS_TRANSACTION, 0 },
        { "eret", A(ERET), PLAIN, SVMC_CLASS_RETURN, 0 },
        { "eretaa", A(ERETAA), PLAIN, SVMC_CLASS_RETURN, 0 },
        { "eretab", A(ERETAB), PLAIN, SVMC_CLASS_RETURN, 0 },
        { "drps", A(DRPS), PLAIN, SVMC_CLASS_RETURN, 0 },
        { "nop", A(NOP), FIXED, SVMC_CLASS_NOP, 0 },
        { "yield", A(YIELD), FIXED, SVMC_CLASS_PAUSE, 1 },
        { "wfe", A(WFE), FIXED, SVMC_CLASS_IDLE, 2 },
        { "wfi", A(WFI), FIXED, SVMC_CLASS_IDLE, 3 },
        { "sev", A(SEV), FIXED, SVMC_CLASS_SIGNAL, 4 },
        { "sevl", A(SEVL), FIXED, SVMC_CLASS_OTHER, 5 },
        { "wfet", A(WFET), REGISTER, SVMC_CLASS_IDLE, 0 },
        { "wfit", A(WFIT), REGISTER, SVMC_CLASS_IDLE, 0 },
        { "clrex", A(CLREX), BARRIER, SVMC_CLASS_BARRIER, 15 },
        { "dsb", A(DSB), BARRIER, SVMC_CLASS_BARRIER, 0 },
        { "dmb", A(DMB), BARRIER, SVMC_CLASS_BARRIER, 0 },
        { "isb", A(ISB), BARRIER, SVMC_CLASS_BARRIER, 15 },
        { "ssbb", A(DSB), FIXED, SVMC_CLASS_BARRIER, 0 },
        { "pssbb", A(DSB), FIXED, SVMC_CLASS_BARRIER, 4 },
        { "dfb", A(DSB), FIXED, SVMC_CLASS_BARRIER, 12 },
        { "sb", A(SB), FIXED, SVMC_CLASS_BARRIER, 0 },
        { "cfinv", A(CFINV), PLAIN, SVMC_CLASS_OTHER, 0 },
        { "xaflag", A(XAFLAG), PLAIN, SVMC_CLASS_OTHER, 0 },
        { "axflag", A(AXFLAG), PLAIN, SVMC_CLASS_OTHER, 0 },
        { "mrs", A(MRS), READ_SYSTEM, SVMC_CLASS_SYSTEM_REG, 0 },
        { "msr", A(MSR), WRITE_SYSTEM, SVMC_CLASS_SYSTEM_REG, 0 },
        { "mrrs", A(MRRS), READ_SYSTEM, SVMC_CLASS_SYSTEM_REG, 0 },
        { "msrr", A(MSRR), WRITE_SYSTEM, SVMC_CLASS_SYSTEM_REG, 0 },
        { "smstart", A(MSR_IMM), STREAMING, SVMC_CLASS_SYSTEM_REG, 1 },
        { "smstop", A(MSR_IMM), STREAMING, SVMC_CLASS_SYSTEM_REG, 0 },
        { "sys", A(SYS), SYSTEM, SVMC_CLASS_SYSTEM_REG, 0 },
        { "sysp", A(SYSP), SYSTEM, SVMC_CLASS_SYSTEM_REG, 0 },
        { "sysl", A(SYSL), SYSTEM_READ, SVMC_CLASS_SYSTEM_REG, 0 },
        { "dc", A(DC), SYSTEM_NAMED, SVMC_CLASS_CACHE, 0 },
        { "ic", A(IC), SYSTEM_NAMED, SVMC_CLASS_CACHE, 0 },
        { "at", A(AT), SYSTEM_NAMED, SVMC_CLASS_TRANSLATE, 0 },
        { "tlbi", A(TLBI), SYSTEM_NAMED, SVMC_CLASS_TLB, 0 },
        { "tlbip", A(TLBIP), SYSTEM_NAMED, SVMC_CLASS_TLB, 0 },
        { "cfp", A(CFP), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "dvp", A(DVP), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "cpp", A(CPP), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "cosp", A(COSP), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "brb", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "trcit", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcspushm", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcsss1", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcspushx", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcspopcx", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcspopx", A(SYS), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcspopm", A(SYSL), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
        { "gcsss2", A(SYSL), SYSTEM_NAMED, SVMC_CLASS_SYSTEM_REG, 0 },
    };
    static const char hints[][12] = { "hint",      "dgh",     "esb",       "psb",       "tsb",
                                      "gcsb",      "csdb",    "clrbhb",    "clearbhb",  "chkfeat",
                                      "bti",       "xpaclri", "pacia1716", "pacib1716", "autia1716",
                                      "autib1716", "paciaz",  "paciasp",   "pacibz",    "pacibsp",
                                      "autiaz",    "autiasp", "autibz",    "autibsp",   "pacm",
                                      "bhb" };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add(rows[i].name, rows[i].id, rows[i].syntax, rows[i].class)->number = rows[i].number;
    for (unsigned i = 0; i < sizeof hints / sizeof hints[0]; i++)
        add(hints[i], A(HINT), HINT, SVMC_CLASS_NOP);
}

void mnemonics_init(void)
{
    add_loads();
    add_exclusives();
    add_atomics();
    add_wide_atomics();
    add_structures();
    add_copies();
    add_branches();
    add_system();
}
