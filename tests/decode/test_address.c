/* SPDX-License-Identifier: MIT */
/* svmc_insn_address: golden vectors by the manuals, and what holds for all instructions. AD-n. */
#include "../harness.h"
#include <stdlib.h>
#include <svmcore/address.h>

#define POISON 0xdead000000000000u

struct address_row {
    char name[40];
    uint8_t isa;
    char bytes[32]; /* hexadecimal */
    char regs[48];  /* hexadecimal, e.g. "r3=1000 pc=400000 fs=28" */
    uint8_t address_bits;
    uint64_t want;
    uint8_t fault;
};

/* "48 8b" -> two bytes. */
static enum svmc_status decode(unsigned isa, const uint8_t *bytes, size_t count,
                               struct svmc_insn *insn)
{
    struct svmc_cpu cpu = { .isa = (uint8_t)isa };

    if (isa <= SVMC_ISA_X86_64) {
        cpu.vendor = SVMC_VENDOR_AMD;
        cpu.features[0] = cpu.features[1] = ~(uint64_t)0;
    }
    return svmc_insn_decode(&cpu, bytes, count, insn);
}

static enum svmc_status decode_hex(unsigned isa, const char *hex, struct svmc_insn *insn)
{
    uint8_t bytes[16];

    return decode(isa, bytes, harness_hex(hex, bytes, sizeof bytes), insn);
}

/* "r3=1000 pc=400000 fs=28" -> *regs. What is not named is poison: read, it shows. */
static void read_regs(const char *text, struct svmc_address_regs *regs)
{
    static const char segments[6][3] = { "es", "cs", "ss", "ds", "fs", "gs" };
    char key[8];
    int used;

    for (unsigned i = 0; i < 32; i++)
        regs->general[i] = POISON + i;
    for (unsigned i = 0; i < 6; i++)
        regs->segment_base[i] = POISON + 64 + i;
    for (uint64_t v; sscanf(text, " %7[^=]=%" SCNx64 "%n", key, &v, &used) == 2; text += used) {
        if (key[0] == 'r')
            regs->general[strtoul(key + 1, NULL, 10) & 31] = v;
        if (strcmp(key, "pc") == 0)
            regs->pc = v;
        for (unsigned i = 0; i < 6; i++)
            if (strcmp(key, segments[i]) == 0)
                regs->segment_base[i] = v;
    }
}

static void check_row(const struct address_row *row)
{
    struct svmc_address_regs regs = { .address_bits = row->address_bits };
    struct svmc_address got;
    struct svmc_insn insn;

    read_regs(row->regs, &regs);
    REQUIRE(decode_hex(row->isa, row->bytes, &insn) == SVMC_OK, "%s", row->name);
    memset(&got, 0xee, sizeof got);
    CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 0, &got), SVMC_OK, "%s", row->name);
    CHECK_EQ(got.linear, row->want, "%s", row->name);
    CHECK_EQ(got.fault, row->fault, "%s", row->name);
    CHECK_EQ(got.new_base, 0, "%s", row->name);
}
#define CHECK_ROWS(rows)                                              \
    do {                                                              \
        for (size_t i_ = 0; i_ < sizeof(rows) / sizeof *(rows); i_++) \
            check_row(&(rows)[i_]);                                   \
    } while (0)

#define X64 SVMC_ISA_X86_64
#define X32 SVMC_ISA_X86_32
#define X16 SVMC_ISA_X86_16
#define FS  SVMC_SEG_FS
#define GP  SVMC_ADDRESS_FAULT_GP

