/* SPDX-License-Identifier: MIT */
/** One-word values that must not pass for each other, and the registers a callback is asked for. */
#ifndef SVMCORE_TYPES_H
#define SVMCORE_TYPES_H
#include <stdint.h>

/** A guest-physical address: what the second-stage tables translate. */
typedef struct {
    uint64_t v;
} svmc_gpa;

/** A guest-linear (virtual) address, after the segment base was added. */
typedef struct {
    uint64_t v;
} svmc_gva;

/** How memory is touched; a bit set where several can hold. */
enum svmc_access {
    SVMC_ACCESS_NONE = 0,
    SVMC_ACCESS_READ = 1,
    SVMC_ACCESS_WRITE = 2,
    SVMC_ACCESS_RW = 3
};

/**
 * Registers. 0 to 63 are x86's, the general ones by their encoding (Intel SDM vol. 2, REX.B:rm
 * order); other processors get ranges of their own behind them.
 */
enum svmc_reg {
    SVMC_REG_RAX = 0,
    SVMC_REG_RCX = 1,
    SVMC_REG_RDX = 2,
    SVMC_REG_RBX = 3,
    SVMC_REG_RSP = 4,
    SVMC_REG_RBP = 5,
    SVMC_REG_RSI = 6,
    SVMC_REG_RDI = 7,
    SVMC_REG_R8 = 8,
    SVMC_REG_R9 = 9,
    SVMC_REG_R10 = 10,
    SVMC_REG_R11 = 11,
    SVMC_REG_R12 = 12,
    SVMC_REG_R13 = 13,
    SVMC_REG_R14 = 14,
    SVMC_REG_R15 = 15,
    SVMC_REG_RIP = 16,
    SVMC_REG_RFLAGS = 17,
    SVMC_REG_FS_BASE = 18,
    SVMC_REG_GS_BASE = 19,
    SVMC_REG_NONE = 0xff
};

/** Segment registers by their encoding in MOV Sreg (Intel SDM vol. 2, MOV). */
enum svmc_segment {
    SVMC_SEG_ES = 0,
    SVMC_SEG_CS = 1,
    SVMC_SEG_SS = 2,
    SVMC_SEG_DS = 3,
    SVMC_SEG_FS = 4,
    SVMC_SEG_GS = 5,
    SVMC_SEG_NONE = 0xff
};

#endif
