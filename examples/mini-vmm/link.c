/* SPDX-License-Identifier: MIT */
/** One page and two doorbells a vCPU. Nothing the host does here can block or crash the keeper. */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <svmcore/page.h>

#include "clock.h"

#define BLIND_MS 50u /* without pidfd_open: how long a wait may last between two looks */

#define FDS_MAX (WIRE_FIRST_FD + WIRE_FDS_PER_VCPU * (int)WIRE_VCPUS_MAX)

static bool refuse(char *why, size_t cap, const char *what)
{
    snprintf(why, cap, "%s: %s", what, strerror(errno));
    return false;
}

/* The size is sealed: a host that shrank its page would take the keeper down with SIGBUS. */
static bool open_vcpu(struct link_vcpu *v, uint32_t bytes)
{
    v->page_fd = memfd_create("svmc-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    v->request = eventfd(0, EFD_CLOEXEC);
    v->answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (v->page_fd < 0 || v->request < 0 || v->answer < 0 || ftruncate(v->page_fd, bytes) != 0 ||
        fcntl(v->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return false;
    v->page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->page_fd, 0);
    return v->page != MAP_FAILED;
}

/* In the child: put everything where wire.h says, close the rest, become the host. */
_Noreturn static void become_host(const struct link *l, int console, const char *program,
                                  const char *lies)
{
    int from[FDS_MAX], last = WIRE_PAGE(l->vcpus);
    char parent[24], vcpus[12];
    char *argv[] = {
        (char *)(uintptr_t) "mini-host", parent, vcpus, (char *)(uintptr_t)l->form->name,
        (char *)(uintptr_t)lies,         NULL
    };
    char *envp[] = { NULL };

    snprintf(parent, sizeof parent, "%ld", (long)getppid());
    snprintf(vcpus, sizeof vcpus, "%u", l->vcpus);
    from[1] = console;
    for (uint32_t i = 0; i < l->vcpus; i++) {
        from[WIRE_PAGE(i)] = l->vcpu[i].page_fd;
        from[WIRE_REQUEST(i)] = l->vcpu[i].request;
        from[WIRE_ANSWER(i)] = l->vcpu[i].answer;
    }
    for (int fd = 1; fd < last; fd++) /* first out of the way, then into place */
        if (fd != 2 && (from[fd] = fcntl(from[fd], F_DUPFD, FDS_MAX)) < 0)
            _exit(126);
    for (int fd = 1; fd < last; fd++)
        if (fd != 2 && dup2(from[fd], fd) < 0)
            _exit(126);
    close(0);
    close(2);
    if (syscall(SYS_close_range, last, ~0u, 0) != 0)
        for (int fd = last; fd < 4096; fd++)
            close(fd);
    execve(program, argv, envp);
    _exit(127);
}

bool link_start(struct link *l, uint32_t vcpus, const struct form *form, const char *program,
                const char *lies, unsigned timeout_ms, char *why, size_t cap)
{
    int ends[2];
    char how[80];
    uint64_t tag;
    enum link_answer answer;

    l->process = l->pipe = -1;
    l->vcpus = vcpus;
    l->form = form;
    for (uint32_t i = 0; i < vcpus; i++)
        if (!open_vcpu(&l->vcpu[i], form->area_bytes))
            return refuse(why, cap, "parameter page");
    if (access(program, X_OK) != 0)
        return refuse(why, cap, program);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return refuse(why, cap, "console pipe");
    l->pid = fork();
    if (l->pid == 0)
        become_host(l, ends[1], program, lies);
    close(ends[1]);
    l->pipe = ends[0];
    fcntl(l->pipe, F_SETFL, O_NONBLOCK);
    if (l->pid < 0)
        return refuse(why, cap, "fork");
    l->process = (int)syscall(SYS_pidfd_open, l->pid, 0); /* without it: BLIND_MS */
    answer = link_ask(l, UINT32_MAX, timeout_ms, &tag);
    for (uint32_t i = 0; answer == LINK_ANSWERED && i < vcpus; i++)
        fcntl(l->vcpu[i].answer, F_SETFL, O_NONBLOCK); /* from its cage no host can change it */
    if (answer == LINK_ANSWERED)
        return true;
    snprintf(why, cap, "%s: ", program);
    if (answer == LINK_DEAD)
        snprintf(why + strlen(why), cap - strlen(why), "%s before it was ready",
                 link_death(l, how, sizeof how));
    else
        snprintf(why + strlen(why), cap - strlen(why), "did not start within %u ms", timeout_ms);
    return false;
}

bool link_confined(const struct link *l)
{
    char path[48], line[128];
    int mode = 0, no_new = 0;
    FILE *status;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)l->pid);
    status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        mode |= strcmp(line, "Seccomp:\t2\n") == 0;
        no_new |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
    }
    if (status)
        fclose(status);
    return mode && no_new;
}

