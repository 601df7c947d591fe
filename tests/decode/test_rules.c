/* SPDX-License-Identifier: MIT */
/* The rules of docs/spec/decode.md: for each the case that holds and the nearest that does not. */
#include "decode_rows.h"

/* Longest forms of every row shape: no prefix of them may be anything but TRUNCATED. */
static const struct status_row longest[] = {
    { "in", AMD, 2, { 0xe4, 0x60 }, SVMC_OK },
    { "sib, disp32, imm32", AMD, 12, { 0x48, 0xc7, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8 }, SVMC_OK },
    { "disp8", AMD, 4, { 0x66, 0x8b, 0x40, 0x10 }, SVMC_OK },
    { "rip", AMD, 6, { 0x8b, 0x05, 1, 2, 3, 4 }, SVMC_OK },
    { "no base", AMD, 7, { 0x8b, 0x04, 0x25, 1, 2, 3, 4 }, SVMC_OK },
    { "moffs64", AMD, 10, { 0x48, 0xa1, 1, 2, 3, 4, 5, 6, 7, 8 }, SVMC_OK },
    { "moffs32", AMD, 6, { 0x67, 0xa1, 1, 2, 3, 4 }, SVMC_OK },
    { "imm64", AMD, 10, { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 }, SVMC_OK },
    { "0f map", AMD, 7, { 0x64, 0x41, 0x0f, 0xb6, 0x44, 0x24, 0xf8 }, SVMC_OK },
    { "group 7", AMD, 3, { 0x0f, 0x01, 0xd9 }, SVMC_OK },
    { "group 11", AMD, 3, { 0xc6, 0xc0, 0x01 }, SVMC_OK },
    { "15 bytes",
      AMD,
      15,
      { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x48, 0x2e, 0x2e, 0x2e, 0x8b, 0x80, 1, 2, 3, 4 },
      SVMC_OK },
};

TEST(decode, every_cut_is_truncated) /* DE-1; hvisor 342: a short fetch is an answer, no panic */
{
    for (size_t i = 0; i < sizeof longest / sizeof longest[0]; i++) {
        struct status_row row = longest[i];
        struct svmc_insn got;

        check_status(&row);
        (void)!decode64(AMD, row.bytes, row.count, &got);
        CHECK_EQ(got.length, row.count, "%s", row.name);
        for (row.want = SVMC_ERR_TRUNCATED; row.count-- > 0;)
            check_status(&row);
    }
}

TEST(decode, at_most_fifteen_bytes) /* DE-1; XSA: over-long encodings */
{
    static const struct status_row rows[] = {
        { "14 prefixes and hlt",
          AMD,
          15,
          { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0xf4 },
          SVMC_OK },
        { "15 prefixes and hlt",
          AMD,
          16,
          { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0xf4 },
          SVMC_ERR_TOO_LONG },
        { "15 prefixes",
          AMD,
          15,
          { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66 },
          SVMC_ERR_TOO_LONG },
        { "14 prefixes",
          AMD,
          14,
          { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 },
          SVMC_ERR_TRUNCATED },
        { "the last byte is the 16th",
          AMD,
          16,
          { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b, 0x80, 1, 2, 3, 4 },
          SVMC_ERR_TOO_LONG },
        { "its first 15",
          AMD,
          15,
          { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b, 0x80, 1, 2, 3 },
          SVMC_ERR_TOO_LONG },
        { "its first 14",
          AMD,
          14,
          { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b, 0x80, 1, 2 },
          SVMC_ERR_TRUNCATED },
        { "nothing", AMD, 0, { 0 }, SVMC_ERR_TRUNCATED },
    };

    CHECK_STATUSES(rows);
}

/* Decodes and gives back the operand that is memory, or an empty one. */
static struct svmc_operand memory_of(const uint8_t *bytes, size_t count)
{
    struct svmc_insn insn;
    struct svmc_operand none = { 0 };

    if (!CHECK_EQ(decode64(AMD, bytes, count, &insn), SVMC_OK))
        return none;
    for (unsigned i = 0; i < insn.operand_count; i++)
        if (insn.operands[i].kind == SVMC_OPERAND_MEM)
            return insn.operands[i];
    return none;
}

