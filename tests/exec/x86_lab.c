/* SPDX-License-Identifier: MIT */
#include "exec_lab.h"

/* SDM vol. 3 4.7: #PF and its error code. */
static struct svmc_fault page_fault(uint64_t linear, uint32_t access, bool there)
{
    uint32_t error = (there ? 1u : 0) | (access & SVMC_ACCESS_WRITE ? 2u : 0) |
                     (access & SVMC_EXEC_USER ? 4u : 0) | (access & SVMC_EXEC_EXECUTE ? 16u : 0);

    return (struct svmc_fault){
        .raised = 1, .vector = 14, .has_error = 1, .error = error, .address = linear
    };
}

void exec_lab_open(struct exec_lab *lab, unsigned isa)
{
    exec_lab_clear(lab, isa);
    lab->fault_of = page_fault;
    lab->cpu.vendor = SVMC_VENDOR_INTEL;
    memset(lab->cpu.features, 0xff, sizeof lab->cpu.features);
    lab->regs.rflags = 2;
    lab->regs.cr0 = 0x80000001;
    lab->regs.cr4 = 0x40600; /* OSFXSR, OSXMMEXCPT, OSXSAVE */
    lab->regs.xcr0 = LAB_XCR0;
    lab->regs.mxcsr = 0x1f80;
    lab->regs.fcw = 0x37f;
    lab->regs.vendor = SVMC_VENDOR_INTEL;
    lab->regs.address_bits = isa == SVMC_ISA_X86_64 ? 48 : 0;
    lab->regs.general[SVMC_REG_RSP] = LAB_LINEAR + 0x3800;
    lab->regs.rip = 0x1000;
    for (unsigned i = 0; i < 6; i++) {
        struct svmc_exec_segment *s = &lab->regs.segment[i];

        s->limit = 0xffffffff;
        s->rights = SVMC_RIGHTS_WRITABLE | (isa == SVMC_ISA_X86_16 ? 0 : SVMC_RIGHTS_BIG);
        s->selector = (uint16_t)(8 * i + 8);
    }
    lab->regs.segment[SVMC_SEG_CS].rights |= SVMC_RIGHTS_CODE;
}
