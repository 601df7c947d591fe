/* SPDX-License-Identifier: MIT */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "memory.h"
#include "report.h"
#include "traps.h"

#define OPTIONS                                                                           \
    (PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
     PTRACE_O_TRACEEXEC)

static void *number(long value)
{
    return (void *)value; /* ptrace takes signals and options as pointers */
}

/* ---- starting it --------------------------------------------------------------------------- */

/* The program's side: wait until it is traced, then become it. */
static void become(char *const *argv, int ready, int failed, const sigset_t *mask)
{
    char byte;
    int error;

    if (read(ready, &byte, 1) != 1)
        _exit(TRACER_FAILED);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    error = errno;
    if (write(failed, &error, sizeof error) != sizeof error)
        _exit(TRACER_FAILED);
    _exit(error == ENOENT ? TRACER_NOT_FOUND : TRACER_NOT_RUN);
}

static int cannot_trace(int error)
{
    report("ptrace is refused: %s%s", strerror(error),
           error == EPERM
               ? " (a container may need --cap-add=SYS_PTRACE or another seccomp profile; see "
                 "also /proc/sys/kernel/yama/ptrace_scope)"
               : "");
    return -TRACER_FAILED;
}

static int start(struct tracer *t, char *const *argv, int *failed, const sigset_t *mask)
{
    int ready[2], fails[2];
    int error;

    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(fails, O_CLOEXEC) != 0 || (t->program = fork()) < 0) {
        report("%s", strerror(errno));
        return -TRACER_FAILED;
    }
    if (t->program == 0) {
        close(ready[1]);
        become(argv, ready[0], fails[1], mask);
    }
    close(ready[0]);
    close(fails[1]);
    *failed = fails[0];
    if (ptrace(PTRACE_SEIZE, t->program, NULL, number(OPTIONS)) != 0) {
        error = errno;
        close(ready[1]); /* it ends */
        waitpid(t->program, NULL, 0);
        return cannot_trace(error);
    }
    if (!tasks_add(&t->tasks, t->program) || write(ready[1], "", 1) != 1) {
        report("%s", strerror(errno));
        return -TRACER_FAILED;
    }
    close(ready[1]);
    return 0;
}

/* ---- its stops ----------------------------------------------------------------------------- */

/* The process that made this one; a thread counts as one of its process. */
static pid_t parent_of(pid_t tid)
{
    char path[32], line[128];
    int tgid = 0, ppid = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && ppid == 0) {
        sscanf(line, "Tgid: %d", &tgid);
        sscanf(line, "PPid: %d", &ppid);
    }
    if (file)
        fclose(file);
    return tgid == tid ? ppid : tgid;
}

static void go_on(pid_t tid, int signal)
{
    ptrace(PTRACE_CONT, tid, NULL, number(signal)); /* it can have been killed meanwhile */
}

/* Does the child that a thread just made share its memory? The event does not say, the call does:
   clone(2). */
static bool shares_memory(pid_t tid)
{
    struct user_regs_struct regs;
    uint64_t flags = 0;

    if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
        return false;
    switch (regs.orig_rax) {
    case SYS_vfork:
        return true;
    case SYS_clone:
        return (regs.rdi & CLONE_VM) != 0;
    case SYS_clone3: /* flags come first */
        return memory_read(tid, regs.rdi, &flags, sizeof flags) && (flags & CLONE_VM) != 0;
    default:
        return false;
    }
}

static void release(struct task *child)
{
    child->waits = false;
    go_on(child->tid, 0);
}

/* A child stops, and its parent tells of it, in either order. */
static void on_child(struct tracer *t, struct task *parent)
{
    unsigned long tid = 0;
    struct task *child;

    if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &tid) != 0)
        return;
    child = tasks_find(t->tasks, (pid_t)tid);
    if (!child)
        child = tasks_add(&t->tasks, (pid_t)tid);
    if (!child)
        return;
    space_drop(child->space); /* of one that ended before it was told of, and had this number */
    child->space = NULL;
    if (parent->space)
        child->space =
            shares_memory(parent->tid) ? space_share(parent->space) : space_new(parent->space);
    if (child->waits)
        release(child);
}