TEST(decode, of_two_prefixes_the_last_counts) /* DE-2 */
{
    static const uint8_t fs_gs[] = { 0x64, 0x65, 0x8b, 0x00 }, gs_fs[] = { 0x65, 0x64, 0x8b, 0x00 };
    static const struct status_row rows[] = {
        { "66 twice, any order", AMD, 5, { 0x66, 0x64, 0x66, 0x8b, 0x00 }, SVMC_OK },
        { "F2 F3 of VMMCALL", AMD, 5, { 0xf2, 0xf3, 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNSUPPORTED },
    };

    CHECK_EQ(memory_of(fs_gs, sizeof fs_gs).segment, SVMC_SEG_GS);
    CHECK_EQ(memory_of(gs_fs, sizeof gs_fs).segment, SVMC_SEG_FS);
    CHECK_STATUSES(rows);
}

TEST(decode, rex_counts_only_before_the_opcode) /* DE-3 */
{
    static const struct {
        uint8_t count, bytes[6], osize, reg;
    } rows[] = {
        { 3, { 0x4c, 0x89, 0xf8 }, 8, SVMC_REG_R15 },             /* in force: mov rax, r15 */
        { 4, { 0x66, 0x4c, 0x89, 0xf8 }, 8, SVMC_REG_R15 },       /* REX.W beats 66 (DE-5) */
        { 4, { 0x4c, 0x66, 0x89, 0xf8 }, 2, SVMC_REG_RDI },       /* followed by 66: not */
        { 4, { 0x4c, 0x2e, 0x89, 0xf8 }, 4, SVMC_REG_RDI },       /* followed by a null prefix */
        { 4, { 0x4c, 0x40, 0x89, 0xf8 }, 4, SVMC_REG_RDI },       /* the second REX counts */
        { 5, { 0x4c, 0xf3, 0x44, 0x89, 0xf8 }, 4, SVMC_REG_R15 }, /* and brings nothing along */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_insn insn;

        CHECK_EQ(decode64(AMD, rows[i].bytes, rows[i].count, &insn), SVMC_OK, "row %zu", i);
        CHECK_EQ(insn.operand_bytes, rows[i].osize, "row %zu", i);
        CHECK_EQ(insn.operands[1].reg, rows[i].reg, "row %zu", i);
    }
}

TEST(decode, byte_registers) /* DE-3: 8a /r with every reg, with and without REX */
{
    for (unsigned reg = 0; reg < 8; reg++) {
        uint8_t plain[] = { 0x8a, (uint8_t)(reg << 3) };
        uint8_t rex[] = { 0x40, 0x8a, (uint8_t)(reg << 3) };
        uint8_t early[] = { 0x40, 0x3e, 0x8a, (uint8_t)(reg << 3) };
        struct svmc_insn insn;

        CHECK_EQ(decode64(AMD, plain, sizeof plain, &insn), SVMC_OK);
        CHECK_EQ(insn.operands[0].reg, reg & 3);
        CHECK_EQ(insn.operands[0].high, reg >> 2);
        CHECK_EQ(decode64(AMD, early, sizeof early, &insn), SVMC_OK);
        CHECK_EQ(insn.operands[0].high, reg >> 2);
        CHECK_EQ(decode64(AMD, rex, sizeof rex, &insn), SVMC_OK);
        CHECK_EQ(insn.operands[0].reg, reg);
        CHECK_EQ(insn.operands[0].high, 0);
    }
}

TEST(decode, only_fs_and_gs_override) /* DE-4 */
{
    static const uint8_t null_prefixes[] = { 0x26, 0x2e, 0x36, 0x3e };

    for (unsigned i = 0; i < sizeof null_prefixes; i++) {
        uint8_t alone[] = { null_prefixes[i], 0x8b, 0x45, 0x00 };
        uint8_t after_fs[] = { 0x64, null_prefixes[i], 0x8b, 0x45, 0x00 };

        CHECK_EQ(memory_of(alone, sizeof alone).segment, SVMC_SEG_SS);
        CHECK_EQ(memory_of(after_fs, sizeof after_fs).segment, SVMC_SEG_FS);
    }
}

TEST(decode, an_override_never_reaches_a_register) /* XSA-123 */
{
    static const uint8_t bytes[] = { 0x65, 0x48, 0x89, 0xd8 }; /* gs mov rax, rbx */
    struct svmc_insn insn;

    CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_OK);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++) {
        CHECK(insn.operands[i].kind != SVMC_OPERAND_MEM);
        CHECK_EQ(insn.operands[i].segment, SVMC_SEG_NONE);
        CHECK_EQ(insn.operands[i].base, SVMC_REG_NONE);
        CHECK_EQ(insn.operands[i].index, SVMC_REG_NONE);
        CHECK_EQ(insn.operands[i].disp, 0);
    }
}

