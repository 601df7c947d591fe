/* SPDX-License-Identifier: MIT */
/** Who answers what: the embedder's tables, one for each kind of number that a guest can name. */
#ifndef SVMCORE_POLICY_H
#define SVMCORE_POLICY_H
#include <stddef.h>
#include <stdint.h>
#include "page.h"
#include "policy_rows.h"
#include "status.h"
#include "types.h"
#include "x86_cpu.h"
#ifdef __cplusplus
extern "C" {
#endif

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
        uint32_t call_count;
        struct svmc_call_rule calls[SVMC_POLICY_CALLS];   /* upwards by kind, number */
        struct svmc_cpuid_leaf cpuid[SVMC_POLICY_CPUIDS]; /* upwards by leaf, subleaf */
        struct svmc_window windows[SVMC_POLICY_WINDOWS];
        struct svmc_hcall_rule hcalls[SVMC_POLICY_HCALLS];
        uint8_t ports[2][SVMC_POLICY_PORTS / 4]; /* 2 bits a port: reads, writes */
        uint8_t msrs[2][SVMC_POLICY_MSRS / 4];
        uint8_t sysregs[2][SVMC_POLICY_SYSREGS / 4];
        uint8_t msrs_inside[2][SVMC_POLICY_MSRS / 8]; /* beside CONST: INTERPRET */
        uint8_t sysregs_inside[2][SVMC_POLICY_SYSREGS / 8];
        uint8_t kinds[256]; /* verdict + 1 by class and operation; 0: what rows.def says */
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

/** As svmc_policy_set_ports, for MSRs; CONST reads as 0, and INTERPRET is a verdict too. A range
 *  lies within one MSR page. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_msrs(struct svmc_policy *policy,
                                                              uint32_t first, uint32_t count,
                                                              enum svmc_access access,
                                                              enum svmc_verdict verdict);

/**
 * As svmc_policy_set_msrs, for system registers of AArch64.
 *
 * Shape:  first: SVMC_SYSREG(op0, op1, CRn, CRm, op2) with op0 2 or 3, as MRS and MSR have it.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_sysregs(struct svmc_policy *policy,
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

/**
 * Delegate a call by HVC or SMC (SMCCC), to the SBI or of PAPR: `args` argument registers from x1,
 * a0 or R4 on are shown, `results` from x0, a0 or R3 on taken back. What is not set is answered
 * inside, and so are, always, PSCI_VERSION, PSCI_FEATURES, SMCCC_VERSION, SMCCC_ARCH_FEATURES and
 * the SBI's get_spec_version and probe_extension, which say what is set here.
 *
 * Shape:  kind: SVMC_KIND_HVC, _SMC, _SBI, _HCALL; number: the function identifier; of the SBI
 *         EID << 32 | FID. A call of PSCI has 1 result, of the SBI 1 or 2, of its legacy extensions
 *         at most 1; of PAPR what src/intercept/power.def lists, at most.
 * Source: EX-53 to EX-57, EX-69.
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (more than SVMC_POLICY_CALLS); SVMC_ERR_STATE.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_call(struct svmc_policy *policy,
                                                              enum svmc_kind kind, uint64_t number,
                                                              uint8_t args, uint8_t results);

/**
 * What happens on exits of a kind that names nothing a table could have an entry for: time (RDTSC
 * to RDCOUNTER), caches (WBINVD, INVD), MONITOR, MWAIT, PAUSE, control and debug registers (CR_READ
 * to LMSW), and CSRs (CSR_READ to CSR_CLEAR).
 *
 * Shape:  verdict: FAULT, TERMINATE or INTERPRET; DELEGATE for time alone; CONST (0, or nothing is
 *         done) for all but control and debug registers and CSRs; NOTIFY for caches, MONITOR,
 *         MWAIT, PAUSE.
 * State:  after the seal only FAULT and TERMINATE are taken; TERMINATE stays.
 * Source: EX-58, with the verdict that each has unless set.
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (sealed, and not tighter).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_policy_set_kind(struct svmc_policy *policy,
                                                              enum svmc_kind kind,
                                                              enum svmc_verdict verdict);

/** From here on it is only tightened (ports, registers, kinds, mode). A vCPU takes no other. */
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
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_FORMAT (bytes that svmc_policy_save does not
 *         write); SVMC_ERR_UNSUPPORTED (a policy of a newer version).
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
