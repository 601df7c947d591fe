/* SPDX-License-Identifier: MIT */
/* Modes, features, vector encodings and conditional accesses; values from SDM vol. 2. */
#include "decode_rows.h"

#define X16 SVMC_ISA_X86_16
#define X32 SVMC_ISA_X86_32
#define X64 SVMC_ISA_X86_64

TEST(decode, sizes_follow_the_mode) /* DE-5, DE-15 */
{
    static const struct {
        char name[24];
        uint8_t isa, count, bytes[6], operand_bytes, address_bytes, base;
    } rows[] = {
        { "16: [bx+si]", X16, 2, { 0x8b, 0x00 }, 2, 2, SVMC_REG_RBX },
        { "16, 66", X16, 3, { 0x66, 0x8b, 0x00 }, 4, 2, SVMC_REG_RBX },
        { "16, 67", X16, 3, { 0x67, 0x8b, 0x00 }, 2, 4, SVMC_REG_RAX },
        { "32: [eax]", X32, 2, { 0x8b, 0x00 }, 4, 4, SVMC_REG_RAX },
        { "32, 66", X32, 3, { 0x66, 0x8b, 0x00 }, 2, 4, SVMC_REG_RAX },
        { "32, 67", X32, 3, { 0x67, 0x8b, 0x00 }, 4, 2, SVMC_REG_RBX },
        { "64: [rax]", X64, 2, { 0x8b, 0x00 }, 4, 8, SVMC_REG_RAX },
        { "64, 67", X64, 3, { 0x67, 0x8b, 0x00 }, 4, 4, SVMC_REG_RAX },
        { "64, REX.W beats 66", X64, 4, { 0x66, 0x48, 0x8b, 0x00 }, 8, 8, SVMC_REG_RAX },
        { "64: push [rax]", X64, 2, { 0xff, 0x30 }, 8, 8, SVMC_REG_RAX },
        { "64: push word [rax]", X64, 3, { 0x66, 0xff, 0x30 }, 2, 8, SVMC_REG_RAX },
        { "32: push [eax]", X32, 2, { 0xff, 0x30 }, 4, 4, SVMC_REG_RAX },
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode_on(cpu_of(rows[i].isa, AMD), rows[i].bytes, rows[i].count, &insn), SVMC_OK,
                 "%s", rows[i].name);
        CHECK_EQ(insn.operand_bytes, rows[i].operand_bytes, "%s", rows[i].name);
        CHECK_EQ(insn.mem_bytes, rows[i].operand_bytes, "%s", rows[i].name);
        CHECK_EQ(insn.address_bytes, rows[i].address_bytes, "%s", rows[i].name);
        CHECK_EQ(insn.base, rows[i].base, "%s", rows[i].name);
    }
}

TEST(decode, sixteen_bit_addresses) /* DE-12; SDM vol. 2 table 2-1 */
{
    static const uint8_t base[8] = { SVMC_REG_RBX, SVMC_REG_RBX, SVMC_REG_RBP, SVMC_REG_RBP,
                                     SVMC_REG_RSI, SVMC_REG_RDI, SVMC_REG_RBP, SVMC_REG_RBX };
    static const uint8_t index[8] = { SVMC_REG_RSI, SVMC_REG_RDI, SVMC_REG_RSI, SVMC_REG_RDI,
                                      NONE,         NONE,         NONE,         NONE };

    for (uint8_t rm = 0; rm < 8; rm++) {
        const uint8_t bytes[] = { 0x8b, (uint8_t)(0x80 | rm), 0x34, 0x92 };
        struct svmc_insn insn;

        CHECK_EQ(decode_on(cpu_of(X16, AMD), bytes, sizeof bytes, &insn), SVMC_OK, "rm %u", rm);
        CHECK_EQ(insn.length, 4, "rm %u", rm);
        CHECK_EQ(insn.base, base[rm], "rm %u", rm);
        CHECK_EQ(insn.index, index[rm], "rm %u", rm);
        CHECK_EQ(insn.scale, index[rm] != NONE, "rm %u", rm);
        CHECK_EQ(insn.disp, (int64_t)0x9234 - 0x10000, "rm %u", rm);
        CHECK_EQ(insn.segment, base[rm] == SVMC_REG_RBP ? SVMC_SEG_SS : SVMC_SEG_DS, "rm %u", rm);
    }
}

