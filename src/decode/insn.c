/* SPDX-License-Identifier: MIT */
/* svmc_insn_decode: the caller's contract, then the decoder of the instruction set. */
#include "../core/bytes.h"
#include "../core/memory.h"
#include "a64/a64.h"
#include "rv/rv.h"
#include "s390/s390.h"
#include "x86/x86.h"

/* The first eight bytes of a cpu are one word, whose upper six are reserved. */
static bool is_x86(uint64_t head)
{
    uint64_t isa = head & 0xff, vendor = head >> 8;

    return isa - SVMC_ISA_X86_16 <= SVMC_ISA_X86_64 - SVMC_ISA_X86_16 &&
           (vendor == SVMC_VENDOR_AMD || vendor == SVMC_VENDOR_INTEL);
}

static bool is_other(const struct svmc_cpu *cpu, uint64_t head)
{
    return head >= SVMC_ISA_A64 && head <= SVMC_ISA_S390X &&
           (cpu->features[0] | cpu->features[1]) == 0;
}

static enum svmc_status decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                               struct svmc_insn *out)
{
    uint64_t head = core_load_le64((const uint8_t *)cpu);

    if (is_x86(head)) {
        enum svmc_status st = svmc_x86_decode(cpu, bytes, count, out);

        return st == SVMC_OK && out->reserved ? svmc_x86_finish(cpu, bytes, count, out) : st;
    }
    if (!is_other(cpu, head))
        return SVMC_ERR_ARG;
    switch (head) {
    case SVMC_ISA_A64:
        return svmc_a64_decode(cpu, bytes, count, out);
    case SVMC_ISA_RV32:
    case SVMC_ISA_RV64:
        return svmc_rv_decode(cpu, bytes, count, out);
    case SVMC_ISA_S390X:
        return svmc_s390_decode(cpu, bytes, count, out);
    default: /* A32, T32 */
        return SVMC_ERR_UNSUPPORTED;
    }
}

enum svmc_status svmc_insn_decode(const struct svmc_cpu *cpu, const uint8_t *bytes, size_t count,
                                  struct svmc_insn *out)
{
    enum svmc_status st;
    uint8_t refusal;

    if (out == NULL)
        return SVMC_ERR_ARG;
    out->refusal = SVMC_REFUSAL_NONE;
    st = cpu == NULL || bytes == NULL ? SVMC_ERR_ARG : decode(cpu, bytes, count, out);
    if (st == SVMC_OK)
        return SVMC_OK;
    refusal = out->refusal; /* DE-13: the one exit of errors; a success has written each byte */
    memset(out, 0, sizeof *out);
    out->refusal = refusal;
    return st;
}