TEST(address, x86_in_64_bit_mode) /* AD-2, AD-3, AD-4 */
{
    static const struct address_row rows[] = {
        { "[rbx+rcx*4+0x10]", X64, "48 8b 44 8b 10", "r3=1000 r1=20", 48, 0x1090, 0 },
        { "[rbx-1] wraps", X64, "8a 43 ff", "r3=0", 48, ~(uint64_t)0, 0 },
        { "[r13+r12*8]", X64, "4b 8b 44 e5 00", "r13=100 r12=2", 48, 0x110, 0 },
        { "[ebx+ecx*4-1]", X64, "67 8a 44 8b ff", "r3=abcd0000fffffff0 r1=5500000005", 48, 3, 0 },
        { "[rip+0x1234]", X64, "8b 05 34 12 00 00", "pc=400000", 48, 0x40123a, 0 },
        { "[rip+4], an immediate behind it", X64, "c7 05 04 00 00 00 01 02 03 04", "pc=400000", 48,
          0x40000e, 0 },
        { "[eip+0x10]", X64, "67 8b 05 10 00 00 00", "pc=fffffffffffffff0", 48, 7, 0 },
        { "[disp32] is sign-extended", X64, "8a 04 25 00 00 00 80", "", 48, 0xffffffff80000000, 0 },
        { "moffs of 64 bits", X64, "a0 01 02 03 04 05 06 00 00", "", 48, 0x60504030201, 0 },
        { "fs:[0x28]", X64, "64 48 8b 04 25 28 00 00 00", "fs=7fff00000000", 48, 0x7fff00000028,
          0 },
        { "fs:[eax]: the base is not cut", X64, "64 67 8a 00", "r0=1ffffffff fs=100000000", 48,
          0x1ffffffff, 0 },
        { "the base of SS does not count", X64, "8b 44 24 08", "r4=8000 ss=dead000000000000", 48,
          0x8008, 0 },
        { "CS override does nothing", X64, "2e 8a 00", "r0=77 cs=dead000000000000", 48, 0x77, 0 },
    };

    CHECK_ROWS(rows);
}

TEST(address, x86_below_64_bits) /* AD-3, AD-4 */
{
    static const struct address_row rows[] = {
        { "ds:[eax], cut to 32 bits", X32, "8a 00", "r0=200 ds=ffffff00", 0, 0x100, 0 },
        { "ss:[ebp+8]", X32, "8b 45 08", "r5=fffffffc ss=1000", 0, 0x1004, 0 },
        { "es:[eax*2+4]", X32, "26 8b 04 45 04 00 00 00", "r0=10 es=5000", 0, 0x5024, 0 },
        { "ds:[bx+si] in 32-bit code", X32, "67 8a 00", "r3=ffff8001 r6=18000 ds=10", 0, 0x11, 0 },
        { "ss:[bp+si+5] wraps at 64 KiB", X16, "8b 42 05", "r5=ffff r6=2 ss=12340", 0, 0x12346, 0 },
        { "FFFF:0010 is above 1 MiB", X16, "a0 10 00", "ds=ffff0", 0, 0x100000, 0 },
        { "ds:[disp16] is not negative", X16, "8a 06 ff ff", "ds=1000", 0, 0x10fff, 0 },
        { "ds:[eax] in 16-bit code", X16, "67 8a 00", "r0=12345 ds=0", 0, 0x12345, 0 },
        { "fs:[di]", X16, "64 8a 05", "r7=abc0001 fs=400", 0, 0x401, 0 },
    };

    CHECK_ROWS(rows);
}

TEST(address, canonical) /* AD-5: SDM vol. 1 3.3.7.1, vol. 3 6.15 */
{
    static const struct address_row rows[] = {
        { "the last of 48 bits", X64, "8a 00", "r0=7fffffffffff", 48, 0x7fffffffffff, 0 },
        { "one more", X64, "8a 00", "r0=800000000000", 48, 0x800000000000, GP },
        { "that with 57 bits", X64, "8a 00", "r0=800000000000", 57, 0x800000000000, 0 },
        { "one more of 57 bits", X64, "8a 00", "r0=100000000000000", 57, 0x100000000000000, GP },
        { "the first of the upper half", X64, "8a 00", "r0=ffff800000000000", 48,
          0xffff800000000000, 0 },
        { "one less", X64, "8a 00", "r0=ffff7fffffffffff", 48, 0xffff7fffffffffff, GP },
        { "the last byte counts", X64, "48 8b 00", "r0=7ffffffffff9", 48, 0x7ffffffffff9, GP },
        { "and the first", X64, "48 8b 00", "r0=ffff7fffffffffff", 48, 0xffff7fffffffffff, GP },
        { "and fits", X64, "48 8b 00", "r0=7ffffffffff8", 48, 0x7ffffffffff8, 0 },
        { "over the end of the space", X64, "48 8b 00", "r0=ffffffffffffffff", 48, ~(uint64_t)0,
          0 },
        { "stack: RSP", X64, "8a 04 24", "r4=800000000000", 48, 0x800000000000,
          SVMC_ADDRESS_FAULT_SS },
        { "stack: RBP", X64, "8a 45 00", "r5=800000000000", 48, 0x800000000000,
          SVMC_ADDRESS_FAULT_SS },
        { "R13 is not the stack", X64, "41 8a 45 00", "r13=800000000000", 48, 0x800000000000, GP },
        { "RSP in FS is not the stack", X64, "64 8a 04 24", "r4=800000000000 fs=0", 48,
          0x800000000000, GP },
        { "LEA accesses nothing", X64, "48 8d 00", "r0=800000000000", 48, 0x800000000000, 0 },
        { "no such thing in 32-bit mode", X32, "8a 00", "r0=ffffffff ds=0", 0, 0xffffffff, 0 },
    };

    CHECK_ROWS(rows);
}