TEST(decode, one_byte_two_meanings) /* DE-15; SDM vol. 2 2.3.5 */
{
    static const struct {
        char name[20];
        uint8_t isa, count, bytes[8];
        uint16_t id;
    } rows[] = {
        { "inc eax", X32, 1, { 0x40 }, SVMC_X86_INC },
        { "dec ax", X16, 1, { 0x48 }, SVMC_X86_DEC },
        { "rex nop", X64, 2, { 0x48, 0x90 }, SVMC_X86_NOP },
        { "lds", X32, 2, { 0xc5, 0x00 }, SVMC_X86_LDS },
        { "les", X16, 2, { 0xc4, 0x00 }, SVMC_X86_LES },
        { "vmovups, 32", X32, 4, { 0xc5, 0xf8, 0x10, 0x00 }, SVMC_X86_VMOVUPS },
        { "vmovups, 16", X16, 4, { 0xc5, 0xf8, 0x10, 0x00 }, SVMC_X86_VMOVUPS },
        { "vmovups, 64", X64, 4, { 0xc5, 0x78, 0x10, 0x00 }, SVMC_X86_VMOVUPS },
        { "bound", X32, 2, { 0x62, 0x00 }, SVMC_X86_BOUND },
        { "evex, 32", X32, 6, { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00 }, SVMC_X86_VMOVUPS },
        { "pop [eax]", X32, 2, { 0x8f, 0x00 }, SVMC_X86_POP },
        { "arpl", X32, 2, { 0x63, 0xc0 }, SVMC_X86_ARPL },
        { "movsxd", X64, 2, { 0x63, 0xc0 }, SVMC_X86_MOVSXD },
        { "jcxz", X16, 2, { 0xe3, 0x00 }, SVMC_X86_NONE }, /* which id is not looked at */
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode_on(cpu_of(rows[i].isa, AMD), rows[i].bytes, rows[i].count, &insn), SVMC_OK,
                 "%s", rows[i].name);
        CHECK_EQ(insn.length, rows[i].count, "%s", rows[i].name);
        if (rows[i].id != SVMC_X86_NONE)
            CHECK_EQ(insn.id, rows[i].id, "%s", rows[i].name);
    }
}

TEST(decode, what_only_64_bit_mode_has) /* DE-15, DE-4, DE-17 */
{
    static const uint8_t es[] = { 0x26, 0x8b, 0x00 }, vvvv[] = { 0xc4, 0xe1, 0x00, 0x14, 0xc1 };
    static const uint8_t v4[] = { 0x62, 0xf1, 0x7c, 0x40, 0x58, 0xc1 };
    static const uint8_t swapgs[] = { 0x0f, 0x01, 0xf8 };
    struct svmc_insn insn;

    CHECK_EQ(decode_on(cpu_of(X32, AMD), es, sizeof es, &insn), SVMC_OK);
    CHECK_EQ(insn.segment, SVMC_SEG_ES);
    CHECK_EQ(decode64(AMD, es, sizeof es, &insn), SVMC_OK);
    CHECK_EQ(insn.segment, SVMC_SEG_DS);
    CHECK_EQ(decode_on(cpu_of(X32, AMD), vvvv, sizeof vvvv, &insn), SVMC_OK, "vunpcklps");
    CHECK_EQ(operand_at(&insn, 1).reg, 7, "bit 3 of vvvv is ignored");
    CHECK_EQ(decode64(AMD, vvvv, sizeof vvvv, &insn), SVMC_OK);
    CHECK_EQ(operand_at(&insn, 1).reg, 15);
    CHECK_EQ(decode_on(cpu_of(X32, AMD), v4, sizeof v4, &insn), SVMC_ERR_UNDEFINED);
    CHECK_EQ(insn.refusal, SVMC_REFUSAL_VVVV);
    CHECK_EQ(decode64(AMD, v4, sizeof v4, &insn), SVMC_OK, "vaddps zmm0, zmm16, zmm1");
    CHECK_EQ(operand_at(&insn, 1).reg_kind, SVMC_REG_KIND_MASK, "k0");
    CHECK_EQ(operand_at(&insn, 2).reg, 16);
    CHECK_EQ(decode64(AMD, swapgs, sizeof swapgs, &insn), SVMC_OK);
    CHECK_EQ(decode_on(cpu_of(X32, AMD), swapgs, sizeof swapgs, &insn), SVMC_ERR_UNDEFINED);
    CHECK_EQ(insn.refusal, SVMC_REFUSAL_MODE);
}

