/* SPDX-License-Identifier: MIT */
/** struct kvm_run by offset: what exit_kvm.c reads and writes, and adapt/kvm_run.c too. */
#ifndef KVM_RUN_H
#define KVM_RUN_H

/* Linux include/uapi/linux/kvm.h; tests compare every one with <linux/kvm.h> */
#define RUN_EXIT_REASON    8u
#define RUN_IO_DIRECTION   32u
#define RUN_IO_SIZE        33u
#define RUN_IO_PORT        34u
#define RUN_IO_COUNT       36u
#define RUN_IO_DATA_OFFSET 40u
#define RUN_MMIO_ADDRESS   32u
#define RUN_MMIO_DATA      40u
#define RUN_MMIO_LEN       48u
#define RUN_MMIO_IS_WRITE  52u
#define RUN_MSR_ERROR      32u
#define RUN_MSR_INDEX      44u
#define RUN_MSR_DATA       48u
#define MMIO_MOST          8u  /* bytes of an MMIO exit */
#define RUN_LEAST          64u /* bytes that hold every field above */

#define KVM_IO        2u
#define KVM_HLT       5u
#define KVM_MMIO      6u
#define KVM_SHUTDOWN  8u
#define KVM_RDMSR     29u
#define KVM_WRMSR     30u
#define KVM_HYPERCALL 3u
#define KVM_PAPR      19u
#define KVM_SBI       35u
#define KVM_CSR       36u

/* KVM_EXIT_HYPERCALL, and where x86 keeps a port access's data: KVM_PIO_PAGE_OFFSET */
#define RUN_HYPERCALL_NR   32u
#define RUN_HYPERCALL_ARGS 40u
#define RUN_HYPERCALL_RET  88u
#define RUN_HYPERCALL_MODE 96u
#define RUN_IO_DATA        4096u

/* KVM_EXIT_RISCV_SBI: six arguments and two results of 8 bytes */
#define RUN_SBI_ARGS  48u
#define RUN_SBI_RET   96u
#define SBI_RET_BYTES 16u

/* KVM_EXIT_RISCV_CSR: what was there before */
#define RUN_CSR_RET 56u

/* KVM_EXIT_PAPR_HCALL: the number, what R3 gets, and R4 to R12 both ways, of 8 bytes each */
#define RUN_PAPR_NR   32u
#define RUN_PAPR_RET  40u
#define RUN_PAPR_ARGS 48u
#define RUN_PAPR_END  120u

#endif
