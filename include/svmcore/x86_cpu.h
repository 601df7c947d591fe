/* SPDX-License-Identifier: MIT */
/** What CPUID says -> the processor whose bytes are decoded. */
#ifndef SVMCORE_X86_CPU_H
#define SVMCORE_X86_CPU_H
#include "insn.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What CPUID answers to EAX = leaf, ECX = subleaf; of KVM's struct kvm_cpuid_entry2 the same. */
struct svmc_cpuid_leaf {
    uint32_t leaf;
    uint32_t subleaf; /* 0 where the leaf has none */
    uint32_t eax, ebx, ecx, edx;
};

/**
 * The processor that CPUID describes: vendor and features, all that svmc_insn_decode wants of it.
 *
 * Give the leaves that the guest sees. What they say is what the processor has, not what the guest
 * has switched on: CR0, CR4 (OSXSAVE, PKE, ...), EFER and XCR0 take no part, nor do the bits in
 * which CPUID repeats them (OSXSAVE, OSPKE). The processor has looked at those before it exits;
 * who executes instructions that did not exit must ask the guest's own registers, at that time.
 * No bit of CPUID says TDX or VMFUNC: set these yourself where the guest has them.
 *
 * Shape:   leaves[count], in any order. Leaf 0 must be there; read are also 1, 7.0, 7.1, D.1, 12.0,
 *          14.0, 80000000, 80000001, 80000008, 8000001F and 80000021. One that is missing, or above
 *          EAX of leaf 0 or of 80000000, is all 0; leaves not named here may be there, and twice.
 *          isa: SVMC_ISA_X86_16, _32 or _64. Fill one struct svmc_cpu for each mode: LAHF and SAHF
 *          are a feature in 64-bit mode only.
 * State:   *out is written whole; after an error it is all 0, which svmc_insn_decode refuses.
 * Threads: pure; no host call, and CPUID is not executed. Nothing is kept.
 * Source:  docs/spec/decode.md, rule DE-20.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, isa, no leaf 0, two entries for a leaf that is read);
 *         SVMC_ERR_UNSUPPORTED (a vendor of which DE-20 does not say whose x86 he makes: if you
 *         know, write AuthenticAMD or GenuineIntel into your copy of leaf 0).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_cpu_from_cpuid(const struct svmc_cpuid_leaf *leaves,
                                                             size_t count, enum svmc_isa isa,
                                                             struct svmc_cpu *out);

#ifdef __cplusplus
}
#endif
#endif
