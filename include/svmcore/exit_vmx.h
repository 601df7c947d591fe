/* SPDX-License-Identifier: MIT */
/**
 * Intel VMX: the VM-exit information of a VMCS -> an exit; events in and out of it.
 * Rules EX-21 to EX-27 of docs/spec/exit.md. Sections are those of the SDM whose volume 3 has
 * "VM exits" as chapter 27.
 */
#ifndef SVMCORE_EXIT_VMX_H
#define SVMCORE_EXIT_VMX_H
#include <stddef.h>
#include <stdint.h>
#include "event.h"
#include "exit.h"
#include "insn.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * What you VMREAD after an exit, under the SDM's names. A field that the exit's reason leaves
 * undefined is not looked at: read all of them, or only those of the comment.
 */
struct svmc_vmx_exit {
    uint32_t exit_reason;      /* all 32 bits */
    uint32_t insn_length;      /* VM-exit instruction length */
    uint32_t insn_info;        /* VM-exit instruction information; for INS and OUTS */
    uint32_t idt_vectoring;    /* IDT-vectoring information */
    uint32_t idt_error;        /* IDT-vectoring error code */
    uint32_t interruptibility; /* guest interruptibility state */
    uint32_t cs_ar;            /* guest CS access rights */
    uint8_t has_string_info;   /* IA32_VMX_BASIC bit 54: insn_info holds INS and OUTS */
    uint8_t cpl;               /* guest's privilege level: SS access rights, bits 6:5 */
    uint8_t reserved[2];       /* 0 */
    uint64_t qualification;    /* exit qualification; for I/O and EPT violations */
    uint64_t guest_physical;   /* guest-physical address; for EPT violations, misconfigurations */
    uint64_t rflags;           /* guest RFLAGS */
    uint64_t efer;             /* guest IA32_EFER; only LMA counts (VM-entry control bit 9 is it) */
    uint64_t debugctl;         /* guest IA32_DEBUGCTL; only BTF counts: TF then steps branches */
};

/**
 * A VM exit -> an exit that the library finishes alone. Pure: no register is read (EX-10).
 *
 * Kinds:  CPUID, RDMSR, WRMSR, IN, OUT, INS, OUTS, HLT, HYPERCALL (VMCALL); MMIO_READ and
 *         MMIO_WRITE of an EPT violation or misconfiguration; SHUTDOWN of a triple fault. Any other
 *         instruction (RDTSC, XSETBV, MOV CR, INVEPT, ...) is SVMC_KIND_UNKNOWN, finish REGS|RIP:
 *         the policy's answer is #UD (EX-4). Take those that you answer yourself before you call.
 * Shape:  bytes[count]: your copy of what stands at CS:RIP, or NULL with 0. Without them the exit
 *         is what the hardware says. With them they must say the same: instruction, length, port,
 *         sizes. Device memory needs them, so do INS and OUTS without has_string_info and a few
 *         rare reasons that give no length: else TRUNCATED. cpu: vendor (what executed
 *         them is Intel's) and features, for the decoder; its isa is not read, the mode is that of
 *         cs_ar and efer. NULL without bytes.
 * State:  out->interrupted, of an EPT violation in the middle of a delivery: kind UNKNOWN, finish
 *         0, bytes not read; svmc_vcpu_exit refuses it (EV-5). *out is all 0 after an error.
 * Owns:   nothing.
 * Threads: any.
 * Source: EX-21 to EX-26; Intel SDM vol. 3 24.9, 27.2, appendix C.
 *
 * Yours: an access that begins in the page before the device's is reported at offset 0 of the
 * device's page, and a misconfigured entry may have been met by a page walk, which the hardware
 * does not tell: if your guests can do that, compare svmc_insn_address with guest_physical in the
 * low 12 bits. VMCALL exits from every privilege level (HC-6).
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a bad cpu, reserved fields); SVMC_ERR_UNSUPPORTED (yours to
 *         handle: no instruction exited, a reason or flag that is not known, an access that is not
 *         finished here); SVMC_ERR_MISMATCH (the bytes or the fields contradict the reason or each
 *         other); SVMC_ERR_TRUNCATED (bytes, or more of them).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_vmx(const struct svmc_vmx_exit *vmx,
                                                            const struct svmc_cpu *cpu,
                                                            const uint8_t *bytes, size_t count,
                                                            struct svmc_exit *out);

/**
 * IDT-vectoring information, or VM-exit interruption information, with its error code -> an event.
 *
 * Shape:  error counts if bit 11 of info is set; insn_length for software interrupts and
 *         exceptions, 0: not known. Bit 12 is not looked at. Without bit 31: type NONE.
 * Owns:   nothing. event->address is 0: CR2 is yours.
 * State:  *event is all 0 after an error.
 * Threads: any.
 * Source: EX-27; Intel SDM vol. 3 24.9.3, 27.2.3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_MISMATCH (a type, vector, error code or length
 *         that no event has; what FRED adds is among them).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_event_from_vmx(uint32_t info, uint32_t error,
                                                             uint32_t insn_length,
                                                             struct svmc_event *event);

/**
 * An event -> VM-entry interruption information, exception error code and instruction length. INT1
 * is a privileged software exception, INT3 and INTO are software exceptions, by the vector.
 *
 * Shape:  soft events need insn_bytes. An error code means protected mode: VM entry refuses one in
 *         real-address mode.
 * Owns:   nothing. event->address is not written anywhere: CR2 is yours.
 * State:  all three are 0 for type NONE, and after an error.
 * Threads: any.
 * Source: EX-27; Intel SDM vol. 3 24.8.3, 26.2.1.3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL; an event that VM entry would refuse);
 *         SVMC_ERR_UNSUPPORTED (SHUTDOWN: stop the guest).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_event_to_vmx(const struct svmc_event *event,
                                                           uint32_t *info, uint32_t *error,
                                                           uint32_t *insn_length);

#ifdef __cplusplus
}
#endif
#endif
