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
    struct svmc_operand list[SVMC_OPERANDS_MAX], none = UNUSED;
    struct svmc_insn insn;
    uint32_t n = 0;

    if (!CHECK_EQ(decode64(AMD, bytes, count, &insn), SVMC_OK) ||
        !CHECK_EQ(svmc_insn_operands(&insn, list, &n), SVMC_OK))
        return none;
    for (uint32_t i = 0; i < n; i++)
        if (list[i].kind == SVMC_OPERAND_MEM)
            return list[i];
    return none;
}

TEST(decode, of_two_prefixes_the_last_counts) /* DE-2 */
{
    static const uint8_t fs_gs[] = { 0x64, 0x65, 0x8b, 0x00 }, gs_fs[] = { 0x65, 0x64, 0x8b, 0x00 };
    static const struct status_row rows[] = {
        { "66 twice, any order", AMD, 5, { 0x66, 0x64, 0x66, 0x8b, 0x00 }, SVMC_OK },
        { "F2, then 66 and F3: popcnt", AMD, 6, { 0xf2, 0x66, 0xf3, 0x0f, 0xb8, 0xc1 }, SVMC_OK },
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
        CHECK_EQ(operand_at(&insn, 1).reg, rows[i].reg, "row %zu", i);
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
        CHECK_EQ(operand_at(&insn, 0).reg, reg & 3);
        CHECK_EQ(operand_at(&insn, 0).high, reg >> 2);
        CHECK_EQ(decode64(AMD, early, sizeof early, &insn), SVMC_OK);
        CHECK_EQ(operand_at(&insn, 0).high, reg >> 2);
        CHECK_EQ(decode64(AMD, rex, sizeof rex, &insn), SVMC_OK);
        CHECK_EQ(operand_at(&insn, 0).reg, reg);
        CHECK_EQ(operand_at(&insn, 0).high, 0);
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

TEST(decode, an_override_never_reaches_a_register) /* XSA-123, CVE-2015-2151 */
{
    static const uint8_t bytes[] = { 0x65, 0x48, 0x89, 0xd8 }; /* gs mov rax, rbx */
    struct svmc_insn insn;

    CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_OK);
    CHECK_EQ(insn.access, SVMC_ACCESS_NONE);
    CHECK_EQ(insn.segment, SVMC_SEG_NONE);
    CHECK_EQ(insn.mem_bytes, 0);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++) {
        struct svmc_operand op = operand_at(&insn, i);

        CHECK(op.kind != SVMC_OPERAND_MEM);
        CHECK_EQ(op.segment, SVMC_SEG_NONE);
        CHECK_EQ(op.base, SVMC_REG_NONE);
        CHECK_EQ(op.index, SVMC_REG_NONE);
        CHECK_EQ(op.disp, 0);
    }
}

