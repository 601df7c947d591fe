/* SPDX-License-Identifier: MIT */
/* Rows of bytes and what they decode to, for the tests of src/decode. */
#ifndef DECODE_ROWS_H
#define DECODE_ROWS_H
#include "../harness.h"
#include <svmcore/insn.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what a row leaves out is 0 */

#define AMD   SVMC_VENDOR_AMD
#define INTEL SVMC_VENDOR_INTEL
#define NONE  0xff /* SVMC_REG_NONE, SVMC_SEG_NONE */

/* Operands, spelled as in struct svmc_operand. */
#define REG_OF(file, a, n, r)                                                                      \
    {                                                                                              \
        .kind = SVMC_OPERAND_REG, .access = SVMC_ACCESS_##a, .bytes = (n),                         \
        .reg_kind = SVMC_REG_KIND_##file, .reg = (r), .segment = NONE, .base = NONE, .index = NONE \
    }
#define REG(a, n, r) REG_OF(GPR, a, n, r)
#define HIGH(a, r)                                                                           \
    {                                                                                        \
        .kind = SVMC_OPERAND_REG, .access = SVMC_ACCESS_##a, .bytes = 1,                     \
        .reg_kind = SVMC_REG_KIND_GPR, .reg = (r), .high = 1, .segment = NONE, .base = NONE, \
        .index = NONE                                                                        \
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

/* What must come out: fields of struct svmc_insn, and the list of svmc_insn_operands. */
struct expected {
    uint16_t id, flags;
    uint8_t length; /* 0: as many as the row has */
    uint8_t insn_class, operand_bytes, address_bytes, privilege;
    uint8_t operand_count;
    struct svmc_operand operands[SVMC_OPERANDS_MAX]; /* unused ones are filled in */
};

struct decode_row {
    char name[48];
    uint8_t vendor, count, bytes[16];
    struct expected want;
    uint8_t isa; /* 0: 64-bit mode */
};

/* A processor with every feature. */
static inline struct svmc_cpu cpu_of(unsigned isa, unsigned vendor)
{
    return (struct svmc_cpu){ .isa = (uint8_t)isa,
                              .vendor = (uint8_t)vendor,
                              .features = { UINT64_MAX, UINT64_MAX } };
}

static inline struct svmc_cpu cpu_without(struct svmc_cpu cpu, unsigned feature)
{
    cpu.features[feature / 64] &= ~((uint64_t)1 << (feature % 64));
    return cpu;
}

static inline enum svmc_status decode_on(struct svmc_cpu cpu, const uint8_t *bytes, size_t count,
                                         struct svmc_insn *out)
{
    memset(out, 0xee, sizeof *out);
    return svmc_insn_decode(&cpu, bytes, count, out);
}

/* As svmc_insn_decode in 64-bit mode with every feature. */
static inline enum svmc_status decode64(unsigned vendor, const uint8_t *bytes, size_t count,
                                        struct svmc_insn *out)
{
    return decode_on(cpu_of(SVMC_ISA_X86_64, vendor), bytes, count, out);
}

/* All of it but the reason. */
static inline bool is_zero(const struct svmc_insn *insn)
{
    static const struct svmc_insn zero;
    struct svmc_insn rest = *insn;

    rest.refusal = 0;
    return memcmp(&rest, &zero, sizeof zero) == 0;
}

/* Operand i; one of kind NONE where there is none. */
static inline struct svmc_operand operand_at(const struct svmc_insn *insn, unsigned i)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX], none = UNUSED;
    uint32_t count = 0;

    if (!CHECK_EQ(svmc_insn_operands(insn, list, &count), SVMC_OK) || i >= count)
        return none;
    return list[i];
}

