/* SPDX-License-Identifier: MIT */
/*
 * svmc_insn_decode for s390x against LLVM's disassembler and binutils, in one process.
 *
 *   differential --all     every first halfword with every sixth byte, each with several middles
 *   differential --slice   the same 2^24, one middle each
 *   differential HEX ...   these six bytes
 *
 * Compared: acceptance, length, mnemonic, registers, base, index, displacement, length fields,
 * immediate, branch target. What the references do not show (sizes, access, privilege) is not
 * compared here. The classes of disagreement that are justified stand below, each with its witness.
 *
 * Last line: "N passed, N failed, N skipped"; exit status 1 if one failed. SVMC_SEED repeats a run.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

#include "../../random.h"
#include "decode/s390/s390.h"
#include "decode/s390/s390_names.h"
#include "decode/s390/s390_tables.h"
#include "names.h"
#include "reference.h"

#define SHOWN 40u

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_S390X };

/*
 * Justified classes. PoP: z/Architecture Principles of Operation, SA22-7832-13.
 *   FIELD_BOTH  both references refuse a value of an operand field: bits the manual reserves (PoP 5
 *               "Instruction Formats": they should be zero), odd or impossible register pairs and
 *               modifiers out of range (specification exception). The opcode is an operation all
 *               the same (S390-2). Witness: with these bits zero both accept and agree with us.
 *   FIELD_LLVM  LLVM alone refuses such a value; binutils is the witness for these very bytes.
 *   UNPUBLISHED not in PoP; Linux and QEMU are the witness (the list is below).
 *   TPEI        TEST PENDING EXTERNAL INTERRUPTION (PoP 10): LLVM 14 lacks it, binutils has it.
 *   GENERAL     EEDTR, ESDTR, EEXTR, ESXTR, IEDTR, IEXTR, RRDTR, RRXTR have one operand in a
 *               general register (PoP 20). LLVM 14 shows a floating-point register; binutils is the
 *               witness.
 *   SFPC        SFPC, EFPC: R1 only (PoP 9); binutils shows the ignored bits 28:31 as a second one.
 *   VINDEX      A vector index register 0 is one like any other (PoP 5, VRV format). binutils 2.40
 *               does not show it; LLVM is the witness.
 *   PADDING     MVCLE, CLCLE, MVCLU, CLCLU: the second-operand address is no storage but padding
 *               (PoP 7); we show the storage that the registers name.
 *   HINT        BPP, BPRP: RI2 is the place of a branch, no operand of ours (S390-8).
 */
enum class {
    FIELD_BOTH,
    FIELD_LLVM,
    UNPUBLISHED,
    TPEI,
    GENERAL,
    SFPC,
    VINDEX,
    PADDING,
    HINT,
    CLASSES
};

static const char *const class_names[CLASSES] = { "FIELD_BOTH", "FIELD_LLVM", "UNPUBLISHED",
                                                  "TPEI",       "GENERAL",    "SFPC",
                                                  "VINDEX",     "PADDING",    "HINT" };
static uint64_t absorbed[CLASSES], passed, failed, accepted, compared[REFERENCES];

/* Linux arch/s390/tools/opcodes.txt has all of them, binutils 2.40 and LLVM 14 none. */
static const uint16_t unpublished[] = {
    SVMC_S390_SERVC,   SVMC_S390_STHYI,  SVMC_S390_CHSC,    SVMC_S390_NQAP,   SVMC_S390_DQAP,
    SVMC_S390_PQAP,    SVMC_S390_IUCV,   SVMC_S390_EQBS,    SVMC_S390_SQBS,   SVMC_S390_CLP,
    SVMC_S390_UVC,     SVMC_S390_ESSA,   SVMC_S390_PCISTG,  SVMC_S390_PCILG,  SVMC_S390_RPCIT,
    SVMC_S390_PCISTGI, SVMC_S390_PCIWB,  SVMC_S390_PCILGI,  SVMC_S390_MPCIFC, SVMC_S390_STPCIFC,
    SVMC_S390_PCISTB,  SVMC_S390_SIC,    SVMC_S390_PCISTBI, SVMC_S390_LRIC,   SVMC_S390_STRIC,
    SVMC_S390_MRIC,    SVMC_S390_RINEXT, SVMC_S390_RION,    SVMC_S390_TRIC,   SVMC_S390_RIOFF,
    SVMC_S390_RIEMIT,  SVMC_S390_STCCTM,
};