TEST(address, bit_strings) /* AD-7: SDM vol. 2 3.1.1.9, Bit(); BT */
{
    static const struct address_row rows[] = {
        { "bts [rax], rcx of 64", X64, "48 0f ab 08", "r0=1000 r1=40", 48, 0x1008, 0 },
        { "bts [rax], rcx of 63", X64, "48 0f ab 08", "r0=1000 r1=3f", 48, 0x1000, 0 },
        { "bts [rax], rcx of -1", X64, "48 0f ab 08", "r0=1000 r1=ffffffffffffffff", 48, 0xff8, 0 },
        { "bt [rax], ecx of 2^31 - 1", X64, "0f a3 08", "r0=0 r1=ff0000007fffffff", 48, 0xffffffc,
          0 },
        { "btr [rax], ecx of -2^31", X64, "0f b3 08", "r0=20000000 r1=80000000", 48, 0x10000000,
          0 },
        { "btc [rax], cx of -32768", X64, "66 0f bb 08", "r0=2000 r1=8000", 48, 0x1000, 0 },
        { "bt [bx], cx wraps at 64 KiB", X16, "0f a3 0f", "r3=0 r1=ffff ds=100", 0, 0x100fe, 0 },
        { "bts [rax], 0x7f does not move", X64, "0f ba 28 7f", "r0=1000", 48, 0x1000, 0 },
    };

    CHECK_ROWS(rows);
}

TEST(address, special_registers) /* AD-3, AD-8: SDM vol. 2 XLAT, POP */
{
    static const struct address_row rows[] = {
        { "xlat takes AL", X64, "d7", "r3=1000 r0=ffffffffffffff80", 48, 0x1080, 0 },
        { "pop [rsp+8]", X64, "8f 44 24 08", "r4=1000", 48, 0x1010, 0 },
        { "pop [rsp], 16 bits", X64, "66 8f 04 24", "r4=1000", 48, 0x1002, 0 },
        { "pop [esp]", X32, "8f 04 24", "r4=1000 ss=0", 0, 0x1004, 0 },
        { "pop [rbp]", X64, "8f 45 00", "r5=1000", 48, 0x1000, 0 },
        { "push [rsp]", X64, "ff 34 24", "r4=1000", 48, 0x1000, 0 },
    };

    CHECK_ROWS(rows);
}

/* One operand of an instruction, by its place in the list. */
static void check_operand(const struct svmc_insn *insn, unsigned at,
                          const struct svmc_address_regs *regs, uint64_t want, const char *name)
{
    struct svmc_operand ops[SVMC_OPERANDS_MAX];
    struct svmc_address got;
    uint32_t count;

    REQUIRE(svmc_insn_operands(insn, ops, &count) == SVMC_OK && at < count, "%s", name);
    CHECK_EQ(svmc_insn_address(insn, &ops[at], regs, 0, &got), SVMC_OK, "%s", name);
    CHECK_EQ(got.linear, want, "%s", name);
}

