/* SPDX-License-Identifier: MIT */
/* What CPUID says about the processor, as a struct svmc_cpu. For native.c and test_cpu.c. */
#ifndef X86_NATIVE_FEATURES_H
#define X86_NATIVE_FEATURES_H
#include <cpuid.h>
#include <svmcore/x86_cpu.h>

/* False: a vendor of whom it is not known whose x86 he makes. */
static inline bool native_cpuid(struct svmc_cpu *cpu)
{
    static const uint32_t wanted[][2] = {
        { 0, 0 },          { 1, 0 },          { 7, 0 },          { 7, 1 },
        { 0xd, 1 },        { 0x12, 0 },       { 0x14, 0 },       { 0x80000000, 0 },
        { 0x80000001, 0 }, { 0x80000008, 0 }, { 0x8000001f, 0 }, { 0x80000021, 0 },
    };
    struct svmc_cpuid_leaf leaves[sizeof wanted / sizeof wanted[0]];

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct svmc_cpuid_leaf *l = &leaves[i];

        *l = (struct svmc_cpuid_leaf){ .leaf = wanted[i][0], .subleaf = wanted[i][1] };
        __cpuid_count(l->leaf, l->subleaf, l->eax, l->ebx, l->ecx, l->edx);
    }
    return svmc_cpu_from_cpuid(leaves, sizeof leaves / sizeof leaves[0], SVMC_ISA_X86_64, cpu) ==
           SVMC_OK;
}

/*
 * The same, less what this kernel has not switched on, where CPUID says so, and UINTR and CET,
 * which it decides by process: there user code gets #UD, or NOP, of an instruction that the
 * processor has.
 */
static inline bool native_cpu(struct svmc_cpu *cpu)
{
    static const uint8_t off[] = { SVMC_X86_FEATURE_CET, SVMC_X86_FEATURE_UINTR };
    unsigned a, b, c, d;

    if (!native_cpuid(cpu))
        return false;
    for (size_t i = 0; i < sizeof off; i++)
        cpu->features[off[i] / 64] &= ~((uint64_t)1 << off[i] % 64);
    __cpuid(1, a, b, c, d);
    if (!(c >> 27 & 1)) /* CR4.OSXSAVE */
        cpu->features[0] &= ~((uint64_t)1 << SVMC_X86_FEATURE_XSAVE);
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c >> 4 & 1)) /* CR4.PKE */
        cpu->features[0] &= ~((uint64_t)1 << SVMC_X86_FEATURE_PKU);
    return true;
}

#endif