TEST(decode, a_mandatory_prefix_is_part_of_the_opcode) /* DE-6 */
{
    static const struct status_row rows[] = {
        { "vmmcall", AMD, 3, { 0x0f, 0x01, 0xd9 }, SVMC_OK },
        { "66 vmmcall", AMD, 4, { 0x66, 0x0f, 0x01, 0xd9 }, SVMC_OK },
        { "F3: vmgexit", AMD, 4, { 0xf3, 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNSUPPORTED },
        { "F2: vmgexit", AMD, 4, { 0xf2, 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNSUPPORTED },
        { "F3 is heard before 66", AMD, 5, { 0xf3, 0x66, 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNSUPPORTED },
        { "vmcall", INTEL, 3, { 0x0f, 0x01, 0xc1 }, SVMC_OK },
        { "66 vmcall", INTEL, 4, { 0x66, 0x0f, 0x01, 0xc1 }, SVMC_ERR_UNSUPPORTED },
        { "F3 vmcall", INTEL, 4, { 0xf3, 0x0f, 0x01, 0xc1 }, SVMC_ERR_UNSUPPORTED },
        { "F2 vmcall", INTEL, 4, { 0xf2, 0x0f, 0x01, 0xc1 }, SVMC_ERR_UNSUPPORTED },
        { "lzcnt, not bsr", AMD, 4, { 0xf3, 0x0f, 0xbd, 0xc1 }, SVMC_ERR_UNSUPPORTED },
        { "tzcnt, not bsf", AMD, 4, { 0xf3, 0x0f, 0xbc, 0xc1 }, SVMC_ERR_UNSUPPORTED },
        { "popcnt", AMD, 4, { 0xf3, 0x0f, 0xb8, 0xc1 }, SVMC_ERR_UNSUPPORTED },
        { "F3 movzx is movzx", AMD, 4, { 0xf3, 0x0f, 0xb6, 0x00 }, SVMC_OK },
        { "F3 mov is mov", AMD, 3, { 0xf3, 0x89, 0x00 }, SVMC_OK },
        { "F2 rdmsr is rdmsr", AMD, 3, { 0xf2, 0x0f, 0x32 }, SVMC_OK },
    };

    CHECK_STATUSES(rows);
}

TEST(decode, repeat_only_where_it_repeats) /* DE-7 */
{
    static const struct {
        uint8_t bytes[3], want;
    } rows[] = {
        { { 0xf3, 0xa4, 0 }, SVMC_REPEAT_REP },  { { 0xf2, 0xa4, 0 }, SVMC_REPEAT_REP },
        { { 0xf2, 0xad, 0 }, SVMC_REPEAT_REP },  { { 0xf3, 0x6c, 0 }, SVMC_REPEAT_REP },
        { { 0x66, 0xa5, 0 }, SVMC_REPEAT_NONE }, { { 0xf3, 0x8b, 0 }, SVMC_REPEAT_NONE },
        { { 0xf2, 0xee, 0 }, SVMC_REPEAT_NONE }, { { 0xf3, 0xf4, 0 }, SVMC_REPEAT_NONE },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_insn insn;

        CHECK_EQ(decode64(AMD, rows[i].bytes, 3, &insn), SVMC_OK, "row %zu", i);
        CHECK_EQ(insn.repeat, rows[i].want, "row %zu", i);
    }
}

TEST(decode, lock_is_undefined_on_every_row) /* DE-8 */
{
    static const uint8_t one[] = { 0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xbf,
                                   0x63, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0x6c, 0x6d, 0x6e,
                                   0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0xf4 };
    static const uint8_t two[] = { 0xb6, 0xb7, 0xbe, 0xbf, 0xa2, 0x30, 0x32 };
    static const struct status_row rows[] = {
        { "group 11", AMD, 4, { 0xf0, 0xc6, 0x00, 1 }, SVMC_ERR_UNDEFINED },
        { "group 7", AMD, 4, { 0xf0, 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNDEFINED },
        { "LOCK after others", AMD, 5, { 0x66, 0xf3, 0xf0, 0x89, 0x00 }, SVMC_ERR_UNDEFINED },
        { "no row: no claim", AMD, 3, { 0xf0, 0x01, 0x00 }, SVMC_ERR_UNSUPPORTED },
    };
    struct svmc_insn insn;

    for (unsigned i = 0; i < sizeof one; i++) {
        uint8_t bytes[12] = { 0xf0, one[i] };

        CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_ERR_UNDEFINED, "f0 %x", one[i]);
        CHECK_EQ(decode64(AMD, bytes + 1, 11, &insn), SVMC_OK, "%x", one[i]);
    }
    for (unsigned i = 0; i < sizeof two; i++) {
        uint8_t bytes[12] = { 0xf0, 0x0f, two[i] };

        CHECK_EQ(decode64(INTEL, bytes, sizeof bytes, &insn), SVMC_ERR_UNDEFINED, "0f %x", two[i]);
        CHECK_EQ(decode64(INTEL, bytes + 1, 11, &insn), SVMC_OK, "0f %x", two[i]);
    }
    CHECK_STATUSES(rows);
}

TEST(decode, vendors_differ) /* DE-9 */
{
    static const struct status_row rows[] = {
        { "vmcall on AMD", AMD, 3, { 0x0f, 0x01, 0xc1 }, SVMC_ERR_UNDEFINED },
        { "vmmcall on Intel", INTEL, 3, { 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNDEFINED },
        { "vmcall on Intel", INTEL, 3, { 0x0f, 0x01, 0xc1 }, SVMC_OK },
        { "vmmcall on AMD", AMD, 3, { 0x0f, 0x01, 0xd9 }, SVMC_OK },
    };
    static const uint8_t movsxd16[] = { 0x66, 0x63, 0x00 };
    struct svmc_insn amd, intel;

    CHECK_STATUSES(rows);
    CHECK_EQ(decode64(AMD, movsxd16, sizeof movsxd16, &amd), SVMC_OK);
    CHECK_EQ(decode64(INTEL, movsxd16, sizeof movsxd16, &intel), SVMC_OK);
    CHECK_EQ(amd.operands[0].bytes, 2);
    CHECK_EQ(amd.operands[1].bytes, 4);
    CHECK_EQ(intel.operands[0].bytes, 2);
    CHECK_EQ(intel.operands[1].bytes, 2);
}

TEST(decode, undefined_and_unsupported) /* DE-13 */
{
    static const uint8_t undefined[] = {
        0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
        0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea
    };
    static const struct status_row rows[] = {
        { "ud2", AMD, 2, { 0x0f, 0x0b }, SVMC_ERR_UNDEFINED },
        { "ud1", AMD, 2, { 0x0f, 0xb9 }, SVMC_ERR_UNDEFINED },
        { "ud0", AMD, 2, { 0x0f, 0xff }, SVMC_ERR_UNDEFINED },
        { "ud2, cut in the opcode", AMD, 1, { 0x0f }, SVMC_ERR_TRUNCATED },
        { "group 11 /1", AMD, 2, { 0xc7, 0x08 }, SVMC_ERR_UNDEFINED },
        { "group 11 /7, memory", AMD, 2, { 0xc6, 0x38 }, SVMC_ERR_UNDEFINED },
        { "group 11 f9", AMD, 2, { 0xc6, 0xf9 }, SVMC_ERR_UNDEFINED },
        { "xabort", INTEL, 3, { 0xc6, 0xf8, 0 }, SVMC_ERR_UNSUPPORTED },
        { "xbegin", INTEL, 6, { 0xc7, 0xf8, 0, 0, 0, 0 }, SVMC_ERR_UNSUPPORTED },
        { "group 11, cut before ModRM", AMD, 1, { 0xc7 }, SVMC_ERR_TRUNCATED },
        { "LOCK is decided without the rest", AMD, 2, { 0xf0, 0x89 }, SVMC_ERR_UNDEFINED },
        { "evex", AMD, 6, { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00 }, SVMC_ERR_UNSUPPORTED },
        { "vex", AMD, 4, { 0xc5, 0xf8, 0x10, 0x00 }, SVMC_ERR_UNSUPPORTED },
        { "add", AMD, 2, { 0x01, 0x00 }, SVMC_ERR_UNSUPPORTED },
        { "mov sreg", AMD, 2, { 0x8e, 0xd8 }, SVMC_ERR_UNSUPPORTED },
        { "mov cr", AMD, 3, { 0x0f, 0x20, 0xc0 }, SVMC_ERR_UNSUPPORTED },
        { "0f38", AMD, 4, { 0x0f, 0x38, 0xf0, 0x00 }, SVMC_ERR_UNSUPPORTED },
    };
    struct svmc_insn insn;

    for (unsigned i = 0; i < sizeof undefined; i++) {
        CHECK_EQ(decode64(AMD, &undefined[i], 1, &insn), SVMC_ERR_UNDEFINED, "%x", undefined[i]);
        CHECK(is_zero(&insn), "%x", undefined[i]);
    }
    CHECK_STATUSES(rows);
}

TEST(decode, the_callers_contract)
{
    static const uint8_t hlt[] = { 0xf4 };
    static const struct {
        struct svmc_cpu cpu;
        enum svmc_status want;
    } rows[] = {
        { { SVMC_ISA_X86_64, AMD, 0, 0 }, SVMC_OK },
        { { SVMC_ISA_X86_64, INTEL, 0, 0 }, SVMC_OK },
        { { SVMC_ISA_X86_32, AMD, 0, 0 }, SVMC_ERR_UNSUPPORTED },
        { { SVMC_ISA_X86_16, AMD, 0, 0 }, SVMC_ERR_UNSUPPORTED },
        { { SVMC_ISA_NONE, AMD, 0, 0 }, SVMC_ERR_ARG },
        { { 4, AMD, 0, 0 }, SVMC_ERR_ARG },
        { { SVMC_ISA_X86_64, 0, 0, 0 }, SVMC_ERR_ARG },
        { { SVMC_ISA_X86_64, 3, 0, 0 }, SVMC_ERR_ARG },
        { { SVMC_ISA_X86_64, AMD, 1, 0 }, SVMC_ERR_ARG },
        { { SVMC_ISA_X86_64, AMD, 0, 1 }, SVMC_ERR_ARG },
        { { SVMC_ISA_X86_32, 0, 0, 0 }, SVMC_ERR_ARG },
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&insn, 0xee, sizeof insn);
        CHECK_EQ(svmc_insn_decode(&rows[i].cpu, hlt, 1, &insn), rows[i].want, "row %zu", i);
        if (rows[i].want != SVMC_OK)
            CHECK(is_zero(&insn), "row %zu", i);
    }
    CHECK_EQ(svmc_insn_decode(&rows[0].cpu, hlt, 1, NULL), SVMC_ERR_ARG);
    memset(&insn, 0xee, sizeof insn);
    CHECK_EQ(svmc_insn_decode(NULL, hlt, 1, &insn), SVMC_ERR_ARG);
    CHECK(is_zero(&insn));
    memset(&insn, 0xee, sizeof insn);
    CHECK_EQ(svmc_insn_decode(&rows[0].cpu, NULL, 1, &insn), SVMC_ERR_ARG);
    CHECK(is_zero(&insn));
}