TEST(address, both_operands_of_a_string_instruction) /* AD-1 */
{
    static const uint8_t movs[] = { 0x64, 0xa4 }, movs_67[] = { 0x67, 0xa5 },
                         mov[] = { 0x8a, 0x03 };
    struct svmc_address_regs regs = { .address_bits = 48 };
    struct svmc_operand ops[SVMC_OPERANDS_MAX];
    struct svmc_address got;
    struct svmc_insn insn;
    uint32_t count;

    regs.general[SVMC_REG_RSI] = 0x1100002000;
    regs.general[SVMC_REG_RDI] = 0x2200003000;
    regs.segment_base[FS] = 0x500;
    REQUIRE(decode(X64, movs, sizeof movs, &insn) == SVMC_OK);
    check_operand(&insn, 0, &regs, 0x2200003000, "movsb, destination");
    check_operand(&insn, 1, &regs, 0x1100002500, "movsb, source in FS");
    REQUIRE(decode(X64, movs_67, sizeof movs_67, &insn) == SVMC_OK);
    check_operand(&insn, 0, &regs, 0x3000, "movsd, EDI");
    check_operand(&insn, 1, &regs, 0x2000, "movsd, ESI");
    REQUIRE(decode(X64, mov, sizeof mov, &insn) == SVMC_OK);
    REQUIRE(svmc_insn_operands(&insn, ops, &count) == SVMC_OK);
    CHECK_EQ(svmc_insn_address(&insn, &ops[0], &regs, 0, &got), SVMC_ERR_ARG, "a register");
}

TEST(address, vector_index) /* AD-6: SDM vol. 2 2.3.12, VGATHERDPD, VGATHERQPD */
{
    static const struct {
        char name[40];
        char bytes[32];
        uint64_t base, lane, want;
    } rows[] = {
        { "vgatherdpd [rax+ymm1*8]", "62 f2 fd 49 92 04 c8", 0x1000, 2, 0x1010 },
        { "a dword is sign-extended", "62 f2 fd 49 92 04 c8", 0x1000, 0xabcd0000ffffffff, 0xff8 },
        { "vgatherqpd [rax+zmm1*8]", "62 f2 fd 49 93 04 c8", 0x1000, 0xffffffff, 0x800000ff8 },
        { "vpgatherdd, VEX", "c4 e2 79 90 14 c8", 0x1000, 0x80000000, 0xfffffffc00001000 },
        { "vpgatherqd, VEX", "c4 e2 79 91 14 c8", 0x1000, 0x80000000, 0x400001000 },
        { "vpscatterdq", "62 f2 fd 49 a0 04 c8", 0x1000, 0xfffffffe, 0xff0 },
        { "vscatterqps", "62 f2 7d 49 a3 04 c8", 0x1000, 0x100000000, 0x800001000 },
        { "address size 32", "67 62 f2 fd 49 93 04 c8", 0x1000, 0x100000000, 0x1000 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned lane = 0; lane < SVMC_ADDRESS_LANES; lane++) {
            struct svmc_address_regs regs = { .address_bits = 57 };
            struct svmc_address got;
            struct svmc_insn insn;

            regs.general[0] = rows[i].base;
            memset(regs.index, 0x5a, sizeof regs.index);
            regs.index[lane] = rows[i].lane;
            REQUIRE(decode_hex(X64, rows[i].bytes, &insn) == SVMC_OK, "%s", rows[i].name);
            CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, lane, &got), SVMC_OK, "%s",
                     rows[i].name);
            CHECK_EQ(got.linear, rows[i].want, "%s", rows[i].name);
        }
}

