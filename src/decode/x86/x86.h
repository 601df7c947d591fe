/* SPDX-License-Identifier: MIT */
/** x86: one instruction on its way from bytes to struct svmc_insn. Rules: docs/spec/decode.md. */
#ifndef DECODE_X86_H
#define DECODE_X86_H
#include <stdbool.h>
#include <svmcore/insn.h>
#include "../../core/bytes.h"

#pragma GCC visibility push(hidden) /* else position-independent code asks a GOT for the tables */
#include "x86_tables.h"
#pragma GCC visibility pop

/*
 * What prefixes and REX say (x86_state.prefixes); VEX, XOP and EVEX use the bits of REX too. OSIZE
 * and W are a column of svmc_x86_sizes (DE-5), R, X and B stand where a shift or none gives bit 3.
 */
#define PREFIX_OSIZE   0x1u
#define PREFIX_W       0x2u
#define PREFIX_ASIZE   0x4u
#define PREFIX_R       0x8u
#define PREFIX_X       0x10u
#define PREFIX_B       0x20u
#define PREFIX_R4      0x40u /* EVEX: bit 4 of reg */
#define PREFIX_V4      0x80u /* EVEX: bit 4 of vvvv, or of a vector index */
#define PREFIX_LOCK    0x100u
#define PREFIX_REP     0x200u
#define PREFIX_REPNE   0x400u
#define PREFIX_SEGMENT 0x3800u /* enum svmc_segment + 1; 0: none */
#define PREFIX_NULL    0x4000u /* ES, CS, SS, DS: no effect in 64-bit mode */
#define PREFIX_REX     0x8000u /* a REX byte: SPL, BPL, SIL, DIL instead of AH, CH, DH, BH */
#define PREFIX_REX_ALL (PREFIX_W | PREFIX_R | PREFIX_X | PREFIX_B | PREFIX_REX)

/* What an entry of a map is, by its upper four bits: below 8 a leaf (tools/gen-x86). */
#define ENTRY_ESCAPE  0xau
#define ENTRY_PREFIX  0xbu
#define ENTRY_REQUIRE 0xcu /* and above; 8: a node */

enum x86_encoding { X86_LEGACY = 0, X86_3DNOW = 1, X86_VEX = 2, X86_XOP = 3, X86_EVEX = 4 };

/* What VEX, XOP or EVEX say (x86_state.vector); 0: none of them. */
#define VECTOR_ENCODING(v)  ((v)&7u)         /* enum x86_encoding */
#define VECTOR_PP(v)        ((v) >> 3 & 3u)  /* none, 66, F3, F2 */
#define VECTOR_LENGTH(v)    ((v) >> 5 & 3u)  /* 128, 256, 512 bits, reserved */
#define VECTOR_VVVV(v)      ((v) >> 7 & 31u) /* as a register number */
#define VECTOR_MASK(v)      ((v) >> 12 & 7u)
#define VECTOR_ZEROING(v)   ((v) >> 15 & 1u)
#define VECTOR_BROADCAST(v) ((v) >> 16 & 1u) /* EVEX.b: rounding, too */
#define VECTOR_ROUNDING(v)  ((v) >> 17 & 3u) /* EVEX.L'L as it stood */

/* DE-15 */
enum x86_mode { X86_MODE_16 = 0, X86_MODE_32 = 1, X86_MODE_64 = 2, X86_MODE_64_INTEL = 3 };

struct x86_state {
    uint64_t rest;     /* eight bytes from ModRM on; behind the last one there is: 0 */
    uint32_t prefixes; /* PREFIX_ bits */
    uint32_t vector;   /* see above */
    uint32_t entry;    /* of the map, then the leaf */
    uint32_t at;       /* bytes before rest */
    uint32_t opcode;   /* its byte, and the one behind it << 8 */
    uint32_t mode;     /* enum x86_mode */
    uint32_t vendor;   /* enum svmc_vendor */
};

/* DE-16 */
static inline bool svmc_x86_has(const struct svmc_cpu *cpu, unsigned feature)
{
    /* clamp: one bit */
    return (cpu->features[feature >> 6 & 1] >> (feature & 63) & 1) != 0;
}

