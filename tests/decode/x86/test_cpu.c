/* SPDX-License-Identifier: MIT */
/*
 * svmc_cpu_from_cpuid: each bit alone, processors as libvirt and the kernel read them, bad input.
 * Rule DE-20.
 */
#include "../../harness.h"
#include <svmcore/x86_cpu.h>

#define AMD_NAME   0x68747541, 0x444d4163, 0x69746e65 /* EBX, ECX, EDX of AuthenticAMD */
#define INTEL_NAME 0x756e6547, 0x6c65746e, 0x49656e69
#define COUNT(a)   (sizeof(a) / sizeof(a)[0])
#define ALL        0xffffffffu

enum { EAX, EBX, ECX, EDX };

/* Where each feature's bit is, by the manuals; written apart from the table of cpu.c. */
#define BITS(X)                            \
    X(SSE3, 0x1, 0, ECX, 0)                \
    X(PCLMULQDQ, 0x1, 0, ECX, 1)           \
    X(MONITOR, 0x1, 0, ECX, 3)             \
    X(SMX, 0x1, 0, ECX, 6)                 \
    X(SSSE3, 0x1, 0, ECX, 9)               \
    X(FMA, 0x1, 0, ECX, 12)                \
    X(SSE4_1, 0x1, 0, ECX, 19)             \
    X(SSE4_2, 0x1, 0, ECX, 20)             \
    X(MOVBE, 0x1, 0, ECX, 22)              \
    X(POPCNT, 0x1, 0, ECX, 23)             \
    X(AES, 0x1, 0, ECX, 25)                \
    X(XSAVE, 0x1, 0, ECX, 26)              \
    X(AVX, 0x1, 0, ECX, 28)                \
    X(F16C, 0x1, 0, ECX, 29)               \
    X(RDRAND, 0x1, 0, ECX, 30)             \
    X(FSGSBASE, 0x7, 0, EBX, 0)            \
    X(SGX, 0x7, 0, EBX, 2)                 \
    X(BMI1, 0x7, 0, EBX, 3)                \
    X(AVX2, 0x7, 0, EBX, 5)                \
    X(BMI2, 0x7, 0, EBX, 8)                \
    X(INVPCID, 0x7, 0, EBX, 10)            \
    X(RTM, 0x7, 0, EBX, 11)                \
    X(MPX, 0x7, 0, EBX, 14)                \
    X(AVX512F, 0x7, 0, EBX, 16)            \
    X(AVX512DQ, 0x7, 0, EBX, 17)           \
    X(RDSEED, 0x7, 0, EBX, 18)             \
    X(ADX, 0x7, 0, EBX, 19)                \
    X(SMAP, 0x7, 0, EBX, 20)               \
    X(AVX512_IFMA, 0x7, 0, EBX, 21)        \
    X(CLFLUSHOPT, 0x7, 0, EBX, 23)         \
    X(CLWB, 0x7, 0, EBX, 24)               \
    X(AVX512PF, 0x7, 0, EBX, 26)           \
    X(AVX512ER, 0x7, 0, EBX, 27)           \
    X(AVX512CD, 0x7, 0, EBX, 28)           \
    X(SHA, 0x7, 0, EBX, 29)                \
    X(AVX512BW, 0x7, 0, EBX, 30)           \
    X(AVX512VL, 0x7, 0, EBX, 31)           \
    X(AVX512_VBMI, 0x7, 0, ECX, 1)         \
    X(PKU, 0x7, 0, ECX, 3)                 \
    X(WAITPKG, 0x7, 0, ECX, 5)             \
    X(AVX512_VBMI2, 0x7, 0, ECX, 6)        \
    X(CET, 0x7, 0, ECX, 7)                 \
    X(GFNI, 0x7, 0, ECX, 8)                \
    X(VAES, 0x7, 0, ECX, 9)                \
    X(VPCLMULQDQ, 0x7, 0, ECX, 10)         \
    X(AVX512_VNNI, 0x7, 0, ECX, 11)        \
    X(AVX512_BITALG, 0x7, 0, ECX, 12)      \
    X(AVX512_VPOPCNTDQ, 0x7, 0, ECX, 14)   \
    X(RDPID, 0x7, 0, ECX, 22)              \
    X(KL, 0x7, 0, ECX, 23)                 \
    X(CLDEMOTE, 0x7, 0, ECX, 25)           \
    X(MOVDIRI, 0x7, 0, ECX, 27)            \
    X(MOVDIR64B, 0x7, 0, ECX, 28)          \
    X(ENQCMD, 0x7, 0, ECX, 29)             \
    X(AVX512_4VNNIW, 0x7, 0, EDX, 2)       \
    X(AVX512_4FMAPS, 0x7, 0, EDX, 3)       \
    X(UINTR, 0x7, 0, EDX, 5)               \
    X(AVX512_VP2INTERSECT, 0x7, 0, EDX, 8) \
    X(SERIALIZE, 0x7, 0, EDX, 14)          \
    X(TSX_LDTRK, 0x7, 0, EDX, 16)          \
    X(PCONFIG, 0x7, 0, EDX, 18)            \
    X(AMX_BF16, 0x7, 0, EDX, 22)           \
    X(AVX512_FP16, 0x7, 0, EDX, 23)        \
    X(AMX_TILE, 0x7, 0, EDX, 24)           \
    X(AMX_INT8, 0x7, 0, EDX, 25)           \
    X(SHA512, 0x7, 1, EAX, 0)              \
    X(SM3, 0x7, 1, EAX, 1)                 \
    X(SM4, 0x7, 1, EAX, 2)                 \
    X(RAO_INT, 0x7, 1, EAX, 3)             \
    X(AVX_VNNI, 0x7, 1, EAX, 4)            \
    X(AVX512_BF16, 0x7, 1, EAX, 5)         \
    X(CMPCCXADD, 0x7, 1, EAX, 7)           \
    X(FRED, 0x7, 1, EAX, 17)               \
    X(LKGS, 0x7, 1, EAX, 18)               \
    X(WRMSRNS, 0x7, 1, EAX, 19)            \
    X(AMX_FP16, 0x7, 1, EAX, 21)           \
    X(HRESET, 0x7, 1, EAX, 22)             \
    X(AVX_IFMA, 0x7, 1, EAX, 23)           \
    X(MSRLIST, 0x7, 1, EAX, 27)            \
    X(PBNDKB, 0x7, 1, EBX, 1)              \
    X(AVX_VNNI_INT8, 0x7, 1, EDX, 4)       \
    X(AVX_NE_CONVERT, 0x7, 1, EDX, 5)      \
    X(AMX_COMPLEX, 0x7, 1, EDX, 8)         \
    X(AVX_VNNI_INT16, 0x7, 1, EDX, 10)     \
    X(PREFETCHI, 0x7, 1, EDX, 14)          \
    X(USER_MSR, 0x7, 1, EDX, 15)           \
    X(APX, 0x7, 1, EDX, 21)                \
    X(XSAVEOPT, 0xd, 1, EAX, 0)            \
    X(XSAVEC, 0xd, 1, EAX, 1)              \
    X(XSAVES, 0xd, 1, EAX, 3)              \
    X(SGX_ENCLV, 0x12, 0, EAX, 5)          \
    X(PT, 0x14, 0, EBX, 4)                 \
    X(LAHF, 0x80000001, 0, ECX, 0)         \
    X(ALTMOVCR8, 0x80000001, 0, ECX, 4)    \
    X(LZCNT, 0x80000001, 0, ECX, 5)        \
    X(SSE4A, 0x80000001, 0, ECX, 6)        \
    X(XOP, 0x80000001, 0, ECX, 11)         \
    X(LWP, 0x80000001, 0, ECX, 15)         \
    X(FMA4, 0x80000001, 0, ECX, 16)        \
    X(TBM, 0x80000001, 0, ECX, 21)         \
    X(MONITORX, 0x80000001, 0, ECX, 29)    \
    X(RDTSCP, 0x80000001, 0, EDX, 27)      \
    X(3DNOW, 0x80000001, 0, EDX, 31)       \
    X(CLZERO, 0x80000008, 0, EBX, 0)       \
    X(INVLPGB, 0x80000008, 0, EBX, 3)      \
    X(RDPRU, 0x80000008, 0, EBX, 4)        \
    X(MCOMMIT, 0x80000008, 0, EBX, 8)      \
    X(WBNOINVD, 0x80000008, 0, EBX, 9)     \
    X(SNP, 0x8000001f, 0, EAX, 4)          \
    X(RMPQUERY, 0x8000001f, 0, EAX, 6)     \
    X(RMPREAD, 0x8000001f, 0, EAX, 21)

