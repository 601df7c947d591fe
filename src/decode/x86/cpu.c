/* SPDX-License-Identifier: MIT */
/*
 * svmc_cpu_from_cpuid: which bit of CPUID says that a processor has a feature. Whoever does not
 * call it does not link this file. Rule DE-20.
 */
#include <svmcore/x86_cpu.h>

#include "../isa.h"

/* The leaves that are read, besides 0 and 80000000. */
enum place {
    LEAF_1,
    LEAF_7,
    LEAF_7_1,
    LEAF_D_1,
    LEAF_12,
    LEAF_14,
    LEAF_80000001,
    LEAF_80000008,
    LEAF_8000001F,
    LEAF_80000021,
    PLACES
};

static const struct {
    uint32_t leaf, subleaf;
} places[PLACES] = {
    [LEAF_1] = { 1, 0 },
    [LEAF_7] = { 7, 0 },
    [LEAF_7_1] = { 7, 1 },
    [LEAF_D_1] = { 0xd, 1 },
    [LEAF_12] = { 0x12, 0 },
    [LEAF_14] = { 0x14, 0 },
    [LEAF_80000001] = { 0x80000001, 0 },
    [LEAF_80000008] = { 0x80000008, 0 },
    [LEAF_8000001F] = { 0x8000001f, 0 },
    [LEAF_80000021] = { 0x80000021, 0 },
};

enum { EAX, EBX, ECX, EDX };

/* One bit; of several rows for a feature any will do. */
struct row {
    uint8_t feature, place, reg, bit;
};

/*
 * Sources, each by leaf. SDM: vol. 2, CPUID; APM: vol. 3, appendix E; ISE: Intel Architecture
 * Instruction Set Extensions Programming Reference, chapter 1; APX: Intel APX Architecture
 * Specification, CPUID. CET is shadow stacks: indirect branch tracking adds ENDBR alone, which does
 * nothing the decoder tells from NOP. PT is PTWRITE. No row: TDX (a guest sees leaf 21, a host
 * IA32_MTRRCAP and SEAM mode) and VMFUNC (IA32_VMX_PROCBASED_CTLS2).
 */
#define ROW(name, place, reg, bit, source)             \
    {                                                  \
        SVMC_X86_FEATURE_##name, (place), (reg), (bit) \
    }
