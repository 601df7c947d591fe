/* SPDX-License-Identifier: MIT */
/**
 * A guest without a processor: registers, 64 KiB of memory behind a linear map that can have holes,
 * and the callback table over them. Every callback is counted, and the k-th can be made to fail.
 */
#ifndef FAKEHOST_WORLD_H
#define FAKEHOST_WORLD_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/intercept.h>

#define WORLD_REGS           249u /* enum svmc_reg, up to the last processor's */
#define WORLD_MEMORY         65536u
#define WORLD_PAGES          (WORLD_MEMORY / 4096u)
#define WORLD_TRANSLATE_LIES 5u
#define WORLD_LINEAR         0x7f0000000000u /* linear address of guest-physical 0 */

struct world {
    uint64_t reg[WORLD_REGS];
    uint8_t memory[WORLD_MEMORY];
    bool hole[WORLD_PAGES]; /* not mapped: a page fault */
    uint64_t random;        /* what the random callback gives, the same 8 bytes each time */
    unsigned calls;         /* callbacks that can fail, so far */
    unsigned fail_at;       /* 1-based number of the call that fails; 0: none */
    unsigned reg_writes;
    uint64_t clock; /* of the ticks callback: each call goes on by clock_step */
    uint64_t clock_step;
    unsigned clock_calls;
    uint64_t inside_value; /* what interpret reads; what was written to it last */
    uint64_t inside_given; /* the value that it was called with */
    uint64_t inside_number;
    uint32_t inside_kind;
    uint32_t inside_fault; /* what interpret answers */
    unsigned inside_calls;
    unsigned translate_lie; /* 0: none; below WORLD_TRANSLATE_LIES */
    _Alignas(4096) uint8_t page[SVMC_PAGE_BYTES];
};

extern const struct svmc_host_ops world_ops;

/** Everything random but the random callback's answer. */
void world_init(struct world *w, uint64_t *rng);

#endif
