/* SPDX-License-Identifier: MIT */
/** Raw exits of a processor or of KVM -> one form: docs/spec/exit.md. */
#ifndef SVMCORE_EXIT_H
#define SVMCORE_EXIT_H
#include <stddef.h>
#include <stdint.h>
#include "event.h"
#include "host.h"
#include "insn.h"
#include "page.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_EXIT_DATA_MAX 4096u /* bytes a backend can hand over with one exit */
#define SVMC_EXIT_ARGS     3u    /* registers that an exit can name beside the others */

/** What the library does itself once the answer is there; the rest is the backend's. */
enum svmc_finish {
    SVMC_FINISH_BACKEND = 0, /* nothing: the backend (KVM) writes registers and moves RIP */
    SVMC_FINISH_REGS = 1,    /* results go to registers and memory through the callbacks */
    SVMC_FINISH_RIP = 2      /* RIP is moved behind the instruction */
};

/** What a load does with a source narrower than its destination. */
enum svmc_extend { SVMC_EXTEND_NONE = 0, SVMC_EXTEND_ZERO = 1, SVMC_EXTEND_SIGN = 2 };

/** What svmc_vcpu_exit reads out of the guest's registers first (EX-10): front ends read none. */
enum svmc_from {
    SVMC_FROM_EXIT = 0,        /* nothing: the fields hold it */
    SVMC_FROM_ADDRESS_REG = 1, /* address: address_reg, as wide as the kind's addresses are */
    SVMC_FROM_VALUE_REG = 2,  /* value: the low `size` bytes of value_reg; value_high: from bit 8 */
    SVMC_FROM_VALUE_PAIR = 4, /* value: EDX:EAX */
    SVMC_FROM_STRING_REGS = 8 /* buffer, count, backward: segment, RSI or RDI, RCX, RFLAGS.DF */
};

/** What SYS_STORE and SYS_LOAD are about: their address. */
enum svmc_sys {
    SVMC_SYS_GDTR = 0,
    SVMC_SYS_IDTR = 1,
    SVMC_SYS_LDTR = 2,
    SVMC_SYS_TR = 3,
    SVMC_SYS_MSW = 4 /* SMSW to memory, LMSW from memory */
};

/** An exit, normalised. Made by one of the svmc_exit_from_* front ends. */
struct svmc_exit {
    uint16_t kind;         /* enum svmc_kind */
    uint8_t finish;        /* bits of enum svmc_finish */
    uint8_t size;          /* bytes of an element: 1..8, a block: its own; 0: the kind has none */
    uint32_t count;        /* elements; 1 where the kind has no repetition */
    uint64_t address;      /* port, MSR index or guest-physical address */
    uint64_t value;        /* a single element that the guest writes */
    const uint8_t *data;   /* backend strings: size * count bytes that the guest writes, or NULL */
    svmc_gva buffer;       /* own strings, blocks: linear address of the first element */
    uint8_t insn_bytes;    /* FINISH_RIP: length of the instruction */
    uint8_t repeat;        /* own strings: 1 with REP */
    uint8_t backward;      /* own strings: 1 with RFLAGS.DF */
    uint8_t address_bytes; /* own strings: 2, 4 or 8 */
    uint8_t dest_reg;      /* own reads: enum svmc_reg */
    uint8_t dest_bytes;    /* own reads: 1, 2, 4, 8 */
    uint8_t dest_high;     /* own reads: 1 for AH, CH, DH, BH */
    uint8_t dest_extend;   /* own reads: enum svmc_extend, from size to dest_bytes */
    uint8_t from;          /* bits of enum svmc_from */
    uint8_t address_reg;   /* enum svmc_reg, a general one, here and below */
    uint8_t value_reg;
    uint8_t value_high; /* 1 for AH, CH, DH, BH */
    uint8_t segment;    /* FROM_STRING_REGS: enum svmc_segment; NONE: its base is 0 */
    uint8_t isa;        /* enum svmc_isa; own: what registers and RIP are; NONE: X86_64 */
    uint8_t state;      /* bits of enum svmc_event_state at the exit */
    uint8_t user;       /* 1: the guest's user mode: CPL 3, EL0, VU-mode, problem state */
    /* registers whose values are parameters: the kinds of s390x have such (EX-63) */
    uint8_t arg[SVMC_EXIT_ARGS];
    uint8_t swap; /* own: 1: the register has the bytes of value or result in the other order */
    uint8_t reserved[7 - SVMC_EXIT_ARGS]; /* 0 */
    struct svmc_event interrupted;        /* whose delivery the exit interrupted (EV-5) */
};

struct svmc_outcome; /* intercept.h */

/**
 * KVM on x86: the mapped struct kvm_run after KVM_RUN returned 0 -> an exit, finish BACKEND.
 *
 * Shape:  run[run_bytes], the whole mapping; read at the offsets of the KVM ABI, little-endian, so
 *         that a recorded run is read alike on every machine.
 * Owns:   out->data points into run until svmc_vcpu_exit returned.
 * Source: EX-2; Linux Documentation/virt/kvm/api.rst, section 5.
 *
 * @return SVMC_OK; SVMC_ERR_UNSUPPORTED (any reason but IO, MMIO, X86_RDMSR, X86_WRMSR, HLT,
 *         SHUTDOWN: yours to handle); SVMC_ERR_ARG (NULL, run_bytes too small);
 *         SVMC_ERR_MISMATCH (a size, count or offset that KVM cannot have meant).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_kvm(const uint8_t *run, size_t run_bytes,
                                                            struct svmc_exit *out);

/**
 * KVM on x86: put an outcome's data, or its fault for an MSR, where KVM_RUN looks for it. Call it
 * after every svmc_vcpu_exit and svmc_vcpu_enter that returned SVMC_OK.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_MISMATCH (the data do not fit this exit);
 *         SVMC_ERR_UNSUPPORTED (INJECT for an exit that KVM cannot turn into a fault here).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kvm_complete(uint8_t *run, size_t run_bytes,
                                                           const struct svmc_outcome *outcome);

/**
 * A decoded instruction at RIP that exited -> an exit that the library finishes alone. Pure: it
 * names the registers, svmc_vcpu_exit reads them.
 *
 * Shape:  cause: the class that the hardware's exit reason names; gpa: where the first byte of the
 *         memory operand lies, for class MEMORY, else ignored.
 * Source: EX-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_MISMATCH (cannot exit, or not for this cause);
 *         SVMC_ERR_UNSUPPORTED (MOVS, STOS, LODS, an operand that crosses a page).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_exit_from_insn(const struct svmc_insn *insn,
                                                             enum svmc_insn_class cause,
                                                             svmc_gpa gpa, struct svmc_exit *out);

#ifdef __cplusplus
}
#endif
#endif