static void take_console(struct link *l)
{
    uint8_t bytes[4096];
    ssize_t n;

    pthread_mutex_lock(&l->lock);
    /* bounded: a host that floods the pipe is read 16 times, then the work goes on */
    for (int turn = 0; turn < 16 && (n = read(l->pipe, bytes, sizeof bytes)) > 0; turn++) {
        size_t room = LINK_CONSOLE_MAX - l->console_bytes,
               take = (size_t)n < room ? (size_t)n : room;

        memcpy(l->console + l->console_bytes, bytes, take);
        l->console_bytes += take;
        l->console_dropped += (size_t)n - take;
        if (l->on_console)
            l->on_console(l->console_ctx, bytes, take);
    }
    pthread_mutex_unlock(&l->lock);
}

size_t link_console(struct link *l, size_t from, uint8_t *bytes, size_t cap)
{
    size_t n;

    pthread_mutex_lock(&l->lock);
    n = l->console_bytes - from;
    n = n < cap ? n : cap;
    memcpy(bytes, l->console + from, n);
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* Is it dead? All threads get the same answer. */
static bool reap(struct link *l)
{
    bool dead;

    pthread_mutex_lock(&l->lock);
    if (!l->dead && waitpid(l->pid, &l->wait_status, WNOHANG) == l->pid)
        l->dead = true;
    dead = l->dead;
    pthread_mutex_unlock(&l->lock);
    return dead;
}

bool link_poll(struct link *l)
{
    struct pollfd p = { .fd = l->process, .events = POLLIN };

    take_console(l);
    return !((l->process < 0 || poll(&p, 1, 0) > 0) && reap(l));
}

/* Take the bell, if it rang; never wait for it: its O_NONBLOCK is shared with the host. */
static bool rang(int doorbell, uint64_t *tag)
{
    struct pollfd p = { .fd = doorbell, .events = POLLIN };

    return poll(&p, 1, 0) == 1 && read(doorbell, tag, sizeof *tag) == (ssize_t)sizeof *tag;
}

/* A host that fills its own doorbell to the brim must not block the keeper in the write. */
static bool ring(int doorbell)
{
    struct pollfd p = { .fd = doorbell, .events = POLLOUT };
    uint64_t one = 1;

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) &&
           write(doorbell, &one, sizeof one) == (ssize_t)sizeof one;
}

/* Wait for one of them; without a pidfd, which poll skips, not so long that a death goes unseen. */
static bool wait_for(const struct link *l, struct pollfd *p, nfds_t count, uint64_t ms)
{
    if (l->process < 0 && ms > BLIND_MS)
        ms = BLIND_MS;
    return poll(p, count, (int)ms) >= 0 || errno == EINTR;
}

/* UINT32_MAX: nothing is asked, the first sign of life is awaited on vCPU 0's doorbell. */
enum link_answer link_ask(struct link *l, uint32_t id, unsigned timeout_ms, uint64_t *tag)
{
    const struct link_vcpu *v = &l->vcpu[id < l->vcpus ? id : 0];
    struct pollfd p[3] = { { .fd = v->answer, .events = POLLIN },
                           { .fd = l->process, .events = POLLIN },
                           { .fd = l->pipe, .events = POLLIN } };
    uint64_t end = now_ms() + timeout_ms, now;

