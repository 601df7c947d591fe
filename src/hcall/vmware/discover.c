/* SPDX-License-Identifier: MIT */
/** How a guest finds that it runs on something that answers VMware's calls. docs/spec/vmware.md. */
#include "vmware_private.h"

/* VW-19: Linux arch/x86/kernel/cpu/vmware.c; the name is "VMwareVMware". */
#define LEAF_FEATURES   1u
#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_VMWARE     0x40000010u
#define ECX_HYPERVISOR  0x80000000u

CORE_SMALL enum svmc_status svmc_vmware_cpuid(const struct svmc_vmware_config *config,
                                              uint32_t leaf, uint32_t regs[4])
{
    if (!config || !regs || config->size != sizeof *config)
        return SVMC_ERR_ARG;
    if (leaf == LEAF_FEATURES) {
        regs[2] |= ECX_HYPERVISOR;
        return SVMC_OK;
    }
    if (leaf < LEAF_HYPERVISOR || leaf > LEAF_VMWARE)
        return SVMC_ERR_MISMATCH;
    regs[0] = regs[1] = regs[2] = regs[3] = 0; /* the leaves between have nothing */
    if (leaf == LEAF_HYPERVISOR) {
        regs[0] = LEAF_VMWARE;
        regs[1] = 0x61774d56u;
        regs[2] = 0x4d566572u;
        regs[3] = 0x65726177u;
    } else if (leaf == LEAF_VMWARE) {
        regs[0] = config->tsc_khz;
        regs[1] = config->bus_khz;
        regs[2] = config->cpuid_ways;
    }
    return SVMC_OK;
}
