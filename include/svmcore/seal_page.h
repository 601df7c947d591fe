/* SPDX-License-Identifier: MIT */
/**
 * Pages that are not in use: a page that leaves is ciphertext with a tag, wherever the host keeps
 * it, and comes back only as what left last. A page that was not written since it was sealed leaves
 * again with the copy that it has. The copies lie in memory or storage that nobody trusts; versions
 * lie in the caller's trusted memory, 8 bytes a page, and so does the bitmap of dirty pages.
 * Source: docs/spec/seal.md, rules SE-13 to SE-22.
 */
#ifndef SVMCORE_SEAL_PAGE_H
#define SVMCORE_SEAL_PAGE_H
#include <stddef.h>
#include <stdint.h>
#include "seal.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_SEAL_PAGE_BYTES 4096u
#define SVMC_PAGES_MAX       ((uint64_t)1 << 31)
#define SVMC_PAGES_ALIGN     64u /* of their memory */

struct svmc_pages_config {
    struct svmc_sealer *sealer;
    uint64_t pages;   /* numbers 0 to pages - 1; 1 to SVMC_PAGES_MAX */
    uint32_t lanes;   /* of the slots, from 0 on; 1 to as many as these have */
    uint32_t subkeys; /* at a time, a slot each: 2 to SVMC_SEAL_TURN_MAX */
};

/** Pages of one VM. A fresh epoch ends them: set them up anew. */
struct svmc_pages {
    struct {
        struct svmc_seal_turn turn;
        uint8_t *scratch;
        uint64_t *entry, *dirty;
        uint64_t pages;
        uint64_t version; /* atomic; the last one given out */
        uint32_t lanes, reserved;
    } priv;
};

/** Where a page is. */
enum svmc_page_state {
    SVMC_PAGE_DIRTY = 0, /* in use; written since it was sealed, or never sealed */
    SVMC_PAGE_CLEAN = 1, /* in use, and there is a copy that is the same */
    SVMC_PAGE_OUT = 2    /* there is nothing but the copy */
};

/** A copy that is made and not published yet; in trusted memory, as pages; {0}: none. */
struct svmc_page_copy {
    uint64_t page, version;
    uint32_t subkey;
    uint32_t dirty; /* what it was before */
};

/** @return the bytes that svmc_pages_init needs; 0: the numbers are not possible. Asks no
 *  sealer. */
SVMC_API size_t svmc_pages_bytes(const struct svmc_pages_config *config);

/**
 * Lay them out: all pages are in use and dirty, no copy is any.
 *
 * Shape:   memory[bytes] at a multiple of SVMC_PAGES_ALIGN.
 * Owns:    the caller keeps memory, which nobody else reads or writes: ciphertext passes through
 *          it, and versions are trusted. It and the sealer outlive the pages.
 * State:   two subkeys are begun. After an error there is none.
 * Threads: as svmc_seal_begin.
 * Source:  SE-13.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_FULL (too few bytes); else svmc_seal_status of why the
 *         subkeys could not begin.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_pages_init(struct svmc_pages *pages,
                                                         const struct svmc_pages_config *config,
                                                         void *memory, size_t bytes);

/** End the subkeys: no copy can be opened any more. Threads: as svmc_seal_end.
 *  @return SVMC_OK; SVMC_ERR_BUSY: a lane is at it: again. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_pages_drop(struct svmc_pages *pages);

/*
 * Which pages were written: any thread.
 */

/** These pages were written; what is not there is left out. SE-14 */
SVMC_API void svmc_pages_mark(struct svmc_pages *pages, uint64_t first, uint64_t count);

/** A dirty log, as KVM_GET_DIRTY_LOG gives it: bit i of log[j] is page first + 64 j + i. first is a
 *  multiple of 64; bits behind the last page are left out. SE-14 */
SVMC_API void svmc_pages_log(struct svmc_pages *pages, uint64_t first, const uint64_t *log,
                             size_t words);

/** @return the first dirty page from `from` on; the number of pages: none is. SE-15 */
SVMC_API uint64_t svmc_pages_next_dirty(const struct svmc_pages *pages, uint64_t from);

/** @return enum svmc_page_state; SVMC_PAGE_DIRTY for what is no page. */
SVMC_API uint32_t svmc_pages_state(const struct svmc_pages *pages, uint64_t page);

