/* SPDX-License-Identifier: MIT */
/* Bytes -> every field, by hand from SDM vol. 2 and APM vol. 3. */
#include "decode_rows.h"

#define RAX SVMC_REG_RAX
#define RCX SVMC_REG_RCX
#define RDX SVMC_REG_RDX
#define RBX SVMC_REG_RBX
#define RSP SVMC_REG_RSP
#define RBP SVMC_REG_RBP
#define RSI SVMC_REG_RSI
#define RDI SVMC_REG_RDI
#define R8  SVMC_REG_R8
#define R12 SVMC_REG_R12
#define R13 SVMC_REG_R13
#define RIP SVMC_REG_RIP
#define ES  SVMC_SEG_ES
#define SS  SVMC_SEG_SS
#define DS  SVMC_SEG_DS
#define FS  SVMC_SEG_FS
#define GS  SVMC_SEG_GS

/* { id, class, operand size, address size, repeat, extend, operand count } */
#define FLAG_NONE             0
#define FLAG_REP              SVMC_INSN_REP
#define FLAG_ZERO             SVMC_INSN_ZERO
#define FLAG_SIGN             SVMC_INSN_SIGN
#define SVMC_ACCESS_READ_REP  (SVMC_ACCESS_READ | SVMC_ACCESS_READ_IF) /* the count can be 0 */
#define SVMC_ACCESS_WRITE_REP (SVMC_ACCESS_WRITE | SVMC_ACCESS_WRITE_IF)
#define I(id_, class_, osize, asize, rep, ext, n)                                      \
    .id = SVMC_X86_##id_, .insn_class = SVMC_CLASS_##class_, .operand_bytes = (osize), \
    .address_bytes = (asize), .flags = (FLAG_##rep) | (FLAG_##ext), .operand_count = (n)

TEST(decode, moves_between_register_and_memory) /* DE-10: mov eax, edi is OTHER */
{
    static const struct decode_row rows[] = {
        { "mov [rax], al",
          AMD,
          2,
          { 0x88, 0x00 },
          { I(MOV, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 1, DS, RAX, NONE, 0, 0), REG(READ, 1, RAX) } } },
        { "mov [rbx+rcx*4+0x10], rax",
          AMD,
          5,
          { 0x48, 0x89, 0x44, 0x8b, 0x10 },
          { I(MOV, MEMORY, 8, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 8, DS, RBX, RCX, 4, 0x10), REG(READ, 8, RAX) } } },
        { "mov ah, [rcx+0x7f]",
          INTEL,
          3,
          { 0x8a, 0x61, 0x7f },
          { I(MOV, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { HIGH(WRITE, RAX), MEM(READ, 1, DS, RCX, NONE, 0, 0x7f) } } },
        { "mov ax, [rbp-0x80000000]",
          AMD,
          7,
          { 0x66, 0x8b, 0x85, 0, 0, 0, 0x80 },
          { I(MOV, MEMORY, 2, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 2, RAX),
                          MEM(READ, 2, SS, RBP, NONE, 0, -(int64_t)0x80000000) } } },
        { "mov eax, edi",
          AMD,
          2,
          { 0x89, 0xf8 },
          { I(MOV, OTHER, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), REG(READ, 4, RDI) } } },
        { "trailing bytes do not matter",
          AMD,
          6,
          { 0x8b, 0x00, 0xf0, 0x0f, 0x0b, 0x66 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2), .length = 2,
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RAX, NONE, 0, 0) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, every_way_to_address) /* DE-12 */
{
    static const struct decode_row rows[] = {
        { "[rip+0x1234]",
          AMD,
          6,
          { 0x8b, 0x05, 0x34, 0x12, 0, 0 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RIP, NONE, 0, 0x1234) } } },
        { "[eip-1]",
          AMD,
          7,
          { 0x67, 0x8b, 0x05, 0xff, 0xff, 0xff, 0xff },
          { I(MOV, MEMORY, 4, 4, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RIP, NONE, 0, -1) } } },
        { "REX.B leaves rip",
          AMD,
          7,
          { 0x41, 0x8b, 0x05, 1, 0, 0, 0 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RIP, NONE, 0, 1) } } },
        { "SIB without base",
          AMD,
          7,
          { 0x8b, 0x0c, 0x25, 0, 0, 0xfe, 0xca },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RCX),
                          MEM(READ, 4, DS, NONE, NONE, 0, -(int64_t)0x35020000) } } },
        { "SIB without base, REX.B, 67",
          AMD,
          9,
          { 0x67, 0x41, 0x8b, 0x04, 0x8d, 8, 0, 0, 0 },
          { I(MOV, MEMORY, 4, 4, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, NONE, RCX, 4, 8) } } },
        { "[rsp]",
          AMD,
          3,
          { 0x8b, 0x04, 0x24 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, SS, RSP, NONE, 0, 0) } } },
        { "[r12] needs a SIB",
          AMD,
          4,
          { 0x41, 0x8b, 0x04, 0x24 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, R12, NONE, 0, 0) } } },
        { "[r13+0] needs a displacement",
          AMD,
          4,
          { 0x41, 0x8b, 0x45, 0x00 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, R13, NONE, 0, 0) } } },
        { "r12 is an index, rbp no stack segment",
          AMD,
          5,
          { 0x42, 0x8b, 0x44, 0xe0, 0xff },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RAX, R12, 8, -1) } } },
        { "[rax+rbp*1] is in DS",
          AMD,
          3,
          { 0x8b, 0x04, 0x28 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RAX, RBP, 1, 0) } } },
        { "fs:[r12-8]",
          AMD,
          7,
          { 0x64, 0x41, 0x0f, 0xb6, 0x44, 0x24, 0xf8 },
          { I(MOVZX, MEMORY, 4, 8, NONE, ZERO, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 1, FS, R12, NONE, 0, -8) } } },
        { "gs:[ebx]",
          AMD,
          4,
          { 0x65, 0x67, 0x8b, 0x03 },
          { I(MOV, MEMORY, 4, 4, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, GS, RBX, NONE, 0, 0) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, moffs_of_every_width) /* cloud-hypervisor 5638: moffs forms were missing */
{
    static const struct decode_row rows[] = {
        { "mov al, [moffs64]",
          AMD,
          9,
          { 0xa0, 1, 2, 3, 4, 5, 6, 7, 0x88 },
          { I(MOV, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 1, RAX),
                          MEM(READ, 1, DS, NONE, NONE, 0, (int64_t)0x8807060504030201) } } },
        { "mov eax, [moffs32] is not sign-extended",
          AMD,
          6,
          { 0x67, 0xa1, 0, 0, 0, 0x80 },
          { I(MOV, MEMORY, 4, 4, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, NONE, NONE, 0, 0x80000000) } } },
        { "mov fs:[moffs64], ax",
          AMD,
          11,
          { 0x64, 0x66, 0xa3, 9, 0, 0, 0, 0, 0, 0, 0 },
          { I(MOV, MEMORY, 2, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 2, FS, NONE, NONE, 0, 9), REG(READ, 2, RAX) } } },
        { "mov [moffs64], rax",
          AMD,
          10,
          { 0x48, 0xa3, 9, 0, 0, 0, 0, 0, 0, 0 },
          { I(MOV, MEMORY, 8, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 8, DS, NONE, NONE, 0, 9), REG(READ, 8, RAX) } } },
        { "mov [moffs64], al",
          AMD,
          9,
          { 0xa2, 9, 0, 0, 0, 0, 0, 0, 0 },
          { I(MOV, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 1, DS, NONE, NONE, 0, 9), REG(READ, 1, RAX) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, immediates) /* DE-11 */
{
    static const struct decode_row rows[] = {
        { "mov al, 0x80",
          AMD,
          2,
          { 0xb0, 0x80 },
          { I(MOV, OTHER, 1, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 1, RAX), IMM(1, 0x80) } } },
        { "mov bh, 1",
          AMD,
          2,
          { 0xb7, 1 },
          { I(MOV, OTHER, 1, 8, NONE, NONE, 2), .operands = { HIGH(WRITE, RBX), IMM(1, 1) } } },
        { "mov dil, 1",
          AMD,
          3,
          { 0x40, 0xb7, 1 },
          { I(MOV, OTHER, 1, 8, NONE, NONE, 2), .operands = { REG(WRITE, 1, RDI), IMM(1, 1) } } },
        { "mov eax, 0xffffffff",
          AMD,
          5,
          { 0xb8, 0xff, 0xff, 0xff, 0xff },
          { I(MOV, OTHER, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), IMM(4, 0xffffffff) } } },
        { "mov r8, imm64",
          AMD,
          10,
          { 0x49, 0xb8, 1, 2, 3, 4, 5, 6, 7, 0x88 },
          { I(MOV, OTHER, 8, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 8, R8), IMM(8, 0x8807060504030201) } } },
        { "mov word [rdi], 0xfedc",
          AMD,
          5,
          { 0x66, 0xc7, 0x07, 0xdc, 0xfe },
          { I(MOV, MEMORY, 2, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 2, DS, RDI, NONE, 0, 0), IMM(2, 0xfedc) } } },
        { "mov dword [rdi], 0x80000000",
          AMD,
          6,
          { 0xc7, 0x07, 0, 0, 0, 0x80 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 4, DS, RDI, NONE, 0, 0), IMM(4, 0x80000000) } } },
        { "mov qword [rdi], -0x80000000",
          AMD,
          7,
          { 0x48, 0xc7, 0x07, 0, 0, 0, 0x80 },
          { I(MOV, MEMORY, 8, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 8, DS, RDI, NONE, 0, 0), IMM(8, 0xffffffff80000000) } } },
        { "displacement, then immediate",
          AMD,
          10,
          { 0xc7, 0x80, 4, 3, 2, 1, 8, 7, 6, 5 },
          { I(MOV, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 4, DS, RAX, NONE, 0, 0x01020304), IMM(4, 0x05060708) } } },
        { "mov byte [rax], 0xff",
          AMD,
          3,
          { 0xc6, 0x00, 0xff },
          { I(MOV, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 1, DS, RAX, NONE, 0, 0), IMM(1, 0xff) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, extending_moves) /* DE-10: extend only where the source is narrower */
{
    static const struct decode_row rows[] = {
        { "movzx ax, bh",
          AMD,
          4,
          { 0x66, 0x0f, 0xb6, 0xc7 },
          { I(MOVZX, OTHER, 2, 8, NONE, ZERO, 2),
            .operands = { REG(WRITE, 2, RAX), HIGH(READ, RBX) } } },
        { "movzx rax, word [rax]",
          AMD,
          4,
          { 0x48, 0x0f, 0xb7, 0x00 },
          { I(MOVZX, MEMORY, 8, 8, NONE, ZERO, 2),
            .operands = { REG(WRITE, 8, RAX), MEM(READ, 2, DS, RAX, NONE, 0, 0) } } },
        { "movsx eax, byte [rax]",
          AMD,
          3,
          { 0x0f, 0xbe, 0x00 },
          { I(MOVSX, MEMORY, 4, 8, NONE, SIGN, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 1, DS, RAX, NONE, 0, 0) } } },
        { "movsx ax, word [rax] extends nothing",
          AMD,
          4,
          { 0x66, 0x0f, 0xbf, 0x00 },
          { I(MOVSX, MEMORY, 2, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 2, RAX), MEM(READ, 2, DS, RAX, NONE, 0, 0) } } },
        { "movsxd rax, dword [rax]",
          AMD,
          3,
          { 0x48, 0x63, 0x00 },
          { I(MOVSXD, MEMORY, 8, 8, NONE, SIGN, 2),
            .operands = { REG(WRITE, 8, RAX), MEM(READ, 4, DS, RAX, NONE, 0, 0) } } },
        { "movsxd eax, dword [rax]",
          INTEL,
          2,
          { 0x63, 0x00 },
          { I(MOVSXD, MEMORY, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), MEM(READ, 4, DS, RAX, NONE, 0, 0) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, strings) /* DE-12; cloud-hypervisor 5132, 6646: MOVS widths were missing */
{
    static const struct decode_row rows[] = {
        { "movsb",
          AMD,
          1,
          { 0xa4 },
          { I(MOVS, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 1, ES, RDI, NONE, 0, 0),
                          MEM(READ, 1, DS, RSI, NONE, 0, 0) } } },
        { "rep movsw fs",
          AMD,
          4,
          { 0xf3, 0x64, 0x66, 0xa5 },
          { I(MOVS, MEMORY, 2, 8, REP, NONE, 2),
            .operands = { MEM(WRITE_REP, 2, ES, RDI, NONE, 0, 0),
                          MEM(READ_REP, 2, FS, RSI, NONE, 0, 0) } } },
        { "movsd, 32-bit addresses",
          AMD,
          2,
          { 0x67, 0xa5 },
          { I(MOVS, MEMORY, 4, 4, NONE, NONE, 2),
            .operands = { MEM(WRITE, 4, ES, RDI, NONE, 0, 0),
                          MEM(READ, 4, DS, RSI, NONE, 0, 0) } } },
        { "rep movsq by F2",
          AMD,
          3,
          { 0xf2, 0x48, 0xa5 },
          { I(MOVS, MEMORY, 8, 8, REP, NONE, 2),
            .operands = { MEM(WRITE_REP, 8, ES, RDI, NONE, 0, 0),
                          MEM(READ_REP, 8, DS, RSI, NONE, 0, 0) } } },
        { "rep stosd, gs is not the destination's",
          AMD,
          3,
          { 0x65, 0xf3, 0xab },
          { I(STOS, MEMORY, 4, 8, REP, NONE, 2),
            .operands = { MEM(WRITE_REP, 4, ES, RDI, NONE, 0, 0), REG(READ, 4, RAX) } } },
        { "stosb",
          AMD,
          1,
          { 0xaa },
          { I(STOS, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { MEM(WRITE, 1, ES, RDI, NONE, 0, 0), REG(READ, 1, RAX) } } },
        { "lodsq gs",
          AMD,
          3,
          { 0x65, 0x48, 0xad },
          { I(LODS, MEMORY, 8, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 8, RAX), MEM(READ, 8, GS, RSI, NONE, 0, 0) } } },
        { "lodsb",
          AMD,
          1,
          { 0xac },
          { I(LODS, MEMORY, 1, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 1, RAX), MEM(READ, 1, DS, RSI, NONE, 0, 0) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, ports)
{
    static const struct decode_row rows[] = {
        { "in al, 0x60",
          AMD,
          2,
          { 0xe4, 0x60 },
          { I(IN, PORT, 1, 8, NONE, NONE, 2), .operands = { REG(WRITE, 1, RAX), IMM(1, 0x60) } } },
        { "in eax, 0xff",
          AMD,
          2,
          { 0xe5, 0xff },
          { I(IN, PORT, 4, 8, NONE, NONE, 2), .operands = { REG(WRITE, 4, RAX), IMM(1, 0xff) } } },
        { "out 0x80, al",
          AMD,
          2,
          { 0xe6, 0x80 },
          { I(OUT, PORT, 1, 8, NONE, NONE, 2), .operands = { IMM(1, 0x80), REG(READ, 1, RAX) } } },
        { "out 0x80, ax",
          AMD,
          3,
          { 0x66, 0xe7, 0x80 },
          { I(OUT, PORT, 2, 8, NONE, NONE, 2), .operands = { IMM(1, 0x80), REG(READ, 2, RAX) } } },
        { "in al, dx",
          AMD,
          1,
          { 0xec },
          { I(IN, PORT, 1, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 1, RAX), REG(READ, 2, RDX) } } },
        { "in eax, dx with REX.W and 66",
          AMD,
          3,
          { 0x66, 0x48, 0xed },
          { I(IN, PORT, 4, 8, NONE, NONE, 2),
            .operands = { REG(WRITE, 4, RAX), REG(READ, 2, RDX) } } },
        { "out dx, al with 66",
          AMD,
          2,
          { 0x66, 0xee },
          { I(OUT, PORT, 1, 8, NONE, NONE, 2),
            .operands = { REG(READ, 2, RDX), REG(READ, 1, RAX) } } },
        { "out dx, eax; REP has no meaning",
          AMD,
          2,
          { 0xf3, 0xef },
          { I(OUT, PORT, 4, 8, NONE, NONE, 2),
            .operands = { REG(READ, 2, RDX), REG(READ, 4, RAX) } } },
        { "rep insb",
          AMD,
          2,
          { 0xf3, 0x6c },
          { I(INS, STRING_PORT, 1, 8, REP, NONE, 2),
            .operands = { MEM(WRITE_REP, 1, ES, RDI, NONE, 0, 0), REG(READ, 2, RDX) } } },
        { "rep insd by F2, 32-bit addresses",
          AMD,
          4,
          { 0xf2, 0x67, 0x48, 0x6d },
          { I(INS, STRING_PORT, 4, 4, REP, NONE, 2),
            .operands = { MEM(WRITE_REP, 4, ES, RDI, NONE, 0, 0), REG(READ, 2, RDX) } } },
        { "outsw fs",
          AMD,
          3,
          { 0x64, 0x66, 0x6f },
          { I(OUTS, STRING_PORT, 2, 8, NONE, NONE, 2),
            .operands = { REG(READ, 2, RDX), MEM(READ, 2, FS, RSI, NONE, 0, 0) } } },
        { "outsb",
          AMD,
          1,
          { 0x6e },
          { I(OUTS, STRING_PORT, 1, 8, NONE, NONE, 2),
            .operands = { REG(READ, 2, RDX), MEM(READ, 1, DS, RSI, NONE, 0, 0) } } },
    };

    CHECK_ROWS(rows);
}

TEST(decode, system)
{
    static const struct decode_row rows[] = {
        { "cpuid", AMD, 2, { 0x0f, 0xa2 }, { I(CPUID, CPUID, 4, 8, NONE, NONE, 0) } },
        { "cpuid, prefixes without effect",
          INTEL,
          5,
          { 0x66, 0xf3, 0x48, 0x0f, 0xa2 },
          { I(CPUID, CPUID, 4, 8, NONE, NONE, 0) } },
        { "wrmsr", AMD, 2, { 0x0f, 0x30 }, { I(WRMSR, MSR, 4, 8, NONE, NONE, 0) } },
        { "rdmsr", AMD, 2, { 0x0f, 0x32 }, { I(RDMSR, MSR, 4, 8, NONE, NONE, 0) } },
        { "hlt", AMD, 1, { 0xf4 }, { I(HLT, IDLE, 4, 8, NONE, NONE, 0) } },
        { "vmcall", INTEL, 3, { 0x0f, 0x01, 0xc1 }, { I(VMCALL, HYPERCALL, 4, 8, NONE, NONE, 0) } },
        { "vmmcall", AMD, 3, { 0x0f, 0x01, 0xd9 }, { I(VMMCALL, HYPERCALL, 4, 8, NONE, NONE, 0) } },
    };

    CHECK_ROWS(rows);
}