TEST(decode, a_mandatory_prefix_is_part_of_the_opcode) /* DE-6 */
{
    static const struct {
        char name[32];
        uint8_t vendor, count, bytes[6];
        uint16_t want; /* SVMC_X86_NONE: no opcode */
    } rows[] = {
        { "vmmcall", AMD, 3, { 0x0f, 0x01, 0xd9 }, SVMC_X86_VMMCALL },
        { "66 vmmcall", AMD, 4, { 0x66, 0x0f, 0x01, 0xd9 }, SVMC_X86_VMMCALL },
        { "F3: vmgexit", AMD, 4, { 0xf3, 0x0f, 0x01, 0xd9 }, SVMC_X86_VMGEXIT },
        { "F2: vmgexit", AMD, 4, { 0xf2, 0x0f, 0x01, 0xd9 }, SVMC_X86_VMGEXIT },
        { "F3 is heard before 66", AMD, 5, { 0x66, 0xf3, 0x0f, 0x01, 0xd9 }, SVMC_X86_VMGEXIT },
        { "vmcall", INTEL, 3, { 0x0f, 0x01, 0xc1 }, SVMC_X86_VMCALL },
        { "66 vmcall", INTEL, 4, { 0x66, 0x0f, 0x01, 0xc1 }, SVMC_X86_NONE },
        { "F3 vmcall", INTEL, 4, { 0xf3, 0x0f, 0x01, 0xc1 }, SVMC_X86_NONE },
        { "F2 vmcall", INTEL, 4, { 0xf2, 0x0f, 0x01, 0xc1 }, SVMC_X86_NONE },
        { "F3 movzx is movzx", AMD, 4, { 0xf3, 0x0f, 0xb6, 0x00 }, SVMC_X86_MOVZX },
        { "F3 mov is mov", AMD, 3, { 0xf3, 0x89, 0x00 }, SVMC_X86_MOV },
        { "F2 rdmsr is rdmsr", AMD, 3, { 0xf2, 0x0f, 0x32 }, SVMC_X86_RDMSR },
        { "movups", AMD, 3, { 0x0f, 0x10, 0x00 }, SVMC_X86_MOVUPS },
        { "movupd", AMD, 4, { 0x66, 0x0f, 0x10, 0x00 }, SVMC_X86_MOVUPD },
        { "movss", AMD, 4, { 0xf3, 0x0f, 0x10, 0x00 }, SVMC_X86_MOVSS },
        { "movsd", AMD, 5, { 0x66, 0xf2, 0x0f, 0x10, 0x00 }, SVMC_X86_MOVSD },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool none = rows[i].want == SVMC_X86_NONE;
        struct svmc_insn insn;

        CHECK_EQ(decode64(rows[i].vendor, rows[i].bytes, rows[i].count, &insn),
                 none ? SVMC_ERR_UNDEFINED : SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.id, rows[i].want, "%s", rows[i].name);
    }
}

TEST(decode, repeat_only_where_it_repeats) /* DE-7 */
{
    static const struct {
        uint8_t bytes[3];
        uint16_t want;
    } rows[] = {
        { { 0xf3, 0xa4, 0 }, SVMC_INSN_REP },
        { { 0xf2, 0xa4, 0 }, SVMC_INSN_REP },
        { { 0xf2, 0xad, 0 }, SVMC_INSN_REP },
        { { 0xf3, 0x6c, 0 }, SVMC_INSN_REP },
        { { 0xf3, 0xa6, 0 }, SVMC_INSN_REP },
        { { 0xf2, 0xa6, 0 }, SVMC_INSN_REPNE },
        { { 0xf2, 0xaf, 0 }, SVMC_INSN_REPNE },
        { { 0x66, 0xa5, 0 }, 0 },
        { { 0xf3, 0x8b, 0 }, 0 },
        { { 0xf2, 0xee, 0 }, 0 },
        { { 0xf3, 0xf4, 0 }, 0 },
        { { 0xf2, 0xe8, 0 }, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[8] = { rows[i].bytes[0], rows[i].bytes[1] };
        struct svmc_insn insn;

        CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_OK, "row %zu", i);
        CHECK_EQ(insn.flags & (SVMC_INSN_REP | SVMC_INSN_REPNE), rows[i].want, "row %zu", i);
    }
}

