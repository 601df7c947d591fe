/* SPDX-License-Identifier: MIT */
/* Faults that a gate must notice. tools/checks runs one of these tests under each gate and wants
 * it refused; `holds` is the counter-proof that must pass. */
#include "harness.h"
#include <pthread.h>
#include <stdlib.h>

static volatile int zero;

TEST(canary, holds)
{
    CHECK_EQ(zero, 0);
}

TEST(canary, fails)
{
    CHECK_EQ(zero, 1, "meant to fail");
}

TEST(canary, leaks)
{
    void *volatile p = malloc(16);

    CHECK(p != NULL);
    p = NULL;
}

TEST(canary, overflows)
{
    volatile char *volatile p = calloc(16, 1);

    REQUIRE(p != NULL);
    CHECK(p[16 + zero] != 0 || p[0] == 0); /* one past the end */
    free((void *)p);
}

TEST(canary, shifts)
{
    CHECK_EQ((1 << (40 + zero)) & 0, 0); /* undefined */
}

TEST(canary, uninitialised)
{
    char *volatile p = malloc(16);

    REQUIRE(p != NULL);
    CHECK(p[zero] != 1 || p[zero + 1] != 2 || p[zero + 2] != 3);
    free(p);
}

static unsigned shared;

static void *add(void *unused)
{
    for (unsigned i = 0; i < 1000; i++)
        shared++;
    return unused;
}

TEST(canary, races)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, add, NULL) == 0);
    add(NULL);
    CHECK(pthread_join(thread, NULL) == 0 && shared != 0);
}

TEST(canary, crashes)
{
    *(volatile char *)(uintptr_t)zero = 1;
}

TEST(canary, skips)
{
    harness_skip("meant to be skipped");
}