/* A second one, of AMD. */
#define ALSO(X) X(PREFETCHI, 0x80000021, 0, EAX, 20)

/* Features that no bit of CPUID says. */
#define WITHOUT_BIT(X)                                                             \
    X(TDX)    /* leaf 21 is a signature for guests; a host has IA32_MTRRCAP[15] */ \
    X(VMFUNC) /* IA32_VMX_PROCBASED_CTLS2[45] */

struct bit {
    uint8_t feature, reg, bit;
    uint32_t leaf, subleaf;
};

static const struct bit bits[] = {
#define X(name, leaf, subleaf, reg, bit) { SVMC_X86_FEATURE_##name, reg, bit, leaf, subleaf },
    BITS(X) ALSO(X)
#undef X
};

/* The compiler refuses a feature that is in neither list (-Wswitch), but for one that is twice. */
static bool has_bit(enum svmc_x86_feature feature)
{
    switch (feature) {
#define X(name, leaf, subleaf, reg, bit) case SVMC_X86_FEATURE_##name:
        BITS(X)
#undef X
        return true;
    case SVMC_X86_FEATURE_NONE:
#define X(name) case SVMC_X86_FEATURE_##name:
        WITHOUT_BIT(X)
#undef X
        break;
    }
    return false;
}

static bool has(const struct svmc_cpu *cpu, unsigned feature)
{
    return cpu->features[feature / 64] >> feature % 64 & 1;
}

