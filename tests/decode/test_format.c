/* SPDX-License-Identifier: MIT */
/* svmc_insn_format: golden texts, bounds, and structures that no decode made. Rules FO-n. */
#include "../harness.h"
#include <svmcore/insn.h>

#define AMD   SVMC_VENDOR_AMD
#define INTEL SVMC_VENDOR_INTEL

struct text_row {
    char want[80];
    uint8_t bits, vendor;
    char bytes[48]; /* hexadecimal */
};

/* "48 8b" -> two bytes. */
static enum svmc_status decode(unsigned isa, unsigned vendor, const uint8_t *bytes, size_t count,
                               struct svmc_insn *insn)
{
    struct svmc_cpu cpu = { .isa = (uint8_t)isa, .vendor = (uint8_t)vendor };

    if (isa <= SVMC_ISA_X86_64)
        cpu.features[0] = cpu.features[1] = ~(uint64_t)0;
    return svmc_insn_decode(&cpu, bytes, count, insn);
}

static void check_text(const struct svmc_insn *insn, const char *want)
{
    char text[SVMC_INSN_TEXT_MAX];

    CHECK_EQ(svmc_insn_format(insn, text, sizeof text), SVMC_OK, "%s", want);
    CHECK(strcmp(text, want) == 0, "got \"%s\", want \"%s\"", text, want);
}

