/* SPDX-License-Identifier: MIT */
/* svmc_insn_format: golden texts, bounds, and structures that no decode made. DE-14. */
#include "decode_rows.h"

struct text_row {
    char want[64];
    uint8_t vendor, count, bytes[15];
};

static const struct text_row golden[] = {
    { "mov qword ptr [rbx+rcx*4+0x10], rax", AMD, 5, { 0x48, 0x89, 0x44, 0x8b, 0x10 } },
    { "in al, 0x60", AMD, 2, { 0xe4, 0x60 } },
    { "out dx, eax", AMD, 1, { 0xef } },
    { "rep outsb dx, byte ptr [rsi]", AMD, 2, { 0xf3, 0x6e } },
    { "movzx eax, byte ptr fs:[r12-0x8]", AMD, 7, { 0x64, 0x41, 0x0f, 0xb6, 0x44, 0x24, 0xf8 } },
    { "mov eax, dword ptr [rip+0x1234]", AMD, 6, { 0x8b, 0x05, 0x34, 0x12, 0, 0 } },
    { "mov eax, dword ptr [rip+0x0]", AMD, 6, { 0x8b, 0x05, 0, 0, 0, 0 } },
    { "mov eax, dword ptr [eip-0x1]", AMD, 7, { 0x67, 0x8b, 0x05, 0xff, 0xff, 0xff, 0xff } },
    { "mov eax, dword ptr [rbp]", AMD, 3, { 0x8b, 0x45, 0x00 } },
    { "mov eax, dword ptr gs:[rbp]", AMD, 4, { 0x65, 0x8b, 0x45, 0x00 } },
    { "mov eax, dword ptr [ecx*8-0x80000000]", AMD, 8, { 0x67, 0x8b, 0x04, 0xcd, 0, 0, 0, 0x80 } },
    { "mov al, byte ptr [0xffffffff80000000]", AMD, 7, { 0x8a, 0x04, 0x25, 0, 0, 0, 0x80 } },
    { "mov al, byte ptr [0x80000000]", AMD, 8, { 0x67, 0x8a, 0x04, 0x25, 0, 0, 0, 0x80 } },
    { "mov al, byte ptr [0x8807060504030201]", AMD, 9, { 0xa0, 1, 2, 3, 4, 5, 6, 7, 0x88 } },
    { "mov word ptr fs:[0x9], ax", AMD, 11, { 0x64, 0x66, 0xa3, 9, 0, 0, 0, 0, 0, 0, 0 } },
    { "mov qword ptr [rdi], 0xffffffff80000000", AMD, 7, { 0x48, 0xc7, 0x07, 0, 0, 0, 0x80 } },
    { "mov r15d, 0x0", AMD, 6, { 0x41, 0xbf, 0, 0, 0, 0 } },
    { "mov bh, 0x80", AMD, 2, { 0xb7, 0x80 } },
    { "mov dil, r8b", AMD, 3, { 0x44, 0x88, 0xc7 } },
    { "movsx ax, byte ptr [rax]", AMD, 4, { 0x66, 0x0f, 0xbe, 0x00 } },
    { "movsxd rax, ecx", AMD, 3, { 0x48, 0x63, 0xc1 } },
    { "rep movsq qword ptr es:[rdi], qword ptr fs:[rsi]", AMD, 4, { 0xf3, 0x64, 0x48, 0xa5 } },
    { "movsd dword ptr es:[edi], dword ptr [esi]", AMD, 2, { 0x67, 0xa5 } },
    { "rep stosw word ptr es:[rdi], ax", AMD, 3, { 0xf2, 0x66, 0xab } },
    { "lodsb al, byte ptr [rsi]", AMD, 1, { 0xac } },
    { "insd dword ptr es:[rdi], dx", AMD, 1, { 0x6d } },
    { "out 0x80, al", AMD, 2, { 0xe6, 0x80 } },
    { "cpuid", AMD, 2, { 0x0f, 0xa2 } },
    { "rdmsr", AMD, 2, { 0x0f, 0x32 } },
    { "wrmsr", AMD, 2, { 0x0f, 0x30 } },
    { "hlt", AMD, 1, { 0xf4 } },
    { "vmcall", INTEL, 3, { 0x0f, 0x01, 0xc1 } },
    { "vmmcall", AMD, 3, { 0x0f, 0x01, 0xd9 } },
};

TEST(decode, texts)
{
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        const struct text_row *row = &golden[i];
        struct svmc_insn insn;
        char text[SVMC_INSN_TEXT_MAX];

        CHECK_EQ(decode64(row->vendor, row->bytes, row->count, &insn), SVMC_OK, "%s", row->want);
        CHECK_EQ(svmc_insn_format(&insn, text, sizeof text), SVMC_OK, "%s", row->want);
        CHECK(strcmp(text, row->want) == 0, "got \"%s\", want \"%s\"", text, row->want);
    }
}