/* AD-6: a walk over the lanes that an operand has; SDM vol. 2 VPSCATTERQD, VPGATHERDQ: KL. */
TEST(address, lanes_of_an_operand)
{
    static const struct {
        char name[32];
        char bytes[32];
        unsigned lanes;
        uint64_t last; /* address of the last one */
    } rows[] = {
        { "vpscatterqd [rax+zmm1*8]", "62 f2 7d 49 a1 14 c8", 8, 0x1000 + 8 * 0x70 },
        { "vpgatherdq xmm2, [rax+xmm1*8]", "c4 e2 e1 90 14 c8", 2, 0x1000 + 8 * 0x10 },
        { "vgatherdps zmm2, [rax+zmm1*8]", "62 f2 7d 49 92 14 c8", 16, 0x1000 + 8 * 0xf0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_address_regs regs = { .address_bits = 48, .general = { 0x1000 } };
        struct svmc_operand ops[SVMC_OPERANDS_MAX];
        struct svmc_address got = { 0 }, first;
        unsigned at = 0, lanes = 0;
        struct svmc_insn insn;
        uint32_t count;

        for (unsigned lane = 0; lane < SVMC_ADDRESS_LANES; lane++)
            regs.index[lane] = 0x10 * lane;
        REQUIRE(decode_hex(X64, rows[i].bytes, &insn) == SVMC_OK, "%s", rows[i].name);
        REQUIRE(svmc_insn_operands(&insn, ops, &count) == SVMC_OK, "%s", rows[i].name);
        while (at < count && ops[at].kind != SVMC_OPERAND_MEM)
            at++;
        REQUIRE(at < count, "%s", rows[i].name);
        for (; lanes < ops[at].lanes; lanes++) {
            CHECK_EQ(svmc_insn_address(&insn, &ops[at], &regs, lanes, &got), SVMC_OK, "%s",
                     rows[i].name);
            CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, lanes, &first), SVMC_OK, "%s",
                     rows[i].name);
            CHECK_MEM(&got, &first, sizeof got, "%s, lane %u", rows[i].name, lanes);
        }
        CHECK_EQ(lanes, rows[i].lanes, "%s", rows[i].name);
        CHECK_EQ(got.linear, rows[i].last, "%s", rows[i].name);
    }
}

TEST(address, rows_of_a_tile) /* AD-9: SDM vol. 2 TILELOADD */
{
    static const uint8_t bytes[] = { 0xc4, 0xe2, 0x7b, 0x4b, 0x44, 0x48, 0x10 };
    struct svmc_address_regs regs = { .address_bits = 48 };
    struct svmc_address got;
    struct svmc_insn insn;

    regs.general[0] = 0x1000;
    regs.general[1] = 0x40;
    REQUIRE(decode(X64, bytes, sizeof bytes, &insn) == SVMC_OK);
    for (unsigned row = 0; row < 16; row++) {
        CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, row, &got), SVMC_OK, "row %u", row);
        CHECK_EQ(got.linear, 0x1010 + 0x80 * row, "row %u", row);
    }
    REQUIRE(decode_hex(X64, "c4 e2 78 49 00", &insn) == SVMC_OK, "ldtilecfg [rax]");
    CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 1, &got), SVMC_ERR_ARG, "it has no rows");
}

TEST(address, a64) /* AD-10, AD-11: Arm ARM J1.3, C6.2 LDR, STR; C7.2 LD1 */
{
    static const struct {
        char name[40];
        uint32_t word;
        char regs[48];
        uint64_t linear, new_base;
    } rows[] = {
        { "ldr x0, [x1, #8]", 0xf9400420, "r1=1000", 0x1008, 0 },
        { "ldur w1, [sp, #-4]", 0xb85fc3e1, "r31=1000", 0xffc, 0 },
        { "ldr x6, [x3, x2, lsl #3]", 0xf8627866, "r3=1000 r2=2000000000000002", 0x1010, 0 },
        { "ldrsw x8, [x1, w3, uxtw]", 0xb8a34828, "r1=1000 r3=55ffffffff", 0x100000fff, 0 },
        { "ldrsw x8, [x1, w3, sxtw #2]", 0xb8a3d828, "r1=1000 r3=55ffffffff", 0xffc, 0 },
        { "ldr x8, [x1, x3, sxtx]", 0xf863e828, "r1=1000 r3=ffffffffffffffff", 0xfff, 0 },
        { "ldr x8, [x1, xzr]", 0xf87f6828, "r1=1000 r31=77", 0x1000, 0 },
        { "str x5, [sp, #-8]!", 0xf81f8fe5, "r31=1000", 0xff8, 0xff8 },
        { "ldr x4, [x15], #8", 0xf84085e4, "r15=1000", 0x1000, 0x1008 },
        { "ldp x29, x30, [sp], #16", 0xa8c17bfd, "r31=1000", 0x1000, 0x1010 },
        { "stp x29, x30, [sp, #-16]!", 0xa9bf7bfd, "r31=1000", 0xff0, 0xff0 },
        { "ldr x0, #16", 0x58000080, "", 0x400010, 0 },
        { "ldrsw x1, #-4", 0x98ffffe1, "", 0x3ffffc, 0 },
        { "ld1 {v1-v4}, [x1], #64", 0x4cdf2021, "r1=1000", 0x1000, 0x1040 },
        { "ld3r, [x3], x2", 0x4dc2e862, "r3=1000 r2=123", 0x1000, 0x1123 },
        { "the top byte stays", 0xf9400420, "r1=ab00000000001000", 0xab00000000001008, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t w = rows[i].word;
        uint8_t bytes[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16),
                             (uint8_t)(w >> 24) };
        struct svmc_address_regs regs = { 0 };
        struct svmc_address got;
        struct svmc_insn insn;

        read_regs(rows[i].regs, &regs);
        regs.pc = 0x400000;
        REQUIRE(decode(SVMC_ISA_A64, bytes, 4, &insn) == SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 0, &got), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(got.linear, rows[i].linear, "%s", rows[i].name);
        CHECK_EQ(got.new_base, rows[i].new_base, "%s", rows[i].name);
        CHECK_EQ(got.fault, 0, "%s", rows[i].name);
    }
}

