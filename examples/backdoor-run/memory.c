/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "maps.h"

#define VECTOR_PF    14u /* AMD APM vol. 2, 8.2.15, and its error code */
#define PF_PRESENT   1u
#define PF_WRITE     2u
#define PF_USER      4u
#define WINDOWS_MOST 64u /* pages of one call: 64 KiB wherever they start are 17 */

struct window {
    uint64_t page;
    bool writable;
    uint8_t now[MEMORY_PAGE], was[MEMORY_PAGE];
};

static size_t to_page_end(uint64_t at, size_t n)
{
    size_t left = MEMORY_PAGE - (size_t)(at & (MEMORY_PAGE - 1));

    return n < left ? n : left;
}

/* Where process_vm_readv and its like are forbidden, as by old seccomp filters of containers. */
static ssize_t by_file(pid_t pid, uint64_t at, void *bytes, size_t n, bool write)
{
    char path[32];
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    fd = open(path, (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return -1;
    got = write ? pwrite(fd, bytes, n, (off_t)at) : pread(fd, bytes, n, (off_t)at);
    close(fd);
    return got;
}

static void *address(uint64_t at)
{
    return (void *)(uintptr_t)at; // NOLINT: a number in another process
}

size_t memory_peek(pid_t pid, uint64_t at, void *to, size_t n)
{
    size_t done = 0;

    while (done < n) {
        size_t part = to_page_end(at + done, n - done);
        struct iovec here = { (uint8_t *)to + done, part }, there = { address(at + done), part };
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

        if (got < 0 && (errno == EPERM || errno == ENOSYS))
            got = by_file(pid, at + done, here.iov_base, part, false);
        if (got != (ssize_t)part)
            break;
        done += part;
    }
    return done;
}

bool memory_read(pid_t pid, uint64_t at, void *to, size_t n)
{
    return memory_peek(pid, at, to, n) == n;
}

static bool write_page(pid_t pid, uint64_t at, const void *from, size_t n)
{
    struct iovec here = { (void *)(uintptr_t)from, n }, there = { address(at), n };
    ssize_t done = process_vm_writev(pid, &here, 1, &there, 1, 0);

    /* the file does not look at the protection: maps_find has */
    if (done < 0 && (errno == EPERM || errno == ENOSYS))
        done = by_file(pid, at, here.iov_base, n, true);
    return done == (ssize_t)n;
}

static bool read_at(void *ctx, uint64_t at, void *to, size_t n)
{
    return memory_read(*(pid_t *)ctx, at, to, n);
}

static bool write_at(void *ctx, uint64_t at, const void *from, size_t n)
{
    return write_page(*(pid_t *)ctx, at, from, n);
}

static bool writable_at(void *ctx, uint64_t page)
{
    return maps_writable(*(pid_t *)ctx, page);
}

struct memory memory_of(pid_t *pid)
{
    return (struct memory){ read_at, write_at, writable_at, pid };
}

bool memory_poke(pid_t pid, uint64_t at, const void *from, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint64_t word_at = (at + i) & ~(uint64_t)7, word;
        size_t in_word = (size_t)((at + i) & 7), part = 8 - in_word < n - i ? 8 - in_word : n - i;

        errno = 0;
        word = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, address(word_at), NULL);
        if (errno != 0)
            return false;
        memcpy((uint8_t *)&word + in_word, (const uint8_t *)from + i, part);
        if (ptrace(PTRACE_POKEDATA, pid, address(word_at), address(word)) != 0)
            return false;
        i += part;
    }
    return true;
}

static struct window *find(struct windows *w, uint64_t page)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->list[i].page == page)
            return &w->list[i];
    return NULL;
}

/* What a page fault of ring 3 says. */
static void raise_fault(struct svmc_fault *fault, uint64_t at, uint32_t access, bool present)
{
    *fault = (struct svmc_fault){ .raised = 1, .vector = VECTOR_PF, .has_error = 1, .address = at };
    fault->error =
        PF_USER | (present ? PF_PRESENT : 0) | ((access & SVMC_ACCESS_WRITE) != 0 ? PF_WRITE : 0);
}

/* Linear addresses stand for physical ones: nobody but this program looks at them. */
enum svmc_status windows_translate(struct windows *w, svmc_gva at, uint32_t access, svmc_gpa *out,
                                   struct svmc_fault *fault)
{
    uint64_t page = at.v & ~(uint64_t)(MEMORY_PAGE - 1);
    bool write = (access & SVMC_ACCESS_WRITE) != 0, writable;
    struct window *one = find(w, page);
    uint8_t probe;

    out->v = at.v;
    if (one && (!write || one->writable))
        return SVMC_OK;
    if (!w->memory.read(w->memory.ctx, page, &probe, 1)) {
        raise_fault(fault, at.v, access, false);
        return SVMC_OK;
    }
    writable = write && w->memory.writable(w->memory.ctx, page);
    if (write && !writable)
        raise_fault(fault, at.v, access, true);
    if (one)
        one->writable |= writable;
    return SVMC_OK;
}

static struct window *open_window(struct windows *w, uint64_t page)
{
    struct window *more;

    if (w->count == WINDOWS_MOST)
        return NULL;
    if (!w->list) {
        more = malloc(WINDOWS_MOST * sizeof *more); /* not moved: the library holds spans of it */
        if (!more)
            return NULL;
        w->list = more;
    }
    more = &w->list[w->count];
    w->gone = !w->memory.read(w->memory.ctx, page, more->now, MEMORY_PAGE);
    if (w->gone)
        return NULL;
    memcpy(more->was, more->now, MEMORY_PAGE);
    more->page = page;
    more->writable = false;
    w->count++;
    return more;
}

enum svmc_status windows_span(struct windows *w, svmc_gpa at, size_t n, uint32_t access,
                              void **span)
{
    uint64_t page = at.v & ~(uint64_t)(MEMORY_PAGE - 1), in_page = at.v - page;
    struct window *one = find(w, page);

    if (n == 0 || n > MEMORY_PAGE - in_page)
        return SVMC_ERR_CALLBACK;
    if (!one)
        one = open_window(w, page);
    if (!one)
        return SVMC_ERR_CALLBACK;
    if ((access & SVMC_ACCESS_WRITE) != 0)
        one->writable = true; /* translate has looked */
    *span = one->now + in_page;
    return SVMC_OK;
}

/* What cannot be written any more was taken away by another thread in this moment: lost, as if it
   had been taken away in the next. */
void windows_close(struct windows *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct window *one = &w->list[i];
        size_t from = 0, end;

        while (one->writable && from < MEMORY_PAGE) {
            for (; from < MEMORY_PAGE && one->now[from] == one->was[from]; from++)
                ;
            for (end = from; end < MEMORY_PAGE && one->now[end] != one->was[end]; end++)
                ;
            if (end > from)
                (void)w->memory.write(w->memory.ctx, one->page + from, one->now + from, end - from);
            from = end;
        }
    }
    w->count = 0;
}
