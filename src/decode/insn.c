/* SPDX-License-Identifier: MIT */
/* svmc_insn_decode: the caller's contract, then the decoder of the instruction set. */
#include "../core/bytes.h"
#include "../core/memory.h"
#include "a64/a64.h"
#include "refuse.h"
#include "rv/rv.h"
#include "s390/s390.h"
#include "x86/x86.h"

/* The first eight bytes of a cpu are one word: isa, vendor, and six reserved. */
static bool is_x86(uint64_t head)
{
    uint64_t above = head - (SVMC_VENDOR_AMD << 8 | SVMC_ISA_X86_16);

    return above <= ((SVMC_VENDOR_INTEL - SVMC_VENDOR_AMD) << 8 | 0xff) &&
           (above & 0xff) <= SVMC_ISA_X86_64 - SVMC_ISA_X86_16;
}

__attribute__((noinline, cold)) enum svmc_status svmc_decode_refuse(enum svmc_status st,
                                                                    uint8_t why,
                                                                    struct svmc_insn *out)
{
    memset(out, 0, sizeof *out); /* DE-13; a success has written each byte */
    out->refusal = why;
    return st;
}

enum svmc_status svmc_insn_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                  struct svmc_insn *out)
{
    enum svmc_status st = SVMC_ERR_ARG;
    uint64_t head;

    if (out == NULL)
        return SVMC_ERR_ARG;
    if (cpu == NULL || bytes == NULL)
        return svmc_decode_refuse(SVMC_ERR_ARG, SVMC_REFUSAL_NONE, out);
    head = core_load_le64((const uint8_t *)cpu);
    if (is_x86(head))
        return svmc_x86_decode(cpu, bytes, count, out);
    if ((cpu->features[0] | cpu->features[1]) == 0) {
        if (head == SVMC_ISA_A64)
            return svmc_a64_decode(cpu, bytes, count, out);
        if (head == SVMC_ISA_RV32 || head == SVMC_ISA_RV64)
            return svmc_rv_decode(cpu, bytes, count, out);
        if (head == SVMC_ISA_S390X)
            return svmc_s390_decode(cpu, bytes, count, out);
        if (head == SVMC_ISA_A32 || head == SVMC_ISA_T32 || head == SVMC_ISA_PPC64)
            st = SVMC_ERR_UNSUPPORTED;
    }
    return svmc_decode_refuse(st, SVMC_REFUSAL_NONE, out);
}
