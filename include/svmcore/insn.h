/* SPDX-License-Identifier: MIT */
/** Bytes of a guest -> one instruction: length, identity, operands. */
#ifndef SVMCORE_INSN_H
#define SVMCORE_INSN_H
#include <stddef.h>
#include <stdint.h>
#include "a64_ids.h"
#include "insn_class.h"
#include "rv_ids.h"
#include "s390_ids.h"
#include "status.h"
#include "types.h"
#include "x86_features.h"
#include "x86_ids.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_INSN_MAX      15u  /* bytes of the longest instruction */
#define SVMC_OPERANDS_MAX  6u   /* operands an instruction can show */
#define SVMC_INSN_TEXT_MAX 128u /* bytes that hold every text of svmc_insn_format, with its NUL */

/** Instruction set and execution state. An input without a default: 0 is refused. */
enum svmc_isa {
    SVMC_ISA_NONE = 0,
    SVMC_ISA_X86_16 = 1,
    SVMC_ISA_X86_32 = 2,
    SVMC_ISA_X86_64 = 3,
    SVMC_ISA_A64 = 4,
    SVMC_ISA_A32 = 5, /* always SVMC_ERR_UNSUPPORTED, never read as A64 */
    SVMC_ISA_T32 = 6, /* the same */
    SVMC_ISA_RV32 = 7,
    SVMC_ISA_RV64 = 8,
    SVMC_ISA_S390X = 9,
    SVMC_ISA_PPC64 = 10 /* exits alone (EX-69, EX-90): its bytes are SVMC_ERR_UNSUPPORTED */
};

/** Whose x86, where they differ. An input without a default there: 0 is refused; 0 elsewhere. */
enum svmc_vendor { SVMC_VENDOR_NONE = 0, SVMC_VENDOR_AMD = 1, SVMC_VENDOR_INTEL = 2 };

/** The processor whose bytes are decoded. */
struct svmc_cpu {
    uint8_t isa;          /* enum svmc_isa */
    uint8_t vendor;       /* enum svmc_vendor */
    uint8_t reserved[6];  /* 0 */
    uint64_t features[2]; /* x86: bit n of the 128 is enum svmc_x86_feature n; else 0 */
};

/** Bits of svmc_insn.flags. */
enum svmc_insn_flag {
    SVMC_INSN_LOCK = 1 << 0,          /* x86: LOCK in force */
    SVMC_INSN_REP = 1 << 1,           /* x86: repeats; F3 */
    SVMC_INSN_REPNE = 1 << 2,         /* x86: repeats while not equal; F2 */
    SVMC_INSN_SIGN = 1 << 3,          /* what is loaded is sign-extended */
    SVMC_INSN_PRE_INDEX = 1 << 4,     /* base += disp before the access */
    SVMC_INSN_POST_INDEX = 1 << 5,    /* base += disp, or index, after it */
    SVMC_INSN_ACQUIRE = 1 << 6,       /* load-acquire; RISC-V aq */
    SVMC_INSN_RELEASE = 1 << 7,       /* store-release; RISC-V rl */
    SVMC_INSN_EXCLUSIVE = 1 << 8,     /* LL/SC: LDXR, STXR, LR, SC */
    SVMC_INSN_ATOMIC = 1 << 9,        /* read-modify-write that memory must do in one step */
    SVMC_INSN_NONTEMPORAL = 1 << 10,  /* LDNP, STNP */
    SVMC_INSN_UNPRIVILEGED = 1 << 11, /* LDTR, STTR; RISC-V HLV, HSV */
    SVMC_INSN_HIGH_REG = 1 << 12,     /* x86: reg is AH, CH, DH or BH: bits 15:8 of it */
    SVMC_INSN_STACK = 1 << 13,        /* x86: also pushes or pops */
    SVMC_INSN_ZERO = 1 << 14          /* what is loaded is zero-extended into a wider register */
};