static void check_rows(const struct text_row *rows, size_t row_count)
{
    for (size_t i = 0; i < row_count; i++) {
        const struct text_row *row = &rows[i];
        unsigned isa = row->bits == 16   ? SVMC_ISA_X86_16
                       : row->bits == 32 ? SVMC_ISA_X86_32
                                         : SVMC_ISA_X86_64;
        struct svmc_insn insn;
        uint8_t bytes[15];
        size_t count = harness_hex(row->bytes, bytes, sizeof bytes);

        CHECK_EQ(decode(isa, row->vendor, bytes, count, &insn), SVMC_OK, "%s", row->want);
        CHECK_EQ(insn.length, count, "%s", row->want);
        check_text(&insn, row->want);
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

/* Texts by Zydis; implicit string operands by SDM vol. 2. */
TEST(format, names_and_prefixes) /* FO-4, FO-5, FO-10 */
{
    static const struct text_row rows[] = {
        { "cpuid", 64, AMD, "0f a2" },
        { "vmmcall", 64, AMD, "0f 01 d9" },
        { "vmcall", 64, INTEL, "0f 01 c1" },
        { "lock xadd qword ptr [rax], rcx", 64, AMD, "f0 48 0f c1 08" },
        { "rep outsb dx, byte ptr [rsi]", 64, AMD, "f3 6e" },
        { "rep stosw word ptr es:[rdi], ax", 64, AMD, "f2 66 ab" },
        { "rep movsq qword ptr es:[rdi], qword ptr fs:[rsi]", 64, AMD, "f3 64 48 a5" },
        { "movsd dword ptr es:[edi], dword ptr [esi]", 64, AMD, "67 a5" },
        { "repe cmpsb byte ptr [rsi], byte ptr es:[rdi]", 64, AMD, "f3 a6" },
        { "repne scasb al, byte ptr es:[rdi]", 64, AMD, "f2 ae" },
        { "lodsb al, byte ptr [rsi]", 64, AMD, "ac" },
        { "insd dword ptr es:[rdi], dx", 64, AMD, "6d" },
        { "xlat byte ptr [rbx+al]", 64, AMD, "d7" },
        { "cbw", 64, AMD, "66 98" },
        { "cwde", 64, AMD, "98" },
        { "cdqe", 64, AMD, "48 98" },
        { "cwd", 16, AMD, "99" },
        { "cdq", 64, AMD, "99" },
        { "cqo", 64, AMD, "48 99" },
        { "pusha", 16, AMD, "60" },
        { "popad", 32, AMD, "61" },
        { "pushf", 64, AMD, "66 9c" },
        { "popfd", 32, AMD, "9d" },
        { "popfq", 64, AMD, "9d" },
        { "iret", 16, AMD, "cf" },
        { "iretd", 16, AMD, "66 cf" },
        { "iretq", 64, AMD, "48 cf" },
        { "jcxz +0x0", 16, AMD, "e3 fe" },
        { "jecxz +0x3", 64, AMD, "67 e3 00" },
        { "jrcxz +0x0", 64, AMD, "e3 fe" },
        { "ret far 0x10", 64, AMD, "ca 10 00" },
        { "wrssq qword ptr [rax], rcx", 64, INTEL, "48 0f 38 f6 08" },
        { "fxsave64 [rax]", 64, AMD, "48 0f ae 00" },
    };

    CHECK_ROWS(rows);
}

TEST(format, memory) /* FO-6, FO-7 */
{
    static const struct text_row rows[] = {
        { "mov qword ptr [rbx+rcx*4+0x10], rax", 64, AMD, "48 89 44 8b 10" },
        { "movzx eax, byte ptr fs:[r12-0x8]", 64, AMD, "64 41 0f b6 44 24 f8" },
        { "mov eax, dword ptr [rip+0x1234]", 64, AMD, "8b 05 34 12 00 00" },
        { "jmp far fword ptr [rip]", 64, AMD, "ff 2d 00 00 00 00" },
        { "mov eax, dword ptr [eip-0x1]", 64, AMD, "67 8b 05 ff ff ff ff" },
        { "mov eax, dword ptr [rbp]", 64, AMD, "8b 45 00" },
        { "mov eax, dword ptr gs:[rbp]", 64, AMD, "65 8b 45 00" },
        { "mov eax, dword ptr [rax]", 64, AMD, "36 8b 00" },
        { "mov eax, dword ptr cs:[ebp]", 32, AMD, "2e 8b 45 00" },
        { "mov ax, word ptr es:[0x1234]", 16, AMD, "26 a1 34 12" },
        { "mov ax, word ptr [bp+si+0x5]", 16, AMD, "8b 42 05" },
        { "mov ax, word ptr [eax+ecx*4]", 16, AMD, "67 8b 04 88" },
        { "mov eax, dword ptr [ecx*8-0x80000000]", 64, AMD, "67 8b 04 cd 00 00 00 80" },
        { "mov al, byte ptr [0xffffffff80000000]", 64, AMD, "8a 04 25 00 00 00 80" },
        { "mov al, byte ptr [0x80000000]", 64, AMD, "67 8a 04 25 00 00 00 80" },
        { "mov al, byte ptr [0x8807060504030201]", 64, AMD, "a0 01 02 03 04 05 06 07 88" },
        { "lea eax, [rbp+0x10]", 64, AMD, "8d 45 10" },
        { "lea ecx, [rbp+0x3a]", 64, AMD, "65 8d 4d 3a" },
        { "lgdt tbyte ptr [rax]", 64, AMD, "0f 01 10" },
        { "cmpxchg16b xmmword ptr [rdi]", 64, AMD, "48 0f c7 0f" },
        { "call far dword ptr [0x1000]", 16, AMD, "ff 1e 00 10" },
        { "movntq qword ptr [rax], mm0", 64, AMD, "0f e7 00" },
    };

    CHECK_ROWS(rows);
}

TEST(format, registers_and_numbers) /* FO-7, FO-8 */
{
    static const struct text_row rows[] = {
        { "in al, 0x60", 64, AMD, "e4 60" },
        { "out dx, eax", 64, AMD, "ef" },
        { "mov bh, 0x80", 64, AMD, "b7 80" },
        { "mov dil, r8b", 64, AMD, "44 88 c7" },
        { "mov al, ah", 64, AMD, "88 e0" },
        { "mov al, spl", 64, AMD, "40 88 e0" },
        { "shr r8w, 0x3", 64, AMD, "66 41 c1 e8 03" },
        { "mov r15d, 0x0", 64, AMD, "41 bf 00 00 00 00" },
        { "mov rax, 0x1122334455667788", 64, AMD, "48 b8 88 77 66 55 44 33 22 11" },
        { "mov qword ptr [rdi], 0xffffffff80000000", 64, AMD, "48 c7 07 00 00 00 80" },
        { "or ax, 0xffff", 64, AMD, "66 83 c8 ff" },
        { "mov cr0, rax", 64, AMD, "0f 22 c0" },
        { "mov rcx, cr8", 64, AMD, "44 0f 20 c1" },
        { "mov dr7, rax", 64, AMD, "0f 23 f8" },
        { "fxch st1", 64, AMD, "d9 c9" },
        { "movq mm0, mm1", 64, AMD, "0f 6f c1" },
        { "kmovb k3, byte ptr [rsp]", 64, AMD, "c5 f9 90 1c 24" },
        { "enter 0x1234, 0x5", 64, AMD, "c8 34 12 05" },
        { "jmp +0x7", 64, AMD, "eb 05" },
        { "jmp -0xe", 64, AMD, "eb f0" },
        { "call +0x0", 64, AMD, "e8 fb ff ff ff" },
        { "jmp far 0xbbaa:0x4030201", 32, AMD, "ea 01 02 03 04 aa bb" },
        { "call far 0x5678:0xabcd", 16, AMD, "9a cd ab 78 56" },
        { "vmrun eax", 64, AMD, "67 0f 01 d8" },
        { "vblendps ymm1, ymm0, ymm2, 0x7", 64, AMD, "c4 e3 7d 0c ca 07" },
        { "tileloadd tmm0, [rax+rcx*1]", 64, INTEL, "c4 e2 7b 4b 04 08" },
    };

    CHECK_ROWS(rows);
}

TEST(format, vector_decorations) /* FO-9 */
{
    static const struct text_row rows[] = {
        { "vaddps zmm0 {k1} {z}, zmm0, zmmword ptr [rcx+rdx*4+0x400]", 64, AMD,
          "62 f1 7c c9 58 44 91 10" },
        { "vaddps zmm0, zmm0, dword ptr [rcx+rbx*8+0x40] {1to16}", 64, AMD,
          "62 f1 7c 58 58 44 d9 10" },
        { "vaddps zmm0, zmm0, zmm0 {rn-sae}", 64, AMD, "62 f1 7c 18 58 c0" },
        { "vaddps zmm0, zmm0, zmm0 {rz-sae}", 64, AMD, "62 f1 7c 78 58 c0" },
        { "vcvtsi2sd xmm0, xmm0, eax", 64, AMD, "62 f1 7f 18 2a c0" },
        { "vcvtsi2sd xmm0, xmm0, rax {rn-sae}", 64, AMD, "62 f1 ff 18 2a c0" },
        { "vminps zmm0, zmm0, zmm0 {sae}", 64, AMD, "62 f1 7c 18 5d c0" },
        { "vpcompressd zmm0 {k7}, zmm0", 64, AMD, "62 f2 7d 4f 8b c0" },
        { "vpmovm2q zmm0, k1", 64, AMD, "62 f2 fe 48 38 c1" },
        { "vgatherdpd ymm2, qword ptr [rax+xmm1*8], ymm0", 64, AMD, "c4 e2 fd 92 14 c8" },
        { "vgatherqpd zmm25 {k7}, qword ptr [rdx+zmm23*1-0x400]", 64, AMD,
          "62 62 fd 47 93 4c 3a 80" },
        { "vgatherdpd zmm0 {k1}, qword ptr [rax+ymm1*8]", 64, AMD, "62 f2 fd 49 92 04 c8" },
        { "vrndscaleps zmm0, zmm1, 0x1", 64, AMD, "62 f3 7d 48 08 c1 01" },
        { "vrndscaleps zmm0, zmm1 {sae}, 0x1", 64, AMD, "62 f3 7d 18 08 c1 01" },
    };

    CHECK_ROWS(rows);
}

/* Texts by LLVM 19; names of system registers and aliases of SYS as FO-16 says. */
TEST(format, a64) /* FO-11, FO-12, FO-13, FO-14, FO-15, FO-16 */
{
    static const struct {
        uint32_t word;
        char want[64];
    } rows[] = {
        { 0xf9400420, "ldr x0, [x1, #8]" },
        { 0xb85fc3e1, "ldur w1, [sp, #-4]" },
        { 0x39c00441, "ldrsb w1, [x2, #1]" },
        { 0x79800442, "ldrsh x2, [x2, #2]" },
        { 0xb9800043, "ldrsw x3, [x2]" },
        { 0xf84085e4, "ldr x4, [x15], #8" },
        { 0xf81f8fe5, "str x5, [sp, #-8]!" },
        { 0xf8627866, "ldr x6, [x3, x2, lsl #3]" },
        { 0xb8a34828, "ldrsw x8, [x1, w3, uxtw]" },
        { 0x387e6bff, "ldrb wzr, [sp, x30]" },
        { 0x3dc00420, "ldr q0, [x1, #16]" },
        { 0xfc1f0c41, "str d1, [x2, #-16]!" },
        { 0x58000080, "ldr x0, #16" },
        { 0x98ffffe1, "ldrsw x1, #-4" },
        { 0xa9bf7bfd, "stp x29, x30, [sp, #-16]!" },
        { 0xa8c17bfd, "ldp x29, x30, [sp], #16" },
        { 0x69400440, "ldpsw x0, x1, [x2]" },
        { 0x28c10861, "ldp w1, w2, [x3], #8" },
        { 0xac010440, "stnp q0, q1, [x2, #32]" },
        { 0x885f7c41, "ldxr w1, [x2]" },
        { 0xc802fc61, "stlxr w2, x1, [x3]" },
        { 0xc87f0861, "ldxp x1, x2, [x3]" },
        { 0x88228c41, "stlxp w2, w1, w3, [x2]" },
        { 0x48e2fc41, "casalh w2, w1, [x2]" },
        { 0xb8e20041, "ldaddal w2, w1, [x2]" },
        { 0x38620041, "ldaddlb w2, w1, [x2]" },
        { 0xb8228041, "swp w2, w1, [x2]" },
        { 0xd503201f, "nop" },
        { 0xd5033b9f, "dsb ish" },
        { 0xd5033fdf, "isb" },
        { 0xd5033f5f, "clrex" },
        { 0xd503305f, "clrex #0" },
        { 0xd5031020, "wfit x0" },
        { 0x94000001, "bl #4" },
        { 0x17ffffff, "b #-4" },
        { 0x54000041, "b.ne #8" },
        { 0xb4000040, "cbz x0, #8" },
        { 0x37880020, "tbnz w0, #17, #4" },
        { 0xd65f03c0, "ret" },
        { 0xd65f0020, "ret x1" },
        { 0xd63f0020, "blr x1" },
        { 0xd71f0822, "braa x1, x2" },
        { 0xd4000022, "hvc #0x1" },
        { 0xd43fffe0, "brk #0xffff" },
        { 0xd69f03e0, "eret" },
        { 0xf9800020, "prfm pldl1keep, [x1]" },
        { 0xf8a26828, "prfm plil1keep, [x1, x2]" },
        { 0x0c407020, "ld1 { v0.8b }, [x1]" },
        { 0x4cdf2021, "ld1 { v1.16b, v2.16b, v3.16b, v4.16b }, [x1], #64" },
        { 0x0d40b041, "ld3 { v1.s, v2.s, v3.s }[1], [x2]" },
        { 0x4ddfe862, "ld3r { v2.4s, v3.4s, v4.4s }, [x3], #12" },
        { 0x19c21420, "setpt [x0]!, x1!, x2" },
        { 0x1901c440, "cpyfpn [x0]!, [x1]!, x2!" },
        { 0xd9201420, "stg x0, [x1], #16" },
        { 0xf83f03e0, "ldadd xzr, x0, [sp]" },
        { 0xd65f0bff, "retaa" },
        { 0xd65f03e0, "ret xzr" },
        { 0xc87f8861, "ldaxp x1, x2, [x3]" },
        { 0x48207c82, "casp x0, x1, x2, x3, [x4]" },
        { 0x19201041, "ldclrp x1, x0, [x2]" },
        { 0xf8bf4838, "rprfm #0, xzr, [x1]" },
        { 0xf8000fe5, "str x5, [sp, #0]!" },
        { 0xd503389f, "dsb #8" },
        { 0xd5300240, "mrs x0, s2_0_c0_c2_2" },
        { 0xf9800021, "prfm pldl1strm, [x1]" },
        { 0xd5184000, "msr s3_0_c4_c0_0, x0" },
        { 0xd53be041, "mrs x1, s3_3_c14_c0_2" },
        { 0xd50b7421, "sys #3, c7, c4, #1, x1 // dc" },
        { 0xd508871f, "sys #0, c8, c7, #0 // tlbi" },
        { 0xd50342df, "msr daifset, #2" },
        { 0xd503245f, "hint #34" },
        { 0x91000420, ".inst 0x91000420 // data.imm" },
        { 0x8b020020, ".inst 0x8b020020 // data.reg" },
        { 0x4e221c20, ".inst 0x4e221c20 // simd" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t w = rows[i].word;
        uint8_t bytes[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16),
                             (uint8_t)(w >> 24) };
        struct svmc_insn insn;

        CHECK_EQ(decode(SVMC_ISA_A64, 0, bytes, 4, &insn), SVMC_OK, "%s", rows[i].want);
        check_text(&insn, rows[i].want);
    }
}

TEST(format, other_processors_are_unsupported) /* FO-1 */
{
    static const uint8_t rv[] = { 0x13, 0, 0, 0 }, s390[] = { 0x18, 0x12 };
    struct svmc_insn insn;
    char text[SVMC_INSN_TEXT_MAX] = "x";

    CHECK_EQ(decode(SVMC_ISA_RV64, 0, rv, sizeof rv, &insn), SVMC_OK);
    CHECK_EQ(svmc_insn_format(&insn, text, sizeof text), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(text[0], 0);
    text[0] = 'x';
    CHECK_EQ(decode(SVMC_ISA_S390X, 0, s390, sizeof s390, &insn), SVMC_OK);
    CHECK_EQ(svmc_insn_format(&insn, text, sizeof text), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(text[0], 0);
}

TEST(format, a_text_fits_or_is_refused) /* FO-3 */
{
    static const uint8_t bytes[] = { 0x48, 0x89, 0x44, 0x8b, 0x10 };
    static const char want[] = "mov qword ptr [rbx+rcx*4+0x10], rax";
    struct svmc_insn insn;
    char text[sizeof want + 8];

    REQUIRE(decode(SVMC_ISA_X86_64, AMD, bytes, sizeof bytes, &insn) == SVMC_OK);
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

/* The longest text seen, and how many there were. */
struct extremes {
    size_t longest, count;
};

static void try_longest(unsigned isa, const uint8_t *bytes, size_t count, struct extremes *e)
{
    struct svmc_insn insn;
    char text[SVMC_INSN_TEXT_MAX];
    enum svmc_status st;

    if (decode(isa, isa == SVMC_ISA_A64 ? 0 : AMD, bytes, count, &insn) != SVMC_OK)
        return;
    st = svmc_insn_format(&insn, text, sizeof text);
    if (st != SVMC_OK)
        CHECK_EQ(st, SVMC_OK, "%02x %02x %02x %02x %02x %02x", bytes[0], bytes[1], bytes[2],
                 bytes[3], bytes[4], bytes[5]);
    else if (strlen(text) > e->longest)
        e->longest = strlen(text);
    e->count++;
}

/* An opcode's ModRM forms with the longest operands: [r15d+r14d*8-0x77777778], and registers. */
static void try_operands(unsigned isa, uint8_t *bytes, size_t at, struct extremes *e)
{
    for (unsigned reg = 0; reg < 8; reg++)
        for (unsigned memory = 0; memory < 2; memory++) {
            memset(bytes + at, 0x88, 15 - at);
            bytes[at] = (uint8_t)(memory ? 0x84 | reg << 3 : 0xc7 | reg << 3);
            if (memory)
                bytes[at + 1] = 0xf7;
            try_longest(isa, bytes, 15, e);
        }
}

TEST(format, text_max_suffices_for_x86) /* FO-3 */
{
    static const uint8_t prefixes[][4] = { { 1, 0x4f },
                                           { 2, 0x65, 0x4f },
                                           { 3, 0x65, 0xf0, 0x4f },
                                           { 3, 0x65, 0xf2, 0x4f },
                                           { 3, 0x65, 0xf3, 0x47 },
                                           { 3, 0x65, 0x66, 0x47 } };
    static const uint8_t escapes[][3] = {
        { 0 }, { 1, 0x0f }, { 2, 0x0f, 0x38 }, { 2, 0x0f, 0x3a }, { 2, 0x0f, 0x0f }
    };
    static const uint8_t evex_maps[5] = { 1, 2, 3, 5, 6 };
    struct extremes e = { 0, 0 };
    uint8_t bytes[15];

    for (unsigned op = 0; op < 256; op++) {
        for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++)
            for (size_t x = 0; x < sizeof escapes / sizeof escapes[0]; x++) {
                size_t at = prefixes[p][0];

                memcpy(bytes, prefixes[p] + 1, at);
                memcpy(bytes + at, escapes[x] + 1, escapes[x][0]);
                at += escapes[x][0];
                bytes[at] = (uint8_t)op;
                try_operands(SVMC_ISA_X86_64, bytes, at + 1, &e);
                try_operands(SVMC_ISA_X86_32, bytes, at + 1, &e);
            }
        for (unsigned map = 0; map < 6; map++)
            for (unsigned p1 = 0; p1 < 256; p1++) { /* vvvv: xmm15 or none */
                if ((p1 & 0x78) != 0 && (p1 & 0x78) != 0x78)
                    continue;
                memcpy(bytes, "\x65\x67", 2);
                bytes[2] = map < 3 ? 0xc4 : 0x8f;
                bytes[3] = (uint8_t)(map < 3 ? map + 1 : map + 5);
                bytes[4] = (uint8_t)p1;
                bytes[5] = (uint8_t)op;
                try_operands(SVMC_ISA_X86_64, bytes, 6, &e);
            }
        for (unsigned map = 0; map < 5; map++)
            for (unsigned p1 = 4; p1 < 256; p1++) {
                if (!(p1 & 4) || ((p1 & 0x78) != 0 && (p1 & 0x78) != 0x78))
                    continue;
                for (unsigned k = 0; k < 4; k++) { /* 512 bits; b, z and k7, V' on and off */
                    memcpy(bytes, "\x65\x67\x62", 3);
                    bytes[3] = evex_maps[map];
                    bytes[4] = (uint8_t)p1;
                    bytes[5] = (uint8_t)(0x47 | (k & 1 ? 0x90 : 0) | (k & 2 ? 0x08 : 0));
                    bytes[6] = (uint8_t)op;
                    try_operands(SVMC_ISA_X86_64, bytes, 7, &e);
                }
            }
    }
    CHECK(e.count > 100000, "%zu instructions", e.count);
    CHECK(e.longest >= 80 && e.longest < SVMC_INSN_TEXT_MAX, "longest %zu", e.longest);
}

TEST(format, text_max_suffices_for_a64) /* FO-3 */
{
    static const uint32_t registers[] = { 0x7fff, 0x7bde, 0x7bd7, 0 };
    struct extremes e = { 0, 0 };

    for (uint32_t high = 0; high < 2048; high++)
        for (uint32_t middle = 0; middle < 64; middle++)
            for (unsigned r = 0; r < 4; r++) {
                uint32_t x = registers[r];
                uint32_t w = high << 21 | (x & 31) << 16 | middle << 10 | (x & 1023);
                uint8_t bytes[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16),
                                     (uint8_t)(w >> 24) };

                try_longest(SVMC_ISA_A64, bytes, 4, &e);
            }
    CHECK(e.count > 100000, "%zu instructions", e.count);
    CHECK(e.longest >= 50 && e.longest < SVMC_INSN_TEXT_MAX, "longest %zu", e.longest);
}

/* Every byte of a good structure, every value: an answer each time, and a terminated text. */
static void try_each_byte(const struct svmc_insn *good)
{
    struct svmc_insn bad;
    char text[SVMC_INSN_TEXT_MAX * 4];

    for (size_t at = 0; at < sizeof *good; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t raw[sizeof bad];
            enum svmc_status st;

            memcpy(raw, good, sizeof raw);
            raw[at] = (uint8_t)v;
            memcpy(&bad, raw, sizeof raw);
            memset(text, 0x7f, sizeof text);
            st = svmc_insn_format(&bad, text, sizeof text);
            CHECK(st == SVMC_OK ||
                      ((st == SVMC_ERR_ARG || st == SVMC_ERR_UNSUPPORTED) && text[0] == 0),
                  "byte %zu = %u", at, v);
            CHECK(memchr(text, 0, sizeof text) != NULL, "byte %zu = %u", at, v);
        }
}

TEST(format, a_structure_no_decode_made_is_answered) /* FO-2 */
{
    static const uint8_t rows[][15] = {
        { 12, 0x48, 0xc7, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8 },
        { 8, 0x62, 0xf1, 0x7c, 0xc9, 0x58, 0x44, 0x91, 0x10 },
        { 8, 0x62, 0x62, 0xfd, 0x47, 0x93, 0x4c, 0x3a, 0x80 },
        { 4, 0xf3, 0x64, 0x48, 0xa5 },
        { 2, 0x48, 0x98 },
    };
    static const uint8_t words[][4] = { { 0x41, 0xfc, 0xe2, 0x48 },
                                        { 0x21, 0x20, 0xdf, 0x4c },
                                        { 0x00, 0x40, 0x18, 0xd5 },
                                        { 0x9f, 0x3b, 0x03, 0xd5 },
                                        { 0x1f, 0x09, 0x1f, 0xd7 } };
    struct svmc_insn good;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        REQUIRE(decode(SVMC_ISA_X86_64, AMD, rows[i] + 1, rows[i][0], &good) == SVMC_OK);
        try_each_byte(&good);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        REQUIRE(decode(SVMC_ISA_A64, 0, words[i], 4, &good) == SVMC_OK);
        try_each_byte(&good);
    }
}

TEST(format, bad_fields_are_arguments) /* FO-2 */
{
    static const uint8_t bytes[] = { 0x48, 0x89, 0x44, 0x8b, 0x10 }, cbw[] = { 0x66, 0x98 };
    struct svmc_insn good, bad;
    char text[SVMC_INSN_TEXT_MAX] = "x";

    REQUIRE(decode(SVMC_ISA_X86_64, AMD, bytes, sizeof bytes, &good) == SVMC_OK);
#define REFUSED(field, value)                                                      \
    do {                                                                           \
        bad = good;                                                                \
        bad.field = (value);                                                       \
        text[0] = 'x';                                                             \
        CHECK_EQ(svmc_insn_format(&bad, text, sizeof text), SVMC_ERR_ARG, #field); \
        CHECK_EQ(text[0], 0, #field);                                              \
    } while (0)
    REFUSED(id, SVMC_X86_NONE);
    REFUSED(id, 0xffff);
    REFUSED(isa, SVMC_ISA_NONE);
    REFUSED(isa, SVMC_ISA_A32);
    REFUSED(isa, 0xff);
    REFUSED(length, 0);
    REFUSED(length, 16);
    REFUSED(address_bytes, 1);
    REFUSED(address_bytes, 0);
    REFUSED(priv_raw[0], ~(uint32_t)0);
    REFUSED(base, SVMC_REG_RFLAGS);
    REFUSED(index, SVMC_REG_RIP);
    REFUSED(scale, 0);
    REFUSED(scale, 3);
    REFUSED(segment, SVMC_SEG_NONE);
#undef REFUSED
    REQUIRE(decode(SVMC_ISA_X86_64, AMD, cbw, sizeof cbw, &bad) == SVMC_OK);
    bad.operand_bytes = 1;
    CHECK_EQ(svmc_insn_format(&bad, text, sizeof text), SVMC_ERR_ARG, "cbw of one byte");
    CHECK_EQ(svmc_insn_format(NULL, text, sizeof text), SVMC_ERR_ARG);
    CHECK_EQ(svmc_insn_format(&good, NULL, sizeof text), SVMC_ERR_ARG);
    CHECK_EQ(svmc_insn_format(&good, NULL, 0), SVMC_ERR_ARG);
    bad = (struct svmc_insn){ 0 }; /* what a failed decode leaves */
    CHECK_EQ(svmc_insn_format(&bad, text, sizeof text), SVMC_ERR_ARG);
}
