/* SPDX-License-Identifier: MIT */
/**
 * What the differential programs share: justified differences, how they are counted, and what a
 * failure looks like.
 *
 * A program asks our decoder and references, and judges each difference. It fails unless a row of
 * the justified.c in its folder says whose it is: in a case that the predicate holds for, of this
 * reference, in these aspects, by that place of the manual, and where a witness is named that one
 * says what we say. A row that absorbs nothing in a full run is a failure too: it is not needed.
 *
 * Sources name sections and instructions, never pages: pages move between the editions of a manual.
 *
 * A program's own justified.h defines JUSTIFIED_CASE, the type of a case, and includes this.
 */
#ifndef DECODE_DIFFERENTIAL_H
#define DECODE_DIFFERENTIAL_H
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JUSTIFIED_MAX 200u /* rows a program may have */

struct justified {
    const char *name;
    unsigned by;      /* bits: the references that are wrong, or that know nothing of it */
    unsigned witness; /* bits: one of them must say what we say; 0: the manual alone */
    unsigned aspects; /* bits: in what they differ */
    bool (*holds)(const JUSTIFIED_CASE *c);
    const char *source; /* the manual's place */
};

extern const struct justified justified[];
extern const unsigned justified_count;
extern const char justified_file[]; /* where the rows stand */

/** Behind the rows. */
#define JUSTIFIED_END(file)                                                  \
    const unsigned justified_count = sizeof justified / sizeof justified[0]; \
    const char justified_file[] = file;                                      \
    _Static_assert(sizeof justified / sizeof justified[0] <= JUSTIFIED_MAX,  \
                   file ": so many differences are no exceptions")

/** Per row; plain numbers, so that those of several processes can be added up. */
struct justified_totals {
    uint64_t absorbed[JUSTIFIED_MAX];  /* cases */
    uint64_t asked[JUSTIFIED_MAX];     /* of those, where another reference was asked */
    uint64_t supported[JUSTIFIED_MAX]; /* of those, where it says what we say */
};

/** The row that explains how a reference differs; -1: none does. */
static inline int justified_find(unsigned by, unsigned aspects, const JUSTIFIED_CASE *c,
                                 bool (*witness)(unsigned bits))
{
    for (unsigned i = 0; i < justified_count; i++) {
        const struct justified *j = &justified[i];

        if ((j->by & by) && !(aspects & ~j->aspects) && j->holds(c) &&
            (j->witness == 0 || witness(j->witness)))
            return (int)i;
    }
    return -1;
}

static inline void justified_add(struct justified_totals *to, const struct justified_totals *from)
{
    for (unsigned i = 0; i < JUSTIFIED_MAX; i++) {
        to->absorbed[i] += from->absorbed[i];
        to->asked[i] += from->asked[i];
        to->supported[i] += from->supported[i];
    }
}

/**
 * A line for each row. Returns how many failures the idle ones are: each, in a full run, but for
 * rows that speak of the references in `machine` alone, which are not the same everywhere.
 */
static inline unsigned justified_print(const struct justified_totals *t, unsigned machine,
                                       bool full)
{
    unsigned idle = 0, failures = 0;

    printf("%s: cases absorbed, another vote for us of how many heard\n", justified_file);
    for (unsigned i = 0; i < justified_count; i++)
        printf("  %10" PRIu64 " %7" PRIu64 "/%-7" PRIu64 " %s [%s]\n", t->absorbed[i],
               t->supported[i], t->asked[i], justified[i].name, justified[i].source);
    for (unsigned i = 0; i < justified_count; i++) {
        if (t->absorbed[i] != 0 || !(justified[i].by & ~machine))
            continue;
        idle++;
        if (full)
            printf("FAIL %s: a row that absorbs nothing: %s\n", justified_file, justified[i].name);
        failures += full;
    }
    printf("%u rows, %u of them idle\n", justified_count, idle);
    return failures;
}

/**
 * The first words of a failure: where a row would go if it is not ours, which mode, who differs in
 * what, and the bytes. The caller prints " | who: what" for everybody, itself and us.
 */
static inline void fail_begin(const char *mode, const char *by, const char *why,
                              const uint8_t *bytes, unsigned count)
{
    printf("FAIL %s: %s, %s: %s:", justified_file, mode, by, why);
    for (unsigned i = 0; i < count; i++)
        printf(" %02x", bytes[i]);
}

static inline void fail_end(void)
{
    printf(" | ours to repair, or a row in that file\n");
    fflush(stdout);
}

#endif
