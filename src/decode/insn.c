/* SPDX-License-Identifier: MIT */
/* svmc_insn_decode: the caller's contract, then the decoder of the instruction set. */
#include "../core/memory.h"
#include "decode_private.h"

static enum svmc_status check_cpu(const struct svmc_cpu *cpu)
{
    if (cpu == NULL)
        return SVMC_ERR_ARG;
    if (cpu->vendor != SVMC_VENDOR_AMD && cpu->vendor != SVMC_VENDOR_INTEL)
        return SVMC_ERR_ARG;
    if (cpu->reserved != 0 || cpu->features != 0)
        return SVMC_ERR_ARG;
    switch (cpu->isa) {
    case SVMC_ISA_X86_64:
        return SVMC_OK;
    case SVMC_ISA_X86_16:
    case SVMC_ISA_X86_32:
        return SVMC_ERR_UNSUPPORTED;
    default:
        return SVMC_ERR_ARG;
    }
}

enum svmc_status svmc_insn_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                  struct svmc_insn *out)
{
    enum svmc_status st;

    if (out == NULL)
        return SVMC_ERR_ARG;
    st = bytes == NULL ? SVMC_ERR_ARG : check_cpu(cpu);
    if (st == SVMC_OK)
        st = svmc_x86_decode(cpu, bytes, count, out);
    if (st != SVMC_OK) /* DE-13: the one exit of errors; a success has written each byte */
        memset(out, 0, sizeof *out);
    return st;
}
