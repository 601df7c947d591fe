/* SPDX-License-Identifier: MIT */
/** Two disassemblers that share no code: LLVM's and that of binutils. */
#ifndef A64_REFERENCE_H
#define A64_REFERENCE_H
#include <stdbool.h>
#include <stdint.h>

enum reference { REFERENCE_LLVM, REFERENCE_BINUTILS, REFERENCES };

extern const char *const reference_names[REFERENCES];

/** Once a process. */
bool reference_open(void);

/** The text of a word, valid until the next call with the same reference; "" if it refuses. */
const char *reference_text(enum reference which, uint32_t word);

/** As reference_text, but only the mnemonic has to be right. */
const char *reference_mnemonic(enum reference which, uint32_t word);

#endif
