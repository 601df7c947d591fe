/* SPDX-License-Identifier: MIT */
/* What CPUID says about the processor, as a struct svmc_cpu. For native.c. */
#ifndef X86_NATIVE_FEATURES_H
#define X86_NATIVE_FEATURES_H
#include <cpuid.h>
#include <string.h>
#include <svmcore/insn.h>

/* CPUID registers by number: EAX 0, EBX 1, ECX 2, EDX 3. SDM vol. 2 CPUID, APM vol. 3 app. E. */
static const struct {
    uint8_t feature, reg, bit;
    uint32_t leaf, subleaf;
} cpuid_features[] = {
#define ROW(name, leaf, subleaf, reg, bit)               \
    {                                                    \
        SVMC_X86_FEATURE_##name, reg, bit, leaf, subleaf \
    }
    ROW(3DNOW, 0x80000001, 0, 3, 31),
    ROW(LAHF, 0x80000001, 0, 2, 0),
    ROW(RTM, 7, 0, 1, 11),
    ROW(LKGS, 7, 1, 0, 18),
    ROW(PCONFIG, 7, 0, 3, 18),
    ROW(WRMSRNS, 7, 1, 0, 19),
    ROW(MSRLIST, 7, 1, 0, 27),
    ROW(PBNDKB, 7, 1, 1, 1),
    ROW(MONITOR, 1, 0, 2, 3),
    ROW(SMAP, 7, 0, 1, 20),
    ROW(FRED, 7, 1, 0, 17),
    ROW(SGX, 7, 0, 1, 2),
    ROW(XSAVE, 1, 0, 2, 27),
    ROW(SERIALIZE, 7, 0, 3, 14),
    ROW(TSX_LDTRK, 7, 0, 3, 16),
    ROW(PKU, 7, 0, 2, 4),
    ROW(UINTR, 7, 0, 3, 5),
    ROW(RDTSCP, 0x80000001, 0, 3, 27),
    ROW(MONITORX, 0x80000001, 0, 2, 29),
    ROW(MCOMMIT, 0x80000008, 0, 1, 8),
    ROW(CLZERO, 0x80000008, 0, 1, 0),
    ROW(RDPRU, 0x80000008, 0, 1, 4),
    ROW(INVLPGB, 0x80000008, 0, 1, 3),
    ROW(RMPQUERY, 0x8000001f, 0, 0, 6),
    ROW(RMPREAD, 0x8000001f, 0, 0, 21),
    ROW(SNP, 0x8000001f, 0, 0, 4),
    ROW(WBNOINVD, 0x80000008, 0, 1, 9),
    ROW(PREFETCHI, 7, 1, 3, 14),
    ROW(MPX, 7, 0, 1, 14),
    ROW(CLDEMOTE, 7, 0, 2, 25),
    ROW(SMX, 1, 0, 2, 6),
    ROW(SSE4A, 0x80000001, 0, 2, 6),
    ROW(XSAVEOPT, 0xd, 1, 0, 0),
    ROW(CLFLUSHOPT, 7, 0, 1, 23),
    ROW(CLWB, 7, 0, 1, 24),
    ROW(FSGSBASE, 7, 0, 1, 0),
    ROW(PT, 7, 0, 1, 25),
    ROW(WAITPKG, 7, 0, 2, 5),
    ROW(POPCNT, 1, 0, 2, 23),
    ROW(BMI1, 7, 0, 1, 3),
    ROW(LZCNT, 0x80000001, 0, 2, 5),
    ROW(XSAVES, 0xd, 1, 0, 3),
    ROW(XSAVEC, 0xd, 1, 0, 1),
    ROW(RDRAND, 1, 0, 2, 30),
    ROW(RDSEED, 7, 0, 1, 18),
    ROW(RDPID, 7, 0, 2, 22),
    ROW(INVPCID, 7, 0, 1, 10),
    ROW(MOVBE, 1, 0, 2, 22),
    ROW(SSE4_2, 1, 0, 2, 20),
    ROW(ADX, 7, 0, 1, 19),
    ROW(MOVDIR64B, 7, 0, 2, 28),
    ROW(ENQCMD, 7, 0, 2, 29),
    ROW(USER_MSR, 7, 1, 3, 15),
    ROW(MOVDIRI, 7, 0, 2, 27),
    ROW(KL, 7, 0, 2, 23),
    ROW(RAO_INT, 7, 1, 0, 3),
    ROW(SSE3, 1, 0, 2, 0),
    ROW(SSSE3, 1, 0, 2, 9),
    ROW(SSE4_1, 1, 0, 2, 19),
    ROW(SHA, 7, 0, 1, 29),
    ROW(GFNI, 7, 0, 2, 8),
    ROW(AES, 1, 0, 2, 25),
    ROW(PCLMULQDQ, 1, 0, 2, 1),
    ROW(HRESET, 7, 1, 0, 22),
    ROW(AVX, 1, 0, 2, 28),
    ROW(AVX512F, 7, 0, 1, 16),
    ROW(AVX512BW, 7, 0, 1, 30),
    ROW(AVX512DQ, 7, 0, 1, 17),
    ROW(AVX2, 7, 0, 1, 5),
    ROW(F16C, 1, 0, 2, 29),
    ROW(AMX_TILE, 7, 0, 3, 24),
    ROW(AVX_VNNI, 7, 1, 0, 4),
    ROW(AMX_BF16, 7, 0, 3, 22),
    ROW(AMX_INT8, 7, 0, 3, 25),
    ROW(FMA, 1, 0, 2, 12),
    ROW(VAES, 7, 0, 2, 9),
    ROW(BMI2, 7, 0, 1, 8),
    ROW(VPCLMULQDQ, 7, 0, 2, 10),
    ROW(XOP, 0x80000001, 0, 2, 11),
    ROW(FMA4, 0x80000001, 0, 2, 16),
    ROW(AVX_IFMA, 7, 1, 0, 23),
    ROW(AVX_VNNI_INT8, 7, 1, 3, 4),
    ROW(AVX_VNNI_INT16, 7, 1, 3, 10),
    ROW(AVX_NE_CONVERT, 7, 1, 3, 5),
    ROW(SHA512, 7, 1, 0, 0),
    ROW(SM3, 7, 1, 0, 1),
    ROW(SM4, 7, 1, 0, 2),
    ROW(AMX_FP16, 7, 1, 0, 21),
    ROW(AMX_COMPLEX, 7, 1, 3, 8),
    ROW(CMPCCXADD, 7, 1, 0, 7),
    ROW(TBM, 0x80000001, 0, 2, 21),
    ROW(LWP, 0x80000001, 0, 2, 15),
    ROW(AVX512CD, 7, 0, 1, 28),
    ROW(AVX512_VNNI, 7, 0, 2, 11),
    ROW(AVX512_BF16, 7, 1, 0, 5),
    ROW(AVX512_BITALG, 7, 0, 2, 12),
    ROW(AVX512_VPOPCNTDQ, 7, 0, 2, 14),
    ROW(AVX512_VBMI2, 7, 0, 2, 6),
    ROW(AVX512_VP2INTERSECT, 7, 0, 3, 8),
    ROW(AVX512_VBMI, 7, 0, 2, 1),
    ROW(AVX512_IFMA, 7, 0, 1, 21),
    ROW(AVX512PF, 7, 0, 1, 26),
    ROW(AVX512ER, 7, 0, 1, 27),
    ROW(AVX512_FP16, 7, 0, 3, 23),
    ROW(AVX512VL, 7, 0, 1, 31),
    ROW(ALTMOVCR8, 0x80000001, 0, 2, 4),
    ROW(APX, 7, 1, 3, 21),
#undef ROW
};

/* False: neither AMD nor Intel. CET counts as off, for the kernel decides (CR4.CET). */
static inline bool native_cpu(struct svmc_cpu *cpu)
{
    unsigned r[4], name[4];

    __cpuid(0, name[0], name[1], name[2], name[3]);
    *cpu = (struct svmc_cpu){ .isa = SVMC_ISA_X86_64 };
    if (memcmp(&name[1], "Auth", 4) == 0 || memcmp(&name[1], "Hygo", 4) == 0)
        cpu->vendor = SVMC_VENDOR_AMD;
    else if (memcmp(&name[1], "Genu", 4) == 0)
        cpu->vendor = SVMC_VENDOR_INTEL;
    else
        return false;
    for (size_t i = 0; i < sizeof cpuid_features / sizeof cpuid_features[0]; i++) {
        unsigned f = cpuid_features[i].feature;

        if (__get_cpuid_count(cpuid_features[i].leaf, cpuid_features[i].subleaf, &r[0], &r[1],
                              &r[2], &r[3]) &&
            (r[cpuid_features[i].reg] >> cpuid_features[i].bit & 1))
            cpu->features[f / 64] |= (uint64_t)1 << f % 64;
    }
    return true;
}

#endif
