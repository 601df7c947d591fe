/* SPDX-License-Identifier: MIT */
/** Bytes of a guest -> one instruction: length, identity, operands. */
#ifndef SVMCORE_INSN_H
#define SVMCORE_INSN_H
#include <stddef.h>
#include <stdint.h>
#include "status.h"
#include "types.h"
#include "x86_ids.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_INSN_MAX      15u /* bytes of the longest x86 instruction */
#define SVMC_OPERANDS_MAX  4u  /* operands an instruction can show */
#define SVMC_INSN_TEXT_MAX 96u /* bytes that hold every text of svmc_insn_format, with its NUL */

/** Instruction set and execution mode. An input without a default: 0 is refused. */
enum svmc_isa { SVMC_ISA_NONE = 0, SVMC_ISA_X86_16 = 1, SVMC_ISA_X86_32 = 2, SVMC_ISA_X86_64 = 3 };

/** Whose processor, where they differ. An input without a default: 0 is refused. */
enum svmc_vendor { SVMC_VENDOR_NONE = 0, SVMC_VENDOR_AMD = 1, SVMC_VENDOR_INTEL = 2 };

/** The processor whose bytes are decoded. */
struct svmc_cpu {
    uint8_t isa;       /* enum svmc_isa */
    uint8_t vendor;    /* enum svmc_vendor */
    uint16_t reserved; /* 0 */
    uint32_t features; /* 0: no feature changes how a row of this release decodes */
};

/** What the policy asks of an instruction. */
enum svmc_insn_class {
    SVMC_CLASS_OTHER = 0,
    SVMC_CLASS_MEMORY = 1,
    SVMC_CLASS_PORT = 2,
    SVMC_CLASS_STRING_PORT = 3,
    SVMC_CLASS_CPUID = 4,
    SVMC_CLASS_MSR = 5,
    SVMC_CLASS_IDLE = 6,
    SVMC_CLASS_HYPERCALL = 7
};

enum svmc_operand_kind {
    SVMC_OPERAND_NONE = 0,
    SVMC_OPERAND_REG = 1,
    SVMC_OPERAND_MEM = 2,
    SVMC_OPERAND_IMM = 3
};

/** Prefixes that change what an instruction does. */
enum svmc_repeat { SVMC_REPEAT_NONE = 0, SVMC_REPEAT_REP = 1, SVMC_REPEAT_REPNE = 2 };

/** What a load does with a source narrower than its destination. */
enum svmc_extend { SVMC_EXTEND_NONE = 0, SVMC_EXTEND_ZERO = 1, SVMC_EXTEND_SIGN = 2 };

/**
 * One operand. Fields that its kind does not use are 0 (registers and segments: NONE), so that no
 * field is ever read as something else (XSA-123).
 */
struct svmc_operand {
    uint8_t kind;    /* enum svmc_operand_kind */
    uint8_t access;  /* enum svmc_access */
    uint8_t bytes;   /* size of the operand: 1, 2, 4, 8 */
    uint8_t reg;     /* REG: enum svmc_reg */
    uint8_t high;    /* REG: 1 for AH, CH, DH, BH: bits 15:8 of reg */
    uint8_t segment; /* MEM: enum svmc_segment, always the one in force */
    uint8_t base;    /* MEM: enum svmc_reg; SVMC_REG_RIP: relative to the next instruction */
    uint8_t index;   /* MEM: enum svmc_reg */
    uint8_t scale;   /* MEM: 1, 2, 4, 8; 0 without index */
    uint8_t reserved[7];
    int64_t disp; /* MEM: sign-extended; moffs as it stands; the sum is cut to address_bytes */
    uint64_t imm; /* IMM: value, extended to 64 bits as the instruction does */
};

/** A decoded instruction. Plain data of the caller: copy, compare and keep it as you like. */
struct svmc_insn {
    uint16_t id;           /* enum svmc_x86_id */
    uint8_t length;        /* bytes, 1..SVMC_INSN_MAX; 0 only after an error */
    uint8_t insn_class;    /* enum svmc_insn_class */
    uint8_t operand_bytes; /* effective operand size: 1, 2, 4, 8 */
    uint8_t address_bytes; /* effective address size: 2, 4, 8 */
    uint8_t repeat;        /* enum svmc_repeat: only where the instruction repeats */
    uint8_t extend;        /* enum svmc_extend */
    uint8_t operand_count;
    uint8_t isa; /* enum svmc_isa that decoded it */
    uint8_t reserved[6];
    /* in Intel order, destination first; implicit ones included */
    struct svmc_operand operands[SVMC_OPERANDS_MAX];
};

/**
 * Decode the instruction that starts at bytes[0].
 *
 * Shape:   bytes[count], your own copy: what the guest can change meanwhile may be read twice.
 *          Any count; bytes behind the instruction do not matter; 0 is TRUNCATED.
 * State:   *out is zeroed first and stays so on every error.
 * Threads: pure; no host call, no allocation, at most SVMC_INSN_MAX bytes read.
 * Source:  docs/spec/decode.md, rules DE-1 to DE-14.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, bad cpu); SVMC_ERR_TRUNCATED (more bytes needed);
 *         SVMC_ERR_TOO_LONG; SVMC_ERR_UNDEFINED (#UD on this cpu);
 *         SVMC_ERR_UNSUPPORTED (no row in this build, or no decoder for cpu->isa).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_insn_decode(const struct svmc_cpu *cpu,
                                                          const uint8_t *bytes, size_t count,
                                                          struct svmc_insn *out);

/**
 * Write an instruction in Intel syntax, e.g. "movzx eax, byte ptr [rbx+rcx*4+0x10]".
 *
 * Shape: text[cap] gets a NUL-terminated string; SVMC_INSN_TEXT_MAX always suffices.
 * State: on an error text[0] is 0 (where cap > 0).
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, or an insn that no decode made);
 *         SVMC_ERR_FULL (cap too small).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_insn_format(const struct svmc_insn *insn, char *text,
                                                          size_t cap);

#ifdef __cplusplus
}
#endif
#endif
