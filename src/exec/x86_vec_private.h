/* SPDX-License-Identifier: MIT */
/** x86: vectors: what the files of x86_vec.def and of floating point share. */
#ifndef EXEC_X86_VEC_PRIVATE_H
#define EXEC_X86_VEC_PRIVATE_H
#include "x86_private.h"

/* The column `operation` of x86_vec.def, by shape. */
enum vec_operation {
    VEC_NONE = 0,
    VEC_ANY_PLACE, /* MOVE: its operand may lie anywhere */
    VEC_ALIGNED,   /* MOVE: on a multiple of its width, always */
    VEC_SCALAR,    /* MOVE: one element; the mask counts no other */
    VEC_LOW,       /* HALF, UNPACK */
    VEC_HIGH,
    VEC_ADD, /* LANES */
    VEC_SUB,
    VEC_ADDS, /* with saturation; US: without sign */
    VEC_ADDUS,
    VEC_SUBS,
    VEC_SUBUS,
    VEC_AND,
    VEC_ANDN,
    VEC_OR,
    VEC_XOR,
    VEC_CMPEQ,
    VEC_CMPGT,
    VEC_MINS,
    VEC_MINU,
    VEC_MAXS,
    VEC_MAXU,
    VEC_AVG,
    VEC_MULL,
    VEC_MULH,
    VEC_MULHU,
    VEC_MULHRS,
    VEC_MULDQ,
    VEC_MULUDQ,
    VEC_ABS,
    VEC_SIGN,
    VEC_SLL, /* LANES: by an element; SHIFT: all by one count */
    VEC_SRL,
    VEC_SRA,
    VEC_ROL,
    VEC_ROR,
    VEC_SLLDQ, /* SHIFT: bytes of 16 */
    VEC_SRLDQ,
    VEC_TESTM, /* LANES, to a mask */
    VEC_TESTNM,
    VEC_CMPS, /* LANES, to a mask, by the immediate */
    VEC_CMPU,
    VEC_POPCNT, /* LANES */
    VEC_LZCNT,
    VEC_SHLD, /* of two elements, by the immediate */
    VEC_SHRD,
    VEC_CONFLICT,
    VEC_MULTISHIFT, /* of 8 bytes */
    VEC_SHUFBIT,    /* of 8 bytes, to a mask */
    VEC_MADDWD,     /* PAIRS */
    VEC_MADDUBSW,
    VEC_SADBW,
    VEC_MPSADBW,
    VEC_DBPSADBW,
    VEC_MINPOS,
    VEC_HADD,
    VEC_HADDS,
    VEC_HSUB,
    VEC_HSUBS,
    VEC_PACKSS, /* PACK */
    VEC_PACKUS,
    VEC_SX2, /* WIDEN: of the half, quarter, eighth */
    VEC_SX4,
    VEC_SX8,
    VEC_ZX2,
    VEC_ZX4,
    VEC_ZX8,
    VEC_TRUNC2, /* NARROW: as it is; with SX and ZX as near as it can be */
    VEC_TRUNC4,
    VEC_TRUNC8,
    VEC_PSHUFB, /* SHUFFLE */
    VEC_PSHUFD,
    VEC_PSHUFLW,
    VEC_PSHUFHW,
    VEC_SHUFP,
    VEC_PERMIL,
    VEC_PERMQ,
    VEC_PERM,
    VEC_PERM2X128,
    VEC_SHUF128,
    VEC_ALIGNR,
    VEC_VALIGN,
    VEC_DUP_LOW,
    VEC_DUP_HIGH,
    VEC_INSERTPS,       /* INSERT */
    VEC_BLENDV,         /* BLEND: by sign bits */
    VEC_BLENDM,         /* by the mask */
    VEC_TESTP,          /* TEST: of sign bits */
    VEC_EXPLICIT_INDEX, /* STRING: lengths in registers or implicit */
    VEC_EXPLICIT_MASK,
    VEC_IMPLICIT_INDEX,
    VEC_IMPLICIT_MASK,
    VEC_AESENC, /* CIPHER */
    VEC_AESENCLAST,
    VEC_AESDEC,
    VEC_AESDECLAST,
    VEC_AESIMC,
    VEC_AESKEYGEN,
    VEC_CLMUL,
    VEC_GFMUL,
    VEC_GFAFFINE,
    VEC_GFINVERSE,
    VEC_SHA1NEXTE,
    VEC_SHA1MSG1,
    VEC_SHA1MSG2,
    VEC_SHA1RNDS4,
    VEC_SHA256MSG1,
    VEC_SHA256MSG2,
    VEC_SHA256RNDS2,
    VEC_KEEPS, /* from here on with EVEX too the destination is the first of what is read */
    VEC_TERNARY = VEC_KEEPS, /* LANES */
    VEC_MADD52L,
    VEC_MADD52H,
    VEC_SHLDV,
    VEC_SHRDV,
    VEC_PERMI2, /* SHUFFLE */
    VEC_PERMT2,
    VEC_DPBUSD, /* PAIRS */
    VEC_DPBUSDS,
    VEC_DPWSSD,
    VEC_DPWSSDS
};