TEST(address, risc_v) /* AD-12: RISC-V vol. I 2.6 */
{
    static const struct address_row rows[] = {
        { "lw a0, -4(sp)", SVMC_ISA_RV64, "03 25 c1 ff", "r2=2", 0, 0xfffffffffffffffe, 0 },
        { "lw a0, -4(sp) of 32 bits", SVMC_ISA_RV32, "03 25 c1 ff", "r2=2", 0, 0xfffffffe, 0 },
        { "lw a0, 8(x0)", SVMC_ISA_RV64, "03 25 80 00", "r0=55", 0, 8, 0 },
        { "c.lwsp a0, 4(sp)", SVMC_ISA_RV64, "12 45", "r2=1000", 0, 0x1004, 0 },
    };

    CHECK_ROWS(rows);
}

TEST(address, s390x) /* AD-13: PoP 3 and 5, Address Generation */
{
    static const struct address_row rows[] = {
        { "l %r1, 0x123(%r2, %r3)", SVMC_ISA_S390X, "58 12 31 23", "r2=1000 r3=20000", 64, 0x21123,
          0 },
        { "31 bits", SVMC_ISA_S390X, "58 12 31 23", "r2=7fffffff r3=ff80000001", 31, 0x123, 0 },
        { "24 bits", SVMC_ISA_S390X, "58 12 31 23", "r2=ffffff r3=2", 24, 0x124, 0 },
        { "l %r1, 0x123: no register 0", SVMC_ISA_S390X, "58 10 01 23", "r0=5555", 64, 0x123, 0 },
        { "lg %r1, -1(%r3)", SVMC_ISA_S390X, "e3 10 3f ff ff 04", "r3=1000", 64, 0xfff, 0 },
        { "lgrl %r1, 8 behind", SVMC_ISA_S390X, "c4 18 00 00 00 04", "pc=400000", 64, 0x400008, 0 },
        { "la %r1, 0x10(%r3)", SVMC_ISA_S390X, "41 10 30 10", "r3=1000", 64, 0x1010, 0 },
    };

    CHECK_ROWS(rows);
}

TEST(address, s390x_vector_index) /* AD-13: PoP 21, VECTOR GATHER ELEMENT */
{
    static const uint8_t vgef[] = { 0xe7, 0x12, 0x30, 0x10, 0x00, 0x13 };
    static const uint8_t vgeg[] = { 0xe7, 0x12, 0x30, 0x10, 0x00, 0x12 };
    struct svmc_address_regs regs = { .address_bits = 64 };
    struct svmc_address got;
    struct svmc_insn insn;

    regs.general[3] = 0x1000;
    regs.index[1] = 0x5ffffffff;
    REQUIRE(decode(SVMC_ISA_S390X, vgef, sizeof vgef, &insn) == SVMC_OK);
    CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 1, &got), SVMC_OK, "vgef");
    CHECK_EQ(got.linear, 0x10000100f, "an element of 32 bits has no sign");
    REQUIRE(decode(SVMC_ISA_S390X, vgeg, sizeof vgeg, &insn) == SVMC_OK);
    CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 1, &got), SVMC_OK, "vgeg");
    CHECK_EQ(got.linear, 0x60000100f, "vgeg");
}

