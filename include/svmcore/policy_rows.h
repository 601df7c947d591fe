/* SPDX-License-Identifier: MIT */
/** What the tables of a policy are made of: verdicts, modes, sizes, rows. */
#ifndef SVMCORE_POLICY_ROWS_H
#define SVMCORE_POLICY_ROWS_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_POLICY_PORTS   65536u
#define SVMC_POLICY_MSRS    (3u * 8192u + 256u) /* the three MSR pages of VMX and SVM, 0x400000xx */
#define SVMC_POLICY_SYSREGS 32768u              /* of AArch64: op0 2 and 3 */
#define SVMC_POLICY_WINDOWS 16u
#define SVMC_POLICY_HCALLS  64u
#define SVMC_POLICY_CALLS   64u
#define SVMC_POLICY_KINDS   35u /* kinds of exit whose verdict a policy can say */
#define SVMC_POLICY_CPUIDS  64u
#define SVMC_CPUID_ANY      0xffffffffu /* a subleaf: every one that has no row of its own */
#define SVMC_CALL_ARGS      6u          /* x1 to x6; a0 to a5 */
#define SVMC_CALL_RESULTS   4u          /* x0 to x3; of the SBI 2: a0, a1 */
#define SVMC_HCALL_ARGS     6u          /* arguments a hypercall can declare */
#define SVMC_HCALL_RESULTS  3u          /* results it can declare, beside the status word */

/** What happens on an exit. Pinned; the first four are the packed maps' two bits. */
enum svmc_verdict {
    SVMC_VERDICT_FAULT = 0,    /* the guest gets the row's fault; the host learns nothing */
    SVMC_VERDICT_DELEGATE = 1, /* exactly the declared parameters go to the host */
    SVMC_VERDICT_CONST = 2, /* a read gives a constant, a write is ignored; host learns nothing */
    SVMC_VERDICT_TERMINATE = 3, /* the guest is stopped */
    SVMC_VERDICT_NOTIFY = 4,    /* done inside; the host is told that it happened, nothing else */
    SVMC_VERDICT_INTERPRET = 5 /* done inside, by the embedder's `interpret`; host learns nothing */
};

/** How a reply that breaks a rule is met: docs/spec/reply.md, MO-1 to MO-7. Pinned, 0 strictest */
enum svmc_mode {
    SVMC_MODE_STRICT = 0,  /* refused */
    SVMC_MODE_LENIENT = 1, /* as strict, but bits beyond a result's width are cut off */
    SVMC_MODE_OBSERVE = 2  /* counted, and taken as far as it is safe */
};

/** Ready-made policies: docs/spec/policy.md, PO-8 and PO-9; rows: src/intercept/presets.def. */
enum svmc_preset {
    SVMC_PRESET_SECURE = 0,  /* a PC without devices: CPUID alone is delegated; strict */
    SVMC_PRESET_OBSERVE = 1, /* everything is delegated, replies are observed */
    SVMC_PRESET_OPEN = 2     /* everything is delegated, lenient: a guest that keeps no secret */
};

#define SVMC_POLICY_VERSION 1u
/** No policy's byte form is longer; a usual one has a few hundred bytes. */
#define SVMC_POLICY_BYTES_MAX                                                             \
    (56u + 3u * SVMC_POLICY_KINDS + 11u * SVMC_POLICY_CALLS + 18u * SVMC_POLICY_WINDOWS + \
     3u * SVMC_POLICY_HCALLS + 24u * SVMC_POLICY_CPUIDS + 10u * SVMC_POLICY_PORTS +       \
     18u * SVMC_POLICY_MSRS + 10u * SVMC_POLICY_SYSREGS)

/** The number of an AArch64 system register, as in bits 20:5 of MRS and MSR (Arm ARM C5.1.2). */
#define SVMC_SYSREG(op0, op1, crn, crm, op2)                                                       \
    ((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 | (uint32_t)(crm) << 3 | \
     (uint32_t)(op2))

/** One window of device memory. */
struct svmc_window {
    uint64_t first;
    uint64_t last;
    uint8_t verdict[2]; /* enum svmc_verdict for read, for write */
    uint8_t reserved[6];
};

/** A call of firmware or a hypervisor, by one conduit. */
struct svmc_call_rule {
    uint64_t number;
    uint16_t kind;   /* enum svmc_kind: HVC, SMC, SBI */
    uint8_t args;    /* 0..SVMC_CALL_ARGS */
    uint8_t results; /* 0..SVMC_CALL_RESULTS */
    uint8_t reserved[4];
};

/** One hypercall: how many registers are shown and taken back. */
struct svmc_hcall_rule {
    uint8_t verdict; /* enum svmc_verdict: DELEGATE, or FAULT: answered NOT_DEFINED inside */
    uint8_t args;    /* 0..SVMC_HCALL_ARGS */
    uint8_t results; /* 0..SVMC_HCALL_RESULTS */
    uint8_t reserved;
};

#ifdef __cplusplus
}
#endif
#endif