TEST(decode, a_text_fits_or_is_refused)
{
    static const uint8_t bytes[] = { 0x48, 0x89, 0x44, 0x8b, 0x10 };
    static const char want[] = "mov qword ptr [rbx+rcx*4+0x10], rax";
    struct svmc_insn insn;
    char text[sizeof want + 8];

    REQUIRE(decode64(AMD, bytes, sizeof bytes, &insn) == SVMC_OK);
    for (size_t cap = 0; cap <= sizeof want + 1; cap++) {
        enum svmc_status st;

        memset(text, 0x7f, sizeof text);
        st = svmc_insn_format(&insn, text, cap);
        CHECK_EQ(st, cap < sizeof want ? SVMC_ERR_FULL : SVMC_OK, "cap %zu", cap);
        CHECK_EQ(text[cap], 0x7f, "cap %zu: nothing behind it is written", cap);
        if (st == SVMC_OK)
            CHECK(strcmp(text, want) == 0, "cap %zu", cap);
        else if (cap > 0)
            CHECK_EQ(text[0], 0, "cap %zu", cap);
    }
}

/* Every byte of a good structure, every value: an answer each time, and a terminated text. */
TEST(decode, a_structure_no_decode_made_is_answered)
{
    static const uint8_t bytes[] = { 0x48, 0xc7, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8 };
    struct svmc_insn good, bad;
    char text[SVMC_INSN_TEXT_MAX * 4];

    REQUIRE(decode64(AMD, bytes, sizeof bytes, &good) == SVMC_OK);
    for (size_t at = 0; at < sizeof good; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t raw[sizeof good];
            enum svmc_status st;

            memcpy(raw, &good, sizeof raw);
            raw[at] = (uint8_t)v;
            memcpy(&bad, raw, sizeof raw);
            st = svmc_insn_format(&bad, text, sizeof text);
            CHECK(st == SVMC_OK || (st == SVMC_ERR_ARG && text[0] == 0), "byte %zu = %u", at, v);
            CHECK(memchr(text, 0, sizeof text) != NULL, "byte %zu = %u", at, v);
        }
}

TEST(decode, bad_fields_are_arguments)
{
    static const uint8_t bytes[] = { 0x48, 0x89, 0x44, 0x8b, 0x10 };
    struct svmc_insn good, bad;
    char text[SVMC_INSN_TEXT_MAX] = "x";

    REQUIRE(decode64(AMD, bytes, sizeof bytes, &good) == SVMC_OK);
#define REFUSED(field, value)                                                      \
    do {                                                                           \
        bad = good;                                                                \
        bad.field = (value);                                                       \
        text[0] = 'x';                                                             \
        CHECK_EQ(svmc_insn_format(&bad, text, sizeof text), SVMC_ERR_ARG, #field); \
        CHECK_EQ(text[0], 0, #field);                                              \
    } while (0)
    REFUSED(id, SVMC_X86_NONE);
    REFUSED(id, SVMC_X86_VMMCALL + 1);
    REFUSED(id, 0xffff);
    REFUSED(length, 0);
    REFUSED(length, 16);
    REFUSED(operand_bytes, 3);
    REFUSED(address_bytes, 1);
    REFUSED(address_bytes, 0);
    REFUSED(repeat, 3);
    REFUSED(operand_count, 3); /* the third one is of no kind */
    REFUSED(operand_count, 5);
    REFUSED(operand_count, 255);
    REFUSED(operands[0].kind, 4);
    REFUSED(operands[0].kind, SVMC_OPERAND_NONE);
    REFUSED(operands[0].bytes, 16);
    REFUSED(operands[0].base, SVMC_REG_RFLAGS);
    REFUSED(operands[0].index, SVMC_REG_RSP);
    REFUSED(operands[0].index, SVMC_REG_RIP);
    REFUSED(operands[0].scale, 0);
    REFUSED(operands[0].scale, 3);
    REFUSED(operands[0].segment, SVMC_SEG_NONE);
    REFUSED(operands[1].reg, SVMC_REG_RIP);
    REFUSED(operands[1].reg, SVMC_REG_NONE);
    REFUSED(operands[1].high, 1); /* of eight bytes */
#undef REFUSED
    CHECK_EQ(svmc_insn_format(NULL, text, sizeof text), SVMC_ERR_ARG);
    CHECK_EQ(svmc_insn_format(&good, NULL, sizeof text), SVMC_ERR_ARG);
    CHECK_EQ(svmc_insn_format(&good, NULL, 0), SVMC_ERR_ARG);
    bad = (struct svmc_insn){ 0 }; /* what a failed decode leaves */
    CHECK_EQ(svmc_insn_format(&bad, text, sizeof text), SVMC_ERR_ARG);
}
