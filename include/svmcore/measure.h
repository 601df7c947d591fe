/* SPDX-License-Identifier: MIT */
/**
 * Measured ranges: pages of a trusted program, and what it asks to protect, that must not change
 * but by its own hand. A keyed MAC for each page, scans in an order that nobody can foresee, a
 * verdict on each trapped write, and the mapping of the caller's code walked at call time.
 * docs/spec/measure.md.
 */
#ifndef SVMCORE_MEASURE_H
#define SVMCORE_MEASURE_H
#include <stdint.h>
#include "measure_types.h"
#include "status.h"
#include "token_types.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make an object for a VM, with a key of its own. Pages and ranges need not be zeroed.
 *
 * State:   *m is zero after an error.
 * Threads: for all below but svmc_measure_path_check and _generation: one at a time for an object.
 * Source:  ME-1.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a count, a function that is missing, mac_alg is no MAC,
 *         ignore, reserved); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_init(
    struct svmc_measure *m, const struct svmc_measure_config *config);

/**
 * The end: key, records, ranges and room are wiped. NULL and a zero *m are fine. Versions, ids and
 * the generation begin anew in another object, so nothing of this one is kept for it: its VM's
 * tokens are dead (svmc_token_vm_close, _restore), its paths and ids forgotten.
 */
SVMC_API void svmc_measure_drop(struct svmc_measure *m);

/**
 * Measure pages. All or none.
 *
 * Shape:  *range is the id: index 15:0, generation 31:16, as in a token's handle; never 0. A
 *         range is unloaded and another added 65535 times for each of range_count; then FULL.
 * State:  nothing changes and *range is 0 after an error. *why may be NULL, here and below.
 * Source: ME-2 to ME-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, count, reserved, no hash; PROGRAM without digest, FILLED
 *         without token); SVMC_ERR_AUTH (WHO, FRAME, DIGEST); SVMC_ERR_FULL; SVMC_ERR_UNSUPPORTED
 *         (an algorithm); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_add(struct svmc_measure *m,
                                                          const struct svmc_measure_spec *spec,
                                                          uint32_t *range,
                                                          enum svmc_measure_why *why);

/**
 * Say who holds a range that was added with token 0: its program was measured, and has enrolled.
 *
 * State:  once for a range; nothing changes after an error.
 * Source: ME-5.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, token 0); SVMC_ERR_STALE (RANGE); SVMC_ERR_AUTH (TOKEN:
 *         somebody holds it; WHO: the token's other ranges are of another address space).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_hold(struct svmc_measure *m, uint32_t range,
                                                           uint32_t token,
                                                           enum svmc_measure_why *why);

/**
 * Let a range go, and wipe what is known of it: its program is unloaded.
 *
 * Shape:  token: the holder's, as the gate has verified it; 0: the hypervisor itself asks.
 *         *holder: the token to be revoked; 0: nobody held it.
 * Source: ME-17.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE (RANGE); SVMC_ERR_AUTH (TOKEN).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_unload(struct svmc_measure *m, uint32_t range,
                                                             uint32_t token, uint32_t *holder,
                                                             enum svmc_measure_why *why);

/**
 * Let all ranges of a token go, as unload: it was revoked. Token 0: all ranges, held or not: the
 * VM was reset, or restored from a snapshot, and its programs are measured anew. NULL and a zero *m
 * are fine.
 *
 * Source: ME-17.
 */
SVMC_API void svmc_measure_forget(struct svmc_measure *m, uint32_t token);

