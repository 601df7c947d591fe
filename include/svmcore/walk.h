/* SPDX-License-Identifier: MIT */
/** A guest's page tables: virtual address -> guest-physical, or its fault: docs/spec/walk.md. */
#ifndef SVMCORE_WALK_H
#define SVMCORE_WALK_H
#include <stddef.h>
#include <stdint.h>
#include "host.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_WALK_LEVELS 5u /* entries that one walk reads, at most */
#define SVMC_WALK_TRIES  4u /* walks in one call, where others change the tables meanwhile */

/** What is done at the address; beside enum svmc_access, of which READ and WRITE count here. */
enum svmc_walk_access {
    SVMC_WALK_READ = 1,      /* with WRITE: one instruction does both, e.g. with LOCK, an AMO */
    SVMC_WALK_WRITE = 2,     /* SVMC_ACCESS_READ_IF and _WRITE_IF change nothing */
    SVMC_WALK_FETCH = 256,   /* of an instruction; alone */
    SVMC_WALK_USER = 512,    /* as a user, whoever executes it: LDTR, STTR */
    SVMC_WALK_SYSTEM = 1024, /* x86: by the processor itself, at any CPL: descriptors, TSS, ... */
    SVMC_WALK_LOOK = 2048    /* set no accessed or dirty bit; marks says which would have been */
};

/**
 * How guest memory is read and marked. ctx comes first. A status that is not OK ends the walk and
 * is its answer, so a function may say that it has to wait, and the caller walks again later;
 * REFUSED says that there is no memory of the guest's: rule WK-4.
 */
struct svmc_walk_ops {
    uint32_t size; /* sizeof(struct svmc_walk_ops) as the host compiled it */

    /* required: `bytes` bytes, 4 or 8, aligned to that, in one load: the little-endian number */
    SVMC_NODISCARD enum svmc_status (*read)(void *ctx, svmc_gpa at, uint32_t bytes,
                                            uint64_t *entry);
    /* optional (NULL: every walk is a look): where `was` still lies there, put `now`, atomically;
       BUSY: something else lies there */
    SVMC_NODISCARD enum svmc_status (*exchange)(void *ctx, svmc_gpa at, uint32_t bytes,
                                                uint64_t was, uint64_t now);
};

enum svmc_walk_x86_feature {
    SVMC_WALK_X86_PSE36 = 1,  /* CPUID 1 EDX.17: pages of 4 MiB reach above 4 GiB */
    SVMC_WALK_X86_PAGE1G = 2, /* CPUID 80000001 EDX.26 */
    SVMC_WALK_X86_AMD = 4,    /* AMD and Hygon: bit 8 of upper tables is reserved */
    SVMC_WALK_X86_PDPTES = 8  /* PAE: pdpte holds what CR3's load put there; else memory is read */
};

/** x86: registers as they are. Bits of features that the guest does not have are 0. */
struct svmc_walk_x86 {
    uint64_t cr0, cr3, cr4, efer, rflags;
    uint64_t pat;         /* MSR 277 */
    uint64_t pdpte[4];    /* with PDPTES */
    uint32_t pkru, pkrs;  /* pkrs: MSR 6e1 */
    uint8_t cpl;          /* 0 to 3 */
    uint8_t address_bits; /* physical ones, of CPUID 80000008 EAX: 32 to 52; 36 where it has none */
    uint8_t features;     /* enum svmc_walk_x86_feature */
    uint8_t reserved[5];  /* 0 */
};

/**
 * AArch64, stage 1 of EL0, EL1 and EL2: registers of the regime that the access is in, as they are:
 * the _EL1 ones; for EL2 and, with HCR_EL2.TGE and E2H, EL0 the _EL2 ones.
 */
struct svmc_walk_a64 {
    uint64_t sctlr, tcr, ttbr0, ttbr1, mair;
    uint64_t pstate;              /* as in SPSR: EL, PAN */
    uint64_t hcr;                 /* HCR_EL2: E2H, TGE; 0 where the guest has no EL2 */
    uint64_t mmfr0, mmfr1, mmfr2; /* ID_AA64MMFR0_EL1 to MMFR2 as the guest sees them */
};

enum svmc_walk_rv_feature {
    SVMC_WALK_RV_SVADU = 1,   /* menvcfg.ADUE (henvcfg.ADUE in a guest): A and D are set */
    SVMC_WALK_RV_SVNAPOT = 2, /* bit 63 of an entry */
    SVMC_WALK_RV_SVPBMT = 4   /* menvcfg.PBMTE: bits 62:61 */
};

/** RISC-V: satp and sstatus; in a guest of H vsatp and vsstatus. */
struct svmc_walk_rv {
    uint64_t satp, sstatus;
    uint8_t user;        /* 1: U-mode, 0: S-mode */
    uint8_t features;    /* enum svmc_walk_rv_feature */
    uint8_t reserved[6]; /* 0 */
};

/** Whose tables. */
enum svmc_walk_isa {
    SVMC_WALK_ISA_X86 = 1,
    SVMC_WALK_ISA_A64 = 2,
    SVMC_WALK_ISA_RV32 = 3, /* Sv32 */
    SVMC_WALK_ISA_RV64 = 4  /* Sv39, Sv48, Sv57 */
};

