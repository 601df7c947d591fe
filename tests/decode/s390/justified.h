/* SPDX-License-Identifier: MIT */
/** What the rows of justified.c speak of. */
#ifndef S390_JUSTIFIED_H
#define S390_JUSTIFIED_H
#include <svmcore/insn.h>

#include "reference.h"

/** One case; `who` of the references is in doubt. */
struct word {
    uint8_t bytes[BYTES];
    enum svmc_status status;
    struct svmc_insn insn;
    struct parsed parsed[REFERENCES];
    unsigned aspects[REFERENCES];
    const char *why[REFERENCES];
    enum reference_id who;
};

/** Who is compared with our decoder. */
#define BY(reference) (1u << (reference))
#define BY_LLVM       BY(LLVM)
#define BY_BINUTILS   BY(BINUTILS)

/** Who must say what we say: a reference, or one without the bits that it refuses. */
#define W_LLVM          BY_LLVM
#define W_BINUTILS      BY_BINUTILS
#define W_CLEARED       BY(REFERENCES) /* the one in doubt */
#define W_OTHER_CLEARED BY(REFERENCES + 1u)

/** In what they differ. */
enum aspect {
    A_ACCEPT = 1 << 0,     /* they accept, we refuse */
    A_REFUSE = 1 << 1,     /* they refuse, we accept */
    A_UNREADABLE = 1 << 2, /* their text is not understood */
    A_LENGTH = 1 << 3,
    A_NAME = 1 << 4,
    A_OPERANDS = 1 << 5
};

/** What a text may say otherwise than we do: bits. The rows of justified.c say why. */
enum forgiven {
    F_GENERAL = 1 << 0, /* which file an operand's register is of */
    F_CONTROL = 1 << 1, /* a second register of SFPC, EFPC */
    F_VINDEX = 1 << 2,  /* no vector index */
    F_PADDING = 1 << 3, /* an address that is none */
    F_HINT = 1 << 4,    /* the target of a hint */
    F_ALL = 31
};

#define JUSTIFIED_CASE struct word
#include "../differential.h"

/** Aspects in which an accepted text differs from ours, and what it is. */
unsigned text_differs(const struct svmc_insn *a, const struct parsed *p, enum reference_id who,
                      unsigned forgiven, const char **why);

/* Instructions that rows speak of. */
bool has_general_operand(uint16_t id);
bool has_control_word(uint16_t id);
bool has_vector_index(uint16_t id);
bool has_padding(uint16_t id);
bool has_hint(uint16_t id);

/** In no manual. */
bool is_unpublished(uint16_t id);

/** How many of those no case had; printed. */
unsigned unpublished_idle(void);

#endif
