/* SPDX-License-Identifier: MIT */
/**
 * The two references in one process, LLVM's SystemZ disassembler and binutils' libopcodes, and
 * their text taken apart into operands.
 */
#ifndef TESTS_S390_REFERENCE_H
#define TESTS_S390_REFERENCE_H
#include <stdbool.h>
#include <stdint.h>

#define BYTES        6u /* of the longest instruction */
#define OPERANDS_MAX 8u

enum reference_id { LLVM, BINUTILS, REFERENCES };

extern const char *const reference_names[REFERENCES];

enum parsed_kind { PARSED_REG, PARSED_NUMBER, PARSED_TARGET, PARSED_MEM };

struct parsed_operand {
    enum parsed_kind kind;
    char file;       /* REG: r, v (f too), a, c */
    char index_file; /* MEM: the same of index, or 0 */
    int reg;         /* REG */
    int base, index; /* MEM: -1 is none */
    int length;      /* MEM: bytes, 0 is none */
    int64_t value;   /* NUMBER; TARGET; MEM: displacement */
};

struct parsed {
    unsigned length; /* bytes; 0: not accepted */
    char name[16];
    unsigned count;
    struct parsed_operand operands[OPERANDS_MAX];
};

/** Once a process. */
bool references_open(void);

/** False: text that nobody here understands. length 0: refused. */
bool reference_ask(enum reference_id who, const uint8_t *bytes, struct parsed *out);

#endif
