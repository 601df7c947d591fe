/* SPDX-License-Identifier: MIT */
/* Preloaded below svmcore: the process is killed at the SVMC_CUT-th call that changes files, before
   it (SVMC_CUT=n) or right behind it (SVMC_CUT=-n). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static void count(int after)
{
    static int calls;
    const char *text = getenv("SVMC_CUT");
    int at = text ? atoi(text) : 0;

    calls += !after;
    if (at == (after ? -calls : calls))
        kill(getpid(), SIGKILL);
}

#define CALL(type, name, arguments, ...)                                    \
    type name arguments                                                     \
    {                                                                       \
        type(*real) arguments = (type(*) arguments)dlsym(RTLD_NEXT, #name); \
        type result;                                                        \
                                                                            \
        count(0);                                                           \
        result = real(__VA_ARGS__);                                         \
        count(1);                                                           \
        return result;                                                      \
    }

CALL(int, rename, (const char *a, const char *b), a, b)
CALL(int, linkat, (int a, const char *b, int c, const char *d, int e), a, b, c, d, e)
CALL(int, unlink, (const char *a), a)
CALL(int, fsync, (int fd), fd)
CALL(ssize_t, pwrite, (int fd, const void *a, size_t n, off_t at), fd, a, n, at)