TEST(decode, lock_needs_a_row_that_admits_it_and_memory) /* DE-8; SDM vol. 2 LOCK */
{
    static const uint8_t never[] = { 0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xbf,
                                     0x63, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0x6c, 0x6d, 0x6e,
                                     0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0xf4,
                                     0x38, 0x39, 0x3a, 0x3b, 0x84, 0x85, 0x8d };
    /* ADD, OR, ADC, SBB, AND, SUB, XOR to memory, XCHG */
    static const uint8_t may[] = { 0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19,
                                   0x20, 0x21, 0x28, 0x29, 0x30, 0x31, 0x86, 0x87 };
    static const uint8_t never_0f[] = { 0xb6, 0xb7, 0xbe, 0xbf, 0xa2, 0x30, 0x32, 0xa3, 0x10 };
    /* BTS, BTR, BTC, CMPXCHG, XADD */
    static const uint8_t may_0f[] = { 0xab, 0xb3, 0xbb, 0xb0, 0xb1, 0xc0, 0xc1 };
    static const struct status_row rows[] = {
        { "group 11", AMD, 4, { 0xf0, 0xc6, 0x00, 1 }, SVMC_ERR_UNDEFINED },
        { "group 7", AMD, 4, { 0xf0, 0x0f, 0x01, 0xd9 }, SVMC_ERR_UNDEFINED },
        { "LOCK after others", AMD, 5, { 0x66, 0xf3, 0xf0, 0x89, 0x00 }, SVMC_ERR_UNDEFINED },
        { "not dword [rax]", AMD, 3, { 0xf0, 0xf7, 0x10 }, SVMC_OK },
        { "test dword [rax], imm", AMD, 7, { 0xf0, 0xf7, 0, 0, 0, 0, 0 }, SVMC_ERR_UNDEFINED },
        { "inc byte [rax]", AMD, 3, { 0xf0, 0xfe, 0x00 }, SVMC_OK },
        { "cmp dword [rax], 1", AMD, 4, { 0xf0, 0x83, 0x38, 1 }, SVMC_ERR_UNDEFINED },
        { "add dword [rax], 1", AMD, 4, { 0xf0, 0x83, 0x00, 1 }, SVMC_OK },
        { "bt dword [rax], 1", AMD, 5, { 0xf0, 0x0f, 0xba, 0x20, 1 }, SVMC_ERR_UNDEFINED },
        { "bts dword [rax], 1", AMD, 5, { 0xf0, 0x0f, 0xba, 0x28, 1 }, SVMC_OK },
        { "cmpxchg8b [rax]", AMD, 4, { 0xf0, 0x0f, 0xc7, 0x08 }, SVMC_OK },
    };
    struct svmc_insn insn;

    for (unsigned i = 0; i < sizeof never; i++) {
        uint8_t bytes[12] = { 0xf0, never[i] };

        CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_ERR_UNDEFINED, "%x", never[i]);
        CHECK_EQ(insn.refusal, SVMC_REFUSAL_LOCK, "%x", never[i]);
        CHECK_EQ(decode64(AMD, bytes + 1, 11, &insn), SVMC_OK, "%x", never[i]);
        CHECK(!(insn.flags & SVMC_INSN_LOCK), "%x", never[i]);
    }
    for (unsigned i = 0; i < sizeof may; i++) {
        uint8_t bytes[12] = { 0xf0, may[i] };

        CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_OK, "%x", may[i]);
        CHECK(insn.flags & SVMC_INSN_LOCK, "%x", may[i]);
        bytes[2] = 0xc0; /* a register */
        CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_ERR_UNDEFINED, "%x", may[i]);
        CHECK_EQ(insn.refusal, SVMC_REFUSAL_LOCK, "%x", may[i]);
    }
    for (unsigned i = 0; i < sizeof never_0f; i++) {
        uint8_t bytes[12] = { 0xf0, 0x0f, never_0f[i] };

        CHECK_EQ(decode64(INTEL, bytes, sizeof bytes, &insn), SVMC_ERR_UNDEFINED, "0f %x",
                 never_0f[i]);
        CHECK_EQ(insn.refusal, SVMC_REFUSAL_LOCK, "0f %x", never_0f[i]);
        CHECK_EQ(decode64(INTEL, bytes + 1, 11, &insn), SVMC_OK, "0f %x", never_0f[i]);
    }
    for (unsigned i = 0; i < sizeof may_0f; i++) {
        uint8_t bytes[12] = { 0xf0, 0x0f, may_0f[i] };

        CHECK_EQ(decode64(INTEL, bytes, sizeof bytes, &insn), SVMC_OK, "0f %x", may_0f[i]);
        CHECK(insn.flags & SVMC_INSN_LOCK, "0f %x", may_0f[i]);
    }
    CHECK_STATUSES(rows);
}

