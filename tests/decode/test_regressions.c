/* SPDX-License-Identifier: MIT */
/*
 * Bugs of other decoders and emulators, each with the bytes that showed it. Values from SDM vol. 2
 * and APM vol. 3.
 */
#include "decode_rows.h"

#define X16 SVMC_ISA_X86_16
#define X32 SVMC_ISA_X86_32
#define X64 SVMC_ISA_X86_64

/* Bytes, and the fields that were wrong elsewhere. */
struct golden_row {
    char name[40];
    uint8_t isa, vendor, count, bytes[16];
    uint16_t id;
    uint8_t operand_bytes, access, mem_bytes;
};

static void check_golden(const struct golden_row *row)
{
    struct svmc_insn got;

    CHECK_EQ(decode_on(cpu_of(row->isa, row->vendor), row->bytes, row->count, &got), SVMC_OK, "%s",
             row->name);
    CHECK_EQ(got.id, row->id, "%s", row->name);
    CHECK_EQ(got.length, row->count, "%s", row->name);
    CHECK_EQ(got.operand_bytes, row->operand_bytes, "%s", row->name);
    CHECK_EQ(got.access, row->access, "%s", row->name);
    CHECK_EQ(got.mem_bytes, row->mem_bytes, "%s", row->name);
}

#define CHECK_GOLDEN(rows)                                                  \
    do {                                                                    \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof *(rows); row_++) \
            check_golden(&(rows)[row_]);                                    \
    } while (0)

static uint16_t id_on(struct svmc_cpu cpu, const uint8_t *bytes, size_t count)
{
    struct svmc_insn insn;

    return decode_on(cpu, bytes, count, &insn) == SVMC_OK ? insn.id : SVMC_X86_NONE;
}

TEST(regressions, lzcnt_and_tzcnt_by_prefix_and_by_feature) /* DE-6, DE-16; KVM's emulator */
{
    static const uint8_t bsr[] = { 0x0f, 0xbd, 0xc1 }, lzcnt[] = { 0xf3, 0x0f, 0xbd, 0xc1 };
    static const uint8_t bsf[] = { 0x0f, 0xbc, 0xc1 }, tzcnt[] = { 0xf3, 0x0f, 0xbc, 0xc1 };
    static const uint8_t lzcnt16[] = { 0x66, 0xf3, 0x0f, 0xbd, 0xc1 };
    static const uint8_t popcnt[] = { 0xf3, 0x0f, 0xb8, 0xc1 }, plain[] = { 0x0f, 0xb8, 0xc1 };
    struct svmc_cpu all = cpu_of(X64, AMD);
    struct svmc_cpu no_lzcnt = cpu_without(all, SVMC_X86_FEATURE_LZCNT);
    struct svmc_cpu no_bmi1 = cpu_without(all, SVMC_X86_FEATURE_BMI1);

    CHECK_EQ(id_on(all, bsr, sizeof bsr), SVMC_X86_BSR);
    CHECK_EQ(id_on(all, lzcnt, sizeof lzcnt), SVMC_X86_LZCNT);
    CHECK_EQ(id_on(all, lzcnt16, sizeof lzcnt16), SVMC_X86_LZCNT);
    CHECK_EQ(id_on(no_lzcnt, lzcnt, sizeof lzcnt), SVMC_X86_BSR);
    CHECK_EQ(id_on(no_bmi1, lzcnt, sizeof lzcnt), SVMC_X86_LZCNT);
    CHECK_EQ(id_on(all, bsf, sizeof bsf), SVMC_X86_BSF);
    CHECK_EQ(id_on(all, tzcnt, sizeof tzcnt), SVMC_X86_TZCNT);
    CHECK_EQ(id_on(no_bmi1, tzcnt, sizeof tzcnt), SVMC_X86_BSF);
    CHECK_EQ(id_on(no_lzcnt, tzcnt, sizeof tzcnt), SVMC_X86_TZCNT);
    CHECK_EQ(id_on(all, popcnt, sizeof popcnt), SVMC_X86_POPCNT);
    CHECK_EQ(id_on(all, plain, sizeof plain), SVMC_X86_NONE, "JMPE is no opcode of these");
    CHECK_EQ(id_on(cpu_without(all, SVMC_X86_FEATURE_POPCNT), popcnt, sizeof popcnt),
             SVMC_X86_NONE);
}

