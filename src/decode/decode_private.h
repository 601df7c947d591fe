/* SPDX-License-Identifier: MIT */
/** Inside src/decode: one instruction on its way from bytes to struct svmc_insn. */
#ifndef DECODE_PRIVATE_H
#define DECODE_PRIVATE_H
#include <stdbool.h>
#include <svmcore/insn.h>

/** What the bytes read so far have said. */
struct x86_state {
    const uint8_t *bytes;
    uint8_t at, limit; /* next byte to read; the first that must not be */
    bool full;         /* the caller has SVMC_INSN_MAX bytes: what is missing does not fit */
    uint8_t vendor;    /* enum svmc_vendor */
    bool osize, asize, lock;
    uint8_t rep;     /* 0xf2 or 0xf3: the last of the two; 0: none */
    uint8_t segment; /* SVMC_SEG_FS, SVMC_SEG_GS: the last of the two; else NONE */
    uint8_t rex;     /* the byte, 0x40..0x4f; 0: none in force */
    uint8_t modrm;
};

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

/** Whether n more bytes are there, else which error their lack is (DE-1). */
static inline enum svmc_status x86_need(const struct x86_state *s, unsigned n)
{
    if (n <= (unsigned)s->limit - s->at)
        return SVMC_OK;
    return s->full ? SVMC_ERR_TOO_LONG : SVMC_ERR_TRUNCATED;
}

/** bytes[0..count) in 64-bit mode -> *out: every byte of it written, or garbage after an error. */
enum svmc_status svmc_x86_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                 struct svmc_insn *out);

/** One operand of a row, read from what stands behind the opcode. code: X86_OPERAND. */
enum svmc_status svmc_x86_operand_read(struct x86_state *s, unsigned code, struct svmc_operand *op);

/** Bytes of a size of enum x86_size under the prefixes in force (DE-5). */
uint8_t svmc_x86_size_bytes(const struct x86_state *s, unsigned size);

/** The mnemonic of an id without a size suffix; NULL for a value that is none. */
const char *svmc_x86_mnemonic(unsigned id);

#endif
