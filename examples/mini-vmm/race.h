/* SPDX-License-Identifier: MIT */
/** The racer: a thread that flips words of the reply area while the core reads it. */
#ifndef RACE_H
#define RACE_H
#include <stdatomic.h>
#include <stdint.h>
#include <svmcore/page.h>

struct racer {
    _Atomic uint32_t on;      /* futex: 1: flip */
    _Atomic uint32_t resting; /* 1: the thread touches nothing */
    _Atomic uint64_t flips;
    volatile uint8_t *page;
    uint64_t beyond[SVMC_PAGE_SLOTS]; /* bits of the results that no honest reply sets */
    uint32_t data;                    /* bytes of data that nobody checks: these are flipped too */
};

/** Start the thread, at rest. Before the cage closes. 0 or -1. */
int racer_start(struct racer *r);

/** Flip from now on, until racer_rest returned or it was often; back after some hundred flips. */
void racer_run(struct racer *r, volatile void *page, uint32_t data);
void racer_rest(struct racer *r);

#endif