TEST(regressions, cmpxchg8b_is_eight_bytes_whatever_66_says) /* XSA-200, CVE-2016-9932 */
{
    static const uint8_t rw = SVMC_ACCESS_RW | SVMC_ACCESS_WRITE_IF;
    static const uint8_t rows[][6] = {
        /* bytes, mem_bytes, id low */
        { 0x0f, 0xc7, 0x0b, 0, 3, 8 },
        { 0x66, 0x0f, 0xc7, 0x0b, 4, 8 },
        { 0x48, 0x0f, 0xc7, 0x0b, 4, 16 },
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode64(AMD, rows[i], rows[i][4], &insn), SVMC_OK, "row %zu", i);
        CHECK_EQ(insn.id, rows[i][5] == 16 ? SVMC_X86_CMPXCHG16B : SVMC_X86_CMPXCHG8B);
        CHECK_EQ(insn.mem_bytes, rows[i][5], "row %zu", i);
        CHECK(insn.access == rw || insn.access == SVMC_ACCESS_RW, "row %zu", i);
    }
}

TEST(regressions, sixteen_bytes_and_more_are_too_long) /* DE-1; over-long encodings */
{
    for (unsigned isa = X16; isa <= X64; isa++)
        for (unsigned prefixes = 0; prefixes < 40; prefixes++) {
            uint8_t bytes[48];
            struct svmc_insn insn;

            memset(bytes, 0x2e, sizeof bytes);
            bytes[prefixes] = 0x90;
            CHECK_EQ(decode_on(cpu_of(isa, AMD), bytes, sizeof bytes, &insn),
                     prefixes < SVMC_INSN_MAX ? SVMC_OK : SVMC_ERR_TOO_LONG, "%u", prefixes);
            CHECK_EQ(insn.length, prefixes < SVMC_INSN_MAX ? prefixes + 1 : 0, "%u", prefixes);
        }
}

TEST(regressions, moffs_in_every_mode) /* cloud-hypervisor 5638 */
{
    static const struct golden_row rows[] = {
        { "mov al, moffs16", X16, AMD, 3, { 0xa0, 1, 0x82 }, SVMC_X86_MOV, 1, 1, 1 },
        { "mov eax, moffs32", X32, AMD, 5, { 0xa1, 1, 2, 3, 0x84 }, SVMC_X86_MOV, 4, 1, 4 },
        { "mov moffs16, ax", X32, AMD, 5, { 0x66, 0x67, 0xa3, 1, 2 }, SVMC_X86_MOV, 2, 2, 2 },
        { "mov moffs64, al", X64, AMD, 9, { 0xa2, 1, 2, 3, 4, 5, 6, 7, 8 }, SVMC_X86_MOV, 1, 2, 1 },
        { "mov rax, moffs32",
          X64,
          AMD,
          7,
          { 0x67, 0x48, 0xa1, 1, 2, 3, 4 },
          SVMC_X86_MOV,
          8,
          1,
          8 },
    };
    static const uint8_t moffs16[] = { 0xa0, 1, 0x82 };
    struct svmc_insn insn;

    CHECK_GOLDEN(rows);
    CHECK_EQ(decode_on(cpu_of(X16, AMD), moffs16, sizeof moffs16, &insn), SVMC_OK);
    CHECK_EQ(insn.disp, 0x8201, "as it stands");
    CHECK_EQ(insn.base, SVMC_REG_NONE);
}