/** Which file a register is in; its number counts in that file. */
enum svmc_reg_kind {
    SVMC_REG_KIND_NONE = 0,
    SVMC_REG_KIND_GPR = 1, /* the number is enum svmc_reg */
    SVMC_REG_KIND_SEGMENT = 2,
    SVMC_REG_KIND_CONTROL = 3,
    SVMC_REG_KIND_DEBUG = 4,
    SVMC_REG_KIND_TEST = 5,
    SVMC_REG_KIND_X87 = 6,
    SVMC_REG_KIND_MMX = 7,
    SVMC_REG_KIND_VECTOR = 8, /* XMM, YMM, ZMM; V; FP registers of A64, RISC-V and s390x */
    SVMC_REG_KIND_MASK = 9,   /* k0 to k7; p0 to p15 */
    SVMC_REG_KIND_BOUND = 10,
    SVMC_REG_KIND_TILE = 11,
    SVMC_REG_KIND_ACCESS = 12 /* s390x access registers */
};

/** How an A64 index register is widened before it is scaled. */
enum svmc_index_extend {
    SVMC_INDEX_PLAIN = 0, /* 64 bits, or as wide as the address */
    SVMC_INDEX_UXTW = 1,
    SVMC_INDEX_SXTW = 2,
    SVMC_INDEX_SXTX = 3
};

/**
 * A decoded instruction. Plain data of the caller: copy, compare and keep it as you like. What most
 * exits need is here; svmc_insn_operands has the full list, of ports too. Without a memory operand
 * access is SVMC_ACCESS_NONE (but for the CSR of RISC-V), mem_bytes, scale are 0, segment, base and
 * index NONE. LEA, INVLPG and their like have one that is not accessed: segment is not NONE.
 *
 * x86, IN and OUT: reg is AL, AX or EAX, reg_bytes the width. The port is imm where the list has an
 * IMM operand, else bits 15:0 of DX (imm is 0 then). INS, OUTS: reg is DX, mem_bytes the width.
 * x86, far CALL and JMP: with the pointer in the instruction imm is the offset; the selector is in
 * the list only (SVMC_OPERAND_FAR). Pointers in memory, of LES and its like too, are mem_bytes: the
 * offset in all but the last two, which are the selector.
 */
struct svmc_insn {
    uint16_t id;        /* enum svmc_x86_id, svmc_a64_id, svmc_rv_id, svmc_s390_id, by isa */
    uint8_t isa;        /* enum svmc_isa that decoded it */
    uint8_t length;     /* bytes, 1..SVMC_INSN_MAX; 0 only after an error */
    uint8_t insn_class; /* enum svmc_insn_class */
    uint8_t privilege;  /* enum svmc_privilege */
    uint16_t flags;     /* enum svmc_insn_flag */
    uint8_t refusal;    /* enum svmc_refusal: not 0 only after SVMC_ERR_UNDEFINED, _UNSUPPORTED */
    uint8_t operand_bytes; /* effective operand size; x86: 1, 2, 4, 8 */
    uint8_t address_bytes; /* effective address size: 2, 4, 8 */
    uint8_t access;        /* enum svmc_access of the memory operand; two: the first in order */
    uint8_t segment;       /* enum svmc_segment, the one in force; NONE without memory */
    uint8_t base;          /* enum svmc_reg; SVMC_REG_RIP: relative to the next instruction */
    uint8_t index;         /* enum svmc_reg; x86 with VSIB: a vector register's number */
    uint8_t scale;         /* 1, 2, 4, 8, 16: factor of index; 0 without */
    uint16_t mem_bytes;    /* bytes of one access */
    uint8_t mem_count;     /* accesses of mem_bytes in ascending order: 2 for a pair; x86: 1 */
    uint8_t index_extend;  /* enum svmc_index_extend */
    uint8_t reg_kind;      /* enum svmc_reg_kind: of the register beside memory, port or r/m ... */
    uint8_t reg;           /* ... operand, and its number; else of the first one there is */
    uint8_t reg_bytes;     /* how much of it is used */
    uint8_t reg2;          /* pair: the second; A64 atomics: Rs. Same file as reg. NONE: 0xff */
    int64_t disp;          /* sign-extended; moffs as it stands; branch: distance from its start
                               (A64, RISC-V, s390x) or its end (x86) */
    uint64_t imm;          /* the first immediate, extended to 64 bits as the instruction does; A64
                               and RISC-V: system register number */
    uint8_t reg3;          /* status register of STXR; NONE: 0xff */
    uint8_t reserved;      /* 0 */
    uint16_t priv_form;    /* what svmc_insn_operands and _address read; not for you */
    uint32_t priv_raw[3];
};