/**
 * Open a page for change, by its holder alone. It is looked at first. Code is not opened: new
 * code is another range.
 *
 * Shape:  at: any address in the page; token: what the gate has verified. caller->frame: of the
 *         instruction; of a call that a pool let through it is its token's grant.frame.
 * State:  unchanged after an error but this: a page that differs is CHANGED from now on, and the
 *         event is one of svmc_measure_scan's.
 * Source: ME-11, ME-12.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE (RANGE); SVMC_ERR_AUTH (WHO, TOKEN, CODE,
 *         FRAME, IS_OPEN, CHANGED); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_open(struct svmc_measure *m, uint32_t range,
                                                           svmc_gpa at,
                                                           const struct svmc_token_caller *caller,
                                                           uint32_t token,
                                                           enum svmc_measure_why *why);

/** Close it: measured again, under a new version. As open; with NOT_OPEN; SVMC_ERR_FULL (ME-2). */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_close(struct svmc_measure *m, uint32_t range,
                                                            svmc_gpa at,
                                                            const struct svmc_token_caller *caller,
                                                            uint32_t token,
                                                            enum svmc_measure_why *why);

/**
 * Judge a write that trapped. It has not happened yet.
 *
 * Shape:  n bytes at `at`, all in one page; of a write that crosses each page is judged before a
 *         byte is written. caller NULL: nobody known, e.g. a device.
 * Source: ME-13.
 *
 * @return SVMC_OK with *verdict and, with REFUSE_EVENT, *event; SVMC_ERR_ARG (NULL, n), and then
 *         the verdict is REFUSE_EVENT, the event zero.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_write(struct svmc_measure *m, svmc_gpa at,
                                                            uint32_t n,
                                                            const struct svmc_token_caller *caller,
                                                            enum svmc_measure_verdict *verdict,
                                                            struct svmc_measure_event *event);

/**
 * Look here first: e.g. the host's dirty log names the page.
 *
 * @return SVMC_OK, for a page that is not measured, too; SVMC_ERR_ARG (NULL); SVMC_ERR_FULL (the
 *         hint is dropped, the rounds come to the page anyway). ME-10.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_hint(struct svmc_measure *m, svmc_gpa at);

/**
 * Look at some pages.
 *
 * Shape:  budget: at most so many pages; a call ends early with the first event.
 * State:  after an error *out is zero; what was looked at before the failure counts.
 * Source: ME-7 to ME-10.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, budget 0); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_scan(struct svmc_measure *m, uint32_t budget,
                                                           struct svmc_measure_stand *out);

/**
 * Take the way to a page of code, caller->page, while the mapping is known to be right: when its
 * program is enrolled.
 *
 * Source: ME-14.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no walk); SVMC_ERR_AUTH (WHO, CODE, UNMAPPED);
 *         SVMC_ERR_CALLBACK. *path is zero after an error.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_path_take(
    struct svmc_measure *m, const struct svmc_token_caller *caller, struct svmc_measure_path *path,
    enum svmc_measure_why *why);

/**
 * Walk it again: does the call come from the same page by the same tables, as measured?
 *
 * Shape:   *frame: of that page, for svmc_token_check_walk; 0 after an error.
 * Threads: any number, beside all others but init and drop.
 * Source:  ME-15, ME-16.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a path that was not taken); SVMC_ERR_AUTH (WHO, CHANGED,
 *         UNMAPPED, REMAPPED, ALIASED, TABLE); SVMC_ERR_STALE (VERSION); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_measure_path_check(
    const struct svmc_measure *m, const struct svmc_token_caller *caller,
    const struct svmc_measure_path *path, uint64_t *frame, enum svmc_measure_why *why);

/**
 * What belongs in caller.stage2_generation: another number, too, since a page of code was found
 * changed or was let go, so that the next call from anywhere is walked, and path_check sees it.
 *
 * Shape:   stage2: a number of yours that grows when stage 2, or a page table that is guarded, may
 *          have changed; 0: nothing is guarded. The answer is 0 for 0, and without an object.
 * Threads: any number, beside all others but init and drop: for each call, as it is made.
 * Source:  ME-20, TK-10.
 */
SVMC_API uint64_t svmc_measure_generation(const struct svmc_measure *m, uint64_t stage2);

#ifdef __cplusplus
}
#endif
#endif
