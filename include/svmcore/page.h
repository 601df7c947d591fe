/* SPDX-License-Identifier: MIT */
/**
 * The parameter page: all that the untrusted host ever sees of an exit, and all it can say back.
 * Both sides include this header; a host needs nothing else of the library.
 * Source: docs/spec/page.md, rules PG-1 to PG-9.
 */
#ifndef SVMCORE_PAGE_H
#define SVMCORE_PAGE_H
#include <stddef.h>
#include <stdint.h>
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_PAGE_BYTES      4096u       /* always, whatever the exit */
#define SVMC_PAGE_DATA_BYTES 3584u       /* the data area: strings and blocks */
#define SVMC_PAGE_MAGIC      0x504d5653u /* "SVMP" in memory */
#define SVMC_PAGE_VERSION    1u
#define SVMC_PAGE_SLOTS      8u
#define SVMC_PAGE_INSN_BYTES 16u

/** Where a field lies (PG-2). All little-endian; what is not listed is reserved and 0. */
enum svmc_page_offset {
    SVMC_PAGE_REQ_MAGIC = 0x000,      /* u32 */
    SVMC_PAGE_REQ_VERSION = 0x004,    /* u16 */
    SVMC_PAGE_REQ_HEADER = 0x006,     /* u16: bytes before the data area, 0x200 */
    SVMC_PAGE_REQ_KIND = 0x008,       /* u16: enum svmc_kind */
    SVMC_PAGE_REQ_COMPLETION = 0x00a, /* u8: enum svmc_completion */
    SVMC_PAGE_REQ_DIRECTION = 0x00b,  /* u8: enum svmc_direction */
    SVMC_PAGE_REQ_VCPU = 0x00c,       /* u32 */
    SVMC_PAGE_REQ_SEQ = 0x010,        /* u64 */
    SVMC_PAGE_REQ_IN_VALID = 0x018,   /* u64: bit n: in slot n holds a parameter */
    SVMC_PAGE_REQ_INSN = 0x020,       /* 16 bytes: normalised instruction, fixed registers */
    SVMC_PAGE_REQ_ADDRESS = 0x030,    /* u64: port, register, guest-physical address, call */
    SVMC_PAGE_REQ_SIZE = 0x038,       /* u32: bytes of an element, 0 where there is none */
    SVMC_PAGE_REQ_COUNT = 0x03c,      /* u32: elements asked for now */
    SVMC_PAGE_REQ_IN = 0x040,         /* 8 x u64 */
    SVMC_PAGE_REP_SEQ = 0x100,        /* u64: the request's, echoed */
    SVMC_PAGE_REP_STATUS = 0x108,     /* u32: enum svmc_reply_status */
    SVMC_PAGE_REP_OUT_VALID = 0x110,  /* u64: bit n: out slot n holds a result */
    SVMC_PAGE_REP_FAULT = 0x118,      /* u8: enum svmc_fault_code */
    SVMC_PAGE_REP_DONE = 0x120,       /* u32: elements done */
    SVMC_PAGE_REP_DATA_BYTES = 0x124, /* u32: bytes given in the data area */
    SVMC_PAGE_REP_OUT = 0x140,        /* 8 x u64 */
    SVMC_PAGE_DATA = 0x200            /* 3584 bytes: the request's, then the reply's */
};

