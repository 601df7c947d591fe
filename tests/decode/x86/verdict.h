/* SPDX-License-Identifier: MIT */
/*
 * What one decoder says about one case, in the terms of svmcore/insn.h, so that every pair of
 * decoders is compared by the same code.
 */
#ifndef X86_VERDICT_H
#define X86_VERDICT_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/insn.h>

#define CASE_BYTES 16u /* one more than an instruction can have, so that too long is reachable */

/** How the opcode is spelled. */
enum encoding { LEGACY, AMD_3DNOW, VEX, EVEX, XOP };

/** One case. Every field but the first four is read off the bytes by the manual's rules. */
struct shape {
    uint8_t bytes[CASE_BYTES];
    uint8_t mode;     /* 16, 32, 64 */
    uint8_t vendor;   /* enum svmc_vendor */
    bool old;         /* the processor lacks what gave an old encoding a new meaning */
    uint8_t prefixes; /* bytes before the opcode, VEX, EVEX or XOP byte */
    uint8_t rep;      /* the last of F2, F3; 0: none */
    uint8_t segment;  /* the last override in force */
    uint8_t rex;      /* only right before the opcode */
    bool osize, asize, lock;
    uint8_t encoding; /* enum encoding */
    uint8_t map;      /* 1 (one byte), 2 (0F), 3 (0F38), 4 (0F3A); else the payload's number */
    uint8_t opcode;   /* 3DNow!: the byte behind the operands */
    uint8_t modrm;    /* the byte behind the opcode, whether it is one or not */
    uint8_t at;       /* where modrm stands */
    uint8_t pp;       /* VEX, EVEX, XOP; legacy: what stands before the opcode, F2, F3 over 66 */
    uint8_t vvvv;     /* as a register number; EVEX with V' */
    uint8_t length;   /* VEX.L, EVEX.L'L */
    uint8_t aaa;
    bool w, r, x, b, r2, z, bcst, fixed; /* r, x, b, r2: not inverted; fixed: EVEX P1 bit 2 */
};

/** Bits of verdict.known: what the decoder says at all. */
enum {
    KNOWS_MEMORY = 1 << 0,   /* whether there is one, segment, base, index, scale, disp */
    KNOWS_SIZE = 1 << 1,     /* its bytes */
    KNOWS_OPERANDS = 1 << 2, /* the whole list, and every field of insn */
};

struct verdict {
    bool accepted;
    uint8_t length;
    uint8_t known;
    uint8_t refusal;       /* ours only */
    const char *broken;    /* ours only: what is wrong without any reference */
    const char *text;      /* mnemonic or whole line, for reports; until it is asked again */
    struct svmc_insn insn; /* in terms of ours: fields that `known` covers */
    uint32_t count;
    struct svmc_operand operands[SVMC_OPERANDS_MAX + 4];
};

void shape_read(struct shape *s, const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendor);

/* Fields of ModRM. */
static inline unsigned shape_mod(const struct shape *s)
{
    return s->modrm >> 6;
}
static inline unsigned shape_reg(const struct shape *s)
{
    return s->modrm >> 3 & 7;
}
static inline unsigned shape_rm(const struct shape *s)
{
    return s->modrm & 7;
}

/** Same instruction, one prefix of each kind in a fixed order; returns how many bytes are gone. */
int shape_plain(const struct shape *s, bool lock, bool rep, uint8_t to[2 * CASE_BYTES]);

bool ours_start(void);
void ours_ask(const struct shape *s, struct verdict *v);
const char *ours_name(unsigned id); /* the manual's mnemonic in small letters */
unsigned ours_id_count(void);
bool zydis_start(void);
void zydis_ask(const struct shape *s, struct verdict *v);
bool llvm_start(void);
void llvm_ask(const struct shape *s, struct verdict *v);
bool binutils_start(void);
void binutils_ask(const struct shape *s, struct verdict *v);
bool capstone_start(void);
void capstone_ask(const struct shape *s, struct verdict *v);

#endif