TEST(decode, a_feature_decides) /* DE-16 */
{
    static const struct {
        char name[24];
        uint8_t count, bytes[6], feature;
        uint16_t with, without; /* NONE: refused with FEATURE */
    } rows[] = {
        { "movaps needs none", 3, { 0x0f, 0x29, 0 }, 1, SVMC_X86_MOVAPS, SVMC_X86_MOVAPS },
        { "vmovups", 4, { 0xc5, 0xf8, 0x10, 0 }, SVMC_X86_FEATURE_AVX, SVMC_X86_VMOVUPS, 0 },
        { "xsave", 3, { 0x0f, 0xae, 0x20 }, SVMC_X86_FEATURE_XSAVE, SVMC_X86_XSAVE, 0 },
        { "rdtscp", 3, { 0x0f, 0x01, 0xf9 }, SVMC_X86_FEATURE_RDTSCP, SVMC_X86_RDTSCP, 0 },
        { "movbe", 4, { 0x0f, 0x38, 0xf0, 0 }, SVMC_X86_FEATURE_MOVBE, SVMC_X86_MOVBE, 0 },
        { "pfadd", 4, { 0x0f, 0x0f, 0, 0x9e }, SVMC_X86_FEATURE_3DNOW, SVMC_X86_PFADD, 0 },
        { "bndmk or nop",
          4,
          { 0xf3, 0x0f, 0x1b, 0 },
          SVMC_X86_FEATURE_MPX,
          SVMC_X86_BNDMK,
          SVMC_X86_NOP },
        { "wbnoinvd or wbinvd",
          3,
          { 0xf3, 0x0f, 0x09 },
          SVMC_X86_FEATURE_WBNOINVD,
          SVMC_X86_WBNOINVD,
          SVMC_X86_WBINVD },
        { "512 bits",
          6,
          { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0 },
          SVMC_X86_FEATURE_AVX512VL,
          SVMC_X86_VMOVUPS,
          SVMC_X86_VMOVUPS },
        { "256 bits",
          6,
          { 0x62, 0xf1, 0x7c, 0x28, 0x10, 0 },
          SVMC_X86_FEATURE_AVX512VL,
          SVMC_X86_VMOVUPS,
          0 },
    };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_cpu cpu = cpu_of(X64, INTEL);

        CHECK_EQ(decode_on(cpu, rows[i].bytes, rows[i].count, &insn), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.id, rows[i].with, "%s", rows[i].name);
        cpu = cpu_without(cpu, rows[i].feature);
        CHECK_EQ(decode_on(cpu, rows[i].bytes, rows[i].count, &insn),
                 rows[i].without ? SVMC_OK : SVMC_ERR_UNDEFINED, "%s", rows[i].name);
        CHECK_EQ(insn.id, rows[i].without, "%s", rows[i].name);
        CHECK_EQ(insn.refusal, rows[i].without ? SVMC_REFUSAL_NONE : SVMC_REFUSAL_FEATURE, "%s",
                 rows[i].name);
    }
}

TEST(decode, vector_memory) /* DE-12, DE-17; SDM vol. 2 2.7.5, 2.3.12 */
{
    static const uint8_t plain[] = { 0x62, 0xf1, 0x7c, 0x48, 0x58, 0x40, 0x01 };
    static const uint8_t broadcast[] = { 0x62, 0xf1, 0x7c, 0x58, 0x58, 0x40, 0x01 };
    static const uint8_t gather[] = { 0xc4, 0xe2, 0x71, 0x92, 0x14, 0x98 };
    struct svmc_operand memory;
    struct svmc_insn insn;

    CHECK_EQ(decode64(INTEL, plain, sizeof plain, &insn), SVMC_OK, "vaddps zmm0, zmm0, [rax+64]");
    CHECK_EQ(insn.disp, 64);
    CHECK_EQ(insn.mem_bytes, 64);
    CHECK_EQ(insn.operand_bytes, 0);
    CHECK_EQ(operand_at(&insn, 3).broadcast, 0);
    CHECK_EQ(decode64(INTEL, broadcast, sizeof broadcast, &insn), SVMC_OK, "[rax+4]{1to16}");
    CHECK_EQ(insn.disp, 4);
    CHECK_EQ(insn.mem_bytes, 4);
    memory = operand_at(&insn, 3); /* behind the mask and the first source */
    CHECK_EQ(memory.kind, SVMC_OPERAND_MEM);
    CHECK_EQ(memory.bytes, 4);
    CHECK_EQ(memory.broadcast, 16);
    CHECK_EQ(decode64(INTEL, gather, sizeof gather, &insn), SVMC_OK,
             "vgatherdps xmm2, [rax+xmm3*4], xmm1");
    CHECK_EQ(insn.mem_bytes, 4);
    CHECK_EQ(insn.base, SVMC_REG_RAX);
    CHECK_EQ(insn.index, 3);
    CHECK_EQ(insn.scale, 4);
    memory = operand_at(&insn, 1);
    CHECK_EQ(memory.index_bytes, 16);
    CHECK_EQ(memory.lane_bytes, 4);
    CHECK_EQ(memory.index, 3);
    CHECK_EQ(operand_at(&insn, 2).reg, 1);
    CHECK_EQ(operand_at(&insn, 2).reg_kind, SVMC_REG_KIND_VECTOR);
}