/* The address size is 16 bits: ModRM is that of SDM vol. 2 table 2-1. */
static inline bool x86_has_16_bit_address(const struct x86_state *s)
{
    return s->mode == ((s->prefixes & PREFIX_ASIZE) ? X86_MODE_32 : X86_MODE_16);
}

/* Register numbers, as far as the encoding carries them; modrm: bits 7:0 count. */
static inline unsigned x86_reg_of(uint32_t modrm, uint32_t prefixes)
{
    return (modrm >> 3 & 7) | (prefixes & PREFIX_R) | (prefixes & PREFIX_R4) >> 2;
}

static inline unsigned x86_rm_of(uint32_t modrm, uint32_t prefixes, uint32_t vector)
{
    unsigned rm = (modrm & 7) | (prefixes & PREFIX_B) >> 2;

    return VECTOR_ENCODING(vector) == X86_EVEX ? rm | (prefixes & PREFIX_X) : rm;
}

static inline unsigned x86_vvvv_of(uint32_t vector, bool is_64)
{
    return VECTOR_VVVV(vector) & (is_64 ? 31 : 7);
}

static inline unsigned x86_is4_of(uint64_t imm, bool is_64)
{
    return (unsigned)imm >> 4 & (is_64 ? 15 : 7);
}

/* An access that may not happen: READ_IF beside READ, WRITE_IF beside WRITE. */
static inline uint8_t x86_conditional(unsigned access)
{
    return (uint8_t)(access | (access & SVMC_ACCESS_RW) << 2);
}

/*
 * DE-18: what an EVEX mask, k1 to k7, leaves of an access of memory: its elements are neither
 * written nor read (SDM vol. 1 15.6.4), but where no fault of a load is suppressed (vol. 2 2.8).
 */
static inline uint8_t x86_masked_access(unsigned mask, unsigned checks, unsigned access)
{
    if (mask == 0 || ((checks & X86_CHECK_NF) && !(access & SVMC_ACCESS_WRITE)))
        return (uint8_t)access;
    return x86_conditional(access);
}

/** Anything behind an escape byte but 0F alone: finds the entry of the opcode, and skips that. */
void svmc_x86_escape(const struct svmc_cpu *cpu, struct x86_state *s, const uint8_t *bytes,
                     size_t count);

/** From a node of a legacy map to a leaf. */
uint32_t svmc_x86_walk(const struct svmc_cpu *cpu, uint32_t entry, uint64_t rest, uint32_t prefixes,
                       uint32_t mode_vendor);

/**
 * What svmc_x86_decode leaves undone: vector encodings, 3DNow!, files without 16 registers,
 * features, LOCK. at: the bytes before ModRM.
 */
enum svmc_status svmc_x86_finish(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 size_t at, struct svmc_insn *out);

/** A refusal counts only if the `needed` bytes that decide it are there (DE-13), else they miss. */
enum svmc_status svmc_x86_refuse(unsigned reason, unsigned needed, size_t count,
                                 struct svmc_insn *out);

/** AD-6: bytes of a lane of the vector index, 4 or 8; 0: none. */
unsigned svmc_x86_lane_bytes(const struct svmc_insn *insn);

/** svmc_insn_operands for an x86 instruction; out is all NONE. */
enum svmc_status svmc_x86_operands(const struct svmc_insn *insn, struct svmc_operand *out,
                                   uint32_t *count);

/** bytes[0..count) -> *out: every byte of it written, or refusal alone after an error. */
enum svmc_status svmc_x86_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 struct svmc_insn *out);

/* bytes[at..at + 8) near the end: those from count on read as 0 (DE-1). */
uint64_t svmc_x86_fetch_end(const uint8_t *bytes, size_t count, size_t at);

/* The same anywhere. */
static inline uint64_t x86_fetch(const uint8_t *bytes, size_t count, size_t at)
{
    return __builtin_expect(at + 8 <= count, 1) ? core_load_le64(bytes + at)
                                                : svmc_x86_fetch_end(bytes, count, at);
}

#endif
