/* SPDX-License-Identifier: MIT */
/**
 * Rows of the instruction sets whose opcode is a fixed pattern of bits (A64, RISC-V, s390x), and
 * how a word finds its row. tools/gen-words makes the tables: <isa>_find(word) calls words_find.
 */
#ifndef DECODE_WORDS_H
#define DECODE_WORDS_H
#include <stddef.h>
#include <stdint.h>

/** What the table says of an instruction. Rows share equal ones. */
struct words_attr {
    uint16_t flags;         /* enum svmc_insn_flag */
    uint8_t layout;         /* enum <isa>_layout: where the operands are */
    uint8_t insn_class;     /* enum svmc_insn_class */
    uint32_t privilege : 3; /* enum svmc_privilege */
    uint32_t access : 4;    /* enum svmc_access */
    uint32_t bytes : 9;     /* mem_bytes; 0: none, or the layout says */
    uint32_t count : 5;     /* mem_count; the same */
    uint32_t reg_kind : 4;  /* enum svmc_reg_kind */
    uint32_t reg_bytes : 7; /* 0: none, or the layout says */
};
_Static_assert(sizeof(struct words_attr) == 8, "compact attributes");

/** A word w has this row if (w & masks[mask]) == match and no row before it in the list has it. */
struct words_row {
    uint32_t match;
    uint32_t mask : 9;
    uint32_t attr : 11;
    uint32_t id : 11;  /* enum svmc_<isa>_id; NONE: the manual reserves the word */
    uint32_t last : 1; /* ends a list */
};
_Static_assert(sizeof(struct words_row) == 8, "compact rows");

/** Second level of the index: two fields of the word choose one of the slots from `first`. */
struct words_cell {
    uint16_t first;
    uint8_t shift[2]; /* field n, in place: w >> shift[n] & mask[n] */
    uint8_t mask[2];
};
_Static_assert(sizeof(struct words_cell) == 6, "compact cells");

/** The first row of the list at `row` that w has, or NULL. */
static inline const struct words_row *words_match(uint32_t w, const struct words_row *row,
                                                  const uint32_t *masks)
{
    while ((w & masks[row->mask]) != row->match) {
        if (row->last)
            return NULL;
        row++;
    }
    return row;
}

/** The row of w, or NULL. slots[] are starts of lists in rows[]. */
static inline const struct words_row *words_find(uint32_t w, const struct words_cell *cell,
                                                 const uint16_t *slots,
                                                 const struct words_row *rows,
                                                 const uint32_t *masks)
{
    uint32_t slot = (w >> cell->shift[0] & cell->mask[0]) | (w >> cell->shift[1] & cell->mask[1]);

    return words_match(w, rows + slots[cell->first + slot], masks);
}

#endif
