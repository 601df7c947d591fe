/* SPDX-License-Identifier: MIT */
/**
 * Tokens: a pool that knows its trusted callers. A measured program enrols while its VM's window is
 * open and gets a handle and a secret tag; later calls carry both and are checked for VM, vCPU,
 * address space, privilege, and the very instruction they come from. docs/spec/token.md.
 *
 * Threads: checks run on any number of threads, one at a time for a struct svmc_token_vcpu, beside
 * one that changes the pool. What changes it is called under a lock of the embedder's: everything
 * here but the checks, svmc_token_report and svmc_token_vcpu_init.
 */
#ifndef SVMCORE_TOKEN_H
#define SVMCORE_TOKEN_H
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "status.h"
#include "token_types.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make a pool of the caller's memory. It knows no VM yet.
 *
 * Owns:   nothing; *config is copied, what it points to outlives the pool and is cleared here.
 * State:  *pool is zero after an error.
 * Source: TK-1, TK-10; calls random.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a count, a crypto table without what is needed);
 *         SVMC_ERR_CALLBACK (random failed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_pool_init(
    struct svmc_token_pool *pool, const struct svmc_token_config *config);

/**
 * The end of a pool: every byte of its memory and of *pool is zero. No check may be under way.
 *
 * Source: TK-14.
 */
SVMC_API void svmc_token_pool_drop(struct svmc_token_pool *pool);

/**
 * A VM starts: its window for enrolment is open.
 *
 * Shape:  generation: of the VM's state, not 0; see svmc_token_vm_restore.
 * Source: TK-2.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, generation 0); SVMC_ERR_STATE (there is this VM);
 *         SVMC_ERR_FULL.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_vm_open(struct svmc_token_pool *pool,
                                                            uint64_t vm, uint64_t generation);

/** The window closes. SVMC_ERR_ARG: no such VM; SVMC_ERR_STATE: it is closed already. TK-2. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_vm_seal(struct svmc_token_pool *pool,
                                                            uint64_t vm);

/**
 * The VM's state is that of a snapshot, or a copy of another's: all of its tokens die, and the
 * window is open again for a program that enrols anew.
 *
 * Shape:  generation: greater than any that the VM had; kept where no snapshot takes it back.
 * State:  after SVMC_ERR_ARG no token has died: do not let the VM run.
 * Source: TK-9.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no such VM, a generation that is not greater).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_vm_restore(struct svmc_token_pool *pool,
                                                               uint64_t vm, uint64_t generation);

/** A VM ends: all of its tokens die, and it is forgotten. SVMC_ERR_ARG: no such VM. TK-8. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_vm_close(struct svmc_token_pool *pool,
                                                             uint64_t vm);

/** A vCPU is made ready, or its lock-out ended: nothing is held against it. TK-11. */
SVMC_API void svmc_token_vcpu_init(struct svmc_token_vcpu *vcpu);

/**
 * A program's first call: it becomes a holder.
 *
 * Shape:   caller: VM, generation, root, isa, privilege and thread of the holder; measured: SVMC_OK
 *          if the embedder measured it and found what it expected (measure.h).
 * Owns:    the pool keeps a copy of the tag; *out is the only other one.
 * State:   *out is zero after an error, and nothing has changed.
 * Threads: under the lock; calls random.
 * Source:  TK-2 to TK-4.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, caller, grant); SVMC_ERR_AUTH (measured otherwise);
 *         SVMC_ERR_STATE (no such VM, or its window is closed); SVMC_ERR_STALE (another generation
 *         of the VM); SVMC_ERR_FULL; SVMC_ERR_CALLBACK (random failed or repeats itself).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_enrol(struct svmc_token_pool *pool,
                                                          const struct svmc_token_caller *caller,
                                                          const struct svmc_token_grant *grant,
                                                          enum svmc_status measured,
                                                          struct svmc_token *out);

/**
 * A weaker token from a token: no right, class, vCPU, tick or privilege that the parent lacks. It
 * dies with the parent's subtree.
 *
 * Shape:  holder: as `caller` of svmc_token_enrol, in the parent's VM; may be another process.
 * State:  as svmc_token_enrol.
 * Source: TK-6.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (as above); SVMC_ERR_STALE (parent); SVMC_ERR_AUTH (more than the
 *         parent has); SVMC_ERR_FULL; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_attenuate(
    struct svmc_token_pool *pool, uint32_t parent, const struct svmc_token_caller *holder,
    const struct svmc_token_grant *grant, struct svmc_token *out);

/**
 * A new tag, and if site is not NULL another place; the old one is dead. The handle stays.
 *
 * State:  *out is zero after an error, and the old tag holds.
 * Source: TK-7.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, site); SVMC_ERR_STALE; SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_rotate(struct svmc_token_pool *pool,
                                                           uint32_t handle,
                                                           const struct svmc_token_site *site,
                                                           struct svmc_token *out);

/**
 * A token dies. A check that begins after this returned refuses it. Its children become those of
 * its parent, or die as well (svmc_token_revoke_subtree).
 *
 * Source: TK-8.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE (there is none such).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_revoke(struct svmc_token_pool *pool,
                                                           uint32_t handle);
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_revoke_subtree(struct svmc_token_pool *pool,
                                                                   uint32_t handle);

/**
 * Judge a call.
 *
 * State:   of the pool nothing changes but its events, of *vcpu its misses. *out is zero after an
 *          error.
 * Threads: lock-free; the same work whatever the token is.
 * Source:  TK-5, TK-10, TK-11.
 *
 * @return SVMC_OK, with out->end; SVMC_ERR_ARG (NULL, user, reserved bytes).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_check(struct svmc_token_pool *pool,
                                                          struct svmc_token_vcpu *vcpu,
                                                          const struct svmc_token_caller *caller,
                                                          const struct svmc_token *token,
                                                          struct svmc_token_verdict *out);

/**
 * What is not in order about a call, for a log: enum svmc_token_why, 0: nothing now. Counts no
 * miss. Never for the guest, which is told the same of all.
 */
SVMC_API uint32_t svmc_token_why(const struct svmc_token_pool *pool,
                                 const struct svmc_token_vcpu *vcpu,
                                 const struct svmc_token_caller *caller,
                                 const struct svmc_token *token);

/** svmc_token_check after a walk: caller->frame counts, and is remembered for this vCPU. TK-10. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_check_walk(
    struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
    const struct svmc_token_caller *caller, const struct svmc_token *token,
    struct svmc_token_verdict *out);

/**
 * The same for a call that works once: token->tag is the MAC of svmc_token_call_mac under the tag,
 * and call->counter is greater than in any that was ALLOWED.
 *
 * Shape:   caller->frame counts as in svmc_token_check_walk.
 * Threads: as svmc_token_check; calls mac.
 * Source:  TK-12.
 *
 * @return SVMC_OK, with out->end; SVMC_ERR_ARG (also: no mac_alg); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_check_call(
    struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
    const struct svmc_token_caller *caller, const struct svmc_token *token,
    const struct svmc_token_call *call, struct svmc_token_verdict *out);

/** What a holder writes in place of its tag. out[SVMC_TOKEN_TAG_BYTES] is zero after an error. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_call_mac(const struct svmc_crypto_ops *ops,
                                                             uint32_t mac_alg,
                                                             const struct svmc_token *token,
                                                             const struct svmc_token_call *call,
                                                             uint8_t out[SVMC_TOKEN_TAG_BYTES]);

/** A holder is alive: the next beat is due from now. SVMC_ERR_STALE: there is none such. TK-13. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_beat(struct svmc_token_pool *pool,
                                                         uint32_t handle, uint64_t ticks);

/**
 * The hypervisor asked a holder for a call: without svmc_token_met before that tick there is an
 * event, for then something else runs in its place.
 *
 * Shape:  what: the embedder's own, to tell calls of one token apart.
 * Source: TK-13.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE; SVMC_ERR_FULL.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_expect(struct svmc_token_pool *pool,
                                                           uint32_t handle, uint64_t what,
                                                           uint64_t until);
/** It came, now. SVMC_ERR_STATE: it was not expected, or it is too late. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_met(struct svmc_token_pool *pool,
                                                        uint32_t handle, uint64_t what,
                                                        uint64_t ticks);

/** Look at every deadline: beats, expected calls, lives. Call it from a timer. TK-13. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_tick(struct svmc_token_pool *pool,
                                                         uint64_t ticks);

/** The next event; kind NONE: there is none. One thread at a time. TK-15. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_event_next(struct svmc_token_pool *pool,
                                                               struct svmc_token_event *out);

/** An event of the embedder's (a decoy was touched, a page changed), on any thread. SVMC_ERR_ARG:
 *  kind below SVMC_TOKEN_EVENT_OWN; SVMC_ERR_FULL: it was counted as lost. TK-15. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_report(struct svmc_token_pool *pool,
                                                           const struct svmc_token_event *event);

#ifdef __cplusplus
}
#endif
#endif
