/* SPDX-License-Identifier: MIT */
/**
 * One harness: the same test sources run on Criterion (a process a test) or, with SVMC_TEST_PLAIN,
 * on the plain main in plain_main.c (one process: valgrind, sanitizers, emulators). A test says
 *
 *     TEST(suite, what_holds) // RULE-3
 *     {
 *         CHECK_EQ(got, want, "%s", row->name);
 *     }
 *
 * A failed CHECK is counted and the test goes on; REQUIRE ends the test.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"
#include "random.h"

struct harness_test {
    const char *suite, *name;
    void (*run)(void);
    struct harness_test *next;
};

/* One check: prints and counts a failure. Returns ok. Defined in plain_main.c or, for Criterion, in
 * criterion_glue.c.
 */
bool harness_check(bool ok, const char *file, int line, const char *expr, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* As harness_check, and shows both values. */
bool harness_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *expr,
                      const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void harness_register(struct harness_test *test);
/* Say loudly that a part did not run, and why: counted as skipped in the closing line. */
void harness_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(cond, ...) harness_check((cond), __FILE__, __LINE__, #cond, "" __VA_ARGS__)
#define CHECK_EQ(got, want, ...)                                                               \
    harness_check_eq((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, #got " == " #want, \
                     "" __VA_ARGS__)
#define CHECK_MEM(a, b, n, ...) CHECK(memcmp((a), (b), (n)) == 0, __VA_ARGS__)
#define REQUIRE(cond, ...)             \
    do {                               \
        if (!CHECK(cond, __VA_ARGS__)) \
            return;                    \
    } while (0)

#ifdef SVMC_TEST_PLAIN
#define TEST(suite_, name_)                                                                \
    static void test_##suite_##_##name_(void);                                             \
    __attribute__((constructor)) static void register_##suite_##_##name_(void)             \
    {                                                                                      \
        static struct harness_test t = { #suite_, #name_, test_##suite_##_##name_, NULL }; \
        harness_register(&t);                                                              \
    }                                                                                      \
    static void test_##suite_##_##name_(void)
#else
#include <criterion/criterion.h>
#define TEST(suite_, name_) Test(suite_, name_)
#endif

/* SVMC_SEED from the environment or a fresh one; printed once. */
uint64_t harness_seed(void);

#endif
