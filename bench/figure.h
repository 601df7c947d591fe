/* SPDX-License-Identifier: MIT */
/**
 * One figure: ours and a peer's run in turns within one process, the medians compared. Prints
 * "name value unit peer ratio", tab-separated; ratio is the peer's cost divided by ours.
 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FIGURE_ROUNDS 31u

static inline double figure_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int figure_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static inline double figure_median(double *v)
{
    qsort(v, FIGURE_ROUNDS, sizeof *v, figure_order);
    return v[FIGURE_ROUNDS / 2];
}

/* `work` and `peer_work` do their thing `passes` times `each` calls. */
static inline void figure(const char *name, void (*work)(void), const char *peer,
                          void (*peer_work)(void), unsigned passes, unsigned each)
{
    double ours[FIGURE_ROUNDS], theirs[FIGURE_ROUNDS], a, b;

    for (unsigned r = 0; r < FIGURE_ROUNDS; r++) {
        a = figure_now();
        for (unsigned i = 0; i < passes; i++)
            work();
        b = figure_now();
        ours[r] = (b - a) / passes / each;
        for (unsigned i = 0; i < passes; i++)
            peer_work();
        theirs[r] = (figure_now() - b) / passes / each;
    }
    a = figure_median(ours);
    b = figure_median(theirs);
    printf("%s\t%.1f\tns\t%s\t%.2f\n", name, a, peer, b / a);
}

#endif