static bool is_zero(const struct svmc_cpu *cpu)
{
    static const struct svmc_cpu zero;

    return memcmp(cpu, &zero, sizeof zero) == 0;
}

static enum svmc_status convert(const struct svmc_cpuid_leaf *leaves, size_t count, unsigned isa,
                                struct svmc_cpu *out)
{
    memset(out, 0xee, sizeof *out);
    return svmc_cpu_from_cpuid(leaves, count, (enum svmc_isa)isa, out);
}

/* A processor with one bit more than its name. */
static void check_bit(uint32_t leaf, uint32_t subleaf, unsigned reg, unsigned bit)
{
    uint32_t regs[4] = { 0 };
    uint64_t want[2] = { 0 };
    struct svmc_cpu cpu;

    regs[reg] = (uint32_t)1 << bit;
    for (size_t i = 0; i < COUNT(bits); i++)
        if (bits[i].leaf == leaf && bits[i].subleaf == subleaf && bits[i].reg == reg &&
            bits[i].bit == bit)
            want[bits[i].feature / 64] |= (uint64_t)1 << bits[i].feature % 64;
    const struct svmc_cpuid_leaf leaves[] = {
        { leaf, subleaf, regs[EAX], regs[EBX], regs[ECX], regs[EDX] },
        { 0x80000000, 0, 0x80000021, AMD_NAME },
        { 0, 0, 0x20, AMD_NAME },
    };
    CHECK_EQ(convert(leaves, COUNT(leaves), SVMC_ISA_X86_64, &cpu), SVMC_OK);
    CHECK_EQ(cpu.features[0], want[0], "%" PRIx32 ".%" PRIu32 " %u[%u]", leaf, subleaf, reg, bit);
    CHECK_EQ(cpu.features[1], want[1], "%" PRIx32 ".%" PRIu32 " %u[%u]", leaf, subleaf, reg, bit);
}

TEST(x86_cpu, each_bit_is_one_feature) /* DE-20 */
{
    static const uint32_t places[][2] = {
        { 1, 0 },          { 7, 0 },          { 7, 1 },          { 7, 2 },    { 0xd, 0 },
        { 0xd, 1 },        { 0x12, 0 },       { 0x12, 1 },       { 0x14, 0 }, { 0x14, 1 },
        { 0x19, 0 },       { 0x80000001, 0 }, { 0x80000007, 0 }, { 1, 1 },    { 0x80000001, 1 },
        { 0x80000008, 0 }, { 0x8000000a, 0 }, { 0x8000001f, 0 }, { 2, 0 },    { 0x80000021, 0 },
        { 0x40000000, 0 }, { 0xc0000001, 0 },
    };

    for (size_t i = 0; i < COUNT(places); i++)
        for (unsigned n = 0; n < 128; n++)
            check_bit(places[i][0], places[i][1], n / 32, n % 32);
}

