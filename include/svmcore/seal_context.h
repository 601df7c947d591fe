/* SPDX-License-Identifier: MIT */
/**
 * vCPUs that are not scheduled: a context, which the caller collects in pieces (registers, system
 * registers, the extended state), leaves as one sealed blob and its plaintext is wiped; it comes
 * back only as the last one that left, of this vCPU of this VM. Blobs lie in memory that nobody
 * trusts; what is known about them lies in the caller's trusted memory.
 * Source: docs/spec/seal.md, rules SE-23 to SE-28.
 */
#ifndef SVMCORE_SEAL_CONTEXT_H
#define SVMCORE_SEAL_CONTEXT_H
#include <stddef.h>
#include <stdint.h>
#include "seal.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_CONTEXT_HEADER_BYTES 80u /* of a blob; docs/spec/seal.md has them; then the text */
#define SVMC_CONTEXT_BYTES_MAX    0x100000u
#define SVMC_CONTEXT_PIECES_MAX   64u
#define SVMC_CONTEXTS_MAX         65536u
#define SVMC_CONTEXTS_ALIGN       64u /* of their memory */

struct svmc_contexts_config {
    struct svmc_sealer *sealer;
    uint32_t vcpus;   /* numbers 0 to vcpus - 1; 1 to SVMC_CONTEXTS_MAX */
    uint32_t bytes;   /* of a context, all pieces together: 1 to SVMC_CONTEXT_BYTES_MAX */
    uint32_t lanes;   /* of the slots, from 0 on; 1 to as many as these have */
    uint32_t subkeys; /* at a time, a slot each: 2 to SVMC_SEAL_TURN_MAX */
};

/** All vCPUs of a VM. A fresh epoch ends them: set them up anew. */
struct svmc_contexts {
    struct {
        struct svmc_seal_turn turn;
        uint8_t *scratch;
        uint64_t *entry;
        uint64_t version; /* atomic; the last one given out */
        size_t scratch_bytes;
        uint32_t vcpus, bytes, lanes, reserved;
    } priv;
};

/** A piece of a context. */
struct svmc_context_piece {
    void *at;
    size_t bytes;
};

/** @return the bytes that svmc_contexts_init needs; 0: the numbers are not possible. Asks no
 *  sealer. */
SVMC_API size_t svmc_contexts_bytes(const struct svmc_contexts_config *config);

/**
 * Lay them out: all vCPUs are scheduled.
 *
 * Shape:   memory[bytes] at a multiple of SVMC_CONTEXTS_ALIGN.
 * Owns:    the caller keeps memory, which nobody else reads or writes: plaintext passes through it,
 *          and none is left when a call has returned. It and the sealer outlive the contexts.
 * State:   two subkeys are begun. After an error there is none.
 * Threads: as svmc_seal_begin.
 * Source:  SE-23.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (too few bytes); else svmc_seal_status of why the
 *         subkeys could not begin.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_contexts_init(
    struct svmc_contexts *contexts, const struct svmc_contexts_config *config, void *memory,
    size_t bytes);

/** End the subkeys: no context that is out comes back. Threads: as svmc_seal_end.
 *  @return SVMC_OK; SVMC_ERR_BUSY: a lane is at it: again. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_contexts_drop(struct svmc_contexts *contexts);

/** @return the bytes of the blob of a context of so many bytes; 0: it cannot be. */
SVMC_API size_t svmc_context_blob_bytes(const struct svmc_contexts *contexts, size_t bytes);

/**
 * A vCPU is descheduled: its context is sealed, then the pieces are wiped.
 *
 * Shape:   piece[pieces], one behind the other; blob[bytes], wherever, of which
 *          svmc_context_blob_bytes are written.
 * State:   scheduled -> out. On an error the vCPU is scheduled, the pieces and the blob as before.
 * Threads: any, each with a lane; as svmc_seal_unit.
 * Source:  SE-24, SE-25.
 *
 * @return SVMC_SEAL_NONE; SVMC_SEAL_RANGE (no such vCPU; more than fits); SVMC_SEAL_STATE (it is
 *         out); SVMC_SEAL_BUSY; SVMC_SEAL_BUDGET: svmc_contexts_tend; else as svmc_seal_unit.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_context_out(
    struct svmc_contexts *contexts, uint32_t lane, uint32_t vcpu,
    const struct svmc_context_piece *piece, size_t pieces, void *blob, size_t bytes);

/**
 * A vCPU is scheduled: its blob is copied, judged, opened, and then given out to the pieces.
 *
 * Shape:   blob[bytes]; piece[pieces] have as many bytes together as the context had.
 * State:   out -> scheduled. On an error the vCPU is out, and the pieces are as before.
 * Threads: as svmc_context_out.
 * Source:  SE-26, SE-27.
 *
 * @return SVMC_SEAL_NONE; SVMC_SEAL_STATE (it is not out); SVMC_SEAL_BUSY; SVMC_SEAL_RANGE; as the
 *         blob says itself: SVMC_SEAL_FORMAT (no blob, cut, too long, other pieces), _ALG (another
 *         version or algorithm), _PURPOSE (no context, or another vCPU's), _OWNER, _EPOCH, _OLD; or
 *         SVMC_SEAL_TAG; else as svmc_open_unit.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_context_in(
    struct svmc_contexts *contexts, uint32_t lane, uint32_t vcpu, const void *blob, size_t bytes,
    const struct svmc_context_piece *piece, size_t pieces);

/** The context that is out is lost: the vCPU is reset, and its blob never comes back. SE-28
 *  @return SVMC_SEAL_NONE; SVMC_SEAL_STATE (it is not out); SVMC_SEAL_BUSY; SVMC_SEAL_RANGE. */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_context_forget(struct svmc_contexts *contexts,
                                                                  uint32_t vcpu);

/** @return whether a vCPU's context is out. */
SVMC_API uint32_t svmc_context_is_out(const struct svmc_contexts *contexts, uint32_t vcpu);

/**
 * Get the next subkey ready, as svmc_pages_tend.
 *
 * Threads: as svmc_seal_begin; lanes go on meanwhile.
 * Source:  SE-22.
 *
 * @return SVMC_SEAL_NONE; SVMC_SEAL_BUDGET: a vCPU is out under the subkey whose place is needed:
 *         schedule it; SVMC_SEAL_BUSY: again; else as svmc_seal_begin.
 */
SVMC_API enum svmc_seal_reason svmc_contexts_tend(struct svmc_contexts *contexts);

/** @return how many contexts may leave before svmc_contexts_tend has to be called. */
SVMC_API uint64_t svmc_contexts_left(const struct svmc_contexts *contexts);

#ifdef __cplusplus
}
#endif
#endif
