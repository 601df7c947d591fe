/* SPDX-License-Identifier: MIT */
/**
 * Tokens at the dispatcher: hcall.h asks whether a call's token is good, token.h knows, and this
 * stands between the two. docs/spec/judge.md.
 *
 *     static enum svmc_status token(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
 *                                   struct svmc_hcall_accepted *out)
 *     {
 *         return svmc_judge_call(&((struct my_vm *)ctx)->judge, vcpu, call, out);
 *     }
 */
#ifndef SVMCORE_JUDGE_H
#define SVMCORE_JUDGE_H
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "hcall.h"
#include "status.h"
#include "token.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What a VM's hypervisor knows of its callers; as in struct svmc_host_ops, outlives the judge. */
struct svmc_judge_ops {
    uint32_t size; /* sizeof(struct svmc_judge_ops) as the host compiled it */

    /* required: who makes this call, all but `frame`, from the hardware; *out comes zeroed, but
       for vcpu and user, which are the call's and stay so */
    SVMC_NODISCARD enum svmc_status (*caller)(void *ctx, const struct svmc_hcall_call *call,
                                              struct svmc_token_caller *out);
    /* required: the frame of caller->page under caller->root, by a walk. SVMC_ERR_AUTH or
       SVMC_ERR_STALE: there is none that it may call from, or the way to it is not what it was
       (as svmc_measure_path_check says); else failed */
    SVMC_NODISCARD enum svmc_status (*walk)(void *ctx, const struct svmc_token_caller *caller,
                                            uint32_t handle, uint64_t *frame);
    /* optional: a call was refused. `why`: enum svmc_token_why; 0: all is in order, but it is no
       token for this call. For a log: the guest is told the same of all */
    void (*refused)(void *ctx, const struct svmc_token_caller *caller,
                    const struct svmc_hcall_call *call, uint32_t why);
    /* both or none (NULL: nothing else changes the pool meanwhile): the pool's lock, for
       svmc_token_met; nothing is called between the two */
    void (*lock)(void *ctx);
    void (*unlock)(void *ctx);
};

/** A VM's. */
struct svmc_judge {
    struct {
        struct svmc_token_pool *pool;
        struct svmc_token_vcpu *vcpus;
        const struct svmc_judge_ops *ops;
        void *ctx;
        uint64_t until; /* of the expected call that has longest */
        uint32_t vcpu_count, reserved;
    } priv;
};

/**
 * Make a judge.
 *
 * Shape:  vcpus[vcpu_count]: by the vCPU's id of svmc_hcall_vcpu_init, each of
 *         svmc_token_vcpu_init.
 * Owns:   nothing; what is given outlives it.
 * State:  *judge is zero after an error.
 * Source: JU-1.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no vCPU, a function that is missing, one of the lock's two).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_judge_init(
    struct svmc_judge *judge, struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpus,
    uint32_t vcpu_count, const struct svmc_judge_ops *ops, void *ctx);

/**
 * Judge a call's token: what the `token` function of struct svmc_hcall_ops returns.
 *
 * State:   *out is zero after an error.
 * Threads: one at a time for a vCPU, as svmc_hcall_dispatch; lock-free but for a call that may be
 *          an expected one.
 * Source:  JU-2 to JU-6.
 *
 * @return SVMC_OK, with *out; SVMC_ERR_AUTH (refused, for whatever reason); SVMC_ERR_ARG
 *         (NULL, a vCPU that is none); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_judge_call(struct svmc_judge *judge, uint32_t vcpu,
                                                         const struct svmc_hcall_call *call,
                                                         struct svmc_hcall_accepted *out);

/**
 * The hypervisor asked a holder for a call, e.g. by an interrupt: it must come before the tick, or
 * svmc_token_tick makes an event of it: then something else runs in its place.
 *
 * Shape:   control: number and owner count. *what: as the event will name it; may be NULL.
 * Threads: under the pool's lock.
 * Source:  JU-6, TK-13.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL); SVMC_ERR_STALE (handle); SVMC_ERR_FULL.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_judge_expect(struct svmc_judge *judge,
                                                           uint32_t handle, uint64_t control,
                                                           uint64_t until, uint64_t *what);

#ifdef __cplusplus
}
#endif
#endif
