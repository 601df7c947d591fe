/* SPDX-License-Identifier: MIT */
/** s390x: the decoder's entry and the form of its tables, which tools/gen-s390 makes. */
#ifndef S390_S390_H
#define S390_S390_H
#include <stddef.h>
#include <stdint.h>
#include <svmcore/insn.h>

/** svmc_insn_decode for SVMC_ISA_S390X; cpu was checked. After an error *out is not to be read but
 *  for its `refusal`. */
enum svmc_status svmc_s390_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                  struct svmc_insn *out);

/* How a layout gives a displacement. */
enum s390_disp {
    S390_DISP_NONE,     /* with a base: the register holds the address */
    S390_DISP_D12,      /* bits 20:31, unsigned */
    S390_DISP_D20,      /* bits 32:39 above 20:31, signed */
    S390_DISP_D12V,     /* D12, and the index is a vector register */
    S390_DISP_BRANCH16, /* bits 16:31, halfwords */
    S390_DISP_BRANCH32, /* bits 16:47, halfwords */
    S390_DISP_DATA32    /* the same, of a storage operand */
};

/* Names for sizes that are no number below 240: struct s390_row.bytes. */
enum s390_bytes {
    S390_BYTES_L = 240, /* bits 8:15 plus one */
    S390_BYTES_L1,      /* bits 8:11 plus one */
    S390_BYTES_L2,      /* bits 12:15 plus one */
    S390_BYTES_I3,      /* bits 11:15 plus one */
    S390_BYTES_MASK,    /* ones in bits 12:15 */
    S390_BYTES_ELEMENT, /* by bits 32:35: 1, 2, 4, 8; 6 is 4 too (VLLEZ, VLLEBRZ) */
    S390_BYTES_RANGE4,  /* 4 for each register from the first to the second */
    S390_BYTES_RANGE8,
    S390_BYTES_RANGE16, /* vector registers: no wrap */
    S390_BYTES_256,
    S390_BYTES_4096
};

/* Where operands are. A field is given by its first bit / 4; 0: there is none. */
struct s390_layout {
    uint8_t reg_reg2;    /* low half: first register, high half: second */
    uint8_t reg3_index;  /* third register, index */
    uint8_t base_second; /* base, base of the second storage operand */
    uint8_t disp;        /* enum s390_disp */
    uint8_t imm;         /* 3:0 field, 6:4 its width: 4, 8, 12, 16, 32 bits; 7: sign-extended */
};

/* Page 0 has the opcodes of one byte, any other those of one first byte. */
struct s390_page {
    uint16_t cells, rows; /* where the page begins in s390_cells and s390_rows */
    uint16_t count;       /* cells */
    uint8_t shift, mask;  /* of the second part of the opcode in the 48 bits */
    uint8_t first;        /* its value for the first cell */
};

/* What is the same for all opcodes of its cells: 0 is no operation, n row n - 1 of the page. */
struct s390_row {
    uint8_t layout;     /* enum s390_layout_name */
    uint8_t insn_class; /* enum svmc_insn_class */
    uint8_t privilege;  /* enum svmc_privilege */
    uint8_t reg_kind;   /* enum svmc_reg_kind */
    uint8_t access;     /* enum svmc_access: 3:0 first storage operand, 7:4 second */
    uint8_t bytes[2];   /* of them: enum s390_bytes or a number */
    uint8_t reg_bytes;  /* 0: no claim */
    uint8_t flag;       /* number of the bit of enum svmc_insn_flag; 0: none */
};

#endif
