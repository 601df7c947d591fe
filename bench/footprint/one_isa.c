/* SPDX-License-Identifier: MIT */
/*
 * The smallest program with svmc_insn_decode for the processor ISA: what it links of the library is
 * measured (size.*), and its addresses are traced while it decodes the records on its input
 * (decode.x86.lines). tools/bench puts svmc_absent in place of the decoders of other processors.
 */
#include <unistd.h>
#include <svmcore/insn.h>

#define RECORD 16u

static uint8_t records[1u << 20];

enum svmc_status svmc_absent(void);
enum svmc_status svmc_absent(void)
{
    return SVMC_ERR_UNSUPPORTED;
}

int main(void)
{
    struct svmc_cpu cpu = { .isa = ISA };
    struct svmc_insn insn;
    ssize_t count = read(0, records, sizeof records);
    int decoded = 0;

    if (ISA <= SVMC_ISA_X86_64) {
        cpu.vendor = SVMC_VENDOR_AMD;
        cpu.features[0] = cpu.features[1] = UINT64_MAX;
    }
    for (ssize_t at = 0; at + (ssize_t)RECORD <= count; at += (ssize_t)RECORD)
        if (svmc_insn_decode(&cpu, records + at, SVMC_INSN_MAX, &insn) != SVMC_OK)
            return 1;
        else
            decoded++;
    return decoded == 0;
}
