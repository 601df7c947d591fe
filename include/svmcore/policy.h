/* SPDX-License-Identifier: MIT */
/** Who answers what: the embedder's table of ports, MSRs, device memory and hypercalls. */
#ifndef SVMCORE_POLICY_H
#define SVMCORE_POLICY_H
#include <stddef.h>
#include <stdint.h>
#include "page.h"
#include "status.h"
#include "types.h"
#include "x86_cpu.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_POLICY_PORTS   65536u
#define SVMC_POLICY_MSRS    (3u * 8192u + 256u) /* the three MSR pages of VMX and SVM, 0x400000xx */
#define SVMC_POLICY_WINDOWS 16u
#define SVMC_POLICY_HCALLS  64u
#define SVMC_POLICY_CPUIDS  64u
#define SVMC_CPUID_ANY      0xffffffffu /* a subleaf: every one that has no row of its own */
#define SVMC_HCALL_ARGS     6u          /* arguments a hypercall can declare */
#define SVMC_HCALL_RESULTS  3u          /* results it can declare, beside the status word */

/** What happens on an exit. The order of the first four is that of the packed maps. */
enum svmc_verdict {
    SVMC_VERDICT_FAULT = 0,    /* the guest gets the row's fault; the host learns nothing */
    SVMC_VERDICT_DELEGATE = 1, /* exactly the declared parameters go to the host */
    SVMC_VERDICT_CONST = 2, /* a read gives a constant, a write is ignored; host learns nothing */
    SVMC_VERDICT_TERMINATE = 3, /* the guest is stopped */
    SVMC_VERDICT_NOTIFY = 4     /* done inside; the host is told that it happened, nothing else */
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
#define SVMC_POLICY_BYTES_MAX                                                               \
    (46u + 18u * SVMC_POLICY_WINDOWS + 3u * SVMC_POLICY_HCALLS + 24u * SVMC_POLICY_CPUIDS + \
     10u * SVMC_POLICY_PORTS + 18u * SVMC_POLICY_MSRS)

/** One window of device memory. */
struct svmc_window {
    uint64_t first;
    uint64_t last;
    uint8_t verdict[2]; /* enum svmc_verdict for read, for write */
    uint8_t reserved[6];
};

/** One hypercall: how many registers are shown and taken back. */
struct svmc_hcall_rule {
    uint8_t verdict; /* enum svmc_verdict: DELEGATE, or FAULT: answered NOT_DEFINED inside */
    uint8_t args;    /* 0..SVMC_HCALL_ARGS */
    uint8_t results; /* 0..SVMC_HCALL_RESULTS */
    uint8_t reserved;
};

/**
 * A policy. Allocated by the caller, shared by any number of vCPUs, constant once sealed except for
 * tightening. Threads: a setter runs alone, with no vCPU of this policy inside a call. Of several
 * setters the last counts. init on a policy in use is a new, open policy: never do it.
 */
struct svmc_policy {
    struct {
        uint32_t magic;
        uint32_t sealed;
        uint32_t refusal_limit;
        uint32_t retry_limit;
        uint32_t window_count;
        uint32_t doorbell;    /* port + 1; 0: none */
        uint32_t full_wipe;   /* 1: each request writes all of the page */
        uint32_t mode;        /* enum svmc_mode */
        uint32_t user_memory; /* 1: the guest's user mode may reach device memory */
        uint32_t cpuid_count;
        uint32_t cpuid_rest; /* enum svmc_verdict of leaves without a row: DELEGATE, CONST */
        uint32_t reserved;
        struct svmc_cpuid_leaf cpuid[SVMC_POLICY_CPUIDS]; /* upwards by leaf, subleaf */
        struct svmc_window windows[SVMC_POLICY_WINDOWS];
        struct svmc_hcall_rule hcalls[SVMC_POLICY_HCALLS];
        uint8_t ports[2][SVMC_POLICY_PORTS / 4]; /* 2 bits a port: reads, writes */
        uint8_t msrs[2][SVMC_POLICY_MSRS / 4];
    } priv;
};

/**
 * Start with nothing allowed: every port, MSR, window and hypercall is a FAULT.
 *
 * Shape: refusal_limit: wrong replies in a row after which the guest is stopped; retry_limit: RETRY
 *        replies to one exit after which it is stopped. Both at least 1.
 * @return SVMC_OK, SVMC_ERR_ARG.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_init(struct svmc_policy *policy,
                                                          uint32_t refusal_limit,
                                                          uint32_t retry_limit);

/**
 * Give `count` ports from `first` a verdict (FAULT, DELEGATE, CONST or TERMINATE) for reads, writes
 * or both. CONST reads as ones in the access's width, as an empty bus does.
 *
 * State:  on an error nothing changes. After the seal only FAULT and TERMINATE are taken.
 * Source: docs/spec/exit.md, EX-5.
 * @return SVMC_OK; SVMC_ERR_ARG (range, access, verdict); SVMC_ERR_STATE (sealed, and not tighter).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_ports(struct svmc_policy *policy,
                                                               uint32_t first, uint32_t count,
                                                               enum svmc_access access,
                                                               enum svmc_verdict verdict);

/** As svmc_policy_set_ports, for MSRs; CONST reads as 0. A range lies within one MSR page. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_msrs(struct svmc_policy *policy,
                                                              uint32_t first, uint32_t count,
                                                              enum svmc_access access,
                                                              enum svmc_verdict verdict);

/**
 * Add a window of device memory; what `access` leaves out is a FAULT. CONST reads as ones.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (empty, wraps, overlaps another); SVMC_ERR_FULL;
 *         SVMC_ERR_STATE (sealed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_add_window(struct svmc_policy *policy,
                                                                svmc_gpa first, uint64_t bytes,
                                                                enum svmc_access access,
                                                                enum svmc_verdict verdict);

/**
 * Pin what CPUID says: a leaf of the table is answered inside, always alike, and the host never
 * hears of it (R14). OSXSAVE of leaf 1 and OSPKE of leaf 7, 0 are the guest's CR4, which reg_read
 * must then know (SVMC_REG_CR4); all else stands as you give it, so what differs between vCPUs
 * (APIC id) or with XCR0 (leaf 0Dh) wants a policy a vCPU, or stays with the host.
 *
 * Shape:  leaves[count] in any order, no two alike; subleaf SVMC_CPUID_ANY: every subleaf without a
 *         row of its own. rest: leaves without a row: DELEGATE, or CONST: all 0.
 * State:  replaces the table before it; on an error nothing changes. Not after the seal.
 * Source: EX-18.
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, more than SVMC_POLICY_CPUIDS, two alike, another verdict);
 *         SVMC_ERR_STATE (sealed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_cpuid(struct svmc_policy *policy,
                                                               const struct svmc_cpuid_leaf *leaves,
                                                               size_t count,
                                                               enum svmc_verdict rest);

/**
 * Let each request write all 4096 bytes of its page, not only its own areas and what the exchange
 * before it used (PG-1): then nothing that a host left in the page outlives a request. A page then
 * costs about as much as two copies of it. SVMC_ERR_STATE if sealed.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_full_wipe(struct svmc_policy *policy);

/**
 * How wrong replies are met; STRICT unless set. After the seal only towards STRICT.
 * @return SVMC_OK; SVMC_ERR_ARG (no mode); SVMC_ERR_STATE (sealed, and looser). Source: MO-7.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_mode(struct svmc_policy *policy,
                                                              enum svmc_mode mode);

/**
 * Let the guest's user mode reach the windows as its kernel does (EX-17). Else a program in the
 * guest that has such memory mapped gets a fault, and no device: the kernel's drivers are what the
 * windows were declared for. SVMC_ERR_STATE if sealed.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_user_memory(struct svmc_policy *policy);

/** The port whose 4-byte OUT is a hypercall, e.g. SVMC_HCALL_PORT. SVMC_ERR_STATE if sealed. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_doorbell(struct svmc_policy *policy,
                                                                  uint16_t port);

/**
 * Delegate hypercall `number`: `args` argument registers are shown, `results` taken back.
 * What is not set is answered NOT_DEFINED inside.
 * @return SVMC_OK; SVMC_ERR_ARG (number, args or results too large); SVMC_ERR_STATE (sealed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_hcall(struct svmc_policy *policy,
                                                               uint32_t number, uint8_t args,
                                                               uint8_t results);

/** From here on it is only tightened (ports, MSRs, mode). A vCPU takes none but a sealed policy. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_seal(struct svmc_policy *policy);

/**
 * svmc_policy_init, then the rows of a ready-made policy. It is left open: add your devices, seal.
 *
 * Shape:  limits as in svmc_policy_init.
 * Source: docs/spec/policy.md, PO-8, PO-9.
 * @return SVMC_OK; SVMC_ERR_ARG (*policy is then zeroed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_preset(struct svmc_policy *policy,
                                                            enum svmc_preset preset,
                                                            uint32_t refusal_limit,
                                                            uint32_t retry_limit);

struct svmc_crypto_ops;

/**
 * Write the one byte form of a sealed policy, as it decides now.
 *
 * Shape:  out[cap], at most SVMC_POLICY_BYTES_MAX are needed; NULL with cap 0: only *len.
 * State:  *len: bytes written, with SVMC_ERR_FULL bytes needed, else 0. On an error out is kept.
 * Source: docs/spec/policy.md, PO-1 to PO-5.
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (not sealed); SVMC_ERR_FULL (cap is too small).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_save(const struct svmc_policy *policy,
                                                          uint8_t *out, size_t cap, size_t *len);

/**
 * Read what svmc_policy_save wrote, and nothing else. The policy arrives sealed.
 *
 * Shape:  bytes[len]: one policy, all of it; copied.
 * State:  *policy is new, as after init; on an error it is zeroed: no call takes it.
 * Source: PO-1 to PO-6.
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, or bytes that svmc_policy_save does not write);
 *         SVMC_ERR_UNSUPPORTED (a policy of a newer version).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_load(struct svmc_policy *policy,
                                                          const uint8_t *bytes, size_t len);

/**
 * What to attest: the SHA-256 of the byte form, of a sealed policy as it decides now.
 *
 * Shape:  out[32], zeroed on any error; ops as in svmcore/crypto.h.
 * Source: PO-7.
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no hash in ops); SVMC_ERR_STATE (not sealed);
 *         SVMC_ERR_UNSUPPORTED (the back end has no SHA-256); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_digest(const struct svmc_policy *policy,
                                                            const struct svmc_crypto_ops *ops,
                                                            uint8_t out[32]);

#ifdef __cplusplus
}
#endif
#endif
