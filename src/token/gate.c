/* SPDX-License-Identifier: MIT */
/** Pages of stubs: one is live, the others are decoys of the same form. docs/spec/token_page.md. */
#include <svmcore/guest/hypercall.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "page_private.h"

/* enum svmc_isa, which belongs to the decoders. */
#define X86_64 3u
#define A64    4u
#define RV64   8u
#define S390X  9u

#define PIECE_MAX 8u

/* Bytes that load a tag. */
#define X86_BYTES 30u /* half of one */
#define A64_BYTES 32u
#define RV_BYTES  42u /* half of one */

struct piece {
    uint8_t bytes, code[PIECE_MAX];
};

/* A stub: where a branch may land, the tag (GATE), the trap, its registers wiped (GATE), return. */
struct row {
    uint8_t isa, way;
    uint8_t load_bytes; /* 0: the processor has SITEs alone */
    uint8_t first;      /* offset of the first stub: TP-7 */
    uint8_t fill[2];    /* before it and behind the last: what does not run on */
    struct piece land, trap, wipe, back;
};

/* clang-format off */
/* SDM vol. 2: ENDBR64; XOR r13d, r14d, ecx; RET; INT3 */
#define X86_REST(...)                                                                           \
    2 * X86_BYTES, 16, { 0xcc, 0xcc }, { 4, { 0xf3, 0x0f, 0x1e, 0xfa } }, __VA_ARGS__,          \
    { 8, { 0x45, 0x31, 0xed, 0x45, 0x31, 0xf6, 0x31, 0xc9 } }, { 1, { 0xc3 } }
/* Arm ARM C6.2: BTI c; MOVZ x9, x10, #0; RET; UDF */
#define A64_REST(...)                                                                           \
    A64_BYTES, 0, { 0, 0 }, { 4, { 0x5f, 0x24, 0x03, 0xd5 } }, __VA_ARGS__,                     \
    { 8, { 0x09, 0x00, 0x80, 0xd2, 0x0a, 0x00, 0x80, 0xd2 } }, { 4, { 0xc0, 0x03, 0x5f, 0xd6 } }
/* unprivileged: LPAD 0; C.LI t5, t6, 0; C.JR ra, C.EBREAK; all zeros are illegal */
#define RV_REST(...)                                                                            \
    2 * RV_BYTES, 0, { 0, 0 }, { 4, { 0x17, 0x00, 0x00, 0x00 } }, __VA_ARGS__,                  \
    { 4, { 0x01, 0x4f, 0x81, 0x4f } }, { 4, { 0x82, 0x80, 0x02, 0x90 } }
/* PoP: BR 14 */
#define S390_REST(...)                                                                          \
    0, 0, { 0x07, 0xfe }, { 0, { 0 } }, __VA_ARGS__, { 0, { 0 } }, { 2, { 0x07, 0xfe } }

/* TP-5: traps as in docs/spec/hypercall.md, HC-10: OUT, VMCALL, VMMCALL; MRS xzr, mdccsr_el0, HVC
   #0x87; CSRR zero, hgeip, ECALL; opcode 0, DIAG 2, 4, 0x15c */
static const struct row rows[] = {
    { X86_64, SVMC_WAY_PORT,    X86_REST({ 1, { 0xef } }) },
    { X86_64, SVMC_WAY_VMCALL,  X86_REST({ 3, { 0x0f, 0x01, 0xc1 } }) },
    { X86_64, SVMC_WAY_VMMCALL, X86_REST({ 3, { 0x0f, 0x01, 0xd9 } }) },
    { A64,    SVMC_WAY_TRAP,    A64_REST({ 4, { 0x1f, 0x01, 0x33, 0xd5 } }) },
    { A64,    SVMC_WAY_CALL,    A64_REST({ 4, { 0xe2, 0x10, 0x00, 0xd4 } }) },
    { RV64,   SVMC_WAY_TRAP,    RV_REST({ 4, { 0x73, 0x20, 0x20, 0xe1 } }) },
    { RV64,   SVMC_WAY_CALL,    RV_REST({ 4, { 0x73, 0x00, 0x00, 0x00 } }) },
    { S390X,  SVMC_WAY_TRAP,    S390_REST({ 2, { 0x00, 0x00 } }) },
    { S390X,  SVMC_WAY_CALL,    S390_REST({ 4, { 0x83, 0x24, 0x01, 0x5c } }) },
};
/* clang-format on */

