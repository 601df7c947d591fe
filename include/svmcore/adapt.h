/* SPDX-License-Identifier: MIT */
/**
 * Adapters: a request of the parameter page in a form that an existing hypervisor already consumes,
 * and its answer back as a reply. Both ways, for both sides:
 *
 *     core:  svmc_request_read -> svmc_adapt_emit ->   [host]   -> svmc_adapt_absorb ->
 *            svmc_reply_write -> svmc_vcpu_enter
 *     host:                       svmc_adapt_decode -> [device] -> svmc_adapt_answer
 *
 * A core that uses an adapter shares the foreign area with the host and keeps the parameter page to
 * itself. All of it is simulated: tested against the published structures, never run on SEV-SNP,
 * TDX, CCA or s390. Source: docs/spec/adapt.md.
 */
#ifndef SVMCORE_ADAPT_H
#define SVMCORE_ADAPT_H
#include <stddef.h>
#include <stdint.h>
#include "page.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

/** A form, and what its area is. */
enum svmc_foreign_format {
    SVMC_FOREIGN_GHCB = 0,   /* the GHCB page of SEV-ES and SEV-SNP, version 2: 4096 bytes */
    SVMC_FOREIGN_KVM = 1,    /* struct kvm_run of x86, hypercalls of ppc64le; 2 pages: 8192 bytes */
    SVMC_FOREIGN_TDX = 2,    /* the registers of TDG.VP.VMCALL: RAX..R15 by encoding, 16 x u64 */
    SVMC_FOREIGN_RMM = 3,    /* RmiRecRun of the Arm RMM: 4096 bytes, enter first */
    SVMC_FOREIGN_S390 = 4,   /* s390 state description, format 4, and save area: 1024 bytes */
    SVMC_FOREIGN_FORMATS = 5 /* one more than the last */
};

/** Where a request in a foreign form lies. */
struct svmc_foreign {
    uint32_t format;     /* enum svmc_foreign_format */
    uint32_t area_bytes; /* at least what the form needs */
    volatile void *area; /* 8-byte aligned; the other side may write it at any time */
    uint64_t gpa;        /* GHCB: the page's guest-physical address, a multiple of 4096; RMM: the
                            first unprotected address, half of the realm's space */
    volatile void *sida; /* s390: the secure instruction data area, 8-byte aligned; NULL: none */
    uint32_t sida_bytes; /* its size, whatever sidad says */
};

/**
 * Core side: write a request into the area. What the form has no field for is not written; what
 * the request does not declare is 0 (AP-2). A string's elements go as far as there is room (AP-4).
 *
 * Shape:   data: the request's, as svmc_request_read gave them; NULL where it has none.
 * State:   on an error the area is unchanged.
 * Threads: any, here and below; plain word accesses. The doorbell orders them.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, format, area, a string without data or longer than a page);
 *         SVMC_ERR_UNSUPPORTED (the form has no such kind, or no room for a value: AP-3).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_adapt_emit(const struct svmc_foreign *to,
                                                         const struct svmc_request *request,
                                                         const uint8_t *data);

/**
 * Core side: read the host's answer, once, as a reply to this request. Nothing is decided here: the
 * reply goes to svmc_reply_write and svmc_vcpu_enter, which checks it.
 *
 * Shape:   data[SVMC_PAGE_DATA_BYTES], or NULL where nothing comes in; *rule: the number of the
 *          rule AP-n that the answer breaks, else 0; NULL: not wanted.
 * State:   on an error *reply is zeroed: write it all the same, and svmc_vcpu_enter counts a
 *          refusal (AP-6).
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (a notice: nothing is awaited);
 *         SVMC_ERR_UNSUPPORTED (as svmc_adapt_emit); SVMC_ERR_HOST_REPLY (*rule).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_adapt_absorb(const struct svmc_foreign *from,
                                                           const struct svmc_request *request,
                                                           struct svmc_reply *reply, uint8_t *data,
                                                           uint32_t *rule);

/**
 * Host side: read a request in the foreign form, once. It has no vcpu and no seq.
 *
 * Shape:   data[SVMC_PAGE_DATA_BYTES] for what the guest writes; NULL: header only.
 * State:   *out is zeroed first and stays so on an error.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_UNSUPPORTED (no kind of the library); SVMC_ERR_MISMATCH
 *         (one, with a field that it cannot have).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_adapt_decode(const struct svmc_foreign *from,
                                                           struct svmc_request *out, uint8_t *data);

/**
 * Host side: write the reply to a request that was decoded.
 *
 * Shape:   data[reply->data_bytes], NULL where that is 0.
 * State:   on an error the area is unchanged.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (as svmc_adapt_decode; a reply that does not fit the request);
 *         SVMC_ERR_STATE (a notice); SVMC_ERR_UNSUPPORTED (the form cannot say it: PARTIAL, RETRY
 *         but for TDX and RMM, a fault).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_adapt_answer(const struct svmc_foreign *to,
                                                           const struct svmc_request *request,
                                                           const struct svmc_reply *reply,
                                                           const uint8_t *data);

#ifdef __cplusplus
}
#endif
#endif