/** What an operand is. */
enum svmc_operand_kind {
    SVMC_OPERAND_NONE = 0,
    SVMC_OPERAND_REG = 1,
    SVMC_OPERAND_MEM = 2,
    SVMC_OPERAND_IMM = 3,
    SVMC_OPERAND_BRANCH = 4, /* imm: distance from the end of the instruction, sign-extended */
    SVMC_OPERAND_FAR = 5     /* imm: offset, bytes - 2 of it; disp: selector; reg: not used */
};

/**
 * One operand. Fields that its kind does not use are 0 (registers and segments: NONE), so that no
 * field is ever read as something else (XSA-123).
 */
struct svmc_operand {
    uint8_t kind;        /* enum svmc_operand_kind */
    uint8_t access;      /* enum svmc_access */
    uint16_t bytes;      /* size of the operand */
    uint8_t reg_kind;    /* REG: enum svmc_reg_kind */
    uint8_t reg;         /* REG: its number */
    uint8_t high;        /* REG: 1 for AH, CH, DH, BH: bits 15:8 of reg */
    uint8_t segment;     /* MEM: as in struct svmc_insn, like the next four */
    uint8_t base;        /* MEM */
    uint8_t index;       /* MEM */
    uint8_t scale;       /* MEM */
    uint8_t index_bytes; /* MEM: width of the index vector; 0: index is general */
    uint8_t lane_bytes;  /* MEM: width of one index in it: 4, sign-extended, or 8; else 0 */
    uint8_t broadcast;   /* MEM: bytes is one element, copied to this many lanes; 0: none */
    uint8_t lanes;       /* MEM: how many lanes of the index vector count; 0: index is general */
    uint8_t reserved;
    int64_t disp; /* MEM; FAR: the selector */
    uint64_t imm; /* IMM: value, extended to 64 bits as the instruction does; BRANCH, FAR: above */
};

/**
 * Decode the instruction that starts at bytes[0].
 *
 * Shape:   bytes[count], your own copy: what the guest can change meanwhile may be read twice.
 *          Any count; bytes behind the instruction do not matter; 0 is TRUNCATED.
 * State:   *out is written whole; after an error all of it but `refusal` is 0.
 * Threads: pure; no host call, no allocation; nothing past bytes[count - 1] is read.
 * Source:  docs/spec/decode.md.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, bad cpu); SVMC_ERR_TRUNCATED (more bytes needed);
 *         SVMC_ERR_TOO_LONG; SVMC_ERR_UNDEFINED (#UD or its like on this cpu: out->refusal);
 *         SVMC_ERR_UNSUPPORTED (nothing is claimed about these bytes).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_insn_decode(const struct svmc_cpu *cpu,
                                                          const uint8_t *bytes, size_t count,
                                                          struct svmc_insn *out);

/**
 * All operands of a decoded instruction, in the order of the manual's syntax, then implicit ones.
 *
 * Shape:   out[SVMC_OPERANDS_MAX]; *count of them are set, the others are of kind NONE.
 * Threads: pure.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, or an insn that no decode made); SVMC_ERR_UNSUPPORTED (all
 *         of A64, RISC-V and s390x, *count is 0: there the fields of struct svmc_insn say all that
 *         is decoded, so of an s390x instruction with two storage operands the first alone).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_insn_operands(const struct svmc_insn *insn,
                                                            struct svmc_operand *out,
                                                            uint32_t *count);

/**
 * Write an instruction in Intel or Arm syntax, e.g. "movzx eax, byte ptr [rbx+rcx*4+0x10]".
 *
 * Shape: text[cap] gets a NUL-terminated string; SVMC_INSN_TEXT_MAX always suffices.
 * State: on an error text[0] is 0 (where cap > 0).
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, or an insn that no decode made);
 *         SVMC_ERR_FULL (cap too small); SVMC_ERR_UNSUPPORTED (RISC-V, s390x).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_insn_format(const struct svmc_insn *insn, char *text,
                                                          size_t cap);

#ifdef __cplusplus
}
#endif
#endif
