/* SPDX-License-Identifier: MIT */
/**
 * Rows of the instruction sets whose opcode is a fixed pattern of bits (A64, RISC-V), and
 * how a word finds its row. tools/gen-words makes the tables: <isa>_find(word) calls words_find.
 */
#ifndef DECODE_WORDS_H
#define DECODE_WORDS_H
#include <stddef.h>
#include <stdint.h>

/**
 * What the table says of an instruction. Rows share equal ones. Two runs lie as in struct svmc_insn
 * and can be copied: from insn_class to flags, and from bytes to access, as mem_bytes on.
 */
struct words_attr {
    uint8_t insn_class; /* enum svmc_insn_class */
    uint8_t privilege;  /* enum svmc_privilege */
    uint16_t flags;     /* enum svmc_insn_flag */
    uint16_t bytes;     /* mem_bytes; 0: none, or the layout says */
    uint8_t count;      /* mem_count; the same */
    uint8_t access;     /* enum svmc_access; in the place of index_extend */
    uint8_t reg_kind;   /* enum svmc_reg_kind */
    uint8_t reg_bytes;  /* 0: none, or the layout says */
};
_Static_assert(sizeof(struct words_attr) == 10, "compact attributes");

/** A word w has this row if (w & masks[mask]) == match and no row before it in the list has it. */
struct words_row {
    uint32_t match;
    uint32_t mask : 8;
    uint32_t attr : 8;
    uint32_t id : 9;     /* enum svmc_<isa>_id; NONE: the manual reserves the word */
    uint32_t layout : 6; /* enum <isa>_layout: where the operands are */
    uint32_t last : 1;   /* ends a list */
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

/**
 * The row of w, or NULL. Below `direct` an entry of the index is a row that its words have without
 * more ado; the others are cells. slots[] are starts of lists in rows[].
 */
static inline const struct words_row *words_find(uint32_t w, uint32_t entry, uint32_t direct,
                                                 const struct words_cell *cells,
                                                 const uint16_t *slots,
                                                 const struct words_row *rows,
                                                 const uint32_t *masks)
{
    const struct words_cell *cell;
    uint32_t slot;

    if (entry < direct)
        return rows + entry;
    cell = cells + (entry - direct);
    slot = (w >> cell->shift[0] & cell->mask[0]) | (w >> cell->shift[1] & cell->mask[1]);
    return words_match(w, rows + slots[cell->first + slot], masks);
}

#endif