/*
 * TP-7: half a tag as two numbers, each byte of which is 40 to 4f and so a REX prefix to whoever
 * starts in the middle of them: low ^ high << 4. SDM vol. 2, MOV, SHL, XOR; 2.2.1: of several REX
 * prefixes the last counts. An instruction has 15 bytes at most: one that begins on the page before
 * has none of a stub.
 */
#define REX      0x40u
#define X86_LOW  2u
#define X86_MOV  12u
#define X86_HIGH 15u
#define X86_XOR  29u
static const uint8_t x86_load[X86_BYTES] = {
    0x48, 0xb9, 0,    0,    0, 0, 0, 0, 0, 0, /* mov rcx, low */
    0x49, 0x89, 0xcd,                         /* mov r13, rcx; ce: r14 */
    0x48, 0xb9, 0,    0,    0, 0, 0, 0, 0, 0, /* mov rcx, high */
    0x48, 0xc1, 0xe1, 0x04,                   /* shl rcx, 4 */
    0x49, 0x31, 0xcd,                         /* xor r13, rcx; ce: r14 */
};

static void load_x86(uint8_t *at, const uint8_t *tag)
{
    for (uint32_t half = 0; half < 2; half++, at += X86_BYTES, tag += 8) {
        memcpy(at, x86_load, X86_BYTES);
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t above = i > 0 ? REX >> 4 : 0; /* what the byte below leaves of its own REX */

            at[X86_LOW + i] = (uint8_t)(REX | ((tag[i] & 0xfu) ^ above));
            at[X86_HIGH + i] = (uint8_t)(REX | (tag[i] >> 4 ^ REX >> 4));
        }
        at[X86_MOV] = (uint8_t)(at[X86_MOV] + half);
        at[X86_XOR] = (uint8_t)(at[X86_XOR] + half);
    }
}

/* TP-8: Arm ARM C6.2, MOVZ and MOVK of 64 bits: imm16 in 20:5, its place in 22:21. x9, x10. */
static void load_a64(uint8_t *at, const uint8_t *tag)
{
    for (uint32_t i = 0; i < 8; i++)
        core_store_le32(at + 4 * i, (i % 4 == 0 ? 0xd2800000u : 0xf2800000u) | i % 4 << 21 |
                                        (uint32_t)core_load_le16(tag + 2 * i) << 5 | (9 + i / 4));
}

/*
 * TP-9: 16-bit instructions alone, so that there is no middle to start in: the number in digits of
 * base 64, -32 to 31, the first by C.LI, each further one by C.SLLI 6 and C.ADDI. RISC-V
 * unprivileged, "C" extension: CI format, immediate in 12 and 6:2, rd in 11:7. t5, t6.
 */
static uint16_t rv_word(uint32_t opcode, uint32_t rd, uint32_t imm)
{
    return (uint16_t)(opcode | (imm >> 5 & 1) << 12 | rd << 7 | (imm & 31) << 2);
}

static void load_rv(uint8_t *at, const uint8_t *tag)
{
    for (uint32_t rd = 30; rd < 32; rd++, at += RV_BYTES, tag += 8) {
        uint64_t left = core_load_le64(tag);

        for (uint32_t i = 10; i > 0; i--) {
            uint32_t digit = (uint32_t)left & 63;

            left = (left >> 6) + (digit >> 5); /* a digit from 32 on is 64 less */
            core_store_le16(at + 4 * i - 2, rv_word(0x0002, rd, 6)); /* c.slli */
            core_store_le16(at + 4 * i, rv_word(0x0001, rd, digit)); /* c.addi */
        }
        core_store_le16(at, rv_word(0x4001, rd, (uint32_t)left)); /* c.li */
    }
}

static uint8_t *put(uint8_t *at, const struct piece *piece)
{
    for (uint32_t i = 0; i < PIECE_MAX; i++)
        if (i < piece->bytes)
            *at++ = piece->code[i];
    return at;
}

static uint8_t *fill(const struct row *row, uint8_t *at, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        *at++ = row->fill[i & 1];
    return at;
}

/* TP-10: between the first byte of a tag and the return stand the trap and the wipe alone. */
static void put_stub(const struct row *row, uint8_t *at, const uint8_t *tag)
{
    at = put(at, &row->land);
    if (tag) {
        if (row->isa == X86_64)
            load_x86(at, tag);
        else if (row->isa == A64)
            load_a64(at, tag);
        else
            load_rv(at, tag);
        at += row->load_bytes;
    }
    at = put(at, &row->trap);
    if (tag)
        at = put(at, &row->wipe);
    (void)put(at, &row->back);
}

static const struct row *find(uint32_t kind, uint8_t isa, uint8_t way)
{
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].isa == isa && rows[i].way == way &&
            (kind == SVMC_TOKEN_PAGE_SITE || rows[i].load_bytes != 0))
            return &rows[i];
    return NULL;
}

