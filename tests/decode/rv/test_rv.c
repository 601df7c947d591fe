/* SPDX-License-Identifier: MIT */
/* The rules of docs/spec/riscv.md: for each the case that holds and the nearest that does not. */
#include <svmcore/insn.h>

#include "harness.h"
#include "decode/rv/rv_tables.h"
#include "golden.h"

static enum svmc_status decode(unsigned xlen, uint32_t raw, size_t count, struct svmc_insn *out)
{
    struct svmc_cpu cpu = { .isa = xlen == 32 ? SVMC_ISA_RV32 : SVMC_ISA_RV64 };
    uint8_t bytes[4] = { (uint8_t)raw, (uint8_t)(raw >> 8), (uint8_t)(raw >> 16),
                         (uint8_t)(raw >> 24) };

    memset(out, 0xee, sizeof *out);
    return svmc_insn_decode(&cpu, bytes, count, out);
}

static size_t length_of(uint32_t raw)
{
    return (raw & 3) == 3 ? 4 : 2;
}

static unsigned number_of(int reg)
{
    return reg == NONE ? (unsigned)SVMC_REG_NONE : SVMC_REG_RV_X0 + (unsigned)reg;
}

static void check_golden(const struct golden *g, const struct svmc_insn *o)
{
    bool is_float = g->kind == SVMC_REG_KIND_VECTOR;

    CHECK_EQ(o->id, g->id, "%s", g->text);
    CHECK_EQ(o->isa, g->xlen == 32 ? SVMC_ISA_RV32 : SVMC_ISA_RV64, "%s", g->text);
    CHECK_EQ(o->length, length_of(g->raw), "%s", g->text);
    CHECK_EQ(o->insn_class, g->insn_class, "%s", g->text);
    CHECK_EQ(o->privilege, g->privilege, "%s", g->text);
    CHECK_EQ(o->flags, g->flags, "%s", g->text);
    CHECK_EQ(o->refusal, SVMC_REFUSAL_NONE, "%s", g->text);
    CHECK_EQ(o->operand_bytes, g->xlen / 8, "%s", g->text);
    CHECK_EQ(o->address_bytes, g->xlen / 8, "%s", g->text);
    CHECK_EQ(o->access, g->access, "%s", g->text);
    CHECK_EQ(o->segment, SVMC_SEG_NONE, "%s", g->text);
    CHECK_EQ(o->base, number_of(g->base), "%s", g->text);
    CHECK_EQ(o->index, SVMC_REG_NONE, "%s", g->text);
    CHECK_EQ(o->scale, 0, "%s", g->text);
    CHECK_EQ(o->mem_bytes, g->bytes, "%s", g->text);
    CHECK_EQ(o->mem_count, g->bytes != 0, "%s", g->text);
    CHECK_EQ(o->reg_kind, g->kind, "%s", g->text);
    CHECK_EQ(o->reg, is_float ? (unsigned)g->reg : number_of(g->reg), "%s", g->text);
    CHECK_EQ(o->reg_bytes, g->reg_bytes, "%s", g->text);
    CHECK_EQ(o->reg2, number_of(g->reg2), "%s", g->text);
    CHECK_EQ(o->reg3, number_of(g->reg3), "%s", g->text);
    CHECK_EQ(o->disp, g->disp, "%s", g->text);
    CHECK_EQ(o->imm, g->imm, "%s", g->text);
    CHECK_EQ(o->reserved, 0, "%s", g->text);
}

TEST(rv, golden_examples_of_every_layout) /* RV-4, RV-5, RV-6, RV-9 */
{
    bool seen[64] = { false };

    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *g = &goldens[i];
        struct svmc_insn got;

        if (!CHECK_EQ(decode(g->xlen, g->raw, length_of(g->raw), &got), SVMC_OK, "%s", g->text))
            continue;
        check_golden(g, &got);
        seen[got.priv_form] = true;
    }
    seen[RV_LAYOUT_CSRI] = true;   /* csr_forms */
    seen[RV_LAYOUT_CUSTOM] = true; /* custom_opcodes_are_unsupported */
    for (size_t i = 1; i < RV_ROWS; i++)
        CHECK(seen[rv_rows[i].layout], "layout %u has no example", rv_rows[i].layout);
}