TEST(address, bad_arguments) /* AD-1 */
{
    static const uint8_t mov[] = { 0x8a, 0x00 }, cpuid[] = { 0x0f, 0xa2 },
                         a64[] = { 0, 0, 0, 0x94 };
    static const struct svmc_address zero;
    struct svmc_address_regs regs = { .address_bits = 48 }, bad;
    struct svmc_address got;
    struct svmc_insn insn, none;

#define REFUSED(insn_, regs_, lane_)                                                        \
    do {                                                                                    \
        memset(&got, 0xee, sizeof got);                                                     \
        CHECK_EQ(svmc_insn_address(insn_, NULL, regs_, lane_, &got), SVMC_ERR_ARG, #insn_); \
        CHECK_MEM(&got, &zero, sizeof got, #insn_);                                         \
    } while (0)
    REQUIRE(decode(X64, mov, sizeof mov, &insn) == SVMC_OK);
    CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 0, &got), SVMC_OK, "the good one");
    CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 0, NULL), SVMC_ERR_ARG, "out");
    REFUSED(NULL, &regs, 0);
    REFUSED(&insn, NULL, 0);
    REFUSED(&insn, &regs, 1); /* no lanes here */
    REFUSED(&insn, &regs, SVMC_ADDRESS_LANES);
    for (unsigned bits = 0; bits < 256; bits++)
        if (bits != 48 && bits != 57) {
            bad = regs;
            bad.address_bits = (uint8_t)bits;
            REFUSED(&insn, &bad, 0);
        }
    for (unsigned i = 0; i < sizeof bad.reserved; i++) {
        bad = regs;
        bad.reserved[i] = 1;
        REFUSED(&insn, &bad, 0);
    }
    none = insn;
    none.base = 16 + 1; /* RFLAGS */
    REFUSED(&none, &regs, 0);
    none = insn;
    none.segment = 6;
    REFUSED(&none, &regs, 0);
    none = (struct svmc_insn){ 0 }; /* what a failed decode leaves */
    REFUSED(&none, &regs, 0);
    REQUIRE(decode(X64, cpuid, sizeof cpuid, &insn) == SVMC_OK);
    REFUSED(&insn, &regs, 0);
    bad = (struct svmc_address_regs){ 0 };
    REQUIRE(decode(SVMC_ISA_A64, a64, sizeof a64, &insn) == SVMC_OK); /* bl */
    REFUSED(&insn, &bad, 0);
    REQUIRE(decode(X32, mov, sizeof mov, &insn) == SVMC_OK);
    REFUSED(&insn, &regs, 0); /* 48 bits outside 64-bit mode */
#undef REFUSED
}

/* Whether an operand reads general[n]. */
static bool reads(const struct svmc_insn *insn, unsigned n)
{
    return insn->base == n || insn->index == n ||
           (insn->reg_kind == SVMC_REG_KIND_GPR && insn->reg == n);
}

static struct svmc_address_regs random_regs(uint64_t *state, unsigned isa)
{
    struct svmc_address_regs regs = { .pc = harness_random(state) };

    for (unsigned i = 0; i < 32; i++)
        regs.general[i] = harness_random(state);
    for (unsigned i = 0; i < 6; i++)
        regs.segment_base[i] = harness_random(state);
    if (isa == X64)
        regs.address_bits = harness_random(state) & 1 ? 48 : 57;
    return regs;
}