/* cloud-hypervisor 5132 (MOVSW), haxm 186 (REPNE STOS). */
TEST(regressions, strings_of_every_width)
{
    static const uint8_t r = SVMC_ACCESS_READ | SVMC_ACCESS_READ_IF;
    static const uint8_t stosw[] = { 0xf2, 0x66, 0xab };
    static const struct golden_row rows[] = {
        { "movsw", X64, AMD, 2, { 0x66, 0xa5 }, SVMC_X86_MOVS, 2, SVMC_ACCESS_WRITE, 2 },
        { "movsw in 16-bit mode", X16, AMD, 1, { 0xa5 }, SVMC_X86_MOVS, 2, SVMC_ACCESS_WRITE, 2 },
        { "movsd in 16-bit mode",
          X16,
          AMD,
          2,
          { 0x66, 0xa5 },
          SVMC_X86_MOVS,
          4,
          SVMC_ACCESS_WRITE,
          4 },
        { "lodsq", X64, AMD, 2, { 0x48, 0xad }, SVMC_X86_LODS, 8, SVMC_ACCESS_READ, 8 },
        { "cmpsw", X64, AMD, 2, { 0x66, 0xa7 }, SVMC_X86_CMPS, 2, SVMC_ACCESS_READ, 2 },
        { "scasb", X64, AMD, 1, { 0xae }, SVMC_X86_SCAS, 1, SVMC_ACCESS_READ, 1 },
        { "repne scasd", X64, AMD, 2, { 0xf2, 0xaf }, SVMC_X86_SCAS, 4, r, 4 },
    };
    struct svmc_insn insn;

    CHECK_GOLDEN(rows);
    CHECK_EQ(decode64(AMD, stosw, sizeof stosw, &insn), SVMC_OK);
    CHECK_EQ(insn.id, SVMC_X86_STOS);
    CHECK_EQ(insn.mem_bytes, 2);
    CHECK_EQ(insn.flags & (SVMC_INSN_REP | SVMC_INSN_REPNE), SVMC_INSN_REP, "F2 repeats too");
}

TEST(regressions, group_3_has_two_tests) /* haxm 12 and 93: TEST F7, a panic of the host */
{
    static const struct golden_row rows[] = {
        { "test byte [rbx], imm8", X64, AMD, 3, { 0xf6, 0x03, 1 }, SVMC_X86_TEST, 1, 1, 1 },
        { "the same by /1", X64, AMD, 3, { 0xf6, 0x0b, 1 }, SVMC_X86_TEST, 1, 1, 1 },
        { "test dword [rbx], imm32", X64, AMD, 6, { 0xf7, 3, 1, 2, 3, 4 }, SVMC_X86_TEST, 4, 1, 4 },
        { "the same by /1", X64, AMD, 6, { 0xf7, 0x0b, 1, 2, 3, 4 }, SVMC_X86_TEST, 4, 1, 4 },
        { "test word, imm16 by /1",
          X64,
          AMD,
          5,
          { 0x66, 0xf7, 0x0b, 1, 2 },
          SVMC_X86_TEST,
          2,
          1,
          2 },
        { "not dword [rbx]", X64, AMD, 2, { 0xf7, 0x13 }, SVMC_X86_NOT, 4, SVMC_ACCESS_RW, 4 },
    };

    CHECK_GOLDEN(rows);
}

TEST(regressions, vector_and_wide_memory_operands) /* IncludeOS 111: MOVAPS to MMIO, and others */
{
    static const struct golden_row rows[] = {
        { "movaps [rbx], xmm0", X64, AMD, 3, { 0x0f, 0x29, 0x03 }, SVMC_X86_MOVAPS, 0, 2, 16 },
        { "paddd xmm0, [rbx]", X64, AMD, 4, { 0x66, 0x0f, 0xfe, 0x03 }, SVMC_X86_PADDD, 0, 1, 16 },
        { "pxor mm0, [rbx]", X64, AMD, 3, { 0x0f, 0xef, 0x03 }, SVMC_X86_PXOR, 0, 1, 8 },
        { "lddqu xmm0, [rbx]", X64, AMD, 4, { 0xf2, 0x0f, 0xf0, 0x03 }, SVMC_X86_LDDQU, 0, 1, 16 },
        { "popcnt eax, [rbx]", X64, AMD, 4, { 0xf3, 0x0f, 0xb8, 3 }, SVMC_X86_POPCNT, 4, 1, 4 },
    };
    static const struct {
        char name[24];
        uint8_t count, bytes[8], access, mem_bytes;
    } sizes[] = {
        { "movd [rbx], xmm0", 4, { 0x66, 0x0f, 0x7e, 0x03 }, SVMC_ACCESS_WRITE, 4 },
        { "movq [rbx], xmm0", 4, { 0x66, 0x0f, 0xd6, 0x03 }, SVMC_ACCESS_WRITE, 8 },
        { "pinsrd", 6, { 0x66, 0x0f, 0x3a, 0x22, 0x03, 1 }, SVMC_ACCESS_READ, 4 },
        { "crc32 eax, byte", 5, { 0xf2, 0x0f, 0x38, 0xf0, 0x03 }, SVMC_ACCESS_READ, 1 },
        { "crc32 eax, word", 6, { 0x66, 0xf2, 0x0f, 0x38, 0xf1, 3 }, SVMC_ACCESS_READ, 2 },
        { "cvtsi2sd, qword", 5, { 0xf2, 0x48, 0x0f, 0x2a, 0x03 }, SVMC_ACCESS_READ, 8 },
        { "cvtsi2sd, dword", 4, { 0xf2, 0x0f, 0x2a, 0x03 }, SVMC_ACCESS_READ, 4 },
        { "fld m32", 2, { 0xd9, 0x03 }, SVMC_ACCESS_READ, 4 },
        { "fld m64", 2, { 0xdd, 0x03 }, SVMC_ACCESS_READ, 8 },
        { "fld m80", 2, { 0xdb, 0x2b }, SVMC_ACCESS_READ, 10 },
        { "movbe [rbx], ax", 5, { 0x66, 0x0f, 0x38, 0xf1, 0x03 }, SVMC_ACCESS_WRITE, 2 },
        { "vmovdqa ymm0, [rbx]", 4, { 0xc5, 0xfd, 0x6f, 0x03 }, SVMC_ACCESS_READ, 32 },
    };
    struct svmc_insn insn;

    CHECK_GOLDEN(rows);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_EQ(decode64(INTEL, sizes[i].bytes, sizes[i].count, &insn), SVMC_OK, "%s",
                 sizes[i].name);
        CHECK_EQ(insn.access, sizes[i].access, "%s", sizes[i].name);
        CHECK_EQ(insn.mem_bytes, sizes[i].mem_bytes, "%s", sizes[i].name);
        CHECK_EQ(insn.length, sizes[i].count, "%s", sizes[i].name);
    }
}