TEST(decode, accesses_under_a_condition) /* DE-18, DE-7 */
{
    static const unsigned w_if = SVMC_ACCESS_WRITE | SVMC_ACCESS_WRITE_IF;
    static const unsigned r_if = SVMC_ACCESS_READ | SVMC_ACCESS_READ_IF;
    static const struct {
        char name[28];
        uint8_t count, bytes[6], access, mem_bytes;
    } rows[] = {
        { "lea reads nothing", 2, { 0x8d, 0x03 }, SVMC_ACCESS_NONE, 0 },
        { "invlpg", 3, { 0x0f, 0x01, 0x3b }, SVMC_ACCESS_NONE, 1 },
        { "add [rbx], eax", 2, { 0x01, 0x03 }, SVMC_ACCESS_RW, 4 },
        { "cmp [rbx], eax", 2, { 0x39, 0x03 }, SVMC_ACCESS_READ, 4 },
        { "cmovz eax, [rbx]", 3, { 0x0f, 0x44, 0x03 }, SVMC_ACCESS_READ, 4 },
        { "cmpxchg [rbx], eax", 3, { 0x0f, 0xb1, 0x03 }, SVMC_ACCESS_RW | SVMC_ACCESS_WRITE_IF, 4 },
        { "vmovups [rax], zmm0", 6, { 0x62, 0xf1, 0x7c, 0x48, 0x11, 0 }, SVMC_ACCESS_WRITE, 64 },
        { "vmovups [rax]{k1}, zmm0", 6, { 0x62, 0xf1, 0x7c, 0x49, 0x11, 0 }, w_if, 64 },
        { "stosb", 1, { 0xaa }, SVMC_ACCESS_WRITE, 1 },
        { "rep stosb", 2, { 0xf3, 0xaa }, w_if, 1 },
        { "rep outsb", 2, { 0xf3, 0x6e }, r_if, 1 },
    };
    static const uint8_t cmov[] = { 0x0f, 0x44, 0x03 };
    static const uint8_t merging[] = { 0x62, 0xf1, 0x7c, 0x49, 0x10, 0x00 };
    static const uint8_t zeroing[] = { 0x62, 0xf1, 0x7c, 0xc9, 0x10, 0x00 };
    struct svmc_insn insn;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode64(AMD, rows[i].bytes, rows[i].count, &insn), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(insn.access, rows[i].access, "%s", rows[i].name);
        CHECK_EQ(insn.mem_bytes, rows[i].mem_bytes, "%s", rows[i].name);
    }
    CHECK_EQ(decode64(AMD, cmov, sizeof cmov, &insn), SVMC_OK);
    CHECK_EQ(operand_at(&insn, 0).access & w_if, w_if, "the register of cmov");
    CHECK_EQ(decode64(AMD, merging, sizeof merging, &insn), SVMC_OK);
    CHECK_EQ(operand_at(&insn, 0).access, w_if | SVMC_ACCESS_READ,
             "what the mask leaves out stays");
    CHECK_EQ(decode64(AMD, zeroing, sizeof zeroing, &insn), SVMC_OK);
    CHECK_EQ(operand_at(&insn, 0).access, SVMC_ACCESS_WRITE, "or is zeroed");
}
