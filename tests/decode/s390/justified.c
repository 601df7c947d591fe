/* SPDX-License-Identifier: MIT */
/*
 * The justified differences, for s390x. PoP: z/Architecture Principles of Operation, SA22-7832-13;
 * chapters, for page numbers move between its editions.
 */
#include "justified.h"

#include <stddef.h>

#include "decode/s390/s390_names.h"

#define BOTH (BY_LLVM | BY_BINUTILS)

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

/* Its place in the list; UNPUBLISHED_IDS: in a manual. */
static size_t unpublished_at(uint16_t id)
{
    size_t i = 0;

    while (i < UNPUBLISHED_IDS && unpublished[i] != id)
        i++;
    return i;
}

bool is_unpublished(uint16_t id)
{
    return unpublished_at(id) < UNPUBLISHED_IDS;
}

unsigned unpublished_idle(void)
{
    unsigned idle = 0;

    for (size_t i = 0; i < UNPUBLISHED_IDS; i++) {
        if (!unpublished_seen[i])
            printf("FAIL %s: unpublished, and in no case: id %u\n", justified_file, unpublished[i]);
        idle += !unpublished_seen[i];
    }
    return idle;
}

static bool both_refuse(const struct word *w)
{
    return w->parsed[LLVM].length == 0 && w->parsed[BINUTILS].length == 0;
}

static bool unpublished_operation(const struct word *w)
{
    return both_refuse(w) && is_unpublished(w->insn.id) &&
           (unpublished_seen[unpublished_at(w->insn.id)] = true);
}

static bool test_pending(const struct word *w)
{
    return w->insn.id == SVMC_S390_TPEI;
}

/* A value of an operand field: the opcode is an operation all the same (S390-2). */
static bool field_of_both(const struct word *w)
{
    return both_refuse(w);
}

static bool field_of_one(const struct word *w)
{
    return !both_refuse(w);
}

/* The rest of the text is what we say. */
static bool all_but(const struct word *w, unsigned forgiven)
{
    const char *why;

    return text_differs(&w->insn, &w->parsed[w->who], w->who, forgiven, &why) == 0;
}

static bool general_operand(const struct word *w)
{
    return has_general_operand(w->insn.id) && all_but(w, F_GENERAL);
}

static bool control_word(const struct word *w)
{
    return has_control_word(w->insn.id) && all_but(w, F_CONTROL);
}

static bool vector_index_0(const struct word *w)
{
    return has_vector_index(w->insn.id) && all_but(w, F_VINDEX);
}

static bool padding(const struct word *w)
{
    return has_padding(w->insn.id) && all_but(w, F_PADDING);
}

static bool hint(const struct word *w)
{
    return has_hint(w->insn.id) && all_but(w, F_HINT);
}

const struct justified justified[] = {
    { "not published; Linux has them in arch/s390/tools/opcodes.txt", BOTH, 0, A_REFUSE,
      unpublished_operation, "in no manual; Linux, QEMU" },
    { "LLVM 14 lacks TPEI", BY_LLVM, W_BINUTILS | W_OTHER_CLEARED, A_REFUSE, test_pending,
      "PoP 10" },
    { "both refuse reserved bits, register pairs, modifiers out of range: a specification "
      "exception at most",
      BOTH, W_CLEARED, A_REFUSE, field_of_both, "PoP 5 Instruction Formats" },
    { "LLVM alone refuses such a value", BY_LLVM, W_CLEARED, A_REFUSE, field_of_one,
      "PoP 5 Instruction Formats" },
    { "EEDTR, ESDTR, EEXTR, ESXTR, IEDTR, IEXTR, RRDTR, RRXTR: LLVM 14 shows a floating-point "
      "register for the general one",
      BY_LLVM, W_BINUTILS, A_OPERANDS, general_operand, "PoP 20" },
    { "SFPC, EFPC: binutils shows the ignored bits 28:31 as a second register", BY_BINUTILS, 0,
      A_OPERANDS, control_word, "PoP 9" },
    { "binutils 2.40 does not show a vector index register 0", BY_BINUTILS,
      W_LLVM | W_OTHER_CLEARED, A_OPERANDS, vector_index_0, "PoP 5 VRV format" },
    { "MVCLE, CLCLE, MVCLU, CLCLU: the second address is padding; we show the storage that the "
      "registers name",
      BOTH, 0, A_OPERANDS, padding, "PoP 7" },
    { "BPP, BPRP: RI2 is the place of a branch, no operand of ours (S390-8)", BOTH, 0, A_OPERANDS,
      hint, "PoP 7" },
};
JUSTIFIED_END("tests/decode/s390/justified.c");