static void check_drawn(const struct drawn *d, uint32_t bits, uint64_t want)
{
    struct svmc_insn got;

    CHECK_EQ(decode(d->xlen, d->raw | bits, length_of(d->raw), &got), SVMC_OK, "%s %" PRIx32,
             d->text, bits);
    CHECK_EQ((uint64_t)got.disp | got.imm, want, "%s %" PRIx32, d->text, bits);
}

TEST(rv, every_bit_of_every_immediate) /* RV-5 */
{
    for (size_t i = 0; i < sizeof drawn / sizeof drawn[0]; i++) {
        const struct drawn *d = &drawn[i];
        unsigned n = 0;

        for (int bit = 31; bit >= 0; bit--) {
            uint64_t want;

            if (!(d->field >> bit & 1))
                continue;
            want = (uint64_t)1 << (d->order[n] + d->of_upper);
            if (d->order[n++] == d->sign)
                want = 0 - want;
            check_drawn(d, (uint32_t)1 << bit, want);
            check_drawn(d, (uint32_t)1 << bit | d->others, want);
        }
    }
}

/* The bytes whose key this is: src/decode/rv/rv.dat. */
static uint32_t raw_of_key(uint32_t key)
{
    return (key & 2) ? key | 3 : key >> 16;
}

TEST(rv, every_row_is_reached) /* RV-2, RV-8 */
{
    uint64_t state = harness_seed();

    for (uint32_t r = 1; r < RV_ROWS; r++) {
        const struct words_row *row = &rv_rows[r];
        unsigned reached = 0;

        for (unsigned i = 0; i < 256; i++) {
            uint32_t key = row->match | ((uint32_t)harness_random(&state) & ~rv_masks[row->mask]);
            struct svmc_insn got;
            enum svmc_status st;

            if (!(key & 2))
                key &= 0xffff0001; /* as every key of two bytes is */
            st = decode(key & 1 ? 64 : 32, raw_of_key(key), length_of(raw_of_key(key)), &got);
            if (row->id == SVMC_RV_NONE)
                reached += st == SVMC_ERR_UNDEFINED && got.refusal != SVMC_REFUSAL_NO_OPCODE;
            else if (row->id == SVMC_RV_CUSTOM)
                reached += st == SVMC_ERR_UNSUPPORTED;
            else
                reached += st == SVMC_OK && got.id == row->id;
        }
        CHECK(reached > 0, "row %" PRIu32 " of id %u", r, row->id);
    }
}

TEST(rv, every_cut_is_truncated) /* RV-1 */
{
    struct svmc_insn got;

    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++)
        for (size_t n = 0; n < length_of(goldens[i].raw); n++) {
            CHECK_EQ(decode(goldens[i].xlen, goldens[i].raw, n, &got), SVMC_ERR_TRUNCATED, "%s %zu",
                     goldens[i].text, n);
            CHECK_EQ(got.length, 0, "%s", goldens[i].text);
        }
    CHECK_EQ(decode(64, 0x0000000b, 2, &got), SVMC_ERR_TRUNCATED, "custom-0, half of it");
    CHECK_EQ(decode(64, 0x00000063, 3, &got), SVMC_ERR_TRUNCATED);
}

TEST(rv, bytes_behind_do_not_matter) /* RV-1 */
{
    struct svmc_insn got;

    CHECK_EQ(decode(64, 0xffff0001, 4, &got), SVMC_OK, "c.nop");
    CHECK_EQ(got.length, 2);
    CHECK_EQ(got.id, SVMC_RV_C_NOP);
}

TEST(rv, longer_encodings_are_unsupported) /* RV-1 */
{
    static const uint32_t longer[] = { 0x1f, 0x5f, 0x3f, 0x7f, 0xffff };
    struct svmc_insn got;

    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        CHECK_EQ(decode(64, longer[i], 2, &got), SVMC_ERR_UNSUPPORTED, "0x%" PRIx32, longer[i]);
        CHECK_EQ(decode(64, longer[i], 1, &got), SVMC_ERR_TRUNCATED);
        CHECK_EQ(got.refusal, SVMC_REFUSAL_NONE);
    }
    CHECK_EQ(decode(64, 0x0f, 4, &got), SVMC_OK, "the nearest that is not: fence");
}

struct refused {
    char text[40];
    uint8_t xlen;
    uint32_t raw;
    enum svmc_status status;
    uint8_t refusal;
};