TEST(decode, vendors_differ) /* DE-9; APM vol. 3 and SDM vol. 2, the instructions' pages */
{
    static const struct status_row rows[] = {
        { "vmcall on AMD",
          AMD,
          3,
          { 0x0f, 0x01, 0xc1 },
          SVMC_ERR_UNDEFINED,
          .refusal = SVMC_REFUSAL_VENDOR },
        { "vmmcall on Intel",
          INTEL,
          3,
          { 0x0f, 0x01, 0xd9 },
          SVMC_ERR_UNDEFINED,
          .refusal = SVMC_REFUSAL_VENDOR },
        { "vmcall on Intel", INTEL, 3, { 0x0f, 0x01, 0xc1 }, SVMC_OK },
        { "vmmcall on AMD", AMD, 3, { 0x0f, 0x01, 0xd9 }, SVMC_OK },
        { "sysenter in 64-bit mode, Intel", INTEL, 2, { 0x0f, 0x34 }, SVMC_OK },
        { "sysenter in 64-bit mode, AMD", AMD, 2, { 0x0f, 0x34 }, SVMC_ERR_UNDEFINED },
        { "sysenter in 32-bit mode, AMD", AMD, 2, { 0x0f, 0x34 }, SVMC_OK, .isa = SVMC_ISA_X86_32 },
        { "syscall in 32-bit mode, AMD", AMD, 2, { 0x0f, 0x05 }, SVMC_OK, .isa = SVMC_ISA_X86_32 },
        { "syscall in 32-bit mode, Intel",
          INTEL,
          2,
          { 0x0f, 0x05 },
          SVMC_ERR_UNDEFINED,
          .isa = SVMC_ISA_X86_32 },
        { "lock mov cr0 is mov cr8 on AMD", AMD, 4, { 0xf0, 0x0f, 0x20, 0xc0 }, SVMC_OK },
        { "lock mov cr0 on Intel",
          INTEL,
          4,
          { 0xf0, 0x0f, 0x20, 0xc0 },
          SVMC_ERR_UNDEFINED,
          .refusal = SVMC_REFUSAL_LOCK },
    };
    static const uint8_t movsxd16[] = { 0x66, 0x63, 0x00 };
    static const uint8_t lock_cr0[] = { 0xf0, 0x0f, 0x20, 0xc1 };
    struct svmc_insn amd, intel;

    CHECK_STATUSES(rows);
    CHECK_EQ(decode64(AMD, movsxd16, sizeof movsxd16, &amd), SVMC_OK);
    CHECK_EQ(decode64(INTEL, movsxd16, sizeof movsxd16, &intel), SVMC_OK);
    CHECK_EQ(amd.reg_bytes, 2);
    CHECK_EQ(amd.mem_bytes, 4);
    CHECK_EQ(intel.reg_bytes, 2);
    CHECK_EQ(intel.mem_bytes, 2);
    CHECK_EQ(decode64(AMD, lock_cr0, sizeof lock_cr0, &amd), SVMC_OK);
    CHECK_EQ(operand_at(&amd, 1).reg_kind, SVMC_REG_KIND_CONTROL);
    CHECK_EQ(operand_at(&amd, 1).reg, 8);
    CHECK(!(amd.flags & SVMC_INSN_LOCK), "nothing is locked");
}

