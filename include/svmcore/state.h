/* SPDX-License-Identifier: MIT */
/**
 * The library's own state as bytes: what travels with an image of a VM beside its memory, contexts
 * and disks. Each object has a pair, save and load, in one frame. A policy's is in policy.h.
 *
 * No key, tag, or other secret of the library's is in these bytes. What the guest itself knows is:
 * the bytes of a string that waits, messages. So they leave sealed alone (seal.h), as the guest's
 * memory does; the image around them tells whether they were changed. Loading takes them for
 * hostile all the same. docs/spec/state.md, rules ST-1 to ST-19.
 *
 * Save:    out[cap], NULL with cap 0: only *len. *len: bytes written, with SVMC_ERR_FULL bytes
 *          needed, else 0; on an error out is kept. The object does not change. SVMC_ERR_ARG: NULL.
 * Load:    bytes[len]: one state, all of it, which nobody changes meanwhile; nothing of it is
 *          pointed to afterwards. The object is new, as its init left it: else SVMC_ERR_STATE, or
 *          for what cannot be told from new, yours to see to. On an error it is as it was.
 *          SVMC_ERR_FORMAT: cut, or not what save writes; SVMC_ERR_UNSUPPORTED: of a newer version;
 *          SVMC_ERR_PURPOSE: of another kind; SVMC_ERR_ARG: NULL.
 * Threads: as what changes the object.
 */
#ifndef SVMCORE_STATE_H
#define SVMCORE_STATE_H
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What a saved state is of. Pinned: appended, never renumbered. */
enum svmc_saved_kind {
    SVMC_SAVED_NONE = 0,
    SVMC_SAVED_VCPU = 1,
    SVMC_SAVED_KEYSLOTS = 2,
    SVMC_SAVED_DEVICES = 3,
    SVMC_SAVED_TOKENS = 4,
    SVMC_SAVED_VMWARE = 5,
    SVMC_SAVED_LEDGER = 6,
    SVMC_SAVED_OFFERS = 7
};

struct svmc_vcpu; /* intercept.h, here and below the module's own header */
struct svmc_outcome;
struct svmc_crypto_ops; /* crypto.h */
struct svmc_offers;     /* offer.h */
struct svmc_ledger;     /* audit.h */
struct svmc_token_pool; /* token.h */
struct svmc_vmware;     /* vmware.h */

/** @return the kind that bytes claim to be, of whatever version; SVMC_SAVED_NONE: of none. */
SVMC_API uint32_t svmc_saved_kind(const uint8_t *bytes, size_t len);

/**
 * Remember the digest of a vCPU's policy as it decides now (PO-7): what is saved names it, and what
 * is loaded is of a vCPU with the same one. Before save and load, and anew where the policy was
 * tightened.
 *
 * State:  on an error no digest is remembered, as with a new vCPU.
 * Source: ST-19.
 *
 * @return as svmc_policy_digest.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_name_policy(struct svmc_vcpu *vc,
                                                               const struct svmc_crypto_ops *ops);

/**
 * A vCPU of the engine: its counters, what the host was found at, and the exit that waits for its
 * answer, with all that was copied for it. A reply that was not taken yet stays behind: the host is
 * asked again.
 *
 * Source: ST-4 to ST-8, ST-19.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_save(const struct svmc_vcpu *vc, uint8_t *out,
                                                        size_t cap, size_t *len);

/**
 * Make a new vCPU the one that was saved.
 *
 * Shape:  vc: of the same id, over the policy that travelled, ledger and ring attached (AU-2).
 * State:  out->action: DELEGATED: an exit waits, and the page shows the very request again: ring,
 *         then svmc_vcpu_enter. RESUME: none does. STOP: it had been stopped, and is.
 *         The guest's registers are there first: the request is gathered from them anew.
 * Source: ST-4 to ST-8, ST-19.
 *
 * @return as above, and SVMC_ERR_OWNER (another id); SVMC_ERR_POLICY (bytes that name a policy, and
 *         vc has another one, or none is remembered); SVMC_ERR_REFUSED (its policy does not
 *         delegate the exit); SVMC_ERR_UNSUPPORTED (a kind of exit, or own strings without
 *         translate and guest_span); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vcpu_load(struct svmc_vcpu *vc, const uint8_t *bytes,
                                                        size_t len, struct svmc_outcome *out);

/** The sums of a ledger, by kind of exit. No call on its vCPU runs. A ring of events is read out
 *  and begun anew, with the last tag as its start (AU-7). ST-17 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_ledger_save(const struct svmc_ledger *ledger,
                                                          uint8_t *out, size_t cap, size_t *len);

/** Sums go on. SVMC_ERR_ARG: never attached; SVMC_ERR_STATE: it has counted; SVMC_ERR_UNSUPPORTED:
 *  a kind that this build has no row of. ST-17 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_ledger_load(struct svmc_ledger *ledger,
                                                          const uint8_t *bytes, size_t len);

/** What was offered to a vCPU and has not arrived, and which lines are up. ST-18 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offers_save(const struct svmc_offers *offers,
                                                          uint8_t *out, size_t cap, size_t *len);

/**
 * Offers that were kept are, lines that are up are. The host reads the number of its next offer
 * anew.
 *
 * Source: ST-18.
 *
 * @return as above; SVMC_ERR_PURPOSE also for another instruction set's; SVMC_ERR_REFUSED (the
 *         policy does not allow one of them).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offers_load(struct svmc_offers *offers,
                                                          const uint8_t *bytes, size_t len);

/** A pool of tokens: its VMs with their generations, and which handles were given out. No token: a
 *  restore kills them all. Called under the pool's lock. ST-13 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_pool_save(const struct svmc_token_pool *pool,
                                                              uint8_t *out, size_t cap,
                                                              size_t *len);

/**
 * Make a new pool one that goes on where the saved one was: no handle is given out again.
 *
 * State:  each VM is there with its window closed, until svmc_token_vm_restore with a greater
 *         generation opens it: then programs enrol anew. Events that nobody had read are counted as
 *         lost.
 * Source: ST-13, ST-14; TK-1, TK-9.
 *
 * @return as above, and SVMC_ERR_FULL (fewer entries or VMs than are needed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_token_pool_load(struct svmc_token_pool *pool,
                                                              const uint8_t *bytes, size_t len);

/**
 * What guests of VMware have open: channels with their messages, half of one too, and the pointer.
 * The bytes hold cookies, by which programs of the guest keep others off their channels.
 *
 * Source: ST-15.
 *
 * @return as above, and SVMC_ERR_STATE (a vCPU is in; try again).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_save(struct svmc_vmware *vm, uint8_t *out,
                                                          size_t cap, size_t *len);

/**
 * Make a new VM go on where the saved one was. No `tclo` is told of a channel that was open: it has
 * the handle that it had. Where memory was saved at another moment, svmc_vmware_checkpoint is next.
 *
 * State:  idle times begin now.
 * Source: ST-15, ST-16; VW-14.
 *
 * @return as above, and SVMC_ERR_FULL (fewer channels, shorter messages or a smaller arena than are
 *         needed); SVMC_ERR_UNSUPPORTED (TCLO without `tclo`); SVMC_ERR_STATE (a vCPU is in).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_vmware_load(struct svmc_vmware *vm,
                                                          const uint8_t *bytes, size_t len);

#ifdef __cplusplus
}
#endif
#endif
