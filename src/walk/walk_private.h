/* SPDX-License-Identifier: MIT */
/** What the walkers of all processors share. Rules WK-n: docs/spec/walk.md. */
#ifndef WALK_PRIVATE_H
#define WALK_PRIVATE_H
#include <stdbool.h>
#include <svmcore/walk.h>

#define WALK_RIGHTS (SVMC_WALK_READ | SVMC_WALK_WRITE | SVMC_WALK_FETCH)

/** One walk under way. */
struct walk {
    const struct svmc_walk_ops *ops;
    void *ctx;
    uint64_t at;
    uint32_t access; /* without what does not count */
    uint32_t bytes;  /* of an entry */
    bool swapped;    /* entries are big-endian */
    unsigned tries;
    struct svmc_walk_result *out;
};

/** Check what every walk is given. */
enum svmc_status svmc_walk_begin(struct walk *w, const struct svmc_walk_ops *ops, void *ctx,
                                 svmc_gva at, uint32_t access, struct svmc_walk_result *out);

/** An entry, as the processor sees it. */
enum svmc_status svmc_walk_read(const struct walk *w, uint64_t at, uint64_t *entry);

/** This entry is to get these bits; nothing, if it has them. */
void svmc_walk_mark(const struct walk *w, uint64_t at, uint64_t was, uint64_t now);

/** The guest gets a fault, and nothing else is said. */
enum svmc_status svmc_walk_raise(const struct walk *w, uint8_t vector, uint64_t address);
enum svmc_status svmc_walk_raise_error(const struct walk *w, uint8_t vector, uint32_t error,
                                       uint64_t address);

/** Translation is off. */
enum svmc_status svmc_walk_flat(const struct walk *w, uint64_t at, uint8_t memory);

/**
 * Put the marks into memory, after a walk that ended with *st. True: an entry had changed
 * meanwhile, walk again. False: *st is the call's answer.
 */
bool svmc_walk_again(struct walk *w, enum svmc_status *st);

#endif