TEST(decode, refusals_say_why) /* DE-13, DE-17 */
{
    static const uint8_t no_opcode_64[] = { /* SDM vol. 2 table A-2, superscript i64 */
                                            0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f,
                                            0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0xce
    };
    static const struct status_row rows[] = {
        { "ud2", AMD, 2, { 0x0f, 0x0b }, SVMC_ERR_UNDEFINED },
        { "ud1", AMD, 3, { 0x0f, 0xb9, 0xc0 }, SVMC_ERR_UNDEFINED },
        { "ud0", AMD, 3, { 0x0f, 0xff, 0xc0 }, SVMC_ERR_UNDEFINED },
        { "ud2, cut in the opcode", AMD, 1, { 0x0f }, SVMC_ERR_TRUNCATED },
        { "group 11 /1", AMD, 2, { 0xc7, 0x08 }, SVMC_ERR_UNDEFINED },
        { "group 11 /7, memory", AMD, 2, { 0xc6, 0x38 }, SVMC_ERR_UNDEFINED },
        { "group 11 f9", AMD, 2, { 0xc6, 0xf9 }, SVMC_ERR_UNDEFINED },
        { "group 11, cut before ModRM", AMD, 1, { 0xc7 }, SVMC_ERR_TRUNCATED },
        { "LOCK, cut before ModRM", AMD, 2, { 0xf0, 0x89 }, SVMC_ERR_TRUNCATED },
        { "lea of a register", AMD, 2, { 0x8d, 0xc0 }, SVMC_ERR_UNDEFINED },
        { "mov cs, ax", AMD, 2, { 0x8e, 0xc8 }, SVMC_ERR_UNDEFINED },
        { "mov cr1", AMD, 3, { 0x0f, 0x20, 0xc8 }, SVMC_ERR_UNDEFINED, SVMC_REFUSAL_REGISTER, 0 },
        { "mov dr8",
          AMD,
          4,
          { 0x44, 0x0f, 0x21, 0xc0 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_REGISTER,
          0 },
        { "66 before VEX",
          AMD,
          5,
          { 0x66, 0xc5, 0xf8, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_PREFIX,
          0 },
        { "REX before VEX",
          AMD,
          5,
          { 0x40, 0xc5, 0xf8, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_PREFIX,
          0 },
        { "VEX.vvvv of vmovups",
          AMD,
          4,
          { 0xc5, 0x70, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_VVVV,
          0 },
        { "EVEX.z without a mask",
          AMD,
          6,
          { 0x62, 0xf1, 0x7c, 0xc8, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_MASK,
          0 },
        { "EVEX.z to memory",
          AMD,
          6,
          { 0x62, 0xf1, 0x7c, 0xc9, 0x11, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_MASK,
          0 },
        { "EVEX.b of vmovups",
          AMD,
          6,
          { 0x62, 0xf1, 0x7c, 0x58, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_BROADCAST,
          0 },
        { "EVEX.L'L 3",
          AMD,
          6,
          { 0x62, 0xf1, 0x7c, 0x68, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_VECTOR_LENGTH,
          0 },
        { "EVEX, bit 2 of P1 0: APX has registers there",
          AMD,
          6,
          { 0x62, 0xf1, 0x78, 0x48, 0x10, 0x00 },
          SVMC_ERR_UNSUPPORTED,
          SVMC_REFUSAL_APX,
          0 },
        { "gather, no SIB",
          AMD,
          5,
          { 0xc4, 0xe2, 0x71, 0x90, 0x10 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_FORM,
          0 },
        { "gather, mask is the index",
          AMD,
          6,
          { 0xc4, 0xe2, 0x71, 0x90, 0x14, 0x08 },
          SVMC_ERR_UNDEFINED,
          SVMC_REFUSAL_REGISTER,
          0 },
    };
    struct svmc_insn insn;

    for (unsigned i = 0; i < sizeof no_opcode_64; i++) {
        const uint8_t bytes[8] = { no_opcode_64[i] };

        CHECK_EQ(decode64(AMD, bytes, 1, &insn), SVMC_ERR_UNDEFINED, "%x", bytes[0]);
        CHECK_EQ(insn.refusal, SVMC_REFUSAL_MODE, "%x", bytes[0]);
        CHECK(is_zero(&insn), "%x", bytes[0]);
        CHECK_EQ(decode_on(cpu_of(SVMC_ISA_X86_32, AMD), bytes, sizeof bytes, &insn), SVMC_OK, "%x",
                 bytes[0]);
        CHECK_EQ(insn.length, 1, "%x", bytes[0]);
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
        { { .isa = SVMC_ISA_X86_64, .vendor = AMD }, SVMC_OK },
        { { .isa = SVMC_ISA_X86_64, .vendor = INTEL }, SVMC_OK },
        { { .isa = SVMC_ISA_X86_32, .vendor = AMD }, SVMC_OK },
        { { .isa = SVMC_ISA_X86_16, .vendor = INTEL }, SVMC_OK },
        { { .isa = SVMC_ISA_X86_64, .vendor = AMD, .features = { 1, 1 } }, SVMC_OK },
        { { .isa = SVMC_ISA_NONE, .vendor = AMD }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_PPC64 + 1 }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_X86_64 }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_X86_32 }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_X86_64, .vendor = 3 }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_X86_64, .vendor = AMD, .reserved = { 1 } }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_X86_64, .vendor = AMD, .reserved = { [5] = 1 } }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_A64 }, SVMC_ERR_TRUNCATED }, /* of four bytes one is there */
        { { .isa = SVMC_ISA_A64, .vendor = AMD }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_A64, .features = { 0, 1 } }, SVMC_ERR_ARG },
        { { .isa = SVMC_ISA_A32 }, SVMC_ERR_UNSUPPORTED },
        { { .isa = SVMC_ISA_T32 }, SVMC_ERR_UNSUPPORTED },
        { { .isa = SVMC_ISA_PPC64 }, SVMC_ERR_UNSUPPORTED },
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&insn, 0xee, sizeof insn);
        CHECK_EQ(svmc_insn_decode(&rows[i].cpu, hlt, 1, &insn), rows[i].want, "row %zu", i);
        if (rows[i].want != SVMC_OK)
            CHECK(is_zero(&insn) && insn.refusal == 0, "row %zu", i);
    }
    CHECK_EQ(svmc_insn_decode(&rows[0].cpu, hlt, 1, NULL), SVMC_ERR_ARG);
    memset(&insn, 0xee, sizeof insn);
    CHECK_EQ(svmc_insn_decode(NULL, hlt, 1, &insn), SVMC_ERR_ARG);
    CHECK(is_zero(&insn));
    memset(&insn, 0xee, sizeof insn);
    CHECK_EQ(svmc_insn_decode(&rows[0].cpu, NULL, 1, &insn), SVMC_ERR_ARG);
    CHECK(is_zero(&insn));
}