TEST(regressions, a_16_bit_direct_address_has_its_displacement) /* bddisasm 3 */
{
    static const struct {
        uint8_t isa, count, bytes[6];
    } rows[] = {
        { X16, 4, { 0x13, 0x1e, 0xd0, 0xee } },
        { X32, 5, { 0x67, 0x13, 0x1e, 0xd0, 0xee } },
    };
    static const uint8_t bp[] = { 0x8b, 0x46, 0xfe };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode_on(cpu_of(rows[i].isa, AMD), rows[i].bytes, 6, &insn), SVMC_OK);
        CHECK_EQ(insn.id, SVMC_X86_ADC, "row %zu", i);
        CHECK_EQ(insn.length, rows[i].count, "row %zu", i);
        CHECK_EQ(insn.base, SVMC_REG_NONE, "row %zu", i);
        CHECK_EQ(insn.index, SVMC_REG_NONE, "row %zu", i);
        CHECK_EQ((uint16_t)insn.disp, 0xeed0, "row %zu", i);
        CHECK_EQ(insn.address_bytes, 2, "row %zu", i);
        CHECK_EQ(insn.segment, SVMC_SEG_DS, "row %zu", i);
    }
    CHECK_EQ(decode_on(cpu_of(X16, AMD), bp, sizeof bp, &insn), SVMC_OK);
    CHECK_EQ(insn.base, SVMC_REG_RBP, "with a displacement it is a base");
    CHECK_EQ(insn.disp, -2);
    CHECK_EQ(insn.segment, SVMC_SEG_SS);
}

TEST(regressions, a_66_near_branch_is_as_long_as_the_vendor_says) /* DE-9 */
{
    static const struct {
        char name[16];
        uint8_t bytes[3], amd, intel;
    } rows[] = {
        { "66 jmp rel", { 0x66, 0xe9 }, 4, 6 },      { "66 call rel", { 0x66, 0xe8 }, 4, 6 },
        { "66 jz rel", { 0x66, 0x0f, 0x84 }, 5, 7 }, { "66 jmp rel8", { 0x66, 0xeb }, 3, 3 },
        { "66 ret imm16", { 0x66, 0xc2 }, 4, 4 },    { "jmp rel", { 0xe9 }, 5, 5 },
        { "48 66 jmp", { 0x48, 0x66, 0xe9 }, 5, 7 }, /* that REX counts for nothing */
    };
    static const uint8_t jmp_mem[] = { 0x66, 0xff, 0x23 };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[15] = { rows[i].bytes[0], rows[i].bytes[1], rows[i].bytes[2] };

        CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.length, rows[i].amd, "%s", rows[i].name);
        CHECK_EQ(insn.insn_class, SVMC_CLASS_BRANCH, "%s", rows[i].name);
        CHECK_EQ(decode64(INTEL, bytes, sizeof bytes, &insn), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.length, rows[i].intel, "%s", rows[i].name);
    }
    CHECK_EQ(decode64(AMD, jmp_mem, sizeof jmp_mem, &insn), SVMC_OK);
    CHECK_EQ(insn.mem_bytes, 2);
    CHECK_EQ(decode64(INTEL, jmp_mem, sizeof jmp_mem, &insn), SVMC_OK);
    CHECK_EQ(insn.mem_bytes, 8);
}