/* AD-2, AD-3, AD-4, AD-5 for any instruction with one general memory operand. */
static void check_properties(const struct svmc_insn *insn, uint64_t *state)
{
    struct svmc_address_regs regs = random_regs(state, insn->isa), other = regs;
    uint64_t mask =
        insn->address_bytes == 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * insn->address_bytes) - 1;
    unsigned seg = insn->segment, unused_bits = 64u - regs.address_bits;
    struct svmc_address a, b;
    uint64_t base;

    CHECK_EQ(svmc_insn_address(insn, NULL, &regs, 0, &a), SVMC_OK, "id %u", insn->id);
    CHECK_EQ(a.new_base, 0, "id %u", insn->id);
    for (unsigned i = 0; i < 32; i++) /* what is not named is not read */
        if (!reads(insn, i))
            other.general[i] = ~other.general[i];
    for (unsigned i = 0; i < 6; i++)
        if (i != seg || (insn->isa == X64 && seg < SVMC_SEG_FS))
            other.segment_base[i] = ~other.segment_base[i];
    memset(other.index, 0x77, sizeof other.index);
    CHECK_EQ(svmc_insn_address(insn, NULL, &other, 0, &b), SVMC_OK, "id %u", insn->id);
    CHECK_MEM(&a, &b, sizeof a, "id %u", insn->id);
    if (insn->isa != X64) {
        CHECK(a.linear >> 32 == 0 && a.fault == 0, "id %u", insn->id);
    } else if (insn->mem_bytes == 1 && insn->access != SVMC_ACCESS_NONE) {
        bool canonical = (uint64_t)((int64_t)(a.linear << unused_bits) >> unused_bits) == a.linear;

        CHECK_EQ(a.fault != 0, !canonical, "id %u", insn->id);
    }
    base = insn->isa == X64 && seg < SVMC_SEG_FS ? 0 : regs.segment_base[seg];
    other = regs;
    if (insn->base <= SVMC_REG_R15 && insn->base != insn->index &&
        !(insn->reg_kind == SVMC_REG_KIND_GPR && insn->reg == insn->base)) {
        uint64_t delta = harness_random(state), before = (a.linear - base) & mask, after;

        other.general[insn->base] += delta;
        CHECK_EQ(svmc_insn_address(insn, NULL, &other, 0, &b), SVMC_OK, "id %u", insn->id);
        after = (b.linear - base) & mask;
        CHECK_EQ(after & 0xffffffff & mask, (before + delta) & 0xffffffff & mask, "id %u",
                 insn->id);
    }
}

TEST(address, holds_for_all) /* AD-1, AD-2, AD-5 */
{
    static const uint8_t first[8] = { 0x0f, 0x8b, 0x03, 0x66, 0x67, 0x64, 0x8a, 0x89 };
    uint64_t state = 20;
    unsigned seen = 0;

    for (unsigned n = 0; n < 200000; n++) {
        unsigned isa = X16 + n % 3;
        struct svmc_operand ops[SVMC_OPERANDS_MAX];
        struct svmc_address_regs regs;
        struct svmc_address a, b;
        struct svmc_insn insn;
        uint8_t bytes[16];
        uint32_t count, at = 0;

        for (unsigned i = 0; i < 16; i += 8) {
            uint64_t r = harness_random(&state);

            memcpy(bytes + i, &r, 8);
        }
        if (n % 2 == 0)
            bytes[0] = first[n / 2 % 8];
        if (decode(isa, bytes, sizeof bytes, &insn) != SVMC_OK || insn.access == SVMC_ACCESS_NONE)
            continue;
        REQUIRE(svmc_insn_operands(&insn, ops, &count) == SVMC_OK);
        while (at < count && ops[at].kind != SVMC_OPERAND_MEM)
            at++;
        REQUIRE(at < count, "id %u", insn.id);
        if (ops[at].lanes != 0) /* of general registers is what is held here */
            continue;
        seen++;
        check_properties(&insn, &state);
        regs = random_regs(&state, isa);
        CHECK_EQ(svmc_insn_address(&insn, NULL, &regs, 0, &a), SVMC_OK, "id %u", insn.id);
        CHECK_EQ(svmc_insn_address(&insn, &ops[at], &regs, 0, &b), SVMC_OK, "id %u", insn.id);
        CHECK_MEM(&a, &b, sizeof a, "id %u: the first memory operand", insn.id);
    }
    CHECK(seen > 20000, "%u instructions", seen);
}