/** What the guest did: class in bits 15:12, operation in bits 11:0 (PG-4). */
enum svmc_kind {
    SVMC_KIND_CPUID = 0x0001,
    SVMC_KIND_RDMSR = 0x1001,
    SVMC_KIND_WRMSR = 0x1002,
    SVMC_KIND_SYSREG_READ = 0x1003,  /* AArch64: MRS */
    SVMC_KIND_SYSREG_WRITE = 0x1004, /* MSR (register) */
    SVMC_KIND_IN = 0x2001,
    SVMC_KIND_OUT = 0x2002,
    SVMC_KIND_INS = 0x3001,
    SVMC_KIND_OUTS = 0x3002,
    SVMC_KIND_MMIO_READ = 0x4001,
    SVMC_KIND_MMIO_WRITE = 0x4002,
    SVMC_KIND_DATA_ABORT =
        0x4003, /* AArch64, here and below: an address that the host may refuse */
    SVMC_KIND_PROTECTED_ABORT = 0x4004, /* one of the guest's own memory */
    SVMC_KIND_INSN_ABORT = 0x4005,
    SVMC_KIND_HYPERCALL = 0x5001,
    SVMC_KIND_HVC = 0x5002,   /* AArch64, SMCCC */
    SVMC_KIND_SMC = 0x5003,   /* AArch64, SMCCC */
    SVMC_KIND_SBI = 0x5004,   /* RISC-V: ECALL of VS-mode */
    SVMC_KIND_HCALL = 0x5005, /* Power: sc 1, PAPR */
    SVMC_KIND_HLT = 0x6001,   /* x86 */
    SVMC_KIND_WFI = 0x6002,   /* A64 WFI and WFIT, RISC-V */
    SVMC_KIND_WFE = 0x6003,   /* A64 WFE and WFET */
    SVMC_KIND_MONITOR = 0x6004,
    SVMC_KIND_MWAIT = 0x6005,
    SVMC_KIND_PAUSE = 0x6006,
    SVMC_KIND_WBINVD = 0x7001, /* and WBNOINVD */
    SVMC_KIND_INVD = 0x7002,
    SVMC_KIND_RDTSC = 0x8001,
    SVMC_KIND_RDTSCP = 0x8002,
    SVMC_KIND_RDPMC = 0x8003,
    SVMC_KIND_RDTIME = 0x8004,    /* RISC-V, RV64: a read of the CSR time */
    SVMC_KIND_RDCOUNTER = 0x8006, /* RISC-V: a read of cycle, instret, hpmcounter3 to 31 */
    SVMC_KIND_CR_READ = 0x9001,   /* MOV from and to control registers, debug registers */
    SVMC_KIND_CR_WRITE = 0x9002,
    SVMC_KIND_DR_READ = 0x9003,
    SVMC_KIND_DR_WRITE = 0x9004,
    SVMC_KIND_XSETBV = 0x9005,
    SVMC_KIND_CLTS = 0x9006,
    SVMC_KIND_LMSW = 0x9007,
    SVMC_KIND_CSR_READ = 0x1005,   /* RISC-V: CSRRS, CSRRC that write nothing */
    SVMC_KIND_CSR_WRITE = 0x1006,  /* CSRRW that reads nothing; all with immediates, too */
    SVMC_KIND_CSR_SWAP = 0x1007,   /* CSRRW */
    SVMC_KIND_CSR_SET = 0x1008,    /* CSRRS */
    SVMC_KIND_CSR_CLEAR = 0x1009,  /* CSRRC */
    SVMC_KIND_SYS_STORE = 0x9008,  /* SGDT, SIDT, SLDT, STR; SMSW to memory */
    SVMC_KIND_SYS_LOAD = 0x9009,   /* LGDT, LIDT, LLDT, LTR; LMSW from memory */
    SVMC_KIND_PAGE_STATE = 0xa001, /* requests of the embedder itself: EX-80 */
    SVMC_KIND_MAP_GPA = 0xa002,
    SVMC_KIND_RIPAS = 0xa003,
    SVMC_KIND_S2AP = 0xa004,
    SVMC_KIND_DEV_MEM = 0xa005,
    SVMC_KIND_GUEST_REQUEST = 0xb001,
    SVMC_KIND_GUEST_REQUEST_EXT = 0xb002,
    SVMC_KIND_SHUTDOWN = 0xc001,
    SVMC_KIND_AP_CREATE = 0xc002,
    SVMC_KIND_IRQ = 0xd001, /* AArch64, here and below */
    SVMC_KIND_FIQ = 0xd002,
    SVMC_KIND_SERROR = 0xd003,
    SVMC_KIND_UNKNOWN = 0xf000,
    SVMC_KIND_DIAG_288 = 0x5040, /* s390x, here and below; operations from 040 on */
    SVMC_KIND_DIAG_500 = 0x5041,
    SVMC_KIND_WAIT = 0x6040,    /* a PSW with the wait bit */
    SVMC_KIND_DIAG_44 = 0x6041, /* yield */
    SVMC_KIND_DIAG_9C = 0x6042, /* yield to a processor */
    SVMC_KIND_SPX = 0x9040,
    SVMC_KIND_LPSW = 0x9041, /* LPSW, LPSWE, LPSWEY */
    SVMC_KIND_LCTL = 0x9042, /* LCTL, LCTLG */
    SVMC_KIND_CSCH = 0xb040,
    SVMC_KIND_HSCH = 0xb041,
    SVMC_KIND_RSCH = 0xb042,
    SVMC_KIND_XSCH = 0xb043,
    SVMC_KIND_SAL = 0xb044,
    SVMC_KIND_RCHP = 0xb045,
    SVMC_KIND_SSCH = 0xb046, /* with a block of memory, here and below */
    SVMC_KIND_MSCH = 0xb047,
    SVMC_KIND_STSCH = 0xb048,
    SVMC_KIND_TSCH = 0xb049,
    SVMC_KIND_DIAG_308 = 0xc040,
    SVMC_KIND_SIGP = 0xd040
};