TEST(regressions, prefixes_that_change_nothing_and_one_that_does) /* DE-6 */
{
    static const uint8_t wbinvd[] = { 0x0f, 0x09 }, with_66[] = { 0x66, 0x0f, 0x09 };
    static const uint8_t with_f2[] = { 0xf2, 0x0f, 0x09 }, with_f3[] = { 0xf3, 0x0f, 0x09 };
    static const uint8_t vmmcall[] = { 0x66, 0x0f, 0x01, 0xd9 };
    static const uint8_t nop[] = { 0x90 }, pause[] = { 0xf3, 0x90 }, xchg[] = { 0x41, 0x90 };
    struct svmc_cpu all = cpu_of(X64, AMD);
    struct svmc_cpu without = cpu_without(all, SVMC_X86_FEATURE_WBNOINVD);

    CHECK_EQ(id_on(all, wbinvd, sizeof wbinvd), SVMC_X86_WBINVD);
    CHECK_EQ(id_on(all, with_66, sizeof with_66), SVMC_X86_WBINVD);
    CHECK_EQ(id_on(all, with_f2, sizeof with_f2), SVMC_X86_WBINVD);
    CHECK_EQ(id_on(all, with_f3, sizeof with_f3), SVMC_X86_WBNOINVD);
    CHECK_EQ(id_on(without, with_f3, sizeof with_f3), SVMC_X86_WBINVD);
    CHECK_EQ(id_on(all, vmmcall, sizeof vmmcall), SVMC_X86_VMMCALL);
    CHECK_EQ(id_on(all, nop, sizeof nop), SVMC_X86_NOP);
    CHECK_EQ(id_on(all, pause, sizeof pause), SVMC_X86_PAUSE);
    CHECK_EQ(id_on(all, xchg, sizeof xchg), SVMC_X86_XCHG, "xchg r8d, eax");
}

/* CVE-2014-8480, CVE-2014-8481, CVE-2016-8630: a RIP-relative fix-up of what is no memory. */
TEST(regressions, rip_relative_only_where_there_is_memory)
{
    static const uint8_t clflush[] = { 0x0f, 0xae, 0x3d, 0x10, 0, 0, 0 };
    static const uint8_t mov_cr[] = { 0x0f, 0x22, 0x05 }; /* mod 0, rm 5: a register all the same */
    static const uint8_t jcc[] = { 0x0f, 0x85, 5, 0, 0, 0 };
    static const uint8_t imm[] = { 0xc7, 0x05, 0x10, 0, 0, 0, 1, 2, 3, 4 };
    struct svmc_insn insn;

    CHECK_EQ(decode64(AMD, clflush, sizeof clflush, &insn), SVMC_OK);
    CHECK_EQ(insn.base, SVMC_REG_RIP);
    CHECK_EQ(insn.disp, 0x10);
    CHECK_EQ(decode64(AMD, mov_cr, sizeof mov_cr, &insn), SVMC_OK);
    CHECK_EQ(insn.length, 3);
    CHECK_EQ(insn.access, SVMC_ACCESS_NONE);
    CHECK_EQ(insn.base, SVMC_REG_NONE);
    CHECK_EQ(decode64(AMD, jcc, sizeof jcc, &insn), SVMC_OK);
    CHECK_EQ(insn.base, SVMC_REG_NONE);
    CHECK_EQ(insn.disp, 5);
    CHECK_EQ(decode64(AMD, imm, sizeof imm, &insn), SVMC_OK);
    CHECK_EQ(insn.length, sizeof imm, "the displacement counts from behind the immediate");
    CHECK_EQ(insn.base, SVMC_REG_RIP);
    CHECK_EQ(decode_on(cpu_of(X32, AMD), clflush, sizeof clflush, &insn), SVMC_OK);
    CHECK_EQ(insn.base, SVMC_REG_NONE, "32-bit mode has none");
}

