/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

static sigjmp_buf out;

static void on_fault(int number)
{
    siglongjmp(out, number);
}

int fault_attempt(void *ctx, void (*call)(void *), void *of)
{
    static const int numbers[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP };
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    struct sigaction action, before[COUNT];
    int i, fault;

    (void)ctx;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_fault;
    for (i = 0; i < COUNT; i++)
        sigaction(numbers[i], &action, &before[i]);
    fault = sigsetjmp(out, 1);
    if (fault == 0)
        call(of);
    for (i = 0; i < COUNT; i++)
        sigaction(numbers[i], &before[i], NULL);
    return fault;
}