TEST(decode, operands_of_what_no_decode_made)
{
    static const struct svmc_operand unused = UNUSED;
    static const uint8_t hlt[] = { 0xf4 };
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    struct svmc_insn insn = { 0 };
    uint32_t count = 1;

    memset(list, 0xee, sizeof list);
    CHECK_EQ(svmc_insn_operands(&insn, list, &count), SVMC_ERR_ARG, "what a refusal leaves");
    CHECK_EQ(count, 0);
    for (unsigned i = 0; i < SVMC_OPERANDS_MAX; i++)
        CHECK_MEM(&list[i], &unused, sizeof unused, "operand %u", i);
    REQUIRE(decode64(AMD, hlt, 1, &insn) == SVMC_OK);
    CHECK_EQ(svmc_insn_operands(NULL, list, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_insn_operands(&insn, NULL, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_insn_operands(&insn, list, NULL), SVMC_ERR_ARG);
    insn.priv_raw[0] ^= 1u << 31;
    CHECK_EQ(svmc_insn_operands(&insn, list, &count), SVMC_ERR_ARG);
    REQUIRE(decode64(AMD, hlt, 1, &insn) == SVMC_OK);
    insn.length = SVMC_INSN_MAX + 1;
    CHECK_EQ(svmc_insn_operands(&insn, list, &count), SVMC_ERR_ARG);
}