static void check_refused(const struct refused *row, size_t count)
{
    for (; count > 0; count--, row++) {
        struct svmc_insn got, zero = { 0 };

        CHECK_EQ(decode(row->xlen, row->raw, length_of(row->raw), &got), row->status, "%s",
                 row->text);
        CHECK_EQ(got.refusal, row->refusal, "%s", row->text);
        zero.refusal = row->refusal;
        CHECK_MEM(&got, &zero, sizeof got, "%s", row->text);
    }
}

#define REFUSED(rows) check_refused(rows, sizeof rows / sizeof rows[0])
#define UD(why)       SVMC_ERR_UNDEFINED, SVMC_REFUSAL_##why
#define CHECK_FINE(xlen, raw, want)                                                           \
    do {                                                                                      \
        struct svmc_insn got_;                                                                \
        CHECK_EQ(decode(xlen, raw, length_of(raw), &got_), SVMC_OK, "0x%x", (unsigned)(raw)); \
        CHECK_EQ(got_.id, SVMC_RV_##want, "0x%x", (unsigned)(raw));                           \
    } while (0)

TEST(rv, xlen_decides) /* RV-2 */
{
    static const struct refused rows[] = {
        { "ld", 32, 0x0085b503, UD(MODE) },
        { "lwu", 32, 0x0045e503, UD(MODE) },
        { "sd", 32, 0x7ff0bfa3, UD(MODE) },
        { "addiw", 32, 0x0000001b, UD(MODE) },
        { "addw", 32, 0x0000003b, UD(MODE) },
        { "lr.d", 32, 0x1005b52f, UD(MODE) },
        { "amocas.q", 32, 0x28c7452f, UD(MODE) },
        { "amocas.d of an odd pair", 32, 0x28c735af, UD(MODE) },
        { "amocas.q of an odd pair", 64, 0x28c745af, UD(NO_OPCODE) },
        { "hlv.wu", 32, 0x6815c573, UD(MODE) },
        { "hlv.d", 32, 0x6c05c573, UD(MODE) },
        { "slli by 32", 32, 0x02051513, UD(MODE) },
        { "rori by 32", 32, 0x62055513, UD(MODE) },
        { "rev8 of RV64", 32, 0x6b855513, UD(MODE) },
        { "rev8 of RV32", 64, 0x69855513, UD(MODE) },
        { "c.subw", 32, 0x9c05, UD(MODE) },
        { "c.zext.w", 32, 0x9c71, UD(MODE) },
        { "c.addiw to x0 is c.jal", 64, 0x2001, UD(MODE) },
        { "c.ldsp to x0 is c.flwsp", 64, 0x6002, UD(MODE) },
    };

    REFUSED(rows);
    CHECK_FINE(64, 0x02051513, SLLI);
    CHECK_FINE(32, 0x01f51513, SLLI);
    CHECK_FINE(32, 0x69855513, REV8);
    CHECK_FINE(64, 0x6b855513, REV8);
    CHECK_FINE(32, 0x2001, C_JAL);
    CHECK_FINE(64, 0x2085, C_ADDIW);
    CHECK_FINE(32, 0x6002, C_FLWSP);
    CHECK_FINE(32, 0x6000, C_FLW);
    CHECK_FINE(64, 0x6000, C_LD);
    CHECK_FINE(32, 0xe000, C_FSW);
    CHECK_FINE(64, 0xe000, C_SD);
    CHECK_FINE(32, 0xe002, C_FSWSP);
    CHECK_FINE(64, 0xe002, C_SDSP);
    CHECK_FINE(64, 0x28c7452f, AMOCAS_Q);
    CHECK_FINE(64, 0x28c735af, AMOCAS_D);
}

TEST(rv, reserved_code_is_undefined) /* RV-3 */
{
    static const struct refused rows[] = {
        { "all zero", 64, 0x0000, UD(RESERVED) },
        { "c.addi4spn by 0", 64, 0x0004, UD(RESERVED) },
        { "c.addiw to x0", 64, 0x2001, UD(MODE) },
        { "c.lui by 0", 64, 0x6501, UD(RESERVED) },
        { "c.addi16sp by 0", 64, 0x6101, UD(RESERVED) },
        { "c.lwsp to x0", 64, 0x4002, UD(RESERVED) },
        { "c.jr to x0", 64, 0x8002, UD(RESERVED) },
        { "quadrant 1, 111", 64, 0x9c79, UD(NO_OPCODE) },
        { "c.sh with bit 6", 64, 0x8c40, UD(NO_OPCODE) },
        { "load of width 7", 64, 0x00007003, UD(NO_OPCODE) },
        { "branch 2", 64, 0x00002063, UD(NO_OPCODE) },
        { "jalr 1", 64, 0x00001067, UD(NO_OPCODE) },
        { "lr.w with rs2", 64, 0x1015a52f, UD(NO_OPCODE) },
        { "lw.aq without aq", 64, 0x3005a52f, UD(NO_OPCODE) },
        { "sw.rl without rl", 64, 0x38a5a02f, UD(NO_OPCODE) },
        { "uret", 64, 0x00200073, UD(NO_OPCODE) },
        { "ecall with rd", 64, 0x000000f3, UD(NO_OPCODE) },
        { "opcode 6b", 64, 0x0000006b, UD(NO_OPCODE) },
    };

    REFUSED(rows);
    CHECK_FINE(64, 0x0020, C_ADDI4SPN);
    CHECK_FINE(64, 0x6505, C_LUI);
    CHECK_FINE(64, 0x6081, C_MOP);
    CHECK_FINE(64, 0x6141, C_ADDI16SP);
    CHECK_FINE(64, 0x4082, C_LWSP);
    CHECK_FINE(64, 0x8082, C_JR);
    CHECK_FINE(64, 0x3405a52f, LW_AQ);
    CHECK_FINE(64, 0x3aa5a02f, SW_RL);
}

TEST(rv, custom_opcodes_are_unsupported) /* RV-3 */
{
    static const struct refused rows[] = {
        { "custom-0", 64, 0x0000000b, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "custom-1", 64, 0x0000002b, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "custom-2", 64, 0x0000005b, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "custom-3", 64, 0x0000007b, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "SYSTEM 100011", 64, 0x8c000073, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "SYSTEM 111111", 64, 0xfc000073, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "RV32 c.slli by 32", 32, 0x1502, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "RV32 c.srli by 32", 32, 0x9001, SVMC_ERR_UNSUPPORTED, SVMC_REFUSAL_NO_OPCODE },
        { "SYSTEM 100010", 64, 0x88000073, UD(NO_OPCODE) },
    };

    REFUSED(rows);
    CHECK_FINE(64, 0x1502, C_SLLI);
    CHECK_FINE(64, 0x9001, C_SRLI);
}

TEST(rv, hints_and_ignored_fields_are_accepted) /* RV-3 */
{
    CHECK_FINE(64, 0x00200033, ADD);     /* ntl.p1 */
    CHECK_FINE(64, 0x00100013, ADDI);    /* addi x0, x0, 1 */
    CHECK_FINE(64, 0x0005, C_NOP);       /* with an immediate */
    CHECK_FINE(64, 0x0081, C_ADDI);      /* by 0 */
    CHECK_FINE(64, 0x4001, C_LI);        /* to x0 */
    CHECK_FINE(64, 0x0002, C_SLLI);      /* x0 by 0 */
    CHECK_FINE(64, 0xfff5058f, FENCE);   /* every field that is ignored */
    CHECK_FINE(64, 0xfff5958f, FENCE_I); /* the same */
    CHECK_FINE(64, 0x00106013, PREFETCH_R);
    CHECK_FINE(64, 0x00206013, ORI); /* no prefetch has 2 */
    CHECK_FINE(64, 0x0010e093, ORI); /* rd is not x0 */
}

TEST(rv, csr_forms) /* RV-7 */
{
    static const struct {
        char text[24];
        uint32_t raw;
        uint16_t id;
        uint8_t access, privilege, reg, reg2;
        uint16_t csr;
    } rows[] = {
        { "csrrw a0, mstatus, a1", 0x30059573, RV(CSRRW), RW, SVMC_PRIVILEGE_MACHINE, 138, 139,
          0x300 },
        { "csrrw x0, mstatus, a1", 0x30059073, RV(CSRRW), W, SVMC_PRIVILEGE_MACHINE, 128, 139,
          0x300 },
        { "csrrw a0, mstatus, x0", 0x30001573, RV(CSRRW), RW, SVMC_PRIVILEGE_MACHINE, 138, 128,
          0x300 },
        { "csrrs a0, hstatus, x0", 0x60002573, RV(CSRRS), R, SVMC_PRIVILEGE_HYP, 138, 128, 0x600 },
        { "csrrs x0, sie, a1", 0x1045a073, RV(CSRRS), RW, SVMC_PRIVILEGE_KERNEL, 128, 139, 0x104 },
        { "csrrc a0, fcsr, a1", 0x0035b573, RV(CSRRC), RW, SVMC_PRIVILEGE_NONE, 138, 139, 0x003 },
        { "csrrwi x0, satp, 0", 0x18005073, RV(CSRRWI), W, SVMC_PRIVILEGE_KERNEL, 128, 0, 0x180 },
        { "csrrsi a0, sstatus, 2", 0x10016573, RV(CSRRSI), RW, SVMC_PRIVILEGE_KERNEL, 138, 2,
          0x100 },
        { "csrrci a0, sstatus, 0", 0x10007573, RV(CSRRCI), R, SVMC_PRIVILEGE_KERNEL, 138, 0,
          0x100 },
        { "csrrs a0, hpmcounter31h", 0xc9f02573, RV(CSRRS), R, SVMC_PRIVILEGE_SWITCHED, 138, 128,
          0xc9f },
        { "csrrs a0, vl, a6", 0xc2082573, RV(CSRRS), RW, SVMC_PRIVILEGE_NONE, 138, 144, 0xc20 },
        { "csrrs a0, 0xc40, x0", 0xc4002573, RV(CSRRS), R, SVMC_PRIVILEGE_NONE, 138, 128, 0xc40 },
        { "csrrs a0, vl, x0", 0xc2002573, RV(CSRRS), R, SVMC_PRIVILEGE_NONE, 138, 128, 0xc20 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_insn got;

        CHECK_EQ(decode(64, rows[i].raw, 4, &got), SVMC_OK, "%s", rows[i].text);
        CHECK_EQ(got.id, rows[i].id, "%s", rows[i].text);
        CHECK_EQ(got.insn_class, SVMC_CLASS_SYSTEM_REG, "%s", rows[i].text);
        CHECK_EQ(got.access, rows[i].access, "%s", rows[i].text);
        CHECK_EQ(got.privilege, rows[i].privilege, "%s", rows[i].text);
        CHECK_EQ(got.reg, rows[i].reg, "%s", rows[i].text);
        CHECK_EQ(got.reg2, rows[i].reg2, "%s", rows[i].text);
        CHECK_EQ(got.imm, rows[i].csr, "%s", rows[i].text);
        CHECK_EQ(got.base, SVMC_REG_NONE, "%s", rows[i].text);
        CHECK_EQ(got.mem_bytes, 0, "%s", rows[i].text);
    }
}

TEST(rv, groups_claim_their_class_only) /* RV-8 */
{
    static const struct {
        uint32_t raw;
        uint16_t id;
        uint8_t insn_class, access, base;
    } rows[] = {
        { 0x02b50553, RV(OP_FP), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE }, /* fadd.d */
        { 0x60b50543, RV(MADD), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE },
        { 0x022180d7, RV(OP_V), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE }, /* vadd.vv */
        { 0xa6252077, RV(OP_VE), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE },
        { 0x08b54533, RV(OP), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE },     /* pack */
        { 0x10051513, RV(OP_IMM), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE }, /* sha256sum0 */
        { 0x08b5453b, RV(OP_32), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE },  /* packw */
        { 0xffffb01b, RV(OP_IMM_32), SVMC_CLASS_OTHER, 0, SVMC_REG_NONE },
        { 0x0205f507, RV(LOAD_V), SVMC_CLASS_MEMORY, R, SVMC_REG_RV_X0 + 11 }, /* vle64.v */
        { 0x0205f527, RV(STORE_V), SVMC_CLASS_MEMORY, W, SVMC_REG_RV_X0 + 11 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_insn got;

        CHECK_EQ(decode(64, rows[i].raw, 4, &got), SVMC_OK, "%zu", i);
        CHECK_EQ(got.id, rows[i].id, "%zu", i);
        CHECK_EQ(got.insn_class, rows[i].insn_class, "%zu", i);
        CHECK_EQ(got.access, rows[i].access, "%zu", i);
        CHECK_EQ(got.base, rows[i].base, "%zu", i);
        CHECK_EQ(got.mem_bytes, 0, "%zu", i);
        CHECK_EQ(got.reg, SVMC_REG_NONE, "%zu", i);
        CHECK_EQ(got.reg_kind, SVMC_REG_KIND_NONE, "%zu", i);
    }
    CHECK_FINE(64, 0x0805453b, ZEXT_H); /* packw with x0, which Zbb has a name for */
}