/*
 * The way of a page: seal, store the copy, publish, leave; open. A clean one leaves at once.
 */

/**
 * Make a copy of a page that is in use, beside the one that there may be, which stays the good one
 * until the new one is published. What is written while this runs is in it or makes the page dirty,
 * if it is marked after.
 *
 * Shape:   in[SVMC_SEAL_PAGE_BYTES]; out[SVMC_SEAL_PAGE_BYTES] and tag[SVMC_TAG_BYTES]: where
 *          others may read and write, not where the copy is that is published.
 * State:   the page counts as clean and is claimed until *copy is published or aborted. On an error
 *          it is as it was; *copy is {0}, and out and tag are not written.
 * Threads: any, each with a lane; as svmc_seal_unit.
 * Source:  SE-16 to SE-18.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_pages_seal(struct svmc_pages *pages,
                                                              uint32_t lane, uint64_t page,
                                                              const void *in, void *out,
                                                              uint8_t *tag,
                                                              struct svmc_page_copy *copy);

/** The copy is stored: from now on it is the good one, and the one before is none. SE-18
 *  @return SVMC_SEAL_NONE; SVMC_SEAL_STATE (no such copy). *copy is {0}. */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_pages_publish(struct svmc_pages *pages,
                                                                 struct svmc_page_copy *copy);

/** The copy could not be stored: it never is one, and the page is as it was. SE-18
 *  @return as svmc_pages_publish. */
SVMC_API enum svmc_seal_reason svmc_pages_abort(struct svmc_pages *pages,
                                                struct svmc_page_copy *copy);

/**
 * A clean page is in use no more: its copy is all there is. First take it from the guest, then
 * fetch the dirty log.
 *
 * Source: SE-19.
 *
 * @return SVMC_SEAL_NONE; SVMC_SEAL_STATE (dirty: seal it; or it is out); SVMC_SEAL_BUSY (claimed);
 *         SVMC_SEAL_RANGE.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_pages_leave(struct svmc_pages *pages,
                                                               uint64_t page);

/**
 * Bring a page back that is out: in use, clean.
 *
 * Shape:   from[SVMC_SEAL_PAGE_BYTES], tag[SVMC_TAG_BYTES]: wherever, they are read once;
 *          to[SVMC_SEAL_PAGE_BYTES]: memory that nobody else sees or writes until the call
 *          returns, with no byte of from, or from itself.
 * State:   on an error `to` is zero, and the page is out as before.
 * Threads: any, each with a lane; as svmc_open_unit.
 * Source:  SE-20.
 */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_pages_open(struct svmc_pages *pages,
                                                              uint32_t lane, uint64_t page,
                                                              const void *from, const uint8_t *tag,
                                                              void *to);

/** The copy of a page that is in use is none any more; the page is dirty. SE-21
 *  @return SVMC_SEAL_NONE; SVMC_SEAL_STATE (out); SVMC_SEAL_BUSY; SVMC_SEAL_RANGE. */
SVMC_API SVMC_NODISCARD enum svmc_seal_reason svmc_pages_forget(struct svmc_pages *pages,
                                                                uint64_t page);

/**
 * Get the next subkey ready, where it is not: now and then, and at least once while one lasts
 * (svmc_pages_left). Sealing goes over to it by itself; copies under older ones still open.
 *
 * Threads: as svmc_seal_begin; lanes go on meanwhile.
 * Source:  SE-22.
 *
 * @return SVMC_SEAL_NONE; SVMC_SEAL_BUDGET: it would take the place of one that still has copies:
 *         svmc_pages_next_old finds them; SVMC_SEAL_BUSY: again; else as svmc_seal_begin.
 */
SVMC_API enum svmc_seal_reason svmc_pages_tend(struct svmc_pages *pages);

/** @return how many pages may be sealed before svmc_pages_tend has to be called. */
SVMC_API uint64_t svmc_pages_left(const struct svmc_pages *pages);

/**
 * The first page from `from` on whose copy is under the subkey whose place is needed next. One in
 * use is sealed again, or forgotten; one that is out is opened before that.
 *
 * @return the page; the number of pages: none.
 */
SVMC_API uint64_t svmc_pages_next_old(const struct svmc_pages *pages, uint64_t from);

#ifdef __cplusplus
}
#endif
#endif