static const struct row rows[] = {
    ROW(SSE3, LEAF_1, ECX, 0, SDM),
    ROW(PCLMULQDQ, LEAF_1, ECX, 1, SDM),
    ROW(MONITOR, LEAF_1, ECX, 3, SDM),
    ROW(SMX, LEAF_1, ECX, 6, SDM),
    ROW(SSSE3, LEAF_1, ECX, 9, SDM),
    ROW(FMA, LEAF_1, ECX, 12, SDM),
    ROW(SSE4_1, LEAF_1, ECX, 19, SDM),
    ROW(SSE4_2, LEAF_1, ECX, 20, SDM),
    ROW(MOVBE, LEAF_1, ECX, 22, SDM),
    ROW(POPCNT, LEAF_1, ECX, 23, SDM),
    ROW(AES, LEAF_1, ECX, 25, SDM),
    ROW(XSAVE, LEAF_1, ECX, 26, SDM),
    ROW(AVX, LEAF_1, ECX, 28, SDM),
    ROW(F16C, LEAF_1, ECX, 29, SDM),
    ROW(RDRAND, LEAF_1, ECX, 30, SDM),
    ROW(FSGSBASE, LEAF_7, EBX, 0, SDM),
    ROW(SGX, LEAF_7, EBX, 2, SDM),
    ROW(BMI1, LEAF_7, EBX, 3, SDM),
    ROW(AVX2, LEAF_7, EBX, 5, SDM),
    ROW(BMI2, LEAF_7, EBX, 8, SDM),
    ROW(INVPCID, LEAF_7, EBX, 10, SDM),
    ROW(RTM, LEAF_7, EBX, 11, SDM),
    ROW(MPX, LEAF_7, EBX, 14, SDM),
    ROW(AVX512F, LEAF_7, EBX, 16, SDM),
    ROW(AVX512DQ, LEAF_7, EBX, 17, SDM),
    ROW(RDSEED, LEAF_7, EBX, 18, SDM),
    ROW(ADX, LEAF_7, EBX, 19, SDM),
    ROW(SMAP, LEAF_7, EBX, 20, SDM),
    ROW(AVX512_IFMA, LEAF_7, EBX, 21, SDM),
    ROW(CLFLUSHOPT, LEAF_7, EBX, 23, SDM),
    ROW(CLWB, LEAF_7, EBX, 24, SDM),
    ROW(AVX512PF, LEAF_7, EBX, 26, SDM),
    ROW(AVX512ER, LEAF_7, EBX, 27, SDM),
    ROW(AVX512CD, LEAF_7, EBX, 28, SDM),
    ROW(SHA, LEAF_7, EBX, 29, SDM),
    ROW(AVX512BW, LEAF_7, EBX, 30, SDM),
    ROW(AVX512VL, LEAF_7, EBX, 31, SDM),
    ROW(AVX512_VBMI, LEAF_7, ECX, 1, SDM),
    ROW(PKU, LEAF_7, ECX, 3, SDM),
    ROW(WAITPKG, LEAF_7, ECX, 5, SDM),
    ROW(AVX512_VBMI2, LEAF_7, ECX, 6, SDM),
    ROW(CET, LEAF_7, ECX, 7, SDM),
    ROW(GFNI, LEAF_7, ECX, 8, SDM),
    ROW(VAES, LEAF_7, ECX, 9, SDM),
    ROW(VPCLMULQDQ, LEAF_7, ECX, 10, SDM),
    ROW(AVX512_VNNI, LEAF_7, ECX, 11, SDM),
    ROW(AVX512_BITALG, LEAF_7, ECX, 12, SDM),
    ROW(AVX512_VPOPCNTDQ, LEAF_7, ECX, 14, SDM),
    ROW(RDPID, LEAF_7, ECX, 22, SDM),
    ROW(KL, LEAF_7, ECX, 23, SDM),
    ROW(CLDEMOTE, LEAF_7, ECX, 25, SDM),
    ROW(MOVDIRI, LEAF_7, ECX, 27, SDM),
    ROW(MOVDIR64B, LEAF_7, ECX, 28, SDM),
    ROW(ENQCMD, LEAF_7, ECX, 29, SDM),
    ROW(AVX512_4VNNIW, LEAF_7, EDX, 2, SDM),
    ROW(AVX512_4FMAPS, LEAF_7, EDX, 3, SDM),
    ROW(UINTR, LEAF_7, EDX, 5, SDM),
    ROW(AVX512_VP2INTERSECT, LEAF_7, EDX, 8, SDM),
    ROW(SERIALIZE, LEAF_7, EDX, 14, SDM),
    ROW(TSX_LDTRK, LEAF_7, EDX, 16, SDM),
    ROW(PCONFIG, LEAF_7, EDX, 18, SDM),
    ROW(AMX_BF16, LEAF_7, EDX, 22, SDM),
    ROW(AVX512_FP16, LEAF_7, EDX, 23, SDM),
    ROW(AMX_TILE, LEAF_7, EDX, 24, SDM),
    ROW(AMX_INT8, LEAF_7, EDX, 25, SDM),
    ROW(SHA512, LEAF_7_1, EAX, 0, SDM),
    ROW(SM3, LEAF_7_1, EAX, 1, SDM),
    ROW(SM4, LEAF_7_1, EAX, 2, SDM),
    ROW(RAO_INT, LEAF_7_1, EAX, 3, ISE),
    ROW(AVX_VNNI, LEAF_7_1, EAX, 4, SDM),
    ROW(AVX512_BF16, LEAF_7_1, EAX, 5, SDM),
    ROW(CMPCCXADD, LEAF_7_1, EAX, 7, SDM),
    ROW(FRED, LEAF_7_1, EAX, 17, SDM),
    ROW(LKGS, LEAF_7_1, EAX, 18, SDM),
    ROW(WRMSRNS, LEAF_7_1, EAX, 19, SDM),
    ROW(AMX_FP16, LEAF_7_1, EAX, 21, SDM),
    ROW(HRESET, LEAF_7_1, EAX, 22, SDM),
    ROW(AVX_IFMA, LEAF_7_1, EAX, 23, SDM),
    ROW(MSRLIST, LEAF_7_1, EAX, 27, SDM),
    ROW(PBNDKB, LEAF_7_1, EBX, 1, SDM),
    ROW(AVX_VNNI_INT8, LEAF_7_1, EDX, 4, SDM),
    ROW(AVX_NE_CONVERT, LEAF_7_1, EDX, 5, SDM),
    ROW(AMX_COMPLEX, LEAF_7_1, EDX, 8, SDM),
    ROW(AVX_VNNI_INT16, LEAF_7_1, EDX, 10, SDM),
    ROW(PREFETCHI, LEAF_7_1, EDX, 14, SDM),
    ROW(USER_MSR, LEAF_7_1, EDX, 15, ISE),
    ROW(APX, LEAF_7_1, EDX, 21, APX),
    ROW(XSAVEOPT, LEAF_D_1, EAX, 0, SDM),
    ROW(XSAVEC, LEAF_D_1, EAX, 1, SDM),
    ROW(XSAVES, LEAF_D_1, EAX, 3, SDM),
    ROW(SGX_ENCLV, LEAF_12, EAX, 5, SDM),
    ROW(PT, LEAF_14, EBX, 4, SDM),
    ROW(LAHF, LEAF_80000001, ECX, 0, SDM),
    ROW(ALTMOVCR8, LEAF_80000001, ECX, 4, APM),
    ROW(LZCNT, LEAF_80000001, ECX, 5, SDM),
    ROW(SSE4A, LEAF_80000001, ECX, 6, APM),
    ROW(XOP, LEAF_80000001, ECX, 11, APM),
    ROW(LWP, LEAF_80000001, ECX, 15, APM),
    ROW(FMA4, LEAF_80000001, ECX, 16, APM),
    ROW(TBM, LEAF_80000001, ECX, 21, APM),
    ROW(MONITORX, LEAF_80000001, ECX, 29, APM),
    ROW(RDTSCP, LEAF_80000001, EDX, 27, SDM),
    ROW(3DNOW, LEAF_80000001, EDX, 31, APM),
    ROW(CLZERO, LEAF_80000008, EBX, 0, APM),
    ROW(INVLPGB, LEAF_80000008, EBX, 3, APM),
    ROW(RDPRU, LEAF_80000008, EBX, 4, APM),
    ROW(MCOMMIT, LEAF_80000008, EBX, 8, APM),
    ROW(WBNOINVD, LEAF_80000008, EBX, 9, SDM),
    ROW(SNP, LEAF_8000001F, EAX, 4, APM),
    ROW(RMPQUERY, LEAF_8000001F, EAX, 6, APM),
    ROW(RMPREAD, LEAF_8000001F, EAX, 21, APM),
    ROW(PREFETCHI, LEAF_80000021, EAX, 20, APM),
#undef ROW
};

