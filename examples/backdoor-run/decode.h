/* SPDX-License-Identifier: MIT */
/** Bytes of a program -> an instruction, whoever made the processor: VMCALL is Intel's, VMMCALL
    AMD's. */
#ifndef BACKDOOR_RUN_DECODE_H
#define BACKDOOR_RUN_DECODE_H
#include <stdbool.h>
#include <string.h>

#include <svmcore/insn.h>

static inline bool decode(enum svmc_isa isa, const uint8_t *bytes, size_t n, struct svmc_insn *out)
{
    struct svmc_cpu cpu = { .isa = (uint8_t)isa, .vendor = SVMC_VENDOR_INTEL };

    memset(cpu.features, 0xff, sizeof cpu.features);
    if (svmc_insn_decode(&cpu, bytes, n, out) == SVMC_OK)
        return true;
    cpu.vendor = SVMC_VENDOR_AMD;
    return svmc_insn_decode(&cpu, bytes, n, out) == SVMC_OK;
}

#endif