TEST(x86_cpu, each_feature_has_a_bit_or_none_on_purpose) /* DE-20 */
{
    struct svmc_cpuid_leaf leaves[COUNT(bits) + 2] = {
        { 0, 0, ALL, INTEL_NAME },
        { 0x80000000, 0, ALL, 0, 0, 0 },
    };
    struct svmc_cpu cpu;
    size_t count = 2;

    for (size_t i = 0; i < COUNT(bits); i++) {
        size_t n = 2;

        while (n < count &&
               (leaves[n].leaf != bits[i].leaf || leaves[n].subleaf != bits[i].subleaf))
            n++;
        leaves[n] = (struct svmc_cpuid_leaf){ bits[i].leaf, bits[i].subleaf, ALL, ALL, ALL, ALL };
        count += n == count;
    }
    CHECK_EQ(convert(leaves, count, SVMC_ISA_X86_64, &cpu), SVMC_OK);
    for (unsigned f = 0; f < 128; f++)
        CHECK_EQ(has(&cpu, f), has_bit((enum svmc_x86_feature)f), "feature %u", f);
}

/* A processor as somebody else read it; features end with 0. */
struct processor {
    const char *name;
    uint8_t vendor;
    struct svmc_cpuid_leaf leaves[10];
    uint8_t features[64];
};

#define F(name) SVMC_X86_FEATURE_##name
/*
 * libvirt, tests/cputestdata/x86_64-cpuid-NAME.xml; the features are those that its NAME-host.xml
 * and the model there give, and of leaves libvirt has no names for (7.0:EBX[26] and so on) none is
 * set. Leaves above the largest repeat what the processor answered: the largest once more.
 */
static const struct processor processors[] = {
    { "A10-5800K",
      SVMC_VENDOR_AMD,
      { { 0, 0, 0xd, AMD_NAME },
        { 1, 0, 0x00610f01, 0x00040800, 0x3e98320b, 0x178bfbff },
        { 7, 0, 0, 0x00000008, 0, 0 },
        { 0xd, 0, 0x00000007, 0x00000340, 0x000003c0, 0x40000000 },
        { 0x80000000, 0, 0x8000001e, AMD_NAME },
        { 0x80000001, 0, 0x00610f01, 0x20000000, 0x01ebbfff, 0x2fd3fbff },
        { 0x80000008, 0, 0x00003030, 0, 0x00004003, 0 } },
      { F(SSE3), F(PCLMULQDQ), F(MONITOR), F(SSSE3), F(FMA),       F(SSE4_1), F(SSE4_2), F(POPCNT),
        F(AES),  F(XSAVE),     F(AVX),     F(F16C),  F(BMI1),      F(LAHF),   F(LZCNT),  F(SSE4A),
        F(XOP),  F(LWP),       F(FMA4),    F(TBM),   F(ALTMOVCR8), F(RDTSCP) } },
    { "Cooperlake",
      SVMC_VENDOR_INTEL,
      { { 0, 0, 0x1f, INTEL_NAME },
        { 1, 0, 0x0005065b, 0x73400800, 0x7ffefbff, 0xbfebfbff },
        { 7, 0, 0x00000001, 0xd39ffffb, 0x00000818, 0xbc000400 },
        { 7, 1, 0x00000020, 0, 0, 0 },
        { 0xd, 1, 0x0000000f, 0x00000a08, 0x00000100, 0 },
        { 0x14, 0, 0x00000001, 0x0000000f, 0x00000007, 0 },
        { 0x80000000, 0, 0x80000008, 0, 0, 0 },
        { 0x80000001, 0, 0, 0, 0x00000121, 0x2c100800 },
        { 0x80000008, 0, 0x0000302e, 0, 0, 0 },
        { 0x8000001f, 0, 0x00000001, 0x00000002, 0x00000100, 0x00000073 } },
      { F(SSE3),     F(PCLMULQDQ), F(MONITOR), F(SMX),      F(SSSE3),       F(FMA),
        F(SSE4_1),   F(SSE4_2),    F(MOVBE),   F(POPCNT),   F(AES),         F(XSAVE),
        F(AVX),      F(F16C),      F(RDRAND),  F(FSGSBASE), F(BMI1),        F(AVX2),
        F(BMI2),     F(INVPCID),   F(RTM),     F(MPX),      F(AVX512F),     F(AVX512DQ),
        F(RDSEED),   F(ADX),       F(SMAP),    F(CLWB),     F(CLFLUSHOPT),  F(AVX512CD),
        F(AVX512BW), F(AVX512VL),  F(PKU),     F(LAHF),     F(AVX512_VNNI), F(AVX512_BF16),
        F(XSAVEOPT), F(XSAVEC),    F(XSAVES),  F(LZCNT),    F(RDTSCP) } },
    { "Ice-Lake-Server",
      SVMC_VENDOR_INTEL,
      { { 0, 0, 0x1b, INTEL_NAME },
        { 1, 0, 0x000606a0, 0x25200800, 0x7ffefbff, 0xbfebfbff },
        { 7, 0, 0, 0xf3bfffff, 0x40417f5e, 0xbc000012 },
        { 0xd, 1, 0x0000000f, 0x00000988, 0x00000100, 0 },
        { 0x12, 0, 0, 0, 0, 0 },
        { 0x14, 0, 0x00000001, 0x0000000f, 0x00000007, 0 },
        { 0x80000000, 0, 0x80000008, 0, 0, 0 },
        { 0x80000001, 0, 0, 0, 0x00000121, 0x2c100800 },
        { 0x80000008, 0, 0x00003934, 0x00000200, 0, 0 } },
      { F(SSE3),        F(PCLMULQDQ),    F(MONITOR),       F(SMX),
        F(SSSE3),       F(FMA),          F(SSE4_1),        F(SSE4_2),
        F(MOVBE),       F(POPCNT),       F(AES),           F(XSAVE),
        F(AVX),         F(F16C),         F(RDRAND),        F(FSGSBASE),
        F(SGX),         F(BMI1),         F(AVX2),          F(BMI2),
        F(INVPCID),     F(RTM),          F(MPX),           F(AVX512F),
        F(AVX512DQ),    F(RDSEED),       F(ADX),           F(SMAP),
        F(AVX512_IFMA), F(CLFLUSHOPT),   F(CLWB),          F(AVX512CD),
        F(SHA),         F(AVX512BW),     F(AVX512VL),      F(AVX512_VBMI),
        F(PKU),         F(AVX512_VBMI2), F(GFNI),          F(VAES),
        F(VPCLMULQDQ),  F(AVX512_VNNI),  F(AVX512_BITALG), F(AVX512_VPOPCNTDQ),
        F(RDPID),       F(XSAVEOPT),     F(XSAVEC),        F(XSAVES),
        F(LAHF),        F(LZCNT),        F(RDTSCP),        F(WBNOINVD) } },
};