/* EBX, EDX and ECX of leaf 0. */
struct vendor_name {
    uint32_t ebx, edx, ecx, vendor;
};

/*
 * SDM vol. 2, APM vol. 3 and Linux arch/x86/include/asm/processor.h, vendor strings. Hygon licenses
 * AMD's Zen. Centaur and Zhaoxin have VMX, and SYSENTER in long mode (Linux centaur.c, zhaoxin.c):
 * Intel's side of DE-9.
 */
static const struct vendor_name vendors[] = {
    { 0x68747541, 0x69746e65, 0x444d4163, SVMC_VENDOR_AMD },   /* AuthenticAMD */
    { 0x6f677948, 0x6e65476e, 0x656e6975, SVMC_VENDOR_AMD },   /* HygonGenuine */
    { 0x756e6547, 0x49656e69, 0x6c65746e, SVMC_VENDOR_INTEL }, /* GenuineIntel */
    { 0x746e6543, 0x48727561, 0x736c7561, SVMC_VENDOR_INTEL }, /* CentaurHauls */
    { 0x68532020, 0x68676e61, 0x20206961, SVMC_VENDOR_INTEL }, /* "  Shanghai  " */
};

static uint8_t vendor_of(const struct svmc_cpuid_leaf *zero)
{
    for (size_t i = 0; i < sizeof vendors / sizeof vendors[0]; i++)
        if (zero->ebx == vendors[i].ebx && zero->edx == vendors[i].edx &&
            zero->ecx == vendors[i].ecx)
            return (uint8_t)vendors[i].vendor;
    return SVMC_VENDOR_NONE;
}

/* How many entries there are for a leaf: 0, 1 or 2 and more. *out is the first, else all 0. */
static unsigned find(const struct svmc_cpuid_leaf *leaves, size_t count, uint32_t leaf,
                     uint32_t subleaf, struct svmc_cpuid_leaf *out)
{
    unsigned found = 0;

    *out = (struct svmc_cpuid_leaf){ 0 };
    for (size_t i = 0; i < count && found < 2; i++) {
        if (leaves[i].leaf != leaf || leaves[i].subleaf != subleaf)
            continue;
        if (found++ == 0)
            *out = leaves[i];
    }
    return found;
}

/* The features that a leaf names. */
static void add_features(enum place place, const struct svmc_cpuid_leaf *leaf, struct svmc_cpu *out)
{
    const uint32_t regs[4] = { leaf->eax, leaf->ebx, leaf->ecx, leaf->edx };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].place == place && (regs[rows[i].reg] >> rows[i].bit & 1))
            out->features[rows[i].feature >> 6 & 1] |= (uint64_t)1 << (rows[i].feature & 63);
}

enum svmc_status svmc_cpu_from_cpuid(const struct svmc_cpuid_leaf *leaves, size_t count,
                                     enum svmc_isa isa, struct svmc_cpu *out)
{
    struct svmc_cpuid_leaf basic, extended, leaf;
    struct svmc_cpu cpu = { .isa = (uint8_t)isa };

    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_cpu){ 0 };
    if (leaves == NULL || !decode_isa_is_x86((uint32_t)isa))
        return SVMC_ERR_ARG;
    if (find(leaves, count, 0, 0, &basic) != 1 || find(leaves, count, 0x80000000, 0, &extended) > 1)
        return SVMC_ERR_ARG;
    for (unsigned i = 0; i < PLACES; i++) {
        if (find(leaves, count, places[i].leaf, places[i].subleaf, &leaf) > 1)
            return SVMC_ERR_ARG;
        if (places[i].leaf <= (places[i].leaf >> 31 ? extended.eax : basic.eax))
            add_features((enum place)i, &leaf, &cpu);
    }
    cpu.vendor = vendor_of(&basic);
    if (cpu.vendor == SVMC_VENDOR_NONE)
        return SVMC_ERR_UNSUPPORTED;
    *out = cpu;
    return SVMC_OK;
}
