/* SPDX-License-Identifier: MIT */
/* The plain main of harness.h: runs every registered test in one process; argument: a substring of
 * suite.name. With SVMC_FIRST in the environment the first failed check ends it. */
#include "harness.h"
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static struct harness_test *tests;
static unsigned failed_checks, skipped;

void harness_register(struct harness_test *test)
{
    test->next = tests;
    tests = test;
}

static void explain(const char *kind, const char *file, int line, const char *expr, const char *fmt,
                    va_list ap)
{
    printf("%s:%d: %s: %s: ", file, line, kind, expr);
    vprintf(fmt, ap);
    printf("\n");
    failed_checks++;
    if (getenv("SVMC_FIRST")) {
        fflush(stdout);
        _exit(1);
    }
}

bool harness_check(bool ok, const char *file, int line, const char *expr, const char *fmt, ...)
{
    va_list ap;

    if (ok)
        return true;
    va_start(ap, fmt);
    explain("failed", file, line, expr, fmt, ap);
    va_end(ap);
    return false;
}

bool harness_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *expr,
                      const char *fmt, ...)
{
    va_list ap;

    if (got == want)
        return true;
    printf("got 0x%" PRIx64 ", want 0x%" PRIx64 ": ", got, want);
    va_start(ap, fmt);
    explain("failed", file, line, expr, fmt, ap);
    va_end(ap);
    return false;
}

void harness_skip(const char *fmt, ...)
{
    va_list ap;

    skipped++;
    printf("SKIPPED: ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

uint64_t harness_seed(void)
{
    static uint64_t seed;
    const char *env = getenv("SVMC_SEED");

    if (seed == 0) {
        FILE *f = fopen("/dev/urandom", "rb");

        if (env)
            seed = strtoull(env, NULL, 0);
        else if (!f || fread(&seed, sizeof seed, 1, f) != 1)
            seed = 1;
        if (f)
            fclose(f);
        printf("seed: SVMC_SEED=0x%" PRIx64 "\n", seed);
    }
    return seed;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    char name[128];

    for (struct harness_test *t = tests; t; t = t->next) {
        unsigned before = failed_checks;

        snprintf(name, sizeof name, "%s.%s", t->suite, t->name);
        if (argc > 1 && !strstr(name, argv[1]))
            continue;
        t->run();
        if (failed_checks == before) {
            passed++;
        } else {
            failed++;
            printf("FAIL %s\n", name);
        }
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0 || passed == 0;
}