static void lay_out(const struct row *row, uint8_t kind, uint64_t frame, uint32_t slot,
                    struct svmc_token_gate *out)
{
    bool tagged = kind == SVMC_TOKEN_PAGE_GATE;

    memset(out, 0, sizeof *out);
    out->frame = frame;
    out->kind = kind;
    out->isa = row->isa;
    out->way = row->way;
    out->slot = slot;
    out->first = row->first;
    out->trap_at = row->land.bytes + (tagged ? row->load_bytes : 0u);
    out->stub_bytes =
        out->trap_at + row->trap.bytes + (tagged ? row->wipe.bytes : 0u) + row->back.bytes;
    out->stubs = (SVMC_TOKEN_PAGE_BYTES - out->first) / out->stub_bytes;
    out->entry = out->first + slot * out->stub_bytes;
    out->trap = out->entry + out->trap_at;
}

/* The row of a gate that svmc_token_gate_place could have made; NULL: it is none. */
static const struct row *row_of(const struct svmc_token_gate *gate)
{
    struct svmc_token_gate same;
    const struct row *row;

    if (!gate || (gate->kind != SVMC_TOKEN_PAGE_GATE && gate->kind != SVMC_TOKEN_PAGE_SITE) ||
        gate->frame % SVMC_TOKEN_PAGE_BYTES != 0)
        return NULL;
    row = find(gate->kind, gate->isa, gate->way);
    if (!row)
        return NULL;
    lay_out(row, gate->kind, gate->frame, gate->slot, &same);
    return same.slot < same.stubs && memcmp(&same, gate, sizeof same) == 0 ? row : NULL;
}

enum svmc_status svmc_token_gate_place(const struct svmc_crypto_ops *crypto,
                                       enum svmc_token_page_kind kind, uint8_t isa, uint8_t way,
                                       uint64_t frame, struct svmc_token_gate *out)
{
    struct svmc_token_gate gate;
    const struct row *row;
    enum svmc_status st;
    uint32_t slot;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if ((kind != SVMC_TOKEN_PAGE_GATE && kind != SVMC_TOKEN_PAGE_SITE) ||
        frame % SVMC_TOKEN_PAGE_BYTES != 0)
        return SVMC_ERR_ARG;
    row = find(kind, isa, way);
    if (!row)
        return SVMC_ERR_UNSUPPORTED;
    lay_out(row, (uint8_t)kind, frame, 0, &gate);
    st = svmc_token_draw(crypto, gate.stubs, &slot); /* TP-6 */
    if (st == SVMC_OK)
        lay_out(row, (uint8_t)kind, frame, slot, out);
    return st;
}

enum svmc_status svmc_token_gate_fill(const struct svmc_crypto_ops *crypto,
                                      const struct svmc_token_gate *gate, const uint8_t *tag,
                                      uint8_t page[SVMC_TOKEN_PAGE_BYTES])
{
    const struct row *row = row_of(gate);
    uint64_t own[SVMC_TOKEN_TAG_BYTES / 8];
    uint8_t *at = page;
    enum svmc_status st;

    if (!page)
        return SVMC_ERR_ARG;
    memset(page, 0, SVMC_TOKEN_PAGE_BYTES);
    if (!row || (tag != NULL) != (gate->kind == SVMC_TOKEN_PAGE_GATE))
        return SVMC_ERR_ARG;
    if (tag && (st = svmc_token_randomize(crypto, page)) != SVMC_OK)
        return st;
    at = fill(row, at, gate->first);
    for (uint32_t n = 0; n < gate->stubs; n++, at += gate->stub_bytes) {
        if (tag) /* a decoy's is what was drawn into its place */
            memcpy(own, n == gate->slot ? tag : at, sizeof own);
        put_stub(row, at, tag ? (const uint8_t *)own : NULL);
    }
    (void)fill(row, at, (uint32_t)(page + SVMC_TOKEN_PAGE_BYTES - at));
    core_wipe(own, sizeof own);
    return SVMC_OK;
}

uint32_t svmc_token_gate_find(const struct svmc_token_gate *gate, uint32_t offset)
{
    uint32_t slot;

    if (!row_of(gate))
        return SVMC_TOKEN_PAGE_NONE;
    offset -= gate->first + gate->trap_at; /* one below is beyond the last then */
    slot = offset / gate->stub_bytes;
    return slot < gate->stubs && offset % gate->stub_bytes == 0 ? slot : SVMC_TOKEN_PAGE_NONE;
}
