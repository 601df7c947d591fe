/* SPDX-License-Identifier: MIT */
/**
 * What the text of a disassembler says of an A64 word, in the fields of struct svmc_insn. Written
 * from the assembler syntax alone: it knows nothing of encodings.
 */
#ifndef A64_TEXT_H
#define A64_TEXT_H
#include <stdbool.h>
#include <svmcore/insn.h>

/** What came of it. */
enum text_verdict {
    TEXT_REFUSED,   /* not an instruction */
    TEXT_OTHER,     /* a mnemonic of the data processing, SIMD, SVE or SME groups */
    TEXT_READ,      /* in *out */
    TEXT_UNREADABLE /* a mnemonic of ours with operands that could not be read */
};

struct text_view {
    struct svmc_insn insn; /* the fields of memory, registers, disp, imm, id, flags, class */
    bool imm_named;        /* imm is known by name only: name_hash says which */
    uint64_t name_hash;
};

/** Once, before the first text_read. */
void text_init(void);

/**
 * True if the mnemonic that `text` begins with is one of the branch, exception and system groups;
 * with memory_too: or of the load/store group.
 */
bool text_is_system(const char *text, bool memory_too);

/**
 * Read "mnemonic operands". A branch target is "@" and the hexadecimal distance where the
 * disassembler prints addresses, "#" and the decimal one elsewhere.
 */
enum text_verdict text_read(const char *text, struct text_view *out);

#endif