#define UNPUBLISHED_IDS (sizeof unpublished / sizeof unpublished[0])

static bool unpublished_seen[UNPUBLISHED_IDS];

static bool is_unpublished(uint16_t id)
{
    for (size_t i = 0; i < UNPUBLISHED_IDS; i++)
        if (unpublished[i] == id)
            return unpublished_seen[i] = true;
    return false;
}

/* ---- bits of an operand field that a reference refuses when they stand alone ---- */

#define SLOTS 0x10000u /* by id */

static uint64_t refused[REFERENCES][SLOTS]; /* in the 48 bits of an instruction */
static bool known[SLOTS];

static void put(uint8_t *bytes, uint64_t text)
{
    for (unsigned i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(text >> (40 - 8 * i));
}

static uint64_t text_of(const uint8_t *bytes)
{
    uint64_t text = 0;

    for (unsigned i = 0; i < BYTES; i++)
        text = text << 8 | bytes[i];
    return text;
}

/* Bits of the opcode: where it is follows from the first byte (PoP 5, appendix B). */
static uint64_t opcode_bits(uint8_t lead)
{
    if (strchr("\x01\xb2\xb3\xb9\xe5", lead) && lead)
        return 0xffff00000000;
    if (strchr("\xa5\xa7\xaa\xc0\xc2\xc4\xc6\xc8\xcc", lead) && lead)
        return 0xff0f00000000;
    if (strchr("\xe3\xe6\xe7\xeb\xec\xed", lead) && lead)
        return 0xff00000000ff;
    return 0xff0000000000;
}

static void learn(uint16_t id, uint8_t lead, unsigned length, uint64_t text)
{
    uint64_t fixed = opcode_bits(lead);

    known[id] = true;
    for (unsigned who = 0; who < REFERENCES; who++) {
        for (unsigned bit = 48 - 8 * length; bit < 48; bit++) {
            uint8_t bytes[BYTES];
            struct parsed p;

            if (fixed >> bit & 1)
                continue;
            put(bytes, (text & fixed) | (uint64_t)1 << bit);
            if (ask(who, bytes, &p) && p.length == 0)
                refused[who][id] |= (uint64_t)1 << bit;
        }
    }
}

/* ---- operands ---- */

/* What of a text was seen so far. */
struct seen {
    unsigned regs;                 /* of the file of reg */
    int64_t numbers[OPERANDS_MAX]; /* bare ones: immediates, and addresses without a register */
    unsigned number_count;
    bool any_register, first, second, target;
    bool base_register; /* one that is our base */
};

static bool is_register(const struct parsed_operand *o, uint8_t kind, uint8_t reg)
{
    static const char files[] = { [SVMC_REG_KIND_GPR] = 'r',
                                  [SVMC_REG_KIND_CONTROL] = 'c',
                                  [SVMC_REG_KIND_VECTOR] = 'v',
                                  [SVMC_REG_KIND_ACCESS] = 'a' };

    return files[kind] == o->file &&
           reg == (kind == SVMC_REG_KIND_GPR ? SVMC_REG_S390_R0 : 0) + o->reg;
}

static bool same_file(const struct parsed_operand *o, uint8_t kind)
{
    return o->file == (kind == SVMC_REG_KIND_GPR       ? 'r'
                       : kind == SVMC_REG_KIND_CONTROL ? 'c'
                       : kind == SVMC_REG_KIND_ACCESS  ? 'a'
                                                       : 'v');
}

static bool general_is(int shown, uint8_t reg)
{
    return shown < 0 ? reg == SVMC_REG_NONE : reg == SVMC_REG_S390_R0 + shown;
}

static bool has_padding(uint16_t id)
{
    return id == SVMC_S390_MVCLE || id == SVMC_S390_CLCLE || id == SVMC_S390_MVCLU ||
           id == SVMC_S390_CLCLU;
}

static bool has_vector_index(uint16_t id)
{
    return id == SVMC_S390_VGEF || id == SVMC_S390_VGEG || id == SVMC_S390_VSCEF ||
           id == SVMC_S390_VSCEG;
}

static bool is_move_with_length_register(uint16_t id)
{
    return id == SVMC_S390_MVCK || id == SVMC_S390_MVCP || id == SVMC_S390_MVCS;
}

/* TRTR: the address is that of the last byte, so that we give no size (S390-9). */
static int length_field(const struct svmc_insn *a)
{
    return (int)(a->priv_raw[0] >> 16 & 0xff) + 1;
}

static const char *first_memory(const struct svmc_insn *a, const struct parsed_operand *o)
{
    if (o->value != a->disp || !general_is(o->base, a->base))
        return "base or displacement";
    if (o->index_file == 'v' ? a->index != o->index : !general_is(o->index, a->index))
        return "index";
    if (o->length && o->length != (a->id == SVMC_S390_TRTR ? length_field(a) : a->mem_bytes))
        return "length";
    return NULL;
}

static const char *second_memory(const struct svmc_insn *a, const struct parsed_operand *o)
{
    if (o->value != (int64_t)(a->priv_raw[2] & 0xffff) ||
        !general_is(o->base, (uint8_t)(a->priv_raw[1] >> 8)))
        return "base or displacement of the second address";
    if (o->length && o->length != (int)(a->priv_raw[2] >> 16))
        return "second length";
    return NULL;
}

/* LLVM shows an index without a base as if it were a base; binutils tells them apart. */
static bool is_lone_index(const struct svmc_insn *a, const struct parsed_operand *o)
{
    return a->base == SVMC_REG_NONE && o->base >= 0 && o->index < 0 && !o->length &&
           general_is(o->base, a->index) && o->value == a->disp;
}

static const char *memory_differs(const struct svmc_insn *a, struct parsed_operand o,
                                  struct seen *seen, enum reference_id who)
{
    if (has_padding(a->id))
        return NULL;
    if (is_move_with_length_register(a->id) && !seen->first) {
        struct parsed_operand r = { .file = 'r' };

        if (o.index < 0 && who == LLVM) { /* the same: the length register alone */
            o.index = o.base;
            o.base = -1;
        }
        r.reg = o.index < 0 ? 0 : o.index;
        if (!is_register(&r, a->reg_kind, a->reg))
            return "length register";
        seen->any_register = true;
        seen->regs++;
        o.index = -1;
    }
    if (who == BINUTILS && has_vector_index(a->id) && a->index == 0 && o.index < 0) {
        absorbed[VINDEX]++;
        o.index = 0;
        o.index_file = 'v';
    }
    if (!seen->first && !seen->second &&
        (first_memory(a, &o) == NULL || (who == LLVM && is_lone_index(a, &o)))) {
        seen->first = true;
        return NULL;
    }
    if (seen->second)
        return "address";
    seen->second = true;
    return second_memory(a, &o);
}

static const char *register_differs(const struct svmc_insn *a, const struct parsed_operand *o,
                                    struct seen *seen)
{
    const uint8_t regs[] = { a->reg, a->reg2, a->reg3 };
    bool first = !seen->any_register;

    seen->any_register = true;
    seen->base_register |= o->file == 'r' && general_is(o->reg, a->base);
    if (a->reg_kind == SVMC_REG_KIND_NONE)
        return "no register of ours";
    if (!same_file(o, a->reg_kind))
        return first ? "register file" : NULL; /* S390-5: only in the operand list */
    if (seen->regs == sizeof regs)             /* the fourth */
        return NULL;
    return is_register(o, a->reg_kind, regs[seen->regs++]) ? NULL : "register";
}

/* Takes a number away; false if it is not there. */
static bool take(struct seen *seen, int64_t value)
{
    for (unsigned i = 0; i < seen->number_count; i++) {
        if (seen->numbers[i] == value) {
            seen->numbers[i] = seen->numbers[--seen->number_count];
            return true;
        }
    }
    return false;
}

static bool has_address(const struct s390_layout *layout)
{
    return layout->disp == S390_DISP_D12 || layout->disp == S390_DISP_D12V ||
           layout->disp == S390_DISP_D20;
}

/* An address that was not seen with registers must be there as a number. */
static const char *addresses_differ(const struct svmc_insn *a, const struct s390_layout *layout,
                                    struct seen *seen, enum reference_id who)
{
    bool index_shown = a->index != SVMC_REG_NONE;

    if (who == BINUTILS && has_vector_index(a->id) && a->index == 0) {
        absorbed[VINDEX] += !seen->first;
        index_shown = false;
    }
    if (!has_address(layout)) {
        if (layout->disp != S390_DISP_NONE && !seen->target)
            return "no target";
        if (layout->disp == S390_DISP_NONE && a->base != SVMC_REG_NONE && !seen->base_register)
            return "our base is no operand";
        return NULL;
    }
    if (!seen->first && (a->base != SVMC_REG_NONE || index_shown || !take(seen, a->disp)))
        return "first address";
    if (layout->base_second >> 4 && !seen->second &&
        ((uint8_t)(a->priv_raw[1] >> 8) != SVMC_REG_NONE || !take(seen, a->priv_raw[2] & 0xffff)))
        return "second address";
    return NULL;
}

/* plain: no mask is hidden in the mnemonic. Compare-and-branch to an address has two immediates. */
static const char *immediates_differ(const struct svmc_insn *a, const struct s390_layout *layout,
                                     struct seen *seen, bool plain)
{
    bool two = a->id == SVMC_S390_CIB || a->id == SVMC_S390_CGIB || a->id == SVMC_S390_CLIB ||
               a->id == SVMC_S390_CLGIB;
    bool any = seen->number_count != 0;

    if (layout->imm == 0)
        return any ? "a number we do not have" : NULL;
    if (!take(seen, (int64_t)a->imm) && plain && (any || a->imm != 0))
        return "immediate";
    if (has_address(layout) && seen->number_count > two)
        return "more numbers than ours";
    return NULL;
}

static const char *operands_differ(const struct svmc_insn *a, const struct parsed *p, bool plain,
                                   enum reference_id who)
{
    const struct s390_layout *layout = &s390_layouts[a->priv_form];
    const uint8_t regs[] = { a->reg, a->reg2, a->reg3 };
    struct seen seen = { 0 };
    const char *why = NULL;

    for (unsigned i = 0; i < p->count && !why; i++) {
        const struct parsed_operand *o = &p->operands[i];

        if (o->kind == PARSED_REG)
            why = register_differs(a, o, &seen);
        else if (o->kind == PARSED_NUMBER && !(has_padding(a->id) && i == p->count - 1))
            seen.numbers[seen.number_count++] = o->value;
        else if (o->kind == PARSED_MEM)
            why = memory_differs(a, *o, &seen, who);
        else if (o->kind == PARSED_TARGET && a->id != SVMC_S390_BPP && a->id != SVMC_S390_BPRP) {
            seen.target = true;
            why = o->value == a->disp ? NULL : "target";
        }
    }
    if (!why)
        why = addresses_differ(a, layout, &seen, who);
    if (!why)
        why = immediates_differ(a, layout, &seen, plain);
    for (unsigned i = seen.regs; i < sizeof regs && !why; i++)
        if (regs[i] != SVMC_REG_NONE && !name_hides_register(p->name))
            why = "a register the text does not show";
    return why;
}

/* ---- one case ---- */

static void report(const uint8_t *bytes, const char *who, const char *why, const struct parsed *p)
{
    failed++;
    if (failed > SHOWN)
        return;
    printf("FAIL ");
    for (unsigned i = 0; i < BYTES; i++)
        printf("%02x", bytes[i]);
    printf(" %s: %s (%s)\n", who, why, p && p->length ? p->name : "refused");
}

static bool has_general_operand(uint16_t id)
{
    return id == SVMC_S390_EEDTR || id == SVMC_S390_ESDTR || id == SVMC_S390_EEXTR ||
           id == SVMC_S390_ESXTR || id == SVMC_S390_IEDTR || id == SVMC_S390_IEXTR ||
           id == SVMC_S390_RRDTR || id == SVMC_S390_RRXTR;
}

/* The accepted text of one reference beside ours. */
static const char *text_differs(const struct svmc_insn *a, const struct parsed *p,
                                enum reference_id who)
{
    bool plain;

    if (p->length != a->length)
        return "length";
    if (!name_fits(a->id, p->name, a->imm, &plain))
        return "mnemonic";
    if (who == LLVM && has_general_operand(a->id)) {
        absorbed[GENERAL]++;
        return NULL;
    }
    if (who == BINUTILS && (a->id == SVMC_S390_SFPC || a->id == SVMC_S390_EFPC) && p->count == 2) {
        absorbed[SFPC]++;
        return is_register(&p->operands[0], a->reg_kind, a->reg) ? NULL : "register";
    }
    return operands_differ(a, p, plain, who);
}

/* A reference refuses what we accept: with the bits cleared that it refuses, it must not. */
static const char *cleared_differs(enum reference_id who, const uint8_t *bytes,
                                   const struct svmc_insn *a)
{
    uint8_t fixed[BYTES];
    struct svmc_insn b;
    struct parsed p;

    put(fixed, text_of(bytes) & ~refused[who][a->id]);
    if (!ask(who, fixed, &p))
        return "text not understood";
    if (p.length == 0)
        return "refuses";
    if (svmc_insn_decode(&cpu, fixed, BYTES, &b) != SVMC_OK || b.id != a->id)
        return "we change our mind about the opcode";
    return text_differs(&b, &p, who);
}

static void accepted_case(const uint8_t *bytes, const struct svmc_insn *a,
                          const struct parsed parsed[REFERENCES])
{
    const char *why = NULL;
    bool refuses[REFERENCES];

    accepted++;
    for (unsigned who = 0; who < REFERENCES; who++)
        refuses[who] = parsed[who].length == 0;
    if (refuses[LLVM] && refuses[BINUTILS] && is_unpublished(a->id)) {
        absorbed[UNPUBLISHED]++;
        passed++;
        return;
    }
    if (!known[a->id])
        learn(a->id, bytes[0], a->length, text_of(bytes));
    for (unsigned who = 0; who < REFERENCES; who++) {
        if (who == LLVM && a->id == SVMC_S390_TPEI && refuses[who]) {
            absorbed[TPEI]++;
            continue;
        }
        why = !refuses[who]                       ? text_differs(a, &parsed[who], who)
              : who == BINUTILS && !refuses[LLVM] ? "refuses alone"
                                                  : cleared_differs(who, bytes, a);
        compared[who] += why == NULL;
        if (why) {
            report(bytes, reference_names[who], why, &parsed[who]);
            return;
        }
    }
    if (refuses[LLVM] && refuses[BINUTILS])
        absorbed[FIELD_BOTH]++;
    else if (refuses[LLVM] && a->id != SVMC_S390_TPEI)
        absorbed[FIELD_LLVM]++;
    absorbed[PADDING] += has_padding(a->id);
    absorbed[HINT] += a->id == SVMC_S390_BPP || a->id == SVMC_S390_BPRP;
    passed++;
}

static void check(const uint8_t *bytes)
{
    struct parsed parsed[REFERENCES];
    struct svmc_insn a;
    enum svmc_status st = svmc_insn_decode(&cpu, bytes, BYTES, &a);

    for (unsigned who = 0; who < REFERENCES; who++) {
        if (!ask(who, bytes, &parsed[who])) {
            report(bytes, reference_names[who], "text not understood", &parsed[who]);
            return;
        }
    }
    if (st == SVMC_OK) {
        accepted_case(bytes, &a, parsed);
        return;
    }
    for (unsigned who = 0; who < REFERENCES; who++) {
        if (parsed[who].length) {
            report(bytes, reference_names[who], "knows what we refuse", &parsed[who]);
            return;
        }
    }
    if (st != SVMC_ERR_UNDEFINED || a.refusal != SVMC_REFUSAL_NO_OPCODE)
        report(bytes, "we", "status", NULL);
    else
        passed++;
}

/* ---- the cases ---- */

#define MIDDLES 6u

/* The three middle bytes of pattern n: zeros, ones, two random, a one and a zero that walk. */
static uint32_t middle(unsigned n, uint32_t at, uint64_t *seed)
{
    uint32_t one = (uint32_t)1 << (at + at / 24) % 24;

    switch (n) {
    case 0:
        return 0;
    case 1:
        return 0xffffff;
    case 2:
        return one;
    case 3:
        return 0xffffff & ~one;
    default:
        return (uint32_t)harness_random(seed) & 0xffffff;
    }
}

static void one_case(uint32_t at, uint32_t mid)
{
    uint8_t bytes[BYTES];

    put(bytes, (uint64_t)(at >> 8) << 32 | (uint64_t)mid << 8 | (at & 0xff));
    check(bytes);
}

/* at: first halfword, then sixth byte. */
static void run(bool all, uint64_t seed)
{
    uint64_t state = seed;

    for (uint32_t at = 0; at < 1u << 24; at++) {
        if (all && (at & 0xfffff) == 0)
            printf("%u of 16, %" PRIu64 " failed\n", at >> 20, failed), fflush(stdout);
        if (all)
            for (unsigned n = 0; n < MIDDLES; n++)
                one_case(at, middle(n, at, &state));
        else
            one_case(at, middle((at + (at >> 8) + (unsigned)seed) % MIDDLES, at, &state));
    }
}

/* Cases given by hand: 12 hexadecimal digits each. */
static void run_words(char **words)
{
    for (; *words; words++) {
        uint8_t bytes[BYTES];

        put(bytes, strtoull(*words, NULL, 16));
        check(bytes);
    }
}

int main(int argc, char **argv)
{
    const char *env = getenv("SVMC_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : 1;
    bool all = argc == 2 && strcmp(argv[1], "--all") == 0;
    bool slice = argc == 2 && strcmp(argv[1], "--slice") == 0;
    unsigned empty = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: differential --all | --slice | HEX ...\n");
        return 2;
    }
    printf("seed: SVMC_SEED=0x%" PRIx64 "\n", seed);
    if (!references_open()) {
        printf("cannot set up the references\n0 passed, 1 failed, 0 skipped\n");
        return 1;
    }
    if (all || slice)
        run(all, seed);
    else
        run_words(argv + 1);
    LLVMDisasmDispose(llvm);
    printf("%" PRIu64 " accepted; compared: LLVM %" PRIu64 ", binutils %" PRIu64 "\n", accepted,
           compared[LLVM], compared[BINUTILS]);
    for (unsigned i = 0; i < CLASSES; i++) {
        printf("class %s: %" PRIu64 "\n", class_names[i], absorbed[i]);
        empty += all && absorbed[i] == 0;
    }
    for (size_t i = 0; i < UNPUBLISHED_IDS; i++)
        empty += all && !unpublished_seen[i];
    if (empty)
        printf("FAIL: %u classes or rows of one absorb nothing\n", empty);
    printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", passed, failed + empty);
    return failed + empty != 0;
}