/** A processor and its memory. Only the registers of `isa` are looked at. */
struct svmc_walker {
    const struct svmc_walk_ops *ops; /* as ctx, it outlives the walker */
    void *ctx;
    uint8_t isa;         /* enum svmc_walk_isa */
    uint8_t reserved[7]; /* 0 */
    struct svmc_walk_x86 x86;
    struct svmc_walk_a64 a64;
    struct svmc_walk_rv rv;
};

enum svmc_walk_page {
    SVMC_WALK_PAGE_USER = 1,   /* x86: U/S of all levels. A64: EL0 may read. RISC-V: U */
    SVMC_WALK_PAGE_GLOBAL = 2, /* in every address space; x86: with CR4.PGE */
    SVMC_WALK_PAGE_FLAT = 4    /* translation is off: the address is the physical one */
};

/** An entry that lacks its accessed or dirty bit. */
struct svmc_walk_mark {
    svmc_gpa at;
    uint64_t was, now; /* numbers as read gave them */
};

/** Where the byte lies, or the guest's fault. */
struct svmc_walk_result {
    svmc_gpa at;
    uint64_t page_bytes;     /* of the page or block, a power of 2; flat: 4096 */
    struct svmc_fault fault; /* raised: everything else here is 0 */
    uint32_t rights; /* READ, WRITE, FETCH: all that who asks may do in this page, by its tables */
    uint8_t page;    /* enum svmc_walk_page */
    uint8_t memory;  /* x86: type of PAT: 0 UC .. 6 WB, 7 UC-. A64: byte of MAIR. RISC-V: PBMT */
    uint8_t share;   /* A64: SH */
    uint8_t key;     /* x86: protection key */
    uint8_t entry_bytes; /* of a mark: 4 or 8 */
    uint8_t mark_count;  /* how many entries have to be marked still: none, if exchange did */
    uint8_t reserved[6];
    struct svmc_walk_mark mark[SVMC_WALK_LEVELS]; /* from the root on; a dirty bit is the last */
};

/**
 * Walk the guest's tables once, as its processor would.
 *
 * Shape:   access: enum svmc_walk_access: READ, WRITE, both, or FETCH; and how. One byte: what
 *          crosses a page is two walks. x86 outside of long mode and RV32: `at` is cut to 32 bits.
 * Owns:    nothing is kept.
 * State:   *out is written whole. OK with out->fault: the guest gets that fault, in its processor's
 *          terms. Accessed and dirty bits are set by `exchange` when the access is allowed, from
 *          the root on; a status that is not OK may leave some of the accessed ones set, as a
 *          processor may, and *out is 0.
 * Threads: any, with the table's functions; those of one call come one after the other.
 * Source:  docs/spec/walk.md, WK-1 to WK-34.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no read, isa, access, registers that no processor holds,
 *         reserved bytes); SVMC_ERR_BUSY (the tables change under every try: call again);
 *         what read or exchange answered.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_walk(const struct svmc_walker *walker, svmc_gva at,
                                                   uint32_t access, struct svmc_walk_result *out);

/** The same of one processor alone, so that a linker leaves out the others. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_walk_by_x86(const struct svmc_walk_x86 *regs,
                                                          const struct svmc_walk_ops *ops,
                                                          void *ctx, svmc_gva at, uint32_t access,
                                                          struct svmc_walk_result *out);
SVMC_API SVMC_NODISCARD enum svmc_status svmc_walk_by_a64(const struct svmc_walk_a64 *regs,
                                                          const struct svmc_walk_ops *ops,
                                                          void *ctx, svmc_gva at, uint32_t access,
                                                          struct svmc_walk_result *out);
SVMC_API SVMC_NODISCARD enum svmc_status svmc_walk_by_rv32(const struct svmc_walk_rv *regs,
                                                           const struct svmc_walk_ops *ops,
                                                           void *ctx, svmc_gva at, uint32_t access,
                                                           struct svmc_walk_result *out);
SVMC_API SVMC_NODISCARD enum svmc_status svmc_walk_by_rv64(const struct svmc_walk_rv *regs,
                                                           const struct svmc_walk_ops *ops,
                                                           void *ctx, svmc_gva at, uint32_t access,
                                                           struct svmc_walk_result *out);

/**
 * The access that `translate` of exec.h is asked for, in the bits that a walk takes.
 *
 * Shape:   access: RW bits of enum svmc_access and enum svmc_exec_reach. user: 1: the guest is in a
 *          program: x86 CPL 3, EL0, U-mode. What an x86 processor reads itself is SYSTEM always.
 * Threads: pure.
 * Source:  docs/spec/walk.md, WK-35.
 */
SVMC_API uint32_t svmc_walk_access_from_exec(uint32_t access, uint32_t user);

/**
 * svmc_walk in the form of `translate` of struct svmc_host_ops. That of struct svmc_exec_ops has
 * other bits in `access`, which are ARG here: svmc_walk_access_from_exec makes these of them.
 *
 * Shape:   walker: a struct svmc_walker.
 * State:   as svmc_walk; *out and *fault are 0 where it does not set them.
 *
 * @return as svmc_walk; SVMC_ERR_UNSUPPORTED: an accessed or dirty bit has to be set and there is
 *         no exchange: walk yourself, and mark.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_walk_translate(void *walker, svmc_gva at,
                                                             uint32_t access, svmc_gpa *out,
                                                             struct svmc_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