static inline void check_operand(const struct svmc_operand *got, const struct svmc_operand *want,
                                 const char *name, unsigned i)
{
    CHECK_EQ(got->kind, want->kind, "%s, operand %u", name, i);
    CHECK_EQ(got->access, want->access, "%s, operand %u", name, i);
    CHECK_EQ(got->bytes, want->bytes, "%s, operand %u", name, i);
    CHECK_EQ(got->reg_kind, want->reg_kind, "%s, operand %u", name, i);
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

static inline bool is_listed(const struct svmc_insn *got, const struct expected *want)
{
    for (unsigned i = 0; i < want->operand_count; i++)
        if (want->operands[i].kind == SVMC_OPERAND_REG &&
            want->operands[i].reg_kind == got->reg_kind && want->operands[i].reg == got->reg &&
            want->operands[i].bytes == got->reg_bytes)
            return true;
    return false;
}

/* DE-12: the fields about memory and register say what the list says. */
static inline void check_fields(const struct svmc_insn *got, const struct expected *want,
                                const char *name)
{
    const struct svmc_operand none = UNUSED, *memory = &none, *reg = &none;
    bool port = want->insn_class == SVMC_CLASS_PORT;

    for (unsigned i = want->operand_count; i-- > 0;)
        if (want->operands[i].kind == SVMC_OPERAND_MEM)
            memory = &want->operands[i];
        else if (want->operands[i].kind == SVMC_OPERAND_REG &&
                 !(port && want->operands[i].reg != SVMC_REG_RAX))
            reg = &want->operands[i];
    CHECK_EQ(got->access, memory->access, "%s", name);
    CHECK_EQ(got->mem_bytes, memory->bytes, "%s", name);
    CHECK_EQ(got->mem_count, memory != &none, "%s", name);
    CHECK_EQ(got->segment, memory->segment, "%s", name);
    CHECK_EQ(got->base, memory->base, "%s", name);
    CHECK_EQ(got->index, memory->index, "%s", name);
    CHECK_EQ(got->scale, memory->scale, "%s", name);
    if (memory != &none)
        CHECK_EQ(got->disp, memory->disp, "%s", name);
    if (memory != &none || port || reg == &none) {
        CHECK_EQ(got->reg_kind, reg->reg_kind, "%s", name);
        CHECK_EQ(got->reg, reg->reg, "%s", name);
        CHECK_EQ(got->reg_bytes, reg->bytes, "%s", name);
        CHECK_EQ((got->flags & SVMC_INSN_HIGH_REG) != 0, reg->high, "%s", name);
    } else {
        CHECK(is_listed(got, want), "%s: the register is one of the operands", name);
    }
    CHECK_EQ(got->reg2, NONE, "%s", name);
    CHECK_EQ(got->reg3, NONE, "%s", name);
    CHECK_EQ(got->reserved, 0, "%s", name);
}

static inline void check_row(const struct decode_row *row)
{
    static const struct svmc_operand unused = UNUSED;
    unsigned isa = row->isa ? row->isa : (unsigned)SVMC_ISA_X86_64;
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    struct expected want = row->want;
    struct svmc_insn got;
    uint32_t count = 0xee;

    for (unsigned i = want.operand_count; i < SVMC_OPERANDS_MAX; i++)
        want.operands[i] = unused;
    CHECK_EQ(decode_on(cpu_of(isa, row->vendor), row->bytes, row->count, &got), SVMC_OK, "%s",
             row->name);
    CHECK_EQ(got.id, want.id, "%s", row->name);
    CHECK_EQ(got.isa, isa, "%s", row->name);
    CHECK_EQ(got.length, want.length ? want.length : row->count, "%s", row->name);
    CHECK_EQ(got.insn_class, want.insn_class, "%s", row->name);
    CHECK_EQ(got.operand_bytes, want.operand_bytes, "%s", row->name);
    CHECK_EQ(got.address_bytes, want.address_bytes, "%s", row->name);
    CHECK_EQ(got.flags & ~(unsigned)SVMC_INSN_HIGH_REG, want.flags, "%s", row->name);
    CHECK_EQ(got.refusal, SVMC_REFUSAL_NONE, "%s", row->name);
    CHECK_EQ(svmc_insn_operands(&got, list, &count), SVMC_OK, "%s", row->name);
    CHECK_EQ(count, want.operand_count, "%s", row->name);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        check_operand(&list[i], &want.operands[i], row->name, i);
    check_fields(&got, &want, row->name);
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
    uint8_t refusal; /* UNDEFINED: enum svmc_refusal; 0: any */
    uint8_t isa;     /* 0: 64-bit mode */
};

static inline void check_status(const struct status_row *row)
{
    unsigned isa = row->isa ? row->isa : (unsigned)SVMC_ISA_X86_64;
    struct svmc_insn got;

    CHECK_EQ(decode_on(cpu_of(isa, row->vendor), row->bytes, row->count, &got), row->want, "%s",
             row->name);
    if (row->want != SVMC_OK)
        CHECK(is_zero(&got), "%s: *out is zero after an error", row->name);
    else
        CHECK(got.length > 0, "%s", row->name);
    CHECK_EQ(got.refusal != 0, row->want == SVMC_ERR_UNDEFINED || row->want == SVMC_ERR_UNSUPPORTED,
             "%s", row->name);
    if (row->refusal != 0)
        CHECK_EQ(got.refusal, row->refusal, "%s", row->name);
}

#define CHECK_STATUSES(rows)                                                \
    do {                                                                    \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof *(rows); row_++) \
            check_status(&(rows)[row_]);                                    \
    } while (0)

#endif