#define VEC_NO_MEMORY 7u

/* An instruction's operands, and what its mask says. Their values lie in the record's `vec`. */
struct vec_run {
    struct x86_run *e;
    struct svmc_exec_vec_op *op;  /* a, b, c: what it reads, in order */
    struct svmc_operand *operand; /* in Intel order */
    uint64_t mask;                /* EVEX: of the lanes, else all ones */
    uint64_t active;              /* of memory, the bytes that are touched */
    struct exec_span span;        /* of memory, from the first of these on */
    uint8_t memory;               /* which operand; VEC_NO_MEMORY */
    uint8_t encoding;             /* enum x86_encoding */
    uint8_t bytes;                /* of the result, before it becomes a mask */
    uint8_t source_bytes;         /* of a */
    uint8_t lanes;                /* of the result */
    uint8_t skipped;              /* bytes of memory before the span */
    bool masked;                  /* there is a mask */
    bool applies, merging;        /* to the result, too, which is zero else, or as it was */
    bool keeps;                   /* with EVEX: the destination is read first */
    bool has_imm;
};

static inline uint64_t vec_low_bits(unsigned n)
{
    return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

static inline uint64_t vec_get(const uint8_t *v, unsigned i, unsigned element)
{
    switch (element) {
    case ELEMENT_B:
        return v[i];
    case ELEMENT_W:
        return core_load_le16(v + 2 * i);
    case ELEMENT_D:
        return core_load_le32(v + 4 * i);
    default:
        return core_load_le64(v + 8 * i);
    }
}

static inline int64_t vec_get_signed(const uint8_t *v, unsigned i, unsigned element)
{
    return core_sign_extend(vec_get(v, i, element), 8u << element);
}

static inline void vec_set(uint8_t *v, unsigned i, unsigned element, uint64_t value)
{
    switch (element) {
    case ELEMENT_B:
        v[i] = (uint8_t)value;
        return;
    case ELEMENT_W:
        core_store_le16(v + 2 * i, (uint16_t)value);
        return;
    case ELEMENT_D:
        core_store_le32(v + 4 * i, (uint32_t)value);
        return;
    default:
        core_store_le64(v + 8 * i, value);
        return;
    }
}

/* The nearest number of `bits` bits. */
static inline uint64_t vec_saturate(int64_t value, unsigned bits, bool is_signed)
{
    int64_t low = is_signed ? -((int64_t)1 << (bits - 1)) : 0;
    int64_t high = low + (int64_t)vec_low_bits(bits);

    return (uint64_t)(value < low ? low : value > high ? high : value);
}

static inline unsigned vec_imm(const struct vec_run *v)
{
    return (unsigned)v->e->insn->imm & 0xff;
}

/*
 * The way of a vector instruction, in this order; false: stop. open: whether it may run at all
 * (XE-25), its operands and its mask. reach: its operand in memory. read: everything that it reads,
 * to op->a, b, c. finish: op->out to where it belongs, by the mask.
 */
bool svmc_exec_x86_vec_open(struct vec_run *v, struct x86_run *e);
bool svmc_exec_x86_vec_reach(struct vec_run *v);
bool svmc_exec_x86_vec_read(struct vec_run *v);
bool svmc_exec_x86_vec_finish(struct vec_run *v);
/* Parts of it. to: 64 bytes. */
bool svmc_exec_x86_vec_load(struct vec_run *v, uint8_t *to);
bool svmc_exec_x86_vec_store(struct vec_run *v);
bool svmc_exec_x86_vec_get(struct vec_run *v, const struct svmc_operand *o, uint8_t *to);
bool svmc_exec_x86_vec_put(struct vec_run *v, const struct svmc_operand *o, const uint8_t *from);

/* Shapes with a way of their own. */
bool svmc_exec_x86_vec_gather(struct vec_run *v);
bool svmc_exec_x86_vec_masked(struct vec_run *v);
bool svmc_exec_x86_vec_string(struct vec_run *v);
bool svmc_exec_x86_vec_test(struct vec_run *v);

/* op->out, which is zero, from op->a, b, c. */
void svmc_exec_x86_vec_lanes(const struct vec_run *v);
void svmc_exec_x86_vec_shift(const struct vec_run *v);
void svmc_exec_x86_vec_pairs(const struct vec_run *v);
void svmc_exec_x86_vec_pack(const struct vec_run *v);
void svmc_exec_x86_vec_widen(const struct vec_run *v);
void svmc_exec_x86_vec_narrow(const struct vec_run *v);
void svmc_exec_x86_vec_unpack(const struct vec_run *v);
void svmc_exec_x86_vec_shuffle(const struct vec_run *v);
void svmc_exec_x86_vec_blend(const struct vec_run *v);
void svmc_exec_x86_vec_insert(const struct vec_run *v);
void svmc_exec_x86_vec_expand(const struct vec_run *v);
void svmc_exec_x86_vec_cipher(const struct vec_run *v);

#endif