TEST(x86_cpu, processors_as_libvirt_reads_them) /* DE-20 */
{
    for (size_t i = 0; i < COUNT(processors); i++) {
        const struct processor *p = &processors[i];
        size_t count = COUNT(p->leaves);
        uint64_t want[2] = { 0 };
        struct svmc_cpu cpu;

        for (size_t n = 0; n < COUNT(p->features); n++)
            want[p->features[n] / 64] |= (uint64_t)(p->features[n] != 0) << p->features[n] % 64;
        while (p->leaves[count - 1].leaf == 0) /* not given */
            count--;
        CHECK_EQ(convert(p->leaves, count, SVMC_ISA_X86_64, &cpu), SVMC_OK, "%s", p->name);
        CHECK_EQ(cpu.isa, SVMC_ISA_X86_64, "%s", p->name);
        CHECK_EQ(cpu.vendor, p->vendor, "%s", p->name);
        CHECK_EQ(cpu.features[0], want[0], "%s", p->name);
        CHECK_EQ(cpu.features[1], want[1], "%s", p->name);
    }
}

TEST(x86_cpu, vendors) /* DE-20 DE-9 */
{
    static const struct {
        char name[13];
        uint8_t want;
    } rows[] = {
        { "AuthenticAMD", SVMC_VENDOR_AMD },
        { "HygonGenuine", SVMC_VENDOR_AMD },
        { "GenuineIntel", SVMC_VENDOR_INTEL },
        { "CentaurHauls", SVMC_VENDOR_INTEL },
        { "  Shanghai  ", SVMC_VENDOR_INTEL },
        { "GenuineTMx86", 0 },
        { "AuthenticAMd", 0 },
        { "Authentic   ", 0 },
        { "GenuinelInte", 0 }, /* EDX and ECX in the other order */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *n = (const uint8_t *)rows[i].name;
        uint32_t w[3];
        struct svmc_cpu cpu;

        for (unsigned k = 0; k < 3; k++)
            w[k] = n[4 * k] | (uint32_t)n[4 * k + 1] << 8 | (uint32_t)n[4 * k + 2] << 16 |
                   (uint32_t)n[4 * k + 3] << 24;
        const struct svmc_cpuid_leaf leaf = { .ebx = w[0], .edx = w[1], .ecx = w[2] };

        CHECK_EQ(convert(&leaf, 1, SVMC_ISA_X86_64, &cpu),
                 rows[i].want ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%s", rows[i].name);
        CHECK_EQ(cpu.vendor, rows[i].want, "%s", rows[i].name);
        CHECK(rows[i].want || is_zero(&cpu), "%s", rows[i].name);
        CHECK_EQ(cpu.features[0] | cpu.features[1], 0, "%s", rows[i].name);
    }
}

TEST(x86_cpu, lahf_is_a_feature_in_64_bit_mode_only) /* DE-20 DE-16 */
{
    static const struct svmc_cpuid_leaf leaves[] = {
        { 0, 0, 1, INTEL_NAME },
        { 0x80000000, 0, 0x80000001, 0, 0, 0 },
        { 0x80000001, 0, 0, 0, 1, 0 },
    };
    static const uint8_t lahf = 0x9f;

    for (unsigned isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++)
        for (size_t count = 2; count <= 3; count++) {
            bool there = isa != SVMC_ISA_X86_64 || count == 3;
            struct svmc_insn insn;
            struct svmc_cpu cpu;

            CHECK_EQ(convert(leaves, count, isa, &cpu), SVMC_OK);
            CHECK_EQ(cpu.isa, isa);
            CHECK_EQ(cpu.features[0], (uint64_t)(count == 3) << SVMC_X86_FEATURE_LAHF);
            CHECK_EQ(svmc_insn_decode(&cpu, &lahf, 1, &insn), there ? SVMC_OK : SVMC_ERR_UNDEFINED);
        }
}

/* The features of a processor with leaves up to these, all bits of 7.0 and 80000001 set. */
static uint64_t features_up_to(uint32_t basic, uint32_t extended, size_t count)
{
    const struct svmc_cpuid_leaf leaves[] = {
        { 7, 0, ALL, ALL, ALL, ALL },
        { 0x80000001, 0, ALL, ALL, ALL, ALL },
        { 0, 0, basic, AMD_NAME },
        { 0x80000000, 0, extended, 0, 0, 0 },
    };
    struct svmc_cpu cpu;

    CHECK_EQ(convert(leaves, count, SVMC_ISA_X86_64, &cpu), SVMC_OK);
    return (uint64_t)has(&cpu, F(BMI1)) << 1 | has(&cpu, F(LZCNT));
}

TEST(x86_cpu, leaves_above_the_largest_are_not_there) /* DE-20 */
{
    CHECK_EQ(features_up_to(7, 0x80000001, 4), 3);
    CHECK_EQ(features_up_to(6, 0x80000001, 4), 1);
    CHECK_EQ(features_up_to(7, 0x80000000, 4), 2);
    CHECK_EQ(features_up_to(7, 7, 4), 2); /* no extended leaves: the largest basic one's EAX */
    CHECK_EQ(features_up_to(7, 0, 3), 2); /* 80000000 is not given */
}

TEST(x86_cpu, refuses_what_it_cannot_know) /* DE-20 */
{
    static const struct svmc_cpuid_leaf leaves[] = {
        { 1, 0, 0, 0, ALL, 0 }, { 0, 0, 0x16, AMD_NAME }, { 2, 0, 1, 2, 3, 4 },
        { 2, 0, 5, 6, 7, 8 },   { 7, 0, 0, ALL, 0, 0 },   { 7, 1, ALL, 0, 0, 0 },
        { 7, 1, ALL, 0, 0, 0 }, /* once more */
    };
    static const struct svmc_cpuid_leaf zero[] = {
        { 0, 0, 0x16, AMD_NAME },
        { 0, 0, 0x16, AMD_NAME },
    };
    static const struct svmc_cpuid_leaf twice[] = {
        { 0, 0, 0x16, AMD_NAME },
        { 0x80000000, 0, 0, 0, 0, 0 },
        { 0x80000000, 0, 0, 0, 0, 0 },
    };
    static const struct svmc_cpuid_leaf above[] = {
        { 0, 0, 1, AMD_NAME },
        { 7, 0, 0, 0, 0, 0 },
        { 7, 0, 0, 0, 0, 0 },
    };
    static const struct {
        const char *name;
        const struct svmc_cpuid_leaf *leaves;
        size_t count;
        unsigned isa;
        enum svmc_status want;
    } rows[] = {
        { "leaf 2 twice, which is not read", leaves, 6, SVMC_ISA_X86_64, SVMC_OK },
        { "leaf 7.1 twice", leaves, 7, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "leaf 0 twice", zero, 2, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "leaf 80000000 twice", twice, 3, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "leaf 7 twice, above the largest", above, 3, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "no leaf 0", leaves, 1, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "no leaf", leaves, 0, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "NULL", NULL, 0, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "NULL and a count", NULL, 3, SVMC_ISA_X86_64, SVMC_ERR_ARG },
        { "16-bit", leaves, 2, SVMC_ISA_X86_16, SVMC_OK },
        { "no isa", leaves, 2, SVMC_ISA_NONE, SVMC_ERR_ARG },
        { "A64", leaves, 2, SVMC_ISA_A64, SVMC_ERR_ARG },
        { "s390x", leaves, 2, SVMC_ISA_S390X, SVMC_ERR_ARG },
        { "an isa cut to 8 bits", leaves, 2, 256 + SVMC_ISA_X86_64, SVMC_ERR_ARG },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t nop = 0x90;
        struct svmc_insn insn;
        struct svmc_cpu cpu;

        CHECK_EQ(convert(rows[i].leaves, rows[i].count, rows[i].isa, &cpu), rows[i].want, "%s",
                 rows[i].name);
        CHECK_EQ(is_zero(&cpu), rows[i].want != SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(svmc_insn_decode(&cpu, &nop, 1, &insn), rows[i].want, "%s", rows[i].name);
    }
    CHECK_EQ(svmc_cpu_from_cpuid(leaves, 2, SVMC_ISA_X86_64, NULL), SVMC_ERR_ARG);
}

#ifdef __x86_64__
#include "native_features.h"

/* Names in /proc/cpuinfo: Linux arch/x86/include/asm/cpufeatures.h. */
static const struct {
    char flag[20];
    uint8_t feature;
    bool always; /* the kernel never hides it */
} flags[] = {
    { "pni", F(SSE3), true },
    { "ssse3", F(SSSE3), true },
    { "sse4_1", F(SSE4_1), true },
    { "sse4_2", F(SSE4_2), true },
    { "popcnt", F(POPCNT), true },
    { "movbe", F(MOVBE), true },
    { "aes", F(AES), true },
    { "pclmulqdq", F(PCLMULQDQ), true },
    { "lahf_lm", F(LAHF), true },
    { "abm", F(LZCNT), true },
    { "sse4a", F(SSE4A), true },
    { "rdtscp", F(RDTSCP), true },
    { "bmi1", F(BMI1), true },
    { "bmi2", F(BMI2), true },
    { "adx", F(ADX), true },
    { "clflushopt", F(CLFLUSHOPT), true },
    { "clwb", F(CLWB), true },
    { "clzero", F(CLZERO), true },
    { "rdpru", F(RDPRU), true },
    { "wbnoinvd", F(WBNOINVD), true },
    { "cr8_legacy", F(ALTMOVCR8), true },
    { "3dnow", F(3DNOW), false },
    { "monitor", F(MONITOR), false },
    { "mwaitx", F(MONITORX), false },
    { "smx", F(SMX), false },
    { "fma", F(FMA), false },
    { "xsave", F(XSAVE), false },
    { "avx", F(AVX), false },
    { "f16c", F(F16C), false },
    { "rdrand", F(RDRAND), false },
    { "fsgsbase", F(FSGSBASE), false },
    { "sgx", F(SGX), false },
    { "avx2", F(AVX2), false },
    { "invpcid", F(INVPCID), false },
    { "rtm", F(RTM), false },
    { "mpx", F(MPX), false },
    { "avx512f", F(AVX512F), false },
    { "avx512dq", F(AVX512DQ), false },
    { "rdseed", F(RDSEED), false },
    { "smap", F(SMAP), false },
    { "avx512ifma", F(AVX512_IFMA), false },
    { "avx512pf", F(AVX512PF), false },
    { "avx512er", F(AVX512ER), false },
    { "avx512cd", F(AVX512CD), false },
    { "sha_ni", F(SHA), false },
    { "avx512bw", F(AVX512BW), false },
    { "avx512vl", F(AVX512VL), false },
    { "xsaveopt", F(XSAVEOPT), false },
    { "xsavec", F(XSAVEC), false },
    { "xsaves", F(XSAVES), false },
    { "avx_vnni", F(AVX_VNNI), false },
    { "avx512_bf16", F(AVX512_BF16), false },
    { "fred", F(FRED), false },
    { "avx512vbmi", F(AVX512_VBMI), false },
    { "pku", F(PKU), false },
    { "waitpkg", F(WAITPKG), false },
    { "avx512_vbmi2", F(AVX512_VBMI2), false },
    { "gfni", F(GFNI), false },
    { "vaes", F(VAES), false },
    { "vpclmulqdq", F(VPCLMULQDQ), false },
    { "avx512_vnni", F(AVX512_VNNI), false },
    { "avx512_bitalg", F(AVX512_BITALG), false },
    { "avx512_vpopcntdq", F(AVX512_VPOPCNTDQ), false },
    { "rdpid", F(RDPID), false },
    { "cldemote", F(CLDEMOTE), false },
    { "movdiri", F(MOVDIRI), false },
    { "movdir64b", F(MOVDIR64B), false },
    { "enqcmd", F(ENQCMD), false },
    { "avx512_4vnniw", F(AVX512_4VNNIW), false },
    { "avx512_4fmaps", F(AVX512_4FMAPS), false },
    { "avx512_vp2intersect", F(AVX512_VP2INTERSECT), false },
    { "serialize", F(SERIALIZE), false },
    { "tsxldtrk", F(TSX_LDTRK), false },
    { "pconfig", F(PCONFIG), false },
    { "amx_bf16", F(AMX_BF16), false },
    { "avx512_fp16", F(AVX512_FP16), false },
    { "amx_tile", F(AMX_TILE), false },
    { "amx_int8", F(AMX_INT8), false },
    { "xop", F(XOP), false },
    { "lwp", F(LWP), false },
    { "fma4", F(FMA4), false },
    { "tbm", F(TBM), false },
    { "user_shstk", F(CET), false },
};

/* The value of the first line with this key, between blanks; false: there is none. */
static bool cpuinfo(const char *key, char *value, size_t cap)
{
    static char line[16384];
    FILE *file = fopen("/proc/cpuinfo", "r");
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');

        line[strcspn(line, "\n")] = 0;
        if (colon == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        found = true;
        snprintf(value, cap, "%s ", colon + 1);
    }
    if (file != NULL)
        fclose(file);
    return found;
}

/* Not under Valgrind or an emulator, whose CPUID names another processor. */
static bool cpuid_is_the_kernels(void)
{
    char name[49] = { 0 }, brand[128];
    unsigned r[4];

    for (unsigned i = 0; i < 3; i++) {
        if (!__get_cpuid(0x80000002 + i, &r[0], &r[1], &r[2], &r[3]))
            return false;
        memcpy(name + (size_t)16 * i, r, 16);
    }
    return cpuinfo("model name", brand, sizeof brand) && strlen(name) > 0 &&
           strstr(brand, name + strspn(name, " ")) != NULL;
}

TEST(x86_cpu, this_processor_as_the_kernel_reads_it) /* DE-20 */
{
    static char have[16384];
    struct svmc_cpu cpu;

    if (!cpuid_is_the_kernels() || !cpuinfo("flags", have, sizeof have)) {
        harness_skip("hardware: CPUID is not that of /proc/cpuinfo");
        return;
    }
    if (!native_cpuid(&cpu)) {
        harness_skip("hardware: a vendor that is neither AMD nor Intel");
        return;
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        char word[24];

        snprintf(word, sizeof word, " %.19s ", flags[i].flag);
        if (strstr(have, word) != NULL)
            CHECK(has(&cpu, flags[i].feature), "%s", flags[i].flag);
        else if (flags[i].always)
            CHECK(!has(&cpu, flags[i].feature), "%s", flags[i].flag);
    }
}
#else
TEST(x86_cpu, this_processor_as_the_kernel_reads_it) /* DE-20 */
{
    harness_skip("hardware: not x86-64");
}
#endif