/* Who was killed in the middle of a fork tells of no child: it goes on with what he had. */
static void on_end(struct tracer *t, pid_t tid)
{
    struct task *ended = tasks_find(t->tasks, tid);

    for (struct task *one = t->tasks; ended && one; one = one->next)
        if (one->waits && !tasks_find(t->tasks, parent_of(one->tid))) {
            one->space = ended->space ? space_new(ended->space) : NULL;
            release(one);
        }
    tasks_remove(&t->tasks, tid);
}

/* The thread that execs gets the number of the first one, and is the only one left. */
static void on_exec(struct tracer *t, struct task *task, int *failed)
{
    unsigned long former = 0;

    if (ptrace(PTRACE_GETEVENTMSG, task->tid, NULL, &former) == 0 && (pid_t)former != task->tid)
        tasks_remove(&t->tasks, (pid_t)former);
    gate_exec(task);
    if (*failed >= 0) {
        close(*failed);
        *failed = -1;
    }
}

static void on_signal(struct tracer *t, struct task *task, int signal)
{
    siginfo_t info;

    if (ptrace(PTRACE_GETSIGINFO, task->tid, NULL, &info) != 0) {
        go_on(task->tid, signal);
        return;
    }
    if (signal == SIGTRAP && info.si_code == SI_KERNEL && gate_breakpoint(task, &t->wanted))
        signal = 0;
    else if (signal == SIGSEGV || signal == SIGILL)
        signal = traps_signal(t->machine, task, &info);
    go_on(task->tid, signal);
}

static void on_stop(struct tracer *t, struct task *task, int status, int *failed)
{
    int signal = WSTOPSIG(status);

    switch (status >> 16) {
    case 0:
        on_signal(t, task, signal);
        return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        on_child(t, task);
        break;
    case PTRACE_EVENT_EXEC:
        on_exec(t, task, failed);
        break;
    case PTRACE_EVENT_STOP:
        if (signal != SIGTRAP) { /* stopped by job control: it stays so until SIGCONT */
            ptrace(PTRACE_LISTEN, task->tid, NULL, NULL);
            return;
        }
        break;
    default:
        break;
    }
    go_on(task->tid, 0);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static pid_t ours; /* for the handler */

/* Who ends us wants the program to end. */
static void pass_on(int signal)
{
    kill(ours, signal);
}

/* The terminal sends these to the program as well, which decides. */
static void set_signals(struct tracer *t, const sigset_t *mask)
{
    struct sigaction action = { .sa_handler = SIG_IGN };

    ours = t->program;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Its number can be another's from now on; who ends us ends what it left behind. */
static void program_ended(struct tracer *t, int status)
{
    t->status = status;
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

static void serve(struct tracer *t, int *failed)
{
    struct task *task;
    pid_t tid;
    int status;

    while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (tid < 0)
            continue;
        task = tasks_find(t->tasks, tid);
        if (!WIFSTOPPED(status)) {
            if (tid == t->program)
                program_ended(t, status);
            on_end(t, tid);
        } else if (task) {
            on_stop(t, task, status, failed);
        } else { /* a child ahead of its parent's event */
            task = tasks_add(&t->tasks, tid);
            if (task)
                task->waits = true;
            else
                kill(tid, SIGKILL);
        }
    }
}

int tracer_run(struct tracer *t, char *const *argv)
{
    sigset_t all, mask;
    int failed = -1, error, status;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask); /* none before there is somebody to pass it on to */
    status = start(t, argv, &failed, &mask);
    if (status != 0) {
        sigprocmask(SIG_SETMASK, &mask, NULL);
        return status;
    }
    set_signals(t, &mask);
    serve(t, &failed);
    if (failed >= 0 && read(failed, &error, sizeof error) == sizeof error) {
        report("cannot run %s: %s", argv[0], strerror(error));
        return error == ENOENT ? -TRACER_NOT_FOUND : -TRACER_NOT_RUN;
    }
    return t->status;
}
