/* SPDX-License-Identifier: MIT */
/* Rows of bytes and what they decode to, for the tests of src/decode. */
#ifndef DECODE_ROWS_H
#define DECODE_ROWS_H
#include "../harness.h"
#include <svmcore/insn.h>

#define AMD   SVMC_VENDOR_AMD
#define INTEL SVMC_VENDOR_INTEL
#define NONE  0xff /* SVMC_REG_NONE, SVMC_SEG_NONE */

/* Operands, spelled as in struct svmc_operand. */
#define REG(a, n, r)                                                                   \
    {                                                                                  \
        .kind = SVMC_OPERAND_REG, .access = SVMC_ACCESS_##a, .bytes = (n), .reg = (r), \
        .segment = NONE, .base = NONE, .index = NONE                                   \
    }
#define HIGH(a, r)                                                                              \
    {                                                                                           \
        .kind = SVMC_OPERAND_REG, .access = SVMC_ACCESS_##a, .bytes = 1, .reg = (r), .high = 1, \
        .segment = NONE, .base = NONE, .index = NONE                                            \
    }
#define IMM(n, v)                                                                        \
    {                                                                                    \
        .kind = SVMC_OPERAND_IMM, .access = SVMC_ACCESS_READ, .bytes = (n), .reg = NONE, \
        .segment = NONE, .base = NONE, .index = NONE, .imm = (v)                         \
    }
#define MEM(a, n, seg, b, i, s, d)                                                      \
    {                                                                                   \
        .kind = SVMC_OPERAND_MEM, .access = SVMC_ACCESS_##a, .bytes = (n), .reg = NONE, \
        .segment = (seg), .base = (b), .index = (i), .scale = (s), .disp = (d)          \
    }
#define UNUSED                                                    \
    {                                                             \
        .reg = NONE, .segment = NONE, .base = NONE, .index = NONE \
    }

struct decode_row {
    char name[48];
    uint8_t vendor, count, bytes[16];
    struct svmc_insn want; /* length 0: taken from count; unused operands are filled in */
};

/* As svmc_insn_decode in 64-bit mode, on a copy that ends where the bytes end. */
static inline enum svmc_status decode64(unsigned vendor, const uint8_t *bytes, size_t count,
                                        struct svmc_insn *out)
{
    struct svmc_cpu cpu = { SVMC_ISA_X86_64, (uint8_t)vendor, 0, 0 };

    memset(out, 0xee, sizeof *out);
    return svmc_insn_decode(&cpu, bytes, count, out);
}

static inline bool is_zero(const struct svmc_insn *insn)
{
    static const struct svmc_insn zero;

    return memcmp(insn, &zero, sizeof zero) == 0;
}

static inline void check_operand(const struct svmc_operand *got, const struct svmc_operand *want,
                                 const char *name, unsigned i)
{
    CHECK_EQ(got->kind, want->kind, "%s, operand %u", name, i);
    CHECK_EQ(got->access, want->access, "%s, operand %u", name, i);
    CHECK_EQ(got->bytes, want->bytes, "%s, operand %u", name, i);
    CHECK_EQ(got->reg, want->reg, "%s, operand %u", name, i);
    CHECK_EQ(got->high, want->high, "%s, operand %u", name, i);
    CHECK_EQ(got->segment, want->segment, "%s, operand %u", name, i);
    CHECK_EQ(got->base, want->base, "%s, operand %u", name, i);
    CHECK_EQ(got->index, want->index, "%s, operand %u", name, i);
    CHECK_EQ(got->scale, want->scale, "%s, operand %u", name, i);
    CHECK_EQ(got->disp, want->disp, "%s, operand %u", name, i);
    CHECK_EQ(got->imm, want->imm, "%s, operand %u", name, i);
    CHECK_MEM(got, want, sizeof *got, "%s, operand %u", name, i);
}

static inline void check_row(const struct decode_row *row)
{
    static const struct svmc_operand unused = UNUSED;
    struct svmc_insn got, want = row->want;

    want.isa = SVMC_ISA_X86_64;
    if (want.length == 0)
        want.length = row->count;
    for (unsigned i = want.operand_count; i < SVMC_OPERANDS_MAX; i++)
        want.operands[i] = unused;
    CHECK_EQ(decode64(row->vendor, row->bytes, row->count, &got), SVMC_OK, "%s", row->name);
    CHECK_EQ(got.id, want.id, "%s", row->name);
    CHECK_EQ(got.length, want.length, "%s", row->name);
    CHECK_EQ(got.insn_class, want.insn_class, "%s", row->name);
    CHECK_EQ(got.operand_bytes, want.operand_bytes, "%s", row->name);
    CHECK_EQ(got.address_bytes, want.address_bytes, "%s", row->name);
    CHECK_EQ(got.repeat, want.repeat, "%s", row->name);
    CHECK_EQ(got.extend, want.extend, "%s", row->name);
    CHECK_EQ(got.operand_count, want.operand_count, "%s", row->name);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        check_operand(&got.operands[i], &want.operands[i], row->name, i);
    CHECK_MEM(&got, &want, sizeof got, "%s", row->name);
}

#define CHECK_ROWS(rows)                                                    \
    do {                                                                    \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof *(rows); row_++) \
            check_row(&(rows)[row_]);                                       \
    } while (0)

/* Bytes and the status they must give. */
struct status_row {
    char name[56];
    uint8_t vendor, count, bytes[18];
    enum svmc_status want;
};

static inline void check_status(const struct status_row *row)
{
    struct svmc_insn got;

    CHECK_EQ(decode64(row->vendor, row->bytes, row->count, &got), row->want, "%s", row->name);
    if (row->want != SVMC_OK)
        CHECK(is_zero(&got), "%s: *out is zero after an error", row->name);
    else
        CHECK(got.length > 0, "%s", row->name);
}

#define CHECK_STATUSES(rows)                                                \
    do {                                                                    \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof *(rows); row_++) \
            check_status(&(rows)[row_]);                                    \
    } while (0)

#endif
