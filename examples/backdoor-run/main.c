/* SPDX-License-Identifier: MIT */
/**
 * backdoor-run: runs an unmodified program for VMware guests under ptrace, and answers what it asks
 * its hypervisor. machine.c is the embedding of the library; traps.c and gate.c bring it the calls.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator.h"
#include "machine.h"
#include "options.h"
#include "report.h"
#include "tracer.h"

void report(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("backdoor-run: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

/* End as the program did: who started us sees no difference. */
static int end_like(int status)
{
    struct rlimit none = { 0, 0 };
    sigset_t one;

    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    setrlimit(RLIMIT_CORE, &none); /* a core of ours would say nothing */
    sigemptyset(&one);
    sigaddset(&one, WTERMSIG(status));
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    return 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    static struct machine machine;
    static struct options options = { .machine = &machine };
    struct tracer tracer = { .machine = &machine };
    int status = options_parse(&options, argc, argv);

    if (status >= 0)
        return status;
    if (!machine_init(&machine, options.high_bandwidth))
        return TRACER_FAILED;
    if (options.emulator) {
        status = emulator_run(&machine, &options.wanted, options.emulator, options.program);
    } else {
        tracer.wanted = options.wanted;
        status = tracer_run(&tracer, options.program);
    }
    return status < 0 ? -status : end_like(status);
}
