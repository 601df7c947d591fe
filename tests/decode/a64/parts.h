/* SPDX-License-Identifier: MIT */
/** The operands of a disassembler's line, taken apart. */
#ifndef A64_PARTS_H
#define A64_PARTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTS 8

/* One operand. */
struct part {
    char kind;     /* r register, i number, m memory, l list, n name, @ target, 0 none */
    char bank;     /* r: w x b h s d q */
    bool bang;     /* followed by ! */
    uint8_t reg;   /* r: number; w x: enum svmc_reg. l: the first one */
    uint8_t bytes; /* r: its width. l: of an element */
    uint8_t count; /* l: registers */
    uint8_t total; /* l: bytes of a register */
    int8_t lane;   /* l: or -1 */
    uint8_t base, index, extend, shift; /* m */
    int64_t value;                      /* i, @; m: displacement */
    const char *text;
    size_t length;
};

/** The operands that s consists of; a comment ends them. Their number, or -1. */
int parts_read(const char *s, struct part parts[PARTS]);

/** The word that s begins with. */
size_t word_length(const char *s);

/** s[n] is `word` in any case of letters. */
bool word_is(const char *s, size_t n, const char *word);

void skip_blanks(const char **at);

#endif