/* XSA-105, XSA-106, XSA-110, CVE-2017-2583, CVE-2018-10853: nobody asked for the privilege. */
TEST(regressions, privilege_and_class_stand_in_the_row)
{
    static const struct {
        char name[16];
        uint8_t bytes[4], privilege, insn_class;
    } rows[] = {
        { "hlt", { 0xf4 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_IDLE },
        { "lgdt", { 0x0f, 0x01, 0x13 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_DESCRIPTOR },
        { "lidt", { 0x0f, 0x01, 0x1b }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_DESCRIPTOR },
        { "lmsw", { 0x0f, 0x01, 0x33 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_CONTROL_REG },
        { "clts", { 0x0f, 0x06 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_CONTROL_REG },
        { "mov cr", { 0x0f, 0x22, 0xc0 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_CONTROL_REG },
        { "mov dr", { 0x0f, 0x23, 0xc0 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_DEBUG_REG },
        { "wrmsr", { 0x0f, 0x30 }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_MSR },
        { "in", { 0xec }, SVMC_PRIVILEGE_IO, SVMC_CLASS_PORT },
        { "cli", { 0xfa }, SVMC_PRIVILEGE_IO, SVMC_CLASS_FLAG },
        { "sgdt", { 0x0f, 0x01, 0x03 }, SVMC_PRIVILEGE_SWITCHED, SVMC_CLASS_DESCRIPTOR },
        { "sidt", { 0x0f, 0x01, 0x0b }, SVMC_PRIVILEGE_SWITCHED, SVMC_CLASS_DESCRIPTOR },
        { "rdtsc", { 0x0f, 0x31 }, SVMC_PRIVILEGE_SWITCHED, SVMC_CLASS_TIME },
        { "rdpmc", { 0x0f, 0x33 }, SVMC_PRIVILEGE_SWITCHED, SVMC_CLASS_COUNTER },
        { "invlpg", { 0x0f, 0x01, 0x3b }, SVMC_PRIVILEGE_KERNEL, SVMC_CLASS_TLB },
        { "mov ss, [rbx]", { 0x8e, 0x13 }, SVMC_PRIVILEGE_NONE, SVMC_CLASS_DESCRIPTOR },
        { "mov eax, [rbx]", { 0x8b, 0x03 }, SVMC_PRIVILEGE_NONE, SVMC_CLASS_MEMORY },
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode64(AMD, rows[i].bytes, 4, &insn), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.privilege, rows[i].privilege, "%s", rows[i].name);
        CHECK_EQ(insn.insn_class, rows[i].insn_class, "%s", rows[i].name);
    }
}

/* CVE-2012-0045: SYSCALL where the processor has none. */
TEST(regressions, syscall_only_where_it_exists)
{
    static const uint8_t syscall[] = { 0x0f, 0x05 };

    CHECK_EQ(id_on(cpu_of(X64, AMD), syscall, 2), SVMC_X86_SYSCALL);
    CHECK_EQ(id_on(cpu_of(X64, INTEL), syscall, 2), SVMC_X86_SYSCALL);
    CHECK_EQ(id_on(cpu_of(X32, AMD), syscall, 2), SVMC_X86_SYSCALL);
    CHECK_EQ(id_on(cpu_of(X32, INTEL), syscall, 2), SVMC_X86_NONE);
}

TEST(regressions, zeros_are_an_instruction) /* edk2 11035: an opcode of 0 was asserted away */
{
    static const uint8_t zeros[15] = { 0 };

    CHECK_EQ(id_on(cpu_of(X64, AMD), zeros, sizeof zeros), SVMC_X86_ADD);
    CHECK_EQ(id_on(cpu_of(X16, AMD), zeros, sizeof zeros), SVMC_X86_ADD);
}

/* hvisor 342, libvmm: the page ended early, and the decoder panicked. */
TEST(regressions, cut_anywhere_is_an_answer)
{
    static const struct {
        char name[24];
        uint8_t isa, count, bytes[15];
    } rows[] = {
        { "push imm32", X64, 5, { 0x68, 1, 2, 3, 4 } },
        { "add [sib+disp32], imm", X64, 12, { 0x48, 0x81, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8 } },
        { "enter", X64, 4, { 0xc8, 1, 2, 3 } },
        { "call far", X32, 7, { 0x9a, 1, 2, 3, 4, 5, 6 } },
        { "jmp far", X16, 5, { 0xea, 1, 2, 3, 4 } },
        { "[bp+disp16]", X16, 4, { 0x8b, 0x86, 1, 2 } },
        { "[disp16], imm16", X16, 6, { 0xc7, 0x06, 1, 2, 3, 4 } },
        { "0f38", X64, 10, { 0x66, 0x0f, 0x38, 0x00, 0x84, 0x8b, 1, 2, 3, 4 } },
        { "0f3a", X64, 11, { 0x66, 0x0f, 0x3a, 0x0f, 0x84, 0x8b, 1, 2, 3, 4, 5 } },
        { "vex, two bytes", X64, 9, { 0xc5, 0xfc, 0x58, 0x84, 0x8b, 1, 2, 3, 4 } },
        { "vex, three, imm", X64, 11, { 0xc4, 0xe3, 0x7d, 0x04, 0x84, 0x8b, 1, 2, 3, 4, 5 } },
        { "evex", X64, 11, { 0x62, 0xf1, 0x7c, 0x48, 0x58, 0x84, 0x8b, 1, 2, 3, 4 } },
        { "evex, disp8", X64, 8, { 0x62, 0xf1, 0x7c, 0x48, 0x58, 0x44, 0x8b, 1 } },
        { "evex, imm", X32, 8, { 0x62, 0xf3, 0x7d, 0x48, 0x25, 0x40, 1, 2 } },
        { "xop", X64, 6, { 0x8f, 0xe8, 0x78, 0xc0, 0xc0, 1 } },
        { "xop, imm32", X64, 9, { 0x8f, 0xea, 0x78, 0x10, 0xc0, 1, 2, 3, 4 } },
        { "3dnow", X64, 9, { 0x0f, 0x0f, 0x84, 0x8b, 1, 2, 3, 4, 0x9e } },
        { "lock cmpxchg16b", X64, 9, { 0xf0, 0x48, 0x0f, 0xc7, 0x8c, 0x8b, 1, 2, 3 } },
        { "vgatherdps", X64, 6, { 0xc4, 0xe2, 0x71, 0x92, 0x14, 0x18 } },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned count = rows[i].count;
        struct svmc_cpu cpu = cpu_of(rows[i].isa, AMD);
        uint8_t bytes[16] = { 0 };
        struct svmc_insn insn;

        memcpy(bytes, rows[i].bytes, sizeof rows[i].bytes);
        if (strcmp(rows[i].name, "lock cmpxchg16b") == 0)
            count = 10; /* its last byte is a 0 */
        CHECK_EQ(decode_on(cpu, bytes, count, &insn), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.length, count, "%s", rows[i].name);
        while (count-- > 0) {
            CHECK_EQ(decode_on(cpu, bytes, count, &insn), SVMC_ERR_TRUNCATED, "%s at %u",
                     rows[i].name, count);
            CHECK(is_zero(&insn) && insn.refusal == 0, "%s at %u", rows[i].name, count);
        }
    }
}

/* kvm-guest-drivers-windows 177, nvme-cli 2397, Solo5 209. */
TEST(regressions, a_store_with_write_back)
{
    static const uint8_t str[] = { 0x48, 0x45, 0x00, 0xb8 }; /* str w8, [x10], #4 */
    struct svmc_cpu a64 = { .isa = SVMC_ISA_A64 }, a32 = { .isa = SVMC_ISA_A32 };
    struct svmc_insn insn;

    CHECK_EQ(decode_on(a64, str, sizeof str, &insn), SVMC_OK);
    CHECK_EQ(insn.id, SVMC_A64_STR);
    CHECK(insn.flags & SVMC_INSN_POST_INDEX);
    CHECK_EQ(insn.access, SVMC_ACCESS_WRITE);
    CHECK_EQ(insn.mem_bytes, 4);
    CHECK_EQ(insn.base, SVMC_REG_X0 + 10);
    CHECK_EQ(insn.reg, SVMC_REG_X0 + 8);
    CHECK_EQ(insn.reg_bytes, 4);
    CHECK_EQ(insn.disp, 4);
    CHECK_EQ(decode_on(a32, str, sizeof str, &insn), SVMC_ERR_UNSUPPORTED, "Xvisor: another state");
    CHECK(is_zero(&insn));
}

/* A length of eight bits must not forget the first 256 prefixes. DE-1 */
TEST(regressions, more_prefixes_than_a_byte_counts)
{
    static const uint8_t tails[][4] = {
        { 0xf0, 0xff, 0x00, 0 }, { 0x6c, 0, 0, 0 },          { 0xc5, 0xf8, 0x58, 0xc0 },
        { 0xf3, 0xa4, 0, 0 },    { 0x0f, 0x20, 0xc0, 0x90 }, { 0x48, 0x89, 0xc0, 0x90 },
    };
    static const uint8_t fillers[] = { 0x3e, 0x66, 0x48 };
    static uint8_t bytes[700];
    struct svmc_insn insn;

    for (unsigned f = 0; f < sizeof fillers; f++)
        for (unsigned t = 0; t < sizeof tails / sizeof tails[0]; t++)
            for (unsigned n = 15; n < 600; n++) {
                memset(bytes, fillers[f], n);
                memcpy(bytes + n, tails[t], 4);
                CHECK_EQ(decode64(AMD, bytes, sizeof bytes, &insn), SVMC_ERR_TOO_LONG,
                         "%u times %02x", n, fillers[f]);
                CHECK(is_zero(&insn) && insn.refusal == 0);
            }
}

/* A group whose ModRM is not there yet; a page end between BT and it. DE-13 */
TEST(regressions, a_group_without_its_modrm)
{
    static const uint8_t heads[][3] = {
        { 0x0f, 0xba, 0 }, { 0x0f, 0x00, 0 }, { 0x0f, 0x01, 0 }, { 0x0f, 0xae, 0 },
        { 0x0f, 0xc7, 0 }, { 0x0f, 0x71, 0 }, { 0xfe, 0, 0 },    { 0xff, 0, 0 },
        { 0x8f, 0, 0 },    { 0xc6, 0, 0 },    { 0xf7, 0, 0 },    { 0x8e, 0, 0 },
    };
    struct svmc_insn insn;

    for (unsigned i = 0; i < sizeof heads / sizeof heads[0]; i++)
        CHECK_EQ(decode64(AMD, heads[i], heads[i][0] == 0x0f ? 2 : 1, &insn), SVMC_ERR_TRUNCATED,
                 "%02x %02x", heads[i][0], heads[i][1]);
}

/* What stands behind the fifteenth byte says nothing. DE-1 */
TEST(regressions, the_sixteenth_byte)
{
    static uint8_t bytes[16];
    struct svmc_insn a, b;

    for (unsigned last = 0; last < 256; last++)
        for (unsigned opcode = 0; opcode < 256; opcode++)
            for (unsigned first = 12; first < 15; first++) {
                memset(bytes, 0x2e, sizeof bytes);
                bytes[first] = (uint8_t)opcode;
                bytes[15] = (uint8_t)last;
                CHECK_EQ(decode64(AMD, bytes, 15, &a), decode64(AMD, bytes, 16, &b),
                         "%u: %02x %02x", first, opcode, last);
                CHECK_EQ(memcmp(&a, &b, sizeof a), 0);
            }
}

/* F3 with REX.B: Zydis says PAUSE; an AMD Zen 3 exchanges r8d and eax. APM vol. 3 XCHG */
TEST(regressions, pause_is_not_xchg_r8)
{
    static const uint8_t xchg[] = { 0xf3, 0x41, 0x90 }, pause[] = { 0xf3, 0x48, 0x90 };
    struct svmc_insn insn;

    CHECK_EQ(decode64(AMD, xchg, sizeof xchg, &insn), SVMC_OK);
    CHECK_EQ(insn.id, SVMC_X86_XCHG);
    CHECK_EQ(decode64(AMD, pause, sizeof pause, &insn), SVMC_OK);
    CHECK_EQ(insn.id, SVMC_X86_PAUSE);
}

/* TILEZERO: ModRM.rm must be 0 (SDM vol. 2 TILEZERO). */
TEST(regressions, tilezero_has_no_second_register)
{
    static const uint8_t good[] = { 0xc4, 0xe2, 0x7b, 0x49, 0xc8 };
    static const uint8_t bad[] = { 0xc4, 0xe2, 0x7b, 0x49, 0xc9 };
    struct svmc_insn insn;

    CHECK_EQ(decode64(AMD, good, sizeof good, &insn), SVMC_OK);
    CHECK_EQ(insn.id, SVMC_X86_TILEZERO);
    CHECK_EQ(insn.reg, 1);
    CHECK_EQ(decode64(AMD, bad, sizeof bad, &insn), SVMC_ERR_UNDEFINED);
}
