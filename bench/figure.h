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

#define FIGURE_ROUNDS 31u /* at most */

/* Nanoseconds of processor time: what else runs on the machine is not counted. */
static inline double figure_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int figure_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static inline double figure_median(double *v, unsigned count)
{
    qsort(v, count, sizeof *v, figure_order);
    return v[count / 2];
}

/** One line, from the costs of ours and of the peer. */
static inline void figure_print(const char *name, double ours, const char *unit, const char *peer,
                                double theirs)
{
    printf("%s\t%.1f\t%s\t%s\t%.2f\n", name, ours, unit, peer, theirs / ours);
    fflush(stdout);
}

/** A figure without a peer. */
static inline void figure_value(const char *name, double value, const char *unit)
{
    printf("%s\t%.1f\t%s\t-\t-\n", name, value, unit);
    fflush(stdout);
}

/** `work` and `peer_work` do their thing `passes` times `each` calls a round. */
static inline void figure_rounds(const char *name, void (*work)(void), const char *peer,
                                 void (*peer_work)(void), unsigned passes, unsigned each,
                                 unsigned rounds)
{
    double ours[FIGURE_ROUNDS], theirs[FIGURE_ROUNDS], a, b;

    for (unsigned r = 0; r < rounds; r++) {
        a = figure_now();
        for (unsigned i = 0; i < passes; i++)
            work();
        b = figure_now();
        ours[r] = (b - a) / passes / each;
        for (unsigned i = 0; i < passes; i++)
            peer_work();
        theirs[r] = (figure_now() - b) / passes / each;
    }
    figure_print(name, figure_median(ours, rounds), "ns", peer, figure_median(theirs, rounds));
}

/** The same in FIGURE_ROUNDS rounds. */
static inline void figure(const char *name, void (*work)(void), const char *peer,
                          void (*peer_work)(void), unsigned passes, unsigned each)
{
    figure_rounds(name, work, peer, peer_work, passes, each, FIGURE_ROUNDS);
}

#endif
