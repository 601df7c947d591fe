/* SPDX-License-Identifier: MIT */
/* harness.h on Criterion: a failed check fails the test that made it, and the test goes on. */
#include "harness.h"
#include <stdarg.h>
#include <stdlib.h>

static void explain(const char *file, int line, const char *expr, const char *fmt, va_list ap)
{
    char text[512];

    vsnprintf(text, sizeof text, fmt, ap);
    cr_expect(false, "%s:%d: failed: %s: %s", file, line, expr, text);
}

bool harness_check(bool ok, const char *file, int line, const char *expr, const char *fmt, ...)
{
    va_list ap;

    if (ok)
        return true;
    va_start(ap, fmt);
    explain(file, line, expr, fmt, ap);
    va_end(ap);
    return false;
}

bool harness_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *expr,
                      const char *fmt, ...)
{
    va_list ap;

    if (got == want)
        return true;
    fprintf(stderr, "got 0x%" PRIx64 ", want 0x%" PRIx64 "\n", got, want);
    va_start(ap, fmt);
    explain(file, line, expr, fmt, ap);
    va_end(ap);
    return false;
}

/* Criterion runs each test in a process of its own, so a counter would be lost: tools/test counts
 * these lines. */
void harness_skip(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "SKIPPED: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
}

uint64_t harness_seed(void)
{
    static uint64_t seed;
    const char *env = getenv("SVMC_SEED");

    if (seed != 0)
        return seed;
    if (env) {
        seed = strtoull(env, NULL, 0);
    } else {
        FILE *f = fopen("/dev/urandom", "rb");

        if (!f || fread(&seed, sizeof seed, 1, f) != 1)
            seed = 1;
        if (f)
            fclose(f);
    }
    fprintf(stderr, "seed: SVMC_SEED=0x%" PRIx64 "\n", seed);
    return seed;
}