/** What kind of answer is awaited. */
enum svmc_completion {
    SVMC_COMPLETION_NONE = 0,   /* a notice: nothing is awaited, the reply area is not read */
    SVMC_COMPLETION_SINGLE = 1, /* all of it in one reply */
    SVMC_COMPLETION_CHUNK = 2   /* a part may be done, the rest is asked for again */
};

/** Where the data go, seen from the guest. */
enum svmc_direction { SVMC_DIRECTION_NONE = 0, SVMC_DIRECTION_IN = 1, SVMC_DIRECTION_OUT = 2 };

enum svmc_reply_status {
    SVMC_REPLY_DONE = 0,
    SVMC_REPLY_FAULT = 1,   /* the guest gets the fault named in `fault`, if the kind allows it */
    SVMC_REPLY_PARTIAL = 2, /* `done` elements, at least one, fewer than asked for */
    SVMC_REPLY_RETRY = 3    /* not now: ask again */
};

/** The faults a host may ask for; vector and error code are made inside (R7). */
enum svmc_fault_code {
    SVMC_FAULT_NONE = 0,
    SVMC_FAULT_GP = 1,
    SVMC_FAULT_UD = 2,
    SVMC_FAULT_SPECIFICATION = 3, /* s390x */
    SVMC_FAULT_OPERAND = 4        /* s390x */
};

/** A request as a host reads it. */
struct svmc_request {
    uint16_t kind;
    uint8_t completion;
    uint8_t direction;
    uint32_t vcpu;
    uint64_t seq;
    uint64_t in_valid;
    uint64_t address;
    uint32_t size;
    uint32_t count;
    uint64_t in[SVMC_PAGE_SLOTS];
    uint8_t insn[SVMC_PAGE_INSN_BYTES];
};

/** A reply as a host writes it. */
struct svmc_reply {
    uint64_t seq;
    uint32_t status;
    uint32_t fault;
    uint64_t out_valid;
    uint32_t done;
    uint32_t data_bytes;
    uint64_t out[SVMC_PAGE_SLOTS];
};

/**
 * Host side: read the request, and where it carries data, copy them.
 *
 * Shape:   page[SVMC_PAGE_BYTES], 8-byte aligned; data[cap] or NULL with 0: header only.
 * State:   *out is zeroed first and stays so on an error.
 * Threads: any; plain word loads, no lock. The doorbell orders them after the core's stores.
 * Source:  PG-2, PG-3.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, misaligned); SVMC_ERR_UNSUPPORTED (foreign magic or
 *         version); SVMC_ERR_FULL (the data are longer than cap; SVMC_PAGE_DATA_BYTES suffices).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_request_read(const volatile void *page,
                                                           struct svmc_request *out, void *data,
                                                           size_t cap);

/**
 * Host side: write a reply, its data first.
 *
 * Shape:   data[reply->data_bytes], NULL where that is 0.
 * Threads: as svmc_request_read; ring the doorbell afterwards.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, misaligned, data_bytes over SVMC_PAGE_DATA_BYTES, a fault
 *         over 255).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_reply_write(volatile void *page,
                                                          const struct svmc_reply *reply,
                                                          const void *data);

/** A kind's name, e.g. "mmio-read"; "unknown" for a value that is none. Static, never NULL. */
SVMC_API const char *svmc_kind_name(uint16_t kind);

#ifdef __cplusplus
}
#endif
#endif