    if (id < l->vcpus) {
        (void)rang(v->answer, tag); /* while nothing was asked: no answer to what is asked now */
        if (!ring(v->request))
            return LINK_SILENT;
    }
    for (;;) {
        now = now_ms();
        if (now >= end)
            return LINK_SILENT;
        if (!wait_for(l, p, p[2].fd < 0 ? 2 : 3, end - now))
            return LINK_ERROR;
        if (p[2].revents & POLLIN)
            take_console(l);
        else if (p[2].revents & POLLHUP)
            p[2].fd = -1; /* the host closed it; its death shows on the pidfd */
        if (rang(v->answer, tag)) {
            take_console(l);
            return LINK_ANSWERED;
        }
        if ((l->process < 0 || (p[1].revents & POLLIN)) && reap(l))
            return LINK_DEAD;
        if (l->over && atomic_load(l->over))
            return LINK_OVER;
    }
}

bool link_devices(struct link *l, uint32_t op, uint8_t *bytes, unsigned timeout_ms)
{
    volatile uint8_t *page = l->vcpu[0].page;
    const struct wire_devices ask = { .magic = WIRE_DEVICES_MAGIC, .op = op };
    struct wire_devices answer;
    uint64_t tag;

    for (size_t i = 0; i < sizeof ask; i++)
        page[i] = ((const uint8_t *)&ask)[i];
    for (size_t i = 0; op == WIRE_DEVICES_TAKE && i < sizeof ask.bytes; i++)
        page[offsetof(struct wire_devices, bytes) + i] = bytes[i];
    if (link_ask(l, 0, timeout_ms, &tag) != LINK_ANSWERED)
        return false;
    for (size_t i = 0; i < sizeof answer; i++) {
        ((uint8_t *)&answer)[i] = page[i];
        page[i] = 0;
    }
    if (op == WIRE_DEVICES_GIVE)
        memcpy(bytes, answer.bytes, sizeof answer.bytes);
    return answer.op == 0;
}

void link_notify(struct link *l, uint32_t id)
{
    struct link_vcpu *v = &l->vcpu[id];
    struct pollfd p[2] = { { .fd = v->answer, .events = POLLIN },
                           { .fd = l->process, .events = POLLIN } };
    uint64_t end = now_ms() + l->stray_ms, now;

    (void)rang(v->answer, &v->stray);
    v->stray = 0;
    (void)ring(v->request); /* a notice that is lost hurts nobody */
    /* a tick of KVM_RUN's ends a poll: what came after it would be taken for the next answer */
    while (v->stray == 0 && (now = now_ms()) < end && !(p[1].revents & POLLIN) &&
           wait_for(l, p, 2, end - now))
        (void)rang(v->answer, &v->stray);
}

const char *link_death(struct link *l, char *text, size_t cap)
{
    (void)reap(l);
    if (WIFSIGNALED(l->wait_status))
        snprintf(text, cap, "killed by signal %d (%s)", WTERMSIG(l->wait_status),
                 strsignal(WTERMSIG(l->wait_status)));
    else
        snprintf(text, cap, "ended with status %d", WEXITSTATUS(l->wait_status));
    return text;
}

void link_stop(struct link *l)
{
    if (l->pid <= 0)
        return;
    if (!reap(l)) {
        kill(l->pid, SIGKILL);
        waitpid(l->pid, &l->wait_status, 0);
        l->dead = true; /* no other thread is left */
    }
    take_console(l);
    for (uint32_t i = 0; i < l->vcpus; i++) {
        munmap((void *)(uintptr_t)l->vcpu[i].page, l->form->area_bytes);
        close(l->vcpu[i].page_fd);
        close(l->vcpu[i].request);
        close(l->vcpu[i].answer);
    }
    if (l->process >= 0)
        close(l->process);
    close(l->pipe);
    l->pid = 0;
}
